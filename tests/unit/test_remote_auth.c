/* deliver/remote_auth.h, deliver/remote_login.h: signing in at a scripted server, in each way and with each failure; and credentials as they are
 * kept. */
#include "unit.h"

#include <stdlib.h>

#include "deliver/remote_auth.h"
#include "deliver/remote_login.h"
#include "directory/scram.h"
#include "remote_rig.h"
#include "wire/sasl/sasl_scram.h"
#include "wire/text/text_base64.h"

/* ---- credentials ---- */

struct source {
	struct auth_login login;
	enum status       st, token_st;
	unsigned          asked, fetched;
	const char       *token;
	uint32_t          seconds;
};

static enum status credentials(void *ctx, uint64_t login, struct arena *a, struct auth_login *ret)
{
	struct source *s = ctx;

	(void)a;
	assert_int_equal(login, 7);
	s->asked++;
	*ret = s->login;
	return s->st;
}

static enum status token(void *ctx, const struct auth_login *login, struct arena *a, struct str *ret_token, uint32_t *ret_s, struct str *ret_why)
{
	struct source *s = ctx;

	s->fetched++;
	assert_str(login->secret, STR("refresh"));
	*ret_token = arena_dup(a, str_of(s->token ? s->token : ""));
	*ret_s = s->seconds;
	*ret_why = arena_dup(a, STR("invalid_grant"));
	return s->token_st;
}

static struct source password_source(void)
{
	return (struct source){ .login = { .kind = AUTH_LOGIN_PASSWORD, .user = STR("me@mx.test"), .secret = STR("pencil") } };
}

static struct remote_logins *logins_of(struct source *s, bool fetches)
{
	return remote_logins_new(&(struct remote_login_source){ .credentials = credentials, .token = fetches ? token : NULL, .ctx = s });
}

/* ---- a server that knows SCRAM ---- */

static struct str line_after(struct script *s, const char *before, struct arena *a)
{
	struct buf line, plain;
	struct str text;

	buf_init(&line, 64 * KIB);
	buf_init(&plain, 64 * KIB);
	text = script_line(s, &line) ? buf_str(&line) : STR("");
	if (!str_skip(&text, str_of(before)) || !text_base64_decode(text, &plain))
		s->failed = "no such line";
	text = arena_dup(a, buf_str(&plain));
	buf_done(&line);
	buf_done(&plain);
	return text;
}

static void challenge(struct script *s, struct str octets)
{
	struct buf out;

	buf_init(&out, 64 * KIB);
	buf_add(&out, STR("334 "));
	text_base64_encode(octets, &out);
	buf_add(&out, STR("\r\n"));
	script_send(s, out.p, out.n);
	buf_done(&out);
}

/* "SCRAM-SHA-256-PLUS WORD": the exchange up to our signature, answered; what is said then is the script's. WORD: "right"; "signature" (a wrong
 * one); "early" (none at all); "other" (the password is another one, e=). */
static bool scram_hook(struct script *s, const char *arg)
{
	struct arena           *a = arena_new(NULL);
	struct str              mechanism, word, first_text, final_text;
	struct sasl_scram_first first;
	struct sasl_scram_final final;
	struct scram_key        key;
	struct buf              out, plain;
	uint8_t                 signature[SCRAM_OCTETS] = { 0 };
	unsigned char           bound[32];
	enum auth_scram_hash    hash;
	bool                    ok;

	(void)str_cut(str_of(arg), ' ', &mechanism, &word);
	hash = str_starts(mechanism, STR("SCRAM-SHA-1")) ? AUTH_SCRAM_SHA1 : AUTH_SCRAM_SHA256;
	buf_init(&out, 64 * KIB);
	buf_init(&plain, 64 * KIB);
	first_text = line_after(s, arena_cstr(a, arena_printf(a, "AUTH %.*s ", STR_FMT(mechanism))), a);
	ok = sasl_scram_first_parse(first_text, &first);
	scram_key_make(hash, STR("pencil"), STR("0123456789abcdef"), 4096, &key);
	sasl_scram_server_first(ok ? first.nonce : STR("x"), STR("server"), STR("0123456789abcdef"), 4096, &out);
	challenge(s, buf_str(&out));
	final_text = line_after(s, "", a);
	ok = ok && sasl_scram_final_parse(final_text, &final) && text_base64_decode(final.binding, &plain) && str_starts(buf_str(&plain), first.gs2.text);
	if (ok && first.gs2.flag == 'p') /* both ends of one TLS connection */
		ok = SSL_export_keying_material(s->ssl, bound, 32, "EXPORTER-Channel-Binding", 24, NULL, 0, 0) == 1 &&
		     str_eq(str_from(buf_str(&plain), first.gs2.text.n), str_n(bound, 32));
	buf_clear(&plain);
	ok = ok && text_base64_decode(final.proof, &plain) &&
	     scram_check(hash, &key, arena_printf(a, "%.*s,%.*s,%.*s", STR_FMT(first.bare), STR_FMT(buf_str(&out)), STR_FMT(final.unproved)), buf_str(&plain), signature);
	if (str_eq(word, STR("signature")))
		signature[3] ^= 1;
	buf_clear(&out);
	sasl_scram_server_final(str_n(signature, scram_octets(hash)), &out);
	if (!str_eq(word, STR("early"))) {
		challenge(s, str_eq(word, STR("other")) ? STR("e=invalid-proof") : buf_str(&out));
		ok = ok && (str_eq(word, STR("signature")) || line_after(s, "", a).n == 0);
	}
	buf_done(&out);
	buf_done(&plain);
	arena_free(&a);
	return ok || str_eq(word, STR("other"));
}

/* ---- one delivery ---- */

#define TLS          HELLO, "S 250-mx.test", "S 250 STARTTLS", "E STARTTLS", "S 220 go", "T", "E EHLO me.test", "S 250-mx.test"
#define OFFER(words) TLS, "S 250 AUTH " words
#define SENT         "E MAIL FROM:<s@me.test>", "S 250 ok", "E RCPT", "S 250 ok", "E DATA", "S 354 go", "D", "S 250 2.0.0 taken", QUIT
#define B_PLAIN      "AG1lQG14LnRlc3QAcGVuY2ls" /* NUL me@mx.test NUL pencil */
#define B_USER       "bWVAbXgudGVzdA=="
#define B_PASSWORD   "cGVuY2ls"
#define B_XOAUTH2    "dXNlcj1tZUBteC50ZXN0AWF1dGg9QmVhcmVyIHlhMjkudAEB" /* user=me@mx.test ^A auth=Bearer ya29.t ^A ^A */
#define B_SERVER     "cj1meWtv" /* "r=fyko" */

static const char *const plain[] = { OFFER("PLAIN LOGIN"), "E AUTH PLAIN " B_PLAIN, "S 235 2.7.0 in", SENT, NULL };
static const char *const login[] = { OFFER("LOGIN"), "E AUTH LOGIN", "S 334 VXNlcm5hbWU6", "E " B_USER, "S 334 UGFzc3dvcmQ6", "E " B_PASSWORD, "S 235 in", SENT, NULL };
static const char *const scram256[] = { OFFER("PLAIN SCRAM-SHA-1 SCRAM-SHA-256"), "H SCRAM-SHA-256 right", "S 235 2.7.0 in", SENT, NULL };
static const char *const scram1[] = { OFFER("PLAIN SCRAM-SHA-1"), "H SCRAM-SHA-1 right", "S 235 2.7.0 in", SENT, NULL };
static const char *const plus[] = { OFFER("SCRAM-SHA-256 SCRAM-SHA-256-PLUS"), "H SCRAM-SHA-256-PLUS right", "S 235 2.7.0 in", SENT, NULL };
/* the binding is not understood: once more without */
static const char *const plus_no[] = { OFFER("SCRAM-SHA-256 SCRAM-SHA-256-PLUS"), "E AUTH SCRAM-SHA-256-PLUS cD10bHM", "S 535 5.7.8 no", "H SCRAM-SHA-256 right", "S 235 in", SENT, NULL };
static const char *const plus_wrong[] = { OFFER("SCRAM-SHA-256-PLUS"), "E AUTH SCRAM-SHA-256-PLUS cD10bHM", "S 535 5.7.8 no", QUIT, NULL };
static const char *const clear_scram[] = { HELLO, "S 250-mx.test", "S 250 AUTH PLAIN SCRAM-SHA-256", "H SCRAM-SHA-256 right", "S 235 2.7.0 in", SENT, NULL };
static const char *const clear_plain[] = { HELLO, "S 250-mx.test", "S 250 AUTH PLAIN LOGIN", QUIT, NULL };
static const char *const no_auth[] = { TLS, "S 250 SIZE", QUIT, NULL };
static const char *const stripped[] = { HELLO, "S 250-mx.test", "S 250-STARTTLS", "S 250 AUTH PLAIN", "E STARTTLS", "S 220 go", "T", "E EHLO me.test", "S 250 mx.test", QUIT, NULL };
static const char *const unknown[] = { OFFER("GSSAPI CRAM-MD5"), QUIT, NULL };
static const char *const wrong[] = { OFFER("PLAIN"), "E AUTH PLAIN", "S 535 5.7.8 wrong password", QUIT, NULL };
static const char *const wrong_scram[] = { OFFER("SCRAM-SHA-256"), "H SCRAM-SHA-256 other", "S 535 5.7.8 wrong password", QUIT, NULL };
static const char *const later[] = { OFFER("PLAIN"), "E AUTH PLAIN", "S 454 4.7.0 not now", QUIT, NULL };
static const char *const busy[] = { OFFER("PLAIN"), "E AUTH PLAIN", "S 421 4.3.2 going down", "W", NULL };
static const char *const too_weak[] = { OFFER("SCRAM-SHA-1 PLAIN"), "E AUTH SCRAM-SHA-1", "S 534 5.7.9 too weak", "E AUTH PLAIN " B_PLAIN, "S 235 in", SENT, NULL };
static const char *const unable[] = { OFFER("PLAIN LOGIN"), "E AUTH PLAIN", "S 504 5.5.4 no", "E AUTH LOGIN", "S 504 5.5.4 no", QUIT, NULL };
static const char *const all_unable[] = { OFFER("SCRAM-SHA-1 SCRAM-SHA-256 PLAIN LOGIN"), "E AUTH SCRAM-SHA-256", "S 504 no", "E AUTH SCRAM-SHA-1", "S 504 no", "E AUTH PLAIN", "S 504 no", QUIT, NULL };
static const char *const asked_again[] = { OFFER("PLAIN"), "E AUTH PLAIN", "S 334 ", "E *", "S 501 cancelled", "W", NULL };
static const char *const no_base64[] = { OFFER("LOGIN"), "E AUTH LOGIN", "S 334 ?user?", "E *", "S 501 cancelled", "W", NULL };
static const char *const bad_nonce[] = { OFFER("SCRAM-SHA-256"), "E AUTH SCRAM-SHA-256", "S 334 " B_SERVER, "E *", "S 501 cancelled", "W", NULL };
static const char *const signature[] = { OFFER("SCRAM-SHA-256"), "H SCRAM-SHA-256 signature", "E *", "S 501 cancelled", "W", NULL };
static const char *const early[] = { OFFER("SCRAM-SHA-256"), "H SCRAM-SHA-256 early", "S 235 come in", "W", NULL };
static const char *const at_once[] = { OFFER("SCRAM-SHA-256"), "E AUTH SCRAM-SHA-256", "S 235 come in", "W", NULL };
static const char *const odd[] = { OFFER("PLAIN"), "E AUTH PLAIN", "S 250 ok", "W", NULL };
static const char *const gone[] = { OFFER("PLAIN"), "E AUTH PLAIN", "X", NULL };
static const char *const garbage[] = { OFFER("PLAIN"), "E AUTH PLAIN", "S hello", "W", NULL };
static const char *const endless[] = { OFFER("LOGIN"), "E AUTH LOGIN", "S 334 VXNlcm5hbWU6", "E", "S 334 VXNlcm5hbWU6", "E", "S 334 VXNlcm5hbWU6", "E *", "S 334 VXNlcm5hbWU6", "W", NULL };
static const char *const huge[] = { OFFER("LOGIN"), "E AUTH LOGIN", "R 334 ", "N 13000 A", "R \r\n", "E *", "S 501 no", "W", NULL };
static const char *const xoauth2[] = { OFFER("PLAIN XOAUTH2"), "E AUTH XOAUTH2 " B_XOAUTH2, "S 235 in", SENT, NULL };
static const char *const xoauth2_no[] = { OFFER("XOAUTH2"), "E AUTH XOAUTH2 " B_XOAUTH2, "S 334 e30=", "E", "S 535 5.7.8 token expired", QUIT, NULL };
static const char *const bearer_no[] = { OFFER("XOAUTH2 OAUTHBEARER"), "E AUTH OAUTHBEARER bixhPW1lQG14LnRlc3QsAWhvc3Q9bXgudGVzdAFwb3J0P", "S 334 e30=", "E AQ==", "S 535 5.7.8 token expired", QUIT, NULL };
static const char *const no_token[] = { OFFER("PLAIN"), QUIT, NULL };

static const struct {
	const char        *name;
	const char *const *steps;
	bool               token;
	const char        *want, *answer; /* a part of the first answer */
	bool               refused;       /* the credentials rest */
} cases[] = {
	{ "PLAIN", plain, false, "D 2.0.0", "taken", false },
	{ "LOGIN", login, false, "D 2.0.0", "taken", false },
	{ "SCRAM-SHA-256", scram256, false, "D 2.0.0", "taken", false },
	{ "SCRAM-SHA-1", scram1, false, "D 2.0.0", "taken", false },
	{ "SCRAM-SHA-256-PLUS", plus, false, "D 2.0.0", "taken", false },
	{ "channel binding refused", plus_no, false, "D 2.0.0", "taken", false },
	{ "nothing without a binding", plus_wrong, false, "T 4.7.8", "535 5.7.8 no", true },
	{ "SCRAM in clear", clear_scram, false, "D 2.0.0", "taken", false },
	{ "only PLAIN in clear", clear_plain, false, "T 4.7.0", "safe without TLS", false },
	{ "no AUTH", no_auth, false, "T 4.7.0", "does not offer to sign in", false },
	{ "AUTH in clear only", stripped, false, "T 4.7.0", "does not offer to sign in", false },
	{ "no common mechanism", unknown, false, "T 4.7.0", "no way to sign in that we know", false },
	{ "wrong password", wrong, false, "T 4.7.8", "535 5.7.8 wrong password", true },
	{ "wrong password, SCRAM", wrong_scram, false, "T 4.7.8", "535 5.7.8 wrong password", true },
	{ "not now", later, false, "T 4.7.0", "454 4.7.0 not now", false },
	{ "going down", busy, false, "T 4.3.2", "421", false },
	{ "too weak", too_weak, false, "D 2.0.0", "taken", false },
	{ "unable", unable, false, "T 4.7.0", "504", false },
	{ "three tries", all_unable, false, "T 4.7.0", "504", false },
	{ "initial response asked for again", asked_again, false, "T 4.7.0", "does not have", false },
	{ "no base64", no_base64, false, "T 4.7.0", "no base64", false },
	{ "no SCRAM", bad_nonce, false, "T 4.7.0", "none of SCRAM", false },
	{ "wrong signature", signature, false, "T 4.7.0", "does not know the password", false },
	{ "no signature", early, false, "T 4.7.0", "without proving", false },
	{ "let in at once", at_once, false, "T 4.7.0", "without proving", false },
	{ "reply out of place", odd, false, "T 4.5.0", "250", false },
	{ "lost", gone, false, "T 4.4.2", "AUTH", false },
	{ "no reply", garbage, false, "T 4.5.0", "Malformed", false },
	{ "endless", endless, false, "T 4.7.0", "does not have", false },
	{ "huge challenge", huge, false, "T 4.7.0", "no base64", false },
	{ "XOAUTH2", xoauth2, true, "D 2.0.0", "taken", false },
	{ "XOAUTH2 refused", xoauth2_no, true, "T 4.7.8", "token expired", true },
	{ "OAUTHBEARER refused", bearer_no, true, "T 4.7.8", "token expired", true },
	{ "no mechanism for tokens", no_token, true, "T 4.7.0", "takes no access tokens", false },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct source source = password_source();
		struct run    r;
		struct str    answer;

		if (cases[i].token) {
			source.login.kind = AUTH_LOGIN_TOKEN;
			source.login.secret = STR("ya29.t");
		}
		run_init(&r, 1, cases[i].steps);
		r.script.hook = scram_hook;
		r.q.hop = (struct hop){ .login = 7, .tls = HOP_TLS_MAY };
		r.remote.logins = logins_of(&source, false);
		run_go(&r);
		run_check(&r, cases[i].name, cases[i].want);
		answer = r.reply.results[0].answer;
		if (str_search(answer, str_of(cases[i].answer)) < 0)
			fail_msg("case \"%s\": %.*s", cases[i].name, STR_FMT(answer));
		assert_true(str_search(answer, STR("pencil")) < 0);
		assert_int_equal(source.asked, strstr(cases[i].answer, "does not offer") ? 0 : 1);
		/* refused credentials are not tried again for now, others are, without asking anew */
		{
			struct arena     *a = arena_new_secret(NULL);
			struct auth_login l;
			struct str        why;

			assert_int_equal(remote_login_get(r.remote.logins, 7, a, &l, &why), cases[i].refused ? ST_DENIED : ST_OK);
			assert_int_equal(source.asked, 1);
			arena_free(&a);
		}
		remote_logins_free(&r.remote.logins);
		run_done(&r);
	}
}

/* Nothing is said about signing in to a host that is asked for none, nor is anybody asked for credentials. */
static void test_no_login(void **state)
{
	struct run r;

	(void)state;
	run_init(&r, 1, STEPS(OFFER("PLAIN"), SENT));
	run_go(&r);
	run_check(&r, "no login", "D 2.0.0");
	run_done(&r);
}

static void test_no_credentials(void **state)
{
	static const struct {
		enum status st;
		const char *want, *answer;
	} rows[] = {
		{ ST_NOT_FOUND, "T 4.7.8", "removed or changed" },
		{ ST_TEMP, "T 4.3.0", "does not answer" },
		{ ST_IO, "T 4.3.0", "does not answer" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct source source = password_source();
		struct run    r;

		source.st = rows[i].st;
		run_init(&r, 1, STEPS(OFFER("PLAIN"), QUIT));
		r.q.hop = (struct hop){ .login = 7, .tls = HOP_TLS_MAY };
		r.remote.logins = logins_of(&source, false);
		run_go(&r);
		run_check(&r, "no credentials", rows[i].want);
		assert_true(str_search(r.reply.results[0].answer, str_of(rows[i].answer)) >= 0);
		remote_logins_free(&r.remote.logins);
		run_done(&r);
	}
}

/* A route that says "never TLS" and has credentials cannot be made; should one come all the same, nothing is sent. */
static void test_never(void **state)
{
	struct source source = password_source();
	struct run    r;

	(void)state;
	run_init(&r, 1, STEPS(HELLO, "S 250-mx.test", "S 250 AUTH PLAIN SCRAM-SHA-256", QUIT));
	r.q.hop = (struct hop){ .login = 7, .tls = HOP_TLS_NEVER };
	r.remote.logins = logins_of(&source, false);
	run_go(&r);
	run_check(&r, "never", "T 4.3.5");
	assert_int_equal(source.asked, 0);
	remote_logins_free(&r.remote.logins);
	run_done(&r);
}

/* The longest token that there may be. */
static void test_long(void **state)
{
	struct source source = password_source();
	struct run    r;
	char         *text = malloc(LIMIT_BEARER);

	(void)state;
	memset(text, 'x', LIMIT_BEARER);
	source.login.kind = AUTH_LOGIN_TOKEN;
	source.login.secret = str_n(text, LIMIT_BEARER);
	run_init(&r, 1, STEPS(OFFER("XOAUTH2"), "E AUTH XOAUTH2 dXNlcj1t", "S 235 in", SENT));
	r.q.hop = (struct hop){ .login = 7, .tls = HOP_TLS_MAY };
	r.remote.logins = logins_of(&source, false);
	run_go(&r);
	run_check(&r, "long", "D 2.0.0");
	remote_logins_free(&r.remote.logins);
	run_done(&r);
	free(text);
}

/* ---- kept ---- */

static enum status get(struct remote_logins *l, const char *want, const char *why)
{
	struct arena     *a = arena_new_secret(NULL);
	struct auth_login found = { 0 };
	struct str        reason = STR("");
	enum status       st = remote_login_get(l, 7, a, &found, &reason);

	if (st == ST_OK)
		assert_str(found.secret, str_of(want));
	else if (str_search(reason, str_of(why)) < 0)
		fail_msg("%.*s", STR_FMT(reason));
	arena_free(&a);
	return st;
}

static void test_kept(void **state)
{
	struct source         source = password_source();
	struct remote_logins *l = logins_of(&source, false);

	(void)state;
	assert_int_equal(get(l, "pencil", ""), ST_OK);
	assert_int_equal(get(l, "pencil", ""), ST_OK);
	assert_int_equal(source.asked, 1);
	remote_login_refused(l, 7, STR("535 no"));
	assert_int_equal(get(l, "", "after: 535 no"), ST_DENIED);
	assert_int_equal(source.asked, 1);
	remote_logins_free(&l);
	/* a failure to ask is kept for a moment, for all */
	source.st = ST_TEMP;
	l = logins_of(&source, false);
	assert_int_equal(get(l, "", "does not answer"), ST_TEMP);
	source.st = ST_OK;
	assert_int_equal(get(l, "", "does not answer"), ST_TEMP);
	assert_int_equal(source.asked, 2);
	while (get(l, "pencil", "does not answer") == ST_TEMP)
		usleep(10000);
	assert_int_equal(source.asked, 3);
	remote_logins_free(&l);
}

static void test_tokens(void **state)
{
	static const struct {
		enum status st;
		const char *token;
		enum status want;
		const char *why;
	} rows[] = {
		{ ST_OK, "ya29.new", ST_OK, "" },       { ST_DENIED, "", ST_DENIED, "invalid_grant" }, { ST_TEMP, "", ST_TEMP, "invalid_grant" },
		{ ST_OK, "", ST_TEMP, "no access token" }, { ST_OK, "a\1b", ST_TEMP, "no access token" }, { ST_OK, "a b", ST_TEMP, "no access token" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct source         source = { .login = { .kind = AUTH_LOGIN_REFRESH, .user = STR("me"), .secret = STR("refresh") },
						 .token = rows[i].token, .token_st = rows[i].st, .seconds = 3600 };
		struct remote_logins *l = logins_of(&source, true);

		assert_int_equal(get(l, rows[i].token, rows[i].why), rows[i].want);
		/* once is enough, whatever came of it */
		assert_int_equal(get(l, rows[i].token, rows[i].why), rows[i].want == ST_OK ? ST_OK : ST_DENIED);
		assert_int_equal(source.fetched, 1);
		remote_logins_free(&l);
	}
	{
		struct source         source = { .login = { .kind = AUTH_LOGIN_REFRESH, .user = STR("me"), .secret = STR("refresh") } };
		struct remote_logins *l = logins_of(&source, false);

		assert_int_equal(get(l, "", "cannot be fetched"), ST_DENIED);
		remote_logins_free(&l);
	}
}

static void *getter(void *l)
{
	for (int i = 0; i < 50; i++)
		assert_int_equal(get(l, "ya29.t", ""), ST_OK);
	return NULL;
}

/* Many deliveries, one fetch. */
static void test_many(void **state)
{
	struct source         source = { .login = { .kind = AUTH_LOGIN_REFRESH, .user = STR("me"), .secret = STR("refresh") }, .token = "ya29.t", .seconds = 3600 };
	struct remote_logins *l = logins_of(&source, true);
	pthread_t             threads[8];

	(void)state;
	for (size_t i = 0; i < LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, getter, l), 0);
	for (size_t i = 0; i < LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(source.fetched, 1);
	assert_int_equal(source.asked, 1);
	remote_logins_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases), cmocka_unit_test(test_no_login), cmocka_unit_test(test_no_credentials), cmocka_unit_test(test_never),
		cmocka_unit_test(test_long),  cmocka_unit_test(test_kept),     cmocka_unit_test(test_tokens),         cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
