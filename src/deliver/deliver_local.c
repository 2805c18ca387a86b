/* deliver/deliver_local.c - requests, start and end; see deliver_local.h. */
#include "deliver/deliver_local_in.h"

#include <stdlib.h>

static bool request_ok(const struct local_deliver_request *q)
{
	return q->account != 0 && q->delivery != 0 && q->hash.n == LOCAL_HASH && !str_has_ctl(q->from) && !str_has_ctl(q->address) &&
	       (q->size <= LIMIT_INLINE ? q->file < 0 && q->content.n == q->size : q->file >= 0 && q->content.n == 0);
}

static void on_deliver(void *ctx, struct ipc_request *r)
{
	struct deliver_local               *d = ctx;
	const struct local_deliver_request *q = r->body;

	if (!request_ok(q))
		deliver_answer(r, LOCAL_DEFERRED, STR("4.3.0"), STR("Delivery request is malformed"));
	else if (!deliver_line_put(d, r, q->account, q->content.n, q->alone ? DELIVER_ALONE : DELIVER_IN_ROUND))
		deliver_answer(r, LOCAL_DEFERRED, STR("4.3.2"), STR("Shutting down"));
}

static void on_purge(void *ctx, struct ipc_request *r)
{
	struct deliver_local             *d = ctx;
	const struct local_purge_request *q = r->body;

	if (!deliver_line_put(d, r, q->account, 0, DELIVER_BEHIND))
		ipc_reply(r, ST_TEMP, NULL);
}

/* Reads one row: from a pool, so that no delivery waits for it. */
static void on_usage(void *ctx, struct ipc_request *r)
{
	struct deliver_local             *d = ctx;
	const struct local_usage_request *q = r->body;
	struct store_account *a           CLEANUP(store_close) = NULL;
	struct store_info                 info = { 0 };
	enum status                       st = store_open(d->store, q->account, &a);

	if (st == ST_OK)
		st = store_info(a, &info);
	ipc_reply(r, st, &(struct local_usage_reply){ info.size, info.messages });
}

const struct ipc_row deliver_local_rows[] = {
	{ IPC_LOCAL_DELIVER, on_deliver, 0 },
	{ IPC_LOCAL_PURGE, on_purge, 0 },
	{ IPC_LOCAL_USAGE, on_usage, DELIVER_USAGE_POOL },
};
const size_t deliver_local_row_count = LEN(deliver_local_rows);

/* ---- start and end ---- */

struct deliver_local *deliver_local_new(struct store *store, struct ipc *ipc)
{
	struct deliver_local *d = calloc(1, sizeof(*d));

	CHECK(d);
	d->store = store;
	d->ipc = ipc;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->work, NULL);
	pthread_cond_init(&d->settle, NULL);
	pthread_cond_init(&d->settled, NULL);
	map_init(&d->lines);
	map_init(&d->failures);
	d->gathered_last = &d->gathered;
	d->released_ms = INT64_MIN / 2;
	d->ready_last = &d->ready;
	d->committed_last = &d->committed;
	for (size_t i = 0; i < DELIVER_WORKERS; i++)
		CHECK(pthread_create(&d->workers[i], NULL, deliver_worker_main, d) == 0);
	CHECK(pthread_create(&d->settler, NULL, deliver_settler_main, d) == 0);
	(void)store_full(store); /* takes the reserve */
	return d;
}

void deliver_local_stop(struct deliver_local *d)
{
	pthread_mutex_lock(&d->lock);
	d->stopping = true;
	pthread_cond_broadcast(&d->work);
	pthread_mutex_unlock(&d->lock);
	for (size_t i = 0; i < DELIVER_WORKERS; i++)
		pthread_join(d->workers[i], NULL);
	pthread_mutex_lock(&d->lock);
	d->workers_gone = true;
	pthread_cond_signal(&d->settle);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->settler, NULL);
}

void deliver_local_free(struct deliver_local **at)
{
	struct deliver_local *d = *at;

	if (!d)
		return;
	*at = NULL;
	map_done(&d->lines);
	map_done(&d->failures);
	pthread_cond_destroy(&d->work);
	pthread_cond_destroy(&d->settle);
	pthread_cond_destroy(&d->settled);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
