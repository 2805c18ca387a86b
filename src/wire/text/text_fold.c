/* wire/text/text_fold.c - contract is in text_fold.h. */
#include "wire/text/text_fold.h"

#include "wire/text/text_charset.h"
#include "wire/text/text_casemap_table.h"

#define HANGUL_FIRST 0xac00u /* The Unicode Standard §3.12: syllables are decomposed by arithmetic */
#define HANGUL_COUNT 11172u
#define JAMO_V       21u
#define JAMO_T       28u

static uint32_t decode(const unsigned char *p, size_t n)
{
	uint32_t v = p[0] & (0xffu >> (n + 1));

	for (size_t i = 1; i < n; i++)
		v = v << 6 | (p[i] & 0x3f);
	return v;
}

/* 0x1100 to 0x11ff: three octets. */
static char *jamo_put(char *to, uint32_t v)
{
	*to++ = (char)(0xe0 | v >> 12);
	*to++ = (char)(0x80 | (v >> 6 & 0x3f));
	*to++ = (char)(0x80 | (v & 0x3f));
	return to;
}

static char *hangul_put(char *to, uint32_t v)
{
	v -= HANGUL_FIRST;
	to = jamo_put(to, 0x1100 + v / (JAMO_V * JAMO_T));
	to = jamo_put(to, 0x1161 + v % (JAMO_V * JAMO_T) / JAMO_T);
	return v % JAMO_T ? jamo_put(to, 0x11a7 + v % JAMO_T) : to;
}

static char *wide_put(char *to, const char *from, size_t n)
{
	uint32_t v = decode((const unsigned char *)from, n);
	size_t   lo = 0, hi = LEN(entries);

	if (v >= HANGUL_FIRST && v < HANGUL_FIRST + HANGUL_COUNT)
		return hangul_put(to, v);
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (entries[mid].from < v)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < LEN(entries) && entries[lo].from == v) {
		for (size_t i = 0; i < entries[lo].n; i++)
			*to++ = (char)pool[entries[lo].at + i];
		return to;
	}
	for (size_t i = 0; i < n; i++)
		*to++ = from[i];
	return to;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ASCII at the start of s, which is most of all text; returns how much of it there was. */
static size_t ascii_put(struct str s, bool *blank, struct buf *out)
{
	size_t n = 0;
	char  *room, *to;

	while (n < s.n && (unsigned char)s.p[n] < 0x80)
		n++;
	to = room = n > 0 ? buf_room(out, n) : NULL;
	for (size_t i = 0; room && i < n; i++) {
		char c = s.p[i];

		if (!is_blank(c))
			*to++ = ascii_upper(c);
		else if (!*blank)
			*to++ = ' ';
		*blank = is_blank(c);
	}
	if (room)
		buf_commit(out, (size_t)(to - room));
	return n;
}

void text_fold(struct str s, struct buf *out)
{
	bool   blank = false;
	char   wide[MAX(LONGEST, 9u)];
	size_t n;

	while (s.n > 0 && !out->over) {
		s = str_from(s, ascii_put(s, &blank, out));
		if (s.n == 0)
			return;
		n = text_utf8_char(s);
		if (n > 1) {
			struct str to = str_n(wide, (size_t)(wide_put(wide, s.p, n) - wide));
			bool       space = to.n == 1 && to.p[0] == ' '; /* U+00A0 and the like */

			if (!space || !blank)
				buf_add(out, to);
			blank = space;
		} else {
			buf_add_char(out, s.p[0]);
			blank = false;
		}
		s = str_from(s, MAX(n, (size_t)1));
	}
}
