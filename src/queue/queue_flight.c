/* queue/queue_flight.c - so many jobs at once, the others by priority and in order of arrival.
 *
 * With a limit for each key (the next hop), a dead destination holds its share of places and a bounded line of waiting
 * jobs; what is beyond is not taken, and its messages give their place in memory to others.
 *
 * A job may end inside its own start (the channel refused it), which would start the next from within: `pumping` makes whoever
 * is already starting jobs go on, so the stack does not grow.
 */
#include "queue/queue_in.h"

#define WAITING_FACTOR 10 /* jobs of one key that may wait, for each that may be under way */

void queue_flight_init(struct queue_flight *f, unsigned max, unsigned key_max)
{
	*f = (struct queue_flight){ .max = max, .key_max = key_max };
	pthread_mutex_init(&f->lock, NULL);
	f->last = &f->first;
}

void queue_flight_done(struct queue_flight *f)
{
	pthread_mutex_destroy(&f->lock);
}

void queue_flight_close(struct queue_flight *f)
{
	pthread_mutex_lock(&f->lock);
	f->max = 0;
	pthread_mutex_unlock(&f->lock);
}

static struct queue_flight_key *bucket(struct queue_flight *f, const struct queue_job *job)
{
	return &f->keys[job->key % QUEUE_FLIGHT_KEYS];
}

/* The first job whose destination has a place; under the lock. */
static struct queue_job *take(struct queue_flight *f)
{
	struct queue_job **at = &f->first, *job;

	if (f->now >= f->max)
		return NULL;
	while ((job = *at) != NULL && f->key_max && bucket(f, job)->now >= f->key_max)
		at = &job->next;
	if (!job)
		return NULL;
	*at = job->next;
	if (!job->next)
		f->last = at;
	f->now++;
	bucket(f, job)->now++;
	bucket(f, job)->waiting--;
	f->odd -= job->priority != 0;
	return job;
}

static void pump(struct queue_flight *f)
{
	struct queue_job *job;

	pthread_mutex_lock(&f->lock);
	if (!f->pumping) {
		f->pumping = true;
		while ((job = take(f)) != NULL) {
			pthread_mutex_unlock(&f->lock);
			job->start(job);
			pthread_mutex_lock(&f->lock);
		}
		f->pumping = false;
	}
	pthread_mutex_unlock(&f->lock);
}

/* Behind those of its priority; nearly always at the end. */
static void put(struct queue_flight *f, struct queue_job *job)
{
	struct queue_job **at = f->last;

	if (f->odd || job->priority)
		for (at = &f->first; *at && (*at)->priority >= job->priority;)
			at = &(*at)->next;
	job->next = *at;
	*at = job;
	if (!job->next)
		f->last = &job->next;
	f->odd += job->priority != 0;
}

bool queue_flight_add(struct queue_flight *f, struct queue_job *job)
{
	bool taken;

	job->next = NULL;
	job->flight = f;
	pthread_mutex_lock(&f->lock);
	taken = f->key_max == 0 || bucket(f, job)->waiting < f->key_max * WAITING_FACTOR;
	if (taken) {
		put(f, job);
		bucket(f, job)->waiting++;
	}
	pthread_mutex_unlock(&f->lock);
	if (taken)
		pump(f);
	return taken;
}

void queue_flight_end(struct queue_job *job)
{
	struct queue_flight *f = job->flight;

	pthread_mutex_lock(&f->lock);
	f->now--;
	bucket(f, job)->now--;
	pthread_mutex_unlock(&f->lock);
	pump(f);
}
