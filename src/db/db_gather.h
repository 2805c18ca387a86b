/* db/db_gather.h - one write per commit: frames of a log are gathered and written together.
 *
 * SQLite writes each changed page of a transaction as two calls (24 octets of frame header, then the page): some 26 system calls for
 * one delivery, half of its time. These two replace its pwrite and pread: frames of one thread are kept until the one
 * that commits (its header names the size of the database, https://www.sqlite.org/fileformat2.html#the_write_ahead_log), then
 * written with one call. Whoever reads the log sees a frame only after the commit has entered it in the index, which
 * SQLite does after its last write returned; the writer's own reads of frames still here write them first.
 *
 * Nothing is ever kept beyond the writer lock: db_gather_end() drops what a rolled-back transaction left.
 */
#ifndef DB_DB_GATHER_H
#define DB_DB_GATHER_H

#include <sys/types.h>

#include "base/base.h"

ssize_t db_gather_pwrite(int fd, const void *p, size_t n, off_t at);
ssize_t db_gather_pread(int fd, void *p, size_t n, off_t at);

/* Before this thread lets a writer lock go. */
void db_gather_end(void);

#endif
