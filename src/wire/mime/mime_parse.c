/* wire/mime/mime_parse.c - the tree of parts (RFC 2046 §5.1), in one pass over the lines.
 *
 *   multipart-body    = [preamble CRLF] dash-boundary transport-padding CRLF body-part *(delimiter ... body-part)
 *                       close-delimiter transport-padding [CRLF epilogue]
 *   dash-boundary     = "--" boundary
 *
 * States, for the part that the line belongs to (`cur`):
 *   HEADER  up to an empty line; then the body begins, or the header of the message inside, at the same depth of
 * delimiters BODY    leaf: octets; multipart: preamble or epilogue A line that is a delimiter of an open multipart ends
 * all parts inside of it, in either state. The innermost open one is asked first. After its closing delimiter a
 * multipart is not open any more, and the rest is its epilogue.
 *
 * A boundary may be followed by blanks. Other text behind it makes the line no less a delimiter (RFC 2046 §5.1.1), but
 * some programs disagree, so MIME_FLAG_BAD_BOUNDARY is set, and a boundary that fits the whole line goes before one
 * that fits its beginning.
 */
#include "wire/mime/mime.h"

#include <string.h>

#include "base/limits.h"
#include "wire/mime/mime_content.h"
#include "wire/mime/mime_field.h"
#include "wire/mime/mime_param.h"

struct open { /* a multipart whose closing delimiter has not come */
	struct mime_part  *part;
	struct mime_part **tail; /* where its next part is linked */
	struct str         boundary;
};

enum event { EVENT_EMPTY, EVENT_DELIMITER, EVENT_END };

struct parser {
	struct str        in;
	struct arena     *a;
	struct mime      *m;
	struct mime_part *cur;
	unsigned          depth; /* of cur */
	size_t            at;    /* start of the next line */
	size_t            lines; /* line ends before `at` */
	struct open       open[LIMIT_MIME_DEPTH];
	unsigned          open_count;
	/* Of the last EVENT_DELIMITER: */
	size_t   delimiter_at;
	unsigned delimiter_of; /* index in open */
	bool     delimiter_closes;
};

/* ---- octets ---- */

/* NUL; CR without LF and LF without CR, found by counting: CR, LF and CRLF must be equally many; a last line without end. */
static unsigned octets_scan(struct str s)
{
	enum { BLOCK = 128 };
	size_t   lf = 0, cr = 0, crlf = 0, i = 0;
	unsigned nul = 0;

	/* Blocks of fixed length with counters of one octet: the compiler makes vector code of it. */
	for (; i + BLOCK < s.n; i += BLOCK) {
		unsigned char n_lf = 0, n_cr = 0, n_crlf = 0, n_nul = 0;

		for (size_t k = i; k < i + BLOCK; k++) {
			n_lf = (unsigned char)(n_lf + (s.p[k] == '\n'));
			n_cr = (unsigned char)(n_cr + (s.p[k] == '\r'));
			n_crlf = (unsigned char)(n_crlf + ((s.p[k] == '\r') & (s.p[k + 1] == '\n')));
			n_nul = (unsigned char)(n_nul | (s.p[k] == '\0'));
		}
		lf += n_lf;
		cr += n_cr;
		crlf += n_crlf;
		nul |= n_nul;
	}
	for (; i < s.n; i++) {
		lf += s.p[i] == '\n';
		cr += s.p[i] == '\r';
		crlf += s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n';
		nul |= s.p[i] == '\0';
	}
	return (lf != crlf || cr != crlf ? MIME_FLAG_BARE_EOL : 0) | (nul ? MIME_FLAG_NUL : 0) |
	       (s.n == 0 || s.p[s.n - 1] != '\n' ? MIME_FLAG_NO_FINAL_EOL : 0);
}

static size_t count_lf(struct str s)
{
	size_t      count = 0;
	const char *lf;

	while (s.n > 0 && (lf = memchr(s.p, '\n', s.n))) {
		count++;
		s = str_from(s, (size_t)(lf - s.p) + 1);
	}
	return count;
}

/* ---- delimiters ---- */

static bool all_blank(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_wsp(s.p[i]) && s.p[i] != '\r')
			return false;
	return true;
}

/* The line is a delimiter of an open multipart: note it. */
static bool delimiter_see(struct parser *p, struct str line)
{
	struct str text = str_from(line, 2);
	size_t     longest = 0;

	for (unsigned i = p->open_count; i-- > 0;) {
		struct str boundary = p->open[i].boundary, rest;
		bool       closes, whole;

		if (boundary.n <= longest || !str_starts(text, boundary))
			continue;
		rest = str_from(text, boundary.n);
		closes = str_skip(&rest, STR("--"));
		whole = all_blank(rest);
		longest = boundary.n;
		p->delimiter_of = i;
		p->delimiter_closes = closes;
		p->delimiter_at = p->at;
		if (whole)
			return true;
	}
	if (longest > 0)
		p->m->flags |= MIME_FLAG_BAD_BOUNDARY;
	return longest > 0;
}

static bool is_dashes(struct str line)
{
	return line.n >= 2 && line.p[0] == '-' && line.p[1] == '-';
}

static void line_pass(struct parser *p, size_t n)
{
	p->lines += p->in.p[p->at + n - 1] == '\n';
	p->at += n;
}

/* ---- parts ---- */

static bool in_digest(const struct mime_part *part)
{
	return part->parent && part->parent->multipart && str_eq(part->parent->subtype, STR("DIGEST"));
}

/* A new part, linked at *link, which becomes the one being read. */
static void part_begin(struct parser *p, struct mime_part *parent, struct mime_part **link)
{
	struct mime_part *part = ARENA_NEW(p->a, struct mime_part);

	part->parent = parent;
	part->header_at = part->body_at = p->at;
	*link = part;
	p->m->part_count++;
	p->depth += parent != NULL;
	p->cur = part;
}

/* The line end before a delimiter belongs to it, RFC 2046 §5.1.1, unless it ends the header of the last part. */
static size_t body_end(const struct parser *p, size_t *lines)
{
	size_t end = p->delimiter_at;

	if (end == p->cur->body_at)
		return end;
	end--;
	--*lines;
	return end > p->cur->body_at && p->in.p[end - 1] == '\r' ? end - 1 : end;
}

/* All parts from the current one up to, not including, `stop` end where the delimiter begins or the message ends. */
static void parts_end(struct parser *p, struct mime_part *stop, bool delimiter)
{
	size_t lines = p->lines, end = delimiter ? body_end(p, &lines) : p->in.n;

	for (struct mime_part *part = p->cur; part != stop; part = part->parent) {
		part->body_n = end - part->body_at;
		part->lines = lines - part->lines;
		p->depth -= part->parent != NULL;
	}
	p->cur = stop;
}

/* RFC 2046 §5.1.1: bchars, at most 70, not ending in a blank. */
static unsigned boundary_check(struct str b)
{
	if (b.n > 70 || b.p[b.n - 1] == ' ' || (str_starts(b, STR("=?")) && str_search(b, STR("?=")) >= 0))
		return MIME_FLAG_BAD_BOUNDARY;
	for (size_t i = 0; i < b.n; i++)
		if (!ascii_is_alnum(b.p[i]) && !memchr("'()+_,-./:=? ", b.p[i], 13))
			return MIME_FLAG_BAD_BOUNDARY;
	return 0;
}

static void multipart_open(struct parser *p)
{
	const struct mime_param *m = mime_param_find(p->cur->params, p->cur->param_count, STR("boundary"));
	struct str               boundary = m ? m->value : STR_NONE;

	while (boundary.n > 0 && ascii_is_wsp(boundary.p[boundary.n - 1])) {
		boundary.n--; /* blanks at the end cannot be told from padding */
		p->m->flags |= MIME_FLAG_BAD_BOUNDARY;
	}
	if (boundary.n == 0) { /* no parts to be found: text, RFC 2045 §5.2 */
		p->m->flags |= MIME_FLAG_BAD_BOUNDARY;
		p->cur->multipart = false;
		p->cur->type = STR("TEXT");
		p->cur->subtype = STR("PLAIN");
		return;
	}
	p->m->flags |= boundary_check(boundary);
	for (unsigned i = 0; i < p->open_count; i++)
		if (str_starts(boundary, p->open[i].boundary) || str_starts(p->open[i].boundary, boundary))
			p->m->flags |= MIME_FLAG_BOUNDARY_CLASH;
	p->open[p->open_count++] = (struct open){ p->cur, &p->cur->child, boundary };
}

/* The header is read: make of the part what it says. */
static void part_classify(struct parser *p, enum event event)
{
	struct mime_part *part = p->cur;
	bool              whole = !part->parent || part->parent->message;

	mime_content_read(part, str_sub(p->in, part->header_at, part->header_n), whole, in_digest(part), p->a,
			  &p->m->flags);
	if (event == EVENT_DELIMITER)
		p->m->flags |= MIME_FLAG_NO_SEPARATOR;
	part->body_at = p->at;
	part->lines = p->lines; /* until its end is known: line ends before the body */
	if ((part->multipart || part->message) && !str_eq(part->encoding, STR("7BIT")) &&
	    !str_eq(part->encoding, STR("8BIT")) && !str_eq(part->encoding, STR("BINARY"))) {
		p->m->flags |= MIME_FLAG_CTE_COMPOSITE;
		part->message = false; /* encoded: there is no header to be read inside */
	}
	if ((part->multipart || part->message) && p->depth >= LIMIT_MIME_DEPTH) {
		p->m->flags |= MIME_FLAG_LIMIT;
		mime_content_opaque(part);
	}
	if (part->multipart)
		multipart_open(p);
}

/* ---- the pass ---- */

static enum event header_pass(struct parser *p)
{
	enum event event = EVENT_END;

	while (p->at < p->in.n) {
		struct str line;
		size_t     n = mime_field_line(str_from(p->in, p->at), &line);

		if (p->open_count > 0 && is_dashes(line) && delimiter_see(p, line)) {
			event = EVENT_DELIMITER;
			break;
		}
		line_pass(p, n);
		if (line.n == 0) {
			event = EVENT_EMPTY;
			break;
		}
	}
	p->cur->header_n = p->at - p->cur->header_at;
	part_classify(p, event);
	if (p->cur->message && event != EVENT_EMPTY) { /* nothing inside: an empty message */
		part_begin(p, p->cur, &p->cur->child);
		part_classify(p, EVENT_EMPTY);
	}
	return event;
}

static enum event body_pass(struct parser *p)
{
	if (p->open_count == 0 && !p->cur->multipart) {
		p->lines += count_lf(str_from(p->in, p->at));
		p->at = p->in.n;
	}
	while (p->at < p->in.n) {
		struct str line;
		size_t     n = mime_field_line(str_from(p->in, p->at), &line);

		if (is_dashes(line) && p->open_count > 0 && delimiter_see(p, line))
			return EVENT_DELIMITER;
		if (p->cur->multipart && !all_blank(line))
			p->m->flags |= MIME_FLAG_PREAMBLE;
		line_pass(p, n);
	}
	return EVENT_END;
}

/* Behind a delimiter: end the parts inside, begin the next or the epilogue. Returns what to expect: true a header. */
static bool delimiter_pass(struct parser *p)
{
	struct open *open = &p->open[p->delimiter_of];
	struct str   line;

	if (p->open_count > p->delimiter_of + 1)
		p->m->flags |= MIME_FLAG_NO_CLOSE;
	parts_end(p, open->part, true);
	line_pass(p, mime_field_line(str_from(p->in, p->at), &line));
	p->open_count = p->delimiter_of + !p->delimiter_closes;
	if (p->delimiter_closes)
		return false;
	part_begin(p, open->part, open->tail);
	open->tail = &p->cur->next;
	if (p->m->part_count < LIMIT_MIME_PARTS)
		return true;
	/* The last one that we keep is all the rest. */
	p->m->flags |= MIME_FLAG_LIMIT;
	p->cur->encoding = STR("BINARY");
	mime_content_opaque(p->cur);
	p->cur->lines = p->lines;
	p->lines += count_lf(str_from(p->in, p->at));
	p->at = p->in.n;
	return false;
}

void mime_parse(struct str message, struct arena *a, struct mime *ret)
{
	struct parser p = { .in = message, .a = a, .m = ret };
	bool          header = true;

	*ret = (struct mime){ .flags = octets_scan(message) };
	part_begin(&p, NULL, &ret->root);
	for (;;) {
		enum event event = header ? header_pass(&p) : body_pass(&p);

		if (event == EVENT_END)
			break;
		if (event == EVENT_DELIMITER) {
			header = delimiter_pass(&p);
		} else {
			header = p.cur->message;
			if (header)
				part_begin(&p, p.cur, &p.cur->child);
		}
	}
	if (p.open_count > 0)
		ret->flags |= MIME_FLAG_NO_CLOSE;
	parts_end(&p, NULL, false);
}
