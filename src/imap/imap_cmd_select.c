/* imap/imap_cmd_select.c - SELECT, EXAMINE, CLOSE, UNSELECT (RFC 3501 §6.3.1, RFC 9051 §6.3.2, §6.4.1, §6.4.2; their parameters:
 * RFC 7162 §3.1.8, §3.2.5).
 *
 *   AUTH, SELECTED --SELECT, EXAMINE--> SELECTED               refused: AUTH, whatever was selected is left
 *
 * The numbers come from one row of the mailbox table. The list of messages is loaded for [UNSEEN] only while that is
 * cheap; without the code the client may assume nothing (RFC 3501 §6.3.1).
 */
#include "imap/imap_tree.h"
#include "sys/clock.h"

/* With none of these nothing can be changed. RFC 4314 §5.2: \Seen, of which every reader has his own, does not make a mailbox writable. */
#define RIGHTS_SHARED   (IMAP_RIGHT_INSERT | IMAP_RIGHT_EXPUNGE | IMAP_RIGHT_WRITE | IMAP_RIGHT_DELETE)
#define RIGHTS_TO_WRITE (RIGHTS_SHARED | IMAP_RIGHT_SEEN)

#define UNSEEN_CHEAP 5000u /* messages */

struct selected {
	struct str                name, given; /* as it is called; as the client wrote it */
	bool                      read_only;
	struct imap_select_params params;
};

/* The mailbox and the moment at which it was like that. */
static enum status look(struct imap_session *s, struct str name, struct store_mailbox *ret, uint64_t *ret_modseq, uint64_t *ret_highest)
{
	struct store_account *a;
	struct store_info     info = { 0 };
	enum status           st = ST_OK;

	if (!imap_is_foreign(name))
		st = imap_account(s, &a);
	else
		st = imap_mailbox_find(s, name, IMAP_RIGHT_READ, &a, ret); /* to have its account */
	if (st == ST_OK)
		st = store_info(a, &info);
	if (st == ST_OK)
		st = imap_mailbox_find(s, name, IMAP_RIGHT_READ, &a, ret);
	/* The row is as it was at info.modseq, unless it has changed since: then it is as of its own change. */
	if (st == ST_OK)
		*ret_modseq = MAX(info.modseq, ret->modseq);
	if (st == ST_OK)
		st = store_settle(a);
	return st == ST_OK ? store_highest(a, ret->modseq, ret_highest) : st;
}

static enum status recent_set(struct imap_session *s, const struct store_mailbox *m)
{
	struct imap_box *b = &s->box;
	uint32_t         first, uidnext;
	enum status      st;

	if (m->recent == 0)
		return ST_OK;
	if (b->read_only) {
		/* Somebody else's to take; they are the last ones. */
		st = imap_view(s);
		if (st == ST_OK && m->recent <= b->view.count)
			imap_recent_add(b, b->view.rows[b->view.count - m->recent].uid, m->uidnext - 1);
	} else {
		st = store_recent_claim(s->account, b->id, &first, &uidnext);
		if (st == ST_OK)
			imap_recent_add(b, first, uidnext - 1);
	}
	b->recents = (uint32_t)m->recent;
	/* \Recent is worth no failed SELECT: with the disk full nobody can claim anything. */
	return st == ST_FULL || st == ST_SUSPECT ? ST_OK : st;
}

static void unseen_tell(struct imap_session *s, const struct store_mailbox *m)
{
	/* Where numbers are not used any more there is none to tell (RFC 9586 §3). */
	if ((s->enabled & IMAP_ENABLED_UIDONLY) || m->unseen == 0 || m->messages > UNSEEN_CHEAP || imap_view(s) != ST_OK)
		return;
	for (size_t i = 0; i < s->box.view.count; i++) {
		if (!(s->box.view.rows[i].flags & STORE_SEEN)) {
			imap_putf(s, "* OK [UNSEEN %zu] The first that is not seen\r\n", i + 1);
			return;
		}
	}
}

/* RFC 9051 §6.3.2: LIST has the name, and the one that was given if that is another. */
static void list_tell(struct imap_session *s, const struct selected *sel, const struct store_mailbox *m)
{
	const char *special = imap_special_name(m->special);

	imap_put_list(s, arena_printf(s->arena, "%s%s%s", m->subscribed ? "\\Subscribed" : "", m->subscribed && special[0] ? " " : "", special),
		      sel->name, imap_respelled(s, sel->given, sel->name) ? sel->given : STR_NONE);
}

static void numbers_tell(struct imap_session *s, const struct selected *sel, const struct store_mailbox *m)
{
	bool rev2 = (s->enabled & IMAP_ENABLED_REV2) != 0;

	imap_putf(s, "* %u EXISTS\r\n", s->box.exists);
	if (!rev2) {
		imap_putf(s, "* %u RECENT\r\n", s->box.recents);
		unseen_tell(s, m);
	}
	imap_putf(s, "* OK [UIDVALIDITY %u] UIDs are valid\r\n* OK [UIDNEXT %u] The next UID\r\n", m->uidvalidity,
		  m->uidnext);
	imap_putf(s, "* OK [MAILBOXID (F%llu%s)] Its id\r\n", (unsigned long long)m->id, imap_id_suffix(s, imap_box_owner(s))); /* RFC 8474 §4.2 */
	if (rev2)
		list_tell(s, sel, m);
	imap_put_highest(s);
}

static enum status open_box(struct imap_session *s, const struct selected *sel)
{
	struct store_mailbox m;
	uint64_t             modseq, highest = 0;
	enum status          st = look(s, sel->name, &m, &modseq, &highest);

	if (st != ST_OK)
		return st;
	s->box = (struct imap_box){
		.id = m.id,
		.modseq = modseq,
		.highest = highest,
		.uidvalidity = m.uidvalidity,
		.uidnext = m.uidnext,
		.exists = (uint32_t)m.messages,
		.read_only = sel->read_only || !(s->found_rights & RIGHTS_TO_WRITE),
		.owner = imap_is_foreign(sel->name) ? s->last_account : 0,
		.rights = s->found_rights,
		.rights_ms = clock_mono_ms(),
	};
	imap_enter(s, IMAP_SELECTED);
	st = recent_set(s, &m);
	if (st == ST_OK)
		st = imap_put_flags_lines(s, true);
	if (st != ST_OK)
		return st;
	numbers_tell(s, sel, &m);
	if (!sel->params.qresync)
		return ST_OK;
	st = imap_resync_tell(s, &sel->params.resync);
	/* Messages that went since EXISTS are not shown any more: the client must learn so at once, or its list would have fewer than
	 * it was told there are. */
	return st == ST_OK ? imap_sync(s, true) : st;
}

/* Behind the name; false: the answer is set. */
static bool params_take(struct imap_session *s, struct imap_lex *x, struct imap_select_params *ret)
{
	if (imap_lex_end(x))
		return true;
	if (!imap_lex_sp(x) || !imap_lex_select_params(x, ret) || !imap_lex_end(x)) {
		imap_bad(s, "Syntax: SELECT mailbox [(CONDSTORE)|(QRESYNC (uidvalidity modseq [uids] [(numbers uids)]))]");
		return false;
	}
	if (ret->qresync && !(s->enabled & IMAP_ENABLED_QRESYNC)) { /* RFC 7162 §3.2.5 */
		imap_bad(s, "ENABLE QRESYNC first");
		return false;
	}
	if (ret->resync.match_given && (s->enabled & IMAP_ENABLED_UIDONLY)) { /* RFC 9586 §3 */
		imap_bad(s, "[UIDREQUIRED] Message numbers are not used any more");
		return false;
	}
	return true;
}

/* Whatever was selected is left, and a client that has sent more commands already knows from where on they are for the new mailbox
 * (RFC 7162 §3.2.11). */
static void leave(struct imap_session *s)
{
	if (s->state == IMAP_SELECTED)
		imap_put(s, STR("* OK [CLOSED] The mailbox is left\r\n"));
	imap_enter(s, IMAP_AUTH);
}

static bool writable(const struct imap_session *s)
{
	return s->box.owner == 0 || (s->box.rights & RIGHTS_SHARED) != 0;
}

static enum imap_next select_box(struct imap_session *s, struct imap_command *c, bool read_only)
{
	struct selected sel = { .read_only = read_only };
	enum status     st;

	/* RFC 9051 §6.3.2: a SELECT that is answered NO leaves nothing selected either. BAD is no SELECT at all. */
	if (!imap_name_take_given(s, &c->x, &sel.name, &sel.given)) {
		if (s->reply.kind == IMAP_REPLY_NO)
			leave(s);
		return IMAP_NEXT_REPLY;
	}
	if (!params_take(s, &c->x, &sel.params))
		return IMAP_NEXT_REPLY;
	leave(s);
	if (sel.params.condstore)
		imap_enable(s, IMAP_ENABLED_CONDSTORE);
	st = open_box(s, &sel);
	if (st != ST_OK) {
		imap_enter(s, IMAP_AUTH);
		return imap_failed(s, st);
	}
	return read_only || !writable(s) ? imap_ok(s, "[READ-ONLY] Examined") : imap_ok(s, "[READ-WRITE] Selected");
}

enum imap_next imap_cmd_select(struct imap_session *s, struct imap_command *c)
{
	return select_box(s, c, false);
}

enum imap_next imap_cmd_examine(struct imap_session *s, struct imap_command *c)
{
	return select_box(s, c, true);
}

/* Without telling of expunges, so no sync (IMAP_CMD_QUIET). */
enum imap_next imap_cmd_close(struct imap_session *s, struct imap_command *c)
{
	struct store_account *a;
	struct store_expunged gone = { 0 };
	enum status           st = ST_OK;

	(void)c;
	if (!s->box.read_only) {
		st = imap_box_account(s, &a);
		if (st == ST_OK && imap_box_may(s, IMAP_RIGHT_EXPUNGE))
			st = store_expunge(a, s->box.id, STORE_SET_ALL, true, s->arena, &gone);
		if (st == ST_OK && gone.count > 0) {
			imap_changed(s, gone.modseq);
			imap_quota_changed(s, a, false);
		}
	}
	imap_enter(s, IMAP_AUTH);
	/* RFC 9051 §6.4.1 knows no NO; a mailbox that is gone has nothing left to expunge. */
	if (st != ST_OK && st != ST_NOT_FOUND)
		return imap_ok(s, "Closed, but messages with \\Deleted are still there");
	return imap_ok(s, "Closed");
}

enum imap_next imap_cmd_unselect(struct imap_session *s, struct imap_command *c)
{
	(void)c;
	imap_enter(s, IMAP_AUTH);
	return imap_ok(s, "Left");
}
