/* Listing, showing, retrying, removing; with the queue at work and without. */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "base/limits.h"
#include "queue/queue_in.h"
#include "queue/queue_wish.h"
#include "queue_rig.h"
#include "sys/disk.h"

#define MAIL "From: a@far.test\r\nSubject: x\r\n\r\nHello\r\n"

static struct queue_list_reply list(struct rig *r, uint64_t after, const char *to, const char *from)
{
	struct queue_list_request q = { after, str_of(to), str_of(from) };
	struct queue_list_reply   reply;

	assert_int_equal(queue_list(r->q, &q, r->arena, &reply), ST_OK);
	return reply;
}

static void test_list(void **state)
{
	struct rig             *r = rig_new();
	struct queue_list_reply page;
	char                    from[64];
	uint64_t                last = 0, seen = 0;

	(void)state;
	rig_open(r);
	for (size_t i = 0; i < LIMIT_LIST_PAGE + 20; i++) {
		snprintf(from, sizeof(from), "s%zu@far.test", i);
		rig_submit(r, from, i % 2 ? "Bob@demo.test" : "eve@demo.test carl@demo.test", MAIL);
	}
	do {
		page = list(r, last, "", "");
		for (size_t i = 0; i < page.entry_count; i++) {
			assert_true(page.entries[i].id > last);
			last = page.entries[i].id;
		}
		seen += page.entry_count;
	} while (page.more);
	assert_int_equal(seen, LIMIT_LIST_PAGE + 20);
	assert_int_equal(list(r, 0, "bob@", "").entry_count, (LIMIT_LIST_PAGE + 20) / 2);
	assert_int_equal(list(r, 0, "CARL@demo.test", "").entry_count, (LIMIT_LIST_PAGE + 20) / 2);
	assert_int_equal(list(r, 0, "", "s7@far.test").entry_count, 1);
	assert_int_equal(list(r, 0, "eve", "s7@far.test").entry_count, 0);
	page = list(r, 0, "", "s8@far.test");
	assert_int_equal(page.entries[0].rcpts_left, 2);
	assert_int_equal(page.entries[0].state, QUEUE_ACTIVE);
	assert_int_equal(page.entries[0].size, strlen(MAIL));
	rig_free(&r);
}

static void test_show_and_retry(void **state)
{
	struct rig             *r = rig_new();
	struct queue_show_reply s;
	uint64_t                id, count = 0;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "bob@two.test", MAIL);
	rig_resolve(r, "bob@two.test");
	rig_remote(r, REMOTE_DEFERRED, "4.7.1", "451 come back later");
	s = rig_show(r, id);
	assert_int_equal(s.entry.state, QUEUE_WAITING);
	assert_str(s.entry.reason, STR("451 come back later"));
	assert_true(s.entry.next_ms > rig_wall + 3 * 60 * 1000 && s.entry.next_ms < rig_wall + 7 * 60 * 1000);
	assert_int_equal(s.rcpt_count, 1);
	assert_int_equal(s.rcpts[0].attempts, 1);
	assert_str(s.rcpts[0].target, STR("bob@two.test"));
	assert_str(s.rcpts[0].answer, STR("4.7.1 mx.far.test [192.0.2.9]:25: 451 come back later"));
	assert_str(s.session, STR("s1"));
	assert_int_equal(queue_show(r->q, id + 1, r->arena, &s), ST_NOT_FOUND);
	assert_int_equal(queue_retry(r->q, &(struct queue_id_request){ .id = id + 1 }, &count), ST_NOT_FOUND);
	assert_int_equal(queue_retry(r->q, &(struct queue_id_request){ .id = id }, &count), ST_OK);
	assert_int_equal(count, 1);
	rig_settle(r);
	assert_true(rig_resolve(r, "bob@two.test"));
	assert_true(rig_remote(r, REMOTE_DELIVERED, "2.0.0", "ok"));
	assert_int_equal(rig_messages(r), 0);
	assert_int_equal(queue_retry(r->q, &(struct queue_id_request){ .id = 0 }, &count), ST_OK);
	assert_int_equal(count, 0);
	rig_free(&r);
}

/* Removed while it waits, while it is being tried, and all at once; none comes back. */
static void test_remove(void **state)
{
	struct queue_edit_reply gone = { 0 };
	struct rig             *r = rig_new();
	struct queue_list_reply page;
	uint64_t                waits, tried;

	(void)state;
	rig_open(r);
	waits = rig_submit(r, "a@far.test", "bob@two.test", MAIL);
	rig_resolve(r, "bob@two.test");
	rig_remote(r, REMOTE_DEFERRED, "4.7.1", "later");
	tried = rig_submit(r, "a@far.test", "bob@two.test", MAIL);
	rig_resolve(r, "bob@two.test");
	assert_int_equal(queue_remove(r->q, &(struct queue_id_request){ .id = waits }, &(struct queue_edit_reply){ 0 }), ST_OK);
	assert_int_equal(queue_remove(r->q, &(struct queue_id_request){ .id = tried }, &(struct queue_edit_reply){ 0 }), ST_OK);
	assert_int_equal(queue_remove(r->q, &(struct queue_id_request){ .id = tried }, &(struct queue_edit_reply){ 0 }), ST_NOT_FOUND);
	page = list(r, 0, "", "");
	assert_int_equal(page.entry_count, 0);
	rig_remote(r, REMOTE_REFUSED, "5.1.1", "no"); /* the round ends: no report for what was removed */
	assert_int_equal(rig_messages(r), 0);
	for (int i = 0; i < 10; i++)
		rig_submit(r, "a@far.test", "bob@two.test", MAIL);
	assert_int_equal(queue_remove(r->q, &(struct queue_id_request){ .id = 0 }, &gone), ST_OK);
	assert_int_equal(gone.count, 10);
	while (rig_resolve(r, "bob@two.test"))
		rig_remote(r, REMOTE_DEFERRED, "4.7.1", "later");
	assert_int_equal(rig_messages(r), 0);
	rig_pass(r, 3600 * 1000);
	assert_int_equal(fake_ipc_waiting(), 0);
	rig_free(&r);
}

/* Removed in the batch that holds its result too: its recipients do not come back without it. */
static void test_remove_overtakes(void **state)
{
	struct queue_edit_reply gone = { 0 };
	struct rig     *r = rig_new();
	struct db      *db;
	struct db_stmt *s;
	char            path[64];
	uint64_t        id;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "bob@two.test", MAIL);
	fake_ipc_answer(fake_ipc_next(IPC_AUTH_RESOLVE), ST_TEMP, NULL); /* it waits; nobody waits for that to be written */
	assert_int_equal(queue_remove(r->q, &(struct queue_id_request){ .id = id }, &gone), ST_OK);
	assert_int_equal(gone.count, 1);
	rig_settle(r);
	assert_int_equal(rig_messages(r), 0);
	snprintf(path, sizeof(path), "%s/queue.db", r->options.root);
	assert_int_equal(db_open(path, &queue_db_read_options, &db), ST_OK);
	s = db_sql(db, "SELECT count(*) FROM rcpt");
	assert_int_equal(db_step(s), ST_OK);
	assert_int_equal(db_u64(s, 0), 0);
	db_done(s);
	db_close(&db);
	rig_free(&r);
}

static uint64_t rows(struct rig *r, const char *sql)
{
	struct db      *db;
	struct db_stmt *s;
	char            path[64];
	uint64_t        n;

	snprintf(path, sizeof(path), "%s/queue.db", r->options.root);
	assert_int_equal(db_open(path, &queue_db_read_options, &db), ST_OK);
	s = db_sql(db, sql);
	assert_int_equal(db_step(s), ST_OK);
	n = db_u64(s, 0);
	db_done(s);
	db_close(&db);
	return n;
}

/* Removed while one of its destinations was done and another was not: nothing of it comes back, also over a crash. */
static void test_remove_before_partial(void **state)
{
	struct rig *r = rig_new();
	uint64_t    id;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "bob@two.test eve@three.test", MAIL);
	rig_resolve(r, "bob@two.test");
	rig_resolve(r, "eve@three.test");
	assert_int_equal(queue_remove(r->q, &(struct queue_id_request){ .id = id }, &(struct queue_edit_reply){ 0 }), ST_OK);
	rig_remote(r, REMOTE_DELIVERED, "2.0.0", "ok");
	assert_int_equal(rows(r, "SELECT count(*) FROM rcpt"), 0);
	rig_crash(r);
	rig_open(r);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

static uint64_t held(struct rig *r)
{
	struct queue_stats_reply s;

	assert_int_equal(queue_stats(r->q, &s), ST_OK);
	return s.held;
}

/* The host says "later": written with whatever comes next. */
static void round_ends(struct rig *r)
{
	rig_resolve(r, "bob@two.test");
	fake_ipc_answer(fake_ipc_next(IPC_REMOTE_DELIVER), ST_OK, &(struct remote_deliver_reply){ 0 });
}

/* The end of a round stands in the transaction, and then an administrator wants something: that is not lost. */
static void test_wish_after_result(void **state)
{
	struct rig             *r = rig_new();
	struct queue_id_request q = { .id = 0 };
	uint64_t                count = 0;

	(void)state;
	rig_open(r);
	q.id = rig_submit(r, "a@far.test", "bob@two.test", MAIL);
	round_ends(r);
	assert_int_equal(queue_hold(r->q, &q, &count), ST_OK);
	assert_int_equal(count, 1);
	rig_settle(r);
	assert_int_equal(held(r), 1);
	assert_int_equal(rig_show(r, q.id).entry.state, QUEUE_HELD);
	rig_pass(r, 3600 * 1000);
	assert_int_equal(fake_ipc_waiting(), 0);
	/* and back, the same way */
	assert_int_equal(queue_release(r->q, &q, &count), ST_OK);
	rig_settle(r);
	assert_int_equal(held(r), 0);
	round_ends(r);
	assert_int_equal(queue_retry(r->q, &q, &count), ST_OK);
	rig_settle(r);
	assert_true(rig_resolve(r, "bob@two.test")); /* at once */
	assert_true(rig_remote(r, REMOTE_DELIVERED, "2.0.0", "ok"));
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* A command, while no server runs. */
static void test_no_server(void **state)
{
	struct rig *r = rig_new();
	uint64_t    id;

	(void)state;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "bob@two.test", MAIL);
	rig_close(r);
	assert_int_equal(queue_open(&r->options, &r->q), ST_OK);
	assert_int_equal(list(r, 0, "", "").entry_count, 1);
	assert_str(rig_show(r, id).entry.from, STR("a@far.test"));
	assert_int_equal(queue_remove(r->q, &(struct queue_id_request){ .id = id }, &(struct queue_edit_reply){ 0 }), ST_OK);
	assert_int_equal(list(r, 0, "", "").entry_count, 0);
	queue_close(&r->q);
	rig_free(&r);
}

/* A message whose content is damaged is held; the others go on. */
static void test_damaged(void **state)
{
	struct rig     *r = rig_new();
	struct db      *db;
	struct db_stmt *s;
	uint64_t        id, good;

	(void)state;
	r->options.active_max = 0;
	rig_open(r);
	id = rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
	good = rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
	rig_crash(r);
	char path[64];
	snprintf(path, sizeof(path), "%s/queue.db", r->options.root);
	assert_int_equal(db_open(path, &queue_db_options, &db), ST_OK);
	assert_int_equal(db_begin_write(db), ST_OK);
	s = db_sql(db, "UPDATE content SET data = CAST(replace(data, 'e', 'E') AS BLOB) WHERE message = ?1");
	db_bind_u64(s, 1, id);
	assert_int_equal(db_run(s), ST_OK);
	assert_int_equal(db_commit(db), ST_OK);
	db_close(&db);
	rig_open(r);
	assert_true(rig_resolve(r, "5"));
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_int_equal(rig_show(r, id).entry.state, QUEUE_HELD);
	assert_int_equal(queue_show(r->q, good, r->arena, &(struct queue_show_reply){ 0 }), ST_NOT_FOUND);
	assert_int_equal(queue_remove(r->q, &(struct queue_id_request){ .id = id }, &(struct queue_edit_reply){ 0 }), ST_OK);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

static uint64_t submit_large(struct rig *r, const char *to)
{
	const size_t       size = LIMIT_INLINE + 1000;
	struct fake_reply *spool = fake_ipc_ask(queue_spool, r->q, IPC_QUEUE_SPOOL, ""), *reply;
	int                fd = ((struct queue_spool_reply *)spool->body)->spool;
	uint64_t           id;

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(pwrite(fd, "S: x\r\n\r\n", 8, 0), 8);
	reply = rig_submit_raw(r, NULL, "a@far.test", to, STR(""), fd, size);
	rig_settle(r);
	assert_true(reply->over && ((struct queue_submit_reply *)reply->body)->result == QUEUE_SUBMIT_QUEUED);
	id = ((struct queue_submit_reply *)reply->body)->id;
	fake_reply_done(&reply);
	fake_reply_done(&spool);
	close(fd);
	return id;
}

static bool name_take(void *arg, const char *name, int64_t mtime_ms)
{
	(void)mtime_ms;
	snprintf(arg, 100, "content/%s", name);
	return false;
}

/* A message that cannot be read just now is not held: it is tried again, and the others go on meanwhile. */
static void test_unreadable(void **state)
{
	struct rig *r = rig_new();
	char        path[100];
	uint64_t    id, good;

	(void)state;
	r->options.active_max = 0;
	rig_open(r);
	id = submit_large(r, "bob@demo.test");
	good = rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
	rig_crash(r);
	assert_int_equal(disk_list(r->fd, "content", name_take, path), ST_OK);
	assert_int_equal(renameat(r->fd, path, r->fd, "aside"), 0);
	assert_int_equal(symlinkat("nowhere", r->fd, path), 0); /* opening it fails, not with "not found" */
	rig_open(r);
	assert_true(rig_resolve(r, "5"));
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_int_equal(queue_show(r->q, good, r->arena, &(struct queue_show_reply){ 0 }), ST_NOT_FOUND);
	assert_int_equal(rig_show(r, id).entry.state, QUEUE_WAITING);
	rig_pass(r, 60 * 1000);
	assert_int_equal(fake_ipc_waiting(), 0);
	assert_int_equal(rig_show(r, id).entry.state, QUEUE_WAITING);
	assert_int_equal(renameat(r->fd, "aside", r->fd, path), 0);
	rig_pass(r, 60 * 1000);
	assert_true(rig_resolve(r, "5"));
	assert_true(rig_local(r, LOCAL_DELIVERED, "", ""));
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

static void test_purge(void **state)
{
	struct rig                *r = rig_new();
	struct queue_purge_request q = { 7 };
	struct fake_reply         *reply;
	struct fake_call          *c;

	(void)state;
	rig_open(r);
	reply = fake_ipc_ask(queue_rows[queue_row_count - 1].handler, r->q, IPC_QUEUE_PURGE_ACCOUNT, &q);
	assert_false(reply->over);
	c = fake_ipc_next(IPC_LOCAL_PURGE);
	assert_int_equal(((const struct local_purge_request *)c->body)->account, 7);
	fake_ipc_answer(c, ST_OK, "");
	assert_true(reply->over);
	assert_int_equal(reply->status, ST_OK);
	fake_reply_done(&reply);
	rig_free(&r);
}

static struct rig        *beside;
static unsigned           came;
static struct fake_reply *arrivals[5];

static enum status take_away(struct queue *q, struct wish *w, struct picked *p)
{
	(void)w;
	p->did = true;
	return queue_db_delete(q, p->id);
}

static void one_more(struct queue *q, struct wish *w, struct picked *p, bool ok)
{
	(void)q;
	(void)w;
	(void)p;
	(void)ok;
	if (came < LEN(arrivals))
		arrivals[came++] = rig_submit_raw(beside, NULL, "new@far.test", "bob@two.test", STR("Subject: x\r\n\r\nx\r\n"), -1, 17);
}

/* What comes in while a wish goes on was not meant by it. */
static void test_wish_end(void **state)
{
	struct queue_id_request q = { .id = 0 };
	struct wish             w = { .r = &q, .change = take_away, .changed = one_more, .most = 1 };
	uint64_t                n = 0;

	(void)state;
	beside = rig_new();
	rig_open(beside);
	for (int i = 0; i < 3; i++)
		rig_submit(beside, "a@far.test", "bob@two.test", "Subject: x\r\n\r\nx\r\n");
	assert_int_equal(queue_wish(beside->q, &w, &n), ST_OK);
	assert_int_equal(n, 3);
	assert_int_equal(came, 3);
	for (size_t i = 0; i < came; i++)
		fake_reply_done(&arrivals[i]);
	rig_free(&beside);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),      cmocka_unit_test(test_show_and_retry), cmocka_unit_test(test_remove),
		cmocka_unit_test(test_remove_overtakes),
		cmocka_unit_test(test_no_server), cmocka_unit_test(test_damaged),        cmocka_unit_test(test_purge),
		cmocka_unit_test(test_wish_end), cmocka_unit_test(test_unreadable), cmocka_unit_test(test_wish_after_result), cmocka_unit_test(test_remove_before_partial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
