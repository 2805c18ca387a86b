/* deliver/remote_login.h - credentials for next hops, as remote keeps them for a short time.
 *
 * auth is asked for them by the number in the hop, and they are kept for LIMIT_LOGIN_KEPT_MS. Other credentials have another number
 * (directory/directory_rules.c), so a changed password is used at once.
 *
 * Credentials that a host refused are not tried again for LIMIT_LOGIN_PAUSE_MS: a queue of a thousand messages would get the account locked.
 * Then auth is asked anew. If auth itself does not answer, it is asked again after LIMIT_LOGIN_AGAIN_MS, once for all.
 *
 * Access tokens (OAuth 2.0) are fetched by whoever needs one first, kept until they are about to end, and used by all; who comes meanwhile
 * waits. What cannot be fetched is tried again after LIMIT_LOGIN_PAUSE_MS.
 *
 * Secrets live in wiping arenas. Thread-safe.
 */
#ifndef DELIVER_REMOTE_LOGIN_H
#define DELIVER_REMOTE_LOGIN_H

#include "base/arena.h"
#include "base/status.h"
#include "ipc/msg_auth.h"

/* Where credentials and tokens come from; each may block. */
struct remote_login_source {
	enum status (*credentials)(void *ctx, uint64_t login, struct arena *a, struct auth_login *ret);
	/* An access token for credentials of the kind REFRESH, and for how many seconds it is good (0: not told). ST_DENIED, ST_TEMP: why, in `a`. NULL: tokens
	 * cannot be fetched. */
	enum status (*token)(void *ctx, const struct auth_login *login, struct arena *a, struct str *ret_token, uint32_t *ret_s, struct str *ret_why);
	void *ctx;
};

struct remote_logins;

struct remote_logins *remote_logins_new(const struct remote_login_source *source);
void                  remote_logins_free(struct remote_logins **l);

/* User and what proves him (password or access token), in `a`, a wiping arena; ret->kind is PASSWORD or TOKEN. Else why not, in `a`: ST_DENIED
 * (refused before, or there are none any more), ST_TEMP. */
MUST_CHECK enum status remote_login_get(struct remote_logins *l, uint64_t login, struct arena *a, struct auth_login *ret, struct str *ret_why);
/* The host refused them, in these words. */
void remote_login_refused(struct remote_logins *l, uint64_t login, struct str answer);

#endif
