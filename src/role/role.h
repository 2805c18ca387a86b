/* role/role.h - the runtime that every role process shares.
 *
 * A role is a file with one `const struct role_def`: what it may do (sandbox line), what it must read before (prepare), how it
 * starts and stops. The runtime receives configuration, directories, listeners and channels from the master, enters
 * the sandbox (or does not start), starts the role, reports READY, and then relays what the master says.
 *
 *   received START..ENTER -> prepare() -> sandbox -> start() -> READY -> serving -> STOP -> stop() -> exit 0
 */
#ifndef ROLE_ROLE_H
#define ROLE_ROLE_H

#include "ipc/ipc.h"
#include "ipc/msg_control.h"
#include "role/config.h"

#define ROLE_ROOTS     4u
#define ROLE_LISTENERS 80u

/* Listeners of control, behind the kinds of enum config_listener. */
#define ROLE_LISTEN_CONTROL ((uint32_t)LISTEN_KINDS)
#define ROLE_LISTEN_SUBMIT  ((uint32_t)LISTEN_KINDS + 1)

struct role {
	const struct role_def *def;
	unsigned               instance;
	struct config         *config;
	struct ipc            *ipc;
	struct str             certificate, key; /* PEM */
	struct str             session_key;      /* of tokens of sign-ins */
	struct {
		struct str name;
		int        fd;
	} roots[ROLE_ROOTS];
	unsigned root_count;
	struct {
		uint32_t kind;
		int      fd;
	} listeners[ROLE_LISTENERS];
	unsigned listener_count;
	unsigned more_needs; /* of the sandbox, beside the definition's: prepare() may say so */
	int64_t  started_ms; /* of the whole server */
	void    *self;       /* the role's own */
	struct arena *arena;
};

struct role_def {
	enum role_id id;
	unsigned     needs;     /* sandbox: mask of enum sandbox_need */
	unsigned     listeners; /* mask of 1u << enum config_listener (LISTEN_KINDS: control.sock and submit.sock) */
	const char  *user;      /* system user, behind the prefix of the setting sandbox.users */
	const char  *root;      /* directory below `data` that is its own, or NULL */
	bool         tls;       /* gets certificate and key */
	bool         tokens;    /* gets the session key */
	/* Read and load all that cannot be had later. false: *ret_why says why not. NULL: nothing. */
	bool (*prepare)(struct role *r, const char **ret_why);
	/* In the sandbox: open stores, serve rows (ipc_serve), start threads. */
	bool (*start)(struct role *r, const char **ret_why);
	void (*reload)(struct role *r); /* r->config, certificate and key are new; NULL: nothing to do */
	void (*stop)(struct role *r, unsigned grace_ms);
	void (*measure)(struct role *r); /* set the gauges (base/metric.h), about once a second, from a thread of the runtime; or NULL */
	/* Only control. */
	void (*processes)(struct role *r, const struct control_status_reply *all);
	void (*metrics)(struct role *r, const struct control_metrics_reply *all);
};

extern const struct role_def role_control, role_dns, role_auth, role_smtp, role_queue, role_local, role_remote, role_imap, role_pipe, role_keeper;

/* By id; NULL for the master. */
const struct role_def *role_def_of(enum role_id id);

/* Directory descriptor given under that name; -1 if there is none. */
int role_root(const struct role *r, const char *name);

/* Body of a role process: `postrider role NAME INSTANCE`. Returns its exit code. */
int role_main(enum role_id id, unsigned instance);

/* Begin to tell the master what is counted, whenever it changes (role_metrics.c). False: no thread. */
MUST_CHECK bool role_metrics_start(struct role *r, int channel);

/* Run the sandbox's test from inside and log one line per attempt (config.probe). */
void role_probe(const struct role *r);
/* The same, for a role that asks keeper, when it can: nobody has signed in, so no file may be had. */
void role_probe_keeper(const struct role *r);

#endif
