/* cli/dns_plan.c - contract is in dns_plan.h. */
#include "cli/dns_plan.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "ipc/msg_auth.h"
#include "wire/address/address.h"
#include "wire/address/cidr.h"
#include "wire/address/endpoint.h"
#include "wire/address/nexthop.h"

#define SHA256      32u
#define SPF_LOOKUPS 8u           /* RFC 7208 §4.6.4: ten; some are left for what is included by hand */
#define SPF_TEXT    ((size_t)600) /* octets */

static const struct { /* RFC 6186, RFC 8314 §5.1 */
	uint32_t    kind;
	const char *service;
} services[] = {
	{ LISTEN_SUBMISSIONS, "_submissions._tcp" },
	{ LISTEN_SUBMISSION, "_submission._tcp" },
	{ LISTEN_IMAPS, "_imaps._tcp" },
	{ LISTEN_IMAP, "_imap._tcp" },
	{ LISTEN_POP3S, "_pop3s._tcp" },
	{ LISTEN_POP3, "_pop3._tcp" },
};

struct making {
	struct cli      *c;
	struct dns_plan *p;
};

static bool below(struct str name, struct str domain)
{
	return str_ieq(name, domain) ||
	       (name.n > domain.n && name.p[name.n - domain.n - 1] == '.' && str_iends(name, domain));
}

static struct dns_plan_record *add(struct making *m, enum dns_plan_kind kind, struct str name, const char *type, struct str text)
{
	struct dns_plan_record *r;

	CHECK(m->p->count < DNS_PLAN_MAX);
	r = &m->p->records[m->p->count++];
	*r = (struct dns_plan_record){ .kind = kind, .name = name, .type = type, .text = text, .outside = !below(name, m->p->domain) };
	return r;
}

static struct str under(struct making *m, const char *label, struct str name)
{
	return arena_printf(m->c->arena, "%s.%.*s", label, STR_FMT(name));
}

/* ---- kinds ---- */

static void addresses(struct making *m)
{
	struct cli *c = m->c;

	m->p->no_address = true;
	for (unsigned i = 0; i < c->option_count; i++) {
		if (strcmp(c->options[i].name, "address") != 0)
			continue;
		add(m, DNS_PLAN_ADDRESSES, m->p->host, strchr(c->options[i].value, ':') ? "AAAA" : "A", str_of(c->options[i].value));
		m->p->no_address = false;
	}
}

/* ---- SPF ---- */

/* Mail that leaves through another host comes from there, and only its operator knows from which addresses. */
struct senders {
	struct buf text; /* ends with a blank */
	unsigned   lookups;
	bool       others; /* hosts that are not ours */
	bool       full;   /* more than a record may name */
};

static void sender_add(struct senders *s, const char *kind, struct str host)
{
	char       item[LIMIT_DOMAIN + 16];
	struct buf b = { .p = item, .cap = sizeof(item), .max = sizeof(item) };
	bool       lookup = kind[0] != 'i';

	if (cidr_inside(host) || str_ieq(host, STR("localhost")))
		return; /* nobody outside ever sees it: RFC 7208 §4.6 looks for the address that connects to them */
	buf_addf(&b, " %s:%.*s ", kind, STR_FMT(host));
	if (str_search(buf_str(&s->text), buf_str(&b)) >= 0)
		return;
	if (b.over || s->text.n + b.n > SPF_TEXT || (lookup && s->lookups == SPF_LOOKUPS)) {
		s->full = true;
		return;
	}
	s->lookups += lookup;
	buf_add(&s->text, str_from(buf_str(&b), 1));
}

static void senders_of(struct senders *s, struct str hops)
{
	struct nexthop hop;
	struct str     bad, name;

	if (str_eq(hops, STR("direct")) || endpoint_pipe(hops, &name, &bad))
		return;
	while (nexthop_take(&hops, &hop, &bad)) {
		if (hop.lmtp)
			continue; /* the last stop: it sends nothing on */
		s->others = true;
		sender_add(s, hop.address ? str_find(hop.host, ':') >= 0 ? "ip6" : "ip4" : hop.mx ? "mx" : "a", hop.host);
	}
}

/* Is some mail of the domain's addresses meant? */
static bool concerns(struct str from, struct str domain)
{
	struct str local, of;

	if (from.n == 0 || str_eq(from, STR("*")) || str_ieq(from, domain))
		return true;
	if (from.p[0] == '.')
		return str_iends(domain, from);
	return str_rcut(from, '@', &local, &of) && str_ieq(of, domain);
}

static void senders_of_rule(struct senders *s, const struct auth_route_rule *r)
{
	if (r->given & AUTH_ROUTE_VIA)
		senders_of(s, r->via);
	if ((r->given & AUTH_ROUTE_SOURCE) && r->hop.source4.n)
		sender_add(s, "ip4", r->hop.source4);
	if ((r->given & AUTH_ROUTE_SOURCE) && r->hop.source6.n)
		sender_add(s, "ip6", r->hop.source6);
}

static int senders_of_rules(struct making *m, struct senders *s)
{
	struct auth_route_list_request q = { STR(""), STR("") };
	bool                           more = true;

	while (more) {
		struct auth_route_list_reply page = { 0 };
		int                          code = cli_ask(m->c, IPC_AUTH_ROUTE_LIST, &q, &page, "routes");

		if (code != CLI_OK)
			return code;
		for (size_t i = 0; i < page.rule_count; i++) {
			q.after_to = page.rules[i].to;
			q.after_from = page.rules[i].from;
			if (concerns(q.after_from, m->p->domain))
				senders_of_rule(s, &page.rules[i]);
		}
		more = page.more && page.rule_count > 0;
	}
	return CLI_OK;
}

static int spf(struct making *m)
{
	struct senders          s = { .lookups = 1 };
	struct dns_plan_record *r;
	int                     code;

	buf_init(&s.text, SPF_TEXT + 64);
	buf_add(&s.text, STR("v=spf1 mx "));
	senders_of(&s, m->c->config.relay);
	code = senders_of_rules(m, &s);
	if (code == CLI_OK) {
		buf_add(&s.text, s.others || s.full ? STR("~all") : STR("-all"));
		r = add(m, DNS_PLAN_SPF, m->p->domain, "TXT", arena_dup(m->c->arena, buf_str(&s.text)));
		r->note = s.full ? "mail leaves through more hosts than SPF can name (relay, rules of 'route'): put the networks that they send from here instead"
			  : s.others ? "mail leaves through other hosts (relay, rules of 'route'): their operators say what else to include"
				     : NULL;
	}
	buf_done(&s.text);
	if (code != CLI_OK)
		return code;
	if (!str_ieq(m->p->host, m->p->domain)) {
		r = add(m, DNS_PLAN_SPF, m->p->host, "TXT", STR("v=spf1 a -all"));
		r->note = "for reports, which have no sender but the host's name";
	}
	return CLI_OK;
}

static int dkim(struct making *m, const char *domain)
{
	static const char *const   notes[] = { "new: publish it, then 'domain key activate'", NULL,
					       "retired: keep it until what was signed with it has arrived, then 'domain key remove'" };
	struct auth_key_list_reply reply = { 0 };
	int                        code = cli_ask(m->c, IPC_AUTH_KEY_LIST, &(struct auth_key_list_request){ str_of(domain) }, &reply, domain);

	if (code != CLI_OK)
		return code;
	m->p->domain = reply.domain;
	for (size_t i = 0; i < reply.key_count; i++) {
		const struct auth_key  *k = &reply.keys[i];
		struct str              label = arena_printf(m->c->arena, "%.*s._domainkey", STR_FMT(k->selector));
		struct dns_plan_record *r = add(m, DNS_PLAN_DKIM, under(m, label.p, m->p->domain), "TXT", k->record);

		r->note = notes[k->state];
	}
	return CLI_OK;
}

static void digest(struct str octets, unsigned hex_octets, struct buf *out)
{
	unsigned char hash[SHA256];

	CHECK(EVP_Digest(octets.p, octets.n, hash, NULL, EVP_sha256(), NULL) == 1);
	buf_add_hex(out, str_n(hash, hex_octets));
}

static void reports(struct making *m)
{
	struct str              d = m->p->domain;
	struct dns_plan_record *r;
	char                    id[64];
	struct buf              b = { .p = id, .cap = sizeof(id), .max = sizeof(id) };

	r = add(m, DNS_PLAN_DMARC, under(m, "_dmarc", d), "TXT",
		arena_printf(m->c->arena, "v=DMARC1; p=none; rua=mailto:postmaster@%.*s", STR_FMT(d)));
	r->note = "when its reports show no mail of yours that fails: p=quarantine, later p=reject";
	add(m, DNS_PLAN_TLSRPT, under(m, "_smtp._tls", d), "TXT",
	    arena_printf(m->c->arena, "v=TLSRPTv1; rua=mailto:postmaster@%.*s", STR_FMT(d)));
	m->p->policy = arena_printf(m->c->arena, "version: STSv1\r\nmode: testing\r\nmx: %.*s\r\nmax_age: 86400\r\n", STR_FMT(m->p->host));
	digest(m->p->policy, 8, &b); /* another policy has another id */
	r = add(m, DNS_PLAN_STS, under(m, "_mta-sts", d), "TXT", arena_printf(m->c->arena, "v=STSv1; id=%.*s", STR_FMT(buf_str(&b))));
	r->later = true;
	r->note = "only when a web server gives the policy by HTTPS at https://mta-sts.DOMAIN/.well-known/mta-sts.txt; this program has none yet";
}

/* RFC 7672 §3.1: DANE-EE, the key's SubjectPublicKeyInfo, SHA-256: stays right when the certificate is renewed with the same key. */
struct str dns_plan_certificate(struct cli *c)
{
	FILE          *f = fopen(arena_cstr(c->arena, c->config.tls_certificate), "re");
	X509          *cert = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	unsigned char *der = NULL;
	int            n = cert ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der) : 0;
	struct buf     text = { .p = arena_alloc(c->arena, 2 * SHA256 + 8), .cap = 2 * SHA256 + 8, .max = 2 * SHA256 + 8 };

	if (n > 0) {
		buf_add(&text, STR("3 1 1 "));
		digest(str_n(der, (size_t)n), SHA256, &text);
	}
	OPENSSL_free(der);
	X509_free(cert);
	if (f)
		fclose(f);
	return buf_str(&text);
}

static bool loopback(struct str host)
{
	return str_starts(host, STR("127.")) || str_eq(host, STR("::1")) || str_ieq(host, STR("localhost"));
}

static void srv(struct making *m)
{
	const struct config *config = &m->c->config;

	for (size_t s = 0; s < LEN(services); s++)
		for (size_t i = 0; i < config->listen_count; i++) {
			struct str host;
			uint32_t   port;

			if (config->listen[i].kind != services[s].kind || !config_address_split(config->listen[i].text, &host, &port) || loopback(host))
				continue;
			add(m, DNS_PLAN_SRV, under(m, services[s].service, m->p->domain), "SRV",
			    arena_printf(m->c->arena, "0 1 %u %.*s.", port, STR_FMT(m->p->host)));
			break;
		}
}

int dns_plan_make(struct cli *c, const char *domain, struct str certificate, struct dns_plan *ret)
{
	struct making   m = { c, ret };
	struct dns_plan keys = { .host = STR("") };
	int             code;

	*ret = (struct dns_plan){ .domain = STR("") };
	code = cli_config(c);
	if (code != CLI_OK)
		return code;
	ret->host = c->config.hostname;
	m.p = &keys;
	code = dkim(&m, domain);
	if (code != CLI_OK)
		return code;
	m.p = ret;
	ret->domain = keys.domain;
	addresses(&m);
	add(&m, DNS_PLAN_MX, ret->domain, "MX", arena_printf(c->arena, "10 %.*s.", STR_FMT(ret->host)));
	code = spf(&m);
	if (code != CLI_OK)
		return code;
	for (size_t i = 0; i < keys.count; i++)
		ret->records[ret->count++] = keys.records[i];
	reports(&m);
	if (certificate.n)
		add(&m, DNS_PLAN_TLSA, under(&m, "_25._tcp", ret->host), "TLSA", certificate)->note =
			"helps in a zone that is signed (DNSSEC), and harms when the key changes before the record does";
	srv(&m);
	return CLI_OK;
}

/* ---- printing ---- */

void dns_plan_quote(struct str text, struct buf *out)
{
	do {
		buf_addf(out, "%s\"%.*s\"", out->n ? " " : "", STR_FMT(str_first(text, 255)));
		text = str_from(text, 255);
	} while (text.n > 0);
}

static bool is_txt(const struct dns_plan_record *r)
{
	return strcmp(r->type, "TXT") == 0;
}

static void value_print(const struct dns_plan_record *r)
{
	struct buf b;

	buf_init(&b, 4 * KIB);
	if (is_txt(r))
		dns_plan_quote(r->text, &b);
	else
		buf_add(&b, r->text);
	printf("%.*s\n", STR_FMT(buf_str(&b)));
	buf_done(&b);
}

/* CR is for the web server. */
static void policy_print(const struct dns_plan *p, const char *before)
{
	struct str rest = p->policy, line;

	while (str_cut(rest, '\n', &line, &rest))
		printf("%s%.*s\n", before, STR_FMT(str_trim_ws(line)));
}

void dns_plan_print_table(const struct dns_plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct dns_plan_record *r = &p->records[i];

		printf("%s%.*s.  %s  ", r->later ? "(not yet) " : "", STR_FMT(r->name), r->type);
		value_print(r);
		if (r->note)
			printf("    %s\n", r->note);
		if (r->outside)
			printf("    in another zone than %.*s\n", STR_FMT(p->domain));
	}
	if (p->no_address)
		printf("\n%.*s needs A and AAAA records with this machine's addresses (--address prints them too).\n", STR_FMT(p->host));
	printf("\nThe name of each of these addresses (PTR) must be %.*s: whoever gives you the addresses sets it.\n"
	       "The policy of MTA-STS, once a web server can give it:\n",
	       STR_FMT(p->host));
	policy_print(p, "    ");
}

void dns_plan_print_zone(const struct dns_plan *p)
{
	printf("; Records of %.*s, to be put into its zone. Names are complete: the origin does not matter.\n", STR_FMT(p->domain));
	if (p->no_address)
		printf(";%.*s. 3600 IN A 192.0.2.1 ; this machine's addresses\n", STR_FMT(p->host));
	printf("; The name of each of these addresses (PTR, in another zone) must be %.*s.\n", STR_FMT(p->host));
	for (size_t i = 0; i < p->count; i++) {
		const struct dns_plan_record *r = &p->records[i];

		if (r->note)
			printf("; %s\n", r->note);
		if (r->outside)
			printf("; in another zone:\n");
		printf("%s%.*s. 3600 IN %s ", r->later || r->outside ? ";" : "", STR_FMT(r->name), r->type);
		value_print(r);
	}
	printf("; The policy of MTA-STS:\n");
	policy_print(p, ";   ");
}

json_t *dns_plan_json(const struct dns_plan *p)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < p->count; i++) {
		const struct dns_plan_record *r = &p->records[i];

		json_array_append_new(rows, json_pack("{s:o, s:s, s:o, s:b, s:b, s:s}", "name", cli_json_str(r->name), "type", r->type, "value",
						      cli_json_str(r->text), "later", r->later, "outside", r->outside, "note", r->note ? r->note : ""));
	}
	return rows;
}
