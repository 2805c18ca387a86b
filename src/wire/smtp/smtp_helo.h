/* wire/smtp/smtp_helo.h - the argument of EHLO and HELO: who the peer says it is.
 *
 * Grammar, RFC 5321 §4.1.1.1 and §4.1.3:
 *   ehlo = "EHLO" SP ( Domain / address-literal ) CRLF
 *   helo = "HELO" SP Domain CRLF                          a literal is taken here too
 *
 * lenient: also one word of printable ASCII without the specials of RFC 5322 (underscores, bare IP addresses, numbers as last
 * label), and "[" 1*(alnum / "." / ":") "]". Whatever passes can stand in a Received field as it is: no space, control,
 * quote, parenthesis, comma, semicolon or 8-bit octet.
 *
 * Pure. Tests: tests/unit/test_smtp_wire.c, tests/fuzz/fuzz_smtp_command.c.
 */
#ifndef WIRE_SMTP_SMTP_HELO_H
#define WIRE_SMTP_SMTP_HELO_H

#include "base/str.h"

MUST_CHECK bool smtp_helo_valid(struct str arg, bool lenient);

#endif
