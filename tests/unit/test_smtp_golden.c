/* tests/unit/test_smtp_golden.c - tests/golden/smtp over the fake net. The format is in tests/golden/README.md. */
#include "unit.h"

#include <dirent.h>
#include <stdio.h>

#include "smtp_rig.h"

#define FILE_MAX (64 * KIB)

struct play {
	struct rig  r;
	bool        started;
	struct str  unread; /* of conn.out */
	struct buf  sending;
	struct str  message; /* of ask.content, behind what was found */
	const char *file;
	unsigned    line;
};

static void broken(struct play *p, const char *why, struct str detail)
{
	print_error("%s:%u: %s: \"%.*s\"\n", p->file, p->line, why, STR_FMT(detail));
	fail();
}

/* `*` in the pattern stands for any octets. */
static bool matches(struct str pattern, struct str text)
{
	struct str piece, rest;
	bool       star = str_cut(pattern, '*', &piece, &rest);

	if (!str_starts(text, piece))
		return false;
	text = str_from(text, piece.n);
	if (!star)
		return text.n == 0;
	for (size_t i = 0; i <= text.n; i++)
		if (matches(rest, str_from(text, i)))
			return true;
	return false;
}

static void replace(struct buf *out, struct str name, struct play *p)
{
	uint64_t n;

	if (str_eq(name, STR("host")))
		buf_add(out, STR("mx.demo.test"));
	else if (str_eq(name, STR("plain")))
		buf_add(out, STR("AGFsaWNlQGRlbW8udGVzdABwYXNzd29yZA=="));
	else if (str_eq(name, STR("user")))
		buf_add(out, STR("YWxpY2VAZGVtby50ZXN0"));
	else if (str_eq(name, STR("password")))
		buf_add(out, STR("cGFzc3dvcmQ="));
	else if (str_skip(&name, STR("x:")) && str_to_u64(name, &n) && n < FILE_MAX)
		while (n-- > 0)
			buf_add_char(out, 'x');
	else
		broken(p, "unknown name", name);
}

static void expand(struct play *p, struct str text, struct buf *out)
{
	struct str before, name, rest;

	while (str_cut(text, '{', &before, &rest) && str_cut(rest, '}', &name, &rest)) {
		buf_add(out, before);
		replace(out, name, p);
		text = rest;
	}
	buf_add(out, text);
}

static int hex(char c)
{
	return ascii_is_digit(c) ? c - '0' : ascii_lower(c) - 'a' + 10;
}

static void unescape(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c != '\\' || i + 1 == text.n) {
			buf_add_char(out, c);
			continue;
		}
		switch (text.p[++i]) {
		case 'r': buf_add_char(out, '\r'); break;
		case 'n': buf_add_char(out, '\n'); break;
		case 't': buf_add_char(out, '\t'); break;
		case '0': buf_add_char(out, '\0'); break;
		case 'x':
			CHECK(text.n - i > 2);
			buf_add_char(out, (char)(hex(text.p[i + 1]) * 16 + hex(text.p[i + 2])));
			i += 2;
			break;
		default: buf_add_char(out, text.p[i]); break;
		}
	}
}

static void option(struct play *p, struct str text)
{
	uint64_t value;

	if (str_eq(text, STR("submission")))
		p->r.env.kind = SMTP_KIND_SUBMISSION;
	else if (str_eq(text, STR("lmtp"))) {
		p->r.env.kind = SMTP_KIND_LMTP;
		p->r.conn.info.loopback = true;
	} else if (str_eq(text, STR("clear")))
		p->r.set.allow_plain = true;
	else if (str_skip(&text, STR("set normalise_eol ")) && str_to_u64(text, &value))
		p->r.set.normalise_eol = value;
	else if (str_skip(&text, STR("set message_octets ")) && str_to_u64(text, &value))
		p->r.set.message_octets = value;
	else if (str_skip(&text, STR("set trusted ")))
		CHECK(cidr_list_parse(text, p->r.conn.arena, &p->r.set.trusted, &text));
	else if (!str_eq(text, STR("relay")) && !str_eq(text, STR("fake")))
		broken(p, "unknown option", text);
}

static void send_now(struct play *p)
{
	if (p->sending.n == 0)
		return;
	if (p->unread.n > 0)
		broken(p, "the server said more", p->unread);
	buf_clear(&p->r.conn.out);
	fake_feed(&p->r.conn, buf_str(&p->sending));
	buf_clear(&p->sending);
	p->unread = buf_str(&p->r.conn.out);
}

static struct str server_line(struct play *p)
{
	ptrdiff_t  end = str_search(p->unread, STR("\r\n"));
	struct str line;

	if (end < 0)
		broken(p, "the server said nothing more", p->unread);
	line = str_first(p->unread, (size_t)end);
	p->unread = str_from(p->unread, (size_t)end + 2);
	return line;
}

static void expect(struct play *p, struct str text)
{
	struct buf pattern;
	struct str line = server_line(p);

	buf_init(&pattern, FILE_MAX);
	expand(p, text, &pattern);
	if (!matches(buf_str(&pattern), line))
		broken(p, "the server said", line);
	buf_done(&pattern);
}

static void expect_code(struct play *p, struct str code)
{
	struct str line;

	do {
		line = server_line(p);
		if (!str_starts(line, code))
			broken(p, "the server said", line);
	} while (line.n > 3 && line.p[3] == '-');
}

static void event(struct play *p, struct str name)
{
	buf_clear(&p->r.conn.out);
	fake_event(&p->r.conn, str_eq(name, STR("drain")) ? NET_EV_DRAIN : NET_EV_TIMEOUT);
	p->unread = buf_str(&p->r.conn.out);
}

static void message_line(struct play *p, struct str pattern)
{
	if (!p->message.p)
		p->message = buf_str(&p->r.ask.content);
	while (p->message.n > 0) {
		ptrdiff_t  end = str_search(p->message, STR("\r\n"));
		struct str line = str_first(p->message, (size_t)end);

		assert_true(end >= 0);
		p->message = str_from(p->message, (size_t)end + 2);
		if (matches(pattern, line))
			return;
	}
	broken(p, "not in the message", pattern);
}

static void play_line(struct play *p, struct str mark, struct str text)
{
	if (str_eq(mark, STR("="))) {
		option(p, text);
		return;
	}
	if (!p->started) {
		rig_start(&p->r);
		p->unread = buf_str(&p->r.conn.out);
		p->started = true;
	}
	if (str_eq(mark, STR("C"))) {
		expand(p, text, &p->sending);
		buf_add(&p->sending, STR("\r\n"));
		return;
	}
	if (str_eq(mark, STR("R"))) {
		unescape(text, &p->sending);
		return;
	}
	send_now(p);
	if (str_eq(mark, STR("S"))) {
		expect(p, text);
	} else if (str_eq(mark, STR("S*"))) {
		expect_code(p, text);
	} else if (str_eq(mark, STR("T"))) {
		fake_tls(&p->r.conn);
	} else if (str_eq(mark, STR("E"))) {
		event(p, text);
	} else if (str_eq(mark, STR("M"))) {
		message_line(p, text);
	} else if (str_eq(mark, STR("X"))) {
		if (!p->r.conn.closed || p->unread.n > 0)
			broken(p, "not closed", p->unread);
	} else {
		broken(p, "unknown mark", mark);
	}
}

static void play_file(const char *name, struct str file)
{
	struct play p = { .file = name };
	struct str  line, mark, text;

	rig_init(&p.r, SMTP_KIND_RELAY);
	p.r.set.allow_plain = false;
	buf_init(&p.sending, FILE_MAX);
	while (file.n > 0) {
		p.line++;
		str_cut(file, '\n', &line, &file);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (!str_cut(line, ':', &mark, &text) || !str_skip_char(&text, ' '))
			broken(&p, "not a line of a transcript", line);
		play_line(&p, mark, text);
	}
	send_now(&p);
	if (p.unread.n > 0)
		broken(&p, "the server said more", p.unread);
	buf_done(&p.sending);
	rig_done(&p.r);
}

static void test_golden(void **state)
{
	static const char dir[] = UNIT_PROJECT_ROOT "/tests/golden/smtp";
	static char       file[FILE_MAX];
	DIR              *d = opendir(dir);
	struct dirent    *e;
	unsigned          count = 0;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d))) {
		char   path[sizeof(dir) + sizeof(e->d_name) + 1];
		FILE  *f;
		size_t n;

		if (!str_iends(str_of(e->d_name), STR(".txt")))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		f = fopen(path, "r");
		assert_non_null(f);
		n = fread(file, 1, sizeof(file), f);
		assert_true(n > 0 && n < sizeof(file));
		fclose(f);
		play_file(e->d_name, str_n(file, n));
		count++;
	}
	closedir(d);
	assert_true(count > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_golden) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
