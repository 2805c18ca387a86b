/* wire/mime/dsn.h - delivery status notifications (RFC 3461, 3462, 3464; with UTF-8 addresses RFC 6533).
 *
 * Pure: one function from facts to the octets of a message, CRLF line ends, multipart/report of three parts: a text that
 * a person understands, the facts for programs, and the original message or its header. 7-bit, unless the address that it
 * goes to needs more, or it goes to one of ours.
 */
#ifndef WIRE_MIME_DSN_H
#define WIRE_MIME_DSN_H

#include "base/buf.h"

#define DSN_NO_TIME INT64_MIN

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED, DSN_EXPANDED };

/* All text may be empty, unless said otherwise; addresses are without "<>". Times are milliseconds since 1970, UTC. */
struct dsn_rcpt {
	struct str      original;   /* ORCPT decoded from xtext, "rfc822;bob@example.org" */
	struct str      final;      /* needed */
	enum dsn_action action;
	struct str      status;     /* "5.1.1"; one of the action's class stands in if it is none */
	struct str      remote_mta; /* host that answered, "mx.example.org" or "mx.example.org [192.0.2.1]:25" */
	struct str      diagnostic; /* its reply in one line; if remote_mta is empty, our own reason */
	int64_t         last_attempt_ms;
	int64_t         retry_until_ms; /* DSN_DELAYED */
};

struct dsn {
	struct str             boundary;   /* needed: unpredictable, at most 60 of RFC 2046's bchars */
	struct str             message_id; /* needed: of the DSN, without "<>" */
	int64_t                date_ms;
	struct str             reporting_mta; /* needed: our host name */
	struct str             from, to;      /* needed: addresses of the DSN's own header */
	struct str             envelope_id;   /* ENVID decoded from xtext */
	int64_t                arrival_ms;
	const struct dsn_rcpt *rcpts;
	size_t                 rcpt_count;
	struct str             content;     /* the original, or as much of it as is at hand */
	bool                   header_only; /* RET=HDRS, or content is not all of the message */
	size_t                 content_max; /* octets to return; a larger original comes back as its header, and so does one with 8-bit
					     * content, unless it is in UTF-8 form or `ours` */
	bool                   ours;        /* who sent it is here: 8-bit content comes back as it is */
	bool                   utf8;        /* the original was sent with SMTPUTF8; implied by any UTF-8 address */
};

enum dsn_need { /* what sending it takes */
	DSN_NEED_8BIT     = 1u << 0, /* 8BITMIME */
	DSN_NEED_SMTPUTF8 = 1u << 1,
};

/* Append the message to `out`; look at out->over. Returns a mask of enum dsn_need. */
unsigned dsn_write(const struct dsn *d, struct buf *out);

#endif
