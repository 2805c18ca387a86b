/* smtp/smtp_probe.c - is a recipient of a relay domain there? Its host is asked, by remote; auth remembers what it says.
 *
 * The session's thread waits for it, so the probes of a process are few, and each has its time (LIMIT_PROBE_MS). Nothing is kept
 * here: auth knows what was said before, and what to answer when nobody could be asked.
 */
#include <stdatomic.h>

#include "base/log.h"
#include "smtp/smtp_session.h"

static atomic_uint under_way;

static enum auth_probe result_of(enum remote_probe result)
{
	switch (result) {
	case REMOTE_PROBE_EXISTS: return AUTH_PROBE_EXISTS;
	case REMOTE_PROBE_UNKNOWN: return AUTH_PROBE_UNKNOWN;
	case REMOTE_PROBE_LATER: return AUTH_PROBE_LATER;
	case REMOTE_PROBE_UNREACHABLE: break;
	}
	return AUTH_PROBE_UNREACHABLE;
}

static enum auth_probe ask(struct smtp_session *s, struct str address, struct arena *a)
{
	const struct remote_probe_request request = { .address = address };
	struct remote_probe_reply         reply;
	enum auth_probe                   result = AUTH_PROBE_SKIPPED;

	if (atomic_fetch_add(&under_way, 1) < LIMIT_SMTP_PROBES && s->env->ask->probe(s->env->ask_ctx, &request, a, &reply) == ST_OK) {
		result = result_of(reply.result);
		log_info("recipient verified", LOG_C("session", s->info->id), LOG_STR("rcpt", address), LOG_U64("result", result),
			 LOG_STR("answer", reply.answer));
	}
	atomic_fetch_sub(&under_way, 1);
	return result;
}

enum status smtp_probe(struct smtp_session *s, struct str address, struct arena *a, struct auth_rcpt_reply *r)
{
	const struct auth_probed_request told = {
		.address = address,
		.result = ask(s, address, a),
		.peer = str_of(s->info->peer),
		.session = str_of(s->info->id),
		.account = s->account,
	};

	return s->env->ask->probed(s->env->ask_ctx, &told, a, r);
}
