/* role/role.c - see role.h. */
#include "role/role.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "role/role_msg.h"
#include "sys/fd.h"
#include "sys/sandbox.h"

#define CHANNEL 3 /* to the master, see sys/spawn.h */

static const struct role_def *const defs[ROLE_COUNT] = {
	[ROLE_CONTROL] = &role_control, [ROLE_DNS] = &role_dns,     [ROLE_AUTH] = &role_auth,     [ROLE_SMTP] = &role_smtp,
	[ROLE_QUEUE] = &role_queue,     [ROLE_LOCAL] = &role_local, [ROLE_REMOTE] = &role_remote, [ROLE_IMAP] = &role_imap,
	[ROLE_PIPE] = &role_pipe,     [ROLE_KEEPER] = &role_keeper,
};

const struct role_def *role_def_of(enum role_id id)
{
	return (unsigned)id < ROLE_COUNT ? defs[id] : NULL;
}

int role_root(const struct role *r, const char *name)
{
	for (unsigned i = 0; i < r->root_count; i++)
		if (str_eq(r->roots[i].name, str_of(name)))
			return r->roots[i].fd;
	return -1;
}

static void settings_take(struct role *r, const struct role_msg_start *m)
{
	CHECK(m->config_count == 1);
	r->config = m->config;
	r->certificate = m->certificate;
	r->key = m->key;
	r->started_ms = m->started_ms;
	log_set_level((enum log_level)r->config->log_level);
}

static void peer_take(struct role *r, const struct role_msg_peer *m)
{
	if (m->role >= ROLE_COUNT || m->instance >= ROLE_INSTANCES_MAX || m->lane >= IPC_LANE_COUNT)
		return;
	ipc_life(r->ipc, (enum role_id)m->role, m->instance, m->life);
	ipc_attach(r->ipc, m->asks, (enum role_id)m->role, m->instance, (enum ipc_lane)m->lane, m->epoch, m->fd);
}

/* Channels may come before the sandbox is entered; their threads may not start yet. */
struct early {
	struct role_msg_peer *peers[ROLE_COUNT * ROLE_INSTANCES_MAX * IPC_LANE_COUNT];
	unsigned              n;
};

/* START and what follows, up to ENTER. False: the master is gone or makes no sense. */
static bool receive(struct role *r, struct ipc_reader *in, struct early *early)
{
	enum role_msg_id id;
	void            *msg;

	while (role_msg_next(in, r->arena, &id, &msg) == ST_OK) {
		const struct role_msg_root     *root = msg;
		const struct role_msg_listener *listener = msg;

		switch (id) {
		case ROLE_MSG_START:
			settings_take(r, msg);
			r->session_key = ((struct role_msg_start *)msg)->session_key;
			log_setup(2, role_name(r->def->id), (enum log_level)r->config->log_level, (enum log_format)r->config->log_format);
			break;
		case ROLE_MSG_ROOT:
			CHECK(r->root_count < ROLE_ROOTS);
			r->roots[r->root_count].name = root->name;
			r->roots[r->root_count++].fd = root->fd;
			break;
		case ROLE_MSG_LISTENER:
			CHECK(r->listener_count < ROLE_LISTENERS);
			r->listeners[r->listener_count].kind = listener->kind;
			r->listeners[r->listener_count++].fd = listener->fd;
			break;
		case ROLE_MSG_PEER:
			CHECK(early->n < LEN(early->peers));
			early->peers[early->n++] = msg;
			break;
		case ROLE_MSG_ENTER: return r->config != NULL;
		default:             break; /* DETACH of a peer that never was attached */
		}
	}
	return false;
}

static void peers_take(struct role *r, const struct early *early, bool asks)
{
	for (unsigned i = 0; i < early->n; i++)
		if (early->peers[i]->asks == asks)
			peer_take(r, early->peers[i]);
}

static bool enter(struct role *r, const char **ret_why)
{
	int            roots[ROLE_ROOTS];
	struct sandbox s = { .needs = r->def->needs | r->more_needs, .roots = roots, .landlock = r->config->landlock, .landlock_max = r->config->landlock_max };

	for (; s.root_count < r->root_count; s.root_count++)
		roots[s.root_count] = r->roots[s.root_count].fd;
	return sandbox_enter(&s, ret_why) == ST_OK;
}

static int fail(const struct role *r, const char *why)
{
	log_error("cannot start", LOG_C("why", why));
	if (role_msg_send(CHANNEL, ROLE_MSG_FAILED, &(struct role_msg_failed){ .why = str_of(why) }) != ST_OK)
		log_debug("master did not hear it");
	(void)r;
	return 1;
}

static void on_bad_peer(void *ctx, enum role_id peer, unsigned instance)
{
	struct role_msg_peer m = { .role = peer, .instance = instance, .fd = -1 };

	(void)ctx;
	if (role_msg_send(CHANNEL, ROLE_MSG_BAD_PEER, &m) != ST_OK)
		log_error("master does not listen");
}

/* Relay what the master says until it says STOP (or is gone: then there is nobody to serve for). */
static void serve(struct role *r, struct ipc_reader *in)
{
	enum role_msg_id id;
	void            *msg;
	unsigned         grace_ms = 0;

	for (;;) {
		struct arena *a = arena_new(r->arena);

		if (role_msg_next(in, a, &id, &msg) != ST_OK)
			break;
		if (id == ROLE_MSG_PEER)
			peer_take(r, msg);
		if (id == ROLE_MSG_DETACH)
			ipc_detach(r->ipc, (enum role_id)((struct role_msg_peer *)msg)->role, ((struct role_msg_peer *)msg)->instance);
		if (id == ROLE_MSG_PROCESSES && r->def->processes)
			r->def->processes(r, msg);
		if (id == ROLE_MSG_METRICS && r->def->metrics)
			r->def->metrics(r, msg);
		if (id == ROLE_MSG_STOP) {
			grace_ms = ((struct role_msg_stop *)msg)->grace_ms;
			break;
		}
		if (id == ROLE_MSG_RELOAD) { /* sessions may look at the old settings still: kept */
			settings_take(r, msg);
			if (r->def->reload)
				r->def->reload(r);
		} else {
			arena_free(&a);
		}
	}
	if (r->def->stop)
		r->def->stop(r, grace_ms);
}

/* As many descriptors as the system lets us have. */
static void raise_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

int role_main(enum role_id id, unsigned instance)
{
	struct role       r = { .def = role_def_of(id), .instance = instance, .arena = arena_new_secret(NULL) };
	struct early     *early = ARENA_NEW(r.arena, struct early);
	struct ipc_reader in;
	const char       *why = "unknown";

	CHECK(r.def);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* the master decides, also when a terminal interrupts all of us */
	signal(SIGHUP, SIG_IGN);
	log_setup(2, role_name(id), LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
	raise_descriptors();
	ipc_reader_init(&in, CHANNEL);
	if (!receive(&r, &in, early))
		return 0;
	r.ipc = ipc_new(id, instance);
	ipc_on_bad_peer(r.ipc, on_bad_peer, NULL);
	if (r.def->prepare && !r.def->prepare(&r, &why))
		return fail(&r, why);
	if (!enter(&r, &why))
		return fail(&r, why);
	if (r.config->probe)
		role_probe(&r);
	/* Whom we ask must be there before the first stranger is let in; who asks us finds the rows that start() serves. */
	peers_take(&r, early, true);
	if (!r.def->start(&r, &why))
		return fail(&r, why);
	peers_take(&r, early, false);
	if (role_msg_send(CHANNEL, ROLE_MSG_READY, NULL) != ST_OK)
		return 1;
	if (!role_metrics_start(&r, CHANNEL))
		log_warn("nothing is counted: no thread for it");
	serve(&r, &in);
	/* Threads may still be inside: no destructors, the kernel takes it all back. */
	fflush(NULL);
	_exit(0);
}
