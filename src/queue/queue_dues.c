/* queue/queue_dues.c - when something on disk is due, by priority and lane; see queue_in.h. */
#include "queue/queue_in.h"

#define WORD_BITS 64u

void queue_dues_init(struct queue_dues *d)
{
	*d = (struct queue_dues){ 0 };
	for (size_t p = 0; p < LEN(d->at); p++)
		for (size_t lane = 0; lane < QUEUE_LANES; lane++)
			d->at[p][lane] = INT64_MAX;
}

void queue_dues_set(struct queue_dues *d, int32_t priority, uint32_t lane, int64_t due)
{
	const unsigned p = (unsigned)(priority + QUEUE_PRIORITY_MAX);
	const uint64_t bit = 1ull << (lane % WORD_BITS);

	d->at[p][lane] = due;
	if (due == INT64_MAX)
		d->used[p][lane / WORD_BITS] &= ~bit;
	else
		d->used[p][lane / WORD_BITS] |= bit;
}

int64_t queue_dues_get(const struct queue_dues *d, int32_t priority, uint32_t lane)
{
	return d->at[priority + QUEUE_PRIORITY_MAX][lane];
}

void queue_dues_add(struct queue_dues *d, int32_t priority, uint32_t lane, int64_t due)
{
	if (priority < -QUEUE_PRIORITY_MAX || priority > QUEUE_PRIORITY_MAX || lane >= QUEUE_LANES)
		return; /* a damaged row: Q11, Q12 */
	if (due < queue_dues_get(d, priority, lane))
		queue_dues_set(d, priority, lane, due);
}

void queue_dues_all(struct queue_dues *d, int64_t due)
{
	for (int32_t p = -QUEUE_PRIORITY_MAX; p <= QUEUE_PRIORITY_MAX; p++)
		for (uint32_t lane = 0; lane < QUEUE_LANES; lane++)
			queue_dues_add(d, p, lane, due);
}

bool queue_dues_next(const struct queue_dues *d, int32_t priority, uint32_t *lane)
{
	const uint64_t *used = d->used[priority + QUEUE_PRIORITY_MAX];

	for (uint32_t at = *lane; at < QUEUE_LANES; at = (at / WORD_BITS + 1) * WORD_BITS) {
		uint64_t bits = used[at / WORD_BITS] >> (at % WORD_BITS);

		if (bits) {
			*lane = at + (uint32_t)__builtin_ctzll(bits);
			return true;
		}
	}
	return false;
}
