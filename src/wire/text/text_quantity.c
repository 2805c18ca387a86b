/* wire/text/text_quantity.c - grammar and contract are in text_quantity.h. */
#include "wire/text/text_quantity.h"

struct unit {
	char     letter;
	uint64_t times;
};

static bool quantity_parse(struct str text, const struct unit units[static 4], uint64_t *ret)
{
	uint64_t v;

	if (!str_take_u64(&text, &v) || text.n > 1)
		return false;
	if (text.n == 0) {
		*ret = v;
		return true;
	}
	for (size_t i = 0; i < 4; i++)
		if (units[i].letter == ascii_lower(text.p[0])) {
			if (__builtin_mul_overflow(v, units[i].times, &v))
				return false;
			*ret = v;
			return true;
		}
	return false;
}

bool text_size_parse(struct str text, uint64_t *ret_octets)
{
	static const struct unit units[] = { { 'k', KIB }, { 'm', MIB }, { 'g', GIB }, { 't', GIB * 1024 } };

	return quantity_parse(text, units, ret_octets);
}

bool text_seconds_parse(struct str text, uint64_t *ret_s)
{
	static const struct unit units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };

	return quantity_parse(text, units, ret_s);
}
