/* store/store_thread.c - conversations: which emails are one thread (THREADID of RFC 8474; RFC 8621 §3).
 *
 * Two emails belong together if they name a message id in common (their own Message-ID, In-Reply-To, References) and have the same base
 * subject (RFC 5256 §2.1; letter case and white space are left out). So an email's keys are hashes of (message id, base subject); a
 * thread is found by any key that an earlier email has. An email's thread never changes: where two threads turn out to be one, what
 * comes later joins the older of them.
 *
 * Emails from before there were threads get theirs when they are asked for. A key is 64 bits of a SHA-256: who makes two of them equal
 * joins two conversations in the mailbox that receives them, and no more.
 */
#include "store/store_thread.h"

#include <string.h>

#include "store/store_internal.h"
#include "wire/text/text_subject.h"

#define KEYS 16u /* of an email: its own id, then those it refers to, the nearest first */

struct keys {
	int64_t hash[KEYS];
	size_t  count;
};

/* Without letter case and white space. */
static struct str subject_key(struct str subject, struct arena *arena)
{
	bool       reply;
	struct str base = text_subject_base(subject, &reply);
	char      *p = arena_alloc(arena, base.n);
	size_t     n = 0;

	for (size_t i = 0; i < base.n; i++)
		if (!ascii_is_wsp(base.p[i]))
			p[n++] = ascii_lower(base.p[i]);
	return str_n(p, n);
}

static void key_add(struct keys *k, struct str id, struct str subject, struct arena *arena)
{
	uint8_t full[STORE_HASH];
	int64_t hash;

	if (id.n == 0 || k->count == KEYS)
		return;
	store_hash(arena_printf(arena, "%.*s\n%.*s", STR_FMT(id), STR_FMT(subject)), full);
	memcpy(&hash, full, sizeof(hash));
	for (size_t i = 0; i < k->count; i++)
		if (k->hash[i] == hash)
			return;
	k->hash[k->count++] = hash;
}

/* "<id>" of a list, from the last to the first. */
static void list_add(struct keys *k, struct str ids, struct str subject, struct arena *arena)
{
	while (ids.n > 0 && k->count < KEYS) {
		ptrdiff_t close = str_rfind(ids, '>'), open;

		if (close < 0)
			break;
		open = str_rfind(str_first(ids, (size_t)close), '<');
		if (open < 0)
			break;
		key_add(k, str_sub(ids, (size_t)open, (size_t)(close - open) + 1), subject, arena);
		ids = str_first(ids, (size_t)open);
	}
}

static void keys_make(const struct store_email *e, struct arena *arena, struct keys *ret)
{
	struct str subject = subject_key(e->subject, arena);

	*ret = (struct keys){ 0 };
	list_add(ret, e->message_id, subject, arena);
	list_add(ret, e->in_reply_to, subject, arena);
	list_add(ret, e->references, subject, arena);
}

/* The oldest thread that has one of the keys; ST_NOT_FOUND. */
static enum status thread_find(struct store_account *a, const struct keys *k, uint64_t *ret)
{
	uint64_t    found = 0;
	enum status st = ST_OK;

	for (size_t i = 0; i < k->count && st == ST_OK; i++) {
		struct db_stmt *s = db_sql(a->db, "SELECT t.thread FROM thread_key k JOIN thread t ON t.account = k.account AND"
						  " t.email = k.email WHERE k.account = ?1 AND k.hash = ?2 ORDER BY k.email LIMIT 1");

		db_bind_u64(s, 1, a->id);
		db_bind_i64(s, 2, k->hash[i]);
		st = db_step(s);
		if (st == ST_OK)
			found = found ? MIN(found, db_u64(s, 0)) : db_u64(s, 0);
		db_done(s);
		st = st == ST_NOT_FOUND ? ST_OK : st;
	}
	if (st == ST_OK && found == 0)
		return ST_NOT_FOUND;
	*ret = found;
	return st;
}

static enum status key_write(struct store_account *a, int64_t hash, uint64_t email, bool there)
{
	struct db_stmt *s = there ? db_sql(a->db, "INSERT INTO thread_key VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING") :
				    db_sql(a->db, "DELETE FROM thread_key WHERE account = ?1 AND hash = ?2 AND email = ?3");

	db_bind_u64(s, 1, a->id);
	db_bind_i64(s, 2, hash);
	db_bind_u64(s, 3, email);
	return db_run(s);
}

static enum status thread_write(struct store_account *a, uint64_t email, uint64_t thread)
{
	struct db_stmt *s = db_sql(a->db, "INSERT INTO thread VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, email);
	db_bind_u64(s, 3, thread);
	return db_run(s);
}

enum status store_thread_add(struct store_account *a, uint64_t email, const struct store_email *e)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	struct keys         k;
	uint64_t            thread = email; /* a new thread has the id of its first email */
	enum status         st;

	keys_make(e, arena, &k);
	st = thread_find(a, &k, &thread);
	if (st == ST_OK || st == ST_NOT_FOUND)
		st = thread_write(a, email, thread);
	for (size_t i = 0; i < k.count && st == ST_OK; i++)
		st = key_write(a, k.hash[i], email, true);
	return st;
}

/* What the keys are made of. */
static enum status email_read(struct store_account *a, uint64_t email, struct arena *arena, struct store_email *ret)
{
	struct db_stmt *s = db_sql(a->db, "SELECT subject, message_id, in_reply_to, reference_ids FROM email WHERE id = ?2 AND account = ?1");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, email);
	st = db_step(s);
	if (st == ST_OK)
		*ret = (struct store_email){
			.id = email,
			.subject = arena_dup(arena, db_str(s, 0)),
			.message_id = arena_dup(arena, db_str(s, 1)),
			.in_reply_to = arena_dup(arena, db_str(s, 2)),
			.references = arena_dup(arena, db_str(s, 3)),
		};
	db_done(s);
	return st;
}

enum status store_thread_drop(struct store_account *a, uint64_t email)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	struct db_stmt     *s = db_sql(a->db, "DELETE FROM thread WHERE account = ?1 AND email = ?2");
	struct store_email  e;
	struct keys         k;
	enum status         st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, email);
	st = db_run(s);
	if (st != ST_OK || db_changed(a->db) == 0)
		return st;
	st = email_read(a, email, arena, &e);
	if (st != ST_OK)
		return st == ST_NOT_FOUND ? ST_CORRUPT : st;
	keys_make(&e, arena, &k);
	for (size_t i = 0; i < k.count && st == ST_OK; i++)
		st = key_write(a, k.hash[i], email, false);
	return st;
}

/* ---- reading ---- */

static enum status thread_read(struct store_account *a, uint64_t email, uint64_t *ret)
{
	struct db_stmt *s = db_sql(a->db, "SELECT thread FROM thread WHERE account = ?1 AND email = ?2");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, email);
	st = db_step(s);
	if (st == ST_OK)
		*ret = db_u64(s, 0);
	db_done(s);
	return st;
}

static enum status threads_read(struct store_account *a, const uint64_t *emails, size_t count, uint64_t *ret, bool *ret_all)
{
	*ret_all = true;
	for (size_t i = 0; i < count; i++) {
		enum status st = thread_read(a, emails[i], &ret[i]);

		if (st == ST_NOT_FOUND) {
			ret[i] = 0;
			*ret_all = false;
		} else if (st != ST_OK) {
			return st;
		}
	}
	return ST_OK;
}

static enum status threads_add(struct store_account *a, const uint64_t *emails, size_t count, const uint64_t *threads)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	struct store_email  e;
	enum status         st = ST_OK;

	for (size_t i = 0; i < count && st == ST_OK; i++) {
		if (threads[i] != 0)
			continue;
		st = email_read(a, emails[i], arena, &e);
		if (st == ST_OK)
			st = store_thread_add(a, emails[i], &e);
		st = st == ST_NOT_FOUND ? ST_OK : st; /* it is gone, or another process was faster */
		arena_reset(arena);
	}
	return st;
}

enum status store_threads(struct store_account *a, const uint64_t *emails, size_t count, uint64_t *ret)
{
	bool        all;
	enum status st = threads_read(a, emails, count, ret, &all);

	if (st != ST_OK || all)
		return st;
	st = store_txn_begin(a, false);
	if (st == ST_OK)
		st = store_txn_end(a, threads_add(a, emails, count, ret), true);
	/* Where nothing can be written there are none. */
	if (st == ST_FULL || st == ST_SUSPECT)
		return ST_OK;
	return st == ST_OK ? threads_read(a, emails, count, ret, &all) : st;
}
