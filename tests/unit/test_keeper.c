/* store/keeper_*.c, ipc/session_token.c: what keeper passes, and what it does not, to a process that says whatever it likes. */
#include "keeper_rig.h"

#include <errno.h>
#include <sys/stat.h>

#include "store/keeper_name.h"

/* ---- tokens ---- */

static void test_token(void **state)
{
	uint8_t              key[SESSION_KEY] = { 1 }, other[SESSION_KEY] = { 2 }, octets[LIMIT_TOKEN + 1] = { 0 };
	struct session_token t = { { ROLE_IMAP, 3, UINT64_C(0x8000000000000001) }, 42, 1000, UINT64_C(0xfedcba9876543210) }, r;
	struct str           s = str_n(octets, LIMIT_TOKEN);

	(void)state;
	session_token_write(key, &t, octets);
	assert_true(session_token_read(key, s, 999, &r));
	assert_true(session_side_same(&r.side, &t.side));
	assert_true(r.account == 42 && r.end_ms == 1000 && r.generation == t.generation);
	assert_false(session_token_read(key, s, 1000, &r)); /* over */
	assert_false(session_token_read(other, s, 0, &r));
	for (size_t i = 0; i < LIMIT_TOKEN; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			octets[i] ^= (uint8_t)(1u << bit);
			assert_false(session_token_read(key, s, 0, &r));
			octets[i] ^= (uint8_t)(1u << bit);
		}
	for (size_t n = 0; n < LIMIT_TOKEN; n++)
		assert_false(session_token_read(key, str_n(octets, n), 0, &r));
	assert_false(session_token_read(key, str_n(octets, LIMIT_TOKEN + 1), 0, &r));
	assert_true(session_token_read(key, s, 0, &r));
}

static void test_token_refused(void **state)
{
	struct session_token good, t;
	struct str           s;
	char                *forged;

	(void)state;
	rig_start(NULL);
	good = rig_token(7);
	s = rig_write(&good);
	assert_st(rig_change(s, KEEPER_MAKE_DIR, STR(""), STR("")), ST_OK);
	assert_st(rig_open(0, s, STR("mail.db"), KEEPER_OPEN), ST_OK);
	assert_st(rig_set(0, s), ST_OK);
	/* Another instance, whatever it says; another life of the same one; another role. */
	rig_nothing(1, s);
	t = good;
	t.side.life++;
	rig_nothing(0, rig_write(&t));
	t = good;
	t.side.role = ROLE_SMTP;
	rig_nothing(0, rig_write(&t));
	t = good;
	t.end_ms = clock_mono_ms() - 1;
	rig_nothing(0, rig_write(&t));
	t = good;
	t.account = 0;
	rig_nothing(0, rig_write(&t));
	/* The account that is written in it is another one: the rest is of a good token. */
	forged = arena_alloc(rig.u.arena, s.n);
	memcpy(forged, s.p, s.n);
	forged[17]++;
	rig_nothing(0, str_n(forged, s.n));
	rig_nothing(0, str_first(s, s.n - 1));
	rig_nothing(0, STR(""));
	/* A successor of the process has the same instance and another life. */
	rig_detach(0);
	rig_attach(0, RIG_LIFE + 9);
	rig_nothing(0, s);
	rig_end();
}

/* ---- names ---- */

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	struct str       name;
	enum keeper_name kind;
} names[] = {
	{ STR(""), KEEPER_NAME_ACCOUNT },
	{ STR("content"), KEEPER_NAME_CONTENT },
	{ STR("mail.db"), KEEPER_NAME_MAIN },
	{ STR("mail.db.lock"), KEEPER_NAME_MAIN },
	{ STR("mail.db-wal"), KEEPER_NAME_BESIDE },
	{ STR("mail.db-shm"), KEEPER_NAME_BESIDE },
	{ STR("mail.db.suspect"), KEEPER_NAME_BESIDE },
	{ STR("mail.db.repair"), KEEPER_NAME_REPAIR },
	{ STR("content/" HASH), KEEPER_NAME_HASH },
	{ STR("content/tmp-0123456789abcdef"), KEEPER_NAME_TEMP },
	{ STR("content/keep"), KEEPER_NAME_KEEP },
	{ STR("mail.db.damaged.1"), KEEPER_NAME_NONE },
	{ STR("."), KEEPER_NAME_NONE },
	{ STR(".."), KEEPER_NAME_NONE },
	{ STR("../8/mail.db"), KEEPER_NAME_NONE },
	{ STR("content/.."), KEEPER_NAME_NONE },
	{ STR("content/../mail.db"), KEEPER_NAME_NONE },
	{ STR("content/../../8/mail.db"), KEEPER_NAME_NONE },
	{ STR("content/"), KEEPER_NAME_NONE },
	{ STR("content//" HASH), KEEPER_NAME_NONE },
	{ STR("/mail.db"), KEEPER_NAME_NONE },
	{ STR("/etc/passwd"), KEEPER_NAME_NONE },
	{ STR("./mail.db"), KEEPER_NAME_NONE },
	{ STR("mail.db/"), KEEPER_NAME_NONE },
	{ STR("mail.db\0"), KEEPER_NAME_NONE },
	{ STR("mail.db\0-wal"), KEEPER_NAME_NONE },
	{ STR("MAIL.DB"), KEEPER_NAME_NONE },
	{ STR("mail.db-wal2"), KEEPER_NAME_NONE },
	{ STR("mail.db.repair-journal"), KEEPER_NAME_NONE },
	{ STR("search.db"), KEEPER_NAME_NONE },
	{ STR("reserve"), KEEPER_NAME_NONE },
	{ STR("content/0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"), KEEPER_NAME_NONE },
	{ STR("content/" HASH "0"), KEEPER_NAME_NONE },
	{ STR("content/0123"), KEEPER_NAME_NONE },
	{ STR("content/tmp-0123456789abcde"), KEEPER_NAME_NONE },
	{ STR("content/tmp-0123456789abcdef0"), KEEPER_NAME_NONE },
	{ STR("content/tmp-../../8/mail.db"), KEEPER_NAME_NONE },
	{ STR("content/tmp-0123456789abcde/"), KEEPER_NAME_NONE },
	{ STR("content/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\0"), KEEPER_NAME_NONE },
};

static void test_names(void **state)
{
	struct str token, too_long;
	char      *p;

	(void)state;
	rig_start(NULL);
	token = rig_good(7);
	assert_st(rig_change(token, KEEPER_MAKE_DIR, STR(""), STR("")), ST_OK);
	assert_st(rig_change(token, KEEPER_MAKE_DIR, STR("content"), STR("")), ST_OK);
	for (size_t i = 0; i < LEN(names); i++) {
		assert_int_equal(keeper_name_of(names[i].name), names[i].kind);
		if (names[i].kind != KEEPER_NAME_NONE)
			continue;
		for (unsigned mode = 0; mode <= KEEPER_OPEN_LAST; mode++)
			assert_st(rig_open(0, token, names[i].name, (enum keeper_open)mode), ST_DENIED);
		for (unsigned what = 0; what <= KEEPER_CHANGE_LAST; what++) {
			assert_st(rig_change(token, (enum keeper_change)what, names[i].name, STR("mail.db")), ST_DENIED);
			assert_st(rig_change(token, KEEPER_RENAME, STR("mail.db.repair"), names[i].name), ST_DENIED);
			assert_st(rig_change(token, KEEPER_RENAME, STR("content/tmp-0123456789abcdef"), names[i].name), ST_DENIED);
		}
	}
	/* Longer than any: the message itself is refused. */
	p = arena_alloc(rig.u.arena, 5000);
	memset(p, 'a', 5000);
	too_long = str_n(p, 5000);
	assert_st(rig_open(0, token, too_long, KEEPER_READ), ST_LIMIT);
	rig_end();
}

/* What each name may be used for. */
static void test_uses(void **state)
{
	struct str token, hash = STR("content/" HASH), temp = STR("content/tmp-0123456789abcdef");

	(void)state;
	rig_start(NULL);
	token = rig_good(7);
	assert_st(rig_open(0, token, STR("mail.db"), KEEPER_OPEN), ST_NOT_FOUND); /* nothing is made by the way */
	assert_st(rig_change(token, KEEPER_MAKE_DIR, STR("content"), STR("")), ST_NOT_FOUND);
	assert_st(rig_change(token, KEEPER_MAKE_DIR, STR(""), STR("")), ST_OK);
	assert_st(rig_change(token, KEEPER_MAKE_DIR, STR(""), STR("")), ST_EXISTS);
	assert_st(rig_change(token, KEEPER_MAKE_DIR, STR("content"), STR("")), ST_OK);
	assert_st(rig_change(token, KEEPER_SYNC_DIR, STR(""), STR("")), ST_OK);
	assert_st(rig_change(token, KEEPER_SYNC_DIR, STR("content"), STR("")), ST_OK);
	assert_st(rig_change(token, KEEPER_MAKE_DIR, STR("mail.db"), STR("")), ST_DENIED);
	assert_st(rig_open(0, token, STR(""), KEEPER_READ), ST_DENIED); /* no directory is passed */
	assert_st(rig_open(0, token, STR("content"), KEEPER_READ), ST_DENIED);
	assert_st(rig_open(0, token, STR("mail.db"), KEEPER_OPEN), ST_OK);
	assert_st(rig_open(0, token, STR("mail.db.lock"), KEEPER_OPEN), ST_OK);
	assert_st(rig_change(token, KEEPER_REMOVE, STR("mail.db"), STR("")), ST_DENIED);
	assert_st(rig_change(token, KEEPER_REMOVE, STR("mail.db.lock"), STR("")), ST_DENIED);
	assert_st(rig_change(token, KEEPER_REMOVE, STR(""), STR("")), ST_DENIED);
	assert_st(rig_change(token, KEEPER_REMOVE, STR("content"), STR("")), ST_DENIED);
	assert_st(rig_open(0, token, temp, KEEPER_NEW), ST_OK);
	assert_st(rig_open(0, token, temp, KEEPER_NEW), ST_EXISTS);
	assert_st(rig_change(token, KEEPER_RENAME, temp, STR("mail.db")), ST_DENIED);
	assert_st(rig_change(token, KEEPER_RENAME, STR("mail.db"), hash), ST_DENIED);
	assert_st(rig_change(token, KEEPER_RENAME, temp, hash), ST_OK);
	assert_st(rig_change(token, KEEPER_RENAME, hash, temp), ST_DENIED);
	/* What has its final name is never written again. */
	assert_st(rig_open(0, token, hash, KEEPER_READ), ST_OK);
	for (unsigned mode = KEEPER_UPDATE; mode <= KEEPER_OPEN_LAST; mode++)
		assert_st(rig_open(0, token, hash, (enum keeper_open)mode), ST_DENIED);
	assert_st(rig_change(token, KEEPER_REMOVE, hash, STR("")), ST_OK);
	rig_end();
}

/* Somebody has put other things where files should be. */
static void test_planted(void **state)
{
	struct str  token, other;
	const char *wal = "07/7/mail.db-wal";
	struct stat before, after;

	(void)state;
	rig_start(NULL);
	token = rig_good(7);
	other = rig_good(8);
	assert_st(rig_change(token, KEEPER_MAKE_DIR, STR(""), STR("")), ST_OK);
	assert_st(rig_change(other, KEEPER_MAKE_DIR, STR(""), STR("")), ST_OK);
	assert_st(rig_open(0, other, STR("mail.db"), KEEPER_OPEN), ST_OK);
	assert_int_equal(fstatat(rig.u.fd, "08/8/mail.db", &before, 0), 0);
	assert_int_equal(symlinkat("../../08/8/mail.db", rig.u.fd, wal), 0);
	for (unsigned mode = 0; mode <= KEEPER_OPEN; mode++)
		assert_st(rig_open(0, token, STR("mail.db-wal"), (enum keeper_open)mode), ST_DENIED);
	assert_st(rig_set(0, token), ST_DENIED);
	assert_int_equal(unlinkat(rig.u.fd, wal, 0), 0);
	assert_int_equal(linkat(rig.u.fd, "08/8/mail.db", rig.u.fd, wal, 0), 0);
	for (unsigned mode = 0; mode <= KEEPER_OPEN; mode++)
		assert_st(rig_open(0, token, STR("mail.db-wal"), (enum keeper_open)mode), ST_DENIED);
	assert_st(rig_set(0, token), ST_DENIED);
	assert_int_equal(unlinkat(rig.u.fd, wal, 0), 0);
	assert_int_equal(mkfifoat(rig.u.fd, wal, 0600), 0); /* nobody waits for the other end */
	for (unsigned mode = 0; mode <= KEEPER_OPEN; mode++)
		assert_st(rig_open(0, token, STR("mail.db-wal"), (enum keeper_open)mode), ST_DENIED);
	assert_int_equal(unlinkat(rig.u.fd, wal, 0), 0);
	assert_int_equal(mkdirat(rig.u.fd, wal, 0700), 0);
	for (unsigned mode = 0; mode <= KEEPER_OPEN; mode++)
		assert_st(rig_open(0, token, STR("mail.db-wal"), (enum keeper_open)mode), ST_DENIED);
	/* The directories on the way. */
	assert_int_equal(symlinkat("../08/8", rig.u.fd, "07/content"), 0);
	assert_int_equal(renameat(rig.u.fd, "07/content", rig.u.fd, "07/7/content"), 0);
	assert_st(rig_open(0, token, STR("content/tmp-0123456789abcdef"), KEEPER_NEW), ST_DENIED);
	assert_st(rig_change(token, KEEPER_SYNC_DIR, STR("content"), STR("")), ST_DENIED);
	assert_int_equal(renameat(rig.u.fd, "07/7", rig.u.fd, "07/77"), 0);
	assert_int_equal(symlinkat("../08/8", rig.u.fd, "07/7"), 0);
	assert_st(rig_open(0, token, STR("mail.db"), KEEPER_READ), ST_DENIED);
	assert_int_equal(fstatat(rig.u.fd, "08/8/mail.db", &after, 0), 0);
	assert_true(before.st_mtim.tv_sec == after.st_mtim.tv_sec && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
	rig_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token), cmocka_unit_test(test_token_refused), cmocka_unit_test(test_names),
		cmocka_unit_test(test_uses),  cmocka_unit_test(test_planted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
