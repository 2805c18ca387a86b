/* imap/imap_cmd_mailbox.c - CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 §6.3.4 to §6.3.8). */
#include "imap/imap_tree.h"
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

static bool one_name(struct imap_session *s, struct imap_command *c, struct str *ret, struct str *ret_given)
{
	if (!imap_name_take_given(s, &c->x, ret, ret_given))
		return false;
	if (imap_lex_end(&c->x))
		return true;
	imap_bad(s, "One mailbox name is expected");
	return false;
}

enum use { USE_OK, USE_UNKNOWN, USE_BAD };

/* [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"], RFC 6154 §6 with RFC 4466 §2.1. A mailbox has one use here. */
static enum use use_take(struct imap_lex *x, enum store_special *ret)
{
	struct str attribute;
	unsigned   count = 0;

	*ret = STORE_SPECIAL_NONE;
	if (imap_lex_end(x))
		return USE_OK;
	if (!imap_lex_sp(x) || !imap_lex_char(x, '(') || !imap_lex_word(x, STR("USE")) || !imap_lex_sp(x) || !imap_lex_char(x, '('))
		return USE_BAD;
	if (imap_lex_peek(x) != ')') {
		do {
			if (!imap_lex_char(x, '\\') || !imap_lex_atom(x, &attribute))
				return USE_BAD;
			attribute = str_n(attribute.p - 1, attribute.n + 1); /* with its backslash */
			*ret = imap_special_find(attribute);
			count++;
		} while (imap_lex_sp(x));
	}
	if (!imap_lex_char(x, ')') || !imap_lex_char(x, ')') || !imap_lex_end(x))
		return USE_BAD;
	return count > 1 || (count == 1 && *ret == STORE_SPECIAL_NONE) ? USE_UNKNOWN : USE_OK;
}

static enum imap_next created(struct imap_session *s, struct store_account *a, uint64_t id)
{
	enum imap_next next = done(s, a, ST_OK, "Created");

	s->reply.text = arena_printf(s->arena, "[MAILBOXID (F%llu%s)] Created", (unsigned long long)id, imap_id_suffix(s, s->last_account)); /* RFC 8474 §4.1 */
	return next;
}

/* The account in which a mailbox of that name may be made. */
static enum status place_to_make(struct imap_session *s, struct str name, struct store_account **ret)
{
	return imap_is_foreign(name) ? imap_foreign_parent(s, name, ret) : imap_account(s, ret);
}

enum imap_next imap_cmd_create(struct imap_session *s, struct imap_command *c)
{
	struct store_account *a = NULL;
	struct str            wire, name;
	enum store_special    special;
	enum imap_name_err    err;
	uint64_t              id;
	enum status           st;

	if (!imap_lex_astring(&c->x, &wire))
		return imap_bad(s, "Syntax: CREATE mailbox [(USE (attribute))]");
	switch (use_take(&c->x, &special)) {
	case USE_BAD: return imap_bad(s, "Syntax: CREATE mailbox [(USE (attribute))]");
	case USE_UNKNOWN: return imap_no(s, "[USEATTR] No such special use, or more than one");
	case USE_OK: break;
	}
	/* A delimiter at the end says that names will be made below it; it is made all the same, and can hold messages
	 * too. */
	(void)imap_name_container(&wire);
	err = imap_name_parse(wire, imap_utf8(s), s->arena, &name);
	if (err != IMAP_NAME_OK)
		return imap_bad_name(s, err == IMAP_NAME_LONG);
	if (special != STORE_SPECIAL_NONE && imap_is_foreign(name)) /* whose Sent would it be? */
		return imap_no(s, "[USEATTR] Special use is of one's own mailboxes");
	st = place_to_make(s, name, &a);
	if (st == ST_OK)
		st = store_mailbox_create(a, imap_name_inside(name), special, &id);
	if (st == ST_BUSY)
		return imap_no(s, "[USEATTR] Another mailbox has that special use");
	if (st == ST_OK && imap_respelled(s, wire, name)) /* RFC 9051 §6.3.4 */
		imap_put_list(s, STR(""), name, wire);
	return st == ST_OK ? created(s, a, id) : imap_failed(s, st);
}

enum imap_next imap_cmd_delete(struct imap_session *s, struct imap_command *c)
{
	struct store_account *a = NULL;
	struct store_mailbox  m;
	struct store_acl     *entries = NULL;
	struct str            name, given;
	size_t                n = 0;
	enum status           st;

	if (!one_name(s, c, &name, &given))
		return IMAP_NEXT_REPLY;
	st = imap_mailbox_find(s, name, IMAP_RIGHT_DELETE_BOX, &a, &m);
	if (st == ST_OK)
		st = store_acl_list(a, m.id, s->arena, &entries, &n);
	if (st == ST_OK)
		st = store_mailbox_delete(a, imap_name_inside(name));
	if (st == ST_OK)
		imap_quota_changed(s, a, false);
	if (st == ST_OK)
		imap_acl_gone(s, a, entries, n);
	if (st == ST_OK && imap_is_selected(s, s->last_account, m.id)) {
		imap_put(s, STR("* OK [CLOSED] The selected mailbox was deleted\r\n"));
		imap_enter(s, IMAP_AUTH);
	}
	if (st == ST_OK && imap_respelled(s, given, name)) /* RFC 9051 §6.3.5 */
		imap_put_list(s, STR("\\NonExistent"), name, given);
	return done(s, a, st, "Deleted");
}

/* Both names in one account; of another, with x there and k here (RFC 4314 §4). */
static enum status rename_places(struct imap_session *s, struct str from, struct str to, struct store_account **ret)
{
	struct store_account *there;
	struct store_mailbox  m;
	uint64_t              owner;
	enum status           st;

	if (!imap_is_foreign(from) && !imap_is_foreign(to))
		return imap_account(s, ret);
	st = imap_mailbox_find(s, from, IMAP_RIGHT_DELETE_BOX, ret, &m);
	owner = s->last_account;
	if (st == ST_OK && imap_is_foreign(from) && imap_name_is_inbox(imap_name_inside(from)))
		st = ST_DENIED; /* it would move all its messages out of the rights that hold for it */
	if (st == ST_OK)
		st = place_to_make(s, to, &there);
	if (st == ST_OK && s->last_account != owner)
		st = ST_INVALID;
	return st;
}

enum imap_next imap_cmd_rename(struct imap_session *s, struct imap_command *c)
{
	struct store_account *a = NULL;
	struct str            from, from_given, to, to_given;
	enum status           st;

	if (!imap_name_take_given(s, &c->x, &from, &from_given))
		return IMAP_NEXT_REPLY;
	if (!imap_lex_sp(&c->x))
		return imap_bad(s, "Syntax: RENAME from to");
	if (!one_name(s, c, &to, &to_given))
		return IMAP_NEXT_REPLY;
	if (imap_name_below(to, from) && !imap_name_is_inbox(from))
		return imap_no(s, "[CANNOT] A mailbox cannot move below itself");
	st = rename_places(s, from, to, &a);
	if (st == ST_OK)
		st = store_mailbox_rename(a, imap_name_inside(from), imap_name_inside(to));
	/* RFC 9051 §6.3.6: one line for both names. */
	if (st == ST_OK && (imap_respelled(s, from_given, from) || imap_respelled(s, to_given, to)))
		imap_put_list(s, STR(""), to, from_given);
	return done(s, a, st, "Renamed");
}

static enum imap_next subscribe(struct imap_session *s, struct imap_command *c, bool on)
{
	struct store_account *a = NULL;
	struct str            name, given;
	enum status           st;

	if (!one_name(s, c, &name, &given))
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
