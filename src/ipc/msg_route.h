/* ipc/msg_route.h - what auth is asked about ways out: rules, the hop of an address, and credentials.
 *
 * A rule has a pattern for recipients and one for senders, and sets some attributes of a hop. How rules are chosen:
 * directory/directory_hop.h.
 */
#ifndef IPC_MSG_ROUTE_H
#define IPC_MSG_ROUTE_H

#include "base/limits.h"
#include "base/str.h"
#include "ipc/msg_hop.h"

enum auth_route_given { /* bit mask, stored: the attributes that a rule sets */
	AUTH_ROUTE_VIA         = 1u << 0,
	AUTH_ROUTE_TLS         = 1u << 1,
	AUTH_ROUTE_SOURCE      = 1u << 2, /* both families: one that has no address gets the system's choice */
	AUTH_ROUTE_HELO        = 1u << 3,
	AUTH_ROUTE_LOGIN       = 1u << 4,
	AUTH_ROUTE_CONNECTIONS = 1u << 5,
	AUTH_ROUTE_RATE        = 1u << 6,
	AUTH_ROUTE_ALL         = (1u << 7) - 1,
};

enum auth_login_kind { /* stored */
	AUTH_LOGIN_PASSWORD,
	AUTH_LOGIN_TOKEN,   /* an access token that does not change */
	AUTH_LOGIN_REFRESH, /* access tokens are fetched by OAuth 2.0, RFC 6749 §6 */
	AUTH_LOGIN_LAST = AUTH_LOGIN_REFRESH,
};

/* Credentials for another host. */
struct auth_login {
	enum auth_login_kind kind;
	struct str           user;
	struct str           secret;   /* password, access token, or refresh token */
	struct str           endpoint; /* REFRESH: "https://..." that gives tokens */
	struct str           client, client_secret, scope; /* REFRESH: scope and client_secret may be "" */
};

struct auth_route_rule {
	struct str  to;   /* address, "domain", ".domain" (all below it), "*" */
	struct str  from; /* address, "domain", ".domain", "<>" (the null sender), "*" */
	uint32_t    given; /* enum auth_route_given */
	struct str  via;
	struct hop  hop;  /* in a request `login` says nothing */
	struct str  user; /* of the login; in lists alone */
};

/* IPC_AUTH_ROUTE_ADD: ST_EXISTS; ST_DENIED: recipients of a domain of ours; ST_INVALID; ST_LIMIT.
 * IPC_AUTH_ROUTE_SET: of a rule that there is, attributes in rule.given change, those in `unset` are taken away; ST_NOT_FOUND.
 * IPC_AUTH_ROUTE_REMOVE looks at the patterns only. The credentials of a rule go with it. */
struct auth_route_change_request {
	struct auth_route_rule rule;
	uint32_t               unset;
	struct auth_login      login; /* with AUTH_ROUTE_LOGIN */
};
struct auth_route_list_request {
	struct str after_to, after_from;
};
struct auth_route_list_reply { /* in order of (to, from) */
	struct auth_route_rule *rules;
	size_t                  rule_count;
	bool                    more;
};

/* IPC_AUTH_HOP: the way to one foreign address now: as IPC_AUTH_RESOLVE, for a target that was resolved before. ST_NOT_FOUND: it is an
 * address of a domain of ours by now. */
struct auth_hop_request {
	struct str address;
	struct str from; /* reverse-path of the message as it was submitted */
};
struct auth_hop_reply {
	struct str relay;
	struct hop hop;
};

/* IPC_AUTH_HOP_SECRET: credentials by hop.login. ST_NOT_FOUND: changed or removed since. */
struct auth_hop_secret_request {
	uint64_t login;
};

#endif
