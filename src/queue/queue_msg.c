/* queue/queue_msg.c - messages in memory: room for them, who they are, and which delivery ids they pin. */
#include <stdlib.h>
#include <string.h>

#include "queue/queue_in.h"

struct queue_msg *queue_msg_new(struct queue *q)
{
	struct queue_msg *m = calloc(1, sizeof(*m));

	CHECK(m);
	m->q = q;
	m->arena = arena_new(NULL);
	pthread_mutex_init(&m->lock, NULL);
	return m;
}

void queue_msg_free(struct queue_msg *m)
{
	if (!m)
		return;
	if (m->in_window) {
		atomic_fetch_sub(&m->q->active_count, 1);
		atomic_fetch_sub(&m->q->memory, m->admitted);
		atomic_fetch_sub(&m->q->shares[m->lane].count, 1);
		atomic_fetch_sub(&m->q->shares[m->lane].memory, m->admitted);
	}
	queue_msg_free(m->notice);
	free(m->content);
	pthread_mutex_destroy(&m->lock);
	arena_free(&m->arena);
	free(m);
}

void queue_msg_content(struct queue_msg *m, struct str content)
{
	m->content = malloc(MAX(content.n, 1));
	CHECK(m->content);
	memcpy(m->content, content.p, content.n);
}

/* One lane may have as much as is free beside it (A. Choudhury, E. Hahne, "Dynamic queue length thresholds for shared-memory packet
 * switches", 1998): half of everything when it is alone, a third of two, and so on. There is always room for another one's message, and no
 * share has to be set. Numbers that others change meanwhile may be off by a few. Without a server there is nobody to deliver: all waits on disk. */
bool queue_msg_admit(struct queue_msg *m, uint64_t octets)
{
	struct queue       *q = m->q;
	struct queue_share *share = &q->shares[m->lane];
	uint64_t            count = atomic_fetch_add(&q->active_count, 1), memory = atomic_fetch_add(&q->memory, octets);
	uint64_t            mine = atomic_fetch_add(&share->count, 1), my_memory = atomic_fetch_add(&share->memory, octets);
	bool                room = q->ipc && count < q->o.active_max && memory + octets <= q->o.memory_octets;

	if (room && mine > 0)
		room = mine < q->o.active_max - count && my_memory + octets <= q->o.memory_octets - memory;
	m->admitted = (size_t)octets;
	m->in_window = room;
	if (!room) {
		atomic_fetch_sub(&q->active_count, 1);
		atomic_fetch_sub(&q->memory, octets);
		atomic_fetch_sub(&share->count, 1);
		atomic_fetch_sub(&share->memory, octets);
	}
	return room;
}

/* Half of what it may have: then there is something to gain by loading. */
bool queue_lane_room(const struct queue *q, uint32_t lane)
{
	const struct queue_share *share = &q->shares[lane];
	uint64_t                  count = atomic_load(&q->active_count), memory = atomic_load(&q->memory);

	if (count >= q->o.active_max || memory >= q->o.memory_octets)
		return false;
	return 2 * atomic_load(&share->count) <= q->o.active_max - count && 2 * atomic_load(&share->memory) <= q->o.memory_octets - memory;
}

void queue_active_add(struct queue *q, struct queue_msg *m)
{
	pthread_mutex_lock(&q->lock);
	CHECK(!map_put_u64(&q->active, m->id, m));
	pthread_mutex_unlock(&q->lock);
}

void queue_active_remove(struct queue *q, struct queue_msg *m)
{
	pthread_mutex_lock(&q->lock);
	CHECK(map_remove_u64(&q->active, m->id) == m);
	pthread_mutex_unlock(&q->lock);
}

struct queue_msg *queue_active_find(struct queue *q, uint64_t id)
{
	struct queue_msg *m;

	pthread_mutex_lock(&q->lock);
	m = map_find_u64(&q->active, id);
	pthread_mutex_unlock(&q->lock);
	return m;
}

void queue_ready(struct queue *q, struct queue_msg *m)
{
	m->next_ready = NULL;
	*q->ready_last = m;
	q->ready_last = &m->next_ready;
}

/* The ring is in order of base. New messages have the largest, so the place is nearly always found at once. */
void queue_pin(struct queue *q, struct queue_msg *m)
{
	struct queue_msg *before = q->pins.pin_before;

	while (before != &q->pins && before->base > m->base)
		before = before->pin_before;
	m->pin_before = before;
	m->pin_after = before->pin_after;
	before->pin_after->pin_before = m;
	before->pin_after = m;
}

void queue_unpin(struct queue_msg *m)
{
	if (!m->pin_before)
		return;
	m->pin_before->pin_after = m->pin_after;
	m->pin_after->pin_before = m->pin_before;
	m->pin_before = m->pin_after = NULL;
}

/* Everything below the first pin, in memory or on disk, will never be repeated; with no pin, everything so far. */
void queue_floor_update(struct queue *q)
{
	uint64_t floor = q->pins.pin_after != &q->pins ? q->pins.pin_after->base : q->next_id, on_disk = UINT64_MAX;

	if (q->kept) /* ids that a repeated batch has taken are not pinned yet */
		return;
	if (q->pins_on_disk) {
		if (queue_db_pin(q, &on_disk) != ST_OK)
			return; /* the old value is true still */
		q->pins_on_disk = on_disk != UINT64_MAX;
	}
	floor = MIN(floor, on_disk);
	if (floor > atomic_load(&q->floor))
		atomic_store(&q->floor, floor);
}
