/* imap/imap_cmd_store.c - STORE, UID STORE (RFC 9051 §6.4.6; UNCHANGEDSINCE: RFC 7162 §3.1.3). */
#include "imap/imap_session.h"

#define MODIFIED_MAX (2 * MIB) /* a set of the view's messages: the account's mailboxes are far below */

/* The bits of the named keywords, all of which the account has by now (or REMOVE did not find them). */
static struct store_keywords keyword_bits(const struct imap_box *b, const struct imap_flags *f)
{
	struct store_keywords k = { 0 };

	for (size_t i = 0; i < b->name_count && i < LIMIT_KEYWORDS; i++)
		for (size_t j = 0; j < f->keyword_count; j++)
			if (str_ieq(b->names[i], f->keywords[j]))
				k.bits[i / 64] |= UINT64_C(1) << (i % 64);
	return k;
}

static uint64_t apply(enum imap_store_op op, uint64_t was, uint64_t mask)
{
	return op == IMAP_STORE_ADD ? was | mask : op == IMAP_STORE_REMOVE ? was & ~mask : mask;
}

/* Is the row what the client believes after its own .SILENT change? */
static bool is_believed(const struct imap_box *box, const struct store_row *told, const struct store_row *now,
			const struct imap_store *p, const struct store_keywords *k)
{
	/* A view that was loaded for this command may hold more than the client was told. */
	return ((told->flags & IMAP_ROW_TOLD) || told->modseq <= box->modseq) &&
	       apply(p->op, told->flags & STORE_FLAGS, p->flags.mask) == (now->flags & STORE_FLAGS) &&
	       apply(p->op, told->keywords.bits[0], k->bits[0]) == now->keywords.bits[0] &&
	       apply(p->op, told->keywords.bits[1], k->bits[1]) == now->keywords.bits[1];
}

/* Put the rows after the change into the view. Without .SILENT each is told; with it, only what somebody else changed
 * too is left for the sync to tell (RFC 9051 §6.4.6). */
static void rows_changed(struct imap_session *s, const struct store_flagged *f, const struct imap_store *p, bool uid,
			 bool tell)
{
	struct store_keywords k = keyword_bits(&s->box, &p->flags);
	size_t                at = 0;
	bool                  all = f->was_known && f->changed > 0;

	for (size_t i = 0; i < f->row_count; i++) {
		const struct store_row *now = &f->rows[i];
		struct store_row       *told;
		bool                    known;

		at = imap_row_after(&s->box, at, now->uid);
		if (at == s->box.view.count || s->box.view.rows[at].uid != now->uid)
			continue;
		told = &s->box.view.rows[at];
		known = tell || is_believed(&s->box, told, now, p, &k);
		all &= known;
		*told = *now;
		if (!known) /* what the client believes is no row of ours: without the mark the sync tells it in any case */
			continue;
		told->flags |= IMAP_ROW_TOLD;
		if (tell)
			imap_put_changed(s, at, now, uid);
		else if (s->enabled & IMAP_ENABLED_CONDSTORE)
			imap_put_silent(s, at, now, uid);
		if (!imap_spill(s))
			return;
	}
	/* Nothing is left for the sync to find: it need not read all of them again. */
	if (all && !s->broken) {
		s->box.modseq = f->modseq;
		s->box.highest = MAX(s->box.highest, f->modseq);
	}
}

/* May the condition be judged by it? A number above the clock was never given out and is above each message's, whatever was lost. */
static enum status since_known(struct store_account *a, uint64_t since, bool *ret)
{
	struct store_info info;
	enum status       st = store_info(a, &info);

	*ret = true;
	if (st != ST_OK || since > info.modseq || since < info.floor)
		return st;
	return store_modseq_known(a, since, ret);
}

/* RFC 4314 §4: refused only if none of the flags may be changed; the store leaves out the others. */
static bool may(const struct imap_session *s, const struct imap_store *p)
{
	const unsigned others = STORE_FLAGS & ~(unsigned)(STORE_SEEN | STORE_DELETED);
	bool           all = p->op == IMAP_STORE_REPLACE;

	return ((all || (p->flags.mask & STORE_SEEN)) && imap_box_may(s, IMAP_RIGHT_SEEN)) ||
	       ((all || (p->flags.mask & STORE_DELETED)) && imap_box_may(s, IMAP_RIGHT_DELETE)) ||
	       ((all || (p->flags.mask & others) || p->flags.keyword_count > 0) && imap_box_may(s, IMAP_RIGHT_WRITE)) ||
	       (p->flags.mask == 0 && p->flags.keyword_count == 0);
}

static enum status change(struct imap_session *s, const struct imap_store *p, const struct imap_set *places,
			  struct store_flagged *ret)
{
	static const enum store_flag_op ops[] = {
		[IMAP_STORE_REPLACE] = STORE_FLAGS_REPLACE,
		[IMAP_STORE_ADD] = STORE_FLAGS_ADD,
		[IMAP_STORE_REMOVE] = STORE_FLAGS_REMOVE,
	};
	struct store_flag_change c = {
		.op = ops[p->op],
		.flags = p->flags.mask,
		.keywords = p->flags.keywords,
		.keyword_count = p->flags.keyword_count,
		.unchanged_since = p->conditional ? p->unchanged_since : UINT64_MAX,
		.known = imap_known(&s->box),
	};
	struct store_account *a;
	bool                  known = true;
	enum status           st = imap_box_account(s, &a);

	if (st == ST_OK && p->conditional)
		st = since_known(a, p->unchanged_since, &known);
	if (st == ST_OK && !known)
		c.unchanged_since = 0; /* no message has a mod-sequence as low: each counts as changed */
	if (st == ST_OK)
		st = store_flags(a, s->box.id, imap_uids(s, places), &c, s->arena, ret);
	if (st == ST_OK && ret->changed > 0)
		imap_changed(s, ret->modseq);
	return st;
}

/* "[MODIFIED 7,9] ", and those messages as they are, which saves the client a FETCH (RFC 7162 §3.1.3). */
static enum status modified_tell(struct imap_session *s, const struct store_flagged *f, bool uid, struct str *ret)
{
	struct store_range    *ranges = ARENA_ARRAY(s->arena, struct store_range, f->modified_count);
	struct store_account  *a;
	struct store_row      *rows;
	size_t                 count;
	struct imap_set_writer w;
	struct buf             code;
	enum status            st = imap_box_account(s, &a);

	for (size_t i = 0; i < f->modified_count; i++)
		ranges[i] = (struct store_range){ f->modified[i], f->modified[i] };
	if (st == ST_OK)
		st = store_rows(a, s->box.id, (struct store_set){ ranges, f->modified_count }, SIZE_MAX, s->arena, &rows, &count);
	if (st == ST_OK)
		st = imap_keywords_meet(s, rows, count);
	if (st != ST_OK)
		return st;
	buf_init(&code, MODIFIED_MAX);
	buf_add(&code, STR("[MODIFIED "));
	imap_set_writer_init(&w, &code);
	for (size_t i = 0; i < f->modified_count; i++) {
		size_t at = imap_row_from(&s->box, f->modified[i]);

		imap_set_writer_add(&w, uid ? f->modified[i] : (uint32_t)at + 1);
	}
	imap_set_writer_done(&w);
	buf_add(&code, STR("] "));
	*ret = arena_dup(s->arena, buf_str(&code));
	st = code.over ? ST_LIMIT : ST_OK;
	buf_done(&code);
	for (size_t i = 0; st == ST_OK && i < count; i++) {
		size_t at = imap_row_from(&s->box, rows[i].uid);

		if (at == s->box.view.count || s->box.view.rows[at].uid != rows[i].uid)
			continue;
		s->box.view.rows[at] = rows[i];
		s->box.view.rows[at].flags |= IMAP_ROW_TOLD;
		imap_put_changed(s, at, &rows[i], uid);
		if (!imap_spill(s))
			break;
	}
	return st;
}

enum imap_next imap_cmd_store(struct imap_session *s, struct imap_command *c)
{
	struct store_flagged f;
	struct imap_set      set, places;
	struct imap_store    p;
	struct str           code = STR("");
	enum status          st;
	bool                 some_gone;

	if (!imap_lex_set(&c->x, &set) || !imap_lex_sp(&c->x) || !imap_lex_store(&c->x, &p))
		return imap_bad(s, "Syntax: STORE set [(UNCHANGEDSINCE n)] [+-]FLAGS[.SILENT] (flag ...)");
	if (!imap_box_need(s, IMAP_RIGHT_READ, "You have no right to read here"))
		return IMAP_NEXT_REPLY;
	if (!may(s, &p))
		return imap_no(s, "[NOPERM] None of these flags may be changed here");
	if (p.conditional)
		imap_enable(s, IMAP_ENABLED_CONDSTORE);
	if (!imap_places(s, c, &set, &places))
		return IMAP_NEXT_REPLY;
	if (places.count == 0)
		return imap_ok(s, "No such messages");
	imap_limit_cut(s, &places);
	st = change(s, &p, &places, &f);
	if (st == ST_LIMIT)
		return imap_no(s, "[LIMIT] Too many keywords");
	if (st == ST_OK && f.keywords_new)
		st = imap_put_flags_lines(s, true);
	if (st == ST_OK)
		st = imap_keywords_meet(s, f.rows, f.row_count);
	if (st == ST_OK && f.modified_count > 0)
		st = modified_tell(s, &f, c->uid, &code);
	if (st != ST_OK)
		return imap_failed(s, st);
	/* Numbers name messages that the client was shown: it must learn that some are gone, and what became of the
	 * others. UIDs need not exist. */
	some_gone = !c->uid && f.row_count + f.modified_count < imap_set_size(&places);
	rows_changed(s, &f, &p, c->uid, !p.silent || some_gone);
	if (some_gone && code.n == 0)
		return imap_no(s, "[EXPUNGEISSUED] Some of the messages are gone");
	s->reply.kind = some_gone ? IMAP_REPLY_NO : IMAP_REPLY_OK;
	s->reply.text = arena_printf(s->arena, "%.*s%s", STR_FMT(code), some_gone ? "Some of the messages are gone" : "Done");
	return IMAP_NEXT_REPLY;
}
