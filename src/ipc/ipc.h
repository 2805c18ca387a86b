/* ipc/ipc.h - channels: asking another process, and answering.
 *
 * One `struct ipc` per process. The master hands it descriptors (ipc_attach); everything
 * else is by role: ipc_call() asks some living process of a role and waits; ipc_start()
 * does not wait but calls back. A request has a deadline. When the peer dies or is
 * replaced (a new epoch), requests open on the old pair end with ST_TEMP: whether they
 * were carried out is then unknown, which is why queue_submit is idempotent.
 *
 * A server's handlers run on the channel's reader thread (row.pool == NULL: they must be
 * short and never wait), or in a bounded pool. A handler answers with ipc_reply() once, now
 * or later, from any thread. A full pool answers ST_BUSY by itself. What a peer may ask stands in ipc_msgs; what it may have
 * open at once is bounded (ipc_serve.c): then it is not read until answers have gone out.
 *
 * No circle: a handler asks only roles that the graph lists for its own role, so a chain
 * of waits always ends.
 *
 * A descriptor in a request or reply is duplicated into the other process: the sender's own copy stays the sender's to close.
 *
 * Thread-safe throughout.
 */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include "ipc/ipc_codec.h"
#include "ipc/ipc_graph.h"
#include "ipc/ipc_msg.h"

struct ipc;

/* Which process of a role to ask. ANY takes turns; KEY sends equal keys to the same
 * instance as long as it lives (an account's deliveries). */
#define IPC_ANY UINT64_MAX

/* Ask `role` with message `id`; `request` is a struct of ipc_msgs[id].request. On ST_OK *ret_reply is filled (reply shape);
 * its strings and lists live in `a`. The status is the handler's, or ST_TEMP (channel lost, deadline, no such
 * process now), ST_LIMIT (request too large). `key`: IPC_ANY or a number. ret_reply may be NULL for an empty reply. */
MUST_CHECK enum status ipc_call(struct ipc *ipc, enum role_id role, uint64_t key, enum ipc_msg_id id, const void *request,
				struct arena *a, void *ret_reply);

/* The same without waiting. done() is called exactly once, from another thread (or from inside
 * ipc_start when it cannot be sent); `reply` is NULL unless status is ST_OK and is valid only during the call. */
typedef void ipc_done_fn(void *arg, enum status status, const void *reply);
void ipc_start(struct ipc *ipc, enum role_id role, uint64_t key, enum ipc_msg_id id, const void *request, ipc_done_fn *done,
	       void *arg);

/* How many processes of the role can be asked now. */
unsigned ipc_peers(struct ipc *ipc, enum role_id role);

/* Between the two, what this thread asks and answers may be gathered, and goes out at the end, by link in one system call: for a
 * thread that makes many small messages in a row. ipc_call sends them too. Pairs may be nested. */
void ipc_cork(void);
void ipc_uncork(void);

/* ---- answering ---- */

struct ipc_request {
	enum ipc_msg_id id;
	enum role_id    asker;
	unsigned        instance;
	uint64_t        life; /* of the process that asks, see ipc_life */
	const void     *body;  /* struct of the request shape; strings borrow from the arena */
	struct arena   *arena; /* freed by ipc_reply: put the answer's parts here. Wiping if the request has secrets */
};

/* ctx is the one given to ipc_serve. Must end in exactly one ipc_reply(r, ...), now or later. Descriptors in the body
 * belong to the handler. */
typedef void ipc_handler_fn(void *ctx, struct ipc_request *r);

struct ipc_row {
	enum ipc_msg_id  id;
	ipc_handler_fn  *handler;
	unsigned         pool; /* 0: on the reader thread; n: pool n (1..) of ipc_pool() */
};

/* `reply` is a struct of the reply shape (NULL if empty or status != ST_OK). Frees r with its arena. */
void ipc_reply(struct ipc_request *r, enum status status, const void *reply);
/* The channel on which it was asked is lost: nobody gets the answer, and who asked may ask again. For a handler whose work had better not be done twice. */
bool ipc_asker_gone(struct ipc_request *r);

/* Run one handler in this process, without any channel: for commands while no server runs. `rows` and `ctx` as for ipc_serve. The
 * request goes through encoder and decoder as it would between processes. ST_NOT_FOUND-like statuses are the handler's. */
MUST_CHECK enum status ipc_local(const struct ipc_row *rows, size_t count, void *ctx, enum ipc_msg_id id, const void *request,
				 struct arena *a, void *ret_reply);

/* ---- setting up (role runtime) ---- */

struct ipc *ipc_new(enum role_id self, unsigned instance);
/* Before the first attach. `rows` is static. */
void ipc_serve(struct ipc *ipc, const struct ipc_row *rows, size_t count, void *ctx);
/* Pool `n` (1..4): up to `threads` at once, `backlog` requests waiting, then ST_BUSY. */
void ipc_pool(struct ipc *ipc, unsigned n, unsigned threads, unsigned backlog);
/* Take over one end of a pair: we ask `peer` (asks) or answer it. A newer epoch replaces the older pair. */
void ipc_attach(struct ipc *ipc, bool asks, enum role_id peer, unsigned instance, enum ipc_lane lane, uint64_t epoch, int fd);
/* Which process of that instance it is: the master's number, never given twice. For pairs that are attached from now on. */
void ipc_life(struct ipc *ipc, enum role_id peer, unsigned instance, uint64_t life);
/* Called (from any thread) when a peer breaks the channel format or reads nothing for 30 s: the channel is lost, so the process should
 * be ended. Before the first attach. */
void ipc_on_bad_peer(struct ipc *ipc, void (*fn)(void *ctx, enum role_id peer, unsigned instance), void *ctx);
/* The peer process is gone and will not come back soon. */
void ipc_detach(struct ipc *ipc, enum role_id peer, unsigned instance);

/* ---- bus: an account changed ---- */

#define IPC_BUS_ALL  UINT64_MAX /* as account: anything may have changed */
#define IPC_BUS_MAIL 1u         /* as kinds: messages came, went or changed */

/* Tell all processes of the roles that listen. Never blocks: when a pair is full, its overrun bit makes it "all" later. */
void ipc_bus_send(struct ipc *ipc, uint64_t account, uint32_t kinds, uint64_t modseq);
typedef void ipc_bus_fn(void *ctx, uint64_t account, uint32_t kinds, uint64_t modseq);
/* Called on a bus thread; must be short. Set before the first attach. */
void ipc_bus_listen(struct ipc *ipc, ipc_bus_fn *fn, void *ctx);

#endif
