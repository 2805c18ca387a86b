/* tests/unit/guard_rig.h - a guard whose clocks stand still, whose answers are caught, and whose DNS is a table. */
#ifndef GUARD_RIG_H
#define GUARD_RIG_H

#include <stdio.h>

#include "base/buf.h"
#include "guard/guard.h"
#include "ipc/msg_dns.h"

#define SECOND_MS ((int64_t)1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

static int64_t rig_mono_ms, rig_wall_ms;

static inline int64_t rig_mono(void) { return rig_mono_ms; }
static inline int64_t rig_wall(void) { return rig_wall_ms; }

static inline void rig_pass(int64_t ms)
{
	rig_mono_ms += ms;
	rig_wall_ms += ms;
}

/* ---- answers ---- */

static struct {
	unsigned    count;
	enum status st;
	uint32_t    verdict, pause_ms, code;
	char        text[LIMIT_REPLY_TEXT + 1], reason[64], enhanced[16];
	struct guard_list_reply list;
	uint64_t    lifted;
	char        exempt[32];
	struct buf  facts; /* "name: value\n" */
} rig_got;

static inline void rig_copy(char *to, size_t cap, struct str s)
{
	snprintf(to, cap, "%.*s", STR_FMT(s));
}

static inline void rig_facts(const struct guard_why_reply *w)
{
	for (size_t i = 0; i < w->fact_count; i++)
		buf_addf(&rig_got.facts, "%.*s: %.*s\n", STR_FMT(w->facts[i].name), STR_FMT(w->facts[i].value));
}

/* In place of the channels. The request's arena is the caller's. */
void ipc_reply(struct ipc_request *r, enum status status, const void *reply)
{
	const struct guard_connect_reply *c = reply;

	rig_got.count++;
	rig_got.st = status;
	if (r->id == IPC_GUARD_CONNECT) {
		rig_got.verdict = c->verdict;
		rig_got.pause_ms = c->pause_ms;
		rig_got.code = c->code;
		rig_copy(rig_got.text, sizeof(rig_got.text), c->text);
		rig_copy(rig_got.reason, sizeof(rig_got.reason), c->reason);
		rig_copy(rig_got.enhanced, sizeof(rig_got.enhanced), c->enhanced);
	} else if (r->id == IPC_GUARD_LIST && reply) {
		rig_got.list = *(const struct guard_list_reply *)reply;
	} else if (r->id == IPC_GUARD_LIFT && reply) {
		rig_got.lifted = ((const struct guard_lift_reply *)reply)->count;
	} else if (r->id == IPC_GUARD_ADD && reply) {
		rig_copy(rig_got.exempt, sizeof(rig_got.exempt), ((const struct guard_add_reply *)reply)->exempt);
	} else if (r->id == IPC_GUARD_WHY && reply) {
		rig_facts(reply);
	}
}

/* ---- DNS ---- */

#define RIG_ASKS 64

struct rig_row {
	const char *name, *answer; /* "!": fails; "?": forged; "-": never answers */
};

static struct {
	const struct rig_row *rows; /* ended by a name of NULL; all others do not exist */
	bool                  hold; /* answer by rig_dns_answer */
	unsigned              asked, held;
	struct {
		ipc_done_fn *done;
		void        *arg;
		const char  *answer;
	} holds[RIG_ASKS];
	uint32_t ttl_s;
} rig_dns;

static inline void rig_dns_say(const char *answer, ipc_done_fn *done, void *arg)
{
	struct dns_record       record = { .data = str_of(answer) };
	struct dns_lookup_reply reply = { .rcode = answer ? DNS_NOERROR : DNS_NXDOMAIN, .ttl_s = rig_dns.ttl_s, .records = &record, .record_count = answer != NULL };

	if (answer && answer[0] == '!') {
		done(arg, ST_TEMP, NULL);
		return;
	}
	if (answer && answer[0] == '?') {
		done(arg, ST_CORRUPT, NULL);
		return;
	}
	done(arg, ST_OK, &reply);
}

static inline void rig_lookup(void *ctx, struct str name, ipc_done_fn *done, void *arg)
{
	const char *answer = NULL;

	(void)ctx;
	rig_dns.asked++;
	for (const struct rig_row *r = rig_dns.rows; r && r->name; r++)
		if (str_eq(str_of(r->name), name))
			answer = r->answer;
	if (!rig_dns.hold) {
		rig_dns_say(answer, done, arg);
		return;
	}
	rig_dns.holds[rig_dns.held].done = done;
	rig_dns.holds[rig_dns.held].arg = arg;
	rig_dns.holds[rig_dns.held++].answer = answer;
}

static inline void rig_dns_answer(unsigned i)
{
	rig_dns_say(rig_dns.holds[i].answer, rig_dns.holds[i].done, rig_dns.holds[i].arg);
}

/* ---- a guard ---- */

static const struct guard_settings rig_settings = {
	.address_messages = 600, .address_recipients = 3000, .network_messages = 6000, .network_recipients = 30000,
	.account_messages_hour = 250, .account_recipients_hour = 1000, .account_messages_day = 500, .account_recipients_day = 2000,
	.tarpit_failures = 10, .tarpit_s = 5, .ban_failures = 60, .ban_first_s = 3600, .ban_max_s = 7 * 86400, .ban_network = 16,
	.greylist_wait_s = 60, .dnsbl_threshold = 1,
};

static inline struct guard *rig_open(const struct guard_settings *s, const char *path, bool lab)
{
	rig_dns.ttl_s = 300;
	return guard_open(&(struct guard_options){ .path = path, .settings = *s, .lab = lab, .threadless = true, .lookup = rig_lookup,
						   .mono_ms = rig_mono, .wall_ms = rig_wall });
}

static inline struct guard *rig_new(const struct guard_settings *s)
{
	rig_mono_ms = 1000 * DAY_MS;
	rig_wall_ms = 20000 * DAY_MS;
	rig_dns = (__typeof__(rig_dns)){ 0 };
	return rig_open(s, "", false);
}

/* One recipient: the answer is static until the next call. */
struct rig_rcpt {
	const char         *peer, *from, *to;
	uint64_t            account;
	enum auth_rcpt_kind kind;
	bool                more, exempt; /* more: not the first of its message */
	uint64_t            size;
};

static inline const struct auth_rcpt_reply *rig_rcpt(struct guard *g, struct rig_rcpt r)
{
	static struct arena          *a;
	static struct auth_rcpt_reply reply;
	struct auth_rcpt_request      q = {
		.peer = str_of(r.peer), .from = str_of(r.from ? r.from : "x@sender.example"), .address = str_of(r.to ? r.to : "alice@demo.test"),
		.account = r.account, .first = !r.more, .exempt = r.exempt, .size = r.size,
	};

	arena_free(&a);
	a = arena_new(NULL);
	reply = (struct auth_rcpt_reply){ .kind = r.kind };
	guard_rcpt(g, a, &q, &reply);
	return &reply;
}
#define RCPT(g, ...) rig_rcpt((g), (struct rig_rcpt){ __VA_ARGS__ })

/* A question; `a` lives until rig_ask_done, for answers that come later. */
struct rig_ask {
	struct ipc_request r;
	struct guard_connect_request connect;
};

static inline void rig_ask(struct guard *g, struct rig_ask *ask, enum ipc_msg_id id, const void *body)
{
	rig_got.count = 0;
	buf_done(&rig_got.facts);
	buf_init(&rig_got.facts, 64 * KIB);
	ask->r = (struct ipc_request){ .id = id, .body = body, .arena = arena_new(NULL) };
	guard_answer(g, &ask->r);
}

static inline void rig_ask_done(struct rig_ask *ask)
{
	arena_free(&ask->r.arena);
}

static inline void rig_call(struct guard *g, enum ipc_msg_id id, const void *body)
{
	static struct rig_ask ask;

	rig_ask_done(&ask);
	rig_ask(g, &ask, id, body);
	assert_int_equal(rig_got.count, 1);
}

static inline bool rig_connect(struct guard *g, const char *peer, enum guard_listener listener)
{
	rig_call(g, IPC_GUARD_CONNECT, &(struct guard_connect_request){ .peer = str_of(peer), .listener = listener });
	return rig_got.verdict == GUARD_ACCEPT;
}

static inline bool rig_why(struct guard *g, const char *peer, const char *want)
{
	rig_call(g, IPC_GUARD_WHY, &(struct guard_why_request){ str_of(peer) });
	return rig_got.st == ST_OK && str_search(buf_str(&rig_got.facts), str_of(want)) >= 0;
}

#endif
