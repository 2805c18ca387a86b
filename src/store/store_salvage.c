/* store/store_salvage.c - the new database: begun, filled, made whole, put in place; see store_salvage.h. */
#include "store/store_salvage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/store_keep.h"
#include "store/store_salvage_int.h"
#include "sys/clock.h"
#include "sys/disk.h"

#define CACHE_KIB        4096
#define CHECKPOINT_PAGES 4000

static enum status number(struct salvage *s, const char *sql, uint64_t *ret) { return mend_number(&s->m, sql, ret); }

static enum status run(struct salvage *s, const char *sql)
{
	struct db_stmt *q = db_sql(s->a->db, sql);

	db_bind_u64(q, 1, s->a->id);
	return db_run(q);
}

/* ---- what the rows say of each other ---- */

/* A uid is used once: what was expunged is gone, also where a stray says otherwise. */
static enum status contradictions(struct salvage *s)
{
	return run(s, "DELETE FROM message WHERE account = ?1 AND (mailbox, uid) IN (SELECT mailbox, uid FROM expunged WHERE account = ?1)");
}

static enum store_special special_of(struct str name)
{
	static const struct {
		struct str         name;
		enum store_special special;
	} defaults[] = {
		{ STR("INBOX"), STORE_SPECIAL_INBOX }, { STR("Drafts"), STORE_SPECIAL_DRAFTS }, { STR("Sent"), STORE_SPECIAL_SENT },
		{ STR("Trash"), STORE_SPECIAL_TRASH }, { STR("Junk"), STORE_SPECIAL_JUNK },     { STR("Archive"), STORE_SPECIAL_ARCHIVE },
	};

	for (size_t i = 0; i < LEN(defaults); i++)
		if (str_eq(name, defaults[i].name))
			return defaults[i].special;
	return STORE_SPECIAL_NONE;
}

/* ST_EXISTS: the name is taken. UIDVALIDITY 0 is no number: store_mend gives it one, and the next uid. */
static enum status mailbox_insert(struct salvage *s, uint64_t id, struct str name, enum store_special special)
{
	struct db_stmt *q = db_sql(s->a->db, "INSERT INTO mailbox VALUES (?1, ?2, ?3, ?4, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0)");

	db_bind_u64(q, 1, s->a->id);
	db_bind_u64(q, 2, id);
	db_bind_str(q, 3, name);
	db_bind_u64(q, 4, special);
	return db_run(q);
}

static enum status mailbox_again(struct salvage *s, uint64_t id)
{
	struct db_stmt *q = db_sql(s->a->db, "SELECT name FROM known_name WHERE id = ?1");
	struct str      name = arena_printf(s->m.arena, "Recovered mailbox %" PRIu64, id), known = STR_NONE;
	enum status     st;

	db_bind_u64(q, 1, id);
	st = db_step(q);
	if (st == ST_OK)
		known = arena_dup(s->m.arena, db_str(q, 0));
	db_done(q);
	if (st != ST_OK && st != ST_NOT_FOUND)
		return st;
	if (store_name_valid(known)) {
		st = mailbox_insert(s, id, known, special_of(known));
		if (st == ST_OK)
			name = known;
		else if (st == ST_EXISTS)
			st = mailbox_insert(s, id, name, STORE_SPECIAL_NONE);
	} else {
		st = mailbox_insert(s, id, name, STORE_SPECIAL_NONE);
	}
	mend_tell(&s->m, STORE_MEND_FIXED, "A4", "mailbox %" PRIu64 ": its row is lost, it is %.*s now", id, STR_FMT(name));
	return st;
}

/* Those that messages are in, and those that have a name. */
static enum status mailboxes(struct salvage *s)
{
	int64_t    *ids;
	size_t      n;
	enum status st = mend_rows(&s->m, "SELECT id FROM (SELECT DISTINCT mailbox AS id FROM message WHERE account = ?1 UNION SELECT id FROM known_name)"
					  " WHERE id > 0 AND id NOT IN (SELECT id FROM mailbox)", 1, &ids, &n);

	for (size_t i = 0; st == ST_OK && i < n; i++)
		st = mailbox_again(s, (uint64_t)ids[i]);
	return st;
}

/* ---- the account's row ---- */

static enum status state_make(struct salvage *s)
{
	struct account_state *t = &s->state;
	uint64_t              modseq = 0, id = 0;
	enum status           st = number(s, "SELECT max(coalesce((SELECT max(modseq) FROM message), 0), coalesce((SELECT max(gone) FROM expunged), 0),"
					     " coalesce((SELECT max(modseq) FROM mailbox), 0)) + 0 * ?1", &modseq);

	if (st == ST_OK)
		st = number(s, "SELECT max(coalesce((SELECT max(id) FROM mailbox), 0), coalesce((SELECT max(id) FROM email), 0), coalesce((SELECT"
			       " max(id) FROM content), 0), coalesce((SELECT max(id) FROM former), 0), coalesce((SELECT max(email) FROM message), 0))"
			       " + 0 * ?1", &id);
	if (st != ST_OK)
		return st;
	/* All up to the ceiling may have been shown. Of commits that are missing nobody knows how far they went. */
	t->modseq = MAX(MAX(t->modseq, t->ceiling), modseq) + 1 + (s->uncertain ? SALVAGE_JUMP : 0);
	t->ceiling = t->modseq + STORE_RESERVE;
	t->floor = t->modseq;
	t->next_id = MAX(t->next_id, id + 1) + (s->uncertain ? SALVAGE_JUMP : 0);
	t->boot = store_epoch(s->a);
	return ST_OK;
}

static enum status state_insert(struct salvage *s)
{
	const struct account_state *t = &s->state;
	const uint64_t  values[] = { s->a->id, t->modseq, t->ceiling, t->boot.hi, t->boot.lo, t->floor, t->next_id, t->uidvalidity };
	struct db_stmt *q = db_sql(s->a->db, "INSERT INTO account VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, ?7, ?8, 0, 0)");

	for (size_t i = 0; i < LEN(values); i++)
		db_bind_u64(q, (int)i + 1, values[i]);
	return db_run(q);
}

/* Messages that the mailboxes, or the account, counted, and of which there is no row. */
static enum status missing_count(struct salvage *s, uint64_t *ret)
{
	uint64_t    there = 0, counted = 0;
	enum status st = number(s, "SELECT count(*) FROM message WHERE account = ?1", &there);

	if (st == ST_OK)
		st = number(s, "SELECT coalesce(sum(messages), 0) FROM mailbox WHERE account = ?1", &counted);
	counted = s->state_known ? s->state.messages : counted;
	*ret = counted > there && counted < INT64_MAX ? counted - there : 0;
	return st;
}

/* Only what this salvage brings into it counts as moved. */
static enum status recovered_count(struct salvage *s, uint64_t *ret)
{
	return number(s, "SELECT count(*) FROM message WHERE account = ?1 AND mailbox = (SELECT id FROM mailbox WHERE account = ?1 AND name ="
			 " 'Recovered')", ret);
}

static enum status rows(struct salvage *s, uint64_t *ret_missing)
{
	enum status st = db_begin_write(s->a->db);

	if (st != ST_OK)
		return st;
	st = salvage_rows(s);
	if (st == ST_OK)
		st = contradictions(s);
	if (st == ST_OK)
		st = missing_count(s, ret_missing);
	if (st == ST_OK)
		st = mailboxes(s);
	if (st == ST_OK)
		st = recovered_count(s, &s->recovered_before);
	if (st == ST_OK)
		st = state_make(s);
	if (st == ST_OK)
		st = state_insert(s);
	if (st != ST_OK)
		db_rollback(s->a->db);
	return st == ST_OK ? db_commit(s->a->db) : st;
}

/* ---- what clients are told ---- */

static enum status numbers_renew(struct salvage *s)
{
	int64_t    *ids;
	size_t      n;
	enum status st = mend_rows(&s->m, s->uncertain ? "SELECT id FROM mailbox WHERE account = ?1 AND uidvalidity <> 0" :
							 "SELECT id FROM mailbox WHERE account = ?1 AND uidvalidity <> 0 AND id IN"
							 " (SELECT mailbox FROM uncertain)", 1, &ids, &n);

	for (size_t i = 0; st == ST_OK && i < n; i++)
		st = mend_uidvalidity(&s->m, (uint64_t)ids[i]);
	return st == ST_OK ? run(s, "UPDATE mailbox SET modseq = (SELECT floor FROM account) WHERE account = ?1") : st;
}

static enum status defaults_if_none(struct salvage *s)
{
	uint64_t    n = 0;
	enum status st = number(s, "SELECT count(*) FROM mailbox WHERE account = ?1", &n);

	return st == ST_OK && n == 0 ? store_defaults_make(s->a) : st;
}

static enum status numbers(struct salvage *s)
{
	enum status st = store_txn_begin(s->a, true);

	if (st != ST_OK)
		return st;
	(void)store_txn_modseq(s->a); /* so that the account row is written */
	st = defaults_if_none(s);
	return store_txn_end(s->a, st == ST_OK ? numbers_renew(s) : st, true);
}

/* Messages that can neither be read nor have left a content behind. */
static void lost_tell(struct salvage *s, uint64_t missing)
{
	for (uint64_t i = s->result->moved; i < missing; i++)
		mend_tell(&s->m, STORE_MEND_LOST, "A13", "a message: neither its row nor its content can be read");
}

static void on_broken(void *arg, const char *invariant, struct str text)
{
	struct salvage *s = arg;

	mend_tell(&s->m, STORE_MEND_BROKEN, invariant, "stays after the salvage: %.*s", STR_FMT(text));
}

static enum status fill(struct salvage *s)
{
	uint64_t    missing = 0, changes = 0, breaks = 0;
	enum status st = rows(s, &missing);

	if (st == ST_OK)
		st = numbers(s);
	if (st == ST_OK)
		st = salvage_emails(s);
	if (st == ST_OK)
		st = salvage_files(&s->m, true, &s->result->moved);
	if (st == ST_OK)
		st = salvage_orphans(&s->m, &s->result->moved);
	if (st == ST_OK)
		lost_tell(s, missing);
	if (st == ST_OK)
		st = store_mend(s->a, s->m.tell, s->m.arg, &changes);
	if (st == ST_OK)
		st = store_check(s->a, on_broken, s, &breaks);
	return st == ST_OK && breaks > 0 ? ST_CORRUPT : st;
}

/* ---- counting what is told ---- */

struct telling {
	store_mend_fn         *tell;
	void                  *arg;
	struct store_salvaged *result;
};

static void on_told(void *arg, enum store_mend_kind kind, const char *invariant, struct str text)
{
	struct telling *t = arg;

	t->result->lost += kind == STORE_MEND_LOST;
	if (t->tell)
		t->tell(t->arg, kind, invariant, text);
}

static enum status result_make(struct salvage *s)
{
	struct store_info info;
	uint64_t          moved = 0;
	enum status       st = store_info(s->a, &info);

	if (st == ST_OK)
		st = recovered_count(s, &moved);
	if (st != ST_OK)
		return st;
	moved -= MIN(moved, s->recovered_before); /* one that was there before may be there again, under another uid */
	s->result->moved = moved;
	s->result->kept = info.messages - moved;
	s->result->pages = s->sum.pages;
	s->result->rows = s->sum.rows;
	s->result->bad = s->sum.bad;
	s->result->modseq = info.modseq;
	return ST_OK;
}

/* ---- begin and end ---- */

static enum status account_new(struct store *s, uint64_t account, const char *path, struct store_account **ret)
{
	const struct db_options options = { .schema = &store_schema, .create = true, .cache_kib = CACHE_KIB,
					    .checkpoint_pages = CHECKPOINT_PAGES, .lock_ms = s->options.lock_ms };
	struct store_account *a = calloc(1, sizeof(*a));
	enum status           st;

	CHECK(a);
	a->store = s;
	a->id = account;
	a->content_fd = -1;
	st = db_open(path, &options, &a->db);
	if (st != ST_OK)
		free(a);
	else
		*ret = a;
	return st;
}

static enum status make(struct store *s, uint64_t account, const char *path, struct db_pages *pages, struct telling *t)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	struct salvage      w = { .pages = pages, .result = t->result };
	enum status         st = account_new(s, account, path, &w.a);

	if (st != ST_OK)
		return st;
	w.m = (struct mend){ .a = w.a, .tell = on_told, .arg = t, .arena = arena };
	st = fill(&w);
	if (st == ST_OK)
		st = result_make(&w);
	store_content_close(w.a);
	db_close(&w.a->db);
	free(w.a);
	return st;
}

static enum status content_make(struct store *s, uint64_t account)
{
	char        path[STORE_PATH_MAX];
	enum status st;

	store_path(account, "content", path);
	st = disk_make_dir(s->fd, path);
	return st == ST_EXISTS ? ST_OK : st;
}

enum status store_salvage(struct store *s, uint64_t account, store_mend_fn *tell, void *arg, struct store_salvaged *ret)
{
	char               path[STORE_PATH_MAX + 16];
	struct db_salvage *d;
	struct db_pages   *pages;
	struct telling     t = { tell, arg, ret };
	enum status        st = content_make(s, account);

	*ret = (struct store_salvaged){ 0 };
	store_idle_drop(s, account, false);
	store_db_path(account, path);
	if (st == ST_OK)
		st = db_salvage_begin(path, &d, &pages);
	if (st != ST_OK)
		return st;
	st = make(s, account, db_salvage_path(d), pages, &t);
	st = db_salvage_end(&d, st, &ret->aside);
	store_idle_drop(s, account, false);
	if (st == ST_OK)
		store_keep_end(s, account);
	return st;
}

enum status store_adopt(struct store_account *a, store_mend_fn *tell, void *arg, uint64_t *ret_moved)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	struct mend         m = { .a = a, .tell = tell, .arg = arg, .arena = arena };
	enum status         st;

	*ret_moved = 0;
	st = salvage_files(&m, false, ret_moved);
	if (st == ST_OK)
		store_keep_end(a->store, a->id);
	return st;
}
