/* wire/text/text_base64.c - see text_base64.h. */
#include "wire/text/text_base64.h"

static const char alphabet[64] = { 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P',
				   'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'a', 'b', 'c', 'd', 'e', 'f',
				   'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v',
				   'w', 'x', 'y', 'z', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+', '/' };

/* Value plus one, so that what is not named is 0: outside the alphabet. */
static const unsigned char value_plus1[256] = {
	['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
	['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
	['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
	['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
	['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
	['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
	['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

#define LINE_OCTETS ((size_t)57) /* give 76 characters */

static unsigned octet(struct str s, size_t i)
{
	return (unsigned char)s.p[i];
}

void text_base64_encode(struct str in, struct buf *out)
{
	size_t   n = in.n / 3 * 4 + (in.n % 3 ? 4 : 0);
	char    *p = buf_room(out, n);
	size_t   i = 0;
	unsigned v;

	if (!p)
		return;
	for (; i + 3 <= in.n; i += 3) {
		v = octet(in, i) << 16 | octet(in, i + 1) << 8 | octet(in, i + 2);
		*p++ = alphabet[v >> 18];
		*p++ = alphabet[v >> 12 & 63];
		*p++ = alphabet[v >> 6 & 63];
		*p++ = alphabet[v & 63];
	}
	if (i < in.n) {
		bool two = in.n - i == 2;

		v = octet(in, i) << 16 | (two ? octet(in, i + 1) << 8 : 0);
		*p++ = alphabet[v >> 18];
		*p++ = alphabet[v >> 12 & 63];
		*p++ = two ? alphabet[v >> 6 & 63] : '=';
		*p++ = '=';
	}
	buf_commit(out, n);
}

void text_base64_encode_lines(struct str in, struct buf *out)
{
	for (; in.n > 0; in = str_from(in, LINE_OCTETS)) {
		text_base64_encode(str_first(in, LINE_OCTETS), out);
		buf_add(out, STR("\r\n"));
	}
}

/* Four characters at `i`, all of the alphabet, to three octets; else false. */
static inline bool group_decode(struct str in, size_t i, char *p)
{
	unsigned a = value_plus1[octet(in, i)], b = value_plus1[octet(in, i + 1)];
	unsigned c = value_plus1[octet(in, i + 2)], d = value_plus1[octet(in, i + 3)];

	if (!a || !b || !c || !d)
		return false;
	a = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
	p[0] = (char)(a >> 16);
	p[1] = (char)(a >> 8);
	p[2] = (char)a;
	return true;
}

/* Groups of four without padding, whole ones only; false at an octet outside the alphabet. */
static bool groups_decode(struct str in, char *p)
{
	for (size_t i = 0; i + 4 <= in.n; i += 4, p += 3)
		if (!group_decode(in, i, p))
			return false;
	return true;
}

bool text_base64_decode(struct str in, struct buf *out)
{
	size_t   tail = 0, n;
	unsigned v = 0;
	char    *p;

	if (in.n % 4)
		return false;
	if (in.n > 0 && in.p[in.n - 1] == '=')
		tail = in.p[in.n - 2] == '=' ? 2 : 3; /* characters of the padded group */
	n = (in.n - (tail ? 4 : 0)) / 4 * 3;
	p = buf_room(out, n + (tail ? tail - 1 : 0));
	if (!p || !groups_decode(str_first(in, n / 3 * 4), p))
		return false;
	if (tail) {
		for (size_t i = 0; i < 4; i++) {
			unsigned d = value_plus1[octet(in, in.n - 4 + i)];

			if (i < tail && !d)
				return false;
			v = v << 6 | (i < tail ? d - 1 : 0);
		}
		if (v & (tail == 2 ? 0xffff : 0xff))
			return false; /* bits behind the last octet, RFC 4648 §3.5 */
		p[n] = (char)(v >> 16);
		if (tail == 3)
			p[n + 1] = (char)(v >> 8);
	}
	buf_commit(out, n + (tail ? tail - 1 : 0));
	return true;
}

void text_base64_decode_lenient(struct str in, struct buf *out)
{
	char    *p = buf_room(out, in.n / 4 * 3 + 3), *start = p;
	unsigned v = 0, have = 0;

	if (!p)
		return;
	for (size_t i = 0; i <= in.n; i++) {
		bool     end;
		unsigned d;

		for (; have == 0 && i + 4 <= in.n && group_decode(in, i, p); i += 4)
			p += 3; /* as nearly all of it is */
		end = i == in.n || in.p[i] == '=';
		d = end ? 0 : value_plus1[octet(in, i)];
		if (d) {
			v = v << 6 | (d - 1);
			if (++have < 4)
				continue;
			*p++ = (char)(v >> 16);
			*p++ = (char)(v >> 8);
			*p++ = (char)v;
			v = have = 0;
		} else if (end) {
			if (have >= 2)
				*p++ = (char)(v >> (have == 2 ? 4 : 10));
			if (have == 3)
				*p++ = (char)(v >> 2);
			v = have = 0;
		}
	}
	buf_commit(out, (size_t)(p - start));
}

int text_hex_digit(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_hex_decode(struct str in, struct buf *out)
{
	char *p = in.n % 2 ? NULL : buf_room(out, in.n / 2);

	if (!p)
		return false;
	for (size_t i = 0; i < in.n; i += 2) {
		int high = text_hex_digit(in.p[i]), low = text_hex_digit(in.p[i + 1]);

		if (high < 0 || low < 0)
			return false;
		p[i / 2] = (char)(high << 4 | low);
	}
	buf_commit(out, in.n / 2);
	return true;
}
