/* store/store_session.c - which accounts have sessions in this process; see store.h.
 *
 *   entered (count > 0) --last one leaves--> left (since left_ms) --STORE_LINGER_MS--> forgotten: its handles are closed
 *                       <------enters-------
 *
 * Kept by keeper, a handle is all that this process can do with an account, so it goes with the sessions; not at once, because clients that
 * come back in a moment are many, and opening, with the sync before the last descriptor goes, is dear.
 */
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"
#include "sys/clock.h"

struct entered {
	uint64_t            account;
	unsigned            count;
	int64_t             left_ms;
	struct store_entry *entries; /* the newest first */
};

struct store_entry {
	struct entered     *in;
	struct store_entry *next, **at; /* at: what points here */
	char                token[LIMIT_TOKEN];
};

static struct entered *entered_get(struct store *s, uint64_t account)
{
	struct entered *e = map_find_u64(&s->entered, account);

	if (!e) {
		e = calloc(1, sizeof(*e));
		CHECK(e);
		e->account = account;
		map_put_u64(&s->entered, account, e);
	}
	return e;
}

struct store_entry *store_enter(struct store *s, uint64_t account, struct str token)
{
	struct store_entry *n = calloc(1, sizeof(*n));

	CHECK(n && account > 0 && account <= INT64_MAX);
	if (token.n > 0)
		memcpy(n->token, token.p, MIN(token.n, sizeof(n->token)));
	pthread_mutex_lock(&s->lock);
	n->in = entered_get(s, account);
	n->in->count++;
	n->next = n->in->entries;
	if (n->next)
		n->next->at = &n->next;
	n->at = &n->in->entries;
	n->in->entries = n;
	pthread_mutex_unlock(&s->lock);
	return n;
}

struct str store_entry_token(const struct store_entry *entry)
{
	return str_n(entry->token, sizeof(entry->token));
}

void store_leave(struct store *s, struct store_entry **entry)
{
	struct store_entry *n = *entry;

	*entry = NULL;
	if (!n)
		return;
	pthread_mutex_lock(&s->lock);
	*n->at = n->next;
	if (n->next)
		n->next->at = n->at;
	if (--n->in->count == 0)
		n->in->left_ms = clock_mono_ms();
	pthread_mutex_unlock(&s->lock);
	explicit_bzero(n, sizeof(*n));
	free(n);
}

bool store_token(struct store *s, uint64_t account, char ret[LIMIT_TOKEN])
{
	struct entered *e;
	bool            has;

	pthread_mutex_lock(&s->lock);
	e = map_find_u64(&s->entered, account);
	has = e && e->entries;
	if (has)
		memcpy(ret, e->entries->token, LIMIT_TOKEN);
	pthread_mutex_unlock(&s->lock);
	return has;
}

bool store_here(struct store *s, uint64_t account)
{
	return !s->keeper || map_find_u64(&s->entered, account);
}

/* One that is due, taken out of the map: 0 if there is none. */
static uint64_t due(struct store *s, int64_t until_ms)
{
	size_t     at = 0;
	struct str key;
	void      *value;
	uint64_t   account = 0;

	pthread_mutex_lock(&s->lock);
	while (account == 0 && map_next(&s->entered, &at, &key, &value)) {
		struct entered *e = value;

		if (e->count > 0 || e->left_ms > until_ms)
			continue;
		account = e->account;
		map_remove_u64(&s->entered, account);
		free(e);
	}
	pthread_mutex_unlock(&s->lock);
	return account;
}

void store_forget(struct store *s, int64_t linger_ms)
{
	uint64_t account;

	store_views_expire(s);
	while ((account = due(s, clock_mono_ms() - linger_ms)) != 0)
		store_idle_drop(s, account, true);
}

void store_entered_done(struct store *s)
{
	size_t     at = 0;
	struct str key;
	void      *value;

	while (map_next(&s->entered, &at, &key, &value)) {
		CHECK(((struct entered *)value)->count == 0);
		free(value);
	}
	map_done(&s->entered);
}
