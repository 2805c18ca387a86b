/* guard/guard_memo.c - see guard_memo.h. */
#include "guard/guard_memo.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 8u
_Static_assert(GUARD_SECRET == crypto_shorthash_KEYBYTES, "the secret is a key of SipHash");

void guard_memos_init(struct guard_memos *t, unsigned sets, const uint8_t secret[GUARD_SECRET])
{
	*t = (struct guard_memos){ .sets = sets, .secret = secret };
	t->rows = calloc((size_t)sets * WAYS, sizeof(*t->rows));
	CHECK(t->rows != NULL);
}

void guard_memos_done(struct guard_memos *t)
{
	free(t->rows);
	t->rows = NULL;
}

static size_t set_of(const struct guard_memos *t, uint64_t a, uint64_t b)
{
	uint8_t  in[16], out[crypto_shorthash_BYTES];
	uint64_t h;

	memcpy(in, &a, 8);
	memcpy(in + 8, &b, 8);
	crypto_shorthash(out, in, sizeof(in), t->secret);
	memcpy(&h, out, sizeof(h));
	return h % t->sets * WAYS;
}

struct guard_memo *guard_memos_find(struct guard_memos *t, uint64_t a, uint64_t b)
{
	struct guard_memo *set = &t->rows[set_of(t, a, b)];

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].a == a && set[i].b == b)
			return &set[i];
	return NULL;
}

void guard_memos_touch(struct guard_memos *t, struct guard_memo *m)
{
	t->dirty += !m->dirty;
	m->dirty = true;
}

struct guard_memo *guard_memos_get(struct guard_memos *t, uint64_t a, uint64_t b, int64_t now_ms)
{
	struct guard_memo *set = &t->rows[set_of(t, a, b)], *m = guard_memos_find(t, a, b);
	bool               dirty;

	if (m != NULL)
		return m;
	m = &set[0];
	for (size_t i = 1; i < WAYS && (m->a | m->b) != 0; i++)
		if ((set[i].a | set[i].b) == 0 || set[i].last_ms < m->last_ms)
			m = &set[i];
	dirty = m->dirty;
	*m = (struct guard_memo){ .a = a, .b = b, .first_ms = now_ms, .last_ms = now_ms, .dirty = dirty };
	guard_memos_touch(t, m);
	return m;
}

void guard_memos_forget(struct guard_memos *t, struct guard_memo *m)
{
	bool dirty = m->dirty;

	*m = (struct guard_memo){ .dirty = dirty };
	guard_memos_touch(t, m);
}

bool guard_memos_load(struct guard_memos *t, uint64_t slot, const struct guard_memo *row)
{
	if (slot >= (uint64_t)t->sets * WAYS || (row->a | row->b) == 0 || set_of(t, row->a, row->b) != slot / WAYS * WAYS)
		return false;
	t->rows[slot] = *row;
	t->rows[slot].dirty = false;
	return true;
}

size_t guard_memos_take(struct guard_memos *t, size_t *at, struct guard_memo *ret, uint64_t *ret_slots, size_t max)
{
	size_t n = 0;

	for (; *at < (size_t)t->sets * WAYS && n < max && t->dirty > 0; ++*at) {
		if (!t->rows[*at].dirty)
			continue;
		t->rows[*at].dirty = false;
		t->dirty--;
		ret[n] = t->rows[*at];
		ret_slots[n++] = *at;
	}
	return n;
}
