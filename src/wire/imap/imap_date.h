/* wire/imap/imap_date.h - dates as IMAP writes them (RFC 9051 §9: date, date-time).
 *
 * A moment is milliseconds since 1970-01-01 UTC; a zone is minutes east of UTC; a day is counted from 1970-01-01.
 * Pure. Tests: tests/unit/test_imap_args.c.
 */
#ifndef WIRE_IMAP_IMAP_DATE_H
#define WIRE_IMAP_IMAP_DATE_H

#include "base/buf.h"
#include "wire/imap/imap_lex.h"

/* date = date-text / DQUOTE date-text DQUOTE; date-text = 1*2DIGIT "-" Mon "-" 4DIGIT */
MUST_CHECK bool imap_lex_date(struct imap_lex *x, int32_t *ret_day);
/* date-time = DQUOTE (SP DIGIT / 2DIGIT) "-" Mon "-" 4DIGIT SP hh:mm:ss SP zone DQUOTE */
MUST_CHECK bool imap_lex_date_time(struct imap_lex *x, int64_t *ret_ms, int *ret_zone);
/* With the quotes. */
void imap_print_date_time(struct buf *out, int64_t ms, int zone);

/* The day on which a moment falls in its zone. */
int32_t imap_day_of(int64_t ms, int zone);

#endif
