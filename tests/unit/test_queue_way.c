/* The way of a message through the queue: submit, route, deliver, result, gone. */
#include "unit.h"

#include "queue_rig.h"

#define MAIL "From: a@far.test\r\nSubject: x\r\n\r\nHello\r\n"

static void test_local(void **state)
{
	struct rig                         *r = rig_new();
	const struct local_deliver_request *d;
	struct fake_call                   *c;
	uint64_t                            id;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
	assert_true(id > 0);
	assert_int_equal(rig_messages(r), 1);
	assert_true(rig_resolve(r, "5"));
	c = fake_ipc_next(IPC_LOCAL_DELIVER);
	assert_non_null(c);
	d = c->body;
	assert_int_equal(d->account, 5);
	assert_int_equal(c->key, 5);
	assert_int_equal(d->delivery, id);
	assert_true(d->floor <= id);
	assert_str(d->content, STR(MAIL));
	assert_str(d->from, STR("a@far.test"));
	assert_str(d->rcpt, STR("bob@demo.test"));
	assert_int_equal(d->hash.n, 32);
	fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR("2.1.5"), STR("") });
	rig_settle(r);
	assert_int_equal(rig_messages(r), 0);
	assert_int_equal(fake_ipc_waiting(), 0);
	rig_free(&r);
}

static void test_remote_groups(void **state)
{
	struct rig                          *r = rig_new();
	const struct remote_deliver_request *d;
	struct fake_call                    *c;

	(void)state;
	rig_open(r);
	rig_submit(r, "bob@demo.test", "x@one.test y@two.test z@ONE.test", MAIL);
	assert_true(rig_resolve(r, "x@one.test"));
	assert_true(rig_resolve(r, "y@two.test"));
	assert_int_equal(fake_ipc_waiting(), 1); /* nothing is sent before all is known */
	assert_true(rig_resolve(r, "z@ONE.test"));
	assert_int_equal(fake_ipc_waiting(), 2);
	for (int i = 0; i < 2; i++) {
		c = fake_ipc_next(IPC_REMOTE_DELIVER);
		d = c->body;
		assert_int_equal(d->rcpt_count, str_eq(d->domain, STR("one.test")) ? 2 : 1);
		assert_str(d->content, STR(MAIL));
		c->next = NULL;
		struct remote_rcpt_result   results[2] = { { d->rcpts[0].index, REMOTE_DELIVERED, STR("2.0.0"), STR("ok"), STR(""), STR("") } };
		if (d->rcpt_count == 2) {
			results[1] = results[0];
			results[1].index = d->rcpts[1].index;
		}
		fake_ipc_answer(c, ST_OK, &(struct remote_deliver_reply){ results, d->rcpt_count });
		rig_settle(r);
		assert_int_equal(rig_messages(r), i == 0);
	}
	rig_free(&r);
}

static void test_once_per_account(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	rig_open(r);
	rig_submit(r, "a@far.test", "bob@demo.test team@demo.test", MAIL);
	assert_true(rig_resolve(r, "5"));
	assert_true(rig_resolve(r, "6 5 7"));
	assert_int_equal(fake_ipc_waiting(), 3);
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_int_equal(rig_messages(r), 1);
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* Of a list, one is deferred: only that one is tried again, under a new delivery id, and without asking auth. */
static void test_partly_deferred(void **state)
{
	struct rig                         *r = rig_new();
	const struct local_deliver_request *d;
	struct fake_call                   *c;
	struct queue_show_reply             s;
	uint64_t                            id;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "team@demo.test", MAIL);
	assert_true(rig_resolve(r, "6 7"));
	for (int i = 0; i < 2; i++) {
		c = fake_ipc_next(IPC_LOCAL_DELIVER);
		d = c->body;
		fake_ipc_answer(c, ST_OK, d->account == 6 ? &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") } :
							     &(struct local_deliver_reply){ LOCAL_DEFERRED, STR("4.2.2"), STR("Mailbox full") });
		rig_settle(r);
	}
	s = rig_show(r, id);
	assert_int_equal(s.entry.state, QUEUE_WAITING);
	assert_str(s.entry.reason, STR("Mailbox full"));
	assert_int_equal(s.entry.rcpts_left, 1);
	assert_int_equal(s.rcpt_count, 2);
	rig_pass(r, 10 * 60 * 1000);
	assert_false(rig_resolve(r, "6 7"));
	c = fake_ipc_next(IPC_LOCAL_DELIVER);
	assert_non_null(c);
	d = c->body;
	assert_int_equal(d->account, 7);
	assert_true(d->delivery > id);
	assert_str(d->content, STR(MAIL));
	assert_int_equal(d->floor, d->delivery); /* nothing older can be repeated */
	fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
	rig_settle(r);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* Many messages to a dead destination leave places for the one to another. */
static void test_dead_destination(void **state)
{
	struct rig *r = rig_new();
	size_t      asked = 0, hanging = 0;
	bool        found = false;
	struct fake_call *hang[10];

	(void)state;
	r->options.active_max = 100;
	r->options.site_connections = 2;
	rig_open(r);
	for (int i = 0; i < 300; i++) {
		rig_submit(r, "bob@demo.test", "x@dead.test", MAIL);
		while (rig_resolve(r, "x@dead.test"))
			;
	}
	rig_submit(r, "bob@demo.test", "x@live.test", MAIL);
	for (int i = 0; i < 200 && !found; i++) {
		struct fake_call *c;

		while ((c = fake_ipc_next(IPC_AUTH_RESOLVE)) != NULL) {
			struct auth_target t = { 0, ((const struct auth_resolve_request *)c->body)->address };

			fake_ipc_answer(c, ST_OK, &(struct auth_resolve_reply){ &t, 1 });
			rig_settle(r);
		}
		while ((c = fake_ipc_next(IPC_REMOTE_DELIVER)) != NULL) {
			const struct remote_deliver_request *d = c->body;

			asked += str_eq(d->domain, STR("dead.test"));
			found = found || str_eq(d->domain, STR("live.test"));
			hang[hanging++] = c;
		}
		rig_pass(r, 5000);
	}
	assert_true(found);
	assert_int_equal(asked, 2);
	while (hanging > 0)
		fake_ipc_answer(hang[--hanging], ST_TEMP, NULL);
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_remote_groups),
		cmocka_unit_test(test_once_per_account),
		cmocka_unit_test(test_partly_deferred),
		cmocka_unit_test(test_dead_destination),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
