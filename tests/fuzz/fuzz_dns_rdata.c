/* dns/dns_answer.h: octet 0 chooses the type, the rest is record data, and then a name. */
#include "dns/dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = { DNS_A, DNS_CNAME, DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA, DNS_TLSA, DNS_SRV };
	struct arena              *a = arena_new(NULL);
	struct str                 in, name, again;
	struct dns_lookup_reply    reply;
	struct dns_record          r;

	if (size > 0) {
		enum dns_type type = types[data[0] % LEN(types)];

		in = str_n(data + 1, size - 1);
		if (dns_rdata_decode(type, in, a, &r)) {
			CHECK(r.data.n <= LIMIT_DNS_DATA);
			if ((type == DNS_MX || type == DNS_PTR) && r.data.n > 0)
				CHECK(dns_name_check(r.data, &name) && str_eq(name, r.data));
		}
		if (dns_name_check(in, &name)) {
			CHECK(dns_name_check(name, &again) && str_eq(name, again));
			(void)dns_local(name, type, a, &reply);
		}
	}
	arena_free(&a);
	return 0;
}
