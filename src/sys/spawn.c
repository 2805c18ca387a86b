/* sys/spawn.c - see spawn.h. */
#include "sys/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "sys/fd.h"

#define CHANNEL 3

enum status spawn_user(const char *name, uid_t *ret_uid, gid_t *ret_gid)
{
	const struct passwd *pw = getpwnam(name);

	if (!pw)
		return ST_NOT_FOUND;
	*ret_uid = pw->pw_uid;
	*ret_gid = pw->pw_gid;
	return ST_OK;
}

enum status spawn_become(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return fd_status(errno);
	return ST_OK;
}

/* What the environment may carry into a role: settings of sanitizers and of fault points. */
static void keep_environment(const char **ret, size_t max)
{
	static const char *const kept[] = { "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "TSAN_OPTIONS=", "POSTRIDER_FAULT=" };
	size_t                   n = 0;

	for (char **e = environ; *e; e++)
		for (size_t i = 0; i < LEN(kept) && n + 1 < max; i++)
			if (strncmp(*e, kept[i], strlen(kept[i])) == 0)
				ret[n++] = *e;
	ret[n] = NULL;
}

/* In the child, between fork and exec: only what is safe there. */
static void child(const struct spawn *s, int self, const char **environment)
{
	sigset_t none;
	int      null = open("/dev/null", O_RDWR);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a master that is gone leaves nobody behind */
	/* Order matters: the channel may sit on a low number. */
	int channel = fcntl(s->channel, F_DUPFD, 10), log = fcntl(s->log, F_DUPFD, 10), exe = fcntl(self, F_DUPFD_CLOEXEC, 10);
	if (null < 0 || channel < 0 || log < 0 || exe < 0)
		_exit(71);
	if (dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 || dup2(channel, CHANNEL) < 0)
		_exit(71);
	if (close_range(CHANNEL + 1, (unsigned)exe - 1, 0) < 0 || close_range((unsigned)exe + 1, ~0u, 0) < 0)
		_exit(71);
	if (s->change_user && spawn_become(s->uid, s->gid) != ST_OK)
		_exit(77);
	if (s->change_user)
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of user clears it */
	execveat(exe, "", (char *const *)(uintptr_t)s->argv, (char *const *)(uintptr_t)environment, AT_EMPTY_PATH);
	_exit(71);
}

enum status spawn_self(const struct spawn *s, pid_t *ret_pid)
{
	CLEANUP(fd_close) int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const char           *environment[8];
	pid_t                 pid;

	if (self < 0)
		return fd_status(errno);
	keep_environment(environment, LEN(environment));
	pid = fork();
	if (pid < 0)
		return fd_status(errno);
	if (pid == 0)
		child(s, self, environment);
	*ret_pid = pid;
	return ST_OK;
}

enum status spawn_run(const char *path, const char *const *argv)
{
	int   how;
	pid_t pid = fork();

	if (pid < 0)
		return fd_status(errno);
	if (pid == 0) {
		execv(path, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	while (waitpid(pid, &how, 0) < 0)
		if (errno != EINTR)
			return fd_status(errno);
	return WIFEXITED(how) && WEXITSTATUS(how) == 0 ? ST_OK : ST_IO;
}
