/* net/net_deflate.c - DEFLATE between the framing and TLS or the socket (RFC 4978, RFC 1951).
 *
 *   framing, handlers
 *   net_input.c          net_output.c
 *   inflate              deflate               here; only after net_compress
 *   TLS or socket        TLS or socket
 *
 * Memory. Both coders (some 300 KiB) belong to threads. A connection that waits keeps only what the next turn needs of the past:
 *   out   nothing. All output of a turn ends in a sync flush, on an octet; a coder that begins anew behind it refers only to what it
 *         has written itself, and the stream goes on (RFC 1951 §3.2.4: a block's history may be shorter than 32 KiB).
 *   in    what the peer has sent, the last 32 KiB at most, since it may refer to it; and the rest of what came, which is nothing as a
 *         rule. A peer that stops in the middle of a block, not at a flush, keeps the coder itself.
 *
 * Bombs: one octet may become 1032. What comes out is read by the framing in pieces of its own buffer, with all its limits of line,
 * literal and time; no more is inflated than it takes, and a connection has its NET_BURST steps before others get their turn.
 */
#include "net/net_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define RAW     ((size_t)8192) /* octets read at once */
#define HISTORY ((size_t)32768)
#define STATE   ((size_t)(48 * 1024)) /* an inflate coder with its window, about */

struct net_deflate {
	char     *history; /* what came out last, for the next turn */
	size_t    history_n;
	char     *raw; /* read and not used: [at, n) */
	size_t    at, n;
	z_stream *own;  /* the coder, where it cannot be left to others */
	z_stream *live; /* the coder in use: own, or the thread's */
	size_t    counted; /* net_memory_take */
	bool      more;  /* the coder may have output without more input */
	bool      ended; /* the peer's last block, or an error */
};

/* ---- coders ---- */

static z_stream *inflater_new(void)
{
	z_stream *z = calloc(1, sizeof(*z));

	CHECK(z && inflateInit2(z, -15) == Z_OK);
	return z;
}

static void inflater_free(z_stream **z)
{
	if (*z)
		inflateEnd(*z);
	free(*z);
	*z = NULL;
}

void net_deflate_worker_done(struct net_worker *w)
{
	inflater_free(&w->inflater);
	if (w->deflater)
		deflateEnd(w->deflater);
	free(w->deflater);
	w->deflater = NULL;
}

static void deflater_begin(struct net_worker *w)
{
	if (!w->deflater) {
		w->deflater = calloc(1, sizeof(*w->deflater));
		CHECK(w->deflater && deflateInit2(w->deflater, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	} else {
		CHECK(deflateReset(w->deflater) == Z_OK);
	}
	w->deflating = true;
}

/* ---- life ---- */

enum status net_compress(struct net_conn *c)
{
	CHECK(!c->deflate);
	if (net_flush(c) != ST_OK)
		return ST_CLOSED;
	/* RFC 4978 §3: the client sends nothing until it has our OK; whatever it is, it was not sent as what it would be read. */
	if (net_input_pending(c)) {
		log_debug("input before compression", LOG_C("session", c->info.id));
		return ST_CLOSED;
	}
	c->deflate = calloc(1, sizeof(*c->deflate));
	CHECK(c->deflate);
	return ST_OK;
}

bool net_compressing(const struct net_conn *c)
{
	return c->deflate != NULL;
}

void net_deflate_free(struct net_conn *c)
{
	struct net_deflate *d = c->deflate;

	c->deflate = NULL;
	if (!d)
		return;
	if (d->counted > 0)
		net_memory_give(c->net, d->counted);
	inflater_free(&d->own);
	free(d->history);
	free(d->raw);
	free(d);
}

/* ---- input ---- */

/* The coder as it was when the last turn ended. */
static void inflater_begin(struct net_conn *c)
{
	struct net_deflate *d = c->deflate;

	if (d->own) {
		d->live = d->own;
		return;
	}
	if (!c->w->inflater)
		c->w->inflater = inflater_new();
	d->live = c->w->inflater;
	CHECK(inflateReset(d->live) == Z_OK);
	if (d->history_n > 0)
		CHECK(inflateSetDictionary(d->live, (const Bytef *)d->history, (uInt)d->history_n) == Z_OK);
}

bool net_deflate_pending(const struct net_conn *c)
{
	return c->deflate->more || c->deflate->ended || c->deflate->n > c->deflate->at; /* the end is met by reading */
}

/* Up to n octets out of what was read. */
static enum status inflate_some(struct net_conn *c, char *p, size_t n, size_t *ret_n)
{
	struct net_deflate *d = c->deflate;
	z_stream           *z;
	int                 r;

	if (!d->live)
		inflater_begin(c);
	z = d->live;
	z->next_in = (Bytef *)d->raw + d->at;
	z->avail_in = (uInt)(d->n - d->at);
	z->next_out = (Bytef *)p;
	z->avail_out = (uInt)MIN(n, (size_t)UINT32_MAX);
	r = inflate(z, Z_SYNC_FLUSH);
	d->at = d->n - z->avail_in;
	*ret_n = MIN(n, (size_t)UINT32_MAX) - z->avail_out;
	d->more = r == Z_OK && z->avail_out == 0;
	d->ended = r != Z_OK && r != Z_BUF_ERROR; /* the end of the stream too: nothing can follow it */
	if (d->ended) {
		d->at = d->n;
		if (r != Z_STREAM_END)
			log_debug("compressed input is damaged", LOG_C("session", c->info.id));
	}
	return *ret_n > 0 ? ST_OK : d->ended ? ST_CLOSED : ST_AGAIN;
}

static enum status raw_read(struct net_conn *c)
{
	struct net_deflate *d = c->deflate;
	size_t              got = 0;
	enum status         st;

	if (!d->raw) {
		d->raw = malloc(RAW);
		CHECK(d->raw);
	}
	st = net_raw_read(c, d->raw, RAW, &got);
	d->at = 0;
	d->n = st == ST_OK ? got : 0;
	return st;
}

enum status net_deflate_read(struct net_conn *c, char *p, size_t n, size_t *ret_n)
{
	enum status st = ST_AGAIN;

	do {
		if (c->deflate->ended)
			return ST_CLOSED;
		if (!net_deflate_pending(c) && (st = raw_read(c)) != ST_OK)
			return st;
		st = inflate_some(c, p, n, ret_n);
	} while (st == ST_AGAIN);
	return st;
}

/* Behind a whole block, on an octet: what was said is all the coder knows. */
static bool inflater_clean(const z_stream *z)
{
	return z->data_type == 128;
}

static bool count(struct net_conn *c, size_t octets)
{
	struct net_deflate *d = c->deflate;

	if (octets > d->counted && !net_memory_take(c->net, octets - d->counted))
		return false;
	if (octets < d->counted)
		net_memory_give(c->net, d->counted - octets);
	d->counted = octets;
	return true;
}

/* The past goes into the connection, the coder to the thread. */
static void inflater_leave(struct net_conn *c)
{
	struct net_deflate *d = c->deflate;
	char                window[HISTORY];
	uInt                n = sizeof(window);

	CHECK(inflateGetDictionary(d->live, (Bytef *)window, &n) == Z_OK);
	if (!d->history || n != d->history_n) {
		free(d->history);
		d->history = malloc(n ? n : 1);
		CHECK(d->history);
	}
	memcpy(d->history, window, n);
	d->history_n = n;
	if (d->own && c->w->inflater)
		inflater_free(&d->own);
	else if (d->own)
		c->w->inflater = d->own;
	d->own = NULL;
}

bool net_deflate_detach(struct net_conn *c)
{
	struct net_deflate *d = c->deflate;

	if (d->n == d->at) {
		free(d->raw);
		d->raw = NULL;
		d->at = d->n = 0;
	}
	if (d->live && !d->more && !d->ended && inflater_clean(d->live)) {
		inflater_leave(c);
	} else if (d->live && !d->own) {
		d->own = d->live;
		c->w->inflater = NULL;
		free(d->history);
		d->history = NULL;
		d->history_n = 0;
	}
	d->live = NULL;
	return count(c, d->history_n + (d->raw ? RAW : 0) + (d->own ? STATE : 0));
}

/* ---- output ---- */

/* Z_SYNC_FLUSH and Z_FINISH: all of it is out, on an octet. */
static void deflate_all(struct net_conn *c, struct str in, int how, void (*send)(struct net_conn *c, struct str octets))
{
	z_stream *z;
	char      out[4096];

	if (!c->w->deflating)
		deflater_begin(c->w);
	z = c->w->deflater;
	z->next_in = (Bytef *)(uintptr_t)in.p;
	z->avail_in = (uInt)in.n;
	do {
		int r;

		z->next_out = (Bytef *)out;
		z->avail_out = sizeof(out);
		r = deflate(z, how);
		CHECK(r == Z_OK || r == Z_BUF_ERROR || r == Z_STREAM_END);
		send(c, str_n(out, sizeof(out) - z->avail_out));
	} while (z->avail_out == 0 && !c->broken);
}

void net_deflate_write(struct net_conn *c, struct str in, void (*send)(struct net_conn *c, struct str octets))
{
	while (in.n > 0 && !c->broken) {
		struct str piece = str_first(in, 64 * KIB);

		deflate_all(c, piece, Z_NO_FLUSH, send);
		in = str_from(in, piece.n);
		c->w->unflushed = true;
	}
}

void net_deflate_flush(struct net_conn *c, bool end, void (*send)(struct net_conn *c, struct str octets))
{
	if (!c->w->unflushed && !end)
		return;
	c->w->unflushed = false;
	if (!c->broken)
		deflate_all(c, STR(""), end ? Z_FINISH : Z_SYNC_FLUSH, send);
}
