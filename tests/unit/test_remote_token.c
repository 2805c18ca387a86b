/* deliver/remote_token.h: URLs, the form that is sent, and whatever an endpoint may answer. */
#include "unit.h"

#include <stdio.h>

#include "deliver/remote_token.h"
#include "fake_dns.h"

static void test_url(void **state)
{
	static const struct {
		const char *url, *host;
		unsigned    port;
		const char *path;
	} cases[] = {
		{ "https://oauth2.example/token", "oauth2.example", 443, "/token" },
		{ "https://login.example:8443/t/oauth2/v2.0/token?x=y&z", "login.example", 8443, "/t/oauth2/v2.0/token?x=y&z" },
		{ "https://a.test", "a.test", 443, "/" },
		{ .url = "http://a.test/t" }, { .url = "https://" }, { .url = "https:///t" }, { .url = "https://a.test:0/" },
		{ .url = "https://a.test:65536/" }, { .url = "https://a.test:/" }, { .url = "https://a.test:x/" }, { .url = "https://u:p@a.test/" },
		{ .url = "https://a..test/" }, { .url = "https://a.test/a b" }, { .url = "https://a.test/a\r\nHost: b" }, { .url = "https://a.test/\xc3\xa9" },
		{ .url = "https://a.test/#f" }, { .url = "https://192.0.2.1/t" }, { .url = "https://[::1]/t" }, { .url = "https://a.test?x" },
		{ .url = "" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct str host, path;
		unsigned   port;
		bool       ok = remote_token_url(str_of(cases[i].url), &host, &port, &path);

		if (ok != (cases[i].host != NULL))
			fail_msg("%s", cases[i].url);
		if (!ok)
			continue;
		assert_str(host, str_of(cases[i].host));
		assert_int_equal(port, cases[i].port);
		assert_str(path, str_of(cases[i].path));
	}
}

static void test_form(void **state)
{
	struct arena     *a = arena_new_secret(NULL);
	struct auth_login l = { .secret = STR("1//r+t=/&"), .client = STR("id.apps"), .client_secret = STR(""), .scope = STR("https://mail.example/ offline") };

	(void)state;
	assert_str(remote_token_form(&l, a),
		   STR("grant_type=refresh_token&refresh_token=1%2F%2Fr%2Bt%3D%2F%26&client_id=id.apps&scope=https%3A%2F%2Fmail.example%2F%20offline"));
	l.client_secret = STR("s&x");
	l.scope = STR("");
	assert_str(remote_token_form(&l, a), STR("grant_type=refresh_token&refresh_token=1%2F%2Fr%2Bt%3D%2F%26&client_id=id.apps&client_secret=s%26x"));
	arena_free(&a);
}

static void test_answer(void **state)
{
	static const struct {
		unsigned    status;
		const char *body;
		enum status st;
		const char *token;
		uint32_t    seconds;
		const char *why;
	} cases[] = {
		{ 200, "{\"access_token\":\"ya29.x\",\"expires_in\":3599,\"token_type\":\"Bearer\"}", ST_OK, "ya29.x", 3599, "" },
		{ 200, "{\"access_token\":\"t\",\"expires_in\":\"3600\"}", ST_OK, "t", 3600, "" },
		{ 200, "{\"access_token\":\"t\"}", ST_OK, "t", 0, "" },
		{ 200, "{\"access_token\":\"t\",\"expires_in\":-5}", ST_OK, "t", 0, "" },
		{ 200, "{\"access_token\":\"t\",\"expires_in\":99999999999999}", ST_OK, "t", UINT32_MAX, "" },
		{ 200, "{\"access_token\":\"t\",\"expires_in\":[1]}", ST_OK, "t", 0, "" },
		{ 200, "{\"access_token\":\"\"}", ST_TEMP, NULL, 0, "has none" },
		{ 200, "{\"access_token\":5}", ST_TEMP, NULL, 0, "has none" },
		{ 200, "{\"access_token\":\"a\",\"access_token\":\"b\"}", ST_TEMP, NULL, 0, "has none" },
		{ 200, "", ST_TEMP, NULL, 0, "has none" },
		{ 200, "<html>", ST_TEMP, NULL, 0, "has none" },
		{ 200, "[]", ST_TEMP, NULL, 0, "has none" },
		{ 400, "{\"error\":\"invalid_grant\",\"error_description\":\"Token has been\\r\\n expired\\u0007\"}", ST_DENIED, NULL, 0, "invalid_grant: Token has been" },
		{ 401, "{\"error\":\"invalid_client\"}", ST_DENIED, NULL, 0, "invalid_client (HTTP 401)" },
		{ 400, "nonsense", ST_DENIED, NULL, 0, "(HTTP 400)" },
		{ 500, "{\"error\":\"x\"}", ST_TEMP, NULL, 0, "(HTTP 500)" },
		{ 429, "", ST_TEMP, NULL, 0, "(HTTP 429)" },
		{ 302, "", ST_TEMP, NULL, 0, "(HTTP 302)" },
		{ 204, "{\"access_token\":\"t\"}", ST_TEMP, NULL, 0, "(HTTP 204)" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct arena *a = arena_new_secret(NULL);
		struct str    token = STR(""), why = STR("");
		uint32_t      seconds = 7;

		if (remote_token_answer(cases[i].status, str_of(cases[i].body), a, &token, &seconds, &why) != cases[i].st)
			fail_msg("case %zu: %.*s", i, STR_FMT(why));
		if (cases[i].token) {
			assert_str(token, str_of(cases[i].token));
			assert_int_equal(seconds, cases[i].seconds);
		} else {
			if (str_search(why, str_of(cases[i].why)) < 0)
				fail_msg("case %zu: %.*s", i, STR_FMT(why));
			assert_false(str_has_ctl(why));
		}
		arena_free(&a);
	}
}

/* What would be a long text is not kept. */
static void test_long(void **state)
{
	struct arena *a = arena_new_secret(NULL);
	struct str    token, why = STR("");
	uint32_t      seconds;
	char         *body = arena_alloc(a, 20000);

	(void)state;
	snprintf(body, 20000, "{\"error\":\"%05000d\",\"error_description\":\"%05000d\"}", 1, 2);
	assert_int_equal(remote_token_answer(400, str_of(body), a, &token, &seconds, &why), ST_DENIED);
	assert_true(why.n < 2 * LIMIT_REMOTE_ANSWER);
	snprintf(body, 20000, "{\"access_token\":\"%05000d\"}", 1);
	assert_int_equal(remote_token_answer(200, str_of(body), a, &token, &seconds, &why), ST_TEMP);
	arena_free(&a);
}

/* Names lead through the resolver and the filter of addresses. */
static void test_addresses(void **state)
{
	static const struct fake_record records[] = { { "inside.test", DNS_A, "127.0.0.1" }, { NULL, 0, NULL } };
	struct fake_zone                zone = { .records = records };
	struct remote                   remote = fake_remote(&zone);
	struct arena                   *a = arena_new_secret(NULL);
	struct auth_login               l = { .secret = STR("r"), .client = STR("c"), .client_secret = STR(""), .scope = STR("") };
	struct str                      token, why;
	uint32_t                        seconds;

	(void)state;
	l.endpoint = STR("https://inside.test/token");
	assert_int_equal(remote_token_fetch(&remote, &l, a, &token, &seconds, &why), ST_TEMP);
	assert_true(str_search(why, STR("no address that may be used")) >= 0);
	l.endpoint = STR("https://nowhere.test/token");
	assert_int_equal(remote_token_fetch(&remote, &l, a, &token, &seconds, &why), ST_TEMP);
	l.endpoint = STR("gopher://x");
	assert_int_equal(remote_token_fetch(&remote, &l, a, &token, &seconds, &why), ST_DENIED);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url), cmocka_unit_test(test_form), cmocka_unit_test(test_answer), cmocka_unit_test(test_long), cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
