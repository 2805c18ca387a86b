/* guard/guard_settings.h - the section `guard` of postrider.conf: limits at the door, in words and numbers.
 *
 * Counts are per hour unless the name says day; 0 is no limit. docs/concepts/limits.md explains each. The defaults stand in
 * role/config.c: no honest small sender meets them, and nothing that delays mail is on unless it is asked for.
 */
#ifndef GUARD_GUARD_SETTINGS_H
#define GUARD_GUARD_SETTINGS_H

#include "base/str.h"

struct guard_settings {
	/* strangers */
	uint32_t address_connections, address_messages, address_recipients;
	uint64_t address_octets;
	uint32_t network_messages, network_recipients;
	uint32_t sender_domain_messages, recipient_domain_recipients;
	/* people who signed in */
	uint32_t account_messages_hour, account_recipients_hour, account_messages_day, account_recipients_day;
	uint64_t account_octets_day;
	/* misbehaviour: unknown recipients, relaying, wrong passwords, protocol errors */
	uint32_t tarpit_failures, tarpit_s;
	uint32_t ban_failures, ban_first_s, ban_max_s, ban_network;
	/* newcomers */
	uint32_t   greet_pause_s;
	bool       greylist;
	uint32_t   greylist_wait_s;
	struct str dnsbl;
	uint32_t   dnsbl_threshold;
	/* networks to which nothing of this applies: smtp.trusted */
	struct str trusted;
};

#endif
