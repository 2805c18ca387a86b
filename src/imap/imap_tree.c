/* imap/imap_tree.c - contract is in imap_tree.h. */
#include "imap/imap_tree.h"

#include <stdlib.h>

#include "wire/imap/imap_name.h"

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

const char *imap_special_name(enum store_special special)
{
	return special_names[special];
}

enum store_special imap_special_find(struct str name)
{
	for (unsigned i = STORE_SPECIAL_DRAFTS; i <= STORE_SPECIAL_LAST; i++)
		if (str_ieq(name, str_of(special_names[i])))
			return (enum store_special)i;
	return STORE_SPECIAL_NONE;
}

struct str imap_node_attributes(const struct imap_node *n, const char *none, bool subscribed, struct arena *arena)
{
	const char *special = n->box ? imap_special_name(n->box->special) : "";

	return arena_printf(arena, "%s%s%s%s%s%s", n->box ? "" : none, n->box ? "" : " ", subscribed ? "\\Subscribed " : "",
			    n->children ? "\\HasChildren" : "\\HasNoChildren", special[0] ? " " : "", special);
}

/* INBOX first, then by octets, but with "/" before all others, so that children follow their parent at once. */
static int by_name(const void *va, const void *vb)
{
	const struct imap_node *a = va, *b = vb;
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

void imap_tree_add(struct imap_tree *t, struct arena *a, struct imap_node n)
{
	if (t->count == t->cap) {
		struct imap_node *more = ARENA_ARRAY(a, struct imap_node, t->cap ? t->cap * 2 : 32);

		for (size_t i = 0; i < t->count; i++)
			more[i] = t->nodes[i];
		t->nodes = more;
		t->cap = t->cap ? t->cap * 2 : 32;
	}
	t->nodes[t->count++] = n;
}

static void node_merge(struct imap_node *into, const struct imap_node *n)
{
	if (!into->box) {
		into->box = n->box;
		into->owner = n->owner;
		into->rights = n->rights;
	}
	into->subscribed |= n->subscribed;
}

/* Sorted; two nodes of one name become one. */
static void tree_sort(struct imap_tree *t)
{
	size_t n = 0;

	if (t->count > 1)
		qsort(t->nodes, t->count, sizeof(t->nodes[0]), by_name);
	for (size_t i = 0; i < t->count; i++) {
		if (n > 0 && str_eq(t->nodes[n - 1].name, t->nodes[i].name)) {
			node_merge(&t->nodes[n - 1], &t->nodes[i]);
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

bool imap_tree_finish(struct imap_tree *t, struct imap_session *s)
{
	size_t     real;
	struct str before = STR("");

	tree_sort(t);
	real = t->count;
	for (size_t i = 0; i < real; i++) {
		struct str name = t->nodes[i].name;

		/* The name before it has brought those that both share. */
		for (struct str p = imap_name_parent(name); p.n > 0 && !str_eq(p, before) && !imap_name_below(before, p);
		     p = imap_name_parent(p))
			imap_tree_add(t, s->arena, (struct imap_node){ .name = p });
		before = name;
		if (i % 1000 == 999 && !imap_work_take(s, arena_size(s->arena)))
			return false;
	}
	tree_sort(t);
	return imap_work_take(s, arena_size(s->arena));
}

static int by_octets(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Mailboxes of others, as far as they may be looked up; a subscription to one is in our own account. */
static enum status others_add(struct imap_session *s, struct imap_tree *t)
{
	struct imap_shared_box *shared;
	struct store_account   *a;
	struct str             *names;
	size_t                  count, name_count = 0;
	enum status             st = imap_shared_boxes(s, &shared, &count);

	if (st == ST_OK && count > 0)
		st = imap_account(s, &a);
	if (st == ST_OK && count > 0)
		st = store_subscriptions(a, s->arena, &names, &name_count);
	for (size_t i = 0; i < count && st == ST_OK; i++) {
		struct imap_node n = { .name = shared[i].name, .box = &shared[i].box, .owner = shared[i].owner, .rights = shared[i].rights };

		n.subscribed = name_count > 0 && bsearch(&n.name, names, name_count, sizeof(names[0]), by_octets) != NULL;
		imap_tree_add(t, s->arena, n);
	}
	return st;
}

enum status imap_tree_load(struct imap_session *s, bool subscribed, bool others, struct imap_tree *ret)
{
	struct store_account *a;
	struct store_mailbox *boxes;
	struct str           *names;
	size_t                count, name_count = 0;
	struct imap_tree      t = { 0 };
	enum status           st = imap_account(s, &a);

	if (st == ST_OK)
		st = store_mailbox_list(a, s->arena, &boxes, &count);
	if (st == ST_OK && subscribed)
		st = store_subscriptions(a, s->arena, &names, &name_count);
	if (st == ST_OK)
		st = store_settle(a);
	if (st != ST_OK)
		return st;
	for (size_t i = 0; i < count; i++)
		imap_tree_add(&t, s->arena,
			      (struct imap_node){ .name = boxes[i].name, .box = &boxes[i], .rights = IMAP_RIGHT_ALL, .subscribed = boxes[i].subscribed });
	for (size_t i = 0; i < name_count; i++)
		imap_tree_add(&t, s->arena, (struct imap_node){ .name = names[i], .subscribed = true });
	if (others)
		st = others_add(s, &t);
	if (!imap_tree_finish(&t, s))
		return ST_LIMIT;
	*ret = t;
	return st;
}
