/* queue/queue_line.c - see queue_line.h. */
#include "queue/queue_line.h"

#include <stdlib.h>

#include "base/base.h"

#define WORD_BITS 64u

struct queue_band {
	struct queue_band *next;
	int32_t            priority;
	unsigned           count;
	unsigned           turn; /* the lane whose turn it is, or the next that has one */
	uint64_t           used[QUEUE_LANES / WORD_BITS]; /* lanes in which somebody waits */
	struct {
		struct queue_wait *first;
		unsigned           count;
	} lanes[QUEUE_LANES];
};

static struct queue_band *band_get(struct queue_line *l, int32_t priority)
{
	struct queue_band **at = &l->bands, *b;

	while ((b = *at) != NULL && b->priority > priority)
		at = &b->next;
	if (b && b->priority == priority)
		return b;
	b = calloc(1, sizeof(*b));
	CHECK(b);
	b->priority = priority;
	b->next = *at;
	*at = b;
	return b;
}

static void band_drop(struct queue_line *l, struct queue_band *b)
{
	struct queue_band **at = &l->bands;

	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	free(b);
}

void queue_line_done(struct queue_line *l)
{
	while (l->bands)
		band_drop(l, l->bands);
	l->count = 0;
}

void queue_line_put(struct queue_line *l, struct queue_wait *w, bool first)
{
	struct queue_band *b = band_get(l, w->priority);
	struct queue_wait *head = b->lanes[w->lane].first;

	CHECK(!w->waits);
	w->waits = true;
	w->before = head ? head->before : w;
	w->after = head ? head : w;
	w->before->after = w->after->before = w;
	if (!head || first)
		b->lanes[w->lane].first = w;
	b->lanes[w->lane].count++;
	b->used[w->lane / WORD_BITS] |= 1ull << (w->lane % WORD_BITS);
	b->count++;
	l->count++;
}

/* The first lane from `turn` on, around, in which somebody waits. */
static unsigned lane_next(const struct queue_band *b)
{
	for (unsigned i = 0; i <= LEN(b->used); i++) {
		unsigned word = (b->turn / WORD_BITS + i) % (unsigned)LEN(b->used);
		uint64_t bits = b->used[word];

		if (i == 0)
			bits &= UINT64_MAX << (b->turn % WORD_BITS);
		if (bits)
			return word * WORD_BITS + (unsigned)__builtin_ctzll(bits);
	}
	BUG("a band without lanes");
}

struct queue_wait *queue_line_first(const struct queue_line *l)
{
	return l->bands ? l->bands->lanes[lane_next(l->bands)].first : NULL;
}

struct queue_wait *queue_line_take(struct queue_line *l)
{
	struct queue_wait *w = queue_line_first(l);

	if (w) {
		l->bands->turn = (w->lane + 1) % QUEUE_LANES;
		queue_line_remove(l, w);
	}
	return w;
}

void queue_line_remove(struct queue_line *l, struct queue_wait *w)
{
	struct queue_band *b;

	if (!w->waits)
		return;
	b = band_get(l, w->priority);
	w->waits = false;
	if (w->after == w) {
		b->lanes[w->lane].first = NULL;
		b->used[w->lane / WORD_BITS] &= ~(1ull << (w->lane % WORD_BITS));
	} else if (b->lanes[w->lane].first == w) {
		b->lanes[w->lane].first = w->after;
	}
	w->before->after = w->after;
	w->after->before = w->before;
	b->lanes[w->lane].count--;
	l->count--;
	if (--b->count == 0)
		band_drop(l, b);
}

unsigned queue_line_lane(const struct queue_line *l, uint32_t lane)
{
	unsigned count = 0;

	for (const struct queue_band *b = l->bands; b; b = b->next)
		count += b->lanes[lane].count;
	return count;
}

/* ---- whose lane ---- */

static uint64_t hash_lower(uint64_t h, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char c = ascii_lower(s.p[i]);

		h = str_hash_keyed(str_n(&c, 1), h);
	}
	return h;
}

static struct str stem(struct str local)
{
	size_t n = 0;

	while (n < local.n && ((local.p[n] >= 'a' && local.p[n] <= 'z') || (local.p[n] >= 'A' && local.p[n] <= 'Z')))
		n++;
	return str_first(local, n);
}

uint32_t queue_lane_of(uint64_t account, struct str from, struct str peer)
{
	struct str local = from, domain = STR("");
	uint64_t   h;

	if (account) {
		h = str_hash(str_n((const char *)&account, sizeof(account)));
	} else if (from.n == 0) {
		h = hash_lower(1, peer);
	} else {
		if (!str_rcut(from, '@', &local, &domain))
			local = from;
		h = hash_lower(hash_lower(2, domain), stem(local));
	}
	return (uint32_t)(1 + h % (QUEUE_LANES - 1));
}
