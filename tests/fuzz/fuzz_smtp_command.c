/* tests/fuzz/fuzz_smtp_command.c - the parsers of wire/smtp and wire/sasl that see what a stranger sends.
 *
 * The first octet chooses switches, the rest is one line. What a parser accepts must hold what its header promises.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "wire/address/address.h"
#include "wire/sasl/sasl_plain.h"
#include "wire/smtp/smtp_helo.h"
#include "wire/smtp/smtp_mail.h"
#include "wire/smtp/smtp_param.h"
#include "wire/smtp/smtp_rcpt.h"
#include "wire/smtp/smtp_reply.h"
#include "wire/smtp/smtp_verb.h"
#include "wire/smtp/smtp_xclient.h"
#include "wire/smtp/smtp_xtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct str part, struct str whole)
{
	return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static bool printable(struct str s)
{
	return s.n > 0 && !str_has_ctl(s) && str_is_utf8(s);
}

static void check_xclient(struct str arg)
{
	struct smtp_xclient x;

	if (!smtp_xclient_parse(arg, &x))
		return;
	CHECK(x.given != 0 && (x.known & ~x.given) == 0);
	CHECK(!str_has_ctl(str_of(x.name)) && !str_has_ctl(str_of(x.helo)) && !str_has_ctl(str_of(x.login)));
	CHECK(!(x.known & SMTP_XCLIENT_ADDR) || x.address[0]);
}

static void check_helo(struct str arg, bool lenient)
{
	if (!smtp_helo_valid(arg, lenient))
		return;
	CHECK(arg.n > 0 && arg.n <= LIMIT_DOMAIN && str_is_ascii(arg) && !str_has_ctl(arg));
	for (size_t i = 0; i < arg.n; i++)
		CHECK(str_find(STR(" ()<>;,\"\\"), arg.p[i]) < 0); /* it goes into Received as it is */
}

static void check_mail(struct str arg, unsigned announced, bool lenient)
{
	struct smtp_mail m;
	struct address   a;
	char             text[LIMIT_ENVID];
	struct buf       b = { .p = text, .cap = sizeof(text), .max = sizeof(text) };

	if (smtp_mail_parse(arg, announced, lenient, &m) != SMTP_MAIL_OK)
		return;
	CHECK(inside(m.path, arg) && (m.given & ~announced) == 0);
	CHECK(m.path.n == 0 || address_parse(m.path, m.given & SMTP_PARAM_SMTPUTF8, &a) == ADDRESS_OK);
	CHECK(m.size_octets == 0 || (m.given & SMTP_PARAM_SIZE));
	CHECK(!(m.given & SMTP_PARAM_ENVID) || (smtp_xtext_decode(m.envid, &b) && printable(buf_str(&b)) && str_is_ascii(buf_str(&b))));
	CHECK((m.given & SMTP_PARAM_HOLD) != SMTP_PARAM_HOLD && m.priority >= -9 && m.priority <= 9);
	CHECK(!(m.given & SMTP_PARAM_BY) || m.by_notify || m.by_s > 0);
}

static void check_rcpt(struct str arg, unsigned announced, bool utf8, bool lenient)
{
	struct smtp_rcpt r;
	struct address   a;
	char             text[LIMIT_ORCPT];
	struct buf       b = { .p = text, .cap = sizeof(text), .max = sizeof(text) };

	if (smtp_rcpt_parse(arg, announced, utf8, lenient, &r) != SMTP_RCPT_OK)
		return;
	CHECK(inside(r.path, arg) && inside(r.orcpt, arg) && (r.given & ~announced) == 0);
	CHECK(!(r.notify & SMTP_NOTIFY_NEVER) || r.notify == SMTP_NOTIFY_NEVER);
	CHECK(!(r.given & SMTP_PARAM_ORCPT) || (smtp_orcpt_decode(r.orcpt, utf8, &b) && printable(buf_str(&b))));
	CHECK(r.postmaster || address_parse(r.path, utf8, &a) == ADDRESS_OK);
}

static void check_reply(struct str text)
{
	char       line[SMTP_REPLY_LINE];
	struct str s = smtp_reply_line(line, 550, "5.1.1", text, true);

	CHECK(s.n <= sizeof(line) && str_iends(s, STR("\r\n")));
	CHECK(!str_has_ctl(str_first(s, s.n - 2)) && str_is_ascii(s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sasl_plain plain;
	struct str        line, verb, arg;
	char             *copy;

	if (size == 0)
		return 0;
	copy = malloc(size); /* exact, so that every read past the end is seen */
	memcpy(copy, data, size);
	line = str_n(copy + 1, size - 1);
	check_helo(line, data[0] & 1);
	check_mail(line, data[0] & 4 ? ~0u : data[0] >> 3, data[0] & 1);
	check_rcpt(line, data[0] & 4 ? ~0u : 0, data[0] & 2, data[0] & 1);
	check_xclient(line);
	(void)smtp_enhanced_valid(line, 550);
	check_reply(line);
	if (smtp_verb_split(line, &verb, &arg))
		CHECK(inside(verb, line) && inside(arg, line) && verb.n > 0 && !str_has_ctl(arg));
	(void)smtp_verb_is_http(line);
	if (sasl_plain_parse(line, &plain))
		CHECK(plain.authzid.n + plain.user.n + plain.password.n + 2 == line.n);
	free(copy);
	return 0;
}
