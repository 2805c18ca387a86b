/* sys/sandbox.h - give up, for good, everything a role does not need. Fails closed: an error means the role must not start.
 *
 * Three layers, each tested from inside (role/role_probe.c):
 *   - seccomp: a list of allowed system calls per need; all others fail with EPERM (clone3 with ENOSYS, so that libc uses clone,
 *     whose flags can be checked: threads only). Nobody may execute, trace, map or make memory executable.
 *   - Landlock: no path but those below the given directories. ABI 1 is required, what newer ABIs add is used when there.
 *   - not dumpable, no_new_privs, no core files.
 *
 * Before any thread is started. What libraries read late must have been read.
 */
#ifndef SYS_SANDBOX_H
#define SYS_SANDBOX_H

#include "base/status.h"

enum sandbox_need { /* bit mask */
	SANDBOX_FILES  = 1u << 0, /* open, write, sync, rename, remove below `roots` */
	SANDBOX_ACCEPT = 1u << 1, /* accept on listeners it was given, epoll */
	SANDBOX_OUT    = 1u << 2, /* make sockets of AF_INET and AF_INET6, connect, bind */
	/* Execute programs, which inherit all of this. So it is a list of what is refused: calls that trace or read other processes, mount, change roots or namespaces,
	 * load into the kernel, io_uring, keys; sockets other than AF_UNIX, unless SANDBOX_OUT. Files are as its user's permissions say. Landlock only as far as it keeps signals
	 * and abstract sockets inside (ABI 6), and TCP out unless SANDBOX_OUT (ABI 4). no_new_privs: programs with set-user-ID run as its user. */
	SANDBOX_EXEC   = 1u << 3,
	SANDBOX_PASSED = 1u << 4, /* sync, cut and lock files that others have opened for it */
};

struct sandbox {
	unsigned    needs;
	const int  *roots; /* directory descriptors */
	size_t      root_count;
	bool        landlock;     /* false: run without (setting sandbox.landlock) */
	unsigned    landlock_max; /* use no newer ABI than this; 0: the newest known */
};

/* ST_OK; else *ret_why is a static text: what could not be had. */
MUST_CHECK enum status sandbox_enter(const struct sandbox *s, const char **ret_why);

/* Landlock ABI of the kernel, 0 if there is none. */
unsigned sandbox_landlock_abi(void);

#endif
