/* wire/milter/milter_answer.h - what the filter says: one packet, taken apart and checked.
 *
 * A filter is as hostile as any peer. What this hands out is safe to use as what it is: header names are field names of RFC 5322
 * §2.2, header values cannot begin another field or the body, replies are 4xx or 5xx lines without control octets.
 *
 * Pure, no I/O. Tests: tests/unit/test_milter_wire.c, tests/fuzz/fuzz_milter.c.
 */
#ifndef WIRE_MILTER_MILTER_ANSWER_H
#define WIRE_MILTER_MILTER_ANSWER_H

#include "wire/milter/milter_packet.h"

#define MILTER_REPLY_LINES 32u /* as libmilter */

enum milter_answer_kind {
	/* ends of an exchange */
	MILTER_ANSWER_CONTINUE,
	MILTER_ANSWER_ACCEPT,
	MILTER_ANSWER_REJECT,
	MILTER_ANSWER_TEMPFAIL,
	MILTER_ANSWER_DISCARD,
	MILTER_ANSWER_SKIP,
	MILTER_ANSWER_REPLY,    /* reply */
	MILTER_ANSWER_SHUTDOWN, /* 421, and the session ends */
	/* not an end */
	MILTER_ANSWER_PROGRESS,
	/* not an end, and in the answer to EOM alone */
	MILTER_ANSWER_ADD_RCPT,      /* address, args */
	MILTER_ANSWER_DEL_RCPT,      /* address */
	MILTER_ANSWER_SENDER,        /* address, args */
	MILTER_ANSWER_ADD_HEADER,    /* name, value */
	MILTER_ANSWER_INSERT_HEADER, /* index, name, value */
	MILTER_ANSWER_CHANGE_HEADER, /* index, name, value; an empty value deletes */
	MILTER_ANSWER_BODY,          /* value: a piece of the new body */
	MILTER_ANSWER_QUARANTINE,    /* value: the reason */
};

/* Slices borrow from the packet. */
struct milter_reply {
	unsigned   code;         /* 400 to 599 */
	char       enhanced[12]; /* "" or "5.7.1", of the code's class */
	struct str lines[MILTER_REPLY_LINES];
	unsigned   line_count;
};

struct milter_answer {
	enum milter_answer_kind kind;
	enum milter_action      needs; /* the action that must have been agreed on; 0: none */
	uint32_t                index;
	struct str              name, value, address /* without "<>" */, args;
	struct milter_reply     reply;
};

/* False: unknown, malformed, or over a limit. *ret is written only on true. */
MUST_CHECK bool milter_answer_parse(const struct milter_packet *p, struct milter_answer *ret);

/* "550 5.7.1 text", or several lines with CRLF between them; "%%" is read as "%", as libmilter doubles it, by whoever prints. */
MUST_CHECK bool milter_reply_parse(struct str text, struct milter_reply *ret);

/* A header value for the message: line ends made CRLF. It holds what milter_answer_parse took. */
void milter_value_write(struct buf *out, struct str value);

#endif
