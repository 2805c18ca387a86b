/* base/metric.h - what a process counts, for monitoring: one table of counters and gauges, one number each.
 *
 * A role's process counts what is its own; the runtime hands the numbers on (role/role_metrics.h), and `postrider metrics`
 * prints them all in the Prometheus text format. Every row is printed from the start on, with zero if nothing has happened: an absent
 * series and a quiet one are different things to who watches.
 *
 * Names and labels are a stable contract. The enum is part of the channel protocol: append only.
 * Thread-safe; adding costs one atomic addition.
 */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include "base/base.h"

enum metric {
	METRIC_SMTP_CONNECTIONS,
	METRIC_SMTP_CONNECTIONS_REFUSED,
	METRIC_SMTP_SESSIONS,
	METRIC_SMTP_MESSAGES_ACCEPTED,
	METRIC_SMTP_MESSAGES_REFUSED,
	METRIC_SMTP_MESSAGES_DEFERRED,
	METRIC_SMTP_RCPTS_ACCEPTED,
	METRIC_SMTP_RCPTS_REFUSED,
	METRIC_SMTP_RCPTS_DEFERRED,
	METRIC_SMTP_OCTETS,
	METRIC_SMTP_TLS,
	METRIC_SMTP_SIGNINS_ACCEPTED,
	METRIC_SMTP_SIGNINS_REFUSED,
	METRIC_SMTP_PROTOCOL_ERRORS,
	METRIC_IMAP_CONNECTIONS,
	METRIC_IMAP_CONNECTIONS_REFUSED,
	METRIC_IMAP_SESSIONS,
	METRIC_IMAP_SIGNINS_ACCEPTED,
	METRIC_IMAP_SIGNINS_REFUSED,
	METRIC_QUEUE_MESSAGES,
	METRIC_QUEUE_HELD,
	METRIC_QUEUE_IN_FLIGHT,
	METRIC_QUEUE_SUBMITTED,
	METRIC_QUEUE_DELIVERED,
	METRIC_QUEUE_BOUNCED,
	METRIC_QUEUE_FULL,
	METRIC_QUEUE_SUSPECT,
	METRIC_TRACE_EVENTS,
	METRIC_TRACE_DROPPED,
	METRIC_LOCAL_DELIVERED,
	METRIC_LOCAL_DEFERRED,
	METRIC_LOCAL_REFUSED,
	METRIC_REMOTE_DELIVERED,
	METRIC_REMOTE_DEFERRED,
	METRIC_REMOTE_REFUSED,
	METRIC_REMOTE_TLS,
	METRIC_REMOTE_CLEAR,
	METRIC_DNS_LOOKUPS,
	METRIC_DNS_FAILURES,
	METRIC_SMTP_TRACE_LOST,
	METRIC_GUARD_BANS,
	METRIC_GUARD_REFUSED_BANNED,
	METRIC_GUARD_REFUSED_LIMIT,
	METRIC_GUARD_REFUSED_GREYLIST,
	METRIC_GUARD_REFUSED_DNSBL,
	METRIC_GUARD_ALARMS,
	METRIC_SMTP_MILTER_FAILURES,
	METRIC_SMTP_POLICY_FAILURES,
	METRIC_SMTP_FILTERS_FULL,
	METRIC_SMTP_MESSAGES_DISCARDED,
	METRIC_REMOTE_CONNECTIONS,
	METRIC_REMOTE_REUSED,
	METRIC_PIPE_DELIVERED,
	METRIC_PIPE_DEFERRED,
	METRIC_PIPE_REFUSED,
	METRIC_REMOTE_STS_FETCHED,
	METRIC_REMOTE_STS_FAILED,
	METRIC_REMOTE_DNS_ASKED,
	METRIC_REMOTE_DNS_KNOWN,
	METRIC_KEEPER_OPENED,
	METRIC_KEEPER_REFUSED,
	METRIC_POP3_CONNECTIONS,
	METRIC_POP3_CONNECTIONS_REFUSED,
	METRIC_POP3_SESSIONS,
	METRIC_POP3_SIGNINS_ACCEPTED,
	METRIC_POP3_SIGNINS_REFUSED,
	METRIC_COUNT,
};

struct metric_def {
	const char *role;  /* whose */
	const char *name;  /* of the series */
	const char *label; /* "result=\"accepted\"", or NULL */
	const char *help;
	bool        gauge; /* else a counter: since the process started */
};
extern const struct metric_def metric_defs[METRIC_COUNT];

void     metric_add(enum metric m, uint64_t n);
void     metric_less(enum metric m); /* a gauge of this process that metric_add moves: one less */
void     metric_set(enum metric m, uint64_t value);
uint64_t metric_get(enum metric m);

#endif
