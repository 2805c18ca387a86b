/* imap/imap_notify.h - which connections want to know of changes of an account.
 *
 * A session that idles puts a watch on its account; the bus wakes it (net_wake), and it looks by itself what changed.
 * So a wake-up carries nothing and may come too often, never too seldom.
 *
 * Thread-safe. imap_notify_wake does not wait for anything but the registry's own lock.
 */
#ifndef IMAP_IMAP_NOTIFY_H
#define IMAP_IMAP_NOTIFY_H

#include "base/base.h"

struct imap_notify;
struct net_conn;

struct imap_watch { /* the session's memory; zeroed: not watching */
	struct imap_watch *next, **at;
	struct net_conn   *conn;
	uint64_t           account;
};

struct imap_notify *imap_notify_new(void);
void                imap_notify_free(struct imap_notify **n); /* nobody watches any more */

void imap_notify_add(struct imap_notify *n, struct imap_watch *w, uint64_t account, struct net_conn *conn);
void imap_notify_remove(struct imap_notify *n, struct imap_watch *w); /* fine if it is not there */

/* An account changed; IPC_BUS_ALL: any may have. */
void imap_notify_wake(struct imap_notify *n, uint64_t account);
/* The same as an ipc_bus_fn: ctx is the registry. */
void imap_notify_bus(void *ctx, uint64_t account, uint32_t kinds, uint64_t modseq);

#endif
