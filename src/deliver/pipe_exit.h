/* deliver/pipe_exit.h - what the end of a program means for the message: delivered, try again, or never.
 *
 *   exit 0                          delivered
 *   a signal, time over, not run    deferred: 4.3.0, 4.3.0, 4.3.5
 *   another code                    by its meaning in sysexits.h; unknown ones are failures, 126 and 127 (a shell could not run something) deferrals
 *
 * The first line of what it said stands behind our words. If it begins with an enhanced status of class 4 or 5 ("4.2.2 mailbox is full"), the
 * program had the last word: that is the code and the outcome, whatever its exit code other than 0. RFC 3463.
 *
 * Pure. Tests: tests/unit/test_pipe_exit.c.
 */
#ifndef DELIVER_PIPE_EXIT_H
#define DELIVER_PIPE_EXIT_H

#include "ipc/msg_remote.h"
#include "sys/program.h"

struct pipe_verdict {
	enum remote_result result;
	struct str         code, text; /* static, or in the arena */
};

void pipe_verdict_of(const struct program_end *end, uint32_t time_s, struct arena *a, struct pipe_verdict *ret);

#endif
