/* imap/imap_binary.c - what FETCH shows decoded: BINARY, BINARY.SIZE (RFC 3516) and PREVIEW (RFC 8970).
 *
 * A literal begins with its length, so a body that is not small is decoded twice: to count, and to be sent. Nothing of it is held but a
 * piece. A part that holds NULs when decoded goes as literal8 "~{n}" (RFC 3516 §4.3), any other as an ordinary string.
 */
#include "imap/imap_content.h"
#include "wire/imap/imap_print.h"
#include "wire/mime/mime_decoder.h"
#include "wire/mime/mime_preview.h"

#define PIECE        IMAP_CONTENT_PIECE
#define PREVIEW_BODY (64 * KIB) /* read behind the header at first */

static struct str encoding_of(const struct imap_section *section, const struct store_email *e)
{
	const struct store_part *p = section->part.n > 0 ? store_part_find(e, section->part) : NULL;

	/* A message, or a part that holds others, is not encoded itself. */
	return !p || p->multipart || p->message ? STR("7BIT") : p->encoding;
}

static bool is_binary(const struct imap_section *section)
{
	return section->kind == IMAP_SECTION_BINARY || section->kind == IMAP_SECTION_BINARY_SIZE;
}

bool imap_binary_known(const struct imap_section *sections, const struct store_email *e)
{
	bool known = true;

	for (const struct imap_section *x = sections; x && known; x = x->next) {
		struct mime_decoder d;

		if (!is_binary(x))
			continue;
		known = mime_decoder_init(&d, encoding_of(x, e));
		mime_decoder_done(&d);
	}
	return known;
}

/* A pass over the decoded octets [from, to). */
struct pass {
	struct imap_session      *s;
	const struct store_email *e;
	struct mime_decoder       decoder;
	struct buf                raw, out;
	uint64_t                  at, left; /* of what is encoded */
	uint64_t                  decoded;  /* so much came out before `out` */
	bool                      ended;
};

static void pass_init(struct pass *p, struct imap_session *s, const struct store_email *e, struct imap_run r, struct str encoding)
{
	*p = (struct pass){ .s = s, .e = e, .at = r.at, .left = r.n };
	CHECK(mime_decoder_init(&p->decoder, encoding)); /* imap_binary_known was asked */
	buf_init(&p->raw, PIECE);
	buf_init(&p->out, PIECE + 2 * LIMIT_IMAP_BINARY_LINE);
}

static void pass_done(struct pass *p)
{
	mime_decoder_done(&p->decoder);
	buf_done(&p->raw);
	buf_done(&p->out);
}

/* The next octets into p->out. ST_NOT_FOUND: that was all. */
static enum status pass_next(struct pass *p)
{
	struct store_account *a;
	size_t                n = (size_t)MIN(p->left, (uint64_t)PIECE);
	enum status           st = p->ended ? ST_NOT_FOUND : imap_box_account(p->s, &a);

	if (st != ST_OK)
		return st;
	p->decoded += p->out.n;
	buf_clear(&p->out);
	buf_clear(&p->raw);
	if (n > 0)
		st = store_read(a, p->e->id, p->at, n, &p->raw);
	if (st == ST_OK && p->raw.n != n)
		st = ST_CORRUPT;
	if (st != ST_OK)
		return st;
	mime_decoder_feed(&p->decoder, buf_str(&p->raw), &p->out);
	p->at += n;
	p->left -= n;
	p->ended = p->left == 0;
	if (p->ended)
		mime_decoder_end(&p->decoder, &p->out);
	CHECK(!p->out.over);
	return ST_OK;
}

/* What of p->out lies in [from, from + n). */
static struct str pass_cut(const struct pass *p, uint64_t from, uint64_t n)
{
	uint64_t low = MAX(p->decoded, from), high = MIN(p->decoded + p->out.n, from + n);

	if (low >= high)
		return STR("");
	return str_sub(buf_str(&p->out), (size_t)(low - p->decoded), (size_t)(high - low));
}

struct counted {
	uint64_t n;
	bool     nul;
};

static enum status count(struct pass *p, uint64_t from, uint64_t n, struct counted *ret)
{
	struct counted c = { 0 };
	enum status    st = ST_OK;

	while (p->decoded + p->out.n < from + n && (st = pass_next(p)) == ST_OK) {
		struct str out = pass_cut(p, from, n);

		c.n += out.n;
		c.nul = c.nul || str_find(out, 0) >= 0;
	}
	*ret = c;
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static bool send(struct pass *p, uint64_t from, uint64_t n)
{
	uint64_t sent = 0;

	while (sent < n && pass_next(p) == ST_OK) {
		struct str out = pass_cut(p, from, n);

		imap_put(p->s, out);
		sent += out.n;
		if (!imap_spill(p->s))
			return false;
	}
	return sent == n && !p->s->broken;
}

/* The largest range: of the whole, if no part of it is asked for. */
static void range_of(const struct imap_section *section, uint64_t *ret_from, uint64_t *ret_n)
{
	*ret_from = section->partial ? section->from : 0;
	*ret_n = section->partial ? section->count : (uint64_t)INT64_MAX;
}

static enum imap_content decoded_put(struct imap_session *s, const struct imap_section *section, const struct store_email *e,
				     struct imap_run r, struct str encoding)
{
	struct counted c;
	struct pass    p;
	uint64_t       from, n;
	enum status    st;
	bool           whole;

	range_of(section, &from, &n);
	pass_init(&p, s, e, r, encoding);
	st = count(&p, from, n, &c);
	pass_done(&p);
	if (st != ST_OK)
		return IMAP_CONTENT_GONE;
	imap_section_head_put(s, section);
	if (section->kind == IMAP_SECTION_BINARY_SIZE) {
		imap_putf(s, " %llu", (unsigned long long)c.n);
		return IMAP_CONTENT_OK;
	}
	if (c.n == 0) {
		imap_put(s, STR(" \"\""));
		return IMAP_CONTENT_OK;
	}
	imap_putf(s, " %s{%llu}\r\n", c.nul ? "~" : "", (unsigned long long)c.n);
	pass_init(&p, s, e, r, encoding);
	whole = send(&p, from, c.n);
	pass_done(&p);
	s->broken = s->broken || !whole;
	return whole ? IMAP_CONTENT_OK : IMAP_CONTENT_CUT;
}

static bool is_identity(struct str encoding)
{
	struct mime_decoder d;
	bool                known = mime_decoder_init(&d, encoding);

	mime_decoder_done(&d);
	return known && d.kind == MIME_DECODER_IDENTITY;
}

enum imap_content imap_put_binary(struct imap_session *s, const struct imap_section *section, const struct store_email *e)
{
	struct imap_run r = imap_section_run(section, e);
	struct str      encoding = encoding_of(section, e);

	if (r.none || (is_identity(encoding) && section->kind == IMAP_SECTION_BINARY_SIZE)) {
		imap_section_head_put(s, section);
		if (section->kind == IMAP_SECTION_BINARY_SIZE)
			imap_putf(s, " %llu", (unsigned long long)(r.none ? 0 : r.n));
		else
			imap_put(s, STR(" NIL"));
		return IMAP_CONTENT_OK;
	}
	/* No stored message holds a NUL (imap_cmd_append.c), so what is not encoded goes as it is. */
	if (is_identity(encoding))
		return imap_run_put(s, section, e, imap_run_cut(section, r));
	return decoded_put(s, section, e, r, encoding);
}

/* ---- PREVIEW ---- */

static enum status preview_make(struct imap_session *s, const struct store_email *e, size_t n, struct buf *text)
{
	struct arena *arena  CLEANUP(arena_free) = arena_new(NULL);
	struct store_account *a;
	struct buf            beginning;
	enum status           st = imap_box_account(s, &a);

	buf_init(&beginning, LIMIT_IMAP_PREVIEW);
	if (st == ST_OK)
		st = store_read(a, e->id, 0, n, &beginning);
	if (st == ST_OK)
		mime_preview(buf_str(&beginning), arena, text);
	buf_done(&beginning);
	return st;
}

enum status imap_put_preview(struct imap_session *s, const struct store_email *e)
{
	uint64_t    most = MIN(e->size, (uint64_t)LIMIT_IMAP_PREVIEW);
	uint64_t    first = MIN(e->header_n + PREVIEW_BODY, most);
	struct buf  text;
	enum status st;

	buf_init(&text, MIME_PREVIEW_OCTETS);
	st = preview_make(s, e, (size_t)first, &text);
	if (st == ST_OK && text.n == 0 && most > first)
		st = preview_make(s, e, (size_t)most, &text);
	if (st == ST_OK)
		imap_print_string(&s->out, buf_str(&text));
	buf_done(&text);
	return st;
}
