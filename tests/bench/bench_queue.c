/* tests/bench/bench_queue.c - how many messages a second the queue takes and passes on, and what CPU that costs.
 *
 *   bench_queue [DIRECTORY [MESSAGES [OCTETS]]]
 *   bench_queue DIRECTORY MESSAGES OCTETS MODE
 *
 *     waiting    peers that never answer: how long a restart with so many takes
 *     deferred   so many wait for an hour: restart, and the usual measurement beside them
 *     dead       so many for one destination that does not answer, then one of the same sender for another: when that is tried
 *     sender     so many of one sender, then one of another for the same destination (1 ms each): how many before it
 *     relay      the same, as fast as it goes
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
	size_t          rcpts;
	char            address[64]; /* of the recipient; of a delivery the domain */
	char            from[64];
};

static struct peer {
	pthread_mutex_t lock;
	pthread_cond_t  cond;
	struct call    *first, **last;
} peers[ROLE_COUNT];

static bool silent, mode_slow = true;

unsigned ipc_peers(struct ipc *ipc, enum role_id role)
{
	(void)ipc, (void)role;
	return 1;
}

void ipc_cork(void) {}
void ipc_uncork(void) {}

static void copy(char to[64], struct str s)
{
	snprintf(to, 64, "%.*s", STR_FMT(s));
}

static void call_note(struct call *c, const void *request)
{
	const struct auth_resolve_request   *resolve = request;
	const struct remote_deliver_request *remote = request;

	if (c->id == IPC_AUTH_RESOLVE)
		copy(c->address, resolve->address);
	if (c->id != IPC_REMOTE_DELIVER)
		return;
	copy(c->address, remote->domain);
	copy(c->from, remote->from);
	c->rcpts = remote->rcpt_count;
}

void ipc_start(struct ipc *ipc, enum role_id role, uint64_t key, enum ipc_msg_id id, const void *request, ipc_done_fn *done, void *arg)
{
	struct peer *p = &peers[role];
	struct call *c;

	(void)ipc, (void)key;
	if (silent)
		return;
	c = calloc(1, sizeof(*c));
	*c = (struct call){ .done = done, .arg = arg, .id = id };
	call_note(c, request);
	pthread_mutex_lock(&p->lock);
	*p->last = c;
	p->last = &c->next;
	pthread_cond_signal(&p->cond);
	pthread_mutex_unlock(&p->lock);
}

static struct {
	atomic_long  others;  /* deliveries to other hosts, before the one that is looked for */
	atomic_llong started; /* mono_ms, when that was asked for */
} seen;

static void answer_remote(struct call *c)
{
	bool                        dead = strcmp(c->address, "dead.test") == 0;
	struct remote_rcpt_result   result = { 0, dead ? REMOTE_DEFERRED : REMOTE_DELIVERED, dead ? STR("4.4.1") : STR("2.0.0"), STR("Said so") };
	struct remote_deliver_reply reply = { &result, 1, dead ? REMOTE_SITE_TROUBLE : REMOTE_SITE_ANSWERED };

	if (!dead && strcmp(c->from, "one@one.test") == 0)
		atomic_store(&seen.started, clock_mono_ms());
	else if (atomic_load(&seen.started) == 0)
		atomic_fetch_add(&seen.others, 1);
	if (mode_slow)
		usleep(1000);
	c->done(c->arg, ST_OK, &reply);
}

static void answer(struct call *c)
{
	struct auth_target         here = { 5, str_of(c->address) }, away = { 0, str_of(c->address) };
	bool                       local = strstr(c->address, "@demo.test") != NULL;
	struct auth_resolve_reply  resolved = { local ? &here : &away, 1 };
	struct local_deliver_reply delivered = { LOCAL_DELIVERED, STR(""), STR("") };

	if (c->id == IPC_REMOTE_DELIVER)
		answer_remote(c);
	else
		c->done(c->arg, ST_OK, c->id == IPC_AUTH_RESOLVE ? (void *)&resolved : (void *)&delivered);
	free(c);
}

static void *peer_main(void *arg)
{
	struct peer              *p = arg;

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
			answer(c);
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
	const char   *from, *to;      /* of all; from NULL: each of another domain */
	int64_t       hold_until_ms;
} run = { .from = "alice@far.test", .to = "bob@demo.test" };

static void *caller_main(void *arg)
{
	struct queue_rcpt rcpt = { str_of(run.to) };
	char              txid[QUEUE_TXID], from[64];
	long              n;

	(void)arg;
	while ((n = atomic_fetch_sub(&run.left, 1)) > 0) {
		snprintf(from, sizeof(from), "a@d%ld.test", n);

		struct queue_submit_request body = {
			.txid = { txid, sizeof(txid) }, .from = str_of(run.from ? run.from : from), .rcpts = &rcpt, .rcpt_count = 1,
			.session = STR("s1"), .peer = STR("192.0.2.1"), .received_ms = clock_wall_ms(),
			.size = run.content.n, .content = run.content, .spool = -1, .hold_until_ms = run.hold_until_ms,
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

static void submit(int callers, long messages)
{
	pthread_t threads[100];

	atomic_store(&run.left, messages);
	for (int i = 0; i < callers; i++)
		pthread_create(&threads[i], NULL, caller_main, NULL);
	for (int i = 0; i < callers; i++)
		pthread_join(threads[i], NULL);
}

/* `left`: messages that stay. */
static void measure(int callers, long messages, uint64_t left)
{
	int64_t                  start = clock_mono_ms(), taken;
	double                   cpu = cpu_s();
	struct queue_stats_reply s;

	submit(callers, messages);
	taken = clock_mono_ms();
	do {
		usleep(2000);
		if (queue_stats(run.q, &s) != ST_OK)
			exit(1);
	} while (s.messages > left);
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

static int reopen(struct queue_options *o, long messages)
{
	int64_t start = clock_mono_ms();

	queue_stop(run.q);
	queue_close(&run.q);
	printf("%ld messages: closed after %lld ms", messages, (long long)(clock_mono_ms() - start));
	start = clock_mono_ms();
	if (queue_open(o, &run.q) != ST_OK)
		return 1;
	printf(", open after %lld ms", (long long)(clock_mono_ms() - start));
	queue_start(run.q, (struct ipc *)&run);
	return 0;
}

static int restart(struct queue_options *o, long messages)
{
	submit(100, messages);
	if (reopen(o, messages))
		return 1;
	usleep(1000000);
	printf(", %llu in memory, %ld KiB resident\n", (unsigned long long)atomic_load(&run.q->active_count), resident_kib());
	return 0;
}

static int deferred(struct queue_options *o, long messages)
{
	int64_t start = clock_mono_ms();

	run.from = NULL;
	run.hold_until_ms = clock_wall_ms() + 24 * 3600 * 1000;
	submit(100, messages);
	printf("%ld taken in %lld ms\n", messages, (long long)(clock_mono_ms() - start));
	run.from = "alice@far.test";
	run.hold_until_ms = 0;
	if (reopen(o, messages))
		return 1;
	start = clock_mono_ms();
	measure(1, 1, (uint64_t)messages);
	printf("  the first delivery %lld ms after that; %ld KiB resident\n", (long long)(clock_mono_ms() - start), resident_kib());
	measure(20, 20000, (uint64_t)messages);
	measure(100, 20000, (uint64_t)messages);
	return 0;
}

static int late_one(const char *first, const char *to_many, const char *to_one, long messages)
{
	int64_t start;

	run.from = first;
	run.to = to_many;
	submit(100, messages);
	start = clock_mono_ms();
	run.from = "one@one.test";
	run.to = to_one;
	atomic_store(&seen.others, 0);
	submit(1, 1);
	printf("%ld messages to %s; taken in %lld ms", messages, to_many, (long long)(clock_mono_ms() - start));
	while (atomic_load(&seen.started) == 0)
		usleep(500);
	printf(", tried after %lld ms and %ld others; %ld KiB resident\n", (long long)(atomic_load(&seen.started) - start),
	       atomic_load(&seen.others), resident_kib());
	if (strcmp(to_many, to_one) != 0 && strstr(to_many, "dead"))
		return 0;
	while (atomic_load(&run.q->messages) > 0)
		usleep(2000);
	printf("  all gone %lld ms after that\n", (long long)(clock_mono_ms() - start));
	return 0;
}

static int mode_run(const char *mode, struct queue_options *o, long messages)
{
	if (strcmp(mode, "waiting") == 0)
		return restart(o, messages);
	if (strcmp(mode, "deferred") == 0)
		return deferred(o, messages);
	if (strcmp(mode, "dead") == 0)
		return late_one("one@one.test", "x@dead.test", "x@live.test", messages);
	mode_slow = strcmp(mode, "sender") == 0;
	return late_one("many@many.test", "x@live.test", "y@live.test", messages);
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
		if (i == ROLE_AUTH || i == ROLE_LOCAL || i == ROLE_REMOTE)
			pthread_create(&t, NULL, peer_main, &peers[i]);
	}
	silent = argc > 4 && strcmp(argv[4], "waiting") == 0;
	queue_start(run.q, (struct ipc *)&run);
	if (argc > 4) {
		if (mode_run(argv[4], &o, messages))
			return 1;
	} else {
		measure(1, messages / 20, 0);
		measure(20, messages, 0);
		measure(100, messages, 0);
	}
	queue_stop(run.q);
	queue_close(&run.q);
	return disk_remove_dir(AT_FDCWD, dir) != ST_OK;
}
