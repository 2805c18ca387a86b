/* smtp/smtp_filter.c - see smtp_filter.h. */
#include "smtp/smtp_filter.h"

#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "base/metric.h"
#include "smtp/smtp_filter_int.h"

#define RELOAD_TRIES   5u /* a reload reaches this process and remote one after the other */
#define RELOAD_WAIT_MS 200u

static const struct smtp_reply busy = { 451, "4.3.2", "Too many messages in the filters, try again later" };
static const struct smtp_reply no_filter = { 451, "4.7.1", "A filter is not available, try again later" };
static const struct smtp_reply no_filter_ever = { 550, "5.7.1", "A filter is not available, and mail is not taken without it" };
static const struct smtp_reply no_memory = { 452, "4.3.1", "Too much mail at once, try again later" };
static const struct smtp_reply no_content = { 451, "4.3.0", "Message cannot be filtered now, try again later" };
static const struct smtp_reply header_big = { 552, "5.3.4", "Header too big for the filters" };
static const struct smtp_reply loop = { 554, "5.4.6", "Too many hops: this message is going in circles" };

/* ---- making, and counting who is inside ---- */

static unsigned place_of(const struct smtp_session *s)
{
	return s->env->kind == SMTP_KIND_RELAY ? FILTER_AT_SMTP : s->env->kind == SMTP_KIND_SUBMISSION ? FILTER_AT_SUBMISSION : 0;
}

static void milters_take(struct smtp_filter *f, const struct filter_list *list)
{
	struct arena *a = net_arena(f->s->conn);

	f->milters = ARENA_ARRAY(a, struct smtp_milter, list->count);
	for (unsigned i = 0; i < list->count; i++) {
		struct smtp_milter *m = &f->milters[f->milter_count];

		if (!(list->filters[i].where & place_of(f->s)))
			continue;
		m->index = i;
		milter_init(&m->m, &list->filters[i], a, smtp_filter_macros(f));
		f->milter_count++;
	}
}

static void policies_take(struct smtp_filter *f, const struct filter_list *list)
{
	f->policies = ARENA_ARRAY(net_arena(f->s->conn), struct smtp_policy, list->count);
	for (unsigned i = 0; i < list->count; i++) {
		struct smtp_policy *p = &f->policies[f->policy_count];

		if (!(list->filters[i].where & place_of(f->s)))
			continue;
		p->index = i;
		policy_client_init(&p->client, &list->filters[i]);
		f->policy_count++;
	}
}

/* The session's filters: made at the first MAIL, by the settings that the session began with. NULL: it has none. */
static struct smtp_filter *filter_get(struct smtp_session *s)
{
	struct smtp_filter *f = s->filter;

	if (f || (!s->set->milters && !s->set->policies) || place_of(s) == 0)
		return f;
	s->filter = f = ARENA_NEW(net_arena(s->conn), struct smtp_filter);
	f->s = s;
	if (s->set->milters)
		milters_take(f, s->set->milters);
	if (s->set->policies)
		policies_take(f, s->set->policies);
	return f;
}

enum status smtp_filter_connect(struct smtp_session *s, enum remote_purpose purpose, uint32_t index, const struct filter_conf *conf, int *ret_fd)
{
	const struct smtp_ask              *ask = s->env->ask;
	const struct remote_connect_request q = { purpose, index, filter_check(conf) };
	enum status                         st = ask->filter(s->env->ask_ctx, &q, ret_fd);

	for (unsigned i = 0; i < RELOAD_TRIES && st == ST_NOT_FOUND; i++) {
		ask->pause(s->env->ask_ctx, RELOAD_WAIT_MS);
		st = ask->filter(s->env->ask_ctx, &q, ret_fd);
	}
	return st;
}

static bool inside(struct smtp_session *s)
{
	if (!s->env->filtering || atomic_fetch_add(s->env->filtering, 1) < LIMIT_FILTER_THREADS)
		return true;
	atomic_fetch_sub(s->env->filtering, 1);
	metric_add(METRIC_SMTP_FILTERS_FULL, 1);
	log_warn("too many sessions wait for filters", LOG_C("session", s->info->id), LOG_U64("limit", LIMIT_FILTER_THREADS));
	return false;
}

static void outside(struct smtp_session *s)
{
	if (s->env->filtering)
		atomic_fetch_sub(s->env->filtering, 1);
}

/* ---- from verdicts to replies ---- */

static void text_set(struct smtp_filter_reply *r, const struct milter_reply *words, bool percent)
{
	struct buf b = { .p = r->text, .cap = sizeof(r->text), .max = sizeof(r->text) - 1 };

	for (unsigned i = 0; i < words->line_count; i++) {
		if (i > 0)
			buf_add_char(&b, ' ');
		for (size_t k = 0; k < words->lines[i].n; k++) {
			buf_add_char(&b, words->lines[i].p[k]);
			k += percent && words->lines[i].p[k] == '%' && k + 1 < words->lines[i].n && words->lines[i].p[k + 1] == '%';
		}
	}
	r->text[b.n] = '\0';
}

const struct smtp_reply *smtp_filter_words(struct smtp_filter_reply *r, const struct milter_reply *words, bool percent)
{
	memcpy(r->enhanced, words->enhanced, sizeof(r->enhanced));
	text_set(r, words, percent);
	r->reply = (struct smtp_reply){ words->code, r->enhanced[0] ? r->enhanced : words->code >= 500 ? "5.7.1" : "4.7.1",
					r->text[0] ? r->text : "Refused by a filter" };
	return &r->reply;
}

static const struct smtp_reply *reply_set(struct smtp_filter_reply *r, const struct milter_verdict *v)
{
	static const struct smtp_reply rejected = { 550, "5.7.1", "Refused by a filter" };
	static const struct smtp_reply later = { 451, "4.7.1", "Not taken now by a filter, try again later" };
	static const struct smtp_reply shutdown = { 421, "4.7.0", "Service not available, closing" };

	if (v->end == MILTER_REPLY)
		return smtp_filter_words(r, &v->reply, true);
	return v->end == MILTER_REJECT ? &rejected : v->end == MILTER_SHUTDOWN ? &shutdown : &later;
}

/* The filter's default, for the rest of the transaction. */
static const struct smtp_reply *fallback(struct smtp_filter *f, struct smtp_milter *m)
{
	m->failed = true;
	switch (m->m.conf->fallback) {
	case FILTER_ACCEPT: return NULL;
	case FILTER_QUARANTINE: f->hold = true; return NULL;
	case FILTER_REJECT: return &no_filter_ever;
	case FILTER_TEMPFAIL: break;
	}
	return &no_filter;
}

static const struct smtp_reply *fail(struct smtp_filter *f, struct smtp_milter *m, const char *stage, const char *why)
{
	log_warn("milter failed", LOG_C("session", f->s->info->id), LOG_C("tx", f->s->tx.id), LOG_STR("milter", m->m.conf->address),
		 LOG_C("stage", stage), LOG_C("why", why));
	metric_add(METRIC_SMTP_MILTER_FAILURES, 1);
	milter_done(&m->m);
	m->failures++;
	return fallback(f, m);
}

/* One verdict at any stage. NULL: go on. */
static const struct smtp_reply *judge(struct smtp_filter *f, struct smtp_milter *m, const char *stage, const struct milter_verdict *v)
{
	if (v->end == MILTER_CONTINUE)
		return NULL;
	if (v->end == MILTER_FAILED)
		return fail(f, m, stage, v->why);
	log_info("milter has decided", LOG_C("session", f->s->info->id), LOG_C("tx", f->s->tx.id), LOG_STR("milter", m->m.conf->address),
		 LOG_C("stage", stage), LOG_C("verdict", v->end == MILTER_ACCEPT ? "accept" : v->end == MILTER_DISCARD ? "discard" : "refuse"));
	if (v->end == MILTER_ACCEPT || v->end == MILTER_DISCARD) {
		m->pass = true;
		f->s->tx.discard = f->s->tx.discard || v->end == MILTER_DISCARD;
		return NULL;
	}
	return reply_set(&f->refusal, v);
}

/* Is it to be told? If not, *ret is what holds instead. */
static bool is_asked(struct smtp_filter *f, struct smtp_milter *m, const struct smtp_reply **ret)
{
	*ret = m->failed ? fallback(f, m) : NULL;
	return !m->off && !m->pass && !m->failed && !f->s->tx.discard;
}

/* DEFER_IF_REJECT and DEFER_IF_PERMIT of a policy server, when all others have spoken. */
static const struct smtp_reply *deferred(const struct smtp_filter *f, const struct smtp_reply *refusal)
{
	if (refusal)
		return refusal->code >= 500 && f->if_reject ? f->if_reject : refusal;
	return f->if_permit;
}

/* ---- hooks ---- */

/* With XCLIENT the same connection speaks for somebody else: what filters know and said of the one before does not hold for him. */
static void peer_check(struct smtp_filter *f)
{
	uint64_t peer = str_hash(str_of(f->s->info->peer)) ^ f->s->info->peer_port;

	for (unsigned i = 0; i < f->milter_count && f->peer != peer; i++) {
		milter_done(&f->milters[i].m);
		f->milters[i].off = f->milters[i].barred = false;
	}
	f->peer = peer;
}

static const struct smtp_reply *mail_one(struct smtp_filter *f, struct smtp_milter *m, struct str params)
{
	const struct smtp_reply *refusal;
	struct milter_verdict    v;

	if (m->barred)
		return &m->bar.reply;
	if (!is_asked(f, m, &refusal))
		return refusal;
	if (m->failures > LIMIT_FILTER_FAILURES)
		return fallback(f, m);
	v = smtp_filter_mail_tell(f, m, params);
	refusal = judge(f, m, m->barred ? "connect" : "mail", &v);
	if (!m->barred)
		return refusal;
	m->bar.reply = *reply_set(&m->bar, &v); /* before the milter's memory goes */
	milter_done(&m->m);
	return &m->bar.reply;
}

const struct smtp_reply *smtp_filter_mail(struct smtp_session *s, struct str arg)
{
	struct smtp_filter      *f = filter_get(s);
	const struct smtp_reply *refusal = NULL;

	if (!f)
		return NULL;
	if (!inside(s))
		return &busy;
	peer_check(f);
	f->hold = false;
	f->prepend = (struct milter_edits){ 0 };
	for (unsigned i = 0; i < f->policy_count; i++)
		policy_client_begin(&f->policies[i].client);
	for (unsigned i = 0; i < f->milter_count && !refusal; i++) {
		f->milters[i].pass = f->milters[i].failed = false;
		refusal = mail_one(f, &f->milters[i], smtp_filter_params(arg));
	}
	outside(s);
	return refusal;
}

typedef struct milter_verdict tell_fn(struct smtp_filter *f, struct smtp_milter *m, struct str arg);

static struct milter_verdict rcpt_tell(struct smtp_filter *f, struct smtp_milter *m, struct str arg)
{
	return milter_rcpt(&m->m, f->rcpt, smtp_filter_params(arg));
}

static struct milter_verdict data_tell(struct smtp_filter *f, struct smtp_milter *m, struct str arg)
{
	(void)f, (void)arg;
	return milter_data(&m->m);
}

/* The policy servers, then each milter, until one refuses. */
static const struct smtp_reply *stage(struct smtp_filter *f, enum filter_stage at, const char *name, tell_fn *tell, struct str arg)
{
	const struct smtp_reply *refusal;

	if (!inside(f->s))
		return &busy;
	refusal = smtp_filter_policy(f, at);
	for (unsigned i = 0; i < f->milter_count && !refusal; i++)
		if (is_asked(f, &f->milters[i], &refusal)) {
			struct milter_verdict v = tell(f, &f->milters[i], arg);

			refusal = judge(f, &f->milters[i], name, &v);
		}
	outside(f->s);
	return deferred(f, refusal);
}

const struct smtp_reply *smtp_filter_rcpt(struct smtp_session *s, struct str arg, struct str address)
{
	struct smtp_filter      *f = s->filter;
	const struct smtp_reply *refusal;

	if (!f)
		return NULL;
	f->rcpt = address;
	refusal = stage(f, FILTER_STAGE_RCPT, "rcpt", rcpt_tell, arg);
	f->rcpt = STR_NONE;
	return refusal;
}

const struct smtp_reply *smtp_filter_data(struct smtp_session *s)
{
	return s->filter ? stage(s->filter, FILTER_STAGE_DATA, "data", data_tell, STR_NONE) : NULL;
}

const struct smtp_reply *smtp_filter_unknown(struct smtp_session *s, struct str line)
{
	struct smtp_filter      *f = s->filter;
	const struct smtp_reply *reply = NULL;

	if (!f || !inside(s))
		return NULL;
	for (unsigned i = 0; i < f->milter_count && !reply; i++) {
		struct smtp_milter   *m = &f->milters[i];
		struct milter_verdict v;

		if (m->off || m->failed || !milter_is_alive(&m->m))
			continue;
		v = milter_unknown(&m->m, line);
		if (v.end == MILTER_FAILED) /* inside a transaction its default holds from here on; the command is refused anyhow */
			(void)fail(f, m, "unknown", v.why);
		else if (v.end != MILTER_CONTINUE && v.end != MILTER_ACCEPT)
			reply = reply_set(&f->refusal, &v);
	}
	outside(s);
	return reply;
}

/* ---- the message ---- */

static const struct smtp_reply *const view_replies[] = {
	[SMTP_VIEW_HEADER] = &header_big, [SMTP_VIEW_BUSY] = &no_memory, [SMTP_VIEW_IO] = &no_content,
};

/* Where the new body of one filter goes: as a chunk of the peer's does, so that what is kept has CRLF as its only line end, whoever wrote it. */
struct body {
	struct smtp_session *s;
	struct smtp_content  content;
	struct smtp_chunk    chunk;
	enum status          status;
};

static void body_put(void *ctx, struct str run)
{
	struct body *b = ctx;

	if (b->status == ST_OK)
		b->status = smtp_filter_put(b->s, &b->content, run);
}

static enum status body_write(void *ctx, struct str octets)
{
	struct body *b = ctx;

	smtp_chunk_feed(&b->chunk, octets, body_put, b);
	return b->chunk.nul ? ST_INVALID : b->status;
}

static unsigned hops_of(const struct milter_header *h)
{
	unsigned n = 1; /* ours */

	for (size_t i = 0; i < h->count; i++)
		n += !h->fields[i].gone && str_ieq(h->fields[i].name, STR("Received"));
	return n;
}

static bool is_header_edit(const struct milter_edit *e)
{
	return e->kind == MILTER_ANSWER_ADD_HEADER || e->kind == MILTER_ANSWER_INSERT_HEADER || e->kind == MILTER_ANSWER_CHANGE_HEADER;
}

static bool has_header_edit(const struct milter_edits *e)
{
	for (size_t i = 0; i < e->count; i++)
		if (is_header_edit(&e->items[i]))
			return true;
	return false;
}

/* Carry out what a filter that has ended well wants: first make the whole, then exchange it, then the envelope, which cannot fail any more. */
static const struct smtp_reply *edits_apply(struct smtp_filter *f, struct smtp_milter *m, struct smtp_filter_view *v, struct milter_edits *e,
					    struct body *body)
{
	struct smtp_session *s = f->s;
	struct smtp_content  made;
	bool                 remade = e->body || has_header_edit(e);
	enum status          st;

	smtp_chunk_end(&body->chunk, body_put, body);
	st = body->status;
	if (remade && st == ST_OK) {
		milter_header_edit(&v->header, e, milter_leadspc(&m->m));
		if (hops_of(&v->header) > LIMIT_HOPS)
			return &loop;
		st = smtp_filter_build(s, v, e->body ? &body->content : NULL, &made);
	}
	if (st != ST_OK)
		return fail(f, m, "changes", st == ST_LIMIT ? "the message would be too big" : "the message cannot be made anew");
	if (!smtp_filter_envelope(s, e)) {
		if (remade)
			smtp_content_done(&made);
		return fail(f, m, "changes", "not an address, or too many recipients");
	}
	if (remade) {
		smtp_content_done(&s->tx.content);
		s->tx.content = made;
	}
	f->hold = f->hold || e->quarantine;
	s->tx.discard = s->tx.discard || s->tx.rcpt_count == 0;
	log_info("milter has ended", LOG_C("session", s->info->id), LOG_C("tx", s->tx.id), LOG_STR("milter", m->m.conf->address),
		 LOG_U64("changes", e->count), LOG_U64("new_body", e->body), LOG_U64("quarantine", e->quarantine), LOG_STR("reason", e->reason));
	return NULL;
}

static const struct smtp_reply *message_tell(struct smtp_filter *f, struct smtp_milter *m, struct smtp_filter_view *view, struct arena *a)
{
	struct body              body = { .s = f->s, .status = ST_OK };
	struct milter_edits      edits = { .arena = a, .body_sink = { body_write, &body } };
	const struct smtp_reply *refusal;
	struct milter_verdict    v;

	smtp_content_init(&body.content, net_of(f->s->conn));
	smtp_chunk_init(&body.chunk, true);
	v = milter_message(&m->m, &view->header, &view->body, &edits);
	refusal = judge(f, m, "message", &v);
	if (v.end == MILTER_CONTINUE || v.end == MILTER_ACCEPT)
		refusal = edits_apply(f, m, view, &edits, &body);
	smtp_content_done(&body.content);
	return refusal;
}

static const struct smtp_reply *message_one(struct smtp_filter *f, struct smtp_milter *m)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	struct smtp_filter_view  view;
	const struct smtp_reply *refusal;
	enum smtp_view           seen = smtp_filter_view_open(f->s, a, &view);

	refusal = seen == SMTP_VIEW_OK ? message_tell(f, m, &view, a) : view_replies[seen];
	smtp_filter_view_close(f->s, &view);
	return refusal;
}

/* What policy servers add stands before all that the peer sent, behind our own field. */
static const struct smtp_reply *prepend_apply(struct smtp_filter *f)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	struct smtp_session     *s = f->s;
	struct smtp_filter_view  view;
	struct smtp_content      made;
	enum smtp_view           seen = smtp_filter_view_open(s, a, &view);
	const struct smtp_reply *refusal = seen == SMTP_VIEW_OK ? NULL : view_replies[seen];

	if (!refusal) {
		milter_header_edit(&view.header, &f->prepend, false);
		refusal = smtp_filter_build(s, &view, NULL, &made) == ST_OK ? NULL : &no_content;
	}
	smtp_filter_view_close(s, &view);
	if (!refusal) {
		smtp_content_done(&s->tx.content);
		s->tx.content = made;
	}
	return refusal;
}

const struct smtp_reply *smtp_filter_message(struct smtp_session *s)
{
	struct smtp_filter      *f = s->filter;
	const struct smtp_reply *refusal = NULL;

	if (!f)
		return NULL;
	if (!inside(s))
		return &busy;
	refusal = smtp_filter_policy(f, FILTER_STAGE_END);
	if (!refusal && f->prepend.count > 0)
		refusal = prepend_apply(f);
	for (unsigned i = 0; i < f->milter_count && !refusal; i++)
		if (is_asked(f, &f->milters[i], &refusal))
			refusal = message_one(f, &f->milters[i]);
	outside(s);
	return deferred(f, refusal);
}

enum smtp_next smtp_filter_discard(struct smtp_session *s)
{
	static const struct smtp_reply ok = { 250, "2.0.0", "OK" };

	metric_add(METRIC_SMTP_MESSAGES_DISCARDED, 1);
	log_info("message discarded", LOG_C("session", s->info->id), LOG_C("peer", s->info->peer), LOG_C("tx", s->tx.id),
		 LOG_STR("from", s->tx.from), LOG_U64("size_octets", smtp_content_size(&s->tx.content)));
	s->messages++;
	s->errors = s->commands = s->rcpts = 0;
	smtp_tx_reset(s);
	smtp_enter(s, SMTP_STATE_READY);
	return smtp_answer(s, &ok);
}

uint32_t smtp_filter_flags(const struct smtp_session *s)
{
	return (s->filter && s->filter->hold ? QUEUE_FLAG_HOLD : 0) | (s->set->content_filter && place_of(s) != 0 ? QUEUE_FLAG_FILTER : 0);
}

void smtp_filter_abort(struct smtp_session *s)
{
	for (unsigned i = 0; s->filter && i < s->filter->milter_count; i++)
		milter_abort(&s->filter->milters[i].m);
}

void smtp_filter_close(struct smtp_session *s)
{
	for (unsigned i = 0; s->filter && i < s->filter->milter_count; i++)
		milter_done(&s->filter->milters[i].m);
	for (unsigned i = 0; s->filter && i < s->filter->policy_count; i++)
		policy_client_done(&s->filter->policies[i].client);
}
