/* store/store_undelete.c - see store_undelete.h. */
#include "store/store_undelete.h"

#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"
#include "sys/clock.h"

#define TEXT_MAX ((size_t)200) /* of From and Subject in the answer */

/* ---- names of deleted mailboxes ---- */

enum status store_former_add(struct store_account *a, uint64_t id, struct str name, enum store_special special)
{
	struct db_stmt *s = db_sql(a->db, "INSERT INTO former VALUES (?1, ?2, ?3, ?4, ?5)");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, id);
	db_bind_str(s, 3, name);
	db_bind_u64(s, 4, special);
	db_bind_i64(s, 5, clock_wall_ms());
	st = db_run(s);
	if (st != ST_OK)
		return st;
	s = db_sql(a->db, "DELETE FROM former WHERE account = ?1 AND id <= (SELECT id FROM former WHERE account = ?1"
			  " ORDER BY id DESC LIMIT 1 OFFSET ?2)");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, STORE_FORMER_MAX);
	return db_run(s);
}

enum status store_former_forget(struct store_account *a, int64_t before_ms)
{
	struct db_stmt *s = db_sql(a->db, "DELETE FROM former WHERE account = ?1 AND gone_ms < ?2");

	db_bind_u64(s, 1, a->id);
	db_bind_i64(s, 2, before_ms);
	return db_run(s);
}

/* ---- what can come back ---- */

struct source { /* a mailbox that messages went from */
	struct source     *next;
	uint64_t           id, target; /* target 0: none (yet) */
	struct str         name;       /* "": not known */
	enum store_special special;    /* of one that was deleted */
};
struct gone {
	struct source  *source;
	uint64_t        gone;
	uint32_t        uid;
	struct store_row row;
	int64_t         gone_ms;
};
struct job {
	struct store_account        *a;
	const struct store_undelete *q;
	struct str                   mailbox, into; /* as in q, normal */
	struct arena                *arena;
	struct source               *sources;
	struct gone                 *list;
	size_t                       count;
	struct store_undeleted      *ret;
};

static enum status source_read(struct job *j, struct source *s)
{
	struct db_stmt *q = db_sql(j->a->db, "SELECT name, 0, 0 FROM mailbox WHERE account = ?1 AND id = ?2 UNION ALL"
					     " SELECT name, special, 1 FROM former WHERE account = ?1 AND id = ?2");
	enum status     st;

	db_bind_u64(q, 1, j->a->id);
	db_bind_u64(q, 2, s->id);
	st = db_step(q);
	if (st == ST_OK) {
		s->name = arena_dup(j->arena, db_str(q, 0));
		s->special = (enum store_special)db_u64(q, 1);
		if (db_u64(q, 2) == 0)
			s->target = s->id;
	}
	db_done(q);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status source_of(struct job *j, uint64_t id, struct source **ret)
{
	enum status st = ST_OK;

	for (*ret = j->sources; *ret && (*ret)->id != id;)
		*ret = (*ret)->next;
	if (*ret)
		return ST_OK;
	*ret = ARENA_NEW(j->arena, struct source);
	(*ret)->id = id;
	(*ret)->next = j->sources;
	j->sources = *ret;
	st = source_read(j, *ret);
	return st;
}

#define CANDIDATE " FROM expunged WHERE account = ?1 AND email <> 0 AND fate = 0 AND gone_ms BETWEEN ?2 AND ?3"

static enum status count_read(struct job *j, size_t *ret)
{
	struct db_stmt *s = db_sql(j->a->db, "SELECT count(*)" CANDIDATE);
	enum status     st;

	db_bind_u64(s, 1, j->a->id);
	db_bind_i64(s, 2, j->q->since_ms);
	db_bind_i64(s, 3, j->q->until_ms);
	st = db_step(s);
	if (st == ST_OK)
		*ret = (size_t)db_u64(s, 0);
	db_done(s);
	return st;
}

static void gone_read(struct db_stmt *s, struct gone *ret)
{
	ret->gone = db_u64(s, 0);
	ret->uid = (uint32_t)db_u64(s, 2);
	ret->gone_ms = db_i64(s, 10);
	ret->row = (struct store_row){
		.flags = (uint16_t)(db_u64(s, 3) & ~(uint64_t)STORE_DELETED),
		.keywords = { { db_u64(s, 4), db_u64(s, 5) } },
		.email = db_u64(s, 6),
		.size = db_u64(s, 7),
		.internal_ms = db_i64(s, 8),
		.internal_zone = (int16_t)db_i64(s, 9),
	};
}

static enum status list_read(struct job *j)
{
	struct db_stmt *s;
	size_t          max = 0;
	enum status     st = count_read(j, &max);

	if (st != ST_OK)
		return st;
	j->list = ARENA_ARRAY(j->arena, struct gone, max);
	s = db_sql(j->a->db, "SELECT gone, mailbox, uid, flags, kw0, kw1, email, size, internal_ms, zone, gone_ms" CANDIDATE
			     " ORDER BY gone, mailbox, uid");
	db_bind_u64(s, 1, j->a->id);
	db_bind_i64(s, 2, j->q->since_ms);
	db_bind_i64(s, 3, j->q->until_ms);
	while (j->count < max && (st = db_step(s)) == ST_OK) {
		struct gone *g = &j->list[j->count];

		gone_read(s, g);
		st = source_of(j, db_u64(s, 1), &g->source);
		if (st != ST_OK)
			break;
		j->count += j->mailbox.n == 0 || str_eq(g->source->name, j->mailbox);
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Nothing was found: is the name at least one of this account. */
static enum status name_look(struct job *j)
{
	struct db_stmt *s = db_sql(j->a->db, "SELECT 1 FROM mailbox WHERE account = ?1 AND name = ?2 UNION ALL"
					     " SELECT 1 FROM former WHERE account = ?1 AND name = ?2");
	enum status     st;

	db_bind_u64(s, 1, j->a->id);
	db_bind_str(s, 2, j->mailbox);
	st = db_step(s);
	db_done(s);
	return st;
}

/* ---- where to ---- */

static enum status mailbox_make(struct store_account *a, struct str name, enum store_special special, uint64_t *ret)
{
	enum status st = store_mailbox_row_find(a, name, ret);

	if (st == ST_NOT_FOUND) {
		st = store_mailbox_row_make(a, name, special, ret);
		if (st == ST_BUSY) /* another has that use now */
			st = store_mailbox_row_make(a, name, STORE_SPECIAL_NONE, ret);
	}
	return st;
}

static enum status targets_make(struct job *j)
{
	enum status st = ST_OK;

	for (size_t i = 0; i < j->count && st == ST_OK; i++) {
		struct source *s = j->list[i].source;

		if (j->into.n > 0)
			st = mailbox_make(j->a, j->into, STORE_SPECIAL_NONE, &s->target);
		else if (s->target == 0 && s->name.n > 0)
			st = mailbox_make(j->a, s->name, s->special, &s->target);
	}
	return st;
}

static int by_target(const void *x, const void *y)
{
	const struct gone *a = x, *b = y;
	int c = str_cmp(a->source->name, b->source->name);

	if (a->source->target != b->source->target)
		return a->source->target < b->source->target ? -1 : 1;
	if (c != 0)
		return c;
	if (a->gone != b->gone)
		return a->gone < b->gone ? -1 : 1;
	return a->uid < b->uid ? -1 : a->uid > b->uid;
}

/* ---- putting back ---- */

static enum status fate_write(struct store_account *a, const struct gone *g)
{
	struct db_stmt *s = db_sql(a->db, "UPDATE expunged SET fate = ?5 WHERE account = ?1 AND gone = ?2 AND mailbox = ?3 AND uid = ?4");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, g->gone);
	db_bind_u64(s, 3, g->source->id);
	db_bind_u64(s, 4, g->uid);
	db_bind_u64(s, 5, STORE_FATE_RESTORED);
	return db_run(s);
}

/* list[0] to list[n - 1] have one target. The expunged row keeps its email, so each makes one reference more. */
static enum status group_restore(struct job *j, struct gone *list, size_t n)
{
	struct store_account *a = j->a;
	uint32_t             *uids = ARENA_ARRAY(j->arena, uint32_t, n);
	int64_t               now_ms = clock_wall_ms();
	struct store_mailbox  m;
	enum status           st = store_mailbox_row(a, list[0].source->target, &m);

	for (size_t i = 0; i < n && st == ST_OK; i++) {
		st = store_email_refs(a, list[i].row.email, 1);
		if (st == ST_OK)
			st = store_message_insert(a, &m, &list[i].row, now_ms);
		if (st == ST_OK)
			st = fate_write(a, &list[i]);
		uids[i] = list[i].row.uid;
	}
	if (st == ST_OK)
		st = store_mailbox_row_write(a, &m);
	return st == ST_OK ? store_txn_change(a, CHANGE_MESSAGE, m.id, CHANGE_CREATED, uids, n) : st;
}

static enum status restore(struct job *j)
{
	enum status st = targets_make(j);
	size_t      n;

	if (st != ST_OK)
		return st;
	if (j->count > 0)
		qsort(j->list, j->count, sizeof(*j->list), by_target);
	for (size_t i = 0; i < j->count && st == ST_OK; i += n) {
		for (n = 1; i + n < j->count && j->list[i + n].source->target == j->list[i].source->target;)
			n++;
		if (j->list[i].source->target != 0)
			st = group_restore(j, j->list + i, n);
	}
	return st;
}

/* ---- the answer ---- */

static void text_read(struct job *j, const struct gone *g, struct store_undeleted_row *ret)
{
	struct db_stmt *s = db_sql(j->a->db, "SELECT from_text, subject FROM email WHERE account = ?1 AND id = ?2");

	db_bind_u64(s, 1, j->a->id);
	db_bind_u64(s, 2, g->row.email);
	if (db_step(s) == ST_OK) {
		ret->from = arena_dup(j->arena, str_first(db_str(s, 0), TEXT_MAX));
		ret->subject = arena_dup(j->arena, str_first(db_str(s, 1), TEXT_MAX));
	}
	db_done(s);
}

static void answer_fill(struct job *j)
{
	struct store_undeleted *r = j->ret;

	r->rows = ARENA_ARRAY(j->arena, struct store_undeleted_row, MIN(j->count, j->q->max_rows));
	for (size_t i = 0; i < j->count; i++) {
		const struct gone *g = &j->list[i];
		bool               place = j->into.n > 0 || g->source->name.n > 0;

		r->count += place;
		r->size += place ? g->row.size : 0;
		r->nameless += !place;
		if (r->row_count == j->q->max_rows)
			continue;
		r->rows[r->row_count] = (struct store_undeleted_row){
			.mailbox = g->source->name, .uid = g->uid, .new_uid = g->row.uid, .gone_ms = g->gone_ms, .size = g->row.size };
		text_read(j, g, &r->rows[r->row_count++]);
	}
}

static enum status inside(struct job *j)
{
	enum status st = list_read(j);

	if (st == ST_OK && j->count == 0 && j->mailbox.n > 0)
		st = name_look(j);
	if (st == ST_OK && j->count > 0) {
		if (j->q->list)
			qsort(j->list, j->count, sizeof(*j->list), by_target);
		else
			st = restore(j);
	}
	if (st == ST_OK)
		answer_fill(j);
	return st;
}

enum status store_undelete(struct store_account *a, const struct store_undelete *q, struct arena *arena, struct store_undeleted *ret)
{
	struct store_undeleted got = { 0 };
	struct job             j = { .a = a, .q = q, .arena = arena, .ret = &got };
	enum status            st = ST_OK;

	if (q->mailbox.n > 0 && store_name_normal(q->mailbox, arena, &j.mailbox) != ST_OK)
		return ST_NOT_FOUND;
	if (q->into.n > 0)
		st = store_name_normal(q->into, arena, &j.into);
	if (st != ST_OK)
		return st;
	/* It takes no space to speak of. */
	st = q->list ? db_begin_read(a->db) : store_txn_begin(a, true);
	if (st != ST_OK)
		return st;
	st = inside(&j);
	got.modseq = a->state.modseq;
	if (q->list)
		db_rollback(a->db);
	else
		st = store_txn_end(a, st, true);
	if (st == ST_OK)
		*ret = got;
	return st;
}
