/* directory/lane.c - see lane.h. */
#include "directory/lane.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/map.h"

struct lane {
	pthread_mutex_t  lock;
	pthread_cond_t   wake;
	struct lane_job *first, **last;
	struct lane_job **last_favoured; /* where the next favoured one goes */
	unsigned         waiting, backlog, reserve, share, threads;
	struct map       sources; /* how many jobs each has, waiting and running; absent: none */
	bool             ending;
	pthread_t        thread[LIMIT_HASH_THREADS];
};

static uintptr_t source_count(struct lane *l, uint64_t source)
{
	return (uintptr_t)map_find_u64(&l->sources, source);
}

static void source_set(struct lane *l, uint64_t source, uintptr_t count)
{
	if (source == LANE_NO_SOURCE)
		return;
	if (count > 0)
		map_put_u64(&l->sources, source, (void *)count);
	else
		map_remove_u64(&l->sources, source);
}

/* The next job, or NULL when the lane ends. */
static struct lane_job *take(struct lane *l)
{
	struct lane_job *job;

	while (l->first == NULL && !l->ending)
		pthread_cond_wait(&l->wake, &l->lock);
	job = l->first;
	if (job != NULL) {
		l->first = job->next;
		if (l->last == &job->next)
			l->last = &l->first;
		if (l->last_favoured == &job->next)
			l->last_favoured = &l->first;
		l->waiting--;
	}
	return job;
}

static void *lane_main(void *arg)
{
	struct lane     *l = arg;
	struct lane_job *job;

	pthread_mutex_lock(&l->lock);
	while ((job = take(l)) != NULL) {
		uint64_t source = job->source;

		pthread_mutex_unlock(&l->lock);
		job->run(job);
		pthread_mutex_lock(&l->lock);
		source_set(l, source, source_count(l, source) - 1);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

struct lane *lane_new(unsigned threads, unsigned backlog, unsigned reserve, unsigned share)
{
	struct lane *l = calloc(1, sizeof(*l));

	CHECK(l != NULL && threads > 0 && threads <= LIMIT_HASH_THREADS);
	CHECK(pthread_mutex_init(&l->lock, NULL) == 0 && pthread_cond_init(&l->wake, NULL) == 0);
	l->last = l->last_favoured = &l->first;
	l->backlog = backlog;
	l->reserve = reserve;
	l->share = share;
	map_init(&l->sources);
	for (; l->threads < threads; l->threads++)
		CHECK(pthread_create(&l->thread[l->threads], NULL, lane_main, l) == 0);
	return l;
}

void lane_free(struct lane **lane)
{
	struct lane *l = *lane;

	if (l == NULL)
		return;
	pthread_mutex_lock(&l->lock);
	l->ending = true;
	pthread_cond_broadcast(&l->wake);
	pthread_mutex_unlock(&l->lock);
	for (unsigned i = 0; i < l->threads; i++)
		pthread_join(l->thread[i], NULL);
	map_done(&l->sources);
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
	free(l);
	*lane = NULL;
}

static void append(struct lane *l, struct lane_job *job)
{
	struct lane_job **at = job->favoured ? l->last_favoured : l->last;

	job->next = *at;
	*at = job;
	if (l->last == at)
		l->last = &job->next;
	if (job->favoured)
		l->last_favoured = &job->next;
	l->waiting++;
}

enum status lane_submit(struct lane *l, struct lane_job *job)
{
	enum status st = ST_OK;
	unsigned    most = l->backlog + (job->favoured ? l->reserve : 0);
	uintptr_t   count;

	pthread_mutex_lock(&l->lock);
	count = source_count(l, job->source);
	if (l->waiting >= most || (job->source != LANE_NO_SOURCE && count >= l->share)) {
		st = ST_BUSY;
	} else {
		source_set(l, job->source, count + 1);
		append(l, job);
		pthread_cond_signal(&l->wake);
	}
	pthread_mutex_unlock(&l->lock);
	return st;
}
