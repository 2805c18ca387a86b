/* tests/fuzz/fuzz_pop3_session.c - a whole POP3 session over the fake net and a real store, begun in each state.
 *
 * Octet 0: state and how it ends; octet 1: size of the pieces that come in. The rest is what the client sends. What comes back is lines
 * that end in CRLF, with no other CR or LF; answers are as many as commands can be; and messages go at QUIT only.
 */
#include "base/log.h"
#include "pop3_rig.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pop3_rig rig;

static void refill(void)
{
	static const struct str messages[] = {
		STR("Subject: x\r\n\r\n.\r\n..two\r\n"), STR("A: b\n\n.\n+OK\r.\r\r"), STR("no header\0.\r\n"), STR("A: b\r\n\r\nlast"), STR("\r\n"),
	};

	for (uint64_t n = pop3_rig_count(&rig); n < LEN(messages); n++)
		pop3_rig_add(&rig, messages[n]);
	arena_reset(rig.arena);
}

static void end(void)
{
	pop3_rig_close(&rig);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_set_level(LOG_LEVEL_ERROR);
	pop3_rig_open(&rig);
	atexit(end);
	refill();
	return 0;
}

static void check_output(struct str out)
{
	CHECK(out.n == 0 || str_iends(out, STR("\r\n")));
	for (size_t i = 0; i < out.n; i++)
		CHECK(out.p[i] == '\n' ? i > 0 && out.p[i - 1] == '\r' : out.p[i] != '\r' || out.p[i + 1] == '\n');
}

static const char *const states[] = {
	"", "USER alice@demo.test\r\n", "AUTH PLAIN\r\n", "AUTH LOGIN\r\nYWxpY2VAZGVtby50ZXN0\r\n", "UTF8\r\n", "STLS\r\n",
	POP3_SIGN_IN, POP3_SIGN_IN "DELE 1\r\nDELE 3\r\n",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t   piece;
	uint64_t before;

	if (size < 2)
		return 0;
	piece = data[1] ? data[1] : size;
	refill();
	before = pop3_rig_count(&rig);
	pop3_rig_begin(&rig);
	pop3_rig_say(&rig, states[data[0] % LEN(states)]);
	for (size_t at = 2; at < size && !rig.conn.closed; at += piece) {
		if (rig.conn.want.kind == NET_WANT_TLS)
			fake_tls(&rig.conn);
		fake_feed(&rig.conn, str_n(data + at, MIN(piece, size - at)));
		check_output(buf_str(&rig.conn.out));
		if (!rig.conn.closed)
			CHECK(pop3_rig_count(&rig) == before);
		buf_clear(&rig.conn.out);
	}
	if (!rig.conn.closed && rig.conn.want.kind != NET_WANT_TLS) {
		fake_event(&rig.conn, data[0] & 128 ? NET_EV_DRAIN : NET_EV_TIMEOUT);
		check_output(buf_str(&rig.conn.out));
		CHECK(rig.conn.closed && pop3_rig_count(&rig) == before);
	}
	pop3_rig_end(&rig);
	return 0;
}
