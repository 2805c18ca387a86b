/* queue/queue_perform.c - an operation whose caller waits until it is durable: what administrators ask. */
#include "queue/queue_in.h"

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t  cond;
	bool            over;
	enum status     st;
};

struct performed {
	struct queue_op  op;
	struct queue_op *inner;
	struct waiter   *waiter;
};

static enum status performed_apply(struct queue *q, struct queue_op *op)
{
	struct queue_op *inner = CONTAINER_OF(op, struct performed, op)->inner;

	return inner->apply(q, inner);
}

static void performed_finish(struct queue *q, struct queue_op *op, enum status st)
{
	struct performed *p = CONTAINER_OF(op, struct performed, op);
	struct waiter    *w = p->waiter;

	p->inner->finish(q, p->inner, st);
	pthread_mutex_lock(&w->lock);
	w->st = st;
	w->over = true;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->lock);
}

enum status queue_perform(struct queue *q, struct queue_op *op)
{
	struct waiter    w = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, ST_TEMP };
	struct performed p = { { .apply = performed_apply, .finish = performed_finish, .kind = QUEUE_OP_WISH }, op, &w };

	queue_push(q, &p.op);
	if (!q->threaded)
		while (!w.over)
			queue_turn(q);
	pthread_mutex_lock(&w.lock);
	while (!w.over)
		pthread_cond_wait(&w.cond, &w.lock);
	pthread_mutex_unlock(&w.lock);
	return w.st;
}
