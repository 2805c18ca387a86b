/* wire/text/text_aliases.h - the file format of aliases(5), as Sendmail and Postfix read it.
 *
 *   file    = *( logical-line )
 *   logical-line: begins in the first column; lines that begin with a blank continue it; empty lines and lines whose first octet that is no
 *            blank is "#" are passed over
 *   line    = name ":" value *( "," value )         name = word / quoted-string
 *   value   = address / "|" command / "/" file / ":include:" path, each perhaps quoted
 *
 * Pure: what a value means is said, nothing is opened or run. Tests: tests/unit/test_text_aliases.c, tests/fuzz/fuzz_text_aliases.c.
 */
#ifndef WIRE_TEXT_TEXT_ALIASES_H
#define WIRE_TEXT_TEXT_ALIASES_H

#include "base/arena.h"

enum text_alias_kind {
	TEXT_ALIAS_ADDRESS, /* a name or address; text is as written, without outer quotes */
	TEXT_ALIAS_INCLUDE, /* text is the path */
	TEXT_ALIAS_COMMAND, /* "|..." */
	TEXT_ALIAS_FILE,    /* "/..." */
	TEXT_ALIAS_OTHER,   /* ":fail:" and what else begins with a colon */
};

struct text_alias_value {
	enum text_alias_kind kind;
	struct str           text;
};

struct text_alias {
	unsigned                 line; /* where it begins, from 1 */
	struct str               name; /* n == 0: the line is not of the grammar */
	struct text_alias_value *values;
	size_t                   value_count;
};

/* Take the next logical line off *rest; *line counts on (begin with 0). False at the end. Slices borrow from the text or live in `a`. */
bool text_alias_next(struct str *rest, unsigned *line, struct arena *a, struct text_alias *ret);

/* An included file: values on lines of their own or with commas between, comments as above. */
void text_alias_list(struct str text, struct arena *a, struct text_alias *ret);

#endif
