/* directory/probe_known.c - see probe_known.h. */
#include "directory/probe_known.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"

#define HOUR_MS       ((int64_t)3600 * 1000)
#define DAY_MS        (24 * HOUR_MS)
#define EXISTS_MS     (31 * DAY_MS)
#define EXISTS_NEW_MS (7 * DAY_MS)
#define UNKNOWN_MS    (3 * DAY_MS)
#define UNKNOWN_NEW_MS (3 * HOUR_MS)
#define LATER_MS      ((int64_t)60 * 1000)

struct entry {
	struct entry     *newer, *older;
	enum probe_answer answer; /* EXISTS or UNKNOWN, or ASK: nothing is known but `later_ms` */
	int64_t           at_ms;
	int64_t           later_ms; /* until then the host is not asked */
	size_t            n;
	char              key[]; /* the address, or "@domain" */
};

struct probe_known {
	pthread_mutex_t lock;
	struct map      map;
	struct entry   *newest, *oldest;
	size_t          max;
};

struct probe_known *probe_known_new(size_t entries_max)
{
	struct probe_known *p = calloc(1, sizeof(*p));

	CHECK(p != NULL && entries_max > 1 && pthread_mutex_init(&p->lock, NULL) == 0);
	map_init(&p->map);
	p->max = entries_max;
	return p;
}

static void unlink_entry(struct probe_known *p, struct entry *e)
{
	*(e->newer != NULL ? &e->newer->older : &p->newest) = e->older;
	*(e->older != NULL ? &e->older->newer : &p->oldest) = e->newer;
	e->newer = e->older = NULL;
}

static void link_entry(struct probe_known *p, struct entry *e)
{
	e->older = p->newest;
	*(p->newest != NULL ? &p->newest->newer : &p->oldest) = e;
	p->newest = e;
}

static void drop(struct probe_known *p, struct entry *e)
{
	unlink_entry(p, e);
	map_remove(&p->map, str_n(e->key, e->n));
	free(e);
}

void probe_known_free(struct probe_known **at)
{
	struct probe_known *p = *at;

	if (p == NULL)
		return;
	*at = NULL;
	while (p->newest != NULL)
		drop(p, p->newest);
	map_done(&p->map);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static struct str domain_key(struct str address)
{
	return str_from(address, (size_t)MAX(str_rfind(address, '@'), 0));
}

static struct entry *find(struct probe_known *p, struct str key)
{
	struct entry *e = map_find(&p->map, key);

	if (e != NULL) {
		unlink_entry(p, e);
		link_entry(p, e);
	}
	return e;
}

static struct entry *make(struct probe_known *p, struct str key)
{
	struct entry *e = find(p, key);

	if (e != NULL)
		return e;
	if (p->map.count >= p->max)
		drop(p, p->oldest);
	e = calloc(1, sizeof(*e) + key.n);
	CHECK(e != NULL);
	e->answer = PROBE_ASK;
	e->n = key.n;
	for (size_t i = 0; i < key.n; i++)
		e->key[i] = key.p[i];
	link_entry(p, e);
	map_put(&p->map, key, e);
	return e;
}

/* What the entry still says; *ret_fresh: the host need not be asked again. */
static enum probe_answer known(const struct entry *e, int64_t now_ms, bool *ret_fresh)
{
	*ret_fresh = false;
	if (e == NULL || e->answer == PROBE_ASK ||
	    now_ms - e->at_ms >= (e->answer == PROBE_EXISTS ? EXISTS_MS : UNKNOWN_MS))
		return PROBE_ASK;
	*ret_fresh = now_ms - e->at_ms < (e->answer == PROBE_EXISTS ? EXISTS_NEW_MS : UNKNOWN_NEW_MS);
	return e->answer;
}

enum probe_answer probe_known_find(struct probe_known *p, struct str address, int64_t now_ms)
{
	struct entry     *e, *domain;
	enum probe_answer answer;
	bool              fresh, wait;

	pthread_mutex_lock(&p->lock);
	domain = find(p, domain_key(address));
	e = find(p, address);
	answer = known(e, now_ms, &fresh);
	wait = (e != NULL && now_ms < e->later_ms) || (domain != NULL && now_ms < domain->later_ms);
	pthread_mutex_unlock(&p->lock);
	if (fresh)
		return answer;
	if (!wait)
		return PROBE_ASK;
	return answer != PROBE_ASK ? answer : PROBE_LATER;
}

enum probe_answer probe_known_put(struct probe_known *p, struct str address, enum auth_probe result, int64_t now_ms)
{
	enum probe_answer answer;
	struct entry     *e;
	bool              fresh;

	pthread_mutex_lock(&p->lock);
	switch (result) {
	case AUTH_PROBE_EXISTS:
	case AUTH_PROBE_UNKNOWN:
		e = make(p, address);
		e->answer = result == AUTH_PROBE_EXISTS ? PROBE_EXISTS : PROBE_UNKNOWN;
		e->at_ms = now_ms;
		e->later_ms = 0;
		break;
	case AUTH_PROBE_LATER: make(p, address)->later_ms = now_ms + LATER_MS; break;
	case AUTH_PROBE_UNREACHABLE: make(p, domain_key(address))->later_ms = now_ms + LATER_MS; break;
	case AUTH_PROBE_SKIPPED: break;
	}
	answer = known(map_find(&p->map, address), now_ms, &fresh);
	pthread_mutex_unlock(&p->lock);
	return answer != PROBE_ASK ? answer : PROBE_LATER;
}

void probe_known_forget(struct probe_known *p, struct str domain)
{
	struct entry *e, *older;

	pthread_mutex_lock(&p->lock);
	for (e = p->newest; e != NULL; e = older) {
		older = e->older;
		if (str_eq(str_from(domain_key(str_n(e->key, e->n)), 1), domain))
			drop(p, e);
	}
	pthread_mutex_unlock(&p->lock);
}

size_t probe_known_count(struct probe_known *p)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = p->map.count;
	pthread_mutex_unlock(&p->lock);
	return n;
}
