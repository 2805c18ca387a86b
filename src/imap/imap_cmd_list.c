/* imap/imap_cmd_list.c - LIST, LSUB, STATUS (RFC 3501 §6.3.8 to §6.3.10; CHILDREN RFC 3348, SPECIAL-USE RFC 6154,
 * STATUS=SIZE RFC 8438).
 *
 * The mailboxes are a sorted list of names; parents that do not exist are put in as \Noselect, so that "%" shows a
 * whole tree.
 */
#include <stdlib.h>

#include "imap/imap_session.h"
#include "wire/imap/imap_name.h"
#include "wire/imap/imap_print.h"

struct node {
	struct str         name;
	enum store_special special;
	bool               exists, children;
};

struct tree {
	struct node *nodes;
	size_t       count, cap;
};

static const char *const special_names[STORE_SPECIAL_LAST + 1] = {
	[STORE_SPECIAL_NONE] = "",
	[STORE_SPECIAL_INBOX] = "",
	[STORE_SPECIAL_DRAFTS] = "\\Drafts",
	[STORE_SPECIAL_SENT] = "\\Sent",
	[STORE_SPECIAL_TRASH] = "\\Trash",
	[STORE_SPECIAL_JUNK] = "\\Junk",
	[STORE_SPECIAL_ALL] = "\\All",
	[STORE_SPECIAL_ARCHIVE] = "\\Archive",
	[STORE_SPECIAL_FLAGGED] = "\\Flagged",
	[STORE_SPECIAL_IMPORTANT] = "\\Important",
};

/* INBOX first, then by octets, but with "/" before all others, so that children follow their parent at once. */
static int by_name(const void *va, const void *vb)
{
	const struct node *a = va, *b = vb;
	bool               ia = imap_name_is_inbox(a->name), ib = imap_name_is_inbox(b->name);
	size_t             n = MIN(a->name.n, b->name.n), i = 0;

	if (ia != ib)
		return ia ? -1 : 1;
	while (i < n && a->name.p[i] == b->name.p[i])
		i++;
	if (i == n)
		return (a->name.n > b->name.n) - (a->name.n < b->name.n);
	if (a->name.p[i] == IMAP_DELIMITER || b->name.p[i] == IMAP_DELIMITER)
		return a->name.p[i] == IMAP_DELIMITER ? -1 : 1;
	return (unsigned char)a->name.p[i] < (unsigned char)b->name.p[i] ? -1 : 1;
}

static void node_add(struct tree *t, struct arena *a, struct node n)
{
	if (t->count == t->cap) {
		struct node *more = ARENA_ARRAY(a, struct node, t->cap ? t->cap * 2 : 32);

		for (size_t i = 0; i < t->count; i++)
			more[i] = t->nodes[i];
		t->nodes = more;
		t->cap = t->cap ? t->cap * 2 : 32;
	}
	t->nodes[t->count++] = n;
}

/* Sorted; two nodes of one name become one. */
static void tree_sort(struct tree *t)
{
	size_t n = 0;

	if (t->count > 1)
		qsort(t->nodes, t->count, sizeof(t->nodes[0]), by_name);
	for (size_t i = 0; i < t->count; i++) {
		if (n > 0 && str_eq(t->nodes[n - 1].name, t->nodes[i].name)) {
			if (t->nodes[i].exists)
				t->nodes[n - 1] = t->nodes[i];
		} else {
			t->nodes[n++] = t->nodes[i];
		}
	}
	t->count = n;
	for (size_t i = 0; i + 1 < t->count; i++)
		t->nodes[i].children = imap_name_below(t->nodes[i + 1].name, t->nodes[i].name);
	/* INBOX was put first; its children stand where their name sorts. */
	for (size_t i = 1; i < t->count && imap_name_is_inbox(t->nodes[0].name); i++)
		t->nodes[0].children |= imap_name_below(t->nodes[i].name, t->nodes[0].name);
}

static void parents_add(struct tree *t, struct arena *a)
{
	size_t real = t->count;

	for (size_t i = 0; i < real; i++)
		for (struct str p = imap_name_parent(t->nodes[i].name); p.n > 0; p = imap_name_parent(p))
			node_add(t, a, (struct node){ .name = p });
	tree_sort(t);
}

static enum status tree_load(struct imap_session *s, struct tree *t)
{
	struct store_account *a;
	struct store_mailbox *boxes;
	struct imap_shared_box *shared;
	size_t                count;
	enum status           st = imap_account(s, &a);

	if (st == ST_OK)
		st = store_mailbox_list(a, s->arena, &boxes, &count);
	if (st == ST_OK)
		st = store_settle(a);
	if (st != ST_OK)
		return st;
	for (size_t i = 0; i < count; i++)
		node_add(t, s->arena,
			 (struct node){ .name = boxes[i].name, .special = boxes[i].special, .exists = true });
	st = imap_shared_boxes(s, &shared, &count);
	if (st != ST_OK)
		return st;
	for (size_t i = 0; i < count; i++)
		node_add(t, s->arena, (struct node){ .name = shared[i].name, .exists = true });
	parents_add(t, s->arena);
	return ST_OK;
}

static void line(struct imap_session *s, const char *word, struct str attributes, struct str name)
{
	imap_putf(s, "* %s ", word);
	imap_print_list(&s->out, attributes, imap_name_wire(name, (s->enabled & IMAP_ENABLED_UTF8) != 0, s->arena));
	imap_put(s, STR("\r\n"));
}

static void list_line(struct imap_session *s, const struct node *n)
{
	const char *special = n->exists ? special_names[n->special] : "";

	line(s, "LIST",
	     arena_printf(s->arena, "%s%s%s%s", n->exists ? "" : "\\Noselect ",
			  n->children ? "\\HasChildren" : "\\HasNoChildren", special[0] ? " " : "", special),
	     n->name);
}

/* reference SP list-mailbox, to the end */
static bool arguments(struct imap_session *s, struct imap_command *c, struct str *ret_reference,
		      struct str *ret_pattern)
{
	if (imap_lex_astring(&c->x, ret_reference) && imap_lex_sp(&c->x) && imap_lex_pattern(&c->x, ret_pattern) &&
	    imap_lex_end(&c->x))
		return true;
	imap_bad(s, "Syntax: reference pattern");
	return false;
}

enum imap_next imap_cmd_list(struct imap_session *s, struct imap_command *c)
{
	struct imap_pattern p;
	struct str          reference, pattern;
	struct tree         t = { 0 };
	enum status         st;

	if (!arguments(s, c, &reference, &pattern))
		return IMAP_NEXT_REPLY;
	if (pattern.n == 0) { /* RFC 3501 §6.3.8: only the delimiter is asked for */
		line(s, "LIST", STR("\\Noselect"), STR(""));
		return imap_ok(s, "That is all");
	}
	if (!imap_pattern_parse(reference, pattern, (s->enabled & IMAP_ENABLED_UTF8) != 0, s->arena, &p))
		return imap_ok(s, "That is all");
	st = tree_load(s, &t);
	if (st != ST_OK)
		return imap_failed(s, st);
	for (size_t i = 0; i < t.count; i++)
		if (imap_pattern_match(&p, t.nodes[i].name) && imap_spill(s))
			list_line(s, &t.nodes[i]);
	return imap_ok(s, "That is all");
}

/* RFC 3501 §6.3.9: "%" also gives unsubscribed parents of what is subscribed, as \Noselect. */
enum imap_next imap_cmd_lsub(struct imap_session *s, struct imap_command *c)
{
	struct store_account *a;
	struct imap_pattern   p;
	struct str            reference, pattern, *names;
	struct tree           t = { 0 };
	size_t                count;
	bool                  parents;
	enum status           st;

	if (!arguments(s, c, &reference, &pattern))
		return IMAP_NEXT_REPLY;
	if (!imap_pattern_parse(reference, pattern, (s->enabled & IMAP_ENABLED_UTF8) != 0, s->arena, &p))
		return imap_ok(s, "That is all");
	st = imap_account(s, &a);
	if (st == ST_OK)
		st = store_subscriptions(a, s->arena, &names, &count);
	if (st != ST_OK)
		return imap_failed(s, st);
	for (size_t i = 0; i < count; i++)
		node_add(&t, s->arena, (struct node){ .name = names[i], .exists = true });
	parents_add(&t, s->arena);
	parents = pattern.n > 0 && pattern.p[pattern.n - 1] == '%';
	for (size_t i = 0; i < t.count; i++)
		if ((t.nodes[i].exists || parents) && imap_pattern_match(&p, t.nodes[i].name) && imap_spill(s))
			line(s, "LSUB", t.nodes[i].exists ? STR("") : STR("\\Noselect"), t.nodes[i].name);
	return imap_ok(s, "That is all");
}

static void status_line(struct imap_session *s, const struct store_mailbox *m, unsigned items)
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
	if (st != ST_OK)
		return imap_failed(s, st);
	status_line(s, &m, items);
	return imap_ok(s, "That is all");
}
