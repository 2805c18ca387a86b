/* What an event of the trace costs, and how long it takes to find one: bench_trace [EVENTS]. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "queue/queue_trace.h"
#include "sys/clock.h"

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fill(struct queue_trace *t, unsigned events)
{
	char session[32], from[64], to[64];

	for (unsigned i = 0; i < events; i++) {
		snprintf(session, sizeof(session), "s%uabc", i / 3);
		snprintf(from, sizeof(from), "sender%u@elsewhere.test", i % 100003);
		snprintf(to, sizeof(to), "user%u@demo.test", i % 1009);
		queue_trace_add(t, &(struct trace_event){ .at_ms = clock_wall_ms(), .what = TRACE_DELIVERED, .message = 1 + i / 3,
			.session = str_of(session), .peer = STR("192.0.2.77"), .from = str_of(from), .to = str_of(to), .code = 250,
			.octets = 10240, .text = STR("2.0.0 delivered to INBOX") });
		if (i % 5000 == 4999)
			queue_trace_flush(t);
	}
	queue_trace_flush(t);
}

static size_t find(struct queue_trace *t, struct trace_key key)
{
	struct trace_find_request q = { .keys = &key, .key_count = 1 };
	struct trace_find_reply   r = { .more = true };
	size_t                    n = 0;

	while (r.more) {
		struct arena *a = arena_new(NULL);

		if (queue_trace_find(t, &q, a, &r) != ST_OK)
			abort();
		n += r.event_count;
		q.segment = r.segment;
		q.offset = r.offset;
		arena_free(&a);
	}
	return n;
}

int main(int argc, char **argv)
{
	unsigned            events = argc > 1 ? (unsigned)atoi(argv[1]) : 1000000;
	char                path[] = "/tmp/postrider-bench-trace.XXXXXX", command[128];
	int                 dir = mkdtemp(path) ? open(path, O_RDONLY | O_DIRECTORY) : -1;
	struct queue_trace *t = queue_trace_open(&(struct queue_trace_options){ dir, UINT64_MAX / 2, INT64_MAX / 4, clock_wall_ms });
	double              cpu = cpu_s();
	int64_t             began;
	size_t              n;

	fill(t, events);
	printf("%u events: %.2f us of CPU each, writing included\n", events, (cpu_s() - cpu) * 1e6 / events);
	began = clock_mono_ms();
	n = find(t, (struct trace_key){ TRACE_KEY_ADDRESS, 0, STR("sender77@elsewhere.test") });
	printf("found %zu of an address in %lld ms, reading all\n", n, (long long)(clock_mono_ms() - began));
	queue_trace_close(&t);
	snprintf(command, sizeof(command), "du -sm %s | cut -f1; rm -rf %s", path, path);
	return system(command);
}
