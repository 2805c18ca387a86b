/* wire/smtp/smtp_answer.h - replies of an SMTP server, as its client reads them.
 *
 * Grammar, RFC 5321 §4.2 and RFC 2034 §4, RFC 3463 §2:
 *   Reply-line  = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
 *   Reply-code  = %x32-35 2DIGIT
 *   textstring  = [ status-code SP ] text
 *   status-code = class "." 1*3DIGIT "." 1*3DIGIT       ; class equals the first digit of Reply-code
 *
 * A status code of another class than its reply ("550 2.1.5 ...") is no status code: it stays part of the text.
 *
 * Pure: no I/O, no clock; allocates only in the caller's buffer.
 * Tests: tests/unit/test_smtp_answer.c, tests/fuzz/fuzz_smtp_answer.c.
 */
#ifndef WIRE_SMTP_SMTP_ANSWER_H
#define WIRE_SMTP_SMTP_ANSWER_H

#include "base/buf.h"

#define SMTP_ENHANCED_MAX ((size_t)9) /* "5.123.123" */

enum smtp_answer_err {
	SMTP_ANSWER_OK,
	SMTP_ANSWER_SYNTAX, /* not the grammar above */
	SMTP_ANSWER_CODE,   /* a continuation line with another code than the first */
	SMTP_ANSWER_LIMIT,  /* more text than the buffer may hold */
};

/* Slices borrow from the line. */
struct smtp_answer_line {
	unsigned   code;     /* 200..599 */
	bool       last;     /* no "-" after the code */
	struct str enhanced; /* "5.1.1", or empty */
	struct str text;     /* what follows */
};

/* Parse one line without its CRLF. *ret is written only when SMTP_ANSWER_OK is returned. */
MUST_CHECK enum smtp_answer_err smtp_answer_line_parse(struct str line, struct smtp_answer_line *ret);

/* A whole reply, put together from lines. */
struct smtp_answer_in {
	struct buf *text;                            /* the caller's: the texts, an LF between two lines */
	char        enhanced[SMTP_ENHANCED_MAX + 1]; /* of the first line that has one; "" for none */
	unsigned    code;                            /* 0 before the first line */
	bool        done;                            /* the last line was added */
};

/* Begin: clears *text, whose maximum bounds the reply. */
void smtp_answer_begin(struct smtp_answer_in *r, struct buf *text);
/* Add a line; not after an error or when done. */
MUST_CHECK enum smtp_answer_err smtp_answer_add(struct smtp_answer_in *r, struct str line);

/* If s starts with a status code of class `reply_class` ('2', '4', '5') that ends at a space or the end, take it (and
 * the spaces) off. */
bool smtp_enhanced_take(struct str *s, char reply_class, struct str *ret_code);

/* Append `text` as one line fit for logs and DSNs: line ends become spaces, other control characters and octets that
 * are not UTF-8 become "?". At most max_octets are added, a UTF-8 character is not cut. */
void smtp_answer_print(struct buf *out, struct str text, size_t max_octets);

#endif
