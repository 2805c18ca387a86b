/* base/buf.h - a growing buffer that cannot be made without a maximum.
 *
 * Going over the maximum adds nothing and sets `over`, which stays: a caller adds
 * many pieces and looks once, at the end. Growth doubles; running out of memory
 * aborts (see arena.h). The octets belong to the buffer until buf_done/buf_take.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/arena.h"

struct buf {
	char  *p;
	size_t n, cap, max;
	bool   over; /* something did not fit */
};

void buf_init(struct buf *b, size_t max_octets);
void buf_done(struct buf *b);  /* frees; the struct is then as after init */
void buf_clear(struct buf *b); /* empty and not over, memory kept */
/* Give back memory over `keep` octets; only when empty. */
void buf_shrink(struct buf *b, size_t keep);

/* Each returns false, with nothing added, if it does not fit the maximum. */
bool buf_add(struct buf *b, struct str s);
bool buf_add_char(struct buf *b, char c);
bool buf_add_u64(struct buf *b, uint64_t v);      /* decimal */
bool buf_add_hex(struct buf *b, struct str s);    /* two lower-case digits per octet */
bool buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Big-endian fixed-width numbers, for binary formats. */
bool buf_add_be(struct buf *b, uint64_t v, unsigned octets);

/* Put s before the octet at position `at` (at most n). */
bool buf_insert(struct buf *b, size_t at, struct str s);

/* Room for n more octets: write there, then buf_commit(what was written). NULL: over. */
char *buf_room(struct buf *b, size_t n);
void  buf_commit(struct buf *b, size_t n);
/* Drop the first n octets. */
void buf_consume(struct buf *b, size_t n);

static inline struct str buf_str(const struct buf *b) { return (struct str){ b->p, b->n }; }

#endif
