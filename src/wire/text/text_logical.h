/* wire/text/text_logical.h - logical lines of Postfix's and Sendmail's files: aliases(5), main.cf, master.cf, tables.
 *
 * One begins in the first column; lines that begin with a blank continue it; empty lines, and lines whose first octet that is no blank is
 * "#", are passed over, between continued lines too.
 *
 * Pure. Tests: tests/unit/test_text_aliases.c, tests/unit/test_text_postfix.c.
 */
#ifndef WIRE_TEXT_TEXT_LOGICAL_H
#define WIRE_TEXT_TEXT_LOGICAL_H

#include "base/arena.h"

/* The next one off *rest, its pieces joined by one blank each; empty at the end. *line counts physical lines (begin with 0), *ret_at is the one it
 * begins at, from 1. The result lives in `a`. */
struct str text_logical_next(struct str *rest, unsigned *line, struct arena *a, unsigned *ret_at);

/* One physical line off *rest, without its end. */
struct str text_line_take(struct str *rest);
/* Empty, blank, or a comment. */
bool text_is_comment(struct str line);

#endif
