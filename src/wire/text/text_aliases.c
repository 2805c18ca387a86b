/* wire/text/text_aliases.c - see text_aliases.h. */
#include "wire/text/text_aliases.h"

#include <string.h>

/* One physical line with its end off *rest. */
static struct str line_take(struct str *rest)
{
	struct str line = *rest, after;

	str_cut(*rest, '\n', &line, &after);
	*rest = after;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static bool is_comment(struct str line)
{
	struct str s = str_trim(line);

	return s.n == 0 || s.p[0] == '#';
}

/* The lines of one logical line off *rest, comments between them too; how many lines there were. */
static struct str lines_take(struct str *rest, unsigned *ret_lines)
{
	struct str from = *rest;
	size_t     n = 0;

	*ret_lines = 0;
	while (rest->n > 0) {
		struct str after = *rest, piece = line_take(&after);

		if (!is_comment(piece)) {
			if (n > 0 && !ascii_is_wsp(piece.p[0]))
				break;
			n++;
		}
		++*ret_lines;
		*rest = after;
	}
	return str_first(from, from.n - rest->n);
}

/* A logical line, its pieces joined by one blank each; empty at the end. *ret_at: the line it begins at. */
static struct str logical_take(struct str *rest, unsigned *line, unsigned *ret_at, struct arena *a)
{
	unsigned   lines;
	struct str taken = lines_take(rest, &lines);
	char      *copy = arena_alloc(a, taken.n);
	size_t     n = 0;

	for (unsigned i = 0; i < lines; i++) {
		struct str piece = line_take(&taken);

		if (is_comment(piece))
			continue;
		if (n == 0)
			*ret_at = *line + i + 1;
		else
			copy[n++] = ' ';
		piece = str_trim(piece);
		memcpy(copy + n, piece.p, piece.n);
		n += piece.n;
	}
	*line += lines;
	return str_n(copy, n);
}

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
	struct str text = logical_take(rest, line, &at, a), name;

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
		struct str line = line_take(&text);

		if (is_comment(line))
			continue;
		memcpy(p + n, line.p, line.n);
		n += line.n;
		p[n++] = ',';
	}
	values_take(str_n(p, n > 0 ? n - 1 : 0), a, ret);
}
