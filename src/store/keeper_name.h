/* store/keeper_name.h - the names in the directory of an account that keeper opens, makes, renames, removes and looks at: no others.
 *
 *   mail.db   mail.db.lock   never removed
 *   mail.db-wal   mail.db-shm   mail.db-journal   mail.db.suspect   mail.db.repair-wal   mail.db.repair-shm
 *   mail.db.repair
 *   content/HASH   64 digits of "0123456789abcdef"; read only
 *   content/tmp-ID   16 of them
 *   content/keep
 *   content, and "" for the directory itself: as directories
 *
 * So a name has at most one "/", no "..", no NUL, and no part of it was chosen by a stranger.
 *
 * Pure. Tests: tests/unit/test_keeper.c, tests/fuzz/fuzz_keeper_name.c.
 */
#ifndef STORE_KEEPER_NAME_H
#define STORE_KEEPER_NAME_H

#include "ipc/msg_keeper.h"

enum keeper_name {
	KEEPER_NAME_NONE,    /* not one of these */
	KEEPER_NAME_ACCOUNT, /* "" */
	KEEPER_NAME_CONTENT, /* content */
	KEEPER_NAME_MAIN,    /* the database, and its lock file */
	KEEPER_NAME_BESIDE,  /* other files beside it */
	KEEPER_NAME_REPAIR,  /* mail.db.repair */
	KEEPER_NAME_HASH,    /* a file in content/ */
	KEEPER_NAME_TEMP,    /* an upload in content/ */
	KEEPER_NAME_KEEP,    /* content/keep: store_keep.h */
};

enum keeper_name keeper_name_of(struct str name);

/* Is it a file, and may it be opened so, removed. */
bool keeper_name_may_open(enum keeper_name kind, enum keeper_open mode);
bool keeper_name_may_go(enum keeper_name kind);

/* May `from` get the name `to`: an upload its final one, the repaired copy that of the database. */
bool keeper_name_may_become(struct str from, struct str to);

#endif
