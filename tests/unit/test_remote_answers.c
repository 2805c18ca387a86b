/* What is kept of DNS: whole, as long as it lives, and no failures. */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "deliver/remote_answers.h"
#include "sys/clock.h"

struct resolver {
	struct dns_lookup_reply reply;
	enum status             st;
	unsigned                asked;
};

static enum status ask(void *ctx, struct str name, enum dns_type type, struct arena *a, struct dns_lookup_reply *ret)
{
	struct resolver *r = ctx;

	(void)name;
	(void)type;
	(void)a;
	r->asked++;
	*ret = r->reply;
	return r->st;
}

static struct dns_record mx[] = { { 10, STR("mx1.x.test") }, { 20, STR("") } };

struct rig {
	struct resolver        behind;
	struct remote_answers *answers;
	struct remote_resolver dns;
	struct arena          *arena;
};

static void rig_init(struct rig *r)
{
	*r = (struct rig){ .behind.reply = { DNS_NOERROR, DNS_SECURE, 300, mx, 2, STR("y.test") }, .arena = arena_new(0) };
	r->answers = remote_answers_new((struct remote_resolver){ ask, &r->behind });
	r->dns = remote_answers_resolver(r->answers);
}

static void rig_done(struct rig *r)
{
	remote_answers_free(&r->answers);
	arena_free(&r->arena);
}

static struct dns_lookup_reply get(struct rig *r, const char *name, enum dns_type type)
{
	struct dns_lookup_reply reply = { 0 };

	assert_int_equal(r->dns.lookup(r->dns.ctx, str_of(name), type, r->arena, &reply), r->behind.st);
	return reply;
}

static void test_known(void **state)
{
	struct rig              r;
	struct dns_lookup_reply reply;

	(void)state;
	rig_init(&r);
	for (int i = 0; i < 3; i++) {
		reply = get(&r, "x.test", DNS_MX);
		assert_int_equal(reply.rcode, DNS_NOERROR);
		assert_int_equal(reply.security, DNS_SECURE);
		assert_int_equal(reply.record_count, 2);
		assert_int_equal(reply.records[1].preference, 20);
		assert_str(reply.records[0].data, STR("mx1.x.test"));
		assert_str(reply.records[1].data, STR(""));
		assert_str(reply.canonical, STR("y.test"));
	}
	assert_int_equal(r.behind.asked, 1);
	assert_true(reply.ttl_s <= 60); /* of the minute that it is kept */
	(void)get(&r, "x.test", DNS_A);
	(void)get(&r, "xx.test", DNS_MX);
	assert_int_equal(r.behind.asked, 3);
	rig_done(&r);
}

/* That there are none is an answer. */
static void test_none(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.behind.reply = (struct dns_lookup_reply){ .rcode = DNS_NXDOMAIN, .ttl_s = 60, .canonical = STR("") };
	(void)get(&r, "x.test", DNS_MX);
	assert_int_equal(get(&r, "x.test", DNS_MX).rcode, DNS_NXDOMAIN);
	assert_int_equal(r.behind.asked, 1);
	rig_done(&r);
}

static void test_not_kept(void **state)
{
	static const enum status failures[] = { ST_TEMP, ST_CORRUPT, ST_BUSY, ST_INVALID };
	static char       large[LIMIT_REMOTE_DNS_SIZE];
	struct dns_record big = { 0, str_n(large, sizeof(large)) };
	struct rig        r;

	(void)state;
	rig_init(&r);
	for (size_t i = 0; i < LEN(failures); i++) {
		r.behind.asked = 0;
		r.behind.st = failures[i];
		(void)get(&r, "x.test", DNS_MX);
		(void)get(&r, "x.test", DNS_MX);
		assert_int_equal(r.behind.asked, 2);
	}
	r.behind.st = ST_OK;
	r.behind.asked = 0;
	r.behind.reply.ttl_s = 0;
	(void)get(&r, "x.test", DNS_MX);
	(void)get(&r, "x.test", DNS_MX);
	assert_int_equal(r.behind.asked, 2);
	r.behind.reply = (struct dns_lookup_reply){ DNS_NOERROR, DNS_INSECURE, 300, &big, 1, STR("") };
	(void)get(&r, "x.test", DNS_TXT);
	assert_int_equal(get(&r, "x.test", DNS_TXT).records[0].data.n, sizeof(large));
	assert_int_equal(r.behind.asked, 4);
	rig_done(&r);
}

/* An answer ends with its records. */
static void test_end(void **state)
{
	struct rig r;
	int64_t    began = clock_mono_ms();

	(void)state;
	rig_init(&r);
	r.behind.reply.ttl_s = 1;
	(void)get(&r, "x.test", DNS_MX);
	while (clock_mono_ms() <= began + 1100)
		usleep(20 * 1000);
	(void)get(&r, "x.test", DNS_MX);
	assert_int_equal(r.behind.asked, 2);
	rig_done(&r);
}

/* More names than there is room for: all are answered, and memory is bounded. */
static void test_many(void **state)
{
	struct rig r;
	char       name[32];

	(void)state;
	rig_init(&r);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < 3 * LIMIT_REMOTE_DNS; i++) {
			(void)snprintf(name, sizeof(name), "d%u.test", i);
			assert_int_equal(get(&r, name, DNS_MX).record_count, 2);
		}
	assert_true(r.behind.asked >= 5 * LIMIT_REMOTE_DNS);
	rig_done(&r);
}

/* ---- many at once ---- */

#define ASKERS 8u

static struct remote_answers *slow_answers;
static atomic_uint            slow_asked;
static _Atomic(enum status)   slow_st;

static enum status ask_slowly(void *ctx, struct str name, enum dns_type type, struct arena *a, struct dns_lookup_reply *ret)
{
	(void)ctx;
	(void)name;
	(void)type;
	(void)a;
	atomic_fetch_add(&slow_asked, 1);
	while (remote_answers_waiting(slow_answers) < ASKERS - 1) /* answered when all others wait for it */
		usleep(1000);
	*ret = (struct dns_lookup_reply){ DNS_NOERROR, DNS_INSECURE, 300, mx, 2, STR("") };
	return atomic_load(&slow_st);
}

static void *asker(void *arg)
{
	struct remote_resolver  dns = remote_answers_resolver(arg);
	struct arena           *arena = arena_new(0);
	struct dns_lookup_reply reply;

	assert_int_equal(dns.lookup(dns.ctx, STR("x.test"), DNS_MX, arena, &reply), atomic_load(&slow_st));
	if (atomic_load(&slow_st) == ST_OK)
		assert_str(reply.records[0].data, STR("mx1.x.test"));
	arena_free(&arena);
	return NULL;
}

/* Who asks what is being asked has its answer, or its failure; the next is asked anew. */
static void test_together(void **state)
{
	static const enum status sts[] = { ST_TEMP, ST_CORRUPT, ST_OK };
	pthread_t                threads[ASKERS];

	(void)state;
	slow_answers = remote_answers_new((struct remote_resolver){ ask_slowly, NULL });
	for (size_t i = 0; i < LEN(sts); i++) {
		atomic_store(&slow_st, sts[i]);
		atomic_store(&slow_asked, 0);
		for (size_t t = 0; t < LEN(threads); t++)
			assert_int_equal(pthread_create(&threads[t], NULL, asker, slow_answers), 0);
		for (size_t t = 0; t < LEN(threads); t++)
			assert_int_equal(pthread_join(threads[t], NULL), 0);
		assert_int_equal(atomic_load(&slow_asked), 1);
		assert_int_equal(remote_answers_waiting(slow_answers), 0);
	}
	remote_answers_free(&slow_answers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_not_kept),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
