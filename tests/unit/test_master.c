/* role/master.c: a role that was broken into speaks to the master, and must not hurt the others by it.
 *
 * The master starts its own executable as "role NAME INSTANCE": this test is then a role that behaves, but for smtp, which does once what
 * the host name of the configuration says.
 */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "role/master.h"
#include "role/role_msg.h"
#include "sys/fd.h"

#define CHANNEL 3
#define NOBODY  65534

/* ---- the role ---- */

static void say(enum role_msg_id id, const void *msg)
{
	if (role_msg_send(CHANNEL, id, msg) != ST_OK)
		_exit(0);
}

static void blame(enum role_id role)
{
	say(ROLE_MSG_BAD_PEER, &(struct role_msg_peer){ .role = role, .fd = -1 });
}

static void misbehave(struct str how)
{
	if (str_eq(how, STR("ready"))) /* all pairs would be made anew each time */
		for (;;)
			say(ROLE_MSG_READY, NULL);
	if (str_eq(how, STR("descriptors")))
		for (unsigned i = 0; i < 10000; i++)
			say(ROLE_MSG_ROOT, &(struct role_msg_root){ .name = STR("x"), .fd = 0 });
	if (str_eq(how, STR("descriptor-blame")))
		for (unsigned i = 0; i < 10000; i++)
			say(ROLE_MSG_BAD_PEER, &(struct role_msg_peer){ .role = ROLE_LOCAL, .fd = 0 });
	if (str_eq(how, STR("blame-stranger")))
		blame(ROLE_LOCAL);
	if (str_eq(how, STR("blame")))
		for (;;) {
			blame(ROLE_AUTH);
			usleep(1000);
		}
	if (str_eq(how, STR("failed")))
		for (;;)
			say(ROLE_MSG_FAILED, &(struct role_msg_failed){ .why = STR("no reason") });
	if (str_eq(how, STR("log")))
		fcntl(2, F_SETFL, 0);
}

static int role(const char *name)
{
	struct arena     *a = arena_new(NULL);
	struct str        how = STR("");
	struct ipc_reader in;
	enum role_msg_id  id;
	void             *msg;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	ipc_reader_init(&in, CHANNEL);
	while (role_msg_next(&in, a, &id, &msg) == ST_OK && id != ROLE_MSG_STOP) {
		if (id == ROLE_MSG_START)
			how = ((struct role_msg_start *)msg)->config->hostname;
		if (id == ROLE_MSG_ENTER) {
			say(ROLE_MSG_READY, NULL);
			usleep(300000); /* all others are up */
			if (strcmp(name, "smtp") == 0)
				misbehave(how);
		}
		if (id == ROLE_MSG_PEER)
			fd_close(&((struct role_msg_peer *)msg)->fd);
	}
	_exit(0);
}

/* ---- the master ---- */

struct run {
	char  dir[40], log[60], text[65536];
	pid_t pid;
};

static void start(struct run *r, const char *how)
{
	struct arena *a = arena_new(NULL);
	int           ready[2];
	char          octet;

	strcpy(r->dir, "/tmp/postrider-unit.XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->log, sizeof(r->log), "%s/log", r->dir);
	assert_int_equal(pipe(ready), 0);
	r->pid = fork();
	if (r->pid == 0) {
		struct master_options o = { .ready_fd = ready[1] };
		int                   log = open(r->log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		if (geteuid() == 0) { /* without needing the system users */
			if (chown(r->dir, NOBODY, NOBODY) < 0 || setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			    setresuid(NOBODY, NOBODY, NOBODY) < 0)
				_exit(9);
			prctl(PR_SET_DUMPABLE, 1); /* else /proc/self is not ours */
		}
		dup2(log, 2);
		config_defaults(&o.config, a);
		o.config.data = str_of(r->dir);
		o.config.hostname = str_of(how);
		o.config.log_level = LOG_LEVEL_DEBUG;
		exit(master_run(&o));
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &octet, 1), 1);
	close(ready[0]);
	arena_free(&a);
}

static bool logged(struct run *r, const char *text)
{
	FILE  *f = fopen(r->log, "r");
	size_t n = f ? fread(r->text, 1, sizeof(r->text) - 1, f) : 0;

	r->text[n] = '\0';
	if (f)
		fclose(f);
	return strstr(r->text, text) != NULL;
}

static void wait_for(struct run *r, const char *text)
{
	for (unsigned i = 0; i < 1000 && !logged(r, text); i++)
		usleep(10000);
	if (!logged(r, text))
		fail_msg("\"%s\" is not in:\n%s", text, r->text);
}

static unsigned count(const char *in, const char *text)
{
	unsigned n = 0;

	for (; (in = strstr(in, text)); in++)
		n++;
	return n;
}

static void stop(struct run *r)
{
	char command[100];
	int  how = -1;

	kill(r->pid, SIGTERM);
	assert_int_equal(waitpid(r->pid, &how, 0), r->pid);
	assert_int_equal(how, 0);
	snprintf(command, sizeof(command), "rm -r %s", r->dir);
	assert_int_equal(system(command), 0);
}

static unsigned descriptors(const struct run *r)
{
	char           path[40];
	unsigned       n = 0;
	DIR           *d;
	struct dirent *e;

	snprintf(path, sizeof(path), "/proc/%d/fd", r->pid);
	assert_non_null(d = opendir(path));
	while ((e = readdir(d)))
		n++;
	closedir(d);
	return n;
}

/* It is ended, and nobody else is. */
static void check_ended(const char *how, const char *why)
{
	struct run r;
	unsigned   before;
	char       text[200];

	start(&r, how);
	before = descriptors(&r);
	snprintf(text, sizeof(text), "msg=\"process is killed\" process=smtp instance=0 why=\"%s\"", why);
	wait_for(&r, text);
	wait_for(&r, "msg=\"process ended\" process=smtp");
	assert_int_equal(count(r.text, "process is killed"), count(r.text, text));
	assert_int_equal(count(r.text, "process ended"), count(r.text, "msg=\"process ended\" process=smtp"));
	assert_true(descriptors(&r) <= before + 1);
	stop(&r);
}

static void test_ready_again(void **state)
{
	(void)state;
	check_ended("ready", "says again that it is ready");
}

static void test_descriptors(void **state)
{
	(void)state;
	check_ended("descriptors", "does not speak the master's format");
	check_ended("descriptor-blame", "does not speak the master's format");
}

static void test_failed(void **state)
{
	(void)state;
	check_ended("failed", "cannot start");
}

static void test_blame_of_a_stranger(void **state)
{
	(void)state;
	check_ended("blame-stranger", "blames a process with which it has no channel");
}

/* Once it is believed: a process that hangs must be found by somebody. */
static void test_blame_again(void **state)
{
	struct run r;

	(void)state;
	start(&r, "blame");
	wait_for(&r, "process=smtp instance=0 why=\"blames others again and again\"");
	assert_int_equal(count(r.text, "process is killed"), 2);
	assert_int_equal(count(r.text, "msg=\"process is killed\" process=auth"), 1);
	stop(&r);
}

/* The log of the others goes on being written without waiting. */
static void test_log_flags(void **state)
{
	struct run r;
	char       path[60], line[100];
	unsigned   writers = 0;

	(void)state;
	start(&r, "log");
	usleep(600000);
	for (unsigned fd = 3; fd < 100; fd++) {
		unsigned flags = 0;
		FILE    *f;

		snprintf(path, sizeof(path), "/proc/%d/fd/%u", r.pid, fd);
		ssize_t n = readlink(path, line, sizeof(line) - 1);
		if (n < 0 || strncmp(line, "pipe:", 5) != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%u", r.pid, fd);
		assert_non_null(f = fopen(path, "r"));
		while (fgets(line, sizeof(line), f))
			if (sscanf(line, "flags: %o", &flags) == 1 && (flags & O_ACCMODE) == O_WRONLY && (flags & O_NONBLOCK))
				writers++;
		fclose(f);
	}
	assert_int_equal(writers, 1);
	stop(&r);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ready_again),         cmocka_unit_test(test_descriptors), cmocka_unit_test(test_failed),
		cmocka_unit_test(test_blame_of_a_stranger), cmocka_unit_test(test_blame_again), cmocka_unit_test(test_log_flags),
	};

	if (argc > 2 && strcmp(argv[1], "role") == 0)
		return role(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
