/* net/net_input.c, the framing: units out of octets, the same whatever the split. */
#include "unit.h"

#include "base/buf.h"
#include "net/net_int.h"

/* What came out, as text: L<line> B(are)<its beginning> X(long)<its beginning> D<data>; and whether the data held stray line ends. */
struct script {
	struct buf out, data;
	size_t     refuse_at;
};

static bool sink(void *ctx, struct str octets)
{
	struct script *s = ctx;

	if (s->data.n + octets.n > s->refuse_at)
		return false;
	assert_true(buf_add(&s->data, octets));
	return true;
}

static void note(struct script *s, const struct net_ev *ev)
{
	switch (ev->kind) {
	case NET_EV_LINE:     buf_addf(&s->out, "L%.*s|", STR_FMT(ev->line)); break;
	case NET_EV_BARE_EOL:
	case NET_EV_LONG:
		buf_add_char(&s->out, ev->kind == NET_EV_LONG ? 'X' : 'B');
		buf_add(&s->out, ev->line);
		buf_add_char(&s->out, '|');
		break;
	case NET_EV_DATA:
		if (!ev->refused)
			assert_int_equal(ev->data_n, s->data.n);
		buf_addf(&s->out, "D%s%s", ev->refused ? "(refused)" : "", ev->bare_eol ? "(bare)" : "");
		buf_add(&s->out, buf_str(&s->data));
		buf_addf(&s->out, "|");
		buf_clear(&s->data);
		break;
	default: fail();
	}
}

/* After a line "DATA" a dot unit, after "BDAT n" so many octets, else lines of at most 8. */
static struct net_want next_want(struct script *s, const struct net_ev *ev, bool normalise)
{
	struct net_want w = { .kind = NET_WANT_LINE, .n = 8, .sink = { sink, s }, .normalise = normalise };
	struct str      line = ev->line;
	uint64_t        n;

	if (ev->kind == NET_EV_LINE && str_eq(line, STR("DATA")))
		w.kind = NET_WANT_DOT;
	if (ev->kind == NET_EV_LINE && str_skip(&line, STR("BDAT ")) && str_to_u64(line, &n)) {
		w.kind = NET_WANT_BYTES;
		w.n = (size_t)n;
	}
	return w;
}

static const struct {
	struct str in;
	bool       strict, normalise;
	size_t     refuse_at;
	struct str out;
} cases[] = {
	{ STR("a\r\nbb\r\n\r\n"), true, false, 99, STR("La|Lbb|L|") },
	{ STR("a\nb\r\n"), false, false, 99, STR("La|Lb|") },
	{ STR("12345678\r\n123456789\r\nx\r\n"), true, false, 99, STR("L12345678|X12345678|Lx|") },
	{ STR("12345678\n123456789\nx\n"), false, false, 99, STR("L12345678|X12345678|Lx|") },
	{ STR("1234567890123456789012345678901234567890\r\r\r\nx\r\n"), true, false, 99, STR("X12345678|Lx|") },
	{ STR("12345678\r9\r\nx\r\n"), true, false, 99, STR("X12345678|Lx|") },
	/* strict: nothing between a bare LF and the next CRLF is a command */
	{ STR("NOOP\nMAIL\r\nx\r\n"), true, false, 99, STR("BNOOP|BMAIL|Lx|") },
	{ STR("NOOP\n\nMAIL\n\r\nx\r\n"), true, false, 99, STR("BNOOP|B|BMAIL|B|Lx|") },
	{ STR("a\rb\r\nx\r\n"), true, false, 99, STR("Ba\rb|Lx|") },
	{ STR("a\r\r\nx\r\n"), true, false, 99, STR("Ba\r|Lx|") },
	{ STR("a\0b\r\nx\r\n"), true, false, 99, STR("Ba\0b|Lx|") },
	{ STR("1234567890\nMAIL\r\nx\r\n"), true, false, 99, STR("X12345678|BMAIL|Lx|") },
	{ STR("a\rb\nx\n"), false, false, 99, STR("La\rb|Lx|") },
	/* data */
	{ STR("BDAT 0\r\nx\r\n"), true, false, 99, STR("LBDAT 0|D|Lx|") },
	{ STR("BDAT 5\r\na\n\r\n.x\r\n"), true, false, 99, STR("LBDAT 5|Da\n\r\n.|Lx|") },
	{ STR("BDAT 5\r\nabcdex\r\n"), true, false, 0, STR("LBDAT 5|D(refused)|Lx|") },
	{ STR("DATA\r\na\r\n..b\r\n.\r\nx\r\n"), true, false, 99, STR("LDATA|Da\r\n.b\r\n|Lx|") },
	{ STR("DATA\r\n.\r\nx\r\n"), true, false, 99, STR("LDATA|D|Lx|") },
	{ STR("DATA\r\na\n.\nMAIL\r\n.\r\nx\r\n"), true, false, 99, STR("LDATA|D(bare)a\n.\nMAIL\r\n|Lx|") },
	{ STR("DATA\r\na\n.\r\nMAIL\r\n.\r\nx\r\n"), true, true, 99, STR("LDATA|Da\r\n\r\nMAIL\r\n|Lx|") },
	{ STR("DATA\r\na\r.\rM\r\n.\r\nx\r\n"), true, true, 99, STR("LDATA|Da\r\n\r\nM\r\n|Lx|") },
	{ STR("DATA\r\n0123456789\r\n.\r\nx\r\n"), true, false, 0, STR("LDATA|D(refused)|Lx|") },
};

/* The octets arrive in pieces: `first`, then `piece` each. What is not taken stays in front of the next. */
static void run(size_t i, size_t first, size_t piece)
{
	struct script   s = { .refuse_at = cases[i].refuse_at };
	struct net_unit u = { 0 };
	struct net_want w = { .kind = NET_WANT_LINE, .n = 8 };
	struct str      in = cases[i].in;
	struct buf      held;
	size_t          n = first;

	buf_init(&held, 4096);
	buf_init(&s.out, 4096);
	buf_init(&s.data, 4096);
	net_unit_begin(&u, &w, cases[i].strict);
	while (in.n > 0) {
		struct str    whole, rest;
		struct net_ev ev;

		assert_true(buf_add(&held, str_first(in, n)));
		in = str_from(in, MIN(n, in.n));
		n = piece;
		whole = rest = unit_exact(buf_str(&held));
		while (net_unit_feed(&u, &rest, &ev)) {
			note(&s, &ev);
			w = next_want(&s, &ev, cases[i].normalise);
			net_unit_begin(&u, &w, cases[i].strict);
		}
		assert_true(rest.n <= 8 + 2);
		buf_consume(&held, whole.n - rest.n);
		unit_exact_free(whole);
	}
	assert_int_equal(held.n, 0);
	assert_str(buf_str(&s.out), cases[i].out);
	buf_done(&held);
	buf_done(&s.out);
	buf_done(&s.data);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		run(i, 1, 1);
		for (size_t first = 0; first <= cases[i].in.n; first++)
			run(i, first, SIZE_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
