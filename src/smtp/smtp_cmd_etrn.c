/* smtp/smtp_cmd_etrn.c - ETRN: send me what waits for this domain (RFC 1985).
 *
 * For peers that signed in or are trusted, and for domains that we relay for. The mail goes where it always goes, to the host of the
 * route or of DNS: who asks cannot have it sent to itself. Forms with an option character ("@" for subdomains, "#" for a queue) are not taken.
 */
#include "base/log.h"
#include "smtp/smtp_session.h"
#include "wire/address/address.h"

static const struct smtp_reply started = { 252, "2.0.0", "OK, what waits for that domain is tried now" };
static const struct smtp_reply nothing = { 251, "2.0.0", "OK, nothing waits for that domain" };
static const struct smtp_reply syntax = { 501, "5.5.4", "Syntax: ETRN domain" };
static const struct smtp_reply not_ours = { 459, "4.7.1", "Not a domain that is relayed here" };
static const struct smtp_reply later = { 458, "4.3.0", "Cannot be done now, try again later" };
static const struct smtp_reply enough = { 458, "4.7.0", "Too many ETRN commands, try again later" };

/* auth knows of a relay domain by what it says of a recipient there. */
static const struct smtp_reply *domain_check(struct smtp_session *s, struct str domain)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	const struct auth_rcpt_request request = {
		.address = arena_printf(a, "postmaster@%.*s", STR_FMT(domain)),
		.peer = str_of(s->info->peer),
		.helo = buf_str(&s->hello),
		.session = str_of(s->info->id),
		.account = s->account,
		.exempt = true,
	};
	struct auth_rcpt_reply r;

	if (s->env->ask->rcpt(s->env->ask_ctx, &request, a, &r) != ST_OK)
		return &later;
	return r.kind == AUTH_RCPT_RELAY || r.kind == AUTH_RCPT_PROBE ? NULL : &not_ours;
}

enum smtp_next smtp_cmd_etrn(struct smtp_session *s, struct str arg)
{
	struct address_canon     domain;
	const struct smtp_reply *refusal;
	uint64_t                 count = 0;

	if (++s->etrns > LIMIT_SMTP_ETRN)
		return smtp_answer(s, &enough);
	if (address_domain(arg, &domain) != ADDRESS_OK)
		return smtp_answer(s, &syntax);
	refusal = domain_check(s, address_text(&domain));
	if (refusal)
		return smtp_answer(s, refusal);
	switch (s->env->ask->flush(s->env->ask_ctx, address_text(&domain), &count)) {
	case ST_OK: break;
	case ST_LIMIT: return smtp_answer(s, &enough);
	default: return smtp_answer(s, &later);
	}
	log_info("etrn", LOG_C("session", s->info->id), LOG_C("peer", s->info->peer), LOG_STR("domain", address_text(&domain)),
		 LOG_U64("messages", count));
	return smtp_answer(s, count > 0 ? &started : &nothing);
}
