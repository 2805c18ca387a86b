/* tests/bench/bench_keeper.c - what opening an account costs when keeper does it, beside a process that may open files itself.
 * usage: bench_keeper [DIR]   (a directory of the disk to measure; made, removed)
 *
 * keeper is a process of its own, as in the server; no sandbox, which costs each system call the same on both sides. Elapsed is the best of some
 * rounds and needs a machine that does nothing else; processor time is the mean of all.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "db/db.h"
#include "store/keeper_rows.h"
#include "store/store_kept.h"
#include "store/store_message.h"
#include "sys/clock.h"
#include "sys/disk.h"
#include "sys/fd.h"

#define ACCOUNTS 200
#define ROUNDS   10

static struct keeper keeper;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double cpu_us(const struct rusage *r)
{
	return (double)(r->ru_utime.tv_sec + r->ru_stime.tv_sec) * 1e6 + (double)(r->ru_utime.tv_usec + r->ru_stime.tv_usec);
}

static double own_us(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return cpu_us(&r);
}

static void report(const char *name, const char *what, double us)
{
	printf("%-40s %-18s %10.2f us\n", name, what, us);
}

static void must(enum status st, const char *what)
{
	if (st == ST_OK)
		return;
	fprintf(stderr, "%s: %s\n", what, status_name(st));
	exit(1);
}

static void open_all(struct store *s)
{
	for (uint64_t id = 1; id <= ACCOUNTS; id++) {
		struct store_account *a;
		struct store_info     info;

		must(store_open(s, id, &a), "open");
		must(store_info(a, &info), "read");
		store_close(&a);
	}
}

static struct store_entry *entries[ACCOUNTS];

static void enter_all(struct store *s)
{
	for (uint64_t id = 1; id <= ACCOUNTS; id++) {
		struct session_token t = { { ROLE_IMAP, 0, 1 }, id, clock_mono_ms() + 600000, 1 };
		uint8_t              octets[LIMIT_TOKEN];

		session_token_write(keeper.key, &t, octets);
		entries[id - 1] = store_enter(s, id, str_n(octets, sizeof(octets)));
	}
}

static void measure(struct store *s, const char *name)
{
	double best = 1e18, cpu;

	enter_all(s);
	open_all(s);
	cpu = own_us();
	for (unsigned i = 0; i < ROUNDS; i++) {
		double began = now_us(), took;

		open_all(s);
		took = (now_us() - began) / ACCOUNTS;
		best = took < best ? took : best;
	}
	report(name, "elapsed", best);
	report(name, "processor", (own_us() - cpu) / (ACCOUNTS * ROUNDS));
	for (size_t i = 0; i < ACCOUNTS; i++)
		store_leave(s, &entries[i]);
}

static pid_t keeper_start(int dir, int channel)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct ipc *ipc = ipc_new(ROLE_KEEPER, 0);

		keeper.accounts = dir;
		ipc_pool(ipc, KEEPER_POOL, 8, 4000);
		ipc_pool(ipc, KEEPER_SYNC_POOL, 8, 4000);
		ipc_serve(ipc, keeper_rows, keeper_row_count, &keeper);
		ipc_life(ipc, ROLE_IMAP, 0, 1);
		ipc_attach(ipc, false, ROLE_IMAP, 0, IPC_LANE_CONTROL, 1, channel);
		for (;;)
			pause();
	}
	return pid;
}

/* One handle is kept, so each opening of another account is a whole one. */
int main(int argc, char **argv)
{
	const struct store_options options = { .handles = 1 };
	char                       dir[200];
	struct store              *s;
	struct ipc                *ipc;
	pid_t                      pid;
	int                        top, fd, channel[2];
	struct rusage              kept;

	snprintf(dir, sizeof(dir), "%s/bench-keeper-XXXXXX", argc > 1 ? argv[1] : "/tmp");
	if (!mkdtemp(dir) || (fd = open(dir, O_RDONLY | O_DIRECTORY)) < 0)
		return 1;
	must(fd_pair(channel, false, 1 << 20), "pair");
	pid = keeper_start(fd, channel[0]);
	close(channel[0]);
	db_init();
	must(store_new(fd, &options, &s), "store");
	measure(s, "open, read, close: files of its own");
	store_free(&s);
	ipc = ipc_new(ROLE_IMAP, 0);
	ipc_attach(ipc, true, ROLE_KEEPER, 0, IPC_LANE_CONTROL, 1, channel[1]);
	must(store_new_kept(ipc, &options, &s), "store");
	measure(s, "open, read, close: by keeper");
	store_free(&s);
	kill(pid, SIGKILL);
	wait4(pid, NULL, 0, &kept);
	report("keeper itself, for each", "processor", cpu_us(&kept) / (ACCOUNTS * (ROUNDS + 1)));
	top = openat(AT_FDCWD, argc > 1 ? argv[1] : "/tmp", O_RDONLY | O_DIRECTORY);
	must(disk_remove_dir(top, strrchr(dir, '/') + 1), "remove");
	close(top);
	close(fd);
	return 0;
}
