/* tests/bench/bench_queue.c - how many messages a second the queue takes and passes on, and what CPU that costs.
 *
 *   bench_queue [DIRECTORY [MESSAGES [OCTETS]]]
 *   bench_queue DIRECTORY MESSAGES OCTETS waiting    peers that never answer: how long a restart with so many takes
 *
 * For 1, 20 and 100 callers, each submitting and waiting for its answer; auth and local are threads that say yes at once.
 * "whole" is CPU of the process per message, everything in it: submit, commit, sync, routing, result, deletion, and the peers.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "db/db.h"
#include "ipc/msg_auth.h"
#include "ipc/msg_local.h"
#include "queue/queue_in.h"
#include "sys/clock.h"
#include "sys/disk.h"
#include "sys/random.h"

/* ---- peers: answers in batches from one thread each, as a channel's reader gives them ---- */

struct call {
	struct call    *next;
	ipc_done_fn    *done;
	void           *arg;
	enum ipc_msg_id id;
};

static struct peer {
	pthread_mutex_t lock;
	pthread_cond_t  cond;
	struct call    *first, **last;
} peers[ROLE_COUNT];

static bool silent;

unsigned ipc_peers(struct ipc *ipc, enum role_id role)
{
	(void)ipc, (void)role;
	return 1;
}

void ipc_cork(void) {}
void ipc_uncork(void) {}

void ipc_start(struct ipc *ipc, enum role_id role, uint64_t key, enum ipc_msg_id id, const void *request, ipc_done_fn *done, void *arg)
{
	struct peer *p = &peers[role];
	struct call *c = malloc(sizeof(*c));

	(void)ipc, (void)key, (void)request;
	if (silent) {
		free(c);
		return;
	}
	*c = (struct call){ NULL, done, arg, id };
	pthread_mutex_lock(&p->lock);
	*p->last = c;
	p->last = &c->next;
	pthread_cond_signal(&p->cond);
	pthread_mutex_unlock(&p->lock);
}

static void *peer_main(void *arg)
{
	struct peer              *p = arg;
	struct auth_target        target = { 5, STR("bob@demo.test") };
	struct auth_resolve_reply resolved = { &target, 1 };
	struct local_deliver_reply delivered = { LOCAL_DELIVERED, STR(""), STR("") };

	for (;;) {
		struct call *c, *next;

		pthread_mutex_lock(&p->lock);
		while (!p->first)
			pthread_cond_wait(&p->cond, &p->lock);
		c = p->first;
		p->first = NULL;
		p->last = &p->first;
		pthread_mutex_unlock(&p->lock);
		for (; c; c = next) {
			next = c->next;
			c->done(c->arg, ST_OK, c->id == IPC_AUTH_RESOLVE ? (void *)&resolved : (void *)&delivered);
			free(c);
		}
	}
	return NULL;
}

/* ---- callers ---- */

struct request {
	struct ipc_request public;
	pthread_mutex_t    lock;
	pthread_cond_t     cond;
	bool               over;
};

void ipc_reply(struct ipc_request *r, enum status status, const void *reply)
{
	struct request *q = CONTAINER_OF(r, struct request, public);

	if (status != ST_OK || ((const struct queue_submit_reply *)reply)->result != QUEUE_SUBMIT_QUEUED) {
		fprintf(stderr, "not taken: %s\n", status_name(status));
		exit(1);
	}
	arena_free(&r->arena);
	pthread_mutex_lock(&q->lock);
	q->over = true;
	pthread_cond_signal(&q->cond);
	pthread_mutex_unlock(&q->lock);
}

static struct {
	struct queue *q;
	struct str    content;
	atomic_long   left;
} run;

static void *caller_main(void *arg)
{
	struct queue_rcpt rcpt = { STR("bob@demo.test") };
	char              txid[QUEUE_TXID];

	(void)arg;
	while (atomic_fetch_sub(&run.left, 1) > 0) {
		struct queue_submit_request body = {
			.txid = { txid, sizeof(txid) }, .from = STR("alice@far.test"), .rcpts = &rcpt, .rcpt_count = 1,
			.session = STR("s1"), .peer = STR("192.0.2.1"), .received_ms = clock_wall_ms(),
			.size = run.content.n, .content = run.content, .spool = -1,
		};
		struct request r = { { .id = IPC_QUEUE_SUBMIT, .body = &body, .arena = arena_new(NULL) },
				     PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };

		random_octets(txid, sizeof(txid));
		queue_submit(run.q, &r.public);
		pthread_mutex_lock(&r.lock);
		while (!r.over)
			pthread_cond_wait(&r.cond, &r.lock);
		pthread_mutex_unlock(&r.lock);
	}
	return NULL;
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void measure(int callers, long messages)
{
	pthread_t                threads[100];
	int64_t                  start = clock_mono_ms(), taken;
	double                   cpu = cpu_s();
	struct queue_stats_reply s;

	atomic_store(&run.left, messages);
	for (int i = 0; i < callers; i++)
		pthread_create(&threads[i], NULL, caller_main, NULL);
	for (int i = 0; i < callers; i++)
		pthread_join(threads[i], NULL);
	taken = clock_mono_ms();
	do {
		usleep(2000);
		if (queue_stats(run.q, &s) != ST_OK)
			exit(1);
	} while (s.messages > 0);
	cpu = cpu_s() - cpu;
	printf("%3d callers: %6.0f taken/s, all gone after %5lld ms, %5.1f us CPU whole per message\n", callers,
	       (double)messages * 1000 / (double)(taken - start + 1), (long long)(clock_mono_ms() - start), cpu * 1e6 / (double)messages);
}

static long resident_kib(void)
{
	long  pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%*s %ld", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * 4;
}

static int restart(struct queue_options *o, long messages)
{
	pthread_t threads[100];
	int64_t   start;

	atomic_store(&run.left, messages);
	for (size_t i = 0; i < LEN(threads); i++)
		pthread_create(&threads[i], NULL, caller_main, NULL);
	for (size_t i = 0; i < LEN(threads); i++)
		pthread_join(threads[i], NULL);
	queue_stop(run.q);
	queue_close(&run.q);
	start = clock_mono_ms();
	if (queue_open(o, &run.q) != ST_OK)
		return 1;
	printf("%ld messages: open after %lld ms", messages, (long long)(clock_mono_ms() - start));
	queue_start(run.q, (struct ipc *)&run);
	usleep(1000000);
	printf(", %llu in memory, %ld KiB resident\n", (unsigned long long)atomic_load(&run.q->active_count), resident_kib());
	queue_stop(run.q);
	queue_close(&run.q);
	return 0;
}

int main(int argc, char **argv)
{
	const char          *dir = argc > 1 ? argv[1] : "/tmp/postrider-bench-queue";
	long                 messages = argc > 2 ? atol(argv[2]) : 20000;
	size_t               octets = argc > 3 ? (size_t)atol(argv[3]) : 10240;
	struct queue_options o = { .hostname = STR("bench.test"), .watermark_octets = 1, .watermark_percent = 1 };
	char                *content = malloc(octets);

	memset(content, 'x', octets);
	memcpy(content, "From: a\r\n\r\n", 11);
	run.content = str_n(content, octets);
	log_set_level(LOG_LEVEL_WARN);
	db_init();
	if (disk_exists(AT_FDCWD, dir) && disk_remove_dir(AT_FDCWD, dir) != ST_OK)
		return 1;
	if (disk_make_dir(AT_FDCWD, dir) != ST_OK || disk_open(AT_FDCWD, dir, DISK_READ, &o.dir) != ST_OK ||
	    db_root("queue", o.dir) != ST_OK || queue_open(&o, &run.q) != ST_OK)
		return 1;
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		pthread_t t;

		peers[i] = (struct peer){ PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, &peers[i].first };
		if (i == ROLE_AUTH || i == ROLE_LOCAL)
			pthread_create(&t, NULL, peer_main, &peers[i]);
	}
	silent = argc > 4;
	queue_start(run.q, (struct ipc *)&run);
	if (silent)
		return restart(&o, messages) || disk_remove_dir(AT_FDCWD, dir) != ST_OK;
	measure(1, messages / 20);
	measure(20, messages);
	measure(100, messages);
	queue_stop(run.q);
	queue_close(&run.q);
	return disk_remove_dir(AT_FDCWD, dir) != ST_OK;
}
