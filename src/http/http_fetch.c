/* http/http_fetch.c - contract is in http_fetch.h. */
#include "http/http_fetch.h"

#include <curl/curl.h>
#include <stdio.h>

#include "base/buf.h"
#include "net/net_authorities.h"

#define URL_MAX     ((size_t)2048)
#define RESOLVE_MAX ((size_t)4096)
#define ANSWER_MAX  ((size_t)16 * MIB) /* the largest max_octets */

struct fetch {
	const struct http_request *q;
	CURL                      *curl;
	struct curl_slist         *resolve, *headers;
	struct net_authorities    *trust;
	struct buf                 body;
	size_t                     header_n;
	bool                       large;
	char                       error[CURL_ERROR_SIZE];
	struct str                 setting_failed;
};

void http_init(void)
{
	CHECK(curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK);
}

/* ---- the request ---- */

static bool text_valid(struct str s, bool spaces)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < (spaces ? ' ' : '!') || s.p[i] > '~')
			return false;
	return true;
}

static bool host_valid(struct str host)
{
	for (size_t i = 0; i < host.n; i++)
		if (!ascii_is_alnum(host.p[i]) && str_find(STR("-._"), host.p[i]) < 0)
			return false;
	return host.n > 0 && host.n <= LIMIT_DOMAIN;
}

static bool request_valid(const struct http_request *q)
{
	bool ok = host_valid(q->host) && q->port > 0 && q->port <= 65535 && q->path.n > 0 && q->path.p[0] == '/' && text_valid(q->path, false) &&
		  q->max_octets <= ANSWER_MAX && q->header_count <= LIMIT_HTTP_HEADERS && text_valid(q->content_type, true);

	for (size_t i = 0; i < q->header_count; i++)
		ok = ok && text_valid(q->headers[i], true) && str_find(q->headers[i], ':') > 0;
	for (size_t i = 0; i < q->address_count; i++)
		ok = ok && q->addresses[i].n < LIMIT_IP_TEXT && q->addresses[i].n > 0 && str_find(q->addresses[i], ',') < 0 &&
		     text_valid(q->addresses[i], false);
	return ok;
}

/* "host:port:192.0.2.1,[2001:db8::1]": with it in its cache libcurl asks no resolver. */
static bool addresses_set(struct fetch *f)
{
	const struct http_request *q = f->q;
	struct buf                 b;

	buf_init(&b, RESOLVE_MAX);
	buf_addf(&b, "%.*s:%u:", STR_FMT(q->host), q->port);
	for (size_t i = 0; i < q->address_count; i++)
		buf_addf(&b, str_find(q->addresses[i], ':') >= 0 ? "%s[%.*s]" : "%s%.*s", i > 0 ? "," : "", STR_FMT(q->addresses[i]));
	buf_add_char(&b, '\0');
	f->resolve = b.over ? NULL : curl_slist_append(NULL, b.p);
	buf_done(&b);
	return f->resolve != NULL;
}

static bool header_add(struct fetch *f, const char *name, struct str value)
{
	struct buf         b;
	struct curl_slist *longer = NULL;

	buf_init(&b, LIMIT_HTTP_HEADER);
	buf_addf(&b, "%s%.*s", name, STR_FMT(value));
	buf_add_char(&b, '\0');
	if (!b.over)
		longer = curl_slist_append(f->headers, b.p);
	buf_done(&b);
	if (longer)
		f->headers = longer;
	return longer != NULL;
}

static bool headers_set(struct fetch *f)
{
	bool ok = true;

	for (size_t i = 0; i < f->q->header_count; i++)
		ok = ok && header_add(f, "", f->q->headers[i]);
	if (f->q->post)
		/* No wait for "100 Continue": what is posted is short. */
		ok = ok && header_add(f, "Content-Type: ", f->q->content_type) && header_add(f, "Expect:", STR(""));
	return ok;
}

/* ---- the answer ---- */

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct fetch *f = ctx;

	(void)p;
	f->header_n += size * n;
	f->large = f->large || f->header_n > LIMIT_HTTP_HEADER;
	return f->large ? 0 : size * n;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct fetch *f = ctx;

	if (!buf_add(&f->body, str_n(p, size * n)))
		f->large = true;
	return f->large ? 0 : size * n;
}

/* ---- settings ---- */

#define SET(option, value) (curl_easy_setopt(f->curl, (option), (value)) == CURLE_OK)

static CURLcode on_context(CURL *curl, void *context, void *ctx)
{
	struct fetch *f = ctx;

	(void)curl;
	net_authorities_use(f->trust, context);
	return CURLE_OK;
}

static bool trust_set(struct fetch *f)
{
	return SET(CURLOPT_SSL_CTX_FUNCTION, on_context) && SET(CURLOPT_SSL_CTX_DATA, f) && SET(CURLOPT_CAINFO, NULL) && SET(CURLOPT_CAPATH, NULL) && SET(CURLOPT_SSL_VERIFYPEER, 1L) &&
	       SET(CURLOPT_SSL_VERIFYHOST, 2L) && SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) && SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
}

static bool limits_set(struct fetch *f)
{
	const struct http_request *q = f->q;
	long                       total = (long)(q->total_ms > 0 ? q->total_ms : LIMIT_HTTP_MS);

	return SET(CURLOPT_TIMEOUT_MS, total) && SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(q->connect_ms > 0 ? q->connect_ms : LIMIT_HTTP_CONNECT_MS)) &&
	       SET(CURLOPT_LOW_SPEED_LIMIT, 1L) && SET(CURLOPT_LOW_SPEED_TIME, (long)LIMIT_HTTP_SLOW_S) &&
	       SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)q->max_octets) && SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_MAXREDIRS, 0L) &&
	       SET(CURLOPT_FOLLOWLOCATION, 0L) && SET(CURLOPT_FORBID_REUSE, 1L) && SET(CURLOPT_FRESH_CONNECT, 1L);
}

static bool way_set(struct fetch *f)
{
	return SET(CURLOPT_PROTOCOLS_STR, "https") && SET(CURLOPT_PROXY, "") && SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) &&
	       SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) && SET(CURLOPT_HTTP09_ALLOWED, 0L) && SET(CURLOPT_PATH_AS_IS, 1L) &&
	       SET(CURLOPT_RESOLVE, f->resolve) && SET(CURLOPT_DNS_CACHE_TIMEOUT, -1L) && SET(CURLOPT_USERAGENT, "Postrider/" POSTRIDER_VERSION);
}

static bool content_set(struct fetch *f)
{
	const struct http_request *q = f->q;
	char                       url[URL_MAX];
	int                        n = snprintf(url, sizeof(url), "https://%.*s:%u%.*s", STR_FMT(q->host), q->port, STR_FMT(q->path));
	bool                       ok = n > 0 && (size_t)n < sizeof(url) && SET(CURLOPT_URL, url);

	if (q->port == 443) { /* Host without a port */
		n = snprintf(url, sizeof(url), "https://%.*s%.*s", STR_FMT(q->host), STR_FMT(q->path));
		ok = ok && SET(CURLOPT_URL, url);
	}
	ok = ok && SET(CURLOPT_ERRORBUFFER, f->error) && SET(CURLOPT_HEADERFUNCTION, on_header) && SET(CURLOPT_HEADERDATA, f) &&
	     SET(CURLOPT_WRITEFUNCTION, on_body) && SET(CURLOPT_WRITEDATA, f) && SET(CURLOPT_HTTPHEADER, f->headers);
	if (q->post)
		ok = ok && SET(CURLOPT_POST, 1L) && SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.n) &&
		     SET(CURLOPT_POSTFIELDS, q->body.n > 0 ? q->body.p : "");
	return ok;
}

/* ---- the fetch ---- */

static enum http_result result_of(const struct fetch *f, CURLcode rc)
{
	if (f->large)
		return HTTP_LARGE;
	switch (rc) {
	case CURLE_OK: return HTTP_OK;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT: return HTTP_UNREACHABLE;
	case CURLE_OPERATION_TIMEDOUT: return HTTP_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER: return HTTP_TLS;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS: return HTTP_CERTIFICATE;
	case CURLE_OUT_OF_MEMORY: /* libcurl's word for a line of a header that is over its own limit, 100 KiB */
	case CURLE_FILESIZE_EXCEEDED: return HTTP_LARGE;
	default: return HTTP_BROKEN;
	}
}

static struct str words(struct arena *a, struct str s)
{
	char *p = arena_cstr(a, s);

	for (size_t i = 0; i < s.n; i++)
		if (p[i] < ' ' || p[i] > '~')
			p[i] = '?';
	return (struct str){ p, s.n };
}

static void reply_fill(struct fetch *f, CURLcode rc, struct arena *a, struct http_reply *ret)
{
	char *text = NULL;
	long  status = 0;

	if (curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK)
		ret->status = (unsigned)status;
	if (curl_easy_getinfo(f->curl, CURLINFO_CONTENT_TYPE, &text) == CURLE_OK && text)
		ret->content_type = arena_dup(a, str_of(text));
	ret->body = arena_dup(a, buf_str(&f->body));
	if (rc != CURLE_OK)
		ret->why = words(a, str_of(f->error[0] != '\0' ? f->error : curl_easy_strerror(rc)));
}

static enum http_result fetch(struct fetch *f, struct arena *a, struct http_reply *ret)
{
	CURLcode rc;

	if (!addresses_set(f) || !headers_set(f) || !trust_set(f) || !limits_set(f) || !way_set(f) || !content_set(f)) {
		ret->why = STR("a setting was refused");
		return HTTP_INVALID;
	}
	rc = curl_easy_perform(f->curl);
	reply_fill(f, rc, a, ret);
	return result_of(f, rc);
}

enum http_result http_fetch(const struct http_request *q, struct arena *a, struct http_reply *ret)
{
	struct fetch     f = { .q = q };
	enum http_result r = HTTP_INVALID;

	*ret = (struct http_reply){ .content_type = STR(""), .body = STR(""), .why = STR("not a request") };
	if (!request_valid(q))
		return r;
	ret->why = STR("no address");
	if (q->address_count == 0)
		return HTTP_UNREACHABLE;
	ret->why = STR("no authorities to verify with");
	f.trust = net_authorities_get(q->authorities);
	if (!f.trust)
		return HTTP_CERTIFICATE;
	ret->why = STR("");
	f.curl = curl_easy_init();
	CHECK(f.curl); /* out of memory */
	buf_init(&f.body, q->max_octets);
	r = fetch(&f, a, ret);
	curl_easy_cleanup(f.curl);
	curl_slist_free_all(f.resolve);
	curl_slist_free_all(f.headers);
	net_authorities_put(f.trust);
	buf_done(&f.body);
	return r;
}

const char *http_result_name(enum http_result r)
{
	static const char *const names[] = {
		[HTTP_OK] = "ok", [HTTP_UNREACHABLE] = "unreachable", [HTTP_TIMEOUT] = "timeout", [HTTP_TLS] = "tls",
		[HTTP_CERTIFICATE] = "certificate", [HTTP_LARGE] = "too_large", [HTTP_BROKEN] = "broken", [HTTP_INVALID] = "invalid",
	};

	return (size_t)r < LEN(names) ? names[r] : "?";
}

bool http_type_is(struct str content_type, struct str type)
{
	struct str media, params;

	(void)str_cut(content_type, ';', &media, &params);
	return str_ieq(str_trim(media), type);
}
