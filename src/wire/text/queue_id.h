/* wire/text/queue_id.h - a queue id as people see it: 13 characters of Crockford's base 32.
 *
 * A queue id is a 64-bit number that only rises: the later the message, the larger its id and, as all are of
 * one length, the later its text in order of octets. Letters I, L, O and U are not used; reading takes either case
 * and I, L for 1, O for 0, so that an id can be told by telephone.
 *
 * Pure. Tests: tests/unit/test_queue_id.c.
 */
#ifndef QUEUE_QUEUE_ID_H
#define QUEUE_QUEUE_ID_H

#include "base/str.h"

#define QUEUE_ID_TEXT 13u

struct queue_id_text {
	char p[QUEUE_ID_TEXT + 1]; /* NUL-ended */
};

struct queue_id_text queue_id_text(uint64_t id);
/* False if it is not such a text, or 0. */
MUST_CHECK bool queue_id_parse(struct str text, uint64_t *ret);

#endif
