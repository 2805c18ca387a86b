/* The trace: what is added is found again, by each kind of key, over segments and pages; what is damaged ends its segment only. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/queue_trace.h"
#include "sys/disk.h"

static char    path[64];
static int     dir;
static int64_t now = 1795248000000;

static int64_t wall(void)
{
	return now;
}

static int setup(void **state)
{
	(void)state;
	strcpy(path, "/tmp/postrider-trace.XXXXXX");
	assert_non_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY);
	now = 1795248000000;
	return dir < 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	close(dir);
	snprintf(command, sizeof(command), "rm -rf %s", path);
	return system(command);
}

static struct queue_trace *opened(uint64_t size, int64_t keep_ms)
{
	return queue_trace_open(&(struct queue_trace_options){ dir, size, keep_ms, wall });
}

static void add(struct queue_trace *t, uint64_t message, const char *session, const char *from, const char *to, const char *text)
{
	queue_trace_add(t, &(struct trace_event){ .at_ms = now, .what = TRACE_NOTE, .message = message, .session = str_of(session),
						  .peer = STR("192.0.2.7"), .from = str_of(from), .to = str_of(to), .text = str_of(text) });
}

/* The texts of all events that match, joined, over all pages. */
static char *found(struct queue_trace *t, struct trace_key key, int64_t since)
{
	static char               all[1 << 20];
	struct trace_find_request q = { .keys = &key, .key_count = 1, .since_ms = since };
	struct trace_find_reply   r = { .more = true };

	all[0] = '\0';
	while (r.more) {
		struct arena *a = arena_new(NULL);

		assert_int_equal(queue_trace_find(t, &q, a, &r), ST_OK);
		for (size_t i = 0; i < r.event_count; i++)
			snprintf(all + strlen(all), sizeof(all) - strlen(all), "%.*s ", STR_FMT(r.events[i].text));
		q.segment = r.segment;
		q.offset = r.offset;
		arena_free(&a);
	}
	return all;
}

static void test_keys(void **state)
{
	struct queue_trace *t = opened(MIB, 1000000);

	(void)state;
	add(t, 7, "s1", "ann@a.test", "bob@b.test", "one");
	add(t, 8, "s1", "", "Bob@B.test", "two");
	add(t, 0, "s2", "cid@a.test", "", "three");
	assert_string_equal(found(t, (struct trace_key){ TRACE_KEY_MESSAGE, 7, STR("") }, 0), "one ");
	assert_string_equal(found(t, (struct trace_key){ TRACE_KEY_MESSAGE, 0, STR("") }, 0), "");
	assert_string_equal(found(t, (struct trace_key){ TRACE_KEY_SESSION, 0, STR("s1") }, 0), "one two ");
	assert_string_equal(found(t, (struct trace_key){ TRACE_KEY_ADDRESS, 0, STR("BOB@b.test") }, 0), "one two ");
	assert_string_equal(found(t, (struct trace_key){ TRACE_KEY_ADDRESS, 0, STR("@a.test") }, 0), "one three ");
	assert_string_equal(found(t, (struct trace_key){ TRACE_KEY_ADDRESS, 0, STR("") }, 0), "");
	assert_string_equal(found(t, (struct trace_key){ TRACE_KEY_PEER, 0, STR("192.0.2.7") }, 0), "one two three ");
	assert_string_equal(found(t, (struct trace_key){ TRACE_KEY_PEER, 0, STR("192.0.2.7") }, now + 1), "");
	queue_trace_close(&t);
}

static void test_over_restarts_and_pages(void **state)
{
	struct queue_trace *t = opened(64 * MIB, INT64_MAX / 2);
	char                text[32], *at;

	(void)state;
	for (unsigned i = 0; i < 3 * LIMIT_LIST_PAGE; i++) {
		snprintf(text, sizeof(text), "%u", i);
		add(t, 5, "s", "", "", text);
		add(t, 6, "s", "", "", "other");
		if (i % LIMIT_LIST_PAGE == 0) { /* the clock stands still: the segments still have names of their own */
			queue_trace_close(&t);
			t = opened(64 * MIB, INT64_MAX / 2);
		}
	}
	at = found(t, (struct trace_key){ TRACE_KEY_MESSAGE, 5, STR("") }, 0);
	for (unsigned i = 0; i < 3 * LIMIT_LIST_PAGE; i++)
		assert_int_equal(strtoul(at, &at, 10), i);
	assert_string_equal(at, " ");
	queue_trace_close(&t);
}

/* A torn end, an absurd length, octets that are no event: the rest of that segment is not read, the next one is. */
static void test_damage(void **state)
{
	static const struct {
		const char *octets;
		size_t      n;
	} tails[] = { { "\0\0\0\x40zz", 6 }, { "\xff\xff\xff\xff", 4 }, { "\0\0\0\x03zzz", 7 }, { "\0\0\0\0", 4 }, { "\0", 1 } };

	(void)state;
	for (size_t i = 0; i < LEN(tails); i++) {
		struct queue_trace *t = opened(64 * MIB, INT64_MAX / 2);
		char                name[128];
		int                 fd;

		now += 1000;
		add(t, 9, "s", "", "", "before");
		queue_trace_close(&t);
		snprintf(name, sizeof(name), "%s/trace/%013lld", path, (long long)now);
		fd = open(name, O_WRONLY | O_APPEND);
		assert_true(fd >= 0 && write(fd, tails[i].octets, tails[i].n) == (ssize_t)tails[i].n);
		close(fd);
		now += 1000;
		t = opened(64 * MIB, INT64_MAX / 2);
		add(t, 9, "s", "", "", "after");
		assert_string_equal(found(t, (struct trace_key){ TRACE_KEY_MESSAGE, 9, STR("") }, now - 1000), "before after ");
		queue_trace_close(&t);
	}
}

static unsigned segments(void)
{
	char     command[160];
	unsigned n = 0;
	FILE    *f;

	snprintf(command, sizeof(command), "ls %s/trace | wc -l", path);
	f = popen(command, "r");
	assert_true(f && fscanf(f, "%u", &n) == 1);
	pclose(f);
	return n;
}

static void test_bounds(void **state)
{
	struct queue_trace *t = opened(2 * QUEUE_TRACE_SEGMENT, INT64_MAX / 2);
	char                long_text[LIMIT_TRACE_TEXT + 100];

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	for (unsigned i = 0; i < 6 * QUEUE_TRACE_SEGMENT / LIMIT_TRACE_TEXT; i++) {
		add(t, 1, "s", "", "", long_text);
		if (i % 1000 == 0)
			queue_trace_flush(t);
	}
	now += 100000;
	queue_trace_flush(t);
	assert_in_range(segments(), 1, 3);
	/* by age: all but the one that is written */
	queue_trace_set(t, 2 * QUEUE_TRACE_SEGMENT, 1000);
	now += 100000000;
	add(t, 2, "s", "", "", "new");
	queue_trace_flush(t);
	now += 100000;
	queue_trace_flush(t);
	assert_in_range(segments(), 1, 2);
	assert_string_equal(found(t, (struct trace_key){ TRACE_KEY_MESSAGE, 2, STR("") }, 0), "new ");
	/* off */
	queue_trace_set(t, 0, 1000);
	add(t, 3, "s", "", "", "none");
	assert_string_equal(found(t, (struct trace_key){ TRACE_KEY_MESSAGE, 3, STR("") }, 0), "");
	queue_trace_close(&t);
}

/* More than the buffer holds is dropped, and nothing waits. */
static void test_flood(void **state)
{
	struct queue_trace *t = opened(64 * MIB, INT64_MAX / 2);
	size_t              n = 0;

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		add(t, 4, "s", "", "", "a flood of events that nobody writes out");
	for (char *p = found(t, (struct trace_key){ TRACE_KEY_MESSAGE, 4, STR("") }, 0); (p = strstr(p, "flood")); p++)
		n++;
	assert_in_range(n, 1000, QUEUE_TRACE_BUFFER / 100);
	queue_trace_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_over_restarts_and_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
