/* sys/fault.h - tests make the n-th call of a named point fail, and see every write. Nothing of it is compiled unless
 * POSTRIDER_FAULTS is defined (sanitizer builds do).
 *
 * Points: "db.sync", "db.write" (SQLite's files), "disk.sync", "disk.write", "disk.sync_dir", "disk.rename", "disk.syncfs";
 * "local.deliver" (path: the recipient's address) ends the process.
 * In the environment at the first call: POSTRIDER_FAULT="POINT:PATH:N[+]:ERRNO[,...]", for example
 * "db.sync:17/mail.db:3+:EIO": from the third on; without "+" the third only. ERRNO: EIO, ENOSPC, EROFS.
 */
#ifndef SYS_FAULT_H
#define SYS_FAULT_H

#include "base/str.h"

enum fault_event_kind {
	FAULT_EVENT_WRITE,
	FAULT_EVENT_TRUNCATE, /* to offset */
	FAULT_EVENT_SYNC,
	FAULT_EVENT_CREATE,
	FAULT_EVENT_UNLINK,
	FAULT_EVENT_RENAME, /* to `other` */
	FAULT_EVENT_MKDIR,
	FAULT_EVENT_SYNC_DIR,
	FAULT_EVENT_SYNC_FS, /* every file and name */
	FAULT_EVENT_MARK, /* set by a test: path is its text */
};

/* Paths are relative to the directory descriptor that the file was opened below. */
struct fault_event {
	enum fault_event_kind kind;
	const char           *path, *other;
	uint64_t              offset;
	struct str            data;
};
typedef void fault_record_fn(void *arg, const struct fault_event *e);

#ifdef POSTRIDER_FAULTS
/* The errno that this call must fail with, or 0. */
int fault_at(const char *point, const char *path);
/* Fail the nth call from now (1 is the next) at `point` whose path contains `path`; `on`: and all after it. */
void fault_set(const char *point, const char *path, unsigned nth, bool on, int err);
void fault_clear(void);
/* fn is called for every event, one at a time; NULL stops. */
void fault_record_to(fault_record_fn *fn, void *arg);
void fault_record(const struct fault_event *e);
#else
static inline int fault_at(const char *point, const char *path)
{
	(void)point, (void)path;
	return 0;
}
static inline void fault_record(const struct fault_event *e) { (void)e; }
#endif

#endif
