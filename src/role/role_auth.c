/* role/role_auth.c - the directory and sign-in; nobody else sees a password hash. */
#include "db/db.h"
#include "directory/directory_rows.h"
#include "directory/scram.h"
#include "role/role.h"
#include "trust/trust_store.h"
#include "sys/sandbox.h"

#define BACKLOG       200u
#define LAB_HASH_OPS  1u            /* --lab: a hash that costs next to nothing */
#define LAB_HASH_OCTETS (64 * KIB)

static bool prepare(struct role *r, const char **ret_why)
{
	db_init();
	(void)r;
	(void)ret_why;
	return true;
}

static bool start(struct role *r, const char **ret_why)
{
	struct directory_options options = {
		.create = true, .lab = r->config->lab, .retention_ms = (int64_t)r->config->retention_s * 1000, .signin_event = guard_signin
	};
	struct directory        *d;
	enum status              st;

	options.subaddress = arena_cstr(r->arena, r->config->subaddress);
	options.session_key = r->session_key;
	if (r->config->lab) {
		options.hash_ops = LAB_HASH_OPS;
		options.hash_memory_octets = LAB_HASH_OCTETS;
		options.scram_iterations = SCRAM_ITERATIONS_LAB;
	}
	st = db_root("auth", role_root(r, "auth"));
	if (st == ST_OK) {
		options.guard = options.signin_ctx = guard_open(&(struct guard_options){
			.settings = r->config->guard, .lab = r->config->lab, .lookup = guard_lookup_ipc, .lookup_ctx = r->ipc });
		st = directory_open(&options, &d);
	}
	if (st != ST_OK) {
		*ret_why = st == ST_VERSION ? "directory.db was written by a newer version of Postrider" : "directory.db cannot be opened";
		return false;
	}
	ipc_pool(r->ipc, TRUST_POOL, 1, BACKLOG);
	ipc_serve(r->ipc, trust_rows, trust_row_count, trust_store_open(&(struct trust_store_options){ .path = NULL }));
	ipc_pool(r->ipc, DIRECTORY_POOL, 1, BACKLOG);
	ipc_pool(r->ipc, DIRECTORY_KEYS_POOL, 1, BACKLOG);
	ipc_serve(r->ipc, directory_rows, directory_row_count, d);
	directory_keys_complete(d);
	r->self = d;
	return true;
}

static void stop(struct role *r, unsigned grace_ms)
{
	struct directory *d = r->self;
	struct guard     *g = directory_guard(d);

	(void)grace_ms;
	directory_close(&d);
	guard_close(&g);
}

static void reload(struct role *r)
{
	directory_set_subaddress(r->self, r->config->subaddress);
	guard_set(directory_guard(r->self), &r->config->guard);
}

const struct role_def role_auth = {
	.id = ROLE_AUTH,
	.needs = SANDBOX_FILES,
	.user = "auth",
	.root = "auth",
	.tokens = true,
	.prepare = prepare,
	.start = start,
	.reload = reload,
	.stop = stop,
};
