/* cli/cmd_metrics.c - metrics: what the server counts, in the text format of Prometheus (version 0.0.4).
 *
 * Every series of base/metric.h is printed for every process that may have it, also when nothing has happened.
 */
#include <stdio.h>
#include <string.h>

#include "base/metric.h"
#include "cli/cli.h"
#include "ipc/msg_control.h"

static bool starts_series(uint32_t m)
{
	return m == 0 || strcmp(metric_defs[m].name, metric_defs[m - 1].name) != 0;
}

static void sample_print(const struct control_sample *s)
{
	const struct metric_def *d = &metric_defs[s->metric];

	printf("%s{process=\"%s/%u\"%s%s} %llu\n", d->name, role_name((enum role_id)s->role), s->instance, d->label ? "," : "",
	       d->label ? d->label : "", (unsigned long long)s->value);
}

static void series_print(const struct control_metrics_reply *r, uint32_t first)
{
	uint32_t end = first + 1;

	while (end < METRIC_COUNT && !starts_series(end))
		end++;
	printf("# HELP %s %s\n# TYPE %s %s\n", metric_defs[first].name, metric_defs[first].help, metric_defs[first].name,
	       metric_defs[first].gauge ? "gauge" : "counter");
	for (uint32_t m = first; m < end; m++)
		for (size_t i = 0; i < r->sample_count; i++)
			if (r->samples[i].metric == m)
				sample_print(&r->samples[i]);
}

static void processes_print(const struct control_status_reply *s)
{
	static const char *const series[][2] = { { "postrider_process_up", "gauge\n# HELP postrider_process_up 1: serving." },
						 { "postrider_process_restarts_total",
						   "counter\n# HELP postrider_process_restarts_total Since the server started." } };

	for (size_t k = 0; k < LEN(series); k++) {
		printf("# TYPE %s %s\n", series[k][0], series[k][1]);
		for (size_t i = 0; i < s->process_count; i++)
			printf("%s{process=\"%.*s/%u\"} %u\n", series[k][0], STR_FMT(s->processes[i].role), s->processes[i].instance,
			       k == 0 ? s->processes[i].ready : s->processes[i].restarts);
	}
}

static int metrics_json(const struct control_metrics_reply *r)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < r->sample_count; i++) {
		const struct control_sample *s = &r->samples[i];
		const struct metric_def     *d = &metric_defs[s->metric];

		json_array_append_new(rows, json_pack("{s:s, s:s, s:i, s:s, s:I}", "name", d->name, "role", role_name((enum role_id)s->role),
						      "instance", (int)s->instance, "label", d->label ? d->label : "", "value",
						      (json_int_t)s->value));
	}
	return cli_print_json(json_pack("{s:i, s:o}", "v", 1, "metrics", rows));
}

int cmd_metrics(struct cli *c)
{
	struct control_metrics_reply r = { 0 };
	struct control_status_reply  s = { 0 };
	int                          code = cli_config(c);
	enum status                  st;

	if (code != CLI_OK)
		return code;
	st = cli_ask_server(c, IPC_CONTROL_STATUS, NULL, &s);
	if (st == ST_OK)
		st = cli_ask_server(c, IPC_CONTROL_METRICS, NULL, &r);
	if (st != ST_OK)
		return cli_fail(c, st, "metrics");
	for (size_t i = 0; i < r.sample_count; i++) /* a server of another version may count what we do not know */
		if (r.samples[i].metric >= METRIC_COUNT)
			r.sample_count = i;
	if (c->json)
		return metrics_json(&r);
	processes_print(&s);
	for (uint32_t m = 0; m < METRIC_COUNT; m++)
		if (starts_series(m))
			series_print(&r, m);
	return CLI_OK;
}
