/* base/log.c - see log.h. */
#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

static struct {
	int             fd;
	const char     *role;
	_Atomic int     least;
	enum log_format format;
	_Atomic uint64_t dropped;
} logger = { .fd = 2, .role = "postrider", .least = LOG_LEVEL_INFO };

static const char *const level_names[] = { "debug", "info", "warn", "error" };

void log_setup(int fd, const char *role, enum log_level least, enum log_format format)
{
	logger.fd = fd;
	logger.role = role;
	logger.least = least;
	logger.format = format;
}

void log_set_level(enum log_level least)
{
	logger.least = least;
}

enum log_level log_get_level(void)
{
	return (enum log_level)logger.least;
}

uint64_t log_dropped(void)
{
	return logger.dropped;
}

const char *log_errno_name(int err)
{
	const char *name = strerrorname_np(err);

	return name ? name : "E?";
}

/* A line under construction on the stack: what does not fit is cut. */
struct line {
	char   p[LOG_LINE_MAX + 1];
	size_t n;
};

static void put(struct line *l, const char *p, size_t n)
{
	n = MIN(n, LOG_LINE_MAX - l->n);
	memcpy(l->p + l->n, p, n);
	l->n += n;
}

static void put_c(struct line *l, const char *c)
{
	put(l, c, strlen(c));
}

/* What some readers of UTF-8 take for the end of a line or for a control: U+0080 to U+009F, U+2028, U+2029. How many octets of s it
 * has; 0: something else. */
static size_t control_n(struct str s, unsigned *ret_code)
{
	const unsigned char *p = (const unsigned char *)s.p;

	if (s.n >= 2 && p[0] == 0xc2 && p[1] < 0xa0) {
		*ret_code = p[1];
		return 2;
	}
	if (s.n >= 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9)) {
		*ret_code = 0x2000u + (p[2] & 0x3fu);
		return 3;
	}
	return 0;
}

static bool plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 127 || str_find(STR("\"\\="), s.p[i]) >= 0)
			return false;
	return s.n > 0;
}

/* JSON's string syntax serves logfmt as well; octets over 127 are kept if the value is UTF-8, but for U+0080 to U+009F: to a terminal some of
 * them are what "ESC [" is. */
static void put_quoted(struct line *l, struct str s)
{
	bool utf8 = str_is_utf8(s);

	put_c(l, "\"");
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		unsigned      code = c;
		size_t        n = utf8 ? control_n(str_from(s, i), &code) : 0;
		char          esc[12];

		if (c == '"' || c == '\\') {
			put(l, (char[]){ '\\', (char)c }, 2);
		} else if (c < ' ' || c == 127 || (c > 127 && !utf8) || n > 0) {
			snprintf(esc, sizeof(esc), "\\u%04x", code);
			put_c(l, esc);
			i += n > 0 ? n - 1 : 0;
		} else {
			put(l, &s.p[i], 1);
		}
	}
	put_c(l, "\"");
}

static bool secret_name(const char *name)
{
	static const char *const secrets[] = { "password", "secret", "token", "content" };

	for (size_t i = 0; i < LEN(secrets); i++)
		if (strcmp(name, secrets[i]) == 0)
			return true;
	return false;
}

static void put_name(struct line *l, const char *name)
{
	bool json = logger.format == LOG_FORMAT_JSON;

	put_c(l, json ? (l->n == 1 ? "\"" : ",\"") : (l->n ? " " : ""));
	put_c(l, name);
	put_c(l, json ? "\":" : "=");
}

static void put_str(struct line *l, const char *name, struct str value)
{
	put_name(l, name);
	value = secret_name(name) ? STR("***") : str_first(value, LOG_VALUE_MAX);
	if (logger.format == LOG_FORMAT_JSON || !plain(value))
		put_quoted(l, value);
	else
		put(l, value.p, value.n);
}

static void put_field(struct line *l, const struct log_field *f)
{
	char num[24];

	if (f->kind == LOG_FIELD_STR) {
		put_str(l, f->name, f->s);
		return;
	}
	put_name(l, f->name);
	if (f->kind == LOG_FIELD_U64)
		snprintf(num, sizeof(num), "%llu", (unsigned long long)f->u);
	else
		snprintf(num, sizeof(num), "%lld", (long long)f->u);
	put_c(l, num);
}

static void put_head(struct line *l, enum log_level level, const char *text)
{
	struct timespec now;
	struct tm       tm;
	char            stamp[96];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	snprintf(stamp, sizeof(stamp), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
	         tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
	if (logger.format == LOG_FORMAT_JSON)
		put_c(l, "{");
	put_str(l, "t", str_of(stamp));
	put_str(l, "lvl", str_of(level_names[level]));
	put_str(l, "role", str_of(logger.role));
	put_str(l, "msg", str_of(text));
}

void log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count)
{
	struct line l;
	ssize_t     put_n;

	l.n = 0;
	if ((int)level < logger.least)
		return;
	put_head(&l, level, text);
	for (size_t i = 1; i < count; i++)
		put_field(&l, &fields[i]);
	if (logger.format == LOG_FORMAT_JSON)
		put_c(&l, "}");
	l.p[l.n++] = '\n';
	do
		put_n = write(logger.fd, l.p, l.n);
	while (put_n < 0 && errno == EINTR);
	if (put_n != (ssize_t)l.n)
		logger.dropped++;
}
