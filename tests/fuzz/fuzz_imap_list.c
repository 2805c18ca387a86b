/* Mailbox names and patterns: decode(x) encodes back to x, and matching stays within its text. The input is a pattern,
 * NUL, a name. */
#include "wire/imap/imap_mutf7.h"
#include "wire/imap/imap_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str          pattern, wire, name;
	struct arena       *a = arena_new(NULL);
	struct imap_pattern p;
	struct buf          utf8, back;

	str_cut(str_n(data, size), 0, &pattern, &wire);
	buf_init(&utf8, 100 * KIB);
	buf_init(&back, 400 * KIB);
	if (wire.n < 10000 && imap_mutf7_decode(wire, &utf8)) {
		CHECK(str_is_utf8(buf_str(&utf8)));
		CHECK(imap_mutf7_encode(buf_str(&utf8), &back) && str_eq(buf_str(&back), wire));
	}
	if (imap_name_parse(wire, false, a, &name) == IMAP_NAME_OK) {
		CHECK(name.n > 0 && name.n <= LIMIT_MAILBOX_NAME);
		if (imap_pattern_parse(STR(""), pattern, false, a, &p))
			(void)imap_pattern_match(&p, name);
		CHECK(imap_pattern_parse(STR(""), STR("*"), false, a, &p) && imap_pattern_match(&p, name));
	}
	buf_done(&utf8);
	buf_done(&back);
	arena_free(&a);
	return 0;
}
