/* wire/imap/imap_mutf7.c - grammar and contract are in imap_mutf7.h. */
#include "wire/imap/imap_mutf7.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

bool imap_utf8_take(struct str *s, uint32_t *ret)
{
	size_t        n = 1;
	unsigned char c = s->n ? (unsigned char)s->p[0] : 0;
	uint32_t      v;

	if (s->n == 0)
		return false;
	if (c >= 0xc0)
		n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (!str_is_utf8(str_first(*s, n)) || s->n < n)
		return false;
	v = n == 1 ? c : c & (0x7fu >> n);
	for (size_t i = 1; i < n; i++)
		v = v << 6 | ((unsigned char)s->p[i] & 0x3f);
	*ret = v;
	*s = str_from(*s, n);
	return true;
}

static bool utf8_add(struct buf *out, uint32_t v)
{
	if (v < 0x80)
		return buf_add_char(out, (char)v);
	if (v < 0x800)
		return buf_add_char(out, (char)(0xc0 | v >> 6)) && buf_add_char(out, (char)(0x80 | (v & 0x3f)));
	if (v < 0x10000)
		return buf_add_char(out, (char)(0xe0 | v >> 12)) && buf_add_char(out, (char)(0x80 | (v >> 6 & 0x3f))) &&
		       buf_add_char(out, (char)(0x80 | (v & 0x3f)));
	return buf_add_char(out, (char)(0xf0 | v >> 18)) && buf_add_char(out, (char)(0x80 | (v >> 12 & 0x3f))) &&
	       buf_add_char(out, (char)(0x80 | (v >> 6 & 0x3f))) && buf_add_char(out, (char)(0x80 | (v & 0x3f)));
}

static bool is_direct(uint32_t v)
{
	return v >= 0x20 && v < 0x7f;
}

/* ---- encoding ---- */

struct shift {
	uint32_t bits;
	unsigned have; /* bits not written yet, less than 6 between calls */
};

static bool shift_add(struct shift *s, struct buf *out, uint32_t unit)
{
	s->bits = s->bits << 16 | unit;
	s->have += 16;
	for (; s->have >= 6; s->have -= 6)
		if (!buf_add_char(out, alphabet[s->bits >> (s->have - 6) & 0x3f]))
			return false;
	return true;
}

static bool shift_end(struct shift *s, struct buf *out)
{
	if (s->have > 0 && !buf_add_char(out, alphabet[s->bits << (6 - s->have) & 0x3f]))
		return false;
	*s = (struct shift){ 0 };
	return buf_add_char(out, '-');
}

bool imap_mutf7_encode(struct str utf8, struct buf *out)
{
	struct shift s = { 0 };
	bool         shifted = false;
	uint32_t     v;

	while (utf8.n > 0) {
		if (!imap_utf8_take(&utf8, &v) || v < 0x20 || v == 0x7f)
			return false;
		if (is_direct(v)) {
			if (shifted && !shift_end(&s, out))
				return false;
			shifted = false;
			if (!(v == '&' ? buf_add(out, STR("&-")) : buf_add_char(out, (char)v)))
				return false;
			continue;
		}
		if (!shifted && !buf_add_char(out, '&'))
			return false;
		shifted = true;
		if (v >= 0x10000) {
			v -= 0x10000;
			if (!shift_add(&s, out, 0xd800 | v >> 10) || !shift_add(&s, out, 0xdc00 | (v & 0x3ff)))
				return false;
		} else if (!shift_add(&s, out, v)) {
			return false;
		}
	}
	return !shifted || shift_end(&s, out);
}

/* ---- decoding ---- */

/* The UTF-16 units of one shift, from behind "&" to before "-". */
static bool shift_decode(struct str base64, struct buf *out)
{
	uint32_t bits = 0, high = 0;
	unsigned have = 0;

	for (size_t i = 0; i < base64.n; i++) {
		ptrdiff_t digit = str_find(str_n(alphabet, 64), base64.p[i]);

		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
		have += 6;
		if (have < 16)
			continue;
		have -= 16;

		uint32_t unit = bits >> have & 0xffff;

		if (high != 0 && (unit < 0xdc00 || unit > 0xdfff))
			return false;
		if (unit >= 0xd800 && unit <= 0xdbff) {
			high = unit;
			continue;
		}
		if (high != 0)
			unit = 0x10000 + ((high & 0x3ff) << 10) + (unit & 0x3ff);
		else if (unit >= 0xdc00 && unit <= 0xdfff)
			return false;
		high = 0;
		if (is_direct(unit) || !utf8_add(out, unit))
			return false;
	}
	/* What is left is padding: less than a digit, and zero. */
	return high == 0 && have < 6 && (bits & ((1u << have) - 1)) == 0;
}

bool imap_mutf7_decode(struct str wire, struct buf *out)
{
	bool after_shift = false;

	while (wire.n > 0) {
		char       c = wire.p[0];
		struct str base64, rest;

		if (!is_direct((unsigned char)c))
			return false;
		wire = str_from(wire, 1);
		if (c != '&') {
			if (!buf_add_char(out, c))
				return false;
			after_shift = false;
			continue;
		}
		if (!str_cut(wire, '-', &base64, &rest))
			return false;
		wire = rest;
		if (base64.n == 0) {
			if (!buf_add_char(out, '&'))
				return false;
			after_shift = false;
			continue;
		}
		if (after_shift)
			return false;
		size_t before = out->n;

		if (!shift_decode(base64, out))
			return false;
		/* Control characters (also C1-free: only what encoding refuses). */
		for (size_t i = before; i < out->n; i++)
			if ((unsigned char)out->p[i] < 0x20 || out->p[i] == 0x7f)
				return false;
		after_shift = true;
	}
	return true;
}
