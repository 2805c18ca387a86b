/* Sessions that wait: whatever they wait in, their list of messages is put away, and what came meanwhile is told. */
#include "imap_rig.h"
#include "unit.h"

#define MESSAGE STR("Subject: x\r\n\r\nx\r\n")

static struct imap_rig rig;

static int begin(void **state)
{
	(void)state;
	imap_rig_open(&rig);
	for (int i = 0; i < 4; i++)
		imap_rig_add(&rig, MESSAGE);
	imap_rig_begin(&rig);
	return 0;
}

static int end(void **state)
{
	(void)state;
	imap_rig_end(&rig);
	imap_rig_close(&rig);
	return 0;
}

static bool says(struct str answer, const char *text)
{
	return str_search(answer, str_of(text)) >= 0;
}

/* Message 2 goes, 3 is flagged, one comes: with the bus' word or without. */
static void others_change(bool woken)
{
	buf_clear(&rig.conn.out);
	imap_rig_expunge(&rig, 2);
	imap_rig_flag(&rig, 3, STORE_FLAGGED);
	imap_rig_add(&rig, MESSAGE);
	if (woken)
		fake_event(&rig.conn, NET_EV_WAKE);
}

struct waits {
	const char *enter, *leave; /* how it comes to wait, and what it says then */
	bool        by_uid;        /* messages are told by UID */
	bool        drops;         /* it is put away when the time is over; else at once */
	bool        wakes;         /* it tells at once */
};

#define SELECTED IMAP_SIGN_IN "b SELECT INBOX\r\nc FETCH 1:* (FLAGS)\r\n"

static const struct waits all_waits[] = {
	{ SELECTED, "d NOOP\r\n", false, true, false },
	{ SELECTED "d SEARCH ALL\r\n", "d CHECK\r\n", false, true, false },
	{ SELECTED "d EXAMINE INBOX\r\ne FETCH 1:* (FLAGS)\r\n", "d NOOP\r\n", false, true, false },
	{ SELECTED "d ENABLE CONDSTORE\r\n", "d NOOP\r\n", false, true, false },
	{ SELECTED "d STORE 4 +FLAGS (\\Seen)\r\n", "d NOOP\r\n", false, true, false },
	{ SELECTED "d SEARCH RETURN (SAVE) ALL\r\n", "d NOOP\r\n", false, true, false },
	{ IMAP_SIGN_IN "b ENABLE QRESYNC\r\n" "b SELECT INBOX\r\nc FETCH 1:* (FLAGS)\r\n", "d NOOP\r\n", true, true, false },
	{ IMAP_SIGN_IN "b ENABLE UIDONLY\r\n" "b SELECT INBOX\r\nc UID FETCH 1:* (FLAGS)\r\n", "d NOOP\r\n", true, true, false },
	{ SELECTED "d NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))\r\n", "d NOOP\r\n", false, true, true },
	{ SELECTED "d IDLE\r\n", "DONE\r\n", false, false, true },
	{ SELECTED "d APPEND INBOX {3}\r\n", "A:b\r\n", false, true, false },
	{ SELECTED "d SEARCH SUBJECT {1}\r\n", "x\r\ne NOOP\r\n", false, true, false },
};

static void test_waits(const struct waits *w, bool woken)
{
	struct str told;

	imap_rig_say(&rig, w->enter);
	assert_false(rig.conn.closed);
	if (w->drops && imap_rig_holds_view(&rig))
		fake_event(&rig.conn, NET_EV_TIMEOUT);
	assert_false(rig.conn.closed);
	assert_false(imap_rig_holds_view(&rig));
	others_change(woken || w->wakes);
	told = buf_str(&rig.conn.out);
	assert_int_equal(says(told, "EXISTS"), w->wakes);
	if (!w->wakes)
		told = imap_rig_say(&rig, w->leave);
	assert_true(says(told, w->by_uid ? "* VANISHED 2\r\n" : "* 2 EXPUNGE\r\n"));
	assert_true(says(told, "* 4 EXISTS\r\n") || says(told, "* 5 EXISTS\r\n")); /* with one's own APPEND */
	assert_true(says(told, "\\Flagged"));
	if (w->wakes) {
		assert_false(says(imap_rig_say(&rig, w->leave), "EXPUNGE")); /* and not twice */
		assert_false(says(buf_str(&rig.conn.out), "EXISTS"));
	}
}

static void test_every_wait(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(all_waits); i++) {
		for (int woken = 0; woken < 2; woken++) {
			print_message("%s", all_waits[i].enter + strlen(IMAP_SIGN_IN));
			test_waits(&all_waits[i], woken);
			end(NULL);
			begin(NULL);
		}
	}
}

/* It waits on as long as any session, and then hears that it was too long; only the list has gone before. */
static void test_the_list_goes_first(void **state)
{
	(void)state;
	imap_rig_say(&rig, SELECTED);
	assert_true(imap_rig_holds_view(&rig));
	assert_true(rig.conn.memory > 0);
	fake_event(&rig.conn, NET_EV_TIMEOUT);
	assert_false(rig.conn.closed || imap_rig_holds_view(&rig));
	assert_int_equal(rig.conn.memory, 0);
	assert_int_equal(rig.conn.want.timeout_ms, rig.set.idle_ms - rig.set.view_ms);
	fake_event(&rig.conn, NET_EV_TIMEOUT);
	assert_true(rig.conn.closed);
	assert_true(says(buf_str(&rig.conn.out), "* BYE "));
}

/* Nobody who is not signed in any more is told anything. */
static void test_nothing_behind_unauthenticate(void **state)
{
	(void)state;
	imap_rig_say(&rig, SELECTED "d NOTIFY SET (personal (MessageNew MessageExpunge MailboxName))\r\nd UNAUTHENTICATE\r\n");
	others_change(true);
	assert_int_equal(rig.conn.out.n, 0);
	assert_true(says(imap_rig_say(&rig, "e NOOP\r\n"), "e OK"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_wait, begin, end),
		cmocka_unit_test_setup_teardown(test_the_list_goes_first, begin, end),
		cmocka_unit_test_setup_teardown(test_nothing_behind_unauthenticate, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
