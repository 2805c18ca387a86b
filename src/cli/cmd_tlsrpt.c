/* cli/cmd_tlsrpt.c - tlsrpt list, show: how TLS with other domains went, as RFC 8460 §4.4 reports it. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "ipc/msg_trust.h"
#include "sys/clock.h"
#include "wire/address/address.h"
#include "wire/sts/sts_policy.h"

#define DAY_S ((int64_t)24 * 3600)

/* RFC 8460 §4.2 */
static const char *const policy_names[] = { [TLSRPT_NO_POLICY] = "no-policy-found", [TLSRPT_STS] = "sts", [TLSRPT_TLSA] = "tlsa" };
_Static_assert(LEN(policy_names) == TLSRPT_POLICY_LAST + 1, "a name per policy");

/* RFC 8460 §4.3 */
static const char *const result_names[] = {
	[TLSRPT_SUCCESS] = "success",
	[TLSRPT_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
	[TLSRPT_CERTIFICATE_HOST_MISMATCH] = "certificate-host-mismatch",
	[TLSRPT_CERTIFICATE_EXPIRED] = "certificate-expired",
	[TLSRPT_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
	[TLSRPT_VALIDATION_FAILURE] = "validation-failure",
	[TLSRPT_TLSA_INVALID] = "tlsa-invalid",
	[TLSRPT_DNSSEC_INVALID] = "dnssec-invalid",
	[TLSRPT_DANE_REQUIRED] = "dane-required",
	[TLSRPT_STS_POLICY_FETCH_ERROR] = "sts-policy-fetch-error",
	[TLSRPT_STS_POLICY_INVALID] = "sts-policy-invalid",
	[TLSRPT_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
};
_Static_assert(LEN(result_names) == TLSRPT_RESULT_LAST + 1, "a name per result");

/* ---- the day ---- */

static bool date_parse(const char *text, int64_t *ret_s)
{
	struct tm   tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%d", &tm);
	time_t      t = end && *end == '\0' ? timegm(&tm) : -1;

	*ret_s = t;
	return t >= 0 && t / DAY_S <= UINT32_MAX;
}

/* --day YYYY-MM-DD; today is the default. All in UTC. */
static bool day_option(struct cli *c, uint32_t *ret_day, char ret_text[11])
{
	const char *text = cli_option(c, "day");
	int64_t     s = clock_wall_ms() / 1000;
	struct tm   tm;
	time_t      t;

	if (text && strcmp(text, "yesterday") == 0)
		s -= DAY_S;
	else if (text && strcmp(text, "today") != 0 && !date_parse(text, &s))
		return false;
	*ret_day = (uint32_t)(MAX(s, (int64_t)0) / DAY_S);
	t = (time_t)*ret_day * DAY_S;
	return gmtime_r(&t, &tm) && strftime(ret_text, 11, "%Y-%m-%d", &tm) == 10;
}

static int bad_day(struct cli *c)
{
	return cli_error(c, CLI_USAGE, "--day takes today, yesterday or a date like 2026-11-28 (UTC)");
}

/* ---- list ---- */

static void domains_tell(struct cli *c, const struct auth_tlsrpt_list_reply *page, json_t *all)
{
	for (size_t i = 0; i < page->domain_count; i++) {
		const struct tlsrpt_domain *d = &page->domains[i];

		if (all)
			json_array_append_new(all, json_pack("{s:o, s:I, s:I}", "domain", cli_json_str(d->domain), "successes",
							     (json_int_t)d->successes, "failures", (json_int_t)d->failures));
		else
			printf("%8llu ok %8llu failed  %.*s\n", (unsigned long long)d->successes, (unsigned long long)d->failures,
			       STR_FMT(cli_text(c->arena, d->domain)));
	}
}

int cmd_tlsrpt_list(struct cli *c)
{
	struct auth_tlsrpt_list_request q = { .after = STR("") };
	json_t                         *all = c->json ? json_array() : NULL;
	char                            day[11];
	uint64_t                        count = 0;
	bool                            more = true;

	if (!day_option(c, &q.day, day))
		return bad_day(c);
	while (more) {
		struct auth_tlsrpt_list_reply page = { 0 };
		int                           code = cli_ask(c, IPC_AUTH_TLSRPT_LIST, &q, &page, "TLS results");

		if (code != CLI_OK)
			return code;
		domains_tell(c, &page, all);
		count += page.domain_count;
		more = page.more && page.domain_count > 0;
		if (more)
			q.after = page.domains[page.domain_count - 1].domain;
	}
	if (c->json)
		return cli_print_json(json_pack("{s:i, s:s, s:o}", "v", 1, "day", day, "domains", all));
	printf("%llu domain%s on %s\n", (unsigned long long)count, count == 1 ? "" : "s", day);
	return CLI_OK;
}

/* ---- show: the report ---- */

static json_t *lines_json(struct str text)
{
	json_t    *all = json_array();
	struct str line;

	while (text.n > 0) {
		(void)str_cut(text, '\n', &line, &text);
		json_array_append_new(all, cli_json_str(line));
	}
	return all;
}

static json_t *patterns_json(struct str text)
{
	json_t    *all = json_array();
	struct str pattern;

	while (sts_policy_mx(&text, &pattern))
		json_array_append_new(all, cli_json_str(pattern));
	return all;
}

static void add_known(json_t *o, const char *name, struct str value)
{
	if (value.n > 0)
		json_object_set_new(o, name, cli_json_str(value));
}

static json_t *failure_json(const struct tlsrpt_failure *f)
{
	json_t *o = json_pack("{s:s}", "result-type", result_names[f->result]);

	add_known(o, "sending-mta-ip", f->sending_ip);
	add_known(o, "receiving-mx-hostname", f->mx_host);
	add_known(o, "receiving-mx-helo", f->mx_helo);
	add_known(o, "receiving-ip", f->receiving_ip);
	json_object_set_new(o, "failed-session-count", json_integer((json_int_t)f->count));
	add_known(o, "failure-reason-code", f->reason);
	return o;
}

/* RFC 8460 §4.4: policy-string and mx-host only where there is a policy. */
static json_t *policy_json(const struct tlsrpt_report *r, struct str domain)
{
	json_t *policy = json_pack("{s:s}", "policy-type", policy_names[r->policy]);
	json_t *failures = json_array(), *o;

	if (r->policy_text.n > 0)
		json_object_set_new(policy, "policy-string", lines_json(r->policy_text));
	json_object_set_new(policy, "policy-domain", cli_json_str(domain));
	if (r->policy == TLSRPT_STS && r->policy_text.n > 0)
		json_object_set_new(policy, "mx-host", patterns_json(r->policy_text));
	for (size_t i = 0; i < r->failure_count; i++)
		json_array_append_new(failures, failure_json(&r->failures[i]));
	o = json_pack("{s:o, s:{s:I, s:I}}", "policy", policy, "summary", "total-successful-session-count", (json_int_t)r->successes,
		      "total-failure-session-count", (json_int_t)r->failures_total);
	if (r->failure_count > 0)
		json_object_set_new(o, "failure-details", failures);
	else
		json_decref(failures);
	return o;
}

static int report_print(struct cli *c, const struct auth_tlsrpt_show_reply *r, struct str domain, const char *day)
{
	struct str host = c->config.hostname;
	json_t    *policies = json_array(), *report;

	for (size_t i = 0; i < r->policy_count; i++)
		json_array_append_new(policies, policy_json(&r->policies[i], domain));
	report = json_pack("{s:o, s:{s:o, s:o}, s:o, s:o, s:o}", "organization-name", cli_json_str(host), "date-range", "start-datetime",
			   cli_json_str(arena_printf(c->arena, "%sT00:00:00Z", day)), "end-datetime",
			   cli_json_str(arena_printf(c->arena, "%sT23:59:59Z", day)), "contact-info",
			   cli_json_str(arena_printf(c->arena, "postmaster@%.*s", STR_FMT(host))), "report-id",
			   cli_json_str(arena_printf(c->arena, "%s.%.*s@%.*s", day, STR_FMT(domain), STR_FMT(host))), "policies", policies);
	return cli_print_json(report);
}

static void failure_print(struct cli *c, const struct tlsrpt_failure *f)
{
	printf("  %8llu %-26s %.*s", (unsigned long long)f->count, result_names[f->result], STR_FMT(cli_text(c->arena, f->mx_host)));
	if (f->receiving_ip.n > 0)
		printf(" [%.*s]", STR_FMT(cli_text(c->arena, f->receiving_ip)));
	if (f->sending_ip.n > 0)
		printf(" from [%.*s]", STR_FMT(cli_text(c->arena, f->sending_ip)));
	if (f->reason.n > 0)
		printf(" (%.*s)", STR_FMT(cli_text(c->arena, f->reason)));
	printf("\n");
}

static void table_print(struct cli *c, const struct auth_tlsrpt_show_reply *r, struct str domain, const char *day)
{
	printf("%.*s on %s\n", STR_FMT(cli_text(c->arena, domain)), day);
	for (size_t i = 0; i < r->policy_count; i++) {
		const struct tlsrpt_report *p = &r->policies[i];
		struct str                  text = p->policy_text, line;

		printf("%s: %llu ok, %llu failed\n", policy_names[p->policy], (unsigned long long)p->successes, (unsigned long long)p->failures_total);
		while (text.n > 0) {
			(void)str_cut(text, '\n', &line, &text);
			printf("    %.*s\n", STR_FMT(cli_text(c->arena, line)));
		}
		for (size_t k = 0; k < p->failure_count; k++)
			failure_print(c, &p->failures[k]);
	}
}

int cmd_tlsrpt_show(struct cli *c)
{
	struct auth_tlsrpt_show_request q;
	struct auth_tlsrpt_show_reply   r = { 0 };
	struct address_canon            canon;
	char                            day[11];
	int                             code;

	if (!day_option(c, &q.day, day))
		return bad_day(c);
	if (address_domain(str_of(c->args[0]), &canon) != ADDRESS_OK)
		return cli_error(c, CLI_USAGE, "%s is no domain", c->args[0]);
	q.domain = str_n(canon.text, canon.n);
	code = cli_ask(c, IPC_AUTH_TLSRPT_SHOW, &q, &r, c->args[0]);
	if (code != CLI_OK)
		return code;
	if (c->json)
		return report_print(c, &r, q.domain, day);
	table_print(c, &r, q.domain, day);
	return CLI_OK;
}
