/* deliver/remote_hosts.h - what is remembered of addresses: for all deliveries of a process, for minutes, in memory.
 *
 * A suspect did not take a connection, or greeted with 421 or with silence. It is tried behind all others of its domain until it takes one,
 * or until its time is over; then the next delivery that comes is the one that tries it, and it stays suspect for the others meanwhile.
 * One that is tried just now, and nothing was heard of yet, comes behind those that are equal to it.
 * Bounded: LIMIT_REMOTE_KNOWN; what ends first makes room. Thread-safe. NULL remembers nothing.
 */
#ifndef DELIVER_REMOTE_HOSTS_H
#define DELIVER_REMOTE_HOSTS_H

#include "deliver/remote_route.h"

struct remote_hosts;

struct remote_hosts *remote_hosts_new(void);
void                 remote_hosts_free(struct remote_hosts **h);

enum remote_host_mark {
	REMOTE_HOST_SUSPECT,
	REMOTE_HOST_NO_BDAT,  /* announced CHUNKING and did not know BDAT */
	REMOTE_HOST_NO_EARLY, /* dropped a session without a word: content is not sent before MAIL is answered */
	REMOTE_HOST_TRIED,    /* somebody is connecting to it */
	REMOTE_HOST_MARKS,
};

void remote_hosts_mark(struct remote_hosts *h, const struct remote_target *t, enum remote_host_mark mark);
void remote_hosts_clear(struct remote_hosts *h, const struct remote_target *t, enum remote_host_mark mark);
bool remote_hosts_marked(struct remote_hosts *h, const struct remote_target *t, enum remote_host_mark mark);
/* Is it to be tried behind others? If not although it was suspect, the caller is the one who tries. */
bool remote_hosts_avoid(struct remote_hosts *h, const struct remote_target *t);

#endif
