/* dns/dns.c - see dns.h.
 *
 * A lookup is in the list `first` from the moment it is asked until it is answered. All have the same time to live, so
 * the list is in order of deadlines. Only the answering thread takes lookups out; who adds one holds `lock` until
 * libunbound has given its number, so that neither answer nor deadline can come first.
 */
#include "dns/dns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metric.h"
#include "dns/dns_answer.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define ANCHOR_LINE_MAX ((size_t)4096)
#define TTL_MAX_S       ((int)86400)

struct lookup {
	struct lookup *next, **prev;
	struct dns    *dns;
	enum dns_type  type;
	int            number; /* libunbound's */
	int64_t        deadline_ms;
	dns_done_fn   *done;
	void          *arg;
};

struct dns {
	struct ub_ctx  *ub;
	unsigned        deadline_ms;
	int             wake[2]; /* a pipe: the answering thread should look at the list */
	pthread_t       thread;
	bool            started;
	pthread_mutex_t lock; /* for what follows */
	struct lookup  *first, **last;
	unsigned        pending;
	bool            stop;
};

/* ---- preparing ---- */

/* libunbound's defaults are for one program that asks little. */
static const struct {
	const char *name, *value;
} settings[] = {
	{ "outgoing-range:", "256" },
	{ "num-queries-per-thread:", "4000" },
	{ "outgoing-num-tcp:", "64" },
	{ "msg-cache-size:", "16m" },
	{ "rrset-cache-size:", "32m" },
	{ "key-cache-size:", "4m" },
	{ "neg-cache-size:", "1m" },
	{ "cache-max-ttl:", "86400" },
	{ "cache-max-negative-ttl:", "300" },
	{ "infra-host-ttl:", "60" }, /* a server that was down is tried again soon */
	{ "infra-keep-probing:", "yes" },
	{ "qname-minimisation:", "yes" },
	{ "harden-glue:", "yes" },
	{ "harden-dnssec-stripped:", "yes" },
	{ "harden-below-nxdomain:", "yes" },
	{ "harden-algo-downgrade:", "no" }, /* RFC 6840 §5.11 */
	{ "unwanted-reply-threshold:", "1000000" },
};

/* A resolver that was named in the configuration may be on this machine, and may know names that the root does not. */
static const struct {
	const char *name, *value;
} settings_forward[] = {
	{ "do-not-query-localhost:", "no" },
	{ "unblock-lan-zones:", "yes" },
	{ "insecure-lan-zones:", "yes" },
};

static bool option(struct dns *dns, const char *name, const char *value)
{
	if (ub_ctx_set_option(dns->ub, name, value) == 0)
		return true;
	log_error("resolver option refused", LOG_C("name", name), LOG_C("value", value));
	return false;
}

static bool options_set(struct dns *dns, bool forward)
{
	bool ok = true;

	for (size_t i = 0; i < LEN(settings); i++)
		ok = ok && option(dns, settings[i].name, settings[i].value);
	for (size_t i = 0; forward && i < LEN(settings_forward); i++)
		ok = ok && option(dns, settings_forward[i].name, settings_forward[i].value);
	return ok;
}

/* Handed over line by line: given the file's name, libunbound would open it at the first lookup, in the sandbox. */
static enum status anchors_read(struct dns *dns, const char *path)
{
	FILE       *f = fopen(path, "re");
	char        line[ANCHOR_LINE_MAX];
	unsigned    count = 0;
	enum status st = ST_OK;

	if (f == NULL)
		return fd_status(errno);
	while (st == ST_OK && fgets(line, sizeof(line), f) != NULL) {
		struct str s = str_trim_ws(str_of(line));

		if (s.n == 0 || s.p[0] == ';' || s.p[0] == '#')
			continue;
		line[str_chomp(str_of(line)).n] = '\0';
		if (ub_ctx_add_ta(dns->ub, line) != 0)
			st = ST_INVALID;
		count++;
	}
	if (st == ST_OK && (ferror(f) != 0 || count == 0))
		st = ST_INVALID;
	fclose(f);
	return st;
}

static enum status forward_set(struct dns *dns, struct str forward)
{
	char address[128];

	if (!str_to_c(forward, address, sizeof(address)) || ub_ctx_set_fwd(dns->ub, address) != 0)
		return ST_INVALID;
	return ST_OK;
}

/* Makes the settings final now, not at the first lookup: keys are parsed, hints loaded. Of the zones that libunbound
 * answers by itself a resolver nearby may know two. */
static bool zones_set(struct dns *dns, bool forward)
{
	return ub_ctx_zone_add(dns->ub, "localhost.", "static") == 0 &&
	       (!forward ||
		(ub_ctx_zone_remove(dns->ub, "test.") == 0 && ub_ctx_zone_remove(dns->ub, "home.arpa.") == 0));
}

static enum status prepare(struct dns *dns, const struct dns_options *o, const char **ret_why)
{
	const char *anchors = o->anchor_file != NULL ? o->anchor_file : o->forward.n == 0 ? DNS_ROOT_KEY : NULL;
	enum status st = ST_OK;

	dns->ub = ub_ctx_create();
	if (dns->ub == NULL || pipe2(dns->wake, O_CLOEXEC | O_NONBLOCK) != 0 || !options_set(dns, o->forward.n > 0) ||
	    ub_ctx_async(dns->ub, 1) != 0) {
		*ret_why = "libunbound cannot be set up";
		return ST_IO;
	}
	if (o->forward.n > 0)
		st = forward_set(dns, o->forward);
	if (st != ST_OK) {
		*ret_why = "dns.forward is not ADDRESS@PORT";
		return st;
	}
	if (anchors != NULL)
		st = anchors_read(dns, anchors);
	if (st != ST_OK) {
		*ret_why = "DNSSEC trust anchors cannot be read (package dns-root-data)";
		return st;
	}
	if (!zones_set(dns, o->forward.n > 0)) {
		*ret_why = "libunbound refuses its settings";
		return ST_IO;
	}
	return ST_OK;
}

enum status dns_open(const struct dns_options *options, struct dns **ret, const char **ret_why)
{
	struct dns *dns = calloc(1, sizeof(*dns));
	enum status st;

	CHECK(dns != NULL && pthread_mutex_init(&dns->lock, NULL) == 0);
	dns->last = &dns->first;
	dns->wake[0] = dns->wake[1] = -1;
	dns->deadline_ms = options->deadline_ms > 0 ? options->deadline_ms : DNS_DEADLINE_MS;
	st = prepare(dns, options, ret_why);
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

static enum status answer_read(const struct ub_result *r, enum dns_type type, struct arena *a,
			       struct dns_lookup_reply *reply)
{
	*reply = (struct dns_lookup_reply){
		.security = r->secure ? DNS_SECURE : DNS_INSECURE,
		.ttl_s = (uint32_t)MAX(MIN(r->ttl, TTL_MAX_S), 0),
	};
	if (r->bogus) {
		log_info("bogus DNS answer", LOG_C("name", r->qname), LOG_U64("type", type),
			 LOG_C("reason", r->why_bogus));
		return ST_TEMP;
	}
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

static void on_answer(void *arg, int err, struct ub_result *result)
{
	struct lookup          *q = arg;
	struct arena           *a = arena_new(NULL);
	struct dns_lookup_reply reply;
	enum status             st = ST_TEMP;

	pthread_mutex_lock(&q->dns->lock);
	unlink_lookup(q);
	pthread_mutex_unlock(&q->dns->lock);
	if (err == 0 && result != NULL)
		st = answer_read(result, q->type, a, &reply);
	q->done(q->arg, st, st == ST_OK ? &reply : NULL);
	ub_resolve_free(result);
	arena_free(&a);
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
		q->done(q->arg, ST_TEMP, NULL);
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

void dns_start(struct dns *dns)
{
	CHECK(pthread_create(&dns->thread, NULL, answer_main, dns) == 0);
	dns->started = true;
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
	} else if (ub_resolve_async(dns->ub, name, (int)q->type, 1, q, on_answer, &q->number) != 0) {
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

static bool known_type(enum dns_type type)
{
	return type == DNS_A || type == DNS_AAAA || type == DNS_MX || type == DNS_TXT || type == DNS_TLSA ||
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
