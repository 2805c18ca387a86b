/* tests/unit/test_store_flagging.c - changes of flags that are not yet in the rows of their messages (store/store_flagging.c): nobody can tell.
 *
 * Random histories run on two accounts: in one the changes stay as long as they may, in the other each is written into the rows at once. Both must
 * look the same at any time, and as a plain array of flags has it.
 */
#include "store_unit.h"

#include "store/store_acl.h"
#include "store/store_flagging.h"
#include "store/store_mend.h"
#include "store/store_salvage.h"
#include "store/store_undelete.h"
#include "sys/boot.h"
#include "sys/fault.h"

#ifdef POSTRIDER_FAULTS

#include "crash_disk.h"

#define ACCOUNT 7

static struct store_unit unit;

/* ---- short ways ---- */

static struct store_account *account(uint64_t id)
{
	struct store_account *a;

	assert_ok(store_open(unit.store, id, &a));
	return a;
}

static uint64_t box(struct store_account *a, const char *name)
{
	return store_unit_box(a, unit.arena, name).id;
}

/* How many changes wait, of a mailbox or (0) of all. */
static unsigned waiting(struct store_account *a, uint64_t mailbox)
{
	struct db_stmt *s;
	unsigned        n;

	assert_ok(db_begin_read(a->db));
	s = db_sql(a->db, "SELECT count(*) FROM flagging WHERE ?1 IN (0, mailbox)");
	db_bind_u64(s, 1, mailbox);
	assert_ok(db_step(s));
	n = (unsigned)db_u64(s, 0);
	db_done(s);
	db_rollback(a->db);
	return n;
}

static void apply_all(struct store_account *a)
{
	assert_ok(store_txn_begin(a, true));
	assert_ok(store_txn_end(a, store_flagging_apply_all(a), false));
}

static uint64_t clock_of(struct store_account *a)
{
	struct store_info info;

	assert_ok(store_info(a, &info));
	return info.modseq;
}

static struct store_flagged flags_if(struct store_account *a, uint64_t mailbox, uint32_t first, uint32_t last, enum store_flag_op op, unsigned flags,
				     uint64_t unchanged_since)
{
	const struct store_range       r = { first, last };
	const struct store_flag_change c = { .op = op, .flags = flags, .unchanged_since = unchanged_since };
	struct store_flagged           got;

	assert_ok(store_flags(a, mailbox, (struct store_set){ &r, 1 }, &c, unit.arena, &got));
	return got;
}

static struct store_flagged flags(struct store_account *a, uint64_t mailbox, uint32_t first, uint32_t last, enum store_flag_op op, unsigned f)
{
	return flags_if(a, mailbox, first, last, op, f, UINT64_MAX);
}

static void fill(struct store_account *a, uint64_t mailbox, unsigned n, unsigned flags)
{
	for (unsigned i = 1; i <= n; i++)
		store_unit_append(a, mailbox, store_unit_message(unit.arena, i, 300), flags);
}

/* Flags of all messages, one hexadecimal digit or two each. */
static const char *shown(struct store_account *a, uint64_t mailbox)
{
	struct store_view v;
	struct buf        b;
	const char       *s;

	buf_init(&b, 4096);
	assert_ok(store_view_load(a, mailbox, UINT64_MAX, &v));
	for (size_t i = 0; i < v.count; i++)
		buf_addf(&b, "%s%x", i ? " " : "", v.rows[i].flags);
	store_view_done(&v);
	s = arena_cstr(unit.arena, buf_str(&b));
	buf_done(&b);
	return s;
}

/* ---- two accounts, one history ---- */

#define LATE  3 /* account in which they wait */
#define NOW   5
#define BOXES 3
#define STEPS 500
#define SHOTS 24

struct twin {
	struct store_account *late, *now;
	uint64_t              shots[SHOTS]; /* earlier times, all of them known */
	unsigned              shot_count, contents;
	struct store_view     old; /* of `late`, taken some time ago: what a session knows */
	uint64_t              random;
};

static const char *const names[BOXES] = { "INBOX", "Archive", "work" };
static const unsigned    keywords[] = { 0, 1, 62, 63, 64, 65, 90 };

/* Who reads, and what he may change. */
static const struct {
	uint64_t id;
	unsigned flags;
	bool     keywords;
} readers[] = { { 0, STORE_FLAGS, true },
		{ 0, STORE_FLAGS, true },
		{ 8, STORE_FLAGS, true },
		{ 9, STORE_SEEN | STORE_DELETED, false },
		{ 10, STORE_FLAGS & ~(unsigned)(STORE_SEEN | STORE_DELETED), true } };

static unsigned below(struct twin *t, unsigned n)
{
	t->random = t->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(t->random >> 33) % n;
}

static void read_as(struct twin *t, size_t who)
{
	store_reader_set(t->late, readers[who].id, readers[who].flags, readers[who].keywords);
	store_reader_set(t->now, readers[who].id, readers[who].flags, readers[who].keywords);
}

static void same_row(const struct store_row *x, const struct store_row *y)
{
	assert_int_equal(x->uid, y->uid);
	assert_int_equal(x->flags, y->flags);
	assert_true(x->keywords.bits[0] == y->keywords.bits[0] && x->keywords.bits[1] == y->keywords.bits[1]);
	assert_int_equal(x->modseq, y->modseq);
	assert_int_equal(x->created, y->created);
	assert_int_equal(x->size, y->size);
}

static void same_rows(const struct store_row *x, size_t n, const struct store_row *y, size_t m)
{
	assert_int_equal(n, m);
	for (size_t i = 0; i < n; i++)
		same_row(&x[i], &y[i]);
}

static void same_box(const struct store_mailbox *x, const struct store_mailbox *y)
{
	assert_int_equal(x->messages, y->messages);
	assert_int_equal(x->unseen, y->unseen);
	assert_int_equal(x->deleted, y->deleted);
	assert_int_equal(x->deleted_size, y->deleted_size);
	assert_int_equal(x->size, y->size);
	assert_int_equal(x->recent, y->recent);
	assert_int_equal(x->uidnext, y->uidnext);
	assert_int_equal(x->modseq, y->modseq);
}

static void same_views(struct twin *t, uint64_t late, uint64_t now, uint64_t as_of)
{
	struct store_view x, y;

	assert_ok(store_view_load(t->late, late, as_of, &x));
	assert_ok(store_view_load(t->now, now, as_of, &y));
	same_box(&x.mailbox, &y.mailbox);
	assert_int_equal(x.modseq, y.modseq);
	same_rows(x.rows, x.count, y.rows, y.count);
	store_view_done(&x);
	store_view_done(&y);
}

static void same_changes(struct twin *t, uint64_t late, uint64_t now, uint64_t since)
{
	struct store_changes x, y;

	assert_ok(store_changes(t->late, late, since, unit.arena, &x));
	assert_ok(store_changes(t->now, now, since, unit.arena, &y));
	assert_int_equal(x.modseq, y.modseq);
	assert_int_equal(x.everything, y.everything);
	same_rows(x.rows, x.row_count, y.rows, y.row_count);
	assert_int_equal(x.vanished_count, y.vanished_count);
	for (size_t i = 0; i < x.vanished_count; i++)
		assert_true(x.vanished[i].uid == y.vanished[i].uid && x.vanished[i].modseq == y.vanished[i].modseq);
}

/* One part of the mailbox, by two ranges. */
static void same_some(struct twin *t, uint64_t late, uint64_t now)
{
	const struct store_range r[] = { { 2 + below(t, 9), 12 }, { 15, 16 + below(t, 90) } };
	struct store_row        *x, *y;
	size_t                   n, m, max = 1 + below(t, 30);

	assert_ok(store_rows(t->late, late, (struct store_set){ r, 2 }, max, unit.arena, &x, &n));
	assert_ok(store_rows(t->now, now, (struct store_set){ r, 2 }, max, unit.arena, &y, &m));
	same_rows(x, n, y, m);
}

static void compare(struct twin *t, bool all)
{
	assert_int_equal(clock_of(t->late), clock_of(t->now));
	for (size_t i = 0; i < BOXES; i++) {
		uint64_t late = box(t->late, names[i]), now = box(t->now, names[i]);

		if (!all && below(t, BOXES) > 0)
			continue;
		for (size_t who = 1; who < LEN(readers); who++) {
			if (!all && below(t, 2))
				continue;
			read_as(t, who);
			same_views(t, late, now, UINT64_MAX);
			same_some(t, late, now);
			for (size_t k = 0; k < MIN(t->shot_count, (unsigned)SHOTS); k += all ? 1 : 1 + below(t, SHOTS)) {
				same_views(t, late, now, t->shots[k]);
				same_changes(t, late, now, t->shots[k]);
			}
		}
		read_as(t, 0);
	}
	store_unit_check(t->late);
	if (all)
		store_unit_check(t->now);
	assert_int_equal(waiting(t->now, 0), 0);
}

/* ---- steps ---- */

static struct store_set some_set(struct twin *t, const struct store_mailbox *m, struct store_range r[3])
{
	size_t   n = 1 + below(t, 3);
	uint32_t at = 0;

	if (below(t, 4) == 0) {
		r[0] = (struct store_range){ 1, UINT32_MAX };
		return (struct store_set){ r, 1 };
	}
	for (size_t i = 0; i < n; i++) {
		r[i].first = at + 1 + below(t, i ? 6 : m->uidnext + 2);
		r[i].last = r[i].first + below(t, 30);
		at = r[i].last;
	}
	return (struct store_set){ r, n };
}

static size_t some_keywords(struct twin *t, struct str out[LEN(keywords)], struct store_keywords *ret_bits)
{
	size_t n = 0;

	*ret_bits = (struct store_keywords){ 0 };
	for (size_t i = 0; i < LEN(keywords); i++) {
		if (below(t, 3) > 0)
			continue;
		out[n++] = arena_printf(unit.arena, "k%u", keywords[i]);
		ret_bits->bits[keywords[i] / 64] |= UINT64_C(1) << keywords[i] % 64;
	}
	return n;
}

static uint64_t op_bits(enum store_flag_op op, uint64_t was, uint64_t bits, uint64_t may)
{
	uint64_t is = op == STORE_FLAGS_ADD ? was | bits : op == STORE_FLAGS_REMOVE ? was & ~bits : bits;

	return (was & ~may) | (is & may);
}

/* What the change makes of the row, for the one who makes it (`own`) or for the owner. */
static struct store_row expected(const struct store_row *row, const struct store_flag_change *c, struct store_keywords kw, size_t who, bool own)
{
	struct store_row r = *row;
	uint64_t         may = readers[who].flags, may_kw = readers[who].keywords ? UINT64_MAX : 0;

	if (!own && readers[who].id != 0)
		may &= ~(uint64_t)STORE_SEEN;
	r.flags = (uint16_t)op_bits(c->op, r.flags, c->flags, may);
	for (size_t i = 0; i < 2; i++)
		r.keywords.bits[i] = op_bits(c->op, r.keywords.bits[i], kw.bits[i], may_kw);
	return r;
}

static bool in_set(struct store_set s, uint32_t uid)
{
	bool in = false;

	for (size_t i = 0; i < s.count; i++)
		in |= uid >= s.ranges[i].first && uid <= s.ranges[i].last;
	return in;
}

static bool same_flags(const struct store_row *x, const struct store_row *y)
{
	return x->flags == y->flags && x->keywords.bits[0] == y->keywords.bits[0] && x->keywords.bits[1] == y->keywords.bits[1];
}

struct before {
	struct store_row *own, *owners; /* rows as the one who changes sees them, and as the owner does */
	size_t            n;
};

static struct before before_read(struct twin *t, uint64_t mailbox, size_t who)
{
	struct before b;
	size_t        n;

	read_as(t, 0);
	assert_ok(store_rows(t->now, mailbox, STORE_SET_ALL, SIZE_MAX, unit.arena, &b.owners, &b.n));
	read_as(t, who);
	assert_ok(store_rows(t->now, mailbox, STORE_SET_ALL, SIZE_MAX, unit.arena, &b.own, &n));
	assert_int_equal(n, b.n);
	return b;
}

/* The rows of `late` are those before, changed as the array has it. */
static void after_compare(struct twin *t, uint64_t mailbox, const struct before *b, struct store_set set, const struct store_flag_change *c,
			  struct store_keywords kw, size_t who, uint64_t modseq)
{
	struct store_row *own, *owners;
	size_t            n;

	assert_ok(store_rows(t->late, mailbox, STORE_SET_ALL, SIZE_MAX, unit.arena, &own, &n));
	assert_int_equal(n, b->n);
	read_as(t, 0);
	assert_ok(store_rows(t->late, mailbox, STORE_SET_ALL, SIZE_MAX, unit.arena, &owners, &n));
	for (size_t i = 0; i < n; i++) {
		struct store_row mine = expected(&b->own[i], c, kw, who, true), his = expected(&b->owners[i], c, kw, who, false);
		bool changes = in_set(set, b->own[i].uid) && b->own[i].modseq <= c->unchanged_since && !same_flags(&mine, &b->own[i]);

		assert_true(same_flags(&own[i], changes ? &mine : &b->own[i]));
		assert_true(same_flags(&owners[i], changes ? &his : &b->owners[i]));
		assert_int_equal(own[i].modseq, changes ? modseq : b->own[i].modseq);
		assert_int_equal(owners[i].modseq, own[i].modseq);
	}
}

static void same_flagged(const struct store_flagged *x, const struct store_flagged *y)
{
	same_rows(x->rows, x->row_count, y->rows, y->row_count);
	assert_int_equal(x->modseq, y->modseq);
	assert_int_equal(x->changed, y->changed);
	assert_int_equal(x->modified_count, y->modified_count);
	for (size_t i = 0; i < x->modified_count; i++)
		assert_int_equal(x->modified[i], y->modified[i]);
}

static void step_flags(struct twin *t, const char *name)
{
	const struct store_mailbox late = store_unit_box(t->late, unit.arena, name), now = store_unit_box(t->now, unit.arena, name);
	size_t                     who = below(t, LEN(readers));
	struct store_range         r[3];
	struct store_set           set = some_set(t, &now, r);
	struct str                 kw_names[LEN(keywords)];
	struct store_keywords      kw;
	struct store_flag_change   c = { .op = (enum store_flag_op)below(t, 3), .keywords = kw_names, .unchanged_since = UINT64_MAX };
	struct store_flagged       x = { 0 }, y = { 0 };
	struct before              b = before_read(t, now.id, who);

	/* Some concern \Seen alone, or nothing of the table. */
	c.flags = below(t, 4) ? below(t, 32) : STORE_SEEN;
	c.keyword_count = below(t, 3) ? 0 : some_keywords(t, kw_names, &kw);
	kw = c.keyword_count > 0 ? kw : (struct store_keywords){ 0 };
	if (below(t, 4) == 0)
		c.unchanged_since = clock_of(t->now) - below(t, 12);
	if (t->old.rows && t->old.mailbox.id == late.id)
		c.known = (struct store_known){ t->old.rows, t->old.count, t->old.modseq };
	assert_ok(store_flags(t->late, late.id, set, &c, unit.arena, &x));
	c.known = (struct store_known){ 0 };
	assert_ok(store_flags(t->now, now.id, set, &c, unit.arena, &y));
	same_flagged(&x, &y);
	after_compare(t, late.id, &b, set, &c, kw, who, x.modseq);
}

static void step_append(struct twin *t, const char *name)
{
	if (store_unit_box(t->now, unit.arena, name).messages > 60)
		return;
	for (unsigned n = 1 + below(t, 8); n > 0; n--) {
		struct str content = store_unit_message(unit.arena, t->contents++, 200 + below(t, 300));
		unsigned   f = below(t, 32);

		store_unit_append(t->late, box(t->late, name), content, f);
		store_unit_append(t->now, box(t->now, name), content, f);
	}
}

static void step_copy(struct twin *t, const char *name, bool move)
{
	const struct store_mailbox m = store_unit_box(t->now, unit.arena, name);
	const char                *to = names[below(t, BOXES)];
	size_t                     who = below(t, LEN(readers));
	struct store_range         r[3];
	struct store_set           set = some_set(t, &m, r);
	struct store_copied        x, y;
	enum status (*fn)(struct store_account *, uint64_t, struct store_set, uint64_t, struct arena *, struct store_copied *) =
		move ? store_move : store_copy;

	if (!move && store_unit_box(t->now, unit.arena, to).messages > 60)
		return;
	read_as(t, who);
	assert_ok(fn(t->late, box(t->late, name), set, box(t->late, to), unit.arena, &x));
	assert_ok(fn(t->now, m.id, set, box(t->now, to), unit.arena, &y));
	assert_int_equal(x.count, y.count);
	read_as(t, 0);
}

static void step_expunge(struct twin *t, const char *name)
{
	const struct store_mailbox m = store_unit_box(t->now, unit.arena, name);
	bool                       deleted_only = below(t, 4) > 0;
	size_t                     who = below(t, LEN(readers));
	struct store_range         r[3];
	struct store_set           set = some_set(t, &m, r);
	struct store_expunged      x, y;

	read_as(t, who);
	assert_ok(store_expunge(t->late, box(t->late, name), set, deleted_only, unit.arena, &x));
	assert_ok(store_expunge(t->now, m.id, set, deleted_only, unit.arena, &y));
	assert_int_equal(x.count, y.count);
	assert_int_equal(x.modseq, y.modseq);
	for (size_t i = 0; i < x.count; i++)
		assert_int_equal(x.uids[i], y.uids[i]);
	read_as(t, 0);
}

static void undelete(struct store_account *a, const char *into)
{
	const struct store_undelete q = { .into = str_of(into), .since_ms = 0, .until_ms = INT64_MAX, .max_rows = 9 };
	struct store_undeleted      got;

	assert_ok(store_undelete(a, &q, unit.arena, &got));
}

/* A mailbox goes with all that waits in it, and is made anew. */
static void step_delete(struct twin *t)
{
	assert_ok(store_mailbox_delete(t->late, STR("work")));
	assert_ok(store_mailbox_delete(t->now, STR("work")));
	assert_ok(store_mailbox_create(t->late, STR("work"), STORE_SPECIAL_NONE, NULL));
	assert_ok(store_mailbox_create(t->now, STR("work"), STORE_SPECIAL_NONE, NULL));
	if (below(t, 2)) {
		undelete(t->late, "work");
		undelete(t->now, "work");
	}
}

/* The messages of INBOX go elsewhere, of another mailbox only the name. */
static void step_rename(struct twin *t)
{
	const struct str from = below(t, 2) ? STR("INBOX") : STR("Archive");

	assert_ok(store_mailbox_rename(t->late, from, STR("was")));
	assert_ok(store_mailbox_rename(t->now, from, STR("was")));
	if (str_eq(from, STR("INBOX"))) {
		assert_ok(store_mailbox_delete(t->late, STR("was")));
		assert_ok(store_mailbox_delete(t->now, STR("was")));
	} else {
		assert_ok(store_mailbox_rename(t->late, STR("was"), from));
		assert_ok(store_mailbox_rename(t->now, STR("was"), from));
	}
}

/* To an account of its own, where all must look alike too. */
static void step_transfer(struct twin *t, const char *name)
{
	const struct store_mailbox m = store_unit_box(t->now, unit.arena, name);
	struct store_account      *x = account(LATE + 10), *y = account(NOW + 10);
	struct twin                others = { .late = x, .now = y, .random = t->random };
	struct store_range         r[3];
	struct store_set           set = some_set(t, &m, r);
	bool                       move = below(t, 2);
	struct store_copied        a, b;
	struct store_expunged      gone;
	uint64_t                   modseq;

	assert_ok(store_transfer(t->late, box(t->late, name), set, x, box(x, "INBOX"), move, unit.arena, &a, &modseq));
	assert_ok(store_transfer(t->now, m.id, set, y, box(y, "INBOX"), move, unit.arena, &b, &modseq));
	same_views(&others, box(x, "INBOX"), box(y, "INBOX"), UINT64_MAX);
	assert_ok(store_expunge(x, box(x, "INBOX"), STORE_SET_ALL, false, unit.arena, &gone));
	assert_ok(store_expunge(y, box(y, "INBOX"), STORE_SET_ALL, false, unit.arena, &gone));
	store_close(&x);
	store_close(&y);
}

/* Another handle than the one that made the changes, or the view of then. */
static void step_handle(struct twin *t)
{
	switch (below(t, 4)) {
	case 0:
		store_close(&t->late);
		t->late = account(LATE);
		break;
	case 1:
		store_view_done(&t->old);
		assert_ok(store_view_load(t->late, box(t->late, names[below(t, BOXES)]), UINT64_MAX, &t->old));
		break;
	case 2:
		if (t->old.rows)
			store_view_give(unit.store, &t->old, t->old.modseq);
		break;
	default:
		store_tidy(t->late);
		assert_false(t->late->flagging_due);
		break;
	}
}

static void step(struct twin *t)
{
	const char *name = names[below(t, BOXES)];

	switch (below(t, 24)) {
	case 0:
	case 1:
	case 2:  step_append(t, name); break;
	case 3:  step_copy(t, name, false); break;
	case 4:  step_copy(t, name, true); break;
	case 5:  step_expunge(t, name); break;
	case 6:  below(t, 3) ? step_handle(t) : step_delete(t); break;
	case 7:  below(t, 3) ? step_handle(t) : step_rename(t); break;
	case 8:  step_transfer(t, name); break;
	case 9:
	case 10: step_handle(t); break;
	case 11: t->shots[t->shot_count++ % SHOTS] = clock_of(t->late); break;
	default: step_flags(t, name); break;
	}
	apply_all(t->now);
}

static void keywords_make(struct store_account *a)
{
	struct str               list[96];
	struct store_new_message m = { .content = store_unit_message(unit.arena, 999999, 300), .keywords = list, .keyword_count = LEN(list) };
	struct store_added       added;

	for (unsigned i = 0; i < LEN(list); i++)
		list[i] = arena_printf(unit.arena, "k%u", i);
	assert_ok(store_append(a, box(a, "INBOX"), &m, 1, &added));
}

static unsigned run_history(uint64_t seed)
{
	struct twin t = { .random = seed };
	unsigned    most = 0;

	store_unit_open(&unit, NULL);
	t.late = account(LATE);
	t.now = account(NOW);
	keywords_make(t.late);
	keywords_make(t.now);
	assert_ok(store_mailbox_create(t.late, STR("work"), STORE_SPECIAL_NONE, NULL));
	assert_ok(store_mailbox_create(t.now, STR("work"), STORE_SPECIAL_NONE, NULL));
	for (unsigned i = 0; i < STEPS; i++) {
		step(&t);
		compare(&t, i % 50 == 0);
		most = MAX(most, waiting(t.late, 0));
		if (i % 10 == 0)
			arena_reset(unit.arena);
	}
	compare(&t, true);
	apply_all(t.late);
	compare(&t, true);
	store_view_done(&t.old);
	store_close(&t.late);
	store_close(&t.now);
	store_unit_done(&unit);
	return most;
}

static void test_histories(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++)
		assert_true(run_history(seed) >= 5); /* they did wait */
}

/* ---- one by one ---- */

/* Few are written at once, many wait, and are laid over each other in the order in which they came. */
static void test_laid(void **state)
{
	struct store_account *a;
	struct store_changes  c;
	struct store_flagged  f;
	struct store_view     v;
	uint64_t              inbox, began, then[4];

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(ACCOUNT);
	inbox = box(a, "INBOX");
	fill(a, inbox, 6, 0);
	began = clock_of(a);
	f = flags(a, inbox, 1, 2, STORE_FLAGS_ADD, STORE_SEEN);
	assert_int_equal(waiting(a, 0), 0);
	then[0] = flags(a, inbox, 1, 5, STORE_FLAGS_ADD, STORE_SEEN | STORE_FLAGGED).modseq;
	assert_int_equal(waiting(a, 0), 1);
	then[1] = flags(a, inbox, 3, 6, STORE_FLAGS_REPLACE, STORE_DRAFT).modseq;
	then[2] = flags(a, inbox, 2, 4, STORE_FLAGS_REMOVE, STORE_DRAFT | STORE_SEEN).modseq;
	then[3] = flags(a, inbox, 4, 6, STORE_FLAGS_ADD, STORE_DELETED).modseq;
	assert_int_equal(waiting(a, inbox), 4);
	assert_string_equal(shown(a, inbox), "5 4 0 8 18 18");
	store_unit_check(a);
	/* Of nothing that changes nothing is kept. */
	f = flags(a, inbox, 4, 6, STORE_FLAGS_ADD, STORE_DELETED);
	assert_int_equal(f.changed, 0);
	assert_int_equal(waiting(a, inbox), 4);
	/* By the clock. */
	assert_ok(store_changes(a, inbox, began, unit.arena, &c));
	assert_int_equal(c.row_count, 6);
	assert_true(c.rows[0].modseq == then[0] && c.rows[1].modseq == then[2] && c.rows[5].modseq == then[3]);
	assert_ok(store_changes(a, inbox, then[1], unit.arena, &c));
	assert_int_equal(c.row_count, 5);
	assert_ok(store_changes(a, inbox, then[2], unit.arena, &c));
	assert_int_equal(c.row_count, 3);
	assert_ok(store_changes(a, inbox, then[3], unit.arena, &c));
	assert_int_equal(c.row_count, 0);
	/* Flags are today's, whatever the time of the view. */
	assert_ok(store_view_load(a, inbox, then[0], &v));
	assert_true(v.count == 6 && v.rows[3].flags == STORE_DELETED && v.rows[3].modseq == then[3]);
	store_view_done(&v);
	/* One message, with others waiting: it alone is written, whole. */
	f = flags(a, inbox, 4, 4, STORE_FLAGS_ADD, STORE_ANSWERED);
	assert_int_equal(waiting(a, inbox), 4);
	assert_string_equal(shown(a, inbox), "5 4 0 a 18 18");
	flags(a, inbox, 2, 4, STORE_FLAGS_ADD, STORE_FLAGGED);
	assert_string_equal(shown(a, inbox), "5 4 4 e 18 18");
	store_unit_check(a);
	apply_all(a);
	assert_int_equal(waiting(a, 0), 0);
	assert_string_equal(shown(a, inbox), "5 4 4 e 18 18");
	assert_ok(store_changes(a, inbox, then[2], unit.arena, &c));
	assert_int_equal(c.row_count, 4); /* 3 is of the time of its last change too */
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&unit);
}

/* RFC 7162 §3.1.3: the condition is judged by what waits too. */
static void test_unchanged_since(void **state)
{
	struct store_account *a;
	struct store_flagged  f;
	uint64_t              inbox, first, second;

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(ACCOUNT);
	inbox = box(a, "INBOX");
	fill(a, inbox, 8, 0);
	first = flags(a, inbox, 1, 5, STORE_FLAGS_ADD, STORE_SEEN).modseq;
	second = flags(a, inbox, 4, 7, STORE_FLAGS_ADD, STORE_FLAGGED).modseq;
	assert_int_equal(waiting(a, inbox), 2);
	f = flags_if(a, inbox, 1, 8, STORE_FLAGS_ADD, STORE_DELETED, first);
	assert_int_equal(f.row_count, 4); /* 1, 2, 3 and 8 */
	assert_int_equal(f.modified_count, 4);
	assert_true(f.modified[0] == 4 && f.modified[3] == 7);
	assert_string_equal(shown(a, inbox), "9 9 9 5 5 4 4 8");
	f = flags_if(a, inbox, 1, 8, STORE_FLAGS_REMOVE, STORE_FLAGGED, second);
	assert_int_equal(f.modified_count, 4);
	assert_string_equal(shown(a, inbox), "9 9 9 1 1 0 0 8");
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&unit);
}

/* A reader's \Seen is his, and what he may not change stays: while the owner's changes wait, and his own. */
static void test_reader(void **state)
{
	struct store_account *a;
	uint64_t              inbox;

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(ACCOUNT);
	inbox = box(a, "INBOX");
	fill(a, inbox, 5, STORE_ANSWERED);
	flags(a, inbox, 1, 4, STORE_FLAGS_ADD, STORE_SEEN | STORE_FLAGGED);
	store_reader_set(a, 8, STORE_SEEN | STORE_DELETED, false);
	assert_string_equal(shown(a, inbox), "6 6 6 6 2");
	flags(a, inbox, 2, 5, STORE_FLAGS_REPLACE, STORE_SEEN | STORE_DELETED | STORE_DRAFT);
	assert_int_equal(waiting(a, inbox), 2);
	assert_string_equal(shown(a, inbox), "6 f f f b");
	flags(a, inbox, 3, 5, STORE_FLAGS_REMOVE, STORE_SEEN | STORE_FLAGGED);
	assert_string_equal(shown(a, inbox), "6 f e e a");
	store_reader_set(a, 0, 0, false);
	assert_string_equal(shown(a, inbox), "7 f f f a");
	assert_int_equal(store_unit_box(a, unit.arena, "INBOX").unseen, 1);
	store_unit_check(a);
	/* One of his, while many wait: what waits is written first, and his is no owner's \Seen. */
	store_reader_set(a, 8, STORE_SEEN | STORE_DELETED, false);
	flags(a, inbox, 5, 5, STORE_FLAGS_REPLACE, STORE_SEEN);
	assert_string_equal(shown(a, inbox), "6 f e e 3");
	store_reader_set(a, 0, 0, false);
	assert_string_equal(shown(a, inbox), "7 f f f 2");
	store_unit_check(a);
	apply_all(a);
	assert_string_equal(shown(a, inbox), "7 f f f 2");
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&unit);
}

static bool go_on(void *arg)
{
	(void)arg;
	return true;
}

/* Never very many wait: behind an answer, in a STORE, and by the upkeep they are written. */
static void test_limits(void **state)
{
	struct store_account *a;
	uint64_t              inbox, archive;
	unsigned              most = 0;

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(ACCOUNT);
	inbox = box(a, "INBOX");
	archive = box(a, "Archive");
	fill(a, inbox, 9, 0);
	fill(a, archive, 9, 0);
	for (unsigned i = 1; i <= 4; i++)
		flags(a, archive, i, i + 3, STORE_FLAGS_ADD, 1u << i % 5);
	assert_false(store_untidy(a));
	for (unsigned i = 0; i < 40; i++) {
		flags(a, inbox, 1 + i % 3, 9 - i % 2, i % 2 ? STORE_FLAGS_ADD : STORE_FLAGS_REPLACE, i % 32 | STORE_SEEN);
		most = MAX(most, waiting(a, inbox));
	}
	assert_int_equal(most, 7);
	assert_true(store_untidy(a));
	assert_int_equal(waiting(a, archive), 4);
	while (waiting(a, inbox) < 5)
		flags(a, inbox, 1, 9, waiting(a, inbox) % 2 ? STORE_FLAGS_ADD : STORE_FLAGS_REMOVE, STORE_DRAFT);
	store_unit_check(a);
	store_tidy(a);
	assert_false(store_untidy(a));
	assert_int_equal(waiting(a, inbox), 0);
	assert_int_equal(waiting(a, archive), 4); /* few may wait */
	store_unit_check(a);
	store_upkeep(unit.store, go_on, NULL, NULL);
	assert_int_equal(waiting(a, 0), 0);
	store_unit_check(a);
	/* A handle that did not make them knows nothing of them. */
	for (unsigned i = 0; i < 6; i++)
		flags(a, inbox, 1, 9, i % 2 ? STORE_FLAGS_ADD : STORE_FLAGS_REMOVE, STORE_DRAFT);
	assert_true(store_untidy(a));
	store_close(&a);
	a = account(ACCOUNT);
	assert_false(store_untidy(a));
	store_close(&a);
	store_unit_done(&unit);
}

/* What goes takes its flags along. */
static void test_gone(void **state)
{
	struct store_account *a;
	struct store_expunged gone;
	struct store_copied   copied;
	uint64_t              inbox, archive, made;

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(ACCOUNT);
	inbox = box(a, "INBOX");
	archive = box(a, "Archive");
	fill(a, inbox, 6, 0);
	flags(a, inbox, 1, 6, STORE_FLAGS_ADD, STORE_FLAGGED);
	assert_ok(store_copy(a, inbox, STORE_SET_ALL, archive, unit.arena, &copied));
	assert_string_equal(shown(a, archive), "4 4 4 4 4 4");
	flags(a, inbox, 1, 4, STORE_FLAGS_ADD, STORE_DELETED);
	assert_ok(store_expunge(a, inbox, (struct store_set){ &(struct store_range){ 3, 6 }, 1 }, true, unit.arena, &gone));
	assert_true(gone.count == 2 && gone.uids[0] == 3);
	assert_string_equal(shown(a, inbox), "c c 4 4");
	store_unit_check(a);
	flags(a, inbox, 1, 6, STORE_FLAGS_ADD, STORE_DRAFT);
	assert_ok(store_move(a, inbox, (struct store_set){ &(struct store_range){ 1, 2 }, 1 }, archive, unit.arena, &copied));
	assert_string_equal(shown(a, archive), "4 4 4 4 4 4 1c 1c");
	store_unit_check(a);
	undelete(a, "Trash"); /* without \Deleted; those moved are where they are */
	assert_string_equal(shown(a, box(a, "Trash")), "4 4");
	/* The mailbox goes, and one of the same name has nothing of it. */
	flags(a, archive, 1, 8, STORE_FLAGS_REPLACE, STORE_ANSWERED | STORE_SEEN);
	assert_int_equal(waiting(a, archive), 1);
	assert_ok(store_mailbox_delete(a, STR("Archive")));
	assert_int_equal(waiting(a, archive), 0);
	store_unit_check(a);
	assert_ok(store_mailbox_create(a, STR("Archive"), STORE_SPECIAL_NONE, &made));
	undelete(a, "Archive");
	assert_string_equal(shown(a, made), "3 3 3 3 3 3 3 3");
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&unit);
}

/* Who takes away one message, or none, writes no others. */
static void test_one_gone(void **state)
{
	struct store_account *a;
	struct store_expunged gone;
	struct store_copied   copied;
	uint64_t              inbox, archive;

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(ACCOUNT);
	inbox = box(a, "INBOX");
	archive = box(a, "Archive");
	fill(a, inbox, 9, 0);
	flags(a, inbox, 1, 8, STORE_FLAGS_ADD, STORE_FLAGGED);
	flags(a, inbox, 2, 5, STORE_FLAGS_ADD, STORE_SEEN);
	assert_ok(store_expunge(a, inbox, STORE_SET_ALL, true, unit.arena, &gone));
	assert_true(gone.count == 0 && waiting(a, inbox) == 2);
	flags(a, inbox, 4, 4, STORE_FLAGS_ADD, STORE_DELETED);
	assert_ok(store_expunge(a, inbox, (struct store_set){ &(struct store_range){ 1, 3 }, 1 }, true, unit.arena, &gone));
	assert_true(gone.count == 0 && waiting(a, inbox) == 2);
	assert_ok(store_expunge(a, inbox, STORE_SET_ALL, true, unit.arena, &gone));
	assert_true(gone.count == 1 && waiting(a, inbox) == 2);
	store_unit_check(a);
	/* one of a reader, who has not seen it */
	store_reader_set(a, 8, STORE_FLAGS, true);
	assert_ok(store_expunge(a, inbox, (struct store_set){ &(struct store_range){ 5, 5 }, 1 }, false, unit.arena, &gone));
	store_reader_set(a, 0, 0, false);
	assert_ok(store_move(a, inbox, (struct store_set){ &(struct store_range){ 2, 2 }, 1 }, archive, unit.arena, &copied));
	assert_int_equal(waiting(a, inbox), 2);
	assert_string_equal(shown(a, inbox), "4 5 4 4 4 0");
	assert_string_equal(shown(a, archive), "5");
	store_unit_check(a);
	undelete(a, "Trash");
	assert_string_equal(shown(a, box(a, "Trash")), "5 5");
	assert_ok(store_expunge(a, inbox, (struct store_set){ &(struct store_range){ 6, 8 }, 1 }, false, unit.arena, &gone));
	assert_int_equal(waiting(a, inbox), 0);
	assert_string_equal(shown(a, inbox), "4 5 0");
	undelete(a, "Drafts");
	assert_string_equal(shown(a, box(a, "Drafts")), "4 4 4");
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&unit);
}

/* Two handles: what one knows from before is not what the other's change goes by. */
static void test_two_handles(void **state)
{
	struct store_account    *a, *b;
	struct store_view        v;
	struct store_flagged     f;
	struct store_flag_change c = { .op = STORE_FLAGS_ADD, .flags = STORE_FLAGGED, .unchanged_since = UINT64_MAX };
	uint64_t                 inbox;

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(ACCOUNT);
	b = account(ACCOUNT);
	inbox = box(a, "INBOX");
	fill(a, inbox, 5, 0);
	flags(a, inbox, 1, 5, STORE_FLAGS_ADD, STORE_SEEN);
	assert_ok(store_view_load(b, inbox, UINT64_MAX, &v));
	for (size_t i = 0; i < v.count; i++)
		v.rows[i].flags |= 1u << 15; /* a bit of who holds it */
	c.known = (struct store_known){ v.rows, v.count, v.modseq };
	/* as it is: taken as known */
	assert_ok(store_flags(b, inbox, (struct store_set){ &(struct store_range){ 1, 3 }, 1 }, &c, unit.arena, &f));
	assert_true(f.was_known && f.changed == 3 && f.rows[0].flags == (STORE_SEEN | STORE_FLAGGED));
	flags(a, inbox, 2, 5, STORE_FLAGS_ADD, STORE_DELETED);
	/* as it was: read */
	c.flags = STORE_DRAFT;
	assert_ok(store_flags(b, inbox, STORE_SET_ALL, &c, unit.arena, &f));
	assert_true(!f.was_known && f.changed == 5);
	assert_string_equal(shown(a, inbox), "15 1d 1d 19 19");
	/* and one alone, which is written whole */
	c.flags = STORE_ANSWERED;
	assert_ok(store_flags(b, inbox, (struct store_set){ &(struct store_range){ 5, 5 }, 1 }, &c, unit.arena, &f));
	assert_string_equal(shown(a, inbox), "15 1d 1d 19 1b");
	store_view_done(&v);
	store_unit_check(a);
	store_close(&b);
	store_close(&a);
	store_unit_done(&unit);
}

/* A view with a row that is newer than what it is known to be complete to: what it says may have been lost, and is not gone by. */
static void test_lost(void **state)
{
	struct store_account    *a;
	struct store_view        v;
	struct store_flagged     f;
	struct store_flag_change c = { .op = STORE_FLAGS_ADD, .flags = STORE_FLAGGED, .unchanged_since = UINT64_MAX };
	uint64_t                 inbox;

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(ACCOUNT);
	inbox = box(a, "INBOX");
	fill(a, inbox, 4, 0);
	assert_ok(store_view_load(a, inbox, UINT64_MAX, &v));
	v.rows[1].flags = STORE_SEEN;
	v.rows[1].modseq = v.modseq + 1;
	c.known = (struct store_known){ v.rows, v.count, v.modseq };
	assert_ok(store_flags(a, inbox, STORE_SET_ALL, &c, unit.arena, &f));
	assert_false(f.was_known);
	assert_string_equal(shown(a, inbox), "4 4 4 4");
	store_view_done(&v);
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&unit);
}

/* As the version before left it. */
static void test_version_6(void **state)
{
	struct store_account *a;
	uint64_t              inbox;

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(ACCOUNT);
	inbox = box(a, "INBOX");
	fill(a, inbox, 4, 0);
	store_close(&a);
	store_free(&unit.store);
	store_unit_back("/accounts/07/7/mail.db", 6);
	assert_ok(store_new(unit.fd, NULL, &unit.store));
	a = account(ACCOUNT);
	assert_string_equal(shown(a, inbox), "0 0 0 0");
	flags(a, inbox, 1, 4, STORE_FLAGS_ADD, STORE_FLAGGED);
	assert_int_equal(waiting(a, inbox), 1);
	assert_string_equal(shown(a, inbox), "4 4 4 4");
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&unit);
}

/* ---- damage ---- */

static const struct {
	const char *sql, *invariant;
	const char *after; /* flags of the messages when it is mended */
} damages[] = {
	{ "account = 8", "A26", "0 0 0 0 0 0" },
	{ "mailbox = 9999", "A26", "0 0 0 0 0 0" },
	{ "modseq = modseq + 1000", "A26", "9 9 9 9 9 9" },
	{ "modseq = 0", "A26", "0 0 0 0 0 0" },
	{ "modseq = -5", "A26", "0 0 0 0 0 0" },
	{ "modseq = 9223372036854775807", "A26", "0 0 0 0 0 0" },
	{ "modseq = 2", "A5", "0 0 0 0 0 0" },
	{ "op = 1", "A5", "0 0 0 0 0 0" },
	{ "op = 3", "A26", "0 0 0 0 0 0" },
	{ "op = 4000000000", "A26", "0 0 0 0 0 0" },
	{ "op = -1", "A26", "0 0 0 0 0 0" },
	{ "flags = 256", "A26", "0 0 0 0 0 0" },
	{ "flags = -1", "A26", "0 0 0 0 0 0" },
	{ "flags = 8", "A5", "8 8 8 8 8 8" },
	{ "kw0 = 256", "A26", "9 9 9 9 9 9" },
	{ "kw1 = -1", "A26", "9 9 9 9 9 9" },
	{ "keep = 32", "A26", "0 0 0 0 0 0" },
	{ "keep_kw = 1", "A26", "0 0 0 0 0 0" },
	{ "n = 5", "A26", "9 9 9 9 9 9" },
	{ "n = -9223372036854775807", "A26", "9 9 9 9 9 9" },
	{ "uids = x'ff'", "A26", "0 0 0 0 0 0" },
	{ "uids = x'0000'", "A26", "0 0 0 0 0 0" },
	{ "uids = x'0102'", "A5", "9 9 9 0 0 0" },
};

struct breaks {
	const char *want;
	unsigned    hits;
};

static void on_break(void *arg, const char *invariant, struct str text)
{
	struct breaks *b = arg;

	(void)text;
	b->hits += strcmp(b->want, invariant) == 0;
}

static void sql(const char *text)
{
	sqlite3 *db;
	char    *why = NULL;

	assert_int_equal(sqlite3_open_v2("/accounts/07/7/mail.db", &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", text, why);
	sqlite3_close(db);
}

/* Whatever is asked of it is an answer or an error. */
static void damage_use(struct store_account *a, uint64_t inbox)
{
	struct store_view     v;
	struct store_expunged gone;
	enum status           st = store_view_load(a, inbox, UINT64_MAX, &v);

	if (st == ST_OK)
		store_view_done(&v);
	assert_true(st == ST_OK || st == ST_CORRUPT);
	store_tidy(a);
	st = store_expunge(a, inbox, (struct store_set){ &(struct store_range){ 6, 6 }, 1 }, false, unit.arena, &gone);
	assert_true(st == ST_OK || st == ST_CORRUPT);
	undelete(a, "INBOX");
}

static void damage_one(size_t i, bool use)
{
	struct store_account *a;
	struct breaks         b = { .want = damages[i].invariant };
	uint64_t              inbox, breaks = 0, changes = 0;
	const char           *s;

	store_unit_open(&unit, NULL);
	a = account(ACCOUNT);
	inbox = box(a, "INBOX");
	fill(a, inbox, 6, 0);
	flags(a, inbox, 1, 6, STORE_FLAGS_ADD, STORE_SEEN | STORE_DELETED);
	store_unit_check(a);
	store_close(&a);
	store_free(&unit.store);
	s = arena_printf(unit.arena, "UPDATE flagging SET %s", damages[i].sql).p;
	sql(s);
	assert_ok(store_new(unit.fd, NULL, &unit.store));
	a = account(ACCOUNT);
	assert_ok(store_check(a, on_break, &b, &breaks));
	if (b.hits == 0)
		fail_msg("no %s: %s", b.want, s);
	if (use)
		damage_use(a, inbox);
	if (store_mend(a, NULL, NULL, &changes) != ST_OK || (changes == 0 && !use))
		fail_msg("nothing mended: %s", s);
	if (store_check(a, store_unit_print, NULL, &breaks) != ST_OK || breaks > 0)
		fail_msg("not mended: %s", s);
	assert_int_equal(waiting(a, 0), 0);
	if (!use && strcmp(shown(a, inbox), damages[i].after) != 0)
		fail_msg("%s: %s", s, shown(a, inbox));
	assert_ok(store_mend(a, NULL, NULL, &changes));
	assert_int_equal(changes, 0);
	flags(a, inbox, 1, 9, STORE_FLAGS_REPLACE, STORE_DRAFT);
	assert_string_equal(shown(a, inbox), "10 10 10 10 10 10");
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&unit);
}

static void test_damage(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(damages); i++)
		for (int use = 0; use < 2; use++)
			damage_one(i, use);
}

/* Sound ones are written into the rows by mending, and no change. */
static void test_mend(void **state)
{
	struct store_account *a;
	uint64_t              inbox, changes = 9;

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(ACCOUNT);
	inbox = box(a, "INBOX");
	fill(a, inbox, 4, 0);
	flags(a, inbox, 1, 4, STORE_FLAGS_ADD, STORE_SEEN);
	flags(a, inbox, 1, 3, STORE_FLAGS_REPLACE, STORE_DELETED);
	assert_ok(store_mend(a, NULL, NULL, &changes));
	assert_int_equal(changes, 0);
	assert_int_equal(waiting(a, 0), 0);
	assert_string_equal(shown(a, inbox), "8 8 8 1");
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&unit);
}

static void test_salvage(void **state)
{
	struct store_account *a;
	struct store_salvaged got;
	struct store_mailbox  before, after;
	const char           *was;
	uint64_t              inbox;

	(void)state;
	store_unit_open(&unit, NULL);
	a = account(ACCOUNT);
	inbox = box(a, "INBOX");
	keywords_make(a);
	fill(a, inbox, 6, 0);
	flags(a, inbox, 1, 7, STORE_FLAGS_ADD, STORE_SEEN);
	flags(a, inbox, 2, 6, STORE_FLAGS_REPLACE, STORE_DELETED | STORE_DRAFT);
	flags(a, inbox, 5, 5, STORE_FLAGS_ADD, STORE_ANSWERED);
	store_reader_set(a, 8, STORE_DELETED, false);
	flags(a, inbox, 3, 7, STORE_FLAGS_REMOVE, STORE_DELETED);
	store_reader_set(a, 0, 0, false);
	was = shown(a, inbox);
	before = store_unit_box(a, unit.arena, "INBOX");
	assert_true(waiting(a, inbox) >= 3);
	store_unit_check(a);
	store_close(&a);
	assert_ok(store_salvage(unit.store, ACCOUNT, NULL, NULL, &got));
	assert_true(got.kept == 7 && got.lost == 0 && got.moved == 0);
	a = account(ACCOUNT);
	store_unit_check(a);
	assert_string_equal(shown(a, inbox), was);
	after = store_unit_box(a, unit.arena, "INBOX");
	assert_true(after.unseen == before.unseen && after.deleted == before.deleted);
	store_close(&a);
	store_unit_done(&unit);
}

/* ---- power cuts ---- */

#define OPS_MAX 64

struct crash {
	struct crash_disk disk;
	struct arena     *arena;
	const char       *shown[OPS_MAX]; /* after each operation */
	uint64_t          modseq[OPS_MAX];
	unsigned          ops, durable[OPS_MAX]; /* the last one before it that is surely there */
};

static void crash_op(struct crash *c, struct store_account *a, bool durable)
{
	struct str s = str_of(shown(a, box(a, "INBOX")));

	assert_true(c->ops < OPS_MAX);
	c->shown[c->ops] = arena_cstr(c->arena, s);
	c->modseq[c->ops] = clock_of(a);
	c->durable[c->ops] = durable ? c->ops : c->ops ? c->durable[c->ops - 1] : 0;
	c->ops++;
	fault_record(&(struct fault_event){ .kind = FAULT_EVENT_MARK, .path = "done" });
}

static void crash_history(struct crash *c)
{
	struct store_account *a = account(ACCOUNT);
	uint64_t              inbox = box(a, "INBOX");
	struct store_expunged gone;

	fill(a, inbox, 8, 0);
	assert_ok(store_settle(a));
	crash_op(c, a, true);
	for (unsigned i = 0; i < 12; i++) {
		flags(a, inbox, 1 + i % 3, 8 - i % 2, (enum store_flag_op)(i % 3), 1u << i % 5 | STORE_FLAGGED * (i & 1));
		crash_op(c, a, false);
		if (i == 3)
			flags(a, inbox, 5, 5, STORE_FLAGS_REPLACE, STORE_ANSWERED);
		if (i == 3)
			crash_op(c, a, false);
		if (i == 5 || i == 8) {
			store_tidy(a); /* changes nothing that shows; its log may go */
			crash_op(c, a, false);
		}
		if (i == 6) {
			assert_ok(store_settle(a));
			crash_op(c, a, true);
		}
	}
	flags(a, inbox, 1, 3, STORE_FLAGS_ADD, STORE_DELETED);
	crash_op(c, a, false);
	assert_ok(store_expunge(a, inbox, (struct store_set){ &(struct store_range){ 1, 2 }, 1 }, true, unit.arena, &gone));
	crash_op(c, a, true);
	flags(a, inbox, 3, 8, STORE_FLAGS_REPLACE, STORE_SEEN);
	crash_op(c, a, false);
	store_close(&a);
}

static void crash_check(struct crash *c, unsigned done, enum crash_variant v)
{
	static uint64_t       boot = 7000;
	struct store_unit     u;
	struct store_account *a;
	const char           *now;
	bool                  found = false;

	store_unit_dir(&u);
	crash_disk_build(&c->disk, u.fd, v);
	boot_id_set((struct boot_id){ 9, ++boot });
	assert_ok(store_new(u.fd, NULL, &u.store));
	unit = u;
	a = account(ACCOUNT);
	store_unit_check(a);
	now = shown(a, box(a, "INBOX"));
	/* The one that was going on may be there. */
	for (unsigned i = done > 0 ? c->durable[done - 1] : 0; i <= done && i < c->ops; i++)
		found |= strcmp(now, c->shown[i]) == 0;
	if (done > 0 && !found)
		fail_msg("after %u operations: %s", done, now);
	assert_true(done == 0 || clock_of(a) >= c->modseq[done - 1]);
	apply_all(a);
	store_unit_check(a);
	assert_string_equal(shown(a, box(a, "INBOX")), now);
	store_close(&a);
	store_unit_done(&u);
}

static void test_crash(void **state)
{
	struct crash  *c = calloc(1, sizeof(*c));
	struct boot_id was = boot_id();
	unsigned       done = 0, at = 0;

	(void)state;
	c->arena = arena_new(NULL);
	c->disk.arena = arena_new(c->arena);
	c->disk.random = 4;
	store_unit_open(&unit, &(struct store_options){ .log_pages = 30 });
	crash_disk_record(&c->disk);
	crash_history(c);
	fault_record_to(NULL, NULL);
	store_unit_done(&unit);
	for (const struct crash_event *ev = c->disk.first; ev; ev = ev->next, at++) {
		crash_disk_play(&c->disk, ev);
		done += ev->e.kind == FAULT_EVENT_MARK;
		if (done == 0) /* as in test_store_crash */
			continue;
		if (ev->e.kind != FAULT_EVENT_WRITE) {
			crash_check(c, done, CRASH_NOTHING);
			crash_check(c, done, CRASH_SOME);
		}
		if (ev->e.kind != FAULT_EVENT_WRITE || at % 3 == 0)
			crash_check(c, done, CRASH_ALL);
	}
	assert_int_equal(done, c->ops);
	boot_id_set(was);
	arena_free(&c->arena);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_laid),      cmocka_unit_test(test_unchanged_since), cmocka_unit_test(test_reader),
		cmocka_unit_test(test_limits),    cmocka_unit_test(test_gone),            cmocka_unit_test(test_two_handles),
		cmocka_unit_test(test_version_6), cmocka_unit_test(test_damage),          cmocka_unit_test(test_mend),
		cmocka_unit_test(test_one_gone), cmocka_unit_test(test_lost), cmocka_unit_test(test_salvage),   cmocka_unit_test(test_crash),           cmocka_unit_test(test_histories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else
int main(void)
{
	return 77; /* skipped: there many are so many that it would take too long, and nothing records */
}
#endif
