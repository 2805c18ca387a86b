/* wire/smtp/smtp_xclient.c - grammar and contract are in smtp_xclient.h. */
#include "wire/smtp/smtp_xclient.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "wire/smtp/smtp_xtext.h"

/* Each gets the decoded value and returns false if it is none. */
static bool keep(struct str v, char *ret)
{
	return str_to_c(v, ret, LIMIT_XCLIENT + 1);
}

static bool name_value(struct str v, struct smtp_xclient *x)
{
	return keep(v, x->name);
}

static bool helo_value(struct str v, struct smtp_xclient *x)
{
	return keep(v, x->helo);
}

static bool login_value(struct str v, struct smtp_xclient *x)
{
	return keep(v, x->login);
}

static bool address_parse(struct str v, char ret[static LIMIT_IP_TEXT])
{
	int           family = str_skip(&v, STR("IPV6:")) ? AF_INET6 : AF_INET;
	char          text[INET6_ADDRSTRLEN];
	unsigned char octets[16];

	return str_to_c(v, text, sizeof(text)) && inet_pton(family, text, octets) == 1 &&
	       inet_ntop(family, octets, ret, LIMIT_IP_TEXT);
}

static bool addr_value(struct str v, struct smtp_xclient *x)
{
	return address_parse(v, x->address);
}

static bool dest_addr_value(struct str v, struct smtp_xclient *x)
{
	char text[LIMIT_IP_TEXT];

	(void)x;
	return address_parse(v, text);
}

static bool port_parse(struct str v, uint16_t *ret)
{
	uint32_t port;

	if (v.n > 5 || !str_to_u32(v, &port) || port > UINT16_MAX)
		return false;
	*ret = (uint16_t)port;
	return true;
}

static bool port_value(struct str v, struct smtp_xclient *x)
{
	return port_parse(v, &x->port);
}

static bool dest_port_value(struct str v, struct smtp_xclient *x)
{
	(void)x;
	return port_parse(v, &(uint16_t){ 0 });
}

static bool proto_value(struct str v, struct smtp_xclient *x)
{
	(void)x;
	return str_ieq(v, STR("SMTP")) || str_ieq(v, STR("ESMTP"));
}

/* In the order of SMTP_XCLIENT_ATTRIBUTES. */
static const struct {
	struct str            name;
	enum smtp_xclient_bit bit;
	bool (*value)(struct str, struct smtp_xclient *);
} attributes[] = {
	{ STR("NAME"), SMTP_XCLIENT_NAME, name_value },
	{ STR("ADDR"), SMTP_XCLIENT_ADDR, addr_value },
	{ STR("PORT"), SMTP_XCLIENT_PORT, port_value },
	{ STR("PROTO"), SMTP_XCLIENT_PROTO, proto_value },
	{ STR("HELO"), SMTP_XCLIENT_HELO, helo_value },
	{ STR("LOGIN"), SMTP_XCLIENT_LOGIN, login_value },
	{ STR("DESTADDR"), SMTP_XCLIENT_DESTADDR, dest_addr_value },
	{ STR("DESTPORT"), SMTP_XCLIENT_DESTPORT, dest_port_value },
};

static bool attribute(struct str word, struct smtp_xclient *x)
{
	char       text[LIMIT_XCLIENT];
	struct buf b = { .p = text, .cap = sizeof(text), .max = sizeof(text) };
	struct str name, value;

	if (!str_cut(word, '=', &name, &value))
		return false;
	for (size_t i = 0; i < LEN(attributes); i++) {
		if (!str_ieq(name, attributes[i].name))
			continue;
		if (x->given & attributes[i].bit)
			return false;
		x->given |= attributes[i].bit;
		if (str_ieq(value, STR("[UNAVAILABLE]")) || str_ieq(value, STR("[TEMPUNAVAIL]")))
			return true;
		x->known |= attributes[i].bit;
		return smtp_xtext_decode(value, &b) && !b.over && attributes[i].value(buf_str(&b), x);
	}
	return false;
}

bool smtp_xclient_parse(struct str arg, struct smtp_xclient *ret)
{
	struct str word;
	bool       more = true;

	memset(ret, 0, sizeof(*ret));
	while (more) {
		more = str_cut(arg, ' ', &word, &arg);
		if (!attribute(word, ret))
			return false;
	}
	return true;
}
