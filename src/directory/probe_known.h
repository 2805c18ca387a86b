/* directory/probe_known.h - what the hosts of relay domains said of their recipients.
 *
 *   somebody   good for 31 days; from 7 days on the host is asked again, and if it cannot be, the old answer stands
 *   nobody     good for 3 days; from 3 hours on likewise
 *   not now    kept for a minute: of one recipient, or, if no host could be reached, of the whole domain
 *
 * As Postfix keeps them. In memory only: after a restart hosts are asked again. Bounded: the entry that was not used for
 * the longest time goes. Thread-safe.
 */
#ifndef DIRECTORY_PROBE_KNOWN_H
#define DIRECTORY_PROBE_KNOWN_H

#include "ipc/msg_auth.h"

struct probe_known;

enum probe_answer { PROBE_ASK, PROBE_EXISTS, PROBE_UNKNOWN, PROBE_LATER };

struct probe_known *probe_known_new(size_t entries_max);
void                probe_known_free(struct probe_known **p);
/* Addresses are canonical; now_ms is monotonic. */
enum probe_answer probe_known_find(struct probe_known *p, struct str address, int64_t now_ms);
/* Remember a result; what is to be answered now, never PROBE_ASK. */
enum probe_answer probe_known_put(struct probe_known *p, struct str address, enum auth_probe result, int64_t now_ms);
/* Nothing is known of the domain any more. */
void   probe_known_forget(struct probe_known *p, struct str domain);
size_t probe_known_count(struct probe_known *p);

#endif
