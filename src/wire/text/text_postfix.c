/* wire/text/text_postfix.c - see text_postfix.h. */
#include "wire/text/text_postfix.h"

#include "base/limits.h"

static bool is_name(char c)
{
	return ascii_is_alnum(c) || c == '_';
}

static bool is_blank(char c)
{
	return ascii_is_wsp(c) || c == '\r' || c == '\n';
}

bool text_postfix_param(struct str line, struct str *ret_name, struct str *ret_value)
{
	struct str name, value;

	if (!str_cut(line, '=', &name, &value))
		return false;
	name = str_trim_ws(name);
	for (size_t i = 0; i < name.n; i++)
		if (!is_name(name.p[i]) && name.p[i] != '-' && name.p[i] != '.')
			return false;
	if (name.n == 0)
		return false;
	*ret_name = name;
	*ret_value = str_trim_ws(value);
	return true;
}

/* s begins with the opening octet; *ret is what stands up to the closing one, and *s goes on behind. False: it is not closed. */
static bool braces_take(struct str *s, char open, char close, struct str *ret)
{
	size_t depth = 0;

	for (size_t i = 0; i < s->n; i++) {
		depth += s->p[i] == open;
		if (s->p[i] == close && --depth == 0) {
			*ret = str_sub(*s, 1, i - 1);
			*s = str_from(*s, i + 1);
			return true;
		}
	}
	return false;
}

bool text_postfix_word(struct str *rest, struct str *ret)
{
	size_t n = 0;

	while (rest->n > 0 && (is_blank(rest->p[0]) || rest->p[0] == ','))
		*rest = str_from(*rest, 1);
	if (rest->n == 0)
		return false;
	if (rest->p[0] == '{' && braces_take(rest, '{', '}', ret)) {
		*ret = str_trim_ws(*ret);
		return true;
	}
	while (n < rest->n && !is_blank(rest->p[n]) && rest->p[n] != ',') {
		struct str at = str_from(*rest, n), inner;

		n = rest->p[n] == '{' && braces_take(&at, '{', '}', &inner) ? rest->n - at.n : n + 1; /* "inline:{ a = b }" */
	}
	*ret = str_first(*rest, n);
	*rest = str_from(*rest, n);
	return true;
}

void text_postfix_entry(struct str line, struct str *ret_key, struct str *ret_value)
{
	size_t n = 0;

	while (n < line.n && !is_blank(line.p[n]))
		n++;
	*ret_key = str_first(line, n);
	*ret_value = str_trim_ws(str_from(line, n));
}

/* ---- expansion ---- */

struct expand {
	text_postfix_lookup_fn *lookup;
	void                   *ctx;
	struct buf             *out;
	size_t                  steps;
};

static bool expand(struct expand *e, struct str value, unsigned depth);

static struct str name_take(struct str *s)
{
	size_t n = 0;

	while (n < s->n && is_name(s->p[n]))
		n++;
	*s = str_from(*s, n);
	return str_n(s->p - n, n);
}

/* Behind "?" or ":" in braces: "{text}" or bare text. */
static struct str text_take(struct str *s)
{
	struct str text = *s;

	*s = str_trim_ws(*s);
	if (s->n > 0 && s->p[0] == '{' && braces_take(s, '{', '}', &text)) {
		*s = str_trim_ws(*s);
		return text;
	}
	*s = str_from(*s, s->n);
	return str_trim_ws(text);
}

/* name [ "?" text ] [ ":" text ] */
static bool braced(struct expand *e, struct str inner, unsigned depth)
{
	struct str name, value = STR_NONE, yes = STR_NONE, no = STR_NONE;
	bool       has_yes = false, has_no = false, set;

	inner = str_trim_ws(inner);
	name = name_take(&inner);
	inner = str_trim_ws(inner);
	if (str_skip_char(&inner, '?')) {
		has_yes = true;
		yes = text_take(&inner);
	}
	if (str_skip_char(&inner, ':')) {
		has_no = true;
		no = text_take(&inner);
	}
	set = e->lookup(e->ctx, name, &value) && value.n > 0;
	if (has_yes || has_no)
		value = set && has_yes ? yes : !set && has_no ? no : STR_NONE;
	return expand(e, value, depth + 1);
}

static bool expand(struct expand *e, struct str value, unsigned depth)
{
	struct str inner, found;
	ptrdiff_t  at;

	if (depth > LIMIT_POSTFIX_DEPTH || ++e->steps > LIMIT_POSTFIX_STEPS)
		return false;
	while ((at = str_find(value, '$')) >= 0) {
		buf_add(e->out, str_first(value, (size_t)at));
		value = str_from(value, (size_t)at + 1);
		if (str_skip_char(&value, '$')) {
			buf_add_char(e->out, '$');
		} else if (value.n > 0 && (value.p[0] == '{' || value.p[0] == '(')) {
			if (!braces_take(&value, value.p[0], value.p[0] == '{' ? '}' : ')', &inner) || !braced(e, inner, depth))
				return false;
		} else if (value.n > 0 && is_name(value.p[0])) {
			inner = name_take(&value);
			if (e->lookup(e->ctx, inner, &found) && !expand(e, found, depth + 1))
				return false;
		} else {
			buf_add_char(e->out, '$');
		}
	}
	buf_add(e->out, value);
	return !e->out->over;
}

bool text_postfix_expand(struct str value, text_postfix_lookup_fn *lookup, void *ctx, struct buf *out)
{
	struct expand e = { .lookup = lookup, .ctx = ctx, .out = out };

	return expand(&e, value, 0);
}
