/* milter/filter_conf.h - the settings filter.milters, filter.policy and filter.content: one text each, parsed here alone.
 *
 *   list    = filter *( "," filter )                                    milters, policy
 *   filter  = address *( SP option "=" value )
 *   address = "inet:" host ":" port          host "[...]" if it is an IPv6 address       (as in Postfix)
 *           / ( "inet:" / "inet6:" ) port "@" host                                       (as in Sendmail)
 *   option  = "default"    accept, tempfail, reject, quarantine: what happens when the filter fails
 *           / "timeout"    for the answer to one command            (30s)
 *           / "content"    milter: for body and end of message      (5m)
 *           / "total"      for all of one message                   (10m)
 *           / "listeners"  "smtp", "submission" or both with "+"    (both)
 *           / "stages"     policy: "rcpt", "data", "end", with "+"  (rcpt)
 *   content = ( "smtp:" / "lmtp:" ) host ":" port
 *
 * Sockets of the file system are refused with a word of why: the process that connects for us can open internet sockets only.
 *
 * Pure. Tests: tests/unit/test_filter_conf.c.
 */
#ifndef MILTER_FILTER_CONF_H
#define MILTER_FILTER_CONF_H

#include "base/limits.h"
#include "base/str.h"

enum filter_kind { FILTER_MILTER, FILTER_POLICY };

enum filter_default { FILTER_ACCEPT, FILTER_TEMPFAIL, FILTER_REJECT, FILTER_QUARANTINE };

enum filter_where { /* bit mask */
	FILTER_AT_SMTP       = 1u << 0,
	FILTER_AT_SUBMISSION = 1u << 1,
};

enum filter_stage { /* bit mask, policy */
	FILTER_STAGE_RCPT = 1u << 0,
	FILTER_STAGE_DATA = 1u << 1,
	FILTER_STAGE_END  = 1u << 2,
};

/* Slices borrow from the setting's text. */
struct filter_conf {
	struct str          address; /* as written */
	struct str          host;    /* without brackets */
	uint32_t            port;
	enum filter_default fallback;
	unsigned            where, stages;
	unsigned            timeout_ms, content_ms, total_ms;
};

struct filter_list {
	struct filter_conf filters[MAX(LIMIT_MILTERS, LIMIT_POLICIES)];
	unsigned           count;
};

/* An empty text is an empty list. False: *ret_why (constant text) says what is wrong with *ret_at, a part of `text`. */
MUST_CHECK bool filter_list_parse(enum filter_kind kind, struct str text, enum filter_default fallback, struct filter_list *ret,
				  const char **ret_why, struct str *ret_at);
/* "tempfail" ... */
MUST_CHECK bool filter_default_parse(struct str word, enum filter_default *ret);
/* "smtp:host:port" or "lmtp:host:port". *ret_relay is "host:port" or "lmtp:host:port", as a route of the queue has it. */
MUST_CHECK bool filter_content_parse(struct str text, struct str *ret_relay, const char **ret_why);

/* Names a filter between two processes that read the same setting, so that neither takes one for another after a reload. */
uint64_t filter_check(const struct filter_conf *f);

#endif
