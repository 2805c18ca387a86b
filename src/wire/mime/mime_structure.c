/* wire/mime/mime_structure.c - BODY and BODYSTRUCTURE (RFC 9051 §7.5.2, grammar §9 `body`).
 *
 *   body             = "(" (body-type-1part / body-type-mpart) ")"
 *   body-type-mpart  = 1*body SP media-subtype [SP body-ext-mpart]
 *   body-type-1part  = (basic: type SP subtype SP fields) / (message: fields SP envelope SP body SP lines) /
 *                      (text: fields SP lines)  [SP body-ext-1part]
 *   body-fields      = param SP id SP description SP encoding SP octets
 *   body-ext-1part   = md5 SP disposition SP language SP location
 *   body-ext-mpart   = param SP disposition SP language SP location
 */
#include "wire/mime/mime.h"

#include "base/limits.h"
#include "wire/mime/mime_lex.h"
#include "wire/mime/mime_print.h"
#include "wire/text/text_charset.h"

struct printer {
	struct str  message;
	bool        extensible, utf8;
	struct buf *out;
};

static const struct str empty_part = STR("(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 0 0)");
static const struct str empty_envelope = STR("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");

/* In ASCII a value with other characters takes the extended form, name*=utf-8''%C3%A4 (RFC 2231 §4). */
static void extended_print(const struct mime_param *m, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	mime_print_string(m->name, false, out);
	if (!out->over) {
		out->n--; /* the quote */
		buf_add(out, STR("*\" \"utf-8''"));
	}
	for (size_t i = 0; i < m->value.n && !out->over; i++) {
		unsigned char c = (unsigned char)m->value.p[i];
		char          code[3] = { '%', digits[c >> 4], digits[c & 15] };

		if (c < 127 && c != '%' && c != '\'' && c != '*' && mime_lex_is_token((char)c))
			buf_add_char(out, (char)c);
		else
			buf_add(out, str_n(code, sizeof(code)));
	}
	buf_add_char(out, '"');
}

static void params_print(const struct mime_param *items, size_t count, const struct printer *p)
{
	if (count == 0) {
		buf_add(p->out, STR("NIL"));
		return;
	}
	for (size_t i = 0; i < count; i++) {
		buf_add_char(p->out, i == 0 ? '(' : ' ');
		if (!p->utf8 && !str_is_ascii(items[i].value)) {
			extended_print(&items[i], p->out);
			continue;
		}
		mime_print_string(items[i].name, p->utf8, p->out);
		buf_add_char(p->out, ' ');
		mime_print_string(items[i].value, p->utf8, p->out);
	}
	buf_add_char(p->out, ')');
}

static void nstring(struct str s, const struct printer *p)
{
	buf_add_char(p->out, ' ');
	mime_print_nstring(s, p->utf8, p->out);
}

/* body-fld-lang: one tag or a list. */
static void language_print(struct str raw, const struct printer *p)
{
	size_t count = 0;

	if (!raw.p || str_trim_ws(raw).n == 0) {
		buf_add(p->out, STR(" NIL"));
		return;
	}
	for (mime_lex_cfws(&raw); raw.n > 0 && count < LIMIT_MIME_PARAMS; mime_lex_cfws(&raw)) {
		struct str tag = mime_lex_token(&raw);

		if (tag.n == 0) {
			raw = str_from(raw, 1); /* "," or what does not belong here */
			continue;
		}
		buf_add(p->out, count == 0 ? STR(" (") : STR(" "));
		mime_print_string(tag, p->utf8, p->out);
		count++;
	}
	buf_add(p->out, count == 0 ? STR(" NIL") : STR(")"));
}

/* disposition SP language SP location, the common end of both extensions */
static void extension_print(const struct mime_part *part, const struct printer *p)
{
	if (part->disposition.p) {
		buf_add(p->out, STR(" ("));
		mime_print_string(part->disposition, p->utf8, p->out);
		buf_add_char(p->out, ' ');
		params_print(part->disposition_params, part->disposition_param_count, p);
		buf_add_char(p->out, ')');
	} else {
		buf_add(p->out, STR(" NIL"));
	}
	language_print(part->language, p);
	nstring(part->location, p);
}

static void part_print(const struct mime_part *part, const struct printer *p);

static void multipart_print(const struct mime_part *part, const struct printer *p)
{
	for (const struct mime_part *c = part->child; c && !p->out->over; c = c->next)
		part_print(c, p);
	if (!part->child)
		buf_add(p->out, empty_part); /* 1*body: a multipart without parts shows an empty one */
	nstring(part->subtype, p);
	if (!p->extensible)
		return;
	buf_add_char(p->out, ' ');
	params_print(part->params, part->param_count, p);
	extension_print(part, p);
}

/* message/global is one of those where the client knows of UTF-8 (RFC 9755 §6, RFC 9051 §9), and opaque where RFC 3501 rules. */
static bool is_message_type(const struct mime_part *part, const struct printer *p)
{
	return str_eq(part->type, STR("MESSAGE")) &&
	       (str_eq(part->subtype, STR("RFC822")) || (p->utf8 && str_eq(part->subtype, STR("GLOBAL"))));
}

static void single_print(const struct mime_part *part, const struct printer *p)
{
	mime_print_string(part->type, p->utf8, p->out);
	nstring(part->subtype, p);
	buf_add_char(p->out, ' ');
	params_print(part->params, part->param_count, p);
	nstring(part->id, p);
	nstring(part->description, p);
	nstring(part->encoding, p);
	buf_add_char(p->out, ' ');
	buf_add_u64(p->out, part->body_n);
	if (is_message_type(part, p)) {
		buf_add_char(p->out, ' ');
		if (part->child) {
			mime_print_envelope(p->message, part->child, p->utf8, p->out);
			buf_add_char(p->out, ' ');
			part_print(part->child, p);
		} else { /* not looked into, but the grammar wants them */
			buf_add(p->out, empty_envelope);
			buf_add_char(p->out, ' ');
			buf_add(p->out, empty_part);
		}
	}
	if (is_message_type(part, p) || str_eq(part->type, STR("TEXT"))) {
		buf_add_char(p->out, ' ');
		buf_add_u64(p->out, part->lines);
	}
	if (!p->extensible)
		return;
	nstring(part->md5, p);
	extension_print(part, p);
}

/* Recursion: parts nest at most LIMIT_MIME_DEPTH deep. */
static void part_print(const struct mime_part *part, const struct printer *p)
{
	buf_add_char(p->out, '(');
	if (part->multipart)
		multipart_print(part, p);
	else
		single_print(part, p);
	buf_add_char(p->out, ')');
}

void mime_print_structure(struct str message, const struct mime_part *part, bool extensible, bool utf8, struct buf *out)
{
	struct printer p = { message, extensible, utf8, out };
	size_t         start = out->n;

	if (out->over)
		return;
	part_print(part, &p);
	if (out->over) {
		out->n = start;
		out->over = false;
		buf_add(out, STR("(\"APPLICATION\" \"OCTET-STREAM\" NIL NIL NIL \"BINARY\" "));
		buf_add_u64(out, part->body_n);
		buf_add_char(out, ')');
	}
}
