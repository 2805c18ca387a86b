/* imap/imap_box.c - what the client knows of the selected mailbox: messages in order, \Recent, keywords. */
#include <stdlib.h>
#include <string.h>

#include "imap/imap_session.h"
#include "wire/imap/imap_print.h"

void imap_view_drop(struct imap_session *s)
{
	if (!s->box.loaded)
		return;
	store_view_give(s->env->store, &s->box.view, s->box.modseq);
	imap_view_give(s);
	arena_free(&s->box.names_arena);
	s->box.names = NULL;
	s->box.name_count = 0;
	s->box.loaded = false;
}

void imap_box_done(struct imap_session *s)
{
	imap_view_drop(s);
	imap_saved_clear(s);
	imap_contexts_done(s);
	s->box = (struct imap_box){ 0 };
}

enum status imap_view(struct imap_session *s)
{
	struct store_account *a;
	struct store_view     view;
	struct arena         *names;
	enum status           st;

	if (s->box.loaded)
		return ST_OK;
	st = imap_box_account(s, &a);
	if (st != ST_OK)
		return st;
	st = store_view_load(a, s->box.id, s->box.modseq, &view);
	if (st != ST_OK)
		return st;
	/* Message numbers must not move: that is worth an end of the session, never a guess. */
	if (view.count != s->box.exists) {
		store_view_done(&view);
		return ST_LIMIT;
	}
	if (!imap_view_take(s, view.count * sizeof(view.rows[0]))) {
		store_view_done(&view);
		return ST_TEMP; /* later: what the client knows does not change by it */
	}
	names = arena_new(NULL);
	st = store_keyword_list(a, names, &s->box.names, &s->box.name_count);
	if (st == ST_OK)
		st = store_settle(a);
	if (st != ST_OK) {
		store_view_done(&view);
		imap_view_give(s);
		arena_free(&names);
		return st;
	}
	s->box.view = view;
	s->box.names_arena = names;
	s->box.loaded = true;
	return ST_OK;
}

void imap_view_append(struct imap_box *b, const struct store_row *rows, size_t count)
{
	struct store_row *grown = reallocarray(b->view.rows, b->view.count + count, sizeof(*grown));

	CHECK(grown != NULL);
	memcpy(grown + b->view.count, rows, count * sizeof(*rows));
	b->view.rows = grown;
	b->view.count += count;
}

size_t imap_row_after(const struct imap_box *b, size_t from, uint32_t uid)
{
	size_t lo = from, hi = from;

	for (size_t step = 1; hi < b->view.count && b->view.rows[hi].uid < uid; step *= 2) {
		lo = hi + 1;
		hi += MIN(step, b->view.count - hi);
	}
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (b->view.rows[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t imap_row_from(const struct imap_box *b, uint32_t uid)
{
	return imap_row_after(b, 0, uid);
}

struct store_known imap_known(const struct imap_box *b)
{
	return (struct store_known){ b->view.rows, b->view.count, b->modseq };
}

/* UID ranges to ranges of places; those that hold no message vanish. */
static struct imap_set places_of_uids(struct imap_session *s, const struct imap_set *uids)
{
	struct imap_set out = { .ranges = ARENA_ARRAY(s->arena, struct imap_range, uids->count) };

	for (size_t i = 0; i < uids->count; i++) {
		size_t first = imap_row_from(&s->box, uids->ranges[i].first);
		size_t end = uids->ranges[i].last == UINT32_MAX ? s->box.view.count
								: imap_row_from(&s->box, uids->ranges[i].last + 1);

		if (first < end)
			out.ranges[out.count++] = (struct imap_range){ (uint32_t)first, (uint32_t)end - 1 };
	}
	return out;
}

bool imap_places(struct imap_session *s, struct imap_command *c, const struct imap_set *set, struct imap_set *ret)
{
	enum status     st = imap_view(s);
	struct imap_set resolved;
	uint32_t        largest;

	if (st != ST_OK) {
		imap_failed(s, st);
		return false;
	}
	if (set->saved) {
		*ret = places_of_uids(s, &s->box.saved);
		return true;
	}
	if (c->uid) {
		largest = s->box.exists ? s->box.view.rows[s->box.exists - 1].uid : 0;
		resolved = imap_set_resolve(set, largest, s->arena);
		*ret = places_of_uids(s, &resolved);
		return true;
	}
	if (imap_set_beyond(set, s->box.exists)) {
		imap_bad(s, "There is no message of that number");
		return false;
	}
	*ret = imap_set_resolve(set, s->box.exists, s->arena);
	for (size_t i = 0; i < ret->count; i++) {
		ret->ranges[i].first--;
		ret->ranges[i].last--;
	}
	return true;
}

struct store_set imap_uids(struct imap_session *s, const struct imap_set *places)
{
	struct store_range *ranges = ARENA_ARRAY(s->arena, struct store_range, places->count);

	/* Between two messages that stand side by side in the view there is no other, so a range of places is a range
	 * of UIDs. */
	for (size_t i = 0; i < places->count; i++) {
		ranges[i].first = s->box.view.rows[places->ranges[i].first].uid;
		ranges[i].last = s->box.view.rows[places->ranges[i].last].uid;
	}
	return (struct store_set){ ranges, places->count };
}

/* ---- \Recent ---- */

bool imap_is_recent(const struct imap_box *b, uint32_t uid)
{
	for (unsigned i = 0; i < b->recent_count; i++)
		if (uid >= b->recent[i].first && uid <= b->recent[i].last)
			return true;
	return false;
}

void imap_recent_add(struct imap_box *b, uint32_t first, uint32_t last)
{
	struct imap_range *newest = b->recent_count ? &b->recent[b->recent_count - 1] : NULL;

	if (first > last)
		return;
	if (newest && first <= (uint64_t)newest->last + 1) {
		newest->last = MAX(newest->last, last);
		return;
	}
	if (b->recent_count == IMAP_RECENT_RANGES) {
		for (unsigned i = 1; i < IMAP_RECENT_RANGES; i++)
			b->recent[i - 1] = b->recent[i];
		b->recent_count--;
	}
	b->recent[b->recent_count++] = (struct imap_range){ first, last };
}

uint32_t imap_recent_count(const struct imap_box *b)
{
	size_t n = 0;

	CHECK(b->loaded);
	for (unsigned i = 0; i < b->recent_count; i++) {
		size_t end = b->recent[i].last == UINT32_MAX ? b->view.count : imap_row_from(b, b->recent[i].last + 1);

		n += end - imap_row_from(b, b->recent[i].first);
	}
	return (uint32_t)n;
}

/* ---- flags ---- */

static unsigned wire_flags(unsigned store_flags)
{
	_Static_assert((unsigned)STORE_SEEN == (unsigned)IMAP_SEEN &&
			       (unsigned)STORE_ANSWERED == (unsigned)IMAP_ANSWERED &&
			       (unsigned)STORE_FLAGGED == (unsigned)IMAP_FLAGGED &&
			       (unsigned)STORE_DELETED == (unsigned)IMAP_DELETED &&
			       (unsigned)STORE_DRAFT == (unsigned)IMAP_DRAFT,
		       "one numbering");
	return store_flags & IMAP_FLAGS_ALL;
}

/* RFC 9051 has no \Recent. */
static bool shows_recent(const struct imap_session *s, uint32_t uid)
{
	return !(s->enabled & IMAP_ENABLED_REV2) && imap_is_recent(&s->box, uid);
}

void imap_put_row_flags(struct imap_session *s, const struct store_row *row)
{
	const struct imap_box *b = &s->box;
	struct str             names[LIMIT_KEYWORDS];
	size_t                 n = 0;

	for (size_t i = 0; i < b->name_count && i < LIMIT_KEYWORDS; i++)
		if (row->keywords.bits[i / 64] >> (i % 64) & 1)
			names[n++] = b->names[i];
	imap_put(s, STR("FLAGS ("));
	imap_print_flags(&s->out, wire_flags(row->flags) | (shows_recent(s, row->uid) ? IMAP_RECENT : 0), names, n);
	imap_put(s, STR(")"));
}

void imap_put_row_modseq(struct imap_session *s, const struct store_row *row)
{
	s->box.seen = MAX(s->box.seen, row->modseq);
	imap_put(s, STR("MODSEQ ("));
	imap_put_u64(s, row->modseq);
	imap_put(s, STR(")"));
}

void imap_put_fetch_head(struct imap_session *s, size_t place, const struct store_row *row)
{
	bool by_uid = s->enabled & IMAP_ENABLED_UIDONLY;

	imap_put(s, STR("* "));
	imap_put_u64(s, by_uid ? row->uid : place + 1);
	imap_put(s, by_uid ? STR(" UIDFETCH (") : STR(" FETCH ("));
}

/* RFC 7162 §3.2.4: with QRESYNC each has its UID; with UIDONLY it stands in front. */
static void changed_head_put(struct imap_session *s, size_t place, const struct store_row *row, bool uid)
{
	imap_put_fetch_head(s, place, row);
	if ((uid || (s->enabled & IMAP_ENABLED_QRESYNC)) && !(s->enabled & IMAP_ENABLED_UIDONLY)) {
		imap_put(s, STR("UID "));
		imap_put_u64(s, row->uid);
		imap_put(s, STR(" "));
	}
}

void imap_put_changed(struct imap_session *s, size_t place, const struct store_row *row, bool uid)
{
	changed_head_put(s, place, row, uid);
	imap_put_row_flags(s, row);
	if (s->enabled & IMAP_ENABLED_CONDSTORE) {
		imap_put(s, STR(" "));
		imap_put_row_modseq(s, row);
	}
	imap_put(s, STR(")\r\n"));
}

void imap_put_silent(struct imap_session *s, size_t place, const struct store_row *row, bool uid)
{
	changed_head_put(s, place, row, uid);
	imap_put_row_modseq(s, row);
	imap_put(s, STR(")\r\n"));
}

/* RFC 4314 §5.1.1: as the rights say. */
static unsigned permanent_flags(const struct imap_session *s)
{
	unsigned flags = IMAP_FLAGS_ALL;

	if (!imap_box_may(s, IMAP_RIGHT_SEEN))
		flags &= ~(unsigned)IMAP_SEEN;
	if (!imap_box_may(s, IMAP_RIGHT_DELETE))
		flags &= ~(unsigned)IMAP_DELETED;
	if (!imap_box_may(s, IMAP_RIGHT_WRITE))
		flags &= IMAP_SEEN | IMAP_DELETED;
	return flags;
}

enum status imap_put_flags_lines(struct imap_session *s, bool permanent)
{
	struct store_account *a;
	struct arena         *arena = s->box.names_arena ? s->box.names_arena : s->arena;
	struct str           *names;
	size_t                count;
	enum status           st = imap_box_account(s, &a);

	if (st == ST_OK)
		st = store_keyword_list(a, arena, &names, &count);
	if (st != ST_OK)
		return st;
	s->box.keywords = (uint32_t)count;
	if (s->box.loaded) {
		s->box.names = names;
		s->box.name_count = count;
	}
	imap_put(s, STR("* FLAGS ("));
	imap_print_flags(&s->out, IMAP_FLAGS_ALL, names, count);
	imap_put(s, STR(")\r\n"));
	if (!permanent)
		return ST_OK;
	imap_put(s, STR("* OK [PERMANENTFLAGS ("));
	if (!s->box.read_only) {
		imap_print_flags(&s->out, permanent_flags(s), names, imap_box_may(s, IMAP_RIGHT_WRITE) ? count : 0);
		if (count < LIMIT_KEYWORDS && imap_box_may(s, IMAP_RIGHT_WRITE))
			imap_put(s, STR(" \\*"));
	}
	imap_put(s, STR(")] Flags that are kept\r\n"));
	return ST_OK;
}

enum status imap_keywords_tell(struct imap_session *s)
{
	struct store_account *a;
	struct str           *names;
	size_t                count;
	enum status           st = imap_box_account(s, &a);

	if (st == ST_OK)
		st = store_keyword_list(a, s->arena, &names, &count);
	if (st != ST_OK || count <= s->box.keywords)
		return st;
	return imap_put_flags_lines(s, true);
}

enum status imap_keywords_meet(struct imap_session *s, const struct store_row *rows, size_t count)
{
	struct store_keywords all = { 0 };

	for (size_t i = 0; i < count; i++) {
		all.bits[0] |= rows[i].keywords.bits[0];
		all.bits[1] |= rows[i].keywords.bits[1];
	}
	for (size_t i = s->box.name_count; i < LIMIT_KEYWORDS; i++)
		if (all.bits[i / 64] >> (i % 64) & 1)
			return imap_keywords_tell(s);
	return ST_OK;
}
