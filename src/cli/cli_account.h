/* cli/cli_account.h - which accounts a command is about, by address or number, for commands that then ask local.
 *
 * The directory is auth's, the mail local's, and a process without a server becomes the user of one of them for good: so without a server
 * the directory is read by a child.
 */
#ifndef CLI_CLI_ACCOUNT_H
#define CLI_CLI_ACCOUNT_H

#include "cli/cli.h"

struct cli_account {
	uint64_t    id;
	const char *name; /* address, or the number as it was given */
};

/* `address`: an address, a number, or NULL for all accounts of the directory, removed ones too. Exit code, with the reason printed. */
MUST_CHECK int cli_accounts(struct cli *c, const char *address, struct cli_account **ret, size_t *ret_count);

#endif
