/* smtp/smtp_guard.c: the question before the greeting, the pause, what auth is told; every order in which things can happen. */
#include "unit.h"

#include "smtp_rig.h"

static struct {
	unsigned                   asked, notes;
	struct guard_connect_reply reply;
	enum status                st;
	bool                       hold;
	smtp_connect_fn           *done;
	void                      *arg;
	enum guard_listener        listener;
	struct guard_note_request  sum; /* of all notes */
} door;

static void answer(void)
{
	door.done(door.arg, door.st, door.st == ST_OK ? &door.reply : NULL);
	door.done = NULL;
}

static void ask_connect(void *ctx, const struct guard_connect_request *request, smtp_connect_fn *done, void *arg)
{
	(void)ctx;
	door.asked++;
	door.done = done;
	door.arg = arg;
	door.listener = request->listener;
	assert_str(request->peer, STR("192.0.2.7"));
	assert_str(request->session, STR("s1"));
	if (!door.hold)
		answer();
}

static void ask_note(void *ctx, const struct guard_note_request *n)
{
	(void)ctx;
	door.notes++;
	door.sum.octets += n->octets;
	door.sum.messages += n->messages;
	door.sum.refused += n->refused;
	door.sum.errors += n->errors;
	door.sum.early |= n->early;
	door.sum.account = n->account;
}

static struct smtp_ask ask;

static void begin(struct rig *r, enum smtp_kind kind)
{
	memset(&door, 0, sizeof(door));
	ask = fake_ask;
	ask.connect = ask_connect;
	ask.note = ask_note;
	rig_init(r, kind);
	r->env.ask = &ask;
}

static bool said(struct rig *r, const char *start)
{
	return str_starts(buf_str(&r->conn.out), str_of(start));
}

static void test_accepted(void **state)
{
	struct rig r;

	(void)state;
	for (unsigned kind = 0; kind <= SMTP_KIND_SUBMISSION; kind++) {
		begin(&r, (enum smtp_kind)kind);
		rig_start(&r);
		assert_true(said(&r, "220 "));
		assert_int_equal(door.asked, 1);
		assert_int_equal(door.listener, kind == SMTP_KIND_SUBMISSION ? GUARD_SUBMISSION : GUARD_SMTP);
		fake_event(&r.conn, NET_EV_WAKE); /* the echo of the answer */
		assert_int_equal(talk(&r, HELLO), 250);
		rig_done(&r);
		assert_int_equal(door.notes, 0);
	}
	for (unsigned kind = SMTP_KIND_LMTP; kind <= SMTP_KIND_REINJECT; kind++) {
		begin(&r, (enum smtp_kind)kind);
		rig_start(&r);
		assert_int_equal(door.asked, 1);
		assert_int_equal(door.listener, GUARD_LMTP);
		rig_done(&r);
	}
}

static void test_refused(void **state)
{
	static const struct {
		uint32_t    code;
		const char *line;
	} rows[] = { { 421, "421 4.7.0 Your address is banned\r\n" }, { 554, "554 4.7.0 Your address is banned\r\n" }, { 250, "421 4.7.0 Your address is banned\r\n" } };
	struct rig r;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++)
		for (int later = 0; later < 2; later++) {
			begin(&r, SMTP_KIND_RELAY);
			door.reply = (struct guard_connect_reply){ .verdict = GUARD_REFUSE, .code = rows[i].code, .enhanced = STR("4.7.0"),
								   .text = STR("Your address is banned"), .reason = STR("banned") };
			door.hold = later;
			rig_start(&r);
			if (later) {
				assert_int_equal(r.conn.out.n, 0);
				answer();
				fake_event(&r.conn, NET_EV_WAKE);
			}
			assert_str(buf_str(&r.conn.out), str_of(rows[i].line));
			assert_true(r.conn.closed);
			rig_done(&r);
			assert_int_equal(door.notes, 0); /* being refused is no failure */
		}
}

/* Who cannot be asked about is let in. */
static void test_unanswered(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, SMTP_KIND_RELAY);
	door.st = ST_TEMP;
	rig_start(&r);
	assert_true(said(&r, "220 "));
	rig_done(&r);
}

static void test_answer_later(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, SMTP_KIND_RELAY);
	door.hold = true;
	rig_start(&r);
	assert_int_equal(r.conn.want.kind, NET_WANT_WAKE);
	assert_int_equal(r.conn.want.timeout_ms, 0);
	fake_event(&r.conn, NET_EV_WAKE); /* of something else */
	assert_int_equal(r.conn.out.n, 0);
	answer();
	fake_event(&r.conn, NET_EV_WAKE);
	assert_true(said(&r, "220 "));
	assert_int_equal(talk(&r, HELLO), 250);
	rig_done(&r);
}

/* The session ends, or the process, while the answer is on its way. */
static void test_gone_meanwhile(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, SMTP_KIND_RELAY);
	door.hold = true;
	rig_start(&r);
	rig_done(&r);
	answer();
	begin(&r, SMTP_KIND_RELAY);
	door.hold = true;
	rig_start(&r);
	fake_event(&r.conn, NET_EV_DRAIN);
	assert_true(said(&r, "421 "));
	assert_true(r.conn.closed);
	rig_done(&r);
	answer();
}

static void test_pause(void **state)
{
	struct rig r;

	(void)state;
	for (int early = 0; early < 2; early++) {
		begin(&r, SMTP_KIND_RELAY);
		door.reply.pause_ms = 4000;
		rig_start(&r);
		assert_int_equal(r.conn.want.kind, NET_WANT_WAKE);
		assert_in_range(r.conn.want.timeout_ms, 1, 4000);
		fake_event(&r.conn, NET_EV_WAKE);
		assert_int_equal(r.conn.out.n, 0);
		if (early)
			fake_feed(&r.conn, STR(HELLO));
		assert_int_equal(r.conn.out.n, 0);
		fake_event(&r.conn, NET_EV_TIMEOUT);
		assert_true(said(&r, early ? "554 5.5.0 " : "220 "));
		assert_int_equal(r.conn.closed, early);
		rig_done(&r);
		assert_int_equal(door.sum.early, early);
		assert_int_equal(door.sum.errors, 0);
		assert_int_equal(door.notes, early);
	}
}

/* One note at the end tells all; more only when there is much to tell. */
static void test_notes(void **state)
{
	struct rig r;

	(void)state;
	begin(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	rig_to_data(&r);
	assert_int_equal(talk(&r, MESSAGE), 250);
	assert_int_equal(talk(&r, "NONSENSE\r\n"), 500);
	assert_int_equal(talk(&r, "MAIL\r\n"), 501);
	assert_int_equal(talk(&r, FROM), 250);
	assert_int_equal(talk(&r, "RCPT TO:<nobody@demo.test>\r\n"), 550); /* auth knows that itself */
	assert_int_equal(door.notes, 0);
	rig_done(&r);
	assert_int_equal(door.notes, 1);
	assert_int_equal(door.sum.messages, 1);
	assert_int_equal(door.sum.errors, 2);
	assert_true(door.sum.octets > 20);

	begin(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	assert_int_equal(talk(&r, HELLO), 250);
	for (int i = 0; i < 15; i++)
		assert_int_equal(talk(&r, "NONSENSE\r\n"), 500);
	assert_int_equal(door.notes, 1);
	assert_int_equal(door.sum.errors, 10);
	rig_done(&r);
	assert_int_equal(door.notes, 2);
	assert_int_equal(door.sum.errors, 15);

	/* A wrong password is told by auth to itself. */
	begin(&r, SMTP_KIND_SUBMISSION);
	rig_start(&r);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, "AUTH PLAIN AGFsaWNlQGRlbW8udGVzdAB3cm9uZw==\r\n"), 535);
	assert_int_equal(talk(&r, FROM), 530);
	rig_done(&r);
	assert_int_equal(door.notes, 0);
}

/* RCPT is refused in auth's words; 421 ends the session. */
static struct auth_rcpt_reply word;

static enum status ask_rcpt(void *ctx, const struct auth_rcpt_request *q, struct arena *a, struct auth_rcpt_reply *ret)
{
	(void)ctx, (void)a;
	assert_str(q->from, STR("x@far.example"));
	*ret = word;
	return ST_OK;
}

static void test_rcpt(void **state)
{
	static const struct {
		struct auth_rcpt_reply word;
		const char            *line;
		bool                   closed;
	} rows[] = {
		{ { .kind = AUTH_RCPT_LATER, .code = 451, .enhanced = STR("4.7.1"), .text = STR("Greylisted, try again in 60 s"), .reason = STR("greylist") },
		  "451 4.7.1 Greylisted, try again in 60 s\r\n", false },
		{ { .kind = AUTH_RCPT_LATER, .code = 450, .enhanced = STR("4.7.1"), .text = STR("The limit"), .reason = STR("x") }, "450 4.7.1 The limit\r\n", false },
		{ { .kind = AUTH_RCPT_LATER, .code = 421, .enhanced = STR("4.7.0"), .text = STR("Banned"), .reason = STR("banned") }, "421 4.7.0 Banned\r\n", true },
		{ { .kind = AUTH_RCPT_LATER }, "451 4.3.0 Recipient cannot be checked now, try again later\r\n", false },
		{ { .kind = AUTH_RCPT_LATER, .code = 250, .text = STR("x") }, "451 4.3.0 Recipient cannot be checked now, try again later\r\n", false },
	};
	struct rig r;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		begin(&r, SMTP_KIND_RELAY);
		ask.rcpt = ask_rcpt;
		word = rows[i].word;
		rig_start(&r);
		assert_int_equal(talk(&r, HELLO), 250);
		assert_int_equal(talk(&r, FROM), 250);
		talk(&r, TO);
		assert_str(buf_str(&r.conn.out), str_of(rows[i].line));
		assert_int_equal(r.conn.closed, rows[i].closed);
		if (!rows[i].closed)
			assert_int_equal(talk(&r, "DATA\r\n"), 503);
		rig_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),      cmocka_unit_test(test_refused),       cmocka_unit_test(test_unanswered),
		cmocka_unit_test(test_answer_later),  cmocka_unit_test(test_gone_meanwhile), cmocka_unit_test(test_pause),
		cmocka_unit_test(test_notes),         cmocka_unit_test(test_rcpt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
