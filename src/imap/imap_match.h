/* imap/imap_match.h - does a message match a tree of search keys (wire/imap/imap_search.h).
 *
 * The messages of one mailbox, in order: what is read of them is read ahead. It may take long: the client is told how it goes
 * (RFC 9585) every settings.progress_ms, with the account given back meanwhile; so nothing of a response may wait in the output, and
 * a client that is gone ends it (m->gone).
 */
#ifndef IMAP_IMAP_MATCH_H
#define IMAP_IMAP_MATCH_H

#include "imap/imap_session.h"
#include "wire/imap/imap_search.h"

#define IMAP_MATCH_AHEAD 256u /* messages whose facts are read at once, when one after the other is asked for */

struct imap_match {
	struct imap_session   *s;
	const struct imap_box *box;     /* that is searched; its view is loaded */
	struct str             mailbox; /* its name, if it is not the selected one */
	struct store_account  *account; /* of it, then; NULL: not found yet */
	uint32_t               from;    /* messages of lower places are not searched */
	int64_t                now_ms;
	unsigned               columns; /* enum store_sort_column, that the keys and the caller ask for */
	uint32_t               place;   /* of the message at hand */
	struct store_row      *row;
	struct arena          *arena;                   /* of the message at hand */
	struct store_email     ahead[IMAP_MATCH_AHEAD]; /* facts of the messages from place `first` on */
	uint32_t               first, ahead_count;
	int64_t                saved[IMAP_MATCH_AHEAD]; /* when those from `saved_first` on came into the mailbox */
	uint32_t               saved_first, saved_count;
	uint64_t               threads[IMAP_MATCH_AHEAD]; /* of those from `threads_first` on */
	uint32_t               threads_first, threads_count;
	struct arena          *ahead_arena;
	struct buf             header; /* as stored, read when first needed */
	struct buf             content;
	struct buf             folded;
	bool                   has_header, has_content;
	size_t                 held;   /* octets of imap_work_take that the caller holds beside what is taken here */
	bool                   full;   /* the process has no memory for it: no answer either */
	bool                   gone;   /* the client is gone: no answer to anybody */
	enum status            status; /* the first failure: the search has no answer */
	int64_t                told_ms; /* monotonic: when the client heard of it */
	bool                   slow;    /* content was read since the clock was last looked at */
};

/* Of the selected mailbox. */
void imap_match_init(struct imap_match *m, struct imap_session *s);
/* Of another one, whose view is in `box`. */
void imap_match_init_box(struct imap_match *m, struct imap_session *s, const struct imap_box *box, struct str name);
void imap_match_done(struct imap_match *m);

/* Once per search and mailbox: texts folded, sets resolved against the view, cheap keys before dear ones. `key` is changed. */
void imap_match_prepare(struct imap_match *m, struct imap_key *root);
/* The message at `place` of the view. Opens the account where more is needed. */
bool imap_match(struct imap_match *m, const struct imap_key *root, uint32_t place);
/* Between two messages: false when there is no answer to be had any more. */
bool imap_match_goes_on(struct imap_match *m, uint32_t place);
/* Facts of the message at `place`, of the columns in m->columns. Valid until the next call. */
const struct store_email *imap_match_facts(struct imap_match *m, uint32_t place);
/* What can be said of a failure, if there was one: false, and the answer is set. */
bool imap_match_answer(struct imap_match *m);
/* Is only the view needed? */
bool imap_match_cheap(const struct imap_key *key);

#endif
