/* wire/smtp/smtp_answer.c - grammar and contract are in smtp_answer.h. */
#include "wire/smtp/smtp_answer.h"

#include <string.h>

/* 1*3DIGIT */
static bool digits_take(struct str *s)
{
	size_t n = 0;

	while (n < s->n && n < 3 && ascii_is_digit(s->p[n]))
		n++;
	*s = str_from(*s, n);
	return n > 0;
}

bool smtp_enhanced_take(struct str *s, char reply_class, struct str *ret_code)
{
	struct str in = *s, code;

	if (!str_skip_char(&in, reply_class) || !str_skip_char(&in, '.') || !digits_take(&in) ||
	    !str_skip_char(&in, '.') || !digits_take(&in))
		return false;
	if (in.n > 0 && !ascii_is_wsp(in.p[0]))
		return false;
	code = str_first(*s, s->n - in.n);
	while (in.n > 0 && ascii_is_wsp(in.p[0]))
		in = str_from(in, 1);
	*s = in;
	*ret_code = code;
	return true;
}

enum smtp_answer_err smtp_answer_line_parse(struct str line, struct smtp_answer_line *ret)
{
	struct smtp_answer_line l = { .last = true };

	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !ascii_is_digit(line.p[1]) ||
	    !ascii_is_digit(line.p[2]))
		return SMTP_ANSWER_SYNTAX;
	l.code = (unsigned)((line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0'));
	l.text = str_from(line, 3);
	if (str_skip_char(&l.text, '-'))
		l.last = false;
	else if (l.text.n > 0 && !str_skip_char(&l.text, ' '))
		return SMTP_ANSWER_SYNTAX;
	(void)smtp_enhanced_take(&l.text, line.p[0], &l.enhanced);
	*ret = l;
	return SMTP_ANSWER_OK;
}

void smtp_answer_begin(struct smtp_answer_in *r, struct buf *text)
{
	buf_clear(text);
	*r = (struct smtp_answer_in){ .text = text };
}

enum smtp_answer_err smtp_answer_add(struct smtp_answer_in *r, struct str line)
{
	struct smtp_answer_line l;
	enum smtp_answer_err    err = smtp_answer_line_parse(line, &l);

	CHECK(!r->done);
	if (err != SMTP_ANSWER_OK)
		return err;
	if (r->code != 0 && r->code != l.code)
		return SMTP_ANSWER_CODE;
	if ((r->code != 0 && !buf_add_char(r->text, '\n')) || !buf_add(r->text, l.text))
		return SMTP_ANSWER_LIMIT;
	if (r->enhanced[0] == '\0' && !str_to_c(l.enhanced, r->enhanced, sizeof(r->enhanced)))
		return SMTP_ANSWER_SYNTAX;
	r->code = l.code;
	r->done = l.last;
	return SMTP_ANSWER_OK;
}

/* Octets of the well-formed UTF-8 character at the start of s, 0 if there is none. */
static size_t utf8_length(struct str s)
{
	for (size_t n = 1; n <= 4 && n <= s.n; n++)
		if (str_is_utf8(str_first(s, n)))
			return n;
	return 0;
}

void smtp_answer_print(struct buf *out, struct str text, size_t max_octets)
{
	size_t left = max_octets;

	while (text.n > 0) {
		size_t     n = utf8_length(text);
		struct str c = n > 0 ? str_first(text, n) : STR("?");

		if (n == 1 && str_has_ctl(c))
			c = c.p[0] == '\n' || c.p[0] == '\t' ? STR(" ") : STR("?");
		if (c.n > left || !buf_add(out, c))
			return;
		left -= c.n;
		text = str_from(text, MAX(n, (size_t)1));
	}
}
