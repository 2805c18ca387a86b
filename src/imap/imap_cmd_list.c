/* imap/imap_cmd_list.c - LIST, LSUB, STATUS (RFC 9051 §6.3.9, RFC 3501 §6.3.9, §6.3.10; LIST-EXTENDED RFC 5258, LIST-STATUS RFC 5819,
 * SPECIAL-USE RFC 6154, STATUS=SIZE RFC 8438, LIST-METADATA RFC 9590).
 *
 * The mailboxes are a sorted list of names (imap_tree.h) with parents that do not exist, so that "%" shows a whole tree: as \Noselect,
 * or \NonExistent to a client that speaks RFC 5258 or IMAP4rev2. Counters come with the list: STATUS of every mailbox costs no more than LIST.
 */
#include "imap/imap_cmd_metadata.h"
#include "imap/imap_tree.h"
#include "wire/imap/imap_list.h"
#include "wire/imap/imap_name.h"
#include "wire/imap/imap_print.h"

struct list {
	struct imap_session *s;
	struct imap_list     args;
	struct imap_pattern *patterns;
	size_t               pattern_count;
	struct imap_tree     tree;
	bool                *matched; /* of each node: by a pattern */
	bool                 nonexistent; /* the client knows \NonExistent */
};

static void line(struct imap_session *s, const char *word, struct str attributes, struct str name)
{
	imap_putf(s, "* %s (", word);
	imap_put(s, attributes);
	imap_putf(s, ") \"%c\" ", IMAP_DELIMITER);
	imap_put_name(s, name);
}

/* Once for each name: it is asked for again by every name above. */
static void nodes_match(struct list *l)
{
	l->matched = ARENA_ARRAY(l->s->arena, bool, l->tree.count);
	for (size_t at = 0; at < l->tree.count; at++)
		for (size_t i = 0; i < l->pattern_count && !l->matched[at]; i++)
			l->matched[at] = imap_pattern_match(&l->patterns[i], l->tree.nodes[at].name);
}

static const char *special_of(const struct imap_node *n)
{
	return n->box ? imap_special_name(n->box->special) : "";
}

/* Those of the selections that the name meets. */
static unsigned meets(const struct imap_node *n)
{
	return (n->subscribed ? IMAP_LIST_SUBSCRIBED : 0u) | (special_of(n)[0] ? IMAP_LIST_SPECIAL : 0u);
}

static bool selected(const struct list *l, const struct imap_node *n)
{
	unsigned needed = l->args.select & (IMAP_LIST_SUBSCRIBED | IMAP_LIST_SPECIAL);

	return (meets(n) & needed) == needed;
}

/* RFC 5258 §3.5: is anything below it selected; *ret_hidden: and not shown itself, as no pattern matches it. */
static bool selected_below(const struct list *l, size_t at, bool *ret_hidden)
{
	const struct imap_node *top = &l->tree.nodes[at];
	bool                    any = false, below = imap_name_is_inbox(top->name);

	*ret_hidden = false;
	for (size_t i = at + 1; i < l->tree.count; i++) {
		const struct imap_node *n = &l->tree.nodes[i];

		if (!imap_name_below(n->name, top->name)) {
			if (below)
				continue;
			break;
		}
		if (!selected(l, n))
			continue;
		any = true;
		*ret_hidden = *ret_hidden || !l->matched[i];
	}
	return any;
}

static void attributes_put(struct list *l, const struct imap_node *n)
{
	bool subscribed = n->subscribed && ((l->args.select | l->args.want) & IMAP_LIST_SUBSCRIBED);

	line(l->s, "LIST", imap_node_attributes(n, l->nonexistent ? "\\NonExistent" : "\\Noselect", subscribed, l->s->arena), n->name);
}

static void list_line(struct list *l, const struct imap_node *n, bool childinfo)
{
	struct imap_session *s = l->s;

	imap_inside(s, true);
	attributes_put(l, n);
	if (childinfo) /* the selections that a child meets: all there are but RECURSIVEMATCH */
		imap_putf(s, " (\"CHILDINFO\" (%s%s%s))", l->args.select & IMAP_LIST_SUBSCRIBED ? "\"SUBSCRIBED\"" : "",
			  (l->args.select & (IMAP_LIST_SUBSCRIBED | IMAP_LIST_SPECIAL)) == (IMAP_LIST_SUBSCRIBED | IMAP_LIST_SPECIAL)
				  ? " "
				  : "",
			  l->args.select & IMAP_LIST_SPECIAL ? "\"SPECIAL-USE\"" : "");
	imap_put(s, STR("\r\n"));
	imap_inside(s, false);
}

/* Counters of another's mailbox are the reader's own, and not for him who may not read it (RFC 4314 §4). */
static enum status status_put(struct list *l, const struct imap_node *n)
{
	struct store_account *a;
	struct store_mailbox  m = *n->box;
	enum status           st = ST_OK;

	if (n->owner != 0)
		st = imap_mailbox_find(l->s, n->name, IMAP_RIGHT_READ, &a, &m);
	else
		l->s->last_account = l->s->account_id;
	if (st == ST_NOT_FOUND || st == ST_DENIED)
		return ST_OK;
	if (st == ST_OK)
		imap_put_status(l->s, &m, l->args.status);
	return st;
}

static enum status node_put(struct list *l, size_t at)
{
	const struct imap_node *n = &l->tree.nodes[at];
	bool                    childinfo = false, hidden = false;
	enum status             st = ST_OK;

	if (!l->matched[at])
		return ST_OK;
	if (l->args.select & IMAP_LIST_RECURSIVE)
		childinfo = selected_below(l, at, &hidden);
	if (!selected(l, n) && !hidden)
		return ST_OK;
	list_line(l, n, childinfo);
	/* RFC 5819 §2: behind its LIST, and for mailboxes that can be selected only. */
	if (n->box && (l->args.want & IMAP_LIST_STATUS))
		st = status_put(l, n);
	if (n->box && (l->args.want & IMAP_LIST_MYRIGHTS))
		imap_put_myrights(l->s, n->name, n->rights);
	if (st == ST_OK && n->box && (l->args.want & IMAP_LIST_METADATA))
		st = imap_put_metadata(l->s, n->name, &l->args.entries);
	return st == ST_OK && !imap_spill(l->s) ? ST_CLOSED : st;
}

/* Those that are no names match nothing. False: in all they are too long. */
static bool patterns_parse(struct list *l)
{
	size_t octets = 0;

	l->patterns = ARENA_ARRAY(l->s->arena, struct imap_pattern, l->args.pattern_count);
	for (size_t i = 0; i < l->args.pattern_count && octets <= LIMIT_IMAP_PATTERN_OCTETS; i++)
		if (imap_pattern_parse(l->args.reference, l->args.patterns[i], imap_utf8(l->s), l->s->arena,
				       &l->patterns[l->pattern_count]))
			octets += l->patterns[l->pattern_count++].text.n;
	return octets <= LIMIT_IMAP_PATTERN_OCTETS;
}

/* What is made for a line goes with it: there may be many. */
static enum status nodes_put(struct list *l)
{
	struct arena *kept = l->s->arena;
	enum status   st = ST_OK;

	l->s->arena = arena_new(NULL);
	for (size_t i = 0; i < l->tree.count && st == ST_OK; i++) {
		st = node_put(l, i);
		arena_reset(l->s->arena);
	}
	arena_free(&l->s->arena);
	l->s->arena = kept;
	return st;
}

/* Can a pattern match a name in others' namespace: else nobody is asked for it. */
static bool others_meet(const struct list *l)
{
	bool meets = (l->args.select & IMAP_LIST_RECURSIVE) != 0;

	for (size_t i = 0; i < l->pattern_count && !meets; i++)
		meets = imap_pattern_meets(&l->patterns[i], STR(IMAP_OTHERS));
	return meets;
}

enum imap_next imap_cmd_list(struct imap_session *s, struct imap_command *c)
{
	struct list l = { .s = s };
	bool        names;
	enum status st;

	if (!imap_lex_list(&c->x, &l.args))
		return imap_bad(s, "Syntax: LIST [(selection ...)] reference pattern [RETURN (option ...)]");
	if (!l.args.extended && l.args.patterns[0].n == 0) { /* RFC 3501 §6.3.8: only the delimiter is asked for */
		imap_put(s, STR("* LIST (\\Noselect) \"/\" \"\"\r\n"));
		return imap_ok(s, "That is all");
	}
	l.nonexistent = l.args.extended || (s->enabled & IMAP_ENABLED_REV2); /* RFC 9051 §6.3.9.6 */
	if (!patterns_parse(&l))
		return imap_no(s, "[LIMIT] The patterns are too long");
	names = (l.args.select & IMAP_LIST_SUBSCRIBED) != 0;
	st = l.pattern_count > 0 ? imap_tree_load(s, names, others_meet(&l), &l.tree) : ST_OK;
	nodes_match(&l);
	if (st == ST_OK)
		st = nodes_put(&l);
	return st == ST_OK || s->broken ? imap_ok(s, "That is all") : imap_failed(s, st);
}

static void lsub_lines(struct imap_session *s, const struct imap_tree *t, const struct imap_pattern *p, bool parents)
{
	struct arena *kept = s->arena;

	s->arena = arena_new(NULL);
	for (size_t i = 0; i < t->count && imap_spill(s); i++) {
		if ((!t->nodes[i].subscribed && !parents) || !imap_pattern_match(p, t->nodes[i].name))
			continue;
		line(s, "LSUB", t->nodes[i].subscribed ? STR("") : STR("\\Noselect"), t->nodes[i].name);
		imap_put(s, STR("\r\n"));
		arena_reset(s->arena);
	}
	arena_free(&s->arena);
	s->arena = kept;
}

/* RFC 3501 §6.3.9: "%" also gives unsubscribed parents of what is subscribed, as \Noselect. */
enum imap_next imap_cmd_lsub(struct imap_session *s, struct imap_command *c)
{
	struct store_account *a;
	struct imap_pattern   p;
	struct str            reference, pattern, *names;
	struct imap_tree      t = { 0 };
	size_t                count;
	bool                  parents;
	enum status           st;

	if (!imap_lex_astring(&c->x, &reference) || !imap_lex_sp(&c->x) || !imap_lex_pattern(&c->x, &pattern) ||
	    !imap_lex_end(&c->x))
		return imap_bad(s, "Syntax: LSUB reference pattern");
	if (!imap_pattern_parse(reference, pattern, imap_utf8(s), s->arena, &p))
		return imap_ok(s, "That is all");
	st = imap_account(s, &a);
	if (st == ST_OK)
		st = store_subscriptions(a, s->arena, &names, &count);
	if (st != ST_OK)
		return imap_failed(s, st);
	for (size_t i = 0; i < count; i++)
		imap_tree_add(&t, s->arena, (struct imap_node){ .name = names[i], .subscribed = true });
	if (!imap_tree_finish(&t, s))
		return imap_full(s);
	parents = pattern.n > 0 && pattern.p[pattern.n - 1] == '%';
	lsub_lines(s, &t, &p, parents);
	return imap_ok(s, "That is all");
}

void imap_put_status(struct imap_session *s, const struct store_mailbox *m, unsigned items)
{
	const struct {
		unsigned    item;
		const char *name;
		uint64_t    value;
	} values[] = {
		{ IMAP_STATUS_MESSAGES, "MESSAGES", m->messages },
		{ IMAP_STATUS_RECENT, "RECENT", m->recent },
		{ IMAP_STATUS_UIDNEXT, "UIDNEXT", m->uidnext },
		{ IMAP_STATUS_UIDVALIDITY, "UIDVALIDITY", m->uidvalidity },
		{ IMAP_STATUS_UNSEEN, "UNSEEN", m->unseen },
		{ IMAP_STATUS_DELETED, "DELETED", m->deleted },
		{ IMAP_STATUS_SIZE, "SIZE", m->size },
		{ IMAP_STATUS_APPENDLIMIT, "APPENDLIMIT", s->set->message_octets }, /* RFC 7889 §3 */
		{ IMAP_STATUS_HIGHESTMODSEQ, "HIGHESTMODSEQ", m->modseq },
		{ IMAP_STATUS_DELETED_STORAGE, "DELETED-STORAGE", m->deleted_size },
	};
	const char *sep = "";

	imap_put(s, STR("* STATUS "));
	imap_put_name(s, m->name);
	imap_put(s, STR(" ("));
	for (size_t i = 0; i < LEN(values); i++) {
		if (!(items & values[i].item))
			continue;
		imap_putf(s, "%s%s %llu", sep, values[i].name, (unsigned long long)values[i].value);
		sep = " ";
	}
	if (items & IMAP_STATUS_MAILBOXID) /* RFC 8474 §4.3 */
		imap_putf(s, "%sMAILBOXID (F%llu%s)", sep, (unsigned long long)m->id, imap_id_suffix(s, s->last_account));
	imap_put(s, STR(")\r\n"));
}

enum imap_next imap_cmd_status(struct imap_session *s, struct imap_command *c)
{
	struct store_account *a;
	struct store_mailbox  m;
	struct str            name;
	unsigned              items;
	enum status           st;

	if (!imap_name_take(s, &c->x, &name))
		return IMAP_NEXT_REPLY;
	if (!imap_lex_sp(&c->x) || !imap_lex_status(&c->x, &items) || !imap_lex_end(&c->x))
		return imap_bad(s, "Syntax: STATUS mailbox (item ...)");
	st = imap_mailbox_find(s, name, IMAP_RIGHT_READ, &a, &m);
	if (st == ST_OK)
		st = store_settle(a);
	if (st == ST_OK && (items & IMAP_STATUS_HIGHESTMODSEQ))
		st = store_highest(a, m.modseq, &m.modseq);
	if (st != ST_OK)
		return imap_failed(s, st);
	if (items & IMAP_STATUS_HIGHESTMODSEQ)
		imap_enable(s, IMAP_ENABLED_CONDSTORE);
	imap_put_status(s, &m, items);
	return imap_ok(s, "That is all");
}
