/* role/master_log.c - see master_log.h. */
#include "role/master_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "sys/fd.h"

#define PIPE_OCTETS (1 << 20)

static struct { /* one log per process */
	pthread_t thread;
	int       read_fd, write_fd;
} pipe_log;

static void *carry(void *arg)
{
	static char octets[65536];
	ssize_t     n;

	(void)arg;
	while ((n = read(pipe_log.read_fd, octets, sizeof(octets))) != 0) {
		if (n > 0 && fd_write(2, str_n(octets, (size_t)n)) != ST_OK)
			continue; /* nowhere to say so */
		if (n < 0 && errno != EINTR)
			break;
	}
	return NULL;
}

enum status master_log_start(int *ret_fd)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0)
		return fd_status(errno);
	fcntl(fd[1], F_SETPIPE_SZ, PIPE_OCTETS);
	if (fd_set_nonblock(fd[1], true) != ST_OK)
		return ST_IO;
	pipe_log.read_fd = fd[0];
	pipe_log.write_fd = fd[1];
	*ret_fd = fd[1];
	return pthread_create(&pipe_log.thread, NULL, carry, NULL) == 0 ? ST_OK : ST_IO;
}

enum status master_log_open(int *ret_fd)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", pipe_log.write_fd);
	*ret_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	return *ret_fd < 0 ? fd_status(errno) : ST_OK;
}

void master_log_stop(void)
{
	log_setup(2, "master", log_get_level(), LOG_FORMAT_LOGFMT);
	fd_close(&pipe_log.write_fd);
	pthread_join(pipe_log.thread, NULL);
}
