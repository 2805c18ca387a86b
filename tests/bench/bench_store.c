/* tests/bench/bench_store.c - what the store costs. usage: bench_store [DIR]   (a directory of the disk to measure; made, removed)
 *
 * Prints one line per measurement: name, value, unit. Build without sanitizers.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "db/db.h"
#include "store/store_message.h"
#include "sys/disk.h"

#define DELIVERIES 3000
#define ROWS       100000
#define HANDLES    64

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void must(enum status st, const char *what)
{
	if (st == ST_OK)
		return;
	fprintf(stderr, "%s: %s\n", what, status_name(st));
	exit(1);
}

static void report(const char *name, double value, const char *unit)
{
	printf("%-48s %10.2f %s\n", name, value, unit);
}

static struct str message(struct arena *arena, unsigned n, size_t size)
{
	char      *p = arena_alloc(arena, size);
	struct str head = arena_printf(arena,
				       "Received: from a.example by b.example with ESMTP id %u; Mon, 2 Jan 2006 15:04:05 +0000\r\n"
				       "From: Ann <ann@example.com>\r\nTo: Bob <bob@example.org>\r\nSubject: number %u\r\n"
				       "Message-ID: <%u@example.com>\r\nDate: Mon, 2 Jan 2006 15:04:05 +0000\r\n"
				       "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
				       n, n, n);

	for (size_t i = 0; i < size; i++)
		p[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : (char)('a' + (i * 7 + n) % 26);
	memcpy(p, head.p, head.n);
	return str_n(p, size);
}

static void deliver(struct store *s, uint64_t account, uint64_t id, struct str content, struct arena *arena)
{
	struct store_account  *a;
	struct store_target    t = { .mailbox = STR_NONE };
	struct store_delivery  d = { .id = id, .floor = id > 500 ? id - 500 : 0, .targets = &t, .target_count = 1, .content = content,
				     .file = -1, .size = content.n, .received_ms = 1136214245000 };
	struct store_delivered got;

	must(store_open(s, account, &a), "open");
	must(store_deliver(a, &d, 1, arena, &got), "deliver");
	store_close(&a);
}

static void bench_deliver(struct store *s, struct arena *arena)
{
	struct store_settled *list;
	size_t                n;
	double                from, spent = 0, settle = 0;
	unsigned              settles = 0;

	for (unsigned i = 1; i <= DELIVERIES; i++) {
		struct str m = message(arena, i, 10240);

		from = now_us();
		deliver(s, 1, i, m, arena);
		spent += now_us() - from;
		if (i % 50 == 0) {
			from = now_us();
			store_settle_all(s, arena, &list, &n);
			settle += now_us() - from;
			settles++;
		}
		arena_reset(arena);
	}
	report("delivery of 10 KB, unsynced, one account", spent / DELIVERIES, "us");
	report("settle of one account after 50 deliveries", settle / settles, "us");
	spent = settle = 0;
	settles = 0;
	for (unsigned i = 0; i < 2000; i++) {
		struct str m = message(arena, i, 10240);

		from = now_us();
		deliver(s, 100 + i % 100, 100000 + i, m, arena);
		if (i >= 100)
			spent += now_us() - from;
		if (i % 100 == 99) {
			from = now_us();
			store_settle_all(s, arena, &list, &n);
			settle += now_us() - from;
			settles += (unsigned)n;
			arena_reset(arena);
		}
	}
	report("delivery of 10 KB over 100 accounts", spent / 1900, "us");
	report("settle per account, 100 dirty", settle / settles, "us");
}

static void bench_append(struct store *s, struct arena *arena)
{
	struct store_account *a;
	struct store_mailbox  box;
	double                from;

	must(store_open(s, 1, &a), "open");
	must(store_mailbox_find(a, STR("Sent"), arena, &box), "find");
	from = now_us();
	for (unsigned i = 0; i < 200; i++) {
		struct store_new_message m = { .content = message(arena, 900000 + i, 10240), .flags = STORE_SEEN };
		struct store_added       got;

		must(store_append(a, box.id, &m, 1, &got), "append");
	}
	report("append of 10 KB, synced", (now_us() - from) / 200, "us");
	store_close(&a);
	arena_reset(arena);
}

static void bench_large_mailbox(struct store *s, struct arena *arena)
{
	struct store_account    *a;
	struct store_mailbox     box;
	struct store_view        v;
	struct store_range       some = { 1000, 1999 }, one = { 5000, 5000 };
	struct store_flag_change seen = { .op = STORE_FLAGS_ADD, .flags = STORE_SEEN, .unchanged_since = UINT64_MAX };
	struct store_flagged     got;
	struct store_copied      copied;
	struct store_changes     changes;
	struct store_expunged    gone;
	struct store_new_message m = { .content = message(arena, 1, 500) };
	struct store_added       added;
	uint64_t                *emails;
	struct store_email      *facts;
	double                   from;
	uint64_t                 modseq;

	must(store_open(s, 2, &a), "open");
	must(store_mailbox_find(a, STR("INBOX"), arena, &box), "find");
	for (unsigned i = 0; i < 100; i++)
		must(store_append(a, box.id, &m, 1, &added), "append");
	from = now_us();
	for (size_t have = 100; have < ROWS; have = MIN(have * 2, (size_t)ROWS)) {
		struct store_range r = { 1, (uint32_t)MIN(have, ROWS - have) };

		must(store_copy(a, box.id, (struct store_set){ &r, 1 }, box.id, arena, &copied), "copy");
	}
	report("copy, per message", (now_us() - from) / (ROWS - 100), "us");
	from = now_us();
	must(store_view_load(a, box.id, UINT64_MAX, &v), "view");
	report("view of 100,000 rows", (now_us() - from) / 1000, "ms");
	report("  per row", (now_us() - from) / (double)v.count, "us");
	modseq = v.modseq;
	store_view_done(&v);
	from = now_us();
	must(store_flags(a, box.id, (struct store_set){ &some, 1 }, &seen, arena, &got), "flags");
	report("flags of 1,000 messages, unsynced", now_us() - from, "us");
	from = now_us();
	must(store_changes(a, box.id, modseq, arena, &changes), "changes");
	report("changes since, 1,000 of 100,000", now_us() - from, "us");
	seen.flags = STORE_FLAGGED;
	from = now_us();
	for (unsigned i = 0; i < 500; i++) {
		one.first = one.last = 5000 + i;
		must(store_flags(a, box.id, (struct store_set){ &one, 1 }, &seen, arena, &got), "flags");
	}
	report("flags of one message, unsynced", (now_us() - from) / 500, "us");
	modseq = got.modseq - 1;
	from = now_us();
	for (unsigned i = 0; i < 500; i++)
		must(store_changes(a, box.id, modseq, arena, &changes), "changes");
	report("changes since, 1 of 100,000", (now_us() - from) / 500, "us");
	from = now_us();
	for (unsigned i = 0; i < 500; i++)
		must(store_mailbox_find(a, STR("INBOX"), arena, &box), "find");
	report("mailbox row (STATUS)", (now_us() - from) / 500, "us");
	from = now_us();
	must(store_expunge(a, box.id, (struct store_set){ &some, 1 }, false, arena, &gone), "expunge");
	report("expunge of 1,000 messages, synced", now_us() - from, "us");
	store_close(&a);
	arena_reset(arena);

	must(store_open(s, 1, &a), "open");
	must(store_mailbox_find(a, STR("INBOX"), arena, &box), "find");
	must(store_view_load(a, box.id, UINT64_MAX, &v), "view");
	emails = ARENA_ARRAY(arena, uint64_t, v.count);
	facts = ARENA_ARRAY(arena, struct store_email, v.count);
	for (size_t i = 0; i < v.count; i++)
		emails[i] = v.rows[i].email;
	from = now_us();
	must(store_facts(a, emails, v.count, STORE_FACT_ENVELOPE, arena, facts), "facts");
	report("envelope, per message", (now_us() - from) / (double)v.count, "us");
	from = now_us();
	for (size_t i = 0; i < v.count; i++) {
		struct buf b;

		buf_init(&b, 1 * MIB);
		must(store_read(a, emails[i], 0, SIZE_MAX, &b), "read");
		buf_done(&b);
	}
	report("content of 10 KB", (now_us() - from) / (double)v.count, "us");
	store_view_done(&v);
	store_close(&a);
	arena_reset(arena);
}

static double resident_kib(void)
{
	long  pages = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%ld %ld", &pages, &resident) != 2)
		exit(1);
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static void bench_handles(struct store *s, struct arena *arena)
{
	struct store_account *a[HANDLES];
	struct store_mailbox  box;
	struct store_view     v;
	double                from = now_us(), before;

	for (size_t i = 0; i < HANDLES; i++) {
		must(store_open(s, 1000 + i, &a[i]), "open");
		store_close(&a[i]);
	}
	report("creation of an account", (now_us() - from) / HANDLES, "us");
	before = resident_kib();
	from = now_us();
	for (size_t i = 0; i < HANDLES; i++)
		must(store_open(s, 100 + i, &a[i]), "open");
	report("opening a handle", (now_us() - from) / HANDLES, "us");
	for (size_t i = 0; i < HANDLES; i++) {
		must(store_mailbox_find(a[i], STR("INBOX"), arena, &box), "find");
		must(store_view_load(a[i], box.id, UINT64_MAX, &v), "view");
		store_view_done(&v);
	}
	report("memory of a handle after SELECT (resident)", (resident_kib() - before) / HANDLES, "KiB");
	for (size_t i = 0; i < HANDLES; i++)
		store_close(&a[i]);
	for (size_t i = 0; i < HANDLES; i++)
		deliver(s, 100 + i, 200000 + i, message(arena, 1, 10240), arena);
	report("  and after a delivery too", (resident_kib() - before) / HANDLES, "KiB");
}

int main(int argc, char **argv)
{
	char                 dir[200];
	struct arena        *arena = arena_new(NULL);
	struct store        *s;
	struct store_options options = { .handles = 500, .memory = 256 * MIB };
	int                  top, fd;

	snprintf(dir, sizeof(dir), "%s/bench-store-XXXXXX", argc > 1 ? argv[1] : "/tmp");
	if (!mkdtemp(dir) || (fd = open(dir, O_RDONLY | O_DIRECTORY)) < 0)
		return 1;
	db_init();
	must(store_new(fd, &options, &s), "store");
	bench_deliver(s, arena);
	bench_append(s, arena);
	bench_large_mailbox(s, arena);
	store_free(&s);
	must(store_new(fd, &options, &s), "store");
	bench_handles(s, arena);
	store_free(&s);
	arena_free(&arena);
	top = openat(AT_FDCWD, argc > 1 ? argv[1] : "/tmp", O_RDONLY | O_DIRECTORY);
	must(disk_remove_dir(top, strrchr(dir, '/') + 1), "remove");
	close(top);
	close(fd);
	return 0;
}
