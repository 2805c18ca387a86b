/* role/master.h - the process that starts, connects, watches and replaces all others.
 *
 * It reads the configuration and keys, binds listeners, opens directories and passes all of it on; it reads nothing from the
 * network. One thread, one poll loop (and one thread that carries log lines from the roles' pipe to where they belong).
 *
 *   process:  DOWN --spawn--> STARTING --READY--> UP --exit--> DOWN (again after a back-off, doubling from 100 ms to 30 s)
 *   server:   RUNNING --SIGTERM, SIGINT--> STOPPING (stage by stage: sessions, deliveries, queue, the rest) --> gone
 *
 * When a process is replaced, every pair that touched it is made anew under a higher epoch.
 */
#ifndef ROLE_MASTER_H
#define ROLE_MASTER_H

#include <sys/types.h>

#include "role/config.h"

#define MASTER_LOCK   "postrider.lock" /* in the data directory: held while serving, our process id inside */
#define MASTER_SOCKET "control.sock"
#define MASTER_SUBMIT "submit.sock"    /* for every local user */
#define MASTER_FORMAT "format"         /* version of the data directory's layout */

struct master_options {
	const char   *config_path; /* read again on SIGHUP */
	struct config config;
	int           ready_fd;    /* one octet is written when all processes are up the first time; -1: none */
};

/* Serve until stopped. Exit code as in the command line's contract. Errors before READY are also printed for people. */
int master_run(const struct master_options *options);

/* Open the data directory, made if `create`; checks that its format is not newer. On failure *ret_why is printed text in `a`. */
MUST_CHECK enum status master_data_open(const struct config *c, bool create, struct arena *a, int *ret_fd, const char **ret_why);

/* One role's own directory below it, with the right owner: for the master, and for commands that work without a server. */
MUST_CHECK enum status master_root_open(const struct config *c, int data_fd, const char *root, const char *user, int *ret_fd);

/* Whom a role runs as: ST_NOT_FOUND when the system user is missing. *ret_change false: we are no root, stay who we are. */
MUST_CHECK enum status master_user(const struct config *c, const char *user, bool *ret_change, uid_t *ret_uid, gid_t *ret_gid);

#endif
