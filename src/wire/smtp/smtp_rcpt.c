/* wire/smtp/smtp_rcpt.c - grammar and contract are in smtp_rcpt.h. */
#include "wire/smtp/smtp_rcpt.h"

#include "wire/address/address.h"
#include "wire/smtp/smtp_param.h"
#include "wire/smtp/smtp_xtext.h"

static unsigned notify_word(struct str word)
{
	static const struct {
		struct str       word;
		enum smtp_notify bit;
	} words[] = {
		{ STR("NEVER"), SMTP_NOTIFY_NEVER },
		{ STR("SUCCESS"), SMTP_NOTIFY_SUCCESS },
		{ STR("FAILURE"), SMTP_NOTIFY_FAILURE },
		{ STR("DELAY"), SMTP_NOTIFY_DELAY },
	};

	for (size_t i = 0; i < LEN(words); i++)
		if (str_ieq(word, words[i].word))
			return words[i].bit;
	return 0;
}

/* Each returns false if the value is outside its parameter's grammar. */
static bool notify_value(struct str v, bool utf8, struct smtp_rcpt *r)
{
	struct str word;
	bool       more = true;

	(void)utf8;
	while (more) {
		unsigned bit;

		more = str_cut(v, ',', &word, &v);
		bit = notify_word(word);
		if (bit == 0 || (r->notify & bit))
			return false;
		r->notify |= bit;
	}
	return !(r->notify & SMTP_NOTIFY_NEVER) || r->notify == SMTP_NOTIFY_NEVER;
}

static bool orcpt_value(struct str v, bool utf8, struct smtp_rcpt *r)
{
	r->orcpt = v;
	return v.n <= SMTP_ORCPT_MAX && smtp_orcpt_decode(v, utf8, NULL);
}

static const struct {
	struct str      keyword;
	enum smtp_param bit;
	bool (*value)(struct str, bool utf8, struct smtp_rcpt *);
} params[] = {
	{ STR("NOTIFY"), SMTP_PARAM_NOTIFY, notify_value },
	{ STR("ORCPT"), SMTP_PARAM_ORCPT, orcpt_value },
};

static enum smtp_rcpt_err param_apply(const struct smtp_param_text *p, unsigned announced, bool utf8, struct smtp_rcpt *r)
{
	for (size_t i = 0; i < LEN(params); i++) {
		if (!(announced & params[i].bit) || !str_ieq(p->keyword, params[i].keyword))
			continue;
		if ((r->given & params[i].bit) || !p->has_value)
			return SMTP_RCPT_VALUE;
		r->given |= params[i].bit;
		return params[i].value(p->value, utf8, r) ? SMTP_RCPT_OK : SMTP_RCPT_VALUE;
	}
	return SMTP_RCPT_UNKNOWN;
}

static enum smtp_rcpt_err path_check(struct smtp_rcpt *r, bool utf8)
{
	struct address a;

	r->postmaster = str_ieq(r->path, STR("Postmaster"));
	if (r->postmaster)
		return SMTP_RCPT_OK;
	switch (address_parse(r->path, utf8, &a)) {
	case ADDRESS_OK: return SMTP_RCPT_OK;
	case ADDRESS_UTF8: return SMTP_RCPT_UTF8;
	default: return SMTP_RCPT_ADDRESS;
	}
}

enum smtp_rcpt_err smtp_rcpt_parse(struct str arg, unsigned announced, bool utf8, bool lenient_space, struct smtp_rcpt *ret)
{
	struct smtp_rcpt   r = { 0 };
	enum smtp_rcpt_err err;

	if (!str_skip(&arg, STR("TO:")))
		return SMTP_RCPT_SYNTAX;
	while (lenient_space && str_skip_char(&arg, ' '))
		continue;
	if (!smtp_path_take(&arg, &r.path))
		return SMTP_RCPT_SYNTAX;
	while (arg.n > 0) {
		struct smtp_param_text param;

		if (!smtp_param_take(&arg, &param))
			return SMTP_RCPT_SYNTAX;
		err = param_apply(&param, announced, utf8, &r);
		if (err != SMTP_RCPT_OK)
			return err;
	}
	err = path_check(&r, utf8);
	if (err == SMTP_RCPT_OK)
		*ret = r;
	return err;
}
