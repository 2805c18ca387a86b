/* role/role_control.c - control.sock: administrators' commands, passed on to the role that answers them; submit.sock: messages of local
 * programs (control_submit.c); and what is to be done daily.
 *
 * A connection speaks the frames of ipc/ipc_frame.h. A request is taken if its row in ipc_msgs says `admin`; everything in it is
 * checked by decoding it here, then again by the role that answers. Who may: root, the user the server was started by (the owner of the data
 * directory), and whoever the socket's file mode lets in, by peer credentials of the kernel.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "ipc/ipc_frame.h"
#include "ipc/msg_auth.h"
#include "ipc/msg_queue.h"
#include "role/control_answer.h"
#include "role/control_submit.h"
#include "role/role.h"
#include "sys/fd.h"
#include "sys/sandbox.h"

#define CONNECTIONS_MAX 32
#define IDLE_S          60 /* a connection that says nothing for so long is closed */

#define DAILY_S     86400u
#define DAILY_LAB_S 1u  /* --lab: a test need not wait */
#define AGAIN_S     60u /* somebody could not be asked; also the first wait */

struct control {
	struct role                *role;
	pthread_mutex_t             lock;
	unsigned                    connections;
	struct arena               *arena; /* of `all` */
	struct control_status_reply all;
	struct control_sample       samples[CONTROL_SAMPLES_MAX]; /* as the master told them last */
	size_t                      sample_count;
	struct control_submits     *submits;
};

struct session {
	struct control *control;
	int             fd;
};

static bool room_take(struct control *c)
{
	bool room;

	pthread_mutex_lock(&c->lock);
	room = c->connections < CONNECTIONS_MAX;
	c->connections += room;
	pthread_mutex_unlock(&c->lock);
	return room;
}

static void room_give(struct control *c)
{
	pthread_mutex_lock(&c->lock);
	c->connections--;
	pthread_mutex_unlock(&c->lock);
}

/* Copies in `a`: an answer may wait for its reader, the lock may not. */
static void status_fill(struct control *c, struct arena *a, struct control_status_reply *ret)
{
	pthread_mutex_lock(&c->lock);
	*ret = c->all;
	ret->processes = ARENA_ARRAY(a, struct control_process, c->all.process_count);
	for (size_t i = 0; i < c->all.process_count; i++) {
		ret->processes[i] = c->all.processes[i];
		ret->processes[i].role = arena_dup(a, ret->processes[i].role);
	}
	pthread_mutex_unlock(&c->lock);
	ret->version = STR(POSTRIDER_VERSION);
	ret->hostname = c->role->config->hostname;
	ret->started_ms = c->role->started_ms;
}

static void metrics_fill(struct control *c, struct arena *a, struct control_metrics_reply *ret)
{
	pthread_mutex_lock(&c->lock);
	*ret = (struct control_metrics_reply){ ARENA_ARRAY(a, struct control_sample, c->sample_count), c->sample_count };
	if (c->sample_count > 0)
		memcpy(ret->samples, c->samples, c->sample_count * sizeof(*c->samples));
	pthread_mutex_unlock(&c->lock);
}

/* Status and metrics are ours; everything else is asked of the role that the table names. */
static enum status carry_out(struct control *c, int fd, const struct ipc_frame *f)
{
	const struct ipc_msg *m = &ipc_msgs[f->type];
	struct arena         *a = arena_new_secret(NULL);
	void                 *request = arena_alloc(a, m->request.size), *reply = arena_alloc(a, m->reply.size);
	enum status           st = ipc_decode(f->payload, NULL, &m->request, request, a, f->version);

	if (st != ST_OK) {
		st = control_answer(fd, f, ST_INVALID, NULL);
	} else if (f->type == IPC_CONTROL_STATUS) {
		status_fill(c, a, reply);
		st = control_answer(fd, f, ST_OK, reply);
	} else if (f->type == IPC_CONTROL_METRICS) {
		metrics_fill(c, a, reply);
		st = control_answer(fd, f, ST_OK, reply);
	} else {
		st = ipc_call(c->role->ipc, m->server, IPC_ANY, (enum ipc_msg_id)f->type, request, a, reply);
		log_info("command", LOG_C("command", m->name), LOG_ST("status", st));
		st = control_answer(fd, f, st, reply);
	}
	arena_free(&a);
	return st;
}

static void *session_main(void *arg)
{
	struct session   s = *(struct session *)arg;
	struct ipc_reader in;
	struct ipc_frame  f;

	free(arg);
	ipc_reader_init(&in, s.fd);
	while (ipc_reader_next(&in, &f) == ST_OK) {
		bool known = f.type > IPC_NONE && f.type < IPC_MSG_COUNT && ipc_msgs[f.type].admin && !f.reply && f.fds.n == 0;

		ipc_fds_close(&f.fds);
		if (!known || carry_out(s.control, s.fd, &f) != ST_OK)
			break;
	}
	ipc_reader_done(&in);
	close(s.fd);
	room_give(s.control);
	return NULL;
}

static bool thread_start(void *(*fn)(void *), void *arg)
{
	pthread_t      thread;
	pthread_attr_t attr;
	bool           ok;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ok = pthread_create(&thread, &attr, fn, arg) == 0;
	pthread_attr_destroy(&attr);
	return ok;
}

static void accepted(struct control *c, int fd, const struct ucred *who)
{
	bool            room = room_take(c);
	struct session *s = room ? malloc(sizeof(*s)) : NULL;

	log_debug("administrator connected", LOG_U64("uid", who->uid), LOG_U64("pid", who->pid));
	if (s) {
		*s = (struct session){ c, fd };
		if (thread_start(session_main, s))
			return;
		free(s);
	}
	close(fd); /* the command line says "try later" */
	if (room)
		room_give(c);
}

/* ---- submit.sock ---- */

static void *submit_main(void *arg)
{
	control_submit_serve(arg);
	return NULL;
}

static void submit_accepted(struct control *c, int fd, const struct ucred *who)
{
	struct control_submit *s = control_submit_new(c->submits, fd, who->uid, who->pid);

	if (!s)
		close(fd); /* too many: the program tries again */
	else if (!thread_start(submit_main, s))
		control_submit_free(&s);
}

/* ---- both ---- */

struct door {
	struct control *control;
	int             fd;
	unsigned        idle_s;
	void (*accepted)(struct control *c, int fd, const struct ucred *who); /* takes the descriptor over */
};

static void *accept_main(void *arg)
{
	const struct door   *d = arg;
	const struct timeval idle = { .tv_sec = d->idle_s };

	for (;;) {
		int          fd = accept4(d->fd, NULL, NULL, SOCK_CLOEXEC);
		struct ucred who;
		socklen_t    n = sizeof(who);

		if (fd < 0) {
			usleep(10000); /* no descriptors: somebody has to leave first */
			continue;
		}
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof(idle));
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
			close(fd);
		else
			d->accepted(d->control, fd, &who);
	}
	return NULL;
}

static bool door_open(struct control *c, uint32_t kind, unsigned idle_s, void (*accepted_fn)(struct control *, int, const struct ucred *))
{
	for (unsigned i = 0; i < c->role->listener_count; i++) {
		struct door *d;

		if (c->role->listeners[i].kind != kind)
			continue;
		d = ARENA_NEW(c->role->arena, struct door);
		*d = (struct door){ c, c->role->listeners[i].fd, idle_s, accepted_fn };
		return thread_start(accept_main, d);
	}
	return false;
}

/* ---- removed accounts ---- */

static enum status purge(struct control *c, uint64_t account)
{
	const struct queue_purge_request q = { .account = account };
	struct arena                    *a = arena_new(NULL);
	enum status st = ipc_call(c->role->ipc, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_PURGE_ACCOUNT, &q, a, NULL);

	if (st == ST_OK)
		log_info("removed account purged", LOG_U64("account", account));
	else
		log_warn("the mail of a removed account stays on disk, for now", LOG_U64("account", account), LOG_ST("status", st));
	arena_free(&a);
	return st;
}

/* Purge the next page of those whose retention has ended. The directory knows them until it is told that their mail is gone, so nothing
 * stays behind whoever dies in between. *ret_more: there may be another page. */
static enum status expire_page(struct control *c, bool *ret_more)
{
	struct arena              *a = arena_new(NULL);
	struct auth_expire_reply   reply = { 0 };
	struct auth_purged_request done = { 0 };
	enum status                st = ipc_call(c->role->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_EXPIRE, NULL, a, &reply), failed = ST_OK;

	done.accounts = ARENA_ARRAY(a, struct auth_expired, reply.account_count);
	for (size_t i = 0; st == ST_OK && i < reply.account_count; i++) {
		enum status one = purge(c, reply.accounts[i].account);

		if (one == ST_OK)
			done.accounts[done.account_count++] = reply.accounts[i];
		else
			failed = one;
	}
	*ret_more = done.account_count > 0;
	if (done.account_count > 0)
		st = ipc_call(c->role->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_PURGED, &done, a, NULL);
	arena_free(&a);
	return st == ST_OK ? failed : st;
}

static void *expire_main(void *arg)
{
	struct control *c = arg;
	const unsigned  daily_s = c->role->config->lab ? DAILY_LAB_S : DAILY_S, again_s = MIN(daily_s, AGAIN_S);
	unsigned        wait_s = again_s;
	bool            more;

	for (;;) {
		sleep(wait_s);
		do
			wait_s = expire_page(c, &more) == ST_OK ? daily_s : again_s;
		while (more && wait_s == daily_s);
	}
	return NULL;
}

/* ---- the role ---- */

static void reload(struct role *r)
{
	control_submits_reload(((struct control *)r->self)->submits, r->config);
}

static bool start(struct role *r, const char **ret_why)
{
	struct control *c = ARENA_NEW(r->arena, struct control);

	c->role = r;
	pthread_mutex_init(&c->lock, NULL);
	r->self = c;
	c->submits = control_submits_new(r);
	if (door_open(c, ROLE_LISTEN_CONTROL, IDLE_S, accepted) && door_open(c, ROLE_LISTEN_SUBMIT, LIMIT_SUBMIT_IDLE_S, submit_accepted) &&
	    thread_start(expire_main, c))
		return true;
	*ret_why = "no control socket, or no threads";
	return false;
}

/* A deep copy: the message's arena is the runtime's. */
static void processes(struct role *r, const struct control_status_reply *all)
{
	struct control         *c = r->self;
	struct arena           *a = arena_new(NULL);
	struct control_process *copy = ARENA_ARRAY(a, struct control_process, all->process_count);

	for (size_t i = 0; i < all->process_count; i++) {
		copy[i] = all->processes[i];
		copy[i].role = arena_dup(a, copy[i].role);
	}
	pthread_mutex_lock(&c->lock);
	arena_free(&c->arena);
	c->arena = a;
	c->all = (struct control_status_reply){ .processes = copy, .process_count = all->process_count };
	pthread_mutex_unlock(&c->lock);
}

static void metrics(struct role *r, const struct control_metrics_reply *all)
{
	struct control *c = r->self;

	pthread_mutex_lock(&c->lock);
	c->sample_count = MIN(all->sample_count, LEN(c->samples));
	if (c->sample_count > 0)
		memcpy(c->samples, all->samples, c->sample_count * sizeof(*c->samples));
	pthread_mutex_unlock(&c->lock);
}

const struct role_def role_control = {
	.id = ROLE_CONTROL,
	.needs = SANDBOX_ACCEPT,
	.listeners = 1u << LISTEN_KINDS,
	.user = "control",
	.start = start,
	.reload = reload,
	.processes = processes,
	.metrics = metrics,
};
