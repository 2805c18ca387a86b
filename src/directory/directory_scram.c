/* directory/directory_scram.c - sign-in by SCRAM (RFC 5802): salt, then proof; and the verifiers of accounts.
 *
 * Nothing is kept between the two questions. What we add to the nonce carries a MAC over user, hash and its end of
 * validity, so a proof is good for SCRAM_MS, and not with a nonce that a session made up. The message that the proof is
 * about is put together here, from the account's own salt: no other is believed.
 *
 * Who has no verifier, or does not exist, gets a salt that depends on the name and a secret of this directory alone: the
 * same each time, also after a restart.
 */
#include <sodium.h>
#include <string.h>

#include "base/log.h"
#include "directory/directory_signin.h"
#include "wire/sasl/sasl_prep.h"
#include "wire/sasl/sasl_scram.h"
#include "wire/text/text_base64.h"

#define SCRAM_MS     ((int64_t)LIMIT_SIGNIN_MS)
#define NONCE_RANDOM ((size_t)13)
#define NONCE_PLAIN  (NONCE_RANDOM + sizeof(uint64_t))
#define NONCE_MAC    ((size_t)12)
#define NONCE_TEXT   ((size_t)44) /* 33 octets in base64, without padding */

/* What is known of a user for one hash. */
struct known {
	struct scram_key key;
	uint32_t         iterations;
};

/* ---- verifiers ---- */

void dir_scram_make(const struct directory *d, struct str password, struct scram_keys *ret)
{
	struct arena *a;

	*ret = (struct scram_keys){ 0 };
	if (password_is_hash(password))
		return;
	a = arena_new_secret(NULL);
	scram_keys_make(sasl_prep(password, a), d->scram_iterations, ret);
	arena_free(&a);
}

enum status dir_password_hash(const struct directory *d, struct str password, struct password_hash *ret,
			      struct scram_keys *ret_scram)
{
	struct arena *a = arena_new_secret(NULL);
	enum status   st = password_hash(&d->cost, sasl_prep(password, a), ret);

	if (st == ST_OK)
		dir_scram_make(d, password, ret_scram);
	arena_free(&a);
	return st;
}

/* salt, StoredKey, ServerKey */
static struct str pack(enum auth_scram_hash hash, const struct scram_key *key, char out[SCRAM_SALT + 2 * SCRAM_OCTETS])
{
	size_t n = scram_octets(hash);

	memcpy(out, key->salt, SCRAM_SALT);
	memcpy(out + SCRAM_SALT, key->stored, n);
	memcpy(out + SCRAM_SALT + n, key->server, n);
	return str_n(out, SCRAM_SALT + 2 * n);
}

static bool unpack(enum auth_scram_hash hash, struct str in, struct scram_key *ret)
{
	size_t n = scram_octets(hash);

	if (in.n != SCRAM_SALT + 2 * n)
		return false;
	memcpy(ret->salt, in.p, SCRAM_SALT);
	memcpy(ret->stored, in.p + SCRAM_SALT, n);
	memcpy(ret->server, in.p + SCRAM_SALT + n, n);
	return true;
}

enum status dir_scram_write(struct directory *d, uint64_t account, const struct scram_keys *keys)
{
	char            packed[AUTH_SCRAM_LAST + 1][SCRAM_SALT + 2 * SCRAM_OCTETS];
	struct db_stmt *s;
	enum status     st;

	if (keys->iterations == 0) {
		s = db_sql(d->db, "DELETE FROM scram WHERE account = ?1");
		db_bind_u64(s, 1, account);
		return db_run(s);
	}
	s = db_sql(d->db, "INSERT OR REPLACE INTO scram VALUES (?1, ?2, ?3, ?4)");
	db_bind_u64(s, 1, account);
	db_bind_u64(s, 2, keys->iterations);
	db_bind_blob(s, 3, pack(AUTH_SCRAM_SHA1, &keys->key[AUTH_SCRAM_SHA1], packed[AUTH_SCRAM_SHA1]));
	db_bind_blob(s, 4, pack(AUTH_SCRAM_SHA256, &keys->key[AUTH_SCRAM_SHA256], packed[AUTH_SCRAM_SHA256]));
	st = db_run(s);
	sodium_memzero(packed, sizeof(packed));
	return st;
}

enum status dir_scram_load(struct directory *d)
{
	struct db_stmt *s = db_sql(d->db, "SELECT account, iterations, sha1, sha256 FROM scram");
	enum status     st;

	while ((st = db_step(s)) == ST_OK) {
		struct dir_account *acc = map_find_u64(&d->ids, db_u64(s, 0));
		uint64_t            iterations = db_u64(s, 1);

		if (acc == NULL || iterations == 0 || iterations > UINT32_MAX ||
		    !unpack(AUTH_SCRAM_SHA1, db_str(s, 2), &acc->scram.key[AUTH_SCRAM_SHA1]) ||
		    !unpack(AUTH_SCRAM_SHA256, db_str(s, 3), &acc->scram.key[AUTH_SCRAM_SHA256])) {
			st = ST_CORRUPT;
			break;
		}
		acc->scram.iterations = (uint32_t)iterations;
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status adopt(struct directory *d, uint64_t account, const struct scram_keys *keys)
{
	enum status st = db_begin_write(d->db);

	return st == ST_OK ? dir_commit(d, dir_scram_write(d, account, keys)) : st;
}

void dir_scram_adopt(struct directory *d, uint64_t account, uint64_t generation, const struct scram_keys *keys)
{
	struct dir_account *acc;
	enum status         st = ST_OK;

	pthread_mutex_lock(&d->admin);
	acc = map_find_u64(&d->ids, account);
	if (acc != NULL && acc->generation == generation && acc->scram.iterations == 0) {
		st = adopt(d, account, keys);
		if (st == ST_OK) {
			pthread_rwlock_wrlock(&d->lock);
			acc->scram = *keys;
			pthread_rwlock_unlock(&d->lock);
		}
	}
	pthread_mutex_unlock(&d->admin);
	if (st != ST_OK)
		log_warn("SCRAM verifier not stored, it is made at the next sign-in", LOG_ST("status", st));
}

/* ---- the secret of this directory ---- */

static enum status secret_make(struct directory *d)
{
	enum status     st = db_begin_write(d->db);
	struct db_stmt *s;

	if (st != ST_OK)
		return st;
	randombytes_buf(d->scram_secret, sizeof(d->scram_secret));
	s = db_sql(d->db, "INSERT INTO secret VALUES ('scram', ?1)");
	db_bind_blob(s, 1, str_n(d->scram_secret, sizeof(d->scram_secret)));
	return dir_commit(d, db_run(s));
}

enum status dir_scram_secret(struct directory *d)
{
	struct db_stmt *s = db_sql(d->db, "SELECT value FROM secret WHERE name = 'scram'");
	enum status     st = db_step(s);

	if (st == ST_OK && db_str(s, 0).n != sizeof(d->scram_secret))
		st = ST_CORRUPT;
	if (st == ST_OK)
		memcpy(d->scram_secret, db_str(s, 0).p, sizeof(d->scram_secret));
	db_done(s);
	return st == ST_NOT_FOUND ? secret_make(d) : st;
}

/* Salt and keys of one who has none. That nobody knows a password for these keys goes without saying. */
static void invent(const struct directory *d, enum auth_scram_hash hash, struct str user, struct known *ret)
{
	crypto_generichash_state st;
	uint8_t                  kind = (uint8_t)hash;
	uint8_t                  out[SCRAM_SALT + SCRAM_OCTETS];

	crypto_generichash_init(&st, d->scram_secret, sizeof(d->scram_secret), sizeof(out));
	crypto_generichash_update(&st, &kind, 1);
	crypto_generichash_update(&st, (const unsigned char *)user.p, user.n);
	crypto_generichash_final(&st, out, sizeof(out));
	*ret = (struct known){ .iterations = d->scram_iterations };
	memcpy(ret->key.salt, out, SCRAM_SALT);
	memcpy(ret->key.stored, out + SCRAM_SALT, SCRAM_OCTETS);
}

static void look_up(struct dir_signin *s, enum auth_scram_hash hash, struct str user, struct known *ret)
{
	struct dir_account *acc;

	pthread_rwlock_rdlock(&s->d->lock);
	acc = dir_signin_user(s, user);
	if (acc != NULL && acc->scram.iterations > 0) {
		*ret = (struct known){ acc->scram.key[hash], acc->scram.iterations };
	} else {
		invent(s->d, hash, address_text(&s->user), ret);
		s->account = 0;
	}
	pthread_rwlock_unlock(&s->d->lock);
}

/* ---- nonces ---- */

static void nonce_mac(const struct dir_signin *s, enum auth_scram_hash hash, const uint8_t plain[NONCE_PLAIN],
		      uint8_t ret[NONCE_MAC])
{
	crypto_generichash_state st;
	uint8_t                  kind[2] = { 's', (uint8_t)hash }, mac[crypto_generichash_BYTES_MIN];

	crypto_generichash_init(&st, s->d->token_key, sizeof(s->d->token_key), sizeof(mac));
	crypto_generichash_update(&st, kind, sizeof(kind));
	crypto_generichash_update(&st, plain, NONCE_PLAIN);
	crypto_generichash_update(&st, (const unsigned char *)s->user.text, s->user.n);
	crypto_generichash_final(&st, mac, sizeof(mac));
	memcpy(ret, mac, NONCE_MAC);
}

static struct str nonce_make(const struct dir_signin *s, enum auth_scram_hash hash, struct arena *a)
{
	uint8_t    bin[NONCE_PLAIN + NONCE_MAC];
	uint64_t   end = (uint64_t)(dir_mono_ms(s->d) + SCRAM_MS);
	struct buf text = { .p = arena_alloc(a, NONCE_TEXT + 4), .cap = NONCE_TEXT + 4, .max = NONCE_TEXT + 4 };

	randombytes_buf(bin, NONCE_RANDOM);
	memcpy(bin + NONCE_RANDOM, &end, sizeof(end));
	nonce_mac(s, hash, bin, bin + NONCE_PLAIN);
	text_base64_encode(str_n(bin, sizeof(bin)), &text);
	CHECK(text.n == NONCE_TEXT);
	return buf_str(&text);
}

static bool nonce_fresh(const struct dir_signin *s, enum auth_scram_hash hash, struct str nonce)
{
	char       room[NONCE_TEXT];
	struct buf bin = { .p = room, .cap = sizeof(room), .max = sizeof(room) };
	uint8_t    mac[NONCE_MAC];
	uint64_t   end;

	if (nonce.n != NONCE_TEXT || !text_base64_decode(nonce, &bin) || bin.n != NONCE_PLAIN + NONCE_MAC)
		return false;
	nonce_mac(s, hash, (const uint8_t *)bin.p, mac);
	memcpy(&end, bin.p + NONCE_RANDOM, sizeof(end));
	return sodium_memcmp(mac, bin.p + NONCE_PLAIN, NONCE_MAC) == 0 && end > (uint64_t)dir_mono_ms(s->d);
}

/* ---- the two questions ---- */

enum status directory_scram_salt(struct directory *d, const struct auth_scram_salt_request *q, struct arena *a,
				 struct auth_scram_salt_reply *ret)
{
	struct dir_signin s;
	struct known      known;

	dir_signin_begin(&s, d, &(struct session_side){ 0 }, STR_NONE);
	look_up(&s, q->hash, q->user, &known);
	*ret = (struct auth_scram_salt_reply){
		.salt = arena_dup(a, str_n(known.key.salt, SCRAM_SALT)),
		.iterations = known.iterations,
		.nonce = nonce_make(&s, q->hash, a),
	};
	sodium_memzero(&known, sizeof(known));
	return ST_OK;
}

/* AuthMessage, RFC 5802 §3. */
static struct str auth_message(const struct auth_scram_proof_request *q, struct str client_nonce, const struct known *known,
			       struct arena *a)
{
	struct buf out = { .max = 3 * LIMIT_SASL_MESSAGE, .cap = 3 * LIMIT_SASL_MESSAGE };

	out.p = arena_alloc(a, out.cap);
	buf_add(&out, q->client_first);
	buf_add_char(&out, ',');
	sasl_scram_server_first(client_nonce, q->nonce, str_n(known->key.salt, SCRAM_SALT), known->iterations, &out);
	buf_add_char(&out, ',');
	buf_add(&out, q->client_final);
	CHECK(!out.over);
	return buf_str(&out);
}

enum status directory_scram_proof(struct directory *d, const struct auth_scram_proof_request *q, struct arena *a,
				  struct auth_scram_proof_reply *ret)
{
	char              name[LIMIT_USER];
	uint8_t           token[LIMIT_TOKEN];
	struct buf        user = { .p = name, .cap = sizeof(name), .max = sizeof(name) };
	uint8_t           signature[SCRAM_OCTETS] = { 0 };
	struct str        encoded, client_nonce;
	struct dir_signin s;
	struct known      known;
	enum status       st;
	bool              right;

	if (!sasl_scram_bare_parse(q->client_first, &encoded, &client_nonce) || !sasl_name_decode(encoded, &user))
		return ST_INVALID;
	dir_signin_begin(&s, d, &q->side, q->peer);
	look_up(&s, q->hash, buf_str(&user), &known);
	if (dir_signin_must_wait(&s))
		return ST_LIMIT;
	if (!nonce_fresh(&s, q->hash, q->nonce))
		return ST_TEMP; /* too slow, or we were restarted meanwhile */
	right = scram_check(q->hash, &known.key, auth_message(q, client_nonce, &known, a), q->proof, signature);
	sodium_memzero(&known, sizeof(known));
	st = dir_signin_end(&s, right);
	if (st != ST_OK)
		return st;
	dir_signin_reply(&s, token, &ret->login);
	ret->login.address = arena_dup(a, ret->login.address);
	ret->login.token = arena_dup(a, ret->login.token);
	ret->signature = arena_dup(a, str_n(signature, scram_octets(q->hash)));
	return ST_OK;
}
