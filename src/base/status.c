/* base/status.c - see status.h. */
#include "base/status.h"

static const char *const names[] = {
	[ST_OK] = "ok",           [ST_AGAIN] = "again",     [ST_NOT_FOUND] = "not_found", [ST_EXISTS] = "exists",
	[ST_DENIED] = "denied",   [ST_LIMIT] = "limit",     [ST_TEMP] = "temp",           [ST_IO] = "io",
	[ST_CORRUPT] = "corrupt", [ST_FULL] = "full",       [ST_SUSPECT] = "suspect",     [ST_VERSION] = "version",
	[ST_INVALID] = "invalid", [ST_CLOSED] = "closed",   [ST_BUSY] = "busy",
	[ST_QUOTA] = "quota",
};
_Static_assert(LEN(names) == ST_COUNT, "a name per status");

const char *status_name(enum status st)
{
	return (unsigned)st < LEN(names) ? names[st] : "?";
}
