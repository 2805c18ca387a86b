/* directory/: SCRAM, access tokens, certificates; the RFCs' own examples, octet by octet. */
#include "unit.h"

#include "directory/scram.h"
#include "scram_client.h"
#include "unit_directory.h"
#include "wire/sasl/sasl_scram.h"

/* RFC 5802 §5 and RFC 7677 §3: user "user", password "pencil". */
static void test_vectors(void **state)
{
	static const struct {
		enum auth_scram_hash hash;
		struct str           nonce, server_first, final, server_final;
	} cases[] = {
		{ AUTH_SCRAM_SHA1, STR("fyko+d2lbbFgONRv9qkxdawL"),
		  STR("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"),
		  STR("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="),
		  STR("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=") },
		{ AUTH_SCRAM_SHA256, STR("rOprNGfwEbeRWgbNEkqO"),
		  STR("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
		  STR("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
		  STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct scram_client     c = { .hash = cases[i].hash, .password = STR("pencil"), .gs2 = STR("n,,"), .user = STR("user"),
					      .nonce = cases[i].nonce };
		char                    room[64], message[512], out[128];
		struct buf              salt = { .p = room, .cap = sizeof(room), .max = sizeof(room) };
		struct buf              proof = { .p = room + 32, .cap = 32, .max = 32 };
		struct buf              last = { .p = out, .cap = sizeof(out), .max = sizeof(out) };
		struct sasl_scram_final m;
		struct scram_key        key;
		uint8_t                 signature[SCRAM_OCTETS];

		scram_client_first(&c); /* our test's client is right too */
		assert_str(scram_client_final(&c, cases[i].server_first), cases[i].final);
		assert_str(str_of(c.server_final), cases[i].server_final);

		assert_true(text_base64_decode(scram_value(cases[i].server_first, 's'), &salt));
		scram_key_make(cases[i].hash, STR("pencil"), buf_str(&salt), 4096, &key);
		assert_true(sasl_scram_final_parse(cases[i].final, &m));
		assert_true(text_base64_decode(m.proof, &proof));
		snprintf(message, sizeof(message), "n=user,r=%.*s,%.*s,%.*s", STR_FMT(cases[i].nonce), STR_FMT(cases[i].server_first),
			 STR_FMT(m.unproved));
		assert_true(scram_check(cases[i].hash, &key, str_of(message), buf_str(&proof), signature));
		sasl_scram_server_final(str_n(signature, scram_octets(cases[i].hash)), &last);
		assert_str(buf_str(&last), cases[i].server_final);
		for (size_t at = 0; at < proof.n; at++) {
			proof.p[at] ^= 1;
			assert_false(scram_check(cases[i].hash, &key, str_of(message), buf_str(&proof), signature));
			proof.p[at] ^= 1;
		}
		assert_false(scram_check(cases[i].hash, &key, str_of(message), str_first(buf_str(&proof), proof.n - 1), signature));
		assert_false(scram_check(cases[i].hash, &key, str_of(message), STR(""), signature));
	}
}

struct try {
	enum auth_scram_hash hash;
	const char          *user, *password, *peer;
	int64_t              delay_ms; /* between the two questions */
	bool                 bad_nonce;
};

static enum status scram(struct directory *d, const struct try *t)
{
	struct arena                *a = arena_new_secret(NULL);
	struct scram_client          c = { .hash = t->hash, .password = str_of(t->password), .gs2 = STR("n,,"), .user = str_of(t->user),
					   .nonce = STR("client") };
	struct auth_scram_salt_reply salt = { 0 };
	struct auth_scram_proof_reply reply = { 0 };
	struct sasl_scram_final       m;
	char                          room[400], proof_room[64], bad[64];
	struct buf                    first = { .p = room, .cap = sizeof(room), .max = sizeof(room) };
	struct buf                    proof = { .p = proof_room, .cap = sizeof(proof_room), .max = sizeof(proof_room) };
	struct str                    bare;
	enum status                   st;
	uint64_t                      account;

	bare = str_from(scram_client_first(&c), 3);
	assert_int_equal(directory_scram_salt(d, &(struct auth_scram_salt_request){ t->hash, str_of(t->user) }, a, &salt), ST_OK);
	assert_int_equal(salt.salt.n, SCRAM_SALT);
	assert_true(salt.iterations >= 4096);
	sasl_scram_server_first(c.nonce, salt.nonce, salt.salt, salt.iterations, &first);
	assert_true(sasl_scram_final_parse(scram_client_final(&c, buf_str(&first)), &m));
	assert_true(text_base64_decode(m.proof, &proof));
	unit_now_ms += t->delay_ms;
	if (t->bad_nonce) {
		memcpy(bad, salt.nonce.p, salt.nonce.n);
		bad[3] = bad[3] == 'A' ? 'B' : 'A';
		salt.nonce = str_n(bad, salt.nonce.n);
	}
	st = directory_scram_proof(d,
				   &(struct auth_scram_proof_request){ AUTH_IMAP, t->hash, bare, salt.nonce, m.unproved, buf_str(&proof),
								       str_of(t->peer ? t->peer : "192.0.2.1"), true },
				   a, &reply);
	if (st == ST_OK) {
		assert_int_equal(directory_token(d, reply.login.token, &account), ST_OK);
		assert_int_equal(account, reply.login.account);
		first.n = 0;
		sasl_scram_server_final(reply.signature, &first);
		assert_str(buf_str(&first), str_of(c.server_final));
	}
	arena_free(&a);
	return st;
}

static enum status plain(struct directory *d, const char *user, const char *password, const char *peer)
{
	struct arena           *a = arena_new_secret(NULL);
	struct auth_login_reply r = { 0 };
	enum status             st = directory_login(
                d, &(struct auth_login_request){ AUTH_IMAP, str_of(user), str_of(password), str_of(peer), true }, a, &r);

	arena_free(&a);
	return st;
}

#define ALICE "alice@demo.test"

static void test_scram(void **state)
{
	struct directory *d = unit_directory_new();

	(void)state;
	unit_domain(d, "demo.test");
	unit_account(d, ALICE);
	for (enum auth_scram_hash h = 0; h <= AUTH_SCRAM_LAST; h++) {
		assert_int_equal(scram(d, &(struct try){ h, ALICE, "secret" }), ST_OK);
		assert_int_equal(scram(d, &(struct try){ h, "ALICE@Demo.Test", "secret" }), ST_OK);
		assert_int_equal(scram(d, &(struct try){ h, ALICE, "wrong" }), ST_DENIED);
		assert_int_equal(scram(d, &(struct try){ h, "nobody@demo.test", "secret" }), ST_DENIED);
		assert_int_equal(scram(d, &(struct try){ h, "no address", "secret" }), ST_DENIED);
		assert_int_equal(scram(d, &(struct try){ h, ALICE, "secret", .bad_nonce = true }), ST_TEMP);
		assert_int_equal(scram(d, &(struct try){ h, ALICE, "secret", .delay_ms = LIMIT_SIGNIN_MS }), ST_TEMP);
		assert_int_equal(scram(d, &(struct try){ h, ALICE, "secret" }), ST_OK);
	}
	assert_int_equal(unit_change(d, ALICE, AUTH_CHANGE_PASSWORD, "better"), ST_OK);
	assert_int_equal(scram(d, &(struct try){ AUTH_SCRAM_SHA256, ALICE, "secret" }), ST_DENIED);
	assert_int_equal(scram(d, &(struct try){ AUTH_SCRAM_SHA256, ALICE, "better" }), ST_OK);
	assert_int_equal(unit_change(d, ALICE, AUTH_CHANGE_RENAME, "liddell@demo.test"), ST_OK);
	assert_int_equal(scram(d, &(struct try){ AUTH_SCRAM_SHA256, "liddell@demo.test", "better" }), ST_OK);
	directory_close(&d);
	d = unit_directory_open(); /* it is on disk */
	assert_int_equal(scram(d, &(struct try){ AUTH_SCRAM_SHA1, "liddell@demo.test", "better" }), ST_OK);
	assert_int_equal(unit_change(d, "liddell@demo.test", AUTH_CHANGE_DISABLE, ""), ST_OK);
	assert_int_equal(scram(d, &(struct try){ AUTH_SCRAM_SHA1, "liddell@demo.test", "better" }), ST_DENIED);
	assert_int_equal(unit_change(d, "liddell@demo.test", AUTH_CHANGE_ENABLE, ""), ST_OK);
	assert_int_equal(scram(d, &(struct try){ AUTH_SCRAM_SHA1, "liddell@demo.test", "better" }), ST_OK);
	assert_int_equal(unit_remove(d, "liddell@demo.test", true), ST_OK);
	assert_int_equal(scram(d, &(struct try){ AUTH_SCRAM_SHA1, "liddell@demo.test", "better" }), ST_DENIED);
	directory_close(&d);
	d = unit_directory_open(); /* nothing of the purged one is left behind */
	directory_close(&d);
}

/* An imported hash has no verifier until its password is seen; then it has one, also after a restart. */
static void test_adopted(void **state)
{
	static const char hash[] =
		"{CRYPT}$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1";
	struct directory *d = unit_directory_new();

	(void)state;
	unit_domain(d, "demo.test");
	assert_int_equal(unit_account_try(d, "bob@demo.test", hash), ST_OK);
	assert_int_equal(scram(d, &(struct try){ AUTH_SCRAM_SHA256, "bob@demo.test", "secret" }), ST_DENIED);
	assert_int_equal(plain(d, "bob@demo.test", "wrong", "192.0.2.1"), ST_DENIED);
	assert_int_equal(scram(d, &(struct try){ AUTH_SCRAM_SHA256, "bob@demo.test", "secret" }), ST_DENIED);
	assert_int_equal(plain(d, "bob@demo.test", "secret", "192.0.2.1"), ST_OK);
	directory_close(&d); /* waits for what the sign-in left to do */
	d = unit_directory_open();
	assert_int_equal(scram(d, &(struct try){ AUTH_SCRAM_SHA256, "bob@demo.test", "secret" }), ST_OK);
	assert_int_equal(scram(d, &(struct try){ AUTH_SCRAM_SHA1, "bob@demo.test", "secret" }), ST_OK);
	assert_int_equal(unit_change(d, "bob@demo.test", AUTH_CHANGE_PASSWORD, hash), ST_OK); /* imported again: gone again */
	assert_int_equal(scram(d, &(struct try){ AUTH_SCRAM_SHA256, "bob@demo.test", "secret" }), ST_DENIED);
	directory_close(&d);
}

/* Who does not exist has a salt too: another for each name and hash, the same each time. */
static void test_invented(void **state)
{
	static const char *const      users[] = { "ghost@demo.test", "GHOST@demo.test", "other@demo.test", "x@foreign.example", "ghost" };
	struct directory             *d = unit_directory_new();
	struct arena                 *a = arena_new(NULL);
	struct auth_scram_salt_reply  r[LEN(users)][2], again;

	(void)state;
	unit_domain(d, "demo.test");
	unit_account(d, ALICE);
	for (unsigned i = 0; i < LEN(users) * 2; i++)
		assert_int_equal(directory_scram_salt(d, &(struct auth_scram_salt_request){ i % 2, str_of(users[i / 2]) }, a, &r[i / 2][i % 2]),
				 ST_OK);
	assert_str(r[0][0].salt, r[1][0].salt);
	for (size_t i = 1; i < LEN(users); i++) {
		assert_false(str_eq(r[i][0].salt, r[i][1].salt));
		for (size_t j = 0; j < i; j++)
			assert_true((i == 1 && j == 0) || !str_eq(r[i][0].salt, r[j][0].salt));
	}
	directory_close(&d);
	d = unit_directory_open();
	assert_int_equal(directory_scram_salt(d, &(struct auth_scram_salt_request){ AUTH_SCRAM_SHA1, str_of(users[0]) }, a, &again), ST_OK);
	assert_str(again.salt, r[0][0].salt);
	assert_false(str_eq(again.nonce, r[0][0].nonce));
	assert_int_equal(directory_scram_salt(d, &(struct auth_scram_salt_request){ AUTH_SCRAM_SHA1, STR(ALICE) }, a, &r[1][0]), ST_OK);
	assert_int_equal(again.iterations, r[1][0].iterations);
	assert_int_equal(again.salt.n, r[1][0].salt.n);
	assert_int_equal(again.nonce.n, r[1][0].nonce.n);
	arena_free(&a);
	directory_close(&d);
}

/* A password of other letters is the same however it is typed. */
static void test_prepared(void **state)
{
	struct directory *d = unit_directory_new();

	(void)state;
	unit_domain(d, "demo.test");
	assert_int_equal(unit_account_try(d, ALICE, "e\xcc\x81t\xc3\xa9"), ST_OK);
	assert_int_equal(plain(d, ALICE, "\xc3\xa9t\xc3\xa9", "192.0.2.1"), ST_OK);
	assert_int_equal(plain(d, ALICE, "\xc3\xa9te\xcc\x81", "192.0.2.1"), ST_OK);
	assert_int_equal(plain(d, ALICE, "ete", "192.0.2.1"), ST_DENIED);
	assert_int_equal(scram(d, &(struct try){ AUTH_SCRAM_SHA256, ALICE, "\xc3\xa9t\xc3\xa9" }), ST_OK); /* as its client prepares it */
	/* Imported, and made of what was typed. crypt(3) of the decomposed form. */
	assert_int_equal(unit_change(d, ALICE, AUTH_CHANGE_PASSWORD, "\xf0\x9f\x98\x80"), ST_OK); /* no form: as it is */
	assert_int_equal(plain(d, ALICE, "\xf0\x9f\x98\x80", "192.0.2.1"), ST_OK);
	directory_close(&d);
}

static enum status credential_add(struct directory *d, const char *address, enum auth_credential_kind kind, struct str hash,
				  uint32_t days, struct arena *a, struct auth_credential_add_reply *r)
{
	return directory_credential_add(d, &(struct auth_credential_add_request){ str_of(address), kind, hash, days }, a, r);
}

static enum status bearer(struct directory *d, const char *user, struct str token, const char *peer)
{
	struct arena           *a = arena_new_secret(NULL);
	struct auth_login_reply r = { 0 };
	enum status             st =
		directory_bearer(d, &(struct auth_bearer_request){ AUTH_SMTP, str_of(user), token, str_of(peer), true }, a, &r);

	assert_true(st != ST_OK || str_eq(r.address, STR(ALICE)));
	arena_free(&a);
	return st;
}

static size_t count(struct directory *d, const char *address, enum auth_credential_kind kind)
{
	struct arena                     *a = arena_new(NULL);
	struct auth_credential_list_reply r = { 0 };
	enum status                       st =
		directory_credential_list(d, &(struct auth_credential_list_request){ str_of(address), kind }, a, &r);

	arena_free(&a);
	return st == ST_OK ? r.row_count : SIZE_MAX;
}

static enum status credential_remove(struct directory *d, const char *address, enum auth_credential_kind kind, struct str hash)
{
	return directory_credential_remove(d, &(struct auth_credential_remove_request){ str_of(address), kind, hash });
}

static void test_token(void **state)
{
	struct directory                *d = unit_directory_new();
	struct arena                    *a = arena_new_secret(NULL);
	struct auth_credential_add_reply r = { 0 }, other = { 0 };
	struct auth_login_reply          login = { 0 };

	(void)state;
	unit_domain(d, "demo.test");
	unit_account(d, ALICE);
	unit_account(d, "bob@demo.test");
	assert_int_equal(credential_add(d, "nobody@demo.test", AUTH_CREDENTIAL_TOKEN, STR(""), 0, a, &r), ST_NOT_FOUND);
	assert_int_equal(credential_add(d, "no address", AUTH_CREDENTIAL_TOKEN, STR(""), 0, a, &r), ST_INVALID);
	assert_int_equal(credential_add(d, ALICE, AUTH_CREDENTIAL_TOKEN, STR(""), LIMIT_TOKEN_DAYS + 1, a, &r), ST_INVALID);
	assert_int_equal(credential_add(d, ALICE, AUTH_CREDENTIAL_TOKEN, STR(""), 1, a, &r), ST_OK);
	assert_int_equal(credential_add(d, ALICE, AUTH_CREDENTIAL_TOKEN, STR(""), 0, a, &other), ST_OK);
	assert_int_equal(r.expires_ms, unit_now_ms + 24 * 3600 * 1000);
	assert_int_equal(r.hash.n, 32);
	assert_false(str_eq(r.token, other.token));
	assert_int_equal(bearer(d, ALICE, r.token, "192.0.2.1"), ST_OK);
	assert_int_equal(bearer(d, "", r.token, "192.0.2.1"), ST_OK);
	assert_int_equal(bearer(d, "Alice@demo.test", r.token, "192.0.2.1"), ST_OK);
	assert_int_equal(bearer(d, "bob@demo.test", r.token, "192.0.2.1"), ST_DENIED);
	assert_int_equal(bearer(d, "nobody@demo.test", r.token, "192.0.2.1"), ST_DENIED);
	assert_int_equal(bearer(d, ALICE, str_first(r.token, r.token.n - 1), "192.0.2.1"), ST_DENIED);
	assert_int_equal(bearer(d, ALICE, r.hash, "192.0.2.1"), ST_DENIED);
	assert_int_equal(bearer(d, "", STR("x"), "192.0.2.1"), ST_DENIED);
	/* What names a sign-in inside is no key to the outside. */
	assert_int_equal(directory_login(d, &(struct auth_login_request){ AUTH_SMTP, STR(ALICE), STR("secret"), STR("::1"), true }, a, &login),
			 ST_OK);
	assert_int_equal(bearer(d, ALICE, login.token, "192.0.2.3"), ST_DENIED);
	directory_close(&d);
	d = unit_directory_open();
	assert_int_equal(count(d, ALICE, AUTH_CREDENTIAL_TOKEN), 2);
	assert_int_equal(count(d, ALICE, AUTH_CREDENTIAL_CERTIFICATE), 0);
	assert_int_equal(count(d, "bob@demo.test", AUTH_CREDENTIAL_TOKEN), 0);
	assert_int_equal(bearer(d, ALICE, r.token, "192.0.2.1"), ST_OK);
	unit_now_ms += 24 * 3600 * 1000;
	assert_int_equal(bearer(d, ALICE, r.token, "192.0.2.1"), ST_DENIED);
	assert_int_equal(bearer(d, ALICE, other.token, "192.0.2.1"), ST_OK);
	assert_int_equal(credential_remove(d, "bob@demo.test", AUTH_CREDENTIAL_TOKEN, other.hash), ST_NOT_FOUND);
	assert_int_equal(credential_remove(d, ALICE, AUTH_CREDENTIAL_CERTIFICATE, other.hash), ST_NOT_FOUND);
	assert_int_equal(credential_remove(d, ALICE, AUTH_CREDENTIAL_TOKEN, STR("")), ST_INVALID);
	assert_int_equal(credential_remove(d, ALICE, AUTH_CREDENTIAL_TOKEN, str_first(other.hash, 8)), ST_OK);
	assert_int_equal(bearer(d, ALICE, other.token, "192.0.2.1"), ST_DENIED);
	for (size_t i = count(d, ALICE, AUTH_CREDENTIAL_TOKEN); i < LIMIT_CREDENTIALS; i++)
		assert_int_equal(credential_add(d, ALICE, AUTH_CREDENTIAL_TOKEN, STR(""), 0, a, &r), ST_OK);
	assert_int_equal(credential_add(d, ALICE, AUTH_CREDENTIAL_TOKEN, STR(""), 0, a, &other), ST_LIMIT);
	assert_int_equal(bearer(d, ALICE, r.token, "192.0.2.7"), ST_OK);
	assert_int_equal(unit_change(d, ALICE, AUTH_CHANGE_DISABLE, ""), ST_OK);
	assert_int_equal(bearer(d, ALICE, r.token, "192.0.2.7"), ST_DENIED);
	assert_int_equal(unit_remove(d, ALICE, true), ST_OK);
	assert_int_equal(bearer(d, "", r.token, "192.0.2.7"), ST_DENIED);
	directory_close(&d);
	d = unit_directory_open();
	directory_close(&d);
	arena_free(&a);
}

static void test_certificate(void **state)
{
	static const struct str          one = STR("0123456789abcdef0123456789abcdef"), two = STR("1123456789abcdef0123456789abcdef");
	struct directory                *d = unit_directory_new();
	struct arena                    *a = arena_new_secret(NULL);
	struct auth_credential_add_reply r;
	struct auth_login_reply          login = { 0 };
	static const struct {
		const char *user;
		bool        first;
		enum status st;
	} cases[] = {
		{ "", true, ST_OK },     { ALICE, true, ST_OK },   { "bob@demo.test", true, ST_DENIED }, { "nobody", true, ST_DENIED },
		{ "", false, ST_DENIED }, { ALICE, false, ST_DENIED },
	};

	(void)state;
	unit_domain(d, "demo.test");
	unit_account(d, ALICE);
	unit_account(d, "bob@demo.test");
	assert_int_equal(credential_add(d, ALICE, AUTH_CREDENTIAL_CERTIFICATE, STR("short"), 0, a, &r), ST_INVALID);
	assert_int_equal(directory_certificate(d, one), ST_NOT_FOUND);
	assert_int_equal(credential_add(d, ALICE, AUTH_CREDENTIAL_CERTIFICATE, one, 0, a, &r), ST_OK);
	assert_int_equal(r.token.n, 0);
	assert_int_equal(credential_add(d, ALICE, AUTH_CREDENTIAL_CERTIFICATE, one, 0, a, &r), ST_EXISTS);
	assert_int_equal(credential_add(d, "bob@demo.test", AUTH_CREDENTIAL_CERTIFICATE, one, 0, a, &r), ST_EXISTS);
	assert_int_equal(directory_certificate(d, one), ST_OK);
	assert_int_equal(directory_certificate(d, two), ST_NOT_FOUND);
	assert_int_equal(directory_certificate(d, STR("x")), ST_INVALID);
	for (size_t i = 0; i < LEN(cases); i++)
		assert_int_equal(directory_external(d,
						    &(struct auth_external_request){ AUTH_IMAP, str_of(cases[i].user),
										     cases[i].first ? one : two, STR("192.0.2.1") },
						    a, &login),
				 cases[i].st);
	assert_int_equal(bearer(d, ALICE, one, "192.0.2.9"), ST_DENIED); /* one kind is not the other */
	assert_int_equal(credential_remove(d, ALICE, AUTH_CREDENTIAL_CERTIFICATE, one), ST_OK);
	assert_int_equal(directory_certificate(d, one), ST_NOT_FOUND);
	arena_free(&a);
	directory_close(&d);
}

/* All ways share one throttle and one hook. */
struct told {
	unsigned ok, failed;
};

static void tell(void *ctx, struct str peer, struct str account, bool ok)
{
	struct told *t = ctx;

	assert_str(peer, STR("192.0.2.1"));
	assert_str(account, STR(ALICE));
	t->ok += ok;
	t->failed += !ok;
}

static void test_one_throttle(void **state)
{
	struct told              told = { 0 };
	struct directory        *d = unit_directory_new();
	struct directory_options o = {
		.path = unit_path, .hash_ops = 1, .hash_memory_octets = 8192, .mono_ms = unit_clock, .wall_ms = unit_clock,
		.signin_event = tell, .signin_ctx = &told,
	};

	(void)state;
	unit_domain(d, "demo.test");
	unit_account(d, ALICE);
	directory_close(&d);
	assert_int_equal(directory_open(&o, &d), ST_OK);
	for (unsigned i = 0; i <= LIMIT_SIGNIN_FREE; i++) {
		enum status st = i % 3 == 0 ? plain(d, ALICE, "wrong", "192.0.2.1")
				 : i % 3 == 1 ? scram(d, &(struct try){ AUTH_SCRAM_SHA256, ALICE, "wrong" })
					      : bearer(d, ALICE, STR("wrong"), "192.0.2.1");

		assert_int_equal(st, ST_DENIED);
	}
	assert_int_equal(told.failed, LIMIT_SIGNIN_FREE + 1);
	assert_int_equal(plain(d, ALICE, "secret", "192.0.2.1"), ST_LIMIT);
	assert_int_equal(scram(d, &(struct try){ AUTH_SCRAM_SHA256, ALICE, "secret" }), ST_LIMIT);
	assert_int_equal(bearer(d, ALICE, STR("x"), "192.0.2.1"), ST_LIMIT);
	assert_int_equal(told.failed, LIMIT_SIGNIN_FREE + 4);
	assert_int_equal(told.ok, 0);
	unit_now_ms += 1000;
	assert_int_equal(scram(d, &(struct try){ AUTH_SCRAM_SHA256, ALICE, "secret" }), ST_OK);
	assert_int_equal(told.ok, 1);
	directory_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),  cmocka_unit_test(test_scram),       cmocka_unit_test(test_adopted),
		cmocka_unit_test(test_invented), cmocka_unit_test(test_prepared),    cmocka_unit_test(test_token),
		cmocka_unit_test(test_certificate), cmocka_unit_test(test_one_throttle),
	};
	return cmocka_run_group_tests(tests, unit_directory_setup, unit_directory_teardown);
}
