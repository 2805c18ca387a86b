/* queue/queue_pace.c - see queue_pace.h. */
#include "queue/queue_pace.h"

#include "base/base.h"

/* Sums of 1/3 are not quite 1: half a step more or less decides. */
#define HALF      0.5
#define AHEAD_MAX 1000000u /* of a line: no sum of times overflows */

void queue_pace_init(struct queue_pace *p, unsigned first, unsigned ceiling)
{
	*p = (struct queue_pace){ 0 };
	queue_pace_limit(p, first, ceiling);
	p->window = p->first;
}

void queue_pace_limit(struct queue_pace *p, unsigned first, unsigned ceiling)
{
	p->ceiling = MAX(ceiling, 1);
	p->first = MIN(MAX(first, 1), p->ceiling);
	p->window = MIN(p->window, p->ceiling);
}

unsigned queue_pace_window(const struct queue_pace *p, int64_t at_ms)
{
	unsigned window = p->window;

	if (p->cap && at_ms < p->cap_until)
		window = MIN(window, p->cap);
	return p->hold ? MIN(window, p->hold) : window;
}

/* One was too many, and the others were not. */
static void believe(struct queue_pace *p, int64_t at_ms)
{
	p->window = MIN(p->window, p->hold);
	p->cap = p->window;
	p->cap_until = at_ms + (p->full ? QUEUE_PACE_CAP_MS : QUEUE_PACE_CAP_SHORT_MS);
	p->success = p->failure = 0;
	p->hold = 0;
}

void queue_pace_success(struct queue_pace *p, unsigned now, int64_t at_ms)
{
	const double part = 1.0 / p->window;

	p->cohorts = p->last = 0;
	if (p->hold)
		believe(p, at_ms);
	if (p->cap && at_ms >= p->cap_until)
		p->cap = 0;
	/* A window that nobody fills tells nothing: it grows only so far ahead of what is under way. */
	if (p->window >= (p->cap ? p->cap : p->ceiling) || p->window >= now + 1 + p->first)
		return;
	p->success += part;
	if (p->success + part * HALF < 1)
		return;
	p->success = 0;
	p->failure = 0;
	p->window++;
}

/* Of a cohort's failures the first narrows the window. */
static void narrow(struct queue_pace *p, double part)
{
	p->failure -= part;
	if (p->failure - part * HALF >= 0)
		return;
	p->failure += 1;
	p->success = 0;
	p->window--;
}

bool queue_pace_failure(struct queue_pace *p, unsigned now, int64_t at_ms)
{
	const unsigned before = queue_pace_window(p, at_ms);
	const double   part = 1.0 / p->window;

	p->hold = 0;
	p->cohorts += part;
	if (p->window == 1) {
		p->last += 1;
		return p->last >= QUEUE_PACE_DEAD;
	}
	if (p->cohorts >= 1) {
		p->window = 1;
		p->success = p->failure = 0;
		return false;
	}
	narrow(p, part);
	p->hold = now;
	p->full = now + 1 >= before;
	return false;
}

/* ---- rates ---- */

static int64_t burst(const struct queue_rate *r)
{
	return MAX(r->n / 10, 1);
}

/* Microseconds between two, so that the burst and what follows it in S seconds are N together. Rounded up. */
static int64_t spacing_us(const struct queue_rate *r)
{
	const int64_t rest = (int64_t)r->n - burst(r) + 1, us = (int64_t)r->s * 1000000;

	return (us + rest - 1) / rest;
}

void queue_rate_set(struct queue_rate *r, uint32_t n, uint32_t s)
{
	if (r->n == n && r->s == s)
		return;
	r->n = s ? n : 0;
	r->s = MIN(s, QUEUE_RATE_S_MAX);
}

/* Of the next, in microseconds; may have been long ago. */
static int64_t next_us(const struct queue_rate *r, int64_t at_ms)
{
	return MAX(r->full_us, at_ms * 1000) - (burst(r) - 1) * spacing_us(r);
}

int64_t queue_rate_after(const struct queue_rate *r, uint64_t ahead, int64_t at_ms)
{
	if (r->n == 0)
		return at_ms;
	return MAX(at_ms, (next_us(r, at_ms) + (int64_t)MIN(ahead, AHEAD_MAX) * spacing_us(r) + 999) / 1000);
}

unsigned queue_rate_within(const struct queue_rate *r, int64_t at_ms, int64_t until_ms)
{
	int64_t count;

	if (r->n == 0)
		return UINT32_MAX;
	count = (until_ms * 1000 - next_us(r, at_ms)) / spacing_us(r) + 1;
	return until_ms * 1000 < next_us(r, at_ms) ? 0 : (unsigned)MIN(count, INT32_MAX);
}

int64_t queue_rate_next(const struct queue_rate *r, int64_t at_ms)
{
	return queue_rate_after(r, 0, at_ms);
}

void queue_rate_take(struct queue_rate *r, int64_t at_ms)
{
	if (r->n)
		r->full_us = MAX(r->full_us, at_ms * 1000) + spacing_us(r);
}
