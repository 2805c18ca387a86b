/* Destinations: how much at once, dead ones, rates, hosts that limit connections; and whose turn it is among senders, in memory and from disk. */
#include "unit.h"

#include <stdio.h>

#include "base/limits.h"
#include "queue/queue_in.h"
#include "queue/queue_site.h"
#include "queue_rig.h"

#define MAIL   "From: a@far.test\r\nSubject: x\r\n\r\nHello\r\n"
#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

static struct hop route; /* what every resolved address has */

/* Every address is foreign and goes by MX. */
static void resolve_all(struct rig *r)
{
	struct fake_call *c;

	while ((c = fake_ipc_next(IPC_AUTH_RESOLVE)) != NULL) {
		struct auth_target t = { 0, ((const struct auth_resolve_request *)c->body)->address };

		t.hop = route;
		fake_ipc_answer(c, ST_OK, &(struct auth_resolve_reply){ &t, 1 });
	}
	rig_settle(r);
}

static uint64_t send(struct rig *r, const char *from, const char *to)
{
	uint64_t id = rig_submit(r, from, to, MAIL);

	assert_true(id != 0);
	resolve_all(r);
	return id;
}

/* Answer one delivery, in the order given: 's' success, 't' trouble, 'd' deferred by a host that talks, 'n' no host was asked. */
static void answer(struct rig *r, struct fake_call *c, char how)
{
	const struct remote_deliver_request *d = c->body;
	struct remote_rcpt_result            results[QUEUE_JOB_RCPTS];
	struct remote_deliver_reply          reply = { results, d->rcpt_count, REMOTE_SITE_ANSWERED };

	if (how == 't')
		reply.site = REMOTE_SITE_TROUBLE;
	if (how == 'n')
		reply.site = REMOTE_SITE_NONE;
	for (size_t i = 0; i < d->rcpt_count; i++)
		results[i] = (struct remote_rcpt_result){
			d->rcpts[i].index, how == 's' ? REMOTE_DELIVERED : REMOTE_DEFERRED, how == 's' ? STR("2.0.0") : STR("4.4.1"),
			how == 's' ? STR("ok") : STR("Connection timed out"), STR("mx.far.test [192.0.2.9]:25"), STR(""), 0,
		};
	fake_ipc_answer(c, ST_OK, &reply);
	rig_settle(r);
}

static void next(struct rig *r, char how)
{
	struct fake_call *c = fake_ipc_next(IPC_REMOTE_DELIVER);

	assert_non_null(c);
	answer(r, c, how);
}

/* How many are under way: all are taken and given back at the end, in order. */
static size_t take_all(struct fake_call **calls, size_t max)
{
	size_t n = 0;

	while (n < max && (calls[n] = fake_ipc_next(IPC_REMOTE_DELIVER)) != NULL)
		n++;
	return n;
}

static struct queue_site_row info(struct rig *r, const char *name)
{
	struct queue_site_row i;

	assert_int_equal(queue_site_find(r->q, str_of(name), r->arena, &i), ST_OK);
	return i;
}

static bool has(struct str text, const char *part)
{
	return memmem(text.p, text.n, part, strlen(part)) != NULL;
}

/* ---- how much at once ---- */

static void test_window(void **state)
{
	struct rig       *r = rig_new();
	struct fake_call *calls[50];

	(void)state;
	rig_open(r);
	for (int i = 0; i < 60; i++)
		send(r, "ann@demo.test", "x@far.test");
	assert_int_equal(take_all(calls, 50), 5);
	assert_int_equal(info(r, "far.test").waiting, 55);
	for (int i = 0; i < 5; i++)
		answer(r, calls[i], 's');
	assert_int_equal(info(r, "far.test").limit, 6);
	assert_int_equal(take_all(calls, 50), 6);
	for (int i = 0; i < 6; i++)
		answer(r, calls[i], 's');
	assert_int_equal(take_all(calls, 50), 7);
	queue_set_live(r->q, &(struct queue_live){ .retry_first_ms = MINUTE, .retry_max_ms = HOUR, .expire_ms = 24 * HOUR, .delay_warning_ms = -1,
						   .site_connections = 2 });
	for (int i = 0; i < 7; i++)
		answer(r, calls[i], 's');
	send(r, "ann@demo.test", "x@far.test"); /* the new settings hold from the next message on */
	for (int i = 0; i < 100 && rig_messages(r) > 0; i++) {
		size_t n = take_all(calls, 50);

		assert_true(n <= (i ? 2u : 8u)); /* those that were under way by the old ones */
		while (n > 0)
			answer(r, calls[--n], 's');
		rig_pass(r, SECOND);
		resolve_all(r);
	}
	assert_int_equal(rig_messages(r), 0);
	assert_int_equal(info(r, "far.test").ceiling, 2);
	assert_int_equal(info(r, "far.test").delivered, 61);
	rig_free(&r);
}

/* A host that takes so many connections and no more: whoever is one too many stays in line, and no message is deferred. */
static void test_limited_host(void **state)
{
	static const size_t limits[] = { 1, 3 };

	(void)state;
	for (size_t i = 0; i < LEN(limits); i++) {
		struct rig       *r = rig_new();
		struct fake_call *calls[50] = { NULL };
		size_t            now = 0, refused = 0;

		rig_open(r);
		for (int k = 0; k < 80; k++)
			send(r, "ann@demo.test", "x@far.test");
		while (rig_messages(r) > 0) {
			now += take_all(calls + now, LEN(calls) - now);
			assert_true(now > 0);
			if (now > limits[i]) { /* 421, before anything else happens */
				refused++;
				answer(r, calls[--now], 't');
				continue;
			}
			answer(r, calls[0], 's');
			memmove(calls, calls + 1, --now * sizeof(calls[0]));
			rig_pass(r, 100);
		}
		assert_true(refused <= 5);
		assert_int_equal(info(r, "far.test").deferred, 0);
		assert_int_equal(info(r, "far.test").delivered, 80);
		rig_free(&r);
	}
}

/* ---- dead and alive ---- */

static void make_dead(struct rig *r, const char *to)
{
	for (int i = 0; i < 7; i++) {
		send(r, "ann@demo.test", to);
		next(r, 't');
	}
}

static void test_dead(void **state)
{
	struct rig             *r = rig_new();
	struct queue_show_reply s;
	struct queue_site_row  i;
	uint64_t                id, waits[4];
	int64_t                 until;

	(void)state;
	rig_open(r);
	for (int k = 0; k < 6; k++) {
		send(r, "ann@demo.test", "x@far.test");
		next(r, 't');
		assert_int_equal(info(r, "far.test").state, QUEUE_SITE_OPEN);
	}
	send(r, "ann@demo.test", "x@far.test");
	for (size_t k = 0; k < LEN(waits); k++) /* behind it, in line */
		waits[k] = send(r, "ann@demo.test", "y@far.test");
	next(r, 't');
	i = info(r, "far.test");
	assert_int_equal(i.state, QUEUE_SITE_DEAD);
	assert_int_equal(i.waiting, 0);
	assert_null(fake_ipc_next(IPC_REMOTE_DELIVER));
	assert_true(i.until_ms > rig_wall + 40 * SECOND && i.until_ms <= rig_wall + MINUTE);
	assert_true(has(i.last_answer, "Connection timed out"));
	until = i.until_ms;
	/* What waited and what comes is told why and until when, and no attempt is counted. */
	id = send(r, "ben@demo.test", "z@far.test");
	assert_null(fake_ipc_next(IPC_REMOTE_DELIVER));
	for (size_t k = 0; k <= LEN(waits); k++) {
		s = rig_show(r, k < LEN(waits) ? waits[k] : id);
		assert_int_equal(s.rcpts[0].attempts, 0);
		assert_true(has(s.entry.reason, "far.test is not answering since 20"));
		assert_true(has(s.entry.reason, "Connection timed out"));
		assert_true(has(s.rcpts[0].answer, "4.4.1"));
		assert_true(has(s.rcpts[0].why, "its destination does not answer: 4.4.1"));
		assert_true(s.entry.next_ms >= until && s.entry.next_ms < until + 10 * SECOND);
	}
	rig_pass(r, 30 * SECOND);
	assert_null(fake_ipc_next(IPC_AUTH_RESOLVE));
	/* One finds out; the others come, wait, and are sent away when it fails. */
	rig_pass(r, until - rig_wall + SECOND);
	resolve_all(r);
	assert_int_equal(info(r, "far.test").state, QUEUE_SITE_PROBING);
	assert_int_equal(info(r, "far.test").now, 1);
	next(r, 't');
	i = info(r, "far.test");
	assert_int_equal(i.state, QUEUE_SITE_DEAD);
	assert_true(i.until_ms > rig_wall + 90 * SECOND);
	assert_null(fake_ipc_next(IPC_REMOTE_DELIVER));
	/* It answers: the first window, growing, and nobody waits for long. */
	rig_pass(r, i.until_ms - rig_wall + SECOND);
	resolve_all(r);
	assert_int_equal(info(r, "far.test").now, 1);
	next(r, 's');
	assert_int_equal(info(r, "far.test").state, QUEUE_SITE_OPEN);
	assert_int_equal(info(r, "far.test").since_ms, 0);
	for (int k = 0; k < 700 && rig_messages(r) > 0; k++) {
		struct fake_call *calls[50];
		size_t            n;

		resolve_all(r);
		n = take_all(calls, 50);
		assert_true(n <= 20);
		while (n > 0)
			answer(r, calls[--n], 's');
		rig_pass(r, SECOND);
	}
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* DNS or our own trouble says nothing of a destination; nor does a host that refuses in the middle of its work. */
static void test_not_dead(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	rig_open(r);
	for (int i = 0; i < 40; i++) {
		send(r, "ann@demo.test", "x@far.test");
		next(r, i % 2 ? 'n' : 'd');
		assert_int_equal(info(r, "far.test").state, QUEUE_SITE_OPEN);
	}
	for (int i = 0; i < 40; i++) { /* one of four fails */
		send(r, "ann@demo.test", "x@far.test");
		next(r, i % 4 ? 's' : 't');
	}
	assert_int_equal(info(r, "far.test").state, QUEUE_SITE_OPEN);
	rig_free(&r);
}

/* An administrator's wish is a probe; a message that waits for a dead host is given back in the end, like any other. */
static void test_dead_retry_and_expiry(void **state)
{
	struct rig *r = rig_new();
	uint64_t    id, count;

	(void)state;
	r->options.expire_ms = 2 * HOUR;
	rig_open(r);
	make_dead(r, "x@far.test");
	id = send(r, "ann@demo.test", "y@far.test");
	assert_null(fake_ipc_next(IPC_REMOTE_DELIVER));
	assert_int_equal(queue_retry(r->q, &(struct queue_id_request){ .id = id }, &count), ST_OK);
	rig_settle(r);
	resolve_all(r);
	next(r, 't');
	assert_int_equal(info(r, "far.test").state, QUEUE_SITE_DEAD);
	for (int i = 0; i < 1000 && rig_messages(r) > 0; i++) {
		struct fake_call *c;

		rig_pass(r, 20 * SECOND);
		while ((c = fake_ipc_next(IPC_AUTH_RESOLVE)) != NULL) {
			struct auth_target t = { 0, ((const struct auth_resolve_request *)c->body)->address };

			if (str_eq(t.address, STR("ann@demo.test"))) /* the report */
				t = (struct auth_target){ 5, t.address };
			fake_ipc_answer(c, ST_OK, &(struct auth_resolve_reply){ &t, 1 });
			rig_settle(r);
		}
		while (rig_local(r, LOCAL_DELIVERED, "", ""))
			;
		while ((c = fake_ipc_next(IPC_REMOTE_DELIVER)) != NULL)
			answer(r, c, 't');
	}
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* A host that was dead asks for its mail (ETRN): also for what was never tried because of that. */
static void test_flush(void **state)
{
	struct rig *r = rig_new();
	uint64_t    count = 0;

	(void)state;
	rig_open(r);
	make_dead(r, "x@far.test");
	send(r, "ben@demo.test", "y@far.test");
	assert_null(fake_ipc_next(IPC_REMOTE_DELIVER));
	assert_int_equal(queue_flush(r->q, STR("far.test"), &count), ST_OK);
	assert_int_equal(count, 8);
	rig_settle(r);
	resolve_all(r);
	assert_int_equal(info(r, "far.test").state, QUEUE_SITE_PROBING);
	next(r, 's');
	assert_int_equal(info(r, "far.test").state, QUEUE_SITE_OPEN);
	rig_free(&r);
}

/* Removed while it stands in line: never sent. And a message that ended its process goes alone, but by way of its destination. */
static void test_removed_in_line(void **state)
{
	struct rig       *r = rig_new();
	struct fake_call *calls[10];
	uint64_t          id = 0;

	(void)state;
	rig_open(r);
	for (int i = 0; i < 6; i++)
		id = send(r, "ann@demo.test", "x@far.test");
	assert_int_equal(take_all(calls, 10), 5);
	assert_int_equal(queue_remove(r->q, &(struct queue_id_request){ .id = id }, &(struct queue_edit_reply){ 0 }), ST_OK);
	rig_settle(r);
	for (int i = 0; i < 5; i++)
		answer(r, calls[i], 's');
	assert_null(fake_ipc_next(IPC_REMOTE_DELIVER));
	assert_int_equal(rig_messages(r), 0);
	assert_int_equal(info(r, "far.test").now, 0);
	/* lost: the next attempt is alone, and counted by the site */
	send(r, "ann@demo.test", "x@far.test");
	fake_ipc_answer(fake_ipc_next(IPC_REMOTE_DELIVER), ST_TEMP, NULL);
	rig_settle(r);
	rig_pass(r, 5 * SECOND);
	resolve_all(r);
	assert_int_equal(info(r, "far.test").now, 1);
	next(r, 's');
	assert_int_equal(info(r, "far.test").now, 0);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* What is tried alone goes one by one; fresh mail to the same destination does not wait for it. */
static void test_beside_lone(void **state)
{
	struct rig       *r = rig_new();
	struct fake_call *calls[10];
	uint64_t          fresh;
	size_t            n;

	(void)state;
	rig_open(r);
	for (int i = 0; i < 5; i++)
		send(r, "ann@demo.test", "x@far.test");
	assert_int_equal(take_all(calls, 10), 5);
	for (int i = 0; i < 5; i++)
		fake_ipc_answer(calls[i], ST_TEMP, NULL);
	rig_settle(r);
	rig_pass(r, 5 * SECOND);
	resolve_all(r);
	fresh = send(r, "ben@demo.test", "y@far.test");
	assert_int_equal(info(r, "far.test").now, 6);
	n = take_all(calls, 10);
	assert_int_equal(n, 2);
	assert_int_equal(((const struct remote_deliver_request *)calls[1]->body)->message, fresh);
	for (size_t i = 0; i < n; i++)
		answer(r, calls[i], 's');
	for (int i = 0; i < 4; i++)
		next(r, 's');
	assert_int_equal(info(r, "far.test").now, 0);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

/* ---- rates ---- */

static void test_rate(void **state)
{
	struct rig *r = rig_new();
	int64_t     begun[60] = { 0 };
	uint64_t    last = 0;
	size_t      count = 0;

	(void)state;
	route = (struct hop){ .rate = 10, .rate_s = 60 };
	rig_open(r);
	for (int i = 0; i < 60; i++)
		last = send(r, "ann@demo.test", "x@far.test");
	assert_true(has(rig_show(r, last).entry.reason, "far.test is sent 10 messages in 60 s at most"));
	assert_int_equal(rig_show(r, last).rcpts[0].attempts, 0);
	assert_int_equal(info(r, "far.test").rate, 10);
	assert_true(info(r, "far.test").next_ms > rig_wall);
	for (int i = 0; i < 3000 && count < LEN(begun); i++) {
		struct fake_call *c;

		resolve_all(r);
		while ((c = fake_ipc_next(IPC_REMOTE_DELIVER)) != NULL) {
			begun[count] = rig_mono;
			assert_true(count < 10 || begun[count] - begun[count - 10] >= 60 * SECOND);
			count++;
			answer(r, c, 's');
		}
		rig_pass(r, SECOND / 2);
	}
	assert_int_equal(count, LEN(begun));
	assert_true(begun[59] - begun[0] <= 60 * 12 * SECOND); /* and nearly as often as it may */
	route = (struct hop){ 0 };
	rig_free(&r);
}

/* One an hour: another sender's message is the next, not behind fifty. */
static void test_rate_fair(void **state)
{
	struct rig *r = rig_new();
	bool        found = false;
	int         before = 0;

	(void)state;
	route = (struct hop){ .rate = 1, .rate_s = 3600 };
	rig_open(r);
	for (int i = 0; i < 50; i++)
		send(r, "ann@demo.test", "x@far.test");
	next(r, 's');
	send(r, "ben@demo.test", "y@far.test");
	for (int i = 0; i < 24 * 60 && !found; i++) {
		struct fake_call *c;

		rig_pass(r, MINUTE);
		resolve_all(r);
		while ((c = fake_ipc_next(IPC_REMOTE_DELIVER)) != NULL) {
			found = found || str_eq(((const struct remote_deliver_request *)c->body)->from, STR("ben@demo.test"));
			before++;
			answer(r, c, 's');
		}
	}
	assert_true(found);
	assert_true(before <= 12);
	route = (struct hop){ 0 };
	rig_free(&r);
}

/* A route may allow more at once than the settings, or less; another source address is another destination. */
static void test_hop(void **state)
{
	struct rig             *r = rig_new();
	struct fake_call       *calls[50];
	struct queue_sites_page page;

	(void)state;
	rig_open(r);
	route = (struct hop){ .connections = 1 };
	for (int i = 0; i < 3; i++)
		send(r, "ann@demo.test", "x@far.test");
	assert_int_equal(take_all(calls, 50), 1);
	route = (struct hop){ .source4 = STR("192.0.2.77"), .login = 9 };
	send(r, "ann@demo.test", "x@far.test");
	assert_int_equal(take_all(calls + 1, 49), 1);
	assert_int_not_equal(calls[0]->key, calls[1]->key); /* and perhaps another process */
	answer(r, calls[0], 's');
	answer(r, calls[1], 's');
	for (int i = 0; i < 2; i++)
		next(r, 's');
	queue_sites(r->q, STR(""), 1, r->arena, &page);
	assert_int_equal(page.site_count, 1);
	assert_true(page.more);
	assert_str(page.sites[0].name, STR("far.test"));
	queue_sites(r->q, page.sites[0].name, 1, r->arena, &page);
	assert_int_equal(page.site_count, 1);
	assert_false(page.more);
	assert_str(page.sites[0].name, STR("far.test from 192.0.2.77 as 9"));
	queue_sites(r->q, page.sites[0].name, 1, r->arena, &page);
	assert_int_equal(page.site_count, 0);
	route = (struct hop){ 0 };
	rig_free(&r);
}

/* More destinations than are remembered: idle ones are forgotten, dead ones last; mail is never refused for it. */
static size_t listed(struct rig *r, const char *site)
{
	struct queue_list_request q = { .site = str_of(site) };
	struct queue_list_reply   reply;

	assert_int_equal(queue_list(r->q, &q, r->arena, &reply), ST_OK);
	return reply.entry_count;
}

static uint64_t retried(struct rig *r, const char *site)
{
	struct queue_sites_request q = { .name = str_of(site), .retry = true };
	struct fake_reply         *reply = fake_ipc_ask(queue_on_sites, r->q, IPC_QUEUE_SITES, &q);
	uint64_t                   due = reply->status == ST_OK ? ((struct queue_sites_reply *)reply->body)->due : 0;

	fake_reply_done(&reply);
	rig_settle(r);
	return due;
}

/* Two rules lead to one host, one of them from an address and with a login of its own: their mail is told apart, also over a restart. */
static void test_found(void **state)
{
	static const char way[] = "Far.test from 192.0.2.77,2001:db8::7 as 9";
	struct rig       *r = rig_new();
	uint64_t          plain, special;

	(void)state;
	rig_open(r);
	plain = send(r, "ann@demo.test", "x@far.test");
	answer(r, fake_ipc_next(IPC_REMOTE_DELIVER), 'd');
	route = (struct hop){ .source4 = STR("192.0.2.77"), .source6 = STR("2001:db8::7"), .login = 9, .tls = HOP_TLS_VERIFY };
	special = send(r, "ben@demo.test", "x@far.test");
	answer(r, fake_ipc_next(IPC_REMOTE_DELIVER), 'd');
	for (int i = 0; i < 2; i++) {
		struct queue_show_reply s = rig_show(r, special);

		assert_str(s.rcpts[0].site, STR("far.test from 192.0.2.77,2001:db8::7 as 9"));
		assert_int_equal(s.rcpts[0].site_known, i == 0);
		assert_str(rig_show(r, plain).rcpts[0].site, STR("far.test"));
		assert_int_equal(listed(r, "FAR.test"), 2); /* the next hop */
		assert_int_equal(listed(r, way), 1);
		assert_int_equal(listed(r, "far.test from 192.0.2.77"), 0);
		rig_close(r);
		rig_open(r);
	}
	assert_int_equal(retried(r, "far.test from 192.0.2.77"), 0);
	assert_int_equal(retried(r, way), 1);
	assert_int_equal(rig_show(r, special).entry.state, QUEUE_ACTIVE);
	assert_int_equal(rig_show(r, plain).entry.state, QUEUE_WAITING);
	route = (struct hop){ 0 };
	resolve_all(r);
	answer(r, fake_ipc_next(IPC_REMOTE_DELIVER), 'd');
	assert_str(rig_show(r, special).rcpts[0].site, STR("far.test")); /* the rule is gone */
	rig_free(&r);
}

/* More than one operation looks at. */
static void test_retry_pages(void **state)
{
	static const char sql[] =
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) INSERT INTO message(id, state, due, base, pinned, attempts, stalls,"
		" crashes, last, reason, file, flags, account, received, entered, size, sender, session, peer, hash) SELECT i, 0, 1 << 60, 0, 0, 1, 0, 0, 0, '',"
		" 0, 0, 0, 0, CASE WHEN i % 10 <> 5 THEN 0 ELSE 1 << 60 END, 1, 'a@demo.test', '', '', X'00' FROM n";
	static const char sql_rcpts[] = "INSERT INTO rcpt(message, n, state, fixed, account, attempts, last, address, target, code, answer) SELECT id, 0, 0, 0, 0, 1, 0,"
					" 'x@' || CASE WHEN id % 2 THEN 'One' ELSE 'two' END || '.test', '', '', '' FROM message";
	struct rig *r = rig_new();
	uint64_t    count = 0;

	(void)state;
	r->options.active_max = 0; /* nothing is loaded */
	rig_open(r);
	assert_int_equal(db_begin_write(r->q->db), ST_OK);
	assert_int_equal(db_run(db_sql(r->q->db, sql)), ST_OK);
	assert_int_equal(db_run(db_sql(r->q->db, sql_rcpts)), ST_OK);
	assert_int_equal(db_run(db_sql(r->q->db, "INSERT INTO content SELECT id, X'78' FROM message")), ST_OK);
	assert_int_equal(db_commit(r->q->db), ST_OK);
	r->q->next_id = 2501;
	assert_int_equal(queue_hold(r->q, &(struct queue_id_request){ .to = STR("nobody@") }, &count), ST_OK);
	assert_int_equal(count, 0);
	assert_int_equal(queue_hold(r->q, &(struct queue_id_request){ .to = STR("two.test") }, &count), ST_OK);
	assert_int_equal(count, 1250);
	assert_int_equal(retried(r, "one.test"), 1000); /* not what its sender holds back */
	assert_int_equal(queue_flush(r->q, STR("two.test"), &count), ST_OK);
	assert_int_equal(count, 0); /* nor what is held */
	rig_crash(r);
	rig_free(&r);
}

static void test_many_sites(void **state)
{
	struct rig             *r = rig_new();
	struct queue_sites_page page;
	struct str              after = STR("");
	size_t                  count = 0;
	struct buf              to;

	(void)state;
	buf_init(&to, MIB);
	rig_open(r);
	make_dead(r, "x@dead.test");
	for (size_t i = 0; i < LIMIT_QUEUE_SITES + 100;) {
		buf_clear(&to);
		for (size_t end = i + 100; i < end; i++)
			buf_addf(&to, "%sx@d%zu.test", to.n ? " " : "", i);
		buf_add_char(&to, '\0');
		(void)rig_submit(r, "ann@demo.test", to.p, MAIL);
		for (struct fake_call *c = NULL; resolve_all(r), (c = fake_ipc_next(IPC_REMOTE_DELIVER)) != NULL;)
			answer(r, c, 's');
	}
	buf_done(&to);
	do {
		queue_sites(r->q, after, 300, r->arena, &page);
		for (size_t i = 0; i < page.site_count; i++) {
			assert_true(str_cmp(page.sites[i].name, after) > 0);
			after = page.sites[i].name;
		}
		count += page.site_count;
	} while (page.more);
	assert_int_equal(count, LIMIT_QUEUE_SITES);
	assert_int_equal(info(r, "dead.test").state, QUEUE_SITE_DEAD);
	assert_int_equal(queue_site_find(r->q, STR("d0.test"), r->arena, &(struct queue_site_row){ 0 }), ST_NOT_FOUND);
	rig_free(&r);
}

/* One message for more destinations than can be remembered at once: all of them get it. */
static void test_crowd(void **state)
{
	struct rig       *r = rig_new();
	struct fake_call *c;
	struct buf        to;
	size_t            count = 0;

	(void)state;
	rig_open(r);
	buf_init(&to, MIB);
	for (size_t i = 0; i < LIMIT_RCPTS; i++)
		buf_addf(&to, "%sx@c%zu.test", i ? " " : "", i);
	buf_add_char(&to, '\0');
	for (size_t i = 0; i < LIMIT_QUEUE_SITES / LIMIT_RCPTS + 2; i++)
		(void)rig_submit(r, "ann@demo.test", to.p, MAIL);
	for (int i = 0; i < 20; i++)
		resolve_all(r);
	while ((c = fake_ipc_next(IPC_REMOTE_DELIVER)) != NULL) {
		count++;
		fake_ipc_answer(c, ST_OK, &(struct remote_deliver_reply){ NULL, 0, REMOTE_SITE_ANSWERED });
		resolve_all(r);
	}
	assert_true(count > 0);
	buf_done(&to);
	rig_free(&r);
}

/* ---- whose turn ---- */

/* 600 of one sender in the queue, most of them on disk; then one of another, to the same destination: a handful before it. */
static void fair(bool same_destination, bool restart)
{
	struct rig       *r = rig_new();
	struct fake_call *calls[600];
	size_t            now = 0, before = 0;
	char              to[40];
	bool              found = false;

	r->options.active_max = 200;
	rig_open(r);
	for (int i = 0; i < 600; i++) {
		snprintf(to, sizeof(to), "x@d%d.test", same_destination ? 0 : i);
		rig_submit(r, "ann@demo.test", to, MAIL);
	}
	assert_true(atomic_load(&r->q->active_count) <= 100); /* one lane has half at most */
	resolve_all(r);
	now = take_all(calls, LEN(calls));
	rig_submit(r, "ben@demo.test", "y@d0.test", MAIL);
	assert_true(atomic_load(&r->q->active_count) <= 101);
	if (restart) {
		while (now > 0)
			fake_ipc_answer(calls[--now], ST_TEMP, NULL);
		rig_crash(r);
		rig_open(r);
	}
	while (!found && before < 600) {
		resolve_all(r);
		now += take_all(calls + now, LEN(calls) - now);
		for (size_t i = 0; i < now; i++)
			found = found || str_eq(((const struct remote_deliver_request *)calls[i]->body)->from, STR("ben@demo.test"));
		if (found)
			break;
		assert_true(now > 0);
		answer(r, calls[0], 's');
		memmove(calls, calls + 1, --now * sizeof(calls[0]));
		before++;
	}
	assert_true(found);
	assert_true(before <= 8);
	while (now > 0)
		answer(r, calls[--now], 's');
	rig_free(&r);
}

static void test_fair(void **state)
{
	(void)state;
	fair(true, false);
	fair(true, true);
	fair(false, false);
	fair(false, true);
}

/* From disk: priorities first, and in each the lanes in turn. */
static void test_fair_load(void **state)
{
	struct rig       *r = rig_new();
	struct fake_call *c;
	size_t            at = 0, ben = 0, urgent = 0;

	(void)state;
	r->options.active_max = 20;
	rig_open(r);
	rig_close(r);
	assert_int_equal(queue_open(&r->options, &r->q), ST_OK); /* nothing is started yet */
	for (int i = 0; i < 300; i++)
		rig_submit(r, "ann@demo.test", "a@demo.test", MAIL);
	rig_submit(r, "ben@demo.test", "b@demo.test", MAIL);
	rig_wants.priority = 3;
	rig_submit(r, "ann@demo.test", "u@demo.test", MAIL);
	rig_crash(r);
	rig_open(r);
	while ((c = fake_ipc_next(IPC_AUTH_RESOLVE)) != NULL) {
		const struct auth_resolve_request *q = c->body;

		at++;
		ben = str_eq(q->address, STR("b@demo.test")) ? at : ben;
		urgent = str_eq(q->address, STR("u@demo.test")) ? at : urgent;
		fake_ipc_answer(c, ST_NOT_FOUND, NULL);
		while ((c = fake_ipc_next(IPC_LOCAL_DELIVER)) != NULL)
			fake_ipc_answer(c, ST_OK, &(struct local_deliver_reply){ LOCAL_DELIVERED, STR(""), STR("") });
		rig_settle(r);
		if (ben && urgent)
			break;
	}
	assert_int_equal(urgent, 1);
	assert_true(ben > 0 && ben <= 25);
	rig_free(&r);
}

/* Nobody's lane is in memory for ever: what one lane gave back, it may take again, and all of it goes. */
static void test_window_share(void **state)
{
	struct rig *r = rig_new();
	int         delivered = 0;

	(void)state;
	r->options.active_max = 30;
	rig_open(r);
	for (int i = 0; i < 200; i++)
		rig_submit(r, i % 3 ? "ann@demo.test" : "ben@demo.test", "x@demo.test", MAIL);
	assert_true(atomic_load(&r->q->active_count) <= 22); /* a third for each, a third free */
	assert_true(rig_submit(r, "cyd@demo.test", "x@demo.test", MAIL) != 0);
	for (int i = 0; i < 5000 && delivered < 201; i++) {
		rig_resolve(r, "5");
		delivered += rig_local(r, LOCAL_DELIVERED, "", "");
	}
	assert_int_equal(delivered, 201);
	assert_int_equal(rig_messages(r), 0);
	for (size_t i = 0; i < QUEUE_LANES; i++) {
		assert_int_equal(atomic_load(&r->q->shares[i].count), 0);
		assert_int_equal(atomic_load(&r->q->shares[i].memory), 0);
	}
	rig_free(&r);
}

/* Two that flood have two thirds of the memory between them; what another has on disk is read when it is due all the same. */
static void test_flood_and_disk(void **state)
{
	struct rig       *r = rig_new();
	struct fake_call *c;
	bool              seen = false;

	(void)state;
	r->options.active_max = 30;
	rig_open(r);
	rig_submit(r, "cyd@demo.test", "c@demo.test", MAIL);
	fake_ipc_answer(fake_ipc_next(IPC_AUTH_RESOLVE), ST_TEMP, NULL); /* goes to disk, for some seconds */
	rig_settle(r);
	for (int i = 0; i < 200; i++)
		rig_submit(r, i % 2 ? "ann@demo.test" : "ben@demo.test", "x@demo.test", MAIL);
	assert_true(atomic_load(&r->q->active_count) > 15);
	rig_pass(r, 5 * SECOND);
	while (!seen && (c = fake_ipc_next(IPC_AUTH_RESOLVE)) != NULL) {
		seen = str_eq(((const struct auth_resolve_request *)c->body)->address, STR("c@demo.test"));
		fake_ipc_answer(c, ST_NOT_FOUND, NULL);
	}
	assert_true(seen);
	rig_settle(r);
	rig_free(&r);
}

/* 1,500 for a dead destination in the queue: another's message is tried at once, and they are sent away without attempts. */
static void test_dead_and_alive(void **state)
{
	struct rig       *r = rig_new();
	struct fake_call *c;
	bool              found = false;

	(void)state;
	r->options.active_max = 200;
	rig_open(r);
	for (int i = 0; i < 1500; i++) {
		rig_submit(r, "ann@demo.test", "x@dead.test", MAIL);
		resolve_all(r);
	}
	rig_submit(r, "ann@demo.test", "x@live.test", MAIL); /* of the same sender, even */
	for (int i = 0; i < 40 && !found; i++) {
		resolve_all(r);
		while ((c = fake_ipc_next(IPC_REMOTE_DELIVER)) != NULL) {
			bool live = str_eq(((const struct remote_deliver_request *)c->body)->domain, STR("live.test"));

			found = found || live;
			answer(r, c, live ? 's' : 't');
			resolve_all(r);
		}
		rig_pass(r, SECOND);
	}
	assert_true(found);
	assert_int_equal(info(r, "dead.test").state, QUEUE_SITE_DEAD);
	assert_true(info(r, "dead.test").deferred <= 12);
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),       cmocka_unit_test(test_limited_host), cmocka_unit_test(test_dead),
		cmocka_unit_test(test_not_dead),     cmocka_unit_test(test_dead_retry_and_expiry),
		cmocka_unit_test(test_flush),        cmocka_unit_test(test_removed_in_line), cmocka_unit_test(test_beside_lone), cmocka_unit_test(test_rate),      cmocka_unit_test(test_rate_fair),
		cmocka_unit_test(test_found),        cmocka_unit_test(test_retry_pages),
		cmocka_unit_test(test_hop),          cmocka_unit_test(test_many_sites),   cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_fair),         cmocka_unit_test(test_fair_load),    cmocka_unit_test(test_window_share), cmocka_unit_test(test_flood_and_disk),
		cmocka_unit_test(test_dead_and_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
