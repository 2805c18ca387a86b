/* role/config_text.c - see config_text.h. */
#include "role/config_text.h"

enum state { PLAIN, DOUBLE, SINGLE, LINE_COMMENT, BLOCK_COMMENT };

/* The state behind what stands at the begin of `rest`, and how many octets of it that is about. */
static enum state next(enum state s, struct str rest, size_t *ret_n)
{
	*ret_n = 1;
	switch (s) {
	case PLAIN:
		if (rest.p[0] == '#' || str_starts(rest, STR("//")))
			return LINE_COMMENT;
		if (str_starts(rest, STR("/*"))) {
			*ret_n = 2;
			return BLOCK_COMMENT;
		}
		return rest.p[0] == '"' ? DOUBLE : rest.p[0] == '\'' ? SINGLE : PLAIN;
	case DOUBLE:
	case SINGLE:
		if (rest.p[0] == '\\' && rest.n > 1)
			*ret_n = 2;
		return rest.p[0] == (s == DOUBLE ? '"' : '\'') ? PLAIN : s;
	case LINE_COMMENT:
		return rest.p[0] == '\n' ? PLAIN : s;
	case BLOCK_COMMENT:
		if (str_starts(rest, STR("*/"))) {
			*ret_n = 2;
			return PLAIN;
		}
		return s;
	}
	return s;
}

bool config_text_take(struct str text, struct buf *out, unsigned *ret_line)
{
	enum state s = PLAIN;
	unsigned   line = 1;
	size_t     n;

	for (; text.n > 0; text = str_from(text, n)) {
		bool dollar = str_starts(text, STR("${"));

		if (dollar && s == PLAIN) {
			*ret_line = line;
			return false;
		}
		if (dollar && s == DOUBLE)
			buf_add_char(out, '\\');
		s = next(s, text, &n);
		for (size_t i = 0; i < n; i++)
			line += text.p[i] == '\n';
		buf_add(out, str_first(text, n));
	}
	return true;
}
