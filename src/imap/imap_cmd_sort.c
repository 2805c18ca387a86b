/* imap/imap_cmd_sort.c - SORT, UID SORT (RFC 5256 §3, RFC 5957, RFC 5267 §3).
 *
 * A message's keys are made once. Texts are compared by i;unicode-casemap (RFC 5255 §4.4): as octets of what text_fold makes of them.
 * Where all keys are equal the place in the mailbox decides, in ascending order whatever is REVERSE.
 */
#include <stdlib.h>

#include "imap/imap_found.h"
#include "wire/mime/mime.h"
#include "wire/mime/mime_address.h"
#include "wire/text/text_fold.h"
#include "wire/text/text_subject.h"

#define COUNTED 1024u /* messages between two looks at the memory that keys take */

struct value {
	int64_t    n;    /* a number; of a text its first octets, in an order that is the text's */
	struct str text;
};

struct item {
	uint32_t      place;
	struct value *values; /* one for each criterion */
};

struct sorting {
	struct imap_match      *m;
	const struct imap_sort *sort;
	struct arena           *arena;   /* of the keys */
	struct arena           *scratch; /* of a message */
	struct buf              folded;
};

static struct value text_value(struct sorting *y, struct str utf8)
{
	struct value v = { 0 };
	uint64_t     head = 0;

	buf_clear(&y->folded);
	text_fold(utf8, &y->folded);
	v.text = arena_dup(y->arena, buf_str(&y->folded));
	for (size_t i = 0; i < 8; i++)
		head = head << 8 | (i < v.text.n ? (unsigned char)v.text.p[i] : 0);
	v.n = (int64_t)(head ^ UINT64_C(1) << 63);
	return v;
}

/* The first address of a field; false: there is none. */
static bool first_address(struct sorting *y, struct str field, struct mime_address *ret)
{
	struct mime_addresses list = { 0 };

	if (field.n > 0)
		mime_addresses_parse(field, y->scratch, &list);
	if (list.count > 0)
		*ret = list.items[0];
	return list.count > 0;
}

/* addr-mailbox: of a group its name (RFC 5256 §3, as ENVELOPE has it) */
static struct value mailbox_value(struct sorting *y, struct str field)
{
	struct mime_address a;

	if (!first_address(y, field, &a))
		return text_value(y, STR(""));
	return text_value(y, a.kind == MIME_ADDRESS_GROUP ? a.name : a.local);
}

/* RFC 5957 §3: the display name, decoded; without one the address. */
static struct value display_value(struct sorting *y, struct str field)
{
	struct mime_address a;
	struct str          name;

	if (!first_address(y, field, &a))
		return text_value(y, STR(""));
	name = mime_address_name(&a, y->scratch);
	if (name.n > 0)
		return text_value(y, name);
	return text_value(y, arena_printf(y->scratch, "%.*s@%.*s", STR_FMT(a.local), STR_FMT(a.domain)));
}

static struct value value_of(struct sorting *y, enum imap_sort_key key, const struct store_row *row, const struct store_email *e)
{
	bool reply;

	switch (key) {
	case IMAP_SORT_ARRIVAL: return (struct value){ .n = row->internal_ms };
	case IMAP_SORT_SIZE: return (struct value){ .n = (int64_t)row->size };
	case IMAP_SORT_DATE: return (struct value){ .n = e->id == 0 || e->date_ms == INT64_MIN ? row->internal_ms : e->date_ms };
	case IMAP_SORT_SUBJECT: return text_value(y, text_subject_base(e->subject, &reply));
	case IMAP_SORT_FROM: return mailbox_value(y, e->from);
	case IMAP_SORT_TO: return mailbox_value(y, e->to);
	case IMAP_SORT_CC: return mailbox_value(y, e->cc);
	case IMAP_SORT_DISPLAYFROM: return display_value(y, e->from);
	case IMAP_SORT_DISPLAYTO: return display_value(y, e->to);
	}
	return (struct value){ 0 };
}

/* What must be read for these keys; *ret_facts: more than the view. */
static unsigned columns(const struct imap_sort *sort, bool *ret_facts)
{
	static const unsigned of[] = {
		[IMAP_SORT_CC] = STORE_SORT_CC,       [IMAP_SORT_DATE] = 0,
		[IMAP_SORT_FROM] = STORE_SORT_FROM,   [IMAP_SORT_SUBJECT] = STORE_SORT_SUBJECT,
		[IMAP_SORT_TO] = STORE_SORT_TO,       [IMAP_SORT_DISPLAYFROM] = STORE_SORT_FROM,
		[IMAP_SORT_DISPLAYTO] = STORE_SORT_TO,
	};
	unsigned all = 0;

	*ret_facts = false;
	for (size_t i = 0; i < sort->count; i++) {
		all |= of[sort->by[i].key];
		*ret_facts |= sort->by[i].key != IMAP_SORT_ARRIVAL && sort->by[i].key != IMAP_SORT_SIZE;
	}
	return all;
}

static int value_cmp(const struct value *a, const struct value *b)
{
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	return a->text.p || b->text.p ? str_cmp(a->text, b->text) : 0;
}

static int item_cmp(const void *x, const void *y, void *arg)
{
	const struct item      *a = x, *b = y;
	const struct imap_sort *sort = arg;

	for (size_t i = 0; i < sort->count; i++) {
		int c = value_cmp(&a->values[i], &b->values[i]);

		if (c != 0)
			return sort->by[i].reverse ? -c : c;
	}
	return a->place < b->place ? -1 : a->place > b->place;
}

static bool items_make(struct sorting *y, const struct imap_found *f, struct item *items)
{
	static const struct store_email none = { .date_ms = INT64_MIN };
	struct imap_match              *m = y->m;
	const struct imap_sort         *sort = y->sort;
	struct value                   *values = ARENA_ARRAY(y->arena, struct value, f->count * sort->count);
	bool                            facts;

	m->columns = columns(sort, &facts);
	m->ahead_count = 0; /* those of other columns */
	for (size_t i = 0; i < f->count && imap_match_goes_on(m, f->places[i]); i++) {
		const struct store_email *e = facts ? imap_match_facts(m, f->places[i]) : &none;

		items[i] = (struct item){ f->places[i], values + i * sort->count };
		for (size_t k = 0; k < sort->count; k++)
			items[i].values[k] = value_of(y, sort->by[k].key, &m->box->view.rows[f->places[i]], e);
		arena_reset(y->scratch);
		if (i % COUNTED == COUNTED - 1)
			m->full = !imap_work_take(m->s, m->held + arena_size(y->arena));
	}
	return imap_match_answer(m);
}

bool imap_found_sort(struct imap_match *m, const struct imap_sort *sort, struct imap_found *f)
{
	struct sorting y = { .m = m, .sort = sort, .arena = arena_new(m->s->arena), .scratch = arena_new(m->s->arena) };
	/* The items, and the copy of them that qsort makes. */
	size_t       octets = f->count * (2 * sizeof(struct item) + sort->count * sizeof(struct value));
	struct item *items;
	bool         ok;

	buf_init(&y.folded, 64 * KIB);
	m->full = !imap_work_take(m->s, m->held + octets);
	items = m->full ? NULL : ARENA_ARRAY(y.arena, struct item, f->count);
	m->held += octets / 2;
	ok = items ? items_make(&y, f, items) : imap_match_answer(m);
	if (ok && f->count > 1) {
		struct imap_sort by = *sort;

		qsort_r(items, f->count, sizeof(*items), item_cmp, &by);
	}
	for (size_t i = 0; i < f->count && ok; i++)
		f->places[i] = items[i].place;
	buf_done(&y.folded);
	arena_free(&y.arena);
	arena_free(&y.scratch);
	return ok;
}

enum imap_next imap_cmd_sort(struct imap_session *s, struct imap_command *c)
{
	return imap_query_command(s, c, true, "SORT [RETURN (...)] (key ...) charset search-key ...");
}
