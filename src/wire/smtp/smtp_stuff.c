/* wire/smtp/smtp_stuff.c - contract is in smtp_stuff.h. */
#include "wire/smtp/smtp_stuff.h"

#include <string.h>

/* The high bit of an octet of the result is set if that octet of `v` is 0, and perhaps of one behind it. */
static uint64_t zero_octets(uint64_t v)
{
	return (v - 0x0101010101010101u) & ~v & 0x8080808080808080u;
}

/* Whole messages pass here: eight octets in a step. */
size_t smtp_plain_length(struct str in)
{
	size_t   n = 0;
	uint64_t eight;

	for (; in.n - n >= sizeof(eight); n += sizeof(eight)) {
		memcpy(&eight, in.p + n, sizeof(eight));
		if (zero_octets(eight) | zero_octets(eight ^ 0x0a0a0a0a0a0a0a0au) | zero_octets(eight ^ 0x0d0d0d0d0d0d0d0du))
			break;
	}
	while (n < in.n && in.p[n] != '\r' && in.p[n] != '\n' && in.p[n] != '\0')
		n++;
	return n;
}

static void line_end(struct smtp_stuff *s, struct buf *out)
{
	buf_add(out, STR("\r\n"));
	s->middle = s->cr = false;
}

static void special(struct smtp_stuff *s, struct buf *out, char c)
{
	if (c == '\n') {
		line_end(s, out); /* its CR, if there was one, is written here too */
	} else if (c == '\r') {
		if (s->cr)
			line_end(s, out);
		s->cr = true;
	} else if (s->nul) {
		if (s->cr)
			line_end(s, out);
		buf_add_char(out, c);
		s->middle = true;
	}
}

bool smtp_stuff_add(struct smtp_stuff *s, struct buf *out, struct str in)
{
	while (in.n > 0) {
		size_t n = smtp_plain_length(in);

		if (n == 0) {
			special(s, out, in.p[0]);
			in = str_from(in, 1);
			continue;
		}
		if (s->cr)
			line_end(s, out);
		if (!s->middle && in.p[0] == '.') {
			buf_add_char(out, '.');
			s->dots++;
		}
		buf_add(out, str_first(in, n));
		s->middle = true;
		in = str_from(in, n);
	}
	return !out->over;
}

bool smtp_stuff_end(struct smtp_stuff *s, struct buf *out)
{
	if (s->cr || s->middle)
		line_end(s, out);
	buf_add(out, STR(".\r\n"));
	return !out->over;
}
