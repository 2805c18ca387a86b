/* db/db_vfs.h - where SQLite's files are: "/<root>/<path>" means `path` below the directory descriptor of that root.
 *
 * Descriptors that a process has of a database besides SQLite's may be closed (see my_fcntl), as keeper's answers sometimes are.
 *
 * The system-call table of SQLite's unix VFS is replaced, so that nothing else can be opened by it, and no right to walk the
 * real path is needed (Landlock). Process-wide, because that table is.
 */
#ifndef DB_DB_VFS_H
#define DB_DB_VFS_H

#include "base/status.h"

#define DB_ROOTS_MAX 4
#define DB_PATH_MAX  256

void db_vfs_init(void);
enum status db_vfs_root(const char *name, int fd); /* fd may be DISK_KEPT */
/* Why a file of such a root could not be opened or looked at, on this thread, since the last call; ST_OK: none such. SQLite says only that it cannot open. */
enum status db_vfs_kept_failure(void);

/* "accounts/ab/7/mail.db" => the root's descriptor and "ab/7/mail.db" inside `path`. False: no such root, or "..", or too long. */
MUST_CHECK bool db_vfs_locate(const char *path, int *ret_dir, const char **ret_below);

/* In fault builds SQLite's file operations pass here: fault points "db.sync", "db.write", and the recorder (sys/fault.h). */
void db_record_init(void);

#endif
