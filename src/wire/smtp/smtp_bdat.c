/* wire/smtp/smtp_bdat.c - grammar and contract are in smtp_bdat.h. */
#include "wire/smtp/smtp_bdat.h"

#include <string.h>

bool smtp_bdat_parse(struct str arg, struct smtp_bdat *ret)
{
	struct smtp_bdat b = { 0 };
	struct str       size, marker;

	b.last = str_cut(arg, ' ', &size, &marker);
	if (b.last && !str_ieq(marker, STR("LAST")))
		return false;
	if (size.n > 20 || !str_to_u64(size, &b.octets))
		return false;
	*ret = b;
	return true;
}

void smtp_chunk_init(struct smtp_chunk *c, bool normalise)
{
	*c = (struct smtp_chunk){ .normalise = normalise };
}

static void emit(struct smtp_chunk *c, struct str run, smtp_data_fn out, void *ctx)
{
	if (run.n == 0)
		return;
	out(ctx, run);
	c->middle = run.p[run.n - 1] != '\n';
}

/* A CR or LF that is alone, and not handed on yet. */
static void bare(struct smtp_chunk *c, char octet, smtp_data_fn out, void *ctx)
{
	if (octet == '\r')
		c->bare_cr = true;
	else
		c->bare_lf = true;
	emit(c, c->normalise ? STR("\r\n") : octet == '\r' ? STR("\r") : STR("\n"), out, ctx);
}

/* The CR that was held, now that `next` is known. */
static void held(struct smtp_chunk *c, struct str *in, smtp_data_fn out, void *ctx)
{
	c->cr = false;
	if (str_skip_char(in, '\n'))
		emit(c, STR("\r\n"), out, ctx);
	else
		bare(c, '\r', out, ctx);
}

/* Octets up to the first CR or LF that is no part of a CRLF inside `in`. *lf: the first LF from in.p on, or the end, when it is not before
 * in.p; it is looked for again only behind it, so that many CRs cost no more. */
static size_t clean_length(struct str in, const char **lf)
{
	const char *at = in.p, *end = in.p + in.n, *cr;

	for (;;) {
		if (!*lf || *lf < at) {
			*lf = memchr(at, '\n', (size_t)(end - at));
			*lf = *lf ? *lf : end;
		}
		cr = memchr(at, '\r', (size_t)(*lf - at));
		if (!cr)
			return (size_t)(*lf - in.p); /* a bare LF, or the end */
		if (cr + 1 != *lf || *lf == end)
			return (size_t)(cr - in.p);
		at = *lf + 1;
	}
}

void smtp_chunk_feed(struct smtp_chunk *c, struct str in, smtp_data_fn out, void *ctx)
{
	const char *lf = NULL;

	if (in.n > 0 && memchr(in.p, 0, in.n))
		c->nul = true;
	if (c->cr && in.n > 0)
		held(c, &in, out, ctx);
	while (in.n > 0) {
		size_t n = clean_length(in, &lf);

		emit(c, str_first(in, n), out, ctx);
		in = str_from(in, n);
		if (in.n == 0)
			break;
		if (in.n == 1 && in.p[0] == '\r') {
			c->cr = true;
			break;
		}
		bare(c, in.p[0], out, ctx);
		in = str_from(in, 1);
	}
}

void smtp_chunk_end(struct smtp_chunk *c, smtp_data_fn out, void *ctx)
{
	if (c->cr) {
		c->cr = false;
		bare(c, '\r', out, ctx);
	}
	if (c->middle)
		emit(c, STR("\r\n"), out, ctx);
}
