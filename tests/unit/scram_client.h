/* tests/unit/scram_client.h - the client's side of SCRAM (RFC 5802 §3), to test ours with. */
#ifndef SCRAM_CLIENT_H
#define SCRAM_CLIENT_H

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/buf.h"
#include "ipc/msg_auth.h"
#include "wire/text/text_base64.h"

struct scram_client {
	enum auth_scram_hash hash;
	struct str           password, gs2, binding; /* binding: the data behind the gs2-header in c= */
	struct str           user, nonce;
	char                 first[1024], final[2048], server_final[128];
};

static const EVP_MD *scram_md(const struct scram_client *c)
{
	return c->hash == AUTH_SCRAM_SHA1 ? EVP_sha1() : EVP_sha256();
}

static inline struct str scram_base64(struct str octets, char *out, size_t cap)
{
	struct buf b = { .p = out, .cap = cap, .max = cap };

	text_base64_encode(octets, &b);
	CHECK(!b.over);
	return buf_str(&b);
}

/* client-first */
static inline struct str scram_client_first(struct scram_client *c)
{
	snprintf(c->first, sizeof(c->first), "%.*sn=%.*s,r=%.*s", STR_FMT(c->gs2), STR_FMT(c->user), STR_FMT(c->nonce));
	return str_of(c->first);
}

/* The value of "x=" in a list of attributes. */
static inline struct str scram_value(struct str list, char name)
{
	struct str one;

	while (list.n > 0) {
		str_cut(list, ',', &one, &list);
		if (one.n > 2 && one.p[0] == name && one.p[1] == '=')
			return str_from(one, 2);
	}
	return STR_NONE;
}

/* client-final for a server-first; server_final is what must come then. */
static inline struct str scram_client_final(struct scram_client *c, struct str server_first)
{
	unsigned char salted[32], key[32], stored[32], signature[32];
	char          salt_room[128], room[512], text[4096], head[1024];
	struct buf    salt = { .p = salt_room, .cap = sizeof(salt_room), .max = sizeof(salt_room) };
	struct buf    bound = { .p = room, .cap = sizeof(room), .max = sizeof(room) };
	char          c64[700], p64[64], v64[64];
	unsigned      n = (unsigned)EVP_MD_get_size(scram_md(c));
	struct str    without;
	uint64_t      iterations = 0;

	CHECK(text_base64_decode(scram_value(server_first, 's'), &salt) &&
	      str_to_u64(scram_value(server_first, 'i'), &iterations) && iterations > 0);
	buf_add(&bound, c->gs2);
	buf_add(&bound, c->binding);
	without = str_n(head, (size_t)snprintf(head, sizeof(head), "c=%.*s,r=%.*s",
					       STR_FMT(scram_base64(buf_str(&bound), c64, sizeof(c64))),
					       STR_FMT(scram_value(server_first, 'r'))));
	snprintf(text, sizeof(text), "%s,%.*s,%.*s", c->first + c->gs2.n, STR_FMT(server_first), STR_FMT(without));
	PKCS5_PBKDF2_HMAC(c->password.p, (int)c->password.n, (unsigned char *)salt.p, (int)salt.n, (int)iterations, scram_md(c),
			  (int)n, salted);
	HMAC(scram_md(c), salted, (int)n, (const unsigned char *)"Client Key", 10, key, NULL);
	EVP_Digest(key, n, stored, NULL, scram_md(c), NULL);
	HMAC(scram_md(c), stored, (int)n, (unsigned char *)text, strlen(text), signature, NULL);
	for (unsigned i = 0; i < n; i++)
		key[i] ^= signature[i];
	snprintf(c->final, sizeof(c->final), "%.*s,p=%.*s", STR_FMT(without), STR_FMT(scram_base64(str_n(key, n), p64, sizeof(p64))));
	HMAC(scram_md(c), salted, (int)n, (const unsigned char *)"Server Key", 10, key, NULL);
	HMAC(scram_md(c), key, (int)n, (unsigned char *)text, strlen(text), signature, NULL);
	snprintf(c->server_final, sizeof(c->server_final), "v=%.*s", STR_FMT(scram_base64(str_n(signature, n), v64, sizeof(v64))));
	return str_of(c->final);
}

#endif
