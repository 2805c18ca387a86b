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

bool queue_msg_admit(struct queue_msg *m, uint64_t octets)
{
	struct queue *q = m->q;
	bool          room = atomic_fetch_add(&q->active_count, 1) < q->o.active_max;

	room = atomic_fetch_add(&q->memory, octets) + octets <= q->o.memory_octets && room;
	m->admitted = (size_t)octets;
	m->in_window = true;
	if (!room) {
		atomic_fetch_sub(&q->active_count, 1);
		atomic_fetch_sub(&q->memory, octets);
		m->in_window = false;
	}
	return room;
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
