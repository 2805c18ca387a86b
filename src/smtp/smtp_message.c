/* smtp/smtp_message.c - the header, once it is there: loops, and what submission adds and forbids.
 *
 * RFC 6409 §8: a submission server adds Date and Message-ID where they are missing. DESIGN of ours: whoever signs in sends as
 * one of the addresses of the account: exactly one From field, all addresses in it and in Sender his own (the attacks
 * client_a1-a3 of "Composition Kills", USENIX Security 2020).
 */
#include "base/log.h"
#include "smtp/smtp_session.h"
#include "wire/mime/mime.h"
#include "wire/mime/mime_address.h"
#include "wire/text/text_date.h"

struct header {
	struct mime_field from, sender;
	unsigned          received, from_count, sender_count;
	bool              date, message_id;
	bool              tls_optional; /* "TLS-Required: No", RFC 8689 §5 */
	size_t            end; /* where the empty line begins, or the end of the message */
};

static void header_scan(struct str message, struct header *h)
{
	struct str        rest = message;
	struct mime_field f;

	*h = (struct header){ 0 };
	while (mime_field_next(&rest, &f)) {
		if (str_ieq(f.name, STR("Received"))) {
			h->received++;
		} else if (str_ieq(f.name, STR("Date"))) {
			h->date = true;
		} else if (str_ieq(f.name, STR("Message-ID"))) {
			h->message_id = true;
		} else if (str_ieq(f.name, STR("TLS-Required"))) {
			h->tls_optional = str_ieq(str_trim_ws(f.value), STR("No"));
		} else if (str_ieq(f.name, STR("From"))) {
			h->from_count++;
			h->from = f;
		} else if (str_ieq(f.name, STR("Sender"))) {
			h->sender_count++;
			h->sender = f;
		}
	}
	h->end = message.n - rest.n;
}

typedef enum status may_fn(void *ctx, uint64_t account, struct str address);

/* Each mailbox of the field is the account's. ST_INVALID: not of the grammar, or none in it. */
static enum status field_check(struct smtp_session *s, const struct mime_field *f, may_fn *may)
{
	struct mime_addresses list;
	size_t                mailboxes = 0;

	mime_addresses_parse(f->value, s->tx.arena, &list);
	if (list.malformed || list.limit)
		return ST_INVALID;
	for (size_t i = 0; i < list.count; i++) {
		const struct mime_address *m = &list.items[i];
		enum status                st;

		if (m->kind != MIME_ADDRESS_MAILBOX || m->route.n > 0 || m->local.n == 0 || m->domain.n == 0)
			return ST_INVALID;
		st = may(s->env->ask_ctx, s->account, arena_printf(s->tx.arena, "%.*s@%.*s", STR_FMT(m->local), STR_FMT(m->domain)));
		if (st != ST_OK)
			return st;
		mailboxes++;
	}
	return mailboxes > 0 ? ST_OK : ST_INVALID;
}

static const struct smtp_reply *author_check(struct smtp_session *s, const struct header *h)
{
	static const struct smtp_reply one_from = { 550, "5.6.0", "Message must have exactly one From field, and at most one Sender" };
	static const struct smtp_reply bad_from = { 550, "5.6.0", "From or Sender is malformed" };
	static const struct smtp_reply not_yours = { 553, "5.7.1", "From or Sender does not belong to the signed-in account" };
	static const struct smtp_reply later = { 451, "4.3.0", "Author cannot be checked now, try again later" };
	enum status                    st;

	if (h->from_count != 1 || h->sender_count > 1)
		return &one_from;
	/* RFC 5322 §3.6.2: who writes for another is the Sender; then the weaker right to the author's address is enough. */
	st = field_check(s, &h->from, h->sender_count > 0 ? s->env->ask->behalf : s->env->ask->sender);
	if (st == ST_OK && h->sender_count > 0)
		st = field_check(s, &h->sender, s->env->ask->sender);
	switch (st) {
	case ST_OK: return NULL;
	case ST_DENIED: return &not_yours;
	case ST_INVALID: return &bad_from;
	default: return &later;
	}
}

/* Put what is missing before the empty line. LIMIT_SMTP_FIXUP leaves room for it. */
static void complete(struct smtp_session *s, const struct header *h)
{
	struct buf *message = &s->tx.content.memory;
	char        text[LIMIT_DOMAIN + 256];
	struct buf  b = { .p = text, .cap = sizeof(text), .max = sizeof(text) - 1 };
	char        unique[16];

	if (!h->date) {
		buf_add(&b, STR("Date: "));
		text_date_write((struct text_date){ s->tx.received_ms, 0 }, &b);
		buf_add(&b, STR("\r\n"));
	}
	if (!h->message_id) {
		s->env->ask->random(s->env->ask_ctx, unique, sizeof(unique));
		buf_add(&b, STR("Message-ID: <"));
		buf_add_hex(&b, str_n(unique, sizeof(unique)));
		buf_addf(&b, "@%.*s>\r\n", STR_FMT(s->set->hostname));
	}
	CHECK(!b.over);
	CHECK(buf_insert(message, h->end, buf_str(&b)));
}

const struct smtp_reply *smtp_message_check(struct smtp_session *s, bool all)
{
	static const struct smtp_reply loop = { 554, "5.4.6", "Too many hops: this message is going in circles" };
	static const struct smtp_reply header_big = { 552, "5.3.4", "Header too big" };
	struct str                     message = buf_str(&s->tx.content.memory);
	const struct smtp_reply       *refusal;
	struct header                  h;

	CHECK(!s->tx.header_done && s->tx.content.spool < 0);
	s->tx.header_done = true;
	header_scan(message, &h);
	if (h.received > LIMIT_HOPS)
		return &loop;
	/* RFC 8689 §4.1: REQUIRETLS on MAIL goes before the field. */
	if (h.tls_optional && !(s->tx.flags & QUEUE_FLAG_REQUIRETLS))
		s->tx.flags |= QUEUE_FLAG_TLS_OPTIONAL;
	if (s->env->kind != SMTP_KIND_SUBMISSION)
		return NULL;
	if (h.end == message.n && !all) /* it goes on behind what is looked at */
		return &header_big;
	refusal = author_check(s, &h);
	if (!refusal && (!h.date || !h.message_id))
		complete(s, &h);
	return refusal ? refusal : smtp_rewrite(s);
}
