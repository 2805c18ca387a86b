/* smtp/smtp_trace.c - what a session adds to the trace. One that says ever more is cut off: LIMIT_TRACE_SESSION. */
#include "smtp/smtp_session.h"

static void tell(const struct smtp_env *env, const struct trace_event *e)
{
	env->ask->trace(env->ask_ctx, e);
}

void smtp_trace(struct smtp_session *s, enum trace_what what, struct str from, struct str to, const struct smtp_reply *r, struct str text)
{
	char       line[LIMIT_TRACE_TEXT];
	struct buf b = { .p = line, .cap = sizeof(line), .max = sizeof(line) - 1 };

	if (s->traced >= LIMIT_TRACE_SESSION && what != TRACE_ENDED)
		return;
	if (++s->traced == LIMIT_TRACE_SESSION && what != TRACE_ENDED) {
		what = TRACE_NOTE;
		text = STR("much more of this session is not told");
	}
	if (text.n == 0 && r) {
		if (r->enhanced)
			buf_addf(&b, "%s ", r->enhanced);
		buf_add(&b, str_of(r->text));
		text = buf_str(&b);
	}
	tell(s->env, &(struct trace_event){
		.at_ms = s->env->ask->now_ms(s->env->ask_ctx),
		.what = what,
		.session = str_of(s->info->id),
		.peer = str_of(s->info->peer),
		.from = from,
		.to = to,
		.code = r ? r->code : 0,
		.octets = s->tx.content.peer_octets,
		.text = text,
	});
}

static const char *const kind_names[] = {
	[SMTP_KIND_RELAY] = "smtp", [SMTP_KIND_SUBMISSION] = "submission", [SMTP_KIND_LMTP] = "lmtp", [SMTP_KIND_REINJECT] = "reinject",
};

void smtp_trace_connected(struct smtp_session *s)
{
	smtp_trace(s, TRACE_CONNECTED, STR_NONE, STR_NONE, NULL, str_of(kind_names[s->env->kind]));
}

void smtp_trace_ended(struct smtp_session *s)
{
	char       line[LIMIT_TRACE_TEXT];
	struct buf b = { .p = line, .cap = sizeof(line), .max = sizeof(line) - 1 };

	buf_addf(&b, "%s; %u accepted, %u refused", s->ending, s->messages, s->refused);
	if (s->rcpts_refused > 0)
		buf_addf(&b, ", %u recipients refused", s->rcpts_refused);
	if (s->info->tls)
		buf_addf(&b, "; %s", s->info->tls_version);
	if (s->hello.n > 0)
		buf_addf(&b, "; helo %.*s", STR_FMT(buf_str(&s->hello)));
	smtp_trace(s, TRACE_ENDED, buf_str(&s->login), STR_NONE, NULL, buf_str(&b));
}

/* Before there is a session. A flood of them is the very thing that is refused: it must not fill the trace. */
void smtp_trace_turned_away(void *ctx, const struct net_info *info)
{
	struct smtp_env *env = ctx;
	int64_t          now_ms = env->ask->now_ms(env->ask_ctx), window = atomic_load(&env->away_since_ms);

	if (now_ms - window >= 1000 || now_ms < window) {
		atomic_store(&env->away_since_ms, now_ms);
		atomic_store(&env->away_told, 0);
	}
	if (atomic_fetch_add(&env->away_told, 1) >= LIMIT_TRACE_AWAY)
		return;
	tell(env, &(struct trace_event){
		.at_ms = now_ms,
		.what = TRACE_TURNED_AWAY,
		.session = str_of(info->id),
		.peer = str_of(info->peer),
		.text = STR("too many connections of this address or network, or in all"),
	});
}
