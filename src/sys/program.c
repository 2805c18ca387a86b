/* sys/program.c - see program.h.
 *
 * Between fork and exec only system calls are made: other threads may hold the locks of libraries. What exec or a step before it was refused comes back
 * over a pipe that a successful exec closes.
 */
#include "sys/program.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "sys/clock.h"
#include "sys/fd.h"

/* ---- the filters ---- */

static struct sock_fprog filters[2]; /* by `network` */

/* Its group is how all of it is found again. */
static bool rules_add(scmp_filter_ctx f, bool network)
{
	return seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setsid), 0) == 0 &&
	       seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setpgid), 0) == 0 &&
	       (network || seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, SCMP_A0_32(SCMP_CMP_NE, AF_UNIX)) == 0);
}

/* The library writes a filter to a descriptor only. */
static bool filter_make(bool network, struct sock_fprog *ret)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int             fd = memfd_create("filter", MFD_CLOEXEC);
	off_t           size = -1;
	void           *p = NULL;
	bool            ok = f && fd >= 0 && rules_add(f, network) && seccomp_export_bpf(f, fd) == 0;

	if (ok)
		size = lseek(fd, 0, SEEK_CUR);
	ok = ok && size > 0 && size % (off_t)sizeof(struct sock_filter) == 0 && (p = malloc((size_t)size)) != NULL &&
	     pread(fd, p, (size_t)size, 0) == size;
	if (ok)
		*ret = (struct sock_fprog){ (unsigned short)((size_t)size / sizeof(struct sock_filter)), p };
	else
		free(p);
	if (f)
		seccomp_release(f);
	fd_close(&fd);
	return ok;
}

bool program_prepare(void)
{
	for (size_t i = 0; i < LEN(filters); i++)
		if (!filters[i].filter && !filter_make(i == 1, &filters[i]))
			return false;
	return true;
}

uint32_t program_tasks(void)
{
	DIR           *d = opendir("/proc");
	struct dirent *e;
	struct stat    info;
	uint32_t       count = 0;

	while (d && (e = readdir(d)) != NULL)
		count += ascii_is_digit(e->d_name[0]) && fstatat(dirfd(d), e->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_uid == geteuid();
	if (d)
		closedir(d);
	return count;
}

/* ---- the child ---- */

struct plumbing {
	int in[2], out[2], failed[2]; /* read end, write end */
	int pidfd;
};

static bool limit_set(int what, uint64_t value)
{
	struct rlimit r = { value, value };

	return value == 0 || setrlimit((__rlimit_resource_t)what, &r) == 0;
}

static bool limits_set(const struct program *p)
{
	const struct rlimit none = { 0, 0 };

	return limit_set(RLIMIT_AS, p->memory_octets) && limit_set(RLIMIT_FSIZE, p->file_octets) && limit_set(RLIMIT_NPROC, p->processes) &&
	       limit_set(RLIMIT_NOFILE, PROGRAM_FILES) && setrlimit(RLIMIT_CORE, &none) == 0;
}

static void signals_reset(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

NORETURN static void child(const struct program *p, const struct plumbing *pl, pid_t parent)
{
	bool ok = setpgid(0, 0) == 0;

	signals_reset();
	umask(077);
	ok = ok && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && chdir("/") == 0 && dup2(pl->in[0], 0) == 0 &&
	     dup2(pl->out[1], 1) == 1 && dup2(pl->out[1], 2) == 2 && close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) == 0 && limits_set(p) &&
	     prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filters[p->network]) == 0;
	if (ok)
		execve(p->argv[0], (char *const *)(uintptr_t)p->argv, (char *const *)(uintptr_t)p->envp);
	int error = errno;
	(void)!write(pl->failed[1], &error, sizeof(error));
	_exit(127);
}

/* ---- the parent ---- */

static void plumbing_close(struct plumbing *pl)
{
	for (int i = 0; i < 2; i++) {
		fd_close(&pl->in[i]);
		fd_close(&pl->out[i]);
		fd_close(&pl->failed[i]);
	}
	fd_close(&pl->pidfd);
}

static bool plumbing_open(struct plumbing *pl)
{
	*pl = (struct plumbing){ { -1, -1 }, { -1, -1 }, { -1, -1 }, -1 };
	return pipe2(pl->in, O_CLOEXEC) == 0 && pipe2(pl->out, O_CLOEXEC) == 0 && pipe2(pl->failed, O_CLOEXEC) == 0 &&
	       fd_set_nonblock(pl->in[1], true) == ST_OK && fd_set_nonblock(pl->out[0], true) == ST_OK;
}

struct run {
	const struct program *p;
	struct plumbing       pl;
	pid_t                 pid;
	struct str            left; /* of the input, at hand */
	struct buf            output;
	bool                  input_bad;
};

/* As much as it takes now. One that reads no more has had enough: its exit code says whether that is well. */
static void feed(struct run *r)
{
	ssize_t n;

	for (;;) {
		if (r->left.n == 0) {
			enum status st = r->p->input(r->p->arg, &r->left);

			r->input_bad = st != ST_OK;
			if (st != ST_OK)
				return;
			if (r->left.n == 0) {
				fd_close(&r->pl.in[1]);
				return;
			}
		}
		n = write(r->pl.in[1], r->left.p, r->left.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				fd_close(&r->pl.in[1]);
			return;
		}
		r->left = str_from(r->left, (size_t)n);
	}
}

/* A piece of what it says; false when there is none now. */
static bool listen_to(struct run *r)
{
	char    space[4096];
	ssize_t n = read(r->pl.out[0], space, sizeof(space));

	if (n == 0)
		fd_close(&r->pl.out[0]);
	if (n <= 0)
		return n < 0 && errno == EINTR;
	(void)buf_add(&r->output, str_n(space, MIN((size_t)n, r->output.max - r->output.n)));
	return true;
}

/* Until it ends, or must. PROGRAM_EXITED: it ended by itself. */
static enum program_how attend(struct run *r)
{
	const int64_t end = clock_mono_ms() + r->p->time_ms;

	for (;;) {
		int64_t       left = end - clock_mono_ms();
		struct pollfd fds[] = {
			{ .fd = r->pl.pidfd, .events = POLLIN },
			{ .fd = r->pl.in[1], .events = POLLOUT },
			{ .fd = r->pl.out[0], .events = POLLIN },
			{ .fd = r->p->cancel, .events = POLLIN },
		};

		if (left <= 0)
			return PROGRAM_LATE;
		if (poll(fds, LEN(fds), (int)MIN(left, 60000)) < 0)
			continue;
		if (fds[3].revents)
			return PROGRAM_CANCELLED;
		if (fds[0].revents)
			return PROGRAM_EXITED;
		if (fds[1].revents)
			feed(r);
		if (r->input_bad)
			return PROGRAM_NO_INPUT;
		if (fds[2].revents)
			listen_to(r);
	}
}

/* Its group is killed while the zombie still holds the number: nobody else's can have it. */
static void end(struct run *r, enum program_how how, struct program_end *ret)
{
	siginfo_t info = { 0 };
	int       status = 0;

	if (how != PROGRAM_EXITED)
		kill(-r->pid, SIGKILL);
	while (waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		continue;
	kill(-r->pid, SIGKILL);
	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	while (r->pl.out[0] >= 0 && r->output.n < r->output.max && listen_to(r))
		continue;
	ret->how = how != PROGRAM_EXITED ? how : WIFEXITED(status) ? PROGRAM_EXITED : PROGRAM_SIGNALLED;
	ret->number = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
}

/* Blocks no longer than exec takes. 0: it runs. */
static int started(struct run *r)
{
	int     error = 0;
	ssize_t n;

	fd_close(&r->pl.failed[1]);
	do
		n = read(r->pl.failed[0], &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(error) ? error ? error : EIO : 0;
}

static void attend_and_end(struct run *r, struct program_end *ret)
{
	int error;

	(void)setpgid(r->pid, r->pid); /* whoever of us is first */
	fd_close(&r->pl.in[0]);
	fd_close(&r->pl.out[1]);
	error = started(r);
	r->pl.pidfd = error ? -1 : pidfd_open(r->pid, 0);
	if (!error && r->pl.pidfd < 0)
		error = errno;
	end(r, error ? PROGRAM_NO_INPUT : attend(r), ret);
	if (error)
		*ret = (struct program_end){ .how = PROGRAM_NOT_RUN, .number = error };
}

void program_run(const struct program *p, struct arena *a, struct program_end *ret)
{
	struct run r = { .p = p };
	pid_t      self = getpid();

	CHECK(filters[p->network].filter);
	*ret = (struct program_end){ .how = PROGRAM_NOT_RUN };
	buf_init(&r.output, p->output_max);
	if (plumbing_open(&r.pl) && (r.pid = fork()) >= 0) {
		if (r.pid == 0)
			child(p, &r.pl, self);
		attend_and_end(&r, ret);
		ret->output = arena_dup(a, buf_str(&r.output));
	} else {
		ret->number = errno;
	}
	plumbing_close(&r.pl);
	buf_done(&r.output);
}
