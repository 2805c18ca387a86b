/* deliver/remote.h - sending mail to other hosts: the logic of the remote role.
 *
 * remote_deliver() takes one message for one next hop, blocks, and says for each recipient: delivered, deferred or
 * refused, with the peer's words. It is called from many threads at once; `struct remote` is only read, what it points to is thread-safe.
 *
 *   remote_route     next hop -> hosts by MX -> addresses, as the filter allows        RFC 5321 §5, RFC 7505
 *   remote_way       the addresses in the order in which they are tried, and connections to them, beside each other
 *   remote_policy    which TLS a target must have, by route, sender, DANE, MTA-STS     RFC 7672, RFC 8461, RFC 8689
 *   remote_session   connection, greeting, EHLO or HELO, STARTTLS                      RFC 5321 §3.1, §3.2, RFC 3207
 *   remote_auth      AUTH                                                               RFC 4954
 *   remote_pool      sessions that wait for another message to the same host
 *   remote_hosts     which addresses did not take connections of late
 *   remote_tx        MAIL, RCPT, DATA or BDAT; results per recipient                   RFC 5321 §3.3, RFC 2920, RFC 3030, RFC 2033
 *   remote_content   the octets that go out                                            RFC 5321 §2.3.8, §4.5.2
 *   remote_params    what goes with MAIL and RCPT to a peer that offers it             RFC 3461, 2852, 6710, 8689
 *
 * What is never done: a bounce because something here or in DNS failed (that is a deferral), and a delivery that is
 * reported as failed after the peer's 250, except when its reply to the final dot is lost (RFC 1047).
 *
 * The process must ignore SIGPIPE.
 */
#ifndef DELIVER_REMOTE_H
#define DELIVER_REMOTE_H

#include "ipc/ipc.h"
#include "ipc/msg_dns.h"
#include "ipc/msg_queue.h"
#include "ipc/msg_remote.h"

/* Each is the longest wait for one step, RFC 5321 §4.5.3.2. */
struct remote_timeouts {
	unsigned connect_ms;  /* TCP, one address */
	unsigned beside_ms;   /* of it, until another address is tried beside it (remote_race.h) */
	unsigned greeting_ms; /* §4.5.3.2.1: 5 minutes */
	unsigned hello_ms;    /* EHLO, HELO, STARTTLS */
	unsigned tls_ms;      /* handshake */
	unsigned mail_ms;     /* §4.5.3.2.2: 5 minutes */
	unsigned rcpt_ms;     /* §4.5.3.2.3: 5 minutes */
	unsigned data_ms;     /* §4.5.3.2.4: 2 minutes */
	unsigned block_ms;    /* §4.5.3.2.5: 3 minutes */
	unsigned dot_ms;      /* §4.5.3.2.6: 10 minutes */
	unsigned quit_ms;
	unsigned total_ms; /* the whole delivery up to the final dot; the wait for its reply is not cut short by it */
	unsigned policy_ms; /* for what a domain says of its TLS by HTTPS, at the first time (remote_sts.h) */
};
extern const struct remote_timeouts remote_timeouts_default;

struct remote_settings {
	struct str             hostname; /* ours: EHLO, and how a loop is seen */
	unsigned               port;     /* of hosts found by MX or address: 25 */
	struct str             relay;    /* "host:port" for requests that name no relay; "" for none */
	bool                   trusts;   /* net_tls_trust has authorities: a host can prove its name */
	struct str             authorities; /* the same as PEM text, for HTTPS; "" for none */
	unsigned               https_port;  /* of policy hosts: 443 */
	bool                   unvalidated; /* no answer of DNS is ever secure here: DANE is off */
	bool                   lab;      /* loopback and our own addresses are allowed */
	const struct str      *own;      /* addresses we listen on, as text */
	size_t                 own_count;
	struct remote_timeouts timeouts;
};

struct remote_logins;

/* Asks the resolver; as IPC_DNS_LOOKUP: ST_OK with a reply that lives in `a`, ST_CORRUPT (bogus), or
 * another failure. From any thread. */
struct remote_resolver {
	enum status (*lookup)(void *ctx, struct str name, enum dns_type type, struct arena *a,
			      struct dns_lookup_reply *ret);
	void *ctx;
};

struct remote_pool;
struct remote_hosts;

struct remote_sts_cache;
struct remote_tlsrpt;

struct remote {
	struct remote_settings   settings;
	struct remote_resolver   resolver;
	struct remote_pool      *pool;   /* NULL: a session is for one delivery */
	struct remote_hosts     *hosts;  /* NULL: nothing is remembered */
	struct remote_sts_cache *sts;    /* NULL: MTA-STS is off */
	struct remote_tlsrpt    *tlsrpt; /* NULL: nothing is counted */
	struct remote_logins    *logins; /* credentials for next hops; NULL: there are none */
};

/* How it was done, for the log. */
struct remote_deliver_note {
	unsigned nth;      /* transaction of the last session that was used; 1: it was a new one */
	unsigned connects; /* connections that were made, or tried to be */
	uint64_t folded;   /* lines of the content that were too long */
};

/* Who waits for the answer. Once he is gone, no further connection or transaction is begun: he may ask again for the same. */
struct remote_asker {
	bool (*gone)(void *ctx);
	void *ctx;
};

/* Carry out `q` (its descriptor is only read) and fill *ret with one result per recipient, in the order asked, in `a`. */
void remote_deliver(const struct remote *remote, const struct remote_deliver_request *q, const struct remote_asker *asker, struct arena *a,
		    struct remote_deliver_reply *ret, struct remote_deliver_note *ret_note);
/* Answer IPC_REMOTE_DELIVER; it waits. */
void remote_deliver_handle(const struct remote *remote, struct ipc_request *r);

/* Ask the next hop for a recipient, in LIMIT_PROBE_MS at most (and what a lookup in DNS takes beyond). */
void remote_probe(const struct remote *remote, const struct remote_probe_request *q, struct arena *a, struct remote_probe_reply *ret);
/* Answer IPC_REMOTE_PROBE; auth is asked where the address would go. It waits, so it needs a pool of its own. */
void remote_probe_handle(const struct remote *remote, struct ipc *ipc, struct ipc_request *r);

/* The resolver that asks the dns role. */
struct remote_resolver remote_resolver_ipc(struct ipc *ipc);

#endif
