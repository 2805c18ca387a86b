/* smtp/smtp_filter_content.c - reading a message for a filter, and making the one that it wants; see smtp_filter_int.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "smtp/smtp_filter_int.h"
#include "sys/fd.h"
#include "wire/address/address.h"
#include "wire/smtp/smtp_rcpt.h"
#include "wire/smtp/smtp_xtext.h"

#define STEP (64 * KIB)

/* ---- reading ---- */

static enum status spool_read(int fd, uint64_t at, char *p, size_t n)
{
	while (n > 0) {
		ssize_t got = pread(fd, p, n, (off_t)at);

		if (got == 0)
			return ST_CORRUPT;
		if (got < 0 && errno != EINTR)
			return fd_status(errno);
		p += got > 0 ? got : 0;
		n -= got > 0 ? (size_t)got : 0;
		at += got > 0 ? (uint64_t)got : 0;
	}
	return ST_OK;
}

/* n octets of a content, wherever it is. */
static enum status content_read(const struct smtp_content *c, uint64_t at, char *p, size_t n)
{
	if (c->spool >= 0)
		return spool_read(c->spool, at, p, n);
	if (at > c->memory.n || n > c->memory.n - at)
		return ST_CORRUPT;
	memcpy(p, c->memory.p + at, n);
	return ST_OK;
}

static enum status body_read(void *ctx, uint64_t at, char *p, size_t n)
{
	const struct smtp_filter_view *v = ctx;

	return content_read(v->content, v->body_at + at, p, n);
}

/* The octets in which the header must end. */
static enum smtp_view header_memory(struct smtp_session *s, struct smtp_filter_view *v, struct str *ret)
{
	struct smtp_content *c = v->content;
	size_t               own = s->tx.own_octets;

	if (c->spool < 0) {
		*ret = str_from(buf_str(&c->memory), own);
		return SMTP_VIEW_OK;
	}
	v->memory_n = (size_t)MIN(c->spooled - own, (uint64_t)LIMIT_HEADER_BLOCK);
	if (!net_memory_take(c->net, v->memory_n)) {
		v->memory_n = 0;
		return SMTP_VIEW_BUSY;
	}
	v->memory = arena_alloc(v->header.arena, v->memory_n);
	*ret = str_n(v->memory, v->memory_n);
	return spool_read(c->spool, own, v->memory, v->memory_n) == ST_OK ? SMTP_VIEW_OK : SMTP_VIEW_IO;
}

/* Room for all fields of the header that begins `start`, before it is taken apart: a field takes more than the octets that it may have. */
static bool fields_reserve(struct smtp_filter_view *v, struct str start)
{
	ptrdiff_t end = str_search(start, STR("\r\n\r\n"));
	size_t    lines = 0, room;

	start = end < 0 ? start : str_first(start, (size_t)end + 2);
	while (lines < LIMIT_HEADER_FIELDS && (end = str_find(start, '\n')) >= 0) {
		start = str_from(start, (size_t)end + 1);
		lines++;
	}
	/* The array grows by doubling, and those before it stay. */
	room = lines * 4 * sizeof(struct milter_field);
	if (!net_memory_take(v->content->net, room))
		return false;
	v->memory_n += room;
	return true;
}

enum smtp_view smtp_filter_view_open(struct smtp_session *s, struct arena *a, struct smtp_filter_view *ret)
{
	struct smtp_content *c = &s->tx.content;
	struct str           start = STR_NONE;
	enum smtp_view       seen;

	*ret = (struct smtp_filter_view){ .content = c, .header.arena = a };
	seen = header_memory(s, ret, &start);
	if (seen != SMTP_VIEW_OK)
		return seen;
	if (!fields_reserve(ret, start))
		return SMTP_VIEW_BUSY;
	if (!milter_header_parse(start, a, &ret->header))
		return SMTP_VIEW_HEADER;
	/* Not ended within what was looked at, while the message goes on. */
	if (ret->header.octets == start.n && s->tx.own_octets + start.n < smtp_content_size(c))
		return SMTP_VIEW_HEADER;
	ret->blank = ret->header.octets > milter_header_size(&ret->header);
	ret->body_at = s->tx.own_octets + ret->header.octets;
	ret->body = (struct milter_source){ .read = body_read, .ctx = ret, .size = smtp_content_size(c) - ret->body_at };
	return SMTP_VIEW_OK;
}

void smtp_filter_view_close(struct smtp_session *s, struct smtp_filter_view *v)
{
	if (v->memory_n > 0)
		net_memory_give(net_of(s->conn), v->memory_n);
	v->memory_n = 0;
}

/* ---- writing ---- */

static enum status spill(struct smtp_session *s, struct smtp_content *c)
{
	int         fd = -1;
	enum status st = s->env->ask->spool(s->env->ask_ctx, &fd);

	return st == ST_OK ? smtp_content_spill(c, fd) : st;
}

enum status smtp_filter_put(struct smtp_session *s, struct smtp_content *c, struct str octets)
{
	uint64_t    most = s->set->message_octets + LIMIT_FILTER_GROWTH;
	enum status st = ST_OK;

	if (octets.n > most || smtp_content_size(c) > most - octets.n)
		return ST_LIMIT;
	while (octets.n > 0 && st == ST_OK) {
		size_t n = c->spool < 0 ? MIN(octets.n, smtp_content_room(c)) : octets.n;

		if (n == 0) {
			st = spill(s, c);
			continue;
		}
		if (c->spool < 0 && c->memory.n + n > c->reserved &&
		    !smtp_content_reserve(c, MAX((uint64_t)c->reserved * 2, c->memory.n + n)))
			return ST_BUSY;
		st = smtp_content_add(c, str_first(octets, n));
		octets = str_from(octets, n);
	}
	return st;
}

/* `size` octets of one content, from `at` on, to the end of another. */
static enum status copy(struct smtp_session *s, const struct smtp_content *from, uint64_t at, uint64_t size, struct smtp_content *to)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	char         *step = arena_alloc(a, STEP);
	enum status   st = ST_OK;

	while (size > 0 && st == ST_OK) {
		size_t n = (size_t)MIN(size, (uint64_t)STEP);

		st = content_read(from, at, step, n);
		if (st == ST_OK)
			st = smtp_filter_put(s, to, str_n(step, n));
		at += n;
		size -= n;
	}
	return st;
}

static enum status header_put(struct smtp_session *s, const struct milter_header *h, struct smtp_content *to)
{
	enum status st = ST_OK;

	for (size_t i = 0; i < h->count && st == ST_OK; i++)
		if (!h->fields[i].gone)
			st = smtp_filter_put(s, to, h->fields[i].whole);
	return st;
}

enum status smtp_filter_build(struct smtp_session *s, const struct smtp_filter_view *v, struct smtp_content *body, struct smtp_content *ret)
{
	uint64_t    body_n = body ? smtp_content_size(body) : v->body.size;
	enum status st;

	smtp_content_init(ret, net_of(s->conn));
	st = copy(s, v->content, 0, s->tx.own_octets, ret);
	if (st == ST_OK)
		st = header_put(s, &v->header, ret);
	if (st == ST_OK && (v->blank || body_n > 0))
		st = smtp_filter_put(s, ret, STR("\r\n"));
	if (st == ST_OK)
		st = body ? copy(s, body, 0, body_n, ret) : copy(s, v->content, v->body_at, body_n, ret);
	ret->peer_octets = v->content->peer_octets;
	if (st != ST_OK)
		smtp_content_done(ret);
	return st;
}

/* ---- envelope ---- */

static bool is_envelope(const struct milter_edit *e)
{
	return e->kind == MILTER_ANSWER_ADD_RCPT || e->kind == MILTER_ANSWER_DEL_RCPT || e->kind == MILTER_ANSWER_SENDER;
}

/* An edit of the envelope, checked. */
struct change {
	struct address_canon address;
	uint32_t             notify; /* ADD_RCPT with parameters, RFC 3461 */
	struct str           orcpt;  /* decoded */
};

/* The parameters of a recipient are read as those of RCPT are. Those of a sender are not used: they were the peer's to give. */
static bool params_read(const struct smtp_session *s, const struct milter_edit *e, struct change *c)
{
	struct buf       b = { .cap = LIMIT_ORCPT, .max = LIMIT_ORCPT };
	struct smtp_rcpt r;

	if (smtp_rcpt_parse(arena_printf(s->tx.arena, "TO:<%.*s> %.*s", STR_FMT(address_text(&c->address)), STR_FMT(e->args)), SMTP_PARAM_DSN, true,
			    false, &r) != SMTP_RCPT_OK)
		return false;
	c->notify = r.notify;
	if (r.orcpt.n == 0)
		return true;
	b.p = arena_alloc(s->tx.arena, LIMIT_ORCPT);
	if (!smtp_orcpt_decode(r.orcpt, true, &b) || b.over)
		return false;
	c->orcpt = buf_str(&b);
	return true;
}

static bool change_read(const struct smtp_session *s, const struct milter_edit *e, struct change *ret)
{
	*ret = (struct change){ 0 };
	if (e->kind == MILTER_ANSWER_SENDER && e->address.n == 0)
		return true; /* the null reverse-path */
	if (address_canon_of(e->address, false, &ret->address) != ADDRESS_OK)
		return false;
	return e->kind != MILTER_ANSWER_ADD_RCPT || str_trim(e->args).n == 0 || params_read(s, e, ret);
}

static void rcpt_remove(struct smtp_tx *tx, struct str address)
{
	for (size_t i = 0; i < tx->rcpt_count; i++)
		if (str_ieq(tx->rcpts[i].address, address)) {
			tx->rcpt_octets -= tx->rcpts[i].address.n + tx->rcpts[i].orcpt.n;
			memmove(&tx->rcpts[i], &tx->rcpts[i + 1], (tx->rcpt_count - i - 1) * sizeof(*tx->rcpts));
			tx->rcpt_count--;
			return;
		}
}

/* All are addresses, and all fit. A recipient that is not there cannot be removed, which is no mistake: another filter was faster. */
static bool envelope_check(const struct smtp_session *s, const struct milter_edits *e)
{
	struct change c;
	size_t        rcpts = s->tx.rcpt_count, octets = s->tx.rcpt_octets;

	for (size_t i = 0; i < e->count; i++) {
		if (!is_envelope(&e->items[i]))
			continue;
		if (!change_read(s, &e->items[i], &c))
			return false;
		if (e->items[i].kind != MILTER_ANSWER_ADD_RCPT)
			continue;
		rcpts++;
		octets += c.address.n + c.orcpt.n;
	}
	return rcpts <= LIMIT_RCPTS && octets <= LIMIT_RCPTS_OCTETS;
}

static void change_make(struct smtp_session *s, enum milter_answer_kind kind, const struct change *c)
{
	struct smtp_tx *tx = &s->tx;
	struct str      address = address_text(&c->address);

	log_info("envelope changed by a filter", LOG_C("session", s->info->id), LOG_C("tx", tx->id),
		 LOG_C("what", kind == MILTER_ANSWER_ADD_RCPT   ? "add"
			       : kind == MILTER_ANSWER_DEL_RCPT ? "remove"
								: "sender"),
		 LOG_STR("address", address));
	if (!str_is_ascii(address))
		tx->flags |= QUEUE_FLAG_SMTPUTF8;
	if (kind == MILTER_ANSWER_ADD_RCPT)
		smtp_tx_add_rcpt(tx, &(struct queue_rcpt){ .address = address, .notify = c->notify, .orcpt = c->orcpt });
	else if (kind == MILTER_ANSWER_DEL_RCPT)
		rcpt_remove(tx, address);
	else
		tx->from = arena_dup(tx->arena, address);
}

bool smtp_filter_envelope(struct smtp_session *s, const struct milter_edits *e)
{
	if (!envelope_check(s, e))
		return false;
	for (size_t i = 0; i < e->count; i++) {
		struct change c;

		if (!is_envelope(&e->items[i]))
			continue;
		CHECK(change_read(s, &e->items[i], &c));
		change_make(s, e->items[i].kind, &c);
	}
	return true;
}
