/* deliver/remote_tls.c - contract is in remote_tls.h. */
#include "deliver/remote_tls.h"

#include "deliver/remote_tlsrpt.h"

static bool by_sender(const struct remote_policy *p)
{
	return p->by == REMOTE_BY_SENDER;
}

/* "The domain requires TLS (DANE), and ..." */
static const char *who_wants(const struct remote_policy *p)
{
	switch (p->by) {
	case REMOTE_BY_SENDER: return "The sender requires verified TLS";
	case REMOTE_BY_ROUTE: return "The route requires TLS";
	case REMOTE_BY_STS: return "The domain requires verified TLS (MTA-STS)";
	case REMOTE_BY_DANE: return "The domain requires TLS (DANE)";
	case REMOTE_BY_NOBODY: break;
	}
	return "TLS is required";
}

static struct remote_outcome wanted(const struct remote_policy *p, bool final, const char *code, struct arena *a, const char *what)
{
	return (struct remote_outcome){ final ? REMOTE_REFUSED : REMOTE_DEFERRED, arena_printf(a, "%c.%s", final ? '5' : '4', code),
					arena_printf(a, "%s, and %s", who_wants(p), what) };
}

static enum remote_tls_done missing(const struct remote_policy *p, const char *text, const char *what, bool final, struct arena *a,
				    struct remote_tls_outcome *ret, struct remote_outcome *ret_why)
{
	*ret = (struct remote_tls_outcome){ .text = str_of(text), .decided = true, .result = TLSRPT_STARTTLS_NOT_SUPPORTED, .reason = str_of(what) };
	if (p->level <= REMOTE_TLS_MAY)
		return REMOTE_TLS_CLEAR;
	ret->text = STR("");
	*ret_why = wanted(p, final, "7.10", a, what);
	return REMOTE_TLS_REFUSED;
}

enum remote_tls_done remote_tls_not_offered(const struct remote_policy *p, struct arena *a, struct remote_tls_outcome *ret,
					    struct remote_outcome *ret_why)
{
	if (p->level != REMOTE_TLS_NONE)
		return missing(p, "in clear: not offered", "the host does not offer it", by_sender(p), a, ret, ret_why);
	*ret = (struct remote_tls_outcome){ .text = p->clear.n > 0 ? p->clear : STR("in clear") };
	return REMOTE_TLS_CLEAR;
}

enum remote_tls_done remote_tls_declined(const struct remote_policy *p, struct str reply, struct arena *a, struct remote_tls_outcome *ret,
					 struct remote_outcome *ret_why)
{
	const struct str what = arena_printf(a, "the host says to STARTTLS: %.*s", STR_FMT(reply));

	return missing(p, "in clear: offered, then declined", arena_cstr(a, what), by_sender(p), a, ret, ret_why);
}

/* ---- the handshake ---- */

static struct net_tls_want want_of(const struct remote_policy *p)
{
	struct net_tls_want want = { .sni = p->name, .name_count = p->name_count, .tlsa = p->tlsa, .tlsa_count = p->tlsa_count };

	for (size_t i = 0; i < p->name_count; i++)
		want.names[i] = p->names[i];
	switch (p->level) {
	case REMOTE_TLS_NONE:
	case REMOTE_TLS_MAY: want.verify = p->testing ? NET_VERIFY_TRY : NET_VERIFY_NONE; break;
	case REMOTE_TLS_ENCRYPT: want.verify = NET_VERIFY_NONE; break;
	case REMOTE_TLS_DANE: want.verify = NET_VERIFY_DANE; break;
	case REMOTE_TLS_VERIFIED: want.verify = NET_VERIFY_PKI; break;
	}
	return want;
}

static enum tlsrpt_result result_of(enum net_fault fault)
{
	switch (fault) {
	case NET_FAULT_NONE: return TLSRPT_SUCCESS;
	case NET_FAULT_NAME: return TLSRPT_CERTIFICATE_HOST_MISMATCH;
	case NET_FAULT_EXPIRED: return TLSRPT_CERTIFICATE_EXPIRED;
	case NET_FAULT_UNTRUSTED: return TLSRPT_CERTIFICATE_NOT_TRUSTED;
	case NET_FAULT_TLSA: return TLSRPT_TLSA_INVALID;
	case NET_FAULT_OTHER: return TLSRPT_VALIDATION_FAILURE;
	}
	return TLSRPT_VALIDATION_FAILURE;
}

static const char *proof_text(enum net_proof proof)
{
	switch (proof) {
	case NET_PROOF_NONE: return "unverified";
	case NET_PROOF_PKI: return "verified by authorities";
	case NET_PROOF_DANE_TA: return "verified by DANE-TA";
	case NET_PROOF_DANE_EE: return "verified by DANE-EE";
	}
	return "?";
}

static enum remote_tls_done failed(const struct remote_policy *p, enum status st, const struct net_tls_got *got, struct arena *a,
				   struct remote_outcome *ret_why)
{
	const char *what = arena_cstr(a, arena_printf(a, "%s: %s", st == ST_DENIED ? "the host cannot prove who it is" : "the handshake failed", got->why));

	if (p->level <= REMOTE_TLS_MAY) {
		*ret_why = (struct remote_outcome){ REMOTE_DEFERRED, STR("4.7.5"), arena_printf(a, "TLS handshake failed (%s)", got->why) };
		return REMOTE_TLS_RETRY;
	}
	*ret_why = wanted(p, st == ST_DENIED && by_sender(p), st == ST_DENIED && by_sender(p) ? "7.10" : "7.5", a, what);
	return REMOTE_TLS_REFUSED;
}

enum remote_tls_done remote_tls_handshake(struct net_stream *stream, const struct remote_policy *p, unsigned timeout_ms, struct arena *a,
					  struct remote_tls_outcome *ret, struct remote_outcome *ret_why)
{
	const struct net_tls_want want = want_of(p);
	struct net_tls_got        got;
	enum status               st = net_stream_tls(stream, &want, timeout_ms, &got);

	*ret = (struct remote_tls_outcome){ .text = STR(""), .decided = true, .result = result_of(got.fault), .reason = str_of(got.why) };
	if (st != ST_OK) {
		if (ret->result == TLSRPT_SUCCESS)
			ret->result = TLSRPT_VALIDATION_FAILURE;
		return failed(p, st, &got, a, ret_why);
	}
	if (ret->result == TLSRPT_SUCCESS && p->mismatch) {
		ret->result = TLSRPT_VALIDATION_FAILURE;
		ret->reason = STR("the policy does not name the host");
	}
	if (ret->result == TLSRPT_SUCCESS && p->unusable) { /* RFC 8460 §4.3.2.1 */
		ret->result = TLSRPT_TLSA_INVALID;
		ret->reason = STR("no TLSA record that can be used");
	}
	ret->text = arena_printf(a, "%s %s, %s", net_stream_tls_version(stream), net_stream_tls_cipher(stream), proof_text(got.proof));
	return REMOTE_TLS_UP;
}

/* ---- reports ---- */

void remote_tls_report(const struct remote *remote, const struct remote_target *target, const struct remote_policy *policy,
		       const struct remote_tls_outcome *outcome, struct str helo, const struct net_stream *stream)
{
	char here[LIMIT_IP_TEXT] = "";

	if (!outcome->decided || target->at->domain.n == 0)
		return;
	net_stream_local(stream, here);
	remote_tlsrpt_note(remote, &(struct remote_tlsrpt_note){
					   .domain = target->at->domain, .policy = policy->report, .sts = policy->sts, .policy_text = policy->policy_text,
					   .result = outcome->result, .sending_ip = str_of(here), .mx_host = target->host, .mx_helo = helo,
					   .receiving_ip = str_of(target->address.text), .reason = outcome->reason });
}
