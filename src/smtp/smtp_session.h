/* smtp/smtp_session.h - inside a session: state, table of commands, transaction. For src/smtp alone.
 *
 *            EHLO/HELO         MAIL 250         RCPT 250          DATA 354           CRLF.CRLF
 *      NEW ------------> READY --------> MAIL ----------> RCPT ----------> DATA ----------> SUBMIT
 *       ^    STARTTLS 220  |  ^            |                |                | refused         | any reply to the data
 *       +------- TLS <-----+  +------------+----------------+----------------+-----------------+
 *                          |  ^       RSET, EHLO, HELO
 *               AUTH 334   v  | 235, 5xx
 *                          AUTH
 *
 *      RCPT --BDAT n--> CHUNK --n octets, 250--> BDAT --BDAT n--> CHUNK ... --n octets of LAST--> SUBMIT        refused: READY
 *      NEW, READY --XCLIENT 220--> NEW
 *
 *   NEW    nothing is known of the peer (hello is empty)
 *   READY  hello is set; tx is empty
 *   MAIL   tx has an arena and a sender, no recipient
 *   RCPT   tx has one recipient or more
 *   DATA   as RCPT; content is being collected by the sink, no line is read
 *   CHUNK  as DATA, of the octets that a BDAT has named
 *   BDAT   as RCPT; some chunks are there, the last is not
 *   SUBMIT as DATA; the content is complete and with queue, whose answer is awaited: no thread is held, nothing is read
 *   AUTH   sasl is set; the next line is an answer to a challenge, no command
 *   TLS    220 was sent, nothing else may be read before the handshake; hello and tx are empty
 *
 * signed_in is set once, in AUTH, and never cleared (a second AUTH and a later STARTTLS are refused).
 */
#ifndef SMTP_SMTP_SESSION_H
#define SMTP_SMTP_SESSION_H

#include "smtp/smtp.h"
#include "smtp/smtp_content.h"
#include "wire/smtp/smtp_bdat.h"
#include "wire/smtp/smtp_reply.h"

enum smtp_state {
	SMTP_STATE_NEW,
	SMTP_STATE_READY,
	SMTP_STATE_MAIL,
	SMTP_STATE_RCPT,
	SMTP_STATE_DATA,
	SMTP_STATE_CHUNK,
	SMTP_STATE_BDAT,
	SMTP_STATE_SUBMIT,
	SMTP_STATE_AUTH,
	SMTP_STATE_TLS,
	SMTP_STATE_COUNT,
};

/* One mail transaction. smtp_tx_reset() makes it empty again: there is no other way. */
struct smtp_tx {
	struct arena       *arena; /* NULL when there is no transaction */
	struct str          from;  /* canonical; n == 0: null reverse-path */
	uint32_t            flags; /* enum queue_flag */
	bool                utf8;
	uint64_t            declared_octets; /* SIZE=; a hint only, it may lie both ways */
	struct queue_rcpt  *rcpts;
	size_t              rcpt_count, rcpt_cap;
	size_t              rcpt_octets; /* of all addresses, with what goes with them */
	unsigned            accepted;    /* RCPT that got 250, repeats too: LMTP answers each */
	struct str          envid;       /* this and the next as in struct queue_submit_request */
	int64_t             hold_until_ms, deliver_by_ms;
	int                 priority;
	int64_t             received_ms;
	char                txid[QUEUE_TXID];
	char                id[LIMIT_SESSION_ID + 12]; /* session id "." number: in Received and the log */
	struct smtp_content content;
	size_t              own_octets; /* of the content: what we put before the peer's first octet */
	struct smtp_chunk   chunk; /* BDAT */
	bool                last;  /* BDAT: LAST was said */
	size_t              trace_octets; /* of our Received, before what the peer sent */
	bool                header_done;
	bool                discard; /* a filter said: answer 250, and forget it */
	struct smtp_pending *pending; /* the answer that is awaited, or NULL; see smtp_submit.c */
	unsigned             submits; /* how often it was submitted */
};

/* smtp_patience.c */
struct smtp_patience {
	int64_t  since_ms; /* monotonic: the greeting, or the last accepted message */
	unsigned messages; /* accepted by then */
	unsigned commands; /* lines before a sign-in */
};

/* smtp_guard.c */
enum smtp_guard_stage { SMTP_GUARD_OPEN, SMTP_GUARD_ASKED, SMTP_GUARD_PAUSED };
struct smtp_guard {
	enum smtp_guard_stage stage; /* but for OPEN, the session is in NEW and waits; nothing is read */
	struct smtp_verdict  *verdict; /* ASKED */
	int64_t               pause_until_ms; /* PAUSED; monotonic */
	uint64_t              octets;         /* told so far; the next three too */
	unsigned              messages, refused;
	unsigned              errors;         /* to be told */
	bool                  early;          /* talked before the greeting: to be told */
};

struct smtp_session {
	const struct smtp_env      *env;
	const struct smtp_settings *set;
	struct net_conn            *conn;
	const struct net_info      *info;
	enum smtp_state             state;
	bool                        esmtp; /* EHLO, not HELO */
	bool                        done;  /* the end was said: what comes next is not looked at */
	bool                        drain; /* the process wants to end: after the answer to the message at hand */
	struct buf                  hello; /* argument of EHLO or HELO */
	bool                        signed_in;
	bool                        trusted; /* the address that connected, or that a PROXY header named, is one of set->trusted; XCLIENT changes nothing in it */
	bool                        xclient; /* the peer is another since then: it is trusted with nothing */
	bool                        chunks_failed;   /* chunks of a message that was refused may still come */
	const struct smtp_reply    *skip_reply;      /* octets behind a BDAT are dropped, then this is said; NULL: they are not */
	uint64_t                    bytes;           /* SMTP_NEXT_BYTES: how many */
	struct smtp_hold           *hold;            /* a reply that is held back, smtp_hold.c */
	unsigned                    etrns;
	uint64_t                    account;
	struct buf                  login; /* canonical address of the account */
	char                        token[LIMIT_TOKEN]; /* of the sign-in, for queue */
	size_t                      token_n;
	struct smtp_tx              tx;
	struct sasl                *sasl; /* NULL outside an exchange */
	struct smtp_patience        patience;
	struct smtp_filter         *filter; /* smtp_filter.h; NULL: none, or none needed yet */
	struct smtp_guard           guard;
	unsigned errors, commands, rcpts;              /* since the last accepted message: limits */
	unsigned traced;                               /* events of this session */
	unsigned auth_failures;
	unsigned messages, refused, rcpts_refused;     /* for the log */
	uint64_t transactions, octets;
	int64_t  began_ms;
	const char *ending; /* constant text: why the session ends */
};

enum smtp_next { SMTP_NEXT_LINE, SMTP_NEXT_DATA, SMTP_NEXT_BYTES, SMTP_NEXT_WAKE, SMTP_NEXT_TLS, SMTP_NEXT_CLOSE };

enum smtp_arg { SMTP_ARG_NONE, SMTP_ARG_REQUIRED, SMTP_ARG_ANY };

enum smtp_flag { /* bit mask */
	SMTP_FLAG_LAST = 1u << 0,      /* nothing may be pipelined behind it, RFC 2920 §3.1 */
	SMTP_FLAG_LONG = 1u << 1,      /* the line may be LIMIT_SMTP_AUTH_LINE long */
	SMTP_FLAG_UNCOUNTED = 1u << 2, /* not against LIMIT_SMTP_COMMANDS: has a limit of its own */
	SMTP_FLAG_OCTETS = 1u << 3,    /* octets follow it that are no commands, refused or not: smtp_bdat_refuse() */
};

struct smtp_command {
	struct str verb;
	enum smtp_next (*handler)(struct smtp_session *s, struct str arg); /* `arg` lives until it returns */
	unsigned      states; /* mask of 1u << enum smtp_state */
	enum smtp_arg arg;
	unsigned      flags;
	const struct smtp_reply *(*bar)(const struct smtp_session *s); /* why it is not for this session now; or NULL */
	const char *syntax;
	const char *rfc;
};
extern const struct smtp_command smtp_commands[];
extern const size_t              smtp_command_count;
/* NULL if there is none. */
const struct smtp_command *smtp_command_find(struct str verb);

/* One keyword of the EHLO reply. */
struct smtp_extension {
	const char *keyword;
	unsigned    param;                             /* mask of enum smtp_param that MAIL and RCPT take because of it */
	bool (*offered)(const struct smtp_session *s); /* NULL: always */
	void (*value)(const struct smtp_session *s, struct buf *out);
	const char *rfc;
};
extern const struct smtp_extension smtp_extensions[];
extern const size_t                smtp_extension_count;
/* Mask of the parameters offered to this session now; 0 after HELO. */
unsigned smtp_announced(const struct smtp_session *s);

/* ---- replies ---- */
/* Write the reply and go on with the next line. Protocol errors are counted: over the limit it is 421 and the end instead. */
enum smtp_next smtp_answer(struct smtp_session *s, const struct smtp_reply *r);
/* The same with `text` in place of r->text; it may hold what a peer sent only after a parser took it. */
enum smtp_next smtp_answer_text(struct smtp_session *s, const struct smtp_reply *r, struct str text);
/* The answer to the data of a message, `copies` times over: one for each recipient in LMTP (RFC 2033 §4.2), else 1. */
enum smtp_next smtp_answer_copies(struct smtp_session *s, const struct smtp_reply *r, struct str text, unsigned copies);
/* How many copies that is for the transaction at hand. */
unsigned smtp_copies(const struct smtp_session *s);
/* smtp_answer_text(), held back for so long; no thread is held, and nothing is read. All is copied. */
enum smtp_next smtp_answer_later(struct smtp_session *s, const struct smtp_reply *r, struct str text, unsigned delay_ms);
/* Something happened while a reply is held back. */
enum smtp_next smtp_hold_event(struct smtp_session *s, enum net_ev_kind kind);
unsigned       smtp_hold_ms(const struct smtp_session *s); /* what is left, at least 1 */
void           smtp_hold_drop(struct smtp_session *s);
/* Write the reply (NULL: none) and close. `why` is for the log. */
enum smtp_next smtp_end(struct smtp_session *s, const struct smtp_reply *r, const char *why);
/* One line of a longer reply. */
void smtp_write_line(struct smtp_session *s, unsigned code, const char *enhanced, struct str text, bool last);

/* Who is new is greeted; XCLIENT makes him new. */
enum smtp_next smtp_greet(struct smtp_session *s);

/* The one way to change the state: checks that the transition is in the diagram. */
void smtp_enter(struct smtp_session *s, enum smtp_state state);
/* Asserts what the diagram's notes say. */
void smtp_check(const struct smtp_session *s);

/* ---- patience ---- */
void smtp_patience_init(struct smtp_session *s);
/* A line came: is it one too many, or too late? The reply that ends the session, or NULL. */
const struct smtp_reply *smtp_patience_line(struct smtp_session *s);
/* How long to wait for the next line, asked before each one: 1 to set->timeout_ms. */
unsigned smtp_patience_ms(struct smtp_session *s);

/* ---- trace ---- */
/* text: empty for the reply's. */
void smtp_trace(struct smtp_session *s, enum trace_what what, struct str from, struct str to, const struct smtp_reply *r, struct str text);
void smtp_trace_connected(struct smtp_session *s);
void smtp_trace_ended(struct smtp_session *s);
void smtp_trace_turned_away(void *ctx, const struct net_info *info); /* for net_proto */
/* ---- limits and bans ---- */
/* Ask whether the peer may be greeted, then greet it or not. */
enum smtp_next smtp_guard_begin(struct smtp_session *s);
/* Something happened while stage is not OPEN; how long to wait then (0: no limit); wait no more. */
enum smtp_next smtp_guard_event(struct smtp_session *s, enum net_ev_kind kind);
unsigned       smtp_guard_ms(const struct smtp_session *s);
void           smtp_guard_drop(struct smtp_session *s);
/* No limits for this peer: the configuration says so. */
bool smtp_guard_exempt(const struct smtp_session *s);
/* A reply of this code was given. */
void smtp_guard_error(struct smtp_session *s, unsigned code);
/* Tell auth what happened since the last time, if it is much or this is the last time. */
void smtp_guard_note(struct smtp_session *s, bool last);
/* The greeting itself. */
enum smtp_next smtp_greet(struct smtp_session *s);

/* ---- transaction ---- */
void smtp_tx_begin(struct smtp_session *s);
void smtp_tx_reset(struct smtp_session *s);
/* Copies. Exact repeats of an address are kept once, as first given. */
void smtp_tx_add_rcpt(struct smtp_tx *tx, const struct queue_rcpt *rcpt);
/* The peer's word counts where a stranger's does not: it signed in, or it is trusted and speaks for itself. */
bool smtp_is_known(const struct smtp_session *s);

/* ---- sign-in ---- */
bool smtp_auth_offered(const struct smtp_session *s);
void smtp_auth_mechanisms(const struct smtp_session *s, struct buf *out); /* " PLAIN LOGIN" */
void smtp_auth_reset(struct smtp_session *s);
/* A line in state AUTH. too_long: it was longer than LIMIT_SMTP_AUTH_LINE, and is empty. */
enum smtp_next smtp_auth_line(struct smtp_session *s, struct str line, bool too_long);

/* ---- recipients ---- */
/* A recipient that auth does not know enough of: ask its host, and put auth's last word into *r, which is not PROBE. */
MUST_CHECK enum status smtp_probe(struct smtp_session *s, struct str address, struct arena *a, struct auth_rcpt_reply *r);

/* ---- data ---- */
/* net's sink for the content of the transaction; ctx is the session. */
bool smtp_data_write(void *ctx, struct str octets);
enum smtp_next smtp_data_done(struct smtp_session *s, bool bare_eol);
/* Make the content ready to take octets, with its Received field. NULL, or why not: the content is then as before. */
const struct smtp_reply *smtp_data_begin(struct smtp_session *s, uint64_t expected);
/* The message is not taken: log, reset, and answer (with that many copies). */
enum smtp_next smtp_data_refuse(struct smtp_session *s, const struct smtp_reply *refusal, unsigned copies);
/* net's sink for the octets behind a BDAT, and their end. */
bool           smtp_bdat_write(void *ctx, struct str octets);
enum smtp_next smtp_bdat_done(struct smtp_session *s);
/* BDAT may not be here: what follows it is no command all the same. Read and drop it, then say why. */
enum smtp_next smtp_bdat_refuse(struct smtp_session *s, struct str arg, const struct smtp_reply *why);
extern const struct smtp_reply smtp_bare_reply, smtp_too_big_reply;
/* Look at the header in tx.content.memory once: loop, and on submission complete it (RFC 6409 §8) and check whose it is. all: the
 * whole message is there. NULL: fine; else the refusal. */
const struct smtp_reply *smtp_message_check(struct smtp_session *s, bool all);
/* Submission: addresses of envelope and header by the rules of rewriting (smtp_rewrite.c). NULL: done; else the refusal. */
const struct smtp_reply *smtp_rewrite(struct smtp_session *s);
/* Hand the message to queue. */
enum smtp_next smtp_submit(struct smtp_session *s);
/* In SUBMIT, woken: if queue has answered, so is the peer. */
enum smtp_next smtp_submit_woken(struct smtp_session *s);
/* Nobody waits for the answer any more. */
void smtp_submit_forget(struct smtp_tx *tx);

/* ---- handlers, one row each in smtp_table.c ---- */
enum smtp_next smtp_cmd_ehlo(struct smtp_session *s, struct str arg);
enum smtp_next smtp_cmd_helo(struct smtp_session *s, struct str arg);
enum smtp_next smtp_cmd_starttls(struct smtp_session *s, struct str arg);
enum smtp_next smtp_cmd_auth(struct smtp_session *s, struct str arg);
enum smtp_next smtp_cmd_mail(struct smtp_session *s, struct str arg);
enum smtp_next smtp_cmd_rcpt(struct smtp_session *s, struct str arg);
enum smtp_next smtp_cmd_data(struct smtp_session *s, struct str arg);
enum smtp_next smtp_cmd_bdat(struct smtp_session *s, struct str arg);
enum smtp_next smtp_cmd_etrn(struct smtp_session *s, struct str arg);
enum smtp_next smtp_cmd_xclient(struct smtp_session *s, struct str arg);
enum smtp_next smtp_cmd_rset(struct smtp_session *s, struct str arg);
enum smtp_next smtp_cmd_noop(struct smtp_session *s, struct str arg);
enum smtp_next smtp_cmd_vrfy(struct smtp_session *s, struct str arg);
enum smtp_next smtp_cmd_help(struct smtp_session *s, struct str arg);
enum smtp_next smtp_cmd_quit(struct smtp_session *s, struct str arg);

#endif
