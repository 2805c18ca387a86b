/* tests/unit/fake_dns.h - a resolver whose zone is a table. A name and type that are not in it: NXDOMAIN if the name
 * has no row at all, else NODATA. */
#ifndef FAKE_DNS_H
#define FAKE_DNS_H

#include <stdlib.h>

#include "deliver/remote.h"

struct fake_record {
	const char   *name;
	enum dns_type type;
	const char   *data; /* "10 mx.test" for MX, "!" for a lookup that fails, "?" for a bogus one */
};

struct fake_zone {
	const struct fake_record *records; /* ended by a name of NULL */
	unsigned                  lookups;
	bool                      secure; /* signed, and found in order */
};

static enum status fake_lookup(void *ctx, struct str name, enum dns_type type, struct arena *a,
			       struct dns_lookup_reply *ret)
{
	struct fake_zone *z = ctx;
	bool              exists = false;

	*ret = (struct dns_lookup_reply){ .records = ARENA_ARRAY(a, struct dns_record, 64), .security = z->secure ? DNS_SECURE : DNS_INSECURE };
	z->lookups++;
	for (const struct fake_record *f = z->records; f->name; f++) {
		struct dns_record *r = &ret->records[ret->record_count];
		char              *rest = NULL;

		if (!str_ieq(str_of(f->name), name))
			continue;
		exists = true;
		if (f->type != type)
			continue;
		if (f->data[0] == '!')
			return ST_TEMP;
		if (f->data[0] == '?')
			return ST_CORRUPT;
		if (type == DNS_MX)
			r->preference = (uint32_t)strtoul(f->data, &rest, 10);
		r->data = str_of(type == DNS_MX && rest[0] != '\0' ? rest + 1 : type == DNS_MX ? "" : f->data);
		ret->record_count++;
	}
	ret->rcode = ret->record_count > 0 ? DNS_NOERROR : exists ? DNS_NODATA : DNS_NXDOMAIN;
	return ST_OK;
}

static inline struct remote fake_remote(struct fake_zone *zone)
{
	return (struct remote){
		.settings = { .hostname = STR("me.test"), .port = 25, .timeouts = remote_timeouts_default },
		.resolver = { fake_lookup, zone },
	};
}

#endif
