/* wire/imap/imap_lex.c - grammar and contract are in imap_lex.h. */
#include "wire/imap/imap_lex.h"

bool imap_is_atom_char(char c)
{
	/* ATOM-CHAR is any CHAR but atom-specials: "(" ")" "{" SP CTL list-wildcards quoted-specials "]" */
	return c > ' ' && c < 127 && str_find(STR("(){%*\"\\]"), c) < 0;
}

bool imap_lex_char(struct imap_lex *x, char c)
{
	return str_skip_char(&x->in, c);
}

bool imap_lex_sp(struct imap_lex *x)
{
	return imap_lex_char(x, ' ');
}

bool imap_lex_end(const struct imap_lex *x)
{
	return x->in.n == 0;
}

char imap_lex_peek(const struct imap_lex *x)
{
	return x->in.n > 0 ? x->in.p[0] : 0;
}

/* 1*(ATOM-CHAR / one of `also`) */
static bool run_take(struct imap_lex *x, struct str also, struct str *ret)
{
	size_t n = 0;

	while (n < x->in.n && (imap_is_atom_char(x->in.p[n]) || str_find(also, x->in.p[n]) >= 0))
		n++;
	if (n == 0)
		return false;
	*ret = str_first(x->in, n);
	x->in = str_from(x->in, n);
	return true;
}

bool imap_lex_atom(struct imap_lex *x, struct str *ret)
{
	return run_take(x, STR_NONE, ret);
}

/* A copy of quoted text without the backslashes. */
static struct str unescape(struct arena *a, struct str quoted)
{
	char  *p = arena_alloc(a, quoted.n);
	size_t n = 0;

	for (size_t i = 0; i < quoted.n; i++) {
		if (quoted.p[i] == '\\')
			i++;
		p[n++] = quoted.p[i];
	}
	return str_n(p, n);
}

/* quoted = DQUOTE *QUOTED-CHAR DQUOTE; QUOTED-CHAR has no CR, LF or NUL, and "\" only before a quoted-special. */
static bool quoted_take(struct imap_lex *x, struct str *ret)
{
	bool   escaped = false;
	size_t i = 1;

	for (; i < x->in.n && x->in.p[i] != '"'; i++) {
		char c = x->in.p[i];

		if (c == '\\') {
			escaped = true;
			i++;
			if (i == x->in.n || (x->in.p[i] != '"' && x->in.p[i] != '\\'))
				return false;
		} else if (c == '\r' || c == '\n' || c == 0) {
			return false;
		}
	}
	if (i == x->in.n)
		return false;

	struct str inside = str_sub(x->in, 1, i - 1);

	if (!str_is_utf8(inside))
		return false;
	*ret = escaped ? unescape(x->arena, inside) : inside;
	x->in = str_from(x->in, i + 1);
	return true;
}

static bool literal_take(struct imap_lex *x, bool nul, struct str *ret)
{
	uint64_t n;

	x->in = str_from(x->in, 1);
	if (!str_take_u64(&x->in, &n))
		return false;
	(void)str_skip_char(&x->in, '+');
	if (!str_skip(&x->in, STR("}\r\n")) || n > x->in.n)
		return false;

	struct str octets = str_first(x->in, (size_t)n);

	if (!nul && str_find(octets, 0) >= 0)
		return false;
	*ret = octets;
	x->in = str_from(x->in, (size_t)n);
	return true;
}

bool imap_lex_string(struct imap_lex *x, struct str *ret)
{
	switch (imap_lex_peek(x)) {
	case '"': return quoted_take(x, ret);
	case '{': return literal_take(x, false, ret);
	default: return false;
	}
}

bool imap_lex_literal8(struct imap_lex *x, struct str *ret)
{
	return imap_lex_char(x, '~') && imap_lex_peek(x) == '{' && literal_take(x, true, ret);
}

bool imap_lex_astring(struct imap_lex *x, struct str *ret)
{
	return run_take(x, STR("]"), ret) || imap_lex_string(x, ret);
}

bool imap_lex_nstring(struct imap_lex *x, struct str *ret)
{
	if (imap_lex_word(x, STR("NIL"))) {
		*ret = STR_NONE;
		return true;
	}
	return imap_lex_string(x, ret);
}

bool imap_lex_pattern(struct imap_lex *x, struct str *ret)
{
	return run_take(x, STR("%*]"), ret) || imap_lex_string(x, ret);
}

bool imap_lex_number64(struct imap_lex *x, uint64_t *ret)
{
	uint64_t v;

	if (!str_take_u64(&x->in, &v) || v > INT64_MAX)
		return false;
	*ret = v;
	return true;
}

bool imap_lex_number(struct imap_lex *x, uint32_t *ret)
{
	uint64_t v;

	if (!imap_lex_number64(x, &v) || v > UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

bool imap_lex_word(struct imap_lex *x, struct str word)
{
	if (!str_istarts(x->in, word) || (x->in.n > word.n && imap_is_atom_char(x->in.p[word.n])))
		return false;
	x->in = str_from(x->in, word.n);
	return true;
}

bool imap_lex_enter(struct imap_lex *x)
{
	if (x->depth >= LIMIT_IMAP_DEPTH)
		return false;
	x->depth++;
	return true;
}

void imap_lex_leave(struct imap_lex *x)
{
	CHECK(x->depth > 0);
	x->depth--;
}

bool imap_literal_follows(struct str line, struct imap_literal *ret)
{
	struct imap_literal l = { .sync = true };
	ptrdiff_t           open = str_rfind(line, '{');

	if (open < 0 || line.p[line.n - 1] != '}')
		return false;

	struct str inside = str_sub(line, (size_t)open + 1, line.n - (size_t)open - 2);

	if (!str_take_u64(&inside, &l.n))
		return false;
	if (str_skip_char(&inside, '+'))
		l.sync = false;
	if (inside.n > 0)
		return false;
	l.binary = open > 0 && line.p[open - 1] == '~';
	*ret = l;
	return true;
}
