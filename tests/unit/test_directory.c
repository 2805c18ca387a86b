/* directory/: domains, accounts, aliases, resolving, restart. */
#include "unit.h"

#include "unit_directory.h"

/* "a@x b@y" in the order of the answer; a status as text if it failed. */
static const char *resolve(struct directory *d, const char *address)
{
	static char               out[4096];
	struct arena             *a = arena_new(NULL);
	struct auth_resolve_reply r;
	enum status               st = directory_resolve(d, &(struct auth_resolve_request){ str_of(address), STR_NONE }, a, &r);
	size_t                    n = 0;

	if (st != ST_OK)
		snprintf(out, sizeof(out), "%s", status_name(st));
	for (size_t i = 0; st == ST_OK && i < r.target_count; i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%.*s", i ? " " : "", STR_FMT(r.targets[i].address));
	arena_free(&a);
	return out;
}

static const char *rcpt(struct directory *d, struct str address)
{
	static const char *const names[] = { "local", "foreign", "unknown", "closed" };
	struct arena            *a = arena_new(NULL);
	struct auth_rcpt_reply   r = { 0 };
	enum status              st = directory_rcpt(d, &(struct auth_rcpt_request){ .address = address }, a, &r);

	arena_free(&a);
	return st == ST_OK ? names[r.kind] : status_name(st);
}

static void fill(struct directory *d)
{
	unit_domain(d, "demo.test");
	unit_domain(d, "B\xc3\xbc" "cher.example");
	unit_account(d, "alice@demo.test");
	unit_account(d, "bob@demo.test");
	unit_account(d, "carol@xn--bcher-kva.example");
	unit_account(d, "j\xc3\xb6rg@demo.test");
	unit_account(d, "dot+plus@demo.test");
	assert_int_equal(unit_alias(d, "info@demo.test", "alice@demo.test bob@demo.test"), ST_OK);
	assert_int_equal(unit_alias(d, "all@demo.test", "info@demo.test carol@b\xc3\xbc" "cher.example x@foreign.example alice@demo.test"),
			 ST_OK);
	assert_int_equal(unit_alias(d, "@xn--bcher-kva.example", "carol@xn--bcher-kva.example"), ST_OK);
	assert_int_equal(unit_alias(d, "nobody@demo.test", "gone@demo.test"), ST_OK);
}

static const struct {
	const char *address, *targets, *kind;
} resolve_cases[] = {
	{ "alice@demo.test", "alice@demo.test", "local" },
	{ "ALICE@DEMO.TEST", "alice@demo.test", "local" },
	{ "\"alice\"@demo.test", "alice@demo.test", "local" },
	{ "\"al\\ice\"@demo.test", "alice@demo.test", "local" },
	{ "alice+tag@demo.test", "alice@demo.test", "local" },
	{ "alice+@demo.test", "alice@demo.test", "local" },
	{ "dot+plus@demo.test", "dot+plus@demo.test", "local" },
	{ "dot+other@demo.test", "not_found", "unknown" },
	{ "J\xc3\x96RG@demo.test", "j\xc3\xb6rg@demo.test", "local" },
	{ "jorg@demo.test", "not_found", "unknown" },
	{ "\xd0\xb0lice@demo.test", "not_found", "unknown" }, /* Cyrillic a */
	{ "info@demo.test", "alice@demo.test bob@demo.test", "local" },
	{ "info+x@demo.test", "alice@demo.test bob@demo.test", "local" },
	{ "all@demo.test", "alice@demo.test bob@demo.test carol@xn--bcher-kva.example x@foreign.example", "local" },
	{ "nobody@demo.test", "not_found", "unknown" },
	{ "carol@b\xc3\xbc" "cher.example", "carol@xn--bcher-kva.example", "local" },
	{ "carol@XN--BCHER-KVA.example", "carol@xn--bcher-kva.example", "local" },
	{ "whoever@xn--bcher-kva.example", "carol@xn--bcher-kva.example", "local" },
	{ "postmaster@demo.test", "alice@demo.test", "local" },
	{ "PostMaster@demo.test", "alice@demo.test", "local" },
	{ "x@foreign.example", "x@foreign.example", "foreign" },
	{ "X@Foreign.Example", "X@foreign.example", "foreign" },
	/* mta.md §5 item 24: never a relay, never somebody else */
	{ "x%foreign.example@demo.test", "not_found", "unknown" },
	{ "foreign.example!x@demo.test", "not_found", "unknown" },
	{ "\"x@foreign.example\"@demo.test", "not_found", "unknown" },
	{ "alice@demo.test.", "invalid", "invalid" },
	{ "alice@[127.0.0.1]", "alice@[127.0.0.1]", "foreign" },
	{ "alice@127.0.0.1", "invalid", "invalid" },
	{ "alice@@demo.test", "invalid", "invalid" },
	{ "alice@sub.demo.test", "alice@sub.demo.test", "foreign" },
	{ "alice@demo.test@foreign.example", "invalid", "invalid" },
	{ "@demo.test", "invalid", "invalid" },
	{ "", "invalid", "invalid" },
	{ "postmaster", "invalid", "invalid" },
};

static void check_resolve(struct directory *d)
{
	for (size_t i = 0; i < LEN(resolve_cases); i++) {
		assert_string_equal(resolve(d, resolve_cases[i].address), resolve_cases[i].targets);
		assert_string_equal(rcpt(d, str_of(resolve_cases[i].address)), resolve_cases[i].kind);
	}
}

static void test_resolve(void **state)
{
	struct directory *d = unit_directory_new();

	(void)state;
	fill(d);
	check_resolve(d);
	/* The table is the truth: after a restart nothing is different. */
	directory_close(&d);
	assert_null(d);
	d = unit_directory_open();
	check_resolve(d);
	directory_close(&d);
}

static void test_hostile(void **state)
{
	static const struct str names[] = {
		STR("a\0b@demo.test"),   STR("alice@demo.test\0"), STR("alice@demo.test\r\n"), STR("alice\n@demo.test"),
		STR("\"a\nb\"@demo.test"), STR("<alice@demo.test>"), STR(" alice@demo.test"),    STR("\"alice@demo.test"),
		STR("\xff@demo.test"),   STR("alice@de\xc3mo.test"),
	};
	struct directory             *d = unit_directory_new();
	struct auth_account_add_reply r;
	char                          longest[300];

	(void)state;
	fill(d);
	for (size_t i = 0; i < LEN(names); i++) {
		struct auth_name name = { unit_exact(names[i]) };

		assert_string_equal(rcpt(d, name.address), "invalid");
		assert_int_equal(directory_account_add(d, &(struct auth_account_add_request){ &name, 1, STR("x"), 0 }, &r), ST_INVALID);
		assert_int_equal(directory_alias_add(d, &(struct auth_alias){ name.address, &name, 1 }), ST_INVALID);
		assert_int_equal(directory_domain_add(d, &(struct auth_domain_request){ name.address }), ST_INVALID);
		assert_int_equal(directory_sender(d, &(struct auth_sender_request){ 1, name.address, false }), ST_DENIED);
		unit_exact_free(name.address);
	}
	memset(longest, 'a', sizeof(longest));
	memcpy(longest + sizeof(longest) - 10, "@demo.test", 10);
	assert_string_equal(rcpt(d, str_n(longest, sizeof(longest))), "invalid");
	assert_string_equal(rcpt(d, str_n(longest + 35, sizeof(longest) - 35)), "unknown"); /* 255 and the domain */
	directory_close(&d);
}

static void test_loops(void **state)
{
	struct directory *d = unit_directory_new();
	char              from[32], to[32];

	(void)state;
	unit_domain(d, "demo.test");
	unit_account(d, "alice@demo.test");
	unit_account(d, "bob@demo.test");
	/* Refused when added. */
	assert_int_equal(unit_alias(d, "a@demo.test", "b@demo.test"), ST_OK);
	assert_int_equal(unit_alias(d, "b@demo.test", "c@demo.test alice@demo.test"), ST_OK);
	assert_int_equal(unit_alias(d, "c@demo.test", "A+x@demo.test"), ST_LIMIT);
	assert_string_equal(resolve(d, "a@demo.test"), "alice@demo.test");
	/* Keep a copy: an alias may name its own account, also two of them each other. */
	assert_int_equal(unit_alias(d, "alice@demo.test", "bob@demo.test"), ST_EXISTS);
	assert_int_equal(unit_alias(d, "alice@demo.test", "Alice@demo.test bob@demo.test"), ST_OK);
	assert_int_equal(unit_alias(d, "bob@demo.test", "bob@demo.test alice@demo.test"), ST_OK);
	assert_string_equal(resolve(d, "bob@demo.test"), "bob@demo.test alice@demo.test");
	assert_string_equal(resolve(d, "alice+x@demo.test"), "alice@demo.test bob@demo.test");
	/* A diamond is none. */
	assert_int_equal(unit_alias(d, "left@demo.test", "x@foreign.example"), ST_OK);
	assert_int_equal(unit_alias(d, "right@demo.test", "x@foreign.example y@foreign.example"), ST_OK);
	assert_int_equal(unit_alias(d, "top@demo.test", "left@demo.test right@demo.test left@demo.test"), ST_OK);
	assert_string_equal(resolve(d, "top@demo.test"), "x@foreign.example y@foreign.example");
	/* One that arises later: the name falls to the catch-all when its account goes. */
	unit_account(d, "dora@demo.test");
	assert_int_equal(unit_alias(d, "lost@demo.test", "dora@demo.test"), ST_OK);
	assert_int_equal(unit_alias(d, "@demo.test", "lost@demo.test"), ST_OK);
	assert_string_equal(resolve(d, "any@demo.test"), "dora@demo.test");
	assert_int_equal(unit_remove(d, "dora@demo.test", true), ST_OK);
	assert_string_equal(resolve(d, "any@demo.test"), "limit");
	assert_string_equal(rcpt(d, STR("any@demo.test")), "closed");
	assert_int_equal(directory_alias_remove(d, &(struct auth_alias_remove_request){ STR("@Demo.Test") }), ST_OK);
	/* Too long a chain. */
	for (unsigned i = 0; i < LIMIT_ALIAS_DEPTH; i++) {
		snprintf(from, sizeof(from), "n%u@demo.test", i);
		snprintf(to, sizeof(to), "n%u@demo.test", i + 1);
		assert_int_equal(unit_alias(d, from, to), ST_OK);
	}
	assert_int_equal(unit_alias(d, "n20@demo.test", "alice@demo.test"), ST_OK);
	assert_string_equal(resolve(d, "n0@demo.test"), "limit");
	assert_string_equal(resolve(d, "n3@demo.test"), "alice@demo.test bob@demo.test");
	directory_close(&d);
}

static void test_catch_all_and_postmaster(void **state)
{
	struct directory *d = unit_directory_new();

	(void)state;
	unit_domain(d, "demo.test");
	assert_string_equal(rcpt(d, STR("postmaster@demo.test")), "unknown"); /* nobody anywhere */
	unit_domain(d, "other.test");
	unit_account(d, "admin@other.test");
	assert_string_equal(resolve(d, "postmaster@demo.test"), "admin@other.test");
	assert_int_equal(unit_alias(d, "@demo.test", "catch@foreign.example"), ST_OK);
	assert_string_equal(resolve(d, "postmaster@demo.test"), "catch@foreign.example");
	assert_int_equal(unit_alias(d, "@demo.test", "other@foreign.example"), ST_EXISTS);
	assert_string_equal(resolve(d, "x@demo.test"), "catch@foreign.example");
	unit_account(d, "x@demo.test");
	assert_string_equal(resolve(d, "x@demo.test"), "x@demo.test");
	assert_string_equal(resolve(d, "x+tag@demo.test"), "x@demo.test");
	assert_string_equal(resolve(d, "postmaster@demo.test"), "x@demo.test");
	unit_account(d, "y@demo.test");
	assert_int_equal(unit_change(d, "x@demo.test", AUTH_CHANGE_DISABLE, ""), ST_OK);
	assert_string_equal(resolve(d, "postmaster@demo.test"), "y@demo.test");
	assert_int_equal(unit_change(d, "x@demo.test", AUTH_CHANGE_ENABLE, ""), ST_OK);
	assert_string_equal(resolve(d, "postmaster@demo.test"), "x@demo.test");
	assert_int_equal(unit_remove(d, "x@demo.test", false), ST_OK);
	assert_string_equal(resolve(d, "postmaster+x@demo.test"), "y@demo.test");
	assert_string_equal(resolve(d, "x@demo.test"), "catch@foreign.example");
	assert_int_equal(unit_alias(d, "postmaster@demo.test", "p@foreign.example"), ST_OK);
	assert_string_equal(resolve(d, "postmaster@demo.test"), "p@foreign.example");
	directory_close(&d);
}

static void test_account_states(void **state)
{
	struct directory *d = unit_directory_new();
	struct arena     *a = arena_new(NULL);
	uint64_t          alice, again, *gone;
	size_t            count;

	(void)state;
	unit_domain(d, "demo.test");
	alice = unit_account(d, "alice@demo.test");
	unit_account(d, "bob@demo.test");
	assert_int_equal(unit_alias(d, "team@demo.test", "alice@demo.test bob@demo.test"), ST_OK);
	assert_int_equal(unit_account_try(d, "Alice@demo.test", "x"), ST_EXISTS);
	assert_int_equal(unit_account_try(d, "team@demo.test", "x"), ST_EXISTS);
	assert_int_equal(unit_account_try(d, "x@foreign.example", "x"), ST_NOT_FOUND);
	assert_int_equal(unit_account_try(d, "x@demo.test", ""), ST_INVALID);
	assert_int_equal(unit_change(d, "none@demo.test", AUTH_CHANGE_DISABLE, ""), ST_NOT_FOUND);
	/* Disabled: closed, but what was accepted is delivered. */
	assert_int_equal(unit_change(d, "alice@demo.test", AUTH_CHANGE_DISABLE, ""), ST_OK);
	assert_string_equal(rcpt(d, STR("alice@demo.test")), "closed");
	assert_string_equal(resolve(d, "alice@demo.test"), "alice@demo.test");
	assert_string_equal(rcpt(d, STR("team@demo.test")), "local");
	assert_int_equal(directory_sender(d, &(struct auth_sender_request){ alice, STR("alice@demo.test"), false }), ST_DENIED);
	/* Removed: nobody, but not forgotten. */
	assert_int_equal(unit_remove(d, "alice@demo.test", false), ST_OK);
	assert_int_equal(unit_remove(d, "alice@demo.test", false), ST_NOT_FOUND);
	assert_string_equal(rcpt(d, STR("alice@demo.test")), "unknown");
	assert_string_equal(resolve(d, "team@demo.test"), "bob@demo.test");
	assert_int_equal(unit_account_try(d, "alice@demo.test", "x"), ST_EXISTS);
	assert_int_equal(unit_change(d, "alice@demo.test", AUTH_CHANGE_QUOTA, ""), ST_NOT_FOUND);
	assert_int_equal(unit_change(d, "alice@demo.test", AUTH_CHANGE_ENABLE, ""), ST_OK);
	assert_string_equal(rcpt(d, STR("alice@demo.test")), "local");
	assert_int_equal(directory_sender(d, &(struct auth_sender_request){ alice, STR("alice@demo.test"), false }), ST_OK);
	/* Retention, across a restart. */
	assert_int_equal(unit_remove(d, "alice@demo.test", false), ST_OK);
	assert_int_equal(directory_expire(d, a, &gone, &count), ST_OK);
	assert_int_equal(count, 0);
	directory_close(&d);
	d = unit_directory_open();
	assert_string_equal(rcpt(d, STR("alice@demo.test")), "unknown");
	unit_now_ms += (int64_t)30 * 24 * 3600 * 1000;
	assert_int_equal(directory_expire(d, a, &gone, &count), ST_OK);
	assert_int_equal(count, 1);
	assert_int_equal(gone[0], alice);
	/* Whoever was to purge it may have died: it is named until that is done, once more later, and no more. */
	directory_close(&d);
	d = unit_directory_open();
	for (int i = 0; i < 2; i++) {
		struct auth_expired       one = { alice };
		struct auth_purged_request q = { &one, 1 };

		assert_int_equal(directory_expire(d, a, &gone, &count), ST_OK);
		assert_int_equal(count, 1);
		assert_int_equal(gone[0], alice);
		assert_int_equal(directory_purged(d, &q), ST_OK);
		assert_int_equal(directory_expire(d, a, &gone, &count), ST_OK);
		assert_int_equal(count, 0);
		unit_now_ms += (int64_t)32 * 24 * 3600 * 1000;
	}
	assert_int_equal(directory_expire(d, a, &gone, &count), ST_OK);
	assert_int_equal(count, 0);
	/* A new one of the name is another account, also if the last id was freed. */
	again = unit_account(d, "alice@demo.test");
	assert_true(again > alice);
	assert_int_equal(unit_remove(d, "alice@demo.test", true), ST_OK);
	directory_close(&d);
	d = unit_directory_open();
	assert_int_equal(directory_expire(d, a, &gone, &count), ST_OK); /* the one who asked for it may have died too */
	assert_int_equal(count, 1);
	assert_int_equal(gone[0], again);
	assert_true(unit_account(d, "alice@demo.test") > again);
	directory_close(&d);
	arena_free(&a);
}

static void test_rename(void **state)
{
	struct directory *d = unit_directory_new();
	uint64_t          alice;

	(void)state;
	unit_domain(d, "demo.test");
	unit_domain(d, "new.test");
	alice = unit_account(d, "alice@demo.test");
	unit_account(d, "bob@demo.test");
	assert_int_equal(unit_alias(d, "team@demo.test", "alice@demo.test bob@demo.test"), ST_OK);
	assert_int_equal(unit_change(d, "alice@demo.test", AUTH_CHANGE_RENAME, "bob@demo.test"), ST_EXISTS);
	assert_int_equal(unit_change(d, "alice@demo.test", AUTH_CHANGE_RENAME, "team@demo.test"), ST_EXISTS);
	assert_int_equal(unit_change(d, "alice@demo.test", AUTH_CHANGE_RENAME, "a@foreign.example"), ST_NOT_FOUND);
	assert_int_equal(unit_change(d, "alice@demo.test", AUTH_CHANGE_RENAME, "a b"), ST_INVALID);
	assert_int_equal(unit_change(d, "alice@demo.test", AUTH_CHANGE_RENAME, "Liddell@New.test"), ST_OK);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(resolve(d, "team@demo.test"), "liddell@new.test bob@demo.test");
		assert_string_equal(rcpt(d, STR("alice@demo.test")), "unknown");
		assert_int_equal(directory_sender(d, &(struct auth_sender_request){ alice, STR("liddell@new.test"), false }), ST_OK);
		assert_string_equal(resolve(d, "postmaster@demo.test"), "bob@demo.test");
		directory_close(&d);
		d = unit_directory_open();
	}
	directory_close(&d);
}

static void test_sender(void **state)
{
	struct directory *d = unit_directory_new();
	uint64_t          alice, bob;

	(void)state;
	unit_domain(d, "demo.test");
	unit_domain(d, "other.test");
	alice = unit_account(d, "alice@demo.test");
	bob = unit_account(d, "bob@demo.test");
	assert_int_equal(unit_alias(d, "info@demo.test", "x@foreign.example alice@demo.test"), ST_OK);
	assert_int_equal(unit_alias(d, "help@demo.test", "info@demo.test"), ST_OK);
	assert_int_equal(unit_alias(d, "@other.test", "bob@demo.test"), ST_OK);

	const struct {
		uint64_t    account;
		const char *address;
		enum status want;
	} cases[] = {
		{ alice, "alice@demo.test", ST_OK },        { alice, "ALICE+x@Demo.Test", ST_OK },
		{ alice, "\"alice\"@demo.test", ST_OK },    { alice, "info@demo.test", ST_OK },
		{ alice, "help+x@demo.test", ST_OK },       { alice, "bob@demo.test", ST_DENIED },
		{ alice, "x@foreign.example", ST_DENIED },  { alice, "any@other.test", ST_DENIED },
		{ alice, "none@demo.test", ST_DENIED },     { alice, "", ST_DENIED },
		{ bob, "any@other.test", ST_OK },           { bob, "info@demo.test", ST_DENIED },
		{ bob, "postmaster@demo.test", ST_DENIED }, { alice, "postmaster@demo.test", ST_OK },
		{ 0, "x@foreign.example", ST_DENIED },      { 99, "alice@demo.test", ST_DENIED },
	};
	for (size_t i = 0; i < LEN(cases); i++)
		assert_int_equal(directory_sender(d, &(struct auth_sender_request){ cases[i].account, str_of(cases[i].address), false }), cases[i].want);
	directory_close(&d);
}

static void test_domains(void **state)
{
	struct directory             *d = unit_directory_new();
	struct arena                 *a = arena_new(NULL);
	struct auth_domain_list_reply list;

	(void)state;
	unit_domain(d, "demo.test");
	unit_domain(d, "B\xc3\xbc" "cher.example");
	assert_int_equal(directory_domain_add(d, &(struct auth_domain_request){ STR("XN--bcher-kva.example") }), ST_EXISTS);
	assert_int_equal(directory_domain_add(d, &(struct auth_domain_request){ STR("demo.test.") }), ST_INVALID);
	assert_int_equal(directory_domain_add(d, &(struct auth_domain_request){ STR("de mo") }), ST_INVALID);
	assert_int_equal(directory_domain_add(d, &(struct auth_domain_request){ STR("") }), ST_INVALID);
	unit_account(d, "alice@demo.test");
	assert_int_equal(unit_alias(d, "a@xn--bcher-kva.example", "alice@demo.test"), ST_OK);
	assert_int_equal(directory_domain_list(d, &(struct auth_list_request){ 0 }, a, &list), ST_OK);
	assert_int_equal(list.domain_count, 2);
	assert_false(list.more);
	assert_str(list.domains[0].name, STR("demo.test"));
	assert_int_equal(list.domains[0].accounts, 1);
	assert_int_equal(list.domains[1].aliases, 1);
	assert_int_equal(directory_domain_list(d, &(struct auth_list_request){ .after = STR("demo.test") }, a, &list), ST_OK);
	assert_int_equal(list.domain_count, 1);
	assert_int_equal(directory_domain_remove(d, &(struct auth_domain_request){ STR("none.test") }), ST_NOT_FOUND);
	assert_int_equal(directory_domain_remove(d, &(struct auth_domain_request){ STR("demo.test") }), ST_DENIED);
	assert_int_equal(directory_domain_remove(d, &(struct auth_domain_request){ STR("b\xc3\xbc" "cher.example") }), ST_OK);
	assert_string_equal(rcpt(d, STR("a@xn--bcher-kva.example")), "foreign");
	assert_int_equal(unit_remove(d, "alice@demo.test", false), ST_OK);
	assert_int_equal(directory_domain_remove(d, &(struct auth_domain_request){ STR("demo.test") }), ST_DENIED);
	assert_int_equal(unit_remove(d, "alice@demo.test", true), ST_OK);
	assert_int_equal(directory_domain_remove(d, &(struct auth_domain_request){ STR("demo.test") }), ST_OK);
	arena_free(&a);
	directory_close(&d);
}

/* Thousands in one request, listed in pages. */
static void test_many(void **state)
{
	enum { MANY = 10000 };
	struct directory              *d = unit_directory_new();
	struct arena                  *a = arena_new(NULL);
	struct auth_name              *names = ARENA_ARRAY(a, struct auth_name, MANY);
	struct auth_account_add_reply  r;
	struct auth_account_list_reply page;
	struct str                     after = STR_NONE;
	size_t                         seen = 0;

	(void)state;
	unit_domain(d, "demo.test");
	unit_domain(d, "other.test");
	unit_account(d, "user7@demo.test");
	unit_account(d, "zoe@other.test");
	for (size_t i = 0; i < MANY; i++)
		names[i].address = arena_printf(a, "User%zu@demo.test", i);
	assert_int_equal(directory_account_add(d, &(struct auth_account_add_request){ names, MANY, STR("secret"), 5 }, &r), ST_OK);
	assert_int_equal(r.added, MANY - 1);
	assert_int_equal(r.first_account, 3);
	assert_int_equal(directory_account_add(d, &(struct auth_account_add_request){ names, MANY, STR("secret"), 5 }, &r), ST_OK);
	assert_int_equal(r.added, 0);
	do {
		assert_int_equal(directory_account_list(d, &(struct auth_list_request){ after, STR("demo.test") }, a, &page), ST_OK);
		for (size_t i = 0; i < page.account_count; i++) {
			assert_true(str_cmp(after, page.accounts[i].address) < 0);
			after = page.accounts[i].address;
		}
		seen += page.account_count;
	} while (page.more);
	assert_int_equal(seen, MANY);
	/* One bad name: none of them. */
	names[5].address = STR("bad name");
	names[4].address = STR("fresh@demo.test");
	assert_int_equal(directory_account_add(d, &(struct auth_account_add_request){ names, 6, STR("secret"), 5 }, &r), ST_INVALID);
	assert_string_equal(rcpt(d, STR("fresh@demo.test")), "unknown");
	assert_string_equal(resolve(d, "user9999@demo.test"), "user9999@demo.test");
	arena_free(&a);
	directory_close(&d);
}

static void test_alias_list(void **state)
{
	struct directory            *d = unit_directory_new();
	struct arena                *a = arena_new(NULL);
	struct auth_name            *names = ARENA_ARRAY(a, struct auth_name, LIMIT_ALIAS_TARGETS + 1);
	struct auth_alias_list_reply page;
	struct str                   after = STR_NONE;
	size_t                       seen = 0, pages = 0;

	(void)state;
	unit_domain(d, "demo.test");
	for (size_t i = 0; i <= LIMIT_ALIAS_TARGETS; i++)
		names[i].address = arena_printf(a, "%0200zu@foreign.example", i);
	assert_int_equal(directory_alias_add(d, &(struct auth_alias){ STR("x@demo.test"), names, LIMIT_ALIAS_TARGETS + 1 }), ST_INVALID);
	assert_int_equal(directory_alias_add(d, &(struct auth_alias){ STR("x@demo.test"), names, 0 }), ST_INVALID);
	assert_int_equal(directory_alias_add(d, &(struct auth_alias){ STR("x@foreign.example"), names, 1 }), ST_NOT_FOUND);
	for (unsigned i = 0; i < 9; i++) {
		struct str from = i == 0 ? STR("@demo.test") : arena_printf(a, "a%u@demo.test", i);

		assert_int_equal(directory_alias_add(d, &(struct auth_alias){ from, names, LIMIT_ALIAS_TARGETS }), ST_OK);
	}
	do {
		assert_int_equal(directory_alias_list(d, &(struct auth_list_request){ after, STR("Demo.Test") }, a, &page), ST_OK);
		assert_true(page.alias_count > 0);
		for (size_t i = 0; i < page.alias_count; i++)
			assert_int_equal(page.aliases[i].to_count, LIMIT_ALIAS_TARGETS);
		after = page.aliases[page.alias_count - 1].from;
		seen += page.alias_count;
		pages++;
	} while (page.more);
	assert_int_equal(seen, 9);
	assert_true(pages > 1);
	/* One target more than an answer may have. */
	assert_int_equal(unit_alias(d, "both@demo.test", "a1@demo.test last@foreign.example"), ST_LIMIT);
	arena_free(&a);
	directory_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_catch_all_and_postmaster),
		cmocka_unit_test(test_account_states),
		cmocka_unit_test(test_rename),
		cmocka_unit_test(test_sender),
		cmocka_unit_test(test_domains),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_alias_list),
	};

	return cmocka_run_group_tests(tests, unit_directory_setup, unit_directory_teardown);
}
