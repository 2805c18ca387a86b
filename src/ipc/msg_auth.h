/* ipc/msg_auth.h - what auth is asked: recipients, sign-in, and the directory.
 *
 * Addresses are "local@domain" in UTF-8; auth folds the domain (IDNA, lower case) and the
 * local part (lower case for our own domains) itself.
 */
#ifndef IPC_MSG_AUTH_H
#define IPC_MSG_AUTH_H

#include "base/limits.h"
#include "base/str.h"

/* IPC_AUTH_RCPT: may this be a recipient, for this sender and this peer, now? Answered from memory, never waits. */
enum auth_rcpt_kind {
	AUTH_RCPT_LOCAL,   /* ours, and there is somebody */
	AUTH_RCPT_FOREIGN, /* not our domain: relaying */
	AUTH_RCPT_UNKNOWN, /* our domain, nobody of that name */
	AUTH_RCPT_CLOSED,  /* ours, disabled for now */
	AUTH_RCPT_RELAY,   /* a domain that we relay for; whoever is a recipient there is not known here, or was asked before */
	AUTH_RCPT_PROBE,   /* such a domain, and its host must be asked first: reply.relay */
	AUTH_RCPT_FULL,    /* ours, over quota */
	AUTH_RCPT_REFUSED, /* a list that is closed to this sender */
	AUTH_RCPT_LATER,   /* greylisted, or a limit: reply.text says which */
	AUTH_RCPT_LAST = AUTH_RCPT_LATER,
};
struct auth_rcpt_request {
	struct str address;
	struct str from;       /* reverse-path, canonical; "" is the null one */
	struct str peer, helo; /* peer: IP address as text */
	struct str session;
	uint64_t   account; /* signed in, or 0 */
	uint64_t   size;    /* declared; 0: not */
	bool       first;   /* of its transaction */
	bool       exempt;  /* of limits: a listener or peer that the configuration trusts */
};
struct auth_rcpt_reply {
	enum auth_rcpt_kind kind;
	struct str          relay; /* PROBE: "host:port", or "" for the domain's MX */
	uint32_t            code;  /* reply to the peer, with enhanced and text; 0: the kind's own */
	struct str          enhanced, text;
	uint32_t            delay_ms; /* the reply is held back so long (tarpit) */
	struct str          reason;   /* LATER by a limit or ban: one word, for the log (docs/concepts/limits.md) */
};

/* IPC_AUTH_RESOLVE: where does mail for this address go? Aliases followed to the end, each target once.
 * ST_NOT_FOUND: nobody; ST_LIMIT: alias loop or too many targets. */
struct auth_target {
	uint64_t   account; /* 0: a foreign address */
	struct str address; /* of the account, or the foreign one */
	struct str relay;   /* foreign: "host:port" of the route; "" for the usual way */
	bool       forward; /* foreign, and reached through an alias of ours: `from` is the reverse-path it goes out with (SRS) */
	struct str from;
	uint64_t   quota_octets; /* account: 0 for none */
};
struct auth_resolve_request {
	struct str address;
	struct str from; /* reverse-path of the message */
};
struct auth_resolve_reply {
	struct auth_target *targets;
	size_t              target_count;
};

/* IPC_AUTH_LOGIN: ST_OK; ST_DENIED (wrong user or password: never told apart); ST_LIMIT (too many failures,
 * try later); ST_BUSY or ST_TEMP (hash lane full). */
enum auth_protocol { AUTH_SMTP, AUTH_IMAP, AUTH_POP3, AUTH_WEB, AUTH_PROTOCOL_LAST = AUTH_WEB };
struct auth_login_request {
	enum auth_protocol protocol;
	struct str         user, password, peer; /* peer: IP address as text */
	bool               tls;
};
struct auth_login_reply {
	uint64_t   account;
	struct str address; /* canonical */
	struct str token;   /* opaque, names this sign-in to keeper and queue */
};

/* IPC_AUTH_SENDER: may this account use the address as MAIL FROM or From? ST_OK or ST_DENIED. */
struct auth_sender_request {
	uint64_t   account;
	struct str address;
};

/* ---- administrators ----
 * ST_EXISTS, ST_NOT_FOUND, ST_INVALID (bad name), ST_DENIED (domain still has accounts). */
struct auth_domain {
	struct str name; /* lower case, A-labels */
	uint64_t   accounts, aliases;
	int64_t    created_ms;
};
struct auth_domain_request { /* ADD, REMOVE */
	struct str name;
};
struct auth_list_request { /* all listings: rows after `after` in name order, LIMIT_LIST_PAGE at most */
	struct str after, domain; /* domain: "" for all */
};
struct auth_domain_list_reply {
	struct auth_domain *domains;
	size_t              domain_count;
	bool                more;
};

struct auth_name {
	struct str address;
};
struct auth_account_add_request { /* all of them with one password (one hash): for demo and imports */
	struct auth_name *names;
	size_t            name_count;
	struct str        password;
	uint64_t          quota_octets; /* 0: none */
};
struct auth_account_add_reply {
	uint64_t first_account, added; /* ids; those that existed are left alone: ST_EXISTS if it was the only one */
};
struct auth_account {
	uint64_t   account;
	struct str address;
	bool       disabled, removed;
	uint64_t   quota_octets;
	int64_t    created_ms;
};
struct auth_account_list_reply {
	struct auth_account *accounts;
	size_t               account_count;
	bool                 more;
};
enum auth_change { AUTH_CHANGE_PASSWORD, AUTH_CHANGE_RENAME, AUTH_CHANGE_QUOTA, AUTH_CHANGE_DISABLE, AUTH_CHANGE_ENABLE,
	AUTH_CHANGE_LAST = AUTH_CHANGE_ENABLE };
struct auth_account_change_request {
	struct str       address;
	enum auth_change what;
	struct str       password;  /* PASSWORD */
	struct str       new_address; /* RENAME */
	uint64_t         quota_octets; /* QUOTA */
};
struct auth_account_remove_request {
	struct str address;
	bool       purge; /* forget it; else it can be enabled again until the retention ends */
};
struct auth_account_remove_reply {
	uint64_t account;
};
/* IPC_AUTH_EXPIRE: removed accounts whose retention has ended are forgotten, and named, with others whose mail is still to be
 * purged, LIMIT_LIST_PAGE at most. They are named again until IPC_AUTH_PURGED says that their mail is gone, and once more a month
 * later: what was in the queue for them by then may have made a mailbox anew. Ids are never used again, so that is safe. */
struct auth_expired {
	uint64_t account;
};
struct auth_expire_reply {
	struct auth_expired *accounts;
	size_t               account_count;
};
struct auth_purged_request {
	struct auth_expired *accounts;
	size_t               account_count;
};
struct auth_alias {
	struct str        from; /* "@domain": catch-all */
	struct auth_name *to;
	size_t            to_count;
};
struct auth_alias_remove_request {
	struct str from;
};
struct auth_alias_list_reply {
	struct auth_alias *aliases;
	size_t             alias_count;
	bool               more;
};

#endif
