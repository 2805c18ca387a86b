/* tests/unit/test_queue_flush.c - ETRN: what waits for one domain is due, and nothing else. */
#include "unit.h"

#include <stdio.h>

#include "base/limits.h"
#include "queue/queue_in.h"
#include "queue_rig.h"

#define MAIL "From: a@far.test\r\nSubject: x\r\n\r\nHello\r\n"

static uint64_t waiting(struct rig *r, const char *to)
{
	uint64_t id = rig_submit(r, "a@far.test", to, MAIL);

	assert_true(rig_resolve(r, to));
	assert_true(rig_remote(r, REMOTE_DEFERRED, "4.4.1", "no answer"));
	return id;
}

static uint64_t flush(struct rig *r, const char *domain)
{
	uint64_t count = 99;

	assert_int_equal(queue_flush(r->q, str_of(domain), &count), ST_OK);
	rig_settle(r);
	return count;
}

static void test_domain(void **state)
{
	struct rig *r = rig_new();
	uint64_t    one, two, sub;

	(void)state;
	rig_open(r);
	one = waiting(r, "bob@one.test");
	two = waiting(r, "bob@two.test");
	sub = waiting(r, "bob@sub.one.test");
	assert_int_equal(flush(r, "nothing.test"), 0);
	assert_int_equal(flush(r, "ne.test"), 0); /* no part of a name */
	assert_int_equal(flush(r, "%"), 0);       /* no pattern */
	assert_int_equal(rig_show(r, one).entry.state, QUEUE_WAITING);
	assert_int_equal(flush(r, "one.test"), 1);
	assert_int_equal(rig_show(r, one).entry.state, QUEUE_ACTIVE); /* it is tried this moment */
	assert_int_equal(rig_show(r, two).entry.state, QUEUE_WAITING);
	assert_int_equal(rig_show(r, sub).entry.state, QUEUE_WAITING);
	assert_int_equal(flush(r, "one.test"), 0); /* it is under way */
	assert_true(rig_resolve(r, "bob@one.test"));
	assert_true(rig_remote(r, REMOTE_DELIVERED, "2.0.0", "ok"));
	assert_int_equal(flush(r, "one.test"), 0);
	rig_free(&r);
}

static void test_limits(void **state)
{
	struct rig *r = rig_new();
	uint64_t    count;
	char        long_name[LIMIT_DOMAIN + 1];

	(void)state;
	rig_open(r);
	memset(long_name, 'x', sizeof(long_name));
	assert_int_equal(queue_flush(r->q, STR(""), &count), ST_INVALID);
	assert_int_equal(queue_flush(r->q, str_n(long_name, sizeof(long_name)), &count), ST_INVALID);
	for (unsigned i = 0; i < LIMIT_QUEUE_FLUSHES; i++)
		assert_int_equal(flush(r, "one.test"), 0);
	assert_int_equal(queue_flush(r->q, STR("one.test"), &count), ST_LIMIT);
	rig_pass(r, 61 * 1000);
	assert_int_equal(flush(r, "one.test"), 0);
	rig_free(&r);
}

/* The trace takes from sessions what sessions can know, and nothing about what became of messages. */
static void test_trace_taken(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	rig_open(r);
	for (enum trace_what what = 0; what <= TRACE_LAST; what++)
		for (uint64_t message = 0; message < 2; message++) {
			struct trace_event e = { .at_ms = rig_wall, .what = what, .message = message };
			struct fake_reply *reply = fake_ipc_ask(queue_event_take, r->q, IPC_QUEUE_TRACE, &e);
			bool ok = message == 0 && (what <= TRACE_MESSAGE_REFUSED || what >= TRACE_ENDED) && what != TRACE_EDITED;

			assert_int_equal(reply->status, ok ? ST_OK : ST_DENIED);
			fake_reply_done(&reply);
		}
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_domain), cmocka_unit_test(test_limits), cmocka_unit_test(test_trace_taken) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
