/* milter/policy_client.h - one policy server, for one SMTP session: a question, an answer, each time on the same connection.
 *
 * Blocking, with conf->timeout_ms for an answer and total_ms for all of one session's questions within a message. A server that hangs,
 * says too much, sends a NUL or closes in the middle has failed. Used by one thread at a time.
 */
#ifndef MILTER_POLICY_CLIENT_H
#define MILTER_POLICY_CLIENT_H

#include "milter/filter_conf.h"
#include "base/status.h"
#include "wire/policy/policy.h"

struct policy_client {
	const struct filter_conf *conf;
	int                       fd; /* -1: not connected */
	int64_t                   left_ms;
	struct buf                in, scratch;
};

void policy_client_init(struct policy_client *p, const struct filter_conf *conf);
void policy_client_done(struct policy_client *p);
/* Is it connected, and quiet? If not it is closed. */
bool policy_client_is_alive(struct policy_client *p);
/* Take over a connected descriptor. */
void policy_client_open(struct policy_client *p, int fd);
/* A new message: total_ms from here on. */
void policy_client_begin(struct policy_client *p);

/* Ask; *ret borrows from the client until the next call. ST_OK; ST_CLOSED: it went before it said anything (on a connection that was used
 * before, ask again on a new one); ST_TEMP (time), ST_CORRUPT, ST_LIMIT. After a failure the connection is closed. */
MUST_CHECK enum status policy_client_ask(struct policy_client *p, struct str question, struct policy_answer *ret);

#endif
