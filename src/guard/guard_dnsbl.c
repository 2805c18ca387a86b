/* guard/guard_dnsbl.c - the grammar is in guard_dnsbl.h. */
#include "guard/guard_dnsbl.h"

#include <string.h>

#define WEIGHT_MAX 100u

/* ---- the setting ---- */

static bool number(struct str *s, uint32_t most, uint32_t *ret)
{
	uint64_t v;

	if (s->n == 0 || !ascii_is_digit(s->p[0]) || !str_take_u64(s, &v) || v > most)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static bool range(struct str *s, uint64_t bits[4])
{
	uint32_t from, to;

	if (!number(s, 255, &from))
		return false;
	to = from;
	if (str_skip_char(s, '-') && !number(s, 255, &to))
		return false;
	for (uint32_t i = from; i <= to; i++)
		bits[i / 64] |= 1ull << i % 64;
	return from <= to;
}

static bool field(struct str *s, uint64_t bits[4])
{
	uint32_t one;

	if (!str_skip_char(s, '[')) {
		if (!number(s, 255, &one))
			return false;
		bits[one / 64] |= 1ull << one % 64;
		return true;
	}
	do {
		if (!range(s, bits))
			return false;
	} while (str_skip_char(s, ';'));
	return str_skip_char(s, ']');
}

static bool pattern_parse(struct str *s, struct guard_zone *z)
{
	z->pattern = true;
	for (size_t i = 0; i < 4; i++)
		if ((i > 0 && !str_skip_char(s, '.')) || !field(s, z->fields[i]))
			return false;
	return true;
}

static bool weight_parse(struct str s, struct guard_zone *z)
{
	bool     minus = str_skip_char(&s, '-');
	uint32_t v;

	if (!number(&s, WEIGHT_MAX, &v) || v == 0 || s.n > 0)
		return false;
	z->weight = minus ? -(int)v : (int)v;
	return true;
}

/* Labels of letters, digits, "-" and "_", two or more; the last is no number. */
static bool name_parse(struct str s, struct guard_zone *z)
{
	size_t label = 0;
	bool   dot = false, letter = false;

	if (s.n == 0 || s.n > GUARD_ZONE_NAME)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '.') {
			if (label == 0 || i + 1 == s.n)
				return false;
			dot = true;
			letter = false;
			label = 0;
		} else if (!(ascii_is_alnum(c) || c == '-' || c == '_') || ++label > 63) {
			return false;
		}
		letter |= c != '.' && !ascii_is_digit(c);
		z->name[i] = ascii_lower(c);
	}
	z->name[s.n] = '\0';
	return dot && letter;
}

static bool item_parse(struct str s, struct guard_zone *z)
{
	struct str name, value;
	bool       given = str_cut(s, '=', &name, &value);

	*z = (struct guard_zone){ .weight = 1 };
	value = str_trim(value);
	if (!name_parse(str_trim(name), z))
		return false;
	if (!given)
		return true;
	if (str_find(value, '.') < 0)
		return weight_parse(value, z);
	if (!pattern_parse(&value, z))
		return false;
	return value.n == 0 || (str_skip_char(&value, '*') && weight_parse(value, z));
}

bool guard_zones_parse(struct str text, struct guard_zones *ret, struct str *ret_at)
{
	*ret = (struct guard_zones){ 0 };
	text = str_trim(text);
	while (text.n > 0) {
		struct guard_zone *z = &ret->item[ret->count];

		str_cut(text, ',', ret_at, &text);
		*ret_at = str_trim(*ret_at);
		if (ret->count == LEN(ret->item) || !item_parse(*ret_at, z))
			return false;
		for (unsigned i = 0; i < ret->count; i++)
			z->again |= strcmp(ret->item[i].name, z->name) == 0;
		ret->count++;
	}
	return true;
}

/* ---- questions and answers ---- */

void guard_zone_question(const struct guard_zone *z, const struct guard_ip *ip, struct buf *out)
{
	static const char digits[] = "0123456789abcdef";

	if (ip->v4)
		buf_addf(out, "%u.%u.%u.%u.", ip->octets[15], ip->octets[14], ip->octets[13], ip->octets[12]);
	for (size_t i = 16; !ip->v4 && i-- > 0;) { /* RFC 5782 §2.4 */
		char nibbles[4] = { digits[ip->octets[i] & 15], '.', digits[ip->octets[i] >> 4], '.' };

		buf_add(out, str_n(nibbles, sizeof(nibbles)));
	}
	buf_add(out, str_of(z->name));
}

void guard_listing_add(struct guard_listing *l, struct str answer)
{
	struct guard_ip ip;
	uint32_t        v;

	if (l->count == LEN(l->answers) || !guard_ip_parse(answer, &ip) || !ip.v4)
		return;
	v = (uint32_t)ip.octets[12] << 24 | (uint32_t)ip.octets[13] << 16 | (uint32_t)ip.octets[14] << 8 | ip.octets[15];
	if (v >> 24 == 127 && v >> 8 != 0x7fffff)
		l->answers[l->count++] = v;
}

static bool answer_match(const struct guard_zone *z, uint32_t answer)
{
	for (size_t i = 0; i < 4; i++) {
		unsigned octet = answer >> (24 - 8 * i) & 255;

		if (!(z->fields[i][octet / 64] >> octet % 64 & 1))
			return false;
	}
	return true;
}

bool guard_zone_match(const struct guard_zone *z, const struct guard_listing *l)
{
	for (unsigned i = 0; i < l->count; i++)
		if (!z->pattern || answer_match(z, l->answers[i]))
			return true;
	return false;
}
