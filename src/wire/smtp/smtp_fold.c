/* wire/smtp/smtp_fold.c - contract is in smtp_fold.h. */
#include "wire/smtp/smtp_fold.h"

#include <string.h>

#include "wire/smtp/smtp_stuff.h"

/* ---- writing ---- */

static void line_end(struct smtp_fold *f, struct buf *out)
{
	buf_add(out, str_n(f->held, f->n));
	buf_add(out, STR("\r\n"));
	f->body = f->body || f->n == 0;
	f->n = 0;
	f->cr = f->folded = false;
}

/* Before the last white space with text on both sides; 0: there is none. */
static size_t cut_at_space(const struct smtp_fold *f)
{
	size_t at = f->n - 1, text = 0;

	while (text < f->n && ascii_is_wsp(f->held[text]))
		text++;
	for (; at > text; at--)
		if (!ascii_is_wsp(f->held[at]) && ascii_is_wsp(f->held[at - 1]))
			return at - 1 > text ? at - 1 : 0;
	return 0;
}

static bool continues_utf8(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* As late as possible before `next`, the octet that has no room any more. What is no UTF-8 is cut anywhere. */
static size_t cut_at_character(const struct smtp_fold *f, char next)
{
	size_t at = f->n;

	if (!continues_utf8(next))
		return at;
	do
		at--;
	while (f->n - at < 3 && continues_utf8(f->held[at]));
	return continues_utf8(f->held[at]) ? f->n : at;
}

static void fold(struct smtp_fold *f, struct buf *out, char next)
{
	size_t at = f->body ? 0 : cut_at_space(f);
	bool   space = at == 0;

	at = space ? cut_at_character(f, next) : at;
	buf_add(out, str_n(f->held, at));
	buf_add(out, STR("\r\n"));
	memmove(f->held + space, f->held + at, f->n - at);
	f->n = f->n - at + space;
	if (space)
		f->held[0] = ' ';
	f->lines += !f->folded;
	f->folded = true;
}

static void hold(struct smtp_fold *f, struct buf *out, struct str text)
{
	while (text.n > 0) {
		size_t n = MIN(text.n, sizeof(f->held) - f->n);

		if (n == 0) {
			fold(f, out, text.p[0]);
			continue;
		}
		memcpy(f->held + f->n, text.p, n);
		f->n += n;
		text = str_from(text, n);
	}
}

bool smtp_fold_add(struct smtp_fold *f, struct buf *out, struct str in)
{
	while (in.n > 0) {
		size_t n = smtp_plain_length(in);
		char   c = in.p[0];

		if (n > 0) {
			if (f->cr)
				line_end(f, out);
			hold(f, out, str_first(in, n));
		} else if (c == '\n') {
			line_end(f, out); /* its CR, if there was one, is written here too */
		} else if (c == '\r') {
			if (f->cr)
				line_end(f, out);
			f->cr = true;
		}
		in = str_from(in, MAX(n, (size_t)1));
	}
	return !out->over;
}

bool smtp_fold_end(struct smtp_fold *f, struct buf *out)
{
	if (f->cr || f->n > 0)
		line_end(f, out);
	return !out->over;
}

/* ---- looking ---- */

/* A line's octets up to its LF (`ended`) or the end of the input. */
static void scan_line(struct smtp_scan *s, struct str line, bool ended)
{
	const char *cr = line.n > 0 ? memchr(line.p, '\r', line.n) : NULL;

	if (s->cr && line.n > 0)
		s->changes = true;
	if (cr && cr != line.p + line.n - 1)
		s->changes = true;
	s->cr = cr || (s->cr && line.n == 0);
	s->n += line.n - (cr != NULL);
	if (s->n > SMTP_LINE_TEXT || (ended && !s->cr))
		s->changes = true;
	if (ended) {
		s->body = s->body || s->n == 0;
		s->n = 0;
		s->cr = false;
	}
}

void smtp_scan_add(struct smtp_scan *s, struct str in)
{
	bool ascii = str_is_ascii(in);

	s->eight_bit = s->eight_bit || !ascii;
	if (in.n > 0 && memchr(in.p, '\0', in.n))
		s->changes = true;
	while (in.n > 0) {
		const char *lf = memchr(in.p, '\n', in.n);
		struct str  line = str_first(in, lf ? (size_t)(lf - in.p) : in.n);

		if (!ascii && !s->body && !str_is_ascii(line))
			s->eight_bit_header = true;
		scan_line(s, line, lf != NULL);
		in = str_from(in, line.n + (lf != NULL));
	}
}

void smtp_scan_end(struct smtp_scan *s)
{
	if (s->n > 0 || s->cr)
		s->changes = true;
}
