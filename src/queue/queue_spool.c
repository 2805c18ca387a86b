/* queue/queue_spool.c - large content: from a descriptor that smtp has written into a file that only queue can write.
 *
 * smtp may be in a stranger's hands and may go on writing into its spool, so size and hash are taken of the copy. The copy is
 * durable, name included, before the writer sees the message (Q3). A few threads do this, so that neither the channel nor
 * the writer waits for it.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "queue/queue_in.h"
#include "sys/spool.h"
#include "wire/text/queue_id.h"

#define CONTENT    "content"
#define COPIERS    2
#define BACKLOG    256 /* large submits waiting; more are answered ST_BUSY */
#define HASH_STEP  (64 * KIB)
#define NAME_TRIES 100

struct job {
	struct job            *next;
	struct ipc_request    *r;
	struct queue_arriving *a;
};

struct queue_copier {
	struct queue   *q;
	pthread_mutex_t lock;
	pthread_cond_t  cond;
	pthread_t       threads[COPIERS];
	struct job     *first, **last;
	size_t          waiting;
	bool            stop;
};

/* ---- files ---- */

struct name {
	char p[sizeof(CONTENT) + QUEUE_ID_TEXT + 1];
};

static struct name name_of(uint64_t file)
{
	struct name n;

	snprintf(n.p, sizeof(n.p), CONTENT "/%s", queue_id_text(file).p);
	return n;
}

enum status queue_file_open(struct queue *q, uint64_t file, int *ret_fd)
{
	return disk_open(q->o.dir, name_of(file).p, DISK_READ, ret_fd);
}

void queue_file_remove(struct queue *q, uint64_t file)
{
	enum status st = disk_remove(q->o.dir, name_of(file).p);

	if (st != ST_OK && st != ST_NOT_FOUND)
		log_error("content of a finished message cannot be removed", LOG_C("file", name_of(file).p), LOG_ST("status", st));
}

/* Numbers go on from the wall clock; a file of the same name from an earlier time is stepped over. */
static enum status file_new(struct queue *q, uint64_t *ret_file, int *ret_fd)
{
	enum status st = ST_EXISTS;

	for (int i = 0; i < NAME_TRIES && st == ST_EXISTS; i++) {
		*ret_file = atomic_fetch_add(&q->next_file, 1);
		st = disk_open(q->o.dir, name_of(*ret_file).p, DISK_NEW, ret_fd);
	}
	return st;
}

static enum status file_hash(int fd, uint64_t size, uint8_t ret_hash[QUEUE_SHA256])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	char        step[HASH_STEP];
	uint64_t    at = 0;
	size_t      n = 0;
	enum status st = ST_OK;

	CHECK(md && EVP_DigestInit_ex(md, EVP_sha256(), NULL));
	while (at < size && st == ST_OK) {
		st = disk_read_at(fd, step, (size_t)MIN((uint64_t)sizeof(step), size - at), at, &n);
		if (st == ST_OK && n == 0)
			st = ST_CORRUPT;
		if (st == ST_OK)
			CHECK(EVP_DigestUpdate(md, step, n));
		at += n;
	}
	CHECK(EVP_DigestFinal_ex(md, ret_hash, NULL));
	EVP_MD_CTX_free(md);
	return st;
}

static enum status file_fill(struct queue *q, int fd, const char *name, int spool, uint64_t size, uint8_t ret_hash[QUEUE_SHA256])
{
	uint64_t    spooled = 0;
	enum status st = disk_size(spool, &spooled);

	if (st == ST_OK && spooled < size)
		st = ST_CORRUPT;
	if (st == ST_OK)
		st = spool_copy(spool, fd, name, size);
	if (st == ST_OK)
		st = file_hash(fd, size, ret_hash);
	if (st == ST_OK)
		st = disk_sync(fd, name);
	return st == ST_OK ? disk_sync_dir(q->o.dir, CONTENT) : st;
}

enum status queue_file_copy(struct queue *q, int spool, uint64_t size, uint64_t *ret_file, uint8_t ret_hash[QUEUE_SHA256])
{
	int         fd CLEANUP(fd_close) = -1;
	uint64_t    file = 0;
	enum status st = file_new(q, &file, &fd);

	if (st != ST_OK)
		return st;
	st = file_fill(q, fd, name_of(file).p, spool, size, ret_hash);
	if (st == ST_OK)
		*ret_file = file;
	else
		queue_file_remove(q, file);
	return st;
}

/* ---- after opening: files that no message has ---- */

struct sweep {
	struct queue *q;
	enum status   st;
};

static bool sweep_one(void *arg, const char *name, int64_t mtime_ms)
{
	static const char sql[] = "SELECT 1 FROM message WHERE file = ?1 AND file <> 0 LIMIT 1";
	struct sweep     *w = arg;
	struct db_stmt   *s;
	uint64_t          file;
	enum status       st;

	(void)mtime_ms;
	if (!queue_id_parse(str_of(name), &file))
		return true; /* not ours */
	s = db_sql(w->q->db, sql);
	db_bind_u64(s, 1, file);
	st = db_step(s);
	db_done(s);
	if (st == ST_NOT_FOUND)
		queue_file_remove(w->q, file);
	else if (st != ST_OK)
		w->st = st;
	return w->st == ST_OK;
}

enum status queue_files_sweep(struct queue *q)
{
	struct sweep w = { q, ST_OK };
	enum status  st = disk_list(q->o.dir, CONTENT, sweep_one, &w);

	return st == ST_OK ? w.st : st;
}

/* ---- threads ---- */

static void *copier_main(void *arg)
{
	struct queue_copier *c = arg;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		struct job *job;

		while (!c->first && !c->stop)
			pthread_cond_wait(&c->cond, &c->lock);
		job = c->first;
		if (!job)
			break;
		c->first = job->next;
		if (!c->first)
			c->last = &c->first;
		c->waiting--;
		pthread_mutex_unlock(&c->lock);
		queue_submit_large(c->q, job->r, job->a);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

void queue_copier_start(struct queue *q)
{
	struct queue_copier *c = calloc(1, sizeof(*c));

	CHECK(c);
	c->q = q;
	c->last = &c->first;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->cond, NULL);
	for (int i = 0; i < COPIERS; i++)
		CHECK(pthread_create(&c->threads[i], NULL, copier_main, c) == 0);
	q->copier = c;
}

void queue_copier_stop(struct queue *q)
{
	struct queue_copier *c = q->copier;

	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->cond);
	pthread_mutex_unlock(&c->lock);
	for (int i = 0; i < COPIERS; i++)
		pthread_join(c->threads[i], NULL);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->cond);
	free(c);
	q->copier = NULL;
}

bool queue_copier_put(struct queue *q, struct ipc_request *r, struct queue_arriving *a)
{
	struct queue_copier *c = q->copier;
	struct job          *job = ARENA_NEW(r->arena, struct job);
	bool                 room;

	if (!c) { /* turns in the calling thread */
		queue_submit_large(q, r, a);
		return true;
	}
	job->r = r;
	job->a = a;
	pthread_mutex_lock(&c->lock);
	room = c->waiting < BACKLOG && !c->stop;
	if (room) {
		*c->last = job;
		c->last = &job->next;
		c->waiting++;
		pthread_cond_signal(&c->cond);
	}
	pthread_mutex_unlock(&c->lock);
	return room;
}
