/* tests/fuzz/fuzz_proxy.c - the PROXY header, which comes before anything is known of a peer, and lists of networks. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/address/cidr.h"
#include "wire/proxy/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Octet by octet it ends where it ends as a whole. */
static void check_proxy(struct str in)
{
	struct proxy      p, q;
	size_t            n = 0, m = 0;
	enum proxy_result r = proxy_parse(in, &p, &n), prefix = PROXY_MORE;

	for (size_t i = 0; i <= in.n && prefix == PROXY_MORE; i++)
		prefix = proxy_parse(str_first(in, i), &q, &m);
	CHECK(r == prefix);
	CHECK(r != PROXY_DONE || (n == m && n <= in.n && n <= 16 + LIMIT_PROXY_BLOCK && p.local == q.local));
}

static void check_cidr(struct str in)
{
	struct arena    *a = arena_new(NULL);
	struct cidr_list list;
	struct str       bad;

	if (cidr_list_parse(in, a, &list, &bad))
		for (size_t i = 0; i < list.count; i++)
			CHECK(list.items[i].bits <= 128);
	else
		CHECK(bad.p >= in.p && bad.p + bad.n <= in.p + in.n);
	arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy;

	if (size == 0 || size > 4096)
		return 0;
	copy = malloc(size); /* exact, so that every read past the end is seen */
	memcpy(copy, data, size);
	check_proxy(str_n(copy, size));
	check_cidr(str_n(copy, size));
	free(copy);
	return 0;
}
