/* imap/imap_cmd_store.c - STORE, UID STORE (RFC 9051 §6.4.6). */
#include "imap/imap_session.h"

/* What the client believes the row is after its own .SILENT change. */
static struct store_row believed(const struct store_row *told, const struct store_row *now, const struct imap_store *p)
{
	struct store_row r = *told;

	switch (p->op) {
	case IMAP_STORE_ADD: r.flags |= (uint16_t)p->flags.mask; break;
	case IMAP_STORE_REMOVE: r.flags &= (uint16_t)~p->flags.mask; break;
	case IMAP_STORE_REPLACE: r.flags = (uint16_t)((r.flags & ~STORE_FLAGS) | p->flags.mask); break;
	}
	/* Keywords that the client changed are what it said; its others are as told. */
	if (p->flags.keyword_count > 0 || p->op == IMAP_STORE_REPLACE)
		r.keywords = now->keywords;
	return r;
}

static bool same_flags(const struct store_row *a, const struct store_row *b)
{
	return ((a->flags ^ b->flags) & STORE_FLAGS) == 0 && a->keywords.bits[0] == b->keywords.bits[0] &&
	       a->keywords.bits[1] == b->keywords.bits[1];
}

/* Put the rows after the change into the view. Without .SILENT each is told; with it, only what somebody else changed too is
 * left for the sync to tell (RFC 9051 §6.4.6). */
void imap_rows_changed(struct imap_session *s, const struct store_flagged *f, const struct imap_store *p, bool uid, bool tell)
{
	for (size_t i = 0; i < f->row_count; i++) {
		const struct store_row *now = &f->rows[i];
		size_t                  at = imap_row_from(&s->box, now->uid);
		struct store_row       *told = &s->box.view.rows[at];
		bool                    known;

		if (at == s->box.view.count || told->uid != now->uid)
			continue;
		known = tell || (p && ({
				struct store_row b = believed(told, now, p);
				same_flags(&b, now);
			}));
		if (!known)
			continue;
		*told = *now;
		told->flags |= IMAP_ROW_TOLD;
		if (!tell)
			continue;
		imap_putf(s, "* %zu FETCH (", at + 1);
		if (uid)
			imap_putf(s, "UID %u ", now->uid);
		imap_put_row_flags(s, now);
		imap_put(s, STR(")\r\n"));
		if (!imap_spill(s))
			return;
	}
}

static enum status change(struct imap_session *s, const struct imap_store *p, const struct imap_set *places,
			  struct store_flagged *ret)
{
	static const enum store_flag_op ops[] = {
		[IMAP_STORE_REPLACE] = STORE_FLAGS_REPLACE,
		[IMAP_STORE_ADD] = STORE_FLAGS_ADD,
		[IMAP_STORE_REMOVE] = STORE_FLAGS_REMOVE,
	};
	const struct store_flag_change c = {
		.op = ops[p->op],
		.flags = p->flags.mask,
		.keywords = p->flags.keywords,
		.keyword_count = p->flags.keyword_count,
		.unchanged_since = UINT64_MAX,
	};
	struct store_account *a;
	enum status           st = imap_account(s, &a);

	if (st == ST_OK)
		st = store_flags(a, s->box.id, imap_uids(s, places), &c, s->arena, ret);
	if (st == ST_OK && ret->changed > 0)
		imap_changed(s, ret->modseq);
	return st;
}

enum imap_next imap_cmd_store(struct imap_session *s, struct imap_command *c)
{
	struct store_flagged f;
	struct imap_set      set, places;
	struct imap_store    p;
	enum status          st;

	if (!imap_lex_set(&c->x, &set) || !imap_lex_sp(&c->x) || !imap_lex_store(&c->x, &p))
		return imap_bad(s, "Syntax: STORE set [+-]FLAGS[.SILENT] (flag ...)");
	if (!imap_places(s, c, &set, &places))
		return IMAP_NEXT_REPLY;
	if (places.count == 0)
		return imap_ok(s, "No such messages");
	st = change(s, &p, &places, &f);
	if (st == ST_LIMIT)
		return imap_no(s, "[LIMIT] Too many keywords");
	if (st == ST_OK && f.keywords_new)
		st = imap_put_flags_lines(s, true);
	if (st != ST_OK)
		return imap_failed(s, st);
	imap_rows_changed(s, &f, &p, c->uid, !p.silent);
	/* Numbers name messages that the client was shown: it must learn that some are gone. UIDs need not exist. */
	if (!c->uid && f.row_count < imap_set_size(&places))
		return imap_no(s, "[EXPUNGEISSUED] Some of the messages are gone");
	return imap_ok(s, "Done");
}
