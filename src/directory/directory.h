/* directory/directory.h - domains, accounts, aliases and sign-in: the logic of the role auth.
 *
 * The truth is directory.db; the same rows are held in memory, so that the questions that sessions ask (rcpt, resolve,
 * sender, a remembered password) never wait for the disk. A change is committed and synced first, then made in memory:
 * what was answered ST_OK survives a power cut.
 *
 * Addresses come in any form and are made canonical here (wire/address): for our domains the local part is folded too.
 *
 * How an address of ours is resolved, first match wins:
 *   1. an alias of exactly this name; one of its own targets may be the account of the same name ("and keep a copy")
 *   2. an account of exactly this name that is not removed
 *   3. with the subaddress taken off ("user+tag"): alias, then account
 *   4. postmaster: the first account of the domain (RFC 5321 §4.5.1)
 *   5. the catch-all alias "@domain"
 *   6. postmaster of a domain without accounts: the first account there is
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
	char        separator;    /* of subaddresses: '+' */
	unsigned    hash_threads; /* 2 */
	unsigned    hash_ops;     /* Argon2id passes, see password.h */
	size_t      hash_memory_octets;
	int64_t     retention_ms; /* of removed accounts: 30 days */
	struct guard *guard;      /* limits what is accepted at RCPT; NULL: nothing is limited */
	/* Told the outcome of each sign-in that was judged or refused unseen; from any thread, must not wait. NULL: nobody. */
	void (*signin_event)(void *ctx, struct str peer, struct str account, bool ok);
	void *signin_ctx;
	int64_t (*mono_ms)(void); /* clocks, for tests */
	int64_t (*wall_ms)(void);
};

/* After db_init() and db_root("auth", fd); inside a sandbox it needs files below that root, threads and getrandom(2).
 * Starts the hash lane's threads. Statuses of db_open(). */
MUST_CHECK enum status directory_open(const struct directory_options *options, struct directory **ret);
/* Sign-ins that wait are finished first. Sets *d to NULL; NULL inside is fine. */
void directory_close(struct directory **d);

/* As given in the options. */
struct guard *directory_guard(const struct directory *d);

/* ---- questions: from memory, never wait; ST_INVALID: not an address ---- */
MUST_CHECK enum status directory_rcpt(struct directory *d, struct str address, enum auth_rcpt_kind *ret);
/* Targets live in `a`. A foreign address resolves to itself. ST_NOT_FOUND, ST_LIMIT: see msg_auth.h. */
MUST_CHECK enum status directory_resolve(struct directory *d, struct str address, struct arena *a,
					 struct auth_resolve_reply *ret);
/* ST_OK if the address leads, only or among others, to the account, and the account is in use; else ST_DENIED. */
MUST_CHECK enum status directory_sender(struct directory *d, uint64_t account, struct str address);

/* ---- sign-in ---- */

/* The request's strings must live until done() is called: exactly once, from inside this call or from a thread of the
 * hash lane. reply is NULL unless ST_OK; its strings live during the call. Statuses: IPC_AUTH_LOGIN. */
typedef void directory_login_fn(void *arg, enum status st, const struct auth_login_reply *reply);
void directory_login_start(struct directory *d, const struct auth_login_request *request, directory_login_fn *done,
			   void *arg);
/* The same, waiting; the reply's strings live in `a`. */
MUST_CHECK enum status directory_login(struct directory *d, const struct auth_login_request *request, struct arena *a,
				       struct auth_login_reply *ret);
/* The account of a token from a login reply, for a day. ST_DENIED: not ours, too old, or the account has been disabled,
 * removed or given another password since. */
MUST_CHECK enum status directory_token(struct directory *d, struct str token, uint64_t *ret_account);

/* ---- administrators: statuses as in msg_auth.h, and those of the database ---- */
MUST_CHECK enum status directory_domain_add(struct directory *d, const struct auth_domain_request *q);
/* Its aliases go with it. ST_DENIED while there are accounts, removed ones included. */
MUST_CHECK enum status directory_domain_remove(struct directory *d, const struct auth_domain_request *q);
MUST_CHECK enum status directory_domain_list(struct directory *d, const struct auth_list_request *q, struct arena *a,
					     struct auth_domain_list_reply *ret);

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

/* ST_EXISTS: an alias, or an account that is not among the targets; ST_LIMIT: it would close a circle. */
MUST_CHECK enum status directory_alias_add(struct directory *d, const struct auth_alias *q);
MUST_CHECK enum status directory_alias_remove(struct directory *d, const struct auth_alias_remove_request *q);
MUST_CHECK enum status directory_alias_list(struct directory *d, const struct auth_list_request *q, struct arena *a,
					    struct auth_alias_list_reply *ret);

#endif
