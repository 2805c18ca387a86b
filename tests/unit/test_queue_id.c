/* wire/text/queue_id.h, queue/queue_backoff.h, queue/queue_txid.h. */
#include "unit.h"

#include "queue/queue_backoff.h"
#include "queue/queue_txid.h"
#include "wire/text/queue_id.h"

static void test_id(void **state)
{
	static const struct {
		uint64_t   id;
		struct str text;
	} cases[] = {
		{ 1, STR("0000000000001") },
		{ 31, STR("000000000000Z") },
		{ 32, STR("0000000000010") },
		{ UINT64_MAX, STR("FZZZZZZZZZZZZ") },
	};
	uint64_t id = 0;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		assert_str(str_of(queue_id_text(cases[i].id).p), cases[i].text);
		assert_true(queue_id_parse(cases[i].text, &id));
		assert_int_equal(id, cases[i].id);
	}
	for (uint64_t v = 1; v < UINT64_MAX / 7; v = v * 7 + 3) {
		struct str text = unit_exact(str_of(queue_id_text(v).p));

		assert_true(queue_id_parse(text, &id));
		assert_int_equal(id, v);
		unit_exact_free(text);
	}
}

static void test_id_bad(void **state)
{
	static const struct str bad[] = {
		STR(""), STR("1"), STR("0000000000000"), STR("000000000001"), STR("00000000000001"), STR("000000000000U"),
		STR("000000000000-"), STR("G000000000000"), STR("ZZZZZZZZZZZZZ"),
	};
	uint64_t id = 7;

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		struct str text = unit_exact(bad[i]);

		assert_false(queue_id_parse(text, &id));
		unit_exact_free(text);
	}
	assert_int_equal(id, 7);
	assert_true(queue_id_parse(STR("00000000000oi"), &id)); /* read aloud */
	assert_int_equal(id, 1);
}

static void test_backoff(void **state)
{
	static const struct {
		uint64_t tries;
		int64_t  plain;
	} cases[] = { { 1, 300 }, { 2, 600 }, { 3, 1200 }, { 6, 9600 }, { 7, 14400 }, { 8, 14400 }, { UINT64_MAX, 14400 } };

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		for (uint64_t random = 0; random < 5000; random += 100) {
			int64_t wait = queue_backoff_ms(300, 14400, cases[i].tries, random);

			assert_true(wait >= cases[i].plain * 8 / 10 && wait <= cases[i].plain * 12 / 10);
		}
	for (uint64_t random = 0; random < 5000; random++) /* greylisting: never later than that */
		assert_true(queue_backoff_ms(300000, 14400000, 1, random) <= 300000);
	assert_true(queue_backoff_ms(300, 14400, 1, 0) != queue_backoff_ms(300, 14400, 1, 2000));
	assert_int_equal(queue_backoff_ms(0, 0, 1, 0), 1);
}

static struct str txid(uint64_t n, char p[QUEUE_TXID_OCTETS])
{
	memset(p, 0, QUEUE_TXID_OCTETS);
	memcpy(p, &n, sizeof(n));
	return str_n(p, QUEUE_TXID_OCTETS);
}

static void test_txids(void **state)
{
	struct queue_txids t;
	char               p[QUEUE_TXID_OCTETS];

	(void)state;
	queue_txids_init(&t);
	assert_int_equal(queue_txids_find(&t, txid(1, p)), 0);
	for (uint64_t i = 1; i <= 3000; i++)
		queue_txids_add(&t, txid(i, p), i + 10);
	queue_txids_undo(&t, 100);
	queue_txids_trim(&t, 500);
	assert_int_equal(queue_txids_count(&t), 2400);
	for (uint64_t i = 1; i <= 3000; i++)
		assert_int_equal(queue_txids_find(&t, txid(i, p)), i > 500 && i <= 2900 ? i + 10 : 0);
	for (uint64_t i = 5000; i < 9000; i++) { /* around the ring */
		queue_txids_add(&t, txid(i, p), i);
		queue_txids_trim(&t, 1);
	}
	assert_int_equal(queue_txids_count(&t), 2400);
	for (uint64_t i = 5000; i < 9000; i++)
		assert_int_equal(queue_txids_find(&t, txid(i, p)), i >= 9000 - 2400 ? i : 0);
	queue_txids_trim(&t, 5000);
	assert_int_equal(queue_txids_count(&t), 0);
	queue_txids_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_id_bad),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_txids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
