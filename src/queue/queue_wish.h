/* queue/queue_wish.h - an administrator's wish for messages: a thousand are looked at at a time and changed in a transaction of the writer.
 *
 * In the transaction nothing fails but the database: what cannot be done to a message is said in `refused` and left as it is.
 */
#ifndef QUEUE_QUEUE_WISH_H
#define QUEUE_QUEUE_WISH_H

#include "queue/queue_in.h"

struct picked {
	uint64_t          id, file;
	int64_t           entered;
	int32_t           priority;
	uint32_t          lane;
	bool              held, did;
	bool              busy; /* in its round: left as it is */
	bool              whole; /* a removal or bounce of all that waits: the message is gone */
	uint64_t          recipients; /* to which it applied */
	struct queue_msg *msg;  /* of a bounce: it, with its report */
};

struct wish {
	struct queue_op                op;
	const struct queue_id_request *r;
	/* What one message is asked; p->did: it applied to it. In the transaction; may be repeated. */
	enum status (*change)(struct queue *q, struct wish *w, struct picked *p);
	/* Where it did: that is durable (ok), or will never be. */
	void (*changed)(struct queue *q, struct wish *w, struct picked *p, bool ok);
	void (*forget)(struct picked *p); /* it is picked again */
	const struct queue_edit_request *edit;
	size_t         most; /* picked in one operation; 0: all that it looks at */
	struct picked *picked;
	size_t         picked_count;
	uint64_t       after;   /* ids up to this are done */
	uint64_t       upto;    /* ids above came in meanwhile: reports of this very wish, too */
	uint64_t       last;    /* up to which this operation looks, 0: there are no more */
	uint64_t       busy;    /* messages that are in their round */
	struct queue_edit_busy *busy_ids; /* room for LIMIT_QUEUE_BUSY; NULL: not wanted */
	size_t         busy_id_count;
	uint64_t       reports, recipients;
	enum status    refused; /* why the message by its id was left as it is */
	enum queue_edit_wrong wrong; /* likewise, in detail */
};

/* One operation after the other until all were looked at. ST_OK though a later one failed: *ret_count tells how far it came. ST_NOT_FOUND: no such id. */
MUST_CHECK enum status queue_wish(struct queue *q, struct wish *w, uint64_t *ret_count);
/* The same, all of it told; ret->busy_ids as in the wish. */
MUST_CHECK enum status queue_wish_told(struct queue *q, struct wish *w, struct queue_edit_reply *ret);
/* Which recipients of a message that wait match w->r->to: p->recipients of them, and p->whole if these are all. *ret: is the message meant? In the
 * transaction, first thing: p->did and p->busy are false then. */
MUST_CHECK enum status queue_wish_means(struct queue *q, const struct wish *w, struct picked *p, bool *ret);
/* The message if it is in its round and what comes of that is not decided yet; else its row says what is. */
struct queue_msg *queue_under_way(struct queue *q, uint64_t id);
/* Due now, or at queue time `at` if that is later; held no more. When that is durable: */
MUST_CHECK enum status queue_due_now(struct queue *q, uint64_t id, int64_t at);
void queue_due_end(struct queue *q, struct wish *w, struct picked *p, bool ok);

#endif
