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
#include <pthread.h>
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
	*ret = (struct auth_login_reply){ .account = account, .address = arena_dup(a, r->user), .token = arena_printf(a, "%llu", (unsigned long long)account) };
	return ST_OK;
}

/* user1001 may hold 2000 octets, user1002 3 messages, user1003 both; user1004's domain has a total. All others: what they like. */
static enum status fake_quota(void *ctx, uint64_t account, struct auth_quota_reply *ret)
{
	(void)ctx;
	*ret = (struct auth_quota_reply){ 0 };
	if (account == 1001 || account == 1003)
		ret->quota_octets = 2000;
	if (account == 1002 || account == 1003)
		ret->quota_messages = 3;
	if (account == 1004)
		*ret = (struct auth_quota_reply){ .quota_octets = 1000, .quota_shared = true };
	return ST_OK;
}

/* ---- sharing: an index in memory; accounts are called "userN", the group "team" (number 1) has the accounts 2000 to 2999 ---- */

static pthread_mutex_t share_lock = PTHREAD_MUTEX_INITIALIZER;
static struct auth_share_request shares[100];
static size_t                    share_count;

static uint64_t token_account(struct str token)
{
	uint64_t account;
	ssize_t  end = str_find(token, '\0'); /* a session keeps it with zeros behind */

	CHECK(str_to_u64(end < 0 ? token : str_first(token, (size_t)end), &account));
	return account;
}

static bool in_team(uint64_t account)
{
	return account >= 2000 && account < 3000;
}

static enum status fake_shared(void *ctx, const struct auth_shared_request *q, struct arena *a, struct auth_shared_reply *ret)
{
	uint64_t account = token_account(q->token);

	(void)ctx;
	*ret = (struct auth_shared_reply){ .owners = ARENA_ARRAY(a, struct auth_owner, LEN(shares)),
					   .groups = ARENA_ARRAY(a, struct auth_group_id, 1),
					   .group_count = in_team(account) };
	ret->groups[0].group = 1;
	pthread_mutex_lock(&share_lock);
	for (size_t i = 0; i < share_count; i++) {
		const struct auth_share_request *s = &shares[i];
		bool known = s->owner == account;

		for (size_t k = 0; k < ret->owner_count; k++)
			known |= ret->owners[k].account == s->owner;
		if (!known && (s->kind == AUTH_SUBJECT_ANYONE || (s->kind == AUTH_SUBJECT_ACCOUNT && s->subject == account) ||
			       (s->kind == AUTH_SUBJECT_GROUP && in_team(account))))
			ret->owners[ret->owner_count++] =
				(struct auth_owner){ s->owner, arena_printf(a, "user%llu", (unsigned long long)s->owner) };
	}
	pthread_mutex_unlock(&share_lock);
	return ST_OK;
}

static enum status fake_subject(void *ctx, const struct auth_subject_request *q, struct auth_subject_reply *ret)
{
	struct str number = q->name;

	(void)ctx;
	*ret = (struct auth_subject_reply){ 0 };
	if (q->kind == AUTH_SUBJECT_GROUP) {
		ret->subject = 1;
		return str_eq(q->name, STR("team")) ? ST_OK : ST_NOT_FOUND;
	}
	return q->kind == AUTH_SUBJECT_ANYONE || (str_skip(&number, STR("user")) && str_to_u64(number, &ret->subject)) ? ST_OK : ST_NOT_FOUND;
}

static enum status fake_subjects(void *ctx, const struct auth_subjects_request *q, struct arena *a, struct auth_subjects_reply *ret)
{
	(void)ctx;
	*ret = (struct auth_subjects_reply){ ARENA_ARRAY(a, struct auth_name, q->id_count), q->id_count };
	for (size_t i = 0; i < q->id_count; i++)
		ret->names[i].address = q->ids[i].kind == AUTH_SUBJECT_GROUP ? STR("team") :
									     arena_printf(a, "user%llu", (unsigned long long)q->ids[i].subject);
	return ST_OK;
}

static enum status fake_share(void *ctx, const struct auth_share_request *q)
{
	size_t i = 0;

	(void)ctx;
	pthread_mutex_lock(&share_lock);
	while (i < share_count && (shares[i].owner != q->owner || shares[i].kind != q->kind || shares[i].subject != q->subject))
		i++;
	if (!q->on && i < share_count)
		shares[i] = shares[--share_count];
	else if (q->on && i == share_count && share_count < LEN(shares))
		shares[share_count++] = *q;
	pthread_mutex_unlock(&share_lock);
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
	static const struct imap_ask   ask = { .shared = fake_shared, .subject = fake_subject, .subjects = fake_subjects, .share = fake_share, .quota = fake_quota, .changed = fake_changed };
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
