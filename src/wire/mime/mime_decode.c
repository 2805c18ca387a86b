/* wire/mime/mime_decode.c - bodies and header text, decoded; see mime.h. */
#include "wire/mime/mime.h"

#include "base/limits.h"
#include "wire/text/text_base64.h"
#include "wire/text/text_charset.h"
#include "wire/text/text_qp.h"
#include "wire/text/text_word.h"

bool mime_decode_body(struct str body, struct str encoding, struct buf *out)
{
	if (str_ieq(encoding, STR("BASE64"))) {
		text_base64_decode_lenient(body, out);
		return true;
	}
	if (str_ieq(encoding, STR("QUOTED-PRINTABLE"))) {
		text_qp_decode(body, out);
		return true;
	}
	buf_add(out, body);
	return str_ieq(encoding, STR("7BIT")) || str_ieq(encoding, STR("8BIT")) || str_ieq(encoding, STR("BINARY"));
}

struct str mime_decode_words(struct arena *a, struct str value)
{
	struct buf utf8;
	struct str s;

	if (str_is_ascii(value) && str_search(value, STR("=?")) < 0)
		return value;
	buf_init(&utf8, LIMIT_HEADER_BLOCK * 3); /* an octet gives at most three, U+FFFD */
	text_words_decode(str_first(value, LIMIT_HEADER_BLOCK), &utf8);
	s = arena_dup(a, buf_str(&utf8));
	buf_done(&utf8);
	return s;
}
