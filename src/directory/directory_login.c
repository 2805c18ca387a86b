/* directory/directory_login.c - sign-in: throttle, then remembered passwords, then the hash lane.
 *
 * The caller is never held up: whatever takes time happens in the lane. An unknown user, a disabled one and a wrong
 * password cost one hash each and get the same answer. Between the look at the account and the end of the hash the
 * account may change; its generation tells. A failure is logged by the session that asked (net/net_signin.h), not here.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "directory/directory_int.h"
#include "directory/lane.h"
#include "directory/source.h"
#include "directory/throttle.h"
#include "directory/verified.h"

#define TOKEN_MS    ((int64_t)24 * 3600 * 1000)
#define TOKEN_PLAIN ((size_t)16) /* account, end of validity */
#define TOKEN_MAC   ((size_t)16)

struct attempt {
	struct lane_job                  job;
	struct directory                *d;
	const struct auth_login_request *request;
	directory_login_fn              *done;
	void                            *arg;
	struct source                    source;
	bool                             limited;
	struct address_canon             user;
	uint64_t                         account, generation; /* 0: nobody who may sign in */
	struct password_hash             hash;
};

static void token_mac(const struct directory *d, const uint8_t plain[TOKEN_PLAIN], uint64_t generation,
		      uint8_t ret[TOKEN_MAC])
{
	uint8_t in[TOKEN_PLAIN + sizeof(generation)];

	memcpy(in, plain, TOKEN_PLAIN);
	memcpy(in + TOKEN_PLAIN, &generation, sizeof(generation));
	crypto_generichash(ret, TOKEN_MAC, in, sizeof(in), d->token_key, sizeof(d->token_key));
}

static struct str token_make(const struct attempt *t, char ret[2 * (TOKEN_PLAIN + TOKEN_MAC) + 1])
{
	uint8_t  token[TOKEN_PLAIN + TOKEN_MAC];
	uint64_t end = (uint64_t)(dir_mono_ms(t->d) + TOKEN_MS);

	memcpy(token, &t->account, 8);
	memcpy(token + 8, &end, 8);
	token_mac(t->d, token, t->generation, token + TOKEN_PLAIN);
	sodium_bin2hex(ret, 2 * sizeof(token) + 1, token, sizeof(token));
	return str_n(ret, 2 * sizeof(token));
}

/* The account if it may sign in. Holds `lock`. */
static struct dir_account *usable(struct dir_account *acc)
{
	return dir_account_in_use(acc) && !acc->disabled ? acc : NULL;
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

/* Answer, and forget the attempt. */
static void finish(struct attempt *t, enum status st)
{
	char                    token[2 * (TOKEN_PLAIN + TOKEN_MAC) + 1];
	struct auth_login_reply reply = { .account = t->account, .address = address_text(&t->user) };

	if (st == ST_OK)
		reply.token = token_make(t, token);
	if (t->d->options.signin_event != NULL && (st == ST_OK || st == ST_DENIED || st == ST_LIMIT))
		t->d->options.signin_event(t->d->options.signin_ctx, t->request->peer, address_text(&t->user), st == ST_OK);
	t->done(t->arg, st, st == ST_OK ? &reply : NULL);
	sodium_memzero(t, sizeof(*t));
	free(t);
}

static bool must_wait(struct attempt *t)
{
	return t->limited &&
	       throttle_wait_ms(t->d->throttle, t->source.network, address_text(&t->user), dir_mono_ms(t->d)) > 0;
}

static void succeed(struct attempt *t)
{
	throttle_succeeded(t->d->throttle, t->source.network, address_text(&t->user));
	finish(t, ST_OK);
}

/* Is the account still what it was when its hash was read? */
static bool unchanged(struct attempt *t)
{
	struct dir_account *acc;
	bool                same;

	pthread_rwlock_rdlock(&t->d->lock);
	acc = usable(map_find_u64(&t->d->ids, t->account));
	same = acc != NULL && acc->generation == t->generation;
	/* Inside the lock, so that a change that follows drops it. */
	if (same)
		verified_put(t->d->verified, t->account, t->generation, t->request->password, dir_mono_ms(t->d));
	pthread_rwlock_unlock(&t->d->lock);
	return same;
}

static void attempt_run(struct lane_job *job)
{
	struct attempt *t = CONTAINER_OF(job, struct attempt, job);
	bool            right;

	/* Others of the same kind may have failed while this one waited. */
	if (must_wait(t)) {
		finish(t, ST_LIMIT);
		return;
	}
	right = password_verify(str_n(t->hash.p, t->hash.n), t->request->password);
	if (!right || t->account == 0) {
		if (t->limited)
			throttle_failed(t->d->throttle, t->source.network, address_text(&t->user), dir_mono_ms(t->d));
		finish(t, ST_DENIED);
	} else if (!unchanged(t)) {
		finish(t, ST_TEMP);
	} else {
		succeed(t);
	}
}

/* What is known of the user: an account's hash, or the one that stands for nobody. */
static void look_up(struct attempt *t)
{
	struct directory   *d = t->d;
	struct dir_domain  *dom;
	struct dir_account *acc = NULL;

	t->hash = d->nobody;
	pthread_rwlock_rdlock(&d->lock);
	if (dir_canon(d, t->request->user, &t->user, &dom) == ADDRESS_OK) {
		acc = map_find(&d->accounts, address_text(&t->user));
	} else {
		t->user.n = MIN(t->request->user.n, sizeof(t->user.text));
		if (t->user.n > 0)
			memcpy(t->user.text, t->request->user.p, t->user.n);
	}
	if (acc != NULL) {
		t->hash.n = MIN(acc->hash.n, sizeof(t->hash.p));
		memcpy(t->hash.p, acc->hash.p, t->hash.n);
	}
	if (usable(acc) != NULL) {
		t->account = acc->id;
		t->generation = acc->generation;
	}
	pthread_rwlock_unlock(&d->lock);
}

void directory_login_start(struct directory *d, const struct auth_login_request *request, directory_login_fn *done,
			   void *arg)
{
	struct attempt *t = calloc(1, sizeof(*t));

	CHECK(t != NULL && request->protocol <= AUTH_PROTOCOL_LAST);
	*t = (struct attempt){
		.d = d, .request = request, .done = done, .arg = arg, .source = source_of(request->peer)
	};
	t->limited = !(d->options.lab && t->source.loopback);
	t->job.run = attempt_run;
	t->job.source = t->limited ? t->source.network : LANE_NO_SOURCE;
	look_up(t);
	if (must_wait(t))
		finish(t, ST_LIMIT);
	else if (t->account != 0 &&
		 verified_find(d->verified, t->account, t->generation, request->password, dir_mono_ms(d)))
		succeed(t);
	else if (lane_submit(d->lane, &t->job) != ST_OK)
		finish(t, ST_BUSY);
}

struct waiter {
	pthread_mutex_t          lock;
	pthread_cond_t           wake;
	bool                     over;
	enum status              st;
	struct arena            *a;
	struct auth_login_reply *ret;
};

static void wake(void *arg, enum status st, const struct auth_login_reply *reply)
{
	struct waiter *w = arg;

	pthread_mutex_lock(&w->lock);
	if (st == ST_OK)
		*w->ret = (struct auth_login_reply){ reply->account, arena_dup(w->a, reply->address),
						     arena_dup(w->a, reply->token) };
	w->st = st;
	w->over = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

enum status directory_login(struct directory *d, const struct auth_login_request *request, struct arena *a,
			    struct auth_login_reply *ret)
{
	struct waiter w = { .a = a, .ret = ret };

	CHECK(pthread_mutex_init(&w.lock, NULL) == 0 && pthread_cond_init(&w.wake, NULL) == 0);
	directory_login_start(d, request, wake, &w);
	pthread_mutex_lock(&w.lock);
	while (!w.over)
		pthread_cond_wait(&w.wake, &w.lock);
	pthread_mutex_unlock(&w.lock);
	pthread_cond_destroy(&w.wake);
	pthread_mutex_destroy(&w.lock);
	return w.st;
}
