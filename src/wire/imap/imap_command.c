/* wire/imap/imap_command.c - grammar and contract are in imap_command.h. */
#include "wire/imap/imap_command.h"

#include "wire/imap/imap_date.h"

static bool tag_take(struct imap_lex *x, struct str *ret)
{
	size_t n = 0;

	while (n < x->in.n && x->in.p[n] != '+' && (imap_is_atom_char(x->in.p[n]) || x->in.p[n] == ']'))
		n++;
	if (n == 0 || n > IMAP_TAG_MAX)
		return false;
	*ret = str_first(x->in, n);
	x->in = str_from(x->in, n);
	return true;
}

bool imap_command_parse(struct str text, struct arena *a, struct imap_command *ret)
{
	struct imap_lex *x = &ret->x;
	struct str       tag;

	*ret = (struct imap_command){ .x = { .in = text, .arena = a } };
	/* Only a tag that ends as one is worth answering to. */
	if (!tag_take(x, &tag) || (x->in.n > 0 && x->in.p[0] != ' '))
		return false;
	ret->tag = tag;
	if (!imap_lex_sp(x) || !imap_lex_atom(x, &ret->name))
		return false;
	if (str_ieq(ret->name, STR("UID"))) {
		ret->uid = true;
		if (!imap_lex_sp(x) || !imap_lex_atom(x, &ret->name))
			return false;
	}
	ret->args = imap_lex_sp(x);
	return ret->args || imap_lex_end(x);
}

/* The rest is the head of a literal that has not come yet. */
static bool is_literal_head(struct str in)
{
	struct imap_literal l;

	return str_rfind(in, '{') == 0 && imap_literal_follows(in, &l);
}

enum imap_append_err imap_lex_append(struct imap_lex *x, struct imap_append *ret)
{
	struct imap_append a = { 0 };

	if (is_literal_head(x->in))
		return IMAP_APPEND_MORE;
	if (!imap_lex_astring(x, &a.mailbox) || !imap_lex_sp(x))
		return IMAP_APPEND_BAD;
	if (imap_lex_peek(x) == '(' && (!imap_lex_flag_list(x, &a.flags) || !imap_lex_sp(x)))
		return IMAP_APPEND_BAD;
	if (imap_lex_peek(x) == '"') {
		if (!imap_lex_date_time(x, &a.internal_ms, &a.zone) || !imap_lex_sp(x))
			return IMAP_APPEND_BAD;
		a.dated = true;
	}
	if (!is_literal_head(x->in))
		return IMAP_APPEND_BAD;
	*ret = a;
	return IMAP_APPEND_OK;
}

bool imap_lex_store(struct imap_lex *x, struct imap_store *ret)
{
	struct imap_store s = { .op = IMAP_STORE_REPLACE };

	if (imap_lex_char(x, '+'))
		s.op = IMAP_STORE_ADD;
	else if (imap_lex_char(x, '-'))
		s.op = IMAP_STORE_REMOVE;
	s.silent = imap_lex_word(x, STR("FLAGS.SILENT"));
	if (!s.silent && !imap_lex_word(x, STR("FLAGS")))
		return false;
	if (!imap_lex_sp(x) || !imap_lex_flags(x, &s.flags) || !imap_lex_end(x))
		return false;
	*ret = s;
	return true;
}

bool imap_lex_status(struct imap_lex *x, unsigned *ret_items)
{
	static const struct {
		struct str word;
		unsigned   bit;
	} words[] = {
		{ STR("MESSAGES"), IMAP_STATUS_MESSAGES }, { STR("RECENT"), IMAP_STATUS_RECENT },
		{ STR("UIDNEXT"), IMAP_STATUS_UIDNEXT },   { STR("UIDVALIDITY"), IMAP_STATUS_UIDVALIDITY },
		{ STR("UNSEEN"), IMAP_STATUS_UNSEEN },     { STR("DELETED"), IMAP_STATUS_DELETED },
		{ STR("SIZE"), IMAP_STATUS_SIZE },
		{ STR("DELETED-STORAGE"), IMAP_STATUS_DELETED_STORAGE },
	};
	unsigned items = 0;

	if (!imap_lex_char(x, '('))
		return false;
	do {
		unsigned bit = 0;

		for (size_t i = 0; i < LEN(words) && bit == 0; i++)
			if (imap_lex_word(x, words[i].word))
				bit = words[i].bit;
		if (bit == 0)
			return false;
		items |= bit;
	} while (imap_lex_sp(x));
	if (!imap_lex_char(x, ')'))
		return false;
	*ret_items = items;
	return true;
}
