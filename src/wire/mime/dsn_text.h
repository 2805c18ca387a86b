/* wire/mime/dsn_text.h - the part of a DSN that is for people. For wire/mime only. */
#ifndef WIRE_MIME_DSN_TEXT_H
#define WIRE_MIME_DSN_TEXT_H

#include "wire/mime/dsn.h"

/* The worst action, for the subject. */
enum dsn_action dsn_text_action(const struct dsn *d);
struct str      dsn_text_subject(enum dsn_action action);
/* The explanation; `subject` is that of the original, decoded. */
void dsn_text_write(const struct dsn *d, struct str subject, struct buf *out);

#endif
