/* wire/pop3/pop3_command.h - a command line: keyword and argument; numbers in it.
 *
 *   command = keyword *(SP param) CRLF                      RFC 2449 §3
 *   keyword = 3*VCHAR-without-controls, letter case does not count; here letters, digits and "-", at most 16
 *
 * The argument is the rest of the line as it is: a password may hold spaces at its end (RFC 1939 §7, PASS). A command that takes
 * nothing or numbers does not mind spaces at the end of its line.
 *
 * Pure. Tests: tests/unit/test_pop3_wire.c, tests/fuzz/fuzz_pop3_command.c.
 */
#ifndef WIRE_POP3_POP3_COMMAND_H
#define WIRE_POP3_POP3_COMMAND_H

#include "base/str.h"

#define POP3_KEYWORD_MAX 16u /* octets */

struct pop3_command {
	struct str keyword;
	struct str arg; /* behind the first space; empty if there is none */
};

/* `line` without CRLF. false: no command at all; *ret is then left alone. */
MUST_CHECK bool pop3_command_parse(struct str line, struct pop3_command *ret);

/* The argument is 1 to `max` numbers with single spaces between: 1*DIGIT each, leading zeros allowed. What does not fit is
 * UINT32_MAX: no mailbox has so many messages, no message so many lines. `ret` has `max` places. False: it is not. */
MUST_CHECK bool pop3_numbers(struct str arg, unsigned max, uint32_t *ret, unsigned *ret_count);

#endif
