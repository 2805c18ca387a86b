/* base/base.h - what every file may use: lengths of arrays, must-check, CHECK.
 *
 * CHECK() states what must be true if the program has no bug. It is always
 * compiled in; when it fails the process aborts and the master restarts it.
 * Bad input and outside failures are never CHECKed, they are returned.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEN(array)           (sizeof(array) / sizeof((array)[0]))
#define MUST_CHECK           __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, va) __attribute__((format(printf, fmt, va), nonnull(fmt)))
#define NORETURN             __attribute__((noreturn))
#define CLEANUP(fn)          __attribute__((cleanup(fn)))

#define KIB ((size_t)1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

#define CHECK(cond) ((cond) ? (void)0 : check_failed(#cond, __FILE__, __LINE__))

/* A place that is never reached, if the program has no bug. */
#define BUG(text) check_failed(text, __FILE__, __LINE__)

/* Print the failed condition to stderr and abort. */
NORETURN void check_failed(const char *cond, const char *file, int line);

/* The enclosing object of a member: from a list link back to its owner. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define MIN(a, b) ((a) < (b) ? (a) : (b)) /* evaluates an argument twice */
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
