/* role/config.h - postrider.conf: one small file; and the snapshot of it that every process gets.
 *
 * Unknown or wrong settings are errors with file, line and the nearest valid name. The defaults stand in config.c, and
 * `postrider config show` prints the whole in effect.
 */
#ifndef ROLE_CONFIG_H
#define ROLE_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "deliver/pipe_conf.h"
#include "guard/guard_settings.h"
#include "ipc/ipc_codec.h"

enum config_listener { /* the kinds of listener; order of listen_names in config.c */
	LISTEN_SMTP,
	LISTEN_SUBMISSION,
	LISTEN_SUBMISSIONS,
	LISTEN_IMAP,
	LISTEN_IMAPS,
	LISTEN_LMTP,
	LISTEN_REINJECT, /* what the content filter gives back: loopback only */
	LISTEN_POP3,
	LISTEN_POP3S,
	LISTEN_KINDS,
};

struct config_address {
	struct str text; /* "*:25", "127.0.0.1:10025", "[::1]:25" */
	uint32_t   kind; /* enum config_listener */
};

struct config {
	struct str             hostname, data;
	struct config_address *listen;
	size_t                 listen_count;
	struct str             tls_certificate, tls_key; /* paths */
	struct str             tls_authorities;          /* path; of hosts that remote must be sure of */
	bool                   signin_scram;
	bool                   tls_client_certificates; /* ask clients for one, to sign in with */
	struct str             dns_forward;              /* "ADDR@PORT", "" = resolve from the root */
	struct str             dns_anchor;               /* path of trust anchors, "" = the root's, or none when forwarding */
	struct str             relay;                    /* "host:port", "" = by MX */
	uint32_t               remote_port;              /* 25 */
	bool                   remote_sts;               /* MTA-STS */
	uint32_t               remote_https_port;        /* 443 */
	uint64_t               message_octets;
	uint32_t               connections, connections_per_address, connections_per_network;
	uint64_t               memory_octets; /* in flight, per session process */
	uint64_t               watermark_octets; /* free space below which nothing new is accepted; 0: 5 %, at least 200 MB */
	uint32_t               imap_message_limit, imap_save_limit; /* messages in one command; 0: any number */
	uint32_t               processes_smtp, processes_local, processes_remote, processes_imap;
	uint32_t               retry_first_s, retry_max_s, expire_s, delay_warning_s;
	uint32_t               site_first, site_connections; /* deliveries at once to one destination */
	uint32_t               retention_s;   /* of removed accounts */
	uint32_t               trash_s, junk_s; /* messages stay in Trash, in Junk for so long; 0: for ever */
	uint32_t               undelete_s;      /* what was expunged can be put back for so long */
	struct str             subaddress;    /* smtp: characters that separate a subaddress */
	struct str             milters, policy, content; /* milter/filter_conf.h */
	uint32_t               milter_default;           /* enum filter_default */
	uint64_t               trace_octets;
	uint32_t               trace_keep_s;
	struct guard_settings  guard;         /* `trusted` is smtp.trusted */
	bool                   normalise_eol; /* smtp: a bare CR or LF becomes CRLF */
	struct str             proxy;         /* smtp: names of listeners */
	bool                   strict_header; /* smtp: exactly one From field, of the grammar */
	struct str             submit_domain; /* of addresses without one, from local programs; "" = the host's */
	bool                   landlock;
	uint32_t               landlock_max;
	struct pipe_conf      *pipes;
	size_t                 pipe_count;
	struct str             users; /* prefix of the system users */
	uint32_t               log_level, log_format; /* base/log.h */
	bool                   lab;   /* demo --lab: plain-text sign-in, no connection and rate limits on loopback */
	bool                   probe; /* test the sandbox from inside, log the results */
};

extern const struct ipc_shape config_shape;
extern const char *const      config_listener_names[LISTEN_KINDS];

/* All defaults; strings are static or live in `a`. */
void config_defaults(struct config *c, struct arena *a);
/* Read a file. On failure (ST_NOT_FOUND, ST_DENIED, ST_INVALID) `errors` holds one line per error, for people. */
MUST_CHECK enum status config_load(const char *path, struct arena *a, struct config *ret, struct buf *errors);
/* What no single setting can tell: does it all make sense together? Same errors. */
MUST_CHECK enum status config_check(const struct config *c, struct buf *errors);
/* As a file that config_load reads back. */
void config_print(const struct config *c, struct buf *out);

/* The listener is named in smtp.proxy. */
bool config_proxy_has(const struct config *c, enum config_listener kind);

/* Split "host:port" or "[v6]:port"; "*" gives "". False if it is none. */
bool config_address_split(struct str text, struct str *ret_host, uint32_t *ret_port);

#endif
