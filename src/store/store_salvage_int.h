/* store/store_salvage_int.h - shared by store_salvage*.c: a salvage under way. */
#ifndef STORE_STORE_SALVAGE_INT_H
#define STORE_STORE_SALVAGE_INT_H

#include "db/db_pages.h"
#include "store/store_mend_int.h"
#include "store/store_salvage.h"

#define SALVAGE_NUMBER_MAX (INT64_C(1) << 62) /* ids, modseqs and the like are below, or are none */
#define SALVAGE_JUMP       (UINT64_C(1) << 20) /* past what is known, where the account's row is lost */

struct salvage {
	struct store_account  *a; /* with the new database */
	struct db_pages       *pages;
	struct mend            m; /* of the new one */
	struct account_state   state;
	bool                   state_known; /* the account's row was found */
	bool                   uncertain;   /* commits may be missing: so are all numbers */
	uint64_t               rows_since;  /* rows and octets since the last commit */
	uint64_t               octets_since;
	struct db_pages_sum    sum;
	uint64_t               recovered_before; /* messages that were in Recovered */
	struct store_salvaged *result;
};

/* ---- store_salvage_rows.c ---- */
/* All rows of the old database that are of use. A write transaction of the new one is open, before and after. */
MUST_CHECK enum status salvage_rows(struct salvage *s);

/* ---- store_salvage_adopt.c: the account has its row ---- */
/* Emails of messages, from the contents that came in with them. */
MUST_CHECK enum status salvage_emails(struct salvage *s);
/* Content files without a row: for the emails that lack theirs, where `match`; the rest, and every content and email that no message has, into
 * Recovered. *ret_moved is added to. */
MUST_CHECK enum status salvage_files(struct mend *m, bool match, uint64_t *ret_moved);
MUST_CHECK enum status salvage_orphans(struct mend *m, uint64_t *ret_moved);

#endif
