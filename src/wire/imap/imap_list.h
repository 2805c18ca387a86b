/* wire/imap/imap_list.h - what LIST asks for.
 *
 * Grammar, RFC 9051 §9, RFC 5258 §6, RFC 5819, RFC 6154 §6, RFC 8440, RFC 9590:
 *   list        = "LIST" [SP select-opts] SP mailbox SP mbox-or-pat [SP "RETURN" SP "(" [return-opt *(SP return-opt)] ")"]
 *   select-opts = "(" [select-opt *(SP select-opt)] ")"
 *   select-opt  = "SUBSCRIBED" / "REMOTE" / "RECURSIVEMATCH" / "SPECIAL-USE"
 *   mbox-or-pat = list-mailbox / "(" list-mailbox *(SP list-mailbox) ")"
 *   return-opt  = "SUBSCRIBED" / "CHILDREN" / "SPECIAL-USE" / "STATUS" SP status-items / "METADATA" SP entries / "MYRIGHTS"
 * RECURSIVEMATCH needs a selection other than REMOTE beside it. At most LIMIT_IMAP_PATTERNS patterns.
 *
 * Pure. Tests: tests/unit/test_imap_list.c, tests/fuzz/fuzz_imap_command.c.
 */
#ifndef WIRE_IMAP_IMAP_LIST_H
#define WIRE_IMAP_IMAP_LIST_H

#include "wire/imap/imap_metadata.h"

enum imap_list_option { /* bit mask: of selections and of returns */
	IMAP_LIST_SUBSCRIBED = 1u << 0,
	IMAP_LIST_REMOTE = 1u << 1,
	IMAP_LIST_RECURSIVE = 1u << 2,
	IMAP_LIST_SPECIAL = 1u << 3,
	IMAP_LIST_CHILDREN = 1u << 4,
	IMAP_LIST_STATUS = 1u << 5,
	IMAP_LIST_METADATA = 1u << 6,
	IMAP_LIST_MYRIGHTS = 1u << 7, /* RFC 8440 */
};

struct imap_list {
	bool                extended; /* anything of RFC 5258 was used */
	unsigned            select, want; /* enum imap_list_option */
	struct str          reference;
	struct str         *patterns; /* as on the wire */
	size_t              pattern_count;
	unsigned            status; /* enum imap_status_item, if want has STATUS */
	struct imap_entries entries; /* if want has METADATA */
};

/* The arguments, to the end of the command. */
MUST_CHECK bool imap_lex_list(struct imap_lex *x, struct imap_list *ret);

#endif
