/* cli/convert.h - convert postfix: what the parts of it share. For src/cli/convert*.c alone.
 *
 *   cmd_convert.c       reads DIR, goes through everything that is set, writes the three results
 *   convert_source.c    main.cf, master.cf and tables, read as text; nothing in them is run
 *   convert_params.c    THE TABLE: one row per parameter of Postfix, what becomes of it
 *   convert_domains.c   domains, accounts, aliases, rewriting: commands
 *   convert_routes.c    how mail goes out: commands
 *   convert_checks.c    restrictions, lists, milters and filters: settings
 *   convert_master.c    services: listeners
 *   convert_pipe.c      services: programs that take mail
 *   convert_out.c       settings, commands and the report, collected
 *
 * Each parameter that is set gets exactly one line of the report or more: kept (as what), default (it is so already), lost (and why).
 */
#ifndef CLI_CONVERT_H
#define CLI_CONVERT_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/map.h"
#include "cli/cli.h"
#include "deliver/pipe_conf.h"

enum convert_fate { CONVERT_KEPT, CONVERT_DEFAULT, CONVERT_LOST, CONVERT_FATES };

struct convert_param { /* set in main.cf */
	struct str name, raw, value; /* as written; with its variables replaced */
	unsigned   line;
};

struct convert_service { /* of master.cf */
	struct str  name, type, command;
	struct str  limit; /* of processes */
	struct str  args;  /* "-o name=value ..." */
	unsigned    line;
};

struct convert_setting {
	const char *section, *name;
	struct str  value;
	bool        quoted; /* a text */
};

struct convert_pipe_lost {
	struct str                what;
	const char               *why;
	struct convert_pipe_lost *next;
};
struct convert_pipe { /* a program that mail is led to */
	struct pipe_conf          conf;
	const char               *why;  /* it cannot be one; NULL: it is */
	bool                      over; /* as there are LIMIT_PIPES already */
	struct convert_pipe_lost *lost, **lost_last;
};

struct convert {
	struct cli             *cli;
	struct arena           *a;
	const char             *dir;
	struct convert_param   *params;
	size_t                  param_count;
	struct map              by_name;
	struct convert_service *services;
	size_t                  service_count;
	struct convert_pipe    *pipes; /* room for each service */
	size_t                  pipe_count, pipes_kept;
	size_t                  rows; /* of tables, so far */
	/* results */
	struct convert_setting  settings[64];
	size_t                  setting_count;
	struct buf              commands, report, listeners[8];
	struct map              domains, accounts, aliases, routes; /* what has a command already */
	bool                    route_all, route_all_login; /* the rule for all mail was made; it has the relayhost, with credentials */
	size_t                  fates[CONVERT_FATES];
};

/* ---- source ---- */

/* CLI_OK, or an exit code, said. */
MUST_CHECK int convert_source_load(struct convert *c);
/* The value that is in effect: set, or Postfix's default as far as it matters here; else "". */
struct str convert_value(struct convert *c, const char *name);
bool convert_is_set(struct convert *c, const char *name);
/* Variables of a value replaced; false if that cannot be done. */
MUST_CHECK bool convert_expand(struct convert *c, struct str raw, struct str *ret);
/* A file that the configuration names: inside DIR if it is below $config_directory or only there, else where it says. */
MUST_CHECK bool convert_file(struct convert *c, struct str path, struct str *ret_text);

struct convert_row {
	struct str key, value;
};
/* The rows of "hash:/etc/postfix/virtual", "inline:{...}", "static:x" or a plain path. NULL on success, else why it is not read. */
const char *convert_table(struct convert *c, struct str map, struct convert_row **ret, size_t *ret_count);
/* Is it a map ("type:name"), and not a word? */
bool convert_is_map(struct str word);

/* ---- results ---- */

/* One line of the report about `name = value`. */
void convert_say(struct convert *c, enum convert_fate fate, const char *name, struct str value, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Set a setting; a second time it is replaced. */
void convert_set(struct convert *c, const char *section, const char *name, struct str value, bool quoted);
/* Add to a text that is a list. */
void convert_set_more(struct convert *c, const char *section, const char *name, struct str item, const char *between);
/* A listener of a kind that `name` says: "smtp", "submission" ... */
void convert_listen(struct convert *c, const char *name, struct str address);
/* A command line, each word quoted for the shell; NULL-ended C strings. */
void convert_command(struct convert *c, const char *const *words);
void convert_print_config(struct convert *c, struct buf *out);
void convert_print_commands(struct convert *c, struct buf *out);
void convert_print_report(struct convert *c, struct buf *out);

/* ---- rows of the table ---- */

struct convert_row_of_table {
	const char       *name; /* "smtpd_tls_*": all that begin so and have no row of their own */
	enum convert_fate fate;
	const char       *text;
	/* Says what becomes of it itself; NULL: fate and text are all. */
	void (*handler)(struct convert *c, const char *name, struct str value);
};
extern const struct convert_row_of_table convert_rows[];
extern const size_t                      convert_row_count;
/* NULL if nothing is known of it. */
const struct convert_row_of_table *convert_row_find(struct str name);
/* What becomes of `name = value`, said. */
void convert_param(struct convert *c, const char *name, struct str value);

/* convert_domains.c */
void convert_mydestination(struct convert *c, const char *name, struct str value);
void convert_virtual_domains(struct convert *c, const char *name, struct str value);
void convert_virtual_aliases(struct convert *c, const char *name, struct str value);
void convert_virtual_mailboxes(struct convert *c, const char *name, struct str value);
void convert_alias_maps(struct convert *c, const char *name, struct str value);
void convert_relay_domains(struct convert *c, const char *name, struct str value);
void convert_rewrite(struct convert *c, const char *name, struct str value);
void convert_masquerade(struct convert *c, const char *name, struct str value);
void convert_luser(struct convert *c, const char *name, struct str value);
/* convert_routes.c */
void convert_transport(struct convert *c, const char *name, struct str value);
void convert_sender_relay(struct convert *c, const char *name, struct str value);
void convert_passwords(struct convert *c, const char *name, struct str value);
void convert_tls_policy(struct convert *c, const char *name, struct str value);
void convert_tls_level(struct convert *c, const char *name, struct str value);
void convert_route_default(struct convert *c, const char *name, struct str value); /* a parameter of the rule for all mail */
/* Make that rule, once. True: relayhost is in it. */
bool convert_route_all(struct convert *c);
/* convert_checks.c */
/* mynetworks has more in it than this host. */
bool convert_networks_beyond(struct convert *c);
void convert_restrictions(struct convert *c, const char *name, struct str value);
void convert_dnsbl_sites(struct convert *c, const char *name, struct str value);
void convert_milters(struct convert *c, const char *name, struct str value);
void convert_milter_default(struct convert *c, const char *name, struct str value);
void convert_content_filter(struct convert *c, const char *name, struct str value);
/* convert_master.c */
void convert_services(struct convert *c);
/* convert_pipe.c */
/* Those that transport_maps leads to: before all that asks for them. */
void convert_pipes_find(struct convert *c);
/* NULL: nothing leads to it. */
struct convert_pipe *convert_pipe_find(struct convert *c, struct str name);
/* "NAME" or "NAME:NEXTHOP" as "pipe:...". False: it is no pipe, or cannot be one of ours. */
MUST_CHECK bool convert_pipe_hop(struct convert *c, struct str value, struct str *ret);
void convert_pipe_say(struct convert *c, const struct convert_service *s);
/* Is it about a pipe that is kept? Then it is said. */
bool convert_pipe_param(struct convert *c, const char *name, struct str value);
void convert_pipes_print(const struct convert *c, struct buf *out);

/* "[host]:port", "host:port", "inet:host:port": *ret is "host:port" (IPv6 in brackets); `port` when there is none. */
/* A next hop of Postfix: "[host]:port" is that host ("lmtp:", "smtps:" or "" before it), "domain" or "domain:port" its MX, which neither of
 * these may be. */
MUST_CHECK bool convert_next_hop(struct convert *c, struct str text, const char *before, struct str *ret);
MUST_CHECK bool convert_host_port(struct convert *c, struct str text, const char *port, struct str *ret);

#endif
