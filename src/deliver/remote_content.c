/* deliver/remote_content.c - contract is in remote_content.h. */
#include "deliver/remote_content.h"

#include "sys/pread.h"

/* Where the header ends: an empty line, whatever the line ends are. */
struct header_scan {
	bool line_start, ended;
};

enum status remote_content_read(const struct remote_content *c, uint64_t offset, char space[REMOTE_CHUNK],
				struct str *ret)
{
	size_t      n = (size_t)MIN(c->size - offset, (uint64_t)REMOTE_CHUNK), got = 0;
	enum status st;

	if (c->fd < 0) {
		*ret = str_sub(c->memory, (size_t)offset, n);
		return ST_OK;
	}
	st = fd_pread(c->fd, offset, space, n, &got);
	if (st == ST_OK && got < n)
		st = ST_CORRUPT;
	if (st == ST_OK)
		*ret = str_n(space, n);
	return st;
}

/* How many octets of `chunk` belong to the header. */
static size_t header_length(struct header_scan *h, struct str chunk)
{
	for (size_t i = 0; i < chunk.n && !h->ended; i++) {
		if (chunk.p[i] == '\n' && h->line_start)
			h->ended = true;
		else if (chunk.p[i] != '\r')
			h->line_start = chunk.p[i] == '\n';
		if (h->ended)
			return i;
	}
	return h->ended ? 0 : chunk.n;
}

enum status remote_content_open(struct remote_content *c, const struct remote_deliver_request *q)
{
	struct header_scan header = { .line_start = true };
	char               space[REMOTE_CHUNK];
	struct str         chunk;

	*c = (struct remote_content){ .memory = q->content,
				      .fd = q->file,
				      .size = q->file < 0 ? q->content.n : q->size };
	for (uint64_t at = 0; at < c->size; at += chunk.n) {
		enum status st = remote_content_read(c, at, space, &chunk);

		if (st != ST_OK)
			return st;
		if (!header.ended && !str_is_ascii(str_first(chunk, header_length(&header, chunk))))
			c->eight_bit_header = true;
		if (!c->eight_bit && !str_is_ascii(chunk))
			c->eight_bit = true;
	}
	return ST_OK;
}
