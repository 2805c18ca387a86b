/* imap/imap_found.h - the result of a search: places of the view, and how it is told and kept. */
#ifndef IMAP_IMAP_FOUND_H
#define IMAP_IMAP_FOUND_H

#include "imap/imap_match.h"
#include "wire/imap/imap_return.h"
#include "wire/imap/imap_sort.h"

struct imap_found {
	uint32_t *places; /* ascending, until they are sorted; heap */
	size_t    count, cap;
};

/* What SEARCH, SORT and ESEARCH have in common. */
struct imap_query {
	struct imap_return ret;
	struct imap_search search;
	struct imap_sort   sort; /* count 0: SEARCH */
	bool               uid;  /* answer with UIDs */
	struct str         args; /* the command behind its name */
};

/* All of it from x, which stands behind the name. */
MUST_CHECK enum imap_search_err imap_query_lex(struct imap_lex *x, bool sort, struct imap_query *ret);
/* SEARCH and SORT: `syntax` for a BAD. */
enum imap_next imap_query_command(struct imap_session *s, struct imap_command *c, bool sort, const char *syntax);

void imap_found_done(struct imap_found *f);
/* The search program was refused: the answer to that. */
enum imap_next imap_search_refused(struct imap_session *s, enum imap_search_err err, const char *syntax);
/* May a charset be named, and this one: once UTF8=ACCEPT is enabled none where it may be left out, and UTF-8 where it is `mandatory`
 * (RFC 9755 §3). False: the answer is set. */
MUST_CHECK bool imap_charset_legal(struct imap_session *s, const struct imap_search *p, bool mandatory);
/* May the session say so: numbers that do not exist, or are not used any more. False: the answer is set. */
MUST_CHECK bool imap_search_legal(struct imap_session *s, const struct imap_search *p);
/* UPDATE with a tag that a kept search has already is refused (RFC 5267 §4.3). False: the answer is set. */
MUST_CHECK bool imap_context_legal(struct imap_session *s, const struct imap_query *q);
/* Leave out the messages that are beyond the limit of a command (imap_limit.c); the key is prepared. */
void imap_limit_search(struct imap_match *m, const struct imap_key *root);
/* All that match, ascending; only the first or last one where no more was asked for. False: the answer is set. */
MUST_CHECK bool imap_found_search(struct imap_match *m, const struct imap_query *q, struct imap_found *f);
/* Put them in order (imap_cmd_sort.c). False: the answer is set. */
MUST_CHECK bool imap_found_sort(struct imap_match *m, const struct imap_sort *sort, struct imap_found *f);
/* SEARCH or SORT of the selected mailbox: run, tell, save, answer. */
enum imap_next imap_query_run(struct imap_session *s, struct imap_query *q);

/* "* SEARCH 2 3 (MODSEQ 9)"; `name` is SEARCH or SORT. */
void imap_found_put(struct imap_session *s, const char *name, const struct imap_query *q, const struct imap_found *f);
/* "* ESEARCH (TAG "a") UID MIN 2 ...". Of another mailbox than the selected one: with its name. */
void imap_found_put_esearch(struct imap_session *s, const struct imap_query *q, const struct imap_box *box, const struct str *mailbox,
			    const struct imap_found *f);
/* Numbers as a set, whole or of pieces that go out as they come. */
void imap_found_put_set(struct imap_session *s, const struct imap_box *box, bool uid, const uint32_t *places, size_t count);

/* Of the messages of a resolved set those that PARTIAL names (RFC 9394 §3.3). */
struct imap_set imap_places_partial(const struct imap_set *places, const struct imap_partial *partial, struct arena *a);

/* "$" (RFC 5182) is what SAVE keeps of the result. ST_LIMIT: too scattered, nothing is kept; ST_TEMP: no memory. */
MUST_CHECK enum status imap_saved_set(struct imap_session *s, const struct imap_return *ret, const struct imap_found *f);

#endif
