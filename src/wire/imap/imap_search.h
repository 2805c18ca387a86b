/* wire/imap/imap_search.h - what SEARCH looks for: a tree of keys.
 *
 * Grammar, RFC 9051 §9 and RFC 3501 §9 (NEW, OLD, RECENT), RFC 5032 (OLDER, YOUNGER), RFC 7162 §7 (MODSEQ), RFC 8474 §7
 * (EMAILID, THREADID), RFC 9738 §3.2 (UIDAFTER, UIDBEFORE), RFC 8514 §5 (SAVEDBEFORE and the like), RFC 5182 §5 ("$" as a set):
 *   search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)
 *   search-key     = "ALL" / flag names / "KEYWORD" SP atom / "FROM" SP astring / "HEADER" SP astring SP astring /
 *                    "SINCE" SP date / "LARGER" SP number / "UID" SP sequence-set / "NOT" SP search-key /
 *                    "OR" SP search-key SP search-key / sequence-set / "(" search-key *(SP search-key) ")" /
 *                    "MODSEQ" [SP entry-name SP entry-type-req] SP number64 / "EMAILID" SP objectid / ...
 *
 * SORT and THREAD have their charset always, and without the word: imap_lex_charset, then imap_lex_keys.
 * Keys that stand side by side must all hold. At most LIMIT_IMAP_DEPTH parentheses, NOTs and ORs within each other.
 *
 * Pure. Tests: tests/unit/test_imap_args.c, tests/unit/test_imap_search.c, tests/fuzz/fuzz_imap_command.c.
 */
#ifndef WIRE_IMAP_IMAP_SEARCH_H
#define WIRE_IMAP_IMAP_SEARCH_H

#include "wire/imap/imap_set.h"

enum imap_key_kind {
	IMAP_KEY_ALL,
	IMAP_KEY_FLAGS,   /* (flags & mask) == want */
	IMAP_KEY_KEYWORD, /* text */
	IMAP_KEY_UNKEYWORD,
	IMAP_KEY_SEQ, /* set */
	IMAP_KEY_UID,
	IMAP_KEY_UIDAFTER, /* number: UIDs above it */
	IMAP_KEY_UIDBEFORE,
	IMAP_KEY_BEFORE, /* day: INTERNALDATE, without time and zone */
	IMAP_KEY_ON,
	IMAP_KEY_SINCE,
	IMAP_KEY_SENTBEFORE, /* day: Date field */
	IMAP_KEY_SENTON,
	IMAP_KEY_SENTSINCE,
	IMAP_KEY_LARGER, /* number: octets */
	IMAP_KEY_SMALLER,
	IMAP_KEY_OLDER, /* number: seconds */
	IMAP_KEY_YOUNGER,
	IMAP_KEY_HEADER, /* field name, text; empty text: the field is there */
	IMAP_KEY_BODY,   /* text */
	IMAP_KEY_TEXT,
	IMAP_KEY_MODSEQ, /* number: modseq of the message at least that */
	IMAP_KEY_EMAILID, /* text */
	IMAP_KEY_THREADID,
	IMAP_KEY_SAVEDBEFORE, /* day: when it came into the mailbox, UTC */
	IMAP_KEY_SAVEDON,
	IMAP_KEY_SAVEDSINCE,
	IMAP_KEY_NOT, /* child */
	IMAP_KEY_OR,  /* child, child->next */
	IMAP_KEY_AND, /* all children */
};

struct imap_key {
	struct imap_key   *next, *child;
	enum imap_key_kind kind;
	unsigned           mask, want; /* enum imap_flag */
	struct str         field, text;
	struct imap_set    set;
	int32_t            day;
	uint64_t           number;
};

enum imap_search_err {
	IMAP_SEARCH_OK,
	IMAP_SEARCH_SYNTAX,
	IMAP_SEARCH_CHARSET, /* neither US-ASCII nor UTF-8: NO [BADCHARSET] */
	IMAP_SEARCH_TEXT,    /* a text that is not of its charset */
};

struct imap_search {
	struct imap_key *root;    /* an IMAP_KEY_AND */
	bool             charset; /* CHARSET was given: not once UTF-8 is enabled (RFC 9755 §3, RFC 9051 §6.4.4) */
	bool             ascii;   /* and was US-ASCII */
	bool             modseq;  /* a MODSEQ key is there: the highest modseq is told with the result (RFC 7162 §3.1.5) */
	bool             numbers; /* message numbers stand in it */
	bool             saved;   /* "$" does */
};

/* search-program, to the end. */
MUST_CHECK enum imap_search_err imap_lex_search(struct imap_lex *x, struct imap_search *ret);
/* The two parts of it. `ret` is zeroed before the first. */
MUST_CHECK enum imap_search_err imap_lex_charset(struct imap_lex *x, struct imap_search *ret);
MUST_CHECK enum imap_search_err imap_lex_keys(struct imap_lex *x, struct imap_search *ret);

#endif
