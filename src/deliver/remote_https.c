/* deliver/remote_https.c - contract is in remote_https.h. */
#include "deliver/remote_https.h"

#include "deliver/remote_address.h"

/* A stranger's name must not make us talk to ourselves or to services that trust this host (remote_address.h). */
static void addresses_add(const struct remote *remote, struct http_request *q, enum dns_type type, struct str *to, struct arena *a)
{
	struct dns_lookup_reply found;
	size_t                  added = 0;

	if (remote->resolver.lookup(remote->resolver.ctx, q->host, type, a, &found) != ST_OK ||
	    found.rcode != DNS_NOERROR)
		return;
	for (size_t i = 0; i < found.record_count && added < LIMIT_REMOTE_PER_HOST; i++) {
		struct remote_address address;

		if (!remote_address_parse(found.records[i].data, q->port, &address) ||
		    remote_address_use(&remote->settings, &address) != REMOTE_ADDRESS_FINE)
			continue;
		to[q->address_count++] = arena_dup(a, str_of(address.text));
		added++;
	}
}

bool remote_https_prepare(const struct remote *remote, struct http_request *q, struct arena *a)
{
	struct str *addresses = ARENA_ARRAY(a, struct str, 2 * LIMIT_REMOTE_PER_HOST);

	q->authorities = remote->settings.authorities;
	q->addresses = addresses;
	q->address_count = 0;
	addresses_add(remote, q, DNS_AAAA, addresses, a);
	addresses_add(remote, q, DNS_A, addresses, a);
	return q->address_count > 0;
}
