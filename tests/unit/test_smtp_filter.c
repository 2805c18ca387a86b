/* smtp/smtp_filter.h: how many may wait for filters, and what a session does when a filter cannot be had. */
#include "unit.h"

#include "milter/milter.h"
#include "smtp/smtp_filter_int.h"
#include "smtp_rig.h"

static struct filter_list list;

static void filtered(struct rig *r, const char *text)
{
	const char *why = "";
	struct str  at;

	assert_true(filter_list_parse(FILTER_MILTER, str_of(text), FILTER_TEMPFAIL, &list, &why, &at));
	rig_init(r, SMTP_KIND_RELAY);
	r->set.milters = &list;
	rig_start(r);
	assert_int_equal(talk(r, HELLO), 250);
}

static unsigned message(struct rig *r)
{
	unsigned code = talk(r, FROM);

	if (code != 250)
		return code;
	assert_int_equal(talk(r, TO), 250);
	assert_int_equal(talk(r, "DATA\r\n"), 354);
	return talk(r, MESSAGE);
}

static void test_too_many(void **state)
{
	_Atomic unsigned inside = LIMIT_FILTER_THREADS;
	struct rig       r;

	(void)state;
	filtered(&r, "inet:127.0.0.1:1 default=accept");
	r.env.filtering = &inside;
	assert_int_equal(message(&r), 451);
	assert_true(str_starts(buf_str(&r.conn.out), STR("451 4.3.2 ")));
	assert_int_equal(r.ask.connects, 0);
	assert_int_equal(inside, LIMIT_FILTER_THREADS); /* who is refused is not counted */
	inside = LIMIT_FILTER_THREADS - 1;
	assert_int_equal(message(&r), 250);
	assert_int_equal(inside, LIMIT_FILTER_THREADS - 1);
	rig_done(&r);
}

static void test_defaults(void **state)
{
	static const struct {
		const char *text;
		unsigned    code;
		uint32_t    flags;
	} cases[] = {
		{ "inet:127.0.0.1:1", 451, 0 },
		{ "inet:127.0.0.1:1 default=reject", 550, 0 },
		{ "inet:127.0.0.1:1 default=accept", 250, 0 },
		{ "inet:127.0.0.1:1 default=quarantine", 250, QUEUE_FLAG_HOLD },
		{ "inet:127.0.0.1:1 default=accept, inet:127.0.0.1:2 default=quarantine", 250, QUEUE_FLAG_HOLD },
		{ "inet:127.0.0.1:1 listeners=submission", 250, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct rig r;

		filtered(&r, cases[i].text);
		for (unsigned n = 0; n < LIMIT_FILTER_FAILURES + 5; n++)
			assert_int_equal(message(&r), cases[i].code);
		/* One that does not answer is not asked for ever. */
		assert_in_range(r.ask.connects, 0, list.count * (LIMIT_FILTER_FAILURES + 1));
		if (cases[i].code == 250)
			assert_int_equal(r.ask.flags & QUEUE_FLAG_HOLD, cases[i].flags);
		rig_done(&r);
	}
}

static void test_flag(void **state)
{
	static const struct {
		enum smtp_kind kind;
		uint32_t       flags;
	} cases[] = { { SMTP_KIND_RELAY, QUEUE_FLAG_FILTER }, { SMTP_KIND_REINJECT, 0 } };

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct rig r;

		rig_init(&r, cases[i].kind);
		r.set.content_filter = true;
		rig_start(&r);
		assert_int_equal(talk(&r, HELLO), 250);
		assert_int_equal(message(&r), 250);
		assert_int_equal(r.ask.flags & QUEUE_FLAG_FILTER, cases[i].flags);
		rig_done(&r);
	}
}

/* What a filter asks for again and again takes no more memory than once. */
static void test_macros(void **state)
{
	struct smtp_filter   f = { 0 };
	struct milter_macros macros;
	struct str           first;
	struct rig           r;

	(void)state;
	rig_init(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, FROM), 250);
	f.s = r.conn.session;
	macros = smtp_filter_macros(&f);
	first = macros.value(macros.ctx, STR("_"));
	assert_str(first, STR("unknown [192.0.2.7]"));
	for (unsigned i = 0; i < 100; i++)
		assert_ptr_equal(macros.value(macros.ctx, STR("_")).p, first.p);
	rig_done(&r);
}

/* Fields without content take more memory than their octets: it is asked for like any other. */
static void test_many_fields(void **state)
{
	static const struct {
		size_t         limit;
		enum smtp_view seen;
	} cases[] = { { 1 * MIB, SMTP_VIEW_BUSY }, { 4 * MIB, SMTP_VIEW_OK } };

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct arena *a CLEANUP(arena_free) = arena_new(NULL);
		struct smtp_filter_view view;
		struct smtp_session    *s;
		struct rig              r;

		rig_init(&r, SMTP_KIND_RELAY);
		r.conn.memory_limit = cases[i].limit;
		rig_start(&r);
		assert_int_equal(talk(&r, HELLO), 250);
		assert_int_equal(talk(&r, FROM), 250);
		assert_int_equal(talk(&r, TO), 250);
		assert_int_equal(talk(&r, "DATA\r\n"), 354);
		for (unsigned n = 0; n < LIMIT_HEADER_FIELDS - 100; n++)
			assert_int_equal(talk(&r, "a:\r\n"), 0);
		s = r.conn.session;
		assert_int_equal(smtp_filter_view_open(s, a, &view), cases[i].seen);
		smtp_filter_view_close(s, &view);
		assert_int_equal(r.conn.memory, s->tx.content.reserved); /* all is given back */
		rig_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_many), cmocka_unit_test(test_defaults), cmocka_unit_test(test_flag),
		cmocka_unit_test(test_macros), cmocka_unit_test(test_many_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
