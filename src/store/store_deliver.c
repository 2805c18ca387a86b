/* store/store_deliver.c - one delivery: one transaction, once per delivery id.
 *
 * The id is remembered in the same transaction as the messages, so that a repeat after a crash changes nothing. A repeat counts as
 * done only if the content is there: a row can outlive its file only through damage, and then the repeat brings it back.
 */
#include <string.h>

#include "store/store_internal.h"
#include "sys/clock.h"
#include "sys/disk.h"

struct place { /* targets of one mailbox, merged */
	uint64_t              mailbox;
	unsigned              flags;
	struct store_keywords keywords;
};

static enum status mailbox_of(struct store_account *a, struct str name, struct arena *arena, uint64_t *ret)
{
	enum status st = ST_OK;

	if (name.n == 0)
		name = STR("INBOX");
	st = store_name_normal(name, arena, &name);
	if (st == ST_OK)
		st = store_mailbox_row_find(a, name, ret);
	return st == ST_NOT_FOUND ? store_mailbox_row_make(a, name, STORE_SPECIAL_NONE, ret) : st;
}

/* places[i] for each target; two targets of one mailbox are one message. */
static enum status places_find(struct store_account *a, const struct store_delivery *d, struct arena *arena, struct place *places,
			       size_t *ret_count, size_t *index)
{
	enum status st = ST_OK;

	*ret_count = 0;
	for (size_t i = 0; i < d->target_count && st == ST_OK; i++) {
		const struct store_target *t = &d->targets[i];
		struct store_keywords      keywords;
		uint64_t                   mailbox = 0;
		size_t                     at = 0;

		st = t->flags & ~(unsigned)STORE_FLAGS ? ST_INVALID : mailbox_of(a, t->mailbox, arena, &mailbox);
		if (st == ST_OK)
			st = store_keyword_bits(a, t->keywords, t->keyword_count, true, &keywords, NULL);
		if (st != ST_OK)
			break;
		while (at < *ret_count && places[at].mailbox != mailbox)
			at++;
		if (at == *ret_count)
			places[(*ret_count)++] = (struct place){ .mailbox = mailbox };
		places[at].flags |= t->flags;
		places[at].keywords.bits[0] |= keywords.bits[0];
		places[at].keywords.bits[1] |= keywords.bits[1];
		index[i] = at;
	}
	return st;
}

static enum status place_message(struct store_account *a, const struct place *p, uint64_t email, uint64_t size,
				 const struct store_delivery *d, struct store_added *ret)
{
	struct store_mailbox m;
	struct store_row     row = {
		    .flags = (uint16_t)p->flags,
		    .keywords = p->keywords,
		    .email = email,
		    .size = size,
		    .internal_ms = d->received_ms,
	};
	enum status st = store_mailbox_row(a, p->mailbox, &m);

	if (st == ST_OK)
		st = store_message_insert(a, &m, &row, clock_wall_ms());
	if (st == ST_OK)
		st = store_mailbox_row_write(a, &m);
	if (st == ST_OK)
		st = store_txn_change(a, CHANGE_MESSAGE, p->mailbox, CHANGE_CREATED, &row.uid, 1);
	if (st == ST_OK)
		*ret = (struct store_added){ m.uidvalidity, row.uid, row.modseq, email };
	return st;
}

static enum status id_remember(struct store_account *a, const struct store_delivery *d, uint64_t email)
{
	struct db_stmt *s = db_sql(a->db, "INSERT INTO delivery VALUES (?1, ?2, ?3)");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, d->id);
	db_bind_u64(s, 3, email);
	st = db_run(s);
	if (st != ST_OK)
		return st;
	s = db_sql(a->db, "DELETE FROM delivery WHERE account = ?1 AND id < ?2");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, MIN(d->floor, d->id));
	return db_run(s);
}

static enum status deliver(struct store_account *a, const struct store_delivery *d, const struct store_bytes *b,
			   const struct store_facts_row *f, struct arena *arena, struct store_delivered *ret)
{
	struct place       *places = ARENA_ARRAY(arena, struct place, d->target_count);
	struct store_added *added = ARENA_ARRAY(arena, struct store_added, d->target_count);
	size_t             *index = ARENA_ARRAY(arena, size_t, d->target_count);
	size_t              n;
	uint64_t            email = 0;
	enum status         st = places_find(a, d, arena, places, &n, index);

	if (st == ST_OK && n > 0)
		st = store_email_insert(a, b, f, n, &email);
	for (size_t i = 0; i < n && st == ST_OK; i++)
		st = place_message(a, &places[i], email, b->content.n, d, &added[i]);
	if (st == ST_OK)
		st = id_remember(a, d, email);
	if (st != ST_OK)
		return st;
	ret->modseq = store_txn_modseq(a);
	ret->count = d->target_count;
	ret->added = ARENA_ARRAY(arena, struct store_added, d->target_count);
	ret->mailboxes = ARENA_ARRAY(arena, uint64_t, d->target_count);
	for (size_t i = 0; i < d->target_count; i++) {
		ret->added[i] = added[index[i]];
		ret->mailboxes[i] = places[index[i]].mailbox;
	}
	return ST_OK;
}

/* ST_OK: the id is known; *ret_email is 0 for a discard. */
static enum status id_find(struct store_account *a, uint64_t id, uint64_t *ret_email)
{
	struct db_stmt *s = db_sql(a->db, "SELECT email FROM delivery WHERE account = ?1 AND id = ?2");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, id);
	st = db_step(s);
	if (st == ST_OK)
		*ret_email = db_u64(s, 0);
	db_done(s);
	return st;
}

/* The file of a repeated delivery is missing: put ours in its place. */
static enum status file_mend(struct store_account *a, uint64_t email, const struct store_bytes *b)
{
	struct db_stmt *s = db_sql(a->db, "SELECT c.hash FROM email e JOIN content c ON c.id = e.content AND c.account = e.account"
					  " WHERE e.id = ?2 AND e.account = ?1");
	char            path[STORE_PATH_MAX], dir[STORE_PATH_MAX];
	bool            ours;
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, email);
	st = db_step(s);
	ours = st == ST_OK && str_eq(db_str(s, 0), str_n(b->hash, STORE_HASH));
	db_done(s);
	/* Not found: it was expunged and released since. */
	if (st != ST_OK || !ours)
		return st == ST_NOT_FOUND ? ST_OK : st;
	store_content_path(a->id, str_n(b->hash, STORE_HASH), path);
	if (disk_exists(a->store->fd, path))
		return ST_OK;
	store_path(a->id, "content", dir);
	st = disk_rename(a->store->fd, b->temp, path);
	return st == ST_OK ? disk_sync_dir(a->store->fd, dir) : st;
}

static enum status inside(struct store_account *a, const struct store_delivery *d, const struct store_bytes *b,
			  const struct store_facts_row *f, struct arena *arena, struct store_delivered *ret)
{
	uint64_t    email;
	enum status st = id_find(a, d->id, &email);

	if (st == ST_NOT_FOUND)
		return deliver(a, d, b, f, arena, ret);
	if (st == ST_OK && email > 0 && b->temp[0])
		st = file_mend(a, email, b);
	ret->duplicate = st == ST_OK;
	ret->modseq = a->state.modseq;
	return st;
}

static enum status bytes_of(struct store_account *a, const struct store_delivery *d, struct store_upload **upload,
			    struct store_bytes *ret)
{
	bool        plain = d->prefix.n == 0 && d->file < 0 && d->content.n <= LIMIT_INLINE;
	enum status st;

	if (d->target_count == 0)
		return ST_OK;
	if (plain) {
		st = d->content.n == d->size ? store_bytes_memory(d->content, ret) : ST_INVALID;
		if (st == ST_OK && d->hash.n > 0 && !str_eq(d->hash, str_n(ret->hash, STORE_HASH)))
			st = ST_INVALID;
		return st;
	}
	st = store_upload_delivery(a->store, a->id, d, upload);
	return st == ST_OK ? store_bytes_upload(*upload, ret) : st;
}

enum status store_deliver(struct store_account *a, const struct store_delivery *d, struct arena *arena, struct store_delivered *ret)
{
	struct store_upload   *upload = NULL;
	struct store_bytes     b = { 0 };
	struct store_facts_row f;
	struct store_delivered got = { 0 };
	enum status            st;

	CHECK(d->id > 0 && d->id <= INT64_MAX);
	st = bytes_of(a, d, &upload, &b);
	if (st == ST_FULL && store_reserve_give(a->store))
		st = ST_TEMP;
	if (st == ST_OK && d->target_count > 0)
		store_email_facts(b.content, arena, &f);
	if (st == ST_OK)
		st = store_txn_begin(a, true);
	if (st == ST_OK)
		st = store_txn_end(a, inside(a, d, &b, &f, arena, &got), false);
	store_bytes_done(&b);
	store_upload_free(&upload);
	if (st == ST_OK)
		*ret = got;
	return st;
}
