/* deliver/pipe_conf.h - a pipe as it is configured: which program takes messages, how, and within which bounds.
 *
 *   flag  what the program sees                         (the letters of Postfix's pipe(8))
 *   D     a Delivered-To field for the recipient; a message that has it already goes in a circle
 *   F     a "From " line as in mbox
 *   O     an X-Original-To field
 *   R     a Return-Path field
 *   u h   recipients with their local part, their domain in lower case
 *   B     an empty line at the end
 *   >     ">" before lines that begin with "From "
 *   .     "." before lines that begin with "."
 *
 * Pure. Tests: tests/unit/test_pipe_expand.c.
 */
#ifndef DELIVER_PIPE_CONF_H
#define DELIVER_PIPE_CONF_H

#include "base/arena.h"

enum pipe_flag { /* bit mask */
	PIPE_DELIVERED_TO = 1u << 0,
	PIPE_FROM_LINE    = 1u << 1,
	PIPE_ORIGINAL_TO  = 1u << 2,
	PIPE_RETURN_PATH  = 1u << 3,
	PIPE_FOLD_LOCAL   = 1u << 4,
	PIPE_FOLD_DOMAIN  = 1u << 5,
	PIPE_BLANK_LINE   = 1u << 6,
	PIPE_QUOTE_FROM   = 1u << 7,
	PIPE_QUOTE_DOT    = 1u << 8,
};

struct pipe_arg {
	struct str text;
};
struct pipe_conf {
	struct str       name;
	struct pipe_arg *command; /* argv with ${...}, see pipe_expand.h */
	size_t           command_count;
	struct str       flags;
	bool             crlf;       /* lines end as on the wire; else in LF */
	bool             network;    /* may make internet sockets */
	uint32_t         recipients; /* of one run, at most */
	uint32_t         runs;       /* at once */
	uint32_t         time_s;
	uint32_t         processes;  /* that one run may have, 0: no limit */
	uint64_t         memory_octets, file_octets; /* 0: no limit */
};

/* False: an unknown letter, or one twice. */
MUST_CHECK bool pipe_flags_parse(struct str text, uint32_t *ret);
/* NULL; else what is wrong with its command, name or flags, as a static text. */
const char *pipe_conf_wrong(const struct pipe_conf *c);

#endif
