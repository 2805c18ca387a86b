/* directory/throttle.h as a table of what happens and how long one has to wait then; and the directory behind it. */
#include "unit.h"

#include <pthread.h>

#include "directory/lane.h"
#include "directory/throttle.h"
#include "unit_directory.h"

#define S   ((int64_t)1000)
#define MIN_ (60 * S)
#define DAY ((int64_t)24 * 3600 * S)

/* At `at_ms`, `failures` from a source at an account (or, with many, each at another one), or a success; then the wait of a pair. */
static const struct {
	const char *what;
	struct {
		int64_t     at_ms;
		uint64_t    network;
		const char *account;
		unsigned    failures;
		bool        many, success;
	} events[3];
	int64_t     now_ms;
	uint64_t    network;
	const char *account;
	int64_t     wait_ms;
} rows[] = {
	{ "nothing", { { 0 } }, 0, 1, "a", 0 },
	{ "a few", { { 0, 1, "a", LIMIT_SIGNIN_FREE } }, 0, 1, "a", 0 },
	{ "one more", { { 0, 1, "a", LIMIT_SIGNIN_FREE + 1 } }, 0, 1, "a", 1 * S },
	{ "it doubles", { { 0, 1, "a", LIMIT_SIGNIN_FREE + 4 } }, 0, 1, "a", 8 * S },
	{ "to an end", { { 0, 1, "a", 90 } }, 0, 1, "a", LIMIT_SIGNIN_WAIT },
	{ "and passes", { { 0, 1, "a", LIMIT_SIGNIN_FREE + 4 } }, 8 * S, 1, "a", 0 },
	{ "another account", { { 0, 1, "a", 90 } }, 0, 1, "b", 0 },
	{ "another source", { { 0, 1, "a", 90 } }, 0, 2, "a", 0 },
	{ "success forgets", { { 0, 1, "a", 90 }, { 0, 1, "a", .success = true }, { 0, 1, "a", 1 } }, 0, 1, "a", 0 },
	{ "an hour forgets", { { 0, 1, "a", 90 }, { 60 * MIN_, 1, "a", 1 } }, 60 * MIN_, 1, "a", 0 },

	{ "many accounts, still free", { { 0, 1, "a", LIMIT_SIGNIN_FREE_SOURCE, true } }, 0, 1, "new", 0 },
	{ "many accounts", { { 0, 1, "a", LIMIT_SIGNIN_FREE_SOURCE + 3, true } }, 0, 1, "new", 4 * S },
	{ "very many", { { 0, 1, "a", 1000, true } }, 0, 1, "new", LIMIT_SIGNIN_WAIT_SOURCE },
	{ "very many, later", { { 0, 1, "a", 1000, true } }, LIMIT_SIGNIN_WAIT_SOURCE, 1, "new", 0 },
	{ "very many, elsewhere", { { 0, 1, "a", 1000, true } }, 0, 2, "new", 0 },
	{ "success of one account does not help a source", { { 0, 1, "a", 1000, true }, { 0, 1, "own", .success = true } }, 0, 1, "new",
	  LIMIT_SIGNIN_WAIT_SOURCE },
	{ "but who had it is known", { { 0, 1, "own", .success = true }, { 0, 1, "a", 1000, true } }, 0, 1, "own", 0 },
	{ "a source forgets slowly", { { 0, 1, "a", LIMIT_SIGNIN_FREE_SOURCE + 1, true }, { 2 * THROTTLE_DRAIN_MS, 1, "b", 1 } },
	  2 * THROTTLE_DRAIN_MS, 1, "new", 0 },

	{ "known: others at the same address", { { 0, 1, "a", .success = true }, { 0, 1, "a", LIMIT_SIGNIN_FREE_KNOWN } }, 0, 1, "a", 0 },
	{ "known: a little patience at most", { { 0, 1, "a", .success = true }, { 0, 1, "a", 1000 } }, 0, 1, "a", LIMIT_SIGNIN_WAIT_KNOWN },
	{ "known: the neighbours do not pay", { { 0, 1, "a", .success = true }, { 0, 1, "a", 1000 } }, 0, 1, "b", 0 },
	{ "known for 30 days", { { 0, 1, "a", .success = true }, { 30 * DAY - 1, 1, "a", 90 } }, 30 * DAY - 1, 1, "a", 0 },
	{ "not longer", { { 0, 1, "a", .success = true }, { 30 * DAY, 1, "a", 90 } }, 30 * DAY, 1, "a", LIMIT_SIGNIN_WAIT },
	{ "known for one account only", { { 0, 1, "a", .success = true }, { 0, 1, "b", 90 } }, 0, 1, "b", LIMIT_SIGNIN_WAIT },
	{ "known from one address only", { { 0, 1, "a", .success = true }, { 0, 2, "a", 90 } }, 0, 2, "a", LIMIT_SIGNIN_WAIT },
};

static void happen(struct throttle *t, size_t row, size_t i)
{
	char account[32];

	if (rows[row].events[i].success)
		throttle_succeeded(t, rows[row].events[i].network, str_of(rows[row].events[i].account), 1 + rows[row].events[i].at_ms);
	for (unsigned n = 0; n < rows[row].events[i].failures; n++) {
		snprintf(account, sizeof(account), rows[row].events[i].many ? "%s%u" : "%s", rows[row].events[i].account, n);
		throttle_failed(t, rows[row].events[i].network, str_of(account), 1 + rows[row].events[i].at_ms);
	}
}

static void test_table(void **state)
{
	(void)state;
	for (size_t row = 0; row < LEN(rows); row++) {
		struct throttle *t = throttle_new();
		int64_t          wait;

		for (size_t i = 0; i < LEN(rows[row].events); i++)
			happen(t, row, i);
		wait = throttle_wait_ms(t, rows[row].network, str_of(rows[row].account), 1 + rows[row].now_ms);
		if (wait != rows[row].wait_ms)
			print_error("%s: %lld, not %lld\n", rows[row].what, (long long)wait, (long long)rows[row].wait_ms);
		assert_int_equal(wait, rows[row].wait_ms);
		throttle_free(&t);
	}
}

/* A flood from everywhere does not push out who is known. */
static void test_flood(void **state)
{
	struct throttle *t = throttle_new();
	char             account[32];

	(void)state;
	throttle_succeeded(t, 7, STR("owner"), 1);
	for (unsigned i = 0; i < 300000; i++) {
		snprintf(account, sizeof(account), "x%u", i % 1000);
		throttle_failed(t, 1000 + i, i % 2 ? STR("owner") : str_of(account), 2);
	}
	assert_true(throttle_known(t, 7, STR("owner"), 3));
	assert_int_equal(throttle_wait_ms(t, 7, STR("owner"), 3), 0);
	assert_int_equal(throttle_wait_ms(t, 8, STR("owner"), 3), 0); /* a new address of his is no worse off */
	throttle_free(&t);
}

static enum status login(struct directory *d, const char *password, const char *peer)
{
	struct arena           *a = arena_new_secret(NULL);
	struct auth_login_reply r = { 0 };
	enum status             st = directory_login(
                d, &(struct auth_login_request){ AUTH_IMAP, STR("alice@demo.test"), str_of(password), str_of(peer), true }, a, &r);

	arena_free(&a);
	return st;
}

/* 1,000 failures from 1,000 addresses, and as many from the owner's own. */
static void test_owner(void **state)
{
	struct directory *d = unit_directory_new();
	char              peer[32];
	unsigned          limited = 0;

	(void)state;
	unit_domain(d, "demo.test");
	unit_account(d, "alice@demo.test");
	assert_int_equal(login(d, "secret", "198.51.100.1"), ST_OK);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(peer, sizeof(peer), "203.0.%u.%u", i / 250, 1 + i % 250);
		assert_int_equal(login(d, "wrong", peer), ST_DENIED);
	}
	assert_int_equal(login(d, "secret", "198.51.100.1"), ST_OK);
	assert_int_equal(login(d, "secret", "198.51.100.2"), ST_OK);
	for (unsigned i = 0; i < 1000; i++)
		limited += login(d, "wrong", "198.51.100.1") == ST_LIMIT;
	assert_int_equal(limited, 1000 - LIMIT_SIGNIN_FREE_KNOWN - 1);
	unit_now_ms += LIMIT_SIGNIN_WAIT_KNOWN;
	assert_int_equal(login(d, "secret", "198.51.100.1"), ST_OK);
	directory_close(&d);
}

/* ---- the lane's places ---- */

struct gated {
	struct lane_job   job;
	pthread_mutex_t  *gate;
	_Atomic unsigned *order, *started;
	unsigned          at;
};

static void gated_run(struct lane_job *job)
{
	struct gated *g = CONTAINER_OF(job, struct gated, job);

	atomic_fetch_add(g->started, 1);
	pthread_mutex_lock(g->gate);
	pthread_mutex_unlock(g->gate);
	g->at = atomic_fetch_add(g->order, 1);
}

static void test_favoured(void **state)
{
	static const struct {
		bool        favoured;
		enum status st;
	} steps[] = { /* places for 4, and 2 more */
		{ false, ST_OK }, { false, ST_OK }, { false, ST_OK }, { true, ST_OK }, { false, ST_BUSY }, { true, ST_OK }, { true, ST_OK },
		{ true, ST_BUSY }, { false, ST_BUSY },
	};
	static const unsigned want[LEN(steps)] = { 4, 5, 6, 1, 0, 2, 3 };
	pthread_mutex_t       gate = PTHREAD_MUTEX_INITIALIZER;
	_Atomic unsigned      order = 0, started = 0;
	struct gated          first = { { .run = gated_run, .source = 100 }, &gate, &order, &started, 0 }, jobs[LEN(steps)];
	struct lane          *l = lane_new(1, 4, 2, 100);

	(void)state;
	pthread_mutex_lock(&gate);
	assert_int_equal(lane_submit(l, &first.job), ST_OK);
	while (atomic_load(&started) == 0)
		usleep(1000);
	for (size_t i = 0; i < LEN(steps); i++) {
		jobs[i] = (struct gated){ { .run = gated_run, .source = i, .favoured = steps[i].favoured }, &gate, &order, &started, 0 };
		assert_int_equal(lane_submit(l, &jobs[i].job), steps[i].st);
	}
	pthread_mutex_unlock(&gate);
	lane_free(&l);
	for (size_t i = 0; i < LEN(steps); i++)
		assert_int_equal(jobs[i].at, want[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_flood), cmocka_unit_test(test_owner), cmocka_unit_test(test_favoured),
	};
	return cmocka_run_group_tests(tests, unit_directory_setup, unit_directory_teardown);
}
