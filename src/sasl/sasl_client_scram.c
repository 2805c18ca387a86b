/* sasl/sasl_client_scram.c - SCRAM as a client (RFC 5802 §3, RFC 7677), with channel binding (RFC 9266, RFC 5929) or without.
 *
 *   step 0  client-first
 *   step 1  server-first --> client-final     the nonce is ours and longer, the iterations are within reason
 *   step 2  server-final --> empty            its signature is that of one who knows our keys: proved
 *
 * Names as in RFC 5802 §3.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/limits.h"
#include "sasl/sasl_client_int.h"
#include "sys/random.h"
#include "wire/sasl/sasl_prep.h"
#include "wire/sasl/sasl_scram_peer.h"
#include "wire/text/text_base64.h"

#define NONCE_OCTETS 24u /* 192 bits; 32 characters in base64, none of which is a comma */
#define HASH_MAX     ((size_t)32)

struct keys {
	uint8_t salted[HASH_MAX], client[HASH_MAX], stored[HASH_MAX], server[HASH_MAX];
};

static const EVP_MD *digest(const struct sasl_client *x)
{
	return x->mechanism & (SASL_OFFER_SCRAM_SHA1 | SASL_OFFER_SCRAM_SHA1_PLUS) ? EVP_sha1() : EVP_sha256();
}

static size_t octets(const struct sasl_client *x)
{
	return (size_t)EVP_MD_get_size(digest(x));
}

static void hmac(const struct sasl_client *x, const uint8_t *key, struct str text, uint8_t *ret)
{
	CHECK(HMAC(digest(x), key, (int)octets(x), (const unsigned char *)text.p, text.n, ret, NULL) != NULL);
}

static struct buf room(struct sasl_client *x, size_t max)
{
	return (struct buf){ .p = arena_alloc(x->arena, max), .cap = max, .max = max };
}

static bool plus(const struct sasl_client *x)
{
	return (x->mechanism & (SASL_OFFER_SCRAM_SHA256_PLUS | SASL_OFFER_SCRAM_SHA1_PLUS)) != 0;
}

/* RFC 5802 §6: "y" says that we could, and saw no -PLUS: if somebody took it out of the offer, the server knows by that. After -PLUS
 * was offered and did not work, only "n" may be said. */
static struct str gs2(struct sasl_client *x)
{
	if (plus(x))
		return arena_printf(x->arena, "p=%s,,", x->side.binding_name);
	return x->side.binding.n > 0 && !x->plus_offered ? STR("y,,") : STR("n,,");
}

static struct str nonce(struct sasl_client *x)
{
	uint8_t    random[NONCE_OCTETS];
	struct buf b = room(x, 2 * NONCE_OCTETS);

	if (x->side.nonce.n > 0)
		return x->side.nonce;
	random_octets(random, sizeof(random));
	text_base64_encode(str_n(random, sizeof(random)), &b);
	return buf_str(&b);
}

struct str sasl_client_scram_first(struct sasl_client *x)
{
	struct buf b = room(x, 3 * x->side.user.n + LIMIT_SASL_NONCE);

	x->gs2 = gs2(x);
	x->nonce = nonce(x);
	buf_add(&b, STR("n="));
	sasl_name_encode(x->side.user, &b);
	buf_addf(&b, ",r=%.*s", STR_FMT(x->nonce));
	CHECK(!b.over);
	x->bare = buf_str(&b);
	x->why = "the server let us in without proving that it knows the password";
	return arena_printf(x->arena, "%.*s%.*s", STR_FMT(x->gs2), STR_FMT(x->bare));
}

static bool keys_make(struct sasl_client *x, const struct sasl_scram_server *m, struct keys *k)
{
	struct str password = sasl_prep(x->side.secret, x->arena);
	struct buf salt = room(x, m->salt.n);

	if (!text_base64_decode(m->salt, &salt) || salt.n == 0)
		return false;
	CHECK(PKCS5_PBKDF2_HMAC(password.p, (int)password.n, (const unsigned char *)salt.p, (int)salt.n, (int)m->iterations, digest(x),
				(int)octets(x), k->salted) == 1);
	hmac(x, k->salted, STR("Client Key"), k->client);
	CHECK(EVP_Digest(k->client, octets(x), k->stored, NULL, digest(x), NULL) == 1);
	hmac(x, k->salted, STR("Server Key"), k->server);
	return true;
}

/* "c=" base64(gs2-header and binding) ",r=" nonce */
static struct str without_proof(struct sasl_client *x, struct str whole_nonce)
{
	struct buf bound = room(x, x->gs2.n + x->side.binding.n);
	struct buf b = room(x, 2 * (x->gs2.n + x->side.binding.n) + whole_nonce.n + 16);

	buf_add(&bound, x->gs2);
	if (plus(x))
		buf_add(&bound, x->side.binding);
	buf_add(&b, STR("c="));
	text_base64_encode(buf_str(&bound), &b);
	buf_addf(&b, ",r=%.*s", STR_FMT(whole_nonce));
	CHECK(!b.over && !bound.over);
	return buf_str(&b);
}

static struct str prove(struct sasl_client *x, struct keys *k, struct str server_first, struct str unproved)
{
	struct str auth = arena_printf(x->arena, "%.*s,%.*s,%.*s", STR_FMT(x->bare), STR_FMT(server_first), STR_FMT(unproved));
	struct buf b = room(x, unproved.n + 3 + 2 * HASH_MAX);
	uint8_t    proof[HASH_MAX];

	hmac(x, k->stored, auth, proof); /* ClientSignature */
	for (size_t i = 0; i < octets(x); i++)
		proof[i] ^= k->client[i];
	hmac(x, k->server, auth, x->signature);
	x->signature_n = octets(x);
	buf_addf(&b, "%.*s,p=", STR_FMT(unproved));
	text_base64_encode(str_n(proof, octets(x)), &b);
	CHECK(!b.over);
	OPENSSL_cleanse(proof, sizeof(proof));
	return buf_str(&b);
}

static enum sasl_client_next final(struct sasl_client *x, struct str challenge, struct str *ret)
{
	struct sasl_scram_server m;
	struct keys              k;
	bool                     ok;

	if (!sasl_scram_server_first_parse(challenge, &m))
		return sasl_client_broken(x, "its first message is none of SCRAM");
	if (m.nonce.n <= x->nonce.n || !str_starts(m.nonce, x->nonce))
		return sasl_client_broken(x, "its nonce does not begin with ours");
	if (m.iterations < SASL_CLIENT_ITERATIONS_MIN || m.iterations > SASL_CLIENT_ITERATIONS_MAX)
		return sasl_client_broken(x, "it demands too few or too many iterations");
	ok = keys_make(x, &m, &k);
	if (ok)
		*ret = prove(x, &k, challenge, without_proof(x, m.nonce));
	OPENSSL_cleanse(&k, sizeof(k));
	return ok ? SASL_CLIENT_SEND : sasl_client_broken(x, "its salt is no base64");
}

/* An error is told before the refusal; a signature that is not the right one ends it at once. */
static enum sasl_client_next verify(struct sasl_client *x, struct str challenge, struct str *ret)
{
	struct str base64, error;
	struct buf b;

	if (!sasl_scram_server_final_parse(challenge, &base64, &error))
		return sasl_client_broken(x, "its last message is none of SCRAM");
	*ret = STR("");
	if (error.n > 0)
		return SASL_CLIENT_SEND;
	b = room(x, base64.n);
	if (!text_base64_decode(base64, &b) || !str_eq_secret(buf_str(&b), str_n(x->signature, x->signature_n)))
		return sasl_client_broken(x, "its signature is wrong: it does not know the password");
	x->proved = true;
	return SASL_CLIENT_SEND;
}

enum sasl_client_next sasl_client_scram_step(struct sasl_client *x, struct str challenge, struct str *ret)
{
	if (x->step == 1)
		return final(x, challenge, ret);
	if (x->step == 2)
		return verify(x, challenge, ret);
	return sasl_client_broken(x, "a challenge that the mechanism does not have");
}
