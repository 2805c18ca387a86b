/* cli/cmd_queue_shape.c - queue shape: what waits, by destination and age, as Postfix's qshape shows it.
 *
 * The queue answers page by page; the pages are added up here, so that it never reads for long.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "cli/cli.h"
#include "ipc/msg_queue.h"

#define SITES_MAX   ((size_t)100000) /* destinations that are told apart; the rest are "(others)" */
#define SITES_SHOWN ((size_t)50)

struct site {
	struct str name;
	uint64_t   total, ages[QUEUE_SHAPE_AGES];
};
struct table {
	struct cli  *c;
	struct map   by_name;
	struct site *sites;
	size_t       count;
	struct site  all;
};

static struct site *site_get(struct table *t, struct str name)
{
	struct site *s = map_find(&t->by_name, name);

	if (s)
		return s;
	if (t->count == SITES_MAX - 1)
		name = STR("(others)");
	s = map_find(&t->by_name, name);
	if (s)
		return s;
	s = &t->sites[t->count++];
	s->name = arena_dup(t->c->arena, name);
	map_put(&t->by_name, s->name, s);
	return s;
}

static void row_add(struct table *t, const struct queue_shape_row *r)
{
	const uint64_t ages[QUEUE_SHAPE_AGES] = { r->ages0, r->ages1, r->ages2, r->ages3, r->ages4, r->ages5, r->ages6, r->ages7, r->ages8, r->ages9 };
	struct site   *s = NULL;

	for (size_t i = 0; i < QUEUE_SHAPE_AGES; i++) {
		if (ages[i] == 0)
			continue;
		s = s ? s : site_get(t, r->site.n ? r->site : STR("(accounts)"));
		s->ages[i] += ages[i];
		s->total += ages[i];
		t->all.ages[i] += ages[i];
		t->all.total += ages[i];
	}
}

static int most_first(const void *a, const void *b)
{
	const struct site *x = a, *y = b;

	return x->total != y->total ? (x->total < y->total ? 1 : -1) : str_cmp(x->name, y->name);
}

static json_t *site_json(const struct site *s)
{
	json_t *ages = json_array();

	for (size_t i = 0; i < QUEUE_SHAPE_AGES; i++)
		json_array_append_new(ages, json_integer((json_int_t)s->ages[i]));
	return json_pack("{s:o, s:I, s:o}", "site", cli_json_str(s->name), "total", (json_int_t)s->total, "ages", ages);
}

static void site_print(struct cli *c, const struct site *s)
{
	printf("%40.*s %7llu", STR_FMT(cli_text(c->arena, s->name)), (unsigned long long)s->total);
	for (size_t i = 0; i < QUEUE_SHAPE_AGES; i++)
		printf(" %6llu", (unsigned long long)s->ages[i]);
	printf("\n");
}

static int show(struct table *t)
{
	const size_t shown = cli_option(t->c, "all") ? t->count : MIN(t->count, SITES_SHOWN);

	qsort(t->sites, t->count, sizeof(*t->sites), most_first);
	if (t->c->json) {
		json_t *rows = json_array();

		for (size_t i = 0; i < shown; i++)
			json_array_append_new(rows, site_json(&t->sites[i]));
		return cli_print_json(json_pack("{s:i, s:[i,i,i,i,i,i,i,i,i], s:o, s:o, s:b}", "v", 1, "minutes", 5, 10, 20, 40, 80, 160, 320, 640, 1280, "all", site_json(&t->all),
						"sites", rows, "cut", shown < t->count));
	}
	printf("%40s %7s %6s %6s %6s %6s %6s %6s %6s %6s %6s %6s\n", "", "T", "5", "10", "20", "40", "80", "160", "320", "640", "1280", "1280+");
	site_print(t->c, &t->all);
	for (size_t i = 0; i < shown; i++)
		site_print(t->c, &t->sites[i]);
	if (shown < t->count)
		printf("and %zu more destinations: --all\n", t->count - shown);
	return CLI_OK;
}

int cmd_queue_shape(struct cli *c)
{
	struct table               t = { .c = c, .all = { .name = STR("TOTAL") } };
	struct queue_shape_request q = { .after = 0 };
	struct queue_shape_reply   r = { .more = true };
	int                        code = CLI_OK;

	map_init(&t.by_name);
	t.sites = ARENA_ARRAY(c->arena, struct site, SITES_MAX);
	while (r.more && code == CLI_OK) {
		r = (struct queue_shape_reply){ 0 };
		code = cli_ask(c, IPC_QUEUE_SHAPE, &q, &r, "queue");
		for (size_t i = 0; i < r.row_count && code == CLI_OK; i++)
			row_add(&t, &r.rows[i]);
		q.after = r.after;
	}
	if (code == CLI_OK)
		code = show(&t);
	map_done(&t.by_name);
	return code;
}
