/* role/master_int.h - what the files of the master share; nobody else includes it.
 *
 *   master.c          the whole: set up, the loop, stopping
 *   master_process.c  one process: started, connected, listened to, replaced
 *   master_outbox.c   what is to be told to a process that does not read just now
 *   master_reload.c   configuration and keys: read at the start and on SIGHUP, and handed out
 *   master_listen.c   binding; master_data.c the data directory; master_log.c the roles' log lines
 *
 * The master never waits for a role: it serves all of them, and one that is stopped, stuck or hostile must not hold up the others.
 * What it tells goes through an outbox per process; what it hears is taken a few messages at a time.
 */
#ifndef ROLE_MASTER_INT_H
#define ROLE_MASTER_INT_H

#include "base/metric.h"
#include "ipc/ipc_frame.h"
#include "ipc/ipc_graph.h"
#include "ipc/session_token.h"
#include "role/master.h"
#include "role/master_listen.h"
#include "role/master_outbox.h"

#define PROCESSES_MAX (ROLE_COUNT * ROLE_INSTANCES_MAX)

enum process_state { DOWN, STARTING, UP };

struct process {
	enum role_id         id;
	unsigned             instance;
	enum process_state   state;
	pid_t                pid;
	int                  fd; /* to it, -1 when down */
	struct ipc_reader    reader;
	struct master_outbox outbox;
	int64_t              since_ms, again_ms; /* monotonic */
	int64_t              started_ms;         /* wall */
	unsigned             restarts, backoff_ms;
	uint64_t             life; /* of this process, never given twice */
	bool                 leaving; /* was asked to end, to start anew with other settings */
	pid_t                blamed;        /* in its last complaint; 0: there was none */
	int64_t              complained_ms; /* monotonic */
	uint64_t             metrics[METRIC_COUNT]; /* as it told them last; kept when it ends, until its successor tells */
};

struct master {
	const struct master_options *options;
	struct config                config;
	struct arena                *arena;
	struct process               processes[PROCESSES_MAX];
	unsigned                     process_count;
	struct master_listener       listeners[64];
	int                          data_fd, lock_fd, control_fd, submit_fd, signal_fd, log_fd;
	int                          roots[ROLE_COUNT]; /* by role, -1: none */
	struct str                   certificate, key;
	uint64_t                     epoch, lives;
	uint8_t                      session_key[SESSION_KEY]; /* auth and keeper get it */
	int64_t                      started_ms;
	int64_t                      metrics_ms; /* monotonic: when control was told of them */
	bool                         metrics_new;
	bool                         ready_told, stopping, failed;
	unsigned                     stage;
	int64_t                      stage_ms;
};

/* ---- one process (master_process.c) ---- */

/* Say it, or keep it until the process reads again; one that keeps too much waiting is killed. Nothing if it is down. */
void master_tell(struct process *p, enum role_msg_id id, const void *msg);
void master_tell_processes(struct master *m); /* to control: how all are */
void master_tell_metrics(struct master *m);   /* to control: what all count, if something is new; once a second at most */
void master_kill(struct process *p, const char *why);
/* It ends when it has done what it does, and starts anew at once: for settings that are read before the sandbox. Nothing if it is down. */
void master_replace(struct process *p);
void master_process_start(struct master *m, struct process *p);
/* Take what it says: a bounded number of messages. */
void master_hear(struct master *m, struct process *p);
/* SIGCHLD: all that have ended. */
void master_reap(struct master *m);

/* ---- configuration and keys (master_reload.c) ---- */

/* The certificate and its key, in `a`; both empty when none is configured. */
MUST_CHECK enum status master_keys_read(struct arena *a, const struct config *c, struct str *ret_certificate, struct str *ret_key,
					const char **ret_why);
/* Read them again and hand them out; wrong ones change nothing. */
void master_reload(struct master *m);

#endif
