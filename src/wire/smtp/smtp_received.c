/* wire/smtp/smtp_received.c - grammar and contract are in smtp_received.h. */
#include "wire/smtp/smtp_received.h"

#include "wire/text/text_date.h"

/* RFC 3848: ESMTP or LMTP with S for TLS and A for AUTH; RFC 6531 §4.3: UTF8SMTP or UTF8LMTP in its place. */
static void with_print(struct buf *out, const struct smtp_received *r)
{
	if (r->utf8)
		buf_add(out, r->lmtp ? STR("UTF8LMTP") : STR("UTF8SMTP"));
	else if (r->lmtp)
		buf_add(out, STR("LMTP"));
	else
		buf_add(out, r->esmtp || r->tls || r->signed_in ? STR("ESMTP") : STR("SMTP"));
	if (r->tls)
		buf_add_char(out, 'S');
	if (r->signed_in)
		buf_add_char(out, 'A');
}

void smtp_received_print(struct buf *out, const struct smtp_received *r)
{
	buf_addf(out, "Received: from %.*s ([%s%.*s])\r\n\tby %.*s with ", STR_FMT(r->helo),
		 str_find(r->peer, ':') >= 0 ? "IPv6:" : "", STR_FMT(r->peer), STR_FMT(r->host));
	with_print(out, r);
	buf_addf(out, " id %.*s", STR_FMT(r->id));
	if (r->rcpt.n > 0 || r->cipher.n > 0)
		buf_add(out, STR("\r\n\t"));
	if (r->rcpt.n > 0)
		buf_addf(out, "for <%.*s>%s", STR_FMT(r->rcpt), r->cipher.n > 0 ? " " : "");
	if (r->cipher.n > 0)
		buf_addf(out, "tls %.*s", STR_FMT(r->cipher));
	buf_add(out, STR(";\r\n\t"));
	text_date_write((struct text_date){ r->when_ms, 0 }, out);
	buf_add(out, STR("\r\n"));
}

void smtp_received_local_print(struct buf *out, struct str host, uint32_t uid, struct str id, int64_t when_ms)
{
	buf_addf(out, "Received: by %.*s (Postrider, from uid %u)\r\n\tid %.*s; ", STR_FMT(host), uid, STR_FMT(id));
	text_date_write((struct text_date){ when_ms, 0 }, out);
	buf_add(out, STR("\r\n"));
}
