/* directory/directory_signin.c - see directory_signin.h; and the tokens that name a sign-in.
 *
 * A failure is logged by the session that asked (net/net_signin.h), not here.
 */
#include "directory/directory_signin.h"
#include "directory/directory_walk.h"

#include <sodium.h>
#include <string.h>

#include "directory/throttle.h"

#define TOKEN_MS    ((int64_t)24 * 3600 * 1000)
#define TOKEN_PLAIN ((size_t)16) /* account, end of validity */
#define TOKEN_MAC   ((size_t)16)
_Static_assert(DIR_TOKEN_TEXT == 2 * (TOKEN_PLAIN + TOKEN_MAC), "in hexadecimal");

/* The account if it may sign in. Holds `lock`. */
static struct dir_account *usable(struct dir_account *acc)
{
	return dir_account_in_use(acc) && !acc->disabled ? acc : NULL;
}

void dir_signin_begin(struct dir_signin *s, struct directory *d, struct str peer)
{
	*s = (struct dir_signin){ .d = d, .peer = peer, .source = source_of(peer) };
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

static void token_mac(const struct directory *d, const uint8_t plain[TOKEN_PLAIN], uint64_t generation,
		      uint8_t ret[TOKEN_MAC])
{
	uint8_t in[TOKEN_PLAIN + sizeof(generation)];

	memcpy(in, plain, TOKEN_PLAIN);
	memcpy(in + TOKEN_PLAIN, &generation, sizeof(generation));
	crypto_generichash(ret, TOKEN_MAC, in, sizeof(in), d->token_key, sizeof(d->token_key));
}

void dir_signin_reply(const struct dir_signin *s, char token[DIR_TOKEN_TEXT + 1], struct auth_login_reply *ret)
{
	uint8_t  bin[TOKEN_PLAIN + TOKEN_MAC];
	uint64_t end = (uint64_t)(dir_mono_ms(s->d) + TOKEN_MS);

	memcpy(bin, &s->account, 8);
	memcpy(bin + 8, &end, 8);
	token_mac(s->d, bin, s->generation, bin + TOKEN_PLAIN);
	sodium_bin2hex(token, DIR_TOKEN_TEXT + 1, bin, sizeof(bin));
	*ret = (struct auth_login_reply){ s->account, address_text(&s->user), str_n(token, DIR_TOKEN_TEXT) };
}

enum status directory_token(struct directory *d, struct str token, uint64_t *ret_account)
{
	uint8_t             bin[TOKEN_PLAIN + TOKEN_MAC], mac[TOKEN_MAC];
	uint64_t            account, end, generation = 0;
	size_t              n;
	struct dir_account *acc;

	if (sodium_hex2bin(bin, sizeof(bin), token.p, token.n, NULL, &n, NULL) != 0 || n != sizeof(bin) ||
	    token.n != 2 * n)
		return ST_DENIED;
	memcpy(&account, bin, 8);
	memcpy(&end, bin + 8, 8);
	pthread_rwlock_rdlock(&d->lock);
	acc = usable(map_find_u64(&d->ids, account));
	if (acc != NULL)
		generation = acc->generation;
	pthread_rwlock_unlock(&d->lock);
	token_mac(d, bin, generation, mac);
	if (acc == NULL || sodium_memcmp(mac, bin + TOKEN_PLAIN, TOKEN_MAC) != 0 || end <= (uint64_t)dir_mono_ms(d))
		return ST_DENIED;
	*ret_account = account;
	return ST_OK;
}
