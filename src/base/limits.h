/* base/limits.h - every length, count, depth and rate that somebody outside can choose.
 *
 * Octets unless the name says otherwise. "min" is what the RFC demands of a server.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include "base/base.h"

/* Addresses and names */
#define LIMIT_LOCAL_PART     ((size_t)255)  /* RFC 5321 §4.5.3.1.1: min 64 */
#define LIMIT_DOMAIN         ((size_t)255)  /* RFC 5321 §4.5.3.1.2 */
#define LIMIT_ADDRESS        ((size_t)512)  /* local part, "@", domain */
#define LIMIT_IP_TEXT        ((size_t)64)   /* INET6_ADDRSTRLEN and a zone */
#define LIMIT_SESSION_ID     ((size_t)32)

/* SMTP */
#define LIMIT_SMTP_LINE      ((size_t)2048)       /* command with CRLF; RFC 5321 §4.5.3.1.4: min 512, plus parameters */
#define LIMIT_SMTP_AUTH_LINE ((size_t)12288)      /* RFC 4954 §4 */
#define LIMIT_SMTP_REPLY     ((size_t)16 * KIB)   /* a peer's whole reply to us */
#define LIMIT_MESSAGE        ((size_t)50 * MIB)   /* default of the setting message_size */
#define LIMIT_MESSAGE_MAX    ((size_t)1 * GIB)    /* largest value of that setting */
#define LIMIT_RCPTS          ((size_t)1000)       /* per transaction; RFC 5321 §4.5.3.1.8: min 100 */
#define LIMIT_HOPS           ((unsigned)50)       /* Received fields, RFC 5321 §6.3 */
#define LIMIT_SMTP_ERRORS    ((unsigned)20)       /* then 421 */
#define LIMIT_SMTP_COMMANDS  ((unsigned)1000)     /* without a message accepted in between, then 421; RCPT not counted */
#define LIMIT_SMTP_CHUNK_COUNTED ((uint64_t)1 * KIB) /* chunks smaller than that are commands as above */
#define LIMIT_SMTP_BARREN_MS ((unsigned)3600 * 1000) /* between accepted messages of a session: at the next command 421 */
#define LIMIT_SMTP_RCPT_COMMANDS ((unsigned)5000) /* RCPT, refused ones too, without a message accepted, then 421 */
#define LIMIT_SMTP_RCPTS_LOGGED ((unsigned)20)    /* refused recipients of a session that have a line each in the log */
#define LIMIT_SMTP_AUTH_FAILURES ((unsigned)5)    /* wrong passwords in one session, then 421 */
#define LIMIT_ENVID          ((size_t)100)        /* RFC 3461 §4.4 */
#define LIMIT_ORCPT          ((size_t)512)        /* RFC 3461 §4.2: 500, with the address type */
#define LIMIT_REPLY_TEXT     ((size_t)400)        /* of one of our replies, from another process or a filter */
#define LIMIT_RCPTS_OCTETS   ((size_t)640 * KIB)  /* addresses and ORCPT of one message: they fit LIMIT_IPC_FRAME beside LIMIT_INLINE */
#define LIMIT_SMTP_HOLD_S    ((uint32_t)60 * 86400) /* RFC 4865: how far ahead a message may be given */
#define LIMIT_SMTP_BY_MIN_S  ((unsigned)60)       /* RFC 2852 §3: shortest time that may be demanded */
#define LIMIT_SMTP_DELAY_MS  ((unsigned)60 * 1000) /* a reply is held back no longer, whoever asks for it */
#define LIMIT_SMTP_ETRN      ((unsigned)20)       /* in one session, then 458 */
#define LIMIT_QUEUE_EDITS    ((size_t)100)        /* recipients taken out, or added, by one command */
#define LIMIT_QUEUE_BUSY     ((size_t)100)        /* messages in their round that a command about many waits for */
#define LIMIT_QUEUE_BUSY_MS  ((int64_t)10 * 1000) /* and how long */
#define LIMIT_QUEUE_FLUSHES  ((unsigned)60)       /* by ETRN, in a minute, from all */
#define LIMIT_QUEUE_SITES    ((size_t)4096)      /* destinations that the queue remembers; idle ones are forgotten, oldest first */
#define LIMIT_XCLIENT        ((size_t)255)        /* a value of XCLIENT, decoded */
#define LIMIT_PROXY_BLOCK    ((size_t)2048)       /* PROXY protocol v2: addresses and TLVs */
#define LIMIT_PROXY_MS       ((unsigned)10 * 1000) /* from accepting to the end of that header */
#define LIMIT_CIDRS          ((size_t)64)         /* networks in one setting */
#define LIMIT_SMTP_FIXUP     ((size_t)4 * KIB)    /* what we add to a header: Received, Date, Message-ID */

/* Content: up to LIMIT_INLINE it travels and is stored in a row, above it is a file */
#define LIMIT_INLINE         ((size_t)256 * KIB)

/* Databases */
#define LIMIT_DB_VALUE       ((size_t)64 * MIB)   /* one value, one row */
#define LIMIT_DB_STATEMENT   ((size_t)128 * MIB)  /* of heap, taken by one statement while it runs (sorting, undoing) */
#define LIMIT_DB_CACHE       ((size_t)4 * MIB)    /* of pages, kept by a transaction that changes many */
#define LIMIT_DB_PAGES       ((uint32_t)0x01ffffff)  /* of a database that is salvaged: 128 GiB; db/db_pages.h says why no more */
#define LIMIT_DB_FRAMES      ((size_t)4 * MIB)    /* of its log: 16 GiB */
#define LIMIT_DB_ROW         ((size_t)8 * MIB)    /* one row of it: the printed parts of a message are the largest */

/* MIME */
#define LIMIT_MIME_DEPTH     ((unsigned)100)
#define LIMIT_MIME_PARTS     ((unsigned)10000)
#define LIMIT_HEADER_BLOCK   ((size_t)1 * MIB)    /* parsed; what is beyond is stored, not parsed */
#define LIMIT_HEADER_FIELDS  ((unsigned)10000)
#define LIMIT_MIME_PARAMS    ((unsigned)100)      /* per field */
#define LIMIT_ADDRESSES      ((unsigned)2000)     /* parsed per address field */
#define LIMIT_ENVELOPE       ((size_t)512 * KIB)  /* printed */
#define LIMIT_BODYSTRUCTURE  ((size_t)1 * MIB)    /* printed */

/* IMAP */
#define LIMIT_IMAP_LINE      ((size_t)64 * KIB)   /* a command without its literals */
#define LIMIT_IMAP_LINE_PRE  ((size_t)8 * KIB)    /* the same before sign-in */
#define LIMIT_IMAP_ARGS      ((size_t)256 * KIB)  /* with literals other than APPEND's */
#define LIMIT_IMAP_LITERALS  ((unsigned)64)       /* per command */
#define LIMIT_IMAP_DEPTH     ((unsigned)32)       /* nested parentheses and search keys */
#define LIMIT_IMAP_SET       ((size_t)20000)      /* ranges in one sequence set */
#define LIMIT_IMAP_SEARCH    ((size_t)16 * MIB)   /* of a message's content, looked at by SEARCH BODY and TEXT */
#define LIMIT_IMAP_KEYS      ((size_t)1000)       /* search keys in one command: each message is held against all */
#define LIMIT_IMAP_SAVED     ((size_t)20000)      /* ranges of UIDs kept as "$"; a result that is more scattered is not saved */
#define LIMIT_IMAP_CONTEXTS  ((size_t)16)         /* searches of a session that are kept up to date; more are answered NOUPDATE */
#define LIMIT_IMAP_CONTEXT_MESSAGES ((size_t)50000) /* in the result of one of them */
#define LIMIT_IMAP_WORK      ((size_t)320 * KIB)  /* memory set aside for the output of a command that tells much; it may ask for more */
#define LIMIT_ACL_ENTRIES    ((size_t)200)        /* of one mailbox */
#define LIMIT_TRANSFER       ((size_t)5000)       /* messages copied to another account by one command */
#define LIMIT_TRANSFER_OCTETS ((uint64_t)256 * MIB) /* of them, if there is more than one: nobody else writes there meanwhile */
#define LIMIT_SEEN_RANGES    ((size_t)20000)      /* of uids that somebody has seen in another's mailbox */
#define LIMIT_IMAP_AUTH_FAILURES ((unsigned)5)    /* refused sign-ins, then BYE */
#define LIMIT_IMAP_ERRORS    ((unsigned)20)       /* BAD in a row, then BYE */
#define LIMIT_IMAP_APPENDS   ((size_t)200)        /* messages in one APPEND (RFC 3502); each that is no small one holds a descriptor */
#define LIMIT_IMAP_PARTS     ((size_t)1000)       /* pieces of a message made by CATENATE (RFC 4469) */
#define LIMIT_IMAP_APPEND    ((uint64_t)1 * GIB)  /* all messages of one APPEND; each is at most message_size */
#define LIMIT_IMAP_URL       ((size_t)4 * KIB)    /* of CATENATE */
#define LIMIT_IMAP_PREVIEW   ((size_t)256 * KIB)  /* of a message's beginning, looked at for PREVIEW (RFC 8970) */
#define LIMIT_IMAP_BINARY_LINE ((size_t)16 * KIB) /* of quoted-printable, kept to decode it in pieces; longer ones are cut somewhere */
#define LIMIT_MAILBOX_NAME   ((size_t)1000)       /* UTF-8 */
#define LIMIT_MAILBOX_DEPTH  ((unsigned)50)
#define LIMIT_MAILBOXES      ((unsigned)10000)    /* per account */
#define LIMIT_KEYWORD        ((size_t)64)
#define LIMIT_KEYWORDS       ((unsigned)128)      /* distinct, per account */
#define LIMIT_IMAP_PATTERNS  ((size_t)32)         /* of one LIST */
#define LIMIT_IMAP_PATTERN_OCTETS ((size_t)4000)  /* all patterns of one LIST: every name is held against all of them */
#define LIMIT_METADATA_NAME  ((size_t)255)        /* of an entry */
#define LIMIT_METADATA_ASKED ((size_t)64)         /* entries named by one command */
#define LIMIT_METADATA_VALUE ((size_t)64 * KIB)
#define LIMIT_METADATA_ENTRIES ((unsigned)100)    /* per mailbox; as many of the server, per account: shared ones, and each reader's */
#define LIMIT_METADATA_ACCOUNT ((size_t)2 * MIB)  /* values and names of an account: shared ones, and each reader's */

/* POP3 */
#define LIMIT_POP3_LINE      ((size_t)1 * KIB)    /* a command after sign-in; RFC 2449 §4: min 255. Before it LIMIT_SASL_LINE */
#define LIMIT_POP3_MESSAGES  ((uint64_t)1000000)  /* in the INBOX; with more nobody can sign in */
#define LIMIT_POP3_WORK      ((size_t)320 * KIB)  /* memory set aside for the output of a command that tells much */
#define LIMIT_POP3_COUNTED   ((uint64_t)64 * MIB) /* of content, read in one session to tell the size of messages with lone CR or LF */
#define LIMIT_POP3_AUTH_FAILURES ((unsigned)5)    /* refused sign-ins, then the end */
#define LIMIT_POP3_ERRORS    ((unsigned)20)       /* malformed commands in a row, then the end */

/* Sign-in */
#define LIMIT_SIGNIN_MS      ((unsigned)180 * 1000) /* from the greeting to a sign-in, whatever is said meanwhile; then BYE, 421 */
#define LIMIT_SIGNIN_COMMANDS ((unsigned)100)     /* before a sign-in; then BYE, 421 */
#define LIMIT_USER           LIMIT_ADDRESS
#define LIMIT_PASSWORD       ((size_t)1024)
#define LIMIT_PASSWORD_HASH  ((size_t)512)        /* stored or imported, with its prefix */
#define LIMIT_SASL_LINE      (LIMIT_SMTP_AUTH_LINE - 2) /* one base64 answer of an exchange, in every protocol */
#define LIMIT_SASL_NONCE     ((size_t)512)        /* of SCRAM, a client's and ours together */
#define LIMIT_SASL_MESSAGE   ((size_t)4 * KIB)    /* of SCRAM, after base64 */
#define LIMIT_BEARER         ((size_t)4 * KIB)    /* an access token */
#define LIMIT_HASH_THREADS   ((unsigned)64)       /* passwords hashed at once */
#define LIMIT_HASH_QUEUE     ((unsigned)256)      /* sign-ins that wait for it */
#define LIMIT_HASH_RESERVE   ((unsigned)64)       /* more, for those that signed in from there before */
#define LIMIT_HASH_SHARE     ((unsigned)16)       /* of them, per source network */
#define LIMIT_SIGNIN_FREE    ((unsigned)5)        /* failures per source and account before they have to wait */
#define LIMIT_SIGNIN_WAIT    ((int64_t)900 * 1000) /* the longest such wait, ms */
#define LIMIT_SIGNIN_FREE_SOURCE ((unsigned)100)  /* failures of one source, over all accounts, before it has to wait */
#define LIMIT_SIGNIN_WAIT_SOURCE ((int64_t)60 * 1000)
#define LIMIT_SIGNIN_FREE_KNOWN ((unsigned)100)   /* failures of a pair that signed in before (directory/throttle.h) */
#define LIMIT_SIGNIN_WAIT_KNOWN ((int64_t)10 * 1000)
#define LIMIT_CREDENTIALS    ((size_t)100)        /* access tokens, and certificates, of one account */
#define LIMIT_TOKEN          ((size_t)66)         /* octets of one that names a sign-in: ipc/session_token.h */
#define LIMIT_TOKEN_MS_SIGNIN ((int64_t)24 * 3600 * 1000) /* how long that is good */
#define LIMIT_SESSION_MS     ((int64_t)23 * 3600 * 1000) /* from the sign-in; then BYE, so that no session outlives its token */
#define LIMIT_TOKEN_DAYS     ((uint32_t)3650)     /* how long one may be good */

/* Limits and bans at the door (guard/) */
#define LIMIT_GUARD_ZONES    ((size_t)16)         /* lists in DNS */
#define LIMIT_GUARD_ANSWERS  ((size_t)8)          /* of one list about one address, kept */
#define LIMIT_GUARD_DNS_MS   ((unsigned)3000)     /* a connection waits so long for them, then goes on without */
#define LIMIT_GUARD_PENDING  ((unsigned)1000)     /* connections that wait for them; more go on without */
#define LIMIT_GUARD_BANS     ((size_t)10000)      /* at once; then the one that ends first makes room */
#define LIMIT_GUARD_TARPITS  ((unsigned)200)      /* replies held back at once */
#define LIMIT_GUARD_REASON   ((size_t)120)        /* of a ban, octets */
#define LIMIT_GUARD_BAN_S    ((uint64_t)366 * 86400) /* the longest ban an administrator can give */

/* TLS */
#define LIMIT_TLS_CERTS      ((unsigned)256)      /* certificates of one listener, chosen by SNI */
#define LIMIT_TLS_PEM        ((size_t)256 * KIB)  /* a chain or key as PEM text */
#define LIMIT_TLS_RESUME     ((size_t)1000)       /* sessions of servers, kept to resume them */
#define LIMIT_TLS_CA_PEM     ((size_t)4 * MIB)    /* all authorities to trust */

/* Sending out */
#define LIMIT_PREFIX           ((size_t)8 * KIB)    /* header fields that a message gets on its way out: two signatures */
#define LIMIT_REMOTE_HOSTS     ((size_t)10)       /* MX hosts looked at for one next hop */
#define LIMIT_REMOTE_ADDRESSES ((size_t)20)       /* addresses tried in one delivery */
#define LIMIT_REMOTE_PER_HOST  ((size_t)4)        /* of them, of one host */
#define LIMIT_REMOTE_SESSIONS  ((unsigned)5)      /* of them, that answered EHLO */
#define LIMIT_REMOTE_RCPTS     ((size_t)100)      /* in one transaction; RFC 5321 §4.5.3.1.8: what every server must take */
#define LIMIT_REMOTE_IDLE      ((size_t)500)      /* sessions that wait for another message */
#define LIMIT_REMOTE_IDLE_HOST ((size_t)50)       /* of them, alike */
#define LIMIT_REMOTE_CLOSING   ((size_t)200)      /* sessions that wait for the reply to QUIT; more are closed without */
#define LIMIT_REMOTE_SESSION_MAILS ((unsigned)1000) /* transactions of one session */
#define LIMIT_REMOTE_SESSION_MS ((int64_t)300 * 1000) /* after that it takes no further message */
#define LIMIT_REMOTE_KNOWN     ((size_t)4096)     /* addresses of which something is remembered */
#define LIMIT_REMOTE_DNS       ((size_t)8192)     /* answers of DNS that are kept */
#define LIMIT_REMOTE_DNS_SIZE  ((size_t)2 * KIB)  /* of one of them */
#define LIMIT_REMOTE_DNS_KEEP_MS ((int64_t)60 * 1000) /* how long, at most */
#define LIMIT_REMOTE_BESIDE    ((size_t)4)        /* connections that one delivery tries at once */
#define LIMIT_REMOTE_BESIDE_ALL ((size_t)500)     /* of a process: those that are tried beside another */
#define LIMIT_REMOTE_TRIED     ((size_t)500)      /* text about the hosts that were tried before the one that answered */
#define LIMIT_REMOTE_EARLY     ((uint64_t)32 * KIB) /* content that is sent before RCPT is answered; what all RCPT being refused may cost */
#define LIMIT_NEXTHOPS         ((size_t)8)        /* tried in turn, of one setting or route */
#define LIMIT_NEXTHOPS_TEXT    ((size_t)600)      /* all of them as text */
#define LIMIT_REMOTE_ANSWER    ((size_t)500)      /* of a peer's reply, kept: 1000 of them fit LIMIT_IPC_FRAME */

/* HTTPS (http/), MTA-STS (RFC 8461), TLS reports (RFC 8460) */
#define LIMIT_HTTP_MS          ((unsigned)60 * 1000) /* one fetch, unless its caller says less */
#define LIMIT_HTTP_CONNECT_MS  ((unsigned)20 * 1000) /* of it, to TCP and TLS */
#define LIMIT_HTTP_SLOW_S      ((unsigned)10)     /* less than an octet a second for so long ends a fetch */
#define LIMIT_HTTP_HEADER      ((size_t)32 * KIB) /* of an answer */
#define LIMIT_HTTP_HEADERS     ((size_t)16)       /* fields added to a question */
#define LIMIT_STS_CACHED       ((size_t)5000)     /* domains whose policy, or having none, one remote process remembers */
#define LIMIT_STS_CACHED_OCTETS ((size_t)16 * MIB) /* of their policies */
#define LIMIT_STS_REFRESHES    ((size_t)1000)     /* that wait to be done; more are noticed at the next delivery */
#define LIMIT_STS_STORED       ((size_t)50000)    /* policies that auth keeps; then the one fetched first makes room */
#define LIMIT_STS_STORED_OCTETS ((uint64_t)64 * MIB) /* of their texts */
#define LIMIT_TLSRPT_MEMORY    ((size_t)2000)     /* rows in one remote process between two notes to auth */
#define LIMIT_TLSRPT_STORED    ((uint64_t)200000) /* rows that auth keeps; then new domains are counted in one */
#define LIMIT_TLSRPT_DAYS      ((uint32_t)30)     /* that auth keeps */

/* The configuration */
#define LIMIT_PATH             ((size_t)4000)     /* of a file or directory */
#define LIMIT_CONFIG           ((size_t)1 * MIB)  /* the file */
#define LIMIT_LISTENERS        ((size_t)64)       /* addresses, of all kinds together */
#define LIMIT_SETTING_LIST     ((size_t)2000)     /* the text of a setting that lists networks or zones */

/* Local programs, on submit.sock */
#define LIMIT_SUBMIT_CONNECTIONS ((unsigned)64)   /* at once */
#define LIMIT_SUBMIT_PER_UID     ((unsigned)16)   /* of them, of one user other than root */
#define LIMIT_SUBMIT_RATE        ((unsigned)1000) /* messages a minute of one user other than root */
#define LIMIT_SUBMIT_USERS       ((size_t)1024)   /* users whose rate is remembered */
#define LIMIT_SUBMIT_IDLE_S      ((unsigned)60)   /* a connection that says nothing for so long is closed */

/* Filters: milters and policy servers */
#define LIMIT_MILTERS          ((unsigned)8)      /* configured */
#define LIMIT_POLICIES         ((unsigned)8)      /* configured */
#define LIMIT_FILTER_SETTING   ((size_t)2000)     /* the text of such a setting */
#define LIMIT_FILTER_THREADS   ((unsigned)1000)   /* sessions of one process that wait for a filter; others get 451 */
#define LIMIT_FILTER_MS        ((unsigned)3600 * 1000) /* largest time a filter can be given */
#define LIMIT_FILTER_FAILURES  ((unsigned)3)      /* of one filter in one session, then it is not tried again there */
#define LIMIT_MILTER_PACKET    ((size_t)1 * MIB)  /* from a filter; libmilter's own limit is 64 KiB */
#define LIMIT_MILTER_ANSWERS   ((unsigned)50000)  /* packets in answer to one command: a body of 1 GiB in 64 KiB pieces, three times */
#define LIMIT_MILTER_EDITS     ((size_t)1000)     /* changes of header and envelope in one message */
#define LIMIT_MILTER_EDITS_OCTETS ((size_t)1 * MIB) /* of their texts */
#define LIMIT_MILTER_FIELD     ((size_t)64 * KIB) /* value of an added header field */
#define LIMIT_MILTER_FIELD_NAME ((size_t)128)
#define LIMIT_MILTER_NAMES     ((size_t)2 * KIB)  /* macro names that a filter lists for one stage */
#define LIMIT_MILTER_REPLY     ((size_t)4 * KIB)  /* reply text and quarantine reason */
#define LIMIT_FILTER_GROWTH    ((uint64_t)2 * MIB) /* a message may be so much larger behind the filters than message_size */
#define LIMIT_POLICY_VALUE     ((size_t)1024)     /* of an attribute in a question to a policy server; the rest is cut */
#define LIMIT_POLICY_ANSWER    ((size_t)4 * KIB)  /* of a policy server, up to the empty line */
#define LIMIT_POLICY_PREPEND   ((size_t)2 * KIB)  /* header fields that policy servers add to one message */

/* Pipes: programs that take messages */
#define LIMIT_PIPES            ((size_t)32)       /* configured */
#define LIMIT_PIPE_NAME        ((size_t)32)
#define LIMIT_PIPE_ARGS        ((size_t)64)       /* words of a configured command */
#define LIMIT_PIPE_ARG         ((size_t)1000)     /* octets of one of them */
#define LIMIT_PIPE_ARGV        ((size_t)96 * KIB) /* of all words of one run, after expansion; the system takes 128 KiB in one */
#define LIMIT_PIPE_RCPTS       ((size_t)100)      /* recipients of one run */
#define LIMIT_PIPE_RUNS        ((unsigned)100)    /* programs of one pipe at once */
#define LIMIT_PIPE_MS          ((int64_t)3600 * 1000) /* longest time that a program can be given */
#define LIMIT_PIPE_OUTPUT      ((size_t)4 * KIB)  /* of what a program says, kept */
#define LIMIT_PIPE_HEAD        ((size_t)64 * KIB) /* of a message, searched for our own Delivered-To */

/* Channels between processes */
#define LIMIT_IPC_FRAME      ((size_t)1 * MIB)
#define LIMIT_IPC_FDS        ((unsigned)3)        /* descriptors in one frame */
#define LIMIT_IPC_PENDING    ((unsigned)20000)    /* requests a channel may have open; also seen from the server: then it stops reading */
#define LIMIT_IPC_BACKLOG    ((size_t)96 * MIB)   /* octets that wait for a peer to read them; then who sends more waits */
#define LIMIT_IPC_OPEN       ((size_t)128 * MIB)  /* octets of requests that one channel has open in the server; then it stops reading */
#define LIMIT_IPC_OPEN_QUEUE ((size_t)320 * MIB)  /* the same, of those that queue asks: 1000 deliveries of LIMIT_INLINE with their envelopes */

/* DNS (what one answer may hold: ipc/msg_dns.h) */
#define LIMIT_DNS_PENDING    ((unsigned)4000)     /* lookups at once */

/* Trace */
#define LIMIT_TRACE_TEXT     ((size_t)1000)       /* what was said, in one event */
#define LIMIT_TRACE_SESSION  ((unsigned)200)      /* events of one session */
#define LIMIT_TRACE_AWAY     ((unsigned)50)       /* refused connections that are told in a second */
#define LIMIT_TRACE_KEYS     ((size_t)500)        /* of one question */

/* Directory */
#define LIMIT_ALIAS_TARGETS  ((size_t)1000)
#define LIMIT_ALIAS_DEPTH    ((unsigned)20)
#define LIMIT_ACCOUNT_BATCH  ((size_t)10000)      /* accounts made by one request */
#define LIMIT_LIST_PAGE      ((size_t)500)        /* rows in one answer of a listing */
#define LIMIT_LIST_OCTETS    ((size_t)512 * KIB)  /* in one answer of a listing, about */
#define LIMIT_ALIAS_FILE     ((size_t)4 * MIB)    /* an aliases(5) file, each file it includes, all together */
#define LIMIT_ALIAS_INCLUDES ((unsigned)5)        /* :include: in :include: */
#define LIMIT_ALIAS_LINES    ((size_t)100000)     /* of one run */
#define LIMIT_ALIAS_STEPS    ((unsigned)10000)    /* alias targets looked at for one address */
#define LIMIT_ALIAS_RULES    ((size_t)100)        /* of who may write to one alias */
#define LIMIT_SUBADDRESS     ((size_t)8)          /* characters that separate a subaddress */
#define LIMIT_GROUPS         ((size_t)1000)       /* of accounts */
#define LIMIT_GROUP_NAME     ((size_t)64)
#define LIMIT_GROUP_MEMBERS  ((size_t)1000)
#define LIMIT_SHARED_BOXES   ((size_t)1000)       /* mailboxes of one account that are listed to others */
#define LIMIT_SHARES         ((size_t)500)        /* with whom one account shares mailboxes; and who shares some with one */
#define LIMIT_DELEGATES      ((size_t)500)        /* accounts that one account lends its addresses to */
#define LIMIT_REWRITE_RULES  ((size_t)100000)     /* rules of rewriting */
#define LIMIT_PROBES_KNOWN   ((size_t)20000)      /* recipients of relay domains that auth remembers */
#define LIMIT_PROBE_MS       ((unsigned)10 * 1000) /* for one probe of a recipient */
#define LIMIT_SMTP_REWRITE   ((size_t)256 * KIB)  /* what rewriting may add to a message */
#define LIMIT_REWRITTEN      ((size_t)4000)       /* addresses of a header that are looked at for rewriting; with more it is refused */
#define LIMIT_SMTP_PROBES    ((unsigned)40)       /* under way for one smtp process; more are answered 450 */
#define LIMIT_ROUTE_STEPS    ((size_t)200)        /* shown by the dry run */
#define LIMIT_ROUTE_TEXT     ((size_t)1200)       /* of one step: two addresses and some words */
#define LIMIT_ROUTES         ((size_t)200000)     /* rules of routes */
#define LIMIT_ROUTE_VIA      ((size_t)500)        /* the text of a rule's next hop */
#define LIMIT_ROUTE_CONNECTIONS ((uint32_t)1000)  /* that a rule may allow */
#define LIMIT_ROUTE_RATE     ((uint32_t)1000000)  /* messages in the time of a rate */
#define LIMIT_ROUTE_RATE_S   ((uint32_t)86400)    /* that time */
#define LIMIT_URL            ((size_t)1000)       /* of a host that gives access tokens */
#define LIMIT_LOGIN_KEPT_MS  ((int64_t)60 * 1000) /* remote keeps credentials that auth has told it */
#define LIMIT_LOGIN_PAUSE_MS ((int64_t)60 * 1000) /* after a host has refused them, or gave no token */
#define LIMIT_LOGIN_AGAIN_MS ((int64_t)1000)      /* after auth could not be asked about them */
#define LIMIT_LOGINS_KEPT    ((size_t)1000)       /* at once, of one remote process */
#define LIMIT_AUTH_STEPS     ((unsigned)8)        /* challenges of one sign-in at another host */
#define LIMIT_AUTH_TRIES     ((unsigned)3)        /* mechanisms tried in one session there */
#define LIMIT_TOKEN_MS       ((unsigned)20 * 1000) /* to get an access token */
#define LIMIT_LOGIN_CLIENT   ((size_t)1000)       /* client id and client secret of OAuth 2.0 */

/* Another server's configuration, for convert */
#define LIMIT_POSTFIX_FILE   ((size_t)16 * MIB)   /* one file of it */
#define LIMIT_POSTFIX_VALUE  ((size_t)256 * KIB)  /* of a parameter, expanded */
#define LIMIT_POSTFIX_DEPTH  ((unsigned)20)       /* $name in $name */
#define LIMIT_POSTFIX_STEPS  ((size_t)10000)      /* $name in one value */
#define LIMIT_POSTFIX_PARAMS ((size_t)5000)
#define LIMIT_POSTFIX_ROWS   ((size_t)200000)     /* of all tables together */

/* DKIM */
#define LIMIT_DKIM_KEYS      ((size_t)16)         /* of one domain */
#define LIMIT_DKIM_SELECTOR  ((size_t)63)         /* one label */
#define LIMIT_DKIM_RSA_MIN   ((unsigned)1024)     /* bits, RFC 8301 §3.2 */
#define LIMIT_DKIM_RSA_MAX   ((unsigned)4096)     /* what verifiers must take, RFC 8301 §3.2 */
#define LIMIT_DKIM_SECRET    ((size_t)8 * KIB)    /* a private key as PEM text */
#define LIMIT_DKIM_RECORD    ((size_t)1 * KIB)    /* text of a key record: RSA with 4096 bits */
#define LIMIT_DKIM_NAMES     ((size_t)3 * KIB)    /* h= of one signature */
#define LIMIT_DKIM_HEADER    ((size_t)512 * KIB)  /* header fields of one message that are signed; one with more goes unsigned */
#define LIMIT_DKIM_THREADS   ((unsigned)2)        /* that sign, in auth; that read and hash, in queue */
#define LIMIT_DKIM_BACKLOG   ((unsigned)256)      /* signatures that wait in auth */
#define LIMIT_DKIM_FLIGHT    ((unsigned)64)       /* messages being signed at once, for queue */

#endif
