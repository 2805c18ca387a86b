/* ipc/session_token.h - what proves a sign-in: made by auth, looked at by auth (for queue) and, without asking anybody, by keeper.
 *
 *   offset octets
 *        0      1  role of the process that asked for the sign-in, enum role_id
 *        1      1  its instance
 *        2      8  its life: the number that the master gave to this very process
 *       10      8  account
 *       18      8  end of validity: milliseconds of the machine's monotonic clock
 *       26      8  generation of the account: auth's alone, to keeper it means nothing
 *       34     32  HMAC-SHA-256 of the octets before it, by the session key
 *
 * Big-endian. The session key is made by the master at its start and handed to auth and keeper, to nobody else: so a restart of either
 * leaves running sessions as they are, and a restart of the whole server ends them anyway. A token is good for LIMIT_TOKEN_MS_SIGNIN, and only in
 * the mouth of the process it was made for: another one that has got hold of it, or that process's successor, can do nothing with it. A
 * session ends before its token does (LIMIT_SESSION_MS).
 *
 * Pure but for OpenSSL. Tests: tests/unit/test_keeper.c.
 */
#ifndef IPC_SESSION_TOKEN_H
#define IPC_SESSION_TOKEN_H

#include "base/limits.h"
#include "base/str.h"
#include "ipc/ipc_graph.h"

#define SESSION_KEY   32u
#define SESSION_PLAIN 34u
#define SESSION_MAC   32u
_Static_assert(LIMIT_TOKEN == SESSION_PLAIN + SESSION_MAC, "a token is as long as this");

/* A process as the others know it. */
struct session_side {
	enum role_id role;
	unsigned     instance;
	uint64_t     life;
};

struct session_token {
	struct session_side side;
	uint64_t            account;
	int64_t             end_ms; /* monotonic */
	uint64_t            generation;
};

void session_token_write(const uint8_t key[SESSION_KEY], const struct session_token *t, uint8_t ret[LIMIT_TOKEN]);
/* The token if it is one of ours and not over at now_ms. False: *ret is left alone. Whom it was made for is for the caller to compare. */
MUST_CHECK bool session_token_read(const uint8_t key[SESSION_KEY], struct str octets, int64_t now_ms, struct session_token *ret);
/* The account that is written in it, believed or not; 0: it is no token. For its owner, who must not take one for another. */
uint64_t session_token_account(struct str octets);
bool session_side_same(const struct session_side *a, const struct session_side *b);

#endif
