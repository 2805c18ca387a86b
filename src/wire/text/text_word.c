/* wire/text/text_word.c - see text_word.h.
 *
 * RFC 2047 §2:  encoded-word = "=?" charset "?" encoding "?" encoded-text "?="
 */
#include "wire/text/text_word.h"

#include "wire/text/text_base64.h"
#include "wire/text/text_charset.h"

#define WORD_MAX ((size_t)75) /* RFC 2047 §2 */
#define PREFIX_B STR("=?utf-8?B?")
#define PREFIX_Q STR("=?utf-8?Q?")
#define SUFFIX   STR("?=")

struct word {
	struct str charset, text;
	bool       base64;
};

enum taken { TAKEN, NO_WORD, NO_END }; /* NO_END: nothing in the rest ends an encoded word */

/* An encoded word at the start of *in: take it off. */
static enum taken word_take(struct str *in, struct word *ret)
{
	struct str rest = *in, charset, encoding, language;
	ptrdiff_t  end;

	if (!str_skip(&rest, STR("=?")) || !str_cut(rest, '?', &charset, &rest) || charset.n == 0)
		return NO_WORD;
	if (!str_cut(rest, '?', &encoding, &rest) || encoding.n != 1)
		return NO_WORD;
	if (ascii_upper(encoding.p[0]) != 'B' && ascii_upper(encoding.p[0]) != 'Q')
		return NO_WORD;
	for (size_t i = 0; i < charset.n; i++)
		if (charset.p[i] <= ' ' || charset.p[i] == '=' || charset.p[i] == '"')
			return NO_WORD;
	end = str_search(rest, SUFFIX);
	if (end < 0)
		return NO_END;
	ret->text = str_first(rest, (size_t)end);
	str_cut(charset, '*', &ret->charset, &language);
	ret->base64 = ascii_upper(encoding.p[0]) == 'B';
	*in = str_from(rest, (size_t)end + SUFFIX.n);
	return TAKEN;
}

static void q_decode(struct str in, struct buf *out)
{
	for (size_t i = 0; i < in.n && !out->over; i++) {
		int high = in.n - i > 2 ? text_hex_digit(in.p[i + 1]) : -1;
		int low = in.n - i > 2 ? text_hex_digit(in.p[i + 2]) : -1;

		if (in.p[i] == '=' && high >= 0 && low >= 0) {
			buf_add_char(out, (char)(high << 4 | low));
			i += 2;
		} else {
			buf_add_char(out, in.p[i] == '_' ? ' ' : in.p[i]);
		}
	}
}

static struct str skip_ws(struct str s)
{
	while (s.n > 0 && (ascii_is_wsp(s.p[0]) || s.p[0] == '\r' || s.p[0] == '\n'))
		s = str_from(s, 1);
	return s;
}

/* `first` and the encoded words of the same charset that follow it. */
static struct str run_decode(struct word first, struct str rest, struct buf *out)
{
	struct buf  octets;
	struct word w = first;
	struct str  next = rest;

	buf_init(&octets, out->max);
	for (;;) {
		if (w.base64)
			text_base64_decode_lenient(w.text, &octets);
		else
			q_decode(w.text, &octets);
		rest = next;
		next = skip_ws(next);
		if (word_take(&next, &w) != TAKEN || !str_ieq(w.charset, first.charset))
			break;
	}
	out->over = out->over || octets.over;
	text_to_utf8(first.charset, buf_str(&octets), out);
	buf_done(&octets);
	return rest;
}

void text_words_decode(struct str in, struct buf *out)
{
	struct str plain = in; /* what is not yet written */

	while (in.n > 0 && !out->over) {
		ptrdiff_t   at = str_search(in, STR("=?"));
		struct word w;
		struct str  rest, gap;
		enum taken  taken;

		if (at < 0)
			break;
		rest = in = str_from(in, (size_t)at);
		taken = word_take(&rest, &w);
		if (taken == NO_END)
			break; /* nor behind the next "=?": one search of the rest is enough */
		if (taken == NO_WORD) {
			in = str_from(in, 2);
			continue;
		}
		text_guess_utf8(str_first(plain, plain.n - in.n), out);
		in = run_decode(w, rest, out);
		plain = in;
		gap = skip_ws(in);
		rest = gap;
		if (word_take(&rest, &w) == TAKEN)
			plain = in = gap; /* between two encoded words white space does not count */
	}
	text_guess_utf8(plain, out);
}

static bool needs_coding(struct str word)
{
	return !str_is_ascii(word) || str_has_ctl(word) || str_search(word, STR("=?")) >= 0;
}

/* RFC 2047 §5 (3): what may stand for itself in a phrase. */
static bool q_plain(char c)
{
	return ascii_is_alnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

static size_t q_length(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += q_plain(s.p[i]) || s.p[i] == ' ' ? 1 : 3;
	return n;
}

static void q_encode(struct str in, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < in.n; i++) {
		unsigned char c = (unsigned char)in.p[i];
		char          code[3] = { '=', digits[c >> 4], digits[c & 15] };

		if (c == ' ')
			buf_add_char(out, '_');
		else if (q_plain((char)c))
			buf_add_char(out, (char)c);
		else
			buf_add(out, str_n(code, sizeof(code)));
	}
}

/* As many whole characters as one encoded word holds. */
static struct str word_cut(struct str in, bool base64)
{
	size_t room = WORD_MAX - PREFIX_B.n - SUFFIX.n, n = 0, used = 0;

	while (n < in.n) {
		size_t c = text_utf8_char(str_from(in, n));
		size_t cost = base64 ? 0 : q_length(str_sub(in, n, c));

		if (base64 ? (n + c + 2) / 3 * 4 > room : used + cost > room)
			break;
		n += c;
		used += cost;
	}
	return str_first(in, n);
}

static void run_encode(struct str in, struct buf *out)
{
	bool base64 = q_length(in) > (in.n + 2) / 3 * 4;

	for (bool first = true; in.n > 0 && !out->over; first = false) {
		struct str piece = word_cut(in, base64);

		if (!first)
			buf_add_char(out, ' ');
		buf_add(out, base64 ? PREFIX_B : PREFIX_Q);
		if (base64)
			text_base64_encode(piece, out);
		else
			q_encode(piece, out);
		buf_add(out, SUFFIX);
		in = str_from(in, piece.n);
	}
}

static void utf8_encode(struct str in, struct buf *out)
{
	size_t first = in.n, end = 0, at = 0;

	while (at < in.n) {
		struct str word, rest;

		str_cut(str_from(in, at), ' ', &word, &rest);
		if (needs_coding(word)) {
			first = MIN(first, at);
			end = at + word.n;
		}
		at += word.n + 1;
	}
	buf_add(out, str_first(in, first));
	if (first < end)
		run_encode(str_sub(in, first, end - first), out);
	buf_add(out, str_from(in, MAX(first, end)));
}

void text_words_encode(struct str in, struct buf *out)
{
	struct buf fixed;

	if (!needs_coding(in)) {
		buf_add(out, in);
		return;
	}
	if (str_is_utf8(in)) {
		utf8_encode(in, out);
		return;
	}
	buf_init(&fixed, MIN(out->max, SIZE_MAX / 4) + in.n * 3);
	text_guess_utf8(in, &fixed);
	utf8_encode(buf_str(&fixed), out);
	buf_done(&fixed);
}
