/* Mailboxes of others: how often auth is asked who shares with us, that what it said is not believed in the next command, and what it is told
 * when mailboxes are deleted. */
#include "imap_rig.h"
#include "store/store_acl.h"
#include "unit.h"
#include "wire/imap/imap_acl.h"

#define OWNER     2u
#define BOXES     30u
#define OTHERS    "\"Other Users/*\""
#define OTHER_BOX "\"Other Users/bob@demo.test/Box 7\""

static struct imap_rig rig;
static unsigned        asked; /* who shares with us */
static bool            nobody; /* does, any more */
static struct buf      told;   /* to the index, one line each: owner, subject, what holds now */

static enum status fake_shared(void *ctx, const struct auth_shared_request *q, struct arena *a, struct auth_shared_reply *ret)
{
	(void)ctx, (void)q;
	asked++;
	*ret = (struct auth_shared_reply){ .owners = ARENA_ARRAY(a, struct auth_owner, 1), .owner_count = !nobody };
	ret->owners[0] = (struct auth_owner){ .account = OWNER, .address = arena_dup(a, STR("bob@demo.test")) };
	return ST_OK;
}

static enum status fake_subject(void *ctx, const struct auth_subject_request *q, struct auth_subject_reply *ret)
{
	(void)ctx;
	ret->subject = q->kind == AUTH_SUBJECT_GROUP ? 7 : str_eq(q->name, STR("bob")) ? OWNER : str_eq(q->name, STR("carol")) ? 3 : 1;
	return ST_OK;
}

static enum status fake_share(void *ctx, const struct auth_share_request *q)
{
	(void)ctx;
	buf_addf(&told, "%llu %s%llu %s\n", (unsigned long long)q->owner, q->kind == AUTH_SUBJECT_GROUP ? "$" : "", (unsigned long long)q->subject,
		   !q->on ? "off" : q->admin ? "admin" : "on");
	return ST_OK;
}

static void fake_changed(void *ctx, uint64_t account, uint64_t modseq)
{
	(void)ctx, (void)account, (void)modseq;
}

/* Of bob's mailboxes "Box 0" and so on alice may do that. */
static void boxes_share(unsigned rights)
{
	struct store_account  *a CLEANUP(store_close) = NULL;
	const struct store_acl e = { .kind = STORE_ACL_ACCOUNT, .subject = 1, .rights = rights };

	assert_int_equal(store_open(rig.store, OWNER, &a), ST_OK);
	for (unsigned i = 0; i < BOXES; i++) {
		uint64_t id;

		assert_int_equal(store_mailbox_create(a, arena_printf(rig.arena, "Box %u", i), STORE_SPECIAL_NONE, &id), ST_OK);
		assert_int_equal(store_acl_change(a, id, &e, STORE_ACL_REPLACE), ST_OK);
	}
}

static int begin(void **state)
{
	(void)state;
	imap_rig_open(&rig);
	rig.ask.shared = fake_shared;
	rig.ask.subject = fake_subject;
	rig.ask.share = fake_share;
	rig.ask.changed = fake_changed;
	buf_init(&told, 4096);
	boxes_share(IMAP_RIGHT_LOOKUP | IMAP_RIGHT_READ);
	asked = 0;
	nobody = false;
	imap_rig_begin(&rig);
	imap_rig_say(&rig, IMAP_SIGN_IN);
	return 0;
}

static int end(void **state)
{
	(void)state;
	imap_rig_end(&rig);
	buf_done(&told);
	imap_rig_close(&rig);
	return 0;
}

static unsigned count(struct str text, const char *what)
{
	unsigned n = 0;

	for (ssize_t at; (at = str_search(text, str_of(what))) >= 0; n++)
		text = str_from(text, (size_t)at + 1);
	return n;
}

static void test_once_for_a_command(void **state)
{
	struct str said = imap_rig_say(&rig, "b LIST \"\" " OTHERS " RETURN (STATUS (MESSAGES) MYRIGHTS METADATA (/private/comment))\r\n");

	(void)state;
	assert_int_equal(count(said, "* STATUS "), BOXES);
	assert_int_equal(count(said, "* MYRIGHTS "), BOXES);
	assert_int_equal(asked, 1);
	assert_int_equal(count(imap_rig_say(&rig, "c MYRIGHTS " OTHER_BOX "\r\n"), " lr\r\n"), 1);
	assert_int_equal(asked, 2);
}

static void test_forgotten_behind_it(void **state)
{
	static const char *const again[] = {
		"c LIST \"\" " OTHERS "\r\n",
		"c STATUS " OTHER_BOX " (MESSAGES)\r\n",
		"c SELECT " OTHER_BOX "\r\n",
	};

	(void)state;
	for (size_t i = 0; i < LEN(again); i++) {
		nobody = false;
		assert_int_equal(count(imap_rig_say(&rig, "b LIST \"\" " OTHERS "\r\n"), "* LIST "), BOXES + 1);
		nobody = true;
		assert_int_equal(count(imap_rig_say(&rig, again[i]), "* "), 0);
	}
}

/* A literal ends no command, but while it comes anything may happen. */
static void test_forgotten_while_waiting(void **state)
{
	(void)state;
	imap_rig_say(&rig, "b LIST \"\" " OTHERS "\r\n");
	asked = 0;
	assert_int_equal(count(imap_rig_say(&rig, "c STATUS {32}\r\n"), "+ "), 1);
	nobody = true;
	assert_int_equal(count(imap_rig_say(&rig, "Other Users/bob@demo.test/Box 12 (MESSAGES)\r\n"), "c NO "), 1);
	assert_int_equal(asked, 1);
}

/* What these commands, which succeed, tell the index. */
static void tells(const char *commands, const char *expected)
{
	buf_clear(&told);
	assert_int_equal(count(imap_rig_say(&rig, commands), " NO "), 0);
	assert_str(buf_str(&told), str_of(expected));
}

static void test_deleted_is_told(void **state)
{
	(void)state;
	tells("b CREATE One\r\nc SETACL One bob lra\r\nd SETACL One $team lr\r\ne SETACL One -carol r\r\n", "1 2 admin\n1 2 admin\n1 $7 on\n1 $7 on\n");
	tells("b CREATE One/Below\r\nc SETACL One/Below bob lr\r\n", "");
	tells("b CREATE Two\r\nc SETACL Two carol lr\r\n", "1 3 on\n1 3 on\n");
	/* The one above goes alone; what is below still gives something, but not to administer. */
	tells("b DELETE One\r\n", "1 2 on\n");
	tells("b RENAME One/Below Three\r\n", "");
	tells("b DELETE Two\r\n", "1 3 off\n");
	tells("b DELETE Three\r\n", "1 2 off\n1 $7 off\n");
	tells("b CREATE Four\r\nc DELETE Four\r\n", "");
}

/* By one who administers; what lets him do so is told last. */
static void test_deleted_by_another(void **state)
{
	struct store_account  *a;
	const struct store_acl entries[] = {
		{ .kind = STORE_ACL_ACCOUNT, .subject = 1, .rights = IMAP_RIGHT_ALL },
		{ .kind = STORE_ACL_ACCOUNT, .subject = 3, .rights = IMAP_RIGHT_ALL },
		{ .kind = STORE_ACL_GROUP, .subject = 7, .rights = IMAP_RIGHT_LOOKUP },
	};
	uint64_t id;

	(void)state;
	assert_int_equal(store_open(rig.store, OWNER, &a), ST_OK);
	assert_int_equal(store_mailbox_create(a, STR("Given"), STORE_SPECIAL_NONE, &id), ST_OK);
	for (size_t i = 0; i < LEN(entries); i++)
		assert_int_equal(store_acl_change(a, id, &entries[i], STORE_ACL_REPLACE), ST_OK);
	store_close(&a);
	tells("b DELETE \"Other Users/bob@demo.test/Given\"\r\n", "2 $7 off\n2 3 off\n2 1 on\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_once_for_a_command, begin, end),
		cmocka_unit_test_setup_teardown(test_forgotten_behind_it, begin, end),
		cmocka_unit_test_setup_teardown(test_forgotten_while_waiting, begin, end),
		cmocka_unit_test_setup_teardown(test_deleted_is_told, begin, end),
		cmocka_unit_test_setup_teardown(test_deleted_by_another, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
