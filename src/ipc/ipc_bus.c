/* ipc/ipc_bus.c - account changes, one way and never blocking; see ipc.h.
 *
 * Record of 20 octets on a SEQPACKET pair: account 8, kinds 4, modseq 8, big-endian. A full pair sets the overrun bit; the ticker
 * sends "all" when it is writable again: a wake-up can be late, never lost. A new pair means "all" too.
 */
#include "ipc/ipc_link.h"

#include <errno.h>
#include <sys/socket.h>

#define RECORD 20u

static bool send_record(struct ipc_link *l, uint64_t account, uint32_t kinds, uint64_t modseq)
{
	char    octets[RECORD];
	ssize_t put;

	for (unsigned i = 0; i < 8; i++) {
		octets[i] = (char)(account >> (56 - 8 * i));
		octets[12 + i] = (char)(modseq >> (56 - 8 * i));
	}
	for (unsigned i = 0; i < 4; i++)
		octets[8 + i] = (char)(kinds >> (24 - 8 * i));
	do
		put = send(l->fd, octets, RECORD, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (put < 0 && errno == EINTR);
	return put == (ssize_t)RECORD;
}

void ipc_bus_retry(struct ipc_link *l)
{
	/* Cleared before "all" is sent: whoever sees the bit still set may count on an "all" that comes after. */
	if (atomic_exchange(&l->bus_overrun, false) && !send_record(l, IPC_BUS_ALL, UINT32_MAX, 0))
		l->bus_overrun = true;
}

void ipc_bus_send(struct ipc *ipc, uint64_t account, uint32_t kinds, uint64_t modseq)
{
	struct ipc_link *listeners[ROLE_COUNT * ROLE_INSTANCES_MAX];
	unsigned         n = 0;

	pthread_mutex_lock(&ipc->lock);
	for (unsigned i = 0; i < ROLE_COUNT * ROLE_INSTANCES_MAX; i++) {
		struct ipc_link *l = ipc->links[1][i / ROLE_INSTANCES_MAX][i % ROLE_INSTANCES_MAX][IPC_LANE_BUS];
		if (l) {
			atomic_fetch_add(&l->refs, 1);
			listeners[n++] = l;
		}
	}
	pthread_mutex_unlock(&ipc->lock);
	for (unsigned i = 0; i < n; i++) {
		/* Behind an overrun this change is part of "all" already. */
		if (!listeners[i]->bus_overrun && !send_record(listeners[i], account, kinds, modseq)) {
			listeners[i]->bus_overrun = true;
			ipc_ticker_start(ipc);
		}
		ipc_link_unref(listeners[i]);
	}
}

void ipc_bus_listen(struct ipc *ipc, ipc_bus_fn *fn, void *ctx)
{
	ipc->bus_fn = fn;
	ipc->bus_ctx = ctx;
}

static uint64_t get(const unsigned char *p, unsigned octets)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < octets; i++)
		v = v << 8 | p[i];
	return v;
}

void ipc_bus_run(struct ipc_link *l)
{
	unsigned char octets[RECORD + 1];

	if (!l->asks && l->ipc->bus_fn)
		l->ipc->bus_fn(l->ipc->bus_ctx, IPC_BUS_ALL, UINT32_MAX, 0);
	for (;;) {
		ssize_t got = recv(l->fd, octets, sizeof(octets), 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		if (got == (ssize_t)RECORD && !l->asks && l->ipc->bus_fn)
			l->ipc->bus_fn(l->ipc->bus_ctx, get(octets, 8), (uint32_t)get(octets + 8, 4), get(octets + 12, 8));
	}
}
