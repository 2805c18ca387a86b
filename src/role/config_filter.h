/* role/config_filter.h - the section `filter` of the configuration: checked while the file is read, and handed to roles as lists. */
#ifndef ROLE_CONFIG_FILTER_H
#define ROLE_CONFIG_FILTER_H

#include <confuse.h>

#include "milter/filter_conf.h"
#include "role/config.h"

/* For libconfuse: a value of the section that is wrong is told with file and line. 0: fine. */
int config_filter_validate(cfg_t *cfg, cfg_opt_t *opt);
/* What the settings need of each other. */
void config_filter_check(const struct config *c, struct buf *errors);

struct config_filters {
	struct filter_list milters, policies;
};
/* The lists of a configuration that was checked; their slices borrow from it. */
const struct config_filters *config_filters_of(const struct config *c, struct arena *a);
/* An entry by number, if it is the one that `check` means; else NULL. */
const struct filter_conf *config_filter_find(const struct filter_list *list, uint32_t index, uint64_t check);
/* Where messages go that must pass the content filter, as a route of the queue; "" for none. */
struct str config_content_relay(const struct config *c);

#endif
