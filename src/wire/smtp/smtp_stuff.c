/* wire/smtp/smtp_stuff.c - contract is in smtp_stuff.h. */
#include "wire/smtp/smtp_stuff.h"

/* Octets before the next one that needs a decision. */
static size_t plain_length(struct str in)
{
	size_t n = 0;

	while (n < in.n && in.p[n] != '\r' && in.p[n] != '\n' && in.p[n] != '\0')
		n++;
	return n;
}

static void line_end(struct smtp_stuff *s, struct buf *out)
{
	buf_add(out, STR("\r\n"));
	*s = (struct smtp_stuff){ 0 };
}

static void special(struct smtp_stuff *s, struct buf *out, char c)
{
	if (c == '\n') {
		line_end(s, out); /* its CR, if there was one, is written here too */
	} else if (c == '\r') {
		if (s->cr)
			line_end(s, out);
		s->cr = true;
	}
}

bool smtp_stuff_add(struct smtp_stuff *s, struct buf *out, struct str in)
{
	while (in.n > 0) {
		size_t n = plain_length(in);

		if (n == 0) {
			special(s, out, in.p[0]);
			in = str_from(in, 1);
			continue;
		}
		if (s->cr)
			line_end(s, out);
		if (!s->middle && in.p[0] == '.')
			buf_add_char(out, '.');
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
