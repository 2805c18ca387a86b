/* deliver/deliver_local.c - lines, workers, settler; see deliver_local.h.
 *
 *   LINE     waits in its account's line
 *   WORK     a worker runs its transaction
 *   COMMITTED  in the account, not durable: in d->committed until the settler takes all of them
 *   answered
 *
 * Which settling covers a delivery? The settler takes d->committed first and calls store_settle_all then, so all that it took was
 * committed before. But an account may be settled between a commit and its place in the list, and that settling may have failed:
 * then the next one does not name the account. So each failure is remembered with the number of its settling, and whatever began
 * before that settling ended counts as failed with it.
 *
 * A failed sync sets the account aside (store.h). The next delivery to it repairs it, which drops what was committed and not
 * durable: so first all that was committed there is settled and answered, and no settling runs meanwhile.
 */
#include "deliver/deliver_local.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/map.h"
#include "ipc/msg_local.h"
#include "store/store_message.h"
#include "sys/clock.h"
#include "sys/fault.h"
#include "sys/fd.h"

#define WORKERS       4u
#define LINE_TURN     32u  /* deliveries to one account before another's turn */
#define SETTLE_MS     75   /* longest wait for others */
#define REPAIR_MS     2000 /* longest wait before a repair for what was committed to be settled */
#define SETTLE_MANY   400u /* committed deliveries that are settled without waiting */
#define BUS_KIND_MAIL 1u /* messages came */

struct task {
	struct task        *next;
	struct ipc_request *r;
	uint64_t            account;
	uint64_t            began; /* settlings that had ended when its transaction began */
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
	pthread_t       workers[WORKERS], settler;
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

/* ---- answers ---- */

static void answer(struct ipc_request *r, enum local_result result, struct str code, struct str reason)
{
	const struct local_deliver_request *q = r->body;
	struct local_deliver_reply          reply = { result, code, reason };
	int                                 file = q->file;

	fd_close(&file);
	ipc_reply(r, ST_OK, &reply);
}

/* The one table from the store's statuses to an outcome: whatever failed here may go well later. */
static void answer_failure(struct ipc_request *r, enum status st)
{
	switch (st) {
	case ST_FULL:
		answer(r, LOCAL_DEFERRED, STR("4.3.1"), STR("No space left for mail"));
		break;
	case ST_LIMIT:
		answer(r, LOCAL_DEFERRED, STR("4.2.2"), STR("Mailbox full"));
		break;
	case ST_TEMP:
	case ST_BUSY:
		answer(r, LOCAL_DEFERRED, STR("4.2.0"), STR("Mailbox busy"));
		break;
	case ST_SUSPECT:
		answer(r, LOCAL_DEFERRED, STR("4.3.0"), STR("Mailbox set aside after a failed write"));
		break;
	case ST_CORRUPT:
		answer(r, LOCAL_DEFERRED, STR("4.3.0"), STR("Mailbox is damaged"));
		break;
	case ST_INVALID:
		answer(r, LOCAL_DEFERRED, STR("4.3.0"), STR("Content changed on its way to the mailbox"));
		break;
	default:
		answer(r, LOCAL_DEFERRED, STR("4.3.0"), STR("Mailbox cannot be written"));
	}
}

/* It is in the account, but whether durably is not known. Not DEFERRED: the queue must ask again under the same delivery id. */
static void answer_unsure(struct ipc_request *r)
{
	const struct local_deliver_request *q = r->body;
	int                                 file = q->file;

	fd_close(&file);
	ipc_reply(r, ST_BUSY, NULL);
}

/* ---- one delivery ---- */

/* Addresses hold no line ends: queue takes none. */
static struct str prefix_of(struct arena *a, const struct local_deliver_request *q)
{
	return arena_printf(a, "Return-Path: <%.*s>\r\nDelivered-To: %.*s\r\n", STR_FMT(q->from), STR_FMT(q->address));
}

static bool request_ok(const struct local_deliver_request *q)
{
	return q->account != 0 && q->delivery != 0 && q->hash.n == LOCAL_HASH && !str_has_ctl(q->from) && !str_has_ctl(q->address) &&
	       (q->size <= LIMIT_INLINE ? q->file < 0 && q->content.n == q->size : q->file >= 0 && q->content.n == 0);
}

/* *ret_unsure: the status is no answer, the message may be there. */
static enum status deliver(struct store_account *account, struct ipc_request *r, bool *ret_unsure)
{
	const struct local_deliver_request *q = r->body;
	struct store_target                 target = { .mailbox = q->mailbox };
	struct store_delivered              done;
	struct store_delivery               delivery = {
		.id = q->delivery,
		.floor = q->floor,
		.targets = &target,
		.target_count = 1,
		.prefix = prefix_of(r->arena, q),
		.content = q->content,
		.file = q->file,
		.size = q->size,
		.hash = q->hash,
		.received_ms = q->received_ms,
	};
	enum status st;

	if (fault_at("local.deliver", arena_cstr(r->arena, q->address)) != 0)
		__builtin_trap(); /* a message that is the end of its reader */
	st = store_deliver(account, &delivery, r->arena, &done);
	if (st == ST_INVALID)
		log_error("content of a delivery does not match its hash", LOG_U64("delivery", q->delivery));
	if (st != ST_OK || !done.duplicate)
		return st;
	/* It may be from before a restart of this process, and then nobody else knows that it is not durable yet. */
	log_debug("delivery was there already", LOG_U64("delivery", q->delivery), LOG_U64("account", q->account));
	st = store_settle(account);
	*ret_unsure = st != ST_OK;
	return st;
}

static void purge(struct deliver_local *d, struct ipc_request *r)
{
	const struct local_purge_request *q = r->body;

	ipc_reply(r, store_purge(d->store, q->account), NULL);
}

/* ---- lines ---- */

static void line_put(struct deliver_local *d, struct task *t)
{
	struct line *l = map_find_u64(&d->lines, t->account);

	if (!l) {
		l = calloc(1, sizeof(*l));
		CHECK(l);
		l->account = t->account;
		l->last = &l->first;
		map_put_u64(&d->lines, t->account, l);
		*d->ready_last = l;
		d->ready_last = &l->next;
		pthread_cond_signal(&d->work);
	}
	*l->last = t;
	l->last = &t->next;
	d->waiting++;
}

/* False when the end has begun: r is still the caller's. */
static bool put(struct deliver_local *d, struct ipc_request *r, uint64_t account)
{
	struct task *t = ARENA_NEW(r->arena, struct task);
	bool         taken;

	t->r = r;
	t->account = account;
	pthread_mutex_lock(&d->lock);
	taken = !d->stopping;
	if (taken)
		line_put(d, t);
	pthread_mutex_unlock(&d->lock);
	return taken;
}

/* Some of a line's tasks; the line stays in the map, so nobody else works on the account. */
static struct task *line_take(struct line *l)
{
	struct task *first = l->first, *last = first;

	for (unsigned n = 1; n < LINE_TURN && last->next; n++)
		last = last->next;
	l->first = last->next;
	if (!l->first)
		l->last = &l->first;
	last->next = NULL;
	return first;
}

/* Its turn is over: to the end of those that are ready, or away. */
static void line_give(struct deliver_local *d, struct line *l)
{
	if (l->first) {
		l->next = NULL;
		*d->ready_last = l;
		d->ready_last = &l->next;
		pthread_cond_signal(&d->work);
		return;
	}
	map_remove_u64(&d->lines, l->account);
	free(l);
}

/* ---- workers ---- */

static bool settle_now(const struct deliver_local *d, int64_t now)
{
	return d->committed && d->repairs == 0 && (d->waiting == 0 || d->committed_count >= SETTLE_MANY || now >= d->committed_since + SETTLE_MS ||
				d->workers_gone);
}

static void task_committed(struct deliver_local *d, struct task *t)
{
	bool first;

	pthread_mutex_lock(&d->lock);
	t->next = NULL;
	first = !d->committed;
	if (first)
		d->committed_since = clock_mono_ms();
	*d->committed_last = t;
	d->committed_last = &t->next;
	d->committed_count++;
	d->waiting--;
	if (first || d->waiting == 0 || d->committed_count == SETTLE_MANY) /* else it sleeps for good reason */
		pthread_cond_signal(&d->settle);
	pthread_mutex_unlock(&d->lock);
}

static void task_over(struct deliver_local *d)
{
	pthread_mutex_lock(&d->lock);
	if (--d->waiting == 0) /* the last one that the settler waited for */
		pthread_cond_signal(&d->settle);
	pthread_mutex_unlock(&d->lock);
}

static bool committed_to(const struct deliver_local *d, uint64_t account)
{
	for (const struct task *t = d->committed; t; t = t->next)
		if (t->account == account)
			return true;
	return false;
}

/* Take the suspect account of a line back into use. False: not now. The line is ours, so nothing else is being committed. */
static bool repair(struct deliver_local *d, struct task *t)
{
	struct timespec until = clock_deadline(REPAIR_MS);
	bool            late = false;
	enum status     st;

	pthread_mutex_lock(&d->lock);
	while ((d->settling || committed_to(d, t->account)) && !late)
		late = pthread_cond_clockwait(&d->settled, &d->lock, CLOCK_MONOTONIC, &until) != 0;
	if (!late)
		d->repairs++;
	pthread_mutex_unlock(&d->lock);
	if (late)
		return false;
	st = store_repair(d->store, t->account);
	if (st == ST_OK)
		log_warn("account was repaired and is used again", LOG_U64("account", t->account));
	else
		log_error("account cannot be repaired yet", LOG_U64("account", t->account), LOG_ST("status", st));
	pthread_mutex_lock(&d->lock);
	map_remove_u64(&d->failures, t->account);
	t->began = d->settlings;
	d->repairs--;
	pthread_cond_signal(&d->settle);
	pthread_mutex_unlock(&d->lock);
	return st == ST_OK;
}

static enum status attempt(struct deliver_local *d, struct task *t, struct store_account **account, bool *ret_unsure)
{
	enum status st = *account ? ST_OK : store_open(d->store, t->account, account);

	*ret_unsure = false;
	if (st == ST_OK)
		st = deliver(*account, t->r, ret_unsure);
	if (st != ST_OK)
		store_close(account); /* the next one opens it again: it may have been repaired */
	return st;
}

static void task_run(struct deliver_local *d, struct task *t, struct store_account **account)
{
	bool        unsure = false;
	enum status st;

	if (t->r->id == IPC_LOCAL_PURGE) {
		store_close(account);
		purge(d, t->r);
		task_over(d);
		return;
	}
	pthread_mutex_lock(&d->lock);
	t->began = d->settlings;
	pthread_mutex_unlock(&d->lock);
	st = attempt(d, t, account, &unsure);
	/* Just repaired by another, or the reserve of space was just given up. */
	if ((st == ST_TEMP || st == ST_FULL) && !unsure)
		st = attempt(d, t, account, &unsure);
	if (st == ST_SUSPECT && repair(d, t))
		st = attempt(d, t, account, &unsure);
	if (st == ST_OK) {
		task_committed(d, t);
		return;
	}
	log_warn("delivery deferred", LOG_U64("account", t->account), LOG_ST("status", st));
	if (unsure)
		answer_unsure(t->r);
	else
		answer_failure(t->r, st);
	task_over(d);
}

static void work(struct deliver_local *d, struct task *t)
{
	struct store_account *account = NULL;
	struct task          *next;

	for (; t; t = next) {
		next = t->next; /* t is gone when it is answered */
		task_run(d, t, &account);
	}
	store_close(&account);
}

static void *worker_main(void *arg)
{
	struct deliver_local *d = arg;

	pthread_mutex_lock(&d->lock);
	for (;;) {
		struct line *l;
		struct task *tasks;

		while (!d->ready && !d->stopping)
			pthread_cond_wait(&d->work, &d->lock);
		l = d->ready;
		if (!l)
			break;
		d->ready = l->next;
		if (!d->ready)
			d->ready_last = &d->ready;
		tasks = line_take(l);
		pthread_mutex_unlock(&d->lock);
		work(d, tasks);
		pthread_mutex_lock(&d->lock);
		line_give(d, l);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

/* ---- settling ---- */

static void failure_note(struct deliver_local *d, uint64_t account, enum status st, uint64_t number)
{
	log_error("account not settled", LOG_U64("account", account), LOG_ST("status", st));
	pthread_mutex_lock(&d->lock);
	map_put_u64(&d->failures, account, (void *)(uintptr_t)number);
	pthread_mutex_unlock(&d->lock);
}

static bool has_failed(struct deliver_local *d, const struct task *t)
{
	uint64_t number;

	pthread_mutex_lock(&d->lock);
	number = (uintptr_t)map_find_u64(&d->failures, t->account);
	if (number != 0 && t->began >= number) { /* settled since: it was repaired */
		map_remove_u64(&d->failures, t->account);
		number = 0;
	}
	pthread_mutex_unlock(&d->lock);
	return number != 0;
}

/* `tasks` were committed before. Announce first, then answer: who is told by the bus finds the message there. */
static void settle(struct deliver_local *d, struct task *tasks, uint64_t number)
{
	struct arena         *a = arena_new(NULL);
	struct store_settled *settled;
	struct map            unsure;
	size_t                count = 0;
	struct task          *next;

	map_init(&unsure);
	store_settle_all(d->store, a, &settled, &count);
	(void)store_full(d->store); /* looks at the space, and takes the reserve back */
	for (size_t i = 0; i < count; i++) {
		if (settled[i].status == ST_OK)
			ipc_bus_send(d->ipc, settled[i].account, BUS_KIND_MAIL, settled[i].modseq);
		else if (settled[i].status == ST_SUSPECT)
			failure_note(d, settled[i].account, settled[i].status, number);
		else
			map_put_u64(&unsure, settled[i].account, &unsure);
	}
	pthread_mutex_lock(&d->lock);
	d->settlings = number;
	pthread_mutex_unlock(&d->lock);
	for (; tasks; tasks = next) {
		next = tasks->next;
		/* Even when the sync has failed: another process may have synced this one's commit before, and the repair keeps it then. */
		if (has_failed(d, tasks) || map_find_u64(&unsure, tasks->account))
			answer_unsure(tasks->r);
		else
			answer(tasks->r, LOCAL_DELIVERED, STR("2.1.5"), STR(""));
	}
	map_done(&unsure);
	arena_free(&a);
}

static void settle_wait(struct deliver_local *d)
{
	struct timespec until;

	if (!d->committed || d->repairs > 0) {
		pthread_cond_wait(&d->settle, &d->lock);
		return;
	}
	until = clock_deadline(MAX(d->committed_since + SETTLE_MS - clock_mono_ms(), 0));
	(void)pthread_cond_clockwait(&d->settle, &d->lock, CLOCK_MONOTONIC, &until);
}

static void *settler_main(void *arg)
{
	struct deliver_local *d = arg;

	pthread_mutex_lock(&d->lock);
	while (d->committed || !d->workers_gone) {
		struct task *tasks = d->committed;
		uint64_t     number = d->settlings + 1;

		if (!settle_now(d, clock_mono_ms())) {
			settle_wait(d);
			continue;
		}
		d->committed = NULL;
		d->committed_last = &d->committed;
		d->committed_count = 0;
		d->settling = true;
		pthread_mutex_unlock(&d->lock);
		settle(d, tasks, number);
		pthread_mutex_lock(&d->lock);
		d->settling = false;
		pthread_cond_broadcast(&d->settled);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

/* ---- requests ---- */

static void on_deliver(void *ctx, struct ipc_request *r)
{
	struct deliver_local               *d = ctx;
	const struct local_deliver_request *q = r->body;

	if (!request_ok(q))
		answer(r, LOCAL_DEFERRED, STR("4.3.0"), STR("Delivery request is malformed"));
	else if (!put(d, r, q->account))
		answer(r, LOCAL_DEFERRED, STR("4.3.2"), STR("Shutting down"));
}

static void on_purge(void *ctx, struct ipc_request *r)
{
	struct deliver_local             *d = ctx;
	const struct local_purge_request *q = r->body;

	if (!put(d, r, q->account))
		ipc_reply(r, ST_TEMP, NULL);
}

const struct ipc_row deliver_local_rows[] = {
	{ IPC_LOCAL_DELIVER, on_deliver, 0 },
	{ IPC_LOCAL_PURGE, on_purge, 0 },
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
	d->ready_last = &d->ready;
	d->committed_last = &d->committed;
	for (size_t i = 0; i < WORKERS; i++)
		CHECK(pthread_create(&d->workers[i], NULL, worker_main, d) == 0);
	CHECK(pthread_create(&d->settler, NULL, settler_main, d) == 0);
	(void)store_full(store); /* takes the reserve */
	return d;
}

void deliver_local_stop(struct deliver_local *d)
{
	pthread_mutex_lock(&d->lock);
	d->stopping = true;
	pthread_cond_broadcast(&d->work);
	pthread_mutex_unlock(&d->lock);
	for (size_t i = 0; i < WORKERS; i++)
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
