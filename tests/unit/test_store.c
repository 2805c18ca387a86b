/* tests/unit/test_store.c - each operation of the store, alone. */
#include "store_unit.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_append_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
