/* MTA-STS: a hostile TXT record and a hostile policy file. */
#include "wire/sts/sts_policy.h"
#include "wire/sts/sts_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_policy(struct str in)
{
	struct sts_policy p, again;
	struct str        rest = in, mx;
	size_t            count = 0;
	struct buf        b;

	if (sts_policy_parse(in, &p) != STS_POLICY_OK)
		return;
	CHECK(p.max_age_s <= STS_MAX_AGE_MAX && p.mx_count <= STS_MX_MAX && (p.mx_count > 0 || p.mode == STS_NONE));
	while (sts_policy_mx(&rest, &mx))
		CHECK(++count <= p.mx_count && mx.n > 0 && !str_has_ctl(mx));
	CHECK(count == p.mx_count);
	buf_init(&b, STS_PRINTED_MAX);
	sts_policy_print(in, &b);
	CHECK(!b.over && sts_policy_parse(buf_str(&b), &again) == STS_POLICY_OK);
	CHECK(again.mode == p.mode && again.max_age_s == p.max_age_s && again.mx_count == p.mx_count);
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size), id;

	if (sts_record_parse(in, &id))
		CHECK(sts_record_is(in) && id.n > 0 && id.n <= STS_ID_MAX && str_is_ascii(id));
	check_policy(in);
	return 0;
}
