/* sys/random.c - see random.h. */
#include "sys/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/base.h"

void random_octets(void *p, size_t n)
{
	size_t at = 0;

	while (at < n) {
		ssize_t got = getrandom((char *)p + at, n - at, 0);
		CHECK(got > 0 || errno == EINTR);
		at += got > 0 ? (size_t)got : 0;
	}
}

uint64_t random_u64(void)
{
	uint64_t v;

	random_octets(&v, sizeof(v));
	return v;
}

uint64_t random_below(uint64_t limit)
{
	uint64_t v, bias = (0 - limit) % limit; /* values below this would be too frequent */

	CHECK(limit > 0);
	do
		v = random_u64();
	while (v < bias);
	return v % limit;
}
