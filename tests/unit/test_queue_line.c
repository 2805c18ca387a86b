/* queue/queue_line.h: turns of lanes, priorities, whose lane. */
#include "unit.h"

#include "queue/queue_line.h"
#include "sys/random.h"

struct item {
	struct queue_wait wait;
	int               n;
};

static struct item *put(struct queue_line *l, struct item *i, int32_t priority, uint32_t lane, bool first)
{
	i->wait = (struct queue_wait){ .priority = priority, .lane = lane };
	queue_line_put(l, &i->wait, first);
	return i;
}

static int take(struct queue_line *l)
{
	struct queue_wait *w, *first = queue_line_first(l);

	w = queue_line_take(l);
	assert_ptr_equal(w, first);
	return w ? CONTAINER_OF(w, struct item, wait)->n : -1;
}

/* 20,000 of one sender, then one of another: second in line, wherever the turn is. */
static void test_turns(void **state)
{
	struct queue_line l = { 0 };
	struct item      *many = calloc(20000, sizeof(*many)), one = { .n = -7 }, late = { .n = -8 };

	(void)state;
	for (int i = 0; i < 20000; i++) {
		many[i].n = i;
		put(&l, &many[i], 0, 200, false);
	}
	assert_int_equal(take(&l), 0);
	assert_int_equal(queue_line_lane(&l, 200), 19999);
	put(&l, &one, 0, 3, false);
	put(&l, &late, 0, 201, false);
	assert_int_equal(take(&l), -8);
	assert_int_equal(take(&l), -7);
	for (int i = 1; i < 20000; i++)
		assert_int_equal(take(&l), i);
	assert_int_equal(take(&l), -1);
	assert_int_equal(l.count, 0);
	assert_null(l.bands);
	free(many);
}

static void test_priorities(void **state)
{
	static const struct {
		int32_t  priority;
		uint32_t lane;
	} in[] = { { 0, 5 }, { -9, 5 }, { 3, 7 }, { 0, 4 }, { 9, 255 }, { 3, 7 }, { 3, 0 }, { 0, 5 } };
	static const int  order[] = { 4, 6, 2, 5, 3, 0, 7, 1 };
	struct item       items[LEN(in)];
	struct queue_line l = { 0 };

	(void)state;
	for (size_t i = 0; i < LEN(in); i++) {
		items[i].n = (int)i;
		put(&l, &items[i], in[i].priority, in[i].lane, false);
	}
	for (size_t i = 0; i < LEN(order); i++)
		assert_int_equal(take(&l), order[i]);
	assert_int_equal(take(&l), -1);
}

static void test_first_and_remove(void **state)
{
	struct queue_line l = { 0 };
	struct item       i[4] = { { .n = 0 }, { .n = 1 }, { .n = 2 }, { .n = 3 } };

	(void)state;
	put(&l, &i[0], 0, 9, false);
	put(&l, &i[1], 0, 9, false);
	put(&l, &i[2], 0, 9, true);
	put(&l, &i[3], 0, 8, false);
	queue_line_remove(&l, &i[0].wait);
	queue_line_remove(&l, &i[0].wait); /* waits no more */
	queue_line_remove(&l, &i[3].wait);
	assert_int_equal(take(&l), 2);
	assert_int_equal(take(&l), 1);
	assert_null(queue_line_take(&l));
	put(&l, &i[0], 1, 1, false);
	queue_line_done(&l); /* with somebody in it */
	assert_null(queue_line_first(&l));
}

/* Whatever comes and goes: of a priority, no lane has two turns while another one that waits has none. */
static void test_fair(void **state)
{
	static struct item items[2000];
	struct queue_line  l = { 0 };
	unsigned           waiting[QUEUE_LANES] = { 0 }, since[QUEUE_LANES] = { 0 };
	size_t             free_at = 0;

	(void)state;
	for (int step = 0; step < 20000; step++) {
		uint32_t lane = (uint32_t)(random_u64() % 7) * 41;

		if (l.count < 1500 && random_u64() % 3) {
			while (items[free_at].wait.waits)
				free_at = (free_at + 1) % LEN(items);
			put(&l, &items[free_at], 0, lane, false);
			waiting[lane]++;
			continue;
		}
		struct queue_wait *w = queue_line_take(&l);
		if (!w)
			continue;
		waiting[w->lane]--;
		for (uint32_t i = 0; i < QUEUE_LANES; i++) {
			since[i] = i == w->lane || waiting[i] == 0 ? 0 : since[i] + 1;
			assert_true(since[i] <= 7);
		}
	}
	queue_line_done(&l);
}

static void test_lane(void **state)
{
	static const struct {
		uint64_t   account, account2;
		struct str from, from2, peer, peer2;
		bool       same;
	} cases[] = {
		{ 7, 7, STR("a@x.test"), STR("b@y.test"), STR("192.0.2.1"), STR("192.0.2.9"), true },
		{ 7, 8, STR("a@x.test"), STR("a@x.test"), STR("192.0.2.1"), STR("192.0.2.1"), false },
		{ 0, 0, STR("ann@x.test"), STR("ANN@X.test"), STR("192.0.2.1"), STR("192.0.2.9"), true },
		{ 0, 0, STR("ann@x.test"), STR("ben@x.test"), STR("192.0.2.1"), STR("192.0.2.1"), false },
		{ 0, 0, STR("list-1234-bob=far.test@x.test"), STR("list-77@x.test"), STR("p"), STR("p"), true },
		{ 0, 0, STR("SRS0=ab=cd=x.test=u@y.test"), STR("srs0=zz=yy=q.test=v@y.test"), STR("p"), STR("p"), true },
		{ 0, 0, STR(""), STR(""), STR("192.0.2.1"), STR("192.0.2.1"), true },
		{ 0, 0, STR(""), STR(""), STR("192.0.2.1"), STR("192.0.2.2"), false },
		{ 0, 0, STR("root"), STR("daemon"), STR("local"), STR("local"), false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str from = unit_exact(cases[i].from), peer = unit_exact(cases[i].peer);
		uint32_t   a = queue_lane_of(cases[i].account, from, peer), b = queue_lane_of(cases[i].account2, cases[i].from2, cases[i].peer2);

		assert_true(a != QUEUE_LANE_REPORTS && a < QUEUE_LANES && b != QUEUE_LANE_REPORTS && b < QUEUE_LANES);
		assert_int_equal(a == b, cases[i].same);
		unit_exact_free(from);
		unit_exact_free(peer);
	}
	for (uint64_t account = 1, used[QUEUE_LANES] = { 0 }; account <= 2550; account++) /* spread */
		assert_true(++used[queue_lane_of(account, STR(""), STR(""))] < 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns), cmocka_unit_test(test_priorities), cmocka_unit_test(test_first_and_remove),
		cmocka_unit_test(test_fair),  cmocka_unit_test(test_lane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
