/* A real server of mailbox sessions for tests: net, store, imap and pop3 in one process, sign-in faked.
 *
 * usage: imap_server DIR [CERT KEY]       prints "port N" (IMAP) and "pop3 N", serves until its standard input ends
 *
 * Users are "user1", "user2", ...: accounts 1, 2, ...; the password is "secret". LAB in the environment allows sign-in
 * without TLS; BOOT=n says that the system was started for the n-th time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "db/db.h"
#include "imap/imap.h"
#include "net/net_tls.h"
#include "pop3/pop3.h"
#include "sys/boot.h"

static struct imap_notify *notify;

static enum status fake_certificate(void *ctx, const struct auth_certificate_request *q, struct arena *a)
{
	(void)ctx, (void)q, (void)a;
	return ST_NOT_FOUND;
}

static enum status fake_login(void *ctx, const struct auth_login_request *r, struct arena *a,
			      struct auth_login_reply *ret)
{
	struct str number = r->user;
	uint64_t   account;

	(void)ctx;
	if (str_eq(r->user, STR("busy")))
		return ST_BUSY;
	if (!str_skip(&number, STR("user")) || !str_to_u64(number, &account) || account == 0 ||
	    !str_eq(r->password, STR("secret")))
		return ST_DENIED;
	*ret = (struct auth_login_reply){ .account = account, .address = arena_dup(a, r->user) };
	return ST_OK;
}

static void fake_changed(void *ctx, uint64_t account, uint64_t modseq)
{
	(void)ctx;
	(void)modseq;
	imap_notify_wake(notify, account);
}

static struct str file_read(struct arena *a, const char *path)
{
	FILE      *f = fopen(path, "r");
	char       text[16384];
	struct str s;

	CHECK(f != NULL);
	s = arena_dup(a, str_n(text, fread(text, 1, sizeof(text), f)));
	fclose(f);
	return s;
}

static int listen_loopback(unsigned *ret_port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t          n = sizeof(sa);
	int                fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(fd, 100) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&sa, &n) == 0);
	*ret_port = ntohs(sa.sin_port);
	return fd;
}

int main(int argc, char **argv)
{
	static const struct imap_ask   ask = { .changed = fake_changed };
	static const struct sasl_ask   sasl = { .login = fake_login, .certificate = fake_certificate };
	static struct net_limits limits = {
		.threads = 16, .memory = 64 * MIB, .write_stall_ms = 10000, .unit_ms = 20000
	};
	static const struct store_options options = { .watermark_octets = 1, .watermark_percent = 1 };
	static const struct pop3_ask      pop3_ask = { .changed = fake_changed };
	struct imap_settings              settings;
	struct pop3_settings              pop3_settings;
	struct store                     *store;
	struct net_tls                   *tls = NULL;
	struct arena                     *a = arena_new(NULL);
	const char                       *why;
	struct net_stats                  stats;
	unsigned                          port, pop3_port;
	char                              c;
	int                               dir;

	CHECK(argc == 2 || argc == 4);
	log_setup(STDERR_FILENO, "imap", LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT);
	net_tls_preload();
	if (argc == 4)
		CHECK(net_tls_server(file_read(a, argv[2]), file_read(a, argv[3]), &tls, &why) == ST_OK);
	db_init();
	if (getenv("BOOT"))
		boot_id_set((struct boot_id){ 1, (uint64_t)atoi(getenv("BOOT")) });
	dir = open(argv[1], O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	CHECK(dir >= 0 && store_new(dir, &options, &store) == ST_OK);
	limits.memory = getenv("MEMORY") ? (size_t)atoi(getenv("MEMORY")) : limits.memory;
	imap_settings_init(&settings);
	settings.allow_plain = getenv("LAB") != NULL;
	settings.message_octets = 2 * MIB;
	settings.view_ms = getenv("VIEW_MS") ? (unsigned)atoi(getenv("VIEW_MS")) : settings.view_ms;
	settings.session_ms = getenv("SESSION_MS") ? atoi(getenv("SESSION_MS")) : settings.session_ms;
	settings.progress_ms = getenv("PROGRESS_MS") ? (unsigned)atoi(getenv("PROGRESS_MS")) : settings.progress_ms;
	settings.signin_ms = getenv("SIGNIN_MS") ? (unsigned)atoi(getenv("SIGNIN_MS")) : settings.signin_ms;
	settings.message_limit = getenv("MESSAGE_LIMIT") ? (uint32_t)atoi(getenv("MESSAGE_LIMIT")) : 0;
	settings.save_limit = getenv("SAVE_LIMIT") ? (uint32_t)atoi(getenv("SAVE_LIMIT")) : 0;
	pop3_settings_init(&pop3_settings);
	pop3_settings.allow_plain = settings.allow_plain;
	pop3_settings.signin_ms = settings.signin_ms;
	pop3_settings.idle_ms = getenv("IDLE_MS") ? (unsigned)atoi(getenv("IDLE_MS")) : pop3_settings.idle_ms;
	notify = imap_notify_new();

	struct imap_env env = { .settings = &settings, .store = store, .notify = notify, .ask = &ask, .sasl = &sasl };
	struct pop3_env pop3_env = { .settings = &pop3_settings, .store = store, .ask = &pop3_ask, .sasl = &sasl };
	struct net     *net = net_new(&limits);

	net_listen(net, listen_loopback(&port), &imap_proto, &env, tls, false);
	net_listen(net, listen_loopback(&pop3_port), &pop3_proto, &pop3_env, tls, false);
	net_run(net);
	printf("port %u\npop3 %u\n", port, pop3_port);
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0 || errno == EINTR)
		;
	net_drain(net, 1000);
	net_stats(net, &stats);
	CHECK(stats.memory == 0);
	net_free(&net);
	store_free(&store);
	imap_notify_free(&notify);
	net_tls_free(&tls);
	arena_free(&a);
	close(dir);
	return 0;
}
