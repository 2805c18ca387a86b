/* Any octets as a header: the scan agrees with the walk, what is dropped is gone and nothing else, and completing leaves nothing missing. */
#include <stdint.h>

#include "base/limits.h"
#include "wire/mime/mime_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const unsigned     mask = 1u << MIME_HEADER_BCC | 1u << MIME_HEADER_RESENT_BCC | 1u << MIME_HEADER_AUTH_RESULTS;
	struct arena      *a = arena_new(NULL);
	struct mime_header h, after;
	struct buf         b, added;
	size_t             gone;

	buf_init(&b, size + 64 * KIB);
	buf_init(&added, 8 * KIB);
	buf_add(&b, str_n(data, size));
	mime_header_scan(buf_str(&b), &h);
	CHECK(h.end <= size);
	(void)mime_header_from(&h, true, a);
	if (mime_header_from(&h, false, a) == MIME_FROM_OK)
		CHECK(h.count[MIME_HEADER_FROM] == 1 && mime_header_from(&h, true, a) == MIME_FROM_OK);
	mime_header_complete(&h, &(struct mime_header_fill){ .unique = STR("u"), .host = STR("h"), .author = STR("a@b") }, &added);
	gone = mime_header_drop(&b, 0, mask, STR("mx.example"));
	CHECK(b.n + gone == size);
	mime_header_scan(buf_str(&b), &after);
	CHECK(h.leading_blank || (after.end == h.end - gone && after.count[MIME_HEADER_BCC] == 0));
	CHECK(h.leading_blank || after.count[MIME_HEADER_FROM] == h.count[MIME_HEADER_FROM]);
	if (!h.leading_blank && (after.end == 0 || b.p[after.end - 1] == '\n')) {
		CHECK(buf_insert(&b, after.end, buf_str(&added)));
		mime_header_scan(buf_str(&b), &after);
		CHECK(after.count[MIME_HEADER_DATE] && after.count[MIME_HEADER_MESSAGE_ID] && after.count[MIME_HEADER_FROM]);
	}
	buf_done(&added);
	buf_done(&b);
	arena_free(&a);
	return 0;
}
