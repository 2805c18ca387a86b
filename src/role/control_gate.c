/* role/control_gate.c - see control_gate.h.
 *
 * A bucket per user: full it holds LIMIT_SUBMIT_RATE messages and fills in a minute. When the table is full, the user gives way who
 * was here longest ago and has no connection: LIMIT_SUBMIT_CONNECTIONS is less than its size, so there is one.
 */
#include "role/control_gate.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/limits.h"

#define MINUTE_MS ((int64_t)60000)
_Static_assert(LIMIT_SUBMIT_CONNECTIONS < LIMIT_SUBMIT_USERS, "a free row can always be made");

struct user {
	bool     used;
	uint32_t uid;
	unsigned connections;
	int64_t  left;    /* messages times MINUTE_MS */
	int64_t  seen_ms; /* `left` is as of then */
	uint64_t order;   /* of the last visit */
};

struct control_gate {
	pthread_mutex_t lock;
	unsigned        connections;
	uint64_t        visits;
	struct user     users[LIMIT_SUBMIT_USERS];
};

struct control_gate *control_gate_new(void)
{
	struct control_gate *g = calloc(1, sizeof(*g));

	CHECK(g);
	pthread_mutex_init(&g->lock, NULL);
	return g;
}

void control_gate_free(struct control_gate **g)
{
	if (*g)
		pthread_mutex_destroy(&(*g)->lock);
	free(*g);
	*g = NULL;
}

static struct user *user_get(struct control_gate *g, uint32_t uid)
{
	struct user *oldest = NULL;

	for (size_t i = 0; i < LEN(g->users); i++) {
		struct user *u = &g->users[i];

		if (u->used && u->uid == uid) {
			u->order = ++g->visits;
			return u;
		}
		if (u->connections == 0 && (!oldest || (oldest->used && (!u->used || u->order < oldest->order))))
			oldest = u;
	}
	CHECK(oldest);
	*oldest = (struct user){ .used = true, .uid = uid, .left = LIMIT_SUBMIT_RATE * MINUTE_MS, .order = ++g->visits };
	return oldest;
}

bool control_gate_enter(struct control_gate *g, uint32_t uid)
{
	bool ok = false;

	pthread_mutex_lock(&g->lock);
	if (g->connections < LIMIT_SUBMIT_CONNECTIONS) {
		struct user *u = user_get(g, uid);

		ok = uid == 0 || u->connections < LIMIT_SUBMIT_PER_UID;
		u->connections += ok;
		g->connections += ok;
	}
	pthread_mutex_unlock(&g->lock);
	return ok;
}

void control_gate_leave(struct control_gate *g, uint32_t uid)
{
	struct user *u;

	pthread_mutex_lock(&g->lock);
	u = user_get(g, uid);
	CHECK(u->connections > 0 && g->connections > 0);
	u->connections--;
	g->connections--;
	pthread_mutex_unlock(&g->lock);
}

bool control_gate_message(struct control_gate *g, uint32_t uid, int64_t now_ms)
{
	struct user *u;
	int64_t      since;
	bool         ok;

	if (uid == 0)
		return true;
	pthread_mutex_lock(&g->lock);
	u = user_get(g, uid);
	since = MIN(MAX(now_ms - u->seen_ms, 0), MINUTE_MS);
	u->left = MIN(u->left + since * LIMIT_SUBMIT_RATE, LIMIT_SUBMIT_RATE * MINUTE_MS);
	u->seen_ms = now_ms;
	ok = u->left >= MINUTE_MS;
	if (ok)
		u->left -= MINUTE_MS;
	pthread_mutex_unlock(&g->lock);
	return ok;
}
