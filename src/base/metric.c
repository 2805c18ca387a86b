/* base/metric.c - see metric.h. Rows of one series stand together. */
#include "base/metric.h"

#include <stdatomic.h>

#define COUNTER(role, name, label, help) { role, "postrider_" name "_total", label, help, false }
#define GAUGE(role, name, help)          { role, "postrider_" name, NULL, help, true }

const struct metric_def metric_defs[METRIC_COUNT] = {
	[METRIC_SMTP_CONNECTIONS] = COUNTER("smtp", "smtp_connections", "result=\"accepted\"", "Connections to SMTP, submission and LMTP."),
	[METRIC_SMTP_CONNECTIONS_REFUSED] = COUNTER("smtp", "smtp_connections", "result=\"refused\"", NULL),
	[METRIC_SMTP_SESSIONS] = GAUGE("smtp", "smtp_sessions", "Connections that are open."),
	[METRIC_SMTP_MESSAGES_ACCEPTED] = COUNTER("smtp", "smtp_messages", "result=\"accepted\"", "Messages that were sent to us whole."),
	[METRIC_SMTP_MESSAGES_REFUSED] = COUNTER("smtp", "smtp_messages", "result=\"refused\"", NULL),
	[METRIC_SMTP_MESSAGES_DEFERRED] = COUNTER("smtp", "smtp_messages", "result=\"deferred\"", NULL),
	[METRIC_SMTP_RCPTS_ACCEPTED] = COUNTER("smtp", "smtp_recipients", "result=\"accepted\"", "RCPT commands."),
	[METRIC_SMTP_RCPTS_REFUSED] = COUNTER("smtp", "smtp_recipients", "result=\"refused\"", NULL),
	[METRIC_SMTP_RCPTS_DEFERRED] = COUNTER("smtp", "smtp_recipients", "result=\"deferred\"", NULL),
	[METRIC_SMTP_OCTETS] = COUNTER("smtp", "smtp_received_octets", NULL, "Octets of messages that peers sent."),
	[METRIC_SMTP_TLS] = COUNTER("smtp", "smtp_tls_sessions", NULL, "TLS handshakes that succeeded."),
	[METRIC_SMTP_SIGNINS_ACCEPTED] = COUNTER("smtp", "smtp_signins", "result=\"accepted\"", "Attempts to sign in."),
	[METRIC_SMTP_SIGNINS_REFUSED] = COUNTER("smtp", "smtp_signins", "result=\"refused\"", NULL),
	[METRIC_SMTP_PROTOCOL_ERRORS] = COUNTER("smtp", "smtp_protocol_errors", NULL, "Replies to what is no proper command here."),
	[METRIC_IMAP_CONNECTIONS] = COUNTER("imap", "imap_connections", "result=\"accepted\"", "Connections to IMAP."),
	[METRIC_IMAP_CONNECTIONS_REFUSED] = COUNTER("imap", "imap_connections", "result=\"refused\"", NULL),
	[METRIC_IMAP_SESSIONS] = GAUGE("imap", "imap_sessions", "Connections that are open."),
	[METRIC_IMAP_SIGNINS_ACCEPTED] = COUNTER("imap", "imap_signins", "result=\"accepted\"", "Attempts to sign in."),
	[METRIC_IMAP_SIGNINS_REFUSED] = COUNTER("imap", "imap_signins", "result=\"refused\"", NULL),
	[METRIC_QUEUE_MESSAGES] = GAUGE("queue", "queue_messages", "Messages in the queue."),
	[METRIC_QUEUE_HELD] = GAUGE("queue", "queue_held_messages", "Messages that are held."),
	[METRIC_QUEUE_IN_FLIGHT] = GAUGE("queue", "queue_deliveries_in_flight", "Attempts that are under way."),
	[METRIC_QUEUE_SUBMITTED] = COUNTER("queue", "queue_submitted", NULL, "Messages taken."),
	[METRIC_QUEUE_DELIVERED] = COUNTER("queue", "queue_deliveries", "result=\"delivered\"", "Recipients that are finished."),
	[METRIC_QUEUE_BOUNCED] = COUNTER("queue", "queue_deliveries", "result=\"failed\"", NULL),
	[METRIC_QUEUE_FULL] = GAUGE("queue", "queue_disk_full", "1: too little space, new mail is refused."),
	[METRIC_QUEUE_SUSPECT] = GAUGE("queue", "queue_suspect", "1: the database is set aside after a failed write."),
	[METRIC_TRACE_EVENTS] = COUNTER("queue", "trace_events", "result=\"kept\"", "Events for the trace."),
	[METRIC_TRACE_DROPPED] = COUNTER("queue", "trace_events", "result=\"dropped\"", NULL),
	[METRIC_LOCAL_DELIVERED] = COUNTER("local", "local_deliveries", "result=\"delivered\"", "Deliveries into accounts."),
	[METRIC_LOCAL_DEFERRED] = COUNTER("local", "local_deliveries", "result=\"deferred\"", NULL),
	[METRIC_LOCAL_REFUSED] = COUNTER("local", "local_deliveries", "result=\"refused\"", NULL),
	[METRIC_REMOTE_DELIVERED] = COUNTER("remote", "remote_recipients", "result=\"delivered\"", "Recipients at other hosts, by attempt."),
	[METRIC_REMOTE_DEFERRED] = COUNTER("remote", "remote_recipients", "result=\"deferred\"", NULL),
	[METRIC_REMOTE_REFUSED] = COUNTER("remote", "remote_recipients", "result=\"refused\"", NULL),
	[METRIC_REMOTE_TLS] = COUNTER("remote", "remote_sessions", "tls=\"yes\"", "Sessions with other hosts that came to a transaction."),
	[METRIC_REMOTE_CLEAR] = COUNTER("remote", "remote_sessions", "tls=\"no\"", NULL),
	[METRIC_DNS_LOOKUPS] = COUNTER("dns", "dns_lookups", "result=\"answered\"", "Lookups."),
	[METRIC_DNS_FAILURES] = COUNTER("dns", "dns_lookups", "result=\"failed\"", NULL),
	[METRIC_SMTP_TRACE_LOST] = COUNTER("smtp", "smtp_trace_events_lost", NULL, "Events that queue did not take."),
	[METRIC_GUARD_BANS] = GAUGE("auth", "guard_bans", "Addresses and networks that are banned now."),
	[METRIC_GUARD_REFUSED_BANNED] = COUNTER("auth", "guard_refused", "reason=\"banned\"", "Connections and recipients refused at the door."),
	[METRIC_GUARD_REFUSED_LIMIT] = COUNTER("auth", "guard_refused", "reason=\"limit\"", NULL),
	[METRIC_GUARD_REFUSED_GREYLIST] = COUNTER("auth", "guard_refused", "reason=\"greylist\"", NULL),
	[METRIC_GUARD_REFUSED_DNSBL] = COUNTER("auth", "guard_refused", "reason=\"dnsbl\"", NULL),
	[METRIC_GUARD_ALARMS] = COUNTER("auth", "guard_alarms", NULL, "Accounts that met an outbound limit, once per window."),
	[METRIC_SMTP_MILTER_FAILURES] = COUNTER("smtp", "smtp_filter_failures", "kind=\"milter\"", "Filters that hung, died or broke their protocol."),
	[METRIC_SMTP_POLICY_FAILURES] = COUNTER("smtp", "smtp_filter_failures", "kind=\"policy\"", NULL),
	[METRIC_SMTP_FILTERS_FULL] = COUNTER("smtp", "smtp_filters_full", NULL, "Commands deferred because too many sessions wait for filters."),
	[METRIC_SMTP_MESSAGES_DISCARDED] = COUNTER("smtp", "smtp_messages_discarded", NULL, "Messages that a filter had answered 250 and forgotten."),
	[METRIC_REMOTE_CONNECTIONS] = COUNTER("remote", "remote_connections", NULL, "Connections to other hosts that were opened, or tried to be."),
	[METRIC_REMOTE_REUSED] = COUNTER("remote", "remote_reused", NULL, "Deliveries that went on with a session of an earlier one."),
	[METRIC_PIPE_DELIVERED] = COUNTER("pipe", "pipe_recipients", "result=\"delivered\"", "Recipients whose messages programs were given, by attempt."),
	[METRIC_PIPE_DEFERRED] = COUNTER("pipe", "pipe_recipients", "result=\"deferred\"", NULL),
	[METRIC_PIPE_REFUSED] = COUNTER("pipe", "pipe_recipients", "result=\"refused\"", NULL),
	[METRIC_REMOTE_STS_FETCHED] = COUNTER("remote", "remote_sts_fetches", "result=\"ok\"", "MTA-STS policies asked for by HTTPS."),
	[METRIC_REMOTE_STS_FAILED] = COUNTER("remote", "remote_sts_fetches", "result=\"failed\"", NULL),
	[METRIC_REMOTE_DNS_ASKED] = COUNTER("remote", "remote_dns", "from=\"resolver\"", "Lookups for deliveries, by who answered them."),
	[METRIC_REMOTE_DNS_KNOWN] = COUNTER("remote", "remote_dns", "from=\"memory\"", NULL),
	[METRIC_KEEPER_OPENED] = COUNTER("keeper", "keeper_opens", "result=\"passed\"", "Files of accounts that sessions asked for."),
	[METRIC_KEEPER_REFUSED] = COUNTER("keeper", "keeper_opens", "result=\"refused\"", NULL),
	[METRIC_POP3_CONNECTIONS] = COUNTER("imap", "pop3_connections", "result=\"accepted\"", "Connections to POP3."),
	[METRIC_POP3_CONNECTIONS_REFUSED] = COUNTER("imap", "pop3_connections", "result=\"refused\"", NULL),
	[METRIC_POP3_SESSIONS] = GAUGE("imap", "pop3_sessions", "Connections that are open."),
	[METRIC_POP3_SIGNINS_ACCEPTED] = COUNTER("imap", "pop3_signins", "result=\"accepted\"", "Attempts to sign in."),
	[METRIC_POP3_SIGNINS_REFUSED] = COUNTER("imap", "pop3_signins", "result=\"refused\"", NULL),
};

static atomic_uint_fast64_t values[METRIC_COUNT];

void metric_add(enum metric m, uint64_t n)
{
	atomic_fetch_add_explicit(&values[m], n, memory_order_relaxed);
}

void metric_less(enum metric m)
{
	atomic_fetch_sub_explicit(&values[m], 1, memory_order_relaxed);
}

void metric_set(enum metric m, uint64_t value)
{
	atomic_store_explicit(&values[m], value, memory_order_relaxed);
}

uint64_t metric_get(enum metric m)
{
	return atomic_load_explicit(&values[m], memory_order_relaxed);
}
