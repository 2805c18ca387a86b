/* wire/imap/imap_return.c - grammar and contract are in imap_return.h. */
#include "wire/imap/imap_return.h"

static const struct {
	struct str           word;
	enum imap_return_opt bit;
} opts[] = {
	{ STR("MIN"), IMAP_RETURN_MIN },         { STR("MAX"), IMAP_RETURN_MAX },         { STR("ALL"), IMAP_RETURN_ALL },
	{ STR("COUNT"), IMAP_RETURN_COUNT },     { STR("SAVE"), IMAP_RETURN_SAVE },       { STR("PARTIAL"), IMAP_RETURN_PARTIAL },
	{ STR("CONTEXT"), IMAP_RETURN_CONTEXT }, { STR("UPDATE"), IMAP_RETURN_UPDATE },
};

static bool nz_number(struct imap_lex *x, uint32_t *ret)
{
	return imap_lex_peek(x) != '0' && imap_lex_number(x, ret);
}

bool imap_lex_partial(struct imap_lex *x, struct imap_partial *ret)
{
	struct imap_partial p = { .text = x->in };
	uint32_t            a, b;

	p.back = imap_lex_char(x, '-');
	if (!nz_number(x, &a) || !imap_lex_char(x, ':') || imap_lex_char(x, '-') != p.back || !nz_number(x, &b))
		return false;
	p.from = MIN(a, b);
	p.to = MAX(a, b);
	p.text = str_first(p.text, p.text.n - x->in.n);
	*ret = p;
	return true;
}

/* What UPDATE wants fetched, if it stands here: kept as text, which FETCH reads again. */
static bool fetch_take(struct imap_lex *x, struct str *ret)
{
	struct imap_lex   y = *x;
	struct imap_fetch f;

	if (imap_lex_peek(&y) != '(' && (!imap_lex_sp(&y) || imap_lex_peek(&y) != '('))
		return true;
	*x = y;
	if (!imap_lex_fetch(x, &f))
		return false;
	*ret = str_first(y.in, y.in.n - x->in.n);
	return true;
}

static bool opt_take(struct imap_lex *x, struct imap_return *r)
{
	const unsigned one = IMAP_RETURN_ALL | IMAP_RETURN_PARTIAL;

	for (size_t i = 0; i < LEN(opts); i++) {
		if (!imap_lex_word(x, opts[i].word))
			continue;
		if (opts[i].bit == IMAP_RETURN_PARTIAL &&
		    ((r->what & IMAP_RETURN_PARTIAL) || !imap_lex_sp(x) || !imap_lex_partial(x, &r->partial)))
			return false;
		if (opts[i].bit == IMAP_RETURN_UPDATE && !fetch_take(x, &r->fetch))
			return false;
		r->what |= opts[i].bit;
		return (r->what & one) != one;
	}
	return false;
}

bool imap_lex_return(struct imap_lex *x, struct imap_return *ret)
{
	struct imap_return r = { .given = true };

	if (!imap_lex_word(x, STR("RETURN"))) {
		*ret = (struct imap_return){ 0 };
		return true;
	}
	if (!imap_lex_sp(x) || !imap_lex_char(x, '('))
		return false;
	if (!imap_lex_char(x, ')')) {
		do {
			if (!opt_take(x, &r))
				return false;
		} while (imap_lex_sp(x));
		if (!imap_lex_char(x, ')'))
			return false;
	}
	/* RFC 4731 §3.1: none is ALL. SAVE alone tells nothing (RFC 5182 §2.1); UPDATE and CONTEXT say nothing of what is told. */
	if (!(r.what & (IMAP_RETURN_TOLD | IMAP_RETURN_SAVE)))
		r.what |= IMAP_RETURN_ALL;
	*ret = r;
	return true;
}

void imap_partial_cut(const struct imap_partial *p, uint64_t count, uint64_t *ret_first, uint64_t *ret_n)
{
	uint64_t to = MIN((uint64_t)p->to, count);

	*ret_n = p->from > count ? 0 : to - p->from + 1;
	*ret_first = *ret_n == 0 ? 0 : p->back ? count - to : p->from - 1u;
}
