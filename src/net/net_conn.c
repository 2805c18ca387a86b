/* net/net_conn.c - one connection: who may touch it, what it waits for, and what happens next.
 *
 * The owner word
 *
 *   free -----------------------> OWNED          post(reason) by poller, keeper, net_wake, drain: the poster runs or queues it
 *   OWNED -----post(reason)-----> OWNED|reason   the poster goes away; the owner looks before it leaves
 *   OWNED|reason --absorb-------> OWNED          the owner moves the reasons into c->flags
 *   OWNED -----release----------> free           compare-and-swap; fails if a reason came, then the owner goes on
 *   OWNED forever                                dead: posts are no-ops, so net_wake after the end does nothing
 *
 * States, and what may be trusted in each
 *
 *   NEW ----------> (PROXY, if the listener wants it) --> (HANDSHAKE on implicit TLS) --> START given
 *   HANDSHAKE ----> WAIT                         NET_EV_TLS, or START
 *   WAIT ---------> WAIT | HANDSHAKE | LINGER    what the handler returned
 *   any ----------> LINGER --------> DEAD        ours is flushed and shut; drop input until the peer's end, bounded
 *   any ----------> HANGUP --------> DEAD        armed, and not wanted any more: shutdown() makes the event come
 *
 *   NEW, PROXY, HANDSHAKE   fd; no session before START
 *   WAIT             session, unit; tls as said by ssl
 *   LINGER, HANGUP   fd only: session, TLS object, arena and buffers are gone
 *   DEAD             nothing but the word and the count of references
 *
 * Invariants (conn_check)
 *   1. Only the owner touches anything behind the word, and one thread owns.
 *   2. `armed` means: exactly one event is to come for it, and NET_SOCKET takes `armed` back. An armed connection is never
 *      freed, so an event never finds freed memory.
 *   3. An armed connection is not armed again, not even for something else: a thread may hold its event already, and there
 *      would be two. So in WAKE, where nothing is wanted, it is not armed anew, and what was armed before stays.
 *   4. A connection that waits is armed, unless in WAKE; it has its deadline in the heap, no output, no scratch memory.
 *   5. It is armed only when the buffer holds no whole unit, and the TLS object and the coder nothing to read.
 */
#include "net/net_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"

#define SKIP_READS 16 /* reads on speculation left out after one that found nothing */

enum step {
	STEP_AGAIN, /* something happened: look again */
	STEP_WAIT,  /* nothing to do until a reason comes */
	STEP_END,   /* free it */
};

/* ---- the owner word ---- */

bool net_conn_post(struct net_conn *c, uint32_t reason)
{
	return !(atomic_fetch_or_explicit(&c->word, reason | NET_OWNED, memory_order_acq_rel) & NET_OWNED);
}

void net_conn_poke(struct net_conn *c, uint32_t reason)
{
	if (net_conn_post(c, reason))
		net_queue_push(c->net, c);
}

static void absorb(struct net_conn *c)
{
	uint32_t word;

	if (!(atomic_load_explicit(&c->word, memory_order_relaxed) & NET_PENDING))
		return;
	word = atomic_fetch_and_explicit(&c->word, ~(uint32_t)NET_PENDING, memory_order_acq_rel);
	c->flags |= word & NET_PENDING;
	if (word & NET_SOCKET)
		c->armed = false;
}

static bool release(struct net_conn *c)
{
	uint32_t owned = NET_OWNED;

	return atomic_compare_exchange_strong_explicit(&c->word, &owned, 0, memory_order_acq_rel, memory_order_relaxed);
}

static void conn_check(const struct net_conn *c)
{
	CHECK(atomic_load_explicit(&c->word, memory_order_relaxed) & NET_OWNED);
	CHECK(c->state != NET_STATE_DEAD && c->fd >= 0);
	CHECK(!c->armed || c->added);
	CHECK(c->opened || c->state != NET_STATE_WAIT);
	CHECK(!(c->opened || c->ssl || c->deflate || c->arena) || (c->state != NET_STATE_LINGER && c->state != NET_STATE_HANGUP));
	CHECK(c->in.at <= c->in.n && c->in.n <= c->in.cap);
	CHECK(!c->w || c->in.p);
}

/* ---- life ---- */

struct net_conn *net_conn_new(struct net *net, struct net_listener *l, int fd, const struct net_info *info)
{
	struct net_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		fprintf(stderr, "postrider: out of memory\n");
		abort();
	}
	c->item.kind = NET_ITEM_CONN;
	atomic_init(&c->word, NET_OWNED);
	atomic_init(&c->refs, 1);
	atomic_init(&c->deadline, NET_NEVER);
	atomic_init(&c->timer_at, NET_NEVER);
	c->net = net;
	c->listener = l;
	c->fd = fd;
	c->info = *info;
	c->skip_reads = 1; /* nobody answers before the greeting */
	pthread_mutex_lock(&net->list_lock);
	c->next = net->list;
	c->link = &net->list;
	if (c->next)
		c->next->link = &c->next;
	net->list = c;
	atomic_fetch_add(&net->connections, 1);
	pthread_mutex_unlock(&net->list_lock);
	return c;
}

/* All that the session had; the descriptor stays. */
static void session_end(struct net_conn *c, bool notify)
{
	if (c->opened)
		c->listener->proto->close(c->session);
	c->opened = false;
	net_deflate_free(c);
	if (c->ssl)
		net_tls_conn_end(c, notify && !c->broken);
	arena_free(&c->arena);
	c->in.at = c->in.n;
}

static void conn_free(struct net_conn *c)
{
	struct net *net = c->net;

	CHECK(!c->armed);
	c->in.at = c->in.n;
	CHECK(net_input_detach(c)); /* also a buffer of its own that was too full to go back to the thread's */
	net_timer_remove(c);
	net_source_leave(c);
	net_source_remove(c);
	net_input_free(c);
	pthread_mutex_lock(&net->list_lock);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	close(c->fd); /* here: net_drain shuts descriptors down with this lock */
	c->fd = -1;
	c->state = NET_STATE_DEAD;
	if (atomic_fetch_sub(&net->connections, 1) == 1)
		pthread_cond_broadcast(&net->list_empty);
	pthread_mutex_unlock(&net->list_lock);
	net_unref(&c);
}

void net_conn_discard(struct net_conn *c)
{
	conn_free(c);
}

struct net_conn *net_ref(struct net_conn *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void net_unref(struct net_conn **cp)
{
	struct net_conn *c = *cp;

	*cp = NULL;
	if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
		free(c);
}

void net_wake(struct net_conn *c)
{
	net_conn_poke(c, NET_WAKE);
}

/* ---- ends ---- */

/* Nothing more can be said: free it, once no event can come. */
static enum step hang_up(struct net_conn *c)
{
	c->w->out_n = 0;
	c->w->unflushed = false;
	session_end(c, false);
	if (!c->armed)
		return STEP_END;
	shutdown(c->fd, SHUT_RDWR);
	c->state = NET_STATE_HANGUP;
	return STEP_WAIT;
}

/* Say the end in TLS and TCP, then wait for the peer's: closing with unread input would reset the connection, and
 * the peer could lose our last reply (RFC 9293 §3.6, RFC 2525 §2.17). */
static enum step linger(struct net_conn *c)
{
	net_output_end(c);
	session_end(c, true);
	if (c->broken || shutdown(c->fd, SHUT_WR) < 0)
		return hang_up(c);
	c->state = NET_STATE_LINGER;
	c->want_mask = SYS_READY_IN;
	c->idle_until = clock_mono_ms() + NET_LINGER_MS;
	return STEP_AGAIN;
}

static enum step linger_step(struct net_conn *c)
{
	ssize_t n;

	if (net_timed_out(c))
		return hang_up(c);
	n = recv(c->fd, c->w->scratch, NET_SCRATCH, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return STEP_WAIT;
	c->lingered += n > 0 ? (size_t)n : 0;
	return n <= 0 || c->lingered > NET_LINGER_MAX ? hang_up(c) : STEP_AGAIN;
}

/* The process has no memory for what the peer sent: its protocol's refusal. */
static enum step no_memory(struct net_conn *c)
{
	log_debug("input refused, memory limit", LOG_C("session", c->info.id));
	c->in.at = c->in.n;
	net_write(c, str_of(c->listener->proto->refused));
	return linger(c);
}

/* ---- what the handler wants ---- */

static void tls_start(struct net_conn *c)
{
	struct net_limits limits;

	net_limits_get(c->net, &limits);
	net_tls_conn_begin(c);
	c->idle_until = limits.handshake_ms ? clock_mono_ms() + limits.handshake_ms : NET_NEVER;
	c->state = NET_STATE_HANDSHAKE;
}

static enum step tls_begin(struct net_conn *c)
{
	if (net_flush(c) != ST_OK)
		return hang_up(c);
	/* RFC 3207 §4.2: nothing sent in clear may be read as if it came under TLS. */
	if (c->in.n > c->in.at) {
		log_debug("plain text before TLS", LOG_C("session", c->info.id));
		return hang_up(c);
	}
	CHECK(c->listener->has_tls && !c->ssl);
	tls_start(c);
	return STEP_AGAIN;
}

static enum step wanted(struct net_conn *c, const struct net_want *want)
{
	int64_t now;

	if (c->broken)
		return hang_up(c);
	switch (want->kind) {
	case NET_WANT_CLOSE: return linger(c);
	case NET_WANT_TLS:   return tls_begin(c);
	case NET_WANT_LINE:
	case NET_WANT_BYTES:
	case NET_WANT_DOT:
	case NET_WANT_WAKE:  break;
	}
	net_unit_begin(&c->unit, want, c->listener->proto->strict_eol);
	now = clock_mono_ms();
	c->unit_from = c->progress_at = 0;
	c->idle_until = want->timeout_ms ? now + want->timeout_ms : NET_NEVER;
	c->state = NET_STATE_WAIT;
	return STEP_AGAIN;
}

static enum step give(struct net_conn *c, const struct net_ev *ev)
{
	struct net_want want;

	atomic_fetch_add_explicit(&c->w->beat, 1, memory_order_relaxed);
	want = c->listener->proto->handle(c->session, ev);
	return wanted(c, &want);
}

static enum step give_kind(struct net_conn *c, enum net_ev_kind kind)
{
	return give(c, &(struct net_ev){ .kind = kind });
}

static enum step start(struct net_conn *c)
{
	c->session = c->listener->proto->open(c->listener->ctx, c);
	c->opened = c->started = true;
	return give_kind(c, NET_EV_START);
}

/* ---- the states ---- */

static enum step handshake_step(struct net_conn *c)
{
	if (net_timed_out(c))
		return hang_up(c);
	switch (net_tls_conn_handshake(c)) {
	case ST_OK:    break;
	case ST_AGAIN: return STEP_WAIT;
	default:       return linger(c); /* an alert may be on its way */
	}
	return c->started ? give_kind(c, NET_EV_TLS) : start(c);
}

static enum step proxy_step(struct net_conn *c)
{
	if (net_timed_out(c))
		return hang_up(c);
	c->flags &= ~NET_SOCKET;
	switch (net_peer_proxy(c)) {
	case ST_OK: break;
	case ST_AGAIN:
		c->want_mask = SYS_READY_IN;
		return STEP_WAIT;
	case ST_LIMIT:
		atomic_fetch_add(&c->net->refused, 1);
		if (!c->listener->implicit)
			net_write(c, str_of(c->listener->proto->refused));
		if (c->listener->proto->turned_away)
			c->listener->proto->turned_away(c->listener->ctx, &c->info);
		return linger(c);
	case ST_INVALID:
		log_warn("connection dropped, no PROXY header", LOG_C("protocol", c->listener->proto->name), LOG_C("peer", c->info.peer));
		return hang_up(c);
	default: return hang_up(c);
	}
	c->proxied = false;
	c->state = NET_STATE_NEW;
	return STEP_AGAIN;
}

static enum step new_step(struct net_conn *c)
{
	if (c->proxied) {
		c->state = NET_STATE_PROXY;
		c->idle_until = clock_mono_ms() + LIMIT_PROXY_MS;
		return STEP_AGAIN;
	}
	if (!c->listener->implicit)
		return start(c);
	tls_start(c);
	return STEP_AGAIN;
}

/* Between units, what the process has to say comes before what the peer says next. */
static bool between_units(const struct net_conn *c)
{
	return !c->unit.begun && (c->unit.want.kind == NET_WANT_WAKE || c->unit.want.kind == NET_WANT_LINE);
}

static enum step read_more(struct net_conn *c)
{
	bool        asked = c->flags & NET_SOCKET, pending = net_below_pending(c);
	enum status st;

	/* No event although armed: nothing is there. Not armed: arming notices what is there, so reading on speculation
	 * only pays for a peer that pipelines or answers at once; after a miss it is not tried for a while. */
	c->flags &= ~NET_SOCKET;
	if (!asked && !pending && (c->armed || (!c->unit.begun && c->skip_reads > 0))) {
		if (!c->armed)
			c->skip_reads--;
		c->want_mask = SYS_READY_IN;
		return STEP_WAIT;
	}
	st = net_input_fill(c);
	if (!asked && !c->unit.begun)
		c->skip_reads = st == ST_AGAIN ? SKIP_READS : 0;
	switch (st) {
	case ST_OK:    c->progress_at = c->unit_from ? clock_mono_ms() : 0; return STEP_AGAIN;
	case ST_AGAIN: return STEP_WAIT;
	case ST_LIMIT: return no_memory(c);
	default:       return hang_up(c);
	}
}

static bool unit_ready(struct net_conn *c, struct net_ev *ret_ev)
{
	struct str in = net_input_str(c);
	bool       done = net_unit_feed(&c->unit, &in, ret_ev);

	c->in.at = c->in.n - in.n;
	return done;
}

static enum step wait_step(struct net_conn *c)
{
	struct net_ev ev;

	if ((c->flags & NET_DRAIN) && between_units(c)) {
		c->flags &= ~NET_DRAIN;
		return give_kind(c, NET_EV_DRAIN);
	}
	if (unit_ready(c, &ev))
		return give(c, &ev);
	if ((c->flags & NET_WAKE) && between_units(c)) {
		c->flags &= ~NET_WAKE;
		return give_kind(c, NET_EV_WAKE);
	}
	if (net_timed_out(c))
		return give_kind(c, NET_EV_TIMEOUT);
	if (net_flush(c) != ST_OK)
		return hang_up(c);
	if (c->unit.want.kind != NET_WANT_WAKE)
		return read_more(c);
	c->want_mask = SYS_READY_NONE;
	return STEP_WAIT;
}

static enum step step(struct net_conn *c)
{
	conn_check(c);
	if (c->flags & NET_KILL && c->state != NET_STATE_HANGUP) {
		c->flags &= ~NET_KILL;
		return hang_up(c);
	}
	switch ((enum net_state)c->state) {
	case NET_STATE_NEW:       return new_step(c);
	case NET_STATE_PROXY:     return proxy_step(c);
	case NET_STATE_HANDSHAKE: return handshake_step(c);
	case NET_STATE_WAIT:      return wait_step(c);
	case NET_STATE_LINGER:    return linger_step(c);
	case NET_STATE_HANGUP:    return c->armed ? STEP_WAIT : STEP_END;
	case NET_STATE_DEAD:      break;
	}
	BUG("dead");
	return STEP_END;
}

/* ---- running ---- */

/* False: the system refused, or it is armed for the other direction. */
static bool arm(struct net_conn *c)
{
	atomic_store(&c->deadline, net_deadline_of(c));
	net_timer_set(c);
	if (c->armed || c->want_mask == SYS_READY_NONE)
		return c->want_mask == SYS_READY_NONE || c->state == NET_STATE_HANGUP || c->armed_mask == c->want_mask;
	if (!sys_ready_arm(c->net->poll, c->fd, !c->added, c->want_mask, &c->item))
		return false;
	c->added = c->armed = true;
	c->armed_mask = c->want_mask;
	return true;
}

static void attach(struct net_worker *w, struct net_conn *c)
{
	c->w = w;
	w->deflating = false;
	net_input_attach(c);
}

/* Look until it waits or ends, or has had its turn. */
static enum step run_steps(struct net_conn *c)
{
	enum step st = STEP_AGAIN;

	for (unsigned i = 0; st == STEP_AGAIN && i < NET_BURST; i++) {
		absorb(c);
		st = step(c);
	}
	if (st == STEP_AGAIN && c->state == NET_STATE_WAIT && net_flush(c) != ST_OK)
		st = hang_up(c);
	if (st != STEP_END && ((c->deflate && !net_deflate_detach(c)) || !net_input_detach(c))) {
		st = no_memory(c);
		CHECK(!c->deflate && net_input_detach(c)); /* nothing is left in it */
	}
	return st;
}

void net_conn_run(struct net_worker *w, struct net_conn *c)
{
	do {
		enum step st;

		if (!net_source_enter(c))
			return;
		attach(w, c);
		st = run_steps(c);
		if (st != STEP_END && !(st == STEP_AGAIN || arm(c)))
			st = hang_up(c);
		net_source_leave(c);
		c->w = NULL;
		if (st == STEP_END) {
			struct net *net = c->net;

			conn_free(c);
			net_listeners_resume(net);
			return;
		}
		if (st == STEP_AGAIN) {
			net_queue_push(c->net, c);
			return;
		}
	} while (!release(c));
}

/* ---- what handlers ask ---- */

const struct net_info *net_info(const struct net_conn *c)
{
	return &c->info;
}

struct arena *net_arena(struct net_conn *c)
{
	if (!c->arena)
		c->arena = arena_new(NULL);
	return c->arena;
}

bool net_tls_possible(const struct net_conn *c)
{
	return c->listener->has_tls && !c->ssl;
}

struct net *net_of(const struct net_conn *c)
{
	return c->net;
}
