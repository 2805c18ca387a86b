/* deliver/remote_probe.c - is somebody there? MAIL with the null sender and RCPT, and nothing after them; see msg_remote.h.
 *
 * Hosts are tried in turn until one answers RCPT. What a host says before that is about us, not about the recipient; and so
 * is a refusal of RCPT for reasons of policy (X.7.X): neither makes a recipient unknown.
 */
#include "base/log.h"
#include "deliver/remote.h"
#include "deliver/remote_hosts.h"
#include "deliver/remote_way.h"
#include "ipc/msg_auth.h"
#include "sys/clock.h"

struct probe {
	struct remote                     remote; /* with the time of a probe */
	const struct remote_probe_request *q;
	struct arena                      *arena;
	int64_t                            deadline_ms;
	enum remote_probe                  result;
	struct remote_outcome              why;
};

/* Fit to stand in RCPT: the address is canonical, but who asks is another process. */
static bool address_fit(struct str address)
{
	return address.n > 0 && address.n <= LIMIT_ADDRESS && !str_has_ctl(address) && str_is_utf8(address) &&
	       str_find(address, '<') < 0 && str_find(address, '>') < 0;
}

static bool command(struct remote_session *s, struct remote_outcome *ret_why)
{
	unsigned timeout_ms = s->remote->settings.timeouts.rcpt_ms;

	return remote_session_send(s, "probe", timeout_ms, ret_why) &&
	       remote_session_reply(s, "probe", remote_session_timeout(s, timeout_ms), ret_why);
}

/* The reply to RCPT decides. */
static void rcpt_answered(struct probe *p, struct remote_session *s)
{
	bool policy;

	if (s->reply.code / 100 == 2) {
		p->result = REMOTE_PROBE_EXISTS;
		p->why = remote_session_success(s);
		return;
	}
	policy = str_starts(str_of(s->reply.enhanced), STR("5.7."));
	p->why = remote_session_failure(s);
	p->result = p->why.result == REMOTE_REFUSED && !policy ? REMOTE_PROBE_UNKNOWN : REMOTE_PROBE_LATER;
}

static bool ask(struct probe *p, struct remote_session *s)
{
	bool utf8 = !str_is_ascii(p->q->address);

	if (utf8 && !(s->caps.offered & SMTP_CAP_SMTPUTF8))
		return false;
	buf_addf(&s->out, "MAIL FROM:<>%s\r\n", utf8 ? " SMTPUTF8" : "");
	if (!command(s, &p->why))
		return false;
	if (s->reply.code / 100 != 2) {
		p->why = remote_session_failure(s);
		return false;
	}
	buf_addf(&s->out, "RCPT TO:<%.*s>\r\n", STR_FMT(p->q->address));
	if (!command(s, &p->why))
		return false;
	rcpt_answered(p, s);
	return true;
}

static bool try_way(struct probe *p, struct remote_way *way)
{
	struct remote_session *s = remote_session_new(&p->remote, p->arena, p->deadline_ms);
	bool                   asked = false;
	enum remote_open       opened = remote_session_open(s, way->target, way->policy, &p->q->hop, way->fd, &p->why);

	if (opened == REMOTE_OPEN_TLS_FAILED) {
		remote_session_close(&s);
		*way->policy = remote_policy_clear(way->policy);
		s = remote_session_new(&p->remote, p->arena, p->deadline_ms);
		opened = remote_session_open(s, way->target, way->policy, &p->q->hop, -1, &p->why);
	}
	/* Only what is good is remembered: a host that is slow to greet is in order for a delivery, which has more time. */
	if (opened == REMOTE_OPEN_READY) {
		remote_hosts_clear(p->remote.hosts, way->target, REMOTE_HOST_SUSPECT);
		asked = ask(p, s);
	}
	remote_session_close(&s);
	return asked;
}

static void on_failed(void *ctx, struct str name, bool asked, struct remote_outcome why)
{
	struct probe *p = ctx;

	(void)name, (void)asked;
	p->why = why;
}

static void on_slow(void *ctx, struct str name, int64_t ms)
{
	(void)ctx, (void)name, (void)ms;
}

void remote_probe(const struct remote *remote, const struct remote_probe_request *q, struct arena *a, struct remote_probe_reply *ret)
{
	const struct remote_deliver_request as = { .domain = q->domain, .relay = q->relay, .hop = q->hop };
	struct probe                        p = { .remote = *remote, .q = q, .arena = a, .result = REMOTE_PROBE_UNREACHABLE };
	struct remote_ways                  ways;
	struct remote_way                   way;

	p.deadline_ms = clock_mono_ms() + LIMIT_PROBE_MS;
	p.remote.settings.timeouts.quit_ms = 1000; /* its answer is not waited for long: the peer of ours waits */
	p.remote.settings.timeouts.policy_ms = LIMIT_PROBE_MS / 2;
	p.remote.pool = NULL; /* a session that waits is not disturbed for a question */
	ways = (struct remote_ways){ &p.remote, &as, a, p.deadline_ms, on_failed, on_slow, &p, .probe = true };
	p.why = (struct remote_outcome){ REMOTE_DEFERRED, STR("4.4.1"), STR("No mail host could be reached") };
	if (!address_fit(q->address))
		p.why.answer = STR("Malformed address");
	else if (remote_ways_open(&ways, &p.why))
		while (remote_ways_next(&ways, &way) && !try_way(&p, &way))
			;
	*ret = (struct remote_probe_reply){ p.result, p.why.answer };
}

/* Where it would go is the directory's word: smtp, which talks to strangers, must not be able to send us anywhere. */
static enum status where(struct ipc *ipc, struct arena *a, struct remote_probe_request *q)
{
	const struct auth_resolve_request request = { .address = q->address };
	struct auth_resolve_reply         found;
	struct str                        local;
	enum status                       st = ipc_call(ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_RESOLVE, &request, a, &found);

	if (st != ST_OK)
		return st;
	if (found.target_count != 1 || found.targets[0].account != 0)
		return ST_INVALID;
	q->address = found.targets[0].address;
	q->relay = found.targets[0].relay;
	q->hop = found.targets[0].hop;
	return str_rcut(q->address, '@', &local, &q->domain) ? ST_OK : ST_INVALID;
}

void remote_probe_handle(const struct remote *remote, struct ipc *ipc, struct ipc_request *r)
{
	struct remote_probe_request q = *(const struct remote_probe_request *)r->body;
	int64_t                     began_ms = clock_mono_ms();
	struct remote_probe_reply   reply;
	enum status                 st = where(ipc, r->arena, &q);

	if (st != ST_OK) {
		ipc_reply(r, st, NULL);
		return;
	}
	remote_probe(remote, &q, r->arena, &reply);
	log_info("recipient probed", LOG_STR("rcpt", q.address), LOG_STR("relay", q.relay), LOG_U64("result", reply.result),
		 LOG_STR("answer", reply.answer), LOG_U64("ms", clock_mono_ms() - began_ms));
	ipc_reply(r, ST_OK, &reply);
}
