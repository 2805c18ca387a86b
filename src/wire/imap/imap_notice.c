/* wire/imap/imap_notice.c - grammar and contract are in imap_notice.h. */
#include "wire/imap/imap_notice.h"

static bool names_take(struct imap_lex *x, struct imap_notice_group *g)
{
	bool list;

	if (!imap_lex_sp(x))
		return false;
	g->names = ARENA_ARRAY(x->arena, struct str, IMAP_NOTICE_NAMES);
	list = imap_lex_char(x, '(');
	do {
		if (g->name_count == IMAP_NOTICE_NAMES || !imap_lex_astring(x, &g->names[g->name_count++]))
			return false;
	} while (list && imap_lex_sp(x));
	return !list || imap_lex_char(x, ')');
}

static bool filter_take(struct imap_lex *x, struct imap_notice_group *g)
{
	static const struct str words[] = {
		[IMAP_NOTICE_SELECTED] = STR("selected"),     [IMAP_NOTICE_DELAYED] = STR("selected-delayed"),
		[IMAP_NOTICE_INBOXES] = STR("inboxes"),       [IMAP_NOTICE_PERSONAL] = STR("personal"),
		[IMAP_NOTICE_SUBSCRIBED] = STR("subscribed"), [IMAP_NOTICE_SUBTREE] = STR("subtree"),
		[IMAP_NOTICE_MAILBOXES] = STR("mailboxes"),
	};

	for (unsigned i = 0; i < LEN(words); i++) {
		if (!imap_lex_word(x, words[i]))
			continue;
		g->filter = (enum imap_notice_filter)i;
		return i < IMAP_NOTICE_SUBTREE || names_take(x, g);
	}
	return false;
}

/* SP "(" fetch-att ... ")", if it stands here: kept as text, which FETCH reads again. */
static bool fetch_take(struct imap_lex *x, struct imap_notice_group *g)
{
	struct imap_lex   y = *x;
	struct imap_fetch f;

	if (!imap_lex_sp(&y) || imap_lex_peek(&y) != '(')
		return true;
	*x = y;
	if (g->filter > IMAP_NOTICE_DELAYED || !imap_lex_fetch(x, &f))
		return false;
	g->fetch = str_first(y.in, y.in.n - x->in.n);
	return true;
}

static bool event_take(struct imap_lex *x, struct imap_notice *n, struct imap_notice_group *g)
{
	static const struct {
		struct str word;
		unsigned   bit;
	} words[] = {
		{ STR("MessageNew"), IMAP_NOTICE_NEW },
		{ STR("MessageExpunge"), IMAP_NOTICE_EXPUNGE },
		{ STR("FlagChange"), IMAP_NOTICE_FLAGS },
		{ STR("MailboxName"), IMAP_NOTICE_NAME },
		{ STR("SubscriptionChange"), IMAP_NOTICE_SUBSCRIPTION },
		{ STR("MailboxMetadataChange"), IMAP_NOTICE_METADATA },
		{ STR("ServerMetadataChange"), IMAP_NOTICE_SERVER },
	};
	struct str name;

	if (!imap_lex_atom(x, &name))
		return false;
	for (size_t i = 0; i < LEN(words); i++) {
		if (!str_ieq(name, words[i].word))
			continue;
		g->events |= words[i].bit;
		return words[i].bit != IMAP_NOTICE_NEW || fetch_take(x, g);
	}
	n->unknown = true;
	return true;
}

/* RFC 5465 §5, §6.1, §6.2 */
static bool events_valid(const struct imap_notice *n, const struct imap_notice_group *g)
{
	unsigned both = g->events & (IMAP_NOTICE_NEW | IMAP_NOTICE_EXPUNGE);

	if (n->unknown) /* AnnotationChange is held to the same rules, but it is refused anyway */
		return true;
	if (both != 0 && both != (IMAP_NOTICE_NEW | IMAP_NOTICE_EXPUNGE))
		return false;
	if ((g->events & IMAP_NOTICE_FLAGS) && both == 0)
		return false;
	return g->filter > IMAP_NOTICE_DELAYED || (g->events & ~(unsigned)IMAP_NOTICE_MESSAGES) == 0;
}

static bool group_take(struct imap_lex *x, struct imap_notice *n)
{
	struct imap_notice_group *g = &n->groups[n->count];

	if (n->count == IMAP_NOTICE_GROUPS || !imap_lex_char(x, '('))
		return false;
	n->count++;
	if (!filter_take(x, g) || !imap_lex_sp(x))
		return false;
	if (!imap_lex_word(x, STR("NONE"))) {
		if (!imap_lex_char(x, '('))
			return false;
		do {
			if (!event_take(x, n, g))
				return false;
		} while (imap_lex_sp(x));
		if (!imap_lex_char(x, ')'))
			return false;
	}
	return imap_lex_char(x, ')') && events_valid(n, g);
}

static bool one_selected(const struct imap_notice *n)
{
	size_t count = 0;

	for (size_t i = 0; i < n->count; i++)
		count += n->groups[i].filter <= IMAP_NOTICE_DELAYED;
	return count <= 1;
}

bool imap_lex_notice(struct imap_lex *x, struct imap_notice *ret)
{
	struct imap_notice n = { 0 };

	if (imap_lex_word(x, STR("NONE"))) {
		*ret = n;
		return imap_lex_end(x);
	}
	if (!imap_lex_word(x, STR("SET")) || !imap_lex_sp(x))
		return false;
	n.set = true;
	n.groups = ARENA_ARRAY(x->arena, struct imap_notice_group, IMAP_NOTICE_GROUPS);
	n.status = imap_lex_word(x, STR("STATUS"));
	if (n.status && !imap_lex_sp(x))
		return false;
	do {
		if (!group_take(x, &n))
			return false;
	} while (imap_lex_sp(x));
	if (!imap_lex_end(x) || !one_selected(&n))
		return false;
	*ret = n;
	return true;
}
