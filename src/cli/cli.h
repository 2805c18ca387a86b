/* cli/cli.h - the command line: one table of commands, one contract of exit codes and --json.
 *
 * Every command takes --config FILE and --json (an object with "v":1) and has --help with examples. Exit codes are a stable
 * contract: tests and packagers rely on them.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>

#include "base/arena.h"
#include "base/status.h"
#include "ipc/ipc_msg.h"
#include "role/config.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_NOT_FOUND = 3,
	CLI_EXISTS = 4,
	CLI_DENIED = 5,
	CLI_NO_SERVER = 69, /* EX_UNAVAILABLE */
	CLI_TRY_LATER = 75, /* EX_TEMPFAIL */
};

#define CLI_CONFIG_PATH "/etc/postrider/postrider.conf"
#define CLI_IN_BETWEEN  "the server is starting or stopping, or another command works on its data: try again"
#define CLI_ARGS_MAX    1000u

struct cli {
	const struct cli_command *command;
	struct arena             *arena;
	const char               *config_path;
	bool                      json;
	const char               *args[CLI_ARGS_MAX]; /* without options */
	unsigned                  arg_count;
	struct {
		const char *name, *value;
	} options[32];
	unsigned      option_count;
	struct config config; /* loaded by cli_config */
	bool          config_loaded;
};

/* One row per command: "account add". `options`: names, NULL-ended; a name that ends in "=" takes a value, one that ends
 * in "?" may have one: what stands behind it, unless that is an option. */
struct cli_command {
	const char *group, *name; /* name NULL: the group is the command */
	int       (*run)(struct cli *c);
	unsigned    args_min, args_max;
	const char *usage;   /* arguments and options, as shown */
	const char *summary; /* one line */
	const char *examples;
	const char *options[14];
	bool        hidden;
	/* The program has options of its own, not ours: called with its name in argv[0], instead of run. Returns a code of sysexits.h. */
	int       (*raw)(struct cli *c, int argc, char **argv);
};

extern const struct cli_command cli_commands[];
extern const size_t             cli_command_count;

/* Value of an option, "" for one without, NULL if it was not given. */
const char *cli_option(const struct cli *c, const char *name);

/* Load the configuration; prints the errors and returns an exit code other than CLI_OK on failure. */
MUST_CHECK int cli_config(struct cli *c);

/* Ask auth, queue, local or control: the running server through control.sock, or, when there is none, the role's own code in this process, as the
 * role's user and under the data directory's lock. `subject` is what a failure is said about. CLI_OK, or an exit code with the reason
 * printed. A command may ask several times, but only one role. */
MUST_CHECK int cli_ask(struct cli *c, enum ipc_msg_id id, const void *request, void *ret_reply, const char *subject);
/* Only the running server; ST_CLOSED when there is none. Prints nothing. */
MUST_CHECK enum status cli_ask_server(struct cli *c, enum ipc_msg_id id, const void *request, void *ret_reply);

/* One question and its answer on a connected socket of control's; ST_TEMP if it was closed before the answer. */
MUST_CHECK enum status cli_exchange(int fd, enum ipc_msg_id id, const void *request, struct arena *a, void *ret_reply);

/* Exit code of a status, and the message for people on stderr: "postrider: SUBJECT: why". */
int cli_fail(const struct cli *c, enum status st, const char *subject);
/* A message of our own, as printf; returns `code`. With --json the text is in an object on stdout too. */
int cli_error(const struct cli *c, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* "SUBJECT: TEXT", or an object: a command that changes something has done so. */
int cli_done(const struct cli *c, const char *text, const char *subject);

/* `hop` is a program that the configuration does not name: mail for it waits. False if it cannot be read. */
bool cli_pipe_missing(struct cli *c, struct str hop);
/* A word about that on stderr: what was asked for is done, as the section may follow. */
void cli_pipe_warn(struct cli *c, struct str hop);

/* Print {"v":1, ...} on stdout and free it. All control characters in it are escaped. */
int cli_print_json(json_t *object);
json_t *cli_json_str(struct str s); /* octets that are no UTF-8 become U+FFFD */

/* "2026-11-21 07:31:37" in UTC; "-" for 0. */
/* What strangers have chosen, for a terminal: without control characters (C1 too), "?" in their place and for what is no UTF-8. */
struct str cli_text(struct arena *a, struct str s);
struct str cli_time(struct arena *a, int64_t ms);
/* "12.3 MB". */
struct str cli_size(struct arena *a, uint64_t octets);
/* "30m", "2d", in seconds. The unit must be there: who types "7" may mean days. */
MUST_CHECK bool cli_parse_time(const char *text, uint64_t *ret_s);
/* All of standard input, from 1 to `max` octets; false: it is not that, or cannot be read. In memory that is wiped. */
MUST_CHECK bool cli_input(struct cli *c, size_t max, struct str *ret);
/* With --password-stdin the first line of standard input, else asked twice on the terminal. Empty is refused. */
MUST_CHECK int cli_password(struct cli *c, struct str *ret);

/* The commands; each group has a file of its own. */
int cmd_serve(struct cli *c);
int cmd_stop(struct cli *c);
int cmd_reload(struct cli *c);
int cmd_status(struct cli *c);
int cmd_demo(struct cli *c);
int cmd_setup(struct cli *c);
int cmd_metrics(struct cli *c);
int cmd_config_check(struct cli *c);
int cmd_config_show(struct cli *c);
int cmd_domain_add(struct cli *c);
int cmd_domain_list(struct cli *c);
int cmd_domain_remove(struct cli *c);
int cmd_account_add(struct cli *c);
int cmd_account_list(struct cli *c);
int cmd_account_rename(struct cli *c);
int cmd_account_password(struct cli *c);
int cmd_account_quota(struct cli *c);
int cmd_domain_quota(struct cli *c);
int cmd_group(struct cli *c);
/* The value of an option that limits: a size ("messages": a number), "none", or "default" (0). Without the option *ret stays. */
MUST_CHECK int cli_quota_option(struct cli *c, const char *name, uint64_t *ret);
int cmd_account_disable(struct cli *c);
int cmd_account_enable(struct cli *c);
int cmd_account_remove(struct cli *c);
int cmd_account_certificate(struct cli *c);
int cmd_account_token(struct cli *c);
int cmd_account_delegate(struct cli *c);
int cmd_alias_add(struct cli *c);
int cmd_alias_policy(struct cli *c);
int cmd_alias_list(struct cli *c);
int cmd_alias_remove(struct cli *c);
int cmd_rewrite_add(struct cli *c);
int cmd_rewrite_list(struct cli *c);
int cmd_rewrite_remove(struct cli *c);
int cmd_route(struct cli *c);
int cmd_route_add(struct cli *c);
int cmd_route_list(struct cli *c);
int cmd_route_remove(struct cli *c);
int cmd_route_set(struct cli *c);
int cmd_trace(struct cli *c);
int cmd_queue_list(struct cli *c);
int cmd_queue_show(struct cli *c);
int cmd_queue_retry(struct cli *c);
int cmd_queue_remove(struct cli *c);
int cmd_queue_redirect(struct cli *c);
int cmd_queue_edit(struct cli *c);
int cmd_queue_bounce(struct cli *c);
int cmd_queue_shape(struct cli *c);
int cmd_queue_sites(struct cli *c);
int cmd_queue_hold(struct cli *c);
int cmd_queue_release(struct cli *c);
int cmd_ban_list(struct cli *c);
int cmd_ban_why(struct cli *c);
int cmd_ban_lift(struct cli *c);
int cmd_ban_add(struct cli *c);
int cmd_tlsrpt_list(struct cli *c);
int cmd_tlsrpt_show(struct cli *c);
int cmd_alias_import(struct cli *c);
int cmd_convert(struct cli *c);
int cmd_domain_key(struct cli *c);
int cmd_domain_dns(struct cli *c);
int cmd_undelete(struct cli *c);
int cmd_fsck(struct cli *c);
int cmd_role(struct cli *c);
int cmd_sendmail(struct cli *c, int argc, char **argv); /* by name: sendmail, mailq, newaliases */

#endif
