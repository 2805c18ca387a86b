/* directory/directory_rows.h - the messages that the role auth answers.
 *
 * ctx of all rows is the struct directory. Questions and sign-in are answered or handed to the hash lane on the
 * channel's reader thread, which therefore never waits; what administrators ask waits for the disk in DIRECTORY_POOL,
 * for which one thread is enough, because changes wait for each other anyway. What makes keys takes seconds, and has a thread of its
 * own: remote waits for credentials in DIRECTORY_POOL.
 */
#ifndef DIRECTORY_DIRECTORY_ROWS_H
#define DIRECTORY_DIRECTORY_ROWS_H

#include "directory/directory.h"
#include "ipc/ipc.h"

#define DIRECTORY_POOL      2u /* ipc_pool(ipc, DIRECTORY_POOL, 1, backlog) */
#define DIRECTORY_KEYS_POOL 3u /* the same */

extern const struct ipc_row directory_rows[];
extern const size_t         directory_row_count;

#endif
