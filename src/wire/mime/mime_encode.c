/* wire/mime/mime_encode.c - contract is in mime_encode.h. */
#include "wire/mime/mime_encode.h"

#include "wire/mime/mime.h"
#include "wire/text/text_base64.h"

#define PIECE ((size_t)57 * 1024) /* whole lines of base64 */

struct encode {
	struct str              message;
	size_t                  at; /* up to here it was written */
	const struct mime_sink *sink;
};

static bool put(struct encode *e, struct str s)
{
	return s.n == 0 || e->sink->write(e->sink->ctx, s);
}

/* What stands before `to` and was not written yet, as it is. */
static bool copy(struct encode *e, size_t to)
{
	struct str run = str_sub(e->message, e->at, to - e->at);

	e->at = to;
	return str_find(run, '\0') < 0 && put(e, run);
}

static bool identity(struct str encoding)
{
	return str_eq(encoding, STR("7BIT")) || str_eq(encoding, STR("8BIT")) || str_eq(encoding, STR("BINARY"));
}

/* The part's fields but the old encoding, the new one, and the empty line. */
static bool header_put(struct encode *e, const struct mime_part *p)
{
	struct str        header = str_sub(e->message, p->header_at, p->header_n), rest = header, end = STR("\r\n");
	struct mime_field f;

	/* The field must have its place: an empty line ends the header. */
	if (str_find(header, '\0') >= 0 || !(str_eq(header, end) || (header.n >= 4 && str_eq(str_from(header, header.n - 4), STR("\r\n\r\n")))))
		return false;
	while (mime_field_next(&rest, &f))
		if (!str_ieq(f.name, STR("Content-Transfer-Encoding")) && !put(e, f.whole))
			return false;
	e->at = p->body_at;
	return put(e, STR("Content-Transfer-Encoding: base64\r\n\r\n"));
}

static bool body_put(struct encode *e, const struct mime_part *p)
{
	struct str body = str_sub(e->message, p->body_at, p->body_n);
	struct buf lines;
	bool       ok = true;

	buf_init(&lines, PIECE * 2);
	while (body.n > 0 && ok) {
		struct str piece = str_first(body, PIECE);

		buf_clear(&lines);
		text_base64_encode_lines(piece, &lines);
		body = str_from(body, piece.n);
		/* The last line end belongs to the delimiter, unless there is none. */
		ok = put(e, body.n == 0 && p->parent ? str_chomp(buf_str(&lines)) : buf_str(&lines));
	}
	buf_done(&lines);
	e->at = p->body_at + p->body_n;
	return ok;
}

static bool part_put(struct encode *e, const struct mime_part *p)
{
	if (p->multipart || p->message) {
		for (const struct mime_part *c = p->child; c; c = c->next) /* depth: LIMIT_MIME_DEPTH */
			if (!part_put(e, c))
				return false;
		return true;
	}
	if (str_find(str_sub(e->message, p->body_at, p->body_n), '\0') < 0)
		return true;
	return identity(p->encoding) && copy(e, p->header_at) && header_put(e, p) && body_put(e, p);
}

bool mime_encode_nul(struct str message, struct arena *a, const struct mime_sink *sink)
{
	struct encode e = { .message = message, .sink = sink };
	struct mime   m;

	mime_parse(message, a, &m);
	return part_put(&e, m.root) && copy(&e, message.n);
}
