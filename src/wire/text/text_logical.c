/* wire/text/text_logical.c - see text_logical.h. */
#include "wire/text/text_logical.h"

#include <string.h>

struct str text_line_take(struct str *rest)
{
	struct str line = *rest, after;

	str_cut(*rest, '\n', &line, &after);
	*rest = after;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

bool text_is_comment(struct str line)
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
		struct str after = *rest, piece = text_line_take(&after);

		if (!text_is_comment(piece)) {
			if (n > 0 && !ascii_is_wsp(piece.p[0]))
				break;
			n++;
		}
		++*ret_lines;
		*rest = after;
	}
	return str_first(from, from.n - rest->n);
}

struct str text_logical_next(struct str *rest, unsigned *line, struct arena *a, unsigned *ret_at)
{
	unsigned   lines;
	struct str taken = lines_take(rest, &lines);
	char      *copy = arena_alloc(a, taken.n);
	size_t     n = 0;

	for (unsigned i = 0; i < lines; i++) {
		struct str piece = text_line_take(&taken);

		if (text_is_comment(piece))
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
