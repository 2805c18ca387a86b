/* role/master_listen.h - binding the listeners of the configuration; master only. */
#ifndef ROLE_MASTER_LISTEN_H
#define ROLE_MASTER_LISTEN_H

#include "role/config.h"

struct master_listener {
	struct config_address address;
	int                   fd;
};

/* Bind and listen on all. On failure: everything is closed again, *ret_why in `a` says which address and why (busy port, no right ...). */
MUST_CHECK enum status master_listen_all(const struct config *c, struct arena *a, struct master_listener *ret, const char **ret_why);

/* Listen (still, or again): a role that was broken into may have shut the socket down, for all that come after it. */
void master_listen_again(const struct master_listener *l);

#endif
