/* imap/imap_cmd_metadata.c - GETMETADATA, SETMETADATA (RFC 5464).
 *
 * Entries of a mailbox, or of the server if the name is "": the account's, as nothing is told to all accounts. Values that are not
 * there are NIL in an answer that named them, and left out of one that asked for a tree. Special use is an entry too (RFC 6154 §5.4).
 */
#include "imap/imap_cmd_metadata.h"
#include "imap/imap_tree.h"
#include "store/store_metadata.h"
#include "wire/imap/imap_name.h"
#include "wire/imap/imap_print.h"

#define ANSWER (64 * KIB) /* octets of one METADATA response, about */

struct target {
	struct store_account *a;
	uint64_t              id; /* 0: the server */
	struct str            name;
	enum store_special    special;
};

/* The mailbox that is named; false: the answer is set. */
static bool target_find(struct imap_session *s, struct str wire, unsigned need, struct target *ret)
{
	struct store_mailbox m;
	enum imap_name_err   err;
	enum status          st;

	*ret = (struct target){ .name = STR("") };
	if (wire.n == 0) {
		st = imap_account(s, &ret->a);
	} else {
		err = imap_name_parse(wire, imap_utf8(s), s->arena, &ret->name);
		if (err != IMAP_NAME_OK) {
			imap_bad_name(s, err == IMAP_NAME_LONG);
			return false;
		}
		st = imap_mailbox_find(s, ret->name, need, &ret->a, &m);
		if (st == ST_OK) {
			ret->id = m.id;
			ret->special = m.special;
		}
	}
	if (st == ST_OK)
		st = store_settle(ret->a);
	if (st == ST_OK)
		return true;
	imap_failed(s, st);
	return false;
}

static unsigned levels(struct str name)
{
	unsigned n = 0;

	for (size_t i = 0; i < name.n; i++)
		n += name.p[i] == '/';
	return n;
}

/* ---- answers ---- */

struct answer {
	struct imap_session *s;
	struct str           name; /* of the mailbox */
	bool                 begun;
	uint64_t             longest; /* of the values left out for MAXSIZE */
};

void imap_put_metadata_head(struct imap_session *s, struct str name)
{
	imap_put(s, STR("* METADATA "));
	if (name.n > 0)
		imap_put_name(s, name);
	else
		imap_put(s, STR("\"\""));
}

static void value_put(struct answer *r, struct str entry, struct str value)
{
	struct imap_session *s = r->s;

	imap_inside(s, true);
	if (!r->begun)
		imap_put_metadata_head(s, r->name);
	imap_put(s, r->begun ? STR(" ") : STR(" ("));
	r->begun = true;
	imap_print_astring(&s->out, entry);
	imap_put(s, STR(" "));
	if (!value.p) {
		imap_put(s, STR("NIL"));
	} else if (!imap_out_room(s, value.n + 64)) {
		imap_out_over(s);
	} else {
		if (str_find(value, 0) >= 0) /* RFC 5464 §5: value = nstring / literal8 */
			imap_put(s, STR("~"));
		imap_print_string(&s->out, value);
	}
}

static void answer_end(struct answer *r)
{
	if (!r->begun)
		return;
	imap_put(r->s, STR(")\r\n"));
	imap_inside(r->s, false);
	r->begun = false;
}

/* Write out what there is, and go on with the account as it is then. */
static enum status again(struct imap_session *s, struct target *t)
{
	struct store_mailbox m;

	if (!imap_spill(s))
		return ST_CLOSED;
	if (t->id == 0)
		return imap_account(s, &t->a);
	return imap_mailbox_find(s, t->name, IMAP_RIGHT_READ, &t->a, &m);
}

static bool too_long(struct answer *r, const struct imap_getmetadata *g, struct str value)
{
	if (!g->has_max || value.n <= g->max)
		return false;
	r->longest = MAX(r->longest, value.n);
	return true;
}

static enum status entry_answer(struct answer *r, const struct target *t, struct str entry, const struct imap_getmetadata *g)
{
	struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
	struct store_metadata *list;
	size_t                 count;
	bool                   found = false;
	enum status            st = store_metadata_list(t->a, t->id, r->s->account_id, entry, g->depth > 0, arena, &list, &count);

	if (st != ST_OK)
		return st;
	if (t->id > 0 && str_eq(entry, STORE_METADATA_SPECIAL)) {
		struct str special = str_of(imap_special_name(t->special));

		value_put(r, entry, special.n > 0 ? special : STR_NONE);
		return ST_OK;
	}
	for (size_t i = 0; i < count; i++) {
		unsigned below = levels(list[i].name) - levels(entry);

		if (below > g->depth)
			continue;
		found = found || below == 0;
		if (!too_long(r, g, list[i].value))
			value_put(r, list[i].name, list[i].value);
	}
	if (!found && g->depth == 0)
		value_put(r, entry, STR_NONE);
	return ST_OK;
}

static enum status entries_answer(struct answer *r, struct target *t, const struct imap_getmetadata *g)
{
	enum status st = ST_OK;

	for (size_t i = 0; i < g->entries.count && st == ST_OK; i++) {
		st = entry_answer(r, t, g->entries.names[i], g);
		/* Several answers are as good as one (RFC 5464 §4.4.1), and only between them can the account be given back. */
		if (r->s->out.n > ANSWER || i + 1 == g->entries.count)
			answer_end(r);
		if (st == ST_OK && !r->begun)
			st = again(r->s, t);
	}
	answer_end(r);
	return st;
}

enum status imap_put_metadata(struct imap_session *s, struct str name, const struct imap_entries *entries)
{
	struct imap_getmetadata g = { .entries = *entries };
	struct answer           r = { .s = s, .name = name };
	struct target           t = { .name = name };
	struct store_mailbox    m;
	enum status             st = imap_work_take(s, LIMIT_METADATA_ACCOUNT) ? ST_OK : ST_LIMIT;

	if (st == ST_OK)
		st = imap_mailbox_find(s, name, IMAP_RIGHT_READ, &t.a, &m);
	if (st == ST_NOT_FOUND || st == ST_DENIED) /* gone meanwhile, or not to be read: it has no line */
		return ST_OK;
	if (st != ST_OK)
		return st;
	t.id = m.id;
	t.special = m.special;
	return entries_answer(&r, &t, &g);
}

enum imap_next imap_cmd_getmetadata(struct imap_session *s, struct imap_command *c)
{
	struct imap_getmetadata g;
	struct target           t;
	struct answer           r = { .s = s };
	enum status             st;

	if (!imap_lex_getmetadata(&c->x, &g))
		return imap_bad(s, "Syntax: GETMETADATA [(MAXSIZE n DEPTH n)] mailbox (entry ...)");
	if (!target_find(s, g.mailbox, IMAP_RIGHT_LOOKUP | IMAP_RIGHT_READ, &t))
		return IMAP_NEXT_REPLY;
	/* The values of an account, once as read and once as put. */
	if (!imap_work_take(s, LIMIT_METADATA_ACCOUNT))
		return imap_full(s);
	r.name = t.name;
	st = entries_answer(&r, &t, &g);
	if (st != ST_OK && !s->broken)
		return imap_failed(s, st);
	if (r.longest > 0) /* RFC 5464 §4.2.1 */
		return imap_ok(s, "[METADATA LONGENTRIES %llu] Longer values were left out", (unsigned long long)r.longest);
	return imap_ok(s, "That is all");
}

/* ---- SETMETADATA ---- */

/* False: the answer is set. */
static bool value_check(struct imap_session *s, const struct imap_metadata_set *e, struct store_metadata *ret)
{
	*ret = (struct store_metadata){ .name = e->name, .value = e->value };
	if (e->value.n > LIMIT_METADATA_VALUE) {
		imap_no(s, "[METADATA MAXSIZE %zu] The value is too long", LIMIT_METADATA_VALUE);
		return false;
	}
	if (!str_eq(e->name, STORE_METADATA_SPECIAL) || !e->value.p || e->value.n == 0)
		return true;
	ret->special = imap_special_find(e->value);
	if (ret->special != STORE_SPECIAL_NONE)
		return true;
	imap_no(s, "[USEATTR] No such special use, or more than one");
	return false;
}

enum imap_next imap_cmd_setmetadata(struct imap_session *s, struct imap_command *c)
{
	struct imap_setmetadata m;
	struct store_metadata  *list;
	struct target           t;
	unsigned                need = IMAP_RIGHT_LOOKUP | IMAP_RIGHT_READ;
	bool                    special = false;
	uint64_t                modseq;
	enum status             st;

	if (!imap_lex_setmetadata(&c->x, &m))
		return imap_bad(s, "Syntax: SETMETADATA mailbox (entry value ...)");
	for (size_t i = 0; i < m.count && m.mailbox.n == 0; i++)
		if (str_eq(m.entries[i].name, STR("/shared/admin"))) /* RFC 5464 §3.2.1.1: read-only, and there is none */
			return imap_no(s, "[NOPERM] Whom to ask is not for clients to say");
	list = ARENA_ARRAY(s->arena, struct store_metadata, m.count);
	for (size_t i = 0; i < m.count; i++) {
		if (!value_check(s, &m.entries[i], &list[i]))
			return IMAP_NEXT_REPLY;
		special = special || str_eq(m.entries[i].name, STORE_METADATA_SPECIAL);
		need |= str_starts(m.entries[i].name, STR("/shared/")) ? IMAP_RIGHT_WRITE : 0u;
	}
	if (!target_find(s, m.mailbox, need, &t))
		return IMAP_NEXT_REPLY;
	if (special && (store_account_id(t.a) != s->account_id || t.id == 0))
		return imap_no(s, "[METADATA NOPRIVATE] Special use is of one's own mailboxes");
	st = store_metadata_set(t.a, t.id, s->account_id, list, m.count, &modseq);
	if (st == ST_LIMIT)
		return imap_no(s, "[METADATA TOOMANY] There are too many entries, or too large ones");
	if (special && (st == ST_BUSY || st == ST_INVALID))
		return imap_no(s, "[USEATTR] Another mailbox has that special use, or this one must keep its own");
	if (st != ST_OK)
		return imap_failed(s, st);
	imap_changed(s, modseq);
	return imap_ok(s, "Noted");
}
