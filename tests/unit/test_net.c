/* net/net.h in clear: units, wakes, timeouts, limits, slow readers, descriptors, drain. */
#include "net_rig.h"

#include <sys/resource.h>

static const struct net_limits no_limits;

static void test_lines(void **state)
{
	struct rig rig;
	int        fd;

	(void)state;
	rig_new(&rig, &no_limits, NULL);
	fd = rig_connect(rig.port);
	rig_expect(fd, "hello\r\n");
	rig_send(fd, STR("ECHO a\r\n"));
	rig_expect(fd, "=a\r\n");
	rig_send(fd, STR("ECHO b\r\nECHO c\r\nBYTES 5\r\nab\r\ncECHO d\r\nDATA\r\nx\r\n..\r\n.\r\nINFO\r\nQUIT\r\nECHO no\r\n"));
	rig_expect(fd, "=b\r\n");
	rig_expect(fd, "=c\r\n");
	rig_expect(fd, "D5 ab\r\n");
	rig_expect(fd, "c\r\n");
	rig_expect(fd, "=d\r\n");
	rig_expect(fd, "D6 x\r\n");
	rig_expect(fd, ".\r\n");
	rig_expect(fd, "\r\n");
	rig_expect(fd, "clear 127.0.0.1\r\n");
	rig_expect(fd, "bye\r\n");
	rig_expect(fd, ""); /* the end, not a reset, although input is left unread */
	close(fd);
	rig_done(&rig);
}

static void test_line_ends(void **state)
{
	struct rig rig;
	int        fd;
	char       many[3000];

	(void)state;
	rig_new(&rig, &no_limits, NULL);
	fd = rig_connect(rig.port);
	rig_expect(fd, "hello\r\n");
	rig_send(fd, STR("ECHO a\nECHO b\r\nECHO c\r\n"));
	rig_expect(fd, "bare\r\n");
	rig_expect(fd, "bare\r\n");
	rig_expect(fd, "=c\r\n");
	memset(many, 'x', sizeof(many));
	for (int i = 0; i < 100; i++)
		rig_send(fd, str_n(many, sizeof(many)));
	rig_send(fd, STR("\r\nECHO d\r\n"));
	rig_expect(fd, "long\r\n");
	rig_expect(fd, "=d\r\n");
	close(fd);
	rig_done(&rig);
}

/* Wakes: while waiting, inside the handler, while only a wake is wanted, and after the end. */
static void test_wake(void **state)
{
	struct rig       rig;
	struct net_conn *c;
	int              fd;

	(void)state;
	rig_new(&rig, &no_limits, NULL);
	fd = rig_connect(rig.port);
	rig_expect(fd, "hello\r\n");
	rig_send(fd, STR("IDLE\r\n"));
	rig_expect(fd, "idle\r\n");
	c = rig_take_last(&rig);
	for (int i = 0; i < 100; i++) {
		net_wake(c);
		rig_expect(fd, "woken\r\n");
	}
	rig_send(fd, STR("ECHO ha")); /* inside a line it waits */
	net_wake(c);
	rig_send(fd, STR("lf\r\nWAKESELF\r\n"));
	net_unref(&c);
	{
		/* The wake comes before the line if that had not begun to arrive. */
		char       buf[64];
		struct str first = rig_line_in(fd, buf, sizeof(buf));
		if (str_eq(first, STR("woken\r\n"))) {
			rig_expect(fd, "=half\r\n");
			rig_expect(fd, "ok\r\n");
			rig_expect(fd, "woken\r\n");
		} else {
			assert_str(first, STR("=half\r\n"));
			rig_expect(fd, "ok\r\n");
			rig_expect(fd, "woken\r\n");
		}
	}
	rig_send(fd, STR("SLEEP\r\nECHO unread\r\n"));
	rig_expect(fd, "sleep\r\n");
	c = rig_take_last(&rig);
	net_wake(c);
	rig_expect(fd, "woken\r\n");
	rig_expect(fd, "=unread\r\n");
	close(fd);
	rig_await(&rig, &rig.closed, 1);
	net_wake(c);
	net_unref(&c);
	rig_done(&rig);
}

/* Several threads count up and wake; some wakes give one event, but the last count is always told, while the peer talks too. */
struct waker {
	struct rig      *rig;
	struct net_conn *c;
};

static void *waker_main(void *arg)
{
	struct waker *w = arg;

	for (int i = 0; i < 2000; i++) {
		atomic_fetch_add(&w->rig->told, 1);
		net_wake(w->c);
	}
	return NULL;
}

static void test_no_wake_is_lost(void **state)
{
	enum { N = 4 };
	struct rig       rig;
	struct waker     w;
	pthread_t        threads[N];
	char             buf[64];
	struct str       line;
	bool             last_told = false;
	int              fd;

	(void)state;
	rig_new(&rig, &no_limits, NULL);
	fd = rig_connect(rig.port);
	rig_expect(fd, "hello\r\n");
	rig_send(fd, STR("IDLE\r\n"));
	rig_expect(fd, "idle\r\n");
	w = (struct waker){ &rig, rig_take_last(&rig) };
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, waker_main, &w), 0);
	for (unsigned i = 0, echoes = 0; i < 500 || echoes < 500;) {
		if (i < 500 && i++ < 500)
			rig_send(fd, STR("ECHO x\r\n"));
		line = rig_line_in(fd, buf, sizeof(buf));
		assert_true(str_starts(line, STR("woken ")) || str_eq(line, STR("=x\r\n")));
		echoes += line.p[0] == '=';
		last_told = last_told || str_eq(line, STR("woken 8000\r\n"));
	}
	for (unsigned i = 0; i < N; i++)
		pthread_join(threads[i], NULL);
	rig_send(fd, STR("ECHO end\r\n")); /* not after it: what the last wake has to tell may come before or behind */
	for (bool end = false, all = false; !end || !all;) { /* hangs here if the last one is lost */
		line = rig_line_in(fd, buf, sizeof(buf));
		all = all || last_told || str_eq(line, STR("woken 8000\r\n"));
		end = end || str_eq(line, STR("=end\r\n"));
	}
	net_unref(&w.c);
	close(fd);
	rig_done(&rig);
}

/* The shorter timeout comes first; the line's own starts with its first octet. */
static void test_timeouts(void **state)
{
	struct net_limits limits = { .unit_ms = 40 };
	struct rig        rig;
	int               idle, half;

	(void)state;
	rig_new(&rig, &limits, NULL);
	rig.timeout_ms = 60000;
	half = rig_connect(rig.port);
	rig_expect(half, "hello\r\n");
	rig_send(half, STR("ECHO ha"));
	rig_expect(half, "timeout\r\n");
	rig_expect(half, "");
	close(half);
	rig.timeout_ms = 30;
	idle = rig_connect(rig.port);
	rig_expect(idle, "hello\r\n");
	rig_expect(idle, "timeout\r\n");
	rig_expect(idle, "");
	close(idle);
	idle = rig_connect(rig.port);
	rig_expect(idle, "hello\r\n");
	rig_send(idle, STR("SLEEP\r\n"));
	rig_expect(idle, "sleep\r\n");
	rig_expect(idle, "timeout\r\n");
	close(idle);
	idle = rig_connect(rig.port);
	rig_expect(idle, "hello\r\n");
	rig_send(idle, STR("DATA\r\nab"));
	rig_expect(idle, "timeout\r\n");
	close(idle);
	rig_done(&rig);
}

static void test_per_address(void **state)
{
	struct net_limits limits = { .per_address = 2 };
	struct rig        rig;
	struct net_stats  stats;
	int               fd[3];

	(void)state;
	rig_new(&rig, &limits, NULL);
	for (size_t i = 0; i < 2; i++) {
		fd[i] = rig_connect(rig.port);
		rig_expect(fd[i], "hello\r\n");
	}
	fd[2] = rig_connect(rig.port);
	rig_expect(fd[2], "refused\r\n");
	rig_expect(fd[2], "");
	close(fd[2]);
	net_stats(rig.net, &stats);
	assert_int_equal(stats.refused, 1);
	close(fd[0]);
	rig_await(&rig, &rig.closed, 1);
	do { /* the place is free a little after the session has ended */
		char buf[64];
		fd[0] = rig_connect(rig.port);
		if (str_eq(rig_line_in(fd[0], buf, sizeof(buf)), STR("hello\r\n")))
			break;
		close(fd[0]);
	} while (true);
	limits.per_address = 0;
	limits.connections = 2;
	net_set_limits(rig.net, &limits);
	fd[2] = rig_connect(rig.port);
	rig_expect(fd[2], "refused\r\n");
	close(fd[2]);
	close(fd[0]);
	close(fd[1]);
	rig_done(&rig);
}

/* A line that has to be kept does not fit the memory budget. */
static void test_memory(void **state)
{
	struct net_limits limits = { .memory = 100 };
	struct rig        rig;
	int               fd;

	(void)state;
	rig_new(&rig, &limits, NULL);
	assert_false(net_memory_take(rig.net, 101));
	assert_true(net_memory_take(rig.net, 100));
	assert_false(net_memory_take(rig.net, 1));
	net_memory_give(rig.net, 100);
	fd = rig_connect(rig.port);
	rig_expect(fd, "hello\r\n");
	rig_send(fd, STR("ECHO whole lines need none\r\n"));
	rig_expect(fd, "=whole lines need none\r\n");
	rig_send(fd, STR("ECHO ha"));
	rig_expect(fd, "refused\r\n");
	rig_expect(fd, "");
	close(fd);
	rig_done(&rig);
}

/* Many handlers block; the pool grows to them, and others still get answers. */
static void test_growth(void **state)
{
	enum { N = 60 };
	struct rig rig;
	int        fd[N + 1];

	(void)state;
	rig_new(&rig, &no_limits, NULL);
	for (size_t i = 0; i < N; i++) {
		fd[i] = rig_connect(rig.port);
		rig_send(fd[i], STR("HOLD\r\n"));
	}
	rig_await(&rig, &rig.held, N);
	fd[N] = rig_connect(rig.port);
	rig_send(fd[N], STR("ECHO x\r\n"));
	rig_expect(fd[N], "hello\r\n");
	rig_expect(fd[N], "=x\r\n");
	rig_gate(&rig, true);
	for (size_t i = 0; i < N; i++) {
		rig_expect(fd[i], "hello\r\n");
		rig_expect(fd[i], "held\r\n");
	}
	for (size_t i = 0; i <= N; i++)
		close(fd[i]);
	rig_done(&rig);
}

/* Strangers of one network hold two threads; those who signed in are not counted. */
static void test_share(void **state)
{
	struct net_limits limits = { .threads_per_network = 2 };
	struct net_stats  stats;
	struct rig        rig;
	int               trusted, fd[4];

	(void)state;
	rig_new(&rig, &limits, NULL);
	trusted = rig_connect(rig.port);
	rig_expect(trusted, "hello\r\n");
	rig_send(trusted, STR("TRUST\r\n"));
	rig_expect(trusted, "trusted\r\n");
	for (size_t i = 0; i < LEN(fd); i++) {
		fd[i] = rig_connect(rig.port);
		rig_expect(fd[i], "hello\r\n");
	}
	for (size_t i = 0; i < LEN(fd); i++)
		rig_send(fd[i], STR("HOLD\r\n"));
	rig_await(&rig, &rig.held, 2);
	for (int i = 0; i < 20; i++) {
		rig_send(trusted, STR("ECHO x\r\n"));
		rig_expect(trusted, "=x\r\n");
	}
	assert_int_equal(rig.held, 2);
	net_stats(rig.net, &stats);
	assert_int_equal(stats.connections, 5);
	rig_gate(&rig, true);
	for (size_t i = 0; i < LEN(fd); i++)
		rig_expect(fd[i], "held\r\n");
	for (size_t i = 0; i < LEN(fd); i++)
		close(fd[i]);
	close(trusted);
	rig_done(&rig);
}

/* One peer reads nothing: it blocks its thread, then is cut; another goes on. */
static void test_slow_reader(void **state)
{
	struct net_limits limits = { .write_stall_ms = 100 };
	struct rig        rig;
	int               slow, other;

	(void)state;
	rig_new(&rig, &limits, NULL);
	slow = rig_connect(rig.port);
	rig_expect(slow, "hello\r\n");
	rig_send(slow, STR("BIG 100000000\r\n"));
	other = rig_connect(rig.port);
	rig_expect(other, "hello\r\n");
	for (int i = 0; i < 50; i++) {
		rig_send(other, STR("ECHO x\r\n"));
		rig_expect(other, "=x\r\n");
	}
	rig_await(&rig, &rig.closed, 1);
	rig_send(other, STR("ECHO x\r\n"));
	rig_expect(other, "=x\r\n");
	close(slow);
	close(other);
	rig_done(&rig);
}

/* Out of descriptors: accept waits, and goes on when there are some. */
static void test_descriptors(void **state)
{
	struct rlimit old, few;
	struct rig    rig;
	int           fd[3], spare;

	(void)state;
	rig_new(&rig, &no_limits, NULL);
	fd[0] = rig_connect(rig.port);
	rig_expect(fd[0], "hello\r\n");
	fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	fd[2] = socket(AF_INET, SOCK_STREAM, 0);
	spare = dup(fd[0]);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){ .rlim_cur = (rlim_t)spare + 1, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (size_t i = 1; i < 3; i++) {
		struct sockaddr_in a = { .sin_family = AF_INET,
					 .sin_port = htons(rig.port),
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		assert_int_equal(connect(fd[i], (struct sockaddr *)&a, sizeof(a)), 0);
	}
	rig_send(fd[0], STR("ECHO x\r\n"));
	rig_expect(fd[0], "=x\r\n");
	close(spare);
	rig_send(fd[0], STR("QUIT\r\n")); /* its end lets accept go on at once */
	rig_expect(fd[0], "bye\r\n");
	rig_expect(fd[0], "");
	close(fd[0]);
	rig_expect(fd[1], "hello\r\n");
	rig_expect(fd[2], "hello\r\n");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(fd[1]);
	close(fd[2]);
	rig_done(&rig);
}

static void *drain(void *arg)
{
	struct rig *rig = arg;

	net_drain(rig->net, 60000);
	return NULL;
}

/* Idle ones are told at once, one in a handler after it, one in a line after that line. */
static void test_drain(void **state)
{
	struct rig rig;
	pthread_t  thread;
	int        idle, inside, half;

	(void)state;
	rig_new(&rig, &no_limits, NULL);
	idle = rig_connect(rig.port);
	inside = rig_connect(rig.port);
	half = rig_connect(rig.port);
	rig_expect(idle, "hello\r\n");
	rig_expect(half, "hello\r\n");
	rig_send(half, STR("DATA\r\nab"));
	rig_send(inside, STR("HOLD\r\n"));
	rig_await(&rig, &rig.held, 1);
	assert_int_equal(pthread_create(&thread, NULL, drain, &rig), 0);
	rig_expect(idle, "drain\r\n");
	rig_expect(idle, "");
	rig_gate(&rig, true);
	rig_expect(inside, "hello\r\n");
	rig_expect(inside, "held\r\n");
	rig_expect(inside, "drain\r\n");
	rig_expect(inside, "");
	close(idle);
	close(inside);
	rig_send(half, STR("\r\n.\r\n"));
	{
		char       buf[64];
		struct str line = rig_line_in(half, buf, sizeof(buf));
		/* The unit may not have begun when the drain came. */
		if (str_eq(line, STR("D4 ab\r\n"))) {
			rig_expect(half, "\r\n");
			rig_expect(half, "drain\r\n");
		} else {
			assert_str(line, STR("drain\r\n"));
		}
	}
	rig_expect(half, "");
	close(half);
	assert_int_equal(pthread_join(thread, NULL), 0);
	rig_done(&rig);
}

/* With no grace all is cut: a handler that writes to a peer that does not read, idle ones, half lines. */
static void test_cut(void **state)
{
	struct rig rig;
	int        fd[3];

	(void)state;
	rig_new(&rig, &no_limits, NULL);
	for (size_t i = 0; i < LEN(fd); i++) {
		fd[i] = rig_connect(rig.port);
		rig_expect(fd[i], "hello\r\n");
	}
	rig_send(fd[0], STR("BIG 1000000000\r\n"));
	rig_send(fd[1], STR("ECHO ha"));
	rig_done(&rig);
	for (size_t i = 0; i < LEN(fd); i++)
		close(fd[i]);
}

static int dual_listener(uint16_t *ret_port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT };
	socklen_t           n = sizeof(a);
	int                 zero = 0, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 10) < 0) {
		close(fd);
		return -1;
	}
	getsockname(fd, (struct sockaddr *)&a, &n);
	*ret_port = ntohs(a.sin6_port);
	return fd;
}

/* An IPv4 peer on an IPv6 listener is an IPv4 peer; an IPv6 one is itself. */
static void test_addresses(void **state)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct rig          rig;
	uint16_t            port = 0;
	int                 fd, listener = dual_listener(&port);

	(void)state;
	if (listener < 0)
		skip();
	rig_new(&rig, &no_limits, NULL);
	net_listen(rig.net, listener, &rig_proto, &rig, NULL, false);
	fd = rig_connect(port);
	rig_expect(fd, "hello\r\n");
	rig_send(fd, STR("INFO\r\n"));
	rig_expect(fd, "clear 127.0.0.1\r\n");
	close(fd);
	six.sin6_port = htons(port);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&six, sizeof(six)) == 0) {
		rig_expect(fd, "hello\r\n");
		rig_send(fd, STR("INFO\r\n"));
		rig_expect(fd, "clear ::1\r\n");
	}
	close(fd);
	rig_done(&rig);
}

/* Threads that wake, talk and hang up at random: nothing is lost, nothing is used after its end. */
struct stress {
	struct rig *rig;
	unsigned    seed;
};

static void *stress_client(void *arg)
{
	struct stress *s = arg;

	for (int round = 0; round < 15; round++) {
		int      fd = rig_connect(s->rig->port);
		unsigned talk = (s->seed = s->seed * 1103515245 + 12345) / 65536 % 8;

		rig_expect(fd, "hello\r\n");
		for (unsigned i = 0; i < talk; i++) {
			struct net_conn *c;

			rig_send(fd, STR("ECHO x\r\nECHO y\r\n"));
			rig_expect(fd, "=x\r\n");
			rig_expect(fd, "=y\r\n");
			pthread_mutex_lock(&s->rig->lock);
			c = s->rig->last ? net_ref(s->rig->last) : NULL;
			pthread_mutex_unlock(&s->rig->lock);
			if (c)
				net_wake(c);
			net_unref(&c);
		}
		if (talk == 3) {
			rig_send(fd, STR("IDLE\r\n"));
			rig_expect(fd, "idle\r\n");
		}
		if (talk % 2) {
			struct linger reset = { .l_onoff = 1, .l_linger = 0 };
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		}
		close(fd);
	}
	return NULL;
}

static void test_stress(void **state)
{
	enum { N = 8 };
	struct rig    rig;
	pthread_t     threads[N];
	struct stress s[N];

	(void)state;
	rig_new(&rig, &no_limits, NULL);
	for (unsigned i = 0; i < N; i++) {
		s[i] = (struct stress){ &rig, i };
		assert_int_equal(pthread_create(&threads[i], NULL, stress_client, &s[i]), 0);
	}
	for (unsigned i = 0; i < N; i++)
		pthread_join(threads[i], NULL);
	rig_done(&rig);
	assert_int_equal(rig.sessions, N * 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),       cmocka_unit_test(test_line_ends),   cmocka_unit_test(test_wake),
		cmocka_unit_test(test_timeouts),    cmocka_unit_test(test_per_address), cmocka_unit_test(test_memory),
		cmocka_unit_test(test_growth),      cmocka_unit_test(test_share),       cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_descriptors), cmocka_unit_test(test_drain),       cmocka_unit_test(test_cut),
		cmocka_unit_test(test_stress),      cmocka_unit_test(test_addresses),   cmocka_unit_test(test_no_wake_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
