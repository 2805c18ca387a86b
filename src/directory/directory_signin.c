/* directory/directory_signin.c - see directory_signin.h; and the tokens that name a sign-in.
 *
 * A failure is logged by the session that asked (net/net_signin.h), not here.
 */
#include "directory/directory_signin.h"
#include "directory/directory_walk.h"

#include <sodium.h>
#include <string.h>

#include "directory/throttle.h"

/* The account if it may sign in. Holds `lock`. */
static struct dir_account *usable(struct dir_account *acc)
{
	return dir_account_in_use(acc) && !acc->disabled ? acc : NULL;
}

void dir_signin_begin(struct dir_signin *s, struct directory *d, const struct session_side *side, struct str peer)
{
	*s = (struct dir_signin){ .d = d, .peer = peer, .side = *side, .source = source_of(peer) };
	s->limited = !(d->options.lab && s->source.loopback);
}

static struct dir_account *choose(struct dir_signin *s, struct dir_account *acc)
{
	if (usable(acc) != NULL) {
		s->account = acc->id;
		s->generation = acc->generation;
	}
	return acc;
}

struct dir_account *dir_signin_user(struct dir_signin *s, struct str user)
{
	struct dir_domain *dom;

	if (dir_canon(s->d, user, &s->user, &dom) == ADDRESS_OK)
		return choose(s, map_find(&s->d->accounts, address_text(&s->user)));
	s->user.n = MIN(user.n, sizeof(s->user.text));
	if (s->user.n > 0)
		memcpy(s->user.text, user.p, s->user.n);
	return NULL;
}

struct dir_account *dir_signin_account(struct dir_signin *s, uint64_t account)
{
	struct dir_account *acc = map_find_u64(&s->d->ids, account);

	return acc != NULL ? dir_signin_user(s, acc->address) : NULL;
}

static void tell(const struct dir_signin *s, bool ok)
{
	struct directory *d = s->d;

	if (d->options.signin_event != NULL)
		d->options.signin_event(d->options.signin_ctx, s->peer, address_text(&s->user), ok);
}

bool dir_signin_must_wait(struct dir_signin *s)
{
	if (!s->limited ||
	    throttle_wait_ms(s->d->throttle, s->source.network, address_text(&s->user), dir_mono_ms(s->d)) == 0)
		return false;
	tell(s, false);
	return true;
}

bool dir_signin_known(const struct dir_signin *s)
{
	return throttle_known(s->d->throttle, s->source.network, address_text(&s->user), dir_mono_ms(s->d));
}

/* Is the account still what it was when the proof's other half was read? */
static bool unchanged(const struct dir_signin *s)
{
	struct dir_account *acc;
	bool                same;

	pthread_rwlock_rdlock(&s->d->lock);
	acc = usable(map_find_u64(&s->d->ids, s->account));
	same = acc != NULL && acc->generation == s->generation;
	pthread_rwlock_unlock(&s->d->lock);
	return same;
}

enum status dir_signin_end(struct dir_signin *s, bool right)
{
	if (!right || s->account == 0) {
		if (s->limited)
			throttle_failed(s->d->throttle, s->source.network, address_text(&s->user), dir_mono_ms(s->d));
		tell(s, false);
		return ST_DENIED;
	}
	if (!unchanged(s))
		return ST_TEMP;
	throttle_succeeded(s->d->throttle, s->source.network, address_text(&s->user), dir_mono_ms(s->d));
	tell(s, true);
	return ST_OK;
}

/* ---- tokens ---- */

void dir_signin_reply(const struct dir_signin *s, uint8_t token[LIMIT_TOKEN], struct auth_login_reply *ret)
{
	const struct session_token t = { s->side, s->account, dir_mono_ms(s->d) + LIMIT_TOKEN_MS_SIGNIN, s->generation };

	session_token_write(s->d->session_key, &t, token);
	*ret = (struct auth_login_reply){ s->account, address_text(&s->user), str_n(token, LIMIT_TOKEN) };
}

enum status directory_token(struct directory *d, struct str token, uint64_t *ret_account)
{
	struct session_token t;
	struct dir_account  *acc;
	bool                 same;

	if (!session_token_read(d->session_key, token, dir_mono_ms(d), &t))
		return ST_DENIED;
	pthread_rwlock_rdlock(&d->lock);
	acc = usable(map_find_u64(&d->ids, t.account));
	same = acc != NULL && acc->generation == t.generation;
	pthread_rwlock_unlock(&d->lock);
	if (!same)
		return ST_DENIED;
	*ret_account = t.account;
	return ST_OK;
}

/* ---- of processes that ask for a session ---- */

#define GUEST UINT64_MAX /* as a generation, which no account has: random_u64() >> 1 and a little */

static enum status read_for(struct directory *d, struct str token, const struct session_side *side, struct session_token *ret)
{
	struct session_token t;
	bool                 there;

	if (!session_token_read(d->session_key, token, dir_mono_ms(d), &t) || !session_side_same(&t.side, side))
		return ST_DENIED;
	pthread_rwlock_rdlock(&d->lock);
	there = usable(map_find_u64(&d->ids, t.account)) != NULL;
	pthread_rwlock_unlock(&d->lock);
	if (there)
		*ret = t;
	return there ? ST_OK : ST_DENIED;
}

enum status directory_session(struct directory *d, struct str token, const struct session_side *side, struct session_token *ret)
{
	struct session_token t;
	enum status          st = read_for(d, token, side, &t);

	/* Else a guest's token would open what is shared with his host. */
	if (st == ST_OK && t.generation == GUEST)
		st = ST_DENIED;
	if (st == ST_OK)
		*ret = t;
	return st;
}

enum status directory_speaks(struct directory *d, struct str token, const struct session_side *side, uint64_t account)
{
	struct session_token t;
	enum status          st = read_for(d, token, side, &t);

	return st == ST_OK && t.account != account ? ST_DENIED : st;
}

void directory_guest_token(struct directory *d, const struct session_token *session, uint64_t account, uint8_t ret[LIMIT_TOKEN])
{
	const struct session_token t = { session->side, account, session->end_ms, GUEST };

	session_token_write(d->session_key, &t, ret);
}
