/* base/base.c - see base.h. */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *cond, const char *file, int line)
{
	fprintf(stderr, "postrider: bug: CHECK(%s) failed at %s:%d\n", cond, file, line);
	abort();
}
