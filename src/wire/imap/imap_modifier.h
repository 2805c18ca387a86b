/* wire/imap/imap_modifier.h - parameters of SELECT, modifiers of FETCH and STORE, names of ENABLE.
 *
 * Grammar, RFC 4466 §2.1 to §2.5 and RFC 7162 §7:
 *   select-params = "(" select-param *(SP select-param) ")"
 *   select-param  = "CONDSTORE" / "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"
 *   seq-match-data = "(" known-sequence-set SP known-uid-set ")"          no "*" in any of the three sets
 *   fetch-modifiers = "(" fetch-modifier *(SP fetch-modifier) ")"
 *   fetch-modifier = "CHANGEDSINCE" SP mod-sequence-value / "VANISHED" / "PARTIAL" SP partial-range
 *   store-modifiers = "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")"
 * Each may stand once. A mod-sequence of 0 is taken everywhere: it means "since ever".
 *
 * Pure. Tests: tests/unit/test_imap_modifier.c, tests/fuzz/fuzz_imap_modifier.c.
 */
#ifndef WIRE_IMAP_IMAP_MODIFIER_H
#define WIRE_IMAP_IMAP_MODIFIER_H

#include "wire/imap/imap_return.h"
#include "wire/imap/imap_set.h"

struct imap_resync {
	uint32_t        uidvalidity; /* not 0 */
	uint64_t        modseq;
	bool            known_given, match_given;
	struct imap_set known;                    /* UIDs that the client has */
	struct imap_set match_numbers, match_uids; /* pairs that it remembers, ascending; of one size */
};
struct imap_select_params {
	bool               condstore, qresync;
	struct imap_resync resync; /* if qresync */
};
/* From "(" to ")". */
MUST_CHECK bool imap_lex_select_params(struct imap_lex *x, struct imap_select_params *ret);

struct imap_fetch_modifiers {
	bool     changed_since; /* with `since` */
	bool     vanished;
	uint64_t since;
	struct imap_partial partial; /* from 0: not given (RFC 9394 §3.3) */
};
MUST_CHECK bool imap_lex_fetch_modifiers(struct imap_lex *x, struct imap_fetch_modifiers *ret);

/* "(UNCHANGEDSINCE n)" */
MUST_CHECK bool imap_lex_store_modifiers(struct imap_lex *x, uint64_t *ret_since);

#endif
