/* deliver/remote_deliver.c - one message to one next hop; the contract is in remote.h. */
#include "base/metric.h"
#include "deliver/remote.h"
#include "deliver/remote_params.h"
#include "deliver/remote_policy.h"
#include "deliver/remote_result.h"
#include "deliver/remote_route.h"
#include "deliver/remote_session.h"
#include "deliver/remote_tx.h"
#include "sys/clock.h"

const struct remote_timeouts remote_timeouts_default = {
	.connect_ms = 30 * 1000,
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
	struct arena                        *arena;
	struct remote_results                results;
	struct remote_content                content;
	struct remote_route                  route;
	int64_t                              began_ms, deadline_ms;
	bool                                 utf8_address;
	unsigned                             sessions; /* that got as far as a transaction */
	enum remote_site                     site;
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

	d->utf8_address = !str_is_ascii(d->q->from);
	for (size_t i = 0; i < d->q->rcpt_count; i++) {
		struct str address = d->q->rcpts[i].address;

		if (!address_writable(d->q->from))
			remote_results_close(&d->results, i, bad_from);
		else if (address.n == 0 || !address_writable(address))
			remote_results_close(&d->results, i, bad_rcpt);
		else if (!str_is_ascii(address))
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

/* What is left of the time, for this session. */
static struct remote_deliver_request request_now(const struct delivery *d)
{
	struct remote_deliver_request q = *d->q;

	q.by_s -= (clock_mono_ms() - d->began_ms) / 1000;
	return q;
}

static void try_target(struct delivery *d, const struct remote_target *target)
{
	struct remote_deliver_request now;
	struct remote_session         s;
	struct remote_outcome         why;
	struct remote_policy          policy;
	enum remote_open              opened;

	if (!remote_policy_find(&d->route, target, d->q, d->arena, &policy, &why)) {
		remote_results_note_all(&d->results, why);
		return;
	}
	opened = remote_session_open(&s, d->remote, d->arena, d->deadline_ms, target, &policy, &why);
	if (opened == REMOTE_OPEN_TLS_FAILED) {
		remote_session_close(&s);
		policy = remote_policy_clear(&policy);
		opened = remote_session_open(&s, d->remote, d->arena, d->deadline_ms, target, &policy, &why);
	}
	d->results.host = s.host;
	d->results.tls = s.tls;
	d->results.passes = remote_params_passes(&s.caps);
	now = request_now(d);
	if (opened == REMOTE_OPEN_READY)
		d->sessions++;
	d->site = d->sessions > 0 ? REMOTE_SITE_ANSWERED : REMOTE_SITE_TROUBLE;
	if (opened != REMOTE_OPEN_READY || peer_unfit(d, &now, &s.caps, &why)) {
		remote_results_note_all(&d->results, why);
	} else {
		metric_add(net_stream_tls_version(s.stream) ? METRIC_REMOTE_TLS : METRIC_REMOTE_CLEAR, 1);
		remote_tx_all(&s, &now, &d->content, &d->results);
	}
	remote_session_close(&s);
	d->results.host = d->results.tls = STR("");
}

static void try_hosts(struct delivery *d)
{
	struct remote_outcome why;

	if (!remote_route_open(&d->route, d->remote, d->arena, d->q, &why)) {
		remote_results_note_all(&d->results, why);
		return;
	}
	while (remote_results_open(&d->results) && d->sessions < LIMIT_REMOTE_SESSIONS &&
	       clock_mono_ms() < d->deadline_ms) {
		const struct remote_target *target = remote_route_next(&d->route);

		if (!target && (d->route.failed || d->route.target_count == 0))
			remote_results_finish(&d->results, remote_route_why(&d->route));
		if (!target)
			return;
		try_target(d, target);
	}
}

void remote_deliver(const struct remote *remote, const struct remote_deliver_request *q, struct arena *a,
		    struct remote_deliver_reply *ret)
{
	static const struct remote_outcome unreadable = { REMOTE_DEFERRED, STR("4.3.0"),
							  STR("Content cannot be read here") };
	struct delivery                    d = { .remote = remote, .q = q, .arena = a };

	d.began_ms = clock_mono_ms();
	d.deadline_ms = d.began_ms + remote->settings.timeouts.total_ms;
	remote_results_init(&d.results, a, q);
	check_addresses(&d);
	if (remote_content_open(&d.content, q) != ST_OK)
		remote_results_note_all(&d.results, unreadable);
	else if (remote_results_open(&d.results))
		try_hosts(&d);
	*ret = (struct remote_deliver_reply){ d.results.items, d.results.count, d.site };
}
