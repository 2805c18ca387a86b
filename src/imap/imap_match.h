/* imap/imap_match.h - does a message match a tree of search keys (wire/imap/imap_search.h). */
#ifndef IMAP_IMAP_MATCH_H
#define IMAP_IMAP_MATCH_H

#include "imap/imap_session.h"
#include "wire/imap/imap_search.h"

#define IMAP_MATCH_AHEAD 64u /* messages whose facts are read at once, when one after the other is asked for */

struct imap_match {
	struct imap_session *s;
	int64_t              now_ms;
	uint32_t             place; /* of the message at hand */
	struct store_row    *row;
	struct arena        *arena;                   /* of the message at hand */
	struct store_email   ahead[IMAP_MATCH_AHEAD]; /* facts of the messages from place `first` on */
	uint32_t             first, ahead_count;
	struct arena        *ahead_arena;
	struct buf           header; /* as stored, read when first needed */
	struct buf           content;
	bool                 has_header, has_content;
	bool                 full;   /* the process has no memory for it: no answer either */
	enum status          status; /* the first failure: the search has no answer */
};

void imap_match_init(struct imap_match *m, struct imap_session *s);
void imap_match_done(struct imap_match *m);

/* Once per search: texts folded, sets resolved against the view, cheap keys before dear ones. */
void imap_match_prepare(struct imap_match *m, struct imap_key *root);
/* The message at `place` of the view. Opens the account where the content is needed. */
bool imap_match(struct imap_match *m, const struct imap_key *root, uint32_t place);
/* Is only the view needed? */
bool imap_match_cheap(const struct imap_key *key);

#endif
