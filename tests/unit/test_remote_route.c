/* deliver/remote_route.h, deliver/remote_address.h: where mail for a domain goes. RFC 5321 §5.1, RFC 7505. */
#include "unit.h"

#include <stdio.h>

#include "deliver/remote_hosts.h"
#include "deliver/remote_route.h"
#include "fake_dns.h"

#define ROWS(...)                     \
	(const struct fake_record[])  \
	{                             \
		__VA_ARGS__,          \
		{                     \
			NULL, 0, NULL \
		}                     \
	}

static const struct route_case {
	const char               *name;
	const struct fake_record *zone;
	const char               *domain, *relay;
	bool                      lab;
	const char               *want; /* "address address ... > code" */
} cases[] = {
	{ "by preference",
	  ROWS({ "d.test", DNS_MX, "20 b.test" }, { "d.test", DNS_MX, "10 a.test" }, { "a.test", DNS_A, "192.0.2.1" },
	       { "b.test", DNS_A, "192.0.2.2" }),
	  "d.test", "", false, "192.0.2.1 192.0.2.2 > 4.4.1" },
	{ "final dots", ROWS({ "d.test", DNS_MX, "10 a.test." }, { "a.test", DNS_A, "192.0.2.1" }), "d.test.", "",
	  false, "192.0.2.1 > 4.4.1" },
	{ "families by turns",
	  ROWS({ "d.test", DNS_MX, "10 a.test" }, { "a.test", DNS_A, "192.0.2.1" }, { "a.test", DNS_A, "192.0.2.2" },
	       { "a.test", DNS_AAAA, "2001:db8::1" }),
	  "d.test", "", false, "2001:db8::1 192.0.2.1 192.0.2.2 > 4.4.1" },
	{ "four addresses of one host",
	  ROWS({ "d.test", DNS_MX, "10 a.test" }, { "a.test", DNS_A, "192.0.2.1" }, { "a.test", DNS_A, "192.0.2.2" },
	       { "a.test", DNS_A, "192.0.2.3" }, { "a.test", DNS_A, "192.0.2.4" }, { "a.test", DNS_A, "192.0.2.5" }),
	  "d.test", "", false, "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 > 4.4.1" },
	{ "no MX, A", ROWS({ "d.test", DNS_A, "192.0.2.1" }), "d.test", "", false, "192.0.2.1 > 4.4.1" },
	{ "no MX, AAAA", ROWS({ "d.test", DNS_AAAA, "2001:db8::1" }), "d.test", "", false, "2001:db8::1 > 4.4.1" },
	{ "no domain", ROWS({ "other.test", DNS_A, "192.0.2.1" }), "d.test", "", false, "> 5.1.2" },
	{ "no address", ROWS({ "d.test", DNS_TXT, "x" }), "d.test", "", false, "> 5.4.4" },
	{ "MX without address", ROWS({ "d.test", DNS_MX, "10 a.test" }), "d.test", "", false, "> 5.4.4" },
	{ "null MX", ROWS({ "d.test", DNS_MX, "0" }, { "d.test", DNS_A, "192.0.2.1" }), "d.test", "", false,
	  "> 5.1.10" },
	{ "null MX beside others",
	  ROWS({ "d.test", DNS_MX, "0" }, { "d.test", DNS_MX, "10 a.test" }, { "a.test", DNS_A, "192.0.2.1" }),
	  "d.test", "", false, "192.0.2.1 > 4.4.1" },
	{ "MX fails", ROWS({ "d.test", DNS_MX, "!" }, { "d.test", DNS_A, "192.0.2.1" }), "d.test", "", false,
	  "> 4.4.3" },
	{ "MX bogus", ROWS({ "d.test", DNS_MX, "?" }), "d.test", "", false, "> 4.4.3" },
	{ "A fails", ROWS({ "d.test", DNS_A, "!" }), "d.test", "", false, "> 4.4.3" },
	{ "AAAA fails, A is there", ROWS({ "d.test", DNS_A, "192.0.2.1" }, { "d.test", DNS_AAAA, "!" }), "d.test", "",
	  false, "192.0.2.1 > 4.4.3" },
	{ "one host fails, none else",
	  ROWS({ "d.test", DNS_MX, "10 a.test" }, { "d.test", DNS_MX, "20 b.test" }, { "a.test", DNS_A, "!" }),
	  "d.test", "", false, "> 4.4.3" },
	{ "self alone", ROWS({ "d.test", DNS_MX, "10 me.test" }, { "me.test", DNS_A, "192.0.2.9" }), "d.test", "",
	  false, "> 5.4.6" },
	{ "self by case and dot", ROWS({ "d.test", DNS_MX, "10 ME.test." }), "d.test", "", false, "> 5.4.6" },
	{ "self is backup",
	  ROWS({ "d.test", DNS_MX, "10 a.test" }, { "d.test", DNS_MX, "20 me.test" }, { "d.test", DNS_MX, "30 b.test" },
	       { "a.test", DNS_A, "192.0.2.1" }, { "b.test", DNS_A, "192.0.2.2" }),
	  "d.test", "", false, "192.0.2.1 > 4.4.1" },
	{ "self with an equal",
	  ROWS({ "d.test", DNS_MX, "10 a.test" }, { "d.test", DNS_MX, "10 me.test" }, { "a.test", DNS_A, "192.0.2.1" }),
	  "d.test", "", false, "> 5.4.6" },
	{ "self by address", ROWS({ "d.test", DNS_MX, "10 a.test" }, { "a.test", DNS_A, "192.0.2.250" }), "d.test", "",
	  false, "> 5.4.6" },
	{ "localhost", ROWS({ "d.test", DNS_MX, "10 localhost" }), "d.test", "", false, "> 5.4.6" },
	{ "loopback", ROWS({ "d.test", DNS_MX, "10 a.test" }, { "a.test", DNS_A, "127.0.0.1" }), "d.test", "", false,
	  "> 5.4.6" },
	{ "mapped loopback", ROWS({ "d.test", DNS_MX, "10 a.test" }, { "a.test", DNS_AAAA, "::ffff:127.0.0.1" }),
	  "d.test", "", false, "> 5.4.6" },
	{ "loopback in lab", ROWS({ "d.test", DNS_MX, "10 a.test" }, { "a.test", DNS_A, "127.0.0.1" }), "d.test", "",
	  true, "127.0.0.1 > 4.4.1" },
	{ "multicast beside another",
	  ROWS({ "d.test", DNS_MX, "10 a.test" }, { "a.test", DNS_A, "224.0.0.1" }, { "a.test", DNS_A, "192.0.2.1" }),
	  "d.test", "", false, "192.0.2.1 > 4.4.1" },
	{ "metadata service", ROWS({ "d.test", DNS_MX, "10 a.test" }, { "a.test", DNS_A, "169.254.169.254" }), "d.test",
	  "", false, "> 5.4.4" },
	{ "MX is an address", ROWS({ "d.test", DNS_MX, "10 192.0.2.1" }), "d.test", "", false, "> 5.4.4" },
	{ "MX is junk",
	  ROWS({ "d.test", DNS_MX, "10 a b\r\nc" }, { "d.test", DNS_MX, "20 b.test" },
	       { "b.test", DNS_A, "192.0.2.2" }),
	  "d.test", "", false, "192.0.2.2 > 4.4.1" },
	{ "addresses are junk", ROWS({ "d.test", DNS_A, "1.2.3" }, { "d.test", DNS_A, "" }), "d.test", "", false,
	  "> 5.4.4" },
	{ "domain is junk", ROWS({ "d.test", DNS_A, "192.0.2.1" }), "a b", "", false, "> 5.1.2" },
	{ "domain is empty", ROWS({ "d.test", DNS_A, "192.0.2.1" }), "", "", false, "> 5.1.2" },
	{ "literal", ROWS({ "d.test", DNS_A, "192.0.2.1" }), "[192.0.2.7]", "", false, "192.0.2.7 > 4.4.1" },
	{ "literal, IPv6", ROWS({ "d.test", DNS_A, "192.0.2.1" }), "[IPv6:2001:db8::7]", "", false,
	  "2001:db8::7 > 4.4.1" },
	{ "literal without tag", ROWS({ "d.test", DNS_A, "192.0.2.1" }), "[2001:db8::7]", "", false, "> 5.1.2" },
	{ "literal, tagged IPv4", ROWS({ "d.test", DNS_A, "192.0.2.1" }), "[IPv6:192.0.2.7]", "", false, "> 5.1.2" },
	{ "literal, open", ROWS({ "d.test", DNS_A, "192.0.2.1" }), "[192.0.2.7", "", false, "> 5.1.2" },
	{ "literal of ours", ROWS({ "d.test", DNS_A, "192.0.2.1" }), "[192.0.2.250]", "", false, "> 5.4.6" },
	{ "literal, loopback", ROWS({ "d.test", DNS_A, "192.0.2.1" }), "[127.1.2.3]", "", false, "> 5.4.6" },
	{ "relay", ROWS({ "r.test", DNS_A, "192.0.2.5" }), "d.test", "r.test:2525", false, "192.0.2.5 > 4.4.1" },
	{ "relay by address, no filter", ROWS({ "r.test", DNS_A, "192.0.2.5" }), "d.test", "127.0.0.1:2525", false,
	  "127.0.0.1 > 4.4.1" },
	{ "relay by IPv6 address", ROWS({ "r.test", DNS_A, "192.0.2.5" }), "d.test", "[::1]:2525", false,
	  "::1 > 4.4.1" },
	{ "relay localhost without DNS", ROWS({ "localhost", DNS_A, "!" }), "d.test", "localhost:2525", false,
	  "127.0.0.1 > 4.4.1" },
	{ "relay unknown", ROWS({ "r.test", DNS_A, "192.0.2.5" }), "d.test", "nowhere.test:25", false, "> 4.4.1" },
	{ "relay without port", ROWS({ "r.test", DNS_A, "192.0.2.5" }), "d.test", "r.test", false, "> 4.3.5" },
	{ "relay with a bad port", ROWS({ "r.test", DNS_A, "192.0.2.5" }), "d.test", "r.test:70000", false, "> 4.3.5" },
	{ "relays in turn", ROWS({ "r.test", DNS_A, "192.0.2.5" }, { "s.test", DNS_A, "192.0.2.6" }), "d.test", "r.test:25, smtps:s.test:465,192.0.2.7:26",
	  false, "192.0.2.5 192.0.2.6 192.0.2.7 > 4.4.1" },
	{ "relays, the first unknown", ROWS({ "s.test", DNS_A, "192.0.2.6" }), "d.test", "r.test:25,s.test:25", false, "192.0.2.6 > 4.4.1" },
	{ "relays, the first fails", ROWS({ "r.test", DNS_A, "!" }, { "s.test", DNS_A, "192.0.2.6" }), "d.test", "r.test:25,s.test:25", false,
	  "192.0.2.6 > 4.4.3" },
	{ "relays, the second is none", ROWS({ "r.test", DNS_A, "192.0.2.5" }), "d.test", "r.test:25,nothing", false, "192.0.2.5 > 4.3.5" },
	{ "relay by MX", ROWS({ "o.test", DNS_MX, "20 b.test" }, { "o.test", DNS_MX, "10 a.test" }, { "a.test", DNS_A, "192.0.2.1" }, { "b.test", DNS_A, "192.0.2.2" }),
	  "d.test", "mx:o.test", false, "192.0.2.1 192.0.2.2 > 4.4.1" },
	{ "relay by MX, then a host", ROWS({ "o.test", DNS_MX, "!" }, { "s.test", DNS_A, "192.0.2.6" }), "d.test", "mx:o.test:26,s.test:25", false,
	  "192.0.2.6 > 4.4.3" },
	/* mistakes of ours: never final */
	{ "relay by MX, null MX", ROWS({ "o.test", DNS_MX, "0" }), "d.test", "mx:o.test", false, "> 4.1.10" },
	{ "relay by MX, no domain", ROWS({ "d.test", DNS_A, "192.0.2.1" }), "d.test", "mx:o.test", false, "> 4.1.2" },
	{ "relay by MX, self", ROWS({ "o.test", DNS_MX, "10 me.test" }), "d.test", "mx:o.test", false, "> 4.4.6" },
	{ "relay by MX, loopback", ROWS({ "o.test", DNS_MX, "10 a.test" }, { "a.test", DNS_A, "127.0.0.1" }), "d.test", "mx:o.test", false, "> 4.4.6" },
	{ "relay by MX, we are its backup", ROWS({ "o.test", DNS_MX, "10 a.test" }, { "o.test", DNS_MX, "20 me.test" }, { "a.test", DNS_A, "192.0.2.1" }), "d.test",
	  "mx:o.test", false, "192.0.2.1 > 4.4.1" },
	{ "domain is an alias", ROWS({ "d.test", DNS_CNAME, "o.test" }, { "o.test", DNS_MX, "10 a.test" }, { "a.test", DNS_A, "192.0.2.1" }), "d.test", "", false,
	  "192.0.2.1 > 4.4.1" },
	{ "MX is an alias", ROWS({ "d.test", DNS_MX, "10 c.test" }, { "c.test", DNS_CNAME, "a.test" }, { "a.test", DNS_A, "192.0.2.1" }), "d.test", "", false,
	  "192.0.2.1 > 4.4.1" },
	{ "MX is an alias of loopback", ROWS({ "d.test", DNS_MX, "10 c.test" }, { "c.test", DNS_CNAME, "a.test" }, { "a.test", DNS_A, "127.0.0.1" }), "d.test", "",
	  false, "> 5.4.6" },
	{ "one host fails, another answers",
	  ROWS({ "d.test", DNS_MX, "10 a.test" }, { "d.test", DNS_MX, "20 b.test" }, { "a.test", DNS_A, "?" }, { "b.test", DNS_A, "192.0.2.2" }), "d.test", "",
	  false, "192.0.2.2 > 4.4.3" },
};

/* All targets, then why there are no more. */
static void walk(struct remote *remote, const struct route_case *c, struct buf *out)
{
	struct remote_deliver_request q = { .domain = str_of(c->domain), .relay = str_of(c->relay), .file = -1 };
	struct arena                 *a = arena_new(NULL);
	struct remote_route           route;
	struct remote_outcome         why;
	const struct remote_target   *t;

	if (remote_route_open(&route, remote, a, &q, &why)) {
		while ((t = remote_route_next(&route)))
			buf_addf(out, "%s ", t->address.text);
		why = remote_route_why(&route);
	}
	assert_int_equal(why.result, why.code.p[0] == '5' ? REMOTE_REFUSED : REMOTE_DEFERRED);
	buf_addf(out, "> %.*s", STR_FMT(why.code));
	arena_free(&a);
}

static void test_cases(void **state)
{
	static const struct str own[] = { STR("192.0.2.250") };

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct fake_zone zone = { .records = cases[i].zone };
		struct remote    remote = fake_remote(&zone);
		struct buf       out;

		remote.settings.own = own;
		remote.settings.own_count = LEN(own);
		remote.settings.lab = cases[i].lab;
		buf_init(&out, 4096);
		walk(&remote, &cases[i], &out);
		if (!str_eq(buf_str(&out), str_of(cases[i].want)))
			print_error("case \"%s\"\n", cases[i].name);
		assert_str(buf_str(&out), str_of(cases[i].want));
		buf_done(&out);
	}
}

/* 50 hosts with 10 addresses each cost 10 hosts and 20 addresses, RFC 5321 §5.1 asks for bounds. */
static void test_bounds(void **state)
{
	enum { HOSTS = 50, ADDRESSES = 10 };
	static char               names[HOSTS][24], mx[HOSTS][40], ips[HOSTS * ADDRESSES][40];
	static struct fake_record rows[HOSTS * (1 + ADDRESSES) + 1];
	struct fake_zone          zone = { .records = rows };
	struct remote             remote = fake_remote(&zone);
	struct route_case         c = { .domain = "d.test", .relay = "" };
	size_t                    n = 0, targets = 0;
	struct buf                out;

	(void)state;
	for (unsigned i = 0; i < HOSTS; i++) {
		snprintf(names[i], sizeof(names[i]), "h%u.test", i);
		snprintf(mx[i], sizeof(mx[i]), "%u h%u.test", i / 2, i);
		rows[n++] = (struct fake_record){ "d.test", DNS_MX, mx[i] };
		for (unsigned j = 0; j < ADDRESSES; j++) {
			snprintf(ips[i * ADDRESSES + j], sizeof(ips[0]), "198.18.%u.%u", i, j);
			rows[n++] = (struct fake_record){ names[i], DNS_A, ips[i * ADDRESSES + j] };
		}
	}
	buf_init(&out, 4096);
	walk(&remote, &c, &out);
	for (size_t i = 0; i < out.n; i++)
		targets += out.p[i] == ' ';
	assert_int_equal(targets - 1, LIMIT_REMOTE_ADDRESSES);
	assert_true(zone.lookups <= 1 + 2 * LIMIT_REMOTE_HOSTS);
	buf_done(&out);
}

/* Each of three equal hosts comes first at some time: 200 tries miss one with a chance of 3*(2/3)^200. */
static void test_shuffle(void **state)
{
	const struct fake_record *rows = ROWS({ "d.test", DNS_MX, "10 a.test" }, { "d.test", DNS_MX, "10 b.test" },
					      { "d.test", DNS_MX, "10 c.test" }, { "a.test", DNS_A, "192.0.2.1" },
					      { "b.test", DNS_A, "192.0.2.2" }, { "c.test", DNS_A, "192.0.2.3" });
	struct fake_zone          zone = { .records = rows };
	struct remote             remote = fake_remote(&zone);
	struct route_case         c = { .domain = "d.test", .relay = "" };
	unsigned                  first = 0;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct buf out;

		buf_init(&out, 4096);
		walk(&remote, &c, &out);
		first |= 1u << (out.p[8] - '1');
		buf_done(&out);
	}
	assert_int_equal(first, 7);
}

/* Of two equal ones, that which somebody is connecting to comes second, but never behind a host that is worse. */
static void test_tried(void **state)
{
	const struct fake_record *rows = ROWS({ "d.test", DNS_MX, "10 a.test" }, { "d.test", DNS_MX, "10 b.test" },
					      { "d.test", DNS_MX, "20 c.test" }, { "a.test", DNS_A, "192.0.2.1" },
					      { "b.test", DNS_A, "192.0.2.2" }, { "c.test", DNS_A, "192.0.2.3" });
	struct fake_zone          zone = { .records = rows };
	struct remote             remote = fake_remote(&zone);
	struct route_case         c = { .domain = "d.test", .relay = "" };
	struct remote_target      a = { 0 }, b = { 0 };

	(void)state;
	remote.hosts = remote_hosts_new();
	assert_true(remote_address_parse(STR("192.0.2.1"), 25, &a.address) && remote_address_parse(STR("192.0.2.2"), 25, &b.address));
	remote_hosts_mark(remote.hosts, &a, REMOTE_HOST_TRIED);
	for (unsigned i = 0; i < 50; i++) {
		struct buf out;

		if (i == 30)
			remote_hosts_mark(remote.hosts, &b, REMOTE_HOST_TRIED); /* both: as if none were */
		if (i == 40)
			remote_hosts_clear(remote.hosts, &a, REMOTE_HOST_TRIED);
		buf_init(&out, 4096);
		walk(&remote, &c, &out);
		if (i < 30)
			assert_str(buf_str(&out), STR("192.0.2.2 192.0.2.1 192.0.2.3 > 4.4.1"));
		else if (i >= 40)
			assert_str(buf_str(&out), STR("192.0.2.1 192.0.2.2 192.0.2.3 > 4.4.1"));
		buf_done(&out);
	}
	remote_hosts_free(&remote.hosts);
}

static void test_addresses(void **state)
{
	static const struct {
		const char             *ip;
		enum remote_address_use use;
	} rows[] = {
		{ "192.0.2.1", REMOTE_ADDRESS_FINE },
		{ "10.0.0.1", REMOTE_ADDRESS_FINE },
		{ "127.0.0.1", REMOTE_ADDRESS_SELF },
		{ "127.255.255.254", REMOTE_ADDRESS_SELF },
		{ "0.0.0.0", REMOTE_ADDRESS_SELF },
		{ "0.1.2.3", REMOTE_ADDRESS_SELF },
		{ "224.0.0.1", REMOTE_ADDRESS_REFUSED },
		{ "239.255.255.255", REMOTE_ADDRESS_REFUSED },
		{ "240.0.0.1", REMOTE_ADDRESS_REFUSED },
		{ "255.255.255.255", REMOTE_ADDRESS_REFUSED },
		{ "169.254.169.254", REMOTE_ADDRESS_REFUSED },
		{ "::1", REMOTE_ADDRESS_SELF },
		{ "::", REMOTE_ADDRESS_SELF },
		{ "ff02::1", REMOTE_ADDRESS_REFUSED },
		{ "fe80::1", REMOTE_ADDRESS_REFUSED },
		{ "fec0::1", REMOTE_ADDRESS_REFUSED },
		{ "::ffff:127.0.0.1", REMOTE_ADDRESS_SELF },
		{ "::127.0.0.1", REMOTE_ADDRESS_SELF },
		{ "64:ff9b::7f00:1", REMOTE_ADDRESS_SELF },
		{ "64:ff9b::c000:201", REMOTE_ADDRESS_FINE },
		{ "2001:db8::1", REMOTE_ADDRESS_FINE },
	};
	const struct remote_settings settings = { 0 };

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct remote_address a;

		assert_true(remote_address_parse(str_of(rows[i].ip), 25, &a));
		if (remote_address_use(&settings, &a) != rows[i].use)
			print_error("address %s\n", rows[i].ip);
		assert_int_equal(remote_address_use(&settings, &a), rows[i].use);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_shuffle),
		cmocka_unit_test(test_tried),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
