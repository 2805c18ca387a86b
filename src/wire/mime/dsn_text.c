/* wire/mime/dsn_text.c - see dsn_text.h. Plain words first; the other server's own come last and are marked as such. */
#include "wire/mime/dsn_text.h"

#include "base/limits.h"
#include "wire/text/text_charset.h"
#include "wire/text/text_date.h"

#define WRAP ((size_t)72) /* octets in a line */

/* Enhanced status (RFC 3463, 7505, 7372) without its class, from the special to the general. */
static const struct {
	struct str status;
	struct str text;
} meanings[] = {
	{ STR(".1.1"), STR("There is no such address there. Please check the spelling, or ask for the current address "
			   "another way.") },
	{ STR(".1.2"), STR("The part behind the @ does not exist or cannot be found. Please check the spelling.") },
	{ STR(".1.3"), STR("The address is not written in a valid form. Please check the spelling.") },
	{ STR(".1.6"), STR("The address is not in use any more, and no new one is known.") },
	{ STR(".1.10"), STR("The part behind the @ does not receive mail at all.") },
	{ STR(".1."), STR("There is something wrong with the address. Please check it.") },
	{ STR(".2.1"), STR("The mailbox is switched off and takes no messages.") },
	{ STR(".2.2"), STR("The mailbox is full. The recipient must make room before it can take new messages.") },
	{ STR(".2.3"), STR("The message is larger than this recipient accepts. Please send it smaller, or share large "
			   "files another way.") },
	{ STR(".2."), STR("The recipient's mailbox could not take the message.") },
	{ STR(".3.4"), STR("The message is larger than the other mail system accepts. Please send it smaller, or share "
			   "large files another way.") },
	{ STR(".3."), STR("The recipient's mail system could not take the message.") },
	{ STR(".4.1"), STR("The recipient's mail server did not answer.") },
	{ STR(".4.4"), STR("No mail server could be found for the address.") },
	{ STR(".4.6"), STR("The message went round in a circle between mail systems; one of them is set up wrongly.") },
	{ STR(".4.7"), STR("It could not be delivered within the time allowed.") },
	{ STR(".4."), STR("The recipient's mail server could not be reached.") },
	{ STR(".6.7"),
	  STR("The address needs international characters, which a mail server on the way does not support.") },
	{ STR(".6."), STR("A mail server on the way cannot handle the form of this message.") },
	{ STR(".7.1"), STR("The recipient's mail system refused the message under its rules. Only the recipient or "
			   "their provider can change that.") },
	{ STR(".7."), STR("The recipient's mail system refused the message for reasons of security or trust.") },
};

static struct str meaning(struct str status)
{
	for (size_t i = 0; i < LEN(meanings); i++) {
		struct str s = meanings[i].status;
		bool       prefix = s.p[s.n - 1] == '.';
		struct str detail = str_from(status, 1);

		if (status.n > 1 && (prefix ? str_starts(detail, s) : str_eq(detail, s)))
			return meanings[i].text;
	}
	return STR_NONE;
}

enum dsn_action dsn_text_action(const struct dsn *d)
{
	enum dsn_action worst = DSN_EXPANDED;

	for (size_t i = 0; i < d->rcpt_count; i++)
		worst = MIN(worst, d->rcpts[i].action);
	return worst;
}

struct str dsn_text_subject(enum dsn_action action)
{
	switch (action) {
	case DSN_FAILED: return STR("Your message could not be delivered");
	case DSN_DELAYED: return STR("Your message is delayed");
	case DSN_DELIVERED: return STR("Your message was delivered");
	case DSN_RELAYED:
	case DSN_EXPANDED: break;
	}
	return STR("Your message was passed on");
}

static struct str introduction(enum dsn_action action)
{
	switch (action) {
	case DSN_FAILED: return STR("Your message could not be delivered to:");
	case DSN_DELAYED: return STR("Your message has not been delivered yet to:");
	case DSN_DELIVERED: return STR("Your message was delivered to:");
	case DSN_RELAYED: return STR("Your message was passed on to a mail system that sends no confirmations:");
	case DSN_EXPANDED: break;
	}
	return STR("Your message was passed on to the members of:");
}

/* Words in lines of at most WRAP octets behind an indent; whatever is no text is made a blank. */
static void wrapped(struct str indent, struct str text, struct buf *out)
{
	size_t column = 0;

	while (text.n > 0 && !out->over) {
		size_t n = 0;

		while (text.n > 0 && (unsigned char)text.p[0] <= ' ')
			text = str_from(text, 1);
		while (n < text.n && (unsigned char)text.p[n] > ' ' && n < LIMIT_ADDRESS)
			n++;
		while (n < text.n && ((unsigned char)text.p[n] & 0xC0) == 0x80)
			n++; /* not inside a character */
		if (n == 0)
			break;
		if (column > 0 && column + 1 + n > WRAP) {
			buf_add(out, STR("\r\n"));
			column = 0;
		}
		buf_add(out, column == 0 ? indent : STR(" "));
		column += (column == 0 ? indent.n : 1) + n;
		buf_add(out, str_first(text, n));
		text = str_from(text, n);
	}
	buf_add(out, STR("\r\n"));
}

/* The same of octets that others chose: made UTF-8. */
static void wrapped_foreign(struct str indent, struct str text, struct buf *out)
{
	struct buf utf8;

	buf_init(&utf8, LIMIT_SMTP_REPLY * 3);
	text_guess_utf8(str_first(text, LIMIT_SMTP_REPLY), &utf8);
	wrapped(indent, buf_str(&utf8), out);
	buf_done(&utf8);
}

static void rcpt_write(const struct dsn_rcpt *r, struct buf *out)
{
	struct str why = r->action <= DSN_DELAYED ? meaning(r->status) : STR_NONE;

	wrapped_foreign(STR("  "), r->final, out);
	if (why.n)
		wrapped(STR("      "), why, out);
	if (r->action > DSN_DELAYED || r->diagnostic.n == 0)
		return;
	if (r->remote_mta.n) {
		buf_add(out, STR("      The mail server "));
		buf_add(out, str_is_utf8(r->remote_mta) && !str_has_ctl(r->remote_mta) ? r->remote_mta : STR("there"));
		buf_add(out, STR(" said:\r\n"));
	} else {
		buf_add(out, STR("      The reason in detail:\r\n"));
	}
	wrapped_foreign(STR("      > "), r->diagnostic, out);
}

static void conclusion(const struct dsn *d, enum dsn_action action, struct buf *out)
{
	int64_t until = DSN_NO_TIME;

	if (action == DSN_FAILED)
		buf_add(out, STR("\r\nNo more attempts will be made. If you still want it to arrive, send it\r\n"
				 "again once the cause is removed.\r\n"));
	if (action != DSN_DELAYED)
		return;
	for (size_t i = 0; i < d->rcpt_count; i++)
		if (d->rcpts[i].action == DSN_DELAYED)
			until = MAX(until, d->rcpts[i].retry_until_ms);
	buf_add(out, STR("\r\nYou need not do anything: we keep trying"));
	if (until != DSN_NO_TIME) {
		buf_add(out, STR(" until\r\n"));
		text_date_write((struct text_date){ until, 0 }, out);
	}
	buf_add(out, STR(",\r\nand tell you if it fails in the end.\r\n"));
}

void dsn_text_write(const struct dsn *d, struct str subject, struct buf *out)
{
	buf_add(out, STR("This is the mail system at "));
	buf_add(out, d->reporting_mta);
	buf_add(out, STR(".\r\n"));
	for (int action = DSN_FAILED; action <= DSN_EXPANDED; action++) {
		bool any = false;

		for (size_t i = 0; i < d->rcpt_count; i++) {
			if ((int)d->rcpts[i].action != action)
				continue;
			if (!any) {
				buf_add(out, STR("\r\n"));
				wrapped(STR(""), introduction((enum dsn_action)action), out);
			}
			any = true;
			buf_add(out, STR("\r\n"));
			rcpt_write(&d->rcpts[i], out);
		}
		if (any)
			conclusion(d, (enum dsn_action)action, out);
	}
	if (subject.n == 0 && d->arrival_ms == DSN_NO_TIME)
		return;
	buf_add(out, STR("\r\nThe message in question:\r\n"));
	if (subject.n)
		wrapped_foreign(STR("  Subject: "), subject, out);
	if (d->arrival_ms != DSN_NO_TIME) {
		buf_add(out, STR("  Received: "));
		text_date_write((struct text_date){ d->arrival_ms, 0 }, out);
		buf_add(out, STR("\r\n"));
	}
}
