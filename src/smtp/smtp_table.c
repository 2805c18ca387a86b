/* smtp/smtp_table.c - the two tables that the session is made of: commands and extensions. EHLO and HELP print from them. */
#include "base/log.h"
#include "smtp/smtp_session.h"
#include "wire/smtp/smtp_helo.h"
#include "wire/smtp/smtp_mail.h"

/* ---- bars: why a command is not for this session now ---- */

static const struct smtp_reply *starttls_bar(const struct smtp_session *s)
{
	static const struct smtp_reply active = { 503, "5.5.1", "TLS is active already" };
	static const struct smtp_reply none = { 502, "5.5.1", "STARTTLS is not offered here" };
	static const struct smtp_reply late = { 503, "5.5.1", "STARTTLS comes before AUTH" };

	if (s->info->tls)
		return &active;
	if (!net_tls_possible(s->conn))
		return &none;
	return s->signed_in ? &late : NULL;
}

static const struct smtp_reply *auth_bar(const struct smtp_session *s)
{
	static const struct smtp_reply none = { 502, "5.5.1", "AUTH is not offered here" };
	static const struct smtp_reply twice = { 503, "5.5.1", "Already signed in" };
	static const struct smtp_reply clear = { 538, "5.7.11", "Sign-in needs TLS: send STARTTLS first" };

	if (s->env->kind != SMTP_KIND_SUBMISSION)
		return &none;
	if (s->signed_in)
		return &twice;
	return smtp_auth_offered(s) ? NULL : &clear;
}

static const struct smtp_reply *mail_bar(const struct smtp_session *s)
{
	static const struct smtp_reply sign_in = { 530, "5.7.0", "Sign in first" };

	return s->env->kind == SMTP_KIND_SUBMISSION && !s->signed_in ? &sign_in : NULL;
}

/* ---- commands ---- */

#define NEW_   (1u << SMTP_STATE_NEW)
#define READY_ (1u << SMTP_STATE_READY)
#define MAIL_  (1u << SMTP_STATE_MAIL)
#define RCPT_  (1u << SMTP_STATE_RCPT)
#define ANY_   (NEW_ | READY_ | MAIL_ | RCPT_)

const struct smtp_command smtp_commands[] = {
	{ STR("EHLO"), smtp_cmd_ehlo, ANY_, SMTP_ARG_REQUIRED, SMTP_FLAG_LAST, NULL, "EHLO name", "RFC 5321 §4.1.1.1" },
	{ STR("HELO"), smtp_cmd_helo, ANY_, SMTP_ARG_REQUIRED, SMTP_FLAG_LAST, NULL, "HELO name", "RFC 5321 §4.1.1.1" },
	{ STR("MAIL"), smtp_cmd_mail, READY_, SMTP_ARG_REQUIRED, 0, mail_bar, "MAIL FROM:<address> [parameters]",
	  "RFC 5321 §4.1.1.2" },
	{ STR("RCPT"), smtp_cmd_rcpt, MAIL_ | RCPT_, SMTP_ARG_REQUIRED, SMTP_FLAG_UNCOUNTED, mail_bar,
	  "RCPT TO:<address>", "RFC 5321 §4.1.1.3" },
	{ STR("DATA"), smtp_cmd_data, RCPT_, SMTP_ARG_NONE, SMTP_FLAG_LAST, mail_bar, "DATA", "RFC 5321 §4.1.1.4" },
	{ STR("RSET"), smtp_cmd_rset, ANY_, SMTP_ARG_NONE, 0, NULL, "RSET", "RFC 5321 §4.1.1.5" },
	{ STR("NOOP"), smtp_cmd_noop, ANY_, SMTP_ARG_ANY, 0, NULL, "NOOP", "RFC 5321 §4.1.1.9" },
	{ STR("VRFY"), smtp_cmd_vrfy, ANY_, SMTP_ARG_REQUIRED, 0, mail_bar, "VRFY name", "RFC 5321 §4.1.1.6" },
	{ STR("HELP"), smtp_cmd_help, ANY_, SMTP_ARG_ANY, 0, NULL, "HELP [command]", "RFC 5321 §4.1.1.8" },
	{ STR("QUIT"), smtp_cmd_quit, ANY_, SMTP_ARG_NONE, 0, NULL, "QUIT", "RFC 5321 §4.1.1.10" },
	{ STR("STARTTLS"), smtp_cmd_starttls, READY_, SMTP_ARG_NONE, SMTP_FLAG_LAST, starttls_bar, "STARTTLS",
	  "RFC 3207 §4" },
	{ STR("AUTH"), smtp_cmd_auth, READY_, SMTP_ARG_REQUIRED, SMTP_FLAG_LAST | SMTP_FLAG_LONG, auth_bar,
	  "AUTH mechanism [initial-response]", "RFC 4954 §4" },
};
const size_t smtp_command_count = LEN(smtp_commands);

const struct smtp_command *smtp_command_find(struct str verb)
{
	for (size_t i = 0; i < LEN(smtp_commands); i++)
		if (str_ieq(smtp_commands[i].verb, verb))
			return &smtp_commands[i];
	return NULL;
}

/* ---- extensions ---- */

static bool starttls_offered(const struct smtp_session *s)
{
	return !starttls_bar(s);
}

static void size_value(const struct smtp_session *s, struct buf *out)
{
	buf_add_char(out, ' ');
	buf_add_u64(out, s->set->message_octets);
}

static void auth_value(const struct smtp_session *s, struct buf *out)
{
	smtp_auth_mechanisms(s, out);
}

const struct smtp_extension smtp_extensions[] = {
	{ "PIPELINING", 0, NULL, NULL, "RFC 2920" },
	{ "SIZE", SMTP_PARAM_SIZE, NULL, size_value, "RFC 1870" },
	{ "8BITMIME", SMTP_PARAM_BODY, NULL, NULL, "RFC 6152" },
	{ "SMTPUTF8", SMTP_PARAM_SMTPUTF8, NULL, NULL, "RFC 6531" },
	{ "STARTTLS", 0, starttls_offered, NULL, "RFC 3207" },
	{ "AUTH", SMTP_PARAM_AUTH, smtp_auth_offered, auth_value, "RFC 4954" },
	{ "ENHANCEDSTATUSCODES", 0, NULL, NULL, "RFC 2034" },
};
const size_t smtp_extension_count = LEN(smtp_extensions);

unsigned smtp_announced(const struct smtp_session *s)
{
	unsigned mask = 0;

	for (size_t i = 0; s->esmtp && i < LEN(smtp_extensions); i++)
		if (!smtp_extensions[i].offered || smtp_extensions[i].offered(s))
			mask |= smtp_extensions[i].param;
	return mask;
}
