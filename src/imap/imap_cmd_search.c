/* imap/imap_cmd_search.c - SEARCH, UID SEARCH (RFC 3501 §6.4.4, RFC 9051 §6.4.4; result options: RFC 4731, 5182, 5267, 9394).
 *
 * Once IMAP4rev2 is enabled the answer is ESEARCH even without RETURN (RFC 9051 §6.4.4).
 */
#include <stdlib.h>

#include "imap/imap_found.h"

/* A message number that does not exist is an error wherever it stands; a range may lie beyond the end (RFC 7377 §2). */
static bool numbers_exist(const struct imap_session *s, const struct imap_key *k)
{
	for (size_t i = 0; k->kind == IMAP_KEY_SEQ && i < k->set.count; i++)
		if (k->set.ranges[i].first == k->set.ranges[i].last && k->set.ranges[i].first > s->box.exists)
			return false;
	for (const struct imap_key *c = k->child; c; c = c->next)
		if (!numbers_exist(s, c))
			return false;
	return true;
}

static bool asks_numbers(const struct imap_key *k)
{
	if (k->kind == IMAP_KEY_SEQ && !k->set.saved)
		return true;
	for (const struct imap_key *c = k->child; c; c = c->next)
		if (asks_numbers(c))
			return true;
	return false;
}

enum imap_next imap_search_refused(struct imap_session *s, enum imap_search_err err, const char *syntax)
{
	switch (err) {
	case IMAP_SEARCH_CHARSET: return imap_no(s, "[BADCHARSET (US-ASCII UTF-8)] Charset not supported");
	case IMAP_SEARCH_TEXT: return imap_bad(s, "A text is not of its charset");
	default: return imap_bad(s, "Syntax: %s", syntax);
	}
}

bool imap_charset_legal(struct imap_session *s, const struct imap_search *p, bool mandatory)
{
	if (!(s->enabled & IMAP_ENABLED_UTF8) || !p->charset || (mandatory && !p->ascii))
		return true;
	imap_bad(s, mandatory ? "Only UTF-8 once it is enabled" : "No CHARSET once UTF-8 is enabled");
	return false;
}

bool imap_search_legal(struct imap_session *s, const struct imap_search *p)
{
	if ((s->enabled & IMAP_ENABLED_UIDONLY) && asks_numbers(p->root)) { /* RFC 9586 §3 */
		imap_bad(s, "[UIDREQUIRED] Message numbers are not used any more");
		return false;
	}
	if (s->state == IMAP_SELECTED && !numbers_exist(s, p->root)) {
		imap_bad(s, "There is no message of that number");
		return false;
	}
	/* RFC 7162 §3.1: a command that uses it enables it. */
	if (p->modseq)
		imap_enable(s, IMAP_ENABLED_CONDSTORE);
	return true;
}

/* ---- running ---- */

/* Room for one more, counted. */
static bool room(struct imap_match *m, struct imap_found *f)
{
	size_t    cap = MAX(f->cap * 2, (size_t)1024);
	uint32_t *more;

	if (f->count < f->cap)
		return true;
	m->full = !imap_work_take(m->s, m->held + cap * sizeof(*more));
	if (m->full)
		return false;
	more = reallocarray(f->places, cap, sizeof(*more));
	CHECK(more != NULL);
	m->held += (cap - f->cap) * sizeof(*more);
	f->places = more;
	f->cap = cap;
	return true;
}

static void search_forward(struct imap_match *m, const struct imap_key *root, struct imap_found *f, size_t most)
{
	for (uint32_t i = m->from; i < m->box->exists && f->count < most && imap_match_goes_on(m, i); i++)
		if (imap_match(m, root, i) && room(m, f))
			f->places[f->count++] = i;
}

static void search_last(struct imap_match *m, const struct imap_key *root, struct imap_found *f)
{
	for (uint32_t i = m->box->exists; i-- > m->from && f->count == 0 && imap_match_goes_on(m, m->box->exists - 1 - i);)
		if (imap_match(m, root, i) && room(m, f))
			f->places[f->count++] = i;
}

bool imap_found_search(struct imap_match *m, const struct imap_query *q, struct imap_found *f)
{
	const unsigned deciding = IMAP_RETURN_TOLD | IMAP_RETURN_UPDATE;
	unsigned       what = q->sort.count == 0 ? q->ret.what & deciding : 0;

	if (what == IMAP_RETURN_MIN)
		search_forward(m, q->search.root, f, 1);
	else if (what == IMAP_RETURN_MAX)
		search_last(m, q->search.root, f);
	else
		search_forward(m, q->search.root, f, SIZE_MAX);
	return imap_match_answer(m);
}

static enum imap_next told(struct imap_session *s, struct imap_query *q, const struct imap_found *f)
{
	const char *name = q->sort.count ? "SORT" : "SEARCH";
	enum status st = q->ret.what & IMAP_RETURN_SAVE ? imap_saved_set(s, &q->ret, f) : ST_OK;

	if (st != ST_OK) /* RFC 5182 §2.1: the search has failed then, and "$" is empty */
		return imap_no(s, "[NOTSAVED] The result is too large to be kept");
	if (q->ret.given && (q->ret.what & IMAP_RETURN_TOLD))
		imap_found_put_esearch(s, q, &s->box, NULL, f);
	else if (!q->ret.given)
		imap_found_put(s, name, q, f);
	if (q->ret.what & IMAP_RETURN_UPDATE)
		imap_context_add(s, q, f);
	return imap_ok(s, q->ret.what & IMAP_RETURN_SAVE ? "Saved" : "That is all");
}

enum imap_next imap_query_run(struct imap_session *s, struct imap_query *q)
{
	struct imap_match m;
	struct imap_found f = { 0 };
	enum status       st;

	if (!imap_context_legal(s, q))
		return IMAP_NEXT_REPLY;
	st = imap_view(s);
	if (st != ST_OK) {
		if (q->ret.what & IMAP_RETURN_SAVE)
			imap_saved_clear(s);
		return imap_failed(s, st);
	}
	if (!imap_search_legal(s, &q->search))
		return IMAP_NEXT_REPLY;
	imap_match_init(&m, s);
	imap_match_prepare(&m, q->search.root);
	if (q->sort.count == 0)
		imap_limit_search(&m, q->search.root);
	if (imap_found_search(&m, q, &f) && (q->sort.count == 0 || imap_found_sort(&m, &q->sort, &f))) {
		imap_account_back(s);
		(void)told(s, q, &f);
	}
	/* RFC 5182 §2.1: a search that failed leaves nothing behind. */
	if (s->reply.kind == IMAP_REPLY_NO && (q->ret.what & IMAP_RETURN_SAVE))
		imap_saved_clear(s);
	imap_match_done(&m);
	imap_found_done(&f);
	return IMAP_NEXT_REPLY;
}

enum imap_search_err imap_query_lex(struct imap_lex *x, bool sort, struct imap_query *ret)
{
	struct imap_query    q = { .uid = ret->uid, .args = x->in };
	enum imap_search_err err;

	if (!imap_lex_return(x, &q.ret) || (q.ret.given && !imap_lex_sp(x)))
		return IMAP_SEARCH_SYNTAX;
	ret->ret = q.ret; /* whether "$" is lost with a refused search */
	if (!sort) {
		err = imap_lex_search(x, &q.search);
	} else {
		if (!imap_lex_sort(x, &q.sort) || !imap_lex_sp(x))
			return IMAP_SEARCH_SYNTAX;
		err = imap_lex_charset(x, &q.search);
		if (err == IMAP_SEARCH_OK)
			err = imap_lex_keys(x, &q.search);
	}
	if (err == IMAP_SEARCH_OK)
		*ret = q;
	return err;
}

enum imap_next imap_query_command(struct imap_session *s, struct imap_command *c, bool sort, const char *syntax)
{
	struct imap_query    q = { .uid = c->uid };
	enum imap_search_err err = imap_query_lex(&c->x, sort, &q);

	if (err != IMAP_SEARCH_OK) {
		/* RFC 5182 §2.1: refused by NO, it has failed. */
		if (err == IMAP_SEARCH_CHARSET && (q.ret.what & IMAP_RETURN_SAVE))
			imap_saved_clear(s);
		return imap_search_refused(s, err, syntax);
	}
	if (!imap_charset_legal(s, &q.search, sort))
		return IMAP_NEXT_REPLY;
	if (!sort && !q.ret.given && (s->enabled & IMAP_ENABLED_REV2))
		q.ret = (struct imap_return){ .given = true, .what = IMAP_RETURN_ALL };
	return imap_query_run(s, &q);
}

enum imap_next imap_cmd_search(struct imap_session *s, struct imap_command *c)
{
	return imap_query_command(s, c, false, "SEARCH [RETURN (...)] [CHARSET name] key ...");
}
