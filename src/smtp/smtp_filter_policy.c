/* smtp/smtp_filter_policy.c - asking policy servers, and doing what they say; see smtp_filter_int.h. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/metric.h"
#include "smtp/smtp_filter_int.h"
#include "sys/fd.h"

#define QUESTION_MAX (32 * KIB)

/* ---- the question ---- */

static const char *const states[] = {
	[FILTER_STAGE_RCPT] = "RCPT",
	[FILTER_STAGE_DATA] = "DATA",
	[FILTER_STAGE_END] = "END-OF-MESSAGE",
};

static void number_add(struct buf *out, struct str name, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	policy_line_add(out, name, str_of(text));
}

/* Behind RCPT there may be many: then none is named. */
static struct str rcpt_of(const struct smtp_filter *f, enum filter_stage stage)
{
	const struct smtp_tx *tx = &f->s->tx;

	if (stage == FILTER_STAGE_RCPT)
		return f->rcpt;
	return tx->rcpt_count == 1 ? tx->rcpts[0].address : STR("");
}

/* Every attribute of the README; those that we know nothing of are empty, as it demands. */
static void question_write(const struct smtp_filter *f, enum filter_stage stage, struct buf *out)
{
	const struct smtp_session *s = f->s;
	const struct smtp_tx      *tx = &s->tx;
	const bool                 tls = s->info->tls;

	policy_line_add(out, STR("request"), STR("smtpd_access_policy"));
	policy_line_add(out, STR("protocol_state"), str_of(states[stage]));
	policy_line_add(out, STR("protocol_name"), s->esmtp ? STR("ESMTP") : STR("SMTP"));
	policy_line_add(out, STR("helo_name"), buf_str(&s->hello));
	policy_line_add(out, STR("queue_id"), STR(""));
	policy_line_add(out, STR("sender"), tx->from);
	policy_line_add(out, STR("recipient"), rcpt_of(f, stage));
	number_add(out, STR("recipient_count"), stage == FILTER_STAGE_RCPT ? 0 : tx->rcpt_count);
	policy_line_add(out, STR("client_address"), str_of(s->info->peer));
	policy_line_add(out, STR("client_name"), STR("unknown"));
	policy_line_add(out, STR("reverse_client_name"), STR("unknown"));
	number_add(out, STR("client_port"), s->info->peer_port);
	policy_line_add(out, STR("server_address"), str_of(s->info->local));
	number_add(out, STR("server_port"), s->info->local_port);
	policy_line_add(out, STR("instance"), str_of(tx->id));
	policy_line_add(out, STR("sasl_method"), STR(""));
	policy_line_add(out, STR("sasl_username"), s->signed_in ? buf_str(&s->login) : STR(""));
	policy_line_add(out, STR("sasl_sender"), STR(""));
	number_add(out, STR("size"), stage == FILTER_STAGE_END ? tx->content.peer_octets : tx->declared_octets);
	policy_line_add(out, STR("ccert_subject"), STR(""));
	policy_line_add(out, STR("ccert_issuer"), STR(""));
	policy_line_add(out, STR("ccert_fingerprint"), STR(""));
	policy_line_add(out, STR("ccert_pubkey_fingerprint"), STR(""));
	policy_line_add(out, STR("encryption_protocol"), tls ? str_of(s->info->tls_version) : STR(""));
	policy_line_add(out, STR("encryption_cipher"), tls ? str_of(s->info->tls_cipher) : STR(""));
	policy_line_add(out, STR("encryption_keysize"), tls ? STR("") : STR("0"));
	policy_line_add(out, STR("etrn_domain"), STR(""));
	policy_line_add(out, STR("stress"), STR(""));
	policy_line_add(out, STR("policy_context"), STR(""));
	buf_add_char(out, '\n');
}

/* ---- asking ---- */

static enum status open_again(struct smtp_filter *f, struct smtp_policy *p)
{
	int         fd = -1;
	enum status st = smtp_filter_connect(f->s, REMOTE_CONNECT_POLICY, p->index, p->client.conf, &fd);

	if (st == ST_OK)
		policy_client_open(&p->client, fd);
	return st;
}

/* A server may close a connection that has been idle; then there is a second try, on a new one. */
static enum status ask(struct smtp_filter *f, struct smtp_policy *p, struct str question, struct policy_answer *ret)
{
	bool        used = policy_client_is_alive(&p->client);
	enum status st = used ? ST_OK : open_again(f, p);

	if (st == ST_OK)
		st = policy_client_ask(&p->client, question, ret);
	if (st == ST_CLOSED && used) {
		st = open_again(f, p);
		if (st == ST_OK)
			st = policy_client_ask(&p->client, question, ret);
	}
	return st;
}

/* ---- what it says ---- */

static const struct smtp_reply *fail(struct smtp_filter *f, const struct smtp_policy *p, const char *why)
{
	static const struct smtp_reply later = { 451, "4.7.1", "A policy server is not available, try again later" };
	static const struct smtp_reply never = { 550, "5.7.1", "A policy server is not available, and mail is not taken without it" };

	metric_add(METRIC_SMTP_POLICY_FAILURES, 1);
	log_warn("policy server failed", LOG_C("session", f->s->info->id), LOG_C("tx", f->s->tx.id), LOG_STR("policy", p->client.conf->address),
		 LOG_C("why", why));
	switch (p->client.conf->fallback) {
	case FILTER_ACCEPT:
	case FILTER_QUARANTINE: return NULL; /* quarantine is not accepted by the configuration */
	case FILTER_REJECT: return &never;
	case FILTER_TEMPFAIL: break;
	}
	return &later;
}

static const struct smtp_reply *prepend(struct smtp_filter *f, const struct smtp_policy *p, const struct policy_answer *a)
{
	const struct milter_answer insert = { .kind = MILTER_ANSWER_INSERT_HEADER, .index = (uint32_t)f->prepend.count, .name = a->name,
					       .value = a->value };

	if (f->prepend.octets + a->name.n + a->value.n > LIMIT_POLICY_PREPEND)
		return fail(f, p, "too much to prepend");
	f->prepend.arena = f->s->tx.arena;
	return milter_edits_add(&f->prepend, &insert) == ST_OK ? NULL : fail(f, p, "too much to prepend");
}

static void told(const struct smtp_filter *f, const struct smtp_policy *p, struct str text, const char *what)
{
	log_info("policy server has decided", LOG_C("session", f->s->info->id), LOG_C("tx", f->s->tx.id), LOG_STR("policy", p->client.conf->address),
		 LOG_C("action", what), LOG_STR("text", text));
}

/* *ret_stop: no other server is asked. */
static const struct smtp_reply *obey(struct smtp_filter *f, const struct smtp_policy *p, const struct policy_answer *a, bool *ret_stop)
{
	switch (a->action) {
	case POLICY_DUNNO: return NULL;
	case POLICY_OK: *ret_stop = true; return NULL;
	case POLICY_LOG: told(f, p, a->text, "log"); return NULL;
	case POLICY_REPLY: told(f, p, a->text, "refuse"); return smtp_filter_words(&f->refusal, &a->reply, false);
	case POLICY_PREPEND: return prepend(f, p, a);
	case POLICY_HOLD:
		told(f, p, a->text, "hold");
		f->hold = true;
		return NULL;
	case POLICY_DISCARD:
		told(f, p, a->text, "discard");
		f->s->tx.discard = *ret_stop = true;
		return NULL;
	case POLICY_DEFER_IF_REJECT:
		f->if_reject = f->if_reject ? f->if_reject : smtp_filter_words(&f->deferral[0], &a->reply, false);
		return NULL;
	case POLICY_DEFER_IF_PERMIT:
		f->if_permit = f->if_permit ? f->if_permit : smtp_filter_words(&f->deferral[1], &a->reply, false);
		return NULL;
	case POLICY_UNSUPPORTED:
		log_warn("policy server wants what is not done here", LOG_C("session", f->s->info->id), LOG_STR("policy", p->client.conf->address),
			 LOG_STR("action", a->text));
		return NULL;
	case POLICY_UNKNOWN: break;
	}
	return fail(f, p, "unknown action");
}

static const struct smtp_reply *ask_one(struct smtp_filter *f, struct smtp_policy *p, struct str question, bool *ret_stop)
{
	struct policy_answer a;
	enum status          st = p->failures > LIMIT_FILTER_FAILURES ? ST_LIMIT : ask(f, p, question, &a);

	if (st == ST_OK)
		return obey(f, p, &a, ret_stop);
	p->failures++;
	return fail(f, p, st == ST_TEMP ? "timeout" : st == ST_CORRUPT ? "malformed answer" : st == ST_LIMIT ? "too much" : "connection lost");
}

const struct smtp_reply *smtp_filter_policy(struct smtp_filter *f, enum filter_stage stage)
{
	const struct smtp_reply *refusal = NULL;
	struct buf               question;
	bool                     stop = false;

	buf_init(&question, QUESTION_MAX);
	f->if_reject = f->if_permit = NULL;
	for (unsigned i = 0; i < f->policy_count && !refusal && !stop; i++) {
		if (!(f->policies[i].client.conf->stages & stage))
			continue;
		if (question.n == 0)
			question_write(f, stage, &question);
		CHECK(!question.over);
		refusal = ask_one(f, &f->policies[i], buf_str(&question), &stop);
	}
	buf_done(&question);
	return refusal;
}
