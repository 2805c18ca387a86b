/* tests/unit/test_control.c - who may come through submit.sock how often. */
#include "unit.h"

#include "base/limits.h"
#include "role/control_gate.h"

static void test_connections(void **state)
{
	struct control_gate *g = control_gate_new();
	unsigned             all = 0;

	(void)state;
	for (uint32_t uid = 1000; all < LIMIT_SUBMIT_CONNECTIONS; uid++)
		for (unsigned i = 0; i <= LIMIT_SUBMIT_PER_UID && all < LIMIT_SUBMIT_CONNECTIONS; i++) {
			bool ok = control_gate_enter(g, uid);

			assert_int_equal(ok, i < LIMIT_SUBMIT_PER_UID);
			all += ok;
		}
	assert_false(control_gate_enter(g, 0)); /* all is taken */
	control_gate_leave(g, 1000);
	assert_true(control_gate_enter(g, 0));
	control_gate_free(&g);

	g = control_gate_new(); /* root is not bound by the share of one user */
	for (unsigned i = 0; i < LIMIT_SUBMIT_CONNECTIONS; i++)
		assert_true(control_gate_enter(g, 0));
	assert_false(control_gate_enter(g, 0));
	control_gate_free(&g);
}

static void test_rate(void **state)
{
	struct control_gate *g = control_gate_new();
	int64_t              now = 1000000;

	(void)state;
	for (unsigned i = 0; i < LIMIT_SUBMIT_RATE; i++)
		assert_true(control_gate_message(g, 1000, now));
	assert_false(control_gate_message(g, 1000, now));
	assert_true(control_gate_message(g, 1001, now)); /* another user */
	assert_true(control_gate_message(g, 0, now));
	now += 60000 / LIMIT_SUBMIT_RATE;
	assert_true(control_gate_message(g, 1000, now));
	assert_false(control_gate_message(g, 1000, now));
	assert_false(control_gate_message(g, 1000, now - 100000)); /* a clock that goes back gives nothing */
	now += 60000 * 10;
	for (unsigned i = 0; i < LIMIT_SUBMIT_RATE; i++)
		assert_true(control_gate_message(g, 1000, now));
	assert_false(control_gate_message(g, 1000, now));
	control_gate_free(&g);
}

/* More users than rows: whoever is connected stays known. */
static void test_many(void **state)
{
	struct control_gate *g = control_gate_new();

	(void)state;
	assert_true(control_gate_enter(g, 7));
	for (uint32_t uid = 1000; uid < 1000 + 3 * LIMIT_SUBMIT_USERS; uid++)
		assert_true(control_gate_message(g, uid, uid));
	control_gate_leave(g, 7);
	control_gate_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_connections), cmocka_unit_test(test_rate), cmocka_unit_test(test_many) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
