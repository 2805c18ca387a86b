/* cli/cli_ask.c - asking the running server, or its code in this process when there is none; see cli.h. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "cli/cli.h"
#include "db/db.h"
#include "deliver/local_admin.h"
#include "directory/directory.h"
#include "directory/directory_rows.h"
#include "ipc/ipc.h"
#include "ipc/ipc_frame.h"
#include "queue/queue.h"
#include "role/master.h"
#include "role/role.h"
#include "trust/trust_store.h"
#include "sys/dir.h"
#include "sys/fd.h"
#include "sys/spawn.h"

/* ---- the running server ---- */

enum status cli_exchange(int fd, enum ipc_msg_id id, const void *request, struct arena *a, void *ret_reply)
{
	const struct ipc_msg *m = &ipc_msgs[id];
	struct ipc_fds    fds = { .n = 0 };
	struct ipc_frame  head = { .type = id, .number = 1 }, answer;
	struct ipc_reader in;
	struct buf        out;
	enum status       st = ST_OK;

	buf_init(&out, LIMIT_IPC_FRAME + IPC_HEADER);
	ipc_frame_begin(&out);
	if (request)
		st = ipc_encode(&out, &fds, &m->request, request, IPC_VERSION);
	if (st == ST_OK)
		st = ipc_frame_send(fd, &out, &head, NULL);
	buf_done(&out);
	if (st != ST_OK)
		return st;
	ipc_reader_init(&in, fd);
	st = ipc_reader_next(&in, &answer);
	if (st == ST_OK && answer.type != (uint32_t)id)
		st = ST_CORRUPT;
	if (st == ST_OK)
		st = answer.status;
	else if (st == ST_CLOSED)
		st = ST_TEMP; /* it was there a moment ago */
	if (st == ST_OK)
		st = ipc_decode(arena_dup(a, answer.payload), NULL, &m->reply, ret_reply ? ret_reply : arena_alloc(a, m->reply.size), a,
				answer.version);
	ipc_reader_done(&in);
	return st;
}

enum status cli_ask_server(struct cli *c, enum ipc_msg_id id, const void *request, void *ret_reply)
{
	const struct timeval  patience = { .tv_sec = MAX(150, ipc_msgs[id].deadline_ms / 1000 + 30) };
	CLEANUP(fd_close) int data = open(arena_cstr(c->arena, c->config.data), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(fd_close) int fd = -1;
	enum status           st;

	if (data < 0)
		return ST_CLOSED;
	st = dir_socket_connect(data, MASTER_SOCKET, &fd);
	if (st != ST_OK)
		return st == ST_NOT_FOUND ? ST_CLOSED : st;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return cli_exchange(fd, id, request, c->arena, ret_reply);
}

/* ---- no server: the role's own code, as the role's user ---- */

/* Open the role's folder under the data directory's lock, and become its user. */
static enum status become(struct cli *c, const struct role_def *def, int *ret_root, const char **ret_why)
{
	int         data, lock, root;
	pid_t       holder;
	bool        change;
	uid_t       uid;
	gid_t       gid;
	enum status st = master_data_open(&c->config, true, c->arena, &data, ret_why);

	if (st == ST_OK)
		st = dir_lock(data, MASTER_LOCK, &lock, &holder); /* kept until we exit: no server may start meanwhile */
	if (st == ST_BUSY)
		*ret_why = CLI_IN_BETWEEN;
	if (st == ST_OK)
		st = master_root_open(&c->config, data, def->root, def->user, &root);
	if (st == ST_OK)
		st = master_user(&c->config, def->user, &change, &uid, &gid);
	if (st == ST_OK && change)
		st = spawn_become(uid, gid);
	if (st == ST_OK) {
		db_init();
		st = db_root(def->root, root);
		*ret_root = root;
	}
	return st;
}

static struct { /* opened once per command */
	struct directory   *directory;
	struct trust_store *trust;
	struct queue       *queue;
	struct local_admin  local;
} alone;

static enum status open_alone(struct cli *c, enum role_id role, const char **ret_why)
{
	enum status st;
	int         root;

	if (alone.directory || alone.queue || alone.local.store)
		return ST_OK;
	log_set_level(LOG_LEVEL_WARN); /* standard error is a terminal: what was done is the command's to say */
	st = become(c, role_def_of(role), &root, ret_why);
	if (st != ST_OK)
		return st;
	if (role == ROLE_AUTH)
		alone.trust = trust_store_open(&(struct trust_store_options){ .path = NULL });
	if (role == ROLE_AUTH)
		return directory_open(&(struct directory_options){
			.create = true, .subaddress = arena_cstr(c->arena, c->config.subaddress),
			.guard = guard_open(&(struct guard_options){ .settings = c->config.guard, .threadless = true }) }, &alone.directory);
	if (role == ROLE_LOCAL)
		return store_new(root, &(struct store_options){ .retention_ms = (int64_t)c->config.undelete_s * 1000 }, &alone.local.store);
	return queue_open(&(struct queue_options){ .dir = root, .root = role_def_of(role)->root, .hostname = c->config.hostname }, &alone.queue);
}

static enum status ask_alone(struct cli *c, enum ipc_msg_id id, const void *request, void *ret_reply, const char **ret_why)
{
	enum role_id role = ipc_msgs[id].server;
	enum status  st;

	if (role != ROLE_AUTH && role != ROLE_QUEUE && role != ROLE_LOCAL)
		return ST_CLOSED;
	st = open_alone(c, role, ret_why);
	if (st != ST_OK)
		return st;
	for (size_t i = 0; i < trust_row_count; i++)
		if (trust_rows[i].id == id)
			return ipc_local(trust_rows, trust_row_count, alone.trust, id, request, c->arena, ret_reply);
	if (role == ROLE_AUTH)
		return ipc_local(directory_rows, directory_row_count, alone.directory, id, request, c->arena, ret_reply);
	if (role == ROLE_LOCAL)
		return ipc_local(local_admin_rows, local_admin_row_count, &alone.local, id, request, c->arena, ret_reply);
	return ipc_local(queue_rows, queue_row_count, alone.queue, id, request, c->arena, ret_reply);
}

int cli_ask(struct cli *c, enum ipc_msg_id id, const void *request, void *ret_reply, const char *subject)
{
	const char *why = NULL;
	enum status st;
	int         code = cli_config(c);

	if (code != CLI_OK)
		return code;
	st = cli_ask_server(c, id, request, ret_reply);
	if (st == ST_CLOSED)
		st = ask_alone(c, id, request, ret_reply, &why);
	if (st != ST_OK && why)
		return cli_error(c, st == ST_DENIED ? CLI_DENIED : st == ST_BUSY ? CLI_TRY_LATER : CLI_FAILED, "%s", why);
	return st == ST_OK ? CLI_OK : cli_fail(c, st, subject);
}
