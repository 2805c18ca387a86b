/* cli/cmd_credential.c - account certificate, account token: what signs in beside the password. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/cli.h"
#include "ipc/msg_auth.h"
#include "wire/text/text_base64.h"

static struct str hex(struct arena *a, struct str octets)
{
	struct buf b = { .p = arena_alloc(a, 2 * octets.n + 1), .cap = 2 * octets.n, .max = 2 * octets.n };

	buf_add_hex(&b, octets);
	return buf_str(&b);
}

/* A fingerprint as openssl and others print it: hexadecimal, with colons or without; also its beginning. */
static bool fingerprint_parse(struct arena *a, struct str text, struct str *ret)
{
	struct buf digits = { .p = arena_alloc(a, text.n), .cap = text.n, .max = text.n };
	struct buf b = { .p = arena_alloc(a, text.n), .cap = text.n, .max = AUTH_CREDENTIAL_HASH };

	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != ':')
			buf_add_char(&digits, text.p[i]);
	if (!text_hex_decode(buf_str(&digits), &b) || b.over || b.n == 0)
		return false;
	*ret = buf_str(&b);
	return true;
}

/* The fingerprint of the first certificate in a PEM file. */
static bool fingerprint_read(struct arena *a, const char *path, struct str *ret)
{
	FILE    *f = fopen(path, "r");
	X509    *cert = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	char    *out = arena_alloc(a, AUTH_CREDENTIAL_HASH);
	unsigned n = 0;
	bool     ok = cert && X509_digest(cert, EVP_sha256(), (unsigned char *)out, &n) == 1;

	X509_free(cert);
	if (f)
		fclose(f);
	*ret = str_n(out, n);
	return ok;
}

static int done(struct cli *c, const char *text, struct str hash)
{
	if (c->json)
		return cli_print_json(json_pack("{s:i, s:s, s:s, s:o}", "v", 1, "done", text, "subject", c->args[1], "id",
						cli_json_str(hex(c->arena, hash))));
	printf("%s: %s %.*s\n", c->args[1], text, STR_FMT(hex(c->arena, hash)));
	return CLI_OK;
}

static int list(struct cli *c, enum auth_credential_kind kind)
{
	struct auth_credential_list_request q = { .address = str_of(c->args[1]), .kind = kind };
	struct auth_credential_list_reply   reply = { 0 };
	json_t                             *rows = NULL;
	int                                 code = cli_ask(c, IPC_AUTH_CREDENTIAL_LIST, &q, &reply, c->args[1]);

	if (code != CLI_OK)
		return code;
	if (c->json)
		rows = json_array();
	else
		printf("%-64s  %-19s  %s\n", "ID", "SINCE", "UNTIL");
	for (size_t i = 0; i < reply.row_count; i++) {
		const struct auth_credential *r = &reply.rows[i];
		struct str                    id = hex(c->arena, r->hash);

		if (rows)
			json_array_append_new(rows, json_pack("{s:o, s:I, s:I}", "id", cli_json_str(id), "created_ms",
							      (json_int_t)r->created_ms, "expires_ms", (json_int_t)r->expires_ms));
		else
			printf("%.*s  %-19.*s  %.*s\n", STR_FMT(id), STR_FMT(cli_time(c->arena, r->created_ms)),
			       STR_FMT(r->expires_ms ? cli_time(c->arena, r->expires_ms) : STR("-")));
	}
	return rows ? cli_print_json(json_pack("{s:i, s:o}", "v", 1, "rows", rows)) : CLI_OK;
}

static int credential_remove(struct cli *c, enum auth_credential_kind kind)
{
	struct auth_credential_remove_request q = { .address = str_of(c->args[1]), .kind = kind };
	int                                   code;

	if (!fingerprint_parse(c->arena, str_of(c->args[2]), &q.hash) && !fingerprint_read(c->arena, c->args[2], &q.hash))
		return cli_error(c, CLI_USAGE, "%s: no hexadecimal id, and no certificate file", c->args[2]);
	code = cli_ask(c, IPC_AUTH_CREDENTIAL_REMOVE, &q, NULL, c->args[2]);
	return code == CLI_OK ? done(c, "removed", q.hash) : code;
}

static int certificate_add(struct cli *c)
{
	struct auth_credential_add_request q = { .address = str_of(c->args[1]), .kind = AUTH_CREDENTIAL_CERTIFICATE };
	struct auth_credential_add_reply   reply = { 0 };
	int                                code;

	if (!fingerprint_read(c->arena, c->args[2], &q.hash) &&
	    (!fingerprint_parse(c->arena, str_of(c->args[2]), &q.hash) || q.hash.n != AUTH_CREDENTIAL_HASH))
		return cli_error(c, CLI_USAGE, "%s: no PEM file with a certificate, and no SHA-256 fingerprint", c->args[2]);
	code = cli_ask(c, IPC_AUTH_CREDENTIAL_ADD, &q, &reply, c->args[2]);
	return code == CLI_OK ? done(c, "certificate added", q.hash) : code;
}

static int token_print(struct cli *c, const struct auth_credential_add_reply *r)
{
	if (c->json)
		return cli_print_json(json_pack("{s:i, s:o, s:o, s:I}", "v", 1, "token", cli_json_str(r->token), "id",
						cli_json_str(hex(c->arena, r->hash)), "expires_ms", (json_int_t)r->expires_ms));
	printf("%.*s\n", STR_FMT(r->token));
	fprintf(stderr, "This is shown once. It is good %s%.*s.\n", r->expires_ms ? "until " : "until it is removed",
		STR_FMT(r->expires_ms ? cli_time(c->arena, r->expires_ms) : STR("")));
	return CLI_OK;
}

static int token_add(struct cli *c)
{
	struct auth_credential_add_request q = { .address = str_of(c->args[1]), .kind = AUTH_CREDENTIAL_TOKEN };
	struct auth_credential_add_reply   reply = { 0 };
	const char                        *days = cli_option(c, "days");
	int                                code;

	if (days && (!str_to_u32(str_of(days), &q.days) || q.days == 0 || q.days > LIMIT_TOKEN_DAYS))
		return cli_error(c, CLI_USAGE, "--days %s: a number from 1 to %u", days, LIMIT_TOKEN_DAYS);
	code = cli_ask(c, IPC_AUTH_CREDENTIAL_ADD, &q, &reply, c->args[1]);
	return code == CLI_OK ? token_print(c, &reply) : code;
}

static int usage(struct cli *c)
{
	return cli_error(c, CLI_USAGE, "usage: postrider %s %s %s", c->command->group, c->command->name, c->command->usage);
}

int cmd_account_certificate(struct cli *c)
{
	struct str verb = str_of(c->args[0]);

	if (str_eq(verb, STR("list")) && c->arg_count == 2)
		return list(c, AUTH_CREDENTIAL_CERTIFICATE);
	if (str_eq(verb, STR("add")) && c->arg_count == 3)
		return certificate_add(c);
	if (str_eq(verb, STR("remove")) && c->arg_count == 3)
		return credential_remove(c, AUTH_CREDENTIAL_CERTIFICATE);
	return usage(c);
}

int cmd_account_token(struct cli *c)
{
	struct str verb = str_of(c->args[0]);

	if (str_eq(verb, STR("list")) && c->arg_count == 2)
		return list(c, AUTH_CREDENTIAL_TOKEN);
	if (str_eq(verb, STR("add")) && c->arg_count == 2)
		return token_add(c);
	if (str_eq(verb, STR("remove")) && c->arg_count == 3)
		return credential_remove(c, AUTH_CREDENTIAL_TOKEN);
	return usage(c);
}
