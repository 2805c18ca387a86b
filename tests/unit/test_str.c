/* base/str.h, base/buf.h, base/arena.h, base/map.h. */
#include "unit.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"

static void test_cut(void **state)
{
	struct str a, b;

	(void)state;
	assert_true(str_cut(STR("a=b=c"), '=', &a, &b));
	assert_str(a, STR("a"));
	assert_str(b, STR("b=c"));
	assert_false(str_cut(STR("abc"), '=', &a, &b));
	assert_str(a, STR("abc"));
	assert_int_equal(b.n, 0);
	assert_true(str_rcut(STR("a@b@c"), '@', &a, &b));
	assert_str(a, STR("a@b"));
	assert_str(b, STR("c"));
}

static void test_numbers(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_true(str_to_u64(STR("18446744073709551615"), &v));
	assert_int_equal(v, UINT64_MAX);
	v = 7;
	assert_false(str_to_u64(STR("18446744073709551616"), &v));
	assert_false(str_to_u64(STR(""), &v));
	assert_false(str_to_u64(STR("1x"), &v));
	assert_false(str_to_u64(STR("-1"), &v));
	assert_int_equal(v, 7);
}

static void test_utf8(void **state)
{
	static const struct {
		struct str s;
		bool       ok;
	} cases[] = {
		{ STR(""), true },
		{ STR("plain"), true },
		{ STR("\xc3\xbc"), true },
		{ STR("\xc3"), false },
		{ STR("\xc0\x80"), false },         /* overlong */
		{ STR("\xed\xa0\x80"), false },     /* surrogate */
		{ STR("\xf4\x90\x80\x80"), false }, /* over U+10FFFF */
		{ STR("\xf0\x9f\x98\x80"), true },
		{ STR("\x80"), false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str s = unit_exact(cases[i].s);
		assert_int_equal(str_is_utf8(s), cases[i].ok);
		unit_exact_free(s);
	}
}

static void test_buf(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	assert_true(buf_addf(&b, "%d", 123));
	assert_true(buf_add(&b, STR("45")));
	assert_false(buf_add(&b, STR("6")));
	assert_true(b.over);
	assert_str(buf_str(&b), STR("12345"));
	buf_clear(&b);
	assert_true(buf_addf(&b, "%s", "abcde"));
	assert_false(buf_addf(&b, "%s", "f"));
	buf_clear(&b);
	assert_true(buf_add_be(&b, 0x0102, 2));
	assert_str(buf_str(&b), STR("\1\2"));
	buf_done(&b);
}

static int deferred_order[2], deferred_count;

static void note(void *arg)
{
	deferred_order[deferred_count++] = *(int *)arg;
}

static void test_arena(void **state)
{
	struct arena *a = arena_new(NULL), *child = arena_new(a);
	int           one = 1, two = 2;

	(void)state;
	arena_defer(a, note, &one);
	arena_defer(child, note, &two);
	for (size_t i = 0; i < 1000; i++)
		memset(arena_alloc(a, i * 7), 1, i * 7);
	assert_str(arena_printf(a, "%s-%d", "x", 5), STR("x-5"));
	arena_free(&a);
	assert_null(a);
	assert_int_equal(deferred_count, 2);
	assert_int_equal(deferred_order[0], 2);
	assert_int_equal(deferred_order[1], 1);
}

static void test_map(void **state)
{
	struct map m;
	char       name[16];
	size_t     at = 0, seen = 0;
	struct str key;
	void      *value;

	(void)state;
	map_init(&m);
	for (uint64_t i = 1; i <= 1000; i++) {
		snprintf(name, sizeof(name), "k%u", (unsigned)i);
		assert_null(map_put(&m, str_of(name), (void *)(uintptr_t)i));
		if (i % 3 == 0)
			assert_non_null(map_remove(&m, str_of(name)));
	}
	for (uint64_t i = 1; i <= 1000; i++) {
		snprintf(name, sizeof(name), "k%u", (unsigned)i);
		assert_int_equal((uintptr_t)map_find(&m, str_of(name)), i % 3 ? i : 0);
	}
	while (map_next(&m, &at, &key, &value))
		seen++;
	assert_int_equal(seen, m.count);
	assert_int_equal(seen, 667);
	map_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut), cmocka_unit_test(test_numbers), cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_buf), cmocka_unit_test(test_arena),   cmocka_unit_test(test_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
