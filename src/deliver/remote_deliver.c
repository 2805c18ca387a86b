/* deliver/remote_deliver.c - one message to one next hop; the contract is in remote.h. */
#include "base/metric.h"
#include "deliver/remote.h"
#include "deliver/remote_hosts.h"
#include "deliver/remote_params.h"
#include "deliver/remote_policy.h"
#include "deliver/remote_pool.h"
#include "deliver/remote_result.h"
#include "deliver/remote_session.h"
#include "deliver/remote_tx.h"
#include "deliver/remote_way.h"
#include "sys/clock.h"
#include "wire/address/address.h"

const struct remote_timeouts remote_timeouts_default = {
	.connect_ms = 30 * 1000,
	.beside_ms = 2 * 1000,
	.greeting_ms = 300 * 1000,
	.hello_ms = 300 * 1000,
	.tls_ms = 60 * 1000,
	.mail_ms = 300 * 1000,
	.rcpt_ms = 300 * 1000,
	.data_ms = 120 * 1000,
	.block_ms = 180 * 1000,
	.dot_ms = 600 * 1000,
	.quit_ms = 5 * 1000,
	.total_ms = 1800 * 1000,
	.policy_ms = 75 * 1000,
};

struct delivery {
	const struct remote                 *remote;
	const struct remote_deliver_request *q;
	const struct remote_asker           *asker;
	struct arena                        *arena;
	struct remote_results                results;
	struct remote_content                content;
	struct remote_ways                   ways;
	struct str                           ascii_from;  /* as q->from and q->rcpts, */
	struct remote_rcpt                  *ascii_rcpts; /* with their domains in A-labels */
	int64_t                              began_ms, deadline_ms;
	bool                                 utf8_as_given, utf8_address; /* some are not ASCII: as they are given; even so */
	unsigned                             sessions;     /* that got as far as a transaction */
	bool                                 no_bdat, no_early; /* with the present target */
	enum remote_site                     site;
	struct str                           tried, last; /* hosts that were of no use; the last of them, which is not in the text yet */
	struct remote_deliver_note           note;
};

/* Fit to stand between "<" and ">" in a command: nothing that ends the path or the line, RFC 5321 §4.1.2. */
static bool address_writable(struct str address)
{
	bool quoted = false;

	if (address.n > LIMIT_ADDRESS || str_has_ctl(address) || !str_is_utf8(address))
		return false;
	for (size_t i = 0; i < address.n; i++) {
		char c = address.p[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == ' ' || c == '<' || c == '>'))
			return false;
	}
	return !quoted;
}

static void check_addresses(struct delivery *d)
{
	static const struct remote_outcome bad_from = { REMOTE_REFUSED, STR("5.1.7"), STR("Malformed sender address") };
	static const struct remote_outcome bad_rcpt = { REMOTE_REFUSED, STR("5.1.3"),
							STR("Malformed recipient address") };
	bool                               from_fits = address_writable(d->q->from);

	d->ascii_from = address_ascii(d->arena, d->q->from);
	d->ascii_rcpts = ARENA_ARRAY(d->arena, struct remote_rcpt, d->q->rcpt_count);
	d->utf8_address = !str_is_ascii(d->ascii_from);
	d->utf8_as_given = !str_is_ascii(d->q->from);
	for (size_t i = 0; i < d->q->rcpt_count; i++) {
		struct str address = d->q->rcpts[i].address;

		if (!from_fits)
			remote_results_close(&d->results, i, bad_from);
		else if (address.n == 0 || !address_writable(address))
			remote_results_close(&d->results, i, bad_rcpt);
		d->ascii_rcpts[i] = d->q->rcpts[i];
		d->ascii_rcpts[i].address = address_ascii(d->arena, address);
		d->utf8_as_given = d->utf8_as_given || !str_is_ascii(address);
		if (!d->results.states[i].closed && !str_is_ascii(d->ascii_rcpts[i].address))
			d->utf8_address = true;
	}
}

/* What this peer cannot take, told without sending it. Another host of the domain may be able to. */
static bool peer_unfit(const struct delivery *d, const struct remote_deliver_request *now, const struct smtp_caps *caps, struct remote_outcome *ret_why)
{
	static const struct remote_outcome too_big = { REMOTE_REFUSED, STR("5.3.4"),
						       STR("Message is larger than the host takes") };
	static const struct remote_outcome no_8bit = { REMOTE_REFUSED, STR("5.6.3"),
						       STR("Host does not take 8-bit content") };
	static const struct remote_outcome no_utf8 = {
		REMOTE_REFUSED, STR("5.6.7"),
		STR("Host does not take internationalised addresses or headers (SMTPUTF8)")
	};
	bool utf8 = d->utf8_address || ((d->q->flags & QUEUE_FLAG_SMTPUTF8) && d->content.eight_bit_header);

	if (utf8 && !(caps->offered & SMTP_CAP_SMTPUTF8))
		*ret_why = no_utf8;
	else if (d->content.eight_bit && !(caps->offered & SMTP_CAP_8BITMIME))
		*ret_why = no_8bit;
	else if (caps->size_octets > 0 && d->content.size > caps->size_octets)
		*ret_why = too_big;
	else
		return remote_params_unfit(now, caps, ret_why);
	return true;
}

/* As this peer is asked: with what is left of the time, and in its letters. */
static struct remote_deliver_request request_now(const struct delivery *d, const struct smtp_caps *caps)
{
	struct remote_deliver_request q = *d->q;

	q.by_s -= (clock_mono_ms() - d->began_ms) / 1000;
	if (!(caps->offered & SMTP_CAP_SMTPUTF8)) {
		q.from = d->ascii_from;
		q.rcpts = d->ascii_rcpts;
	} else if (d->utf8_as_given) {
		q.flags |= QUEUE_FLAG_SMTPUTF8;
	}
	return q;
}

/* ---- one target ---- */

/* A host that was of no use, and why. The last one's words are the recipients' unless another host answers. */
static void tried_add(struct delivery *d, struct str name, struct str why)
{
	const char *before = d->tried.n > 0 ? "; " : "";

	if (d->last.n > 0)
		d->tried = str_first(arena_printf(d->arena, "%.*s%s%.*s", STR_FMT(d->tried), before, STR_FMT(d->last)), LIMIT_REMOTE_TRIED);
	d->last = name.n > 0 ? arena_printf(d->arena, "%.*s: %.*s", STR_FMT(name), STR_FMT(why)) : STR("");
}

/* From the pool. */
static struct remote_session *session_go_on(struct delivery *d, struct remote_session *s)
{
	remote_session_attach(s, d->remote, d->arena, d->deadline_ms);
	s->asker = d->asker;
	metric_add(METRIC_REMOTE_REUSED, 1);
	return s;
}

/* A new one. What it is worth is in *ret_opened, and why in *ret_why. */
static struct remote_session *session_new(struct delivery *d, struct remote_way *way, enum remote_open *ret_opened, struct remote_outcome *ret_why)
{
	struct remote_session *s = remote_session_new(d->remote, d->arena, d->deadline_ms);

	s->asker = d->asker;
	if (way->fd < 0) {
		metric_add(METRIC_REMOTE_CONNECTIONS, 1);
		d->ways.connects++;
	}
	*ret_opened = remote_session_open(s, way->target, way->policy, &d->q->hop, way->fd, ret_why);
	way->fd = -1;
	if (s->suspect)
		remote_hosts_mark(d->remote->hosts, way->target, REMOTE_HOST_SUSPECT);
	else if (!s->unasked)
		remote_hosts_clear(d->remote->hosts, way->target, REMOTE_HOST_SUSPECT);
	return s;
}

/* The session's own words, for the results; it may be gone before they are read. */
static void results_name(struct delivery *d, const struct remote_session *s)
{
	d->results.host = arena_dup(d->arena, s->host);
	d->results.tls = arena_dup(d->arena, s->tls);
	d->results.passes = remote_params_passes(&s->caps);
}

static void site_note(struct delivery *d, bool talked, bool unasked)
{
	if (talked)
		d->site = REMOTE_SITE_ANSWERED;
	else if (!unasked && d->site != REMOTE_SITE_ANSWERED)
		d->site = REMOTE_SITE_TROUBLE;
}

/* A session that is ready. */
static enum remote_tx_end session_use(struct delivery *d, const struct remote_target *target, struct remote_session *s)
{
	struct remote_hosts          *hosts = d->remote->hosts;
	struct remote_deliver_request now = request_now(d, &s->caps);
	struct remote_outcome         why;
	enum remote_tx_end            end;

	if (peer_unfit(d, &now, &s->caps, &why)) {
		site_note(d, true, false);
		remote_results_note_all(&d->results, why);
		return REMOTE_TX_DONE;
	}
	s->no_bdat = d->no_bdat || remote_hosts_marked(hosts, target, REMOTE_HOST_NO_BDAT);
	s->no_early = d->no_early || remote_hosts_marked(hosts, target, REMOTE_HOST_NO_EARLY);
	if (s->mails == 0)
		metric_add(net_stream_tls_version(s->stream) ? METRIC_REMOTE_TLS : METRIC_REMOTE_CLEAR, 1);
	d->note.nth = s->mails + 1;
	end = remote_tx_all(s, &now, &d->content, &d->results);
	if (end != REMOTE_TX_GONE)
		site_note(d, s->talked, false);
	if (s->no_bdat && !d->no_bdat)
		remote_hosts_mark(hosts, target, REMOTE_HOST_NO_BDAT);
	if (s->no_early && !d->no_early)
		remote_hosts_mark(hosts, target, REMOTE_HOST_NO_EARLY);
	d->no_bdat = s->no_bdat;
	d->no_early = s->no_early;
	return end;
}

/* Its TLS failed: once more, in clear. */
static struct remote_session *session_clear(struct delivery *d, struct remote_way *way, bool fresh, enum remote_open *ret_opened,
					    struct remote_outcome *ret_why)
{
	struct remote_session *s;

	*way->policy = remote_policy_clear(way->policy);
	s = fresh ? NULL : remote_ways_kept(&d->ways, way->target, way->policy);
	*ret_opened = REMOTE_OPEN_READY;
	return s ? session_go_on(d, s) : session_new(d, way, ret_opened, ret_why);
}

/* One session with a target; `fresh`: not one that has waited. */
static enum remote_tx_end try_session(struct delivery *d, struct remote_way *way, bool fresh)
{
	enum remote_open       opened = REMOTE_OPEN_READY;
	struct remote_outcome  why;
	struct remote_session *s = way->kept ? session_go_on(d, way->kept) : session_new(d, way, &opened, &why);
	enum remote_tx_end     end = REMOTE_TX_DONE;

	way->kept = NULL;
	if (opened == REMOTE_OPEN_TLS_FAILED) {
		remote_pool_put(d->remote->pool, &s);
		s = session_clear(d, way, fresh, &opened, &why);
	}
	results_name(d, s);
	if (opened == REMOTE_OPEN_READY) {
		tried_add(d, STR(""), STR(""));
		end = session_use(d, way->target, s);
		d->sessions += end != REMOTE_TX_GONE;
	} else {
		tried_add(d, d->results.host, why.answer);
		site_note(d, false, s->unasked);
		remote_results_note_all(&d->results, why);
	}
	remote_pool_put(d->remote->pool, &s);
	d->results.host = d->results.tls = STR("");
	return end;
}

static void try_way(struct delivery *d, struct remote_way *way)
{
	enum remote_tx_end end;

	d->no_bdat = d->no_early = false;
	end = try_session(d, way, false);
	while (end != REMOTE_TX_DONE && d->sessions < LIMIT_REMOTE_SESSIONS && clock_mono_ms() < d->deadline_ms && !d->asker->gone(d->asker->ctx))
		end = try_session(d, way, true);
}

/* ---- targets ---- */

static void on_failed(void *ctx, struct str name, bool asked, struct remote_outcome why)
{
	struct delivery *d = ctx;

	if (name.n > 0) {
		tried_add(d, name, why.answer);
		site_note(d, false, !asked);
	}
	d->results.host = name;
	remote_results_note_all(&d->results, why);
	d->results.host = STR("");
}

static void on_slow(void *ctx, struct str name, int64_t ms)
{
	struct delivery *d = ctx;

	tried_add(d, name, arena_printf(d->arena, "no connection within %lld ms", (long long)ms));
}

static void try_hosts(struct delivery *d)
{
	struct remote_outcome why;
	struct remote_way     way;

	d->ways = (struct remote_ways){ d->remote, d->q, d->arena, d->deadline_ms, on_failed, on_slow, d, .asker = d->asker };
	if (!remote_ways_open(&d->ways, &why)) {
		remote_results_note_all(&d->results, why);
		return;
	}
	while (remote_results_open(&d->results) && d->sessions < LIMIT_REMOTE_SESSIONS && clock_mono_ms() < d->deadline_ms &&
	       !d->asker->gone(d->asker->ctx)) {
		if (remote_ways_next(&d->ways, &way)) {
			try_way(d, &way);
			continue;
		}
		if (d->ways.route.failed || d->ways.route.target_count == 0)
			remote_results_finish(&d->results, remote_route_why(&d->ways.route));
		return;
	}
}

/* "It would have been so whatever the message" cannot be said of one that somebody may have: it would be given away again at once. */
static void site_settle(struct delivery *d)
{
	for (size_t i = 0; d->site == REMOTE_SITE_TROUBLE && i < d->results.count; i++)
		if (d->results.states[i].closed)
			d->site = REMOTE_SITE_NONE;
}

void remote_deliver(const struct remote *remote, const struct remote_deliver_request *q, const struct remote_asker *asker, struct arena *a,
		    struct remote_deliver_reply *ret, struct remote_deliver_note *ret_note)
{
	static const struct remote_outcome unreadable = { REMOTE_DEFERRED, STR("4.3.0"),
							  STR("Content cannot be read here") };
	struct delivery                    d = { .remote = remote, .q = q, .asker = asker, .arena = a };

	d.began_ms = clock_mono_ms();
	d.deadline_ms = d.began_ms + remote->settings.timeouts.total_ms;
	remote_results_init(&d.results, a, q);
	check_addresses(&d);
	if (remote_content_open(&d.content, q) != ST_OK)
		remote_results_note_all(&d.results, unreadable);
	else if (remote_results_open(&d.results))
		try_hosts(&d);
	d.note.folded = d.content.folded;
	d.note.connects = d.ways.connects;
	site_settle(&d);
	*ret = (struct remote_deliver_reply){ d.results.items, d.results.count, d.site, d.tried };
	*ret_note = d.note;
}
