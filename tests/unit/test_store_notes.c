/* tests/unit/test_store_notes.c - annotations, conversations, and the list of what happened. */
#include "store_unit.h"

#include "store/store_events.h"
#include "store/store_metadata.h"
#include "store/store_thread.h"

#define OWNER 7u

static enum status set_one(struct store_account *a, uint64_t mailbox, const char *name, struct str value)
{
	const struct store_metadata m = { .name = str_of(name), .value = value };
	uint64_t                    modseq;

	return store_metadata_set(a, mailbox, OWNER, &m, 1, &modseq);
}

static size_t count_of(struct store_account *a, struct arena *arena, uint64_t mailbox, uint64_t reader, const char *name)
{
	struct store_metadata *list;
	size_t                 n;

	assert_ok(store_metadata_list(a, mailbox, reader, str_of(name), true, arena, &list, &n));
	return n;
}

static void test_metadata(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	struct store_mailbox  box, sent;
	uint64_t              modseq = 0, other;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, OWNER, &a));
	box = store_unit_box(a, u.arena, "Archive");
	sent = store_unit_box(a, u.arena, "Sent");
	assert_ok(set_one(a, box.id, "/shared/a", STR("1")));
	assert_ok(set_one(a, box.id, "/shared/a/b", STR("2")));
	assert_ok(set_one(a, box.id, "/shared/ab", STR("3")));
	assert_ok(set_one(a, box.id, "/private/a", STR("")));
	assert_int_equal(count_of(a, u.arena, box.id, OWNER, "/shared/a"), 2);
	assert_int_equal(count_of(a, u.arena, box.id, OWNER, "/shared"), 3);
	/* what is private is each reader's own */
	assert_int_equal(count_of(a, u.arena, box.id, OWNER, "/private/a"), 1);
	assert_int_equal(count_of(a, u.arena, box.id, 8, "/private/a"), 0);
	assert_int_equal(count_of(a, u.arena, box.id, 8, "/shared/a"), 2);
	/* special use: one mailbox has it; all or nothing */
	const struct store_metadata two[] = { { .name = STR("/shared/new"), .value = STR("x") },
					      { .name = STORE_METADATA_SPECIAL, .value = STR("\\Sent"), .special = STORE_SPECIAL_SENT } };
	assert_st(store_metadata_set(a, box.id, OWNER, two, 2, &modseq), ST_BUSY);
	assert_int_equal(count_of(a, u.arena, box.id, OWNER, "/shared/new"), 0);
	const struct store_metadata none = { .name = STORE_METADATA_SPECIAL };
	assert_ok(store_metadata_set(a, sent.id, OWNER, &none, 1, &modseq));
	assert_ok(store_metadata_set(a, box.id, OWNER, two, 2, &modseq));
	assert_int_equal(store_unit_box(a, u.arena, "Archive").special, STORE_SPECIAL_SENT);
	assert_st(store_metadata_set(a, store_unit_box(a, u.arena, "INBOX").id, OWNER, &none, 1, &modseq), ST_INVALID);
	assert_st(store_metadata_set(a, 0, OWNER, &none, 1, &modseq), ST_INVALID);
	assert_st(set_one(a, 9999, "/shared/a", STR("x")), ST_NOT_FOUND);
	/* nothing changed: the clock does not move */
	assert_ok(store_metadata_set(a, box.id, OWNER, two, 1, &other));
	assert_int_equal(other, modseq);
	store_unit_check(a);
	assert_ok(store_mailbox_delete(a, STR("Archive")));
	assert_int_equal(count_of(a, u.arena, box.id, OWNER, "/shared"), 0);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

static void test_metadata_limits(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	uint64_t              boxes = 0, modseq;
	struct str            large;
	enum status           st = ST_OK;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, OWNER, &a));
	large = str_n(arena_alloc(u.arena, LIMIT_METADATA_VALUE + 1), LIMIT_METADATA_VALUE + 1);
	assert_st(set_one(a, 0, "/shared/x", large), ST_LIMIT);
	for (unsigned i = 0; i < LIMIT_METADATA_ENTRIES; i++)
		assert_ok(set_one(a, 0, arena_printf(u.arena, "/shared/%u%c", i, 0).p, STR("x")));
	assert_st(set_one(a, 0, "/shared/more", STR("x")), ST_LIMIT);
	assert_ok(set_one(a, 0, "/shared/1", STR("y")));
	assert_ok(set_one(a, 0, "/shared/2", STR_NONE));
	assert_ok(set_one(a, 0, "/shared/more", STR("x")));
	/* one who reads along takes nobody's room but its own */
	for (unsigned i = 0; i <= LIMIT_METADATA_ENTRIES; i++) {
		const struct store_metadata m = { .name = arena_printf(u.arena, "/private/%u", i), .value = STR("x") };

		assert_st(store_metadata_set(a, 0, OWNER + 1, &m, 1, &modseq), i < LIMIT_METADATA_ENTRIES ? ST_OK : ST_LIMIT);
	}
	assert_ok(set_one(a, 0, "/private/mine", STR("x")));
	/* of all mailboxes together */
	while (st == ST_OK && boxes < 100) {
		uint64_t id;

		assert_ok(store_mailbox_create(a, arena_printf(u.arena, "b%u", (unsigned)boxes++), STORE_SPECIAL_NONE, &id));
		st = set_one(a, id, "/shared/x", str_first(large, LIMIT_METADATA_VALUE));
	}
	assert_st(st, ST_LIMIT);
	assert_true(boxes > 20 && boxes < 40);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

/* ---- conversations ---- */

static uint64_t mail(struct store_account *a, struct arena *arena, const char *id, const char *refs, const char *subject)
{
	struct store_mailbox box = store_unit_box(a, arena, "INBOX");

	return store_unit_append(a, box.id,
				 arena_printf(arena, "Message-ID: %s\r\nReferences: %s\r\nSubject: %s\r\n\r\ntext\r\n", id, refs, subject), 0)
		.email;
}

static uint64_t thread_of(struct store_account *a, uint64_t email)
{
	uint64_t t = 0;

	assert_ok(store_threads(a, &email, 1, &t));
	return t;
}

static void test_threads(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	uint64_t              e[8];

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, OWNER, &a));
	e[0] = mail(a, u.arena, "<1@x>", "", "Lunch");
	e[1] = mail(a, u.arena, "<2@x>", "<1@x>", "Re: [list] lunch (fwd)");
	e[2] = mail(a, u.arena, "<3@x>", "<1@x>", "Dinner"); /* another subject is another thread */
	e[3] = mail(a, u.arena, "<4@x>", "<0@x> <1@x>", "LUN CH");
	e[4] = mail(a, u.arena, "<5@x>", "<0@x>", "Lunch"); /* by a message that nobody has seen */
	e[5] = mail(a, u.arena, "", "", "Lunch");
	e[6] = mail(a, u.arena, "<1@x>", "", "Lunch"); /* the same message again */
	assert_int_equal(thread_of(a, e[0]), thread_of(a, e[1]));
	assert_int_not_equal(thread_of(a, e[0]), thread_of(a, e[2]));
	assert_int_equal(thread_of(a, e[0]), thread_of(a, e[3]));
	assert_int_equal(thread_of(a, e[0]), thread_of(a, e[4]));
	assert_int_not_equal(thread_of(a, e[0]), thread_of(a, e[5]));
	assert_int_equal(thread_of(a, e[0]), thread_of(a, e[6]));
	assert_int_equal(thread_of(a, 123456), 0);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

/* Thousands of references in one message cost no more than a few rows. */
static void test_thread_bounds(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	struct buf            refs;
	uint64_t              first, last, hostile;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, OWNER, &a));
	buf_init(&refs, 1 * MIB);
	for (unsigned i = 0; i < 500; i++)
		buf_addf(&refs, "<%u@x> ", i);
	buf_add_char(&refs, 0);
	first = mail(a, u.arena, "<0@x>", "", "s");
	last = mail(a, u.arena, "<499@x>", "", "s");
	hostile = mail(a, u.arena, "<h@x>", refs.p, "s");
	assert_int_equal(thread_of(a, hostile), thread_of(a, hostile));
	assert_int_not_equal(thread_of(a, first), thread_of(a, last));
	store_unit_check(a);
	buf_done(&refs);
	store_close(&a);
	store_unit_done(&u);
}

/* What a version without these tables wrote is read, and its emails get their threads when they are asked for. */
static void test_migration(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	uint64_t              old, new;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, OWNER, &a));
	old = mail(a, u.arena, "<1@x>", "", "Lunch");
	store_close(&a);
	store_free(&u.store);
	store_unit_back("/accounts/07/7/mail.db", 1); /* as db_root knows it */
	assert_ok(store_new(u.fd, NULL, &u.store));
	assert_ok(store_open(u.store, OWNER, &a));
	store_unit_check(a);
	new = mail(a, u.arena, "<2@x>", "<1@x>", "Re: Lunch");
	assert_int_equal(thread_of(a, old), thread_of(a, new));
	assert_ok(set_one(a, 0, "/shared/x", STR("1")));
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

/* ---- events ---- */

static struct store_events events(struct store_account *a, struct arena *arena, uint64_t since)
{
	struct store_events e;

	assert_ok(store_events(a, since, arena, &e));
	return e;
}

/* Few of them, but with all the names that one may have. */
static void test_events_octets(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	struct store_info     info;
	struct store_metadata list[STORE_METADATA_NAMES / LIMIT_METADATA_NAME + 1];
	uint64_t              modseq;
	size_t                most = LEN(list) - 1;
	unsigned              rounds = (unsigned)(STORE_EVENTS_OCTETS / (most * LIMIT_METADATA_NAME)) + 2;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, OWNER, &a));
	assert_ok(store_info(a, &info));
	for (size_t i = 0; i < LEN(list); i++)
		list[i].name = arena_printf(u.arena, "/shared/%0*zu", (int)LIMIT_METADATA_NAME - 8, i);
	for (unsigned n = 0; n < rounds; n++) {
		for (size_t i = 0; i < LEN(list); i++)
			list[i].value = arena_printf(u.arena, "%u", n);
		assert_ok(store_metadata_set(a, 0, OWNER, list, most, &modseq));
		if (n == 1)
			assert_int_equal(events(a, u.arena, info.modseq).count, 2);
	}
	assert_true(rounds < STORE_EVENTS_MAX && events(a, u.arena, info.modseq).everything);
	/* more names at once would make rows as large as somebody likes */
	for (size_t i = 0; i < LEN(list); i++)
		list[i].value = STR("more");
	assert_st(store_metadata_set(a, 0, OWNER, list, LEN(list), &modseq), ST_LIMIT);
	assert_int_equal(count_of(a, u.arena, 0, OWNER, "/shared"), most);
	store_close(&a);
	store_unit_done(&u);
}

static void test_events(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	struct store_events   e;
	struct store_info     info;
	uint64_t              since, id;

	(void)state;
	store_unit_open(&u, NULL);
	assert_ok(store_open(u.store, OWNER, &a));
	assert_ok(store_info(a, &info));
	since = info.modseq;
	e = events(a, u.arena, since);
	assert_true(!e.everything && e.count == 0 && e.touched_count == 0 && e.modseq == since);
	assert_ok(store_mailbox_create(a, STR("a/b"), STORE_SPECIAL_NONE, &id));
	assert_ok(store_mailbox_rename(a, STR("a"), STR("c")));
	assert_ok(store_subscribe(a, STR("c"), true));
	assert_ok(set_one(a, id, "/shared/x", STR("1")));
	(void)mail(a, u.arena, "<1@x>", "", "s");
	assert_ok(store_mailbox_delete(a, STR("c/b")));
	e = events(a, u.arena, since);
	assert_int_equal(e.count, 7);
	assert_str(e.list[0].name, STR("a"));
	assert_int_equal(e.list[0].op, STORE_EVENT_CREATED);
	assert_str(e.list[2].old, STR("a"));
	assert_str(e.list[2].name, STR("c"));
	assert_str(e.list[3].old, STR("a/b"));
	assert_str(e.list[3].name, STR("c/b"));
	assert_int_equal(e.list[4].kind, STORE_EVENT_SUBSCRIPTION);
	assert_str(e.list[4].name, STR("c"));
	assert_int_equal(e.list[5].kind, STORE_EVENT_METADATA);
	assert_str(e.list[5].name, STR("/shared/x"));
	assert_int_equal(e.list[6].op, STORE_EVENT_REMOVED);
	assert_str(e.list[6].name, STR("c/b"));
	assert_int_equal(e.touched_count, 1);
	assert_int_equal(e.touched[0].ops, STORE_EVENT_CREATED);
	/* a moment that is not known: of the future, or of before */
	assert_true(events(a, u.arena, e.modseq + 5).everything);
	assert_true(events(a, u.arena, 0).everything);
	/* too much at once */
	since = e.modseq;
	for (unsigned i = 0; i <= STORE_EVENTS_MAX / 2; i++) {
		assert_ok(store_subscribe(a, STR("c"), false));
		assert_ok(store_subscribe(a, STR("c"), true));
	}
	assert_true(events(a, u.arena, since).everything);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metadata),      cmocka_unit_test(test_metadata_limits), cmocka_unit_test(test_threads),
		cmocka_unit_test(test_thread_bounds), cmocka_unit_test(test_migration),       cmocka_unit_test(test_events),
		cmocka_unit_test(test_events_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
