/* milter/filter_io.h - octets to and from a filter, each wait with an end. The descriptor does not block. */
#ifndef MILTER_FILTER_IO_H
#define MILTER_FILTER_IO_H

#include "base/buf.h"
#include "base/status.h"

/* All of it, until clock_mono_ms() is until_ms. ST_OK, ST_TEMP (time is up), ST_CLOSED. */
MUST_CHECK enum status filter_io_send(int fd, struct str octets, int64_t until_ms);
/* Some octets more at the end of `in`. ST_OK, ST_TEMP, ST_CLOSED, ST_LIMIT (in is full). */
MUST_CHECK enum status filter_io_receive(int fd, struct buf *in, int64_t until_ms);
/* Has it said anything, or gone, though it was not asked? */
bool filter_io_quiet(int fd);

#endif
