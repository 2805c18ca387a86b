/* directory/directory_key.c, directory_sign.c, dkim_key.c: keys of domains, and what is signed with them. */
#include "unit.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "directory/directory_int.h"
#include "directory/directory_sign.h"
#include "unit_directory.h"
#include "wire/dkim/dkim_canon.h"
#include "wire/text/text_base64.h"

#define HASH STR("0123456789abcdef0123456789abcdef")

static struct arena *arena;

static enum status add(struct directory *d, const char *domain, const char *selector, enum dkim_algorithm algorithm, bool activate)
{
	struct auth_key_add_request q = { .domain = str_of(domain), .selector = str_of(selector), .algorithm = algorithm, .bits = 1024, .activate = activate };
	struct auth_key             key;

	return directory_key_add(d, &q, arena, &key);
}

static enum status change(struct directory *d, const char *domain, const char *selector, enum auth_key_change what)
{
	return directory_key_change(d, &(struct auth_key_change_request){ str_of(domain), str_of(selector), what });
}

/* "selector:state", blanks between. */
static void listed(struct directory *d, const char *domain, const char *want)
{
	static const char *const   states[] = { "new", "active", "retired" };
	struct auth_key_list_reply r;
	struct buf                 out;

	assert_int_equal(directory_key_list(d, &(struct auth_key_list_request){ str_of(domain) }, arena, &r), ST_OK);
	buf_init(&out, 4096);
	for (size_t i = 0; i < r.key_count; i++)
		buf_addf(&out, "%s%.*s:%s", i ? " " : "", STR_FMT(r.keys[i].selector), states[r.keys[i].state]);
	assert_str(buf_str(&out), str_of(want));
	buf_done(&out);
}

static void test_life(void **state)
{
	struct directory *d = unit_directory_new();

	(void)state;
	unit_domain(d, "a.test");
	assert_int_equal(add(d, "b.test", "", DKIM_ED25519_SHA256, true), ST_NOT_FOUND);
	assert_int_equal(add(d, "a.test", "two.labels", DKIM_ED25519_SHA256, true), ST_INVALID);
	assert_int_equal(add(d, "a.test", "-x", DKIM_ED25519_SHA256, true), ST_INVALID);
	assert_int_equal(add(d, "A.test", "", DKIM_ED25519_SHA256, true), ST_OK);
	listed(d, "a.test", "e19700101:active");
	assert_int_equal(add(d, "a.test", "", DKIM_ED25519_SHA256, false), ST_OK);
	assert_int_equal(add(d, "a.test", "E19700101B", DKIM_ED25519_SHA256, false), ST_EXISTS);
	assert_int_equal(add(d, "a.test", "", DKIM_RSA_SHA256, true), ST_OK);
	listed(d, "a.test", "e19700101:active e19700101b:new r19700101:active");
	/* One of its algorithm gives way; the other stays. */
	assert_int_equal(change(d, "a.test", "e19700101b", AUTH_KEY_ACTIVATE), ST_OK);
	listed(d, "a.test", "e19700101:retired e19700101b:active r19700101:active");
	assert_int_equal(change(d, "a.test", "e19700101b", AUTH_KEY_REMOVE), ST_DENIED);
	assert_int_equal(change(d, "a.test", "e19700101", AUTH_KEY_REMOVE), ST_OK);
	assert_int_equal(change(d, "a.test", "e19700101", AUTH_KEY_REMOVE), ST_NOT_FOUND);
	assert_int_equal(change(d, "a.test", "r19700101", AUTH_KEY_RETIRE), ST_OK);
	assert_int_equal(add(d, "a.test", "again", DKIM_ED25519_SHA256, true), ST_OK);
	directory_close(&d);
	d = unit_directory_open();
	listed(d, "a.test", "r19700101:retired again:active e19700101b:retired");
	/* They go with their domain. */
	assert_int_equal(directory_domain_remove(d, &(struct auth_domain_request){ .name = STR("a.test") }), ST_OK);
	unit_domain(d, "a.test");
	listed(d, "a.test", "");
	directory_close(&d);
	d = unit_directory_open();
	listed(d, "a.test", "");
	directory_close(&d);
}

static void test_limit(void **state)
{
	struct directory *d = unit_directory_new();

	(void)state;
	unit_domain(d, "a.test");
	for (size_t i = 0; i < LIMIT_DKIM_KEYS; i++)
		assert_int_equal(add(d, "a.test", "", DKIM_ED25519_SHA256, false), ST_OK);
	assert_int_equal(add(d, "a.test", "", DKIM_ED25519_SHA256, false), ST_LIMIT);
	assert_int_equal(add(d, "a.test", "x", DKIM_ED25519_SHA256, true), ST_LIMIT);
	directory_close(&d);
}

/* ---- keys that are brought along ---- */

static struct str pem_of(EVP_PKEY *p, bool traditional, const char *password)
{
	BIO       *bio = BIO_new(BIO_s_mem());
	char      *text;
	struct str ret;

	if (traditional)
		assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, p, NULL, NULL, 0, NULL, NULL), 1);
	else
		assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, p, password ? EVP_aes_128_cbc() : NULL, password, password ? (int)strlen(password) : 0, NULL, NULL), 1);
	ret.n = (size_t)BIO_get_mem_data(bio, &text);
	ret = arena_dup(arena, str_n(text, ret.n));
	BIO_free(bio);
	EVP_PKEY_free(p);
	return ret;
}

static void test_import(void **state)
{
	struct directory *d = unit_directory_new();
	const struct {
		struct str  pem;
		enum status want;
	} cases[] = {
		{ pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024), true, NULL), ST_OK },
		{ pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024), false, NULL), ST_OK },
		{ pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), false, NULL), ST_OK },
		{ pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)768), false, NULL), ST_INVALID },
		{ pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), false, NULL), ST_INVALID },
		{ pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), false, "secret"), ST_INVALID },
		{ STR("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"), ST_INVALID },
		{ STR("nonsense"), ST_INVALID },
	};

	(void)state;
	unit_domain(d, "a.test");
	for (size_t i = 0; i < LEN(cases); i++) {
		struct auth_key_add_request q = { .domain = STR("a.test"), .secret = cases[i].pem };
		struct auth_key             key;

		assert_int_equal(directory_key_add(d, &q, arena, &key), cases[i].want);
	}
	listed(d, "a.test", "r19700101:new r19700101b:new e19700101:new");
	directory_close(&d);
}

/* ---- signing ---- */

struct answer {
	pthread_mutex_t lock;
	pthread_cond_t  wake;
	bool            over;
	enum status     st;
	struct str      fields;
};

static void signed_done(void *arg, enum status st, const struct auth_sign_reply *reply)
{
	struct answer *w = arg;

	pthread_mutex_lock(&w->lock);
	w->st = st;
	w->fields = st == ST_OK ? arena_dup(arena, reply->fields) : STR_NONE;
	w->over = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

static enum status sign(struct directory *d, const char *domain, struct str *ret)
{
	struct auth_sign_request q = { str_of(domain), STR("From:From"), STR("from:a@a.test\r\n"), HASH, 1700000000 };
	struct arena            *own = arena_new(NULL);
	struct answer            w = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, ST_OK, STR_NONE };

	directory_sign_start(d, &q, own, signed_done, &w);
	pthread_mutex_lock(&w.lock);
	while (!w.over)
		pthread_cond_wait(&w.wake, &w.lock);
	pthread_mutex_unlock(&w.lock);
	arena_free(&own);
	*ret = w.fields;
	return w.st;
}

static EVP_PKEY *public_of(struct directory *d, const char *domain, size_t i)
{
	struct auth_key_list_reply r;
	struct buf                 der;
	const unsigned char       *p;
	EVP_PKEY                  *key;
	struct str                 base64, ignored;

	assert_int_equal(directory_key_list(d, &(struct auth_key_list_request){ str_of(domain) }, arena, &r), ST_OK);
	str_rcut(r.keys[i].record, ' ', &ignored, &base64);
	buf_init(&der, 1000);
	assert_true(str_starts(base64, STR("p=")) && text_base64_decode(str_from(base64, 2), &der));
	p = (const unsigned char *)der.p;
	key = r.keys[i].algorithm == DKIM_RSA_SHA256 ? d2i_PUBKEY(NULL, &p, (long)der.n) : EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, p, der.n);
	assert_non_null(key);
	buf_done(&der);
	return key;
}

/* Taken apart again, as a verifier does. */
static bool verifies(EVP_PKEY *key, struct str field)
{
	bool           rsa = EVP_PKEY_is_a(key, "RSA");
	ptrdiff_t      b = str_search(field, STR("\tb="));
	struct buf     input, signature;
	uint8_t        hash[DKIM_HASH];
	EVP_MD_CTX    *md = EVP_MD_CTX_new();
	struct str     all;
	bool           ok;

	assert_true(b > 0);
	buf_init(&input, 4096);
	buf_init(&signature, 1000);
	buf_add(&input, STR("from:a@a.test\r\n"));
	dkim_header_field(DKIM_RELAXED, str_first(field, (size_t)b + 3), &input);
	text_base64_decode_lenient(str_from(field, (size_t)b + 3), &signature);
	all = str_chomp(buf_str(&input));
	assert_int_equal(EVP_Digest(all.p, all.n, hash, NULL, EVP_sha256(), NULL), 1);
	if (!rsa)
		all = str_n(hash, sizeof(hash));
	assert_int_equal(EVP_DigestVerifyInit(md, NULL, rsa ? EVP_sha256() : NULL, NULL, key), 1);
	ok = EVP_DigestVerify(md, (const unsigned char *)signature.p, signature.n, (const unsigned char *)all.p, all.n) == 1;
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	buf_done(&input);
	buf_done(&signature);
	return ok;
}

static void test_sign(void **state)
{
	struct directory *d = unit_directory_new();
	struct str        fields, second;
	ptrdiff_t         at;

	(void)state;
	unit_domain(d, "a.test");
	unit_domain(d, "sub.a.test");
	assert_int_equal(sign(d, "a.test", &fields), ST_NOT_FOUND);
	assert_int_equal(add(d, "a.test", "n", DKIM_RSA_SHA256, false), ST_OK);
	assert_int_equal(sign(d, "a.test", &fields), ST_NOT_FOUND); /* not active yet */
	assert_int_equal(change(d, "a.test", "n", AUTH_KEY_ACTIVATE), ST_OK);
	assert_int_equal(add(d, "a.test", "e", DKIM_ED25519_SHA256, true), ST_OK);
	assert_int_equal(sign(d, "A.TEST", &fields), ST_OK);
	at = str_search(str_from(fields, 1), STR("DKIM-Signature:"));
	assert_true(at > 0);
	second = str_from(fields, (size_t)at + 1);
	fields = str_first(fields, (size_t)at + 1);
	assert_true(str_search(fields, STR("a=rsa-sha256;")) > 0 && str_search(fields, STR("s=n;")) > 0 && str_search(fields, STR("t=1700000000;")) > 0);
	assert_true(str_search(second, STR("a=ed25519-sha256;")) > 0 && str_search(second, STR("d=a.test;")) > 0);
	assert_true(verifies(public_of(d, "a.test", 0), fields));
	assert_true(verifies(public_of(d, "a.test", 1), second));
	/* A domain without keys of its own is signed for by the one above it; a stranger's is not, nor one that only ends alike. */
	assert_int_equal(sign(d, "sub.a.test", &fields), ST_OK);
	assert_true(str_search(fields, STR("d=a.test;")) > 0);
	assert_int_equal(sign(d, "x.y.a.test", &fields), ST_OK);
	assert_int_equal(sign(d, "test", &fields), ST_NOT_FOUND);
	assert_int_equal(sign(d, "ba.test", &fields), ST_NOT_FOUND);
	assert_int_equal(sign(d, "[192.0.2.1]", &fields), ST_NOT_FOUND);
	assert_int_equal(sign(d, "", &fields), ST_NOT_FOUND);
	/* Its own go first. */
	assert_int_equal(add(d, "sub.a.test", "s", DKIM_ED25519_SHA256, true), ST_OK);
	assert_int_equal(sign(d, "sub.a.test", &fields), ST_OK);
	assert_true(str_search(fields, STR("d=sub.a.test;")) > 0);
	directory_close(&d);
}

/* ---- domains from before ---- */

static void test_complete(void **state)
{
	struct directory *d = unit_directory_new();
	struct auth_key_list_reply r;

	(void)state;
	unit_domain(d, "a.test");
	unit_domain(d, "b.test");
	assert_int_equal(directory_domain_add(d, &(struct auth_domain_request){ STR("r.test"), AUTH_DOMAIN_RELAY, STR(""), AUTH_VERIFY_NONE }), ST_OK);
	assert_int_equal(add(d, "b.test", "x", DKIM_ED25519_SHA256, true), ST_OK);
	assert_int_equal(change(d, "b.test", "x", AUTH_KEY_RETIRE), ST_OK);
	assert_int_equal(change(d, "b.test", "x", AUTH_KEY_REMOVE), ST_OK);
	dir_keys_complete(d);
	listed(d, "a.test", "r19700101:new e19700101:new");
	listed(d, "b.test", ""); /* its administrator wanted it so */
	listed(d, "r.test", "");
	assert_int_equal(directory_key_list(d, &(struct auth_key_list_request){ STR("a.test") }, arena, &r), ST_OK);
	assert_int_equal(r.keys[0].bits, 2048);
	dir_keys_complete(d);
	listed(d, "a.test", "r19700101:new e19700101:new");
	directory_close(&d);
}

static void row_refused(struct directory *d, bool refused)
{
	pthread_mutex_lock(&d->admin);
	assert_int_equal(db_begin_write(d->db), ST_OK);
	assert_int_equal(db_run(db_sql(d->db, refused ? "CREATE TEMP TRIGGER second BEFORE INSERT ON dkim WHEN new.algorithm = 1 BEGIN SELECT raise(ABORT, 'no'); END"
						      : "DROP TRIGGER second")),
			 ST_OK);
	assert_int_equal(db_commit(d->db), ST_OK);
	pthread_mutex_unlock(&d->admin);
}

/* The second of a pair cannot be written: there is none, now and after a restart, and the completion makes both. */
static void test_pair_whole(void **state)
{
	struct directory *d = unit_directory_new();

	(void)state;
	unit_domain(d, "a.test");
	row_refused(d, true);
	assert_int_not_equal(directory_keys_make(d, STR("a.test"), true), ST_OK);
	listed(d, "a.test", "");
	row_refused(d, false);
	directory_close(&d);
	d = unit_directory_open();
	listed(d, "a.test", "");
	dir_keys_complete(d);
	listed(d, "a.test", "r19700101:new e19700101:new");
	directory_close(&d);
}

/* `domain add` and the completion meet, in either order: one pair, and it signs as the one who adds wants. */
static void test_pair_once(void **state)
{
	struct directory *d = unit_directory_new();

	(void)state;
	unit_domain(d, "a.test");
	unit_domain(d, "b.test");
	dir_keys_complete(d);
	assert_int_equal(directory_keys_make(d, STR("a.test"), true), ST_OK);
	listed(d, "a.test", "r19700101:active e19700101:active");
	assert_int_equal(directory_keys_make(d, STR("b.test"), false), ST_OK);
	listed(d, "b.test", "r19700101:new e19700101:new");
	assert_int_equal(directory_keys_make(d, STR("a.test"), true), ST_OK);
	listed(d, "a.test", "r19700101:active e19700101:active");
	assert_int_equal(directory_keys_make(d, STR("none.test"), true), ST_NOT_FOUND);
	directory_close(&d);
	d = unit_directory_open();
	listed(d, "a.test", "r19700101:active e19700101:active"); /* in the same order */
	directory_close(&d);
}

/* A directory of the version before: its domains get keys, which are not used yet. */
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
		"INSERT INTO domain VALUES ('demo.test', 1);",
		"CREATE TABLE gone (id INTEGER PRIMARY KEY NOT NULL, due_ms INTEGER NOT NULL, last INTEGER NOT NULL);",
	};
	const struct db_schema schema = { old, LEN(old) };
	struct directory      *d;
	struct db             *db;
	struct str             fields;

	(void)state;
	snprintf(unit_path, sizeof(unit_path), "auth/old.db");
	assert_int_equal(db_open(unit_path, &(struct db_options){ .schema = &schema, .create = true }, &db), ST_OK);
	assert_int_equal(db_sync(db), ST_OK);
	db_close(&db);
	d = unit_directory_open();
	listed(d, "demo.test", "");
	directory_keys_complete(d); /* in its lane, which closing waits for */
	directory_close(&d);
	d = unit_directory_open();
	dir_keys_complete(d); /* if it was closed before it had begun */
	directory_close(&d);
	d = unit_directory_open();
	listed(d, "demo.test", "r19700101:new e19700101:new");
	assert_int_equal(sign(d, "demo.test", &fields), ST_NOT_FOUND);
	directory_close(&d);
}

static int setup(void **state)
{
	arena = arena_new(NULL);
	return unit_directory_setup(state);
}

static int teardown(void **state)
{
	arena_free(&arena);
	return unit_directory_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life), cmocka_unit_test(test_limit), cmocka_unit_test(test_import),
		cmocka_unit_test(test_sign), cmocka_unit_test(test_pair_whole), cmocka_unit_test(test_pair_once), cmocka_unit_test(test_complete), cmocka_unit_test(test_upgrade),
	};

	return cmocka_run_group_tests_name("directory_key", tests, setup, teardown);
}
