/* store/store_check.c - the numbered invariants of docs/formats/account.md, checked. */
#include "store/store_internal.h"
#include "sys/disk.h"

struct check {
	struct store_account *a;
	store_found_fn       *found;
	void                 *arg;
	uint64_t              breaks;
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
		" OR uidvalidity = 0 OR uidnext = 0 OR uidvalidity > (SELECT uidvalidity FROM account))" },
	{ "A3", "SELECT 'message ' || mailbox || '/' || uid FROM message WHERE account = ?1 AND (created > modseq OR modseq >"
		" (SELECT b.modseq FROM mailbox b WHERE b.account = ?1 AND b.id = mailbox))" },
	{ "A3", "SELECT 'expunged ' || mailbox || '/' || uid FROM expunged WHERE account = ?1 AND (created > modseq OR modseq >="
		" gone OR gone > (SELECT modseq FROM account))" },
	{ "A4", "SELECT 'message ' || mailbox || '/' || uid FROM message WHERE account = ?1 AND uid >= coalesce("
		"(SELECT uidnext FROM mailbox b WHERE b.account = ?1 AND b.id = mailbox), 0)" },
	{ "A4", "SELECT 'expunged again ' || m.mailbox || '/' || m.uid FROM expunged x JOIN message m ON m.account = x.account"
		" AND m.mailbox = x.mailbox AND m.uid = x.uid WHERE x.account = ?1" },
	{ "A5", "SELECT 'mailbox ' || b.id FROM mailbox b WHERE b.account = ?1 AND (SELECT count(*) || '.' || coalesce(sum(size), 0)"
		" || '.' || coalesce(sum(flags & 1 = 0), 0) || '.' || coalesce(sum(flags & 8 <> 0), 0) || '.' ||"
		" coalesce(sum(CASE WHEN flags & 8 <> 0 THEN size END), 0) || '.' || coalesce(sum(uid >= b.recent_from), 0)"
		" FROM message m WHERE m.account = b.account AND m.mailbox = b.id)"
		" <> messages || '.' || size || '.' || unseen || '.' || deleted || '.' || deleted_size || '.' || recent" },
	{ "A5", "SELECT 'account totals' FROM account WHERE account = ?1 AND (messages <> (SELECT coalesce(sum(messages), 0) FROM"
		" mailbox) OR size <> (SELECT coalesce(sum(size), 0) FROM mailbox))" },
	{ "A6", "SELECT 'email ' || e.id FROM email e LEFT JOIN (SELECT email, count(*) AS n FROM (SELECT email FROM message WHERE"
		" account = ?1 UNION ALL SELECT email FROM expunged WHERE account = ?1) GROUP BY email) r ON r.email = e.id"
		" WHERE e.account = ?1 AND e.refs <> coalesce(r.n, 0)" },
	{ "A6", "SELECT 'message ' || mailbox || '/' || uid FROM message m WHERE account = ?1 AND coalesce((SELECT size FROM email e"
		" WHERE e.id = m.email AND e.account = ?1), -1) <> size" },
	{ "A6", "SELECT 'expunged ' || mailbox || '/' || uid FROM expunged m WHERE account = ?1 AND email <> 0 AND NOT EXISTS"
		" (SELECT 1 FROM email e WHERE e.id = m.email AND e.account = ?1)" },
	{ "A7", "SELECT 'content ' || c.id FROM content c LEFT JOIN (SELECT content, count(*) AS n FROM email WHERE account = ?1"
		" GROUP BY content) r ON r.content = c.id WHERE c.account = ?1 AND c.refs <> coalesce(r.n, 0)" },
	{ "A7", "SELECT 'email ' || id FROM email e WHERE account = ?1 AND coalesce((SELECT size FROM content c WHERE"
		" c.id = e.content AND c.account = ?1), -1) <> size" },
	{ "A8", "SELECT 'content ' || id FROM content WHERE account = ?1 AND (length(hash) <> 32 OR (data IS NOT NULL AND"
		" length(data) <> size))" },
	{ "A9", "SELECT 'next_id' FROM account WHERE account = ?1 AND (next_id <= (SELECT coalesce(max(id), 0) FROM mailbox)"
		" OR next_id <= (SELECT coalesce(max(id), 0) FROM email) OR next_id <= (SELECT coalesce(max(id), 0) FROM content))" },
	{ "A10", "SELECT 'change ' || modseq FROM change WHERE account = ?1 AND modseq > (SELECT modseq FROM account)" },
	{ "A10", "SELECT 'gap ' || low FROM gap WHERE account = ?1 AND (high < low OR high > (SELECT modseq FROM account))" },
	{ "A11", "SELECT 'INBOX' WHERE (SELECT count(*) FROM mailbox WHERE account = ?1 AND special = 1 AND name = 'INBOX') <> 1" },
	{ "A20", "SELECT 'metadata ' || mailbox || ' ' || name FROM metadata WHERE account = ?1 AND mailbox <> 0 AND mailbox NOT IN"
		 " (SELECT id FROM mailbox)" },
	{ "A21", "SELECT 'thread of email ' || email FROM thread WHERE account = ?1 AND email NOT IN (SELECT id FROM email)" },
	{ "A21", "SELECT 'thread key of email ' || email FROM thread_key WHERE account = ?1 AND email NOT IN (SELECT email FROM thread)" },
	{ "A12", "SELECT 'keyword ' || number FROM keyword k WHERE account = ?1 AND number >= (SELECT count(*) FROM keyword)" },
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

/* A8: files of contents are there and whole, by their hash. */
static enum status check_files(struct check *c)
{
	struct db_stmt *s = db_sql(c->a->db, "SELECT hash, size FROM content WHERE account = ?1 AND data IS NULL");
	enum status     st;

	db_bind_u64(s, 1, c->a->id);
	while ((st = db_step(s)) == ST_OK) {
		char               path[STORE_PATH_MAX];
		int                fd = -1;
		struct str         map = STR_NONE, hash = db_str(s, 0);
		struct store_bytes b = { 0 };
		uint64_t           size = 0;

		if (hash.n != STORE_HASH)
			continue;
		store_content_path(c->a->id, hash, path);
		if (disk_open(c->a->store->fd, path, DISK_READ, &fd) != ST_OK || disk_size(fd, &size) != ST_OK ||
		    size != db_u64(s, 1) || disk_map(fd, (size_t)size, &map) != ST_OK) {
			found(c, "A8", str_of(path));
		} else {
			store_hash(map, b.hash);
			if (!str_eq(hash, str_n(b.hash, STORE_HASH)))
				found(c, "A8", str_of(path));
		}
		disk_unmap(map);
		fd_close(&fd);
	}
	db_done(s);
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

enum status store_check(struct store_account *a, store_found_fn *fn, void *arg, uint64_t *ret_breaks)
{
	struct check c = { .a = a, .found = fn, .arg = arg };
	enum status  st = db_begin_read(a->db);

	if (st != ST_OK)
		return st;
	st = check_sqlite(&c);
	for (size_t i = 0; i < LEN(queries) && st == ST_OK; i++)
		st = run_query(&c, queries[i].invariant, queries[i].sql);
	if (st == ST_OK)
		st = check_inline(&c);
	if (st == ST_OK)
		st = check_files(&c);
	db_rollback(a->db);
	if (st == ST_OK)
		*ret_breaks = c.breaks;
	return st;
}
