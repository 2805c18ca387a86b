/* wire/text/text_aliases.c - see text_aliases.h. */
#include "wire/text/text_aliases.h"

#include <string.h>

#include "wire/text/text_logical.h"

/* Up to `stop` outside of quotes, comments in parentheses and angles; *s goes on behind it. Returns whether it was there. */
static bool until(struct str *s, char stop, struct str *ret)
{
	bool   quoted = false;
	size_t depth = 0, i;

	for (i = 0; i < s->n; i++) {
		char c = s->p[i];

		if (c == '\\') {
			i++;
		} else if (c == '"') {
			quoted = !quoted;
		} else if (!quoted && (c == '(' || c == '<')) {
			depth++;
		} else if (!quoted && (c == ')' || c == '>')) {
			depth -= depth > 0;
		} else if (!quoted && depth == 0 && c == stop) {
			*ret = str_first(*s, i);
			*s = str_from(*s, i + 1);
			return true;
		}
	}
	*ret = *s;
	*s = STR_NONE;
	return false;
}

/* Without quotes around all of it, and backslashes in them. */
static struct str unquote(struct str s, struct arena *a)
{
	char  *p;
	size_t n = 0, i;

	s = str_trim(s);
	if (s.n < 2 || s.p[0] != '"')
		return s;
	p = arena_alloc(a, s.n);
	for (i = 1; i < s.n && s.p[i] != '"'; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		p[n++] = s.p[i];
	}
	return i + 1 == s.n ? str_n(p, n) : s; /* not all of it is one quoted string */
}

static struct text_alias_value value_of(struct str text, struct arena *a)
{
	struct text_alias_value v = { TEXT_ALIAS_ADDRESS, str_trim(text) };
	struct str              inner = unquote(text, a);

	if (str_skip(&inner, STR(":include:")))
		v = (struct text_alias_value){ TEXT_ALIAS_INCLUDE, unquote(inner, a) };
	else if (inner.n > 0 && inner.p[0] == '|')
		v = (struct text_alias_value){ TEXT_ALIAS_COMMAND, inner };
	else if (inner.n > 0 && inner.p[0] == '/')
		v = (struct text_alias_value){ TEXT_ALIAS_FILE, inner };
	else if (inner.n > 0 && inner.p[0] == ':')
		v = (struct text_alias_value){ TEXT_ALIAS_OTHER, inner };
	else if (str_skip_char(&v.text, '\\')) /* "\user": no further alias; ours ends at itself anyway */
		v.text = str_trim(v.text);
	return v;
}

static void values_take(struct str list, struct arena *a, struct text_alias *ret)
{
	size_t     most = 1;
	struct str item;

	for (size_t i = 0; i < list.n; i++)
		most += list.p[i] == ',';
	ret->values = ARENA_ARRAY(a, struct text_alias_value, most);
	while (list.n > 0) {
		until(&list, ',', &item);
		if (str_trim(item).n > 0)
			ret->values[ret->value_count++] = value_of(item, a);
	}
}

bool text_alias_next(struct str *rest, unsigned *line, struct arena *a, struct text_alias *ret)
{
	unsigned   at = 0;
	struct str text = text_logical_next(rest, line, a, &at), name;

	if (text.n == 0)
		return false;
	*ret = (struct text_alias){ .line = at };
	if (until(&text, ':', &name)) {
		ret->name = unquote(name, a);
		values_take(text, a, ret);
	}
	return true;
}

void text_alias_list(struct str text, struct arena *a, struct text_alias *ret)
{
	char  *p = arena_alloc(a, text.n + 1);
	size_t n = 0;

	*ret = (struct text_alias){ .line = 1 };
	while (text.n > 0) {
		struct str line = text_line_take(&text);

		if (text_is_comment(line))
			continue;
		memcpy(p + n, line.p, line.n);
		n += line.n;
		p[n++] = ',';
	}
	values_take(str_n(p, n > 0 ? n - 1 : 0), a, ret);
}
