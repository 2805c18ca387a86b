/* role/config_pipe.h - the sections `pipe NAME` of the configuration.
 *
 *   pipe archive {
 *           command = {"/usr/local/bin/archive", "-f", "${sender}", "${recipient}"}
 *           flags = "R"
 *   }
 */
#ifndef ROLE_CONFIG_PIPE_H
#define ROLE_CONFIG_PIPE_H

#include <confuse.h>

#include "role/config.h"

/* The options of one such section. */
cfg_opt_t *config_pipe_options(void);
/* All of them, from a parsed file. False: what is wrong is in `errors`. */
MUST_CHECK bool config_pipes_store(cfg_t *cfg, const char *path, struct config *c, struct arena *a, struct buf *errors);
void config_pipes_print(const struct config *c, struct buf *out);
/* By name; NULL. */
const struct pipe_conf *config_pipe_find(const struct config *c, struct str name);
/* Where a setting names a next hop: "pipe:NAME[:NEXTHOP]" of a pipe that is configured. */
bool config_pipe_hop(const struct config *c, struct str hop);

extern const struct ipc_shape config_pipe_shape;

#endif
