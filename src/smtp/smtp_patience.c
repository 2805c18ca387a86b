/* smtp/smtp_patience.c - how long a session may go on without doing what it is for.
 *
 * On submission that is a sign-in: set->signin_ms and LIMIT_SIGNIN_COMMANDS from the greeting on. Else it is an accepted message:
 * set->barren_ms since the last one, or since the greeting. Lines are looked at, data is not: net has a rate for it.
 */
#include "smtp/smtp_session.h"
#include "sys/clock.h"

static bool must_sign_in(const struct smtp_session *s)
{
	return s->env->kind == SMTP_KIND_SUBMISSION && !s->signed_in;
}

static int64_t until_ms(const struct smtp_session *s)
{
	return s->patience.since_ms + (must_sign_in(s) ? s->set->signin_ms : s->set->barren_ms);
}

void smtp_patience_init(struct smtp_session *s)
{
	s->patience.since_ms = clock_mono_ms();
}

/* A message was accepted: from then on there is time for the next. */
static void note_messages(struct smtp_session *s)
{
	if (s->messages == s->patience.messages)
		return;
	s->patience.messages = s->messages;
	s->patience.since_ms = clock_mono_ms();
}

const struct smtp_reply *smtp_patience_line(struct smtp_session *s)
{
	static const struct smtp_reply no_sign_in = { 421, "4.7.0", "Nobody signed in, connect again" };
	static const struct smtp_reply no_message = { 421, "4.4.2", "No message came for too long" };

	if (must_sign_in(s) && ++s->patience.commands > LIMIT_SIGNIN_COMMANDS)
		return &no_sign_in;
	if (clock_mono_ms() < until_ms(s))
		return NULL;
	return must_sign_in(s) ? &no_sign_in : &no_message;
}

unsigned smtp_patience_ms(struct smtp_session *s)
{
	int64_t left;

	note_messages(s);
	left = until_ms(s) - clock_mono_ms();
	return (unsigned)MIN(MAX(left, 1), (int64_t)s->set->timeout_ms);
}
