/* deliver/remote_answers.h - answers of DNS, kept for a while: what each delivery to a domain asks is not asked of another process each time.
 *
 * An answer is kept as long as its records live, LIMIT_REMOTE_DNS_KEEP_MS at most; that there was none (ST_TEMP, ST_CORRUPT) never is, but told
 * to all who asked meanwhile. What is told of an answer's life is what is left of it. Bounded by LIMIT_REMOTE_DNS, and larger ones than
 * LIMIT_REMOTE_DNS_SIZE are not kept; what ends first makes room. Thread-safe.
 *
 * Who waits for another's question has no deadline of its own: that one's bounds it. dns answers within DNS_DEADLINE_MS (20 s), that there is no
 * answer if need be, and ipc_call() gives up at the deadline of IPC_DNS_LOOKUP (60 s) should dns hang.
 *
 * Tests: tests/unit/test_remote_answers.c.
 */
#ifndef DELIVER_REMOTE_ANSWERS_H
#define DELIVER_REMOTE_ANSWERS_H

#include "deliver/remote.h"

struct remote_answers;

/* `behind` is asked for what is not known. */
struct remote_answers *remote_answers_new(struct remote_resolver behind);
void                   remote_answers_free(struct remote_answers **a);

/* All that is kept; what is being asked is answered as it is. */
void remote_answers_forget(struct remote_answers *a);

/* Valid as long as `a`. */
struct remote_resolver remote_answers_resolver(struct remote_answers *a);

/* How many wait just now for what another has asked; for tests. */
size_t remote_answers_waiting(struct remote_answers *a);

#endif
