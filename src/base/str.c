/* base/str.c - see str.h. Raw pointer arithmetic lives in this folder only. */
#include "base/str.h"

#include <string.h>

struct str str_of(const char *c)
{
	return (struct str){ c, c ? strlen(c) : 0 };
}

struct str str_n(const void *p, size_t n)
{
	return (struct str){ p, n };
}

bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_ieq(struct str a, struct str b)
{
	return a.n == b.n && str_icmp(a, b) == 0;
}

int str_cmp(struct str a, struct str b)
{
	size_t n = MIN(a.n, b.n);
	int    c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

int str_icmp(struct str a, struct str b)
{
	for (size_t i = 0; i < a.n && i < b.n; i++) {
		int d = (unsigned char)ascii_lower(a.p[i]) - (unsigned char)ascii_lower(b.p[i]);
		if (d)
			return d;
	}
	return (a.n > b.n) - (a.n < b.n);
}

bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq(str_first(s, prefix.n), prefix);
}

bool str_istarts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_ieq(str_first(s, prefix.n), prefix);
}

bool str_iends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_ieq(str_from(s, s.n - suffix.n), suffix);
}

struct str str_first(struct str s, size_t n)
{
	return (struct str){ s.p, MIN(n, s.n) };
}

struct str str_from(struct str s, size_t i)
{
	return i >= s.n ? (struct str){ s.p ? s.p + s.n : NULL, 0 } : (struct str){ s.p + i, s.n - i };
}

struct str str_sub(struct str s, size_t i, size_t n)
{
	return str_first(str_from(s, i), n);
}

bool str_skip(struct str *s, struct str prefix)
{
	if (!str_istarts(*s, prefix))
		return false;
	*s = str_from(*s, prefix.n);
	return true;
}

bool str_skip_char(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_from(*s, 1);
	return true;
}

bool str_take(struct str *s, char *ret_c)
{
	if (s->n == 0)
		return false;
	*ret_c = s->p[0];
	*s = str_from(*s, 1);
	return true;
}

bool str_cut(struct str s, char c, struct str *ret_before, struct str *ret_after)
{
	ptrdiff_t i = str_find(s, c);

	*ret_before = i < 0 ? s : str_first(s, (size_t)i);
	*ret_after = i < 0 ? str_from(s, s.n) : str_from(s, (size_t)i + 1);
	return i >= 0;
}

bool str_rcut(struct str s, char c, struct str *ret_before, struct str *ret_after)
{
	ptrdiff_t i = str_rfind(s, c);

	*ret_before = i < 0 ? str_first(s, 0) : str_first(s, (size_t)i);
	*ret_after = i < 0 ? s : str_from(s, (size_t)i + 1);
	return i >= 0;
}

ptrdiff_t str_find(struct str s, char c)
{
	const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;

	return hit ? hit - s.p : -1;
}

ptrdiff_t str_rfind(struct str s, char c)
{
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == c)
			return (ptrdiff_t)(i - 1);
	return -1;
}

ptrdiff_t str_search(struct str s, struct str what)
{
	const char *hit;

	if (what.n == 0)
		return 0;
	hit = s.n ? memmem(s.p, s.n, what.p, what.n) : NULL;
	return hit ? hit - s.p : -1;
}

ptrdiff_t str_isearch(struct str s, struct str what)
{
	for (size_t i = 0; i + what.n <= s.n; i++)
		if (str_ieq(str_sub(s, i, what.n), what))
			return (ptrdiff_t)i;
	return -1;
}

static struct str trim_set(struct str s, struct str set)
{
	while (s.n > 0 && str_find(set, s.p[0]) >= 0)
		s = str_from(s, 1);
	while (s.n > 0 && str_find(set, s.p[s.n - 1]) >= 0)
		s.n--;
	return s;
}

struct str str_trim(struct str s)
{
	return trim_set(s, STR(" \t"));
}

struct str str_trim_ws(struct str s)
{
	return trim_set(s, STR(" \t\r\n"));
}

struct str str_chomp(struct str s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

bool str_take_u64(struct str *s, uint64_t *ret)
{
	uint64_t v = 0;
	size_t   i = 0;

	for (; i < s->n && ascii_is_digit(s->p[i]); i++) {
		unsigned d = (unsigned)(s->p[i] - '0');
		if (v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	if (i == 0)
		return false;
	*ret = v;
	*s = str_from(*s, i);
	return true;
}

bool str_to_u64(struct str s, uint64_t *ret)
{
	uint64_t v;

	if (!str_take_u64(&s, &v) || s.n > 0)
		return false;
	*ret = v;
	return true;
}

bool str_to_u32(struct str s, uint32_t *ret)
{
	uint64_t v;

	if (!str_to_u64(s, &v) || v > UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

bool str_to_c(struct str s, char *ret, size_t cap)
{
	if (s.n >= cap || str_find(s, '\0') >= 0)
		return false;
	if (s.n)
		memcpy(ret, s.p, s.n);
	ret[s.n] = '\0';
	return true;
}

bool str_eq_secret(struct str a, struct str b)
{
	unsigned char diff = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		diff |= (unsigned char)(a.p[i] ^ b.p[i]);
	return diff == 0;
}

/* FNV-1a with a final mix (Fowler, Noll, Vo; murmur3's finaliser). Tables keyed by what
 * strangers send add a random seed of their own. */
uint64_t str_hash_keyed(struct str s, uint64_t key)
{
	uint64_t h = 0xcbf29ce484222325u ^ key;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	return h ^ (h >> 33);
}

uint64_t str_hash(struct str s)
{
	return str_hash_keyed(s, 0);
}

bool str_is_ascii(struct str s)
{
	uint64_t eight;
	size_t   i = 0;

	/* Whole messages are looked at: eight octets in a step. */
	for (; s.n - i >= sizeof(eight); i += sizeof(eight)) {
		memcpy(&eight, s.p + i, sizeof(eight));
		if (eight & 0x8080808080808080u)
			return false;
	}
	for (; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return false;
	return true;
}

bool str_has_ctl(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 32 || s.p[i] == 127)
			return true;
	return false;
}

/* Length of the well-formed sequence at the start of s, or 0 (RFC 3629 §4). */
static size_t utf8_len(struct str s)
{
	unsigned char c = (unsigned char)s.p[0];
	unsigned char lo = 0x80, hi = 0xbf;
	size_t        n = c < 0x80 ? 1 : c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe0 && c <= 0xef ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;

	if (n == 0 || n > s.n)
		return 0;
	if (c == 0xe0)
		lo = 0xa0;
	else if (c == 0xed)
		hi = 0x9f;
	else if (c == 0xf0)
		lo = 0x90;
	else if (c == 0xf4)
		hi = 0x8f;
	for (size_t i = 1; i < n; i++) {
		unsigned char d = (unsigned char)s.p[i];
		if (d < lo || d > hi)
			return 0;
		lo = 0x80;
		hi = 0xbf;
	}
	return n;
}

bool str_is_utf8(struct str s)
{
	while (s.n > 0) {
		size_t n = utf8_len(s);
		if (n == 0)
			return false;
		s = str_from(s, n);
	}
	return true;
}
