/* wire/imap/imap_list.c - grammar and contract are in imap_list.h. */
#include "wire/imap/imap_list.h"

#include "wire/imap/imap_command.h"

struct word {
	struct str name;
	unsigned   bit;
};

static unsigned word_take(struct imap_lex *x, const struct word *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (imap_lex_word(x, words[i].name))
			return words[i].bit;
	return 0;
}

/* "(" is taken already. */
static bool select_take(struct imap_lex *x, struct imap_list *l)
{
	static const struct word words[] = {
		{ STR("SUBSCRIBED"), IMAP_LIST_SUBSCRIBED },
		{ STR("REMOTE"), IMAP_LIST_REMOTE },
		{ STR("RECURSIVEMATCH"), IMAP_LIST_RECURSIVE },
		{ STR("SPECIAL-USE"), IMAP_LIST_SPECIAL },
	};

	if (!imap_lex_char(x, ')')) {
		do {
			unsigned bit = word_take(x, words, LEN(words));

			if (bit == 0)
				return false;
			l->select |= bit;
		} while (imap_lex_sp(x));
		if (!imap_lex_char(x, ')'))
			return false;
	}
	/* RFC 5258 §3.1: it modifies a selection, and REMOTE is none. */
	return !(l->select & IMAP_LIST_RECURSIVE) || (l->select & (IMAP_LIST_SUBSCRIBED | IMAP_LIST_SPECIAL));
}

static bool patterns_take(struct imap_lex *x, struct imap_list *l)
{
	l->patterns = ARENA_ARRAY(x->arena, struct str, LIMIT_IMAP_PATTERNS);
	if (!imap_lex_char(x, '(')) {
		l->pattern_count = 1;
		return imap_lex_pattern(x, &l->patterns[0]);
	}
	l->extended = true;
	do {
		if (l->pattern_count == LIMIT_IMAP_PATTERNS || !imap_lex_pattern(x, &l->patterns[l->pattern_count++]))
			return false;
	} while (imap_lex_sp(x));
	return imap_lex_char(x, ')');
}

static bool return_take(struct imap_lex *x, struct imap_list *l)
{
	static const struct word words[] = {
		{ STR("SUBSCRIBED"), IMAP_LIST_SUBSCRIBED }, { STR("CHILDREN"), IMAP_LIST_CHILDREN },
		{ STR("SPECIAL-USE"), IMAP_LIST_SPECIAL },   { STR("STATUS"), IMAP_LIST_STATUS },
		{ STR("METADATA"), IMAP_LIST_METADATA },     { STR("MYRIGHTS"), IMAP_LIST_MYRIGHTS },
	};

	l->extended = true;
	if (!imap_lex_sp(x) || !imap_lex_char(x, '('))
		return false;
	if (imap_lex_char(x, ')'))
		return true;
	do {
		unsigned bit = word_take(x, words, LEN(words));

		if (bit == 0 || (bit == IMAP_LIST_STATUS && (!imap_lex_sp(x) || !imap_lex_status(x, &l->status))) ||
		    (bit == IMAP_LIST_METADATA && (!imap_lex_sp(x) || !imap_lex_entries(x, &l->entries))))
			return false;
		l->want |= bit;
	} while (imap_lex_sp(x));
	return imap_lex_char(x, ')');
}

bool imap_lex_list(struct imap_lex *x, struct imap_list *ret)
{
	struct imap_list l = { 0 };

	if (imap_lex_char(x, '(')) {
		l.extended = true;
		if (!select_take(x, &l) || !imap_lex_sp(x))
			return false;
	}
	if (!imap_lex_astring(x, &l.reference) || !imap_lex_sp(x) || !patterns_take(x, &l))
		return false;
	if (imap_lex_sp(x) && (!imap_lex_word(x, STR("RETURN")) || !return_take(x, &l)))
		return false;
	if (!imap_lex_end(x))
		return false;
	*ret = l;
	return true;
}
