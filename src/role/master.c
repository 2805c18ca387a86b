/* role/master.c - the server as a whole: set up, the loop, stopped stage by stage; see master.h. */
#include "role/master.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "role/master_int.h"
#include "role/master_log.h"
#include "role/role.h"
#include "role/role_msg.h"
#include "sys/clock.h"
#include "sys/dir.h"
#include "sys/fd.h"
#include "sys/random.h"

#define START_MS 60000 /* from spawn to READY; then it is killed */
#define STALL_MS 30000 /* a process that takes nothing of what waits for it; then it is killed */
#define STAGE_MS 60000 /* a stage of stopping; then its processes are killed */

/* Order of starting; stopping goes by stage: sessions first, so that what they still hand in is taken. */
static const struct {
	enum role_id id;
	unsigned     stage;
} order[] = {
	{ ROLE_DNS, 3 }, { ROLE_AUTH, 3 }, { ROLE_QUEUE, 2 }, { ROLE_LOCAL, 3 }, { ROLE_REMOTE, 3 }, { ROLE_PIPE, 3 }, { ROLE_KEEPER, 3 },
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
	case ROLE_PIPE:   return c->pipe_count > 0 ? 1 : 0;
	default:          return 1;
	}
}

/* ---- stopping ---- */

static void stage_enter(struct master *m, unsigned stage)
{
	m->stage = stage;
	m->stage_ms = clock_mono_ms();
	for (unsigned i = 0; i < m->process_count; i++)
		if (stage_of(m->processes[i].id) == stage)
			master_tell(&m->processes[i], ROLE_MSG_STOP, &(struct role_msg_stop){ .grace_ms = STAGE_MS - 5000 });
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
	fd_close(&m->submit_fd);
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
			master_kill(p, "did not stop in time");
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

/* ---- the loop ---- */

static void on_signal(struct master *m)
{
	struct signalfd_siginfo info;

	while (read(m->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			master_reap(m);
		else if (info.ssi_signo == SIGHUP)
			master_reload(m);
		else
			stop_begin(m);
	}
}

/* Start what is due, kill what does not get up; milliseconds until there is something to do. */
static int attend(struct master *m)
{
	int64_t now = clock_mono_ms(), next = now + 1000;

	master_tell_metrics(m);

	for (unsigned i = 0; i < m->process_count && !m->stopping; i++) {
		struct process *p = &m->processes[i];

		if (p->state == DOWN && p->again_ms <= now)
			master_process_start(m, p);
		else if (p->state == DOWN)
			next = MIN(next, p->again_ms);
		else if (p->outbox.count > 0 && now - p->outbox.since_ms > STALL_MS) {
			master_kill(p, "does not read what the master says");
			p->outbox.since_ms = now;
		} else if (p->state == STARTING && now - p->since_ms > START_MS) {
			master_kill(p, "did not start in time");
			p->since_ms = now;
		}
	}
	return (int)MAX(next - now, 1);
}

static void attend_channel(struct master *m, struct process *p, int events)
{
	if ((events & POLLOUT) && master_outbox_flush(&p->outbox) != ST_OK)
		log_debug("a process is gone, SIGCHLD will say so");
	if (events & ~POLLOUT)
		master_hear(m, p);
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
				polls[n++] = (struct pollfd){ .fd = m->processes[i].fd,
								 .events = m->processes[i].outbox.count ? POLLIN | POLLOUT : POLLIN };
			}
		if (poll(polls, n, timeout) < 0 && errno != EINTR)
			BUG("poll");
		for (unsigned i = 1; i < n; i++)
			attend_channel(m, of[i], polls[i].revents);
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
		if (!def || instances_of(&m->config, (enum role_id)id) == 0)
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
		st = master_keys_read(m->arena, &m->config, &m->certificate, &m->key, ret_why);
	if (st == ST_OK)
		st = master_listen_all(&m->config, m->arena, m->listeners, ret_why);
	if (st == ST_OK && (dir_socket_listen(m->data_fd, MASTER_SOCKET, 0660, &m->control_fd) != ST_OK ||
			    dir_socket_listen(m->data_fd, MASTER_SUBMIT, 0666, &m->submit_fd) != ST_OK)) {
		*ret_why = "cannot make control.sock and submit.sock in the data directory";
		st = ST_IO;
	}
	return st;
}

/* The lock on the data directory goes with the process, so that nobody finds it free while a descriptor is still open. */
static int master_end(struct master *m, int code)
{
	for (unsigned i = 0; i < m->process_count; i++)
		if (m->processes[i].state != DOWN) {
			ipc_reader_done(&m->processes[i].reader);
			master_outbox_done(&m->processes[i].outbox);
		}
	arena_free(&m->arena);
	explicit_bzero(m->session_key, sizeof(m->session_key));
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
	random_octets(m->session_key, sizeof(m->session_key));
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
