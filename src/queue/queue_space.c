/* queue/queue_space.c - enough space left? And a reserve for when there is not.
 *
 * Below the watermark new mail is refused; what was accepted goes on. When even that finds no space, the reserve (a file of
 * allocated blocks) is given back, and taken again once the disk has room above the watermark.
 */
#include "base/log.h"
#include "queue/queue_in.h"
#include "sys/spool.h"

#define LOOK_MS      1000 /* how often the file system is asked */
#define RESERVE_NAME "reserve"

static bool below(struct queue *q)
{
	uint64_t    free_octets = 0, total = 0;
	enum status st = disk_space(q->o.dir, &free_octets, &total);

	if (st != ST_OK) {
		log_error("free space unknown", LOG_ST("status", st));
		return true;
	}
	return free_octets < q->o.watermark_octets || free_octets < total / 100 * q->o.watermark_percent;
}

bool queue_full(struct queue *q)
{
	int64_t now = q->o.mono_ms(), looked = atomic_load(&q->space_looked);

	if (now - looked >= LOOK_MS && atomic_compare_exchange_strong(&q->space_looked, &looked, now)) {
		bool full = below(q);

		if (atomic_exchange(&q->full, full) != full && full)
			log_error("disk nearly full: no new mail is taken");
		else if (!full && atomic_load(&q->full_was))
			log_warn("disk has space again: mail is taken");
		atomic_store(&q->full_was, full);
	}
	return atomic_load(&q->full);
}

void queue_reserve_hold(struct queue *q)
{
	if (q->reserve_held || q->o.reserve_octets == 0 || queue_full(q))
		return;
	if (q->reserve_fd < 0 && disk_open(q->o.dir, RESERVE_NAME, DISK_OPEN, &q->reserve_fd) != ST_OK)
		return;
	q->reserve_held = spool_reserve(q->reserve_fd, q->o.reserve_octets) == ST_OK;
	if (!q->reserve_held && spool_reserve(q->reserve_fd, 0) != ST_OK)
		log_error("reserve of disk space is left in an unknown state");
}

bool queue_reserve_release(struct queue *q)
{
	if (!q->reserve_held)
		return false;
	q->reserve_held = false;
	atomic_store(&q->full, true); /* until the next look */
	atomic_store(&q->space_looked, q->o.mono_ms());
	log_error("disk full: going on from the reserve");
	return spool_reserve(q->reserve_fd, 0) == ST_OK;
}
