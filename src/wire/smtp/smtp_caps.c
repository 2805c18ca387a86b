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
	{ STR("REQUIRETLS"), SMTP_CAP_REQUIRETLS }, { STR("AUTH"), SMTP_CAP_AUTH },
};

static void keyword_line(struct str line, struct smtp_caps *c)
{
	struct str keyword, param, params, rest;
	uint64_t   number = 0;

	str_cut(line, ' ', &keyword, &rest);
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
