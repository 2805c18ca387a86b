/* wire/imap/imap_url.h - IMAP URLs that name a message or a part of one, as CATENATE takes them (RFC 4469 §3).
 *
 * Grammar, RFC 5092 §11 (only what names octets; no lists, searches or URLAUTH):
 *   url       = ["imap:"] ["//" [user [";AUTH=" type] "@"] host [":" port]] "/" mailbox [";UIDVALIDITY=" n] "/" part
 *             / part                                      relative to the selected mailbox
 *   part      = ";UID=" n ["/;SECTION=" section] ["/;PARTIAL=" from ["." count]]
 *
 * Texts come decoded ("%20"); a mailbox is UTF-8. No part is longer than the URL: LIMIT_IMAP_URL.
 *
 * Pure. Tests: tests/unit/test_imap_append.c, tests/fuzz/fuzz_imap_append.c.
 */
#ifndef WIRE_IMAP_IMAP_URL_H
#define WIRE_IMAP_IMAP_URL_H

#include "base/arena.h"
#include "base/limits.h"

struct imap_url {
	bool       server; /* user and host are given */
	struct str user, host; /* user.p == NULL: none */
	bool       selected; /* no mailbox: the selected one is meant */
	struct str mailbox;
	uint32_t   uidvalidity; /* 0: any */
	uint32_t   uid;
	struct str section; /* "" is the whole message; else what stands in BODY[...] */
	bool       partial;
	uint32_t   from, count; /* count 0: to the end */
};

MUST_CHECK bool imap_url_parse(struct str url, struct arena *a, struct imap_url *ret);

#endif
