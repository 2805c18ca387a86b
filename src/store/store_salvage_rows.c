/* store/store_salvage_rows.c - rows of the old database, into the new one.
 *
 * A row is believed when it has the shape of its table: the number of columns, the kind of each, this account's number, no impossible
 * number. Of two rows of one key a message has the one with the higher modseq; of other tables the first counts: trees come before strays.
 */
#include <stdio.h>
#include <string.h>

#include "store/store_salvage_int.h"

#define COMMIT_ROWS   20000u
#define COMMIT_OCTETS (16 * MIB)

/* Shapes, a letter for each column: x row number (NULL in the record), k the account, u number from 0, i number, n number or NULL,
 * t text, b blob, d blob or NULL. From `least` on columns may be missing. */
struct table {
	const char *name;
	bool        by_number; /* has row numbers */
	bool        stray;     /* its rows are known by their shape alone */
	unsigned    least;
	const char *shape;
	enum status (*add)(struct salvage *s, const struct table *t, const struct db_row *r, bool stray);
	const char *sql;
};

/* ---- inserting ---- */

static enum status commit_if_long(struct salvage *s)
{
	enum status st;

	if (s->rows_since < COMMIT_ROWS && s->octets_since < COMMIT_OCTETS)
		return ST_OK;
	s->rows_since = s->octets_since = 0;
	st = db_commit(s->a->db);
	return st == ST_OK ? db_begin_write(s->a->db) : st;
}

static void value_bind(struct db_stmt *q, int at, const struct db_value *v)
{
	switch (v->kind) {
	case DB_INT:  db_bind_i64(q, at, v->number); break;
	case DB_TEXT: db_bind_str(q, at, v->octets); break;
	case DB_BLOB: db_bind_blob(q, at, v->octets); break;
	default:      db_bind_null(q, at);
	}
}

/* Rows of a key that is there change nothing, or what the statement says. */
static enum status add_plain(struct salvage *s, const struct table *t, const struct db_row *r, bool stray)
{
	struct db_stmt *q = db_sql(s->a->db, t->sql);
	enum status     st;

	(void)stray;
	for (size_t i = 0; i < r->count; i++) {
		value_bind(q, (int)i + 1, &r->values[i]);
		s->octets_since += r->values[i].octets.n;
	}
	if (t->by_number)
		db_bind_i64(q, 1, r->id);
	s->rows_since++;
	st = db_run(q);
	return st == ST_OK ? commit_if_long(s) : st;
}

static enum status mark_uncertain(struct salvage *s, int64_t mailbox)
{
	struct db_stmt *q = db_sql(s->a->db, "INSERT INTO uncertain VALUES (?1) ON CONFLICT DO NOTHING");

	db_bind_i64(q, 1, mailbox);
	return db_run(q);
}

static enum status add_account(struct salvage *s, const struct table *t, const struct db_row *r, bool stray)
{
	const struct db_value *v = r->values;

	(void)t, (void)stray;
	if (r->id != (int64_t)s->a->id || (s->state_known && (uint64_t)v[2].number <= s->state.ceiling))
		return r->id == (int64_t)s->a->id ? ST_OK : ST_INVALID;
	s->state_known = true;
	s->state = (struct account_state){ .modseq = (uint64_t)v[1].number, .ceiling = (uint64_t)v[2].number, .next_id = (uint64_t)v[8].number,
					   .uidvalidity = (uint64_t)v[9].number, .messages = (uint64_t)v[10].number };
	return ST_OK;
}

/* Its name is taken by another: both are kept. */
static enum status mailbox_renamed(struct salvage *s, const struct table *t, const struct db_row *r)
{
	struct db_row row = *r;
	char          name[64];

	snprintf(name, sizeof(name), "Recovered name %lld", (long long)r->values[1].number);
	row.values[2].octets = str_of(name);
	row.values[3].number = STORE_SPECIAL_NONE;
	return add_plain(s, t, &row, true);
}

static enum status add_mailbox(struct salvage *s, const struct table *t, const struct db_row *r, bool stray)
{
	struct db_stmt *q;
	uint64_t        changed;
	enum status     st = add_plain(s, t, r, stray);

	changed = db_changed(s->a->db);
	if (st == ST_OK && stray)
		st = mark_uncertain(s, r->values[1].number);
	if (st != ST_OK || changed > 0)
		return st;
	q = db_sql(s->a->db, "UPDATE mailbox SET uidnext = max(uidnext, ?3) WHERE account = ?1 AND id = ?2");
	db_bind_u64(q, 1, s->a->id);
	db_bind_i64(q, 2, r->values[1].number);
	db_bind_i64(q, 3, r->values[5].number);
	st = db_run(q);
	return st == ST_OK && db_changed(s->a->db) == 0 ? mailbox_renamed(s, t, r) : st;
}

static enum status add_message(struct salvage *s, const struct table *t, const struct db_row *r, bool stray)
{
	const struct db_value *v = r->values;
	enum status            st;

	if (v[2].number == 0 || v[2].number >= UINT32_MAX || v[3].number > 0xff || v[6].number < 1 || v[11].number < INT16_MIN ||
	    v[11].number > INT16_MAX)
		return ST_INVALID;
	st = add_plain(s, t, r, stray);
	return st == ST_OK && stray ? mark_uncertain(s, v[1].number) : st;
}

/* A stray's octets must be those of its hash; of one in its tree what is left is better than nothing, and store_mend says so. */
static enum status add_content(struct salvage *s, const struct table *t, const struct db_row *r, bool stray)
{
	uint8_t hash[STORE_HASH];

	if (r->values[2].octets.n != STORE_HASH || r->values[3].number > (int64_t)LIMIT_MESSAGE_MAX || r->values[5].octets.n > LIMIT_INLINE)
		return ST_INVALID;
	if (stray && r->values[5].kind == DB_BLOB) {
		store_hash(r->values[5].octets, hash);
		if (!str_eq(r->values[2].octets, str_n(hash, sizeof(hash))))
			return ST_INVALID;
	}
	return add_plain(s, t, r, stray);
}

static enum status add_none(struct salvage *s, const struct table *t, const struct db_row *r, bool stray)
{
	(void)s, (void)t, (void)r, (void)stray;
	return ST_OK;
}

static enum status add_expunged(struct salvage *s, const struct table *t, const struct db_row *r, bool stray)
{
	struct db_row row = *r;

	if (row.count == 15) /* from before that column */
		row.values[row.count++] = (struct db_value){ .kind = DB_INT };
	return row.values[3].number > 0 && row.values[1].number > 0 ? add_plain(s, t, &row, stray) : ST_INVALID;
}

#define IGNORE " ON CONFLICT DO NOTHING"
static const struct table tables[] = {
	{ "account", true, true, 12, "xuuiiuuuuuuu", add_account, NULL },
	{ "mailbox", false, true, 14, "kutuuuuuuuuuuu", add_mailbox,
	  "INSERT INTO mailbox VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)" IGNORE },
	{ "mailbox_name", false, true, 3, "ktu", add_plain, "INSERT INTO known_name VALUES (?1, ?2, ?3)" IGNORE },
	{ "subscription", false, true, 2, "kt", add_plain, "INSERT INTO subscription VALUES (?1, ?2)" IGNORE },
	{ "keyword", false, true, 3, "kut", add_plain, "INSERT INTO keyword VALUES (?1, ?2, ?3)" IGNORE },
	{ "message", false, true, 13, "kuuuiiuuuuiii", add_message,
	  "INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT (account, mailbox, uid) DO UPDATE SET"
	  " flags = excluded.flags, kw0 = excluded.kw0, kw1 = excluded.kw1, modseq = excluded.modseq, created = excluded.created, email ="
	  " excluded.email, size = excluded.size, internal_ms = excluded.internal_ms, zone = excluded.zone, saved_ms = excluded.saved_ms"
	  " WHERE excluded.modseq > message.modseq" },
	{ "expunged", false, true, 15, "kuuuuiiuuuuiiiiu", add_expunged,
	  "INSERT INTO expunged VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)" IGNORE },
	{ "email", true, true, 19, "xkuuuuunbbbbbbbbbbb", add_plain,
	  "INSERT INTO email VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)" IGNORE },
	{ "content", true, true, 6, "xkbuud", add_content, "INSERT INTO content VALUES (?1, ?2, ?3, ?4, ?5, ?6)" IGNORE },
	{ "former", false, true, 5, "kutui", add_plain, "INSERT INTO former VALUES (?1, ?2, ?3, ?4, ?5)" IGNORE },
	{ "metadata", false, true, 5, "kuutb", add_plain, "INSERT INTO metadata VALUES (?1, ?2, ?3, ?4, ?5)" IGNORE },
	{ "delivery", false, false, 3, "kuu", add_plain, "INSERT INTO delivery VALUES (?1, ?2, ?3)" IGNORE },
	{ "email_more", false, false, 3, "kui", add_plain, "INSERT INTO email_more VALUES (?1, ?2, ?3)" IGNORE },
	{ "thread", false, false, 3, "kuu", add_plain, "INSERT INTO thread VALUES (?1, ?2, ?3)" IGNORE },
	{ "thread_key", false, false, 3, "kiu", add_plain, "INSERT INTO thread_key VALUES (?1, ?2, ?3)" IGNORE },
	{ "warning", true, false, 2, "xu", add_plain, "INSERT INTO warning VALUES (?1, ?2)" IGNORE },
	{ "acl", false, false, 6, "kuuuuu", add_plain, "INSERT INTO acl VALUES (?1, ?2, ?3, ?4, ?5, ?6)" IGNORE },
	{ "seen", false, false, 4, "kuub", add_plain, "INSERT INTO seen VALUES (?1, ?2, ?3, ?4)" IGNORE },
	{ "flagging", false, false, 11, "kuuuuiiuiub", add_plain,
	  "INSERT INTO flagging VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)" IGNORE },
	{ "moving", false, false, 5, "kuuui", add_plain, "INSERT INTO moving VALUES (?1, ?2, ?3, ?4, ?5)" IGNORE },
	{ "moved", false, false, 6, "kuuuib", add_plain, "INSERT INTO moved VALUES (?1, ?2, ?3, ?4, ?5, ?6)" IGNORE },
	{ "listing", true, false, 3, "xkb", add_plain, "INSERT INTO listing VALUES (?1, ?2, ?3)" IGNORE },
	{ "acl_subject", false, false, 5, "kuuuu", add_none, NULL },
	{ "change", false, false, 6, "kuuuub", add_none, NULL },
	{ "gap", false, false, 3, "kuu", add_none, NULL },
	{ "content_hash", false, false, 3, "kbu", add_none, NULL },
};

/* ---- shapes ---- */

static bool fits(const struct db_value *v, char letter, uint64_t account)
{
	bool number = v->kind == DB_INT && v->number >= 0 && v->number < SALVAGE_NUMBER_MAX;

	switch (letter) {
	case 'x': return v->kind == DB_NULL;
	case 'k': return v->kind == DB_INT && (uint64_t)v->number == account;
	case 'u': return number;
	case 'i': return v->kind == DB_INT;
	case 'n': return v->kind == DB_INT || v->kind == DB_NULL;
	case 't': return v->kind == DB_TEXT && str_is_utf8(v->octets);
	case 'b': return v->kind == DB_BLOB;
	default:  return v->kind == DB_BLOB || v->kind == DB_NULL;
	}
}

static bool has_shape(const struct table *t, const struct db_row *r, uint64_t account)
{
	if (r->table != t->by_number || r->count < t->least || r->count > strlen(t->shape) ||
	    (r->table && (r->id <= 0 || r->id >= SALVAGE_NUMBER_MAX)))
		return false;
	for (size_t i = 0; i < r->count; i++)
		if (!fits(&r->values[i], t->shape[i], account))
			return false;
	return true;
}

/* ---- walking ---- */

struct walk {
	struct salvage     *s;
	const struct table *table;                /* of a tree */
	uint32_t            roots[LEN(tables)];   /* 0: not known */
	bool                damaged[LEN(tables)]; /* so strays are believed */
	bool                all;                  /* strays of all tables are */
};

static enum status on_tree_row(void *arg, const struct db_row *r)
{
	struct walk *w = arg;

	return has_shape(w->table, r, w->s->a->id) ? w->table->add(w->s, w->table, r, false) : ST_INVALID;
}

/* What has no shape of ours, or is of a table whose tree is whole, is passed over. Behind the log's end may stand what was never committed: that
 * something is there is believed, but not that it has gone. */
static enum status on_stray(void *arg, const struct db_row *r)
{
	struct walk *w = arg;

	for (size_t i = 0; i < LEN(tables); i++)
		if (tables[i].stray && (w->damaged[i] || (w->all && strcmp(tables[i].name, "expunged") != 0)) && has_shape(&tables[i], r, w->s->a->id))
			return tables[i].add(w->s, &tables[i], r, true);
	return ST_OK;
}

/* type, name, tbl_name, rootpage, sql */
static enum status on_schema_row(void *arg, const struct db_row *r)
{
	struct walk           *w = arg;
	const struct db_value *v = r->values;

	if (!r->table || r->count != 5 || v[1].kind != DB_TEXT || v[3].kind != DB_INT)
		return ST_INVALID;
	for (size_t i = 0; i < LEN(tables); i++)
		if (str_eq(v[1].octets, str_of(tables[i].name)) && v[3].number > 1 && v[3].number <= (int64_t)LIMIT_DB_PAGES)
			w->roots[i] = (uint32_t)v[3].number;
	return ST_OK;
}

/* Delivery ids are believed as a whole or not at all: one that was none would cost a message, one that is missing may double it. So are listings: what
 * they say is in the contents too. */
static enum status drop_partial(struct salvage *s, const struct table *t)
{
	if (strcmp(t->name, "listing") == 0)
		return db_run(db_sql(s->a->db, "DELETE FROM listing"));
	return strcmp(t->name, "delivery") == 0 ? db_run(db_sql(s->a->db, "DELETE FROM delivery")) : ST_OK;
}

static enum status tree(struct walk *w, size_t i)
{
	struct db_pages_sum sum = { 0 };
	enum status         st = ST_OK;

	w->table = &tables[i];
	if (w->roots[i] > 0)
		st = db_pages_tree(w->s->pages, w->roots[i], w->table->by_number, on_tree_row, w, &sum);
	w->damaged[i] = w->roots[i] == 0 || sum.bad > 0;
	w->s->sum.pages += sum.pages;
	w->s->sum.rows += sum.rows;
	w->s->sum.bad += sum.bad;
	return st == ST_OK && w->damaged[i] ? drop_partial(w->s, w->table) : st;
}

/* A page of a tree in the place of its root makes a whole tree with too few rows: what others say of it shows that. */
static const struct {
	const char *name, *sql;
} wanting[] = {
	{ "message", "SELECT 1 FROM mailbox b WHERE b.messages > (SELECT count(*) FROM message m WHERE m.account = b.account AND m.mailbox = b.id) LIMIT 1" },
	{ "email", "SELECT 1 FROM message WHERE email NOT IN (SELECT id FROM email) LIMIT 1" },
	{ "expunged", "SELECT 1 FROM email WHERE id NOT IN (SELECT email FROM message UNION SELECT email FROM expunged) LIMIT 1" },
	{ "content", "SELECT 1 FROM email WHERE content NOT IN (SELECT id FROM content) LIMIT 1" },
};

static enum status wanting_look(struct walk *w)
{
	enum status st = ST_OK;

	for (size_t k = 0; k < LEN(wanting) && st == ST_OK; k++) {
		struct db_stmt *q = db_sql(w->s->a->db, wanting[k].sql);

		st = db_step(q);
		for (size_t i = 0; i < LEN(tables) && st == ST_OK; i++)
			w->damaged[i] |= strcmp(tables[i].name, wanting[k].name) == 0;
		db_done(q);
		if (st == ST_NOT_FOUND)
			st = ST_OK;
	}
	return st;
}

static bool any_damaged(const struct walk *w)
{
	bool any = false;

	for (size_t i = 0; i < LEN(tables); i++)
		any |= w->damaged[i] && tables[i].stray;
	return any;
}

enum status salvage_rows(struct salvage *s)
{
	struct walk w = { .s = s };
	enum status st = db_run(db_sql(s->a->db, "CREATE TEMP TABLE uncertain (mailbox INTEGER PRIMARY KEY)"));

	if (st == ST_OK)
		st = db_run(db_sql(s->a->db, "CREATE TEMP TABLE known_name (account INTEGER, name TEXT, id INTEGER PRIMARY KEY)"));
	if (st == ST_OK)
		st = db_pages_tree(s->pages, 1, true, on_schema_row, &w, &s->sum);
	for (size_t i = 0; i < LEN(tables) && st == ST_OK; i++)
		st = tree(&w, i);
	if (st == ST_OK)
		st = wanting_look(&w);
	if (st == ST_OK && any_damaged(&w))
		st = db_pages_strays(s->pages, on_stray, &w, &s->sum);
	w.all = true;
	if (st == ST_OK)
		st = db_pages_behind(s->pages, on_stray, &w, &s->sum);
	s->uncertain = !db_pages_log_whole(s->pages) || !s->state_known;
	return st;
}
