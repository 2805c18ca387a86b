/* wire/imap/imap_flag.c - grammar and contract are in imap_flag.h. */
#include "wire/imap/imap_flag.h"

static const struct {
	struct str name;
	unsigned   bit;
} names[] = {
	{ STR("Answered"), IMAP_ANSWERED }, { STR("Flagged"), IMAP_FLAGGED }, { STR("Deleted"), IMAP_DELETED },
	{ STR("Seen"), IMAP_SEEN },         { STR("Draft"), IMAP_DRAFT },     { STR("Recent"), IMAP_RECENT },
};

static bool system_flag(struct imap_lex *x, struct imap_flags *f)
{
	struct str name;

	if (!imap_lex_atom(x, &name))
		return false;
	for (size_t i = 0; i < LEN(names); i++) {
		if (str_ieq(name, names[i].name)) {
			f->mask |= names[i].bit & IMAP_FLAGS_ALL;
			return true;
		}
	}
	return false;
}

static bool keyword(struct imap_lex *x, struct imap_flags *f)
{
	struct str name;

	if (!imap_lex_atom(x, &name) || name.n > LIMIT_KEYWORD)
		return false;
	for (size_t i = 0; i < f->keyword_count; i++)
		if (str_ieq(f->keywords[i], name))
			return true;
	if (f->keyword_count == LIMIT_KEYWORDS)
		return false;
	if (!f->keywords)
		f->keywords = ARENA_ARRAY(x->arena, struct str, LIMIT_KEYWORDS);
	f->keywords[f->keyword_count++] = name;
	return true;
}

static bool flag(struct imap_lex *x, struct imap_flags *f)
{
	return imap_lex_char(x, '\\') ? system_flag(x, f) : keyword(x, f);
}

static bool flags_take(struct imap_lex *x, struct imap_flags *f)
{
	do {
		if (!flag(x, f))
			return false;
	} while (imap_lex_sp(x));
	return true;
}

bool imap_lex_flag_list(struct imap_lex *x, struct imap_flags *ret)
{
	struct imap_flags f = { 0 };

	if (!imap_lex_char(x, '('))
		return false;
	if (imap_lex_peek(x) != ')' && !flags_take(x, &f))
		return false;
	if (!imap_lex_char(x, ')'))
		return false;
	*ret = f;
	return true;
}

bool imap_lex_flags(struct imap_lex *x, struct imap_flags *ret)
{
	struct imap_flags f = { 0 };

	if (imap_lex_peek(x) == '(')
		return imap_lex_flag_list(x, ret);
	if (!flags_take(x, &f))
		return false;
	*ret = f;
	return true;
}

void imap_print_flags(struct buf *out, unsigned mask, const struct str *keywords, size_t keyword_count)
{
	bool some = false;

	/* Once per row of a mailbox: no printf. */
	for (size_t i = 0; i < LEN(names); i++) {
		if (!(mask & names[i].bit))
			continue;
		buf_add(out, some ? STR(" \\") : STR("\\"));
		buf_add(out, names[i].name);
		some = true;
	}
	for (size_t i = 0; i < keyword_count; i++) {
		if (some)
			buf_add_char(out, ' ');
		buf_add(out, keywords[i]);
		some = true;
	}
}
