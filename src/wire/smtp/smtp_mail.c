/* wire/smtp/smtp_mail.c - grammar and contract are in smtp_mail.h. */
#include "wire/smtp/smtp_mail.h"

#include "wire/address/address.h"
#include "wire/smtp/smtp_param.h"

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

static const struct {
	struct str      keyword;
	enum smtp_param bit;
	bool (*value)(struct str, struct smtp_mail *); /* NULL: none */
} params[] = {
	{ STR("SIZE"), SMTP_PARAM_SIZE, size_value },
	{ STR("BODY"), SMTP_PARAM_BODY, body_value },
	{ STR("SMTPUTF8"), SMTP_PARAM_SMTPUTF8, NULL },
	{ STR("AUTH"), SMTP_PARAM_AUTH, auth_value },
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
	err = path_check(&m);
	if (err == SMTP_MAIL_OK)
		*ret = m;
	return err;
}
