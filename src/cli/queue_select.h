/* cli/queue_select.h - which messages a command about the queue means: ids, or those to or from somebody, or all. */
#ifndef CLI_QUEUE_SELECT_H
#define CLI_QUEUE_SELECT_H

#include "cli/cli.h"

struct queue_select {
	struct str to, from; /* "": any */
	unsigned   count;    /* requests to make: one for each id, or one for all that match */
	bool       many;     /* no ids: id 0 */
};

/* From --to, --from, --all, and the first `ids` arguments, which must be ids. CLI_OK, or CLI_USAGE with the error told. */
MUST_CHECK int queue_select(struct cli *c, unsigned ids, struct queue_select *ret);
/* The i-th request: its id (0: all that match), and what an error is about. */
uint64_t queue_select_id(const struct cli *c, const struct queue_select *s, unsigned i, const char **ret_subject);
/* A request ended with `code`; the command will with *worst, the first that was not CLI_OK. Whether the next is made: that one message is not there is no reason to leave out
 * the others. */
bool queue_select_goes_on(int code, int *worst);

#endif
