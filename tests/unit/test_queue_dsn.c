/* Who is told of what: NOTIFY, RET, ENVID and ORCPT (RFC 3461), delays, times to deliver by (RFC 2852), and that nothing is told twice. */
#include "unit.h"

#include <stdio.h>

#include "base/limits.h"
#include "queue/queue_in.h"
#include "queue_rig.h"

#define MAIL   "From: a@far.test\r\nSubject: original subject\r\n\r\nsecret body\r\n"
#define MINUTE ((int64_t)60 * 1000)
#define HOUR   (60 * MINUTE)
#define N      QUEUE_NOTIFY_NEVER
#define S      QUEUE_NOTIFY_SUCCESS
#define F      QUEUE_NOTIFY_FAILURE
#define D      QUEUE_NOTIFY_DELAY

static bool contains(struct str s, const char *what)
{
	return str_search(s, str_of(what)) >= 0;
}

/* The next report, delivered to account 9; its text lives in the rig's arena. "" if nobody is asked about ann. */
static struct str report(struct rig *r)
{
	struct fake_call                   *c = fake_ipc_next(IPC_AUTH_RESOLVE);
	const struct local_deliver_request *d;
	struct auth_target                  to = { .account = 9, .address = STR("ann@demo.test") };
	struct str                          text;

	if (!c)
		return STR("");
	assert_str(((const struct auth_resolve_request *)c->body)->address, STR("ann@demo.test"));
	fake_ipc_answer(c, ST_OK, &(struct auth_resolve_reply){ &to, 1 });
	rig_settle(r);
	c = fake_ipc_next(IPC_LOCAL_DELIVER);
	assert_non_null(c);
	d = c->body;
	assert_int_equal(d->from.n, 0);
	text = arena_dup(r->arena, d->content);
	fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
	rig_settle(r);
	return text;
}

static unsigned count_of(struct str s, const char *what)
{
	unsigned  n = 0;
	ptrdiff_t at;

	while ((at = str_search(s, str_of(what))) >= 0) {
		n++;
		s = str_from(s, (size_t)at + 1);
	}
	return n;
}

/* "failed", "relayed delivered", "": the actions in the order of the report. */
static struct str actions(struct rig *r, struct str text)
{
	struct str all = STR("");
	ptrdiff_t  at;

	while ((at = str_search(text, STR("\r\nAction: "))) >= 0) {
		struct str one, rest;

		text = str_from(text, (size_t)at + 10);
		str_cut(text, '\r', &one, &rest);
		all = arena_printf(r->arena, "%.*s%s%.*s", STR_FMT(all), all.n ? " " : "", STR_FMT(one));
	}
	return all;
}

/* The next delivery that remote is asked for, and its answer. */
static const struct remote_deliver_request *asked(struct fake_call **c)
{
	*c = fake_ipc_next(IPC_REMOTE_DELIVER);
	assert_non_null(*c);
	return (*c)->body;
}

static void answer(struct rig *r, struct fake_call *c, enum remote_result result, const char *code)
{
	struct remote_rcpt_result one = { 0, result, str_of(code), STR("what it said"), STR("mx.far.test"), STR(""), rig_passed };

	fake_ipc_answer(c, ST_OK, &(struct remote_deliver_reply){ &one, 1 });
	rig_settle(r);
}

/* ---- one recipient, every combination ---- */

enum how { LOCAL_OK, LOCAL_NO, LOCAL_LATER, HOST_OK, HOST_OK_DSN, HOST_NO, HOST_LATER, NOBODY };

static void happen(struct rig *r, enum how how)
{
	if (how == NOBODY) {
		assert_true(rig_resolve(r, NULL));
		return;
	}
	assert_true(rig_resolve(r, how <= LOCAL_LATER ? "5" : "bob@far.test"));
	rig_passed = how == HOST_OK_DSN ? REMOTE_PASSED_DSN : 0;
	switch (how) {
	case LOCAL_OK:    assert_true(rig_local(r, LOCAL_DELIVERED, "", "")); break;
	case LOCAL_NO:    assert_true(rig_local(r, LOCAL_REFUSED, "5.7.1", "no")); break;
	case LOCAL_LATER: assert_true(rig_local(r, LOCAL_DEFERRED, "4.2.2", "full")); break;
	case HOST_OK:
	case HOST_OK_DSN: assert_true(rig_remote(r, REMOTE_DELIVERED, "2.0.0", "250 ok")); break;
	case HOST_NO:     assert_true(rig_remote(r, REMOTE_REFUSED, "5.1.1", "550 no")); break;
	default:          assert_true(rig_remote(r, REMOTE_DEFERRED, "4.2.2", "452 full"));
	}
}

static void test_table(void **state)
{
	static const struct {
		uint32_t    notify;
		enum how    how;
		const char *told;
	} cases[] = {
		{ 0, LOCAL_OK, "" },           { 0, LOCAL_NO, "failed" },        { 0, LOCAL_LATER, "delayed" },   { 0, HOST_OK, "" },
		{ 0, HOST_OK_DSN, "" },        { 0, HOST_NO, "failed" },         { 0, HOST_LATER, "delayed" },    { 0, NOBODY, "failed" },
		{ N, LOCAL_OK, "" },           { N, LOCAL_NO, "" },              { N, LOCAL_LATER, "" },          { N, HOST_OK, "" },
		{ N, HOST_OK_DSN, "" },        { N, HOST_NO, "" },               { N, HOST_LATER, "" },           { N, NOBODY, "" },
		{ S, LOCAL_OK, "delivered" },  { S, LOCAL_NO, "" },              { S, LOCAL_LATER, "" },          { S, HOST_OK, "relayed" },
		{ S, HOST_OK_DSN, "" },        { S, HOST_NO, "" },               { S, HOST_LATER, "" },           { S, NOBODY, "" },
		{ F, LOCAL_OK, "" },           { F, LOCAL_NO, "failed" },        { F, LOCAL_LATER, "" },          { F, HOST_OK, "" },
		{ F, HOST_OK_DSN, "" },        { F, HOST_NO, "failed" },         { F, HOST_LATER, "" },           { F, NOBODY, "failed" },
		{ D, LOCAL_OK, "" },           { D, LOCAL_NO, "" },              { D, LOCAL_LATER, "delayed" },   { D, HOST_OK, "" },
		{ D, HOST_OK_DSN, "" },        { D, HOST_NO, "" },               { D, HOST_LATER, "delayed" },    { D, NOBODY, "" },
		{ S | F, LOCAL_OK, "delivered" }, { S | F, HOST_NO, "failed" },  { S | D, HOST_OK, "relayed" },   { S | F | D, LOCAL_LATER, "delayed" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		for (int from = 0; from < 2; from++) { /* with a null sender nobody is told anything */
			struct rig *r = rig_new();
			struct str  text;
			bool        later = cases[i].how == LOCAL_LATER || cases[i].how == HOST_LATER;

			r->options.delay_warning_ms = later ? 1 : -1; /* so the first deferral is late already */
			rig_open(r);
			rig_wants.notify = cases[i].notify;
			rig_mono += 10;
			rig_submit(r, from ? "" : "ann@demo.test", "bob@demo.test", MAIL);
			rig_mono += 10;
			happen(r, cases[i].how);
			text = report(r);
			if (!str_eq(actions(r, text), str_of(from ? "" : cases[i].told)))
				print_error("case %zu: told \"%.*s\"\n", i, STR_FMT(actions(r, text)));
			assert_str(actions(r, text), str_of(from ? "" : cases[i].told));
			assert_int_equal(rig_messages(r), later);
			if (text.n)
				assert_int_equal(contains(text, "secret body"), contains(text, "Action: failed"));
			assert_int_equal(fake_ipc_waiting(), 0);
			rig_free(&r);
		}
	}
}

/* ---- what is in it ---- */

static void test_fields(void **state)
{
	static const struct {
		uint32_t flags;
		bool     body;
	} cases[] = { { 0, true }, { QUEUE_FLAG_RET_FULL, true }, { QUEUE_FLAG_RET_HDRS, false }, { QUEUE_FLAG_REQUIRETLS, false } };

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct rig *r = rig_new();
		struct str  text;

		rig_open(r);
		rig_wants = (struct rig_wants){ .flags = cases[i].flags, .envid = "QQ 314159", .orcpt = "rfc822;Bob.Public@list.test" };
		rig_submit(r, "ann@demo.test", "bob@demo.test", MAIL);
		rig_resolve(r, "bob@far.test");
		assert_true(rig_remote(r, REMOTE_REFUSED, "5.1.1", "550 5.1.1 no"));
		/* The report of a message that requires TLS requires it too, RFC 8689 §5. */
		struct queue_list_reply list;
		assert_int_equal(queue_list(r->q, &(struct queue_list_request){ .after = 0 }, r->arena, &list), ST_OK);
		assert_int_equal(list.entry_count, 1);
		assert_int_equal(rig_show(r, list.entries[0].id).flags & QUEUE_FLAG_REQUIRETLS, cases[i].flags & QUEUE_FLAG_REQUIRETLS);
		text = report(r);
		assert_true(contains(text, "\r\nOriginal-Envelope-Id: QQ 314159\r\n"));
		assert_true(contains(text, "\r\nOriginal-Recipient: rfc822; Bob.Public@list.test\r\n"));
		assert_true(contains(text, "\r\nFinal-Recipient: rfc822; bob@far.test\r\n"));
		assert_true(contains(text, "\r\nRemote-MTA: dns; mx.far.test\r\n"));
		assert_true(contains(text, "original subject"));
		assert_int_equal(contains(text, "secret body"), cases[i].body);
		rig_free(&r);
	}
}

/* Remote is told all of it. */
static void test_passed_on(void **state)
{
	struct rig                          *r = rig_new();
	const struct remote_deliver_request *q;
	struct fake_call                    *c;

	(void)state;
	rig_open(r);
	rig_wants = (struct rig_wants){ .flags = QUEUE_FLAG_RET_HDRS | QUEUE_FLAG_BY_NOTIFY | QUEUE_FLAG_BY_TRACE, .notify = S | D, .envid = "e1",
					.orcpt = "utf-8;b\xc3\xb6" "b@far.test", .deliver_by_ms = rig_wall + 100 * 1000, .priority = -3 };
	rig_submit(r, "ann@demo.test", "bob@far.test", MAIL);
	rig_mono += 40 * 1000;
	rig_resolve(r, "bob@far.test");
	q = asked(&c);
	assert_str(q->envid, STR("e1"));
	assert_int_equal(q->flags, rig_wants.flags);
	assert_int_equal(q->priority, -3);
	assert_true(q->by && q->by_s == 60);
	assert_int_equal(q->rcpts[0].notify, S | D);
	assert_str(q->rcpts[0].orcpt, str_of(rig_wants.orcpt));
	rig_passed = REMOTE_PASSED_DSN | REMOTE_PASSED_BY;
	answer(r, c, REMOTE_DELIVERED, "2.0.0");
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* ---- aliases ---- */

static void test_alias(void **state)
{
	struct rig       *r = rig_new();
	struct fake_call *c;
	struct str        text;

	(void)state;
	/* One target: all goes on to it, and the sender is told of the address it knows. */
	rig_open(r);
	rig_wants.notify = S | F;
	rig_submit(r, "ann@demo.test", "info@demo.test", MAIL);
	rig_resolve(r, "bob@far.test");
	assert_int_equal(asked(&c)->rcpts[0].notify, S | F);
	answer(r, c, REMOTE_DELIVERED, "2.0.0");
	text = report(r);
	assert_str(actions(r, text), STR("relayed"));
	assert_true(contains(text, "Original-Recipient: rfc822; info@demo.test"));
	/* Several: SUCCESS ends here, in one report; a later failure of a target is told still. */
	rig_submit(r, "ann@demo.test", "list@demo.test", MAIL);
	rig_resolve(r, "5 6 c@far.test");
	assert_int_equal(asked(&c)->rcpts[0].notify, F);
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	answer(r, c, REMOTE_DEFERRED, "4.2.2");
	text = report(r);
	assert_str(actions(r, text), STR("expanded"));
	assert_true(contains(text, "Final-Recipient: rfc822; list@demo.test"));
	assert_int_equal(rig_messages(r), 1);
	rig_pass(r, 20 * MINUTE);
	assert_true(rig_remote(r, REMOTE_REFUSED, "5.1.1", "550 no"));
	text = report(r);
	assert_str(actions(r, text), STR("failed"));
	assert_true(contains(text, "Original-Recipient: rfc822; list@demo.test"));
	/* SUCCESS alone: after the report the targets have NEVER. */
	rig_wants.notify = S;
	rig_submit(r, "ann@demo.test", "list@demo.test", MAIL);
	rig_resolve(r, "5 c@far.test");
	assert_int_equal(asked(&c)->rcpts[0].notify, N);
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	answer(r, c, REMOTE_REFUSED, "5.1.1");
	assert_str(actions(r, report(r)), STR("expanded"));
	/* Two recipients that lead to one account: both are told of. */
	rig_submit(r, "ann@demo.test", "bob@demo.test b.smith@demo.test", MAIL);
	rig_resolve(r, "5");
	rig_resolve(r, "5");
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_str(actions(r, report(r)), STR("delivered expanded"));
	assert_int_equal(rig_messages(r), 0);
	assert_int_equal(fake_ipc_waiting(), 0);
	rig_free(&r);
}

/* ---- once, whatever happens ---- */

/* A lost attempt is repeated under its id; the success is told when it is known, once. */
static void test_success_after_loss(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	rig_open(r);
	rig_wants.notify = S;
	rig_submit(r, "ann@demo.test", "bob@demo.test", MAIL);
	rig_resolve(r, "5");
	assert_true(rig_local_lost(r));
	assert_int_equal(report(r).n, 0);
	rig_pass(r, 10 * 1000);
	rig_resolve(r, "5");
	rig_crash(r); /* before the answer */
	rig_open(r);
	rig_resolve(r, "5");
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	rig_crash(r); /* the report is on disk with it */
	rig_open(r);
	assert_int_equal(rig_messages(r), 1);
	assert_str(actions(r, report(r)), STR("delivered"));
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* A success that is written before the round is over is owed, over a crash too, and told once (Q10). */
static void test_owed(void **state)
{
	struct rig       *r = rig_new();
	struct fake_call *c;
	const char       *done, *waits;
	struct str        text;

	(void)state;
	rig_open(r);
	rig_wants.notify = S | F;
	rig_submit(r, "ann@demo.test", "b@one.test c@two.test", MAIL);
	rig_resolve(r, "b@one.test");
	rig_resolve(r, "c@two.test");
	done = str_eq(asked(&c)->domain, STR("one.test")) ? "b@one.test" : "c@two.test";
	waits = done[0] == 'b' ? "c@two.test" : "b@one.test";
	answer(r, c, REMOTE_DELIVERED, "2.0.0");
	rig_crash(r);
	rig_open(r);
	rig_resolve(r, waits);
	assert_str(asked(&c)->rcpts[0].address, str_of(waits));
	answer(r, c, REMOTE_DEFERRED, "4.2.2");
	text = report(r);
	assert_str(actions(r, text), STR("relayed"));
	assert_int_equal(count_of(text, done), 2); /* for people, and for programs */
	assert_int_equal(count_of(text, waits), 0);
	rig_crash(r);
	rig_open(r);
	rig_pass(r, 20 * MINUTE);
	rig_resolve(r, waits);
	(void)asked(&c);
	answer(r, c, REMOTE_DELIVERED, "2.0.0");
	text = report(r);
	assert_str(actions(r, text), STR("relayed"));
	assert_int_equal(count_of(text, done), 0);
	/* A host that reports by itself leaves nothing owed. */
	rig_passed = REMOTE_PASSED_DSN;
	rig_submit(r, "ann@demo.test", "b@one.test c@two.test", MAIL);
	rig_resolve(r, "b@one.test");
	rig_resolve(r, "c@two.test");
	(void)asked(&c);
	answer(r, c, REMOTE_DELIVERED, "2.0.0");
	rig_crash(r);
	rig_open(r);
	rig_resolve(r, waits);
	(void)asked(&c);
	answer(r, c, REMOTE_DELIVERED, "2.0.0");
	assert_int_equal(report(r).n, 0);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* ---- delays ---- */

static void test_delay_once(void **state)
{
	struct rig *r = rig_new();
	unsigned    delays = 0, rounds = 0;
	struct str  text;

	(void)state;
	r->options.delay_warning_ms = 0; /* the default, 4 h */
	rig_open(r);
	rig_submit(r, "ann@demo.test", "bob@far.test", MAIL);
	for (int64_t at = 0; at < 30 * HOUR; at += MINUTE, rig_pass(r, MINUTE)) {
		if (fake_ipc_waiting() > 0) {
			assert_true(rig_resolve(r, "bob@far.test"));
			assert_true(rig_remote(r, REMOTE_DEFERRED, "4.4.1", "Connection refused"));
			rounds++;
		}
		text = report(r);
		if (text.n == 0)
			continue;
		delays++;
		assert_str(actions(r, text), STR("delayed"));
		assert_true(at >= 4 * HOUR && at <= 4 * HOUR + 2 * MINUTE);
		assert_true(contains(text, "Will-Retry-Until: ") && contains(text, "Status: 4.4.1"));
		rig_crash(r);
		rig_open(r);
	}
	assert_int_equal(delays, 1);
	assert_true(rounds > 6);
	rig_free(&r);
}

/* RFC 2852: R: it fails, without another attempt; N: its sender is told once, and it goes on. */
static void test_by(void **state)
{
	struct rig       *r = rig_new();
	struct fake_call *c;
	struct str        text;

	(void)state;
	rig_open(r);
	rig_wants.deliver_by_ms = rig_wall + 10 * MINUTE;
	rig_submit(r, "ann@demo.test", "bob@far.test", MAIL);
	rig_resolve(r, "bob@far.test");
	assert_true(rig_remote(r, REMOTE_DEFERRED, "4.4.1", "refused"));
	rig_pass(r, 7 * MINUTE);
	rig_resolve(r, "bob@far.test");
	assert_true(rig_remote(r, REMOTE_DEFERRED, "4.4.1", "refused"));
	rig_pass(r, 2 * MINUTE);
	assert_int_equal(fake_ipc_waiting(), 0);
	rig_pass(r, MINUTE); /* to the minute, though its back-off is longer */
	assert_null(fake_ipc_next(IPC_REMOTE_DELIVER));
	text = report(r);
	assert_str(actions(r, text), STR("failed"));
	assert_true(contains(text, "Status: 5.4.7"));
	assert_int_equal(rig_messages(r), 0);
	/* It is over before it begins. */
	rig_wants.deliver_by_ms = rig_wall - 1000;
	rig_submit(r, "ann@demo.test", "bob@far.test", MAIL);
	assert_str(actions(r, report(r)), STR("failed"));
	/* N */
	rig_wants.flags = QUEUE_FLAG_BY_NOTIFY;
	rig_wants.deliver_by_ms = rig_wall + MINUTE;
	rig_submit(r, "ann@demo.test", "bob@far.test", MAIL);
	rig_resolve(r, "bob@far.test");
	assert_true(rig_remote(r, REMOTE_DEFERRED, "4.4.1", "refused"));
	rig_pass(r, MINUTE);
	rig_resolve(r, "bob@far.test");
	assert_true(asked(&c)->by_s <= 0);
	answer(r, c, REMOTE_DEFERRED, "4.4.1");
	assert_str(actions(r, report(r)), STR("delayed"));
	rig_pass(r, 20 * MINUTE);
	rig_resolve(r, "bob@far.test");
	assert_true(rig_remote(r, REMOTE_DEFERRED, "4.4.1", "refused"));
	assert_int_equal(report(r).n, 0);
	rig_pass(r, HOUR);
	rig_resolve(r, "bob@far.test");
	assert_true(rig_remote(r, REMOTE_DELIVERED, "2.0.0", "ok")); /* to a host that keeps no times: the trail ends here */
	assert_str(actions(r, report(r)), STR("relayed"));
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* One that notes its time and expires later is given up for its age. */
static void test_by_then_expired(void **state)
{
	struct rig             *r = rig_new();
	struct queue_show_reply shown;
	struct str              text;
	uint64_t                id;

	(void)state;
	r->options.expire_ms = 10 * MINUTE;
	rig_open(r);
	rig_wants = (struct rig_wants){ .flags = QUEUE_FLAG_BY_NOTIFY, .deliver_by_ms = rig_wall + MINUTE, .notify = F };
	id = rig_submit(r, "ann@demo.test", "bob@far.test", MAIL);
	for (int i = 0; i < 60 && queue_show(r->q, id, r->arena, &shown) == ST_OK; i++) {
		if (fake_ipc_waiting() > 0) {
			rig_resolve(r, "bob@far.test");
			assert_true(rig_remote(r, REMOTE_DEFERRED, "4.4.1", "refused"));
		} else {
			rig_pass(r, MINUTE);
		}
	}
	text = report(r);
	assert_str(actions(r, text), STR("failed"));
	assert_true(contains(text, "Status: 4.4.7"));
	rig_free(&r);
}

/* A report that would be too long keeps the failures. */
static void test_failures_first(void **state)
{
	struct rig *r = rig_new();
	char       *to = malloc(LIMIT_RCPTS * 260), name[201];
	size_t      n = 0;
	struct str  text;

	(void)state;
	memset(name, 'x', 200);
	name[200] = '\0';
	for (size_t i = 0; i < LIMIT_RCPTS; i++)
		n += (size_t)sprintf(to + n, "%s%s%zu@demo.test", i ? " " : "", name, i);
	r->options.local_max = 2000;
	rig_open(r);
	rig_wants.notify = S | F;
	assert_true(rig_submit(r, "ann@demo.test", to, MAIL));
	for (size_t i = 0; i < LIMIT_RCPTS; i++) {
		struct fake_call  *c = fake_ipc_next(IPC_AUTH_RESOLVE);
		struct auth_target t = { .account = 100 + i, .address = STR("a@demo.test") };

		assert_non_null(c);
		fake_ipc_answer(c, i == LIMIT_RCPTS - 1 ? ST_NOT_FOUND : ST_OK, &(struct auth_resolve_reply){ &t, 1 });
	}
	rig_settle(r);
	for (struct fake_call *c; (c = fake_ipc_next(IPC_LOCAL_DELIVER)) != NULL;)
		fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
	rig_settle(r);
	text = report(r);
	assert_true(text.n <= LIMIT_INLINE && str_starts(actions(r, text), STR("failed delivered")));
	assert_int_equal(rig_messages(r), 0);
	free(to);
	rig_free(&r);
}

static void test_hostname(void **state)
{
	struct rig *r = rig_new();
	struct str  text;

	(void)state;
	rig_open(r);
	queue_set_live(r->q, &(struct queue_live){ .hostname = STR("new.demo.test"), .retry_first_ms = MINUTE, .retry_max_ms = HOUR, .expire_ms = HOUR,
						   .delay_warning_ms = -1 });
	rig_submit(r, "ann@demo.test", "bob@far.test", MAIL);
	rig_resolve(r, NULL);
	text = report(r);
	assert_true(contains(text, "Reporting-MTA: dns; new.demo.test"));
	assert_true(contains(text, "MAILER-DAEMON@new.demo.test"));
	assert_false(contains(text, "mx.demo.test"));
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_fields),     cmocka_unit_test(test_passed_on),
		cmocka_unit_test(test_alias), cmocka_unit_test(test_success_after_loss), cmocka_unit_test(test_owed),
		cmocka_unit_test(test_delay_once), cmocka_unit_test(test_by),    cmocka_unit_test(test_hostname),
		cmocka_unit_test(test_by_then_expired), cmocka_unit_test(test_failures_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
