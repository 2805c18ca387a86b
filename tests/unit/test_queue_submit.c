/* Taking messages: one transaction id is one message; what is refused; large content; group commit. */
#include "unit.h"

#include <openssl/evp.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/limits.h"
#include "queue/queue_in.h"
#include "queue_rig.h"
#include "sys/fault.h"

#define MAIL "From: a@far.test\r\nSubject: x\r\n\r\nHello\r\n"

static struct queue_submit_reply over(struct fake_reply *r)
{
	struct queue_submit_reply body;

	assert_true(r->over);
	assert_int_equal(r->status, ST_OK);
	body = *(struct queue_submit_reply *)r->body;
	fake_reply_done(&r);
	return body;
}

static struct fake_reply *ask_known(struct rig *r, const char *txid)
{
	char                       p[QUEUE_TXID] = { 0 };
	struct queue_known_request q = { { p, sizeof(p) } };

	memcpy(p, txid, strlen(txid));
	return fake_ipc_ask(queue_known, r->q, IPC_QUEUE_KNOWN, &q);
}

static uint64_t known(struct rig *r, const char *txid)
{
	struct fake_reply       *reply = ask_known(r, txid);
	struct queue_known_reply body;

	rig_settle(r);
	assert_true(reply->over);
	body = *(struct queue_known_reply *)reply->body;
	fake_reply_done(&reply);
	return body.known ? body.id : 0;
}

static struct fake_reply *submit(struct rig *r, const char *txid)
{
	return rig_submit_raw(r, txid, "a@far.test", "bob@demo.test", STR(MAIL), -1, strlen(MAIL));
}

static void test_idempotent(void **state)
{
	struct rig       *r = rig_new();
	struct fake_reply *a, *b, *k;
	uint64_t           id;

	(void)state;
	rig_open(r);
	assert_int_equal(known(r, "one"), 0);
	a = submit(r, "one"); /* both in one batch, and the question waits for them */
	b = submit(r, "one");
	k = ask_known(r, "one");
	assert_false(k->over);
	rig_settle(r);
	id = over(a).id;
	assert_true(id != 0);
	assert_int_equal(over(b).id, id);
	assert_int_equal(((struct queue_known_reply *)k->body)->id, id);
	fake_reply_done(&k);
	assert_int_equal(rig_messages(r), 1);
	rig_resolve(r, "5");
	rig_local(r, LOCAL_DELIVERED, "", "");
	assert_int_equal(rig_messages(r), 0);
	a = submit(r, "one"); /* also when it is long gone */
	rig_settle(r);
	assert_int_equal(over(a).id, id);
	rig_close(r);
	rig_open(r);
	assert_int_equal(known(r, "one"), id);
	a = submit(r, "one"); /* and after a restart */
	rig_settle(r);
	assert_int_equal(over(a).id, id);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

static void test_txids_trimmed(void **state)
{
	struct rig *r = rig_new();
	char        txid[QUEUE_TXID + 1];

	(void)state;
	r->options.txid_max = 100;
	rig_open(r);
	for (int i = 0; i < 500; i++) {
		struct fake_reply *a;

		snprintf(txid, sizeof(txid), "x%d", i);
		a = submit(r, txid);
		rig_settle(r);
		assert_true(over(a).id != 0);
		while (rig_resolve(r, "5") || rig_local(r, LOCAL_DELIVERED, "", ""))
			;
	}
	assert_true(known(r, "x499") != 0);
	assert_true(known(r, "x450") != 0);
	assert_int_equal(known(r, "x0"), 0);
	rig_close(r);
	rig_open(r);
	assert_true(known(r, "x499") != 0);
	assert_int_equal(known(r, "x0"), 0);
	rig_free(&r);
}

static void test_refused(void **state)
{
	static const struct {
		const char *from, *to, *content;
		uint64_t    size;
	} bad[] = {
		{ "a@far.test", "bob@demo.test", MAIL, 3 },
		{ "a@far.test", "bob@demo.test", "", 0 },
		{ "a@far.test", "", MAIL, sizeof(MAIL) - 1 },
		{ "a@far\r\n.test", "bob@demo.test", MAIL, sizeof(MAIL) - 1 },
		{ "a@far.test", "bob\n@demo.test", MAIL, sizeof(MAIL) - 1 },
		{ "a@far.test", "bob@demo.test", MAIL, LIMIT_INLINE + 1 },
	};
	struct rig *r = rig_new();

	(void)state;
	rig_open(r);
	for (size_t i = 0; i < LEN(bad); i++) {
		struct fake_reply *a = rig_submit_raw(r, NULL, bad[i].from, bad[i].to, str_of(bad[i].content), -1, bad[i].size);

		rig_settle(r);
		assert_int_equal(over(a).result, QUEUE_SUBMIT_INVALID);
	}
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* Fields that no honest asker sends. */
static void test_refused_fields(void **state)
{
	char                              txid[QUEUE_TXID] = { 1 };
	struct queue_rcpt                 rcpt = { STR("bob@demo.test") };
	const struct queue_submit_request good = {
		.txid = str_n(txid, sizeof(txid)), .from = STR("a@far.test"), .rcpts = &rcpt, .rcpt_count = 1, .session = STR("s"),
		.peer = STR("192.0.2.1"), .size = strlen(MAIL), .content = STR(MAIL), .spool = -1,
	};
	struct queue_submit_request bad[] = { good, good, good, good, good };
	struct rig                 *r = rig_new();

	(void)state;
	bad[0].session = STR("s\x1b[31m");
	bad[1].peer = STR("192.0.2.1\n");
	bad[2].received_ms = -1;
	bad[3].received_ms = INT64_MAX;
	rig_open(r);
	for (size_t i = 0; i < LEN(bad); i++) {
		struct fake_reply *a = fake_ipc_ask(queue_submit, r->q, IPC_QUEUE_SUBMIT, &bad[i]);

		rig_settle(r);
		assert_int_equal(over(a).result, i < 4 ? QUEUE_SUBMIT_INVALID : QUEUE_SUBMIT_QUEUED);
	}
	rig_resolve(r, "5");
	rig_local(r, LOCAL_DELIVERED, "", "");
	rig_free(&r);
}

/* smtp talks to strangers: what it says to be of an account it proves by the token of the sign-in. */
static void test_proof(void **state)
{
	static const struct {
		uint64_t                 account;
		uint32_t                 flags;
		enum role_id             asker;
		enum status              st; /* auth's answer; ST_NOT_FOUND: it is not asked */
		uint64_t                 whose;
		unsigned                 want; /* enum queue_submit_result; above the last: not answered, ask again */
	} cases[] = {
		{ 7, QUEUE_FLAG_SUBMIT, ROLE_SMTP, ST_OK, 7, QUEUE_SUBMIT_QUEUED },
		{ 7, QUEUE_FLAG_SUBMIT, ROLE_SMTP, ST_OK, 8, QUEUE_SUBMIT_DENIED },
		{ 7, 0, ROLE_SMTP, ST_OK, 8, QUEUE_SUBMIT_DENIED },
		{ 0, QUEUE_FLAG_SUBMIT, ROLE_SMTP, ST_OK, 8, QUEUE_SUBMIT_DENIED },
		{ 0, QUEUE_FLAG_SUBMIT, ROLE_SMTP, ST_OK, 0, QUEUE_SUBMIT_DENIED },
		{ 7, QUEUE_FLAG_SUBMIT, ROLE_SMTP, ST_DENIED, 0, QUEUE_SUBMIT_DENIED },
		{ 7, QUEUE_FLAG_SUBMIT, ROLE_SMTP, ST_TEMP, 0, QUEUE_SUBMIT_LAST + 1 },
		{ 0, 0, ROLE_SMTP, ST_NOT_FOUND, 0, QUEUE_SUBMIT_QUEUED },
		{ 0, QUEUE_FLAG_SUBMIT, ROLE_CONTROL, ST_NOT_FOUND, 0, QUEUE_SUBMIT_QUEUED },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct rig        *r = rig_new();
		struct fake_reply *a, *k;
		struct fake_call  *c;

		rig_open(r);
		rig_wants.account = cases[i].account;
		rig_wants.flags = cases[i].flags;
		rig_wants.token = "t0";
		fake_ipc_asker = cases[i].asker;
		a = submit(r, "one");
		fake_ipc_asker = ROLE_MASTER;
		k = ask_known(r, "one");
		rig_settle(r);
		c = fake_ipc_next(IPC_AUTH_TOKEN);
		assert_int_equal(c != NULL, cases[i].st != ST_NOT_FOUND);
		if (c) {
			/* Whether it is known depends on auth's answer, and waits for it. */
			assert_false(a->over || k->over);
			assert_str(((const struct auth_token_request *)c->body)->token, STR("t0"));
			fake_ipc_answer(c, cases[i].st, cases[i].st == ST_OK ? &(struct auth_token_reply){ cases[i].whose } : NULL);
			rig_settle(r);
		}
		assert_int_equal(((struct queue_known_reply *)k->body)->known, cases[i].want == QUEUE_SUBMIT_QUEUED);
		fake_reply_done(&k);
		if (cases[i].want > QUEUE_SUBMIT_LAST) {
			assert_true(a->over);
			assert_int_equal(a->status, ST_BUSY);
			fake_reply_done(&a);
		} else {
			assert_int_equal(over(a).result, cases[i].want);
		}
		assert_int_equal(rig_messages(r), cases[i].want == QUEUE_SUBMIT_QUEUED);
		rig_free(&r);
	}
}

/* Many submits in one transaction: one sync for all. */
#ifdef POSTRIDER_FAULTS
static uint64_t syncs;

static void count_sync(void *arg, const struct fault_event *e)
{
	(void)arg;
	syncs += e->kind == FAULT_EVENT_SYNC;
}
#endif

static void test_group_commit(void **state)
{
	struct rig        *r = rig_new();
	struct fake_reply *a[200];

	(void)state;
	rig_open(r);
	for (size_t i = 0; i < LEN(a); i++)
		a[i] = submit(r, NULL);
	assert_false(a[0]->over);
#ifdef POSTRIDER_FAULTS
	syncs = 0;
	fault_record_to(count_sync, NULL);
#endif
	queue_turn(r->q);
#ifdef POSTRIDER_FAULTS
	fault_record_to(NULL, NULL);
	assert_int_equal(syncs, 1);
#endif
	for (size_t i = 0; i < LEN(a); i++)
		assert_true(over(a[i]).id != 0);
	assert_int_equal(rig_messages(r), LEN(a));
	rig_free(&r);
}

/* ---- large content ---- */

static int spool_of(struct rig *r, size_t size)
{
	struct fake_reply *reply = fake_ipc_ask(queue_spool, r->q, IPC_QUEUE_SPOOL, "");
	int                spool;
	char               block[1000];

	assert_true(reply->over);
	assert_int_equal(reply->status, ST_OK);
	spool = ((struct queue_spool_reply *)reply->body)->spool;
	fake_reply_done(&reply);
	for (size_t at = 0; at < size; at += sizeof(block)) {
		memset(block, 'a' + (int)(at / sizeof(block) % 26), sizeof(block));
		assert_int_equal(write(spool, block, sizeof(block)), sizeof(block));
	}
	assert_int_equal(pwrite(spool, "S: x\r\n\r\n", 8, 0), 8);
	return spool;
}

static void test_large(void **state)
{
	struct rig                         *r = rig_new();
	const struct local_deliver_request *d;
	struct fake_call                   *c;
	struct fake_reply                  *a;
	size_t                              size = 400000;
	char                               *got = malloc(size), hash[32];
	int                                 spool;

	(void)state;
	rig_open(r);
	spool = spool_of(r, size);
	a = rig_submit_raw(r, "big", "a@far.test", "bob@demo.test", STR(""), spool, size);
	assert_int_equal(pwrite(spool, "evil", 4, 8), 4); /* smtp is no longer believed */
	rig_settle(r);
	assert_true(over(a).id != 0);
	rig_crash(r);
	rig_open(r);
	rig_resolve(r, "5");
	c = fake_ipc_next(IPC_LOCAL_DELIVER);
	assert_non_null(c);
	d = c->body;
	assert_int_equal(d->content.n, 0);
	assert_int_equal(d->size, size);
	assert_int_equal(pread(d->file, got, size, 0), size);
	assert_memory_equal(got, "S: x\r\n\r\naaaa", 12);
	assert_true(EVP_Digest(got, size, (unsigned char *)hash, NULL, EVP_sha256(), NULL));
	assert_str(d->hash, str_n(hash, sizeof(hash)));
	assert_true(write(d->file, "x", 1) < 0); /* for reading only */
	fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
	rig_settle(r);
	assert_int_equal(rig_messages(r), 0);
	close(spool);
	free(got);
	rig_free(&r);
}

/* The same with large content: who asks for its id is put behind the copiers too. */
static void test_large_proof(void **state)
{
	struct rig        *r = rig_new();
	struct fake_reply *a, *k;
	struct fake_call  *c;

	(void)state;
	rig_open(r);
	for (int good = 0; good < 2; good++) {
		int spool = spool_of(r, 300000);

		rig_wants.account = 7;
		rig_wants.token = "t0";
		fake_ipc_asker = ROLE_SMTP;
		a = rig_submit_raw(r, "big", "a@far.test", "bob@demo.test", STR(""), spool, 300000);
		fake_ipc_asker = ROLE_MASTER;
		k = ask_known(r, "big");
		c = fake_ipc_next(IPC_AUTH_TOKEN);
		assert_non_null(c);
		fake_ipc_answer(c, ST_OK, &(struct auth_token_reply){ good ? 7 : 9 });
		rig_settle(r);
		assert_int_equal(((struct queue_known_reply *)k->body)->known, good);
		fake_reply_done(&k);
		assert_int_equal(over(a).result, good ? QUEUE_SUBMIT_QUEUED : QUEUE_SUBMIT_DENIED);
	}
	rig_free(&r);
}

static void test_large_refused(void **state)
{
	struct rig *r = rig_new();
	int         spool;

	(void)state;
	rig_open(r);
	spool = spool_of(r, 300000);
	struct fake_reply *a = rig_submit_raw(r, NULL, "a@far.test", "bob@demo.test", STR(""), spool, 300001);
	rig_settle(r);
	assert_int_equal(over(a).result, QUEUE_SUBMIT_INVALID); /* shorter than said */
	a = rig_submit_raw(r, NULL, "a@far.test", "bob@demo.test", STR(""), spool, 1000);
	rig_settle(r);
	assert_int_equal(over(a).result, QUEUE_SUBMIT_INVALID); /* small, but not inline */
#ifdef POSTRIDER_FAULTS
	fault_set("disk.sync", "", 1, false, EIO);
	a = rig_submit_raw(r, NULL, "a@far.test", "bob@demo.test", STR(""), spool, 300000);
	rig_settle(r);
	assert_int_equal(over(a).result, QUEUE_SUBMIT_SUSPECT);
	fault_clear();
#endif
	assert_int_equal(rig_messages(r), 0);
	close(spool);
	rig_free(&r);
}

/* ---- memory: what does not fit waits on disk, and all of it is delivered ---- */

static void test_small_window(void **state)
{
	struct rig *r = rig_new();
	int         delivered = 0;

	(void)state;
	r->options.active_max = 5;
	r->options.memory_octets = 300;
	rig_open(r);
	for (int i = 0; i < 100; i++)
		assert_true(rig_submit(r, "a@far.test", "bob@demo.test", MAIL) != 0);
	assert_true(atomic_load(&r->q->active_count) <= 5);
	assert_int_equal(rig_messages(r), 100);
	for (int i = 0; i < 1000 && delivered < 100; i++) {
		rig_pass(r, 100);
		rig_resolve(r, "5");
		delivered += rig_local(r, LOCAL_DELIVERED, "", "");
		assert_true(atomic_load(&r->q->memory) <= 300);
	}
	assert_int_equal(delivered, 100);
	assert_int_equal(rig_messages(r), 0);
	assert_int_equal(atomic_load(&r->q->active_count), 0);
	assert_int_equal(atomic_load(&r->q->memory), 0);
	rig_free(&r);
}

/* The floor never passes a message that may be repeated, in memory or on disk. */
static void test_floor(void **state)
{
	struct rig *r = rig_new();
	uint64_t    ids[20], open_from = 0;

	(void)state;
	r->options.active_max = 4;
	rig_open(r);
	for (size_t i = 0; i < LEN(ids); i++)
		ids[i] = rig_submit(r, "a@far.test", "bob@demo.test", MAIL);
	for (int i = 0; i < 500 && rig_messages(r) > 0; i++) {
		struct fake_call *c;

		rig_pass(r, 100);
		while (rig_resolve(r, "5"))
			;
		c = fake_ipc_next(IPC_LOCAL_DELIVER);
		if (!c)
			continue;
		const struct local_deliver_request *d = c->body;
		assert_true(d->floor <= ids[open_from]);
		assert_true(d->delivery >= d->floor);
		if (d->delivery == ids[open_from])
			open_from = MIN(open_from + 1, LEN(ids) - 1);
		fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
		rig_settle(r);
	}
	assert_int_equal(rig_messages(r), 0);
	assert_true(atomic_load(&r->q->floor) > ids[LEN(ids) - 1]);
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idempotent), cmocka_unit_test(test_txids_trimmed), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_fields), cmocka_unit_test(test_proof),
		cmocka_unit_test(test_group_commit), cmocka_unit_test(test_large), cmocka_unit_test(test_large_refused), cmocka_unit_test(test_large_proof),
		cmocka_unit_test(test_small_window), cmocka_unit_test(test_floor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
