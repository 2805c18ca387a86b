/* deliver/remote_https.h - the remote role's own HTTPS questions: names are looked up by its resolver, addresses pass its filter. */
#ifndef DELIVER_REMOTE_HTTPS_H
#define DELIVER_REMOTE_HTTPS_H

#include "deliver/remote.h"
#include "http/http_fetch.h"

/* Fill in what a fetch of q->host takes from us: its addresses, as far as remote_address_use() allows them, and the authorities. False: the name
 * has none that may be used, or none could be found out. `a` keeps them. */
MUST_CHECK bool remote_https_prepare(const struct remote *remote, struct http_request *q, struct arena *a);

#endif
