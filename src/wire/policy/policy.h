/* wire/policy/policy.h - the policy delegation protocol: a question in lines, an answer in lines (Postfix SMTPD_POLICY_README).
 *
 *   question = *( name "=" value LF ) LF
 *   answer   = *( name "=" value LF ) LF        one name is "action": action = verb [ SP text ]
 *
 * It is a text protocol, so whatever a peer sent is made harmless here: no octet of a value ends a line. Values may hold "=", names
 * never do. Pure, no I/O. Tests: tests/unit/test_policy.c, tests/fuzz/fuzz_policy.c.
 */
#ifndef WIRE_POLICY_POLICY_H
#define WIRE_POLICY_POLICY_H

#include "base/buf.h"
#include "wire/milter/milter_answer.h"

/* Add one line. Control octets, NUL and DEL in `value` become "?"; it is cut at LIMIT_POLICY_VALUE. */
void policy_line_add(struct buf *out, struct str name, struct str value);

enum policy_action {
	POLICY_DUNNO,           /* nothing to say */
	POLICY_OK,              /* yes: later policy servers are not asked */
	POLICY_REPLY,           /* reply: REJECT, DEFER, 4xx, 5xx */
	POLICY_DEFER_IF_REJECT, /* reply, if something else refuses for good */
	POLICY_DEFER_IF_PERMIT, /* reply, if nothing else refuses */
	POLICY_PREPEND,         /* name, value */
	POLICY_HOLD,            /* text */
	POLICY_DISCARD,
	POLICY_LOG,             /* WARN, INFO: text */
	POLICY_UNSUPPORTED,     /* REDIRECT, BCC, FILTER: text is the verb */
	POLICY_UNKNOWN,         /* text is the verb */
};

/* Slices borrow from the input, and from `scratch` where the reply was put together. */
struct policy_answer {
	enum policy_action  action;
	struct str          text, name, value;
	struct milter_reply reply;
};

enum policy_err {
	POLICY_ANSWER_OK,
	POLICY_ANSWER_MORE, /* the empty line is not there yet */
	POLICY_ANSWER_BAD,  /* a NUL, a line without "=", no action or two of them, a malformed one, or something behind the end */
};

/* The whole of what has come so far. `scratch` (LIMIT_POLICY_ANSWER octets at least) is overwritten. */
MUST_CHECK enum policy_err policy_answer_parse(struct str in, struct buf *scratch, struct policy_answer *ret);

#endif
