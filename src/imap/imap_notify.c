/* imap/imap_notify.c - contract is in imap_notify.h. */
#include "imap/imap_notify.h"

#include <pthread.h>
#include <stdlib.h>

#include "ipc/ipc.h"
#include "net/net.h"

#define BUCKETS 4096u /* a chain is the sessions that share a bucket: tens at 100,000 sessions */

struct imap_notify {
	pthread_mutex_t    lock;
	struct imap_watch *buckets[BUCKETS];
};

static struct imap_watch **bucket(struct imap_notify *n, uint64_t account)
{
	return &n->buckets[(account * UINT64_C(0x9e3779b97f4a7c15)) >> 52];
}

struct imap_notify *imap_notify_new(void)
{
	struct imap_notify *n = calloc(1, sizeof(*n));

	CHECK(n != NULL);
	CHECK(pthread_mutex_init(&n->lock, NULL) == 0);
	return n;
}

void imap_notify_free(struct imap_notify **n)
{
	if (!*n)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		CHECK((*n)->buckets[i] == NULL);
	pthread_mutex_destroy(&(*n)->lock);
	free(*n);
	*n = NULL;
}

void imap_notify_add(struct imap_notify *n, struct imap_watch *w, uint64_t account, struct net_conn *conn)
{
	CHECK(w->at == NULL);
	pthread_mutex_lock(&n->lock);
	w->conn = conn;
	w->account = account;
	w->at = bucket(n, account);
	w->next = *w->at;
	if (w->next)
		w->next->at = &w->next;
	*w->at = w;
	pthread_mutex_unlock(&n->lock);
}

void imap_notify_remove(struct imap_notify *n, struct imap_watch *w)
{
	pthread_mutex_lock(&n->lock);
	if (w->at) {
		*w->at = w->next;
		if (w->next)
			w->next->at = w->at;
		*w = (struct imap_watch){ 0 };
	}
	pthread_mutex_unlock(&n->lock);
}

void imap_notify_wake(struct imap_notify *n, uint64_t account)
{
	bool   all = account == IPC_BUS_ALL;
	size_t first = all ? 0 : (size_t)(bucket(n, account) - n->buckets), last = all ? BUCKETS - 1 : first;

	pthread_mutex_lock(&n->lock);
	for (size_t i = first; i <= last; i++)
		for (struct imap_watch *w = n->buckets[i]; w; w = w->next)
			if (all || w->account == account)
				net_wake(w->conn);
	pthread_mutex_unlock(&n->lock);
}

void imap_notify_bus(void *ctx, uint64_t account, uint32_t kinds, uint64_t modseq)
{
	(void)kinds;
	(void)modseq;
	imap_notify_wake(ctx, account);
}
