/* queue/queue_flush.c - what waits for one domain is tried now: a host that has come back asks for its mail (ETRN, RFC 1985 §5).
 *
 * Only the time is changed: where the mail goes is decided as always. Messages that are held, or that the sender wants to be held until
 * later, stay as they are.
 */
#include "queue/queue_in.h"

#include "base/limits.h"
#include "base/log.h"

#define MINUTE_MS ((int64_t)60000)

/* The address is canonical, so is the domain. */
static const char due_sql[] = QUEUE_DUE_SQL("substr(r.address, -length(?4)) = ?4 AND ?5 = ?5");

/* It costs a look at every recipient that waits, so there are only so many in a minute. */
static bool too_often(struct queue *q)
{
	int64_t now = q->o.mono_ms();

	if (now - atomic_load(&q->flush_from) >= MINUTE_MS || atomic_load(&q->flush_from) == 0) {
		atomic_store(&q->flush_from, now);
		atomic_store(&q->flushes, 0);
	}
	return atomic_fetch_add(&q->flushes, 1) >= LIMIT_QUEUE_FLUSHES;
}

enum status queue_flush(struct queue *q, struct str domain, uint64_t *ret_count)
{
	struct queue_due due = { .sql = due_sql };
	char             text[LIMIT_DOMAIN + 1];
	struct buf       at = { .p = text, .cap = sizeof(text), .max = sizeof(text) };
	enum status      st;

	if (domain.n == 0 || domain.n > LIMIT_DOMAIN)
		return ST_INVALID;
	if (too_often(q))
		return ST_LIMIT;
	buf_add_char(&at, '@');
	buf_add(&at, domain);
	due.what = buf_str(&at);
	queue_sites_try(q->sites);
	st = queue_due_all(q, &due);
	*ret_count = due.count;
	return st;
}

void queue_on_flush(void *ctx, struct ipc_request *r)
{
	const struct queue_flush_request *body = r->body;
	struct queue_count_reply          reply = { 0 };
	enum status                       st = queue_flush(ctx, body->domain, &reply.count);

	ipc_reply(r, st, &reply);
}
