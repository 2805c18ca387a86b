/* tests/unit/test_program.c - real programs, run with real bounds: what they get, what they cannot do, how they end. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/program.h"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN); /* as a role does */
	arena = arena_new(NULL);
	return program_prepare() ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

struct feed {
	struct str  text;
	size_t      times;
	enum status fail; /* instead of an end */
};

static enum status feed_next(void *arg, struct str *ret)
{
	struct feed *f = arg;

	*ret = STR("");
	if (f->times == 0)
		return f->fail;
	f->times--;
	*ret = f->text;
	return ST_OK;
}

static struct program_end run(const char *script, struct feed *f, const struct program *with)
{
	const char        *argv[] = { "/bin/sh", "-c", script, "name", "-x", "a b", "$(id)", "", NULL }, *envp[] = { "ONLY=this", NULL };
	struct feed        none = { 0 };
	struct program     p = with ? *with : (struct program){ 0 };
	struct program_end end;

	p.argv = argv;
	p.envp = envp;
	p.input = feed_next;
	p.arg = f ? f : &none;
	p.time_ms = p.time_ms ? p.time_ms : 30000;
	p.output_max = 4096;
	p.cancel = p.cancel ? p.cancel : -1;
	program_run(&p, arena, &end);
	return end;
}

static void test_what_it_gets(void **state)
{
	struct program_end end;

	(void)state;
	end = run("printf '<%s>' \"$@\"", NULL, NULL);
	assert_int_equal(end.how, PROGRAM_EXITED);
	assert_int_equal(end.number, 0);
	assert_str(end.output, STR("<-x><a b><$(id)><>"));
	end = run("env | grep -v '^PWD=\\|^_=\\|^SHLVL=\\|^OLDPWD='; pwd; umask; ulimit -c; cd /proc/self/fd && echo *", NULL, NULL);
	assert_str(end.output, STR("ONLY=this\n/\n0077\n0\n0 1 2 3\n")); /* 3: the shell's own look at the directory */
	end = run("echo out; echo err >&2; exit 7", NULL, NULL);
	assert_int_equal(end.number, 7);
	assert_str(end.output, STR("out\nerr\n"));
	end = run("wc -c", &(struct feed){ STR("0123456789"), 100000, ST_OK }, NULL);
	assert_str(end.output, STR("1000000\n"));
	/* SIGPIPE is as it should be: yes(1) ends by it. */
	end = run("(yes; echo $? >&2) | head -1 >/dev/null", NULL, NULL);
	assert_str(end.output, STR("141\n"));
}

static void test_ends(void **state)
{
	struct program_end end;
	int64_t            begun = clock_mono_ms();
	int                cancel = eventfd(1, EFD_CLOEXEC);

	(void)state;
	end = run("kill -9 $$", NULL, NULL);
	assert_int_equal(end.how, PROGRAM_SIGNALLED);
	assert_int_equal(end.number, 9);
	end = run("echo begun; sleep 1000", NULL, &(struct program){ .time_ms = 300 });
	assert_int_equal(end.how, PROGRAM_LATE);
	end = run("trap '' TERM HUP INT; while :; do :; done", NULL, &(struct program){ .time_ms = 300 });
	assert_int_equal(end.how, PROGRAM_LATE);
	end = run("sleep 1000", NULL, &(struct program){ .cancel = cancel });
	assert_int_equal(end.how, PROGRAM_CANCELLED);
	/* Half a message is none. */
	end = run("cat > /dev/null; sleep 1000", &(struct feed){ STR("x"), 3, ST_IO }, NULL);
	assert_int_equal(end.how, PROGRAM_NO_INPUT);
	/* It need not read. */
	end = run("exit 3", &(struct feed){ STR("0123456789"), 100000, ST_OK }, NULL);
	assert_int_equal(end.number, 3);
	end = run("exec 0<&-; exit 4", &(struct feed){ STR("0123456789"), 100000, ST_OK }, NULL);
	assert_int_equal(end.number, 4);
	/* Nor stop talking, and what it left behind ends with it, though it holds its output. */
	end = run("yes | head -c 10000000; sleep 1000 & yes & exit 5", NULL, NULL);
	assert_int_equal(end.number, 5);
	assert_int_equal(end.output.n, 4096);
	close(cancel);
	assert_true(clock_mono_ms() - begun < 500000); /* none of them waited for a sleep */
}

static void test_not_run(void **state)
{
	const char        *argv[] = { "/nonexistent/program", NULL }, *none[] = { NULL };
	struct feed        f = { 0 };
	struct program     p = { .argv = argv, .envp = none, .time_ms = 30000, .output_max = 100, .cancel = -1, .input = feed_next, .arg = &f };
	struct program_end end;

	(void)state;
	program_run(&p, arena, &end);
	assert_int_equal(end.how, PROGRAM_NOT_RUN);
	assert_int_equal(end.number, ENOENT);
	argv[0] = "/etc/passwd";
	program_run(&p, arena, &end);
	assert_int_equal(end.how, PROGRAM_NOT_RUN);
	assert_int_equal(end.number, EACCES);
}

/* Whoever leaves the group is not found again: nobody can. */
static void test_bounds(void **state)
{
	struct program_end end;
	char               path[64];

	(void)state;
	end = run("setsid sh -c 'echo escaped' || echo kept", NULL, NULL);
	assert_true(str_search(end.output, STR("escaped")) < 0 && str_search(end.output, STR("kept")) >= 0);
	end = run("exec 2>/dev/null; python3 -c 'import socket; socket.socket(socket.AF_INET)' && echo made || echo refused", NULL, NULL);
	assert_str(end.output, STR("refused\n"));
	end = run("python3 -c 'import socket; socket.socket(socket.AF_UNIX)' && echo made || echo refused", NULL, NULL);
	assert_str(end.output, STR("made\n"));
	end = run("python3 -c 'import socket; socket.socket(socket.AF_INET)' && echo made || echo refused", NULL, &(struct program){ .network = true });
	assert_str(end.output, STR("made\n"));
	end = run("exec 2>/dev/null; python3 -c 'bytearray(1 << 30)' && echo had || echo refused", NULL, &(struct program){ .memory_octets = 256 * MIB });
	assert_str(end.output, STR("refused\n"));
	snprintf(path, sizeof(path), "/tmp/postrider-program-%d", (int)getpid());
	end = run(arena_printf(arena, "exec 2>/dev/null; head -c 100000 /dev/zero > %s; wc -c < %s; rm %s", path, path, path).p, NULL, &(struct program){ .file_octets = 10000 });
	assert_str(end.output, STR("10000\n"));
	end = run("grep -c 'NoNewPrivs:.1' /proc/self/status", NULL, NULL);
	assert_str(end.output, STR("1\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_it_gets, setup, teardown), cmocka_unit_test_setup_teardown(test_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_run, setup, teardown),      cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
