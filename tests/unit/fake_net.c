/* tests/unit/fake_net.c - see fake_net.h. */
#include "fake_net.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fake_init(struct net_conn *c)
{
	*c = (struct net_conn){ .arena = arena_new(NULL), .tls_possible = true };
	c->info = (struct net_info){ .peer = "192.0.2.7", .peer_port = 40000, .local_port = 25, .id = "s1" };
	buf_init(&c->in, SIZE_MAX / 2);
	buf_init(&c->out, SIZE_MAX / 2);
}

static void handle(struct net_conn *c, const struct net_ev *ev)
{
	c->want = c->proto->handle(c->session, ev);
	c->long_line = false;
	if (c->want.kind == NET_WANT_DOT || c->want.kind == NET_WANT_BYTES) {
		smtp_data_init(&c->data, c->want.normalise);
		c->data_n = 0;
		c->data_refused = false;
	}
	if (c->want.kind == NET_WANT_CLOSE)
		c->closed = true;
}

static bool sink_take(struct net_conn *c, struct str run)
{
	if (!c->data_refused && !c->want.sink.write(c->want.sink.ctx, run))
		c->data_refused = true;
	c->data_n += run.n;
	return !c->data_refused;
}

static bool line_is_bare(struct str s)
{
	return str_find(s, '\r') >= 0 || str_find(s, '\n') >= 0 || str_find(s, '\0') >= 0;
}

/* false: more input is needed. */
static bool step_line(struct net_conn *c)
{
	ptrdiff_t     end = str_search(buf_str(&c->in), STR("\r\n"));
	struct net_ev ev = { .kind = NET_EV_LINE };
	char         *line;

	if (end < 0) {
		if (c->in.n > c->want.n + 2) {
			c->long_line = true;
			buf_consume(&c->in, c->in.n - 1); /* a CR may be the last */
		}
		return false;
	}
	line = malloc(end ? (size_t)end : 1);
	if (end)
		memcpy(line, c->in.p, (size_t)end);
	buf_consume(&c->in, (size_t)end + 2);
	ev.line = str_n(line, (size_t)end);
	if (c->long_line || ev.line.n > c->want.n)
		ev = (struct net_ev){ .kind = NET_EV_LONG };
	else if (c->proto->strict_eol && line_is_bare(ev.line))
		ev = (struct net_ev){ .kind = NET_EV_BARE_EOL };
	handle(c, &ev);
	free(line);
	return true;
}

static void sink(void *ctx, struct str run)
{
	sink_take(ctx, run);
}

/* Pieces in blocks of exactly their size. */
static bool step_bytes(struct net_conn *c)
{
	struct str run = str_first(buf_str(&c->in), c->want.n - c->data_n);
	char      *block = malloc(run.n ? run.n : 1);

	if (run.n) {
		memcpy(block, run.p, run.n);
		buf_consume(&c->in, run.n);
		sink_take(c, str_n(block, run.n));
	}
	free(block);
	if (c->data_n < c->want.n)
		return false;
	handle(c, &(struct net_ev){ .kind = NET_EV_DATA, .data_n = c->data_n, .refused = c->data_refused });
	return true;
}

static bool step_dot(struct net_conn *c)
{
	struct str rest = buf_str(&c->in);
	bool       end = smtp_data_feed(&c->data, &rest, sink, c);

	buf_consume(&c->in, c->in.n - rest.n);
	if (!end)
		return false;
	handle(c, &(struct net_ev){ .kind = NET_EV_DATA,
				    .data_n = c->data_n,
				    .refused = c->data_refused,
				    .bare_eol = c->data.nul || (!c->want.normalise && (c->data.bare_cr || c->data.bare_lf)) });
	return true;
}

static void pump(struct net_conn *c)
{
	bool more = true;

	while (more && !c->closed) {
		switch (c->want.kind) {
		case NET_WANT_LINE: more = step_line(c); break;
		case NET_WANT_DOT: more = step_dot(c); break;
		case NET_WANT_BYTES: more = step_bytes(c); break;
		case NET_WANT_TLS:
			c->closed = c->in.n > 0; /* plaintext behind STARTTLS */
			more = false;
			break;
		default: more = false; break;
		}
	}
}

void fake_start(struct net_conn *c, const struct net_proto *proto, void *ctx)
{
	c->proto = proto;
	c->session = proto->open(ctx, c);
	handle(c, &(struct net_ev){ .kind = NET_EV_START });
	pump(c);
}

void fake_feed(struct net_conn *c, struct str octets)
{
	buf_add(&c->in, octets);
	pump(c);
}

void fake_tls(struct net_conn *c)
{
	CHECK(c->want.kind == NET_WANT_TLS && !c->closed);
	c->info.tls = true;
	c->info.tls_version = "TLSv1.3";
	c->info.tls_cipher = "TLS_AES_256_GCM_SHA384";
	handle(c, &(struct net_ev){ .kind = NET_EV_TLS });
	pump(c);
}

void fake_event(struct net_conn *c, enum net_ev_kind kind)
{
	handle(c, &(struct net_ev){ .kind = kind });
	pump(c);
}

void fake_done(struct net_conn *c)
{
	if (c->session)
		c->proto->close(c->session);
	CHECK(c->memory == 0);
	arena_free(&c->arena);
	buf_done(&c->in);
	buf_done(&c->out);
}

/* ---- net.h ---- */

void net_write(struct net_conn *c, struct str octets)
{
	buf_add(&c->out, octets);
}

void net_printf(struct net_conn *c, const char *fmt, ...)
{
	char    text[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_add(&c->out, str_of(text));
}

enum status net_flush(struct net_conn *c)
{
	return c->closed ? ST_CLOSED : ST_OK;
}

bool net_input_pending(struct net_conn *c)
{
	return c->in.n > 0;
}

bool net_input_arrived(struct net_conn *c)
{
	return c->in.n > 0;
}

const struct net_info *net_info(const struct net_conn *c)
{
	return &c->info;
}

struct arena *net_arena(struct net_conn *c)
{
	return c->arena;
}

/* What is asked is answered at once, so nobody waits to be woken. */
struct net_conn *net_ref(struct net_conn *c)
{
	return c;
}

void net_unref(struct net_conn **c)
{
	*c = NULL;
}

void net_wake(struct net_conn *c)
{
	(void)c;
}

void net_distrust(const struct net_conn *c)
{
	(void)c;
}

void net_trust(struct net_conn *c)
{
	c->trusted = true;
}

bool net_peer_set(struct net_conn *c, const char *address, unsigned port)
{
	snprintf(c->info.peer, sizeof(c->info.peer), "%s", address);
	c->info.peer_port = port;
	c->info.loopback = str_starts(str_of(address), STR("127."));
	return !c->peer_refused;
}

bool net_tls_possible(const struct net_conn *c)
{
	return c->tls_possible && !c->info.tls;
}

struct net *net_of(const struct net_conn *c)
{
	return (struct net *)(uintptr_t)c;
}

static struct net_conn *conn_of(struct net *net)
{
	return (struct net_conn *)(void *)net;
}

bool net_memory_take(struct net *net, size_t octets)
{
	struct net_conn *c = conn_of(net);

	if (c->memory_limit && (octets > c->memory_limit || c->memory > c->memory_limit - octets))
		return false;
	c->memory += octets;
	return true;
}

void net_memory_give(struct net *net, size_t octets)
{
	struct net_conn *c = conn_of(net);

	CHECK(octets <= c->memory);
	c->memory -= octets;
}

struct str net_channel_binding(const struct net_conn *c, enum net_binding kind, char out[NET_BINDING_OCTETS])
{
	struct str s = kind == NET_BINDING_EXPORTER ? c->exporter : c->end_point;

	CHECK(s.n <= NET_BINDING_OCTETS);
	if (!c->info.tls || s.n == 0)
		return STR_NONE;
	memcpy(out, s.p, s.n);
	return str_n(out, s.n);
}

struct str net_peer_certificate(const struct net_conn *c, char out[NET_FINGERPRINT_OCTETS])
{
	if (!c->info.tls || c->certificate.n == 0)
		return STR_NONE;
	memcpy(out, c->certificate.p, NET_FINGERPRINT_OCTETS);
	return str_n(out, NET_FINGERPRINT_OCTETS);
}

/* No fake of it: sessions over the fake are not compressed. */
enum status net_compress(struct net_conn *c)
{
	(void)c;
	return ST_CLOSED;
}

bool net_compressing(const struct net_conn *c)
{
	(void)c;
	return false;
}
