/* deliver/remote_token.c - see remote_token.h. */
#include "deliver/remote_token.h"

#include <jansson.h>

#include "deliver/remote_https.h"
#include "wire/address/address.h"
#include "wire/smtp/smtp_answer.h"

#define ANSWER_MAX ((size_t)64 * KIB)

/* ---- the question ---- */

bool remote_token_url(struct str url, struct str *ret_host, unsigned *ret_port, struct str *ret_path)
{
	ptrdiff_t  slash;
	struct str host, number;
	uint32_t   port = 443;

	if (url.n > LIMIT_URL || !str_skip(&url, STR("https://")))
		return false;
	slash = str_find(url, '/');
	host = slash < 0 ? url : str_first(url, (size_t)slash);
	if (str_cut(host, ':', &host, &number) && (!str_to_u32(number, &port) || port == 0 || port > 65535))
		return false;
	if (host.n == 0 || host.n > LIMIT_DOMAIN || !address_domain_is_ascii(host))
		return false;
	*ret_path = slash < 0 ? STR("/") : str_from(url, (size_t)slash);
	for (size_t i = 0; i < ret_path->n; i++)
		if (ret_path->p[i] <= ' ' || ret_path->p[i] > '~' || ret_path->p[i] == '#')
			return false;
	*ret_host = host;
	*ret_port = port;
	return true;
}

static void field(struct buf *out, const char *name, struct str value)
{
	if (value.n == 0)
		return;
	buf_addf(out, "%s%s=", out->n > 0 ? "&" : "", name);
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (ascii_is_alnum(c) || str_find(STR("-._~"), c) >= 0)
			buf_add_char(out, c);
		else
			buf_addf(out, "%%%02X", (unsigned char)c);
	}
}

struct str remote_token_form(const struct auth_login *l, struct arena *a)
{
	size_t     max = 3 * (l->secret.n + l->client.n + l->client_secret.n + l->scope.n) + 200;
	struct buf b = { .p = arena_alloc(a, max), .cap = max, .max = max };

	field(&b, "grant_type", STR("refresh_token"));
	field(&b, "refresh_token", l->secret);
	field(&b, "client_id", l->client);
	field(&b, "client_secret", l->client_secret);
	field(&b, "scope", l->scope);
	CHECK(!b.over);
	return buf_str(&b);
}

/* ---- the answer ---- */

static struct str text_of(json_t *o, const char *name)
{
	json_t *value = json_object_get(o, name);

	return json_is_string(value) ? str_n(json_string_value(value), json_string_length(value)) : STR("");
}

/* A number, or its digits as a text, as some say it. */
static uint32_t seconds_of(json_t *o)
{
	json_t  *value = json_object_get(o, "expires_in");
	uint32_t n = 0;

	if (json_is_integer(value) && json_integer_value(value) > 0)
		return (uint32_t)MIN(json_integer_value(value), (json_int_t)UINT32_MAX);
	return json_is_string(value) && str_to_u32(text_of(o, "expires_in"), &n) ? n : 0;
}

static struct str clean(struct arena *a, struct str text)
{
	struct buf b;
	struct str copy;

	buf_init(&b, LIMIT_REMOTE_ANSWER);
	smtp_answer_print(&b, text, LIMIT_REMOTE_ANSWER / 2);
	copy = arena_dup(a, buf_str(&b));
	buf_done(&b);
	return copy;
}

/* RFC 6749 §5.2: 400 or 401, with an error; others are trouble of the endpoint. */
static enum status refusal(unsigned status, json_t *o, struct arena *a, struct str *ret_why)
{
	struct str error = clean(a, text_of(o, "error")), more = clean(a, text_of(o, "error_description"));

	*ret_why = arena_printf(a, "No access token: %.*s%s%.*s (HTTP %u)", STR_FMT(error), error.n && more.n ? ": " : "", STR_FMT(more), status);
	return status == 400 || status == 401 ? ST_DENIED : ST_TEMP;
}

enum status remote_token_answer(unsigned status, struct str body, struct arena *a, struct str *ret_token, uint32_t *ret_s, struct str *ret_why)
{
	json_t     *o = body.n > 0 && body.n <= ANSWER_MAX ? json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL) : NULL;
	struct str  token = text_of(o, "access_token");
	enum status st = ST_OK;

	if (status != 200) {
		st = refusal(status, o, a, ret_why);
	} else if (token.n == 0 || token.n > LIMIT_BEARER) {
		*ret_why = STR("No access token: the answer has none");
		st = ST_TEMP;
	} else {
		*ret_token = arena_dup(a, token);
		*ret_s = seconds_of(o);
	}
	json_decref(o);
	return st;
}

enum status remote_token_fetch(const struct remote *remote, const struct auth_login *login, struct arena *a, struct str *ret_token, uint32_t *ret_s,
			       struct str *ret_why)
{
	static const struct str headers[] = { STR("Accept: application/json") };
	struct http_request     q = { .post = true, .content_type = STR("application/x-www-form-urlencoded"), .max_octets = ANSWER_MAX,
				      .headers = headers, .header_count = LEN(headers), .total_ms = LIMIT_TOKEN_MS };
	struct http_reply       reply = { 0 };
	enum http_result        result;

	*ret_why = STR("No access token: the endpoint is no https:// URL");
	if (!remote_token_url(login->endpoint, &q.host, &q.port, &q.path))
		return ST_DENIED;
	*ret_why = STR("No access token: the endpoint has no address that may be used");
	if (!remote_https_prepare(remote, &q, a))
		return ST_TEMP;
	q.body = remote_token_form(login, a);
	result = http_fetch(&q, a, &reply);
	if (result == HTTP_OK)
		return remote_token_answer(reply.status, reply.body, a, ret_token, ret_s, ret_why);
	*ret_why = arena_printf(a, "No access token: %s (%.*s)", http_result_name(result), STR_FMT(clean(a, reply.why)));
	return ST_TEMP;
}
