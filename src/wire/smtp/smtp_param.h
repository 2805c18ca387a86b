/* wire/smtp/smtp_param.h - what MAIL and RCPT have in common: a path, then ESMTP parameters.
 *
 * Grammar, RFC 5321 §4.1.2 and RFC 6531 §3.3:
 *   Path          = "<" [ A-d-l ":" ] Mailbox ">"
 *   esmtp-param   = esmtp-keyword ["=" esmtp-value]
 *   esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
 *   esmtp-value   = 1*(%d33-60 / %d62-126 / UTF8-non-ascii)
 *   xtext         = *( xchar / hexchar )                    RFC 3461 §4
 *
 * A source route (A-d-l, "@a,@b:") is not taken apart: the path is then no Mailbox and is refused (RFC 5321 §3.6.1 lets a
 * server decline it; nothing legitimate sends one, and it hides the sender from SPF).
 *
 * Pure. Tests: tests/unit/test_smtp_wire.c, tests/fuzz/fuzz_smtp_command.c.
 */
#ifndef WIRE_SMTP_SMTP_PARAM_H
#define WIRE_SMTP_SMTP_PARAM_H

#include "base/str.h"

/* Take "<...>" off *in; a ">" inside a Quoted-string does not end the path. */
MUST_CHECK bool smtp_path_take(struct str *in, struct str *ret_path);

struct smtp_param_text {
	struct str keyword, value;
	bool       has_value;
};

/* Take " keyword[=value]" off *in. false: not the grammar. Call while in->n > 0. */
MUST_CHECK bool smtp_param_take(struct str *in, struct smtp_param_text *ret);

bool smtp_xtext_valid(struct str s);

#endif
