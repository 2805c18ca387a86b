/* cli/cmd_domain_dns.c - domain dns: the records that a domain needs; --check: what DNS answers now, by the server's own resolver. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cli/cli.h"
#include "cli/dns_plan.h"
#include "ipc/msg_dns.h"
#include "wire/address/address.h"
#include "wire/address/cidr.h"

enum found { FOUND_OK, FOUND_OTHER, FOUND_MISSING, FOUND_SKIPPED, FOUND_NO_ANSWER, FOUND_LAST = FOUND_NO_ANSWER };

static const char *const found_names[] = { "ok", "different", "missing", "not checked", "no answer" };
_Static_assert(LEN(found_names) == FOUND_LAST + 1, "a name for each");

static bool type_of(const struct dns_plan_record *r, enum dns_type *ret)
{
	static const struct {
		const char   *name;
		enum dns_type type;
	} types[] = { { "A", DNS_A }, { "AAAA", DNS_AAAA }, { "MX", DNS_MX }, { "TXT", DNS_TXT }, { "SRV", DNS_SRV }, { "TLSA", DNS_TLSA } };

	for (size_t i = 0; i < LEN(types); i++)
		if (strcmp(types[i].name, r->type) == 0) {
			*ret = types[i].type;
			return true;
		}
	return false;
}

/* A TXT record with this beginning is of this kind; others at the same name have nothing to do with it. */
static struct str beginning(enum dns_plan_kind kind)
{
	switch (kind) {
	case DNS_PLAN_SPF:    return STR("v=spf1");
	case DNS_PLAN_DMARC:  return STR("v=DMARC1");
	case DNS_PLAN_TLSRPT: return STR("v=TLSRPTv1");
	case DNS_PLAN_STS:    return STR("v=STSv1");
	default:              return STR("");
	}
}

/* Without blanks: zones are written by hand. */
static struct str squeezed(struct arena *a, struct str s)
{
	char  *p = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_wsp(s.p[i]))
			p[n++] = s.p[i];
	return str_n(p, n);
}

/* "3 1 1 hex" of a TLSA record's data. */
static struct str tlsa_text(struct arena *a, struct str data)
{
	struct buf b = { .p = arena_alloc(a, 2 * data.n + 16), .cap = 2 * data.n + 16, .max = 2 * data.n + 16 };

	if (data.n < 3)
		return STR_NONE;
	buf_addf(&b, "%u %u %u ", (unsigned char)data.p[0], (unsigned char)data.p[1], (unsigned char)data.p[2]);
	buf_add_hex(&b, str_from(data, 3));
	return buf_str(&b);
}

/* "587 mail.example.org": priority and weight are their owner's choice. */
static struct str srv_at(struct str text)
{
	struct str unused;

	for (unsigned i = 0; i < 2; i++)
		(void)str_cut(text, ' ', &unused, &text);
	return address_without_dot(text);
}

static bool same(struct cli *c, const struct dns_plan *p, const struct dns_plan_record *r, struct str data)
{
	switch (r->kind) {
	case DNS_PLAN_MX:   return str_ieq(data, p->host);
	case DNS_PLAN_TLSA: return str_ieq(tlsa_text(c->arena, data), r->text);
	case DNS_PLAN_SRV:  return str_ieq(srv_at(data), srv_at(r->text));
	/* What else these say is its owner's choice: a stricter policy, another place for reports. */
	case DNS_PLAN_DMARC:
	case DNS_PLAN_TLSRPT: return true;
	default:              return str_eq(squeezed(c->arena, data), squeezed(c->arena, r->text));
	}
}

/* *ret_seen: what is there instead. */
static enum found compare(struct cli *c, const struct dns_plan *p, const struct dns_plan_record *r, const struct dns_lookup_reply *reply,
			  struct str *ret_seen)
{
	struct str want = beginning(r->kind);

	*ret_seen = STR("");
	for (size_t i = 0; i < reply->record_count; i++) {
		struct str data = reply->records[i].data;

		if (!str_istarts(data, want))
			continue;
		if (same(c, p, r, data))
			return FOUND_OK;
		*ret_seen = r->kind == DNS_PLAN_TLSA ? tlsa_text(c->arena, data) : data;
	}
	return ret_seen->n ? FOUND_OTHER : FOUND_MISSING;
}

/* DNS has failed, and not the server: said, and the other records are looked at. */
static bool no_answer(const struct cli *c, enum status st, struct str name)
{
	if (st != ST_TEMP && st != ST_CORRUPT)
		return false;
	if (!c->json)
		fprintf(stderr, "postrider: DNS gave no answer for %.*s%s\n", STR_FMT(name), st == ST_CORRUPT ? " that can be trusted (DNSSEC)" : "");
	return true;
}

static int check_one(struct cli *c, const struct dns_plan *p, const struct dns_plan_record *r, enum found *ret, struct str *ret_seen, bool *ret_secure)
{
	struct dns_lookup_request q = { .name = r->name };
	struct dns_lookup_reply   reply = { 0 };
	enum status               st;

	*ret = FOUND_SKIPPED;
	*ret_seen = STR("");
	*ret_secure = false;
	if (r->later || !type_of(r, &q.type))
		return CLI_OK;
	st = cli_ask_server(c, IPC_DNS_SHOW, &q, &reply);
	if (no_answer(c, st, r->name)) {
		*ret = FOUND_NO_ANSWER;
		return CLI_OK;
	}
	if (st != ST_OK)
		return cli_fail(c, st, arena_cstr(c->arena, r->name));
	*ret = compare(c, p, r, &reply, ret_seen);
	*ret_secure = reply.security == DNS_SECURE;
	return CLI_OK;
}

static void check_print(struct cli *c, json_t *rows, const struct dns_plan_record *r, enum found found, struct str seen, bool secure)
{
	if (rows) {
		json_array_append_new(rows, json_pack("{s:o, s:s, s:o, s:s, s:o, s:b}", "name", cli_json_str(r->name), "type", r->type, "value",
						      cli_json_str(r->text), "found", found_names[found], "instead", cli_json_str(seen), "secure", secure));
		return;
	}
	printf("%-12s %-5s %.*s\n", found_names[found], r->type, STR_FMT(r->name));
	if (found == FOUND_OTHER)
		printf("             there is   %.*s\n", STR_FMT(cli_text(c->arena, seen)));
	if (found == FOUND_OTHER || found == FOUND_MISSING)
		printf("             wanted is  %.*s\n", STR_FMT(r->text));
	if (found == FOUND_OK && r->kind == DNS_PLAN_TLSA && !secure)
		printf("             of no use: its zone is not signed (DNSSEC)\n");
}

static int check(struct cli *c, const struct dns_plan *p)
{
	json_t *rows = c->json ? json_array() : NULL;
	bool    all = true, answered = true;

	for (size_t i = 0; i < p->count; i++) {
		const struct dns_plan_record *r = &p->records[i];
		enum found                    found;
		struct str                    seen;
		bool                          secure;
		int                           code = check_one(c, p, r, &found, &seen, &secure);

		if (code != CLI_OK) {
			json_decref(rows);
			return code;
		}
		check_print(c, rows, r, found, seen, secure);
		all = all && (found == FOUND_OK || found == FOUND_SKIPPED);
		answered = answered && found != FOUND_NO_ANSWER;
	}
	if (rows)
		cli_print_json(json_pack("{s:i, s:o, s:b, s:o}", "v", 1, "domain", cli_json_str(p->domain), "ok", all, "records", rows));
	return !answered ? CLI_TRY_LATER : all ? CLI_OK : CLI_FAILED;
}

static bool addresses_valid(const struct cli *c, const char **ret_wrong)
{
	unsigned count = 0;

	for (unsigned i = 0; i < c->option_count; i++)
		if (strcmp(c->options[i].name, "address") == 0) {
			struct cidr ip;

			*ret_wrong = c->options[i].value;
			if (++count > DNS_PLAN_ADDRESS || !cidr_parse(str_of(*ret_wrong), &ip) || strchr(*ret_wrong, '/'))
				return false;
		}
	return true;
}

int cmd_domain_dns(struct cli *c)
{
	struct dns_plan p;
	const char     *wrong;
	int             code;

	if (!addresses_valid(c, &wrong))
		return cli_error(c, CLI_USAGE, "--address %s: no IP address, or too many", wrong);
	if (cli_option(c, "check") && cli_option(c, "zone"))
		return cli_error(c, CLI_USAGE, "--zone prints records, --check compares them: one of them");
	code = cli_config(c);
	if (code == CLI_OK)
		code = dns_plan_make(c, c->args[0], dns_plan_certificate(c), &p);
	if (code != CLI_OK)
		return code;
	if (cli_option(c, "check"))
		return check(c, &p);
	if (c->json)
		return cli_print_json(json_pack("{s:i, s:o, s:o, s:o, s:o}", "v", 1, "domain", cli_json_str(p.domain), "hostname", cli_json_str(p.host),
						"records", dns_plan_json(&p), "sts_policy", cli_json_str(p.policy)));
	if (cli_option(c, "zone"))
		dns_plan_print_zone(&p);
	else
		dns_plan_print_table(&p);
	return CLI_OK;
}
