/* wire/mime/mime_lex.c - see mime_lex.h. */
#include "wire/mime/mime_lex.h"

#include <string.h>

bool mime_lex_is_ws(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

bool mime_lex_is_token(char c)
{
	return (unsigned char)c > 32 && c != 127 && !memchr("()<>@,;:\\\"/[]?=", c, 15);
}

void mime_lex_ws(struct str *s)
{
	size_t i = 0;

	while (i < s->n && mime_lex_is_ws(s->p[i]))
		i++;
	*s = str_from(*s, i);
}

bool mime_lex_cfws(struct str *s)
{
	size_t i, depth = 0;

	for (i = 0; i < s->n; i++) {
		char c = s->p[i];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0 && i + 1 < s->n)
			i++;
		else if (depth == 0 && !mime_lex_is_ws(c))
			break;
	}
	*s = str_from(*s, i);
	return depth == 0;
}

struct str mime_lex_token(struct str *s)
{
	struct str token = { s->p, 0 };

	while (token.n < s->n && mime_lex_is_token(s->p[token.n]))
		token.n++;
	*s = str_from(*s, token.n);
	return token;
}

/* `raw` without backslashes and line ends. */
static struct str unquote(struct str raw, struct arena *a)
{
	char  *p = arena_alloc(a, raw.n);
	size_t n = 0;

	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] == '\r' || raw.p[i] == '\n')
			continue;
		if (raw.p[i] == '\\' && i + 1 < raw.n)
			i++;
		p[n++] = raw.p[i];
	}
	return (struct str){ p, n };
}

struct str mime_lex_quoted(struct str *s, struct arena *a, bool *ret_closed)
{
	bool       plain = true;
	size_t     i = 1;
	struct str raw;

	CHECK(s->n > 0 && s->p[0] == '"');
	for (; i < s->n && s->p[i] != '"'; i++) {
		if (s->p[i] == '\\' || s->p[i] == '\r' || s->p[i] == '\n')
			plain = false;
		if (s->p[i] == '\\' && i + 1 < s->n)
			i++;
	}
	*ret_closed = i < s->n;
	raw = str_sub(*s, 1, i - 1);
	*s = str_from(*s, i + 1);
	return plain ? raw : unquote(raw, a);
}
