/* wire/mime/mime_field.c - header fields (RFC 5322 §2.2, §3.6.8, obsolete §4.5); the public ones are in mime.h.
 *
 *   field  = field-name ":" unstructured CRLF *(WSP unstructured CRLF)
 */
#include "wire/mime/mime_field.h"

#include <string.h>

#include "base/limits.h"
#include "wire/mime/mime_lex.h"

size_t mime_field_line(struct str s, struct str *ret_content)
{
	const char *lf = s.n ? memchr(s.p, '\n', s.n) : NULL;
	size_t      n = lf ? (size_t)(lf - s.p) + 1 : s.n;

	ret_content->p = s.p;
	ret_content->n = !lf ? n : n >= 2 && s.p[n - 2] == '\r' ? n - 2 : n - 1;
	return n;
}

struct str mime_field_bounded(struct str header)
{
	return str_first(header, LIMIT_HEADER_BLOCK);
}

/* The name in front of the colon; n == 0 if the line is no field. Blanks before the colon are the obsolete form of
 * RFC 5322 §4.5: taken, but two programs may differ. */
static struct str name_of(struct str line, size_t *ret_colon, unsigned *flags)
{
	size_t i = 0, n;

	while (i < line.n && line.p[i] > 32 && line.p[i] < 127 && line.p[i] != ':')
		i++;
	n = i;
	while (i < line.n && ascii_is_wsp(line.p[i]))
		i++;
	if (n == 0 || i == line.n || line.p[i] != ':')
		return STR_NONE;
	if (i > n)
		*flags |= MIME_FLAG_BAD_FIELD;
	*ret_colon = i;
	return str_first(line, n);
}

bool mime_field_scan(struct str *rest, struct mime_field *ret, unsigned *flags)
{
	struct str line, start, at = *rest;
	size_t     n, colon = 0;
	bool       junk = false;

	for (;; at = str_from(at, n)) { /* to the first line that is a field */
		n = mime_field_line(at, &line);
		if (n == 0 || line.n == 0) {
			*rest = at;
			return false;
		}
		ret->name = name_of(line, &colon, flags);
		if (ret->name.n > 0)
			break;
		*flags |= MIME_FLAG_BAD_FIELD;
	}
	start = at;
	ret->value = str_from(line, colon + 1);
	for (at = str_from(at, n); at.n > 0; at = str_from(at, n)) { /* what belongs to it */
		size_t   next_colon;
		unsigned unused = 0;

		n = mime_field_line(at, &line);
		if (line.n == 0)
			break;
		if (ascii_is_wsp(line.p[0]) && !junk) {
			if (str_trim(line).n == 0)
				*flags |= MIME_FLAG_BAD_FIELD; /* for some this ends the header */
			ret->value.n = (size_t)(line.p - ret->value.p) + line.n;
		} else if (name_of(line, &next_colon, &unused).n > 0) {
			break;
		} else {
			*flags |= MIME_FLAG_BAD_FIELD;
			junk = true; /* lines of `whole`, but not of the value */
		}
	}
	ret->whole = str_first(start, start.n - at.n);
	*rest = at;
	return true;
}

bool mime_field_next(struct str *rest, struct mime_field *ret)
{
	unsigned flags = 0;

	return mime_field_scan(rest, ret, &flags);
}

bool mime_field_find(struct str header, struct str name, struct mime_field *ret)
{
	struct mime_field f;

	while (mime_field_next(&header, &f)) {
		if (str_ieq(f.name, name)) {
			*ret = f;
			return true;
		}
	}
	return false;
}

unsigned mime_received_count(struct str header)
{
	struct mime_field f;
	unsigned          count = 0;

	while (mime_field_next(&header, &f))
		count += f.name.n == 8 && str_ieq(f.name, STR("Received"));
	return count;
}

struct str mime_unfold(struct arena *a, struct str value)
{
	char  *p;
	size_t n = 0;

	value = str_trim_ws(value);
	if (value.n == 0 || (!memchr(value.p, '\n', value.n) && !memchr(value.p, '\r', value.n)))
		return value;
	p = arena_alloc(a, value.n);
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] != '\r' && value.p[i] != '\n')
			p[n++] = value.p[i];
	return (struct str){ p, n };
}
