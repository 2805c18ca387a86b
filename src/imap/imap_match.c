/* imap/imap_match.c - contract is in imap_match.h.
 *
 * Text is looked for as a substring without letter case in the decoded value (RFC 9051 §6.4.4), after text_fold on both
 * sides. Content is searched in its text parts only, decoded; of a message up to LIMIT_IMAP_SEARCH octets are looked
 * at.
 */
#include "imap/imap_match.h"
#include "store/store_thread.h"

#include "sys/clock.h"
#include "wire/imap/imap_date.h"
#include "wire/mime/mime.h"
#include "wire/text/text_charset.h"
#include "wire/text/text_date.h"
#include "wire/text/text_fold.h"

void imap_match_init_box(struct imap_match *m, struct imap_session *s, const struct imap_box *box, struct str name)
{
	*m = (struct imap_match){ .s = s, .box = box, .mailbox = name, .now_ms = clock_wall_ms(), .told_ms = clock_mono_ms() };
	m->ids = imap_id_suffix(s, box->owner ? box->owner : s->account_id);
	m->arena = arena_new(s->arena);
	m->ahead_arena = arena_new(s->arena);
	buf_init(&m->header, LIMIT_HEADER_BLOCK);
	buf_init(&m->content, LIMIT_IMAP_SEARCH);
	buf_init(&m->folded, 2 * LIMIT_IMAP_SEARCH);
}

void imap_match_init(struct imap_match *m, struct imap_session *s)
{
	imap_match_init_box(m, s, &s->box, STR_NONE);
}

void imap_match_done(struct imap_match *m)
{
	buf_done(&m->header);
	buf_done(&m->content);
	buf_done(&m->folded);
	arena_free(&m->arena);
	arena_free(&m->ahead_arena);
}

/* ---- preparing ---- */

static unsigned cost(const struct imap_key *k)
{
	unsigned most = 0, n;

	switch (k->kind) {
	case IMAP_KEY_SAVEDBEFORE:
	case IMAP_KEY_SAVEDON:
	case IMAP_KEY_SAVEDSINCE:
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

/* The facts that a header field is kept in. */
static const struct fact {
	struct str             field;
	enum store_sort_column column;
	size_t                 at, max;
	bool                   words; /* encoded words are still in it */
} facts[] = {
	{ STR("Subject"), STORE_SORT_SUBJECT, offsetof(struct store_email, subject), STORE_SORT_MAX, false },
	{ STR("From"), STORE_SORT_FROM, offsetof(struct store_email, from), STORE_SORT_MAX, true },
	{ STR("To"), STORE_SORT_TO, offsetof(struct store_email, to), STORE_SORT_MAX, true },
	{ STR("Cc"), STORE_SORT_CC, offsetof(struct store_email, cc), STORE_SORT_MAX, true },
	{ STR("Message-ID"), STORE_SORT_MESSAGE_ID, offsetof(struct store_email, message_id), STORE_SORT_MAX, true },
	{ STR("In-Reply-To"), STORE_SORT_IN_REPLY_TO, offsetof(struct store_email, in_reply_to), STORE_SORT_MAX, true },
	{ STR("References"), STORE_SORT_REFERENCES, offsetof(struct store_email, references), STORE_REFERENCES_MAX, true },
};

static const struct fact *fact_of(struct str field)
{
	for (size_t i = 0; i < LEN(facts); i++)
		if (str_ieq(facts[i].field, field))
			return &facts[i];
	return NULL;
}

static void set_resolve(struct imap_match *m, struct imap_key *k)
{
	const struct imap_box *b = m->box;
	uint32_t               last_uid = b->exists ? b->view.rows[b->exists - 1].uid : 0;

	if (k->set.saved) {
		k->kind = IMAP_KEY_UID;
		k->set = m->s->box.saved;
	} else {
		k->set = imap_set_resolve(&k->set, k->kind == IMAP_KEY_UID ? last_uid : b->exists, m->s->arena);
	}
}

void imap_match_prepare(struct imap_match *m, struct imap_key *k)
{
	const struct fact *fact = k->kind == IMAP_KEY_HEADER ? fact_of(k->field) : NULL;

	if (k->kind == IMAP_KEY_SEQ || k->kind == IMAP_KEY_UID)
		set_resolve(m, k);
	if (k->kind == IMAP_KEY_HEADER || k->kind == IMAP_KEY_BODY || k->kind == IMAP_KEY_TEXT) {
		buf_clear(&m->folded);
		text_fold(k->text, &m->folded);
		k->text = arena_dup(m->s->arena, buf_str(&m->folded));
	}
	if (fact)
		m->columns |= fact->column;
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

static enum status account(struct imap_match *m, struct store_account **ret)
{
	struct store_mailbox box;
	enum status          st = ST_OK;

	if (m->box == &m->s->box)
		return imap_box_account(m->s, ret);
	if (!m->account)
		st = imap_mailbox_find(m->s, m->mailbox, IMAP_RIGHT_READ, &m->account, &box);
	if (st == ST_OK)
		*ret = m->account;
	return st;
}

/* Mail comes into a mailbox in the order of its emails, but for what was copied or moved. False: it stands in no such order here. */
static bool dense_read(struct imap_match *m, struct store_account *a, uint32_t count, enum status *ret)
{
	const struct store_row *rows = m->box->view.rows + m->first;
	uint64_t                emails[IMAP_MATCH_AHEAD];

	if (count < 2)
		return false;
	for (uint32_t i = 0; i < count; i++)
		emails[i] = rows[i].email;
	if (!store_sort_dense(emails, count))
		return false;
	*ret = store_sort_emails(a, emails, count, m->columns, m->ahead_arena, m->ahead);
	return *ret != ST_CORRUPT; /* a row between them may be it */
}

/* Those of `count` messages from m->first on that the store has in the mailbox; the others, expunged and not told yet, one by one. */
static enum status facts_read(struct imap_match *m, struct store_account *a, uint32_t count)
{
	const struct store_row *rows = m->box->view.rows + m->first;
	uint32_t                uids[IMAP_MATCH_AHEAD];
	struct store_email      found[IMAP_MATCH_AHEAD];
	size_t                  n = 0, at = 0;
	enum status             st = ST_OK;

	if (dense_read(m, a, count, &st))
		return st;
	if (count > 1)
		st = store_sort_facts(a, m->box->id, (struct store_range){ rows[0].uid, rows[count - 1].uid }, LEN(found), m->columns,
				      m->ahead_arena, uids, found, &n);
	for (uint32_t i = 0; i < count && st == ST_OK; i++) {
		while (at < n && uids[at] < rows[i].uid)
			at++;
		if (at < n && uids[at] == rows[i].uid)
			m->ahead[i] = found[at];
		else
			st = store_facts(a, &rows[i].email, 1, STORE_FACT_SORT, m->ahead_arena, &m->ahead[i]);
	}
	return st;
}

/* Facts of the message asked for and, once that has been worth it, of those that follow it: four times as many each time. */
const struct store_email *imap_match_facts(struct imap_match *m, uint32_t place)
{
	static const struct store_email unknown = { .date_ms = INT64_MIN };
	bool                            goes_on = m->ahead_count > 0 && place >= m->first + m->ahead_count &&
		       place < m->first + 2 * m->ahead_count;
	uint32_t              count;
	struct store_account *a;

	if (place >= m->first && place - m->first < m->ahead_count)
		return &m->ahead[place - m->first];
	count = goes_on ? MIN(m->ahead_count * 4, IMAP_MATCH_AHEAD) : 1;
	count = MIN(count, m->box->exists - place);
	m->first = place;
	m->ahead_count = 0;
	arena_reset(m->ahead_arena);
	if (!ok(m, account(m, &a)) || !ok(m, facts_read(m, a, count)))
		return &unknown;
	m->ahead_count = count;
	return &m->ahead[0];
}

static const struct store_email *email(struct imap_match *m)
{
	return imap_match_facts(m, m->place);
}

/* When the message at hand came into the mailbox; 0: not known. */
static int64_t saved_ms(struct imap_match *m)
{
	uint32_t              uids[IMAP_MATCH_AHEAD];
	struct store_account *a;

	if (m->place >= m->saved_first && m->place - m->saved_first < m->saved_count)
		return m->saved[m->place - m->saved_first];
	m->saved_first = m->place;
	m->saved_count = MIN(IMAP_MATCH_AHEAD, m->box->exists - m->place);
	for (uint32_t i = 0; i < m->saved_count; i++)
		uids[i] = m->box->view.rows[m->place + i].uid;
	if (ok(m, account(m, &a)) && ok(m, store_save_dates(a, m->box->id, uids, m->saved_count, m->saved)))
		return m->saved[0];
	m->saved_count = 0;
	return 0;
}

/* The thread of the message at hand; 0: not known. */
static uint64_t thread_of(struct imap_match *m)
{
	uint64_t              emails[IMAP_MATCH_AHEAD];
	struct store_account *a;

	if (m->place >= m->threads_first && m->place - m->threads_first < m->threads_count)
		return m->threads[m->place - m->threads_first];
	m->threads_first = m->place;
	m->threads_count = MIN(IMAP_MATCH_AHEAD, m->box->exists - m->place);
	for (uint32_t i = 0; i < m->threads_count; i++)
		emails[i] = m->box->view.rows[m->place + i].email;
	if (ok(m, account(m, &a)) && ok(m, store_threads(a, emails, m->threads_count, m->threads)))
		return m->threads[0];
	m->threads_count = 0;
	return 0;
}

/* A message whose content is gone matches nothing in it. */
static struct str read_part(struct imap_match *m, bool *has, struct buf *out, uint64_t n)
{
	struct store_account *a;
	enum status           st;

	if (!*has) {
		*has = m->slow = true;
		buf_clear(out);
		n = MIN(n, (uint64_t)out->max);
		/* Beside it there will be its text decoded, in UTF-8, and folded. */
		if (!imap_work_take(m->s, m->held + 4 * (size_t)n)) {
			m->full = true;
			return STR_NONE;
		}
		st = account(m, &a);
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

static bool contains(struct imap_match *m, struct str utf8, struct str folded)
{
	if (folded.n == 0)
		return true;
	buf_clear(&m->folded);
	text_fold(utf8, &m->folded);
	return str_search(buf_str(&m->folded), folded) >= 0;
}

static struct str decoded(struct imap_match *m, struct str value)
{
	return str_is_ascii(value) && str_search(value, STR("=?")) < 0 ? value : mime_decode_words(m->arena, value);
}

static bool field_has(struct imap_match *m, const struct mime_field *f, struct str folded)
{
	return contains(m, decoded(m, mime_unfold(m->arena, f->value)), folded);
}

/* Can it be told from the facts alone? They have the first field of a name only, and not all of a long one; and an empty value may be no
 * field, which matters to "". */
static bool fact_known(const struct store_email *e, const struct fact *f, const struct imap_key *k, struct str *ret)
{
	const struct str *value = f ? (const struct str *)(const void *)((const char *)e + f->at) : NULL;

	if (!value || (e->mime_flags & (MIME_FLAG_DUP_FROM | MIME_FLAG_LIMIT)) || value->n >= f->max ||
	    (value->n == 0 && k->text.n == 0))
		return false;
	*ret = *value;
	return true;
}

static bool header_match(struct imap_match *m, const struct imap_key *k)
{
	const struct fact        *fact = fact_of(k->field);
	const struct store_email *e = email(m);
	struct mime_field         f;
	struct str                rest;

	if (e->id != 0 && fact_known(e, fact, k, &rest))
		return contains(m, fact->words ? decoded(m, rest) : rest, k->text);
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
		if (field_has(m, &f, folded) || contains(m, f.name, folded))
			return true;
	}
	return false;
}

static bool body_part_match(struct imap_match *m, struct str message, const struct mime_part *p, struct str folded)
{
	struct str charset = STR("US-ASCII");
	struct buf plain, utf8;
	bool       found;

	for (size_t i = 0; i < p->param_count; i++)
		if (str_ieq(p->params[i].name, STR("charset")))
			charset = p->params[i].value;
	buf_init(&plain, LIMIT_IMAP_SEARCH);
	buf_init(&utf8, 2 * LIMIT_IMAP_SEARCH);
	(void)mime_decode_body(str_sub(message, p->body_at, p->body_n), p->encoding, &plain);
	(void)text_to_utf8(charset, buf_str(&plain), &utf8);
	found = contains(m, buf_str(&utf8), folded);
	buf_done(&plain);
	buf_done(&utf8);
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
	const struct imap_box *b = m->box;

	for (size_t i = 0; i < b->name_count && i < LIMIT_KEYWORDS; i++)
		if (str_ieq(b->names[i], k->text))
			return m->row->keywords.bits[i / 64] >> (i % 64) & 1;
	return false;
}

static bool day_match(const struct imap_key *k, int32_t day)
{
	switch (k->kind) {
	case IMAP_KEY_BEFORE:
	case IMAP_KEY_SAVEDBEFORE:
	case IMAP_KEY_SENTBEFORE: return day < k->day;
	case IMAP_KEY_ON:
	case IMAP_KEY_SAVEDON:
	case IMAP_KEY_SENTON: return day == k->day;
	default: return day >= k->day;
	}
}

static bool saved_match(struct imap_match *m, const struct imap_key *k)
{
	int64_t ms = saved_ms(m);

	return ms != 0 && day_match(k, imap_day_of(ms, 0));
}

/* RFC 8474 §5.1, §5.2: ids of ours are exactly as FETCH prints them. */
static bool email_id_match(const struct imap_match *m, struct str id)
{
	return str_eq(id, arena_printf(m->arena, "M%llu%s", (unsigned long long)m->row->email, m->ids));
}

static bool thread_id_match(struct imap_match *m, struct str id)
{
	uint64_t thread = thread_of(m);

	return thread > 0 && str_eq(id, arena_printf(m->arena, "T%llu%s", (unsigned long long)thread, m->ids));
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
	unsigned flags = (row->flags & IMAP_FLAGS_ALL) | (imap_is_recent(m->box, row->uid) ? IMAP_RECENT : 0);
	uint64_t age_s = m->now_ms > row->internal_ms ? (uint64_t)(m->now_ms - row->internal_ms) / 1000 : 0;

	switch (k->kind) {
	case IMAP_KEY_ALL: return true;
	case IMAP_KEY_FLAGS: return (flags & k->mask) == k->want;
	case IMAP_KEY_KEYWORD: return keyword_match(m, k);
	case IMAP_KEY_UNKEYWORD: return !keyword_match(m, k);
	case IMAP_KEY_SEQ: return imap_set_has(&k->set, m->place + 1);
	case IMAP_KEY_UID: return imap_set_has(&k->set, row->uid);
	case IMAP_KEY_UIDAFTER: return row->uid > k->number;
	case IMAP_KEY_UIDBEFORE: return row->uid < k->number;
	case IMAP_KEY_BEFORE:
	case IMAP_KEY_ON:
	case IMAP_KEY_SINCE: return day_match(k, imap_day_of(row->internal_ms, row->internal_zone));
	case IMAP_KEY_MODSEQ: return row->modseq >= k->number;
	case IMAP_KEY_EMAILID: return email_id_match(m, k->text);
	case IMAP_KEY_THREADID: return thread_id_match(m, k->text);
	case IMAP_KEY_SAVEDBEFORE:
	case IMAP_KEY_SAVEDON:
	case IMAP_KEY_SAVEDSINCE: return saved_match(m, k);
	case IMAP_KEY_SENTBEFORE:
	case IMAP_KEY_SENTON:
	case IMAP_KEY_SENTSINCE: return sent_match(m, k);
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
	m->row = &m->box->view.rows[place];
	match = key_match(m, root);
	m->has_header = m->has_content = false;
	arena_reset(m->arena);
	return match;
}

/* ---- going on ---- */

/* "* OK [INPROGRESS ("A001" 454 1000)] Still searching" (RFC 9585 §4). Whole lines only wait in the output here. */
static void progress_tell(struct imap_match *m, uint32_t place)
{
	struct imap_session *s = m->s;

	imap_put(s, STR("* OK [INPROGRESS ("));
	if (s->tag.n > 0 && str_find(s->tag, ']') < 0) /* or the code would end there */
		imap_putf(s, "\"%.*s\" ", STR_FMT(s->tag));
	else
		imap_put(s, STR("NIL "));
	imap_putf(s, "%u %u)] Still searching\r\n", place, m->box->exists);
	m->account = NULL; /* it is given back */
	imap_flush(s);
	m->gone = net_flush(s->conn) != ST_OK;
}

bool imap_match_goes_on(struct imap_match *m, uint32_t place)
{
	int64_t now;

	if (m->status != ST_OK || m->full || m->gone || m->s->broken)
		return false;
	if (place == 0 || (!m->slow && place % 256 != 0))
		return true;
	m->slow = false;
	now = clock_mono_ms();
	if (now - m->told_ms < (int64_t)m->s->set->progress_ms)
		return true;
	m->told_ms = now;
	progress_tell(m, place);
	return !m->gone;
}

bool imap_match_answer(struct imap_match *m)
{
	if (m->gone || m->s->broken) {
		m->s->end = m->s->end ? m->s->end : "write failed";
		m->s->broken = true;
		imap_no(m->s, "Nobody listens");
		return false;
	}
	if (m->full)
		imap_full(m->s);
	else if (m->status != ST_OK)
		imap_failed(m->s, m->status);
	return !m->full && m->status == ST_OK;
}
