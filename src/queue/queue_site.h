/* queue/queue_site.h - destinations, as administrators see them: why mail waits, and for how long.
 *
 * A *site* is a next hop (relay, else domain) together with what makes it another for the host there: the address that we come from and
 * whom we sign in as. What is known of sites is in memory only, of LIMIT_QUEUE_SITES at most: a restart begins anew.
 * docs/concepts/scheduler.md says how the numbers move.
 */
#ifndef QUEUE_QUEUE_SITE_H
#define QUEUE_QUEUE_SITE_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"
#include "ipc/msg_queue.h"

struct queue;

enum queue_site_state {
	QUEUE_SITE_OPEN,    /* as much at once as `limit` says */
	QUEUE_SITE_DEAD,    /* nothing is tried before until_ms */
	QUEUE_SITE_PROBING, /* the dead time is over: one message finds out */
	QUEUE_SITE_STATE_LAST = QUEUE_SITE_PROBING,
};

struct queue_sites_page {
	struct queue_site_row *sites; /* in order of names */
	size_t                  site_count;
	bool                    more;
};

/* The sites whose names come after `after` ("": from the first), `max` at most, 1 or more; all in `a`. Any thread. */
void queue_sites(struct queue *q, struct str after, size_t max, struct arena *a, struct queue_sites_page *ret);
/* One by its name, as above. ST_NOT_FOUND: nothing is known of it. */
MUST_CHECK enum status queue_site_find(struct queue *q, struct str name, struct arena *a, struct queue_site_row *ret);

#endif
