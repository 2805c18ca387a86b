/* directory/: passwords, sign-in, throttle, lane, remembered passwords, threads. */
#include "unit.h"

#include <pthread.h>

#include "directory/lane.h"
#include "directory/password.h"
#include "directory/source.h"
#include "directory/throttle.h"
#include "directory/verified.h"
#include "unit_directory.h"

static const struct password_cost cheap = { 1, 8192 };

static void test_password(void **state)
{
	/* crypt(3) of "secret" */
	static const struct str imported[] = {
		STR("{CRYPT}$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1"),
		STR("{CRYPT}$y$j9T$abcdefgh$IUWJt2doU4Kf6E/JP1UkAT3S5O3Q7SSA8SJirXIlEu9"),
		STR("{CRYPT}$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"),
	};
	static const struct str refused[] = {
		STR(""), STR("a\0b"), STR("{CRYPT}"), STR("{CRYPT}abcdefghijklm"), STR("{CRYPT}$6$rounds=999999999$salt$xxxxxxxx"),
		STR("{CRYPT}$2b$20$abcdefghijklmnopqrstuv"), STR("{CRYPT}$nonsense$xxxxxxxxx"), STR("{ARGON2ID}x"),
		STR("{ARGON2ID}$argon2id$v=19$m=99999999,t=3,p=1$c2FsdHNhbHQ$aGFzaA"),
		STR("{ARGON2ID}$argon2id$v=19$m=64,t=9999,p=1$c2FsdHNhbHQ$aGFzaA"),
		STR("{crypt}$6$salt\n$xxxxxxxxxxxxxxxxxx"),
	};
	struct password_hash h, again;

	(void)state;
	assert_int_equal(password_init(), ST_OK);
	assert_int_equal(password_hash(&cheap, STR("secret"), &h), ST_OK);
	assert_int_equal(password_hash(&cheap, STR("secret"), &again), ST_OK);
	assert_false(str_eq(str_n(h.p, h.n), str_n(again.p, again.n))); /* salted */
	assert_true(password_verify(str_n(h.p, h.n), STR("secret")));
	assert_false(password_verify(str_n(h.p, h.n), STR("Secret")));
	assert_false(password_verify(str_n(h.p, h.n), STR("secret\0")));
	assert_false(password_verify(str_n(h.p, h.n), STR("")));
	assert_int_equal(password_hash(&cheap, str_n(h.p, h.n), &again), ST_OK); /* its own, imported */
	assert_str(str_n(again.p, again.n), str_n(h.p, h.n));
	for (size_t i = 0; i < LEN(imported); i++) {
		assert_int_equal(password_hash(&cheap, imported[i], &h), ST_OK);
		assert_true(password_verify(str_n(h.p, h.n), STR("secret")));
		assert_false(password_verify(str_n(h.p, h.n), STR("wrong")));
		assert_false(password_verify(str_n(h.p, h.n), STR("secret\0x")));
	}
	for (size_t i = 0; i < LEN(refused); i++)
		assert_int_equal(password_hash(&cheap, refused[i], &h), ST_INVALID);
	assert_false(password_verify(STR("{PLAIN}secret"), STR("secret")));
	assert_false(password_verify(STR(""), STR("")));
	assert_false(password_verify(STR("{CRYPT}*"), STR("secret")));
}

static void test_source(void **state)
{
	static const struct {
		struct str a, b;
		bool       same;
	} cases[] = {
		{ STR("192.0.2.1"), STR("192.0.2.1"), true },
		{ STR("192.0.2.1"), STR("192.0.2.2"), false },
		{ STR("192.0.2.1"), STR("::ffff:192.0.2.1"), true },
		{ STR("2001:db8::1"), STR("2001:db8:0:0:ffff::2"), true },
		{ STR("2001:db8::1"), STR("2001:db8:0:1::1"), false },
		{ STR("fe80::1%eth0"), STR("fe80::1"), true },
		{ STR(""), STR("x"), false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		assert_int_equal(source_of(cases[i].a).network == source_of(cases[i].b).network, cases[i].same);
	assert_true(source_of(STR("127.1.2.3")).loopback);
	assert_true(source_of(STR("::1")).loopback);
	assert_true(source_of(STR("::ffff:127.0.0.1")).loopback);
	assert_false(source_of(STR("::2")).loopback);
	assert_false(source_of(STR("127.0.0.1.example")).loopback);
}

static void test_throttle(void **state)
{
	struct throttle *t = throttle_new();
	int64_t          now = 5000, want = 1000;

	(void)state;
	for (unsigned i = 0; i < LIMIT_SIGNIN_FREE; i++) {
		assert_int_equal(throttle_wait_ms(t, 1, STR("a@x"), now), 0);
		throttle_failed(t, 1, STR("a@x"), now);
	}
	assert_int_equal(throttle_wait_ms(t, 1, STR("a@x"), now), 0);
	for (unsigned i = 0; i < 20; i++, want *= 2) {
		throttle_failed(t, 1, STR("a@x"), now);
		assert_int_equal(throttle_wait_ms(t, 1, STR("a@x"), now), MIN(want, LIMIT_SIGNIN_WAIT));
		assert_int_equal(throttle_wait_ms(t, 2, STR("a@x"), now), 0);
		assert_int_equal(throttle_wait_ms(t, 1, STR("b@x"), now), 0);
		now += MIN(want, LIMIT_SIGNIN_WAIT);
		assert_int_equal(throttle_wait_ms(t, 1, STR("a@x"), now), 0);
	}
	throttle_succeeded(t, 1, STR("a@x"), now);
	throttle_failed(t, 1, STR("a@x"), now);
	assert_int_equal(throttle_wait_ms(t, 1, STR("a@x"), now), 0);
	/* Forgotten after an hour. */
	for (unsigned i = 0; i < 10; i++)
		throttle_failed(t, 1, STR("c@x"), now);
	throttle_failed(t, 1, STR("c@x"), now + 3600 * 1000);
	assert_int_equal(throttle_wait_ms(t, 1, STR("c@x"), now + 3600 * 1000), 0);
	/* A flood of others does not grow it. */
	for (uint64_t i = 0; i < 100000; i++)
		throttle_failed(t, i, STR("d@x"), now);
	throttle_free(&t);
}

static void test_verified(void **state)
{
	struct verified *v = verified_new();

	(void)state;
	assert_false(verified_find(v, 1, 7, STR("secret"), 0));
	verified_put(v, 1, 7, STR("secret"), 0);
	assert_true(verified_find(v, 1, 7, STR("secret"), VERIFIED_MS - 1));
	assert_false(verified_find(v, 1, 7, STR("secret"), VERIFIED_MS));
	assert_false(verified_find(v, 1, 8, STR("secret"), 1));
	assert_false(verified_find(v, 2, 7, STR("secret"), 1));
	assert_false(verified_find(v, 1, 7, STR("secre"), 1));
	assert_false(verified_find(v, 1, 7, STR("secret\0"), 1));
	verified_put(v, 1, 7, STR("other"), 0);
	assert_false(verified_find(v, 1, 7, STR("secret"), 1)); /* one for each account */
	verified_drop(v, 1);
	assert_false(verified_find(v, 1, 7, STR("other"), 1));
	for (uint64_t i = 1; i < 100000; i++)
		verified_put(v, i, 1, STR("x"), (int64_t)i);
	assert_true(verified_find(v, 99999, 1, STR("x"), 100000));
	verified_free(&v);
}

/* A job that waits at a gate. */
struct gated {
	struct lane_job  job;
	pthread_mutex_t *gate;
	_Atomic unsigned *done;
};

static void gated_run(struct lane_job *job)
{
	struct gated *g = CONTAINER_OF(job, struct gated, job);

	pthread_mutex_lock(g->gate);
	pthread_mutex_unlock(g->gate);
	atomic_fetch_add(g->done, 1);
}

static void test_lane(void **state)
{
	pthread_mutex_t  gate = PTHREAD_MUTEX_INITIALIZER;
	_Atomic unsigned done = 0;
	struct gated     jobs[40];
	struct lane     *l = lane_new(2, 8, 0, 3);
	unsigned         taken = 0;

	(void)state;
	for (size_t i = 0; i < LEN(jobs); i++)
		jobs[i] = (struct gated){ { gated_run, NULL, i < 10 ? 5 : i }, &gate, &done };
	pthread_mutex_lock(&gate);
	for (size_t i = 0; i < 10; i++) /* one source: only its share */
		assert_int_equal(lane_submit(l, &jobs[i].job), i < 3 ? ST_OK : ST_BUSY);
	for (size_t i = 10; i < LEN(jobs); i++) /* many: until the queue is full */
		taken += lane_submit(l, &jobs[i].job) == ST_OK;
	assert_true(taken >= 5 && taken <= 7); /* 3 + taken are 8 that wait and up to 2 that run */
	pthread_mutex_unlock(&gate);
	lane_free(&l);
	assert_null(l);
	assert_int_equal(done, 3 + taken);
}

static enum status login(struct directory *d, const char *user, const char *password, const char *peer)
{
	struct arena           *a = arena_new(NULL);
	struct auth_login_reply r = { 0 };
	enum status             st = directory_login(
                d, &(struct auth_login_request){ AUTH_IMAP, str_of(user), str_of(password), str_of(peer), true }, a, &r);
	uint64_t                account = 0;

	if (st == ST_OK) {
		assert_int_equal(directory_token(d, r.token, &account), ST_OK);
		assert_int_equal(account, r.account);
	}
	arena_free(&a);
	return st;
}

static void test_login(void **state)
{
	struct directory *d = unit_directory_new();

	(void)state;
	unit_domain(d, "demo.test");
	unit_account(d, "alice@demo.test");
	unit_account(d, "bob@demo.test");
	assert_int_equal(unit_alias(d, "info@demo.test", "alice@demo.test"), ST_OK);
	assert_int_equal(login(d, "alice@demo.test", "secret", "192.0.2.1"), ST_OK);
	assert_int_equal(login(d, "ALICE@demo.test", "secret", "192.0.2.1"), ST_OK);
	assert_int_equal(login(d, "alice@demo.test", "wrong", "192.0.2.1"), ST_DENIED);
	assert_int_equal(login(d, "alice@demo.test", "", "192.0.2.1"), ST_DENIED);
	assert_int_equal(login(d, "nobody@demo.test", "secret", "192.0.2.1"), ST_DENIED);
	assert_int_equal(login(d, "nobody@demo.test", "nobody", "192.0.2.1"), ST_DENIED);
	assert_int_equal(login(d, "info@demo.test", "secret", "192.0.2.1"), ST_DENIED);
	assert_int_equal(login(d, "x@foreign.example", "secret", "192.0.2.1"), ST_DENIED);
	assert_int_equal(login(d, "\r\nalice", "secret", "192.0.2.1"), ST_DENIED);
	assert_int_equal(login(d, "", "", ""), ST_DENIED);
	/* What was right stops being so at once, remembered or not. */
	assert_int_equal(unit_change(d, "alice@demo.test", AUTH_CHANGE_PASSWORD, "better"), ST_OK);
	assert_int_equal(login(d, "alice@demo.test", "secret", "192.0.2.2"), ST_DENIED);
	assert_int_equal(login(d, "alice@demo.test", "better", "192.0.2.2"), ST_OK);
	assert_int_equal(unit_change(d, "alice@demo.test", AUTH_CHANGE_PASSWORD, "secret"), ST_OK);
	assert_int_equal(login(d, "alice@demo.test", "better", "192.0.2.2"), ST_DENIED);
	assert_int_equal(login(d, "alice@demo.test", "secret", "192.0.2.2"), ST_OK);
	assert_int_equal(unit_change(d, "alice@demo.test", AUTH_CHANGE_DISABLE, ""), ST_OK);
	assert_int_equal(login(d, "alice@demo.test", "secret", "192.0.2.2"), ST_DENIED);
	assert_int_equal(unit_change(d, "alice@demo.test", AUTH_CHANGE_ENABLE, ""), ST_OK);
	assert_int_equal(login(d, "alice@demo.test", "secret", "192.0.2.2"), ST_OK);
	assert_int_equal(unit_change(d, "alice@demo.test", AUTH_CHANGE_RENAME, "liddell@demo.test"), ST_OK);
	assert_int_equal(login(d, "alice@demo.test", "secret", "192.0.2.2"), ST_DENIED);
	assert_int_equal(login(d, "liddell@demo.test", "secret", "192.0.2.2"), ST_OK);
	assert_int_equal(unit_remove(d, "liddell@demo.test", false), ST_OK);
	assert_int_equal(login(d, "liddell@demo.test", "secret", "192.0.2.2"), ST_DENIED);
	directory_close(&d);
	d = unit_directory_open();
	assert_int_equal(login(d, "bob@demo.test", "secret", "192.0.2.3"), ST_OK);
	directory_close(&d);
}

static void count_busy(void *arg, enum status st, const struct auth_login_reply *reply)
{
	_Atomic unsigned *count = arg;

	(void)reply;
	atomic_fetch_add(&count[st == ST_BUSY], 1);
}

/* A network that is not ours has a share of the places where sign-ins wait; a webmail on this machine brings everybody. */
static void test_login_share(void **state)
{
	static const struct {
		const char *peer;
		bool        refused;
	} cases[] = { { "192.0.2.1", true }, { "127.0.0.1", false }, { "::1", false } };
	struct directory_options slow = { .path = unit_path, .hash_ops = 2, .hash_memory_octets = 16u << 20, .hash_threads = 1 };

	(void)state;
	directory_close(&(struct directory *){ unit_directory_new() });
	for (size_t i = 0; i < LEN(cases); i++) {
		_Atomic unsigned  count[2] = { 0 };
		struct auth_login_request who[3 * LIMIT_HASH_SHARE];
		char                      names[LEN(who)][32];
		struct directory         *d;

		assert_int_equal(directory_open(&slow, &d), ST_OK);
		for (size_t k = 0; k < LEN(who); k++) {
			snprintf(names[k], sizeof(names[k]), "user%zu@demo.test", k);
			who[k] = (struct auth_login_request){ AUTH_IMAP, str_of(names[k]), STR("x"), str_of(cases[i].peer), true };
			directory_login_start(d, &who[k], count_busy, count);
		}
		directory_close(&d);
		assert_int_equal(count[0] + count[1], LEN(who));
		assert_int_equal(count[1] > 0, cases[i].refused);
	}
}

static void test_login_throttled(void **state)
{
	struct directory *d = unit_directory_new();

	(void)state;
	unit_domain(d, "demo.test");
	unit_account(d, "alice@demo.test");
	unit_account(d, "bob@demo.test");
	for (unsigned i = 0; i <= LIMIT_SIGNIN_FREE; i++)
		assert_int_equal(login(d, i % 2 ? "alice@demo.test" : "\"ALICE\"@demo.test", "wrong", "192.0.2.1"), ST_DENIED);
	assert_int_equal(login(d, "alice@demo.test", "wrong", "192.0.2.1"), ST_LIMIT);
	assert_int_equal(login(d, "alice@demo.test", "secret", "192.0.2.1"), ST_LIMIT);
	assert_int_equal(login(d, "bob@demo.test", "secret", "192.0.2.1"), ST_OK);   /* another account */
	assert_int_equal(login(d, "alice@demo.test", "secret", "192.0.2.9"), ST_OK); /* from elsewhere */
	assert_int_equal(login(d, "alice@demo.test", "secret", "192.0.2.1"), ST_LIMIT);
	unit_now_ms += 1000;
	assert_int_equal(login(d, "alice@demo.test", "secret", "192.0.2.1"), ST_OK);
	directory_close(&d);
}

static void test_lab(void **state)
{
	struct directory        *d = unit_directory_new();
	struct directory_options o = {
		.path = unit_path, .lab = true, .hash_ops = 1, .hash_memory_octets = 8192, .mono_ms = unit_clock, .wall_ms = unit_clock
	};

	(void)state;
	unit_domain(d, "demo.test");
	unit_account(d, "alice@demo.test");
	directory_close(&d);
	assert_int_equal(directory_open(&o, &d), ST_OK);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(login(d, "alice@demo.test", "wrong", i % 2 ? "::1" : "127.0.0.1"), ST_DENIED);
	assert_int_equal(login(d, "alice@demo.test", "secret", "127.0.0.1"), ST_OK);
	for (unsigned i = 0; i < 10; i++)
		(void)!login(d, "alice@demo.test", "wrong", "192.0.2.1");
	assert_int_equal(login(d, "alice@demo.test", "secret", "192.0.2.1"), ST_LIMIT);
	directory_close(&d);
	o.path = "auth/none.db";
	assert_int_equal(directory_open(&o, &d), ST_NOT_FOUND);
}

static void test_token(void **state)
{
	struct directory       *d = unit_directory_new();
	struct arena           *a = arena_new(NULL);
	struct auth_login_reply r;
	struct str              forged;
	uint64_t                account;

	(void)state;
	unit_domain(d, "demo.test");
	unit_account(d, "alice@demo.test");
	assert_int_equal(directory_login(d,
					 &(struct auth_login_request){ AUTH_SMTP, STR("alice@demo.test"), STR("secret"), STR("::1"), true },
					 a, &r),
			 ST_OK);
	assert_int_equal(r.token.n, LIMIT_TOKEN);
	assert_str(r.address, STR("alice@demo.test"));
	for (size_t i = 0; i < r.token.n; i++) {
		char *copy = arena_alloc(a, r.token.n);

		memcpy(copy, r.token.p, r.token.n);
		copy[i] ^= 1;
		forged = str_n(copy, r.token.n);
		assert_int_equal(directory_token(d, forged, &account), ST_DENIED);
	}
	assert_int_equal(directory_token(d, str_first(r.token, LIMIT_TOKEN - 1), &account), ST_DENIED);
	assert_int_equal(directory_token(d, STR(""), &account), ST_DENIED);
	assert_int_equal(directory_token(d, r.token, &account), ST_OK);
	unit_now_ms += (int64_t)24 * 3600 * 1000;
	assert_int_equal(directory_token(d, r.token, &account), ST_DENIED);
	arena_free(&a);
	directory_close(&d);
}

/* What keeper reads of it: for whom it is; and that it outlives the directory that made it, for keeper, not for queue. */
static void test_token_side(void **state)
{
	static const char        key[SESSION_KEY] = { 5 };
	struct directory        *d = unit_directory_new();
	struct arena            *a = arena_new(NULL);
	struct directory_options o = { .path = unit_path, .hash_ops = 1, .hash_memory_octets = 8192, .session_key = str_n(key, sizeof(key)),
				       .mono_ms = unit_clock, .wall_ms = unit_clock };
	struct auth_login_request q = { AUTH_IMAP, STR("alice@demo.test"), STR("secret"), STR("::1"), true, { ROLE_IMAP, 2, 9 } };
	struct auth_login_reply  r;
	struct session_token     t;
	uint64_t                 account;

	(void)state;
	unit_domain(d, "demo.test");
	unit_account(d, "alice@demo.test");
	directory_close(&d);
	assert_int_equal(directory_open(&o, &d), ST_OK);
	assert_int_equal(directory_login(d, &q, a, &r), ST_OK);
	assert_true(session_token_read((const uint8_t *)key, r.token, unit_now_ms, &t));
	assert_true(session_side_same(&t.side, &q.side));
	assert_true(t.account == r.account && t.end_ms == unit_now_ms + LIMIT_TOKEN_MS_SIGNIN);
	assert_true(LIMIT_SESSION_MS < LIMIT_TOKEN_MS_SIGNIN);
	assert_int_equal(directory_token(d, r.token, &account), ST_OK);
	directory_close(&d);
	assert_int_equal(directory_open(&o, &d), ST_OK);
	assert_int_equal(directory_token(d, r.token, &account), ST_DENIED);
	assert_true(session_token_read((const uint8_t *)key, r.token, unit_now_ms, &t));
	directory_close(&d);
	arena_free(&a);
}

/* Sign-ins and questions from many threads, while accounts come and go. */
struct crowd {
	struct directory *d;
	unsigned          number;
	_Atomic unsigned *wrong;
};

static void *crowd_main(void *arg)
{
	struct crowd       *c = arg;
	struct arena       *a = arena_new(NULL);
	char                peer[32];
	struct auth_rcpt_reply rcpt;

	snprintf(peer, sizeof(peer), "192.0.2.%u", c->number);
	for (unsigned i = 0; i < 30; i++) {
		struct auth_resolve_reply r;

		if (login(c->d, "alice@demo.test", "secret", peer) != ST_OK)
			atomic_fetch_add(c->wrong, 1);
		if (directory_rcpt(c->d, &(struct auth_rcpt_request){ .address = STR("alice+x@demo.test") }, a, &rcpt) != ST_OK ||
		    rcpt.kind != AUTH_RCPT_LOCAL)
			atomic_fetch_add(c->wrong, 1);
		if (directory_resolve(c->d, &(struct auth_resolve_request){ STR("team@demo.test"), STR_NONE }, a, &r) != ST_OK || r.target_count < 1)
			atomic_fetch_add(c->wrong, 1);
	}
	arena_free(&a);
	return NULL;
}

static void test_threads(void **state)
{
	enum { CROWD = 6 };
	struct directory *d = unit_directory_new();
	_Atomic unsigned  wrong = 0;
	struct crowd      crowd[CROWD];
	pthread_t         threads[CROWD];

	(void)state;
	unit_domain(d, "demo.test");
	unit_account(d, "alice@demo.test");
	unit_account(d, "bob@demo.test");
	assert_int_equal(unit_alias(d, "team@demo.test", "alice@demo.test bob@demo.test"), ST_OK);
	for (unsigned i = 0; i < CROWD; i++) {
		crowd[i] = (struct crowd){ d, i, &wrong };
		assert_int_equal(pthread_create(&threads[i], NULL, crowd_main, &crowd[i]), 0);
	}
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(unit_change(d, "bob@demo.test", AUTH_CHANGE_PASSWORD, "other"), ST_OK);
		assert_int_equal(unit_remove(d, "bob@demo.test", false), ST_OK);
		assert_int_equal(unit_change(d, "bob@demo.test", AUTH_CHANGE_ENABLE, ""), ST_OK);
		assert_int_equal(unit_account_try(d, "carl@demo.test", "x"), ST_OK);
		assert_int_equal(unit_remove(d, "carl@demo.test", true), ST_OK);
	}
	for (unsigned i = 0; i < CROWD; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wrong, 0);
	directory_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_password), cmocka_unit_test(test_source),          cmocka_unit_test(test_throttle),
		cmocka_unit_test(test_verified), cmocka_unit_test(test_lane),            cmocka_unit_test(test_login),
		cmocka_unit_test(test_login_throttled), cmocka_unit_test(test_login_share), cmocka_unit_test(test_lab),      cmocka_unit_test(test_token), cmocka_unit_test(test_token_side),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, unit_directory_setup, unit_directory_teardown);
}
