/* tests/unit/test_queue_crash.c - a power cut at every write of the queue.
 *
 * A history (submits small and large, lists, deferrals, failures, removals) runs once while every write, sync and name is recorded.
 * What the world outside knows is noted at each mark: submits that were answered, what accounts hold (an account's own
 * durability is local's business: it holds a message from the moment of its answer, and remembers delivery ids down to the floor).
 * Then, for prefixes of the recording, the queue is opened on what the disk may hold, delivers all it has, and
 *   every acknowledged message is in its accounts exactly once, untorn;
 *   one that was never acknowledged is there once or not at all; one that was removed, at most once;
 *   a failure is reported exactly once, and so is a success or an expanded list whose sender wants to know;
 *   ids go on above all that were told; the invariants hold.
 */
#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "queue_rig.h"

#ifdef POSTRIDER_FAULTS

#include "base/limits.h"
#include "base/log.h"
#include "crash_disk.h"
#include "queue/queue_in.h"
#include "sys/boot.h"

#define MESSAGES 40
#define MARKS    400
#define ACCOUNTS 12 /* 9 has the reports */
#define HELD     500

struct world {
	bool     acked[MESSAGES], removed[MESSAGES];
	uint64_t last_id;
	struct {
		uint64_t account, delivery;
		unsigned number;
		bool     remembered;
	} held[HELD];
	size_t held_count;
};

static struct crash {
	struct crash_disk disk;
	struct rig        r;
	struct world      now, marks[MARKS];
	size_t            mark_count;
	bool              recording;
	char             *large;
} *c;

static void mark(void)
{
	if (!c->recording)
		return;
	assert_true(c->mark_count < MARKS);
	c->marks[c->mark_count++] = c->now;
	fault_record(&(struct fault_event){ .kind = FAULT_EVENT_MARK, .path = "done" });
}

/* ---- accounts ---- */

static struct str head_of(unsigned n)
{
	return arena_printf(c->r.arena, "N: %u\r\nSubject: x\r\n\r\n", n);
}

static unsigned number_of(struct str content)
{
	ptrdiff_t  at = str_search(content, STR("N: "));
	struct str rest = str_from(content, (size_t)at + 3);
	uint64_t   n = 0;

	assert_true(at >= 0 && str_take_u64(&rest, &n) && n < MESSAGES);
	return (unsigned)n;
}

static bool is_large(unsigned n) { return n % 5 == 4; }
#define LARGE (LIMIT_INLINE + 1000)

static void account_take(const struct local_deliver_request *d)
{
	struct world *w = &c->now;
	char         *p = malloc(d->size);
	unsigned      n;

	if (d->file >= 0) {
		assert_int_equal(pread(d->file, p, d->size, 0), d->size);
		assert_memory_equal(p + 100, c->large + 100, LARGE - 100);
	} else {
		memcpy(p, d->content.p, d->size);
	}
	n = number_of(str_n(p, d->size));
	if (d->from.n > 0)
		assert_int_equal(is_large(n), d->file >= 0);
	free(p);
	for (size_t i = 0; i < w->held_count; i++) {
		if (w->held[i].account != d->account)
			continue;
		w->held[i].remembered = w->held[i].remembered && w->held[i].delivery >= d->floor;
		if (w->held[i].remembered && w->held[i].delivery == d->delivery)
			return; /* a repeat */
	}
	assert_true(w->held_count < HELD);
	w->held[w->held_count].account = d->account;
	w->held[w->held_count].delivery = d->delivery;
	w->held[w->held_count].number = n;
	w->held[w->held_count++].remembered = true;
}

/* ---- the history: message n goes where n says ---- */

static struct str rcpts_of(unsigned n)
{
	switch (n % 4) {
	case 0:  return STR("a1@demo.test");
	case 1:  return STR("list@demo.test"); /* 2 and 3 */
	case 2:  return STR("nobody@demo.test");
	default: return STR("a4@demo.test a5@demo.test");
	}
}

/* NOTIFY of each second message to one account, and of each second to the list. */
static uint32_t notify_of(unsigned n)
{
	return n % 8 == 0 ? QUEUE_NOTIFY_SUCCESS | QUEUE_NOTIFY_FAILURE : n % 8 == 1 ? QUEUE_NOTIFY_SUCCESS : 0;
}

static void submit(unsigned n)
{
	struct str         content = head_of(n);
	struct fake_reply *reply, *spool = NULL;
	int                fd = -1;

	if (is_large(n)) {
		spool = fake_ipc_ask(queue_spool, c->r.q, IPC_QUEUE_SPOOL, "");
		fd = ((struct queue_spool_reply *)spool->body)->spool;
		memset(c->large, ' ', 100);
		memcpy(c->large, content.p, content.n);
		assert_int_equal(write(fd, c->large, LARGE), LARGE);
	}
	rig_wants.notify = notify_of(n);
	reply = rig_submit_raw(&c->r, NULL, "ann@demo.test", rcpts_of(n).p, fd >= 0 ? STR("") : content, fd, fd >= 0 ? LARGE : content.n);
	queue_turn(c->r.q);
	assert_true(reply->over);
	assert_true(((struct queue_submit_reply *)reply->body)->id > c->now.last_id);
	c->now.last_id = ((struct queue_submit_reply *)reply->body)->id;
	c->now.acked[n] = true;
	mark();
	fake_reply_done(&reply);
	if (spool) {
		fake_reply_done(&spool);
		close(fd);
	}
}

/* One answer of a peer; false: nobody is asked. Deferred once in a while. */
static bool step(bool defer)
{
	struct fake_call *call;

	rig_quotas();
	call = fake_ipc_next(IPC_AUTH_RESOLVE);
	if (call) {
		struct str                address = ((const struct auth_resolve_request *)call->body)->address;
		struct auth_target        t[2] = { { 2, STR("a2@demo.test") }, { 3, STR("a3@demo.test") } };
		struct auth_resolve_reply reply = { t, 2 };

		if (str_starts(address, STR("a"))) {
			t[0] = (struct auth_target){ str_eq(address, STR("ann@demo.test")) ? 9 : (uint64_t)(address.p[1] - '0'), address };
			reply.target_count = 1;
		}
		fake_ipc_answer(call, str_starts(address, STR("nobody")) ? ST_NOT_FOUND : ST_OK, &reply);
		queue_turn(c->r.q);
		return true;
	}
	call = fake_ipc_next(IPC_LOCAL_DELIVER);
	if (!call)
		return false;
	const struct local_deliver_request *d = call->body;
	struct local_deliver_reply          reply = { LOCAL_DELIVERED, STR(""), STR("") };

	if (defer && (d->account == 3 || d->account == 5))
		reply.result = LOCAL_DEFERRED;
	else
		account_take(d);
	mark();
	fake_ipc_answer(call, ST_OK, &reply);
	queue_turn(c->r.q);
	return true;
}

static void run_all(bool defer)
{
	for (int i = 0; i < 12; i++) {
		while (step(defer))
			;
		rig_mono += 3600 * 1000;
		rig_wall += 3600 * 1000;
		for (int k = 0; k < 4; k++)
			queue_turn(c->r.q);
		defer = false;
	}
}

static void history(void)
{
	struct queue_edit_reply gone = { 0 };

	for (unsigned n = 0; n < MESSAGES; n++) {
		submit(n);
		if (n % 3 == 1)
			step(true);
		if (n % 7 == 6)
			run_all(true);
	}
	for (int i = 0; i < 6; i++)
		step(true);
	/* Remove what is left of the last ones: from here on they may be there or not. */
	memset(&c->now.removed[MESSAGES - 5], 1, 5);
	mark();
	assert_int_equal(queue_remove(c->r.q, &(struct queue_id_request){ .id = 0 }, &gone), ST_OK);
	assert_true(gone.count > 0);
	run_all(false);
}

/* ---- a queue on a directory of its own ---- */

static void open_dir(void)
{
	char name[] = "/tmp/postrider-XXXXXX";

	if (access("/dev/shm", W_OK) == 0)
		memcpy(name, "/dev/shm/", 9);
	assert_non_null(mkdtemp(name));
	snprintf(c->r.dir, sizeof(c->r.dir), "%s", name);
	c->r.fd = open(name, O_RDONLY | O_DIRECTORY);
	assert_int_equal(db_root("queue", c->r.fd), ST_OK);
	c->r.options.dir = c->r.fd;
}

static void open_queue(void)
{
	assert_int_equal(queue_open(&c->r.options, &c->r.q), ST_OK);
	queue_start_turns(c->r.q, (struct ipc *)c);
}

static void found(void *arg, const char *invariant, struct str text)
{
	(void)arg;
	print_error("%s: %.*s\n", invariant, STR_FMT(text));
}

static void check_invariants(void)
{
	uint64_t breaks = 0;

	assert_int_equal(queue_check(c->r.q, found, NULL, &breaks), ST_OK);
	assert_int_equal(breaks, 0);
}

static void close_dir(void)
{
	rig_crash(&c->r);
	close(c->r.fd);
	assert_int_equal(disk_remove_dir(AT_FDCWD, c->r.dir), ST_OK);
}

static unsigned held(const struct world *w, uint64_t account, unsigned n)
{
	unsigned count = 0;

	for (size_t i = 0; i < w->held_count; i++)
		count += w->held[i].account == account && w->held[i].number == n;
	return count;
}

static void check_once(const struct world *w, unsigned n, uint64_t account)
{
	unsigned count = held(w, account, n);

	if (count > 1 || (count == 0 && w->acked[n] && !w->removed[n])) {
		print_error("message %u is %u times in account %u\n", n, count, (unsigned)account);
		fail();
	}
}

static void check_world(const struct world *w)
{
	for (unsigned n = 0; n < MESSAGES; n++) {
		if (notify_of(n))
			check_once(w, n, 9);
		switch (n % 4) {
		case 0: check_once(w, n, 1); break;
		case 1:
			check_once(w, n, 2);
			check_once(w, n, 3);
			break;
		case 2: check_once(w, n, 9); break;
		default:
			check_once(w, n, 4);
			check_once(w, n, 5);
		}
	}
}

static void check_crash(size_t done, enum crash_variant v)
{
	static uint64_t boot = 1000;

	c->now = done ? c->marks[done - 1] : (struct world){ 0 };
	open_dir();
	crash_disk_build(&c->disk, c->r.fd, v);
	boot_id_set((struct boot_id){ 7, ++boot });
	open_queue();
	check_invariants();
	assert_true(c->r.q->next_id > c->now.last_id);
	run_all(false);
	assert_int_equal(rig_messages(&c->r), 0);
	check_world(&c->now);
	check_invariants();
	close_dir();
}

static void test_every_write(void **state)
{
	struct boot_id was = boot_id();
	size_t         done = 0, at = 0, checked = 0, every;

	(void)state;
	log_set_level(LOG_LEVEL_ERROR + 1);
	db_init();
	c = calloc(1, sizeof(*c));
	c->large = malloc(LARGE);
	for (size_t i = 0; i < LARGE; i++)
		c->large[i] = (char)('a' + i * 7 % 26);
	c->disk.arena = arena_new(NULL);
	c->disk.random = 42;
	c->r.arena = arena_new(NULL);
	c->r.options = (struct queue_options){ .root = "queue", .hostname = STR("mx.demo.test"), .watermark_octets = 1, .mono_ms = rig_clock_mono,
					       .wall_ms = rig_clock_wall };
	open_dir();
	c->recording = true;
	crash_disk_record(&c->disk);
	open_queue();
	history();
	fault_record_to(NULL, NULL);
	c->recording = false;
	check_world(&c->now);
	assert_int_equal(rig_messages(&c->r), 0);
	close_dir();

	every = getenv("POSTRIDER_TEST_LONG") ? 1 : 1 + c->disk.events / 120;
	for (const struct crash_event *e = c->disk.first; e; e = e->next, at++) {
		crash_disk_play(&c->disk, e);
		done += e->e.kind == FAULT_EVENT_MARK;
		if (at % every)
			continue;
		check_crash(done, (enum crash_variant)(checked++ % 3));
	}
	print_message("%zu events, %zu marks, %zu crashes\n", c->disk.events, c->mark_count, checked);
	assert_true(done == c->mark_count && checked > 100);
	boot_id_set(was);
	arena_free(&c->disk.arena);
	arena_free(&c->r.arena);
	free(c->large);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_write) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else
int main(void)
{
	return 77; /* skipped: nothing records */
}
#endif
