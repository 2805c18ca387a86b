/* Whatever the content and however it is split, what goes out is canonical; done twice it changes nothing; and the look without writing agrees. */
#include "wire/smtp/smtp_fold.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fold(struct buf *out, struct str in, size_t cut)
{
	struct smtp_fold f = { 0 };

	buf_init(out, in.n * 2 + 4000);
	CHECK(smtp_fold_add(&f, out, str_first(in, cut)));
	CHECK(smtp_fold_add(&f, out, str_from(in, cut)));
	CHECK(smtp_fold_end(&f, out));
}

static bool changes(struct str in, size_t cut)
{
	struct smtp_scan s = { 0 };

	smtp_scan_add(&s, str_first(in, cut));
	smtp_scan_add(&s, str_from(in, cut));
	smtp_scan_end(&s);
	return s.changes;
}

static void check_wire(struct str wire)
{
	size_t n = 0;

	for (size_t i = 0; i < wire.n; i++, n++) {
		CHECK(wire.p[i] != '\0' && n <= SMTP_LINE_TEXT + 1);
		CHECK(wire.p[i] != '\r' || (i + 1 < wire.n && wire.p[i + 1] == '\n'));
		if (wire.p[i] != '\n')
			continue;
		CHECK(i > 0 && wire.p[i - 1] == '\r');
		n = (size_t)-1;
	}
	CHECK(n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size);
	size_t     cut = size > 0 ? data[0] % (size + 1) : 0;
	struct buf out, whole, again;

	fold(&out, in, cut);
	fold(&whole, in, size);
	CHECK(str_eq(buf_str(&out), buf_str(&whole)));
	check_wire(buf_str(&out));
	CHECK(changes(in, cut) == !str_eq(in, buf_str(&out)));
	fold(&again, buf_str(&out), 0);
	CHECK(str_eq(buf_str(&again), buf_str(&out)));
	buf_done(&out);
	buf_done(&whole);
	buf_done(&again);
	return 0;
}
