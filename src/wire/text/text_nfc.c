/* wire/text/text_nfc.c - contract is in text_nfc.h. */
#include "wire/text/text_nfc.h"

#include <uninorm.h>

#define GROWTH 3u /* at most: UAX #15, table of expansion factors, form C of UTF-8 */

struct str text_nfc(struct str s, struct arena *a)
{
	const uint8_t *in = (const uint8_t *)s.p;
	uint8_t       *room, *out;
	size_t         n;

	if (str_is_ascii(s))
		return s;
	n = GROWTH * s.n;
	room = arena_alloc(a, n);
	out = u8_normalize(UNINORM_NFC, in, s.n, room, &n);
	CHECK(out == room); /* it fits, and the text is UTF-8 */
	return str_n(out, n);
}
