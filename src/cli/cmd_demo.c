/* cli/cmd_demo.c - demo: the whole system on loopback, with accounts, a first message, and how to connect.
 *
 * Two processes: the child is the master of a normal server (role/master.h) over a configuration made here; the parent is a client
 * that fills it, sends the message, and waits to be interrupted.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/cli.h"
#include "cli/cli_install.h"
#include "cli/demo_client.h"
#include "ipc/msg_auth.h"
#include "role/master.h"
#include "sys/clock.h"
#include "sys/dir.h"
#include "sys/fd.h"
#include "sys/random.h"

#define DOMAIN          "demo.test"
#define PORT_BASE       10000u
#define PORT_BASE_MAX   51345u
#define ACCOUNTS_MAX    1000000u
#define ARRIVAL_MS      30000u
#define PASSWORD_FILE   "demo-password"

static const char *const people[] = { "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi" };

static const struct {
	enum config_listener kind;
	unsigned             port;
} ports[] = {
	{ LISTEN_SMTP, 25 }, { LISTEN_SUBMISSION, 587 }, { LISTEN_SUBMISSIONS, 465 }, { LISTEN_IMAP, 143 }, { LISTEN_IMAPS, 993 },
	{ LISTEN_LMTP, 24 }, { LISTEN_POP3, 110 }, { LISTEN_POP3S, 995 },
};

struct demo {
	struct cli *cli;
	const char *config_path; /* written here, and read again at a reload */
	uint32_t    base, accounts;
	const char *path;    /* absolute */
	bool        own_dir; /* made here: removed at the end */
	int         dir;
	struct str  password;
	pid_t       server;
};

/* ---- options ---- */

static int number_option(struct cli *c, const char *name, uint32_t fallback, uint32_t most, uint32_t *ret)
{
	const char *text = cli_option(c, name);

	*ret = fallback;
	if (text && (!str_to_u32(str_of(text), ret) || *ret > most))
		return cli_error(c, CLI_USAGE, "--%s %s: a number up to %u", name, text, most);
	return CLI_OK;
}

static int directory_make(struct demo *d)
{
	const char *given = cli_option(d->cli, "dir");
	char       *path, part[DIR_PATH_MAX];

	if (!given) {
		path = arena_cstr(d->cli->arena, STR("/tmp/postrider-demo.XXXXXX"));
		d->own_dir = mkdtemp(path) != NULL;
		if (!d->own_dir)
			return cli_error(d->cli, CLI_FAILED, "cannot make a directory in /tmp");
		given = path;
	}
	if (dir_trust(given, part) == ST_DENIED)
		return cli_error(d->cli, CLI_DENIED, "--dir %s: another user could put something else in the place of %s, as its owner or mode allows; "
						     "choose another directory, or run as that user", given, part);
	if (dir_open(AT_FDCWD, given, 0711, true, &d->dir) != ST_OK || !(path = realpath(given, NULL)))
		return cli_error(d->cli, CLI_FAILED, "--dir %s: cannot be made or opened", given);
	d->path = arena_cstr(d->cli->arena, str_of(path));
	free(path);
	return CLI_OK;
}

/* The password of data that is there already is kept beside it. */
static int password_make(struct demo *d)
{
	const char *given = cli_option(d->cli, "password");
	struct str  kept = STR_NONE;
	uint64_t    random = random_u64();
	enum status st = file_read(d->cli->arena, d->dir, PASSWORD_FILE, LIMIT_PASSWORD, &kept);

	if (st == ST_OK && given && !str_eq(str_of(given), kept))
		return cli_error(d->cli, CLI_FAILED, "the data in %s was made with another password (it is in %s there)", d->path, PASSWORD_FILE);
	if (st == ST_OK) {
		d->password = kept;
		return CLI_OK;
	}
	d->password = given ? str_of(given) : arena_printf(d->cli->arena, "demo-%010llx", (unsigned long long)(random >> 24));
	if (d->password.n == 0 || str_has_ctl(d->password) || str_find(d->password, '"') >= 0 || str_find(d->password, '\\') >= 0)
		return cli_error(d->cli, CLI_USAGE, "--password: not empty, and without quotes, backslashes and control characters");
	return file_replace(d->dir, PASSWORD_FILE, 0600, d->password) == ST_OK ? CLI_OK : cli_error(d->cli, CLI_FAILED, "cannot write in %s", d->path);
}

/* What tests change by the environment: a visitor has no need of it. Times in seconds, sizes in octets; config_check() looks at the whole. */
static int hooks_take(struct cli *c, struct config *k)
{
	const struct {
		const char *name;
		uint32_t   *u32;
		uint64_t   *u64;
	} hooks[] = {
		{ "POSTRIDER_LANDLOCK_MAX", &k->landlock_max, NULL }, { "POSTRIDER_WATERMARK", NULL, &k->watermark_octets },
		{ "POSTRIDER_RETRY_FIRST", &k->retry_first_s, NULL }, { "POSTRIDER_RETRY_MAX", &k->retry_max_s, NULL },
		{ "POSTRIDER_EXPIRE", &k->expire_s, NULL },	      { "POSTRIDER_RETENTION", &k->retention_s, NULL },
		{ "POSTRIDER_MESSAGE_SIZE", NULL, &k->message_octets },
		{ "POSTRIDER_DELAY_WARNING", &k->delay_warning_s, NULL },
		{ "POSTRIDER_ACCOUNT_MESSAGES", &k->guard.account_messages_hour, NULL },
		{ "POSTRIDER_REMOTE_PORT", &k->remote_port, NULL },   { "POSTRIDER_HTTPS_PORT", &k->remote_https_port, NULL },
		{ "POSTRIDER_IMAP_PROCESSES", &k->processes_imap, NULL },
	};
	const struct {
		const char *name;
		struct str *text;
	} paths[] = { { "POSTRIDER_AUTHORITIES", &k->tls_authorities }, { "POSTRIDER_ANCHOR", &k->dns_anchor } };

	for (size_t i = 0; i < LEN(hooks); i++) {
		const char *text = getenv(hooks[i].name);

		if (text && !(hooks[i].u32 ? str_to_u32(str_of(text), hooks[i].u32) : str_to_u64(str_of(text), hooks[i].u64)))
			return cli_error(c, CLI_USAGE, "%s is not a number", hooks[i].name);
	}
	for (size_t i = 0; i < LEN(paths); i++)
		if (getenv(paths[i].name))
			*paths[i].text = str_of(getenv(paths[i].name));
	return CLI_OK;
}

static int config_make(struct demo *d)
{
	struct cli    *c = d->cli;
	struct config *k = &c->config;
	const char    *dns = cli_option(c, "dns"), *relay = cli_option(c, "relay");
	struct buf     errors;
	int            code;

	config_defaults(k, c->arena);
	k->hostname = STR("mail." DOMAIN);
	k->data = str_of(d->path);
	k->tls_certificate = arena_printf(c->arena, "%s/tls.crt", d->path);
	k->tls_key = arena_printf(c->arena, "%s/tls.key", d->path);
	k->dns_forward = str_of(dns ? dns : "");
	k->relay = str_of(relay ? relay : "");
	k->listen = ARENA_ARRAY(c->arena, struct config_address, LEN(ports));
	for (size_t i = 0; i < LEN(ports); i++)
		k->listen[k->listen_count++] = (struct config_address){ arena_printf(c->arena, "127.0.0.1:%u", d->base + ports[i].port), ports[i].kind };
	k->lab = cli_option(c, "lab") != NULL;
	k->probe = getenv("POSTRIDER_PROBE") != NULL;
	code = hooks_take(c, k);
	if (code != CLI_OK)
		return code;
	buf_init(&errors, 64 * KIB);
	if (config_check(k, &errors) != ST_OK)
		code = cli_error(c, CLI_USAGE, "%.*s", STR_FMT(buf_str(&errors)));
	buf_done(&errors);
	c->config_loaded = true;
	d->config_path = arena_printf(c->arena, "%s/postrider.conf", d->path).p;
	return code == CLI_OK ? cli_config_write(c, d->config_path, k, true) : code;
}

/* ---- the server ---- */

/* Fork the master; wait until it serves or fails. */
static int server_start(struct demo *d)
{
	int  ready[2];
	char octet;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return cli_error(d->cli, CLI_FAILED, "no pipe");
	fflush(NULL);
	d->server = fork();
	if (d->server < 0)
		return cli_error(d->cli, CLI_FAILED, "no process");
	if (d->server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM); /* the demo ends with its client */
		setpgid(0, 0);                    /* Ctrl-C is for the client, which asks us to stop */
		close(ready[0]);
		_exit(master_run(&(struct master_options){ .config_path = d->config_path, .config = d->cli->config, .ready_fd = ready[1] }));
	}
	close(ready[1]);
	ssize_t n;
	do
		n = read(ready[0], &octet, 1);
	while (n < 0 && errno == EINTR);
	close(ready[0]);
	if (n == 1)
		return CLI_OK;
	waitpid(d->server, NULL, 0);
	d->server = 0;
	return CLI_FAILED; /* the master has said why */
}

static int server_stop(struct demo *d)
{
	int how = 0;

	if (d->server <= 0)
		return CLI_OK;
	kill(d->server, SIGTERM);
	while (waitpid(d->server, &how, 0) < 0 && errno == EINTR)
		continue;
	d->server = 0;
	return WIFEXITED(how) ? WEXITSTATUS(how) : CLI_FAILED;
}

/* ---- filling it ---- */

static struct str name_of(struct cli *c, uint32_t i)
{
	return i < LEN(people) ? arena_printf(c->arena, "%s@" DOMAIN, people[i]) : arena_printf(c->arena, "user%u@" DOMAIN, i + 1);
}

static int fill(struct demo *d)
{
	struct cli                *c = d->cli;
	struct auth_domain_request domain = { .name = STR(DOMAIN) };
	enum status                st = cli_ask_server(c, IPC_AUTH_DOMAIN_ADD, &domain, NULL);

	for (uint32_t at = 0; (st == ST_OK || st == ST_EXISTS) && at < d->accounts;) {
		struct auth_account_add_request q = { .password = d->password };
		struct auth_account_add_reply   reply;

		q.names = ARENA_ARRAY(c->arena, struct auth_name, LIMIT_ACCOUNT_BATCH);
		for (; at < d->accounts && q.name_count < LIMIT_ACCOUNT_BATCH; at++)
			q.names[q.name_count++].address = name_of(c, at);
		st = cli_ask_server(c, IPC_AUTH_ACCOUNT_ADD, &q, &reply);
	}
	return st == ST_OK || st == ST_EXISTS ? CLI_OK : cli_fail(c, st, "accounts");
}

static int first_message(struct demo *d)
{
	char             tag[40], why[1200] = "";
	struct demo_mail m = {
		.submission_port = d->base + 587, .imaps_port = d->base + 993, .from = "alice@" DOMAIN, .to = "bob@" DOMAIN,
		.password = arena_cstr(d->cli->arena, d->password), .tag = tag,
	};
	int64_t before = clock_mono_ms(), sent;

	snprintf(tag, sizeof(tag), "demo-%016llx", (unsigned long long)random_u64());
	if (demo_send(&m, why, sizeof(why)) != ST_OK)
		return cli_error(d->cli, CLI_FAILED, "the first message could not be sent: %s", why);
	sent = clock_mono_ms();
	printf("Sent a message from %s to %s over submission with STARTTLS and AUTH (%lld ms).\n", m.from, m.to, (long long)(sent - before));
	if (demo_receive(&m, ARRIVAL_MS, why, sizeof(why)) != ST_OK)
		return cli_error(d->cli, CLI_FAILED, "the first message did not arrive: %s", why);
	printf("Read it in %s's INBOX over IMAPS (%lld ms later).\n", m.to, (long long)(clock_mono_ms() - sent));
	return CLI_OK;
}

static void explain(const struct demo *d)
{
	printf("\nPostrider is running. Everything is on 127.0.0.1; the certificate is self-signed.\n\n"
	       "  accounts     alice@" DOMAIN ", bob@" DOMAIN ", ... (%u of them), password: %.*s\n"
	       "  IMAP         port %u with TLS, or %u with STARTTLS\n"
	       "  POP3         port %u with TLS, or %u with STLS\n"
	       "  sending      port %u with TLS, or %u with STARTTLS\n"
	       "  receiving    port %u (SMTP), or %u (LMTP)\n"
	       "  data         %s%s\n"
	       "  commands     postrider status --config %s\n\n"
	       "Try:  curl -k --user 'bob@" DOMAIN ":%.*s' 'imaps://127.0.0.1:%u/INBOX;MAILINDEX=1'\n\nCtrl-C stops it.\n",
	       d->accounts, STR_FMT(d->password), d->base + 993, d->base + 143, d->base + 995, d->base + 110, d->base + 465, d->base + 587, d->base + 25, d->base + 24, d->path,
	       d->own_dir ? " (removed at the end)" : "", d->config_path, STR_FMT(d->password), d->base + 993);
	fflush(stdout);
}

/* ---- the end ---- */

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	(void)info;
	(void)kind;
	(void)at;
	return remove(path);
}

/* Until we are interrupted, or the server ends by itself. */
static int wait_for_end(struct demo *d)
{
	sigset_t set;
	int      sig, how;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	for (;;) {
		if (sigwait(&set, &sig) != 0)
			continue;
		if (sig != SIGCHLD)
			return CLI_OK;
		if (waitpid(d->server, &how, WNOHANG) == d->server) {
			d->server = 0;
			return cli_error(d->cli, CLI_FAILED, "the server ended");
		}
	}
}

static void signals_block(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int run(struct demo *d)
{
	int code = directory_make(d);

	if (code == CLI_OK)
		code = password_make(d);
	if (code == CLI_OK)
		code = cli_certificate_make(d->cli, d->dir, STR("mail." DOMAIN));
	if (code == CLI_OK)
		code = config_make(d);
	if (code == CLI_OK)
		code = cli_users_make(d->cli, &d->cli->config);
	if (code == CLI_OK)
		code = server_start(d);
	if (code == CLI_OK)
		code = fill(d);
	if (code == CLI_OK)
		code = first_message(d);
	if (code == CLI_OK && !cli_option(d->cli, "once")) {
		explain(d);
		code = wait_for_end(d);
	}
	return code;
}

int cmd_demo(struct cli *c)
{
	struct demo d = { .cli = c, .dir = -1 };
	int         stopped, code = number_option(c, "port-base", PORT_BASE, PORT_BASE_MAX, &d.base);

	if (code == CLI_OK)
		code = number_option(c, "accounts", (uint32_t)LEN(people), ACCOUNTS_MAX, &d.accounts);
	if (code != CLI_OK)
		return code;
	d.accounts = MAX(d.accounts, 2u); /* one writes, one reads */
	signals_block();
	code = run(&d);
	stopped = server_stop(&d);
	fd_close(&d.dir);
	if (d.own_dir)
		nftw(d.path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return code == CLI_OK ? stopped : code;
}
