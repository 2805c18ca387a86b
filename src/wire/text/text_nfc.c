/* wire/text/text_nfc.c - contract is in text_nfc.h. */
#include "wire/text/text_nfc.h"

#include <stdlib.h>
#include <uninorm.h>

struct str text_nfc(struct str s, struct arena *a)
{
	const uint8_t *in = (const uint8_t *)s.p;
	uint8_t       *out;
	size_t         n = 0;
	struct str     ret;

	if (str_is_ascii(s))
		return s;
	out = u8_normalize(UNINORM_NFC, in, s.n, NULL, &n);
	CHECK(out != NULL); /* the text is UTF-8: no memory */
	ret = arena_dup(a, str_n(out, n));
	free(out);
	return ret;
}
