/* trust/trust_dane.c - rules and contract are in trust_dane.h. */
#include "trust/trust_dane.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

enum { USAGE_TA = 2, USAGE_EE = 3, SELECTOR_CERT = 0, SELECTOR_KEY = 1, MATCHING_FULL = 0, MATCHING_SHA256 = 1, MATCHING_SHA512 = 2 };

static bool is_certificate(struct str data)
{
	const unsigned char *p = (const unsigned char *)data.p;
	X509                *cert = d2i_X509(NULL, &p, (long)data.n);
	bool                 ok = cert && p == (const unsigned char *)data.p + data.n && X509_get0_pubkey(cert) != NULL;

	X509_free(cert);
	ERR_clear_error();
	return ok;
}

static bool is_key(struct str data)
{
	const unsigned char *p = (const unsigned char *)data.p;
	EVP_PKEY            *key = d2i_PUBKEY(NULL, &p, (long)data.n);
	bool                 ok = key && p == (const unsigned char *)data.p + data.n;

	EVP_PKEY_free(key);
	ERR_clear_error();
	return ok;
}

static bool data_valid(const struct net_tlsa *t)
{
	switch (t->matching) {
	case MATCHING_SHA256: return t->data.n == 32;
	case MATCHING_SHA512: return t->data.n == 64;
	default: return t->selector == SELECTOR_CERT ? is_certificate(t->data) : is_key(t->data);
	}
}

enum trust_tlsa trust_tlsa_parse(struct str rdata, struct net_tlsa *ret)
{
	if (rdata.n < 4)
		return TRUST_TLSA_SHORT;
	*ret = (struct net_tlsa){ (uint8_t)rdata.p[0], (uint8_t)rdata.p[1], (uint8_t)rdata.p[2], str_from(rdata, 3) };
	if (ret->usage != USAGE_TA && ret->usage != USAGE_EE)
		return TRUST_TLSA_USAGE;
	if (ret->selector > SELECTOR_KEY)
		return TRUST_TLSA_SELECTOR;
	if (ret->matching > MATCHING_SHA512)
		return TRUST_TLSA_MATCHING;
	return data_valid(ret) ? TRUST_TLSA_USABLE : TRUST_TLSA_DATA;
}

static int order(const void *pa, const void *pb)
{
	const struct net_tlsa *a = pa, *b = pb;
	int                    by_data;

	if (a->usage != b->usage)
		return a->usage - b->usage;
	if (a->selector != b->selector)
		return a->selector - b->selector;
	if (a->matching != b->matching)
		return b->matching - a->matching; /* the strongest digest first */
	by_data = memcmp(a->data.p, b->data.p, MIN(a->data.n, b->data.n));
	return by_data != 0 ? by_data : (a->data.n > b->data.n) - (a->data.n < b->data.n);
}

/* In order, so the strongest digest of a usage and selector comes before the weaker ones. */
static bool overruled(const struct net_tlsa *kept, size_t count, const struct net_tlsa *t)
{
	for (size_t i = 0; i < count; i++)
		if (kept[i].usage == t->usage && kept[i].selector == t->selector &&
		    (t->matching == kept[i].matching ? str_eq(kept[i].data, t->data) : t->matching != MATCHING_FULL))
			return true;
	return false;
}

void trust_dane_read(const struct dns_record *records, size_t count, struct arena *a, struct trust_dane *ret)
{
	struct net_tlsa *items = ARENA_ARRAY(a, struct net_tlsa, count);
	size_t           usable = 0;

	*ret = (struct trust_dane){ .items = items };
	for (size_t i = 0; i < count; i++)
		if (trust_tlsa_parse(records[i].data, &items[usable]) == TRUST_TLSA_USABLE)
			usable++;
	if (usable > 0)
		qsort(items, usable, sizeof(*items), order);
	for (size_t i = 0; i < usable; i++) {
		if (overruled(items, ret->count, &items[i]))
			continue;
		items[ret->count++] = items[i];
	}
}

bool trust_dane_print(const struct dns_record *records, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		struct str d = records[i].data;

		for (size_t k = 0; k < d.n; k++)
			buf_addf(out, k < 3 ? "%u " : "%02x", (unsigned)(uint8_t)d.p[k]);
		buf_addf(out, "\n");
	}
	return !out->over;
}
