/* ipc/ipc_link.h - inside of ipc: one end of one pair, and the process's table of them. Only ipc_*.c include this. */
#ifndef IPC_IPC_LINK_H
#define IPC_IPC_LINK_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/map.h"
#include "ipc/ipc.h"
#include "ipc/ipc_frame.h"

#define IPC_CORK_OCTETS ((size_t)16 * KIB) /* what a corked thread gathers for one link, at most */

#define IPC_POOLS 5 /* pool 0 is the reader thread */

/* A question that waits for its answer: on the asker's stack (done == NULL) or on the heap. */
struct ipc_wait {
	enum ipc_msg_id id;
	int64_t         deadline_ms; /* monotonic */
	/* waiting thread */
	sem_t         over; /* status and reply are there; not the link's lock, which the reader needs for the next answer */
	_Atomic unsigned status; /* stored last: for tools that do not know that a semaphore orders, too */
	struct arena *arena;
	void         *reply;
	/* or callback */
	ipc_done_fn *done;
	void        *arg;
};

/* Counted: the table holds one reference, the reader thread one, each open request one. */
struct ipc_link {
	struct ipc     *ipc;
	bool            asks; /* we ask the peer; else it asks us */
	enum role_id    peer;
	unsigned        instance;
	enum ipc_lane   lane;
	uint64_t        epoch, life;
	int             fd;
	_Atomic int     refs;
	pthread_mutex_t lock;  /* waits, next_number; dead is set under it */
	struct map      waits; /* number -> struct ipc_wait */
	uint64_t        next_number;
	_Atomic bool    dead;
	pthread_mutex_t write_lock; /* fd for writing, and the next lines; see ipc_send.c */
	struct buf      out;
	struct ipc_rest *rests, **rests_last; /* what the socket did not take yet */
	size_t          rest_octets;
	bool            flushing; /* a thread sends them */
	pthread_cond_t  flushed;  /* some of them, or the link is dead */
	_Atomic bool    bus_overrun;
	/* Where we answer: what the peer has asked and we have not answered yet, see ipc_serve.c. */
	_Atomic uint64_t open;     /* requests and their octets in one number */
	size_t           open_max; /* octets */
	_Atomic bool     full;     /* the reader waits for room */
	pthread_cond_t   room;     /* with lock */
};

struct ipc_task {
	struct ipc_task    *next;
	struct ipc_request *request;
	ipc_handler_fn     *handler;
};

struct ipc_pool {
	pthread_mutex_t   lock;
	pthread_cond_t    cond;
	struct ipc_task  *first, **last;
	unsigned          threads, threads_max, idle, waiting, backlog;
	void             *ctx;
};

struct ipc {
	enum role_id          self;
	unsigned              instance;
	pthread_mutex_t       lock; /* links */
	struct ipc_link      *links[2][ROLE_COUNT][ROLE_INSTANCES_MAX][IPC_LANE_COUNT]; /* [asks] */
	uint64_t              lives[ROLE_COUNT][ROLE_INSTANCES_MAX];
	_Atomic uint64_t      turn;
	const struct ipc_row *rows[IPC_MSG_COUNT];
	void                 *ctx;
	struct ipc_pool       pools[IPC_POOLS];
	ipc_bus_fn           *bus_fn;
	void                 *bus_ctx;
	void                (*bad_peer)(void *, enum role_id, unsigned);
	void                 *bad_peer_ctx;
	_Atomic bool          ticking;
};

void ipc_link_unref(struct ipc_link *l);
/* End all waits with ST_TEMP; later sends fail. */
void ipc_link_kill(struct ipc_link *l);
/* Its peer is to be ended; `why` is for the log. */
void ipc_link_blame(struct ipc_link *l, const char *why);
/* A living link on which to ask, with a reference, or NULL. */
struct ipc_link *ipc_link_find(struct ipc *ipc, enum role_id role, uint64_t key, enum ipc_lane lane);

/* Encode and send; serialised. Waits for the peer only when LIMIT_IPC_BACKLOG octets wait already. ST_OK: it goes out if the link lives;
 * ST_CLOSED; not sent: ST_LIMIT, ST_BUSY (no descriptors). */
enum status ipc_link_send(struct ipc_link *l, const struct ipc_frame *head, const struct ipc_shape *shape, const void *msg); /* ipc_send.c */

/* Send what this thread has gathered, before it waits. */
void ipc_cork_send(void);

void ipc_answer_arrived(struct ipc_link *l, struct ipc_frame *f);  /* ipc_call.c */
void ipc_request_arrived(struct ipc_link *l, struct ipc_frame *f); /* ipc_serve.c */
/* It may have one more request open. */
bool ipc_room(struct ipc_link *l);                                 /* ipc_serve.c */
/* Wait until the link may have one more request open: what its reader does before it reads. False: the link is dead. */
bool ipc_room_wait(struct ipc_link *l);                            /* ipc_serve.c */
void ipc_waits_expire(struct ipc_link *l, int64_t now_ms, bool all);
void ipc_bus_run(struct ipc_link *l);                              /* ipc_bus.c: reader thread of a bus lane */
void ipc_bus_retry(struct ipc_link *l);
void ipc_ticker_start(struct ipc *ipc);

/* A detached thread with a small stack. */
void ipc_thread(void *(*fn)(void *), void *arg);

#endif
