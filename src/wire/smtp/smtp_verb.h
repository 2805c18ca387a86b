/* wire/smtp/smtp_verb.h - a command line: verb and argument.
 *
 * Grammar, RFC 5321 §4.1.1 and §2.4:
 *   command = verb [SP argument] CRLF        verb = 1*ALPHA, letter case does not count
 *
 * White space at the end of the line is dropped (§4.1.1: "SHOULD tolerate trailing white space"). Control octets are refused in the
 * whole line: none has a meaning in any argument. Octets over 127 are left to the argument's own grammar.
 *
 * Pure. Tests: tests/unit/test_smtp_wire.c, tests/fuzz/fuzz_smtp_command.c.
 */
#ifndef WIRE_SMTP_SMTP_VERB_H
#define WIRE_SMTP_SMTP_VERB_H

#include "base/str.h"

/* `line` without CRLF. false: no command at all; the outputs are then left alone. *ret_arg is empty if there is none. */
MUST_CHECK bool smtp_verb_split(struct str line, struct str *ret_verb, struct str *ret_arg);

/* The first word is an HTTP method: a browser was led here (cross-protocol attack), nothing of what follows is ours. */
bool smtp_verb_is_http(struct str line);

#endif
