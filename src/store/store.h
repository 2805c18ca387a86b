/* store/store.h - accounts: opening and giving back, settling, space, checking and repair.
 *
 * The rest of the interface: store_mailbox.h (mailboxes, keywords), store_message.h (append, deliver, copy, move, expunge,
 * flags, views, changes, facts, content).
 *
 * An account is the directory <shard>/<id>/ below the accounts directory: mail.db, content/ (messages over LIMIT_INLINE).
 * A command opens the account, works, and closes it before it waits for anything: `struct store_account` is a database handle
 * that comes from an LRU and goes back to it. A handle belongs to one thread between open and close; any number may be open on
 * one account, in any number of threads and processes.
 *
 * Durability (docs/formats/durability.md). append, copy, move, expunge and everything of mailboxes are on stable storage when
 * they return ST_OK. store_deliver is not: local settles it (store_settle_all). store_flags may be shown at once. Before a session
 * shows anything it read, it calls store_settle: nothing new is shown before it is on disk.
 *
 * Statuses, for every function: ST_TEMP lock not had in time, the account was just repaired, or the reserve was given up (try the
 * command again, at once is fine);
 * ST_SUSPECT writes are refused until store_repair; ST_FULL below the watermark or no space; ST_CORRUPT this account's database
 * or content is damaged (others are not); ST_VERSION written by a newer program; ST_IO. Others are named at the function.
 * A function that does not return ST_OK has changed nothing, and has written none of its outputs.
 *
 * Everything is thread-safe except a single struct store_account.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/status.h"

struct store;
struct store_account;

#define STORE_WARN_MAX 4u

struct store_options {
	size_t   memory;            /* octets of idle handles kept; 0: 16 MiB */
	size_t   views;             /* octets of lists of messages kept (store_view_give); 0: 32 MiB */
	unsigned handles;           /* open handles kept idle at most (4 descriptors each); 0: 128 */
	unsigned lock_ms;           /* wait for an account's writer lock; 0: 10 s */
	unsigned watermark_percent; /* free space below which only what must go on goes on; 0: 5 */
	uint64_t watermark_octets;  /* at least this much; 0: 200 MiB. UINT64_MAX: always below (tests) */
	uint64_t reserve_octets;    /* file "reserve" for what must go on when the disk is full; 0: none. One process has it: local */
	unsigned log_pages;         /* length of an account's log from which store_tidy checkpoints, and twice that a commit; 0: 500 */
	int64_t  retention_ms;      /* expunged messages stay restorable; 0: one day. Tombstones outlive it */
	int64_t  trash_ms, junk_ms; /* store_upkeep expunges what has been in Trash, in Junk longer; 0: nothing */
	const char *hostname;       /* in the sender of warnings (store_quota.c); NULL: "localhost" */
	unsigned warn[STORE_WARN_MAX]; /* percents of a quota at which the owner is warned, ascending; 0: none */
};

/* `accounts_fd`: the accounts directory, kept open by the caller for as long as the store lives. db_init() first.
 * `options` may be NULL. One store per process (the directory is known to the database layer as "accounts"). */
MUST_CHECK enum status store_new(int accounts_fd, const struct store_options *options, struct store **ret);
void store_free(struct store **s); /* all accounts must be closed */

/* Open for one command. The account's directory is created at first use, with INBOX, Drafts, Sent, Trash, Junk, Archive. */
MUST_CHECK enum status store_open(struct store *s, uint64_t account, struct store_account **ret);
/* Changes of flags that wait for it are written into the rows of their messages, and a log that is long is put into the database, which takes two
 * syncs: when the client has been answered, who would wait for it in a commit. */
bool store_untidy(const struct store_account *a);
void store_tidy(struct store_account *a);
void store_close(struct store_account **a); /* rolls back what is open; NULL inside is fine. For CLEANUP(store_close) */

/* ---- sessions ---- */

/* A session of the account begins, with the token of its sign-in (ipc/session_token.h), or has ended: then it has no handle and no upload. In a
 * store that is kept by keeper (store_kept.h) accounts can be opened only between the two. In any store, handles of an account that
 * was entered are closed some time after its last session has left. A session may enter several accounts, each with a token for it. */
struct store_entry;
struct store_entry *store_enter(struct store *s, uint64_t account, struct str token);
void store_leave(struct store *s, struct store_entry **entry); /* NULL inside is fine */
struct str store_entry_token(const struct store_entry *entry); /* borrowed */
/* Close the handles of accounts that all sessions left linger_ms ago, and free lists of messages that nobody has asked for in a minute: called about
 * once a second. */
#define STORE_LINGER_MS ((int64_t)2000)
void store_forget(struct store *s, int64_t linger_ms);

struct store_info {
	uint64_t modseq;   /* the account's clock: its last change */
	uint64_t floor;    /* changes up to here are no longer listed, see store_changes */
	uint64_t messages, size; /* of all mailboxes; size counts each message, as quota does */
};
MUST_CHECK enum status store_info(struct store_account *a, struct store_info *ret);
uint64_t store_account_id(const struct store_account *a);

/* ---- quotas ---- */

/* A message fits if the account is below its quota and not more than STORE_QUOTA_GRACE per cent above it with the message: so the last one
 * may go a little over, and a mailbox that is nearly full is not full for some senders only. Messages are counted without grace. */
#define STORE_QUOTA_GRACE 10u
struct store_quota { /* of an account; 0: none */
	uint64_t octets, messages;
	bool     strict; /* without grace */
};
/* What append and copy on this handle keep to (ST_QUOTA), until store_close. Moves inside the account, and what only makes smaller, are free.
 * `address`: the owner's, who is warned when a percent of store_options.warn is passed; it lives until store_close. "": nobody is. */
void store_quota_set(struct store_account *a, const struct store_quota *quota, struct str address);
/* Would `count` messages of `octets` in all fit? For an answer before they are sent. ST_OK or ST_QUOTA. */
MUST_CHECK enum status store_quota_fits(struct store_account *a, uint64_t count, uint64_t octets);

/* ---- settling ---- */

/* Make everything that this account's database holds durable, if anything is not yet. Cheap when nothing is (one pread). */
MUST_CHECK enum status store_settle(struct store_account *a);
bool store_unsettled(struct store_account *a);

struct store_settled {
	uint64_t    account;
	enum status status; /* ST_OK: every delivery committed before the call is durable; ST_SUSPECT: the sync failed, what
	                     * somebody synced before stays; another: not known, it comes again with the next call */
	uint64_t    modseq; /* last one committed by this process, for the bus */
};
/* Settle all accounts that this process has committed to since the last call. The list (in `a`) has every such account. */
void store_settle_all(struct store *s, struct arena *a, struct store_settled **ret, size_t *ret_count);
/* Is there anything for it to do. */
bool store_dirty(struct store *s);

/* ---- space ---- */

/* Free space is below the watermark: MAIL gets 452, APPEND NO [OVERQUOTA]. Looks at most once a second. */
bool store_full(struct store *s);

/* ---- upkeep ---- */

/* Remove the account's directory and all in it. ST_OK also when there is none. */
MUST_CHECK enum status store_purge(struct store *s, uint64_t account);
/* Remove orphans of content/ (uploads whose process has died among them) and the content of expunged messages past their
 * retention. Where both orphans and a break of an invariant are found the orphans stay: store_keep.h. */
MUST_CHECK enum status store_clean(struct store_account *a);
/* Expunge what has been in Trash and in Junk (by their special use) longer than the options say, by saved_ms: the time it came into
 * that mailbox; in transactions of STORE_EXPIRE_MAX messages. *ret_count: messages. */
#define STORE_EXPIRE_MAX 500u
MUST_CHECK enum status store_expire(struct store_account *a, uint64_t *ret_count, uint64_t *ret_modseq);
/* Bring moves to other accounts to their end that a crash broke off, and that are older than stale_ms (-1: than any move takes). *ret_modseq: of
 * what was expunged, 0: nothing. */
MUST_CHECK enum status store_moves_settle(struct store_account *a, int64_t stale_ms, uint64_t *ret_modseq);
/* store_expire, store_moves_settle and store_clean for every account there is, one after the other, while go_on() says so. What fails is logged; changed()
 * is called of each account that lost messages. */
void store_upkeep(struct store *s, bool (*go_on)(void *arg), void (*changed)(void *arg, uint64_t account, uint64_t modseq), void *arg);
/* Copy a suspect account's database without the refused part, and let it be written again. */
MUST_CHECK enum status store_repair(struct store *s, uint64_t account);
/* store_repair for every account whose mark says that it is set aside; how many still are. What this process has committed to such an
 * account and not settled is then unknown, as after a repair by another process: store_settle_all says ST_TEMP. */
size_t store_repair_all(struct store *s, bool (*go_on)(void *arg), void *arg);
/* Has the account a database: opening would make it one. */
bool store_there(struct store *s, uint64_t account);
bool store_is_suspect(struct store *s, uint64_t account);
/* Are there content files, or an old database set aside: of an account whose database is not there. */
bool store_contents_there(struct store *s, uint64_t account);

/* Check the numbered invariants of docs/formats/account.md; `found` is called for each break. *ret_breaks counts them. */
typedef void store_found_fn(void *arg, const char *invariant, struct str text);
MUST_CHECK enum status store_check(struct store_account *a, store_found_fn *found, void *arg, uint64_t *ret_breaks);

#endif
