/* store/store_internal.h - the open account, its transaction, and the helpers that the store's files share. */
#ifndef STORE_STORE_INTERNAL_H
#define STORE_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "db/db.h"
#include "store/store.h"
#include "store/store_mailbox.h"
#include "store/store_message.h"
#include "sys/boot.h"

#define STORE_PATH_MAX     200
#define STORE_HASH         32u  /* SHA-256 */
#define STORE_RESERVE      1000 /* modseqs reserved durably at a time */
#define STORE_CHANGES_KEEP 32768
#define STORE_CHANGES_SLACK 1024 /* trimmed this many at a time */
#define STORE_MANY         64u /* messages of a transaction that may stand on more pages than a handle keeps */
#define STORE_GAPS_MAX     64
#define STORE_TEMP         "tmp-" /* how uploads in content/ are called; octet 0 is locked while they live */
#define STORE_BAD_FILES_MAX ((size_t)100000) /* told by one check */
#define STORE_FORMER_MAX   4096 /* names of deleted mailboxes kept; those beyond are restored with a target only */
#define STORE_RELEASE_MAX  200 /* expunged messages released by one transaction */

extern const struct db_schema store_schema;

struct store {
	int                  fd; /* the accounts directory, or DISK_KEPT */
	struct ipc          *keeper; /* who opens files for us; NULL: we ourselves */
	struct store_options options;
	pthread_mutex_t      lock; /* of everything below */
	struct map           idle;   /* account -> its first idle handle (by `sibling`) */
	struct store_account *newest, *oldest;
	size_t               idle_memory;
	unsigned             idle_count, open_count;
	struct {
		struct store_kept_view *newest, *oldest;
		size_t                  octets;
		unsigned                count;
	} views; /* store_views.c */
	struct map           busy;   /* account -> number of its handles that are open */
	pthread_cond_t       closed; /* one became idle */
	struct map           entered; /* account -> struct entered (store_session.c) */
	struct map           dirty;  /* account -> struct dirty: committed here and not yet settled */
	_Atomic int64_t      sync_us; /* what the sync of one account takes */
	int64_t              space_at_ms; /* when free space was last looked at */
	bool                 space_low, reserved;
};

/* The account row: read at the start of a write transaction, written at its end. */
struct account_state {
	uint64_t       modseq, ceiling;
	struct boot_id boot;
	uint64_t       floor, changes; /* changes: rows in the change table, about */
	uint64_t       released;       /* expunged messages with gone <= this have given up their email */
	uint64_t       next_id;        /* for mailboxes, emails, contents: never used again */
	uint64_t       uidvalidity;
	uint64_t       messages, size;
};

enum change_kind { CHANGE_MAILBOX = 1, CHANGE_MESSAGE = 2, CHANGE_SUBSCRIPTION = 3, CHANGE_KEYWORD = 4,
		   CHANGE_METADATA = 5 }; /* stored */
enum store_fate { STORE_FATE_EXPUNGED, STORE_FATE_MOVED, STORE_FATE_RESTORED }; /* stored */
enum change_op { CHANGE_CREATED = 1, CHANGE_UPDATED = 2, CHANGE_REMOVED = 3 };                          /* stored */

struct store_account {
	struct store        *store;
	uint64_t             id;
	struct db           *db;
	size_t               memory;
	bool                 writing;
	bool                 fresh;            /* the transaction makes the account */
	bool                 must_go_on;       /* also below the watermark */
	bool                 clock_moved;      /* this transaction has its modseq */
	bool                 flagging_due;     /* many changes of flags are to be written into their rows. Until it is closed */
	struct account_state state;            /* valid while writing */
	int                  content_fd;       /* file that was read last, -1: none; until the handle is given back */
	uint8_t              content_hash[STORE_HASH];
	unsigned             reader_flags;     /* that a reader may set */
	bool                 reader_keywords;
	uint64_t             reader;           /* whose \Seen; 0: the owner's. Until it is closed */
	struct store_quota   quota;            /* likewise */
	struct str           owner;            /* his address */
	struct buf           freed;            /* hashes of contents in files that lost their last row: to be removed after the sync */
	struct store_account *newer, *older;   /* idle: the LRU */
	struct store_account *sibling;         /* idle: the next of the same account */
};

/* ---- store.c ---- */
void store_path(uint64_t account, const char *rest, char ret[STORE_PATH_MAX]); /* below the accounts directory */
void store_db_path(uint64_t account, char ret[STORE_PATH_MAX + 16]); /* as db_open takes it */
void store_mark_dirty(struct store_account *a);
/* The file of a content, open for reading: the handle's, not to be closed. A message is read piece by piece, and each opening may be a question. */
MUST_CHECK enum status store_content_open(struct store_account *a, struct str hash, int *ret_fd);
void store_content_close(struct store_account *a);
/* Close idle handles of one account: before its files are replaced or removed; `settle`: what is not durable yet is synced before. */
void store_idle_drop(struct store *s, uint64_t account, bool settle);

/* ---- store_keep.c ---- */
struct store_content_file {
	struct store_content_file *next;
	char                      *name;
	int64_t                    mtime_ms;
};
/* All that is in content/; *ret_keep_ms: the time of content/keep, or INT64_MIN. */
MUST_CHECK enum status store_content_list(struct store *s, uint64_t account, struct arena *arena, struct store_content_file **ret,
					  int64_t *ret_keep_ms);
/* Has a row of `content` this file name. */
MUST_CHECK enum status store_content_known(struct store_account *a, const char *name, bool *ret);
bool store_content_is_kept(const struct store_content_file *f, int64_t keep_ms);
bool store_content_hash_of(const char *name, uint8_t ret[STORE_HASH]); /* false: no name of a content */

/* ---- store_session.c ---- */
/* The token of a session that is here. False: nobody is. */
MUST_CHECK bool store_token(struct store *s, uint64_t account, char ret[LIMIT_TOKEN]);
/* May handles of the account be kept. Under the lock. */
bool store_here(struct store *s, uint64_t account);
void store_entered_done(struct store *s);

/* ---- store_space.c ---- */
/* A thing that must go on met a full disk: give up the reserve. True: try again. */
bool store_reserve_give(struct store *s);

/* ---- store_txn.c ---- */
/* Which time it is in which nothing that was committed has been lost: boot id and repairs. */
struct boot_id store_epoch(struct store_account *a);
/* Begin a write transaction and read the account row. must_go_on: also below the watermark. */
MUST_CHECK enum status store_txn_begin(struct store_account *a, bool must_go_on);
/* Begin one, or end with the status it was given: st == ST_OK commits; `durable` syncs too. Returns the outcome. */
MUST_CHECK enum status store_txn_end(struct store_account *a, enum status st, bool durable);
/* This transaction's modseq: the clock moves at the first call. */
uint64_t store_txn_modseq(struct store_account *a);
uint64_t store_txn_id(struct store_account *a);
/* The transaction is about the messages of a set: if they may be many, it keeps the pages that it changes. */
void store_txn_about(struct store_account *a, struct store_set set);
MUST_CHECK enum status store_txn_change(struct store_account *a, enum change_kind kind, uint64_t object, enum change_op op,
					const uint32_t *uids, size_t uid_count);
/* The same of what is no message; `text` in the place of uids: of a mailbox its name, or "old LF new"; of a subscription the name;
 * of metadata the entries' names with spaces between them. */
MUST_CHECK enum status store_txn_change_text(struct store_account *a, enum change_kind kind, uint64_t object, enum change_op op,
					     struct str text);
MUST_CHECK enum status store_state_read(struct store_account *a, struct account_state *ret);

/* Uids as ranges: varints of (first - last before), (count - 1). */
void store_ranges_write(const uint32_t *uids, size_t count, struct buf *out);
bool store_ranges_next(struct str *in, uint32_t *last, struct store_range *ret);
/* Is that a change row: its kind, op and uids. */
MUST_CHECK bool store_change_sound(uint64_t kind, uint64_t op, struct str uids);
void store_varint_write(struct buf *out, uint64_t v);
bool store_varint_read(struct str *in, uint64_t *ret);

/* Rows of a set, taken in order, as runs without another message in between: each run is written by one statement. */
struct store_run {
	struct store_set   set;
	size_t             at;  /* range of the set that the last row was in */
	struct store_range run; /* first 0: empty */
};
/* The next row of the set, which belongs to the run or ends it. True: *ret_done is a finished run to write. */
bool store_run_add(struct store_run *r, uint32_t uid, bool belongs, struct store_range *ret_done);
bool store_run_end(struct store_run *r, struct store_range *ret_done);

/* ---- store_mailbox.c: inside a transaction ---- */
MUST_CHECK enum status store_mailbox_row(struct store_account *a, uint64_t id, struct store_mailbox *ret); /* without name */
MUST_CHECK enum status store_mailbox_row_write(struct store_account *a, const struct store_mailbox *m);    /* counters */
MUST_CHECK enum status store_mailbox_row_find(struct store_account *a, struct str name, uint64_t *ret_id);
MUST_CHECK enum status store_mailbox_row_make(struct store_account *a, struct str name, enum store_special special,
					      uint64_t *ret_id); /* with parents */
MUST_CHECK enum status store_mailbox_special_set(struct store_account *a, uint64_t id, enum store_special special); /* ST_BUSY: taken */
MUST_CHECK enum status store_mailbox_parents_make(struct store_account *a, struct str name);
MUST_CHECK enum status store_defaults_make(struct store_account *a);
/* A normalised name: INBOX in capitals as the first level, without a final "/". ST_INVALID. Lives in `arena` or in name. */
MUST_CHECK enum status store_name_normal(struct str name, struct arena *arena, struct str *ret);
uint32_t store_mailbox_recent_from(struct store_account *a, uint64_t id); /* uids from here on are recent; 0: error */

/* ---- store_keyword.c ---- */
/* Bits of the names; `make` those that are missing, otherwise leave them out. ST_INVALID, ST_LIMIT. */
MUST_CHECK enum status store_keyword_bits(struct store_account *a, const struct str *names, size_t count, bool make,
					  struct store_keywords *ret, bool *ret_new);

/* ---- store_upload.c ---- */
struct store_bytes { /* content ready to be stored: hashed; a large one in a synced file */
	struct str content; /* in memory, or the mapped file */
	bool       mapped;
	char       temp[STORE_PATH_MAX]; /* path of the file, "" if none */
	uint8_t    hash[STORE_HASH];
};
/* Borrow from the upload, or from the octets (those are at most LIMIT_INLINE). ST_INVALID: empty. */
MUST_CHECK enum status store_bytes_upload(struct store_upload *u, struct store_bytes *ret);
MUST_CHECK enum status store_bytes_memory(struct str content, struct store_bytes *ret);
void store_bytes_done(struct store_bytes *b); /* unmaps; the upload keeps and removes its file */
void store_hash(struct str s, uint8_t ret[STORE_HASH]);
void store_content_path(uint64_t account, struct str hash, char ret[STORE_PATH_MAX]);
/* A delivery's prefix and content as an upload; checks size and hash of what was given. */
MUST_CHECK enum status store_upload_delivery(struct store *s, uint64_t account, const struct store_delivery *d,
					     struct store_upload **ret);

/* ---- store_email.c ---- */
struct store_facts_row { /* what the email row holds */
	struct store_email e;
	struct str         parts; /* encoded */
	struct str         listing; /* STR_NONE: it has none */
};
void store_email_facts(struct str content, struct arena *arena, struct store_facts_row *ret);
/* Can the encoded parts of a message of `size` octets be read, and do they lie in it. */
MUST_CHECK bool store_facts_sound(uint64_t size, uint64_t header_n, struct str parts);
MUST_CHECK bool store_parts_read(struct str blob, struct arena *arena, struct store_email *e);

/* ---- store_listing.c ---- */
struct str store_listing_make(struct str header, struct arena *arena); /* STR_NONE: this header gets none */
/* Inside a transaction: in the place of what the email had. STR_NONE: it has none. */
MUST_CHECK enum status store_listing_write(struct store_account *a, uint64_t email, struct str listing);
MUST_CHECK enum status store_listing_drop(struct store_account *a, uint64_t email);
/* The next row that does not say what the header of its content says: *ret_id, or ST_NOT_FOUND. Of contents in rows only, and not of listings that were
 * written when other names were kept. *s is NULL at first, and the caller's to end. */
MUST_CHECK enum status store_listing_untrue(struct store_account *a, struct db_stmt **s, uint64_t *ret_id);

/* ---- store_append.c: inside a transaction ---- */
/* Content, once, and a new email of it with `refs` messages. */
MUST_CHECK enum status store_email_insert(struct store_account *a, const struct store_bytes *b, const struct store_facts_row *f,
					  uint64_t refs, uint64_t *ret_id);
/* row: all but uid, modseq, created; the mailbox's counters change in *m. recent_from comes from the mailbox row */
MUST_CHECK enum status store_message_insert(struct store_account *a, struct store_mailbox *m, struct store_row *row, int64_t now_ms);
/* Facts again, of an email that is there. */
MUST_CHECK enum status store_email_rewrite(struct store_account *a, uint64_t id, const struct store_facts_row *f);
MUST_CHECK enum status store_email_refs(struct store_account *a, uint64_t email, int64_t by); /* drops it at 0 */

/* ---- store_metadata.c: inside a transaction ---- */
MUST_CHECK enum status store_metadata_drop(struct store_account *a, uint64_t mailbox); /* which is deleted */

/* ---- store_thread.c: inside a transaction ---- */
MUST_CHECK enum status store_thread_add(struct store_account *a, uint64_t email, const struct store_email *e);
MUST_CHECK enum status store_thread_drop(struct store_account *a, uint64_t email); /* whose row still is there */

/* ---- store_quota.c ---- */
/* Is there room for `count` messages of `octets` in all in an account that holds what `t` says. */
bool store_quota_room(const struct store_quota *q, const struct account_state *t, uint64_t count, uint64_t octets);
/* After a change was committed: warn the owner if a percent was passed, or forget that he was warned. Its failure is the next change's work. */
void store_quota_look(struct store_account *a, const struct store_quota *q, struct str address, bool durable);

/* ---- store_acl.c: inside a transaction ---- */
MUST_CHECK enum status store_acl_inherit(struct store_account *a, uint64_t mailbox, uint64_t parent);
MUST_CHECK enum status store_acl_drop(struct store_account *a, uint64_t mailbox); /* and what was seen in it */

/* ---- store_seen.c: inside a transaction ---- */
/* \Seen of the rows (ascending uids) as the handle's reader has it. */
MUST_CHECK enum status store_seen_lay(struct store_account *a, uint64_t mailbox, struct store_row *rows, size_t count);
/* uids ascending. ST_LIMIT: LIMIT_SEEN_RANGES. */
MUST_CHECK enum status store_seen_change(struct store_account *a, uint64_t mailbox, const uint32_t *uids, size_t count, bool on);

/* ---- store_moving.c: the steps of a move to another account ---- */
MUST_CHECK enum status store_moving_begin(struct store_account *from, uint64_t other, uint64_t mailbox, uint64_t *ret_op);
/* Inside the transaction of `to` that has made the copies. */
MUST_CHECK enum status store_moving_arrived(struct store_account *to, uint64_t op, uint64_t target, const struct store_copied *copied);
/* Expunge, and the operation is over here, in one transaction. */
MUST_CHECK enum status store_moving_end(struct store_account *from, uint64_t mailbox, struct store_set set, uint64_t op, struct arena *arena,
					struct store_expunged *ret);
void store_moving_forget(struct store_account *from, uint64_t op); /* nothing came of it */
void store_moved_forget(struct store_account *to, uint64_t op);

/* ---- store_append.c ---- */
/* store_append of one, which is the other half of `op`: it comes for `uid` of the account that began it. */
MUST_CHECK enum status store_append_moved(struct store_account *a, uint64_t mailbox, const struct store_new_message *message, uint64_t op,
					  uint32_t uid, struct store_added *ret);

/* ---- store_expunge.c: inside a transaction ---- */
MUST_CHECK enum status store_expunge_moved(struct store_account *a, uint64_t mailbox, struct store_set set, struct arena *arena,
					   struct store_expunged *ret);

/* ---- store_view.c ---- */
#define STORE_ROW_COLUMNS "uid, flags, kw0, kw1, modseq, created, email, size, internal_ms, zone"
void store_row_read(struct db_stmt *s, struct store_row *ret); /* of those columns */
/* The first row from `at` on with that uid or a higher one: in steps that double, as the next one asked for is often near. */
size_t store_row_from(const struct store_row *rows, size_t count, size_t at, uint32_t uid);
/* Rows of a set, in whatever transaction is open. */
MUST_CHECK enum status store_rows_load(struct store_account *a, uint64_t mailbox, struct store_set set, size_t max,
				       struct arena *arena, struct store_row **ret, size_t *ret_count);

/* store_changes in whatever transaction is open. */
MUST_CHECK enum status store_changes_load(struct store_account *a, uint64_t mailbox, uint64_t since, struct arena *arena,
					  struct store_changes *ret);

/* ---- store_views.c ---- */
/* Rows of the mailbox as they are now, in v->rows, from a view that was kept; NULL: there is none of use. In whatever transaction is open. */
MUST_CHECK enum status store_view_kept(struct store_account *a, uint64_t mailbox, struct store_view *v);
void store_views_drop(struct store *s, uint64_t account); /* 0: of all */
void store_views_expire(struct store *s); /* those that nobody has asked for */

/* ---- store_undelete.c: inside a transaction ---- */
/* Remember the name of a mailbox that is deleted now. */
MUST_CHECK enum status store_former_add(struct store_account *a, uint64_t id, struct str name, enum store_special special);
/* Forget names of mailboxes that were deleted before that time. */
MUST_CHECK enum status store_former_forget(struct store_account *a, int64_t before_ms);

/* ---- store_expunge.c: inside a transaction ---- */
/* One message, whatever its flags; *ret_gone: there is none of that uid. */
MUST_CHECK enum status store_remove_one(struct store_account *a, uint64_t mailbox, uint32_t uid, struct arena *arena, bool *ret_gone);
/* All messages of `mailbox` to the end of `target`. */
MUST_CHECK enum status store_move_inside(struct store_account *a, uint64_t mailbox, uint64_t target, struct arena *arena);
/* Let expunged messages past their retention give up their emails. */
MUST_CHECK enum status store_release(struct store_account *a);
/* After a sync: remove files that have no row, and uploads of the dead. */
MUST_CHECK enum status store_sweep(struct store_account *a);
/* Remove the files in a->freed, and no others: whether those may go is for store_clean to find out. */
MUST_CHECK enum status store_freed_remove(struct store_account *a);

#endif
