/* cli/cmd_serve.c - serve, stop, reload, status, config: the server as a whole. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "ipc/msg_control.h"
#include "ipc/msg_queue.h"
#include "role/master.h"
#include "role/role.h"
#include "sys/clock.h"
#include "sys/dir.h"
#include "sys/fd.h"

#define STOP_MS 240000 /* longer than all stages of the master's stopping */

int cmd_serve(struct cli *c)
{
	int code = cli_config(c);

	if (code != CLI_OK)
		return code;
	c->config.probe = getenv("POSTRIDER_PROBE") != NULL;
	return master_run(&(struct master_options){ .config_path = c->config_path, .config = c->config, .ready_fd = -1 });
}

int cmd_role(struct cli *c)
{
	enum role_id id = role_find(str_of(c->args[0]));
	uint32_t     instance;

	if (!role_def_of(id) || !str_to_u32(str_of(c->args[1]), &instance) || instance >= ROLE_INSTANCES_MAX)
		return cli_error(c, CLI_USAGE, "roles are started by 'postrider serve'");
	return role_main(id, instance);
}

/* The process id of the running server. */
static int holder(struct cli *c, int *ret_data, pid_t *ret_pid)
{
	int         code = cli_config(c);
	enum status st;

	if (code != CLI_OK)
		return code;
	*ret_data = open(arena_cstr(c->arena, c->config.data), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_data < 0)
		return cli_error(c, CLI_NO_SERVER, "no server is running: there is no data directory %.*s", STR_FMT(c->config.data));
	st = dir_lock_holder(*ret_data, MASTER_LOCK, ret_pid);
	if (st == ST_DENIED)
		return cli_error(c, CLI_DENIED, "not allowed: become root, or the user who started the server");
	if (st != ST_OK || *ret_pid <= 0)
		return cli_error(c, CLI_NO_SERVER, "no server is running on %.*s", STR_FMT(c->config.data));
	return CLI_OK;
}

static int signal_server(struct cli *c, pid_t pid, int sig)
{
	return kill(pid, sig) == 0 ? CLI_OK : cli_error(c, CLI_DENIED, "not allowed: become root, or the user who started the server");
}

static int say(struct cli *c, const char *what, pid_t pid)
{
	if (c->json)
		return cli_print_json(json_pack("{s:i, s:s, s:i}", "v", 1, "done", what, "pid", (int)pid));
	printf("%s (process %d)\n", what, (int)pid);
	return CLI_OK;
}

int cmd_stop(struct cli *c)
{
	CLEANUP(fd_close) int data = -1;
	pid_t                 pid, now;
	int64_t               until = clock_mono_ms() + STOP_MS;
	int                   code = holder(c, &data, &pid);

	if (code == CLI_OK)
		code = signal_server(c, pid, SIGTERM);
	if (code != CLI_OK)
		return code;
	while (dir_lock_holder(data, MASTER_LOCK, &now) == ST_OK) {
		if (clock_mono_ms() > until)
			return cli_error(c, CLI_TRY_LATER, "process %d still has something in hand", (int)pid);
		usleep(20000);
	}
	return say(c, "stopped", pid);
}

int cmd_reload(struct cli *c)
{
	CLEANUP(fd_close) int data = -1;
	pid_t                 pid;
	int                   code = holder(c, &data, &pid); /* also checks the file: a bad one is told here, and refused there */

	if (code == CLI_OK)
		code = signal_server(c, pid, SIGHUP);
	return code == CLI_OK ? say(c, "asked to reload", pid) : code;
}

static int status_json(const struct control_status_reply *s, const struct queue_stats_reply *q)
{
	json_t *processes = json_array();

	for (size_t i = 0; i < s->process_count; i++) {
		const struct control_process *p = &s->processes[i];
		json_array_append_new(processes, json_pack("{s:o, s:i, s:i, s:i, s:b, s:I}", "role", cli_json_str(p->role), "instance", (int)p->instance,
							   "pid", (int)p->pid, "restarts", (int)p->restarts, "ready", p->ready, "started_ms",
							   (json_int_t)p->started_ms));
	}
	return cli_print_json(json_pack(
		"{s:i, s:o, s:o, s:I, s:o, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b}}", "v", 1, "version", cli_json_str(s->version), "hostname",
		cli_json_str(s->hostname), "started_ms", (json_int_t)s->started_ms, "processes", processes, "queue", "messages", (json_int_t)q->messages,
		"held", (json_int_t)q->held, "in_flight", (json_int_t)q->in_flight, "submitted", (json_int_t)q->submitted, "delivered",
		(json_int_t)q->delivered, "bounced", (json_int_t)q->bounced, "full", q->full, "suspect", q->suspect));
}

/* It has no socket yet, or no longer, but its data directory is taken. */
static bool locked(struct cli *c)
{
	CLEANUP(fd_close) int data = open(arena_cstr(c->arena, c->config.data), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t                 pid;

	return data >= 0 && dir_lock_holder(data, MASTER_LOCK, &pid) == ST_OK && pid > 0;
}

int cmd_status(struct cli *c)
{
	struct control_status_reply s = { 0 };
	struct queue_stats_reply    q = { 0 };
	int                         code = cli_config(c);
	enum status                 st;

	if (code != CLI_OK)
		return code;
	st = cli_ask_server(c, IPC_CONTROL_STATUS, NULL, &s);
	if (st == ST_OK)
		st = cli_ask_server(c, IPC_QUEUE_STATS, NULL, &q);
	if (st == ST_CLOSED && locked(c))
		return cli_error(c, CLI_TRY_LATER, "%s", CLI_IN_BETWEEN);
	if (st != ST_OK)
		return cli_fail(c, st, "status");
	if (c->json)
		return status_json(&s, &q);
	printf("Postrider %.*s on %.*s, since %.*s UTC\n", STR_FMT(s.version), STR_FMT(s.hostname), STR_FMT(cli_time(c->arena, s.started_ms)));
	for (size_t i = 0; i < s.process_count; i++)
		printf("  %-8.*s %2u  pid %-7u %s%s\n", STR_FMT(s.processes[i].role), s.processes[i].instance, s.processes[i].pid,
		       s.processes[i].ready ? "up" : "DOWN", s.processes[i].restarts ? ", was restarted" : "");
	printf("queue: %llu waiting, %llu held, %llu in flight; since start %llu taken, %llu delivered, %llu bounced%s%s\n",
	       (unsigned long long)q.messages, (unsigned long long)q.held, (unsigned long long)q.in_flight, (unsigned long long)q.submitted,
	       (unsigned long long)q.delivered, (unsigned long long)q.bounced, q.full ? "; DISK FULL: new mail is refused" : "",
	       q.suspect ? "; DATABASE SET ASIDE after a failed write" : "");
	return CLI_OK;
}

int cmd_config_check(struct cli *c)
{
	int code = cli_config(c);

	if (code != CLI_OK)
		return code;
	if (c->json)
		return cli_print_json(json_pack("{s:i, s:b}", "v", 1, "valid", 1));
	printf("%s is valid\n", c->config_path);
	return CLI_OK;
}

int cmd_config_show(struct cli *c)
{
	struct buf out;
	int        code = cli_config(c);

	if (code != CLI_OK)
		return code;
	buf_init(&out, MIB);
	config_print(&c->config, &out);
	if (c->json)
		code = cli_print_json(json_pack("{s:i, s:o}", "v", 1, "config", cli_json_str(buf_str(&out))));
	else
		printf("%.*s", STR_FMT(buf_str(&out)));
	buf_done(&out);
	return code;
}
