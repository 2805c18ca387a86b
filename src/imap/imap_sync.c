/* imap/imap_sync.c - telling the client what changed: EXPUNGE, EXISTS, RECENT, FETCH FLAGS (RFC 9051 §5.2, §7.4), VANISHED (RFC 7162 §3.2.10) and
 * HIGHESTMODSEQ (RFC 7162 §6).
 *
 * Invariants:
 *   1. After imap_sync the client knows the mailbox exactly as it was at box.modseq: whole prefixes of the account's
 * clock only.
 *   2. While an expunge may not be told, nothing of this prefix is (the answers to its own STORE and FETCH aside).
 *   3. Message numbers in one answer are those after all EXPUNGE lines before it.
 *   4. New messages alone are told without loading the view: a delivery costs an idle session no walk over its mailbox.
 */
#include "imap/imap_cmd_notify.h"

struct sync {
	struct store_changes changes;
	uint64_t             since;
	uint64_t             highest; /* HIGHESTMODSEQ of the mailbox at changes.modseq */
	uint32_t             told;  /* uids from here on are not known to the client */
	bool                 fresh; /* the view was loaded just now: its flags are of today, not as told */
	uint32_t            *gone;  /* places of told messages that are gone, ascending */
	size_t               gone_count;
	size_t               added;
};

static bool is_old(const struct sync *y, const struct store_row *r)
{
	return r->uid < y->told;
}

/* Does anything concern a message that the client knows? */
static bool touches_told(const struct sync *y)
{
	if (y->changes.everything)
		return true;
	for (size_t i = 0; i < y->changes.row_count; i++)
		if (is_old(y, &y->changes.rows[i]))
			return true;
	for (size_t i = 0; i < y->changes.vanished_count; i++)
		if (y->changes.vanished[i].uid < y->told)
			return true;
	return false;
}

static void gone_find(struct imap_session *s, struct sync *y)
{
	const struct store_view *v = &s->box.view;
	size_t                   at = 0;

	y->gone = ARENA_ARRAY(s->arena, uint32_t, v->count);
	if (y->changes.everything) {
		for (size_t i = 0; i < v->count; i++) {
			while (at < y->changes.row_count && y->changes.rows[at].uid < v->rows[i].uid)
				at++;
			if (at == y->changes.row_count || y->changes.rows[at].uid != v->rows[i].uid)
				y->gone[y->gone_count++] = (uint32_t)i;
		}
		return;
	}
	for (size_t i = 0; i < y->changes.vanished_count; i++) {
		at = imap_row_from(&s->box, y->changes.vanished[i].uid);
		if (at < v->count && v->rows[at].uid == y->changes.vanished[i].uid)
			y->gone[y->gone_count++] = (uint32_t)at;
	}
}

/* By UID: no number moves, so the order is as it comes (RFC 7162 §3.2.10, RFC 9586 §3.4). */
static void vanished_tell(struct imap_session *s, const struct sync *y)
{
	struct imap_set uids = { .ranges = ARENA_ARRAY(s->arena, struct imap_range, y->gone_count), .count = y->gone_count };

	for (size_t i = 0; i < y->gone_count; i++)
		uids.ranges[i].first = uids.ranges[i].last = s->box.view.rows[y->gone[i]].uid;
	imap_put_vanished(s, false, &uids);
}

/* From the last to the first, so that no number moves before it is told. */
static void expunges_tell(struct imap_session *s, struct sync *y)
{
	struct store_view *v = &s->box.view;
	size_t             to, next = 0;

	imap_contexts_gone(s, y->gone, y->gone_count);
	if (s->enabled & (IMAP_ENABLED_QRESYNC | IMAP_ENABLED_UIDONLY))
		vanished_tell(s, y);
	for (size_t i = y->gone_count; i-- > 0 && !(s->enabled & (IMAP_ENABLED_QRESYNC | IMAP_ENABLED_UIDONLY));) {
		imap_putf(s, "* %u EXPUNGE\r\n", y->gone[i] + 1);
		(void)imap_spill(s);
	}
	to = y->gone_count ? y->gone[0] : 0;
	for (size_t i = to; y->gone_count > 0 && i < v->count; i++) {
		if (next < y->gone_count && y->gone[next] == i)
			next++;
		else
			v->rows[to++] = v->rows[i];
	}
	if (y->gone_count > 0) {
		v->count = to;
		s->box.exists = (uint32_t)to;
	}
}

/* New messages: append them to the view if there is one. */
static void rows_add(struct imap_session *s, struct sync *y)
{
	for (size_t i = 0; i < y->changes.row_count; i++)
		y->added += !is_old(y, &y->changes.rows[i]);
	if (y->added == 0)
		return;
	if (s->box.loaded)
		imap_view_append(&s->box, y->changes.rows + y->changes.row_count - y->added, y->added);
	s->box.exists += (uint32_t)y->added;
}

static enum status recent_claim(struct imap_session *s, struct sync *y)
{
	struct store_account *a;
	uint32_t              first, uidnext;
	enum status           st;

	if (s->box.owner)
		return ST_OK;
	if (s->box.read_only) {
		imap_recent_add(&s->box, y->told, y->changes.mailbox.uidnext - 1);
		return ST_OK;
	}
	st = imap_box_account(s, &a);
	if (st == ST_OK)
		st = store_recent_claim(a, s->box.id, &first, &uidnext);
	if (st == ST_OK)
		imap_recent_add(&s->box, first, uidnext - 1);
	return st;
}

static void exists_tell(struct imap_session *s, const struct sync *y)
{
	size_t first = y->changes.row_count - y->added;

	if (s->box.loaded)
		s->box.recents = imap_recent_count(&s->box);
	else
		for (size_t i = first; i < y->changes.row_count; i++)
			s->box.recents += imap_is_recent(&s->box, y->changes.rows[i].uid);
	if (y->added == 0)
		return;
	imap_putf(s, "* %u EXISTS\r\n", s->box.exists);
	if (!(s->enabled & IMAP_ENABLED_REV2))
		imap_putf(s, "* %u RECENT\r\n", s->box.recents);
}

static bool must_tell(const struct imap_session *s, const struct sync *y, const struct store_row *now, const struct store_row *told)
{
	if (now->modseq <= y->since && !y->changes.everything)
		return false;
	if (y->fresh)
		return now->modseq > y->since;
	if ((told->flags & IMAP_ROW_TOLD) && told->modseq == now->modseq)
		return false;
	if (s->enabled & IMAP_ENABLED_CONDSTORE) /* its MODSEQ did change */
		return true;
	/* Changed there and back: nothing to see, unless what we hold is newer than what was told. */
	return told->modseq > y->since || ((told->flags ^ now->flags) & STORE_FLAGS) != 0 ||
	       told->keywords.bits[0] != now->keywords.bits[0] || told->keywords.bits[1] != now->keywords.bits[1];
}

static void flags_tell(struct imap_session *s, const struct sync *y, bool wanted)
{
	size_t at = 0;

	for (size_t i = 0; i < y->changes.row_count && is_old(y, &y->changes.rows[i]); i++) {
		const struct store_row *now = &y->changes.rows[i];
		bool                    tell;

		at = imap_row_after(&s->box, at, now->uid);
		if (at == s->box.view.count || s->box.view.rows[at].uid != now->uid)
			continue;
		tell = must_tell(s, y, now, &s->box.view.rows[at]);
		s->box.view.rows[at] = *now;
		if (!tell || !wanted)
			continue;
		imap_put_changed(s, at, now, true);
		if (!imap_spill(s))
			return;
	}
}

/* Those may be told before they are on disk; what came or went may not (docs/formats/durability.md). */
static bool is_only_flags(const struct sync *y)
{
	bool only = !y->changes.everything && y->changes.vanished_count == 0;

	for (size_t i = 0; i < y->changes.row_count && only; i++)
		only = y->changes.rows[i].created <= y->since;
	return only;
}

static enum status look(struct imap_session *s, struct sync *y, bool *ret_any)
{
	struct store_account *a;
	struct store_info     info;
	enum status           st = imap_box_account(s, &a);

	*ret_any = false;
	if (st == ST_OK)
		st = store_info(a, &info);
	if (st != ST_OK || info.modseq == y->since)
		return st;
	st = store_changes(a, s->box.id, y->since, s->arena, &y->changes);
	y->highest = st == ST_OK ? y->changes.mailbox.modseq : 0;
	if (st == ST_OK && (s->enabled & IMAP_ENABLED_CONDSTORE))
		st = store_highest(a, y->highest, &y->highest);
	if (st != ST_OK)
		return st;
	*ret_any = true;
	return is_only_flags(y) ? ST_OK : store_settle(a);
}

/* All up to changes.modseq: the prefix is told whole. */
static enum status tell(struct imap_session *s, struct sync *y)
{
	enum status st;

	expunges_tell(s, y);
	rows_add(s, y);
	if (y->added > 0) {
		st = recent_claim(s, y);
		if (st != ST_OK && st != ST_TEMP)
			return st;
	}
	s->box.uidnext = MAX(s->box.uidnext, y->changes.mailbox.uidnext);
	s->box.modseq = y->changes.modseq;
	s->box.highest = MAX(s->box.highest, y->highest);
	if (y->changes.row_count > 0) {
		st = imap_keywords_tell(s);
		if (st != ST_OK)
			return st;
	}
	exists_tell(s, y);
	if (s->box.loaded)
		flags_tell(s, y, imap_notice_flags(s));
	return ST_OK;
}

static enum status sync_box(struct imap_session *s, bool expunge)
{
	struct sync y = { .since = s->box.modseq, .told = s->box.uidnext, .fresh = !s->box.loaded };
	bool        any;
	enum status st = imap_notice_silent(s) ? ST_TEMP : look(s, &y, &any);

	if (st == ST_TEMP || st == ST_BUSY || st == ST_SUSPECT)
		return ST_OK; /* later: the client knows no less than before */
	if (st != ST_OK || !any)
		return st;
	if (touches_told(&y)) {
		st = imap_view(s);
		if (st != ST_OK)
			return st == ST_TEMP ? ST_OK : st; /* as above */
		gone_find(s, &y);
		if (y.gone_count > 0 && !expunge)
			return ST_OK;
	}
	return tell(s, &y);
}

enum status imap_sync(struct imap_session *s, bool expunge)
{
	enum status st = sync_box(s, expunge);

	/* The client goes by the largest MODSEQ that it was sent, unless it is told a number (RFC 7162 §6): where an expunge had to be
	 * held back that would be too much, and after new messages or expunges alone it would be too little. */
	if (st == ST_OK && (s->enabled & IMAP_ENABLED_CONDSTORE) && s->box.seen != s->box.highest && !s->reply.highest)
		imap_put_highest(s);
	return st;
}
