/* deliver/local_admin.h - what administrators ask of accounts: undelete, fsck. Rows for local, and for commands while no server runs.
 *
 * A handler works on one account and may take long (every content is hashed): a pool of its own. Checking reads one snapshot and holds
 * no lock; repairing and undelete are one transaction of the account.
 */
#ifndef DELIVER_LOCAL_ADMIN_H
#define DELIVER_LOCAL_ADMIN_H

#include "ipc/ipc.h"
#include "store/store.h"

#define LOCAL_ADMIN_POOL    1u /* ipc_pool() before ipc_serve() */
#define LOCAL_ADMIN_THREADS 2u
#define LOCAL_ADMIN_BACKLOG 16u

struct local_admin {
	struct store *store;
	struct ipc   *ipc; /* for the bus; NULL: there are no sessions */
};

/* ctx is a struct local_admin. */
extern const struct ipc_row local_admin_rows[];
extern const size_t         local_admin_row_count;

#endif
