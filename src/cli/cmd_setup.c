/* cli/cmd_setup.c - setup: configuration, certificate, system users, first domain and account; prints the DNS records. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/cli_install.h"
#include "cli/dns_plan.h"
#include "ipc/msg_auth.h"
#include "role/master.h"
#include "sys/dir.h"
#include "sys/fd.h"

static const char *const listen_standard[LISTEN_KINDS] = {
	[LISTEN_SMTP] = "*:25", [LISTEN_SUBMISSION] = "*:587", [LISTEN_SUBMISSIONS] = "*:465", [LISTEN_IMAP] = "*:143", [LISTEN_IMAPS] = "*:993",
	[LISTEN_POP3] = "*:110", [LISTEN_POP3S] = "*:995",
};

static void config_fill(struct cli *c, const char *domain, const char *dir)
{
	const char *hostname = cli_option(c, "hostname"), *data = cli_option(c, "data");

	config_defaults(&c->config, c->arena);
	c->config.hostname = hostname ? str_of(hostname) : arena_printf(c->arena, "mail.%s", domain);
	if (data)
		c->config.data = str_of(data);
	c->config.listen = ARENA_ARRAY(c->arena, struct config_address, LISTEN_KINDS);
	for (uint32_t k = 0; k < LISTEN_KINDS; k++)
		if (listen_standard[k]) /* others only where they are wanted */
			c->config.listen[c->config.listen_count++] = (struct config_address){ str_of(listen_standard[k]), k };
	c->config.trash_s = c->config.junk_s = 30 * 86400; /* said in the file, for everybody to see: it expunges mail */
	c->config.tls_certificate = arena_printf(c->arena, "%s/tls.crt", dir);
	c->config.tls_key = arena_printf(c->arena, "%s/tls.key", dir);
	c->config_loaded = true;
}

static int first_account(struct cli *c, const char *domain, const char *admin, struct str password)
{
	struct auth_domain_request      d = { .name = str_of(domain) };
	struct auth_name                name = { .address = str_of(admin) };
	struct auth_account_add_request a = { .names = &name, .name_count = 1, .password = password };
	int                             code = cli_ask(c, IPC_AUTH_DOMAIN_ADD, &d, NULL, domain);

	return code == CLI_OK || code == CLI_EXISTS ? cli_ask(c, IPC_AUTH_ACCOUNT_ADD, &a, &(struct auth_account_add_reply){ 0 }, admin) : code;
}

int cmd_setup(struct cli *c)
{
	const char           *domain = cli_option(c, "domain"), *admin = cli_option(c, "admin"), *at;
	CLEANUP(fd_close) int dir = -1;
	struct str            password, path_dir, unused, certificate;
	char                 *whole, part[DIR_PATH_MAX];
	struct dns_plan       dns;
	int                   code;

	if (!domain || !admin)
		return cli_error(c, CLI_USAGE, "--domain and --admin are needed: postrider setup --domain example.org --admin me@example.org");
	at = strrchr(admin, '@');
	if (!at || strcasecmp(at + 1, domain) != 0)
		return cli_error(c, CLI_USAGE, "--admin must be an address in %s", domain);
	if (access(c->config_path, F_OK) == 0)
		return cli_error(c, CLI_EXISTS, "%s exists already; it was not touched", c->config_path);
	str_rcut(str_of(c->config_path), '/', &path_dir, &unused);
	code = cli_password(c, &password);
	if (code != CLI_OK)
		return code;
	if (dir_trust(path_dir.n ? arena_cstr(c->arena, path_dir) : ".", part) == ST_DENIED)
		return cli_error(c, CLI_DENIED, "%s: another user could put something else in the place of %s, as its owner or mode allows", c->config_path, part);
	if (dir_open(AT_FDCWD, path_dir.n ? arena_cstr(c->arena, path_dir) : ".", 0755, true, &dir) != ST_OK)
		return cli_error(c, CLI_DENIED, "cannot make the directory of %s", c->config_path);
	whole = realpath(path_dir.n ? arena_cstr(c->arena, path_dir) : ".", NULL);
	if (!whole)
		return cli_error(c, CLI_FAILED, "the directory of %s cannot be reached", c->config_path);
	config_fill(c, domain, arena_cstr(c->arena, str_of(whole)));
	free(whole);
	code = cli_users_make(c, &c->config);
	if (code == CLI_OK)
		code = cli_certificate_make(c, dir, c->config.hostname);
	if (code == CLI_OK)
		code = cli_config_write(c, c->config_path, &c->config, false);
	certificate = dns_plan_certificate(c);
	if (code == CLI_OK)
		code = first_account(c, domain, admin, password);
	if (code == CLI_OK)
		code = dns_plan_make(c, domain, certificate, &dns);
	if (code != CLI_OK)
		return code;
	if (c->json)
		return cli_print_json(json_pack("{s:i, s:s, s:s, s:s, s:o}", "v", 1, "config", c->config_path, "domain", domain, "admin", admin,
						"records", dns_plan_json(&dns)));
	printf("Configuration: %s\nCertificate:   %.*s (self-signed: replace it by one from a certificate authority)\nAccount:       %s\n",
	       c->config_path, STR_FMT(c->config.tls_certificate), admin);
	printf("\nDNS records to publish ('postrider domain dns %s' shows them again):\n\n", domain);
	dns_plan_print_table(&dns);
	printf("\nStart the server with: postrider serve --config %s\n", c->config_path);
	return CLI_OK;
}
