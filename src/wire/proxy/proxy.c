/* wire/proxy/proxy.c - format and contract are in proxy.h. */
#include "wire/proxy/proxy.h"

#include <arpa/inet.h>
#include <string.h>

#define V1_MAX  ((size_t)107)
#define V2_HEAD ((size_t)16)
#define V2_IPV4 ((size_t)12)
#define V2_IPV6 ((size_t)36)

static const char signature[12] = { '\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n' };

/* As far as there are octets, they are those of `what`. */
static bool begins(struct str in, struct str what)
{
	size_t n = MIN(in.n, what.n);

	return str_eq(str_first(in, n), str_first(what, n));
}

/* ---- version 1 ---- */

static bool address_text(struct str text, bool v6, uint8_t octets[static 16])
{
	char c[INET6_ADDRSTRLEN];

	memset(octets, 0, 16);
	return str_to_c(text, c, sizeof(c)) && inet_pton(v6 ? AF_INET6 : AF_INET, c, octets) == 1;
}

static bool port_text(struct str text, uint16_t *ret)
{
	uint32_t port;

	if (text.n > 5 || (text.n > 1 && text.p[0] == '0') || !str_to_u32(text, &port) || port > UINT16_MAX)
		return false;
	*ret = (uint16_t)port;
	return true;
}

/* The line behind "PROXY ", without its CRLF. */
static bool v1_line(struct str line, struct proxy *p)
{
	struct str word[5];
	uint8_t    destination[16];
	uint16_t   destination_port;

	for (size_t i = 0; i < LEN(word); i++) {
		bool more = str_cut(line, ' ', &word[i], &line);

		if (i == 0 && str_eq(word[0], STR("UNKNOWN"))) {
			p->local = p->unknown = true; /* what follows is not to be looked at */
			return true;
		}
		if (more != (i + 1 < LEN(word)))
			return false;
	}
	p->v6 = str_eq(word[0], STR("TCP6"));
	if (!p->v6 && !str_eq(word[0], STR("TCP4")))
		return false;
	return address_text(word[1], p->v6, p->source) && address_text(word[2], p->v6, destination) &&
	       port_text(word[3], &p->source_port) && port_text(word[4], &destination_port);
}

static enum proxy_result v1_parse(struct str in, struct proxy *p, size_t *ret_n)
{
	ptrdiff_t  lf = str_find(str_first(in, V1_MAX), '\n');
	struct str line = str_from(in, 6);

	if (lf < 0)
		return in.n >= V1_MAX || str_find(str_first(in, in.n - 1), '\r') >= 0 ? PROXY_INVALID : PROXY_MORE;
	if (lf < 7 || in.p[lf - 1] != '\r')
		return PROXY_INVALID;
	line = str_first(line, (size_t)lf - 7);
	if (str_find(line, '\r') >= 0 || !v1_line(line, p))
		return PROXY_INVALID;
	*ret_n = (size_t)lf + 1;
	return PROXY_DONE;
}

/* ---- version 2 ---- */

static unsigned be16(const char *p)
{
	return (unsigned)(uint8_t)p[0] << 8 | (uint8_t)p[1];
}

static bool tlvs_add_up(struct str s)
{
	while (s.n > 0) {
		size_t n;

		if (s.n < 3)
			return false;
		n = 3 + be16(s.p + 1);
		if (n > s.n)
			return false;
		s = str_from(s, n);
	}
	return true;
}

static bool v2_block(struct str block, uint8_t family, struct proxy *p)
{
	size_t n = family == 0x11 ? V2_IPV4 : V2_IPV6, address = family == 0x11 ? 4 : 16;

	if (block.n < n)
		return false;
	p->v6 = family == 0x21;
	memcpy(p->source, block.p, address);
	p->source_port = (uint16_t)be16(block.p + 2 * address);
	return tlvs_add_up(str_from(block, n));
}

static enum proxy_result v2_parse(struct str in, struct proxy *p, size_t *ret_n)
{
	uint8_t command, family;
	size_t  n;

	if (in.n > 12 && (uint8_t)in.p[12] != 0x20 && (uint8_t)in.p[12] != 0x21)
		return PROXY_INVALID;
	if (in.n < V2_HEAD)
		return PROXY_MORE;
	command = in.p[12] & 15;
	family = (uint8_t)in.p[13];
	n = be16(in.p + 14);
	/* UNSPEC with PROXY is what UNKNOWN is in version 1. LOCAL may come with any family, which is not to be looked at. */
	p->local = command == 0 || family == 0;
	p->unknown = command == 1 && family == 0;
	if (n > LIMIT_PROXY_BLOCK || (!p->local && family != 0x11 && family != 0x21))
		return PROXY_INVALID;
	if (in.n < V2_HEAD + n)
		return PROXY_MORE;
	if (!p->local && !v2_block(str_sub(in, V2_HEAD, n), family, p))
		return PROXY_INVALID;
	*ret_n = V2_HEAD + n;
	return PROXY_DONE;
}

enum proxy_result proxy_parse(struct str in, struct proxy *ret, size_t *ret_n)
{
	struct proxy      p = { 0 };
	enum proxy_result r = PROXY_INVALID;

	if (begins(in, STR("PROXY ")))
		r = in.n < 6 ? PROXY_MORE : v1_parse(in, &p, ret_n);
	else if (begins(in, str_n(signature, sizeof(signature))))
		r = in.n < sizeof(signature) ? PROXY_MORE : v2_parse(in, &p, ret_n);
	if (r == PROXY_DONE)
		*ret = p;
	return r;
}
