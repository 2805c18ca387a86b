/* tests/unit/test_queue_why.c - each message that waits explains itself; listings by reason, age and destination; the shape of what waits. */
#include "unit.h"

#include <stdio.h>

#include "base/limits.h"
#include "queue/queue_in.h"
#include "queue_rig.h"

#define MAIL "From: a@far.test\r\n\r\nHello\r\n"

static void assert_why(struct rig *r, uint64_t id, const char *what)
{
	struct queue_show_reply s = rig_show(r, id);

	if (str_search(s.rcpts[0].why, str_of(what)) < 0)
		fail_msg("no \"%s\" in \"%.*s\"", what, STR_FMT(s.rcpts[0].why));
}

static void test_why(void **state)
{
	struct rig             *r = rig_new();
	struct queue_show_reply s;
	uint64_t                id, count;

	(void)state;
	r->options.delay_warning_ms = 4 * 60 * 1000;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "bob@two.test", MAIL);
	assert_why(r, id, "under way this moment");
	fake_ipc_answer(fake_ipc_next(IPC_AUTH_RESOLVE), ST_TEMP, NULL);
	rig_settle(r);
	assert_why(r, id, "not tried, 1 time in a row: 4.3.0 The directory does not answer");
	rig_pass(r, 5000);
	rig_resolve(r, "bob@two.test");
	rig_remote(r, REMOTE_DEFERRED, "4.4.1", "no connection");
	s = rig_show(r, id);
	assert_str(s.rcpts[0].site, STR("two.test"));
	assert_int_equal(s.attempts, 1);
	assert_true(s.expires_ms > rig_wall + (int64_t)4 * 24 * 3600 * 1000);
	assert_why(r, id, "back-off after attempt 1 of the message; then its sender is told of the delay");
	assert_int_equal(queue_hold(r->q, &(struct queue_id_request){ .id = id }, &count), ST_OK);
	assert_why(r, id, "held: Held by an administrator");
	rig_wants.hold_until_ms = rig_wall + 3600 * 1000;
	id = rig_submit(r, "a@far.test", "bob@two.test", MAIL);
	assert_why(r, id, "held back by its sender until then");
	rig_wants.hold_until_ms = 0;
	id = rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
	rig_resolve(r, "5");
	rig_local_lost(r);
	assert_why(r, id, "1 of 3 attempts in a row were lost");
	/* By the time that its sender set. */
	rig_wants.deliver_by_ms = rig_wall + 60 * 1000;
	id = rig_submit(r, "a@far.test", "bob@two.test", MAIL);
	rig_resolve(r, "bob@two.test");
	rig_remote(r, REMOTE_DEFERRED, "4.4.1", "no connection");
	assert_why(r, id, "that is the time by which its sender wants it delivered");
	rig_wants.deliver_by_ms = 0;
	/* One of two. */
	id = rig_submit(r, "a@far.test", "bob@two.test eve@three.test", MAIL);
	rig_resolve(r, "bob@two.test");
	rig_resolve(r, "eve@three.test");
	rig_remote(r, REMOTE_DELIVERED, "2.0.0", "ok");
	rig_remote(r, REMOTE_DEFERRED, "4.4.1", "later");
	s = rig_show(r, id);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(s.rcpts[i].why.n == 0, s.rcpts[i].state == QUEUE_RCPT_DONE);
	rig_free(&r);
}

/* While a round goes on, what was answered in it is shown, with its time; and its end does not move that. */
static void test_round_is_shown(void **state)
{
	struct rig             *r = rig_new();
	struct queue_show_reply s;
	uint64_t                id;
	int64_t                 at[3];

	(void)state;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "bob@two.test eve@three.test joe@four.test ann@five.test", MAIL);
	rig_resolve(r, "bob@two.test");
	rig_resolve(r, "eve@three.test");
	rig_resolve(r, "joe@four.test");
	rig_resolve(r, "ann@five.test");
	for (int i = 0; i < 3; i++) {
		at[i] = rig_wall;
		rig_remote(r, i == 0 ? REMOTE_DELIVERED : i == 1 ? REMOTE_DEFERRED : REMOTE_REFUSED, i == 0 ? "2.0.0" : i == 1 ? "4.2.1" : "5.1.1", "said so");
		rig_pass(r, 1000);
	}
	s = rig_show(r, id);
	assert_int_equal(s.entry.state, QUEUE_ACTIVE);
	assert_int_equal(s.rcpts[0].state, QUEUE_RCPT_DONE);
	for (int i = 1; i < 3; i++) {
		assert_int_equal(s.rcpts[i].state, QUEUE_RCPT_PENDING); /* the failure is none before its report */
		assert_int_equal(s.rcpts[i].attempts, 1);
		assert_int_equal(s.rcpts[i].last_ms, at[i]);
		assert_true(str_search(s.rcpts[i].why, STR("answered in the round that is under way")) >= 0);
	}
	assert_true(str_search(s.rcpts[1].answer, STR("4.2.1")) >= 0);
	assert_true(str_search(s.rcpts[2].answer, STR("5.1.1")) >= 0);
	assert_int_equal(s.rcpts[3].attempts, 0);
	assert_true(str_search(s.rcpts[3].why, STR("under way this moment")) >= 0);
	rig_remote(r, REMOTE_DEFERRED, "4.2.1", "later");
	s = rig_show(r, id);
	assert_int_equal(s.rcpts[2].state, QUEUE_RCPT_FAILED);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(s.rcpts[i].last_ms, at[i]);
		assert_int_equal(s.rcpts[i].attempts, 1);
	}
	rig_free(&r);
}

static void test_tls_is_shown(void **state)
{
	struct rig               *r = rig_new();
	struct remote_rcpt_result result = { 0, REMOTE_DEFERRED, STR("4.7.1"), STR("slow down"), STR("mx.two.test [192.0.2.1]:25"), STR("TLSv1.3 X"), 0 };
	uint64_t                  id;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "bob@two.test", MAIL);
	rig_resolve(r, "bob@two.test");
	fake_ipc_answer(fake_ipc_next(IPC_REMOTE_DELIVER), ST_OK, &(struct remote_deliver_reply){ &result, 1 });
	rig_settle(r);
	assert_str(rig_show(r, id).rcpts[0].answer, STR("4.7.1 mx.two.test [192.0.2.1]:25 (TLSv1.3 X): slow down"));
	rig_free(&r);
}

static size_t listed(struct rig *r, const char *reason, const char *site, int64_t before_ms)
{
	struct queue_list_reply reply;

	assert_int_equal(queue_list(r->q, &(struct queue_list_request){ .reason = str_of(reason), .site = str_of(site), .before_ms = before_ms }, r->arena, &reply), ST_OK);
	return reply.entry_count;
}

static void test_filters(void **state)
{
	struct rig *r = rig_new();
	int64_t     begun;

	(void)state;
	rig_open(r);
	begun = rig_wall;
	rig_submit(r, "a@far.test", "bob@two.test", MAIL);
	rig_resolve(r, "bob@two.test");
	rig_remote(r, REMOTE_DEFERRED, "4.7.1", "451 Greylisted");
	rig_pass(r, 60 * 1000);
	rig_submit(r, "a@far.test", "eve@Three.test", MAIL);
	rig_resolve(r, "eve@three.test");
	rig_remote(r, REMOTE_DEFERRED, "4.4.1", "no connection 100% of the time_");
	assert_int_equal(listed(r, "greyLIST", "", 0), 1);
	assert_int_equal(listed(r, "%", "", 0), 1);
	assert_int_equal(listed(r, "e_n", "", 0), 0);
	assert_int_equal(listed(r, "", "TWO.test", 0), 1);
	assert_int_equal(listed(r, "", "wo.test", 0), 0);
	assert_int_equal(listed(r, "", "%.test", 0), 0);
	assert_int_equal(listed(r, "", "three.test", 0), 1);
	assert_int_equal(listed(r, "", "", begun + 1), 1);
	assert_int_equal(listed(r, "", "", begun), 0);
	assert_int_equal(listed(r, "", "", rig_wall + 1), 2);
	assert_int_equal(listed(r, "'", "'", 0), 0);
	rig_free(&r);
}

static uint64_t shape_of(struct rig *r, const char *site, size_t age, uint64_t *ret_pages)
{
	struct queue_shape_reply page = { .more = true };
	uint64_t                 count = 0;

	for (*ret_pages = 0; page.more; ++*ret_pages) {
		uint64_t after = page.after;

		assert_int_equal(queue_shape(r->q, after, r->arena, &page), ST_OK);
		assert_true(page.after > after || !page.more);
		for (size_t i = 0; i < page.row_count; i++) {
			const struct queue_shape_row *w = &page.rows[i];
			const uint64_t ages[] = { w->ages0, w->ages1, w->ages2, w->ages3, w->ages4, w->ages5, w->ages6, w->ages7, w->ages8, w->ages9 };

			if (str_eq(w->site, str_of(site)))
				count += ages[age];
		}
	}
	return count;
}

static void test_shape(void **state)
{
	struct rig *r = rig_new();
	char        to[64];
	uint64_t    pages;

	(void)state;
	rig_open(r);
	rig_submit(r, "a@far.test", "bob@two.test eve@Two.test carl@three.test", MAIL);
	rig_pass(r, 7 * 60 * 1000);
	rig_submit(r, "a@far.test", "bob@two.test", MAIL);
	assert_int_equal(shape_of(r, "two.test", 0, &pages), 1);
	assert_int_equal(shape_of(r, "two.test", 1, &pages), 2);
	assert_int_equal(shape_of(r, "three.test", 1, &pages), 1);
	rig_pass(r, (int64_t)30 * 24 * 3600 * 1000);
	assert_int_equal(shape_of(r, "two.test", QUEUE_SHAPE_AGES - 1, &pages), 3);
	for (int i = 0; i < 700; i++) {
		snprintf(to, sizeof(to), "x@d%d.test", i);
		rig_submit(r, "a@far.test", to, MAIL);
	}
	assert_int_equal(shape_of(r, "d699.test", 0, &pages), 1);
	assert_true(pages > 2);
	assert_int_equal(shape_of(r, "(others)", 0, &pages), 0);
	rig_free(&r);
}

/* A message with more destinations than a page has rows: counted all the same. */
static void test_shape_wide(void **state)
{
	struct rig              *r = rig_new();
	struct queue_shape_reply page;
	char                     to[LIMIT_RCPTS * 16] = "";
	size_t                   n = 0;
	uint64_t                 sum = 0;

	(void)state;
	rig_open(r);
	for (int i = 0; i < 900; i++)
		n += (size_t)snprintf(to + n, sizeof(to) - n, "%sx@d%d.test", i ? " " : "", i);
	rig_submit(r, "a@far.test", to, MAIL);
	assert_int_equal(queue_shape(r->q, 0, r->arena, &page), ST_OK);
	for (size_t i = 0; i < page.row_count; i++)
		sum += page.rows[i].ages0;
	assert_int_equal(sum, 900);
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_why), cmocka_unit_test(test_round_is_shown),   cmocka_unit_test(test_tls_is_shown), cmocka_unit_test(test_filters),
		cmocka_unit_test(test_shape), cmocka_unit_test(test_shape_wide),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
