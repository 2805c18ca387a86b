/* wire/imap/imap_set.c - grammar and contract are in imap_set.h. */
#include "wire/imap/imap_set.h"

#include <stdlib.h>
#include <string.h>

static bool seq_number(struct imap_lex *x, uint32_t *ret)
{
	if (imap_lex_char(x, '*')) {
		*ret = IMAP_STAR;
		return true;
	}
	return imap_lex_peek(x) != '0' && imap_lex_number(x, ret);
}

static bool seq_range(struct imap_lex *x, struct imap_range *ret)
{
	if (!seq_number(x, &ret->first))
		return false;
	ret->last = ret->first;
	return !imap_lex_char(x, ':') || seq_number(x, &ret->last);
}

/* Commas up to the end of the token bound the number of ranges, so one allocation is enough. */
static size_t ranges_at_most(struct str in)
{
	size_t n = 1;

	for (size_t i = 0; i < in.n && (ascii_is_digit(in.p[i]) || str_find(STR("*:,"), in.p[i]) >= 0); i++)
		n += in.p[i] == ',';
	return n;
}

bool imap_lex_set(struct imap_lex *x, struct imap_set *ret)
{
	size_t          most = ranges_at_most(x->in);
	struct imap_set set = { 0 };

	if (imap_lex_char(x, '$')) {
		set.saved = true;
		*ret = set;
		return true;
	}
	if (most > LIMIT_IMAP_SET)
		return false;
	set.ranges = ARENA_ARRAY(x->arena, struct imap_range, most);
	do {
		if (!seq_range(x, &set.ranges[set.count++]))
			return false;
	} while (imap_lex_char(x, ','));
	*ret = set;
	return true;
}

static int by_first(const void *a, const void *b)
{
	const struct imap_range *ra = a, *rb = b;

	return (ra->first > rb->first) - (ra->first < rb->first);
}

/* One range with "*" filled in and its ends in order; false if nothing of it is in 1..largest. */
static bool range_resolve(struct imap_range r, uint32_t largest, struct imap_range *ret)
{
	uint32_t a = r.first == IMAP_STAR ? largest : r.first;
	uint32_t b = r.last == IMAP_STAR ? largest : r.last;

	ret->first = MIN(a, b);
	ret->last = MIN(MAX(a, b), largest);
	return largest > 0 && ret->first <= ret->last;
}

struct imap_set imap_set_resolve(const struct imap_set *set, uint32_t largest, struct arena *a)
{
	struct imap_set out = { .ranges = ARENA_ARRAY(a, struct imap_range, set->count) };
	size_t          n = 0;

	for (size_t i = 0; i < set->count; i++)
		n += range_resolve(set->ranges[i], largest, &out.ranges[n]);
	if (n > 1)
		qsort(out.ranges, n, sizeof(out.ranges[0]), by_first);
	for (size_t i = 0; i < n; i++) {
		struct imap_range *last = out.count ? &out.ranges[out.count - 1] : NULL;

		if (last && out.ranges[i].first <= (uint64_t)last->last + 1)
			last->last = MAX(last->last, out.ranges[i].last);
		else
			out.ranges[out.count++] = out.ranges[i];
	}
	return out;
}

bool imap_set_beyond(const struct imap_set *set, uint32_t largest)
{
	for (size_t i = 0; i < set->count; i++) {
		struct imap_range r = set->ranges[i];

		if (largest == 0 && (r.first == IMAP_STAR || r.last == IMAP_STAR))
			continue;
		if (r.first > largest && (r.last > largest || r.last == IMAP_STAR))
			return true;
		if (r.first == IMAP_STAR && r.last > largest)
			return true;
	}
	return false;
}

bool imap_set_has(const struct imap_set *resolved, uint32_t n)
{
	size_t lo = 0, hi = resolved->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (resolved->ranges[mid].last < n)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < resolved->count && resolved->ranges[lo].first <= n;
}

uint64_t imap_set_size(const struct imap_set *resolved)
{
	uint64_t n = 0;

	for (size_t i = 0; i < resolved->count; i++)
		n += (uint64_t)resolved->ranges[i].last - resolved->ranges[i].first + 1;
	return n;
}

void imap_set_writer_init(struct imap_set_writer *w, struct buf *out)
{
	*w = (struct imap_set_writer){ .out = out };
}

static void range_write(struct imap_set_writer *w)
{
	if (w->first == 0)
		return;
	if (w->some)
		buf_add_char(w->out, ',');
	buf_add_u64(w->out, w->first);
	if (w->last != w->first) {
		buf_add_char(w->out, ':');
		buf_add_u64(w->out, w->last);
	}
	w->some = true;
}

void imap_set_writer_range(struct imap_set_writer *w, uint32_t first, uint32_t last)
{
	if (w->first != 0 && first == (uint64_t)w->last + 1) {
		w->last = last;
		return;
	}
	range_write(w);
	w->first = first;
	w->last = last;
}

void imap_set_writer_add(struct imap_set_writer *w, uint32_t n)
{
	imap_set_writer_range(w, n, n);
}

void imap_set_writer_done(struct imap_set_writer *w)
{
	range_write(w);
	w->first = 0;
}
