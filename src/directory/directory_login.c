/* directory/directory_login.c - sign-in with a password: throttle, then remembered passwords, then the hash lane.
 *
 * The caller is never held up: whatever takes time happens in the lane. An unknown user, a disabled one and a wrong
 * password cost one hash each and get the same answer.
 *
 * A right password is also the chance to make the SCRAM verifiers of an account that was imported as a hash, or is older
 * than they are. It is answered first.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "directory/directory_signin.h"
#include "directory/lane.h"
#include "directory/verified.h"
#include "wire/sasl/sasl_prep.h"

struct attempt {
	struct lane_job                  job;
	struct dir_signin                s;
	const struct auth_login_request *request;
	directory_login_fn              *done;
	void                            *arg;
	struct password_hash             hash;
	bool                             has_scram;
};

/* Answer, and forget the attempt. */
static void finish(struct attempt *t, enum status st)
{
	uint8_t                 token[LIMIT_TOKEN];
	struct auth_login_reply reply;

	if (st == ST_OK)
		dir_signin_reply(&t->s, token, &reply);
	t->done(t->arg, st, st == ST_OK ? &reply : NULL);
	sodium_memzero(t, sizeof(*t));
	free(t);
}

/* As SASLprep has it, else as it was sent: a hash that was imported may have been made without. */
static bool verify(const struct attempt *t)
{
	struct arena *a = arena_new_secret(NULL);
	struct str    hash = str_n(t->hash.p, t->hash.n), sent = t->request->password, prepared = sasl_prep(sent, a);
	bool          right = password_verify(hash, prepared);

	if (!right && !str_eq(prepared, sent))
		right = password_verify(hash, sent);
	arena_free(&a);
	return right;
}

static void remember(const struct attempt *t)
{
	struct directory   *d = t->s.d;
	struct dir_account *acc;

	/* Inside the lock, so that a change that follows drops it. */
	pthread_rwlock_rdlock(&d->lock);
	acc = map_find_u64(&d->ids, t->s.account);
	if (acc != NULL && acc->generation == t->s.generation)
		verified_put(d->verified, t->s.account, t->s.generation, t->request->password, dir_mono_ms(d));
	pthread_rwlock_unlock(&d->lock);
}

static void succeed(struct attempt *t)
{
	struct directory *d = t->s.d;
	uint64_t          account = t->s.account, generation = t->s.generation;
	struct scram_keys keys = { 0 };

	remember(t);
	if (!t->has_scram)
		dir_scram_make(d, t->request->password, &keys);
	finish(t, ST_OK);
	if (keys.iterations > 0)
		dir_scram_adopt(d, account, generation, &keys);
	sodium_memzero(&keys, sizeof(keys));
}

static void attempt_run(struct lane_job *job)
{
	struct attempt *t = CONTAINER_OF(job, struct attempt, job);
	enum status     st;

	/* Others of the same kind may have failed while this one waited. */
	if (dir_signin_must_wait(&t->s)) {
		finish(t, ST_LIMIT);
		return;
	}
	st = dir_signin_end(&t->s, verify(t));
	if (st == ST_OK)
		succeed(t);
	else
		finish(t, st);
}

/* What is known of the user: an account's hash, or the one that stands for nobody. */
static void look_up(struct attempt *t)
{
	struct directory   *d = t->s.d;
	struct dir_account *acc;

	t->hash = d->nobody;
	pthread_rwlock_rdlock(&d->lock);
	acc = dir_signin_user(&t->s, t->request->user);
	if (acc != NULL) {
		t->hash.n = MIN(acc->hash.n, sizeof(t->hash.p));
		memcpy(t->hash.p, acc->hash.p, t->hash.n);
		t->has_scram = acc->scram.iterations > 0;
	}
	pthread_rwlock_unlock(&d->lock);
}

/* A stranger's network may have a share of the lane; a webmail here, or one that is trusted, brings everybody. */
static uint64_t lane_source(const struct attempt *t)
{
	const struct source *from = &t->s.source;

	return from->loopback || guard_trusts(t->s.d->options.guard, t->s.peer) ? LANE_NO_SOURCE : from->network;
}

void directory_login_start(struct directory *d, const struct auth_login_request *request, directory_login_fn *done,
			   void *arg)
{
	struct attempt *t = calloc(1, sizeof(*t));

	CHECK(t != NULL && request->protocol <= AUTH_PROTOCOL_LAST);
	*t = (struct attempt){ .request = request, .done = done, .arg = arg };
	dir_signin_begin(&t->s, d, &request->side, request->peer);
	look_up(t);
	t->job.run = attempt_run;
	t->job.source = lane_source(t);
	t->job.favoured = dir_signin_known(&t->s);
	if (dir_signin_must_wait(&t->s))
		finish(t, ST_LIMIT);
	else if (t->s.account != 0 &&
		 verified_find(d->verified, t->s.account, t->s.generation, request->password, dir_mono_ms(d)))
		finish(t, dir_signin_end(&t->s, true));
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
