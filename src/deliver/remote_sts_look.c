/* deliver/remote_sts_look.c - the record, and the file that it speaks of: RFC 8461 §3.1 to §3.3. */
#include "base/log.h"
#include "base/metric.h"
#include "deliver/remote_https.h"
#include "deliver/remote_sts_in.h"
#include "wire/sts/sts_record.h"

#define FETCH_MS   30000u /* RFC 8461 §3.3 suggests a minute; a delivery waits for it */
#define CONNECT_MS 15000u

/* RFC 8461 §3.1: of several records those that begin otherwise do not count; then it must be exactly one. */
static bool record_id(const struct dns_lookup_reply *reply, struct str *ret_id)
{
	const struct dns_record *only = NULL;

	for (size_t i = 0; i < reply->record_count; i++) {
		if (!sts_record_is(reply->records[i].data))
			continue;
		if (only)
			return false;
		only = &reply->records[i];
	}
	return only && sts_record_parse(only->data, ret_id);
}

static enum tlsrpt_result trouble_of(enum http_result r)
{
	return r == HTTP_CERTIFICATE ? TLSRPT_STS_WEBPKI_INVALID : TLSRPT_STS_POLICY_FETCH_ERROR;
}

static struct str print(struct str text, struct arena *a)
{
	struct buf b;
	struct str s;

	buf_init(&b, STS_PRINTED_MAX);
	sts_policy_print(text, &b);
	CHECK(!b.over);
	s = arena_dup(a, buf_str(&b));
	buf_done(&b);
	return s;
}

/* What came by HTTPS. RFC 8461 §3.3: status 200 (so no redirect), media type text/plain. STS_FOUND_FAILED: *ret_why. */
static void answer_take(struct sts_look *l, enum http_result r, const struct http_reply *reply, struct arena *a, struct str *ret_why)
{
	enum sts_policy_err err;

	l->found = STS_FOUND_FAILED;
	l->trouble = TLSRPT_STS_POLICY_FETCH_ERROR;
	if (r != HTTP_OK) {
		l->trouble = trouble_of(r);
		*ret_why = reply->why;
		return;
	}
	*ret_why = STR("status is not 200");
	if (reply->status != 200)
		return;
	l->trouble = TLSRPT_STS_POLICY_INVALID;
	*ret_why = STR("media type is not text/plain");
	if (!http_type_is(reply->content_type, STR("text/plain")))
		return;
	err = sts_policy_parse(reply->body, &l->policy);
	*ret_why = str_of(sts_policy_err_text(err));
	if (err != STS_POLICY_OK)
		return;
	l->found = STS_FOUND_POLICY;
	l->trouble = TLSRPT_SUCCESS;
	l->text = print(reply->body, a);
}

static void fetch_note(const struct sts_look *l, struct str domain, enum http_result r, unsigned status, struct str why)
{
	bool ok = l->found == STS_FOUND_POLICY;

	metric_add(ok ? METRIC_REMOTE_STS_FETCHED : METRIC_REMOTE_STS_FAILED, 1);
	if (ok)
		log_info("mta-sts policy", LOG_STR("domain", domain), LOG_STR("id", l->id), LOG_C("mode", sts_mode_name(l->policy.mode)),
			 LOG_U64("max_age_s", l->policy.max_age_s), LOG_U64("mx", l->policy.mx_count));
	else
		log_info("mta-sts policy cannot be had", LOG_STR("domain", domain), LOG_STR("id", l->id), LOG_C("https", http_result_name(r)),
			 LOG_U64("status", status), LOG_STR("why", why));
}

static void policy_fetch(struct sts_look *l, const struct remote *remote, remote_sts_fetch_fn *fetch, struct str domain, struct arena *a)
{
	struct http_request q = {
		.host = arena_printf(a, "mta-sts.%.*s", STR_FMT(domain)),
		.port = remote->settings.https_port,
		.path = STR("/.well-known/mta-sts.txt"),
		.max_octets = STS_POLICY_MAX,
		.connect_ms = CONNECT_MS,
		.total_ms = FETCH_MS,
	};
	struct http_reply reply = { .why = STR("no address that may be used") };
	enum http_result  r = HTTP_UNREACHABLE;
	struct str        why;

	if (remote_https_prepare(remote, &q, a))
		r = fetch(&q, a, &reply);
	answer_take(l, r, &reply, a, &why);
	fetch_note(l, domain, r, reply.status, why);
}

struct sts_look remote_sts_look(const struct remote *remote, remote_sts_fetch_fn *fetch, struct str domain, struct str have_id, struct arena *a)
{
	const struct remote_resolver *dns = &remote->resolver;
	struct dns_lookup_reply       reply;
	struct sts_look               l = { .found = STS_FOUND_UNKNOWN, .id = STR(""), .text = STR("") };

	if (dns->lookup(dns->ctx, arena_printf(a, "_mta-sts.%.*s", STR_FMT(domain)), DNS_TXT, a, &reply) != ST_OK)
		return l;
	l.found = STS_FOUND_NOTHING;
	l.ttl_s = reply.ttl_s;
	if (reply.rcode != DNS_NOERROR || !record_id(&reply, &l.id))
		return l;
	l.found = STS_FOUND_SAME;
	if (!str_eq(l.id, have_id))
		policy_fetch(&l, remote, fetch, domain, a);
	return l;
}
