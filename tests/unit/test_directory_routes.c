/* directory/: rules of routes: which one counts, what it may say, how it is stored, and what nobody is shown. */
#include "unit.h"

#include <string.h>
#include <time.h>

#include "directory/directory_hop.h"
#include "directory/directory_rule.h"
#include "ipc/ipc_msg.h"
#include "unit_directory.h"

#define VIA(x) .given = AUTH_ROUTE_VIA, .via = STR(x)

static enum status change(struct directory *d, bool add, const char *to, const char *from, struct auth_route_change_request q)
{
	q.rule.to = str_of(to);
	q.rule.from = str_of(from);
	return add ? directory_route_add(d, &q) : directory_route_set(d, &q);
}

static enum status rule(struct directory *d, const char *to, const char *from, struct auth_route_rule r)
{
	return change(d, true, to, from, (struct auth_route_change_request){ .rule = r });
}

static enum status via(struct directory *d, const char *to, const char *from, const char *hop)
{
	return rule(d, to, from, (struct auth_route_rule){ .given = AUTH_ROUTE_VIA, .via = str_of(hop) });
}

static enum status removed(struct directory *d, const char *to, const char *from)
{
	return directory_route_remove(d, &(struct auth_route_change_request){ .rule = { .to = str_of(to), .from = str_of(from) } });
}

/* "relay tls source4 source6 helo login? connections rate/s" */
static const char *hop_text(const struct auth_target *t)
{
	static char       out[2048];
	const struct hop *h = &t->hop;

	snprintf(out, sizeof(out), "%.*s %u %.*s %.*s %.*s %s %u %u/%u", STR_FMT(t->relay), h->tls, STR_FMT(h->source4), STR_FMT(h->source6),
		 STR_FMT(h->helo), h->login ? "login" : "", h->connections, h->rate, h->rate_s);
	return out;
}

/* The hop of the one target; as resolve says, and as IPC_AUTH_HOP says again later. */
static const char *hop_of(struct directory *d, const char *from, const char *address)
{
	static char               out[2048];
	struct arena             *a = arena_new(NULL);
	struct auth_resolve_reply r = { 0 };
	struct auth_hop_reply     again = { 0 };
	enum status               st = directory_resolve(d, &(struct auth_resolve_request){ str_of(address), str_of(from) }, a, &r);

	if (st != ST_OK || r.target_count != 1) {
		snprintf(out, sizeof(out), "%s %zu", status_name(st), r.target_count);
	} else if (r.targets[0].account != 0) {
		snprintf(out, sizeof(out), "account");
	} else {
		snprintf(out, sizeof(out), "%s", hop_text(&r.targets[0]));
		assert_int_equal(directory_hop(d, &(struct auth_hop_request){ r.targets[0].address, str_of(from) }, a, &again), ST_OK);
		assert_string_equal(hop_text(&(struct auth_target){ .relay = again.relay, .hop = again.hop }), out);
	}
	arena_free(&a);
	return out;
}

/* The relay alone. */
static const char *relay_of(struct directory *d, const char *from, const char *address)
{
	static char out[2048];

	snprintf(out, sizeof(out), "%s", hop_of(d, from, address));
	out[strcspn(out, " ")] = '\0';
	return out;
}

/* ---- which rule ---- */

/* Every recipient pattern with every sender pattern, all of which match: the order is that of the two lists, the recipient first. Rules are
 * taken away one by one, the most specific first: the next one must count. */
static void test_order(void **state)
{
	static const char *const to[] = { "bob@a.b.far.example", "a.b.far.example", ".b.far.example", ".far.example", ".example", "*" };
	static const char *const from[] = { "ann@x.demo.test", "x.demo.test", ".demo.test", ".test", "*" };
	struct directory        *d = unit_directory_new();
	char                     hop[64];

	(void)state;
	for (size_t k = LEN(from); k-- > 0;) /* not in their order */
		for (size_t i = 0; i < LEN(to); i++) {
			snprintf(hop, sizeof(hop), "h%zu-%zu.test:25", i, k);
			assert_int_equal(via(d, to[i], from[k], hop), ST_OK);
		}
	for (size_t i = 0; i < LEN(to); i++)
		for (size_t k = 0; k < LEN(from); k++) {
			snprintf(hop, sizeof(hop), "h%zu-%zu.test:25", i, k);
			assert_string_equal(relay_of(d, "Ann@X.demo.test", "BOB@a.b.FAR.example"), hop);
			assert_int_equal(removed(d, to[i], from[k]), ST_OK);
		}
	assert_string_equal(relay_of(d, "ann@x.demo.test", "bob@a.b.far.example"), "");
	directory_close(&d);
}

static void test_matching(void **state)
{
	static const struct {
		const char *to, *from;
		const char *address, *sender;
		bool        matches;
	} cases[] = {
		{ "far.example", "*", "bob@far.example", "ann@demo.test", true },
		{ "far.example", "*", "bob@x.far.example", "ann@demo.test", false },
		{ ".far.example", "*", "bob@x.far.example", "ann@demo.test", true },
		{ ".far.example", "*", "bob@y.x.far.example", "ann@demo.test", true },
		{ ".far.example", "*", "bob@far.example", "ann@demo.test", false },
		{ ".far.example", "*", "bob@notfar.example", "ann@demo.test", false },
		{ "far.example", "*", "bob@notfar.example", "ann@demo.test", false },
		{ "@far.example", "*", "bob@far.example", "ann@demo.test", true },
		{ "bob@far.example", "*", "bob@far.example", "ann@demo.test", true },
		{ "bob@far.example", "*", "BOB@FAR.example", "ann@demo.test", true },
		{ "bob@far.example", "*", "rob@far.example", "ann@demo.test", false },
		{ "b\xc3\xbc" "cher.example", "*", "bob@xn--bcher-kva.example", "ann@demo.test", true },
		{ "*", "*", "bob@far.example", "", true },
		{ "*", "*", "bob@[192.0.2.1]", "ann@demo.test", true },
		{ "far.example", "*", "bob@[192.0.2.1]", "ann@demo.test", false },
		{ "*", "demo.test", "bob@far.example", "ann@demo.test", true },
		{ "*", "demo.test", "bob@far.example", "ann@other.test", false },
		{ "*", "demo.test", "bob@far.example", "", false },
		{ "*", "ann@demo.test", "bob@far.example", "Ann@demo.test", true },
		{ "*", "ann@demo.test", "bob@far.example", "ann+x@demo.test", false },
		{ "*", "<>", "bob@far.example", "", true },
		{ "*", "<>", "bob@far.example", "ann@demo.test", false },
		{ "*", "<>", "bob@far.example", "nonsense", false },
		{ "far.example", "<>", "bob@far.example", "", true },
		{ "*", "demo.test", "bob@far.example", "nonsense", false },
		{ "*", "far.example", "bob@far.example", "ann@demo.test", false },
		{ "demo.test", "*", "bob@far.example", "ann@demo.test", false },
	};
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct directory *d = unit_directory_new();

		assert_int_equal(via(d, cases[i].to, cases[i].from, "hop.test:25"), ST_OK);
		if (strcmp(relay_of(d, cases[i].sender, cases[i].address), cases[i].matches ? "hop.test:25" : "") != 0)
			fail_msg("case %zu: %s from %s", i, cases[i].address, cases[i].sender);
		directory_close(&d);
	}
}

/* Each attribute by itself; but via, login and then tls are of one rule. */
static void test_attributes(void **state)
{
	struct auth_login  login = { .user = STR("u"), .secret = STR("Pa55word") };
	struct directory  *d = unit_directory_new();

	(void)state;
	assert_int_equal(rule(d, "*", "*", (struct auth_route_rule){ .given = AUTH_ROUTE_HELO | AUTH_ROUTE_CONNECTIONS | AUTH_ROUTE_TLS,
								      .hop = { .helo = STR("all.test"), .connections = 9, .tls = HOP_TLS_MAY } }), ST_OK);
	assert_int_equal(rule(d, "*", "demo.test", (struct auth_route_rule){ .given = AUTH_ROUTE_SOURCE | AUTH_ROUTE_HELO,
									      .hop = { .source4 = STR("192.0.2.1"), .source6 = STR("2001:db8::1"), .helo = STR("demo.test") } }), ST_OK);
	assert_int_equal(rule(d, "slow.example", "*", (struct auth_route_rule){ .given = AUTH_ROUTE_RATE | AUTH_ROUTE_CONNECTIONS,
										 .hop = { .rate = 100, .rate_s = 60, .connections = 2 } }), ST_OK);
	assert_string_equal(hop_of(d, "ann@demo.test", "bob@slow.example"), " 2 192.0.2.1 2001:db8::1 demo.test  2 100/60");
	assert_string_equal(hop_of(d, "ann@demo.test", "bob@far.example"), " 2 192.0.2.1 2001:db8::1 demo.test  9 0/0");
	assert_string_equal(hop_of(d, "ann@other.test", "bob@far.example"), " 2   all.test  9 0/0");
	/* one family only: the other is not taken from a rule for others */
	assert_int_equal(rule(d, "*", "ann@demo.test", (struct auth_route_rule){ .given = AUTH_ROUTE_SOURCE, .hop = { .source4 = STR("192.0.2.9") } }), ST_OK);
	assert_string_equal(hop_of(d, "ann@demo.test", "bob@far.example"), " 2 192.0.2.9  demo.test  9 0/0");

	/* A login brings its own tls, and goes nowhere but to its own host. */
	assert_int_equal(change(d, true, "*", "ann@demo.test.example", (struct auth_route_change_request){
		.rule = { .given = AUTH_ROUTE_VIA | AUTH_ROUTE_LOGIN, .via = STR("smart.example:587") }, .login = login }), ST_OK);
	assert_string_equal(hop_of(d, "ann@demo.test.example", "bob@far.example"), "smart.example:587 5   all.test login 9 0/0");
	assert_int_equal(rule(d, "far.example", "*", (struct auth_route_rule){ .given = AUTH_ROUTE_TLS, .hop = { .tls = HOP_TLS_NEVER } }), ST_OK);
	assert_string_equal(hop_of(d, "ann@demo.test.example", "bob@far.example"), "smart.example:587 5   all.test login 9 0/0");
	assert_string_equal(hop_of(d, "ann@demo.test", "bob@far.example"), " 1 192.0.2.9  demo.test  9 0/0");
	assert_int_equal(change(d, false, "far.example", "*", (struct auth_route_change_request){ .rule = { VIA("partner.example:25") }, .unset = AUTH_ROUTE_TLS }), ST_OK);
	assert_string_equal(hop_of(d, "ann@demo.test.example", "bob@far.example"), "partner.example:25 2   all.test  9 0/0");
	/* tls that the login's rule sets is its own will */
	assert_int_equal(change(d, false, "*", "ann@demo.test.example", (struct auth_route_change_request){ .rule = { .given = AUTH_ROUTE_TLS, .hop = { .tls = HOP_TLS_ENCRYPT } } }), ST_OK);
	assert_string_equal(hop_of(d, "ann@demo.test.example", "x@y.example"), "smart.example:587 3   all.test login 9 0/0");
	/* a host on loopback has no name to prove */
	assert_int_equal(change(d, true, "*", "bridge@demo.test", (struct auth_route_change_request){
		.rule = { .given = AUTH_ROUTE_VIA | AUTH_ROUTE_LOGIN, .via = STR("127.0.0.1:1025") }, .login = login }), ST_OK);
	assert_string_equal(hop_of(d, "bridge@demo.test", "x@y.example"), "127.0.0.1:1025 3 192.0.2.1 2001:db8::1 demo.test login 9 0/0");
	directory_close(&d);
}

/* Mail for our own people is never diverted, whatever rules say; forwards of it are mail for where they lead. */
static void test_local_domains(void **state)
{
	struct directory *d = unit_directory_new();

	(void)state;
	assert_int_equal(via(d, "demo.test", "*", "trap.example:25"), ST_OK); /* before it was ours */
	assert_int_equal(via(d, "*", "*", "smart.example:25"), ST_OK);
	assert_int_equal(via(d, ".test", "*", "trap.example:25"), ST_OK);
	unit_domain(d, "demo.test");
	unit_account(d, "alice@demo.test");
	assert_int_equal(unit_alias(d, "out@demo.test", "far@far.example"), ST_OK);
	assert_int_equal(via(d, "alice@demo.test", "*", "trap.example:25"), ST_DENIED);
	assert_int_equal(via(d, "demo.test", "<>", "trap.example:25"), ST_DENIED);
	assert_string_equal(hop_of(d, "x@far.example", "alice@demo.test"), "account");
	assert_string_equal(hop_of(d, "", "alice+x@demo.test"), "account");
	assert_string_equal(relay_of(d, "x@far.example", "out@demo.test"), "smart.example:25");
	/* by the sender as it came, not as it leaves (SRS) */
	assert_int_equal(via(d, "*", "far.example", "by-sender.example:25"), ST_OK);
	assert_int_equal(via(d, "*", "demo.test", "ours.example:25"), ST_OK);
	assert_string_equal(relay_of(d, "x@far.example", "out@demo.test"), "by-sender.example:25");
	assert_string_equal(relay_of(d, "alice@demo.test", "out@demo.test"), "ours.example:25");
	assert_int_equal(directory_hop(d, &(struct auth_hop_request){ STR("alice@demo.test"), STR("") }, NULL, &(struct auth_hop_reply){ 0 }), ST_NOT_FOUND);
	assert_int_equal(directory_hop(d, &(struct auth_hop_request){ STR("alice"), STR("") }, NULL, &(struct auth_hop_reply){ 0 }), ST_INVALID);
	assert_int_equal(removed(d, "demo.test", "*"), ST_OK); /* what has become useless can go */
	directory_close(&d);
}

/* The relay of a domain is as a rule for the domain, behind explicit ones. */
static void test_relay_domains(void **state)
{
	static const struct {
		const char *to, *from, *want; /* of x@mine.example.test, from ann@demo.test, with this rule beside "*" */
	} cases[] = {
		{ "x@mine.example.test", "*", "rule.test:25" }, { "mine.example.test", "*", "rule.test:25" },
		{ "mine.example.test", "ann@demo.test", "rule.test:25" }, { ".example.test", "*", "own.test:25" },
		{ ".example.test", "ann@demo.test", "own.test:25" }, { "*", "ann@demo.test", "own.test:25" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		for (int with_host = 0; with_host < 2; with_host++) {
			struct directory *d = unit_directory_new();
			const char       *own = with_host ? "own.test:25" : "";

			assert_int_equal(directory_domain_add(d, &(struct auth_domain_request){ STR("mine.example.test"), AUTH_DOMAIN_RELAY, str_of(own), AUTH_VERIFY_NONE }), ST_OK);
			assert_string_equal(relay_of(d, "ann@demo.test", "x@mine.example.test"), own);
			assert_int_equal(via(d, "*", "*", "all.test:25"), ST_OK);
			assert_string_equal(relay_of(d, "ann@demo.test", "x@mine.example.test"), own);
			assert_int_equal(via(d, cases[i].to, cases[i].from, "rule.test:25"), ST_OK);
			assert_string_equal(relay_of(d, "ann@demo.test", "x@mine.example.test"), strcmp(cases[i].want, "own.test:25") ? cases[i].want : own);
			directory_close(&d);
		}
}

static void test_direct(void **state)
{
	struct directory *d = unit_directory_new();

	(void)state;
	assert_int_equal(via(d, "*", "*", "smart.example:25"), ST_OK);
	assert_int_equal(via(d, ".near.example", "*", "direct"), ST_OK);
	assert_string_equal(relay_of(d, "a@demo.test", "x@A.near.example"), "mx:a.near.example");
	assert_string_equal(relay_of(d, "a@demo.test", "x@near.example"), "smart.example:25");
	directory_close(&d);
}

/* ---- what a rule may say ---- */

static void test_via(void **state)
{
	static const struct {
		const char *via;
		bool        ok;
	} cases[] = {
		{ "mx.example:25", true },          { "[192.0.2.1]:25", true },   { "192.0.2.1:25", true },      { "[2001:db8::1]:587", true },
		{ "lmtp:mx.example:24", true },     { "smtps:mx.example:465", true }, { "mx:example.org", true },  { "direct", true },
		{ "pipe:archive", true },           { "a.test:25,b.test:25", true }, { "a.test:25,mx:b.test", true }, { "localhost:25", true },
		{ "", false },                      { "mx.example", false },      { "mx.example:", false },      { "mx.example:0", false },
		{ "mx.example:65536", false },      { "mx.example:25 ", true },  { " mx.example:25", true },   { "mx example:25", false },
		{ "mx.example:25\n", false },       { "2001:db8::1:25", false },  { "mx:", false },              { "mx:[192.0.2.1]", false },
		{ "mx:a.test:25", true },          { "pipe:", false },           { "pipe:../x", false },        { "pipe:a b", false },
		{ "a.test:25,", false },            { ",a.test:25", false },  { "a.test:25, b.test:25", true },      { "a.test:25,direct", false }, { "a.test:25,pipe:x", false },
		{ "pipe:x,a.test:25", false },      { "lmtp:smtps:a.test:25", false }, { "http://a.test:25", false }, { "/a.test:25", false },
		{ "a..test:25", false },            { "1.2.3:25", false },        { "[a.test:25", false },       { "b\xc3\xbc.test:25", false },
		{ "a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1", true }, { "a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1", false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		if (dir_route_via_valid(str_of(cases[i].via)) != cases[i].ok)
			fail_msg("%s", cases[i].via);
}

static void test_wrong(void **state)
{
	static const struct {
		struct auth_route_rule rule;
		const char            *word; /* in the answer; NULL: it is right */
	} cases[] = {
		{ { VIA("a.test:25") }, NULL },
		{ { .given = 0 }, "nothing" },
		{ { .given = 1u << 7 }, "unknown" },
		{ { VIA("a.test") }, "next hop" },
		{ { .given = AUTH_ROUTE_SOURCE, .hop = { .source4 = STR("192.0.2.1") } }, NULL },
		{ { .given = AUTH_ROUTE_SOURCE }, "source" },
		{ { .given = AUTH_ROUTE_SOURCE, .hop = { .source4 = STR("2001:db8::1") } }, "source" },
		{ { .given = AUTH_ROUTE_SOURCE, .hop = { .source6 = STR("192.0.2.1") } }, "source" },
		{ { .given = AUTH_ROUTE_SOURCE, .hop = { .source4 = STR("192.0.2.256") } }, "source" },
		{ { .given = AUTH_ROUTE_HELO, .hop = { .helo = STR("a.test") } }, NULL },
		{ { .given = AUTH_ROUTE_HELO, .hop = { .helo = STR("a.test\r\nMAIL") } }, "HELO" },
		{ { .given = AUTH_ROUTE_HELO, .hop = { .helo = STR("") } }, "HELO" },
		{ { .given = AUTH_ROUTE_CONNECTIONS, .hop = { .connections = 1000 } }, NULL },
		{ { .given = AUTH_ROUTE_CONNECTIONS, .hop = { .connections = 1001 } }, "connections" },
		{ { .given = AUTH_ROUTE_CONNECTIONS }, "connections" },
		{ { .given = AUTH_ROUTE_RATE, .hop = { .rate = 1, .rate_s = 86400 } }, NULL },
		{ { .given = AUTH_ROUTE_RATE, .hop = { .rate = 1, .rate_s = 86401 } }, "rate" },
		{ { .given = AUTH_ROUTE_RATE, .hop = { .rate = 1 } }, "rate" },
		{ { .given = AUTH_ROUTE_RATE, .hop = { .rate = 1000001, .rate_s = 1 } }, "rate" },
		{ { .given = AUTH_ROUTE_TLS, .hop = { .tls = HOP_TLS_LAST + 1 } }, "unknown" },
		{ { .given = AUTH_ROUTE_LOGIN }, "--via" },
		{ { .given = AUTH_ROUTE_LOGIN | AUTH_ROUTE_VIA, .via = STR("a.test:587") }, NULL },
		{ { .given = AUTH_ROUTE_LOGIN | AUTH_ROUTE_VIA, .via = STR("smtps:a.test:465,b.test:587") }, NULL },
		{ { .given = AUTH_ROUTE_LOGIN | AUTH_ROUTE_VIA, .via = STR("direct") }, "HOST:PORT" },
		{ { .given = AUTH_ROUTE_LOGIN | AUTH_ROUTE_VIA, .via = STR("mx:a.test") }, "HOST:PORT" },
		{ { .given = AUTH_ROUTE_LOGIN | AUTH_ROUTE_VIA, .via = STR("lmtp:a.test:24") }, "HOST:PORT" },
		{ { .given = AUTH_ROUTE_LOGIN | AUTH_ROUTE_VIA, .via = STR("pipe:x") }, "HOST:PORT" },
		{ { .given = AUTH_ROUTE_LOGIN | AUTH_ROUTE_VIA | AUTH_ROUTE_TLS, .via = STR("a.test:587"), .hop = { .tls = HOP_TLS_NEVER } }, "clear" },
		{ { .given = AUTH_ROUTE_LOGIN | AUTH_ROUTE_VIA, .via = STR("192.0.2.1:587") }, "certificate" },
		{ { .given = AUTH_ROUTE_LOGIN | AUTH_ROUTE_VIA | AUTH_ROUTE_TLS, .via = STR("192.0.2.1:587"), .hop = { .tls = HOP_TLS_DANE } }, "certificate" },
		{ { .given = AUTH_ROUTE_LOGIN | AUTH_ROUTE_VIA | AUTH_ROUTE_TLS, .via = STR("192.0.2.1:587"), .hop = { .tls = HOP_TLS_ENCRYPT } }, NULL },
		{ { .given = AUTH_ROUTE_LOGIN | AUTH_ROUTE_VIA, .via = STR("127.0.0.1:1025") }, NULL },
		{ { .given = AUTH_ROUTE_LOGIN | AUTH_ROUTE_VIA, .via = STR("127.0.0.1:1025,192.0.2.1:25") }, "certificate" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		const char *why = dir_route_wrong(&cases[i].rule);

		if ((why == NULL) != (cases[i].word == NULL) || (why && !strstr(why, cases[i].word)))
			fail_msg("case %zu: %s", i, why ? why : "right");
	}
	assert_int_equal(dir_route_login_tls(STR("127.0.0.1:25,localhost:26,[::1]:25")), HOP_TLS_ENCRYPT);
	assert_int_equal(dir_route_login_tls(STR("127.0.0.1:25,a.test:26")), HOP_TLS_VERIFY);
	assert_int_equal(dir_route_login_tls(STR("127.evil.test:25")), HOP_TLS_VERIFY);
}

static void test_login_wrong(void **state)
{
	static const struct {
		struct auth_login login;
		const char       *word;
	} cases[] = {
		{ { AUTH_LOGIN_PASSWORD, STR("u"), STR("a b\xc3\xbc") }, NULL },
		{ { AUTH_LOGIN_PASSWORD, STR(""), STR("x") }, "user" },
		{ { AUTH_LOGIN_PASSWORD, STR("a\x01"), STR("x") }, "user" },
		{ { AUTH_LOGIN_PASSWORD, STR("u"), STR("") }, "password" },
		{ { AUTH_LOGIN_PASSWORD, STR("u"), { "a\0b", 3 } }, "password" },
		{ { AUTH_LOGIN_TOKEN, STR("u"), STR("ya29.x") }, NULL },
		{ { AUTH_LOGIN_TOKEN, STR("u"), STR("a\x01" "b") }, "access token" },
		{ { AUTH_LOGIN_REFRESH, STR("u"), STR("r"), STR("https://a.test/token"), STR("id"), STR(""), STR("") }, NULL },
		{ { AUTH_LOGIN_REFRESH, STR("u"), STR("r"), STR("http://a.test/token"), STR("id"), STR(""), STR("") }, "https" },
		{ { AUTH_LOGIN_REFRESH, STR("u"), STR("r"), STR("https://a.test/t\r\nx"), STR("id"), STR(""), STR("") }, "https" },
		{ { AUTH_LOGIN_REFRESH, STR("u"), STR("r"), STR("https://a.test/token"), STR(""), STR(""), STR("") }, "client_id" },
		{ { AUTH_LOGIN_REFRESH, STR("u"), STR(""), STR("https://a.test/token"), STR("id"), STR("s"), STR("") }, "refresh" },
		{ { AUTH_LOGIN_REFRESH, STR("u"), STR("r"), STR("https://a.test/token"), STR("id"), STR("s"), STR("a\nb") }, "scope" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		const char *why = dir_login_wrong(&cases[i].login);

		if ((why == NULL) != (cases[i].word == NULL) || (why && !strstr(why, cases[i].word)))
			fail_msg("case %zu: %s", i, why ? why : "right");
	}
}

/* ---- stored ---- */

static void test_change(void **state)
{
	struct directory *d = unit_directory_new();

	(void)state;
	assert_int_equal(via(d, "far.example", "*", "a.test:25"), ST_OK);
	assert_int_equal(via(d, "FAR.example", "", "b.test:25"), ST_EXISTS);
	assert_int_equal(via(d, "far..example", "*", "b.test:25"), ST_INVALID);
	assert_int_equal(via(d, "a@", "*", "b.test:25"), ST_INVALID);
	assert_int_equal(via(d, "<>", "*", "b.test:25"), ST_INVALID);
	assert_int_equal(via(d, "..example", "*", "b.test:25"), ST_INVALID);
	assert_int_equal(via(d, "*", "b\nc@far.example", "b.test:25"), ST_INVALID);
	assert_int_equal(via(d, "x.example", "*", "nonsense"), ST_INVALID);
	assert_int_equal(change(d, false, "x.example", "*", (struct auth_route_change_request){ .rule = { VIA("b.test:25") } }), ST_NOT_FOUND);
	assert_int_equal(change(d, false, "far.example", "*", (struct auth_route_change_request){ .rule = { .given = AUTH_ROUTE_HELO, .hop.helo = STR("h.test") } }), ST_OK);
	assert_string_equal(hop_of(d, "a@demo.test", "x@far.example"), "a.test:25 0   h.test  0 0/0");
	assert_int_equal(change(d, false, "far.example", "*", (struct auth_route_change_request){ .unset = AUTH_ROUTE_VIA }), ST_OK);
	assert_string_equal(hop_of(d, "a@demo.test", "x@far.example"), " 0   h.test  0 0/0");
	assert_int_equal(change(d, false, "far.example", "*", (struct auth_route_change_request){ .unset = AUTH_ROUTE_HELO }), ST_INVALID); /* nothing left */
	directory_close(&d);
	d = unit_directory_open();
	assert_string_equal(hop_of(d, "a@demo.test", "x@far.example"), " 0   h.test  0 0/0");
	assert_int_equal(removed(d, "far.example", "a@b.test"), ST_NOT_FOUND);
	assert_int_equal(removed(d, "far.example", "*"), ST_OK);
	directory_close(&d);
	d = unit_directory_open();
	assert_string_equal(hop_of(d, "a@demo.test", "x@far.example"), " 0     0 0/0");
	directory_close(&d);
}

static uint64_t login_of(struct directory *d, const char *from)
{
	struct arena              *a = arena_new(NULL);
	struct auth_hop_reply      r = { 0 };
	uint64_t                   login;

	assert_int_equal(directory_hop(d, &(struct auth_hop_request){ STR("x@far.example"), str_of(from) }, a, &r), ST_OK);
	login = r.hop.login;
	arena_free(&a);
	return login;
}

/* Other credentials are another id; what was replaced or removed is gone from the file. */
static void test_secrets(void **state)
{
	struct auth_route_change_request q = {
		.rule = { .given = AUTH_ROUTE_VIA | AUTH_ROUTE_LOGIN, .via = STR("smart.example:587") },
		.login = { .user = STR("me@smart.example"), .secret = STR("Tr0ub4dor") },
	};
	struct directory *d = unit_directory_new();
	struct arena     *a = arena_new_secret(NULL);
	struct auth_login l = { 0 };
	uint64_t          first, second;

	(void)state;
	assert_int_equal(change(d, true, "*", "demo.test", q), ST_OK);
	first = login_of(d, "ann@demo.test");
	assert_int_not_equal(first, 0);
	assert_int_equal(directory_hop_secret(d, first, a, &l), ST_OK);
	assert_str(l.user, STR("me@smart.example"));
	assert_str(l.secret, STR("Tr0ub4dor"));
	assert_int_equal(directory_hop_secret(d, first + 1, a, &l), ST_NOT_FOUND);
	/* another attribute: the same credentials */
	assert_int_equal(change(d, false, "*", "demo.test", (struct auth_route_change_request){ .rule = { .given = AUTH_ROUTE_HELO, .hop.helo = STR("h.test") } }), ST_OK);
	assert_int_equal(login_of(d, "ann@demo.test"), first);
	q = (struct auth_route_change_request){ .rule = { .given = AUTH_ROUTE_LOGIN },
						 .login = { AUTH_LOGIN_REFRESH, STR("you"), STR("refresh"), STR("https://a.test/token"), STR("id"), STR("hush"), STR("smtp") } };
	assert_int_equal(change(d, false, "*", "demo.test", q), ST_OK);
	second = login_of(d, "ann@demo.test");
	assert_true(second > first);
	assert_int_equal(directory_hop_secret(d, first, a, &l), ST_NOT_FOUND);
	directory_close(&d);
	d = unit_directory_open();
	assert_int_equal(login_of(d, "ann@demo.test"), second);
	assert_int_equal(directory_hop_secret(d, second, a, &l), ST_OK);
	assert_int_equal(l.kind, AUTH_LOGIN_REFRESH);
	assert_str(l.secret, STR("refresh"));
	assert_str(l.client_secret, STR("hush"));
	assert_str(l.endpoint, STR("https://a.test/token"));
	/* a next hop cannot go without its credentials */
	assert_int_equal(change(d, false, "*", "demo.test", (struct auth_route_change_request){ .unset = AUTH_ROUTE_VIA }), ST_INVALID);
	assert_int_equal(change(d, false, "*", "demo.test", (struct auth_route_change_request){ .unset = AUTH_ROUTE_LOGIN }), ST_OK);
	assert_int_equal(directory_hop_secret(d, second, a, &l), ST_NOT_FOUND);
	q.login.secret = STR("again");
	assert_int_equal(change(d, false, "*", "demo.test", q), ST_OK);
	assert_true(login_of(d, "ann@demo.test") > second); /* never an id twice */
	second = login_of(d, "ann@demo.test");
	assert_int_equal(removed(d, "*", "demo.test"), ST_OK);
	assert_int_equal(directory_hop_secret(d, second, a, &l), ST_NOT_FOUND);
	arena_free(&a);
	directory_close(&d);
}

/* Pages in order, the rule for everything first; and no secret in them, nor in the dump of any message. */
static void test_list(void **state)
{
	struct auth_route_change_request q = {
		.rule = { .to = STR("a.example"), .from = STR("*"), .given = AUTH_ROUTE_VIA | AUTH_ROUTE_LOGIN, .via = STR("smart.example:587") },
		.login = { .user = STR("me"), .secret = STR("Tr0ub4dor"), .client_secret = STR("Tr0ub4dor") },
	};
	struct auth_route_list_request next = { STR(""), STR("") };
	struct directory              *d = unit_directory_new();
	struct arena                  *a = arena_new(NULL);
	struct buf                     dump;
	size_t                         count = 0;
	char                           name[64];
	bool                           more = true;

	(void)state;
	buf_init(&dump, 8 * MIB);
	assert_int_equal(directory_route_add(d, &q), ST_OK);
	assert_int_equal(via(d, "*", "*", "all.test:25"), ST_OK);
	assert_int_equal(via(d, "*", "<>", "null.test:25"), ST_OK);
	for (size_t i = 0; i < LIMIT_LIST_PAGE + 50; i++) {
		snprintf(name, sizeof(name), "d%zu.example", i);
		assert_int_equal(via(d, name, i % 2 ? "*" : "demo.test", "h.test:25"), ST_OK);
	}
	while (more) {
		struct auth_route_list_reply r;

		assert_int_equal(directory_route_list(d, &next, a, &r), ST_OK);
		assert_true(r.rule_count > 0 && r.rule_count <= LIMIT_LIST_PAGE);
		if (count == 0) {
			assert_str(r.rules[0].to, STR("*"));
			assert_str(r.rules[0].from, STR("*"));
			assert_str(r.rules[1].from, STR("<>"));
			assert_str(r.rules[2].to, STR("a.example"));
			assert_str(r.rules[2].user, STR("me"));
		}
		ipc_dump(&dump, &ipc_msgs[IPC_AUTH_ROUTE_LIST].reply, &r);
		count += r.rule_count;
		next = (struct auth_route_list_request){ r.rules[r.rule_count - 1].to, r.rules[r.rule_count - 1].from };
		more = r.more;
	}
	assert_int_equal(count, LIMIT_LIST_PAGE + 53);
	ipc_dump(&dump, &ipc_msgs[IPC_AUTH_ROUTE_ADD].request, &q);
	ipc_dump(&dump, &ipc_msgs[IPC_AUTH_HOP_SECRET].reply, &q.login);
	assert_true(str_search(buf_str(&dump), STR("***")) >= 0);
	assert_true(str_search(buf_str(&dump), STR("Tr0ub")) < 0);
	buf_done(&dump);
	arena_free(&a);
	directory_close(&d);
}

/* ---- many rules, long names ---- */

/* The most labels that a name may have, with 100,000 rules: looked up in some microseconds each; what is asserted is the answer. */
static void test_many(void **state)
{
	struct dir_routes routes;
	struct dir_hop    hop;
	char              to[LIMIT_ADDRESS], from[LIMIT_ADDRESS], name[64];
	struct timespec   begin, end;

	(void)state;
	dir_routes_init(&routes);
	for (size_t i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), i % 2 ? ".d%zu.example" : "u%zu@d.example", i);
		dir_route_put(&routes, &(struct auth_route_rule){ .to = str_of(name), .from = STR(""), VIA("hop.test:25") });
	}
	assert_int_equal(routes.rules.count, 100000);
	snprintf(to, sizeof(to), "x@");
	snprintf(from, sizeof(from), "y@");
	for (size_t i = 0; i < 120; i++) {
		strcat(to, "a.");
		strcat(from, "b.");
	}
	strcat(to, "d99999.example");
	strcat(from, "c");
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (size_t i = 0; i < 1000; i++) {
		dir_hop_find(&routes, &(struct dir_hop_ask){ .to = str_of(to), .from = str_of(from) }, &hop);
		assert_str(hop.via, STR("hop.test:25"));
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	print_message("100000 rules, 120 labels each: %.1f us for one\n",
		      (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6);
	dir_hop_find(&routes, &(struct dir_hop_ask){ .to = STR("u2@d.example"), .from = STR("") }, &hop);
	assert_str(hop.via, STR("hop.test:25"));
	dir_hop_find(&routes, &(struct dir_hop_ask){ .to = STR("u3@d.example"), .from = STR("") }, &hop);
	assert_str(hop.via, STR(""));
	for (size_t i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), i % 2 ? ".d%zu.example" : "u%zu@d.example", i);
		dir_route_drop(&routes, dir_route_find(&routes, str_of(name), STR("")));
	}
	assert_int_equal(routes.to.count, 0);
	assert_int_equal(routes.from.count, 0);
	dir_routes_done(&routes);
}

/* ---- the dry run ---- */

static const char *told(struct directory *d, const char *from, const char *address)
{
	static char             out[8000];
	struct arena           *a = arena_new(NULL);
	struct auth_route_reply r = { 0 };
	int                     n = 0;

	out[0] = '\0';
	assert_int_equal(directory_route(d, &(struct auth_route_request){ str_of(address), str_of(from ? from : ""), from == NULL }, a, &r), ST_OK);
	for (size_t i = 0; i < r.step_count; i++)
		if (str_eq(r.steps[i].what, STR("route")))
			n += snprintf(out + n, sizeof(out) - (size_t)n, "%.*s; ", STR_FMT(r.steps[i].text));
	arena_free(&a);
	return out;
}

static void test_told(void **state)
{
	struct directory *d = unit_directory_new();

	(void)state;
	unit_domain(d, "demo.test");
	unit_account(d, "ann@demo.test");
	assert_string_equal(told(d, NULL, "x@far.example"), "");
	assert_int_equal(rule(d, "*", "*", (struct auth_route_rule){ .given = AUTH_ROUTE_HELO, .hop.helo = STR("h.test") }), ST_OK);
	assert_int_equal(change(d, true, ".example", "ann@demo.test", (struct auth_route_change_request){
		.rule = { .given = AUTH_ROUTE_VIA | AUTH_ROUTE_LOGIN | AUTH_ROUTE_RATE, .via = STR("smart.test:587"), .hop = { .rate = 5, .rate_s = 60 } },
		.login = { .user = STR("u"), .secret = STR("secret") } }), ST_OK);
	assert_string_equal(told(d, NULL, "x@far.example"), "helo h.test: rule to * from *; ");
	assert_string_equal(told(d, "ann@demo.test", "x@far.example"),
			    "next hop smart.test:587: rule to .example from ann@demo.test; signs in there: rule to .example from ann@demo.test; "
			    "tls verify, because it signs in: rule to .example from ann@demo.test; helo h.test: rule to * from *; "
			    "rate 5 in 60s: rule to .example from ann@demo.test; ");
	assert_int_equal(via(d, "*", "<>", "direct"), ST_OK);
	assert_string_equal(told(d, "", "x@far.example"), "next hop mx:far.example: rule to * from <>; helo h.test: rule to * from *; ");
	assert_string_equal(told(d, "", "ann@demo.test"), "");
	assert_int_equal(directory_domain_add(d, &(struct auth_domain_request){ STR("mine.example"), AUTH_DOMAIN_RELAY, STR("own.test:25"), AUTH_VERIFY_NONE }), ST_OK);
	assert_string_equal(told(d, "", "x@mine.example"), "next hop own.test:25: the relay of the domain; helo h.test: rule to * from *; ");
	directory_close(&d);
}

/* A directory of the version before: no rules, and everything else as it was. */
static void test_upgrade(void **state)
{
	static const char *const none[] = { "", "", "", "", "", "", "", "" };
	static const char *const undo[] = {
		"DROP TABLE share", "DROP TABLE member", "DROP TABLE team", "DROP TABLE used",
		"ALTER TABLE account DROP COLUMN quota_messages", "ALTER TABLE domain DROP COLUMN account_octets",
		"ALTER TABLE domain DROP COLUMN account_messages", "ALTER TABLE domain DROP COLUMN total_octets",
		"ALTER TABLE domain DROP COLUMN total_messages", "DROP TABLE route", "DROP TABLE login", "PRAGMA user_version = 5",
	};
	struct directory        *d = unit_directory_new();
	struct db               *db;

	(void)state;
	unit_domain(d, "demo.test");
	unit_account(d, "ann@demo.test");
	assert_int_equal(via(d, "*", "*", "lost.test:25"), ST_OK);
	directory_close(&d);
	assert_int_equal(db_open(unit_path, &(struct db_options){ .schema = &(struct db_schema){ none, LEN(none) } }, &db), ST_OK);
	assert_int_equal(db_begin_write(db), ST_OK);
	for (size_t i = 0; i < LEN(undo); i++)
		assert_int_equal(db_run(db_sql(db, undo[i])), ST_OK);
	assert_int_equal(db_commit(db), ST_OK);
	db_close(&db);
	d = unit_directory_open();
	assert_string_equal(hop_of(d, "", "ann@demo.test"), "account");
	assert_string_equal(relay_of(d, "", "x@far.example"), "");
	assert_int_equal(via(d, "*", "*", "new.test:25"), ST_OK);
	assert_string_equal(relay_of(d, "", "x@far.example"), "new.test:25");
	directory_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),   cmocka_unit_test(test_matching),    cmocka_unit_test(test_attributes), cmocka_unit_test(test_local_domains),
		cmocka_unit_test(test_relay_domains), cmocka_unit_test(test_direct), cmocka_unit_test(test_via),        cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_login_wrong), cmocka_unit_test(test_change),  cmocka_unit_test(test_secrets),    cmocka_unit_test(test_list),
		cmocka_unit_test(test_many),    cmocka_unit_test(test_told),        cmocka_unit_test(test_upgrade),
	};

	return cmocka_run_group_tests(tests, unit_directory_setup, unit_directory_teardown);
}
