/* trust/trust_store.h: what trust.db keeps, over a restart, in bounds; what is damaged or missing costs nothing but that. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "db/db.h"
#include "trust/trust_store.h"

#define DAY    ((int64_t)24 * 3600 * 1000)
#define TODAY  20000u
#define POLICY "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 86400\n"

static int64_t now_ms;
static int64_t wall(void) { return now_ms; }

static char                folder[64] = "/tmp/postrider-test.XXXXXX", path[64];
static int                 folder_fd = -1;
static struct trust_store *store;
static struct arena       *arena;

static int group_setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	db_init();
	return db_root("auth", folder_fd) == ST_OK ? 0 : -1;
}

static int group_teardown(void **state)
{
	char command[128];

	(void)state;
	close(folder_fd);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static void again(size_t policies_max, size_t rows_max)
{
	trust_store_close(&store);
	store = trust_store_open(&(struct trust_store_options){ .path = path, .wall_ms = wall, .policies_max = policies_max, .rows_max = rows_max });
}

static int setup(void **state)
{
	static unsigned count;

	(void)state;
	snprintf(path, sizeof(path), "auth/t%u.db", count++);
	now_ms = TODAY * DAY + 5;
	arena = arena_new(NULL);
	again(0, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	trust_store_close(&store);
	arena_free(&arena);
	return 0;
}

/* ---- policies ---- */

static enum status put(const char *domain, const char *id, const char *policy, int64_t fetched_ms)
{
	return trust_sts_put(store, &(struct auth_sts){ str_of(domain), str_of(id), str_of(policy), fetched_ms });
}

static void check(const char *domain, const char *id, int64_t fetched_ms)
{
	struct auth_sts got;

	assert_int_equal(trust_sts_get(store, str_of(domain), arena, &got), id ? ST_OK : ST_NOT_FOUND);
	if (!id)
		return;
	assert_str(got.domain, str_of(domain));
	assert_str(got.id, str_of(id));
	assert_str(got.policy, STR(POLICY));
	assert_int_equal(got.fetched_ms, fetched_ms);
}

static void test_policies(void **state)
{
	(void)state;
	check("a.test", NULL, 0);
	assert_int_equal(put("a.test", "1", POLICY, 10), ST_OK);
	assert_int_equal(put("b.test", "2", POLICY, 20), ST_OK);
	assert_int_equal(put("a.test", "3", POLICY, 30), ST_OK);
	again(0, 0);
	check("a.test", "3", 30);
	check("b.test", "2", 20);
	check("A.test", NULL, 0); /* callers ask canonically */
	assert_int_equal(put("a.test", "4", "nonsense", 40), ST_INVALID);
	assert_int_equal(put("a.test", "4", "", 40), ST_INVALID);
	assert_int_equal(put("a.test", "", POLICY, 40), ST_INVALID);
	assert_int_equal(put("", "4", POLICY, 40), ST_INVALID);
	check("a.test", "3", 30);
}

static void test_policies_bounded(void **state)
{
	(void)state;
	again(3, 0);
	assert_int_equal(put("b.test", "1", POLICY, 20), ST_OK);
	assert_int_equal(put("a.test", "1", POLICY, 10), ST_OK);
	assert_int_equal(put("c.test", "1", POLICY, 30), ST_OK);
	assert_int_equal(put("b.test", "2", POLICY, 25), ST_OK); /* in place */
	check("a.test", "1", 10);
	again(3, 0); /* counted anew */
	assert_int_equal(put("d.test", "1", POLICY, 40), ST_OK);
	check("a.test", NULL, 0);
	check("b.test", "2", 25);
	assert_int_equal(put("e.test", "1", POLICY, 50), ST_OK);
	check("b.test", NULL, 0);
	check("c.test", "1", 30);
}

/* ---- results ---- */

static struct tlsrpt_row row(uint32_t day, const char *domain, enum tlsrpt_policy policy, const char *text, enum tlsrpt_result result, uint64_t count,
			     const char *reason)
{
	struct tlsrpt_row r = { .day = day, .domain = str_of(domain), .policy = policy, .policy_text = str_of(text) };

	r.f = (struct tlsrpt_failure){ .result = result, .count = count, .sending_ip = STR(""), .mx_host = STR(""), .mx_helo = STR(""),
				       .receiving_ip = STR(""), .reason = str_of(reason) };
	if (result != TLSRPT_SUCCESS)
		r.f.mx_host = STR("mx.test");
	return r;
}

static void note(struct tlsrpt_row r)
{
	assert_int_equal(trust_tlsrpt_note(store, &(struct auth_tlsrpt_note_request){ &r, 1 }), ST_OK);
}

static struct auth_tlsrpt_show_reply show(uint32_t day, const char *domain)
{
	struct auth_tlsrpt_show_reply r = { 0 };

	assert_int_equal(trust_tlsrpt_show(store, &(struct auth_tlsrpt_show_request){ day, str_of(domain) }, arena, &r), ST_OK);
	return r;
}

static void none(uint32_t day, const char *domain)
{
	struct auth_tlsrpt_show_reply r;

	assert_int_equal(trust_tlsrpt_show(store, &(struct auth_tlsrpt_show_request){ day, str_of(domain) }, arena, &r), ST_NOT_FOUND);
}

static void test_results(void **state)
{
	struct auth_tlsrpt_show_reply r;
	struct auth_tlsrpt_list_reply l;

	(void)state;
	note(row(TODAY, "d.test", TLSRPT_STS, POLICY, TLSRPT_SUCCESS, 5, ""));
	note(row(TODAY, "d.test", TLSRPT_STS, POLICY, TLSRPT_SUCCESS, 2, ""));
	note(row(TODAY, "d.test", TLSRPT_STS, POLICY, TLSRPT_CERTIFICATE_EXPIRED, 3, "x"));
	note(row(TODAY, "d.test", TLSRPT_STS, POLICY, TLSRPT_CERTIFICATE_EXPIRED, 4, "x"));
	note(row(TODAY, "d.test", TLSRPT_STS, POLICY, TLSRPT_CERTIFICATE_EXPIRED, 1, "y"));
	note(row(TODAY, "d.test", TLSRPT_TLSA, "3 1 1 aa", TLSRPT_TLSA_INVALID, 1, ""));
	note(row(TODAY - 1, "d.test", TLSRPT_NO_POLICY, "", TLSRPT_SUCCESS, 9, ""));
	note(row(TODAY, "a.test", TLSRPT_NO_POLICY, "", TLSRPT_SUCCESS, 1, ""));
	again(0, 0);
	r = show(TODAY, "d.test");
	assert_int_equal(r.policy_count, 2);
	assert_int_equal(r.policies[0].policy, TLSRPT_STS);
	assert_str(r.policies[0].policy_text, STR(POLICY));
	assert_int_equal(r.policies[0].successes, 7);
	assert_int_equal(r.policies[0].failures_total, 8);
	assert_int_equal(r.policies[0].failure_count, 2);
	assert_int_equal(r.policies[0].failures[0].count, 7);
	assert_str(r.policies[0].failures[0].reason, STR("x"));
	assert_str(r.policies[0].failures[0].mx_host, STR("mx.test"));
	assert_int_equal(r.policies[0].failures[0].result, TLSRPT_CERTIFICATE_EXPIRED);
	assert_int_equal(r.policies[1].policy, TLSRPT_TLSA);
	assert_int_equal(r.policies[1].failures_total, 1);
	assert_int_equal(show(TODAY - 1, "d.test").policies[0].successes, 9);
	none(TODAY, "x.test");
	none(TODAY + 1, "d.test");
	assert_int_equal(trust_tlsrpt_list(store, &(struct auth_tlsrpt_list_request){ TODAY, STR("") }, arena, &l), ST_OK);
	assert_int_equal(l.domain_count, 2);
	assert_false(l.more);
	assert_str(l.domains[0].domain, STR("a.test"));
	assert_str(l.domains[1].domain, STR("d.test"));
	assert_int_equal(l.domains[1].successes, 7);
	assert_int_equal(l.domains[1].failures, 9);
	assert_int_equal(trust_tlsrpt_list(store, &(struct auth_tlsrpt_list_request){ TODAY, STR("a.test") }, arena, &l), ST_OK);
	assert_int_equal(l.domain_count, 1);
}

static void test_days(void **state)
{
	(void)state;
	note(row(TODAY, "d.test", TLSRPT_NO_POLICY, "", TLSRPT_TLSA_INVALID, 1, ""));
	note(row(TODAY - LIMIT_TLSRPT_DAYS, "d.test", TLSRPT_NO_POLICY, "", TLSRPT_SUCCESS, 1, ""));
	note(row(TODAY - LIMIT_TLSRPT_DAYS - 1, "d.test", TLSRPT_NO_POLICY, "", TLSRPT_SUCCESS, 1, ""));
	note(row(TODAY + 1, "d.test", TLSRPT_NO_POLICY, "", TLSRPT_SUCCESS, 1, ""));
	note(row(TODAY + 2, "d.test", TLSRPT_NO_POLICY, "", TLSRPT_SUCCESS, 1, ""));
	note(row(UINT32_MAX, "d.test", TLSRPT_NO_POLICY, "", TLSRPT_SUCCESS, 1, ""));
	(void)show(TODAY - LIMIT_TLSRPT_DAYS, "d.test");
	(void)show(TODAY + 1, "d.test");
	none(TODAY - LIMIT_TLSRPT_DAYS - 1, "d.test");
	none(TODAY + 2, "d.test");
	none(UINT32_MAX, "d.test");
	now_ms += LIMIT_TLSRPT_DAYS * DAY;
	note(row(TODAY + LIMIT_TLSRPT_DAYS, "d.test", TLSRPT_NO_POLICY, "", TLSRPT_SUCCESS, 1, ""));
	(void)show(TODAY, "d.test");
	none(TODAY - LIMIT_TLSRPT_DAYS, "d.test");
	now_ms += DAY;
	note(row(TODAY + LIMIT_TLSRPT_DAYS, "d.test", TLSRPT_NO_POLICY, "", TLSRPT_SUCCESS, 1, ""));
	none(TODAY, "d.test");
}

static void test_results_bounded(void **state)
{
	struct auth_tlsrpt_show_reply r;
	uint64_t                      sum = 0;
	char                          text[64];

	(void)state;
	/* More policies than are kept apart */
	for (unsigned i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "3 1 1 %u", i);
		note(row(TODAY, "p.test", TLSRPT_TLSA, text, TLSRPT_SUCCESS, 1, ""));
		note(row(TODAY, "p.test", TLSRPT_STS, text, TLSRPT_SUCCESS, 1, ""));
	}
	r = show(TODAY, "p.test");
	assert_int_equal(r.policy_count, LIMIT_TLSRPT_POLICIES + 2);
	for (size_t i = 0; i < r.policy_count; i++)
		sum += r.policies[i].successes;
	assert_int_equal(sum, 40);
	/* More kinds of failure */
	for (unsigned i = 0; i < LIMIT_TLSRPT_FAILURES + 50; i++) {
		snprintf(text, sizeof(text), "reason %u", i);
		note(row(TODAY, "f.test", TLSRPT_NO_POLICY, "", i % 2 ? TLSRPT_VALIDATION_FAILURE : TLSRPT_CERTIFICATE_NOT_TRUSTED, 1, text));
	}
	r = show(TODAY, "f.test");
	assert_int_equal(r.policies[0].failure_count, LIMIT_TLSRPT_FAILURES + 2);
	assert_int_equal(r.policies[0].failures_total, LIMIT_TLSRPT_FAILURES + 50);
	sum = 0;
	for (size_t i = 0; i < r.policies[0].failure_count; i++)
		sum += r.policies[0].failures[i].count;
	assert_int_equal(sum, LIMIT_TLSRPT_FAILURES + 50);
}

static void test_all_bounded(void **state)
{
	struct auth_tlsrpt_list_reply l;
	uint64_t                      sum = 0;
	char                          text[64];

	(void)state;
	again(0, 10);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "n%u.test", i);
		note(row(TODAY, text, TLSRPT_NO_POLICY, "", i % 2 ? TLSRPT_VALIDATION_FAILURE : TLSRPT_SUCCESS, 1, "x"));
		if (i == 20)
			again(0, 10); /* counted anew */
	}
	assert_int_equal(trust_tlsrpt_list(store, &(struct auth_tlsrpt_list_request){ TODAY, STR("") }, arena, &l), ST_OK);
	assert_true(l.domain_count <= 11);
	for (size_t i = 0; i < l.domain_count; i++)
		sum += l.domains[i].successes + l.domains[i].failures;
	assert_int_equal(sum, 40);
	assert_str(l.domains[l.domain_count - 1].domain, STR(TLSRPT_OTHER));
}

static void test_pages(void **state)
{
	struct tlsrpt_row             rows[LIMIT_TLSRPT_ROWS];
	struct auth_tlsrpt_list_reply l = { .more = true };
	struct str                    after = STR("");
	size_t                        seen = 0, pages = 0;

	(void)state;
	for (unsigned k = 0; k < 12; k++) {
		for (unsigned i = 0; i < LEN(rows); i++) {
			rows[i] = row(TODAY, "", TLSRPT_NO_POLICY, "", TLSRPT_SUCCESS, 1, "");
			rows[i].domain = arena_printf(arena, "n%u.test", k * 1000 + i);
		}
		assert_int_equal(trust_tlsrpt_note(store, &(struct auth_tlsrpt_note_request){ rows, LEN(rows) }), ST_OK);
	}
	for (; l.more; pages++) {
		assert_int_equal(trust_tlsrpt_list(store, &(struct auth_tlsrpt_list_request){ TODAY, after }, arena, &l), ST_OK);
		seen += l.domain_count;
		after = l.domains[l.domain_count - 1].domain;
	}
	assert_int_equal(seen, 1200);
	assert_int_equal(pages, 3);
}

static void test_no_file(void **state)
{
	struct auth_sts               got;
	struct auth_tlsrpt_list_reply l;
	char                          real[160];
	int                           fd;

	(void)state;
	trust_store_close(&store);
	/* Overwritten: it says so once, and everything is TEMP. */
	snprintf(real, sizeof(real), "%s/%s", folder, path + 5);
	fd = open(real, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "this is no database, but it is long enough to be looked at as if it was one.........................", 100), 100);
	close(fd);
	again(0, 0);
	assert_int_equal(trust_sts_get(store, STR("a.test"), arena, &got), ST_NOT_FOUND);
	assert_int_equal(put("a.test", "1", POLICY, 1), ST_TEMP);
	assert_int_equal(trust_tlsrpt_note(store, &(struct auth_tlsrpt_note_request){ NULL, 0 }), ST_TEMP);
	assert_int_equal(trust_tlsrpt_list(store, &(struct auth_tlsrpt_list_request){ TODAY, STR("") }, arena, &l), ST_TEMP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_policies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_policies_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_results, setup, teardown),
		cmocka_unit_test_setup_teardown(test_days, setup, teardown),
		cmocka_unit_test_setup_teardown(test_results_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
