/* tests/unit/test_store_model.c - random histories against a model of arrays, with views and changes as of earlier times. */
#include "store_unit.h"

#define BOXES     4
#define MESSAGES  400 /* places in a box */
#define SNAPSHOTS 16
#define STEPS     600

struct model_message {
	uint32_t uid;
	unsigned flags, keyword; /* keyword: bit 0 and 1 for "alpha", "beta" */
	unsigned content;
};
struct model_box {
	uint64_t             id;
	uint32_t             uidnext;
	size_t               count;
	struct model_message m[MESSAGES];
};
struct snapshot {
	uint64_t         modseq;
	struct model_box boxes[BOXES];
};
struct model {
	struct store_unit    *u;
	struct store_account *a;
	struct model_box      boxes[BOXES];
	struct snapshot       shots[SNAPSHOTS];
	unsigned              shot_count, contents;
	uint64_t              delivery, delivered; /* the last id given, and the last one delivered */
	uint64_t              random;
};

static unsigned below(struct model *m, unsigned n)
{
	m->random = m->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(m->random >> 33) % n;
}

static const char *const keyword_names[] = { "alpha", "beta" };

static size_t keywords_of(unsigned bits, struct str out[2])
{
	size_t n = 0;

	for (unsigned i = 0; i < 2; i++) {
		if (bits >> i & 1)
			out[n++] = str_of(keyword_names[i]);
	}
	return n;
}

/* A set of up to three ranges, some of them over nothing. */
static struct store_set some_set(struct model *m, const struct model_box *b, struct store_range r[3])
{
	size_t   n = 1 + below(m, 3);
	uint32_t at = 0;

	for (size_t i = 0; i < n; i++) {
		r[i].first = at + 1 + below(m, b->uidnext + 2);
		r[i].last = r[i].first + below(m, 6);
		at = r[i].last;
	}
	return (struct store_set){ r, n };
}

static bool in_set(struct store_set s, uint32_t uid)
{
	for (size_t i = 0; i < s.count; i++) {
		if (uid >= s.ranges[i].first && uid <= s.ranges[i].last)
			return true;
	}
	return false;
}

static void model_add(struct model_box *b, struct model_message msg)
{
	assert_true(b->count < MESSAGES);
	msg.uid = b->uidnext++;
	b->m[b->count++] = msg;
}

static void step_append(struct model *m, struct model_box *b)
{
	struct store_new_message msg[3];
	struct store_added       added[3];
	struct str               names[3][2];
	size_t                   n = 1 + below(m, 3);

	if (b->count > MESSAGES - 10)
		return;
	for (size_t i = 0; i < n; i++) {
		/* Now and then the same content again. */
		unsigned content = below(m, 4) ? m->contents++ : below(m, m->contents + 1), flags = below(m, 32), kw = below(m, 4);

		msg[i] = (struct store_new_message){ .content = store_unit_message(m->u->arena, content, 300 + below(m, 3000)),
						     .flags = flags,
						     .keywords = names[i],
						     .keyword_count = keywords_of(kw, names[i]),
						     .internal_ms = content };
		model_add(b, (struct model_message){ .flags = flags, .keyword = kw, .content = content });
	}
	assert_ok(store_append(m->a, b->id, msg, n, added));
	for (size_t i = 0; i < n; i++)
		assert_int_equal(added[i].uid, b->m[b->count - n + i].uid);
}

static void step_deliver(struct model *m, struct model_box *b)
{
	struct store_delivered got;
	uint64_t               id;
	bool                   again;

	(void)b;
	if (m->boxes[0].count > MESSAGES - 10)
		return;
	id = below(m, 5) || m->delivery == 0 ? ++m->delivery : m->delivery;
	again = id == m->delivered;
	m->delivered = id;
	got = store_unit_deliver(m->a, m->u->arena, id, store_unit_message(m->u->arena, (unsigned)id, 2000));
	assert_int_equal(got.duplicate, again);
	if (!again)
		model_add(&m->boxes[0], (struct model_message){ .content = (unsigned)id });
}

static void model_remove(struct model_box *b, size_t i)
{
	memmove(&b->m[i], &b->m[i + 1], (b->count - i - 1) * sizeof(b->m[0]));
	b->count--;
}

static void step_copy_move(struct model *m, struct model_box *b, bool move)
{
	struct model_box   *to = &m->boxes[below(m, BOXES)];
	struct store_range  r[3];
	struct store_set    set = some_set(m, b, r);
	struct store_copied got;
	size_t              n = 0, had = b->count;

	for (size_t i = 0; i < had; i++)
		n += in_set(set, b->m[i].uid);
	if (to->count + n > MESSAGES)
		return;
	assert_ok(move ? store_move(m->a, b->id, set, to->id, m->u->arena, &got) :
			 store_copy(m->a, b->id, set, to->id, m->u->arena, &got));
	assert_int_equal(got.count, n);
	n = 0;
	for (size_t i = 0; i < had; i++) {
		if (!in_set(set, b->m[i].uid))
			continue;
		assert_int_equal(got.from[n], b->m[i].uid);
		assert_int_equal(got.to[n++], to->uidnext);
		model_add(to, b->m[i]);
	}
	for (size_t i = 0; move && i < had;) {
		if (in_set(set, b->m[i].uid)) {
			model_remove(b, i);
			had--;
		} else {
			i++;
		}
	}
}

static void step_expunge(struct model *m, struct model_box *b)
{
	bool                  deleted_only = below(m, 3) > 0;
	struct store_range    r[3];
	struct store_set      set = below(m, 2) ? STORE_SET_ALL : some_set(m, b, r);
	struct store_expunged got;
	size_t                n = 0;

	assert_ok(store_expunge(m->a, b->id, set, deleted_only, m->u->arena, &got));
	for (size_t i = 0; i < b->count;) {
		if (in_set(set, b->m[i].uid) && (!deleted_only || b->m[i].flags & STORE_DELETED)) {
			assert_true(n < got.count);
			assert_int_equal(got.uids[n++], b->m[i].uid);
			model_remove(b, i);
		} else {
			i++;
		}
	}
	assert_int_equal(got.count, n);
}

static void step_flags(struct model *m, struct model_box *b)
{
	struct store_range       r[3];
	struct store_set         set = below(m, 3) ? some_set(m, b, r) : STORE_SET_ALL;
	struct str               names[2];
	unsigned                 flags = below(m, 32), kw = below(m, 4);
	struct store_flag_change c = { .op = (enum store_flag_op)below(m, 3), .flags = flags, .keywords = names,
				       .keyword_count = keywords_of(kw, names), .unchanged_since = UINT64_MAX };
	struct store_flagged     got;
	size_t                   n = 0;

	assert_ok(store_flags(m->a, b->id, set, &c, m->u->arena, &got));
	for (size_t i = 0; i < b->count; i++) {
		struct model_message *x = &b->m[i];

		if (!in_set(set, x->uid))
			continue;
		x->flags = c.op == STORE_FLAGS_ADD ? x->flags | flags : c.op == STORE_FLAGS_REMOVE ? x->flags & ~flags : flags;
		x->keyword = c.op == STORE_FLAGS_ADD ? x->keyword | kw : c.op == STORE_FLAGS_REMOVE ? x->keyword & ~kw : kw;
		assert_int_equal(got.rows[n].uid, x->uid);
		assert_int_equal(got.rows[n++].flags, x->flags);
	}
	assert_int_equal(got.row_count, n);
}

/* ---- comparing ---- */

static unsigned keyword_bits(struct model *m, const struct store_row *row)
{
	struct str *names;
	size_t      n;
	unsigned    bits = 0;

	assert_ok(store_keyword_list(m->a, m->u->arena, &names, &n));
	for (size_t i = 0; i < n; i++) {
		if (row->keywords.bits[i / 64] >> i % 64 & 1)
			bits |= str_eq(names[i], STR("alpha")) ? 1 : 2;
	}
	return bits;
}

static void compare_now(struct model *m, const struct model_box *b)
{
	struct store_view v;
	uint64_t          unseen = 0, deleted = 0;

	assert_ok(store_view_load(m->a, b->id, UINT64_MAX, &v));
	assert_int_equal(v.count, b->count);
	assert_int_equal(v.mailbox.messages, b->count);
	assert_int_equal(v.mailbox.uidnext, b->uidnext);
	for (size_t i = 0; i < v.count; i++) {
		assert_int_equal(v.rows[i].uid, b->m[i].uid);
		assert_int_equal(v.rows[i].flags, b->m[i].flags);
		assert_int_equal(keyword_bits(m, &v.rows[i]), b->m[i].keyword);
		assert_true(v.rows[i].modseq <= v.mailbox.modseq && v.rows[i].created <= v.rows[i].modseq);
		unseen += !(b->m[i].flags & STORE_SEEN);
		deleted += !!(b->m[i].flags & STORE_DELETED);
	}
	assert_int_equal(v.mailbox.unseen, unseen);
	assert_int_equal(v.mailbox.deleted, deleted);
	store_view_done(&v);
}

static bool model_has(const struct model_box *b, uint32_t uid)
{
	for (size_t i = 0; i < b->count; i++) {
		if (b->m[i].uid == uid)
			return true;
	}
	return false;
}

static const struct model_message *model_find(const struct model_box *b, uint32_t uid)
{
	for (size_t i = 0; i < b->count; i++) {
		if (b->m[i].uid == uid)
			return &b->m[i];
	}
	return NULL;
}

/* The view as of an earlier time has what was there; changes since then lead from it to now. */
static void compare_since(struct model *m, const struct snapshot *s, size_t box)
{
	const struct model_box *then = &s->boxes[box], *now = &m->boxes[box];
	struct store_view       v;
	struct store_changes    c;
	size_t                  changed = 0;

	assert_ok(store_view_load(m->a, then->id, s->modseq, &v));
	assert_int_equal(v.count, then->count);
	for (size_t i = 0; i < v.count; i++) {
		struct buf b;

		assert_int_equal(v.rows[i].uid, then->m[i].uid);
		assert_int_equal(!!(v.rows[i].flags & STORE_EXPUNGED), !model_has(now, v.rows[i].uid));
		buf_init(&b, 1 * MIB);
		if (v.rows[i].flags & STORE_EXPUNGED) /* still readable */
			assert_ok(store_read(m->a, v.rows[i].email, 0, 100, &b));
		buf_done(&b);
	}
	store_view_done(&v);

	assert_ok(store_changes(m->a, then->id, s->modseq, m->u->arena, &c));
	assert_false(c.everything);
	for (size_t i = 0; i < c.row_count; i++) {
		const struct model_message *was = model_find(then, c.rows[i].uid);

		assert_true(model_has(now, c.rows[i].uid));
		assert_int_equal(c.rows[i].created > s->modseq, was == NULL);
		changed += was == NULL;
	}
	for (size_t i = 0; i < now->count; i++) {
		const struct model_message *was = model_find(then, now->m[i].uid);
		bool                        listed = false;

		for (size_t j = 0; j < c.row_count; j++)
			listed |= c.rows[j].uid == now->m[i].uid;
		if (!was || was->flags != now->m[i].flags || was->keyword != now->m[i].keyword)
			assert_true(listed);
	}
	for (size_t i = 0; i < then->count; i++) {
		bool listed = false;

		for (size_t j = 0; j < c.vanished_count; j++)
			listed |= c.vanished[j].uid == then->m[i].uid;
		assert_int_equal(listed, !model_has(now, then->m[i].uid));
	}
	assert_true(changed <= now->count);
}

static void take_snapshot(struct model *m)
{
	struct snapshot  *s = &m->shots[m->shot_count++ % SNAPSHOTS];
	struct store_info info;

	assert_ok(store_info(m->a, &info));
	s->modseq = info.modseq;
	memcpy(s->boxes, m->boxes, sizeof(s->boxes));
}

static void step(struct model *m)
{
	struct model_box *b = &m->boxes[below(m, BOXES)];

	switch (below(m, 10)) {
	case 0:
	case 1:
	case 2:  step_append(m, b); break;
	case 3:  step_deliver(m, b); break;
	case 4:  step_copy_move(m, b, false); break;
	case 5:  step_copy_move(m, b, true); break;
	case 6:  step_expunge(m, b); break;
	case 7:
	case 8:  step_flags(m, b); break;
	default: take_snapshot(m); break;
	}
}

static void run_history(uint64_t seed)
{
	static const char *const names[BOXES] = { "INBOX", "Archive", "work/now", "Trash" };
	struct store_unit        u;
	struct model            *m = calloc(1, sizeof(*m));

	store_unit_open(&u, NULL);
	m->u = &u;
	m->random = seed;
	assert_ok(store_open(u.store, 9, &m->a));
	assert_ok(store_mailbox_create(m->a, STR("work/now"), STORE_SPECIAL_NONE, NULL));
	for (size_t i = 0; i < BOXES; i++)
		m->boxes[i] = (struct model_box){ .id = store_unit_box(m->a, u.arena, names[i]).id, .uidnext = 1 };
	for (unsigned i = 0; i < STEPS; i++) {
		step(m);
		if (i % 20 == 0) {
			compare_now(m, &m->boxes[below(m, BOXES)]);
			if (m->shot_count > 0)
				compare_since(m, &m->shots[below(m, MIN(m->shot_count, (unsigned)SNAPSHOTS))], below(m, BOXES));
		}
		if (i % 100 == 0)
			arena_reset(u.arena);
	}
	for (size_t i = 0; i < BOXES; i++)
		compare_now(m, &m->boxes[i]);
	store_unit_check(m->a);
	store_close(&m->a);
	store_unit_done(&u);
	free(m);
}

static void test_histories(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++)
		run_history(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_histories) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
