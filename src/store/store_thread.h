/* store/store_thread.h - which emails are one conversation (RFC 8474 §5.2, RFC 8621 §3). How they are found: store_thread.c.
 *
 * Durability and statuses: store.h. Tests: tests/unit/test_store_notes.c.
 */
#ifndef STORE_STORE_THREAD_H
#define STORE_STORE_THREAD_H

#include "store/store_message.h"

/* The threads of emails, `count` places in the order asked; 0: the email is gone, or has no thread yet and nothing can be written. May
 * write, for emails that are older than threads are. */
MUST_CHECK enum status store_threads(struct store_account *a, const uint64_t *emails, size_t count, uint64_t *ret);

#endif
