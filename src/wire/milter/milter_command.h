/* wire/milter/milter_command.h - what the filter is told, as packets at the end of a buffer.
 *
 * A buffer that is too small is `over`; nothing else can go wrong. Pure, no I/O. Tests: tests/unit/test_milter_wire.c.
 */
#ifndef WIRE_MILTER_MILTER_COMMAND_H
#define WIRE_MILTER_MILTER_COMMAND_H

#include "wire/milter/milter_packet.h"

/* A command without data, or with raw data: ABORT, QUIT, QUIT_NC, EOH, DATA, EOM, BODY. */
void milter_command_plain(struct buf *out, char command, struct str data);
/* With one text: HELO, UNKNOWN. */
void milter_command_text(struct buf *out, char command, struct str text);
/* CONNECT. `address` is an IP address as text; one without ":" is of family "4". */
void milter_command_connect(struct buf *out, struct str host, struct str address, unsigned port);
/* MAIL and RCPT: "<path>", then the ESMTP parameters, one text each ("SIZE=100 BODY=8BITMIME" is cut at its blanks). */
void milter_command_path(struct buf *out, char command, struct str path, struct str params);
/* HEADER. `value` is what stands behind the colon, raw; its line ends become LF, and without `leadspc` one blank at its start goes. */
void milter_command_header(struct buf *out, struct str name, struct str value, bool leadspc);

/* MACRO for the command that follows: begin, pairs, end. A pair without a name or whose value holds a NUL is left out. */
size_t milter_macro_begin(struct buf *out, char command);
void   milter_macro_add(struct buf *out, struct str name, struct str value);
void   milter_macro_end(struct buf *out, size_t at);

#endif
