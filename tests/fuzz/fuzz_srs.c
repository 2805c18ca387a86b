/* directory/srs.h: any address goes out and comes back, and no address that was not made here does. */
#include "directory/srs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[SRS_KEY] = "a key for the fuzzer";
	struct address_canon c, out, back, again;

	if (address_canon_of(str_n(data, size), false, &c) != ADDRESS_OK)
		return 0;
	/* 30 bits: an input that hits them by chance would say so here. */
	CHECK(srs_reverse(key, &c, 0, SRS_DAYS, &back) != SRS_OK);
	if (!srs_forward(key, &c, STR("forward.test"), 0, &out))
		return 0;
	CHECK(address_canon_of(address_text(&out), false, &again) == ADDRESS_OK && str_eq(address_text(&again), address_text(&out)));
	CHECK(srs_is(&out));
	if (srs_reverse(key, &out, 0, SRS_DAYS, &back) == SRS_OK && str_istarts(address_text(&out), STR("SRS0")))
		CHECK(str_eq(address_text(&back), address_text(&c)));
	return 0;
}
