/* db/db_file.h - what all handles of one database file in this process share: the writer lock and the lock file.
 *
 * The lock file "<file>.lock" stands beside the database and is never replaced. Its octets 0 and 1 are OFD-locked (writer; update
 * of `synced`); its content is struct db_header, in host order: how far commits and syncs have come in this boot of the machine,
 * for all processes. It needs no sync: after another boot everything that can be read has been on disk, and it starts anew.
 */
#ifndef DB_DB_FILE_H
#define DB_DB_FILE_H

#include <pthread.h>

#include "base/status.h"
#include "db/db_vfs.h"
#include "sys/boot.h"

/* A place in the log: the first `frames` frames of the log whose header has `salt`. */
struct db_place {
	uint64_t commit, frames, salt;
};

struct db_header {
	/* written by the holder of the writer lock */
	uint64_t        magic;
	struct boot_id  boot;
	uint64_t        begun;      /* counts commits; raised before one becomes visible */
	struct db_place done;       /* the last one that is complete */
	uint64_t        done_again; /* = done.commit, or a reader met a half-written `done` and reads again */
	/* written under the lock of octet 1 */
	struct db_place synced; /* commit 0, in this boot: the file is new, and no part of it nor its names is known to be durable */
	/* written by whoever finds out */
	uint64_t suspect;
	uint64_t generation; /* raised by repair: handles of the file before it are stale */
};

struct db_file {
	char            path[DB_PATH_MAX]; /* as given to db_open */
	int             dir;
	const char     *below;             /* inside path */
	int             lock_fd;
	char            lock_path[DB_PATH_MAX + 8];
	pthread_mutex_t lock;     /* of `writing` */
	pthread_cond_t  given_up; /* writing became false */
	bool            writing;  /* a thread of this process holds, or waits for, the writer lock: a mutex with a deadline */
	pthread_mutex_t sync;     /* update of `synced` */
	unsigned        refs;
	struct db_file *next;
};

/* Find or make the shared struct; creates the lock file. */
MUST_CHECK enum status db_file_get(const char *path, struct db_file **ret);
void db_file_put(struct db_file **f);

/* Make names in the file's directory durable. */
MUST_CHECK enum status db_file_sync_dir(struct db_file *f);
/* And those of the directories above it, up to the root. */
MUST_CHECK enum status db_file_sync_names(struct db_file *f);

/* The writer lock: among threads, then among processes. ST_TEMP when not had in time. */
MUST_CHECK enum status db_file_lock(struct db_file *f, unsigned ms);
void db_file_unlock(struct db_file *f);

MUST_CHECK enum status db_header_read(struct db_file *f, struct db_header *ret); /* magic 0: never written */
/* Of the writer's part. */
MUST_CHECK enum status db_header_write(struct db_file *f, const struct db_header *h);
/* All of it; under the writer lock, at a new boot or after repair. */
MUST_CHECK enum status db_header_reset(struct db_file *f, const struct db_header *h);
/* Raise `synced` to p, unless it is there already. ST_SUSPECT: not any more, the file is set aside. */
MUST_CHECK enum status db_header_synced(struct db_file *f, struct db_place p);
MUST_CHECK enum status db_header_suspect(struct db_file *f); /* `synced` stands still from here on */
bool db_header_current(const struct db_header *h); /* written in this boot */

#define DB_MAGIC UINT64_C(0x31304b434f4c4250) /* "PBLOCK01" */

#endif
