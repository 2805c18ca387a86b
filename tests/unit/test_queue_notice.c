/* Who is told of a failure, and who never is (RFC 5321 §4.5.5, §6; mta.md 5 items 21-23). */
#include "unit.h"

#include <stdio.h>

#include "base/limits.h"
#include "queue/queue_in.h"
#include "queue_rig.h"

#define MAIL "From: a@far.test\r\nSubject: original subject\r\n\r\nsecret body\r\n"

/* The report that local is asked to deliver to account 9, or NULL. */
static const struct local_deliver_request *report(struct rig *r, struct fake_call **c)
{
	if (!rig_resolve(r, "9"))
		return NULL;
	*c = fake_ipc_next(IPC_LOCAL_DELIVER);
	return *c ? (*c)->body : NULL;
}

static bool contains(struct str s, const char *what)
{
	return str_search(s, str_of(what)) >= 0;
}

static void test_table(void **state)
{
	enum how { UNKNOWN, LOOP, LOCAL, REMOTE };
	static const struct {
		const char *from;
		enum how    how;
		bool        report;
		const char *code, *text;
	} cases[] = {
		{ "ann@demo.test", UNKNOWN, true, "5.1.1", "No such user" },
		{ "ann@demo.test", LOOP, true, "5.4.6", "circle" },
		{ "ann@demo.test", LOCAL, true, "5.7.1", "Refused by the mailbox" },
		{ "ann@demo.test", REMOTE, true, "5.1.1", "550 no such person" },
		{ "", UNKNOWN, false, NULL, NULL },
		{ "", LOOP, false, NULL, NULL },
		{ "", LOCAL, false, NULL, NULL },
		{ "", REMOTE, false, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct rig                         *r = rig_new();
		const struct local_deliver_request *d;
		struct fake_call                   *c = NULL;
		struct queue_stats_reply            s;

		rig_open(r);
		rig_submit(r, cases[i].from, "bob@demo.test", MAIL);
		switch (cases[i].how) {
		case UNKNOWN: rig_resolve(r, NULL); break;
		case LOOP:    fake_ipc_answer(fake_ipc_next(IPC_AUTH_RESOLVE), ST_LIMIT, NULL); break;
		case LOCAL:
			rig_resolve(r, "5");
			rig_local(r, LOCAL_REFUSED, "5.7.1", "Refused by the mailbox");
			break;
		case REMOTE:
			rig_resolve(r, "bob@far.test");
			rig_remote(r, REMOTE_REFUSED, "5.1.1", "550 no such person");
		}
		rig_settle(r);
		assert_int_equal(queue_stats(r->q, &s), ST_OK);
		assert_int_equal(s.messages, cases[i].report);
		assert_int_equal(s.bounced, cases[i].report);
		d = report(r, &c);
		assert_int_equal(d != NULL, cases[i].report);
		if (d) {
			assert_int_equal(d->from.n, 0);
			assert_str(d->rcpt, STR("ann@demo.test"));
			assert_true(contains(d->content, "multipart/report"));
			assert_true(contains(d->content, cases[i].code));
			assert_true(contains(d->content, cases[i].text));
			assert_true(contains(d->content, "original subject"));
			assert_true(contains(d->content, "MAILER-DAEMON@mx.demo.test"));
			/* A report that fails makes no report. */
			fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_REFUSED, STR("5.0.0"), STR("no") });
			rig_settle(r);
		}
		assert_int_equal(rig_messages(r), 0);
		assert_int_equal(fake_ipc_waiting(), 0);
		rig_free(&r);
	}
}

/* Of several recipients only the failed ones are in the report, and it comes at once, not when the last one is over. */
static void test_mixed(void **state)
{
	struct rig                         *r = rig_new();
	const struct local_deliver_request *d;
	struct fake_call                   *c = NULL;

	(void)state;
	rig_open(r);
	rig_submit(r, "ann@demo.test", "good@demo.test bad@demo.test later@demo.test", MAIL);
	rig_resolve(r, "5");
	rig_resolve(r, NULL);
	rig_resolve(r, "6");
	for (int i = 0; i < 2; i++) {
		c = fake_ipc_next(IPC_LOCAL_DELIVER);
		d = c->body;
		fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ d->account == 5 ? LOCAL_DELIVERED : LOCAL_DEFERRED, STR("4.2.2"), STR("full") });
		rig_settle(r);
	}
	assert_int_equal(rig_messages(r), 2);
	d = report(r, &c);
	assert_non_null(d);
	assert_true(contains(d->content, "bad@demo.test"));
	assert_false(contains(d->content, "good@demo.test"));
	assert_false(contains(d->content, "later@demo.test"));
	fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
	rig_pass(r, 20 * 60 * 1000);
	rig_resolve(r, "6"); /* of three recipients only the third is asked about again */
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_int_equal(rig_messages(r), 0);
	assert_int_equal(fake_ipc_waiting(), 0);
	rig_free(&r);
}

/* A failure and its report are one transaction: after a crash either the old message is there, or its report. */
static void test_crash(void **state)
{
	struct rig                         *r = rig_new();
	const struct local_deliver_request *d;
	struct fake_call                   *c = NULL;

	(void)state;
	rig_open(r);
	rig_submit(r, "ann@demo.test", "bob@demo.test", MAIL);
	rig_resolve(r, NULL);
	rig_crash(r);
	rig_open(r);
	assert_int_equal(rig_messages(r), 1);
	d = report(r, &c);
	assert_non_null(d);
	assert_true(contains(d->content, "bob@demo.test"));
	fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
	rig_settle(r);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

static void test_hops(void **state)
{
	struct rig *r = rig_new();
	char        mail[8000];
	size_t      n = 0;

	(void)state;
	for (unsigned i = 0; i <= LIMIT_HOPS; i++)
		n += (size_t)snprintf(mail + n, sizeof(mail) - n, "received: from a by b; date\r\n  folded Received: x\r\n");
	snprintf(mail + n, sizeof(mail) - n, "Subject: x\r\n\r\nReceived: not one\r\n");
	rig_open(r);
	rig_submit(r, "ann@demo.test", "bob@demo.test", mail);
	assert_int_equal(rig_messages(r), 1); /* the report alone, and nobody was asked about bob */
	struct fake_call *c = NULL;
	const struct local_deliver_request *d = report(r, &c);
	assert_true(contains(d->content, "5.4.6"));
	fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
	rig_settle(r);
	assert_int_equal(queue_hops(STR("Received: a\r\nX: y\r\nReceived: b\r\n\r\nReceived: c\r\n")), 2);
	assert_int_equal(queue_hops(STR("Received: a")), 1);
	assert_int_equal(queue_hops(STR("")), 0);
	rig_free(&r);
}

/* Expired: the last reason is told. */
static void test_expired(void **state)
{
	struct rig                         *r = rig_new();
	const struct local_deliver_request *d;
	struct fake_call                   *c = NULL;

	(void)state;
	r->options.expire_ms = 1000;
	r->options.retry_first_ms = 100;
	r->options.retry_max_ms = 200;
	rig_open(r);
	rig_submit(r, "ann@demo.test", "bob@far.test", MAIL);
	for (int i = 0; i < 20 && rig_resolve(r, "bob@far.test"); i++) {
		rig_remote(r, REMOTE_DEFERRED, "4.4.1", "Connection refused");
		rig_pass(r, 300);
		if (i > 3)
			break;
	}
	d = report(r, &c);
	assert_non_null(d);
	assert_true(contains(d->content, "4.4.7"));
	assert_true(contains(d->content, "Connection refused"));
	fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
	rig_settle(r);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* Very many failed recipients still make a report that fits. */
static void test_many(void **state)
{
	struct rig       *r = rig_new();
	struct fake_call *c = NULL;
	char             *to = malloc(LIMIT_RCPTS * 220), name[201];
	size_t            n = 0;

	(void)state;
	memset(name, 'x', 200);
	name[200] = '\0';
	for (size_t i = 0; i < LIMIT_RCPTS; i++)
		n += (size_t)sprintf(to + n, "%s%s%zu@demo.test", i ? " " : "", name, i);
	rig_open(r);
	assert_true(rig_submit(r, "ann@demo.test", to, MAIL) != 0);
	for (size_t i = 0; i < LIMIT_RCPTS; i++) {
		c = fake_ipc_next(IPC_AUTH_RESOLVE);
		assert_non_null(c);
		fake_ipc_answer(c, ST_NOT_FOUND, NULL);
	}
	rig_settle(r);
	assert_int_equal(rig_messages(r), 1);
	assert_non_null(report(r, &c));
	fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
	rig_settle(r);
	assert_int_equal(rig_messages(r), 0);
	free(to);
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_mixed),   cmocka_unit_test(test_crash),
		cmocka_unit_test(test_hops),  cmocka_unit_test(test_expired), cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
