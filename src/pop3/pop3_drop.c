/* pop3/pop3_drop.c - the mailbox as it was at sign-in, and what is done to it: \Seen at RETR, the removal at QUIT.
 *
 * A row of the copy has 24 octets, counted against limits.memory as long as the session lives. While it is made, the store's rows
 * are counted too.
 */
#include <stdlib.h>

#include "pop3/pop3_session.h"
#include "sys/clock.h"
#include "wire/mime/mime.h"

#define BATCH 500u /* facts read at once */

void pop3_drop_done(struct pop3_session *s)
{
	if (s->drop.rows)
		net_memory_give(net_of(s->conn), s->drop.count * sizeof(*s->drop.rows));
	free(s->drop.rows);
	s->drop = (struct pop3_drop){ 0 };
}

/* Sizes that differ from what is stored: a last line gets its end, and lone CR and LF become CRLF. */
static enum status sizes_mend(struct pop3_session *s, struct store_account *a)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	struct pop3_drop   *d = &s->drop;
	struct store_email *facts = ARENA_ARRAY(s->arena, struct store_email, BATCH);
	uint64_t           *emails = ARENA_ARRAY(s->arena, uint64_t, BATCH);
	enum status         st = ST_OK;

	for (uint32_t at = 0; at < d->count && st == ST_OK; at += BATCH) {
		uint32_t n = MIN(d->count - at, BATCH);

		for (uint32_t i = 0; i < n; i++)
			emails[i] = d->rows[at + i].email;
		st = store_facts(a, emails, n, STORE_FACT_BASE, arena, facts);
		for (uint32_t i = 0; i < n && st == ST_OK; i++) {
			struct pop3_row *row = &d->rows[at + i];

			if (facts[i].mime_flags & MIME_FLAG_BARE_EOL)
				row->flags |= POP3_ROW_BARE;
			else if (facts[i].mime_flags & MIME_FLAG_NO_FINAL_EOL)
				row->size += 2;
		}
		arena_reset(arena);
	}
	return st;
}

static enum status rows_copy(struct pop3_session *s, const struct store_view *v)
{
	struct pop3_drop *d = &s->drop;

	if (v->count > LIMIT_POP3_MESSAGES)
		return ST_LIMIT;
	if (!net_memory_take(net_of(s->conn), v->count * sizeof(*d->rows)))
		return ST_BUSY;
	d->rows = calloc(v->count ? v->count : 1, sizeof(*d->rows));
	CHECK(d->rows);
	d->count = (uint32_t)v->count;
	for (size_t i = 0; i < v->count; i++)
		d->rows[i] = (struct pop3_row){
			.email = v->rows[i].email,
			.size = v->rows[i].size,
			.uid = v->rows[i].uid,
			.flags = v->rows[i].flags & STORE_SEEN ? POP3_ROW_SEEN : 0,
		};
	return ST_OK;
}

static enum status load(struct pop3_session *s, struct store_account *a)
{
	struct store_mailbox m;
	struct store_view    v = { 0 };
	enum status          st = store_mailbox_find(a, STR("INBOX"), s->arena, &m);

	if (st != ST_OK)
		return st;
	if (m.messages > LIMIT_POP3_MESSAGES)
		return ST_LIMIT;
	if (!pop3_work_take(s, (size_t)m.messages * sizeof(struct store_row)))
		return ST_BUSY;
	st = store_view_load(a, m.id, UINT64_MAX, &v);
	if (st == ST_OK)
		st = rows_copy(s, &v);
	s->drop.mailbox = m.id;
	s->drop.uidvalidity = v.mailbox.uidvalidity;
	store_view_give(s->env->store, &v, v.modseq);
	pop3_work_give(s);
	if (st == ST_OK)
		st = sizes_mend(s, a);
	/* Nothing new is shown before it is on disk. */
	return st == ST_OK ? store_settle(a) : st;
}

enum status pop3_enter(struct pop3_session *s, const struct auth_login_reply *login)
{
	struct store_account *a;
	enum status           st;

	CHECK(s->state == POP3_AUTHORIZATION && s->account_id == 0 && login->account != 0);
	s->account_id = login->account;
	s->until = clock_mono_ms() + LIMIT_SESSION_MS;
	s->entry = store_enter(s->env->store, s->account_id, login->token);
	st = pop3_account(s, &a);
	if (st == ST_OK)
		st = load(s, a);
	if (st != ST_OK) {
		pop3_drop_done(s);
		return st;
	}
	s->state = POP3_TRANSACTION;
	return ST_OK;
}

struct pop3_row *pop3_drop_next(struct pop3_session *s, uint32_t *at)
{
	while (*at < s->drop.count) {
		struct pop3_row *row = &s->drop.rows[(*at)++];

		if (!(row->flags & POP3_ROW_MARKED))
			return row;
	}
	return NULL;
}

/* ---- changes ---- */

void pop3_drop_seen(struct pop3_session *s, struct pop3_row *row)
{
	const struct store_flag_change c = { .op = STORE_FLAGS_ADD, .flags = STORE_SEEN, .unchanged_since = UINT64_MAX };
	const struct store_range       r = { row->uid, row->uid };
	struct store_account          *a;
	struct store_flagged           f;

	if (row->flags & POP3_ROW_SEEN)
		return;
	row->flags |= POP3_ROW_SEEN;
	/* Mail can be read even where nothing can be written. */
	if (pop3_account(s, &a) != ST_OK ||
	    store_flags(a, s->drop.mailbox, (struct store_set){ &r, 1 }, &c, s->arena, &f) != ST_OK)
		return;
	if (f.changed > 0)
		s->env->ask->changed(s->env->ask_ctx, s->account_id, f.modseq);
}

/* Runs of marked rows: between two that stand side by side in the copy there is no other uid, now or later. */
static struct store_set marked(struct pop3_session *s)
{
	struct store_range *ranges = NULL;
	size_t              count = 0;
	bool                run = false;

	for (uint32_t i = 0; i < s->drop.count; i++) {
		bool is = s->drop.rows[i].flags & POP3_ROW_MARKED;

		count += is && !run;
		run = is;
	}
	ranges = ARENA_ARRAY(s->arena, struct store_range, count);
	count = 0;
	run = false;
	for (uint32_t i = 0; i < s->drop.count; i++) {
		bool     is = s->drop.rows[i].flags & POP3_ROW_MARKED;
		uint32_t uid = s->drop.rows[i].uid;

		if (is && !run)
			ranges[count++].first = uid;
		if (is)
			ranges[count - 1].last = uid;
		run = is;
	}
	return (struct store_set){ ranges, count };
}

/* What was removed is free for the others before the client is told so. */
static void counted(struct pop3_session *s, struct store_account *a)
{
	const struct pop3_ask  *ask = s->env->ask;
	struct auth_quota_reply q = { 0 };
	struct store_info       info;

	if (!ask->quota || !ask->used || ask->quota(s->env->ask_ctx, s->account_id, &q) != ST_OK)
		return;
	if (q.quota_shared && store_info(a, &info) == ST_OK)
		ask->used(s->env->ask_ctx, &(struct auth_used_request){ s->account_id, info.size, info.messages, store_entry_token(s->entry) });
}

enum status pop3_drop_commit(struct pop3_session *s)
{
	struct store_set      set = marked(s);
	struct store_account *a;
	struct store_mailbox  m;
	struct store_expunged gone;
	enum status           st;

	if (set.count == 0)
		return ST_OK;
	st = pop3_account(s, &a);
	if (st == ST_OK)
		st = store_mailbox_get(a, s->drop.mailbox, s->arena, &m);
	if (st == ST_OK && m.uidvalidity != s->drop.uidvalidity)
		return ST_TEMP; /* these uids are other messages now */
	if (st == ST_OK)
		st = store_expunge(a, s->drop.mailbox, set, false, s->arena, &gone);
	if (st != ST_OK)
		return st == ST_NOT_FOUND ? ST_TEMP : st;
	s->removed = gone.count;
	if (gone.count == 0)
		return ST_OK;
	s->env->ask->changed(s->env->ask_ctx, s->account_id, gone.modseq);
	counted(s, a);
	return ST_OK;
}
