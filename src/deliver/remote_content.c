/* deliver/remote_content.c - contract is in remote_content.h. */
#include "deliver/remote_content.h"

#include "sys/pread.h"

#define FOLDED_MAX (2 * REMOTE_CHUNK + 4000)

enum status remote_content_read(const struct remote_content *c, uint64_t offset, char space[REMOTE_CHUNK], struct str *ret)
{
	size_t      n = (size_t)MIN(c->raw_octets - offset, (uint64_t)REMOTE_CHUNK), got = 0;
	enum status st;

	if (offset < c->prefix.n) {
		*ret = str_sub(c->prefix, (size_t)offset, n);
		return ST_OK;
	}
	offset -= c->prefix.n;
	if (c->fd < 0) {
		*ret = str_sub(c->memory, (size_t)offset, n);
		return ST_OK;
	}
	st = fd_pread(c->fd, offset, space, n, &got);
	if (st == ST_OK && got < n)
		st = ST_CORRUPT;
	if (st == ST_OK)
		*ret = str_n(space, n);
	return st;
}

/* Write it to nowhere, to know how long it gets. Of what was taken by SMTP only lines that are too long make that necessary. */
static enum status content_measure(struct remote_content *c)
{
	struct remote_content_out o;
	struct buf                out;
	enum status               st = ST_OK;

	buf_init(&out, FOLDED_MAX);
	remote_content_begin(&o, c, false);
	for (c->size = 0; st == ST_OK && !o.ended; c->size += out.n) {
		buf_clear(&out);
		st = remote_content_next(&o, &out);
	}
	c->folded = o.fold.lines;
	remote_content_end(&o);
	buf_done(&out);
	return st;
}

enum status remote_content_open(struct remote_content *c, const struct remote_deliver_request *q)
{
	struct smtp_scan scan = { 0 };
	char             space[REMOTE_CHUNK];
	struct str       chunk;

	*c = (struct remote_content){ .prefix = q->prefix, .memory = q->content, .fd = q->file };
	c->raw_octets = c->size = q->prefix.n + (q->file < 0 ? q->content.n : q->size);
	for (uint64_t at = 0; at < c->raw_octets; at += chunk.n) {
		enum status st = remote_content_read(c, at, space, &chunk);

		if (st != ST_OK)
			return st;
		smtp_scan_add(&scan, chunk);
	}
	smtp_scan_end(&scan);
	c->eight_bit = scan.eight_bit;
	c->eight_bit_header = scan.eight_bit_header;
	c->canonical = !scan.changes;
	return c->canonical ? ST_OK : content_measure(c);
}

/* ---- out ---- */

void remote_content_begin(struct remote_content_out *o, const struct remote_content *c, bool dots)
{
	*o = (struct remote_content_out){ .content = c, .dots = dots };
	buf_init(&o->folded, FOLDED_MAX);
}

void remote_content_end(struct remote_content_out *o)
{
	buf_done(&o->folded);
}

static bool piece_write(struct remote_content_out *o, struct buf *out, struct str piece)
{
	return o->dots ? smtp_stuff_add(&o->stuff, out, piece) : buf_add(out, piece);
}

enum status remote_content_next(struct remote_content_out *o, struct buf *out)
{
	const struct remote_content *c = o->content;
	char                         space[REMOTE_CHUNK];
	struct str                   chunk = STR("");
	bool                         fits = true;

	if (o->at < c->raw_octets) {
		enum status st = remote_content_read(c, o->at, space, &chunk);

		if (st != ST_OK)
			return st;
	}
	o->at += chunk.n;
	o->ended = o->at >= c->raw_octets;
	if (c->canonical) {
		fits = piece_write(o, out, chunk);
	} else {
		buf_clear(&o->folded);
		fits = smtp_fold_add(&o->fold, &o->folded, chunk) && (!o->ended || smtp_fold_end(&o->fold, &o->folded)) &&
		       piece_write(o, out, buf_str(&o->folded));
	}
	CHECK(fits && (!o->ended || !o->dots || smtp_stuff_end(&o->stuff, out)));
	return ST_OK;
}
