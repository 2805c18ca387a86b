/* wire/text/text_date.c - see text_date.h. */
#include "wire/text/text_date.h"

#include <string.h>

#define DAY_MS      ((int64_t)86400000)
#define COMMENT_MAX 100 /* nested comments in a date; deeper ones end it */

static const struct str months[12] = { STR("Jan"), STR("Feb"), STR("Mar"), STR("Apr"), STR("May"), STR("Jun"),
				       STR("Jul"), STR("Aug"), STR("Sep"), STR("Oct"), STR("Nov"), STR("Dec") };
static const struct str weekdays[7] = { STR("Sun"), STR("Mon"), STR("Tue"), STR("Wed"),
					STR("Thu"), STR("Fri"), STR("Sat") };

/* RFC 5322 §4.3; military zones were used with both signs and mean nothing. */
static const struct {
	struct str name;
	int        minutes;
} zones[] = {
	{ STR("UT"), 0 },     { STR("GMT"), 0 },    { STR("UTC"), 0 },    { STR("EST"), -300 }, { STR("EDT"), -240 },
	{ STR("CST"), -360 }, { STR("CDT"), -300 }, { STR("MST"), -420 }, { STR("MDT"), -360 }, { STR("PST"), -480 },
	{ STR("PDT"), -420 }, { STR("WET"), 0 },    { STR("WEST"), 60 },  { STR("BST"), 60 },   { STR("CET"), 60 },
	{ STR("CEST"), 120 }, { STR("MET"), 60 },   { STR("MEST"), 120 }, { STR("EET"), 120 },  { STR("EEST"), 180 },
	{ STR("JST"), 540 },
};

struct civil {
	int64_t  year;
	unsigned month, day, hour, minute, second;
};

int64_t text_date_days(int64_t year, unsigned month, unsigned day)
{
	/* Years start in March, so that the leap day is the last of a year; eras of 400 years are all alike. */
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (int64_t)(month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static struct civil civil_of_days(int64_t days)
{
	int64_t      z = days + 719468;
	int64_t      era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t      doe = z - era * 146097;
	int64_t      yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t      doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t      mp = (5 * doy + 2) / 153;
	struct civil c = { .day = (unsigned)(doy - (153 * mp + 2) / 5 + 1),
			   .month = (unsigned)(mp < 10 ? mp + 3 : mp - 9) };

	c.year = yoe + era * 400 + (c.month <= 2);
	return c;
}

static bool civil_valid(const struct civil *c)
{
	static const unsigned char length[12] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool                       leap = c->year % 4 == 0 && (c->year % 100 != 0 || c->year % 400 == 0);

	return c->month >= 1 && c->month <= 12 && c->day >= 1 && c->day <= length[c->month - 1] &&
	       (c->month != 2 || c->day < 29 || leap) && c->hour < 24 && c->minute < 60 && c->second <= 60;
}

static int64_t civil_ms(const struct civil *c, int zone_minutes)
{
	int64_t seconds = (int64_t)c->hour * 3600 + c->minute * 60 + MIN(c->second, 59u);

	return text_date_days(c->year, c->month, c->day) * DAY_MS + (seconds - (int64_t)zone_minutes * 60) * 1000;
}

static bool month_of(struct str s, unsigned *ret)
{
	for (unsigned i = 0; i < LEN(months); i++)
		if (s.n >= 3 && str_ieq(str_first(s, 3), months[i])) {
			*ret = i + 1;
			return true;
		}
	return false;
}

/* White space, folding and comments. */
static void skip_cfws(struct str *s)
{
	unsigned depth = 0;

	while (s->n > 0) {
		char c = s->p[0];

		if (c == '(' && depth < COMMENT_MAX)
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0)
			*s = str_from(*s, 1);
		else if (depth == 0 && !ascii_is_wsp(c) && c != '\r' && c != '\n')
			return;
		*s = str_from(*s, 1);
	}
}

static struct str take_alpha(struct str *s)
{
	struct str word = { s->p, 0 };

	while (word.n < s->n && ascii_is_alpha(s->p[word.n]))
		word.n++;
	*s = str_from(*s, word.n);
	return word;
}

/* At most `most` digits; returns how many, 0 if there are none or more. */
static size_t take_number(struct str *s, size_t most, unsigned *ret)
{
	size_t   n = 0;
	unsigned v = 0;

	while (n < s->n && ascii_is_digit(s->p[n]) && n <= most)
		v = v * 10 + (unsigned)(s->p[n++] - '0');
	if (n == 0 || n > most)
		return 0;
	*s = str_from(*s, n);
	*ret = v;
	return n;
}

/* hour ":" minute [":" second], blanks and comments between (RFC 5322 §4.3), "." for ":" as some write. */
static bool take_time(struct str *s, struct civil *c)
{
	if (!take_number(s, 2, &c->hour))
		return false;
	skip_cfws(s);
	if (!str_skip_char(s, ':') && !str_skip_char(s, '.'))
		return false;
	skip_cfws(s);
	if (!take_number(s, 2, &c->minute))
		return false;
	skip_cfws(s);
	if (!str_skip_char(s, ':') && !str_skip_char(s, '.'))
		return true;
	skip_cfws(s);
	return take_number(s, 2, &c->second) > 0;
}

static bool take_zone(struct str *s, int *ret)
{
	bool       minus = s->n > 0 && s->p[0] == '-';
	unsigned   v;
	size_t     digits;
	struct str name;

	if (str_skip_char(s, '+') || str_skip_char(s, '-')) {
		digits = take_number(s, 4, &v);
		if (digits < 2)
			return false;
		if (digits == 2)
			v *= 100;
		if (v % 100 > 59)
			return false;
		*ret = (int)(v / 100 * 60 + v % 100) * (minus ? -1 : 1);
		return true;
	}
	*ret = 0;
	name = take_alpha(s);
	for (size_t i = 0; i < LEN(zones); i++)
		if (str_ieq(zones[i].name, name))
			*ret = zones[i].minutes;
	return true; /* RFC 5322 §4.3: an unknown zone is -0000 */
}

static bool take_year(struct str *s, int64_t *ret)
{
	unsigned v;
	size_t   digits = take_number(s, 4, &v);

	if (digits < 2)
		return false;
	/* RFC 5322 §4.3: two digits 00-49 are 20xx, 50-99 and three digits count from 1900. */
	*ret = digits == 4 ? v : digits == 2 && v < 50 ? 2000 + (int64_t)v : 1900 + (int64_t)v;
	return true;
}

static void skip_separator(struct str *s)
{
	skip_cfws(s);
	if (str_skip_char(s, '-') || str_skip_char(s, ',') || str_skip_char(s, '.'))
		skip_cfws(s);
}

/* asctime: month day time [zone] year */
static bool take_ctime(struct str *s, struct civil *c, int *zone)
{
	struct str word;

	skip_separator(s);
	if (!take_number(s, 2, &c->day))
		return false;
	skip_separator(s);
	if (!take_time(s, c))
		return false;
	skip_cfws(s);
	if (s->n > 0 && ascii_is_alpha(s->p[0])) {
		word = *s;
		if (!take_zone(&word, zone))
			return false;
		*s = word;
		skip_cfws(s);
	}
	return take_year(s, &c->year);
}

/* day month year time [zone] */
static bool take_date(struct str *s, struct civil *c, int *zone)
{
	if (!take_number(s, 2, &c->day))
		return false;
	skip_separator(s);
	if (!month_of(take_alpha(s), &c->month))
		return false;
	skip_separator(s);
	if (!take_year(s, &c->year))
		return false;
	skip_separator(s);
	if (!take_time(s, c))
		return false;
	skip_cfws(s);
	return s->n == 0 || take_zone(s, zone);
}

bool text_date_parse(struct str value, struct text_date *ret)
{
	struct civil c = { 0 };
	int          zone = 0;
	struct str   word, s = value;
	bool         ok;

	skip_cfws(&s);
	word = take_alpha(&s);
	skip_separator(&s);
	if (month_of(word, &c.month)) {
		ok = take_ctime(&s, &c, &zone);
	} else if (word.n > 0 && s.n > 0 && ascii_is_alpha(s.p[0])) { /* weekday, month: ctime */
		ok = month_of(take_alpha(&s), &c.month) && take_ctime(&s, &c, &zone);
	} else {
		ok = take_date(&s, &c, &zone);
	}
	if (!ok || !civil_valid(&c))
		return false;
	*ret = (struct text_date){ civil_ms(&c, zone), zone };
	return true;
}

/* The calendar and clock that `d` shows in its zone; years outside 0-9999 are pulled to the nearest. */
static struct civil civil_of(struct text_date d, unsigned *ret_weekday)
{
	int64_t      least = text_date_days(0, 1, 1) * DAY_MS, most = text_date_days(10000, 1, 1) * DAY_MS - 1;
	int64_t      ms = MIN(MAX(d.ms, least), most) + (int64_t)d.zone_minutes * 60000;
	int64_t      days, rest;
	struct civil c;

	ms = MIN(MAX(ms, least), most);
	days = (ms >= 0 ? ms : ms - DAY_MS + 1) / DAY_MS;
	rest = (ms - days * DAY_MS) / 1000;
	c = civil_of_days(days);
	c.hour = (unsigned)(rest / 3600);
	c.minute = (unsigned)(rest / 60 % 60);
	c.second = (unsigned)(rest % 60);
	*ret_weekday = (unsigned)(((days + 4) % 7 + 7) % 7);
	return c;
}

static void zone_write(int minutes, struct buf *out)
{
	unsigned m = (unsigned)(minutes < 0 ? -minutes : minutes) % 6000;

	buf_addf(out, " %c%02u%02u", minutes < 0 ? '-' : '+', m / 60, m % 60);
}

void text_date_write(struct text_date d, struct buf *out)
{
	unsigned     weekday;
	struct civil c = civil_of(d, &weekday);

	buf_addf(out, "%.*s, %u %.*s %04lld %02u:%02u:%02u", STR_FMT(weekdays[weekday]), c.day,
		 STR_FMT(months[c.month - 1]), (long long)c.year, c.hour, c.minute, c.second);
	zone_write(d.zone_minutes, out);
}

static void two_write(char *p, unsigned v)
{
	p[0] = (char)('0' + v / 10);
	p[1] = (char)('0' + v % 10);
}

void text_internaldate_write(struct text_date d, struct buf *out)
{
	unsigned     weekday;
	struct civil c = civil_of(d, &weekday);

	unsigned     zone = (unsigned)(d.zone_minutes < 0 ? -d.zone_minutes : d.zone_minutes);
	char         p[26];

	if (c.year < 0 || c.year > 9999 || zone > 99 * 60 + 59) {
		buf_addf(out, "%2u-%.*s-%04lld %02u:%02u:%02u", c.day, STR_FMT(months[c.month - 1]), (long long)c.year, c.hour, c.minute,
			 c.second);
		zone_write(d.zone_minutes, out);
		return;
	}
	/* Once per row of a mailbox: no printf. */
	memcpy(p, "  -   -     00:00:00 +0000", sizeof(p));
	two_write(p, c.day);
	if (p[0] == '0')
		p[0] = ' ';
	memcpy(p + 3, months[c.month - 1].p, 3);
	two_write(p + 7, (unsigned)c.year / 100);
	two_write(p + 9, (unsigned)c.year % 100);
	two_write(p + 12, c.hour);
	two_write(p + 15, c.minute);
	two_write(p + 18, c.second);
	p[21] = d.zone_minutes < 0 ? '-' : '+';
	two_write(p + 22, zone / 60);
	two_write(p + 24, zone % 60);
	buf_add(out, str_n(p, sizeof(p)));
}

/* date = date-day "-" date-month "-" date-year */
static bool take_imap_date(struct str *s, struct civil *c)
{
	unsigned year;

	if (!take_number(s, 2, &c->day) || !str_skip_char(s, '-') || !month_of(str_first(*s, 3), &c->month))
		return false;
	*s = str_from(*s, 3);
	if (!str_skip_char(s, '-') || take_number(s, 4, &year) != 4)
		return false;
	c->year = year;
	return true;
}

static bool take_two(struct str *s, unsigned *ret)
{
	return take_number(s, 2, ret) == 2;
}

bool text_internaldate_parse(struct str s, struct text_date *ret)
{
	struct civil c = { 0 };
	bool         minus;
	unsigned     zone_hour, zone_minute, zone;

	str_skip_char(&s, ' ');
	if (!take_imap_date(&s, &c) || !str_skip_char(&s, ' '))
		return false;
	if (!take_two(&s, &c.hour) || !str_skip_char(&s, ':') || !take_two(&s, &c.minute) || !str_skip_char(&s, ':') ||
	    !take_two(&s, &c.second) || !str_skip_char(&s, ' '))
		return false;
	minus = s.n > 0 && s.p[0] == '-';
	if ((!str_skip_char(&s, '-') && !str_skip_char(&s, '+')) || take_number(&s, 4, &zone) != 4 || s.n > 0)
		return false;
	zone_hour = zone / 100;
	zone_minute = zone % 100;
	if (zone_minute > 59 || !civil_valid(&c))
		return false;
	zone = zone_hour * 60 + zone_minute;
	*ret = (struct text_date){ civil_ms(&c, minus ? -(int)zone : (int)zone), minus ? -(int)zone : (int)zone };
	return true;
}

bool text_imap_date_parse(struct str s, int64_t *ret_ms)
{
	struct civil c = { 0 };

	if (!take_imap_date(&s, &c) || s.n > 0 || !civil_valid(&c))
		return false;
	*ret_ms = civil_ms(&c, 0);
	return true;
}

/* time-offset = "Z" / ( "+" / "-" ) time-hour ":" time-minute */
static bool take_offset(struct str *s, int *ret_minutes)
{
	unsigned hour, minute;
	bool     minus;

	*ret_minutes = 0;
	if (str_skip(s, STR("Z")))
		return true;
	minus = str_skip_char(s, '-');
	if (!minus && !str_skip_char(s, '+'))
		return false;
	if (!take_two(s, &hour) || !str_skip_char(s, ':') || !take_two(s, &minute) || hour > 23 || minute > 59)
		return false;
	*ret_minutes = (int)(hour * 60 + minute) * (minus ? -1 : 1);
	return true;
}

static bool take_fraction(struct str *s)
{
	size_t n = 0;

	if (!str_skip_char(s, '.'))
		return true;
	while (n < s->n && ascii_is_digit(s->p[n]))
		n++;
	*s = str_from(*s, n);
	return n > 0;
}

bool text_rfc3339_parse(struct str s, int64_t *ret_ms)
{
	struct civil c = { 0 };
	unsigned     year;
	int          zone;

	if (take_number(&s, 4, &year) != 4 || !str_skip_char(&s, '-') || !take_two(&s, &c.month) || !str_skip_char(&s, '-') ||
	    !take_two(&s, &c.day) || !str_skip(&s, STR("T")))
		return false;
	if (!take_two(&s, &c.hour) || !str_skip_char(&s, ':') || !take_two(&s, &c.minute) || !str_skip_char(&s, ':') ||
	    !take_two(&s, &c.second) || !take_fraction(&s) || !take_offset(&s, &zone) || s.n > 0)
		return false;
	c.year = year;
	if (!civil_valid(&c))
		return false;
	*ret_ms = civil_ms(&c, zone);
	return true;
}

void text_rfc3339_write(int64_t ms, struct buf *out)
{
	unsigned     weekday;
	struct civil c = civil_of((struct text_date){ ms, 0 }, &weekday);

	buf_addf(out, "%04lld-%02u-%02uT%02u:%02u:%02uZ", (long long)c.year, c.month, c.day, c.hour, c.minute, c.second);
}
