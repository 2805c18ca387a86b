/* wire/imap/imap_lex.h - the tokens of IMAP: a cursor over one whole command.
 *
 * The text is the command as it came, without its final CRLF, with each literal in place: "{5}" CRLF and
 * then its five octets. Grammar, RFC 9051 §9:
 *   atom    = 1*ATOM-CHAR
 *   astring = 1*(ATOM-CHAR / "]") / string
 *   string  = quoted / literal
 *   literal = "{" number64 ["+"] "}" CRLF *CHAR8            RFC 7888 §3: "+" needs no go-ahead
 *
 * Every function takes its token off the cursor and returns true, or returns false; the cursor is then
 * somewhere in the token and the command is to be refused. Values borrow from the text, or live in the arena
 * where an escape had to be removed.
 *
 * Strict: exactly one space between tokens; no NUL anywhere (RFC 9051 §4.3: literal8 only); octets over 127 only in
 * strings, and in a quoted string only as UTF-8 (RFC 9755 §3), because clients send passwords so.
 *
 * Pure. Tests: tests/unit/test_imap_lex.c, tests/fuzz/fuzz_imap_command.c.
 */
#ifndef WIRE_IMAP_IMAP_LEX_H
#define WIRE_IMAP_IMAP_LEX_H

#include "base/arena.h"
#include "base/limits.h"

struct imap_lex {
	struct str    in;    /* what is left */
	struct arena *arena; /* where values go that cannot borrow */
	unsigned      depth; /* open parentheses, NOTs and ORs: at most LIMIT_IMAP_DEPTH */
};

/* One space; a "(" or ")"; the end of the command. */
MUST_CHECK bool imap_lex_sp(struct imap_lex *x);
MUST_CHECK bool imap_lex_char(struct imap_lex *x, char c);
MUST_CHECK bool imap_lex_end(const struct imap_lex *x);
/* The next octet without taking it; 0 at the end. */
char imap_lex_peek(const struct imap_lex *x);

MUST_CHECK bool imap_lex_atom(struct imap_lex *x, struct str *ret);
MUST_CHECK bool imap_lex_string(struct imap_lex *x, struct str *ret);
MUST_CHECK bool imap_lex_literal8(struct imap_lex *x, struct str *ret); /* RFC 3516 §6: any octets */
MUST_CHECK bool imap_lex_astring(struct imap_lex *x, struct str *ret);
/* NIL gives a slice with p == NULL; "" does not. */
MUST_CHECK bool imap_lex_nstring(struct imap_lex *x, struct str *ret);
/* list-mailbox = 1*(ATOM-CHAR / "%" / "*" / "]") / string */
MUST_CHECK bool imap_lex_pattern(struct imap_lex *x, struct str *ret);
MUST_CHECK bool imap_lex_number(struct imap_lex *x, uint32_t *ret);   /* 0 .. 2^32-1 */
MUST_CHECK bool imap_lex_number64(struct imap_lex *x, uint64_t *ret); /* 0 .. 2^63-1 */

/* A keyword of the grammar, case folded, if it stands next and an atom ends behind it; else nothing is taken. */
bool imap_lex_word(struct imap_lex *x, struct str word);

/* Enter and leave one level of nesting. */
MUST_CHECK bool imap_lex_enter(struct imap_lex *x);
void            imap_lex_leave(struct imap_lex *x);

bool imap_is_atom_char(char c);

/* ---- where a command ends ---- */

struct imap_literal {
	uint64_t n;
	bool     sync;   /* the client waits for "+" before it sends the octets */
	bool     binary; /* literal8 = "~{" number64 ["+"] "}" (RFC 3516 §6, RFC 9755 §3): it may hold NUL */
};
/* A line (without its CRLF) that ends in a literal's head: more of the command follows it. */
bool imap_literal_follows(struct str line, struct imap_literal *ret);

#endif
