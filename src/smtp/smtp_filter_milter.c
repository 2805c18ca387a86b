/* smtp/smtp_filter_milter.c - one milter of one session: macros, and catching up to MAIL; see smtp_filter_int.h. */
#include <stdio.h>

#include "smtp/smtp_filter_int.h"

/* ---- macros ---- */

static struct str number(struct smtp_filter *f, unsigned which, unsigned value)
{
	snprintf(f->numbers[which], sizeof(f->numbers[which]), "%u", value);
	return str_of(f->numbers[which]);
}

static struct str macro_j(struct smtp_filter *f) { return f->s->set->hostname; }
static struct str macro_v(struct smtp_filter *f) { (void)f; return STR("Postrider " POSTRIDER_VERSION); }
static struct str macro_i(struct smtp_filter *f) { return f->s->tx.arena ? str_of(f->s->tx.id) : STR_NONE; }
static struct str macro_daemon(struct smtp_filter *f) { return f->s->env->kind == SMTP_KIND_SUBMISSION ? STR("submission") : STR("smtp"); }
static struct str macro_addr(struct smtp_filter *f) { return str_of(f->s->info->peer); }
static struct str macro_name(struct smtp_filter *f) { (void)f; return STR("unknown"); }
static struct str macro_port(struct smtp_filter *f) { return number(f, 0, f->s->info->peer_port); }
static struct str macro_if_addr(struct smtp_filter *f) { return f->s->info->local[0] ? str_of(f->s->info->local) : STR_NONE; }
static struct str macro_if_port(struct smtp_filter *f) { return number(f, 1, f->s->info->local_port); }
static struct str macro_tls(struct smtp_filter *f) { return f->s->info->tls ? str_of(f->s->info->tls_version) : STR_NONE; }
static struct str macro_cipher(struct smtp_filter *f) { return f->s->info->tls ? str_of(f->s->info->tls_cipher) : STR_NONE; }
static struct str macro_authen(struct smtp_filter *f) { return f->s->signed_in ? buf_str(&f->s->login) : STR_NONE; }
static struct str macro_mailer(struct smtp_filter *f) { (void)f; return STR("smtp"); }
static struct str macro_rcpt(struct smtp_filter *f) { return f->rcpt; }

static struct str macro_mail(struct smtp_filter *f)
{
	return !f->s->tx.arena ? STR_NONE : f->s->tx.from.n > 0 ? f->s->tx.from : STR("<>");
}

static struct str domain_of(struct str address)
{
	struct str local, domain;

	return str_rcut(address, '@', &local, &domain) ? domain : STR("");
}

static struct str macro_mail_host(struct smtp_filter *f) { return f->s->tx.arena ? domain_of(f->s->tx.from) : STR_NONE; }
static struct str macro_rcpt_host(struct smtp_filter *f) { return f->rcpt.n > 0 ? domain_of(f->rcpt) : STR_NONE; }

/* "unknown [192.0.2.1]": who the peer is, as far as it is known. */
static struct str macro_who(struct smtp_filter *f)
{
	snprintf(f->who, sizeof(f->who), "unknown [%s]", f->s->info->peer);
	return str_of(f->who);
}

/* A row: the macro, and where its value comes from. One that has none is not sent. */
static const struct {
	struct str name;
	struct str (*value)(struct smtp_filter *f);
} macros[] = {
	{ STR("j"), macro_j },
	{ STR("v"), macro_v },
	{ STR("i"), macro_i },
	{ STR("_"), macro_who },
	{ STR("{daemon_name}"), macro_daemon },
	{ STR("{daemon_addr}"), macro_if_addr },
	{ STR("{daemon_port}"), macro_if_port },
	{ STR("{client_addr}"), macro_addr },
	{ STR("{client_name}"), macro_name },
	{ STR("{client_ptr}"), macro_name },
	{ STR("{client_port}"), macro_port },
	{ STR("{if_addr}"), macro_if_addr },
	{ STR("{if_port}"), macro_if_port },
	{ STR("{tls_version}"), macro_tls },
	{ STR("{cipher}"), macro_cipher },
	{ STR("{auth_authen}"), macro_authen },
	{ STR("{mail_addr}"), macro_mail },
	{ STR("{mail_host}"), macro_mail_host },
	{ STR("{mail_mailer}"), macro_mailer },
	{ STR("{rcpt_addr}"), macro_rcpt },
	{ STR("{rcpt_host}"), macro_rcpt_host },
	{ STR("{rcpt_mailer}"), macro_mailer },
};

static struct str macro_value(void *ctx, struct str name)
{
	for (size_t i = 0; i < LEN(macros); i++)
		if (str_eq(macros[i].name, name))
			return macros[i].value(ctx);
	return STR_NONE;
}

struct milter_macros smtp_filter_macros(struct smtp_filter *f)
{
	return (struct milter_macros){ macro_value, f };
}

/* ---- up to MAIL ---- */

static struct milter_verdict connect_tell(struct smtp_filter *f, struct smtp_milter *m)
{
	const struct net_info *info = f->s->info;
	struct milter_verdict  v;
	int                    fd = -1;

	if (smtp_filter_connect(f->s, REMOTE_CONNECT_MILTER, m->index, m->m.conf, &fd) != ST_OK)
		return (struct milter_verdict){ .end = MILTER_FAILED, .why = "cannot be connected" };
	m->hello = 0;
	v = milter_open(&m->m, fd);
	if (v.end != MILTER_CONTINUE)
		return v;
	return milter_connect(&m->m, arena_printf(f->s->tx.arena, "[%s]", info->peer), str_of(info->peer), info->peer_port);
}

/* Names an EHLO: another one, and one behind STARTTLS, is told again. */
static uint64_t hello_mark(const struct smtp_session *s)
{
	return (str_hash(buf_str(&s->hello)) << 2) | (s->info->tls ? 3 : 1);
}

struct milter_verdict smtp_filter_mail_tell(struct smtp_filter *f, struct smtp_milter *m, struct str params)
{
	struct milter_verdict v = { .end = MILTER_CONTINUE };

	if (!milter_is_alive(&m->m))
		v = connect_tell(f, m);
	if (v.end == MILTER_CONTINUE && m->hello != hello_mark(f->s)) {
		m->hello = hello_mark(f->s);
		v = milter_helo(&m->m, buf_str(&f->s->hello));
	}
	/* What it says to these two holds for the session. */
	m->off = v.end == MILTER_ACCEPT;
	m->barred = v.end != MILTER_CONTINUE && v.end != MILTER_ACCEPT && v.end != MILTER_FAILED && v.end != MILTER_SHUTDOWN;
	return v.end == MILTER_CONTINUE ? milter_mail(&m->m, f->s->tx.from, params) : v;
}

struct str smtp_filter_params(struct str arg)
{
	bool   quoted = false;
	size_t i;

	for (i = 0; i < arg.n && (quoted || arg.p[i] != '>'); i++) {
		if (quoted && arg.p[i] == '\\')
			i++;
		else if (arg.p[i] == '"')
			quoted = !quoted;
	}
	return str_trim(str_from(arg, i + 1));
}
