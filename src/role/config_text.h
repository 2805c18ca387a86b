/* role/config_text.h - the text of a configuration file, as the library that reads it must see it.
 *
 * libconfuse puts variables of its environment in the place of "${NAME}". Here that is text (of pipes' commands): in double quotes each "${" gets the backslash that makes
 * it so. Outside of quotes it cannot be text, and is refused.
 *
 * Pure. Tests: tests/unit/test_config_text.c.
 */
#ifndef ROLE_CONFIG_TEXT_H
#define ROLE_CONFIG_TEXT_H

#include "base/buf.h"

/* False: at line *ret_line "${" stands outside of quotes. */
MUST_CHECK bool config_text_take(struct str text, struct buf *out, unsigned *ret_line);

#endif
