/* store/store_mend_int.h - shared by store_mend*.c: a mending under way, inside its write transaction. */
#ifndef STORE_STORE_MEND_INT_H
#define STORE_STORE_MEND_INT_H

#include "store/store_internal.h"
#include "store/store_mend.h"

struct mend {
	struct store_account *a;
	store_mend_fn        *tell;
	void                 *arg;
	struct arena         *arena;
	uint64_t              changes;
	struct store_mailbox  recovered; /* id 0: not needed yet; written at the end */
};

void mend_tell(struct mend *m, enum store_mend_kind kind, const char *invariant, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Of a statement with ?1 the account: tell and count when it changed something. */
MUST_CHECK enum status mend_run(struct mend *m, const char *invariant, const char *what, const char *sql);
/* One number; 0 for NULL. */
MUST_CHECK enum status mend_number(struct mend *m, const char *sql, uint64_t *ret);
/* "INBOX/5". */
struct str mend_name(struct mend *m, uint64_t mailbox, uint64_t uid);
/* A row of its own in Recovered; row->email has its reference already, or will be counted. */
MUST_CHECK enum status mend_recover(struct mend *m, struct store_row *row);
/* The rows of an answer, in the arena: rows of `columns` numbers each. */
MUST_CHECK enum status mend_rows(struct mend *m, const char *sql, unsigned columns, int64_t **ret, size_t *ret_count);

/* A new UIDVALIDITY. */
MUST_CHECK enum status mend_uidvalidity(struct mend *m, uint64_t mailbox);

/* ---- store_mend_content.c: contents, emails, and messages without one ---- */
MUST_CHECK enum status mend_contents(struct mend *m);
/* The octets of a content as they are. ST_NOT_FOUND: there are none at all. */
struct mend_body {
	struct str octets, map;
	struct buf copy; /* of a row's data */
};
MUST_CHECK enum status mend_body_read(struct mend *m, uint64_t content, struct mend_body *ret);
void mend_body_done(struct mend_body *b);
/* Octets as a content and an email of their own, or those that are there. */
MUST_CHECK enum status mend_octets_insert(struct mend *m, struct str octets, struct store_facts_row *f, uint64_t *ret_email);

#endif
