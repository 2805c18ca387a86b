/* store/store_views.c - views that were let go, for who asks for the same mailbox next.
 *
 * To read a list of messages costs a row of the table for each; to bring an old one up to date costs what changed since. Clients come back all day.
 *
 *   held by a session --store_view_give--> kept (newest first) --store_view_load--> held, up to date
 *                                            \--- VIEWS_MAX, the octets of the options, KEEP_MS; its account is left --> freed
 *
 * A view that is kept is what the mailbox was at its modseq. It is believed only in the generation of the database in which it was loaded, and while its
 * modseq is part of the history; otherwise, and whenever what results does not fit the mailbox's counter, the table is read.
 */
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"
#include "sys/clock.h"

#define VIEWS_MAX 256u
#define KEEP_MS   60000

struct store_kept_view {
	struct store_kept_view *newer, *older;
	struct store_view       view;
	int64_t                 since_ms;
};

static size_t octets(const struct store_view *v)
{
	return v->count * sizeof(*v->rows) + sizeof(struct store_kept_view);
}

/* ---- the list; under the lock ---- */

/* To the front of `list`, which is linked by `older`. */
static void take_out(struct store *s, struct store_kept_view *k, struct store_kept_view **list)
{
	if (k->newer)
		k->newer->older = k->older;
	else
		s->views.newest = k->older;
	if (k->older)
		k->older->newer = k->newer;
	else
		s->views.oldest = k->newer;
	s->views.octets -= octets(&k->view);
	s->views.count--;
	k->older = *list;
	*list = k;
}

static void put_in(struct store *s, struct store_kept_view *k)
{
	k->newer = NULL;
	k->older = s->views.newest;
	if (k->older)
		k->older->newer = k;
	else
		s->views.oldest = k;
	s->views.newest = k;
	s->views.octets += octets(&k->view);
	s->views.count++;
}

/* From `k` on to older ones. */
static struct store_kept_view *find(struct store_kept_view *k, uint64_t account, uint64_t reader, uint64_t mailbox)
{
	while (k && (k->view.account != account || k->view.reader != reader || k->view.mailbox.id != mailbox))
		k = k->older;
	return k;
}

static void list_free(struct store_kept_view *k)
{
	while (k) {
		struct store_kept_view *next = k->older;

		free(k->view.rows);
		free(k);
		k = next;
	}
}

/* ---- giving ---- */

/* Rows as the table has them. False: one is newer than the view, and nobody knows whether it stays. */
static bool clean(struct store_view *v, uint64_t modseq)
{
	struct store_row *fit;
	size_t            n = 0;

	for (size_t i = 0; i < v->count; i++) {
		struct store_row *row = &v->rows[i];

		if (row->flags & STORE_EXPUNGED)
			continue;
		if (row->modseq > modseq)
			return false;
		v->rows[n] = *row;
		v->rows[n++].flags &= (uint16_t)STORE_FLAGS;
	}
	v->count = n;
	v->modseq = modseq;
	/* It had room for all that has gone meanwhile, and is counted by what it has. */
	fit = reallocarray(v->rows, MAX(n, (size_t)1), sizeof(*fit));
	CHECK(fit);
	v->rows = fit;
	return true;
}

void store_view_give(struct store *s, struct store_view *v, uint64_t modseq)
{
	struct store_kept_view *k, *former, *drop = NULL;

	if (!v->rows || octets(v) > s->options.views || !clean(v, modseq)) {
		store_view_done(v);
		return;
	}
	k = calloc(1, sizeof(*k));
	CHECK(k);
	k->view = *v;
	k->since_ms = clock_mono_ms();
	*v = (struct store_view){ 0 };
	pthread_mutex_lock(&s->lock);
	put_in(s, k);
	former = find(k->older, k->view.account, k->view.reader, k->view.mailbox.id);
	if (former)
		take_out(s, former, &drop);
	if (!store_here(s, k->view.account))
		take_out(s, k, &drop);
	while (s->views.octets > s->options.views || s->views.count > VIEWS_MAX)
		take_out(s, s->views.oldest, &drop);
	pthread_mutex_unlock(&s->lock);
	list_free(drop);
}

void store_views_drop(struct store *s, uint64_t account)
{
	struct store_kept_view *drop = NULL, *next;

	pthread_mutex_lock(&s->lock);
	for (struct store_kept_view *k = s->views.newest; k; k = next) {
		next = k->older;
		if (account == 0 || k->view.account == account)
			take_out(s, k, &drop);
	}
	pthread_mutex_unlock(&s->lock);
	list_free(drop);
}

void store_views_expire(struct store *s)
{
	struct store_kept_view *drop = NULL;
	int64_t                 until_ms = clock_mono_ms() - KEEP_MS;

	pthread_mutex_lock(&s->lock);
	while (s->views.oldest && s->views.oldest->since_ms <= until_ms)
		take_out(s, s->views.oldest, &drop);
	pthread_mutex_unlock(&s->lock);
	list_free(drop);
}

/* ---- taking ---- */

static void vanished_leave(struct store_view *v, const struct store_changes *c)
{
	size_t next = 0, to = c->vanished_count > 0 ? store_row_from(v->rows, v->count, 0, c->vanished[0].uid) : v->count;

	for (size_t i = to; i < v->count; i++) {
		while (next < c->vanished_count && c->vanished[next].uid < v->rows[i].uid)
			next++;
		if (next == c->vanished_count || c->vanished[next].uid != v->rows[i].uid)
			v->rows[to++] = v->rows[i];
	}
	v->count = to;
}

/* False: a message that came stands among those that were there, which cannot be. */
static bool rows_lay(struct store_view *v, const struct store_changes *c)
{
	size_t            at = 0, had = v->count, i = 0;
	struct store_row *rows;

	for (; i < c->row_count && (at = store_row_from(v->rows, v->count, at, c->rows[i].uid)) < had; i++) {
		if (v->rows[at].uid != c->rows[i].uid)
			return false;
		v->rows[at] = c->rows[i];
	}
	if (i == c->row_count)
		return true;
	rows = reallocarray(v->rows, had + c->row_count - i, sizeof(*rows));
	CHECK(rows);
	memcpy(rows + had, c->rows + i, (c->row_count - i) * sizeof(*rows));
	v->rows = rows;
	v->count = had + c->row_count - i;
	return true;
}

static enum status bring(struct store_account *a, struct store_view *v, bool *ret_good)
{
	struct arena        *arena = arena_new(NULL);
	struct store_changes c;
	enum status          st = store_changes_load(a, v->mailbox.id, v->modseq, arena, &c);

	*ret_good = false;
	if (st == ST_OK && !c.everything) {
		vanished_leave(v, &c);
		*ret_good = rows_lay(v, &c) && v->count == c.mailbox.messages;
	}
	arena_free(&arena);
	return st;
}

enum status store_view_kept(struct store_account *a, uint64_t mailbox, struct store_view *v)
{
	struct store           *s = a->store;
	struct store_kept_view *k, *list = NULL;
	bool                    good = false;
	enum status             st = ST_OK;

	pthread_mutex_lock(&s->lock);
	k = find(s->views.newest, a->id, a->reader, mailbox);
	if (k)
		take_out(s, k, &list);
	pthread_mutex_unlock(&s->lock);
	if (k && k->view.generation == db_generation(a->db))
		st = bring(a, &k->view, &good);
	if (good) {
		v->rows = k->view.rows;
		v->count = k->view.count;
		k->view.rows = NULL;
	}
	list_free(list);
	return st;
}
