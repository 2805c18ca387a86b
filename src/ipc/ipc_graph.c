/* ipc/ipc_graph.c - see ipc_graph.h. */
#include "ipc/ipc_graph.h"

#include "base/limits.h"

#define CONTROL (1u << IPC_LANE_CONTROL)
#define BULK    (1u << IPC_LANE_BULK)
#define BUS     (1u << IPC_LANE_BUS)

const struct ipc_edge ipc_edges[] = {
	{ ROLE_CONTROL, ROLE_AUTH, CONTROL, LIMIT_IPC_OPEN },
	{ ROLE_CONTROL, ROLE_QUEUE, CONTROL | BULK, LIMIT_IPC_OPEN },
	{ ROLE_CONTROL, ROLE_DNS, CONTROL, LIMIT_IPC_OPEN },
	{ ROLE_CONTROL, ROLE_LOCAL, CONTROL, LIMIT_IPC_OPEN },
	{ ROLE_SMTP, ROLE_AUTH, CONTROL, LIMIT_IPC_OPEN },
	{ ROLE_SMTP, ROLE_QUEUE, CONTROL | BULK, LIMIT_IPC_OPEN },
	{ ROLE_SMTP, ROLE_REMOTE, CONTROL, LIMIT_IPC_OPEN },
	{ ROLE_AUTH, ROLE_DNS, CONTROL, LIMIT_IPC_OPEN },
	{ ROLE_QUEUE, ROLE_AUTH, CONTROL, LIMIT_IPC_OPEN },
	{ ROLE_QUEUE, ROLE_LOCAL, CONTROL | BULK, LIMIT_IPC_OPEN_QUEUE },
	{ ROLE_QUEUE, ROLE_REMOTE, CONTROL | BULK, LIMIT_IPC_OPEN_QUEUE },
	{ ROLE_QUEUE, ROLE_PIPE, BULK, LIMIT_IPC_OPEN_QUEUE },
	{ ROLE_REMOTE, ROLE_DNS, CONTROL, LIMIT_IPC_OPEN },
	{ ROLE_REMOTE, ROLE_AUTH, CONTROL, LIMIT_IPC_OPEN },
	{ ROLE_LOCAL, ROLE_AUTH, CONTROL, LIMIT_IPC_OPEN },
	{ ROLE_IMAP, ROLE_AUTH, CONTROL, LIMIT_IPC_OPEN },
	{ ROLE_IMAP, ROLE_KEEPER, CONTROL, LIMIT_IPC_OPEN },
	/* Announcements: nobody waits for them, so they are no questions. */
	{ ROLE_LOCAL, ROLE_IMAP, BUS, 0 },
	{ ROLE_IMAP, ROLE_IMAP, BUS, 0 },
};
const size_t ipc_edge_count = LEN(ipc_edges);

const struct ipc_edge *ipc_edge_find(enum role_id asker, enum role_id server)
{
	for (size_t i = 0; i < LEN(ipc_edges); i++)
		if (ipc_edges[i].asker == asker && ipc_edges[i].server == server)
			return &ipc_edges[i];
	return NULL;
}

static const char *const names[] = {
	[ROLE_MASTER] = "master", [ROLE_CONTROL] = "control", [ROLE_DNS] = "dns",
	[ROLE_AUTH] = "auth",     [ROLE_SMTP] = "smtp",       [ROLE_QUEUE] = "queue",
	[ROLE_LOCAL] = "local",   [ROLE_REMOTE] = "remote",   [ROLE_IMAP] = "imap",
	[ROLE_PIPE] = "pipe",     [ROLE_KEEPER] = "keeper",
};
_Static_assert(LEN(names) == ROLE_COUNT, "a name per role");

const char *role_name(enum role_id role)
{
	return (unsigned)role < LEN(names) ? names[role] : "?";
}

enum role_id role_find(struct str name)
{
	for (unsigned i = 0; i < LEN(names); i++)
		if (str_eq(str_of(names[i]), name))
			return (enum role_id)i;
	return ROLE_COUNT;
}
