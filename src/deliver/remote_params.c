/* deliver/remote_params.c - contract is in remote_params.h. */
#include "deliver/remote_params.h"

#include "ipc/msg_queue.h"

#define BY_MAX    ((int64_t)999999999) /* RFC 2852 §4: nine digits */
#define ORCPT_MAX ((size_t)500)        /* RFC 3461 §4.2: encoded */
#define ENVID_MAX ((size_t)100)        /* RFC 3461 §4.4: encoded */

/* RFC 3461 §4: xchar, else "+" and two hex digits. */
static void xtext_octet(struct buf *out, unsigned char c)
{
	if (c > ' ' && c < 127 && c != '+' && c != '=')
		buf_add_char(out, (char)c);
	else
		buf_addf(out, "+%02X", c);
}

/* RFC 6533 §3, utf-8-addr-xtext: what may not stand as it is, is "\x{HEX}". Well-formed UTF-8 only. Returns the octets used. */
static size_t utf8_char(struct buf *out, struct str s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t        n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t      v = n == 1 ? c : c & (0xffu >> (n + 1));

	if (n == 1 && c > ' ' && c < 127 && c != '+' && c != '=' && c != '\\') {
		buf_add_char(out, (char)c);
		return 1;
	}
	for (size_t i = 1; i < n; i++)
		v = v << 6 | ((unsigned char)s.p[i] & 0x3f);
	buf_addf(out, "\\x{%X}", v);
	return n;
}

/* " NAME=value", unless it gets longer than a peer must take: then its sender does without. */
static void text_param(struct buf *out, const char *name, struct str value, bool utf8, size_t max)
{
	struct buf text;

	buf_init(&text, max);
	while (value.n > 0 && !text.over) {
		size_t n = 1;

		if (utf8)
			n = utf8_char(&text, value);
		else
			xtext_octet(&text, (unsigned char)value.p[0]);
		value = str_from(value, n);
	}
	if (!text.over && text.n > 0)
		buf_addf(out, " %s=%.*s", name, STR_FMT(buf_str(&text)));
	buf_done(&text);
}

void remote_params_mail(struct buf *out, const struct smtp_caps *caps, const struct remote_deliver_request *q)
{
	if ((caps->offered & SMTP_CAP_DSN) && (q->flags & (QUEUE_FLAG_RET_HDRS | QUEUE_FLAG_RET_FULL)))
		buf_add(out, q->flags & QUEUE_FLAG_RET_HDRS ? STR(" RET=HDRS") : STR(" RET=FULL"));
	if (caps->offered & SMTP_CAP_DSN)
		text_param(out, "ENVID", q->envid, false, ENVID_MAX);
	if ((caps->offered & SMTP_CAP_DELIVERBY) && q->by)
		buf_addf(out, " BY=%lld;%s%s", (long long)MAX(-BY_MAX, MIN(q->by_s, BY_MAX)), q->flags & QUEUE_FLAG_BY_NOTIFY ? "N" : "R",
			 q->flags & QUEUE_FLAG_BY_TRACE ? "T" : "");
	if ((caps->offered & SMTP_CAP_MT_PRIORITY) && q->priority != 0)
		buf_addf(out, " MT-PRIORITY=%lld", (long long)q->priority);
	if (q->flags & QUEUE_FLAG_REQUIRETLS)
		buf_add(out, STR(" REQUIRETLS"));
}

static void notify_param(struct buf *out, uint32_t notify)
{
	static const struct {
		uint32_t   bit;
		struct str name;
	} names[] = {
		{ QUEUE_NOTIFY_NEVER, STR("NEVER") },
		{ QUEUE_NOTIFY_SUCCESS, STR("SUCCESS") },
		{ QUEUE_NOTIFY_FAILURE, STR("FAILURE") },
		{ QUEUE_NOTIFY_DELAY, STR("DELAY") },
	};
	struct str before = STR(" NOTIFY=");

	for (size_t i = 0; i < LEN(names); i++) {
		if (!(notify & names[i].bit))
			continue;
		buf_add(out, before);
		buf_add(out, names[i].name);
		before = STR(",");
	}
}

void remote_params_rcpt(struct buf *out, const struct smtp_caps *caps, const struct remote_rcpt *rcpt)
{
	if (!(caps->offered & SMTP_CAP_DSN))
		return;
	notify_param(out, rcpt->notify);
	if (str_is_utf8(rcpt->orcpt))
		text_param(out, "ORCPT", rcpt->orcpt, str_istarts(rcpt->orcpt, STR("utf-8;")), ORCPT_MAX);
}

uint32_t remote_params_passes(const struct smtp_caps *caps)
{
	return (caps->offered & SMTP_CAP_DSN ? REMOTE_PASSED_DSN : 0u) | (caps->offered & SMTP_CAP_DELIVERBY ? REMOTE_PASSED_BY : 0u);
}

bool remote_params_unfit(const struct remote_deliver_request *q, const struct smtp_caps *caps, struct remote_outcome *ret_why)
{
	static const struct remote_outcome no_requiretls = { REMOTE_REFUSED, STR("5.7.30"),
							     STR("The sender requires TLS (REQUIRETLS), and the host does not promise it") };
	static const struct remote_outcome no_by = { REMOTE_REFUSED, STR("5.3.3"),
						     STR("The host keeps no time limit (DELIVERBY), and the sender wants the message back then") };
	static const struct remote_outcome too_soon = { REMOTE_REFUSED, STR("5.4.7"),
							STR("The host does not promise delivery within the time that the sender set") };
	bool back = q->by && !(q->flags & QUEUE_FLAG_BY_NOTIFY);

	if ((q->flags & QUEUE_FLAG_REQUIRETLS) && !(caps->offered & SMTP_CAP_REQUIRETLS))
		*ret_why = no_requiretls;
	else if (back && !(caps->offered & SMTP_CAP_DELIVERBY))
		*ret_why = no_by;
	else if (back && (q->by_s <= 0 || (uint64_t)q->by_s < caps->by_min_s))
		*ret_why = too_soon;
	else
		return false;
	return true;
}
