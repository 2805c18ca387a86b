/* tests/unit/test_pipe_expand.c - a pipe's words: what stays one argument, what is refused; its flags and settings. */
#include "unit.h"

#include "base/buf.h"
#include "deliver/pipe_expand.h"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_new(NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static struct str exact(struct str s)
{
	struct str copy = unit_exact(s);

	arena_defer(arena, free, (void *)(uintptr_t)copy.p);
	return copy;
}

/* Words and arguments are joined by "|". */
static struct pipe_conf conf_of(const char *words)
{
	struct pipe_conf c = { .name = STR("x"), .recipients = 1, .command = ARENA_ARRAY(arena, struct pipe_arg, 70) };
	struct str       rest = str_of(words);

	while (rest.n > 0)
		str_cut(rest, '|', &c.command[c.command_count++].text, &rest);
	return c;
}

static const char *joined(const char *const *argv)
{
	struct buf b;
	char      *text;

	buf_init(&b, MIB);
	for (size_t i = 0; argv[i]; i++)
		buf_addf(&b, "%s%s", i ? "|" : "", argv[i]);
	text = arena_cstr(arena, buf_str(&b));
	buf_done(&b);
	return text;
}

static enum pipe_expand_err expand(const char *words, uint32_t flags, const char *sender, const char *const *to, size_t count, const char **ret)
{
	struct pipe_conf         c = conf_of(words);
	struct pipe_rcpt        *rcpts = ARENA_ARRAY(arena, struct pipe_rcpt, count);
	const struct pipe_rcpt **list = ARENA_ARRAY(arena, const struct pipe_rcpt *, count);
	struct pipe_run          run = { .conf = &c, .flags = flags, .rcpts = list, .rcpt_count = count, .sender = exact(str_of(sender)), .queue_id = STR("01J8Z3K5V7Q2M"),
					 .nexthop = STR("far.test"), .peer = STR("192.0.2.1"), .separators = STR("+"), .size = 1234 };
	const char             **argv = NULL;
	size_t                   bad = 99;
	enum pipe_expand_err     err;

	for (size_t i = 0; i < count; i++) {
		rcpts[i] = (struct pipe_rcpt){ (uint32_t)i, exact(str_of(to[i])), STR("first@old.test") };
		list[i] = &rcpts[i];
	}
	assert_null(pipe_conf_wrong(&c));
	err = pipe_expand(&run, arena, &argv, &bad);
	*ret = err == PIPE_EXPAND_OK ? joined(argv) : "";
	if (err == PIPE_EXPAND_RECIPIENT)
		assert_true(bad < count);
	return err;
}

static void test_one(void **state)
{
	static const struct {
		const char *words, *sender, *to;
		uint32_t    flags;
		const char *out; /* NULL: the recipient is refused; "": the sender */
	} rows[] = {
		{ "/bin/x|${recipient}", "a@b.c", "bob@far.test", 0, "/bin/x|bob@far.test" },
		{ "/bin/x|a ${user} b|${domain}", "a@b.c", "Bob+Tag@Far.Test", 0, "/bin/x|a Bob b|Far.Test" },
		{ "/bin/x|${user}|${extension}|${mailbox}", "a@b.c", "Bob+Tag+x@Far.Test", PIPE_FOLD_LOCAL, "/bin/x|bob|tag+x|bob+tag+x" },
		{ "/bin/x|${recipient}", "a@b.c", "Bob+Tag@Far.Test", PIPE_FOLD_DOMAIN, "/bin/x|Bob+Tag@far.test" },
		{ "/bin/x|-f|${sender}|--|${recipient}", "", "bob@far.test", 0, "/bin/x|-f|MAILER-DAEMON|--|bob@far.test" },
		{ "/bin/x|${size}|${queue_id}|${nexthop}|${client_address}|${original_recipient}", "", "b@c.d", 0, "/bin/x|1234|01J8Z3K5V7Q2M|far.test|192.0.2.1|first@old.test" },
		{ "/bin/x|$${recipient}|$$", "", "b@c.d", 0, "/bin/x|${recipient}|$" },
		/* Nothing in an address is syntax to anybody. */
		{ "/bin/x|${recipient}", "a@b.c", "\"a b\"@far.test", 0, "/bin/x|\"a b\"@far.test" },
		{ "/bin/x|${user}", "a@b.c", "\"a \\\"b\\\" $(id) `id` ;&|<>\"@far.test", 0, "/bin/x|a \"b\" $(id) `id` ;&|<>" },
		{ "/bin/x|${user}", "a@b.c", "\"${sender}\"@far.test", 0, "/bin/x|${sender}" },
		{ "/bin/x|${mailbox}", "a@b.c", "+x@far.test", 0, "/bin/x|+x" },
		{ "/bin/x|${user}", "a@b.c", "\"\"@far.test", 0, "/bin/x|" },
		{ "/bin/x|${user}", "a@b.c", "nobody", 0, "/bin/x|nobody" },
		/* An option is what the configuration says is one. */
		{ "/bin/x|${recipient}", "a@b.c", "-oQ/tmp@far.test", 0, NULL },
		{ "/bin/x|${user}", "a@b.c", "\"-rf\"@far.test", 0, NULL },
		{ "/bin/x|${extension}", "a@b.c", "bob+-x@far.test", 0, NULL },
		{ "/bin/x|${extension}-${user}", "a@b.c", "bob@far.test", 0, NULL },
		{ "/bin/x|-r${recipient}", "a@b.c", "-x@far.test", 0, "/bin/x|-r-x@far.test" },
		{ "/bin/x|to=${recipient}", "a@b.c", "-x@far.test", 0, "/bin/x|to=-x@far.test" },
		{ "/bin/x|${sender}|${recipient}", "-be@b.c", "bob@far.test", 0, "" },
		{ "/bin/x|-f${sender}", "-be@b.c", "bob@far.test", 0, "/bin/x|-f-be@b.c" },
		{ "/bin/x|${recipient}", "a@b.c", "bob\n@far.test", 0, NULL },
		{ "/bin/x|${sender}", "a\x7f@b.c", "bob@far.test", 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		const char          *out;
		enum pipe_expand_err err = expand(rows[i].words, rows[i].flags, rows[i].sender, &rows[i].to, 1, &out);
		enum pipe_expand_err want = !rows[i].out ? PIPE_EXPAND_RECIPIENT : !*rows[i].out ? PIPE_EXPAND_SENDER : PIPE_EXPAND_OK;

		if (err != want || (err == PIPE_EXPAND_OK && strcmp(out, rows[i].out) != 0))
			fail_msg("%s with %s: %d \"%s\"", rows[i].words, rows[i].to, err, out);
	}
}

/* What names something of a recipient is one argument for each; the rest stays where it is. */
static void test_several(void **state)
{
	static const char *const to[] = { "bob@far.test", "eve+x@far.test", "-x@far.test" };
	const char              *out;

	(void)state;
	assert_int_equal(expand("/bin/x|-s|${sender}|${recipient}|and|${user}", 0, "a@b.c", to, 2, &out), PIPE_EXPAND_OK);
	assert_string_equal(out, "/bin/x|-s|a@b.c|bob@far.test|eve+x@far.test|and|bob|eve");
	assert_int_equal(expand("/bin/x|${recipient}", 0, "a@b.c", to, 3, &out), PIPE_EXPAND_RECIPIENT);
	assert_int_equal(expand("/bin/x|${nexthop}", 0, "a@b.c", to, 3, &out), PIPE_EXPAND_OK);
	assert_string_equal(out, "/bin/x|far.test");
}

static void test_too_long(void **state)
{
	const char *to[LIMIT_PIPE_RCPTS];
	char        long_one[LIMIT_ADDRESS];
	const char *out;

	(void)state;
	memset(long_one, 'a', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = '\0';
	long_one[200] = '@';
	for (size_t i = 0; i < LEN(to); i++)
		to[i] = long_one;
	assert_int_equal(expand("/bin/x|${recipient}", 0, "a@b.c", to, LEN(to), &out), PIPE_EXPAND_OK);
	assert_int_equal(expand("/bin/x|${recipient} ${recipient} ${recipient}", 0, "a@b.c", to, LEN(to), &out), PIPE_EXPAND_LIMIT);
}

static void test_environment(void **state)
{
	struct pipe_conf        c = conf_of("/bin/x");
	struct pipe_rcpt        one = { 0, STR("Bob+Tag@far.test"), STR("x@y.z") }, bad = { 0, STR("a\nB=1@far.test"), STR("x@y.z") };
	const struct pipe_rcpt *list[] = { &one, &one };
	struct pipe_run         run = { .conf = &c, .rcpts = list, .rcpt_count = 1, .sender = STR(""), .queue_id = STR("1"), .peer = STR("p"), .separators = STR("+") };

	(void)state;
	assert_string_equal(joined(pipe_environment(&run, arena)),
			    "LANG=C|PATH=/usr/local/bin:/usr/bin:/bin|SENDER=|QUEUE_ID=1|CLIENT_ADDRESS=p|RECIPIENT=Bob+Tag@far.test|ORIGINAL_RECIPIENT=x@y.z|LOCAL=Bob|"
			    "EXTENSION=Tag|DOMAIN=far.test");
	run.rcpt_count = 2;
	assert_string_equal(joined(pipe_environment(&run, arena)), "LANG=C|PATH=/usr/local/bin:/usr/bin:/bin|SENDER=|QUEUE_ID=1|CLIENT_ADDRESS=p");
	run.rcpt_count = 1;
	list[0] = &bad;
	assert_string_equal(joined(pipe_environment(&run, arena)),
			    "LANG=C|PATH=/usr/local/bin:/usr/bin:/bin|SENDER=|QUEUE_ID=1|CLIENT_ADDRESS=p|ORIGINAL_RECIPIENT=x@y.z|EXTENSION=|DOMAIN=far.test");
}

static void test_conf(void **state)
{
	static const struct {
		const char *words, *name, *flags;
		uint32_t    recipients;
		bool        ok;
	} rows[] = {
		{ "/bin/x|${recipient}", "a-b_9", "DRFOuhB>.", 1, true }, { "/bin/x", "x", "", 100, true },
		{ "", "x", "", 1, false },         { "bin/x", "x", "", 1, false },          { "x", "x", "", 1, false },
		{ "/bin/${user}", "x", "", 1, false }, { "/bin/x|$user", "x", "", 1, false },  { "/bin/x|${user", "x", "", 1, false },
		{ "/bin/x|${}", "x", "", 1, false },   { "/bin/x|${shell}", "x", "", 1, false }, { "/bin/x|$", "x", "", 1, false },
		{ "/bin/x|a\nb", "x", "", 1, false },  { "/bin/x", "", "", 1, false },          { "/bin/x", "a b", "", 1, false },
		{ "/bin/x", "a:b", "", 1, false },     { "/bin/x", "x", "DD", 1, false },       { "/bin/x", "x", "Z", 1, false },
		{ "/bin/x", "x", "D", 2, false },      { "/bin/x", "x", "O", 2, false },        { "/bin/x", "x", "R", 2, true },
		{ "/bin/x", "abcdefghijklmnopqrstuvwxyz0123456789", "", 1, false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct pipe_conf c = conf_of(rows[i].words);

		c.name = str_of(rows[i].name);
		c.flags = str_of(rows[i].flags);
		c.recipients = rows[i].recipients;
		if ((pipe_conf_wrong(&c) == NULL) != rows[i].ok)
			fail_msg("%s: %s", rows[i].words, pipe_conf_wrong(&c) ? pipe_conf_wrong(&c) : "fine");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one, setup, teardown),         cmocka_unit_test_setup_teardown(test_several, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),    cmocka_unit_test_setup_teardown(test_environment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_conf, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
