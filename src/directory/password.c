/* directory/password.c - see password.h. */
#include "directory/password.h"

#include <crypt.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define IMPORT_MEMORY_KIB ((uint64_t)256 * 1024) /* Argon2 */
#define IMPORT_PASSES     ((uint64_t)16)
#define IMPORT_ROUNDS     ((uint64_t)1000000) /* SHA-crypt; its default is 5,000 */
#define IMPORT_BCRYPT     ((uint64_t)14)      /* as a power of two */

static const struct str argon2id = STR("{ARGON2ID}");
static const struct str crypted = STR("{CRYPT}");

enum status password_init(void)
{
	return sodium_init() < 0 ? ST_IO : ST_OK;
}

/* The number after `name`, or 0 when it is not there. */
static uint64_t parameter(struct str hash, struct str name)
{
	ptrdiff_t  at = str_search(hash, name);
	struct str rest = str_from(hash, at < 0 ? hash.n : (size_t)at + name.n);
	uint64_t   v = 0;

	if (at >= 0 && !str_take_u64(&rest, &v))
		return UINT64_MAX;
	return v;
}

static bool argon2_importable(struct str hash)
{
	uint64_t passes = parameter(hash, STR(",t=")), memory = parameter(hash, STR("$m="));

	return str_starts(hash, STR("$argon2id$v=19$m=")) && hash.n < crypto_pwhash_STRBYTES && passes > 0 &&
	       passes <= IMPORT_PASSES && memory > 0 && memory <= IMPORT_MEMORY_KIB;
}

/* Only "$scheme$..." forms: the older ones (DES) look at eight octets of a password. */
static bool crypt_importable(struct str hash)
{
	char       c[LIMIT_PASSWORD_HASH + 1];
	struct str rest = hash;

	if (!str_to_c(hash, c, sizeof(c)) || hash.n < 12 || hash.p[0] != '$' || str_has_ctl(hash))
		return false;
	if (str_starts(hash, STR("$2"))) {
		uint64_t log2 = 0;

		rest = str_from(hash, 4);
		if (!str_take_u64(&rest, &log2) || log2 > IMPORT_BCRYPT)
			return false;
	}
	return parameter(hash, STR("$rounds=")) <= IMPORT_ROUNDS && crypt_checksalt(c) != CRYPT_SALT_INVALID &&
	       crypt_checksalt(c) != CRYPT_SALT_METHOD_DISABLED;
}

static enum status import(struct str stored, struct password_hash *ret)
{
	struct str hash = stored;
	bool       ok = str_skip(&hash, argon2id) ? argon2_importable(hash)
						  : str_skip(&hash, crypted) && crypt_importable(hash);

	if (!ok || stored.n > sizeof(ret->p))
		return ST_INVALID;
	/* The prefix in our case of letters. */
	ret->n = stored.n;
	for (size_t i = 0; i < stored.n; i++)
		ret->p[i] = i < stored.n - hash.n ? ascii_upper(stored.p[i]) : stored.p[i];
	return ST_OK;
}

bool password_is_hash(struct str password)
{
	return str_istarts(password, argon2id) || str_istarts(password, crypted);
}

enum status password_hash(const struct password_cost *cost, struct str password, struct password_hash *ret)
{
	unsigned ops = cost->ops > 0 ? cost->ops : PASSWORD_OPS;
	size_t   memory = cost->memory_octets > 0 ? cost->memory_octets : PASSWORD_MEMORY;
	char     out[crypto_pwhash_STRBYTES];

	if (password_is_hash(password))
		return import(password, ret);
	if (password.n == 0 || password.n > LIMIT_PASSWORD || str_find(password, '\0') >= 0)
		return ST_INVALID;
	if (crypto_pwhash_str_alg(out, password.p, password.n, ops, MAX(memory, crypto_pwhash_MEMLIMIT_MIN),
				  crypto_pwhash_ALG_ARGON2ID13) != 0)
		return ST_TEMP;
	ret->n = argon2id.n + strlen(out);
	memcpy(ret->p, argon2id.p, argon2id.n);
	memcpy(ret->p + argon2id.n, out, strlen(out));
	return ST_OK;
}

static bool crypt_verify(struct str hash, struct str password)
{
	char              *key = malloc(password.n + 1), stored[LIMIT_PASSWORD_HASH + 1];
	struct crypt_data *data = calloc(1, sizeof(*data));
	const char        *got;
	bool               ok = false;

	CHECK(key != NULL && data != NULL);
	if (str_to_c(password, key, password.n + 1) && str_to_c(hash, stored, sizeof(stored))) {
		got = crypt_r(key, stored, data);
		ok = got != NULL && got[0] != '*' && str_eq_secret(str_of(got), hash);
	}
	sodium_memzero(key, password.n + 1);
	sodium_memzero(data, sizeof(*data));
	free(key);
	free(data);
	return ok;
}

bool password_verify(struct str stored, struct str password)
{
	char       c[crypto_pwhash_STRBYTES];
	struct str hash = stored;

	if (password.n > LIMIT_PASSWORD)
		return false;
	if (str_skip(&hash, crypted))
		return crypt_verify(hash, password);
	return str_skip(&hash, argon2id) && str_to_c(hash, c, sizeof(c)) &&
	       crypto_pwhash_str_verify(c, password.p != NULL ? password.p : "", password.n) == 0;
}
