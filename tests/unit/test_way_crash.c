/* tests/unit/test_way_crash.c - a power cut at every write on the whole way from 250 to the mailbox.
 *
 * The real queue, the real local delivery and the real store, over one recorded disk: what each promises the other is not assumed
 * here (test_queue_crash.c and test_store_crash.c each play the other side) but comes out of their order of syncs. For prefixes
 * of the recording both start again on what the disk may hold, deliver all they have, and
 *   a message that was answered 250 is in each recipient's INBOX once, whole; any other is there once or not at all;
 *   the invariants of both hold.
 */
#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "queue_rig.h"

#ifdef POSTRIDER_FAULTS

#include "base/limits.h"
#include "base/log.h"
#include "crash_disk.h"
#include "deliver/deliver_local.h"
#include "queue/queue_in.h"
#include "store/store_internal.h"
#include "sys/boot.h"

#define MESSAGES 24
#define ACCOUNTS 3u /* 1, 2, 3 */
#define LARGE    (LIMIT_INLINE + 1000)

static struct way {
	struct crash_disk     disk;
	struct rig            r; /* its directory is the queue's, and the accounts' too: their names differ */
	struct store         *store;
	struct deliver_local *local;
	char                 *large;
	bool                  acked[MESSAGES];
	size_t                ack_at[MESSAGES]; /* mark -> message */
	size_t                acks;
} *c;

/* ---- start and end of both ---- */

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

static void start(void)
{
	const struct store_options options = { .watermark_octets = 1 };

	assert_int_equal(queue_open(&c->r.options, &c->r.q), ST_OK);
	queue_start_turns(c->r.q, (struct ipc *)c);
	assert_int_equal(store_new(c->r.fd, &options, &c->store), ST_OK);
	c->local = deliver_local_new(c->store, (struct ipc *)c);
}

static void end(void)
{
	deliver_local_stop(c->local);
	deliver_local_free(&c->local);
	store_free(&c->store);
	rig_crash(&c->r);
	close(c->r.fd);
	assert_int_equal(disk_remove_dir(AT_FDCWD, c->r.dir), ST_OK);
}

/* ---- the way ---- */

static bool is_large(unsigned n) { return n % 8 == 3; }

/* Message n is for all accounts whose bit it has. */
static bool is_for(unsigned n, unsigned account) { return ((n % 7 + 1) >> (account - 1) & 1) != 0; }

static const char *rcpts_of(unsigned n)
{
	struct str list = STR_NONE;

	for (unsigned a = 1; a <= ACCOUNTS; a++)
		if (is_for(n, a))
			list = arena_printf(c->r.arena, "%.*s%sa%u@demo.test", STR_FMT(list), list.n ? " " : "", a);
	return list.p;
}

static void submit(unsigned n)
{
	struct str         content = arena_printf(c->r.arena, "N: %u\r\nSubject: x\r\n\r\n", n);
	struct fake_reply *reply, *spool = NULL;
	int                fd = -1;

	if (is_large(n)) {
		spool = fake_ipc_ask(queue_spool, c->r.q, IPC_QUEUE_SPOOL, "");
		fd = ((struct queue_spool_reply *)spool->body)->spool;
		memset(c->large, ' ', 100);
		memcpy(c->large, content.p, content.n);
		assert_int_equal(write(fd, c->large, LARGE), LARGE);
	}
	reply = rig_submit_raw(&c->r, NULL, "far@far.test", rcpts_of(n), fd >= 0 ? STR("") : content, fd, fd >= 0 ? LARGE : content.n);
	queue_turn(c->r.q);
	assert_true(reply->over && ((struct queue_submit_reply *)reply->body)->result == QUEUE_SUBMIT_QUEUED);
	c->ack_at[c->acks++] = n;
	fault_record(&(struct fault_event){ .kind = FAULT_EVENT_MARK, .path = "250" });
	fake_reply_done(&reply);
	if (spool) {
		fake_reply_done(&spool);
		close(fd);
	}
}

static bool resolve_one(void)
{
	struct fake_call *call = fake_ipc_next(IPC_AUTH_RESOLVE);
	struct str        address;

	if (!call)
		return false;
	address = ((const struct auth_resolve_request *)call->body)->address;
	struct auth_target target = { .account = (uint64_t)(address.p[1] - '0'), .address = address };

	fake_ipc_answer(call, ST_OK, &(struct auth_resolve_reply){ &target, 1 });
	queue_turn(c->r.q);
	return true;
}

/* All that queue asks of local now: handed over together, so that local settles them together. */
static bool deliver_all(void)
{
	struct fake_call  *calls[MESSAGES * ACCOUNTS];
	struct fake_reply *replies[MESSAGES * ACCOUNTS];
	size_t             n = 0;

	while (n < LEN(calls) && (calls[n] = fake_ipc_next(IPC_LOCAL_DELIVER)) != NULL) {
		replies[n] = fake_ipc_ask(deliver_local_rows[0].handler, c->local, IPC_LOCAL_DELIVER, calls[n]->body);
		n++;
	}
	for (size_t i = 0; i < n; i++) {
		fake_reply_wait(replies[i]);
		assert_int_equal(replies[i]->status, ST_OK);
		assert_int_equal(((struct local_deliver_reply *)replies[i]->body)->result, LOCAL_DELIVERED);
		fake_ipc_answer(calls[i], ST_OK, replies[i]->body);
		fake_reply_done(&replies[i]);
	}
	for (int i = 0; i < 3; i++)
		queue_turn(c->r.q);
	return n > 0;
}

static void run_all(void)
{
	for (int i = 0; i < 3; i++) {
		bool more = true;

		while (more) {
			more = resolve_one();
			more = deliver_all() || more;
		}
		rig_mono += 3600 * 1000;
		rig_wall += 3600 * 1000;
		for (int k = 0; k < 4; k++)
			queue_turn(c->r.q);
	}
}

static void history(void)
{
	for (unsigned n = 0; n < MESSAGES; n++) {
		submit(n);
		if (n % 2 == 1)
			while (resolve_one())
				;
		if (n % 5 == 4)
			(void)deliver_all();
		if (n % 11 == 10)
			run_all();
	}
	run_all();
}

/* ---- looking ---- */

static void found(void *arg, const char *invariant, struct str text)
{
	(void)arg;
	print_error("%s: %.*s\n", invariant, STR_FMT(text));
}

static unsigned number_of(struct str content)
{
	ptrdiff_t  at = str_search(content, STR("N: "));
	struct str rest = str_from(content, (size_t)MAX(at, (ptrdiff_t)0) + 3);
	uint64_t   n = 0;

	assert_true(at >= 0 && str_take_u64(&rest, &n) && n < MESSAGES);
	return (unsigned)n;
}

/* How often each message is in the account; that contents are whole is what store_check sees by their hashes. */
static void count(uint64_t account, unsigned ret[MESSAGES])
{
	static const char     sql[] = "SELECT c.data, c.hash FROM message m JOIN email e ON e.id = m.email AND e.account = m.account"
				      " JOIN content c ON c.id = e.content AND c.account = e.account WHERE m.account = ?1";
	struct store_account *a;
	struct db_stmt       *s;
	uint64_t              breaks = 0;

	memset(ret, 0, MESSAGES * sizeof(*ret));
	assert_int_equal(store_open(c->store, account, &a), ST_OK);
	assert_int_equal(store_check(a, found, NULL, &breaks), ST_OK);
	assert_int_equal(breaks, 0);
	s = db_sql(a->db, sql);
	db_bind_u64(s, 1, account);
	while (db_step(s) == ST_OK) {
		char   head[400], path[STORE_PATH_MAX];
		size_t n = 0;
		int    fd = -1;

		if (!db_null(s, 0)) {
			ret[number_of(db_str(s, 0))]++;
			continue;
		}
		store_content_path(account, db_str(s, 1), path);
		assert_int_equal(disk_open(c->r.fd, path, DISK_READ, &fd), ST_OK);
		assert_int_equal(disk_read_at(fd, head, sizeof(head), 0, &n), ST_OK);
		close(fd);
		ret[number_of(str_n(head, n))]++;
	}
	db_done(s);
	store_close(&a);
}

static void look(void)
{
	unsigned times[ACCOUNTS + 1][MESSAGES];
	uint64_t breaks = 0;

	assert_int_equal(queue_check(c->r.q, found, NULL, &breaks), ST_OK);
	assert_int_equal(breaks, 0);
	assert_int_equal(rig_messages(&c->r), 0);
	for (unsigned a = 1; a <= ACCOUNTS; a++)
		count(a, times[a]);
	for (unsigned n = 0; n < MESSAGES; n++) {
		unsigned there = 0, due = 0;

		for (unsigned a = 1; a <= ACCOUNTS; a++) {
			due += is_for(n, a);
			there += times[a][n];
			if (times[a][n] > is_for(n, a)) {
				print_error("message %u is %u times in account %u\n", n, times[a][n], a);
				fail();
			}
		}
		if (there != due && (c->acked[n] || there != 0)) {
			print_error("message %u (%s) is in %u of %u accounts\n", n, c->acked[n] ? "250" : "no answer", there, due);
			fail();
		}
	}
}

static void check_crash(size_t acks, enum crash_variant v)
{
	static uint64_t boot = 1000;

	memset(c->acked, 0, sizeof(c->acked));
	for (size_t i = 0; i < acks; i++)
		c->acked[c->ack_at[i]] = true;
	open_dir();
	crash_disk_build(&c->disk, c->r.fd, v);
	boot_id_set((struct boot_id){ 7, ++boot });
	start();
	run_all();
	look();
	end();
}

static void test_every_write(void **state)
{
	struct boot_id was = boot_id();
	size_t         acks = 0, at = 0, checked = 0, every;

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
	c->r.options = (struct queue_options){ .root = "queue", .hostname = STR("mx.demo.test"), .watermark_octets = 1,
					       .reserve_octets = 64 * KIB, .mono_ms = rig_clock_mono, .wall_ms = rig_clock_wall };
	open_dir();
	crash_disk_record(&c->disk);
	start();
	history();
	fault_record_to(NULL, NULL);
	memset(c->acked, 1, sizeof(c->acked));
	look();
	end();

	every = getenv("POSTRIDER_TEST_LONG") ? 1 : 1 + c->disk.events / 120;
	for (const struct crash_event *e = c->disk.first; e; e = e->next, at++) {
		crash_disk_play(&c->disk, e);
		acks += e->e.kind == FAULT_EVENT_MARK;
		if (at % every == 0)
			check_crash(acks, (enum crash_variant)(checked++ % 3));
	}
	print_message("%zu events, %zu crashes\n", c->disk.events, checked);
	assert_true(acks == MESSAGES && checked > 100);
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
