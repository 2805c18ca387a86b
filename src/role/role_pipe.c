/* role/role_pipe.c - gives messages to programs; runs only where pipes are configured.
 *
 * The only role that may execute anything. It speaks with queue and with the programs that it runs, never with a stranger. What the sandbox leaves to it, and so to its
 * programs, is in sys/sandbox.h (SANDBOX_EXEC); what programs get beside is in sys/program.h.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "deliver/pipe.h"
#include "role/role.h"
#include "sys/program.h"
#include "sys/sandbox.h"
#include "sys/spawn.h"

#define OWN_TASKS 16u /* threads of this process that are no runs */

static bool own_user; /* the user is ours alone: its processes can be counted */

/* Threads that run programs are tasks of ours, too. */
static void settings_take(struct role *r)
{
	const struct config  *c = r->config;
	struct pipes_settings s = { .confs = c->pipes, .count = c->pipe_count, .separators = c->subaddress, .own_tasks = own_user ? OWN_TASKS : 0 };

	for (size_t i = 0; i < c->pipe_count; i++) {
		s.own_tasks += own_user ? c->pipes[i].runs : 0;
		if (c->pipes[i].network && !(r->more_needs & SANDBOX_OUT))
			log_warn("this pipe gets its network at the next start", LOG_STR("pipe", c->pipes[i].name));
	}
	pipes_set(r->self, &s);
}

static bool prepare(struct role *r, const char **ret_why)
{
	char  name[64];
	uid_t uid = 0;
	gid_t gid;

	snprintf(name, sizeof(name), "%.*s%s", STR_FMT(r->config->users), r->def->user);
	own_user = spawn_user(name, &uid, &gid) == ST_OK && uid == geteuid();
	for (size_t i = 0; i < r->config->pipe_count; i++)
		r->more_needs |= r->config->pipes[i].network ? SANDBOX_OUT : 0u;
	r->self = pipes_new();
	if (r->self && program_prepare())
		return true;
	*ret_why = "no filter for programs, or no descriptor";
	return false;
}

static bool start(struct role *r, const char **ret_why)
{
	(void)ret_why;
	settings_take(r);
	ipc_serve(r->ipc, pipe_rows, pipe_row_count, r->self);
	return true;
}

static void stop(struct role *r, unsigned grace_ms)
{
	(void)grace_ms; /* queue, which stopped before, has waited for what it wants to know */
	pipes_stop(r->self);
}

const struct role_def role_pipe = {
	.id = ROLE_PIPE,
	.needs = SANDBOX_EXEC,
	.user = "pipe",
	.prepare = prepare,
	.start = start,
	.reload = settings_take,
	.stop = stop,
};
