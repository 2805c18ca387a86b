/* store/store_events.c - contract is in store_events.h. */
#include "store/store_events.h"

#include "store/store_internal.h"

static enum store_event_op op_of(uint64_t stored)
{
	return stored == CHANGE_CREATED ? STORE_EVENT_CREATED : stored == CHANGE_REMOVED ? STORE_EVENT_REMOVED : STORE_EVENT_UPDATED;
}

static bool event_read(struct db_stmt *s, struct arena *arena, struct store_event *ret)
{
	struct str text = arena_dup(arena, db_str(s, 3));

	switch (db_u64(s, 0)) {
	case CHANGE_MAILBOX: ret->kind = STORE_EVENT_MAILBOX; break;
	case CHANGE_SUBSCRIPTION: ret->kind = STORE_EVENT_SUBSCRIPTION; break;
	default: ret->kind = STORE_EVENT_METADATA; break;
	}
	ret->mailbox = db_u64(s, 1);
	ret->op = op_of(db_u64(s, 2));
	ret->old = STR_NONE;
	ret->name = text;
	if (ret->kind == STORE_EVENT_MAILBOX && str_find(text, '\n') >= 0)
		str_cut(text, '\n', &ret->old, &ret->name);
	return text.n > 0; /* rows from before there were names in them */
}

static enum status list_read(struct store_account *a, uint64_t since, struct arena *arena, struct store_events *e)
{
	struct db_stmt *s = db_sql(a->db, "SELECT kind, object, op, uids FROM change WHERE account = ?1 AND modseq > ?2 AND kind IN (1, 3, 5)"
					  " ORDER BY modseq, kind, object LIMIT ?3");
	size_t          octets = 0;
	enum status     st = ST_NOT_FOUND;

	e->list = ARENA_ARRAY(arena, struct store_event, STORE_EVENTS_MAX);
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, since);
	db_bind_u64(s, 3, STORE_EVENTS_MAX + 1);
	while ((st = db_step(s)) == ST_OK && e->count < STORE_EVENTS_MAX && octets <= STORE_EVENTS_OCTETS) {
		octets += db_str(s, 3).n;
		e->count += event_read(s, arena, &e->list[e->count]);
	}
	db_done(s);
	e->everything = st == ST_OK;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status touched_read(struct store_account *a, uint64_t since, struct arena *arena, struct store_events *e)
{
	struct db_stmt *s = db_sql(a->db, "SELECT object, max(op = 1), max(op = 2), max(op = 3) FROM change WHERE account = ?1 AND"
					  " modseq > ?2 AND kind = 2 GROUP BY object");
	enum status     st = ST_NOT_FOUND;

	e->touched = ARENA_ARRAY(arena, struct store_touched, STORE_EVENTS_MAX);
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, since);
	while ((st = db_step(s)) == ST_OK && e->touched_count < STORE_EVENTS_MAX)
		e->touched[e->touched_count++] = (struct store_touched){
			db_u64(s, 0), (unsigned)(db_u64(s, 1) * STORE_EVENT_CREATED | db_u64(s, 2) * STORE_EVENT_UPDATED |
						 db_u64(s, 3) * STORE_EVENT_REMOVED)
		};
	db_done(s);
	e->everything = e->everything || st == ST_OK;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status store_events(struct store_account *a, uint64_t since, struct arena *arena, struct store_events *ret)
{
	struct store_events  e = { 0 };
	struct account_state t;
	bool                 known;
	enum status          st = db_begin_read(a->db);

	if (st != ST_OK)
		return st;
	st = store_state_read(a, &t);
	if (st == ST_OK)
		st = store_modseq_known(a, since, &known);
	if (st == ST_OK && !known)
		e.everything = true;
	else if (st == ST_OK)
		st = list_read(a, since, arena, &e);
	if (st == ST_OK && !e.everything)
		st = touched_read(a, since, arena, &e);
	db_rollback(a->db);
	if (st != ST_OK)
		return st == ST_NOT_FOUND ? ST_CORRUPT : st;
	if (e.everything)
		e.count = e.touched_count = 0;
	e.modseq = t.modseq;
	*ret = e;
	return ST_OK;
}
