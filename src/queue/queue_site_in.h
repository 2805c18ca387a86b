/* queue/queue_site_in.h - the destinations' own files: queue_site.c (what happens to one), queue_sites.c (all of them).
 *
 * Everything here is under sites->lock, except what a job carries out of it.
 */
#ifndef QUEUE_QUEUE_SITE_IN_H
#define QUEUE_QUEUE_SITE_IN_H

#include "queue/queue_in.h"
#include "queue/queue_line.h"
#include "queue/queue_pace.h"
#include "queue/queue_site.h"

#define SITE_LAST_MAX 300u

struct queue_site_ring { /* a list, with a head */
	struct queue_site_ring *before, *after;
};

struct queue_site {
	struct queue_wait      turn; /* in sites->turns, while it may start one: with priority and lane of its next job */
	struct queue_site_ring ring; /* in one of sites->idle, later, stalled; or alone */
	struct queue_line      line; /* its jobs */
	uint64_t               key;  /* which process of remote */
	enum queue_site_state  state;
	struct queue_pace      pace;
	struct queue_rate      rate;
	unsigned               now;
	unsigned               lone;     /* beside these: by way of f_lone_remote, under way or in line there */
	bool                   answered; /* at any time */
	bool                   leaving;  /* its line is being sent away: it is not forgotten */
	unsigned               deaths;   /* in a row */
	int64_t                since, until; /* queue time: dead since, tried again at */
	int64_t               *slots;    /* of each lane: when its latest message was told to come back, us of queue time. NULL: none was */
	int64_t                took_ms;  /* a delivery, smoothed */
	uint64_t               delivered, deferred, refused;
	int64_t                last_ms;
	size_t                 last_n;
	char                   last[SITE_LAST_MAX];
	size_t                 name_n;
	char                   name[]; /* "": what finds no place among the sites */
};

struct queue_sites {
	struct queue          *q;
	pthread_mutex_t        lock;
	unsigned               now, max;
	unsigned               doubtful; /* of them to destinations that never answered, or failed last */
	bool                   pumping;
	struct queue_line      turns; /* sites that may start a job now */
	struct map             map;   /* by name */
	struct queue_site_ring idle;    /* nothing waits, nothing is under way; the first for the longest */
	struct queue_site_ring later;   /* wait for their rate */
	struct queue_site_ring stalled; /* wait because too many are doubtful */
	struct queue_site     *crowd;
	atomic_int_fast64_t    wake; /* queue time: the first of `later` may go on */
};

/* ---- queue_sites.c ---- */
struct queue_site *queue_sites_get(struct queue_sites *all, struct str name);
void               queue_site_unlist(struct queue_site *s);
void               queue_site_list(struct queue_site_ring *head, struct queue_site *s); /* at the end */
struct str         queue_site_said(const struct queue_site *s);

/* ---- queue_site.c ---- */
/* It has changed: is it its turn, or what does it wait for? */
void queue_site_refresh(struct queue_sites *all, struct queue_site *s);
/* Start what may start. Without the lock. */
void queue_sites_pump(struct queue_sites *all);

#endif
