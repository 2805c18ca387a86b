/* store/store_read.c - facts of emails, and content. */
#include <string.h>

#include "store/store_internal.h"
#include "sys/disk.h"

#define HEADERS_DENSE 128u
#define SORT_SPREAD 4u /* numbers of emails for each that is wanted: others lie between, and so do the numbers of contents */

/* Wide rows are read only as far as a caller needs: the columns stand in order of use. */
static struct db_stmt *facts_stmt(struct store_account *a, unsigned facts)
{
	if (facts & (STORE_FACT_BODY | STORE_FACT_STRUCTURE | STORE_FACT_PARTS))
		return db_sql(a->db, "SELECT size, header_n, mime_flags, date_ms, subject, from_text, to_text, cc_text, message_id,"
				     " in_reply_to, reference_ids, envelope, body, structure, parts FROM email"
				     " WHERE id = ?2 AND account = ?1");
	if (facts & (STORE_FACT_SORT | STORE_FACT_ENVELOPE))
		return db_sql(a->db, "SELECT size, header_n, mime_flags, date_ms, subject, from_text, to_text, cc_text, message_id,"
				     " in_reply_to, reference_ids, envelope FROM email WHERE id = ?2 AND account = ?1");
	return db_sql(a->db, "SELECT size, header_n, mime_flags, date_ms FROM email WHERE id = ?2 AND account = ?1");
}

static enum status row_facts(struct db_stmt *s, unsigned facts, struct arena *arena, struct store_email *e)
{
	struct str *sort[] = { &e->subject, &e->from, &e->to, &e->cc, &e->message_id, &e->in_reply_to, &e->references };

	e->size = db_u64(s, 0);
	e->header_n = db_u64(s, 1);
	e->mime_flags = (unsigned)db_u64(s, 2);
	e->date_ms = db_null(s, 3) ? INT64_MIN : db_i64(s, 3);
	for (size_t i = 0; i < LEN(sort) && (facts & STORE_FACT_SORT); i++)
		*sort[i] = arena_dup(arena, db_str(s, 4 + (int)i));
	if (facts & STORE_FACT_ENVELOPE)
		e->envelope = arena_dup(arena, db_str(s, 11));
	if (facts & STORE_FACT_BODY)
		e->body = arena_dup(arena, db_str(s, 12));
	if (facts & STORE_FACT_STRUCTURE)
		e->structure = arena_dup(arena, db_str(s, 13));
	if (facts & STORE_FACT_PARTS)
		return store_parts_read(db_str(s, 14), arena, e) ? ST_OK : ST_CORRUPT;
	return ST_OK;
}

static enum status email_hash(struct store_account *a, struct arena *arena, struct store_email *e)
{
	struct db_stmt *s = db_sql(a->db, "SELECT c.hash FROM email e JOIN content c ON c.id = e.content AND c.account = e.account"
					  " WHERE e.id = ?2 AND e.account = ?1");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, e->id);
	st = db_step(s);
	if (st == ST_OK)
		e->hash = arena_dup(arena, db_str(s, 0));
	db_done(s);
	return st == ST_NOT_FOUND ? ST_CORRUPT : st;
}

static enum status facts_one(struct store_account *a, uint64_t email, unsigned facts, struct arena *arena, struct store_email *ret)
{
	struct db_stmt    *s = facts_stmt(a, facts);
	struct store_email e = { .id = email };
	enum status        st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, email);
	st = db_step(s);
	if (st == ST_OK)
		st = row_facts(s, facts, arena, &e);
	else if (st == ST_NOT_FOUND)
		e.id = 0;
	db_done(s);
	if (st == ST_OK && (facts & STORE_FACT_HASH))
		st = email_hash(a, arena, &e);
	*ret = e;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status store_facts(struct store_account *a, const uint64_t *emails, size_t count, unsigned facts, struct arena *arena,
			struct store_email *ret)
{
	enum status st = db_begin_read(a->db);
	bool        walked = false;

	if (st == ST_OK && facts == STORE_FACT_BASE && store_sort_dense(emails, count)) {
		st = store_sort_emails(a, emails, count, 0, arena, ret);
		walked = st != ST_CORRUPT; /* a row between them may be it */
		st = walked ? st : ST_OK;
	}
	for (size_t i = 0; i < count && st == ST_OK && !walked; i++)
		st = facts_one(a, emails[i], facts, arena, &ret[i]);
	db_rollback(a->db);
	return st;
}

/* ---- of a range of a mailbox ---- */

/* From the column `at` on: id, size, header_n, mime_flags, date_ms, then the texts of enum store_sort_column. */
static void sort_row(struct db_stmt *s, int at, unsigned columns, struct arena *arena, struct store_email *e)
{
	struct str *sort[] = { &e->subject, &e->from, &e->to, &e->cc, &e->message_id, &e->in_reply_to, &e->references };

	*e = (struct store_email){
		.id = db_u64(s, at),
		.size = db_u64(s, at + 1),
		.header_n = db_u64(s, at + 2),
		.mime_flags = (unsigned)db_u64(s, at + 3),
		.date_ms = db_null(s, at + 4) ? INT64_MIN : db_i64(s, at + 4),
	};
	for (size_t i = 0; i < LEN(sort); i++)
		if (columns >> i & 1)
			*sort[i] = arena_dup(arena, db_str(s, at + 5 + (int)i));
}

enum status store_sort_facts(struct store_account *a, uint64_t mailbox, struct store_range range, size_t max, unsigned columns,
			     struct arena *arena, uint32_t *ret_uids, struct store_email *ret, size_t *ret_count)
{
	struct db_stmt *s = db_sql(a->db, "SELECT m.uid, e.id, e.size, e.header_n, e.mime_flags, e.date_ms, e.subject, e.from_text, e.to_text,"
					  " e.cc_text, e.message_id, e.in_reply_to, e.reference_ids FROM message m"
					  " JOIN email e ON e.id = m.email AND e.account = m.account"
					  " WHERE m.account = ?1 AND m.mailbox = ?2 AND m.uid BETWEEN ?3 AND ?4 ORDER BY m.uid");
	size_t          n = 0;
	enum status     st = ST_OK;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, mailbox);
	db_bind_u64(s, 3, range.first);
	db_bind_u64(s, 4, range.last);
	while (n < max && (st = db_step(s)) == ST_OK) {
		ret_uids[n] = (uint32_t)db_u64(s, 0);
		sort_row(s, 1, columns, arena, &ret[n++]);
	}
	db_done(s);
	st = st == ST_NOT_FOUND ? ST_OK : st;
	if (st == ST_OK)
		*ret_count = n;
	return st;
}

/* Each column that is named is decoded for each row: no more of them than are asked for, as a rule. */
static struct db_stmt *between_stmt(struct store_account *a, unsigned columns)
{
	if (columns == 0)
		return db_sql(a->db, "SELECT each(id, size, header_n, mime_flags, date_ms) FROM email WHERE id BETWEEN ?2 AND ?3 AND account = ?1");
	if (columns == STORE_SORT_SUBJECT)
		return db_sql(a->db, "SELECT each(id, size, header_n, mime_flags, date_ms, subject) FROM email"
				     " WHERE id BETWEEN ?2 AND ?3 AND account = ?1");
	if (columns < STORE_SORT_TO)
		return db_sql(a->db, "SELECT each(id, size, header_n, mime_flags, date_ms, subject, from_text) FROM email"
				     " WHERE id BETWEEN ?2 AND ?3 AND account = ?1");
	return db_sql(a->db, "SELECT each(id, size, header_n, mime_flags, date_ms, subject, from_text, to_text, cc_text, message_id, in_reply_to,"
			     " reference_ids) FROM email WHERE id BETWEEN ?2 AND ?3 AND account = ?1");
}

bool store_sort_dense(const uint64_t *emails, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (emails[i] <= emails[i - 1])
			return false;
	return count > 1 && emails[0] > 0 && emails[count - 1] - emails[0] <= SORT_SPREAD * (uint64_t)count;
}

struct between {
	const uint64_t     *emails;
	size_t              at, count;
	unsigned            columns;
	struct arena       *arena;
	struct store_email *ret;
};

/* In the order of the row numbers. */
static enum status on_between(void *arg, struct db_values *v)
{
	struct between     *b = arg;
	uint64_t            id = db_value_u64(v, 0);
	struct store_email *e;

	while (b->at < b->count && b->emails[b->at] < id)
		b->at++;
	if (b->at == b->count || b->emails[b->at] != id)
		return ST_OK;
	e = &b->ret[b->at++];
	*e = (struct store_email){
		.id = id,
		.size = db_value_u64(v, 1),
		.header_n = db_value_u64(v, 2),
		.mime_flags = (unsigned)db_value_u64(v, 3),
		.date_ms = db_value_null(v, 4) ? INT64_MIN : db_value_i64(v, 4),
	};
	struct str *sort[] = { &e->subject, &e->from, &e->to, &e->cc, &e->message_id, &e->in_reply_to, &e->references };

	for (size_t i = 0; i < LEN(sort); i++)
		if (b->columns >> i & 1)
			*sort[i] = arena_dup(b->arena, db_value_str(v, 5 + (int)i));
	return ST_OK;
}

enum status store_sort_emails(struct store_account *a, const uint64_t *emails, size_t count, unsigned columns, struct arena *arena,
			      struct store_email *ret)
{
	struct db_stmt *s = between_stmt(a, columns);
	struct between  b = { emails, 0, count, columns, arena, ret };

	for (size_t i = 0; i < count; i++)
		ret[i] = (struct store_email){ 0 };
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, emails[0]);
	db_bind_u64(s, 3, emails[count - 1]);
	return db_each(s, on_between, &b);
}

/* ---- content ---- */

static bool has_header(const struct store_email *e)
{
	return e->id != 0 && e->header_n > 0 && e->header_n <= STORE_HEADER_MAX;
}

/* Headers of emails that lie dense, in one walk. Not those of contents in files, or whose row is damaged. */
static enum status headers_dense(struct store_account *a, struct store_email *emails, size_t count, struct arena *arena)
{
	struct db_stmt *s = db_sql(a->db, "SELECT e.id, c.size, c.data FROM email e JOIN content c ON c.id = e.content AND c.account = e.account"
					  " WHERE e.id BETWEEN ?2 AND ?3 AND e.account = ?1 ORDER BY e.id");
	size_t          at = 0;
	enum status     st = ST_OK;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, emails[0].id);
	db_bind_u64(s, 3, emails[count - 1].id);
	while (at < count && (st = db_step(s)) == ST_OK) {
		struct str data;

		while (at < count && emails[at].id < db_u64(s, 0))
			at++;
		if (at == count || emails[at].id != db_u64(s, 0) || !has_header(&emails[at]))
			continue;
		data = db_str(s, 2);
		if (data.n == db_u64(s, 1) && data.n >= emails[at].header_n)
			emails[at].header = arena_dup(arena, str_first(data, (size_t)emails[at].header_n));
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static bool headers_lie_dense(const struct store_email *emails, size_t count)
{
	uint64_t ids[HEADERS_DENSE];

	if (count < 2 || count > LEN(ids))
		return false;
	for (size_t i = 0; i < count; i++)
		ids[i] = emails[i].id;
	return store_sort_dense(ids, count);
}

enum status store_headers(struct store_account *a, struct store_email *emails, size_t count, struct arena *arena)
{
	enum status st = db_begin_read(a->db);
	struct buf  header;

	buf_init(&header, STORE_HEADER_MAX);
	if (st == ST_OK && headers_lie_dense(emails, count)) {
		st = headers_dense(a, emails, count, arena);
		st = st == ST_CORRUPT ? ST_OK : st; /* of which one is found below */
	}
	for (size_t i = 0; i < count && st == ST_OK; i++) {
		if (!has_header(&emails[i]) || emails[i].header.n > 0)
			continue;
		buf_clear(&header);
		st = store_read(a, emails[i].id, 0, (size_t)emails[i].header_n, &header);
		if (st == ST_OK)
			emails[i].header = arena_dup(arena, buf_str(&header));
		else if (st == ST_NOT_FOUND || st == ST_CORRUPT)
			st = ST_OK; /* who asks for this one is told */
	}
	buf_done(&header);
	db_rollback(a->db);
	return st;
}

enum status store_content_open(struct store_account *a, struct str hash, int *ret_fd)
{
	char        path[STORE_PATH_MAX];
	enum status st = ST_OK;

	if (a->content_fd < 0 || !str_eq(hash, str_n(a->content_hash, STORE_HASH))) {
		store_content_close(a);
		store_content_path(a->id, hash, path);
		st = disk_open(a->store->fd, path, DISK_READ, &a->content_fd);
	}
	if (st == ST_OK) {
		memcpy(a->content_hash, hash.p, STORE_HASH);
		*ret_fd = a->content_fd;
	}
	return st;
}

void store_content_close(struct store_account *a)
{
	fd_close(&a->content_fd);
}

static enum status file_part(struct store_account *a, struct str hash, uint64_t size, uint64_t offset, size_t n, struct buf *out)
{
	char       *room;
	size_t      got = 0, want = offset >= size ? 0 : (size_t)MIN((uint64_t)n, size - offset);
	int         fd = -1;
	enum status st;

	room = buf_room(out, want);
	if (!room)
		return ST_LIMIT;
	st = store_content_open(a, hash, &fd);
	if (st == ST_OK)
		st = disk_read_at(fd, room, want, offset, &got);
	if (st == ST_NOT_FOUND || (st == ST_OK && got < want))
		return ST_CORRUPT;
	if (st == ST_OK)
		buf_commit(out, got);
	return st;
}

enum status store_read(struct store_account *a, uint64_t email, uint64_t offset, size_t n, struct buf *out)
{
	struct db_stmt *s = db_sql(a->db, "SELECT c.size, c.hash, c.data FROM email e"
					  " JOIN content c ON c.id = e.content AND c.account = e.account"
					  " WHERE e.id = ?2 AND e.account = ?1");
	char            copy[STORE_HASH];
	struct str      hash;
	uint64_t        size = 0;
	bool            file = false;
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, email);
	st = db_step(s);
	if (st == ST_OK) {
		size = db_u64(s, 0);
		hash = db_str(s, 1);
		file = db_null(s, 2);
		if (hash.n != STORE_HASH)
			st = ST_CORRUPT;
		else
			memcpy(copy, hash.p, STORE_HASH);
	}
	if (st == ST_OK && !file) {
		struct str data = db_str(s, 2);

		if (data.n != size)
			st = ST_CORRUPT;
		else if (!buf_add(out, str_sub(data, (size_t)MIN(offset, size), n)))
			st = ST_LIMIT;
	}
	db_done(s);
	return st == ST_OK && file ? file_part(a, str_n(copy, STORE_HASH), size, offset, n, out) : st;
}
