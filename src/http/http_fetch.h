/* http/http_fetch.h - one HTTPS question and its whole answer (libcurl), for the remote role.
 *
 * Blocking: it needs a thread of its own, and ends within total_ms whatever the host does. Nothing is taken from outside of the request: no
 * resolver (the caller looks the addresses up and filters them), no file, no proxy or other setting of the environment, no cookies, no
 * .netrc, no redirect (a 3xx is an answer like any other, RFC 8461 §3.3), no connection used again. HTTP/1.1 over TLS 1.2 or later; the
 * certificate must lead to one of the authorities given and be for `host`, always.
 *
 * A descriptor or thread is never left behind. Thread-safe after http_init().
 * Tests: tests/unit/test_http_fetch.c.
 */
#ifndef HTTP_HTTP_FETCH_H
#define HTTP_HTTP_FETCH_H

#include "base/arena.h"
#include "base/limits.h"

/* Before threads and before the sandbox: what the libraries read late. */
void http_init(void);

struct http_request {
	struct str        host;      /* a DNS name, A-labels, no final dot: SNI, Host, and what the certificate is for */
	unsigned          port;      /* 443 */
	struct str        path;      /* "/.well-known/mta-sts.txt": begins with "/", printable ASCII without spaces */
	const struct str *addresses; /* of the host, as text, IPv4 and IPv6: tried in libcurl's order, no others are */
	size_t            address_count;
	struct str        authorities;  /* PEM text */
	const struct str *headers;      /* "Name: value", added to what libcurl sends */
	size_t            header_count; /* at most LIMIT_HTTP_HEADERS */
	bool              post;         /* with `body`; else GET */
	struct str        body, content_type;
	size_t            max_octets; /* of the answer's body; more is HTTP_LARGE */
	unsigned          connect_ms; /* TCP and TLS; 0: LIMIT_HTTP_CONNECT_MS */
	unsigned          total_ms;   /* all of it; 0: LIMIT_HTTP_MS */
};

enum http_result {
	HTTP_OK,          /* a whole answer: look at status */
	HTTP_UNREACHABLE, /* no address, none could be connected to */
	HTTP_TIMEOUT,     /* connect_ms or total_ms is over, or next to nothing came for LIMIT_HTTP_SLOW_S */
	HTTP_TLS,         /* the handshake failed */
	HTTP_CERTIFICATE, /* not trusted, expired, or for another name */
	HTTP_LARGE,       /* body over max_octets, or header over LIMIT_HTTP_HEADER */
	HTTP_BROKEN,      /* no HTTP, or it ended early */
	HTTP_INVALID,     /* the request breaks what is said above */
};

struct http_reply {
	unsigned   status;       /* 200 */
	struct str content_type; /* as sent, with its parameters; "" for none */
	struct str body;
	struct str why;          /* not HTTP_OK: in libcurl's words, without control characters */
};

/* `a` keeps the answer. *ret is always filled. */
MUST_CHECK enum http_result http_fetch(const struct http_request *q, struct arena *a, struct http_reply *ret);

/* "unreachable", for logs. */
const char *http_result_name(enum http_result r);

/* Is it this media type, whatever parameters follow? RFC 9110 §8.3.1 */
bool http_type_is(struct str content_type, struct str type);

#endif
