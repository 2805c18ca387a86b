/* directory/directory_int.h - private to this folder: the directory in memory.
 *
 * Locks, in this order: `admin` is held for a whole change (and guards the database handle), `lock` for writing only
 * while memory changes. So who holds `admin` may read memory without `lock`.
 */
#ifndef DIRECTORY_DIRECTORY_INT_H
#define DIRECTORY_DIRECTORY_INT_H

#include <pthread.h>

#include "base/map.h"
#include "db/db.h"
#include "directory/directory.h"
#include "directory/password.h"
#include "directory/scram.h"
#include "wire/address/address.h"

struct dir_domain {
	struct str          name;
	int64_t             created_ms;
	uint64_t            rows;              /* accounts, removed ones too */
	uint64_t            accounts, aliases; /* in use */
	struct dir_account *first;             /* lowest id that is neither disabled nor removed, or NULL */
	struct dir_alias   *catch_all;
};

struct dir_account {
	uint64_t           id, generation; /* generation: changes with the password and the state */
	uint64_t           quota_octets;
	struct str         address, hash;
	struct scram_keys  scram;
	bool               disabled;
	int64_t            removed_ms; /* 0: not removed */
	int64_t            created_ms;
	struct dir_domain *domain;
};

struct dir_alias {
	struct str         from; /* canonical and folded, or "@domain" */
	struct dir_domain *domain;
	size_t             count;
	struct str        *to; /* canonical */
};

struct directory {
	struct db               *db;
	pthread_mutex_t          admin;
	pthread_rwlock_t         lock;
	struct map               domains, accounts, aliases; /* by name */
	struct map               ids;                        /* accounts by id */
	uint64_t                 generation;
	struct directory_options options;
	struct password_cost     cost;
	struct password_hash     nobody; /* verified instead when there is no such account */
	struct lane             *lane;
	struct throttle         *throttle;
	struct verified         *verified;
	uint8_t                  token_key[32];
	uint8_t                  scram_secret[32]; /* of the salts of those who have none; stored */
	uint32_t                 scram_iterations;
	struct map               credentials; /* by kind and hash */
};

/* ---- directory_mem.c: all callers hold `lock` for writing, or nobody else knows d yet ---- */
void dir_mem_init(struct directory *d);
void dir_mem_done(struct directory *d);
void dir_domain_put(struct directory *d, struct str name, int64_t created_ms);
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

static inline bool dir_account_in_use(const struct dir_account *acc)
{
	return acc != NULL && acc->removed_ms == 0;
}

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

/* Canonical form; *ret_domain is ours, or NULL. The local part is folded if it is ours. Holds `lock` for reading, or
 * `admin`. */
MUST_CHECK enum address_err dir_canon(struct directory *d, struct str address, struct address_canon *ret,
				      struct dir_domain **ret_domain);
/* Would adding `al` close a circle, or make too long a chain? ST_OK or ST_LIMIT. Holds `admin`. */
MUST_CHECK enum status dir_alias_check(struct directory *d, struct dir_alias *al);

/* ---- directory.c ---- */
/* End the transaction after `st`: commit and sync, or roll back. */
MUST_CHECK enum status dir_commit(struct directory *d, enum status st);
int64_t                dir_mono_ms(const struct directory *d);
int64_t                dir_wall_ms(const struct directory *d);

#endif
