/* store/store_message.h - messages: coming in, changing, going, and being read.
 *
 * One modseq per command: all rows that it changes get the same number. Sets of uids are arrays of ranges, ascending and not
 * overlapping; uids in them that do not exist are skipped silently. Durability and statuses: store.h.
 *
 * message: a place {mailbox, uid, flags, ...} that refers to an email; email: immutable facts of the parsed bytes; content: bytes.
 */
#ifndef STORE_STORE_MESSAGE_H
#define STORE_STORE_MESSAGE_H

#include "base/buf.h"
#include "store/store_mailbox.h"

enum store_flag { /* bit mask, stored; \Recent is no flag here, see store_recent_claim */
	STORE_SEEN     = 1u << 0,
	STORE_ANSWERED = 1u << 1,
	STORE_FLAGGED  = 1u << 2,
	STORE_DELETED  = 1u << 3,
	STORE_DRAFT    = 1u << 4,
	STORE_FLAGS    = (1u << 5) - 1,
	STORE_EXPUNGED = 1u << 8, /* in rows only: gone since, still readable; modseq is that of the expunge */
};

struct store_range {
	uint32_t first, last; /* inclusive, first <= last */
};
struct store_set {
	const struct store_range *ranges;
	size_t                    count;
};
#define STORE_SET_ALL ((struct store_set){ &(const struct store_range){ 1, UINT32_MAX }, 1 })

struct store_row {
	uint32_t              uid;
	uint16_t              flags;         /* enum store_flag */
	int16_t               internal_zone; /* minutes east of UTC, as the client gave it */
	struct store_keywords keywords;
	uint64_t              modseq;  /* of its last change */
	uint64_t              created; /* modseq at which it came into the mailbox */
	uint64_t              email;
	uint64_t              size;    /* octets of the content */
	int64_t               internal_ms;
};

/* ---- content on its way in: in memory up to LIMIT_INLINE, then a temporary file of the account ----
 * Holds no database handle, so it may wait for a peer. Not thread-safe. */
struct store_upload; /* the account must have been opened once before */
MUST_CHECK enum status store_upload_new(struct store *s, uint64_t account, struct store_upload **ret);
MUST_CHECK enum status store_upload_write(struct store_upload *u, struct str octets); /* ST_FULL; ST_LIMIT: over LIMIT_MESSAGE_MAX */
uint64_t store_upload_size(const struct store_upload *u);
/* All that was written so far, to look at: in memory, or mapped until store_upload_unmap. */
MUST_CHECK enum status store_upload_map(struct store_upload *u, struct str *ret);
void store_upload_unmap(struct store_upload *u, struct str map);
void store_upload_free(struct store_upload **u); /* removes the file unless a row refers to it */

/* ---- coming in ---- */
struct store_new_message {
	struct store_upload *upload; /* either this (still the caller's to free) */
	struct str           content; /* or octets in memory, any size */
	unsigned             flags;
	const struct str    *keywords;
	size_t               keyword_count;
	int64_t              internal_ms;
	int16_t              internal_zone; /* minutes east of UTC; kept by copy and move */
};
struct store_added {
	uint32_t uidvalidity, uid;
	uint64_t modseq, email;
};
/* All or nothing (MULTIAPPEND); ret has `count` places. Durable on return. ST_NOT_FOUND: mailbox; ST_LIMIT: keywords or uids;
 * ST_INVALID: empty content or a keyword that is none; ST_QUOTA. */
MUST_CHECK enum status store_append(struct store_account *a, uint64_t mailbox, const struct store_new_message *messages,
				    size_t count, struct store_added *ret);

/* One message comes in and another goes, all or nothing (REPLACE, RFC 8508): `uid` of `from` is expunged, which may be the same mailbox.
 * Durable on return. *ret_gone with ST_NOT_FOUND: there is no such uid any more. */
MUST_CHECK enum status store_replace(struct store_account *a, uint64_t mailbox, const struct store_new_message *message, uint64_t from,
				     uint32_t uid, struct store_added *ret, bool *ret_gone);

struct store_target {
	struct str        mailbox; /* name; "" is INBOX; created if missing */
	unsigned          flags;
	const struct str *keywords;
	size_t            keyword_count;
};
struct store_delivery {
	uint64_t   id;     /* unique for (message, recipient); remembered in the same transaction */
	uint64_t   floor;  /* ids below this are forgotten */
	const struct store_target *targets; /* none: a discard, only the id is left */
	size_t     target_count;
	struct str prefix;  /* header lines to put before the content (Return-Path, ...) */
	struct str content; /* size <= LIMIT_INLINE */
	int        file;    /* else: read from 0 to size, never mapped; -1 if content is given */
	uint64_t   size;    /* of content or file, without prefix */
	struct str hash;    /* SHA-256 of content or file, checked; "" is not checked */
	int64_t    received_ms;
	uint64_t   quota_octets, quota_messages; /* of the account, 0: none */
	bool       quota_strict; /* without grace */
	struct str address; /* the owner's, to warn him; "": nobody is warned */
};
struct store_delivered {
	bool     duplicate; /* was there already: nothing changed. No rows below */
	bool     over_quota; /* it does not fit: nothing of it is there, and its id is free. The others are not touched by that */
	uint64_t usage_octets, usage_messages; /* of the account, afterwards */
	uint64_t modseq;
	size_t   count;     /* = target_count */
	struct store_added *added; /* in the arena */
	uint64_t *mailboxes;
};
#define STORE_DELIVER_MAX 32u
/* `count` deliveries, at most STORE_DELIVER_MAX, in one transaction, not durable on return: settle. `ret` has as many places. All or
 * nothing: a caller that must know which of them fails repeats them one by one. Goes on below the watermark. ST_INVALID: hash or
 * size do not match, or a name or keyword that is none. */
MUST_CHECK enum status store_deliver(struct store_account *a, const struct store_delivery *list, size_t count, struct arena *arena,
				     struct store_delivered *ret);

/* ---- copy, move, expunge ---- */
struct store_copied {
	uint32_t  uidvalidity;  /* of the target */
	size_t    count;
	uint32_t *from, *to;    /* pairs, from ascending, to ascending */
	uint64_t  modseq;       /* unchanged clock if count is 0 */
};
/* All or nothing; flags, keywords and INTERNALDATE are kept. ST_NOT_FOUND: a mailbox; ST_QUOTA: copy only. Target =
 * source is fine. */
MUST_CHECK enum status store_copy(struct store_account *a, uint64_t mailbox, struct store_set set, uint64_t target,
				  struct arena *arena, struct store_copied *ret);
MUST_CHECK enum status store_move(struct store_account *a, uint64_t mailbox, struct store_set set, uint64_t target,
				  struct arena *arena, struct store_copied *ret);

/* The same from one account to another, of which `to` is open too: read here, written and synced there, and only then (move) expunged here, so
 * that a crash may leave both, never none. No two locks are held at once. ret_gone: modseq of the expunge, 0: none. ST_LIMIT: more than
 * LIMIT_TRANSFER messages, or LIMIT_TRANSFER_OCTETS. */
MUST_CHECK enum status store_transfer(struct store_account *from, uint64_t mailbox, struct store_set set, struct store_account *to, uint64_t target,
				      bool move, struct arena *arena, struct store_copied *ret, uint64_t *ret_gone);

/* REPLACE from one account to another: the message comes there, durably, then `uid` goes here. *ret_gone with ST_NOT_FOUND: it was gone before,
 * and nothing was done. */
MUST_CHECK enum status store_replace_between(struct store_account *to, uint64_t target, const struct store_new_message *message,
					     struct store_account *from, uint64_t mailbox, uint32_t uid, struct arena *arena,
					     struct store_added *ret, bool *ret_gone, uint64_t *ret_modseq);

struct store_expunged {
	size_t    count;
	uint32_t *uids; /* ascending */
	uint64_t  modseq;
};
/* Those of the set with \Deleted, or all of it. */
MUST_CHECK enum status store_expunge(struct store_account *a, uint64_t mailbox, struct store_set set, bool deleted_only,
				     struct arena *arena, struct store_expunged *ret);

/* ---- flags ---- */
enum store_flag_op { STORE_FLAGS_ADD, STORE_FLAGS_REMOVE, STORE_FLAGS_REPLACE };
struct store_flag_change {
	enum store_flag_op op;
	unsigned           flags;
	const struct str  *keywords; /* new ones get a number; unknown ones are not made by REMOVE */
	size_t             keyword_count;
	uint64_t           unchanged_since; /* RFC 7162 §3.1.3; UINT64_MAX: no condition */
	/* May be empty: all rows of the mailbox with modseq <= known.modseq as they are. If nothing of it has changed since, the rows of
	 * the set are taken from here instead of being read. Bits of `flags` that are not ours are left out. */
	struct store_known {
		const struct store_row *rows; /* ascending uid */
		size_t                  count;
		uint64_t                modseq;
	} known;
};
struct store_flagged {
	size_t            row_count;
	struct store_row *rows;     /* all of the set that met the condition, after the change; unchanged ones keep their modseq */
	size_t            modified_count;
	uint32_t         *modified; /* those that did not meet it */
	uint64_t          modseq;   /* given to the rows that changed; the clock as it was if none did */
	size_t            changed;  /* rows that really changed */
	bool              keywords_new; /* the account has new keywords: FLAGS is due */
	bool              was_known;    /* `known` was the mailbox as it stood: with the change, what is known is complete up to modseq */
};
/* May be shown before it is settled (durability.md). ST_NOT_FOUND: mailbox; ST_LIMIT: keywords; ST_INVALID. */
MUST_CHECK enum status store_flags(struct store_account *a, uint64_t mailbox, struct store_set set,
				   const struct store_flag_change *change, struct arena *arena, struct store_flagged *ret);

/* ---- views ---- */
struct store_view {
	struct store_mailbox mailbox; /* as now; its name is not set */
	uint64_t             modseq;  /* rows are complete up to here */
	struct store_row    *rows;    /* ascending uid; heap, freed by store_view_done */
	size_t               count;
	uint64_t             account, reader, generation; /* whose it is, for store_view_give */
};
/* The messages that the mailbox had when the clock stood at `as_of` (UINT64_MAX: now), those expunged since with STORE_EXPUNGED.
 * Flags and modseq are today's. ST_NOT_FOUND: mailbox; ST_LIMIT: as_of is below the floor, above the clock or inside a gap: load a
 * new view and say goodbye to the old one. */
MUST_CHECK enum status store_view_load(struct store_account *a, uint64_t mailbox, uint64_t as_of, struct store_view *ret);
void store_view_done(struct store_view *v);
/* Let it go, and let the store keep it for the next one who loads this mailbox, within its limits. The rows are those that the mailbox had when the
 * clock stood at `modseq`, as they were then or as they are now; bits of `flags` that are not ours, and rows with STORE_EXPUNGED, are left out. */
void store_view_give(struct store *s, struct store_view *v, uint64_t modseq);

struct store_vanished {
	uint32_t uid;
	uint64_t modseq;
};
struct store_changes {
	uint64_t               modseq;    /* the list is complete up to here */
	bool                   everything; /* `since` is unknown (below the floor, in a gap, in the future): lists are those since 0,
	                                    * and every uid that is not in rows is gone */
	struct store_row      *rows;      /* changed (modseq > since), new if created > since; ascending uid */
	size_t                 row_count;
	struct store_vanished *vanished;  /* expunged since, ascending uid; also of messages that came and went since */
	size_t                 vanished_count;
	struct store_mailbox   mailbox;   /* name not set */
};
/* ST_NOT_FOUND: the mailbox is gone. Costs O(changes) while `since` is above the floor. Uid filters are the caller's. */
MUST_CHECK enum status store_changes(struct store_account *a, uint64_t mailbox, uint64_t since, struct arena *arena,
				     struct store_changes *ret);

/* Is `modseq` one that was given out and is surely part of today's history. Any open transaction, or none. */
MUST_CHECK enum status store_modseq_known(struct store_account *a, uint64_t modseq, bool *ret_known);
/* HIGHESTMODSEQ (RFC 7162) of a mailbox whose row says `modseq`: past what may have been lost, so that it never goes backwards, and past
 * the floor, so that who comes with it finds its changes listed. */
MUST_CHECK enum status store_highest(struct store_account *a, uint64_t modseq, uint64_t *ret);

/* Rows of a set as they are now (no STORE_EXPUNGED ones), ascending uid, at most `max`. */
MUST_CHECK enum status store_rows(struct store_account *a, uint64_t mailbox, struct store_set set, size_t max, struct arena *arena,
				  struct store_row **ret, size_t *ret_count);
/* When messages came into this mailbox (SAVEDATE, RFC 8514); 0 for an unknown one. ret has `count` places. */
MUST_CHECK enum status store_save_dates(struct store_account *a, uint64_t mailbox, const uint32_t *uids, size_t count, int64_t *ret);

/* ---- facts ---- */
enum store_fact { /* which columns to read */
	STORE_FACT_BASE      = 0,
	STORE_FACT_ENVELOPE  = 1u << 0,
	STORE_FACT_BODY      = 1u << 1,
	STORE_FACT_STRUCTURE = 1u << 2,
	STORE_FACT_PARTS     = 1u << 3,
	STORE_FACT_SORT      = 1u << 4,
	STORE_FACT_HASH      = 1u << 5,
};
struct store_part {
	uint32_t parent;  /* index; the root's is its own, 0 */
	uint32_t number;  /* 1.. among its parent's children */
	bool     multipart, message;
	uint64_t header_at, header_n, body_at, body_n; /* octets from the start of the content, as in wire/mime/mime.h */
	uint64_t lines;
	struct str encoding; /* upper case */
};
struct store_email {
	uint64_t   id; /* 0: no such email, nothing else is set */
	uint64_t   size, header_n; /* header with the empty line */
	unsigned   mime_flags;
	struct str hash;      /* SHA-256, 32 octets */
	struct str envelope;  /* as printed by mime_print_envelope(utf8 = false); likewise the two below */
	struct str body;      /* BODY */
	struct str structure; /* BODYSTRUCTURE */
	struct str header; /* its octets, if store_headers read them */
	struct str listing; /* fields of it (store_listing.h), if who asks has read them */
	struct store_part *parts; /* preorder, [0] is the root */
	size_t     part_count;
	/* SORT: as in struct mime_summary, each cut at STORE_SORT_MAX octets (references: at STORE_REFERENCES_MAX) */
	struct str subject, from, to, cc, message_id, in_reply_to, references;
	int64_t    date_ms; /* INT64_MIN: no valid Date */
};
#define STORE_SORT_MAX       ((size_t)1000)
#define STORE_REFERENCES_MAX ((size_t)8000)

/* Facts of many emails in one go; ret has `count` places, in the order asked. Strings live in the arena. */
MUST_CHECK enum status store_facts(struct store_account *a, const uint64_t *emails, size_t count, unsigned facts,
				   struct arena *arena, struct store_email *ret);
/* The headers of emails of which the facts are there, in one go: those of up to STORE_HEADER_MAX octets, for lists of messages. */
#define STORE_HEADER_MAX ((size_t)16 * KIB)
MUST_CHECK enum status store_headers(struct store_account *a, struct store_email *emails, size_t count, struct arena *arena);
/* SORT facts of the messages of a mailbox with uids of `range`, ascending, at most `max`: one statement for all. Strings are copied for
 * the columns asked for only. */
enum store_sort_column { /* bit mask */
	STORE_SORT_SUBJECT = 1u << 0,
	STORE_SORT_FROM = 1u << 1,
	STORE_SORT_TO = 1u << 2,
	STORE_SORT_CC = 1u << 3,
	STORE_SORT_MESSAGE_ID = 1u << 4,
	STORE_SORT_IN_REPLY_TO = 1u << 5,
	STORE_SORT_REFERENCES = 1u << 6,
};
MUST_CHECK enum status store_sort_facts(struct store_account *a, uint64_t mailbox, struct store_range range, size_t max, unsigned columns,
					struct arena *arena, uint32_t *ret_uids, struct store_email *ret, size_t *ret_count);
/* The same of emails by their numbers, which must lie dense (ascending, not far apart): one walk over the rows where they stand, instead of
 * looking for each. One that is not there has id 0. */
bool store_sort_dense(const uint64_t *emails, size_t count);
MUST_CHECK enum status store_sort_emails(struct store_account *a, const uint64_t *emails, size_t count, unsigned columns,
					 struct arena *arena, struct store_email *ret);
/* The part of a section number such as "1.2.3" (RFC 9051 §6.4.5.1), "" is the root; NULL if there is none. */
const struct store_part *store_part_find(const struct store_email *e, struct str section);

/* ---- content ---- */
/* Add up to n octets from `offset` to out (fewer at the end, none past it). ST_NOT_FOUND: no such email; ST_LIMIT: out is full;
 * ST_CORRUPT: the file is missing or short. */
MUST_CHECK enum status store_read(struct store_account *a, uint64_t email, uint64_t offset, size_t n, struct buf *out);

#endif
