/* guard/guard_limit.c - the table of limits. A row: whose, of what, how long a window, which setting, how it is told. */
#include <string.h>

#include "guard/guard_int.h"

#define AT(m) offsetof(struct guard_settings, m)

const struct guard_limit guard_limits[] = {
	{ "address_connections", GUARD_ADDRESS, GUARD_CONNECTIONS, false, AT(address_connections), false, "connections per hour from your address" },
	{ "address_messages", GUARD_ADDRESS, GUARD_MESSAGES, false, AT(address_messages), false, "messages per hour from your address" },
	{ "address_recipients", GUARD_ADDRESS, GUARD_RCPTS, false, AT(address_recipients), false, "recipients per hour from your address" },
	{ "address_octets", GUARD_ADDRESS, GUARD_KIB, false, AT(address_octets), true, "KiB per hour from your address" },
	{ "network_messages", GUARD_NETWORK, GUARD_MESSAGES, false, AT(network_messages), false, "messages per hour from your network" },
	{ "network_recipients", GUARD_NETWORK, GUARD_RCPTS, false, AT(network_recipients), false, "recipients per hour from your network" },
	{ "sender_domain_messages", GUARD_SENDER_DOMAIN, GUARD_MESSAGES, false, AT(sender_domain_messages), false,
	  "messages per hour of the sender's domain" },
	{ "recipient_domain_recipients", GUARD_RCPT_DOMAIN, GUARD_RCPTS, false, AT(recipient_domain_recipients), false,
	  "recipients per hour of the recipient's domain" },
	{ "account_messages_hour", GUARD_ACCOUNT, GUARD_MESSAGES, false, AT(account_messages_hour), false, "messages per hour of your account" },
	{ "account_recipients_hour", GUARD_ACCOUNT, GUARD_RCPTS, false, AT(account_recipients_hour), false, "recipients per hour of your account" },
	{ "account_messages_day", GUARD_ACCOUNT, GUARD_MESSAGES, true, AT(account_messages_day), false, "messages per day of your account" },
	{ "account_recipients_day", GUARD_ACCOUNT, GUARD_RCPTS, true, AT(account_recipients_day), false, "recipients per day of your account" },
	{ "account_octets_day", GUARD_ACCOUNT, GUARD_KIB, true, AT(account_octets_day), true, "KiB per day of your account" },
};
const size_t guard_limit_count = LEN(guard_limits);

uint64_t guard_limit_of(const struct guard *g, const struct guard_limit *l)
{
	const char *at = (const char *)&g->set + l->offset;
	uint64_t    wide;
	uint32_t    narrow;

	if (l->wide) {
		memcpy(&wide, at, sizeof(wide));
		return wide == 0 ? 0 : MAX(wide / KIB, 1);
	}
	memcpy(&narrow, at, sizeof(narrow));
	return narrow;
}

const struct guard_limit *guard_limit_broken(const struct guard *g, const struct guard_counter *c, enum guard_subject subject,
					     enum guard_what what, uint64_t n)
{
	int64_t now = guard_mono(g);

	for (size_t i = 0; i < LEN(guard_limits); i++) {
		const struct guard_limit *l = &guard_limits[i];
		uint64_t                  most = l->subject == subject && l->what == what ? guard_limit_of(g, l) : 0;

		if (most > 0 && (l->day ? guard_counter_day(c, what, now) : guard_counter_hour(c, what, now)) + n > most)
			return l;
	}
	return NULL;
}
