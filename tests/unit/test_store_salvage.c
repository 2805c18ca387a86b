/* tests/unit/test_store_salvage.c - an account's database overwritten in every place: what is kept, what is moved, what is lost. */
#include "store_unit.h"

#include <errno.h>

#include "store/store_keep.h"
#include "store/store_salvage.h"
#include "sys/fault.h"

#define ACCOUNT 7
#define DIR     "07/7"
#define PAGE    4096u
#define SMALL   130u /* messages of INBOX, so that the table of messages has several leaves */

struct file {
	char       path[160];
	struct str octets;
};
struct message {
	char     mailbox[64];
	int64_t  uid, flags, kw0, uidvalidity;
	uint8_t  hash[32];
	bool     in_place, there;
};
struct owner {
	char     table[32], kind[16];
	unsigned cells;
};
struct rig {
	struct store_unit u;
	struct file       files[8];
	size_t            file_count;
	struct message   *messages;
	size_t            message_count;
	struct owner     *owners; /* of pages of mail.db, from 1 */
	size_t            pages;
	uint64_t          random;
	uint64_t          told[STORE_MEND_LAST + 1];
	bool              uncounted; /* nothing is left that says how many messages there were */
};

static uint64_t next(struct rig *r)
{
	r->random = r->random * UINT64_C(6364136223846793005) + 1442695040888963407;
	return r->random >> 33;
}

/* ---- files ---- */

static struct str file_read(struct rig *r, const char *path)
{
	int      fd;
	uint64_t size;
	size_t   n;
	char    *p;

	assert_ok(disk_open(r->u.fd, path, DISK_READ, &fd));
	assert_ok(disk_size(fd, &size));
	p = arena_alloc(r->u.arena, size + 1);
	assert_ok(disk_read_at(fd, p, size, 0, &n));
	close(fd);
	return str_n(p, n);
}

static void file_write(struct rig *r, const char *path, struct str octets)
{
	int fd;

	assert_ok(disk_open(r->u.fd, path, DISK_OPEN, &fd));
	assert_ok(disk_write_at(fd, path, 0, octets));
	assert_int_equal(ftruncate(fd, (off_t)octets.n), 0);
	close(fd);
}

static bool snap_one(void *arg, const char *name, int64_t mtime_ms)
{
	struct rig *r = arg;

	(void)mtime_ms;
	assert_true(r->file_count < LEN(r->files));
	snprintf(r->files[r->file_count++].path, sizeof(r->files[0].path), DIR "/content/%s", name);
	return true;
}

static void snap(struct rig *r)
{
	r->file_count = 3;
	snprintf(r->files[0].path, sizeof(r->files[0].path), DIR "/mail.db");
	snprintf(r->files[1].path, sizeof(r->files[1].path), DIR "/mail.db-wal");
	snprintf(r->files[2].path, sizeof(r->files[2].path), DIR "/mail.db.lock");
	assert_ok(disk_list(r->u.fd, DIR "/content", snap_one, r));
	for (size_t i = 0; i < r->file_count; i++)
		r->files[i].octets = file_read(r, r->files[i].path);
}

/* As it was, and nothing else. */
static void restore(struct rig *r)
{
	assert_ok(disk_remove_dir(r->u.fd, DIR));
	assert_ok(disk_make_dir(r->u.fd, DIR));
	assert_ok(disk_make_dir(r->u.fd, DIR "/content"));
	for (size_t i = 0; i < r->file_count; i++)
		file_write(r, r->files[i].path, r->files[i].octets);
}

/* ---- the account ---- */

static void fill(struct rig *r)
{
	struct store_account    *a;
	struct store_new_message m = { .content = STR_NONE };
	struct str               keywords[] = { STR("$Work"), STR("$Home") };
	struct store_added       added;
	struct store_range       some = { 20, 23 }, moved = { 30, 31 };
	struct store_expunged    gone;
	struct store_copied      copied;
	uint64_t                 inbox, archive, plans;

	assert_ok(store_open(r->u.store, ACCOUNT, &a));
	inbox = store_unit_box(a, r->u.arena, "INBOX").id;
	archive = store_unit_box(a, r->u.arena, "Archive").id;
	assert_ok(store_mailbox_create(a, STR("Work/Plans"), STORE_SPECIAL_NONE, &plans));
	for (unsigned i = 1; i <= SMALL; i++)
		store_unit_append(a, inbox, store_unit_message(r->u.arena, i, 300), i % 3 == 0 ? STORE_SEEN : i % 3 == 1 ? STORE_FLAGGED : 0);
	for (unsigned i = 1; i <= 4; i++) {
		m = (struct store_new_message){ .content = store_unit_message(r->u.arena, 1000 + i, i < 3 ? 20000 : 300000), .keywords = keywords,
						.keyword_count = i % 2 + 1, .internal_ms = 1136214245000 };
		assert_ok(store_append(a, i % 2 ? archive : plans, &m, 1, &added));
	}
	assert_ok(store_expunge(a, inbox, (struct store_set){ &some, 1 }, false, r->u.arena, &gone));
	assert_ok(store_move(a, inbox, (struct store_set){ &moved, 1 }, archive, r->u.arena, &copied));
	store_unit_check(a);
	store_close(&a);
	store_free(&r->u.store);
}

static sqlite3 *sql_open(void)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open_v2("/accounts/" DIR "/mail.db", &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return db;
}

static sqlite3_stmt *sql(sqlite3 *db, const char *text)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(db, text, -1, &s, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(db));
	return s;
}

static size_t messages_load(struct rig *r, struct message **ret)
{
	sqlite3        *db = sql_open();
	sqlite3_stmt   *s = sql(db, "SELECT b.name, m.uid, m.flags, m.kw0, b.uidvalidity, c.hash FROM message m JOIN mailbox b ON b.id = m.mailbox JOIN"
				    " email e ON e.id = m.email JOIN content c ON c.id = e.content ORDER BY 1, 2");
	struct message *list = ARENA_ARRAY(r->u.arena, struct message, 400);
	size_t          n = 0;

	for (; sqlite3_step(s) == SQLITE_ROW; n++) {
		assert_true(n < 400);
		snprintf(list[n].mailbox, sizeof(list[n].mailbox), "%s", sqlite3_column_text(s, 0));
		list[n].uid = sqlite3_column_int64(s, 1);
		list[n].flags = sqlite3_column_int64(s, 2);
		list[n].kw0 = sqlite3_column_int64(s, 3);
		list[n].uidvalidity = sqlite3_column_int64(s, 4);
		memcpy(list[n].hash, sqlite3_column_blob(s, 5), 32);
	}
	sqlite3_finalize(s);
	sqlite3_close(db);
	*ret = list;
	return n;
}

static void owners_load(struct rig *r)
{
	sqlite3      *db = sql_open();
	sqlite3_stmt *s = sql(db, "SELECT pageno, name, pagetype, ncell FROM dbstat");

	r->pages = r->files[0].octets.n / PAGE;
	r->owners = ARENA_ARRAY(r->u.arena, struct owner, r->pages + 1);
	while (sqlite3_step(s) == SQLITE_ROW) {
		struct owner *o = &r->owners[sqlite3_column_int64(s, 0)];

		assert_true(sqlite3_column_int64(s, 0) <= (int64_t)r->pages);
		snprintf(o->table, sizeof(o->table), "%s", sqlite3_column_text(s, 1));
		snprintf(o->kind, sizeof(o->kind), "%s", sqlite3_column_text(s, 2));
		o->cells = (unsigned)sqlite3_column_int(s, 3);
	}
	sqlite3_finalize(s);
	sqlite3_close(db);
}

/* `checkpoint`: all of it is in the database, and the log is empty. Else some is there. */
static void rig_open(struct rig *r, bool checkpoint)
{
	*r = (struct rig){ .random = 42 };
	store_unit_open(&r->u, &(struct store_options){ .log_pages = 250 });
	fill(r);
	if (checkpoint) {
		sqlite3 *db = sql_open();

		assert_int_equal(sqlite3_exec(db, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
	}
	r->message_count = messages_load(r, &r->messages);
	assert_int_equal(r->message_count, SMALL); /* four more, four expunged */
	snap(r);
	if (checkpoint) { /* the log is there and says nothing that the database does not */
		r->files[1].octets = str_first(r->files[1].octets, 32 + 24 + PAGE);
		r->files[2].octets = STR_NONE;
		owners_load(r);
	}
	assert_ok(store_new(r->u.fd, NULL, &r->u.store));
}

/* ---- salvage, and what came of it ---- */

static void on_told(void *arg, enum store_mend_kind kind, const char *invariant, struct str text)
{
	struct rig *r = arg;

	r->told[kind]++;
	if (getenv("VERBOSE"))
		print_message("  %u %s %.*s\n", kind, invariant, STR_FMT(text));
}

static struct store_salvaged salvage(struct rig *r)
{
	struct store_salvaged got;
	struct store_account *a;

	memset(r->told, 0, sizeof(r->told));
	assert_ok(store_salvage(r->u.store, ACCOUNT, on_told, r, &got));
	assert_int_equal(r->told[STORE_MEND_BROKEN], 0);
	assert_true(got.moved <= r->told[STORE_MEND_MOVED]); /* of what is moved twice */
	assert_int_equal(got.lost, r->told[STORE_MEND_LOST]);
	assert_false(store_is_suspect(r->u.store, ACCOUNT));
	assert_ok(store_open(r->u.store, ACCOUNT, &a));
	store_unit_check(a);
	store_close(&a);
	return got;
}

struct outcome {
	size_t in_place, elsewhere, missing;
};

/* Where is each of the messages now. */
static struct outcome compare(struct rig *r, const struct store_salvaged *got, const char *what)
{
	struct message *now;
	struct outcome  o = { 0 };
	size_t          n = messages_load(r, &now);

	for (size_t i = 0; i < r->message_count; i++) {
		struct message *m = &r->messages[i];

		m->in_place = m->there = false;
		for (size_t k = 0; k < n && !m->in_place; k++) {
			bool same = memcmp(now[k].hash, m->hash, 32) == 0;

			m->there |= same;
			m->in_place = same && strcmp(now[k].mailbox, m->mailbox) == 0 && now[k].uid == m->uid && now[k].flags == m->flags &&
				      now[k].kw0 == m->kw0;
		}
		o.in_place += m->in_place;
		o.elsewhere += !m->in_place && m->there;
		o.missing += !m->in_place && !m->there;
	}
	/* Under an old number with an old UIDVALIDITY there is the old message, or none. */
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < r->message_count; i++)
			if (strcmp(now[k].mailbox, r->messages[i].mailbox) == 0 && now[k].uid == r->messages[i].uid &&
			    now[k].uidvalidity == r->messages[i].uidvalidity && memcmp(now[k].hash, r->messages[i].hash, 32) != 0)
				fail_msg("%s: another message as %s/%d", what, now[k].mailbox, (int)now[k].uid);
	if (n != got->kept + got->moved)
		fail_msg("%s: %zu messages, %u kept and %u moved", what, n, (unsigned)got->kept, (unsigned)got->moved);
	if (!r->uncounted && got->kept + got->moved + got->lost < r->message_count)
		fail_msg("%s: %u kept, %u moved, %u lost of %zu", what, (unsigned)got->kept, (unsigned)got->moved, (unsigned)got->lost,
			 r->message_count);
	return o;
}

/* How many messages this page can cost their place. */
static size_t cost(const struct owner *o)
{
	bool rows = strcmp(o->table, "message") == 0 || strcmp(o->table, "email") == 0 || strcmp(o->table, "content") == 0;

	return rows && (strcmp(o->kind, "internal") != 0 || strcmp(o->table, "message") == 0) ? MAX(o->cells, 1u) : 0;
}

enum damage { ZEROS, GARBAGE, ANOTHER_PAGE, DAMAGES };

static void page_damage(struct rig *r, size_t page, enum damage how)
{
	char   octets[PAGE] = { 0 };
	size_t from = (size_t)(next(r) % r->pages);
	int    fd;

	for (size_t i = 0; how == GARBAGE && i < PAGE; i++)
		octets[i] = (char)next(r);
	if (how == ANOTHER_PAGE)
		memcpy(octets, r->files[0].octets.p + from * PAGE, PAGE);
	assert_ok(disk_open(r->u.fd, DIR "/mail.db", DISK_UPDATE, &fd));
	assert_ok(disk_write_at(fd, "mail.db", (uint64_t)(page - 1) * PAGE, str_n(octets, PAGE)));
	close(fd);
}

static void test_pages(void **state)
{
	struct rig r;
	size_t     sums[4] = { 0 };

	(void)state;
	rig_open(&r, true);
	for (size_t page = 1; page <= r.pages; page++) {
		for (enum damage how = ZEROS; how < DAMAGES; how++) {
			const struct owner   *o = &r.owners[page];
			char                  what[120];
			struct store_salvaged got;
			struct outcome        out;

			snprintf(what, sizeof(what), "page %zu of %zu, %s %s of %u, damage %d", page, r.pages, o->table, o->kind, o->cells, how);
			if (getenv("VERBOSE"))
				print_message("%s\n", what);
			restore(&r);
			page_damage(&r, page, how);
			got = salvage(&r);
			out = compare(&r, &got, what);
			if (out.in_place + cost(o) < r.message_count || out.missing > (strcmp(o->table, "content") == 0 ? cost(o) : 0))
				fail_msg("%s: %zu in place, %zu elsewhere, %zu missing", what, out.in_place, out.elsewhere, out.missing);
			sums[0]++;
			sums[1] += out.in_place;
			sums[2] += out.elsewhere;
			sums[3] += out.missing;
		}
	}
	print_message("%zu salvages: %zu in place, %zu elsewhere, %zu missing\n", sums[0], sums[1], sums[2], sums[3]);
	store_unit_done(&r.u);
}

static bool is_count(const struct rig *r, size_t page)
{
	return strcmp(r->owners[page].table, "mailbox") == 0;
}

/* Several pages at once, and a file that is cut. Nothing vanishes without being told, as long as the mailboxes say how much they held. */
static void test_many(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, true);
	for (unsigned round = 0; round < 40; round++) {
		char                  what[60];
		struct store_salvaged got;
		struct outcome        out;

		snprintf(what, sizeof(what), "round %u", round);
		restore(&r);
		r.uncounted = false;
		for (unsigned i = 0; i < 1 + round / 2; i++) {
			size_t page = 1 + (size_t)(next(&r) % r.pages);

			page_damage(&r, page, (enum damage)(next(&r) % DAMAGES));
			r.uncounted |= is_count(&r, page);
		}
		if (round % 4 == 3) {
			size_t cut = (size_t)(next(&r) % r.files[0].octets.n);

			file_write(&r, DIR "/mail.db", str_first(r.files[0].octets, cut));
			r.uncounted = false; /* what was damaged is written anew */
			for (size_t page = cut / PAGE + 1; page <= r.pages; page++)
				r.uncounted |= is_count(&r, page);
		}
		got = salvage(&r);
		out = compare(&r, &got, what);
		(void)out;
	}
	store_unit_done(&r.u);
}

/* The log damaged, cut, exchanged: what was committed before is there, and no uid of then is given out again under its UIDVALIDITY. */
static void test_log(void **state)
{
	struct rig r;
	struct str log;
	unsigned   rounds = 0;

	(void)state;
	rig_open(&r, false);
	log = r.files[1].octets;
	for (unsigned round = 0; round < 40; round++) {
		struct store_salvaged got;
		struct message       *now;
		size_t                n, same, renewed, at = round < 2 ? 20 : (size_t)(next(&r) % log.n);
		char                 *copy = arena_alloc(r.u.arena, log.n);

		memcpy(copy, log.p, log.n);
		copy[at] = (char)(copy[at] ^ 1 << (round % 8));
		restore(&r);
		file_write(&r, r.files[1].path, round % 5 == 4 ? str_first(log, at) : round % 7 == 6 ? STR("") : str_n(copy, log.n));
		got = salvage(&r);
		n = messages_load(&r, &now);
		assert_int_equal(n, got.kept + got.moved);
		renewed = same = 0;
		for (size_t k = 0; k < n; k++)
			for (size_t i = 0; i < r.message_count; i++)
				if (strcmp(now[k].mailbox, r.messages[i].mailbox) == 0 && now[k].uid == r.messages[i].uid) {
					bool old = now[k].uidvalidity == r.messages[i].uidvalidity;

					renewed += !old;
					same += old && memcmp(now[k].hash, r.messages[i].hash, 32) == 0;
				}
		/* What the log has behind its end is of no matter: then nothing has changed at all. */
		if (renewed > 0 ? same > 0 : same != r.message_count)
			fail_msg("round %u at %zu of %zu: %zu of %zu, %zu renewed", round, at, log.n, same, n, renewed);
		rounds += renewed > 0 || n == 0;
	}
	assert_true(rounds >= 20);
	store_unit_done(&r.u);
}

/* All is in the log, and it is whole: nothing changes, not even UIDVALIDITY. */
static void test_sound(void **state)
{
	struct rig            r;
	struct store_salvaged got;
	struct message       *now;
	size_t                n;

	(void)state;
	rig_open(&r, false);
	got = salvage(&r);
	assert_int_equal(got.kept, r.message_count);
	assert_int_equal(got.moved + got.lost + got.bad, 0);
	n = messages_load(&r, &now);
	assert_int_equal(n, r.message_count);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(now[i].mailbox, r.messages[i].mailbox);
		assert_true(now[i].uid == r.messages[i].uid && now[i].flags == r.messages[i].flags && now[i].kw0 == r.messages[i].kw0 &&
			    now[i].uidvalidity == r.messages[i].uidvalidity);
	}
	store_unit_done(&r.u);
}

static bool exists(struct rig *r, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), DIR "/%s", name);
	return disk_exists(r->u.fd, path);
}

/* No database, an empty one, one of nothing but garbage: the files are messages of Recovered. The old ones are all kept. */
static void test_gone(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, true);
	for (unsigned how = 0; how < 4; how++) {
		struct store_salvaged got;
		struct store_account *a;
		struct store_mailbox  m;

		restore(&r);
		assert_ok(disk_remove(r.u.fd, DIR "/mail.db-wal"));
		if (how == 0)
			assert_ok(disk_remove(r.u.fd, DIR "/mail.db"));
		else
			file_write(&r, DIR "/mail.db", how == 1 ? STR("") : how == 2 ? STR("SQLite format 3") : str_first(r.files[3].octets, 60000));
		assert_true(store_contents_there(r.u.store, ACCOUNT));
		got = salvage(&r);
		assert_int_equal(got.kept, 0);
		assert_int_equal(got.moved, 2);
		assert_int_equal(exists(&r, "mail.db.damaged.1"), how != 0);
		assert_ok(store_open(r.u.store, ACCOUNT, &a));
		m = store_unit_box(a, r.u.arena, "Recovered");
		assert_int_equal(m.messages, 2);
		store_unit_append(a, store_unit_box(a, r.u.arena, "INBOX").id, STR("a: b\r\n\r\nc"), 0);
		store_close(&a);
		/* A second run sets the new one aside, under another name, and loses nothing of what came since. */
		got = salvage(&r);
		assert_int_equal(got.kept, 3);
		assert_true(exists(&r, how == 0 ? "mail.db.damaged.1" : "mail.db.damaged.2"));
		assert_true(exists(&r, how == 0 ? "mail.db.damaged.1-wal" : "mail.db.damaged.2-wal"));
		assert_false(exists(&r, "mail.db.repair") || exists(&r, "mail.db.repair.lock") || exists(&r, "mail.db.suspect"));
	}
	store_unit_done(&r.u);
}

/* ---- interrupted ---- */

static const struct {
	const char *point, *path;
} faults[] = {
	{ "db.write", DIR "/mail.db" }, { "db.sync", DIR "/mail.db" },       { "disk.write", DIR "/mail.db" }, { "disk.sync", DIR },
	{ "disk.sync_dir", DIR },       { "disk.rename", DIR "/mail.db" },
};

/* Each call fails in turn: what was there is there, the account is refused to writers or done, and the next run does it. */
static void test_failures(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, true);
	for (size_t f = 0; f < LEN(faults); f++) {
		enum status st = ST_IO;

		for (unsigned nth = 1; st != ST_OK; nth += strcmp(faults[f].point, "db.write") == 0 ? 1 + nth / 3 : 1) {
			struct store_new_message m = { .content = STR("a: b\r\n\r\nc") };
			struct store_salvaged    got;
			struct store_account    *a;
			struct store_added       added;
			struct outcome           out;
			char                     what[100];

			snprintf(what, sizeof(what), "%s %u", faults[f].point, nth);
			restore(&r);
			page_damage(&r, 1, ZEROS);
			fault_set(faults[f].point, faults[f].path, nth, false, EIO);
			st = store_salvage(r.u.store, ACCOUNT, NULL, NULL, &got);
			fault_clear();
			if (st != ST_OK && store_is_suspect(r.u.store, ACCOUNT) && store_open(r.u.store, ACCOUNT, &a) == ST_OK) {
				enum status write = store_append(a, 1, &m, 1, &added);

				/* What failed was behind the point from which the next to open it goes on. */
				if (write == ST_OK && !exists(&r, "mail.db.damaged.1"))
					fail_msg("%s: written to", what);
				store_close(&a);
			}
			got = salvage(&r);
			out = compare(&r, &got, what);
			if (out.in_place != r.message_count)
				fail_msg("%s: %zu in place, %zu missing", what, out.in_place, out.missing);
		}
	}
	store_unit_done(&r.u);
}

/* ---- contents that are kept ---- */

static size_t files_now(struct rig *r)
{
	struct rig list = { .u = r->u };

	assert_ok(disk_list(r->u.fd, DIR "/content", snap_one, &list));
	return list.file_count;
}

/* The database is gone and somebody signs in, or mail comes: a new one. The upkeep leaves the files, and they can be adopted. */
static void test_keep(void **state)
{
	struct rig             r;
	struct store_account  *a;
	struct store_orphans   orphans;
	struct store_expunged  gone;
	struct store_added     added;
	struct store_range     one;
	struct store_options   brief = { .retention_ms = 1 };
	uint64_t               moved = 0, inbox;

	(void)state;
	rig_open(&r, true);
	store_free(&r.u.store);
	assert_ok(store_new(r.u.fd, &brief, &r.u.store));
	assert_ok(disk_remove(r.u.fd, DIR "/mail.db"));
	assert_ok(disk_remove(r.u.fd, DIR "/mail.db-wal"));
	assert_ok(store_open(r.u.store, ACCOUNT, &a));
	assert_ok(store_clean(a));
	assert_int_equal(files_now(&r), 3);
	assert_ok(store_orphans_count(a, &orphans));
	assert_true(orphans.kept == 2 && orphans.loose == 0);
	/* What comes later goes as always. */
	usleep(20000);
	inbox = store_unit_box(a, r.u.arena, "INBOX").id;
	added = store_unit_append(a, inbox, store_unit_message(r.u.arena, 2000, 300000), 0);
	assert_int_equal(files_now(&r), 4);
	one = (struct store_range){ added.uid, added.uid };
	assert_ok(store_expunge(a, inbox, (struct store_set){ &one, 1 }, false, r.u.arena, &gone));
	usleep(20000);
	assert_ok(store_clean(a));
	assert_int_equal(files_now(&r), 3);
	assert_ok(store_adopt(a, on_told, &r, &moved));
	assert_int_equal(moved, 2);
	assert_int_equal(store_unit_box(a, r.u.arena, "Recovered").messages, 2);
	assert_int_equal(files_now(&r), 2);
	store_unit_check(a);
	assert_ok(store_clean(a));
	assert_int_equal(files_now(&r), 2);
	store_close(&a);
	store_unit_done(&r.u);
}

/* An orphan of an account that is sound goes; of one with a break it stays. */
static void test_orphan(void **state)
{
	(void)state;
	for (int broken = 0; broken < 2; broken++) {
		struct rig            r;
		struct store_account *a;
		sqlite3              *db;

		rig_open(&r, true);
		db = sql_open();
		assert_int_equal(sqlite3_exec(db, broken ? "DELETE FROM content WHERE data IS NULL" : "UPDATE account SET floor = floor", NULL, NULL,
					      NULL), SQLITE_OK);
		sqlite3_close(db);
		file_write(&r, DIR "/content/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", STR("From: x\r\n\r\nOrphan.\r\n"));
		assert_ok(store_open(r.u.store, ACCOUNT, &a));
		assert_ok(store_clean(a));
		assert_int_equal(files_now(&r), broken ? 4 : 2);
		store_close(&a);
		store_unit_done(&r.u);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound), cmocka_unit_test(test_pages),    cmocka_unit_test(test_many), cmocka_unit_test(test_log),
		cmocka_unit_test(test_gone),  cmocka_unit_test(test_failures), cmocka_unit_test(test_keep), cmocka_unit_test(test_orphan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
