/* directory/: who may write to whom and as whom, where mail goes, and the dry run that says why. */
#include "unit.h"

#include <string.h>

#include "directory/probe_known.h"
#include "directory/srs.h"
#include "unit_directory.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)

static const char *const kinds[] = { "local", "foreign", "unknown", "closed", "relay", "probe", "full", "refused", "later" };

static const char *rcpt_of(struct directory *d, const struct auth_rcpt_request *q)
{
	struct arena          *a = arena_new(NULL);
	struct auth_rcpt_reply r = { 0 };
	enum status            st = directory_rcpt(d, q, a, &r);

	arena_free(&a);
	return st == ST_OK ? kinds[r.kind] : status_name(st);
}

static const char *rcpt(struct directory *d, const char *from, const char *address)
{
	return rcpt_of(d, &(struct auth_rcpt_request){ .address = str_of(address), .from = str_of(from) });
}

/* "a@x b@y<sender!relay" ... */
static const char *resolve(struct directory *d, const char *from, const char *address)
{
	static char               out[4096];
	struct arena             *a = arena_new(NULL);
	struct auth_resolve_reply r;
	enum status               st = directory_resolve(d, &(struct auth_resolve_request){ str_of(address), str_of(from) }, a, &r);
	size_t                    n = 0;

	if (st != ST_OK)
		snprintf(out, sizeof(out), "%s", status_name(st));
	for (size_t i = 0; st == ST_OK && i < r.target_count; i++) {
		const struct auth_target *t = &r.targets[i];

		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%.*s%s%.*s%s%.*s", i ? " " : "", STR_FMT(t->address), t->forward ? ">" : "",
				      STR_FMT(t->from), t->relay.n ? "!" : "", STR_FMT(t->relay));
	}
	arena_free(&a);
	return out;
}

static enum status policy(struct directory *d, const char *list, enum auth_rule rule, const char *address)
{
	struct auth_policy one = { rule, str_of(address) };

	return directory_alias_policy(d, &(struct auth_alias_policy_request){ str_of(list), &one, 1 });
}

static uint64_t alice, bob, eve;

static struct directory *world(void)
{
	struct directory *d = unit_directory_new();

	unit_domain(d, "demo.test");
	unit_domain(d, "other.test");
	alice = unit_account(d, "alice@demo.test");
	bob = unit_account(d, "bob@demo.test");
	eve = unit_account(d, "eve@other.test");
	assert_int_equal(unit_alias(d, "staff@demo.test", "alice@demo.test bob@demo.test guest@far.example"), ST_OK);
	assert_int_equal(unit_alias(d, "all@demo.test", "staff@demo.test eve@other.test"), ST_OK);
	assert_int_equal(unit_alias(d, "out@demo.test", "far@far.example"), ST_OK);
	return d;
}

/* ---- lists ---- */

static void test_policies(void **state)
{
	enum { NOBODY, ALICE, EVE };
	static const struct {
		enum auth_rule rule;
		const char    *address;
		int            who; /* signed in */
		const char    *from;
		bool           trusted;
		const char    *want;
	} cases[] = {
		{ AUTH_RULE_MEMBERS, "", ALICE, "alice@demo.test", false, "local" },
		{ AUTH_RULE_MEMBERS, "", ALICE, "info@demo.test", false, "local" },
		{ AUTH_RULE_MEMBERS, "", EVE, "eve@other.test", false, "refused" },
		{ AUTH_RULE_MEMBERS, "", NOBODY, "alice@demo.test", false, "refused" }, /* anybody can say that */
		{ AUTH_RULE_MEMBERS, "", NOBODY, "guest@far.example", false, "refused" },
		{ AUTH_RULE_MEMBERS, "", NOBODY, "guest@far.example", true, "local" },
		{ AUTH_RULE_MEMBERS, "", NOBODY, "Alice@DEMO.test", true, "local" },
		{ AUTH_RULE_MEMBERS, "", NOBODY, "eve@other.test", true, "refused" },
		{ AUTH_RULE_MEMBERS, "", ALICE, "", false, "refused" },
		{ AUTH_RULE_MEMBERS, "", NOBODY, "", true, "refused" },
		{ AUTH_RULE_DOMAIN, "", ALICE, "alice@demo.test", false, "local" },
		{ AUTH_RULE_DOMAIN, "", EVE, "eve@other.test", false, "refused" },
		{ AUTH_RULE_DOMAIN, "", NOBODY, "alice@demo.test", false, "refused" },
		{ AUTH_RULE_DOMAIN, "", NOBODY, "alice@demo.test", true, "local" },
		{ AUTH_RULE_DOMAIN, "", NOBODY, "nobody@demo.test", true, "refused" },
		{ AUTH_RULE_DOMAIN, "", ALICE, "", false, "refused" },
		{ AUTH_RULE_ADDRESS, "boss@far.example", NOBODY, "boss@far.example", false, "local" },
		{ AUTH_RULE_ADDRESS, "boss@far.example", NOBODY, "boss@FAR.example", false, "local" },
		{ AUTH_RULE_ADDRESS, "boss@far.example", NOBODY, "Boss@far.example", false, "refused" },
		{ AUTH_RULE_ADDRESS, "boss@far.example", NOBODY, "", false, "refused" },
		{ AUTH_RULE_ADDRESS, "eve@other.test", NOBODY, "eve@other.test", false, "refused" },
		{ AUTH_RULE_ADDRESS, "eve@other.test", NOBODY, "eve@other.test", true, "local" },
		{ AUTH_RULE_ADDRESS, "eve@other.test", EVE, "eve@other.test", false, "local" },
		{ AUTH_RULE_ADDRESS, "eve@other.test", EVE, "sales@other.test", false, "local" },
		{ AUTH_RULE_ADDRESS, "eve@other.test", ALICE, "alice@demo.test", false, "refused" },
	};
	struct directory *d = world();

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		const uint64_t           who[] = { 0, alice, eve };
		struct auth_rcpt_request q = {
			.from = str_of(cases[i].from), .account = who[cases[i].who], .exempt = cases[i].trusted
		};

		assert_int_equal(policy(d, "staff@demo.test", cases[i].rule, cases[i].address), ST_OK);
		/* The list itself; with a subaddress; and through an open list that leads to it: as closed as what it leads to. */
		q.address = STR("staff@demo.test");
		assert_string_equal(rcpt_of(d, &q), cases[i].want);
		q.address = STR("STAFF+x@demo.test");
		assert_string_equal(rcpt_of(d, &q), cases[i].want);
		q.address = STR("all@demo.test");
		assert_string_equal(rcpt_of(d, &q), cases[i].want);
	}
	/* What was accepted is delivered, whatever the policy is by then. */
	assert_string_equal(resolve(d, "", "staff@demo.test"), "alice@demo.test bob@demo.test guest@far.example>");
	directory_close(&d);
}

/* Other targets: the rules stay, in memory and on disk. */
static void test_alias_change(void **state)
{
	struct directory *d = world();
	struct auth_name  names[2] = { { STR("alice@demo.test") }, { STR("far@far.example") } };
	struct auth_alias staff = { STR("Staff@demo.test"), names, 2, NULL, 0 };
	struct auth_alias nobody = { STR("none@demo.test"), names, 2, NULL, 0 };
	struct auth_name  itself[1] = { { STR("loop@demo.test") } };

	(void)state;
	assert_int_equal(policy(d, "staff@demo.test", AUTH_RULE_MEMBERS, ""), ST_OK);
	assert_int_equal(directory_alias_change(d, &nobody), ST_NOT_FOUND);
	assert_string_equal(rcpt(d, "x@far.example", "none@demo.test"), "unknown");
	assert_int_equal(directory_alias_change(d, &staff), ST_OK);
	assert_int_equal(directory_alias_add(d, &staff), ST_EXISTS);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(rcpt(d, "x@far.example", "staff@demo.test"), "refused");
		assert_non_null(strstr(resolve(d, "", "staff@demo.test"), "far@far.example"));
		directory_close(&d);
		d = unit_directory_open();
	}
	/* A circle changes nothing. */
	assert_int_equal(unit_alias(d, "loop@demo.test", "staff@demo.test"), ST_OK);
	staff.to = itself;
	staff.to_count = 1;
	assert_int_equal(directory_alias_change(d, &staff), ST_LIMIT);
	assert_non_null(strstr(resolve(d, "", "staff@demo.test"), "far@far.example"));
	directory_close(&d);
}

static void test_policy_kept(void **state)
{
	struct directory *d = world();
	struct auth_policy rules[2] = { { AUTH_RULE_MEMBERS, STR_NONE }, { AUTH_RULE_ADDRESS, STR("BOB@demo.test") } };
	struct auth_alias_list_reply list;
	struct arena     *a = arena_new(NULL);

	(void)state;
	assert_int_equal(directory_alias_policy(d, &(struct auth_alias_policy_request){ STR("staff@demo.test"), rules, 2 }), ST_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(directory_alias_list(d, &(struct auth_list_request){ .after = STR("out@demo.test") }, a, &list), ST_OK);
		assert_int_equal(list.alias_count, 1);
		assert_int_equal(list.aliases[0].rule_count, 2);
		assert_int_equal(list.aliases[0].rules[0].rule, AUTH_RULE_MEMBERS);
		assert_str(list.aliases[0].rules[1].address, STR("bob@demo.test"));
		assert_string_equal(rcpt(d, "x@far.example", "staff@demo.test"), "refused");
		directory_close(&d);
		d = unit_directory_open();
	}
	/* A new name for the account goes along. */
	assert_int_equal(unit_change(d, "bob@demo.test", AUTH_CHANGE_RENAME, "robert@demo.test"), ST_OK);
	directory_close(&d);
	d = unit_directory_open();
	assert_int_equal(directory_alias_list(d, &(struct auth_list_request){ .after = STR("out@demo.test") }, a, &list), ST_OK);
	assert_str(list.aliases[0].rules[1].address, STR("robert@demo.test"));
	/* Open again; and with the alias its rules go. */
	assert_int_equal(directory_alias_policy(d, &(struct auth_alias_policy_request){ STR("staff@demo.test"), NULL, 0 }), ST_OK);
	assert_string_equal(rcpt(d, "x@far.example", "staff@demo.test"), "local");
	assert_int_equal(policy(d, "staff@demo.test", AUTH_RULE_DOMAIN, ""), ST_OK);
	assert_int_equal(directory_alias_remove(d, &(struct auth_alias_remove_request){ STR("staff@demo.test") }), ST_OK);
	assert_int_equal(unit_alias(d, "staff@demo.test", "alice@demo.test"), ST_OK);
	directory_close(&d);
	d = unit_directory_open();
	assert_string_equal(rcpt(d, "x@far.example", "staff@demo.test"), "local");
	assert_int_equal(policy(d, "nolist@demo.test", AUTH_RULE_DOMAIN, ""), ST_NOT_FOUND);
	assert_int_equal(policy(d, "staff@demo.test", AUTH_RULE_ADDRESS, "no address"), ST_INVALID);
	arena_free(&a);
	directory_close(&d);
}

/* ---- subaddresses ---- */

static void test_subaddress(void **state)
{
	struct directory *d = world();

	(void)state;
	unit_account(d, "a-b@demo.test");
	assert_string_equal(rcpt(d, "", "alice-x@demo.test"), "unknown");
	directory_set_subaddress(d, STR("+-"));
	assert_string_equal(resolve(d, "", "alice-x+y@demo.test"), "alice@demo.test");
	assert_string_equal(resolve(d, "", "alice+x-y@demo.test"), "alice@demo.test");
	assert_string_equal(resolve(d, "", "a-b@demo.test"), "a-b@demo.test"); /* the exact name wins */
	assert_string_equal(rcpt(d, "", "a-c@demo.test"), "unknown");
	assert_string_equal(rcpt(d, "", "a-b-c@demo.test"), "unknown"); /* the first one counts */
	directory_set_subaddress(d, STR(""));
	assert_string_equal(rcpt(d, "", "alice+x@demo.test"), "unknown");
	directory_close(&d);
}

/* ---- relay domains ---- */

static enum status relay_domain(struct directory *d, const char *name, const char *relay, enum auth_verify verify)
{
	return directory_domain_add(d, &(struct auth_domain_request){ str_of(name), AUTH_DOMAIN_RELAY, str_of(relay), verify });
}

static const char *probed(struct directory *d, const char *address, enum auth_probe result)
{
	struct auth_rcpt_reply r = { 0 };
	enum status            st = directory_probed(d, &(struct auth_probed_request){ str_of(address), result }, &r);

	if (st == ST_OK && r.kind == AUTH_RCPT_LATER)
		assert_int_equal(r.code, 450);
	return st == ST_OK ? kinds[r.kind] : status_name(st);
}

static void test_relay(void **state)
{
	static const char *const bad[] = { "host", ":25", "host:0", "host:70000", "a b:25", "[::1:25", "h\n:25", "::1:25", "lmtp:", "lmtp:host", "smtp:host:25" };
	struct directory        *d = world();

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++)
		assert_int_equal(relay_domain(d, "bad.example", bad[i], AUTH_VERIFY_NONE), ST_INVALID);
	assert_int_equal(directory_domain_add(d, &(struct auth_domain_request){ STR("x.test"), AUTH_DOMAIN_LOCAL, STR("h:25"), 0 }), ST_INVALID);
	assert_int_equal(relay_domain(d, "Backup.Example", "", AUTH_VERIFY_NONE), ST_OK);
	assert_int_equal(relay_domain(d, "inner.example", "[fd00::1]:2525", AUTH_VERIFY_PROBE), ST_OK);
	assert_int_equal(relay_domain(d, "store.example", "lmtp:store.example:24", AUTH_VERIFY_NONE), ST_OK);
	assert_string_equal(resolve(d, "x@far.example", "a@store.example"), "a@store.example!lmtp:store.example:24");
	for (int i = 0; i < 2; i++) {
		assert_string_equal(rcpt(d, "x@far.example", "Who+ever@backup.example"), "relay");
		assert_string_equal(resolve(d, "x@far.example", "Who+ever@backup.example"), "Who+ever@backup.example"); /* neither folded nor cut */
		assert_string_equal(rcpt(d, "", "ann@inner.example"), "probe");
		assert_string_equal(resolve(d, "x@far.example", "ann@inner.example"), "ann@inner.example![fd00::1]:2525");
		directory_close(&d);
		d = unit_directory_open();
	}
	assert_string_equal(rcpt(d, "", "ann@sub.backup.example"), "foreign");
	/* Neither accounts nor aliases; but aliases elsewhere may lead there, and then it is no forward. */
	assert_int_equal(unit_account_try(d, "ann@backup.example", "secret"), ST_DENIED);
	assert_int_equal(unit_alias(d, "a@backup.example", "alice@demo.test"), ST_DENIED);
	assert_int_equal(unit_change(d, "alice@demo.test", AUTH_CHANGE_RENAME, "alice@backup.example"), ST_DENIED);
	assert_int_equal(unit_alias(d, "in@demo.test", "ann@inner.example"), ST_OK);
	assert_string_equal(resolve(d, "x@far.example", "in@demo.test"), "ann@inner.example![fd00::1]:2525");
	assert_string_equal(rcpt(d, "", "in@demo.test"), "local");
	/* Only what is verified is remembered. */
	assert_string_equal(probed(d, "ann@backup.example", AUTH_PROBE_UNKNOWN), "not_found");
	assert_string_equal(probed(d, "alice@demo.test", AUTH_PROBE_UNKNOWN), "not_found");
	assert_string_equal(probed(d, "no address", AUTH_PROBE_UNKNOWN), "invalid");
	assert_int_equal(directory_domain_remove(d, &(struct auth_domain_request){ .name = STR("backup.example") }), ST_OK);
	assert_string_equal(rcpt(d, "", "ann@backup.example"), "foreign");
	directory_close(&d);
}

static void test_probes(void **state)
{
	const int64_t     start = unit_clock(), minute = 60 * 1000, hour = 60 * minute;
	struct directory *d = world();
	struct step {
		int64_t     at; /* since the start */
		int         result; /* of a probe that is told, or -1: RCPT asks */
		const char *address, *want;
	} steps[] = {
		{ 0, -1, "ann@inner.example", "probe" },
		{ 0, AUTH_PROBE_SKIPPED, "ann@inner.example", "later" },
		{ 0, -1, "ann@inner.example", "probe" }, /* nobody was asked, so nothing is known */
		{ 0, AUTH_PROBE_LATER, "ann@inner.example", "later" },
		{ 0, -1, "ann@inner.example", "later" },
		{ 0, -1, "bob@inner.example", "probe" }, /* another one is */
		{ minute, -1, "ann@inner.example", "probe" },
		{ minute, AUTH_PROBE_UNREACHABLE, "ann@inner.example", "later" },
		{ minute, -1, "bob@inner.example", "later" }, /* no host: for all of the domain */
		{ 2 * minute, -1, "bob@inner.example", "probe" },
		{ 2 * minute, AUTH_PROBE_EXISTS, "ann@inner.example", "relay" },
		{ 2 * minute, AUTH_PROBE_UNKNOWN, "bob@inner.example", "unknown" },
		{ 2 * minute, -1, "ann@inner.example", "relay" },
		{ 2 * hour, -1, "bob@inner.example", "unknown" },
		{ 4 * hour, -1, "bob@inner.example", "probe" },
		{ 4 * hour, AUTH_PROBE_LATER, "bob@inner.example", "unknown" }, /* the old answer stands */
		{ 4 * hour, -1, "bob@inner.example", "unknown" },
		{ 5 * hour, -1, "bob@inner.example", "probe" },
		{ 3 * DAY_MS + hour, AUTH_PROBE_SKIPPED, "bob@inner.example", "later" },
		{ 6 * DAY_MS, -1, "ann@inner.example", "relay" },
		{ 8 * DAY_MS, -1, "ann@inner.example", "probe" },
		{ 8 * DAY_MS, AUTH_PROBE_UNREACHABLE, "ann@inner.example", "relay" },
		{ 8 * DAY_MS, -1, "ann@inner.example", "relay" },
		{ 30 * DAY_MS, AUTH_PROBE_SKIPPED, "ann@inner.example", "relay" },
		{ 32 * DAY_MS, -1, "ann@inner.example", "probe" },
		{ 32 * DAY_MS, AUTH_PROBE_SKIPPED, "ann@inner.example", "later" },
	};

	(void)state;
	assert_int_equal(relay_domain(d, "inner.example", "", AUTH_VERIFY_PROBE), ST_OK);
	for (size_t i = 0; i < LEN(steps); i++) {
		atomic_store(&unit_now_ms, start + steps[i].at);
		if (steps[i].result < 0)
			assert_string_equal(rcpt(d, "", steps[i].address), steps[i].want);
		else
			assert_string_equal(probed(d, steps[i].address, (enum auth_probe)steps[i].result), steps[i].want);
	}
	/* Another host may serve it next time. */
	assert_string_equal(probed(d, "ann@inner.example", AUTH_PROBE_UNKNOWN), "unknown");
	assert_int_equal(directory_domain_remove(d, &(struct auth_domain_request){ .name = STR("inner.example") }), ST_OK);
	assert_int_equal(relay_domain(d, "inner.example", "", AUTH_VERIFY_PROBE), ST_OK);
	assert_string_equal(rcpt(d, "", "ann@inner.example"), "probe");
	atomic_store(&unit_now_ms, start);
	directory_close(&d);
}

static void test_probes_bounded(void **state)
{
	struct probe_known *p = probe_known_new(100);
	char                address[64];

	(void)state;
	(void)probe_known_put(p, STR("first@x.example"), AUTH_PROBE_EXISTS, 0);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(address, sizeof(address), "u%u@x.example", i);
		(void)probe_known_put(p, str_of(address), i % 3 == 0 ? AUTH_PROBE_LATER : AUTH_PROBE_UNKNOWN, 0);
		assert_int_equal(probe_known_find(p, STR("first@x.example"), 0), PROBE_EXISTS); /* in use: it stays */
		assert_true(probe_known_count(p) <= 100);
	}
	assert_int_equal(probe_known_find(p, STR("u1@x.example"), 0), PROBE_ASK);
	assert_int_equal(probe_known_find(p, str_of(address), 0), PROBE_LATER);
	probe_known_free(&p);
	assert_null(p);
}

/* ---- forwards ---- */

static void test_srs(void **state)
{
	struct directory *d = world();
	const int64_t     start = unit_clock();
	char              back[600], wrong[600];
	const char       *at;

	(void)state;
	assert_int_equal(unit_alias(d, "two@other.test", "out@demo.test far2@far.example alice@demo.test"), ST_OK);
	/* Only what a stranger sent through an alias of ours. */
	assert_string_equal(resolve(d, "", "out@demo.test"), "far@far.example>");
	assert_string_equal(resolve(d, "alice@demo.test", "out@demo.test"), "far@far.example>");
	assert_string_equal(resolve(d, "x@other.test", "out@demo.test"), "far@far.example>");
	assert_string_equal(resolve(d, "Ann@far.example", "far@far.example"), "far@far.example");
	assert_string_equal(resolve(d, "no address", "out@demo.test"), "far@far.example>");
	at = strchr(resolve(d, "Ann@far.example", "out@demo.test"), '>');
	assert_non_null(at);
	snprintf(back, sizeof(back), "%s", at + 1);
	assert_true(strncmp(back, "SRS0=", 5) == 0 && strstr(back, "=far.example=Ann@demo.test") != NULL);
	/* The domain of the alias it leaves by; local targets are as ever. */
	at = resolve(d, "Ann@far.example", "two@other.test");
	assert_non_null(strstr(at, "=Ann@demo.test far2@far.example>SRS0="));
	assert_non_null(strstr(at, "=Ann@other.test alice@demo.test"));
	/* And back, for reports alone, over a restart, in any case, for three weeks. */
	directory_close(&d);
	d = unit_directory_open();
	assert_string_equal(rcpt(d, "", back), "local");
	assert_string_equal(resolve(d, "", back), "Ann@far.example");
	assert_string_equal(rcpt(d, "x@far.example", back), "unknown");
	for (char *p = back; *p; p++)
		*p = ascii_lower(*p);
	assert_string_equal(resolve(d, "", back), "ann@far.example");
	memcpy(wrong, back, sizeof(wrong));
	wrong[5] = wrong[5] == 'a' ? 'b' : 'a';
	assert_string_equal(rcpt(d, "", wrong), "unknown");
	assert_int_equal(unit_alias(d, "@demo.test", "alice@demo.test"), ST_OK);
	assert_string_equal(rcpt(d, "", wrong), "unknown"); /* a catch-all takes no forgeries */
	assert_string_equal(rcpt(d, "", "srs0x@demo.test"), "local");
	atomic_store(&unit_now_ms, start + 22 * DAY_MS);
	assert_string_equal(rcpt(d, "", back), "unknown");
	assert_string_equal(resolve(d, "", back), "ann@far.example"); /* it was let in before */
	atomic_store(&unit_now_ms, start + 30 * DAY_MS);
	assert_string_equal(resolve(d, "", back), "not_found");
	atomic_store(&unit_now_ms, start);
	directory_close(&d);
}

/* ---- rewriting ---- */

static enum status rule(struct directory *d, const char *from, const char *to, uint32_t scope)
{
	return directory_rewrite_add(d, &(struct auth_rewrite_rule){ str_of(from), str_of(to), scope });
}

static const char *rewritten(struct directory *d, const char *address, bool recipient)
{
	static char               out[600];
	struct arena             *a = arena_new(NULL);
	struct auth_rewrite_address one = { str_of(address), recipient };
	struct auth_rewrite_reply r;

	assert_int_equal(directory_rewrite(d, &(struct auth_rewrite_request){ &one, 1 }, a, &r), ST_OK);
	assert_int_equal(r.address_count, 1);
	snprintf(out, sizeof(out), "%.*s", STR_FMT(r.addresses[0].address));
	arena_free(&a);
	return out;
}

static void test_rewrite(void **state)
{
	static const struct {
		const char *from, *to;
		uint32_t    scope;
		enum status want;
	} rules[] = {
		{ "alice@demo.test", "a.liddell@brand.example", 1, ST_OK },
		{ "@demo.test", "@brand.example", 1, ST_OK },
		{ ".hosts.test", "@hosts.test", 1, ST_OK },
		{ ".deep.hosts.test", "@deep.test", 1, ST_OK },
		{ "old@demo.test", "alice@demo.test", 2, ST_OK },
		{ "loop1@demo.test", "loop2@demo.test", 2, ST_OK },
		{ "loop2@demo.test", "loop1@demo.test", 2, ST_OK },
		{ "gone@demo.test", "far@far.example", 2, ST_OK },
		{ "@away.example", "@demo.test", 2, ST_OK },
		{ "both@demo.test", "b@brand.example", 3, ST_OK },
		{ "both@demo.test", "b@brand.example", 1, ST_EXISTS },
		{ "x@demo.test", "nothing", 3, ST_INVALID },
		{ "x@demo.test", ".sub.test", 3, ST_INVALID },
		{ ".sub.test", "x@demo.test", 3, ST_INVALID },
		{ "x", "@demo.test", 3, ST_INVALID },
		{ "", "@demo.test", 3, ST_INVALID },
		{ "@", "@demo.test", 3, ST_INVALID },
		{ "x@demo.test", "@demo.test", 0, ST_INVALID },
		{ "x@demo.test", "@demo.test", 4, ST_INVALID },
	};
	static const struct {
		const char *in;
		bool        recipient;
		const char *want;
	} cases[] = {
		{ "alice@demo.test", false, "a.liddell@brand.example" },
		{ "ALICE@Demo.test", false, "a.liddell@brand.example" },
		{ "Bob.Mixed@demo.test", false, "Bob.Mixed@brand.example" },
		{ "\"a b\"@demo.test", false, "\"a b\"@brand.example" },
		{ "root@web1.hosts.test", false, "root@hosts.test" },
		{ "root@a.b.hosts.test", false, "root@hosts.test" },
		{ "root@x.deep.hosts.test", false, "root@deep.test" },
		{ "root@hosts.test", false, "" },
		{ "root@nothosts.test", false, "" },
		{ "alice@demo.test", true, "" },
		{ "old@demo.test", true, "alice@demo.test" },
		{ "old@demo.test", false, "old@brand.example" },
		{ "no address", false, "" },
		{ "", false, "" },
		{ "loop1@demo.test", true, "loop2@demo.test" },
	};
	struct directory *d = world();

	(void)state;
	for (size_t i = 0; i < LEN(rules); i++)
		assert_int_equal(rule(d, rules[i].from, rules[i].to, rules[i].scope), rules[i].want);
	for (int k = 0; k < 2; k++) {
		for (size_t i = 0; i < LEN(cases); i++)
			assert_string_equal(rewritten(d, cases[i].in, cases[i].recipient), cases[i].want);
		/* Recipients: once, before aliases; for strangers only what is ours. */
		assert_string_equal(resolve(d, "x@far.example", "old@demo.test"), "alice@demo.test");
		assert_string_equal(rcpt(d, "x@far.example", "old@demo.test"), "local");
		assert_string_equal(rcpt(d, "x@far.example", "loop1@demo.test"), "unknown");
		assert_string_equal(rcpt(d, "x@far.example", "alice@away.example"), "foreign");
		assert_string_equal(resolve(d, "alice@demo.test", "alice@away.example"), "alice@demo.test");
		/* Ours, rewritten to go outside: that is forwarding. */
		assert_string_equal(rcpt(d, "x@far.example", "gone@demo.test"), "local");
		assert_non_null(strstr(resolve(d, "x@far.example", "gone@demo.test"), "far@far.example>SRS0="));
		directory_close(&d);
		d = unit_directory_open();
	}
	assert_int_equal(directory_rewrite_remove(d, &(struct auth_rewrite_rule){ .from = STR("both@demo.test"), .scope = 1 }), ST_OK);
	assert_string_equal(rewritten(d, "both@demo.test", false), "both@brand.example");
	assert_string_equal(rewritten(d, "both@demo.test", true), "b@brand.example");
	assert_int_equal(directory_rewrite_remove(d, &(struct auth_rewrite_rule){ .from = STR("both@demo.test"), .scope = 1 }), ST_NOT_FOUND);
	assert_int_equal(directory_rewrite_remove(d, &(struct auth_rewrite_rule){ .from = STR("BOTH@demo.test"), .scope = 3 }), ST_OK);
	directory_close(&d);
	d = unit_directory_open();
	assert_string_equal(rewritten(d, "both@demo.test", true), "");
	directory_close(&d);
}

static void test_rewrite_list(void **state)
{
	struct directory                *d = world();
	struct arena                    *a = arena_new(NULL);
	struct auth_rewrite_list_request q = { .after = STR("") };
	struct auth_rewrite_list_reply   r = { .more = true };
	char                             from[64];
	size_t                           count = 0;

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		snprintf(from, sizeof(from), "u%u@demo.test", i);
		assert_int_equal(rule(d, from, "@brand.example", 3), ST_OK);
	}
	while (r.more) {
		assert_int_equal(directory_rewrite_list(d, &q, a, &r), ST_OK);
		count += r.rule_count;
		q.after = r.rules[r.rule_count - 1].from;
		q.after_scope = r.rules[r.rule_count - 1].scope;
	}
	assert_int_equal(count, 600);
	arena_free(&a);
	directory_close(&d);
}

/* ---- delegation ---- */

static enum status sender(struct directory *d, uint64_t account, const char *address, bool behalf)
{
	return directory_sender(d, &(struct auth_sender_request){ account, str_of(address), behalf });
}

static enum status lend(struct directory *d, const char *owner, const char *user, enum auth_right right)
{
	return directory_delegate_add(d, &(struct auth_delegate){ str_of(owner), str_of(user), right });
}

static void test_delegate(void **state)
{
	struct directory               *d = world();
	struct arena                   *a = arena_new(NULL);
	struct auth_delegate_list_reply list;

	(void)state;
	assert_int_equal(sender(d, bob, "alice@demo.test", true), ST_DENIED);
	assert_int_equal(lend(d, "alice@demo.test", "bob@demo.test", AUTH_RIGHT_ON_BEHALF), ST_OK);
	assert_int_equal(sender(d, bob, "alice@demo.test", true), ST_OK);
	assert_int_equal(sender(d, bob, "alice+x@demo.test", true), ST_OK);
	assert_int_equal(sender(d, bob, "alice@demo.test", false), ST_DENIED);
	assert_int_equal(sender(d, alice, "bob@demo.test", true), ST_DENIED); /* not the other way */
	assert_int_equal(sender(d, eve, "alice@demo.test", true), ST_DENIED);
	assert_int_equal(lend(d, "alice@demo.test", "bob@demo.test", AUTH_RIGHT_SEND_AS), ST_OK); /* the right changes */
	assert_int_equal(lend(d, "bob@demo.test", "eve@other.test", AUTH_RIGHT_SEND_AS), ST_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sender(d, bob, "alice@demo.test", false), ST_OK);
		assert_int_equal(sender(d, eve, "alice@demo.test", false), ST_DENIED); /* what is lent is not lent on */
		assert_int_equal(directory_delegate_list(d, &(struct auth_delegate_list_request){ STR("alice@demo.test") }, a, &list), ST_OK);
		assert_int_equal(list.delegate_count, 1);
		assert_str(list.delegates[0].user, STR("bob@demo.test"));
		directory_close(&d);
		d = unit_directory_open();
	}
	assert_int_equal(unit_change(d, "alice@demo.test", AUTH_CHANGE_RENAME, "liddell@demo.test"), ST_OK);
	assert_int_equal(sender(d, bob, "liddell@demo.test", false), ST_OK);
	assert_int_equal(unit_change(d, "bob@demo.test", AUTH_CHANGE_DISABLE, ""), ST_OK);
	assert_int_equal(sender(d, bob, "liddell@demo.test", false), ST_DENIED);
	assert_int_equal(unit_change(d, "bob@demo.test", AUTH_CHANGE_ENABLE, ""), ST_OK);
	assert_int_equal(lend(d, "liddell@demo.test", "liddell@demo.test", AUTH_RIGHT_SEND_AS), ST_INVALID);
	assert_int_equal(lend(d, "liddell@demo.test", "nobody@demo.test", AUTH_RIGHT_SEND_AS), ST_NOT_FOUND);
	assert_int_equal(lend(d, "liddell@demo.test", "x@far.example", AUTH_RIGHT_SEND_AS), ST_NOT_FOUND);
	assert_int_equal(directory_delegate_remove(d, &(struct auth_delegate){ STR("bob@demo.test"), STR("eve@other.test"), 0 }), ST_OK);
	assert_int_equal(directory_delegate_remove(d, &(struct auth_delegate){ STR("bob@demo.test"), STR("eve@other.test"), 0 }), ST_NOT_FOUND);
	/* With an account what it lent, and what it was lent, is gone. */
	assert_int_equal(lend(d, "eve@other.test", "bob@demo.test", AUTH_RIGHT_SEND_AS), ST_OK);
	assert_int_equal(unit_remove(d, "bob@demo.test", true), ST_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(directory_delegate_list(d, &(struct auth_delegate_list_request){ STR("liddell@demo.test") }, a, &list), ST_OK);
		assert_int_equal(list.delegate_count, 0);
		assert_int_equal(sender(d, bob, "eve@other.test", false), ST_DENIED);
		directory_close(&d);
		d = unit_directory_open();
	}
	arena_free(&a);
	directory_close(&d);
}

/* ---- quota ---- */

static void test_full(void **state)
{
	struct directory       *d = world();
	struct auth_quota_reply quota = { 0 };
	const int64_t           start = unit_clock();

	(void)state;
	assert_int_equal(directory_full(d, &(struct auth_full_request){ alice, true }), ST_OK);
	assert_string_equal(rcpt(d, "", "alice@demo.test"), "local"); /* it has no quota (any more) */
	assert_int_equal(directory_account_change(d, &(struct auth_account_change_request){ .address = STR("alice@demo.test"),
												 .what = AUTH_CHANGE_QUOTA,
												 .quota_octets = 1000 }), ST_OK);
	assert_int_equal(directory_quota(d, &(struct auth_quota_request){ alice }, &quota), ST_OK);
	assert_int_equal(quota.quota_octets, 1000);
	assert_int_equal(directory_quota(d, &(struct auth_quota_request){ 99 }, &quota), ST_NOT_FOUND);
	assert_string_equal(rcpt(d, "", "alice@demo.test"), "local");
	assert_int_equal(directory_full(d, &(struct auth_full_request){ alice, true }), ST_OK);
	assert_string_equal(rcpt(d, "", "alice@demo.test"), "full");
	assert_string_equal(rcpt(d, "", "alice+x@demo.test"), "full");
	assert_string_equal(rcpt(d, "", "staff@demo.test"), "local"); /* others have room */
	assert_string_equal(resolve(d, "", "alice@demo.test"), "alice@demo.test"); /* what is here is tried */
	atomic_store(&unit_now_ms, start + 10 * 60 * 1000);
	assert_string_equal(rcpt(d, "", "alice@demo.test"), "local"); /* the next delivery finds out */
	atomic_store(&unit_now_ms, start);
	assert_int_equal(directory_full(d, &(struct auth_full_request){ alice, true }), ST_OK);
	assert_int_equal(directory_full(d, &(struct auth_full_request){ alice, false }), ST_OK);
	assert_string_equal(rcpt(d, "", "alice@demo.test"), "local");
	assert_int_equal(directory_full(d, &(struct auth_full_request){ alice, true }), ST_OK);
	assert_int_equal(unit_change(d, "alice@demo.test", AUTH_CHANGE_RENAME, "al@demo.test"), ST_OK);
	assert_string_equal(rcpt(d, "", "al@demo.test"), "full");
	assert_int_equal(directory_account_change(d, &(struct auth_account_change_request){ .address = STR("al@demo.test"),
												 .what = AUTH_CHANGE_QUOTA,
												 .quota_octets = 2000 }), ST_OK);
	assert_string_equal(rcpt(d, "", "al@demo.test"), "local");
	assert_int_equal(directory_full(d, &(struct auth_full_request){ 99, true }), ST_NOT_FOUND);
	directory_close(&d);
}

/* "octets/messages" in effect. */
static const char *limits_of(struct directory *d, uint64_t account)
{
	static char             out[100];
	struct auth_quota_reply q = { 0 };

	assert_int_equal(directory_quota(d, &(struct auth_quota_request){ account }, &q), ST_OK);
	snprintf(out, sizeof(out), "%llu/%llu%s", (unsigned long long)q.quota_octets, (unsigned long long)q.quota_messages,
		 q.quota_shared ? " shared" : "");
	return out;
}

static enum status domain_quota(struct directory *d, uint32_t given, uint64_t octets, uint64_t count)
{
	return directory_domain_quota(d, &(struct auth_domain_quota_request){ STR("demo.test"), given, octets, count, octets, count });
}

static enum status quota_set(struct directory *d, enum auth_change what, uint64_t value)
{
	return directory_account_change(d, &(struct auth_account_change_request){
						   .address = STR("alice@demo.test"), .what = what, .quota_octets = value, .quota_messages = value });
}

static void test_domain_default(void **state)
{
	struct directory *d = world();

	(void)state;
	assert_string_equal(limits_of(d, alice), "0/0");
	assert_int_equal(domain_quota(d, AUTH_DOMAIN_ACCOUNT_OCTETS | AUTH_DOMAIN_ACCOUNT_MESSAGES, 5000, 50), ST_OK);
	assert_string_equal(limits_of(d, alice), "5000/50");
	assert_int_equal(quota_set(d, AUTH_CHANGE_QUOTA, 7000), ST_OK);
	assert_string_equal(limits_of(d, alice), "7000/50");
	assert_int_equal(quota_set(d, AUTH_CHANGE_QUOTA_MESSAGES, AUTH_QUOTA_NONE), ST_OK);
	assert_string_equal(limits_of(d, alice), "7000/0");
	assert_int_equal(quota_set(d, AUTH_CHANGE_QUOTA, 0), ST_OK);
	assert_int_equal(domain_quota(d, AUTH_DOMAIN_ACCOUNT_OCTETS, 6000, 1), ST_OK); /* the others stay */
	assert_string_equal(limits_of(d, alice), "6000/0");
	assert_int_equal(domain_quota(d, AUTH_DOMAIN_TOTAL_OCTETS, (uint64_t)INT64_MAX + 1, 0), ST_INVALID);
	assert_int_equal(directory_domain_quota(d, &(struct auth_domain_quota_request){ .name = STR("nobody.test") }), ST_NOT_FOUND);
	directory_close(&d);
	d = unit_directory_open();
	assert_string_equal(limits_of(d, alice), "6000/0");
	directory_close(&d);
}

static enum status used(struct directory *d, uint64_t account, uint64_t octets, uint64_t count)
{
	return directory_used(d, &(struct auth_used_request){ .account = account, .octets = octets, .messages = count });
}

static void test_domain_total(void **state)
{
	struct directory *d = world();
	uint64_t          other = unit_account(d, "other@demo.test");

	(void)state;
	assert_int_equal(used(d, alice, 300, 3), ST_OK);
	assert_int_equal(domain_quota(d, AUTH_DOMAIN_TOTAL_OCTETS | AUTH_DOMAIN_TOTAL_MESSAGES, 1000, 10), ST_OK);
	assert_string_equal(limits_of(d, alice), "1000/10 shared");
	assert_int_equal(used(d, other, 600, 5), ST_OK);
	assert_string_equal(limits_of(d, alice), "400/5 shared"); /* what it holds and what is left */
	assert_string_equal(limits_of(d, other), "700/7 shared");
	assert_string_equal(rcpt(d, "", "alice@demo.test"), "local");
	assert_int_equal(quota_set(d, AUTH_CHANGE_QUOTA, 350), ST_OK);
	assert_string_equal(limits_of(d, alice), "350/5 shared");
	assert_int_equal(used(d, other, 700, 5), ST_OK);
	assert_string_equal(limits_of(d, other), "700/7 shared");
	/* What is known of them may be of yesterday: a delivery finds out. */
	assert_string_equal(rcpt(d, "", "alice@demo.test"), "local");
	assert_int_equal(directory_full(d, &(struct auth_full_request){ .account = alice, .full = true }), ST_OK);
	assert_string_equal(rcpt(d, "", "alice@demo.test"), "full");
	directory_close(&d); /* what they hold is remembered */
	d = unit_directory_open();
	assert_string_equal(limits_of(d, alice), "300/5 shared");
	assert_string_equal(rcpt(d, "", "alice@demo.test"), "local");
	assert_int_equal(used(d, other, 0, 0), ST_OK);
	assert_string_equal(rcpt(d, "", "alice@demo.test"), "local");
	assert_int_equal(used(d, other, 5000, 5), ST_OK); /* more than there is: nobody has anything left, and nothing wraps */
	assert_string_equal(limits_of(d, alice), "300/5 shared");
	assert_int_equal(unit_change(d, "other@demo.test", AUTH_CHANGE_RENAME, "else@demo.test"), ST_OK);
	assert_string_equal(limits_of(d, alice), "300/5 shared");
	assert_int_equal(unit_remove(d, "else@demo.test", true), ST_OK); /* what it held is free */
	assert_string_equal(limits_of(d, alice), "350/10 shared");
	assert_int_equal(used(d, 99, 1, 1), ST_NOT_FOUND);
	assert_int_equal(used(d, alice, UINT64_MAX, 1), ST_INVALID);
	directory_close(&d);
}

/* ---- groups and sharing ---- */

static const struct session_side side; /* the process that asks: as the requests of sign-ins below have it */

static struct str token_of(struct directory *d, const char *address, struct arena *a)
{
	struct auth_login_reply r = { 0 };

	assert_int_equal(directory_login(d, &(struct auth_login_request){ .protocol = AUTH_IMAP, .user = str_of(address),
									   .password = STR("secret"), .peer = STR("192.0.2.1") }, a, &r), ST_OK);
	return r.token;
}

/* Whose mailboxes are worth a look for him, and in how many groups he is: "ann@demo.test 1". */
static const char *shared_with(struct directory *d, struct str token)
{
	static char              out[1000];
	struct arena            *a = arena_new(NULL);
	struct auth_shared_reply r = { 0 };
	int                      n = 0;

	assert_int_equal(directory_shared(d, &side, &(struct auth_shared_request){ token }, a, &r), ST_OK);
	for (size_t i = 0; i < r.owner_count; i++)
		n += snprintf(out + n, sizeof(out) - (size_t)n, "%.*s ", STR_FMT(r.owners[i].address));
	snprintf(out + n, sizeof(out) - (size_t)n, "%zu", r.group_count);
	arena_free(&a);
	return out;
}

static enum status group(struct directory *d, bool add, const char *name, const char *member)
{
	const struct auth_group_request q = { str_of(name), str_of(member) };

	return add ? directory_group_add(d, &q) : directory_group_remove(d, &q);
}

static enum status share(struct directory *d, struct str token, uint64_t owner, enum auth_subject kind, uint64_t subject, bool on, bool admin)
{
	return directory_share(d, &side, &(struct auth_share_request){ token, owner, kind, subject, on, admin });
}

/* The guest's token opens the host's account for keeper and no door at auth; nobody else's process can use either. */
static void guests(struct directory *d, struct str token, uint64_t host, uint64_t guest)
{
	const struct session_side other = { ROLE_IMAP, 1, 7 };
	struct arena             *a = arena_new(NULL);
	struct auth_shared_reply  r = { 0 }, more = { 0 };
	struct session_token      t;
	uint64_t                  account;
	struct str                key;

	assert_int_equal(directory_shared(d, &other, &(struct auth_shared_request){ token }, a, &r), ST_DENIED);
	assert_int_equal(directory_shared(d, &side, &(struct auth_shared_request){ token }, a, &r), ST_OK);
	assert_int_equal(r.owner_count, 1);
	key = r.owners[0].token;
	assert_int_equal(session_token_account(key), host);
	assert_int_equal(directory_token(d, key, &account), ST_DENIED);
	assert_int_equal(directory_session(d, key, &side, &t), ST_DENIED);
	assert_int_equal(directory_shared(d, &side, &(struct auth_shared_request){ key }, a, &more), ST_DENIED);
	assert_int_equal(share(d, key, host, AUTH_SUBJECT_ACCOUNT, guest, true, true), ST_DENIED);
	assert_int_equal(directory_speaks(d, key, &side, host), ST_OK);
	assert_int_equal(directory_speaks(d, key, &side, guest), ST_DENIED);
	assert_int_equal(directory_speaks(d, key, &other, host), ST_DENIED);
	assert_int_equal(directory_speaks(d, token, &side, guest), ST_OK);
	assert_int_equal(directory_speaks(d, token, &side, host), ST_DENIED);
	arena_free(&a);
}

static void test_sharing(void **state)
{
	struct directory           *d = world();
	struct arena               *a = arena_new(NULL);
	uint64_t                    one = unit_account(d, "one@demo.test"), two = unit_account(d, "two@demo.test"), team = 0;
	struct str                  t1 = token_of(d, "one@demo.test", a), t2 = token_of(d, "two@demo.test", a);
	uint64_t                    three = unit_account(d, "three@demo.test");
	struct str                  t3 = token_of(d, "three@demo.test", a);
	struct auth_subject_reply   who = { 0 };
	struct auth_subjects_reply  names = { 0 };
	struct auth_group_list_reply members = { 0 };
	struct auth_subject_id      ids[] = { { AUTH_SUBJECT_ACCOUNT, one }, { AUTH_SUBJECT_GROUP, 1 }, { AUTH_SUBJECT_ANYONE, 0 }, { AUTH_SUBJECT_ACCOUNT, 9999 } };

	(void)state;
	assert_int_equal(group(d, true, "Sales", "two@demo.test"), ST_OK);
	assert_int_equal(group(d, true, "sales", "two@demo.test"), ST_EXISTS);
	assert_int_equal(group(d, true, "sales", ""), ST_EXISTS);
	assert_int_equal(group(d, true, "sales", "nobody@demo.test"), ST_NOT_FOUND);
	assert_int_equal(group(d, true, "no such/name", ""), ST_INVALID);
	assert_int_equal(group(d, false, "sales", "one@demo.test"), ST_NOT_FOUND);
	assert_int_equal(directory_group_list(d, &(struct auth_group_request){ STR("SALES"), STR("") }, a, &members), ST_OK);
	assert_true(members.name_count == 1 && str_eq(members.names[0].address, STR("two@demo.test")));
	/* Names: only for those who are signed in. */
	assert_int_equal(directory_subject(d, &side, &(struct auth_subject_request){ t1, AUTH_SUBJECT_GROUP, STR("sales") }, &who), ST_OK);
	team = who.subject;
	assert_int_equal(directory_subject(d, &side, &(struct auth_subject_request){ t1, AUTH_SUBJECT_ACCOUNT, STR("TWO@demo.test") }, &who), ST_OK);
	assert_int_equal(who.subject, two);
	assert_int_equal(directory_subject(d, &side, &(struct auth_subject_request){ t1, AUTH_SUBJECT_ACCOUNT, STR("nobody@demo.test") }, &who), ST_NOT_FOUND);
	assert_int_equal(directory_subject(d, &side, &(struct auth_subject_request){ STR("00"), AUTH_SUBJECT_ACCOUNT, STR("two@demo.test") }, &who), ST_DENIED);
	ids[1].subject = team;
	assert_int_equal(directory_subjects(d, &side, &(struct auth_subjects_request){ t1, ids, LEN(ids) }, a, &names), ST_OK);
	assert_str(names.names[0].address, STR("one@demo.test"));
	assert_str(names.names[1].address, STR("sales"));
	assert_true(names.names[2].address.n == 0 && names.names[3].address.n == 0);
	/* The index: only the owner adds to his, or one who may administer. */
	assert_int_equal(share(d, t2, one, AUTH_SUBJECT_ACCOUNT, two, true, true), ST_DENIED);
	assert_int_equal(share(d, STR(""), one, AUTH_SUBJECT_ACCOUNT, two, true, true), ST_DENIED);
	assert_int_equal(share(d, t1, one, AUTH_SUBJECT_GROUP, team, true, false), ST_OK);
	assert_string_equal(shared_with(d, t2), "one@demo.test 1");
	guests(d, t2, one, two);
	assert_string_equal(shared_with(d, t3), "0");
	assert_int_equal(share(d, t2, one, AUTH_SUBJECT_ACCOUNT, three, true, false), ST_DENIED);
	assert_int_equal(share(d, t1, one, AUTH_SUBJECT_GROUP, team, true, true), ST_OK);
	assert_int_equal(share(d, t2, one, AUTH_SUBJECT_ACCOUNT, three, true, false), ST_OK);
	assert_string_equal(shared_with(d, t3), "one@demo.test 0");
	assert_string_equal(shared_with(d, t1), "0"); /* not with oneself */
	assert_int_equal(group(d, false, "sales", "two@demo.test"), ST_OK);
	assert_string_equal(shared_with(d, t2), "0");
	assert_int_equal(share(d, t2, one, AUTH_SUBJECT_ACCOUNT, three, false, false), ST_DENIED);
	assert_int_equal(share(d, t1, one, AUTH_SUBJECT_ANYONE, 0, true, false), ST_OK);
	assert_string_equal(shared_with(d, t2), "one@demo.test 0");
	assert_int_equal(group(d, false, "sales", ""), ST_OK);
	assert_int_equal(group(d, false, "sales", ""), ST_NOT_FOUND);
	assert_int_equal(unit_remove(d, "one@demo.test", false), ST_OK);
	assert_string_equal(shared_with(d, t3), "0");
	assert_int_equal(unit_remove(d, "one@demo.test", true), ST_OK);
	assert_int_equal(directory_shared(d, &side, &(struct auth_shared_request){ t1 }, a, &(struct auth_shared_reply){ 0 }), ST_DENIED);
	arena_free(&a);
	directory_close(&d);
}

/* ---- the dry run ---- */

static const char *route(struct directory *d, const char *from, const char *address)
{
	static char             out[20000];
	struct arena           *a = arena_new(NULL);
	struct auth_route_reply r;
	enum status st = directory_route(d, &(struct auth_route_request){ str_of(address), str_of(from ? from : ""), from == NULL }, a, &r);
	int         n = snprintf(out, sizeof(out), "%s%s:", st == ST_OK ? kinds[r.kind] : status_name(st), st == ST_OK && r.refused ? "!" : "");

	for (size_t i = 0; st == ST_OK && i < r.step_count; i++)
		n += snprintf(out + n, sizeof(out) - (size_t)n, " [%.*s] %.*s;", STR_FMT(r.steps[i].what), STR_FMT(r.steps[i].text));
	arena_free(&a);
	return out;
}

static void test_route(void **state)
{
	static const struct {
		const char *from, *address, *kind, *says;
	} cases[] = {
		{ NULL, "alice@demo.test", "local:", "[account] alice@demo.test" },
		{ NULL, "ALICE+x@DEMO.test", "local:", "[address] alice+x@demo.test, in its canonical form" },
		{ NULL, "alice+x@demo.test", "local:", "[subaddress] alice+x@demo.test is taken by alice@demo.test" },
		{ NULL, "nobody@demo.test", "unknown:", "[unknown] nobody@demo.test" },
		{ NULL, "all@demo.test", "refused:", "[policy] staff@demo.test is closed to this sender" },
		{ "alice@demo.test", "all@demo.test", "local:", "[policy] staff@demo.test is open to its members: this sender" },
		{ "x@far.example", "out@demo.test", "local:", "[srs] goes out with the reverse-path SRS0=" },
		{ "alice@demo.test", "out@demo.test", "local:", "[srs] the reverse-path is of a domain of ours, and stays" },
		{ NULL, "x@far.example", "foreign:", "[outside] x@far.example" },
		{ "y@far.example", "x@far.example", "foreign!:", "not one of ours" },
		{ "alice@demo.test", "x@far.example", "foreign:", "[sender] alice@demo.test, signed in" },
		{ NULL, "x@backup.example", "relay:", "[relay] backup.example is taken for mx.backup.example:25" },
		{ NULL, "old@demo.test", "local:", "[rewrite] old@demo.test becomes alice@demo.test" },
		{ NULL, "off@demo.test", "closed:", "disabled" },
		{ NULL, "postmaster@other.test", "local:", "[postmaster] postmaster@other.test is taken by eve@other.test" },
		{ NULL, "any@other.test", "local:", "[catch-all] any@other.test is taken by @other.test" },
		{ "", "SRS0=aaaaaa=aa=x.org=y@demo.test", "unknown:", "[srs] the address is not made here" },
		{ NULL, "no address", "invalid:", "" },
		{ "no address", "alice@demo.test", "invalid:", "" },
	};
	struct directory *d = world();

	(void)state;
	assert_int_equal(policy(d, "staff@demo.test", AUTH_RULE_MEMBERS, ""), ST_OK);
	assert_int_equal(relay_domain(d, "backup.example", "mx.backup.example:25", AUTH_VERIFY_NONE), ST_OK);
	assert_int_equal(rule(d, "old@demo.test", "alice@demo.test", 2), ST_OK);
	assert_int_equal(unit_alias(d, "@other.test", "eve@other.test"), ST_OK);
	unit_account(d, "off@demo.test");
	assert_int_equal(unit_change(d, "off@demo.test", AUTH_CHANGE_DISABLE, ""), ST_OK);
	for (size_t i = 0; i < LEN(cases); i++) {
		const char *got = route(d, cases[i].from, cases[i].address);

		if (strncmp(got, cases[i].kind, strlen(cases[i].kind)) != 0 || strstr(got, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].address, got);
	}
	directory_close(&d);
}

/* A list with more targets than there is room for steps: the rest is not told, and said so. */
static void test_route_long(void **state)
{
	struct directory *d = world();
	struct auth_name  names[LIMIT_ALIAS_TARGETS];
	struct arena     *a = arena_new(NULL);
	struct auth_route_reply r;

	(void)state;
	for (size_t i = 0; i < LEN(names); i++)
		names[i].address = arena_printf(a, "x%zu@far.example", i);
	assert_int_equal(directory_alias_add(d, &(struct auth_alias){ STR("big@demo.test"), names, LEN(names), NULL, 0 }), ST_OK);
	assert_int_equal(directory_route(d, &(struct auth_route_request){ .address = STR("big@demo.test"), .anyone = true }, a, &r), ST_OK);
	assert_int_equal(r.step_count, LIMIT_ROUTE_STEPS);
	assert_str(r.steps[LIMIT_ROUTE_STEPS - 1].what, STR("more"));
	assert_int_equal(r.target_count, LEN(names));
	arena_free(&a);
	directory_close(&d);
}

/* A directory of the version before: everything is there, and nothing is closed, relayed or lent. */
static void test_upgrade(void **state)
{
	static const char *const old[] = {
		"CREATE TABLE domain (name TEXT PRIMARY KEY NOT NULL, created_ms INTEGER NOT NULL) WITHOUT ROWID;"
		"CREATE TABLE account (id INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT NOT NULL UNIQUE, domain TEXT NOT NULL, hash TEXT NOT NULL,"
		" quota_octets INTEGER NOT NULL, disabled INTEGER NOT NULL, removed_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL);"
		"CREATE INDEX account_domain ON account (domain, address);"
		"CREATE TABLE alias (name TEXT NOT NULL, position INTEGER NOT NULL, domain TEXT NOT NULL, target TEXT NOT NULL,"
		" PRIMARY KEY (name, position)) WITHOUT ROWID;"
		"CREATE INDEX alias_target ON alias (target);"
		"INSERT INTO domain VALUES ('demo.test', 1);"
		"INSERT INTO account VALUES (7, 'alice@demo.test', 'demo.test', 'x', 5, 0, 0, 1);"
		"INSERT INTO alias VALUES ('out@demo.test', 0, 'demo.test', 'far@far.example');",
		"CREATE TABLE gone (id INTEGER PRIMARY KEY NOT NULL, due_ms INTEGER NOT NULL, last INTEGER NOT NULL);",
	};
	const struct db_schema schema = { old, LEN(old) };
	struct directory      *d;
	struct db             *db;
	char                   sender[600];

	(void)state;
	snprintf(unit_path, sizeof(unit_path), "auth/old.db");
	assert_int_equal(db_open(unit_path, &(struct db_options){ .schema = &schema, .create = true }, &db), ST_OK);
	assert_int_equal(db_sync(db), ST_OK);
	db_close(&db);
	d = unit_directory_open();
	assert_string_equal(rcpt(d, "x@far.example", "alice@demo.test"), "local");
	assert_string_equal(rcpt(d, "x@far.example", "out@demo.test"), "local");
	snprintf(sender, sizeof(sender), "%s", strchr(resolve(d, "x@far.example", "out@demo.test"), '>') + 1);
	directory_close(&d);
	d = unit_directory_open();
	assert_string_equal(resolve(d, "", sender), "x@far.example"); /* the secret was made once */
	directory_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies),     cmocka_unit_test(test_policy_kept),    cmocka_unit_test(test_alias_change), cmocka_unit_test(test_subaddress),
		cmocka_unit_test(test_relay),        cmocka_unit_test(test_probes),         cmocka_unit_test(test_probes_bounded),
		cmocka_unit_test(test_srs),          cmocka_unit_test(test_rewrite),        cmocka_unit_test(test_rewrite_list),
		cmocka_unit_test(test_delegate),     cmocka_unit_test(test_full),           cmocka_unit_test(test_route),
		cmocka_unit_test(test_domain_default), cmocka_unit_test(test_domain_total),
		cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_route_long),   cmocka_unit_test(test_upgrade),
	};

	return cmocka_run_group_tests(tests, unit_directory_setup, unit_directory_teardown);
}
