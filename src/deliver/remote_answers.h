/* deliver/remote_answers.h - answers of DNS, kept for a while: what each delivery to a domain asks is not asked of another process each time.
 *
 * An answer is kept as long as its records live, a minute at most; that there was none (ST_TEMP, ST_CORRUPT) never is, but told to all who
 * asked meanwhile. What is told of an answer's life is what is left of it. Bounded by LIMIT_REMOTE_DNS, and larger ones than LIMIT_REMOTE_DNS_SIZE are not kept; what ends first makes
 * room. Thread-safe.
 */
#ifndef DELIVER_REMOTE_ANSWERS_H
#define DELIVER_REMOTE_ANSWERS_H

#include "deliver/remote.h"

struct remote_answers;

/* `behind` is asked for what is not known. */
struct remote_answers *remote_answers_new(struct remote_resolver behind);
void                   remote_answers_free(struct remote_answers **a);

/* Valid as long as `a`. */
struct remote_resolver remote_answers_resolver(struct remote_answers *a);

#endif
