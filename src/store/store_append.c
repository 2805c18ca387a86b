/* store/store_append.c - messages coming in: rows of content, email and message; APPEND and delivery. */
#include <string.h>

#include "store/store_internal.h"
#include "sys/clock.h"
#include "sys/disk.h"

/* ---- content ---- */

/* Give the file its final name, durably: before the row, so that a row's file is always there. */
static enum status file_place(struct store_account *a, const struct store_bytes *b)
{
	char        path[STORE_PATH_MAX], dir[STORE_PATH_MAX];
	enum status st;

	store_content_path(a->id, str_n(b->hash, STORE_HASH), path);
	store_path(a->id, "content", dir);
	st = disk_rename(a->store->fd, b->temp, path);
	return st == ST_OK ? disk_sync_dir(a->store->fd, dir) : st;
}

static enum status content_new(struct store_account *a, const struct store_bytes *b, uint64_t *ret_id)
{
	struct db_stmt *s = db_sql(a->db, "INSERT INTO content VALUES (?2, ?1, ?3, ?4, 1, ?5)");
	uint64_t        id = store_txn_id(a);
	enum status     st = b->temp[0] ? file_place(a, b) : ST_OK;

	if (st != ST_OK)
		return st;
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, id);
	db_bind_blob(s, 3, str_n(b->hash, STORE_HASH));
	db_bind_u64(s, 4, b->content.n);
	if (b->temp[0])
		db_bind_null(s, 5);
	else
		db_bind_blob(s, 5, b->content);
	*ret_id = id;
	return db_run(s);
}

static enum status content_refs(struct store_account *a, uint64_t id, int64_t by)
{
	struct db_stmt *s = db_sql(a->db, "UPDATE content SET refs = refs + ?3 WHERE id = ?2 AND account = ?1");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, id);
	db_bind_i64(s, 3, by);
	return db_run(s);
}

/* Does the file of this content stand where it should, whole. */
static bool file_there(struct store_account *a, struct str hash, uint64_t size)
{
	char     path[STORE_PATH_MAX];
	int      fd;
	uint64_t n = 0;

	store_content_path(a->id, hash, path);
	if (disk_open(a->store->fd, path, DISK_READ, &fd) != ST_OK)
		return false;
	if (disk_size(fd, &n) != ST_OK)
		n = 0;
	fd_close(&fd);
	return n == size;
}

static enum status content_add(struct store_account *a, const struct store_bytes *b, uint64_t *ret_id)
{
	struct db_stmt *s = db_sql(a->db, "SELECT id FROM content WHERE account = ?1 AND hash = ?2");
	struct str      hash = str_n(b->hash, STORE_HASH);
	uint64_t        id = 0;
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_blob(s, 2, hash);
	st = db_step(s);
	if (st == ST_OK)
		id = db_u64(s, 0);
	db_done(s);
	if (st == ST_NOT_FOUND)
		return content_new(a, b, ret_id);
	if (st == ST_OK && b->temp[0] && !file_there(a, hash, b->content.n))
		st = file_place(a, b);
	*ret_id = id;
	return st == ST_OK ? content_refs(a, id, 1) : st;
}

/* ---- email ---- */

/* ?1 account, ?2 id, ?6 and on the facts. */
static void facts_bind(struct db_stmt *s, struct store_account *a, uint64_t id, const struct store_facts_row *f)
{
	const struct store_email *e = &f->e;
	const struct str          blobs[] = { e->subject,     e->from,       e->to,       e->cc,   e->message_id,
					      e->in_reply_to, e->references, e->envelope, e->body, e->structure, f->parts };

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, id);
	db_bind_u64(s, 5, e->size);
	db_bind_u64(s, 6, e->header_n);
	db_bind_u64(s, 7, e->mime_flags);
	if (e->date_ms == INT64_MIN)
		db_bind_null(s, 8);
	else
		db_bind_i64(s, 8, e->date_ms);
	for (size_t i = 0; i < LEN(blobs); i++)
		db_bind_blob(s, 9 + (int)i, blobs[i]);
}

enum status store_email_insert(struct store_account *a, const struct store_bytes *b, const struct store_facts_row *f, uint64_t refs,
			       uint64_t *ret_id)
{
	struct db_stmt *s;
	uint64_t        content;
	enum status     st = content_add(a, b, &content);

	if (st != ST_OK)
		return st;
	*ret_id = store_txn_id(a);
	s = db_sql(a->db, "INSERT INTO email VALUES (?2, ?1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,"
			  " ?18, ?19)");
	facts_bind(s, a, *ret_id, f);
	db_bind_u64(s, 3, content);
	db_bind_u64(s, 4, refs);
	st = db_run(s);
	if (st == ST_OK)
		st = store_listing_write(a, *ret_id, f->listing);
	return st == ST_OK ? store_thread_add(a, *ret_id, &f->e) : st;
}

enum status store_email_rewrite(struct store_account *a, uint64_t id, const struct store_facts_row *f)
{
	struct db_stmt *s = db_sql(
		a->db, "UPDATE email SET size = ?5, header_n = ?6, mime_flags = ?7, date_ms = ?8, subject = ?9, from_text = ?10,"
		       " to_text = ?11, cc_text = ?12, message_id = ?13, in_reply_to = ?14, reference_ids = ?15, envelope = ?16, body = ?17,"
		       " structure = ?18, parts = ?19 WHERE account = ?1 AND id = ?2");
	enum status st;

	facts_bind(s, a, id, f);
	st = db_run(s);
	return st == ST_OK ? store_listing_write(a, id, f->listing) : st;
}

static enum status content_drop(struct store_account *a, uint64_t content)
{
	struct db_stmt *s = db_sql(a->db, "SELECT refs, data IS NULL, hash FROM content WHERE id = ?2 AND account = ?1");
	uint64_t        refs = 0;
	bool            file = false;
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, content);
	st = db_step(s);
	if (st == ST_OK) {
		refs = db_u64(s, 0);
		file = db_u64(s, 1) != 0 && db_str(s, 2).n == STORE_HASH;
		if (refs <= 1 && file) /* what finds no room is left to store_clean */
			(void)!buf_add(&a->freed, db_str(s, 2));
	}
	db_done(s);
	if (st != ST_OK)
		return st == ST_NOT_FOUND ? ST_CORRUPT : st;
	if (refs > 1)
		return content_refs(a, content, -1);
	s = db_sql(a->db, "DELETE FROM content WHERE id = ?2 AND account = ?1");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, content);
	return db_run(s);
}

/* Rows of email are large and those of email_more small: copying a thousand messages writes a few pages instead of a thousand. */
static enum status email_more(struct store_account *a, uint64_t email, int64_t by)
{
	struct db_stmt *s = db_sql(a->db, "INSERT INTO email_more VALUES (?1, ?2, ?3) ON CONFLICT (account, email) DO UPDATE SET n = email_more.n + ?3");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, email);
	db_bind_i64(s, 3, by);
	return db_run(s);
}

static enum status email_delete(struct store_account *a, uint64_t email, uint64_t content)
{
	static const char *const statements[] = { "DELETE FROM email WHERE id = ?2 AND account = ?1", "DELETE FROM email_more WHERE email = ?2 AND account = ?1" };
	enum status              st = ST_OK;

	for (size_t i = 0; i < LEN(statements) && st == ST_OK; i++) {
		struct db_stmt *s = db_sql(a->db, statements[i]);

		db_bind_u64(s, 1, a->id);
		db_bind_u64(s, 2, email);
		st = db_run(s);
	}
	return st == ST_OK ? content_drop(a, content) : st;
}

enum status store_email_refs(struct store_account *a, uint64_t email, int64_t by)
{
	struct db_stmt *s;
	int64_t         refs = 0;
	uint64_t        content = 0;
	enum status     st;

	if (by > 0)
		return email_more(a, email, by);
	s = db_sql(a->db, "SELECT refs + coalesce((SELECT n FROM email_more WHERE account = ?1 AND email = ?2), 0), content FROM email"
			  " WHERE id = ?2 AND account = ?1");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, email);
	st = db_step(s);
	if (st == ST_OK) {
		refs = db_i64(s, 0) + by;
		content = db_u64(s, 1);
	}
	db_done(s);
	if (st != ST_OK)
		return st == ST_NOT_FOUND ? ST_CORRUPT : st;
	if (refs > 0)
		return email_more(a, email, by);
	st = store_thread_drop(a, email);
	if (st == ST_OK)
		st = store_listing_drop(a, email);
	return st == ST_OK ? email_delete(a, email, content) : st;
}

/* ---- message ---- */

enum status store_message_insert(struct store_account *a, struct store_mailbox *m, struct store_row *row, int64_t now_ms)
{
	struct db_stmt *s;

	if (m->uidnext == UINT32_MAX)
		return ST_LIMIT;
	row->uid = m->uidnext++;
	row->modseq = row->created = m->modseq = store_txn_modseq(a);
	m->messages++;
	m->recent++;
	m->size += row->size;
	m->unseen += !(row->flags & STORE_SEEN);
	m->deleted += !!(row->flags & STORE_DELETED);
	m->deleted_size += row->flags & STORE_DELETED ? row->size : 0;
	a->state.messages++;
	a->state.size += row->size;
	s = db_sql(a->db, "INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, m->id);
	db_bind_u64(s, 3, row->uid);
	db_bind_u64(s, 4, row->flags);
	db_bind_u64(s, 5, row->keywords.bits[0]);
	db_bind_u64(s, 6, row->keywords.bits[1]);
	db_bind_u64(s, 7, row->modseq);
	db_bind_u64(s, 8, row->created);
	db_bind_u64(s, 9, row->email);
	db_bind_u64(s, 10, row->size);
	db_bind_i64(s, 11, row->internal_ms);
	db_bind_i64(s, 12, row->internal_zone);
	db_bind_i64(s, 13, now_ms);
	return db_run(s);
}

/* ---- APPEND ---- */

struct incoming {
	struct store_upload   *own; /* made here, from octets over LIMIT_INLINE */
	struct store_bytes     bytes;
	struct store_facts_row facts;
};

static enum status incoming_read(struct store_account *a, const struct store_new_message *msg, struct arena *arena,
				 struct incoming *in)
{
	enum status st = ST_OK;

	if (!msg->upload && msg->content.n > LIMIT_INLINE) {
		st = store_upload_new(a->store, a->id, &in->own);
		if (st == ST_OK)
			st = store_upload_write(in->own, msg->content);
	}
	if (st == ST_OK && (msg->upload || in->own))
		st = store_bytes_upload(msg->upload ? msg->upload : in->own, &in->bytes);
	else if (st == ST_OK)
		st = store_bytes_memory(msg->content, &in->bytes);
	if (st == ST_OK && (msg->flags & ~(unsigned)STORE_FLAGS))
		st = ST_INVALID;
	if (st == ST_OK)
		store_email_facts(in->bytes.content, arena, &in->facts);
	return st;
}

static enum status append_one(struct store_account *a, struct store_mailbox *m, const struct store_new_message *msg,
			      const struct incoming *in, struct store_added *ret)
{
	struct store_row row = {
		.flags = (uint16_t)(a->reader == 0 ? msg->flags : msg->flags & a->reader_flags & ~(unsigned)STORE_SEEN),
		.size = in->bytes.content.n,
		.internal_ms = msg->internal_ms,
		.internal_zone = msg->internal_zone,
	};
	bool        keywords = a->reader == 0 || a->reader_keywords;
	enum status st = store_keyword_bits(a, msg->keywords, keywords ? msg->keyword_count : 0, true, &row.keywords, NULL);

	if (st == ST_OK)
		st = store_email_insert(a, &in->bytes, &in->facts, 1, &row.email);
	if (st == ST_OK)
		st = store_message_insert(a, m, &row, clock_wall_ms());
	if (st == ST_OK)
		*ret = (struct store_added){ m->uidvalidity, row.uid, row.modseq, row.email };
	return st;
}

/* `freed`: octets that went in the same transaction; what takes no more than they did fits always. */
static enum status append_all(struct store_account *a, uint64_t mailbox, const struct store_new_message *messages,
			      const struct incoming *in, size_t count, uint64_t freed, uint32_t *uids, struct store_added *ret)
{
	struct store_mailbox m;
	uint64_t             octets = 0;
	enum status          st = store_mailbox_row(a, mailbox, &m);

	for (size_t i = 0; i < count; i++)
		octets += in[i].bytes.content.n;
	if (st == ST_OK && octets > freed && !store_quota_room(&a->quota, &a->state, count, octets))
		st = ST_QUOTA;
	for (size_t i = 0; i < count && st == ST_OK; i++) {
		st = append_one(a, &m, &messages[i], &in[i], &ret[i]);
		uids[i] = ret[i].uid;
		if (st == ST_OK && a->reader != 0 && (messages[i].flags & a->reader_flags & STORE_SEEN))
			st = store_seen_change(a, mailbox, &uids[i], 1, true);
	}
	if (st == ST_OK)
		st = store_mailbox_row_write(a, &m);
	if (st == ST_OK)
		st = store_txn_change(a, CHANGE_MESSAGE, mailbox, CHANGE_CREATED, uids, count);
	return st == ST_OK ? store_release(a) : st;
}

/* The new message came for one of another account (store_moving.c). */
static enum status append_arrived(struct store_account *a, uint64_t mailbox, uint64_t op, uint32_t from, uint32_t to)
{
	const struct store_copied one = { .count = 1, .from = &from, .to = &to };

	return store_moving_arrived(a, op, mailbox, &one);
}

/* In one transaction, in which `uid` of mailbox `from` goes, if it is not 0; with `op`, it is of another account and goes there. */
static enum status append_replace(struct store_account *a, uint64_t mailbox, const struct store_new_message *messages, size_t count, uint64_t from,
				  uint32_t uid, uint64_t op, struct store_added *ret, bool *ret_gone)
{
	struct arena *arena   CLEANUP(arena_free) = arena_new(NULL);
	struct incoming     *in = ARENA_ARRAY(arena, struct incoming, count);
	struct store_added  *added = ARENA_ARRAY(arena, struct store_added, count);
	uint32_t            *uids = ARENA_ARRAY(arena, uint32_t, count);
	enum status          st = count > 0 ? ST_OK : ST_INVALID;

	*ret_gone = false;
	/* Parsing and syncing files take long: before the writer lock. */
	for (size_t i = 0; i < count && st == ST_OK; i++)
		st = incoming_read(a, &messages[i], arena, &in[i]);
	if (st == ST_OK)
		st = store_txn_begin(a, false);
	if (st == ST_OK) {
		uint64_t before = a->state.size;

		if (uid > 0 && op == 0)
			st = store_remove_one(a, from, uid, arena, ret_gone);
		if (st == ST_OK && *ret_gone)
			st = ST_NOT_FOUND;
		if (st == ST_OK)
			st = append_all(a, mailbox, messages, in, count, before - a->state.size, uids, added);
		if (st == ST_OK && op > 0)
			st = append_arrived(a, mailbox, op, uid, uids[0]);
		st = store_txn_end(a, st, true);
	}
	for (size_t i = 0; i < count; i++) {
		store_bytes_done(&in[i].bytes);
		store_upload_free(&in[i].own);
	}
	if (st == ST_OK) {
		memcpy(ret, added, count * sizeof(*ret));
		store_quota_look(a, &a->quota, a->owner, true);
	}
	return st;
}

enum status store_append(struct store_account *a, uint64_t mailbox, const struct store_new_message *messages, size_t count,
			 struct store_added *ret)
{
	bool gone;

	return append_replace(a, mailbox, messages, count, 0, 0, 0, ret, &gone);
}

enum status store_replace(struct store_account *a, uint64_t mailbox, const struct store_new_message *message, uint64_t from, uint32_t uid,
			  struct store_added *ret, bool *ret_gone)
{
	return append_replace(a, mailbox, message, 1, from, uid, 0, ret, ret_gone);
}

enum status store_append_moved(struct store_account *a, uint64_t mailbox, const struct store_new_message *message, uint64_t op, uint32_t uid,
			       struct store_added *ret)
{
	bool gone;

	return append_replace(a, mailbox, message, 1, 0, uid, op, ret, &gone);
}
