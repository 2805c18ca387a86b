/* wire/dkim/dkim_canon.c - contract is in dkim_canon.h. */
#include "wire/dkim/dkim_canon.h"

#include <string.h>

#define ENDS_AT_ONCE 32u

/* ---- body ---- */

void dkim_body_init(struct dkim_body *b, enum dkim_canon canon, dkim_sink *sink, void *ctx)
{
	*b = (struct dkim_body){ .canon = canon, .sink = sink, .ctx = ctx };
}

/* Something follows: the line ends before it count now. */
static void ends_give(struct dkim_body *b)
{
	char     lines[2 * ENDS_AT_ONCE];
	uint64_t n;

	for (unsigned i = 0; b->ends > 0 && i < ENDS_AT_ONCE; i++)
		memcpy(lines + 2 * i, "\r\n", 2);
	for (; b->ends > 0; b->ends -= n) {
		n = MIN(b->ends, (uint64_t)ENDS_AT_ONCE);
		b->sink(b->ctx, str_n(lines, (size_t)(2 * n)));
	}
}

static void give(struct dkim_body *b, struct str octets)
{
	ends_give(b);
	if (b->blank)
		b->sink(b->ctx, STR(" "));
	b->blank = false;
	b->any = true;
	b->sink(b->ctx, octets);
}

/* Octets that need no decision. */
static size_t plain_length(const struct dkim_body *b, struct str in)
{
	size_t n = 0;

	while (n < in.n && in.p[n] != '\r' && (b->canon == DKIM_SIMPLE || !ascii_is_wsp(in.p[n])))
		n++;
	return n;
}

/* The octet behind a CR. False: it is not the LF, and still to be looked at. */
static bool after_cr(struct dkim_body *b, char c)
{
	b->cr = false;
	if (c != '\n') {
		give(b, STR("\r"));
		return false;
	}
	b->blank = false;
	b->ends++;
	return true;
}

void dkim_body_add(struct dkim_body *b, struct str in)
{
	while (in.n > 0) {
		size_t n = 1;

		if (b->cr) {
			n = after_cr(b, in.p[0]) ? 1 : 0;
		} else if (in.p[0] == '\r') {
			b->cr = true;
		} else if (b->canon == DKIM_RELAXED && ascii_is_wsp(in.p[0])) {
			b->blank = true;
		} else {
			n = plain_length(b, in);
			give(b, str_first(in, n));
		}
		in = str_from(in, n);
	}
}

void dkim_body_end(struct dkim_body *b)
{
	if (b->cr)
		(void)after_cr(b, '\0');
	if (b->any || b->canon == DKIM_SIMPLE)
		b->sink(b->ctx, STR("\r\n"));
}

/* ---- header ---- */

static void relaxed_value(struct str value, struct buf *out)
{
	bool blank = false, any = false;

	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\r' && i + 1 < value.n && value.p[i + 1] == '\n') {
			i++; /* unfolded */
		} else if (ascii_is_wsp(value.p[i])) {
			blank = any;
		} else {
			if (blank)
				buf_add_char(out, ' ');
			buf_add_char(out, value.p[i]);
			blank = false;
			any = true;
		}
	}
}

void dkim_header_field(enum dkim_canon canon, struct str whole, struct buf *out)
{
	struct str name, value;

	if (!str_cut(whole, ':', &name, &value))
		return;
	whole = str_chomp(whole);
	if (canon == DKIM_SIMPLE) {
		buf_add(out, whole);
	} else {
		name = str_trim_ws(name);
		for (size_t i = 0; i < name.n; i++)
			buf_add_char(out, ascii_lower(name.p[i]));
		buf_add_char(out, ':');
		relaxed_value(str_chomp(value), out);
	}
	buf_add(out, STR("\r\n"));
}
