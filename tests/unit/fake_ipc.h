/* tests/unit/fake_ipc.h - the asking and answering half of ipc.h in one process, linked instead of the real one.
 *
 * Requests that the code under test starts are kept in order until the test answers them; requests of the test to the code under
 * test give a fake_reply. Everything goes through the real codec, so limits and shapes are checked too. Thread-safe.
 */
#ifndef FAKE_IPC_H
#define FAKE_IPC_H

#include "ipc/ipc.h"

struct fake_call { /* what the code under test asked */
	struct fake_call *next;
	enum role_id      role;
	uint64_t          key;
	enum ipc_msg_id   id;
	struct arena     *arena;
	const void       *body;
	ipc_done_fn      *done;
	void             *arg;
};

void fake_ipc_reset(void); /* also frees what was not answered, silently */
/* false: ipc_peers is 0 and what is started fails at once. */
void fake_ipc_alive(enum role_id role, bool alive);

size_t            fake_ipc_waiting(void);
struct fake_call *fake_ipc_next(enum ipc_msg_id id); /* the first of that kind, taken out; NULL */
/* Answer it: calls done; frees the call. Descriptors in the call are closed. */
void fake_ipc_answer(struct fake_call *c, enum status st, const void *reply);

struct fake_reply {
	bool          over;
	enum status   status;
	struct arena *arena;
	void         *body; /* reply shape */
};
extern enum role_id fake_ipc_asker; /* whose question the next ones are; master's at first */
/* Ask the code under test. The reply is freed by fake_reply_done. */
struct fake_reply *fake_ipc_ask(ipc_handler_fn *handler, void *ctx, enum ipc_msg_id id, const void *body);
void fake_reply_done(struct fake_reply **r);
/* For threads: wait until it is over. */
void fake_reply_wait(struct fake_reply *r);

/* Every bus message so far. */
struct fake_bus {
	uint64_t account, modseq;
	uint32_t kinds;
};
size_t fake_ipc_bus(struct fake_bus *ret, size_t max);

#endif
