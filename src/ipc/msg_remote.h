/* ipc/msg_remote.h - what remote is asked: send a message to one next hop, connect to a filter.
 */
#ifndef IPC_MSG_REMOTE_H
#define IPC_MSG_REMOTE_H

#include "base/limits.h"
#include "base/str.h"
#include "ipc/msg_hop.h"

struct remote_rcpt {
	uint32_t   index; /* the asker's, given back */
	struct str address;
	uint32_t   notify; /* enum queue_notify */
	struct str orcpt;  /* decoded; "" if not given */
};
struct remote_deliver_request {
	uint64_t            message; /* queue id, for the log */
	struct str          domain;  /* next hop by MX, A-labels or an address literal */
	struct str          relay;   /* or "host:port", "[ip]:port", "lmtp:host:port": no MX; "" for none */
	struct hop          hop;
	struct str          from;
	struct remote_rcpt *rcpts;
	size_t              rcpt_count;
	uint32_t            flags; /* enum queue_flag */
	uint64_t            size;
	struct str          content;
	int                 file;
	struct str          prefix;  /* header fields that go before the content: signatures; "" for none */
	struct str          envid;    /* decoded; "" if not given */
	int64_t             priority; /* RFC 6710 */
	bool                by;       /* RFC 2852, with the flags BY_NOTIFY and BY_TRACE: */
	int64_t             by_s;     /* seconds that are left; with BY_NOTIFY also negative */
};
enum remote_result { REMOTE_DELIVERED, REMOTE_DEFERRED, REMOTE_REFUSED, REMOTE_RESULT_LAST = REMOTE_REFUSED };
enum remote_passed { /* bit mask: what the peer has taken over with a recipient that it took */
	REMOTE_PASSED_DSN = 1u << 0, /* the duty to report success, RFC 3461 §5.2.1 */
	REMOTE_PASSED_BY  = 1u << 1, /* the time limit */
};
struct remote_rcpt_result {
	uint32_t           index;
	enum remote_result result;
	struct str         code;   /* enhanced status, "5.1.1"; ours where the peer gave none */
	struct str         answer; /* the peer's reply in one line, or our own reason */
	struct str         host;   /* "mx.example [192.0.2.1]:25", "" if none was reached */
	struct str         tls;    /* "TLSv1.3 ..., verified by DANE-EE", "in clear: not offered"; "" if it did not come to that */
	uint32_t           passed; /* enum remote_passed */
};
/* What the attempt says about the destination as a whole, for how much of it is tried at once. */
enum remote_site {
	REMOTE_SITE_NONE,     /* nothing: no host was asked (DNS, our own trouble) */
	REMOTE_SITE_ANSWERED, /* a host talked about mail, whatever it said */
	REMOTE_SITE_TROUBLE,  /* no connection, no session, 421: whatever the message, it would have been so */
	REMOTE_SITE_LAST = REMOTE_SITE_TROUBLE,
};
struct remote_deliver_reply { /* one result per recipient, always */
	struct remote_rcpt_result *results;
	size_t                     result_count;
	enum remote_site           site;
	struct str                 tried; /* hosts that were of no use before the one that the results are of, and why: for the trace; "" for none */
};

/* IPC_REMOTE_PROBE: does the next hop take mail for this address? MAIL with the null sender, RCPT, QUIT; never DATA. Bounded time. */
enum remote_probe {
	REMOTE_PROBE_EXISTS,
	REMOTE_PROBE_UNKNOWN,     /* RCPT was refused for good, and not for our own sake */
	REMOTE_PROBE_LATER,       /* RCPT was deferred, or refused for what we are */
	REMOTE_PROBE_UNREACHABLE, /* no host got as far as RCPT */
	REMOTE_PROBE_LAST = REMOTE_PROBE_UNREACHABLE,
};
struct remote_probe_request {
	struct str domain, relay; /* as in remote_deliver_request; not in the message: who asks talks to strangers, so remote has them from auth */
	struct str address;
	struct hop hop; /* as domain and relay */
};
struct remote_probe_reply {
	enum remote_probe result;
	struct str        answer; /* the peer's words, or why there are none */
};

/* IPC_REMOTE_CONNECT: a connected socket to a filter. smtp can make none, and names no address: it says which entry of which setting it
 * means, remote looks it up in its own configuration. ST_NOT_FOUND: there is no such entry with this check (a reload came between);
 * ST_TEMP: it cannot be reached. */
enum remote_purpose { REMOTE_CONNECT_MILTER, REMOTE_CONNECT_POLICY, REMOTE_CONNECT_LAST = REMOTE_CONNECT_POLICY };
struct remote_connect_request {
	enum remote_purpose purpose;
	uint32_t            index;
	uint64_t            check; /* filter_check() of the entry */
};
struct remote_connect_reply {
	int fd; /* does not block */
};

#endif
