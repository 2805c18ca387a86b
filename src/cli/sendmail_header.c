/* cli/sendmail_header.c - the header of a message from standard input; see sendmail.h.
 *
 * A line that is no field ends the header, as if an empty line stood before it: "echo hello | sendmail bob" is a message. An mbox "From " line at
 * the top is dropped.
 */
#include <string.h>

#include "base/limits.h"
#include "cli/sendmail.h"
#include "wire/address/address.h"
#include "wire/mime/mime_build.h"
#include "wire/mime/mime_header.h"
#include "wire/mime/mime_qualify.h"

/* ---- recipients ---- */

static int rcpt_add(struct sendmail *m, struct str address)
{
	struct address parsed;

	if (address_parse(address, true, &parsed) != ADDRESS_OK)
		return sendmail_error(m, EX_DATAERR, "%.*s: malformed address", STR_FMT(cli_text(m->arena, address)));
	for (size_t i = 0; i < m->rcpt_count; i++)
		if (str_ieq(m->rcpts[i].address, address))
			return EX_OK;
	if (m->rcpt_count == LIMIT_RCPTS)
		return sendmail_error(m, EX_USAGE, "more than %zu recipients", LIMIT_RCPTS);
	m->rcpts[m->rcpt_count++] = (struct queue_rcpt){ .address = address, .notify = m->notify };
	return EX_OK;
}

int sendmail_rcpts_add(struct sendmail *m, struct str list, struct str domain)
{
	struct mime_addresses l;
	int                   code = EX_OK;

	if (!mime_addresses_local(list, m->arena, &l))
		return sendmail_error(m, EX_DATAERR, "%.*s: malformed address", STR_FMT(cli_text(m->arena, str_first(str_trim_ws(list), 200))));
	for (size_t i = 0; i < l.count && code == EX_OK; i++)
		if (l.items[i].kind == MIME_ADDRESS_MAILBOX)
			code = rcpt_add(m, mime_mailbox_text(&l.items[i], domain, m->arena));
	return code;
}

/* To, Cc and Bcc; in a message that is sent on, the Resent- fields alone (RFC 5322 §3.6.6). */
static int header_rcpts_add(struct sendmail *m, struct str header, struct str domain)
{
	struct mime_header       h;
	struct mime_header_field f;
	bool                     resent;
	int                      code = EX_OK;

	mime_header_scan(header, &h);
	resent = h.count[MIME_HEADER_RESENT_TO] + h.count[MIME_HEADER_RESENT_CC] + h.count[MIME_HEADER_RESENT_BCC] > 0;
	while (code == EX_OK && mime_header_next(&header, &f)) {
		bool plain = f.id == MIME_HEADER_TO || f.id == MIME_HEADER_CC || f.id == MIME_HEADER_BCC;
		bool again = f.id == MIME_HEADER_RESENT_TO || f.id == MIME_HEADER_RESENT_CC || f.id == MIME_HEADER_RESENT_BCC;

		if (resent ? again : plain)
			code = sendmail_rcpts_add(m, f.value, domain);
	}
	if (code == EX_OK && m->rcpt_count == 0)
		return sendmail_error(m, EX_DATAERR, "the header names no recipients");
	return code;
}

/* ---- the sender ---- */

int sendmail_sender(struct sendmail *m, struct str domain, struct str *ret)
{
	struct str            given = str_trim_ws(str_of(m->from ? m->from : m->login));
	struct mime_addresses l;
	struct address        parsed;

	if (m->from && (given.n == 0 || str_eq(given, STR("<>")))) {
		*ret = STR("");
		return EX_OK;
	}
	if (!mime_addresses_local(given, m->arena, &l) || l.count != 1 || l.items[0].kind != MIME_ADDRESS_MAILBOX)
		return sendmail_error(m, EX_USAGE, "-f %.*s: malformed address", STR_FMT(cli_text(m->arena, given)));
	*ret = mime_mailbox_text(&l.items[0], domain, m->arena);
	if (address_parse(*ret, true, &parsed) != ADDRESS_OK)
		return sendmail_error(m, EX_USAGE, "-f %.*s: malformed address", STR_FMT(cli_text(m->arena, given)));
	return EX_OK;
}

/* -F, or the account's: GECOS up to a comma, "&" stands for the login (passwd(5)). */
static struct str full_name(struct sendmail *m)
{
	struct buf name;
	struct str copy;

	if (m->full_name)
		return str_of(m->full_name);
	buf_init(&name, 1024);
	for (const char *p = m->gecos; *p && *p != ','; p++) {
		if (*p != '&') {
			buf_add_char(&name, *p);
		} else if (*m->login) {
			buf_add_char(&name, ascii_upper(*m->login));
			buf_add(&name, str_of(m->login + 1));
		}
	}
	copy = arena_dup(m->arena, buf_str(&name));
	buf_done(&name);
	return str_is_utf8(copy) && !str_has_ctl(copy) ? copy : STR("");
}

/* A From field, and a Resent-From field when the message is sent on: of the envelope's sender, or of the user if that is null. */
static int author_add(struct sendmail *m, const struct mime_header *h, struct str domain, struct buf *out)
{
	struct str author;
	int        code = sendmail_sender(m, domain, &author);

	if (code != EX_OK)
		return code;
	if (author.n == 0)
		author = arena_printf(m->arena, "%s@%.*s", m->login, STR_FMT(domain));
	if (h->count[MIME_HEADER_FROM] == 0)
		mime_build_mailbox(STR("From"), full_name(m), author, true, out);
	if (mime_header_resent(h) && h->count[MIME_HEADER_RESENT_FROM] == 0)
		mime_build_mailbox(STR("Resent-From"), full_name(m), author, true, out);
	return EX_OK;
}

/* ---- the header ---- */

/* Where the fields end, and where the body begins. */
static struct str fields_of(struct str head, struct str *ret_body)
{
	struct str               rest = head, before = head;
	struct mime_header_field f;

	while (before = rest, mime_header_next(&rest, &f))
		if (f.name.n == 0)
			break;
	*ret_body = before;
	str_skip(ret_body, STR("\r\n"));
	return str_first(head, head.n - before.n);
}

static struct str without_mbox_line(struct str head)
{
	struct str line, rest;

	if (str_starts(head, STR("From ")) && str_cut(head, '\n', &line, &rest) && str_find(str_first(line, 6), ':') < 0)
		return rest;
	return head;
}

int sendmail_header(struct sendmail *m, struct str head, bool whole, struct str domain, struct buf *ret_header, struct str *ret_body)
{
	struct str               fields = fields_of(without_mbox_line(head), ret_body), rest = fields;
	struct mime_header       h;
	struct mime_header_field f;
	int                      code = EX_OK;

	if (ret_body->n == 0 && !whole)
		return sendmail_error(m, EX_DATAERR, "the header is longer than %zu octets", LIMIT_INLINE);
	if (m->header_rcpts)
		code = header_rcpts_add(m, fields, domain);
	while (code == EX_OK && mime_header_next(&rest, &f))
		if (!mime_is_address_field(f.name) || !mime_qualify(f.name, f.value, domain, m->arena, ret_header))
			buf_add(ret_header, f.whole);
	mime_header_scan(fields, &h);
	if (code == EX_OK)
		code = author_add(m, &h, domain, ret_header);
	return code == EX_OK && ret_header->over ? sendmail_error(m, EX_DATAERR, "the header is too long") : code;
}
