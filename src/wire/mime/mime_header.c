/* wire/mime/mime_header.c - scanning, completing, dropping; the contract is in mime_header.h, the author in mime_header_from.c. */
#include "wire/mime/mime_header.h"

#include <string.h>

#include "base/limits.h"
#include "wire/mime/mime_build.h"
#include "wire/mime/mime_field.h"
#include "wire/mime/mime_lex.h"

static const struct str names[] = {
	[MIME_HEADER_FROM] = STR("From"),
	[MIME_HEADER_SENDER] = STR("Sender"),
	[MIME_HEADER_DATE] = STR("Date"),
	[MIME_HEADER_MESSAGE_ID] = STR("Message-ID"),
	[MIME_HEADER_RECEIVED] = STR("Received"),
	[MIME_HEADER_TO] = STR("To"),
	[MIME_HEADER_CC] = STR("Cc"),
	[MIME_HEADER_BCC] = STR("Bcc"),
	[MIME_HEADER_RESENT_FROM] = STR("Resent-From"),
	[MIME_HEADER_RESENT_SENDER] = STR("Resent-Sender"),
	[MIME_HEADER_RESENT_DATE] = STR("Resent-Date"),
	[MIME_HEADER_RESENT_MESSAGE_ID] = STR("Resent-Message-ID"),
	[MIME_HEADER_RESENT_TO] = STR("Resent-To"),
	[MIME_HEADER_RESENT_CC] = STR("Resent-Cc"),
	[MIME_HEADER_RESENT_BCC] = STR("Resent-Bcc"),
	[MIME_HEADER_TLS_REQUIRED] = STR("TLS-Required"),
	[MIME_HEADER_AUTH_RESULTS] = STR("Authentication-Results"),
};
_Static_assert(LEN(names) == MIME_HEADER_NAMES, "a name per field");

static enum mime_header_name name_find(struct str name)
{
	for (unsigned i = 0; i < LEN(names); i++)
		if (name.n == names[i].n && str_ieq(name, names[i]))
			return (enum mime_header_name)i;
	return MIME_HEADER_NAMES;
}

/* field = name *WSP [CRLF 1*WSP] ":" value; `line` is a line with those that continue it. */
static void field_of(struct str line, struct mime_header_field *ret)
{
	size_t i = 0, n;

	while (i < line.n && line.p[i] > 32 && line.p[i] < 127 && line.p[i] != ':')
		i++;
	n = i;
	while (i < line.n && mime_lex_is_ws(line.p[i]))
		i++;
	if (n == 0 || i == line.n || line.p[i] != ':')
		return;
	ret->name = str_first(line, n);
	ret->value = str_from(line, i + 1);
	ret->odd = i > n;
	ret->id = name_find(ret->name);
}

bool mime_header_next(struct str *rest, struct mime_header_field *ret)
{
	struct str line, at = *rest, all;
	size_t     n = mime_field_line(at, &line);

	if (n == 0 || line.n == 0)
		return false;
	*ret = (struct mime_header_field){ .id = MIME_HEADER_NAMES };
	all = line;
	for (at = str_from(at, n); at.n > 0 && ascii_is_wsp(at.p[0]); at = str_from(at, n)) {
		n = mime_field_line(at, &line);
		all.n = (size_t)(line.p - all.p) + line.n;
	}
	ret->whole = str_first(*rest, rest->n - at.n);
	field_of(all, ret);
	*rest = at;
	return true;
}

void mime_header_scan(struct str message, struct mime_header *ret)
{
	struct str               rest = message;
	struct mime_header_field f;

	*ret = (struct mime_header){ .leading_blank = message.n > 0 && ascii_is_wsp(message.p[0]) };
	while (mime_header_next(&rest, &f)) {
		ret->junk = ret->junk || f.name.n == 0;
		if (f.id == MIME_HEADER_NAMES)
			continue;
		ret->count[f.id]++;
		ret->value[f.id] = f.value;
		ret->odd[f.id] = ret->odd[f.id] || f.odd;
	}
	ret->end = message.n - rest.n;
	ret->ended = rest.n > 0;
}

bool mime_header_tls_no(const struct mime_header *h)
{
	return h->count[MIME_HEADER_TLS_REQUIRED] == 1 && str_ieq(str_trim_ws(h->value[MIME_HEADER_TLS_REQUIRED]), STR("No"));
}

bool mime_header_resent(const struct mime_header *h)
{
	for (unsigned i = MIME_HEADER_RESENT_FROM; i <= MIME_HEADER_RESENT_BCC; i++)
		if (h->count[i] > 0)
			return true;
	return false;
}

/* ---- what is missing ---- */

static void message_id_print(struct str name, const struct mime_header_fill *fill, struct buf *out)
{
	buf_addf(out, "%.*s: <%.*s@%.*s>\r\n", STR_FMT(name), STR_FMT(fill->unique), STR_FMT(fill->host));
}

void mime_header_complete(const struct mime_header *h, const struct mime_header_fill *fill, struct buf *out)
{
	bool resent = mime_header_resent(h);

	if (fill->author.n > 0 && h->count[MIME_HEADER_FROM] == 0)
		mime_build_mailbox(STR("From"), fill->display, fill->author, true, out);
	if (fill->author.n > 0 && resent && h->count[MIME_HEADER_RESENT_FROM] == 0)
		mime_build_mailbox(STR("Resent-From"), fill->display, fill->author, true, out);
	if (h->count[MIME_HEADER_DATE] == 0)
		mime_build_date(STR("Date"), fill->when, out);
	if (resent && h->count[MIME_HEADER_RESENT_DATE] == 0)
		mime_build_date(STR("Resent-Date"), fill->when, out);
	if (h->count[MIME_HEADER_MESSAGE_ID] == 0)
		message_id_print(STR("Message-ID"), fill, out);
	if (resent && h->count[MIME_HEADER_RESENT_MESSAGE_ID] == 0)
		message_id_print(STR("Resent-Message-ID"), fill, out);
}

/* ---- what must go ---- */

/* authserv-id = value, RFC 8601 §2.2: a token or a quoted string, comments before it. */
static bool claims_host(struct str value, struct str host, struct arena *a)
{
	bool       closed;
	struct str id;

	if (!mime_lex_cfws(&value) || value.n == 0)
		return false;
	id = value.p[0] == '"' ? mime_lex_quoted(&value, a, &closed) : mime_lex_token(&value);
	return str_ieq(id, host);
}

size_t mime_header_drop(struct buf *message, size_t at, unsigned mask, struct str host)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	struct str               rest = str_from(buf_str(message), at);
	struct mime_header_field f;
	size_t                   keep = at, tail;

	while (mime_header_next(&rest, &f)) {
		bool drop = f.id < MIME_HEADER_NAMES && (mask & 1u << f.id) &&
			    (f.id != MIME_HEADER_AUTH_RESULTS || claims_host(f.value, host, a));

		if (drop)
			continue;
		if (message->p + keep != f.whole.p)
			memmove(message->p + keep, f.whole.p, f.whole.n);
		keep += f.whole.n;
	}
	tail = rest.n;
	at = message->n - tail - keep; /* octets that went */
	if (at > 0)
		memmove(message->p + keep, rest.p, tail);
	message->n -= at;
	return at;
}
