/* imap/imap_content.c - BODY[section]<partial>: octets of a message, read in pieces (RFC 9051 §6.4.5, §7.5.2).
 *
 * Every section but HEADER.FIELDS is a run of octets of the stored message; its length is known before anything is
 * read, and the handle is given back between pieces whenever output has to wait for the client.
 */
#include "imap/imap_content.h"
#include "store/store_listing.h"
#include "wire/mime/mime.h"

#define PIECE IMAP_CONTENT_PIECE

unsigned imap_section_facts(const struct imap_section *section)
{
	return section->part.n > 0 ? STORE_FACT_PARTS : STORE_FACT_BASE;
}

/* The message inside a message/rfc822 part: its only child. */
static const struct store_part *inner_message(const struct store_email *e, const struct store_part *p)
{
	uint32_t index = (uint32_t)(p - e->parts);

	for (size_t i = index + 1; p->message && i < e->part_count; i++)
		if (e->parts[i].parent == index)
			return &e->parts[i];
	return NULL;
}

/* BODYSTRUCTURE of a multipart in which no part was found has an empty text in it, as there must be one: its octets are none. */
static bool stands_in(const struct imap_section *section, const struct store_email *e)
{
	const struct store_part *p;
	struct str               parent = STR_NONE, last = section->part;

	(void)str_rcut(section->part, '.', &parent, &last);
	p = str_eq(last, STR("1")) ? store_part_find(e, parent) : NULL;
	if (p && p->message)
		p = inner_message(e, p);
	for (size_t i = 1; p && i < e->part_count; i++)
		if (&e->parts[e->parts[i].parent] == p)
			return false;
	return p && p->multipart;
}

static struct imap_run part_run(const struct imap_section *section, const struct store_email *e)
{
	const struct store_part *p = store_part_find(e, section->part), *inner;

	if (!p)
		return (struct imap_run){ .none = section->kind != IMAP_SECTION_ALL || !stands_in(section, e) };
	if (section->kind == IMAP_SECTION_ALL || section->kind == IMAP_SECTION_BINARY || section->kind == IMAP_SECTION_BINARY_SIZE)
		return (struct imap_run){ .at = p->body_at, .n = p->body_n };
	if (section->kind == IMAP_SECTION_MIME)
		return (struct imap_run){ .at = p->header_at, .n = p->header_n };
	inner = inner_message(e, p);
	if (!inner) /* HEADER and TEXT are for messages only */
		return (struct imap_run){ .none = true };
	if (section->kind == IMAP_SECTION_TEXT)
		return (struct imap_run){ .at = inner->body_at, .n = p->body_at + p->body_n - inner->body_at };
	return (struct imap_run){ .at = inner->header_at, .n = inner->header_n };
}

struct imap_run imap_section_run(const struct imap_section *section, const struct store_email *e)
{
	if (section->part.n > 0)
		return part_run(section, e);
	if (section->kind == IMAP_SECTION_ALL || section->kind == IMAP_SECTION_BINARY || section->kind == IMAP_SECTION_BINARY_SIZE)
		return (struct imap_run){ .at = 0, .n = e->size };
	if (section->kind == IMAP_SECTION_TEXT)
		return (struct imap_run){ .at = e->header_n, .n = e->size - MIN(e->header_n, e->size) };
	return (struct imap_run){ .at = 0, .n = e->header_n };
}

void imap_section_head_put(struct imap_session *s, const struct imap_section *section)
{
	imap_put(s, section->name);
	if (section->partial)
		imap_putf(s, "<%llu>", (unsigned long long)section->from);
}

/* What of a run of n octets a partial fetch takes. */
struct imap_run imap_run_cut(const struct imap_section *section, struct imap_run r)
{
	if (!section->partial)
		return r;
	if (section->from >= r.n)
		return (struct imap_run){ .at = r.at, .n = 0 };
	return (struct imap_run){ .at = r.at + section->from, .n = MIN(r.n - section->from, section->count) };
}

enum status imap_piece_read(struct imap_session *s, const struct store_email *e, uint64_t at, size_t n)
{
	struct store_account *a;
	size_t                before = s->out.n;
	enum status           st = imap_out_room(s, n) ? imap_box_account(s, &a) : ST_TEMP;

	if (st == ST_OK)
		st = store_read(a, e->id, at, n, &s->out);
	return st == ST_OK && s->out.n - before != n ? ST_CORRUPT : st;
}

enum imap_content imap_run_put(struct imap_session *s, const struct imap_section *section,
				 const struct store_email *e, struct imap_run r)
{
	size_t start = s->out.n;
	bool   first = true;

	imap_section_head_put(s, section);
	if (r.n == 0) {
		imap_put(s, STR(" \"\""));
		return IMAP_CONTENT_OK;
	}
	imap_put(s, STR(" {"));
	imap_put_u64(s, r.n);
	imap_put(s, STR("}\r\n"));
	if (r.at + r.n <= e->header.n) {
		imap_put(s, str_sub(e->header, (size_t)r.at, (size_t)r.n));
		return IMAP_CONTENT_OK;
	}
	for (uint64_t done = 0; done < r.n; first = false) {
		size_t n = (size_t)MIN(r.n - done, (uint64_t)PIECE);

		if (imap_piece_read(s, e, r.at + done, n) != ST_OK) {
			if (first) {
				s->out.n = start;
				return IMAP_CONTENT_GONE;
			}
			s->broken = true;
			return IMAP_CONTENT_CUT;
		}
		done += n;
		if (!imap_spill(s))
			return IMAP_CONTENT_CUT;
	}
	return IMAP_CONTENT_OK;
}

/* ---- HEADER.FIELDS ---- */

static bool is_asked(const struct imap_section *section, struct str name)
{
	bool listed = false;

	for (size_t i = 0; i < section->field_count && !listed; i++)
		listed = str_ieq(section->fields[i], name);
	return listed == (section->kind == IMAP_SECTION_FIELDS);
}

/* The fields as they stand, with folding, and the empty line: also when there is none (RFC 9051 §6.4.5.1). */
static void fields_pick(const struct imap_section *section, struct str header, struct buf *out)
{
	struct mime_field f;

	while (mime_field_next(&header, &f)) {
		if (!is_asked(section, f.name))
			continue;
		buf_add(out, f.whole);
		if (f.whole.n == 0 || f.whole.p[f.whole.n - 1] != '\n')
			buf_add(out, STR("\r\n")); /* the message ends inside its header */
	}
	buf_add(out, STR("\r\n"));
}

#define PICKED_OCTETS (LIMIT_HEADER_BLOCK + LIMIT_HEADER_FIELDS * 2)

/* What is asked for of the header in a run, into *picked. */
static enum status fields_load(struct store_account *a, const struct imap_section *section, const struct store_email *e, struct imap_run r,
			       struct buf *picked)
{
	struct buf  header;
	size_t      n = (size_t)MIN(r.n, (uint64_t)LIMIT_HEADER_BLOCK);
	enum status st = ST_OK;

	buf_init(&header, LIMIT_HEADER_BLOCK);
	if (n > 0)
		st = store_read(a, e->id, r.at, n, &header);
	if (st == ST_OK)
		fields_pick(section, buf_str(&header), picked);
	buf_done(&header);
	return st;
}

/* What of the next piece lies in *r, which becomes the run of what follows. */
static void cut_put(struct imap_session *s, struct str piece, struct imap_run *r)
{
	struct str part = str_sub(piece, (size_t)MIN(r->at, (uint64_t)piece.n), (size_t)r->n);

	r->at -= MIN(r->at, (uint64_t)piece.n);
	r->n -= part.n;
	imap_put(s, part);
}

/* From a listing, which has all that is asked for: store_listings has looked. */
static void listed_put(struct imap_session *s, const struct imap_section *section, struct str listing)
{
	struct store_listed l;
	struct imap_run     r;

	CHECK(store_listing_pick(listing, section->listed, &l));
	r = imap_run_cut(section, (struct imap_run){ .n = l.octets + 2 });
	imap_section_head_put(s, section);
	imap_put(s, STR(" {"));
	imap_put_u64(s, r.n);
	imap_put(s, STR("}\r\n"));
	for (size_t i = 0; i < l.count; i++)
		cut_put(s, l.runs[i], &r);
	cut_put(s, STR("\r\n"), &r);
}

#define PICKED_MAX 128u

/* From a header that is in memory, without copying it: as fields_pick. False: a case for that. */
static bool fields_put_fast(struct imap_session *s, const struct imap_section *section, struct str header)
{
	struct str        picked[PICKED_MAX];
	struct mime_field f;
	size_t            n = 0, octets = 2;

	if (section->partial)
		return false;
	while (mime_field_next(&header, &f)) {
		if (!is_asked(section, f.name))
			continue;
		if (n == PICKED_MAX || f.whole.n == 0 || f.whole.p[f.whole.n - 1] != '\n')
			return false;
		octets += f.whole.n;
		picked[n++] = f.whole;
	}
	imap_put(s, section->name);
	imap_put(s, STR(" {"));
	imap_put_u64(s, octets);
	imap_put(s, STR("}\r\n"));
	for (size_t i = 0; i < n; i++)
		imap_put(s, picked[i]);
	imap_put(s, STR("\r\n"));
	return true;
}

static enum imap_content fields_put(struct imap_session *s, const struct imap_section *section,
				    const struct store_email *e)
{
	struct imap_run       r = imap_section_run(section, e);
	struct buf            picked;
	struct store_account *a;
	enum status           st;

	if (r.none) {
		imap_section_head_put(s, section);
		imap_put(s, STR(" NIL"));
		return IMAP_CONTENT_OK;
	}
	if (section->listed && e->listing.n > 0) {
		listed_put(s, section, e->listing);
		return IMAP_CONTENT_OK;
	}
	if (section->part.n == 0 && e->header.n > 0 && e->header.n == e->header_n && fields_put_fast(s, section, e->header))
		return IMAP_CONTENT_OK;
	buf_init(&picked, PICKED_OCTETS);
	st = imap_box_account(s, &a);
	if (st == ST_OK)
		st = fields_load(a, section, e, r, &picked);
	if (st == ST_OK) {
		r = imap_run_cut(section, (struct imap_run){ .n = picked.n });
		imap_section_head_put(s, section);
		imap_putf(s, " {%llu}\r\n", (unsigned long long)r.n);
		imap_put(s, str_sub(buf_str(&picked), (size_t)r.at, (size_t)r.n));
	}
	buf_done(&picked);
	return st == ST_OK ? IMAP_CONTENT_OK : IMAP_CONTENT_GONE;
}

enum imap_content imap_put_section(struct imap_session *s, const struct imap_section *section,
				   const struct store_email *e)
{
	struct imap_run r;

	if (section->kind == IMAP_SECTION_FIELDS || section->kind == IMAP_SECTION_FIELDS_NOT)
		return fields_put(s, section, e);
	if (section->kind == IMAP_SECTION_BINARY || section->kind == IMAP_SECTION_BINARY_SIZE)
		return imap_put_binary(s, section, e);
	r = imap_section_run(section, e);
	if (r.none) {
		imap_section_head_put(s, section);
		imap_put(s, STR(" NIL"));
		return IMAP_CONTENT_OK;
	}
	return imap_run_put(s, section, e, imap_run_cut(section, r));
}

/* ---- for others than the client ---- */

static enum status fields_read(struct store_account *a, const struct imap_section *section, const struct store_email *e, struct imap_run r,
			       const struct imap_reader *to)
{
	struct buf  picked;
	enum status st;

	buf_init(&picked, PICKED_OCTETS);
	st = fields_load(a, section, e, r, &picked);
	if (st == ST_OK) {
		r = imap_run_cut(section, (struct imap_run){ .n = picked.n });
		st = to->take(to->ctx, str_sub(buf_str(&picked), (size_t)r.at, (size_t)r.n));
	}
	buf_done(&picked);
	return st;
}

enum status imap_section_read(struct store_account *a, const struct imap_section *section, const struct store_email *e,
			      const struct imap_reader *to)
{
	struct imap_run r = imap_section_run(section, e);
	struct buf      piece;
	enum status     st = r.none ? ST_NOT_FOUND : ST_OK;

	if (r.none)
		return st;
	if (section->kind == IMAP_SECTION_FIELDS || section->kind == IMAP_SECTION_FIELDS_NOT)
		return fields_read(a, section, e, r, to);
	r = imap_run_cut(section, r);
	buf_init(&piece, PIECE);
	for (uint64_t done = 0; done < r.n && st == ST_OK; done += PIECE) {
		size_t n = (size_t)MIN(r.n - done, (uint64_t)PIECE);

		buf_clear(&piece);
		st = store_read(a, e->id, r.at + done, n, &piece);
		if (st == ST_OK)
			st = piece.n == n ? to->take(to->ctx, buf_str(&piece)) : ST_CORRUPT;
	}
	buf_done(&piece);
	return st;
}
