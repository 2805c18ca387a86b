/* cli/cli_policy.h - "--from members --from boss@example.net": who may write to an alias. */
#ifndef CLI_CLI_POLICY_H
#define CLI_CLI_POLICY_H

#include "cli/cli.h"
#include "ipc/msg_auth.h"

/* The rules that the options name; none: anyone. CLI_OK, or an exit code with the reason printed. */
MUST_CHECK int cli_policy(struct cli *c, struct auth_policy **ret, size_t *ret_count);
struct str cli_policy_text(const struct auth_policy *rule);

#endif
