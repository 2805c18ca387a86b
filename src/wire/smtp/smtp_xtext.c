/* wire/smtp/smtp_xtext.c - grammar and contract are in smtp_xtext.h. */
#include "wire/smtp/smtp_xtext.h"

#define NO_POINT UINT32_MAX

static void put(struct buf *out, char c)
{
	if (out)
		buf_add_char(out, c);
}

/* Upper-case digits only. */
static int digit_of(char c)
{
	return ascii_is_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool printable(unsigned c)
{
	return c >= 32 && c <= 126;
}

bool smtp_xtext_decode(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		int  high, low;

		if (c < 33 || c > 126 || c == '=')
			return false;
		if (c == '+') {
			if (s.n - i < 3)
				return false;
			high = digit_of(s.p[i + 1]);
			low = digit_of(s.p[i + 2]);
			if (high < 0 || low < 0 || !printable((unsigned)(high * 16 + low)))
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		put(out, c);
	}
	return s.n > 0;
}

/* "HEXPOINT}" off *s. */
static uint32_t point_take(struct str *s)
{
	uint32_t point = 0;
	size_t   n = 0;

	while (n < s->n && n < 6 && digit_of(s->p[n]) >= 0)
		point = point * 16 + (uint32_t)digit_of(s->p[n++]);
	if (n < 2 || n == s->n || s->p[n] != '}' || (n > 2 && s->p[0] == '0'))
		return NO_POINT;
	*s = str_from(*s, n + 1);
	return point;
}

/* One way to write each: what needs no escape has none. */
static bool point_valid(uint32_t point)
{
	if (point == ' ' || point == '+' || point == '=' || point == '\\')
		return true;
	return point >= 0xa0 && point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);
}

static void point_put(struct buf *out, uint32_t point)
{
	if (point < 0x80) {
		put(out, (char)point);
		return;
	}
	if (point < 0x800) {
		put(out, (char)(0xc0 | point >> 6));
	} else {
		if (point < 0x10000) {
			put(out, (char)(0xe0 | point >> 12));
		} else {
			put(out, (char)(0xf0 | point >> 18));
			put(out, (char)(0x80 | (point >> 12 & 0x3f)));
		}
		put(out, (char)(0x80 | (point >> 6 & 0x3f)));
	}
	put(out, (char)(0x80 | (point & 0x3f)));
}

static bool utf8_decode(struct str s, bool utf8, struct buf *out)
{
	if (s.n == 0 || !str_is_utf8(s) || (!utf8 && !str_is_ascii(s)))
		return false;
	while (s.n > 0) {
		unsigned char c = (unsigned char)s.p[0];

		if (str_skip(&s, STR("\\x{"))) {
			uint32_t point = point_take(&s);

			if (point == NO_POINT || !point_valid(point))
				return false;
			point_put(out, point);
			continue;
		}
		/* U+0080 to U+009F are controls, and begin with the octet C2. */
		if (c < 33 || c == 127 || c == '\\' || c == '+' || c == '=' || (c == 0xc2 && (unsigned char)s.p[1] < 0xa0))
			return false;
		put(out, s.p[0]);
		s = str_from(s, 1);
	}
	return true;
}

static bool atom(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 33 || s.p[i] > 126 || str_find(STR("()<>[]:;@\\,.\""), s.p[i]) >= 0)
			return false;
	return s.n > 0;
}

bool smtp_orcpt_decode(struct str s, bool utf8, struct buf *out)
{
	struct str type, value;

	if (!str_cut(s, ';', &type, &value) || !atom(type))
		return false;
	for (size_t i = 0; i < type.n; i++)
		put(out, type.p[i]);
	put(out, ';');
	return str_ieq(type, STR("utf-8")) ? utf8_decode(value, utf8, out) : smtp_xtext_decode(value, out);
}
