/* The queue and local together, over real accounts, in threads: everything that was taken is in its mailbox once. */
#include "store_unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/limits.h"
#include "base/log.h"
#include "deliver/deliver_local.h"
#include "ipc/msg_auth.h"
#include "ipc/msg_local.h"
#include "queue/queue.h"
#include "sys/random.h"

#define ACCOUNTS 7
#define CALLERS  4
#define EACH     60

static struct {
	struct queue         *queue;
	struct deliver_local *local;
	atomic_uint           bus;
} way;

/* ---- the channels between them: a call in the same thread, its answer from whichever thread gives it ---- */

struct request {
	struct ipc_request public;
	ipc_done_fn       *done;
	void              *arg;
	pthread_mutex_t    lock;
	pthread_cond_t     cond;
	bool               over;
	uint64_t           id;
};

unsigned ipc_peers(struct ipc *ipc, enum role_id role)
{
	(void)ipc, (void)role;
	return 1;
}

void ipc_bus_send(struct ipc *ipc, uint64_t account, uint32_t kinds, uint64_t modseq)
{
	(void)ipc, (void)account, (void)kinds, (void)modseq;
	atomic_fetch_add(&way.bus, 1);
}

void ipc_reply(struct ipc_request *public, enum status st, const void *reply)
{
	struct request *r = CONTAINER_OF(public, struct request, public);

	assert_ok(st);
	if (public->id == IPC_LOCAL_DELIVER) {
		r->done(r->arg, st, reply);
		arena_free(&public->arena); /* r lives in it */
		return;
	}
	r->id = ((const struct queue_submit_reply *)reply)->id;
	arena_free(&public->arena);
	pthread_mutex_lock(&r->lock);
	r->over = true;
	pthread_cond_signal(&r->cond);
	pthread_mutex_unlock(&r->lock);
}

static void to_local(const struct local_deliver_request *d, ipc_done_fn *done, void *arg)
{
	struct arena                 *a = arena_new(NULL);
	struct request               *r = ARENA_NEW(a, struct request);
	struct local_deliver_request *copy = ARENA_NEW(a, struct local_deliver_request);

	*copy = *d;
	copy->address = arena_dup(a, d->address);
	copy->from = arena_dup(a, d->from);
	copy->rcpt = arena_dup(a, d->rcpt);
	copy->hash = arena_dup(a, d->hash);
	copy->content = arena_dup(a, d->content);
	copy->file = d->file < 0 ? -1 : dup(d->file);
	*r = (struct request){ .public = { .id = IPC_LOCAL_DELIVER, .body = copy, .arena = a }, .done = done, .arg = arg };
	deliver_local_rows[0].handler(way.local, &r->public);
}

void ipc_cork(void) {}
void ipc_uncork(void) {}

void ipc_start(struct ipc *ipc, enum role_id role, uint64_t key, enum ipc_msg_id id, const void *request, ipc_done_fn *done, void *arg)
{
	(void)ipc, (void)key;
	if (role == ROLE_AUTH) {
		struct str                address = ((const struct auth_resolve_request *)request)->address;
		struct auth_target        t = { (uint64_t)(address.p[1] - '0'), address };
		struct auth_resolve_reply reply = { &t, 1 };

		done(arg, ST_OK, &reply);
		return;
	}
	assert_int_equal(id, IPC_LOCAL_DELIVER);
	to_local(request, done, arg);
}

/* ---- callers ---- */

static void *caller(void *arg)
{
	struct arena *arena = arena_new(NULL);

	for (unsigned i = 0; i < EACH; i++) {
		char                        txid[QUEUE_TXID];
		struct str                  content = store_unit_message(arena, (unsigned)(uintptr_t)arg * EACH + i, 3000);
		struct queue_rcpt           rcpt = { arena_printf(arena, "a%u@demo.test", 1 + i % ACCOUNTS) };
		struct queue_submit_request body = {
			.txid = { txid, sizeof(txid) }, .from = STR("ann@far.test"), .rcpts = &rcpt, .rcpt_count = 1, .session = STR("s"),
			.peer = STR("local"), .received_ms = 1136214245000, .size = content.n, .content = content, .spool = -1,
		};
		struct request r = { .public = { .id = IPC_QUEUE_SUBMIT, .body = &body, .arena = arena_new(NULL) },
				     .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

		random_octets(txid, sizeof(txid));
		queue_rows[0].handler(way.queue, &r.public);
		pthread_mutex_lock(&r.lock);
		while (!r.over)
			pthread_cond_wait(&r.cond, &r.lock);
		pthread_mutex_unlock(&r.lock);
		assert_true(r.id != 0);
	}
	arena_free(&arena);
	return NULL;
}

static void wait_empty(void)
{
	struct queue_stats_reply s;

	do {
		usleep(1000);
		assert_ok(queue_stats(way.queue, &s));
	} while (s.messages > 0);
	assert_int_equal(s.delivered, CALLERS * EACH);
}

static void test_all_there(void **state)
{
	struct store_unit    u;
	struct queue_options o = { .hostname = STR("mx.demo.test"), .watermark_octets = 1 };
	pthread_t            threads[CALLERS];
	uint64_t             total = 0;

	(void)state;
	log_set_level(LOG_LEVEL_ERROR + 1);
	store_unit_open(&u, NULL);
	assert_ok(disk_make_dir(u.fd, "queue"));
	assert_ok(disk_open(u.fd, "queue", DISK_READ, &o.dir));
	assert_ok(db_root("queue", o.dir));
	assert_ok(queue_open(&o, &way.queue));
	way.local = deliver_local_new(u.store, NULL);
	queue_start(way.queue, (struct ipc *)&way);
	for (uintptr_t i = 0; i < CALLERS; i++)
		pthread_create(&threads[i], NULL, caller, (void *)i);
	for (size_t i = 0; i < CALLERS; i++)
		pthread_join(threads[i], NULL);
	wait_empty();
	deliver_local_stop(way.local);
	queue_stop(way.queue);
	for (uint64_t account = 1; account <= ACCOUNTS; account++) {
		struct store_account *a;
		struct store_info     info;
		struct buf            content;
		struct store_view     v;

		assert_ok(store_open(u.store, account, &a));
		assert_ok(store_info(a, &info));
		total += info.messages;
		assert_false(store_unsettled(a));
		store_unit_check(a);
		buf_init(&content, 1 * MIB);
		assert_ok(store_view_load(a, store_unit_box(a, u.arena, "INBOX").id, UINT64_MAX, &v));
		assert_ok(store_read(a, v.rows[0].email, 0, SIZE_MAX, &content));
		assert_true(str_starts(buf_str(&content), STR("Return-Path: <ann@far.test>\r\nDelivered-To: a")));
		store_view_done(&v);
		buf_done(&content);
		store_close(&a);
	}
	assert_int_equal(total, CALLERS * EACH);
	assert_true(atomic_load(&way.bus) > 0);
	queue_close(&way.queue);
	deliver_local_free(&way.local);
	close(o.dir);
	store_unit_done(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_all_there) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
