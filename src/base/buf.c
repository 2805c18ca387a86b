/* base/buf.c - see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN ((size_t)64)

void buf_init(struct buf *b, size_t max_octets)
{
	*b = (struct buf){ .max = max_octets };
}

void buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ .max = b->max };
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->over = false;
}

void buf_shrink(struct buf *b, size_t keep)
{
	if (b->n == 0 && b->cap > keep)
		buf_done(b);
}

char *buf_room(struct buf *b, size_t n)
{
	if (b->over || n > b->max - b->n) {
		b->over = true;
		return NULL;
	}
	if (b->cap - b->n < n || !b->p) {
		size_t cap = MAX(b->cap * 2, MAX(b->n + n, CAP_MIN));
		char  *p;

		cap = MAX(MIN(cap, b->max), b->n + n);
		p = realloc(b->p, cap);
		if (!p) {
			fprintf(stderr, "postrider: out of memory\n");
			abort();
		}
		b->p = p;
		b->cap = cap;
	}
	return b->p + b->n;
}

void buf_commit(struct buf *b, size_t n)
{
	CHECK(n <= b->cap - b->n);
	b->n += n;
}

void buf_consume(struct buf *b, size_t n)
{
	CHECK(n <= b->n);
	b->n -= n;
	if (b->n)
		memmove(b->p, b->p + n, b->n);
}

bool buf_add(struct buf *b, struct str s)
{
	char *p;

	if (s.n == 0)
		return !b->over;
	p = buf_room(b, s.n);
	if (!p)
		return false;
	memcpy(p, s.p, s.n);
	b->n += s.n;
	return true;
}

bool buf_insert(struct buf *b, size_t at, struct str s)
{
	char *p;

	CHECK(at <= b->n);
	if (s.n == 0)
		return !b->over;
	p = buf_room(b, s.n);
	if (!p)
		return false;
	memmove(b->p + at + s.n, b->p + at, b->n - at);
	memcpy(b->p + at, s.p, s.n);
	b->n += s.n;
	return true;
}

bool buf_add_char(struct buf *b, char c)
{
	return buf_add(b, (struct str){ &c, 1 });
}

bool buf_add_u64(struct buf *b, uint64_t v)
{
	char   d[20];
	size_t i = sizeof(d);

	do {
		d[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	return buf_add(b, (struct str){ d + i, sizeof(d) - i });
}

bool buf_add_hex(struct buf *b, struct str s)
{
	static const char digits[] = "0123456789abcdef";
	char             *p;

	if (s.n == 0)
		return !b->over;
	p = s.n > SIZE_MAX / 2 ? NULL : buf_room(b, s.n * 2);
	if (!p)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		*p++ = digits[(unsigned char)s.p[i] >> 4];
		*p++ = digits[(unsigned char)s.p[i] & 15];
	}
	b->n += s.n * 2;
	return true;
}

bool buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap, ap2;
	int     n;
	char   *p;
	bool    ok = false;

	va_start(ap, fmt);
	va_copy(ap2, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	CHECK(n >= 0);
	/* vsnprintf writes a NUL behind the text, which does not count. */
	if (!b->over && (size_t)n <= b->max - b->n) {
		size_t max = b->max;

		b->max = max == SIZE_MAX ? max : max + 1;
		p = buf_room(b, (size_t)n + 1);
		b->max = max;
		CHECK(p);
		vsnprintf(p, (size_t)n + 1, fmt, ap2);
		b->n += (size_t)n;
		ok = true;
	} else {
		b->over = true;
	}
	va_end(ap2);
	va_end(ap);
	return ok;
}

bool buf_add_be(struct buf *b, uint64_t v, unsigned octets)
{
	char d[8];

	CHECK(octets <= sizeof(d));
	for (unsigned i = 0; i < octets; i++)
		d[i] = (char)(v >> (8 * (octets - 1 - i)));
	return buf_add(b, (struct str){ d, octets });
}
