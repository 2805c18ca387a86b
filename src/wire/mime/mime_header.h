/* wire/mime/mime_header.h - the header of a message at the door: what is in it once, twice or not at all; what is missing; what must go.
 *
 * The scan reads names as the most generous reader does: blanks, and folding, between a name and its colon are passed over ("From :",
 * "From" CRLF " :"), because some client will show such a field (cases a10 and a11 of "Composition Kills", USENIX Security 2020).
 *
 * Pure: no I/O, clock or globals. Tests: tests/unit/test_mime_header.c, tests/fuzz/fuzz_mime_header.c.
 */
#ifndef WIRE_MIME_MIME_HEADER_H
#define WIRE_MIME_MIME_HEADER_H

#include "base/arena.h"
#include "base/buf.h"
#include "wire/mime/mime.h"
#include "wire/text/text_date.h"

enum mime_header_name { /* the fields that are counted; order of the table in mime_header.c */
	MIME_HEADER_FROM,
	MIME_HEADER_SENDER,
	MIME_HEADER_DATE,
	MIME_HEADER_MESSAGE_ID,
	MIME_HEADER_RECEIVED,
	MIME_HEADER_TO,
	MIME_HEADER_CC,
	MIME_HEADER_BCC,
	MIME_HEADER_RESENT_FROM,
	MIME_HEADER_RESENT_SENDER,
	MIME_HEADER_RESENT_DATE,
	MIME_HEADER_RESENT_MESSAGE_ID,
	MIME_HEADER_RESENT_TO,
	MIME_HEADER_RESENT_CC,
	MIME_HEADER_RESENT_BCC,
	MIME_HEADER_TLS_REQUIRED, /* RFC 8689 §5 */
	MIME_HEADER_AUTH_RESULTS, /* RFC 8601 §2.2 */
	MIME_HEADER_NAMES,        /* also: none of these */
};

/* One field, or a line that is none (name.n == 0), with the lines that belong to it. Slices borrow from the header. */
struct mime_header_field {
	enum mime_header_name id;
	struct str            name, value, whole; /* as struct mime_field has them */
	bool                  odd; /* blanks or folding before the colon */
};

struct mime_header {
	unsigned   count[MIME_HEADER_NAMES];
	struct str value[MIME_HEADER_NAMES]; /* of the last one */
	bool       odd[MIME_HEADER_NAMES];   /* one of them is odd */
	bool       leading_blank;            /* the first line begins with a blank: it would continue whatever is put before it */
	bool       junk;                     /* a line that is no field */
	bool       ended;                    /* by an empty line; else by the end of what was given */
	size_t     end;                      /* where the empty line begins, or the length */
};

/* The next one; false at the empty line or the end, *rest is then there. */
bool mime_header_next(struct str *rest, struct mime_header_field *ret);
/* All of a message's header. */
void mime_header_scan(struct str message, struct mime_header *ret);
/* There is exactly one "TLS-Required", and it says "No" (RFC 8689 §5). */
bool mime_header_tls_no(const struct mime_header *h);
/* Any Resent- field. */
bool mime_header_resent(const struct mime_header *h);

/* What a message that is sent from here must have (RFC 6409 §8, RFC 5322 §3.6). */
struct mime_header_fill {
	struct text_date when;
	struct str       unique, host;  /* of the Message-ID: <unique@host> */
	struct str       author, display; /* a From field if there is none; author.n == 0: that is not filled in */
};
/* Print the fields that are missing, with their CRLFs; nothing if none is. In a resent message the Resent- fields too. */
void mime_header_complete(const struct mime_header *h, const struct mime_header_fill *fill, struct buf *out);

/* Take fields out of a message whose header begins at `at`: those in the mask (1u << enum mime_header_name); of
 * Authentication-Results only those that claim to be written by `host` (RFC 8601 §5). Returns how many octets went. */
size_t mime_header_drop(struct buf *message, size_t at, unsigned mask, struct str host);

/* ---- the author ---- */

enum mime_from {
	MIME_FROM_OK,
	MIME_FROM_MISSING,
	MIME_FROM_TWICE,   /* more than one field, or one written so that not everybody sees it */
	MIME_FROM_SYNTAX,  /* not of the grammar (RFC 5322 §3.6.2 and §4.4, group syntax by RFC 6854), or a source route */
	MIME_FROM_DOMAINS, /* mailboxes of more than one domain: who is the author? */
};

/* Is there exactly one From field that everybody reads alike? bounce: the reverse-path is null; what mail systems write then is taken
 * too: no From at all, one without a domain ("MAILER-DAEMON"), "<>". Besides the grammar "a@b <a@b>" is taken: it is common, and says
 * one thing only. */
enum mime_from mime_header_from(const struct mime_header *h, bool bounce, struct arena *a);

#endif
