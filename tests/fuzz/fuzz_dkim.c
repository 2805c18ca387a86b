/* Whatever the message and however it is split, its canonical form is the same, and is canonical. */
#include "wire/dkim/dkim_canon.h"
#include "wire/dkim/dkim_field.h"
#include "wire/dkim/dkim_select.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void collect(void *ctx, struct str octets)
{
	CHECK(buf_add(ctx, octets));
}

static void body(enum dkim_canon canon, struct str in, size_t cut, struct buf *out)
{
	struct dkim_body b;

	buf_init(out, in.n + 2);
	dkim_body_init(&b, canon, collect, out);
	dkim_body_add(&b, str_first(in, cut));
	dkim_body_add(&b, str_from(in, cut));
	dkim_body_end(&b);
}

static void check_body(enum dkim_canon canon, struct str in, size_t cut)
{
	struct buf whole, split, again;

	body(canon, in, 0, &whole);
	body(canon, in, cut, &split);
	CHECK(str_eq(buf_str(&whole), buf_str(&split)));
	body(canon, buf_str(&whole), 0, &again);
	CHECK(str_eq(buf_str(&whole), buf_str(&again)));
	CHECK(whole.n == 0 || (whole.n >= 2 && str_eq(str_from(buf_str(&whole), whole.n - 2), STR("\r\n"))));
	CHECK(canon == DKIM_SIMPLE || str_search(buf_str(&whole), STR(" \r\n")) < 0);
	buf_done(&whole);
	buf_done(&split);
	buf_done(&again);
}

static void check_header(struct str header)
{
	struct arena *a = arena_new(NULL);
	struct buf    names, input, out;

	buf_init(&names, LIMIT_DKIM_NAMES);
	buf_init(&input, header.n + 2 * DKIM_NAMES_MAX);
	dkim_select(header, DKIM_RELAXED, a, &names, &input);
	CHECK(!names.over && !input.over && names.n > 0);
	buf_init(&out, LIMIT_PREFIX);
	dkim_field_print(&(struct dkim_field){ .domain = STR("d"), .selector = STR("s"), .names = buf_str(&names) }, &out);
	CHECK(!out.over);
	buf_done(&out);
	buf_done(&names);
	buf_done(&input);
	arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n(data, size);
	size_t     cut = size > 0 ? data[0] % (size + 1) : 0;

	check_body(DKIM_SIMPLE, in, cut);
	check_body(DKIM_RELAXED, in, cut);
	check_header(in);
	return 0;
}
