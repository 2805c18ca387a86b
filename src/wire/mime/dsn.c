/* wire/mime/dsn.c - see dsn.h.
 *
 *   delivery-status-content = per-message-fields 1*( CRLF per-recipient-fields )          RFC 3464 §2.1
 *
 * International form, RFC 6533 §3-§5: message/global-delivery-status, the address type "utf-8", and message/global or
 * message/global-headers for the original.
 *
 * To a stranger's ASCII address every part is made 7-bit, since nobody knows what the hosts on the way to it take. Quoted-printable may
 * be what is text (RFC 2045 §6.7), text/rfc822-headers (RFC 6522 §4) and the message/global family (RFC 6532 §3.7, RFC 6533 §6);
 * message/delivery-status is ASCII by itself (RFC 3464 §2.1.1), and message/rfc822 may not be encoded (RFC 2046 §5.2.1): a
 * message with 8-bit content comes back as its header then.
 */
#include "wire/mime/dsn.h"

#include "base/limits.h"
#include "wire/mime/dsn_text.h"
#include "wire/mime/mime.h"
#include "wire/mime/mime_build.h"
#include "wire/text/text_qp.h"

struct writer {
	const struct dsn *d;
	bool              utf8;   /* the international form */
	bool              native; /* the recipient's address takes SMTPUTF8 in any case */
	bool              eight;  /* 8bit: so, or as the original is and goes back to one of ours */
	struct arena     *a;
	struct buf       *out;
};

static bool status_valid(struct str s)
{
	struct str klass, rest, subject, detail;
	uint32_t   v;

	return str_cut(s, '.', &klass, &rest) && str_cut(rest, '.', &subject, &detail) && klass.n == 1 &&
	       str_find(STR("245"), klass.p[0]) >= 0 && subject.n <= 3 && detail.n <= 3 && str_to_u32(subject, &v) &&
	       str_to_u32(detail, &v);
}

/* RFC 3464 §2.3.4: the class must agree with the action. */
static struct str status_of(const struct dsn_rcpt *r)
{
	static const struct str standard[] = { [DSN_FAILED] = STR("5.0.0"),
					       [DSN_DELAYED] = STR("4.0.0"),
					       [DSN_DELIVERED] = STR("2.0.0"),
					       [DSN_RELAYED] = STR("2.0.0"),
					       [DSN_EXPANDED] = STR("2.0.0") };
	struct str              s = standard[r->action];

	/* A message that was given up after delays fails with the 4.x.x of its last attempt. */
	if (status_valid(r->status) && (r->status.p[0] == s.p[0] || (r->action == DSN_FAILED && r->status.p[0] == '4')))
		return r->status;
	return s;
}

static struct str action_name(enum dsn_action action)
{
	static const struct str names[] = { [DSN_FAILED] = STR("failed"),
					    [DSN_DELAYED] = STR("delayed"),
					    [DSN_DELIVERED] = STR("delivered"),
					    [DSN_RELAYED] = STR("relayed"),
					    [DSN_EXPANDED] = STR("expanded") };

	return names[action];
}

/* "name: type; value" */
static void typed_field(const struct writer *w, struct str name, struct str type, struct str value)
{
	mime_build_field(name, arena_printf(w->a, "%.*s; %.*s", STR_FMT(type), STR_FMT(value)), w->out);
}

static void address_field(const struct writer *w, struct str name, struct str address)
{
	typed_field(w, name, str_is_ascii(address) ? STR("rfc822") : STR("utf-8"), address);
}

static void time_field(const struct writer *w, struct str name, int64_t ms)
{
	if (ms != DSN_NO_TIME)
		mime_build_date(name, (struct text_date){ ms, 0 }, w->out);
}

/* Diagnostic texts are ASCII in the plain form (RFC 3464 §2.1.1, "text" of RFC 822), with "?" for what is not. */
static struct str diagnostic_of(const struct writer *w, struct str text)
{
	struct str copy = arena_dup(w->a, str_first(text, LIMIT_SMTP_REPLY));
	char      *p = arena_alloc(w->a, copy.n);
	bool       keep = w->utf8 && str_is_utf8(copy);

	for (size_t i = 0; i < copy.n; i++) {
		unsigned char c = (unsigned char)copy.p[i];

		p[i] = c < 32 || c == 127 ? ' ' : c > 127 && !keep ? '?' : (char)c;
	}
	return (struct str){ p, copy.n };
}

/* "mx.example.org [192.0.2.1]:25" is a host name to the reader, but the field takes the name alone. */
static struct str host_of(struct str mta)
{
	struct str host, rest;

	str_cut(mta, ' ', &host, &rest);
	return host;
}

static void rcpt_fields(const struct writer *w, const struct dsn_rcpt *r)
{
	struct str type, address;

	buf_add(w->out, STR("\r\n"));
	if (str_cut(r->original, ';', &type, &address) && type.n > 0 && address.n > 0)
		typed_field(w, STR("Original-Recipient"), str_trim(type), str_trim(address));
	address_field(w, STR("Final-Recipient"), r->final);
	mime_build_field(STR("Action"), action_name(r->action), w->out);
	mime_build_field(STR("Status"), status_of(r), w->out);
	if (r->remote_mta.n)
		typed_field(w, STR("Remote-MTA"), STR("dns"), host_of(r->remote_mta));
	if (r->diagnostic.n)
		typed_field(w, STR("Diagnostic-Code"), r->remote_mta.n ? STR("smtp") : STR("x-postrider"),
			    diagnostic_of(w, r->diagnostic));
	time_field(w, STR("Last-Attempt-Date"), r->last_attempt_ms);
	if (r->action == DSN_DELAYED)
		time_field(w, STR("Will-Retry-Until"), r->retry_until_ms);
}

/* One part, encoded if it has to be; `type` can be. */
static void add_part(const struct writer *w, struct str type, struct str content)
{
	bool eight = !str_is_ascii(content);

	mime_build_part(w->d->boundary, type, !eight ? STR("7bit") : w->eight ? STR("8bit") : STR("quoted-printable"), w->out);
	if (eight && !w->eight)
		text_qp_encode(content, w->out);
	else
		buf_add(w->out, content);
}

static void text_part(const struct writer *w, struct str subject)
{
	struct buf text;

	buf_init(&text, w->out->max);
	dsn_text_write(w->d, subject, &text);
	w->out->over = w->out->over || text.over;
	add_part(w, STR("text/plain; charset=utf-8"), buf_str(&text));
	buf_done(&text);
}

/* What others put into an envelope id or the name of a host: the plain form is ASCII. */
static struct str plain(const struct writer *w, struct str s)
{
	char *p = arena_alloc(w->a, s.n);

	for (size_t i = 0; i < s.n; i++)
		p[i] = (unsigned char)s.p[i] > 127 ? '?' : s.p[i];
	return str_n(p, s.n);
}

static void status_fields(const struct writer *w)
{
	const struct dsn *d = w->d;

	if (d->envelope_id.n)
		mime_build_field(STR("Original-Envelope-Id"), d->envelope_id, w->out);
	typed_field(w, STR("Reporting-MTA"), STR("dns"), d->reporting_mta);
	time_field(w, STR("Arrival-Date"), d->arrival_ms);
	for (size_t i = 0; i < d->rcpt_count; i++)
		rcpt_fields(w, &d->rcpts[i]);
}

static void status_part(const struct writer *w)
{
	struct buf    fields;
	struct writer own = *w;

	buf_init(&fields, w->out->max);
	own.out = &fields;
	status_fields(&own);
	w->out->over = w->out->over || fields.over;
	if (w->utf8)
		add_part(w, STR("message/global-delivery-status"), buf_str(&fields));
	else
		add_part(w, STR("message/delivery-status"), plain(w, buf_str(&fields)));
	buf_done(&fields);
}

/* The header with its last line end, without the empty line; at most LIMIT_HEADER_BLOCK, cut between lines. */
static struct str header_of(struct str content)
{
	struct str        rest = content, header = str_first(content, 0);
	struct mime_field f;

	while (mime_field_next(&rest, &f) && content.n - rest.n <= LIMIT_HEADER_BLOCK)
		header = str_first(content, content.n - rest.n);
	return header;
}

static bool may_come_back(const struct dsn *d)
{
	return !d->header_only && d->content.n <= d->content_max && d->content.n > 0;
}

static bool comes_back_whole(const struct writer *w)
{
	return may_come_back(w->d) && (w->utf8 || w->eight || str_is_ascii(w->d->content));
}

static void original_part(const struct writer *w, struct str header)
{
	if (comes_back_whole(w))
		add_part(w, w->utf8 ? STR("message/global") : STR("message/rfc822"), w->d->content);
	else
		add_part(w, w->utf8 ? STR("message/global-headers") : STR("text/rfc822-headers"), header);
}

static void own_header(const struct writer *w, struct str header)
{
	const struct dsn *d = w->d;
	struct mime_field f;

	mime_build_mailbox(STR("From"), STR("Mail Delivery System"), d->from, w->native, w->out);
	mime_build_mailbox(STR("To"), STR(""), d->to, w->native, w->out);
	mime_build_field(STR("Subject"), dsn_text_subject(dsn_text_action(d)), w->out);
	mime_build_date(STR("Date"), (struct text_date){ d->date_ms, 0 }, w->out);
	mime_build_field(STR("Message-ID"), arena_printf(w->a, "<%.*s>", STR_FMT(d->message_id)), w->out);
	if (mime_field_find(header, STR("Message-ID"), &f) && f.value.n < LIMIT_SMTP_LINE && str_is_ascii(f.value)) {
		struct str id = mime_unfold(w->a, f.value);

		mime_build_field(STR("In-Reply-To"), id, w->out);
		mime_build_field(STR("References"), id, w->out);
	}
	mime_build_field(STR("Auto-Submitted"), STR("auto-replied"), w->out); /* RFC 3834 §5 */
	mime_build_field(STR("MIME-Version"), STR("1.0"), w->out);
	mime_build_field(STR("Content-Type"),
			 arena_printf(w->a, "multipart/report; report-type=%s; boundary=\"%.*s\"",
				      w->utf8 ? "global-delivery-status" : "delivery-status", STR_FMT(d->boundary)),
			 w->out);
	if (w->eight) /* RFC 2045 §6.4: as much as what is in it */
		mime_build_field(STR("Content-Transfer-Encoding"), STR("8bit"), w->out);
}

static struct str subject_of(const struct writer *w, struct str header)
{
	struct mime_field f;

	if (!mime_field_find(header, STR("Subject"), &f) || f.value.n > LIMIT_SMTP_LINE)
		return STR_NONE;
	return mime_decode_words(w->a, mime_unfold(w->a, f.value));
}

static bool any_utf8(const struct dsn *d)
{
	bool ascii = true;

	for (size_t i = 0; i < d->rcpt_count; i++)
		ascii = ascii && str_is_ascii(d->rcpts[i].final) && str_is_ascii(d->rcpts[i].original);
	return !ascii;
}

unsigned dsn_write(const struct dsn *d, struct buf *out)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	bool            native = !str_is_ascii(d->to) || !str_is_ascii(d->from);
	bool            eight = native || (d->ours && may_come_back(d) && !str_is_ascii(d->content));
	struct writer   w = { d, native || d->utf8 || any_utf8(d), native, eight, a, out };
	struct str      header = header_of(d->content);

	own_header(&w, header);
	text_part(&w, subject_of(&w, header));
	status_part(&w);
	original_part(&w, header);
	mime_build_end(d->boundary, out);
	return (eight ? DSN_NEED_8BIT : 0u) | (native ? DSN_NEED_SMTPUTF8 : 0u);
}
