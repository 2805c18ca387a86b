/* cli/cli_route.h - words of routes that several commands say. */
#ifndef CLI_CLI_ROUTE_H
#define CLI_CLI_ROUTE_H

#include "ipc/msg_hop.h"

/* "verify" */
const char *cli_route_tls(enum hop_tls tls);

#endif
