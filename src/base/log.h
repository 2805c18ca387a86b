/* base/log.h - structured events, one line each (logfmt).
 *
 * The text is constant, what varies are fields:
 *
 *   log_warn("message refused", LOG_STR("session", id), LOG_U64("size_octets", n));
 *   => t=2026-01-02T03:04:05.678Z lvl=warn role=smtp msg="message refused" session=s1f size_octets=9
 *
 * Values with spaces, quotes, control or 8-bit octets are quoted and escaped, so a
 * peer cannot forge a line; they are cut at LOG_VALUE_MAX. A field whose name is
 * "password", "secret", "token" or "content" prints as "***" whatever the caller gave.
 * A line is one write(); a full pipe drops it and counts (`log_dropped`), never blocks.
 * Thread-safe. Libraries below the sessions log at debug, or not at all.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/status.h"
#include "base/str.h"

#define LOG_VALUE_MAX ((size_t)300)
#define LOG_LINE_MAX  ((size_t)2000)

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct log_field {
	const char *name;
	enum { LOG_FIELD_STR, LOG_FIELD_U64, LOG_FIELD_I64 } kind;
	struct str s;
	uint64_t   u;
};

#define LOG_STR(name, value)  ((struct log_field){ (name), LOG_FIELD_STR, (value), 0 })
#define LOG_C(name, value)    ((struct log_field){ (name), LOG_FIELD_STR, str_of(value), 0 })
#define LOG_U64(name, value)  ((struct log_field){ (name), LOG_FIELD_U64, STR_NONE, (uint64_t)(value) })
#define LOG_I64(name, value)  ((struct log_field){ (name), LOG_FIELD_I64, STR_NONE, (uint64_t)(int64_t)(value) })
#define LOG_ST(name, value)   ((struct log_field){ (name), LOG_FIELD_STR, str_of(status_name(value)), 0 })
#define LOG_ERRNO(value)      ((struct log_field){ "errno", LOG_FIELD_STR, str_of(log_errno_name(value)), 0 })

#define log_event(level, text, ...)                                                                       \
	log_write((level), (text), (const struct log_field[]){ { 0 }, ##__VA_ARGS__ },                     \
	          LEN(((const struct log_field[]){ { 0 }, ##__VA_ARGS__ })))
#define log_debug(text, ...) log_event(LOG_LEVEL_DEBUG, text, ##__VA_ARGS__)
#define log_info(text, ...)  log_event(LOG_LEVEL_INFO, text, ##__VA_ARGS__)
#define log_warn(text, ...)  log_event(LOG_LEVEL_WARN, text, ##__VA_ARGS__)
#define log_error(text, ...) log_event(LOG_LEVEL_ERROR, text, ##__VA_ARGS__)

/* Where lines go and what they are called; before threads start. `role` is kept. */
void log_setup(int fd, const char *role, enum log_level least, enum log_format format);
void log_set_level(enum log_level least);
enum log_level log_get_level(void);

/* fields[0] is a filler that is not printed (it lets the macro take no fields). */
void log_write(enum log_level level, const char *text, const struct log_field *fields, size_t count);

/* Lines dropped since the start because the receiver was full. */
uint64_t log_dropped(void);

/* "ENOSPC" and the like; "E?" when unknown. */
const char *log_errno_name(int err);

#endif
