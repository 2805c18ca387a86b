/* tests/unit/fake_dns.h - a resolver whose zone is a table. A name and type that are not in it: NXDOMAIN if the name
 * has no row at all, else NODATA. Names below "signed.test" are secure, others if the whole zone is; CNAME rows are followed. */
#ifndef FAKE_DNS_H
#define FAKE_DNS_H

#include <stdlib.h>
#include <string.h>

#include "deliver/remote.h"

struct fake_record {
	const char   *name;
	enum dns_type type;
	const char   *data; /* "10 mx.test" for MX, "3 1 1 x" for TLSA (a digest of x only), "!" for a lookup that fails, "?" for a bogus one */
};

struct fake_zone {
	const struct fake_record *records; /* ended by a name of NULL */
	unsigned                  lookups;
	bool                      secure; /* signed, and found in order */
};

static inline bool fake_secure(const struct fake_zone *z, struct str name)
{
	return z->secure || str_iends(name, STR(".signed.test")) || str_ieq(name, STR("signed.test"));
}

static inline struct str fake_tlsa(const char *text, struct arena *a)
{
	size_t n = text[4] == '2' ? 64 : 32;
	char  *rdata = arena_alloc(a, 3 + n);

	rdata[0] = (char)(text[0] - '0');
	rdata[1] = (char)(text[2] - '0');
	rdata[2] = (char)(text[4] - '0');
	memset(rdata + 3, text[6], n);
	return str_n(rdata, 3 + n);
}

static inline const char *fake_alias(const struct fake_zone *z, struct str name)
{
	for (const struct fake_record *f = z->records; f->name; f++)
		if (f->type == DNS_CNAME && str_ieq(str_of(f->name), name) && f->data[0] != '!' && f->data[0] != '?')
			return f->data;
	return NULL;
}

static enum status fake_lookup(void *ctx, struct str name, enum dns_type type, struct arena *a,
			       struct dns_lookup_reply *ret)
{
	struct fake_zone *z = ctx;
	bool              exists = false, secure = fake_secure(z, name);
	const char       *alias;

	*ret = (struct dns_lookup_reply){ .records = ARENA_ARRAY(a, struct dns_record, 64), .canonical = STR("") };
	z->lookups++;
	while (type != DNS_CNAME && (alias = fake_alias(z, name)) != NULL) {
		ret->canonical = name = str_of(alias);
		secure = secure && fake_secure(z, name);
	}
	ret->security = secure ? DNS_SECURE : DNS_INSECURE;
	for (const struct fake_record *f = z->records; f->name; f++) {
		struct dns_record *r = &ret->records[ret->record_count];
		char              *rest = NULL;

		if (!str_ieq(str_of(f->name), name))
			continue;
		exists = true;
		if (f->type != type)
			continue;
		if (f->data[0] == '!' || f->data[0] == '?')
			return f->data[0] == '!' ? ST_TEMP : ST_CORRUPT;
		if (type == DNS_MX)
			r->preference = (uint32_t)strtoul(f->data, &rest, 10);
		r->data = str_of(type == DNS_MX && rest[0] != '\0' ? rest + 1 : type == DNS_MX ? "" : f->data);
		if (type == DNS_TLSA)
			r->data = fake_tlsa(f->data, a);
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
