/* tests/unit/test_pipe_content.c - what a program reads: fields, line ends, quoting; from memory and in pieces of a file. */
#include "unit.h"

#include <sys/mman.h>
#include <unistd.h>

#include "deliver/pipe_content.h"

static const struct pipe_rcpt  rcpt = { 0, STR("Bob@Far.test"), STR("first@old.test") };
static const struct pipe_rcpt *list[] = { &rcpt };

static void read_all(const struct pipe_run *run, const struct remote_content *source, struct buf *out)
{
	struct pipe_content *c = calloc(1, sizeof(*c));
	struct str           piece;

	pipe_content_init(c, run, source, 1700000000000);
	do {
		assert_int_equal(pipe_content_next(c, &piece), ST_OK);
		buf_add(out, piece);
	} while (piece.n > 0);
	pipe_content_done(c);
	free(c);
}

static void check(uint32_t flags, bool crlf, const char *sender, struct str in, struct str want)
{
	struct pipe_conf      conf = { .crlf = crlf };
	struct pipe_run       run = { .conf = &conf, .flags = flags, .rcpts = list, .rcpt_count = 1, .sender = str_of(sender) };
	struct remote_content source = { .memory = unit_exact(in), .fd = -1, .raw_octets = in.n };
	struct buf            out;
	int                   fd = memfd_create("content", 0);

	buf_init(&out, MIB);
	read_all(&run, &source, &out);
	assert_str(buf_str(&out), want);
	buf_clear(&out);
	assert_int_equal(write(fd, in.p, in.n), in.n);
	read_all(&run, &(struct remote_content){ .fd = fd, .raw_octets = in.n }, &out);
	assert_str(buf_str(&out), want);
	close(fd);
	unit_exact_free(source.memory);
	buf_done(&out);
}

static void test_lines(void **state)
{
	(void)state;
	check(0, false, "a@b.c", STR("A: b\r\n\r\nx\r\n"), STR("A: b\n\nx\n"));
	check(0, true, "a@b.c", STR("A: b\r\n\r\nx\r\n"), STR("A: b\r\n\r\nx\r\n"));
	check(0, false, "a@b.c", STR("x\r\ny"), STR("x\ny"));
	check(0, false, "a@b.c", STR("x\ry\nz\r\r\n\r"), STR("x\ry\nz\r\n\r"));
	check(0, false, "a@b.c", STR("a\0b\xff\r\n"), STR("a\0b\xff\n"));
	check(0, false, "a@b.c", STR(""), STR(""));
	check(PIPE_BLANK_LINE, false, "a@b.c", STR("x\r\n"), STR("x\n\n"));
	check(PIPE_BLANK_LINE, false, "a@b.c", STR("x"), STR("x\n\n"));
	check(PIPE_QUOTE_DOT, false, "a@b.c", STR(".\r\n..x\r\nx.\r\n"), STR("..\n...x\nx.\n"));
	check(PIPE_QUOTE_FROM, false, "a@b.c", STR("From x\r\nFro\r\nFrom\r\n>From y\r\nx From z\r\nFFrom \r\nFrom "), STR(">From x\nFro\nFrom\n>From y\nx From z\nFFrom \n>From "));
	check(PIPE_QUOTE_FROM | PIPE_QUOTE_DOT, true, "a@b.c", STR(".From x\r\nFrom x\r\nF"), STR("..From x\r\n>From x\r\nF"));
}

static void test_fields(void **state)
{
	(void)state;
	check(PIPE_FROM_LINE | PIPE_RETURN_PATH | PIPE_DELIVERED_TO | PIPE_ORIGINAL_TO | PIPE_FOLD_LOCAL, false, "a@b.c", STR("x\r\n"),
	      STR("From a@b.c Tue Nov 14 22:13:20 2023\nReturn-Path: <a@b.c>\nX-Original-To: first@old.test\nDelivered-To: bob@Far.test\nx\n"));
	check(PIPE_FROM_LINE | PIPE_RETURN_PATH, true, "", STR("x\r\n"), STR("From MAILER-DAEMON Tue Nov 14 22:13:20 2023\r\nReturn-Path: <>\r\nx\r\n"));
}

/* Line ends and quoted words over the borders of pieces. */
static void test_borders(void **state)
{
	struct buf in, want;

	(void)state;
	for (size_t before = 0; before < 8; before++) {
		buf_init(&in, MIB);
		buf_init(&want, MIB);
		for (size_t i = 0; i < before; i++) {
			buf_add_char(&in, 'x');
			buf_add_char(&want, 'x');
		}
		while (in.n < 3 * REMOTE_CHUNK) {
			buf_add(&in, STR("\r\nFrom a"));
			buf_add(&want, STR("\n>From a"));
		}
		check(PIPE_QUOTE_FROM, false, "a@b.c", buf_str(&in), buf_str(&want));
		buf_done(&in);
		buf_done(&want);
	}
}

static void test_short_file(void **state)
{
	struct pipe_conf      conf = { 0 };
	struct pipe_run       run = { .conf = &conf };
	int                   fd = memfd_create("content", 0);
	struct remote_content source = { .fd = fd, .raw_octets = 100 };
	struct pipe_content  *c = calloc(1, sizeof(*c));
	struct str            piece;

	(void)state;
	pipe_content_init(c, &run, &source, 0);
	assert_int_equal(pipe_content_next(c, &piece), ST_CORRUPT);
	pipe_content_done(c);
	free(c);
	close(fd);
}

static void test_was_here(void **state)
{
	(void)state;
	assert_true(pipe_content_was_here(STR("A: b\r\ndelivered-TO:  Bob@far.test \r\n\r\n"), STR("bob@Far.test")));
	assert_false(pipe_content_was_here(STR("A: b\r\n\r\nDelivered-To: bob@far.test\r\n"), STR("bob@far.test")));
	assert_false(pipe_content_was_here(STR("Delivered-To: eve@far.test\r\nX-Delivered-To: bob@far.test\r\n"), STR("bob@far.test")));
	assert_false(pipe_content_was_here(STR(""), STR("bob@far.test")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines), cmocka_unit_test(test_fields), cmocka_unit_test(test_borders), cmocka_unit_test(test_short_file), cmocka_unit_test(test_was_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
