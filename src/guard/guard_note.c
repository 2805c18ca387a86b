/* guard/guard_note.c - what sessions tell afterwards: octets, and what they did wrong. */
#include "guard/guard_int.h"

#define EARLY_FAILURES 5u /* no mail server talks before the greeting */
#define ERRORS_MAX     100u /* of one note: a session has a limit of its own */

void guard_note(struct guard *g, const struct guard_note_request *q)
{
	struct guard_ip ip;
	uint64_t        kib = q->octets / KIB + (q->octets % KIB > 0);

	if (q->exempt || !guard_ip_parse(q->peer, &ip) || (g->options.lab && ip.loopback))
		return;
	guard_lock(g);
	if (q->account != 0) {
		guard_counter_add(guard_count(g, GUARD_ACCOUNT, q->account), GUARD_KIB, kib);
	} else {
		guard_counter_add(guard_count(g, GUARD_ADDRESS, ip.address), GUARD_KIB, kib);
		guard_counter_add(guard_count(g, GUARD_NETWORK, ip.network), GUARD_KIB, kib);
		/* Without a greylist, whoever had a message accepted need not wait for the greeting the next time. */
		if (q->messages > 0 && !g->set.greylist)
			guard_remember(g, GUARD_GOOD, ip.network, 0);
	}
	if (q->early)
		guard_failed(g, &ip, EARLY_FAILURES, "early_talk");
	if (q->errors + q->refused > 0 && q->account == 0)
		guard_failed(g, &ip, MIN(q->errors, ERRORS_MAX) + MIN(q->refused, ERRORS_MAX), q->errors > 0 ? "protocol_error" : "message_refused");
	guard_unlock(g);
}
