/* The queue when things go wrong: restarts, messages that end a process, full disks, failed syncs, clocks that jump. */
#include "unit.h"

#include <errno.h>

#include "base/limits.h"
#include "queue_rig.h"
#include "sys/fault.h"

#define MAIL    "From: a@far.test\r\nSubject: x\r\n\r\nHello\r\n"
#define MINUTES ((int64_t)60 * 1000)
#define HOURS   (60 * MINUTES)
#define DAYS    (24 * HOURS)

static const struct local_deliver_request *next_local(struct fake_call **c)
{
	*c = fake_ipc_next(IPC_LOCAL_DELIVER);
	assert_non_null(*c);
	return (*c)->body;
}

static void deliver(struct rig *r)
{
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
}

/* ---- restarts: at every step of a local delivery the message is found again, under the same delivery id ---- */

static void test_restart(void **state)
{
	(void)state;
	for (int step = 0; step < 3; step++) {
		struct rig                         *r = rig_new();
		const struct local_deliver_request *d;
		struct fake_call                   *c;
		uint64_t                            id;

		rig_open(r);
		id = rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
		if (step > 0)
			rig_resolve(r, "5");
		if (step > 1)
			d = next_local(&c), fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
		rig_crash(r); /* the result was not written */
		rig_open(r);
		assert_int_equal(rig_messages(r), 1);
		assert_true(rig_resolve(r, "5"));
		d = next_local(&c);
		assert_int_equal(d->delivery, id);
		assert_true(d->floor <= id);
		assert_str(d->content, STR(MAIL));
		fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
		rig_settle(r);
		assert_int_equal(rig_messages(r), 0);
		assert_true(rig_submit(r, "a@far.test", "bob@demo.test", MAIL) > id);
		rig_crash(r);
		rig_free(&r);
	}
}

/* Ids rise over restarts, also when the wall clock has gone back. */
static void test_ids_rise(void **state)
{
	struct rig *r = rig_new();
	uint64_t    last = 0, id;

	(void)state;
	for (int i = 0; i < 5; i++) {
		rig_open(r);
		id = rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
		assert_true(id > last);
		last = id;
		rig_crash(r);
		rig_wall -= 10 * DAYS;
	}
	rig_free(&r);
}

/* What a stranger's server took is known after a restart even while another destination is slow. */
static void test_partial_remote(void **state)
{
	struct rig                          *r = rig_new();
	const struct remote_deliver_request *d;
	struct fake_call                    *c;

	(void)state;
	rig_open(r);
	rig_submit(r, "bob@demo.test", "x@one.test y@two.test", MAIL);
	rig_resolve(r, "x@one.test");
	rig_resolve(r, "y@two.test");
	assert_true(rig_remote(r, REMOTE_DELIVERED, "2.0.0", "ok"));
	c = fake_ipc_next(IPC_REMOTE_DELIVER);
	d = c->body;
	struct str left = arena_dup(r->arena, d->domain);
	fake_ipc_answer(c, ST_OK, &(struct remote_deliver_reply){ NULL, 0 });
	rig_crash(r);
	rig_open(r);
	assert_true(rig_resolve(r, str_eq(left, STR("one.test")) ? "x@one.test" : "y@two.test"));
	assert_false(rig_resolve(r, "z"));
	c = fake_ipc_next(IPC_REMOTE_DELIVER);
	d = c->body;
	assert_str(d->domain, left);
	assert_int_equal(d->rcpt_count, 1);
	struct remote_rcpt_result result = { d->rcpts[0].index, REMOTE_DELIVERED, STR("2.0.0"), STR(""), STR(""), STR("") };
	fake_ipc_answer(c, ST_OK, &(struct remote_deliver_reply){ &result, 1 });
	rig_settle(r);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* An attempt was lost, then for a while nobody could be asked: what the first did is still not known, so the id stays. */
static void test_lost_then_not_asked(void **state)
{
	struct rig                         *r = rig_new();
	const struct local_deliver_request *d;
	struct fake_call                   *c;
	uint64_t                            id;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
	for (int i = 0; i < 4; i++) {
		rig_resolve(r, "5");
		d = next_local(&c);
		assert_int_equal(d->delivery, id);
		assert_true(d->floor <= id);
		fake_ipc_answer(c, i == 0 ? ST_TEMP : ST_BUSY, NULL);
		rig_settle(r);
		rig_pass(r, 60 * 1000);
	}
	rig_resolve(r, "5");
	d = next_local(&c);
	assert_int_equal(d->delivery, id);
	fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DEFERRED, STR("4.2.2"), STR("Mailbox full") });
	rig_settle(r);
	rig_pass(r, 10 * MINUTES);
	rig_resolve(r, "5");
	d = next_local(&c);
	assert_int_not_equal(d->delivery, id); /* certainly not there */
	fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
	rig_settle(r);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* No answer within the deadline, again and again: unknown, so the id stays; but no crash, so it is not held. */
static void test_late(void **state)
{
	struct rig                         *r = rig_new();
	const struct local_deliver_request *d;
	struct fake_call                   *c;
	uint64_t                            id;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
	for (int i = 0; i < 5; i++) {
		rig_resolve(r, "5");
		d = next_local(&c);
		assert_int_equal(d->delivery, id);
		assert_true(d->floor <= id);
		rig_pass(r, 5 * MINUTES);
		fake_ipc_answer(c, ST_TEMP, NULL);
		rig_settle(r);
		assert_int_equal(rig_show(r, id).entry.state, QUEUE_WAITING);
		rig_pass(r, 2 * MINUTES);
	}
	rig_resolve(r, "5");
	d = next_local(&c);
	assert_int_equal(d->delivery, id);
	fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
	rig_settle(r);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* ---- a message that ends its process is held after three times; other mail goes on ---- */

static void test_poison(void **state)
{
	struct rig                         *r = rig_new();
	struct queue_show_reply             s;
	const struct local_deliver_request *d;
	struct fake_call                   *c, *other;
	uint64_t                            id, count;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
	rig_resolve(r, "5");
	for (int i = 0; i < 3; i++) {
		d = next_local(&c);
		assert_int_equal(d->delivery, id); /* unknown whether it was done: always the same */
		assert_true(d->floor <= id);
		fake_ipc_answer(c, ST_TEMP, NULL);
		rig_settle(r);
		if (i == 1) { /* the count is on disk before the next attempt */
			rig_crash(r);
			rig_open(r);
		}
		rig_pass(r, 10 * 1000);
		rig_resolve(r, "5");
	}
	assert_null(fake_ipc_next(IPC_LOCAL_DELIVER));
	s = rig_show(r, id);
	assert_int_equal(s.entry.state, QUEUE_HELD);
	assert_true(s.entry.reason.n > 0);
	rig_pass(r, 6 * DAYS);
	assert_int_equal(rig_show(r, id).entry.state, QUEUE_HELD);

	rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
	rig_resolve(r, "5");
	d = next_local(&other);
	assert_true(d->floor <= id); /* the held one may be released and repeated */
	fake_ipc_answer(other, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
	rig_settle(r);
	assert_int_equal(rig_messages(r), 1);

	assert_int_equal(queue_retry(r->q, &(struct queue_id_request){ .id = id }, &count), ST_OK);
	assert_int_equal(count, 1);
	rig_settle(r);
	rig_resolve(r, "5");
	d = next_local(&c);
	assert_int_equal(d->delivery, id);
	fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
	rig_settle(r);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* Those that only happened to be there are tried one by one, so none of them is held. */
static void test_poison_bystanders(void **state)
{
	struct rig                         *r = rig_new();
	const struct local_deliver_request *d;
	struct queue_stats_reply            stats;
	struct fake_call                   *c;

	(void)state;
	rig_open(r);
	for (int i = 0; i < 10; i++) {
		rig_submit(r, "a@far.test", "bob@demo.test", i == 3 ? "S: poison\r\n\r\n" : MAIL);
		rig_resolve(r, "5");
	}
	while (rig_local_lost(r))
		; /* the process died with all ten */
	for (int turn = 0; turn < 200; turn++) {
		rig_pass(r, 20 * 1000);
		while (rig_resolve(r, "5"))
			;
		while ((c = fake_ipc_next(IPC_LOCAL_DELIVER)) != NULL) {
			assert_int_equal(fake_ipc_waiting(), 0); /* alone */
			d = c->body;
			bool poison = str_starts(d->content, STR("S: poison"));
			fake_ipc_answer(c, poison ? ST_TEMP : ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
			rig_settle(r);
		}
	}
	assert_int_equal(queue_stats(r->q, &stats), ST_OK);
	assert_int_equal(stats.messages, 1);
	assert_int_equal(stats.held, 1);
	rig_free(&r);
}

/* Nobody there to ask is no attempt: nothing is counted, and it goes on when somebody comes. */
static void test_nobody(void **state)
{
	struct rig *r = rig_new();
	uint64_t    id;

	(void)state;
	rig_open(r);
	fake_ipc_alive(ROLE_LOCAL, false);
	id = rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
	for (int i = 0; i < 10; i++) {
		rig_resolve(r, "5");
		rig_pass(r, 2 * MINUTES);
	}
	assert_int_equal(rig_show(r, id).entry.state, QUEUE_ACTIVE);
	fake_ipc_alive(ROLE_AUTH, false);
	rig_resolve(r, "5");
	rig_pass(r, 2 * MINUTES);
	assert_int_equal(rig_show(r, id).entry.state, QUEUE_WAITING);
	fake_ipc_alive(ROLE_AUTH, true);
	fake_ipc_alive(ROLE_LOCAL, true);
	rig_pass(r, 2 * MINUTES);
	rig_resolve(r, "5");
	deliver(r);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* ---- disk ---- */

static void test_watermark(void **state)
{
	struct rig              *r = rig_new();
	struct queue_stats_reply stats;

	(void)state;
	rig_open(r);
	assert_true(rig_submit(r, "a@far.test", "bob@demo.test", MAIL) != 0);
	rig_close(r);
	r->options.watermark_octets = UINT64_MAX;
	rig_open(r);
	assert_int_equal(queue_stats(r->q, &stats), ST_OK);
	assert_true(stats.full);
	assert_int_equal(rig_submit(r, "a@far.test", "bob@demo.test", MAIL), 0);
	rig_resolve(r, "5"); /* what was accepted goes on */
	deliver(r);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

#ifdef POSTRIDER_FAULTS
/* No space at commit: the submit is refused, the result is repeated until it is written. */
static void test_no_space(void **state)
{
	struct rig        *r = rig_new();
	struct fake_reply *reply;

	(void)state;
	rig_open(r);
	rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
	rig_resolve(r, "5");
	fault_set("db.write", "queue.db", 1, true, ENOSPC);
	reply = rig_submit_raw(r, NULL, "a@far.test", "eve@demo.test", STR(MAIL), -1, strlen(MAIL));
	rig_settle(r);
	assert_true(reply->over);
	assert_int_equal(((struct queue_submit_reply *)reply->body)->result, QUEUE_SUBMIT_FULL);
	fake_reply_done(&reply);
	deliver(r);
	assert_int_equal(rig_messages(r), 1);
	fault_clear();
	rig_pass(r, 2 * MINUTES);
	assert_int_equal(rig_messages(r), 0);
	assert_true(rig_submit(r, "a@far.test", "bob@demo.test", MAIL) != 0);
	rig_free(&r);
}

/* A failed sync: the submit is certainly not taken; what was accepted before is delivered after the repair. */
static void test_failed_sync(void **state)
{
	struct rig                *r = rig_new();
	struct fake_reply         *reply, *known;
	struct queue_known_request ask = { STR("0123456789abcdef") };
	struct queue_stats_reply   stats;
	uint64_t                   id;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
	fault_set("db.sync", "queue.db", 1, true, EIO);
	reply = rig_submit_raw(r, "0123456789abcdef", "a@far.test", "eve@demo.test", STR("S: eve\r\n\r\n"), -1, 10);
	rig_settle(r);
	assert_true(reply->over);
	assert_int_equal(((struct queue_submit_reply *)reply->body)->result, QUEUE_SUBMIT_SUSPECT);
	fake_reply_done(&reply);
	assert_int_equal(queue_stats(r->q, &stats), ST_OK);
	assert_true(stats.suspect);
	assert_int_equal(rig_submit(r, "a@far.test", "bob@demo.test", MAIL), 0);
	rig_resolve(r, "5");
	deliver(r); /* its result is kept until it can be written */
	fault_clear();
	rig_pass(r, 2 * MINUTES);
	assert_int_equal(queue_stats(r->q, &stats), ST_OK);
	assert_false(stats.suspect);
	assert_int_equal(stats.messages, 0);
	known = fake_ipc_ask(queue_rows[1].handler, r->q, IPC_QUEUE_KNOWN, &ask);
	rig_settle(r);
	assert_false(((struct queue_known_reply *)known->body)->known);
	fake_reply_done(&known);
	assert_true(rig_submit(r, "a@far.test", "bob@demo.test", MAIL) > id);
	rig_resolve(r, "5");
	deliver(r);
	assert_null(fake_ipc_next(IPC_LOCAL_DELIVER));
	rig_free(&r);
}

/* The same, but the process ends before it could repair. */
static void test_failed_sync_restart(void **state)
{
	struct rig        *r = rig_new();
	struct fake_reply *reply;
	uint64_t           id;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
	fault_set("db.sync", "queue.db", 1, true, EIO);
	reply = rig_submit_raw(r, NULL, "a@far.test", "eve@demo.test", STR("S: eve\r\n\r\n"), -1, 10);
	queue_turn(r->q);
	assert_true(reply->over);
	fake_reply_done(&reply);
	rig_crash(r);
	fault_clear();
	rig_open(r);
	assert_int_equal(rig_messages(r), 1);
	assert_int_equal(rig_show(r, id).entry.id, id);
	rig_resolve(r, "5");
	deliver(r);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}
#endif

/* ---- time ---- */

static void test_backoff_and_expiry(void **state)
{
	struct rig *r = rig_new();
	int64_t     start = rig_mono, last = rig_mono;
	int         tries = 0;
	uint64_t    id;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "bob@demo.test", "x@far.test", MAIL);
	while (rig_mono - start < 7 * DAYS && fake_ipc_waiting() + rig_messages(r) > 0) {
		if (rig_resolve(r, "x@far.test")) {
			tries++;
			assert_true(tries == 1 || rig_mono - last >= 4 * MINUTES);
			assert_true(rig_mono - last <= 5 * HOURS);
			last = rig_mono;
			assert_true(rig_remote(r, REMOTE_DEFERRED, "4.4.1", "no route"));
			if (rig_mono - start > 5 * DAYS)
				break;
			assert_int_equal(rig_show(r, id).entry.state, QUEUE_WAITING);
		}
		rig_pass(r, MINUTES);
	}
	assert_true(tries > 20 && tries < 60);
	assert_true(rig_mono - start > 5 * DAYS && rig_mono - start < 5 * DAYS + 5 * HOURS);
	assert_int_equal(rig_messages(r), 1); /* the report */
	rig_free(&r);
}

static void test_clock_jumps(void **state)
{
	static const int64_t jumps[] = { HOURS, -HOURS, 3650 * DAYS, -3650 * DAYS };

	(void)state;
	for (size_t i = 0; i < 2 * LEN(jumps); i++) {
		struct rig *r = rig_new();
		bool        restart = i >= LEN(jumps);

		rig_open(r);
		rig_submit(r, "bob@demo.test", "x@far.test", MAIL);
		rig_resolve(r, "x@far.test");
		rig_remote(r, REMOTE_DEFERRED, "4.4.1", "no route");
		if (restart)
			rig_close(r);
		rig_wall += jumps[i % LEN(jumps)];
		if (restart)
			rig_open(r);
		rig_pass(r, 10 * MINUTES);
		assert_true(rig_resolve(r, "x@far.test")); /* not frozen */
		assert_true(rig_remote(r, REMOTE_DEFERRED, "4.4.1", "no route"));
		assert_int_equal(rig_messages(r), 1); /* not expired */
		assert_int_equal(fake_ipc_waiting(), 0);
		rig_free(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_ids_rise),
		cmocka_unit_test(test_partial_remote),
		cmocka_unit_test(test_lost_then_not_asked),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_poison),
		cmocka_unit_test(test_poison_bystanders),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_watermark),
#ifdef POSTRIDER_FAULTS
		cmocka_unit_test(test_no_space),
		cmocka_unit_test(test_failed_sync),
		cmocka_unit_test(test_failed_sync_restart),
#endif
		cmocka_unit_test(test_backoff_and_expiry),
		cmocka_unit_test(test_clock_jumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
