/* imap/imap_quota.c - what the session knows of its account's limits, and whom it tells what the account holds.
 *
 * auth answers from memory, but is asked only when something is to be added, and not again for QUOTA_KNOWN_MS: an administrator's change
 * counts after that at the latest. Where a domain has a total, what is left of it changes with every message of its other accounts: there it
 * is asked each time.
 */
#include "imap/imap_session.h"
#include "sys/clock.h"

#define QUOTA_KNOWN_MS 5000

static void ask(struct imap_session *s)
{
	struct auth_quota_reply reply = { 0 };

	if (s->env->ask->quota(s->env->ask_ctx, s->account_id, &reply) != ST_OK)
		return;
	s->quota = reply;
	s->quota_ms = clock_mono_ms();
}

void imap_quota_know(struct imap_session *s)
{
	if (!s->env->ask->quota || (s->quota_ms > 0 && !s->quota.quota_shared && clock_mono_ms() - s->quota_ms < QUOTA_KNOWN_MS))
		return;
	imap_account_back(s);
	ask(s);
}

void imap_quota_apply(struct imap_session *s, struct store_account *a)
{
	const struct store_quota q = { s->quota.quota_octets, s->quota.quota_messages, s->quota.quota_shared };

	store_quota_set(a, &q, str_of(s->user));
}

void imap_quota_changed(struct imap_session *s, struct store_account *a, bool added)
{
	struct store_info info;

	if (store_account_id(a) != s->account_id) {
		imap_guest_counted(s, a); /* his limits are not ours to tell */
		return;
	}
	/* Expunged by one that has added nothing: a domain's total counts that too. */
	if (s->env->ask->quota && (s->quota_ms == 0 || clock_mono_ms() - s->quota_ms >= QUOTA_KNOWN_MS))
		ask(s);
	if ((s->quota.quota_octets == 0 && s->quota.quota_messages == 0) || store_info(a, &info) != ST_OK)
		return;
	if (s->quota.quota_shared && s->env->ask->used)
		s->env->ask->used(s->env->ask_ctx, &(struct auth_used_request){ s->account_id, info.size, info.messages, imap_token(s) });
	if (added && ((s->quota.quota_octets > 0 && info.size >= s->quota.quota_octets) ||
		      (s->quota.quota_messages > 0 && info.messages >= s->quota.quota_messages)))
		imap_put(s, STR("* NO [OVERQUOTA] The mailbox is full now\r\n"));
}
