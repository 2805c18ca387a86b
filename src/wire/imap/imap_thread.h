/* wire/imap/imap_thread.h - messages into threads (RFC 5256 §3).
 *
 *   ORDEREDSUBJECT  one thread per base subject, in the order of the sent date
 *   REFERENCES      by Message-ID, References and In-Reply-To, then threads of one base subject together (steps 1 to 6)
 *   REFS            the same without the base subject; threads in the order of their newest message
 *
 * Without recursion, and in bounded time: whatever the headers say (loops, a chain of a hundred thousand replies, ids that are there
 * twice), time grows as n log n; a link whose test for a loop would take too long (IMAP_THREAD_STEPS) is not made.
 *
 * Pure: no I/O, clock or globals; memory comes from the arena. Tests: tests/unit/test_imap_thread.c, tests/fuzz/fuzz_imap_thread.c.
 */
#ifndef WIRE_IMAP_IMAP_THREAD_H
#define WIRE_IMAP_IMAP_THREAD_H

#include "base/arena.h"
#include "base/buf.h"
#include "wire/imap/imap_sort.h"

#define IMAP_THREAD_REFERENCES_MAX 100u /* ids of one message that count: the first ones and the last */
#define IMAP_THREAD_NODE           64u  /* octets that a message, or an id that no message has, takes beside its strings */
#define IMAP_THREAD_STEPS          (UINT64_C(20) << 20) /* steps upwards, of all messages, beside 64 for each */

struct imap_thread_message {
	uint32_t   number;     /* as it is printed, not 0 */
	int64_t    date_ms;    /* sent, or INTERNALDATE where that is unknown */
	struct str subject;    /* base subject, as it is compared; empty: none */
	bool       reply;      /* it was a reply or forward */
	struct str message_id; /* raw field values */
	struct str references, in_reply_to;
};

struct imap_threads; /* in the arena */

/* `messages` in mailbox order: that decides where dates are equal. They, and their strings, must live as long as the result.
 * At most `nodes` messages and ids that no message has: of those that are more nothing is known. At least 2 * count + 64 is sensible.
 * `key` is random: ids are hashed with it, so that nobody can make them collide. */
struct imap_threads *imap_thread_make(enum imap_thread_kind kind, const struct imap_thread_message *messages, size_t count,
				      size_t nodes, uint64_t key, struct arena *a);

/* Print the next threads, "(2)(3 6 (4 23)(44 7 96))", until about `octets` are added; false: that was the last. Called until then. */
bool imap_thread_print(struct imap_threads *t, size_t octets, struct buf *out);

/* The next message id of a field value: "<left@right>", with quotes of the left side taken out (RFC 5256 §3 "normalised"); borrows or
 * lives in the arena. False: there is none left. */
bool imap_thread_id_next(struct str *value, struct arena *a, struct str *ret);

#endif
