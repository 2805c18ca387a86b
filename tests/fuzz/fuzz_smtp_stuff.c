/* Whatever the content and however it is split, what DATA carries has CRLF only, and one end. */
#include "wire/smtp/smtp_stuff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_wire(struct str wire)
{
	CHECK(wire.n >= 3 && str_eq(str_from(wire, wire.n - 3), STR(".\r\n")));
	for (size_t i = 0; i < wire.n; i++) {
		CHECK(wire.p[i] != '\0');
		CHECK(wire.p[i] != '\n' || (i > 0 && wire.p[i - 1] == '\r'));
		CHECK(wire.p[i] != '\r' || (i + 1 < wire.n && wire.p[i + 1] == '\n'));
	}
	CHECK(wire.n == 3 || str_search(wire, STR("\r\n.\r\n")) == (ptrdiff_t)(wire.n - 5));
	CHECK(wire.n == 3 || !str_starts(wire, STR(".\r\n")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_stuff s = { 0 };
	struct str        in = str_n(data, size);
	struct buf        out;
	size_t            cut = size > 0 ? data[0] % (size + 1) : 0;

	buf_init(&out, size * 2 + 8);
	CHECK(smtp_stuff_add(&s, &out, str_first(in, cut)));
	CHECK(smtp_stuff_add(&s, &out, str_from(in, cut)));
	CHECK(smtp_stuff_end(&s, &out));
	check_wire(buf_str(&out));
	buf_done(&out);
	return 0;
}
