/* deliver/deliver_line.c - rounds, lines of accounts, and the workers that run them.
 *
 * A transaction costs much the same for one message as for ten: the lock, the clock's row, the mailbox's row, the pages of the log. So
 * while deliveries keep coming they are gathered, and start in rounds: at once if no round has begun for ROUND_MS, else when
 * nothing has come for QUIET_MS, when ROUND_MS are over, or when much is there. What a line holds then goes into its account in one
 * transaction, up to LINE_TURN deliveries. If that fails each is tried by itself, so that every one gets its own answer.
 */
#include "base/log.h"
#include "deliver/deliver_local_in.h"
#include "store/store_message.h"
#include "sys/clock.h"
#include "sys/fault.h"
#include "sys/thread.h"
#include "wire/text/queue_id.h"

#include <stdlib.h>

#define ROUND_MS        200
#define QUIET_MS        5
#define GATHERED_MAX    1000u
#define GATHERED_OCTETS (8 * MIB)
#define LINE_TURN       STORE_DELIVER_MAX /* deliveries to one account before another's turn */
#define REPAIR_MS       2000              /* longest wait before a repair for what was committed to be settled */

/* ---- rounds and lines; all with the lock ---- */

static void line_put(struct deliver_local *d, struct task *t)
{
	struct line *l = map_find_u64(&d->lines, t->account);

	t->next = NULL;
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

/* Begin a round with all that is gathered. */
static void release(struct deliver_local *d, int64_t now)
{
	struct task *next;

	for (struct task *t = d->gathered; t; t = next) {
		next = t->next;
		line_put(d, t);
	}
	d->gathered = NULL;
	d->gathered_last = &d->gathered;
	d->gathered_count = d->gathered_octets = 0;
	d->released_ms = now;
}

static int64_t release_at(const struct deliver_local *d)
{
	if (d->stopping || d->gathered_count >= GATHERED_MAX || d->gathered_octets >= GATHERED_OCTETS)
		return INT64_MIN;
	return MIN(d->released_ms + ROUND_MS, d->gathered_ms + QUIET_MS);
}

static void release_if_due(struct deliver_local *d)
{
	int64_t now = clock_mono_ms();

	if (d->gathered && now >= release_at(d))
		release(d, now);
}

static void gather(struct deliver_local *d, struct task *t, size_t octets)
{
	t->next = NULL;
	*d->gathered_last = t;
	d->gathered_last = &t->next;
	d->gathered_count++;
	d->gathered_octets += octets;
	d->gathered_ms = clock_mono_ms();
	release_if_due(d);
	if (d->gathered && !d->watched)
		pthread_cond_signal(&d->work);
}

bool deliver_line_put(struct deliver_local *d, struct ipc_request *r, uint64_t account, size_t octets, enum deliver_start start)
{
	struct task *t = ARENA_NEW(r->arena, struct task);
	bool         taken;

	*t = (struct task){ .r = r, .account = account, .alone = start != DELIVER_IN_ROUND };
	pthread_mutex_lock(&d->lock);
	taken = !d->stopping;
	if (taken && start == DELIVER_IN_ROUND) {
		gather(d, t, octets);
	} else if (taken) {
		if (start == DELIVER_BEHIND)
			release(d, clock_mono_ms());
		line_put(d, t);
	}
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

/* ---- transactions ---- */

/* Addresses hold no line ends: queue takes none. */
static struct str prefix_of(struct arena *a, const struct local_deliver_request *q)
{
	return arena_printf(a, "Return-Path: <%.*s>\r\nDelivered-To: %.*s\r\n", STR_FMT(q->from), STR_FMT(q->address));
}

static struct queue_id_text message_of(const struct task *t)
{
	const struct local_deliver_request *q = t->r->body;

	return queue_id_text(q->message);
}

static struct store_delivery delivery_of(struct task *t, const struct store_target *target)
{
	const struct local_deliver_request *q = t->r->body;

	return (struct store_delivery){
		.id = q->delivery,
		.floor = q->floor,
		.targets = target,
		.target_count = 1,
		.prefix = prefix_of(t->r->arena, q),
		.content = q->content,
		.file = q->file,
		.size = q->size,
		.hash = q->file >= 0 ? q->hash : STR_NONE, /* what came through memory alone, queue has looked at */
		.received_ms = q->received_ms,
		.quota_octets = q->quota_octets,
	};
}

static enum status deliver(struct store_account *account, struct task *const *tasks, size_t count, bool *ret_unsure)
{
	struct store_delivery   list[LINE_TURN];
	struct store_target     targets[LINE_TURN] = { 0 };
	struct store_delivered  done[LINE_TURN];
	struct arena *arena     CLEANUP(arena_free) = arena_new(NULL);
	bool                    repeated = false;
	enum status             st;

	for (size_t i = 0; i < count; i++) {
		const struct local_deliver_request *q = tasks[i]->r->body;

		if (fault_at("local.deliver", arena_cstr(arena, q->address)) != 0)
			__builtin_trap(); /* a message that is the end of its reader */
		targets[i].mailbox = q->mailbox;
		list[i] = delivery_of(tasks[i], &targets[i]);
	}
	st = store_deliver(account, list, count, arena, done);
	if (st == ST_INVALID && count == 1)
		log_error("content of a delivery does not match its hash", LOG_C("message", message_of(tasks[0]).p));
	for (size_t i = 0; i < count && st == ST_OK; i++) {
		repeated = repeated || done[i].duplicate;
		tasks[i]->over_quota = done[i].over_quota;
		tasks[i]->usage_octets = done[i].usage_octets;
		if (done[i].duplicate)
			log_debug("delivery was there already", LOG_C("message", message_of(tasks[i]).p), LOG_U64("account", tasks[i]->account));
	}
	if (st != ST_OK || !repeated)
		return st;
	/* It may be from before a restart of this process, and then nobody else knows that it is not durable yet. */
	st = store_settle(account);
	*ret_unsure = st != ST_OK;
	return st;
}

/* *ret_unsure: the status is no answer, the messages may be there. */
static enum status attempt(struct deliver_local *d, struct task *const *tasks, size_t count, struct store_account **account,
			   bool *ret_unsure)
{
	enum status st = *account ? ST_OK : store_open(d->store, tasks[0]->account, account);

	*ret_unsure = false;
	if (st == ST_OK)
		st = deliver(*account, tasks, count, ret_unsure);
	if (st != ST_OK)
		store_close(account); /* the next one opens it again: it may have been repaired */
	return st;
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
	else if (st == ST_BUSY) /* by another process, or by an administrator */
		log_debug("account is under repair", LOG_U64("account", t->account));
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

static void tasks_begin(struct deliver_local *d, struct task *const *tasks, size_t count)
{
	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < count; i++)
		tasks[i]->began = d->settlings;
	pthread_mutex_unlock(&d->lock);
}

/* Over quota: certainly not there, and said at once. Else it waits to be settled. */
static void over(struct deliver_local *d, struct task *t)
{
	if (!t->over_quota) {
		deliver_task_committed(d, t);
		return;
	}
	log_info("delivery deferred: mailbox full", LOG_C("message", message_of(t).p), LOG_U64("account", t->account),
		 LOG_U64("usage_octets", t->usage_octets));
	deliver_answer_usage(t->r, LOCAL_DEFERRED, STR("4.2.2"), STR("Mailbox full"), t->usage_octets);
	deliver_task_over(d);
}

static bool run_many(struct deliver_local *d, struct task *const *tasks, size_t count, struct store_account **account)
{
	bool unsure;

	tasks_begin(d, tasks, count);
	if (attempt(d, tasks, count, account, &unsure) != ST_OK)
		return false;
	for (size_t i = 0; i < count; i++)
		over(d, tasks[i]);
	return true;
}

static void run_one(struct deliver_local *d, struct task *t, struct store_account **account)
{
	bool        unsure = false;
	enum status st;

	tasks_begin(d, &t, 1);
	st = attempt(d, &t, 1, account, &unsure);
	/* Just repaired by another, or the reserve of space was just given up. */
	if ((st == ST_TEMP || st == ST_FULL) && !unsure)
		st = attempt(d, &t, 1, account, &unsure);
	if (st == ST_SUSPECT && repair(d, t))
		st = attempt(d, &t, 1, account, &unsure);
	if (st == ST_OK) {
		over(d, t);
		return;
	}
	log_warn("delivery deferred", LOG_C("message", message_of(t).p), LOG_U64("account", t->account), LOG_ST("status", st));
	if (unsure)
		deliver_answer_unsure(t->r);
	else
		deliver_answer_failure(t->r, st);
	deliver_task_over(d);
}

static void purge(struct deliver_local *d, struct task *t)
{
	const struct local_purge_request *q = t->r->body;

	ipc_reply(t->r, store_purge(d->store, q->account), NULL);
	deliver_task_over(d);
}

/* ---- workers ---- */

/* Take the first off *list, and those behind it that may share its transaction. */
static size_t some_take(struct task **list, struct task *ret[LINE_TURN])
{
	size_t n = 0;

	do {
		ret[n++] = *list; /* gone when it is answered */
		*list = (*list)->next;
	} while (!ret[0]->alone && *list && !(*list)->alone);
	return n;
}

static void work(struct deliver_local *d, struct task *list)
{
	struct store_account *account = NULL;
	struct task          *some[LINE_TURN];

	while (list) {
		size_t n = some_take(&list, some);

		if (some[0]->r->id == IPC_LOCAL_PURGE) {
			store_close(&account);
			purge(d, some[0]);
		} else if (n == 1 || !run_many(d, some, n, &account)) {
			for (size_t i = 0; i < n; i++)
				run_one(d, some[i], &account);
		}
	}
	store_close(&account);
}

/* One of those who have nothing to do waits for the next round; with the lock. */
static void idle(struct deliver_local *d)
{
	if (d->gathered && !d->watched) {
		struct timespec until = clock_deadline(MAX(release_at(d) - clock_mono_ms(), 0));

		d->watched = true;
		(void)pthread_cond_clockwait(&d->work, &d->lock, CLOCK_MONOTONIC, &until);
		d->watched = false;
	} else {
		pthread_cond_wait(&d->work, &d->lock);
	}
}

void *deliver_worker_main(void *arg)
{
	struct deliver_local *d = arg;

	thread_give_way(); /* what is accepted is safe; who is not answered yet waits */
	pthread_mutex_lock(&d->lock);
	for (;;) {
		struct line *l;
		struct task *tasks;

		for (release_if_due(d); !d->ready && !d->stopping; release_if_due(d))
			idle(d);
		l = d->ready;
		if (!l)
			break;
		d->ready = l->next;
		if (!d->ready)
			d->ready_last = &d->ready;
		tasks = line_take(l);
		if (d->gathered && !d->watched) /* somebody else is to watch */
			pthread_cond_signal(&d->work);
		pthread_mutex_unlock(&d->lock);
		work(d, tasks);
		pthread_mutex_lock(&d->lock);
		line_give(d, l);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}
