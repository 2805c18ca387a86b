/* directory/directory_signin.h - what every way to sign in has in common. Private to this folder.
 *
 *   dir_signin_begin, then dir_signin_user (or _account), then: must it wait? -> ST_LIMIT
 *                                                              else look at the proof, dir_signin_end
 *
 * So a password, a SCRAM proof, a token and a certificate count against one throttle, are told to one hook, and fail when
 * the account changes meanwhile.
 */
#ifndef DIRECTORY_DIRECTORY_SIGNIN_H
#define DIRECTORY_DIRECTORY_SIGNIN_H

#include "directory/directory_int.h"
#include "directory/source.h"

struct dir_signin {
	struct directory    *d;
	struct str           peer;
	struct session_side  side; /* the process that asks: the token is for it alone */
	struct source        source;
	bool                 limited; /* the throttle counts */
	struct address_canon user;    /* canonical, or what was given when it is no address */
	uint64_t             account, generation; /* 0: nobody who may sign in */
};

void dir_signin_begin(struct dir_signin *s, struct directory *d, const struct session_side *side, struct str peer);

/* Whom it is about. The account, also one that may not sign in, or NULL. Holds `lock`. */
struct dir_account *dir_signin_user(struct dir_signin *s, struct str user);
struct dir_account *dir_signin_account(struct dir_signin *s, uint64_t account);

/* Too many failures: the proof is not looked at, and the attempt has ended in ST_LIMIT. */
MUST_CHECK bool dir_signin_must_wait(struct dir_signin *s);
/* Has this peer signed in to the account before? */
bool dir_signin_known(const struct dir_signin *s);

/* The proof was right, or not. ST_OK, ST_DENIED, or ST_TEMP: the account has changed meanwhile. */
MUST_CHECK enum status dir_signin_end(struct dir_signin *s, bool right);
/* The reply of one that ended in ST_OK; its strings borrow from s and token. */
void dir_signin_reply(const struct dir_signin *s, uint8_t token[LIMIT_TOKEN], struct auth_login_reply *ret);

#endif
