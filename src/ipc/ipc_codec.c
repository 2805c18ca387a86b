/* ipc/ipc_codec.c - see ipc_codec.h.
 *
 *   message = *field                  in the order of the shape
 *   field   = BOOL 1 octet | U32, ENUM 4 | U64, I64 8 | STR 4 length, octets | LIST 4 count, *message | FD 1 octet: 1 if one follows
 */
#include "ipc/ipc_codec.h"

#include <string.h>

#define DEPTH_MAX      4u  /* lists in lists */
#define DUMP_STR_MAX   ((size_t)80)
#define DUMP_ITEMS_MAX ((size_t)4)

static const void *field_at(const void *msg, size_t offset)
{
	return (const char *)msg + offset;
}

static void *field_of(void *msg, size_t offset)
{
	return (char *)msg + offset;
}

/* A list field is a pointer and a count of any struct: read both without knowing the type. */
static void list_get(const void *msg, const struct ipc_field *f, const char **ret_items, size_t *ret_count)
{
	memcpy(ret_items, field_at(msg, f->offset), sizeof(*ret_items));
	memcpy(ret_count, field_at(msg, f->count_offset), sizeof(*ret_count));
}

/* ---- encoding ---- */

static enum status encode(struct buf *out, struct ipc_fds *fds, const struct ipc_shape *shape, const void *msg, unsigned version);

static enum status encode_list(struct buf *out, struct ipc_fds *fds, const struct ipc_field *f, const void *msg,
			       unsigned version)
{
	const char *items;
	size_t      count;
	enum status st = ST_OK;

	list_get(msg, f, &items, &count);
	if (count > f->max)
		return ST_LIMIT;
	buf_add_be(out, count, 4);
	for (size_t i = 0; i < count && st == ST_OK; i++)
		st = encode(out, fds, f->of, items + i * f->of->size, version);
	return st;
}

static enum status encode_str(struct buf *out, const struct ipc_field *f, const void *msg)
{
	struct str s;

	memcpy(&s, field_at(msg, f->offset), sizeof(s));
	if (s.n > f->max)
		return ST_LIMIT;
	buf_add_be(out, s.n, 4);
	buf_add(out, s);
	return ST_OK;
}

static enum status encode_fd(struct buf *out, struct ipc_fds *fds, const struct ipc_field *f, const void *msg)
{
	int fd;

	memcpy(&fd, field_at(msg, f->offset), sizeof(fd));
	if (fd >= 0) {
		CHECK(fds && fds->n < LEN(fds->fd));
		fds->fd[fds->n++] = fd;
	}
	buf_add_be(out, fd >= 0, 1);
	return ST_OK;
}

static enum status encode_number(struct buf *out, const struct ipc_field *f, const void *msg)
{
	const void *p = field_at(msg, f->offset);
	bool        b;
	uint32_t    u32;
	uint64_t    u64;

	if (f->kind == IPC_KIND_BOOL) {
		memcpy(&b, p, sizeof(b));
		buf_add_be(out, b, 1);
	} else if (f->kind == IPC_KIND_U32 || f->kind == IPC_KIND_ENUM) {
		memcpy(&u32, p, sizeof(u32));
		if (u32 > f->max)
			return ST_LIMIT;
		buf_add_be(out, u32, 4);
	} else {
		memcpy(&u64, p, sizeof(u64));
		if (f->kind == IPC_KIND_U64 && u64 > f->max)
			return ST_LIMIT;
		buf_add_be(out, u64, 8);
	}
	return ST_OK;
}

static enum status encode(struct buf *out, struct ipc_fds *fds, const struct ipc_shape *shape, const void *msg, unsigned version)
{
	for (size_t i = 0; i < shape->count; i++) {
		const struct ipc_field *f = &shape->fields[i];
		enum status             st;

		if (f->since > version)
			continue;
		switch (f->kind) {
		case IPC_KIND_LIST: st = encode_list(out, fds, f, msg, version); break;
		case IPC_KIND_STR:  st = encode_str(out, f, msg); break;
		case IPC_KIND_FD:   st = encode_fd(out, fds, f, msg); break;
		default:            st = encode_number(out, f, msg); break;
		}
		if (st != ST_OK)
			return st;
	}
	return ST_OK;
}

enum status ipc_encode(struct buf *out, struct ipc_fds *fds, const struct ipc_shape *shape, const void *msg, unsigned peer_version)
{
	enum status st = encode(out, fds, shape, msg, peer_version);

	return st == ST_OK && out->over ? ST_LIMIT : st;
}

/* ---- decoding ---- */

struct decoder {
	struct str            in;
	const struct ipc_fds *fds;
	unsigned              fds_used, version;
	struct arena         *a;
};

static bool take_be(struct decoder *d, unsigned octets, uint64_t *ret)
{
	uint64_t v = 0;

	if (d->in.n < octets)
		return false;
	for (unsigned i = 0; i < octets; i++)
		v = v << 8 | (unsigned char)d->in.p[i];
	d->in = str_from(d->in, octets);
	*ret = v;
	return true;
}

static bool decode(struct decoder *d, const struct ipc_shape *shape, void *msg, unsigned depth);

/* The least that one struct of a shape takes on the wire: bounds what a count may claim. */
static size_t least_size(const struct ipc_shape *shape)
{
	static const unsigned char octets[] = {
		[IPC_KIND_BOOL] = 1, [IPC_KIND_U32] = 4, [IPC_KIND_ENUM] = 4, [IPC_KIND_U64] = 8,
		[IPC_KIND_I64] = 8,  [IPC_KIND_STR] = 4, [IPC_KIND_LIST] = 4, [IPC_KIND_FD] = 1,
	};
	size_t n = 0;

	for (size_t i = 0; i < shape->count; i++)
		n += shape->fields[i].since ? 0 : octets[shape->fields[i].kind];
	return MAX(n, 1);
}

static bool decode_list(struct decoder *d, const struct ipc_field *f, void *msg, unsigned depth)
{
	uint64_t count;
	char    *items;
	size_t   n;

	if (depth == 0 || !take_be(d, 4, &count) || count > f->max || count > d->in.n / least_size(f->of))
		return false;
	items = arena_array(d->a, f->of->size, (size_t)count);
	for (size_t i = 0; i < count; i++)
		if (!decode(d, f->of, items + i * f->of->size, depth - 1))
			return false;
	n = (size_t)count;
	memcpy(field_of(msg, f->offset), &items, sizeof(items));
	memcpy(field_of(msg, f->count_offset), &n, sizeof(n));
	return true;
}

static bool decode_str(struct decoder *d, const struct ipc_field *f, void *msg)
{
	uint64_t   n;
	struct str s;

	if (!take_be(d, 4, &n) || n > f->max || n > d->in.n)
		return false;
	s = str_first(d->in, (size_t)n);
	d->in = str_from(d->in, (size_t)n);
	memcpy(field_of(msg, f->offset), &s, sizeof(s));
	return true;
}

static bool decode_fd(struct decoder *d, const struct ipc_field *f, void *msg)
{
	uint64_t there;
	int      fd = -1;

	if (!take_be(d, 1, &there) || there > 1)
		return false;
	if (there) {
		if (!d->fds || d->fds_used >= d->fds->n)
			return false;
		fd = d->fds->fd[d->fds_used++];
	}
	memcpy(field_of(msg, f->offset), &fd, sizeof(fd));
	return true;
}

static bool decode_number(struct decoder *d, const struct ipc_field *f, void *msg)
{
	void    *p = field_of(msg, f->offset);
	unsigned octets = f->kind == IPC_KIND_BOOL ? 1 : f->kind == IPC_KIND_U32 || f->kind == IPC_KIND_ENUM ? 4 : 8;
	uint64_t v;
	uint32_t u32;
	bool     b;

	if (!take_be(d, octets, &v) || (f->kind != IPC_KIND_I64 && v > f->max))
		return false;
	if (octets == 1) {
		b = v != 0;
		memcpy(p, &b, sizeof(b));
	} else if (octets == 4) {
		u32 = (uint32_t)v;
		memcpy(p, &u32, sizeof(u32));
	} else {
		memcpy(p, &v, sizeof(v));
	}
	return true;
}

static bool decode(struct decoder *d, const struct ipc_shape *shape, void *msg, unsigned depth)
{
	memset(msg, 0, shape->size);
	for (size_t i = 0; i < shape->count; i++) {
		const struct ipc_field *f = &shape->fields[i];
		bool                    ok;

		if (f->since > d->version)
			continue;
		switch (f->kind) {
		case IPC_KIND_LIST: ok = decode_list(d, f, msg, depth); break;
		case IPC_KIND_STR:  ok = decode_str(d, f, msg); break;
		case IPC_KIND_FD:   ok = decode_fd(d, f, msg); break;
		default:            ok = decode_number(d, f, msg); break;
		}
		if (!ok)
			return false;
	}
	return true;
}

enum status ipc_decode(struct str in, struct ipc_fds *fds, const struct ipc_shape *shape, void *ret_msg, struct arena *a,
		       unsigned peer_version)
{
	struct decoder d = { .in = in, .fds = fds, .version = peer_version, .a = a };

	if (!decode(&d, shape, ret_msg, DEPTH_MAX) || d.in.n > 0 || (fds && d.fds_used != fds->n)) {
		memset(ret_msg, 0, shape->size);
		return ST_CORRUPT;
	}
	if (fds)
		fds->n = 0; /* they belong to the message now */
	return ST_OK;
}

/* ---- dump ---- */

static void dump_str(struct buf *out, const struct ipc_field *f, const void *msg)
{
	struct str s;

	memcpy(&s, field_at(msg, f->offset), sizeof(s));
	if (f->secret) {
		buf_add(out, STR("***"));
		return;
	}
	buf_add_char(out, '"');
	for (size_t i = 0; i < s.n && i < DUMP_STR_MAX; i++) {
		if ((unsigned char)s.p[i] < 32 || (unsigned char)s.p[i] > 126)
			buf_addf(out, "\\x%02x", (unsigned char)s.p[i]);
		else
			buf_add_char(out, s.p[i]);
	}
	if (s.n > DUMP_STR_MAX)
		buf_addf(out, "...(%zu)", s.n);
	buf_add_char(out, '"');
}

static void dump_list(struct buf *out, const struct ipc_field *f, const void *msg)
{
	const char *items;
	size_t      count;

	list_get(msg, f, &items, &count);
	buf_addf(out, "[%zu:", count);
	for (size_t i = 0; i < count && i < DUMP_ITEMS_MAX; i++) {
		buf_add_char(out, ' ');
		ipc_dump(out, f->of, items + i * f->of->size);
	}
	buf_add_char(out, ']');
}

static void dump_number(struct buf *out, const struct ipc_field *f, const void *msg)
{
	const void *p = field_at(msg, f->offset);
	uint64_t    u64 = 0;
	uint32_t    u32;
	int         fd;

	if (f->kind == IPC_KIND_FD) {
		memcpy(&fd, p, sizeof(fd));
		buf_add(out, fd >= 0 ? STR("fd") : STR("none"));
	} else if (f->kind == IPC_KIND_BOOL) {
		buf_add(out, *(const unsigned char *)p ? STR("true") : STR("false"));
	} else if (f->kind == IPC_KIND_U32 || f->kind == IPC_KIND_ENUM) {
		memcpy(&u32, p, sizeof(u32));
		buf_add_u64(out, u32);
	} else {
		memcpy(&u64, p, sizeof(u64));
		if (f->kind == IPC_KIND_I64)
			buf_addf(out, "%lld", (long long)u64);
		else
			buf_add_u64(out, u64);
	}
}

void ipc_dump(struct buf *out, const struct ipc_shape *shape, const void *msg)
{
	buf_addf(out, "%s{", shape->name);
	for (size_t i = 0; i < shape->count; i++) {
		const struct ipc_field *f = &shape->fields[i];

		buf_addf(out, "%s%s=", i ? " " : "", f->name);
		if (f->kind == IPC_KIND_STR)
			dump_str(out, f, msg);
		else if (f->kind == IPC_KIND_LIST)
			dump_list(out, f, msg);
		else
			dump_number(out, f, msg);
	}
	buf_add_char(out, '}');
}
