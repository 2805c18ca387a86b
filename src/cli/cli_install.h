/* cli/cli_install.h - what setup and demo both make: system users, a certificate, a configuration file. */
#ifndef CLI_CLI_INSTALL_H
#define CLI_CLI_INSTALL_H

#include "cli/cli.h"

/* When we are root: make the system users that are missing. An exit code; errors are printed. */
MUST_CHECK int cli_users_make(struct cli *c, const struct config *config);

/* A self-signed certificate for `name` and its key, as files tls.crt and tls.key in the directory; kept if both are there. */
MUST_CHECK int cli_certificate_make(struct cli *c, int dir, struct str name);

/* Write the configuration as `path` (mode 0644). CLI_EXISTS if there is one and !replace. */
MUST_CHECK int cli_config_write(struct cli *c, const char *path, const struct config *config, bool replace);

#endif
