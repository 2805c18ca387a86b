/* directory/directory.h - domains, accounts, aliases and sign-in: the logic of the role auth.
 *
 * The truth is directory.db; the same rows are held in memory, so that the questions that sessions ask (rcpt, resolve,
 * sender, a remembered password) never wait for the disk. A change is committed and synced first, then made in memory:
 * what was answered ST_OK survives a power cut.
 *
 * Addresses come in any form and are made canonical here (wire/address): for our domains the local part is folded too.
 *
 * How an address of ours is resolved, first match wins:
 *   0. what the rules of rewriting for recipients make of it (once); a relay domain takes every name
 *   1. an alias of exactly this name; one of its own targets may be the account of the same name ("and keep a copy")
 *   2. an account of exactly this name that is not removed
 *   3. a reverse-path that we have made (srs.h), for reports: the sender behind it; a false one is nobody's
 *   4. with the subaddress taken off ("user+tag"): alias, then account
 *   5. postmaster: the first account of the domain (RFC 5321 §4.5.1)
 *   6. the catch-all alias "@domain"
 *   7. postmaster of a domain without accounts: the first account there is
 * Each target comes once; a chain longer than LIMIT_ALIAS_DEPTH, a circle, or more than LIMIT_ALIAS_TARGETS targets is
 * ST_LIMIT.
 *
 * A disabled account cannot sign in, and an address that leads to disabled accounts only is closed at the door; what
 * was accepted before is still delivered to it. A removed account is nobody; its row and its id are kept until the
 * retention ends.
 *
 * Thread-safe. The functions that administrators use wait for the disk, and for each other.
 */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H

#include "base/arena.h"
#include "base/status.h"
#include "guard/guard.h"
#include "ipc/msg_auth.h"

struct directory;

struct directory_options { /* zero means the default */
	const char *path;  /* "auth/directory.db" */
	bool        create;
	bool        lab;          /* loopback is not limited */
	const char *subaddress;   /* characters that separate a subaddress: "+"; "": none do */
	unsigned    hash_threads; /* 2 */
	unsigned    hash_ops;     /* Argon2id passes, see password.h */
	size_t      hash_memory_octets;
	uint32_t    scram_iterations; /* of new verifiers, see scram.h */
	int64_t     retention_ms; /* of removed accounts: 30 days */
	struct guard *guard;      /* limits what is accepted at RCPT; NULL: nothing is limited */
	/* Told the outcome of each sign-in of any kind that was judged or refused unseen; from any thread, with no lock held, must not
	 * wait. `account`: canonical, or as given when it is no address; may be empty. NULL: nobody. */
	void (*signin_event)(void *ctx, struct str peer, struct str account, bool ok);
	void *signin_ctx;
	struct str session_key; /* of ipc/session_token.h, borrowed during the opening; "": made here */
	int64_t (*mono_ms)(void); /* clocks, for tests */
	int64_t (*wall_ms)(void);
};

/* After db_init() and db_root("auth", fd); inside a sandbox it needs files below that root, threads and getrandom(2).
 * Starts the hash lane's threads. Statuses of db_open(). */
MUST_CHECK enum status directory_open(const struct directory_options *options, struct directory **ret);
/* Sign-ins that wait are finished first. Sets *d to NULL; NULL inside is fine. */
void directory_close(struct directory **d);

/* At most LIMIT_SUBADDRESS characters, see wire/address/address.h. */
void directory_set_subaddress(struct directory *d, struct str separators);
/* As given in the options. */
struct guard *directory_guard(const struct directory *d);

/* ---- questions: from memory, never wait; ST_INVALID: not an address ---- */
/* All but limits and greylisting, which are not the directory's: ret->kind is never LATER but for a relay domain. Strings of the
 * reply live in `a`, or for ever. */
MUST_CHECK enum status directory_rcpt(struct directory *d, const struct auth_rcpt_request *q, struct arena *a,
				      struct auth_rcpt_reply *ret);
/* Targets live in `a`. A foreign address resolves to itself. ST_NOT_FOUND, ST_LIMIT: see msg_auth.h. Who may write was asked by
 * directory_rcpt, and is not asked again: what was accepted is delivered. */
MUST_CHECK enum status directory_resolve(struct directory *d, const struct auth_resolve_request *q, struct arena *a,
					 struct auth_resolve_reply *ret);
/* ST_OK if the address leads, only or among others, to the account, or to one that lends it; and the account is in use; else
 * ST_DENIED. */
MUST_CHECK enum status directory_sender(struct directory *d, const struct auth_sender_request *q);
/* Addresses of a submitted message by the rules of rewriting; the reply lives in `a`. */
MUST_CHECK enum status directory_rewrite(struct directory *d, const struct auth_rewrite_request *q, struct arena *a,
					 struct auth_rewrite_reply *ret);
/* The result of a probe is remembered; ret is the answer to RCPT. */
MUST_CHECK enum status directory_probed(struct directory *d, const struct auth_probed_request *q, struct auth_rcpt_reply *ret);
MUST_CHECK enum status directory_full(struct directory *d, const struct auth_full_request *q);
MUST_CHECK enum status directory_quota(struct directory *d, const struct auth_quota_request *q, struct auth_quota_reply *ret);
/* What an account holds; written, not synced: the next word of it is of all again. Waits for the disk if that is news. */
MUST_CHECK enum status directory_used(struct directory *d, const struct auth_used_request *q);
/* Of a domain, for administrators. */
MUST_CHECK enum status directory_domain_quota(struct directory *d, const struct auth_domain_quota_request *q);
/* The way to one foreign address; ST_NOT_FOUND: it is ours. How rules are chosen: directory_hop.h. */
MUST_CHECK enum status directory_hop(struct directory *d, const struct auth_hop_request *q, struct arena *a, struct auth_hop_reply *ret);
/* The dry run; the reply lives in `a`. */
MUST_CHECK enum status directory_route(struct directory *d, const struct auth_route_request *q, struct arena *a,
				       struct auth_route_reply *ret);

/* ---- sign-in ---- */

/* The request's strings must live until done() is called: exactly once, from inside this call or from a thread of the
 * hash lane. reply is NULL unless ST_OK; its strings live during the call. Statuses: IPC_AUTH_LOGIN. */
typedef void directory_login_fn(void *arg, enum status st, const struct auth_login_reply *reply);
void directory_login_start(struct directory *d, const struct auth_login_request *request, directory_login_fn *done,
			   void *arg);
/* The same, waiting; the reply's strings live in `a`. */
MUST_CHECK enum status directory_login(struct directory *d, const struct auth_login_request *request, struct arena *a,
				       struct auth_login_reply *ret);
/* The other ways; replies live in `a` (a wiping one). None of them waits. */
MUST_CHECK enum status directory_scram_salt(struct directory *d, const struct auth_scram_salt_request *q, struct arena *a,
					    struct auth_scram_salt_reply *ret);
MUST_CHECK enum status directory_scram_proof(struct directory *d, const struct auth_scram_proof_request *q, struct arena *a,
					     struct auth_scram_proof_reply *ret);
MUST_CHECK enum status directory_bearer(struct directory *d, const struct auth_bearer_request *q, struct arena *a,
					struct auth_login_reply *ret);
MUST_CHECK enum status directory_external(struct directory *d, const struct auth_external_request *q, struct arena *a,
					  struct auth_login_reply *ret);
/* Is it a certificate that somebody may sign in with? ST_OK or ST_NOT_FOUND. */
MUST_CHECK enum status directory_certificate(struct directory *d, struct str fingerprint);
/* The account of a token from a login reply, for a day. ST_DENIED: not ours, too old, or the account has been disabled,
 * removed or given another password since. */
MUST_CHECK enum status directory_token(struct directory *d, struct str token, uint64_t *ret_account);
/* The same for the process that it was made for, which asks while its session lasts: also behind a restart of ours and after another password
 * was set, as keeper does. *ret has its end. ST_DENIED: not ours, another's, over, a guest's, or the account has been disabled or removed. */
MUST_CHECK enum status directory_session(struct directory *d, struct str token, const struct session_side *side, struct session_token *ret);
/* May that process speak for the account: a sign-in to it, or a guest there (directory_shared). ST_DENIED. */
MUST_CHECK enum status directory_speaks(struct directory *d, struct str token, const struct session_side *side, uint64_t account);
/* A token with which keeper lets the process of `session` into `account`, as long as that one is good; auth itself takes it for nothing. */
void directory_guest_token(struct directory *d, const struct session_token *session, uint64_t account, uint8_t ret[LIMIT_TOKEN]);

/* ---- DKIM ---- */

/* Signatures for a message that leaves; statuses as IPC_AUTH_SIGN, ST_BUSY: too many wait. `q` must live until done() is called, exactly
 * once, from inside this call or from a thread of the lane; the reply lives during the call. `a` is used until then. */
typedef void directory_sign_fn(void *arg, enum status st, const struct auth_sign_reply *reply);
void directory_sign_start(struct directory *d, const struct auth_sign_request *q, struct arena *a, directory_sign_fn *done, void *arg);
/* Once after opening: domains that never had keys get some, which are not active, in a thread of that lane. */
void directory_keys_complete(struct directory *d);

/* ---- administrators: statuses as in msg_auth.h, and those of the database ---- */
MUST_CHECK enum status directory_domain_add(struct directory *d, const struct auth_domain_request *q);
/* Its aliases go with it. ST_DENIED while there are accounts, removed ones included. */
MUST_CHECK enum status directory_domain_remove(struct directory *d, const struct auth_domain_request *q);
MUST_CHECK enum status directory_domain_list(struct directory *d, const struct auth_list_request *q, struct arena *a,
					     struct auth_domain_list_reply *ret);

/* Takes as long as making a key does. The reply lives in `a`. */
MUST_CHECK enum status directory_key_add(struct directory *d, const struct auth_key_add_request *q, struct arena *a, struct auth_key *ret);
MUST_CHECK enum status directory_key_list(struct directory *d, const struct auth_key_list_request *q, struct arena *a,
					  struct auth_key_list_reply *ret);
MUST_CHECK enum status directory_key_change(struct directory *d, const struct auth_key_change_request *q);
/* One key of each algorithm, both in one transaction, for a domain that never had some; one that has keeps them, activated if it is asked for and none is. */
MUST_CHECK enum status directory_keys_make(struct directory *d, struct str domain, bool activate);

/* ST_NOT_FOUND: a domain that is not ours. One transaction and one hash. The password may be an imported hash, see
 * password.h. */
MUST_CHECK enum status directory_account_add(struct directory *d, const struct auth_account_add_request *q,
					     struct auth_account_add_reply *ret);
MUST_CHECK enum status directory_account_list(struct directory *d, const struct auth_list_request *q, struct arena *a,
					      struct auth_account_list_reply *ret);
/* Renaming takes the aliases that lead to the account along. ENABLE also restores a removed account. */
MUST_CHECK enum status directory_account_change(struct directory *d, const struct auth_account_change_request *q);
MUST_CHECK enum status directory_account_remove(struct directory *d, const struct auth_account_remove_request *q,
						struct auth_account_remove_reply *ret);
/* Forget removed accounts whose retention has ended, LIMIT_LIST_PAGE at most; the ids, in `a`, are of all whose mail
 * is to be purged now, again until directory_purged names them. */
MUST_CHECK enum status directory_expire(struct directory *d, struct arena *a, uint64_t **ret_accounts,
					size_t *ret_count);
MUST_CHECK enum status directory_purged(struct directory *d, const struct auth_purged_request *q);

/* Access tokens and certificates. */
MUST_CHECK enum status directory_credential_add(struct directory *d, const struct auth_credential_add_request *q,
						struct arena *a, struct auth_credential_add_reply *ret);
MUST_CHECK enum status directory_credential_list(struct directory *d, const struct auth_credential_list_request *q,
						 struct arena *a, struct auth_credential_list_reply *ret);
MUST_CHECK enum status directory_credential_remove(struct directory *d, const struct auth_credential_remove_request *q);

/* ST_EXISTS: an alias, or an account that is not among the targets; ST_LIMIT: it would close a circle. */
MUST_CHECK enum status directory_alias_add(struct directory *d, const struct auth_alias *q);
MUST_CHECK enum status directory_alias_change(struct directory *d, const struct auth_alias *q);
MUST_CHECK enum status directory_alias_remove(struct directory *d, const struct auth_alias_remove_request *q);
/* Another policy for an alias that there is. ST_INVALID: an address that is none. */
MUST_CHECK enum status directory_alias_policy(struct directory *d, const struct auth_alias_policy_request *q);
MUST_CHECK enum status directory_alias_list(struct directory *d, const struct auth_list_request *q, struct arena *a,
					    struct auth_alias_list_reply *ret);

/* ST_NOT_FOUND: either account, or the delegation. ST_LIMIT: LIMIT_DELEGATES. */
MUST_CHECK enum status directory_delegate_add(struct directory *d, const struct auth_delegate *q);
MUST_CHECK enum status directory_delegate_remove(struct directory *d, const struct auth_delegate *q);
MUST_CHECK enum status directory_delegate_list(struct directory *d, const struct auth_delegate_list_request *q, struct arena *a,
					       struct auth_delegate_list_reply *ret);

MUST_CHECK enum status directory_rewrite_add(struct directory *d, const struct auth_rewrite_rule *q);
MUST_CHECK enum status directory_rewrite_remove(struct directory *d, const struct auth_rewrite_rule *q);
MUST_CHECK enum status directory_rewrite_list(struct directory *d, const struct auth_rewrite_list_request *q, struct arena *a,
					      struct auth_rewrite_list_reply *ret);

/* Rules of routes: what they may say is in directory_rule.h. */
MUST_CHECK enum status directory_route_add(struct directory *d, const struct auth_route_change_request *q);
MUST_CHECK enum status directory_route_set(struct directory *d, const struct auth_route_change_request *q);
MUST_CHECK enum status directory_route_remove(struct directory *d, const struct auth_route_change_request *q);
/* Without any secret. */
MUST_CHECK enum status directory_route_list(struct directory *d, const struct auth_route_list_request *q, struct arena *a,
					    struct auth_route_list_reply *ret);
/* Credentials, in `a` (a wiping one). Waits for the disk. */
MUST_CHECK enum status directory_hop_secret(struct directory *d, uint64_t login, struct arena *a, struct auth_login *ret);

/* Sharing: msg_auth.h says what each is. They read or write the database, so they wait for administrators' changes. */
MUST_CHECK enum status directory_subject(struct directory *d, const struct session_side *side, const struct auth_subject_request *q,
					 struct auth_subject_reply *ret);
MUST_CHECK enum status directory_subjects(struct directory *d, const struct session_side *side, const struct auth_subjects_request *q, struct arena *a,
					  struct auth_subjects_reply *ret);
MUST_CHECK enum status directory_shared(struct directory *d, const struct session_side *side, const struct auth_shared_request *q, struct arena *a,
					struct auth_shared_reply *ret);
MUST_CHECK enum status directory_share(struct directory *d, const struct session_side *side, const struct auth_share_request *q);
MUST_CHECK enum status directory_group_add(struct directory *d, const struct auth_group_request *q);
MUST_CHECK enum status directory_group_remove(struct directory *d, const struct auth_group_request *q);
MUST_CHECK enum status directory_group_list(struct directory *d, const struct auth_group_request *q, struct arena *a,
					    struct auth_group_list_reply *ret);

#endif
