/* cli/cli_policy.c - see cli_policy.h. */
#include "cli/cli_policy.h"

#include <string.h>

int cli_policy(struct cli *c, struct auth_policy **ret, size_t *ret_count)
{
	struct auth_policy *rules = ARENA_ARRAY(c->arena, struct auth_policy, c->option_count);
	size_t              count = 0, anyone = 0;

	for (unsigned i = 0; i < c->option_count; i++) {
		const char *value = c->options[i].value;

		if (strcmp(c->options[i].name, "from") != 0)
			continue;
		if (strcmp(value, "anyone") == 0)
			anyone++;
		else if (strcmp(value, "members") == 0)
			rules[count++].rule = AUTH_RULE_MEMBERS;
		else if (strcmp(value, "domain") == 0)
			rules[count++].rule = AUTH_RULE_DOMAIN;
		else if (strchr(value, '@') != NULL)
			rules[count++] = (struct auth_policy){ AUTH_RULE_ADDRESS, str_of(value) };
		else
			return cli_error(c, CLI_USAGE, "--from %s: anyone, members, domain or an address", value);
	}
	if (anyone > 0 && count > 0)
		return cli_error(c, CLI_USAGE, "--from anyone leaves nothing to be said by another --from");
	*ret = rules;
	*ret_count = count;
	return CLI_OK;
}

struct str cli_policy_text(const struct auth_policy *rule)
{
	switch (rule->rule) {
	case AUTH_RULE_MEMBERS: return STR("members");
	case AUTH_RULE_DOMAIN: return STR("domain");
	case AUTH_RULE_ADDRESS: break;
	}
	return rule->address;
}
