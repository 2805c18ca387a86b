/* queue/queue_notice.c - the report (DSN, RFC 3464) of what a round brought, as far as the sender wants to know it.
 *
 * None is made for mail without a sender or for a report (RFC 5321 §4.5.5), nor for what was removed. A large message comes back
 * as its header only. The report is a new message of ours: null sender, one recipient, QUEUE_FLAG_BOUNCE. Of a message that
 * asked for REQUIRETLS it has the header only, and asks for the same, RFC 8689 §5.
 */
#include <openssl/evp.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "queue/queue_in.h"
#include "sys/disk.h"
#include "sys/random.h"
#include "wire/address/address.h"
#include "wire/mime/dsn.h"
#include "wire/text/queue_id.h"

#define RETURN_MAX ((size_t)50 * KIB) /* a larger original comes back as its header */

static struct str random_name(struct arena *a)
{
	return arena_printf(a, "%016llx%016llx", (unsigned long long)random_u64(), (unsigned long long)random_u64());
}

/* ---- what is told ---- */

struct telling {
	struct queue_msg *m;
	struct dsn_rcpt  *rcpts;
	size_t            count;
	bool              failed; /* one of them: the content may come back, RFC 3461 §4.3 */
};

/* "rfc822;bob@example.org": as the sender knows the recipient, RFC 3461 §4.2 and RFC 6533 §3. */
static struct str original_name(struct telling *t, const struct queue_rcpt_row *r, struct str final)
{
	if (r->orcpt.n)
		return r->orcpt;
	if (str_ieq(final, r->address))
		return STR_NONE;
	return arena_printf(t->m->arena, "%s;%.*s", str_is_ascii(r->address) ? "rfc822" : "utf-8", STR_FMT(r->address));
}

static void tell(struct telling *t, const struct queue_rcpt_row *r, struct dsn_rcpt d)
{
	d.original = original_name(t, r, d.final);
	d.last_attempt_ms = t->m->q->o.wall_ms();
	if (d.action != DSN_DELAYED)
		d.retry_until_ms = DSN_NO_TIME;
	t->failed = t->failed || d.action == DSN_FAILED;
	t->rcpts[t->count++] = d;
}

/* Its own refusal, or the time that is over. */
static void tell_failure(struct telling *t, const struct queue_rcpt_row *r, struct dsn_rcpt d)
{
	struct queue_msg *m = t->m;
	bool              back = m->late && !(m->flags & QUEUE_FLAG_BY_NOTIFY);

	d.action = DSN_FAILED;
	if ((m->expired || back) && !str_starts(d.status, STR("5"))) {
		const char *why = back ? "Not delivered within the time that its sender set" : "Given up after trying for too long";

		d.status = back ? STR("5.4.7") : STR("4.4.7"); /* RFC 3463 §3.5: delivery time expired */
		d.diagnostic = d.diagnostic.n ? arena_printf(m->arena, "%s; last: %.*s", why, STR_FMT(d.diagnostic)) : str_of(why);
	}
	tell(t, r, d);
}

static void tell_delay(struct telling *t, const struct queue_rcpt_row *r, struct dsn_rcpt d)
{
	struct queue_msg *m = t->m;
	int64_t           until = m->entered + queue_live(m->q).expire_ms;

	if (m->deliver_by > 0 && !(m->flags & QUEUE_FLAG_BY_NOTIFY))
		until = MIN(until, m->deliver_by);
	d.action = DSN_DELAYED;
	d.retry_until_ms = queue_wall(m->q, until);
	tell(t, r, d);
}

/* A recipient that is not resolved, or one target, as it stands after this round. */
static void tell_outcome(struct telling *t, const struct queue_rcpt_row *r, const struct queue_to *to)
{
	enum queue_outcome outcome = to ? to->outcome : r->outcome;
	uint32_t           notify = queue_notify_target(r);
	struct dsn_rcpt    d = {
		.final = to ? to->address : r->fixed ? r->target : r->address,
		.status = to ? to->code : r->code,
		.remote_mta = to ? to->host : STR_NONE,
		.diagnostic = to ? to->answer : r->answer,
	};

	if (outcome == QUEUE_OUT_FAILED) {
		if (queue_notify_wants(notify, QUEUE_NOTIFY_FAILURE))
			tell_failure(t, r, d);
	} else if (outcome == QUEUE_OUT_DONE) {
		d.action = to && to->account ? DSN_DELIVERED : DSN_RELAYED;
		if (to && queue_notify_owed(t->m, to))
			tell(t, r, d);
	} else if (t->m->warns && queue_notify_wants(notify, QUEUE_NOTIFY_DELAY)) {
		tell_delay(t, r, d);
	}
}

static void tell_row(struct telling *t, const struct queue_rcpt_row *r)
{
	if (r->final) {
		if (r->done && (r->notify & QUEUE_NOTIFY_SUCCESS)) /* of an earlier round, and not told yet: Q10 */
			tell(t, r, (struct dsn_rcpt){ .final = r->target.n ? r->target : r->address, .action = DSN_RELAYED, .status = r->code,
						      .diagnostic = r->answer });
		return;
	}
	if (!r->resolved) {
		tell_outcome(t, r, NULL);
		return;
	}
	if (queue_notify_expands(r))
		tell(t, r, (struct dsn_rcpt){ .final = r->address, .action = DSN_EXPANDED });
	for (size_t k = 0; k < r->to_count; k++)
		tell_outcome(t, r, r->to[k]);
}

/* The worst first: if it gets too long, the end is left out. */
static void order(struct telling *t, struct arena *a)
{
	struct dsn_rcpt *all = ARENA_ARRAY(a, struct dsn_rcpt, t->count);
	size_t           n = 0;

	for (int action = DSN_FAILED; action <= DSN_EXPANDED; action++)
		for (size_t i = 0; i < t->count; i++)
			if ((int)t->rcpts[i].action == action)
				all[n++] = t->rcpts[i];
	t->rcpts = all;
}

/* What is at hand of the original: all of a small one, the head of a large one. */
static struct str original(struct queue_msg *m)
{
	int    fd CLEANUP(fd_close) = -1;
	char  *head;
	size_t n = 0;

	if (m->file == 0)
		return str_n(m->content, m->size);
	head = arena_alloc(m->arena, QUEUE_HEAD_MAX);
	if (queue_file_open(m->q, m->file, &fd) != ST_OK || disk_read_at(fd, head, QUEUE_HEAD_MAX, 0, &n) != ST_OK)
		return STR_NONE;
	return str_n(head, n);
}

static void write_report(struct queue_msg *n, struct dsn *d)
{
	struct buf out;
	unsigned   need;

	buf_init(&out, LIMIT_INLINE);
	need = dsn_write(d, &out);
	if (out.over) { /* very many recipients: without the original, then without all but the first */
		buf_clear(&out);
		d->content = STR_NONE;
		d->header_only = true;
		need = dsn_write(d, &out);
	}
	while (out.over) {
		buf_clear(&out);
		d->rcpt_count = (d->rcpt_count + 1) / 2;
		need = dsn_write(d, &out);
	}
	n->flags |= QUEUE_FLAG_BOUNCE | (need & DSN_NEED_8BIT ? QUEUE_FLAG_8BIT : 0u) |
		   (need & DSN_NEED_SMTPUTF8 ? QUEUE_FLAG_SMTPUTF8 : 0u);
	n->size = out.n;
	queue_msg_content(n, buf_str(&out));
	CHECK(EVP_Digest(out.p, out.n, n->hash, NULL, EVP_sha256(), NULL));
	buf_done(&out);
}

static void fill(struct queue_msg *n, struct queue_msg *m, const struct telling *t)
{
	struct queue     *q = n->q;
	struct arena     *a = n->arena;
	const struct str  host = queue_live(q).hostname;
	const bool        secret = (m->flags & QUEUE_FLAG_REQUIRETLS) != 0;
	struct dsn        d = {
		.boundary = random_name(a),
		.message_id = arena_printf(a, "%.*s@%.*s", STR_FMT(random_name(a)), STR_FMT(host)),
		.date_ms = q->o.wall_ms(),
		.reporting_mta = host,
		.from = arena_printf(a, "MAILER-DAEMON@%.*s", STR_FMT(host)),
		.to = address_ascii(a, m->from),
		.envelope_id = m->envid,
		.arrival_ms = m->received_ms,
		.rcpts = t->rcpts,
		.rcpt_count = t->count,
		.content = original(m),
		.header_only = m->file != 0 || !t->failed || secret || (m->flags & QUEUE_FLAG_RET_HDRS),
		.content_max = RETURN_MAX,
		.ours = (m->flags & QUEUE_FLAG_SUBMIT) != 0,
		.utf8 = (m->flags & QUEUE_FLAG_SMTPUTF8) != 0,
	};

	n->flags = m->flags & QUEUE_FLAG_REQUIRETLS;
	write_report(n, &d);
	n->id = n->base = queue_id_next(q);
	n->entered = queue_now(q);
	n->received_ms = q->o.wall_ms();
	n->priority = m->priority; /* RFC 6710 §4: a report is as urgent as what it is about */
	n->lane = QUEUE_LANE_REPORTS;
	n->from = STR("");
	n->session = arena_dup(a, m->session);
	n->peer = STR("local");
	n->rcpts = ARENA_NEW(a, struct queue_rcpt_row);
	n->rcpts->address = arena_dup(a, m->from);
	n->rcpt_count = n->next_n = 1;
	(void)queue_msg_admit(n, n->size);
}

struct queue_msg *queue_notice_new(struct queue_msg *m)
{
	struct telling    t = { .m = m };
	struct queue_msg *n;

	n = queue_msg_new(m->q);
	t.rcpts = ARENA_ARRAY(n->arena, struct dsn_rcpt, 2 * m->rcpt_count + m->to_count);
	for (size_t i = 0; i < m->rcpt_count; i++)
		tell_row(&t, &m->rcpts[i]);
	if (t.count == 0) { /* nobody wants to know */
		queue_msg_free(n);
		return NULL;
	}
	order(&t, n->arena);
	fill(n, m, &t);
	log_info("report queued", LOG_C("message", queue_id_text(m->id).p), LOG_C("report", queue_id_text(n->id).p),
		 LOG_U64("recipients", t.count), LOG_C("of", t.failed ? "failure" : m->warns ? "delay" : "success"));
	return n;
}
