/* deliver/remote_tlsrpt.c - contract is in remote_tlsrpt.h.
 *
 * A row is found by all its fields but the count, written one behind the other. When memory is full a row loses its details, then its policy,
 * then its domain: so what is counted is always right in sum, and memory has an end, whatever names peers choose.
 */
#include "deliver/remote_tlsrpt.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "deliver/remote.h"
#include "sys/clock.h"
#include "wire/address/address.h"

#define FLUSH_MS 10000
#define DAY_MS   ((int64_t)24 * 3600 * 1000)
#define KEY_MAX  (8 * KIB)
/* Rows that are counted without details find room behind the limit: results, policies, and days around midnight. */
#define FOLDED   ((size_t)(TLSRPT_RESULT_LAST + 1) * (TLSRPT_POLICY_LAST + 1) * 3)

struct counted {
	struct arena     *arena; /* of the row's slices */
	struct tlsrpt_row row;
};

struct remote_tlsrpt {
	struct remote_tlsrpt_options options;
	pthread_mutex_t              lock, sending; /* `sending` first */
	pthread_cond_t               wake;
	struct map                   rows;
	bool                         stopping, threaded;
	pthread_t                    thread;
};

/* ---- rows ---- */

static bool key_print(struct buf *b, const struct tlsrpt_row *r)
{
	const struct tlsrpt_failure *f = &r->f;
	const struct str             parts[] = { r->domain, r->policy_text, f->sending_ip, f->mx_host, f->mx_helo, f->receiving_ip, f->reason };

	buf_add_be(b, r->day, 4);
	buf_add_be(b, (uint64_t)r->policy, 1);
	buf_add_be(b, (uint64_t)f->result, 1);
	for (size_t i = 0; i < LEN(parts); i++) {
		buf_add_be(b, parts[i].n, 4);
		buf_add(b, parts[i]);
	}
	return !b->over;
}

static struct counted *row_new(const struct tlsrpt_row *r)
{
	struct arena   *a = arena_new(NULL);
	struct counted *c = ARENA_NEW(a, struct counted);

	c->arena = a;
	c->row = *r;
	c->row.domain = arena_dup(a, r->domain);
	c->row.policy_text = arena_dup(a, r->policy_text);
	c->row.f.sending_ip = arena_dup(a, r->f.sending_ip);
	c->row.f.mx_host = arena_dup(a, r->f.mx_host);
	c->row.f.mx_helo = arena_dup(a, r->f.mx_helo);
	c->row.f.receiving_ip = arena_dup(a, r->f.receiving_ip);
	c->row.f.reason = arena_dup(a, r->f.reason);
	c->row.f.count = 0;
	return c;
}

static void row_free(struct counted *c)
{
	struct arena *a = c->arena; /* it holds *c too */

	arena_free(&a);
}

/* False: there is no such row, and no room for it among `limit`. */
static bool row_count(struct remote_tlsrpt *t, const struct tlsrpt_row *r, size_t limit)
{
	struct counted *c = NULL;
	struct buf      key;
	bool            fits;

	buf_init(&key, KEY_MAX);
	fits = key_print(&key, r);
	if (fits)
		c = map_find(&t->rows, buf_str(&key));
	if (fits && !c && t->rows.count < limit) {
		c = row_new(r);
		map_put(&t->rows, buf_str(&key), c);
	}
	buf_done(&key);
	if (c)
		c->row.f.count += r->f.count;
	return c != NULL;
}

/* Holds the lock. */
static void row_add(struct remote_tlsrpt *t, const struct tlsrpt_row *r)
{
	struct tlsrpt_row f = *r;

	if (row_count(t, &f, LIMIT_TLSRPT_MEMORY))
		return;
	f.f = (struct tlsrpt_failure){ .result = r->f.result, .count = r->f.count };
	if (row_count(t, &f, LIMIT_TLSRPT_MEMORY))
		return;
	f.policy_text = STR("");
	if (row_count(t, &f, LIMIT_TLSRPT_MEMORY))
		return;
	f.domain = STR(TLSRPT_OTHER);
	(void)row_count(t, &f, LIMIT_TLSRPT_MEMORY + FOLDED); /* full only if the clock runs wild */
}

/* ---- notes ---- */

/* What peers have chosen: printable ASCII, of a limited length. */
static struct str plain(struct arena *a, struct str s, size_t max)
{
	char *p = arena_cstr(a, str_first(s, max));

	for (size_t i = 0; i < MIN(s.n, max); i++)
		if (p[i] < ' ' || p[i] > '~')
			p[i] = '?';
	return str_of(p);
}

/* Whole lines only. */
static struct str lines_first(struct str text, size_t max)
{
	ptrdiff_t end;

	if (text.n <= max)
		return text;
	text = str_first(text, max);
	end = str_rfind(text, '\n');
	return str_first(text, end < 0 ? 0 : (size_t)end + 1);
}

static bool sts_trouble(const struct remote_tlsrpt_note *n)
{
	return n->policy != TLSRPT_TLSA && n->sts && n->sts->trouble != TLSRPT_SUCCESS;
}

static struct tlsrpt_row row_of(const struct remote_tlsrpt_note *n, uint32_t day, struct arena *a)
{
	struct tlsrpt_row r = { .day = day, .domain = n->domain, .policy = n->policy, .policy_text = STR("") };

	r.f = (struct tlsrpt_failure){ .result = n->result, .count = 1 };
	if (sts_trouble(n)) {
		r.policy = TLSRPT_STS;
		r.f.result = n->sts->trouble;
		return r;
	}
	if (n->policy == TLSRPT_STS && n->sts)
		r.policy_text = n->sts->text;
	else if (n->policy == TLSRPT_TLSA)
		r.policy_text = n->policy_text;
	r.policy_text = lines_first(r.policy_text, LIMIT_TLSRPT_POLICY);
	if (n->result != TLSRPT_SUCCESS) {
		r.f.sending_ip = plain(a, n->sending_ip, LIMIT_IP_TEXT);
		r.f.mx_host = plain(a, n->mx_host, LIMIT_DOMAIN);
		r.f.mx_helo = plain(a, n->mx_helo, LIMIT_DOMAIN);
		r.f.receiving_ip = plain(a, n->receiving_ip, LIMIT_IP_TEXT);
		r.f.reason = plain(a, n->reason, LIMIT_TLSRPT_REASON);
	}
	return r;
}

void remote_tlsrpt_note(const struct remote *remote, const struct remote_tlsrpt_note *note)
{
	struct remote_tlsrpt *t = remote->tlsrpt;
	struct address_canon  canon;
	struct tlsrpt_row     r;
	struct arena         *a;

	if (!t || address_domain(note->domain, &canon) != ADDRESS_OK)
		return;
	a = arena_new(NULL);
	r = row_of(note, (uint32_t)(MAX(t->options.wall_ms(), (int64_t)0) / DAY_MS), a);
	r.domain = str_n(canon.text, canon.n);
	pthread_mutex_lock(&t->lock);
	row_add(t, &r);
	pthread_mutex_unlock(&t->lock);
	arena_free(&a);
}

/* ---- sending ---- */

/* Rows leave memory before they are sent, so that nothing is counted into them meanwhile. */
static size_t rows_take(struct remote_tlsrpt *t, struct counted **taken)
{
	size_t     n = 0, at = 0;
	struct str key;
	void      *value;

	pthread_mutex_lock(&t->lock);
	while (n < LIMIT_TLSRPT_ROWS && map_next(&t->rows, &at, &key, &value)) {
		(void)map_remove(&t->rows, key);
		taken[n++] = value;
	}
	pthread_mutex_unlock(&t->lock);
	return n;
}

static void rows_back(struct remote_tlsrpt *t, struct counted **taken, size_t n)
{
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < n; i++)
		row_add(t, &taken[i]->row);
	pthread_mutex_unlock(&t->lock);
}

static bool batch(struct remote_tlsrpt *t)
{
	struct counted                 *taken[LIMIT_TLSRPT_ROWS];
	struct tlsrpt_row               rows[LIMIT_TLSRPT_ROWS];
	struct auth_tlsrpt_note_request q = { .rows = rows, .row_count = rows_take(t, taken) };
	enum status                     st = ST_OK;

	for (size_t i = 0; i < q.row_count; i++)
		rows[i] = taken[i]->row;
	if (q.row_count > 0)
		st = t->options.send(t->options.ctx, &q);
	if (st != ST_OK) {
		log_debug("tls results stay here for now", LOG_ST("status", st), LOG_U64("rows", q.row_count));
		rows_back(t, taken, q.row_count);
	}
	for (size_t i = 0; i < q.row_count; i++)
		row_free(taken[i]);
	return st == ST_OK && q.row_count > 0;
}

void remote_tlsrpt_flush(struct remote_tlsrpt *t)
{
	pthread_mutex_lock(&t->sending);
	while (batch(t))
		continue;
	pthread_mutex_unlock(&t->sending);
}

static void *flusher(void *arg)
{
	struct remote_tlsrpt *t = arg;

	pthread_mutex_lock(&t->lock);
	while (!t->stopping) {
		const struct timespec until = clock_deadline(FLUSH_MS);

		while (!t->stopping && pthread_cond_clockwait(&t->wake, &t->lock, CLOCK_MONOTONIC, &until) == 0)
			continue;
		pthread_mutex_unlock(&t->lock);
		remote_tlsrpt_flush(t);
		pthread_mutex_lock(&t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

/* ---- open, close ---- */

struct remote_tlsrpt *remote_tlsrpt_open(const struct remote_tlsrpt_options *options)
{
	struct remote_tlsrpt *t = calloc(1, sizeof(*t));

	CHECK(t); /* out of memory */
	t->options = *options;
	t->options.wall_ms = options->wall_ms ? options->wall_ms : clock_wall_ms;
	map_init(&t->rows);
	pthread_mutex_init(&t->lock, NULL);
	pthread_mutex_init(&t->sending, NULL);
	pthread_cond_init(&t->wake, NULL);
	t->threaded = !options->threadless && pthread_create(&t->thread, NULL, flusher, t) == 0;
	return t;
}

void remote_tlsrpt_close(struct remote_tlsrpt **pt)
{
	struct remote_tlsrpt *t = *pt;
	struct str            key;
	void                 *value;

	if (!t)
		return;
	*pt = NULL;
	pthread_mutex_lock(&t->lock);
	t->stopping = true;
	pthread_cond_broadcast(&t->wake);
	pthread_mutex_unlock(&t->lock);
	if (t->threaded)
		pthread_join(t->thread, NULL);
	remote_tlsrpt_flush(t);
	for (size_t at = 0; map_next(&t->rows, &at, &key, &value);)
		row_free(value);
	map_done(&t->rows);
	pthread_cond_destroy(&t->wake);
	pthread_mutex_destroy(&t->lock);
	pthread_mutex_destroy(&t->sending);
	free(t);
}
