/* wire/mime/mime.h - the one MIME parser: structure by offsets, facts for ENVELOPE and BODYSTRUCTURE, ambiguity flags.
 *
 * Tolerant but flagging: any octets give a legal tree; whatever two programs might read differently sets a bit in `flags`
 * (RFC 2045-2049, 5322; the families of "Inbox Invasion", CCS 2024). Everything is offsets into the message and slices that borrow
 * from it or from the arena; the message itself is not changed or copied.
 *
 * Pure: no I/O, clock or globals. Limits: LIMIT_MIME_*, LIMIT_HEADER_*; past one the rest is one opaque part and
 * MIME_FLAG_LIMIT is set.
 */
#ifndef WIRE_MIME_MIME_H
#define WIRE_MIME_MIME_H

#include "base/arena.h"
#include "base/buf.h"

enum mime_flag { /* bit mask; stored: append only */
	MIME_FLAG_LIMIT          = 1u << 0,  /* a limit was reached */
	MIME_FLAG_DUP_FIELD      = 1u << 1,  /* Content-Type, -Transfer-Encoding, -Disposition or MIME-Version twice */
	MIME_FLAG_BAD_FIELD      = 1u << 2,  /* a header line that is no field, or space before the colon */
	MIME_FLAG_BAD_TYPE       = 1u << 3,  /* Content-Type not of the grammar */
	MIME_FLAG_BAD_CTE        = 1u << 4,  /* unknown or malformed Content-Transfer-Encoding */
	MIME_FLAG_DUP_PARAM      = 1u << 5,
	MIME_FLAG_BAD_BOUNDARY   = 1u << 6,  /* missing, empty, over 70 octets, odd characters, RFC 2231; text behind one */
	MIME_FLAG_NO_CLOSE       = 1u << 7,  /* no closing delimiter */
	MIME_FLAG_BOUNDARY_CLASH = 1u << 8,  /* inner boundary equals, or is a prefix of, an outer one */
	MIME_FLAG_BARE_EOL       = 1u << 9,  /* bare CR or LF */
	MIME_FLAG_NUL            = 1u << 10,
	MIME_FLAG_8BIT_HEADER    = 1u << 11, /* octets over 127 in a header */
	MIME_FLAG_NO_SEPARATOR   = 1u << 12, /* header ended by a line that is neither field nor empty */
	MIME_FLAG_PREAMBLE       = 1u << 13, /* text before the first or after the last delimiter */
	MIME_FLAG_DUP_FROM       = 1u << 14, /* From, Sender, To, Subject, Date, Message-ID ... more than once where once is allowed */
	MIME_FLAG_CTE_COMPOSITE  = 1u << 15, /* base64 or quoted-printable on multipart or message */
	MIME_FLAG_NO_FINAL_EOL   = 1u << 16, /* the last line has no line end */
};

struct mime_param {
	/* value decoded: quotes, RFC 2231 continuations and charset to UTF-8 where possible. Encoded words, which do not
	 * belong there but are common in file names, stay: mime_decode_words() for people to read. */
	struct str name, value;
};

struct mime_part {
	struct mime_part *parent, *child, *next; /* child: first; multipart's parts, or the message of message/rfc822 */
	/* Offsets in octets from the start of the whole message. */
	size_t header_at, header_n; /* fields with the empty line that ends them */
	size_t body_at, body_n;     /* without the line end that belongs to the delimiter */
	size_t lines;               /* line ends in the body */
	struct str         type, subtype; /* upper case; defaults filled in (TEXT/PLAIN, MESSAGE/RFC822 in digest) */
	struct mime_param *params;
	size_t             param_count;
	struct str         encoding; /* upper case: 7BIT unless given */
	struct str         id, description, md5, location; /* raw, unfolded; STR_NONE if absent */
	struct str         disposition;
	struct mime_param *disposition_params;
	size_t             disposition_param_count;
	struct str         language; /* raw field value */
	/* message: message/rfc822 or message/global, child is a whole message with its own header, and there always. Not set
	 * if such a part is encoded (MIME_FLAG_CTE_COMPOSITE): it has no child then. multipart: child may be NULL. */
	bool multipart, message;
};

struct mime {
	struct mime_part *root;
	unsigned          flags;
	size_t            part_count;
};

/* Parse a whole message (CRLF line ends; bare LF is read as a line end too, and flagged). Never fails. */
void mime_parse(struct str message, struct arena *a, struct mime *ret);

/* The part of an IMAP section number such as "1.2.3" (RFC 9051 §6.4.5.1); NULL if there is none. "" is the root. A single-part
 * message has part 1: its body. */
const struct mime_part *mime_section(const struct mime *m, struct str section);

/* ENVELOPE and BODYSTRUCTURE/BODY as IMAP prints them, with the parentheses; 8-bit header octets are encoded (RFC 2047), and
 * message/global is not looked into, when !utf8. Bounded by LIMIT_ENVELOPE and LIMIT_BODYSTRUCTURE (out->max): past it a legal shorter form. */
void mime_print_envelope(struct str message, const struct mime_part *header_of, bool utf8, struct buf *out);
void mime_print_structure(struct str message, const struct mime_part *part, bool extensible, bool utf8, struct buf *out);

/* ---- header fields ---- */
struct mime_field {
	struct str name;  /* as written */
	struct str value; /* raw: behind the colon, with folding, without the final line end */
	struct str whole; /* from the name through the final line end */
};
/* Iterate over a header block: struct str rest = header; while (mime_field_next(&rest, &f)) ... Stops at the empty line.
 * A line that is no field is skipped as part of the one before. */
bool mime_field_next(struct str *rest, struct mime_field *ret);
/* First field of that name (case folded). */
bool mime_field_find(struct str header, struct str name, struct mime_field *ret);
/* Value without folding and outer white space. */
struct str mime_unfold(struct arena *a, struct str value);
/* Received fields of a header block (or of a whole message): hops so far, RFC 5321 §6.3. */
unsigned mime_received_count(struct str header);

/* For sorting and threading. */
struct mime_summary {
	struct str subject;     /* decoded to UTF-8 */
	struct str from, to, cc; /* raw values, unfolded */
	struct str message_id, in_reply_to, references; /* raw, unfolded */
	int64_t    date_ms;     /* of the Date field; INT64_MIN if missing or bad */
};
void mime_summary(struct str message, const struct mime *m, struct arena *a, struct mime_summary *ret);

/* ---- decoding ---- */
/* Decode a body by its transfer encoding; false if it is unknown (out is then the raw body). Lenient on bad input. */
bool mime_decode_body(struct str body, struct str encoding, struct buf *out);
/* Encoded words (RFC 2047) to UTF-8. */
struct str mime_decode_words(struct arena *a, struct str value);

#endif
