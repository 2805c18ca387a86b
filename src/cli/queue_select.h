/* cli/queue_select.h - which messages a command about the queue means: ids, or those to or from somebody, or all. */
#ifndef CLI_QUEUE_SELECT_H
#define CLI_QUEUE_SELECT_H

#include "cli/cli.h"

struct queue_select {
	struct str to, from; /* "": any */
	unsigned   count;    /* requests to make: one for each id, or one for all that match */
	bool       many;     /* no ids: id 0 */
};

/* From --to, --from, --all, and the first `ids` arguments. CLI_OK, or CLI_USAGE with the error told. */
MUST_CHECK int queue_select(struct cli *c, unsigned ids, struct queue_select *ret);
/* The i-th request: its id (0: all that match), and what an error is about. */
MUST_CHECK int queue_select_id(struct cli *c, const struct queue_select *s, unsigned i, uint64_t *ret_id, const char **ret_subject);

#endif
