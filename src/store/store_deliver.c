/* store/store_deliver.c - deliveries: some of one account in one transaction, each once per delivery id.
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

/* ---- the mailboxes of a transaction: read once, written once ---- */

struct box {
	struct box          *next;
	struct store_mailbox m;
	uint32_t            *uids; /* of what was added, at most one for each delivery */
	size_t               count;
};

static enum status box_get(struct store_account *a, struct box **boxes, uint64_t mailbox, struct arena *arena, struct box **ret)
{
	struct box *b = *boxes;
	enum status st;

	while (b && b->m.id != mailbox)
		b = b->next;
	if (!b) {
		b = ARENA_NEW(arena, struct box);
		st = store_mailbox_row(a, mailbox, &b->m);
		if (st != ST_OK)
			return st;
		b->uids = ARENA_ARRAY(arena, uint32_t, STORE_DELIVER_MAX);
		b->next = *boxes;
		*boxes = b;
	}
	*ret = b;
	return ST_OK;
}

static enum status boxes_write(struct store_account *a, struct box *boxes)
{
	enum status st = ST_OK;

	for (struct box *b = boxes; b && st == ST_OK; b = b->next) {
		st = store_mailbox_row_write(a, &b->m);
		if (st == ST_OK)
			st = store_txn_change(a, CHANGE_MESSAGE, b->m.id, CHANGE_CREATED, b->uids, b->count);
	}
	return st;
}

static enum status place_message(struct store_account *a, struct box *box, const struct place *p, uint64_t email, uint64_t size,
				 const struct store_delivery *d, struct store_added *ret)
{
	struct store_row row = {
		.flags = (uint16_t)p->flags,
		.keywords = p->keywords,
		.email = email,
		.size = size,
		.internal_ms = d->received_ms,
	};
	enum status st = store_message_insert(a, &box->m, &row, clock_wall_ms());

	if (st != ST_OK)
		return st;
	box->uids[box->count++] = row.uid;
	*ret = (struct store_added){ box->m.uidvalidity, row.uid, row.modseq, email };
	return ST_OK;
}

/* ---- delivery ids ---- */

static enum status id_remember(struct store_account *a, uint64_t id, uint64_t email)
{
	struct db_stmt *s = db_sql(a->db, "INSERT INTO delivery VALUES (?1, ?2, ?3)");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, id);
	db_bind_u64(s, 3, email);
	return db_run(s);
}

static enum status ids_forget(struct store_account *a, const struct store_delivery *list, size_t count)
{
	struct db_stmt *s = db_sql(a->db, "DELETE FROM delivery WHERE account = ?1 AND id < ?2");
	uint64_t        floor = 0, lowest = UINT64_MAX;

	for (size_t i = 0; i < count; i++) {
		floor = MAX(floor, list[i].floor);
		lowest = MIN(lowest, list[i].id);
	}
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, MIN(floor, lowest));
	return db_run(s);
}

/* ---- one delivery in its transaction ---- */

static enum status deliver(struct store_account *a, const struct store_delivery *d, const struct store_bytes *b,
			   const struct store_facts_row *f, struct box **boxes, struct arena *arena, struct store_delivered *ret)
{
	struct place       *places = ARENA_ARRAY(arena, struct place, d->target_count);
	struct store_added *added = ARENA_ARRAY(arena, struct store_added, d->target_count);
	size_t             *index = ARENA_ARRAY(arena, size_t, d->target_count);
	size_t              n;
	uint64_t            email = 0;
	struct box         *box;
	enum status         st = places_find(a, d, arena, places, &n, index);

	if (st == ST_OK && n > 0)
		st = store_email_insert(a, b, f, n, &email);
	for (size_t i = 0; i < n && st == ST_OK; i++) {
		st = box_get(a, boxes, places[i].mailbox, arena, &box);
		if (st == ST_OK)
			st = place_message(a, box, &places[i], email, b->content.n, d, &added[i]);
	}
	if (st == ST_OK)
		st = id_remember(a, d->id, email);
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

/* A delivery, read and parsed before the writer lock is taken. */
struct parsed {
	struct store_upload   *upload;
	struct store_bytes     bytes;
	struct store_facts_row facts;
};

static enum status bytes_of(struct store_account *a, const struct store_delivery *d, struct parsed *p)
{
	bool        plain = d->prefix.n == 0 && d->file < 0 && d->content.n <= LIMIT_INLINE;
	enum status st;

	if (plain) {
		st = d->content.n == d->size ? store_bytes_memory(d->content, &p->bytes) : ST_INVALID;
		if (st == ST_OK && d->hash.n > 0 && !str_eq(d->hash, str_n(p->bytes.hash, STORE_HASH)))
			st = ST_INVALID;
		return st;
	}
	st = store_upload_delivery(a->store, a->id, d, &p->upload);
	return st == ST_OK ? store_bytes_upload(p->upload, &p->bytes) : st;
}

static enum status parse(struct store_account *a, const struct store_delivery *d, struct arena *arena, struct parsed *p)
{
	enum status st;

	CHECK(d->id > 0 && d->id <= INT64_MAX);
	if (d->target_count == 0)
		return ST_OK;
	st = bytes_of(a, d, p);
	if (st == ST_OK)
		store_email_facts(p->bytes.content, arena, &p->facts);
	return st == ST_FULL && store_reserve_give(a->store) ? ST_TEMP : st;
}

static struct store_quota quota_of(const struct store_delivery *d)
{
	return (struct store_quota){ d->quota_octets, d->quota_messages, d->quota_strict };
}

static bool fits(const struct store_account *a, const struct store_delivery *d, const struct parsed *p)
{
	const struct store_quota q = quota_of(d);

	return d->target_count == 0 || store_quota_room(&q, &a->state, 1, p->bytes.content.n);
}

static enum status inside_one(struct store_account *a, const struct store_delivery *d, const struct parsed *p, struct box **boxes,
			      struct arena *arena, struct store_delivered *ret)
{
	uint64_t    email;
	enum status st = id_find(a, d->id, &email);

	ret->modseq = a->state.modseq;
	if (st == ST_NOT_FOUND && !fits(a, d, p)) {
		ret->over_quota = true;
		return ST_OK;
	}
	if (st == ST_NOT_FOUND)
		return deliver(a, d, &p->bytes, &p->facts, boxes, arena, ret);
	if (st == ST_OK && email > 0 && p->bytes.temp[0])
		st = file_mend(a, email, &p->bytes);
	ret->duplicate = st == ST_OK;
	return st;
}

static enum status inside(struct store_account *a, const struct store_delivery *list, size_t count, const struct parsed *parsed,
			  struct arena *arena, struct store_delivered *ret)
{
	struct box *boxes = NULL;
	bool        changed = false;
	enum status st = ST_OK;

	for (size_t i = 0; i < count && st == ST_OK; i++) {
		st = inside_one(a, &list[i], &parsed[i], &boxes, arena, &ret[i]);
		changed = changed || !(ret[i].duplicate || ret[i].over_quota);
	}
	for (size_t i = 0; i < count; i++) {
		ret[i].usage_octets = a->state.size;
		ret[i].usage_messages = a->state.messages;
	}
	if (st == ST_OK && changed)
		st = ids_forget(a, list, count);
	return st == ST_OK ? boxes_write(a, boxes) : st;
}

enum status store_deliver(struct store_account *a, const struct store_delivery *list, size_t count, struct arena *arena,
			  struct store_delivered *ret)
{
	struct parsed          *parsed = ARENA_ARRAY(arena, struct parsed, count);
	struct store_delivered *got = ARENA_ARRAY(arena, struct store_delivered, count);
	enum status             st = ST_OK;

	CHECK(count > 0 && count <= STORE_DELIVER_MAX);
	for (size_t i = 0; i < count && st == ST_OK; i++)
		st = parse(a, &list[i], arena, &parsed[i]);
	if (st == ST_OK)
		st = store_txn_begin(a, true);
	if (st == ST_OK)
		st = store_txn_end(a, inside(a, list, count, parsed, arena, got), false);
	for (size_t i = 0; i < count; i++) {
		store_bytes_done(&parsed[i].bytes);
		store_upload_free(&parsed[i].upload);
	}
	if (st == ST_OK) {
		const struct store_quota q = quota_of(&list[count - 1]);

		memcpy(ret, got, count * sizeof(*ret));
		store_quota_look(a, &q, list[count - 1].address, false);
	}
	return st;
}
