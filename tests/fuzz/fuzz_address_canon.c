/* wire/address/: whatever parses has one canonical form, which parses to itself. */
#include "wire/address/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_base(const struct address_canon *c)
{
	struct address_canon base, again;

	if (!address_base(c, STR("+-="), &base))
		return;
	CHECK(base.n < c->n + 2); /* it may have gained quotes */
	CHECK(address_canon_of(address_text(&base), false, &again) == ADDRESS_OK);
	CHECK(str_eq(address_text(&base), address_text(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str           s = str_n(data, size);
	struct address       a, ascii;
	struct address_canon c, again;

	if (address_parse(s, true, &a) != ADDRESS_OK) {
		CHECK(address_parse(s, false, &ascii) != ADDRESS_OK);
	} else {
		CHECK(a.local.n + 1 + a.domain.n == s.n);
		CHECK((address_parse(s, false, &ascii) == ADDRESS_OK) == !a.utf8);
		for (int fold = 0; fold < 2; fold++) {
			if (address_canon(&a, fold, &c) != ADDRESS_OK)
				continue;
			CHECK(address_local(&c).n + 1 + address_domain_of(&c).n == c.n);
			CHECK(address_canon_of(address_text(&c), fold, &again) == ADDRESS_OK);
			CHECK(str_eq(address_text(&c), address_text(&again)));
			check_base(&c);
		}
	}
	if (address_domain(s, &c) == ADDRESS_OK) {
		CHECK(address_domain_is_ascii(address_text(&c)));
		CHECK(address_domain(address_text(&c), &again) == ADDRESS_OK);
		CHECK(str_eq(address_text(&c), address_text(&again)));
	}
	return 0;
}
