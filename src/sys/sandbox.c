/* sys/sandbox.c - see sandbox.h. */
#include "sys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "sys/landlock.h"

/* Every role: memory, threads, time, descriptors it has, waiting. */
static const int calls_base[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(close), SCMP_SYS(dup), SCMP_SYS(lseek), SCMP_SYS(fstat),
	SCMP_SYS(recvmsg), SCMP_SYS(recvfrom), SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6),
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
	SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(pipe2),
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise),
	SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list), SCMP_SYS(rseq), SCMP_SYS(membarrier),
	SCMP_SYS(set_tid_address), SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday),
	SCMP_SYS(time), SCMP_SYS(getrandom), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrusage), SCMP_SYS(getcpu),
};

static const int calls_files[] = {
	SCMP_SYS(openat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	SCMP_SYS(unlinkat), SCMP_SYS(mkdirat), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(linkat),
	SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
	SCMP_SYS(sync_file_range), SCMP_SYS(syncfs), SCMP_SYS(copy_file_range), SCMP_SYS(fstatfs), SCMP_SYS(fchmod),
	SCMP_SYS(fadvise64), SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(sendfile), SCMP_SYS(flock), SCMP_SYS(umask),
};

/* Nothing here takes a path. */
static const int calls_passed[] = { SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(fadvise64), SCMP_SYS(fstatfs) };

static const int calls_accept[] = { SCMP_SYS(accept4), SCMP_SYS(accept) };

static const int calls_out[] = { SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg) };

/* Not F_SETOWN and F_SETSIG, by which the kernel sends signals to any process of the same user. */
static const scmp_datum_t fcntl_commands[] = {
	F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW,
};

#ifdef POSTRIDER_SANITIZED
/* What the sanitizers' runtime asks for beside, to print a report; none opens or reaches anything. */
static const int calls_sanitizer[] = {
	SCMP_SYS(getppid), SCMP_SYS(getrlimit), SCMP_SYS(prlimit64), SCMP_SYS(rt_sigpending), SCMP_SYS(mincore), SCMP_SYS(msync),
	SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler), SCMP_SYS(getresuid), SCMP_SYS(getresgid),
};
#endif

static bool allow(scmp_filter_ctx f, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0) < 0)
			return false;
	return true;
}

static bool allow_if(scmp_filter_ctx f, int call, struct scmp_arg_cmp cmp)
{
	return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, call, 1, &cmp) >= 0;
}

/* Who may not connect may not do it by sending either: MSG_FASTOPEN does, past Landlock, on a listener that was shut down. */
static bool allow_sending(scmp_filter_ctx f, unsigned needs)
{
	const scmp_datum_t refused = needs & SANDBOX_OUT ? 0 : MSG_FASTOPEN;

	return allow_if(f, SCMP_SYS(sendto), SCMP_A3(SCMP_CMP_MASKED_EQ, refused, 0)) &&
	       allow_if(f, SCMP_SYS(sendmsg), SCMP_A2(SCMP_CMP_MASKED_EQ, refused, 0));
}

static bool allow_fcntl(scmp_filter_ctx f)
{
	for (size_t i = 0; i < LEN(fcntl_commands); i++)
		if (!allow_if(f, SCMP_SYS(fcntl), SCMP_A1_32(SCMP_CMP_EQ, fcntl_commands[i])))
			return false;
	return true;
}

/* Memory never becomes executable, new tasks are threads of this process, signals go to itself (abort), prctl only names
 * threads and memory, and sockets are only of the internet kinds. */
static bool allow_checked(scmp_filter_ctx f, unsigned needs)
{
	const scmp_datum_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;

	if (!allow_if(f, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) ||
	    !allow_if(f, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) ||
	    !allow_if(f, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid())) ||
	    !allow_if(f, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)) ||
	    !allow_if(f, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_VMA)) ||
	    !allow_if(f, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread)) ||
	    !allow_fcntl(f) || !allow_sending(f, needs) ||
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) < 0)
		return false;
	if ((needs & SANDBOX_FILES) && seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(setpriority), 2, SCMP_A0(SCMP_CMP_EQ, PRIO_PROCESS),
							SCMP_A1(SCMP_CMP_EQ, 0)) < 0)
		return false;
	return !(needs & SANDBOX_OUT) || (allow_if(f, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET)) &&
					  allow_if(f, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET6)));
}

/* What programs have no business with, of all that the kernel offers. */
static const int calls_refused[] = {
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kcmp), SCMP_SYS(pidfd_getfd), SCMP_SYS(process_madvise),
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(fsmount),
	SCMP_SYS(fsconfig), SCMP_SYS(fspick), SCMP_SYS(mount_setattr), SCMP_SYS(open_by_handle_at), SCMP_SYS(quotactl), SCMP_SYS(swapon), SCMP_SYS(swapoff),
	SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(acct), SCMP_SYS(syslog), SCMP_SYS(fanotify_init), SCMP_SYS(lookup_dcookie), SCMP_SYS(iopl),
	SCMP_SYS(ioperm), SCMP_SYS(modify_ldt), SCMP_SYS(vhangup), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime),
	SCMP_SYS(sethostname), SCMP_SYS(setdomainname),
};

static bool refuse_if(scmp_filter_ctx f, int call, struct scmp_arg_cmp cmp)
{
	return seccomp_rule_add_array(f, SCMP_ACT_ERRNO(EPERM), call, 1, &cmp) >= 0;
}

/* A fast open is a connection without connect. TIOCSTI types into a terminal of whoever started the server. */
static bool exec_rules(scmp_filter_ctx f, unsigned needs)
{
	static const scmp_datum_t namespaces[] = { CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP };
	bool                      ok = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) >= 0;

	for (size_t i = 0; i < LEN(calls_refused) && ok; i++)
		ok = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), calls_refused[i], 0) >= 0;
	for (size_t i = 0; i < LEN(namespaces) && ok; i++)
		ok = refuse_if(f, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
	ok = ok && seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 2, SCMP_A0(SCMP_CMP_EQ, PR_SET_DUMPABLE), SCMP_A1(SCMP_CMP_NE, 0)) >= 0;
	ok = ok && refuse_if(f, SCMP_SYS(ioctl), SCMP_A1_32(SCMP_CMP_EQ, TIOCSTI));
	if (!(needs & SANDBOX_OUT))
		return ok && refuse_if(f, SCMP_SYS(socket), SCMP_A0_32(SCMP_CMP_NE, AF_UNIX));
	/* Left are AF_UNIX, AF_INET, AF_INET6, and AF_NETLINK, which getaddrinfo asks about interfaces. */
	for (scmp_datum_t family = AF_INET + 1; family < AF_NETLINK && ok; family++)
		ok = family == AF_INET6 || refuse_if(f, SCMP_SYS(socket), SCMP_A0_32(SCMP_CMP_EQ, family));
	return ok && refuse_if(f, SCMP_SYS(socket), SCMP_A0_32(SCMP_CMP_GT, AF_NETLINK));
}

static bool seccomp_enter_exec(unsigned needs)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	bool            ok = f && exec_rules(f, needs) && seccomp_load(f) == 0;

	if (f)
		seccomp_release(f);
	return ok;
}

static bool seccomp_enter(unsigned needs)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	bool            ok;

	if (!f)
		return false;
	ok = allow(f, calls_base, LEN(calls_base)) && allow_checked(f, needs) &&
	     (!(needs & SANDBOX_FILES) || allow(f, calls_files, LEN(calls_files))) &&
	     (!(needs & SANDBOX_PASSED) || allow(f, calls_passed, LEN(calls_passed))) &&
	     (!(needs & SANDBOX_ACCEPT) || allow(f, calls_accept, LEN(calls_accept))) &&
	     (!(needs & SANDBOX_OUT) || allow(f, calls_out, LEN(calls_out)));
#ifdef POSTRIDER_SANITIZED
	ok = ok && allow(f, calls_sanitizer, LEN(calls_sanitizer));
#endif
	ok = ok && seccomp_load(f) == 0;
	seccomp_release(f);
	return ok;
}

unsigned sandbox_landlock_abi(void)
{
	return landlock_abi();
}

enum status sandbox_enter(const struct sandbox *s, const char **ret_why)
{
	const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0) {
		*ret_why = "no_new_privs, undumpable";
		return ST_DENIED;
	}
	if (s->landlock && !landlock_enter(s->roots, s->root_count, !(s->needs & SANDBOX_EXEC), s->needs & SANDBOX_OUT, s->landlock_max)) {
		*ret_why = "Landlock is not offered by this kernel or refused (setting sandbox.landlock runs without it)";
		return ST_DENIED;
	}
	if (!s->landlock)
		log_warn("running without Landlock, as the setting sandbox.landlock says");
	if (!(s->needs & SANDBOX_EXEC ? seccomp_enter_exec(s->needs) : seccomp_enter(s->needs))) {
		*ret_why = "seccomp filter refused";
		return ST_DENIED;
	}
	return ST_OK;
}
