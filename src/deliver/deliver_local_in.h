/* deliver/deliver_local_in.h - what the parts of deliver_local share.
 *
 *   GATHERED   waits with others for the next round (deliver_line.c)
 *   LINE       waits in its account's line
 *   WORK       a worker runs its transaction, with others of the same account
 *   COMMITTED  in the account, not durable: in d->committed until the settler takes all of them (deliver_settle.c)
 *   answered   (deliver_answer.c)
 */
#ifndef DELIVER_DELIVER_LOCAL_IN_H
#define DELIVER_DELIVER_LOCAL_IN_H

#include <pthread.h>

#include "base/map.h"
#include "base/status.h"
#include "deliver/deliver_local.h"
#include "ipc/msg_local.h"

#define DELIVER_WORKERS 4u

struct task {
	struct task        *next;
	struct ipc_request *r;
	uint64_t            account;
	uint64_t            began; /* settlings that had ended when its transaction began */
	bool                alone; /* in no transaction with others */
	bool                over_quota; /* of its last attempt: it is not there */
	struct local_usage_reply usage; /* of the account, when it was committed */
};

struct line {
	struct line  *next; /* among those that are ready */
	uint64_t      account;
	struct task  *first, **last;
};

struct deliver_local {
	struct store   *store;
	struct ipc     *ipc;
	pthread_mutex_t lock;
	pthread_cond_t  work, settle, settled;
	pthread_t       workers[DELIVER_WORKERS], settler;
	struct task    *gathered, **gathered_last;
	size_t          gathered_count, gathered_octets;
	int64_t         gathered_ms;          /* when the last one came */
	int64_t         released_ms;          /* when the last round began */
	bool            watched;              /* a worker waits until the next round is due */
	struct map      lines;                /* account -> struct line, those with anything to do */
	struct line    *ready, **ready_last;
	size_t          waiting;              /* tasks in lines or with workers */
	struct task    *committed, **committed_last;
	size_t          committed_count;
	int64_t         committed_since;
	uint64_t        settlings;            /* ended */
	struct map      failures;             /* account -> number of the failed settling, as a pointer */
	unsigned        repairs;              /* under way: nothing is settled meanwhile */
	bool            settling;             /* the settler has tasks in its hands */
	bool            stopping, workers_gone;
};

/* ---- answers; each frees the request ---- */

void deliver_answer(struct ipc_request *r, enum local_result result, struct str code, struct str reason);
/* The same, with what the account holds. */
void deliver_answer_usage(struct ipc_request *r, enum local_result result, struct str code, struct str reason, struct local_usage_reply usage);
/* The one table from the store's statuses to an outcome: whatever failed here may go well later. */
void deliver_answer_failure(struct ipc_request *r, enum status st);
/* It is in the account, but whether durably is not known. Not DEFERRED: the queue must ask again under the same delivery id. */
void deliver_answer_unsure(struct ipc_request *r);

/* ---- lines ---- */

enum deliver_start {
	DELIVER_IN_ROUND, /* with others */
	DELIVER_ALONE,    /* at once, past the round */
	DELIVER_BEHIND,   /* at once, and all that came before it starts before it */
};

/* False when the end has begun: r is still the caller's. `octets` of memory are held by it. */
bool  deliver_line_put(struct deliver_local *d, struct ipc_request *r, uint64_t account, size_t octets, enum deliver_start start);
void *deliver_worker_main(void *arg); /* struct deliver_local */

/* ---- settling ---- */

void  deliver_task_committed(struct deliver_local *d, struct task *t);
void  deliver_task_over(struct deliver_local *d); /* answered without having been committed */
void *deliver_settler_main(void *arg);            /* struct deliver_local */

#endif
