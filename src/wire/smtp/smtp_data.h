/* wire/smtp/smtp_data.h - the end of DATA: transparency and line ends (RFC 5321 §4.1.1.4, §4.5.2, §2.3.8).
 *
 *   data-lines = *( [ "." ] line CRLF )      a leading "." of a line with more octets is taken off
 *   end        = "." CRLF                    at the start, or right after a CRLF
 *
 * Incremental: octets in, in pieces of any size; runs of canonical octets out, in order, to a callback. The CRLF
 * before the ending dot belongs to the data, the dot line does not.
 *
 * Only the octets CRLF "." CRLF end the data, in both modes. What else some server has ever taken for the end
 * (LF.LF, LF.CRLF, CRLF.LF, CR.CR, CR.CRLF, CRLF.CR, CRLF.CRCRLF, CRLF NUL . CRLF) is content: nothing behind it is ever read as
 * a command (SMTP smuggling, CVE-2023-51764/5/6).
 *
 *   strict (default)  bare CR, bare LF and NUL pass unchanged and set a flag; a dot is taken off only after CRLF.
 *                     The caller refuses the message when a flag is set.
 *   normalise         a bare CR or LF is replaced by CRLF, and the dot of the line behind it is taken off as on every line; so
 *                     the result is what a correct client would have sent. Only the end stays literal: LF.LF gives an empty line.
 *                     The flags are set all the same. NUL passes and sets its flag.
 *
 * Pure: no I/O, no allocation, no clock. Clean data is searched with memchr and handed on uncopied.
 * Tests: tests/unit/test_smtp_data.c, tests/fuzz/fuzz_smtp_data.c.
 */
#ifndef WIRE_SMTP_SMTP_DATA_H
#define WIRE_SMTP_SMTP_DATA_H

#include "base/str.h"

enum smtp_data_state {
	SMTP_DATA_START,  /* at the start, or after CRLF: a dot may be the end */
	SMTP_DATA_LINE,   /* inside a line */
	SMTP_DATA_CR,     /* after a CR inside a line; it has not been handed on */
	SMTP_DATA_BROKEN, /* normalise: after a replaced line end; a dot is taken off, but cannot be the end */
	SMTP_DATA_DOT,    /* after "." in START; taken off */
	SMTP_DATA_DOT_CR, /* after "." CR in START; the CR has not been handed on */
	SMTP_DATA_END,
};

struct smtp_data {
	enum smtp_data_state state;
	bool                 normalise;
	bool                 bare_cr, bare_lf, nul; /* was seen */
};

typedef void (*smtp_data_fn)(void *ctx, struct str run);

void smtp_data_init(struct smtp_data *d, bool normalise);

/* Take octets off *in up to the end of data, or all of them, and hand runs to `write`. True: the end was reached (*in then starts
 * with the first octet behind it). A run borrows from *in or is static; it is never empty. */
bool smtp_data_feed(struct smtp_data *d, struct str *in, smtp_data_fn write, void *ctx);

#endif
