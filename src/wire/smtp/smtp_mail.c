/* wire/smtp/smtp_mail.c - grammar and contract are in smtp_mail.h. */
#include "wire/smtp/smtp_mail.h"

#include "base/limits.h"
#include "wire/address/address.h"
#include "wire/smtp/smtp_param.h"
#include "wire/smtp/smtp_xtext.h"
#include "wire/text/text_date.h"

/* Each returns false if the value is outside its parameter's grammar. */
static bool size_value(struct str v, struct smtp_mail *m)
{
	return v.n <= 20 && str_to_u64(v, &m->size_octets); /* 1*20DIGIT */
}

static bool body_value(struct str v, struct smtp_mail *m)
{
	m->body_8bit = str_ieq(v, STR("8BITMIME"));
	return m->body_8bit || str_ieq(v, STR("7BIT"));
}

static bool auth_value(struct str v, struct smtp_mail *m)
{
	(void)m;
	return smtp_xtext_valid(v); /* "<>" is xtext as well */
}

static bool ret_value(struct str v, struct smtp_mail *m)
{
	m->ret_hdrs = str_ieq(v, STR("HDRS"));
	return m->ret_hdrs || str_ieq(v, STR("FULL"));
}

static bool envid_value(struct str v, struct smtp_mail *m)
{
	m->envid = v;
	return v.n <= LIMIT_ENVID && smtp_xtext_decode(v, NULL);
}

static bool by_value(struct str v, struct smtp_mail *m)
{
	bool       minus = str_skip_char(&v, '-');
	struct str time, mode;
	uint32_t   s;

	if (!minus)
		(void)str_skip_char(&v, '+');
	if (!str_cut(v, ';', &time, &mode) || time.n > 9 || !str_to_u32(time, &s))
		return false;
	m->by_s = minus ? -(int64_t)s : (int64_t)s;
	m->by_notify = str_skip(&mode, STR("N"));
	if (!m->by_notify && !str_skip(&mode, STR("R")))
		return false;
	m->by_trace = str_skip(&mode, STR("T"));
	return mode.n == 0 && (m->by_notify || m->by_s > 0);
}

static bool hold_for_value(struct str v, struct smtp_mail *m)
{
	return v.n <= 9 && str_to_u32(v, &m->hold_for_s);
}

static bool hold_until_value(struct str v, struct smtp_mail *m)
{
	return text_rfc3339_parse(v, &m->hold_until_ms);
}

static bool priority_value(struct str v, struct smtp_mail *m)
{
	bool minus = str_skip_char(&v, '-');

	if (v.n != 1 || !ascii_is_digit(v.p[0]) || (minus && v.p[0] == '0'))
		return false;
	m->priority = minus ? '0' - v.p[0] : v.p[0] - '0';
	return true;
}

static const struct {
	struct str      keyword;
	enum smtp_param bit;
	bool (*value)(struct str, struct smtp_mail *); /* NULL: none */
} params[] = {
	{ STR("SIZE"), SMTP_PARAM_SIZE, size_value },
	{ STR("BODY"), SMTP_PARAM_BODY, body_value },
	{ STR("SMTPUTF8"), SMTP_PARAM_SMTPUTF8, NULL },
	{ STR("AUTH"), SMTP_PARAM_AUTH, auth_value },
	{ STR("RET"), SMTP_PARAM_RET, ret_value },
	{ STR("ENVID"), SMTP_PARAM_ENVID, envid_value },
	{ STR("REQUIRETLS"), SMTP_PARAM_REQUIRETLS, NULL },
	{ STR("BY"), SMTP_PARAM_BY, by_value },
	{ STR("HOLDFOR"), SMTP_PARAM_HOLDFOR, hold_for_value },
	{ STR("HOLDUNTIL"), SMTP_PARAM_HOLDUNTIL, hold_until_value },
	{ STR("MT-PRIORITY"), SMTP_PARAM_PRIORITY, priority_value },
};

static enum smtp_mail_err param_apply(const struct smtp_param_text *p, unsigned announced, struct smtp_mail *m)
{
	for (size_t i = 0; i < LEN(params); i++) {
		if (!(announced & params[i].bit) || !str_ieq(p->keyword, params[i].keyword))
			continue;
		if ((m->given & params[i].bit) || p->has_value != !!params[i].value)
			return SMTP_MAIL_VALUE;
		m->given |= params[i].bit;
		return !p->has_value || params[i].value(p->value, m) ? SMTP_MAIL_OK : SMTP_MAIL_VALUE;
	}
	return SMTP_MAIL_UNKNOWN;
}

static enum smtp_mail_err path_check(const struct smtp_mail *m)
{
	struct address a;

	if (m->path.n == 0)
		return SMTP_MAIL_OK;
	switch (address_parse(m->path, m->given & SMTP_PARAM_SMTPUTF8, &a)) {
	case ADDRESS_OK: return SMTP_MAIL_OK;
	case ADDRESS_UTF8: return SMTP_MAIL_UTF8;
	default: return SMTP_MAIL_ADDRESS;
	}
}

enum smtp_mail_err smtp_mail_parse(struct str arg, unsigned announced, bool lenient_space, struct smtp_mail *ret)
{
	struct smtp_mail   m = { 0 };
	enum smtp_mail_err err;

	if (!str_skip(&arg, STR("FROM:")))
		return SMTP_MAIL_SYNTAX;
	while (lenient_space && str_skip_char(&arg, ' '))
		continue;
	if (!smtp_path_take(&arg, &m.path))
		return SMTP_MAIL_SYNTAX;
	while (arg.n > 0) {
		struct smtp_param_text param;

		if (!smtp_param_take(&arg, &param))
			return SMTP_MAIL_SYNTAX;
		err = param_apply(&param, announced, &m);
		if (err != SMTP_MAIL_OK)
			return err;
	}
	if ((m.given & SMTP_PARAM_HOLD) == SMTP_PARAM_HOLD)
		return SMTP_MAIL_VALUE;
	err = path_check(&m);
	if (err == SMTP_MAIL_OK)
		*ret = m;
	return err;
}
