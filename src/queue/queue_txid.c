/* queue/queue_txid.c - see queue_txid.h. */
#include "queue/queue_txid.h"

#include <stdlib.h>
#include <string.h>

#include "sys/random.h"

#define CAP_FIRST ((size_t)256)

struct queue_txid {
	uint64_t message;
	uint8_t  txid[QUEUE_TXID_OCTETS];
	uint32_t next; /* slot + 1 of the next in the chain */
};

void queue_txids_init(struct queue_txids *t)
{
	*t = (struct queue_txids){ .seed = random_u64() };
}

void queue_txids_done(struct queue_txids *t)
{
	free(t->ring);
	free(t->heads);
	*t = (struct queue_txids){ 0 };
}

static uint32_t *chain_of(const struct queue_txids *t, const void *txid)
{
	uint64_t a, b;

	memcpy(&a, txid, 8);
	memcpy(&b, (const char *)txid + 8, 8);
	a = (a ^ t->seed) * 0x9e3779b97f4a7c15u;
	a = (a ^ (a >> 32) ^ b) * 0xd6e8feb86659fd93u;
	return &t->heads[(a ^ (a >> 32)) & (t->cap - 1)];
}

static void link_in(struct queue_txids *t, uint64_t seq)
{
	struct queue_txid *e = &t->ring[seq & (t->cap - 1)];
	uint32_t          *head = chain_of(t, e->txid);

	e->next = *head;
	*head = (uint32_t)(seq & (t->cap - 1)) + 1;
}

static void unlink_from(struct queue_txids *t, uint64_t seq)
{
	uint32_t  slot = (uint32_t)(seq & (t->cap - 1)) + 1;
	uint32_t *at = chain_of(t, t->ring[slot - 1].txid);

	while (*at != slot)
		at = &t->ring[*at - 1].next;
	*at = t->ring[slot - 1].next;
}

static void grow(struct queue_txids *t)
{
	struct queue_txids old = *t;

	t->cap = old.cap ? old.cap * 2 : CAP_FIRST;
	t->ring = calloc(t->cap, sizeof(*t->ring));
	t->heads = calloc(t->cap, sizeof(*t->heads));
	CHECK(t->ring && t->heads);
	for (uint64_t s = t->first; s < t->next; s++) {
		t->ring[s & (t->cap - 1)] = old.ring[s & (old.cap - 1)];
		link_in(t, s);
	}
	free(old.ring);
	free(old.heads);
}

uint64_t queue_txids_find(const struct queue_txids *t, struct str txid)
{
	uint32_t at;

	if (t->cap == 0 || txid.n != QUEUE_TXID_OCTETS)
		return 0;
	for (at = *chain_of(t, txid.p); at != 0; at = t->ring[at - 1].next)
		if (memcmp(t->ring[at - 1].txid, txid.p, QUEUE_TXID_OCTETS) == 0)
			return t->ring[at - 1].message;
	return 0;
}

void queue_txids_add(struct queue_txids *t, struct str txid, uint64_t message)
{
	struct queue_txid *e;

	CHECK(txid.n == QUEUE_TXID_OCTETS);
	if (t->next - t->first == t->cap)
		grow(t);
	e = &t->ring[t->next & (t->cap - 1)];
	memcpy(e->txid, txid.p, QUEUE_TXID_OCTETS);
	e->message = message;
	link_in(t, t->next++);
}

void queue_txids_undo(struct queue_txids *t, uint64_t count)
{
	for (; count > 0 && t->next > t->first; count--)
		unlink_from(t, --t->next);
}

void queue_txids_trim(struct queue_txids *t, uint64_t count)
{
	for (; count > 0 && t->first < t->next; count--)
		unlink_from(t, t->first++);
}

uint64_t queue_txids_count(const struct queue_txids *t)
{
	return t->next - t->first;
}
