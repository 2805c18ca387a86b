/* deliver/remote_race.h and deliver/remote_way.h: connections beside each other. A listener whose backlog is full answers no SYN, as a host that is
 * down. RFC 8305 §5, RFC 5321 §5.1. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "deliver/remote_race.h"
#include "deliver/remote_sts.h"
#include "remote_rig.h"
#include "sys/fd.h"

#define SLOW_MS 50u /* the tests' delay */
#define LONG_MS 60000u

/* ---- addresses ---- */

struct mute { /* takes packets and answers nothing */
	struct remote_target target;
	int                  listener, inside[4];
};

static struct sockaddr_in address_of(const char *ip, unsigned port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	assert_int_equal(inet_pton(AF_INET, ip, &in.sin_addr), 1);
	return in;
}

static int listen_at(const char *ip, unsigned *port, int backlog)
{
	int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int          on = 1;
	struct sockaddr_in in = address_of(ip, *port);
	socklen_t          n = sizeof(in);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, n), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

static struct remote_target target_of(const char *ip, unsigned port)
{
	struct remote_target t = { .host = STR("mx.test"), .port = port };

	assert_true(remote_address_parse(str_of(ip), port, &t.address));
	return t;
}

/* The queue of a listener is full with one more than its backlog. */
static void mute_open(struct mute *m, const char *ip, unsigned port)
{
	struct sockaddr_in in;
	struct pollfd      p = { .events = POLLOUT };

	m->listener = listen_at(ip, &port, 0);
	m->target = target_of(ip, port);
	in = address_of(ip, port);
	for (size_t i = 0; i < LEN(m->inside); i++) {
		m->inside[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		assert_true(connect(m->inside[i], (struct sockaddr *)&in, sizeof(in)) == 0 || errno == EINPROGRESS);
		p.fd = m->inside[i];
		(void)poll(&p, 1, 100);
	}
	assert_int_equal(p.revents, 0); /* the last was not taken */
}

static void mute_close(struct mute *m)
{
	for (size_t i = 0; i < LEN(m->inside); i++)
		fd_close(&m->inside[i]);
	fd_close(&m->listener);
}

static void start(struct remote_race *race, const struct remote_target *t, unsigned timeout_ms)
{
	struct remote_connect_why why;

	assert_true(remote_race_place(race));
	assert_true(remote_race_start(race, t, NULL, STR(""), timeout_ms, &why));
}

/* ---- a race ---- */

static void test_beside(void **state)
{
	struct remote_race        race = { .beside_ms = SLOW_MS };
	struct remote_attempt     got;
	struct remote_connect_why why;
	struct mute               m;
	unsigned                  port = 0;
	int                       good = listen_at("127.0.0.1", &port, 5);
	struct remote_target      t = target_of("127.0.0.1", port);

	(void)state;
	mute_open(&m, "127.0.0.2", 0);
	assert_true(remote_race_slow(&race));
	start(&race, &m.target, LONG_MS);
	assert_int_equal(remote_race_wait(&race, true, &got, &why), REMOTE_RACE_SLOW);
	assert_true(remote_race_slow(&race));
	start(&race, &t, LONG_MS);
	assert_int_equal(remote_race_wait(&race, true, &got, &why), REMOTE_RACE_WON);
	assert_ptr_equal(got.target, &t);
	assert_int_equal(race.count, 1);
	assert_true(remote_attempt_slow(&race, &race.attempts[0]));
	assert_int_equal(race.places, 0);
	assert_true(fcntl(got.fd, F_GETFL) & O_NONBLOCK);
	fd_close(&got.fd);
	remote_race_end(&race);
	mute_close(&m);
	fd_close(&good);
}

static void test_lost(void **state)
{
	struct remote_race        race = { .beside_ms = LONG_MS };
	struct remote_attempt     got;
	struct remote_connect_why why;
	struct mute               m;
	unsigned                  port = 0;
	int                       fd = listen_at("127.0.0.1", &port, 5);
	struct remote_target      nobody = target_of("127.0.0.1", port);

	(void)state;
	fd_close(&fd);
	mute_open(&m, "127.0.0.2", 0);
	start(&race, &m.target, 300);
	start(&race, &nobody, LONG_MS);
	assert_int_equal(remote_race_wait(&race, true, &got, &why), REMOTE_RACE_LOST);
	assert_ptr_equal(got.target, &nobody);
	assert_int_equal(why.err, ECONNREFUSED);
	assert_int_equal(got.fd, -1);
	assert_int_equal(remote_race_wait(&race, false, &got, &why), REMOTE_RACE_LOST);
	assert_ptr_equal(got.target, &m.target);
	assert_int_equal(why.err, ETIMEDOUT);
	assert_int_equal(race.count, 0);
	mute_close(&m);
}

/* Both are ready: a connection is worth more than an error that came before it. */
static void test_connected_first(void **state)
{
	struct remote_race        race = { .beside_ms = LONG_MS };
	struct remote_attempt     got;
	struct remote_connect_why why;
	unsigned                  port = 0, none = 0;
	int                       good = listen_at("127.0.0.1", &port, 5), bad = listen_at("127.0.0.2", &none, 5);
	struct remote_target      t = target_of("127.0.0.1", port), nobody = target_of("127.0.0.2", none);

	(void)state;
	fd_close(&bad);
	start(&race, &nobody, LONG_MS);
	start(&race, &t, LONG_MS);
	for (size_t i = 0; i < race.count; i++)
		assert_int_equal(poll(&(struct pollfd){ .fd = race.attempts[i].fd, .events = POLLOUT }, 1, 5000), 1);
	assert_int_equal(remote_race_wait(&race, false, &got, &why), REMOTE_RACE_WON);
	assert_ptr_equal(got.target, &t);
	fd_close(&got.fd);
	assert_int_equal(remote_race_wait(&race, false, &got, &why), REMOTE_RACE_LOST);
	assert_int_equal(why.err, ECONNREFUSED);
	fd_close(&good);
}

/* Our own trouble says nothing about the target. */
static void test_ours(void **state)
{
	struct remote_race        race = { .beside_ms = LONG_MS };
	struct remote_connect_why why;
	struct remote_target      t = target_of("127.0.0.1", 25);

	(void)state;
	assert_false(remote_race_start(&race, &t, NULL, STR("192.0.2.1"), 1000, &why));
	assert_true(why.source && why.ours && why.err == EADDRNOTAVAIL);
	assert_false(remote_race_start(&race, &t, NULL, STR("::1"), 1000, &why)); /* another family */
	assert_true(why.source && why.ours);
	/* No TCP goes to a group: the system knows no way, and asks nobody. */
	t = target_of("224.0.0.1", 25);
	assert_false(remote_race_start(&race, &t, NULL, STR(""), 1000, &why));
	assert_true(why.ours && !why.source && why.err == ENETUNREACH);
	assert_int_equal(race.count, 0);
}

static void test_bounds(void **state)
{
	static struct remote_race races[LIMIT_REMOTE_BESIDE_ALL / (LIMIT_REMOTE_BESIDE - 1) + 2];
	struct mute               m;
	size_t                    beside = 0;

	(void)state;
	mute_open(&m, "127.0.0.2", 0);
	for (size_t i = 0; i < LEN(races); i++) {
		while (remote_race_place(&races[i])) {
			start(&races[i], &m.target, LONG_MS);
			beside += races[i].count > 1;
		}
		assert_true(races[i].count >= 1 && races[i].count <= LIMIT_REMOTE_BESIDE); /* the first needs no place */
	}
	assert_int_equal(beside, LIMIT_REMOTE_BESIDE_ALL);
	assert_int_equal(races[LEN(races) - 1].count, 1);
	remote_race_end(&races[0]);
	assert_true(remote_race_place(&races[LEN(races) - 1]));
	for (size_t i = 1; i < LEN(races); i++)
		remote_race_end(&races[i]);
	mute_close(&m);
}

/* However many hosts are down: only connections beside another count. */
static void test_lone(void **state)
{
	static struct remote_race races[LIMIT_REMOTE_BESIDE_ALL + 1];
	struct remote_attempt     got;
	struct remote_connect_why why;
	struct mute               m;

	(void)state;
	mute_open(&m, "127.0.0.2", 0);
	for (size_t i = 0; i < LEN(races); i++) {
		start(&races[i], &m.target, LONG_MS);
		assert_true(remote_race_room(&races[i]));
		assert_int_equal(races[i].places, 0);
	}
	/* A place that comes to nothing is given back when there is no more to start. */
	for (size_t i = 0; i < LEN(races); i++) {
		assert_true(remote_race_place(&races[i]));
		assert_int_equal(remote_race_wait(&races[i], true, &got, &why), REMOTE_RACE_SLOW);
		assert_int_equal(races[i].places, 0);
	}
	for (size_t i = 0; i < LEN(races); i++)
		remote_race_end(&races[i]);
	mute_close(&m);
}

/* ---- a delivery ---- */

static const struct fake_record two[] = {
	{ "d.test", DNS_MX, "10 mute.test" },
	{ "d.test", DNS_MX, "20 mx.test" },
	{ "mute.test", DNS_A, "127.0.0.2" },
	{ "mx.test", DNS_A, "127.0.0.1" },
	{ "good.test", DNS_MX, "10 mx.test" },
	{ NULL, 0, NULL },
};
#define MAIL_OK "E MAIL FROM:<s@me.test>", "S 250 ok", "E RCPT TO:<", "S 250 ok", "E DATA", "S 354 go", "D", "S 250 2.0.0 ok"

struct race_run {
	struct run  r;
	struct mute mute;
};

static void race_init(struct race_run *u, const char *const *steps)
{
	run_init(&u->r, 1, steps);
	u->r.zone.records = two;
	u->r.remote.settings.timeouts.beside_ms = SLOW_MS;
	mute_open(&u->mute, "127.0.0.2", u->r.script.port);
}

static void race_done(struct race_run *u)
{
	mute_close(&u->mute);
	run_done(&u->r);
}

static void assert_tried(const struct race_run *u, const char *part)
{
	if (!memmem(u->r.reply.tried.p, u->r.reply.tried.n, part, strlen(part)))
		fail_msg("\"%s\" is not in \"%.*s\"", part, STR_FMT(u->r.reply.tried));
}

static void test_delivery(void **state)
{
	struct race_run u;

	(void)state;
	race_init(&u, STEPS(PLAIN, MAIL_OK, "E QUIT", "C", PLAIN, MAIL_OK, QUIT));
	u.r.remote.hosts = remote_hosts_new();
	run_deliver(&u.r);
	run_check(&u.r, "by the one that answers", "D 2.0.0");
	assert_int_equal(u.r.note.connects, 2);
	assert_int_equal(u.r.reply.site, REMOTE_SITE_ANSWERED);
	assert_tried(&u, "mute.test [127.0.0.2]:");
	assert_tried(&u, ": no connection within ");
	run_deliver(&u.r);
	run_check(&u.r, "it is known", "D 2.0.0");
	assert_int_equal(u.r.note.connects, 1);
	assert_int_equal(u.r.reply.tried.n, 0);
	run_end(&u.r);
	remote_hosts_free(&u.r.remote.hosts);
	race_done(&u);
}

/* The winner has connected and no more: the slow one gets all of its time then. */
static void test_useless_winner(void **state)
{
	struct race_run u;

	(void)state;
	race_init(&u, STEPS("S 421 4.3.2 busy", "W"));
	u.r.remote.settings.timeouts.connect_ms = 500;
	run_go(&u.r);
	run_check(&u.r, "both are of no use", "T 4.4.1");
	assert_int_equal(u.r.note.connects, 3);
	assert_int_equal(u.r.reply.site, REMOTE_SITE_TROUBLE);
	assert_tried(&u, "mute.test [127.0.0.2]:");
	assert_tried(&u, "mx.test [127.0.0.1]:");
	assert_tried(&u, "421 4.3.2 busy");
	assert_str(u.r.reply.results[0].answer, STR("Cannot connect (ETIMEDOUT)"));
	race_done(&u);
}

/* A session that waits wins at once, and nothing is connected for it. */
static void test_kept_wins(void **state)
{
	struct race_run u;

	(void)state;
	race_init(&u, STEPS(PLAIN, MAIL_OK, MAIL_OK, QUIT));
	u.r.remote.pool = remote_pool_new(60000);
	u.r.q.domain = STR("good.test");
	run_deliver(&u.r);
	run_check(&u.r, "a session", "D 2.0.0");
	u.r.q.domain = STR("d.test");
	run_deliver(&u.r);
	run_check(&u.r, "goes on", "D 2.0.0");
	assert_int_equal(u.r.note.connects, 1);
	assert_int_equal(u.r.note.nth, 2);
	assert_tried(&u, "mute.test [127.0.0.2]:");
	run_end(&u.r);
	race_done(&u);
}

/* A probe has little time: a mute host must not use it up. What it finds slow to greet is no suspect for deliveries. */
static void test_probe(void **state)
{
	const struct remote_probe_request q = { STR("d.test"), STR(""), STR("ann@d.test") };
	struct remote_probe_reply         reply = { 0 };
	struct remote_target              good;
	struct race_run                   u;

	(void)state;
	race_init(&u, STEPS(PLAIN, "E MAIL FROM:<>", "S 250 ok", "E RCPT", "S 250 ok", "E QUIT", "S 221 bye", "C", "W"));
	u.r.remote.hosts = remote_hosts_new();
	good = target_of("127.0.0.1", u.r.script.port);
	remote_probe(&u.r.remote, &q, u.r.arena, &reply);
	assert_int_equal(reply.result, REMOTE_PROBE_EXISTS);
	assert_false(remote_hosts_marked(u.r.remote.hosts, &u.mute.target, REMOTE_HOST_SUSPECT));
	u.r.remote.settings.timeouts.greeting_ms = u.r.remote.settings.timeouts.connect_ms = 300;
	remote_probe(&u.r.remote, &q, u.r.arena, &reply);
	assert_int_equal(reply.result, REMOTE_PROBE_UNREACHABLE);
	assert_false(remote_hosts_marked(u.r.remote.hosts, &good, REMOTE_HOST_SUSPECT));
	assert_false(remote_hosts_marked(u.r.remote.hosts, &u.mute.target, REMOTE_HOST_SUSPECT)); /* it had all of its time, and lost */
	script_stop(&u.r.script);
	assert_null(u.r.script.failed);
	remote_hosts_free(&u.r.remote.hosts);
	race_done(&u);
}

/* No way from here, as with no IPv6 or an uplink that is down: nothing is said of the destination, and the next address is tried. */
static void test_no_way(void **state)
{
	static const struct fake_record zone[] = {
		{ "far.test", DNS_MX, "10 group.test" },  { "dead.test", DNS_MX, "10 group.test" }, { "dead.test", DNS_MX, "20 mute.test" },
		{ "good.test", DNS_MX, "10 group.test" }, { "good.test", DNS_MX, "20 mx.test" },    { "group.test", DNS_A, "224.0.0.1" },
		{ "mute.test", DNS_A, "127.0.0.2" },      { "mx.test", DNS_A, "127.0.0.1" },        { NULL, 0, NULL },
	};
	static const struct {
		const char      *domain;
		enum remote_site site;
		unsigned         connects;
	} rows[] = { { "far.test", REMOTE_SITE_NONE, 1 }, { "dead.test", REMOTE_SITE_TROUBLE, 2 }, { "good.test", REMOTE_SITE_ANSWERED, 2 } };

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct race_run      u;
		struct remote_target none;

		race_init(&u, STEPS(PLAIN, MAIL_OK, QUIT));
		none = target_of("224.0.0.1", u.r.script.port);
		u.r.zone.records = zone;
		u.r.remote.hosts = remote_hosts_new();
		u.r.remote.settings.timeouts.connect_ms = 300;
		u.r.q.domain = str_of(rows[i].domain);
		run_deliver(&u.r);
		script_stop(&u.r.script);
		assert_int_equal(u.r.reply.results[0].result, rows[i].site == REMOTE_SITE_ANSWERED ? REMOTE_DELIVERED : REMOTE_DEFERRED);
		assert_int_equal(u.r.reply.site, rows[i].site);
		assert_int_equal(u.r.note.connects, rows[i].connects);
		assert_false(remote_hosts_marked(u.r.remote.hosts, &none, REMOTE_HOST_SUSPECT));
		if (rows[i].site == REMOTE_SITE_NONE)
			assert_str(u.r.reply.results[0].answer, STR("Cannot connect from here (ENETUNREACH)"));
		else
			assert_tried(&u, ": Cannot connect from here (ENETUNREACH)");
		remote_hosts_free(&u.r.remote.hosts);
		race_done(&u);
	}
}

/* Who asked goes while the first is slow: nobody else is connected to, and nobody is suspect for it. */
static void test_asker_gone(void **state)
{
	struct race_run u;

	(void)state;
	race_init(&u, STEPS(PLAIN));
	u.r.remote.hosts = remote_hosts_new();
	u.r.patience = 2;
	run_deliver(&u.r);
	assert_int_equal(u.r.reply.results[0].result, REMOTE_DEFERRED);
	assert_int_equal(u.r.note.connects, 1);
	assert_false(remote_hosts_marked(u.r.remote.hosts, &u.mute.target, REMOTE_HOST_SUSPECT));
	script_stop(&u.r.script);
	remote_hosts_free(&u.r.remote.hosts);
	race_done(&u);
}

/* ---- while the next is looked for ---- */

struct late_dns { /* the mute host is not so any more when the other's address is asked for */
	struct race_run *u;
	int              accepted[2];
};

static int accept_at(int listener)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 20000), 1);
	return accept(listener, NULL, NULL);
}

static enum status late_lookup(void *ctx, struct str name, enum dns_type type, struct arena *a, struct dns_lookup_reply *ret)
{
	struct late_dns *l = ctx;
	struct mute     *m = &l->u->mute;

	if (str_eq(name, STR("mx.test")) && type == DNS_A && l->accepted[0] < 0) {
		for (size_t i = 0; i < LEN(m->inside); i++)
			fd_close(&m->inside[i]);
		l->accepted[0] = accept_at(m->listener); /* from inside */
		l->accepted[1] = accept_at(m->listener);
		assert_int_equal(write(l->accepted[1], "421 4.3.2 busy\r\n", 16), 16);
	}
	return fake_lookup(&l->u->r.zone, name, type, a, ret);
}

static void test_won_meanwhile(void **state)
{
	struct race_run u;
	struct late_dns late = { &u, { -1, -1 } };

	(void)state;
	race_init(&u, STEPS(PLAIN, MAIL_OK, QUIT));
	u.r.remote.resolver = (struct remote_resolver){ late_lookup, &late };
	run_go(&u.r);
	run_check(&u.r, "the other is only connected to when the first is of no use", "D 2.0.0");
	assert_int_equal(u.r.note.connects, 2);
	assert_tried(&u, "mute.test [127.0.0.2]:");
	assert_tried(&u, "421 4.3.2 busy");
	fd_close(&late.accepted[0]);
	fd_close(&late.accepted[1]);
	race_done(&u);
}

static const char *policy_text;
static unsigned    policy_fetches;

static enum http_result policy_fetch(const struct http_request *q, struct arena *a, struct http_reply *ret)
{
	(void)q;
	policy_fetches++;
	*ret = (struct http_reply){ .status = 200, .content_type = STR("text/plain"), .body = arena_dup(a, str_of(policy_text)), .why = STR("") };
	return HTTP_OK;
}

/* The first host has DANE, so the domain's MTA-STS policy is not known when the second has its turn: it does not get the mail without, and it is
 * not fetched while a connection is under way (the cache has no threads here, so that nobody else fetches it). */
static void test_policy_late(void **state)
{
	char                     tlsa[64];
	const struct fake_record zone[] = {
		{ "d.signed.test", DNS_MX, "10 mute.signed.test" },
		{ "d.signed.test", DNS_MX, "20 mx.test" },
		{ "mute.signed.test", DNS_A, "127.0.0.2" },
		{ tlsa, DNS_TLSA, "3 1 1 x" },
		{ "mx.test", DNS_A, "127.0.0.1" },
		{ "_mta-sts.d.signed.test", DNS_TXT, "v=STSv1; id=1;" },
		{ "mta-sts.d.signed.test", DNS_A, "192.0.2.1" },
		{ NULL, 0, NULL },
	};
	const struct {
		const char        *policy;
		const char *const *steps;
		enum remote_result result;
		unsigned           connects;
	} rows[] = {
		{ "version: STSv1\nmode: testing\nmx: mx.test\nmax_age: 604800\n", STEPS(PLAIN, MAIL_OK, QUIT), REMOTE_DELIVERED, 2 },
		{ "version: STSv1\nmode: enforce\nmx: other.test\nmax_age: 604800\n", STEPS(PLAIN), REMOTE_DEFERRED, 1 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct race_run u;

		race_init(&u, rows[i].steps);
		policy_text = rows[i].policy;
		policy_fetches = 0;
		(void)snprintf(tlsa, sizeof(tlsa), "_%u._tcp.mute.signed.test", u.r.script.port);
		u.r.zone.records = zone;
		u.r.q.domain = STR("d.signed.test");
		u.r.remote.settings.authorities = STR("PEM");
		u.r.remote.settings.trusts = true;
		u.r.remote.settings.timeouts.connect_ms = 10 * SLOW_MS;
		u.r.remote.sts = remote_sts_open(&(struct remote_sts_options){ .fetch = policy_fetch, .threadless = true });
		run_deliver(&u.r);
		script_stop(&u.r.script);
		assert_int_equal(u.r.reply.results[0].result, rows[i].result);
		assert_int_equal(u.r.note.connects, rows[i].connects);
		assert_int_equal(policy_fetches, 1);
		if (rows[i].result == REMOTE_DELIVERED)
			assert_tried(&u, "Cannot connect (ETIMEDOUT)");
		else
			assert_str(u.r.reply.results[0].code, STR("4.7.5"));
		remote_sts_close(&u.r.remote.sts);
		race_done(&u);
	}
}

/* All places are taken: one after another. */
static void test_no_place(void **state)
{
	static struct remote_race others[LIMIT_REMOTE_BESIDE_ALL / (LIMIT_REMOTE_BESIDE - 1) + 1];
	struct race_run           u;

	(void)state;
	race_init(&u, STEPS(PLAIN, MAIL_OK, QUIT));
	u.r.remote.settings.timeouts.connect_ms = 10 * SLOW_MS;
	for (size_t i = 0; i < LEN(others); i++)
		while (remote_race_place(&others[i]))
			start(&others[i], &u.mute.target, LONG_MS);
	run_go(&u.r);
	run_check(&u.r, "one after another", "D 2.0.0");
	assert_int_equal(u.r.note.connects, 2);
	assert_tried(&u, "Cannot connect (ETIMEDOUT)");
	for (size_t i = 0; i < LEN(others); i++)
		remote_race_end(&others[i]);
	race_done(&u);
}

/* Alone it has the whole time of a connection, and no more. */
static void test_alone(void **state)
{
	static const struct fake_record alone[] = { { "d.test", DNS_MX, "10 mute.test" }, { "mute.test", DNS_A, "127.0.0.2" }, { NULL, 0, NULL } };
	struct race_run                 u;

	(void)state;
	race_init(&u, STEPS(PLAIN));
	u.r.zone.records = alone;
	u.r.remote.settings.timeouts.connect_ms = 300;
	run_deliver(&u.r);
	assert_int_equal(u.r.reply.results[0].result, REMOTE_DEFERRED);
	assert_str(u.r.reply.results[0].answer, STR("Cannot connect (ETIMEDOUT)"));
	assert_int_equal(u.r.note.connects, 1);
	assert_int_equal(u.r.reply.tried.n, 0); /* it is in the answer */
	script_stop(&u.r.script);
	race_done(&u);
}

/* A host that its policy rules out is not connected to, whoever is slow. */
static void test_ruled_out(void **state)
{
	char                     tlsa[64];
	const struct fake_record bogus[] = {
		{ "d.test", DNS_MX, "10 mute.test" },    { "d.test", DNS_MX, "20 mx.signed.test" }, { "mute.test", DNS_A, "127.0.0.2" },
		{ "mx.signed.test", DNS_A, "127.0.0.1" }, { tlsa, DNS_TLSA, "?" },                   { NULL, 0, NULL },
	};
	struct race_run u;

	(void)state;
	race_init(&u, STEPS(PLAIN));
	(void)snprintf(tlsa, sizeof(tlsa), "_%u._tcp.mx.signed.test", u.r.script.port);
	u.r.zone.records = bogus;
	u.r.zone.secure = true;
	u.r.remote.settings.timeouts.connect_ms = 300;
	run_deliver(&u.r);
	assert_int_equal(u.r.reply.results[0].result, REMOTE_DEFERRED);
	assert_str(u.r.reply.results[0].answer, STR("Cannot connect (ETIMEDOUT)"));
	assert_int_equal(u.r.note.connects, 1);
	script_stop(&u.r.script);
	race_done(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beside),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_connected_first),
		cmocka_unit_test(test_ours),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_lone),
		cmocka_unit_test(test_no_place),
		cmocka_unit_test(test_no_way),
		cmocka_unit_test(test_asker_gone),
		cmocka_unit_test(test_won_meanwhile),
		cmocka_unit_test(test_policy_late),
		cmocka_unit_test(test_delivery),
		cmocka_unit_test(test_useless_winner),
		cmocka_unit_test(test_kept_wins),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_ruled_out),
		cmocka_unit_test(test_probe),
	};

	return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
