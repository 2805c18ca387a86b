/* ipc/session_token.c - see session_token.h. */
#include "ipc/session_token.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <string.h>

static void put(uint8_t *p, uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
}

static uint64_t get(const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static void mac(const uint8_t key[SESSION_KEY], const uint8_t plain[SESSION_PLAIN], uint8_t ret[SESSION_MAC])
{
	unsigned n = SESSION_MAC;

	CHECK(HMAC(EVP_sha256(), key, SESSION_KEY, plain, SESSION_PLAIN, ret, &n) && n == SESSION_MAC);
}

void session_token_write(const uint8_t key[SESSION_KEY], const struct session_token *t, uint8_t ret[LIMIT_TOKEN])
{
	CHECK(t->side.role < ROLE_COUNT && t->side.instance < ROLE_INSTANCES_MAX);
	ret[0] = (uint8_t)t->side.role;
	ret[1] = (uint8_t)t->side.instance;
	put(ret + 2, t->side.life);
	put(ret + 10, t->account);
	put(ret + 18, (uint64_t)t->end_ms);
	put(ret + 26, t->generation);
	mac(key, ret, ret + SESSION_PLAIN);
}

bool session_token_read(const uint8_t key[SESSION_KEY], struct str octets, int64_t now_ms, struct session_token *ret)
{
	uint8_t              in[LIMIT_TOKEN], right[SESSION_MAC];
	struct session_token t;

	if (octets.n != sizeof(in))
		return false;
	memcpy(in, octets.p, sizeof(in));
	mac(key, in, right);
	if (CRYPTO_memcmp(right, in + SESSION_PLAIN, SESSION_MAC) != 0)
		return false;
	t = (struct session_token){ { (enum role_id)in[0], in[1], get(in + 2) }, get(in + 10), (int64_t)get(in + 18), get(in + 26) };
	if (t.end_ms <= now_ms)
		return false;
	*ret = t;
	return true;
}

uint64_t session_token_account(struct str octets)
{
	return octets.n == LIMIT_TOKEN ? get((const uint8_t *)octets.p + 10) : 0;
}

bool session_side_same(const struct session_side *a, const struct session_side *b)
{
	return a->role == b->role && a->instance == b->instance && a->life == b->life;
}
