/* tests/unit/store_unit.h - a store in a directory of its own, and short ways to fill it. */
#ifndef STORE_UNIT_H
#define STORE_UNIT_H

#include "unit.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "db/db.h"
#include "store/store.h"
#include "store/store_mailbox.h"
#include "store/store_message.h"
#include "sys/disk.h"

struct store_unit {
	char          dir[64];
	int           fd;
	struct store *store;
	struct arena *arena;
};

#define assert_st(got, want) assert_string_equal(status_name(got), status_name(want))
#define assert_ok(got)       assert_st((got), ST_OK)

static inline void store_unit_dir(struct store_unit *u)
{
	const char *tmp = getenv("TMPDIR");

	*u = (struct store_unit){ .fd = -1 };
	db_init();
	/* In memory by preference: these tests sync thousands of times. */
	if (!tmp || strlen(tmp) > 40)
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(u->dir, sizeof(u->dir), "%s/postrider-XXXXXX", tmp);
	assert_non_null(mkdtemp(u->dir));
	u->fd = open(u->dir, O_RDONLY | O_DIRECTORY);
	assert_true(u->fd >= 0);
	u->arena = arena_new(NULL);
}

static inline void store_unit_open(struct store_unit *u, const struct store_options *options)
{
	store_unit_dir(u);
	assert_ok(store_new(u->fd, options, &u->store));
}

static inline void store_unit_done(struct store_unit *u)
{
	int top = open("/", O_RDONLY | O_DIRECTORY);

	store_free(&u->store);
	arena_free(&u->arena);
	close(u->fd);
	assert_ok(disk_remove_dir(top, u->dir + 1));
	close(top);
}

static inline void store_unit_print(void *arg, const char *invariant, struct str text)
{
	(void)arg;
	print_error("%s broken: %.*s\n", invariant, STR_FMT(text));
}

#define store_unit_check(a) store_unit_check_at((a), __FILE__, __LINE__)
static inline void store_unit_check_at(struct store_account *a, const char *file, int line)
{
	uint64_t    breaks = 99;
	enum status st = store_check(a, store_unit_print, NULL, &breaks);

	if (st != ST_OK || breaks != 0) {
		print_error("store_check: %s, %llu breaks\n", status_name(st), (unsigned long long)breaks);
		_fail(file, line);
	}
}

/* The closed mail.db at path becomes one of schema version `version` (1 ...): what later steps made is taken away. */
static inline void store_unit_back(const char *path, unsigned version)
{
	static const char *const undo[] = { NULL, "DROP TABLE email_more", "ALTER TABLE expunged DROP COLUMN fate; DROP TABLE former",
					    "DROP TABLE metadata; DROP TABLE thread; DROP TABLE thread_key", "DROP TABLE warning", "DROP TABLE acl; DROP TABLE seen; DROP TABLE moving; DROP TABLE moved",
					    "DROP TABLE flagging; DROP TABLE listing" };
	char                     set[40];
	sqlite3                 *sql;

	assert_int_equal(sqlite3_open_v2(path, &sql, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	for (size_t i = LEN(undo); i > version; i--)
		assert_int_equal(sqlite3_exec(sql, undo[i - 1], NULL, NULL, NULL), SQLITE_OK);
	snprintf(set, sizeof(set), "PRAGMA user_version = %u", version);
	assert_int_equal(sqlite3_exec(sql, set, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(sql);
}

static inline struct store_mailbox store_unit_box(struct store_account *a, struct arena *arena, const char *name)
{
	struct store_mailbox m;

	assert_ok(store_mailbox_find(a, str_of(name), arena, &m));
	return m;
}

/* A message whose bytes depend on n; about `octets` long. */
static inline struct str store_unit_message(struct arena *arena, unsigned n, size_t octets)
{
	struct str head = arena_printf(arena,
				       "From: Ann <ann@example.com>\r\nTo: bob@example.org\r\nSubject: number %u\r\n"
				       "Message-ID: <%u@example.com>\r\nDate: Mon, 2 Jan 2006 15:04:05 +0000\r\n\r\n",
				       n, n);
	size_t     size = octets > head.n ? octets : head.n;
	char      *p = arena_alloc(arena, size);

	memcpy(p, head.p, head.n);
	for (size_t i = head.n; i < size; i++)
		p[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : (char)('a' + (i * 7 + n) % 26);
	return str_n(p, size);
}

static inline struct store_added store_unit_append(struct store_account *a, uint64_t mailbox, struct str content, unsigned flags)
{
	struct store_new_message m = { .content = content, .flags = flags, .internal_ms = 1136214245000 };
	struct store_added       added;

	assert_ok(store_append(a, mailbox, &m, 1, &added));
	return added;
}

static inline struct store_delivered store_unit_deliver(struct store_account *a, struct arena *arena, uint64_t id,
							struct str content)
{
	struct store_target    t = { .mailbox = STR_NONE };
	struct store_delivery  d = { .id = id, .targets = &t, .target_count = 1, .content = content, .file = -1,
				     .size = content.n, .received_ms = 1136214245000 };
	struct store_delivered got;

	assert_ok(store_deliver(a, &d, 1, arena, &got));
	return got;
}

#endif
