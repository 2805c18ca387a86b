/* smtp/smtp_message.c - the header, once it is there: loops, authors that two readers would tell differently, and what submission adds.
 *
 * RFC 6409 §8: a submission server adds Date and Message-ID where they are missing, and takes Bcc out. DESIGN of ours: whoever signs in
 * sends as one of the addresses of the account: exactly one From field, all addresses in it and in Sender his own (the attacks
 * client_a1-a3 of "Composition Kills", USENIX Security 2020). From strangers (setting smtp.strict_header): exactly one From field, of
 * the grammar, of one domain (a7-a19 there). What the fields are is wire/mime/mime_header.h's to say.
 */
#include "base/log.h"
#include "smtp/smtp_session.h"
#include "wire/mime/mime_address.h"
#include "wire/mime/mime_header.h"

typedef enum status may_fn(void *ctx, uint64_t account, struct str address);

/* Each mailbox of the field is the account's. ST_INVALID: not of the grammar, or none in it. */
static enum status field_check(struct smtp_session *s, struct str value, may_fn *may)
{
	struct mime_addresses list;
	size_t                mailboxes = 0;

	mime_addresses_parse(value, s->tx.arena, &list);
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

static const struct smtp_reply *author_check(struct smtp_session *s, const struct mime_header *h)
{
	static const struct smtp_reply one_from = { 550, "5.6.0", "Message must have exactly one From field, and at most one Sender" };
	static const struct smtp_reply bad_from = { 550, "5.6.0", "From or Sender is malformed" };
	static const struct smtp_reply not_yours = { 553, "5.7.1", "From or Sender does not belong to the signed-in account" };
	static const struct smtp_reply later = { 451, "4.3.0", "Author cannot be checked now, try again later" };
	enum status                    st;

	if (h->count[MIME_HEADER_FROM] != 1 || h->count[MIME_HEADER_SENDER] > 1 || h->odd[MIME_HEADER_FROM] || h->odd[MIME_HEADER_SENDER] ||
	    h->leading_blank)
		return &one_from;
	/* RFC 5322 §3.6.2: who writes for another is the Sender; then the weaker right to the author's address is enough. */
	st = field_check(s, h->value[MIME_HEADER_FROM], h->count[MIME_HEADER_SENDER] > 0 ? s->env->ask->behalf : s->env->ask->sender);
	if (st == ST_OK && h->count[MIME_HEADER_SENDER] > 0)
		st = field_check(s, h->value[MIME_HEADER_SENDER], s->env->ask->sender);
	switch (st) {
	case ST_OK: return NULL;
	case ST_DENIED: return &not_yours;
	case ST_INVALID: return &bad_from;
	default: return &later;
	}
}

/* A server of ours has judged what it hands on; refused here, it would have to send a report to whoever is named as the sender. */
static bool is_strict(const struct smtp_session *s)
{
	return s->set->strict_header && !smtp_guard_exempt(s);
}

/* From a stranger. */
static const struct smtp_reply *stranger_check(struct smtp_session *s, const struct mime_header *h)
{
	static const struct smtp_reply reply_of[] = {
		[MIME_FROM_MISSING] = { 550, "5.6.0", "Message has no From field (RFC 5322 section 3.6)" },
		[MIME_FROM_TWICE] = { 550, "5.6.0", "Message must have exactly one From field, with nothing between its name and the colon" },
		[MIME_FROM_SYNTAX] = { 550, "5.6.0", "From field is malformed (RFC 5322 section 3.6.2)" },
		[MIME_FROM_DOMAINS] = { 550, "5.6.0", "From field names authors of several domains" },
	};
	enum mime_from from;

	if (!is_strict(s))
		return NULL;
	from = mime_header_from(h, s->tx.from.n == 0, s->tx.arena);
	if (from == MIME_FROM_OK || (from == MIME_FROM_MISSING && s->set->allow_no_from && !h->leading_blank))
		return NULL;
	return &reply_of[from];
}

/* Put what is missing before the empty line. LIMIT_SMTP_FIXUP leaves room for it. */
static void complete(struct smtp_session *s, const struct mime_header *h, size_t end)
{
	char       text[LIMIT_DOMAIN * 2 + 512], unique[16], hex[sizeof(unique) * 2];
	struct buf b = { .p = text, .cap = sizeof(text), .max = sizeof(text) - 1 };
	struct buf id = { .p = hex, .cap = sizeof(hex), .max = sizeof(hex) };

	s->env->ask->random(s->env->ask_ctx, unique, sizeof(unique));
	buf_add_hex(&id, str_n(unique, sizeof(unique)));
	mime_header_complete(h, &(struct mime_header_fill){
		.when = { s->tx.received_ms, 0 },
		.unique = buf_str(&id),
		.host = s->set->hostname,
	}, &b);
	CHECK(!b.over);
	CHECK(buf_insert(&s->tx.content.memory, end, buf_str(&b)));
}

/* Our own host's word can only be ours (RFC 8601 §5); who is in Bcc, nobody may learn (RFC 5322 §3.6.3). */
static size_t drop(struct smtp_session *s, const struct mime_header *h, bool submission)
{
	unsigned mask = 1u << MIME_HEADER_AUTH_RESULTS;
	unsigned found = h->count[MIME_HEADER_AUTH_RESULTS];

	if (submission) {
		mask |= 1u << MIME_HEADER_BCC | 1u << MIME_HEADER_RESENT_BCC;
		found += h->count[MIME_HEADER_BCC] + h->count[MIME_HEADER_RESENT_BCC];
	}
	return found ? mime_header_drop(&s->tx.content.memory, s->tx.trace_octets, mask, s->set->hostname) : 0;
}

const struct smtp_reply *smtp_message_check(struct smtp_session *s, bool all)
{
	static const struct smtp_reply loop = { 554, "5.4.6", "Too many hops: this message is going in circles" };
	static const struct smtp_reply header_big = { 552, "5.3.4", "Header too big" };
	struct str                     message = str_from(buf_str(&s->tx.content.memory), s->tx.trace_octets); /* as the peer sent it */
	bool                           submission = s->env->kind == SMTP_KIND_SUBMISSION;
	const struct smtp_reply       *refusal;
	struct mime_header             h;
	size_t                         gone;

	CHECK(!s->tx.header_done && s->tx.content.spool < 0);
	s->tx.header_done = true;
	mime_header_scan(message, &h);
	if (h.count[MIME_HEADER_RECEIVED] >= LIMIT_HOPS)
		return &loop;
	if (!h.ended && !all && (submission || is_strict(s))) /* it goes on behind what is looked at */
		return &header_big;
	refusal = submission ? author_check(s, &h) : stranger_check(s, &h);
	if (refusal)
		return refusal;
	if (mime_header_tls_no(&h) && !(s->tx.flags & QUEUE_FLAG_REQUIRETLS)) /* RFC 8689 §5 */
		s->tx.flags |= QUEUE_FLAG_TLS_OPTIONAL;
	gone = drop(s, &h, submission);
	if (!submission)
		return NULL;
	complete(s, &h, s->tx.trace_octets + h.end - gone);
	return smtp_rewrite(s);
}
