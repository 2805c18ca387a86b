/* dns/dns.c - see dns.h.
 *
 * A lookup is in the list `first` from the moment it is asked until it is answered. All have the same time to live, so
 * the list is in order of deadlines. Only the answering thread takes lookups out; who adds one holds `lock` until
 * libunbound has given its number, so that neither answer nor deadline can come first.
 */
#include "dns/dns.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metric.h"
#include "dns/dns_answer.h"
#include "dns/dns_setup.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define TTL_MAX_S   ((int)86400)
#define TYPE_DNSKEY 48
#define CLASS_IN    1

struct lookup {
	struct lookup *next, **prev;
	struct dns    *dns;
	enum dns_type  type;
	int            number; /* libunbound's */
	int64_t        deadline_ms;
	dns_done_fn   *done; /* NULL: our own question about the anchor */
	void          *arg;
};

struct dns {
	struct ub_ctx    *ub;
	struct dns_anchor anchor;
	unsigned        deadline_ms;
	int             wake[2]; /* a pipe: the answering thread should look at the list */
	pthread_t       thread;
	bool            started;
	pthread_mutex_t lock; /* for what follows */
	struct lookup  *first, **last;
	unsigned        pending;
	bool            stop;
};

enum status dns_open(const struct dns_options *options, struct dns **ret, const char **ret_why)
{
	struct dns *dns = calloc(1, sizeof(*dns));
	enum status st;

	CHECK(dns != NULL && pthread_mutex_init(&dns->lock, NULL) == 0);
	dns->last = &dns->first;
	dns->wake[0] = dns->wake[1] = -1;
	dns->deadline_ms = options->deadline_ms > 0 ? options->deadline_ms : DNS_DEADLINE_MS;
	st = dns_setup(options, &dns->ub, &dns->anchor, ret_why);
	if (st == ST_OK && pipe2(dns->wake, O_CLOEXEC | O_NONBLOCK) != 0) {
		*ret_why = "no pipe";
		st = ST_IO;
	}
	if (st == ST_OK)
		*ret = dns;
	else
		dns_close(&dns);
	return st;
}

/* ---- answers ---- */

/* Every record that can be read; none of several means that the answer is no answer. */
static enum status records_read(const struct ub_result *r, enum dns_type type, struct arena *a,
				struct dns_lookup_reply *reply)
{
	size_t bad = 0;

	reply->records = ARENA_ARRAY(a, struct dns_record, LIMIT_DNS_RECORDS);
	for (size_t i = 0; r->data[i] != NULL && reply->record_count < LIMIT_DNS_RECORDS; i++) {
		if (r->len[i] >= 0 && dns_rdata_decode(type, str_n(r->data[i], (size_t)r->len[i]), a,
						       &reply->records[reply->record_count]))
			reply->record_count++;
		else
			bad++;
	}
	if (bad > 0)
		log_info("malformed DNS records", LOG_C("name", r->qname), LOG_U64("type", type),
			 LOG_U64("count", bad));
	return reply->record_count > 0 ? ST_OK : ST_TEMP;
}

/* The name at the end of a CNAME chain, without the final dot. False: it is no name that could be asked again. */
static bool canonical_read(const struct ub_result *r, struct arena *a, struct str *ret)
{
	struct str name;

	if (r->canonname == NULL || !dns_name_check(str_of(r->canonname), &name))
		return r->canonname == NULL;
	*ret = arena_dup(a, name);
	return true;
}

/* libunbound's `secure` is that of the whole chain: one insecure CNAME makes the answer insecure, RFC 4035 §5. */
static enum status answer_read(const struct ub_result *r, enum dns_type type, struct arena *a,
			       struct dns_lookup_reply *reply)
{
	*reply = (struct dns_lookup_reply){
		.security = r->secure ? DNS_SECURE : DNS_INSECURE,
		.ttl_s = (uint32_t)MAX(MIN(r->ttl, TTL_MAX_S), 0),
		.canonical = STR(""),
	};
	if (r->bogus) {
		log_info("bogus DNS answer", LOG_C("name", r->qname), LOG_U64("type", type),
			 LOG_C("reason", r->why_bogus));
		return ST_CORRUPT;
	}
	if (type != DNS_CNAME && !canonical_read(r, a, &reply->canonical))
		return ST_TEMP;
	if (r->rcode == 3 && r->nxdomain) {
		reply->rcode = DNS_NXDOMAIN;
		return ST_OK;
	}
	if (r->rcode != 0)
		return ST_TEMP;
	if (!r->havedata) {
		reply->rcode = DNS_NODATA;
		return ST_OK;
	}
	return records_read(r, type, a, reply);
}

/* Take it out of the list; then it belongs to the caller. */
static void unlink_lookup(struct lookup *q)
{
	*q->prev = q->next;
	if (q->next != NULL)
		q->next->prev = q->prev;
	else
		q->dns->last = q->prev;
	q->dns->pending--;
}

/* Once, at the start: DANE hangs on it, and whoever set up the forwarder should see it. */
static void anchor_told(const struct dns *dns, const struct ub_result *r)
{
	if (r != NULL && r->secure && r->havedata)
		log_info("DNSSEC validation works", LOG_C("anchor", dns->anchor.owner));
	else if (r != NULL && r->bogus)
		log_warn("DNSSEC validation does not work: every answer will be refused", LOG_C("anchor", dns->anchor.owner),
			 LOG_C("reason", r->why_bogus));
	else
		log_info("DNSSEC validation could not be tried yet", LOG_C("anchor", dns->anchor.owner));
}

static void answered(struct lookup *q, const struct ub_result *result)
{
	struct arena           *a = arena_new(NULL);
	struct dns_lookup_reply reply;
	enum status             st = result != NULL ? answer_read(result, q->type, a, &reply) : ST_TEMP;

	q->done(q->arg, st, st == ST_OK ? &reply : NULL);
	arena_free(&a);
}

static void on_answer(void *arg, int err, struct ub_result *result)
{
	struct lookup *q = arg;

	pthread_mutex_lock(&q->dns->lock);
	unlink_lookup(q);
	pthread_mutex_unlock(&q->dns->lock);
	if (q->done != NULL)
		answered(q, err == 0 ? result : NULL);
	else
		anchor_told(q->dns, err == 0 ? result : NULL);
	ub_resolve_free(result);
	free(q);
}

/* The first lookup whose time is over at `now_ms` (or any, if all must end), out of the list; NULL: none. *ret_wait_ms:
 * until the next. */
static struct lookup *overdue(struct dns *dns, int64_t now_ms, bool all, int *ret_wait_ms)
{
	struct lookup *q;

	pthread_mutex_lock(&dns->lock);
	q = dns->first;
	*ret_wait_ms = q == NULL ? -1 : (int)MAX(MIN(q->deadline_ms - now_ms, INT32_MAX), 0);
	if (q != NULL && (all || q->deadline_ms <= now_ms)) {
		unlink_lookup(q);
		(void)ub_cancel(dns->ub, q->number);
	} else {
		q = NULL;
	}
	pthread_mutex_unlock(&dns->lock);
	return q;
}

static int end_overdue(struct dns *dns, bool all)
{
	struct lookup *q;
	int            wait_ms;

	while ((q = overdue(dns, clock_mono_ms(), all, &wait_ms)) != NULL) {
		if (q->done != NULL)
			q->done(q->arg, ST_TEMP, NULL);
		else if (!all)
			anchor_told(dns, NULL);
		free(q);
	}
	return wait_ms;
}

static bool stopping(struct dns *dns)
{
	bool stop;

	pthread_mutex_lock(&dns->lock);
	stop = dns->stop;
	pthread_mutex_unlock(&dns->lock);
	return stop;
}

static void *answer_main(void *arg)
{
	struct dns   *dns = arg;
	struct pollfd fds[] = { { .fd = ub_fd(dns->ub), .events = POLLIN }, { .fd = dns->wake[0], .events = POLLIN } };
	char          drain[64];

	while (!stopping(dns)) {
		int wait_ms = end_overdue(dns, false);

		if (poll(fds, LEN(fds), wait_ms) < 0)
			continue;
		while (read(dns->wake[0], drain, sizeof(drain)) > 0)
			continue;
		if (ub_poll(dns->ub) != 0)
			(void)ub_process(dns->ub);
	}
	(void)end_overdue(dns, true);
	return NULL;
}

/* A full pipe is as good as one more octet. */
static void wake(struct dns *dns)
{
	if (write(dns->wake[1], "", 1) < 0)
		return;
}

void dns_close(struct dns **dp)
{
	struct dns *dns = *dp;

	if (dns == NULL)
		return;
	if (dns->started) {
		pthread_mutex_lock(&dns->lock);
		dns->stop = true;
		pthread_mutex_unlock(&dns->lock);
		wake(dns);
		pthread_join(dns->thread, NULL);
	}
	ub_ctx_delete(dns->ub);
	fd_close(&dns->wake[0]);
	fd_close(&dns->wake[1]);
	pthread_mutex_destroy(&dns->lock);
	free(dns);
	*dp = NULL;
}

/* ---- asking ---- */

static enum status ask(struct lookup *q, const char *name)
{
	struct dns *dns = q->dns;
	enum status st = ST_OK;

	pthread_mutex_lock(&dns->lock);
	if (dns->stop || dns->pending >= LIMIT_DNS_PENDING) {
		st = ST_BUSY;
	} else if (ub_resolve_async(dns->ub, name, (int)q->type, CLASS_IN, q, on_answer, &q->number) != 0) {
		st = ST_TEMP;
	} else {
		q->deadline_ms = clock_mono_ms() + dns->deadline_ms;
		q->prev = dns->last;
		*dns->last = q;
		dns->last = &q->next;
		if (dns->pending++ == 0)
			wake(dns);
	}
	pthread_mutex_unlock(&dns->lock);
	return st;
}

/* Does it work? Its keys must be there and in order. */
static void anchor_ask(struct dns *dns)
{
	struct lookup *q = calloc(1, sizeof(*q));

	CHECK(q != NULL);
	*q = (struct lookup){ .dns = dns, .type = (enum dns_type)TYPE_DNSKEY };
	if (ask(q, dns->anchor.owner) != ST_OK)
		free(q);
}

void dns_start(struct dns *dns)
{
	CHECK(pthread_create(&dns->thread, NULL, answer_main, dns) == 0);
	dns->started = true;
	if (dns->anchor.owner[0] != '\0')
		anchor_ask(dns);
	else
		log_info("answers of DNS are not validated: no trust anchor (dns.anchor) for what the forwarder says");
}

static bool known_type(enum dns_type type)
{
	return type == DNS_A || type == DNS_AAAA || type == DNS_MX || type == DNS_TXT || type == DNS_TLSA || type == DNS_SRV ||
	       type == DNS_PTR || type == DNS_CNAME;
}

static void local_done(struct str name, enum dns_type type, dns_done_fn *done, void *arg, bool *ret_local)
{
	struct arena           *a = arena_new(NULL);
	struct dns_lookup_reply reply;

	*ret_local = dns_local(name, type, a, &reply) == ST_OK;
	if (*ret_local)
		done(arg, ST_OK, &reply);
	arena_free(&a);
}

void dns_lookup(struct dns *dns, const struct dns_lookup_request *request, dns_done_fn *done, void *arg)
{
	char           text[LIMIT_DOMAIN + 2];
	struct lookup *q;
	struct str     name;
	enum status    st;
	bool           local;

	if (!known_type(request->type) || !dns_name_check(request->name, &name) ||
	    !str_to_c(name, text, sizeof(text))) {
		done(arg, ST_INVALID, NULL);
		return;
	}
	local_done(name, request->type, done, arg, &local);
	if (local)
		return;
	q = calloc(1, sizeof(*q));
	CHECK(q != NULL);
	*q = (struct lookup){ .dns = dns, .type = request->type, .done = done, .arg = arg };
	st = ask(q, text);
	if (st != ST_OK) {
		free(q);
		done(arg, st, NULL);
	}
}

static void answer(void *arg, enum status st, const struct dns_lookup_reply *reply)
{
	metric_add(st == ST_OK ? METRIC_DNS_LOOKUPS : METRIC_DNS_FAILURES, 1);
	ipc_reply(arg, st, reply);
}

static void on_lookup(void *ctx, struct ipc_request *r)
{
	dns_lookup(ctx, r->body, answer, r);
}

const struct ipc_row dns_rows[] = {
	{ IPC_DNS_LOOKUP, on_lookup, 0 },
	{ IPC_DNS_SHOW, on_lookup, 0 },
};
const size_t dns_row_count = LEN(dns_rows);
