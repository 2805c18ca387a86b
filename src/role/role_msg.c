/* role/role_msg.c - see role_msg.h. */
#include "role/role_msg.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "ipc/ipc_msg.h"
#include "ipc/session_token.h"
#include "sys/fd.h"

static const struct ipc_field start_fields[] = {
	IPC_U32(struct role_msg_start, role),
	IPC_U32(struct role_msg_start, instance),
	IPC_LIST(struct role_msg_start, config, config_count, 1, &config_shape),
	IPC_STR(struct role_msg_start, certificate, LIMIT_PEM),
	IPC_SECRET(struct role_msg_start, key, LIMIT_PEM),
	IPC_I64(struct role_msg_start, started_ms),
	IPC_SECRET(struct role_msg_start, session_key, SESSION_KEY),
};
static const struct ipc_field root_fields[] = {
	IPC_STR(struct role_msg_root, name, 32),
	IPC_FD(struct role_msg_root, fd),
};
static const struct ipc_field listener_fields[] = {
	IPC_U32(struct role_msg_listener, kind),
	IPC_FD(struct role_msg_listener, fd),
};
static const struct ipc_field peer_fields[] = {
	IPC_BOOL(struct role_msg_peer, asks),    IPC_U32(struct role_msg_peer, role), IPC_U32(struct role_msg_peer, instance),
	IPC_U32(struct role_msg_peer, lane),     IPC_U64(struct role_msg_peer, epoch), IPC_FD(struct role_msg_peer, fd),
	IPC_U64(struct role_msg_peer, life),
};
static const struct ipc_field stop_fields[] = { IPC_U32(struct role_msg_stop, grace_ms) };
static const struct ipc_field failed_fields[] = { IPC_STR(struct role_msg_failed, why, 1000) };
#define EMPTY IPC_EMPTY

static const struct ipc_shape shapes[ROLE_MSG_COUNT] = {
	[ROLE_MSG_NONE] = EMPTY,
	[ROLE_MSG_START] = IPC_SHAPE(role_msg_start, start_fields),
	[ROLE_MSG_ROOT] = IPC_SHAPE(role_msg_root, root_fields),
	[ROLE_MSG_LISTENER] = IPC_SHAPE(role_msg_listener, listener_fields),
	[ROLE_MSG_PEER] = IPC_SHAPE(role_msg_peer, peer_fields),
	[ROLE_MSG_DETACH] = IPC_SHAPE(role_msg_peer, peer_fields),
	[ROLE_MSG_ENTER] = EMPTY,
	[ROLE_MSG_RELOAD] = IPC_SHAPE(role_msg_start, start_fields),
	[ROLE_MSG_STOP] = IPC_SHAPE(role_msg_stop, stop_fields),
	[ROLE_MSG_READY] = EMPTY,
	[ROLE_MSG_FAILED] = IPC_SHAPE(role_msg_failed, failed_fields),
	[ROLE_MSG_BAD_PEER] = IPC_SHAPE(role_msg_peer, peer_fields),
};

/* PROCESSES and METRICS are what control passes on: the replies to IPC_CONTROL_STATUS and IPC_CONTROL_METRICS. */
static const struct ipc_shape *shape_of(unsigned id)
{
	return id == ROLE_MSG_PROCESSES ? &ipc_msgs[IPC_CONTROL_STATUS].reply :
	       id == ROLE_MSG_METRICS   ? &ipc_msgs[IPC_CONTROL_METRICS].reply :
					  &shapes[id];
}

/* Payload behind an empty header. */
static enum status fill(struct buf *out, struct ipc_fds *fds, enum role_msg_id id, const void *msg)
{
	ipc_frame_begin(out);
	return msg ? ipc_encode(out, fds, shape_of(id), msg, IPC_VERSION) : ST_OK;
}

enum status role_msg_encode(struct buf *out, struct ipc_fds *fds, enum role_msg_id id, const void *msg)
{
	enum status st = fill(out, fds, id, msg);

	return st == ST_OK ? ipc_frame_end(out, 0, &(struct ipc_frame){ .type = id }, fds) : st;
}

enum status role_msg_send(int fd, enum role_msg_id id, const void *msg)
{
	struct ipc_fds   fds = { .n = 0 };
	struct ipc_frame head = { .type = id };
	struct buf       out;
	enum status      st;

	buf_init(&out, LIMIT_IPC_FRAME);
	st = fill(&out, &fds, id, msg);
	if (st == ST_OK)
		st = ipc_frame_send(fd, &out, &head, &fds);
	buf_done(&out);
	return st;
}

/* The next frame as a message, if its type is among those of the mask. */
static enum status next(struct ipc_reader *r, unsigned types, struct arena *a, enum role_msg_id *ret_id, void **ret_msg)
{
	struct ipc_frame f;
	enum status      st = ipc_reader_next(r, &f);

	if (st != ST_OK)
		return st;
	if (f.type >= ROLE_MSG_COUNT || !(types & 1u << f.type)) {
		ipc_fds_close(&f.fds);
		return ST_CORRUPT;
	}
	*ret_id = (enum role_msg_id)f.type;
	*ret_msg = arena_alloc(a, shape_of(f.type)->size);
	st = ipc_decode(arena_dup(a, f.payload), &f.fds, shape_of(f.type), *ret_msg, a, f.version);
	ipc_fds_close(&f.fds);
	return st;
}

enum status role_msg_next(struct ipc_reader *r, struct arena *a, enum role_msg_id *ret_id, void **ret_msg)
{
	return next(r, (1u << ROLE_MSG_COUNT) - 1 - (1u << ROLE_MSG_NONE), a, ret_id, ret_msg);
}

enum status role_msg_hear(struct ipc_reader *r, struct arena *a, enum role_msg_id *ret_id, void **ret_msg)
{
	enum status st = next(r, 1u << ROLE_MSG_READY | 1u << ROLE_MSG_FAILED | 1u << ROLE_MSG_BAD_PEER | 1u << ROLE_MSG_METRICS, a, ret_id, ret_msg);

	if (st == ST_OK && *ret_id == ROLE_MSG_BAD_PEER && ((struct role_msg_peer *)*ret_msg)->fd >= 0) {
		fd_close(&((struct role_msg_peer *)*ret_msg)->fd);
		return ST_CORRUPT;
	}
	return st;
}
