/* wire/imap/imap_metadata.c - grammar and contract are in imap_metadata.h. */
#include "wire/imap/imap_metadata.h"

static bool name_valid(struct str name)
{
	if (name.n > LIMIT_METADATA_NAME || (!str_starts(name, STR("/private/")) && !str_starts(name, STR("/shared/"))))
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (c <= ' ' || c >= 127 || c == '*' || c == '%' || (c == '/' && (i + 1 == name.n || name.p[i + 1] == '/')))
			return false;
	}
	return true;
}

/* RFC 5464 §3.2: below a vendor's name, which is the third level, if it is one of a vendor. */
static bool may_be_set(struct str name)
{
	struct str rest = name;
	size_t     levels = 0;

	for (size_t i = 0; i < name.n; i++)
		levels += name.p[i] == '/';
	(void)(str_skip(&rest, STR("/private")) || str_skip(&rest, STR("/shared")));
	return name_valid(name) && (!str_starts(rest, STR("/vendor")) || (rest.n > 7 && rest.p[7] != '/') || levels >= 4);
}

static bool entry_take(struct imap_lex *x, struct str *ret)
{
	struct str name;
	char      *p;

	if (!imap_lex_astring(x, &name))
		return false;
	p = arena_alloc(x->arena, name.n);
	for (size_t i = 0; i < name.n; i++)
		p[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + ('a' - 'A') : name.p[i]);
	*ret = str_n(p, name.n);
	/* Of a whole tree with DEPTH: "/shared" and "/private" themselves may be asked for. */
	return name_valid(*ret) || str_eq(*ret, STR("/private")) || str_eq(*ret, STR("/shared"));
}

bool imap_lex_entries(struct imap_lex *x, struct imap_entries *ret)
{
	struct imap_entries e = { .names = ARENA_ARRAY(x->arena, struct str, LIMIT_METADATA_ASKED) };
	bool                list = imap_lex_char(x, '(');

	do {
		if (e.count == LIMIT_METADATA_ASKED || !entry_take(x, &e.names[e.count++]))
			return false;
	} while (list && imap_lex_sp(x));
	if (list && !imap_lex_char(x, ')'))
		return false;
	*ret = e;
	return true;
}

/* Behind "(". */
static bool options_take(struct imap_lex *x, struct imap_getmetadata *g)
{
	do {
		if (imap_lex_word(x, STR("MAXSIZE"))) {
			g->has_max = true;
			if (!imap_lex_sp(x) || !imap_lex_number(x, &g->max))
				return false;
		} else if (!imap_lex_word(x, STR("DEPTH")) || !imap_lex_sp(x)) {
			return false;
		} else if (imap_lex_word(x, STR("infinity"))) {
			g->depth = UINT32_MAX;
		} else if (!imap_lex_number(x, &g->depth) || g->depth > 1) {
			return false;
		}
	} while (imap_lex_sp(x));
	return imap_lex_char(x, ')');
}

/* Does a list of options stand here, and not of entries, which begin with "/" or are strings? */
static bool options_follow(const struct imap_lex *x)
{
	struct imap_lex y = *x;

	return imap_lex_char(&y, '(') && (imap_lex_word(&y, STR("MAXSIZE")) || imap_lex_word(&y, STR("DEPTH")));
}

bool imap_lex_getmetadata(struct imap_lex *x, struct imap_getmetadata *ret)
{
	struct imap_getmetadata g = { 0 };
	bool                    early = options_follow(x);

	if (early && (!imap_lex_char(x, '(') || !options_take(x, &g) || !imap_lex_sp(x)))
		return false;
	if (!imap_lex_astring(x, &g.mailbox) || !imap_lex_sp(x))
		return false;
	if (!early && options_follow(x) && (!imap_lex_char(x, '(') || !options_take(x, &g) || !imap_lex_sp(x)))
		return false;
	if (!imap_lex_entries(x, &g.entries) || !imap_lex_end(x))
		return false;
	*ret = g;
	return true;
}

bool imap_lex_setmetadata(struct imap_lex *x, struct imap_setmetadata *ret)
{
	struct imap_setmetadata m = { .entries = ARENA_ARRAY(x->arena, struct imap_metadata_set, LIMIT_METADATA_ASKED) };

	if (!imap_lex_astring(x, &m.mailbox) || !imap_lex_sp(x) || !imap_lex_char(x, '('))
		return false;
	do {
		struct imap_metadata_set *e = &m.entries[m.count];

		if (m.count++ == LIMIT_METADATA_ASKED || !entry_take(x, &e->name) || !may_be_set(e->name) || !imap_lex_sp(x))
			return false;
		if (!(imap_lex_peek(x) == '~' ? imap_lex_literal8(x, &e->value) : imap_lex_nstring(x, &e->value)))
			return false;
	} while (imap_lex_sp(x));
	if (!imap_lex_char(x, ')') || !imap_lex_end(x))
		return false;
	*ret = m;
	return true;
}
