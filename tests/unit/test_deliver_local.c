/* deliver/deliver_local.h over a store of the test's own: what it answers, when it settles, what it never says. */
#include "unit.h"

#include <pthread.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "deliver/deliver_local.h"
#include "fake_ipc.h"
#include "ipc/msg_local.h"
#include "store/store_message.h"

/* ---- the store: accounts are numbers; deliveries are a list ---- */

struct store_account {
	uint64_t id;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t  cond;
	bool            gate;      /* store_deliver waits */
	bool            gate_settle;
	enum status     deliver_status, settle_status;
	bool            duplicate;
	uint64_t        accounts[1000], deliveries[1000], floors[1000];
	char            prefix[500];
	size_t          count, settled_upto, settles, own_settles, purged, repairs, transactions;
	uint64_t        bad; /* a delivery that cannot be made */
	bool            repairable;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

static void gate(bool *which, bool shut)
{
	pthread_mutex_lock(&fake.lock);
	*which = shut;
	pthread_cond_broadcast(&fake.cond);
	pthread_mutex_unlock(&fake.lock);
}

enum status store_open(struct store *s, uint64_t account, struct store_account **ret)
{
	(void)s;
	*ret = calloc(1, sizeof(**ret));
	(*ret)->id = account;
	return ST_OK;
}

void store_close(struct store_account **a)
{
	free(*a);
	*a = NULL;
}

enum status store_settle(struct store_account *a)
{
	(void)a;
	fake.own_settles++;
	return ST_OK;
}

enum status store_repair(struct store *s, uint64_t account)
{
	(void)s, (void)account;
	pthread_mutex_lock(&fake.lock);
	assert_int_equal(fake.settled_upto, fake.count); /* it would drop what is not */
	fake.repairs++;
	if (fake.repairable)
		fake.deliver_status = ST_OK;
	pthread_mutex_unlock(&fake.lock);
	return fake.repairable ? ST_OK : ST_IO;
}

enum status store_info(struct store_account *a, struct store_info *ret)
{
	(void)a;
	*ret = (struct store_info){ .messages = 2, .size = 700 };
	return ST_OK;
}

bool store_full(struct store *s)
{
	(void)s;
	return false;
}

enum status store_purge(struct store *s, uint64_t account)
{
	(void)s, (void)account;
	fake.purged++;
	return ST_OK;
}

/* A transaction that has fake.bad in it fails as a whole. */
enum status store_deliver(struct store_account *a, const struct store_delivery *list, size_t count, struct arena *arena,
			  struct store_delivered *ret)
{
	(void)arena;
	pthread_mutex_lock(&fake.lock);
	while (fake.gate)
		pthread_cond_wait(&fake.cond, &fake.lock);
	enum status st = fake.deliver_status;
	fake.transactions++;
	for (size_t i = 0; i < count; i++)
		if (list[i].id == fake.bad)
			st = ST_INVALID;
	for (size_t i = 0; i < count && st == ST_OK; i++) {
		ret[i] = (struct store_delivered){ .duplicate = fake.duplicate };
		if (fake.duplicate)
			continue;
		memcpy(fake.prefix, list[i].prefix.p, list[i].prefix.n);
		fake.prefix[list[i].prefix.n] = '\0';
		fake.accounts[fake.count] = a->id;
		fake.floors[fake.count] = list[i].floor;
		fake.deliveries[fake.count++] = list[i].id;
	}
	pthread_cond_broadcast(&fake.cond);
	pthread_mutex_unlock(&fake.lock);
	return st;
}

void store_settle_all(struct store *s, struct arena *a, struct store_settled **ret, size_t *ret_count)
{
	(void)s;
	pthread_mutex_lock(&fake.lock);
	*ret = ARENA_ARRAY(a, struct store_settled, fake.count + 1);
	*ret_count = 0;
	for (size_t i = fake.settled_upto; i < fake.count; i++)
		(*ret)[(*ret_count)++] = (struct store_settled){ fake.accounts[i], fake.settle_status, i + 1 };
	fake.settled_upto = fake.count;
	fake.settles++;
	pthread_cond_broadcast(&fake.cond);
	while (fake.gate_settle)
		pthread_cond_wait(&fake.cond, &fake.lock);
	pthread_mutex_unlock(&fake.lock);
}

/* ---- the rig ---- */

static struct deliver_local *start(void)
{
	log_set_level(LOG_LEVEL_ERROR + 1);
	fake_ipc_reset();
	fake.bad = fake.transactions = 0;
	fake.count = fake.settled_upto = fake.settles = fake.own_settles = fake.purged = fake.repairs = 0;
	fake.deliver_status = fake.settle_status = ST_OK;
	fake.gate = fake.gate_settle = fake.duplicate = fake.repairable = false;
	return deliver_local_new(NULL, NULL);
}

static void end(struct deliver_local **d)
{
	deliver_local_stop(*d);
	deliver_local_free(d);
}

static struct fake_reply *ask_as(struct deliver_local *d, uint64_t account, uint64_t delivery, bool alone)
{
	char                         hash[LOCAL_HASH] = { 0 };
	struct local_deliver_request q = {
		.delivery = delivery, .floor = delivery - 1, .account = account, .address = STR("bob@demo.test"), .from = STR("a@far.test"),
		.rcpt = STR("b@demo.test"), .size = 5, .content = STR("hello"), .hash = str_n(hash, sizeof(hash)), .file = -1,
		.alone = alone,
	};

	return fake_ipc_ask(deliver_local_rows[0].handler, d, IPC_LOCAL_DELIVER, &q);
}

static struct fake_reply *ask(struct deliver_local *d, uint64_t account, uint64_t delivery)
{
	return ask_as(d, account, delivery, false);
}

static enum local_result result_of(struct fake_reply *r)
{
	enum local_result result;

	fake_reply_wait(r);
	assert_int_equal(r->status, ST_OK);
	result = ((struct local_deliver_reply *)r->body)->result;
	fake_reply_done(&r);
	return result;
}

static void wait_count(size_t *what, size_t least)
{
	pthread_mutex_lock(&fake.lock);
	while (*what < least)
		pthread_cond_wait(&fake.cond, &fake.lock);
	pthread_mutex_unlock(&fake.lock);
}

/* ---- tests ---- */

static void test_one(void **state)
{
	struct deliver_local *d = start();
	struct fake_bus       bus[10];

	(void)state;
	assert_int_equal(result_of(ask(d, 5, 77)), LOCAL_DELIVERED);
	assert_int_equal(fake.deliveries[0], 77);
	assert_int_equal(fake.floors[0], 76);
	assert_string_equal(fake.prefix, "Return-Path: <a@far.test>\r\nDelivered-To: bob@demo.test\r\n");
	assert_int_equal(fake_ipc_bus(bus, LEN(bus)), 1);
	assert_int_equal(bus[0].account, 5);
	assert_int_equal(bus[0].modseq, 1);
	end(&d);
}

/* What arrives while a settling runs is settled together afterwards. */
static void test_group(void **state)
{
	struct deliver_local *d = start();
	struct fake_reply    *first, *r[100];

	(void)state;
	gate(&fake.gate_settle, true);
	first = ask(d, 1, 1);
	wait_count(&fake.settles, 1);
	for (size_t i = 0; i < LEN(r); i++)
		r[i] = ask(d, 1 + i % 7, 2 + i);
	wait_count(&fake.count, 1 + LEN(r));
	gate(&fake.gate_settle, false);
	assert_int_equal(result_of(first), LOCAL_DELIVERED);
	for (size_t i = 0; i < LEN(r); i++)
		assert_int_equal(result_of(r[i]), LOCAL_DELIVERED);
	assert_true(fake.settles <= 3);
	end(&d);
}

static void test_order(void **state)
{
	struct deliver_local *d = start();
	struct fake_reply    *r[200];
	uint64_t              last[4] = { 0 };

	(void)state;
	gate(&fake.gate, true);
	for (size_t i = 0; i < LEN(r); i++)
		r[i] = ask(d, 1 + i % 3, 1 + i);
	gate(&fake.gate, false);
	for (size_t i = 0; i < LEN(r); i++)
		assert_int_equal(result_of(r[i]), LOCAL_DELIVERED);
	for (size_t i = 0; i < fake.count; i++) {
		assert_true(fake.deliveries[i] > last[fake.accounts[i]]);
		last[fake.accounts[i]] = fake.deliveries[i];
	}
	end(&d);
}

/* What comes while a round is under way goes into its accounts together; the one that cannot be made fails alone. */
static void test_rounds(void **state)
{
	struct deliver_local *d = start();
	struct fake_reply    *first, *r[60];

	(void)state;
	fake.bad = 31;
	gate(&fake.gate, true);
	first = ask(d, 1, 1000);
	for (size_t i = 0; i < LEN(r); i++)
		r[i] = ask(d, 2 + i % 2, 1 + i);
	gate(&fake.gate, false);
	assert_int_equal(result_of(first), LOCAL_DELIVERED);
	for (size_t i = 0; i < LEN(r); i++)
		assert_int_equal(result_of(r[i]), 1 + i == fake.bad ? LOCAL_DEFERRED : LOCAL_DELIVERED);
	assert_int_equal(fake.count, LEN(r));
	/* The first, one of each account's lines, and those of the bad one's line again, each by itself. */
	assert_in_range(fake.transactions, 2, 3 + LEN(r) / 2 + 3);
	end(&d);
}

/* What a dead process had in hand shares its transaction with nothing. */
static void test_alone(void **state)
{
	struct deliver_local *d = start();
	struct fake_reply    *first, *r[20];

	(void)state;
	gate(&fake.gate, true);
	first = ask(d, 1, 1000);
	for (size_t i = 0; i < LEN(r); i++)
		r[i] = ask_as(d, 2, 1 + i, true);
	gate(&fake.gate, false);
	assert_int_equal(result_of(first), LOCAL_DELIVERED);
	for (size_t i = 0; i < LEN(r); i++)
		assert_int_equal(result_of(r[i]), LOCAL_DELIVERED);
	assert_int_equal(fake.transactions, 1 + LEN(r));
	end(&d);
}

static void test_failures(void **state)
{
	static const enum status all[] = { ST_FULL, ST_LIMIT, ST_TEMP, ST_SUSPECT, ST_CORRUPT, ST_INVALID, ST_IO, ST_VERSION };
	struct deliver_local    *d = start();

	(void)state;
	for (size_t i = 0; i < LEN(all); i++) {
		fake.deliver_status = all[i];
		assert_int_equal(result_of(ask(d, 5, i + 1)), LOCAL_DEFERRED);
	}
	assert_int_equal(fake.settles, 0);
	end(&d);
}

/* A settling that fails is no delivery; also not for what was committed while it ran and is not named by the next. */
static void test_settle_fails(void **state)
{
	struct deliver_local *d = start();
	struct fake_reply    *first, *second;

	(void)state;
	fake.settle_status = ST_SUSPECT;
	gate(&fake.gate_settle, true);
	first = ask(d, 5, 1);
	wait_count(&fake.settles, 1);
	second = ask(d, 5, 2);
	wait_count(&fake.count, 2);
	pthread_mutex_lock(&fake.lock);
	fake.settled_upto = 2; /* that settling took it along */
	fake.settle_status = ST_OK;
	pthread_mutex_unlock(&fake.lock);
	gate(&fake.gate_settle, false);
	fake_reply_wait(first);
	fake_reply_wait(second);
	assert_int_equal(first->status, ST_BUSY); /* asked again under the same id: a part of it may have been synced before */
	assert_int_equal(second->status, ST_BUSY);
	fake_reply_done(&first);
	fake_reply_done(&second);
	assert_int_equal(result_of(ask(d, 5, 3)), LOCAL_DELIVERED); /* repaired */
	end(&d);
}

/* A repeat is answered the same way, but only after the account is settled: it may be from before a restart. */
static void test_repeat(void **state)
{
	struct deliver_local *d = start();

	(void)state;
	fake.duplicate = true;
	assert_int_equal(result_of(ask(d, 5, 1)), LOCAL_DELIVERED);
	assert_int_equal(fake.own_settles, 1);
	end(&d);
}

/* A suspect account is repaired by the next delivery, after what was committed there before is settled and answered. */
static void test_repair(void **state)
{
	struct deliver_local *d = start();
	struct fake_reply    *first, *second;

	(void)state;
	fake.repairable = true;
	gate(&fake.gate_settle, true);
	first = ask(d, 5, 1);
	wait_count(&fake.settles, 1);
	pthread_mutex_lock(&fake.lock);
	fake.deliver_status = ST_SUSPECT;
	pthread_mutex_unlock(&fake.lock);
	second = ask(d, 5, 2);
	assert_int_equal(fake.repairs, 0);
	gate(&fake.gate_settle, false);
	assert_int_equal(result_of(first), LOCAL_DELIVERED);
	assert_int_equal(result_of(second), LOCAL_DELIVERED);
	assert_int_equal(fake.repairs, 1);
	end(&d);
}

/* Committed, but nobody knows whether durably: no result is said, so that queue asks again under the same id. */
static void test_unsure(void **state)
{
	static const enum status all[] = { ST_TEMP, ST_IO, ST_FULL };
	struct deliver_local    *d = start();

	(void)state;
	for (size_t i = 0; i < LEN(all); i++) {
		struct fake_reply *r;

		fake.settle_status = all[i];
		r = ask(d, 5, i + 1);
		fake_reply_wait(r);
		assert_int_equal(r->status, ST_BUSY);
		fake_reply_done(&r);
	}
	end(&d);
}

static void test_purge_and_stop(void **state)
{
	struct deliver_local      *d = start();
	struct local_purge_request q = { 5 };
	struct fake_reply         *r = fake_ipc_ask(deliver_local_rows[1].handler, d, IPC_LOCAL_PURGE, &q);

	(void)state;
	fake_reply_wait(r);
	assert_int_equal(r->status, ST_OK);
	assert_int_equal(fake.purged, 1);
	fake_reply_done(&r);
	deliver_local_stop(d);
	assert_int_equal(result_of(ask(d, 5, 1)), LOCAL_DEFERRED);
	deliver_local_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),          cmocka_unit_test(test_group),  cmocka_unit_test(test_order),
		cmocka_unit_test(test_rounds),       cmocka_unit_test(test_alone),        cmocka_unit_test(test_failures),     cmocka_unit_test(test_settle_fails),
		cmocka_unit_test(test_repeat),       cmocka_unit_test(test_repair), cmocka_unit_test(test_unsure),
		cmocka_unit_test(test_purge_and_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
