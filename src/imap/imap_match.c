/* imap/imap_match.c - contract is in imap_match.h.
 *
 * Text is looked for as a substring without letter case in the decoded value (RFC 9051 §6.4.4), after text_fold on both
 * sides. Content is searched in its text parts only, decoded; of a message up to LIMIT_IMAP_SEARCH octets are looked
 * at.
 */
#include "imap/imap_match.h"

#include "sys/clock.h"
#include "wire/imap/imap_date.h"
#include "wire/mime/mime.h"
#include "wire/text/text_charset.h"
#include "wire/text/text_date.h"
#include "wire/text/text_fold.h"

void imap_match_init(struct imap_match *m, struct imap_session *s)
{
	*m = (struct imap_match){
		.s = s, .now_ms = clock_wall_ms(), .arena = arena_new(s->arena), .ahead_arena = arena_new(s->arena)
	};
	buf_init(&m->header, LIMIT_HEADER_BLOCK);
	buf_init(&m->content, LIMIT_IMAP_SEARCH);
}

void imap_match_done(struct imap_match *m)
{
	buf_done(&m->header);
	buf_done(&m->content);
	arena_free(&m->arena);
	arena_free(&m->ahead_arena);
}

/* ---- preparing ---- */

static unsigned cost(const struct imap_key *k)
{
	unsigned most = 0, n;

	switch (k->kind) {
	case IMAP_KEY_SENTBEFORE:
	case IMAP_KEY_SENTON:
	case IMAP_KEY_SENTSINCE: return 1;
	case IMAP_KEY_HEADER: return 2;
	case IMAP_KEY_BODY:
	case IMAP_KEY_TEXT: return 3;
	default: break;
	}
	for (const struct imap_key *c = k->child; c; c = c->next) {
		n = cost(c); /* once per key: MAX would ask twice, at each level */
		most = MAX(most, n);
	}
	return most;
}

bool imap_match_cheap(const struct imap_key *key)
{
	return cost(key) == 0;
}

/* AND and OR mean the same in any order. */
static void cheap_first(struct imap_key *k)
{
	struct imap_key *lists[4] = { 0 }, **ends[4], *next;

	for (size_t i = 0; i < LEN(lists); i++)
		ends[i] = &lists[i];
	for (struct imap_key *c = k->child; c; c = next) {
		unsigned n = cost(c);

		next = c->next;
		c->next = NULL;
		*ends[n] = c;
		ends[n] = &c->next;
	}
	for (size_t i = LEN(lists) - 1; i > 0; i--)
		*ends[i - 1] = lists[i];
	k->child = lists[0];
}

void imap_match_prepare(struct imap_match *m, struct imap_key *k)
{
	const struct imap_box *b = &m->s->box;
	uint32_t               last_uid = b->exists ? b->view.rows[b->exists - 1].uid : 0;

	if (k->kind == IMAP_KEY_SEQ || k->kind == IMAP_KEY_UID)
		k->set = imap_set_resolve(&k->set, k->kind == IMAP_KEY_UID ? last_uid : b->exists, m->s->arena);
	if (k->kind == IMAP_KEY_HEADER || k->kind == IMAP_KEY_BODY || k->kind == IMAP_KEY_TEXT) {
		struct buf folded;

		buf_init(&folded, LIMIT_IMAP_ARGS * 2);
		text_fold(k->text, &folded);
		k->text = arena_dup(m->s->arena, buf_str(&folded));
		buf_done(&folded);
	}
	for (struct imap_key *c = k->child; c; c = c->next)
		imap_match_prepare(m, c);
	cheap_first(k);
}

/* ---- reading ---- */

static bool ok(struct imap_match *m, enum status st)
{
	if (st != ST_OK && m->status == ST_OK)
		m->status = st;
	return st == ST_OK;
}

/* Facts of the message at hand and, once that has been worth it, of those that follow it: twice as many each time. */
static const struct store_email *email(struct imap_match *m)
{
	static const struct store_email unknown = { .date_ms = INT64_MIN };
	bool                            goes_on = m->ahead_count > 0 && m->place == m->first + m->ahead_count;
	uint64_t                        ids[IMAP_MATCH_AHEAD];
	struct store_account           *a;

	if (m->place >= m->first && m->place - m->first < m->ahead_count)
		return &m->ahead[m->place - m->first];
	m->ahead_count = goes_on ? MIN(m->ahead_count * 2, IMAP_MATCH_AHEAD) : 1;
	m->ahead_count = MIN(m->ahead_count, m->s->box.exists - m->place);
	m->first = m->place;
	for (uint32_t i = 0; i < m->ahead_count; i++)
		ids[i] = m->s->box.view.rows[m->place + i].email;
	arena_reset(m->ahead_arena);
	if (ok(m, imap_box_account(m->s, &a)) &&
	    ok(m, store_facts(a, ids, m->ahead_count, STORE_FACT_SORT, m->ahead_arena, m->ahead)))
		return &m->ahead[0];
	m->ahead_count = 0;
	return &unknown;
}

/* A message whose content is gone matches nothing in it. */
static struct str read_part(struct imap_match *m, bool *has, struct buf *out, uint64_t n)
{
	struct store_account *a;
	enum status           st;

	if (!*has) {
		*has = true;
		buf_clear(out);
		n = MIN(n, (uint64_t)out->max);
		/* Beside it there will be its text decoded, in UTF-8, and folded. */
		if (!imap_work_take(m->s, 4 * (size_t)n)) {
			m->full = true;
			return STR_NONE;
		}
		st = imap_box_account(m->s, &a);
		if (st == ST_OK && n > 0)
			st = store_read(a, m->row->email, 0, (size_t)n, out);
		if (st != ST_NOT_FOUND)
			(void)ok(m, st);
	}
	return buf_str(out);
}

static struct str header(struct imap_match *m)
{
	return read_part(m, &m->has_header, &m->header, email(m)->header_n);
}

/* ---- matching text ---- */

static bool contains(struct str utf8, struct str folded)
{
	struct buf b;
	bool       found;

	if (folded.n == 0)
		return true;
	buf_init(&b, 2 * LIMIT_IMAP_SEARCH);
	text_fold(utf8, &b);
	found = str_search(buf_str(&b), folded) >= 0;
	buf_done(&b);
	return found;
}

static bool field_has(struct imap_match *m, const struct mime_field *f, struct str folded)
{
	return contains(mime_decode_words(m->arena, mime_unfold(m->arena, f->value)), folded);
}

/* The field from the facts, where they have all of it: then the header need not be read. */
static bool fact_find(struct imap_match *m, struct str field, struct str *ret)
{
	const struct store_email *e = email(m);
	const struct {
		struct str name, value;
	} facts[] = {
		{ STR("Subject"), e->subject },
		{ STR("From"), e->from },
		{ STR("To"), e->to },
		{ STR("Cc"), e->cc },
	};

	for (size_t i = 0; i < LEN(facts) && !(e->mime_flags & (MIME_FLAG_DUP_FROM | MIME_FLAG_LIMIT)); i++) {
		if (!str_ieq(facts[i].name, field) || facts[i].value.n == 0 || facts[i].value.n >= STORE_SORT_MAX)
			continue;
		*ret = i == 0 ? facts[i].value : mime_decode_words(m->arena, facts[i].value);
		return true;
	}
	return false;
}

static bool header_match(struct imap_match *m, const struct imap_key *k)
{
	struct mime_field f;
	struct str        rest;

	if (fact_find(m, k->field, &rest))
		return contains(rest, k->text);
	rest = header(m);
	while (mime_field_next(&rest, &f))
		if (str_ieq(f.name, k->field) && field_has(m, &f, k->text))
			return true;
	return false;
}

static bool fields_match(struct imap_match *m, struct str block, struct str folded)
{
	struct mime_field f;

	while (mime_field_next(&block, &f)) {
		if (field_has(m, &f, folded) || contains(f.name, folded))
			return true;
	}
	return false;
}

static bool body_part_match(struct imap_match *m, struct str message, const struct mime_part *p, struct str folded)
{
	struct str charset = STR("US-ASCII");
	struct buf decoded, utf8;
	bool       found;

	for (size_t i = 0; i < p->param_count; i++)
		if (str_ieq(p->params[i].name, STR("charset")))
			charset = p->params[i].value;
	buf_init(&decoded, LIMIT_IMAP_SEARCH);
	buf_init(&utf8, 2 * LIMIT_IMAP_SEARCH);
	(void)mime_decode_body(str_sub(message, p->body_at, p->body_n), p->encoding, &decoded);
	(void)text_to_utf8(charset, buf_str(&decoded), &utf8);
	found = contains(buf_str(&utf8), folded);
	buf_done(&decoded);
	buf_done(&utf8);
	(void)m;
	return found;
}

/* All parts below `p`, depth first; of messages inside, the header is body text of the outer one (RFC 3501 §6.4.4:
 * BODY). */
static bool tree_match(struct imap_match *m, struct str message, const struct mime_part *p, bool outer,
		       struct str folded)
{
	if (!outer && p->parent && p->parent->message &&
	    fields_match(m, str_sub(message, p->header_at, p->header_n), folded))
		return true;
	if (!p->child && str_ieq(p->type, STR("TEXT")) && body_part_match(m, message, p, folded))
		return true;
	for (const struct mime_part *c = p->child; c; c = c->next)
		if (tree_match(m, message, c, false, folded))
			return true;
	return false;
}

static bool body_match(struct imap_match *m, const struct imap_key *k)
{
	struct str  message = read_part(m, &m->has_content, &m->content, m->row->size);
	struct mime parsed;

	if (k->kind == IMAP_KEY_TEXT && fields_match(m, header(m), k->text))
		return true;
	mime_parse(message, m->arena, &parsed);
	return tree_match(m, message, parsed.root, true, k->text);
}

/* ---- matching facts ---- */

static bool keyword_match(const struct imap_match *m, const struct imap_key *k)
{
	const struct imap_box *b = &m->s->box;

	for (size_t i = 0; i < b->name_count && i < LIMIT_KEYWORDS; i++)
		if (str_ieq(b->names[i], k->text))
			return m->row->keywords.bits[i / 64] >> (i % 64) & 1;
	return false;
}

static bool day_match(const struct imap_key *k, int32_t day)
{
	return k->kind == IMAP_KEY_SENTBEFORE ? day < k->day
	       : k->kind == IMAP_KEY_SENTON   ? day == k->day
					      : day >= k->day;
}

/* The day as the Date field writes it, in its own zone (RFC 9051 §6.4.4: "disregarding time and timezone"). The stored
 * instant tells it to a day or so; only near the day asked for is the field itself read. */
static bool sent_match(struct imap_match *m, const struct imap_key *k)
{
	int64_t           ms = email(m)->date_ms;
	struct mime_field f;
	struct text_date  d;
	int32_t           day;

	if (ms == INT64_MIN)
		return false;
	day = imap_day_of(ms, 0);
	if (day < k->day - 1 || day > k->day + 1)
		return day_match(k, day);
	if (mime_field_find(header(m), STR("Date"), &f) && text_date_parse(f.value, &d))
		day = imap_day_of(d.ms, d.zone_minutes);
	return day_match(k, day);
}

static bool key_match(struct imap_match *m, const struct imap_key *k)
{
	const struct store_row *row = m->row;
	unsigned flags = (row->flags & IMAP_FLAGS_ALL) | (imap_is_recent(&m->s->box, row->uid) ? IMAP_RECENT : 0);
	int32_t  day = imap_day_of(row->internal_ms, row->internal_zone);
	uint64_t age_s = m->now_ms > row->internal_ms ? (uint64_t)(m->now_ms - row->internal_ms) / 1000 : 0;

	switch (k->kind) {
	case IMAP_KEY_ALL: return true;
	case IMAP_KEY_FLAGS: return (flags & k->mask) == k->want;
	case IMAP_KEY_KEYWORD: return keyword_match(m, k);
	case IMAP_KEY_UNKEYWORD: return !keyword_match(m, k);
	case IMAP_KEY_SEQ: return imap_set_has(&k->set, m->place + 1);
	case IMAP_KEY_UID: return imap_set_has(&k->set, row->uid);
	case IMAP_KEY_BEFORE: return day < k->day;
	case IMAP_KEY_ON: return day == k->day;
	case IMAP_KEY_SINCE: return day >= k->day;
	case IMAP_KEY_SENTBEFORE:
	case IMAP_KEY_SENTON:
	case IMAP_KEY_SENTSINCE: return sent_match(m, k);
	case IMAP_KEY_MODSEQ: return row->modseq >= k->number;
	case IMAP_KEY_LARGER: return row->size > k->number;
	case IMAP_KEY_SMALLER: return row->size < k->number;
	case IMAP_KEY_OLDER: return age_s >= k->number;
	case IMAP_KEY_YOUNGER: return age_s <= k->number;
	case IMAP_KEY_HEADER: return header_match(m, k);
	case IMAP_KEY_BODY:
	case IMAP_KEY_TEXT: return body_match(m, k);
	case IMAP_KEY_NOT: return !key_match(m, k->child);
	case IMAP_KEY_OR: return key_match(m, k->child) || key_match(m, k->child->next);
	case IMAP_KEY_AND:
		for (const struct imap_key *c = k->child; c; c = c->next)
			if (!key_match(m, c))
				return false;
		return true;
	}
	return false;
}

bool imap_match(struct imap_match *m, const struct imap_key *root, uint32_t place)
{
	bool match;

	m->place = place;
	m->row = &m->s->box.view.rows[place];
	match = key_match(m, root);
	m->has_header = m->has_content = false;
	arena_reset(m->arena);
	return match;
}
