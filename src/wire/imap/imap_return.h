/* wire/imap/imap_return.h - what SEARCH, SORT and ESEARCH are to tell.
 *
 * Grammar, RFC 4466 §6, RFC 4731 §3.1, RFC 5182 §5, RFC 5267 §5, RFC 9394 §4:
 *   return-opts   = "RETURN" SP "(" [opt *(SP opt)] ")"
 *   opt           = "MIN" / "MAX" / "ALL" / "COUNT" / "SAVE" / "CONTEXT" / "PARTIAL" SP partial-range /
 *                   "UPDATE" [[SP] "(" fetch-att *(SP fetch-att) ")"]       RFC 5465 §7, §8; its example has the space
 *   partial-range = nz-number ":" nz-number / "-" nz-number ":" "-" nz-number
 *
 * "()" is ALL. Not both ALL and PARTIAL, and PARTIAL once (RFC 9394 §3.1).
 *
 * Pure. Tests: tests/unit/test_imap_search.c, tests/fuzz/fuzz_imap_command.c.
 */
#ifndef WIRE_IMAP_IMAP_RETURN_H
#define WIRE_IMAP_IMAP_RETURN_H

#include "wire/imap/imap_fetch.h"

enum imap_return_opt { /* bit mask */
	IMAP_RETURN_MIN = 1u << 0,
	IMAP_RETURN_MAX = 1u << 1,
	IMAP_RETURN_ALL = 1u << 2,
	IMAP_RETURN_COUNT = 1u << 3,
	IMAP_RETURN_SAVE = 1u << 4,
	IMAP_RETURN_PARTIAL = 1u << 5,
	IMAP_RETURN_UPDATE = 1u << 6,
	IMAP_RETURN_CONTEXT = 1u << 7, /* a hint only */
};
#define IMAP_RETURN_TOLD (IMAP_RETURN_MIN | IMAP_RETURN_MAX | IMAP_RETURN_ALL | IMAP_RETURN_COUNT | IMAP_RETURN_PARTIAL)

struct imap_partial {
	struct str text;     /* as the client wrote it */
	bool       back;     /* counted from the end */
	uint32_t   from, to; /* from 1; from <= to */
};

struct imap_return {
	bool                given; /* RETURN was there: the answer is ESEARCH */
	unsigned            what;  /* enum imap_return_opt */
	struct imap_partial partial;
	struct str          fetch; /* UPDATE: "(item ...)" of messages that come into the result, checked; empty: none */
};

/* "RETURN (...)" if it stands next; nothing is taken if not. */
MUST_CHECK bool imap_lex_return(struct imap_lex *x, struct imap_return *ret);
/* From behind "PARTIAL ". */
MUST_CHECK bool imap_lex_partial(struct imap_lex *x, struct imap_partial *ret);
/* Which of `count` results those are: places from *ret_first on (from 0), *ret_n of them. */
void imap_partial_cut(const struct imap_partial *p, uint64_t count, uint64_t *ret_first, uint64_t *ret_n);

#endif
