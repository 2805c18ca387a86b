/* src/pop3 over a fake net and a real store: what goes wrong below and around a session. */
#include "pop3_rig.h"
#include "unit.h"

#include <errno.h>

#include "sys/fault.h"

#define assert_ok(got) assert_string_equal(status_name(got), status_name(ST_OK))

static void start(struct pop3_rig *r, unsigned messages)
{
	pop3_rig_open(r);
	for (unsigned i = 0; i < messages; i++)
		pop3_rig_add(r, STR("Subject: x\r\n\r\ntext\r\n"));
	pop3_rig_begin(r);
	pop3_rig_say(r, POP3_SIGN_IN);
}

static void done(struct pop3_rig *r)
{
	pop3_rig_end(r);
	pop3_rig_close(r);
}

static void expunge(struct pop3_rig *r, uint32_t uid)
{
	struct store_account *a = NULL;
	struct store_mailbox  box;
	struct store_expunged gone;

	assert_ok(store_open(r->store, 1, &a));
	assert_ok(store_mailbox_find(a, STR("INBOX"), r->arena, &box));
	assert_ok(store_expunge(a, box.id, (struct store_set){ &(const struct store_range){ uid, uid }, 1 }, false, r->arena, &gone));
	store_close(&a);
}

/* What another session expunged is readable while the store keeps it, then it is -ERR; the others go on. */
static void test_gone(void **state)
{
	struct pop3_rig       r;
	struct store_options  options = { .watermark_octets = 1, .watermark_percent = 1, .retention_ms = 1 };
	struct store_account *a = NULL;
	struct store         *other; /* which keeps what was expunged for a millisecond only */

	(void)state;
	start(&r, 2);
	expunge(&r, 1);
	assert_str(pop3_rig_say(&r, "RETR 1\r\n"), STR("+OK 20 octets\r\nSubject: x\r\n\r\ntext\r\n.\r\n"));
	assert_int_equal(r.changes, 0); /* it cannot be \Seen any more */
	assert_ok(store_new(r.fd, &options, &other));
	usleep(5000);
	assert_ok(store_open(other, 1, &a));
	assert_ok(store_clean(a));
	store_close(&a);
	store_free(&other);
	assert_str(pop3_rig_say(&r, "RETR 1\r\n"), STR("-ERR The message is gone: somebody else removed it\r\n"));
	assert_str(pop3_rig_say(&r, "TOP 1 0\r\n"), STR("-ERR The message is gone: somebody else removed it\r\n"));
	assert_str(pop3_rig_say(&r, "LIST 1\r\n"), STR("+OK 1 20\r\n"));
	assert_true(str_starts(pop3_rig_say(&r, "RETR 2\r\n"), STR("+OK 20")));
	assert_int_equal(r.changes, 1);
	assert_str(pop3_rig_say(&r, "DELE 1\r\nDELE 2\r\nQUIT\r\n"),
		   STR("+OK Message 1 will be removed at QUIT\r\n+OK Message 2 will be removed at QUIT\r\n+OK Good bye\r\n"));
	assert_int_equal(pop3_rig_count(&r), 0);
	done(&r);
}

/* Stored octets that no line has: NUL is sent as it is; lone CR and LF are line ends; dots are doubled behind each. */
static void test_octets(void **state)
{
	static const struct {
		struct str stored, sent, top; /* TOP n 1 */
	} cases[] = {
		{ STR("A: b\r\n\r\n\0.\r\n.\0\r\n"), STR("+OK 16 octets\r\nA: b\r\n\r\n\0.\r\n..\0\r\n.\r\n"),
		  STR("A: b\r\n\r\n\0.\r\n.\r\n") },
		{ STR("A: b\n\n.\n"), STR("+OK 11 octets\r\nA: b\r\n\r\n..\r\n.\r\n"), STR("A: b\r\n\r\n..\r\n.\r\n") },
		{ STR("A: b\r\r.\r+OK"), STR("+OK 16 octets\r\nA: b\r\n\r\n..\r\n+OK\r\n.\r\n"), STR("A: b\r\n\r\n..\r\n.\r\n") },
		{ STR("A: b"), STR("+OK 6 octets\r\nA: b\r\n.\r\n"), STR("A: b\r\n.\r\n") },
		{ STR("."), STR("+OK 3 octets\r\n..\r\n.\r\n"), STR("..\r\n.\r\n") },
		{ STR("\r"), STR("+OK 2 octets\r\n\r\n.\r\n"), STR("\r\n.\r\n") },
		{ STR("\0"), STR("+OK 3 octets\r\n\0\r\n.\r\n"), STR("\0\r\n.\r\n") },
		{ STR("\r\n\r\n\r\n"), STR("+OK 6 octets\r\n\r\n\r\n\r\n.\r\n"), STR("\r\n\r\n.\r\n") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct pop3_rig r;
		struct str      top;

		pop3_rig_open(&r);
		pop3_rig_add(&r, cases[i].stored);
		pop3_rig_begin(&r);
		pop3_rig_say(&r, POP3_SIGN_IN);
		assert_str(pop3_rig_say(&r, "RETR 1\r\n"), cases[i].sent);
		top = pop3_rig_say(&r, "TOP 1 1\r\n");
		assert_true(str_skip(&top, STR("+OK The beginning\r\n")));
		assert_str(top, cases[i].top);
		done(&r);
	}
}

/* No space: mail can be read, and what is removed makes room. */
static void test_full(void **state)
{
	const struct store_options full = { .watermark_octets = UINT64_MAX };
	struct pop3_rig            r;

	(void)state;
	pop3_rig_open(&r);
	for (unsigned i = 0; i < 3; i++)
		pop3_rig_add(&r, STR("Subject: x\r\n\r\ntext\r\n"));
	store_free(&r.store);
	assert_ok(store_new(r.fd, &full, &r.store));
	r.env.store = r.store;
	pop3_rig_begin(&r);
	pop3_rig_say(&r, POP3_SIGN_IN);
	assert_true(str_starts(pop3_rig_say(&r, "RETR 2\r\n"), STR("+OK 20 octets")));
	pop3_rig_say(&r, "DELE 1\r\n");
	assert_str(pop3_rig_say(&r, "QUIT\r\n"), STR("+OK Good bye\r\n"));
	assert_int_equal(pop3_rig_count(&r), 2);
	assert_true(r.conn.closed);
	done(&r);
}

#ifdef POSTRIDER_FAULTS
/* The removal does not reach the disk: QUIT is -ERR, the connection ends, and the mail is there. */
static void test_suspect(void **state)
{
	struct pop3_rig r;

	(void)state;
	start(&r, 2);
	pop3_rig_say(&r, "DELE 1\r\nDELE 2\r\n");
	fault_set("db.sync", "/mail.db", 1, true, EIO);
	assert_str(pop3_rig_say(&r, "QUIT\r\n"), STR("-ERR [SYS/TEMP] The account is under repair\r\n"));
	fault_clear();
	assert_true(r.conn.closed);
	assert_int_equal(r.changes, 0);
	assert_ok(store_repair(r.store, 1));
	assert_int_equal(pop3_rig_count(&r), 2);
	done(&r);
}
#endif

static void test_memory(void **state)
{
	struct pop3_rig r;

	(void)state;
	pop3_rig_open(&r);
	for (unsigned i = 0; i < 20; i++)
		pop3_rig_add(&r, STR("A: b\r\n\r\n"));
	/* No room for the list: no sign-in, for now. */
	fake_init(&r.conn);
	r.conn.memory_limit = 700;
	fake_start(&r.conn, &pop3_proto, &r.env);
	assert_str(pop3_rig_say(&r, POP3_SIGN_IN),
		   STR("+OK Now the password\r\n-ERR [SYS/TEMP] The server is full, try again later\r\n"));
	assert_true(r.conn.closed);
	fake_done(&r.conn);
	/* Room for it, but not for what a command needs: small answers go on. */
	fake_init(&r.conn);
	r.conn.memory_limit = 20000;
	fake_start(&r.conn, &pop3_proto, &r.env);
	assert_true(str_iends(pop3_rig_say(&r, POP3_SIGN_IN), STR("+OK 20 messages\r\n")));
	assert_str(pop3_rig_say(&r, "RETR 1\r\n"), STR("-ERR [SYS/TEMP] The server is full, try again later\r\n"));
	assert_str(pop3_rig_say(&r, "NOOP\r\n"), STR("+OK Done\r\n"));
	assert_str(pop3_rig_say(&r, "DELE 1\r\n"), STR("+OK Message 1 will be removed at QUIT\r\n"));
	r.conn.memory_limit = 0;
	assert_true(str_starts(pop3_rig_say(&r, "RETR 2\r\n"), STR("+OK 8 octets")));
	done(&r);
}

/* Whatever ends the session but QUIT: nothing is removed. */
static void test_ends(void **state)
{
	static const struct {
		enum net_ev_kind kind;
		struct str       said;
	} cases[] = {
		{ NET_EV_TIMEOUT, STR("") },
		{ NET_EV_DRAIN, STR("-ERR [SYS/TEMP] The server restarts, connect again\r\n") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct pop3_rig r;

		start(&r, 2);
		pop3_rig_say(&r, "DELE 1\r\nDELE 2\r\n");
		buf_clear(&r.conn.out);
		fake_event(&r.conn, cases[i].kind);
		assert_str(buf_str(&r.conn.out), cases[i].said);
		assert_true(r.conn.closed);
		assert_int_equal(pop3_rig_count(&r), 2);
		done(&r);
	}
}

/* What the session waits for: RFC 1939 §3 gives who has signed in ten minutes. */
static void test_waits(void **state)
{
	struct pop3_rig r;

	(void)state;
	pop3_rig_open(&r);
	pop3_rig_begin(&r);
	assert_true(r.conn.want.timeout_ms <= r.set.preauth_ms && r.conn.want.unit_ms <= r.set.signin_ms);
	assert_int_equal(r.conn.want.n, LIMIT_SASL_LINE);
	pop3_rig_say(&r, POP3_SIGN_IN);
	assert_true(r.conn.want.timeout_ms >= 10 * 60 * 1000);
	assert_int_equal(r.conn.want.n, LIMIT_POP3_LINE);
	done(&r);
}

static enum status refuse(void *ctx, const struct guard_connect_request *q, struct arena *a, struct guard_connect_reply *ret)
{
	(void)ctx;
	(void)a;
	assert_int_equal(q->listener, GUARD_POP3);
	assert_str(q->peer, STR("192.0.2.7"));
	*ret = (struct guard_connect_reply){ .verdict = GUARD_REFUSE, .code = 421, .text = STR("Come back tomorrow"), .reason = STR("banned") };
	return ST_OK;
}

static enum status unknown(void *ctx, const struct guard_connect_request *q, struct arena *a, struct guard_connect_reply *ret)
{
	(void)ctx, (void)q, (void)a, (void)ret;
	return ST_TEMP;
}

static void test_door(void **state)
{
	struct pop3_rig r;

	(void)state;
	pop3_rig_open(&r);
	r.ask.connect = refuse;
	pop3_rig_begin(&r);
	assert_str(buf_str(&r.conn.out), STR("-ERR [SYS/TEMP] Come back tomorrow\r\n"));
	assert_true(r.conn.closed);
	pop3_rig_end(&r);
	r.ask.connect = unknown; /* who cannot be asked refuses nobody */
	pop3_rig_begin(&r);
	assert_str(buf_str(&r.conn.out), STR("+OK Postrider is ready\r\n"));
	done(&r);
}

/* What is read to tell sizes is bounded: beyond it the stored size is told, and RETR works all the same. */
static void test_counting_is_bounded(void **state)
{
	const size_t    half = (size_t)LIMIT_POP3_COUNTED / 2 + 1;
	char           *text = malloc(half);
	struct pop3_rig r;

	(void)state;
	memset(text, 'x', half);
	memcpy(text, "A: b\r\n\r\n\n", 9);
	pop3_rig_open(&r);
	pop3_rig_add(&r, str_n(text, half));
	pop3_rig_add(&r, str_n(text, half));
	pop3_rig_begin(&r);
	pop3_rig_say(&r, POP3_SIGN_IN);
	snprintf(text, 200, "+OK Numbers and octets\r\n1 %zu\r\n2 %zu\r\n.\r\n", half + 3, half);
	assert_str(pop3_rig_say(&r, "LIST\r\n"), str_of(text));
	free(text);
	assert_int_equal(pop3_rig_say(&r, "RETR 2\r\n").n, half + 3 + strlen("+OK 33554433 octets\r\n") + strlen(".\r\n"));
	done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef POSTRIDER_FAULTS
		cmocka_unit_test(test_suspect),
#endif
		cmocka_unit_test(test_gone),   cmocka_unit_test(test_full),  cmocka_unit_test(test_octets),
		cmocka_unit_test(test_memory), cmocka_unit_test(test_ends), cmocka_unit_test(test_waits),
		cmocka_unit_test(test_door),   cmocka_unit_test(test_counting_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
