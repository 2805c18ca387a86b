/* tests/unit/keeper_rig.h - keeper's rows and session processes that ask them, over real channels, in one process. */
#ifndef KEEPER_RIG_H
#define KEEPER_RIG_H

#include "ipc/ipc.h"
#include "ipc/msg_keeper.h"
#include "ipc/session_token.h"
#include "store/keeper_rows.h"
#include "store/store_kept.h"
#include "store_unit.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define RIG_LIFE UINT64_C(77)

/* Never freed, as in a process. */
static struct keeper_rig {
	struct store_unit u;
	struct keeper     keeper;
	struct ipc       *server, *imap[2];
	uint64_t          epoch;
} rig;

static inline void rig_attach(unsigned instance, uint64_t life)
{
	int fd[2];

	assert_ok(fd_pair(fd, false, 1 << 16));
	rig.epoch++;
	ipc_life(rig.server, ROLE_IMAP, instance, life);
	ipc_attach(rig.server, false, ROLE_IMAP, instance, IPC_LANE_CONTROL, rig.epoch, fd[0]);
	ipc_attach(rig.imap[instance], true, ROLE_KEEPER, 0, IPC_LANE_CONTROL, rig.epoch, fd[1]);
}

static inline void rig_detach(unsigned instance)
{
	ipc_detach(rig.imap[instance], ROLE_KEEPER, 0);
	ipc_detach(rig.server, ROLE_IMAP, instance);
}

static inline void rig_start(const struct store_options *options)
{
	store_unit_dir(&rig.u);
	rig.keeper.accounts = rig.u.fd;
	memset(rig.keeper.key, 7, sizeof(rig.keeper.key));
	if (!rig.server) {
		rig.server = ipc_new(ROLE_KEEPER, 0);
		ipc_pool(rig.server, KEEPER_POOL, 4, 100);
		ipc_pool(rig.server, KEEPER_SYNC_POOL, 4, 100);
		ipc_serve(rig.server, keeper_rows, keeper_row_count, &rig.keeper);
		for (unsigned i = 0; i < 2; i++)
			rig.imap[i] = ipc_new(ROLE_IMAP, i);
	}
	for (unsigned i = 0; i < 2; i++)
		rig_attach(i, RIG_LIFE + i);
	assert_ok(store_new_kept(rig.imap[0], options, &rig.u.store));
}

static inline void rig_end(void)
{
	store_unit_done(&rig.u);
	rig_detach(0);
	rig_detach(1);
}

/* Of a sign-in through imap instance 0, unless said otherwise. */
static inline struct session_token rig_token(uint64_t account)
{
	return (struct session_token){ { ROLE_IMAP, 0, RIG_LIFE }, account, clock_mono_ms() + 60000, 1 };
}

static inline struct str rig_write(const struct session_token *t)
{
	uint8_t *p = arena_alloc(rig.u.arena, LIMIT_TOKEN);

	session_token_write(rig.keeper.key, t, p);
	return str_n(p, LIMIT_TOKEN);
}

static inline struct store_entry *rig_sign_in(uint64_t account)
{
	struct session_token t = rig_token(account);

	return store_enter(rig.u.store, account, rig_write(&t));
}

/* The token alone: nobody enters. */
static inline struct str rig_good(uint64_t account)
{
	struct session_token t = rig_token(account);

	return rig_write(&t);
}

/* As a process would that has been broken into. */
static inline enum status rig_open(unsigned instance, struct str token, struct str name, enum keeper_open mode)
{
	struct keeper_open_reply reply = { .fd = -1 };
	enum status              st = ipc_call(rig.imap[instance], ROLE_KEEPER, IPC_ANY, IPC_KEEPER_OPEN,
					       &(struct keeper_open_request){ token, name, mode }, rig.u.arena, &reply);

	if (st == ST_OK)
		assert_true(reply.fd >= 0);
	fd_close(&reply.fd);
	return st;
}

static inline enum status rig_set(unsigned instance, struct str token)
{
	struct keeper_set_reply reply = { .db = -1, .wal = -1, .shm = -1 };
	enum status             st = ipc_call(rig.imap[instance], ROLE_KEEPER, IPC_ANY, IPC_KEEPER_SET, &(struct keeper_set_request){ token },
					      rig.u.arena, &reply);

	fd_close(&reply.db);
	fd_close(&reply.wal);
	fd_close(&reply.shm);
	return st;
}

/* Looking, listing, all of a database at once: no more for a bad token than opening. */
static inline void rig_nothing(unsigned instance, struct str token)
{
	struct keeper_look_reply look;
	struct keeper_list_reply list;

	for (unsigned mode = 0; mode <= KEEPER_OPEN_LAST; mode++)
		assert_st(rig_open(instance, token, STR("mail.db"), (enum keeper_open)mode), ST_DENIED);
	assert_st(rig_set(instance, token), ST_DENIED);
	assert_st(ipc_call(rig.imap[instance], ROLE_KEEPER, IPC_ANY, IPC_KEEPER_LOOK, &(struct keeper_look_request){ token, STR("mail.db") },
			   rig.u.arena, &look),
		  ST_DENIED);
	assert_st(ipc_call(rig.imap[instance], ROLE_KEEPER, IPC_ANY, IPC_KEEPER_LIST, &(struct keeper_list_request){ token, STR("") }, rig.u.arena, &list),
		  ST_DENIED);
	for (unsigned what = 0; what <= KEEPER_CHANGE_LAST; what++)
		assert_st(ipc_call(rig.imap[instance], ROLE_KEEPER, IPC_ANY, IPC_KEEPER_CHANGE,
				   &(struct keeper_change_request){ token, STR(""), STR(""), (enum keeper_change)what }, rig.u.arena, NULL),
			  ST_DENIED);
}

static inline enum status rig_change(struct str token, enum keeper_change what, struct str name, struct str to)
{
	return ipc_call(rig.imap[0], ROLE_KEEPER, IPC_ANY, IPC_KEEPER_CHANGE, &(struct keeper_change_request){ token, name, to, what }, rig.u.arena,
			NULL);
}

#endif
