/* tests/unit/test_queue_edit.c - redirect, edit and bounce, in each phase of a message; next hops that are programs. */
#include "unit.h"

#include <stdio.h>

#include "base/limits.h"
#include "queue/queue_in.h"
#include "queue_rig.h"

#define MAIL "From: a@far.test\r\nSubject: the subject\r\n\r\nHello\r\n"

static struct queue_edit_reply redirect(struct rig *r, uint64_t id, const char *to, const char *address, enum status want)
{
	struct queue_edit_address add = { str_of(address) };
	struct queue_edit_request q = { .id = id, .to = str_of(to), .add = &add, .add_count = 1 };
	struct queue_edit_reply   reply = { 0 };

	assert_int_equal(queue_redirect(r->q, &q, &reply), want);
	return reply;
}

/* `sender` NULL: as it is. Lists with blanks between. */
static struct queue_edit_reply edit(struct rig *r, uint64_t id, const char *remove, const char *add, const char *sender, enum status want)
{
	struct queue_edit_address list[2][LIMIT_QUEUE_EDITS];
	struct queue_edit_request q = { .id = id, .remove = list[0], .add = list[1], .sender_given = sender != NULL, .sender = str_of(sender) };
	struct queue_edit_reply   reply = { 0 };
	struct str                rest = str_of(remove);

	while (rest.n > 0)
		str_cut(rest, ' ', &list[0][q.remove_count++].text, &rest);
	rest = str_of(add);
	while (rest.n > 0)
		str_cut(rest, ' ', &list[1][q.add_count++].text, &rest);
	assert_int_equal(queue_edit(r->q, &q, &reply), want);
	return reply;
}

static struct queue_edit_reply bounce(struct rig *r, uint64_t id, const char *from)
{
	struct queue_edit_reply reply = { 0 };

	assert_int_equal(queue_bounce(r->q, &(struct queue_id_request){ .id = id, .from = str_of(from) }, &reply), ST_OK);
	rig_settle(r);
	return reply;
}

/* One that waits after an attempt. */
static uint64_t waiting(struct rig *r, const char *to)
{
	uint64_t   id = rig_submit(r, "a@far.test", to, MAIL);
	struct str rest = str_of(to), one;

	while (rest.n > 0) {
		str_cut(rest, ' ', &one, &rest);
		assert_true(rig_resolve(r, arena_cstr(r->arena, one)));
	}
	while (rig_remote(r, REMOTE_DEFERRED, "4.4.1", "no connection"))
		continue;
	assert_int_equal(rig_show(r, id).entry.state, QUEUE_WAITING);
	return id;
}

/* The report goes out to its sender: its text. */
static struct str report(struct rig *r)
{
	struct fake_call                    *c;
	const struct remote_deliver_request *q;
	struct str                           text;

	assert_true(rig_resolve(r, "a@far.test"));
	c = fake_ipc_next(IPC_REMOTE_DELIVER);
	assert_non_null(c);
	q = c->body;
	assert_int_equal(q->from.n, 0);
	text = arena_dup(r->arena, q->content);
	fake_ipc_answer(c, ST_OK, &(struct remote_deliver_reply){ &(struct remote_rcpt_result){ 0, REMOTE_DELIVERED, STR("2.0.0"), STR("ok"), STR(""), STR(""), 0 }, 1 });
	rig_settle(r);
	return text;
}

static void assert_has(struct str text, const char *what)
{
	if (str_search(text, str_of(what)) < 0)
		fail_msg("no \"%s\" in\n%.*s", what, STR_FMT(text));
}

static void test_redirect_waiting(void **state)
{
	struct rig             *r = rig_new();
	struct queue_show_reply s;
	uint64_t                id;

	(void)state;
	rig_open(r);
	id = waiting(r, "bob@two.test");
	assert_int_equal(redirect(r, id, "", "Ann@THREE.test", ST_OK).count, 1);
	s = rig_show(r, id);
	assert_int_equal(s.rcpt_count, 1);
	assert_str(s.rcpts[0].address, STR("Ann@three.test"));
	assert_str(s.rcpts[0].orcpt, STR("rfc822;bob@two.test"));
	assert_str(s.entry.reason, STR("Redirected by an administrator"));
	assert_int_equal(redirect(r, id, "", "Ann@three.test", ST_OK).count, 0); /* nothing to be done, and said so */
	rig_settle(r);
	assert_true(rig_resolve(r, "Ann@three.test")); /* now, not at the time of the back-off */
	assert_true(rig_remote(r, REMOTE_REFUSED, "5.1.1", "nobody here"));
	assert_has(report(r), "Original-Recipient: rfc822; bob@two.test");
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* Bad addresses, no such id, no selection: nothing is changed. */
static void test_refused(void **state)
{
	static const char *const bad[] = { "", "ann", "ann@", "@two.test", "a b@two.test", "ann@two.test\r\nx", "ann@two..test", "<ann@two.test>", "ann@two.test," };
	struct rig              *r = rig_new();
	uint64_t                 id, count;
	char                     many[32 * 110] = "";

	(void)state;
	rig_open(r);
	id = waiting(r, "bob@two.test");
	assert_int_equal(queue_hold(r->q, &(struct queue_id_request){ .id = id }, &count), ST_OK); /* or a change would begin its round */
	for (size_t i = 0; i < LEN(bad); i++) {
		redirect(r, id, "", bad[i], ST_INVALID);
		edit(r, id, "", bad[i][0] ? bad[i] : "x", NULL, ST_INVALID);
		if (bad[i][0])
			edit(r, id, "", "", bad[i], ST_INVALID);
	}
	redirect(r, id + 1, "", "ann@three.test", ST_NOT_FOUND);
	edit(r, id + 1, "", "ann@three.test", NULL, ST_NOT_FOUND);
	edit(r, id, "", "", NULL, ST_INVALID);
	edit(r, 0, "", "ann@three.test", NULL, ST_INVALID);
	edit(r, id, "eve@two.test", "", NULL, ST_NOT_FOUND);
	edit(r, id, "bob@two.test", "", NULL, ST_INVALID); /* nobody would be left */
	edit(r, id, "", "BOB@two.test", NULL, ST_EXISTS);
	edit(r, id, "", "ann@three.test ANN@three.test", NULL, ST_INVALID);
	for (int round = 0; round < 10; round++) {
		many[0] = '\0';
		for (int i = 0; i < 100; i++)
			snprintf(many + strlen(many), sizeof(many) - strlen(many), "%su%d.%d@three.test", i ? " " : "", round, i);
		edit(r, id, "", many, NULL, round < 9 ? ST_OK : ST_LIMIT);
	}
	assert_int_equal(rig_show(r, id).rcpt_count, 901);
	rig_free(&r);
}

static void test_edit(void **state)
{
	struct rig             *r = rig_new();
	struct queue_show_reply s;
	uint64_t                id, count;

	(void)state;
	rig_open(r);
	id = waiting(r, "bob@two.test eve@two.test");
	assert_int_equal(queue_hold(r->q, &(struct queue_id_request){ .id = id }, &count), ST_OK);
	assert_int_equal(edit(r, id, "BOB@two.test", "ann@three.test", "new@far.test", ST_OK).count, 1);
	s = rig_show(r, id);
	assert_int_equal(s.rcpt_count, 2);
	assert_str(s.rcpts[0].address, STR("eve@two.test"));
	assert_str(s.rcpts[1].address, STR("ann@three.test"));
	assert_str(s.entry.from, STR("new@far.test"));
	edit(r, id, "", "", "", ST_OK);
	assert_str(rig_show(r, id).entry.from, STR(""));
	rig_free(&r);
}

/* In its round: left as it is, whatever step it is at, and said so. */
static void in_round(const char *targets, bool attempted)
{
	struct rig *r = rig_new();
	uint64_t    id;

	rig_open(r);
	id = rig_submit(r, "a@far.test", "bob@two.test", MAIL);
	if (attempted)
		rig_resolve(r, targets);
	assert_int_equal(redirect(r, id, "", "ann@three.test", ST_OK).busy, 1);
	assert_int_equal(edit(r, id, "", "ann@three.test", NULL, ST_OK).busy, 1);
	assert_int_equal(bounce(r, id, "").busy, 1);
	assert_int_equal(redirect(r, 0, "two", "ann@three.test", ST_OK).busy, 1);
	assert_int_equal(rig_show(r, id).rcpt_count, 1);
	assert_str(rig_show(r, id).rcpts[0].address, STR("bob@two.test"));
	if (!attempted)
		rig_resolve(r, targets);
	if (!rig_remote(r, REMOTE_DELIVERED, "2.0.0", "ok"))
		assert_true(rig_local(r, LOCAL_DELIVERED, "2.0.0", "ok"));
	assert_int_equal(rig_messages(r), 0); /* delivered, and nobody was told otherwise */
	assert_int_equal(fake_ipc_waiting(), 0);
	rig_free(&r);
}

static void test_in_its_round(void **state)
{
	(void)state;
	in_round("bob@two.test", false);
	in_round("bob@two.test", true);
	in_round("5", false);
	in_round("5", true);
}

static void test_bounce(void **state)
{
	struct rig             *r = rig_new();
	struct queue_edit_reply reply;
	struct str              text;
	uint64_t                id;

	(void)state;
	rig_open(r);
	id = waiting(r, "bob@two.test eve@two.test");
	reply = bounce(r, id, "");
	assert_int_equal(reply.count, 1);
	assert_int_equal(reply.reports, 1);
	text = report(r);
	assert_has(text, "bob@two.test");
	assert_has(text, "eve@two.test");
	assert_has(text, "Status: 5.4.1");
	assert_has(text, "Action: failed");
	assert_has(text, "Delivery was ended by an administrator");
	assert_has(text, "no connection");
	assert_has(text, "Subject: the subject");
	assert_int_equal(rig_messages(r), 0);
	rig_pass(r, 24 * 3600 * 1000);
	assert_int_equal(fake_ipc_waiting(), 0);
	rig_free(&r);
}

/* Held, never tried; without a sender; one that wants no reports; all of a sender at once. */
static void test_bounce_others(void **state)
{
	struct rig             *r = rig_new();
	struct queue_edit_reply reply;
	struct queue_stats_reply stats;
	uint64_t                id, count;

	(void)state;
	rig_open(r);
	rig_wants.flags = QUEUE_FLAG_HOLD;
	id = rig_submit(r, "a@far.test", "bob@two.test", MAIL);
	rig_wants.flags = 0;
	assert_int_equal(bounce(r, id, "").reports, 1);
	assert_has(report(r), "Status: 5.7.1");
	assert_int_equal(queue_stats(r->q, &stats), ST_OK);
	assert_int_equal(stats.held, 0);
	id = rig_submit(r, "", "bob@two.test", MAIL);
	rig_resolve(r, "bob@two.test");
	rig_remote(r, REMOTE_DEFERRED, "4.4.1", "no connection");
	reply = bounce(r, id, "");
	assert_int_equal(reply.count, 1);
	assert_int_equal(reply.reports, 0);
	rig_wants.notify = QUEUE_NOTIFY_NEVER;
	id = waiting(r, "bob@two.test");
	rig_wants.notify = 0;
	assert_int_equal(bounce(r, id, "").reports, 0);
	assert_int_equal(rig_messages(r), 0);
	for (int i = 0; i < 120; i++)
		waiting(r, "bob@two.test");
	reply = bounce(r, 0, "a@far");
	assert_int_equal(reply.count, 120);
	assert_int_equal(reply.reports, 120);
	assert_int_equal(bounce(r, 0, "a@far").count, 0);
	assert_int_equal(rig_messages(r), 120);
	assert_int_equal(queue_bounce(r->q, &(struct queue_id_request){ .id = 7 }, &reply), ST_NOT_FOUND);
	for (count = 0; fake_ipc_waiting() > 0; count++)
		report(r);
	assert_int_equal(count, 120);
	rig_free(&r);
}

/* The message or its report, never both and never neither. */
static void test_bounce_crash(void **state)
{
	struct rig *r = rig_new();
	uint64_t    id;

	(void)state;
	rig_open(r);
	id = waiting(r, "bob@two.test");
	assert_int_equal(bounce(r, id, "").reports, 1);
	rig_crash(r);
	rig_open(r);
	assert_int_equal(rig_messages(r), 1);
	assert_has(report(r), "Final-Recipient: rfc822; bob@two.test");
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* With a part of an address: what matches is meant, and the message goes on for the others. */
static void test_some(void **state)
{
	struct rig             *r = rig_new();
	struct queue_edit_reply reply = { 0 };
	struct queue_show_reply s;
	struct str              text;
	uint64_t                id;

	(void)state;
	rig_open(r);
	id = waiting(r, "bob@two.test eve@three.test joe@four.test ann@five.test");
	assert_int_equal(queue_hold(r->q, &(struct queue_id_request){ .id = id }, &(uint64_t){ 0 }), ST_OK);
	reply = redirect(r, 0, "@FOUR", "max@six.test", ST_OK);
	assert_int_equal(reply.count, 1);
	assert_int_equal(reply.recipients, 1);
	assert_int_equal(queue_remove(r->q, &(struct queue_id_request){ .to = STR("@five") }, &reply), ST_OK);
	assert_int_equal(reply.count, 1);
	assert_int_equal(reply.recipients, 1);
	s = rig_show(r, id);
	assert_int_equal(s.rcpt_count, 3);
	assert_str(s.rcpts[1].address, STR("eve@three.test"));
	assert_str(s.rcpts[2].address, STR("max@six.test"));
	reply = (struct queue_edit_reply){ 0 };
	assert_int_equal(queue_bounce(r->q, &(struct queue_id_request){ .to = STR("@two") }, &reply), ST_OK);
	assert_int_equal(reply.count, 1);
	assert_int_equal(reply.recipients, 1);
	assert_int_equal(reply.reports, 1);
	rig_settle(r);
	text = report(r);
	assert_has(text, "Final-Recipient: rfc822; bob@two.test");
	assert_true(str_search(text, STR("eve@three.test")) < 0);
	assert_true(str_search(text, STR("joe@four.test")) < 0);
	s = rig_show(r, id);
	assert_int_equal(s.entry.state, QUEUE_HELD);
	assert_int_equal(s.rcpts[0].state, QUEUE_RCPT_FAILED);
	assert_int_equal(s.rcpts[1].state, QUEUE_RCPT_PENDING);
	assert_int_equal(s.rcpts[2].state, QUEUE_RCPT_PENDING);
	assert_int_equal(s.entry.rcpts_left, 2);
	/* Whom it failed for is meant no more; a removal of all that wait takes the message. */
	assert_int_equal(queue_bounce(r->q, &(struct queue_id_request){ .to = STR("@two") }, &reply), ST_OK);
	assert_int_equal(reply.count, 0);
	assert_int_equal(rig_messages(r), 1);
	rig_close(r);
	rig_open(r);
	assert_int_equal(queue_remove(r->q, &(struct queue_id_request){ .to = STR(".test") }, &reply), ST_OK);
	assert_int_equal(reply.recipients, 2);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* A success that is owed is not told by the report of others' end, and not forgotten. */
static void test_some_owed(void **state)
{
	struct rig             *r = rig_new();
	struct queue_edit_reply reply = { 0 };
	struct str              text;
	uint64_t                id;

	(void)state;
	rig_open(r);
	rig_wants.notify = QUEUE_NOTIFY_SUCCESS | QUEUE_NOTIFY_FAILURE;
	id = rig_submit(r, "a@far.test", "bob@two.test eve@three.test joe@four.test", MAIL);
	rig_wants.notify = 0;
	rig_resolve(r, "bob@two.test");
	rig_resolve(r, "eve@three.test");
	rig_resolve(r, "joe@four.test");
	rig_remote(r, REMOTE_DELIVERED, "2.0.0", "ok"); /* written early, and the process dies */
	rig_crash(r);
	assert_int_equal(queue_open(&r->options, &r->q), ST_OK);
	assert_int_equal(queue_bounce(r->q, &(struct queue_id_request){ .to = STR("joe@") }, &reply), ST_OK);
	assert_int_equal(reply.reports, 1);
	assert_int_equal(rig_show(r, id).entry.rcpts_left, 1);
	reply = (struct queue_edit_reply){ 0 };
	assert_int_equal(queue_bounce(r->q, &(struct queue_id_request){ .to = STR("eve@") }, &reply), ST_OK);
	assert_int_equal(reply.reports, 1);
	assert_int_equal(rig_messages(r), 2);
	rig_close(r);
	rig_open(r);
	text = report(r);
	assert_has(text, "Final-Recipient: rfc822; joe@four.test");
	assert_true(str_search(text, STR("Action: relayed")) < 0);
	text = report(r);
	assert_has(text, "Final-Recipient: rfc822; eve@three.test");
	assert_has(text, "Action: relayed");
	rig_free(&r);
}

/* Recipients go out in the order in which they were given, those over one transaction's limit last. */
static void test_order(void **state)
{
	struct rig                          *r = rig_new();
	const struct remote_deliver_request *q;
	struct fake_call                    *c;
	char                                 to[32 * (QUEUE_JOB_RCPTS + 1)] = "";
	size_t                               n = 0;

	(void)state;
	rig_open(r);
	for (unsigned i = 0; i <= QUEUE_JOB_RCPTS; i++)
		n += (size_t)snprintf(to + n, sizeof(to) - n, "%su%u@two.test", i ? " " : "", i);
	rig_submit(r, "a@far.test", to, MAIL);
	for (unsigned i = 0; i <= QUEUE_JOB_RCPTS; i++) {
		snprintf(to, sizeof(to), "u%u@two.test", i);
		assert_true(rig_resolve(r, to));
	}
	c = fake_ipc_next(IPC_REMOTE_DELIVER);
	q = c->body;
	assert_int_equal(q->rcpt_count, QUEUE_JOB_RCPTS);
	for (unsigned i = 0; i < QUEUE_JOB_RCPTS; i++) {
		snprintf(to, sizeof(to), "u%u@two.test", i);
		assert_str(q->rcpts[i].address, str_of(to));
	}
	fake_ipc_answer(c, ST_TEMP, NULL);
	rig_free(&r);
}

/* What is wrong with an edit has its own words. */
static void test_edit_wrong(void **state)
{
	struct rig *r = rig_new();
	uint64_t    id;

	(void)state;
	rig_open(r);
	id = waiting(r, "bob@two.test");
	assert_int_equal(edit(r, id, "bob@two.test", "", NULL, ST_INVALID).wrong, QUEUE_EDIT_NOBODY);
	assert_int_equal(edit(r, id, "", "x@two.test X@two.test", NULL, ST_INVALID).wrong, QUEUE_EDIT_ADD_TWICE);
	assert_int_equal(edit(r, id, "bob@two.test BOB@two.test", "", NULL, ST_INVALID).wrong, QUEUE_EDIT_REMOVE_TWICE);
	assert_int_equal(edit(r, id, "", "", "no address", ST_INVALID).wrong, QUEUE_EDIT_FINE);
	rig_free(&r);
}

/* Of many, those in their round are named. */
static void test_busy_named(void **state)
{
	struct rig            *r = rig_new();
	struct queue_edit_busy busy[LIMIT_QUEUE_BUSY];
	struct queue_edit_reply reply = { .busy_ids = busy };
	uint64_t               id, two;

	(void)state;
	rig_open(r);
	two = waiting(r, "bob@two.test");
	id = rig_submit(r, "a@far.test", "bob@two.test eve@three.test", MAIL);
	assert_int_equal(queue_remove(r->q, &(struct queue_id_request){ .to = STR("bob@") }, &reply), ST_OK);
	assert_int_equal(reply.count, 1); /* all of the other */
	assert_int_equal(reply.busy, 1);
	assert_int_equal(reply.busy_id_count, 1);
	assert_int_equal(busy[0].id, id);
	assert_int_equal(queue_show(r->q, two, r->arena, &(struct queue_show_reply){ 0 }), ST_NOT_FOUND);
	for (int i = 0; i < 150; i++)
		rig_submit(r, "a@far.test", "bob@two.test", MAIL);
	reply = (struct queue_edit_reply){ .busy_ids = busy };
	assert_int_equal(queue_bounce(r->q, &(struct queue_id_request){ .to = STR("bob@") }, &reply), ST_OK);
	assert_int_equal(reply.busy, 151);
	assert_int_equal(reply.busy_id_count, LIMIT_QUEUE_BUSY);
	rig_free(&r);
}

/* Without a server: nobody is asked, nothing starts, and what is owed waits on disk. Reports that a wish makes are not what it means, however many pages it has. */
static void test_offline(void **state)
{
	struct rig             *r = rig_new();
	struct queue_edit_reply reply;
	uint64_t                id, two, count;

	(void)state;
	rig_open(r);
	id = waiting(r, "bob@two.test");
	two = waiting(r, "eve@two.test");
	for (int i = 0; i < 70; i++)
		waiting(r, "all@two.test");
	rig_close(r);
	assert_int_equal(queue_open(&r->options, &r->q), ST_OK);
	assert_int_equal(bounce(r, id, "").reports, 1);
	assert_int_equal(bounce(r, two, "").reports, 1);
	assert_int_equal(rig_messages(r), 72);
	reply = bounce(r, 0, "a@far");
	assert_int_equal(reply.count, 70);
	id = rig_submit(r, "b@far.test", "bob@two.test", MAIL);
	assert_int_equal(rig_show(r, id).entry.state, QUEUE_WAITING);
	redirect(r, id, "", "ann@three.test", ST_OK);
	edit(r, id, "", "eve@three.test", "c@far.test", ST_OK);
	assert_int_equal(queue_retry(r->q, &(struct queue_id_request){ .id = id }, &count), ST_OK);
	assert_int_equal(bounce(r, 0, "").count, 73); /* reports too, and without a report */
	assert_int_equal(rig_messages(r), 1);
	assert_int_equal(queue_hold(r->q, &(struct queue_id_request){ .id = 0 }, &count), ST_OK);
	assert_int_equal(queue_release(r->q, &(struct queue_id_request){ .id = 0 }, &count), ST_OK);
	rig_settle(r);
	rig_crash(r);
	rig_open(r);
	assert_true(rig_resolve(r, "c@far.test"));
	assert_true(rig_remote(r, REMOTE_DELIVERED, "2.0.0", "ok"));
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* Of a list partly done: who has it is not asked again, who waits is redirected; one that is redirected to somebody who has it gets no second copy. */
static void test_list(void **state)
{
	struct rig             *r = rig_new();
	struct queue_show_reply s;
	struct fake_call       *c;
	struct str              text;
	uint64_t                id;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "list@demo.test", MAIL);
	rig_resolve(r, "bob@two.test eve@three.test carl@four.test");
	for (int i = 0; i < 3; i++) {
		c = fake_ipc_next(IPC_REMOTE_DELIVER);
		bool done = str_eq(((const struct remote_deliver_request *)c->body)->domain, STR("two.test"));
		fake_ipc_answer(c, ST_OK, &(struct remote_deliver_reply){ &(struct remote_rcpt_result){ 0, done ? REMOTE_DELIVERED : REMOTE_DEFERRED, STR("4.4.1"), STR("x"), STR(""), STR(""), 0 }, 1 });
		rig_settle(r);
	}
	s = rig_show(r, id);
	assert_int_equal(s.rcpt_count, 3);
	assert_int_equal(redirect(r, id, "", "bob@two.test", ST_OK).count, 1);
	rig_settle(r);
	assert_true(rig_resolve(r, "bob@two.test"));
	assert_true(rig_resolve(r, "bob@two.test"));
	assert_null(fake_ipc_next(IPC_REMOTE_DELIVER));
	assert_int_equal(rig_messages(r), 0);
	/* Bounced: who has it is not told of. */
	id = rig_submit(r, "a@far.test", "list@demo.test", MAIL);
	rig_resolve(r, "bob@two.test eve@three.test");
	for (int i = 0; i < 2; i++) {
		c = fake_ipc_next(IPC_REMOTE_DELIVER);
		bool done = str_eq(((const struct remote_deliver_request *)c->body)->domain, STR("two.test"));
		fake_ipc_answer(c, ST_OK, &(struct remote_deliver_reply){ &(struct remote_rcpt_result){ 0, done ? REMOTE_DELIVERED : REMOTE_DEFERRED, STR("4.4.1"), STR("x"), STR(""), STR(""), 0 }, 1 });
		rig_settle(r);
	}
	bounce(r, id, "");
	text = report(r);
	assert_has(text, "eve@three.test");
	assert_true(str_search(text, STR("bob@two.test")) < 0);
	rig_free(&r);
}

/* A held one stays held, and goes to its new recipient when it is released. */
static void test_held(void **state)
{
	struct rig *r = rig_new();
	uint64_t    id, count;

	(void)state;
	rig_open(r);
	id = waiting(r, "bob@two.test");
	assert_int_equal(queue_hold(r->q, &(struct queue_id_request){ .id = id }, &count), ST_OK);
	assert_int_equal(redirect(r, id, "", "ann@three.test", ST_OK).count, 1);
	assert_int_equal(rig_show(r, id).entry.state, QUEUE_HELD);
	rig_pass(r, 24 * 3600 * 1000);
	assert_int_equal(fake_ipc_waiting(), 0);
	assert_int_equal(queue_release(r->q, &(struct queue_id_request){ .id = id }, &count), ST_OK);
	rig_settle(r);
	assert_true(rig_resolve(r, "ann@three.test"));
	assert_true(rig_remote(r, REMOTE_DELIVERED, "2.0.0", "ok"));
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* Redirected, then the process dies: it goes to the new recipient, under the delivery id that a lost attempt had. */
static void test_redirect_crash(void **state)
{
	struct rig       *r = rig_new();
	struct fake_call *c;
	uint64_t          id, delivery;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
	rig_resolve(r, "5");
	c = fake_ipc_next(IPC_LOCAL_DELIVER);
	delivery = ((const struct local_deliver_request *)c->body)->delivery;
	fake_ipc_answer(c, ST_TEMP, NULL); /* lost: it may have been delivered */
	rig_settle(r);
	assert_int_equal(redirect(r, id, "", "ann@demo.test", ST_OK).count, 1);
	rig_crash(r);
	rig_open(r);
	assert_true(rig_resolve(r, "5")); /* the same account, as it turns out */
	c = fake_ipc_next(IPC_LOCAL_DELIVER);
	assert_int_equal(((const struct local_deliver_request *)c->body)->delivery, delivery); /* so it knows it */
	fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR("2.0.0"), STR("") });
	rig_settle(r);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* ---- pipes ---- */

static void pipes_set(struct rig *r, uint32_t recipients)
{
	struct queue_live live = queue_live(r->q);
	struct queue_pipe pipe = { STR("box"), recipients, 4 };

	live.pipes = &pipe;
	live.pipe_count = 1;
	queue_set_live(r->q, &live);
}

static void resolve_pipe(struct rig *r, const char *relay)
{
	struct fake_call          *c = fake_ipc_next(IPC_AUTH_RESOLVE);
	struct auth_target         target = { .address = arena_dup(r->arena, ((const struct auth_resolve_request *)c->body)->address), .relay = str_of(relay) };
	struct auth_resolve_reply  reply = { &target, 1 };

	fake_ipc_answer(c, ST_OK, &reply);
	rig_settle(r);
}

static const struct pipe_deliver_request *pipe_answer(struct rig *r, enum remote_result result, const char *code)
{
	static struct pipe_deliver_request copy;
	struct fake_call                  *c = fake_ipc_next(IPC_PIPE_DELIVER);
	struct remote_rcpt_result          results[LIMIT_PIPE_RCPTS];
	struct remote_deliver_reply        reply = { results, 0, REMOTE_SITE_ANSWERED };

	if (!c)
		return NULL;
	copy = *(const struct pipe_deliver_request *)c->body;
	copy.name = arena_dup(r->arena, copy.name);
	copy.nexthop = arena_dup(r->arena, copy.nexthop);
	for (size_t i = 0; i < copy.rcpt_count; i++)
		results[reply.result_count++] = (struct remote_rcpt_result){ copy.rcpts[i].index, result, str_of(code), STR("words"), STR("pipe:box"), STR(""), 0 };
	fake_ipc_answer(c, ST_OK, &reply);
	rig_settle(r);
	return &copy;
}

static void test_pipe(void **state)
{
	struct rig                        *r = rig_new();
	const struct pipe_deliver_request *q;
	uint64_t                           id;

	(void)state;
	rig_open(r);
	pipes_set(r, 1);
	id = rig_submit(r, "a@far.test", "bob@box.test eve@box.test", MAIL);
	resolve_pipe(r, "pipe:box");
	resolve_pipe(r, "pipe:box:next.example");
	q = pipe_answer(r, REMOTE_DEFERRED, "4.3.0");
	assert_non_null(q);
	assert_int_equal(q->rcpt_count, 1);
	assert_str(q->name, STR("box"));
	q = pipe_answer(r, REMOTE_DELIVERED, "2.0.0");
	assert_non_null(q);
	assert_null(pipe_answer(r, REMOTE_DELIVERED, "2.0.0"));
	assert_int_equal(rig_show(r, id).entry.rcpts_left, 1);
	assert_int_equal(rig_show(r, id).entry.state, QUEUE_WAITING);
	rig_pass(r, 10 * 60 * 1000);
	resolve_pipe(r, "pipe:box");
	q = pipe_answer(r, REMOTE_DELIVERED, "2.0.0");
	assert_str(q->nexthop, STR("box.test"));
	assert_int_equal(rig_messages(r), 0);
	/* Several recipients in one run, of one domain. */
	pipes_set(r, 2);
	rig_submit(r, "a@far.test", "b@box.test c@box.test d@box.test e@other.test", MAIL);
	for (int i = 0; i < 4; i++)
		resolve_pipe(r, "pipe:box");
	for (size_t sum = 0, runs = 0; sum < 4; sum += q->rcpt_count) {
		q = pipe_answer(r, REMOTE_DELIVERED, "2.0.0");
		assert_non_null(q);
		assert_true(q->rcpt_count <= 2 && ++runs <= 3);
	}
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* Lost with its process: again, alone, and held the third time. Not configured: our own trouble. */
static void test_pipe_trouble(void **state)
{
	struct rig             *r = rig_new();
	struct queue_show_reply s;
	uint64_t                id;

	(void)state;
	rig_open(r);
	pipes_set(r, 1);
	id = rig_submit(r, "a@far.test", "bob@box.test", MAIL);
	for (int i = 0; i < 3; i++) {
		resolve_pipe(r, "pipe:box");
		fake_ipc_answer(fake_ipc_next(IPC_PIPE_DELIVER), ST_TEMP, NULL);
		rig_settle(r);
		rig_pass(r, 60 * 1000);
	}
	assert_int_equal(rig_show(r, id).entry.state, QUEUE_HELD);
	id = rig_submit(r, "a@far.test", "bob@box.test", MAIL);
	resolve_pipe(r, "pipe:nobox");
	s = rig_show(r, id);
	assert_int_equal(s.entry.state, QUEUE_WAITING);
	assert_str(s.rcpts[0].answer, STR("4.3.5 No pipe of this name is configured"));
	assert_int_equal(s.rcpts[0].attempts, 1);
	/* Busy: not run, and not held against it. */
	id = rig_submit(r, "a@far.test", "bob@box.test", MAIL);
	resolve_pipe(r, "pipe:box");
	fake_ipc_answer(fake_ipc_next(IPC_PIPE_DELIVER), ST_BUSY, NULL);
	rig_settle(r);
	assert_int_equal(rig_show(r, id).rcpts[0].attempts, 0);
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_redirect_waiting), cmocka_unit_test(test_refused),       cmocka_unit_test(test_edit),
		cmocka_unit_test(test_in_its_round),     cmocka_unit_test(test_bounce),        cmocka_unit_test(test_bounce_others),
		cmocka_unit_test(test_bounce_crash), cmocka_unit_test(test_offline),
		cmocka_unit_test(test_some), cmocka_unit_test(test_some_owed), cmocka_unit_test(test_order), cmocka_unit_test(test_edit_wrong), cmocka_unit_test(test_busy_named),     cmocka_unit_test(test_list),          cmocka_unit_test(test_held),
		cmocka_unit_test(test_redirect_crash),   cmocka_unit_test(test_pipe),          cmocka_unit_test(test_pipe_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
