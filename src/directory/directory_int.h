/* directory/directory_int.h - private to this folder: the directory in memory.
 *
 * Locks, in this order: `admin` is held for a whole change (and guards the database handle), `lock` for writing only
 * while memory changes. So who holds `admin` may read memory without `lock`.
 */
#ifndef DIRECTORY_DIRECTORY_INT_H
#define DIRECTORY_DIRECTORY_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "db/db.h"
#include "directory/directory.h"
#include "directory/directory_hop.h"
#include "directory/lane.h"
#include "directory/password.h"
#include "directory/scram.h"
#include "wire/address/address.h"

struct dir_quota { /* of a domain; 0: none */
	uint64_t account_octets, account_messages; /* of those that have none of their own */
	uint64_t total_octets, total_messages;
};

struct dir_domain {
	struct str          name;
	int64_t             created_ms;
	uint64_t            rows;              /* accounts, removed ones too */
	uint64_t            accounts, aliases; /* in use */
	enum auth_domain_kind kind;
	struct str            relay;
	enum auth_verify      verify;
	struct dir_account *first;             /* lowest id that is neither disabled nor removed, or NULL */
	struct dir_alias   *catch_all;
	struct dir_key     *keys;  /* DKIM, in order of making */
	bool                keyed; /* it has, or had, some */
	struct dir_quota    quota;
	uint64_t            used_octets, used_messages; /* sums of its accounts' */
};

struct dir_account {
	uint64_t           id, generation; /* generation: changes with the password and the state */
	uint64_t           quota_octets, quota_messages; /* 0: as the domain says; AUTH_QUOTA_NONE */
	uint64_t           used_octets, used_messages;   /* as told last; 0: not known. Under `admin` and, for writing, `lock` */
	struct str         address, hash;
	struct scram_keys  scram;
	bool               disabled;
	int64_t            removed_ms; /* 0: not removed */
	int64_t            created_ms;
	struct dir_domain *domain;
	_Atomic int64_t    full_until_ms; /* monotonic: over its quota; also changed by who holds `lock` for reading */
};

struct dir_alias {
	struct str         from; /* canonical and folded, or "@domain" */
	struct dir_domain *domain;
	size_t             count;
	struct str        *to; /* canonical */
	size_t             rule_count;
	struct dir_rule   *rules; /* who may write; none: anyone */
};

struct dir_rule {
	enum auth_rule rule;
	struct str     address; /* canonical; folded if ours */
};

/* A rule of rewriting for one scope. */
struct dir_rewrite {
	struct str from; /* folded */
	struct str to;
};
#define DIR_SCOPES 2u /* index 0: senders, 1: recipients */

struct directory {
	struct db               *db;
	pthread_mutex_t          admin;
	pthread_rwlock_t         lock;
	struct map               domains, accounts, aliases; /* by name */
	struct map               ids;                        /* accounts by id */
	struct map               delegates;                  /* owner and user to right + 1 */
	struct map               rewrites[DIR_SCOPES];       /* by `from` */
	struct dir_routes        routes;
	uint64_t                 generation;
	struct directory_options options;
	struct password_cost     cost;
	struct password_hash     nobody; /* verified instead when there is no such account */
	struct lane             *lane;
	struct throttle         *throttle;
	struct verified         *verified;
	struct probe_known      *probes;
	uint8_t                  token_key[32];            /* of nonces */
	uint8_t                  session_key[SESSION_KEY]; /* of tokens that name a sign-in */
	uint8_t                  scram_secret[32]; /* of the salts of those who have none; stored */
	uint32_t                 scram_iterations;
	struct map               credentials; /* by kind and hash */
	uint8_t                  srs_key[32];
	struct lane             *signers;
	struct lane_job          completing; /* of domains without keys, once */
	atomic_bool              closing;
	char                     separators[LIMIT_SUBADDRESS + 1]; /* changes under `lock` */
};

/* ---- directory_mem.c: all callers hold `lock` for writing, or nobody else knows d yet ---- */
void dir_mem_init(struct directory *d);
void dir_mem_done(struct directory *d);
struct str dir_keep(struct str s); /* a copy on the heap, with a NUL behind it */
void dir_domain_put(struct directory *d, const struct dir_domain *row); /* name, created_ms, kind, relay, verify */
void dir_domain_drop(struct directory *d, struct dir_domain *dom); /* with its aliases; it has no accounts */
/* Strings are copied; row->domain must be set. */
void dir_account_put(struct directory *d, const struct dir_account *row);
void dir_account_drop(struct directory *d, struct dir_account *acc);
void dir_account_rename(struct directory *d, struct dir_account *acc, struct str address, struct dir_domain *dom);
void dir_account_set_hash(struct dir_account *acc, struct str hash, const struct scram_keys *scram);
/* disabled or removed_ms have another value: count again, new generation. */
void dir_account_set_state(struct directory *d, struct dir_account *acc, bool disabled, int64_t removed_ms);
struct dir_alias *dir_alias_new(struct str from, const struct str *to, size_t count, struct dir_domain *dom);
void              dir_alias_free(struct dir_alias *al);
void              dir_alias_put(struct directory *d, struct dir_alias *al); /* owned from here on */
void              dir_alias_drop(struct directory *d, struct dir_alias *al);
void              dir_alias_set_rules(struct dir_alias *al, const struct dir_rule *rules, size_t count); /* copied */
void              dir_rewrite_put(struct directory *d, unsigned scope, struct str from, struct str to);
void              dir_rewrite_drop(struct directory *d, unsigned scope, struct dir_rewrite *rule);
void              dir_delegate_put(struct directory *d, uint64_t owner, uint64_t user, enum auth_right right);
void              dir_delegate_drop(struct directory *d, uint64_t owner, uint64_t user);
void              dir_delegates_forget(struct directory *d, uint64_t account); /* as owner and as user */
/* False: nothing was lent. */
bool              dir_delegate_find(const struct directory *d, uint64_t owner, uint64_t user, enum auth_right *ret);

static inline bool dir_account_in_use(const struct dir_account *acc)
{
	return acc != NULL && acc->removed_ms == 0;
}

/* ---- directory_delegate.c ---- */
/* The account of an address, in use. Holds `admin`. ST_NOT_FOUND, ST_INVALID. */
MUST_CHECK enum status dir_account_find(struct directory *d, struct str address, uint64_t *ret);

/* ---- directory_group.c ---- */
/* Holds `admin`. ST_NOT_FOUND, ST_INVALID. */
MUST_CHECK enum status dir_group_find(struct directory *d, struct str name, uint64_t *ret);

/* ---- directory_share.c: in a transaction ---- */
/* An account is to be purged: its shares, those with it, its places in groups. */
MUST_CHECK enum status dir_shares_forget(struct directory *d, uint64_t account);

/* ---- directory_quota.c ---- */
/* What holds for the account now. Holds `lock` for reading, or `admin`. */
void dir_quota_of(const struct dir_account *acc, struct auth_quota_reply *ret);
/* The same without the domain's total: what was set. */
void dir_quota_set_of(const struct dir_account *acc, struct auth_quota_reply *ret);
MUST_CHECK enum status dir_used_load(struct directory *d);

/* ---- directory_scram.c ---- */
/* All that is stored of a password: its hash, made from the prepared form (sasl_prep), and the verifiers. */
MUST_CHECK enum status dir_password_hash(const struct directory *d, struct str password, struct password_hash *ret,
					 struct scram_keys *ret_scram);
/* The verifiers of a password that was given in clear; none of an imported hash. */
void dir_scram_make(const struct directory *d, struct str password, struct scram_keys *ret);
/* In a transaction. */
MUST_CHECK enum status dir_scram_write(struct directory *d, uint64_t account, const struct scram_keys *keys);
MUST_CHECK enum status dir_scram_load(struct directory *d);
MUST_CHECK enum status dir_scram_secret(struct directory *d);
/* Store them if the account is still of that generation and has none. Waits for the disk. */
void dir_scram_adopt(struct directory *d, uint64_t account, uint64_t generation, const struct scram_keys *keys);

/* ---- directory_credential.c ---- */
MUST_CHECK enum status dir_credential_load(struct directory *d);
/* All of one account, or with 0 of all. Holds `lock` for writing. */
void dir_credential_forget(struct directory *d, uint64_t account);

/* ---- directory_resolve.c ---- */
/* ---- directory_load.c ---- */
/* Policies, delegations, rewriting; after domains, accounts and aliases. And the secrets, which are made if they are not there. */
MUST_CHECK enum status dir_load_more(struct directory *d);

/* ---- directory_rules.c ---- */
MUST_CHECK enum status dir_routes_load(struct directory *d);

/* ---- directory_rewrite.c ---- */
/* The address as the scope's rules want it. False: none applies. Holds `lock` for reading, or `admin`. */
MUST_CHECK bool dir_rewrite(const struct directory *d, unsigned scope, struct str address, struct address_canon *ret);

/* ---- directory.c ---- */
/* End the transaction after `st`: commit and sync, or roll back. */
MUST_CHECK enum status dir_commit(struct directory *d, enum status st);
int64_t                dir_mono_ms(const struct directory *d);
int64_t                dir_wall_ms(const struct directory *d);

#endif
