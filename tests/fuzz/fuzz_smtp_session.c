/* tests/fuzz/fuzz_smtp_session.c - a whole SMTP session over the fake net, begun in each state.
 *
 * Octet 0: listener, settings, state; octet 1: size of the pieces that come in, and above 200 LMTP. The rest is what the peer sends. Besides
 * smtp_check() after each event: replies are lines of the grammar, and what queue is given is canonical.
 */
#include "base/log.h"
#include "smtp_rig.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_set_level(LOG_LEVEL_ERROR);
	return 0;
}

static void check_replies(struct str out)
{
	while (out.n > 0) {
		ptrdiff_t  end = str_search(out, STR("\r\n"));
		struct str line = str_first(out, (size_t)end);

		CHECK(end >= 4 && (size_t)end + 2 <= 512);
		CHECK(ascii_is_digit(line.p[0]) && ascii_is_digit(line.p[1]) && ascii_is_digit(line.p[2]));
		CHECK((line.p[3] == ' ' || line.p[3] == '-') && !str_has_ctl(line) && str_is_ascii(line));
		out = str_from(out, (size_t)end + 2);
	}
}

static void check_message(const struct rig *r)
{
	struct str c = buf_str(&r->ask.content);

	if (!r->ask.has_message)
		return;
	CHECK(str_starts(c, STR("Received: from ")) && str_iends(c, STR("\r\n")) && r->ask.recipients.n > 0);
	CHECK(str_find(c, '\0') < 0);
	for (size_t i = 0; i < c.n; i++)
		CHECK(c.p[i] == '\n' ? c.p[i - 1] == '\r' : c.p[i] != '\r' || c.p[i + 1] == '\n');
	CHECK((r->env.kind == SMTP_KIND_SUBMISSION) == (r->ask.account != 0));
}

static void reach(struct rig *r, unsigned state)
{
	if (state == 0)
		return;
	if (state == 7) { /* in the middle of an exchange */
		talk(r, HELLO "AUTH LOGIN\r\n");
		return;
	}
	if (state >= 5)
		rig_to_data(r);
	if (state == 6)
		talk(r, "From: alice@demo.test\r\n\r\n");
	if (state >= 5)
		return;
	talk(r, rig_hello(r));
	if (state >= 2 && r->env.kind == SMTP_KIND_SUBMISSION)
		talk(r, SIGN_IN);
	if (state >= 3)
		talk(r, r->env.kind == SMTP_KIND_SUBMISSION ? "MAIL FROM:<alice@demo.test>\r\n" : FROM);
	if (state >= 4)
		talk(r, TO);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cidr all; /* ::/0 */
	struct rig r;
	size_t     piece;

	if (size < 2)
		return 0;
	piece = data[1] ? data[1] : size;
	rig_init(&r, data[0] & 1 ? SMTP_KIND_SUBMISSION : data[1] > 200 ? SMTP_KIND_LMTP : SMTP_KIND_RELAY);
	r.conn.info.loopback = r.env.kind == SMTP_KIND_LMTP;
	r.set.trusted = (struct cidr_list){ &all, data[0] & 4 ? 1 : 0 };
	r.set.normalise_eol = data[0] & 2;
	r.set.message_octets = 10000;
	r.set.rcpts = 5;
	r.ask.known = data[0] & 4;
	r.ask.submit_status[0] = data[0] & 8 ? ST_TEMP : ST_OK;
	rig_start(&r);
	reach(&r, data[0] >> 5);
	for (size_t at = 2; at < size && !r.conn.closed; at += piece) {
		if (r.conn.want.kind == NET_WANT_TLS)
			fake_tls(&r.conn);
		fake_feed(&r.conn, str_n(data + at, MIN(piece, size - at)));
		if (r.conn.want.kind == NET_WANT_WAKE && !r.conn.closed) /* a reply was held back */
			fake_event(&r.conn, NET_EV_TIMEOUT);
		check_replies(buf_str(&r.conn.out));
		buf_clear(&r.conn.out);
		check_message(&r);
	}
	if (!r.conn.closed && r.conn.want.kind != NET_WANT_TLS)
		fake_event(&r.conn, data[0] & 16 ? NET_EV_DRAIN : NET_EV_TIMEOUT);
	check_replies(buf_str(&r.conn.out));
	rig_done(&r);
	return 0;
}
