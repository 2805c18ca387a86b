/* http/http_trust.h - the authorities of fetches, parsed once: a set of them is a megabyte and ten milliseconds, and fetches may be many. */
#ifndef HTTP_HTTP_TRUST_H
#define HTTP_HTTP_TRUST_H

#include <openssl/x509.h>

#include "base/str.h"

/* A reference to the store for this PEM text; the last one that was asked for is kept. NULL: there is no certificate in it. Thread-safe. */
X509_STORE *http_trust_get(struct str pem);

#endif
