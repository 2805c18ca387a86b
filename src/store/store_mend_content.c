/* store/store_mend_content.c - contents that are gone or changed, facts that cannot be read, messages left without an email. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/store_mend_int.h"
#include "sys/clock.h"
#include "sys/disk.h"

/* ---- reading a content as it is ---- */

void mend_body_done(struct mend_body *b)
{
	disk_unmap(b->map);
	buf_done(&b->copy);
}

enum status mend_body_read(struct mend *m, uint64_t id, struct mend_body *ret)
{
	struct db_stmt *s = db_sql(m->a->db, "SELECT hash, data FROM content WHERE account = ?1 AND id = ?2");
	char            path[STORE_PATH_MAX] = "";
	int             fd = -1;
	uint64_t        size = 0;
	enum status     st;

	*ret = (struct mend_body){ .octets = STR_NONE };
	buf_init(&ret->copy, LIMIT_MESSAGE_MAX);
	db_bind_u64(s, 1, m->a->id);
	db_bind_u64(s, 2, id);
	st = db_step(s);
	if (st == ST_OK && !db_null(s, 1))
		buf_add(&ret->copy, db_str(s, 1));
	else if (st == ST_OK && db_str(s, 0).n == STORE_HASH)
		store_content_path(m->a->id, db_str(s, 0), path);
	db_done(s);
	ret->octets = buf_str(&ret->copy);
	if (st != ST_OK || !path[0])
		return st == ST_OK && ret->octets.n == 0 ? ST_NOT_FOUND : st;
	st = disk_open(m->a->store->fd, path, DISK_READ, &fd);
	if (st == ST_OK)
		st = disk_size(fd, &size);
	if (st == ST_OK)
		st = size > 0 && size <= LIMIT_MESSAGE_MAX ? disk_map(fd, (size_t)size, &ret->map) : ST_NOT_FOUND;
	fd_close(&fd);
	ret->octets = ret->map;
	return st;
}

/* ---- messages ---- */

struct lost {
	int64_t mailbox, uid, flags, kw0, kw1, email, size, internal_ms, zone;
};
#define LOST_COLUMNS "mailbox, uid, flags, kw0, kw1, email, size, internal_ms, zone"

/* Expunged, and nothing is left of it. */
static enum status message_drop(struct mend *m, const struct lost *l)
{
	struct db_stmt *s = db_sql(m->a->db, "DELETE FROM message WHERE account = ?1 AND mailbox = ?2 AND uid = ?3");

	db_bind_u64(s, 1, m->a->id);
	db_bind_i64(s, 2, l->mailbox);
	db_bind_i64(s, 3, l->uid);
	return db_run(s);
}

static enum status messages_lost(struct mend *m)
{
	int64_t    *rows;
	size_t      n;
	enum status st = mend_rows(m, "SELECT " LOST_COLUMNS " FROM message WHERE account = ?1 AND email NOT IN (SELECT e.id FROM email e JOIN"
				      " content c ON c.id = e.content AND c.account = e.account WHERE e.account = ?1)", 9, &rows, &n);

	for (size_t i = 0; st == ST_OK && i < n; i++) {
		struct lost l;
		struct str  name;

		memcpy(&l, rows + 9 * i, sizeof(l));
		name = mend_name(m, (uint64_t)l.mailbox, (uint64_t)l.uid);
		mend_tell(m, STORE_MEND_LOST, "A6", "message %.*s of %lld octets: its content is gone", STR_FMT(name), (long long)l.size);
		st = message_drop(m, &l);
	}
	if (st == ST_OK)
		st = mend_run(m, "A6", "expunged messages whose content is gone", "UPDATE expunged SET email = 0 WHERE account = ?1 AND email <> 0"
			      " AND email NOT IN (SELECT e.id FROM email e JOIN content c ON c.id = e.content AND c.account = e.account"
			      " WHERE e.account = ?1)");
	return st == ST_OK ? mend_run(m, "A7", "emails without content removed", "DELETE FROM email WHERE account = ?1 AND content NOT IN"
				      " (SELECT id FROM content WHERE account = ?1)") : st;
}

/* ---- contents ---- */

static enum status content_remove(struct mend *m, uint64_t id)
{
	struct db_stmt *s = db_sql(m->a->db, "DELETE FROM content WHERE account = ?1 AND id = ?2");

	db_bind_u64(s, 1, m->a->id);
	db_bind_u64(s, 2, id);
	return db_run(s);
}

/* Its messages become new ones in Recovered, of what octets there are: under the old uid nobody may see others. */
static enum status changed_recover(struct mend *m, uint64_t content, uint64_t email)
{
	struct db_stmt *s = db_sql(m->a->db, "SELECT count(*) FROM message x JOIN email e ON e.id = x.email WHERE x.account = ?1 AND e.content = ?2");
	struct lost    *list = NULL;
	size_t          n = 0, max = 0;
	enum status     st;

	db_bind_u64(s, 1, m->a->id);
	db_bind_u64(s, 2, content);
	st = db_step(s);
	if (st == ST_OK)
		max = (size_t)db_u64(s, 0);
	db_done(s);
	list = ARENA_ARRAY(m->arena, struct lost, max);
	s = db_sql(m->a->db, "SELECT mailbox, uid, flags, kw0, kw1, x.email, x.size, internal_ms, zone FROM message x JOIN email e ON e.id ="
			     " x.email WHERE x.account = ?1 AND e.content = ?2");
	db_bind_u64(s, 1, m->a->id);
	db_bind_u64(s, 2, content);
	while (st == ST_OK && n < max && (st = db_step(s)) == ST_OK) {
		int64_t v[9];

		for (int i = 0; i < 9; i++)
			v[i] = db_i64(s, i);
		memcpy(&list[n++], v, sizeof(v));
	}
	db_done(s);
	st = st == ST_NOT_FOUND ? ST_OK : st;
	for (size_t i = 0; st == ST_OK && i < n; i++) {
		struct store_row row = { .flags = (uint16_t)list[i].flags, .keywords = { { (uint64_t)list[i].kw0, (uint64_t)list[i].kw1 } },
					 .email = email, .internal_ms = list[i].internal_ms, .internal_zone = (int16_t)list[i].zone };
		struct str       name = mend_name(m, (uint64_t)list[i].mailbox, (uint64_t)list[i].uid);
		struct db_stmt  *q = db_sql(m->a->db, "SELECT size FROM email WHERE id = ?1");

		db_bind_u64(q, 1, email);
		st = db_step(q);
		row.size = st == ST_OK ? db_u64(q, 0) : 0;
		db_done(q);
		if (st == ST_OK)
			st = message_drop(m, &list[i]);
		if (st == ST_OK)
			st = mend_recover(m, &row);
		mend_tell(m, STORE_MEND_MOVED, "A8", "message %.*s is not what came in: what is there is Recovered/%u", STR_FMT(name), row.uid);
	}
	return st;
}

enum status mend_octets_insert(struct mend *m, struct str octets, struct store_facts_row *f, uint64_t *ret_email)
{
	struct store_upload *up = NULL;
	struct store_bytes   b = { .content = STR_NONE };
	enum status          st = ST_OK;

	if (octets.n > LIMIT_INLINE) {
		st = store_upload_new(m->a->store, m->a->id, &up);
		if (st == ST_OK)
			st = store_upload_write(up, octets);
		if (st == ST_OK)
			st = store_bytes_upload(up, &b);
	} else {
		st = store_bytes_memory(octets, &b);
	}
	if (st == ST_OK) {
		st = store_email_insert(m->a, &b, f, 1, ret_email);
		store_bytes_done(&b);
	}
	store_upload_free(&up);
	return st;
}

/* Octets that are not those of the hash, as a content of their own. */
static enum status changed_insert(struct mend *m, struct str octets, uint64_t *ret_email)
{
	struct arena          *arena CLEANUP(arena_free) = arena_new(NULL);
	struct store_facts_row f;

	store_email_facts(octets, arena, &f);
	return mend_octets_insert(m, octets, &f, ret_email);
}

static enum status content_look(struct mend *m, uint64_t id)
{
	struct db_stmt *s;
	struct mend_body b;
	uint8_t         hash[STORE_HASH];
	uint64_t        email = 0;
	bool            same = false;
	enum status     st = mend_body_read(m, id, &b);

	if (st == ST_OK) {
		store_hash(b.octets, hash);
		s = db_sql(m->a->db, "SELECT hash = ?3 FROM content WHERE account = ?1 AND id = ?2");
		db_bind_u64(s, 1, m->a->id);
		db_bind_u64(s, 2, id);
		db_bind_blob(s, 3, str_n(hash, sizeof(hash)));
		st = db_step(s);
		same = st == ST_OK && db_u64(s, 0) != 0;
		db_done(s);
	}
	if (st == ST_OK && same) {
		s = db_sql(m->a->db, "UPDATE content SET size = ?3 WHERE account = ?1 AND id = ?2 AND size <> ?3");
		db_bind_u64(s, 1, m->a->id);
		db_bind_u64(s, 2, id);
		db_bind_u64(s, 3, b.octets.n);
		st = db_run(s);
		if (st == ST_OK && db_changed(m->a->db) > 0)
			mend_tell(m, STORE_MEND_FIXED, "A8", "content %llu: its size was wrong", (unsigned long long)id);
	} else if (st == ST_OK) {
		st = changed_insert(m, b.octets, &email);
		if (st == ST_OK)
			st = changed_recover(m, id, email);
		if (st == ST_OK)
			st = content_remove(m, id);
	}
	mend_body_done(&b);
	if (st != ST_NOT_FOUND)
		return st;
	mend_tell(m, STORE_MEND_FIXED, "A8", "content %llu has no octets any more", (unsigned long long)id);
	return content_remove(m, id);
}

/* ---- facts ---- */

static enum status facts_again(struct mend *m, uint64_t email, uint64_t content)
{
	struct arena          *arena CLEANUP(arena_free) = arena_new(NULL);
	struct store_facts_row f;
	struct mend_body       b;
	enum status            st = mend_body_read(m, content, &b);

	if (st == ST_OK) {
		store_email_facts(b.octets, arena, &f);
		st = store_email_rewrite(m->a, email, &f);
		mend_tell(m, STORE_MEND_FIXED, "A15", "email %llu: read again from its content", (unsigned long long)email);
	}
	mend_body_done(&b);
	return st;
}

static enum status facts(struct mend *m)
{
	struct db_stmt *s = db_sql(m->a->db, "SELECT e.id, e.content, e.size, e.header_n, e.parts, c.size FROM email e JOIN content c ON c.id ="
					     " e.content WHERE e.account = ?1");
	struct buf      bad;
	enum status     st;

	buf_init(&bad, (size_t)1 << 28);
	db_bind_u64(s, 1, m->a->id);
	while ((st = db_step(s)) == ST_OK) {
		uint64_t pair[2] = { db_u64(s, 0), db_u64(s, 1) };

		if ((!store_facts_sound(db_u64(s, 2), db_u64(s, 3), db_str(s, 4)) || db_u64(s, 2) != db_u64(s, 5)) &&
		    !buf_add(&bad, str_n(pair, sizeof(pair))))
			break;
	}
	db_done(s);
	st = st == ST_NOT_FOUND ? ST_OK : st == ST_OK ? ST_LIMIT : st;
	for (struct str at = buf_str(&bad); at.n > 0 && st == ST_OK; at = str_from(at, 2 * sizeof(uint64_t))) {
		uint64_t pair[2];

		memcpy(pair, at.p, sizeof(pair));
		st = facts_again(m, pair[0], pair[1]);
	}
	buf_done(&bad);
	if (st == ST_OK)
		st = mend_run(m, "A6", "sizes of messages set right", "UPDATE message SET size = (SELECT e.size FROM email e WHERE e.id ="
			      " message.email) WHERE account = ?1 AND size <> (SELECT e.size FROM email e WHERE e.id = message.email)");
	return st;
}

static enum status listings(struct mend *m)
{
	struct db_stmt *s = NULL;
	struct buf      bad;
	uint64_t        id;
	enum status     st;

	buf_init(&bad, (size_t)1 << 28);
	while ((st = store_listing_untrue(m->a, &s, &id)) == ST_OK)
		if (!buf_add(&bad, str_n(&id, sizeof(id))))
			break;
	db_done(s);
	st = st == ST_NOT_FOUND ? ST_OK : st == ST_OK ? ST_LIMIT : st;
	for (struct str at = buf_str(&bad); at.n > 0 && st == ST_OK; at = str_from(at, sizeof(id))) {
		memcpy(&id, at.p, sizeof(id));
		mend_tell(m, STORE_MEND_FIXED, "A25", "listing of email %llu: not what its header says, removed", (unsigned long long)id);
		st = store_listing_drop(m->a, id);
	}
	buf_done(&bad);
	return st;
}

enum status mend_contents(struct mend *m)
{
	int64_t    *ids;
	size_t      n;
	enum status st = mend_rows(m, "SELECT id FROM content WHERE account = ?1", 1, &ids, &n);

	for (size_t i = 0; st == ST_OK && i < n; i++)
		st = content_look(m, (uint64_t)ids[i]);
	if (st == ST_OK)
		st = messages_lost(m);
	if (st == ST_OK)
		st = facts(m);
	return st == ST_OK ? listings(m) : st;
}
