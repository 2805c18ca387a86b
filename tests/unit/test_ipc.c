/* ipc/: codec, graph, calls, answers, lost channels, descriptors, limits, askers, bus. */
#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <stdio.h>
#include <unistd.h>

#include "base/limits.h"
#include "ipc/ipc.h"
#include "ipc/ipc_frame.h"
#include "ipc/msg_auth.h"
#include "ipc/msg_dns.h"
#include "ipc/msg_local.h"
#include "ipc/msg_queue.h"
#include "sys/clock.h"
#include "sys/fd.h"

/* A process has one and never frees it. Kept, so that none counts as leaked. */
static struct ipc *new_ipc(enum role_id self, unsigned instance)
{
	static struct ipc *kept[32];
	static size_t      count;

	assert_true(count < LEN(kept));
	return kept[count++] = ipc_new(self, instance);
}

/* ---- codec ---- */

/* Fill any message with small values that differ from field to field. */
static void fill(const struct ipc_shape *shape, char *msg, struct arena *a, unsigned *seed)
{
	memset(msg, 0, shape->size);
	for (size_t i = 0; i < shape->count; i++) {
		const struct ipc_field *f = &shape->fields[i];
		uint64_t                v = ++*seed % 100 % (f->max == UINT64_MAX || f->max == 0 ? 100 : f->max + 1);
		uint32_t                u32 = (uint32_t)v;
		int                     none = -1;
		struct str              s = str_first(STR("\0abc\xff\r\n"), f->max < 7 ? f->max : *seed % 8);
		char                   *items;
		size_t                  n = 2;

		switch (f->kind) {
		case IPC_KIND_BOOL: msg[f->offset] = v & 1; break;
		case IPC_KIND_U32:
		case IPC_KIND_ENUM: memcpy(msg + f->offset, &u32, 4); break;
		case IPC_KIND_U64:
		case IPC_KIND_I64:  memcpy(msg + f->offset, &v, 8); break;
		case IPC_KIND_STR:  memcpy(msg + f->offset, &s, sizeof(s)); break;
		case IPC_KIND_FD:   memcpy(msg + f->offset, &none, sizeof(none)); break;
		case IPC_KIND_LIST:
			items = arena_array(a, f->of->size, n);
			for (size_t k = 0; k < n; k++)
				fill(f->of, items + k * f->of->size, a, seed);
			memcpy(msg + f->offset, &items, sizeof(items));
			memcpy(msg + f->count_offset, &n, sizeof(n));
			break;
		}
	}
}

static void check_shape(const struct ipc_shape *shape)
{
	struct arena *a = arena_new(NULL);
	char         *msg = arena_alloc(a, shape->size), *back = arena_alloc(a, shape->size);
	struct buf    wire, again, dump;
	unsigned      seed = 3;
	struct str    exact;

	buf_init(&wire, MIB);
	buf_init(&again, MIB);
	buf_init(&dump, MIB);
	fill(shape, msg, a, &seed);
	assert_int_equal(ipc_encode(&wire, NULL, shape, msg, IPC_VERSION), ST_OK);
	exact = unit_exact(buf_str(&wire));
	assert_int_equal(ipc_decode(exact, NULL, shape, back, a, IPC_VERSION), ST_OK);
	assert_int_equal(ipc_encode(&again, NULL, shape, back, IPC_VERSION), ST_OK);
	assert_str(buf_str(&again), buf_str(&wire));
	ipc_dump(&dump, shape, back);
	unit_exact_free(exact);
	/* Every shorter form, and one octet more, is refused. */
	for (size_t n = 0; n < wire.n; n++) {
		exact = unit_exact(str_first(buf_str(&wire), n));
		assert_int_equal(ipc_decode(exact, NULL, shape, back, a, IPC_VERSION), ST_CORRUPT);
		unit_exact_free(exact);
	}
	buf_add_char(&wire, 'x');
	assert_int_equal(ipc_decode(buf_str(&wire), NULL, shape, back, a, IPC_VERSION), ST_CORRUPT);
	buf_done(&wire);
	buf_done(&again);
	buf_done(&dump);
	arena_free(&a);
}

static void test_codec_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < IPC_MSG_COUNT; i++) {
		assert_non_null(ipc_msgs[i].name);
		check_shape(&ipc_msgs[i].request);
		check_shape(&ipc_msgs[i].reply);
		assert_true(ipc_msgs[i].reply.size <= 512);
	}
}

static void test_codec_hostile(void **state)
{
	struct arena              *a = arena_new(NULL);
	struct auth_rcpt_reply     kind;
	struct auth_resolve_reply  list;
	struct auth_sender_request long_address = { .address = { NULL, LIMIT_ADDRESS + 1 } };
	struct buf                 b;

	(void)state;
	assert_int_equal(ipc_decode(STR("\0\0\0\x04"), NULL, &ipc_msgs[IPC_AUTH_RCPT].reply, &kind, a, 1), ST_CORRUPT); /* enum */
	assert_int_equal(ipc_decode(STR("\xff\xff\xff\xff"), NULL, &ipc_msgs[IPC_AUTH_RESOLVE].reply, &list, a, 1), ST_CORRUPT);
	assert_int_equal(ipc_decode(STR("\0\0\0\x03"), NULL, &ipc_msgs[IPC_AUTH_RESOLVE].reply, &list, a, 1), ST_CORRUPT);
	buf_init(&b, MIB);
	assert_int_equal(ipc_encode(&b, NULL, &ipc_msgs[IPC_AUTH_SENDER].request, &long_address, 1), ST_LIMIT);
	buf_done(&b);
	arena_free(&a);
}

/* ---- graph ---- */

static bool reaches(enum role_id from, enum role_id to, unsigned depth)
{
	for (size_t i = 0; depth > 0 && i < ipc_edge_count; i++)
		if (ipc_edges[i].asker == from && (ipc_edges[i].lanes & ~(1u << IPC_LANE_BUS)) &&
		    (ipc_edges[i].server == to || reaches(ipc_edges[i].server, to, depth - 1)))
			return true;
	return false;
}

static void test_graph_has_no_circle(void **state)
{
	(void)state;
	for (unsigned r = 0; r < ROLE_COUNT; r++)
		assert_false(reaches((enum role_id)r, (enum role_id)r, ROLE_COUNT));
	for (unsigned i = 1; i < IPC_MSG_COUNT; i++) { /* each message can be asked on its lane by somebody */
		bool found = ipc_msgs[i].server == ROLE_CONTROL;
		for (size_t e = 0; e < ipc_edge_count; e++)
			found |= ipc_edges[e].server == ipc_msgs[i].server && (ipc_edges[e].lanes & 1u << ipc_msgs[i].lane);
		assert_true(found);
	}
}

/* ---- calls: an smtp and an auth "process" in one ---- */

struct pair {
	struct ipc         *smtp, *queue;
	int                 fd[2];
	sem_t               hold;
	struct ipc_request *held[2];
	unsigned            held_count;
	unsigned            spools, removed;
};

static void on_known(void *ctx, struct ipc_request *r)
{
	const struct queue_known_request *q = r->body;
	struct pair                      *p = ctx;
	struct queue_known_reply          reply = { .known = true, .id = q->txid.n };

	if (str_eq(q->txid, STR("hold"))) { /* answered later, or never */
		p->held[p->held_count++] = r;
		sem_post(&p->hold);
		return;
	}
	ipc_reply(r, str_eq(q->txid, STR("no")) ? ST_NOT_FOUND : ST_OK, &reply);
}

static void on_spool(void *ctx, struct ipc_request *r)
{
	struct pair             *p = ctx;
	struct queue_spool_reply reply = { .spool = memfd_create("spool", MFD_CLOEXEC) };

	p->spools++;
	ipc_reply(r, ST_OK, &reply);
	close(reply.spool);
}

static void on_remove(void *ctx, struct ipc_request *r)
{
	((struct pair *)ctx)->removed++;
	ipc_reply(r, ST_OK, &(struct queue_edit_reply){ .count = 1 });
}

static const struct ipc_row queue_rows[] = {
	{ IPC_QUEUE_REMOVE, on_remove, 0 },
	{ IPC_QUEUE_KNOWN, on_known, 1 },
	{ IPC_QUEUE_SPOOL, on_spool, 0 },
};

static void connect_pair(struct pair *p, uint64_t epoch)
{
	assert_int_equal(fd_pair(p->fd, false, 65536), ST_OK);
	ipc_attach(p->smtp, true, ROLE_QUEUE, 0, IPC_LANE_CONTROL, epoch, p->fd[0]);
	ipc_attach(p->queue, false, ROLE_SMTP, 0, IPC_LANE_CONTROL, epoch, p->fd[1]);
}

static struct pair *pair_new(void)
{
	struct pair *p = calloc(1, sizeof(*p));

	sem_init(&p->hold, 0, 0);
	p->smtp = new_ipc(ROLE_SMTP, 0);
	p->queue = new_ipc(ROLE_QUEUE, 0);
	ipc_pool(p->queue, 1, 8, 100);
	ipc_serve(p->queue, queue_rows, LEN(queue_rows), p);
	connect_pair(p, 1);
	return p;
}

static enum status ask(struct pair *p, struct str txid, struct queue_known_reply *reply)
{
	struct arena              *a = arena_new(NULL);
	struct queue_known_request q = { .txid = txid };
	enum status                st = ipc_call(p->smtp, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_KNOWN, &q, a, reply);

	arena_free(&a);
	return st;
}

static void *ask_many(void *arg)
{
	for (unsigned i = 0; i < 200; i++) {
		struct queue_known_reply reply = { 0 };
		struct str               txid = str_first(STR("0123456789abcdef"), i % 17);

		assert_int_equal(ask(arg, txid, &reply), ST_OK);
		assert_int_equal(reply.id, i % 17);
	}
	return NULL;
}

static void test_calls(void **state)
{
	struct pair             *p = pair_new();
	struct queue_known_reply reply;
	struct queue_spool_reply spool;
	struct arena            *a = arena_new(NULL);
	pthread_t                threads[8];

	(void)state;
	for (size_t i = 0; i < LEN(threads); i++)
		pthread_create(&threads[i], NULL, ask_many, p);
	for (size_t i = 0; i < LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(ask(p, STR("no"), &reply), ST_NOT_FOUND);
	assert_int_equal(ask(p, STR("longer than sixteen octets"), &reply), ST_LIMIT);
	assert_int_equal(ipc_call(p->smtp, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_SPOOL, NULL, a, &spool), ST_OK);
	assert_true(spool.spool >= 0 && fcntl(spool.spool, F_GETFD) == FD_CLOEXEC);
	close(spool.spool);
	/* Nobody serves this one; and it has no such lane. */
	assert_int_equal(ipc_call(p->smtp, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_STATS, NULL, a, &(struct queue_stats_reply){ 0 }), ST_DENIED);
	assert_int_equal(ipc_call(p->smtp, ROLE_DNS, IPC_ANY, IPC_DNS_LOOKUP, &(struct dns_lookup_request){ .type = DNS_A }, a,
				  &(struct dns_lookup_reply){ 0 }),
			 ST_TEMP);
	arena_free(&a);
}

static void *ask_hold(void *arg)
{
	struct queue_known_reply reply;

	return (void *)(uintptr_t)ask(arg, STR("hold"), &reply);
}

static void count_done(void *arg, enum status st, const void *reply)
{
	assert_true(st == ST_OK || !reply);
	atomic_fetch_add(&((atomic_uint *)arg)[st == ST_OK], 1);
}

static void test_lost_channel(void **state)
{
	struct pair             *p = pair_new();
	pthread_t                thread;
	void                    *st;
	struct queue_known_reply reply;
	atomic_uint              done[2] = { 0, 0 };

	(void)state;
	pthread_create(&thread, NULL, ask_hold, p);
	sem_wait(&p->hold);
	ipc_start(p->smtp, ROLE_QUEUE, 7, IPC_QUEUE_KNOWN, &(struct queue_known_request){ .txid = STR("hold") }, count_done, done);
	sem_wait(&p->hold);
	connect_pair(p, 2); /* a new epoch: what was open on the old pair is lost */
	pthread_join(thread, &st);
	assert_int_equal((uintptr_t)st, ST_TEMP);
	while (atomic_load(&done[0]) == 0) /* another thread may still be telling it */
		usleep(1000);
	assert_int_equal(atomic_load(&done[0]), 1);
	assert_int_equal(ask(p, STR("again"), &reply), ST_OK);
	for (unsigned i = 0; i < 2; i++) /* late: goes nowhere */
		ipc_reply(p->held[i], ST_OK, &(struct queue_known_reply){ .known = true });
	ipc_detach(p->smtp, ROLE_QUEUE, 0);
	assert_int_equal(ask(p, STR("gone"), &reply), ST_TEMP);
	assert_int_equal(ipc_peers(p->smtp, ROLE_QUEUE), 0);
}

static sem_t bad_seen;

static void on_bad(void *ctx, enum role_id peer, unsigned instance)
{
	assert_int_equal(peer, ROLE_SMTP);
	assert_int_equal(instance, 3);
	(void)ctx;
	sem_post(&bad_seen);
}

static void test_bad_peer(void **state)
{
	struct ipc *queue = new_ipc(ROLE_QUEUE, 0);
	int         fd[2];

	(void)state;
	sem_init(&bad_seen, 0, 0);
	ipc_on_bad_peer(queue, on_bad, NULL);
	assert_int_equal(fd_pair(fd, false, 65536), ST_OK);
	ipc_attach(queue, false, ROLE_SMTP, 3, IPC_LANE_CONTROL, 1, fd[1]);
	assert_int_equal(fd_write(fd[0], STR("\xff\xff\xff\xff this is no frame, and it is long enough")), ST_OK);
	sem_wait(&bad_seen);
	close(fd[0]);
}

/* ---- a peer that asks and asks ---- */

struct crowd {
	pthread_mutex_t     lock;
	struct ipc_request *held[LIMIT_IPC_PENDING + 1];
	size_t              count;
	int                 fd[2];
	struct ipc         *queue;
	_Atomic size_t      drained;
};

static void on_crowd(void *ctx, struct ipc_request *r)
{
	struct crowd *c = ctx;

	pthread_mutex_lock(&c->lock);
	assert_true(c->count < LEN(c->held));
	c->held[c->count++] = r;
	pthread_mutex_unlock(&c->lock);
}

static const struct ipc_row crowd_rows[] = {
	{ IPC_QUEUE_KNOWN, on_crowd, 0 },
	{ IPC_QUEUE_SUBMIT, on_crowd, 0 },
};

static void crowd_init(struct crowd *c, enum ipc_lane lane)
{
	pthread_mutex_init(&c->lock, NULL);
	c->queue = new_ipc(ROLE_QUEUE, 0);
	ipc_serve(c->queue, crowd_rows, LEN(crowd_rows), c);
	assert_int_equal(fd_pair(c->fd, false, 65536), ST_OK);
	ipc_attach(c->queue, false, ROLE_SMTP, 0, lane, 1, c->fd[1]);
}

static size_t crowd_count(struct crowd *c)
{
	size_t n;

	pthread_mutex_lock(&c->lock);
	n = c->count;
	pthread_mutex_unlock(&c->lock);
	return n;
}

static struct str frame_of(struct buf *out, enum ipc_msg_id id, const void *request)
{
	struct str body;
	char       head[IPC_HEADER] = { 0 };
	struct buf payload;

	buf_init(&payload, LIMIT_IPC_FRAME);
	assert_int_equal(ipc_encode(&payload, NULL, &ipc_msgs[id].request, request, IPC_VERSION), ST_OK);
	body = buf_str(&payload);
	for (unsigned i = 0; i < 4; i++)
		head[i] = (char)(body.n >> (24 - 8 * i));
	head[5] = (char)id;
	head[6] = IPC_VERSION;
	buf_add(out, str_n(head, sizeof(head)));
	buf_add(out, body);
	buf_done(&payload);
	return buf_str(out);
}

/* Send frames until `most` are gone, or nothing is read any more. False: the latter; *rest is what is left of a frame. */
static bool flood(struct crowd *c, struct str frame, size_t most, struct str *rest)
{
	for (size_t i = 0; i < most;) {
		struct pollfd p = { .fd = c->fd[0], .events = POLLOUT };
		ssize_t       put;

		if (poll(&p, 1, 2000) == 0)
			return false;
		put = send(c->fd[0], rest->p, rest->n, MSG_DONTWAIT | MSG_NOSIGNAL);
		*rest = str_from(*rest, put > 0 ? (size_t)put : 0);
		if (rest->n == 0) {
			*rest = frame;
			i++;
		}
	}
	return true;
}

static void *drain(void *arg)
{
	struct crowd *c = arg;
	char          octets[4096];
	ssize_t       n;

	while ((n = read(c->fd[0], octets, sizeof(octets))) > 0)
		c->drained += (size_t)n;
	return NULL;
}

static void answer_all(struct crowd *c)
{
	pthread_mutex_lock(&c->lock);
	for (size_t n = c->count; c->count > 0 && n > 0; n--) {
		struct ipc_request *r = c->held[--c->count];

		pthread_mutex_unlock(&c->lock);
		ipc_reply(r, ST_NOT_FOUND, NULL);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
}

/* What is open in the server is bounded; answers make room; and a full link ends when it is taken away. */
static void check_crowd(struct crowd *c, enum ipc_lane lane, enum ipc_msg_id id, const void *request, size_t most)
{
	struct buf wire;
	struct str frame, rest;
	pthread_t  reader;

	crowd_init(c, lane);
	buf_init(&wire, MIB);
	frame = rest = frame_of(&wire, id, request);
	pthread_create(&reader, NULL, drain, c);
	assert_false(flood(c, frame, SIZE_MAX, &rest));
	assert_int_equal(crowd_count(c), most);
	answer_all(c);
	assert_false(flood(c, frame, SIZE_MAX, &rest));
	assert_int_equal(crowd_count(c), most);
	assert_true(c->drained >= most * IPC_HEADER);
	ipc_detach(c->queue, ROLE_SMTP, 0);
	answer_all(c);
	for (unsigned i = 0; i < 2000 && fcntl(c->fd[1], F_GETFD) >= 0; i++)
		usleep(5000);
	assert_int_equal(fcntl(c->fd[1], F_GETFD), -1); /* the last reference is gone: the reader did not stay */
	pthread_join(reader, NULL);
	close(c->fd[0]);
	buf_done(&wire);
}

/* ---- a peer that does not read ---- */

#define STANDING 300u /* messages of 100 KB: far more than any socket holds */

static void ended(void *arg, enum status st, const void *reply)
{
	(void)reply;
	assert_int_equal(st, ST_TEMP);
	atomic_fetch_add((atomic_uint *)arg, 1);
}

/* Asking does not wait for it, and what it reads later is all there, whole, in order, with its descriptors. */
static void test_standing_peer(void **state)
{
	struct ipc       *smtp = new_ipc(ROLE_SMTP, 0);
	char             *content = calloc(1, 100000), txid[16] = "0123456789abcdef";
	struct queue_rcpt rcpt = { STR("b@demo.test") };
	struct ipc_reader in;
	struct ipc_frame  f;
	atomic_uint       ends = 0;
	int               fd[2], file = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(fd_pair(fd, false, 65536), ST_OK);
	ipc_attach(smtp, true, ROLE_QUEUE, 0, IPC_LANE_BULK, 1, fd[0]);
	for (unsigned i = 0; i < STANDING; i++) {
		struct queue_submit_request q = { .txid = str_n(txid, sizeof(txid)), .rcpts = &rcpt, .rcpt_count = 1, .size = i,
						  .content = str_n(content, 100000), .spool = i % 2 ? file : -1 };

		ipc_start(smtp, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_SUBMIT, &q, ended, &ends);
	}
	close(file);
	ipc_reader_init(&in, fd[1]);
	for (unsigned i = 0; i < STANDING; i++) {
		struct arena               *a = arena_new(NULL);
		struct queue_submit_request q;

		assert_int_equal(ipc_reader_next(&in, &f), ST_OK);
		assert_int_equal(f.fds.n, i % 2);
		assert_int_equal(ipc_decode(arena_dup(a, f.payload), &f.fds, &ipc_msgs[IPC_QUEUE_SUBMIT].request, &q, a, f.version), ST_OK);
		assert_int_equal(q.size, i);
		assert_int_equal(q.content.n, 100000);
		if (i % 2)
			close(q.spool);
		arena_free(&a);
	}
	assert_int_equal(atomic_load(&ends), 0);
	ipc_reader_done(&in);
	close(fd[1]);
	while (atomic_load(&ends) < STANDING)
		usleep(1000);
	free(content);
}

static void ignored(void *arg, enum status st, const void *reply)
{
	(void)arg, (void)st, (void)reply;
}

static void ask_auth(void *arg, enum status st, const void *reply)
{
	struct auth_rcpt_request q = { .address = STR("again@demo.test") };

	(void)reply;
	assert_int_equal(st, ST_TEMP);
	ipc_start(arg, ROLE_AUTH, IPC_ANY, IPC_AUTH_RCPT, &q, ignored, NULL);
}

/* While a corked thread sends what it has gathered, a link ends, and the callback asks on another that had its turn. */
static void test_cork_end_of_link(void **state)
{
	struct ipc                *smtp = ipc_new(ROLE_SMTP, 0);
	struct arena              *a = arena_new(NULL);
	struct auth_rcpt_request   rcpt = { .address = STR("first@demo.test") };
	struct queue_known_request known = { str_n("0123456789abcdef", 16) };
	struct queue_known_reply   reply;
	struct ipc_reader          in;
	struct ipc_frame           f;
	int                        auth[2], queue[2];

	(void)state;
	assert_int_equal(fd_pair(auth, false, 65536), ST_OK);
	assert_int_equal(fd_pair(queue, false, 65536), ST_OK);
	ipc_attach(smtp, true, ROLE_AUTH, 0, IPC_LANE_CONTROL, 1, auth[0]);
	ipc_attach(smtp, true, ROLE_QUEUE, 0, IPC_LANE_CONTROL, 1, queue[0]);
	assert_int_equal(shutdown(queue[0], SHUT_WR), 0); /* its reader sees nothing of it */
	ipc_cork();
	ipc_start(smtp, ROLE_AUTH, IPC_ANY, IPC_AUTH_RCPT, &rcpt, ignored, NULL);
	ipc_start(smtp, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_KNOWN, &known, ask_auth, smtp);
	assert_int_equal(ipc_call(smtp, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_KNOWN, &known, a, &reply), ST_TEMP);
	ipc_uncork();
	ipc_reader_init(&in, auth[1]);
	in.flags = MSG_DONTWAIT;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ipc_reader_next(&in, &f), ST_OK);
		assert_int_equal(f.type, IPC_AUTH_RCPT);
	}
	ipc_reader_done(&in);
	close(auth[1]);
	close(queue[1]);
	arena_free(&a);
}

/* A deadline that has passed is one, too. */
static void test_deadline_passed(void **state)
{
	(void)state;
	for (int64_t ms = -3000; ms < 3000; ms += 7) {
		struct timespec t = clock_deadline(ms);

		assert_true(t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
	}
}

/* What a corked thread asks goes out at the end, in order. */
static void test_cork(void **state)
{
	struct ipc       *smtp = new_ipc(ROLE_SMTP, 0);
	struct ipc_reader in;
	struct ipc_frame  f;
	atomic_uint       ends = 0;
	char              octet;
	int               fd[2];

	(void)state;
	assert_int_equal(fd_pair(fd, false, 65536), ST_OK);
	ipc_attach(smtp, true, ROLE_QUEUE, 0, IPC_LANE_CONTROL, 1, fd[0]);
	ipc_cork();
	for (unsigned i = 0; i < 20; i++) {
		struct queue_known_request q = { str_n("0123456789abcdef", 16) };

		ipc_cork();
		ipc_start(smtp, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_KNOWN, &q, ended, &ends);
		ipc_uncork();
	}
	assert_true(recv(fd[1], &octet, 1, MSG_DONTWAIT) < 0);
	ipc_uncork();
	ipc_reader_init(&in, fd[1]);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(ipc_reader_pending(&in), i > 0);
		assert_int_equal(ipc_reader_next(&in, &f), ST_OK);
		assert_int_equal(f.number, i + 1);
	}
	assert_false(ipc_reader_pending(&in));
	ipc_reader_done(&in);
	close(fd[1]);
	while (atomic_load(&ends) < 20)
		usleep(1000);
}

static void test_too_many_requests(void **state)
{
	static struct crowd c;

	(void)state;
	check_crowd(&c, IPC_LANE_CONTROL, IPC_QUEUE_KNOWN, &(struct queue_known_request){ .txid = STR("") }, LIMIT_IPC_PENDING);
}

/* Seen at once, also by one who has not come to the end of what was asked. */
static void test_asker_gone(void **state)
{
	const struct queue_known_request q = { .txid = STR("0123456789abcdef") };
	static struct crowd              c;
	struct buf                       wire;
	struct str                       frame, rest;

	(void)state;
	crowd_init(&c, IPC_LANE_CONTROL);
	buf_init(&wire, MIB);
	frame = rest = frame_of(&wire, IPC_QUEUE_KNOWN, &q);
	assert_true(flood(&c, frame, 3, &rest));
	while (crowd_count(&c) < 3)
		usleep(1000);
	for (size_t i = 0; i < 3; i++)
		assert_false(ipc_asker_gone(c.held[i]));
	close(c.fd[0]);
	for (size_t i = 0; i < 3; i++)
		assert_true(ipc_asker_gone(c.held[i]));
	ipc_detach(c.queue, ROLE_SMTP, 0);
	assert_true(ipc_asker_gone(c.held[0]));
	answer_all(&c);
	buf_done(&wire);
}

static void test_too_many_octets(void **state)
{
	static struct crowd         c;
	char                       *content = calloc(1, LIMIT_INLINE);
	struct queue_submit_request q = { .content = str_n(content, LIMIT_INLINE), .spool = -1 };

	(void)state;
	/* The one that goes over is taken still. */
	check_crowd(&c, IPC_LANE_BULK, IPC_QUEUE_SUBMIT, &q, LIMIT_IPC_OPEN / LIMIT_INLINE);
	free(content);
}

/* ---- who may ask what ---- */

/* A process that strangers have broken into must not give an administrator's orders. */
static void test_askers(void **state)
{
	struct pair              *p = pair_new();
	struct arena             *a = arena_new(NULL);
	struct queue_edit_reply   count;
	struct queue_known_reply  known;

	(void)state;
	assert_int_equal(ipc_call(p->smtp, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_REMOVE, &(struct queue_id_request){ .id = 0 }, a, &count), ST_DENIED);
	assert_int_equal(p->removed, 0);
	assert_int_equal(ask(p, STR("known"), &known), ST_OK);
	/* Every message has its askers, and each of them a way to ask it. */
	for (unsigned id = 1; id < IPC_MSG_COUNT; id++) {
		const struct ipc_msg *m = &ipc_msgs[id];

		assert_true(m->askers != 0 || m->server == ROLE_CONTROL);
		if (m->admin)
			assert_int_equal(m->askers & ~(1u << ROLE_CONTROL), 0);
		for (unsigned role = 0; role < ROLE_COUNT; role++) {
			const struct ipc_edge *e = ipc_edge_find((enum role_id)role, m->server);

			assert_true(!(m->askers & 1u << role) || (e && (e->lanes & 1u << m->lane)));
		}
	}
	arena_free(&a);
}

/* ---- bus ---- */

struct heard {
	sem_t    sem;
	uint64_t account;
	unsigned all, one;
};

static void on_bus(void *ctx, uint64_t account, uint32_t kinds, uint64_t modseq)
{
	struct heard *h = ctx;

	(void)kinds;
	(void)modseq;
	h->account = account;
	if (account == IPC_BUS_ALL)
		h->all++;
	else
		h->one++;
	sem_post(&h->sem);
}

static void test_bus(void **state)
{
	struct ipc  *local = new_ipc(ROLE_LOCAL, 0), *imap = new_ipc(ROLE_IMAP, 0);
	struct heard h = { .account = 0 };
	int          fd[2];

	(void)state;
	sem_init(&h.sem, 0, 0);
	ipc_bus_listen(imap, on_bus, &h);
	assert_int_equal(fd_pair(fd, true, 4096), ST_OK);
	ipc_attach(local, true, ROLE_IMAP, 0, IPC_LANE_BUS, 1, fd[0]);
	/* Nobody reads yet: the pair fills, the rest becomes "all". */
	for (uint64_t i = 1; i <= 5000; i++)
		ipc_bus_send(local, i, 1, i);
	ipc_attach(imap, false, ROLE_LOCAL, 0, IPC_LANE_BUS, 1, fd[1]);
	while (h.all < 2) /* one for the start of the pair, one for the overrun */
		sem_wait(&h.sem);
	assert_true(h.one < 5000);
	ipc_bus_send(local, 42, 1, 9);
	while (h.account != 42)
		sem_wait(&h.sem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codec_all), cmocka_unit_test(test_codec_hostile), cmocka_unit_test(test_graph_has_no_circle),
		cmocka_unit_test(test_calls),     cmocka_unit_test(test_lost_channel),  cmocka_unit_test(test_bad_peer),
		cmocka_unit_test(test_bus),       cmocka_unit_test(test_askers),        cmocka_unit_test(test_standing_peer), cmocka_unit_test(test_cork), cmocka_unit_test(test_cork_end_of_link), cmocka_unit_test(test_deadline_passed),
		cmocka_unit_test(test_too_many_requests),
		cmocka_unit_test(test_too_many_octets), cmocka_unit_test(test_asker_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
