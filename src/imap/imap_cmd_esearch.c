/* imap/imap_cmd_esearch.c - ESEARCH: several mailboxes at once (RFC 7377).
 *
 * One ESEARCH line for each mailbox in which something was found, always with UIDs, always with its name and UIDVALIDITY. A mailbox that
 * is named twice is searched once; one that does not exist, or that the account may not read, is left out as if it had not been named
 * (§2.2). The list of messages of another mailbox than the selected one is loaded for the search and dropped behind it.
 */
#include <stdlib.h>

#include "imap/imap_found.h"
#include "wire/imap/imap_name.h"
#include "wire/imap/imap_source.h"

struct target {
	struct target *next;
	uint64_t       owner, id;
	struct str     name;
};

struct targets {
	struct imap_session  *s;
	struct target        *first, **end;
	struct store_mailbox *all; /* of the account */
	size_t                all_count;
	struct imap_shared_box *shared; /* of others, if shared_known */
	size_t                shared_count;
	bool                  shared_known;
};

static void target_add(struct targets *t, uint64_t owner, uint64_t id, struct str name)
{
	struct target *x;

	for (x = t->first; x; x = x->next)
		if (x->owner == owner && x->id == id)
			return;
	x = ARENA_NEW(t->s->arena, struct target);
	*x = (struct target){ .owner = owner, .id = id, .name = name };
	*t->end = x;
	t->end = &x->next;
}

static bool below(struct str name, struct str top, bool one_level)
{
	struct str rest = name;

	if (!str_starts(rest, top))
		return false;
	rest = str_from(rest, top.n);
	return rest.n == 0 || (rest.p[0] == '/' && (!one_level || str_find(str_from(rest, 1), '/') < 0));
}

static bool of_account(const struct store_mailbox *m, enum imap_source_kind kind)
{
	switch (kind) {
	case IMAP_SOURCE_INBOXES: return m->special == STORE_SPECIAL_INBOX; /* RFC 5465 §6.3: where mail is delivered to */
	case IMAP_SOURCE_SUBSCRIBED: return m->subscribed;
	default: return kind == IMAP_SOURCE_PERSONAL;
	}
}

/* What others share, read once. False: the answer is set. */
static bool shared_know(struct targets *t)
{
	enum status st = t->shared_known ? ST_OK : imap_shared_boxes(t->s, &t->shared, &t->shared_count);

	t->shared_known = st == ST_OK;
	if (st != ST_OK)
		imap_failed(t->s, st);
	return st == ST_OK;
}

/* Which of them may be read is looked at when they are. */
static bool shared_add(struct targets *t, enum imap_source_kind kind, struct str top)
{
	if (!shared_know(t))
		return false;
	for (size_t i = 0; i < t->shared_count; i++)
		if (below(t->shared[i].name, top, kind == IMAP_SOURCE_SUBTREE_ONE))
			target_add(t, t->shared[i].owner, t->shared[i].id, t->shared[i].name);
	return true;
}

/* False: the name is none at all, or others' cannot be read now; the answer is set. */
static bool named_add(struct targets *t, enum imap_source_kind kind, struct str wire)
{
	struct imap_session  *s = t->s;
	struct store_account *a;
	struct store_mailbox  m;
	struct str            name;

	switch (imap_name_parse(wire, imap_utf8(s), s->arena, &name)) {
	case IMAP_NAME_OK: break;
	case IMAP_NAME_BAD: imap_bad_name(s, false); return false;
	case IMAP_NAME_LONG: imap_bad_name(s, true); return false;
	}
	if (kind == IMAP_SOURCE_MAILBOXES) {
		if (imap_mailbox_find(s, name, IMAP_RIGHT_READ, &a, &m) == ST_OK)
			target_add(t, s->last_account, m.id, m.name);
		return true;
	}
	for (size_t i = 0; i < t->all_count; i++)
		if (below(t->all[i].name, name, kind == IMAP_SOURCE_SUBTREE_ONE))
			target_add(t, s->account_id, t->all[i].id, t->all[i].name);
	return !imap_is_foreign(name) || shared_add(t, kind, name);
}

static bool selected_add(struct targets *t)
{
	for (size_t i = 0; i < t->all_count; i++)
		if (imap_is_selected(t->s, t->s->account_id, t->all[i].id))
			target_add(t, t->s->account_id, t->all[i].id, t->all[i].name);
	if (t->s->box.owner == 0)
		return true;
	if (!shared_know(t))
		return false;
	for (size_t i = 0; i < t->shared_count; i++)
		if (imap_is_selected(t->s, t->shared[i].owner, t->shared[i].id))
			target_add(t, t->shared[i].owner, t->shared[i].id, t->shared[i].name);
	return true;
}

static bool targets_find(struct targets *t, const struct imap_sources *sources)
{
	struct store_account *a;
	enum status           st = imap_account(t->s, &a);

	t->end = &t->first;
	if (st == ST_OK)
		st = store_mailbox_list(a, t->s->arena, &t->all, &t->all_count);
	if (st != ST_OK) {
		imap_failed(t->s, st);
		return false;
	}
	for (size_t i = 0; i < sources->count; i++) {
		const struct imap_source *x = &sources->items[i];

		for (size_t k = 0; k < x->name_count; k++)
			if (!named_add(t, x->kind, x->names[k]))
				return false;
		if (x->kind == IMAP_SOURCE_SELECTED && !selected_add(t))
			return false;
		for (size_t k = 0; k < t->all_count && x->name_count == 0; k++)
			if (of_account(&t->all[k], x->kind))
				target_add(t, t->s->account_id, t->all[k].id, t->all[k].name);
	}
	return true;
}

/* ---- one mailbox ---- */

static enum status box_load(struct imap_session *s, const struct target *t, struct imap_box *ret)
{
	struct store_account *a;
	struct store_mailbox  m;
	struct imap_box       b = { 0 };
	enum status           st = imap_mailbox_find(s, t->name, IMAP_RIGHT_READ, &a, &m);

	if (st == ST_OK)
		st = store_keyword_list(a, s->arena, &b.names, &b.name_count);
	if (st == ST_OK)
		st = store_view_load(a, m.id, UINT64_MAX, &b.view);
	if (st == ST_OK && (st = store_settle(a)) != ST_OK) /* nothing is shown before it is on disk */
		store_view_done(&b.view);
	if (st != ST_OK)
		return st;
	b.id = m.id;
	b.owner = imap_is_foreign(t->name) ? t->owner : 0;
	b.uidvalidity = m.uidvalidity;
	b.exists = (uint32_t)b.view.count;
	b.loaded = true;
	*ret = b;
	return ST_OK;
}

/* False: the answer is set. */
static bool box_search(struct imap_session *s, const struct imap_box *box, const struct target *t, struct imap_query *q)
{
	struct imap_match m;
	struct imap_found f = { 0 };
	bool              ok;

	imap_match_init_box(&m, s, box, t->name);
	if (box != &s->box) {
		m.held = box->view.count * sizeof(box->view.rows[0]);
		m.full = !imap_work_take(s, m.held);
	}
	imap_match_prepare(&m, q->search.root);
	ok = imap_found_search(&m, q, &f);
	imap_match_done(&m);
	if (ok && f.count > 0 && (q->ret.what & IMAP_RETURN_TOLD)) {
		imap_account_back(s);
		imap_found_put_esearch(s, q, box, &t->name, &f);
	}
	if (ok && (q->ret.what & IMAP_RETURN_SAVE) && imap_saved_set(s, &q->ret, &f) != ST_OK) {
		imap_no(s, "[NOTSAVED] The result is too large to be kept");
		ok = false;
	}
	if (ok && (q->ret.what & IMAP_RETURN_UPDATE))
		imap_context_add(s, q, &f);
	imap_found_done(&f);
	return ok;
}

/* Keys are changed by a search, so each mailbox has them parsed anew. */
static bool target_search(struct imap_session *s, const struct target *t, const struct imap_query *q)
{
	struct imap_lex   x = { .in = q->args, .arena = s->arena };
	struct imap_query own = { .uid = true };
	struct imap_box   box;
	enum status       st;
	bool              selected = imap_is_selected(s, t->owner, t->id), ok;

	CHECK(imap_query_lex(&x, false, &own) == IMAP_SEARCH_OK);
	own.ret = q->ret;
	if (selected)
		st = imap_view(s);
	else
		st = box_load(s, t, &box);
	if (st == ST_NOT_FOUND || st == ST_DENIED) /* gone since it was listed */
		return true;
	if (st != ST_OK) {
		imap_failed(s, st);
		return false;
	}
	ok = box_search(s, selected ? &s->box : &box, t, &own);
	if (!selected)
		store_view_give(s->env->store, &box.view, box.view.modseq);
	return ok;
}

/* What is of the selected mailbox only (RFC 7377 §2.2). False: the answer is set. */
static bool legal(struct imap_session *s, const struct imap_sources *sources, struct imap_query *q)
{
	bool any = false, only = true;

	for (size_t i = 0; i < sources->count; i++) {
		any |= sources->items[i].kind == IMAP_SOURCE_SELECTED;
		only &= sources->items[i].kind == IMAP_SOURCE_SELECTED;
	}
	if ((any || (q->ret.what & IMAP_RETURN_UPDATE)) && s->state != IMAP_SELECTED) {
		imap_bad(s, "Select a mailbox first");
		return false;
	}
	if (!only && (q->search.numbers || (q->ret.what & IMAP_RETURN_SAVE) || q->search.saved)) {
		imap_bad(s, "Message numbers, \"$\" and SAVE are of the selected mailbox alone");
		return false;
	}
	if (!only && (q->ret.what & IMAP_RETURN_UPDATE)) {
		imap_putf(s, "* NO [NOUPDATE \"%.*s\"] Only the selected mailbox is followed\r\n", STR_FMT(s->tag));
		q->ret.what &= ~(unsigned)IMAP_RETURN_UPDATE;
	}
	return imap_context_legal(s, q) && imap_search_legal(s, &q->search);
}

enum imap_next imap_cmd_esearch(struct imap_session *s, struct imap_command *c)
{
	const char          *syntax = "ESEARCH [IN (...)] [RETURN (...)] [CHARSET name] key ...";
	struct imap_sources  sources;
	struct imap_query    q = { .uid = true };
	struct targets       t = { .s = s };
	enum imap_search_err err;

	if (!imap_lex_sources(&c->x, &sources) || (sources.given && !imap_lex_sp(&c->x)))
		return imap_bad(s, "Syntax: %s", syntax);
	err = imap_query_lex(&c->x, false, &q);
	if (err != IMAP_SEARCH_OK)
		return imap_search_refused(s, err, syntax);
	if (!imap_charset_legal(s, &q.search, false))
		return IMAP_NEXT_REPLY;
	if (!q.ret.given)
		q.ret = (struct imap_return){ .given = true, .what = IMAP_RETURN_ALL };
	if (!legal(s, &sources, &q) || !targets_find(&t, &sources))
		return IMAP_NEXT_REPLY;
	for (const struct target *x = t.first; x; x = x->next)
		if (!target_search(s, x, &q))
			break;
	if (s->reply.kind == IMAP_REPLY_NO && (q.ret.what & IMAP_RETURN_SAVE))
		imap_saved_clear(s);
	return s->reply.kind == IMAP_REPLY_NONE ? imap_ok(s, "That is all") : IMAP_NEXT_REPLY;
}
