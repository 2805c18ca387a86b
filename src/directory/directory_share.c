/* directory/directory_share.c - the index of who shares mailboxes with whom, and the names of subjects.
 *
 * The truth of each right stands with its mailbox; this says only whose mailboxes are worth a look. It must still not be open to everybody:
 * whoever is in the index may open the account's file. So only the owner's sign-in adds to it, or that of one whom he let administer.
 */
#include "directory/directory_walk.h"

static enum status signed_in(struct directory *d, struct str token, const struct session_side *side, uint64_t *ret)
{
	struct session_token t;
	enum status          st = directory_session(d, token, side, &t);

	if (st == ST_OK)
		*ret = t.account;
	return st;
}

/* ---- names ---- */

enum status directory_subject(struct directory *d, const struct session_side *side, const struct auth_subject_request *q,
			      struct auth_subject_reply *ret)
{
	uint64_t    asker, subject = 0;
	enum status st = signed_in(d, q->token, side, &asker);

	if (st != ST_OK)
		return st;
	pthread_mutex_lock(&d->admin);
	switch (q->kind) {
	case AUTH_SUBJECT_ANYONE: break;
	case AUTH_SUBJECT_GROUP: st = dir_group_find(d, q->name, &subject); break;
	case AUTH_SUBJECT_ACCOUNT: st = dir_account_find(d, q->name, &subject); break;
	}
	pthread_mutex_unlock(&d->admin);
	if (st == ST_OK)
		ret->subject = subject;
	return st;
}

static enum status group_name(struct directory *d, uint64_t group, struct arena *a, struct str *ret)
{
	struct db_stmt *s = db_sql(d->db, "SELECT name FROM team WHERE id = ?1");
	enum status     st;

	db_bind_u64(s, 1, group);
	st = db_step(s);
	*ret = st == ST_OK ? arena_dup(a, db_str(s, 0)) : STR("");
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status directory_subjects(struct directory *d, const struct session_side *side, const struct auth_subjects_request *q, struct arena *a,
			       struct auth_subjects_reply *ret)
{
	struct auth_subjects_reply r = { ARENA_ARRAY(a, struct auth_name, q->id_count), q->id_count };
	uint64_t                   asker;
	enum status                st = signed_in(d, q->token, side, &asker);

	if (st != ST_OK)
		return st;
	pthread_mutex_lock(&d->admin);
	for (size_t i = 0; i < q->id_count && st == ST_OK; i++) {
		struct dir_account *acc = q->ids[i].kind == AUTH_SUBJECT_ACCOUNT ? map_find_u64(&d->ids, q->ids[i].subject) : NULL;

		r.names[i].address = dir_account_in_use(acc) ? arena_dup(a, acc->address) : STR("");
		if (q->ids[i].kind == AUTH_SUBJECT_GROUP)
			st = group_name(d, q->ids[i].subject, a, &r.names[i].address);
	}
	pthread_mutex_unlock(&d->admin);
	if (st == ST_OK)
		*ret = r;
	return st;
}

/* ---- the index ---- */

static enum status groups_of(struct directory *d, uint64_t account, struct arena *a, struct auth_shared_reply *r)
{
	struct db_stmt *s = db_sql(d->db, "SELECT team FROM member WHERE account = ?1");
	enum status     st = ST_OK;

	r->groups = ARENA_ARRAY(a, struct auth_group_id, LIMIT_GROUPS);
	db_bind_u64(s, 1, account);
	while (r->group_count < LIMIT_GROUPS && (st = db_step(s)) == ST_OK)
		r->groups[r->group_count++].group = db_u64(s, 0);
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static struct str guest_token(struct directory *d, const struct session_token *t, uint64_t owner, struct arena *a)
{
	uint8_t *octets = ARENA_ARRAY(a, uint8_t, LIMIT_TOKEN);

	directory_guest_token(d, t, owner, octets);
	return str_n(octets, LIMIT_TOKEN);
}

static enum status owners_of(struct directory *d, const struct session_token *t, struct arena *a, struct auth_shared_reply *r)
{
	struct db_stmt *s = db_sql(d->db, "SELECT DISTINCT a.id FROM share s JOIN account a ON a.id = s.owner WHERE s.owner <> ?1 AND ("
					  "s.kind = 0 OR (s.kind = 1 AND s.subject = ?1) OR"
					  " (s.kind = 2 AND s.subject IN (SELECT team FROM member WHERE account = ?1))) ORDER BY a.address");
	enum status     st = ST_OK;

	r->owners = ARENA_ARRAY(a, struct auth_owner, LIMIT_SHARES);
	db_bind_u64(s, 1, t->account);
	while (r->owner_count < LIMIT_SHARES && (st = db_step(s)) == ST_OK) {
		struct dir_account *acc = map_find_u64(&d->ids, db_u64(s, 0));

		if (dir_account_in_use(acc))
			r->owners[r->owner_count++] = (struct auth_owner){ acc->id, arena_dup(a, acc->address), guest_token(d, t, acc->id, a) };
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status directory_shared(struct directory *d, const struct session_side *side, const struct auth_shared_request *q, struct arena *a,
			     struct auth_shared_reply *ret)
{
	struct auth_shared_reply r = { 0 };
	struct session_token     t;
	enum status              st = directory_session(d, q->token, side, &t);

	if (st != ST_OK)
		return st;
	pthread_mutex_lock(&d->admin);
	st = groups_of(d, t.account, a, &r);
	if (st == ST_OK)
		st = owners_of(d, &t, a, &r);
	pthread_mutex_unlock(&d->admin);
	if (st == ST_OK)
		*ret = r;
	return st;
}

/* Has the owner let the account administer: itself, by a group, or as anyone. */
static enum status may_share(struct directory *d, uint64_t owner, uint64_t account)
{
	struct db_stmt *s = db_sql(d->db, "SELECT 1 FROM share WHERE owner = ?1 AND admin = 1 AND (kind = 0 OR (kind = 1 AND subject = ?2) OR"
					  " (kind = 2 AND subject IN (SELECT team FROM member WHERE account = ?2))) LIMIT 1");
	enum status     st;

	db_bind_u64(s, 1, owner);
	db_bind_u64(s, 2, account);
	st = db_step(s);
	db_done(s);
	return owner == account ? ST_OK : st == ST_NOT_FOUND ? ST_DENIED : st;
}

/* Room for one more; what is there already has it. */
static enum status count_check(struct directory *d, const struct auth_share_request *q)
{
	struct db_stmt *s = db_sql(d->db, "SELECT count(*) FROM share WHERE owner = ?1 AND NOT (kind = ?2 AND subject = ?3)");
	enum status     st;

	db_bind_u64(s, 1, q->owner);
	db_bind_u64(s, 2, q->kind);
	db_bind_u64(s, 3, q->subject);
	st = db_step(s);
	if (st == ST_OK && db_u64(s, 0) >= LIMIT_SHARES)
		st = ST_LIMIT;
	db_done(s);
	return st;
}

static enum status share_write(struct directory *d, const struct auth_share_request *q)
{
	struct db_stmt *s;
	enum status     st = q->on ? count_check(d, q) : ST_OK;

	if (st == ST_OK)
		st = db_begin_write(d->db);
	if (st != ST_OK)
		return st;
	s = q->on ? db_sql(d->db, "INSERT OR REPLACE INTO share VALUES (?1, ?2, ?3, ?4)") :
		    db_sql(d->db, "DELETE FROM share WHERE owner = ?1 AND kind = ?2 AND subject = ?3");
	db_bind_u64(s, 1, q->owner);
	db_bind_u64(s, 2, q->kind);
	db_bind_u64(s, 3, q->subject);
	if (q->on)
		db_bind_u64(s, 4, q->admin);
	return dir_commit(d, db_run(s));
}

enum status directory_share(struct directory *d, const struct session_side *side, const struct auth_share_request *q)
{
	uint64_t    account;
	enum status st = signed_in(d, q->token, side, &account);

	if (st != ST_OK)
		return st;
	pthread_mutex_lock(&d->admin);
	st = may_share(d, q->owner, account);
	if (st == ST_OK)
		st = share_write(d, q);
	pthread_mutex_unlock(&d->admin);
	return st;
}

enum status dir_shares_forget(struct directory *d, uint64_t account)
{
	static const char *const texts[] = {
		"DELETE FROM share WHERE owner = ?1 OR (kind = 1 AND subject = ?1)", /* AUTH_SUBJECT_ACCOUNT */
		"DELETE FROM member WHERE account = ?1",
	};
	enum status st = ST_OK;

	for (size_t i = 0; i < LEN(texts) && st == ST_OK; i++) {
		struct db_stmt *s = db_sql(d->db, texts[i]);

		db_bind_u64(s, 1, account);
		st = db_run(s);
	}
	return st;
}
