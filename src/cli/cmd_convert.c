#include "cli/cli.h"
int cmd_convert(struct cli *c) { return cli_error(c, CLI_FAILED, "not yet"); }
