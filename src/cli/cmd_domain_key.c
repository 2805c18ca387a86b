/* cli/cmd_domain_key.c - domain key: the keys that a domain's mail is signed with.
 *
 * Changing one without a gap: add (a new key is not used yet), publish its record, activate (the former one is retired), and when what was
 * signed with that has arrived, some days later, remove it and its record.
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cli/cli.h"
#include "cli/dns_plan.h"
#include "ipc/msg_auth.h"

#define RSA_GOOD 2048u /* RFC 8301 §3.2: signers should use at least this */

static const char *const states[] = { [AUTH_KEY_NEW] = "new", [AUTH_KEY_ACTIVE] = "active", [AUTH_KEY_RETIRED] = "retired" };

static json_t *key_json(const struct auth_key *k)
{
	return json_pack("{s:o, s:o, s:I, s:s, s:I, s:o}", "selector", cli_json_str(k->selector), "algorithm",
			 cli_json_str(dkim_algorithm_name(k->algorithm)), "bits", (json_int_t)k->bits, "state", states[k->state], "created_ms",
			 (json_int_t)k->created_ms, "record", cli_json_str(k->record));
}

static int list(struct cli *c)
{
	struct auth_key_list_reply reply = { 0 };
	int     code = cli_ask(c, IPC_AUTH_KEY_LIST, &(struct auth_key_list_request){ str_of(c->args[1]) }, &reply, c->args[1]);
	json_t *rows = NULL;

	if (code != CLI_OK)
		return code;
	if (c->json)
		rows = json_array();
	else
		printf("%-24s %-16s %5s %-8s %s\n", "SELECTOR", "ALGORITHM", "BITS", "STATE", "SINCE");
	for (size_t i = 0; i < reply.key_count; i++) {
		const struct auth_key *k = &reply.keys[i];

		if (rows)
			json_array_append_new(rows, key_json(k));
		else
			printf("%-24.*s %-16.*s %5u %-8s %.*s\n", STR_FMT(k->selector), STR_FMT(dkim_algorithm_name(k->algorithm)), k->bits,
			       states[k->state], STR_FMT(cli_time(c->arena, k->created_ms)));
	}
	return rows ? cli_print_json(json_pack("{s:i, s:o, s:o}", "v", 1, "domain", cli_json_str(reply.domain), "keys", rows)) : CLI_OK;
}

static int key_read(struct cli *c, struct str *ret)
{
	return cli_input(c, LIMIT_DKIM_SECRET, ret) ? CLI_OK : cli_error(c, CLI_USAGE, "no private key in PEM form on standard input");
}

static int added(struct cli *c, const struct auth_key *k)
{
	struct buf text;

	if (k->algorithm == DKIM_RSA_SHA256 && k->bits < RSA_GOOD)
		fprintf(stderr, "postrider: %u bits are few today; a key of %u or more should follow (RFC 8301)\n", k->bits, RSA_GOOD);
	if (c->json)
		return cli_print_json(json_pack("{s:i, s:o}", "v", 1, "key", key_json(k)));
	buf_init(&text, 4 * KIB);
	dns_plan_quote(k->record, &text);
	printf("%.*s: key added, %s\n%.*s._domainkey.%s.  TXT  %.*s\n", STR_FMT(k->selector), states[k->state], STR_FMT(k->selector), c->args[1],
	       STR_FMT(buf_str(&text)));
	buf_done(&text);
	if (k->state == AUTH_KEY_NEW)
		printf("Publish this record, then: postrider domain key activate %s %.*s\n", c->args[1], STR_FMT(k->selector));
	return CLI_OK;
}

static int add(struct cli *c)
{
	struct auth_key_add_request q = { .domain = str_of(c->args[1]), .activate = cli_option(c, "activate") != NULL };
	const char                 *algorithm = cli_option(c, "algorithm"), *bits = cli_option(c, "bits");
	bool                        ed = algorithm && strcmp(algorithm, "ed25519") == 0;
	struct auth_key             key = { 0 };
	int                         code = CLI_OK;

	if (algorithm && !ed && strcmp(algorithm, "rsa") != 0)
		return cli_error(c, CLI_USAGE, "--algorithm %s: rsa or ed25519", algorithm);
	if (bits && (ed || !str_to_u32(str_of(bits), &q.bits) || q.bits < LIMIT_DKIM_RSA_MIN || q.bits > LIMIT_DKIM_RSA_MAX))
		return cli_error(c, CLI_USAGE, "--bits %s: from %u to %u, for RSA", bits, LIMIT_DKIM_RSA_MIN, LIMIT_DKIM_RSA_MAX);
	q.algorithm = ed ? DKIM_ED25519_SHA256 : DKIM_RSA_SHA256;
	if (c->arg_count == 3)
		q.selector = str_of(c->args[2]);
	if (cli_option(c, "key-stdin"))
		code = algorithm || bits ? cli_error(c, CLI_USAGE, "--key-stdin: the key says its algorithm and bits itself") : key_read(c, &q.secret);
	if (code == CLI_OK)
		code = cli_ask(c, IPC_AUTH_KEY_ADD, &q, &key, c->args[1]);
	return code == CLI_OK ? added(c, &key) : code;
}

static int change(struct cli *c, enum auth_key_change what, const char *text)
{
	struct auth_key_change_request q = { str_of(c->args[1]), str_of(c->args[2]), what };
	int                            code = cli_ask(c, IPC_AUTH_KEY_CHANGE, &q, NULL, c->args[2]);

	return code == CLI_OK ? cli_done(c, text, c->args[2]) : code;
}

int cmd_domain_key(struct cli *c)
{
	struct str verb = str_of(c->args[0]);

	if (str_eq(verb, STR("list")) && c->arg_count == 2)
		return list(c);
	if (str_eq(verb, STR("add")))
		return add(c);
	if (str_eq(verb, STR("activate")) && c->arg_count == 3)
		return change(c, AUTH_KEY_ACTIVATE, "active");
	if (str_eq(verb, STR("retire")) && c->arg_count == 3)
		return change(c, AUTH_KEY_RETIRE, "retired; its record stays until what was signed with it has arrived");
	if (str_eq(verb, STR("remove")) && c->arg_count == 3)
		return change(c, AUTH_KEY_REMOVE, "removed");
	return cli_error(c, CLI_USAGE, "usage: postrider %s %s %s", c->command->group, c->command->name, c->command->usage);
}
