/* smtp/smtp_table.c - the two tables that the session is made of: commands and extensions. EHLO and HELP print from them. */
#include "base/log.h"
#include "smtp/smtp_session.h"
#include "wire/smtp/smtp_helo.h"
#include "wire/smtp/smtp_mail.h"
#include "wire/smtp/smtp_xclient.h"
#include "wire/text/text_date.h"

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

/* Which greeting it is, RFC 2033 §4.1. */
static const struct smtp_reply *hello_bar(const struct smtp_session *s)
{
	static const struct smtp_reply lmtp = { 500, "5.5.1", "This is LMTP: send LHLO" };

	return s->env->kind == SMTP_KIND_LMTP ? &lmtp : NULL;
}

static const struct smtp_reply *lhlo_bar(const struct smtp_session *s)
{
	static const struct smtp_reply smtp = { 500, "5.5.1", "This is not LMTP: send EHLO" };

	return s->env->kind != SMTP_KIND_LMTP ? &smtp : NULL;
}

static const struct smtp_reply *bdat_bar(const struct smtp_session *s)
{
	static const struct smtp_reply ehlo = { 503, "5.5.1", "BDAT is not offered to who has not sent EHLO" };
	const struct smtp_reply       *mail = mail_bar(s);

	return mail ? mail : !s->esmtp ? &ehlo : NULL;
}

static const struct smtp_reply *etrn_bar(const struct smtp_session *s)
{
	static const struct smtp_reply no = { 459, "4.7.1", "ETRN is for peers that signed in or are trusted" };

	return smtp_is_known(s) && s->env->kind != SMTP_KIND_LMTP ? NULL : &no;
}

static const struct smtp_reply *xclient_bar(const struct smtp_session *s)
{
	static const struct smtp_reply no = { 502, "5.5.1", "XCLIENT is not offered to this address" };
	static const struct smtp_reply late = { 503, "5.5.1", "XCLIENT comes before AUTH" };

	/* Once: a proxy may go on by passing the client's lines through, and the client is not to say who it is. In LMTP and behind the content
	 * filter no client is judged. */
	return !s->trusted || s->xclient || s->env->kind == SMTP_KIND_LMTP || s->env->kind == SMTP_KIND_REINJECT ? &no : s->signed_in ? &late : NULL;
}

/* ---- commands ---- */

#define NEW_   (1u << SMTP_STATE_NEW)
#define READY_ (1u << SMTP_STATE_READY)
#define MAIL_  (1u << SMTP_STATE_MAIL)
#define RCPT_  (1u << SMTP_STATE_RCPT)
#define BDAT_  (1u << SMTP_STATE_BDAT)
#define ANY_   (NEW_ | READY_ | MAIL_ | RCPT_ | BDAT_)

const struct smtp_command smtp_commands[] = {
	{ STR("EHLO"), smtp_cmd_ehlo, ANY_, SMTP_ARG_REQUIRED, SMTP_FLAG_LAST, hello_bar, "EHLO name", "RFC 5321 §4.1.1.1" },
	{ STR("HELO"), smtp_cmd_helo, ANY_, SMTP_ARG_REQUIRED, SMTP_FLAG_LAST, hello_bar, "HELO name", "RFC 5321 §4.1.1.1" },
	{ STR("LHLO"), smtp_cmd_ehlo, ANY_, SMTP_ARG_REQUIRED, SMTP_FLAG_LAST, lhlo_bar, "LHLO name", "RFC 2033 §4.1" },
	{ STR("MAIL"), smtp_cmd_mail, READY_, SMTP_ARG_REQUIRED, 0, mail_bar, "MAIL FROM:<address> [parameters]",
	  "RFC 5321 §4.1.1.2" },
	{ STR("RCPT"), smtp_cmd_rcpt, MAIL_ | RCPT_, SMTP_ARG_REQUIRED, SMTP_FLAG_UNCOUNTED, mail_bar,
	  "RCPT TO:<address> [parameters]", "RFC 5321 §4.1.1.3" },
	{ STR("DATA"), smtp_cmd_data, RCPT_, SMTP_ARG_NONE, SMTP_FLAG_LAST, mail_bar, "DATA", "RFC 5321 §4.1.1.4" },
	{ STR("BDAT"), smtp_cmd_bdat, RCPT_ | BDAT_, SMTP_ARG_ANY, SMTP_FLAG_OCTETS, bdat_bar, "BDAT octets [LAST]",
	  "RFC 3030 §2" },
	{ STR("RSET"), smtp_cmd_rset, ANY_, SMTP_ARG_NONE, 0, NULL, "RSET", "RFC 5321 §4.1.1.5" },
	{ STR("NOOP"), smtp_cmd_noop, ANY_, SMTP_ARG_ANY, 0, NULL, "NOOP", "RFC 5321 §4.1.1.9" },
	{ STR("VRFY"), smtp_cmd_vrfy, ANY_, SMTP_ARG_REQUIRED, 0, mail_bar, "VRFY name", "RFC 5321 §4.1.1.6" },
	{ STR("HELP"), smtp_cmd_help, ANY_, SMTP_ARG_ANY, 0, NULL, "HELP [command]", "RFC 5321 §4.1.1.8" },
	{ STR("QUIT"), smtp_cmd_quit, ANY_, SMTP_ARG_NONE, 0, NULL, "QUIT", "RFC 5321 §4.1.1.10" },
	{ STR("STARTTLS"), smtp_cmd_starttls, READY_, SMTP_ARG_NONE, SMTP_FLAG_LAST, starttls_bar, "STARTTLS",
	  "RFC 3207 §4" },
	{ STR("AUTH"), smtp_cmd_auth, READY_, SMTP_ARG_REQUIRED, SMTP_FLAG_LAST | SMTP_FLAG_LONG, auth_bar,
	  "AUTH mechanism [initial-response]", "RFC 4954 §4" },
	{ STR("ETRN"), smtp_cmd_etrn, READY_, SMTP_ARG_REQUIRED, 0, etrn_bar, "ETRN domain", "RFC 1985 §5" },
	{ STR("XCLIENT"), smtp_cmd_xclient, NEW_ | READY_, SMTP_ARG_REQUIRED, SMTP_FLAG_LAST, xclient_bar,
	  "XCLIENT attribute=value ...", "Postfix XCLIENT_README" },
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

static bool in_tls(const struct smtp_session *s)
{
	return s->info->tls;
}

static bool is_submission(const struct smtp_session *s)
{
	return s->env->kind == SMTP_KIND_SUBMISSION;
}

static bool etrn_offered(const struct smtp_session *s)
{
	return !etrn_bar(s);
}

static bool xclient_offered(const struct smtp_session *s)
{
	return !xclient_bar(s);
}

/* No MAILMAX: a session may send as many messages as it likes. */
static void limits_value(const struct smtp_session *s, struct buf *out)
{
	buf_addf(out, " RCPTMAX=%zu", s->set->rcpts);
}

static void by_value(const struct smtp_session *s, struct buf *out)
{
	(void)s;
	buf_addf(out, " %u", LIMIT_SMTP_BY_MIN_S);
}

/* RFC 4865 §3: the longest interval, then the last moment. */
static void hold_value(const struct smtp_session *s, struct buf *out)
{
	buf_addf(out, " %u ", LIMIT_SMTP_HOLD_S);
	text_rfc3339_write(s->env->ask->now_ms(s->env->ask_ctx) + (int64_t)LIMIT_SMTP_HOLD_S * 1000, out);
}

static void xclient_value(const struct smtp_session *s, struct buf *out)
{
	(void)s;
	buf_add(out, STR(" " SMTP_XCLIENT_ATTRIBUTES));
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
	{ "CHUNKING", 0, NULL, NULL, "RFC 3030" },
	{ "DSN", SMTP_PARAM_DSN, NULL, NULL, "RFC 3461" },
	{ "LIMITS", 0, NULL, limits_value, "RFC 9422" },
	{ "REQUIRETLS", SMTP_PARAM_REQUIRETLS, in_tls, NULL, "RFC 8689" },
	{ "DELIVERBY", SMTP_PARAM_BY, NULL, by_value, "RFC 2852" },
	{ "FUTURERELEASE", SMTP_PARAM_HOLD, is_submission, hold_value, "RFC 4865" },
	{ "MT-PRIORITY", SMTP_PARAM_PRIORITY, NULL, NULL, "RFC 6710" },
	{ "ETRN", 0, etrn_offered, NULL, "RFC 1985" },
	{ "XCLIENT", 0, xclient_offered, xclient_value, "Postfix XCLIENT_README" },
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
