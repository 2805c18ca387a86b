/* wire/imap/imap_source.c - grammar and contract are in imap_source.h. */
#include "wire/imap/imap_source.h"

static const struct {
	struct str            word;
	enum imap_source_kind kind;
	bool                  names;
} filters[] = {
	{ STR("selected"), IMAP_SOURCE_SELECTED, false },     { STR("inboxes"), IMAP_SOURCE_INBOXES, false },
	{ STR("personal"), IMAP_SOURCE_PERSONAL, false },     { STR("subscribed"), IMAP_SOURCE_SUBSCRIBED, false },
	{ STR("subtree"), IMAP_SOURCE_SUBTREE, true },        { STR("subtree-one"), IMAP_SOURCE_SUBTREE_ONE, true },
	{ STR("mailboxes"), IMAP_SOURCE_MAILBOXES, true },
};

static bool name_take(struct imap_lex *x, struct imap_sources *all, struct imap_source *s, size_t room)
{
	if (all->name_count == IMAP_SOURCE_NAMES || s->name_count == room || !imap_lex_astring(x, &s->names[s->name_count]))
		return false;
	s->name_count++;
	all->name_count++;
	return true;
}

static bool names_take(struct imap_lex *x, struct imap_sources *all, struct imap_source *s)
{
	bool   many = imap_lex_char(x, '(');
	size_t room = many ? IMAP_SOURCE_NAMES - all->name_count : 1;

	s->names = ARENA_ARRAY(x->arena, struct str, room);
	do {
		if (!name_take(x, all, s, room))
			return false;
	} while (many && imap_lex_sp(x));
	return !many || imap_lex_char(x, ')');
}

static bool filter_take(struct imap_lex *x, struct imap_sources *all)
{
	struct imap_source *s = &all->items[all->count];

	if (all->count == IMAP_SOURCE_MAX)
		return false;
	for (size_t i = 0; i < LEN(filters); i++) {
		if (!imap_lex_word(x, filters[i].word))
			continue;
		s->kind = filters[i].kind;
		all->count++;
		return !filters[i].names || (imap_lex_sp(x) && names_take(x, all, s));
	}
	return false;
}

bool imap_lex_sources(struct imap_lex *x, struct imap_sources *ret)
{
	struct imap_sources all = { .given = true };

	if (!imap_lex_word(x, STR("IN"))) {
		all.given = false;
		all.count = 1;
		*ret = all;
		return true;
	}
	if (!imap_lex_sp(x) || !imap_lex_char(x, '('))
		return false;
	do {
		if (!filter_take(x, &all))
			return false;
	} while (imap_lex_sp(x));
	if (!imap_lex_char(x, ')'))
		return false;
	*ret = all;
	return true;
}
