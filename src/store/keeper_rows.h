/* store/keeper_rows.h - what keeper answers: descriptors of account files, for who has the token of a sign-in to that account.
 *
 * keeper asks nobody. What it believes is checked in this order: the token (ours, not over, made for the very process that asks), then the
 * name (keeper_name.h), then what has that name (no link on the way, a plain file with one name). So a session process that was broken into
 * has the files of those accounts to which somebody has signed in through it, and no others; one that nobody has signed in through has none.
 *
 * The rows run in pools 1 and 2. docs/concepts/keeper.md. Tests: tests/unit/test_keeper.c.
 */
#ifndef STORE_KEEPER_ROWS_H
#define STORE_KEEPER_ROWS_H

#include <stdatomic.h>

#include "ipc/ipc.h"
#include "ipc/session_token.h"

#define KEEPER_POOL      1u /* opens and looks */
#define KEEPER_SYNC_POOL 2u /* what waits for a disk */

struct keeper {
	int             accounts; /* the directory */
	uint8_t         key[SESSION_KEY];
	_Atomic int64_t told_ms; /* when a refusal was logged last */
};

extern const struct ipc_row keeper_rows[];
extern const size_t         keeper_row_count;

#endif
