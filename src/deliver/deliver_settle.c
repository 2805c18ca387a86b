/* deliver/deliver_settle.c - making what was committed durable, together, and saying so.
 *
 * Which settling covers a delivery? The settler takes d->committed first and calls store_settle_all then, so all that it took was
 * committed before. But an account may be settled between a commit and its place in the list, and that settling may have failed:
 * then the next one does not name the account, or names it as repaired. So each failure is remembered with the number of its
 * settling, and whatever began before that settling ended counts as failed with it.
 *
 * A failed sync sets the account aside (store.h). The next delivery to it repairs it, which drops what was committed and not
 * durable: so first all that was committed there is settled and answered, and no settling runs meanwhile.
 */
#include "base/log.h"
#include "deliver/deliver_local_in.h"
#include "sys/clock.h"

#define SETTLE_MS     75   /* longest wait for others */
#define SETTLE_MANY   400u /* committed deliveries that are settled without waiting */

static bool settle_now(const struct deliver_local *d, int64_t now)
{
	return d->committed && d->repairs == 0 && (d->waiting == 0 || d->committed_count >= SETTLE_MANY || now >= d->committed_since + SETTLE_MS ||
				d->workers_gone);
}

void deliver_task_committed(struct deliver_local *d, struct task *t)
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

void deliver_task_over(struct deliver_local *d)
{
	pthread_mutex_lock(&d->lock);
	if (--d->waiting == 0) /* the last one that the settler waited for */
		pthread_cond_signal(&d->settle);
	pthread_mutex_unlock(&d->lock);
}

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
	size_t                count = 0;
	struct task          *next;

	store_settle_all(d->store, a, &settled, &count);
	(void)store_full(d->store); /* looks at the space, and takes the reserve back */
	for (size_t i = 0; i < count; i++) {
		if (settled[i].status == ST_OK)
			ipc_bus_send(d->ipc, settled[i].account, IPC_BUS_MAIL, settled[i].modseq);
		else
			failure_note(d, settled[i].account, settled[i].status, number);
	}
	pthread_mutex_lock(&d->lock);
	d->settlings = number;
	pthread_mutex_unlock(&d->lock);
	ipc_cork();
	for (; tasks; tasks = next) {
		next = tasks->next;
		/* Even when the sync has failed: another process may have synced this one's commit before, and the repair keeps it then. */
		if (has_failed(d, tasks))
			deliver_answer_unsure(tasks->r);
		else
			deliver_answer_usage(tasks->r, LOCAL_DELIVERED, STR("2.1.5"), STR(""), tasks->usage);
	}
	ipc_uncork();
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

void *deliver_settler_main(void *arg)
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
