/* wire/imap/imap_date.c - grammar and contract are in imap_date.h. */
#include "wire/imap/imap_date.h"

#define DAY_S  86400
#define DAY_MS (DAY_S * INT64_C(1000))

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Days from 1970-01-01, proleptic Gregorian; years counted from March so that the leap day comes last. */
static int32_t days_from_civil(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year;
	int era = (y >= 0 ? y : y - 399) / 400;
	int yoe = y - era * 400;
	int doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int     doe = (int)(z - era * 146097);
	int     yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int     doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int     mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = (int)(yoe + era * 400) + (*month <= 2);
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int month_days(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool             leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

/* Exactly n digits. */
static bool digits(struct imap_lex *x, size_t n, int *ret)
{
	uint32_t v;

	if (!str_to_u32(str_first(x->in, n), &v) || x->in.n < n)
		return false;
	x->in = str_from(x->in, n);
	*ret = (int)v;
	return true;
}

/* "-" Mon "-" 4DIGIT behind a day of the month */
static bool rest_of_date(struct imap_lex *x, int day, int32_t *ret_day)
{
	int month = 0, year;

	if (!imap_lex_char(x, '-'))
		return false;
	for (int m = 1; m <= 12 && month == 0; m++)
		if (str_skip(&x->in, str_n(months + 3 * (m - 1), 3)))
			month = m;
	if (month == 0 || !imap_lex_char(x, '-') || !digits(x, 4, &year) || day < 1 || day > month_days(year, month))
		return false;
	*ret_day = days_from_civil(year, month, day);
	return true;
}

bool imap_lex_date(struct imap_lex *x, int32_t *ret_day)
{
	bool quoted = imap_lex_char(x, '"');
	int  day;

	if (!digits(x, str_find(str_first(x->in, 2), '-') == 1 ? 1 : 2, &day) || !rest_of_date(x, day, ret_day))
		return false;
	return !quoted || imap_lex_char(x, '"');
}

bool imap_lex_date_time(struct imap_lex *x, int64_t *ret_ms, int *ret_zone)
{
	int32_t date;
	int     day, h, m, s, zone_h, zone_m, zone;
	char    sign;

	if (!imap_lex_char(x, '"') || !digits(x, imap_lex_sp(x) ? 1 : 2, &day) || !rest_of_date(x, day, &date) ||
	    !imap_lex_sp(x) || !digits(x, 2, &h) || !imap_lex_char(x, ':') || !digits(x, 2, &m) ||
	    !imap_lex_char(x, ':') || !digits(x, 2, &s) || !imap_lex_sp(x) || !str_take(&x->in, &sign) ||
	    !digits(x, 2, &zone_h) || !digits(x, 2, &zone_m) || !imap_lex_char(x, '"'))
		return false;
	if (h > 23 || m > 59 || s > 60 || zone_h > 23 || zone_m > 59 || (sign != '+' && sign != '-'))
		return false;
	zone = (zone_h * 60 + zone_m) * (sign == '-' ? -1 : 1);
	*ret_ms = (date * (int64_t)DAY_S + h * 3600 + m * 60 + s - zone * 60) * 1000;
	*ret_zone = zone;
	return true;
}

int32_t imap_day_of(int64_t ms, int zone)
{
	return (int32_t)floor_div(ms + zone * INT64_C(60000), DAY_MS);
}

void imap_print_date_time(struct buf *out, int64_t ms, int zone)
{
	int64_t local = ms + zone * INT64_C(60000);
	int64_t day_number = floor_div(local, DAY_MS);
	int     s = (int)((local - day_number * DAY_MS) / 1000);
	int     year, month, day, east = zone < 0 ? -zone : zone;

	civil_from_days(day_number, &year, &month, &day);
	buf_addf(out, "\"%2d-%.3s-%04d %02d:%02d:%02d %c%02d%02d\"", day, months + 3 * (month - 1), year, s / 3600,
		 s / 60 % 60, s % 60, zone < 0 ? '-' : '+', east / 60, east % 60);
}
