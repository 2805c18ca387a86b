/* role/master.c - see master.h. */
#include "role/master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "role/master_listen.h"
#include "role/master_log.h"
#include "role/role.h"
#include "role/role_msg.h"
#include "sys/clock.h"
#include "sys/dir.h"
#include "sys/fd.h"
#include "sys/sandbox.h"
#include "sys/spawn.h"

#define PROCESSES_MAX  (ROLE_COUNT * ROLE_INSTANCES_MAX)
#define BACKOFF_MS     100
#define BACKOFF_MAX_MS 30000
#define STEADY_MS      60000 /* a process that lived so long restarts at once again */
#define START_MS       60000 /* from spawn to READY; then it is killed */
#define STAGE_MS       60000 /* a stage of stopping; then its processes are killed */
#define PAIR_OCTETS    (1 << 20)
#define HEAR_MAX       8u    /* messages of one process before the others have their turn */
#define COMPLAINT_MS   60000 /* after a complaint, another one so soon is not believed, see on_complaint */

enum process_state { DOWN, STARTING, UP };

struct process {
	enum role_id       id;
	unsigned           instance;
	enum process_state state;
	pid_t              pid;
	int                fd; /* to it, -1 when down */
	struct ipc_reader  reader;
	int64_t            since_ms, again_ms; /* monotonic */
	int64_t            started_ms;         /* wall */
	unsigned           restarts, backoff_ms;
	pid_t              blamed;        /* in its last complaint; 0: there was none */
	int64_t            complained_ms; /* monotonic */
};

struct master {
	const struct master_options *options;
	struct config                config;
	struct arena                *arena;
	struct process               processes[PROCESSES_MAX];
	unsigned                     process_count;
	struct master_listener       listeners[64];
	int                          data_fd, lock_fd, control_fd, signal_fd, log_fd;
	int                          roots[ROLE_COUNT]; /* by role, -1: none */
	struct str                   certificate, key;
	uint64_t                     epoch;
	int64_t                      started_ms;
	bool                         ready_told, stopping, failed;
	unsigned                     stage;
	int64_t                      stage_ms;
};

/* Order of starting; stopping goes by stage: sessions first, so that what they still hand in is taken. */
static const struct {
	enum role_id id;
	unsigned     stage;
} order[] = {
	{ ROLE_DNS, 3 }, { ROLE_AUTH, 3 }, { ROLE_QUEUE, 2 }, { ROLE_LOCAL, 3 }, { ROLE_REMOTE, 3 },
	{ ROLE_CONTROL, 1 }, { ROLE_SMTP, 1 }, { ROLE_IMAP, 1 },
};
#define STAGES 3u

static unsigned stage_of(enum role_id id)
{
	for (size_t i = 0; i < LEN(order); i++)
		if (order[i].id == id)
			return order[i].stage;
	return STAGES;
}

static unsigned instances_of(const struct config *c, enum role_id id)
{
	switch (id) {
	case ROLE_SMTP:   return c->processes_smtp;
	case ROLE_LOCAL:  return c->processes_local;
	case ROLE_REMOTE: return c->processes_remote;
	case ROLE_IMAP:   return c->processes_imap;
	default:          return 1;
	}
}

/* ---- telling ---- */

static void kill_process(struct process *p, const char *why)
{
	log_error("process is killed", LOG_C("process", role_name(p->id)), LOG_U64("instance", p->instance), LOG_C("why", why));
	kill(p->pid, SIGKILL);
}

static void tell(struct process *p, enum role_msg_id id, const void *msg)
{
	enum status st = p->state == DOWN ? ST_OK : role_msg_send(p->fd, id, msg);

	if (st == ST_TEMP || st == ST_LIMIT) /* ST_CLOSED: SIGCHLD is on its way */
		kill_process(p, "does not read what the master says");
}

static void tell_processes(struct master *m)
{
	struct control_process      rows[PROCESSES_MAX];
	struct control_status_reply all = { .processes = rows };

	for (unsigned i = 0; i < m->process_count; i++) {
		const struct process *p = &m->processes[i];
		rows[all.process_count++] = (struct control_process){
			.role = str_of(role_name(p->id)), .instance = p->instance, .pid = p->state == DOWN ? 0 : (uint32_t)p->pid,
			.restarts = p->restarts, .ready = p->state == UP, .started_ms = p->started_ms,
		};
	}
	for (unsigned i = 0; i < m->process_count; i++)
		if (m->processes[i].id == ROLE_CONTROL)
			tell(&m->processes[i], ROLE_MSG_PROCESSES, &all);
}

/* ---- pairs ---- */

static void pair_make(struct master *m, struct process *asker, struct process *server, enum ipc_lane lane)
{
	int fd[2];

	if (fd_pair(fd, lane == IPC_LANE_BUS, PAIR_OCTETS) != ST_OK) {
		log_error("no socketpair", LOG_ERRNO(errno));
		return; /* both see no peer; the next restart tries again */
	}
	m->epoch++;
	tell(asker, ROLE_MSG_PEER,
	     &(struct role_msg_peer){ .asks = true, .role = server->id, .instance = server->instance, .lane = lane, .epoch = m->epoch, .fd = fd[0] });
	tell(server, ROLE_MSG_PEER,
	     &(struct role_msg_peer){ .role = asker->id, .instance = asker->instance, .lane = lane, .epoch = m->epoch, .fd = fd[1] });
	close(fd[0]);
	close(fd[1]);
}

static void lanes_make(struct master *m, const struct ipc_edge *e, struct process *asker, struct process *server)
{
	for (unsigned lane = 0; lane < IPC_LANE_COUNT; lane++)
		if (e->lanes & 1u << lane)
			pair_make(m, asker, server, (enum ipc_lane)lane);
}

/* Once all have been up, only a server that is up gets askers: a question must not be lost, and blamed on its message, with a process
 * that could not even start. So a new process gets pairs to those it asks, and later, when it is up, those that ask it get theirs.
 * At the first start all get them at once, so that they have them when we say that we serve. */
static void pairs_make(struct master *m, struct process *p)
{
	bool first = !m->ready_told;

	for (size_t e = 0; e < ipc_edge_count; e++)
		for (unsigned i = 0; i < m->process_count; i++) {
			struct process *other = &m->processes[i];

			if (other == p || other->state == DOWN)
				continue;
			if (p->state == STARTING && (first || other->state == UP) && ipc_edges[e].asker == p->id && ipc_edges[e].server == other->id)
				lanes_make(m, &ipc_edges[e], p, other);
			if ((first || p->state == UP) && ipc_edges[e].server == p->id && ipc_edges[e].asker == other->id)
				lanes_make(m, &ipc_edges[e], other, p);
		}
}

/* ---- starting one process ---- */

static void give(struct master *m, struct process *p)
{
	const struct role_def *def = role_def_of(p->id);
	struct role_msg_start  start = { .role = p->id, .instance = p->instance, .config = &m->config, .config_count = 1,
					 .started_ms = m->started_ms };

	if (def->tls) {
		start.certificate = m->certificate;
		start.key = m->key;
	}
	tell(p, ROLE_MSG_START, &start);
	if (def->root)
		tell(p, ROLE_MSG_ROOT, &(struct role_msg_root){ .name = str_of(def->root), .fd = m->roots[p->id] });
	for (size_t i = 0; i < m->config.listen_count; i++)
		if (def->listeners & 1u << m->listeners[i].address.kind) {
			master_listen_again(&m->listeners[i]);
			tell(p, ROLE_MSG_LISTENER, &(struct role_msg_listener){ .kind = m->listeners[i].address.kind, .fd = m->listeners[i].fd });
		}
	if (def->listeners & 1u << LISTEN_KINDS)
		tell(p, ROLE_MSG_LISTENER, &(struct role_msg_listener){ .kind = LISTEN_KINDS, .fd = m->control_fd });
	pairs_make(m, p);
	tell(p, ROLE_MSG_ENTER, NULL);
}

static void process_start(struct master *m, struct process *p)
{
	char        title[64], instance[8];
	const char *argv[] = { title, "role", role_name(p->id), instance, NULL };
	struct spawn s = { .argv = argv, .log = -1 };
	int         fd[2];

	snprintf(title, sizeof(title), "postrider: %s", role_name(p->id));
	snprintf(instance, sizeof(instance), "%u", p->instance);
	p->since_ms = clock_mono_ms();
	p->again_ms = p->since_ms + BACKOFF_MAX_MS;
	if (master_user(&m->config, role_def_of(p->id)->user, &s.change_user, &s.uid, &s.gid) != ST_OK ||
	    fd_pair(fd, true, PAIR_OCTETS) != ST_OK)
		return;
	s.channel = fd[1];
	p->blamed = 0;
	if (master_log_open(&s.log) != ST_OK || spawn_self(&s, &p->pid) != ST_OK) {
		log_error("cannot start a process", LOG_C("process", role_name(p->id)), LOG_ERRNO(errno));
		close(fd[0]);
		close(fd[1]);
		fd_close(&s.log);
		return;
	}
	close(fd[1]);
	fd_close(&s.log);
	p->fd = fd[0];
	p->state = STARTING;
	p->started_ms = clock_wall_ms();
	ipc_reader_init(&p->reader, p->fd);
	p->reader.flags = MSG_DONTWAIT;
	give(m, p);
	tell_processes(m);
}

/* ---- hearing ---- */

static bool all_up(const struct master *m)
{
	for (unsigned i = 0; i < m->process_count; i++)
		if (m->processes[i].state != UP)
			return false;
	return true;
}

static void on_ready(struct master *m, struct process *p)
{
	p->state = UP;
	if (m->ready_told)
		pairs_make(m, p);
	log_debug("process is up", LOG_C("process", role_name(p->id)), LOG_U64("instance", p->instance));
	tell_processes(m);
	if (m->ready_told || !all_up(m))
		return;
	m->ready_told = true;
	log_info("serving", LOG_C("version", POSTRIDER_VERSION), LOG_STR("hostname", m->config.hostname), LOG_STR("data", m->config.data));
	if (m->options->ready_fd >= 0 && write(m->options->ready_fd, "r", 1) != 1)
		log_debug("nobody waits to hear that all is up");
}

static struct process *process_find(struct master *m, uint32_t id, uint32_t instance)
{
	for (unsigned i = 0; i < m->process_count; i++)
		if (m->processes[i].id == id && m->processes[i].instance == instance)
			return &m->processes[i];
	return NULL;
}

/* What it says from now on is not heard. */
static void turn_away(struct process *p, const char *why)
{
	kill_process(p, why);
	fd_close(&p->fd); /* SIGCHLD tells the rest */
}

/* A process blames another one: that is ended, if the two share a channel. But who talks to strangers may have been broken into, and
 * must not be able to stop the others by and by: blaming again so soon, it is ended itself. */
static void on_complaint(struct master *m, struct process *p, const struct role_msg_peer *bad)
{
	struct process *q = process_find(m, bad->role, bad->instance);
	bool            exposed = role_def_of(p->id)->needs & (SANDBOX_ACCEPT | SANDBOX_OUT);
	int64_t         now = clock_mono_ms();

	if (!q || !(ipc_edge_find(p->id, q->id) || ipc_edge_find(q->id, p->id))) {
		turn_away(p, "blames a process with which it has no channel");
	} else if (q->state == DOWN || q->pid == p->blamed) {
		return; /* both lanes are lost at the same time */
	} else if (exposed && p->blamed && now - p->complained_ms < COMPLAINT_MS) {
		turn_away(p, "blames others again and again");
	} else {
		p->blamed = q->pid;
		p->complained_ms = now;
		kill_process(q, "broke the channel format, or does not read");
	}
}

static void on_failed(struct master *m, struct process *p, const struct role_msg_failed *msg)
{
	if (m->ready_told || p->state != STARTING) {
		turn_away(p, "cannot start");
		return;
	}
	/* A first start that cannot succeed is no reason to try again and again. */
	m->failed = true;
	fprintf(stderr, "postrider: %s cannot start: %.*s\n", role_name(p->id), STR_FMT(msg->why));
}

static void hear_one(struct master *m, struct process *p, enum role_msg_id id, const void *msg)
{
	if (id == ROLE_MSG_BAD_PEER)
		on_complaint(m, p, msg);
	else if (id == ROLE_MSG_FAILED)
		on_failed(m, p, msg);
	else if (p->state == STARTING)
		on_ready(m, p);
	else
		turn_away(p, "says again that it is ready");
}

static void hear(struct master *m, struct process *p)
{
	for (unsigned n = 0; n < HEAR_MAX && p->fd >= 0; n++) {
		struct arena    *a = arena_new(m->arena);
		enum role_msg_id id;
		void            *msg;
		enum status      st = role_msg_hear(&p->reader, a, &id, &msg);

		if (st == ST_OK)
			hear_one(m, p, id, msg);
		else if (st == ST_CORRUPT)
			turn_away(p, "does not speak the master's format");
		else if (st != ST_AGAIN)
			fd_close(&p->fd); /* SIGCHLD tells the rest */
		arena_free(&a);
		if (st != ST_OK)
			break;
	}
}

/* ---- processes that end ---- */

static void on_exit_of(struct master *m, struct process *p, int how)
{
	int64_t now = clock_mono_ms();

	if (!m->stopping && !m->failed)
		log_error("process ended", LOG_C("process", role_name(p->id)), LOG_U64("instance", p->instance), LOG_U64("pid", p->pid),
			  LOG_I64("signal", WIFSIGNALED(how) ? WTERMSIG(how) : 0), LOG_I64("code", WIFEXITED(how) ? WEXITSTATUS(how) : 0));
	ipc_reader_done(&p->reader);
	fd_close(&p->fd);
	p->state = DOWN;
	p->restarts++;
	/* A lab kills for sport: there it does not grow. */
	p->backoff_ms = now - p->since_ms > STEADY_MS || m->config.lab ? BACKOFF_MS : MIN(MAX(p->backoff_ms * 2, BACKOFF_MS), BACKOFF_MAX_MS);
	p->again_ms = now + p->backoff_ms;
	for (unsigned i = 0; i < m->process_count; i++)
		tell(&m->processes[i], ROLE_MSG_DETACH, &(struct role_msg_peer){ .role = p->id, .instance = p->instance, .fd = -1 });
	tell_processes(m);
}

static void reap(struct master *m)
{
	pid_t pid;
	int   how;

	while ((pid = waitpid(-1, &how, WNOHANG)) > 0)
		for (unsigned i = 0; i < m->process_count; i++)
			if (m->processes[i].state != DOWN && m->processes[i].pid == pid) {
				on_exit_of(m, &m->processes[i], how);
				break;
			}
}

/* ---- stopping ---- */

static void stage_enter(struct master *m, unsigned stage)
{
	m->stage = stage;
	m->stage_ms = clock_mono_ms();
	for (unsigned i = 0; i < m->process_count; i++)
		if (stage_of(m->processes[i].id) == stage)
			tell(&m->processes[i], ROLE_MSG_STOP, &(struct role_msg_stop){ .grace_ms = STAGE_MS - 5000 });
}

static void stop_begin(struct master *m)
{
	if (m->stopping) { /* asked twice: at once */
		for (unsigned i = 0; i < m->process_count; i++)
			if (m->processes[i].state != DOWN)
				kill(m->processes[i].pid, SIGKILL);
		return;
	}
	log_info("stopping");
	m->stopping = true;
	/* Who comes from now on is refused, not left waiting, as soon as the sessions' processes have ended. */
	for (size_t i = 0; i < m->config.listen_count; i++)
		fd_close(&m->listeners[i].fd);
	fd_close(&m->control_fd);
	stage_enter(m, 1);
}

/* False when all stages are over. */
static bool stop_step(struct master *m)
{
	bool alive = false, late = clock_mono_ms() - m->stage_ms > STAGE_MS;

	for (unsigned i = 0; i < m->process_count; i++) {
		struct process *p = &m->processes[i];
		if (p->state == DOWN || stage_of(p->id) != m->stage)
			continue;
		alive = true;
		if (late)
			kill_process(p, "did not stop in time");
	}
	if (late)
		m->stage_ms = clock_mono_ms();
	if (alive)
		return true;
	if (m->stage == STAGES)
		return false;
	stage_enter(m, m->stage + 1);
	return stop_step(m);
}

/* ---- reading what roles need ---- */

/* The certificate and its key; both empty when none is configured. */
static enum status keys_read(struct arena *a, const struct config *c, struct str *ret_certificate, struct str *ret_key, const char **ret_why)
{
	const struct str paths[] = { c->tls_certificate, c->tls_key };
	struct str       pem[2] = { STR_NONE, STR_NONE };

	for (size_t i = 0; i < 2 && paths[i].n; i++) {
		enum status st = file_read(a, AT_FDCWD, arena_cstr(a, paths[i]), LIMIT_PEM, &pem[i]);
		if (st != ST_OK) {
			*ret_why = arena_printf(a, "%s %.*s: %s", i ? "tls.key" : "tls.certificate", STR_FMT(paths[i]),
						st == ST_NOT_FOUND ? "no such file" : st == ST_DENIED ? "may not be read" : status_name(st)).p;
			return st;
		}
	}
	*ret_certificate = pem[0];
	*ret_key = pem[1];
	return ST_OK;
}

/* Settings that processes read when they start: a reload that changes them says so. */
static void tell_later_settings(const struct config *now, const struct config *then)
{
	bool later = !str_eq(now->relay, then->relay) || !str_eq(now->dns_forward, then->dns_forward) || !str_eq(now->data, then->data) ||
		     now->remote_port != then->remote_port || now->retry_first_s != then->retry_first_s || now->retry_max_s != then->retry_max_s ||
		     now->expire_s != then->expire_s || now->retention_s != then->retention_s || now->watermark_octets != then->watermark_octets ||
		     now->log_format != then->log_format || now->landlock != then->landlock || now->listen_count != then->listen_count;

	if (later)
		log_warn("some changed settings take effect at the next start: listen, data, relay, dns, remote, queue, accounts, processes, sandbox, "
			 "limits.watermark, log.format");
}

static void reload(struct master *m)
{
	struct arena *a = arena_new(m->arena); /* kept if it is taken: slices of it are in use */
	struct config c = m->config;
	struct buf    errors;
	struct str    certificate, key;
	const char   *why = "";
	bool          ok;

	buf_init(&errors, 64 * KIB);
	ok = !m->options->config_path || config_load(m->options->config_path, a, &c, &errors) == ST_OK;
	if (ok && keys_read(a, &c, &certificate, &key, &why) != ST_OK)
		ok = false;
	if (!ok) {
		log_error("reload refused, the old settings stay", LOG_STR("errors", buf_str(&errors)), LOG_C("why", why));
		arena_free(&a);
	} else {
		tell_later_settings(&c, &m->config);
		/* Sockets, folders and processes are as they were until the next start. */
		c.data = m->config.data;
		c.listen = m->config.listen;
		c.listen_count = m->config.listen_count;
		c.processes_smtp = m->config.processes_smtp;
		c.processes_local = m->config.processes_local;
		c.processes_remote = m->config.processes_remote;
		c.processes_imap = m->config.processes_imap;
		c.lab = m->config.lab;
		m->config = c;
		m->certificate = certificate;
		m->key = key;
		for (unsigned i = 0; i < m->process_count; i++) {
			bool tls = role_def_of(m->processes[i].id)->tls;
			tell(&m->processes[i], ROLE_MSG_RELOAD,
			     &(struct role_msg_start){ .role = m->processes[i].id, .instance = m->processes[i].instance, .config = &m->config,
						       .config_count = 1, .certificate = tls ? certificate : STR_NONE, .key = tls ? key : STR_NONE,
						       .started_ms = m->started_ms });
		}
		log_set_level((enum log_level)c.log_level);
		log_info("reloaded");
	}
	buf_done(&errors);
}

/* ---- the loop ---- */

static void on_signal(struct master *m)
{
	struct signalfd_siginfo info;

	while (read(m->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(m);
		else if (info.ssi_signo == SIGHUP)
			reload(m);
		else
			stop_begin(m);
	}
}

/* Start what is due, kill what does not get up; milliseconds until there is something to do. */
static int attend(struct master *m)
{
	int64_t now = clock_mono_ms(), next = now + 1000;

	for (unsigned i = 0; i < m->process_count && !m->stopping; i++) {
		struct process *p = &m->processes[i];

		if (p->state == DOWN && p->again_ms <= now)
			process_start(m, p);
		else if (p->state == DOWN)
			next = MIN(next, p->again_ms);
		else if (p->state == STARTING && now - p->since_ms > START_MS) {
			kill_process(p, "did not start in time");
			p->since_ms = now;
		}
	}
	return (int)MAX(next - now, 1);
}

static void loop(struct master *m)
{
	struct pollfd   polls[PROCESSES_MAX + 1];
	struct process *of[PROCESSES_MAX + 1];

	for (;;) {
		int      timeout = attend(m);
		unsigned n = 0;

		if (m->failed && !m->stopping)
			stop_begin(m);
		if (m->stopping && !stop_step(m))
			return;
		polls[n++] = (struct pollfd){ .fd = m->signal_fd, .events = POLLIN };
		for (unsigned i = 0; i < m->process_count; i++)
			if (m->processes[i].fd >= 0) {
				of[n] = &m->processes[i];
				polls[n++] = (struct pollfd){ .fd = m->processes[i].fd, .events = POLLIN };
			}
		if (poll(polls, n, timeout) < 0 && errno != EINTR)
			BUG("poll");
		for (unsigned i = 1; i < n; i++)
			if (polls[i].revents)
				hear(m, of[i]);
		if (polls[0].revents)
			on_signal(m);
	}
}

/* ---- setting up ---- */

static int complain(const char *why)
{
	fprintf(stderr, "postrider: %s\n", why);
	return 1;
}

static int signals_take(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static enum status roots_open(struct master *m, const char **ret_why)
{
	for (unsigned id = 0; id < ROLE_COUNT; id++) {
		const struct role_def *def = role_def_of((enum role_id)id);
		bool                   change;
		uid_t                  uid;
		gid_t                  gid;
		enum status            st;

		m->roots[id] = -1;
		if (!def)
			continue;
		st = master_user(&m->config, def->user, &change, &uid, &gid);
		if (st != ST_OK) {
			*ret_why = arena_printf(m->arena, "there is no system user %.*s%s: run 'scripts/users' once (or 'postrider setup')",
						STR_FMT(m->config.users), def->user).p;
			return st;
		}
		st = def->root ? master_root_open(&m->config, m->data_fd, def->root, def->user, &m->roots[id]) : ST_OK;
		if (st != ST_OK) {
			*ret_why = arena_printf(m->arena, "folder %s of the data directory: %s", def->root, status_name(st)).p;
			return st;
		}
	}
	return ST_OK;
}

static enum status prepare(struct master *m, const char **ret_why)
{
	pid_t       holder = 0;
	enum status st = master_data_open(&m->config, true, m->arena, &m->data_fd, ret_why);

	if (st != ST_OK)
		return st;
	st = dir_lock(m->data_fd, MASTER_LOCK, &m->lock_fd, &holder);
	if (st != ST_OK) {
		*ret_why = st == ST_BUSY ? arena_printf(m->arena, "another server (process %d) runs on the data directory %.*s", (int)holder,
							STR_FMT(m->config.data)).p
					 : arena_printf(m->arena, "cannot lock the data directory %.*s: %s", STR_FMT(m->config.data),
							status_name(st)).p;
		return st;
	}
	st = roots_open(m, ret_why);
	if (st == ST_OK)
		st = keys_read(m->arena, &m->config, &m->certificate, &m->key, ret_why);
	if (st == ST_OK)
		st = master_listen_all(&m->config, m->arena, m->listeners, ret_why);
	if (st == ST_OK && dir_socket_listen(m->data_fd, MASTER_SOCKET, 0660, &m->control_fd) != ST_OK) {
		*ret_why = "cannot make control.sock in the data directory";
		st = ST_IO;
	}
	return st;
}

/* The lock on the data directory goes with the process, so that nobody finds it free while a descriptor is still open. */
static int master_end(struct master *m, int code)
{
	for (unsigned i = 0; i < m->process_count; i++)
		if (m->processes[i].state != DOWN)
			ipc_reader_done(&m->processes[i].reader);
	arena_free(&m->arena);
	free(m);
	return code;
}

int master_run(const struct master_options *options)
{
	struct master *m = calloc(1, sizeof(*m));
	const char    *why = "";
	enum status    st;

	CHECK(m);
	m->options = options;
	m->config = options->config;
	m->arena = arena_new_secret(NULL);
	m->started_ms = clock_wall_ms();
	m->signal_fd = signals_take();
	st = prepare(m, &why);
	if (st != ST_OK)
		return master_end(m, complain(why));
	if (master_log_start(&m->log_fd) != ST_OK)
		return master_end(m, complain("cannot make the log pipe"));
	log_setup(m->log_fd, "master", (enum log_level)m->config.log_level, (enum log_format)m->config.log_format);
	for (size_t i = 0; i < LEN(order); i++)
		for (unsigned k = 0; k < instances_of(&m->config, order[i].id); k++)
			m->processes[m->process_count++] = (struct process){ .id = order[i].id, .instance = k, .fd = -1 };
	loop(m);
	log_info("stopped");
	master_log_stop();
	return master_end(m, m->failed ? 1 : 0);
}
