/* net/net_input.c - units out of octets, and the one buffer that owns them.
 *
 * The framing is pure (octets in, event out), so it is tested split at every octet without a socket.
 *
 * LINE ends, RFC 5321 §2.3.8 and §4.1.1.4: with strict_eol a line ends in CRLF. A bare LF gives NET_EV_BARE_EOL at once, so that a
 * person with a terminal is not left waiting, and so does every line end after it up to and including the next CRLF: what
 * stands behind a bare LF is never taken for a command. Without strict_eol a bare LF ends a line too (IMAP clients by hand).
 *
 * A long line is dropped as it comes, all but a last CR, which may belong to its end.
 */
#include "net/net_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define OWN_MIN  ((size_t)512)
#define OWN_KEEP ((size_t)4096) /* up to here copying back to the scratch is cheaper than a second buffer */

/* ---- framing ---- */

void net_unit_begin(struct net_unit *u, const struct net_want *want, bool strict)
{
	bool tainted = u->tainted;

	*u = (struct net_unit){ .want = *want, .left = want->n, .strict = strict, .tainted = tainted };
	if (want->kind == NET_WANT_DOT)
		smtp_data_init(&u->dot, want->normalise);
}

static bool has_stray(struct str line)
{
	return str_find(line, '\r') >= 0 || str_find(line, '\0') >= 0;
}

/* What a line that is dropped begins with. */
static void head_keep(struct net_unit *u, struct str line)
{
	if (u->too_long)
		return; /* kept already */
	u->head_n = (uint8_t)MIN(line.n, sizeof(u->head));
	memcpy(u->head, line.p, u->head_n);
}

static bool line_done(struct net_unit *u, struct str line, struct net_ev *ev)
{
	bool crlf = line.n > 0 && line.p[line.n - 1] == '\r';
	bool bad = u->strict && (!crlf || u->tainted);

	if (u->strict)
		u->tainted = !crlf;
	if (crlf)
		line.n--;
	head_keep(u, line);
	if (u->too_long || line.n > u->want.n)
		*ev = (struct net_ev){ .kind = NET_EV_LONG, .line = str_n(u->head, u->head_n) };
	else if (bad || (u->strict && has_stray(line)))
		*ev = (struct net_ev){ .kind = NET_EV_BARE_EOL, .line = str_n(u->head, u->head_n) };
	else
		*ev = (struct net_ev){ .kind = NET_EV_LINE, .line = line };
	return true;
}

static bool line_feed(struct net_unit *u, struct str *in, struct net_ev *ev)
{
	const char *lf = memchr(in->p + u->scanned, '\n', in->n - u->scanned);

	if (lf) {
		struct str line = str_n(in->p, (size_t)(lf - in->p));
		*in = str_from(*in, line.n + 1);
		return line_done(u, line, ev);
	}
	if (u->too_long || in->n > u->want.n + 1) {
		head_keep(u, *in);
		u->too_long = true;
		*in = str_from(*in, in->p[in->n - 1] == '\r' ? in->n - 1 : in->n);
	}
	u->scanned = in->n;
	return false;
}

static void sink_write(void *ctx, struct str run)
{
	struct net_unit *u = ctx;

	if (!u->refused && !u->want.sink.write(u->want.sink.ctx, run))
		u->refused = true;
	if (!u->refused)
		u->data_n += run.n;
}

static bool data_done(struct net_unit *u, struct net_ev *ev)
{
	bool bare = u->dot.nul || (!u->want.normalise && (u->dot.bare_cr || u->dot.bare_lf));

	*ev = (struct net_ev){ .kind = NET_EV_DATA, .data_n = u->data_n, .refused = u->refused, .bare_eol = bare };
	return true;
}

static bool bytes_feed(struct net_unit *u, struct str *in, struct net_ev *ev)
{
	struct str run = str_first(*in, (size_t)MIN(u->left, (uint64_t)in->n));

	if (run.n > 0)
		sink_write(u, run);
	u->left -= run.n;
	*in = str_from(*in, run.n);
	return u->left == 0 && data_done(u, ev);
}

bool net_unit_feed(struct net_unit *u, struct str *in, struct net_ev *ev)
{
	bool done = false;

	if (u->want.kind == NET_WANT_BYTES && u->left == 0)
		return data_done(u, ev);
	if (in->n == 0 || u->want.kind == NET_WANT_WAKE)
		return false;
	u->begun = true;
	u->octets += in->n;
	switch (u->want.kind) {
	case NET_WANT_LINE:  done = line_feed(u, in, ev); break;
	case NET_WANT_BYTES: done = bytes_feed(u, in, ev); break;
	case NET_WANT_DOT:   done = smtp_data_feed(&u->dot, in, sink_write, u) && data_done(u, ev); break;
	default:             BUG("a unit"); break;
	}
	u->octets -= in->n;
	return done;
}

/* ---- the buffer ---- */

static void own_free(struct net_conn *c)
{
	if (!c->in.lent && c->in.p) {
		free(c->in.p);
		net_memory_give(c->net, c->in.cap);
	}
	c->in = (struct net_input){ 0 };
}

/* Move what is unread into a heap block of `cap` octets. */
static bool own_make(struct net_conn *c, size_t cap)
{
	size_t unread = c->in.n - c->in.at;
	char  *p;

	if (!net_memory_take(c->net, cap))
		return false;
	p = malloc(cap);
	if (!p) {
		fprintf(stderr, "postrider: out of memory\n");
		abort();
	}
	memcpy(p, c->in.p + c->in.at, unread);
	own_free(c);
	c->in = (struct net_input){ .p = p, .n = unread, .cap = cap };
	return true;
}

void net_input_free(struct net_conn *c)
{
	own_free(c);
}

void net_input_attach(struct net_conn *c)
{
	struct net_input old = c->in;
	size_t           unread = old.n - old.at;

	if (unread > OWN_KEEP)
		return;
	if (unread > 0)
		memcpy(c->w->scratch, old.p + old.at, unread);
	own_free(c);
	c->in = (struct net_input){ .p = c->w->scratch, .n = unread, .cap = NET_SCRATCH, .lent = true };
}

bool net_input_detach(struct net_conn *c)
{
	size_t unread = c->in.n - c->in.at;

	if (unread > 0 && (!c->in.lent || own_make(c, MAX(unread, OWN_MIN))))
		return true;
	own_free(c);
	return unread == 0;
}

/* Room for at least one more octet. The framing drops long lines, so a line of want.n and its CRLF is the most that gathers. */
static bool make_room(struct net_conn *c)
{
	struct net_input *in = &c->in;

	if (in->at > 0) {
		memmove(in->p, in->p + in->at, in->n - in->at);
		in->n -= in->at;
		in->at = 0;
	}
	return in->n < in->cap || own_make(c, in->cap * 2);
}

static enum status plain_read(struct net_conn *c, char *p, size_t n, size_t *ret_n)
{
	ssize_t got = recv(c->fd, p, n, MSG_DONTWAIT);

	if (got > 0) {
		*ret_n = (size_t)got;
		return ST_OK;
	}
	c->want_mask = SYS_READY_IN;
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return ST_AGAIN;
	return ST_CLOSED;
}

enum status net_raw_read(struct net_conn *c, char *p, size_t n, size_t *ret_n)
{
	return c->ssl ? net_tls_conn_read(c, p, n, ret_n) : plain_read(c, p, n, ret_n);
}

bool net_below_pending(const struct net_conn *c)
{
	return (c->ssl && net_tls_conn_pending(c)) || (c->deflate && net_deflate_pending(c));
}

enum status net_input_fill(struct net_conn *c)
{
	struct net_input *in = &c->in;
	size_t            got;
	enum status       st;

	if (!make_room(c))
		return ST_LIMIT;
	if (c->deflate)
		st = net_deflate_read(c, in->p + in->n, in->cap - in->n, &got);
	else
		st = net_raw_read(c, in->p + in->n, in->cap - in->n, &got);
	if (st == ST_OK)
		in->n += got;
	return st;
}

bool net_input_pending(struct net_conn *c)
{
	return c->in.n > c->in.at || net_below_pending(c);
}

bool net_input_arrived(struct net_conn *c)
{
	/* The end of the peer's input, or an error, is met again by the next read. */
	if (!net_input_pending(c) && !c->ssl)
		(void)!net_input_fill(c);
	return net_input_pending(c);
}
