/* ipc/msg_auth.h - what auth is asked: recipients, sign-in, and the directory.
 *
 * Addresses are "local@domain" in UTF-8; auth folds the domain (IDNA, lower case) and the
 * local part (lower case for our own domains) itself.
 */
#ifndef IPC_MSG_AUTH_H
#define IPC_MSG_AUTH_H

#include "base/limits.h"
#include "base/str.h"
#include "ipc/msg_hop.h"
#include "ipc/msg_route.h"
#include "ipc/session_token.h"
#include "wire/dkim/dkim.h"

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
	struct hop hop;     /* foreign */
	bool       forward; /* foreign, and reached through an alias of ours: `from` is the reverse-path it goes out with (SRS) */
	struct str from;
	uint64_t   quota_octets; /* account: 0 for none */
	uint64_t   quota_messages;
	bool       quota_shared; /* see auth_quota_reply */
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
	struct session_side side; /* here and below: who asks, which no message says: auth knows it by the channel */
};
struct auth_login_reply {
	uint64_t   account;
	struct str address; /* canonical */
	struct str token;   /* names this sign-in to queue and keeper: ipc/session_token.h */
};

/* IPC_AUTH_TOKEN: whose sign-in is it? ST_DENIED: none of ours, over a day old, or the account has changed since. */
struct auth_token_request {
	struct str token;
};
struct auth_token_reply {
	uint64_t account;
};

/* The other ways to sign in. Same statuses, one throttle.
 *
 * IPC_AUTH_SCRAM_SALT: what the first answer of the server says (RFC 5802); also for a user who does not exist.
 * IPC_AUTH_SCRAM_PROOF: the messages as they went over the wire, from which auth makes the one that was proved.
 * ST_INVALID: client_first is none; ST_TEMP: the nonce is not of a reply of the last minutes. The session checks what only
 * it can know: that client_final has the whole nonce, and the channel binding. */
enum auth_scram_hash { AUTH_SCRAM_SHA1, AUTH_SCRAM_SHA256, AUTH_SCRAM_LAST = AUTH_SCRAM_SHA256 };
struct auth_scram_salt_request {
	enum auth_scram_hash hash;
	struct str           user;
};
struct auth_scram_salt_reply {
	struct str salt; /* octets */
	uint32_t   iterations;
	struct str nonce; /* to stand behind the client's */
};
struct auth_scram_proof_request {
	enum auth_protocol   protocol;
	enum auth_scram_hash hash;
	struct str           client_first; /* bare */
	struct str           nonce;        /* ours */
	struct str           client_final; /* without proof */
	struct str           proof;        /* octets */
	struct str           peer;
	bool                 tls;
	struct session_side  side;
};
struct auth_scram_proof_reply {
	struct auth_login_reply login;
	struct str              signature; /* the server's, octets */
};
/* IPC_AUTH_BEARER: an access token (IPC_AUTH_CREDENTIAL_ADD). IPC_AUTH_EXTERNAL: a certificate that the peer has the key of.
 * Both reply as IPC_AUTH_LOGIN. IPC_AUTH_CERTIFICATE: may somebody sign in with it? ST_OK or ST_NOT_FOUND. */
struct auth_bearer_request {
	enum auth_protocol protocol;
	struct str         user; /* "": whose token it is */
	struct str         token, peer;
	bool               tls;
	struct session_side side;
};
struct auth_external_request {
	enum auth_protocol protocol;
	struct str         user; /* "": whose certificate it is */
	struct str         fingerprint, peer; /* SHA-256 of the certificate's DER, octets */
	struct session_side side;
};
struct auth_certificate_request {
	struct str fingerprint;
};

/* IPC_AUTH_SENDER: may this account use the address as MAIL FROM or From? Its own, or one that it was lent ("send as"). behalf: as From
 * beside a Sender of its own, RFC 5322 §3.6.2, for which the weaker right is enough. ST_OK or ST_DENIED. */
struct auth_sender_request {
	uint64_t   account;
	struct str address;
	bool       behalf;
};

/* IPC_AUTH_REWRITE: addresses of a message that was submitted, as the rules want them; "" where none applies. */
struct auth_rewrite_address {
	struct str address;
	bool       recipient; /* of To and Cc; else of the envelope's sender, From, Sender, Reply-To */
};
struct auth_rewrite_request {
	struct auth_rewrite_address *addresses;
	size_t                       address_count;
};
struct auth_rewritten {
	struct str address;
};
struct auth_rewrite_reply { /* one for each, in order */
	struct auth_rewritten *addresses;
	size_t                 address_count;
	bool                   none; /* there are no rules at all */
};

/* IPC_AUTH_PROBED: what the host of a relay domain said of a recipient; auth remembers it, and says what to answer. ST_NOT_FOUND: the
 * domain is not verified (any more). */
enum auth_probe {
	AUTH_PROBE_EXISTS,
	AUTH_PROBE_UNKNOWN,
	AUTH_PROBE_LATER,       /* not now, for this recipient */
	AUTH_PROBE_UNREACHABLE, /* no host could be asked */
	AUTH_PROBE_SKIPPED,     /* nobody was asked, for a reason of our own */
	AUTH_PROBE_LAST = AUTH_PROBE_SKIPPED,
};
struct auth_probed_request {
	struct str      address;
	enum auth_probe result;
	struct str      peer, session; /* for whom it was asked: unknown recipients are counted */
	uint64_t        account;
};

/* IPC_AUTH_FULL: a note. The account was found over its quota, or no longer; forgotten by itself after ten minutes. */
struct auth_full_request {
	uint64_t account;
	bool     full;
};
/* IPC_AUTH_QUOTA: of an account, now. ST_NOT_FOUND: there is none of that id. */
struct auth_quota_request {
	uint64_t account;
};
struct auth_quota_reply { /* in effect: its own, or its domain's default, and what the domain's total leaves */
	uint64_t quota_octets, quota_messages; /* 0: none */
	bool     quota_shared; /* the domain has a total: there is no grace, and IPC_AUTH_USED is to be told */
};
/* IPC_AUTH_USED: a note. What an account holds now. IPC_AUTH_USED_SET: the same from an administrator, whose domain gets a total. */
struct auth_used_request {
	uint64_t   account, octets, messages;
	struct str token; /* of a sign-in to it, or of one with whom it shares something: from imap only. ST_DENIED */
};
/* A limit as it is set. 0: as the domain says for its accounts. */
#define AUTH_QUOTA_NONE ((uint64_t)INT64_MAX) /* none, whatever the domain says */

struct auth_name {
	struct str address;
};

/* ---- sharing: docs/concepts/sharing.md ---- */

/* Whom an entry of access means: numbers as they are stored with the mailbox (store/store_acl.h). */
enum auth_subject { AUTH_SUBJECT_ANYONE, AUTH_SUBJECT_ACCOUNT, AUTH_SUBJECT_GROUP, AUTH_SUBJECT_LAST = AUTH_SUBJECT_GROUP };
/* IPC_AUTH_SUBJECT: whom does a name mean? ST_NOT_FOUND, ST_INVALID. Asked with the token of a sign-in; so are the next three: ST_DENIED. */
struct auth_subject_request {
	struct str        token;
	enum auth_subject kind;
	struct str        name; /* address, or name of a group; "" for anyone */
};
struct auth_subject_reply {
	uint64_t subject;
};
/* IPC_AUTH_SUBJECTS: their names; "" for one that is gone. */
struct auth_subject_id {
	enum auth_subject kind;
	uint64_t          subject;
};
struct auth_subjects_request {
	struct str              token;
	struct auth_subject_id *ids;
	size_t                  id_count;
};
struct auth_subjects_reply { /* in order */
	struct auth_name *names;
	size_t            name_count;
};
/* IPC_AUTH_SHARED: who shares something with the account that signed in, and which groups it is in. */
struct auth_owner {
	uint64_t   account;
	struct str address;
	struct str token; /* for keeper alone: it opens that account for the process that asks, as long as the token that was asked with is good */
};
struct auth_group_id {
	uint64_t group;
};
struct auth_shared_request {
	struct str token;
};
struct auth_shared_reply {
	struct auth_owner    *owners; /* by address; LIMIT_SHARES at most */
	size_t                owner_count;
	struct auth_group_id *groups;
	size_t                group_count;
};
/* IPC_AUTH_SHARE: the index of that: does `owner` give the subject anything, and may it give to others? Told before a right is given and
 * after the last one is taken away, so that the index names too many rather than too few. ST_DENIED: the token is neither the owner's nor of
 * one to whom he gave that; ST_LIMIT. */
struct auth_share_request {
	struct str        token;
	uint64_t          owner;
	enum auth_subject kind;
	uint64_t          subject;
	bool              on, admin;
};
/* IPC_AUTH_GROUP_*: groups of accounts. ADD makes the group if there is none of the name; with a member, adds that. REMOVE: the member, or
 * without one the whole group. ST_EXISTS, ST_NOT_FOUND, ST_INVALID, ST_LIMIT. LIST: names, or the members of `name`. */
struct auth_group_request {
	struct str name, member;
};
struct auth_group_list_reply {
	struct auth_name *names;
	size_t            name_count;
};

/* ---- administrators ----
 * ST_EXISTS, ST_NOT_FOUND, ST_INVALID (bad name), ST_DENIED (domain still has accounts). */
enum auth_domain_kind { /* stored */
	AUTH_DOMAIN_LOCAL, /* its accounts and aliases are here */
	AUTH_DOMAIN_RELAY, /* taken for another host: neither accounts nor aliases */
	AUTH_DOMAIN_LAST = AUTH_DOMAIN_RELAY,
};
enum auth_verify { /* stored; of recipients in a relay domain */
	AUTH_VERIFY_NONE,
	AUTH_VERIFY_PROBE, /* its host is asked */
	AUTH_VERIFY_LAST = AUTH_VERIFY_PROBE,
};
struct auth_domain {
	struct str            name; /* lower case, A-labels */
	uint64_t              accounts, aliases;
	int64_t               created_ms;
	enum auth_domain_kind kind;
	struct str            relay; /* "host:port", "lmtp:host:port"; "": by MX, without ourselves and what is no better */
	enum auth_verify      verify;
	uint64_t              account_octets, account_messages; /* quota of accounts that have none of their own; 0: none */
	uint64_t              total_octets, total_messages;     /* of all its accounts together; 0: none */
	uint64_t              used_octets, used_messages;       /* as far as there is a total */
};
/* IPC_AUTH_DOMAIN_QUOTA: ST_DENIED: a relay domain, which has no accounts. */
enum auth_domain_limit { /* mask */
	AUTH_DOMAIN_ACCOUNT_OCTETS = 1u << 0,
	AUTH_DOMAIN_ACCOUNT_MESSAGES = 1u << 1,
	AUTH_DOMAIN_TOTAL_OCTETS = 1u << 2,
	AUTH_DOMAIN_TOTAL_MESSAGES = 1u << 3,
};
struct auth_domain_quota_request {
	struct str name;
	uint32_t   given; /* enum auth_domain_limit: which of these are to be set */
	uint64_t   account_octets, account_messages, total_octets, total_messages;
};
struct auth_domain_request { /* ADD; REMOVE looks at the name only */
	struct str            name;
	enum auth_domain_kind kind;
	struct str            relay;
	enum auth_verify      verify;
};
struct auth_list_request { /* all listings: rows after `after` in name order, LIMIT_LIST_PAGE at most */
	struct str after, domain; /* domain: "" for all */
};
struct auth_domain_list_reply {
	struct auth_domain *domains;
	size_t              domain_count;
	bool                more;
};

struct auth_account_add_request { /* all of them with one password (one hash): for demo and imports */
	struct auth_name *names;
	size_t            name_count;
	struct str        password;
	uint64_t          quota_octets, quota_messages; /* 0: as the domain says; AUTH_QUOTA_NONE */
};
struct auth_account_add_reply {
	uint64_t first_account, added; /* ids; those that existed are left alone: ST_EXISTS if it was the only one */
};
struct auth_account {
	uint64_t   account;
	struct str address;
	bool       disabled, removed;
	uint64_t   quota_octets; /* its own, or its domain's; 0: none */
	int64_t    created_ms;
	uint64_t   quota_messages;
	bool       own_octets, own_messages; /* it is its own */
};
struct auth_account_list_reply {
	struct auth_account *accounts;
	size_t               account_count;
	bool                 more;
};
enum auth_change { AUTH_CHANGE_PASSWORD, AUTH_CHANGE_RENAME, AUTH_CHANGE_QUOTA, AUTH_CHANGE_DISABLE, AUTH_CHANGE_ENABLE,
	AUTH_CHANGE_QUOTA_MESSAGES, AUTH_CHANGE_LAST = AUTH_CHANGE_QUOTA_MESSAGES };
struct auth_account_change_request {
	struct str       address;
	enum auth_change what;
	struct str       password;  /* PASSWORD */
	struct str       new_address; /* RENAME */
	uint64_t         quota_octets, quota_messages; /* QUOTA, QUOTA_MESSAGES; as in ADD */
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
/* IPC_AUTH_CREDENTIAL_*: what signs in beside the password. ADD: ST_EXISTS (a certificate belongs to one account), ST_LIMIT.
 * REMOVE: `hash` or its beginning; ST_NOT_FOUND: none, or several. */
#define AUTH_CREDENTIAL_HASH ((size_t)32) /* SHA-256 */
enum auth_credential_kind { AUTH_CREDENTIAL_TOKEN, AUTH_CREDENTIAL_CERTIFICATE, AUTH_CREDENTIAL_LAST = AUTH_CREDENTIAL_CERTIFICATE };
struct auth_credential_add_request {
	struct str                address;
	enum auth_credential_kind kind;
	struct str                hash; /* CERTIFICATE: its fingerprint */
	uint32_t                  days; /* how long it is good; 0: always */
};
struct auth_credential_add_reply {
	struct str token; /* TOKEN: told this once */
	struct str hash;
	int64_t    expires_ms; /* 0: never */
};
struct auth_credential {
	struct str hash;
	int64_t    created_ms, expires_ms;
};
struct auth_credential_list_request {
	struct str                address;
	enum auth_credential_kind kind;
};
struct auth_credential_list_reply {
	struct auth_credential *rows;
	size_t                  row_count;
};
struct auth_credential_remove_request {
	struct str                address;
	enum auth_credential_kind kind;
	struct str                hash;
};
/* Who may write to an alias; see docs/concepts/addresses.md. */
enum auth_rule { /* stored */
	AUTH_RULE_MEMBERS, /* accounts that are among its targets, signed in */
	AUTH_RULE_DOMAIN,  /* accounts of its domain, signed in */
	AUTH_RULE_ADDRESS, /* this reverse-path */
	AUTH_RULE_LAST = AUTH_RULE_ADDRESS,
};
struct auth_policy {
	enum auth_rule rule;
	struct str     address; /* ADDRESS */
};
/* IPC_AUTH_ALIAS_CHANGE: other targets, at once: no mail meets a moment without them. Its rules stay, whatever `rules` says. ST_NOT_FOUND:
 * there is no such alias. */
struct auth_alias {
	struct str          from; /* "@domain": catch-all */
	struct auth_name   *to;
	size_t              to_count;
	struct auth_policy *rules; /* one that admits is enough; none: anyone may write */
	size_t              rule_count;
};
struct auth_alias_policy_request {
	struct str          from;
	struct auth_policy *rules;
	size_t              rule_count;
};
struct auth_alias_remove_request {
	struct str from;
};
struct auth_alias_list_reply {
	struct auth_alias *aliases;
	size_t             alias_count;
	bool               more;
};

/* What an account (owner) lends another (user). */
enum auth_right { /* stored */
	AUTH_RIGHT_SEND_AS,   /* its addresses in MAIL FROM and From */
	AUTH_RIGHT_ON_BEHALF, /* in From only, and only beside the user's own Sender */
	AUTH_RIGHT_LAST = AUTH_RIGHT_ON_BEHALF,
};
struct auth_delegate { /* ADD (again: the right changes); REMOVE looks at the addresses only */
	struct str      owner, user;
	enum auth_right right;
};
struct auth_delegate_list_request {
	struct str owner;
};
struct auth_delegate_list_reply {
	struct auth_delegate *delegates;
	size_t                delegate_count;
};

/* A rule of rewriting. from: address, "@domain", or ".domain" (all below it); to: address, or "@domain", which keeps the local part. */
enum auth_scope { /* mask, stored */
	AUTH_SCOPE_SENDER    = 1u << 0,
	AUTH_SCOPE_RECIPIENT = 1u << 1,
};
struct auth_rewrite_rule { /* ADD (ST_EXISTS for any of its scopes); REMOVE looks at from and scope */
	struct str from, to;
	uint32_t   scope;
};
struct auth_rewrite_list_request {
	struct str after;
	uint32_t   after_scope;
};
struct auth_rewrite_list_reply { /* in order of (from, scope), one row per scope */
	struct auth_rewrite_rule *rules;
	size_t                    rule_count;
	bool                      more;
};

/* IPC_AUTH_ROUTE: a dry run. What would RCPT answer, and where would the message go, and why? */
struct auth_route_request {
	struct str address;
	struct str from;   /* reverse-path; one of ours: its account is signed in */
	bool       anyone; /* no sender is given: `from` says nothing */
};
struct auth_route_step {
	struct str what, text; /* "alias", "info@example.org leads to 2 addresses" */
};
struct auth_route_reply {
	enum auth_rcpt_kind     kind;
	bool                    refused; /* FOREIGN: this sender may not relay */
	struct str              text;    /* the outcome in words */
	struct auth_route_step *steps;
	size_t                  step_count;
	struct auth_target     *targets;
	size_t                  target_count;
};

/* ---- DKIM ---- docs/concepts/dkim.md */

/* IPC_AUTH_SIGN: the DKIM-Signature fields of a message that leaves. auth prints them, so nothing but a signature over such a field can
 * be had from it. ST_NOT_FOUND: neither the domain nor one above it is ours and has a key that is active: the message goes unsigned. */
struct auth_sign_request {
	struct str domain;    /* of the From field */
	struct str names;     /* h= */
	struct str header;    /* the fields of h=, canonical (relaxed), LIMIT_DKIM_HEADER at most */
	struct str body_hash; /* SHA-256 of the canonical body (relaxed), octets */
	int64_t    time_s;    /* t= */
};
struct auth_sign_reply {
	struct str fields; /* with their CRLFs */
};

/* IPC_AUTH_KEY_*: the keys of a domain. ST_NOT_FOUND: domain or selector; ST_EXISTS: selector; ST_LIMIT: LIMIT_DKIM_KEYS; ST_INVALID: the
 * selector, or the key that was given, is not one. */
enum auth_key_state { /* stored */
	AUTH_KEY_NEW,     /* to be published; nothing is signed with it yet */
	AUTH_KEY_ACTIVE,  /* one of each algorithm at most */
	AUTH_KEY_RETIRED, /* to stay published until what was signed with it has arrived */
	AUTH_KEY_STATE_LAST = AUTH_KEY_RETIRED,
};
struct auth_key {
	struct str          selector;
	enum dkim_algorithm algorithm;
	enum auth_key_state state;
	uint32_t            bits;
	int64_t             created_ms;
	struct str          record; /* text of its TXT record */
};
struct auth_key_add_request { /* the reply is the key */
	struct str          domain, selector; /* selector "": one is chosen */
	enum dkim_algorithm algorithm;        /* of one that is made */
	uint32_t            bits;             /* RSA: 0: 2048 */
	struct str          secret;           /* PEM; "": a key is made */
	bool                activate;
};
struct auth_key_list_request {
	struct str domain;
};
struct auth_key_list_reply {
	struct str       domain; /* canonical */
	struct auth_key *keys;
	size_t           key_count;
};
enum auth_key_change {
	AUTH_KEY_ACTIVATE, /* the one of its algorithm that was active is retired */
	AUTH_KEY_RETIRE,
	AUTH_KEY_REMOVE, /* ST_DENIED: it is active */
	AUTH_KEY_CHANGE_LAST = AUTH_KEY_REMOVE,
};
struct auth_key_change_request {
	struct str           domain, selector;
	enum auth_key_change what;
};

#endif
