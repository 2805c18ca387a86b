/* The master's outbox: never waits, keeps order and descriptors, is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "role/master_outbox.h"
#include "sys/clock.h"
#include "sys/fd.h"

struct rig {
	int                  fd[2];
	struct master_outbox out;
	struct ipc_reader    in;
	struct arena        *a;
};

static void rig_init(struct rig *r)
{
	assert_int_equal(fd_pair(r->fd, true, 4096), ST_OK);
	master_outbox_init(&r->out, r->fd[0]);
	ipc_reader_init(&r->in, r->fd[1]);
	r->in.flags = MSG_DONTWAIT;
	r->a = arena_new(NULL);
}

static void rig_done(struct rig *r)
{
	master_outbox_done(&r->out);
	ipc_reader_done(&r->in);
	arena_free(&r->a);
	fd_close(&r->fd[0]);
	fd_close(&r->fd[1]);
}

static enum status tell(struct rig *r, uint64_t epoch, int fd)
{
	return master_outbox_send(&r->out, ROLE_MSG_PEER, &(struct role_msg_peer){ .epoch = epoch, .fd = fd });
}

/* Takes what is there, in order from `next` on; how many. */
static unsigned take(struct rig *r, uint64_t next)
{
	enum role_msg_id id;
	void            *msg;
	unsigned         n = 0;

	for (; role_msg_next(&r->in, r->a, &id, &msg) == ST_OK; n++) {
		struct role_msg_peer *m = msg;

		assert_int_equal(id, ROLE_MSG_PEER);
		assert_int_equal(m->epoch, next + n);
		assert_true(m->fd >= 0);
		assert_int_equal(close(m->fd), 0);
	}
	return n;
}

static void test_order_and_descriptors(void **state)
{
	struct rig r;
	int        pipe_fd[2];
	uint64_t   told = 0, taken = 0;
	char       c;

	(void)state;
	rig_init(&r);
	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC | O_NONBLOCK), 0);
	while (r.out.count < 20)
		assert_int_equal(tell(&r, told++, pipe_fd[1]), ST_OK);
	assert_true(told > 20);
	assert_int_equal(close(pipe_fd[1]), 0); /* what waits has copies */
	while (taken < told) {
		taken += take(&r, taken);
		assert_int_equal(master_outbox_flush(&r.out), ST_OK);
	}
	assert_int_equal(r.out.count, 0);
	assert_int_equal(r.out.octets, 0);
	assert_int_equal(read(pipe_fd[0], &c, 1), 0); /* the end: no copy is left anywhere */
	close(pipe_fd[0]);
	rig_done(&r);
}

static void test_bounded_and_quick(void **state)
{
	struct rig  r;
	int         null = open("/dev/null", O_RDONLY | O_CLOEXEC), spare;
	int64_t     began = clock_mono_ms();
	enum status st;

	(void)state;
	rig_init(&r);
	for (uint64_t i = 0; (st = tell(&r, i, null)) == ST_OK;)
		i++;
	assert_int_equal(st, ST_LIMIT);
	assert_int_equal(r.out.count, MASTER_OUTBOX_MESSAGES);
	assert_true(clock_mono_ms() - began < 5000);
	assert_true(r.out.since_ms >= began);
	spare = dup(null);
	rig_done(&r);
	fd_close(&spare);
	spare = dup(null); /* nothing leaked: low numbers are free again */
	assert_true(spare < 20);
	fd_close(&spare);
	fd_close(&null);
}

static void test_peer_gone(void **state)
{
	struct rig r;
	int        null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	rig_init(&r);
	while (r.out.count == 0)
		assert_int_equal(tell(&r, 0, null), ST_OK);
	fd_close(&r.fd[1]);
	assert_int_equal(master_outbox_flush(&r.out), ST_CLOSED);
	assert_int_equal(r.out.count, 1); /* dropped by done */
	rig_done(&r);
	fd_close(&null);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_descriptors),
		cmocka_unit_test(test_bounded_and_quick),
		cmocka_unit_test(test_peer_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
