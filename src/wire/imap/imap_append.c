/* wire/imap/imap_append.c - grammar and contract are in imap_append.h. */
#include "wire/imap/imap_append.h"

#include "wire/imap/imap_date.h"

/* The rest is the head of a literal that has not come yet. */
static bool is_head(struct str in, bool *ret_binary)
{
	struct imap_literal l;

	*ret_binary = str_skip_char(&in, '~');
	return str_rfind(in, '{') == 0 && imap_literal_follows(in, &l);
}

/* An astring that may end in a literal to come. */
static enum imap_append_item name_take(struct imap_lex *x, enum imap_append_item item, struct str *ret)
{
	bool binary;

	if (is_head(x->in, &binary) && !binary)
		return IMAP_APPEND_MORE;
	return imap_lex_astring(x, ret) ? item : IMAP_APPEND_BAD;
}

static enum imap_append_item mailbox_take(struct imap_append *p, struct imap_lex *x)
{
	enum imap_append_item item = name_take(x, IMAP_APPEND_MAILBOX, &p->mailbox);

	if (item == IMAP_APPEND_MAILBOX)
		p->state = IMAP_APPEND_AT_OPTIONS;
	return item;
}

static enum imap_append_item options_take(struct imap_append *p, struct imap_lex *x)
{
	if (p->messages > 0 && imap_lex_end(x))
		return IMAP_APPEND_END;
	p->flags = (struct imap_flags){ 0 };
	p->dated = p->utf8 = p->binary = false;
	if (!imap_lex_sp(x))
		return IMAP_APPEND_BAD;
	if (imap_lex_peek(x) == '(' && (!imap_lex_flag_list(x, &p->flags) || !imap_lex_sp(x)))
		return IMAP_APPEND_BAD;
	if (imap_lex_peek(x) == '"') {
		if (!imap_lex_date_time(x, &p->internal_ms, &p->zone) || !imap_lex_sp(x))
			return IMAP_APPEND_BAD;
		p->dated = true;
	}
	p->messages++;
	p->state = IMAP_APPEND_AT_DATA;
	return IMAP_APPEND_MESSAGE;
}

/* The head of a content literal, up to the end of the text. */
static enum imap_append_item octets_take(struct imap_append *p, struct imap_lex *x, enum imap_append_state next)
{
	if (!is_head(x->in, &p->binary) || (p->utf8 && !p->binary))
		return IMAP_APPEND_BAD;
	x->in = str_from(x->in, x->in.n);
	p->state = next;
	return IMAP_APPEND_OCTETS;
}

static bool utf8_begins(struct imap_append *p, struct imap_lex *x)
{
	p->utf8 = imap_lex_word(x, STR("UTF8"));
	return p->utf8;
}

static enum imap_append_item utf8_take(struct imap_append *p, struct imap_lex *x)
{
	if (!imap_lex_sp(x) || !imap_lex_char(x, '('))
		return IMAP_APPEND_BAD;
	return octets_take(p, x, IMAP_APPEND_AT_UTF8_END);
}

static enum imap_append_item part_take(struct imap_append *p, struct imap_lex *x)
{
	struct str            start = x->in;
	enum imap_append_item item;

	if (utf8_begins(p, x))
		return utf8_take(p, x);
	if (imap_lex_word(x, STR("TEXT")))
		return imap_lex_sp(x) ? octets_take(p, x, IMAP_APPEND_AT_PART_END) : IMAP_APPEND_BAD;
	if (!imap_lex_word(x, STR("URL")) || !imap_lex_sp(x))
		return IMAP_APPEND_BAD;
	item = name_take(x, IMAP_APPEND_URL, &p->url);
	if (item == IMAP_APPEND_MORE)
		x->in = start;
	else
		p->state = IMAP_APPEND_AT_PART_END;
	return item;
}

static enum imap_append_item data_take(struct imap_append *p, struct imap_lex *x)
{
	p->catenate = imap_lex_word(x, STR("CATENATE"));
	if (p->catenate) {
		if (!imap_lex_sp(x) || !imap_lex_char(x, '('))
			return IMAP_APPEND_BAD;
		p->state = IMAP_APPEND_AT_PART;
		return part_take(p, x);
	}
	return utf8_begins(p, x) ? utf8_take(p, x) : octets_take(p, x, IMAP_APPEND_AT_DATA_END);
}

static enum imap_append_item whole(struct imap_append *p)
{
	p->state = IMAP_APPEND_AT_OPTIONS;
	return IMAP_APPEND_WHOLE;
}

static enum imap_append_item part_end_take(struct imap_append *p, struct imap_lex *x)
{
	struct str            start = x->in;
	enum imap_append_item item;

	if (imap_lex_char(x, ')')) {
		p->catenate = false;
		return whole(p);
	}
	if (!imap_lex_sp(x))
		return IMAP_APPEND_BAD;
	item = part_take(p, x);
	if (item == IMAP_APPEND_MORE)
		x->in = start;
	return item;
}

enum imap_append_item imap_append_next(struct imap_append *p, struct imap_lex *x)
{
	switch (p->state) {
	case IMAP_APPEND_AT_MAILBOX: return mailbox_take(p, x);
	case IMAP_APPEND_AT_OPTIONS: return options_take(p, x);
	case IMAP_APPEND_AT_DATA: return data_take(p, x);
	case IMAP_APPEND_AT_PART: return part_take(p, x);
	case IMAP_APPEND_AT_PART_END: return part_end_take(p, x);
	case IMAP_APPEND_AT_UTF8_END:
		if (!imap_lex_char(x, ')'))
			return IMAP_APPEND_BAD;
		p->utf8 = false;
		if (p->catenate)
			return part_end_take(p, x);
		return whole(p);
	case IMAP_APPEND_AT_DATA_END: return whole(p);
	}
	BUG("an unknown state");
	return IMAP_APPEND_BAD;
}
