/* wire/mime/mime_print.c - see mime_print.h. */
#include "wire/mime/mime_print.h"

#include "wire/text/text_charset.h"
#include "wire/text/text_word.h"

static void quoted(struct str s, struct buf *out)
{
	char  *p = s.n > SIZE_MAX / 4 ? NULL : buf_room(out, s.n * 2 + 2);
	size_t n = 0;

	if (!p) {
		out->over = true;
		return;
	}
	p[n++] = '"';
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '"' || c == '\\')
			p[n++] = '\\';
		p[n++] = c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
	}
	p[n++] = '"';
	buf_commit(out, n);
}

void mime_print_string(struct str s, bool utf8, struct buf *out)
{
	struct buf fixed;

	if (str_is_ascii(s) || (utf8 && str_is_utf8(s))) {
		quoted(s, out);
		return;
	}
	buf_init(&fixed, out->max);
	if (utf8)
		text_guess_utf8(s, &fixed);
	else
		text_words_encode(s, &fixed);
	out->over = out->over || fixed.over;
	quoted(buf_str(&fixed), out);
	buf_done(&fixed);
}

void mime_print_nstring(struct str s, bool utf8, struct buf *out)
{
	if (s.p)
		mime_print_string(s, utf8, out);
	else
		buf_add(out, STR("NIL"));
}
