/* base/status.h - failures of the outside world, and how they are told.
 *
 * Bad input has the enum of the module that found it; a bug is a CHECK; the
 * rest is one of these. A status never carries text for the peer: each protocol
 * has exactly one table from status to its own reply. The values are part of the
 * channel protocol (ipc/): append, never renumber.
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include "base/base.h"

enum status {
	ST_OK = 0,
	ST_AGAIN,     /* would block, or not complete yet */
	ST_NOT_FOUND, /* no such object */
	ST_EXISTS,    /* there is one of that name already */
	ST_DENIED,    /* not allowed, wrong credentials */
	ST_LIMIT,     /* a named limit was reached */
	ST_TEMP,      /* failed for now: try later (lost channel, deadline, busy) */
	ST_IO,        /* the system refused: errno was logged where it was seen */
	ST_CORRUPT,   /* stored or received data breaks its format */
	ST_FULL,      /* no space left, or below the watermark */
	ST_SUSPECT,   /* database set aside after a failed sync, see store */
	ST_VERSION,   /* data of a newer version */
	ST_INVALID,   /* a value is outside what its format allows */
	ST_CLOSED,    /* the peer is gone */
	ST_BUSY,      /* held by somebody else */
	ST_QUOTA,     /* it would go over the account's quota */
	ST_COUNT,
};

/* The name in lower case ("not_found"), for logs and --json; "?" if unknown. */
const char *status_name(enum status st);

#endif
