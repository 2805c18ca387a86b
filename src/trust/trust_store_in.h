/* trust/trust_store_in.h - private to trust_*.c: the open store. */
#ifndef TRUST_TRUST_STORE_IN_H
#define TRUST_TRUST_STORE_IN_H

#include <pthread.h>

#include "db/db.h"
#include "trust/trust_store.h"

struct trust_store {
	struct trust_store_options options;
	pthread_mutex_t            lock;
	struct db                 *db; /* NULL: there is none */
	uint64_t                   policies, policy_octets; /* in the table sts */
	uint64_t                   rows;                    /* in tlsrpt_policy and tlsrpt_failure */
	uint32_t                   purged_day;
};

/* The row's end is the loop's end; anything else is a failure. */
static inline enum status rows_end(struct db_stmt *s, enum status st)
{
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* End a write transaction: commit and sync, or undo. */
MUST_CHECK enum status trust_store_end(struct trust_store *t, enum status st);
/* Fill in the counts from the tables. */
MUST_CHECK enum status trust_store_count(struct trust_store *t);

#endif
