/* cli/queue_select.c - see queue_select.h. */
#include "cli/queue_select.h"

#include "queue/queue_id.h"

int queue_select(struct cli *c, unsigned ids, struct queue_select *ret)
{
	const char *to = cli_option(c, "to"), *from = cli_option(c, "from");
	bool        all = cli_option(c, "all") != NULL, many = all || to || from;

	if (many == (ids > 0) || (all && (to || from)))
		return cli_error(c, CLI_USAGE, "name ids, or --to and --from, or --all");
	if ((to && !*to) || (from && !*from))
		return cli_error(c, CLI_USAGE, "an empty address would be all of them: say --all");
	*ret = (struct queue_select){ str_of(to ? to : ""), str_of(from ? from : ""), many ? 1 : ids, many };
	return CLI_OK;
}

int queue_select_id(struct cli *c, const struct queue_select *s, unsigned i, uint64_t *ret_id, const char **ret_subject)
{
	*ret_id = 0;
	*ret_subject = "queue";
	if (s->many)
		return CLI_OK;
	*ret_subject = c->args[i];
	return queue_id_parse(str_of(c->args[i]), ret_id) ? CLI_OK : cli_error(c, CLI_USAGE, "%s is not a queue id", c->args[i]);
}
