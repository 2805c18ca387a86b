/* role/role_local.c - delivery into accounts, and their upkeep; asks nobody. */
#include <pthread.h>

#include "db/db.h"
#include "deliver/deliver_local.h"
#include "role/role.h"
#include "sys/clock.h"
#include "sys/sandbox.h"
#include "wire/text/text_charset.h"

#define HANDLE_OCTETS  (64 * MIB) /* open databases kept for the next delivery */
#define HANDLES        1000u
#define RESERVE_OCTETS (64 * MIB) /* given up when the disk is full, so that what was accepted is delivered */

#define UPKEEP_S       86400 /* each account is cleaned once a day */
#define UPKEEP_FIRST_S 600

struct local_role {
	struct deliver_local *deliver;
	struct store         *store;
	pthread_t             upkeep;
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

static void *upkeep_main(void *arg)
{
	struct local_role *l = arg;

	for (int64_t s = UPKEEP_FIRST_S; rest(l, s); s = UPKEEP_S)
		store_upkeep(l->store, go_on, l);
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
		.reserve_octets = r->instance == 0 ? RESERVE_OCTETS : 0,
	};
	struct local_role *l = r->self = ARENA_NEW(r->arena, struct local_role);

	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->cond, NULL);
	if (store_new(role_root(r, "accounts"), &options, &l->store) != ST_OK) {
		*ret_why = "the accounts directory cannot be used";
		return false;
	}
	l->deliver = deliver_local_new(l->store, r->ipc);
	ipc_serve(r->ipc, deliver_local_rows, deliver_local_row_count, l->deliver);
	/* Several local processes would only repeat each other's work. */
	return r->instance > 0 || pthread_create(&l->upkeep, NULL, upkeep_main, l) == 0;
}

static void stop(struct role *r, unsigned grace_ms)
{
	struct local_role *l = r->self;

	(void)grace_ms;
	deliver_local_stop(l->deliver);
	pthread_mutex_lock(&l->lock);
	l->stopping = true;
	pthread_cond_signal(&l->cond);
	pthread_mutex_unlock(&l->lock);
	if (r->instance == 0)
		pthread_join(l->upkeep, NULL);
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
