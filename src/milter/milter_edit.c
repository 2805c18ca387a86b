/* milter/milter_edit.c - contract is in milter_edit.h. */
#include "milter/milter_edit.h"

#include <string.h>

#include "base/limits.h"

#define FIRST ((size_t)16)

/* ---- collecting ---- */

static enum status edit_keep(struct milter_edits *e, const struct milter_answer *a)
{
	size_t octets = a->name.n + a->value.n + a->address.n + a->args.n;

	if (e->count >= LIMIT_MILTER_EDITS || octets > LIMIT_MILTER_EDITS_OCTETS - e->octets)
		return ST_LIMIT;
	if (e->count == e->cap) {
		size_t              cap = MAX(e->cap * 2, FIRST);
		struct milter_edit *more = ARENA_ARRAY(e->arena, struct milter_edit, cap);

		if (e->count > 0)
			memcpy(more, e->items, e->count * sizeof(*more));
		e->items = more;
		e->cap = cap;
	}
	e->octets += octets;
	e->items[e->count++] = (struct milter_edit){
		.kind = a->kind,
		.index = a->index,
		.name = arena_dup(e->arena, a->name),
		.value = arena_dup(e->arena, a->value),
		.address = arena_dup(e->arena, a->address),
		.args = arena_dup(e->arena, a->args),
	};
	return ST_OK;
}

enum status milter_edits_add(struct milter_edits *e, const struct milter_answer *a)
{
	switch (a->kind) {
	case MILTER_ANSWER_BODY:
		e->body = true;
		return a->value.n > 0 ? e->body_sink.write(e->body_sink.ctx, a->value) : ST_OK;
	case MILTER_ANSWER_QUARANTINE:
		if (!e->quarantine)
			e->reason = arena_dup(e->arena, a->value);
		e->quarantine = true;
		return ST_OK;
	default: return edit_keep(e, a);
	}
}

/* ---- header ---- */

static bool field_insert(struct milter_header *h, size_t at, struct milter_field f)
{
	if (h->count == LIMIT_HEADER_FIELDS + LIMIT_MILTER_EDITS)
		return false;
	if (h->count == h->cap) {
		size_t               cap = MAX(h->cap * 2, FIRST);
		struct milter_field *more = ARENA_ARRAY(h->arena, struct milter_field, cap);

		if (h->count > 0)
			memcpy(more, h->fields, h->count * sizeof(*more));
		h->fields = more;
		h->cap = cap;
	}
	memmove(&h->fields[at + 1], &h->fields[at], (h->count - at) * sizeof(*h->fields));
	h->fields[at] = f;
	h->count++;
	return true;
}

/* Octets of the first line with its CRLF; *ret_line without it. 0 at the end. */
static size_t line_of(struct str s, struct str *ret_line)
{
	ptrdiff_t lf = str_find(s, '\n');
	size_t    n = lf < 0 ? s.n : (size_t)lf + 1;

	*ret_line = str_chomp(str_first(s, n));
	return n;
}

/* Octets of the name in front of the colon; 0: the line begins no field. */
static size_t name_n(struct str line, size_t *ret_colon)
{
	size_t n = 0, colon;

	while (n < line.n && line.p[n] > 32 && line.p[n] < 127 && line.p[n] != ':')
		n++;
	colon = n;
	while (colon < line.n && ascii_is_wsp(line.p[colon]))
		colon++;
	*ret_colon = colon;
	return colon < line.n && line.p[colon] == ':' ? n : 0;
}

bool milter_header_parse(struct str header, struct arena *a, struct milter_header *ret)
{
	struct milter_header h = { .arena = a };
	struct str           rest = header, line;
	size_t               n, colon;

	while ((n = line_of(rest, &line)) > 0 && line.n > 0) {
		size_t name = name_n(line, &colon);

		if (name > 0) {
			struct milter_field f = { str_first(rest, n), str_first(line, name), str_from(line, colon + 1), false };

			if (h.count == LIMIT_HEADER_FIELDS || !field_insert(&h, h.count, f))
				return false;
		} else if (h.count > 0) {
			struct milter_field *last = &h.fields[h.count - 1];

			last->whole.n += n;
			last->value.n = (size_t)(line.p - last->value.p) + line.n;
		} else {
			break; /* the body begins at once */
		}
		rest = str_from(rest, n);
	}
	h.octets = header.n - rest.n + (n > 0 && line.n == 0 ? n : 0);
	*ret = h;
	return true;
}

static struct milter_field field_make(struct milter_header *h, struct str name, struct str value, bool leadspc)
{
	size_t              room = name.n + 2 + value.n * 2 + 2;
	struct buf          b = { .p = arena_alloc(h->arena, room), .cap = room, .max = room };
	struct milter_field f = { .gone = false };

	buf_add(&b, name);
	buf_add(&b, leadspc ? STR(":") : STR(": "));
	milter_value_write(&b, value);
	buf_add(&b, STR("\r\n"));
	CHECK(!b.over);
	f.whole = buf_str(&b);
	f.name = str_first(f.whole, name.n);
	f.value = str_from(str_first(f.whole, f.whole.n - 2), name.n + 1);
	return f;
}

/* The number of the field that CHANGE means, or the count. */
static size_t field_find(const struct milter_header *h, struct str name, uint32_t index)
{
	uint32_t seen = 0;
	size_t   i;

	for (i = 0; i < h->count; i++)
		if (str_ieq(h->fields[i].name, name) && ++seen == MAX(index, 1u))
			break;
	return i;
}

static void edit_apply(struct milter_header *h, const struct milter_edit *e, bool leadspc)
{
	size_t at = h->count;

	if (e->kind == MILTER_ANSWER_INSERT_HEADER)
		at = MIN(at, (size_t)e->index);
	if (e->kind == MILTER_ANSWER_CHANGE_HEADER)
		at = field_find(h, e->name, e->index);
	if (e->kind == MILTER_ANSWER_CHANGE_HEADER && at < h->count && e->value.n == 0)
		h->fields[at].gone = true;
	else if (e->kind == MILTER_ANSWER_CHANGE_HEADER && at < h->count)
		h->fields[at] = field_make(h, e->name, e->value, leadspc);
	else if (e->kind != MILTER_ANSWER_CHANGE_HEADER || e->value.n > 0)
		/* there is room for LIMIT_MILTER_EDITS of one filter; what others have added counts as the message's */
		CHECK(field_insert(h, at, field_make(h, e->name, e->value, leadspc)));
}

void milter_header_edit(struct milter_header *h, const struct milter_edits *e, bool leadspc)
{
	for (size_t i = 0; i < e->count; i++)
		if (e->items[i].kind == MILTER_ANSWER_ADD_HEADER || e->items[i].kind == MILTER_ANSWER_INSERT_HEADER ||
		    e->items[i].kind == MILTER_ANSWER_CHANGE_HEADER)
			edit_apply(h, &e->items[i], leadspc);
}

size_t milter_header_size(const struct milter_header *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->count; i++)
		n += h->fields[i].gone ? 0 : h->fields[i].whole.n;
	return n;
}
