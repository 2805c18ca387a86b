/* base/arena.c - see arena.h. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MAX (64 * KIB) /* blocks double up to this; larger requests get their own */
#define ALIGN     (alignof(max_align_t))

struct block {
	struct block *next;
	size_t        used, cap;
	alignas(max_align_t) char data[];
};

struct deferred {
	struct deferred *next;
	void (*fn)(void *);
	void *arg;
};

struct arena {
	struct block    *blocks;
	struct deferred *deferred;
	struct arena    *parent, *child, *next, **link;
	size_t           next_cap, total;
	bool             secret;
};

static void *must_alloc(size_t n)
{
	void *p = malloc(n);

	if (!p) {
		fprintf(stderr, "postrider: out of memory\n");
		abort();
	}
	return p;
}

struct arena *arena_new(struct arena *parent)
{
	struct arena *a = must_alloc(sizeof(*a));

	*a = (struct arena){ .parent = parent, .next_cap = ARENA_FIRST };
	if (parent) {
		a->secret = parent->secret;
		a->next = parent->child;
		if (a->next)
			a->next->link = &a->next;
		a->link = &parent->child;
		parent->child = a;
	}
	return a;
}

struct arena *arena_new_secret(struct arena *parent)
{
	struct arena *a = arena_new(parent);

	a->secret = true;
	return a;
}

void arena_reset(struct arena *a)
{
	while (a->child) {
		struct arena *c = a->child;
		arena_free(&c);
	}
	while (a->deferred) {
		struct deferred *d = a->deferred;
		a->deferred = d->next; /* lives in a block: freed below */
		d->fn(d->arg);
	}
	while (a->blocks) {
		struct block *b = a->blocks;
		a->blocks = b->next;
		if (a->secret)
			explicit_bzero(b->data, b->used);
		free(b);
	}
	a->next_cap = ARENA_FIRST;
	a->total = 0;
}

void arena_free(struct arena **ap)
{
	struct arena *a = *ap;

	*ap = NULL;
	if (!a)
		return;
	arena_reset(a);
	if (a->link) {
		*a->link = a->next;
		if (a->next)
			a->next->link = a->link;
	}
	free(a);
}

static struct block *block_add(struct arena *a, size_t n)
{
	size_t        cap = MAX(n, a->next_cap);
	struct block *b = must_alloc(sizeof(*b) + cap);

	b->used = 0;
	b->cap = cap;
	a->total += cap + sizeof(*b);
	if (n > a->next_cap && a->blocks) { /* its own block, behind the current one */
		b->next = a->blocks->next;
		a->blocks->next = b;
	} else {
		b->next = a->blocks;
		a->blocks = b;
		a->next_cap = MIN(a->next_cap * 2, BLOCK_MAX);
	}
	return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
	struct block *b = a->blocks;
	void         *p;

	CHECK(n <= SIZE_MAX / 2);
	n = (n + ALIGN - 1) & ~(ALIGN - 1);
	if (!b || b->cap - b->used < n)
		b = block_add(a, n);
	p = b->data + b->used;
	b->used += n;
	memset(p, 0, n);
	return p;
}

void *arena_array(struct arena *a, size_t size, size_t count)
{
	CHECK(size == 0 || count <= SIZE_MAX / 2 / size);
	return arena_alloc(a, size * count);
}

struct str arena_dup(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n);

	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct str){ p, s.n };
}

char *arena_cstr(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	return p;
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, ap2;
	int     n;
	char   *p;

	va_start(ap, fmt);
	va_copy(ap2, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	CHECK(n >= 0);
	p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, fmt, ap2);
	va_end(ap2);
	return (struct str){ p, (size_t)n };
}

void arena_defer(struct arena *a, void (*fn)(void *), void *arg)
{
	struct deferred *d = ARENA_NEW(a, struct deferred);

	d->fn = fn;
	d->arg = arg;
	d->next = a->deferred;
	a->deferred = d;
}

size_t arena_size(const struct arena *a)
{
	return a->total;
}
