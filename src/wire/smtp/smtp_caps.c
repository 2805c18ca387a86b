/* wire/smtp/smtp_caps.c - grammar and contract are in smtp_caps.h. */
#include "wire/smtp/smtp_caps.h"

static const struct {
	struct str    keyword;
	enum smtp_cap bit;
} caps[] = {
	{ STR("STARTTLS"), SMTP_CAP_STARTTLS }, { STR("PIPELINING"), SMTP_CAP_PIPELINING },
	{ STR("SIZE"), SMTP_CAP_SIZE },         { STR("8BITMIME"), SMTP_CAP_8BITMIME },
	{ STR("SMTPUTF8"), SMTP_CAP_SMTPUTF8 }, { STR("DSN"), SMTP_CAP_DSN },
	{ STR("DELIVERBY"), SMTP_CAP_DELIVERBY }, { STR("MT-PRIORITY"), SMTP_CAP_MT_PRIORITY },
	{ STR("REQUIRETLS"), SMTP_CAP_REQUIRETLS }, { STR("CHUNKING"), SMTP_CAP_CHUNKING },
	{ STR("LIMITS"), SMTP_CAP_LIMITS },       { STR("AUTH"), SMTP_CAP_AUTH },
};

/* RFC 9422 §4: "NAME=value"; numbers have one to six digits and are not 0. What is unknown or malformed counts as not told. */
static void limits_take(struct str params, struct smtp_caps *c)
{
	struct str param, name, value;
	uint32_t   number;

	while (params.n > 0) {
		str_cut(params, ' ', &param, &params);
		if (!str_cut(param, '=', &name, &value) || value.n > 6 || !str_to_u32(value, &number) || number == 0)
			continue;
		if (str_ieq(name, STR("MAILMAX")))
			c->mail_max = number;
		else if (str_ieq(name, STR("RCPTMAX")))
			c->rcpt_max = number;
		else if (str_ieq(name, STR("RCPTDOMAINMAX")))
			c->rcpt_domain_max = number;
	}
}

static void keyword_line(struct str line, struct smtp_caps *c)
{
	struct str keyword, param, params, rest;
	uint64_t   number = 0;

	str_cut(line, ' ', &keyword, &rest);
	if (str_ieq(keyword, STR("LIMITS")))
		limits_take(rest, c);
	params = str_trim(rest);
	str_cut(params, ' ', &param, &rest);
	for (size_t i = 0; i < LEN(caps); i++) {
		if (!str_ieq(keyword, caps[i].keyword))
			continue;
		/* RFC 1870 §4, RFC 2852 §2: the parameter is optional; of SIZE 0 says that no limit is in force. */
		if ((caps[i].bit & (SMTP_CAP_SIZE | SMTP_CAP_DELIVERBY)) && param.n > 0 && !str_to_u64(param, &number))
			return;
		if (caps[i].bit == SMTP_CAP_SIZE)
			c->size_octets = number;
		if (caps[i].bit == SMTP_CAP_DELIVERBY)
			c->by_min_s = number;
		if (caps[i].bit == SMTP_CAP_AUTH)
			c->auth |= sasl_offer_parse(params);
		c->offered |= caps[i].bit;
	}
}

void smtp_caps_parse(struct str text, struct smtp_caps *ret)
{
	struct smtp_caps c = { 0 };
	struct str       line, rest;

	str_cut(text, '\n', &line, &text);
	str_cut(line, ' ', &c.name, &rest);
	while (text.n > 0) {
		str_cut(text, '\n', &line, &text);
		keyword_line(str_trim_ws(line), &c);
	}
	*ret = c;
}
