/* imap/imap_cmd_mailbox.c - CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 §6.3.4 to §6.3.8). */
#include "imap/imap_session.h"
#include "wire/imap/imap_name.h"

/* The account changed in a way that has no message in it: others look for themselves. */
static enum imap_next done(struct imap_session *s, struct store_account *a, enum status st, const char *text)
{
	struct store_info info;

	if (st != ST_OK)
		return imap_failed(s, st);
	if (store_info(a, &info) == ST_OK)
		imap_changed(s, info.modseq);
	return imap_ok(s, "%s", text);
}

static bool one_name(struct imap_session *s, struct imap_command *c, struct str *ret)
{
	if (!imap_name_take(s, &c->x, ret))
		return false;
	if (imap_lex_end(&c->x))
		return true;
	imap_bad(s, "One mailbox name is expected");
	return false;
}

enum imap_next imap_cmd_create(struct imap_session *s, struct imap_command *c)
{
	struct store_account *a = NULL;
	struct str            wire, name;
	enum imap_name_err    err;
	enum status           st;

	if (!imap_lex_astring(&c->x, &wire) || !imap_lex_end(&c->x))
		return imap_bad(s, "Syntax: CREATE mailbox");
	/* A delimiter at the end says that names will be made below it; it is made all the same, and can hold messages
	 * too. */
	(void)imap_name_container(&wire);
	err = imap_name_parse(wire, imap_utf8(s), s->arena, &name);
	if (err != IMAP_NAME_OK)
		return imap_bad_name(s, err == IMAP_NAME_LONG);
	st = imap_account(s, &a);
	if (st == ST_OK)
		st = store_mailbox_create(a, name, STORE_SPECIAL_NONE, NULL);
	return done(s, a, st, "Created");
}

enum imap_next imap_cmd_delete(struct imap_session *s, struct imap_command *c)
{
	struct store_account *a = NULL;
	struct store_mailbox  m;
	struct str            name;
	enum status           st;

	if (!one_name(s, c, &name))
		return IMAP_NEXT_REPLY;
	st = imap_mailbox_find(s, name, IMAP_RIGHT_DELETE_BOX, &a, &m);
	if (st == ST_OK)
		st = store_mailbox_delete(a, name);
	if (st == ST_OK && s->state == IMAP_SELECTED && s->box.id == m.id) {
		imap_put(s, STR("* OK [CLOSED] The selected mailbox was deleted\r\n"));
		imap_enter(s, IMAP_AUTH);
	}
	return done(s, a, st, "Deleted");
}

enum imap_next imap_cmd_rename(struct imap_session *s, struct imap_command *c)
{
	struct store_account *a = NULL;
	struct str            from, to;
	enum status           st;

	if (!imap_name_take(s, &c->x, &from))
		return IMAP_NEXT_REPLY;
	if (!imap_lex_sp(&c->x))
		return imap_bad(s, "Syntax: RENAME from to");
	if (!one_name(s, c, &to))
		return IMAP_NEXT_REPLY;
	if (imap_name_below(to, from) && !imap_name_is_inbox(from))
		return imap_no(s, "[CANNOT] A mailbox cannot move below itself");
	st = imap_account(s, &a);
	if (st == ST_OK)
		st = store_mailbox_rename(a, from, to);
	return done(s, a, st, "Renamed");
}

static enum imap_next subscribe(struct imap_session *s, struct imap_command *c, bool on)
{
	struct store_account *a = NULL;
	struct str            name;
	enum status           st;

	if (!one_name(s, c, &name))
		return IMAP_NEXT_REPLY;
	st = imap_account(s, &a);
	if (st == ST_OK)
		st = store_subscribe(a, name, on);
	return done(s, a, st, on ? "Subscribed" : "Not subscribed any more");
}

enum imap_next imap_cmd_subscribe(struct imap_session *s, struct imap_command *c)
{
	return subscribe(s, c, true);
}

enum imap_next imap_cmd_unsubscribe(struct imap_session *s, struct imap_command *c)
{
	return subscribe(s, c, false);
}
