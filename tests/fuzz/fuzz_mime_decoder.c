/* Bodies in pieces give what they give whole; NULs are encoded so that they come back; previews are short UTF-8. */
#include "base/limits.h"
#include "wire/mime/mime.h"
#include "wire/mime/mime_decoder.h"
#include "wire/mime/mime_encode.h"
#include "wire/mime/mime_preview.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void pieces(struct str in, struct str encoding, size_t step)
{
	struct mime_decoder d;
	struct buf          whole, parts;

	if (in.n >= LIMIT_IMAP_BINARY_LINE)
		return;
	buf_init(&whole, in.n * 2 + 16);
	buf_init(&parts, in.n * 2 + 16);
	CHECK(mime_decode_body(in, encoding, &whole));
	CHECK(mime_decoder_init(&d, encoding));
	for (size_t at = 0; at < in.n; at += step)
		mime_decoder_feed(&d, str_sub(in, at, step), &parts);
	mime_decoder_end(&d, &parts);
	mime_decoder_done(&d);
	CHECK(!whole.over && !parts.over && str_eq(buf_str(&whole), buf_str(&parts)));
	buf_done(&whole);
	buf_done(&parts);
}

static bool no_nul(void *ctx, struct str s)
{
	(void)ctx;
	CHECK(str_find(s, 0) < 0);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct mime_sink sink = { no_nul, NULL };
	struct arena          *a = arena_new(NULL);
	struct str             in = str_n(data, size);
	struct buf             text;

	pieces(in, STR("BASE64"), 1 + size % 7);
	pieces(in, STR("QUOTED-PRINTABLE"), 1 + size % 7);
	(void)!mime_encode_nul(in, a, &sink);
	buf_init(&text, MIME_PREVIEW_OCTETS);
	mime_preview(in, a, &text);
	CHECK(!text.over && str_is_utf8(buf_str(&text)) && !str_has_ctl(buf_str(&text)));
	buf_done(&text);
	arena_free(&a);
	return 0;
}
