/* deliver/local_used.h: what the upkeep removed is told to auth, of accounts whose domain has a total. */
#include <unistd.h>

#include "deliver/local_used.h"
#include "ipc/msg_auth.h"
#include "store_unit.h"

static bool                     shared; /* the domain has a total */
static enum status              answer; /* of auth */
static unsigned                 told;
static struct auth_used_request last;

/* Linked instead of the real one. */
enum status ipc_call(struct ipc *ipc, enum role_id role, uint64_t key, enum ipc_msg_id id, const void *request, struct arena *a, void *ret)
{
	(void)ipc, (void)key, (void)a;
	assert_int_equal(role, ROLE_AUTH);
	if (id == IPC_AUTH_QUOTA) {
		assert_int_equal(((const struct auth_quota_request *)request)->account, 7);
		if (answer == ST_OK)
			*(struct auth_quota_reply *)ret = (struct auth_quota_reply){ .quota_octets = 1000, .quota_shared = shared };
		return answer;
	}
	assert_int_equal(id, IPC_AUTH_USED);
	last = *(const struct auth_used_request *)request;
	told++;
	return ST_TEMP; /* whatever it says */
}

static bool go_on(void *arg)
{
	(void)arg;
	return true;
}

static void changed(void *arg, uint64_t account, uint64_t modseq)
{
	assert_true(modseq > 0);
	local_used_tell(NULL, ((struct store_unit *)arg)->store, account);
}

/* One comes into Trash and is old at once: what is told then. */
static unsigned told_of_one(struct store_unit *u)
{
	struct store_account *a;

	assert_ok(store_open(u->store, 7, &a));
	store_unit_append(a, store_unit_box(a, u->arena, "Trash").id, store_unit_message(u->arena, 1, 200), 0);
	store_close(&a);
	usleep(3000);
	told = 0;
	store_upkeep(u->store, go_on, changed, u);
	return told;
}

static void test_upkeep_tells(void **state)
{
	struct store_unit     u;
	struct store_account *a;
	struct store_info     info;

	(void)state;
	store_unit_open(&u, &(struct store_options){ .trash_ms = 1 });
	assert_ok(store_open(u.store, 7, &a));
	store_unit_append(a, store_unit_box(a, u.arena, "INBOX").id, store_unit_message(u.arena, 2, 300), 0);
	assert_ok(store_info(a, &info));
	store_close(&a);
	shared = true;
	assert_int_equal(told_of_one(&u), 1);
	assert_int_equal(last.account, 7);
	assert_int_equal(last.messages, 1);
	assert_int_equal(last.octets, info.size);
	shared = false; /* it counts nowhere */
	assert_int_equal(told_of_one(&u), 0);
	shared = true;
	answer = ST_TEMP;
	assert_int_equal(told_of_one(&u), 0);
	told = 0;
	answer = ST_OK;
	store_upkeep(u.store, go_on, changed, &u); /* nothing was removed */
	assert_int_equal(told, 0);
	store_unit_done(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_upkeep_tells) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
