/* tests/unit/smtp_rig.h - one SMTP session with all that is around it, for the tests of src/smtp. */
#ifndef SMTP_RIG_H
#define SMTP_RIG_H

#include "fake_ask.h"
#include "fake_net.h"

struct rig {
	struct net_conn      conn;
	struct fake_ask      ask;
	struct smtp_env      env;
	struct smtp_settings set;
};

/* Prepare; change settings and conn, then rig_start. */
void rig_init(struct rig *r, enum smtp_kind kind);
void rig_start(struct rig *r);
void rig_done(struct rig *r);

/* Feed octets, give the reply code of the last line that came back; 0 if nothing came. r->conn.out holds what came. */
unsigned talk_str(struct rig *r, struct str octets);
unsigned talk(struct rig *r, const char *text);

#define HELLO   "EHLO client.example\r\n"
#define FROM    "MAIL FROM:<x@far.example>\r\n"
#define TO      "RCPT TO:<alice@demo.test>\r\n"
#define MESSAGE "From: alice@demo.test\r\nSubject: hi\r\n\r\nbody\r\n.\r\n"
/* alice@demo.test, password "password" */
#define SIGN_IN "AUTH PLAIN AGFsaWNlQGRlbW8udGVzdABwYXNzd29yZA==\r\n"

/* EHLO, or LHLO. */
const char *rig_hello(const struct rig *r);
/* Until after 354: relay from x@far.example, submission (allow_plain) from alice, to alice. */
void rig_to_data(struct rig *r);

#endif
