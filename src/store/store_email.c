/* store/store_email.c - from bytes to the facts of the email row; the encoded list of parts.
 *
 * A part is: parent's index, number among its siblings, kind (bit 0 multipart, bit 1 message), header_at, header_n, body_at - header_at,
 * body_n, lines, length of encoding as varints, then the encoding. Parts stand in preorder.
 */
#include "store/store_internal.h"
#include "wire/mime/mime.h"

#define PARTS_MAX (LIMIT_MIME_PARTS * ((size_t)80 + STORE_SORT_MAX))

static void part_write(const struct mime_part *p, uint32_t parent, uint32_t number, uint32_t *next, struct buf *out)
{
	uint32_t   self = (*next)++;
	uint32_t   child_number = 1;
	struct str encoding = str_first(p->encoding, 40);

	store_varint_write(out, parent);
	store_varint_write(out, number);
	store_varint_write(out, (p->multipart ? 1u : 0) | (p->message ? 2u : 0));
	store_varint_write(out, p->header_at);
	store_varint_write(out, p->header_n);
	store_varint_write(out, p->body_at - p->header_at);
	store_varint_write(out, p->body_n);
	store_varint_write(out, p->lines);
	store_varint_write(out, encoding.n);
	buf_add(out, encoding);
	/* Depth is bounded by LIMIT_MIME_DEPTH. */
	for (const struct mime_part *c = p->child; c; c = c->next)
		part_write(c, self, child_number++, next, out);
}

static bool part_read(struct str *in, struct store_part *ret)
{
	uint64_t v[9];

	for (size_t i = 0; i < LEN(v); i++) {
		if (!store_varint_read(in, &v[i]))
			return false;
	}
	if (v[0] > UINT32_MAX || v[1] > UINT32_MAX || v[8] > in->n)
		return false;
	*ret = (struct store_part){
		.parent = (uint32_t)v[0],
		.number = (uint32_t)v[1],
		.multipart = v[2] & 1,
		.message = v[2] & 2,
		.header_at = v[3],
		.header_n = v[4],
		.body_at = v[3] + v[5],
		.body_n = v[6],
		.lines = v[7],
		.encoding = str_first(*in, (size_t)v[8]),
	};
	*in = str_from(*in, (size_t)v[8]);
	return true;
}

bool store_facts_sound(uint64_t size, uint64_t header_n, struct str parts)
{
	struct store_part p;
	size_t            n = 0;

	for (; parts.n > 0; n++) {
		if (!part_read(&parts, &p) || p.parent > n || p.header_at > size || p.header_n > size - p.header_at || p.body_at > size ||
		    p.body_n > size - p.body_at)
			return false;
	}
	return n > 0 && header_n <= size;
}

bool store_parts_read(struct str blob, struct arena *arena, struct store_email *e)
{
	struct str        in = blob = arena_dup(arena, blob);
	struct store_part p;
	size_t            n = 0;

	for (; in.n > 0; n++) {
		if (!part_read(&in, &p) || p.parent > n)
			return false;
	}
	e->parts = ARENA_ARRAY(arena, struct store_part, n);
	e->part_count = n;
	for (size_t i = 0; i < n; i++)
		CHECK(part_read(&blob, &e->parts[i]));
	return n > 0;
}

static struct str printed(struct arena *arena, struct buf *b)
{
	struct str s = arena_dup(arena, buf_str(b));

	buf_done(b);
	return s;
}

void store_email_facts(struct str content, struct arena *arena, struct store_facts_row *ret)
{
	struct mime         m;
	struct mime_summary sum;
	struct store_email *e = &ret->e;
	struct buf          b;
	uint32_t            next = 0;

	*ret = (struct store_facts_row){ 0 };
	mime_parse(content, arena, &m);
	mime_summary(content, &m, arena, &sum);
	e->size = content.n;
	e->header_n = m.root->header_n;
	e->mime_flags = m.flags;
	e->date_ms = sum.date_ms;
	e->subject = str_first(sum.subject, STORE_SORT_MAX);
	e->from = str_first(sum.from, STORE_SORT_MAX);
	e->to = str_first(sum.to, STORE_SORT_MAX);
	e->cc = str_first(sum.cc, STORE_SORT_MAX);
	e->message_id = str_first(sum.message_id, STORE_SORT_MAX);
	e->in_reply_to = str_first(sum.in_reply_to, STORE_SORT_MAX);
	e->references = str_first(sum.references, STORE_REFERENCES_MAX);
	buf_init(&b, LIMIT_ENVELOPE);
	mime_print_envelope(content, m.root, false, &b);
	e->envelope = printed(arena, &b);
	buf_init(&b, LIMIT_BODYSTRUCTURE);
	mime_print_structure(content, m.root, false, false, &b);
	e->body = printed(arena, &b);
	buf_init(&b, LIMIT_BODYSTRUCTURE);
	mime_print_structure(content, m.root, true, false, &b);
	e->structure = printed(arena, &b);
	buf_init(&b, PARTS_MAX);
	part_write(m.root, 0, 1, &next, &b);
	ret->parts = printed(arena, &b);
	ret->listing = store_listing_make(str_first(content, (size_t)e->header_n), arena);
}

static const struct store_part *child_of(const struct store_email *e, const struct store_part *p, uint32_t number)
{
	uint32_t self = (uint32_t)(p - e->parts);

	for (size_t i = self + 1; i < e->part_count; i++) {
		if (e->parts[i].parent == self && e->parts[i].number == number)
			return &e->parts[i];
	}
	return NULL;
}

/* Part `n` of the message whose header and body `entity` is. */
static const struct store_part *in_message(const struct store_email *e, const struct store_part *entity, uint32_t n)
{
	if (!entity->multipart)
		return n == 1 ? entity : NULL;
	return child_of(e, entity, n);
}

/* The same walk as mime_section, over the stored list. */
const struct store_part *store_part_find(const struct store_email *e, struct str section)
{
	const struct store_part *found = e->part_count > 0 ? &e->parts[0] : NULL, *entity = found;

	while (section.n > 0) {
		struct str one, rest;
		uint32_t   number;
		bool       more = str_cut(section, '.', &one, &rest);

		if (!str_to_u32(one, &number) || number == 0 || !entity || (more && rest.n == 0))
			return NULL;
		found = in_message(e, entity, number);
		if (!found)
			return NULL;
		entity = found->multipart ? found : found->message ? child_of(e, found, 1) : NULL;
		section = rest;
	}
	return found;
}
