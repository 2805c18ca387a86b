/* cli/queue_select.c - see queue_select.h. */
#include "cli/queue_select.h"

#include "wire/text/queue_id.h"

int queue_select(struct cli *c, unsigned ids, struct queue_select *ret)
{
	const char *to = cli_option(c, "to"), *from = cli_option(c, "from");
	uint64_t    id;
	bool        all = cli_option(c, "all") != NULL, many = all || to || from;

	if (many == (ids > 0) || (all && (to || from)))
		return cli_error(c, CLI_USAGE, "name ids, or --to and --from, or --all");
	if ((to && !*to) || (from && !*from))
		return cli_error(c, CLI_USAGE, "an empty address would be all of them: say --all");
	for (unsigned i = 0; i < ids; i++) /* all of them before anything is done */
		if (!queue_id_parse(str_of(c->args[i]), &id))
			return cli_error(c, CLI_USAGE, "%s is not a queue id", c->args[i]);
	*ret = (struct queue_select){ str_of(to ? to : ""), str_of(from ? from : ""), many ? 1 : ids, many };
	return CLI_OK;
}

uint64_t queue_select_id(const struct cli *c, const struct queue_select *s, unsigned i, const char **ret_subject)
{
	uint64_t id = 0;

	*ret_subject = s->many ? "queue" : c->args[i];
	CHECK(s->many || queue_id_parse(str_of(c->args[i]), &id));
	return id;
}

bool queue_select_goes_on(int code, int *worst)
{
	*worst = *worst == CLI_OK ? code : *worst;
	return code == CLI_OK || code == CLI_NOT_FOUND;
}
