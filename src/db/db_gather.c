/* db/db_gather.c - see db_gather.h. */
#include "db/db_gather.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAME_HEADER 24u
#define GATHER_MAX   (512 * KIB) /* a longer transaction is written in pieces */
#define KEEP_MAX     (128 * KIB) /* memory that a thread keeps for its next commit */

/* Frames of this thread, to be written at `at`. */
static _Thread_local struct {
	char  *p;
	size_t n, cap;
	int    fd;
	off_t  at;
	bool   commits; /* the page to come ends the transaction */
	int    read_fd; /* where this thread has read last */
	off_t  read_at;
} held = { .read_fd = -1 };

static pthread_key_t  release_key; /* frees what a thread that ends still has */
static pthread_once_t release_once = PTHREAD_ONCE_INIT;

static void release_make(void)
{
	CHECK(pthread_key_create(&release_key, free) == 0);
}

static void memory_set(char *p, size_t cap)
{
	pthread_once(&release_once, release_make);
	held.p = p;
	held.cap = cap;
	CHECK(pthread_setspecific(release_key, p) == 0);
}

static bool write_all(int fd, const char *p, size_t n, off_t at)
{
	while (n > 0) {
		ssize_t put = pwrite(fd, p, n, at);
		if (put < 0 && errno != EINTR)
			return false;
		if (put > 0) {
			p += put;
			n -= (size_t)put;
			at += put;
		}
	}
	return true;
}

void db_gather_end(void)
{
	held.n = 0;
	held.read_fd = -1;
	if (held.cap > KEEP_MAX) {
		free(held.p);
		memory_set(NULL, 0);
	}
}

static bool flush(void)
{
	bool ok = write_all(held.fd, held.p, held.n, held.at);

	db_gather_end();
	return ok;
}

static bool room(size_t n)
{
	size_t cap = held.cap ? held.cap : 64 * KIB;
	char  *p;

	while (cap < held.n + n)
		cap *= 2;
	if (cap == held.cap)
		return true;
	p = realloc(held.p, cap);
	if (!p)
		return false;
	memory_set(p, cap);
	return true;
}

static bool continues(int fd, off_t at)
{
	return held.n > 0 && held.fd == fd && held.at + (off_t)held.n == at;
}

/* The header of a frame: octets 4 to 7 are zero unless it is the one that commits. */
static bool is_commit(const char *header)
{
	return header[4] || header[5] || header[6] || header[7];
}

/* SQLite mends the checksums of frames that it has overwritten: it reads each one and writes its header alone. No page follows. */
static bool is_mended(int fd, off_t at)
{
	return held.read_fd == fd && held.read_at == at;
}

ssize_t db_gather_pwrite(int fd, const void *p, size_t n, off_t at)
{
	bool header = n == FRAME_HEADER && !is_mended(fd, at), follows = continues(fd, at);

	if (held.n > 0 && !follows && !flush())
		return -1;
	if ((!header && !follows) || !room(n))
		return held.n > 0 && !flush() ? -1 : pwrite(fd, p, n, at);
	if (held.n == 0) {
		held.fd = fd;
		held.at = at;
	}
	memcpy(held.p + held.n, p, n);
	held.n += n;
	if (header)
		held.commits = is_commit(p);
	else if ((held.commits || held.n >= GATHER_MAX) && !flush())
		return -1;
	return (ssize_t)n;
}

ssize_t db_gather_pread(int fd, void *p, size_t n, off_t at)
{
	if (held.n > 0 && held.fd == fd && !flush())
		return -1;
	held.read_fd = fd;
	held.read_at = at;
	return pread(fd, p, n, at);
}
