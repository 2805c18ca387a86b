/* role/master_process.c - one process of a role: started, connected to the others, listened to, replaced; see master_int.h. */
#include "role/master_int.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "role/master_log.h"
#include "role/role.h"
#include "role/role_msg.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/sandbox.h"
#include "sys/spawn.h"

#define BACKOFF_MS     100
#define BACKOFF_MAX_MS 30000
#define STEADY_MS      60000 /* a process that lived so long restarts at once again */
#define PAIR_OCTETS    (1 << 20)
#define REPLACE_MS     5000  /* what a process that is to start anew may still take */
#define HEAR_MAX       8u    /* messages of one process before the others have their turn */
#define METRICS_MS     1000  /* what is counted is told no more often */
#define COMPLAINT_MS   60000 /* after a complaint, another one so soon is not believed, see on_complaint */

/* ---- telling ---- */

void master_kill(struct process *p, const char *why)
{
	log_error("process is killed", LOG_C("process", role_name(p->id)), LOG_U64("instance", p->instance), LOG_C("why", why));
	kill(p->pid, SIGKILL);
}

void master_tell(struct process *p, enum role_msg_id id, const void *msg)
{
	enum status st = p->state == DOWN ? ST_OK : master_outbox_send(&p->outbox, id, msg);

	if (st == ST_LIMIT) /* ST_CLOSED: SIGCHLD is on its way */
		master_kill(p, "does not read what the master says");
}

void master_tell_processes(struct master *m)
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
			master_tell(&m->processes[i], ROLE_MSG_PROCESSES, &all);
}

void master_tell_metrics(struct master *m)
{
	struct control_sample        rows[CONTROL_SAMPLES_MAX];
	struct control_metrics_reply all = { .samples = rows };
	int64_t                      now = clock_mono_ms();

	if (!m->metrics_new || now - m->metrics_ms < METRICS_MS)
		return;
	m->metrics_new = false;
	m->metrics_ms = now;
	for (unsigned i = 0; i < m->process_count; i++)
		for (uint32_t k = 0; k < METRIC_COUNT; k++)
			if (strcmp(metric_defs[k].role, role_name(m->processes[i].id)) == 0)
				rows[all.sample_count++] = (struct control_sample){ m->processes[i].id, m->processes[i].instance, k,
										    m->processes[i].metrics[k] };
	for (unsigned i = 0; i < m->process_count; i++)
		if (m->processes[i].id == ROLE_CONTROL)
			master_tell(&m->processes[i], ROLE_MSG_METRICS, &all);
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
	master_tell(asker, ROLE_MSG_PEER,
	     &(struct role_msg_peer){ .asks = true, .role = server->id, .instance = server->instance, .lane = lane, .epoch = m->epoch,
				.life = server->life, .fd = fd[0] });
	master_tell(server, ROLE_MSG_PEER,
	     &(struct role_msg_peer){ .role = asker->id, .instance = asker->instance, .lane = lane, .epoch = m->epoch,
				.life = asker->life, .fd = fd[1] });
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
	if (def->tokens)
		start.session_key = str_n(m->session_key, sizeof(m->session_key));
	master_tell(p, ROLE_MSG_START, &start);
	if (def->root)
		master_tell(p, ROLE_MSG_ROOT, &(struct role_msg_root){ .name = str_of(def->root), .fd = m->roots[p->id] });
	for (size_t i = 0; i < m->config.listen_count; i++)
		if (def->listeners & 1u << m->listeners[i].address.kind) {
			master_listen_again(&m->listeners[i]);
			master_tell(p, ROLE_MSG_LISTENER, &(struct role_msg_listener){ .kind = m->listeners[i].address.kind, .fd = m->listeners[i].fd });
		}
	if (def->listeners & 1u << LISTEN_KINDS) {
		master_tell(p, ROLE_MSG_LISTENER, &(struct role_msg_listener){ .kind = ROLE_LISTEN_CONTROL, .fd = m->control_fd });
		master_tell(p, ROLE_MSG_LISTENER, &(struct role_msg_listener){ .kind = ROLE_LISTEN_SUBMIT, .fd = m->submit_fd });
	}
	pairs_make(m, p);
	master_tell(p, ROLE_MSG_ENTER, NULL);
}

void master_process_start(struct master *m, struct process *p)
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
	p->life = ++m->lives;
	p->leaving = false;
	p->started_ms = clock_wall_ms();
	ipc_reader_init(&p->reader, p->fd);
	p->reader.flags = MSG_DONTWAIT;
	master_outbox_init(&p->outbox, p->fd);
	give(m, p);
	master_tell_processes(m);
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
	master_tell_processes(m);
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

/* What it says from now on is not heard, and it is told nothing. */
static void deaf(struct process *p)
{
	master_outbox_done(&p->outbox);
	p->outbox.fd = -1;
	fd_close(&p->fd); /* SIGCHLD tells the rest */
}

static void turn_away(struct process *p, const char *why)
{
	master_kill(p, why);
	deaf(p);
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
		master_kill(q, "broke the channel format, or does not read");
	}
}

static void on_failed(struct master *m, struct process *p, const struct role_msg_failed *msg)
{
	if (m->ready_told || p->state != STARTING) {
		turn_away(p, "cannot start");
		return;
	}
	/* A first start that cannot succeed is no reason to try again and again. */
	if (!m->failed) /* others fail for the same reason as a rule; the log has them all */
		fprintf(stderr, "postrider: %s cannot start: %.*s\n", role_name(p->id), STR_FMT(msg->why));
	m->failed = true;
}

/* Only what is its own; whose it says they are does not matter. */
static void on_metrics(struct master *m, struct process *p, const struct control_metrics_reply *told)
{
	for (size_t i = 0; i < told->sample_count; i++) {
		const struct control_sample *s = &told->samples[i];

		if (s->metric < METRIC_COUNT && strcmp(metric_defs[s->metric].role, role_name(p->id)) == 0)
			p->metrics[s->metric] = s->value;
	}
	m->metrics_new = true;
}

static void hear_one(struct master *m, struct process *p, enum role_msg_id id, const void *msg)
{
	if (id == ROLE_MSG_BAD_PEER)
		on_complaint(m, p, msg);
	else if (id == ROLE_MSG_METRICS)
		on_metrics(m, p, msg);
	else if (id == ROLE_MSG_FAILED)
		on_failed(m, p, msg);
	else if (p->state == STARTING)
		on_ready(m, p);
	else
		turn_away(p, "says again that it is ready");
}

void master_hear(struct master *m, struct process *p)
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
			deaf(p);
		arena_free(&a);
		if (st != ST_OK)
			break;
	}
}

/* ---- processes that end ---- */

void master_replace(struct process *p)
{
	p->leaving = p->state != DOWN;
	master_tell(p, ROLE_MSG_STOP, &(struct role_msg_stop){ .grace_ms = REPLACE_MS });
}

static void on_exit_of(struct master *m, struct process *p, int how)
{
	int64_t now = clock_mono_ms();

	if (p->leaving)
		log_info("process starts anew", LOG_C("process", role_name(p->id)), LOG_U64("instance", p->instance));
	else if (!m->stopping && !m->failed)
		log_error("process ended", LOG_C("process", role_name(p->id)), LOG_U64("instance", p->instance), LOG_U64("pid", p->pid),
			  LOG_I64("signal", WIFSIGNALED(how) ? WTERMSIG(how) : 0), LOG_I64("code", WIFEXITED(how) ? WEXITSTATUS(how) : 0));
	ipc_reader_done(&p->reader);
	master_outbox_done(&p->outbox);
	fd_close(&p->fd);
	p->state = DOWN;
	p->restarts += !p->leaving;
	/* A lab kills for sport: there it does not grow. */
	p->backoff_ms = now - p->since_ms > STEADY_MS || m->config.lab ? BACKOFF_MS : MIN(MAX(p->backoff_ms * 2, BACKOFF_MS), BACKOFF_MAX_MS);
	if (p->leaving)
		p->backoff_ms = 0;
	p->again_ms = now + p->backoff_ms;
	for (unsigned i = 0; i < m->process_count; i++)
		master_tell(&m->processes[i], ROLE_MSG_DETACH, &(struct role_msg_peer){ .role = p->id, .instance = p->instance, .fd = -1 });
	master_tell_processes(m);
}

void master_reap(struct master *m)
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
