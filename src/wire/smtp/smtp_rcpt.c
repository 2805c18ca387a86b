/* wire/smtp/smtp_rcpt.c - grammar and contract are in smtp_rcpt.h. */
#include "wire/smtp/smtp_rcpt.h"

#include "wire/address/address.h"
#include "wire/smtp/smtp_param.h"

enum smtp_rcpt_err smtp_rcpt_parse(struct str arg, bool utf8, bool lenient_space, struct smtp_rcpt *ret)
{
	struct smtp_rcpt       r = { 0 };
	struct smtp_param_text param;
	struct address         a;

	if (!str_skip(&arg, STR("TO:")))
		return SMTP_RCPT_SYNTAX;
	while (lenient_space && str_skip_char(&arg, ' '))
		continue;
	if (!smtp_path_take(&arg, &r.path))
		return SMTP_RCPT_SYNTAX;
	if (arg.n > 0)
		return smtp_param_take(&arg, &param) ? SMTP_RCPT_UNKNOWN : SMTP_RCPT_SYNTAX;
	r.postmaster = str_ieq(r.path, STR("Postmaster"));
	if (!r.postmaster) {
		switch (address_parse(r.path, utf8, &a)) {
		case ADDRESS_OK: break;
		case ADDRESS_UTF8: return SMTP_RCPT_UTF8;
		default: return SMTP_RCPT_ADDRESS;
		}
	}
	*ret = r;
	return SMTP_RCPT_OK;
}
