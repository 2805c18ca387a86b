/* queue/queue_edit.c - an administrator changes where messages go: redirect, edit.
 *
 * Rows of recipients that wait are changed, never those that are done or failed: nobody gets it twice, and nobody gets it after his failure was told. A message in its
 * round is left as it is: what the round brings must meet the rows that it began with. The delivery id stays, too: an account that a lost attempt reached knows it.
 *
 * A recipient that was redirected keeps NOTIFY and ORCPT, and has an ORCPT if it had none: reports name whom the sender wrote to (RFC 3461 §5.2.7).
 */
#include "base/limits.h"
#include "base/log.h"
#include "queue/queue_wish.h"
#include "wire/address/address.h"
#include "wire/text/queue_id.h"

#define REDIRECTED "Redirected by an administrator"
#define EDITED     "Changed by an administrator"

/* ---- shared ---- */

static bool canon(struct str text, struct address_canon *ret)
{
	return address_canon_of(text, false, ret) == ADDRESS_OK;
}

/* Due now if it waits, with a back-off that begins anew; a held one stays held. */
static enum status go_on(struct queue *q, const struct picked *p, struct str reason)
{
	static const char sql[] = "UPDATE message SET attempts = 0, stalls = 0, crashes = 0, reason = CASE WHEN state = 2 THEN reason ELSE ?2 END WHERE id = ?1";
	enum status       st = p->held ? ST_OK : queue_due_now(q, p->id, p->entered);
	struct db_stmt   *s;

	if (st != ST_OK)
		return st;
	s = db_sql(q->db, sql);
	db_bind_u64(s, 1, p->id);
	db_bind_str(s, 2, p->entered > queue_now(q) ? STR(QUEUE_HELD_BACK) : reason);
	return db_run(s);
}

static enum status count_where(struct queue *q, const char *sql, uint64_t id, struct str address, uint64_t *ret)
{
	struct db_stmt *s = db_sql(q->db, sql);
	enum status     st;

	db_bind_u64(s, 1, id);
	db_bind_str(s, 2, address);
	st = db_step(s);
	if (st == ST_OK)
		*ret = db_u64(s, 0);
	db_done(s);
	return st;
}

/* A held one is as held as it was. */
static void due_if(struct queue *q, struct wish *w, struct picked *p)
{
	if (!p->held)
		queue_due_end(q, w, p, true);
}

/* ---- redirect ---- */

/* Recipients that the wish means, less those that are at that address already, by its name. */
#define REDIRECTABLE " WHERE message = ?1 AND state = 0 AND NOT (fixed = 0 AND address = ?2) AND " QUEUE_RCPT_MATCH_SQL("?3")

static struct db_stmt *redirectable(struct queue *q, const char *sql, const struct wish *w, uint64_t id)
{
	struct db_stmt *s = db_sql(q->db, sql);

	db_bind_u64(s, 1, id);
	db_bind_str(s, 2, w->edit->add[0].text);
	db_bind_str(s, 3, w->r->to.n ? w->r->to : STR(""));
	return s;
}

static enum status redirect_one(struct queue *q, struct wish *w, struct picked *p)
{
	/* n stays, so that no other row is touched. LIMIT_ORCPT holds; octets over 127 make it another type of address (RFC 6533 §3). */
	static const char sql[] =
		"UPDATE rcpt AS r SET orcpt = CASE WHEN orcpt <> '' THEN orcpt WHEN length(CAST(address AS BLOB)) > 500 THEN ''"
		" WHEN length(CAST(address AS BLOB)) = length(address) THEN 'rfc822;' || address ELSE 'utf-8;' || address END, address = ?2, fixed = 0, account = 0, target = '', relay = '', sender = '', way = ''" REDIRECTABLE;
	struct db_stmt *s = redirectable(q, "SELECT count(*) FROM rcpt r" REDIRECTABLE, w, p->id);
	enum status     st = db_step(s);

	p->recipients = st == ST_OK ? db_u64(s, 0) : 0;
	db_done(s);
	p->busy = p->recipients > 0 && queue_under_way(q, p->id);
	p->did = p->recipients > 0 && !p->busy;
	if (st != ST_OK || !p->did)
		return st;
	st = db_run(redirectable(q, sql, w, p->id));
	return st == ST_OK ? go_on(q, p, STR(REDIRECTED)) : st;
}

static void redirect_end(struct queue *q, struct wish *w, struct picked *p, bool ok)
{
	if (!ok)
		return;
	log_info("message redirected by an administrator", LOG_C("message", queue_id_text(p->id).p), LOG_STR("to", w->edit->add[0].text));
	queue_event_edited(q, p->id, w->edit->add[0].text, STR("what waited goes there instead, by an administrator"));
	due_if(q, w, p);
}

enum status queue_redirect(struct queue *q, const struct queue_edit_request *r, struct queue_edit_reply *ret)
{
	struct address_canon      to;
	struct queue_edit_address add;
	struct queue_edit_request edit = { .add = &add, .add_count = 1 };
	struct queue_id_request   which = { r->id, r->to, r->from };
	struct wish               w = { .r = &which, .change = redirect_one, .changed = redirect_end, .edit = &edit };

	if (r->add_count != 1 || !canon(r->add[0].text, &to))
		return ST_INVALID;
	add.text = address_text(&to);
	return queue_wish_told(q, &w, ret);
}

/* ---- edit ---- */

static const char sql_waits_as[] = "SELECT count(*) FROM rcpt WHERE message = ?1 AND state = 0 AND lower(address) = lower(?2)";
static const char sql_known_as[] = "SELECT count(*) FROM rcpt WHERE message = ?1 AND (lower(address) = lower(?2) OR lower(target) = lower(?2))";
static const char sql_waiting[] = "SELECT count(*) FROM rcpt WHERE message = ?1 AND state = 0 AND ?2 = ''";
static const char sql_all[] = "SELECT count(*) FROM rcpt WHERE message = ?1 AND ?2 = ''";
static const char sql_owed[] = "SELECT count(*) FROM rcpt WHERE message = ?1 AND state = 1 AND notify & 2 AND ?2 = ''";

static void wrong(struct wish *w, enum queue_edit_wrong what)
{
	w->refused = ST_INVALID;
	w->wrong = what;
}

/* What is wrong with it, in w->refused and w->wrong. */
static enum status edit_check(struct queue *q, struct wish *w, struct picked *p)
{
	const struct queue_edit_request *e = w->edit;
	uint64_t                         n = 0, waiting = 0, all = 0, gone = 0;
	enum status                      st = count_where(q, sql_waiting, p->id, STR(""), &waiting);

	if (st == ST_OK)
		st = count_where(q, sql_all, p->id, STR(""), &all);
	for (size_t i = 0; i < e->remove_count && st == ST_OK && w->refused == ST_OK; i++) {
		st = count_where(q, sql_waits_as, p->id, e->remove[i].text, &n);
		w->refused = n == 0 ? ST_NOT_FOUND : ST_OK;
		gone += n;
	}
	for (size_t i = 0; i < e->add_count && st == ST_OK && w->refused == ST_OK; i++) {
		st = count_where(q, sql_known_as, p->id, e->add[i].text, &n);
		w->refused = n > 0 ? ST_EXISTS : ST_OK;
	}
	if (st == ST_OK && w->refused == ST_OK && e->sender_given && e->sender.n == 0) {
		st = count_where(q, sql_owed, p->id, STR(""), &n);
		if (st == ST_OK && n > 0)
			wrong(w, QUEUE_EDIT_OWED);
	}
	if (st != ST_OK || w->refused != ST_OK)
		return st;
	p->recipients = gone + e->add_count;
	if (waiting + e->add_count <= gone)
		wrong(w, QUEUE_EDIT_NOBODY); /* Q2 */
	else if (all - gone + e->add_count > LIMIT_RCPTS && e->add_count > 0)
		w->refused = ST_LIMIT;
	return ST_OK;
}

static enum status rcpt_remove(struct queue *q, uint64_t id, struct str address)
{
	struct db_stmt *s = db_sql(q->db, "DELETE FROM rcpt WHERE message = ?1 AND state = 0 AND lower(address) = lower(?2)");

	db_bind_u64(s, 1, id);
	db_bind_str(s, 2, address);
	return db_run(s);
}

static enum status rcpt_add(struct queue *q, uint64_t id, struct str address)
{
	static const char sql[] =
		"INSERT INTO rcpt(message, n, state, fixed, account, attempts, last, address, target, code, answer)"
		" SELECT ?1, coalesce(max(n), -1) + 1, 0, 0, 0, 0, 0, ?2, '', '', '' FROM rcpt WHERE message = ?1";
	struct db_stmt *s = db_sql(q->db, sql);

	db_bind_u64(s, 1, id);
	db_bind_str(s, 2, address);
	return db_run(s);
}

static enum status sender_set(struct queue *q, uint64_t id, struct str sender)
{
	struct db_stmt *s = db_sql(q->db, "UPDATE message SET sender = ?2 WHERE id = ?1");

	db_bind_u64(s, 1, id);
	db_bind_str(s, 2, sender.n ? sender : STR(""));
	return db_run(s);
}

static enum status edit_one(struct queue *q, struct wish *w, struct picked *p)
{
	const struct queue_edit_request *e = w->edit;
	enum status                      st;

	p->did = false;
	p->busy = queue_under_way(q, p->id) != NULL;
	w->refused = ST_OK;
	w->wrong = QUEUE_EDIT_FINE;
	if (p->busy)
		return ST_OK;
	st = edit_check(q, w, p);
	if (st != ST_OK || w->refused != ST_OK)
		return st;
	/* Added first: the highest number of a row is not given again. */
	for (size_t i = 0; i < e->add_count && st == ST_OK; i++)
		st = rcpt_add(q, p->id, e->add[i].text);
	for (size_t i = 0; i < e->remove_count && st == ST_OK; i++)
		st = rcpt_remove(q, p->id, e->remove[i].text);
	if (st == ST_OK && e->sender_given)
		st = sender_set(q, p->id, e->sender);
	p->did = true;
	return st == ST_OK ? go_on(q, p, STR(EDITED)) : st;
}

static void edit_end(struct queue *q, struct wish *w, struct picked *p, bool ok)
{
	const struct queue_edit_request *e = w->edit;

	if (!ok)
		return;
	log_info("message changed by an administrator", LOG_C("message", queue_id_text(p->id).p), LOG_U64("removed", e->remove_count), LOG_U64("added", e->add_count),
		 LOG_STR("sender", e->sender_given ? e->sender : STR("as it was")));
	for (size_t i = 0; i < e->remove_count; i++)
		queue_event_edited(q, p->id, e->remove[i].text, STR("recipient taken out by an administrator"));
	for (size_t i = 0; i < e->add_count; i++)
		queue_event_edited(q, p->id, e->add[i].text, STR("recipient added by an administrator"));
	if (e->sender_given)
		queue_event_edited(q, p->id, e->sender.n ? e->sender : STR("<>"), STR("this is its sender now, by an administrator"));
	due_if(q, w, p);
}

/* Canonical copies; false: one is none, or there twice, and `twice` is what is wrong then. */
static bool all_canon(struct arena *a, const struct queue_edit_address *in, size_t count, struct queue_edit_address **ret, enum queue_edit_wrong twice,
		      enum queue_edit_wrong *ret_wrong)
{
	struct address_canon one;

	*ret = ARENA_ARRAY(a, struct queue_edit_address, count);
	for (size_t i = 0; i < count; i++) {
		if (!canon(in[i].text, &one))
			return false;
		(*ret)[i].text = arena_dup(a, address_text(&one));
		for (size_t k = 0; k < i; k++)
			if (str_ieq((*ret)[k].text, (*ret)[i].text)) {
				*ret_wrong = twice;
				return false;
			}
	}
	return true;
}

enum status queue_edit(struct queue *q, const struct queue_edit_request *r, struct queue_edit_reply *ret)
{
	struct arena             *a CLEANUP(arena_free) = arena_new(NULL);
	struct queue_edit_request edit = *r;
	struct queue_id_request   which = { .id = r->id };
	struct wish               w = { .r = &which, .change = edit_one, .changed = edit_end, .edit = &edit };
	struct address_canon      sender;
	enum status               st;

	if (r->id == 0 || (r->remove_count == 0 && r->add_count == 0 && !r->sender_given) ||
	    !all_canon(a, r->remove, r->remove_count, &edit.remove, QUEUE_EDIT_REMOVE_TWICE, &ret->wrong) ||
	    !all_canon(a, r->add, r->add_count, &edit.add, QUEUE_EDIT_ADD_TWICE, &ret->wrong))
		return ST_INVALID;
	if (r->sender_given && r->sender.n > 0) {
		if (!canon(r->sender, &sender))
			return ST_INVALID;
		edit.sender = address_text(&sender);
	}
	st = queue_wish_told(q, &w, ret);
	return st == ST_OK ? w.refused : st;
}

/* ---- requests ---- */

static struct queue_edit_reply reply_new(struct arena *a)
{
	return (struct queue_edit_reply){ .busy_ids = ARENA_ARRAY(a, struct queue_edit_busy, LIMIT_QUEUE_BUSY) };
}

void queue_on_redirect(void *q, struct ipc_request *r)
{
	struct queue_edit_reply reply = reply_new(r->arena);
	enum status             st = queue_redirect(q, r->body, &reply);

	ipc_reply(r, st, &reply);
}

/* Only an answer with ST_OK has a body, and so room for what is wrong. */
void queue_on_edit(void *q, struct ipc_request *r)
{
	struct queue_edit_reply reply = reply_new(r->arena);
	enum status             st = queue_edit(q, r->body, &reply);

	ipc_reply(r, st == ST_INVALID && reply.wrong != QUEUE_EDIT_FINE ? ST_OK : st, &reply);
}
