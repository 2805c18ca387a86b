/* wire/imap/imap_date.c - grammar and contract are in imap_date.h; the calendar is wire/text/text_date.h. */
#include "wire/imap/imap_date.h"

#include "wire/text/text_date.h"

#define DAY_MS INT64_C(86400000)

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

bool imap_lex_date(struct imap_lex *x, int32_t *ret_day)
{
	struct str text;
	int64_t    ms;

	if (!(imap_lex_peek(x) == '"' ? imap_lex_string(x, &text) : imap_lex_atom(x, &text)) ||
	    !text_imap_date_parse(text, &ms))
		return false;
	*ret_day = (int32_t)floor_div(ms, DAY_MS);
	return true;
}

bool imap_lex_date_time(struct imap_lex *x, int64_t *ret_ms, int *ret_zone)
{
	struct text_date d;
	struct str       text;

	if (imap_lex_peek(x) != '"' || !imap_lex_string(x, &text) || !text_internaldate_parse(text, &d))
		return false;
	*ret_ms = d.ms;
	*ret_zone = d.zone_minutes;
	return true;
}

int32_t imap_day_of(int64_t ms, int zone)
{
	return (int32_t)floor_div(ms + zone * INT64_C(60000), DAY_MS);
}

void imap_print_date_time(struct buf *out, int64_t ms, int zone)
{
	buf_add_char(out, '"');
	text_internaldate_write((struct text_date){ ms, zone }, out);
	buf_add_char(out, '"');
}
