/* queue/queue_txid.h - which transaction ids were taken lately, and as which message.
 *
 * A ring in order of arrival with a chained hash over it, 40 octets for each id held. It grows with use; the
 * caller trims it from the old end, together with the table that keeps it over a restart.
 *
 * Not thread-safe: the writer's alone. Transaction ids are random, but their maker may be hostile: the hash is seeded.
 * Tests: tests/unit/test_queue_id.c.
 */
#ifndef QUEUE_QUEUE_TXID_H
#define QUEUE_QUEUE_TXID_H

#include "base/str.h"

#define QUEUE_TXID_OCTETS 16u

struct queue_txid;

struct queue_txids {
	struct queue_txid *ring;        /* cap entries, a power of two; that of sequence number s is ring[s % cap] */
	uint32_t          *heads;       /* cap chains: slot + 1, 0 for the end */
	uint64_t           first, next; /* sequence numbers held: first .. next-1 */
	size_t             cap;
	uint64_t           seed;
};

void queue_txids_init(struct queue_txids *t);
void queue_txids_done(struct queue_txids *t);
/* 0: not held. */
uint64_t queue_txids_find(const struct queue_txids *t, struct str txid);
/* `txid` is not held yet. */
void queue_txids_add(struct queue_txids *t, struct str txid, uint64_t message);
/* Take back the newest `count`; forget the oldest `count`. */
void queue_txids_undo(struct queue_txids *t, uint64_t count);
void queue_txids_trim(struct queue_txids *t, uint64_t count);
uint64_t queue_txids_count(const struct queue_txids *t);

#endif
