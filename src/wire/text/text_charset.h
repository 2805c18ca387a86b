/* wire/text/text_charset.h - octets in some charset to UTF-8.
 *
 * Never fails: what cannot be read becomes U+FFFD. UTF-8, US-ASCII, ISO-8859-1, ISO-8859-15 and windows-1252 are converted
 * here; the others in a fixed list by iconv (the name in a message never reaches iconv_open). As mail programs do,
 * ISO-8859-1 is read as windows-1252, which differs only in octets that are control characters in the former.
 *
 * iconv loads its tables when a charset is first used: call text_charset_preload() before a sandbox closes the file
 * system; without it charsets not used before read as unknown. Thread-safe.
 */
#ifndef WIRE_TEXT_TEXT_CHARSET_H
#define WIRE_TEXT_TEXT_CHARSET_H

#include "base/buf.h"

/* The charset is in the list (letter case does not matter). */
bool text_charset_known(struct str charset);

/* Append `in` as well-formed UTF-8. If the charset is not known: as text_guess_utf8, and false. */
bool text_to_utf8(struct str charset, struct str in, struct buf *out);

/* Octets whose charset nobody told: UTF-8 if well-formed as that, else windows-1252. */
void text_guess_utf8(struct str in, struct buf *out);

/* Octets of the well-formed UTF-8 character at the start of s (RFC 3629 §4), or 0. */
size_t text_utf8_char(struct str s);

/* Open all converters once and keep them for the life of the process; call it once, before threads start. */
void text_charset_preload(void);

#endif
