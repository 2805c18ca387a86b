/* queue/queue_notice.c - the report of failure (DSN, RFC 3464) that goes to the sender.
 *
 * None is made for mail without a sender or for a report (RFC 5321 §4.5.5), nor for what was removed. A large message comes back
 * as its header only. The report is a new message of ours: null sender, one recipient, QUEUE_FLAG_BOUNCE.
 */
#include <openssl/evp.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "queue/queue_id.h"
#include "queue/queue_in.h"
#include "sys/disk.h"
#include "sys/random.h"
#include "wire/mime/dsn.h"

#define RETURN_MAX ((size_t)50 * KIB) /* a larger original comes back as its header */

static struct str random_name(struct arena *a)
{
	return arena_printf(a, "%016llx%016llx", (unsigned long long)random_u64(), (unsigned long long)random_u64());
}

static struct dsn_rcpt dsn_rcpt(struct queue_msg *m, const struct queue_rcpt_row *r, const struct queue_to *to)
{
	struct str original = r->address, code = to ? to->code : r->code, answer = to ? to->answer : r->answer;

	if (m->expired && !str_starts(code, STR("5"))) {
		code = STR("4.4.7"); /* RFC 3463 §3.5: delivery time expired */
		answer = arena_printf(m->arena, "Given up after trying for too long; last: %.*s", STR_FMT(answer));
	}
	return (struct dsn_rcpt){
		.original = to && !str_ieq(to->address, original) ? arena_printf(m->arena, "rfc822;%.*s", STR_FMT(original)) : STR_NONE,
		.final = to ? to->address : original,
		.action = DSN_FAILED,
		.status = code,
		.remote_mta = to ? to->host : STR_NONE,
		.diagnostic = answer,
		.last_attempt_ms = m->q->o.wall_ms(),
		.retry_until_ms = DSN_NO_TIME,
	};
}

static void collect(struct queue_msg *m, struct dsn_rcpt *rcpts, size_t *count)
{
	for (size_t i = 0; i < m->rcpt_count; i++) {
		struct queue_rcpt_row *r = &m->rcpts[i];

		if (!r->final && !r->resolved && r->outcome == QUEUE_OUT_FAILED)
			rcpts[(*count)++] = dsn_rcpt(m, r, NULL);
		for (size_t k = 0; k < r->to_count; k++)
			if (r->to[k]->outcome == QUEUE_OUT_FAILED)
				rcpts[(*count)++] = dsn_rcpt(m, r, r->to[k]);
	}
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
	n->flags = QUEUE_FLAG_BOUNCE | (need & DSN_NEED_8BIT ? QUEUE_FLAG_8BIT : 0u) |
		   (need & DSN_NEED_SMTPUTF8 ? QUEUE_FLAG_SMTPUTF8 : 0u);
	n->size = out.n;
	queue_msg_content(n, buf_str(&out));
	CHECK(EVP_Digest(out.p, out.n, n->hash, NULL, EVP_sha256(), NULL));
	buf_done(&out);
}

struct queue_msg *queue_notice_new(struct queue_msg *m)
{
	struct queue     *q = m->q;
	struct queue_msg *n;
	struct arena     *a;
	struct dsn        d;
	struct dsn_rcpt  *rcpts;
	size_t            count = 0;

	if (m->from.n == 0 || (m->flags & QUEUE_FLAG_BOUNCE)) {
		log_info("failed delivery of a message without sender: no report", LOG_C("message", queue_id_text(m->id).p));
		return NULL;
	}
	n = queue_msg_new(q);
	a = n->arena;
	rcpts = ARENA_ARRAY(a, struct dsn_rcpt, m->rcpt_count + m->to_count);
	collect(m, rcpts, &count);
	d = (struct dsn){
		.boundary = random_name(a),
		.message_id = arena_printf(a, "%.*s@%.*s", STR_FMT(random_name(a)), STR_FMT(q->o.hostname)),
		.date_ms = q->o.wall_ms(),
		.reporting_mta = q->o.hostname,
		.from = arena_printf(a, "MAILER-DAEMON@%.*s", STR_FMT(q->o.hostname)),
		.to = m->from,
		.arrival_ms = m->received_ms,
		.rcpts = rcpts,
		.rcpt_count = count,
		.content = original(m),
		.header_only = m->file != 0,
		.content_max = RETURN_MAX,
		.utf8 = (m->flags & QUEUE_FLAG_SMTPUTF8) != 0,
	};
	write_report(n, &d);
	n->id = n->base = queue_id_next(q);
	n->entered = queue_now(q);
	n->received_ms = q->o.wall_ms();
	n->from = STR("");
	n->session = arena_dup(a, m->session);
	n->peer = STR("local");
	n->rcpts = ARENA_NEW(a, struct queue_rcpt_row);
	n->rcpts->address = arena_dup(a, m->from);
	n->rcpt_count = n->next_n = 1;
	(void)queue_msg_admit(n, n->size);
	log_info("delivery failed, report queued", LOG_C("message", queue_id_text(m->id).p), LOG_C("report", queue_id_text(n->id).p),
		 LOG_U64("recipients", count));
	return n;
}
