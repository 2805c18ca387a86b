/* wire/text/text_qp.c - see text_qp.h. */
#include "wire/text/text_qp.h"

#include <string.h>

#include "wire/text/text_base64.h"

#define LINE_MAX_CHARS ((size_t)76)

/* One line without its line end; true if it ends in a soft line break. */
static bool line_decode(struct str line, struct buf *out)
{
	char *p = buf_room(out, line.n), *start = p;

	if (!p)
		return false;
	while (line.n > 0) {
		const char *eq = memchr(line.p, '=', line.n);
		size_t      n = eq ? (size_t)(eq - line.p) : line.n;
		int         high, low;

		memcpy(p, line.p, n);
		p += n;
		line = str_from(line, n);
		if (line.n == 0)
			break;
		high = line.n > 2 ? text_hex_digit(line.p[1]) : -1;
		low = line.n > 2 ? text_hex_digit(line.p[2]) : -1;
		if (high >= 0 && low >= 0) {
			*p++ = (char)(high << 4 | low);
			line = str_from(line, 3);
		} else if (line.n == 1) {
			buf_commit(out, (size_t)(p - start));
			return true;
		} else {
			*p++ = '=';
			line = str_from(line, 1);
		}
	}
	buf_commit(out, (size_t)(p - start));
	return false;
}

void text_qp_decode(struct str in, struct buf *out)
{
	while (in.n > 0 && !out->over) {
		ptrdiff_t  lf = str_find(in, '\n');
		size_t     n = lf < 0 ? in.n : (size_t)lf + 1;
		struct str whole = str_first(in, n), line = str_chomp(whole);
		struct str end = str_from(whole, line.n);

		while (line.n > 0 && ascii_is_wsp(line.p[line.n - 1]))
			line.n--;
		if (!line_decode(line, out))
			buf_add(out, end);
		in = str_from(in, n);
	}
}

/* May stand for itself: printable ASCII but "="; blanks only inside a line. */
static bool plain(struct str in, size_t i, bool line_start)
{
	char c = in.p[i];

	if (ascii_is_wsp(c)) {
		struct str next = str_from(in, i + 1);

		return next.n > 0 && !str_starts(next, STR("\r\n"));
	}
	if (line_start && (c == '.' || c == 'F'))
		return false; /* "." alone and "From " are rewritten by others on the way */
	return c > 32 && c < 127 && c != '=';
}

void text_qp_encode(struct str in, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t            column = 0;

	for (size_t i = 0; i < in.n && !out->over; i++) {
		unsigned char c = (unsigned char)in.p[i];
		bool          as_is;

		if (c == '\r' && i + 1 < in.n && in.p[i + 1] == '\n') {
			buf_add(out, STR("\r\n"));
			column = 0;
			i++;
			continue;
		}
		as_is = plain(in, i, column == 0);
		if (column + (as_is ? 1 : 3) > LINE_MAX_CHARS - 1) { /* room for the soft break's "=" */
			buf_add(out, STR("=\r\n"));
			column = 0;
			as_is = plain(in, i, true);
		}
		if (as_is) {
			buf_add_char(out, (char)c);
			column++;
		} else {
			char code[3] = { '=', digits[c >> 4], digits[c & 15] };

			buf_add(out, str_n(code, sizeof(code)));
			column += 3;
		}
	}
}
