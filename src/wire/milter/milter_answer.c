/* wire/milter/milter_answer.c - contract is in milter_answer.h. */
#include "wire/milter/milter_answer.h"

#include "base/limits.h"

/* ---- header fields ---- */

/* RFC 5322 §2.2: printable ASCII but the colon. */
static bool name_valid(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= 32 || name.p[i] >= 127 || name.p[i] == ':')
			return false;
	return name.n > 0 && name.n <= LIMIT_MILTER_FIELD_NAME;
}

/* A line end, CRLF or LF, must be followed by a blank and something: else what follows would be a field, or the body. */
static bool value_valid(struct str value)
{
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\0' || (value.p[i] == '\r' && (i + 1 == value.n || value.p[i + 1] != '\n')))
			return false;
		if (value.p[i] == '\n' && (i + 2 >= value.n || !ascii_is_wsp(value.p[i + 1]) || value.p[i + 2] == '\n' ||
					   value.p[i + 2] == '\r'))
			return false;
	}
	return value.n <= LIMIT_MILTER_FIELD;
}

void milter_value_write(struct buf *out, struct str value)
{
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\n' && (i == 0 || value.p[i - 1] != '\r'))
			buf_add_char(out, '\r');
		buf_add_char(out, value.p[i]);
	}
}

static bool header_take(struct str data, bool indexed, struct milter_answer *a)
{
	if (indexed && !milter_u32_take(&data, &a->index))
		return false;
	if (!milter_text_take(&data, &a->name) || !milter_text_take(&data, &a->value))
		return false;
	if (str_find(a->value, '\n') >= 0) /* some end it with a line end */
		while (a->value.n > 0 && str_find(STR(" \t\r\n"), a->value.p[a->value.n - 1]) >= 0)
			a->value.n--;
	return data.n == 0 && name_valid(a->name) && value_valid(a->value);
}

/* ---- addresses ---- */

/* What the address is, is for the caller to judge; here only that it is one text, with its brackets taken off. */
static bool address_take(struct str data, bool with_args, struct milter_answer *a)
{
	if (!milter_text_take(&data, &a->address))
		return false;
	if (with_args && data.n > 0 && !milter_text_take(&data, &a->args))
		return false;
	if (str_skip_char(&a->address, '<')) {
		if (a->address.n == 0 || a->address.p[a->address.n - 1] != '>')
			return false;
		a->address.n--;
	}
	return data.n == 0 && a->address.n <= LIMIT_ADDRESS && a->args.n <= LIMIT_SMTP_LINE && !str_has_ctl(a->address) &&
	       !str_has_ctl(a->args);
}

/* ---- replies ---- */

/* x.y.z of the class, followed by a blank or the end. RFC 3463 §2. */
static bool enhanced_take(struct str *text, char class, char ret[12])
{
	struct str s = *text;
	uint64_t   part;
	size_t     n;
	char       c;

	if (!str_take(&s, &c) || c != class)
		return false;
	for (int i = 0; i < 2; i++)
		if (!str_skip_char(&s, '.') || !str_take_u64(&s, &part) || part > 999)
			return false;
	n = text->n - s.n;
	if (n > 9 || (s.n > 0 && s.p[0] != ' '))
		return false;
	CHECK(str_to_c(str_first(*text, n), ret, 12)); /* digits and dots */
	*text = str_trim(s);
	return true;
}

/* One line "550 ..." or "550-..."; *ret_more: another must follow. */
static bool reply_line(struct str line, struct milter_reply *r, bool *ret_more)
{
	struct str digits = str_first(line, 3), text;
	char       enhanced[12] = "";
	uint32_t   code;

	if (digits.n < 3 || !str_to_u32(digits, &code) || code < 400 || code > 599 || r->line_count == MILTER_REPLY_LINES)
		return false;
	if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
		return false;
	*ret_more = line.n > 3 && line.p[3] == '-';
	text = str_from(line, 4);
	if (!enhanced_take(&text, line.p[0], enhanced))
		enhanced[0] = '\0';
	if (str_has_ctl(text) || (r->line_count > 0 && code != r->code))
		return false;
	if (r->line_count == 0)
		CHECK(str_to_c(str_of(enhanced), r->enhanced, sizeof(r->enhanced)));
	r->code = code;
	r->lines[r->line_count++] = text;
	return true;
}

bool milter_reply_parse(struct str text, struct milter_reply *ret)
{
	struct milter_reply r = { 0 };
	bool                more = true;

	if (text.n > LIMIT_MILTER_REPLY)
		return false;
	while (more) {
		ptrdiff_t  end = str_find(text, '\n');
		struct str line = end < 0 ? text : str_chomp(str_first(text, (size_t)end + 1));

		if (!reply_line(line, &r, &more))
			return false;
		text = end < 0 ? STR_NONE : str_from(text, (size_t)end + 1);
		/* libmilter writes the dash from what the filter gave it; the last line says who is right. */
		if ((more && text.n == 0) || (!more && text.n > 0))
			return false;
	}
	*ret = r;
	return true;
}

/* ---- one packet ---- */

static bool text_only(struct str data, struct str *ret)
{
	return milter_text_take(&data, ret) && data.n == 0;
}

static bool reply_take(struct str data, struct milter_answer *a)
{
	struct str text;

	return text_only(data, &text) && milter_reply_parse(text, &a->reply);
}

static bool data_take(struct str data, struct milter_answer *a)
{
	switch (a->kind) {
	case MILTER_ANSWER_REPLY: return reply_take(data, a);
	case MILTER_ANSWER_ADD_RCPT: return address_take(data, a->needs == MILTER_MAY_ADD_RCPT_ARGS, a);
	case MILTER_ANSWER_DEL_RCPT: return address_take(data, false, a);
	case MILTER_ANSWER_SENDER: return address_take(data, true, a);
	case MILTER_ANSWER_ADD_HEADER: return header_take(data, false, a);
	case MILTER_ANSWER_INSERT_HEADER:
	case MILTER_ANSWER_CHANGE_HEADER: return header_take(data, true, a);
	case MILTER_ANSWER_BODY: a->value = data; return true;
	case MILTER_ANSWER_QUARANTINE: return text_only(data, &a->value) && a->value.n <= LIMIT_MILTER_REPLY;
	default: return data.n == 0;
	}
}

/* SMFIR: the answer's octet, what it is, what it needs. */
static const struct {
	char                    octet;
	enum milter_answer_kind kind;
	enum milter_action      needs;
} answers[] = {
	{ 'c', MILTER_ANSWER_CONTINUE, 0 },
	{ 'a', MILTER_ANSWER_ACCEPT, 0 },
	{ 'r', MILTER_ANSWER_REJECT, 0 },
	{ 't', MILTER_ANSWER_TEMPFAIL, 0 },
	{ 'd', MILTER_ANSWER_DISCARD, 0 },
	{ 's', MILTER_ANSWER_SKIP, 0 },
	{ 'y', MILTER_ANSWER_REPLY, 0 },
	{ '4', MILTER_ANSWER_SHUTDOWN, 0 },
	{ 'f', MILTER_ANSWER_SHUTDOWN, 0 },
	{ 'p', MILTER_ANSWER_PROGRESS, 0 },
	{ '+', MILTER_ANSWER_ADD_RCPT, MILTER_MAY_ADD_RCPT },
	{ '2', MILTER_ANSWER_ADD_RCPT, MILTER_MAY_ADD_RCPT_ARGS },
	{ '-', MILTER_ANSWER_DEL_RCPT, MILTER_MAY_DEL_RCPT },
	{ 'e', MILTER_ANSWER_SENDER, MILTER_MAY_SENDER },
	{ 'h', MILTER_ANSWER_ADD_HEADER, MILTER_MAY_ADD_HEADER },
	{ 'i', MILTER_ANSWER_INSERT_HEADER, MILTER_MAY_ADD_HEADER },
	{ 'm', MILTER_ANSWER_CHANGE_HEADER, MILTER_MAY_CHANGE_HEADER },
	{ 'b', MILTER_ANSWER_BODY, MILTER_MAY_BODY },
	{ 'q', MILTER_ANSWER_QUARANTINE, MILTER_MAY_QUARANTINE },
};

bool milter_answer_parse(const struct milter_packet *p, struct milter_answer *ret)
{
	for (size_t i = 0; i < LEN(answers); i++) {
		struct milter_answer a = { .kind = answers[i].kind, .needs = answers[i].needs };

		if (answers[i].octet != p->command)
			continue;
		if (!data_take(p->data, &a))
			return false;
		*ret = a;
		return true;
	}
	return false;
}
