/* deliver/remote_token.h - an access token by a refresh token: OAuth 2.0, RFC 6749 §6, over HTTPS.
 *
 * The endpoint is the administrator's choice, but its addresses pass the same filter as those of mail hosts, and its certificate must be of the
 * authorities for its name. What it says is a stranger's: bounded, and told without control characters.
 *
 * Tests: tests/unit/test_remote_token.c, tests/fuzz/fuzz_token.c.
 */
#ifndef DELIVER_REMOTE_TOKEN_H
#define DELIVER_REMOTE_TOKEN_H

#include "deliver/remote.h"
#include "ipc/msg_auth.h"

/* As struct remote_login_source wants it: ST_OK; ST_DENIED (the endpoint refuses: "invalid_grant"); ST_TEMP. `a` is a wiping arena. */
MUST_CHECK enum status remote_token_fetch(const struct remote *remote, const struct auth_login *login, struct arena *a, struct str *ret_token,
					  uint32_t *ret_s, struct str *ret_why);

/* ---- its parts ---- */

/* "https://host[:port]/path[?query]"; slices borrow. False: it is none. */
MUST_CHECK bool remote_token_url(struct str url, struct str *ret_host, unsigned *ret_port, struct str *ret_path);
/* application/x-www-form-urlencoded, RFC 6749 §6. */
struct str remote_token_form(const struct auth_login *login, struct arena *a);
/* The body of an answer with this HTTP status. */
MUST_CHECK enum status remote_token_answer(unsigned status, struct str body, struct arena *a, struct str *ret_token, uint32_t *ret_s,
					   struct str *ret_why);

#endif
