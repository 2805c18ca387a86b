/* imap/imap_content.h - octets of a message for FETCH and CATENATE: what imap_content.c and imap_binary.c share. Inside imap/ only. */
#ifndef IMAP_IMAP_CONTENT_H
#define IMAP_IMAP_CONTENT_H

#include "imap/imap_session.h"
#include "wire/imap/imap_fetch.h"

#define IMAP_CONTENT_PIECE (64 * KIB) /* read at once */

struct imap_run {
	bool     none; /* there is no such part: NIL */
	uint64_t at, n;
};

/* Where the octets of a section stand in the message; of HEADER.FIELDS, the header that they are picked from. */
struct imap_run imap_section_run(const struct imap_section *section, const struct store_email *e);
/* What of a run a partial fetch takes. */
struct imap_run imap_run_cut(const struct imap_section *section, struct imap_run r);
/* "BODY[1]<0>" */
void imap_section_head_put(struct imap_session *s, const struct imap_section *section);
/* n octets of the message to the end of the output; what comes is checked. */
MUST_CHECK enum status imap_piece_read(struct imap_session *s, const struct store_email *e, uint64_t at, size_t n);
/* " {n}" and the octets. */
enum imap_content imap_run_put(struct imap_session *s, const struct imap_section *section, const struct store_email *e, struct imap_run r);

/* BINARY[...] and BINARY.SIZE[...] (imap_binary.c). */
enum imap_content imap_put_binary(struct imap_session *s, const struct imap_section *section, const struct store_email *e);
/* False: a section wants something decoded whose encoding nobody knows (RFC 3516 §4.3: UNKNOWN-CTE). */
bool imap_binary_known(const struct imap_section *sections, const struct store_email *e);
/* The beginning of the text as an nstring (imap_binary.c, RFC 8970). */
MUST_CHECK enum status imap_put_preview(struct imap_session *s, const struct store_email *e);

/* ENVELOPE, BODY and BODYSTRUCTURE as a client sees them that has enabled UTF8=ACCEPT: 8-bit octets of the header raw and not encoded
 * (imap_utf8.c). `facts` says which are there. What cannot be read stays as it is, which is legal too. */
void imap_utf8_facts(struct imap_session *s, unsigned facts, struct store_email *e, struct arena *arena);

/* A section, in pieces, of an account that is open; the first status that is not ST_OK ends it. ST_NOT_FOUND: there is no such part. */
struct imap_reader {
	enum status (*take)(void *ctx, struct str octets);
	void *ctx;
};
MUST_CHECK enum status imap_section_read(struct store_account *a, const struct imap_section *section, const struct store_email *e,
					 const struct imap_reader *to);

#endif
