/* dns/dns.h against a small DNS server on loopback, UDP and TCP, whose answer depends on the first label asked. */
#include "unit.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dns/dns.h"
#include "signed_zone.h"
#include "sys/sandbox.h"

/* ---- the server ---- */

struct server {
	int              udp, tcp, stop[2];
	uint16_t         port;
	pthread_t        thread;
	_Atomic unsigned asked, by_tcp;
};

enum act { DATA, SILENT, SERVFAIL, REFUSED, NXDOMAIN, NODATA, TRUNCATED, LIE_ID, LIE_NAME, GARBAGE };

static const struct zone {
	const char *label;
	enum act    act;
	struct str  rdata;
} zone[] = {
	{ "ok", DATA, STR("\xc0\0\2\1") }, /* 192.0.2.1 */
	{ "mx", DATA, STR("\0\5\2mX\4test\0") },
	{ "nullmx", DATA, STR("\0\0\0") },
	{ "shortmx", DATA, STR("\0") },
	{ "cutmx", DATA, STR("\0\5\2mx\4te") },
	{ "pointer", DATA, STR("\0\5\2mx\xc0\x0c") }, /* "mx." and the name asked */
	{ "loop", DATA, STR("\0\5\2mx\xc0\xff") },
	{ "txt", DATA, STR("\4v=sp\2f1") },
	{ "tlsa", DATA, STR("\3\1\1hash") },
	{ "shorttlsa", DATA, STR("\3\1") },
	{ "silent", SILENT, STR_NONE },
	{ "servfail", SERVFAIL, STR_NONE },
	{ "refused", REFUSED, STR_NONE },
	{ "nx", NXDOMAIN, STR_NONE },
	{ "nodata", NODATA, STR_NONE },
	{ "big", TRUNCATED, STR("\xc0\0\2\2") },
	{ "lieid", LIE_ID, STR("\xc0\0\2\3") },
	{ "liename", LIE_NAME, STR("\xc0\0\2\4") },
	{ "garbage", GARBAGE, STR_NONE },
};

static const struct zone *zone_find(const uint8_t *q, size_t n)
{
	for (size_t i = 0; i < LEN(zone); i++) {
		size_t len = strlen(zone[i].label);

		if (n > 13 + len && q[12] >= len && memcmp(q + 13, zone[i].label, len) == 0 &&
		    (q[12] == len || (q[13 + len] >= '0' && q[13 + len] <= '9')))
			return &zone[i];
	}
	return NULL;
}

/* From the signed zone, if the question, `n` octets with its header, is there. */
static size_t signed_make(const uint8_t *q, size_t n, uint8_t *out)
{
	for (size_t i = 0; i < LEN(signed_zone); i++) {
		struct str s = signed_zone[i];

		if (s.n < n || memcmp(s.p + 12, q + 12, n - 12) != 0)
			continue;
		memcpy(out, s.p, s.n);
		memcpy(out, q, 2);
		return s.n;
	}
	return 0;
}

/* The answer to `q` in `out` (700 octets); 0: none. */
static size_t reply_make(const uint8_t *q, size_t n, bool tcp, uint8_t *out)
{
	const struct zone *z = zone_find(q, n);
	enum act           act = z != NULL ? z->act : NODATA;
	size_t             at = 12;

	while (at < n && q[at] != 0)
		at += q[at] + 1u;
	at += 5;
	if (at > n || n > 500)
		return 0;
	if (signed_make(q, at, out) > 0)
		return signed_make(q, at, out);
	if (act == SILENT)
		return 0;
	memcpy(out, q, at);
	out[2] = (uint8_t)(0x84 | (q[2] & 1)); /* answer, authoritative, RD as asked */
	out[3] = 0x80;
	memset(out + 6, 0, 6);
	if (act == GARBAGE)
		return 7;
	if (act == SERVFAIL || act == REFUSED || act == NXDOMAIN)
		out[3] |= act == SERVFAIL ? 2 : act == REFUSED ? 5 : 3;
	if (act == TRUNCATED && !tcp)
		out[2] |= 2;
	if (act == LIE_ID)
		out[0] ^= 0xff;
	if (act == LIE_NAME)
		out[13] = 'x';
	if (act == DATA || (act == TRUNCATED && tcp) || act == LIE_ID || act == LIE_NAME) {
		static const uint8_t head[] = { 0xc0, 12, 0, 0, 0, 1, 0, 0, 0, 60 };

		out[7] = 1;
		memcpy(out + at, head, sizeof(head));
		memcpy(out + at + 2, out + at - 4, 2); /* the type asked */
		out[at + 10] = 0;
		out[at + 11] = (uint8_t)z->rdata.n;
		memcpy(out + at + 12, z->rdata.p, z->rdata.n);
		at += 12 + z->rdata.n;
	}
	return at;
}

static void serve_udp(struct server *s)
{
	struct sockaddr_in from;
	socklen_t          len = sizeof(from);
	uint8_t            q[512], out[700];
	ssize_t            n = recvfrom(s->udp, q, sizeof(q), 0, (struct sockaddr *)&from, &len);

	if (n < 17)
		return;
	atomic_fetch_add(&s->asked, 1);
	n = (ssize_t)reply_make(q, (size_t)n, false, out);
	if (n > 0)
		(void)!sendto(s->udp, out, (size_t)n, 0, (struct sockaddr *)&from, len);
}

static void serve_tcp(struct server *s)
{
	uint8_t q[600], out[702];
	int     fd = accept(s->tcp, NULL, NULL);
	size_t  n = 0, want = 2;
	ssize_t got = 1;

	while (n < want && got > 0) {
		got = read(fd, q + n, MIN(want, sizeof(q)) - n);
		n += got > 0 ? (size_t)got : 0;
		if (n == 2)
			want = 2 + (size_t)(q[0] << 8 | q[1]);
	}
	if (got > 0 && n > 19) {
		atomic_fetch_add(&s->by_tcp, 1);
		n = reply_make(q + 2, n - 2, true, out + 2);
		out[0] = (uint8_t)(n >> 8);
		out[1] = (uint8_t)n;
		(void)!write(fd, out, n + 2);
	}
	close(fd);
}

static void *server_main(void *arg)
{
	struct server *s = arg;
	struct pollfd  fds[] = { { s->udp, POLLIN, 0 }, { s->tcp, POLLIN, 0 }, { s->stop[0], POLLIN, 0 } };

	for (;;) {
		if (poll(fds, LEN(fds), -1) < 0)
			continue;
		if (fds[2].revents)
			return NULL;
		if (fds[0].revents)
			serve_udp(s);
		if (fds[1].revents)
			serve_tcp(s);
	}
}

/* UDP and TCP on one free port above 10000. */
static void server_bind(struct server *s)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t          len = sizeof(at);
	unsigned           tries = 0;

	for (;;) {
		at.sin_port = 0;
		s->udp = socket(AF_INET, SOCK_DGRAM, 0);
		s->tcp = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(bind(s->tcp, (struct sockaddr *)&at, sizeof(at)), 0);
		assert_int_equal(getsockname(s->tcp, (struct sockaddr *)&at, &len), 0);
		if (ntohs(at.sin_port) > 10000 && bind(s->udp, (struct sockaddr *)&at, sizeof(at)) == 0)
			break;
		close(s->udp);
		close(s->tcp);
		assert_true(++tries < 100);
	}
	assert_int_equal(listen(s->tcp, 8), 0);
	assert_int_equal(pipe(s->stop), 0);
	s->port = ntohs(at.sin_port);
}

static void server_start(struct server *s)
{
	if (s->port == 0)
		server_bind(s);
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

static void server_stop(struct server *s)
{
	assert_int_equal(write(s->stop[1], "", 1), 1);
	pthread_join(s->thread, NULL);
	close(s->udp);
	close(s->tcp);
	close(s->stop[0]);
	close(s->stop[1]);
}

/* ---- asking and waiting ---- */

struct wait {
	pthread_mutex_t lock;
	pthread_cond_t  wake;
	unsigned        open;
};

struct question {
	struct wait *w;
	char         got[600]; /* status, or rcode, security and the records */
};

static void on_done(void *arg, enum status st, const struct dns_lookup_reply *r)
{
	static const char *const rcodes[] = { "ok", "nodata", "nxdomain" }, *const securities[] = { "insecure", "secure" };
	struct question         *q = arg;
	size_t                   n = 0;

	if (st != ST_OK)
		snprintf(q->got, sizeof(q->got), "%s", status_name(st));
	else
		n = (size_t)snprintf(q->got, sizeof(q->got), "%s %s", rcodes[r->rcode], securities[r->security]);
	if (st == ST_OK && r->canonical.n > 0)
		n += (size_t)snprintf(q->got + n, sizeof(q->got) - n, " =%.*s", STR_FMT(r->canonical));
	for (size_t i = 0; st == ST_OK && i < r->record_count; i++)
		n += (size_t)snprintf(q->got + n, sizeof(q->got) - n, " %u:%.*s", r->records[i].preference, STR_FMT(r->records[i].data));
	pthread_mutex_lock(&q->w->lock);
	q->w->open--;
	pthread_cond_signal(&q->w->wake);
	pthread_mutex_unlock(&q->w->lock);
}

static void ask(struct dns *dns, struct question *q, struct wait *w, const char *name, enum dns_type type)
{
	struct str n = unit_exact(str_of(name));

	q->w = w;
	pthread_mutex_lock(&w->lock);
	w->open++;
	pthread_mutex_unlock(&w->lock);
	dns_lookup(dns, &(struct dns_lookup_request){ n, type }, on_done, q);
	unit_exact_free(n);
}

static void await(struct wait *w)
{
	pthread_mutex_lock(&w->lock);
	while (w->open > 0)
		pthread_cond_wait(&w->wake, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

static struct dns *open_forward(const struct server *s, unsigned deadline_ms)
{
	char        forward[64];
	const char *why = "";
	struct dns *dns = NULL;

	snprintf(forward, sizeof(forward), "127.0.0.1@%u", s->port);
	assert_int_equal(dns_open(&(struct dns_options){ .forward = str_of(forward), .deadline_ms = deadline_ms }, &dns, &why), ST_OK);
	dns_start(dns);
	return dns;
}

static void test_answers(void **state)
{
	static const struct {
		const char   *name;
		enum dns_type type;
		const char   *want;
		bool          hasty; /* with a short deadline */
	} cases[] = {
		{ "ok.demo.test", DNS_A, "ok insecure 0:192.0.2.1" },
		{ "ok.demo.test.", DNS_A, "ok insecure 0:192.0.2.1" },
		{ "mx.demo.test", DNS_MX, "ok insecure 5:mx.test" },
		{ "nullmx.demo.test", DNS_MX, "ok insecure 0:" },
		{ "pointer.demo.test", DNS_MX, "ok insecure 5:mx.pointer.demo.test" },
		{ "txt.demo.test", DNS_TXT, "ok insecure 0:v=spf1" },
		{ "tlsa.demo.test", DNS_TLSA, "ok insecure 0:\3\1\1hash" },
		{ "nx.demo.test", DNS_A, "nxdomain insecure" },
		{ "nodata.demo.test", DNS_MX, "nodata insecure" },
		{ "big.demo.test", DNS_A, "ok insecure 0:192.0.2.2" },
		/* a bad answer is no answer: never "does not exist" */
		{ "shortmx.demo.test", DNS_MX, "temp" },
		{ "cutmx.demo.test", DNS_MX, "temp" },
		{ "loop.demo.test", DNS_MX, "temp" },
		{ "shorttlsa.demo.test", DNS_TLSA, "temp" },
		{ "servfail.demo.test", DNS_A, "temp" },
		{ "refused.demo.test", DNS_MX, "temp" },
		/* what does not answer the question is waited for until the deadline */
		{ "lieid.demo.test", DNS_A, "temp", true },
		{ "liename.demo.test", DNS_A, "temp", true },
		{ "garbage.demo.test", DNS_A, "temp", true },
		{ "silent.demo.test", DNS_MX, "temp", true },
		/* not asked */
		{ "localhost", DNS_A, "ok insecure 0:127.0.0.1" },
		{ "localhost", DNS_MX, "nodata insecure" },
		{ "127.0.0.1", DNS_A, "nxdomain insecure" },
		{ "a..b", DNS_A, "invalid" },
		{ "ok.demo.test", (enum dns_type)6, "invalid" },
	};
	struct server   s = { 0 };
	struct wait     w = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
	struct question q[LEN(cases)];
	struct dns     *patient, *hasty;

	(void)state;
	server_start(&s);
	patient = open_forward(&s, 600000);
	hasty = open_forward(&s, 300);
	for (size_t i = 0; i < LEN(cases); i++)
		ask(cases[i].hasty ? hasty : patient, &q[i], &w, cases[i].name, cases[i].type);
	await(&w);
	for (size_t i = 0; i < LEN(cases); i++) {
		if (strcmp(q[i].got, cases[i].want) != 0)
			print_error("%s type %d\n", cases[i].name, cases[i].type);
		assert_string_equal(q[i].got, cases[i].want);
	}
	assert_true(s.by_tcp > 0);
	dns_close(&patient);
	dns_close(&hasty);
	assert_null(hasty);
	server_stop(&s);
}

/* Hundreds that get no answer do not hold up those that do; closing ends them. */
static void test_slow(void **state)
{
	enum { SILENT_COUNT = 100, COUNT = 200 };
	static struct question slow[SILENT_COUNT], fast[COUNT];
	struct server          s = { 0 };
	struct wait            w_slow = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
	struct wait            w_fast = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
	struct dns            *dns;
	char                   name[64];

	(void)state;
	server_start(&s);
	dns = open_forward(&s, 600000);
	for (unsigned i = 0; i < SILENT_COUNT; i++) {
		snprintf(name, sizeof(name), "silent%u.demo.test", i);
		ask(dns, &slow[i], &w_slow, name, DNS_A);
	}
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "ok%u.demo.test", i);
		ask(dns, &fast[i], &w_fast, name, DNS_A);
	}
	await(&w_fast);
	for (unsigned i = 0; i < COUNT; i++)
		assert_string_equal(fast[i].got, "ok insecure 0:192.0.2.1");
	dns_close(&dns);
	await(&w_slow);
	for (unsigned i = 0; i < SILENT_COUNT; i++)
		assert_string_equal(slow[i].got, "temp");
	server_stop(&s);
}

static void test_open(void **state)
{
	struct dns *dns = NULL;
	const char *why = NULL;

	(void)state;
	assert_int_equal(dns_open(&(struct dns_options){ .forward = STR("not an address") }, &dns, &why), ST_INVALID);
	assert_non_null(why);
	assert_int_equal(dns_open(&(struct dns_options){ .anchor_file = "/nonexistent" }, &dns, &why), ST_NOT_FOUND);
	assert_int_equal(dns_open(&(struct dns_options){ .anchor_file = "/dev/null" }, &dns, &why), ST_INVALID);
	assert_null(dns);
	if (access(DNS_ROOT_KEY, R_OK) == 0) { /* else there is no package dns-root-data */
		assert_int_equal(dns_open(&(struct dns_options){ 0 }, &dns, &why), ST_OK);
		dns_close(&dns);
	}
}

static struct dns *open_anchor(const struct server *s, const char *anchor)
{
	char        path[] = "/tmp/postrider-anchor.XXXXXX", forward[64];
	int         fd = mkstemp(path);
	struct dns *dns = NULL;
	const char *why = "";

	assert_int_equal(write(fd, anchor, strlen(anchor)), strlen(anchor));
	close(fd);
	snprintf(forward, sizeof(forward), "127.0.0.1@%u", s->port);
	assert_int_equal(dns_open(&(struct dns_options){ str_of(forward), path, 600000 }, &dns, &why), ST_OK);
	unlink(path);
	dns_start(dns);
	return dns;
}

/* With a trust anchor, an answer without signatures is bogus: no answer. */
static void test_bogus(void **state)
{
	struct server   s = { 0 };
	struct wait     w = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
	struct question q;
	struct dns     *dns;

	(void)state;
	server_start(&s);
	dns = open_anchor(&s, "; a comment\n\ntest. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n");
	ask(dns, &q, &w, "ok.demo.test", DNS_A);
	await(&w);
	assert_string_equal(q.got, "corrupt");
	ask(dns, &q, &w, "nx.demo.test", DNS_MX);
	await(&w);
	assert_string_equal(q.got, "corrupt");
	ask(dns, &q, &w, "ok.demo.example", DNS_A); /* not below the anchor */
	await(&w);
	assert_string_equal(q.got, "ok insecure 0:192.0.2.1");
	dns_close(&dns);
	server_stop(&s);
}

/* Through a forwarder, with a key of one zone: an island of trust. Each state, at the end of a chain too. */
static void test_states(void **state)
{
	static const struct {
		const char   *name;
		enum dns_type type;
		const char   *want;
	} cases[] = {
		{ "a.signed.test", DNS_A, "ok secure 0:192.0.2.1" },
		{ "mx.signed.test", DNS_MX, "ok secure 10:a.signed.test" },
		{ "a.signed.test", DNS_TLSA, "nodata secure" },
		{ "nx.signed.test", DNS_MX, "nxdomain secure" },
		{ "c.signed.test", DNS_A, "ok secure =a.signed.test 0:192.0.2.1" },
		{ "c.signed.test", DNS_AAAA, "nodata secure =a.signed.test" },
		{ "out.signed.test", DNS_A, "ok insecure =a.open.test 0:192.0.2.2" },
		{ "out.signed.test", DNS_CNAME, "ok secure 0:a.open.test" },
		{ "a.open.test", DNS_A, "ok insecure 0:192.0.2.2" },
		{ "c.open.test", DNS_A, "ok insecure =a.signed.test 0:192.0.2.1" },
		{ "bad.signed.test", DNS_A, "corrupt" },
		{ "stripped.signed.test", DNS_TLSA, "corrupt" }, /* no proof that there is nothing */
		{ "servfail.signed.test", DNS_TLSA, "temp" },
		{ "refused.open.test", DNS_TLSA, "temp" },
	};
	struct server   s = { 0 };
	struct wait     w = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
	struct question q;
	struct dns     *dns;

	(void)state;
	server_start(&s);
	dns = open_anchor(&s, SIGNED_ZONE_DS "\n");
	for (size_t i = 0; i < LEN(cases); i++) {
		ask(dns, &q, &w, cases[i].name, cases[i].type);
		await(&w);
		if (strcmp(q.got, cases[i].want) != 0)
			print_error("%s type %d\n", cases[i].name, cases[i].type);
		assert_string_equal(q.got, cases[i].want);
	}
	dns_close(&dns);
	server_stop(&s);
}

/* Open outside, look up inside. Ends the process: 0 if the answer came. */
static void sandboxed(const struct server *s)
{
	struct sandbox  box = { .needs = SANDBOX_OUT, .landlock = sandbox_landlock_abi() > 0 };
	struct wait     w = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };
	struct question q[2];
	struct dns     *dns = NULL;
	const char     *why = "";
	char            forward[64];

	snprintf(forward, sizeof(forward), "127.0.0.1@%u", s->port);
	if (dns_open(&(struct dns_options){ .forward = str_of(forward) }, &dns, &why) != ST_OK || sandbox_enter(&box, &why) != ST_OK)
		_exit(2);
	dns_start(dns);
	ask(dns, &q[0], &w, "ok.demo.test", DNS_A);
	ask(dns, &q[1], &w, "big.demo.test", DNS_A); /* by TCP */
	await(&w);
	_exit(strcmp(q[0].got, "ok insecure 0:192.0.2.1") != 0 || strcmp(q[1].got, "ok insecure 0:192.0.2.2") != 0);
}

static void test_sandbox(void **state)
{
	struct server s = { 0 };
	pid_t         child;
	int           status = -1;

	(void)state;
	server_bind(&s);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		sandboxed(&s);
	server_start(&s);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	server_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_bogus),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_sandbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
