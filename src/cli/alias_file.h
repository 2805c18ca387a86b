/* cli/alias_file.h - an aliases(5) file with what it includes, as addresses. The only place where such files are opened.
 *
 * A file is read if it is a plain one, belongs to root or to whoever runs this, and nobody else may write it. Commands and files as targets
 * are refused: no shell, ever.
 */
#ifndef CLI_ALIAS_FILE_H
#define CLI_ALIAS_FILE_H

#include "cli/cli.h"
#include "ipc/msg_auth.h"

struct alias_file {
	struct auth_alias *aliases; /* whole addresses, one row per name */
	size_t             count;
	struct alias_refusal {
		const char *file;
		unsigned    line;
		struct str  what;
		const char *why;
	} *refusals;
	size_t refusal_count;
};

/* Names and targets without a domain get `domain`. CLI_OK, or an exit code with the reason said. */
MUST_CHECK int alias_file_load(struct cli *c, const char *path, struct str domain, struct alias_file *ret);

#endif
