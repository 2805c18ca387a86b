/* What auth says of a target, carried out by the queue: next hop and reverse-path of a forward, quotas, and notes of full mailboxes. */
#include "unit.h"

#include <string.h>

#include "queue_rig.h"

#define MAIL "From: a@far.test\r\nSubject: x\r\n\r\nHello\r\n"

static void resolve(struct rig *r, struct auth_target *targets, size_t count)
{
	struct fake_call         *c = fake_ipc_next(IPC_AUTH_RESOLVE);
	struct auth_resolve_reply reply = { targets, count };

	assert_non_null(c);
	fake_ipc_answer(c, ST_OK, &reply);
	rig_settle(r);
}

/* One transaction has one next hop and one reverse-path; a relay of the target's own goes before the setting. */
static void test_groups(void **state)
{
	static struct auth_target targets[] = {
		{ .address = STR("a@one.test"), .forward = true, .from = STR("SRS0=1@demo.test") },
		{ .address = STR("b@one.test"), .forward = true, .from = STR("SRS0=1@demo.test") },
		{ .address = STR("c@one.test"), .forward = true, .from = STR("SRS0=2@demo.test") },
		{ .address = STR("d@one.test"), .forward = true },
		{ .address = STR("e@one.test") },
		{ .address = STR("f@one.test"), .from = STR("not a forward") },
		{ .address = STR("g@one.test"), .relay = STR("inner.test:2525") },
		{ .address = STR("h@two.test"), .relay = STR("inner.test:2525") },
	};
	static const struct {
		const char *relay, *domain, *from;
		size_t      count;
	} want[] = {
		{ "", "one.test", "SRS0=1@demo.test", 2 },
		{ "", "one.test", "SRS0=2@demo.test", 1 },
		{ "", "one.test", "ann@far.test", 3 },
		{ "inner.test:2525", NULL, "ann@far.test", 2 },
	};

	(void)state;
	for (int setting = 0; setting < 2; setting++) {
		struct rig *r = rig_new();
		size_t      seen = 0;

		if (setting)
			r->options.relay = STR("smart.test:25");
		rig_open(r);
		rig_submit(r, "ann@far.test", "list@demo.test", MAIL);
		resolve(r, targets, LEN(targets));
		for (size_t left = LEN(want); left > 0; left--) {
			struct fake_call                    *c = fake_ipc_next(IPC_REMOTE_DELIVER);
			const struct remote_deliver_request *d;

			assert_non_null(c);
			d = c->body;
			for (size_t i = 0; i < LEN(want); i++) {
				bool own = want[i].relay[0] != '\0';

				if (str_eq(d->from, str_of(want[i].from)) &&
				    str_eq(d->relay, own || !setting ? str_of(want[i].relay) : STR("smart.test:25"))) {
					assert_int_equal(d->rcpt_count, want[i].count);
					if (want[i].domain)
						assert_str(d->domain, str_of(want[i].domain));
					seen |= 1u << i;
				}
			}
			fake_ipc_answer(c, ST_TEMP, NULL);
			rig_settle(r);
		}
		assert_int_equal(seen, (1u << LEN(want)) - 1);
		assert_null(fake_ipc_next(IPC_REMOTE_DELIVER));
		rig_free(&r);
	}
}

/* Later rounds, and a restart: as it was resolved. */
static void test_kept(void **state)
{
	static struct auth_target targets[] = {
		{ .address = STR("a@one.test"), .forward = true, .from = STR("SRS0=1@demo.test") },
		{ .address = STR("b@two.test"), .relay = STR("inner.test:2525") },
		{ .account = 5, .address = STR("u5@demo.test"), .quota_octets = 1000 },
	};
	struct rig *r = rig_new();
	uint64_t    id;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "ann@far.test", "list@demo.test", MAIL);
	resolve(r, targets, LEN(targets));
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_true(rig_remote(r, REMOTE_DEFERRED, "4.0.0", "later"));
	assert_true(rig_remote(r, REMOTE_DEFERRED, "4.0.0", "later"));
	for (int i = 0; i < 3; i++) {
		unsigned seen = 0;

		if (i == 1)
			rig_close(r), rig_open(r);
		rig_pass(r, (int64_t)10 * 3600 * 1000);
		for (int k = 0; k < 2; k++) {
			struct fake_call                    *c = fake_ipc_next(IPC_REMOTE_DELIVER);
			const struct remote_deliver_request *d;

			assert_non_null(c);
			d = c->body;
			if (str_eq(d->rcpts[0].address, STR("a@one.test")) && str_eq(d->from, STR("SRS0=1@demo.test")) && d->relay.n == 0)
				seen |= 1;
			if (str_eq(d->rcpts[0].address, STR("b@two.test")) && str_eq(d->from, STR("ann@far.test")) &&
			    str_eq(d->relay, STR("inner.test:2525")))
				seen |= 2;
			struct remote_rcpt_result one = { d->rcpts[0].index, REMOTE_DEFERRED, STR("4.0.0"), STR("later"), STR(""), STR("") };

			fake_ipc_answer(c, ST_OK, &(struct remote_deliver_reply){ &one, 1 });
			rig_settle(r);
		}
		assert_int_equal(seen, 3);
		assert_null(fake_ipc_next(IPC_AUTH_RESOLVE));
	}
	assert_int_equal(rig_show(r, id).rcpt_count, 3);
	rig_free(&r);
}

/* The answer to the delivery that waits; its quota. */
static uint64_t deliver(struct rig *r, enum local_result result, const char *code, uint64_t usage)
{
	struct fake_call          *c = fake_ipc_next(IPC_LOCAL_DELIVER);
	struct local_deliver_reply reply = { result, str_of(code), STR(""), usage };
	uint64_t                   quota;

	assert_non_null(c);
	quota = ((const struct local_deliver_request *)c->body)->quota_octets;
	fake_ipc_answer(c, ST_OK, &reply);
	rig_settle(r);
	return quota;
}

/* The note to auth: 1 full, 0 not, -1 none. */
static int note(struct rig *r, uint64_t account)
{
	struct fake_call *c = fake_ipc_next(IPC_AUTH_FULL);
	bool              full;

	if (!c)
		return -1;
	assert_int_equal(((const struct auth_full_request *)c->body)->account, account);
	full = ((const struct auth_full_request *)c->body)->full;
	fake_ipc_answer(c, ST_OK, NULL);
	rig_settle(r);
	return full;
}

static void test_full(void **state)
{
	static struct auth_target limited = { .account = 5, .address = STR("u5@demo.test"), .quota_octets = 1000 };
	static struct auth_target free_one = { .account = 6, .address = STR("u6@demo.test") };
	struct rig               *r = rig_new();

	(void)state;
	rig_open(r);
	rig_submit(r, "ann@far.test", "u6@demo.test", MAIL);
	resolve(r, &free_one, 1);
	assert_int_equal(deliver(r, LOCAL_DELIVERED, "", 5000), 0);
	assert_int_equal(note(r, 6), -1);
	rig_submit(r, "ann@far.test", "u5@demo.test", MAIL);
	resolve(r, &limited, 1);
	assert_int_equal(deliver(r, LOCAL_DELIVERED, "", 500), 1000);
	assert_int_equal(note(r, 5), -1); /* nothing new: not told each time */
	rig_submit(r, "ann@far.test", "u5@demo.test", MAIL);
	resolve(r, &limited, 1);
	assert_int_equal(deliver(r, LOCAL_DELIVERED, "", 1050), 1000); /* the grace: the last one */
	assert_int_equal(note(r, 5), 1);
	rig_submit(r, "ann@far.test", "u5@demo.test", MAIL);
	resolve(r, &limited, 1);
	assert_int_equal(deliver(r, LOCAL_DEFERRED, "4.2.2", 900), 1000);
	assert_int_equal(note(r, 5), 1);
	/* It waited, and now there is room: that is news. */
	rig_pass(r, (int64_t)10 * 3600 * 1000);
	resolve(r, &limited, 1);
	assert_int_equal(deliver(r, LOCAL_DELIVERED, "", 100), 1000);
	assert_int_equal(note(r, 5), 0);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* One of a list: its quota is asked anew in each round, and nothing is delivered while auth does not say. */
static void test_quota_of_list(void **state)
{
	static struct auth_target targets[] = {
		{ .account = 5, .address = STR("u5@demo.test"), .quota_octets = 1000 },
		{ .account = 6, .address = STR("u6@demo.test") },
	};
	static const struct {
		enum status st;
		uint64_t    quota;
	} rounds[] = { { ST_OK, 1000 }, { ST_OK, 2000 }, { ST_NOT_FOUND, 0 }, { ST_OK, 0 } };
	struct rig       *r = rig_new();
	struct fake_call *c;
	uint64_t          id;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "ann@far.test", "list@demo.test", MAIL);
	resolve(r, targets, 2);
	for (int i = 0; i < 2; i++) {
		c = fake_ipc_next(IPC_LOCAL_DELIVER);
		bool                       is5 = ((const struct local_deliver_request *)c->body)->account == 5;
		struct local_deliver_reply reply = { is5 ? LOCAL_DEFERRED : LOCAL_DELIVERED, is5 ? STR("4.2.2") : STR(""), STR(""), 0 };

		fake_ipc_answer(c, ST_OK, &reply);
		rig_settle(r);
	}
	assert_int_equal(note(r, 5), 1);
	for (size_t i = 0; i < LEN(rounds); i++) {
		struct auth_quota_reply reply = { rounds[i].quota };

		r->quotas_held = true;
		rig_pass(r, (int64_t)10 * 3600 * 1000);
		c = fake_ipc_next(IPC_AUTH_QUOTA);
		assert_non_null(c);
		assert_int_equal(((const struct auth_quota_request *)c->body)->account, 5);
		/* First it does not answer. */
		fake_ipc_answer(c, ST_TEMP, NULL);
		rig_settle(r);
		assert_null(fake_ipc_next(IPC_LOCAL_DELIVER));
		assert_int_equal(rig_show(r, id).entry.rcpts_left, 1);
		assert_str(rig_show(r, id).rcpts[0].target, STR("u5@demo.test"));
		rig_pass(r, (int64_t)10 * 3600 * 1000);
		c = fake_ipc_next(IPC_AUTH_QUOTA);
		assert_non_null(c);
		fake_ipc_answer(c, rounds[i].st, &reply);
		rig_settle(r);
		assert_int_equal(deliver(r, LOCAL_DEFERRED, "4.2.0", 0), rounds[i].quota);
		while (note(r, 5) >= 0)
			;
	}
	rig_free(&r);
}

/* One of a list that is elsewhere: its way is asked anew in each round, under the message's own sender, and nothing goes out while auth
 * does not say. */
static void test_hop_of_list(void **state)
{
	static struct auth_target targets[] = {
		{ .address = STR("a@far.test"), .relay = STR("old.test:25"), .forward = true, .from = STR("srs@demo.test") },
		{ .account = 6, .address = STR("u6@demo.test") },
	};
	static const struct {
		enum status           st;
		struct auth_hop_reply reply;
		const char           *relay;
	} rounds[] = {
		{ ST_OK, { .relay = STR("new.test:587"), .hop = { .tls = HOP_TLS_VERIFY, .login = 7, .helo = STR("out.test") } }, "new.test:587" },
		{ ST_OK, { .relay = STR("mx:far.test") }, "mx:far.test" },
		{ ST_NOT_FOUND, { .relay = STR("") }, "mx:far.test" }, /* as it was the last time */
	};
	struct rig       *r = rig_new();
	struct fake_call *c;
	uint64_t          id;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "ann@far.test", "list@demo.test", MAIL);
	resolve(r, targets, 2);
	assert_int_equal(deliver(r, LOCAL_DELIVERED, "", 0), 0);
	for (size_t i = 0; i <= LEN(rounds); i++) {
		const struct remote_deliver_request *q;
		struct remote_rcpt_result            result = { .result = REMOTE_DEFERRED, .code = STR("4.0.0"), .answer = STR("later") };

		c = fake_ipc_next(IPC_REMOTE_DELIVER);
		assert_non_null(c);
		q = c->body;
		assert_str(q->from, STR("srs@demo.test"));
		assert_str(q->relay, str_of(i == 0 ? "old.test:25" : rounds[i - 1].relay));
		assert_int_equal(q->hop.login, i == 1 ? 7 : 0);
		assert_str(q->hop.helo, i == 1 ? STR("out.test") : STR(""));
		fake_ipc_answer(c, ST_OK, &(struct remote_deliver_reply){ &result, 1, REMOTE_SITE_ANSWERED });
		r->quotas_held = true;
		rig_settle(r);
		if (i == LEN(rounds))
			break;
		rig_pass(r, (int64_t)10 * 3600 * 1000);
		c = fake_ipc_next(IPC_AUTH_HOP);
		assert_non_null(c);
		assert_str(((const struct auth_hop_request *)c->body)->address, STR("a@far.test"));
		assert_str(((const struct auth_hop_request *)c->body)->from, STR("ann@far.test"));
		fake_ipc_answer(c, ST_TEMP, NULL);
		rig_settle(r);
		assert_null(fake_ipc_next(IPC_REMOTE_DELIVER));
		assert_int_equal(rig_show(r, id).entry.rcpts_left, 1);
		rig_pass(r, (int64_t)10 * 3600 * 1000);
		c = fake_ipc_next(IPC_AUTH_HOP);
		assert_non_null(c);
		fake_ipc_answer(c, rounds[i].st, rounds[i].st == ST_OK ? &rounds[i].reply : NULL);
		rig_settle(r);
	}
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups), cmocka_unit_test(test_kept), cmocka_unit_test(test_full), cmocka_unit_test(test_quota_of_list), cmocka_unit_test(test_hop_of_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
