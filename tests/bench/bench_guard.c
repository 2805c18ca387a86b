/* What limits cost at RCPT: bench_guard [CALLS]. Nanoseconds of CPU per guard_rcpt, one thread. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "guard/guard.h"

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The door is not asked here. */
void ipc_reply(struct ipc_request *r, enum status status, const void *reply)
{
	(void)r, (void)status, (void)reply;
}

static const struct {
	const char *what;
	unsigned    peers; /* how many in turn */
	uint64_t    account;
	bool        greylist;
	enum auth_rcpt_kind kind;
} cases[] = {
	{ "one stranger", 1, 0, false, AUTH_RCPT_LOCAL },
	{ "a million strangers", 1000000, 0, false, AUTH_RCPT_LOCAL },
	{ "a million strangers, greylist", 1000000, 0, true, AUTH_RCPT_LOCAL },
	{ "an account, to outside", 1, 7, false, AUTH_RCPT_FOREIGN },
	{ "a million strangers, unknown recipient", 1000000, 0, false, AUTH_RCPT_UNKNOWN },
};

static void run(size_t i, unsigned calls)
{
	struct guard_settings s = { .address_messages = UINT32_MAX, .address_recipients = UINT32_MAX, .network_messages = UINT32_MAX,
				    .network_recipients = UINT32_MAX, .account_messages_hour = UINT32_MAX, .account_recipients_hour = UINT32_MAX,
				    .account_messages_day = UINT32_MAX, .account_recipients_day = UINT32_MAX, .tarpit_failures = 10, .tarpit_s = 5,
				    .ban_failures = 60, .ban_first_s = 3600, .ban_max_s = 604800, .ban_network = 16, .greylist = cases[i].greylist,
				    .greylist_wait_s = 60 };
	struct guard *g = guard_open(&(struct guard_options){ .path = "", .settings = s, .threadless = true });
	struct arena *a = arena_new(NULL);
	char          peer[32];
	double        with, without, began = cpu_ns();

	for (unsigned n = 0; n < calls; n++)
		snprintf(peer, sizeof(peer), "%u.%u.%u.1", 1 + (n % cases[i].peers >> 16), n % cases[i].peers >> 8 & 255, n % cases[i].peers & 255);
	without = cpu_ns() - began;
	began = cpu_ns();
	for (unsigned n = 0; n < calls; n++) {
		struct auth_rcpt_reply reply = { .kind = cases[i].kind };

		snprintf(peer, sizeof(peer), "%u.%u.%u.1", 1 + (n % cases[i].peers >> 16), n % cases[i].peers >> 8 & 255, n % cases[i].peers & 255);
		guard_rcpt(g, a, &(struct auth_rcpt_request){ .peer = str_of(peer), .from = STR("someone@sender.example"), .address = STR("alice@demo.test"),
							      .account = cases[i].account, .first = true }, &reply);
		if (n % 1000 == 0)
			arena_reset(a);
	}
	with = cpu_ns() - began;
	printf("%-40s %6.0f ns\n", cases[i].what, (with - without) / calls);
	arena_free(&a);
	guard_close(&g);
}

int main(int argc, char **argv)
{
	unsigned calls = argc > 1 ? (unsigned)atoi(argv[1]) : 2000000;

	for (size_t i = 0; i < LEN(cases); i++)
		run(i, calls);
	return 0;
}
