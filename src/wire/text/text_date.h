/* wire/text/text_date.h - dates of header fields (RFC 5322 §3.3, §4.3) and of IMAP (RFC 9051 §9 date-time, date).
 *
 * An instant is milliseconds since 1970-01-01T00:00:00Z; the zone is minutes east of UTC. Pure: the local time zone plays
 * no part.
 */
#ifndef WIRE_TEXT_TEXT_DATE_H
#define WIRE_TEXT_TEXT_DATE_H

#include "base/buf.h"

struct text_date {
	int64_t ms;
	int     zone_minutes;
};

/* A Date field's value. Accepted beyond §3.3: the obsolete forms of §4.3 (two- and three-digit years, named zones,
 * comments and folding anywhere), no weekday or a wrong one, no seconds, no zone (UTC), the order of ctime(3), "-" between
 * day, month and year, full month names, hh:mm:60. What follows the zone is not looked at. */
MUST_CHECK bool text_date_parse(struct str value, struct text_date *ret);

/* "Mon, 21 Aug 1995 13:30:57 -0600"; years 0-9999. */
void text_date_write(struct text_date d, struct buf *out);

/* IMAP date-time without its quotes, "17-Jul-1996 02:44:25 -0700" or " 7-Feb-1994 21:52:25 -0800"; strict, but a day of
 * one digit without the space is taken too. */
MUST_CHECK bool text_internaldate_parse(struct str s, struct text_date *ret);
/* The same form, 26 characters, without quotes. */
void text_internaldate_write(struct text_date d, struct buf *out);

/* IMAP date of SEARCH without quotes, "1-Feb-1994": the start of that day as if it were UTC. */
MUST_CHECK bool text_imap_date_parse(struct str s, int64_t *ret_ms);

/* RFC 3339 §5.6 date-time: "2026-11-28T17:42:00Z", with a fraction, "+01:00"; strict but for a lower-case t or z. A fraction is
 * dropped, and a leap second counts as :59. */
MUST_CHECK bool text_rfc3339_parse(struct str s, int64_t *ret_ms);
/* "2026-11-28T17:42:00Z"; years 0-9999. */
void text_rfc3339_write(int64_t ms, struct buf *out);

/* Days since 1970-01-01 of a date in the Gregorian calendar; month 1-12. */
int64_t text_date_days(int64_t year, unsigned month, unsigned day);

#endif
