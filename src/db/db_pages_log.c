/* db/db_pages_log.c - which pages the log has. https://www.sqlite.org/fileformat2.html#walformat */
#include <stdlib.h>
#include <string.h>

#include "db/db_pages_int.h"

#define HEADER  32u
#define FRAME   (24u + DB_PAGE)
#define MAGIC   UINT32_C(0x377f0682) /* the lowest bit: sums over big-endian words */
#define FORMAT  UINT32_C(3007000)

struct sums {
	bool     big;
	uint32_t a, b;
};

static void sum_add(struct sums *s, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint32_t x = db_be32(p + i), y = db_be32(p + i + 4);

		s->a += (s->big ? x : __builtin_bswap32(x)) + s->b;
		s->b += (s->big ? y : __builtin_bswap32(y)) + s->a;
	}
}

static bool log_read(struct db_pages *p, uint8_t *to, size_t n, uint64_t offset)
{
	size_t got = 0;

	return p->source.read(p->source.ctx, true, to, n, offset, &got) == ST_OK && got == n;
}

bool db_page_read_frame(struct db_pages *p, uint32_t at, uint8_t ret[DB_PAGE])
{
	return log_read(p, ret, DB_PAGE, HEADER + (uint64_t)at * FRAME + 24);
}

static bool header_read(struct db_pages *p, uint8_t salt[8], struct sums *ret)
{
	uint8_t     h[HEADER];
	struct sums s = { 0 };

	if (p->source.log_size < HEADER || !log_read(p, h, HEADER, 0) || (db_be32(h) & ~1u) != MAGIC || db_be32(h + 4) != FORMAT ||
	    db_be32(h + 8) != DB_PAGE)
		return false;
	s.big = db_be32(h) & 1;
	sum_add(&s, h, 24);
	memcpy(salt, h + 16, 8);
	*ret = s;
	return s.a == db_be32(h + 24) && s.b == db_be32(h + 28);
}

static int by_page(const void *a, const void *b)
{
	const struct db_frame *x = a, *y = b;

	return x->page != y->page ? (x->page < y->page ? -1 : 1) : x->at < y->at ? -1 : x->at > y->at;
}

static void frame_add(struct db_frame **list, size_t *count, size_t *cap, uint32_t page, uint32_t at)
{
	if (*count == *cap) {
		*cap = *cap ? 2 * *cap : 1024;
		*list = realloc(*list, *cap * sizeof(**list));
		CHECK(*list);
	}
	(*list)[(*count)++] = (struct db_frame){ page, at };
}

/* Frames up to `max`, and how many of them the last commit ends; behind the first that does not fit, those that have the log's salt are kept apart. */
static uint32_t frames_read(struct db_pages *p, const uint8_t salt[8], struct sums s, uint32_t max)
{
	uint8_t *f = malloc(FRAME);
	size_t   cap = 0, behind_cap = 0, committed = 0;
	uint32_t last = 0, end = 0;
	bool     good = true;

	CHECK(f);
	for (uint32_t i = 0; i < max; i++) {
		bool read = log_read(p, f, FRAME, HEADER + (uint64_t)i * FRAME), ours = read && memcmp(f + 8, salt, 8) == 0;

		if (good && ours) {
			sum_add(&s, f, 8);
			sum_add(&s, f + 24, DB_PAGE);
			good = s.a == db_be32(f + 16) && s.b == db_be32(f + 20);
		} else {
			good = false;
		}
		if (ours && db_be32(f) > 0 && good)
			frame_add(&p->frames, &p->frame_count, &cap, db_be32(f), i);
		else if (ours && db_be32(f) > 0 && db_be32(f) <= LIMIT_DB_PAGES)
			frame_add(&p->behind, &p->behind_count, &behind_cap, db_be32(f), i);
		if (good && db_be32(f + 4) > 0) {
			committed = p->frame_count;
			end = i + 1;
			last = db_be32(f + 4);
		}
	}
	free(f);
	p->frame_count = committed; /* what was never committed is not there */
	if (committed > 0)
		p->count = MIN(last, (uint32_t)LIMIT_DB_PAGES);
	return end;
}

enum status db_pages_log_load(struct db_pages *p)
{
	uint8_t     salt[8];
	struct sums s;
	uint64_t    max = p->source.log_size < HEADER ? 0 : (p->source.log_size - HEADER) / FRAME, had;

	p->log_whole = max > 0 && header_read(p, salt, &s);
	if (!p->log_whole)
		return ST_OK;
	memcpy(&had, salt, sizeof(had));
	if (p->source.frames != UINT64_MAX)
		max = had == p->source.salt ? MIN(max, p->source.frames) : 0;
	if (max > LIMIT_DB_FRAMES)
		return ST_LIMIT;
	max = frames_read(p, salt, s, (uint32_t)max);
	p->log_whole = p->behind_count == 0 && (p->source.least == 0 || (had == p->source.least_salt && max >= p->source.least));
	if (p->frame_count > 1)
		qsort(p->frames, p->frame_count, sizeof(*p->frames), by_page);
	return ST_OK;
}
