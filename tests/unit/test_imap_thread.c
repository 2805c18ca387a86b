/* wire/imap/imap_thread.h: RFC 5256 §3 and §4. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/imap/imap_thread.h"

/* number, date, subject, reply, id, references, in-reply-to */
#define M(n, date, subject, reply, id, refs, irt) { n, date, STR(subject), reply, STR(id), STR(refs), STR(irt) }

struct thread_case {
	const char                *what;
	enum imap_thread_kind      kind;
	struct imap_thread_message m[8];
	const char                *out;
};

static const struct thread_case cases[] = {
	{ "nothing", IMAP_THREAD_REFERENCES, { { 0 } }, "" },
	{ "one", IMAP_THREAD_REFERENCES, { M(7, 1, "a", false, "<1@x>", "", "") }, "(7)" },
	{ "chain", IMAP_THREAD_REFERENCES,
	  { M(1, 1, "a", false, "<1@x>", "", ""), M(2, 2, "a", true, "<2@x>", "<1@x>", ""), M(3, 3, "a", true, "<3@x>", "<1@x> <2@x>", "") },
	  "(1 2 3)" },
	{ "branch", IMAP_THREAD_REFERENCES,
	  { M(1, 1, "a", false, "<1@x>", "", ""), M(2, 2, "a", true, "<2@x>", "<1@x>", ""), M(3, 3, "a", true, "<3@x>", "<1@x>", ""),
	    M(4, 4, "a", true, "<4@x>", "<1@x> <3@x>", "") },
	  "(1 (2)(3 4))" },
	{ "in-reply-to alone, with words", IMAP_THREAD_REFERENCES,
	  { M(1, 1, "a", false, "<1@x>", "", ""), M(2, 2, "b", false, "<2@x>", "", "Your message of <1@x> yesterday") }, "(1 2)" },
	{ "backwards", IMAP_THREAD_REFERENCES,
	  { M(1, 3, "a", true, "<3@x>", "<1@x> <2@x>", ""), M(2, 2, "a", true, "<2@x>", "<1@x>", ""), M(3, 1, "a", false, "<1@x>", "", "") },
	  "(3 2 1)" },
	{ "missing parent: two children of a dummy", IMAP_THREAD_REFERENCES,
	  { M(1, 1, "a", true, "<2@x>", "<1@x>", ""), M(2, 2, "b", true, "<3@x>", "<1@x>", "") }, "((1)(2))" },
	{ "missing parent: an only child", IMAP_THREAD_REFERENCES, { M(1, 1, "a", true, "<3@x>", "<0@x> <1@x> <2@x>", "") }, "(1)" },
	{ "a row of dummies above two", IMAP_THREAD_REFS,
	  { M(1, 1, "", false, "<8@x>", "<0@x> <1@x> <2@x>", ""), M(2, 2, "", false, "<9@x>", "<0@x> <1@x> <2@x>", "") }, "((1)(2))" },
	{ "loop of two", IMAP_THREAD_REFERENCES,
	  { M(1, 1, "a", false, "<1@x>", "<2@x>", ""), M(2, 2, "b", false, "<2@x>", "<1@x>", "") }, "(2 1)" },
	{ "loop of three", IMAP_THREAD_REFS,
	  { M(1, 1, "", false, "<1@x>", "<3@x>", ""), M(2, 2, "", false, "<2@x>", "<1@x>", ""), M(3, 3, "", false, "<3@x>", "<2@x>", "") },
	  "(3 1 2)" },
	{ "itself", IMAP_THREAD_REFERENCES, { M(1, 1, "a", false, "<1@x>", "<1@x>", "<1@x>") }, "(1)" },
	{ "no id, no id", IMAP_THREAD_REFS, { M(1, 1, "", false, "", "", ""), M(2, 2, "", false, "junk", "", "") }, "(1)(2)" },
	{ "an id twice", IMAP_THREAD_REFS,
	  { M(1, 1, "", false, "<1@x>", "", ""), M(2, 2, "", false, "<1@x>", "", ""), M(3, 3, "", false, "<3@x>", "<1@x>", "") }, "(2)(1 3)" },
	{ "ids normalised", IMAP_THREAD_REFS, { M(1, 1, "", false, "<01KF8JCEOCBS0045PS@x>", "", ""),
	  M(2, 2, "", false, "<2@x>", "<\"01KF8JCEOCBS0045PS\"@x>", "") }, "(1 2)" },
	{ "of two parents the own word counts", IMAP_THREAD_REFS,
	  { M(1, 1, "", false, "<9@x>", "<1@x> <2@x>", ""), M(2, 2, "", false, "<1@x>", "", ""), M(3, 3, "", false, "<2@x>", "", "") },
	  "(2)(3 1)" },
	{ "subjects together: reply below", IMAP_THREAD_REFERENCES,
	  { M(1, 2, "A", true, "<1@x>", "", ""), M(2, 1, "A", false, "<2@x>", "", "") }, "(2 1)" },
	{ "subjects together: equals below a dummy", IMAP_THREAD_REFERENCES,
	  { M(1, 2, "A", false, "<1@x>", "", ""), M(2, 1, "A", false, "<2@x>", "", ""), M(3, 0, "B", false, "<3@x>", "", "") },
	  "(3)((2)(1))" },
	{ "three equals", IMAP_THREAD_REFERENCES,
	  { M(1, 1, "A", false, "<1@x>", "", ""), M(2, 2, "A", false, "<2@x>", "", ""), M(3, 3, "A", false, "<3@x>", "", "") }, "((1)(2)(3))" },
	{ "two dummies of a subject", IMAP_THREAD_REFERENCES,
	  { M(1, 1, "A", true, "<1@x>", "<a@x>", ""), M(2, 2, "A", true, "<2@x>", "<a@x>", ""), M(3, 3, "A", true, "<3@x>", "<b@x>", ""),
	    M(4, 4, "A", true, "<4@x>", "<b@x>", "") },
	  "((1)(2)(3)(4))" },
	{ "no subject is none in common", IMAP_THREAD_REFERENCES,
	  { M(1, 1, "", false, "<1@x>", "", ""), M(2, 2, "", true, "<2@x>", "", "") }, "(1)(2)" },
	{ "REFS leaves subjects alone, newest thread last", IMAP_THREAD_REFS,
	  { M(1, 1, "A", false, "<1@x>", "", ""), M(2, 2, "A", true, "<2@x>", "", ""), M(3, 3, "A", true, "<3@x>", "<1@x>", "") },
	  "(2)(1 3)" },
	{ "siblings by date, then by number", IMAP_THREAD_REFERENCES,
	  { M(1, 9, "A", false, "<1@x>", "", ""), M(2, 5, "A", true, "<2@x>", "<1@x>", ""), M(3, 4, "A", true, "<3@x>", "<1@x>", ""),
	    M(4, 5, "A", true, "<4@x>", "<1@x>", "") },
	  "(1 (3)(2)(4))" },
	{ "ordered subject", IMAP_THREAD_ORDEREDSUBJECT,
	  { M(1, 5, "B", false, "", "", ""), M(2, 2, "A", false, "", "", ""), M(3, 1, "B", true, "", "", ""), M(4, 3, "A", true, "", "", ""),
	    M(5, 4, "A", true, "", "", "") },
	  "(3 1)(2 (4)(5))" },
	{ "nested twice", IMAP_THREAD_REFS,
	  { M(2, 1, "", false, "<2@x>", "", ""), M(3, 2, "", false, "<3@x>", "", ""), M(6, 3, "", false, "<6@x>", "<3@x>", ""),
	    M(4, 4, "", false, "<4@x>", "<6@x>", ""), M(23, 5, "", false, "<23@x>", "<4@x>", ""), M(44, 6, "", false, "<44@x>", "<6@x>", ""),
	    M(7, 7, "", false, "<7@x>", "<44@x>", ""), M(96, 8, "", false, "<96@x>", "<7@x>", "") },
	  "(2)(3 6 (4 23)(44 7 96))" }, /* the example of RFC 5256 §4 */
};

static struct str threads(enum imap_thread_kind kind, const struct imap_thread_message *m, size_t n, size_t step, struct buf *out)
{
	struct arena        *a = arena_new(NULL);
	struct imap_threads *t = imap_thread_make(kind, m, n, 8 * n + 64, 42, a);

	buf_clear(out);
	while (imap_thread_print(t, step, out))
		;
	arena_free(&a);
	return buf_str(out);
}

static void test_cases(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	for (size_t i = 0; i < LEN(cases); i++) {
		size_t n = 0;

		while (n < LEN(cases[i].m) && cases[i].m[n].number)
			n++;
		for (size_t step = 1; step < 100; step += 98) {
			struct str got = threads(cases[i].kind, cases[i].m, n, step, &out);

			if (!str_eq(got, str_of(cases[i].out)))
				fprintf(stderr, "%s\n", cases[i].what);
			assert_str(got, str_of(cases[i].out));
		}
	}
	buf_done(&out);
}

/* ---- long ones: each number once, parentheses match ---- */

static void check_out(struct str out, size_t n)
{
	unsigned char *seen = calloc(n + 1, 1);
	size_t         depth = 0, numbers = 0;
	uint64_t       v;

	while (out.n > 0) {
		if (str_take_u64(&out, &v)) {
			assert_true(v >= 1 && v <= n && !seen[v]);
			seen[v] = 1;
			numbers++;
			continue;
		}
		assert_true(out.p[0] != ')' || depth > 0);
		depth += out.p[0] == '(' ? 1 : out.p[0] == ')' ? -1 : 0;
		out = str_from(out, 1);
	}
	assert_int_equal(depth, 0);
	assert_int_equal(numbers, n);
	free(seen);
}

#define MANY 100000u

static void many(void (*make)(struct arena *a, uint32_t i, struct imap_thread_message *m))
{
	struct arena               *a = arena_new(NULL);
	struct imap_thread_message *m = ARENA_ARRAY(a, struct imap_thread_message, MANY);
	struct buf                  out;

	buf_init(&out, 16 * MIB);
	for (uint32_t i = 0; i < MANY; i++) {
		m[i].number = i + 1;
		m[i].date_ms = i;
		m[i].subject = STR("S");
		make(a, i, &m[i]);
	}
	check_out(threads(IMAP_THREAD_REFERENCES, m, MANY, 100, &out), MANY);
	check_out(threads(IMAP_THREAD_REFS, m, MANY, 1000, &out), MANY);
	check_out(threads(IMAP_THREAD_ORDEREDSUBJECT, m, MANY, 1000, &out), MANY);
	buf_done(&out);
	arena_free(&a);
}

static void chain(struct arena *a, uint32_t i, struct imap_thread_message *m)
{
	m->message_id = arena_printf(a, "<%u@x>", i);
	m->in_reply_to = arena_printf(a, "<%u@x>", i - 1);
}

static void chain_back(struct arena *a, uint32_t i, struct imap_thread_message *m)
{
	m->message_id = arena_printf(a, "<%u@x>", MANY - i);
	m->in_reply_to = arena_printf(a, "<%u@x>", MANY - i - 1);
}

static void ring(struct arena *a, uint32_t i, struct imap_thread_message *m)
{
	m->message_id = arena_printf(a, "<%u@x>", i);
	m->references = arena_printf(a, "<%u@x> <%u@x> <%u@x>", (i + 2) % MANY, (i + 1) % MANY, (i + MANY / 2) % MANY);
}

/* Half of them a chain, the others with a child each, hung to its end: each needs a look all the way up. */
static void climbers(struct arena *a, uint32_t i, struct imap_thread_message *m)
{
	m->message_id = arena_printf(a, "<%u@x>", i);
	if (i < MANY / 2)
		m->in_reply_to = arena_printf(a, "<%u@x>", i - 1);
	else
		m->references = arena_printf(a, "<%u@x> <%u@x> <c%u@x>", MANY / 2 - 1, i, i);
}

static void unknown_ids(struct arena *a, uint32_t i, struct imap_thread_message *m)
{
	m->message_id = arena_printf(a, "<%u@x>", i);
	m->references = arena_printf(a, "<%u.1@x> <%u.2@x> <%u.3@x> <%u.4@x> <%u.5@x> <%u.6@x> <%u.7@x> <%u.8@x> <%u.9@x>", i, i, i, i, i, i, i,
				     i, i);
}

static void one_parent(struct arena *a, uint32_t i, struct imap_thread_message *m)
{
	m->message_id = arena_printf(a, "<%u@x>", i);
	m->references = STR("<a@x> <b@x> <c@x> <d@x> <e@x>");
	m->reply = i % 2;
}

static void test_many(void **state)
{
	(void)state;
	many(chain);
	many(chain_back);
	many(ring);
	many(climbers);
	many(unknown_ids);
	many(one_parent);
}

static void test_ids(void **state)
{
	static const struct {
		struct str in;
		const char *out;
	} ids[] = {
		{ STR("<a@b>"), "a@b|" },
		{ STR(" <a@b>\t<c@d> "), "a@b|c@d|" },
		{ STR("<a@b<c@d>"), "c@d|" },
		{ STR("<a@b"), "" },
		{ STR("<>< ><x>"), "x|" },
		{ STR("<\"a>b\"@c>"), "a>b@c|" },
		{ STR("<\"a\\\"b\"@c>"), "a\"b@c|" },
		{ STR("<\"open@c> <d>"), "" },
		{ STR("words <x@y> more > <"), "x@y|" },
	};
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	for (size_t i = 0; i < LEN(ids); i++) {
		struct str    in = unit_exact(ids[i].in), id, rest = in;
		struct arena *a = arena_new(NULL);

		buf_clear(&out);
		while (imap_thread_id_next(&rest, a, &id)) {
			buf_add(&out, id);
			buf_add_char(&out, '|');
		}
		assert_str(buf_str(&out), str_of(ids[i].out));
		arena_free(&a);
		unit_exact_free(in);
	}
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_ids), cmocka_unit_test(test_many) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
