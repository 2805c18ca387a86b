/* wire/milter/milter_packet.c - contract is in milter_packet.h. */
#include "wire/milter/milter_packet.h"

#include "base/limits.h"

#define HEAD ((size_t)4)

static uint32_t be32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

enum milter_packet_err milter_packet_next(struct str in, struct milter_packet *ret, size_t *ret_n)
{
	size_t n;

	if (in.n < HEAD)
		return MILTER_PACKET_MORE;
	n = be32(in.p);
	if (n == 0 || n > LIMIT_MILTER_PACKET)
		return MILTER_PACKET_LIMIT;
	if (in.n - HEAD < n)
		return MILTER_PACKET_MORE;
	*ret = (struct milter_packet){ in.p[HEAD], str_sub(in, HEAD + 1, n - 1) };
	*ret_n = HEAD + n;
	return MILTER_PACKET_OK;
}

size_t milter_packet_begin(struct buf *out, char command)
{
	size_t at = out->n;

	buf_add_be(out, 0, HEAD);
	buf_add_char(out, command);
	return at;
}

void milter_packet_end(struct buf *out, size_t at)
{
	size_t n;

	if (out->over)
		return;
	n = out->n - at - HEAD;
	for (size_t i = 0; i < HEAD; i++)
		out->p[at + i] = (char)(n >> (24 - 8 * i));
}

bool milter_text_take(struct str *data, struct str *ret)
{
	ptrdiff_t nul = str_find(*data, '\0');

	if (nul < 0)
		return false;
	*ret = str_first(*data, (size_t)nul);
	*data = str_from(*data, (size_t)nul + 1);
	return true;
}

bool milter_u32_take(struct str *data, uint32_t *ret)
{
	if (data->n < 4)
		return false;
	*ret = be32(data->p);
	*data = str_from(*data, 4);
	return true;
}

void milter_text_add(struct buf *out, struct str s)
{
	ptrdiff_t nul = str_find(s, '\0');

	buf_add(out, nul < 0 ? s : str_first(s, (size_t)nul));
	buf_add_char(out, '\0');
}
