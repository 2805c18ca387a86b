/* wire/text/text_postfix.h - what main.cf, master.cf and tables of Postfix say (postconf(5), master(5)). Nothing is looked up or run here.
 *
 * Pure. Limits: LIMIT_POSTFIX_*. Tests: tests/unit/test_text_postfix.c, tests/fuzz/fuzz_text_postfix.c.
 */
#ifndef WIRE_TEXT_TEXT_POSTFIX_H
#define WIRE_TEXT_TEXT_POSTFIX_H

#include "base/arena.h"
#include "base/buf.h"

/* "name = value" of a logical line; false if it is not that. */
MUST_CHECK bool text_postfix_param(struct str line, struct str *ret_name, struct str *ret_value);

/* The next word of a list, separated by blanks and commas; "{ ... }" is one word, without its braces; braces
 * inside a word keep it together. False at the end. */
bool text_postfix_word(struct str *rest, struct str *ret);

/* "key value" of a logical line of a table; value is empty if there is none. */
void text_postfix_entry(struct str line, struct str *ret_key, struct str *ret_value);

/* Value of a parameter as it is set, or by default; false if it is not known. */
typedef bool text_postfix_lookup_fn(void *ctx, struct str name, struct str *ret_value);

/* Replace $name, ${name}, $(name), ${name?text}, ${name:text}, ${name?{text}:{text}} and "$$". A name that is not known is empty. False: nested too
 * deep, in a circle, or the result does not fit out. */
MUST_CHECK bool text_postfix_expand(struct str value, text_postfix_lookup_fn *lookup, void *ctx, struct buf *out);

#endif
