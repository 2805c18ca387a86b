/* trust/trust_dane.h: records, each behind an octet with its length; read, read in the other order, printed. */
#include <string.h>

#include "trust/trust_dane.h"

#define RECORDS 20u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str        in = str_n(data, size);
	struct dns_record records[RECORDS] = { 0 }, turned[RECORDS] = { 0 };
	size_t            count = 0;
	struct arena     *a = arena_new(NULL);
	struct trust_dane d, e;
	struct buf        out;
	char              n;

	while (count < RECORDS && str_take(&in, &n)) {
		records[count].data = arena_dup(a, str_first(in, (uint8_t)n));
		in = str_from(in, records[count++].data.n);
	}
	for (size_t i = 0; i < count; i++)
		turned[i] = records[count - 1 - i];
	trust_dane_read(records, count, a, &d);
	trust_dane_read(turned, count, a, &e);
	CHECK(d.count <= count && d.count == e.count);
	for (size_t i = 0; i < d.count; i++)
		CHECK(d.items[i].usage == e.items[i].usage && d.items[i].selector == e.items[i].selector &&
		      d.items[i].matching == e.items[i].matching && str_eq(d.items[i].data, e.items[i].data) && d.items[i].data.n > 0);
	buf_init(&out, 4096);
	(void)trust_dane_print(records, count, &out);
	buf_done(&out);
	arena_free(&a);
	return 0;
}
