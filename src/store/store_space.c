/* store/store_space.c - the watermark, and the reserve for what must go on below it. */
#include "store/store_internal.h"

#include "base/log.h"
#include "sys/clock.h"
#include "sys/disk.h"

#define SPACE_LOOK_MS 1000
#define RESERVE       "reserve"

/* Under the lock, which nobody holds while space is looked at: keeper may have to be asked. */
static void looked(struct store *s, uint64_t left, uint64_t total)
{
	uint64_t mark = MAX(s->options.watermark_octets, total / 100 * s->options.watermark_percent);

	s->space_low = left < mark;
	if (s->options.reserve_octets > 0 && !s->reserved && left > mark + s->options.reserve_octets)
		s->reserved = disk_allocate(s->fd, RESERVE, s->options.reserve_octets) == ST_OK;
}

bool store_full(struct store *s)
{
	int64_t  now = clock_mono_ms();
	uint64_t left, total;
	bool     low, due;

	if (s->options.watermark_octets == UINT64_MAX)
		return true;
	pthread_mutex_lock(&s->lock);
	low = s->space_low;
	due = s->space_at_ms == 0 || now - s->space_at_ms >= SPACE_LOOK_MS;
	if (due)
		s->space_at_ms = now;
	pthread_mutex_unlock(&s->lock);
	if (!due || disk_space(s->fd, &left, &total) != ST_OK)
		return low;
	pthread_mutex_lock(&s->lock);
	looked(s, left, total);
	low = s->space_low;
	pthread_mutex_unlock(&s->lock);
	return low;
}

bool store_reserve_give(struct store *s)
{
	bool given = false;

	pthread_mutex_lock(&s->lock);
	if (s->reserved) {
		given = disk_remove(s->fd, RESERVE) == ST_OK;
		s->reserved = false;
		s->space_low = true;
		s->space_at_ms = clock_mono_ms();
	}
	pthread_mutex_unlock(&s->lock);
	if (given)
		log_warn("disk full: reserve given up", LOG_U64("octets", s->options.reserve_octets));
	return given;
}
