/* imap/imap_cmd_append.c - APPEND (RFC 9051 §6.3.12; UIDPLUS RFC 4315, LITERAL+ RFC 7888).
 *
 *   line ending in the message's "{n}" --imap_append_begin--> refused: NO before any octet where the client waits for
 * "+" octets --imap_append_sink--> the store (memory, then a file) --imap_append_data--> rest of line
 * --imap_append_end--> OK
 *
 * TOOBIG, OVERQUOTA and TRYCREATE are told before the message is sent. No handle is held while it comes.
 */
#include <stdlib.h>

#include "imap/imap_session.h"
#include "sys/clock.h"
#include "wire/imap/imap_name.h"

struct imap_upload {
	struct imap_append   args; /* in the command's arena */
	uint64_t             mailbox;
	struct str           name; /* in the command's arena */
	struct store_upload *upload;
	size_t               held; /* net_memory_take */
	bool                 nul; /* there is one in it */
	enum status          failed;
};

void imap_append_done(struct imap_session *s)
{
	if (!s->upload)
		return;
	net_memory_give(net_of(s->conn), s->upload->held);
	store_upload_free(&s->upload->upload);
	s->upload = NULL;
}

/* A command that never got to its message: the message was no literal. */
enum imap_next imap_cmd_append(struct imap_session *s, struct imap_command *c)
{
	(void)c;
	return imap_bad(s, "Syntax: APPEND mailbox [(flag ...)] [\"date\"] {octets}");
}

static enum imap_next mailbox_find(struct imap_session *s, const struct imap_append *p, uint64_t octets, uint64_t *ret, struct str *ret_name)
{
	struct store_account *a;
	struct store_mailbox  m;
	struct str            name;
	enum imap_name_err    err = imap_name_parse(p->mailbox, (s->enabled & IMAP_ENABLED_UTF8) != 0, s->arena, &name);
	enum status           st;

	if (err != IMAP_NAME_OK)
		return imap_bad_name(s, err == IMAP_NAME_LONG);
	st = imap_mailbox_find(s, name, IMAP_RIGHT_INSERT, &a, &m);
	if (st == ST_NOT_FOUND)
		return imap_no(s, "[TRYCREATE] No such mailbox");
	if (st == ST_OK)
		st = store_quota_fits(a, 1, octets);
	if (st != ST_OK)
		return imap_failed(s, st);
	*ret = m.id;
	*ret_name = name;
	return IMAP_NEXT_WAIT;
}

static enum imap_next begin(struct imap_session *s, const struct imap_literal *l, const struct imap_append *p)
{
	size_t         held = (size_t)MIN(l->n, (uint64_t)LIMIT_INLINE);
	uint64_t       mailbox = 0;
	struct str     name;
	enum imap_next next;
	enum status    st;

	if (l->n == 0)
		return imap_no(s, "[CANNOT] The message is empty");
	if (l->n > s->set->message_octets)
		return imap_no(s, "[TOOBIG] Messages of up to %llu octets are taken",
			       (unsigned long long)s->set->message_octets);
	if (store_full(s->env->store))
		return imap_failed(s, ST_FULL);
	imap_quota_know(s);
	next = mailbox_find(s, p, l->n, &mailbox, &name);
	if (next != IMAP_NEXT_WAIT)
		return next;
	if (!net_memory_take(net_of(s->conn), held))
		return imap_full(s);
	s->upload = ARENA_NEW(s->arena, struct imap_upload);
	*s->upload = (struct imap_upload){ .args = *p, .mailbox = mailbox, .name = name, .held = held };
	st = store_upload_new(s->env->store, s->last_account, &s->upload->upload);
	if (st != ST_OK) {
		imap_append_done(s);
		return imap_failed(s, st);
	}
	return IMAP_NEXT_WAIT;
}

bool imap_append_begin(struct imap_session *s, const struct imap_literal *l, enum imap_next *ret)
{
	struct imap_command c;
	struct imap_append  p;
	struct str          text;

	/* The text will grow, and move, by the rest of the line. */
	if (s->state == IMAP_NOT_AUTH || !imap_command_parse(buf_str(&s->text), s->arena, &c) ||
	    !str_ieq(c.name, STR("APPEND")) || c.uid || !c.args)
		return false;
	text = arena_dup(s->arena, c.x.in);
	c.x.in = text;
	switch (imap_lex_append(&c.x, &p)) {
	case IMAP_APPEND_MORE: return false;
	case IMAP_APPEND_BAD: *ret = imap_cmd_append(s, &c); return true;
	case IMAP_APPEND_OK: break;
	}
	*ret = begin(s, l, &p);
	return true;
}

static bool sink_write(void *ctx, struct str octets)
{
	struct imap_upload *u = ctx;

	/* RFC 9051 §9: literal = *CHAR8, which has no NUL. Who reads the message by a literal could not be given it. */
	u->nul = u->nul || str_find(octets, '\0') >= 0;
	if (u->nul)
		return false;
	u->failed = store_upload_write(u->upload, octets);
	return u->failed == ST_OK;
}

struct net_sink imap_append_sink(struct imap_session *s)
{
	return (struct net_sink){ sink_write, s->upload };
}

bool imap_append_data(struct imap_session *s, bool refused)
{
	enum status failed = s->upload->failed;
	bool        nul = s->upload->nul;
	struct str  rest;

	if (!refused)
		return true;
	str_cut(buf_str(&s->text), ' ', &s->tag, &rest);
	imap_append_done(s);
	if (nul)
		imap_no(s, "[CANNOT] A message may hold no NUL");
	else
		imap_failed(s, failed == ST_OK ? ST_TEMP : failed);
	return false;
}

static enum imap_next store_it(struct imap_session *s)
{
	struct imap_upload      *u = s->upload;
	struct store_new_message m = {
		.upload = u->upload,
		.flags = u->args.flags.mask,
		.keywords = u->args.flags.keywords,
		.keyword_count = u->args.flags.keyword_count,
		.internal_ms = u->args.dated ? u->args.internal_ms : clock_wall_ms(),
		.internal_zone = (int16_t)u->args.zone,
	};
	struct store_account *a;
	struct store_mailbox  box;
	struct store_added    added;
	enum status           st = imap_mailbox_find(s, u->name, IMAP_RIGHT_INSERT, &a, &box);

	if (st == ST_OK && box.id != u->mailbox)
		st = ST_NOT_FOUND;
	if (st == ST_OK)
		st = store_append(a, u->mailbox, &m, 1, &added);
	if (st == ST_NOT_FOUND) /* deleted meanwhile */
		return imap_no(s, "[TRYCREATE] No such mailbox");
	if (st != ST_OK)
		return imap_failed(s, st);
	imap_changed(s, added.modseq);
	imap_quota_changed(s, a, true);
	return imap_ok(s, "[APPENDUID %u %u] Appended", added.uidvalidity, added.uid);
}

enum imap_next imap_append_end(struct imap_session *s)
{
	struct str     rest;
	enum imap_next next;

	s->reply = (struct imap_reply){ 0 };
	s->commands++;
	str_cut(buf_str(&s->text), ' ', &s->tag, &rest);
	next = store_it(s);
	imap_append_done(s);
	imap_finish(s, true);
	return next;
}
