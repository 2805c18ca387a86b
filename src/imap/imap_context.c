/* imap/imap_context.c - searches whose result is kept up to date: UPDATE, CANCELUPDATE (RFC 5267 §4.3).
 *
 *   none --SEARCH, SORT with UPDATE--> kept --CANCELUPDATE, the mailbox is left--> none
 *                                      kept --cannot be followed any more: NO [NOUPDATE "tag"]--> none
 *
 * A context keeps the text of its command and the UIDs of its result, in order. Behind each sync the messages that have changed since are
 * held against the keys again; those that are expunged leave the result before EXPUNGE or VANISHED tells of them, while their numbers are
 * still good. Positions are those at the moment at which the client comes to them: it applies one pair after the other (§4.3.2).
 *
 * Refused: what names messages by number or "$", more than LIMIT_IMAP_CONTEXTS, results over LIMIT_IMAP_CONTEXT_MESSAGES.
 */
#include <stdlib.h>
#include <string.h>

#include "imap/imap_cmd_notify.h"
#include "imap/imap_found.h"

struct imap_context {
	struct imap_context *next;
	struct arena        *arena;
	struct str           tag, args;
	bool                 uid, sort;
	uint64_t             modseq; /* the result is as of then */
	uint32_t             uidnext; /* likewise */
	uint32_t            *uids;   /* heap */
	size_t               count, cap;
};

static void context_free(struct imap_session *s, struct imap_context *x)
{
	imap_saved_give(s, x->cap * sizeof(x->uids[0]) + x->args.n);
	free(x->uids);
	arena_free(&x->arena);
}

void imap_contexts_done(struct imap_session *s)
{
	struct imap_context *next;

	for (struct imap_context *x = s->box.contexts; x; x = next) {
		next = x->next;
		context_free(s, x);
	}
	s->box.contexts = NULL;
}

static void no_update(struct imap_session *s, struct str tag, const char *why)
{
	imap_putf(s, "* NO [NOUPDATE \"%.*s\"] %s\r\n", STR_FMT(tag), why);
}

static void drop(struct imap_session *s, struct imap_context *x)
{
	struct imap_context **at = &s->box.contexts;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	context_free(s, x);
}

/* Room for one more; false: a limit. */
static bool room(struct imap_session *s, struct imap_context *x)
{
	size_t    cap = MAX(x->cap * 2, (size_t)64);
	uint32_t *more;

	if (x->count < x->cap)
		return true;
	if (x->count >= LIMIT_IMAP_CONTEXT_MESSAGES || !imap_saved_take(s, (cap - x->cap) * sizeof(*more)))
		return false;
	more = reallocarray(x->uids, cap, sizeof(*more));
	CHECK(more != NULL);
	x->uids = more;
	x->cap = cap;
	return true;
}

static struct imap_context *context_new(struct imap_session *s, const struct imap_query *q)
{
	struct arena        *a;
	struct imap_context *x;

	if (!imap_saved_take(s, q->args.n))
		return NULL;
	a = arena_new(NULL);
	x = ARENA_NEW(a, struct imap_context);
	*x = (struct imap_context){ .arena = a, .uid = q->uid, .sort = q->sort.count > 0, .modseq = s->box.modseq,
				    .uidnext = s->box.uidnext };
	x->tag = arena_dup(a, s->tag);
	x->args = arena_dup(a, q->args);
	x->next = s->box.contexts;
	s->box.contexts = x;
	return x;
}

bool imap_context_legal(struct imap_session *s, const struct imap_query *q)
{
	for (const struct imap_context *x = s->box.contexts; x && (q->ret.what & IMAP_RETURN_UPDATE); x = x->next)
		if (str_eq(x->tag, s->tag)) {
			imap_bad(s, "The tag is that of a search which is still kept up to date");
			return false;
		}
	return true;
}

void imap_context_add(struct imap_session *s, const struct imap_query *q, const struct imap_found *f)
{
	struct imap_context *x = NULL;
	size_t               count = 0;

	for (x = s->box.contexts; x; x = x->next)
		count++;
	if (q->search.numbers || q->search.saved) {
		no_update(s, s->tag, "Message numbers and \"$\" are not followed");
		return;
	}
	if (count >= LIMIT_IMAP_CONTEXTS || f->count > LIMIT_IMAP_CONTEXT_MESSAGES || (x = context_new(s, q)) == NULL) {
		no_update(s, s->tag, "Too many contexts");
		return;
	}
	for (size_t i = 0; i < f->count; i++) {
		if (!room(s, x)) {
			drop(s, x);
			no_update(s, s->tag, "Too many contexts");
			return;
		}
		x->uids[x->count++] = s->box.view.rows[f->places[i]].uid;
	}
}

/* ---- telling ---- */

/* One line of pairs "position set", begun when there is something to tell. */
struct news {
	struct imap_session       *s;
	const struct imap_context *x;
	const char                *item; /* ADDTO or REMOVEFROM */
	bool                       begun;
};

static void news_pair(struct news *n, size_t position, const uint32_t *places, size_t count)
{
	struct imap_session *s = n->s;
	bool                 uid = n->x->uid || (s->enabled & IMAP_ENABLED_UIDONLY); /* RFC 9586 §3: enabled since, maybe */

	if (!n->begun) {
		imap_inside(s, true);
		imap_putf(s, "* ESEARCH (TAG \"%.*s\")%s %s (", STR_FMT(n->x->tag), uid ? " UID" : "", n->item);
	}
	imap_putf(s, "%s%zu ", n->begun ? " " : "", position);
	imap_found_put_set(s, &s->box, uid, places, count);
	n->begun = true;
}

static void news_end(struct news *n)
{
	if (!n->begun)
		return;
	imap_put(n->s, STR(")\r\n"));
	imap_inside(n->s, false);
}

/* Take those out of the result for which gone[place] is set; from the last to the first where positions count. */
static void remove_from(struct imap_session *s, struct imap_context *x, const unsigned char *gone)
{
	struct news n = { .s = s, .x = x, .item = "REMOVEFROM" };
	uint32_t   *places = ARENA_ARRAY(s->arena, uint32_t, x->count);
	size_t      kept = 0, out = 0;

	for (size_t i = x->count; i-- > 0 && x->sort;) {
		uint32_t place = (uint32_t)imap_row_from(&s->box, x->uids[i]);

		if (gone[place])
			news_pair(&n, i + 1, &place, 1);
	}
	for (size_t i = 0; i < x->count; i++) {
		uint32_t place = (uint32_t)imap_row_from(&s->box, x->uids[i]);

		if (gone[place])
			places[out++] = place;
		else
			x->uids[kept++] = x->uids[i];
	}
	if (!x->sort && out > 0)
		news_pair(&n, 0, places, out);
	x->count = kept;
	news_end(&n);
}

void imap_contexts_gone(struct imap_session *s, const uint32_t *places, size_t count)
{
	unsigned char *gone;

	if (!s->box.contexts || count == 0)
		return;
	gone = arena_alloc(s->arena, s->box.view.count + 1);
	for (size_t i = 0; i < count; i++)
		gone[places[i]] = 1;
	for (struct imap_context *x = s->box.contexts; x; x = x->next)
		remove_from(s, x, gone);
}

/* Does the message at place a stand before the one at b? */
static bool before(struct imap_match *m, const struct imap_sort *sort, uint32_t a, uint32_t b)
{
	uint32_t          pair[2] = { MIN(a, b), MAX(a, b) };
	struct imap_found f = { .places = pair, .count = 2, .cap = 2 };

	return imap_found_sort(m, sort, &f) && pair[0] == a;
}

/* Where it belongs among the result. */
static size_t position_of(struct imap_match *m, const struct imap_query *q, const struct imap_context *x, uint32_t place)
{
	size_t lo = 0, hi = x->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (before(m, &q->sort, (uint32_t)imap_row_from(m->box, x->uids[mid]), place))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool insert(struct imap_session *s, struct imap_context *x, size_t at, uint32_t place)
{
	if (!room(s, x))
		return false;
	memmove(x->uids + at + 1, x->uids + at, (x->count - at) * sizeof(x->uids[0]));
	x->uids[at] = s->box.view.rows[place].uid;
	x->count++;
	return true;
}

static int by_uid(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool add_to(struct imap_match *m, const struct imap_query *q, struct imap_context *x, const uint32_t *places, size_t count)
{
	struct news n = { .s = m->s, .x = x, .item = "ADDTO" };
	bool        ok = true;

	for (size_t i = 0; i < count && ok; i++) {
		size_t at = x->sort ? position_of(m, q, x, places[i]) : x->count;

		ok = insert(m->s, x, at, places[i]);
		if (ok && x->sort)
			news_pair(&n, at + 1, &places[i], 1);
	}
	if (!x->sort && ok && count > 0) {
		news_pair(&n, 0, places, count);
		qsort(x->uids, x->count, sizeof(x->uids[0]), by_uid);
	}
	news_end(&n);
	return ok;
}

/* UPDATE (...): of messages that are new in the mailbox, and before they are told as added (RFC 5465 §7). */
static void new_fetch(struct imap_session *s, const struct imap_query *q, const struct imap_context *x, const uint32_t *places, size_t count)
{
	struct imap_set_writer w;
	struct buf             set;
	size_t                 i = 0;

	while (i < count && s->box.view.rows[places[i]].uid < x->uidnext)
		i++;
	if (i == count || q->ret.fetch.n == 0)
		return;
	buf_init(&set, LIMIT_IMAP_LINE);
	imap_set_writer_init(&w, &set);
	for (; i < count; i++)
		imap_set_writer_add(&w, s->box.view.rows[places[i]].uid);
	imap_set_writer_done(&w);
	if (!set.over) /* more at once are not fetched: the client has their numbers */
		imap_notice_fetch(s, arena_dup(s->arena, buf_str(&set)), q->ret.fetch);
	buf_done(&set);
}

/* Hold what has changed against the keys again. False: the result is not known any more. */
static bool look_again(struct imap_match *m, const struct imap_query *q, struct imap_context *x)
{
	const struct store_view *v = &m->box->view;
	unsigned char           *in = arena_alloc(m->s->arena, v->count + 1);
	unsigned char           *gone = arena_alloc(m->s->arena, v->count + 1);
	uint32_t                *added = ARENA_ARRAY(m->s->arena, uint32_t, v->count);
	size_t                   count = 0, removed = 0;

	for (size_t i = 0; i < x->count; i++)
		in[imap_row_from(m->box, x->uids[i])] = 1;
	for (uint32_t i = 0; i < v->count && imap_match_goes_on(m, i); i++) {
		bool match;

		if (v->rows[i].modseq <= x->modseq)
			continue;
		match = imap_match(m, q->search.root, i);
		if (match && !in[i])
			added[count++] = i;
		if (!match && in[i])
			removed += gone[i] = 1;
	}
	if (m->status != ST_OK || m->full || m->gone)
		return false;
	if (removed > 0)
		remove_from(m->s, x, gone);
	new_fetch(m->s, q, x, added, count);
	return add_to(m, q, x, added, count);
}

static bool context_tell(struct imap_session *s, struct imap_context *x)
{
	struct imap_lex   lex = { .in = x->args, .arena = s->arena };
	struct imap_query q = { .uid = x->uid };
	struct imap_match m;
	struct imap_reply kept = s->reply;
	bool              ok;

	CHECK(imap_query_lex(&lex, x->sort, &q) == IMAP_SEARCH_OK);
	imap_match_init(&m, s);
	imap_match_prepare(&m, q.search.root);
	ok = look_again(&m, &q, x) && m.status == ST_OK && !m.full;
	imap_match_done(&m);
	s->reply = kept;
	x->modseq = s->box.modseq;
	x->uidnext = s->box.uidnext;
	return ok;
}

enum status imap_contexts_tell(struct imap_session *s)
{
	struct imap_context *next;
	enum status          st;

	for (struct imap_context *x = s->box.contexts; x; x = next) {
		next = x->next;
		if (x->modseq == s->box.modseq)
			continue;
		st = imap_view(s);
		if (st != ST_OK)
			return st == ST_TEMP ? ST_OK : st; /* later */
		if (!context_tell(s, x)) {
			no_update(s, x->tag, "The result is not followed any more");
			drop(s, x);
		}
	}
	return ST_OK;
}

/* CANCELUPDATE 1*(SP quoted) */
enum imap_next imap_cmd_cancelupdate(struct imap_session *s, struct imap_command *c)
{
	struct str tag;

	do {
		struct imap_context *x = s->box.contexts;

		if (imap_lex_peek(&c->x) != '"' || !imap_lex_string(&c->x, &tag))
			return imap_bad(s, "Syntax: CANCELUPDATE \"tag\" ...");
		while (x && !str_eq(x->tag, tag))
			x = x->next;
		if (x)
			drop(s, x);
	} while (imap_lex_sp(&c->x));
	if (!imap_lex_end(&c->x))
		return imap_bad(s, "Syntax: CANCELUPDATE \"tag\" ...");
	return imap_ok(s, "No more of that");
}
