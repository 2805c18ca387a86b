/* tests/unit/test_store_views.c - views that were let go and are taken again (store/store_views.c): as if each had been read anew. */
#include "store_unit.h"

#include <malloc.h>

#include "store/store_acl.h"
#include "store/store_internal.h"

#define ACCOUNT  7
#define MESSAGES 12u
#define MARK     1234 /* a lie in a row that nobody changes: who still sees it was given the view that was kept */

static struct store_unit     unit;
static struct store_account *a, *b; /* who reads, and who changes */
static uint64_t              inbox;

/* ---- short ways ---- */

static struct store_account *account(uint64_t id)
{
	struct store_account *got;

	assert_ok(store_open(unit.store, id, &got));
	return got;
}

static void rig_open(const struct store_options *options)
{
	store_unit_open(&unit, options);
	a = account(ACCOUNT);
	b = account(ACCOUNT);
	inbox = store_unit_box(a, unit.arena, "INBOX").id;
	for (unsigned i = 1; i <= MESSAGES; i++)
		store_unit_append(a, inbox, store_unit_message(unit.arena, i, 300), 0);
}

static void rig_done(void)
{
	store_unit_check(a);
	store_close(&a);
	store_close(&b);
	store_unit_done(&unit);
}

static struct store_view load(uint64_t mailbox, uint64_t as_of)
{
	struct store_view v;

	assert_ok(store_view_load(a, mailbox, as_of, &v));
	return v;
}

static void flags(uint32_t first, uint32_t last, enum store_flag_op op, unsigned f)
{
	const struct store_range       r = { first, last };
	const struct store_flag_change c = { .op = op, .flags = f, .unchanged_since = UINT64_MAX };
	struct store_flagged           got;

	assert_ok(store_flags(b, inbox, (struct store_set){ &r, 1 }, &c, unit.arena, &got));
}

static void expunge(uint32_t first, uint32_t last)
{
	const struct store_range r = { first, last };
	struct store_expunged    gone;

	assert_ok(store_expunge(b, inbox, (struct store_set){ &r, 1 }, false, unit.arena, &gone));
}

static void append(unsigned n)
{
	static unsigned content = 1000;

	for (; n > 0; n--, content++)
		store_unit_append(b, inbox, store_unit_message(unit.arena, content, 300), content % 32);
}

static void same_views(const struct store_view *x, const struct store_view *y)
{
	assert_int_equal(x->modseq, y->modseq);
	assert_int_equal(x->mailbox.modseq, y->mailbox.modseq);
	assert_true(x->account == y->account && x->reader == y->reader && x->generation == y->generation);
	assert_int_equal(x->count, y->count);
	for (size_t i = 0; i < x->count; i++) {
		const struct store_row *p = &x->rows[i], *q = &y->rows[i];

		assert_int_equal(p->uid, q->uid);
		assert_int_equal(p->flags, q->flags);
		assert_int_equal(p->modseq, q->modseq);
		assert_true(p->keywords.bits[0] == q->keywords.bits[0] && p->keywords.bits[1] == q->keywords.bits[1]);
		assert_true(p->created == q->created && p->email == q->email && p->size == q->size && p->internal_ms == q->internal_ms &&
			    p->internal_zone == q->internal_zone);
	}
}

/* What is loaded is what one who has nothing to go by loads. Was it the one kept? */
static bool load_compare(uint64_t as_of)
{
	struct store_view v = load(inbox, as_of), w;
	bool              kept = v.count > 0 && v.rows[0].internal_zone == MARK;

	store_views_drop(unit.store, 0);
	w = load(inbox, as_of);
	if (kept)
		v.rows[0].internal_zone = w.rows[0].internal_zone;
	same_views(&v, &w);
	store_view_done(&v);
	store_view_done(&w);
	return kept;
}

/* ---- what happens between the two ---- */

static void by_nothing(void) { }
static void by_append(void) { append(3); }
static void by_expunge(void) { expunge(3, 5); }
static void by_expunge_end(void) { expunge(MESSAGES - 1, MESSAGES); }
static void by_one_flag(void) { flags(4, 4, STORE_FLAGS_ADD, STORE_SEEN); }
static void by_many_flags(void) { flags(2, 9, STORE_FLAGS_REPLACE, STORE_DRAFT); }

static void by_all(void)
{
	append(2);
	flags(2, 14, STORE_FLAGS_ADD, STORE_FLAGGED);
	expunge(4, 6);
	append(4);
	flags(7, 18, STORE_FLAGS_REMOVE, STORE_FLAGGED);
	flags(8, 8, STORE_FLAGS_ADD, STORE_ANSWERED);
	expunge(14, 15);
}

/* Came and went. */
static void by_guest(void)
{
	append(2);
	expunge(MESSAGES + 1, MESSAGES + 1);
}

static void by_another_mailbox(void)
{
	struct store_copied copied;

	assert_ok(store_copy(b, inbox, STORE_SET_ALL, store_unit_box(b, unit.arena, "Trash").id, unit.arena, &copied));
}

static void by_all_gone(void)
{
	expunge(2, MESSAGES);
	append(1);
}

/* More ranges than anybody looks at one by one. */
static void by_many_ranges(void)
{
	struct store_copied copied;
	struct store_range  r[150];

	for (unsigned i = 0; i < 6; i++)
		assert_ok(store_copy(b, inbox, STORE_SET_ALL, inbox, unit.arena, &copied));
	for (uint32_t i = 0; i < LEN(r); i++)
		r[i] = (struct store_range){ 2 + 2 * i, 2 + 2 * i };
	for (unsigned i = 0; i < LIMIT_IMAP_SET / LEN(r) + 2; i++) {
		const struct store_flag_change c = { .op = i % 2 ? STORE_FLAGS_REMOVE : STORE_FLAGS_ADD, .flags = STORE_SEEN, .unchanged_since = UINT64_MAX };
		struct store_flagged           got;

		assert_ok(store_flags(b, inbox, (struct store_set){ r, LEN(r) }, &c, unit.arena, &got));
		assert_int_equal(got.changed, LEN(r));
	}
}

static void in_txn(const char *sql)
{
	assert_ok(store_txn_begin(b, true));
	assert_ok(store_txn_end(b, db_run(db_sql(b->db, sql)), true));
}

static void by_floor(void)
{
	flags(4, 4, STORE_FLAGS_ADD, STORE_SEEN);
	in_txn("DELETE FROM change");
	in_txn("UPDATE account SET floor = modseq");
}

static void by_gap(void)
{
	assert_ok(store_txn_begin(b, true));
	(void)store_txn_modseq(b);
	assert_ok(store_txn_end(b, ST_OK, true));
	in_txn("INSERT INTO gap SELECT account, 1, modseq - 1 FROM account");
}

/* Behind the back of the clock: the counter tells. */
static void by_nobody(void)
{
	in_txn("UPDATE mailbox SET messages = messages - 1, unseen = unseen - 1, recent = recent - 1, size = size - (SELECT size FROM message WHERE uid = 3) WHERE name = 'INBOX'");
	in_txn("INSERT INTO expunged SELECT account, (SELECT modseq FROM account), mailbox, uid, flags, kw0, kw1, modseq, created, email, size, internal_ms, zone, saved_ms, 0, 0"
	       " FROM message WHERE uid = 3");
	in_txn("DELETE FROM message WHERE uid = 3");
	in_txn("UPDATE account SET messages = (SELECT sum(messages) FROM mailbox), size = (SELECT sum(size) FROM mailbox)");
}

static const struct {
	const char *name;
	void (*fn)(void);
	bool kept, now_only; /* now_only: of the time before, nothing is known any more */
} changes[] = {
	{ "nothing", by_nothing, true, false },
	{ "append", by_append, true, false },
	{ "expunge", by_expunge, true, false },
	{ "expunge at the end", by_expunge_end, true, false },
	{ "one flag", by_one_flag, true, false },
	{ "many flags", by_many_flags, true, false },
	{ "all", by_all, true, false },
	{ "came and went", by_guest, true, false },
	{ "another mailbox", by_another_mailbox, true, false },
	{ "all gone", by_all_gone, true, false },
	{ "many ranges", by_many_ranges, true, false },
	{ "floor", by_floor, false, true },
	{ "gap", by_gap, false, true },
	{ "nobody", by_nobody, false, true },
};

static void change_one(size_t i, bool as_of)
{
	struct store_view v;
	uint64_t          then;
	bool              kept;

	rig_open(NULL);
	v = load(inbox, UINT64_MAX);
	then = v.modseq;
	v.rows[0].internal_zone = MARK;
	changes[i].fn();
	store_view_give(unit.store, &v, v.modseq);
	assert_null(v.rows);
	assert_int_equal(unit.store->views.count, 1);
	kept = load_compare(as_of ? then : UINT64_MAX);
	if (kept != changes[i].kept)
		fail_msg("%s: %s", changes[i].name, kept ? "believed" : "read anew");
	rig_done();
}

static void test_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(changes); i++) {
		change_one(i, false);
		if (!changes[i].now_only)
			change_one(i, true);
	}
}

/* Given again and again, with what came between: also while flags wait to be written. */
static void test_again(void **state)
{
	(void)state;
	rig_open(NULL);
	for (unsigned i = 0; i < 20; i++) {
		struct store_view v = load(inbox, UINT64_MAX);

		if (i > 0)
			assert_int_equal(v.rows[0].internal_zone, MARK);
		v.rows[0].internal_zone = MARK;
		append(i % 3);
		flags(2, 20 + i, i % 2 ? STORE_FLAGS_REPLACE : STORE_FLAGS_ADD, i % 32);
		if (i % 4 == 3)
			expunge(2 + i, 3 + i);
		store_view_give(unit.store, &v, v.modseq);
		if (i % 5 == 4) {
			assert_true(load_compare(UINT64_MAX));
			v = load(inbox, UINT64_MAX);
			v.rows[0].internal_zone = MARK;
			store_view_give(unit.store, &v, v.modseq);
		}
	}
	rig_done();
}

/* ---- what is given ---- */

/* Rows that are gone, bits of the one who had it, and rows that are newer than the view. */
static void test_clean(void **state)
{
	struct store_view v;
	uint64_t          then;

	(void)state;
	rig_open(NULL);
	v = load(inbox, UINT64_MAX);
	then = v.modseq;
	store_view_done(&v);
	expunge(4, 6);
	v = load(inbox, then);
	assert_true(v.count == MESSAGES && (v.rows[4].flags & STORE_EXPUNGED));
	v.rows[0].internal_zone = MARK;
	for (size_t i = 0; i < v.count; i++)
		v.rows[i].flags |= 1u << 15;
	store_view_give(unit.store, &v, then);
	assert_int_equal(unit.store->views.count, 1);
	assert_true(load_compare(UINT64_MAX));
	/* as of then with flags of now: nobody can say that they stay */
	flags(7, 7, STORE_FLAGS_ADD, STORE_SEEN);
	v = load(inbox, then);
	store_view_give(unit.store, &v, then);
	assert_null(v.rows);
	assert_int_equal(unit.store->views.count, 0);
	/* nothing at all */
	store_view_give(unit.store, &v, then);
	assert_int_equal(unit.store->views.count, 0);
	assert_int_equal(unit.store->views.octets, 0);
	rig_done();
}

/* One in which a message is missing that is there: the others do not make up for it. */
static void test_hole(void **state)
{
	(void)state;
	rig_open(NULL);
	for (unsigned fewer = 0; fewer < 2; fewer++) {
		struct store_view v = load(inbox, UINT64_MAX);

		v.rows[0].internal_zone = MARK;
		memmove(&v.rows[4], &v.rows[5], (v.count - 5) * sizeof(v.rows[0]));
		v.rows[v.count - 1].uid += 100; /* nobody's, that makes the number right */
		v.count -= fewer;
		flags(5, 5, STORE_FLAGS_REPLACE, fewer ? 0 : STORE_SEEN);
		if (fewer)
			append(1);
		store_view_give(unit.store, &v, v.modseq);
		assert_false(load_compare(UINT64_MAX));
	}
	rig_done();
}

/* A view of before a repair may have what the repair has dropped. */
static void test_generation(void **state)
{
	struct store_view v;
	uint64_t          generation = 1;
	int               fd;

	(void)state;
	rig_open(NULL);
	v = load(inbox, UINT64_MAX);
	v.rows[0].internal_zone = MARK;
	store_close(&a);
	store_close(&b);
	fd = openat(unit.fd, "07/7/mail.db.lock", O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &generation, sizeof(generation), 96), sizeof(generation));
	close(fd);
	a = account(ACCOUNT);
	b = account(ACCOUNT);
	assert_int_equal(db_generation(a->db), 1);
	store_view_give(unit.store, &v, v.modseq);
	assert_false(load_compare(UINT64_MAX));
	rig_done();
}

static void test_deleted(void **state)
{
	struct store_view v;
	uint64_t          made;

	(void)state;
	rig_open(NULL);
	assert_ok(store_mailbox_create(b, STR("work"), STORE_SPECIAL_NONE, &made));
	store_unit_append(b, made, store_unit_message(unit.arena, 77, 300), 0);
	v = load(made, UINT64_MAX);
	assert_ok(store_mailbox_delete(b, STR("work")));
	store_view_give(unit.store, &v, v.modseq);
	assert_st(store_view_load(a, made, UINT64_MAX, &v), ST_NOT_FOUND);
	/* one of the same name is another */
	assert_ok(store_mailbox_create(b, STR("work"), STORE_SPECIAL_NONE, &made));
	v = load(made, UINT64_MAX);
	assert_int_equal(v.count, 0);
	store_view_done(&v);
	rig_done();
}

/* ---- whose it is ---- */

static void read_as(uint64_t reader)
{
	store_reader_set(a, reader, STORE_FLAGS, true);
	store_reader_set(b, reader, STORE_FLAGS, true);
}

static void test_readers(void **state)
{
	struct store_view v, w;

	(void)state;
	rig_open(NULL);
	flags(1, 6, STORE_FLAGS_ADD, STORE_SEEN);
	read_as(8);
	flags(5, 9, STORE_FLAGS_ADD, STORE_SEEN);
	v = load(inbox, UINT64_MAX);
	v.rows[0].internal_zone = MARK;
	assert_true(!(v.rows[1].flags & STORE_SEEN) && (v.rows[8].flags & STORE_SEEN));
	store_view_give(unit.store, &v, v.modseq);
	/* not to the owner, nor to another */
	read_as(0);
	w = load(inbox, UINT64_MAX);
	assert_true(w.rows[0].internal_zone != MARK && (w.rows[1].flags & STORE_SEEN) && !(w.rows[8].flags & STORE_SEEN));
	w.rows[0].internal_zone = MARK;
	store_view_give(unit.store, &w, w.modseq);
	assert_int_equal(unit.store->views.count, 2);
	read_as(9);
	w = load(inbox, UINT64_MAX);
	assert_true(w.rows[0].internal_zone != MARK && !(w.rows[8].flags & STORE_SEEN));
	store_view_done(&w);
	/* of another account's mailbox with the same number neither */
	{
		struct store_account *c = account(ACCOUNT + 1);

		assert_ok(store_view_load(c, inbox, UINT64_MAX, &w));
		assert_int_equal(w.count, 0);
		assert_int_equal(unit.store->views.count, 2);
		store_view_done(&w);
		store_close(&c);
	}
	/* but to each his own, with what he has seen since */
	read_as(8);
	flags(2, 7, STORE_FLAGS_REPLACE, STORE_SEEN | STORE_FLAGGED);
	assert_true(load_compare(UINT64_MAX)); /* drops the owner's */
	flags(9, 9, STORE_FLAGS_REMOVE, STORE_SEEN);
	read_as(0);
	v = load(inbox, UINT64_MAX);
	v.rows[0].internal_zone = MARK;
	store_view_give(unit.store, &v, v.modseq);
	read_as(8);
	flags(3, 8, STORE_FLAGS_REMOVE, STORE_SEEN);
	read_as(0);
	assert_true(load_compare(UINT64_MAX));
	rig_done();
}

/* ---- how many ---- */

/* A view of nobody's mailbox, which only has its size. */
static void give_some(uint64_t mailbox, size_t count)
{
	struct store_view v = { .account = ACCOUNT, .mailbox.id = mailbox, .modseq = 1, .count = count };

	v.rows = calloc(MAX(count, (size_t)1), sizeof(*v.rows));
	assert_non_null(v.rows);
	store_view_give(unit.store, &v, 1);
	assert_null(v.rows);
}

static void give_marked(void)
{
	struct store_view v = load(inbox, UINT64_MAX);

	v.rows[0].internal_zone = MARK;
	store_view_give(unit.store, &v, v.modseq);
}

static void test_limits(void **state)
{
	unsigned n;

	(void)state;
	rig_open(&(struct store_options){ .views = 100000 });
	give_some(1000, 100000 / sizeof(struct store_row) + 1); /* too large by itself */
	assert_int_equal(unit.store->views.count, 0);
	for (unsigned i = 0; i < 40; i++) {
		give_some(1000 + i, 100);
		assert_true(unit.store->views.octets <= 100000);
	}
	assert_true(unit.store->views.count >= 10 && unit.store->views.count < 40);
	/* for one that is too large no other goes */
	n = unit.store->views.count;
	give_some(900, 100000 / sizeof(struct store_row) + 1);
	assert_int_equal(unit.store->views.count, n);
	/* the oldest goes */
	give_marked();
	for (unsigned i = 0; i < 40; i++)
		give_some(2000 + i, 100);
	assert_false(load_compare(UINT64_MAX));
	/* the newest are kept, and the same mailbox once */
	give_marked();
	for (unsigned i = 0; i < 40; i++)
		give_some(5000, 100);
	assert_true(load_compare(UINT64_MAX));
	assert_int_equal(unit.store->views.count, 0);
	assert_int_equal(unit.store->views.octets, 0);
	for (unsigned i = 0; i < 400; i++)
		give_some(1000 + i, 0);
	assert_int_equal(unit.store->views.count, 256);
	rig_done();
}

/* What once was large costs no more than it is now. */
static void test_shrunk(void **state)
{
	struct store_view v;
	struct store_info info;
	size_t            before;

	(void)state;
	rig_open(NULL);
	before = malloc_usable_size((v = load(inbox, UINT64_MAX)).rows);
	v.rows[0].internal_zone = MARK;
	v.count = 1; /* as a session does that learns of an expunge */
	expunge(2, MESSAGES);
	assert_ok(store_info(a, &info));
	store_view_give(unit.store, &v, info.modseq);
	v = load(inbox, UINT64_MAX);
	assert_int_equal(v.rows[0].internal_zone, MARK);
	assert_int_equal(v.count, 1);
	assert_true(malloc_usable_size(v.rows) < before / 2);
	store_view_done(&v);
	rig_done();
}

/* With its account they go: when the last session has left, when it is purged. */
static void test_forgotten(void **state)
{
	struct store_entry *entry;
	struct store_view   v;

	(void)state;
	rig_open(NULL);
	entry = store_enter(unit.store, ACCOUNT, STR(""));
	v = load(inbox, UINT64_MAX);
	store_view_give(unit.store, &v, v.modseq);
	store_forget(unit.store, 0);
	assert_int_equal(unit.store->views.count, 1);
	store_leave(unit.store, &entry);
	store_forget(unit.store, 60000);
	assert_int_equal(unit.store->views.count, 1);
	store_forget(unit.store, 0);
	assert_int_equal(unit.store->views.count, 0);
	assert_int_equal(unit.store->views.octets, 0);
	/* of others they stay */
	give_some(1000, 3);
	store_views_drop(unit.store, ACCOUNT + 1);
	assert_int_equal(unit.store->views.count, 1);
	store_close(&a);
	store_close(&b);
	assert_ok(store_purge(unit.store, ACCOUNT));
	assert_int_equal(unit.store->views.count, 0);
	a = account(ACCOUNT);
	rig_done();
}

/* ---- at random ---- */

#define STEPS 800

static unsigned below(uint64_t *random, unsigned n)
{
	*random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(*random >> 33) % n;
}

static void step(uint64_t *random, struct store_view held[3])
{
	struct store_view *v = &held[below(random, 3)];
	const uint64_t     reader = 8 * below(random, 2);
	struct store_info  info;
	uint32_t           uid, last;

	assert_ok(store_info(a, &info));
	uid = 2 + below(random, store_unit_box(a, unit.arena, "INBOX").uidnext);
	last = uid + below(random, 12);
	read_as(reader);
	switch (below(random, 10)) {
	case 0:
	case 1:  append(1 + below(random, 4)); break;
	case 2:  expunge(uid, last); break;
	case 3:
	case 4:  flags(uid, last, (enum store_flag_op)below(random, 3), below(random, 32)); break;
	case 5:  flags(uid, uid, (enum store_flag_op)below(random, 3), below(random, 32)); break;
	case 6: /* let go */
		if (v->rows)
			store_view_give(unit.store, v, v->modseq);
		break;
	case 7: /* held until then, perhaps after it was brought up to an earlier time only */
		store_view_done(v);
		*v = load(inbox, below(random, 2) ? UINT64_MAX : info.modseq - below(random, (unsigned)MIN(info.modseq - 10, UINT64_C(8))));
		break;
	default: (void)load_compare(below(random, 2) ? UINT64_MAX : info.modseq - below(random, 4)); break;
	}
}

static void test_random(void **state)
{
	struct store_view held[3] = { { 0 } };
	uint64_t          random = 5;

	(void)state;
	rig_open(NULL);
	for (unsigned i = 0; i < STEPS; i++) {
		step(&random, held);
		if (i % 50 == 0) {
			read_as(0);
			store_unit_check(a);
			arena_reset(unit.arena);
		}
	}
	for (size_t i = 0; i < LEN(held); i++)
		store_view_done(&held[i]);
	read_as(0);
	rig_done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes), cmocka_unit_test(test_again),   cmocka_unit_test(test_clean),     cmocka_unit_test(test_hole),
		cmocka_unit_test(test_generation), cmocka_unit_test(test_deleted), cmocka_unit_test(test_readers), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_shrunk),  cmocka_unit_test(test_forgotten), cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
