/* wire/mime/mime_build.c - see mime_build.h. */
#include "wire/mime/mime_build.h"

#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "wire/text/text_word.h"

#define LINE_SOFT ((size_t)78)
#define LINE_HARD ((size_t)998)

static bool is_break(char c)
{
	return c == '\r' || c == '\n' || c == '\0';
}

static void add_clean(struct str s, struct buf *out)
{
	char *p = buf_room(out, s.n);

	if (!p)
		return;
	for (size_t i = 0; i < s.n; i++)
		p[i] = is_break(s.p[i]) ? ' ' : s.p[i];
	buf_commit(out, s.n);
}

/* The next piece: blanks and the word behind them. A line of blanks only would end the header for some, so blanks at
 * the end go with the word before. */
static size_t piece_length(struct str s)
{
	size_t n = 0, blanks;

	while (n < s.n && (ascii_is_wsp(s.p[n]) || is_break(s.p[n])))
		n++;
	while (n < s.n && !ascii_is_wsp(s.p[n]) && !is_break(s.p[n]))
		n++;
	for (blanks = n; blanks < s.n && (ascii_is_wsp(s.p[blanks]) || is_break(s.p[blanks])); blanks++)
		;
	return blanks == s.n ? blanks : n;
}

void mime_build_field(struct str name, struct str value, struct buf *out)
{
	size_t column = name.n + 1;

	value = str_trim_ws(value);
	add_clean(name, out);
	buf_add(out, value.n ? STR(": ") : STR(":"));
	column += value.n ? 1 : 0;
	for (bool first = true; value.n > 0 && !out->over; first = false) {
		size_t n = piece_length(value);

		if (!first && column + n > LINE_SOFT) {
			buf_add(out, STR("\r\n")); /* the piece begins with a blank: folding white space */
			column = 0;
		}
		if (n > LINE_HARD - column) { /* a word longer than a line may be: cut it, there is no better place */
			n = LINE_HARD - column;
			add_clean(str_first(value, n), out);
			buf_add(out, STR("\r\n "));
			column = 1;
		} else {
			add_clean(str_first(value, n), out);
			column += n;
		}
		value = str_from(value, n);
	}
	buf_add(out, STR("\r\n"));
}

void mime_build_text(struct str name, struct str text, bool utf8, struct buf *out)
{
	struct buf words;

	if (str_is_ascii(text) || (utf8 && str_is_utf8(text))) {
		mime_build_field(name, text, out);
		return;
	}
	buf_init(&words, LIMIT_HEADER_BLOCK);
	text_words_encode(text, &words);
	mime_build_field(name, buf_str(&words), out);
	buf_done(&words);
}

static bool is_phrase_atom(char c)
{
	return ascii_is_alnum(c) || c == ' ' || ((unsigned char)c > 32 && !memchr("()<>@,;:\\\".[]\x7f", c, 14));
}

/* display-name, RFC 5322 §3.4: atoms if they do, else a quoted string. */
static void phrase_write(struct str display, bool utf8, struct buf *out)
{
	bool atoms = true;

	if (!str_is_ascii(display) && !utf8) {
		text_words_encode(display, out);
		return;
	}
	for (size_t i = 0; i < display.n; i++)
		atoms = atoms && is_phrase_atom(display.p[i]);
	if (atoms) {
		buf_add(out, display);
		return;
	}
	buf_add_char(out, '"');
	for (size_t i = 0; i < display.n; i++) {
		if (display.p[i] == '"' || display.p[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, display.p[i]);
	}
	buf_add_char(out, '"');
}

void mime_build_mailbox(struct str name, struct str display, struct str address, bool utf8, struct buf *out)
{
	struct buf value;

	buf_init(&value, LIMIT_HEADER_BLOCK);
	if (display.n) {
		phrase_write(display, utf8, &value);
		buf_add_char(&value, ' ');
	}
	buf_add_char(&value, '<');
	buf_add(&value, address);
	buf_add_char(&value, '>');
	mime_build_field(name, buf_str(&value), out);
	buf_done(&value);
}

void mime_build_date(struct str name, struct text_date when, struct buf *out)
{
	add_clean(name, out);
	buf_add(out, STR(": "));
	text_date_write(when, out);
	buf_add(out, STR("\r\n"));
}

void mime_build_part(struct str boundary, struct str type, struct str encoding, struct buf *out)
{
	buf_add(out, STR("\r\n--"));
	add_clean(boundary, out);
	buf_add(out, STR("\r\n"));
	mime_build_field(STR("Content-Type"), type, out);
	mime_build_field(STR("Content-Transfer-Encoding"), encoding, out);
	buf_add(out, STR("\r\n"));
}

void mime_build_end(struct str boundary, struct buf *out)
{
	buf_add(out, STR("\r\n--"));
	add_clean(boundary, out);
	buf_add(out, STR("--\r\n"));
}

/* What others chose, made harmless: it may not open a comment, end the field or look like another clause. */
static void add_token(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		buf_add_char(out, (unsigned char)c <= 32 || c == 127 || memchr("()<>;,\\\"", c, 8) ? '?' : c);
	}
}

static void clause(struct str word, struct str value, struct buf *out)
{
	if (value.n == 0)
		return;
	if (out->n > 0)
		buf_add_char(out, ' ');
	buf_add(out, word);
	add_token(value, out);
}

void mime_build_received(const struct mime_received *r, struct buf *out)
{
	struct buf v;

	buf_init(&v, LIMIT_HEADER_BLOCK);
	clause(STR("from "), r->helo.n ? r->helo : r->ip.n ? STR("unknown") : STR_NONE, &v);
	if (r->ip.n) {
		buf_add(&v, STR(" ("));
		add_token(r->rdns.n ? r->rdns : STR("unknown"), &v);
		buf_add(&v, str_find(r->ip, ':') >= 0 ? STR(" [IPv6:") : STR(" ["));
		add_token(r->ip, &v);
		buf_add(&v, STR("])"));
	}
	clause(STR("by "), r->by, &v);
	clause(STR("with "), r->with, &v);
	clause(STR("id "), r->id, &v);
	if (r->recipient.n) {
		buf_add(&v, STR(" for <"));
		add_token(r->recipient, &v);
		buf_add_char(&v, '>');
	}
	buf_add(&v, STR("; "));
	text_date_write(r->when, &v);
	mime_build_field(STR("Received"), buf_str(&v), out);
	buf_done(&v);
}
