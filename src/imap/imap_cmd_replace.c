/* imap/imap_cmd_replace.c - REPLACE, UID REPLACE (RFC 8508): a message comes and the one that it replaces goes, in one transaction.
 *
 *   "* OK [APPENDUID ...]", then EXISTS and EXPUNGE as the sync tells them, then OK. Refused: nothing has changed.
 */
#include "imap/imap_upload.h"

/* One number, or "*": a set of one. */
static bool number_take(struct imap_session *s, struct imap_command *c, uint32_t *ret_uid)
{
	struct imap_set set, places;

	if (!imap_lex_set(&c->x, &set) || set.count != 1 || set.ranges[0].first != set.ranges[0].last || !imap_lex_sp(&c->x)) {
		imap_bad(s, "Syntax: REPLACE message mailbox [(flag ...)] [\"date\"] {octets}");
		return false;
	}
	if (!imap_places(s, c, &set, &places))
		return false;
	if (places.count == 0 || (s->box.view.rows[places.ranges[0].first].flags & STORE_EXPUNGED)) {
		imap_no(s, "[NONEXISTENT] There is no such message");
		return false;
	}
	*ret_uid = s->box.view.rows[places.ranges[0].first].uid;
	return true;
}

static bool may_expunge(struct imap_session *s)
{
	return imap_box_need(s, IMAP_RIGHT_DELETE | IMAP_RIGHT_EXPUNGE, "You have no right to expunge here");
}

enum imap_next imap_replace_begin(struct imap_session *s, struct imap_command *c, struct imap_upload *u)
{
	u->replace = true;
	/* RFC 8508 §3.5: the old message is expunged, by its rights. */
	if (!may_expunge(s))
		return IMAP_NEXT_REPLY;
	return number_take(s, c, &u->uid) ? IMAP_NEXT_WAIT : IMAP_NEXT_REPLY;
}

/* To another account: there first, then here (store_replace_between), so a crash may leave both. */
static enum imap_next between(struct imap_session *s, struct imap_upload *u, const struct store_new_message *message, struct store_account *to)
{
	struct store_account *from;
	struct store_added    added;
	uint64_t              gone_modseq = 0;
	bool                  gone = false;
	enum status           st = imap_box_account(s, &from);

	if (st == ST_OK)
		st = store_replace_between(to, u->mailbox, message, from, s->box.id, u->uid, s->arena, &added, &gone, &gone_modseq);
	if (gone)
		return imap_no(s, "[EXPUNGEISSUED] The message is gone already");
	if (gone_modseq > 0) {
		imap_changed(s, gone_modseq);
		imap_quota_changed(s, from, false);
	}
	s->last_account = u->owner;
	if (st != ST_OK)
		return imap_failed(s, st);
	imap_upload_stored(s, to, &added);
	imap_putf(s, "* OK [APPENDUID %u %u] The new message is there\r\n", added.uidvalidity, added.uid);
	return imap_ok(s, "Replaced");
}

enum imap_next imap_replace_store(struct imap_session *s, struct imap_upload *u, const struct store_new_message *message)
{
	struct store_account *a;
	struct store_mailbox  m;
	struct store_added    added;
	bool                  gone = false;
	enum status           st;

	/* The message has come, and that may have taken long. */
	if (!may_expunge(s))
		return IMAP_NEXT_REPLY;
	st = imap_mailbox_find(s, u->name, IMAP_RIGHT_INSERT, &a, &m);
	if (st == ST_OK && (m.id != u->mailbox || s->last_account != u->owner))
		st = ST_NOT_FOUND;
	if (st == ST_NOT_FOUND)
		return imap_no(s, "[TRYCREATE] No such mailbox");
	if (st == ST_OK && u->owner != imap_box_owner(s))
		return between(s, u, message, a);
	if (st == ST_OK)
		st = store_replace(a, u->mailbox, message, s->box.id, u->uid, &added, &gone);
	if (gone)
		return imap_no(s, "[EXPUNGEISSUED] The message is gone already");
	if (st != ST_OK)
		return imap_failed(s, st);
	imap_upload_stored(s, a, &added);
	imap_putf(s, "* OK [APPENDUID %u %u] The new message is there\r\n", added.uidvalidity, added.uid);
	return imap_ok(s, "Replaced");
}
