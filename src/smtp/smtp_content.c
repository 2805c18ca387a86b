/* smtp/smtp_content.c - see smtp_content.h. */
#include "smtp/smtp_content.h"

#include "base/limits.h"
#include "sys/fd.h"

void smtp_content_init(struct smtp_content *c, struct net *net)
{
	*c = (struct smtp_content){ .net = net, .spool = -1 };
	buf_init(&c->memory, LIMIT_INLINE + LIMIT_SMTP_FIXUP);
}

static void memory_give(struct smtp_content *c)
{
	buf_done(&c->memory);
	if (c->reserved > 0)
		net_memory_give(c->net, c->reserved);
	c->reserved = 0;
}

void smtp_content_done(struct smtp_content *c)
{
	memory_give(c);
	fd_close(&c->spool);
	*c = (struct smtp_content){ .spool = -1 };
}

bool smtp_content_reserve(struct smtp_content *c, uint64_t octets)
{
	size_t want = (size_t)MIN(octets, LIMIT_INLINE) + LIMIT_SMTP_FIXUP;

	if (want <= c->reserved)
		return true;
	if (!net_memory_take(c->net, want - c->reserved))
		return false;
	c->reserved = want;
	CHECK(buf_room(&c->memory, want - c->memory.n));
	return true;
}

bool smtp_content_grow(struct smtp_content *c, size_t octets)
{
	size_t want = c->memory.n + octets + LIMIT_SMTP_FIXUP;

	if (want > LIMIT_INLINE + LIMIT_SMTP_FIXUP + LIMIT_SMTP_REWRITE)
		return false;
	if (want > c->reserved) {
		if (!net_memory_take(c->net, want - c->reserved))
			return false;
		c->reserved = want;
	}
	c->memory.max = MAX(c->memory.max, want);
	return true;
}

size_t smtp_content_room(const struct smtp_content *c)
{
	return LIMIT_INLINE - MIN(c->memory.n, LIMIT_INLINE);
}

static bool has_eight_bit(struct str s)
{
	unsigned char any = 0;

	for (size_t i = 0; i < s.n; i++) /* no exit from the loop: the compiler makes it wide */
		any |= (unsigned char)s.p[i];
	return any & 0x80;
}

enum status smtp_content_add(struct smtp_content *c, struct str octets)
{
	c->eight_bit = c->eight_bit || has_eight_bit(octets);
	if (c->spool >= 0) {
		c->spooled += octets.n;
		return fd_write(c->spool, octets);
	}
	CHECK(buf_add(&c->memory, octets));
	return ST_OK;
}

enum status smtp_content_spill(struct smtp_content *c, int fd)
{
	enum status st = fd_write(fd, buf_str(&c->memory));

	CHECK(c->spool < 0);
	c->spool = fd;
	c->spooled = c->memory.n;
	memory_give(c);
	return st;
}
