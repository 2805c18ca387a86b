/* queue/queue_pace.h: feedback on concurrency, rates. */
#include "unit.h"

#include "queue/queue_pace.h"

/* One letter for each end of a delivery, with so many others under way: s a success, f a failure; then the window, and whether it is dead. */
static void test_feedback(void **state)
{
	static const struct {
		const char *ends;
		unsigned    first, ceiling, others, window;
		bool        dead;
	} cases[] = {
		{ "", 5, 20, 4, 5, false },
		{ "ssss", 5, 20, 4, 5, false },  /* a whole cohort of successes, then one more */
		{ "sssss", 5, 20, 4, 6, false },
		{ "sssssssssss", 5, 20, 5, 7, false },
		{ "sssss", 5, 5, 4, 5, false },  /* the ceiling */
		{ "ssssssssss", 5, 20, 0, 6, false }, /* one after the other does not fill it: no wider than is used, and the first */
		{ "s", 1, 20, 0, 2, false },
		{ "ssssssssss", 1, 20, 1, 3, false }, /* no more than `first` ahead of what is under way */
		{ "f", 5, 20, 0, 4, false },     /* the first failure of a cohort narrows, the next do not */
		{ "ff", 5, 20, 0, 4, false },
		{ "fff", 5, 20, 0, 4, false },
		{ "fsf", 5, 20, 0, 4, false },
		{ "ffff", 5, 20, 0, 3, false },
		{ "fffff", 5, 20, 0, 1, false }, /* a whole cohort, and nobody answered */
		{ "ffffff", 5, 20, 0, 1, false },
		{ "fffffff", 5, 20, 0, 1, true }, /* and two more, one by one */
		{ "fffffsf", 5, 20, 0, 1, false },
		{ "fffs", 5, 20, 0, 4, false },
		{ "f", 1, 20, 0, 1, false },     /* not after one */
		{ "ff", 1, 20, 0, 1, true },
		{ "fsfsfsfs", 1, 1, 0, 1, false },
		{ "f", 20, 20, 0, 19, false },
		{ "ffffffffffffffffff", 20, 20, 0, 19, false },
		{ "fffffffffffffffffff", 20, 20, 0, 18, false },
		{ "ffffffffffffffffffff", 20, 20, 0, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct queue_pace p;
		bool              dead = false;

		queue_pace_init(&p, cases[i].first, cases[i].ceiling);
		for (const char *at = cases[i].ends; *at; at++) {
			assert_false(dead);
			if (*at == 's')
				queue_pace_success(&p, cases[i].others, 1000);
			else
				dead = queue_pace_failure(&p, cases[i].others, 1000);
		}
		if (p.window != cases[i].window || dead != cases[i].dead)
			print_error("%zu: %s: window %u, dead %d\n", i, cases[i].ends, p.window, dead);
		assert_int_equal(p.window, cases[i].window);
		assert_int_equal(dead, cases[i].dead);
	}
}

static void test_limits(void **state)
{
	struct queue_pace p;

	(void)state;
	queue_pace_init(&p, 5, 3);
	assert_int_equal(p.window, 3);
	queue_pace_limit(&p, 5, 1);
	assert_int_equal(p.window, 1);
	queue_pace_limit(&p, 5, 20); /* grows by successes only */
	assert_int_equal(p.window, 1);
	queue_pace_init(&p, 0, 0);
	assert_int_equal(queue_pace_window(&p, 0), 1);
}

/* A host that takes `limit` connections and says 421 to the next: who fails at once is kept in line. So after the first moment every
 * delivery succeeds, but for one in minutes that finds out whether there is room for more. */
static void test_limited_host(void **state)
{
	static const unsigned limits[] = { 1, 3, 7, 20 };

	(void)state;
	for (size_t i = 0; i < LEN(limits); i++) {
		struct queue_pace p;
		unsigned          now = 0, refused = 0, delivered = 0, deferred = 0, late = 0;
		int64_t           t = 0;

		queue_pace_init(&p, 5, 20);
		while (delivered < 10000) {
			while (now < queue_pace_window(&p, t) && now <= limits[i]) {
				if (now++ < limits[i])
					continue;
				now--; /* one too many: it fails before the others end */
				assert_false(queue_pace_failure(&p, now, t));
				deferred += p.hold == 0;
				refused++;
				late += delivered > 200;
			}
			now--; /* one ends after the other, 100 ms apart */
			t += 100;
			queue_pace_success(&p, now, t);
			delivered++;
		}
		assert_int_equal(deferred, 0);
		assert_true(refused <= 10 + delivered * 100 / QUEUE_PACE_CAP_MS);
		assert_true(p.window >= MIN(limits[i], 20) || p.cap);
		if (late > delivered * 100 / QUEUE_PACE_CAP_MS + 1)
			print_error("limit %u: %u late\n", limits[i], late);
		assert_true(late <= delivered * 100 / QUEUE_PACE_CAP_MS + 1);
	}
}

/* All of a cohort fail: no connection was too many, the host is away; what held new ones back is gone when the last has ended. */
static void test_hold_ends(void **state)
{
	struct queue_pace p;

	(void)state;
	queue_pace_init(&p, 5, 20);
	for (unsigned now = 5; now-- > 0;) {
		assert_false(queue_pace_failure(&p, now, 0));
		if (now > 1)
			assert_int_equal(queue_pace_window(&p, 0), now);
	}
	assert_int_equal(p.cap, 0);
	assert_int_equal(p.hold, 0);
	assert_int_equal(queue_pace_window(&p, 0), 1);
	queue_pace_init(&p, 5, 20);
	assert_false(queue_pace_failure(&p, 1, 0)); /* few under way: perhaps it is not the number */
	queue_pace_success(&p, 0, 0);
	assert_int_equal(queue_pace_window(&p, QUEUE_PACE_CAP_SHORT_MS - 1), 1);
	assert_true(p.cap_until == QUEUE_PACE_CAP_SHORT_MS);
	queue_pace_init(&p, 4, 20);
	assert_false(queue_pace_failure(&p, 3, 0));
	assert_int_equal(queue_pace_window(&p, 0), 3);
	queue_pace_success(&p, 2, 0);
	assert_int_equal(queue_pace_window(&p, QUEUE_PACE_CAP_MS - 1), 3);
	for (int i = 0; i < 20; i++)
		queue_pace_success(&p, 2, QUEUE_PACE_CAP_MS - 1);
	assert_int_equal(p.window, 3);
	for (int i = 0; i < 3; i++)
		queue_pace_success(&p, 2, QUEUE_PACE_CAP_MS);
	assert_int_equal(p.window, 4);
}

/* ---- rates ---- */

/* However it is used: in any S seconds no more than N; and used as much as may be, not much less in the long run. */
static void test_rate(void **state)
{
	static const struct {
		uint32_t n, s;
	} rates[] = { { 1, 1 }, { 1, 3600 }, { 5, 60 }, { 10, 1 }, { 100, 3600 }, { 1000, 60 }, { 3, 7 }, { 60000, 60 } };

	(void)state;
	for (size_t i = 0; i < LEN(rates); i++) {
		struct queue_rate r = { 0 };
		const int64_t     s_ms = rates[i].s * (int64_t)1000;
		int64_t           begun[4096] = { 0 }, t = 1700000000000, paused = 0;
		uint32_t          count = 0;

		queue_rate_set(&r, rates[i].n, rates[i].s);
		for (; count < MIN(rates[i].n * 3, 4096); count++) {
			int64_t next = queue_rate_next(&r, t);

			assert_int_equal(queue_rate_after(&r, 0, t), next);
			assert_int_equal(next == t, queue_rate_within(&r, t, t) > 0);
			assert_true(queue_rate_within(&r, t, next) >= 1);
			if (next > t)
				assert_int_equal(queue_rate_within(&r, t, next - 1), 0);
			t = next + (count % 97 == 0 ? s_ms / 3 : 0); /* pauses let a burst gather */
			paused += t - next;
			queue_rate_take(&r, t);
			begun[count] = t;
			if (count >= rates[i].n)
				assert_true(t - begun[count - rates[i].n] >= s_ms);
		}
		assert_true(t - 1700000000000 - paused <= s_ms * 4);
	}
}

static void test_rate_bounds(void **state)
{
	struct queue_rate r = { 0 };
	int64_t           t = 1700000000000;

	(void)state;
	assert_int_equal(queue_rate_next(&r, t), t); /* no limit */
	queue_rate_take(&r, t);
	assert_int_equal(queue_rate_after(&r, UINT64_MAX, t), t);
	assert_int_equal(queue_rate_within(&r, t, t), UINT32_MAX);
	queue_rate_set(&r, 10, 0); /* in no time: none */
	assert_int_equal(queue_rate_next(&r, t), t);
	queue_rate_set(&r, 1, UINT32_MAX);
	queue_rate_take(&r, t);
	assert_int_equal(queue_rate_next(&r, t), t + QUEUE_RATE_S_MAX * (int64_t)1000);
	assert_true(queue_rate_after(&r, UINT64_MAX, t) > t); /* no overflow */
	queue_rate_set(&r, UINT32_MAX, 1);
	r.full_us = 0;
	queue_rate_take(&r, t);
	assert_int_equal(queue_rate_next(&r, t), t);
	queue_rate_set(&r, 100, 100);
	r.full_us = 0;
	assert_int_equal(queue_rate_within(&r, t, t), 10); /* a tenth at once */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_feedback),  cmocka_unit_test(test_limits), cmocka_unit_test(test_limited_host),
		cmocka_unit_test(test_hold_ends), cmocka_unit_test(test_rate),   cmocka_unit_test(test_rate_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
