/* The setting guard.dnsbl: whatever is taken gives names that fit a question, and the same again however it is split into a block. The
 * input is the setting, NUL, answers separated by spaces. */
#include <string.h>

#include "guard/guard_dnsbl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str           text, answers, at = STR_NONE, one;
	struct guard_zones   z;
	struct guard_listing l = { 0 };
	struct guard_ip      v4, v6;

	str_cut(str_n(data, size), 0, &text, &answers);
	if (!guard_zones_parse(text, &z, &at)) {
		CHECK(at.n == 0 || (at.p >= text.p && at.p + at.n <= text.p + text.n));
		return 0;
	}
	while (answers.n > 0) {
		str_cut(answers, ' ', &one, &answers);
		guard_listing_add(&l, one);
	}
	CHECK(z.count <= LIMIT_GUARD_ZONES && l.count <= LIMIT_GUARD_ANSWERS);
	CHECK(guard_ip_parse(STR("192.0.2.1"), &v4) && guard_ip_parse(STR("2001:db8::1"), &v6));
	for (unsigned i = 0; i < z.count; i++) {
		struct buf b;

		CHECK(z.item[i].weight != 0 && z.item[i].weight >= -100 && z.item[i].weight <= 100);
		CHECK(strlen(z.item[i].name) <= GUARD_ZONE_NAME);
		CHECK(l.count > 0 || !guard_zone_match(&z.item[i], &l));
		(void)guard_zone_match(&z.item[i], &l);
		buf_init(&b, 253);
		guard_zone_question(&z.item[i], &v4, &b);
		buf_clear(&b);
		guard_zone_question(&z.item[i], &v6, &b);
		CHECK(!b.over && str_iends(buf_str(&b), str_of(z.item[i].name)));
		buf_done(&b);
	}
	return 0;
}
