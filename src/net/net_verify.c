/* net/net_verify.c - see net_verify.h. */
#include "net/net_verify.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/limits.h"
#include "net/net_tls_int.h"

/* RFC 7672 §2.3.3, §8.1: what a domain vouches for by DNSSEC may be weaker than what an authority signs: at level 1 keys of 1024 bits. */
#define DANE_SECURITY_LEVEL 1
/* Whoever may be anybody may be weak, too: an old server with a short key is better than clear text, in which mail would go else. */
#define ANYBODY_SECURITY_LEVEL 0

/* OpenSSL judges a certificate by the level of its handshake. With NET_VERIFY_TRY that is ANYBODY_SECURITY_LEVEL, and what is told of the certificate
 * is to be what NET_VERIFY_PKI would say. */
static int verify(X509_STORE_CTX *store, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

	(void)arg;
	if (SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE)
		X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(store), SSL_CTX_get_security_level(SSL_get_SSL_CTX(ssl)));
	return X509_verify_cert(store);
}

void net_verify_ctx(SSL_CTX *ctx)
{
	CHECK(SSL_CTX_dane_enable(ctx) == 1);
	SSL_CTX_set_cert_verify_callback(ctx, verify, NULL);
}

/* ---- before ---- */

static bool is_address(const char *name)
{
	ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);

	ASN1_OCTET_STRING_free(ip);
	ERR_clear_error();
	return ip != NULL;
}

/* RFC 6066 §3: no address in SNI. */
static bool sni_set(SSL *ssl, struct str sni)
{
	char name[LIMIT_DOMAIN + 1];

	if (sni.n == 0)
		return true;
	if (!str_to_c(sni, name, sizeof(name)))
		return false;
	/* What SSL_set_tlsext_host_name is, less its cast of a const; the name is copied. */
	return is_address(name) || SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) == 1;
}

/* RFC 6125 §6.4: whole labels only; an address is compared as an address. */
static bool names_set(SSL *ssl, const struct net_tls_want *want)
{
	char name[LIMIT_DOMAIN + 1];

	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (size_t i = 0; i < want->name_count; i++) {
		if (!str_to_c(want->names[i], name, sizeof(name)) || name[0] == '\0')
			return false;
		if (is_address(name) ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) != 1 : SSL_add1_host(ssl, name) != 1)
			return false;
	}
	return want->name_count > 0 && want->name_count <= NET_NAMES_MAX;
}

/* Names in the end entity's certificate mean nothing for usage 3, RFC 7672 §3.1.1. */
static bool dane_set(SSL *ssl, const struct net_tls_want *want)
{
	char   base[LIMIT_DOMAIN + 1];
	size_t usable = 0;

	if (want->name_count == 0 || !str_to_c(want->names[0], base, sizeof(base)) || SSL_dane_enable(ssl, base) != 1)
		return false;
	SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	for (size_t i = 0; i < want->tlsa_count; i++) {
		const struct net_tlsa *t = &want->tlsa[i];

		CHECK(t->usage == 2 || t->usage == 3);
		usable += SSL_dane_tlsa_add(ssl, t->usage, t->selector, t->matching, (const unsigned char *)t->data.p, t->data.n) == 1;
	}
	ERR_clear_error();
	return usable > 0;
}

static bool refuse(struct net_tls_got *ret, enum net_fault fault, const char *why)
{
	*ret = (struct net_tls_got){ .fault = fault, .why = why };
	return false;
}

static bool dane_begin(SSL *ssl, const struct net_tls_want *want, struct net_tls_got *ret)
{
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	SSL_set_security_level(ssl, DANE_SECURITY_LEVEL);
	if (!sni_set(ssl, want->sni))
		return refuse(ret, NET_FAULT_OTHER, "the server's name cannot be used");
	if (!dane_set(ssl, want))
		return refuse(ret, NET_FAULT_TLSA, "no TLSA record can be used");
	return names_set(ssl, want) || refuse(ret, NET_FAULT_OTHER, "no name to verify");
}

bool net_verify_begin(SSL *ssl, const struct net_tls_want *want, bool trusted, struct net_tls_got *ret)
{
	*ret = (struct net_tls_got){ .why = "" };
	if (want->verify == NET_VERIFY_DANE)
		return dane_begin(ssl, want, ret);
	SSL_set_verify(ssl, want->verify == NET_VERIFY_PKI ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (want->verify != NET_VERIFY_PKI)
		SSL_set_security_level(ssl, ANYBODY_SECURITY_LEVEL);
	if (!sni_set(ssl, want->sni))
		return refuse(ret, NET_FAULT_OTHER, "the server's name cannot be used");
	if (want->verify == NET_VERIFY_NONE)
		return true;
	if (want->verify == NET_VERIFY_PKI && !trusted)
		return refuse(ret, NET_FAULT_OTHER, "no authorities to verify with");
	return names_set(ssl, want) || refuse(ret, NET_FAULT_OTHER, "no name to verify");
}

/* ---- after ---- */

static enum net_fault fault_of(long verdict)
{
	switch (verdict) {
	case X509_V_OK: return NET_FAULT_NONE;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH: return NET_FAULT_NAME;
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID: return NET_FAULT_EXPIRED;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED: return NET_FAULT_UNTRUSTED;
	default: return NET_FAULT_OTHER;
	}
}

uint8_t net_verify_usage(SSL *ssl)
{
	uint8_t              usage, selector, matching;
	const unsigned char *data;
	size_t               n;

	if (SSL_session_reused(ssl)) /* nothing was verified anew: it was then, under the same wish (the caller sees to that) */
		return net_resume_usage(ssl);
	return SSL_get0_dane_tlsa(ssl, &usage, &selector, &matching, &data, &n) >= 0 ? usage : 0;
}

static enum net_proof dane_proof(SSL *ssl)
{
	uint8_t usage = net_verify_usage(ssl);

	CHECK(usage == 2 || usage == 3);
	return usage == 3 ? NET_PROOF_DANE_EE : NET_PROOF_DANE_TA;
}

bool net_verify_end(SSL *ssl, const struct net_tls_want *want, bool ok, struct net_tls_got *ret)
{
	long verdict = SSL_get_verify_result(ssl);

	if (want->verify == NET_VERIFY_NONE)
		return true;
	if (verdict != X509_V_OK) {
		*ret = (struct net_tls_got){ NET_PROOF_NONE, fault_of(verdict), X509_verify_cert_error_string(verdict) };
		return want->verify == NET_VERIFY_TRY;
	}
	if (ok)
		ret->proof = want->verify == NET_VERIFY_DANE ? dane_proof(ssl) : NET_PROOF_PKI;
	return true;
}
