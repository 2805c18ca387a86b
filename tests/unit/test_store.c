/* tests/unit/test_store.c - each operation of the store, alone. */
#include "store_unit.h"

#include <sys/stat.h>
#include <sys/wait.h>

static void test_defaults(void **state)
{
	static const struct {
		const char        *name;
		enum store_special special;
	} want[] = { { "Archive", STORE_SPECIAL_ARCHIVE }, { "Drafts", STORE_SPECIAL_DRAFTS }, { "INBOX", STORE_SPECIAL_INBOX },
		     { "Junk", STORE_SPECIAL_JUNK },       { "Sent", STORE_SPECIAL_SENT },     { "Trash", STORE_SPECIAL_TRASH } };
	struct store_unit     u;
	struct store_account *a;
	struct store_mailbox *list;
	size_t                n;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	assert_true(store_unsettled(a)); /* creation costs no sync of its own */
	assert_ok(store_settle(a));
	assert_false(store_unsettled(a));
	assert_ok(store_mailbox_list(a, u.arena, &list, &n));
	assert_int_equal(n, LEN(want));
	for (size_t i = 0; i < n; i++) {
		assert_str(list[i].name, str_of(want[i].name));
		assert_int_equal(list[i].special, want[i].special);
		assert_true(list[i].subscribed);
		assert_int_equal(list[i].uidnext, 1);
		assert_true(list[i].uidvalidity > 0);
	}
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

static void test_append_read(void **state)
{
	static const size_t   sizes[] = { 0, 3000, 10240, LIMIT_INLINE, LIMIT_INLINE + 1, 700000 };
	struct store_unit     u;
	struct store_account *a;
	struct store_mailbox  box;
	struct store_view     v;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	box = store_unit_box(a, u.arena, "inbox");
	for (size_t i = 0; i < LEN(sizes); i++) {
		struct str         want = store_unit_message(u.arena, (unsigned)i, sizes[i]);
		struct store_added added = store_unit_append(a, box.id, want, i % 2 ? STORE_SEEN : 0);
		struct store_email e;
		struct buf         b;

		assert_int_equal(added.uid, i + 1);
		assert_false(store_unsettled(a));
		buf_init(&b, 1 * MIB);
		assert_ok(store_read(a, added.email, 0, SIZE_MAX, &b));
		assert_true(str_eq(buf_str(&b), want));
		buf_clear(&b);
		assert_ok(store_read(a, added.email, 10, 20, &b));
		assert_str(buf_str(&b), str_sub(want, 10, 20));
		assert_ok(store_read(a, added.email, want.n + 5, 20, &b));
		assert_int_equal(b.n, 20);
		buf_done(&b);
		assert_ok(store_facts(a, &added.email, 1, ~0u, u.arena, &e));
		assert_int_equal(e.size, want.n);
		assert_int_equal(e.part_count, 1);
		assert_int_equal(e.parts[0].body_at, e.header_n);
		assert_int_equal(e.hash.n, 32);
		assert_true(str_search(e.envelope, STR("number")) >= 0);
		assert_true(str_search(e.structure, STR("\"TEXT\" \"PLAIN\"")) >= 0);
		assert_int_equal(e.date_ms, 1136214245000);
	}
	assert_ok(store_view_load(a, box.id, UINT64_MAX, &v));
	assert_int_equal(v.count, LEN(sizes));
	assert_int_equal(v.mailbox.unseen, LEN(sizes) / 2);
	assert_int_equal(v.rows[1].flags, STORE_SEEN);
	store_view_done(&v);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

static void test_names(void **state)
{
	static const struct {
		struct str name;
		bool       valid;
	} cases[] = {
		{ STR("INBOX"), true },   { STR("a/b/c"), true }, { STR("gr\xc3\xbc\xc3\x9f"), true }, { STR(""), false },
		{ STR("/a"), false },     { STR("a//b"), false }, { STR("a/"), false },                { STR("a\nb"), false },
		{ STR("\xff"), false },   { STR(".."), false },   { STR("a/../b"), false },            { STR("a%*b"), true },
		{ STR("a\0b"), false },
	};
	char long_name[LIMIT_MAILBOX_NAME + 1], deep[2 * LIMIT_MAILBOX_DEPTH + 2];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str exact = unit_exact(cases[i].name);

		assert_int_equal(store_name_valid(exact), cases[i].valid);
		unit_exact_free(exact);
	}
	memset(long_name, 'x', sizeof(long_name));
	assert_true(store_name_valid(str_n(long_name, LIMIT_MAILBOX_NAME)));
	assert_false(store_name_valid(str_n(long_name, sizeof(long_name))));
	for (size_t i = 0; i < sizeof(deep); i++)
		deep[i] = i % 2 ? '/' : 'a';
	assert_true(store_name_valid(str_n(deep, 2 * LIMIT_MAILBOX_DEPTH - 1)));
	assert_false(store_name_valid(str_n(deep, 2 * LIMIT_MAILBOX_DEPTH + 1)));
}

static bool has_box(struct store_account *a, struct arena *arena, const char *name)
{
	struct store_mailbox m;
	enum status          st = store_mailbox_find(a, str_of(name), arena, &m);

	assert_true(st == ST_OK || st == ST_NOT_FOUND);
	return st == ST_OK;
}

static void test_mailboxes(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	struct store_changes  c;
	struct store_mailbox  b;
	struct str           *subs;
	size_t                n;
	uint64_t              id;
	uint32_t              uidvalidity;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	assert_ok(store_mailbox_create(a, STR("work/2026/may/"), STORE_SPECIAL_NONE, &id));
	assert_false(store_unsettled(a));
	assert_true(has_box(a, u.arena, "work/2026") && has_box(a, u.arena, "work"));
	assert_st(store_mailbox_create(a, STR("work"), STORE_SPECIAL_NONE, NULL), ST_EXISTS);
	assert_st(store_mailbox_create(a, STR("inbox"), STORE_SPECIAL_NONE, NULL), ST_EXISTS);
	assert_st(store_mailbox_create(a, STR("x//y"), STORE_SPECIAL_NONE, NULL), ST_INVALID);
	assert_st(store_mailbox_create(a, STR("Bin"), STORE_SPECIAL_TRASH, NULL), ST_BUSY);
	assert_false(has_box(a, u.arena, "Bin"));
	assert_ok(store_mailbox_create(a, STR("inbox/sub"), STORE_SPECIAL_NONE, NULL));
	assert_true(has_box(a, u.arena, "INBOX/sub"));

	/* A name that is made again has a greater UIDVALIDITY; the parent may go, the child stays. */
	uidvalidity = store_unit_box(a, u.arena, "work/2026").uidvalidity;
	store_unit_append(a, store_unit_box(a, u.arena, "work/2026").id, STR("a: b\r\n\r\nc"), 0);
	id = store_unit_box(a, u.arena, "work/2026").id;
	assert_ok(store_mailbox_delete(a, STR("work/2026")));
	assert_true(has_box(a, u.arena, "work/2026/may"));
	assert_st(store_changes(a, id, 1, u.arena, &c), ST_NOT_FOUND);
	assert_st(store_mailbox_delete(a, STR("work/2026")), ST_NOT_FOUND);
	assert_st(store_mailbox_delete(a, STR("InBox")), ST_DENIED);
	assert_ok(store_mailbox_create(a, STR("work/2026"), STORE_SPECIAL_NONE, NULL));
	b = store_unit_box(a, u.arena, "work/2026");
	assert_true(b.uidvalidity > uidvalidity && b.messages == 0 && b.id != id);

	/* Renaming takes the children along, also below a parent that is not there. */
	assert_ok(store_mailbox_rename(a, STR("work"), STR("old/work")));
	assert_true(has_box(a, u.arena, "old") && has_box(a, u.arena, "old/work/2026/may") && !has_box(a, u.arena, "work/2026"));
	assert_ok(store_mailbox_delete(a, STR("old")));
	assert_ok(store_mailbox_rename(a, STR("old"), STR("new")));
	assert_true(has_box(a, u.arena, "new/work/2026/may") && !has_box(a, u.arena, "new"));
	assert_st(store_mailbox_rename(a, STR("gone"), STR("x")), ST_NOT_FOUND);
	assert_st(store_mailbox_rename(a, STR("Sent"), STR("Trash")), ST_EXISTS);
	assert_st(store_mailbox_rename(a, STR("new/work"), STR("new/work/below")), ST_INVALID);

	/* INBOX: its messages move, it stays, and so do its children (RFC 9051 §6.3.6). */
	store_unit_append(a, store_unit_box(a, u.arena, "INBOX").id, STR("a: b\r\n\r\nc"), STORE_SEEN);
	assert_ok(store_mailbox_rename(a, STR("INBOX"), STR("saved")));
	assert_int_equal(store_unit_box(a, u.arena, "INBOX").messages, 0);
	assert_int_equal(store_unit_box(a, u.arena, "INBOX").uidnext, 2);
	assert_int_equal(store_unit_box(a, u.arena, "saved").messages, 1);
	assert_true(has_box(a, u.arena, "INBOX/sub") && !has_box(a, u.arena, "saved/sub"));

	/* Subscriptions are of names, whether they exist or not. */
	assert_ok(store_subscribe(a, STR("nowhere"), true));
	assert_ok(store_subscribe(a, STR("nowhere"), true));
	assert_ok(store_subscribe(a, STR("Junk"), false));
	assert_ok(store_subscriptions(a, u.arena, &subs, &n));
	assert_int_equal(n, 6);
	assert_str(subs[5], STR("nowhere"));
	assert_false(store_unit_box(a, u.arena, "Junk").subscribed);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

static void test_deliver(void **state)
{
	struct store_unit      u;
	struct store_account  *a;
	struct str             content, keyword = STR("$Junk"), prefix = STR("Return-Path: <>\r\n");
	struct store_target    t[3] = { { .mailbox = STR("lists/c"), .keywords = &keyword, .keyword_count = 1 },
					{ .mailbox = STR_NONE, .flags = STORE_FLAGGED },
					{ .mailbox = STR("inbox"), .flags = STORE_SEEN } };
	struct store_delivery  d = { .id = 9, .targets = t, .target_count = 3, .file = -1, .received_ms = 77, .prefix = prefix };
	struct store_delivered got;
	struct store_settled  *settled;
	struct store_info      info;
	struct buf             b;
	size_t                 n;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	content = d.content = store_unit_message(u.arena, 1, 5000);
	d.size = content.n;
	assert_true(store_dirty(u.store)); /* the account itself */
	assert_ok(store_deliver(a, &d, 1, u.arena, &got));
	assert_true(store_unsettled(a) && store_dirty(u.store));
	assert_false(got.duplicate);
	assert_int_equal(got.count, 3);
	assert_int_equal(got.added[1].uid, got.added[2].uid); /* one mailbox, one message */
	assert_int_equal(got.added[0].email, got.added[1].email);
	buf_init(&b, 1 * MIB);
	assert_ok(store_read(a, got.added[0].email, 0, SIZE_MAX, &b));
	assert_true(str_starts(buf_str(&b), prefix) && b.n == prefix.n + content.n);
	assert_int_equal(store_unit_box(a, u.arena, "INBOX").unseen, 0);
	assert_int_equal(store_unit_box(a, u.arena, "lists/c").messages, 1);

	/* The same id again changes nothing; a discard is remembered too; ids below the floor are forgotten. */
	assert_ok(store_deliver(a, &d, 1, u.arena, &got));
	assert_true(got.duplicate);
	d.id = 10;
	d.target_count = 0;
	assert_ok(store_deliver(a, &d, 1, u.arena, &got));
	assert_false(got.duplicate);
	assert_ok(store_deliver(a, &d, 1, u.arena, &got));
	assert_true(got.duplicate);
	d.id = 11;
	d.floor = 10;
	d.target_count = 1;
	assert_ok(store_deliver(a, &d, 1, u.arena, &got));
	d.id = 9;
	d.floor = 0;
	assert_ok(store_deliver(a, &d, 1, u.arena, &got));
	assert_false(got.duplicate);
	assert_ok(store_info(a, &info));
	assert_int_equal(info.messages, 4);

	/* What does not match is refused. */
	d.id = 12;
	d.hash = STR("0123456789abcdef0123456789abcdef");
	assert_st(store_deliver(a, &d, 1, u.arena, &got), ST_INVALID);
	d.hash = STR_NONE;
	d.size++;
	assert_st(store_deliver(a, &d, 1, u.arena, &got), ST_INVALID);
	d.size--;
	t[0].mailbox = STR("a//b");
	assert_st(store_deliver(a, &d, 1, u.arena, &got), ST_INVALID);
	store_settle_all(u.store, u.arena, &settled, &n);
	assert_int_equal(n, 1);
	assert_int_equal(settled[0].account, 7);
	assert_ok(settled[0].status);
	assert_ok(store_info(a, &info));
	assert_int_equal(settled[0].modseq, info.modseq);
	assert_false(store_unsettled(a));
	buf_done(&b);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

static void test_settle_many(void **state)
{
	struct store_options  options = { .handles = 10 };
	struct store_unit     u;
	struct store_account *a;
	struct store_settled *settled;
	size_t                n;

	(void)state;
	store_unit_open(&u, &options);
	for (uint64_t i = 1; i <= 40; i++) {
		assert_ok(store_open(u.store, i, &a));
		store_unit_deliver(a, u.arena, i, STR("a: b\r\n\r\nc"));
		store_close(&a);
	}
	store_settle_all(u.store, u.arena, &settled, &n);
	assert_int_equal(n, 40);
	for (size_t i = 0; i < n; i++)
		assert_ok(settled[i].status);
	for (uint64_t i = 1; i <= 40; i++) {
		assert_ok(store_open(u.store, i, &a));
		assert_false(store_unsettled(a));
		store_close(&a);
	}
	assert_false(store_dirty(u.store));
	store_unit_done(&u);
}

/* A delivery from a file, and its repeat after the stored file was lost. */
static void test_deliver_file(void **state)
{
	struct store_unit      u;
	struct store_account  *a;
	struct str             content;
	struct store_target    t = { .mailbox = STR_NONE };
	struct store_delivery  d = { .id = 1, .targets = &t, .target_count = 1 };
	struct store_delivered got;
	struct store_email     e;
	struct buf             b;
	char                   path[200], *at = path;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	content = store_unit_message(u.arena, 1, LIMIT_INLINE * 3);
	assert_ok(disk_open(u.fd, "spool", DISK_NEW, &d.file));
	assert_ok(disk_write_at(d.file, "spool", 0, content));
	d.size = content.n;
	assert_ok(store_deliver(a, &d, 1, u.arena, &got));
	assert_ok(store_facts(a, &got.added[0].email, 1, STORE_FACT_HASH, u.arena, &e));
	at += sprintf(at, "07/7/content/");
	for (size_t i = 0; i < e.hash.n; i++)
		at += sprintf(at, "%02x", (unsigned char)e.hash.p[i]);
	assert_true(disk_exists(u.fd, path));
	assert_ok(disk_remove(u.fd, path));
	buf_init(&b, 2 * MIB);
	assert_st(store_read(a, got.added[0].email, 0, 100, &b), ST_CORRUPT);
	assert_ok(store_deliver(a, &d, 1, u.arena, &got));
	assert_true(got.duplicate);
	assert_ok(store_read(a, e.id, 0, SIZE_MAX, &b));
	assert_true(str_eq(buf_str(&b), content));
	d.size++;
	d.id = 2;
	assert_st(store_deliver(a, &d, 1, u.arena, &got), ST_INVALID);
	buf_done(&b);
	close(d.file);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

static bool count_file(void *arg, const char *name, int64_t mtime_ms)
{
	(void)name, (void)mtime_ms;
	++*(size_t *)arg;
	return true;
}

/* Content in a file goes when the retention of its last message ends, not before. */
static void test_retention(void **state)
{
	struct store_options  options = { .retention_ms = -1000 }; /* over at once */
	struct store_unit     u;
	struct store_account *a;
	struct store_expunged gone;
	struct store_added    added;
	struct store_email    e;
	struct str            content;
	uint64_t              inbox;
	size_t                files = 0;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	inbox = store_unit_box(a, u.arena, "INBOX").id;
	content = store_unit_message(u.arena, 1, LIMIT_INLINE * 2);
	added = store_unit_append(a, inbox, content, 0);
	store_unit_append(a, inbox, content, 0);
	assert_ok(store_expunge(a, inbox, STORE_SET_ALL, false, u.arena, &gone));
	assert_int_equal(gone.count, 2);
	assert_ok(store_clean(a));
	assert_ok(disk_list(u.fd, "07/7/content", count_file, &files));
	assert_int_equal(files, 1); /* once, and still there */
	store_close(&a);
	store_free(&u.store);
	assert_ok(store_new(u.fd, &options, &u.store));
	assert_ok(store_open(u.store, 7, &a));
	assert_ok(store_clean(a));
	files = 0;
	assert_ok(disk_list(u.fd, "07/7/content", count_file, &files));
	assert_int_equal(files, 0);
	assert_ok(store_facts(a, &added.email, 1, 0, u.arena, &e));
	assert_int_equal(e.id, 0);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

/* A content's file that cannot be removed when its row went: nothing waits for it, and nothing stays locked. */
static void test_stuck_file(void **state)
{
	struct store_options  options = { .retention_ms = -1000 };
	struct store_unit     u;
	struct store_account *a;
	struct store_expunged gone;
	struct store_added    added;
	struct store_email    e;
	uint64_t              inbox;
	char                  path[200], inside[210], *at = path;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	inbox = store_unit_box(a, u.arena, "INBOX").id;
	added = store_unit_append(a, inbox, store_unit_message(u.arena, 1, LIMIT_INLINE * 2), 0);
	assert_ok(store_facts(a, &added.email, 1, STORE_FACT_HASH, u.arena, &e));
	assert_ok(store_expunge(a, inbox, STORE_SET_ALL, false, u.arena, &gone));
	store_close(&a);
	store_free(&u.store);
	at += sprintf(at, "07/7/content/");
	for (size_t i = 0; i < e.hash.n; i++)
		at += sprintf(at, "%02x", (unsigned char)e.hash.p[i]);
	assert_ok(disk_remove(u.fd, path));
	assert_ok(disk_make_dir(u.fd, path)); /* in its place */
	snprintf(inside, sizeof(inside), "%s/x", path);
	assert_ok(disk_make_dir(u.fd, inside));
	assert_ok(store_new(u.fd, &options, &u.store));
	assert_ok(store_open(u.store, 7, &a));
	for (unsigned i = 0; i < 3; i++)
		store_unit_append(a, inbox, store_unit_message(u.arena, 2 + i, 500), 0);
	assert_ok(store_facts(a, &added.email, 1, 0, u.arena, &e));
	assert_int_equal(e.id, 0);
	assert_true(disk_exists(u.fd, path));
	store_close(&a);
	store_unit_done(&u);
}

/* As seen after the wall clock has jumped. */
static bool age(void *arg, const char *name, int64_t mtime_ms)
{
	const struct timespec times[2] = { { ((int64_t *)arg)[1], 0 }, { ((int64_t *)arg)[1], 0 } };

	(void)mtime_ms;
	assert_int_equal(utimensat((int)((int64_t *)arg)[0], name, times, 0), 0);
	return true;
}

static void age_all(const struct store_unit *u, int64_t seconds)
{
	int64_t arg[2] = { openat(u->fd, "07/7/content", O_RDONLY | O_DIRECTORY), seconds };

	assert_ok(disk_list(u->fd, "07/7/content", age, arg));
	close((int)arg[0]);
}

/* An upload whose process lives stays, the others go; no clock decides that. */
static void test_uploads(void **state)
{
	struct store_unit        u;
	struct store_account    *a;
	struct store_upload     *upload;
	struct str               content;
	struct store_new_message m = { .internal_ms = 5 };
	struct store_added       added;
	size_t                   files = 0;
	int                      status = 1;
	pid_t                    child;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	content = store_unit_message(u.arena, 1, LIMIT_INLINE * 2);
	child = fork();
	if (child == 0) {
		assert_ok(store_upload_new(u.store, 7, &upload));
		assert_ok(store_upload_write(upload, content));
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_ok(store_upload_new(u.store, 7, &upload));
	assert_ok(store_upload_write(upload, content));
	age_all(&u, 1000); /* long ago */
	assert_ok(store_clean(a));
	assert_ok(disk_list(u.fd, "07/7/content", count_file, &files));
	assert_int_equal(files, 1);
	m.upload = upload;
	assert_ok(store_append(a, store_unit_box(a, u.arena, "INBOX").id, &m, 1, &added));
	store_upload_free(&upload);
	child = fork();
	if (child == 0) {
		assert_ok(store_upload_new(u.store, 7, &upload));
		assert_ok(store_upload_write(upload, store_unit_message(u.arena, 2, LIMIT_INLINE * 2)));
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	age_all(&u, INT64_C(4000000000)); /* yet to come */
	assert_ok(store_clean(a));
	files = 0;
	assert_ok(disk_list(u.fd, "07/7/content", count_file, &files));
	assert_int_equal(files, 1);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

static void test_keywords(void **state)
{
	struct store_unit        u;
	struct store_account    *a;
	struct str               names[LIMIT_KEYWORDS + 1], upper = STR("KW3"), bad = STR("a b"), *list;
	struct store_flag_change c = { .op = STORE_FLAGS_ADD, .keywords = names, .unchanged_since = UINT64_MAX };
	struct store_flagged     got;
	uint64_t                 inbox;
	size_t                   n;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	inbox = store_unit_box(a, u.arena, "INBOX").id;
	store_unit_append(a, inbox, STR("a: b\r\n\r\nc"), 0);
	for (size_t i = 0; i < LEN(names); i++)
		names[i] = arena_printf(u.arena, "kw%zu", i);
	c.keyword_count = LIMIT_KEYWORDS + 1;
	assert_st(store_flags(a, inbox, STORE_SET_ALL, &c, u.arena, &got), ST_LIMIT);
	c.keyword_count = LIMIT_KEYWORDS;
	assert_ok(store_flags(a, inbox, STORE_SET_ALL, &c, u.arena, &got));
	assert_true(got.keywords_new);
	assert_true(got.rows[0].keywords.bits[0] == UINT64_MAX && got.rows[0].keywords.bits[1] == UINT64_MAX);
	assert_ok(store_keyword_list(a, u.arena, &list, &n));
	assert_int_equal(n, LIMIT_KEYWORDS);
	assert_str(list[127], STR("kw127"));
	c = (struct store_flag_change){ .op = STORE_FLAGS_REMOVE, .keywords = &upper, .keyword_count = 1, .unchanged_since = UINT64_MAX };
	assert_ok(store_flags(a, inbox, STORE_SET_ALL, &c, u.arena, &got));
	assert_false(got.keywords_new);
	assert_true(got.rows[0].keywords.bits[0] == ~(UINT64_C(1) << 3));
	c.keywords = &bad;
	assert_st(store_flags(a, inbox, STORE_SET_ALL, &c, u.arena, &got), ST_INVALID);
	/* UNCHANGEDSINCE: what has changed since is told, and left alone. */
	c = (struct store_flag_change){ .op = STORE_FLAGS_ADD, .flags = STORE_SEEN, .unchanged_since = 2 };
	assert_ok(store_flags(a, inbox, STORE_SET_ALL, &c, u.arena, &got));
	assert_int_equal(got.modified_count, 1);
	assert_int_equal(got.row_count, 0);
	assert_int_equal(got.changed, 0);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

/* What a caller knows is taken for the mailbox only while it is. */
static void test_flags_known(void **state)
{
	struct store_range       odd[] = { { 1, 1 }, { 3, 3 }, { 5, 9 } };
	struct store_set         set = { odd, LEN(odd) };
	struct store_unit        u;
	struct store_account    *a;
	struct store_view        v;
	struct store_flag_change c = { .op = STORE_FLAGS_ADD, .flags = STORE_SEEN, .unchanged_since = UINT64_MAX }, other = c;
	struct store_flagged     got;
	uint64_t                 inbox;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	inbox = store_unit_box(a, u.arena, "INBOX").id;
	for (unsigned i = 0; i < 8; i++)
		store_unit_append(a, inbox, store_unit_message(u.arena, i, 100), 0);
	assert_ok(store_view_load(a, inbox, UINT64_MAX, &v));
	c.known = (struct store_known){ v.rows, v.count, v.modseq };
	v.rows[2].flags |= 1u << 15; /* a mark of the caller's */
	assert_ok(store_flags(a, inbox, set, &c, u.arena, &got));
	assert_true(got.was_known);
	assert_int_equal(got.changed, 6);
	assert_int_equal(got.row_count, 6);
	assert_int_equal(got.rows[1].flags, STORE_SEEN);
	assert_int_equal(got.rows[1].uid, 3);
	assert_int_equal(store_unit_box(a, u.arena, "INBOX").unseen, 2);
	store_unit_check(a);
	/* It is not any more: the rows are read, and those that were changed are left alone. */
	assert_ok(store_flags(a, inbox, STORE_SET_ALL, &c, u.arena, &got));
	assert_false(got.was_known);
	assert_int_equal(got.changed, 2);
	assert_int_equal(store_unit_box(a, u.arena, "INBOX").unseen, 0);
	/* Nor does a change elsewhere in the mailbox go unseen, or a number that was never given out count. */
	store_view_done(&v);
	assert_ok(store_view_load(a, inbox, UINT64_MAX, &v));
	other.flags = STORE_DELETED;
	assert_ok(store_flags(a, inbox, (struct store_set){ odd, 1 }, &other, u.arena, &got));
	c.flags = STORE_DELETED;
	c.known = (struct store_known){ v.rows, v.count, v.modseq };
	assert_ok(store_flags(a, inbox, STORE_SET_ALL, &c, u.arena, &got));
	assert_false(got.was_known);
	assert_int_equal(got.changed, 7);
	c.flags = STORE_DRAFT;
	c.known.modseq = got.modseq + 1;
	assert_ok(store_flags(a, inbox, STORE_SET_ALL, &c, u.arena, &got));
	assert_false(got.was_known);
	assert_int_equal(got.changed, 8);
	store_unit_check(a);
	store_view_done(&v);
	store_close(&a);
	store_unit_done(&u);
}

/* More messages than a handle keeps pages, each on its own statement and in runs. */
static void test_flags_many(void **state)
{
	enum { MANY = 600 };
	struct store_range       odd[MANY / 2];
	struct store_unit        u;
	struct store_account    *a;
	struct store_flag_change c = { .op = STORE_FLAGS_REPLACE, .flags = STORE_FLAGGED, .unchanged_since = UINT64_MAX };
	struct store_flagged     got;
	uint64_t                 inbox;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	inbox = store_unit_box(a, u.arena, "INBOX").id;
	for (unsigned i = 0; i < MANY; i++)
		store_unit_append(a, inbox, store_unit_message(u.arena, i % 10, 100), STORE_SEEN);
	for (uint32_t i = 0; i < LEN(odd); i++)
		odd[i] = (struct store_range){ 2 * i + 1, 2 * i + 1 };
	assert_ok(store_flags(a, inbox, (struct store_set){ odd, LEN(odd) }, &c, u.arena, &got));
	assert_int_equal(got.changed, MANY / 2);
	c = (struct store_flag_change){ .op = STORE_FLAGS_REMOVE, .flags = STORE_SEEN, .unchanged_since = UINT64_MAX };
	assert_ok(store_flags(a, inbox, STORE_SET_ALL, &c, u.arena, &got));
	assert_int_equal(got.changed, MANY / 2);
	assert_int_equal(store_unit_box(a, u.arena, "INBOX").unseen, MANY);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

/* Read in one walk or one by one, emails are the same. */
static void test_dense(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	struct store_view     v;
	struct store_email    walked[6], one, sorted[6];
	uint64_t              emails[6], inbox;
	struct str            large = STR_NONE;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	inbox = store_unit_box(a, u.arena, "INBOX").id;
	for (unsigned i = 0; i < 6; i++) {
		struct str content = store_unit_message(u.arena, i, i == 3 ? LIMIT_INLINE + 1000 : 100); /* one in a file */

		large = i == 3 ? content : large;
		store_unit_append(a, inbox, content, 0);
	}
	assert_ok(store_view_load(a, inbox, UINT64_MAX, &v));
	for (size_t i = 0; i < 6; i++)
		emails[i] = v.rows[i].email;
	assert_true(store_sort_dense(emails, 6));
	emails[1]++; /* no email, but a content, or nothing */
	assert_true(store_sort_dense(emails, 6));
	assert_ok(store_facts(a, emails, 6, STORE_FACT_BASE, u.arena, walked));
	assert_ok(store_sort_emails(a, emails, 6, ~0u, u.arena, sorted));
	assert_ok(store_headers(a, walked, 6, u.arena));
	assert_int_equal(walked[1].id, 0);
	assert_int_equal(walked[1].header.n, 0);
	for (size_t i = 0; i < 6; i++) {
		assert_ok(store_facts(a, &emails[i], 1, STORE_FACT_SORT, u.arena, &one));
		assert_ok(store_headers(a, &one, 1, u.arena));
		assert_int_equal(walked[i].id, one.id);
		assert_int_equal(walked[i].size, one.size);
		assert_int_equal(walked[i].header_n, one.header_n);
		assert_str(walked[i].header, one.header);
		assert_int_equal(sorted[i].id, one.id);
		assert_str(sorted[i].subject, one.subject);
		assert_str(sorted[i].from, one.from);
		assert_str(sorted[i].references, one.references);
	}
	assert_true(walked[3].header.n > 0 && str_eq(walked[3].header, str_first(large, walked[3].header.n)));
	emails[1] = emails[0];
	assert_false(store_sort_dense(emails, 6));
	emails[1] = emails[0] + 1;
	emails[5] = emails[0] + 1000;
	assert_false(store_sort_dense(emails, 6));
	store_view_done(&v);
	store_close(&a);
	store_unit_done(&u);
}

static void test_recent(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	uint64_t              inbox;
	uint32_t              first, next;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	inbox = store_unit_box(a, u.arena, "INBOX").id;
	store_unit_deliver(a, u.arena, 1, STR("a: b\r\n\r\nc"));
	store_unit_deliver(a, u.arena, 2, STR("a: b\r\n\r\nd"));
	assert_int_equal(store_unit_box(a, u.arena, "INBOX").recent, 2);
	assert_ok(store_recent_claim(a, inbox, &first, &next));
	assert_true(first == 1 && next == 3);
	assert_ok(store_recent_claim(a, inbox, &first, &next));
	assert_true(first == 3 && next == 3);
	store_unit_deliver(a, u.arena, 3, STR("a: b\r\n\r\ne"));
	assert_int_equal(store_unit_box(a, u.arena, "INBOX").recent, 1);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

/* Below the watermark: what brings more is refused, what was accepted and what frees goes on. */
static void test_watermark(void **state)
{
	struct store_options     options = { .watermark_octets = UINT64_MAX };
	struct store_unit        u;
	struct store_account    *a;
	struct store_new_message m = { .content = STR("a: b\r\n\r\nc") };
	struct store_added       added;
	struct store_copied      copied;
	struct store_expunged    gone;
	struct store_mailbox     inbox, trash;

	(void)state;
	store_unit_open(&u, &options);
	assert_true(store_full(u.store));
	assert_ok(store_open(u.store, 7, &a));
	inbox = store_unit_box(a, u.arena, "INBOX");
	trash = store_unit_box(a, u.arena, "Trash");
	assert_st(store_append(a, inbox.id, &m, 1, &added), ST_FULL);
	store_unit_deliver(a, u.arena, 1, STR("a: b\r\n\r\nc"));
	assert_ok(store_settle(a));
	assert_st(store_copy(a, inbox.id, STORE_SET_ALL, trash.id, u.arena, &copied), ST_FULL);
	assert_ok(store_move(a, inbox.id, STORE_SET_ALL, trash.id, u.arena, &copied));
	assert_ok(store_expunge(a, trash.id, STORE_SET_ALL, false, u.arena, &gone));
	assert_ok(store_mailbox_delete(a, STR("Junk")));
	assert_st(store_mailbox_create(a, STR("x"), STORE_SPECIAL_NONE, NULL), ST_FULL);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

static void test_sections(void **state)
{
	static const struct {
		const char *section, *body;
	} cases[] = { { "1", "one\r\n" },     { "2", NULL },        { "2.1", "two\r\n" }, { "2.2", "three\r\n" }, { "2.2.1", "" },
		      { "3.1", "inner\r\n" }, { "3.1.1", "" },      { "4", "" },          { "0", "" },            { "1.1", "" },
		      { "x", "" },            { "1.", "" },         { "99999999999", "" } };
	struct store_unit     u;
	struct store_account *a;
	struct store_email    e;
	struct store_added    added;
	struct str            m = STR("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=A\r\n\r\n--A\r\n\r\none\r\n\r\n"
				      "--A\r\nContent-Type: multipart/alternative; boundary=B\r\n\r\n--B\r\n\r\ntwo\r\n\r\n--B\r\n\r\n"
				      "three\r\n\r\n--B--\r\n--A\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n\r\n"
				      "--A--\r\n");

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, 7, &a));
	added = store_unit_append(a, store_unit_box(a, u.arena, "INBOX").id, m, 0);
	assert_ok(store_facts(a, &added.email, 1, STORE_FACT_PARTS, u.arena, &e));
	for (size_t i = 0; i < LEN(cases); i++) {
		const struct store_part *p = store_part_find(&e, str_of(cases[i].section));

		if (cases[i].body && !*cases[i].body) {
			assert_null(p);
			continue;
		}
		assert_non_null(p);
		if (cases[i].body)
			assert_str(str_sub(m, (size_t)p->body_at, (size_t)p->body_n), str_of(cases[i].body));
	}
	assert_ptr_equal(store_part_find(&e, STR_NONE), &e.parts[0]);
	store_close(&a);
	store_unit_done(&u);
}

static void test_purge(void **state)
{
	struct store_unit     u;
	struct store_account *a;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_purge(u.store, 7));
	assert_ok(store_open(u.store, 7, &a));
	store_unit_append(a, store_unit_box(a, u.arena, "INBOX").id, store_unit_message(u.arena, 1, LIMIT_INLINE * 2), 0);
	store_close(&a);
	assert_ok(store_purge(u.store, 7));
	assert_false(disk_exists(u.fd, "07/7"));
	assert_ok(store_open(u.store, 7, &a));
	assert_int_equal(store_unit_box(a, u.arena, "INBOX").messages, 0);
	store_close(&a);
	store_unit_done(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),     cmocka_unit_test(test_append_read),  cmocka_unit_test(test_names),
		cmocka_unit_test(test_mailboxes),    cmocka_unit_test(test_deliver),      cmocka_unit_test(test_settle_many),
		cmocka_unit_test(test_deliver_file), cmocka_unit_test(test_retention),    cmocka_unit_test(test_stuck_file),    cmocka_unit_test(test_keywords),
		cmocka_unit_test(test_recent),       cmocka_unit_test(test_watermark),    cmocka_unit_test(test_sections),
		cmocka_unit_test(test_purge),
		cmocka_unit_test(test_uploads),
		cmocka_unit_test(test_flags_known),  cmocka_unit_test(test_flags_many),   cmocka_unit_test(test_dense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
