/* wire/mime/mime_decoder.c - contract is in mime_decoder.h. */
#include "wire/mime/mime_decoder.h"

#include "base/limits.h"
#include "wire/text/text_base64.h"
#include "wire/text/text_qp.h"

#define LINE LIMIT_IMAP_BINARY_LINE

bool mime_decoder_init(struct mime_decoder *d, struct str encoding)
{
	*d = (struct mime_decoder){ .kind = MIME_DECODER_IDENTITY };
	buf_init(&d->held, LINE + 8);
	if (str_eq(encoding, STR("BASE64")))
		d->kind = MIME_DECODER_BASE64;
	else if (str_eq(encoding, STR("QUOTED-PRINTABLE")))
		d->kind = MIME_DECODER_QP;
	else
		return str_eq(encoding, STR("7BIT")) || str_eq(encoding, STR("8BIT")) || str_eq(encoding, STR("BINARY"));
	return true;
}

static bool is_digit64(char c)
{
	return ascii_is_alnum(c) || c == '+' || c == '/';
}

/* How much of `in` is whole groups, and what of the rest belongs to the next one. */
static size_t groups(struct str in, struct str held, size_t *ret_have)
{
	size_t have = held.n, whole = 0;

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '=')
			have = 0;
		else if (is_digit64(in.p[i]))
			have++;
		else
			continue;
		if (have == 4 || have == 0) {
			have = 0;
			whole = i + 1;
		}
	}
	*ret_have = have;
	return whole;
}

static void base64_feed(struct mime_decoder *d, struct str in, struct buf *out)
{
	size_t have, whole = groups(in, buf_str(&d->held), &have);

	if (whole > 0) {
		/* The group that had begun: up to the octet that ends it. */
		size_t first = 0;

		while (d->held.n > 0 && first < whole) {
			char c = in.p[first++];

			if (c == '=' || is_digit64(c))
				buf_add_char(&d->held, c);
			if (c == '=' || d->held.n == 4)
				break;
		}
		text_base64_decode_lenient(buf_str(&d->held), out);
		buf_clear(&d->held);
		text_base64_decode_lenient(str_sub(in, first, whole - first), out);
	}
	for (size_t i = whole; i < in.n; i++)
		if (is_digit64(in.p[i]))
			buf_add_char(&d->held, in.p[i]);
	CHECK(d->held.n == have && have < 4);
}

/* Where a line that is too long may be cut: not in a code, not behind a blank (they would be taken for the end of a line). */
static size_t cut_at(struct str line)
{
	size_t n = line.n;

	while (n > 3 && (ascii_is_wsp(line.p[n - 1]) || line.p[n - 1] == '\r' || line.p[n - 1] == '=' || line.p[n - 2] == '='))
		n--;
	return n > 3 ? n : line.n;
}

static void qp_feed(struct mime_decoder *d, struct str in, struct buf *out)
{
	while (in.n > 0) {
		struct str take = str_first(in, LINE - d->held.n);
		ptrdiff_t  lf = str_find(take, '\n');
		size_t     cut;

		take = lf < 0 ? take : str_first(take, (size_t)lf + 1);
		buf_add(&d->held, take);
		in = str_from(in, take.n);
		if (lf < 0 && d->held.n < LINE)
			return;
		cut = lf < 0 ? cut_at(buf_str(&d->held)) : d->held.n;
		text_qp_decode(str_first(buf_str(&d->held), cut), out);
		buf_consume(&d->held, cut);
	}
}

void mime_decoder_feed(struct mime_decoder *d, struct str in, struct buf *out)
{
	switch (d->kind) {
	case MIME_DECODER_IDENTITY: buf_add(out, in); break;
	case MIME_DECODER_BASE64: base64_feed(d, in, out); break;
	case MIME_DECODER_QP: qp_feed(d, in, out); break;
	}
}

void mime_decoder_end(struct mime_decoder *d, struct buf *out)
{
	if (d->kind == MIME_DECODER_BASE64)
		text_base64_decode_lenient(buf_str(&d->held), out);
	else if (d->kind == MIME_DECODER_QP)
		text_qp_decode(buf_str(&d->held), out);
	buf_clear(&d->held);
}

void mime_decoder_done(struct mime_decoder *d)
{
	buf_done(&d->held);
}
