/* wire/imap/imap_thread.c - contract is in imap_thread.h. The numbers are the steps of RFC 5256 §3, REFERENCES.
 *
 * Nodes are numbered; 0 is the root that holds all threads, a node without a message is a dummy. A node's children are a list in both
 * directions, so that a link is broken in one step.
 */
#include "wire/imap/imap_thread.h"

#include <stdlib.h>
#include <string.h>

struct node {
	uint32_t parent, first, last, prev, next; /* 0: none, which is the root as parent only where `placed` */
	uint32_t message;                         /* 1 + index; 0: a dummy */
	bool     placed;                          /* has a parent */
	struct str id;
};

struct imap_threads {
	const struct imap_thread_message *messages;
	struct arena                     *arena;
	struct node                      *nodes;
	uint32_t                          count, cap, max;
	uint32_t                         *slots; /* id to node, open addressing */
	size_t                            slot_count;
	uint64_t                          key, steps;
	uint32_t                          at, root; /* printing: the next node, and the thread that it is of */
};

_Static_assert(sizeof(struct node) + 4 * sizeof(uint32_t) <= IMAP_THREAD_NODE, "a node, and its places in the table");

/* ---- ids ---- */

static struct str normalised(struct str id, struct arena *a)
{
	char  *p = arena_alloc(a, id.n);
	size_t n = 0;
	bool   quoted = false;

	for (size_t i = 0; i < id.n; i++) {
		if (id.p[i] == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && id.p[i] == '\\' && i + 1 < id.n)
			i++;
		p[n++] = id.p[i];
	}
	return str_n(p, n);
}

bool imap_thread_id_next(struct str *value, struct arena *a, struct str *ret)
{
	while (value->n > 0) {
		ptrdiff_t open = str_find(*value, '<');
		bool      quoted = false, quotes = false;
		size_t    i;

		if (open < 0)
			break;
		*value = str_from(*value, (size_t)open + 1);
		for (i = 0; i < value->n && (quoted || (value->p[i] != '>' && value->p[i] != '<')); i++) {
			if (value->p[i] == '"') {
				quoted = !quoted;
				quotes = true;
			} else if (quoted && value->p[i] == '\\') {
				i++;
			}
		}
		if (i >= value->n)
			break;
		if (value->p[i] == '<')
			continue;

		struct str id = str_trim_ws(str_first(*value, i));

		*value = str_from(*value, i + 1);
		if (id.n == 0)
			continue;
		*ret = quotes ? normalised(id, a) : id;
		return true;
	}
	*value = STR_NONE;
	return false;
}

/* ---- nodes ---- */

static uint32_t node_new(struct imap_threads *t, uint32_t message, struct str id)
{
	if (t->count == t->cap) {
		struct node *more = ARENA_ARRAY(t->arena, struct node, (size_t)t->cap * 2);

		memcpy(more, t->nodes, t->count * sizeof(*more));
		t->nodes = more;
		t->cap *= 2;
	}
	t->nodes[t->count] = (struct node){ .message = message, .id = id };
	return t->count++;
}

static void slot_put(struct imap_threads *t, uint32_t node)
{
	size_t at = (size_t)str_hash_keyed(t->nodes[node].id, t->key) & (t->slot_count - 1);

	while (t->slots[at])
		at = (at + 1) & (t->slot_count - 1);
	t->slots[at] = node;
}

/* The table is kept less than half full. */
static void slots_grow(struct imap_threads *t)
{
	if ((size_t)t->count * 2 < t->slot_count)
		return;
	t->slot_count *= 2;
	t->slots = ARENA_ARRAY(t->arena, uint32_t, t->slot_count);
	for (uint32_t i = 1; i < t->count; i++)
		if (t->nodes[i].id.n > 0)
			slot_put(t, i);
}

static uint32_t id_find(const struct imap_threads *t, struct str id)
{
	size_t at = (size_t)str_hash_keyed(id, t->key) & (t->slot_count - 1);

	while (t->slots[at] && !str_eq(t->nodes[t->slots[at]].id, id))
		at = (at + 1) & (t->slot_count - 1);
	return t->slots[at];
}

/* 0: there are too many. */
static uint32_t id_node(struct imap_threads *t, struct str id)
{
	uint32_t node = id_find(t, id);

	if (node || t->count >= t->max)
		return node;
	slots_grow(t);
	node = node_new(t, 0, id);
	slot_put(t, node);
	return node;
}

static void unlink_node(struct imap_threads *t, uint32_t n)
{
	struct node *x = &t->nodes[n], *p = &t->nodes[x->parent];

	if (!x->placed)
		return;
	if (x->prev)
		t->nodes[x->prev].next = x->next;
	else
		p->first = x->next;
	if (x->next)
		t->nodes[x->next].prev = x->prev;
	else
		p->last = x->prev;
	x->parent = x->prev = x->next = 0;
	x->placed = false;
}

static void link_node(struct imap_threads *t, uint32_t parent, uint32_t n)
{
	struct node *x = &t->nodes[n], *p = &t->nodes[parent];

	CHECK(!x->placed && n != 0 && n != parent);
	x->parent = parent;
	x->prev = p->last;
	x->placed = true;
	if (p->last)
		t->nodes[p->last].next = n;
	else
		p->first = n;
	p->last = n;
}

/* Would `n` below `parent` close a loop? Only if n has children, and is above parent. */
static bool loops(struct imap_threads *t, uint32_t parent, uint32_t n)
{
	if (parent == n)
		return true;
	if (!t->nodes[n].first)
		return false;
	for (uint32_t up = parent; t->nodes[up].placed; up = t->nodes[up].parent) {
		if (t->nodes[up].parent == n || t->steps == 0)
			return true;
		t->steps--;
	}
	return false;
}

/* ---- (1) ---- */

static size_t references(struct imap_threads *t, const struct imap_thread_message *m, struct str *ret)
{
	struct str in = m->references;
	size_t     n = 0;

	while (imap_thread_id_next(&in, t->arena, &ret[n]))
		n += n + 1 < IMAP_THREAD_REFERENCES_MAX; /* the last one is the parent: it stays */
	if (n + 1 == IMAP_THREAD_REFERENCES_MAX)
		n++;
	in = m->in_reply_to;
	if (n == 0)
		n = imap_thread_id_next(&in, t->arena, &ret[0]);
	return n;
}

/* A message whose id is missing, or was there before, has one of its own that nobody can name. */
static uint32_t message_node(struct imap_threads *t, uint32_t i)
{
	struct str in = t->messages[i].message_id, id;
	uint32_t   node;

	if (!imap_thread_id_next(&in, t->arena, &id))
		return node_new(t, i + 1, STR_NONE);
	node = id_node(t, id);
	if (node == 0 || t->nodes[node].message)
		return node_new(t, i + 1, STR_NONE);
	t->nodes[node].message = i + 1;
	return node;
}

static void message_add(struct imap_threads *t, uint32_t i, struct str *refs)
{
	size_t   n = references(t, &t->messages[i], refs);
	uint32_t self = message_node(t, i), before = 0;

	/* (A) */
	for (size_t k = 0; k < n; k++) {
		uint32_t one = id_node(t, refs[k]);

		if (one == 0)
			continue;
		if (before && !t->nodes[one].placed && !loops(t, before, one))
			link_node(t, before, one);
		before = one;
	}
	/* (B) */
	if (before == self)
		return;
	unlink_node(t, self);
	if (before && !loops(t, before, self))
		link_node(t, before, self);
}

/* ---- (2) and (3) ---- */

static void roots_gather(struct imap_threads *t)
{
	for (uint32_t i = 1; i < t->count; i++)
		if (!t->nodes[i].placed)
			link_node(t, 0, i);
}

/* The node behind n when parents come before their children; 0: none. */
static uint32_t next_down(const struct imap_threads *t, uint32_t n)
{
	if (t->nodes[n].first)
		return t->nodes[n].first;
	while (n != 0 && !t->nodes[n].next)
		n = t->nodes[n].parent;
	return t->nodes[n].next;
}

/* Children of a dummy take its place, so that dummies are left only below the root, with two children or more. All at once: a row of
 * dummies above a crowd would otherwise move the crowd once for each. */
static void dummies_drop(struct imap_threads *t)
{
	uint32_t *order = ARENA_ARRAY(t->arena, uint32_t, t->count);  /* parents before children */
	uint32_t *above = ARENA_ARRAY(t->arena, uint32_t, t->count);  /* whose child a child of this one will be */
	uint32_t *parent = ARENA_ARRAY(t->arena, uint32_t, t->count); /* to be */
	uint32_t *kids = ARENA_ARRAY(t->arena, uint32_t, t->count);
	size_t    count = 0;

	for (uint32_t n = t->nodes[0].first; n; n = next_down(t, n)) {
		uint32_t up = t->nodes[n].parent;

		order[count++] = n;
		parent[n] = up ? above[up] : 0;
		above[n] = t->nodes[n].message || !up ? n : above[up];
		kids[parent[n]] += t->nodes[n].message != 0;
	}
	for (uint32_t n = 0; n < t->count; n++) {
		struct node *x = &t->nodes[n];

		x->parent = x->first = x->last = x->prev = x->next = 0;
		x->placed = false;
	}
	for (size_t i = 0; i < count; i++) {
		uint32_t n = order[i], up = parent[n];

		if (!t->nodes[n].message && (above[n] != n || kids[n] < 2))
			continue;
		link_node(t, up && !t->nodes[up].message && kids[up] < 2 ? 0 : up, n);
	}
}

/* ---- sorting ---- */

struct entry {
	int64_t  date_ms;
	uint32_t number, node; /* number: place in the mailbox */
};

static int by_date(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;

	if (a->date_ms != b->date_ms)
		return a->date_ms < b->date_ms ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

/* A dummy counts as its first child, which is sorted before. */
static struct entry entry_of(const struct imap_threads *t, uint32_t n)
{
	uint32_t m = t->nodes[n].message;

	while (!m && t->nodes[n].first) {
		n = t->nodes[n].first;
		m = t->nodes[n].message;
	}
	return (struct entry){ m ? t->messages[m - 1].date_ms : 0, m, n };
}

static void relink(struct imap_threads *t, uint32_t parent, struct entry *list, size_t n)
{
	qsort(list, n, sizeof(*list), by_date);
	t->nodes[parent].first = t->nodes[parent].last = 0;
	for (size_t i = 0; i < n; i++) {
		t->nodes[list[i].node].placed = false;
		t->nodes[list[i].node].next = 0;
		link_node(t, parent, list[i].node);
	}
}

static void children_sort(struct imap_threads *t, uint32_t parent, struct entry *list)
{
	size_t n = 0;

	for (uint32_t c = t->nodes[parent].first; c; c = t->nodes[c].next) {
		list[n] = entry_of(t, c);
		list[n++].node = c;
	}
	if (n > 1)
		relink(t, parent, list, n);
}

/* Dummies stand below the root only, so the order in which the others are sorted does not matter: but dummies before the root. */
static void all_sort(struct imap_threads *t, struct entry *list)
{
	for (uint32_t i = t->count; i-- > 0;)
		if (t->nodes[i].first)
			children_sort(t, i, list);
}

/* REFS: by the newest message of the thread. */
static void roots_sort_newest(struct imap_threads *t, struct entry *list)
{
	size_t n = 0;

	for (uint32_t c = t->nodes[0].first; c; c = t->nodes[c].next) {
		struct entry newest = { INT64_MIN, 0, c };

		/* Threads stand in one row: the next one begins where the nodes of this one end. */
		for (uint32_t at = c; at && at != t->nodes[c].next; at = next_down(t, at)) {
			uint32_t m = t->nodes[at].message;

			if (m && t->messages[m - 1].date_ms >= newest.date_ms) {
				newest.date_ms = t->messages[m - 1].date_ms;
				newest.number = MAX(newest.number, m);
			}
		}
		list[n++] = newest;
	}
	relink(t, 0, list, n);
}

/* ---- (5) ---- */

struct subjects {
	uint32_t *slots;
	size_t    slot_count;
};

static struct str subject_of(const struct imap_threads *t, uint32_t n)
{
	uint32_t m = t->nodes[n].message ? t->nodes[n].message : t->nodes[t->nodes[n].first].message;

	return m ? t->messages[m - 1].subject : STR_NONE;
}

static bool is_reply(const struct imap_threads *t, uint32_t n)
{
	return t->nodes[n].message && t->messages[t->nodes[n].message - 1].reply;
}

/* The place of that subject in the table; its node may be 0. A node in it always has the subject under which it stands. */
static uint32_t *subject_slot(const struct imap_threads *t, const struct subjects *s, struct str subject)
{
	size_t at = (size_t)str_hash_keyed(subject, t->key) & (s->slot_count - 1);

	while (s->slots[at] && !str_eq(subject_of(t, s->slots[at]), subject))
		at = (at + 1) & (s->slot_count - 1);
	return &s->slots[at];
}

/* (B) */
static void subjects_gather(struct imap_threads *t, struct subjects *s)
{
	for (uint32_t n = t->nodes[0].first; n; n = t->nodes[n].next) {
		struct str subject = subject_of(t, n);
		uint32_t  *slot;

		if (subject.n == 0)
			continue;
		slot = subject_slot(t, s, subject);
		if (*slot == 0 || (!t->nodes[n].message && t->nodes[*slot].message) ||
		    (t->nodes[*slot].message && is_reply(t, *slot) && t->nodes[n].message && !is_reply(t, n)))
			*slot = n;
	}
}

static void merge(struct imap_threads *t, uint32_t n, uint32_t *slot)
{
	uint32_t into = *slot, child;

	if (!t->nodes[n].message && !t->nodes[into].message) {
		while ((child = t->nodes[n].first) != 0) {
			unlink_node(t, child);
			link_node(t, into, child);
		}
		unlink_node(t, n);
		return;
	}
	if (!t->nodes[into].message || (is_reply(t, n) && !is_reply(t, into))) {
		unlink_node(t, n);
		link_node(t, into, n);
		return;
	}
	/* Two of one rank: below a new dummy, in the place of the one in the table. */
	child = node_new(t, 0, STR_NONE);
	unlink_node(t, n);
	unlink_node(t, into);
	link_node(t, 0, child);
	link_node(t, child, into);
	link_node(t, child, n);
	*slot = child;
}

/* (C) */
static void subjects_merge(struct imap_threads *t)
{
	struct subjects s = { .slot_count = 64 };
	uint32_t        n, next, roots = 0;

	for (n = t->nodes[0].first; n; n = t->nodes[n].next)
		roots++;
	while (s.slot_count < (size_t)roots * 2)
		s.slot_count *= 2;
	s.slots = ARENA_ARRAY(t->arena, uint32_t, s.slot_count);
	subjects_gather(t, &s);
	for (n = t->nodes[0].first; n; n = next) {
		struct str subject = subject_of(t, n);
		uint32_t  *slot;

		next = t->nodes[n].next;
		if (subject.n == 0)
			continue;
		slot = subject_slot(t, &s, subject);
		if (*slot == n || *slot == 0)
			continue;
		if (next == *slot && t->nodes[*slot].message) /* it may go below a dummy */
			next = t->nodes[next].next;
		merge(t, n, slot);
	}
}

/* ---- the algorithms ---- */

static void by_references(struct imap_threads *t, enum imap_thread_kind kind, size_t count)
{
	struct str   *refs = ARENA_ARRAY(t->arena, struct str, IMAP_THREAD_REFERENCES_MAX);
	struct entry *list;

	for (uint32_t i = 0; i < count; i++)
		message_add(t, i, refs);
	roots_gather(t);
	dummies_drop(t);
	list = ARENA_ARRAY(t->arena, struct entry, (size_t)t->count + count);
	all_sort(t, list);
	if (kind == IMAP_THREAD_REFS) {
		roots_sort_newest(t, list);
		return;
	}
	subjects_merge(t);
	all_sort(t, list);
}

struct subject_entry {
	const struct imap_thread_message *m;
	uint32_t                          index;
};

static int by_subject(const void *x, const void *y)
{
	const struct subject_entry *a = x, *b = y;
	int                         c = str_cmp(a->m->subject, b->m->subject);

	if (c != 0)
		return c;
	if (a->m->date_ms != b->m->date_ms)
		return a->m->date_ms < b->m->date_ms ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static void by_subjects(struct imap_threads *t, size_t count)
{
	struct subject_entry *list = ARENA_ARRAY(t->arena, struct subject_entry, count);
	uint32_t              first = 0;

	for (uint32_t i = 0; i < count; i++)
		list[i] = (struct subject_entry){ &t->messages[i], i };
	if (count > 1)
		qsort(list, count, sizeof(*list), by_subject);
	for (size_t i = 0; i < count; i++) {
		uint32_t n = node_new(t, list[i].index + 1, STR_NONE);

		if (i > 0 && str_eq(list[i].m->subject, list[i - 1].m->subject)) {
			link_node(t, first, n);
		} else {
			link_node(t, 0, n);
			first = n;
		}
	}
	children_sort(t, 0, ARENA_ARRAY(t->arena, struct entry, count));
}

struct imap_threads *imap_thread_make(enum imap_thread_kind kind, const struct imap_thread_message *messages, size_t count,
				      size_t nodes, uint64_t key, struct arena *a)
{
	struct imap_threads *t = ARENA_NEW(a, struct imap_threads);

	CHECK(count < UINT32_MAX / 8 && nodes < UINT32_MAX / 8);
	*t = (struct imap_threads){ .messages = messages, .arena = a, .key = key, .cap = (uint32_t)count + 64, .slot_count = 256 };
	t->max = (uint32_t)nodes;
	t->steps = IMAP_THREAD_STEPS + 64 * (uint64_t)count;
	while (t->slot_count < count * 2)
		t->slot_count *= 2;
	t->nodes = ARENA_ARRAY(a, struct node, t->cap);
	t->slots = ARENA_ARRAY(a, uint32_t, t->slot_count);
	(void)node_new(t, 0, STR_NONE); /* the root */
	if (kind == IMAP_THREAD_ORDEREDSUBJECT)
		by_subjects(t, count);
	else
		by_references(t, kind, count);
	t->at = t->root = t->nodes[0].first;
	return t;
}

/* ---- printing ---- */

static bool is_branch(const struct imap_threads *t, uint32_t n)
{
	return n == 0 || t->nodes[n].first != t->nodes[n].last;
}

/* The subtree of n ends: close lists up to the next brother of one that stands in a row of lists. 0: the thread has ended. */
static uint32_t climb(const struct imap_threads *t, uint32_t n, struct buf *out)
{
	for (; n != 0; n = t->nodes[n].parent) {
		if (!is_branch(t, t->nodes[n].parent))
			continue;
		buf_add_char(out, ')');
		if (t->nodes[n].parent == 0)
			return 0;
		if (t->nodes[n].next)
			return t->nodes[n].next;
	}
	return 0;
}

/* One node, and the move to the one that is printed behind it. */
static void node_print(struct imap_threads *t, struct buf *out)
{
	const struct node *x = &t->nodes[t->at];
	uint32_t           n = t->at;

	if (is_branch(t, x->parent))
		buf_add_char(out, '(');
	if (x->message) {
		if (!is_branch(t, x->parent) && t->nodes[x->parent].message)
			buf_add_char(out, ' ');
		buf_add_u64(out, t->messages[x->message - 1].number);
		if (x->first && is_branch(t, n))
			buf_add_char(out, ' ');
	}
	t->at = x->first ? x->first : climb(t, n, out);
	if (t->at == 0)
		t->at = t->root = t->nodes[t->root].next;
}

bool imap_thread_print(struct imap_threads *t, size_t octets, struct buf *out)
{
	size_t until = out->n + octets;

	while (t->at != 0 && out->n < until)
		node_print(t, out);
	return t->at != 0;
}
