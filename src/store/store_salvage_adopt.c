/* store/store_salvage_adopt.c - contents and emails that have lost each other, and those that no message has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/store_salvage_int.h"
#include "sys/clock.h"
#include "sys/disk.h"

#define BATCH 500u /* adopted by one transaction */

/* ---- emails whose row is lost ---- */

static enum status email_again(struct salvage *s, uint64_t email, uint64_t content)
{
	struct arena          *arena CLEANUP(arena_free) = arena_new(NULL);
	struct store_facts_row f;
	struct mend_body       b;
	struct db_stmt        *q;
	enum status            st = mend_body_read(&s->m, content, &b);

	if (st == ST_OK) {
		store_email_facts(b.octets, arena, &f);
		q = db_sql(s->a->db, "INSERT INTO email VALUES (?2, ?1, ?3, 1, 0, 0, 0, NULL, x'', x'', x'', x'', x'', x'', x'', x'', x'', x'', x'')");
		db_bind_u64(q, 1, s->a->id);
		db_bind_u64(q, 2, email);
		db_bind_u64(q, 3, content);
		st = db_run(q);
	}
	if (st == ST_OK)
		st = store_email_rewrite(s->a, email, &f);
	if (st == ST_OK)
		mend_tell(&s->m, STORE_MEND_FIXED, "A6", "email %llu: its row is lost, read again from its content", (unsigned long long)email);
	mend_body_done(&b);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* A content that came in with an email has the id before it (store_append.c), and its size. */
enum status salvage_emails(struct salvage *s)
{
	int64_t    *rows;
	size_t      n;
	enum status st = store_txn_begin(s->a, true);

	if (st != ST_OK)
		return st;
	st = mend_rows(&s->m, "SELECT DISTINCT x.email, c.id FROM (SELECT email, size FROM message WHERE account = ?1 UNION SELECT email, size FROM"
			      " expunged WHERE account = ?1 AND email <> 0) x JOIN content c ON c.id = x.email - 1 AND c.size = x.size WHERE"
			      " x.email NOT IN (SELECT id FROM email) AND c.id NOT IN (SELECT content FROM email)", 2, &rows, &n);
	for (size_t i = 0; st == ST_OK && i < n; i++)
		st = email_again(s, (uint64_t)rows[2 * i], (uint64_t)rows[2 * i + 1]);
	return store_txn_end(s->a, st, true);
}

/* ---- into Recovered ---- */

/* The date of the message, if it can be one: of a content in a row no other time is known. */
static int64_t date_of(int64_t date_ms)
{
	int64_t now = clock_wall_ms();

	return date_ms > 0 && date_ms <= now ? date_ms : now;
}

static enum status adopt(struct mend *m, uint64_t email, uint64_t size, int64_t date_ms, const char *what, uint64_t *ret_moved)
{
	struct store_row row = { .email = email, .size = size, .internal_ms = date_ms };
	enum status      st = mend_recover(m, &row);

	if (st != ST_OK)
		return st;
	mend_tell(m, STORE_MEND_MOVED, "A6", "%s that no message has: it is Recovered/%u now", what, row.uid);
	++*ret_moved;
	return ST_OK;
}

/* The same where there are clients, who are told of it. */
static enum status adopt_told(struct mend *m, uint64_t email, uint64_t size, int64_t date_ms, uint64_t *ret_moved)
{
	uint32_t    uid;
	enum status st = adopt(m, email, size, date_ms, "a file", ret_moved);

	uid = m->recovered.uidnext - 1;
	return st == ST_OK ? store_txn_change(m->a, CHANGE_MESSAGE, m->recovered.id, CHANGE_CREATED, &uid, 1) : st;
}

static enum status email_adopt(struct mend *m, const int64_t *r, uint64_t *ret_moved)
{
	return adopt(m, (uint64_t)r[0], (uint64_t)r[1], date_of(r[2]), "an email", ret_moved);
}

static enum status content_adopt(struct mend *m, const int64_t *r, uint64_t *ret_moved)
{
	struct arena          *arena CLEANUP(arena_free) = arena_new(NULL);
	struct store_facts_row f;
	struct mend_body       b;
	uint64_t               email;
	enum status            st = mend_body_read(m, (uint64_t)r[0], &b);

	if (st == ST_OK) {
		store_email_facts(b.octets, arena, &f);
		st = mend_octets_insert(m, b.octets, &f, &email);
		if (st == ST_OK)
			st = adopt(m, email, b.octets.n, date_of(f.e.date_ms), "a content", ret_moved);
	}
	mend_body_done(&b);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status each(struct mend *m, const char *sql, unsigned columns, enum status (*fn)(struct mend *, const int64_t *, uint64_t *),
			uint64_t *ret_moved)
{
	int64_t    *rows;
	size_t      n;
	enum status st = mend_rows(m, sql, columns, &rows, &n);

	for (size_t i = 0; i < n && st == ST_OK;) {
		st = store_txn_begin(m->a, true);
		if (st != ST_OK)
			return st;
		for (size_t end = MIN(n, i + BATCH); i < end && st == ST_OK; i++)
			st = fn(m, rows + columns * i, ret_moved);
		st = store_txn_end(m->a, st, true);
	}
	return st;
}

/* What was moved, or restored, and is in no other place now has lost its row there. */
enum status salvage_orphans(struct mend *m, uint64_t *ret_moved)
{
	enum status st = each(m, "SELECT e.id, e.size, coalesce(e.date_ms, 0) FROM email e JOIN content c ON c.id = e.content WHERE e.account = ?1 AND"
				 " e.id NOT IN (SELECT email FROM message WHERE account = ?1 UNION SELECT email FROM expunged WHERE account = ?1 AND"
				 " fate = 0)", 3,
			      email_adopt, ret_moved);

	return st == ST_OK ? each(m, "SELECT id FROM content WHERE account = ?1 AND id NOT IN (SELECT content FROM email)", 1, content_adopt,
				  ret_moved) : st;
}

/* ---- files ---- */

struct file {
	uint8_t hash[STORE_HASH]; /* its name */
	int64_t mtime_ms;
};

static enum status has_row(struct mend *m, const struct file *f, bool *ret)
{
	struct db_stmt *s = db_sql(m->a->db, "SELECT 1 FROM content WHERE account = ?1 AND hash = ?2");
	enum status     st;

	db_bind_u64(s, 1, m->a->id);
	db_bind_blob(s, 2, str_n(f->hash, STORE_HASH));
	st = db_step(s);
	db_done(s);
	*ret = st == ST_OK;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status file_map(struct mend *m, const char *path, struct str *ret)
{
	int         fd = -1;
	uint64_t    size = 0;
	enum status st = disk_open(m->a->store->fd, path, DISK_READ, &fd);

	if (st == ST_OK)
		st = disk_size(fd, &size);
	if (st == ST_OK)
		st = size > 0 && size <= LIMIT_MESSAGE_MAX ? disk_map(fd, (size_t)size, ret) : ST_NOT_FOUND;
	fd_close(&fd);
	return st;
}

/* An email whose content has no row, and which says of its message just what this one is. */
static enum status lost_find(struct mend *m, const struct store_facts_row *f, uint64_t *ret_content)
{
	struct db_stmt *s = db_sql(m->a->db, "SELECT e.content FROM lost_content l JOIN email e ON e.id = l.email WHERE l.size = ?1 AND e.header_n ="
					     " ?2 AND e.parts = ?3 AND e.envelope = ?4 AND e.structure = ?5 AND e.message_id = ?6 AND NOT EXISTS"
					     " (SELECT 1 FROM content c WHERE c.id = e.content)");
	enum status     st;

	db_bind_u64(s, 1, f->e.size);
	db_bind_u64(s, 2, f->e.header_n);
	db_bind_blob(s, 3, f->parts);
	db_bind_blob(s, 4, f->e.envelope);
	db_bind_blob(s, 5, f->e.structure);
	db_bind_blob(s, 6, f->e.message_id);
	st = db_step(s);
	if (st == ST_OK)
		*ret_content = db_u64(s, 0);
	db_done(s);
	return st;
}

static enum status content_again(struct mend *m, uint64_t id, const struct file *f, uint64_t size)
{
	struct db_stmt *s = db_sql(m->a->db, "INSERT INTO content VALUES (?2, ?1, ?3, ?4, 1, NULL)");

	db_bind_u64(s, 1, m->a->id);
	db_bind_u64(s, 2, id);
	db_bind_blob(s, 3, str_n(f->hash, STORE_HASH));
	db_bind_u64(s, 4, size);
	mend_tell(m, STORE_MEND_FIXED, "A7", "content %llu: its row is lost, its file was found", (unsigned long long)id);
	return db_run(s);
}

/* The file stands under its name already: it is "given" the name that it has. */
static enum status file_insert(struct mend *m, const char *path, struct str map, struct store_facts_row *facts, uint64_t *ret_email)
{
	struct store_bytes b = { .content = map };

	store_hash(map, b.hash);
	snprintf(b.temp, sizeof(b.temp), "%s", path);
	return store_email_insert(m->a, &b, facts, 1, ret_email);
}

/* Inside a transaction: a file whose row comes with one that is just being written has it by now. */
static enum status file_adopt(struct mend *m, const struct file *f, bool match, uint64_t *ret_moved)
{
	struct arena          *arena CLEANUP(arena_free) = arena_new(NULL);
	struct store_facts_row facts;
	struct str             map = STR_NONE;
	char                   path[STORE_PATH_MAX];
	uint8_t                hash[STORE_HASH];
	uint64_t               id = 0;
	bool                   same, known;
	enum status            st = has_row(m, f, &known);

	if (st != ST_OK || known)
		return st;
	store_content_path(m->a->id, str_n(f->hash, STORE_HASH), path);
	st = file_map(m, path, &map);
	if (st != ST_OK)
		return st == ST_NOT_FOUND ? ST_OK : st;
	store_hash(map, hash);
	same = memcmp(hash, f->hash, sizeof(hash)) == 0;
	if (!same) { /* under a wrong name: it may have been brought in by an interrupted run, under its own */
		struct file g = *f;

		memcpy(g.hash, hash, sizeof(g.hash));
		st = has_row(m, &g, &known);
		if (st != ST_OK || known) {
			disk_unmap(map);
			return st;
		}
	}
	store_email_facts(map, arena, &facts);
	st = match && same ? lost_find(m, &facts, &id) : ST_NOT_FOUND;
	if (st == ST_OK) {
		st = content_again(m, id, f, map.n);
	} else if (st == ST_NOT_FOUND) {
		st = same ? file_insert(m, path, map, &facts, &id) : mend_octets_insert(m, map, &facts, &id);
		if (st == ST_OK)
			st = match ? adopt(m, id, map.n, f->mtime_ms, "a file", ret_moved) : adopt_told(m, id, map.n, f->mtime_ms, ret_moved);
	}
	disk_unmap(map);
	return st;
}

static enum status lost_list(struct mend *m)
{
	struct db_stmt *s = db_sql(m->a->db, "CREATE TEMP TABLE lost_content (size INTEGER, email INTEGER, PRIMARY KEY (size, email)) WITHOUT ROWID");
	enum status     st = db_run(s);

	if (st != ST_OK)
		return st;
	s = db_sql(m->a->db, "INSERT INTO lost_content SELECT size, id FROM email WHERE account = ?1 AND content NOT IN (SELECT id FROM content)");
	db_bind_u64(s, 1, m->a->id);
	return db_run(s);
}

enum status salvage_files(struct mend *m, bool match, uint64_t *ret_moved)
{
	struct store_content_file *first;
	int64_t                    keep_ms;
	bool                       known;
	enum status                st = store_content_list(m->a->store, m->a->id, m->arena, &first, &keep_ms);

	if (st == ST_OK && match)
		st = lost_list(m);
	for (const struct store_content_file *c = first; c && st == ST_OK; c = c->next) {
		struct file f = { .mtime_ms = c->mtime_ms };

		/* Of a database that is sound, what is not kept is what a crash left. */
		if (!store_content_hash_of(c->name, f.hash) || (!match && !store_content_is_kept(c, keep_ms)))
			continue;
		st = has_row(m, &f, &known);
		if (st != ST_OK || known)
			continue;
		st = store_txn_begin(m->a, true);
		if (st == ST_OK)
			st = store_txn_end(m->a, file_adopt(m, &f, match, ret_moved), true);
	}
	return st == ST_NOT_FOUND ? ST_OK : st;
}
