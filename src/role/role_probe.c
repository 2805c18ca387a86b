/* role/role_probe.c - try from inside a role what its sandbox must refuse, and log each outcome.
 *
 * Tests start the server with the environment variable POSTRIDER_PROBE and assert on these lines
 * (tests/system/test_sandbox.py). "refused" is what they want to see.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/msg_auth.h"
#include "ipc/msg_keeper.h"
#include "ipc/session_token.h"
#include "role/role.h"
#include "sys/fd.h"
#include "sys/sandbox.h"

static bool opens(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool try_read_file(const struct role *r) { (void)r; return opens("/etc/passwd", O_RDONLY); }
static bool try_read_proc(const struct role *r) { (void)r; return opens("/proc/self/mem", O_RDWR); }
static bool try_write_file(const struct role *r)
{
	bool worked = opens("/tmp/postrider-probe", O_WRONLY | O_CREAT);

	(void)r;
	if (worked)
		unlink("/tmp/postrider-probe");
	return worked;
}
static bool try_read_data(const struct role *r)
{
	char path[4200];

	snprintf(path, sizeof(path), "%.*s/format", STR_FMT(r->config->data));
	return opens(path, O_RDONLY);
}

static bool makes(int family, int type)
{
	int fd = socket(family, type, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool try_socket_inet(const struct role *r) { (void)r; return makes(AF_INET, SOCK_STREAM); }
static bool try_socket_unix(const struct role *r) { (void)r; return makes(AF_UNIX, SOCK_STREAM); }
static bool try_socket_netlink(const struct role *r) { (void)r; return makes(AF_NETLINK, SOCK_RAW); }
static bool try_socketpair(const struct role *r)
{
	int fd[2];

	(void)r;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
		return false;
	close(fd[0]);
	close(fd[1]);
	return true;
}

/* An accepted socket must not become a way out: connect() on one that we have. */
static bool try_reconnect(const struct role *r)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int                fd = r->listener_count ? r->listeners[0].fd : 3;

	return connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno != EPERM;
}
/* Nor sending: with this flag it connects too, past Landlock, once a listener was shut down. */
static bool try_fast_open(const struct role *r)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(INADDR_LOOPBACK) } };

	(void)r;
	return sendto(-1, "", 0, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof(to)) >= 0 || errno != EPERM;
}
static bool try_fast_open_msg(const struct role *r)
{
	struct msghdr m = { .msg_name = NULL };

	(void)r;
	return sendmsg(-1, &m, MSG_FASTOPEN | MSG_NOSIGNAL) >= 0 || errno != EPERM;
}
static bool try_listen(const struct role *r) { return listen(r->listener_count ? r->listeners[0].fd : 3, 1) == 0; }

static bool try_exec(const struct role *r)
{
	char *argv[] = { NULL };

	if (r->def->needs & SANDBOX_EXEC)
		return true; /* it would be */
	execve("/bin/true", argv, argv);
	return errno != EPERM; /* still here; anything but the filter's answer counts as a hole */
}
static bool try_fork(const struct role *r)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	(void)r;
	if (pid == 0)
		_exit(0);
	return pid > 0;
}
static bool try_ptrace(const struct role *r) { (void)r; return ptrace(PTRACE_ATTACH, getppid(), 0, 0) == 0 || errno != EPERM; }
static bool try_dumpable(const struct role *r) { (void)r; return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0; }
static bool try_setuid(const struct role *r) { (void)r; return setresuid(0, 0, 0) == 0; }
static bool try_kill(const struct role *r) { (void)r; return kill(getppid(), 0) == 0; }
/* The kernel sends any signal to any process of the same user, when something arrives on a descriptor. */
static bool try_kill_by_descriptor(const struct role *r)
{
	(void)r;
	return fcntl(-1, F_SETOWN, getppid()) == 0 || errno != EPERM || fcntl(-1, F_SETSIG, SIGKILL) == 0 || errno != EPERM;
}
static bool try_io_uring(const struct role *r)
{
	(void)r;
	return syscall(SYS_io_uring_setup, 1, NULL) >= 0 || errno != EPERM;
}
static bool try_map_executable(const struct role *r)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)r;
	if (p != MAP_FAILED)
		munmap(p, 4096);
	return p != MAP_FAILED;
}

static const struct {
	const char *name;
	bool      (*attempt)(const struct role *r); /* true: it worked */
	unsigned    allowed_needs;                  /* roles with one of these may */
} probes[] = {
	{ "read_file", try_read_file, SANDBOX_EXEC },           { "read_proc", try_read_proc, 0 },
	{ "write_file", try_write_file, SANDBOX_EXEC },         { "read_data", try_read_data, SANDBOX_EXEC },
	{ "socket_inet", try_socket_inet, SANDBOX_OUT }, { "socket_unix", try_socket_unix, SANDBOX_EXEC },
	{ "socket_netlink", try_socket_netlink, 0 }, { "socketpair", try_socketpair, SANDBOX_EXEC },
	{ "reconnect", try_reconnect, SANDBOX_OUT | SANDBOX_EXEC }, { "listen", try_listen, SANDBOX_EXEC },
	{ "exec", try_exec, SANDBOX_EXEC },                     { "fork", try_fork, SANDBOX_EXEC },
	{ "ptrace", try_ptrace, 0 },                 { "dumpable", try_dumpable, 0 },
	{ "setuid", try_setuid, 0 },                 { "kill", try_kill, SANDBOX_EXEC },
	{ "io_uring", try_io_uring, 0 },             { "map_executable", try_map_executable, SANDBOX_EXEC },
	{ "fast_open", try_fast_open, SANDBOX_OUT | SANDBOX_EXEC }, { "fast_open_msg", try_fast_open_msg, SANDBOX_OUT | SANDBOX_EXEC },
	{ "kill_by_descriptor", try_kill_by_descriptor, SANDBOX_EXEC },
};

static bool keeper_opens(const struct role *r, struct str token, const char *name, enum keeper_open mode)
{
	struct arena            *a CLEANUP(arena_free) = arena_new(NULL);
	struct keeper_open_reply reply = { .fd = -1 };
	enum status              st = ipc_call(r->ipc, ROLE_KEEPER, IPC_ANY, IPC_KEEPER_OPEN, &(struct keeper_open_request){ token, str_of(name), mode }, a,
					       &reply);

	fd_close(&reply.fd);
	return st != ST_DENIED; /* anything else counts as a hole */
}

/* Nor does auth talk of accounts with whoever has signed in through another process, or not at all. */
static bool auth_talks(const struct role *r, struct str token, uint64_t account)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	struct auth_shared_reply shared = { 0 };

	return ipc_call(r->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_SHARED, &(struct auth_shared_request){ token }, a, &shared) != ST_DENIED ||
	       ipc_call(r->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_SHARE, &(struct auth_share_request){ .token = token, .owner = account, .on = true }, a, NULL) !=
		       ST_DENIED ||
	       ipc_call(r->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_USED, &(struct auth_used_request){ .account = account, .octets = 1, .token = token }, a, NULL) !=
		       ST_DENIED;
}

void role_probe_keeper(const struct role *r)
{
	static const char *const names[] = { "mail.db", "mail.db-wal", "", ".", "../1/mail.db", "../../format", "/etc/passwd" };
	struct session_token     t = { { r->def->id, r->instance, 1 }, 1, INT64_MAX, 1 };
	uint8_t                  key[SESSION_KEY] = { 0 }, forged[LIMIT_TOKEN];
	bool                     worked = false;

	for (t.account = 1; t.account <= 3; t.account++)
		for (t.side.life = 1; t.side.life <= 20; t.side.life++)
			for (size_t i = 0; i < LEN(names); i++) {
				session_token_write(key, &t, forged);
				for (unsigned mode = 0; mode <= KEEPER_OPEN_LAST; mode++)
					worked |= keeper_opens(r, str_n(forged, sizeof(forged)), names[i], (enum keeper_open)mode) ||
						  keeper_opens(r, STR(""), names[i], (enum keeper_open)mode);
			}
	worked |= auth_talks(r, str_n(forged, sizeof(forged)), 1) || auth_talks(r, STR(""), 1);
	log_info("probe", LOG_C("name", "keeper"), LOG_C("result", worked ? "worked" : "refused"), LOG_C("expected", "refused"));
}

void role_probe(const struct role *r)
{
	for (size_t i = 0; i < LEN(probes); i++) {
		bool worked = probes[i].attempt(r), allowed = (probes[i].allowed_needs & (r->def->needs | r->more_needs)) != 0;

		log_info("probe", LOG_C("name", probes[i].name), LOG_C("result", worked ? "worked" : "refused"),
			 LOG_C("expected", allowed ? "any" : "refused"));
	}
	log_info("probe over", LOG_U64("uid", getuid()), LOG_U64("abi", sandbox_landlock_abi()), LOG_U64("tried", LEN(probes)));
}
