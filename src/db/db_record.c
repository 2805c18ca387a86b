/* db/db_record.c - a VFS over the unix one that fails planned calls and tells the recorder of every write.
 *
 * Only in fault builds (sys/fault.h); otherwise SQLite uses the unix VFS itself.
 */
#include "db/db_vfs.h"

#ifdef POSTRIDER_FAULTS

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "sys/fault.h"

struct shim_file {
	sqlite3_file  base;
	char          path[DB_PATH_MAX]; /* below its root */
	sqlite3_file *real;              /* behind this struct */
};

static sqlite3_vfs *real_vfs;

static sqlite3_file *real(sqlite3_file *f) { return ((struct shim_file *)f)->real; }

static const char *below(const char *path)
{
	int         dir;
	const char *rest;

	return path && path[0] == '/' && db_vfs_locate(path + 1, &dir, &rest) ? rest : "";
}

static int x_close(sqlite3_file *f) { return real(f)->pMethods->xClose(real(f)); }
static int x_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) { return real(f)->pMethods->xRead(real(f), p, n, at); }

static int x_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	const char *path = ((struct shim_file *)f)->path;
	int         err = fault_at("db.write", path);
	int         rc = err == 0 ? real(f)->pMethods->xWrite(real(f), p, n, at) :
			 err == ENOSPC ? SQLITE_FULL :
					 SQLITE_IOERR_WRITE;

	if (rc == SQLITE_OK)
		fault_record(&(struct fault_event){ .kind = FAULT_EVENT_WRITE,
						    .path = path,
						    .offset = (uint64_t)at,
						    .data = str_n(p, (size_t)n) });
	return rc;
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int rc = real(f)->pMethods->xTruncate(real(f), size);

	if (rc == SQLITE_OK)
		fault_record(&(struct fault_event){ .kind = FAULT_EVENT_TRUNCATE,
						    .path = ((struct shim_file *)f)->path,
						    .offset = (uint64_t)size });
	return rc;
}

static int x_sync(sqlite3_file *f, int flags)
{
	const char *path = ((struct shim_file *)f)->path;
	int         rc = fault_at("db.sync", path) ? SQLITE_IOERR_FSYNC : real(f)->pMethods->xSync(real(f), flags);

	if (rc == SQLITE_OK)
		fault_record(&(struct fault_event){ .kind = FAULT_EVENT_SYNC, .path = path });
	return rc;
}

static int x_size(sqlite3_file *f, sqlite3_int64 *n) { return real(f)->pMethods->xFileSize(real(f), n); }
static int x_lock(sqlite3_file *f, int l) { return real(f)->pMethods->xLock(real(f), l); }
static int x_unlock(sqlite3_file *f, int l) { return real(f)->pMethods->xUnlock(real(f), l); }
static int x_reserved(sqlite3_file *f, int *r) { return real(f)->pMethods->xCheckReservedLock(real(f), r); }
static int x_control(sqlite3_file *f, int op, void *p) { return real(f)->pMethods->xFileControl(real(f), op, p); }
static int x_sector(sqlite3_file *f) { return real(f)->pMethods->xSectorSize(real(f)); }
static int x_device(sqlite3_file *f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); }
static int x_shm_map(sqlite3_file *f, int r, int n, int w, void volatile **p) { return real(f)->pMethods->xShmMap(real(f), r, n, w, p); }
static int x_shm_lock(sqlite3_file *f, int o, int n, int flags) { return real(f)->pMethods->xShmLock(real(f), o, n, flags); }
static void x_shm_barrier(sqlite3_file *f) { real(f)->pMethods->xShmBarrier(real(f)); }
static int x_shm_unmap(sqlite3_file *f, int del) { return real(f)->pMethods->xShmUnmap(real(f), del); }

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = x_close,
	.xRead = x_read,
	.xWrite = x_write,
	.xTruncate = x_truncate,
	.xSync = x_sync,
	.xFileSize = x_size,
	.xLock = x_lock,
	.xUnlock = x_unlock,
	.xCheckReservedLock = x_reserved,
	.xFileControl = x_control,
	.xSectorSize = x_sector,
	.xDeviceCharacteristics = x_device,
	.xShmMap = x_shm_map,
	.xShmLock = x_shm_lock,
	.xShmBarrier = x_shm_barrier,
	.xShmUnmap = x_shm_unmap,
};

static int x_open(sqlite3_vfs *v, sqlite3_filename name, sqlite3_file *f, int flags, int *out)
{
	struct shim_file *s = (struct shim_file *)f;
	int               there = 0, rc;

	(void)v;
	memset(s, 0, sizeof(*s));
	s->real = (sqlite3_file *)(s + 1);
	snprintf(s->path, sizeof(s->path), "%s", below(name));
	if (name)
		real_vfs->xAccess(real_vfs, name, SQLITE_ACCESS_EXISTS, &there);
	rc = real_vfs->xOpen(real_vfs, name, s->real, flags, out);
	/* SQLite calls xClose if there are methods, even after a failed open. */
	f->pMethods = s->real->pMethods ? &methods : NULL;
	if (rc == SQLITE_OK && name && !there)
		fault_record(&(struct fault_event){ .kind = FAULT_EVENT_CREATE, .path = s->path });
	return rc;
}

static int x_delete(sqlite3_vfs *v, const char *name, int sync_dir)
{
	int rc = real_vfs->xDelete(real_vfs, name, sync_dir);

	(void)v;
	if (rc == SQLITE_OK)
		fault_record(&(struct fault_event){ .kind = FAULT_EVENT_UNLINK, .path = below(name) });
	return rc;
}

void db_record_init(void)
{
	static sqlite3_vfs shim;

	real_vfs = sqlite3_vfs_find("unix");
	shim = *real_vfs;
	shim.szOsFile += (int)sizeof(struct shim_file);
	shim.zName = "postrider";
	shim.xOpen = x_open;
	shim.xDelete = x_delete;
	CHECK(sqlite3_vfs_register(&shim, 1) == SQLITE_OK);
}

#else
void db_record_init(void) {}
#endif
