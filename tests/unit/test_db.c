/* tests/unit/test_db.c - the SQL interface: transactions, locks between threads and processes, durability's bookkeeping. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/db.h"
#include "db/db_gather.h"
#include "sys/boot.h"
#include "sys/disk.h"
#include "sys/fault.h"

#define assert_st(got, want) assert_string_equal(status_name(got), status_name(want))
#define assert_ok(got)       assert_st((got), ST_OK)
#define PATH                 "dbtest/sub/t.db"

static char dir[64];
static int  dir_fd;

static const char *const   steps[] = { "CREATE TABLE t (account INTEGER NOT NULL, id INTEGER NOT NULL, v BLOB, PRIMARY KEY (account, id))"
				       " WITHOUT ROWID; CREATE TABLE n (account INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
				       "CREATE TABLE second (account INTEGER PRIMARY KEY)" };
static const struct db_schema v1 = { steps, 1 }, v2 = { steps, 2 };

static struct db *open_with(const struct db_schema *schema, unsigned checkpoint_pages)
{
	struct db_options o = { .schema = schema, .create = true, .checkpoint_pages = checkpoint_pages, .lock_ms = 5000 };
	struct db        *db;

	assert_ok(db_open(PATH, &o, &db));
	return db;
}

static int setup(void **state)
{
	(void)state;
	db_init();
	snprintf(dir, sizeof(dir), "/tmp/postrider-db-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_ok(disk_make_dir(dir_fd, "sub"));
	return db_root("dbtest", dir_fd) == ST_OK ? 0 : -1;
}

static int teardown(void **state)
{
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY);

	(void)state;
#ifdef POSTRIDER_FAULTS
	fault_clear();
#endif
	assert_ok(disk_remove_dir(tmp, dir + 5));
	close(tmp);
	close(dir_fd);
	return 0;
}

static enum status put(struct db *db, uint64_t id, struct str v)
{
	struct db_stmt *s;
	enum status     st = db_begin_write(db);

	if (st != ST_OK)
		return st;
	s = db_sql(db, "INSERT INTO t VALUES (1, ?1, ?2)");
	db_bind_u64(s, 1, id);
	db_bind_blob(s, 2, v);
	st = db_run(s);
	if (st != ST_OK) {
		db_rollback(db);
		return st;
	}
	return db_commit(db);
}

static uint64_t count(struct db *db)
{
	struct db_stmt *s = db_sql(db, "SELECT count(*) FROM t");
	uint64_t        n;

	assert_ok(db_step(s));
	n = db_u64(s, 0);
	db_done(s);
	return n;
}

static void test_open(void **state)
{
	struct db_options o = { .schema = &v1 };
	struct db        *db = NULL;

	(void)state;
	assert_st(db_open(PATH, &o, &db), ST_NOT_FOUND);
	assert_false(disk_exists(dir_fd, "sub/t.db.lock"));
	assert_st(db_open("elsewhere/t.db", &o, &db), ST_DENIED);
	assert_st(db_open("dbtest/../t.db", &o, &db), ST_DENIED);
	db = open_with(&v1, 0);
	assert_true(db_unsynced(db)); /* what creation wrote is not promised before the first sync */
	assert_ok(db_sync(db));
	assert_false(db_unsynced(db));
	assert_true(db_memory(db) > 1000 && db_memory(db) < 190 * KIB);
	db_close(&db);
	assert_true(disk_exists(dir_fd, "sub/t.db"));
	assert_true(disk_exists(dir_fd, "sub/t.db-wal"));
	db_close(&db);
}

static void test_values(void **state)
{
	struct db      *db = open_with(&v1, 0);
	struct db_stmt *s;

	(void)state;
	assert_ok(put(db, 1, STR("a\0b")));
	assert_st(put(db, 1, STR("again")), ST_EXISTS);
	assert_ok(put(db, UINT64_C(0x8000000000000001), STR("")));
	s = db_sql(db, "SELECT id, v, NULL FROM t ORDER BY id DESC");
	assert_ok(db_step(s));
	assert_int_equal(db_u64(s, 0), 1);
	assert_str(db_str(s, 1), STR("a\0b"));
	assert_true(db_null(s, 2));
	assert_ok(db_step(s));
	assert_true(db_u64(s, 0) == UINT64_C(0x8000000000000001));
	assert_false(db_null(s, 1));
	assert_int_equal(db_str(s, 1).n, 0);
	assert_st(db_step(s), ST_NOT_FOUND);
	db_done(s);
	db_close(&db);
}

/* A large transaction gives its pages back, however it ends. */
static void test_large(void **state)
{
	enum { ROWS = 700 };
	static char     octets[3000];
	struct db      *db = open_with(&v1, 0);
	struct db_stmt *s;

	(void)state;
	for (unsigned turn = 0; turn < 2; turn++) {
		assert_ok(db_begin_write(db));
		db_large(db);
		db_large(db);
		for (uint64_t i = 1; i <= ROWS; i++) {
			s = db_sql(db, "INSERT INTO t VALUES (1, ?1, ?2)");
			db_bind_u64(s, 1, i);
			db_bind_blob(s, 2, str_n(octets, sizeof(octets)));
			assert_ok(db_run(s));
			if (i == ROWS / 2 && turn == 1)
				assert_ok(db_flush(db));
		}
		assert_true(db_memory(db) > 1 * MIB);
		if (turn == 0)
			db_rollback(db);
		else
			assert_ok(db_commit(db));
		assert_true(db_memory(db) < 512 * KIB);
		assert_int_equal(count(db), turn == 0 ? 0 : ROWS);
	}
	db_close(&db);
}

static void test_transactions(void **state)
{
	struct db *one = open_with(&v1, 0), *two = open_with(&v1, 0);

	(void)state;
	assert_ok(db_begin_write(one));
	assert_ok(db_run(db_sql(one, "INSERT INTO t VALUES (1, 5, NULL)")));
	assert_int_equal(count(one), 1);
	assert_int_equal(count(two), 0);
	db_rollback(one);
	assert_int_equal(count(one), 0);
	assert_ok(put(one, 1, STR("x")));
	assert_ok(db_begin_read(two));
	assert_int_equal(count(two), 1);
	assert_ok(put(one, 2, STR("y")));
	assert_int_equal(count(two), 1); /* its snapshot */
	assert_ok(db_commit(two));
	assert_int_equal(count(two), 2);
	db_close(&one);
	db_close(&two);
}

static void test_synced(void **state)
{
	struct db *one = open_with(&v1, 0), *two = open_with(&v1, 0);
	uint64_t   before = db_commits(one);

	(void)state;
	assert_ok(put(one, 1, STR("x")));
	assert_true(db_commits(two) > before);
	assert_true(db_unsynced(one) && db_unsynced(two));
	assert_ok(db_sync(two));
	assert_false(db_unsynced(one));
	/* A transaction that wrote nothing leaves nothing to sync. */
	assert_ok(db_begin_write(one));
	assert_ok(db_commit(one));
	assert_false(db_unsynced(one));
	assert_ok(put(one, 2, STR("y")));
	assert_ok(db_synced(two, db_commits(two)));
	assert_false(db_unsynced(one));
	assert_ok(db_begin_write(one));
	assert_ok(db_run(db_sql(one, "INSERT INTO t VALUES (1, 3, NULL)")));
	assert_ok(db_flush(one));
	assert_false(db_unsynced(two));
	assert_int_equal(count(two), 3);
	db_rollback(one);
	db_close(&one);
	db_close(&two);
}

static void test_checkpoint(void **state)
{
	struct db  *db = open_with(&v1, 8), *reader;
	static char big[3000];
	uint64_t    size = 0;
	int         fd;

	(void)state;
	for (uint64_t i = 0; i < 200; i++)
		assert_ok(put(db, i, str_n(big, sizeof(big))));
	assert_ok(disk_open(dir_fd, "sub/t.db-wal", DISK_READ, &fd)); /* not a database file: no lock is lost by closing it */
	assert_ok(disk_size(fd, &size));
	close(fd);
	assert_true(size < 40 * 4096); /* the log starts over again and again */
	assert_int_equal(count(db), 200);
	/* A reader keeps the checkpoint from its work: the long log was synced by itself. */
	reader = open_with(&v1, 8);
	assert_ok(db_begin_read(reader));
	assert_int_equal(count(reader), 200);
	for (uint64_t i = 300; i < 310; i++)
		assert_ok(put(db, i, str_n(big, sizeof(big))));
	assert_false(db_unsynced(db));
	assert_int_equal(count(reader), 200);
	db_close(&reader);
	db_close(&db);
}

static void test_versions(void **state)
{
	struct db        *db = open_with(&v1, 0);
	struct db_options o = { .schema = &v1 };

	(void)state;
	assert_ok(put(db, 1, STR("kept")));
	db_close(&db);
	db = open_with(&v2, 0);
	assert_int_equal(count(db), 1);
	assert_ok(db_begin_write(db));
	assert_ok(db_run(db_sql(db, "INSERT INTO second VALUES (1)")));
	assert_ok(db_commit(db));
	db_close(&db);
	assert_st(db_open(PATH, &o, &db), ST_VERSION);
}

#define ADDS 200

static enum status add_one(struct db *db)
{
	enum status st = db_begin_write(db);

	if (st != ST_OK)
		return st;
	st = db_run(db_sql(db, "INSERT INTO n VALUES (1, 1) ON CONFLICT (account) DO UPDATE SET n = n + 1"));
	if (st == ST_OK)
		return db_commit(db);
	db_rollback(db);
	return st;
}

static void *adder(void *arg)
{
	struct db *db = open_with(&v1, 8);

	(void)arg;
	for (int i = 0; i < ADDS; i++)
		assert_ok(add_one(db));
	db_close(&db);
	return NULL;
}

/* The file is made by whoever comes first, and every addition counts. */
static void test_concurrent(void **state)
{
	pthread_t       threads[2];
	pid_t           children[3];
	struct db      *db;
	struct db_stmt *s;

	(void)state;
	for (size_t i = 0; i < LEN(children); i++) {
		children[i] = fork();
		if (children[i] == 0) {
			adder(NULL);
			_exit(0);
		}
	}
	for (size_t i = 0; i < LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, adder, NULL), 0);
	for (size_t i = 0; i < LEN(threads); i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < LEN(children); i++) {
		int status = 1;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	db = open_with(&v1, 0);
	s = db_sql(db, "SELECT n FROM n");
	assert_ok(db_step(s));
	assert_int_equal(db_u64(s, 0), ADDS * (LEN(threads) + LEN(children)));
	db_done(s);
	db_close(&db);
}

/* A process that dies with the lock and a commit half counted leaves nothing that the next one trips over. */
static void test_dead_writer(void **state)
{
	struct db_options o = { .schema = &v1, .create = true, .lock_ms = 1 };
	struct db        *db = open_with(&v1, 0), *other;
	int               pipes[2], status;
	char              c;
	pid_t             child;

	(void)state;
	db_close(&db);
	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		db = open_with(&v1, 0);
		assert_ok(db_begin_write(db));
		assert_ok(db_run(db_sql(db, "INSERT INTO t VALUES (1, 5, NULL)")));
		if (write(pipes[1], "x", 1) != 1)
			_exit(2);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipes[0], &c, 1), 1);
	assert_ok(db_open(PATH, &o, &other));
	assert_st(db_begin_write(other), ST_TEMP);
	db_close(&other);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	db = open_with(&v1, 0);
	assert_int_equal(count(db), 0);
	assert_ok(put(db, 1, STR("x")));
	db_close(&db);
	close(pipes[0]);
	close(pipes[1]);
}

/* It died behind its commit, before it could note that: nobody knows of a sync that covers it. */
static void test_dead_committed(void **state)
{
	struct db *db = open_with(&v1, 0);
	uint64_t   before;
	int        fd;

	(void)state;
	assert_ok(put(db, 1, STR("x")));
	assert_ok(db_sync(db));
	before = db_commits(db);
	assert_ok(put(db, 2, STR("y")));
	fd = openat(dir_fd, "sub/t.db.lock", O_RDWR);
	assert_int_equal(pwrite(fd, &before, 8, 32), 8); /* done.commit, and again: docs/formats/durability.md */
	assert_int_equal(pwrite(fd, &before, 8, 56), 8);
	close(fd);
	assert_int_equal(db_commits(db), before); /* a syncfs may miss what is only begun */
	assert_true(db_unsynced(db));
	assert_ok(db_begin_write(db));
	assert_ok(db_commit(db)); /* nothing written */
	assert_true(db_unsynced(db));
	assert_ok(db_begin_write(db));
	db_rollback(db);
	assert_true(db_unsynced(db));
	assert_ok(put(db, 3, STR("z")));
	assert_ok(db_sync(db));
	assert_false(db_unsynced(db));
	db_close(&db);
}

static void *put_many(void *arg)
{
	static char page[3000];
	struct db  *db = open_with(&v1, 10000);

	(void)arg;
	memset(page, 'c', sizeof(page));
	for (uint64_t i = 100; i < 200; i++)
		assert_ok(put(db, i, str_n(page, sizeof(page))));
	db_close(&db);
	return NULL;
}

/* A transaction outgrew the cache, so that some of it was written to the log early, and is rolled back. What others then write to
 * the same place stays. */
static void test_rolled_back(void **state)
{
	static char big[400 * KIB];
	struct db  *db = open_with(&v1, 1);
	struct db_stmt *s;
	pthread_t   thread;
	uint64_t    n;

	(void)state;
	assert_ok(put(db, 2, STR("checkpointed"))); /* so the rollback need not read the log, which would bring it up to date */
	assert_ok(db_begin_write(db));
	s = db_sql(db, "INSERT INTO t VALUES (1, 1, ?1)");
	db_bind_blob(s, 1, str_n(big, sizeof(big)));
	assert_ok(db_run(s));
	db_rollback(db);
	assert_int_equal(pthread_create(&thread, NULL, put_many, NULL), 0);
	pthread_join(thread, NULL);
	assert_ok(put(db, 1, STR("later")));
	db_close(&db);
	db = open_with(&v1, 10000);
	s = db_sql(db, "SELECT count(*) FROM t WHERE v = ?1");
	memset(big, 'c', 3000);
	db_bind_blob(s, 1, str_n(big, 3000));
	assert_ok(db_step(s));
	n = db_u64(s, 0);
	db_done(s);
	assert_int_equal(n, 100);
	db_close(&db);
}

/* The header of a frame that is mended is on its way at once: no page follows that would take it along. */
static void test_gather_mended(void **state)
{
	static char frame[24 + 4096], header[24] = "abcdefgh";
	int         fd = openat(dir_fd, "log", O_RDWR | O_CREAT, 0600);

	(void)state;
	assert_int_equal(db_gather_pwrite(fd, frame, 24, 32), 24);
	assert_int_equal(db_gather_pwrite(fd, frame, 4096, 56), 4096);
	assert_int_equal(db_gather_pread(fd, frame, sizeof(frame), 32), (ssize_t)sizeof(frame));
	assert_int_equal(db_gather_pwrite(fd, header, 24, 32), 24);
	assert_int_equal(pread(fd, frame, 24, 32), 24);
	assert_memory_equal(frame, header, 24);
	db_gather_end();
	close(fd);
}

static void test_damaged(void **state)
{
	struct db_options o = { .schema = &v1, .create = true };
	struct db        *db;
	int               fd;

	(void)state;
	assert_ok(disk_open(dir_fd, "sub/t.db", DISK_NEW, &fd));
	assert_ok(disk_write_at(fd, "sub/t.db", 0, STR("this is no database, and longer than the hundred octets of a header "
							"so that it cannot be taken for a file that is just being made")));
	close(fd);
	assert_st(db_open(PATH, &o, &db), ST_CORRUPT);
}

/* After another boot everything that is read is synced, and the lock file starts anew. */
static void test_boot(void **state)
{
	struct db     *db = open_with(&v1, 0);
	struct boot_id was = boot_id();

	(void)state;
	assert_ok(put(db, 1, STR("x")));
	assert_true(db_unsynced(db));
	db_close(&db);
	boot_id_set((struct boot_id){ 1, 2 });
	db = open_with(&v1, 0);
	assert_false(db_unsynced(db));
	assert_int_equal(count(db), 1);
	boot_id_set((struct boot_id){ 3, 4 }); /* (not while it is open in life, but it must hold) */
	assert_true(db_unsynced(db));
	assert_ok(put(db, 2, STR("y")));
	assert_ok(db_sync(db));
	assert_false(db_unsynced(db));
	db_close(&db);
	boot_id_set(was);
}

/* A statement that would take memory without end ends; the handle, and others, go on. */
static void test_heap(void **state)
{
	static const char sql[] = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 300000)"
				  " SELECT hex(zeroblob(250)) || x AS v FROM c WHERE x > ?1 ORDER BY v";
	struct db        *db = open_with(&v1, 0);
	struct db_stmt   *s;

	(void)state;
	assert_ok(put(db, 1, STR("x")));
	for (int i = 0; i < 3; i++) {
		s = db_sql(db, sql);
		db_bind_u64(s, 1, 0); /* some 150 MB */
		assert_st(db_step(s), ST_LIMIT);
		db_done(s);
		s = db_sql(db, sql);
		db_bind_u64(s, 1, 200000); /* some 50 MB */
		assert_ok(db_step(s));
		db_done(s);
		assert_int_equal(count(db), 1);
	}
	assert_ok(db_begin_write(db));
	s = db_sql(db, sql);
	db_bind_u64(s, 1, 0);
	assert_st(db_step(s), ST_LIMIT);
	db_done(s);
	db_rollback(db);
	assert_ok(put(db, 2, STR("y")));
	assert_int_equal(count(db), 2);
	db_close(&db);
}

/* What a power cut may leave of a new file: `size` octets, the sectors from `from` to `to` zero, one of them foreign at `foreign`. */
static void new_file_cut(off_t size, off_t from, off_t to, off_t foreign)
{
	static const char zero[512], other[] = "somebody's";
	int               fd = openat(dir_fd, "sub/t.db", O_RDWR);

	assert_true(fd >= 0);
	for (; from < to; from += 512)
		assert_int_equal(pwrite(fd, zero, sizeof(zero), from), sizeof(zero));
	if (foreign > 0)
		assert_int_equal(pwrite(fd, other, sizeof(other), foreign), sizeof(other));
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
	assert_ok(disk_remove(dir_fd, "sub/t.db.lock"));
}

/* A new file is made anew from any part of itself, with what its log held; nothing of that was promised. */
static void test_half_made(void **state)
{
	struct stat info;
	struct db  *db = open_with(&v1, 0);
	off_t       n;

	(void)state;
	db_close(&db);
	assert_int_equal(fstatat(dir_fd, "sub/t.db", &info, 0), 0);
	n = info.st_size;
	assert_true(n >= 3 * 4096);
	for (off_t at = 0; at < n; at += 512) {
		db = open_with(&v1, 0);
		assert_ok(put(db, 1, STR("unsynced")));
		db_close(&db);
		if (at % 1024)
			new_file_cut(at, 0, 0, 0);
		else
			new_file_cut(n, at / 4096 * 4096, at / 4096 * 4096 + 512 + at % 4096, 0);
		db = open_with(&v1, 0);
		assert_int_equal(count(db), 0);
		assert_ok(put(db, 2, STR("x")));
		assert_ok(db_sync(db));
		db_close(&db);
		assert_ok(disk_remove(dir_fd, "sub/t.db"));
		assert_ok(disk_remove(dir_fd, "sub/t.db-wal"));
	}
}

/* But one with anything else in it is not: it is damaged, and stays as it is. */
static void test_half_foreign(void **state)
{
	struct db_options o = { .schema = &v1, .create = true };
	struct db        *db = open_with(&v1, 0);
	struct stat       before, after;

	(void)state;
	db_close(&db);
	new_file_cut(8192, 0, 4096, 4096 + 700);
	assert_int_equal(fstatat(dir_fd, "sub/t.db", &before, 0), 0);
	assert_st(db_open(PATH, &o, &db), ST_CORRUPT);
	assert_int_equal(fstatat(dir_fd, "sub/t.db", &after, 0), 0);
	assert_true(before.st_size == after.st_size && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
}

#ifdef POSTRIDER_FAULTS
/* Creation fails half-way, and is tried again. */
static void test_half_failed(void **state)
{
	struct db_options o = { .schema = &v1, .create = true };
	struct db        *db;

	(void)state;
	fault_set("db.write", "t.db", 1, false, ENOSPC);
	assert_st(db_open(PATH, &o, &db), ST_FULL);
	fault_clear();
	assert_true(disk_exists(dir_fd, "sub/t.db"));
	db = open_with(&v1, 0);
	assert_ok(put(db, 1, STR("x")));
	/* The first sync is of the database, the log, and all names. */
	for (unsigned i = 0; i < 4; i++) {
		static const char *const points[] = { "db.sync", "db.sync", "disk.sync_dir", "disk.sync_dir" };

		fault_set(points[i], i < 2 ? "t.db" : "", i % 2 + 1, false, EIO);
		assert_st(db_sync(db), ST_SUSPECT);
		fault_clear();
		assert_true(db_is_suspect(PATH));
		db_close(&db);
		assert_ok(db_repair(PATH));
		db = open_with(&v1, 0);
		assert_int_equal(count(db), 0);
		db_close(&db);
		for (size_t f = 0; f < 3; f++)
			assert_ok(disk_remove(dir_fd, f == 0 ? "sub/t.db" : f == 1 ? "sub/t.db-wal" : "sub/t.db.lock"));
		db = open_with(&v1, 0);
		assert_ok(put(db, 1, STR("x")));
	}
	db_close(&db);
}

static uint64_t number_of(struct db *db)
{
	struct db_stmt *s = db_sql(db, "SELECT n FROM n WHERE account = 1");
	uint64_t        n;

	assert_ok(db_step(s));
	n = db_u64(s, 0);
	db_done(s);
	return n;
}

/* A change of the schema meets a failing sync: after the repair it has happened once or not at all, not to half of the pages. */
static void test_upgrade_suspect(void **state)
{
	static const char *const   more[] = { NULL, "UPDATE n SET n = n + 1; CREATE TABLE late (account INTEGER PRIMARY KEY)" };
	const char *const          both[] = { steps[0], more[1] };
	const struct db_schema     next = { both, 2 };
	static char                big[20000];

	for (unsigned nth = 1; nth < 6; nth++) {
		struct db_options o = { .schema = &next };
		struct db        *first = open_with(&v1, 1), *db = open_with(&v1, 10000);

		assert_ok(add_one(first)); /* and into the database at once: the log starts over */
		assert_ok(put(db, 1, str_n(big, sizeof(big)))); /* the database grows: its first page is in the log, that of n is not */
		assert_ok(db_sync(db));
		db_close(&first);
		db_close(&db);
		fault_set("db.sync", "t.db", nth, false, EIO);
		if (db_open(PATH, &o, &db) == ST_OK) {
			if (put(db, 2, STR("x")) != ST_OK || db_sync(db) != ST_OK)
				assert_true(db_is_suspect(PATH));
			db_close(&db);
		}
		fault_clear();
		if (db_is_suspect(PATH))
			assert_ok(db_repair(PATH));
		assert_ok(db_open(PATH, &o, &db));
		assert_int_equal(number_of(db), 2);
		assert_int_equal(db_unsynced(db), false);
		db_close(&db);
		if (nth < 5) {
			teardown(state);
			setup(state);
		}
	}
}

static void test_full(void **state)
{
	struct db *db = open_with(&v1, 0);

	(void)state;
	assert_ok(put(db, 1, STR("x")));
	fault_set("db.write", "t.db", 1, true, ENOSPC);
	assert_st(put(db, 2, STR("y")), ST_FULL);
	assert_int_equal(count(db), 1);
	fault_clear();
	assert_ok(put(db, 2, STR("y")));
	assert_ok(db_sync(db));
	assert_int_equal(count(db), 2);
	db_close(&db);
}

static void test_suspect(void **state)
{
	struct db *db = open_with(&v1, 0), *other = open_with(&v1, 0);
	pid_t      child;
	int        status = 1;

	(void)state;
	assert_ok(put(db, 1, STR("synced")));
	assert_ok(db_sync(db));
	assert_ok(put(db, 2, STR("refused")));
	fault_set("db.sync", "t.db", 1, false, EIO);
	assert_st(db_sync(db), ST_SUSPECT);
	fault_clear();
	/* Never tried again; not written to, by this handle, another, or another process; still readable. */
	assert_st(db_sync(db), ST_SUSPECT);
	assert_st(db_sync(other), ST_SUSPECT);
	assert_st(put(other, 3, STR("no")), ST_SUSPECT);
	assert_true(db_is_suspect(PATH));
	assert_int_equal(count(other), 2);
	child = fork();
	if (child == 0) {
		struct db *mine = open_with(&v1, 0);

		assert_st(put(mine, 3, STR("no")), ST_SUSPECT);
		assert_int_equal(count(mine), 2);
		_exit(0);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	db_close(&db);
	assert_ok(db_repair(PATH));
	assert_false(db_is_suspect(PATH));
	/* A handle from before the repair must not write into the file that was replaced. */
	assert_true(db_stale(other));
	assert_st(put(other, 3, STR("no")), ST_TEMP);
	assert_st(db_begin_read(other), ST_TEMP);
	db_close(&other);
	db = open_with(&v1, 0);
	assert_int_equal(count(db), 1);
	assert_ok(put(db, 2, STR("again")));
	assert_ok(db_sync(db));
	db_close(&db);
}

/* A sync that was noted when the file had just been set aside by somebody else is not relied upon: the mark may not know of it. */
static void test_suspect_noted(void **state)
{
	struct db *db = open_with(&v1, 0);
	uint64_t   commits;

	(void)state;
	assert_ok(put(db, 1, STR("synced")));
	assert_ok(db_sync(db));
	assert_ok(put(db, 2, STR("synced by a syncfs")));
	commits = db_commits(db);
	assert_ok(put(db, 3, STR("meanwhile")));
	assert_ok(db_synced(db, commits)); /* from now on 2 stays */
	assert_ok(put(db, 4, STR("dropped")));
	commits = db_commits(db);
	db_mark_suspect(PATH);
	assert_st(db_synced(db, commits), ST_SUSPECT);
	assert_ok(db_repair(PATH));
	assert_st(db_synced(db, commits), ST_TEMP);
	db_close(&db);
	db = open_with(&v1, 0);
	assert_int_equal(count(db), 3);
	db_close(&db);
}

/* The mark outlives the machine; the part of the log that was synced is told by the mark, not by the lock file. */
static void test_suspect_reboot(void **state)
{
	struct db     *db = open_with(&v1, 0);
	struct boot_id was = boot_id();

	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		assert_ok(put(db, i, STR("synced")));
	assert_ok(db_sync(db));
	assert_ok(put(db, 7, STR("refused")));
	fault_set("db.sync", "t.db-wal", 1, false, EIO);
	assert_st(db_sync(db), ST_SUSPECT);
	fault_clear();
	db_close(&db);
	assert_ok(disk_remove(dir_fd, "sub/t.db.lock"));
	boot_id_set((struct boot_id){ 5, 6 });
	db = open_with(&v1, 0);
	assert_st(put(db, 8, STR("no")), ST_SUSPECT);
	db_close(&db);
	assert_ok(db_repair(PATH));
	db = open_with(&v1, 0);
	assert_int_equal(count(db), 5);
	db_close(&db);
	boot_id_set(was);
}

/* A checkpoint syncs too; when that fails, nothing that was synced before is lost by the repair. */
static void test_suspect_checkpoint(void **state)
{
	static char big[3000];

	(void)state;
	for (unsigned nth = 1; nth < 12; nth++) {
		struct db *db = open_with(&v1, 10);
		uint64_t   synced = 0, i = 0;

		fault_set("db.sync", "t.db", nth, false, EIO);
		for (i = 1; i < 200; i++) {
			if (put(db, i + nth * 1000, str_n(big, sizeof(big))) != ST_OK || db_sync(db) != ST_OK)
				break;
			synced = count(db);
		}
		fault_clear();
		assert_true(i < 200);
		assert_true(db_is_suspect(PATH));
		db_close(&db);
		assert_ok(db_repair(PATH));
		db = open_with(&v1, 10);
		assert_true(count(db) >= synced && count(db) <= synced + 1);
		db_close(&db);
	}
}

static enum status step_put(struct db *db, uint64_t i, char c)
{
	static char     big[3000];
	struct db_stmt *s;
	enum status     st = db_begin_write(db);

	memset(big, c, sizeof(big));
	if (st == ST_OK) {
		s = db_sql(db, "INSERT OR REPLACE INTO t VALUES (1, ?1, ?2)");
		db_bind_u64(s, 1, i);
		db_bind_blob(s, 2, str_n(big, sizeof(big)));
		st = db_run(s);
	}
	if (st == ST_OK) {
		s = db_sql(db, "INSERT OR REPLACE INTO n VALUES (1, ?1)");
		db_bind_u64(s, 1, i);
		st = db_run(s);
	}
	if (st == ST_OK)
		return db_commit(db);
	db_rollback(db);
	return st;
}

/* After step n the rows up to n are new, the others old. */
static void steps_check(struct db *db, uint64_t steps_max)
{
	struct db_stmt *s = db_sql(db, "SELECT n FROM n");
	uint64_t        n, rows = 0;

	assert_ok(db_step(s));
	n = db_u64(s, 0);
	db_done(s);
	s = db_sql(db, "SELECT id, v FROM t ORDER BY id");
	while (db_step(s) == ST_OK) {
		assert_int_equal(db_str(s, 1).p[0], db_u64(s, 0) <= n ? 'b' : 'a');
		rows++;
	}
	db_done(s);
	assert_int_equal(rows, steps_max);
}

/* A checkpoint fails while the log holds commits that nobody has synced: the repaired file is as after one of them, not a mixture.
 * `reboot`: before the repair. */
static void suspect_whole(unsigned nth, bool reboot)
{
	struct boot_id was = boot_id();
	struct db     *db = open_with(&v1, 10000);
	uint64_t       i;

	for (i = 1; i <= 60; i++)
		assert_ok(step_put(db, i, 'a'));
	assert_ok(step_put(db, 1, 'b'));
	assert_ok(db_sync(db));
	db_close(&db);
	db = open_with(&v1, 20);
	fault_set("db.sync", "t.db", nth, false, EIO);
	for (i = 2; i <= 60; i++)
		if (step_put(db, i, 'b') != ST_OK || (nth > 6 && i % 7 == 0 && db_sync(db) != ST_OK))
			break;
	fault_clear();
	assert_true(db_is_suspect(PATH));
	db_close(&db);
	if (reboot) {
		boot_id_set((struct boot_id){ 7, 8 });
		db = open_with(&v1, 20);
		assert_st(db_sync(db), ST_SUSPECT);
		db_close(&db);
	}
	assert_ok(db_repair(PATH));
	db = open_with(&v1, 20);
	steps_check(db, 60);
	assert_ok(put(db, 1000, STR("x")));
	assert_ok(db_sync(db));
	db_close(&db);
	boot_id_set(was);
}

static void test_suspect_whole(void **state)
{
	for (unsigned i = 2; i < 24; i++) {
		if (i > 2)
			setup(state);
		suspect_whole(i / 2, i % 2);
		if (i < 23)
			teardown(state);
	}
}

/* The repair itself is cut off at each of its renames and syncs, then tried again. */
static void test_repair_interrupted(void **state)
{
	static const char *const points[] = { "disk.sync", "disk.sync_dir", "disk.rename", "disk.write", "db.sync", "db.write" };

	(void)state;
	for (size_t p = 0; p < LEN(points); p++) {
		for (unsigned nth = 1; nth < 6; nth++) {
			struct db *db = open_with(&v1, 0);
			uint64_t   had = count(db);

			assert_ok(put(db, p * 100 + nth, STR("synced")));
			assert_ok(db_sync(db));
			assert_ok(put(db, 10000, STR("refused")));
			db_mark_suspect(PATH);
			db_close(&db);
			fault_set(points[p], "t.db", nth, true, EIO);
			if (db_repair(PATH) != ST_OK)
				assert_true(true);
			fault_clear();
			if (db_is_suspect(PATH))
				assert_ok(db_repair(PATH));
			assert_false(db_is_suspect(PATH));
			db = open_with(&v1, 0);
			assert_int_equal(count(db), had + 1);
			db_close(&db);
		}
	}
}
#endif

/* A new file is larger than what SQLite's VFS writes at once. */
static void test_large_pages(void **state)
{
	struct db_options o = { .schema = &v1, .create = true, .page_size = 65536 };
	struct db        *db;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_ok(db_open(PATH, &o, &db));
		assert_ok(put(db, i, STR("x")));
		assert_ok(db_sync(db));
		db_close(&db);
	}
}

/* When nobody waits a log that is long is copied, and one that is not stays. */
static void test_tidy(void **state)
{
	struct db  *db = open_with(&v1, 100000);
	struct stat before, after;

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		assert_ok(put(db, i, STR("x")));
	assert_int_equal(fstatat(dir_fd, "sub/t.db", &before, 0), 0);
	assert_ok(db_tidy(db, 10000));
	assert_int_equal(fstatat(dir_fd, "sub/t.db", &after, 0), 0);
	assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	assert_ok(db_tidy(db, 40));
	assert_int_equal(fstatat(dir_fd, "sub/t.db", &after, 0), 0);
	assert_true(after.st_mtim.tv_nsec != before.st_mtim.tv_nsec || after.st_mtim.tv_sec != before.st_mtim.tv_sec);
	assert_false(db_unsynced(db));
	assert_ok(put(db, 50, STR("x")));
	assert_true(db_unsynced(db));
	db_close(&db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_transactions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_synced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_checkpoint, setup, teardown),
		cmocka_unit_test_setup_teardown(test_versions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tidy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_concurrent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dead_writer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dead_committed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rolled_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gather_mended, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_boot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_made, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_foreign, setup, teardown),
#ifdef POSTRIDER_FAULTS
		cmocka_unit_test_setup_teardown(test_half_failed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_upgrade_suspect, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_suspect, setup, teardown),
		cmocka_unit_test_setup_teardown(test_suspect_noted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_suspect_reboot, setup, teardown),
		cmocka_unit_test_setup_teardown(test_suspect_checkpoint, setup, teardown),
		cmocka_unit_test_setup_teardown(test_suspect_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_repair_interrupted, setup, teardown),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
