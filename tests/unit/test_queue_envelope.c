/* What a sender asks for beside delivery: when it begins, who is first, the filter's hop, quarantine; what is refused; and a queue of
 * the first schema with mail in it. */
#include "unit.h"

#include <stdio.h>

#include "base/limits.h"
#include "queue/queue_in.h"
#include "queue_rig.h"

#define MAIL   "From: a@far.test\r\nSubject: x\r\n\r\nbody\r\n"
#define MINUTE ((int64_t)60 * 1000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct queue_id_request all_of(uint64_t id)
{
	return (struct queue_id_request){ .id = id };
}

/* ---- validation ---- */

static bool taken(struct rig *r)
{
	return rig_submit(r, "ann@demo.test", "bob@demo.test", MAIL) != 0;
}

static void test_refused(void **state)
{
	static const struct {
		struct rig_wants wants;
		bool             ok;
	} cases[] = {
		{ { .envid = "abc", .orcpt = "rfc822;b@x.test", .notify = QUEUE_NOTIFY_NEVER, .priority = 9 }, true },
		{ { .notify = QUEUE_NOTIFY_SUCCESS | QUEUE_NOTIFY_FAILURE | QUEUE_NOTIFY_DELAY, .priority = -9 }, true },
		{ { .orcpt = "utf-8;b\xc3\xb6@x.test" }, true },
		{ { .envid = "a\nb" }, false },
		{ { .envid = "a\x7f" }, false },
		{ { .envid = "\xc3\xb6" }, false },
		{ { .orcpt = "rfc822;a\rb" }, false },
		{ { .orcpt = "b@x.test" }, false },
		{ { .orcpt = ";b@x.test" }, false },
		{ { .orcpt = "rfc822;" }, false },
		{ { .orcpt = "rfc822;\xff" }, false },
		{ { .orcpt = "r\xc3\xb6;b" }, false },
		{ { .notify = QUEUE_NOTIFY_NEVER | QUEUE_NOTIFY_SUCCESS }, false },
		{ { .notify = 16 }, false },
		{ { .notify = UINT32_MAX }, false },
		{ { .priority = 10 }, false },
		{ { .priority = -10 }, false },
		{ { .priority = INT64_MIN }, false },
		{ { .hold_until_ms = -1 }, false },
		{ { .hold_until_ms = INT64_MAX }, false },
		{ { .deliver_by_ms = -1 }, false },
		{ { .deliver_by_ms = INT64_MAX }, false },
		{ { .flags = QUEUE_FLAG_RET_FULL | QUEUE_FLAG_RET_HDRS }, false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct rig *r = rig_new();

		rig_open(r);
		rig_wants = cases[i].wants;
		if (taken(r) != cases[i].ok)
			fail_msg("case %zu", i);
		rig_free(&r);
	}
}

/* What is no flag for a submit is left out: nobody makes reports by hand. */
static void test_flags(void **state)
{
	struct rig *r = rig_new();
	uint64_t    id;

	(void)state;
	rig_open(r);
	rig_wants.flags = UINT32_MAX & ~(uint32_t)(QUEUE_FLAG_RET_HDRS | QUEUE_FLAG_HOLD | QUEUE_FLAG_FILTER);
	id = rig_submit(r, "ann@demo.test", "bob@demo.test", MAIL);
	assert_true(id);
	assert_int_equal(rig_show(r, id).flags & QUEUE_FLAG_BOUNCE, 0);
	assert_int_equal(rig_show(r, id).flags >> 12, 0);
	rig_free(&r);
}

/* ---- RFC 4865 ---- */

static void test_held_back(void **state)
{
	struct rig             *r = rig_new();
	struct queue_show_reply s;
	uint64_t                id, count = 0, floor;

	(void)state;
	rig_open(r);
	rig_wants.hold_until_ms = rig_wall + 2 * HOUR;
	id = rig_submit(r, "ann@demo.test", "bob@demo.test", MAIL);
	rig_wants.hold_until_ms = 0;
	s = rig_show(r, id);
	assert_int_equal(s.begins_ms, rig_wall + 2 * HOUR);
	assert_int_equal(s.entry.next_ms, rig_wall + 2 * HOUR);
	assert_true(str_starts(s.entry.reason, STR("Held back until")));
	rig_pass(r, HOUR);
	assert_int_equal(queue_retry(r->q, &(struct queue_id_request){ .id = 0 }, &count), ST_OK);
	assert_int_equal(count, 0); /* all is not this one */
	rig_crash(r);
	rig_open(r);
	rig_pass(r, 59 * MINUTE);
	assert_int_equal(fake_ipc_waiting(), 0);
	/* It keeps no account from forgetting delivery ids meanwhile. */
	floor = atomic_load(&r->q->floor);
	rig_submit(r, "ann@demo.test", "bob@demo.test", MAIL);
	rig_resolve(r, "5");
	rig_local(r, LOCAL_DELIVERED, "", "");
	rig_settle(r);
	assert_true(atomic_load(&r->q->floor) > floor && floor > id);
	rig_pass(r, MINUTE);
	assert_true(rig_resolve(r, "5"));
	assert_true(rig_local(r, LOCAL_DEFERRED, "4.2.2", "full"));
	assert_int_equal(rig_show(r, id).begins_ms, 0);
	rig_pass(r, 20 * MINUTE);
	assert_true(rig_resolve(r, "5"));
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_int_equal(rig_messages(r), 0);
	/* By its id an administrator may. */
	rig_wants.hold_until_ms = rig_wall + 2 * HOUR;
	id = rig_submit(r, "ann@demo.test", "bob@demo.test", MAIL);
	assert_int_equal(queue_retry(r->q, &(struct queue_id_request){ .id = id }, &count), ST_OK);
	rig_settle(r);
	assert_int_equal(rig_show(r, id).begins_ms, 0);
	assert_true(rig_resolve(r, "5"));
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	/* A quarantine that ends does not end it. */
	rig_wants.flags = QUEUE_FLAG_HOLD;
	id = rig_submit(r, "ann@demo.test", "bob@demo.test", MAIL);
	assert_int_equal(queue_release(r->q, &(struct queue_id_request){ .id = id }, &count), ST_OK);
	rig_settle(r);
	assert_int_equal(fake_ipc_waiting(), 0);
	assert_true(str_starts(rig_show(r, id).entry.reason, STR("Held back until")));
	rig_pass(r, 2 * HOUR);
	assert_true(rig_resolve(r, "5"));
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	rig_free(&r);
}

/* It expires so long after its time, not after it came. */
static void test_held_back_expires(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	r->options.expire_ms = HOUR;
	rig_open(r);
	rig_wants.hold_until_ms = rig_wall + 3 * HOUR;
	rig_submit(r, "", "bob@demo.test", MAIL);
	rig_pass(r, 3 * HOUR);
	rig_resolve(r, "5");
	rig_local(r, LOCAL_DEFERRED, "4.2.2", "full");
	assert_int_equal(rig_messages(r), 1);
	for (int i = 0; i < 3; i++) {
		rig_pass(r, HOUR);
		rig_resolve(r, "5");
		rig_local(r, LOCAL_DEFERRED, "4.2.2", "full");
	}
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* ---- quarantine; hold and release ---- */

static uint64_t held(struct rig *r)
{
	struct queue_stats_reply s;

	assert_int_equal(queue_stats(r->q, &s), ST_OK);
	return s.held;
}

static void test_quarantine(void **state)
{
	struct rig *r = rig_new();
	uint64_t    id, count = 0;

	(void)state;
	rig_open(r);
	rig_wants.flags = QUEUE_FLAG_HOLD;
	id = rig_submit(r, "ann@demo.test", "bob@demo.test", MAIL);
	assert_int_equal(held(r), 1);
	assert_int_equal(fake_ipc_waiting(), 0);
	assert_str(rig_show(r, id).entry.reason, STR("Quarantined by a filter"));
	rig_crash(r);
	rig_open(r);
	assert_int_equal(held(r), 1);
	assert_int_equal(queue_retry(r->q, &(struct queue_id_request){ .id = id }, &count), ST_OK);
	rig_settle(r);
	assert_int_equal(held(r), 0);
	rig_crash(r); /* released is released, whatever its flag says */
	rig_open(r);
	assert_true(rig_resolve(r, "5"));
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

static void test_hold(void **state)
{
	struct queue_edit_reply gone = { 0 };
	struct rig             *r = rig_new();
	struct queue_id_request by_from = { .from = STR("eve@") }, by_to = { .to = STR("bob@demo") };
	uint64_t                a, b, count = 0;

	(void)state;
	rig_open(r);
	a = rig_submit(r, "eve@demo.test", "bob@demo.test carl@demo.test", MAIL); /* in its round */
	assert_int_equal(queue_hold(r->q, &by_from, &count), ST_OK);
	assert_int_equal(count, 1);
	rig_resolve(r, "5");
	rig_resolve(r, "6");
	rig_local(r, LOCAL_DEFERRED, "4.2.2", "full"); /* the last target is asked first */
	rig_local(r, LOCAL_DELIVERED, "", "");
	assert_int_equal(rig_show(r, a).entry.state, QUEUE_HELD);
	assert_int_equal(rig_show(r, a).entry.rcpts_left, 1); /* what was done is done */
	assert_int_equal(held(r), 1);
	b = rig_submit(r, "dan@demo.test", "bob@demo.test", MAIL);
	rig_resolve(r, "5");
	rig_local(r, LOCAL_DEFERRED, "4.2.2", "full");
	rig_pass(r, MINUTE);
	assert_int_equal(queue_hold(r->q, &by_to, &count), ST_OK);
	assert_int_equal(count, 1); /* the other is held already */
	assert_int_equal(held(r), 2);
	assert_str(rig_show(r, b).entry.reason, STR("Held by an administrator"));
	rig_pass(r, DAY);
	assert_int_equal(fake_ipc_waiting(), 0);
	assert_int_equal(queue_hold(r->q, &(struct queue_id_request){ .id = b }, &count), ST_OK);
	assert_int_equal(count, 0); /* it is there, and as it should be */
	assert_int_equal(queue_release(r->q, &by_from, &count), ST_OK);
	assert_int_equal(count, 1);
	rig_settle(r);
	rig_resolve(r, "6");
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_int_equal(held(r), 1);
	struct queue_id_request everything = all_of(0);
	assert_int_equal(queue_release(r->q, &everything, &count), ST_OK);
	rig_settle(r);
	rig_resolve(r, "5");
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_int_equal(queue_release(r->q, &everything, &count), ST_OK);
	assert_int_equal(count, 0);
	assert_int_equal(rig_messages(r), 0);
	/* A round that ends well leaves nothing to hold. */
	rig_submit(r, "eve@demo.test", "bob@demo.test", MAIL);
	assert_int_equal(queue_hold(r->q, &by_from, &count), ST_OK);
	rig_resolve(r, "5");
	rig_local(r, LOCAL_DELIVERED, "", "");
	assert_int_equal(rig_messages(r), 0);
	assert_int_equal(held(r), 0);
	/* Removed by sender. */
	a = rig_submit(r, "eve@demo.test", "bob@demo.test", MAIL);
	b = rig_submit(r, "dan@demo.test", "bob@demo.test", MAIL);
	rig_crash(r);
	rig_open(r);
	assert_int_equal(queue_remove(r->q, &by_from, &gone), ST_OK);
	assert_int_equal(gone.count, 1);
	assert_int_equal(rig_show(r, b).entry.id, b);
	rig_free(&r);
}

/* More than one operation takes. */
static void test_many(void **state)
{
	struct queue_edit_reply gone = { 0 };
	struct fake_reply *replies[2100];
	struct rig        *r = rig_new();
	uint64_t           count = 0;

	(void)state;
	rig_open(r);
	rig_wants.flags = QUEUE_FLAG_HOLD;
	for (size_t i = 0; i < LEN(replies); i++)
		replies[i] = rig_submit_raw(r, NULL, i % 3 ? "a@far.test" : "b@far.test", "bob@demo.test", STR(MAIL), -1, strlen(MAIL));
	rig_settle(r);
	for (size_t i = 0; i < LEN(replies); i++)
		fake_reply_done(&replies[i]);
	assert_int_equal(held(r), 2100);
	assert_int_equal(queue_remove(r->q, &(struct queue_id_request){ .from = STR("b@") }, &gone), ST_OK);
	assert_int_equal(gone.count, 700);
	assert_int_equal(queue_release(r->q, &(struct queue_id_request){ .id = 0 }, &count), ST_OK);
	assert_int_equal(count, 1400);
	assert_int_equal(held(r), 0);
	assert_int_equal(queue_remove(r->q, &(struct queue_id_request){ .id = 0 }, &gone), ST_OK);
	assert_int_equal(gone.count, 1400);
	rig_free(&r);
}

/* ---- RFC 6710 ---- */

static void test_priority(void **state)
{
	static const int64_t priorities[] = { 0, -9, 3, 0, 9, -1, 3 };
	struct rig          *r = rig_new();
	struct buf           order;
	struct fake_call    *c;

	(void)state;
	r->options.active_max = 1;
	rig_open(r);
	rig_submit(r, "", "x@demo.test", MAIL); /* takes the one place */
	for (size_t i = 0; i < LEN(priorities); i++) {
		rig_wants.priority = priorities[i];
		rig_submit(r, "", arena_printf(r->arena, "%zu@demo.test", i).p, MAIL);
		rig_mono++;
	}
	rig_close(r);
	rig_open(r); /* all due; the priorities are known from the disk */
	buf_init(&order, 100);
	while ((c = fake_ipc_next(IPC_AUTH_RESOLVE)) != NULL) {
		buf_add(&order, str_first(((const struct auth_resolve_request *)c->body)->address, 1));
		fake_ipc_answer(c, ST_NOT_FOUND, NULL);
		rig_settle(r);
	}
	assert_str(buf_str(&order), STR("42603x51")); /* x was in its round: due from the start on */
	buf_done(&order);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* ---- the content filter ---- */

static void test_filter(void **state)
{
	struct rig                          *r = rig_new();
	const struct remote_deliver_request *q;
	struct fake_call                    *c;
	struct remote_rcpt_result            res[2];
	uint64_t                             id;

	(void)state;
	r->options.filter = STR("lmtp:127.0.0.1:10024");
	r->options.relay = STR("relay.test:25");
	rig_open(r);
	rig_wants.flags = QUEUE_FLAG_FILTER;
	id = rig_submit(r, "ann@demo.test", "list@demo.test bob@far.test", MAIL);
	assert_null(fake_ipc_next(IPC_AUTH_RESOLVE));
	c = fake_ipc_next(IPC_REMOTE_DELIVER);
	assert_non_null(c);
	q = c->body;
	assert_str(q->relay, STR("lmtp:127.0.0.1:10024"));
	assert_int_equal(q->rcpt_count, 2);
	for (size_t i = 0; i < 2; i++)
		res[i] = (struct remote_rcpt_result){ q->rcpts[i].index,
						      str_eq(q->rcpts[i].address, STR("list@demo.test")) ? REMOTE_DEFERRED : REMOTE_DELIVERED,
						      STR("4.0.0"), STR("450 later"), STR("filter"), STR(""), 0 };
	fake_ipc_answer(c, ST_OK, &(struct remote_deliver_reply){ res, 2 });
	rig_settle(r);
	for (size_t i = 0; i < 2; i++)
		if (rig_show(r, id).rcpts[i].state == QUEUE_RCPT_PENDING)
			assert_str(rig_show(r, id).rcpts[i].site, STR("lmtp:127.0.0.1:10024"));
	rig_pass(r, 20 * MINUTE);
	c = fake_ipc_next(IPC_REMOTE_DELIVER);
	q = c->body;
	assert_int_equal(q->rcpt_count, 1);
	assert_str(q->rcpts[0].address, STR("list@demo.test"));
	fake_ipc_answer(c, ST_TEMP, NULL);
	rig_settle(r);
	/* The setting is gone: it goes its own way. */
	queue_set_live(r->q, &(struct queue_live){ .retry_first_ms = MINUTE, .retry_max_ms = HOUR, .expire_ms = DAY, .delay_warning_ms = -1 });
	rig_pass(r, 20 * MINUTE);
	assert_true(rig_resolve(r, "5"));
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* ---- from the first schema ---- */

static const char schema_1[] =
	"CREATE TABLE message(id INTEGER PRIMARY KEY, state INTEGER NOT NULL, due INTEGER, base INTEGER NOT NULL,"
	" pinned INTEGER NOT NULL, attempts INTEGER NOT NULL, stalls INTEGER NOT NULL, crashes INTEGER NOT NULL,"
	" last INTEGER NOT NULL, reason TEXT NOT NULL, file INTEGER NOT NULL, flags INTEGER NOT NULL, account INTEGER NOT NULL,"
	" received INTEGER NOT NULL, entered INTEGER NOT NULL, size INTEGER NOT NULL, sender TEXT NOT NULL,"
	" session TEXT NOT NULL, peer TEXT NOT NULL, hash BLOB NOT NULL);"
	"CREATE INDEX message_due ON message(due) WHERE due IS NOT NULL;"
	"CREATE INDEX message_pin ON message(base) WHERE pinned = 1;"
	"CREATE TABLE rcpt(message INTEGER NOT NULL, n INTEGER NOT NULL, state INTEGER NOT NULL, fixed INTEGER NOT NULL,"
	" account INTEGER NOT NULL, attempts INTEGER NOT NULL, last INTEGER NOT NULL, address TEXT NOT NULL, target TEXT NOT NULL,"
	" code TEXT NOT NULL, answer TEXT NOT NULL, PRIMARY KEY(message, n)) WITHOUT ROWID;"
	"CREATE TABLE content(message INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE txids(batch INTEGER PRIMARY KEY, at INTEGER NOT NULL, wall INTEGER NOT NULL, data BLOB NOT NULL);"
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	/* "a" in its round with two recipients, one done; one due in an hour; one held. SHA-256 of "x\r\n". */
	"INSERT INTO message VALUES(70, 0, NULL, 70, 0, 0, 0, 0, 0, '', 0, 0, 0, 1700000000000, 1700000000000, 3, 'ann@demo.test', 's', 'p',"
	" X'b35e09fa2ced9ebcad9d16336fb961146fe34bfbebc562679da85f8a314c9dca');"
	"INSERT INTO message VALUES(71, 0, 1700003600000, 0, 0, 1, 0, 0, 0, 'full', 0, 0, 0, 1700000000000, 1700000000000, 3, 'ann@demo.test',"
	" 's', 'p', X'b35e09fa2ced9ebcad9d16336fb961146fe34bfbebc562679da85f8a314c9dca');"
	"INSERT INTO message VALUES(72, 2, NULL, 0, 0, 1, 0, 3, 0, 'crashed', 0, 0, 0, 1700000000000, 1700000000000, 3, 'ann@demo.test',"
	" 's', 'p', X'b35e09fa2ced9ebcad9d16336fb961146fe34bfbebc562679da85f8a314c9dca');"
	"INSERT INTO rcpt VALUES(70, 0, 1, 0, 5, 1, 0, 'a@demo.test', 'a@demo.test', '', ''), (70, 1, 0, 0, 0, 0, 0, 'b@demo.test', '', '', ''),"
	" (71, 0, 0, 0, 0, 0, 0, 'c@demo.test', '', '', ''), (72, 0, 0, 0, 0, 0, 0, 'd@demo.test', '', '', '');"
	"INSERT INTO content VALUES(70, X'780d0a'), (71, X'780d0a'), (72, X'780d0a');"
	"INSERT INTO meta VALUES('next_id', 1000), ('clock', 1700000000000), ('wall', 1700000000000);";

static void test_migration(void **state)
{
	static const char *const      steps[] = { schema_1 };
	static const struct db_schema schema = { steps, 1 };
	const struct db_options       o = { .schema = &schema, .create = true, .page_size = 8192 };
	struct rig                   *r = rig_new();
	char                          path[80];
	struct db                    *db;
	uint64_t                      count = 0;

	(void)state;
	snprintf(path, sizeof(path), "%s/queue.db", r->options.root);
	assert_int_equal(db_open(path, &o, &db), ST_OK);
	db_close(&db);
	rig_open(r);
	assert_int_equal(rig_messages(r), 3);
	assert_int_equal(held(r), 1);
	assert_int_equal(rig_show(r, 70).rcpts[1].notify, 0);
	assert_int_equal(rig_show(r, 70).priority, 0);
	assert_str(rig_show(r, 71).rcpts[0].site, STR("demo.test"));
	assert_true(rig_resolve(r, NULL));
	assert_true(rig_resolve(r, "9")); /* a failure is reported as ever */
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_int_equal(rig_messages(r), 2);
	rig_pass(r, HOUR);
	assert_true(rig_resolve(r, "5"));
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_int_equal(queue_release(r->q, &(struct queue_id_request){ .id = 72 }, &count), ST_OK);
	rig_settle(r);
	assert_true(rig_resolve(r, "5"));
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),    cmocka_unit_test(test_flags), cmocka_unit_test(test_held_back), cmocka_unit_test(test_held_back_expires),
		cmocka_unit_test(test_quarantine), cmocka_unit_test(test_hold),  cmocka_unit_test(test_priority),  cmocka_unit_test(test_filter),
		cmocka_unit_test(test_migration),  cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
