/* ipc/msg_queue.h - what queue is asked: take a message, and show what waits.
 *
 * A queue id is a 64-bit number, shown as 13 characters (see wire/text/queue_id.h).
 */
#ifndef IPC_MSG_QUEUE_H
#define IPC_MSG_QUEUE_H

#include "base/limits.h"
#include "base/str.h"

#define QUEUE_TXID 16u /* octets of a transaction id, random */

enum queue_flag { /* bit mask, stored */
	QUEUE_FLAG_SMTPUTF8 = 1u << 0,
	QUEUE_FLAG_8BIT     = 1u << 1,
	QUEUE_FLAG_SUBMIT   = 1u << 2, /* from an account of ours */
	QUEUE_FLAG_BOUNCE   = 1u << 3, /* a DSN: its failure makes none */
	QUEUE_FLAG_REQUIRETLS = 1u << 4, /* RFC 8689 §4: only over verified TLS to servers that keep to it */
	QUEUE_FLAG_TLS_OPTIONAL = 1u << 5, /* "TLS-Required: No", RFC 8689 §5 */
	QUEUE_FLAG_HOLD     = 1u << 6, /* quarantined by a filter: held until an administrator releases it */
	QUEUE_FLAG_FILTER   = 1u << 7, /* goes to the content filter first */
	QUEUE_FLAG_RET_HDRS = 1u << 8, /* RFC 3461 §4.3: RET=HDRS; a report returns the header only */
	QUEUE_FLAG_BY_NOTIFY = 1u << 9, /* RFC 2852 §4: past deliver_by_ms tell the sender, and go on; without it, give up */
	QUEUE_FLAG_BY_TRACE = 1u << 10, /* RFC 2852 §4: "T" */
	QUEUE_FLAG_RET_FULL = 1u << 11, /* RFC 3461 §4.3: RET=FULL, said so: passed on. Without either flag the same, by our own choice */
};

enum queue_notify { /* bit mask, RFC 3461 §4.1; 0: not given, which means FAILURE and DELAY */
	QUEUE_NOTIFY_NEVER   = 1u << 0, /* alone */
	QUEUE_NOTIFY_SUCCESS = 1u << 1,
	QUEUE_NOTIFY_FAILURE = 1u << 2,
	QUEUE_NOTIFY_DELAY   = 1u << 3,
};

struct queue_rcpt {
	struct str address; /* as given in RCPT, canonical form */
	uint32_t   notify;  /* mask of enum queue_notify */
	struct str orcpt;   /* RFC 3461 §4.2, decoded: "rfc822;bob@example.org"; "" if not given */
};

/* IPC_QUEUE_SUBMIT. The reply comes after the commit is on stable storage. ST_OK and result QUEUED: ours now. Another result:
 * certainly not taken. A status other than ST_OK: unknown, ask IPC_QUEUE_KNOWN with the same txid. Idempotent by txid. */
enum queue_submit_result {
	QUEUE_SUBMIT_QUEUED,
	QUEUE_SUBMIT_FULL,    /* below the watermark, or ENOSPC: 452 */
	QUEUE_SUBMIT_SUSPECT, /* storage set aside after a failed sync: 451 */
	QUEUE_SUBMIT_INVALID,
	QUEUE_SUBMIT_DENIED, /* the token is not (or no longer) one of this account: sign in again */
	QUEUE_SUBMIT_LAST = QUEUE_SUBMIT_DENIED,
};
struct queue_submit_request {
	struct str         txid; /* QUEUE_TXID octets */
	struct str         from; /* "" for the null reverse-path */
	struct queue_rcpt *rcpts;
	size_t             rcpt_count;
	uint32_t           flags;
	struct str         session; /* log id of the SMTP session */
	struct str         peer;    /* IP address, or "local" */
	uint64_t           account; /* signed-in account, or 0 */
	struct str         token;   /* of the sign-in: from smtp, queue believes no account without */
	int64_t            received_ms;
	uint64_t           size; /* of the content, octets */
	struct str         content; /* if size <= LIMIT_INLINE */
	int                spool;   /* else the descriptor of IPC_QUEUE_SPOOL, written from 0 to size */
	struct str         envid;   /* RFC 3461 §4.4, decoded from xtext; "" if not given */
	int64_t            hold_until_ms; /* wall clock, RFC 4865: not sent before; 0: at once */
	int64_t            deliver_by_ms; /* wall clock, RFC 2852; 0: no limit */
	int64_t            priority;      /* RFC 6710: -9 to 9 */
};
struct queue_submit_reply {
	enum queue_submit_result result;
	uint64_t                 id;
};
struct queue_known_request {
	struct str txid;
};
struct queue_known_reply {
	bool     known;
	uint64_t id;
};
struct queue_spool_reply { /* ST_FULL below the watermark */
	int spool;
};

/* IPC_QUEUE_FLUSH: what waits for recipients of this domain is tried now. queue_count_reply: messages. ST_LIMIT: too often. */
struct queue_flush_request {
	struct str domain; /* canonical */
};

/* ---- administrators ---- */
enum queue_state { QUEUE_WAITING, QUEUE_ACTIVE, QUEUE_HELD, QUEUE_STATE_LAST = QUEUE_HELD };
enum queue_rcpt_state { QUEUE_RCPT_PENDING, QUEUE_RCPT_DONE, QUEUE_RCPT_FAILED, QUEUE_RCPT_STATE_LAST = QUEUE_RCPT_FAILED };
struct queue_entry {
	uint64_t         id;
	enum queue_state state;
	struct str       from;
	uint64_t         size, rcpts_left;
	int64_t          received_ms, next_ms; /* next_ms: when it is tried again */
	struct str       reason;               /* why it waits or is held */
};
struct queue_list_request {
	uint64_t   after; /* ids above this */
	struct str to, from; /* filters, "" for all */
	struct str reason;   /* in why it waits */
	struct str site;     /* a recipient waits for this next hop: "host:port" or "pipe:NAME" as it was found, else its domain */
	int64_t    before_ms; /* wall clock: received before; 0: at any time */
};
struct queue_list_reply {
	struct queue_entry *entries;
	size_t              entry_count;
	bool                more;
};
enum queue_site_kind { QUEUE_SITE_KIND_OPEN, QUEUE_SITE_KIND_DEAD, QUEUE_SITE_KIND_PROBING, QUEUE_SITE_KIND_LAST = QUEUE_SITE_KIND_PROBING };
struct queue_show_rcpt {
	struct str            address, target; /* target: account address or next hop */
	struct str            orcpt;
	uint32_t              notify; /* mask of enum queue_notify */
	enum queue_rcpt_state state;
	uint32_t              attempts;
	int64_t               last_ms, next_ms;
	struct str            answer; /* what the last attempt was told */
	struct str            site;   /* its next hop, as far as it is known; "": an account, or not known yet */
	struct str            why;    /* why it waits until then */
	/* Of that next hop as the scheduler sees it, if it is known; as in queue_site_row. */
	bool                  site_known;
	enum queue_site_kind  site_state;
	uint32_t              site_now, site_limit, site_waiting;
	int64_t               site_since_ms, site_until_ms, site_next_ms;
};
struct queue_show_reply {
	struct queue_entry      entry;
	struct queue_show_rcpt *rcpts;
	size_t                  rcpt_count;
	struct str              session, peer, envid;
	uint32_t                flags;
	int64_t                 priority;
	int64_t                 begins_ms;     /* wall clock: the sender wanted it held back until then; 0: not, or that is over */
	int64_t                 deliver_by_ms; /* wall clock; 0: no limit */
	bool                    more;          /* recipients that did not fit */
	int64_t                 expires_ms;    /* wall clock: then it is given up */
	/* Rounds that somebody answered; in a row: that nobody could be asked in, that lost an attempt with its process. */
	uint32_t                attempts, stalls, crashes;
};
/* IPC_QUEUE_SHAPE: recipients that wait, by next hop and age, of a page of messages: those with ids above `after`. Ask again until !more, with the
 * `after` of the reply. */
#define QUEUE_SHAPE_AGES 10u /* up to 5, 10, 20, ... 1280 minutes, and older */
struct queue_shape_request {
	uint64_t after;
};
struct queue_shape_row {
	struct str site; /* "": accounts */
	uint64_t   ages0, ages1, ages2, ages3, ages4, ages5, ages6, ages7, ages8, ages9;
};
struct queue_shape_reply {
	struct queue_shape_row *rows;
	size_t                  row_count;
	uint64_t                after;
	bool                    more;
};
/* SHOW, RETRY, REMOVE, HOLD, RELEASE, BOUNCE; id 0 with all but SHOW: all that match the filters. RETRY of a message by its id also ends
 * the time that its sender wanted it held back; RELEASE is for held ones alone. RETRY, HOLD and RELEASE are of whole messages; REMOVE, BOUNCE and
 * REDIRECT with `to` are of the recipients that match, and the others go on. */
struct queue_id_request {
	uint64_t   id;
	struct str to, from; /* as in a listing; "" for all */
};
struct queue_count_reply {
	uint64_t count;
};
/* REDIRECT: what waits goes to `add` (one) instead. EDIT, of one id: recipients that wait are taken out and added, the sender is changed. BOUNCE, with a
 * queue_id_request: the failure report at once, and the message is gone. REMOVE, likewise: gone without one. A message that is in its round this
 * moment is left as it is and counted as busy; only REMOVE of a whole one takes it all the same.
 * ST_INVALID: no valid address; ST_NOT_FOUND: no such id, or it has no such recipient; ST_EXISTS: it has that recipient; ST_LIMIT: too many. ST_OK and
 * something `wrong`: nothing was changed. */
enum queue_edit_wrong {
	QUEUE_EDIT_FINE,
	QUEUE_EDIT_NOBODY,       /* nobody would be left */
	QUEUE_EDIT_ADD_TWICE,    /* the same is to be added twice */
	QUEUE_EDIT_REMOVE_TWICE, /* or taken out */
	QUEUE_EDIT_OWED,         /* without a sender, though a report is owed to it (Q10) */
	QUEUE_EDIT_WRONG_LAST = QUEUE_EDIT_OWED,
};
struct queue_edit_address {
	struct str text;
};
struct queue_edit_request {
	uint64_t                   id;
	struct str                 to, from; /* REDIRECT: as in a listing; "" for all */
	struct queue_edit_address *remove, *add;
	size_t                     remove_count, add_count;
	bool                       sender_given;
	struct str                 sender; /* "": the null reverse-path */
};
struct queue_edit_busy {
	uint64_t id;
};
struct queue_edit_reply {
	uint64_t                count, busy; /* messages */
	uint64_t                reports;     /* BOUNCE: how many senders are told */
	uint64_t                recipients;  /* in those messages */
	struct queue_edit_busy *busy_ids;    /* the first LIMIT_QUEUE_BUSY: these are worth another question */
	size_t                  busy_id_count;
	enum queue_edit_wrong   wrong;
};
/* IPC_QUEUE_SITES: destinations as the scheduler sees them now, by name; queue/queue_site.h says what is what. `name`: that one alone (ST_NOT_FOUND:
 * nothing is known of it). `retry`, with a name: it is dead no more, and what waits for it on disk is due now; `due` says how many messages. */
struct queue_sites_request {
	struct str after, name;
	bool       retry;
};
struct queue_site_row {
	struct str           name;        /* "example.org", "smtp.example.net:587 from 192.0.2.1 as 7" */
	struct str           last_answer; /* the last one that was no success */
	enum queue_site_kind state;
	uint32_t             now;          /* deliveries under way */
	uint32_t             limit;        /* how many may be */
	uint32_t             ceiling;      /* how far that may grow */
	uint32_t             waiting;      /* deliveries in its line in memory; what waits on disk is not counted */
	uint32_t             rate, rate_s; /* so many messages in so many seconds, 0: no limit */
	uint64_t             delivered, deferred, refused; /* recipients, since it is known */
	int64_t              since_ms, until_ms; /* wall clock: dead since, and when it is tried again; 0: it is not */
	int64_t              last_ms;            /* of last_answer, 0: none yet */
	int64_t              next_ms;            /* when the next may start by its rate; 0: now */
};
struct queue_sites_reply {
	struct queue_site_row *sites;
	size_t                 site_count;
	bool                   more;
	uint64_t               due;
};
struct queue_stats_reply {
	uint64_t messages, held, in_flight, submitted, delivered, bounced;
	bool     full, suspect;
};
struct queue_purge_request {
	uint64_t account;
};

#endif
