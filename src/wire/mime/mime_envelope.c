/* wire/mime/mime_envelope.c - ENVELOPE (RFC 9051 §7.5.2).
 *
 *   envelope = "(" date SP subject SP from SP sender SP reply-to SP to SP cc SP bcc SP in-reply-to SP message-id ")"
 *   address  = "(" name SP adl SP mailbox SP host ")"
 *
 * An absent text field is NIL, an empty one is ""; an absent or empty address field is NIL. A group begins with host
 * NIL and its name as mailbox, and ends with both NIL; so a mailbox whose domain is missing has the host "".
 */
#include "wire/mime/mime.h"

#include "base/limits.h"
#include "wire/mime/mime_address.h"
#include "wire/mime/mime_field.h"
#include "wire/mime/mime_print.h"

enum envelope_field { DATE, SUBJECT, FROM, SENDER, REPLY_TO, TO, CC, BCC, IN_REPLY_TO, MESSAGE_ID, FIELDS };

static const struct str names[FIELDS] = {
	STR("Date"), STR("Subject"), STR("From"), STR("Sender"),      STR("Reply-To"),
	STR("To"),   STR("Cc"),      STR("Bcc"),  STR("In-Reply-To"), STR("Message-ID"),
};

static const struct str none = STR("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");

static int field_of(struct str name)
{
	for (int i = 0; i < FIELDS; i++)
		if (names[i].n == name.n && str_ieq(names[i], name))
			return i;
	return -1;
}

static bool is_list(int field)
{
	return field == TO || field == CC || field == BCC;
}

struct gathered {
	struct str values[FIELDS]; /* unfolded; p == NULL: absent */
	struct buf joined[FIELDS]; /* behind a value that came in several fields */
};

/* To, Cc and Bcc may wrongly come more than once, then they are one list; of others the first counts. */
static void value_add(struct gathered *g, int i, struct str v)
{
	struct buf *b = &g->joined[i];

	if (!g->values[i].p || (is_list(i) && g->values[i].n == 0)) {
		g->values[i] = v.p ? v : STR("");
	} else if (is_list(i) && v.n > 0) {
		if (b->n == 0)
			buf_add(b, g->values[i]);
		buf_add_char(b, ',');
		buf_add(b, v);
		g->values[i] = buf_str(b);
	}
}

static void gather(struct str header, struct arena *a, struct gathered *g)
{
	struct mime_field f;
	unsigned          count = 0;

	*g = (struct gathered){ 0 };
	for (int i = 0; i < FIELDS; i++)
		buf_init(&g->joined[i], LIMIT_HEADER_BLOCK * 2);
	for (header = mime_field_bounded(header); count < LIMIT_HEADER_FIELDS && mime_field_next(&header, &f);
	     count++) {
		int i = field_of(f.name);

		if (i >= 0)
			value_add(g, i, mime_unfold(a, f.value));
	}
}

static void address_print(const struct mime_address *m, bool utf8, struct buf *out)
{
	switch (m->kind) {
	case MIME_ADDRESS_GROUP_END: buf_add(out, STR("(NIL NIL NIL NIL)")); return;
	case MIME_ADDRESS_GROUP:
		buf_add(out, STR("(NIL NIL "));
		mime_print_string(m->name, utf8, out);
		buf_add(out, STR(" NIL)"));
		return;
	case MIME_ADDRESS_MAILBOX: break;
	}
	buf_add_char(out, '(');
	mime_print_nstring(m->name.n ? m->name : STR_NONE, utf8, out);
	buf_add_char(out, ' ');
	mime_print_nstring(m->route.n ? m->route : STR_NONE, utf8, out);
	buf_add_char(out, ' ');
	mime_print_string(m->local, utf8, out);
	buf_add_char(out, ' ');
	mime_print_string(m->domain, utf8, out);
	buf_add_char(out, ')');
}

/* False, and nothing printed, if the value holds no address. */
static bool addresses_print(struct str value, struct arena *a, bool utf8, struct buf *out)
{
	struct mime_addresses list = { 0 };

	if (value.n > 0)
		mime_addresses_parse(value, a, &list);
	if (list.count == 0)
		return false;
	buf_add_char(out, '(');
	for (size_t i = 0; i < list.count; i++)
		address_print(&list.items[i], utf8, out);
	buf_add_char(out, ')');
	return true;
}

static void fields_print(const struct str *values, struct arena *a, bool utf8, struct buf *out)
{
	size_t from = 0, from_n = 0;

	for (int i = 0; i < FIELDS; i++) {
		size_t at;

		buf_add_char(out, i == 0 ? '(' : ' ');
		at = out->n;
		if (i == DATE || i == SUBJECT || i >= IN_REPLY_TO) {
			mime_print_nstring(values[i], utf8, out);
		} else if (!addresses_print(values[i], a, utf8, out)) {
			/* Absent or empty Sender and Reply-To are those of From. */
			bool like_from = (i == SENDER || i == REPLY_TO) && buf_room(out, from_n);

			buf_add(out, like_from ? (struct str){ out->p + from, from_n } : STR("NIL"));
		}
		if (i == FROM) {
			from = at;
			from_n = out->n - at;
		}
	}
	buf_add_char(out, ')');
}

void mime_print_envelope(struct str message, const struct mime_part *header_of, bool utf8, struct buf *out)
{
	struct gathered g;
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	size_t          start = out->n;

	if (out->over)
		return;
	gather(str_sub(message, header_of->header_at, header_of->header_n), a, &g);
	fields_print(g.values, a, utf8, out);
	for (int i = 0; i < FIELDS; i++)
		buf_done(&g.joined[i]);
	if (out->over) {
		out->n = start;
		out->over = false;
		buf_add(out, none);
	}
}
