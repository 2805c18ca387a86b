/* store/store_mend.c - rows, counters, names; see store_mend.h. Contents: store_mend_content.c.
 *
 * The order matters: first what rows there are (keywords, mailboxes, contents, messages), then what is counted of them. In the end
 * the clock goes past everything that any row names, and the list of changes is forgotten: clients compare all of each mailbox once.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/store_flagging.h"
#include "store/store_mend_int.h"
#include "sys/clock.h"

#define ROWS_MAX ((size_t)1 << 28)

void mend_tell(struct mend *m, enum store_mend_kind kind, const char *invariant, const char *fmt, ...)
{
	char    text[LIMIT_MAILBOX_NAME + 200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	m->changes++;
	if (m->tell)
		m->tell(m->arg, kind, invariant, str_of(text));
}

enum status mend_run(struct mend *m, const char *invariant, const char *what, const char *sql)
{
	struct db_stmt *s = db_sql(m->a->db, sql);
	uint64_t        n;
	enum status     st;

	db_bind_u64(s, 1, m->a->id);
	st = db_run(s);
	n = st == ST_OK ? db_changed(m->a->db) : 0;
	if (n > 0)
		mend_tell(m, STORE_MEND_FIXED, invariant, "%s: %llu", what, (unsigned long long)n);
	return st;
}

enum status mend_number(struct mend *m, const char *sql, uint64_t *ret)
{
	struct db_stmt *s = db_sql(m->a->db, sql);
	enum status     st;

	db_bind_u64(s, 1, m->a->id);
	st = db_step(s);
	if (st == ST_OK)
		*ret = db_u64(s, 0);
	db_done(s);
	return st;
}

enum status mend_rows(struct mend *m, const char *sql, unsigned columns, int64_t **ret, size_t *ret_count)
{
	struct db_stmt *s = db_sql(m->a->db, sql);
	struct buf      b;
	enum status     st;

	buf_init(&b, ROWS_MAX);
	db_bind_u64(s, 1, m->a->id);
	while ((st = db_step(s)) == ST_OK) {
		for (unsigned i = 0; i < columns && st == ST_OK; i++) {
			int64_t v = db_i64(s, (int)i);

			if (!buf_add(&b, str_n(&v, sizeof(v))))
				st = ST_LIMIT;
		}
		if (st != ST_OK)
			break;
	}
	db_done(s);
	*ret_count = buf_str(&b).n / sizeof(**ret) / columns;
	*ret = ARENA_ARRAY(m->arena, int64_t, *ret_count * columns);
	if (*ret_count > 0)
		memcpy(*ret, buf_str(&b).p, *ret_count * columns * sizeof(**ret));
	buf_done(&b);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

struct str mend_name(struct mend *m, uint64_t mailbox, uint64_t uid)
{
	struct db_stmt *s = db_sql(m->a->db, "SELECT name FROM mailbox WHERE account = ?1 AND id = ?2");
	struct str      name;

	db_bind_u64(s, 1, m->a->id);
	db_bind_u64(s, 2, mailbox);
	if (db_step(s) == ST_OK)
		name = arena_printf(m->arena, "%.*s/%llu", STR_FMT(db_str(s, 0)), (unsigned long long)uid);
	else
		name = arena_printf(m->arena, "(mailbox %llu)/%llu", (unsigned long long)mailbox, (unsigned long long)uid);
	db_done(s);
	return name;
}

enum status mend_recover(struct mend *m, struct store_row *row)
{
	uint64_t    id;
	enum status st = ST_OK;

	if (m->recovered.id == 0) {
		st = store_mailbox_row_find(m->a, STORE_RECOVERED, &id);
		if (st == ST_NOT_FOUND)
			st = store_mailbox_row_make(m->a, STORE_RECOVERED, STORE_SPECIAL_NONE, &id);
		if (st == ST_OK)
			st = store_mailbox_row(m->a, id, &m->recovered);
	}
	if (st == ST_OK)
		st = store_message_insert(m->a, &m->recovered, row, clock_wall_ms());
	return st == ST_OK ? store_mailbox_row_write(m->a, &m->recovered) : st;
}

/* ---- keywords ---- */

static enum status keyword_make(struct mend *m, uint64_t number)
{
	struct db_stmt *s = db_sql(m->a->db, "INSERT INTO keyword VALUES (?1, ?2, ?3)");

	db_bind_u64(s, 1, m->a->id);
	db_bind_u64(s, 2, number);
	db_bind_str(s, 3, arena_printf(m->arena, "lost-keyword-%llu", (unsigned long long)number));
	mend_tell(m, STORE_MEND_FIXED, "A12", "keyword %llu had lost its name", (unsigned long long)number);
	return db_run(s);
}

/* Numbers that are missing below one that is there, or that messages have, get a name: what it was, nobody knows. */
static enum status keywords(struct mend *m)
{
	uint64_t    bits[2] = { 0 }, n = 0;
	int64_t    *rows;
	size_t      count;
	enum status st = mend_run(m, "A12", "impossible keywords removed",
				  "DELETE FROM keyword WHERE account <> ?1 OR number NOT BETWEEN 0 AND 127");

	if (st == ST_OK)
		st = mend_rows(m, "SELECT DISTINCT kw0, kw1 FROM message WHERE account = ?1", 2, &rows, &count);
	for (size_t i = 0; st == ST_OK && i < count; i++) {
		bits[0] |= (uint64_t)rows[2 * i];
		bits[1] |= (uint64_t)rows[2 * i + 1];
	}
	if (st == ST_OK)
		st = mend_number(m, "SELECT coalesce(max(number) + 1, 0) FROM keyword WHERE account = ?1", &n);
	n = MAX(n, bits[1] ? 128 - (uint64_t)__builtin_clzll(bits[1]) : bits[0] ? 64 - (uint64_t)__builtin_clzll(bits[0]) : 0);
	for (uint64_t i = 0; i < n && st == ST_OK; i++) {
		struct db_stmt *s = db_sql(m->a->db, "SELECT 1 FROM keyword WHERE account = ?1 AND number = ?2");

		db_bind_u64(s, 1, m->a->id);
		db_bind_u64(s, 2, i);
		st = db_step(s);
		db_done(s);
		if (st == ST_NOT_FOUND)
			st = keyword_make(m, i);
	}
	return st == ST_OK ? mend_run(m, "A14", "flags that do not exist taken away",
				      "UPDATE message SET flags = flags & 31 WHERE account = ?1 AND flags & ~31 <> 0") : st;
}

/* ---- mailboxes ---- */

static enum status name_write(struct mend *m, uint64_t id, struct str name)
{
	struct db_stmt *s = db_sql(m->a->db, "UPDATE mailbox SET name = ?3 WHERE account = ?1 AND id = ?2");

	db_bind_u64(s, 1, m->a->id);
	db_bind_u64(s, 2, id);
	db_bind_str(s, 3, name);
	return db_run(s);
}

static enum status names(struct mend *m)
{
	struct store_mailbox *list;
	size_t                n;
	enum status           st = store_mailbox_list(m->a, m->arena, &list, &n);

	for (size_t i = 0; st == ST_OK && i < n; i++) {
		if (store_name_valid(list[i].name))
			continue;
		st = name_write(m, list[i].id, arena_printf(m->arena, "Recovered name %llu", (unsigned long long)list[i].id));
		mend_tell(m, STORE_MEND_FIXED, "A16", "mailbox %llu had a name that is none", (unsigned long long)list[i].id);
	}
	return st;
}

static enum status subscriptions(struct mend *m)
{
	struct db_stmt *s;
	struct str     *list;
	size_t          n;
	uint64_t        max;
	enum status     st = mend_number(m, "SELECT count(*) FROM subscription WHERE account = ?1", &max);

	list = ARENA_ARRAY(m->arena, struct str, st == ST_OK ? max : 0);
	s = db_sql(m->a->db, "SELECT name FROM subscription WHERE account = ?1");
	db_bind_u64(s, 1, m->a->id);
	for (n = 0; st == ST_OK && n < max && (st = db_step(s)) == ST_OK;)
		if (!store_name_valid(db_str(s, 0)))
			list[n++] = arena_dup(m->arena, db_str(s, 0));
	db_done(s);
	st = st == ST_NOT_FOUND ? ST_OK : st;
	for (size_t i = 0; st == ST_OK && i < n; i++) {
		s = db_sql(m->a->db, "DELETE FROM subscription WHERE account = ?1 AND name = ?2");
		db_bind_u64(s, 1, m->a->id);
		db_bind_str(s, 2, list[i]);
		st = db_run(s);
		mend_tell(m, STORE_MEND_FIXED, "A16", "a subscription to a name that is none removed");
	}
	return st;
}

enum status mend_uidvalidity(struct mend *m, uint64_t id)
{
	struct db_stmt *s = db_sql(m->a->db, "UPDATE mailbox SET uidvalidity = ?3 WHERE account = ?1 AND id = ?2");

	m->a->state.uidvalidity = MAX(m->a->state.uidvalidity + 1, (uint64_t)clock_wall_ms() / 1000);
	db_bind_u64(s, 1, m->a->id);
	db_bind_u64(s, 2, id);
	db_bind_u64(s, 3, m->a->state.uidvalidity);
	mend_tell(m, STORE_MEND_FIXED, "A3", "mailbox %llu has a new UIDVALIDITY", (unsigned long long)id);
	return db_run(s);
}

static enum status uidvalidities(struct mend *m)
{
	int64_t    *rows;
	size_t      n;
	uint64_t    max = 0;
	enum status st = mend_number(m, "SELECT coalesce(max(uidvalidity), 0) FROM mailbox WHERE account = ?1 AND uidvalidity < 4294967295",
				     &max);

	if (m->a->state.uidvalidity > UINT32_MAX - 1)
		m->a->state.uidvalidity = 0;
	if (st == ST_OK && max > m->a->state.uidvalidity) {
		m->a->state.uidvalidity = max;
		mend_tell(m, STORE_MEND_FIXED, "A3", "the last UIDVALIDITY given out was forgotten");
	}
	if (st == ST_OK)
		st = mend_rows(m, "SELECT id FROM mailbox WHERE account = ?1 AND uidvalidity NOT BETWEEN 1 AND 4294967294", 1, &rows, &n);
	for (size_t i = 0; st == ST_OK && i < n; i++)
		st = mend_uidvalidity(m, (uint64_t)rows[i]);
	return st;
}

static enum status inbox(struct mend *m)
{
	uint64_t    id;
	enum status st = mend_run(m, "A11", "special uses taken away",
				  "UPDATE mailbox SET special = 0 WHERE account = ?1 AND (special NOT BETWEEN 0 AND 9 OR (special = 1 AND"
				  " name <> 'INBOX') OR (special > 1 AND EXISTS (SELECT 1 FROM mailbox o WHERE o.account = ?1 AND"
				  " o.special = mailbox.special AND o.id < mailbox.id)))");

	if (st == ST_OK)
		st = mend_run(m, "A11", "INBOX is INBOX again", "UPDATE mailbox SET special = 1 WHERE account = ?1 AND name = 'INBOX'"
								" AND special <> 1");
	if (st == ST_OK)
		st = store_mailbox_row_find(m->a, STR("INBOX"), &id);
	if (st != ST_NOT_FOUND)
		return st;
	mend_tell(m, STORE_MEND_FIXED, "A11", "there was no INBOX");
	return store_mailbox_row_make(m->a, STR("INBOX"), STORE_SPECIAL_INBOX, &id);
}

static enum status mailboxes(struct mend *m)
{
	uint64_t    max = 0;
	enum status st = mend_number(m, "SELECT max(coalesce((SELECT max(id) FROM mailbox), 0), coalesce((SELECT max(id) FROM email), 0),"
					" coalesce((SELECT max(id) FROM content), 0), coalesce((SELECT max(id) FROM former), 0),"
					" coalesce((SELECT max(mailbox) FROM message), 0), coalesce((SELECT max(mailbox) FROM expunged), 0))"
					" + 1 + 0 * ?1", &max);

	if (st == ST_OK && m->a->state.next_id < max) {
		mend_tell(m, STORE_MEND_FIXED, "A9", "next id raised");
		m->a->state.next_id = max;
	}
	if (st == ST_OK)
		st = uidvalidities(m);
	if (st == ST_OK)
		st = names(m);
	if (st == ST_OK)
		st = subscriptions(m);
	return st == ST_OK ? inbox(m) : st;
}

/* ---- messages without a mailbox ---- */

static enum status row_drop(struct mend *m, int64_t mailbox, int64_t uid)
{
	struct db_stmt *s = db_sql(m->a->db, "DELETE FROM message WHERE account = ?1 AND mailbox = ?2 AND uid = ?3");

	db_bind_u64(s, 1, m->a->id);
	db_bind_i64(s, 2, mailbox);
	db_bind_i64(s, 3, uid);
	return db_run(s);
}

#define HOMELESS \
	"SELECT mailbox, uid, flags, kw0, kw1, email, size, internal_ms, zone FROM message WHERE account = ?1 AND (uid NOT BETWEEN 1 AND" \
	" 4294967294 OR NOT EXISTS (SELECT 1 FROM mailbox b WHERE b.account = ?1 AND b.id = mailbox))"

static enum status homeless(struct mend *m)
{
	int64_t    *r;
	size_t      n;
	enum status st = mend_rows(m, HOMELESS, 9, &r, &n);

	for (size_t i = 0; st == ST_OK && i < n; i++, r += 9) {
		struct store_row row = { .flags = (uint16_t)r[2], .keywords = { { (uint64_t)r[3], (uint64_t)r[4] } }, .email = (uint64_t)r[5],
					 .size = (uint64_t)r[6], .internal_ms = r[7], .internal_zone = (int16_t)r[8] };
		struct str       name = mend_name(m, (uint64_t)r[0], (uint64_t)r[1]);

		st = row_drop(m, r[0], r[1]);
		if (st == ST_OK)
			st = mend_recover(m, &row);
		mend_tell(m, STORE_MEND_MOVED, "A4", "message %.*s has no mailbox, it is Recovered/%u now", STR_FMT(name), row.uid);
	}
	return st;
}

/* ---- what is counted ---- */

static const struct {
	const char *invariant, *what, *sql;
} counts[] = {
	{ "A4", "expunged messages that are there forgotten", "DELETE FROM expunged WHERE account <> ?1 OR EXISTS (SELECT 1 FROM message m"
		" WHERE m.account = ?1 AND m.mailbox = expunged.mailbox AND m.uid = expunged.uid)" },
	{ "A3", "times of messages put in order", "UPDATE message SET modseq = max(1, created, modseq), created = max(1, min(created,"
		" max(modseq, created))) WHERE account = ?1 AND (created > modseq OR created < 1)" },
	{ "A3", "times of expunged messages put in order", "UPDATE expunged SET modseq = gone - 1, created = min(created, gone - 1) WHERE"
		" account = ?1 AND (modseq >= gone OR created > modseq)" },
	{ "A6", "references of emails counted again", "INSERT INTO email_more SELECT ?1, e.id, r.n - e.refs FROM email e JOIN (SELECT email,"
		" count(*) AS n FROM (SELECT email FROM message WHERE account = ?1 UNION ALL SELECT email FROM expunged WHERE account = ?1) GROUP BY"
		" email) r ON r.email = e.id WHERE e.refs + coalesce((SELECT n FROM email_more x WHERE x.account = ?1 AND x.email = e.id), 0) <> r.n"
		" ON CONFLICT (account, email) DO UPDATE SET n = excluded.n" },
	{ "A6", "emails of no message removed", "DELETE FROM email WHERE account <> ?1 OR id NOT IN (SELECT email FROM message UNION"
		" SELECT email FROM expunged)" },
	{ "A6", "counts of no email removed", "DELETE FROM email_more WHERE account <> ?1 OR email NOT IN (SELECT id FROM email)" },
	{ "A21", "threads of no email removed", "DELETE FROM thread WHERE account <> ?1 OR email NOT IN (SELECT id FROM email)" },
	{ "A21", "thread keys of no email removed", "DELETE FROM thread_key WHERE account <> ?1 OR email NOT IN (SELECT email FROM thread)" },
	{ "A25", "listings of no email removed", "DELETE FROM listing WHERE account <> ?1 OR id NOT IN (SELECT id FROM email)" },
	{ "A23", "entries of access removed", "DELETE FROM acl WHERE account <> ?1 OR mailbox NOT IN (SELECT id FROM mailbox) OR kind NOT BETWEEN 0"
		" AND 2 OR (kind = 0) <> (subject = 0) OR negative NOT IN (0, 1) OR rights NOT BETWEEN 1 AND 2047" },
	{ "A24", "what readers have seen forgotten", "DELETE FROM seen WHERE account <> ?1 OR mailbox NOT IN (SELECT id FROM mailbox) OR reader IN"
		" (0, ?1)" },
	{ "A22", "warnings of a quota forgotten", "DELETE FROM warning WHERE account <> ?1 OR warned NOT BETWEEN 0 AND 100" },
	{ "A7", "references of contents counted again", "UPDATE content SET refs = r.n FROM (SELECT content, count(*) AS n FROM email WHERE"
		" account = ?1 GROUP BY content) r WHERE r.content = content.id AND content.refs <> r.n" },
	{ "A7", "contents of no email removed", "DELETE FROM content WHERE account <> ?1 OR id NOT IN (SELECT content FROM email)" },
	{ "A20", "annotations of no mailbox removed", "DELETE FROM metadata WHERE account <> ?1 OR (mailbox <> 0 AND mailbox NOT IN"
		" (SELECT id FROM mailbox))" },
	{ "A4", "mailboxes whose next uid was raised", "UPDATE mailbox SET uidnext = max(1, coalesce((SELECT max(uid) + 1 FROM message m WHERE"
		" m.account = ?1 AND m.mailbox = id), 1), coalesce((SELECT max(uid) + 1 FROM expunged x WHERE x.account = ?1 AND x.mailbox ="
		" id), 1)) WHERE account = ?1 AND (uidnext NOT BETWEEN 1 AND 4294967295 OR uidnext <= coalesce((SELECT max(uid) FROM message m"
		" WHERE m.account = ?1 AND m.mailbox = id), 0) OR uidnext <= coalesce((SELECT max(uid) FROM expunged x WHERE x.account = ?1"
		" AND x.mailbox = id), 0))" },
	{ "A5", "mailboxes counted again", "UPDATE mailbox SET (messages, size, unseen, deleted, deleted_size, recent) = (SELECT count(*),"
		" coalesce(sum(size), 0), coalesce(sum(flags & 1 = 0), 0), coalesce(sum(flags & 8 <> 0), 0), coalesce(sum(CASE WHEN"
		" flags & 8 <> 0 THEN size END), 0), coalesce(sum(uid >= mailbox.recent_from), 0) FROM message m WHERE m.account = ?1 AND"
		" m.mailbox = mailbox.id) WHERE account = ?1 AND (messages, size, unseen, deleted, deleted_size, recent) IS NOT (SELECT"
		" count(*), coalesce(sum(size), 0), coalesce(sum(flags & 1 = 0), 0), coalesce(sum(flags & 8 <> 0), 0), coalesce(sum(CASE"
		" WHEN flags & 8 <> 0 THEN size END), 0), coalesce(sum(uid >= mailbox.recent_from), 0) FROM message m WHERE m.account = ?1"
		" AND m.mailbox = mailbox.id)" },
};

static enum status totals(struct mend *m)
{
	struct account_state *t = &m->a->state;
	uint64_t              messages = 0, size = 0;
	enum status           st = mend_number(m, "SELECT coalesce(sum(messages), 0) FROM mailbox WHERE account = ?1", &messages);

	if (st == ST_OK)
		st = mend_number(m, "SELECT coalesce(sum(size), 0) FROM mailbox WHERE account = ?1", &size);
	if (st == ST_OK && (messages != t->messages || size != t->size))
		mend_tell(m, STORE_MEND_FIXED, "A5", "the account's totals counted again");
	t->messages = messages;
	t->size = size;
	return st;
}

/* ---- the clock and the changes ---- */

/* A row of `change` that cannot be read, or a gap that is none: then nobody can say what changed. */
static enum status changes_look(struct mend *m)
{
	struct db_stmt *s = db_sql(m->a->db, "SELECT kind, op, uids FROM change WHERE account = ?1");
	uint64_t        bad = 0, gaps = 0;
	enum status     st;

	db_bind_u64(s, 1, m->a->id);
	while ((st = db_step(s)) == ST_OK)
		bad += !store_change_sound(db_u64(s, 0), db_u64(s, 1), db_str(s, 2));
	db_done(s);
	if (st == ST_NOT_FOUND)
		st = mend_number(m, "SELECT count(*) FROM gap WHERE account <> ?1 OR high < low", &gaps);
	if (st == ST_OK && bad + gaps > 0)
		mend_tell(m, STORE_MEND_FIXED, "A17", "the list of changes cannot be read: it is forgotten");
	return st;
}

/* Readers see what cannot be read any more as not seen. */
static enum status seen_look(struct mend *m)
{
	uint64_t mailbox = 0, reader = 0;

	for (;;) {
		struct db_stmt *s = db_sql(m->a->db, "SELECT mailbox, reader, uids FROM seen WHERE account = ?1 AND (mailbox, reader) > (?2, ?3)"
						     " ORDER BY mailbox, reader");
		bool        bad = false;
		enum status st;

		db_bind_u64(s, 1, m->a->id);
		db_bind_u64(s, 2, mailbox);
		db_bind_u64(s, 3, reader);
		while (!bad && (st = db_step(s)) == ST_OK) {
			bad = !store_change_sound(CHANGE_MESSAGE, CHANGE_UPDATED, db_str(s, 2));
			mailbox = db_u64(s, 0);
			reader = db_u64(s, 1);
		}
		db_done(s);
		if (!bad)
			return st == ST_NOT_FOUND ? ST_OK : st;
		mend_tell(m, STORE_MEND_FIXED, "A24", "what account %llu has seen cannot be read: it is forgotten", (unsigned long long)reader);
		s = db_sql(m->a->db, "DELETE FROM seen WHERE account = ?1 AND mailbox = ?2 AND reader = ?3");
		db_bind_u64(s, 1, m->a->id);
		db_bind_u64(s, 2, mailbox);
		db_bind_u64(s, 3, reader);
		st = db_run(s);
		if (st != ST_OK)
			return st;
	}
}

static enum status clock_look(struct mend *m)
{
	struct account_state *t = &m->a->state;
	uint64_t              max = 0;
	enum status           st = mend_number(m, "SELECT max(coalesce((SELECT max(modseq) FROM message), 0), coalesce((SELECT max(gone) FROM"
						" expunged), 0), coalesce((SELECT max(modseq) FROM mailbox), 0), coalesce((SELECT max(modseq)"
						" FROM change), 0), coalesce((SELECT max(high) FROM gap), 0)) + 0 * ?1", &max);

	if (st != ST_OK)
		return st;
	if (max >= INT64_MAX - STORE_RESERVE)
		return ST_CORRUPT; /* nothing can come after that */
	if (max > t->modseq) {
		mend_tell(m, STORE_MEND_FIXED, "A3", "the clock was behind: it is set to %llu", (unsigned long long)max);
		t->modseq = max;
	}
	if (t->floor > t->modseq || t->released > t->modseq) {
		mend_tell(m, STORE_MEND_FIXED, "A10", "the floor was above the clock");
		t->released = MIN(t->released, t->modseq);
	}
	return ST_OK;
}

/* Below the new floor nothing is known, so that clients compare everything; the reserve covers the clock. */
static enum status changes_forget(struct mend *m)
{
	static const char *const texts[] = {
		"DELETE FROM change WHERE account = ?1 OR account <> ?1",
		"DELETE FROM gap WHERE account = ?1 OR account <> ?1",
		"DELETE FROM expunged WHERE account = ?1 AND email = 0",
	};
	struct account_state *t = &m->a->state;
	struct db_stmt       *s;
	enum status           st = ST_OK;

	t->modseq++;
	m->a->clock_moved = true;
	t->floor = t->modseq;
	t->ceiling = MAX(t->ceiling, t->modseq + STORE_RESERVE);
	t->changes = 0;
	for (size_t i = 0; i < LEN(texts) && st == ST_OK; i++) {
		s = db_sql(m->a->db, texts[i]);
		db_bind_u64(s, 1, m->a->id);
		st = db_run(s);
	}
	if (st != ST_OK)
		return st;
	s = db_sql(m->a->db, "UPDATE mailbox SET modseq = ?2 WHERE account = ?1");
	db_bind_u64(s, 1, m->a->id);
	db_bind_u64(s, 2, t->modseq);
	return db_run(s);
}

static enum status mailbox_clocks(struct mend *m)
{
	return mend_run(m, "A3", "clocks of mailboxes raised", "UPDATE mailbox SET modseq = (SELECT max(modseq) FROM message m WHERE m.account ="
			" ?1 AND m.mailbox = mailbox.id) WHERE account = ?1 AND modseq < coalesce((SELECT max(modseq) FROM message m WHERE"
			" m.account = ?1 AND m.mailbox = mailbox.id), 0)");
}

/* What the rows of messages are to become, they become: whatever comes next goes by the rows. */
static enum status flaggings(struct mend *m)
{
	uint64_t    mailbox = 0, modseq = 0, n;
	enum status st = mend_run(m, "A26", "changes of flags of no message removed", "DELETE FROM flagging WHERE account <> ?1 OR (mailbox NOT IN"
				  " (SELECT id FROM mailbox) AND NOT EXISTS (SELECT 1 FROM message m WHERE m.account = ?1 AND m.mailbox ="
				  " flagging.mailbox))");

	if (st == ST_OK)
		st = mend_run(m, "A26", "changes of flags that are none removed, those messages keep the flags they had",
			      "DELETE FROM flagging WHERE account = ?1 AND " STORE_FLAGGING_BAD);
	while (st == ST_OK) {
		struct db_stmt *s = db_sql(m->a->db, "SELECT mailbox, modseq, uids, n FROM flagging WHERE account = ?1 AND (mailbox, modseq) > (?2, ?3)"
						     " ORDER BY mailbox, modseq");
		bool            bad = false;

		db_bind_u64(s, 1, m->a->id);
		db_bind_u64(s, 2, mailbox);
		db_bind_u64(s, 3, modseq);
		while (!bad && (st = db_step(s)) == ST_OK) {
			mailbox = db_u64(s, 0);
			modseq = db_u64(s, 1);
			bad = !store_flagging_uids(db_str(s, 2), &n);
			if (!bad && n != db_u64(s, 3)) /* nothing goes by it once they are written */
				mend_tell(m, STORE_MEND_FIXED, "A26", "messages of a change of flags counted again");
		}
		db_done(s);
		if (!bad)
			return st == ST_NOT_FOUND ? store_flagging_apply_all(m->a) : st;
		mend_tell(m, STORE_MEND_FIXED, "A26", "a change of flags in mailbox %llu cannot be read: those messages keep the flags they had",
			  (unsigned long long)mailbox);
		s = db_sql(m->a->db, "DELETE FROM flagging WHERE account = ?1 AND mailbox = ?2 AND modseq = ?3");
		db_bind_u64(s, 1, m->a->id);
		db_bind_u64(s, 2, mailbox);
		db_bind_u64(s, 3, modseq);
		st = db_run(s);
	}
	return st;
}

static enum status inside(struct mend *m)
{
	static enum status (*const first[])(struct mend *) = { flaggings, clock_look, keywords, mailboxes, homeless, mend_contents };
	static enum status (*const last[])(struct mend *) = { totals, mailbox_clocks, changes_look, seen_look, clock_look };
	enum status st = ST_OK;

	for (size_t i = 0; i < LEN(first) && st == ST_OK; i++)
		st = first[i](m);
	for (size_t i = 0; i < LEN(counts) && st == ST_OK; i++)
		st = mend_run(m, counts[i].invariant, counts[i].what, counts[i].sql);
	for (size_t i = 0; i < LEN(last) && st == ST_OK; i++)
		st = last[i](m);
	return st == ST_OK && m->changes > 0 ? changes_forget(m) : st;
}

enum status store_mend(struct store_account *a, store_mend_fn *tell, void *arg, uint64_t *ret_changes)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	struct mend         m = { .a = a, .tell = tell, .arg = arg, .arena = arena };
	struct account_state before;
	enum status         st = store_state_read(a, &before);

	if (st == ST_OK)
		st = store_txn_begin(a, true);
	if (st != ST_OK)
		return st;
	if (before.modseq > before.ceiling) /* beginning has put that right */
		mend_tell(&m, STORE_MEND_FIXED, "A2", "the clock was above its ceiling");
	st = store_txn_end(a, inside(&m), true);
	if (st == ST_OK)
		*ret_changes = m.changes;
	return st;
}
