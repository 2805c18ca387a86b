/* wire/mime/mime_param.c - see mime_param.h.
 *
 *   parameter        = attribute ["*" section] ["*"] "=" value
 *   extended value   = [charset] "'" [language] "'" *(token char / "%" 2HEXDIG)      (first section)
 *
 * Read broadly, as mail needs it: values with characters that want quotes, file names with blanks, missing semicolons
 * before the end. All of that is flagged.
 */
#include "wire/mime/mime_param.h"

#include "base/limits.h"
#include "wire/mime/mime_lex.h"
#include "wire/text/text_base64.h"
#include "wire/text/text_charset.h"

#define NO_SECTION UINT32_MAX

struct piece {
	struct str name, value;
	uint32_t   section;  /* NO_SECTION: not continued */
	bool       extended; /* "%" coded */
	bool       used;
};

const struct mime_param *mime_param_find(const struct mime_param *items, size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (str_ieq(items[i].name, name))
			return &items[i];
	return NULL;
}

/* name "*" section "*" in the attribute; what is no such suffix belongs to the name. */
static void attribute_split(struct str attribute, struct piece *p)
{
	struct str name, section;

	p->name = attribute;
	p->section = NO_SECTION;
	p->extended = false;
	if (attribute.n > 1 && attribute.p[attribute.n - 1] == '*') {
		p->extended = true;
		attribute.n--;
		p->name = attribute;
	}
	if (str_rcut(attribute, '*', &name, &section) && name.n > 0 && section.n <= 4 &&
	    str_to_u32(section, &p->section))
		p->name = name;
	else
		p->section = NO_SECTION;
}

/* Up to white space, ";" or "("; in a file name blanks belong to it. */
static struct str bare_value(struct str *s, struct str name)
{
	bool       file = str_ieq(name, STR("name")) || str_ieq(name, STR("filename"));
	struct str v = { s->p, 0 };

	while (v.n < s->n && s->p[v.n] != ';' && (file || (!mime_lex_is_ws(s->p[v.n]) && s->p[v.n] != '(')))
		v.n++;
	*s = str_from(*s, v.n);
	return v;
}

static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!mime_lex_is_token(s.p[i]))
			return false;
	return s.n > 0;
}

static struct str without_breaks(struct str s, struct arena *a)
{
	return str_trim_ws(mime_unfold(a, s));
}

/* One parameter off the front; false if there was none to keep. */
static bool piece_take(struct str *s, struct arena *a, struct piece *ret, bool *ret_bad)
{
	struct str attribute, junk;
	bool       closed = true;

	*ret_bad = false;
	attribute = mime_lex_token(s);
	mime_lex_cfws(s);
	if (attribute.n == 0 || !str_skip_char(s, '=')) {
		*ret_bad = true;
		str_cut(*s, ';', &junk, s);
		return false;
	}
	attribute_split(attribute, ret);
	mime_lex_cfws(s);
	if (s->n > 0 && s->p[0] == '"') {
		ret->value = mime_lex_quoted(s, a, &closed);
	} else {
		struct str raw = bare_value(s, ret->name);

		*ret_bad = !is_token(raw);
		ret->value = without_breaks(raw, a);
	}
	closed = mime_lex_cfws(s) && closed;
	*ret_bad = *ret_bad || !closed || (s->n > 0 && s->p[0] != ';');
	if (s->n > 0 && s->p[0] != ';' && !mime_lex_is_token(s->p[0]))
		str_cut(*s, ';', &junk, s); /* a missing ";" is forgiven, other text is passed over */
	return true;
}

static void percent_decode(struct str in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		int high = in.n - i > 2 ? text_hex_digit(in.p[i + 1]) : -1;
		int low = in.n - i > 2 ? text_hex_digit(in.p[i + 2]) : -1;

		if (in.p[i] == '%' && high >= 0 && low >= 0) {
			buf_add_char(out, (char)(high << 4 | low));
			i += 2;
		} else {
			buf_add_char(out, in.p[i]);
		}
	}
}

static struct str to_utf8(struct str charset, struct str octets, struct arena *a)
{
	struct buf utf8;
	struct str s;

	buf_init(&utf8, LIMIT_HEADER_BLOCK * 3);
	if (charset.n)
		text_to_utf8(charset, octets, &utf8);
	else
		text_guess_utf8(octets, &utf8);
	s = arena_dup(a, buf_str(&utf8));
	buf_done(&utf8);
	return s;
}

/* Octets of one piece, decoded; the first of an extended value names the charset in front of two quotes. */
static void piece_decode(const struct piece *p, bool first, struct str *charset, struct buf *octets)
{
	struct str value = p->value, name, language, text;

	if (!p->extended) {
		buf_add(octets, value);
		return;
	}
	if (first && str_cut(value, '\'', &name, &text) && str_cut(text, '\'', &language, &text)) {
		*charset = name;
		value = text;
	}
	percent_decode(value, octets);
}

/* The value of which pieces[at] is the first: its continuations in the order of their numbers (RFC 2231 §3). */
static struct str pieces_join(struct piece *pieces, size_t count, size_t at, struct arena *a)
{
	struct buf octets;
	struct str charset = STR_NONE, s;
	bool       found = true;

	buf_init(&octets, LIMIT_HEADER_BLOCK);
	piece_decode(&pieces[at], true, &charset, &octets);
	for (uint32_t section = 1; found && pieces[at].section == 0; section++) {
		found = false;
		for (size_t i = 0; i < count && !found; i++) {
			if (pieces[i].used || pieces[i].section != section || !str_ieq(pieces[i].name, pieces[at].name))
				continue;
			piece_decode(&pieces[i], false, &charset, &octets);
			pieces[i].used = found = true;
		}
	}
	s = to_utf8(charset, buf_str(&octets), a);
	buf_done(&octets);
	return s;
}

/* A piece that starts an extended or continued value. */
static bool starts_rfc2231(const struct piece *p)
{
	return p->section == 0 || (p->section == NO_SECTION && p->extended);
}

static bool has_rfc2231(const struct piece *pieces, size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (starts_rfc2231(&pieces[i]) && str_ieq(pieces[i].name, name))
			return true;
	return false;
}

static struct str piece_value(struct piece *pieces, size_t count, size_t at, struct arena *a)
{
	if (starts_rfc2231(&pieces[at]))
		return pieces_join(pieces, count, at, a);
	return str_is_ascii(pieces[at].value) ? pieces[at].value : to_utf8(STR_NONE, pieces[at].value, a);
}

static void assemble(struct piece *pieces, size_t count, struct arena *a, struct mime_params *ret, unsigned bad,
		     unsigned *flags)
{
	bool any = false; /* of RFC 2231: rare, so the search for it is not made for each */

	for (size_t i = 0; i < count; i++)
		any = any || pieces[i].extended || pieces[i].section != NO_SECTION;
	ret->items = ARENA_ARRAY(a, struct mime_param, count);
	for (size_t i = 0; i < count; i++) {
		struct piece *p = &pieces[i];

		if (any && !starts_rfc2231(p) && p->section != NO_SECTION)
			continue; /* taken by its beginning */
		p->used = true;
		if (mime_param_find(ret->items, ret->count, p->name) ||
		    (any && !starts_rfc2231(p) && has_rfc2231(pieces, count, p->name))) {
			*flags |= MIME_FLAG_DUP_PARAM;
			continue;
		}
		if (starts_rfc2231(p) && str_ieq(p->name, STR("boundary")))
			*flags |= MIME_FLAG_BAD_BOUNDARY;
		ret->items[ret->count++] = (struct mime_param){ p->name, piece_value(pieces, count, i, a) };
	}
	for (size_t i = 0; i < count; i++)
		if (!pieces[i].used)
			*flags |= bad; /* a continuation without its beginning, or numbered twice */
}

struct mime_params mime_params_parse(struct str s, struct arena *a, unsigned bad, unsigned *flags)
{
	struct piece       pieces[LIMIT_MIME_PARAMS];
	struct mime_params ret = { NULL, 0 };
	size_t             count = 0;

	for (mime_lex_cfws(&s); s.n > 0; mime_lex_cfws(&s)) {
		bool is_bad;

		if (str_skip_char(&s, ';'))
			continue;
		if (count == LEN(pieces)) {
			*flags |= MIME_FLAG_LIMIT;
			break;
		}
		if (piece_take(&s, a, &pieces[count], &is_bad))
			pieces[count++].used = false;
		if (is_bad)
			*flags |= bad;
	}
	if (count > 0)
		assemble(pieces, count, a, &ret, bad, flags);
	return ret;
}
