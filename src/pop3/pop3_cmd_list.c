/* pop3/pop3_cmd_list.c - STAT, LIST, UIDL (RFC 1939 §5, §7): what is there. */
#include "pop3/pop3_session.h"

enum pop3_next pop3_cmd_stat(struct pop3_session *s, const struct pop3_call *c)
{
	struct pop3_row *row;
	uint64_t         octets = 0;
	uint32_t         at = 0, count = 0;

	(void)c;
	for (; (row = pop3_drop_next(s, &at)); count++)
		octets += pop3_size(s, row);
	return pop3_ok(s, "%u %llu", count, (unsigned long long)octets);
}

static void size_put(struct pop3_session *s, uint32_t number, struct pop3_row *row)
{
	pop3_putf(s, "%u %llu\r\n", number, (unsigned long long)pop3_size(s, row));
}

/* RFC 1939 §7: 1 to 70 octets of 0x21 to 0x7E, the same in every session, never used for another message: uidvalidity and uid. */
static void identity_put(struct pop3_session *s, uint32_t number, struct pop3_row *row)
{
	pop3_putf(s, "%u %08x%08x\r\n", number, s->drop.uidvalidity, row->uid);
}

static enum pop3_next list(struct pop3_session *s, const struct pop3_call *c, const char *what,
			   void (*put)(struct pop3_session *s, uint32_t number, struct pop3_row *row))
{
	struct pop3_row *row;
	uint32_t         at = 0;

	if (c->row) {
		s->errors = 0;
		pop3_put(s, STR("+OK "));
		put(s, c->number, c->row);
		return POP3_NEXT_COMMAND;
	}
	pop3_ok(s, "%s", what);
	while ((row = pop3_drop_next(s, &at)) && pop3_spill(s))
		put(s, at, row);
	pop3_put(s, STR(".\r\n"));
	return POP3_NEXT_COMMAND;
}

enum pop3_next pop3_cmd_list(struct pop3_session *s, const struct pop3_call *c)
{
	return list(s, c, "Numbers and octets", size_put);
}

enum pop3_next pop3_cmd_uidl(struct pop3_session *s, const struct pop3_call *c)
{
	return list(s, c, "Numbers and identities", identity_put);
}
