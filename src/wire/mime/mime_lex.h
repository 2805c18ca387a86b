/* wire/mime/mime_lex.h - lexical pieces of structured header fields (RFC 5322 §3.2, RFC 2045 §5.1). For wire/mime only.
 *
 * Each takes its piece off the front of *s and never reads past it. Text may hold folding (CRLF before a blank).
 */
#ifndef WIRE_MIME_MIME_LEX_H
#define WIRE_MIME_MIME_LEX_H

#include "base/arena.h"

/* Blanks, line ends, NUL. */
bool mime_lex_is_ws(char c);
/* token of RFC 2045 §5.1; octets over 127 count as token characters (RFC 6532). */
bool mime_lex_is_token(char c);

void mime_lex_ws(struct str *s);
/* White space and comments; one that is not closed takes all the rest, and false is returned. */
bool mime_lex_cfws(struct str *s);
/* Longest run of token characters, perhaps empty. */
struct str mime_lex_token(struct str *s);
/* A quoted string at the front, its quotes, backslashes and folding removed; one that is not closed takes the rest, and
 * *ret_closed is false. The result borrows from *s if nothing had to be removed inside. */
struct str mime_lex_quoted(struct str *s, struct arena *a, bool *ret_closed);

#endif
