/* base/arena.h - memory that is freed as a whole, in a tree.
 *
 * An arena belongs to one unit of work: process, session, command, transaction.
 * Freeing a parent frees its children; arena_defer() closes what is not memory, in
 * reverse order. Running out of memory aborts the process (the master restarts it;
 * store and queue recover), so nothing here returns NULL: check sizes that come
 * from outside against a named limit first.
 *
 * Not thread-safe: an arena (and its tree) is used by one thread at a time.
 * Blocks: the first is `ARENA_FIRST` octets, taken when first used, so an idle
 * session's empty arena costs its header only.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

#define ARENA_FIRST ((size_t)512)

struct arena;

/* A child of `parent`, or a root if that is NULL. */
struct arena *arena_new(struct arena *parent);
/* The same, but every block is wiped before it is given back: for secrets. */
struct arena *arena_new_secret(struct arena *parent);
/* Free it with its children and set *a to NULL; NULL inside is fine. */
void arena_free(struct arena **a);
/* Free children, deferred calls and memory, keep the arena. */
void arena_reset(struct arena *a);

/* Zeroed and aligned for any type; n == 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t n);
#define ARENA_NEW(a, type)          ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_array((a), sizeof(type), (count)))
void *arena_array(struct arena *a, size_t size, size_t count); /* aborts on overflow */

struct str arena_dup(struct arena *a, struct str s);
char      *arena_cstr(struct arena *a, struct str s); /* NUL-ended copy */
struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Call fn(arg) when the arena is reset or freed; last in, first out. */
void arena_defer(struct arena *a, void (*fn)(void *), void *arg);

/* Octets taken from the heap by this arena, without its children. */
size_t arena_size(const struct arena *a);

/* For CLEANUP(arena_free) on the stack: same as arena_free. */

#endif
