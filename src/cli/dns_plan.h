/* cli/dns_plan.h - the DNS records that a domain needs: made from the configuration, the domain's keys and the certificate.
 *
 * Nothing is asked here but the directory, for the keys. What the server does not offer has no record.
 */
#ifndef CLI_DNS_PLAN_H
#define CLI_DNS_PLAN_H

#include "cli/cli.h"

#define DNS_PLAN_MAX     64u
#define DNS_PLAN_ADDRESS 8u /* of --address */

enum dns_plan_kind { /* what it is for; how one that is published already is compared */
	DNS_PLAN_ADDRESSES, /* of the host */
	DNS_PLAN_MX,
	DNS_PLAN_SPF,
	DNS_PLAN_DKIM,
	DNS_PLAN_DMARC,
	DNS_PLAN_TLSRPT,
	DNS_PLAN_STS,
	DNS_PLAN_TLSA,
	DNS_PLAN_SRV,
};

struct dns_plan_record {
	enum dns_plan_kind kind;
	struct str         name; /* without the final dot */
	const char        *type;
	struct str         text; /* TXT: the joined text; MX, SRV: with the final dot; TLSA: "3 1 1 hex" */
	bool               later;   /* not to be published yet: says why in `note` */
	bool               outside; /* in another zone: its name is not below the domain */
	const char        *note;    /* or NULL */
};

struct dns_plan {
	struct str             domain, host;
	struct dns_plan_record records[DNS_PLAN_MAX];
	size_t                 count;
	struct str             policy; /* of MTA-STS, as the web server is to give it */
	bool                   no_address; /* those of the host are not known */
};

/* What TLSA says of the certificate of the configuration, "" if there is none. Before anything is asked: without a server this process
 * becomes the user of auth, who may not be able to read the file. */
struct str dns_plan_certificate(struct cli *c);
/* Asks the directory for the keys; prints why when it fails. Strings live in c->arena. */
MUST_CHECK int dns_plan_make(struct cli *c, const char *domain, struct str certificate, struct dns_plan *ret);

/* Append a TXT record's text as quoted strings of at most 255 octets (RFC 1035 §3.3.14). */
void dns_plan_quote(struct str text, struct buf *out);

void dns_plan_print_table(const struct dns_plan *p);
void dns_plan_print_zone(const struct dns_plan *p);
/* An array of objects. */
json_t *dns_plan_json(const struct dns_plan *p);

#endif
