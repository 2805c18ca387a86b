/* wire/address/nexthop.h: what is taken prints back as itself. */
#include <stdio.h>

#include "base/buf.h"
#include "wire/address/nexthop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str     list = str_n(data, size), bad;
	bool           valid = nexthops_valid(list);
	struct nexthop n, again;
	size_t         count = 0;
	struct buf     out;

	buf_init(&out, 64 * KIB);
	while (nexthop_take(&list, &n, &bad)) {
		count++;
		CHECK(n.host.n > 0 && n.port <= UINT16_MAX && (n.port > 0 || n.mx) && !(n.lmtp && n.smtps) && !(n.mx && n.address));
		buf_clear(&out);
		buf_addf(&out, "%s%s%.*s%s", n.mx ? "mx:" : n.lmtp ? "lmtp:" : n.smtps ? "smtps:" : "", n.mx ? "" : "[", STR_FMT(n.host), n.mx ? "" : "]");
		if (n.port > 0)
			buf_addf(&out, ":%u", n.port);
		CHECK(nexthop_parse(buf_str(&out), &again) && str_eq(again.host, n.host) && again.port == n.port && again.mx == n.mx &&
		      again.lmtp == n.lmtp && again.smtps == n.smtps && again.address == n.address);
	}
	CHECK(valid == (bad.n == 0 && count > 0 && count <= LIMIT_NEXTHOPS));
	buf_done(&out);
	return 0;
}
