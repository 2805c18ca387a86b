/* role/master_log.h - one pipe takes the log lines of all processes; a thread carries them to stderr.
 *
 * The pipe's writing end does not block: when the reader is slow, lines are dropped and counted by the writer. A line is one write below PIPE_BUF,
 * so lines of several processes never mix.
 */
#ifndef ROLE_MASTER_LOG_H
#define ROLE_MASTER_LOG_H

#include "base/status.h"

/* Start the thread; *ret_fd is the end to write to. */
MUST_CHECK enum status master_log_start(int *ret_fd);
/* The same end for a role, opened anew: dup(2) would share the flags, and a role that was broken into could make all others wait for the
 * log by taking O_NONBLOCK off. The caller's to close. */
MUST_CHECK enum status master_log_open(int *ret_fd);
/* Close our writing end and wait until everything written so far is out. */
void master_log_stop(void);

#endif
