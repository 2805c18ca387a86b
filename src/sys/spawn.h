/* sys/spawn.h - start this program again as another process, as another user. */
#ifndef SYS_SPAWN_H
#define SYS_SPAWN_H

#include <sys/types.h>

#include "base/status.h"

struct spawn {
	const char *const *argv;      /* NULL-ended; argv[0] is the shown name */
	int                channel;   /* becomes descriptor 3 */
	int                log;       /* becomes descriptor 2 (and 1); 0 is /dev/null */
	bool               change_user;
	uid_t              uid;
	gid_t              gid;
};

/* Re-execute the running binary: a fresh address space, no other descriptors, empty environment but what sanitizers and fault
 * points need. The user is changed before exec, so that no code of the role ever runs as root. ST_OK or ST_IO. */
MUST_CHECK enum status spawn_self(const struct spawn *s, pid_t *ret_pid);

/* Ids of a system user. ST_NOT_FOUND. */
MUST_CHECK enum status spawn_user(const char *name, uid_t *ret_uid, gid_t *ret_gid);

/* Become that user for good (no supplementary groups). */
MUST_CHECK enum status spawn_become(uid_t uid, gid_t gid);

/* Run another program and wait for it: ST_OK if it exits 0. Output goes where ours goes. */
MUST_CHECK enum status spawn_run(const char *path, const char *const *argv);

#endif
