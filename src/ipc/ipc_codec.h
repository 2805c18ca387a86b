/* ipc/ipc_codec.h - messages between processes: one table gives encoder, decoder, dump and fuzz target.
 *
 * A message is a plain C struct; a `struct ipc_shape` lists its fields. ipc_encode() walks
 * the list and appends the fields in order, big-endian, strings and lists with a 32-bit
 * length or count before them. ipc_decode() checks every length, count, enum and boolean
 * against the shape as if the sender were hostile, and that every octet was consumed.
 *
 * Version: a field with since > 0 is written only to a peer of at least that version, and
 * reads as zero from an older one; such fields stand at the end of a shape.
 *
 * Pure: no I/O. Tests: tests/unit/test_ipc.c, tests/fuzz/fuzz_ipc.c.
 */
#ifndef IPC_IPC_CODEC_H
#define IPC_IPC_CODEC_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/status.h"

#define IPC_VERSION 1

enum ipc_kind {
	IPC_KIND_BOOL, /* bool */
	IPC_KIND_U32,  /* uint32_t, at most max */
	IPC_KIND_ENUM, /* an enum of 4 octets, 0..max */
	IPC_KIND_U64,  /* uint64_t, at most max */
	IPC_KIND_I64,  /* int64_t */
	IPC_KIND_STR,  /* struct str of at most max octets */
	IPC_KIND_LIST, /* pointer and size_t count (at most max) of structs of shape `of` */
	IPC_KIND_FD,   /* int: a descriptor that travels beside the frame, -1 for none */
};

struct ipc_field {
	const char             *name;
	enum ipc_kind           kind;
	size_t                  offset;
	uint64_t                max;
	const struct ipc_shape *of;           /* LIST */
	size_t                  count_offset; /* LIST */
	unsigned                since;        /* first version that has the field */
	bool                    secret;       /* dump shows "***", decoded into a wiping arena */
};

struct ipc_shape {
	const char             *name;
	size_t                  size; /* sizeof the struct */
	const struct ipc_field *fields;
	size_t                  count;
};

#define IPC_BOOL(T, m)          { .name = #m, .kind = IPC_KIND_BOOL, .offset = offsetof(T, m), .max = 1 }
#define IPC_U32(T, m)           { .name = #m, .kind = IPC_KIND_U32, .offset = offsetof(T, m), .max = UINT32_MAX }
#define IPC_ENUM(T, m, last)    { .name = #m, .kind = IPC_KIND_ENUM, .offset = offsetof(T, m), .max = (last) }
#define IPC_U64(T, m)           { .name = #m, .kind = IPC_KIND_U64, .offset = offsetof(T, m), .max = UINT64_MAX }
#define IPC_I64(T, m)           { .name = #m, .kind = IPC_KIND_I64, .offset = offsetof(T, m) }
#define IPC_STR(T, m, limit)    { .name = #m, .kind = IPC_KIND_STR, .offset = offsetof(T, m), .max = (limit) }
#define IPC_SECRET(T, m, limit) { .name = #m, .kind = IPC_KIND_STR, .offset = offsetof(T, m), .max = (limit), .secret = true }
#define IPC_FD(T, m)            { .name = #m, .kind = IPC_KIND_FD, .offset = offsetof(T, m) }
#define IPC_LIST(T, m, n, limit, shape) \
	{ .name = #m, .kind = IPC_KIND_LIST, .offset = offsetof(T, m), .max = (limit), .of = (shape), .count_offset = offsetof(T, n) }

#define IPC_SHAPE(T, array) { .name = #T, .size = sizeof(struct T), .fields = (array), .count = LEN(array) }
#define IPC_EMPTY           { .name = "empty", .size = 1, .fields = NULL, .count = 0 }

/* Descriptors beside a frame, in field order. */
struct ipc_fds {
	int      fd[LIMIT_IPC_FDS];
	unsigned n;
};

/* Append `msg` to `out`. ST_LIMIT when a value is over its shape's limit or the buffer is full. */
MUST_CHECK enum status ipc_encode(struct buf *out, struct ipc_fds *fds, const struct ipc_shape *shape, const void *msg,
				  unsigned peer_version);

/* Decode all of `in` into *ret_msg (shape->size octets, zeroed first). Strings borrow from `in`, lists live in `a`.
 * Descriptors move from *fds into the message only on ST_OK. ST_CORRUPT otherwise. */
MUST_CHECK enum status ipc_decode(struct str in, struct ipc_fds *fds, const struct ipc_shape *shape, void *ret_msg,
				  struct arena *a, unsigned peer_version);

/* "name{field=value ...}" for logs of level debug and for test failures; secrets hidden, long strings cut. */
void ipc_dump(struct buf *out, const struct ipc_shape *shape, const void *msg);

#endif
