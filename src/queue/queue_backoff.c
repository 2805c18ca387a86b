/* queue/queue_backoff.c - see queue_backoff.h. */
#include "queue/queue_backoff.h"

int64_t queue_backoff_ms(int64_t first_ms, int64_t max_ms, uint64_t tries, uint64_t random)
{
	int64_t  wait = first_ms;
	uint64_t spread = tries > 1 ? 4001 : 2001; /* of ten thousandths */

	while (tries-- > 1 && wait < max_ms)
		wait *= 2;
	if (wait > max_ms)
		wait = max_ms;
	wait = wait * 8 / 10 + (int64_t)(random % spread) * wait / 10000;
	return wait > 0 ? wait : 1;
}
