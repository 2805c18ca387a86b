/* deliver/remote_sts.h: the cache with fake clocks, fake DNS, a fake policy host and a fake auth. RFC 8461 §3.3, §5.1. */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "fake_dns.h"

#include "deliver/remote_sts.h"

#define HOUR ((int64_t)3600 * 1000)
#define DAY  (24 * HOUR)

#define POLICY(mode) "version: STSv1\nmode: " mode "\nmx: *.d.test\nmx: mx.d.test\nmax_age: 604800\n"
#define ENFORCE      POLICY("enforce")
#define RECORD       "v=STSv1; id=1;"

static _Atomic int64_t mono_now, wall_now;
static int64_t         mono(void) { return mono_now; }
static int64_t         wall(void) { return wall_now; }

/* The policy host. */
static struct {
	enum http_result result;
	unsigned         status;
	const char      *type, *body;
	atomic_uint      fetches, running;
	atomic_bool      stall;
	char             host[256], address[64];
} web;

/* auth */
static struct {
	char        domain[256], id[64], policy[512];
	int64_t     fetched_ms;
	unsigned    gets, puts;
	enum status st; /* of get, unless there is one */
} kept;

static enum http_result fetch(const struct http_request *q, struct arena *a, struct http_reply *ret)
{
	web.fetches++;
	web.running++;
	assert_true(str_to_c(q->host, web.host, sizeof(web.host)));
	assert_true(str_to_c(q->addresses[0], web.address, sizeof(web.address)));
	assert_str(q->path, STR("/.well-known/mta-sts.txt"));
	assert_str(q->authorities, STR("PEM"));
	assert_int_equal(q->port, 8443);
	assert_false(q->post);
	while (web.stall)
		usleep(1000);
	web.running--;
	*ret = (struct http_reply){ .status = web.status, .content_type = str_of(web.type), .body = arena_dup(a, str_of(web.body)), .why = STR("") };
	return web.result;
}

static enum status get(void *ctx, struct str domain, struct arena *a, struct auth_sts *ret)
{
	(void)ctx;
	(void)a;
	kept.gets++;
	if (kept.policy[0] == '\0' || !str_eq(domain, str_of(kept.domain)))
		return kept.st;
	*ret = (struct auth_sts){ domain, str_of(kept.id), str_of(kept.policy), kept.fetched_ms };
	return ST_OK;
}

static void put(void *ctx, const struct auth_sts *s)
{
	(void)ctx;
	kept.puts++;
	assert_true(str_to_c(s->domain, kept.domain, sizeof(kept.domain)) && str_to_c(s->id, kept.id, sizeof(kept.id)) &&
		    str_to_c(s->policy, kept.policy, sizeof(kept.policy)));
	kept.fetched_ms = s->fetched_ms;
}

struct rig {
	struct fake_record records[8];
	struct fake_zone   zone;
	struct remote      remote;
	struct arena      *arena;
	struct remote_sts  found;
};

static void cache_open(struct rig *r)
{
	r->remote.sts = remote_sts_open(&(struct remote_sts_options){ .get = get, .put = put, .fetch = fetch, .mono_ms = mono, .wall_ms = wall, .threadless = true });
}

static void rig_init(struct rig *r)
{
	*r = (struct rig){ .arena = arena_new(NULL) };
	r->records[0] = (struct fake_record){ "_mta-sts.d.test", DNS_TXT, RECORD };
	r->records[1] = (struct fake_record){ "mta-sts.d.test", DNS_A, "192.0.2.1" };
	r->zone.records = r->records;
	r->remote = fake_remote(&r->zone);
	r->remote.settings.authorities = STR("PEM");
	r->remote.settings.https_port = 8443;
	memset(&web, 0, sizeof(web));
	web.status = 200;
	web.type = "text/plain";
	web.body = ENFORCE;
	memset(&kept, 0, sizeof(kept));
	kept.st = ST_NOT_FOUND;
	mono_now = 50 * DAY;
	wall_now = 20000 * DAY;
	cache_open(r);
}

static void rig_done(struct rig *r)
{
	remote_sts_close(&r->remote.sts);
	arena_free(&r->arena);
}

static void find(struct rig *r, const char *domain, enum sts_mode mode, enum tlsrpt_result trouble, unsigned fetches)
{
	remote_sts_find(&r->remote, str_of(domain), r->arena, &r->found);
	assert_int_equal(r->found.mode, mode);
	assert_int_equal(r->found.trouble, trouble);
	assert_int_equal(web.fetches, fetches);
}

static void pass(int64_t ms)
{
	mono_now += ms;
	wall_now += ms;
}

static void test_first(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	find(&r, "D.Test.", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	assert_string_equal(web.host, "mta-sts.d.test");
	assert_string_equal(web.address, "192.0.2.1");
	assert_string_equal(kept.id, "1");
	assert_str(r.found.text, STR(ENFORCE));
	assert_int_equal(r.found.mx_count, 2);
	assert_str(r.found.mx[0], STR("*.d.test"));
	assert_true(remote_sts_matches(&r.found, STR("a.D.test.")));
	assert_true(remote_sts_matches(&r.found, STR("mx.d.test")));
	assert_false(remote_sts_matches(&r.found, STR("d.test")));
	assert_false(remote_sts_matches(&r.found, STR("a.b.d.test")));
	assert_false(remote_sts_matches(&r.found, STR("evil.test")));
	assert_int_equal(kept.puts, 1);
	assert_string_equal(kept.policy, ENFORCE);
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	assert_int_equal(kept.gets, 1);
	assert_false(remote_sts_work(r.remote.sts));
	rig_done(&r);
}

static const struct {
	const char       *records[3];
	enum http_result  result;
	unsigned          status;
	const char       *type, *body;
	enum sts_mode     mode;
	enum tlsrpt_result trouble;
	unsigned          fetches;
} firsts[] = {
	{ { RECORD }, HTTP_OK, 200, "text/plain; charset=utf-8", POLICY("testing"), STS_TESTING, TLSRPT_SUCCESS, 1 },
	{ { RECORD }, HTTP_OK, 200, "Text/Plain", "version: STSv1\nmode: none\nmax_age: 5\n", STS_NONE, TLSRPT_SUCCESS, 1 },
	{ { "v=spf1 -all", RECORD, "v=STSv1" }, HTTP_OK, 200, "text/plain", ENFORCE, STS_ENFORCE, TLSRPT_SUCCESS, 1 },
	{ { RECORD, "v=STSv1; id=2;" }, HTTP_OK, 200, "text/plain", ENFORCE, STS_NONE, TLSRPT_SUCCESS, 0 },
	{ { "v=STSv1; id=a-b" }, HTTP_OK, 200, "text/plain", ENFORCE, STS_NONE, TLSRPT_SUCCESS, 0 },
	{ { RECORD, "v=STSv1; nonsense" }, HTTP_OK, 200, "text/plain", ENFORCE, STS_NONE, TLSRPT_SUCCESS, 0 },
	{ { "v=spf1 -all" }, HTTP_OK, 200, "text/plain", ENFORCE, STS_NONE, TLSRPT_SUCCESS, 0 },
	{ { "!" }, HTTP_OK, 200, "text/plain", ENFORCE, STS_NONE, TLSRPT_SUCCESS, 0 },
	{ { "?" }, HTTP_OK, 200, "text/plain", ENFORCE, STS_NONE, TLSRPT_SUCCESS, 0 },
	{ { RECORD }, HTTP_OK, 404, "text/plain", ENFORCE, STS_NONE, TLSRPT_STS_POLICY_FETCH_ERROR, 1 },
	{ { RECORD }, HTTP_OK, 301, "text/plain", ENFORCE, STS_NONE, TLSRPT_STS_POLICY_FETCH_ERROR, 1 },
	{ { RECORD }, HTTP_OK, 204, "text/plain", ENFORCE, STS_NONE, TLSRPT_STS_POLICY_FETCH_ERROR, 1 },
	{ { RECORD }, HTTP_OK, 200, "text/html", ENFORCE, STS_NONE, TLSRPT_STS_POLICY_INVALID, 1 },
	{ { RECORD }, HTTP_OK, 200, "", ENFORCE, STS_NONE, TLSRPT_STS_POLICY_INVALID, 1 },
	{ { RECORD }, HTTP_OK, 200, "text/plain", "nonsense", STS_NONE, TLSRPT_STS_POLICY_INVALID, 1 },
	{ { RECORD }, HTTP_CERTIFICATE, 0, "", "", STS_NONE, TLSRPT_STS_WEBPKI_INVALID, 1 },
	{ { RECORD }, HTTP_TLS, 0, "", "", STS_NONE, TLSRPT_STS_POLICY_FETCH_ERROR, 1 },
	{ { RECORD }, HTTP_UNREACHABLE, 0, "", "", STS_NONE, TLSRPT_STS_POLICY_FETCH_ERROR, 1 },
	{ { RECORD }, HTTP_TIMEOUT, 0, "", "", STS_NONE, TLSRPT_STS_POLICY_FETCH_ERROR, 1 },
	{ { RECORD }, HTTP_LARGE, 200, "text/plain", ENFORCE, STS_NONE, TLSRPT_STS_POLICY_FETCH_ERROR, 1 },
};

static void test_firsts(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(firsts); i++) {
		struct rig r;

		rig_init(&r);
		for (size_t k = 0; k < 3; k++)
			if (firsts[i].records[k])
				r.records[2 + k] = (struct fake_record){ "_mta-sts.d.test", DNS_TXT, firsts[i].records[k] };
		r.records[0] = r.records[1];
		web.result = firsts[i].result;
		web.status = firsts[i].status;
		web.type = firsts[i].type;
		web.body = firsts[i].body;
		remote_sts_find(&r.remote, STR("d.test"), r.arena, &r.found);
		if (r.found.mode != firsts[i].mode || r.found.trouble != firsts[i].trouble || web.fetches != firsts[i].fetches)
			fail_msg("row %zu: mode %d trouble %d fetches %u", i, (int)r.found.mode, (int)r.found.trouble, web.fetches);
		/* Whatever it was, the next delivery does not ask again. */
		remote_sts_find(&r.remote, STR("d.test"), r.arena, &r.found);
		assert_int_equal(web.fetches, firsts[i].fetches);
		assert_int_equal(r.found.trouble, firsts[i].trouble);
		rig_done(&r);
	}
}

/* A policy host must not make us talk to ourselves or to what trusts us. */
static void test_addresses(void **state)
{
	static const char *const bad[] = { "127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1" };
	struct rig               r;

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		rig_init(&r);
		r.records[1].data = bad[i];
		find(&r, "d.test", STS_NONE, TLSRPT_STS_POLICY_FETCH_ERROR, 0);
		rig_done(&r);
	}
	rig_init(&r);
	r.records[2] = (struct fake_record){ "mta-sts.d.test", DNS_AAAA, "::ffff:127.0.0.1" };
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	assert_string_equal(web.address, "192.0.2.1");
	rig_done(&r);
	rig_init(&r);
	r.records[1].data = "!";
	find(&r, "d.test", STS_NONE, TLSRPT_STS_POLICY_FETCH_ERROR, 0);
	rig_done(&r);
}

static void test_not_asked(void **state)
{
	static const char *const domains[] = { "", ".", "[192.0.2.1]", "192.0.2.1", "a b.test", "-", "d..test" };
	struct rig               r;
	struct remote_sts_cache *cache;
	struct str               authorities;

	(void)state;
	rig_init(&r);
	for (size_t i = 0; i < LEN(domains); i++)
		find(&r, domains[i], STS_NONE, TLSRPT_SUCCESS, 0);
	assert_int_equal(r.zone.lookups, 0);
	authorities = r.remote.settings.authorities;
	r.remote.settings.authorities = STR("");
	find(&r, "d.test", STS_NONE, TLSRPT_SUCCESS, 0);
	r.remote.settings.authorities = authorities;
	cache = r.remote.sts;
	r.remote.sts = NULL;
	find(&r, "d.test", STS_NONE, TLSRPT_SUCCESS, 0);
	r.remote.sts = cache;
	rig_done(&r);
}

/* RFC 8461 §5.1: what is cached holds, whatever becomes of record and host, until its max_age. */
static void test_never_looser(void **state)
{
	static const struct {
		const char      *record, *body;
		enum http_result result;
		unsigned         status;
	} troubles[] = {
		{ NULL, ENFORCE, HTTP_OK, 200 },                    /* the record is gone */
		{ "!", ENFORCE, HTTP_OK, 200 },                     /* DNS fails */
		{ "?", ENFORCE, HTTP_OK, 200 },                     /* bogus */
		{ "v=STSv1; id=2; id=3", POLICY("none"), HTTP_OK, 200 },
		{ "v=STSv1; id=2", "nonsense", HTTP_OK, 200 },
		{ "v=STSv1; id=2", POLICY("none"), HTTP_OK, 404 },
		{ "v=STSv1; id=2", POLICY("none"), HTTP_CERTIFICATE, 200 },
		{ "v=STSv1; id=2", POLICY("none"), HTTP_UNREACHABLE, 0 },
		{ "v=STSv1; id=2", POLICY("none"), HTTP_TIMEOUT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(troubles); i++) {
		struct rig r;
		unsigned   fetches;

		rig_init(&r);
		find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
		if (troubles[i].record)
			r.records[0].data = troubles[i].record;
		else
			r.records[0] = r.records[1];
		web.result = troubles[i].result;
		web.status = troubles[i].status;
		web.body = troubles[i].body;
		for (unsigned days = 1; days < 7; days++) {
			pass(DAY);
			remote_sts_find(&r.remote, STR("d.test"), r.arena, &r.found);
			assert_int_equal(r.found.mode, STS_ENFORCE);
			assert_true(remote_sts_work(r.remote.sts));
			remote_sts_find(&r.remote, STR("d.test"), r.arena, &r.found);
			assert_int_equal(r.found.mode, STS_ENFORCE);
			assert_false(remote_sts_work(r.remote.sts)); /* not again so soon */
		}
		fetches = web.fetches;
		pass(DAY); /* the max_age is over */
		remote_sts_find(&r.remote, STR("d.test"), r.arena, &r.found);
		assert_int_equal(r.found.mode, STS_NONE);
		assert_true(web.fetches == fetches || web.fetches == fetches + 1);
		rig_done(&r);
	}
}

static void test_refresh(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	/* An hour later the record is looked at: the same id, so nothing is fetched. */
	pass(HOUR);
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	assert_true(remote_sts_work(r.remote.sts));
	assert_int_equal(web.fetches, 1);
	/* Another id. */
	pass(HOUR);
	r.records[0].data = "v=STSv1; id=2;";
	web.body = POLICY("testing");
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	assert_true(remote_sts_work(r.remote.sts));
	find(&r, "d.test", STS_TESTING, TLSRPT_SUCCESS, 2);
	assert_string_equal(kept.id, "2");
	/* A day later it is fetched whatever the id is, and its max_age begins anew. */
	pass(DAY);
	find(&r, "d.test", STS_TESTING, TLSRPT_SUCCESS, 2);
	assert_true(remote_sts_work(r.remote.sts));
	assert_int_equal(web.fetches, 3);
	pass(7 * DAY - 1);
	find(&r, "d.test", STS_TESTING, TLSRPT_SUCCESS, 3);
	rig_done(&r);
}

static void test_again_after_failure(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	web.status = 500;
	find(&r, "d.test", STS_NONE, TLSRPT_STS_POLICY_FETCH_ERROR, 1);
	/* RFC 8461 §3.3: five minutes at least */
	pass(5 * 60 * 1000 - 1);
	find(&r, "d.test", STS_NONE, TLSRPT_STS_POLICY_FETCH_ERROR, 1);
	pass(1);
	web.status = 200;
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 2);
	rig_done(&r);
	/* A max_age of nothing is no fetch per message. */
	rig_init(&r);
	web.body = "version: STSv1\nmode: enforce\nmx: a.b\nmax_age: 0\n";
	for (unsigned i = 0; i < 10; i++)
		find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	pass(60 * 1000);
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 2);
	rig_done(&r);
}

static void test_restart(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	remote_sts_close(&r.remote.sts);
	/* The machine was off for three days, and the policy host is now somebody else's. */
	mono_now = 1000;
	wall_now += 3 * DAY;
	web.result = HTTP_CERTIFICATE;
	cache_open(&r);
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	assert_true(remote_sts_work(r.remote.sts)); /* it is old, so it is looked for at once, beside the delivery */
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 2);
	pass(4 * DAY - 1);
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 2);
	pass(1);
	find(&r, "d.test", STS_NONE, TLSRPT_STS_WEBPKI_INVALID, 3);
	/* What auth keeps is too old now. */
	remote_sts_close(&r.remote.sts);
	cache_open(&r);
	find(&r, "d.test", STS_NONE, TLSRPT_STS_WEBPKI_INVALID, 4);
	assert_false(r.found.unsure);
	/* auth does not answer: nobody knows, for a minute. */
	remote_sts_close(&r.remote.sts);
	kept.policy[0] = '\0';
	kept.st = ST_TEMP;
	cache_open(&r);
	find(&r, "d.test", STS_NONE, TLSRPT_STS_WEBPKI_INVALID, 5);
	assert_true(r.found.unsure);
	pass(60 * 1000);
	find(&r, "d.test", STS_NONE, TLSRPT_STS_WEBPKI_INVALID, 6);
	assert_true(r.found.unsure);
	/* auth gives out nonsense. */
	pass(HOUR);
	strcpy(kept.policy, "mode: none");
	web.result = HTTP_OK;
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 7);
	assert_false(r.found.unsure);
	rig_done(&r);
}

static void test_clock_jumps(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	web.result = HTTP_UNREACHABLE;
	/* In use: the wall clock does not matter. */
	wall_now += 1000 * DAY;
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	wall_now -= 3000 * DAY;
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	/* Kept, and fetched in what is now the future: it lasts as if it was fetched now, and no longer. */
	remote_sts_close(&r.remote.sts);
	cache_open(&r);
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	pass(7 * DAY - 1);
	remote_sts_find(&r.remote, STR("d.test"), r.arena, &r.found);
	assert_int_equal(r.found.mode, STS_ENFORCE);
	mono_now += 1;
	remote_sts_close(&r.remote.sts);
	kept.policy[0] = '\0';
	cache_open(&r);
	remote_sts_find(&r.remote, STR("d.test"), r.arena, &r.found);
	assert_int_equal(r.found.mode, STS_NONE);
	rig_done(&r);
}

/* What is over the limit goes, longest unused first; auth has it still. */
static void test_bounded(void **state)
{
	struct rig r;
	char       name[64];

	(void)state;
	rig_init(&r);
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	for (size_t i = 0; i < LIMIT_STS_CACHED + 10; i++) {
		snprintf(name, sizeof(name), "n%zu.test", i);
		remote_sts_find(&r.remote, str_of(name), r.arena, &r.found);
		assert_int_equal(r.found.mode, STS_NONE);
	}
	kept.gets = 0;
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	assert_int_equal(kept.gets, 1);
	rig_done(&r);
}

/* ---- several at once ---- */

static void *finder(void *arg)
{
	struct rig       *r = arg;
	struct arena     *a = arena_new(NULL);
	struct remote_sts found;

	remote_sts_find(&r->remote, STR("d.test"), a, &found);
	assert_int_equal(found.mode, STS_ENFORCE);
	arena_free(&a);
	return NULL;
}

static void test_one_fetch(void **state)
{
	struct rig r;
	pthread_t  threads[16];

	(void)state;
	rig_init(&r);
	web.stall = true;
	for (size_t i = 0; i < LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, finder, &r), 0);
	while (web.running == 0)
		usleep(1000);
	/* Another domain is not held up. */
	remote_sts_find(&r.remote, STR("other.test"), r.arena, &r.found);
	assert_int_equal(r.found.mode, STS_NONE);
	usleep(20000);
	web.stall = false;
	for (size_t i = 0; i < LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(web.fetches, 1);
	assert_int_equal(kept.puts, 1);
	rig_done(&r);
}

static void test_threads(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	remote_sts_close(&r.remote.sts);
	r.remote.sts = remote_sts_open(&(struct remote_sts_options){ .fetch = fetch, .mono_ms = mono, .wall_ms = wall });
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	pass(DAY);
	web.stall = true;
	remote_sts_find(&r.remote, STR("d.test"), r.arena, &r.found);
	assert_int_equal(r.found.mode, STS_ENFORCE);
	while (web.running == 0)
		usleep(1000);
	/* The refresh stands still; deliveries go on with what there is. */
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 2);
	web.stall = false;
	rig_done(&r);
	assert_int_equal(web.running, 0);
}

/* A probe has seconds: it does not look itself, and what it came with is gone when its turn comes. */
static void test_in_a_hurry(void **state)
{
	struct rig     r;
	struct remote *hurried = malloc(sizeof(*hurried));

	(void)state;
	rig_init(&r);
	*hurried = r.remote;
	hurried->settings.timeouts.policy_ms = 20;
	remote_sts_find(hurried, STR("d.test"), r.arena, &r.found);
	assert_int_equal(r.found.mode, STS_NONE);
	assert_true(r.found.late);
	assert_int_equal(web.fetches, 0);
	free(hurried);
	assert_true(remote_sts_work(r.remote.sts));
	assert_int_equal(web.fetches, 1);
	r.remote.settings.timeouts.policy_ms = 20;
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	assert_false(r.found.late);
	rig_done(&r);
	/* A delivery does not wait for the line, and what it learnt is not looked for again. */
	rig_init(&r);
	r.remote.settings.timeouts.policy_ms = 20;
	find(&r, "d.test", STS_NONE, TLSRPT_SUCCESS, 0);
	r.remote.settings.timeouts = remote_timeouts_default;
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	assert_true(remote_sts_work(r.remote.sts));
	assert_int_equal(web.fetches, 1);
	rig_done(&r);
	/* With threads it is there in time. */
	rig_init(&r);
	remote_sts_close(&r.remote.sts);
	r.remote.sts = remote_sts_open(&(struct remote_sts_options){ .fetch = fetch, .mono_ms = mono, .wall_ms = wall });
	r.remote.settings.timeouts.policy_ms = 50000;
	find(&r, "d.test", STS_ENFORCE, TLSRPT_SUCCESS, 1);
	rig_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first),     cmocka_unit_test(test_firsts),    cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_not_asked), cmocka_unit_test(test_never_looser), cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_again_after_failure), cmocka_unit_test(test_restart), cmocka_unit_test(test_clock_jumps),
		cmocka_unit_test(test_bounded),   cmocka_unit_test(test_one_fetch), cmocka_unit_test(test_threads),
		cmocka_unit_test(test_in_a_hurry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
