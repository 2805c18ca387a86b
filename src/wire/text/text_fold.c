/* wire/text/text_fold.c - contract is in text_fold.h. */
#include "wire/text/text_fold.h"

#include "wire/text/text_charset.h"

static uint32_t decode(struct str c)
{
	uint32_t v = (unsigned char)c.p[0] & (0xffu >> (c.n + 1));

	for (size_t i = 1; i < c.n; i++)
		v = v << 6 | ((unsigned char)c.p[i] & 0x3f);
	return v;
}

/* All that is folded lies below U+0800, and so do the results: two octets. */
static uint32_t fold(uint32_t v)
{
	if (v >= 0xc0 && v <= 0xde && v != 0xd7)
		return v + 0x20;
	if (v >= 0x100 && v <= 0x17f) {
		if (v == 0x130 || v == 0x131 || v == 0x138 || v == 0x149 || v == 0x17f)
			return v == 0x17f ? 's' : v;
		if (v == 0x178)
			return 0xff;
		/* Pairs, upper first: even numbers, but odd ones in two stretches. */
		if ((v >= 0x139 && v <= 0x148) || v >= 0x179)
			return v + (v & 1);
		return v | 1;
	}
	if (v >= 0x391 && v <= 0x3a9)
		return v + 0x20;
	if (v == 0x3c2) /* final sigma */
		return 0x3c3;
	if (v == 0x386)
		return 0x3ac;
	if (v >= 0x388 && v <= 0x38a)
		return v + 0x25;
	if (v == 0x38c)
		return 0x3cc;
	if (v == 0x38e || v == 0x38f)
		return v + 0x3f;
	if (v >= 0x410 && v <= 0x42f)
		return v + 0x20;
	if (v >= 0x400 && v <= 0x40f)
		return v + 0x50;
	if ((v >= 0x460 && v <= 0x481) || (v >= 0x48a && v <= 0x4bf) || (v >= 0x4d0 && v <= 0x52f))
		return v | 1;
	if (v >= 0x531 && v <= 0x556)
		return v + 0x30;
	return v;
}

void text_fold(struct str s, struct buf *out)
{
	bool blank = false;

	while (s.n > 0) {
		size_t n = text_utf8_char(s);
		char   c = s.p[0];

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			if (!blank)
				buf_add_char(out, ' ');
			blank = true;
			s = str_from(s, 1);
			continue;
		}
		blank = false;
		if (n == 2) {
			uint32_t v = fold(decode(str_first(s, 2)));

			if (v >= 0x80)
				buf_add_char(out, (char)(0xc0 | v >> 6));
			buf_add_char(out, (char)(v >= 0x80 ? 0x80 | (v & 0x3f) : v));
		} else if (n > 2) {
			buf_add(out, str_first(s, n));
		} else {
			buf_add_char(out, ascii_lower(c));
		}
		s = str_from(s, MAX(n, (size_t)1));
	}
}
