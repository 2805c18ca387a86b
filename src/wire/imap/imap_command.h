/* wire/imap/imap_command.h - a command: its tag, its name, and the arguments of the smaller ones.
 *
 *   command = tag SP name [SP arguments] CRLF               RFC 9051 §9
 *   tag     = 1*<any ASTRING-CHAR except "+">
 *
 * FETCH, SEARCH, APPEND and sets have files of their own; what is here is read by one handler each.
 *
 * Pure. Tests: tests/unit/test_imap_args.c, tests/fuzz/fuzz_imap_command.c.
 */
#ifndef WIRE_IMAP_IMAP_COMMAND_H
#define WIRE_IMAP_IMAP_COMMAND_H

#include "wire/imap/imap_flag.h"
#include "wire/imap/imap_set.h"

#define IMAP_TAG_MAX 200u /* octets */

struct imap_command {
	struct str      tag;  /* empty if there is none to answer to */
	struct str      name; /* "FETCH"; behind "UID " if uid */
	bool            uid;
	bool            args; /* a space follows the name: x stands behind it */
	struct imap_lex x;
};

/* `text` is a whole command without its last CRLF, literals in place (imap_lex.h). Always sets *ret as far as it could
 * be read, so that a refusal carries the tag. */
bool imap_command_parse(struct str text, struct arena *a, struct imap_command *ret);

/* STORE sequence-set SP ["(UNCHANGEDSINCE" SP n ")" SP] ["+" / "-"] "FLAGS" [".SILENT"] SP flags (RFC 7162 §3.1.3): from
 * behind the set's space to the end. */
enum imap_store_op { IMAP_STORE_REPLACE, IMAP_STORE_ADD, IMAP_STORE_REMOVE };
struct imap_store {
	enum imap_store_op op;
	bool               silent;
	bool               conditional; /* with `unchanged_since` */
	uint64_t           unchanged_since;
	struct imap_flags  flags;
};
MUST_CHECK bool imap_lex_store(struct imap_lex *x, struct imap_store *ret);

/* STATUS items: "(" status-att *(SP status-att) ")" (RFC 9051 §6.3.11; SIZE also RFC 8438; RECENT RFC 3501). */
enum imap_status_item { /* bit mask */
			IMAP_STATUS_MESSAGES = 1u << 0,
			IMAP_STATUS_RECENT = 1u << 1,
			IMAP_STATUS_UIDNEXT = 1u << 2,
			IMAP_STATUS_UIDVALIDITY = 1u << 3,
			IMAP_STATUS_UNSEEN = 1u << 4,
			IMAP_STATUS_DELETED = 1u << 5,
			IMAP_STATUS_SIZE = 1u << 6,
			IMAP_STATUS_DELETED_STORAGE = 1u << 10, /* RFC 9208 §4.1.4 */
			IMAP_STATUS_APPENDLIMIT = 1u << 12, /* RFC 7889 */
			IMAP_STATUS_HIGHESTMODSEQ = 1u << 20, /* RFC 7162 §3.1.7 */
			IMAP_STATUS_MAILBOXID = 1u << 21, /* RFC 8474 */
};
MUST_CHECK bool imap_lex_status(struct imap_lex *x, unsigned *ret_items);

#endif
