/* role/role_local.c - delivery into accounts, and their upkeep; asks auth alone, whose domain has a total, and tells it what an account holds. */
#include <pthread.h>

#include "db/db.h"
#include "deliver/deliver_local.h"
#include "deliver/local_admin.h"
#include "deliver/local_used.h"
#include "role/role.h"
#include "sys/clock.h"
#include "sys/sandbox.h"
#include "wire/text/text_charset.h"

#define HANDLE_OCTETS  (64 * MIB) /* open databases kept for the next delivery */
#define HANDLES        1000u
#define RESERVE_OCTETS (64 * MIB) /* given up when the disk is full, so that what was accepted is delivered */

#define UPKEEP_S       86400 /* each account is cleaned once a day */
#define UPKEEP_FIRST_S 600

/* Accounts that are set aside are looked for at the start and then now and then: their users may get no mail that would have them repaired. */
#define REPAIR_S      300
#define REPAIR_LAB_S  1
#define REPAIR_AGAIN_MAX_S 3600 /* the pause doubles up to this while one cannot be repaired */

struct local_role {
	struct deliver_local *deliver;
	struct local_admin    admin;
	struct store         *store;
	struct ipc           *ipc;
	pthread_t             upkeep, repairs;
	int64_t               repair_s;
	pthread_mutex_t       lock;
	pthread_cond_t        cond;
	bool                  stopping;
};

static bool go_on(void *arg)
{
	struct local_role *l = arg;
	bool               stopping;

	pthread_mutex_lock(&l->lock);
	stopping = l->stopping;
	pthread_mutex_unlock(&l->lock);
	return !stopping;
}

/* Wait for so long, or until we stop. */
static bool rest(struct local_role *l, int64_t seconds)
{
	struct timespec until = clock_deadline(seconds * 1000);
	bool            stopping;

	pthread_mutex_lock(&l->lock);
	while (!l->stopping && pthread_cond_clockwait(&l->cond, &l->lock, CLOCK_MONOTONIC, &until) == 0)
		continue;
	stopping = l->stopping;
	pthread_mutex_unlock(&l->lock);
	return !stopping;
}

/* Sessions that show the mailbox are told, and who counts what it holds. */
static void changed(void *arg, uint64_t account, uint64_t modseq)
{
	struct local_role *l = arg;

	ipc_bus_send(l->ipc, account, IPC_BUS_MAIL, modseq);
	local_used_tell(l->ipc, l->store, account);
}

static void *upkeep_main(void *arg)
{
	struct local_role *l = arg;

	for (int64_t s = UPKEEP_FIRST_S; rest(l, s); s = UPKEEP_S)
		store_upkeep(l->store, go_on, changed, l);
	return NULL;
}

static void *repair_main(void *arg)
{
	struct local_role *l = arg;
	int64_t            wait_s = 0;

	while (rest(l, wait_s)) {
		if (store_repair_all(l->store, go_on, l) > 0)
			wait_s = MIN(MAX(wait_s, l->repair_s) * 2, REPAIR_AGAIN_MAX_S);
		else
			wait_s = l->repair_s;
	}
	return NULL;
}

static bool prepare(struct role *r, const char **ret_why)
{
	db_init();
	text_charset_preload();
	(void)r;
	(void)ret_why;
	return true;
}

static bool start(struct role *r, const char **ret_why)
{
	struct store_options options = {
		.watermark_octets = r->config->watermark_octets, .memory = HANDLE_OCTETS, .handles = HANDLES,
		.reserve_octets = r->instance == 0 ? RESERVE_OCTETS : 0, .retention_ms = (int64_t)r->config->undelete_s * 1000,
		.trash_ms = (int64_t)r->config->trash_s * 1000, .junk_ms = (int64_t)r->config->junk_s * 1000,
	};
	struct local_role *l;

	CHECK(config_warn_parse(r->config->quota_warn, options.warn)); /* config_check() has seen it */
	options.hostname = arena_cstr(r->arena, r->config->hostname);
	l = r->self = ARENA_NEW(r->arena, struct local_role);

	l->ipc = r->ipc;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->cond, NULL);
	if (store_new(role_root(r, "accounts"), &options, &l->store) != ST_OK) {
		*ret_why = "the accounts directory cannot be used";
		return false;
	}
	l->deliver = deliver_local_new(l->store, r->ipc);
	l->admin = (struct local_admin){ l->store, r->ipc };
	ipc_pool(r->ipc, LOCAL_ADMIN_POOL, LOCAL_ADMIN_THREADS, LOCAL_ADMIN_BACKLOG);
	ipc_serve(r->ipc, local_admin_rows, local_admin_row_count, &l->admin);
	ipc_pool(r->ipc, DELIVER_USAGE_POOL, 1, 1000);
	ipc_serve(r->ipc, deliver_local_rows, deliver_local_row_count, l->deliver);
	/* Several local processes would only repeat each other's work. */
	l->repair_s = r->config->lab ? REPAIR_LAB_S : REPAIR_S;
	return r->instance > 0 || (pthread_create(&l->upkeep, NULL, upkeep_main, l) == 0 &&
				   pthread_create(&l->repairs, NULL, repair_main, l) == 0);
}

static void stop(struct role *r, unsigned grace_ms)
{
	struct local_role *l = r->self;

	(void)grace_ms;
	deliver_local_stop(l->deliver);
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	pthread_cond_broadcast(&l->cond);
	pthread_mutex_unlock(&l->lock);
	if (r->instance == 0) {
		pthread_join(l->upkeep, NULL);
		pthread_join(l->repairs, NULL);
	}
}

const struct role_def role_local = {
	.id = ROLE_LOCAL,
	.needs = SANDBOX_FILES,
	.user = "store",
	.root = "accounts",
	.prepare = prepare,
	.start = start,
	.stop = stop,
};
