/* store/store_kept.c, store_session.c: accounts by descriptors that keeper passes; whose handles are kept; keeper that dies in the middle. */
#include "keeper_rig.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "store/store_internal.h"

/* Descriptors of this process that lead into the directory of an account. */
static unsigned open_files(uint64_t account)
{
	char           in[100], link[100], target[300];
	DIR           *d = opendir("/proc/self/fd");
	struct dirent *e;
	unsigned       n = 0;

	snprintf(in, sizeof(in), "%s/%02x/%u/", rig.u.dir, (unsigned)(account & 0xff), (unsigned)account);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		ssize_t got;

		snprintf(link, sizeof(link), "/proc/self/fd/%.60s", e->d_name);
		got = readlink(link, target, sizeof(target) - 1);
		target[got > 0 ? got : 0] = '\0';
		n += strncmp(target, in, strlen(in)) == 0;
	}
	closedir(d);
	return n;
}

static enum status append(uint64_t account, unsigned number, size_t octets)
{
	struct arena            *arena = arena_new(NULL);
	struct str               text = store_unit_message(arena, number, octets);
	struct store_new_message m = { .internal_ms = 1136214245000 };
	struct store_account    *a = NULL;
	struct store_mailbox     box;
	struct store_upload     *u = NULL;
	struct store_added       added;
	enum status              st = store_upload_new(rig.u.store, account, &u);

	for (size_t at = 0; st == ST_OK && at < text.n; at += 50000)
		st = store_upload_write(u, str_sub(text, at, 50000));
	m.upload = u;
	if (st == ST_OK)
		st = store_open(rig.u.store, account, &a);
	if (st == ST_OK)
		st = store_mailbox_find(a, STR("INBOX"), arena, &box);
	if (st == ST_OK)
		st = store_append(a, box.id, &m, 1, &added);
	store_close(&a);
	store_upload_free(&u);
	arena_free(&arena);
	return st;
}

static unsigned messages(uint64_t account)
{
	struct store_account *a;
	struct store_info     info;

	assert_ok(store_open(rig.u.store, account, &a));
	assert_ok(store_info(a, &info));
	store_unit_check(a);
	store_close(&a);
	return (unsigned)info.messages;
}

/* Small and large content, made, read, expunged, swept. */
static void test_all(void **state)
{
	struct store_account *a;
	struct store_entry   *token;

	(void)state;
	rig_start(&(struct store_options){ .retention_ms = 1 });
	token = rig_sign_in(7);
	assert_ok(append(7, 1, 500));
	assert_ok(append(7, 2, LIMIT_INLINE + 1000));
	assert_ok(append(7, 3, 3 * MIB));
	assert_int_equal(messages(7), 3);
	assert_ok(store_open(rig.u.store, 7, &a));
	assert_ok(store_clean(a));
	store_close(&a);
	assert_int_equal(messages(7), 3);
	/* Orphans of the dead are swept: the list comes from keeper. */
	for (unsigned i = 0; i < 5000; i++) {
		char path[60];
		int  fd;

		snprintf(path, sizeof(path), "07/7/content/tmp-%016x", i);
		assert_ok(disk_open(rig.u.fd, path, DISK_NEW, &fd));
		fd_close(&fd);
	}
	assert_ok(store_open(rig.u.store, 7, &a));
	assert_ok(store_clean(a));
	store_close(&a);
	assert_false(disk_exists(rig.u.fd, "07/7/content/tmp-0000000000000000"));
	assert_false(disk_exists(rig.u.fd, "07/7/content/tmp-0000000000001387"));
	assert_int_equal(messages(7), 3);
	store_leave(rig.u.store, &token);
	rig_end();
}

static void test_only_who_entered(void **state)
{
	struct store_account *a;
	struct store_entry   *first, *second;

	(void)state;
	rig_start(NULL);
	assert_st(store_open(rig.u.store, 7, &a), ST_DENIED);
	first = rig_sign_in(7);
	second = rig_sign_in(7);
	assert_ok(store_open(rig.u.store, 7, &a));
	store_close(&a);
	assert_st(store_open(rig.u.store, 8, &a), ST_DENIED);
	store_leave(rig.u.store, &first);
	assert_ok(append(7, 1, 500));
	assert_true(open_files(7) > 0);
	store_forget(rig.u.store, 0); /* the other one is still here */
	assert_true(open_files(7) > 0);
	store_leave(rig.u.store, &second);
	store_forget(rig.u.store, 60000);
	assert_true(open_files(7) > 0);
	/* Somebody is back before the handles are closed. */
	first = rig_sign_in(7);
	store_forget(rig.u.store, 0);
	assert_true(open_files(7) > 0);
	store_leave(rig.u.store, &first);
	store_forget(rig.u.store, 0);
	assert_int_equal(open_files(7), 0);
	assert_st(store_open(rig.u.store, 7, &a), ST_DENIED);
	first = rig_sign_in(7);
	assert_int_equal(messages(7), 1);
	store_leave(rig.u.store, &first);
	rig_end();
}

/* A token that says one account, taken for another: by mistake, since keeper would give the files of the one that it says. */
static void test_wrong_token(void **state)
{
	struct store_account *a;
	struct store_entry   *seven;

	(void)state;
	rig_start(NULL);
	seven = store_enter(rig.u.store, 7, rig_good(8));
	assert_st(store_open(rig.u.store, 7, &a), ST_DENIED);
	assert_false(disk_exists(rig.u.fd, "07/7"));
	assert_int_equal(open_files(7), 0);
	store_leave(rig.u.store, &seven);
	rig_end();
}

/* What a stranger to this process finds locked in the log's index: the octet that says that somebody is here, and those of readers. */
static unsigned locked(int from, int to)
{
	int   status;
	pid_t pid = fork();

	if (pid == 0) {
		int n = 0, fd = openat(rig.u.fd, "07/7/mail.db-shm", O_RDWR);

		for (int i = from; i < to; i++) {
			struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = i, .l_len = 1 };

			n += fcntl(fd, F_GETLK, &l) == 0 && l.l_type != F_UNLCK;
		}
		_exit(n);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return (unsigned)WEXITSTATUS(status);
}

/* More handles of one account, whose descriptors SQLite does not need: closing them must leave a reader its locks. */
static void test_locks_stay(void **state)
{
	struct store_account *a, *more[4];
	struct store_entry   *token;

	(void)state;
	rig_start(NULL);
	token = rig_sign_in(7);
	assert_ok(append(7, 1, 500));
	assert_ok(store_open(rig.u.store, 7, &a));
	assert_int_equal(locked(128, 129), 1);
	assert_ok(db_begin_read(a->db));
	assert_true(db_step(db_sql(a->db, "SELECT count(*) FROM message")) == ST_OK);
	assert_true(locked(123, 128) > 0);
	for (size_t i = 0; i < LEN(more); i++) {
		assert_st(rig_set(0, rig_good(7)), ST_OK);
		assert_ok(store_open(rig.u.store, 7, &more[i]));
		assert_true(locked(123, 128) > 0);
	}
	for (size_t i = 0; i < LEN(more); i++)
		store_close(&more[i]);
	assert_true(locked(123, 128) > 0);
	assert_int_equal(locked(128, 129), 1);
	store_close(&a);
	assert_int_equal(locked(123, 128), 0);
	store_leave(rig.u.store, &token);
	store_forget(rig.u.store, 0);
	assert_int_equal(locked(128, 129), 0);
	rig_end();
}

/* ---- keeper dies, comes back ---- */

static void test_gone(void **state)
{
	struct store_account *a;
	struct store_entry   *token;

	(void)state;
	rig_start(NULL);
	token = rig_sign_in(7);
	rig_detach(0);
	assert_st(store_open(rig.u.store, 7, &a), ST_TEMP);
	assert_false(disk_exists(rig.u.fd, "07"));
	rig_attach(0, RIG_LIFE);
	assert_ok(store_open(rig.u.store, 7, &a));
	rig_detach(0);
	store_close(&a);
	/* The first sync of a new account needs it, for the names. It is not taken for one that was refused. */
	assert_st(append(7, 1, 500), ST_TEMP);
	rig_attach(0, RIG_LIFE);
	assert_ok(append(7, 2, 500));
	rig_detach(0);
	/* From then on, what is open goes on without it. */
	assert_ok(append(7, 3, 500));
	assert_st(append(7, 4, MIB), ST_TEMP);
	rig_attach(0, RIG_LIFE);
	assert_ok(append(7, 4, MIB));
	assert_int_equal(messages(7), 4);
	store_leave(rig.u.store, &token);
	rig_end();
}

static atomic_bool over;

static void *trouble(void *arg)
{
	unsigned seed = 1;

	(void)arg;
	while (!over) {
		struct timespec t = { 0, (seed = seed * 1103515245u + 12345u) % 20000000 };

		nanosleep(&t, NULL);
		rig_detach(0);
		t.tv_nsec /= 16;
		nanosleep(&t, NULL);
		rig_attach(0, RIG_LIFE);
	}
	return NULL;
}

/* As if another boot had come: whoever opens next makes the file, or finds it made. */
static void reboot(struct store_entry **token)
{
	store_leave(rig.u.store, token);
	store_forget(rig.u.store, 0);
	for (unsigned i = 0; open_files(7) > 0; i++) { /* keeper, in the same process, may be about to close one */
		const struct timespec t = { 0, 1000000 };

		assert_true(i < 10000);
		nanosleep(&t, NULL);
	}
	if (unlinkat(rig.u.fd, "07/7/mail.db.lock", 0) != 0)
		assert_false(disk_exists(rig.u.fd, "07/7/mail.db.lock"));
	*token = rig_sign_in(7);
}

/* Everything that was said to be done is there at the end, and nothing twice but what was not known. */
static void test_dies_all_the_time(void **state)
{
	pthread_t  thread;
	struct store_entry   *token;
	unsigned   done = 0, unknown = 0, got;

	(void)state;
	rig_start(NULL);
	token = rig_sign_in(7);
	assert_int_equal(messages(7), 0); /* it is there */
	over = false;
	assert_int_equal(pthread_create(&thread, NULL, trouble, NULL), 0);
	for (unsigned i = 0; i < 400 || (done < 20 && i < 20000); i++) {
		enum status st;

		if (i % 5 == 0)
			reboot(&token);
		st = append(7, i, i % 3 ? 500 : LIMIT_INLINE + 500);
		if (st != ST_OK)
			assert_st(st, ST_TEMP);
		done += st == ST_OK;
		unknown += st != ST_OK;
	}
	over = true;
	pthread_join(thread, NULL);
	reboot(&token);
	got = messages(7);
	print_message("%u done, %u not known, %u there\n", done, unknown, got);
	assert_true(got >= done && got <= done + unknown);
	assert_true(done > 0);
	store_leave(rig.u.store, &token);
	rig_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),  cmocka_unit_test(test_only_who_entered),  cmocka_unit_test(test_wrong_token),
		cmocka_unit_test(test_gone), cmocka_unit_test(test_dies_all_the_time), cmocka_unit_test(test_locks_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
