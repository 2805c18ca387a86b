/* store/store_salvage.h - a new database for an account whose own SQLite cannot read any more, or that is gone.
 *
 * What can be read of the old one, page by page (db/db_pages.h), comes into a new one:
 *   rows of trees that can be walked; rows of strays, known by their shape, only where the tree of their table is damaged;
 *   mailboxes whose row is lost, under the name that the index of names has, or "Recovered mailbox N", with a new UIDVALIDITY;
 *   emails whose row is lost, read again from the content that came in with them;
 *   content files whose row is lost, for the email that has just their facts;
 *   whatever content is left that no message has, as messages of the mailbox "Recovered": nothing is thrown away.
 * Then store_mend, until store_check finds nothing. UIDVALIDITY is new for each mailbox whose uids are not certain. No change from
 * before is listed, and the clock is past all that may have been shown.
 *
 * Meanwhile the account is set aside: writers get ST_SUSPECT, and it stays so if this fails or dies, until it is run again. The old files are
 * kept (db.h). Memory: some octets for each message and each orphan; contents are mapped or read one by one.
 *
 * Tests: tests/unit/test_store_salvage.c, tests/crash/test_salvage.py, tests/system/test_salvage.py.
 */
#ifndef STORE_STORE_SALVAGE_H
#define STORE_STORE_SALVAGE_H

#include "store/store_mend.h"

struct store_salvaged {
	uint64_t kept, moved, lost; /* messages: where they were; in Recovered; told as lost */
	uint64_t pages, rows, bad;  /* that were read; pages and rows that could not be */
	uint64_t aside;             /* N of mail.db.damaged.N */
	uint64_t modseq;            /* the account's, afterwards */
};

/* ST_BUSY: somebody repairs or salvages it. Whatever is told is only done if it returns ST_OK. */
MUST_CHECK enum status store_salvage(struct store *s, uint64_t account, store_mend_fn *tell, void *arg, struct store_salvaged *ret);

/* Of an account whose database is sound: content files that are kept (store_keep.h) and that no row names become messages in Recovered. */
MUST_CHECK enum status store_adopt(struct store_account *a, store_mend_fn *tell, void *arg, uint64_t *ret_moved);

#endif
