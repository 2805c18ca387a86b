/* imap/imap_cmd_acl.c - SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314).
 *
 * The owner's rights are all of them, for ever; he stands in no list. The directory's index (who shares with whom) is told before a right is
 * given and after the last one is gone, be it with its mailbox: it may name too many, never too few.
 */
#include "imap/imap_session.h"
#include "wire/imap/imap_print.h"

/* The mailbox of the command: its account, and who owns it. */
struct target {
	struct store_account *a;
	struct store_mailbox  m;
	uint64_t              owner;
	struct str            owner_name;
};

static bool target_find(struct imap_session *s, struct str name, unsigned need, struct target *t)
{
	struct str  rest = name, last;
	enum status st = imap_mailbox_find(s, name, need, &t->a, &t->m);

	if (st != ST_OK) {
		imap_failed(s, st);
		return false;
	}
	t->owner = s->last_account;
	t->owner_name = str_of(s->user);
	if (t->owner != s->account_id) {
		rest = t->m.name;
		CHECK(str_skip(&rest, STR(IMAP_OTHERS)) && str_cut(rest, '/', &t->owner_name, &last));
	}
	return true;
}

static bool identifier_take(struct imap_session *s, struct imap_lex *x, struct str *ret_text, struct imap_identifier *ret)
{
	if (imap_lex_astring(x, ret_text) && imap_identifier_parse(*ret_text, ret))
		return true;
	imap_bad(s, "Not an identifier");
	return false;
}

static const enum auth_subject kinds[] = {
	[IMAP_IDENTIFIER_ANYONE] = AUTH_SUBJECT_ANYONE,
	[IMAP_IDENTIFIER_ACCOUNT] = AUTH_SUBJECT_ACCOUNT,
	[IMAP_IDENTIFIER_GROUP] = AUTH_SUBJECT_GROUP,
};
_Static_assert((unsigned)AUTH_SUBJECT_ANYONE == STORE_ACL_ANYONE && (unsigned)AUTH_SUBJECT_ACCOUNT == STORE_ACL_ACCOUNT &&
	       (unsigned)AUTH_SUBJECT_GROUP == STORE_ACL_GROUP && (unsigned)IMAP_RIGHT_LOOKUP == STORE_ACL_LOOKUP &&
	       (unsigned)IMAP_RIGHT_ADMIN == STORE_ACL_ADMIN, "one numbering");

/* Whom the identifier means; false: the answer is set. Asked before anything is open. */
static bool subject_find(struct imap_session *s, const struct imap_identifier *id, struct store_acl *ret)
{
	const struct auth_subject_request q = { .token = imap_token(s), .kind = kinds[id->kind], .name = id->name };
	struct auth_subject_reply         r = { 0 };
	enum status                       st = s->env->ask->subject ? s->env->ask->subject(s->env->ask_ctx, &q, &r) : ST_NOT_FOUND;

	if (st == ST_NOT_FOUND || st == ST_INVALID) {
		imap_no(s, "[CANNOT] There is nobody of that name");
		return false;
	}
	if (st != ST_OK) {
		imap_failed(s, st == ST_DENIED ? ST_TEMP : st);
		return false;
	}
	*ret = (struct store_acl){ .kind = (enum store_acl_kind)q.kind, .subject = r.subject, .negative = id->negative };
	return true;
}

/* ---- changing ---- */

static enum status index_tell(struct imap_session *s, const struct target *t, const struct store_acl *e, unsigned rights)
{
	const struct auth_share_request q = { .token = imap_token(s),
					      .owner = t->owner,
					      .kind = (enum auth_subject)e->kind,
					      .subject = e->subject,
					      .on = rights != 0,
					      .admin = (rights & IMAP_RIGHT_ADMIN) != 0 };
	enum status st;

	if (!s->env->ask->share)
		return ST_OK;
	st = s->env->ask->share(s->env->ask_ctx, &q);
	imap_shared_forget(s);
	return st == ST_DENIED ? ST_TEMP : st; /* the sign-in is too old */
}

/* `left` is what the subject is still given. If that was nothing, another session may have given something meanwhile. That the index names
 * one too many, because it could not be told, does no harm; DELETEACL puts it right. */
static void index_settle(struct imap_session *s, const struct target *t, const struct store_acl *e, unsigned left)
{
	(void)!index_tell(s, t, e, left);
	if (left == 0 && store_acl_anywhere(t->a, e->kind, e->subject, &left) == ST_OK && left != 0)
		(void)!index_tell(s, t, e, left);
}

static enum status change(struct imap_session *s, struct target *t, const struct store_acl *e, enum store_acl_op op)
{
	unsigned          before = 0, after = 0;
	struct store_info info;
	enum status       st = store_acl_anywhere(t->a, e->kind, e->subject, &before);

	/* What is given: first in the index. */
	if (st == ST_OK && !e->negative && op != STORE_ACL_REMOVE && e->rights != 0 && (before | e->rights) != before)
		st = index_tell(s, t, e, before | e->rights);
	if (st == ST_OK)
		st = store_acl_change(t->a, t->m.id, e, op);
	if (st == ST_OK && store_info(t->a, &info) == ST_OK)
		imap_changed(s, info.modseq);
	if (st == ST_OK && !e->negative)
		st = store_acl_anywhere(t->a, e->kind, e->subject, &after);
	/* And again as it is: two sessions may have changed it at once, and the index may not have been told before. */
	if (st == ST_OK && !e->negative && (op == STORE_ACL_REMOVE || after != before || e->rights == 0))
		index_settle(s, t, e, after);
	return st;
}

/* Who administers another's mailboxes does so by one of these entries himself: it is told last, or he might tell no more. */
static unsigned turn_of(const struct imap_session *s, const struct store_acl *e)
{
	return e->kind == STORE_ACL_ACCOUNT && e->subject == s->account_id ? 2u : e->rights & IMAP_RIGHT_ADMIN ? 1u : 0u;
}

void imap_acl_gone(struct imap_session *s, struct store_account *a, const struct store_acl *list, size_t count)
{
	const struct target t = { .a = a, .owner = store_account_id(a) };

	for (size_t i = 0; i < 3 * count; i++) {
		const struct store_acl *e = &list[i % count];
		unsigned                left = 0;

		if (e->negative || turn_of(s, e) != i / count || store_acl_anywhere(a, e->kind, e->subject, &left) != ST_OK)
			continue;
		if (left == 0 || (e->rights & ~left & IMAP_RIGHT_ADMIN))
			index_settle(s, &t, e, left);
	}
}

static enum imap_next change_entry(struct imap_session *s, struct str name, const struct imap_identifier *id, enum store_acl_op op, unsigned rights,
				   const char *done)
{
	struct store_acl e;
	struct target    t;
	enum status      st;

	/* Whether there is such a mailbox is nobody's business who may not administer it; nor who else there is. */
	if (!target_find(s, name, IMAP_RIGHT_ADMIN, &t) || !subject_find(s, id, &e))
		return IMAP_NEXT_REPLY;
	if (e.kind == STORE_ACL_ACCOUNT && e.subject == t.owner)
		return imap_no(s, "[CANNOT] The owner may do everything, and that cannot be changed");
	e.rights = rights;
	st = change(s, &t, &e, op);
	if (st == ST_LIMIT)
		return imap_no(s, "[LIMIT] Too many entries");
	return st == ST_OK ? imap_ok(s, "%s", done) : imap_failed(s, st);
}

enum imap_next imap_cmd_setacl(struct imap_session *s, struct imap_command *c)
{
	static const enum store_acl_op ops[] = {
		[IMAP_RIGHTS_REPLACE] = STORE_ACL_REPLACE,
		[IMAP_RIGHTS_ADD] = STORE_ACL_ADD,
		[IMAP_RIGHTS_REMOVE] = STORE_ACL_REMOVE,
	};
	struct imap_identifier id;
	enum imap_rights_op    op;
	unsigned               rights;
	struct str             name, text, mod;

	if (!imap_name_take(s, &c->x, &name))
		return IMAP_NEXT_REPLY;
	if (!imap_lex_sp(&c->x))
		return imap_bad(s, "Syntax: SETACL mailbox identifier rights");
	if (!identifier_take(s, &c->x, &text, &id))
		return IMAP_NEXT_REPLY;
	if (!imap_lex_sp(&c->x) || !imap_lex_astring(&c->x, &mod) || !imap_lex_end(&c->x))
		return imap_bad(s, "Syntax: SETACL mailbox identifier rights");
	if (!imap_rights_parse(mod, &op, &rights))
		return imap_bad(s, "Rights are letters of lrswipkxtea");
	return change_entry(s, name, &id, ops[op], rights, "Set");
}

enum imap_next imap_cmd_deleteacl(struct imap_session *s, struct imap_command *c)
{
	struct imap_identifier id;
	struct str             name, text;

	if (!imap_name_take(s, &c->x, &name))
		return IMAP_NEXT_REPLY;
	if (!imap_lex_sp(&c->x))
		return imap_bad(s, "Syntax: DELETEACL mailbox identifier");
	if (!identifier_take(s, &c->x, &text, &id))
		return IMAP_NEXT_REPLY;
	if (!imap_lex_end(&c->x))
		return imap_bad(s, "Syntax: DELETEACL mailbox identifier");
	return change_entry(s, name, &id, STORE_ACL_REPLACE, 0, "Deleted");
}

/* ---- telling ---- */

static enum status names_ask(struct imap_session *s, const struct store_acl *list, size_t n, struct auth_subjects_reply *ret)
{
	struct auth_subjects_request q = { .token = imap_token(s), .ids = ARENA_ARRAY(s->arena, struct auth_subject_id, n), .id_count = n };
	enum status                  st;

	for (size_t i = 0; i < n; i++)
		q.ids[i] = (struct auth_subject_id){ (enum auth_subject)list[i].kind, list[i].subject };
	if (n == 0 || !s->env->ask->subjects)
		return ST_OK;
	st = s->env->ask->subjects(s->env->ask_ctx, &q, s->arena, ret);
	return st == ST_OK && ret->name_count != n ? ST_CORRUPT : st == ST_DENIED ? ST_TEMP : st;
}

static void entry_put(struct imap_session *s, const struct store_acl *e, struct str name)
{
	char text[IMAP_RIGHTS_TEXT];

	if (name.n == 0 && e->kind != STORE_ACL_ANYONE)
		return; /* gone from the directory */
	imap_rights_print(e->rights, text);
	imap_put(s, STR(" "));
	imap_print_astring(&s->out, arena_printf(s->arena, "%s%s%.*s", e->negative ? "-" : "", e->kind == STORE_ACL_GROUP ? "$" : "",
						 STR_FMT(e->kind == STORE_ACL_ANYONE ? STR("anyone") : name)));
	imap_putf(s, " %s", text);
}

static enum imap_next one_name(struct imap_session *s, struct imap_command *c, struct str *ret, const char *syntax)
{
	if (!imap_name_take(s, &c->x, ret))
		return IMAP_NEXT_REPLY;
	return imap_lex_end(&c->x) ? IMAP_NEXT_WAIT : imap_bad(s, "Syntax: %s", syntax);
}

enum imap_next imap_cmd_getacl(struct imap_session *s, struct imap_command *c)
{
	struct auth_subjects_reply names = { 0 };
	struct store_acl          *list;
	struct target              t;
	struct str                 name;
	size_t                     n;
	char                       all[IMAP_RIGHTS_TEXT];
	enum status                st;

	if (one_name(s, c, &name, "GETACL mailbox") != IMAP_NEXT_WAIT || !target_find(s, name, IMAP_RIGHT_ADMIN, &t))
		return IMAP_NEXT_REPLY;
	st = store_acl_list(t.a, t.m.id, s->arena, &list, &n);
	if (st == ST_OK)
		st = names_ask(s, list, n, &names);
	if (st != ST_OK)
		return imap_failed(s, st);
	imap_rights_print(IMAP_RIGHT_ALL, all);
	imap_inside(s, true);
	imap_put(s, STR("* ACL "));
	imap_put_name(s, t.m.name);
	imap_put(s, STR(" "));
	imap_print_astring(&s->out, t.owner_name);
	imap_putf(s, " %s", all);
	for (size_t i = 0; i < n; i++)
		entry_put(s, &list[i], names.name_count > 0 ? names.names[i].address : STR(""));
	imap_put(s, STR("\r\n"));
	imap_inside(s, false);
	return imap_ok(s, "That is all");
}

/* The identifier as the client gave it (RFC 4314 §3.4). No rights are tied. */
enum imap_next imap_cmd_listrights(struct imap_session *s, struct imap_command *c)
{
	struct imap_identifier id;
	struct store_acl       e;
	struct target          t;
	struct str             name, text;
	bool                   owner;

	if (!imap_name_take(s, &c->x, &name))
		return IMAP_NEXT_REPLY;
	if (!imap_lex_sp(&c->x))
		return imap_bad(s, "Syntax: LISTRIGHTS mailbox identifier");
	if (!identifier_take(s, &c->x, &text, &id))
		return IMAP_NEXT_REPLY;
	if (!imap_lex_end(&c->x))
		return imap_bad(s, "Syntax: LISTRIGHTS mailbox identifier");
	if (!target_find(s, name, IMAP_RIGHT_ADMIN, &t) || !subject_find(s, &id, &e))
		return IMAP_NEXT_REPLY;
	owner = e.kind == STORE_ACL_ACCOUNT && e.subject == t.owner;
	imap_put(s, STR("* LISTRIGHTS "));
	imap_put_name(s, t.m.name);
	imap_put(s, STR(" "));
	imap_print_astring(&s->out, text);
	imap_put(s, owner ? STR(" lrswipkxtecda\r\n") : STR(" \"\" l r s w i p k x t e c d a\r\n"));
	return imap_ok(s, "That is all");
}

void imap_put_myrights(struct imap_session *s, struct str name, unsigned rights)
{
	char text[IMAP_RIGHTS_TEXT];

	imap_rights_print(rights, text);
	imap_put(s, STR("* MYRIGHTS "));
	imap_put_name(s, name);
	imap_putf(s, " %s\r\n", text);
}

enum imap_next imap_cmd_myrights(struct imap_session *s, struct imap_command *c)
{
	static const unsigned any[] = { IMAP_RIGHT_LOOKUP, IMAP_RIGHT_READ,       IMAP_RIGHT_INSERT,
					IMAP_RIGHT_CREATE, IMAP_RIGHT_DELETE_BOX, IMAP_RIGHT_ADMIN };
	struct store_account *a;
	struct store_mailbox  m;
	struct str            name;
	enum status           st = ST_NOT_FOUND;

	if (one_name(s, c, &name, "MYRIGHTS mailbox") != IMAP_NEXT_WAIT)
		return IMAP_NEXT_REPLY;
	for (size_t i = 0; i < LEN(any) && st == ST_NOT_FOUND; i++)
		st = imap_mailbox_find(s, name, any[i], &a, &m);
	if (st != ST_OK)
		return imap_failed(s, st);
	imap_put_myrights(s, m.name, s->found_rights);
	return imap_ok(s, "That is all");
}
