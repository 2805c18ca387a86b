/* deliver/remote_policy.c - contract is in remote_policy.h, the table in docs/concepts/outward-tls.md. */
#include "deliver/remote_policy.h"

#include <string.h>

#include <openssl/evp.h>

#include "deliver/remote_tlsrpt.h"

/* What is known while a policy is looked for. */
struct find {
	const struct remote                 *remote;
	const struct remote_target          *target;
	const struct remote_deliver_request *q;
	struct arena                        *arena;
	struct remote_policy                *p;
	struct remote_outcome               *why; /* written when false is returned */
};

static const struct remote_outcome nobody_trusted = { REMOTE_DEFERRED, STR("4.7.5"),
						      STR("Verified TLS is required, and no authorities to verify with are set up here") };

static bool refuse(struct find *f, struct remote_outcome why)
{
	*f->why = why;
	return false;
}

/* The host's name stands between. */
static bool defer(struct find *f, const char *before, const char *after)
{
	return refuse(f, (struct remote_outcome){ REMOTE_DEFERRED, STR("4.7.5"),
						  arena_printf(f->arena, "%s %.*s%s", before, STR_FMT(f->target->host), after) });
}

/* A host that is passed over for its policy counts once, RFC 8460 §4.3. */
static void report(struct find *f, enum tlsrpt_result result, struct str reason)
{
	struct remote_host *h = f->target->at;

	if (h->domain.n == 0 || h->reported)
		return;
	h->reported = true;
	remote_tlsrpt_note(f->remote, &(struct remote_tlsrpt_note){
					      .domain = h->domain, .policy = f->p->report, .sts = f->p->sts, .policy_text = f->p->policy_text, .result = result,
					      .mx_host = h->name, .receiving_ip = str_of(f->target->address.text), .reason = reason });
}

/* ---- names ---- */

static void name_add(struct remote_policy *p, struct str name)
{
	for (size_t i = 0; i < p->name_count; i++)
		if (str_ieq(p->names[i], name))
			return;
	if (name.n > 0) {
		CHECK(p->name_count < LEN(p->names));
		p->names[p->name_count++] = name;
	}
}

/* ---- levels ---- */

static bool by_pki(struct find *f, enum remote_tls_by by)
{
	const struct remote_host *h = f->target->at;

	if (!f->remote->settings.trusts)
		return refuse(f, nobody_trusted);
	f->p->level = REMOTE_TLS_VERIFIED;
	f->p->by = by;
	name_add(f->p, h->is_address ? str_of(f->target->address.text) : h->name);
	return true;
}

/* RFC 7672 §3.2.2: for usage 2 a certificate may be for any of them. */
static bool by_dane(struct find *f, enum remote_tls_by by, const struct remote_dane *dane)
{
	f->p->level = REMOTE_TLS_DANE;
	f->p->by = by;
	f->p->name = dane->base;
	f->p->tlsa = dane->set.items;
	f->p->tlsa_count = dane->set.count;
	name_add(f->p, dane->base);
	name_add(f->p, f->target->at->name);
	name_add(f->p, f->target->at->domain);
	return true;
}

static bool encrypted(struct find *f, enum remote_tls_by by)
{
	f->p->level = REMOTE_TLS_ENCRYPT;
	f->p->by = by;
	return true;
}

/* ---- what the destination says ---- */

/* False: the host may not be used. */
static bool dane_ask(struct find *f, const struct remote_dane **ret)
{
	const struct remote_dane *dane = remote_dane_find(f->remote, f->arena, f->target);

	*ret = dane;
	if (dane->state == REMOTE_DANE_NONE)
		return true;
	f->p->report = TLSRPT_TLSA;
	f->p->policy_text = dane->text;
	f->p->unusable = dane->state == REMOTE_DANE_UNUSABLE;
	if (dane->state != REMOTE_DANE_FAILED)
		return true;
	report(f, TLSRPT_DNSSEC_INVALID, dane->why.answer);
	return refuse(f, dane->why);
}

/* The policy of the domain, asked once for each host; *ret is NULL: none. False: the host may not be used. */
static bool sts_ask(struct find *f, const struct remote_sts **ret)
{
	struct remote_host *h = f->target->at;

	*ret = NULL;
	if (h->domain.n == 0)
		return true;
	if (!h->sts) {
		struct remote_sts *sts = ARENA_NEW(f->arena, struct remote_sts);

		remote_sts_find(f->remote, h->domain, f->arena, sts);
		h->sts = sts;
	}
	f->p->sts = h->sts;
	if (h->sts->unsure)
		return defer(f, "It is not known just now whether an MTA-STS policy protects", "");
	if (h->sts->mode == STS_NONE)
		return true;
	if (f->p->report == TLSRPT_NO_POLICY)
		f->p->report = TLSRPT_STS;
	*ret = h->sts;
	return true;
}

static bool by_sts(struct find *f, const struct remote_sts *sts)
{
	bool matches = remote_sts_matches(sts, f->target->host);

	if (sts->mode == STS_TESTING) {
		f->p->testing = true;
		f->p->mismatch = !matches;
		name_add(f->p, f->target->host);
		return true;
	}
	if (matches)
		return by_pki(f, REMOTE_BY_STS);
	report(f, TLSRPT_VALIDATION_FAILURE, STR("the policy does not name the host"));
	return defer(f, "The domain's MTA-STS policy does not name its mail host", "");
}

/* DANE before MTA-STS, RFC 8461 §2; records that cannot be used leave both: TLS by the one, the name by the other. */
static bool by_domain(struct find *f)
{
	const struct remote_dane *dane;
	const struct remote_sts  *sts;

	if (!dane_ask(f, &dane))
		return false;
	if (dane->state == REMOTE_DANE_USABLE)
		return by_dane(f, REMOTE_BY_DANE, dane);
	if (!sts_ask(f, &sts))
		return false;
	if (dane->state == REMOTE_DANE_UNUSABLE) {
		(void)encrypted(f, REMOTE_BY_DANE);
		return !sts || sts->mode != STS_ENFORCE || by_sts(f, sts);
	}
	return !sts || by_sts(f, sts);
}

/* ---- what the route says ---- */

static bool dane_demanded(struct find *f)
{
	const struct remote_dane *dane;

	f->p->report = TLSRPT_TLSA;
	if (!dane_ask(f, &dane))
		return false;
	if (dane->state == REMOTE_DANE_USABLE)
		return by_dane(f, REMOTE_BY_ROUTE, dane);
	report(f, TLSRPT_DANE_REQUIRED, STR("no TLSA record that can be used"));
	if (f->remote->settings.unvalidated)
		return defer(f, "The route requires DANE of", ", and answers of DNS are not validated here (dns.anchor)");
	return defer(f, "The route requires DANE of", dane->state == REMOTE_DANE_UNUSABLE ? ", and none of its TLSA records can be used" :
											    ", which has no secure TLSA records");
}

/* ---- what the sender says ---- */

/* RFC 8689 §4.2.1: the host's name must come by a way that nobody can have forged, else its certificate proves nothing. */
static bool by_sender(struct find *f)
{
	static const struct remote_outcome insecure = {
		REMOTE_REFUSED, STR("5.7.30"),
		STR("The sender requires TLS (REQUIRETLS), and the domain does not secure the names of its mail hosts, by DNSSEC or MTA-STS")
	};
	static const struct remote_outcome never = { REMOTE_REFUSED, STR("5.7.30"),
						     STR("The sender requires TLS (REQUIRETLS), and the route to the domain is without") };
	const struct remote_dane *dane;
	const struct remote_sts  *sts;

	if (f->q->hop.tls == HOP_TLS_NEVER)
		return refuse(f, never);
	if (f->q->hop.tls == HOP_TLS_DANE) /* the stronger wish */
		return dane_demanded(f);
	if (!dane_ask(f, &dane))
		return false;
	if (dane->state == REMOTE_DANE_USABLE)
		return by_dane(f, REMOTE_BY_SENDER, dane);
	if (!sts_ask(f, &sts))
		return false;
	if (sts && sts->mode == STS_ENFORCE && !remote_sts_matches(sts, f->target->host))
		return by_sts(f, sts);
	if (!f->target->at->secure_name && !(sts && sts->mode == STS_ENFORCE))
		return refuse(f, f->remote->settings.trusts ? insecure : nobody_trusted);
	return by_pki(f, REMOTE_BY_SENDER);
}

/* ---- the route's other rules ---- */

/* An MX name that anybody can have forged proves nothing: the certificate must be for the domain, or a name below it. */
static bool verify_demanded(struct find *f)
{
	const struct remote_host *h = f->target->at;

	if (h->secure_name || h->is_address)
		return by_pki(f, REMOTE_BY_ROUTE);
	if (!f->remote->settings.trusts)
		return refuse(f, nobody_trusted);
	f->p->level = REMOTE_TLS_VERIFIED;
	f->p->by = REMOTE_BY_ROUTE;
	name_add(f->p, h->domain);
	name_add(f->p, arena_printf(f->arena, ".%.*s", STR_FMT(h->domain)));
	return true;
}

/* TLS-Required: No sets aside what the destination says, not what our administrator does: RFC 8689 §5. */
static bool by_route(struct find *f)
{
	switch (f->q->hop.tls) {
	case HOP_TLS_DOMAIN: return (f->q->flags & QUEUE_FLAG_TLS_OPTIONAL) || by_domain(f);
	case HOP_TLS_NEVER:
		f->p->level = REMOTE_TLS_NONE;
		f->p->by = REMOTE_BY_ROUTE;
		f->p->clear = STR("in clear: the route says so");
		return true;
	case HOP_TLS_MAY: return true;
	case HOP_TLS_ENCRYPT: return encrypted(f, REMOTE_BY_ROUTE);
	case HOP_TLS_DANE: return dane_demanded(f);
	case HOP_TLS_VERIFY: return verify_demanded(f);
	}
	return true;
}

/* ---- the key ---- */

static void digest_add(EVP_MD_CTX *md, struct str s)
{
	uint32_t n = (uint32_t)s.n;

	CHECK(EVP_DigestUpdate(md, &n, sizeof(n)) == 1 && EVP_DigestUpdate(md, s.p ? s.p : "", s.n) == 1);
}

static uint64_t key_of(const struct remote_policy *p)
{
	EVP_MD_CTX   *md = EVP_MD_CTX_new();
	const uint8_t head[] = { (uint8_t)p->level, p->testing, (uint8_t)p->name_count };
	unsigned char hash[EVP_MAX_MD_SIZE];
	uint64_t      key;

	CHECK(md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(md, head, sizeof(head)) == 1);
	digest_add(md, p->name);
	digest_add(md, p->clear); /* what is told of it */
	for (size_t i = 0; i < p->name_count; i++)
		digest_add(md, p->names[i]);
	for (size_t i = 0; i < p->tlsa_count; i++) {
		const uint8_t kind[] = { p->tlsa[i].usage, p->tlsa[i].selector, p->tlsa[i].matching };

		CHECK(EVP_DigestUpdate(md, kind, sizeof(kind)) == 1);
		digest_add(md, p->tlsa[i].data);
	}
	CHECK(EVP_DigestFinal_ex(md, hash, NULL) == 1);
	EVP_MD_CTX_free(md);
	memcpy(&key, hash, sizeof(key));
	return key;
}

bool remote_policy_find(const struct remote_route *route, const struct remote_target *target, const struct remote_deliver_request *q,
			struct arena *a, struct remote_policy *ret, struct remote_outcome *ret_why)
{
	struct remote_policy p = { .level = REMOTE_TLS_MAY, .clear = STR(""), .policy_text = STR("") };
	struct find          f = { route->remote, target, q, a, &p, ret_why };

	p.name = target->at->is_address ? STR("") : target->host;
	if (q->flags & QUEUE_FLAG_REQUIRETLS) {
		if (!by_sender(&f))
			return false;
	} else if (!by_route(&f)) {
		return false;
	}
	if (target->implicit_tls && p.level < REMOTE_TLS_ENCRYPT) /* there is no other way to speak to it */
		p.level = REMOTE_TLS_ENCRYPT;
	p.key = key_of(&p);
	*ret = p;
	return true;
}

struct remote_policy remote_policy_clear(const struct remote_policy *policy)
{
	struct remote_policy p = *policy;

	CHECK(policy->level == REMOTE_TLS_MAY);
	p.level = REMOTE_TLS_NONE;
	p.clear = STR("in clear: the TLS handshake failed");
	p.key = key_of(&p);
	return p;
}
