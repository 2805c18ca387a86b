/* directory/scram.c - see scram.h. Names as in RFC 5802 §3. */
#include "directory/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>
#include <string.h>

static const EVP_MD *digest(enum auth_scram_hash hash)
{
	return hash == AUTH_SCRAM_SHA1 ? EVP_sha1() : EVP_sha256();
}

size_t scram_octets(enum auth_scram_hash hash)
{
	return hash == AUTH_SCRAM_SHA1 ? 20 : 32;
}

static void hmac(enum auth_scram_hash hash, const uint8_t *key, struct str text, uint8_t *ret)
{
	unsigned n = 0;

	CHECK(HMAC(digest(hash), key, (int)scram_octets(hash), (const unsigned char *)text.p, text.n, ret, &n) != NULL);
	CHECK(n == scram_octets(hash));
}

static void h(enum auth_scram_hash hash, const uint8_t *in, uint8_t *ret)
{
	CHECK(EVP_Digest(in, scram_octets(hash), ret, NULL, digest(hash), NULL) == 1);
}

void scram_key_make(enum auth_scram_hash hash, struct str password, struct str salt, uint32_t iterations,
		    struct scram_key *ret)
{
	uint8_t salted[SCRAM_OCTETS], client[SCRAM_OCTETS];

	*ret = (struct scram_key){ 0 };
	CHECK(salt.n <= SCRAM_SALT);
	memcpy(ret->salt, salt.p, salt.n);
	CHECK(PKCS5_PBKDF2_HMAC(password.p, (int)password.n, (const unsigned char *)salt.p, (int)salt.n, (int)iterations,
				digest(hash), (int)scram_octets(hash), salted) == 1);
	hmac(hash, salted, STR("Client Key"), client);
	h(hash, client, ret->stored);
	hmac(hash, salted, STR("Server Key"), ret->server);
	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(client, sizeof(client));
}

void scram_keys_make(struct str password, uint32_t iterations, struct scram_keys *ret)
{
	uint8_t salt[SCRAM_SALT];

	/* RFC 5802 §5.1: a salt for each hash, or what is learned from one helps with the other. */
	ret->iterations = iterations;
	for (unsigned i = 0; i <= AUTH_SCRAM_LAST; i++) {
		randombytes_buf(salt, sizeof(salt));
		scram_key_make((enum auth_scram_hash)i, password, str_n(salt, sizeof(salt)), iterations, &ret->key[i]);
	}
}

bool scram_check(enum auth_scram_hash hash, const struct scram_key *key, struct str auth_message, struct str proof,
		 uint8_t ret_signature[SCRAM_OCTETS])
{
	size_t  n = scram_octets(hash);
	uint8_t client[SCRAM_OCTETS], stored[SCRAM_OCTETS];
	bool    right;

	if (proof.n != n)
		return false;
	/* ClientKey = ClientProof XOR ClientSignature; H(ClientKey) must be StoredKey. */
	hmac(hash, key->stored, auth_message, client);
	for (size_t i = 0; i < n; i++)
		client[i] ^= (uint8_t)proof.p[i];
	h(hash, client, stored);
	right = CRYPTO_memcmp(stored, key->stored, n) == 0;
	if (right)
		hmac(hash, key->server, auth_message, ret_signature);
	OPENSSL_cleanse(client, sizeof(client));
	return right;
}
