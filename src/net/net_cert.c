/* net/net_cert.c - see net_cert.h. */
#include "net/net_cert.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static bool extension_add(X509 *x, int nid, const char *value)
{
	X509V3_CTX      ctx;
	X509_EXTENSION *e;
	bool            ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

static bool serial_set(X509 *x)
{
	unsigned char octets[16];
	BIGNUM       *n;
	bool          ok;

	if (RAND_bytes(octets, sizeof(octets)) != 1)
		return false;
	octets[0] &= 0x7f;
	n = BN_bin2bn(octets, sizeof(octets), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return ok;
}

static bool fill(X509 *x, EVP_PKEY *key, const char *name, unsigned days)
{
	X509_NAME *subject = X509_get_subject_name(x);
	char       names[600];

	snprintf(names, sizeof(names), "DNS:%s,DNS:localhost,IP:127.0.0.1,IP:::1", name);
	return X509_set_version(x, 2) && serial_set(x) && X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
	       X509_gmtime_adj(X509_getm_notAfter(x), (long)days * 86400) && X509_set_pubkey(x, key) &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) && X509_set_issuer_name(x, subject) &&
	       extension_add(x, NID_basic_constraints, "critical,CA:TRUE") && extension_add(x, NID_subject_alt_name, names) &&
	       X509_sign(x, key, EVP_sha256()) > 0;
}

static bool bio_take(BIO *bio, struct buf *out)
{
	char *p;
	long  n = BIO_get_mem_data(bio, &p);

	return n > 0 && buf_add(out, str_n(p, (size_t)n));
}

enum status net_cert_self_signed(struct str name, unsigned days, struct buf *ret_certificate, struct buf *ret_key)
{
	char      text[64]; /* the upper bound of a common name, RFC 5280 appendix A.1 */
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509     *x = X509_new();
	BIO      *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_secmem());
	bool      ok = key && x && cert_bio && key_bio && str_to_c(name, text, sizeof(text)) && fill(x, key, text, days) &&
		  PEM_write_bio_X509(cert_bio, x) && PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) &&
		  bio_take(cert_bio, ret_certificate) && bio_take(key_bio, ret_key);

	BIO_free(cert_bio);
	BIO_free(key_bio);
	X509_free(x);
	EVP_PKEY_free(key);
	return ok ? ST_OK : ST_INVALID;
}
