/* wire/imap/imap_command.c - grammar and contract are in imap_command.h. */
#include "wire/imap/imap_command.h"

#include "wire/imap/imap_modifier.h"

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

bool imap_lex_store(struct imap_lex *x, struct imap_store *ret)
{
	struct imap_store s = { .op = IMAP_STORE_REPLACE };

	if (imap_lex_peek(x) == '(') {
		s.conditional = true;
		if (!imap_lex_store_modifiers(x, &s.unchanged_since) || !imap_lex_sp(x))
			return false;
	}
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
		{ STR("SIZE"), IMAP_STATUS_SIZE },         { STR("APPENDLIMIT"), IMAP_STATUS_APPENDLIMIT },
		{ STR("HIGHESTMODSEQ"), IMAP_STATUS_HIGHESTMODSEQ }, { STR("MAILBOXID"), IMAP_STATUS_MAILBOXID },
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
