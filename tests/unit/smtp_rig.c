/* tests/unit/smtp_rig.c - see smtp_rig.h. */
#include "smtp_rig.h"

void rig_init(struct rig *r, enum smtp_kind kind)
{
	fake_ask_init(&r->ask);
	fake_env_init(&r->env, &r->set, kind, &r->ask);
	fake_init(&r->conn);
	r->set.allow_plain = true;
}

void rig_start(struct rig *r)
{
	fake_start(&r->conn, &smtp_proto, &r->env);
}

void rig_done(struct rig *r)
{
	fake_done(&r->conn);
	fake_ask_done(&r->ask);
}

unsigned talk_str(struct rig *r, struct str octets)
{
	struct str out;

	buf_clear(&r->conn.out);
	fake_feed(&r->conn, octets);
	out = str_chomp(buf_str(&r->conn.out));
	if (out.n == 0)
		return 0;
	out = str_from(out, (size_t)(str_rfind(out, '\n') + 1));
	CHECK(out.n >= 4 && out.p[3] == ' ');
	return (unsigned)(out.p[0] - '0') * 100 + (unsigned)(out.p[1] - '0') * 10 + (unsigned)(out.p[2] - '0');
}

unsigned talk(struct rig *r, const char *text)
{
	return talk_str(r, str_of(text));
}

const char *rig_hello(const struct rig *r)
{
	return r->env.kind == SMTP_KIND_LMTP ? "LHLO client.example\r\n" : HELLO;
}

void rig_to_data(struct rig *r)
{
	bool submission = r->env.kind == SMTP_KIND_SUBMISSION;

	CHECK(talk(r, rig_hello(r)) == 250);
	CHECK(!submission || talk(r, SIGN_IN) == 235);
	CHECK(talk(r, submission ? "MAIL FROM:<alice@demo.test>\r\n" : FROM) == 250);
	CHECK(talk(r, TO) == 250);
	CHECK(talk(r, "DATA\r\n") == 354);
}
