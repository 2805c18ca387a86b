/* queue/queue.c - opening, starting, stopping; see queue.h. */
#include "queue/queue.h"

#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "queue/queue_in.h"
#include "sys/clock.h"
#include "sys/disk.h"

#define MINUTES ((int64_t)60 * 1000)
#define HOURS   (60 * MINUTES)
#define DAYS    (24 * HOURS)

/* Questions to auth are short and their answers too: so few at once that neither side's socket is ever full, for both are
 * answered and asked from the threads that read them. */
#define AUTH_MAX 100

#define DRAIN_MS      5000
#define DRAIN_LOOK_US 5000

#define TXID_BATCH_MAX (QUEUE_BATCH_MAX * (QUEUE_TXID_OCTETS + 8))

static void defaults(struct queue_options *o, struct arena *a)
{
#define DEFAULT(field, value) (o->field = o->field ? o->field : (value))
	DEFAULT(root, "queue");
	DEFAULT(retry_first_ms, 5 * MINUTES);
	DEFAULT(retry_max_ms, 4 * HOURS);
	DEFAULT(expire_ms, 5 * DAYS);
	DEFAULT(delay_warning_ms, 4 * HOURS);
	DEFAULT(watermark_percent, 5);
	DEFAULT(watermark_octets, 200 * MIB);
	DEFAULT(reserve_octets, 8 * MIB);
	DEFAULT(active_max, 4000);
	DEFAULT(memory_octets, 64 * MIB);
	DEFAULT(local_max, 1000);
	DEFAULT(remote_max, 500);
	DEFAULT(site_first, 5);
	DEFAULT(site_connections, 20);
	DEFAULT(txid_max, (size_t)1 << 20);
	DEFAULT(txid_keep_ms, 2 * HOURS);
	DEFAULT(mono_ms, clock_mono_ms);
	DEFAULT(wall_ms, clock_wall_ms);
#undef DEFAULT
	o->hostname = arena_dup(a, o->hostname.n ? o->hostname : STR("localhost"));
	o->relay = arena_dup(a, o->relay);
	o->filter = arena_dup(a, o->filter);
}

int64_t queue_now(struct queue *q)
{
	return atomic_load(&q->clock_base) + q->o.mono_ms();
}

int64_t queue_wall(struct queue *q, int64_t queue_time)
{
	return queue_time - queue_now(q) + q->o.wall_ms();
}

static void init(struct queue *q, const struct queue_options *o)
{
	q->arena = arena_new(NULL);
	q->o = *o;
	defaults(&q->o, q->arena);
	snprintf(q->path, sizeof(q->path), "%s/queue.db", q->o.root);
	q->reserve_fd = -1;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->cond, NULL);
	pthread_mutex_init(&q->read_lock, NULL);
	q->last = &q->first;
	q->later_last = &q->later;
	q->lazy_last = &q->lazy;
	q->ready_last = &q->ready;
	map_init(&q->active);
	map_init(&q->unread);
	queue_txids_init(&q->txids);
	buf_init(&q->txid_batch, TXID_BATCH_MAX);
	q->pins.pin_before = q->pins.pin_after = &q->pins;
	atomic_store(&q->next_file, (uint64_t)MAX(q->o.wall_ms(), 1) << 16);
	atomic_store(&q->space_looked, INT64_MIN / 2);
	queue_flight_init(&q->f_auth, AUTH_MAX);
	queue_flight_init(&q->f_local, q->o.local_max);
	queue_flight_init(&q->f_lone_local, 1);
	queue_flight_init(&q->f_lone_remote, 1);
	q->sites = queue_sites_new(q, q->o.remote_max);
	queue_dues_init(&q->dues);
}

static enum status open_files(struct queue *q)
{
	enum status st = disk_make_dir(q->o.dir, "content");

	if (st == ST_OK)
		st = disk_sync_dir(q->o.dir, "");
	if (st == ST_EXISTS)
		st = ST_OK;
	if (st == ST_OK && db_is_suspect(q->path)) {
		log_warn("queue was set aside after a failed sync: repairing");
		st = db_repair(q->path);
	}
	if (st == ST_OK)
		st = db_open(q->path, &queue_db_options, &q->db);
	return st;
}

enum status queue_open(const struct queue_options *options, struct queue **ret)
{
	struct queue *q = calloc(1, sizeof(*q));
	enum status   st;

	CHECK(q);
	init(q, options);
	st = open_files(q);
	if (st == ST_OK)
		st = queue_db_recover(q);
	if (st == ST_OK)
		st = queue_files_sweep(q);
	if (st != ST_OK) {
		queue_close(&q);
		return st;
	}
	q->trace = queue_trace_open(&(struct queue_trace_options){ q->o.dir, q->o.trace_octets, q->o.trace_keep_ms, q->o.wall_ms });
	q->synced_id = q->next_id;
	queue_floor_update(q);
	q->ticked = q->o.mono_ms();
	*ret = q;
	return ST_OK;
}

void queue_start_turns(struct queue *q, struct ipc *ipc)
{
	q->ipc = ipc;
}

void queue_start(struct queue *q, struct ipc *ipc)
{
	q->ipc = ipc;
	q->threaded = true;
	queue_copier_start(q);
	queue_trace_start(q->trace);
	CHECK(pthread_create(&q->writer, NULL, queue_writer_main, q) == 0);
}

/* Start nothing more, and give hosts that have a message in hand a moment to answer: an answer that gets lost means that the
 * message is sent twice (RFC 1047). One that thinks for longer is not worth the wait. */
static void drain(struct queue *q)
{
	struct queue_flight *const all[] = { &q->f_auth, &q->f_local, &q->f_lone_local, &q->f_lone_remote };
	const int64_t              end = clock_mono_ms() + DRAIN_MS;

	for (size_t i = 0; i < LEN(all); i++)
		queue_flight_close(all[i]);
	queue_sites_close(q->sites);
	while (atomic_load(&q->in_flight) > 0 && clock_mono_ms() < end)
		usleep(DRAIN_LOOK_US);
}

void queue_stop(struct queue *q)
{
	if (q->threaded)
		drain(q);
	queue_copier_stop(q);
	pthread_mutex_lock(&q->lock);
	q->stopping = true;
	pthread_cond_signal(&q->cond);
	pthread_mutex_unlock(&q->lock);
	if (q->threaded)
		pthread_join(q->writer, NULL);
	q->threaded = false;
	queue_trace_flush(q->trace);
}

static void free_active(struct queue *q)
{
	struct str key;
	void      *m;
	size_t     at = 0;

	while (map_next(&q->active, &at, &key, &m))
		queue_msg_free(m);
	map_done(&q->active);
	map_done(&q->unread);
}

void queue_close(struct queue **at)
{
	struct queue *q = *at;

	if (!q)
		return;
	*at = NULL;
	free_active(q);
	queue_txids_done(&q->txids);
	buf_done(&q->txid_batch);
	if (q->read_db)
		db_close(&q->read_db);
	if (q->db)
		db_close(&q->db);
	fd_close(&q->reserve_fd);
	queue_trace_close(&q->trace);
	queue_flight_done(&q->f_auth);
	queue_flight_done(&q->f_local);
	queue_sites_free(&q->sites);
	queue_flight_done(&q->f_lone_local);
	queue_flight_done(&q->f_lone_remote);
	pthread_mutex_destroy(&q->lock);
	pthread_mutex_destroy(&q->read_lock);
	pthread_cond_destroy(&q->cond);
	arena_free(&q->arena);
	free(q);
}
