/* milter/: header edits by their numbers; the client against a filter that has answered beforehand, whole and octet by octet. */
#include "unit.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "milter/milter.h"

#define RAW(lit) ((struct str){ lit, sizeof(lit) - 1 })

/* ---- header ---- */

static struct str edited(struct arena *a, struct str header, const struct milter_edit *edits, size_t n, bool leadspc)
{
	struct milter_header h;
	struct milter_edits  e = { .arena = a, .count = n };
	struct buf           out = { .p = arena_alloc(a, KIB), .cap = KIB, .max = KIB };

	e.items = ARENA_ARRAY(a, struct milter_edit, n + 1);
	for (size_t i = 0; i < n; i++)
		e.items[i] = edits[i];
	assert_true(milter_header_parse(header, a, &h));
	milter_header_edit(&h, &e, leadspc);
	for (size_t i = 0; i < h.count; i++)
		if (!h.fields[i].gone)
			buf_add(&out, h.fields[i].whole);
	assert_int_equal(out.n, milter_header_size(&h));
	return buf_str(&out);
}

#define EDIT(what, number, field, text) { .kind = MILTER_ANSWER_##what##_HEADER, .index = number, .name = STR(field), .value = STR(text) }

static void test_header(void **state)
{
	static const struct str header = STR("A: 1\r\nB: 2\r\n folded\r\nA: 3\r\nA: 4\r\n\r\nbody");
	static const struct {
		struct milter_edit edits[3];
		size_t             n;
		struct str         want;
	} cases[] = {
		{ { EDIT(ADD, 0, "X", "y") }, 1, STR("A: 1\r\nB: 2\r\n folded\r\nA: 3\r\nA: 4\r\nX: y\r\n") },
		{ { EDIT(INSERT, 0, "X", "y") }, 1, STR("X: y\r\nA: 1\r\nB: 2\r\n folded\r\nA: 3\r\nA: 4\r\n") },
		{ { EDIT(INSERT, 2, "X", "y") }, 1, STR("A: 1\r\nB: 2\r\n folded\r\nX: y\r\nA: 3\r\nA: 4\r\n") },
		{ { EDIT(INSERT, 4000000000u, "X", "y") }, 1, STR("A: 1\r\nB: 2\r\n folded\r\nA: 3\r\nA: 4\r\nX: y\r\n") },
		{ { EDIT(CHANGE, 2, "a", "new") }, 1, STR("A: 1\r\nB: 2\r\n folded\r\na: new\r\nA: 4\r\n") },
		{ { EDIT(CHANGE, 0, "B", "") }, 1, STR("A: 1\r\nA: 3\r\nA: 4\r\n") },
		/* a deleted one keeps its number */
		{ { EDIT(CHANGE, 1, "A", ""), EDIT(CHANGE, 2, "A", "") }, 2, STR("B: 2\r\n folded\r\nA: 4\r\n") },
		{ { EDIT(CHANGE, 9, "A", "5") }, 1, STR("A: 1\r\nB: 2\r\n folded\r\nA: 3\r\nA: 4\r\nA: 5\r\n") },
		{ { EDIT(CHANGE, 9, "A", "") }, 1, STR("A: 1\r\nB: 2\r\n folded\r\nA: 3\r\nA: 4\r\n") },
		{ { EDIT(ADD, 0, "X", "a\n\tb") }, 1, STR("A: 1\r\nB: 2\r\n folded\r\nA: 3\r\nA: 4\r\nX: a\r\n\tb\r\n") },
	};
	struct arena *a = arena_new(NULL);
	struct str    exact = unit_exact(header);

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		assert_str(edited(a, exact, cases[i].edits, cases[i].n, false), cases[i].want);
	assert_str(edited(a, STR("A: 1\r\n\r\n"), (struct milter_edit[]){ EDIT(ADD, 0, "X", " y") }, 1, true), STR("A: 1\r\nX: y\r\n"));
	unit_exact_free(exact);
	arena_free(&a);
}

static void test_header_end(void **state)
{
	static const struct {
		struct str header;
		size_t     fields, octets;
		struct str last; /* value */
	} cases[] = {
		{ STR(""), 0, 0, STR("") },
		{ STR("\r\nbody"), 0, 2, STR("") },
		{ STR("A: 1\r\n"), 1, 6, STR(" 1") },
		{ STR("A: 1"), 1, 4, STR(" 1") },
		{ STR("A : 1\r\n\r\n"), 1, 9, STR(" 1") },
		{ STR("no field\r\nA: 1\r\n\r\n"), 0, 0, STR("") },    /* the body begins at once */
		{ STR(" fold\r\nA: 1\r\n\r\n"), 0, 0, STR("") },
		{ STR("A: 1\r\nno field\r\n\r\n"), 1, 18, STR(" 1\r\nno field") }, /* nothing is hidden from the filter */
		{ STR("A: 1\r\n \r\n\tx\r\n\r\n"), 1, 15, STR(" 1\r\n \r\n\tx") },
	};
	struct arena *a = arena_new(NULL);

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str           exact = unit_exact(cases[i].header);
		struct milter_header h;

		assert_true(milter_header_parse(exact, a, &h));
		assert_int_equal(h.count, cases[i].fields);
		assert_int_equal(h.octets, cases[i].octets);
		if (h.count > 0)
			assert_str(h.fields[h.count - 1].value, cases[i].last);
		unit_exact_free(exact);
	}
	arena_free(&a);
}

static void test_limits(void **state)
{
	struct arena        *a = arena_new(NULL);
	struct milter_edits  e = { .arena = a };
	struct milter_answer add = { .kind = MILTER_ANSWER_ADD_HEADER, .name = STR("X"), .value = STR("y") };
	struct milter_header h;
	struct buf           big;

	(void)state;
	for (size_t i = 0; i < LIMIT_MILTER_EDITS; i++)
		assert_int_equal(milter_edits_add(&e, &add), ST_OK);
	assert_int_equal(milter_edits_add(&e, &add), ST_LIMIT);
	e = (struct milter_edits){ .arena = a, .octets = LIMIT_MILTER_EDITS_OCTETS - 1 };
	assert_int_equal(milter_edits_add(&e, &add), ST_LIMIT);
	buf_init(&big, MIB);
	for (unsigned i = 0; i <= LIMIT_HEADER_FIELDS; i++)
		buf_add(&big, STR("A: 1\r\n"));
	assert_false(milter_header_parse(buf_str(&big), a, &h));
	assert_true(milter_header_parse(str_from(buf_str(&big), 6), a, &h));
	buf_done(&big);
	arena_free(&a);
}

/* ---- client ---- */

static struct str no_macro(void *ctx, struct str name)
{
	(void)ctx;
	return str_eq(name, STR("j")) ? STR("mx.example") : STR_NONE;
}

static const struct filter_conf conf = { .timeout_ms = 2000, .content_ms = 2000, .total_ms = 4000 };

struct client {
	struct arena *arena;
	struct milter m;
	int           peer;
};

static void client_init(struct client *c)
{
	c->arena = arena_new(NULL);
	milter_init(&c->m, &conf, c->arena, (struct milter_macros){ no_macro, NULL });
}

/* Agree: with version 6, and the steps. */
static void client_open(struct client *c, struct str agreement)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	c->peer = fds[1];
	assert_int_equal(write(c->peer, agreement.p, agreement.n), (ssize_t)agreement.n);
	assert_int_equal(milter_open(&c->m, fds[0]).end, MILTER_CONTINUE);
}

static void client_done(struct client *c)
{
	milter_done(&c->m);
	close(c->peer);
	arena_free(&c->arena);
}

static void heard(struct client *c, struct str want)
{
	char got[KIB];

	assert_int_equal(read(c->peer, got, sizeof(got)), (ssize_t)want.n);
	assert_str(str_n(got, want.n), want);
}

#define AGREE RAW("\0\0\0\x0dO\0\0\0\6\0\0\1\xff\0\0\0\0")

static enum status no_body(void *ctx, uint64_t at, char *p, size_t n)
{
	(void)ctx, (void)at, (void)p, (void)n;
	return ST_OK;
}

static enum status body_count(void *ctx, struct str octets)
{
	*(size_t *)ctx += octets.n;
	return ST_OK;
}

static void test_out_of_turn(void **state)
{
	struct client c;

	(void)state;
	client_init(&c);
	client_open(&c, AGREE);
	heard(&c, RAW("\0\0\0\x0dO\0\0\0\6\0\0\1\xff\0\x1f\xf7\xff"));
	assert_int_equal(write(c.peer, "\0\0\0\1c", 5), 5); /* nobody has asked */
	assert_int_equal(milter_helo(&c.m, STR("x")).end, MILTER_FAILED);
	assert_false(milter_is_alive(&c.m));
	client_done(&c);
}

static void test_no_answer_wanted(void **state)
{
	struct client c;

	(void)state;
	client_init(&c);
	client_open(&c, RAW("\0\0\0\x0dO\0\0\0\6\0\0\1\xff\0\0\x30\0")); /* NR_CONNECT, NR_HELO */
	heard(&c, RAW("\0\0\0\x0dO\0\0\0\6\0\0\1\xff\0\x1f\xf7\xff"));
	assert_int_equal(milter_connect(&c.m, STR("h"), STR("192.0.2.1"), 25).end, MILTER_CONTINUE);
	heard(&c, RAW("\0\0\0\x0f" "DCj\0mx.example\0" "\0\0\0\x10" "Ch\0" "4\0\x19" "192.0.2.1\0"));
	assert_int_equal(milter_helo(&c.m, STR("x")).end, MILTER_CONTINUE);
	heard(&c, RAW("\0\0\0\3Hx\0"));
	milter_abort(&c.m); /* no message: not said */
	milter_done(&c.m);
	heard(&c, RAW("\0\0\0\1Q"));
	client_done(&c);
}

/* What stands in the answers to the end, cut at every octet: nothing is carried out unless the last word is there. */
static void test_end_cut(void **state)
{
	static const struct str answers = RAW("\0\0\0\6hX\0yz\0\0\0\0\5bbody\0\0\0\1p\0\0\0\1c");

	(void)state;
	for (size_t n = 0; n <= answers.n; n++) {
		struct client         c;
		size_t                body = 0;
		struct milter_header  h = { 0 };
		struct milter_edits   e = { .body_sink = { body_count, &body } };
		struct milter_source  source = { no_body, NULL, 0 };
		struct milter_verdict v;

		client_init(&c);
		client_open(&c, RAW("\0\0\0\x0dO\0\0\0\6\0\0\1\xff\0\0\0\x7f"));
		e.arena = c.arena;
		assert_int_equal(milter_mail(&c.m, STR("a@b"), STR("")).end, MILTER_CONTINUE);
		/* The end comes at the moment when the filter is asked: answers that were there before are out of turn. */
		if (fork() == 0) {
			char got[KIB];
			size_t seen = 0;

			while (seen < 19 + 5) { /* OPTNEG was 17 octets; then EOM */
				ssize_t r = read(c.peer, got, sizeof(got));

				if (r <= 0)
					_exit(1);
				if (got[r - 1] == 'E')
					break;
				seen += (size_t)r;
			}
			for (size_t i = 0; i < n; i++)
				if (write(c.peer, answers.p + i, 1) != 1)
					_exit(1);
			shutdown(c.peer, SHUT_RDWR);
			_exit(0);
		}
		v = milter_message(&c.m, &h, &source, &e);
		assert_int_equal(v.end, n == answers.n ? MILTER_CONTINUE : MILTER_FAILED);
		client_done(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),      cmocka_unit_test(test_header_end),       cmocka_unit_test(test_limits),
		cmocka_unit_test(test_out_of_turn), cmocka_unit_test(test_no_answer_wanted), cmocka_unit_test(test_end_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
