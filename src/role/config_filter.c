/* role/config_filter.c - see config_filter.h. */
#include "role/config_filter.h"

#include <string.h>

#include "base/log.h"

static bool list_check(enum filter_kind kind, struct str text, const char **ret_why, struct str *ret_at)
{
	struct filter_list list;

	return filter_list_parse(kind, text, FILTER_TEMPFAIL, &list, ret_why, ret_at);
}

int config_filter_validate(cfg_t *cfg, cfg_opt_t *opt)
{
	const char *value = cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1), *why = "";
	struct str  text = str_of(value), at = text, relay;
	bool        ok = true;

	if (strcmp(opt->name, "milters") == 0)
		ok = list_check(FILTER_MILTER, text, &why, &at);
	else if (strcmp(opt->name, "policy") == 0)
		ok = list_check(FILTER_POLICY, text, &why, &at);
	else if (strcmp(opt->name, "content") == 0)
		ok = text.n == 0 || filter_content_parse(text, &relay, &why);
	if (!ok)
		cfg_error(cfg, "filter.%s: \"%.*s\": %s", opt->name, STR_FMT(at), why);
	return ok ? 0 : -1;
}

static bool is_loopback(struct str host)
{
	return str_eq(host, STR("::1")) || str_starts(host, STR("127."));
}

/* The default of the list, told apart from what a filter says itself, is the setting milter_default. */
static bool milters_parse(const struct config *c, struct filter_list *ret, const char **ret_why, struct str *ret_at)
{
	return filter_list_parse(FILTER_MILTER, c->milters, (enum filter_default)MIN(c->milter_default, (uint32_t)FILTER_QUARANTINE), ret,
				 ret_why, ret_at);
}

void config_filter_check(const struct config *c, struct buf *errors)
{
	bool               back = false;
	struct filter_list list;
	struct str         at, host, relay;
	const char        *why;
	uint32_t           port;

	if (!milters_parse(c, &list, &why, &at))
		buf_addf(errors, "filter.milters: \"%.*s\": %s\n", STR_FMT(at), why);
	if (!list_check(FILTER_POLICY, c->policy, &why, &at))
		buf_addf(errors, "filter.policy: \"%.*s\": %s\n", STR_FMT(at), why);
	if (c->content.n > 0 && !filter_content_parse(c->content, &relay, &why))
		buf_addf(errors, "filter.content: \"%.*s\": %s\n", STR_FMT(c->content), why);
	for (size_t i = 0; i < c->listen_count; i++) {
		if (c->listen[i].kind != LISTEN_REINJECT)
			continue;
		back = true;
		if (!config_address_split(c->listen[i].text, &host, &port) || !is_loopback(host))
			buf_addf(errors, "listen.reinject: \"%.*s\" is not a loopback address; whoever reaches it may send any mail\n",
				 STR_FMT(c->listen[i].text));
	}
	if (c->content.n > 0 && !back)
		buf_addf(errors, "filter.content needs listen.reinject: what the filter has taken comes back there\n");
}

const struct config_filters *config_filters_of(const struct config *c, struct arena *a)
{
	struct config_filters *f = ARENA_NEW(a, struct config_filters);
	const char            *why = "";
	struct str             at;

	if (!milters_parse(c, &f->milters, &why, &at) ||
	    !filter_list_parse(FILTER_POLICY, c->policy, FILTER_TEMPFAIL, &f->policies, &why, &at))
		log_error("filters are not usable as they are configured", LOG_STR("at", at), LOG_C("why", why)); /* was checked */
	return f;
}

const struct filter_conf *config_filter_find(const struct filter_list *list, uint32_t index, uint64_t check)
{
	return index < list->count && filter_check(&list->filters[index]) == check ? &list->filters[index] : NULL;
}

struct str config_content_relay(const struct config *c)
{
	struct str  relay;
	const char *why;

	return filter_content_parse(c->content, &relay, &why) ? relay : STR("");
}
