/* wire/milter/milter_option.h - the first exchange: which version, which actions, which steps, which macros.
 *
 *   OPTNEG = uint32 version, uint32 actions, uint32 steps, *( uint32 stage, text names )
 *
 * The list of macros comes from filters that were offered MILTER_MAY_SYMLIST; names are separated by blanks or commas.
 *
 * Pure, no I/O. Tests: tests/unit/test_milter_wire.c, tests/fuzz/fuzz_milter.c.
 */
#ifndef WIRE_MILTER_MILTER_OPTION_H
#define WIRE_MILTER_MILTER_OPTION_H

#include "wire/milter/milter_packet.h"

struct milter_option {
	uint32_t version, actions, steps;
	struct {
		bool       given; /* false: our own choice of macros */
		struct str names; /* borrows from the packet */
	} macros[MILTER_STAGE_COUNT];
};

/* Our offer: everything. */
void milter_option_write(struct buf *out);

/* The filter's answer to it. False: no such version, or it wants what was not offered, or malformed. */
MUST_CHECK bool milter_option_parse(struct str data, struct milter_option *ret);

/* Take the next macro name off a list; false at the end. */
bool milter_name_next(struct str *names, struct str *ret);

#endif
