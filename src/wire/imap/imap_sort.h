/* wire/imap/imap_sort.h - how SORT orders, and which THREAD algorithm.
 *
 * Grammar, RFC 5256 §5, RFC 5957 §5:
 *   sort-criteria  = "(" sort-criterion *(SP sort-criterion) ")"
 *   sort-criterion = ["REVERSE" SP] sort-key
 *   sort-key       = "ARRIVAL" / "CC" / "DATE" / "FROM" / "SIZE" / "SUBJECT" / "TO" / "DISPLAYFROM" / "DISPLAYTO"
 *   thread-alg     = "ORDEREDSUBJECT" / "REFERENCES" / "REFS"
 *
 * Pure. Tests: tests/unit/test_imap_search.c, tests/fuzz/fuzz_imap_command.c.
 */
#ifndef WIRE_IMAP_IMAP_SORT_H
#define WIRE_IMAP_IMAP_SORT_H

#include "wire/imap/imap_lex.h"

#define IMAP_SORT_MAX 16u /* criteria; a key that stands there before adds nothing, so there is no need for more than nine */

enum imap_sort_key {
	IMAP_SORT_ARRIVAL,
	IMAP_SORT_CC,
	IMAP_SORT_DATE,
	IMAP_SORT_FROM,
	IMAP_SORT_SIZE,
	IMAP_SORT_SUBJECT,
	IMAP_SORT_TO,
	IMAP_SORT_DISPLAYFROM,
	IMAP_SORT_DISPLAYTO,
};

struct imap_sort {
	size_t count;
	struct {
		enum imap_sort_key key;
		bool               reverse;
	} by[IMAP_SORT_MAX];
};

MUST_CHECK bool imap_lex_sort(struct imap_lex *x, struct imap_sort *ret);

enum imap_thread_kind { IMAP_THREAD_ORDEREDSUBJECT, IMAP_THREAD_REFERENCES, IMAP_THREAD_REFS };
MUST_CHECK bool imap_lex_thread(struct imap_lex *x, enum imap_thread_kind *ret);

#endif
