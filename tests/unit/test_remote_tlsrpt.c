/* deliver/remote_tlsrpt.h: counting, bounds, sending (RFC 8460 §4.3, §4.4). */
#include "unit.h"

#include <stdio.h>

#include "deliver/remote.h"
#include "deliver/remote_tlsrpt.h"
#include "remote_rig.h"

#define DAY ((int64_t)24 * 3600 * 1000)

static int64_t now_ms;
static int64_t wall(void) { return now_ms; }

/* auth */
static struct {
	enum status       st;
	unsigned          calls;
	struct arena     *arena;
	struct tlsrpt_row rows[5000];
	size_t            n;
	uint64_t          sum;
} sent;

static enum status send_rows(void *ctx, const struct auth_tlsrpt_note_request *q)
{
	(void)ctx;
	sent.calls++;
	assert_true(q->row_count > 0 && q->row_count <= LIMIT_TLSRPT_ROWS);
	if (sent.st != ST_OK)
		return sent.st;
	for (size_t i = 0; i < q->row_count; i++) {
		struct tlsrpt_row *r = &sent.rows[sent.n++];

		*r = q->rows[i];
		r->domain = arena_dup(sent.arena, r->domain);
		r->policy_text = arena_dup(sent.arena, r->policy_text);
		r->f.mx_host = arena_dup(sent.arena, r->f.mx_host);
		r->f.mx_helo = arena_dup(sent.arena, r->f.mx_helo);
		r->f.reason = arena_dup(sent.arena, r->f.reason);
		sent.sum += r->f.count;
	}
	return ST_OK;
}

static struct remote remote;

static int setup(void **state)
{
	(void)state;
	memset(&sent, 0, sizeof(sent));
	sent.arena = arena_new(NULL);
	now_ms = 20000 * DAY;
	remote.tlsrpt = remote_tlsrpt_open(&(struct remote_tlsrpt_options){ .send = send_rows, .wall_ms = wall, .threadless = true });
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	remote_tlsrpt_close(&remote.tlsrpt);
	arena_free(&sent.arena);
	return 0;
}

static struct remote_tlsrpt_note note(const char *domain, enum tlsrpt_policy policy, enum tlsrpt_result result)
{
	return (struct remote_tlsrpt_note){ .domain = str_of(domain), .policy = policy, .result = result, .policy_text = STR(""),
					    .sending_ip = STR("192.0.2.1"), .mx_host = STR("mx.d.test"), .mx_helo = STR("mx"),
					    .receiving_ip = STR("192.0.2.2"), .reason = STR("TLS handshake failed") };
}

static void test_counts(void **state)
{
	const struct remote_sts   sts = { .mode = STS_TESTING, .text = STR("version: STSv1\nmode: testing\nmx: a.b\nmax_age: 5\n") };
	struct remote_tlsrpt_note n = note("D.test", TLSRPT_STS, TLSRPT_SUCCESS);

	(void)state;
	n.sts = &sts;
	for (unsigned i = 0; i < 3; i++)
		remote_tlsrpt_note(&remote, &n);
	n.result = TLSRPT_CERTIFICATE_EXPIRED;
	remote_tlsrpt_note(&remote, &n);
	now_ms += DAY;
	remote_tlsrpt_note(&remote, &n);
	remote_tlsrpt_flush(remote.tlsrpt);
	assert_int_equal(sent.n, 3);
	assert_int_equal(sent.sum, 5);
	for (size_t i = 0; i < sent.n; i++) {
		const struct tlsrpt_row *r = &sent.rows[i];

		assert_str(r->domain, STR("d.test"));
		assert_int_equal(r->policy, TLSRPT_STS);
		assert_str(r->policy_text, sts.text);
		assert_int_equal(r->f.count, r->f.result == TLSRPT_SUCCESS ? 3 : 1);
		assert_true(r->day == 20000 || (r->day == 20001 && r->f.result != TLSRPT_SUCCESS));
		assert_str(r->f.mx_host, r->f.result == TLSRPT_SUCCESS ? STR("") : STR("mx.d.test"));
		assert_str(r->f.reason, r->f.result == TLSRPT_SUCCESS ? STR("") : STR("TLS handshake failed"));
	}
	remote_tlsrpt_flush(remote.tlsrpt);
	assert_int_equal(sent.calls, 1);
}

/* RFC 8460 §4.3.2.2: a policy that could not be had is a failure, though the session went well; unless DANE decided. */
static void test_policy_trouble(void **state)
{
	const struct remote_sts   sts = { .mode = STS_NONE, .text = STR(""), .trouble = TLSRPT_STS_POLICY_FETCH_ERROR };
	struct remote_tlsrpt_note n = note("d.test", TLSRPT_NO_POLICY, TLSRPT_SUCCESS);

	(void)state;
	n.sts = &sts;
	remote_tlsrpt_note(&remote, &n);
	remote_tlsrpt_flush(remote.tlsrpt);
	assert_int_equal(sent.rows[0].policy, TLSRPT_STS);
	assert_int_equal(sent.rows[0].f.result, TLSRPT_STS_POLICY_FETCH_ERROR);
	assert_str(sent.rows[0].policy_text, STR(""));
	n.policy = TLSRPT_TLSA;
	n.policy_text = STR("3 1 1 aabb\n");
	remote_tlsrpt_note(&remote, &n);
	remote_tlsrpt_flush(remote.tlsrpt);
	assert_int_equal(sent.rows[1].policy, TLSRPT_TLSA);
	assert_int_equal(sent.rows[1].f.result, TLSRPT_SUCCESS);
	assert_str(sent.rows[1].policy_text, STR("3 1 1 aabb\n"));
}

static void test_hostile(void **state)
{
	struct remote_tlsrpt_note n = note("d.test", TLSRPT_TLSA, TLSRPT_VALIDATION_FAILURE);
	struct buf                big;

	(void)state;
	buf_init(&big, 1 * MIB);
	while (big.n < 100 * KIB)
		buf_add(&big, STR("3 1 1 0123456789abcdef\n"));
	n.policy_text = buf_str(&big);
	n.mx_helo = buf_str(&big);
	n.reason = STR("a\r\nb\0c\x1b[2J\xff");
	remote_tlsrpt_note(&remote, &n);
	n.domain = STR("no domain");
	remote_tlsrpt_note(&remote, &n);
	n.domain = STR("[192.0.2.1]");
	remote_tlsrpt_note(&remote, &n);
	remote_tlsrpt_flush(remote.tlsrpt);
	assert_int_equal(sent.n, 1);
	assert_true(sent.rows[0].policy_text.n <= LIMIT_TLSRPT_POLICY && sent.rows[0].policy_text.n > LIMIT_TLSRPT_POLICY - 30);
	assert_int_equal(sent.rows[0].policy_text.p[sent.rows[0].policy_text.n - 1], '\n');
	assert_int_equal(sent.rows[0].f.mx_helo.n, LIMIT_DOMAIN);
	assert_false(str_has_ctl(sent.rows[0].f.mx_helo));
	assert_str(sent.rows[0].f.reason, STR("a??b?c?[2J?"));
	buf_done(&big);
}

/* Over the limit, what is known gets less, but every session is counted. */
static void test_bounded(void **state)
{
	struct remote_tlsrpt_note n = note("d.test", TLSRPT_NO_POLICY, TLSRPT_VALIDATION_FAILURE);
	char                      text[64];
	uint64_t                  other = 0, folded = 0;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text), "reason %u", i);
		n.reason = str_of(text);
		remote_tlsrpt_note(&remote, &n);
	}
	n.reason = STR("");
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "n%u.test", i);
		n.domain = str_of(text);
		n.result = i % 2 ? TLSRPT_SUCCESS : TLSRPT_STARTTLS_NOT_SUPPORTED;
		remote_tlsrpt_note(&remote, &n);
	}
	remote_tlsrpt_flush(remote.tlsrpt);
	assert_int_equal(sent.sum, 4000);
	assert_true(sent.n <= LIMIT_TLSRPT_MEMORY + 10);
	for (size_t i = 0; i < sent.n; i++) {
		if (str_eq(sent.rows[i].domain, STR(TLSRPT_OTHER)))
			other += sent.rows[i].f.count;
		else if (sent.rows[i].f.reason.n == 0)
			folded += sent.rows[i].f.count;
	}
	assert_int_equal(other + folded, 4000 - LIMIT_TLSRPT_MEMORY);
}

static void test_auth_is_away(void **state)
{
	struct remote_tlsrpt_note n = note("d.test", TLSRPT_NO_POLICY, TLSRPT_SUCCESS);

	(void)state;
	sent.st = ST_TEMP;
	remote_tlsrpt_note(&remote, &n);
	remote_tlsrpt_flush(remote.tlsrpt);
	remote_tlsrpt_note(&remote, &n);
	remote_tlsrpt_flush(remote.tlsrpt);
	assert_int_equal(sent.n, 0);
	sent.st = ST_OK;
	remote_tlsrpt_flush(remote.tlsrpt);
	assert_int_equal(sent.n, 1);
	assert_int_equal(sent.rows[0].f.count, 2);
	/* The stop sends too. */
	remote_tlsrpt_note(&remote, &n);
	remote_tlsrpt_close(&remote.tlsrpt);
	assert_int_equal(sent.sum, 3);
	/* And nothing happens without it. */
	remote_tlsrpt_note(&remote, &n);
}

static void test_thread(void **state)
{
	struct remote_tlsrpt_note n = note("d.test", TLSRPT_NO_POLICY, TLSRPT_SUCCESS);

	(void)state;
	remote_tlsrpt_close(&remote.tlsrpt);
	remote.tlsrpt = remote_tlsrpt_open(&(struct remote_tlsrpt_options){ .send = send_rows });
	remote_tlsrpt_note(&remote, &n);
	remote_tlsrpt_close(&remote.tlsrpt);
	assert_int_equal(sent.sum, 1);
}

/* receiving-mx-helo, RFC 8460 §4.4: what the host called itself, in its reply to EHLO or, if it knows only HELO, in its greeting. */
static void test_helo(void **state)
{
#define ONE "E MAIL", "S 250 ok", "E RCPT", "S 250 ok", "E DATA", "S 354 go", "D", "S 250 2.0.0 ok", QUIT
	const struct {
		const char *const *steps;
		const char        *helo;
		enum tlsrpt_result result;
	} rows[] = {
		{ STEPS("S 220 banner.test ESMTP", "E EHLO", "S 250 ehlo.test hello", ONE), "ehlo.test", TLSRPT_STARTTLS_NOT_SUPPORTED },
		{ STEPS("S 220 banner.test ESMTP", "E EHLO", "S 500 what", "E HELO", "S 250 helo.test", ONE), "banner.test", TLSRPT_STARTTLS_NOT_SUPPORTED },
		{ STEPS("S 220-banner.test", "S 220 ESMTP", "E EHLO", "S 500 what", "E HELO", "S 250 x", ONE), "banner.test", TLSRPT_STARTTLS_NOT_SUPPORTED },
		{ STEPS("S 220 banner.test ESMTP", "E EHLO", "S 250-ehlo.test", "S 250 STARTTLS", "E STARTTLS", "S 454 later", ONE), "ehlo.test",
		  TLSRPT_STARTTLS_NOT_SUPPORTED },
		{ STEPS("S 220 banner.test ESMTP", "E EHLO", "S 250-ehlo.test", "S 250 STARTTLS", "E STARTTLS", "S 220 go", "X", "C", PLAIN, ONE), "ehlo.test",
		  TLSRPT_VALIDATION_FAILURE },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct run r;

		setup(state);
		run_init(&r, 1, rows[i].steps);
		r.remote.tlsrpt = remote.tlsrpt;
		run_go(&r);
		run_check(&r, rows[i].helo, "D 2.0.0");
		remote_tlsrpt_flush(remote.tlsrpt);
		assert_int_equal(sent.n, 1);
		assert_int_equal(sent.rows[0].f.result, rows[i].result);
		assert_str(sent.rows[0].f.mx_helo, str_of(rows[i].helo));
		run_done(&r);
		teardown(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_policy_trouble, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_auth_is_away, setup, teardown),
		cmocka_unit_test_setup_teardown(test_thread, setup, teardown),
		cmocka_unit_test(test_helo),
	};

	return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
