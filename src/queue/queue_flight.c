/* queue/queue_flight.c - so many jobs at once, the others in a line (queue_line.h).
 *
 * A job may end inside its own start (the channel refused it), which would start the next from within: `pumping` makes whoever
 * is already starting jobs go on, so the stack does not grow.
 */
#include "queue/queue_in.h"

void queue_flight_init(struct queue_flight *f, unsigned max)
{
	*f = (struct queue_flight){ .max = max };
	pthread_mutex_init(&f->lock, NULL);
}

void queue_flight_done(struct queue_flight *f)
{
	queue_line_done(&f->line);
	pthread_mutex_destroy(&f->lock);
}

void queue_flight_close(struct queue_flight *f)
{
	pthread_mutex_lock(&f->lock);
	f->max = 0;
	pthread_mutex_unlock(&f->lock);
}

/* Under the lock. */
static struct queue_job *take(struct queue_flight *f)
{
	struct queue_wait *w = f->now < f->max ? queue_line_take(&f->line) : NULL;

	if (!w)
		return NULL;
	f->now++;
	return CONTAINER_OF(w, struct queue_job, wait);
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

void queue_flight_add(struct queue_flight *f, struct queue_job *job)
{
	job->flight = f;
	pthread_mutex_lock(&f->lock);
	queue_line_put(&f->line, &job->wait, false);
	pthread_mutex_unlock(&f->lock);
	pump(f);
}

void queue_flight_end(struct queue_job *job)
{
	struct queue_flight *f = job->flight;

	pthread_mutex_lock(&f->lock);
	f->now--;
	pthread_mutex_unlock(&f->lock);
	pump(f);
}

void queue_job_end(struct queue_job *job)
{
	struct queue_msg *m = job->msg;

	queue_flight_end(job);
	queue_round_step(m);
}
