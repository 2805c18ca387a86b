/* net/net_binding.c - what TLS knows of a connection that sign-in needs: channel bindings and the peer's certificate.
 *
 * tls-unique is not offered: it does not exist in TLS 1.3, and in TLS 1.2 needs the extended master secret (RFC 7627) to be
 * worth anything.
 */
#include <openssl/err.h>
#include <openssl/x509.h>

#include "net/net_int.h"
#include "net/net_tls_int.h"

_Static_assert(NET_BINDING_OCTETS >= EVP_MAX_MD_SIZE, "any hash of a certificate");

/* RFC 9266 §4.2; in TLS 1.3 only, where every exporter is bound to the handshake (RFC 8446 §7.5). */
static size_t exporter(SSL *ssl, unsigned char *out)
{
	static const char label[] = "EXPORTER-Channel-Binding";

	if (SSL_version(ssl) != TLS1_3_VERSION ||
	    SSL_export_keying_material(ssl, out, 32, label, sizeof(label) - 1, NULL, 0, 0) != 1)
		return 0;
	return 32;
}

/* RFC 5929 §4.1: the server's certificate, hashed as its signature was; not with MD5 or SHA-1, and not if there is no such hash
 * (EdDSA). */
static size_t end_point(const X509 *cert, unsigned char *out)
{
	const EVP_MD *md = NULL;
	int           nid = NID_undef;
	unsigned      n = 0;

	if (!cert || X509_get_signature_info((X509 *)(uintptr_t)cert, &nid, NULL, NULL, NULL) != 1)
		return 0;
	if (nid == NID_md5 || nid == NID_sha1)
		nid = NID_sha256;
	md = EVP_get_digestbynid(nid);
	return md && X509_digest(cert, md, out, &n) == 1 ? n : 0;
}

size_t net_tls_binding(SSL *ssl, const X509 *server, enum net_binding kind, unsigned char *out)
{
	size_t n;

	ERR_clear_error();
	n = kind == NET_BINDING_EXPORTER ? exporter(ssl, out) : end_point(server, out);
	ERR_clear_error();
	return n;
}

struct str net_channel_binding(const struct net_conn *c, enum net_binding kind, char out[NET_BINDING_OCTETS])
{
	if (!c->ssl || !c->info.tls)
		return STR_NONE;
	return str_n(out, net_tls_binding(c->ssl, SSL_get_certificate(c->ssl), kind, (unsigned char *)out));
}

struct str net_peer_certificate(const struct net_conn *c, char out[NET_FINGERPRINT_OCTETS])
{
	X509    *cert = c->ssl && c->info.tls ? SSL_get0_peer_certificate(c->ssl) : NULL;
	unsigned n = 0;

	if (!cert || X509_digest(cert, EVP_sha256(), (unsigned char *)out, &n) != 1)
		return STR_NONE;
	return str_n(out, n);
}

/* Who the peer is, is told by the certificate's fingerprint, and that it has the key, by TLS: no authority, name or date is
 * looked at. */
static int any_certificate(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

void net_tls_ask_certificate(SSL *ssl)
{
	/* Without SSL_VERIFY_FAIL_IF_NO_PEER_CERT: who has none is served all the same. */
	SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, any_certificate);
}
