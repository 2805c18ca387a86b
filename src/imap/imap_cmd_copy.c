/* imap/imap_cmd_copy.c - COPY, MOVE, EXPUNGE and their UID forms (RFC 9051 §6.4.3, §6.4.7, §6.4.8; codes: RFC 4315).
 *
 * All or nothing: one transaction of the store. The EXPUNGE lines of MOVE and EXPUNGE come from the sync behind the
 * command, which tells them with everything else that happened.
 */
#include "imap/imap_session.h"

#define CODE_MAX (2 * MIB) /* two sets of the view's UIDs: the account's mailboxes are far below */

/* "[COPYUID 38505 304,319:320 3956:3958] " */
static struct str copyuid(struct imap_session *s, const struct store_copied *copied)
{
	struct imap_set_writer w;
	struct buf             b;
	struct str             code;

	buf_init(&b, CODE_MAX);
	buf_addf(&b, "[COPYUID %u ", copied->uidvalidity);
	imap_set_writer_init(&w, &b);
	for (size_t i = 0; i < copied->count; i++)
		imap_set_writer_add(&w, copied->from[i]);
	imap_set_writer_done(&w);
	buf_add_char(&b, ' ');
	imap_set_writer_init(&w, &b);
	for (size_t i = 0; i < copied->count; i++)
		imap_set_writer_add(&w, copied->to[i]);
	imap_set_writer_done(&w);
	buf_add(&b, STR("] "));
	/* A code that does not fit is left out: clients then search (RFC 4315 §3). */
	code = b.over || copied->count == 0 ? STR("") : arena_dup(s->arena, buf_str(&b));
	buf_done(&b);
	return code;
}

static bool arguments(struct imap_session *s, struct imap_command *c, struct imap_set *ret_places, struct str *ret_name)
{
	struct imap_set set;

	if (!imap_lex_set(&c->x, &set) || !imap_lex_sp(&c->x)) {
		imap_bad(s, "Syntax: set mailbox");
		return false;
	}
	if (!imap_name_take(s, &c->x, ret_name))
		return false;
	if (!imap_lex_end(&c->x)) {
		imap_bad(s, "Syntax: set mailbox");
		return false;
	}
	return imap_places(s, c, &set, ret_places);
}

typedef enum status copy_fn(struct store_account *a, uint64_t mailbox, struct store_set set, uint64_t target,
			    struct arena *arena, struct store_copied *ret);

/* To another account. Each change is told to those who look at its account. */
static enum status between(struct imap_session *s, bool move, struct store_set set, struct store_account *to, uint64_t target,
			   struct store_copied *ret)
{
	uint64_t              there = s->last_account;
	struct store_account *from;
	uint64_t              gone = 0;
	enum status           st = imap_box_account(s, &from);

	if (st == ST_OK)
		st = store_transfer(from, s->box.id, set, to, target, move, s->arena, ret, &gone);
	if (st == ST_OK && gone > 0) {
		imap_changed(s, gone);
		imap_quota_changed(s, from, false);
	}
	s->last_account = there;
	if (st == ST_OK && ret->count > 0) {
		imap_changed(s, ret->modseq);
		imap_quota_changed(s, to, true);
	}
	return st;
}

/* *ret_missing: the target does not exist. */
static enum status copy(struct imap_session *s, copy_fn *fn, const struct imap_set *places, struct str name,
			struct store_copied *ret, bool *ret_missing)
{
	struct store_account *a;
	struct store_mailbox  m;
	enum status           st = imap_mailbox_find(s, name, IMAP_RIGHT_INSERT, &a, &m);

	*ret_missing = st == ST_NOT_FOUND;
	if (st == ST_OK && s->last_account != imap_box_owner(s))
		return between(s, fn == store_move, imap_uids(s, places), a, m.id, ret);
	if (st == ST_OK)
		st = fn(a, s->box.id, imap_uids(s, places), m.id, s->arena, ret);
	if (st == ST_OK && ret->count > 0) {
		imap_changed(s, ret->modseq);
		if (fn == store_copy)
			imap_quota_changed(s, a, true);
	}
	return st;
}

static enum imap_next transfer(struct imap_session *s, struct imap_command *c, copy_fn *fn, struct store_copied *ret)
{
	struct imap_set places;
	struct str      name;
	bool            missing;
	enum status     st;

	*ret = (struct store_copied){ 0 };
	imap_quota_know(s);
	if (!imap_box_need(s, IMAP_RIGHT_READ, "You have no right to read here") || !arguments(s, c, &places, &name))
		return IMAP_NEXT_REPLY;
	if (fn == store_copy && !imap_limit_copy(s, &places))
		return IMAP_NEXT_REPLY;
	imap_limit_cut(s, &places); /* of MOVE, which need not be all or nothing */
	st = copy(s, fn, &places, name, ret, &missing);
	if (missing)
		return imap_no(s, "[TRYCREATE] No such mailbox");
	if (st != ST_OK)
		return imap_failed(s, st);
	/* Messages that are gone since are no failure: a client that is told NO tries for ever. */
	return imap_ok(s, "Done");
}

enum imap_next imap_cmd_copy(struct imap_session *s, struct imap_command *c)
{
	struct store_copied copied;
	enum imap_next      next = transfer(s, c, store_copy, &copied);

	if (s->reply.kind == IMAP_REPLY_OK && copied.count > 0)
		s->reply.text = arena_printf(s->arena, "%.*sCopied", STR_FMT(copyuid(s, &copied)));
	return next;
}

/* RFC 6851 §4.3: COPYUID in an untagged OK, before the EXPUNGE lines. */
enum imap_next imap_cmd_move(struct imap_session *s, struct imap_command *c)
{
	struct store_copied copied;
	enum imap_next      next;

	if (!imap_box_need(s, IMAP_RIGHT_DELETE | IMAP_RIGHT_EXPUNGE, "You have no right to expunge here")) /* RFC 6851 §4.4 */
		return IMAP_NEXT_REPLY;
	next = transfer(s, c, store_move, &copied);

	if (copied.count > 0) {
		imap_put(s, STR("* OK "));
		imap_put(s, copyuid(s, &copied));
		imap_put(s, STR("Moved\r\n"));
		s->reply.highest = (s->enabled & IMAP_ENABLED_CONDSTORE) != 0; /* RFC 6851 §4.4 */
	}
	return next;
}

enum imap_next imap_cmd_expunge(struct imap_session *s, struct imap_command *c)
{
	struct store_account *a;
	struct store_expunged gone;
	struct store_set      uids = STORE_SET_ALL;
	struct imap_set       set, places;
	enum status           st;

	if (c->uid != c->args)
		return imap_bad(s, "Syntax: EXPUNGE, or UID EXPUNGE set");
	if (!imap_box_need(s, IMAP_RIGHT_EXPUNGE, "You have no right to expunge here"))
		return IMAP_NEXT_REPLY;
	if (c->uid) {
		if (!imap_lex_set(&c->x, &set) || !imap_lex_end(&c->x))
			return imap_bad(s, "Syntax: UID EXPUNGE set");
		if (!imap_places(s, c, &set, &places))
			return IMAP_NEXT_REPLY;
		imap_limit_cut_deleted(s, &places);
		uids = imap_uids(s, &places);
	}
	st = imap_box_account(s, &a);
	if (st == ST_OK)
		st = store_expunge(a, s->box.id, uids, true, s->arena, &gone);
	if (st != ST_OK)
		return imap_failed(s, st);
	if (gone.count > 0) {
		imap_changed(s, gone.modseq);
		imap_quota_changed(s, a, false);
		s->reply.highest = (s->enabled & IMAP_ENABLED_CONDSTORE) != 0; /* RFC 7162 §3.2.7 */
	}
	return imap_ok(s, "Expunged");
}
