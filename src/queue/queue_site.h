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

struct queue;

enum queue_site_state {
	QUEUE_SITE_OPEN,    /* as much at once as `limit` says */
	QUEUE_SITE_DEAD,    /* nothing is tried before until_ms */
	QUEUE_SITE_PROBING, /* the dead time is over: one message finds out */
	QUEUE_SITE_STATE_LAST = QUEUE_SITE_PROBING,
};

struct queue_site_info {
	struct str            name;     /* "example.org", "smtp.example.net:587 from 192.0.2.1 as 7" */
	enum queue_site_state state;
	uint32_t              now;      /* deliveries under way */
	uint32_t              limit;    /* how many may be */
	uint32_t              ceiling;  /* how far that may grow */
	uint32_t              waiting;  /* deliveries in its line in memory; what waits on disk is not counted */
	uint64_t              delivered, deferred, refused; /* recipients, since it is known */
	int64_t               since_ms; /* wall clock: dead since, 0 if it is not */
	int64_t               until_ms; /* and when it is tried again */
	int64_t               last_ms;  /* of last_answer, 0: none yet */
	struct str            last_answer; /* the last one that was no success */
	uint32_t              rate, rate_s; /* so many messages in so many seconds, 0: no limit */
	int64_t               next_ms;      /* when the next may start by that limit; 0: now */
};

struct queue_sites_page {
	struct queue_site_info *sites; /* in order of names */
	size_t                  site_count;
	bool                    more;
};

/* The sites whose names come after `after` ("": from the first), `max` at most, 1 or more; all in `a`. Any thread. */
void queue_sites(struct queue *q, struct str after, size_t max, struct arena *a, struct queue_sites_page *ret);
/* One by its name, as above. ST_NOT_FOUND: nothing is known of it. */
MUST_CHECK enum status queue_site_find(struct queue *q, struct str name, struct arena *a, struct queue_site_info *ret);

#endif
