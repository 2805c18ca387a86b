/* role/master_outbox.c - see master_outbox.h. */
#include "role/master_outbox.h"

#include "base/limits.h"
#include "sys/clock.h"
#include "sys/fd.h"

/* In a wiping arena of its own: there may be a key in it. */
struct master_outbox_item {
	struct master_outbox_item *next;
	struct arena              *arena;
	struct str                 packet;
	struct ipc_fds             fds; /* copies */
};

void master_outbox_init(struct master_outbox *o, int fd)
{
	*o = (struct master_outbox){ .fd = fd };
}

static void first_drop(struct master_outbox *o)
{
	struct master_outbox_item *item = o->first;
	struct arena              *a = item->arena;

	o->first = item->next;
	if (!o->first)
		o->last = NULL;
	o->count--;
	o->octets -= item->packet.n;
	ipc_fds_close(&item->fds);
	arena_free(&a);
}

void master_outbox_done(struct master_outbox *o)
{
	while (o->first)
		first_drop(o);
}

/* ST_TEMP: no descriptors left to keep its descriptors by. */
static enum status fds_copy(const struct ipc_fds *fds, struct ipc_fds *ret)
{
	for (unsigned i = 0; i < fds->n; i++) {
		if (fd_dup(fds->fd[i], &ret->fd[i]) != ST_OK) {
			ipc_fds_close(ret);
			return ST_TEMP;
		}
		ret->n++;
	}
	return ST_OK;
}

static enum status keep(struct master_outbox *o, struct str packet, const struct ipc_fds *fds)
{
	struct arena              *a;
	struct master_outbox_item *item;

	if (o->count == MASTER_OUTBOX_MESSAGES || packet.n > MASTER_OUTBOX_OCTETS - o->octets)
		return ST_LIMIT;
	a = arena_new_secret(NULL);
	item = ARENA_NEW(a, struct master_outbox_item);
	*item = (struct master_outbox_item){ .arena = a, .packet = arena_dup(a, packet) };
	if (fds_copy(fds, &item->fds) != ST_OK) {
		arena_free(&a);
		return ST_LIMIT;
	}
	if (!o->first)
		o->since_ms = clock_mono_ms();
	*(o->last ? &o->last->next : &o->first) = item;
	o->last = item;
	o->count++;
	o->octets += packet.n;
	return ST_OK;
}

enum status master_outbox_send(struct master_outbox *o, enum role_msg_id id, const void *msg)
{
	struct ipc_fds fds = { .n = 0 };
	struct buf     out;
	enum status    st;

	buf_init(&out, LIMIT_IPC_FRAME + IPC_HEADER);
	st = role_msg_encode(&out, &fds, id, msg);
	if (st == ST_OK)
		st = o->first ? ST_AGAIN : ipc_packet_send(o->fd, buf_str(&out), &fds);
	if (st == ST_AGAIN)
		st = keep(o, buf_str(&out), &fds);
	buf_done(&out);
	return st;
}

enum status master_outbox_flush(struct master_outbox *o)
{
	enum status st = ST_OK;

	while (o->first && (st = ipc_packet_send(o->fd, o->first->packet, &o->first->fds)) == ST_OK) {
		first_drop(o);
		o->since_ms = clock_mono_ms();
	}
	return st == ST_AGAIN ? ST_OK : st;
}
