/* deliver/remote_policy.h, deliver/remote_dane.h: which TLS a target must have: DNS states x rule of the route x the sender's wish. */
#include "unit.h"

#include <stdio.h>

#include "deliver/remote_policy.h"
#include "fake_dns.h"

#define ROWS(...)                                                  \
	(const struct fake_record[])                               \
	{                                                          \
		__VA_ARGS__, { NULL, 0, NULL }                     \
	}
#define MX(domain, host) { domain, DNS_MX, "10 " host }
#define A(name)          { name, DNS_A, "192.0.2.1" }
#define TLSA(name, data) { "_25._tcp." name, DNS_TLSA, data }
/* signed.test and its host mx.signed.test */
#define SIGNED MX("signed.test", "mx.signed.test"), A("mx.signed.test")

static struct {
	const char *text;
} sts_policy;

static int64_t clock_zero(void) { return 1000; }

static enum status sts_get(void *ctx, struct str domain, struct arena *a, struct auth_sts *ret)
{
	(void)ctx, (void)a;
	if (!sts_policy.text)
		return ST_NOT_FOUND;
	*ret = (struct auth_sts){ domain, STR("1"), str_of(sts_policy.text), clock_zero() };
	return ST_OK;
}

static enum http_result sts_fetch(const struct http_request *q, struct arena *a, struct http_reply *ret)
{
	(void)q, (void)a, (void)ret;
	fail_msg("nothing is to be fetched");
	return 0;
}

/* "level source sni [names] tlsa-count", or "T 4.7.5 text" of what the first target gets. */
static void find(struct remote *remote, const struct remote_deliver_request *q, struct buf *out)
{
	static const char *const    levels[] = { "none", "may", "encrypt", "dane", "verified" };
	static const char *const    wants[] = { "", "sender", "route", "dane", "mta-sts" }; /* enum remote_tls_by */
	struct arena               *a = arena_new(NULL);
	struct remote_route         route;
	struct remote_outcome       why;
	struct remote_policy        p;
	const struct remote_target *t = NULL;

	if (remote_route_open(&route, remote, a, q, &why)) {
		t = remote_route_next(&route);
		if (!t)
			why = remote_route_why(&route);
	}
	if (t && remote_policy_find(&route, t, q, a, &p, &why)) {
		buf_addf(out, "%s %s sni=%.*s", levels[p.level], wants[p.by], STR_FMT(p.name));
		for (size_t i = 0; i < p.name_count; i++)
			buf_addf(out, " %.*s", STR_FMT(p.names[i]));
		if (p.tlsa_count > 0)
			buf_addf(out, " tlsa=%zu", p.tlsa_count);
		if (p.testing)
			buf_addf(out, " testing%s", p.mismatch ? ", mismatch" : "");
		if (p.unusable)
			buf_addf(out, " unusable");
	} else {
		buf_addf(out, "%c %.*s %.*s", "DTR"[why.result], STR_FMT(why.code), STR_FMT(why.answer));
	}
	arena_free(&a);
}

struct policy_case {
	const char               *name;
	const struct fake_record *zone;
	const char               *domain, *relay;
	enum hop_tls              rule;
	uint32_t                  flags;
	const char               *sts; /* NULL: no policy */
	const char               *want;
};

static void run_cases(const struct policy_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct policy_case     *c = &cases[i];
		struct fake_zone              zone = { .records = c->zone };
		struct remote                 remote = fake_remote(&zone);
		struct remote_deliver_request q = { .domain = str_of(c->domain), .relay = str_of(c->relay ? c->relay : ""), .hop = { .tls = c->rule }, .flags = c->flags, .file = -1 };
		struct buf                    out;

		remote.settings.trusts = true;
		remote.settings.authorities = STR("PEM");
		sts_policy.text = c->sts;
		remote.sts = c->sts ? remote_sts_open(&(struct remote_sts_options){ .get = sts_get, .fetch = sts_fetch, .mono_ms = clock_zero, .wall_ms = clock_zero, .threadless = true }) : NULL;
		buf_init(&out, 4096);
		find(&remote, &q, &out);
		if (!str_eq(buf_str(&out), str_of(c->want)))
			print_error("case \"%s\"\n", c->name);
		assert_str(buf_str(&out), str_of(c->want));
		buf_done(&out);
		remote_sts_close(&remote.sts);
	}
}

/* RFC 7672 §2.2, row by row, for a route that wants what the domain wants. */
static void test_dane(void **state)
{
	const struct policy_case cases[] = {
		{ "usable", ROWS(SIGNED, TLSA("mx.signed.test", "3 1 1 x")), "signed.test", "", 0, 0, NULL,
		  "dane dane sni=mx.signed.test mx.signed.test signed.test tlsa=1" },
		{ "several", ROWS(SIGNED, TLSA("mx.signed.test", "3 1 1 x"), TLSA("mx.signed.test", "2 0 1 y")), "signed.test", "", 0, 0, NULL,
		  "dane dane sni=mx.signed.test mx.signed.test signed.test tlsa=2" },
		{ "one of two can be used", ROWS(SIGNED, TLSA("mx.signed.test", "1 1 1 x"), TLSA("mx.signed.test", "3 1 1 x")), "signed.test", "", 0, 0, NULL,
		  "dane dane sni=mx.signed.test mx.signed.test signed.test tlsa=1" },
		{ "usages 0 and 1", ROWS(SIGNED, TLSA("mx.signed.test", "0 1 1 x"), TLSA("mx.signed.test", "1 1 1 x")), "signed.test", "", 0, 0, NULL,
		  "encrypt dane sni=mx.signed.test unusable" },
		{ "unknown selector", ROWS(SIGNED, TLSA("mx.signed.test", "3 2 1 x")), "signed.test", "", 0, 0, NULL, "encrypt dane sni=mx.signed.test unusable" },
		{ "unknown matching", ROWS(SIGNED, TLSA("mx.signed.test", "3 1 7 x")), "signed.test", "", 0, 0, NULL, "encrypt dane sni=mx.signed.test unusable" },
		{ "no TLSA", ROWS(SIGNED), "signed.test", "", 0, 0, NULL, "may  sni=mx.signed.test" },
		{ "TLSA: NODATA", ROWS(SIGNED, { "_25._tcp.mx.signed.test", DNS_TXT, "x" }), "signed.test", "", 0, 0, NULL, "may  sni=mx.signed.test" },
		{ "TLSA fails", ROWS(SIGNED, TLSA("mx.signed.test", "!")), "signed.test", "", 0, 0, NULL,
		  "T 4.7.5 DNS gave no answer for TLSA _25._tcp.mx.signed.test" },
		{ "TLSA bogus", ROWS(SIGNED, TLSA("mx.signed.test", "?")), "signed.test", "", 0, 0, NULL,
		  "T 4.7.5 DNSSEC validation failed for TLSA _25._tcp.mx.signed.test" },
		{ "MX insecure", ROWS(MX("open.test", "mx.signed.test"), A("mx.signed.test"), TLSA("mx.signed.test", "3 1 1 x")), "open.test", "", 0, 0, NULL,
		  "may  sni=mx.signed.test" },
		{ "MX bogus", ROWS({ "signed.test", DNS_MX, "?" }), "signed.test", "", 0, 0, NULL, "T 4.4.3 DNSSEC validation failed for MX signed.test" },
		{ "MX fails", ROWS({ "signed.test", DNS_MX, "!" }), "signed.test", "", 0, 0, NULL, "T 4.4.3 DNS gave no answer for MX signed.test" },
		{ "A bogus", ROWS(MX("signed.test", "mx.signed.test"), { "mx.signed.test", DNS_A, "?" }), "signed.test", "", 0, 0, NULL,
		  "T 4.4.3 DNSSEC validation failed for A mx.signed.test" },
		/* the servers of such zones fail on TLSA: not asked */
		{ "A insecure", ROWS(MX("signed.test", "mx.open.test"), A("mx.open.test"), TLSA("mx.open.test", "!")), "signed.test", "", 0, 0, NULL,
		  "may  sni=mx.open.test" },
		{ "no MX, secure", ROWS(A("signed.test"), TLSA("signed.test", "3 1 1 x")), "signed.test", "", 0, 0, NULL,
		  "dane dane sni=signed.test signed.test tlsa=1" },
		{ "alias, secure, TLSA of its end",
		  ROWS(MX("signed.test", "mx.signed.test"), { "mx.signed.test", DNS_CNAME, "end.signed.test" }, A("end.signed.test"),
		       TLSA("end.signed.test", "3 1 1 x"), TLSA("mx.signed.test", "3 1 1 y")),
		  "signed.test", "", 0, 0, NULL, "dane dane sni=end.signed.test end.signed.test mx.signed.test signed.test tlsa=1" },
		{ "alias, secure, its end fails",
		  ROWS(MX("signed.test", "m.signed.test"), { "m.signed.test", DNS_CNAME, "end.signed.test" }, A("end.signed.test"),
		       TLSA("end.signed.test", "!"), TLSA("m.signed.test", "3 1 1 y")),
		  "signed.test", "", 0, 0, NULL, "T 4.7.5 DNS gave no answer for TLSA _25._tcp.end.signed.test" },
		{ "alias, secure, TLSA of its own",
		  ROWS(MX("signed.test", "mx.signed.test"), { "mx.signed.test", DNS_CNAME, "end.signed.test" }, A("end.signed.test"), TLSA("mx.signed.test", "3 1 1 y")),
		  "signed.test", "", 0, 0, NULL, "dane dane sni=mx.signed.test mx.signed.test signed.test tlsa=1" },
		{ "alias into an unsigned zone",
		  ROWS(MX("signed.test", "mx.signed.test"), { "mx.signed.test", DNS_CNAME, "end.open.test" }, A("end.open.test"), TLSA("end.open.test", "!"),
		       TLSA("mx.signed.test", "3 1 1 y")),
		  "signed.test", "", 0, 0, NULL, "dane dane sni=mx.signed.test mx.signed.test signed.test tlsa=1" },
		{ "alias of an unsigned zone",
		  ROWS(MX("signed.test", "mx.open.test"), { "mx.open.test", DNS_CNAME, "end.signed.test" }, A("end.signed.test"), TLSA("end.signed.test", "3 1 1 x"),
		       TLSA("mx.open.test", "!")),
		  "signed.test", "", 0, 0, NULL, "may  sni=mx.open.test" },
		{ "literal", ROWS(A("x.test")), "[192.0.2.1]", "", 0, 0, NULL, "may  sni=" },
		{ "relay by address", ROWS(A("x.test")), "signed.test", "192.0.2.1:25", 0, 0, NULL, "may  sni=" },
		{ "relay by name", ROWS(A("r.signed.test"), TLSA("r.signed.test", "3 1 1 x")), "open.test", "r.signed.test:25", 0, 0, NULL,
		  "dane dane sni=r.signed.test r.signed.test tlsa=1" },
		{ "relay at another port", ROWS(A("r.signed.test"), { "_587._tcp.r.signed.test", DNS_TLSA, "3 1 1 x" }), "open.test", "r.signed.test:587", 0, 0, NULL,
		  "dane dane sni=r.signed.test r.signed.test tlsa=1" },
		{ "relay, insecure", ROWS(A("r.open.test"), TLSA("r.open.test", "!")), "open.test", "r.open.test:25", 0, 0, NULL, "may  sni=r.open.test" },
		{ "relay by MX", ROWS(SIGNED, TLSA("mx.signed.test", "3 1 1 x")), "open.test", "mx:signed.test", 0, 0, NULL,
		  "dane dane sni=mx.signed.test mx.signed.test signed.test tlsa=1" },
		{ "smtps", ROWS(A("r.open.test")), "open.test", "smtps:r.open.test:465", 0, 0, NULL, "encrypt  sni=r.open.test" },
		{ "smtps by DANE", ROWS(A("r.signed.test"), { "_465._tcp.r.signed.test", DNS_TLSA, "3 1 1 x" }), "open.test", "smtps:r.signed.test:465", 0, 0, NULL,
		  "dane dane sni=r.signed.test r.signed.test tlsa=1" },
	};

	(void)state;
	run_cases(cases, LEN(cases));
}

#define STS(mode)   "version: STSv1\nmode: " mode "\nmx: mx.signed.test\nmx: mx.open.test\nmax_age: 604800\n"
#define OTHER(mode) "version: STSv1\nmode: " mode "\nmx: else.test\nmax_age: 604800\n"
#define OPEN        MX("open.test", "mx.open.test"), A("mx.open.test")
#define REQ         QUEUE_FLAG_REQUIRETLS
#define OPT         QUEUE_FLAG_TLS_OPTIONAL

/* What the domain, the route and the sender say, together. */
static void test_rules(void **state)
{
	static const struct fake_record usable[] = { SIGNED, TLSA("mx.signed.test", "3 1 1 x"), { NULL, 0, NULL } };
	static const struct fake_record unusable[] = { SIGNED, TLSA("mx.signed.test", "1 1 1 x"), { NULL, 0, NULL } };
	static const struct fake_record fails[] = { SIGNED, TLSA("mx.signed.test", "!"), { NULL, 0, NULL } };
	static const struct fake_record none[] = { SIGNED, { NULL, 0, NULL } };
	static const struct fake_record insecure[] = { OPEN, { NULL, 0, NULL } };
#define DANE_IT     "sni=mx.signed.test mx.signed.test signed.test tlsa=1"
#define PKI_IT      "sni=mx.signed.test mx.signed.test"
#define NO_ANSWER   "T 4.7.5 DNS gave no answer for TLSA _25._tcp.mx.signed.test"
	static const struct policy_case cases[] = {
		/* MTA-STS; DANE wins */
		{ "enforce", insecure, "open.test", "", 0, 0, STS("enforce"), "verified mta-sts sni=mx.open.test mx.open.test" },
		{ "enforce, not named", insecure, "open.test", "", 0, 0, OTHER("enforce"), "T 4.7.5 The domain's MTA-STS policy does not name its mail host mx.open.test" },
		{ "testing", insecure, "open.test", "", 0, 0, STS("testing"), "may  sni=mx.open.test mx.open.test testing" },
		{ "testing, not named", insecure, "open.test", "", 0, 0, OTHER("testing"), "may  sni=mx.open.test mx.open.test testing, mismatch" },
		{ "mode none", insecure, "open.test", "", 0, 0, "version: STSv1\nmode: none\nmax_age: 600\n", "may  sni=mx.open.test" },
		{ "DANE and enforce", usable, "signed.test", "", 0, 0, OTHER("enforce"), "dane dane " DANE_IT },
		{ "unusable and enforce", unusable, "signed.test", "", 0, 0, STS("enforce"), "verified mta-sts " PKI_IT " unusable" },
		{ "unusable and testing", unusable, "signed.test", "", 0, 0, STS("testing"), "encrypt dane sni=mx.signed.test unusable" },
		{ "failing and enforce", fails, "signed.test", "", 0, 0, STS("enforce"), NO_ANSWER },
		{ "STS is not of relays", insecure, "open.test", "mx.open.test:25", 0, 0, OTHER("enforce"), "may  sni=mx.open.test" },
		/* the route's rule, for each state of DANE */
		{ "never, usable", usable, "signed.test", "", HOP_TLS_NEVER, 0, STS("enforce"), "none route sni=mx.signed.test" },
		{ "never, fails", fails, "signed.test", "", HOP_TLS_NEVER, 0, NULL, "none route sni=mx.signed.test" },
		{ "may, usable", usable, "signed.test", "", HOP_TLS_MAY, 0, STS("enforce"), "may  sni=mx.signed.test" },
		{ "may, fails", fails, "signed.test", "", HOP_TLS_MAY, 0, NULL, "may  sni=mx.signed.test" },
		{ "encrypt, usable", usable, "signed.test", "", HOP_TLS_ENCRYPT, 0, NULL, "encrypt route sni=mx.signed.test" },
		{ "encrypt, fails", fails, "signed.test", "", HOP_TLS_ENCRYPT, 0, NULL, "encrypt route sni=mx.signed.test" },
		{ "dane, usable", usable, "signed.test", "", HOP_TLS_DANE, 0, NULL, "dane route " DANE_IT },
		{ "dane, unusable", unusable, "signed.test", "", HOP_TLS_DANE, 0, NULL,
		  "T 4.7.5 The route requires DANE of mx.signed.test, and none of its TLSA records can be used" },
		{ "dane, none", none, "signed.test", "", HOP_TLS_DANE, 0, NULL, "T 4.7.5 The route requires DANE of mx.signed.test, which has no secure TLSA records" },
		{ "dane, insecure", insecure, "open.test", "", HOP_TLS_DANE, 0, STS("enforce"),
		  "T 4.7.5 The route requires DANE of mx.open.test, which has no secure TLSA records" },
		{ "dane, fails", fails, "signed.test", "", HOP_TLS_DANE, 0, NULL, NO_ANSWER },
		{ "verify, usable", usable, "signed.test", "", HOP_TLS_VERIFY, 0, NULL, "verified route " PKI_IT },
		{ "verify, fails", fails, "signed.test", "", HOP_TLS_VERIFY, 0, NULL, "verified route " PKI_IT },
		{ "verify, MX insecure", insecure, "open.test", "", HOP_TLS_VERIFY, 0, NULL, "verified route sni=mx.open.test open.test .open.test" },
		{ "verify, relay", insecure, "signed.test", "mx.open.test:25", HOP_TLS_VERIFY, 0, NULL, "verified route sni=mx.open.test mx.open.test" },
		{ "verify, relay by address", insecure, "signed.test", "192.0.2.1:25", HOP_TLS_VERIFY, 0, NULL, "verified route sni= 192.0.2.1" },
		{ "smtps and never", insecure, "signed.test", "smtps:mx.open.test:465", HOP_TLS_NEVER, 0, NULL, "encrypt route sni=mx.open.test" },
		/* REQUIRETLS */
		{ "required, usable", usable, "signed.test", "", 0, REQ, NULL, "dane sender " DANE_IT },
		{ "required, unusable", unusable, "signed.test", "", 0, REQ, NULL, "verified sender " PKI_IT " unusable" },
		{ "required, none", none, "signed.test", "", 0, REQ, NULL, "verified sender " PKI_IT },
		{ "required, fails", fails, "signed.test", "", 0, REQ, NULL, NO_ANSWER },
		{ "required, insecure", insecure, "open.test", "", 0, REQ, NULL,
		  "R 5.7.30 The sender requires TLS (REQUIRETLS), and the domain does not secure the names of its mail hosts, by DNSSEC or MTA-STS" },
		{ "required, testing", insecure, "open.test", "", 0, REQ, STS("testing"),
		  "R 5.7.30 The sender requires TLS (REQUIRETLS), and the domain does not secure the names of its mail hosts, by DNSSEC or MTA-STS" },
		{ "required, enforce", insecure, "open.test", "", 0, REQ, STS("enforce"), "verified sender sni=mx.open.test mx.open.test" },
		{ "required, enforce, not named", insecure, "open.test", "", 0, REQ, OTHER("enforce"),
		  "T 4.7.5 The domain's MTA-STS policy does not name its mail host mx.open.test" },
		{ "required, never", usable, "signed.test", "", HOP_TLS_NEVER, REQ, NULL,
		  "R 5.7.30 The sender requires TLS (REQUIRETLS), and the route to the domain is without" },
		{ "required, dane", usable, "signed.test", "", HOP_TLS_DANE, REQ, NULL, "dane route " DANE_IT },
		{ "required, dane, none", none, "signed.test", "", HOP_TLS_DANE, REQ, NULL, "T 4.7.5 The route requires DANE of mx.signed.test, which has no secure TLSA records" },
		{ "required, may", none, "signed.test", "", HOP_TLS_MAY, REQ, NULL, "verified sender " PKI_IT },
		{ "required, relay", insecure, "open.test", "mx.open.test:25", 0, REQ, NULL, "verified sender sni=mx.open.test mx.open.test" },
		{ "required, literal", insecure, "[192.0.2.1]", "", 0, REQ, NULL,
		  "R 5.7.30 The sender requires TLS (REQUIRETLS), and the domain does not secure the names of its mail hosts, by DNSSEC or MTA-STS" },
		{ "required beats optional", none, "signed.test", "", 0, REQ | OPT, NULL, "verified sender " PKI_IT },
		/* TLS-Required: No sets aside what the domain says, not what the administrator does */
		{ "optional, usable", usable, "signed.test", "", 0, OPT, NULL, "may  sni=mx.signed.test" },
		{ "optional, fails", fails, "signed.test", "", 0, OPT, NULL, "may  sni=mx.signed.test" },
		{ "optional, enforce, not named", insecure, "open.test", "", 0, OPT, OTHER("enforce"), "may  sni=mx.open.test" },
		{ "optional, encrypt", usable, "signed.test", "", HOP_TLS_ENCRYPT, OPT, NULL, "encrypt route sni=mx.signed.test" },
		{ "optional, dane", usable, "signed.test", "", HOP_TLS_DANE, OPT, NULL, "dane route " DANE_IT },
		{ "optional, verify", none, "signed.test", "", HOP_TLS_VERIFY, OPT, NULL, "verified route " PKI_IT },
		{ "optional, smtps", insecure, "open.test", "smtps:mx.open.test:465", 0, OPT, NULL, "encrypt  sni=mx.open.test" },
	};

	(void)state;
	run_cases(cases, LEN(cases));
}

/* Without authorities, without validation. */
static void test_lacking(void **state)
{
	struct fake_zone              zone = { .records = ROWS(SIGNED) };
	struct remote                 remote = fake_remote(&zone);
	struct remote_deliver_request q = { .domain = STR("signed.test"), .relay = STR(""), .hop = { .tls = HOP_TLS_VERIFY }, .file = -1 };
	struct buf                    out;

	(void)state;
	buf_init(&out, 4096);
	find(&remote, &q, &out);
	assert_str(buf_str(&out), STR("T 4.7.5 Verified TLS is required, and no authorities to verify with are set up here"));
	buf_clear(&out);
	remote.settings.unvalidated = true;
	q.hop.tls = HOP_TLS_DANE;
	find(&remote, &q, &out);
	assert_str(buf_str(&out), STR("T 4.7.5 The route requires DANE of mx.signed.test, and answers of DNS are not validated here (dns.anchor)"));
	buf_done(&out);
}

static uint64_t key(const struct fake_record *rows, enum hop_tls rule, const char *domain)
{
	struct fake_zone              zone = { .records = rows };
	struct remote                 remote = fake_remote(&zone);
	struct remote_deliver_request q = { .domain = str_of(domain), .relay = STR(""), .hop = { .tls = rule }, .file = -1 };
	struct arena                 *a = arena_new(NULL);
	struct remote_route           route;
	struct remote_outcome         why;
	struct remote_policy          p;

	remote.settings.trusts = true;
	assert_true(remote_route_open(&route, &remote, a, &q, &why));
	assert_true(remote_policy_find(&route, remote_route_next(&route), &q, a, &p, &why));
	if (p.level == REMOTE_TLS_MAY)
		assert_int_not_equal(p.key, remote_policy_clear(&p).key);
	arena_free(&a);
	return p.key;
}

/* Whatever makes the verification is in the key, and nothing else. */
static void test_key(void **state)
{
	uint64_t keys[] = {
		key(ROWS(SIGNED), HOP_TLS_NEVER, "signed.test"),
		key(ROWS(SIGNED), HOP_TLS_MAY, "signed.test"),
		key(ROWS(SIGNED), HOP_TLS_ENCRYPT, "signed.test"),
		key(ROWS(SIGNED), HOP_TLS_VERIFY, "signed.test"),
		key(ROWS(OPEN), HOP_TLS_VERIFY, "open.test"),
		key(ROWS(SIGNED, TLSA("mx.signed.test", "3 1 1 x")), HOP_TLS_DANE, "signed.test"),
		key(ROWS(SIGNED, TLSA("mx.signed.test", "3 1 1 y")), HOP_TLS_DANE, "signed.test"),
		key(ROWS(SIGNED, TLSA("mx.signed.test", "3 0 1 x")), HOP_TLS_DANE, "signed.test"),
		key(ROWS(SIGNED, TLSA("mx.signed.test", "2 1 1 x")), HOP_TLS_DANE, "signed.test"),
		key(ROWS(SIGNED, TLSA("mx.signed.test", "3 1 1 x"), TLSA("mx.signed.test", "3 1 1 y")), HOP_TLS_DANE, "signed.test"),
	};

	(void)state;
	for (size_t i = 0; i < LEN(keys); i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(keys[i], keys[k]);
	assert_int_equal(keys[LEN(keys) - 1],
			 key(ROWS(SIGNED, TLSA("mx.signed.test", "3 1 1 y"), TLSA("mx.signed.test", "3 1 1 x")), HOP_TLS_DANE, "signed.test"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dane), cmocka_unit_test(test_rules), cmocka_unit_test(test_lacking), cmocka_unit_test(test_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
