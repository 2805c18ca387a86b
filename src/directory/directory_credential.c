/* directory/directory_credential.c - access tokens and certificates: what signs in beside the password.
 *
 * Both are kept as a SHA-256, of the token's text or of the certificate's DER, which is what is looked for. A token is 32
 * random octets, so it cannot be guessed and needs no slow hash; it is shown once, when it is made. Tokens of login replies
 * (directory_signin.c) are no entries here, and so are worth nothing as access tokens.
 */
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "directory/directory_signin.h"
#include "directory/directory_walk.h"

#define SECRET  ((size_t)32)
#define PREFIX  "postrider_" /* so that a token is known for one where it should not stand */
#define SCOPE   STR("mail")
#define DAY_MS  ((int64_t)24 * 3600 * 1000)

struct dir_credential {
	enum auth_credential_kind kind;
	uint8_t                   hash[AUTH_CREDENTIAL_HASH];
	uint64_t                  account;
	int64_t                   created_ms, expires_ms; /* expires_ms 0: never */
};

/* ---- in memory; the caller holds `lock` for writing, or nobody knows d yet ---- */

struct key {
	char p[1 + AUTH_CREDENTIAL_HASH];
};

static struct str key_of(enum auth_credential_kind kind, struct str hash, struct key *k)
{
	CHECK(hash.n == AUTH_CREDENTIAL_HASH);
	k->p[0] = (char)kind;
	memcpy(k->p + 1, hash.p, hash.n);
	return str_n(k->p, sizeof(k->p));
}

static struct dir_credential *find(const struct directory *d, enum auth_credential_kind kind, struct str hash)
{
	struct key k;

	return map_find(&d->credentials, key_of(kind, hash, &k));
}

static void put(struct directory *d, const struct dir_credential *row)
{
	struct dir_credential *c = malloc(sizeof(*c));
	struct key             k;

	CHECK(c != NULL);
	*c = *row;
	CHECK(map_put(&d->credentials, key_of(c->kind, str_n(c->hash, sizeof(c->hash)), &k), c) == NULL);
}

void dir_credential_forget(struct directory *d, uint64_t account)
{
	struct str key;
	void      *value;

	for (size_t at = 0; map_next(&d->credentials, &at, &key, &value);) {
		if (account != 0 && ((struct dir_credential *)value)->account != account)
			continue;
		map_remove(&d->credentials, key);
		free(value);
	}
}

enum status dir_credential_load(struct directory *d)
{
	struct db_stmt *s = db_sql(d->db, "SELECT kind, hash, account, scope, created_ms, expires_ms FROM credential");
	enum status     st;

	while ((st = db_step(s)) == ST_OK) {
		struct dir_credential row = { .account = db_u64(s, 2), .created_ms = db_i64(s, 4), .expires_ms = db_i64(s, 5) };
		uint64_t              kind = db_u64(s, 0);

		if (kind > AUTH_CREDENTIAL_LAST || db_str(s, 1).n != sizeof(row.hash) ||
		    map_find_u64(&d->ids, row.account) == NULL) {
			st = ST_CORRUPT;
			break;
		}
		row.kind = (enum auth_credential_kind)kind;
		memcpy(row.hash, db_str(s, 1).p, sizeof(row.hash));
		if (row.kind == AUTH_CREDENTIAL_CERTIFICATE || str_eq(db_str(s, 3), SCOPE))
			put(d, &row);
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* ---- administrators ---- */

static enum status owner(struct directory *d, struct str address, struct dir_account **ret)
{
	struct address_canon canon;
	struct dir_domain   *dom;

	if (dir_canon(d, address, &canon, &dom) != ADDRESS_OK)
		return ST_INVALID;
	*ret = map_find(&d->accounts, address_text(&canon));
	return dir_account_in_use(*ret) ? ST_OK : ST_NOT_FOUND;
}

static size_t count_of(const struct directory *d, enum auth_credential_kind kind, uint64_t account)
{
	struct str key;
	void      *value;
	size_t     n = 0;

	for (size_t at = 0; map_next(&d->credentials, &at, &key, &value);) {
		const struct dir_credential *c = value;

		n += c->account == account && c->kind == kind;
	}
	return n;
}

static enum status insert(struct directory *d, const struct dir_credential *c)
{
	enum status     st = db_begin_write(d->db);
	struct db_stmt *s;

	if (st != ST_OK)
		return st;
	s = db_sql(d->db, "INSERT INTO credential (kind, hash, account, scope, created_ms, expires_ms)"
			  " VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
	db_bind_u64(s, 1, c->kind);
	db_bind_blob(s, 2, str_n(c->hash, sizeof(c->hash)));
	db_bind_u64(s, 3, c->account);
	db_bind_str(s, 4, c->kind == AUTH_CREDENTIAL_TOKEN ? SCOPE : STR(""));
	db_bind_i64(s, 5, c->created_ms);
	db_bind_i64(s, 6, c->expires_ms);
	return dir_commit(d, db_run(s));
}

static void sha256(struct str text, uint8_t ret[AUTH_CREDENTIAL_HASH])
{
	CHECK(EVP_Digest(text.p, text.n, ret, NULL, EVP_sha256(), NULL) == 1);
}

static struct str token_make(struct arena *a)
{
	uint8_t secret[SECRET];
	size_t  n = sizeof(PREFIX) - 1, room = n + sodium_base64_ENCODED_LEN(SECRET, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	char   *text = arena_alloc(a, room);

	randombytes_buf(secret, sizeof(secret));
	memcpy(text, PREFIX, n);
	sodium_bin2base64(text + n, room - n, secret, sizeof(secret), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(secret, sizeof(secret));
	return str_of(text);
}

/* Holds `admin`. */
static enum status add(struct directory *d, const struct auth_credential_add_request *q, struct dir_credential *c)
{
	struct dir_account *acc;
	enum status         st = owner(d, q->address, &acc);

	if (st != ST_OK)
		return st;
	if (find(d, c->kind, str_n(c->hash, sizeof(c->hash))) != NULL)
		return ST_EXISTS;
	if (count_of(d, c->kind, acc->id) >= LIMIT_CREDENTIALS)
		return ST_LIMIT;
	c->account = acc->id;
	st = insert(d, c);
	if (st == ST_OK) {
		pthread_rwlock_wrlock(&d->lock);
		put(d, c);
		pthread_rwlock_unlock(&d->lock);
	}
	return st;
}

enum status directory_credential_add(struct directory *d, const struct auth_credential_add_request *q, struct arena *a,
				     struct auth_credential_add_reply *ret)
{
	struct dir_credential c = { .kind = q->kind, .created_ms = dir_wall_ms(d) };
	struct str            token = STR_NONE;
	enum status           st;

	if (q->days > LIMIT_TOKEN_DAYS)
		return ST_INVALID;
	if (q->days > 0)
		c.expires_ms = c.created_ms + q->days * DAY_MS;
	if (q->kind == AUTH_CREDENTIAL_TOKEN) {
		token = token_make(a);
		sha256(token, c.hash);
	} else if (q->hash.n == sizeof(c.hash)) {
		memcpy(c.hash, q->hash.p, sizeof(c.hash));
	} else {
		return ST_INVALID;
	}
	pthread_mutex_lock(&d->admin);
	st = add(d, q, &c);
	pthread_mutex_unlock(&d->admin);
	if (st == ST_OK)
		*ret = (struct auth_credential_add_reply){ token, arena_dup(a, str_n(c.hash, sizeof(c.hash))), c.expires_ms };
	return st;
}

static int by_age(const void *a, const void *b)
{
	const struct auth_credential *x = a, *y = b;

	if (x->created_ms != y->created_ms)
		return x->created_ms < y->created_ms ? -1 : 1;
	return str_cmp(x->hash, y->hash);
}

enum status directory_credential_list(struct directory *d, const struct auth_credential_list_request *q, struct arena *a,
				      struct auth_credential_list_reply *ret)
{
	struct auth_credential_list_reply reply = { 0 };
	struct dir_account               *acc;
	enum status                       st;
	struct str                        key;
	void                             *value;

	pthread_rwlock_rdlock(&d->lock);
	st = owner(d, q->address, &acc);
	if (st == ST_OK)
		reply.rows = ARENA_ARRAY(a, struct auth_credential, LIMIT_CREDENTIALS);
	for (size_t at = 0; st == ST_OK && reply.row_count < LIMIT_CREDENTIALS && map_next(&d->credentials, &at, &key, &value);) {
		const struct dir_credential *c = value;

		if (c->account == acc->id && c->kind == q->kind)
			reply.rows[reply.row_count++] = (struct auth_credential){
				arena_dup(a, str_n(c->hash, sizeof(c->hash))), c->created_ms, c->expires_ms
			};
	}
	pthread_rwlock_unlock(&d->lock);
	if (st != ST_OK)
		return st;
	qsort(reply.rows, reply.row_count, sizeof(*reply.rows), by_age);
	*ret = reply;
	return ST_OK;
}

/* The one whose hash begins so; NULL: none, or several. */
static struct dir_credential *find_prefix(const struct directory *d, const struct auth_credential_remove_request *q,
					  uint64_t account)
{
	struct dir_credential *found = NULL;
	struct str             key;
	void                  *value;
	unsigned               n = 0;

	for (size_t at = 0; map_next(&d->credentials, &at, &key, &value);) {
		struct dir_credential *c = value;

		if (c->account == account && c->kind == q->kind && str_starts(str_n(c->hash, sizeof(c->hash)), q->hash)) {
			found = c;
			n++;
		}
	}
	return n == 1 ? found : NULL;
}

static enum status delete(struct directory *d, const struct dir_credential *c)
{
	enum status     st = db_begin_write(d->db);
	struct db_stmt *s;

	if (st != ST_OK)
		return st;
	s = db_sql(d->db, "DELETE FROM credential WHERE kind = ?1 AND hash = ?2");
	db_bind_u64(s, 1, c->kind);
	db_bind_blob(s, 2, str_n(c->hash, sizeof(c->hash)));
	return dir_commit(d, db_run(s));
}

enum status directory_credential_remove(struct directory *d, const struct auth_credential_remove_request *q)
{
	struct dir_credential *c = NULL;
	struct dir_account    *acc;
	struct key             k;
	enum status            st;

	if (q->hash.n == 0)
		return ST_INVALID;
	pthread_mutex_lock(&d->admin);
	st = owner(d, q->address, &acc);
	if (st == ST_OK) {
		c = find_prefix(d, q, acc->id);
		st = c != NULL ? delete(d, c) : ST_NOT_FOUND;
	}
	if (st == ST_OK) {
		pthread_rwlock_wrlock(&d->lock);
		map_remove(&d->credentials, key_of(c->kind, str_n(c->hash, sizeof(c->hash)), &k));
		pthread_rwlock_unlock(&d->lock);
		free(c);
	}
	pthread_mutex_unlock(&d->admin);
	return st;
}

/* ---- sign-in ---- */

static uint64_t account_of(const struct directory *d, enum auth_credential_kind kind, struct str hash)
{
	const struct dir_credential *c = find(d, kind, hash);

	return c != NULL && (c->expires_ms == 0 || c->expires_ms > dir_wall_ms(d)) ? c->account : 0;
}

/* A token or certificate of `hash`, for `user`, or with "" for whoever has it. */
static enum status sign_in(struct dir_signin *s, enum auth_credential_kind kind, struct str hash, struct str user,
			   struct arena *a, struct auth_login_reply *ret)
{
	uint8_t     token[LIMIT_TOKEN];
	uint64_t    account;
	enum status st;

	pthread_rwlock_rdlock(&s->d->lock);
	account = account_of(s->d, kind, hash);
	if (user.n > 0)
		dir_signin_user(s, user);
	else
		dir_signin_account(s, account);
	pthread_rwlock_unlock(&s->d->lock);
	if (dir_signin_must_wait(s))
		return ST_LIMIT;
	st = dir_signin_end(s, account != 0 && account == s->account);
	if (st != ST_OK)
		return st;
	dir_signin_reply(s, token, ret);
	ret->address = arena_dup(a, ret->address);
	ret->token = arena_dup(a, ret->token);
	return ST_OK;
}

enum status directory_bearer(struct directory *d, const struct auth_bearer_request *q, struct arena *a,
			     struct auth_login_reply *ret)
{
	struct dir_signin s;
	uint8_t           hash[AUTH_CREDENTIAL_HASH];

	dir_signin_begin(&s, d, &q->side, q->peer);
	sha256(q->token, hash);
	return sign_in(&s, AUTH_CREDENTIAL_TOKEN, str_n(hash, sizeof(hash)), q->user, a, ret);
}

enum status directory_external(struct directory *d, const struct auth_external_request *q, struct arena *a,
			       struct auth_login_reply *ret)
{
	struct dir_signin s;

	if (q->fingerprint.n != AUTH_CREDENTIAL_HASH)
		return ST_INVALID;
	dir_signin_begin(&s, d, &q->side, q->peer);
	return sign_in(&s, AUTH_CREDENTIAL_CERTIFICATE, q->fingerprint, q->user, a, ret);
}

enum status directory_certificate(struct directory *d, struct str fingerprint)
{
	uint64_t account;

	if (fingerprint.n != AUTH_CREDENTIAL_HASH)
		return ST_INVALID;
	pthread_rwlock_rdlock(&d->lock);
	account = account_of(d, AUTH_CREDENTIAL_CERTIFICATE, fingerprint);
	pthread_rwlock_unlock(&d->lock);
	return account != 0 ? ST_OK : ST_NOT_FOUND;
}
