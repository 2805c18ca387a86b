/* wire/milter/milter_packet.h - packets: cutting them out of a stream, writing them into a buffer.
 *
 * Pure, no I/O. Tests: tests/unit/test_milter_wire.c, tests/fuzz/fuzz_milter.c.
 */
#ifndef WIRE_MILTER_MILTER_PACKET_H
#define WIRE_MILTER_MILTER_PACKET_H

#include "base/buf.h"
#include "wire/milter/milter_wire.h"

struct milter_packet {
	char       command;
	struct str data; /* borrows from the input */
};

enum milter_packet_err {
	MILTER_PACKET_OK,
	MILTER_PACKET_MORE,  /* not all there yet */
	MILTER_PACKET_LIMIT, /* length 0, or over LIMIT_MILTER_PACKET: the stream is lost */
};

/* The packet that `in` begins with, and how many octets of it that are. Both are written only on OK. A length is judged as soon as its
 * four octets are there: nobody waits for, or makes room for, what is too long. */
MUST_CHECK enum milter_packet_err milter_packet_next(struct str in, struct milter_packet *ret, size_t *ret_n);

/* Begin a packet at the end of `out`; returns where. What is then added to `out` is its data. */
size_t milter_packet_begin(struct buf *out, char command);
/* Its length is known now. Nothing is done if `out` is over. */
void milter_packet_end(struct buf *out, size_t at);

/* Take a text that ends in a NUL off *data; false if there is no NUL. */
MUST_CHECK bool milter_text_take(struct str *data, struct str *ret);
/* Take four octets off. */
MUST_CHECK bool milter_u32_take(struct str *data, uint32_t *ret);
/* Add a text and its NUL. A NUL inside `s` ends it there, as a C program would read it. */
void milter_text_add(struct buf *out, struct str s);

#endif
