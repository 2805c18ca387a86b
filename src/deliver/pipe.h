/* deliver/pipe.h - the pipes: requests wait for their pipe, are run, and answered.
 *
 * Each pipe runs up to `runs` programs at once, each on a thread of its own that lives no longer than there is something to run. A request that has waited for
 * PIPE_WAIT_MS is answered ST_BUSY without having been run: asker and pipe never disagree about whether it still may be.
 *
 * A process that dies leaves its askers with an unknown outcome: they ask again. So a program may get a message twice, never not at all.
 */
#ifndef DELIVER_PIPE_H
#define DELIVER_PIPE_H

#include "deliver/pipe_conf.h"
#include "ipc/ipc.h"

#define PIPE_WAIT_MS ((int64_t)10 * 60 * 1000)

struct pipes;

struct pipes_settings { /* borrowed, for good */
	const struct pipe_conf *confs;
	size_t                  count;
	struct str              separators; /* of a subaddress */
	/* Tasks of our user that are not programs of pipes, at most; 0: its processes are not counted at all (other programs are of the same user). */
	uint32_t                own_tasks;
};

/* NULL: no descriptor for it. */
struct pipes *pipes_new(void);
/* Also while it works: what has begun ends as it began. */
void pipes_set(struct pipes *p, const struct pipes_settings *s);
/* Nothing more is run, what runs is killed; returns when that is so. */
void pipes_stop(struct pipes *p);
void pipes_free(struct pipes **p); /* after pipes_stop */

/* For ipc_serve with the pipes as ctx. */
extern const struct ipc_row pipe_rows[];
extern const size_t         pipe_row_count;

#endif
