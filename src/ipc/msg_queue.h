/* ipc/msg_queue.h - what queue is asked: take a message, and show what waits.
 *
 * A queue id is a 64-bit number, shown as 13 characters (see queue/queue_id.h).
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
};

struct queue_rcpt {
	struct str address; /* as given in RCPT, canonical form */
};

/* IPC_QUEUE_SUBMIT. The reply comes after the commit is on stable storage. ST_OK and result QUEUED: ours now. Another result:
 * certainly not taken. A status other than ST_OK: unknown, ask IPC_QUEUE_KNOWN with the same txid. Idempotent by txid. */
enum queue_submit_result {
	QUEUE_SUBMIT_QUEUED,
	QUEUE_SUBMIT_FULL,    /* below the watermark, or ENOSPC: 452 */
	QUEUE_SUBMIT_SUSPECT, /* storage set aside after a failed sync: 451 */
	QUEUE_SUBMIT_INVALID,
	QUEUE_SUBMIT_LAST = QUEUE_SUBMIT_INVALID,
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
	int64_t            received_ms;
	uint64_t           size; /* of the content, octets */
	struct str         content; /* if size <= LIMIT_INLINE */
	int                spool;   /* else the descriptor of IPC_QUEUE_SPOOL, written from 0 to size */
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
};
struct queue_list_reply {
	struct queue_entry *entries;
	size_t              entry_count;
	bool                more;
};
struct queue_show_rcpt {
	struct str            address, target; /* target: account address or next hop */
	enum queue_rcpt_state state;
	uint32_t              attempts;
	int64_t               last_ms, next_ms;
	struct str            answer; /* what the last attempt was told */
};
struct queue_show_reply {
	struct queue_entry      entry;
	struct queue_show_rcpt *rcpts;
	size_t                  rcpt_count;
	struct str              session, peer;
};
struct queue_id_request { /* SHOW, RETRY, REMOVE; id 0 with RETRY or REMOVE: all */
	uint64_t id;
};
struct queue_count_reply {
	uint64_t count;
};
struct queue_stats_reply {
	uint64_t messages, held, in_flight, submitted, delivered, bounced;
	bool     full, suspect;
};
struct queue_purge_request {
	uint64_t account;
};

#endif
