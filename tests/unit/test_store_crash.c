/* tests/unit/test_store_crash.c - every prefix of a recorded history of writes, as a power cut would leave it.
 *
 * A history of operations runs once while sys/fault records each write, sync, name and removal. Then, for each prefix of the
 * recording, the files are built as they may be after a power cut there: what was synced surely, of the rest nothing, all, or
 * some of it and torn. The account must open, keep the numbered invariants, stand at the state after some operation not earlier than
 * the last durable one, have a clock not behind what was shown, and take repeated deliveries without doubling them.
 */
#include "store_unit.h"

#include "sys/boot.h"
#include "sys/fault.h"

#ifdef POSTRIDER_FAULTS

#include "crash_disk.h"

#define ACCOUNT   5
#define OPS_MAX   64

struct op { /* the state after it, and what it promised */
	struct str dump;
	bool       durable;
	uint64_t   modseq;
};
struct crash {
	struct arena     *arena;
	struct crash_disk disk;
	struct op         ops[OPS_MAX];
	size_t            op_count;
};

/* ---- the history ---- */

static uint64_t box_id(struct store_account *a, struct arena *arena, const char *name)
{
	return store_unit_box(a, arena, name).id;
}

/* All that a user can see, but the clock. */
static struct str dump(struct store_account *a, struct arena *arena)
{
	struct store_mailbox *boxes;
	struct buf            b, content;
	struct str            s;
	size_t                n;

	buf_init(&b, 1 * MIB);
	buf_init(&content, 4 * MIB);
	assert_ok(store_mailbox_list(a, arena, &boxes, &n));
	for (size_t i = 0; i < n; i++) {
		struct store_view v;

		buf_addf(&b, "%.*s next=%u:", STR_FMT(boxes[i].name), boxes[i].uidnext);
		assert_ok(store_view_load(a, boxes[i].id, UINT64_MAX, &v));
		for (size_t j = 0; j < v.count; j++) {
			buf_clear(&content);
			assert_ok(store_read(a, v.rows[j].email, 0, SIZE_MAX, &content));
			buf_addf(&b, " %u/%x/%llx", v.rows[j].uid, v.rows[j].flags,
				 (unsigned long long)str_hash(buf_str(&content)));
		}
		buf_add(&b, STR("\n"));
		store_view_done(&v);
	}
	s = arena_dup(arena, buf_str(&b));
	buf_done(&b);
	buf_done(&content);
	return s;
}

static void op_done(struct crash *c, struct store_account *a, bool durable)
{
	struct store_info info;
	struct op        *op = &c->ops[c->op_count++];

	assert_true(c->op_count < OPS_MAX);
	assert_ok(store_info(a, &info));
	op->dump = dump(a, c->arena);
	op->durable = durable;
	op->modseq = info.modseq;
	fault_record(&(struct fault_event){ .kind = FAULT_EVENT_MARK, .path = "done" });
}

static size_t delivery_size(uint64_t id) { return id % 3 == 2 ? LIMIT_INLINE + 50000 : 3000; }

static void op_deliver(struct crash *c, struct store_account *a, uint64_t id)
{
	store_unit_deliver(a, c->arena, id, store_unit_message(c->arena, 1000 + (unsigned)id, delivery_size(id)));
	op_done(c, a, false);
}

static void op_flags(struct crash *c, struct store_account *a, const char *box, uint32_t uid, unsigned flags)
{
	struct store_range       r = { uid, uid };
	struct store_flag_change ch = { .op = STORE_FLAGS_ADD, .flags = flags, .unchanged_since = UINT64_MAX };
	struct store_flagged     got;

	assert_ok(store_flags(a, box_id(a, c->arena, box), (struct store_set){ &r, 1 }, &ch, c->arena, &got));
	op_done(c, a, false);
}

static void history(struct crash *c, struct store_unit *u)
{
	struct store_account *a;
	struct store_copied   copied;
	struct store_expunged gone;

	assert_ok(store_open(u->store, ACCOUNT, &a));
	op_done(c, a, false);
	store_unit_append(a, box_id(a, c->arena, "INBOX"), store_unit_message(c->arena, 1, 2000), 0);
	op_done(c, a, true);
	op_deliver(c, a, 1);
	op_flags(c, a, "INBOX", 1, STORE_SEEN);
	op_deliver(c, a, 2);
	assert_ok(store_settle(a));
	op_done(c, a, true);
	store_unit_append(a, box_id(a, c->arena, "Sent"), store_unit_message(c->arena, 2, LIMIT_INLINE + 1000), STORE_SEEN);
	op_done(c, a, true);
	op_flags(c, a, "INBOX", 2, STORE_DELETED);
	op_deliver(c, a, 3);
	assert_ok(store_move(a, box_id(a, c->arena, "INBOX"), (struct store_set){ &(struct store_range){ 1, 1 }, 1 },
			     box_id(a, c->arena, "Archive"), c->arena, &copied));
	op_done(c, a, true);
	op_deliver(c, a, 4);
	assert_ok(store_copy(a, box_id(a, c->arena, "INBOX"), STORE_SET_ALL, box_id(a, c->arena, "Junk"), c->arena, &copied));
	op_done(c, a, true);
	assert_ok(store_expunge(a, box_id(a, c->arena, "INBOX"), STORE_SET_ALL, true, c->arena, &gone));
	op_done(c, a, true);
	assert_ok(store_mailbox_create(a, STR("work/now"), STORE_SPECIAL_NONE, NULL));
	op_done(c, a, true);
	op_deliver(c, a, 5);
	op_flags(c, a, "INBOX", 3, STORE_ANSWERED);
	assert_ok(store_mailbox_rename(a, STR("INBOX"), STR("old")));
	op_done(c, a, true);
	op_deliver(c, a, 6);
	assert_ok(store_mailbox_delete(a, STR("Junk")));
	op_done(c, a, true);
	op_deliver(c, a, 7);
	assert_ok(store_clean(a));
	op_done(c, a, true);
	store_close(&a);
}

/* ---- after the crash ---- */

static void check_state(struct crash *c, struct store_account *a, size_t done, struct arena *arena)
{
	struct store_info info;
	size_t            least = 0;
	bool              found = false, shown = false;
	struct str        now = dump(a, arena);

	/* Operation `done` may be going on: its effect may be there. */
	for (size_t i = 0; i < done; i++) {
		least = c->ops[i].durable ? i : least;
		shown |= c->ops[i].durable;
	}
	for (size_t i = least; i <= done && i < c->op_count; i++)
		found |= str_eq(now, c->ops[i].dump);
	if (!found) {
		print_error("after %zu operations: not a state that may be\n%.*s", done, STR_FMT(now));
		for (size_t i = least; i <= done && i < c->op_count; i++)
			print_error("may be %zu:\n%.*s", i, STR_FMT(c->ops[i].dump));
	}
	assert_true(found);
	assert_ok(store_info(a, &info));
	/* Of a new account that was not settled yet nobody has seen the clock. */
	assert_true(!shown || info.modseq >= c->ops[done - 1].modseq);
}

/* Queue repeats what was not reported settled: each message is there once (in whichever mailbox it is now). */
static void check_repeat(struct crash *c, struct store_account *a, size_t done, struct arena *arena)
{
	struct str after;

	if (done < c->op_count)
		return;
	for (uint64_t id = 1; id <= 7; id++)
		store_unit_deliver(a, arena, id, store_unit_message(arena, 1000 + (unsigned)id, delivery_size(id)));
	after = dump(a, arena);
	assert_str(after, c->ops[c->op_count - 1].dump);
}

static void check_crash(struct crash *c, size_t done, enum crash_variant v)
{
	struct store_unit     u;
	struct store_account *a;
	static uint64_t       boot = 1000;

	store_unit_dir(&u);
	crash_disk_build(&c->disk, u.fd, v);
	boot_id_set((struct boot_id){ 7, ++boot });
	assert_ok(store_new(u.fd, NULL, &u.store));
	assert_ok(store_open(u.store, ACCOUNT, &a));
	store_unit_check(a);
	if (done > 0) {
		check_state(c, a, done, u.arena);
		check_repeat(c, a, done, u.arena);
	}
	store_unit_append(a, box_id(a, u.arena, "INBOX"), store_unit_message(u.arena, 77, 500), 0);
	assert_ok(store_clean(a));
	store_unit_check(a);
	store_close(&a);
	store_unit_done(&u);
}

static void record(struct crash *c)
{
	struct store_options options = { .log_pages = 40 };
	struct store_unit    u;

	store_unit_open(&u, &options);
	crash_disk_record(&c->disk);
	history(c, &u);
	fault_record_to(NULL, NULL);
	store_unit_done(&u);
}

static void test_every_prefix(void **state)
{
	struct crash  *c = calloc(1, sizeof(*c));
	struct boot_id was = boot_id();
	size_t         done = 0, at = 0;

	(void)state;
	c->arena = arena_new(NULL);
	c->disk.arena = arena_new(c->arena);
	c->disk.random = 42;
	record(c);
	for (const struct crash_event *ev = c->disk.first; ev; ev = ev->next, at++) {
		crash_disk_play(&c->disk, ev);
		done += ev->e.kind == FAULT_EVENT_MARK;
		/* Two at the end of operations and around syncs, one in turn at plain writes. */
		if (ev->e.kind != FAULT_EVENT_WRITE) {
			check_crash(c, done, CRASH_NOTHING);
			check_crash(c, done, CRASH_SOME);
		} else if (at % 3 == 0) {
			check_crash(c, done, (enum crash_variant)(at / 3 % 3));
		}
	}
	print_message("%zu events, %zu operations\n", c->disk.events, c->op_count);
	assert_true(done == c->op_count && c->disk.events > 300);
	boot_id_set(was);
	arena_free(&c->arena);
	free(c);
}

/* ---- accounts that are made by their first delivery ---- */

#define FRESH 5 /* so many that one sync of the file system settles them */

struct fresh {
	struct crash_disk disk;
};

static void fresh_deliver(struct store *s, struct arena *arena, uint64_t account, uint64_t id)
{
	struct store_account *a;

	assert_ok(store_open(s, account, &a));
	store_unit_deliver(a, arena, id, store_unit_message(arena, (unsigned)(account * 100 + id), delivery_size(id)));
	store_close(&a);
}

static void fresh_settle(struct store_unit *u, size_t accounts)
{
	struct store_settled *list;
	size_t                n;

	store_settle_all(u->store, u->arena, &list, &n);
	assert_int_equal(n, accounts);
	for (size_t i = 0; i < n; i++)
		assert_ok(list[i].status);
	fault_record(&(struct fault_event){ .kind = FAULT_EVENT_MARK, .path = "settled" });
}

/* As a session does that is about to show it. */
static void fresh_settle_one(struct store_unit *u, uint64_t account)
{
	struct store_account *a;

	assert_ok(store_open(u->store, account, &a));
	assert_ok(store_settle(a));
	store_close(&a);
	fault_record(&(struct fault_event){ .kind = FAULT_EVENT_MARK, .path = "settled" });
}

/* Settled together or one by one: one delivery each, the second to the first account is a large one. */
static void fresh_history(struct fresh *c, struct store_unit *u, bool together)
{
	crash_disk_record(&c->disk);
	for (uint64_t i = 1; i <= FRESH; i++) {
		fresh_deliver(u->store, u->arena, i, 1);
		if (i == 1)
			fresh_deliver(u->store, u->arena, i, 2);
		if (!together)
			fresh_settle_one(u, i);
	}
	if (together)
		fresh_settle(u, FRESH);
	fault_record_to(NULL, NULL);
}

static uint64_t fresh_count(struct store_account *a, struct arena *arena)
{
	return store_unit_box(a, arena, "INBOX").messages;
}

static void fresh_check(struct fresh *c, unsigned settled, enum crash_variant v)
{
	struct store_unit u;
	static uint64_t   boot = 500000;

	store_unit_dir(&u);
	crash_disk_build(&c->disk, u.fd, v);
	boot_id_set((struct boot_id){ 7, ++boot });
	assert_ok(store_new(u.fd, NULL, &u.store));
	for (uint64_t i = 1; i <= FRESH; i++) {
		struct store_account *a;
		const unsigned        all = i == 1 ? 2 : 1;

		assert_ok(store_open(u.store, i, &a));
		store_unit_check(a);
		if (i <= settled)
			assert_int_equal(fresh_count(a, u.arena), all);
		/* What was settled is not repeated, the rest is; a repeat adds nothing. */
		for (uint64_t id = 1; id <= all; id++)
			store_unit_deliver(a, u.arena, id, store_unit_message(u.arena, (unsigned)(i * 100 + id), delivery_size(id)));
		assert_int_equal(fresh_count(a, u.arena), all);
		assert_ok(store_settle(a));
		store_unit_check(a);
		store_close(&a);
	}
	store_unit_done(&u);
}

static void fresh_every_prefix(bool together)
{
	struct fresh     *c = calloc(1, sizeof(*c));
	struct boot_id    was = boot_id();
	struct store_unit u;
	unsigned          marks = 0, at = 0;

	c->disk.arena = arena_new(NULL);
	c->disk.random = 42;
	store_unit_open(&u, NULL);
	fresh_history(c, &u, together);
	store_unit_done(&u);
	for (const struct crash_event *ev = c->disk.first; ev; ev = ev->next, at++) {
		crash_disk_play(&c->disk, ev);
		marks += ev->e.kind == FAULT_EVENT_MARK;
		if (ev->e.kind != FAULT_EVENT_WRITE)
			fresh_check(c, together ? marks * FRESH : marks, CRASH_NOTHING);
		fresh_check(c, together ? marks * FRESH : marks, at % 4 ? CRASH_SOME : CRASH_ALL);
	}
	print_message("%zu events\n", c->disk.events);
	assert_int_equal(marks, together ? 1 : FRESH);
	boot_id_set(was);
	arena_free(&c->disk.arena);
	free(c);
}

static void test_fresh_together(void **state)
{
	(void)state;
	fresh_every_prefix(true);
}

static void test_fresh_alone(void **state)
{
	(void)state;
	fresh_every_prefix(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_prefix), cmocka_unit_test(test_fresh_together),
					    cmocka_unit_test(test_fresh_alone) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else
int main(void)
{
	return 77; /* skipped: nothing records */
}
#endif
