/* deliver/remote_login.c - see remote_login.h.
 *
 * One lock for all: it is held while something is looked up, never while auth or a host is asked. An entry that is being asked for is `busy`;
 * others wait for it.
 */
#include "deliver/remote_login.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"
#include "sys/clock.h"

#define TOKEN_EARLY_S 60u   /* a token is given up so long before its end */
#define TOKEN_S       300u  /* when its end is not told */
#define TOKEN_MAX_S   86400u

struct entry {
	struct arena     *arena; /* wiping; of what follows */
	struct auth_login login;
	struct str        token; /* of REFRESH; "": none */
	int64_t           until_ms, token_until_ms, paused_until_ms;
	enum status       paused; /* what is answered meanwhile: ST_DENIED, ST_TEMP */
	struct str        why;    /* and why; in why_arena */
	struct arena     *why_arena;
	unsigned          waiting; /* threads that hold it */
	bool              busy;
};

struct remote_logins {
	struct remote_login_source source;
	pthread_mutex_t            lock;
	pthread_cond_t             done; /* some entry is no longer busy */
	struct map                 entries;
};

struct remote_logins *remote_logins_new(const struct remote_login_source *source)
{
	struct remote_logins *l = calloc(1, sizeof(*l));

	CHECK(l != NULL && pthread_mutex_init(&l->lock, NULL) == 0 && pthread_cond_init(&l->done, NULL) == 0);
	l->source = *source;
	map_init(&l->entries);
	return l;
}

static void entry_free(struct entry *e)
{
	arena_free(&e->arena);
	arena_free(&e->why_arena);
	free(e);
}

void remote_logins_free(struct remote_logins **lp)
{
	struct remote_logins *l = *lp;
	struct str            key;
	void                 *value;

	if (l == NULL)
		return;
	for (size_t at = 0; map_next(&l->entries, &at, &key, &value);)
		entry_free(value);
	map_done(&l->entries);
	pthread_cond_destroy(&l->done);
	pthread_mutex_destroy(&l->lock);
	free(l);
	*lp = NULL;
}

/* Those that nobody holds and that say nothing any more. */
static void tidy(struct remote_logins *l, int64_t now)
{
	struct str key;
	void      *value;

	for (size_t at = 0; map_next(&l->entries, &at, &key, &value);) {
		struct entry *e = value;

		if (e->waiting > 0 || e->until_ms > now || e->token_until_ms > now || e->paused_until_ms > now)
			continue;
		map_remove(&l->entries, key);
		entry_free(e);
	}
}

/* The entry, held; NULL: too many are in use. */
static struct entry *hold(struct remote_logins *l, uint64_t login, int64_t now)
{
	struct entry *e = map_find_u64(&l->entries, login);

	if (e == NULL) {
		tidy(l, now);
		if (l->entries.count >= LIMIT_LOGINS_KEPT)
			return NULL;
		e = calloc(1, sizeof(*e));
		CHECK(e != NULL);
		e->arena = arena_new_secret(NULL);
		e->why_arena = arena_new(NULL);
		map_put_u64(&l->entries, login, e);
	}
	e->waiting++;
	while (e->busy)
		pthread_cond_wait(&l->done, &l->lock);
	return e;
}

static void pause_login(struct entry *e, enum status st, struct str why, int64_t ms)
{
	arena_reset(e->why_arena);
	e->why = arena_dup(e->why_arena, str_first(why, LIMIT_REMOTE_ANSWER));
	e->paused = st;
	e->paused_until_ms = clock_mono_ms() + ms;
	e->until_ms = e->token_until_ms = 0;
}

static struct auth_login login_dup(struct arena *a, const struct auth_login *l)
{
	return (struct auth_login){
		.kind = l->kind,
		.user = arena_dup(a, l->user),
		.secret = arena_dup(a, l->secret),
		.endpoint = arena_dup(a, l->endpoint),
		.client = arena_dup(a, l->client),
		.client_secret = arena_dup(a, l->client_secret),
		.scope = arena_dup(a, l->scope),
	};
}

/* ---- asking: without the lock, the entry is busy ---- */

static enum status credentials_ask(struct remote_logins *l, uint64_t login, struct entry *e, struct str *ret_why)
{
	struct arena     *a = arena_new_secret(NULL);
	struct auth_login found;
	enum status       st = l->source.credentials(l->source.ctx, login, a, &found);

	*ret_why = st == ST_NOT_FOUND ? STR("The credentials of the route were removed or changed meanwhile") : STR("The directory does not answer");
	if (st == ST_OK) {
		arena_reset(e->arena);
		e->login = login_dup(e->arena, &found);
		e->token = STR("");
		e->token_until_ms = 0;
		e->until_ms = clock_mono_ms() + LIMIT_LOGIN_KEPT_MS;
	}
	arena_free(&a);
	return st == ST_OK ? ST_OK : st == ST_NOT_FOUND ? ST_DENIED : ST_TEMP;
}

/* Fit to be sent: what comes from a host may be anything (RFC 6750 §2.1). */
static bool token_valid(struct str token)
{
	for (size_t i = 0; i < token.n; i++)
		if (token.p[i] <= ' ' || token.p[i] > '~')
			return false;
	return token.n > 0 && token.n <= LIMIT_BEARER;
}

/* Pauses after a failure, whatever it is. */
static enum status token_ask(struct remote_logins *l, struct entry *e, struct str *ret_why, struct arena *a)
{
	struct str  token = STR("");
	uint32_t    seconds = 0;
	enum status st = ST_DENIED;

	*ret_why = STR("Access tokens cannot be fetched here");
	if (l->source.token != NULL)
		st = l->source.token(l->source.ctx, &e->login, a, &token, &seconds, ret_why);
	if (st == ST_OK && !token_valid(token)) {
		*ret_why = STR("What was fetched is no access token");
		st = ST_TEMP;
	}
	if (st != ST_OK)
		return st;
	seconds = seconds == 0 ? TOKEN_S : MIN(seconds, TOKEN_MAX_S);
	e->token = arena_dup(e->arena, token);
	e->token_until_ms = clock_mono_ms() + (int64_t)1000 * (seconds > 2 * TOKEN_EARLY_S ? seconds - TOKEN_EARLY_S : seconds / 2);
	return ST_OK;
}

static enum status refresh(struct remote_logins *l, uint64_t login, struct entry *e, struct arena *a, struct str *ret_why)
{
	int64_t     now = clock_mono_ms();
	bool        token_good = e->token.n > 0 && e->token_until_ms > now;
	enum status st = ST_OK;

	/* A good token needs nothing else: as long as it is kept, so are the credentials that it came from. */
	if (e->until_ms <= now && !token_good)
		st = credentials_ask(l, login, e, ret_why);
	if (st == ST_TEMP) /* those who wait for this answer would all ask again, one after another */
		pause_login(e, ST_TEMP, *ret_why, LIMIT_LOGIN_AGAIN_MS);
	if (st == ST_OK && e->login.kind == AUTH_LOGIN_REFRESH && !(e->token.n > 0 && e->token_until_ms > clock_mono_ms())) {
		st = token_ask(l, e, ret_why, a);
		if (st != ST_OK)
			pause_login(e, ST_DENIED, *ret_why, LIMIT_LOGIN_PAUSE_MS);
	}
	return st;
}

enum status remote_login_get(struct remote_logins *l, uint64_t login, struct arena *a, struct auth_login *ret, struct str *ret_why)
{
	int64_t       now = clock_mono_ms();
	struct entry *e;
	enum status   st;

	pthread_mutex_lock(&l->lock);
	e = hold(l, login, now);
	if (e == NULL) {
		pthread_mutex_unlock(&l->lock);
		*ret_why = STR("Too many credentials are in use");
		return ST_TEMP;
	}
	if (e->paused_until_ms > clock_mono_ms()) {
		*ret_why = arena_printf(a, "Not tried again yet, after: %.*s", STR_FMT(e->why));
		e->waiting--;
		st = e->paused;
		pthread_mutex_unlock(&l->lock);
		return st;
	}
	e->busy = true;
	pthread_mutex_unlock(&l->lock);
	st = refresh(l, login, e, a, ret_why);
	if (st == ST_OK) {
		*ret = login_dup(a, &e->login);
		if (ret->kind == AUTH_LOGIN_REFRESH) {
			ret->kind = AUTH_LOGIN_TOKEN;
			ret->secret = arena_dup(a, e->token);
		}
	}
	pthread_mutex_lock(&l->lock);
	e->busy = false;
	e->waiting--;
	pthread_cond_broadcast(&l->done);
	pthread_mutex_unlock(&l->lock);
	return st;
}

void remote_login_refused(struct remote_logins *l, uint64_t login, struct str answer)
{
	struct entry *e;

	pthread_mutex_lock(&l->lock);
	e = hold(l, login, clock_mono_ms());
	if (e != NULL) {
		pause_login(e, ST_DENIED, answer, LIMIT_LOGIN_PAUSE_MS);
		e->waiting--;
	}
	pthread_mutex_unlock(&l->lock);
}
