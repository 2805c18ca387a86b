/* guard/: limits, greylist, bans, lists in DNS, exemptions, what is kept over a restart; the clock is the test's. */
#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "guard_rig.h"

#include "db/db.h"

static void refused(const struct auth_rcpt_reply *r, unsigned code, const char *reason)
{
	assert_int_equal(r->kind, AUTH_RCPT_LATER);
	assert_int_equal(r->code, code);
	assert_str(r->reason, str_of(reason));
	assert_true(r->text.n > 0 && r->enhanced.n == 5);
}

static void close_guard(struct guard *g)
{
	guard_close(&g);
	assert_null(g);
}

/* ---- limits ---- */

static void test_limits(void **state)
{
	static const struct {
		const char           *reason;
		struct guard_settings set;
		struct rig_rcpt       rcpt;
		unsigned              passes;
	} rows[] = {
		{ "address_messages", { .address_messages = 3 }, { .peer = "192.0.2.1" }, 3 },
		{ "address_messages", { .address_messages = 3 }, { .peer = "2001:db8::1" }, 3 },
		{ "address_recipients", { .address_recipients = 4 }, { .peer = "192.0.2.1", .more = true }, 4 },
		{ "network_messages", { .network_messages = 2 }, { .peer = "192.0.2.1" }, 2 },
		{ "network_recipients", { .network_recipients = 2 }, { .peer = "2001:db8::1", .more = true }, 2 },
		{ "sender_domain_messages", { .sender_domain_messages = 2 }, { .peer = "192.0.2.1" }, 2 },
		{ "recipient_domain_recipients", { .recipient_domain_recipients = 2 }, { .peer = "192.0.2.1" }, 2 },
		{ "account_messages_hour", { .account_messages_hour = 2 }, { .peer = "192.0.2.1", .account = 7, .kind = AUTH_RCPT_FOREIGN }, 2 },
		{ "account_recipients_hour", { .account_recipients_hour = 2 }, { .peer = "127.0.0.1", .account = 7 }, 2 },
		{ "account_messages_day", { .account_messages_day = 2 }, { .peer = "192.0.2.1", .account = 7 }, 2 },
		{ "account_recipients_day", { .account_recipients_day = 2 }, { .peer = "192.0.2.1", .account = 7, .more = true }, 2 },
		{ "address_octets", { .address_octets = 10 * MIB }, { .peer = "192.0.2.1", .size = 11 * MIB }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct guard *g = rig_new(&rows[i].set);

		for (unsigned n = 0; n < rows[i].passes; n++)
			assert_int_equal(rig_rcpt(g, rows[i].rcpt)->kind, rows[i].rcpt.kind);
		refused(rig_rcpt(g, rows[i].rcpt), 450, rows[i].reason);
		rig_pass(DAY_MS / 4); /* an hour's window is over, a day's is not */
		if (str_iends(str_of(rows[i].reason), STR("_day")))
			refused(rig_rcpt(g, rows[i].rcpt), 450, rows[i].reason);
		rig_pass(2 * DAY_MS);
		if (rows[i].passes > 0)
			assert_int_equal(rig_rcpt(g, rows[i].rcpt)->kind, rows[i].rcpt.kind);
		close_guard(g);
	}
}

/* What is over a limit does not count: the rest of the window is not lost by trying. */
static void test_refused_is_not_counted(void **state)
{
	struct guard_settings s = { .address_messages = 10 };
	struct guard         *g = rig_new(&s);

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(RCPT(g, .peer = "192.0.2.1")->kind, AUTH_RCPT_LOCAL);
	for (int i = 0; i < 1000; i++)
		refused(RCPT(g, .peer = "192.0.2.1"), 450, "address_messages");
	assert_int_equal(RCPT(g, .peer = "192.0.2.2")->kind, AUTH_RCPT_LOCAL); /* a neighbour is unharmed */
	rig_pass(HOUR_MS + HOUR_MS / 2);
	for (int i = 0; i < 5; i++)
		assert_int_equal(RCPT(g, .peer = "192.0.2.1")->kind, AUTH_RCPT_LOCAL);
	close_guard(g);
}

/* A note's octets count too. */
static void test_octets(void **state)
{
	struct guard_settings s = { .address_octets = 10 * MIB, .account_octets_day = 5 * MIB };
	struct guard         *g = rig_new(&s);

	(void)state;
	rig_call(g, IPC_GUARD_NOTE, &(struct guard_note_request){ .peer = STR("192.0.2.1"), .octets = 9 * MIB, .messages = 1 });
	assert_int_equal(RCPT(g, .peer = "192.0.2.1")->kind, AUTH_RCPT_LOCAL);
	refused(RCPT(g, .peer = "192.0.2.1", .size = 2 * MIB), 450, "address_octets");
	rig_call(g, IPC_GUARD_NOTE, &(struct guard_note_request){ .peer = STR("192.0.2.9"), .account = 7, .octets = 6 * MIB, .messages = 1 });
	refused(RCPT(g, .peer = "192.0.2.9", .account = 7), 450, "account_octets_day");
	assert_int_equal(RCPT(g, .peer = "192.0.2.9", .account = 8)->kind, AUTH_RCPT_LOCAL);
	close_guard(g);
}

static void test_connections(void **state)
{
	struct guard_settings s = { .address_connections = 5 };
	struct guard         *g = rig_new(&s);

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(rig_connect(g, "192.0.2.1", GUARD_IMAP));
	assert_false(rig_connect(g, "192.0.2.1", GUARD_SMTP));
	assert_int_equal(rig_got.code, 421);
	assert_string_equal(rig_got.reason, "address_connections");
	assert_true(rig_connect(g, "192.0.2.2", GUARD_SMTP));
	for (int i = 0; i < 20; i++)
		assert_true(rig_connect(g, "127.0.0.1", GUARD_SMTP));
	close_guard(g);
}

/* An account that met its limit is told of once per window and limit, and stays in the list. */
static void test_alarm(void **state)
{
	struct guard_settings s = { .account_messages_hour = 1, .account_recipients_hour = 5 };
	struct guard         *g = rig_new(&s);
	struct guard_list_request q = { 0 };

	(void)state;
	for (int i = 0; i < 50; i++)
		RCPT(g, .peer = "192.0.2.1", .account = 7, .from = "me@demo.test", .kind = AUTH_RCPT_FOREIGN);
	rig_call(g, IPC_GUARD_LIST, &q);
	assert_int_equal(rig_got.list.alarm_count, 1);
	assert_int_equal(rig_got.list.alarms[0].account, 7);
	assert_str(rig_got.list.alarms[0].from, STR("me@demo.test"));
	assert_str(rig_got.list.alarms[0].reason, STR("account_messages_hour"));
	for (int i = 0; i < 10; i++)
		RCPT(g, .peer = "192.0.2.1", .account = 7, .more = true);
	rig_pass(3 * HOUR_MS);
	for (int i = 0; i < 10; i++)
		RCPT(g, .peer = "192.0.2.1", .account = 7);
	rig_call(g, IPC_GUARD_LIST, &q);
	assert_int_equal(rig_got.list.alarm_count, 3);
	close_guard(g);
}

/* ---- exemptions ---- */

static void test_exempt(void **state)
{
	static const struct {
		const char *peer, *trusted;
		bool        exempt, lab;
	} rows[] = {
		{ "192.0.2.1", "", true, false },
		{ "127.0.0.1", "", false, true },
		{ "::1", "", false, true },
		{ "127.0.0.1", "", false, false },
		{ "192.0.2.1", "192.0.2.0/24", false, false },
		{ "2001:db8::1", "192.0.2.0/24, 2001:db8::/32", false, false },
		{ "not an address", "", false, false },
		{ "", "", false, false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct guard_settings s = rig_settings;
		struct guard         *g;

		s.address_messages = s.network_messages = 1;
		s.greylist = true;
		s.greet_pause_s = 5;
		s.dnsbl = STR("bl.example");
		s.trusted = str_of(rows[i].trusted);
		g = rig_new(&s);
		close_guard(g);
		g = rig_open(&s, "", rows[i].lab);
		for (int n = 0; n < 200; n++) {
			assert_int_equal(RCPT(g, .peer = rows[i].peer, .exempt = rows[i].exempt)->kind, AUTH_RCPT_LOCAL);
			assert_int_equal(RCPT(g, .peer = rows[i].peer, .exempt = rows[i].exempt, .kind = AUTH_RCPT_UNKNOWN)->kind, AUTH_RCPT_UNKNOWN);
			guard_signin(g, str_of(rows[i].peer), STR("alice@demo.test"), false);
		}
		assert_int_equal(RCPT(g, .peer = rows[i].peer, .exempt = rows[i].exempt, .kind = AUTH_RCPT_UNKNOWN)->delay_ms, 0);
		rig_call(g, IPC_GUARD_CONNECT, &(struct guard_connect_request){ .peer = str_of(rows[i].peer), .exempt = rows[i].exempt });
		/* The first row's failed sign-ins were real ones: `exempt` is about one request. */
		assert_int_equal(rig_got.verdict, GUARD_ACCEPT);
		assert_int_equal(rig_got.pause_ms, 0);
		assert_int_equal(rig_dns.asked, 0);
		close_guard(g);
	}
}

/* ---- failures ---- */

static unsigned fail_until_banned(struct guard *g, const char *peer)
{
	unsigned n = 0;

	while (n < 10000 && RCPT(g, .peer = peer, .kind = AUTH_RCPT_UNKNOWN)->kind == AUTH_RCPT_UNKNOWN)
		n++;
	return n;
}

static void test_ban(void **state)
{
	struct guard_settings s = rig_settings;
	struct guard         *g;
	int64_t               hours = 1;

	(void)state;
	s.tarpit_failures = 0;
	g = rig_new(&s);
	assert_true(rig_connect(g, "192.0.2.1", GUARD_SMTP));
	assert_int_equal(fail_until_banned(g, "192.0.2.1"), 59);
	/* In the session, at the next one, on every port; the neighbour is unharmed. */
	refused(RCPT(g, .peer = "192.0.2.1"), 421, "banned");
	for (unsigned l = 0; l <= GUARD_LISTENER_LAST; l++) {
		assert_false(rig_connect(g, "192.0.2.1", (enum guard_listener)l));
		assert_int_equal(rig_got.code, 421);
		assert_string_equal(rig_got.reason, "banned");
		assert_non_null(strstr(rig_got.text, "UTC: 60 failures"));
	}
	assert_true(rig_connect(g, "192.0.2.2", GUARD_SMTP));
	assert_true(rig_why(g, "192.0.2.1", "banned: 192.0.2.1: banned until"));
	/* Each time twice as long, up to the maximum; no ban is remembered for longer than a month. */
	for (int i = 0; i < 12; i++) {
		rig_pass(hours * HOUR_MS - 1);
		assert_false(rig_connect(g, "192.0.2.1", GUARD_SMTP));
		rig_pass(1);
		(void)guard_tick(g);
		assert_true(rig_connect(g, "192.0.2.1", GUARD_SMTP));
		rig_pass(2 * HOUR_MS); /* the failures are forgotten */
		assert_int_equal(fail_until_banned(g, "192.0.2.1"), 59);
		hours = MIN(2 * hours, 7 * 24);
	}
	rig_pass(40 * DAY_MS);
	fail_until_banned(g, "192.0.2.1");
	rig_pass(HOUR_MS);
	assert_true(rig_connect(g, "192.0.2.1", GUARD_SMTP));
	close_guard(g);
}

/* IPv6 is banned by /64. */
static void test_ban_v6(void **state)
{
	struct guard *g = rig_new(&rig_settings);
	char          peer[64];
	int           n = 0;

	(void)state;
	do
		snprintf(peer, sizeof(peer), "2001:db8:0:1::%x", ++n);
	while (RCPT(g, .peer = peer, .kind = AUTH_RCPT_FOREIGN)->kind == AUTH_RCPT_FOREIGN);
	assert_int_equal(n, 60);
	assert_false(rig_connect(g, "2001:db8:0:1:ffff::1", GUARD_SMTP));
	assert_true(rig_connect(g, "2001:db8:0:2::1", GUARD_SMTP));
	close_guard(g);
}

/* Many banned addresses ban the network; somebody who signed in there is let in all the same. */
static void test_ban_network(void **state)
{
	struct guard *g = rig_new(&rig_settings);
	char          peer[64];

	(void)state;
	guard_signin(g, STR("192.0.2.200"), STR("alice@demo.test"), true);
	for (int i = 1; i <= 15; i++) {
		snprintf(peer, sizeof(peer), "192.0.2.%d", i);
		fail_until_banned(g, peer);
	}
	assert_true(rig_connect(g, "192.0.2.100", GUARD_SMTP));
	fail_until_banned(g, "192.0.2.16");
	assert_false(rig_connect(g, "192.0.2.100", GUARD_SMTP));
	assert_non_null(strstr(rig_got.text, "16 addresses of this network"));
	assert_true(rig_connect(g, "192.0.2.200", GUARD_IMAP));
	assert_true(rig_connect(g, "192.0.3.1", GUARD_SMTP));
	rig_call(g, IPC_GUARD_LIFT, &(struct guard_lift_request){ STR("192.0.2.0/24") });
	assert_int_equal(rig_got.lifted, 1);
	assert_true(rig_connect(g, "192.0.2.100", GUARD_SMTP));
	assert_false(rig_connect(g, "192.0.2.16", GUARD_SMTP));
	close_guard(g);
}

/* An address that signed in is never banned, for 30 days; and a sign-in ends a ban. */
static void test_signed_in(void **state)
{
	struct guard *g = rig_new(&rig_settings);

	(void)state;
	guard_signin(g, STR("192.0.2.1"), STR("alice@demo.test"), true);
	for (int i = 0; i < 1000; i++)
		guard_signin(g, STR("192.0.2.1"), STR("bob@demo.test"), false);
	assert_int_equal(RCPT(g, .peer = "192.0.2.1", .kind = AUTH_RCPT_UNKNOWN)->delay_ms, 0);
	assert_true(rig_connect(g, "192.0.2.1", GUARD_IMAP));
	assert_true(rig_why(g, "192.0.2.1", "exempt: from bans: somebody signed in there"));
	for (int i = 0; i < 1000; i++)
		guard_signin(g, STR("192.0.2.2"), STR("bob@demo.test"), false);
	assert_false(rig_connect(g, "192.0.2.2", GUARD_IMAP));
	guard_signin(g, STR("192.0.2.2"), STR("bob@demo.test"), true);
	assert_true(rig_connect(g, "192.0.2.2", GUARD_IMAP));
	rig_pass(31 * DAY_MS);
	for (int i = 0; i < 60; i++)
		guard_signin(g, STR("192.0.2.1"), STR("bob@demo.test"), false);
	assert_false(rig_connect(g, "192.0.2.1", GUARD_IMAP));
	close_guard(g);
}

static void test_notes(void **state)
{
	struct guard *g = rig_new(&rig_settings);

	(void)state;
	for (int i = 0; i < 12; i++) {
		assert_true(rig_connect(g, "192.0.2.1", GUARD_SMTP));
		rig_call(g, IPC_GUARD_NOTE, &(struct guard_note_request){ .peer = STR("192.0.2.1"), .early = true });
	}
	assert_false(rig_connect(g, "192.0.2.1", GUARD_SMTP));
	assert_non_null(strstr(rig_got.text, "early_talk"));
	rig_call(g, IPC_GUARD_NOTE, &(struct guard_note_request){ .peer = STR("192.0.2.3"), .errors = UINT32_MAX, .refused = UINT32_MAX });
	assert_false(rig_connect(g, "192.0.2.3", GUARD_SMTP));
	/* Of somebody who signed in, mistakes in the protocol are no reason. */
	rig_call(g, IPC_GUARD_NOTE, &(struct guard_note_request){ .peer = STR("192.0.2.4"), .account = 7, .errors = 1000, .refused = 1000 });
	assert_true(rig_connect(g, "192.0.2.4", GUARD_SMTP));
	rig_call(g, IPC_GUARD_NOTE, &(struct guard_note_request){ .peer = STR("192.0.2.5"), .errors = 1000, .exempt = true });
	assert_true(rig_connect(g, "192.0.2.5", GUARD_SMTP));
	close_guard(g);
}

/* Replies come later after some failures, but no more than so many at once. */
static void test_tarpit(void **state)
{
	struct guard_settings s = rig_settings;
	struct guard         *g;
	unsigned              held = 0;
	char                  peer[64];

	(void)state;
	s.ban_failures = 0;
	g = rig_new(&s);
	for (int i = 0; i < 9; i++)
		assert_int_equal(RCPT(g, .peer = "192.0.2.1", .kind = AUTH_RCPT_UNKNOWN)->delay_ms, 0);
	assert_int_equal(RCPT(g, .peer = "192.0.2.1", .kind = AUTH_RCPT_UNKNOWN)->delay_ms, 5000);
	assert_int_equal(RCPT(g, .peer = "192.0.2.1")->delay_ms, 5000);
	assert_int_equal(RCPT(g, .peer = "192.0.2.2")->delay_ms, 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(peer, sizeof(peer), "198.51.%d.%d", i / 100, i % 100);
		for (int n = 0; n < 10; n++)
			held += RCPT(g, .peer = peer, .kind = AUTH_RCPT_UNKNOWN)->delay_ms > 0;
	}
	assert_int_equal(held, LIMIT_GUARD_TARPITS - 2);
	rig_pass(5001);
	assert_int_equal(RCPT(g, .peer = "192.0.2.1", .kind = AUTH_RCPT_UNKNOWN)->delay_ms, 5000);
	close_guard(g);
}

/* A flood from a million addresses: memory stays, and so do the limits of the one that was there before. */
static void test_flood(void **state)
{
	struct guard *g = rig_new(&rig_settings);
	char          peer[64];

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		snprintf(peer, sizeof(peer), "%u.%u.%u.1", 1 + (i >> 16), i >> 8 & 255, i & 255);
		RCPT(g, .peer = peer, .kind = AUTH_RCPT_UNKNOWN);
		if (i % 1000 == 0)
			rig_pass(SECOND_MS);
	}
	assert_int_equal(RCPT(g, .peer = "192.0.2.1")->kind, AUTH_RCPT_LOCAL);
	close_guard(g);
}

/* Bans have a limit; then the one that ends first makes room. */
static void test_bans_bounded(void **state)
{
	struct guard *g = rig_new(&rig_settings);
	struct guard_list_request q = { 0 };
	size_t        total = 0;
	char          where[64];

	(void)state;
	for (unsigned i = 0; i < LIMIT_GUARD_BANS + 5; i++) {
		snprintf(where, sizeof(where), "10.%u.%u.1", i >> 8, i & 255);
		rig_call(g, IPC_GUARD_ADD, &(struct guard_add_request){ str_of(where), STR("x"), 1000 + i });
		assert_int_equal(rig_got.st, ST_OK);
	}
	do {
		rig_call(g, IPC_GUARD_LIST, &q);
		total += rig_got.list.ban_count;
		q.after = rig_got.list.bans[rig_got.list.ban_count - 1].place;
	} while (rig_got.list.more);
	assert_int_equal(total, LIMIT_GUARD_BANS);
	assert_true(rig_connect(g, "10.0.4.1", GUARD_SMTP));
	assert_false(rig_connect(g, "10.0.5.1", GUARD_SMTP));
	rig_call(g, IPC_GUARD_LIFT, &(struct guard_lift_request){ STR("") });
	assert_int_equal(rig_got.lifted, LIMIT_GUARD_BANS);
	close_guard(g);
}

static void test_admin(void **state)
{
	static const struct {
		struct guard_add_request q;
		enum status              st;
		const char              *exempt;
	} adds[] = {
		{ { STR("192.0.2.1"), STR("why not"), 86400 }, ST_OK, "" },
		{ { STR("2001:db8::/48"), STR(""), 1 }, ST_OK, "" },
		{ { STR("127.0.0.1"), STR("x"), 86400 }, ST_OK, "loopback" },
		{ { STR("192.0.2.66"), STR("x"), 86400 }, ST_OK, "signed_in" },
		{ { STR("198.51.100.1"), STR("x"), 86400 }, ST_OK, "trusted" },
		{ { STR("192.0.2.0/20"), STR("x"), 86400 }, ST_INVALID, "" },
		{ { STR("nobody"), STR("x"), 86400 }, ST_INVALID, "" },
		{ { STR("192.0.2.2"), STR("x"), 0 }, ST_INVALID, "" },
		{ { STR("192.0.2.2"), STR("x"), UINT64_MAX }, ST_INVALID, "" },
		{ { STR("192.0.2.2"), STR("x\r\ny"), 60 }, ST_INVALID, "" },
	};
	struct guard_settings s = rig_settings;
	struct guard         *g;

	(void)state;
	s.trusted = STR("198.51.100.0/24");
	g = rig_new(&s);
	guard_signin(g, STR("192.0.2.66"), STR("alice@demo.test"), true);
	for (size_t i = 0; i < LEN(adds); i++) {
		rig_got.exempt[0] = '\0';
		rig_call(g, IPC_GUARD_ADD, &adds[i].q);
		assert_int_equal(rig_got.st, adds[i].st);
		assert_string_equal(rig_got.exempt, adds[i].exempt);
	}
	assert_false(rig_connect(g, "192.0.2.1", GUARD_SMTP));
	assert_non_null(strstr(rig_got.text, "why not"));
	assert_false(rig_connect(g, "2001:db8:0:77::1", GUARD_SMTP));
	rig_call(g, IPC_GUARD_LIFT, &(struct guard_lift_request){ STR("192.0.2.9") });
	assert_int_equal(rig_got.st, ST_NOT_FOUND);
	rig_call(g, IPC_GUARD_LIFT, &(struct guard_lift_request){ STR("x") });
	assert_int_equal(rig_got.st, ST_INVALID);
	rig_call(g, IPC_GUARD_WHY, &(struct guard_why_request){ STR("x") });
	assert_int_equal(rig_got.st, ST_INVALID);
	/* After a lift the next failure does not ban again. */
	fail_until_banned(g, "192.0.2.5");
	rig_call(g, IPC_GUARD_LIFT, &(struct guard_lift_request){ STR("192.0.2.5") });
	assert_int_equal(fail_until_banned(g, "192.0.2.5"), 59);
	close_guard(g);
}

/* ---- greylist ---- */

static void test_greylist(void **state)
{
	struct guard_settings s = rig_settings;
	struct guard         *g;
	const struct auth_rcpt_reply *r;

	(void)state;
	s.greylist = true;
	g = rig_new(&s);
	r = RCPT(g, .peer = "192.0.2.1", .from = "bounce-1@list.example");
	refused(r, 451, "greylist");
	assert_str(r->text, STR("Greylisted, try again in 60 s"));
	rig_pass(20 * SECOND_MS);
	/* Too early; another address of the pool and another reverse-path are the same sender. */
	r = RCPT(g, .peer = "192.0.2.77", .from = "bounce-2@list.example", .to = "bob@demo.test");
	assert_str(r->text, STR("Greylisted, try again in 40 s"));
	refused(RCPT(g, .peer = "192.0.3.1", .from = "bounce-2@list.example"), 451, "greylist");
	refused(RCPT(g, .peer = "192.0.2.1", .from = "x@other.example"), 451, "greylist");
	assert_true(rig_why(g, "192.0.2.1", "greylist: on, 2 sender domains"));
	rig_pass(40 * SECOND_MS);
	assert_int_equal(RCPT(g, .peer = "192.0.2.2", .from = "bounce-3@list.example")->kind, AUTH_RCPT_LOCAL);
	/* From now on the network is good for all, until it has been silent for 35 days. */
	assert_true(rig_why(g, "192.0.2.1", "network is known-good until"));
	for (int i = 0; i < 3; i++) {
		rig_pass(34 * DAY_MS);
		assert_int_equal(RCPT(g, .peer = "192.0.2.200", .from = "y@third.example")->kind, AUTH_RCPT_LOCAL);
	}
	rig_pass(36 * DAY_MS);
	refused(RCPT(g, .peer = "192.0.2.1", .from = "y@third.example"), 451, "greylist");
	/* Who comes again after more than two days begins anew. */
	rig_pass(3 * DAY_MS);
	refused(RCPT(g, .peer = "192.0.2.1", .from = "y@third.example"), 451, "greylist");
	rig_pass(DAY_MS);
	assert_int_equal(RCPT(g, .peer = "192.0.2.1", .from = "y@third.example")->kind, AUTH_RCPT_LOCAL);
	close_guard(g);
}

static void test_greylist_passes(void **state)
{
	static const struct rig_row rows[] = { { "9.2.0.192.wl.example", "127.0.0.2" }, { NULL, NULL } };
	struct guard_settings       s = rig_settings;
	struct guard               *g;

	(void)state;
	s.greylist = true;
	s.dnsbl = STR("wl.example=-5");
	s.trusted = STR("203.0.113.0/24");
	g = rig_new(&s);
	rig_dns.rows = rows;
	/* A list of good hosts knows it; asked when it connected. */
	refused(RCPT(g, .peer = "192.0.2.9"), 451, "greylist");
	assert_true(rig_connect(g, "192.0.2.9", GUARD_SMTP));
	assert_int_equal(RCPT(g, .peer = "192.0.2.9")->kind, AUTH_RCPT_LOCAL);
	assert_int_equal(RCPT(g, .peer = "203.0.113.5")->kind, AUTH_RCPT_LOCAL);
	assert_int_equal(RCPT(g, .peer = "198.51.100.1", .account = 3)->kind, AUTH_RCPT_LOCAL);
	guard_signin(g, STR("198.51.100.2"), STR("alice@demo.test"), true);
	assert_int_equal(RCPT(g, .peer = "198.51.100.2")->kind, AUTH_RCPT_LOCAL);
	/* One of ours has written there. */
	refused(RCPT(g, .peer = "198.51.100.3", .from = "ann@friend.example"), 451, "greylist");
	RCPT(g, .peer = "192.0.2.50", .account = 3, .from = "alice@demo.test", .to = "ann@friend.example", .kind = AUTH_RCPT_FOREIGN);
	assert_int_equal(RCPT(g, .peer = "198.51.100.3", .from = "ann@friend.example")->kind, AUTH_RCPT_LOCAL);
	/* The null reverse-path goes by the recipient's domain. */
	refused(RCPT(g, .peer = "198.51.100.3", .from = ""), 451, "greylist");
	refused(RCPT(g, .peer = "198.51.100.3", .from = "", .to = "x@demo2.test"), 451, "greylist");
	rig_pass(MINUTE_MS);
	assert_int_equal(RCPT(g, .peer = "198.51.100.3", .from = "", .to = "z@demo.test")->kind, AUTH_RCPT_LOCAL);
	/* Nobody waits who would be refused anyway, and the clock may jump. */
	assert_int_equal(RCPT(g, .peer = "198.51.101.1", .kind = AUTH_RCPT_CLOSED)->kind, AUTH_RCPT_CLOSED);
	refused(RCPT(g, .peer = "198.51.101.1"), 451, "greylist");
	rig_wall_ms -= 10 * DAY_MS;
	refused(RCPT(g, .peer = "198.51.101.1"), 451, "greylist");
	rig_pass(MINUTE_MS);
	assert_int_equal(RCPT(g, .peer = "198.51.101.1")->kind, AUTH_RCPT_LOCAL);
	close_guard(g);
}

/* ---- lists in DNS ---- */

static const struct rig_row zone[] = {
	{ "1.2.0.192.bl.example", "127.0.0.2" },
	{ "2.2.0.192.bl.example", "127.0.0.2" },
	{ "2.2.0.192.wl.example", "127.0.0.2" },
	{ "3.2.0.192.two.example", "127.0.0.4" },
	{ "4.2.0.192.bl.example", "!" },
	{ "5.2.0.192.bl.example", "?" },
	{ "6.2.0.192.bl.example", "198.51.100.1" },
	{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example", "127.0.0.2" },
	{ NULL, NULL },
};

static void test_lists(void **state)
{
	static const struct {
		const char         *peer;
		enum guard_listener listener;
		bool                accepted;
	} rows[] = {
		{ "192.0.2.1", GUARD_SMTP, false },       { "192.0.2.1", GUARD_SUBMISSION, true }, { "192.0.2.1", GUARD_IMAP, true },
		{ "192.0.2.2", GUARD_SMTP, true }, /* good weighs more */
		{ "192.0.2.3", GUARD_SMTP, true }, /* 2 of 3 */
		{ "192.0.2.4", GUARD_SMTP, true },        { "192.0.2.5", GUARD_SMTP, true },       { "192.0.2.6", GUARD_SMTP, true },
		{ "192.0.2.7", GUARD_SMTP, true },        { "2001:db8::1", GUARD_SMTP, false },    { "2001:db8::2", GUARD_SMTP, true },
		{ "127.0.0.1", GUARD_SMTP, true },
	};
	struct guard_settings s = rig_settings;
	struct guard         *g;

	(void)state;
	s.dnsbl = STR("bl.example=3, two.example=127.0.0.[3-4]*2, wl.example=-5, two.example=127.0.0.9*50");
	s.dnsbl_threshold = 3;
	g = rig_new(&s);
	rig_dns.rows = zone;
	for (size_t i = 0; i < LEN(rows); i++) {
		if (rig_connect(g, rows[i].peer, rows[i].listener) != rows[i].accepted)
			fail_msg("%s", rows[i].peer);
		if (!rows[i].accepted) {
			assert_int_equal(rig_got.code, 554);
			assert_string_equal(rig_got.reason, "dnsbl");
			assert_non_null(strstr(rig_got.text, "is listed by bl.example (score 3)"));
		}
	}
	assert_true(rig_why(g, "192.0.2.2", "list: bl.example: listed (weight 3)"));
	assert_true(rig_why(g, "192.0.2.2", "score: -2 of 3"));
	close_guard(g);
}

/* Answers are kept, the negative too, within bounds; each name is asked once. */
static void test_lists_kept(void **state)
{
	static const struct {
		const char *peer;
		uint32_t    ttl_s;
		int64_t     kept_s;
	} rows[] = {
		{ "192.0.2.1", 300, 300 }, { "192.0.2.7", 300, 300 }, { "192.0.2.7", 0, 60 }, { "192.0.2.1", UINT32_MAX, 3600 }, { "192.0.2.4", 900, 30 },
	};
	struct guard_settings s = rig_settings;

	(void)state;
	s.dnsbl = STR("bl.example, bl.example=127.0.0.9*2");
	for (size_t i = 0; i < LEN(rows); i++) {
		struct guard *g = rig_new(&s);

		rig_dns.rows = zone;
		rig_dns.ttl_s = rows[i].ttl_s;
		rig_connect(g, rows[i].peer, GUARD_SMTP);
		assert_int_equal(rig_dns.asked, 1);
		rig_pass(rows[i].kept_s * SECOND_MS - 1);
		rig_connect(g, rows[i].peer, GUARD_SMTP);
		assert_int_equal(rig_dns.asked, 1);
		rig_pass(1);
		rig_connect(g, rows[i].peer, GUARD_SMTP);
		assert_int_equal(rig_dns.asked, 2);
		close_guard(g);
	}
}

/* Nobody waits for a list that does not answer for longer than the deadline; its answer still counts for the next. */
static void test_lists_late(void **state)
{
	struct guard_settings        s = rig_settings;
	struct guard_connect_request q = { .peer = STR("192.0.2.1"), .listener = GUARD_SMTP };
	struct rig_ask               a = { 0 }, b = { 0 };
	struct guard                *g;

	(void)state;
	s.dnsbl = STR("bl.example, two.example");
	g = rig_new(&s);
	rig_dns.rows = zone;
	rig_dns.hold = true;
	rig_ask(g, &a, IPC_GUARD_CONNECT, &q);
	assert_int_equal(rig_got.count, 0);
	assert_int_equal(rig_dns.held, 2);
	rig_pass(LIMIT_GUARD_DNS_MS - 1);
	assert_int_equal(guard_tick(g), 1);
	assert_int_equal(rig_got.count, 0);
	rig_dns_answer(1); /* two.example: not listed */
	assert_int_equal(rig_got.count, 0);
	rig_pass(1);
	guard_tick(g);
	assert_int_equal(rig_got.count, 1);
	assert_int_equal(rig_got.verdict, GUARD_ACCEPT);
	rig_dns_answer(0); /* too late for the first */
	assert_int_equal(rig_got.count, 1);
	rig_ask(g, &b, IPC_GUARD_CONNECT, &q);
	assert_int_equal(rig_got.count, 1);
	assert_int_equal(rig_got.verdict, GUARD_REFUSE);
	rig_ask_done(&a);
	rig_ask_done(&b);
	/* The guard goes while questions are open: who waits is let in, late answers find nobody. */
	rig_ask(g, &a, IPC_GUARD_CONNECT, &(struct guard_connect_request){ .peer = STR("192.0.2.7"), .listener = GUARD_SMTP });
	assert_int_equal(rig_got.count, 0);
	close_guard(g);
	assert_int_equal(rig_got.count, 1);
	assert_int_equal(rig_got.verdict, GUARD_ACCEPT);
	rig_dns_answer(2);
	rig_dns_answer(3);
	rig_ask_done(&a);
}

/* Many wait: in any order of answers each gets one; over the limit nobody waits. */
static void test_lists_many(void **state)
{
	static struct rig_ask asks[40];
	struct guard_settings s = rig_settings;
	struct guard         *g;
	char                  peers[40][32];

	(void)state;
	s.dnsbl = STR("bl.example");
	g = rig_new(&s);
	rig_dns.hold = true;
	for (int i = 0; i < 40; i++) {
		snprintf(peers[i], sizeof(peers[i]), "192.0.%d.1", 10 + i);
		asks[i].connect = (struct guard_connect_request){ .peer = str_of(peers[i]), .listener = GUARD_SMTP };
		rig_ask(g, &asks[i], IPC_GUARD_CONNECT, &asks[i].connect);
		assert_int_equal(rig_got.count, 0);
	}
	rig_got.count = 0;
	for (unsigned i = 0; i < 40; i++)
		if (i % 3 != 0)
			rig_dns_answer(i);
	assert_int_equal(rig_got.count, 26);
	rig_pass(LIMIT_GUARD_DNS_MS);
	guard_tick(g);
	assert_int_equal(rig_got.count, 40);
	for (unsigned i = 0; i < 40; i += 3)
		rig_dns_answer(i);
	assert_int_equal(rig_got.count, 40);
	for (int i = 0; i < 40; i++)
		rig_ask_done(&asks[i]);
	close_guard(g);
}

static void test_pause(void **state)
{
	struct guard_settings s = rig_settings;
	struct guard         *g;

	(void)state;
	s.greet_pause_s = 4;
	g = rig_new(&s);
	assert_true(rig_connect(g, "192.0.2.1", GUARD_SMTP));
	assert_int_equal(rig_got.pause_ms, 4000);
	assert_true(rig_connect(g, "192.0.2.1", GUARD_SUBMISSION));
	assert_int_equal(rig_got.pause_ms, 0);
	rig_call(g, IPC_GUARD_NOTE, &(struct guard_note_request){ .peer = STR("192.0.2.1"), .messages = 1, .octets = 5 });
	assert_true(rig_connect(g, "192.0.2.2", GUARD_SMTP)); /* its network had a message accepted */
	assert_int_equal(rig_got.pause_ms, 0);
	guard_set(g, &rig_settings);
	assert_true(rig_connect(g, "198.51.100.1", GUARD_SMTP));
	assert_int_equal(rig_got.pause_ms, 0);
	close_guard(g);
}

/* ---- over a restart ---- */

static char folder[] = "/tmp/postrider-guard.XXXXXX";

static int setup(void **state)
{
	int fd;

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	db_init();
	return db_root("auth", fd) == ST_OK ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static void test_restart(void **state)
{
	struct guard_settings s = rig_settings;
	struct guard         *g;

	(void)state;
	close_guard(rig_new(&s));
	s.greylist = true;
	g = rig_open(&s, "auth/guard.db", false);
	refused(RCPT(g, .peer = "198.51.100.1", .from = "a@good.example"), 451, "greylist");
	rig_pass(MINUTE_MS);
	assert_int_equal(RCPT(g, .peer = "198.51.100.1", .from = "a@good.example")->kind, AUTH_RCPT_LOCAL);
	refused(RCPT(g, .peer = "203.0.113.1", .from = "b@new.example"), 451, "greylist");
	RCPT(g, .peer = "192.0.2.50", .account = 3, .to = "ann@friend.example", .kind = AUTH_RCPT_FOREIGN);
	guard_signin(g, STR("192.0.2.66"), STR("alice@demo.test"), true);
	fail_until_banned(g, "192.0.2.1");
	rig_call(g, IPC_GUARD_ADD, &(struct guard_add_request){ STR("2001:db8:5::/48"), STR("a 'quoted' reason"), 86400 });
	/* Half a minute later all of it is written, whatever happens to the process. */
	rig_pass(30 * SECOND_MS);
	guard_tick(g);
	guard_signin(g, STR("192.0.2.67"), STR("alice@demo.test"), true);
	close_guard(g);
	g = rig_open(&s, "auth/guard.db", false);
	assert_false(rig_connect(g, "192.0.2.1", GUARD_SMTP));
	assert_false(rig_connect(g, "2001:db8:5:9::1", GUARD_SMTP));
	assert_non_null(strstr(rig_got.text, "a 'quoted' reason"));
	assert_int_equal(RCPT(g, .peer = "198.51.100.99", .from = "a@good.example")->kind, AUTH_RCPT_LOCAL);
	assert_int_equal(RCPT(g, .peer = "203.0.114.1", .from = "ann@friend.example")->kind, AUTH_RCPT_LOCAL);
	rig_pass(30 * SECOND_MS);
	assert_int_equal(RCPT(g, .peer = "203.0.113.1", .from = "b@new.example")->kind, AUTH_RCPT_LOCAL);
	for (int i = 0; i < 200; i++) {
		guard_signin(g, STR("192.0.2.66"), STR("bob@demo.test"), false);
		guard_signin(g, STR("192.0.2.67"), STR("bob@demo.test"), false);
	}
	assert_true(rig_connect(g, "192.0.2.66", GUARD_SMTP));
	assert_true(rig_connect(g, "192.0.2.67", GUARD_SMTP));
	rig_call(g, IPC_GUARD_LIFT, &(struct guard_lift_request){ STR("") });
	assert_int_equal(rig_got.lifted, 2);
	close_guard(g);
	g = rig_open(&s, "auth/guard.db", false);
	assert_true(rig_connect(g, "192.0.2.1", GUARD_SMTP));
	close_guard(g);
}

static void test_settings(void **state)
{
	static const struct {
		const char *dnsbl, *trusted;
		uint32_t    first, max;
		const char *why; /* NULL: right */
	} rows[] = {
		{ "", "", 1, 1, NULL },
		{ "a.b=2", "192.0.2.0/24", 1, 2, NULL },
		{ "a.b=2, c=x", "", 1, 2, "guard.dnsbl: \"c=x\"" },
		{ "", "nobody", 1, 2, "smtp.trusted" },
		{ "", "", 3, 2, "ban_first is longer" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct guard_settings s = { .dnsbl = str_of(rows[i].dnsbl), .trusted = str_of(rows[i].trusted), .ban_first_s = rows[i].first, .ban_max_s = rows[i].max };
		struct buf            b;

		buf_init(&b, KIB);
		assert_int_equal(guard_settings_check(&s, &b), rows[i].why == NULL);
		assert_true(rows[i].why == NULL || str_search(buf_str(&b), str_of(rows[i].why)) >= 0);
		buf_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_refused_is_not_counted),
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_alarm),
		cmocka_unit_test(test_exempt),
		cmocka_unit_test(test_ban),
		cmocka_unit_test(test_ban_v6),
		cmocka_unit_test(test_ban_network),
		cmocka_unit_test(test_signed_in),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_tarpit),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_bans_bounded),
		cmocka_unit_test(test_admin),
		cmocka_unit_test(test_greylist),
		cmocka_unit_test(test_greylist_passes),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_lists_kept),
		cmocka_unit_test(test_lists_late),
		cmocka_unit_test(test_lists_many),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
