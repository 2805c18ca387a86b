/* store/store_check.c - the numbered invariants of docs/formats/account.md, checked. */
#include <stdio.h>

#include "store/store_flagging.h"
#include "sys/disk.h"

struct check {
	struct store_account *a;
	store_found_fn       *found;
	void                 *arg;
	uint64_t              breaks;
	struct buf            bad_files; /* hashes */
};

static void found(struct check *c, const char *invariant, struct str text)
{
	c->breaks++;
	if (c->found)
		c->found(c->arg, invariant, text);
}

/* Each gives a row for each break: its only column says where. ?1 is the account. */
static const struct {
	const char *invariant, *sql;
} queries[] = {
	{ "A1", "SELECT 'account rows' WHERE (SELECT count(*) FROM account) <> 1 OR (SELECT account FROM account) <> ?1" },
	{ "A2", "SELECT 'clock above ceiling' FROM account WHERE account = ?1 AND modseq > ceiling" },
	{ "A3", "SELECT 'mailbox ' || id FROM mailbox WHERE account = ?1 AND (modseq > (SELECT modseq FROM account)"
		" OR uidvalidity < 1 OR uidvalidity > 4294967295 OR uidnext < 1 OR uidnext > 4294967295 OR uidvalidity > (SELECT uidvalidity FROM account))" },
	{ "A3", "SELECT 'message ' || mailbox || '/' || uid FROM message WHERE account = ?1 AND (created > modseq OR modseq >"
		" (SELECT b.modseq FROM mailbox b WHERE b.account = ?1 AND b.id = mailbox))" },
	{ "A3", "SELECT 'expunged ' || mailbox || '/' || uid FROM expunged WHERE account = ?1 AND (created > modseq OR modseq >="
		" gone OR gone > (SELECT modseq FROM account))" },
	{ "A4", "SELECT 'message ' || mailbox || '/' || uid FROM message WHERE account = ?1 AND uid >= coalesce("
		"(SELECT uidnext FROM mailbox b WHERE b.account = ?1 AND b.id = mailbox), 0)" },
	{ "A4", "SELECT 'message ' || mailbox || '/' || uid FROM message WHERE account <> ?1 OR uid < 1 OR uid >= 4294967295" },
	{ "A4", "SELECT 'expunged ' || mailbox || '/' || uid FROM expunged JOIN mailbox b ON b.account = ?1 AND b.id = mailbox"
		" WHERE expunged.account = ?1 AND uid >= b.uidnext" },
	{ "A4", "SELECT 'expunged again ' || m.mailbox || '/' || m.uid FROM expunged x JOIN message m ON m.account = x.account"
		" AND m.mailbox = x.mailbox AND m.uid = x.uid WHERE x.account = ?1" },
	{ "A5", "SELECT 'mailbox ' || b.id FROM mailbox b WHERE b.account = ?1 AND b.id NOT IN (SELECT mailbox FROM flagging) AND (SELECT count(*) || '.' || coalesce(sum(size), 0)"
		" || '.' || coalesce(sum(flags & 1 = 0), 0) || '.' || coalesce(sum(flags & 8 <> 0), 0) || '.' ||"
		" coalesce(sum(CASE WHEN flags & 8 <> 0 THEN size END), 0) || '.' || coalesce(sum(uid >= b.recent_from), 0)"
		" FROM message m WHERE m.account = b.account AND m.mailbox = b.id)"
		" <> messages || '.' || size || '.' || unseen || '.' || deleted || '.' || deleted_size || '.' || recent" },
	{ "A5", "SELECT 'account totals' FROM account WHERE account = ?1 AND (messages <> (SELECT coalesce(sum(messages), 0) FROM"
		" mailbox) OR size <> (SELECT coalesce(sum(size), 0) FROM mailbox))" },
	{ "A6", "SELECT 'email ' || e.id FROM email e LEFT JOIN (SELECT email, count(*) AS n FROM (SELECT email FROM message WHERE"
		" account = ?1 UNION ALL SELECT email FROM expunged WHERE account = ?1) GROUP BY email) r ON r.email = e.id"
		" WHERE e.account = ?1 AND e.refs + coalesce((SELECT n FROM email_more x WHERE x.account = ?1 AND x.email = e.id), 0)"
		" <> coalesce(r.n, 0)" },
	{ "A6", "SELECT 'more of email ' || email FROM email_more x WHERE account <> ?1 OR NOT EXISTS"
		" (SELECT 1 FROM email e WHERE e.id = x.email AND e.account = ?1)" },
	{ "A6", "SELECT 'email without a message ' || id FROM email e WHERE account <> ?1 OR"
		" refs + coalesce((SELECT n FROM email_more x WHERE x.account = ?1 AND x.email = e.id), 0) < 1" },
	{ "A6", "SELECT 'message ' || mailbox || '/' || uid FROM message m WHERE account = ?1 AND coalesce((SELECT size FROM email e"
		" WHERE e.id = m.email AND e.account = ?1), -1) <> size" },
	{ "A6", "SELECT 'expunged ' || mailbox || '/' || uid FROM expunged m WHERE account = ?1 AND email <> 0 AND NOT EXISTS"
		" (SELECT 1 FROM email e WHERE e.id = m.email AND e.account = ?1)" },
	{ "A7", "SELECT 'content ' || c.id FROM content c LEFT JOIN (SELECT content, count(*) AS n FROM email WHERE account = ?1"
		" GROUP BY content) r ON r.content = c.id WHERE c.account = ?1 AND c.refs <> coalesce(r.n, 0)" },
	{ "A7", "SELECT 'content without an email ' || id FROM content WHERE account <> ?1 OR refs < 1" },
	{ "A7", "SELECT 'email ' || id FROM email e WHERE account = ?1 AND coalesce((SELECT size FROM content c WHERE"
		" c.id = e.content AND c.account = ?1), -1) <> size" },
	{ "A8", "SELECT 'content ' || id FROM content WHERE account = ?1 AND (length(hash) <> 32 OR (data IS NOT NULL AND"
		" length(data) <> size))" },
	{ "A9", "SELECT 'next_id' FROM account WHERE account = ?1 AND (next_id <= (SELECT coalesce(max(id), 0) FROM mailbox)"
		" OR next_id <= (SELECT coalesce(max(id), 0) FROM email) OR next_id <= (SELECT coalesce(max(id), 0) FROM content))" },
	{ "A10", "SELECT 'change ' || modseq FROM change WHERE account = ?1 AND modseq > (SELECT modseq FROM account)" },
	{ "A10", "SELECT 'gap ' || low FROM gap WHERE account = ?1 AND (high < low OR high > (SELECT modseq FROM account))" },
	{ "A10", "SELECT 'floor' FROM account WHERE account = ?1 AND (floor > modseq OR released > modseq)" },
	{ "A11", "SELECT 'INBOX' WHERE (SELECT count(*) FROM mailbox WHERE account = ?1 AND special = 1 AND name = 'INBOX') <> 1" },
	{ "A11", "SELECT 'mailbox ' || id FROM mailbox b WHERE account = ?1 AND (special NOT BETWEEN 0 AND 9 OR (special > 0 AND"
		" EXISTS (SELECT 1 FROM mailbox o WHERE o.account = ?1 AND o.special = b.special AND o.id < b.id)))" },
	{ "A12", "SELECT 'keyword ' || number FROM keyword k WHERE account = ?1 AND (number < 0 OR number >= (SELECT count(*) FROM"
		" keyword))" },
	{ "A14", "SELECT 'message ' || mailbox || '/' || uid FROM message, (SELECT count(*) AS n FROM keyword WHERE account = ?1)"
		" WHERE account = ?1 AND ((n < 64 AND kw0 & (-1 << n) <> 0) OR (n <= 64 AND kw1 <> 0) OR"
		" (n > 64 AND n < 128 AND kw1 & (-1 << (n - 64)) <> 0) OR flags & ~31 <> 0)" },
	{ "A20", "SELECT 'metadata ' || mailbox || ' ' || name FROM metadata WHERE account = ?1 AND mailbox <> 0 AND mailbox NOT IN"
		 " (SELECT id FROM mailbox)" },
	{ "A21", "SELECT 'thread of email ' || email FROM thread WHERE account = ?1 AND email NOT IN (SELECT id FROM email)" },
	{ "A21", "SELECT 'thread key of email ' || email FROM thread_key WHERE account = ?1 AND email NOT IN (SELECT email FROM thread)" },
	{ "A23", "SELECT 'entry of access ' || mailbox || ' ' || subject FROM acl WHERE account <> ?1 OR mailbox NOT IN (SELECT id FROM mailbox) OR"
		 " kind NOT BETWEEN 0 AND 2 OR (kind = 0) <> (subject = 0) OR negative NOT IN (0, 1) OR rights NOT BETWEEN 1 AND 2047" },
	{ "A24", "SELECT 'seen ' || mailbox || ' ' || reader FROM seen WHERE account <> ?1 OR mailbox NOT IN (SELECT id FROM mailbox) OR reader IN"
		 " (0, ?1)" },
	{ "A25", "SELECT 'listing of email ' || id FROM listing WHERE account <> ?1 OR id NOT IN (SELECT id FROM email)" },
	{ "A26", "SELECT 'flagging ' || mailbox || ' ' || modseq FROM flagging f WHERE account <> ?1 OR modseq > coalesce((SELECT modseq FROM mailbox b"
		 " WHERE b.account = ?1 AND b.id = f.mailbox), 0) OR " STORE_FLAGGING_BAD },
	{ "A26", "SELECT 'keywords of flagging ' || mailbox || ' ' || modseq FROM flagging, (SELECT count(*) AS k FROM keyword WHERE account = ?1)"
		 " WHERE account = ?1 AND ((k < 64 AND kw0 & (-1 << k) <> 0) OR (k <= 64 AND kw1 <> 0) OR (k > 64 AND k < 128 AND kw1 & (-1 << (k - 64)) <> 0))" },
	{ "A22", "SELECT 'warning ' || warned FROM warning WHERE account <> ?1 OR warned NOT BETWEEN 0 AND 100" },
};

static enum status run_query(struct check *c, const char *invariant, const char *sql)
{
	struct db_stmt *s = db_sql(c->a->db, sql);
	enum status     st;

	db_bind_u64(s, 1, c->a->id);
	while ((st = db_step(s)) == ST_OK)
		found(c, invariant, db_str(s, 0));
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* A8: the file of this content is there and whole, by its hash. */
static bool file_whole(struct store_account *a, struct str hash, uint64_t want)
{
	char       path[STORE_PATH_MAX];
	int        fd = -1;
	struct str map = STR_NONE;
	uint8_t    got[STORE_HASH];
	uint64_t   size = 0;
	bool       whole = false;

	store_content_path(a->id, hash, path);
	if (disk_open(a->store->fd, path, DISK_READ, &fd) == ST_OK && disk_size(fd, &size) == ST_OK && size == want &&
	    disk_map(fd, (size_t)size, &map) == ST_OK) {
		store_hash(map, got);
		whole = str_eq(hash, str_n(got, STORE_HASH));
	}
	disk_unmap(map);
	fd_close(&fd);
	return whole;
}

static enum status check_files(struct check *c)
{
	struct db_stmt *s = db_sql(c->a->db, "SELECT hash, size FROM content WHERE account = ?1 AND data IS NULL");
	enum status     st;

	db_bind_u64(s, 1, c->a->id);
	while ((st = db_step(s)) == ST_OK) {
		struct str hash = db_str(s, 0);

		if (hash.n == STORE_HASH && !file_whole(c->a, hash, db_u64(s, 1)))
			buf_add(&c->bad_files, hash);
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* The files may have gone with their rows since the snapshot that named them: the rows of today decide. */
static enum status bad_files_tell(struct check *c)
{
	struct str  all = buf_str(&c->bad_files);
	enum status st = ST_OK;

	for (; all.n > 0 && st == ST_OK; all = str_from(all, STORE_HASH)) {
		struct db_stmt *s = db_sql(c->a->db, "SELECT size FROM content WHERE account = ?1 AND hash = ?2 AND data IS NULL");
		struct str      hash = str_first(all, STORE_HASH);
		char            path[STORE_PATH_MAX];

		db_bind_u64(s, 1, c->a->id);
		db_bind_blob(s, 2, hash);
		st = db_step(s);
		if (st == ST_OK && !file_whole(c->a, hash, db_u64(s, 0))) {
			store_content_path(c->a->id, hash, path);
			found(c, "A8", str_of(path));
		}
		db_done(s);
		st = st == ST_NOT_FOUND ? ST_OK : st;
	}
	return st;
}

/* A15: each email's facts can be read, and its parts lie within it. */
static enum status check_facts(struct check *c)
{
	struct db_stmt *s = db_sql(c->a->db, "SELECT id, size, header_n, parts FROM email WHERE account = ?1");
	enum status     st;

	db_bind_u64(s, 1, c->a->id);
	while ((st = db_step(s)) == ST_OK) {
		char text[48];

		if (store_facts_sound(db_u64(s, 1), db_u64(s, 2), db_str(s, 3)))
			continue;
		snprintf(text, sizeof(text), "email %llu", (unsigned long long)db_u64(s, 0));
		found(c, "A15", str_of(text));
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* A16: names are names. */
static enum status check_names(struct check *c)
{
	struct db_stmt *s = db_sql(c->a->db, "SELECT name FROM mailbox WHERE account = ?1 UNION ALL SELECT name FROM subscription WHERE"
					     " account = ?1");
	enum status     st;

	db_bind_u64(s, 1, c->a->id);
	while ((st = db_step(s)) == ST_OK)
		if (!store_name_valid(db_str(s, 0)))
			found(c, "A16", STR("a mailbox or subscription has a name that is none"));
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* A17: change rows can be read. */
static enum status check_changes(struct check *c)
{
	struct db_stmt *s = db_sql(c->a->db, "SELECT modseq, kind, op, uids FROM change WHERE account = ?1");
	enum status     st;

	db_bind_u64(s, 1, c->a->id);
	while ((st = db_step(s)) == ST_OK) {
		char text[48];

		if (store_change_sound(db_u64(s, 1), db_u64(s, 2), db_str(s, 3)))
			continue;
		snprintf(text, sizeof(text), "change %llu", (unsigned long long)db_u64(s, 0));
		found(c, "A17", str_of(text));
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* A24: and what readers have seen. */
static enum status check_seen(struct check *c)
{
	struct db_stmt *s = db_sql(c->a->db, "SELECT mailbox, reader, uids FROM seen WHERE account = ?1");
	enum status     st;

	db_bind_u64(s, 1, c->a->id);
	while ((st = db_step(s)) == ST_OK) {
		char text[64];

		if (store_change_sound(CHANGE_MESSAGE, CHANGE_UPDATED, db_str(s, 2)))
			continue;
		snprintf(text, sizeof(text), "seen %llu %llu", (unsigned long long)db_u64(s, 0), (unsigned long long)db_u64(s, 1));
		found(c, "A24", str_of(text));
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* A25: and listings say what the headers say. */
static enum status check_listings(struct check *c)
{
	struct db_stmt *s = NULL;
	uint64_t        id;
	enum status     st;

	while ((st = store_listing_untrue(c->a, &s, &id)) == ST_OK) {
		char text[64];

		snprintf(text, sizeof(text), "listing of email %llu is not its header's", (unsigned long long)id);
		found(c, "A25", str_of(text));
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* A26: and what is still to be written into the rows of messages. */
static enum status check_flaggings(struct check *c)
{
	struct db_stmt *s = db_sql(c->a->db, "SELECT mailbox, modseq, uids, n FROM flagging WHERE account = ?1");
	enum status     st;

	db_bind_u64(s, 1, c->a->id);
	while ((st = db_step(s)) == ST_OK) {
		char     text[64];
		uint64_t n;

		if (store_flagging_uids(db_str(s, 2), &n) && n == db_u64(s, 3))
			continue;
		snprintf(text, sizeof(text), "flagging %llu %llu", (unsigned long long)db_u64(s, 0), (unsigned long long)db_u64(s, 1));
		found(c, "A26", str_of(text));
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static bool counters_fit(const struct store_mailbox *m, uint32_t recent_from, const struct store_row *rows, size_t n)
{
	struct store_mailbox got = { .messages = n };

	for (size_t i = 0; i < n; i++) {
		got.size += rows[i].size;
		got.unseen += !(rows[i].flags & STORE_SEEN);
		got.deleted += !!(rows[i].flags & STORE_DELETED);
		got.deleted_size += rows[i].flags & STORE_DELETED ? rows[i].size : 0;
		got.recent += rows[i].uid >= recent_from;
	}
	return got.messages == m->messages && got.size == m->size && got.unseen == m->unseen && got.deleted == m->deleted &&
	       got.deleted_size == m->deleted_size && got.recent == m->recent;
}

/* A5 of one mailbox, whose rows are not yet what they will be. */
static enum status flagged_count(struct check *c, uint64_t mailbox)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	struct store_mailbox  m;
	struct store_row     *rows;
	size_t                n;
	char                  text[40];
	enum status           st = store_mailbox_row(c->a, mailbox, &m);

	if (st == ST_OK)
		st = store_rows_load(c->a, mailbox, STORE_SET_ALL, SIZE_MAX, arena, &rows, &n);
	if (st == ST_OK && !counters_fit(&m, store_mailbox_recent_from(c->a, mailbox), rows, n)) {
		snprintf(text, sizeof(text), "mailbox %llu", (unsigned long long)mailbox);
		found(c, "A5", str_of(text));
	}
	return st == ST_NOT_FOUND || st == ST_CORRUPT ? ST_OK : st; /* A26 says so */
}

/* A5: the counters of mailboxes of which rows are still to be written. */
static enum status check_flagged(struct check *c)
{
	uint64_t    mailbox = 0;
	enum status st = ST_OK;

	while (st == ST_OK) {
		struct db_stmt *s = db_sql(c->a->db, "SELECT min(mailbox) FROM flagging WHERE account = ?1 AND mailbox > ?2");

		db_bind_u64(s, 1, c->a->id);
		db_bind_u64(s, 2, mailbox);
		st = db_step(s);
		if (st == ST_OK && db_null(s, 0))
			st = ST_NOT_FOUND;
		mailbox = st == ST_OK ? db_u64(s, 0) : 0;
		db_done(s);
		if (st == ST_OK)
			st = flagged_count(c, mailbox);
	}
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* A8: inline content is what its hash says. */
static enum status check_inline(struct check *c)
{
	struct db_stmt *s = db_sql(c->a->db, "SELECT id, hash, data FROM content WHERE account = ?1 AND data IS NOT NULL");
	enum status     st;

	db_bind_u64(s, 1, c->a->id);
	while ((st = db_step(s)) == ST_OK) {
		uint8_t hash[STORE_HASH];

		store_hash(db_str(s, 2), hash);
		if (!str_eq(db_str(s, 1), str_n(hash, sizeof(hash))))
			found(c, "A8", STR("inline content differs from its hash"));
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* A13: SQLite's own structure. */
static enum status check_sqlite(struct check *c)
{
	struct db_stmt *s = db_sql(c->a->db, "PRAGMA integrity_check(20)");
	enum status     st;

	while ((st = db_step(s)) == ST_OK) {
		if (!str_eq(db_str(s, 0), STR("ok")))
			found(c, "A13", db_str(s, 0));
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Never let damage pass for a failure: what cannot be read any further is a break, and the rest is looked at. */
static enum status told(struct check *c, enum status st)
{
	if (st != ST_CORRUPT)
		return st;
	found(c, "A13", STR("the database cannot be read to the end"));
	return ST_OK;
}

static enum status check_rows(struct check *c)
{
	static enum status (*const checks[])(struct check *) = { check_sqlite, check_inline, check_facts, check_names, check_changes, check_seen,
								  check_listings, check_flaggings, check_flagged, check_files };
	enum status st;

	db_forget(c->a->db);
	st = db_begin_read(c->a->db);
	if (st != ST_OK)
		return told(c, st);
	for (size_t i = 0; i < LEN(queries) && st == ST_OK; i++)
		st = told(c, run_query(c, queries[i].invariant, queries[i].sql));
	for (size_t i = 0; i < LEN(checks) && st == ST_OK; i++)
		st = told(c, checks[i](c));
	db_rollback(c->a->db);
	return st;
}

enum status store_check(struct store_account *a, store_found_fn *fn, void *arg, uint64_t *ret_breaks)
{
	struct check c = { .a = a, .found = fn, .arg = arg };
	enum status  st;

	buf_init(&c.bad_files, STORE_HASH * STORE_BAD_FILES_MAX);
	st = check_rows(&c);
	if (st == ST_OK)
		st = told(&c, bad_files_tell(&c));
	buf_done(&c.bad_files);
	if (st == ST_OK)
		*ret_breaks = c.breaks;
	return st;
}
