/* net/net_cert.h - a first certificate, so that TLS works before anybody has asked an authority for one. */
#ifndef NET_NET_CERT_H
#define NET_NET_CERT_H

#include "base/buf.h"
#include "base/status.h"

/* A self-signed certificate (P-256, SHA-256) for `name` and localhost, and its key, as PEM. ST_OK or ST_INVALID. */
MUST_CHECK enum status net_cert_self_signed(struct str name, unsigned days, struct buf *ret_certificate, struct buf *ret_key);

#endif
