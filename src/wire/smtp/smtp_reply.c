/* wire/smtp/smtp_reply.c - grammar and contract are in smtp_reply.h. */
#include "wire/smtp/smtp_reply.h"

#include <string.h>

bool smtp_enhanced_valid(struct str s, unsigned code)
{
	struct str class, subject, detail;
	uint32_t   n;

	if (!str_cut(s, '.', &class, &s) || !str_cut(s, '.', &subject, &detail))
		return false;
	if (class.n != 1 || (unsigned)(class.p[0] - '0') != code / 100 || code / 100 == 3)
		return false;
	return subject.n <= 3 && detail.n <= 3 && str_to_u32(subject, &n) && str_to_u32(detail, &n);
}

static size_t put(char *out, size_t n, struct str s)
{
	s = str_first(s, SMTP_REPLY_LINE - 2 - n); /* CRLF fits always */
	for (size_t i = 0; i < s.n; i++)
		out[n + i] = s.p[i] >= 32 && s.p[i] < 127 ? s.p[i] : '?';
	return n + s.n;
}

struct str smtp_reply_line(char *out, unsigned code, const char *enhanced, struct str text, bool last)
{
	size_t n = 4;

	CHECK(code >= 200 && code <= 599);
	out[0] = (char)('0' + code / 100);
	out[1] = (char)('0' + code / 10 % 10);
	out[2] = (char)('0' + code % 10);
	out[3] = last ? ' ' : '-';
	if (enhanced) {
		n = put(out, n, str_of(enhanced));
		n = put(out, n, STR(" "));
	}
	n = put(out, n, text);
	memcpy(out + n, "\r\n", 2);
	return (struct str){ out, n + 2 };
}
