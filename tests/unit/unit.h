/* tests/unit/unit.h - cmocka with the headers that it needs, and what all unit tests share. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

#define assert_str(got, want) unit_assert_str((got), (want), __FILE__, __LINE__)

static inline void unit_assert_str(struct str got, struct str want, const char *file, int line)
{
	if (!str_eq(got, want)) {
		print_error("got  \"%.*s\" (%zu)\nwant \"%.*s\" (%zu)\n", STR_FMT(got), got.n, STR_FMT(want), want.n);
		_fail(file, line);
	}
}

/* A copy in a heap block of exactly its size, so that ASan sees every read past the end. */
static inline struct str unit_exact(struct str s)
{
	char *p = malloc(s.n ? s.n : 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct str){ p, s.n };
}

static inline void unit_exact_free(struct str s)
{
	free((void *)(uintptr_t)s.p);
}

#endif
