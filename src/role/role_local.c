/* role/role_local.c - delivery into accounts; asks nobody. */
#include "db/db.h"
#include "deliver/deliver_local.h"
#include "role/role.h"
#include "sys/sandbox.h"
#include "wire/text/text_charset.h"

#define HANDLE_OCTETS  (64 * MIB) /* open databases kept for the next delivery */
#define HANDLES        1000u
#define RESERVE_OCTETS (64 * MIB) /* given up when the disk is full, so that what was accepted is delivered */

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
	struct store        *store;

	if (store_new(role_root(r, "accounts"), &options, &store) != ST_OK) {
		*ret_why = "the accounts directory cannot be used";
		return false;
	}
	r->self = deliver_local_new(store, r->ipc);
	ipc_serve(r->ipc, deliver_local_rows, deliver_local_row_count, r->self);
	return true;
}

static void stop(struct role *r, unsigned grace_ms)
{
	(void)grace_ms;
	deliver_local_stop(r->self);
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
