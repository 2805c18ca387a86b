/* cli/cli_event.h - events of the trace, printed; shared by trace and queue show. */
#ifndef CLI_CLI_EVENT_H
#define CLI_CLI_EVENT_H

#include "cli/cli.h"
#include "ipc/msg_trace.h"

json_t *cli_event_json(const struct trace_event *e);
void    cli_event_print(struct cli *c, const struct trace_event *e); /* a line */

#endif
