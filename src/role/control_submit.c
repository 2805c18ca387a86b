/* role/control_submit.c - see control_submit.h; the order of messages stands in ipc/msg_control.h. */
#include "role/control_submit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/log.h"
#include "ipc/ipc_frame.h"
#include "ipc/msg_auth.h"
#include "ipc/msg_control.h"
#include "role/control_answer.h"
#include "role/control_gate.h"
#include "role/control_message.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "wire/address/address.h"
#include "wire/text/queue_id.h"

struct control_submits {
	struct ipc                    *ipc;
	const struct config *_Atomic   config;
	struct control_gate           *gate;
	_Atomic uint64_t               messages; /* begun, for ids */
};

struct control_submit {
	struct control_submits *all;
	int                     fd;
	uint32_t                uid;
	pid_t                   pid;
	struct control_message  message; /* arena NULL: none is begun */
};

struct control_submits *control_submits_new(struct role *r)
{
	struct control_submits *all = ARENA_NEW(r->arena, struct control_submits);

	all->ipc = r->ipc;
	all->config = r->config;
	all->gate = control_gate_new();
	return all;
}

void control_submits_reload(struct control_submits *all, const struct config *c)
{
	all->config = c;
}

struct control_submit *control_submit_new(struct control_submits *all, int fd, uid_t uid, pid_t pid)
{
	struct control_submit *s;

	if (!control_gate_enter(all->gate, uid)) {
		log_warn("too many local programs hand over mail", LOG_U64("uid", uid));
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	CHECK(s);
	*s = (struct control_submit){ .all = all, .fd = fd, .uid = uid, .pid = pid, .message.spool = -1 };
	return s;
}

void control_submit_free(struct control_submit **s)
{
	control_message_forget(&(*s)->message);
	fd_close(&(*s)->fd);
	control_gate_leave((*s)->all->gate, (*s)->uid);
	free(*s);
	*s = NULL;
}

static struct control_where where(const struct control_submit *s)
{
	const struct config *c = s->all->config;

	return (struct control_where){ s->all->ipc, c->hostname, c->message_octets };
}

/* ---- OPEN ---- */

static enum status rcpt_ask(const struct control_submit *s, struct str address, struct str from, uint64_t size, struct arena *a,
			    struct auth_rcpt_reply *ret)
{
	const struct auth_rcpt_request q = { .address = address, .from = from, .session = str_of(s->message.id), .size = size, .exempt = true };

	return ipc_call(s->all->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_RCPT, &q, a, ret);
}

/* The setting, or the host's name or the nearest domain above it that is ours; the host's name if none is. */
static struct str domain_find(const struct control_submit *s, struct arena *a)
{
	const struct config *c = s->all->config;
	struct str           domain = c->submit_domain.n > 0 ? c->submit_domain : c->hostname, label;

	while (c->submit_domain.n == 0 && str_find(domain, '.') >= 0) {
		struct auth_rcpt_reply r = { 0 };

		if (rcpt_ask(s, arena_printf(a, "postmaster@%.*s", STR_FMT(domain)), STR(""), 0, a, &r) == ST_OK && r.kind != AUTH_RCPT_FOREIGN)
			return domain;
		str_cut(domain, '.', &label, &domain);
	}
	return c->submit_domain.n > 0 ? c->submit_domain : c->hostname;
}

static enum status on_open(struct control_submit *s, struct arena *a, void *reply)
{
	const struct config *c = s->all->config;

	*(struct control_submit_open_reply *)reply = (struct control_submit_open_reply){ c->hostname, domain_find(s, a), c->message_octets };
	return ST_OK;
}

/* ---- BEGIN ---- */

/* NULL: accepted. *ret_later: it cannot be said now. */
static const char *recipient_refused(const struct control_submit *s, struct str address, struct str from, struct arena *a, bool *ret_later)
{
	struct auth_rcpt_reply r = { 0 };

	if (rcpt_ask(s, address, from, 0, a, &r) != ST_OK) {
		*ret_later = true;
		return NULL;
	}
	switch (r.kind) {
	case AUTH_RCPT_UNKNOWN: return "no such recipient";
	case AUTH_RCPT_REFUSED: return "is a list that is closed to you";
	case AUTH_RCPT_LATER: *ret_later = true; break;
	case AUTH_RCPT_LOCAL:
	case AUTH_RCPT_FOREIGN:
	case AUTH_RCPT_RELAY:
	case AUTH_RCPT_PROBE:
	case AUTH_RCPT_CLOSED: /* queue tries them again */
	case AUTH_RCPT_FULL: break;
	}
	return NULL;
}

static bool rcpt_add(struct control_message *m, const struct queue_rcpt *r, struct str address)
{
	for (size_t i = 0; i < m->rcpt_count; i++)
		if (str_eq(m->rcpts[i].address, address))
			return false;
	m->rcpts[m->rcpt_count++] = (struct queue_rcpt){ arena_dup(m->arena, address), r->notify, arena_dup(m->arena, r->orcpt) };
	return true;
}

static void recipients_take(struct control_submit *s, const struct control_submit_begin_request *q, struct arena *a,
			    struct control_submit_begin_reply *ret)
{
	struct control_message *m = &s->message;
	bool                    later = false;

	m->rcpts = ARENA_ARRAY(m->arena, struct queue_rcpt, q->rcpt_count);
	ret->refused = ARENA_ARRAY(a, struct control_submit_refused, q->rcpt_count);
	for (size_t i = 0; i < q->rcpt_count; i++) {
		struct address_canon to;
		const char          *why = address_canon_of(q->rcpts[i].address, false, &to) != ADDRESS_OK
						   ? "malformed address"
						   : recipient_refused(s, address_text(&to), m->from, a, &later);

		if (why)
			ret->refused[ret->refused_count++] = (struct control_submit_refused){ (uint32_t)i, str_of(why) };
		else
			rcpt_add(m, &q->rcpts[i], address_text(&to));
	}
	if (ret->refused_count > 0) {
		ret->code = EX_NOUSER;
		ret->text = STR("recipients were refused, nothing was sent");
	} else if (later) {
		ret->code = EX_TEMPFAIL;
		ret->text = STR("recipients cannot be checked now, try again later");
	}
}

static void message_new(struct control_submit *s, const struct control_submit_begin_request *q)
{
	struct control_message *m = &s->message;

	m->arena = arena_new(NULL);
	m->uid = s->uid;
	m->received_ms = clock_wall_ms();
	snprintf(m->id, sizeof(m->id), "l%llx.%llx", (unsigned long long)m->received_ms, (unsigned long long)++s->all->messages);
	m->login = arena_dup(m->arena, q->login);
	m->envid = arena_dup(m->arena, q->envid);
	m->ret_hdrs = q->ret_hdrs;
	m->ret_full = q->ret_full;
}

static enum status on_begin(struct control_submit *s, const struct control_submit_begin_request *q, struct arena *a, void *reply)
{
	struct control_submit_begin_reply *ret = reply;
	struct address_canon               from = { 0 };
	const struct control_where         w = where(s);

	control_message_forget(&s->message);
	if (!control_gate_message(s->all->gate, s->uid, clock_mono_ms())) {
		log_warn("a local user sends too much", LOG_U64("uid", s->uid));
		ret->code = EX_TEMPFAIL;
		ret->text = STR("too many messages in a minute, try again later");
	} else if (q->from.n > 0 && address_canon_of(q->from, false, &from) != ADDRESS_OK) {
		ret->code = EX_DATAERR;
		ret->text = STR("the sender's address is malformed");
	} else if (q->rcpt_count == 0) {
		ret->code = EX_USAGE;
		ret->text = STR("there are no recipients");
	}
	if (ret->code != EX_OK)
		return ST_OK;
	message_new(s, q);
	s->message.from = arena_dup(s->message.arena, address_text(&from));
	recipients_take(s, q, a, ret);
	if (ret->code == EX_OK)
		control_message_begin(&s->message, &w);
	else
		control_message_forget(&s->message);
	return ST_OK;
}

/* ---- DATA, END ---- */

static void refused(struct control_submit *s, const struct control_verdict *v, struct control_submit_end_reply *ret)
{
	log_info("local message refused", LOG_C("session", s->message.id), LOG_U64("uid", s->uid), LOG_STR("login", s->message.login),
		 LOG_STR("from", s->message.from), LOG_C("reason", v->text));
	ret->code = v->code;
	ret->text = str_of(v->text);
	control_message_forget(&s->message);
}

static enum status on_data(struct control_submit *s, const struct control_submit_data_request *q, void *reply)
{
	const struct control_where w = where(s);
	struct control_verdict     v;

	if (!s->message.arena)
		return ST_INVALID;
	v = control_message_add(&s->message, &w, q->octets);
	if (v.code != EX_OK)
		refused(s, &v, reply);
	return ST_OK;
}

/* ST_CLOSED: nobody can say whether queue has it; the program is not answered and says "try again". */
static enum status on_end(struct control_submit *s, void *reply)
{
	struct control_submit_end_reply *ret = reply;
	const struct control_where       w = where(s);
	struct control_message          *m = &s->message;
	struct control_verdict           v;
	bool                             unknown;

	if (!m->arena)
		return ST_INVALID;
	v = control_message_end(m, &w, &ret->id, &unknown);
	if (unknown)
		return ST_CLOSED;
	if (v.code != EX_OK) {
		refused(s, &v, ret);
		return ST_OK;
	}
	log_info("local message accepted", LOG_C("session", m->id), LOG_C("id", queue_id_text(ret->id).p), LOG_U64("uid", s->uid),
		 LOG_U64("pid", (uint64_t)s->pid), LOG_STR("login", m->login), LOG_STR("from", m->from), LOG_U64("rcpts", m->rcpt_count),
		 LOG_U64("size_octets", m->spooled + m->memory.n));
	control_message_forget(m);
	return ST_OK;
}

/* ---- the connection ---- */

static enum status carry_out(struct control_submit *s, const struct ipc_frame *f)
{
	const struct ipc_msg *m = &ipc_msgs[f->type];
	struct arena *a       CLEANUP(arena_free) = arena_new(NULL);
	void                 *request = arena_alloc(a, m->request.size), *reply = arena_alloc(a, m->reply.size);
	enum status           st = ipc_decode(f->payload, NULL, &m->request, request, a, f->version);

	if (st != ST_OK)
		return st;
	switch (f->type) {
	case IPC_CONTROL_SUBMIT_OPEN: st = on_open(s, a, reply); break;
	case IPC_CONTROL_SUBMIT_BEGIN: st = on_begin(s, request, a, reply); break;
	case IPC_CONTROL_SUBMIT_DATA: st = on_data(s, request, reply); break;
	default: st = on_end(s, reply); break;
	}
	return st == ST_CLOSED ? st : control_answer(s->fd, f, st, st == ST_OK ? reply : NULL);
}

void control_submit_serve(struct control_submit *s)
{
	struct ipc_reader in;
	struct ipc_frame  f;

	log_debug("local program connected", LOG_U64("uid", s->uid), LOG_U64("pid", (uint64_t)s->pid));
	ipc_reader_init(&in, s->fd);
	while (ipc_reader_next(&in, &f) == ST_OK) {
		bool fits = f.type >= IPC_CONTROL_SUBMIT_OPEN && f.type <= IPC_CONTROL_SUBMIT_END && !f.reply && f.fds.n == 0;

		ipc_fds_close(&f.fds);
		if (!fits || carry_out(s, &f) != ST_OK)
			break;
	}
	ipc_reader_done(&in);
	control_submit_free(&s);
}
