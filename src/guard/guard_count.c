/* guard/guard_count.c - see guard_count.h. */
#include "guard/guard_count.h"

#include <stdlib.h>
#include <string.h>

#define HOUR_S 3600u
#define DAY_S  86400u

void guard_counts_init(struct guard_counts *t, unsigned sets)
{
	t->sets = sets;
	t->entries = calloc((size_t)sets * GUARD_WAYS, sizeof(*t->entries));
	CHECK(t->entries != NULL);
}

void guard_counts_done(struct guard_counts *t)
{
	free(t->entries);
	t->entries = NULL;
}

/* Buckets are moved on to the number `now`. */
static void roll(uint32_t *number, uint32_t now, uint32_t buckets[2][GUARD_WHATS])
{
	uint32_t passed = now - *number;

	if (passed == 0)
		return;
	if (passed == 1)
		memcpy(buckets[1], buckets[0], sizeof(buckets[1]));
	else
		memset(buckets[1], 0, sizeof(buckets[1]));
	memset(buckets[0], 0, sizeof(buckets[0]));
	*number = now;
}

static struct guard_counter *touch(struct guard_counter *c, int64_t now_ms)
{
	uint32_t now_s = (uint32_t)(now_ms / 1000);

	c->used_s = now_s;
	roll(&c->hour, now_s / HOUR_S, c->hours);
	roll(&c->day, now_s / DAY_S, c->days);
	return c;
}

static struct guard_counter *set_of(struct guard_counts *t, uint64_t key)
{
	return &t->entries[key % t->sets * GUARD_WAYS];
}

struct guard_counter *guard_counts_find(struct guard_counts *t, uint64_t key, int64_t now_ms)
{
	struct guard_counter *set = set_of(t, key);

	for (size_t i = 0; i < GUARD_WAYS; i++)
		if (set[i].key == key)
			return touch(&set[i], now_ms);
	return NULL;
}

struct guard_counter *guard_counts_get(struct guard_counts *t, uint64_t key, int64_t now_ms)
{
	struct guard_counter *set = set_of(t, key), *c = guard_counts_find(t, key, now_ms);

	if (c != NULL)
		return c;
	c = &set[0];
	for (size_t i = 1; i < GUARD_WAYS && c->key != 0; i++)
		if (set[i].key == 0 || set[i].used_s < c->used_s)
			c = &set[i];
	*c = (struct guard_counter){ .key = key };
	return touch(c, now_ms);
}

void guard_counter_add(struct guard_counter *c, enum guard_what what, uint64_t n)
{
	c->hours[0][what] = (uint32_t)MIN(c->hours[0][what] + n, (uint64_t)UINT32_MAX);
	c->days[0][what] = (uint32_t)MIN(c->days[0][what] + n, (uint64_t)UINT32_MAX);
}

static uint64_t sliding(const uint32_t buckets[2][GUARD_WHATS], enum guard_what what, int64_t now_ms, uint32_t length_s)
{
	uint64_t left_s = length_s - (uint32_t)(now_ms / 1000) % length_s;

	return buckets[0][what] + buckets[1][what] * left_s / length_s;
}

uint64_t guard_counter_hour(const struct guard_counter *c, enum guard_what what, int64_t now_ms)
{
	return sliding(c->hours, what, now_ms, HOUR_S);
}

uint64_t guard_counter_day(const struct guard_counter *c, enum guard_what what, int64_t now_ms)
{
	return sliding(c->days, what, now_ms, DAY_S);
}

void guard_counter_forget(struct guard_counter *c, enum guard_what what)
{
	for (size_t i = 0; i < 2; i++)
		c->hours[i][what] = c->days[i][what] = 0;
}
