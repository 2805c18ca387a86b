/* cli/cli_install.c - see cli_install.h. */
#include "cli/cli_install.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/net_cert.h"
#include "role/master.h"
#include "role/role.h"
#include "sys/dir.h"
#include "sys/fd.h"
#include "sys/spawn.h"

#define CERTIFICATE_DAYS 3650 /* a first one: a real one replaces it */

int cli_users_make(struct cli *c, const struct config *config)
{
	if (geteuid() != 0)
		return CLI_OK;
	for (unsigned id = 0; id < ROLE_COUNT; id++) {
		const struct role_def *def = role_def_of((enum role_id)id);
		bool                   change;
		uid_t                  uid;
		gid_t                  gid;

		if (!def || master_user(config, def->user, &change, &uid, &gid) == ST_OK)
			continue;
		const char *name = arena_printf(c->arena, "%.*s%s", STR_FMT(config->users), def->user).p;
		const char *argv[] = { "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
				       "--shell", "/usr/sbin/nologin", name, NULL };
		if (spawn_run("/usr/sbin/useradd", argv) != ST_OK)
			return cli_error(c, CLI_FAILED, "cannot make the system user %s (useradd)", name);
	}
	return CLI_OK;
}

int cli_certificate_make(struct cli *c, int dir, struct str name)
{
	struct buf  certificate, key;
	enum status st;

	if (faccessat(dir, "tls.crt", F_OK, 0) == 0 && faccessat(dir, "tls.key", F_OK, 0) == 0)
		return CLI_OK;
	buf_init(&certificate, 64 * KIB);
	buf_init(&key, 64 * KIB);
	st = net_cert_self_signed(name, CERTIFICATE_DAYS, &certificate, &key);
	if (st == ST_OK)
		st = file_replace(dir, "tls.key", 0600, buf_str(&key));
	if (st == ST_OK)
		st = file_replace(dir, "tls.crt", 0644, buf_str(&certificate));
	if (key.n)
		explicit_bzero(key.p, key.n);
	buf_done(&key);
	buf_done(&certificate);
	return st == ST_OK ? CLI_OK : cli_fail(c, st, "certificate");
}

int cli_config_write(struct cli *c, const char *path, const struct config *config, bool replace)
{
	struct buf  out;
	enum status st;

	if (!replace && access(path, F_OK) == 0)
		return cli_error(c, CLI_EXISTS, "%s exists already; it was not touched", path);
	buf_init(&out, MIB);
	buf_add(&out, STR("# Postrider. 'postrider config show' prints all settings in effect, 'postrider config check' says what is wrong.\n\n"));
	config_print(config, &out);
	st = file_replace(AT_FDCWD, path, 0644, buf_str(&out));
	buf_done(&out);
	return st == ST_OK ? CLI_OK : cli_fail(c, st, path);
}
