/* role/control_message.c - see control_message.h. */
#include "role/control_message.h"

#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/limits.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/random.h"
#include "wire/mime/mime_header.h"
#include "wire/smtp/smtp_received.h"

#define KNOWN_WAIT_MS ((int64_t)30000) /* how long the truth about a submit is sought after its channel was lost */
#define KNOWN_PAUSE_MS 200

static const struct control_verdict fine = { EX_OK, "" };
static const struct control_verdict no_space = { EX_TEMPFAIL, "not enough storage, try again later" };
static const struct control_verdict no_queue = { EX_TEMPFAIL, "the message could not be queued, try again later" };

void control_message_begin(struct control_message *m, const struct control_where *w)
{
	buf_init(&m->memory, LIMIT_INLINE + LIMIT_SMTP_FIXUP);
	m->spool = -1;
	smtp_received_local_print(&m->memory, w->hostname, m->uid, str_of(m->id), m->received_ms);
	m->trace_octets = m->memory.n;
}

void control_message_forget(struct control_message *m)
{
	if (!m->arena)
		return;
	buf_done(&m->memory);
	fd_close(&m->spool);
	arena_free(&m->arena);
	*m = (struct control_message){ .spool = -1 };
}

/* ---- the content ---- */

/* Only CRLF ends a line, and there is no NUL. `*cr` goes from piece to piece. */
static bool canonical(struct str s, bool *cr, bool *eight_bit)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == 0 || *cr != (c == '\n'))
			return false;
		*cr = c == '\r';
		*eight_bit = *eight_bit || c > 127;
	}
	return true;
}

static void complete(struct control_message *m, const struct control_where *w, const struct mime_header *h, size_t end)
{
	char       text[LIMIT_DOMAIN * 2 + 512], unique[16], hex[sizeof(unique) * 2];
	struct buf b = { .p = text, .cap = sizeof(text), .max = sizeof(text) - 1 };
	struct buf id = { .p = hex, .cap = sizeof(hex), .max = sizeof(hex) };

	random_octets(unique, sizeof(unique));
	buf_add_hex(&id, str_n(unique, sizeof(unique)));
	mime_header_complete(h, &(struct mime_header_fill){ .when = { m->received_ms, 0 }, .unique = buf_str(&id), .host = w->hostname }, &b);
	CHECK(!b.over);
	CHECK(buf_insert(&m->memory, end, buf_str(&b)));
}

/* As submission does it (smtp/smtp_message.c): one author, no Bcc, complete. */
static struct control_verdict header_take(struct control_message *m, const struct control_where *w, bool all)
{
	static const struct control_verdict loop = { EX_UNAVAILABLE, "too many hops: this message is going in circles" };
	static const struct control_verdict big = { EX_DATAERR, "the header is too big" };
	static const struct control_verdict author = { EX_DATAERR, "the message must have exactly one From field, with an address in it" };
	const unsigned     gone_mask = 1u << MIME_HEADER_BCC | 1u << MIME_HEADER_RESENT_BCC | 1u << MIME_HEADER_AUTH_RESULTS;
	struct mime_header h;
	enum mime_from     from;
	size_t             gone;

	m->header_done = true;
	mime_header_scan(str_from(buf_str(&m->memory), m->trace_octets), &h);
	if (h.count[MIME_HEADER_RECEIVED] >= LIMIT_HOPS)
		return loop;
	if (!h.ended && !all)
		return big;
	from = mime_header_from(&h, m->from.n == 0, m->arena);
	if (from != MIME_FROM_OK && from != MIME_FROM_DOMAINS)
		return author;
	m->tls_optional = mime_header_tls_no(&h);
	gone = mime_header_drop(&m->memory, m->trace_octets, gone_mask, w->hostname);
	complete(m, w, &h, m->trace_octets + h.end - gone);
	return fine;
}

/* From memory into a spool file of queue's. */
static struct control_verdict spill(struct control_message *m, const struct control_where *w)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	struct control_verdict   v = m->header_done ? fine : header_take(m, w, false);
	struct queue_spool_reply reply = { .spool = -1 };
	enum status              st;

	if (v.code != EX_OK)
		return v;
	st = ipc_call(w->ipc, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_SPOOL, "", a, &reply);
	if (st == ST_OK) {
		m->spool = reply.spool;
		st = m->spool >= 0 ? fd_write(m->spool, buf_str(&m->memory)) : ST_CORRUPT;
	}
	m->spooled = m->memory.n;
	buf_done(&m->memory);
	return st == ST_OK ? fine : st == ST_FULL ? no_space : no_queue;
}

struct control_verdict control_message_add(struct control_message *m, const struct control_where *w, struct str octets)
{
	static const struct control_verdict big = { EX_DATAERR, "the message is too big" };
	static const struct control_verdict lines = { EX_DATAERR, "the message holds a bare CR or LF, or a NUL" };
	size_t                              n;

	if (m->spooled + m->memory.n + octets.n > w->message_octets + m->trace_octets)
		return big;
	if (!canonical(octets, &m->cr, &m->eight_bit))
		return lines;
	n = m->spool < 0 ? MIN(octets.n, LIMIT_INLINE - MIN(m->memory.n, LIMIT_INLINE)) : 0;
	CHECK(m->spool >= 0 || buf_add(&m->memory, str_first(octets, n)));
	octets = str_from(octets, n);
	if (octets.n > 0 && m->spool < 0) {
		struct control_verdict v = spill(m, w);

		if (v.code != EX_OK)
			return v;
	}
	if (octets.n > 0) {
		enum status st = fd_write(m->spool, octets);

		m->spooled += octets.n;
		if (st != ST_OK)
			return st == ST_FULL ? no_space : no_queue;
	}
	return fine;
}

/* ---- handing over ---- */

/* Has queue taken it? Asked until there is an answer; ST_TEMP: there was none in time. */
static enum status known(const struct control_where *w, struct str txid, struct queue_known_reply *ret)
{
	int64_t until = clock_mono_ms() + KNOWN_WAIT_MS;

	do {
		struct arena *a CLEANUP(arena_free) = arena_new(NULL);
		struct timespec pause = { 0, KNOWN_PAUSE_MS * 1000000L };

		if (ipc_call(w->ipc, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_KNOWN, &(struct queue_known_request){ txid }, a, ret) == ST_OK)
			return ST_OK;
		nanosleep(&pause, NULL);
	} while (clock_mono_ms() < until);
	return ST_TEMP;
}

/* Submit; after a lost channel ask, and submit once more under the same id if queue does not know it. ST_OK with *ret, or ST_TEMP:
 * nobody can say. */
static enum status submit(const struct control_where *w, const struct queue_submit_request *q, struct queue_submit_reply *ret)
{
	for (unsigned tries = 0; tries < 2; tries++) {
		struct arena *a CLEANUP(arena_free) = arena_new(NULL);
		struct queue_known_reply k = { 0 };

		if (ipc_call(w->ipc, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_SUBMIT, q, a, ret) == ST_OK)
			return ST_OK;
		if (known(w, q->txid, &k) != ST_OK)
			return ST_TEMP;
		if (k.known) {
			*ret = (struct queue_submit_reply){ QUEUE_SUBMIT_QUEUED, k.id };
			return ST_OK;
		}
	}
	*ret = (struct queue_submit_reply){ .result = QUEUE_SUBMIT_SUSPECT };
	return ST_OK;
}

static bool any_utf8(const struct control_message *m)
{
	bool utf8 = !str_is_ascii(m->from);

	for (size_t i = 0; i < m->rcpt_count; i++)
		utf8 = utf8 || !str_is_ascii(m->rcpts[i].address);
	return utf8;
}

static struct control_verdict hand_over(struct control_message *m, const struct control_where *w, uint64_t *ret_id, bool *ret_unknown)
{
	static const struct control_verdict invalid = { EX_SOFTWARE, "the message cannot be queued" };
	char                                txid[QUEUE_TXID] = { 0 };
	struct queue_submit_reply           r = { 0 };
	struct queue_submit_request         q = {
		.txid = str_n(txid, sizeof(txid)),
		.from = m->from,
		.rcpts = m->rcpts,
		.rcpt_count = m->rcpt_count,
		.flags = QUEUE_FLAG_SUBMIT | (any_utf8(m) ? QUEUE_FLAG_SMTPUTF8 : 0) | (m->eight_bit ? QUEUE_FLAG_8BIT : 0) |
			 (m->tls_optional ? QUEUE_FLAG_TLS_OPTIONAL : 0) | (m->ret_hdrs ? QUEUE_FLAG_RET_HDRS : 0) | (m->ret_full ? QUEUE_FLAG_RET_FULL : 0),
		.session = str_of(m->id),
		.peer = STR("local"),
		.received_ms = m->received_ms,
		.size = m->spooled + m->memory.n,
		.content = m->spool < 0 ? buf_str(&m->memory) : STR_NONE,
		.spool = m->spool,
		.envid = m->envid,
	};

	random_octets(txid, sizeof(txid));
	*ret_unknown = submit(w, &q, &r) != ST_OK;
	if (*ret_unknown)
		return no_queue;
	*ret_id = r.id;
	switch (r.result) {
	case QUEUE_SUBMIT_QUEUED: return fine;
	case QUEUE_SUBMIT_FULL: return no_space;
	case QUEUE_SUBMIT_SUSPECT: return no_queue;
	case QUEUE_SUBMIT_DENIED: /* names no account */
	case QUEUE_SUBMIT_INVALID: break;
	}
	return invalid;
}

struct control_verdict control_message_end(struct control_message *m, const struct control_where *w, uint64_t *ret_id, bool *ret_unknown)
{
	static const struct control_verdict cut = { EX_DATAERR, "the message ends inside a line end" };
	struct control_verdict              v = m->cr ? cut : fine;

	*ret_unknown = false;
	if (v.code == EX_OK && !m->header_done)
		v = header_take(m, w, true);
	if (v.code == EX_OK && m->spool < 0 && m->memory.n > LIMIT_INLINE)
		v = spill(m, w);
	return v.code == EX_OK ? hand_over(m, w, ret_id, ret_unknown) : v;
}
