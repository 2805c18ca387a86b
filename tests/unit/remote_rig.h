/* tests/unit/remote_rig.h - one delivery to a scripted server, for the tests of deliver/remote.h. The recipients' indexes begin at 100. */
#ifndef REMOTE_RIG_H
#define REMOTE_RIG_H

#include <signal.h>

#include "deliver/remote.h"
#include "deliver/remote_hosts.h"
#include "deliver/remote_pool.h"
#include "fake_dns.h"
#include "smtp_script.h"

#define STEPS(...)                \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}
#define HELLO "S 220 mx.test ESMTP", "E EHLO me.test"
#define PLAIN HELLO, "S 250 mx.test"
#define QUIT  "E QUIT", "S 221 bye", "W"

static SSL_CTX *tls;

struct run {
	struct remote_deliver_request q;
	struct remote_rcpt            rcpts[LIMIT_RCPTS];
	struct fake_zone              zone;
	struct remote                 remote;
	struct arena                 *arena;
	struct remote_deliver_reply   reply;
	struct remote_deliver_note    note;
	struct script                 script;
	unsigned                      patience; /* who asks is gone when asked for the nth time whether he is; 0: never */
};

static const struct fake_record hosts[] = {
	{ "d.test", DNS_MX, "10 mx.test" },
	{ "mx.test", DNS_A, "127.0.0.1" },
	{ "other.test", DNS_MX, "10 wrong.test" },
	{ "wrong.test", DNS_A, "127.0.0.1" },
	{ NULL, 0, NULL },
};

static inline void run_init(struct run *r, size_t rcpts, const char *const *steps)
{
	*r = (struct run){ .zone.records = hosts, .arena = arena_new(NULL) };
	r->q = (struct remote_deliver_request){
		.domain = STR("d.test"),
		.from = STR("s@me.test"),
		.rcpts = r->rcpts,
		.rcpt_count = rcpts,
		.file = -1,
		.content = STR("Subject: x\r\n\r\nhello\r\n"),
		.size = 21,
	};
	for (size_t i = 0; i < rcpts; i++)
		r->rcpts[i] = (struct remote_rcpt){ (uint32_t)(100 + i), arena_printf(r->arena, "r%zu@d.test", i) };
	script_start(&r->script, steps, tls);
	r->remote = fake_remote(&r->zone);
	r->remote.settings.port = r->script.port;
	r->remote.settings.lab = true;
	r->remote.settings.timeouts.greeting_ms = r->remote.settings.timeouts.dot_ms = 2000;
}

static bool run_gone(void *ctx)
{
	struct run *r = ctx;

	return r->patience > 0 && --r->patience == 0;
}

/* One of several deliveries. */
static inline void run_deliver(struct run *r)
{
	const struct remote_asker asker = { run_gone, r };

	remote_deliver(&r->remote, &r->q, &asker, r->arena, &r->reply, &r->note);
	assert_int_equal(r->reply.result_count, r->q.rcpt_count);
	for (size_t i = 0; i < r->reply.result_count; i++)
		assert_int_equal(r->reply.results[i].index, r->q.rcpts[i].index);
}

static inline void run_go(struct run *r)
{
	run_deliver(r);
	script_stop(&r->script);
}

/* After several: sessions that wait are ended. */
static inline void run_end(struct run *r)
{
	if (r->remote.pool)
		remote_pool_stop(r->remote.pool, 5000);
	remote_pool_free(&r->remote.pool);
	script_stop(&r->script);
	if (r->script.failed)
		print_error("server failed at \"%s\"\n%.*s\n", r->script.failed, STR_FMT(buf_str(&r->script.seen)));
	assert_null(r->script.failed);
}

static inline void run_done(struct run *r)
{
	script_free(&r->script);
	arena_free(&r->arena);
}

/* "D 2.0.0|T 4.4.2" */
static inline void run_check(const struct run *r, const char *name, const char *want)
{
	struct buf out;

	buf_init(&out, 64 * KIB);
	for (size_t i = 0; i < r->reply.result_count; i++)
		buf_addf(&out, "%s%c %.*s", i > 0 ? "|" : "", "DTR"[r->reply.results[i].result],
			 STR_FMT(r->reply.results[i].code));
	if (!str_eq(buf_str(&out), str_of(want)) || r->script.failed)
		print_error("case \"%s\": server failed at \"%s\", first answer \"%.*s\"\n%.*s\n", name,
			    r->script.failed ? r->script.failed : "", STR_FMT(r->reply.results[0].answer),
			    STR_FMT(buf_str(&r->script.seen)));
	assert_str(buf_str(&out), str_of(want));
	assert_null(r->script.failed);
	buf_done(&out);
}

/* Of a group of tests. */
static int tls_setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	tls = script_tls();
	return 0;
}

static int tls_teardown(void **state)
{
	(void)state;
	SSL_CTX_free(tls);
	return 0;
}

#endif
