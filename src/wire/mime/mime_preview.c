/* wire/mime/mime_preview.c - contract is in mime_preview.h. */
#include "wire/mime/mime_preview.h"

#include "wire/mime/mime.h"
#include "wire/mime/mime_param.h"
#include "wire/text/text_base64.h"
#include "wire/text/text_charset.h"

#define BODY ((size_t)32 * 1024) /* of a body, encoded: styles and quoted text may stand before what is said */

static bool is_text(const struct mime_part *p, struct str subtype)
{
	return !p->multipart && !p->message && str_eq(p->type, STR("TEXT")) && str_eq(p->subtype, subtype) &&
	       !str_ieq(p->disposition, STR("attachment")) && p->body_n > 0;
}

/* In the order of the message; inner messages are not what this one says. */
static const struct mime_part *find(const struct mime_part *p, struct str subtype)
{
	const struct mime_part *found = NULL;

	if (is_text(p, subtype))
		return p;
	for (const struct mime_part *c = p->multipart ? p->child : NULL; c && !found; c = c->next)
		found = find(c, subtype); /* depth: LIMIT_MIME_DEPTH */
	return found;
}

static struct str charset_of(const struct mime_part *p)
{
	const struct mime_param *charset = mime_param_find(p->params, p->param_count, STR("charset"));

	return charset ? charset->value : STR("us-ascii");
}

/* ---- the writer: one space between words, so many characters ---- */

struct writer {
	struct buf *out;
	unsigned    chars;
	bool        space; /* one is due before the next character */
};

static bool full(const struct writer *w)
{
	return w->chars >= MIME_PREVIEW_CHARS;
}

static bool is_blank(struct str c)
{
	unsigned char first = (unsigned char)c.p[0];

	return first <= ' ' || first == 127 || str_eq(c, STR("\xc2\xa0")) || str_eq(c, STR("\xe2\x80\x8b")) ||
	       str_eq(c, STR("\xe2\x80\x8c")) || str_eq(c, STR("\xef\xbb\xbf")) || str_eq(c, STR("\xc2\xad"));
}

static void char_put(struct writer *w, struct str c)
{
	bool control = c.n == 2 && c.p[0] == '\xc2' && (unsigned char)c.p[1] < 0xa0;

	if (is_blank(c) || control) {
		w->space = w->chars > 0;
		return;
	}
	if (w->space) {
		buf_add_char(w->out, ' ');
		w->chars++;
		w->space = false;
		if (full(w))
			return;
	}
	buf_add(w->out, c);
	w->chars++;
}

static void text_put(struct writer *w, struct str utf8)
{
	while (utf8.n > 0 && !full(w)) {
		size_t n = MAX(text_utf8_char(utf8), (size_t)1);

		char_put(w, str_first(utf8, n));
		utf8 = str_from(utf8, n);
	}
}

/* ---- plain ---- */

static bool is_quoted(struct str line)
{
	return str_starts(line, STR(">"));
}

static void plain_put(struct writer *w, struct str text, bool quoted)
{
	while (text.n > 0 && !full(w)) {
		struct str line, rest;

		(void)str_cut(text, '\n', &line, &rest);
		if (str_eq(str_chomp(str_first(text, line.n + 1)), STR("-- ")))
			return; /* the signature */
		if (quoted || !is_quoted(line)) {
			text_put(w, line);
			text_put(w, STR(" "));
		}
		text = rest;
	}
}

/* ---- HTML: not parsed, only taken off; what comes out is text, whatever it was ---- */

static const struct {
	struct str name, text;
} entities[] = {
	{ STR("amp"), STR("&") },   { STR("lt"), STR("<") },   { STR("gt"), STR(">") },
	{ STR("quot"), STR("\"") }, { STR("apos"), STR("'") }, { STR("nbsp"), STR(" ") },
};

static void code_put(struct writer *w, uint64_t c)
{
	char   p[4];
	size_t n = 0;

	if (c < 0x80) {
		p[n++] = (char)c;
	} else if (c < 0x800) {
		p[n++] = (char)(0xc0 | c >> 6);
		p[n++] = (char)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		p[n++] = (char)(0xe0 | c >> 12);
		p[n++] = (char)(0x80 | (c >> 6 & 63));
		p[n++] = (char)(0x80 | (c & 63));
	} else if (c < 0x110000) {
		p[n++] = (char)(0xf0 | c >> 18);
		p[n++] = (char)(0x80 | (c >> 12 & 63));
		p[n++] = (char)(0x80 | (c >> 6 & 63));
		p[n++] = (char)(0x80 | (c & 63));
	}
	/* Surrogates and what is too large are none. */
	if (n > 0 && text_utf8_char(str_n(p, n)) == n)
		char_put(w, str_n(p, n));
}

static bool number(struct str digits, uint64_t *ret)
{
	uint64_t v = 0;

	if (!str_skip_char(&digits, 'x') && !str_skip_char(&digits, 'X'))
		return str_to_u64(digits, ret);
	if (digits.n == 0 || digits.n > 6)
		return false;
	for (size_t i = 0; i < digits.n; i++) {
		int d = text_hex_digit(digits.p[i]);

		if (d < 0)
			return false;
		v = v << 4 | (unsigned)d;
	}
	*ret = v;
	return true;
}

/* At "&": the reference is taken and put, or the "&" is itself. */
static void entity_put(struct writer *w, struct str *in)
{
	struct str name, rest;
	uint64_t   c;

	(void)str_cut(str_sub(*in, 1, 12), ';', &name, &rest);
	if (name.n < MIN(in->n - 1, (size_t)12) && in->p[1 + name.n] == ';') {
		struct str digits = name;

		if (str_skip_char(&digits, '#') && number(digits, &c)) {
			code_put(w, c);
			*in = str_from(*in, name.n + 2);
			return;
		}
		for (size_t i = 0; i < LEN(entities); i++) {
			if (str_eq(entities[i].name, name)) {
				text_put(w, entities[i].text);
				*in = str_from(*in, name.n + 2);
				return;
			}
		}
	}
	text_put(w, STR("&"));
	*in = str_from(*in, 1);
}

static const struct {
	struct str name, close;
} hidden[] = {
	{ STR("<style"), STR("</style") },
	{ STR("<script"), STR("</script") },
	{ STR("<head"), STR("</head") },
	{ STR("<title"), STR("</title") },
};

/* A tag whose content nobody is shown; where that ends. */
static bool is_hidden(struct str in, size_t *ret_end)
{
	for (size_t i = 0; i < LEN(hidden); i++) {
		ptrdiff_t end;

		if (!str_istarts(in, hidden[i].name) || (in.n > hidden[i].name.n && ascii_is_alnum(in.p[hidden[i].name.n])))
			continue;
		end = str_isearch(in, hidden[i].close);
		*ret_end = end < 0 ? in.n : (size_t)end; /* never closed: nothing behind it is shown either */
		return true;
	}
	return false;
}

/* Tags inside words; at all others a word ends. */
static bool is_inline(struct str tag)
{
	static const struct str names[] = { STR("a"),    STR("b"),    STR("i"),    STR("u"),     STR("s"),   STR("em"),  STR("strong"),
					    STR("span"), STR("font"), STR("code"), STR("small"), STR("sub"), STR("sup"), STR("wbr") };
	size_t                  n = 0;

	(void)str_skip_char(&tag, '/');
	while (n < tag.n && ascii_is_alnum(tag.p[n]))
		n++;
	for (size_t i = 0; i < LEN(names); i++)
		if (str_ieq(names[i], str_first(tag, n)))
			return true;
	return false;
}

/* At "<": past the tag, and past what it hides. */
static void tag_skip(struct writer *w, struct str *in)
{
	ptrdiff_t end;
	size_t    hides;

	if (str_starts(*in, STR("<!--"))) {
		end = str_search(*in, STR("-->"));
		*in = end < 0 ? STR("") : str_from(*in, (size_t)end + 3);
		return;
	}
	if (is_hidden(*in, &hides))
		*in = str_from(*in, hides);
	if (!is_inline(str_from(*in, MIN(in->n, (size_t)1))))
		text_put(w, STR(" "));
	end = str_find(*in, '>');
	*in = end < 0 ? STR("") : str_from(*in, (size_t)end + 1);
}

static void html_put(struct writer *w, struct str text)
{
	while (text.n > 0 && !full(w)) {
		size_t n = 0;

		if (text.p[0] == '<') {
			tag_skip(w, &text);
			continue;
		}
		if (text.p[0] == '&') {
			entity_put(w, &text);
			continue;
		}
		while (n < text.n && text.p[n] != '<' && text.p[n] != '&')
			n++;
		text_put(w, str_first(text, n));
		text = str_from(text, n);
	}
}

static void part_put(struct str message, const struct mime_part *p, bool html, struct buf *out)
{
	struct writer w = { .out = out };
	struct buf    body, utf8;
	size_t        before = out->n;

	buf_init(&body, BODY + 16);
	buf_init(&utf8, BODY * 4);
	if (mime_decode_body(str_first(str_sub(message, p->body_at, p->body_n), BODY), p->encoding, &body)) {
		(void)text_to_utf8(charset_of(p), buf_str(&body), &utf8);
		if (html)
			html_put(&w, buf_str(&utf8));
		else
			plain_put(&w, buf_str(&utf8), false);
		if (!html && out->n == before)
			plain_put(&w, buf_str(&utf8), true);
	}
	buf_done(&body);
	buf_done(&utf8);
}

void mime_preview(struct str message, struct arena *a, struct buf *out)
{
	size_t                  before = out->n;
	struct mime             m;
	const struct mime_part *p;

	mime_parse(message, a, &m);
	p = find(m.root, STR("PLAIN"));
	if (p)
		part_put(message, p, false, out);
	p = out->n == before ? find(m.root, STR("HTML")) : NULL;
	if (p)
		part_put(message, p, true, out);
}
