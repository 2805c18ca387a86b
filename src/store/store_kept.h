/* store/store_kept.h - a store without files of its own: keeper opens them (docs/concepts/keeper.md), for accounts that a session has entered.
 *
 * For session roles. All else is as in store.h; store_purge, store_repair and what goes over all accounts is not for them. Besides the statuses
 * there: ST_TEMP while keeper cannot be asked; ST_DENIED for an account that nobody has entered, or whose token keeper does not believe.
 */
#ifndef STORE_STORE_KEPT_H
#define STORE_STORE_KEPT_H

#include "ipc/ipc.h"
#include "store/store.h"

/* One store per process, as ever. `ipc` outlives it. */
MUST_CHECK enum status store_new_kept(struct ipc *ipc, const struct store_options *options, struct store **ret);

#endif
