/* dns/dns.h - the logic of the role dns: libunbound, asked without waiting.
 *
 * Lookups run in libunbound's own background thread, any number at once (LIMIT_DNS_PENDING); one thread of ours hands
 * the answers out and ends lookups whose deadline has passed. So a slow server holds up nobody but the one who asked
 * about it.
 *
 * States are kept apart: an answer is SECURE only if it was validated here, up to a trust anchor (nobody else's AD bit is believed);
 * a bogus one is ST_CORRUPT, SERVFAIL, REFUSED or none in time is ST_TEMP; neither is ever "no such name". Behind a forwarder the
 * same is done with what it hands on, if dns.anchor gives keys; without them all is INSECURE. At the start it is tried once and logged.
 *
 * What is never asked of anybody: "localhost" and names below it (RFC 6761 §6.3), which are the loopback addresses;
 * names that end in a number, because they are no names.
 *
 * Files, sockets and threads: dns_open() reads all files and makes pipes and socket pairs; dns_start() starts a
 * thread, the first lookup another. From then on: UDP and TCP sockets of AF_INET and AF_INET6, bound to ports chosen at
 * random, epoll.
 *
 * Thread-safe after dns_start().
 */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include "base/arena.h"
#include "base/status.h"
#include "ipc/ipc.h"
#include "ipc/msg_dns.h"

#define DNS_ROOT_KEY    "/usr/share/dns/root.key"
#define DNS_DEADLINE_MS 20000u

struct dns;

struct dns_options {             /* zero means the default */
	struct str  forward;     /* "ADDRESS@PORT" of a resolver; "": resolve from the root */
	const char *anchor_file; /* trust anchors, DS or DNSKEY records, one a line; NULL: DNS_ROOT_KEY, or none when forwarding */
	unsigned    deadline_ms; /* of one lookup */
};

/* Before the sandbox. On failure *ret_why is a static text: ST_INVALID (forward), ST_NOT_FOUND (anchor file), ST_IO. */
MUST_CHECK enum status dns_open(const struct dns_options *options, struct dns **ret, const char **ret_why);
void                   dns_start(struct dns *dns);
/* Open lookups end with ST_TEMP. Sets *dns to NULL; NULL inside is fine. */
void dns_close(struct dns **dns);

/* The request's name need not outlive the call. done() is called exactly once, from inside this call or from the thread
 * above; reply is NULL unless ST_OK and lives during the call. Failures as in ipc/msg_dns.h, and ST_INVALID (not a name),
 * ST_BUSY (LIMIT_DNS_PENDING). */
typedef void dns_done_fn(void *arg, enum status st, const struct dns_lookup_reply *reply);
void         dns_lookup(struct dns *dns, const struct dns_lookup_request *request, dns_done_fn *done, void *arg);

/* ctx is the struct dns; no pool is needed. */
extern const struct ipc_row dns_rows[];
extern const size_t         dns_row_count;

#endif
