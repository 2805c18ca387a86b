/* deliver/pipe_content.h - what a program of a pipe reads: the fields that its flags ask for, then the message with its lines as it wants them.
 *
 * A message is CRLF inside; what is no pair of CR LF stays as it is. Tests: tests/unit/test_pipe_content.c.
 */
#ifndef DELIVER_PIPE_CONTENT_H
#define DELIVER_PIPE_CONTENT_H

#include "base/buf.h"
#include "deliver/pipe_expand.h"
#include "deliver/remote_content.h"

struct pipe_content {
	const struct pipe_run *run;
	struct remote_content  source;
	uint64_t               at; /* of the source */
	struct buf             out;
	char                   space[REMOTE_CHUNK];
	struct str             held; /* start of a line that may become "From " */
	bool                   begun, ended, cr, line_start;
};

/* `source` and `run` are borrowed until done. */
void pipe_content_init(struct pipe_content *c, const struct pipe_run *run, const struct remote_content *source, int64_t wall_ms);
void pipe_content_done(struct pipe_content *c);
/* For struct program: the next octets, good until the next call; none: that was all. ST_IO, ST_CORRUPT. */
MUST_CHECK enum status pipe_content_next(void *content, struct str *ret);

/* The message has been here: a Delivered-To field of its header names the address (letter case aside). `head` is the begin of the message. */
bool pipe_content_was_here(struct str head, struct str address);

#endif
