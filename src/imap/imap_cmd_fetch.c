/* imap/imap_cmd_fetch.c - FETCH, UID FETCH (RFC 9051 §6.4.5).
 *
 * Messages are taken in batches: the facts of a batch are read with one statement, then each message is printed; output
 * that grows is written out between messages and between pieces of content, with no handle open (imap_spill).
 *
 * Fields of the header that clients list with come from listings (store_listing.h). If they and what the view has are all that is asked for, facts
 * and header are read of those messages alone that have no listing.
 *
 * A message that another session expunged stays here until this client is told: its row comes from the view, its
 * content as long as the store still has it. If it has not, the answer is NO [EXPUNGEISSUED] (RFC 5530 §3).
 */
#include "imap/imap_content.h"
#include "imap/imap_found.h"
#include "store/store_listing.h"
#include "store/store_thread.h"
#include "wire/imap/imap_date.h"

#define BATCH        100u
#define BATCH_OCTETS (4 * MIB) /* facts are at most a few times the message */
#define FACTS_OCTETS (16 * KIB) /* of a message, as a rule */
#define FACTS_LARGE  (STORE_FACT_ENVELOPE | STORE_FACT_BODY | STORE_FACT_STRUCTURE | STORE_FACT_PARTS)

struct fetch {
	struct imap_session     *s;
	const struct imap_fetch *what;
	bool                     uid;
	bool                     seen; /* \Seen was set by this command: FLAGS is told with it (RFC 9051 §6.4.5) */
	unsigned                 facts;
	bool                     need_email; /* the facts of each email */
	struct arena            *arena; /* of the batch */
	bool                     headers; /* the header is asked for, or fields of it that no listing has: read with the facts */
	uint64_t                 listed; /* names of fields in a listing, of all sections; 0: listings are of no use */
	size_t                   batch_octets; /* of its facts, at most */
	const char              *ids;    /* imap_id_suffix() */
	uint64_t                 thread; /* THREADID of the message at hand; 0: none */
	bool                     gone;  /* something could not be read */
	bool                     full;  /* the process has no memory for the next message */
	bool                     unknown; /* a part to be decoded has an encoding that is not known */
};

struct batch {
	uint32_t           place[BATCH];
	uint64_t           email[BATCH];
	struct store_email facts[BATCH];
	int64_t            saved_ms[BATCH]; /* SAVEDATE; 0: not known */
	uint64_t           threads[BATCH];
	size_t             count;
	uint64_t           octets;
};

static bool sets_seen(const struct imap_fetch *what)
{
	for (const struct imap_section *x = what->sections; x; x = x->next)
		if (!x->peek)
			return true;
	return false;
}

/* Those of the messages that are not \Seen become so, all at once, before anything is shown. */
static enum status seen_set(struct imap_session *s, const struct imap_set *places, bool *ret_some)
{
	const struct store_flag_change c = { .op = STORE_FLAGS_ADD,
					     .flags = STORE_SEEN,
					     .unchanged_since = UINT64_MAX,
					     .known = imap_known(&s->box) };
	struct imap_set                unseen = { 0 };
	size_t                         cap = 0;
	struct store_account          *a;
	struct store_flagged           f;
	enum status                    st;

	*ret_some = false;
	for (size_t i = 0; i < places->count; i++)
		cap += places->ranges[i].last - places->ranges[i].first + 1;
	unseen.ranges = ARENA_ARRAY(s->arena, struct imap_range, cap);
	for (size_t i = 0; i < places->count; i++) {
		for (uint32_t p = places->ranges[i].first; p <= places->ranges[i].last; p++) {
			struct imap_range *last = unseen.count ? &unseen.ranges[unseen.count - 1] : NULL;

			if (s->box.view.rows[p].flags & (STORE_SEEN | STORE_EXPUNGED))
				continue;
			if (last && last->last + 1 == p)
				last->last = p;
			else
				unseen.ranges[unseen.count++] = (struct imap_range){ p, p };
		}
	}
	if (unseen.count == 0 || !imap_box_may(s, IMAP_RIGHT_SEEN))
		return ST_OK;
	st = imap_box_account(s, &a);
	if (st == ST_OK)
		st = store_flags(a, s->box.id, imap_uids(s, &unseen), &c, s->arena, &f);
	if (st != ST_OK)
		return st;
	if (f.changed > 0)
		imap_changed(s, f.modseq);
	st = imap_keywords_meet(s, f.rows, f.row_count);
	if (st != ST_OK)
		return st;
	for (size_t i = 0; i < f.row_count; i++) {
		size_t at = imap_row_from(&s->box, f.rows[i].uid);

		if (at < s->box.view.count && s->box.view.rows[at].uid == f.rows[i].uid) {
			s->box.view.rows[at] = f.rows[i];
			s->box.view.rows[at].flags |= IMAP_ROW_TOLD;
		}
	}
	*ret_some = true;
	return ST_OK;
}

/* The name has a space in front, which the first of a message goes without. */
static void item_put(struct imap_session *s, bool *first, struct str name)
{
	imap_put(s, str_from(name, *first));
	*first = false;
}

static bool uid_shows(const struct fetch *f)
{
	if (f->what->items & IMAP_FETCH_UID)
		return true;
	return (f->uid || (f->s->enabled & IMAP_ENABLED_QRESYNC)) && !(f->s->enabled & IMAP_ENABLED_UIDONLY);
}

/* Once it is on, with all flags too (RFC 7162 §3.1). */
static bool modseq_shows(const struct fetch *f)
{
	return (f->what->items & IMAP_FETCH_MODSEQ) ||
	       ((f->s->enabled & IMAP_ENABLED_CONDSTORE) && ((f->what->items & IMAP_FETCH_FLAGS) || f->seen));
}

static void row_items_put(struct fetch *f, const struct store_row *row, bool *first)
{
	struct imap_session *s = f->s;
	unsigned             items = f->what->items;

	if (uid_shows(f)) {
		item_put(s, first, STR(" UID "));
		imap_put_u64(s, row->uid);
	}
	if ((items & IMAP_FETCH_FLAGS) || f->seen) {
		item_put(s, first, STR(" "));
		imap_put_row_flags(s, row);
	}
	if (modseq_shows(f)) {
		item_put(s, first, STR(" "));
		imap_put_row_modseq(s, row);
	}
	if (items & IMAP_FETCH_INTERNALDATE) {
		item_put(s, first, STR(" INTERNALDATE "));
		imap_print_date_time(&s->out, row->internal_ms, row->internal_zone);
	}
	if (items & IMAP_FETCH_RFC822_SIZE) {
		item_put(s, first, STR(" RFC822.SIZE "));
		imap_put_u64(s, row->size);
	}
}

/* RFC 8474 §5.1, §5.2 */
static void ids_put(struct fetch *f, const struct store_row *row, bool *first)
{
	if (f->what->items & IMAP_FETCH_EMAILID) {
		item_put(f->s, first, STR(" EMAILID "));
		imap_putf(f->s, "(M%llu%s)", (unsigned long long)row->email, f->ids);
	}
	if (!(f->what->items & IMAP_FETCH_THREADID))
		return;
	item_put(f->s, first, STR(" THREADID "));
	if (f->thread > 0)
		imap_putf(f->s, "(T%llu%s)", (unsigned long long)f->thread, f->ids);
	else
		imap_put(f->s, STR("NIL"));
}

static void fact_items_put(struct fetch *f, const struct store_email *e, bool *first)
{
	const struct {
		unsigned   item;
		struct str name, text;
	} printed[] = {
		{ IMAP_FETCH_ENVELOPE, STR(" ENVELOPE "), e->envelope },
		{ IMAP_FETCH_BODY, STR(" BODY "), e->body },
		{ IMAP_FETCH_BODYSTRUCTURE, STR(" BODYSTRUCTURE "), e->structure },
	};

	for (size_t i = 0; i < LEN(printed); i++) {
		if (!(f->what->items & printed[i].item))
			continue;
		item_put(f->s, first, printed[i].name);
		imap_put(f->s, printed[i].text);
	}
}

static void save_date_put(struct fetch *f, int64_t saved_ms, bool *first)
{
	if (!(f->what->items & IMAP_FETCH_SAVEDATE))
		return;
	item_put(f->s, first, STR(" SAVEDATE "));
	if (saved_ms > 0)
		imap_print_date_time(&f->s->out, saved_ms, 0);
	else
		imap_put(f->s, STR("NIL"));
}

/* LAZY too: it costs no more than the beginning of one message (RFC 8970 §4.1). */
static void preview_put(struct fetch *f, const struct store_email *e, bool *first)
{
	if (!(f->what->items & (IMAP_FETCH_PREVIEW | IMAP_FETCH_PREVIEW_LAZY)))
		return;
	item_put(f->s, first, STR(" PREVIEW "));
	if (imap_put_preview(f->s, e) != ST_OK) {
		f->gone = true;
		imap_put(f->s, f->what->items & IMAP_FETCH_PREVIEW ? STR("\"\"") : STR("NIL")); /* NIL is for LAZY alone (RFC 8970 §3.2) */
	}
}

/* A number must stand behind BINARY.SIZE. */
static void nothing_put(struct imap_session *s, const struct imap_section *x)
{
	imap_put(s, x->name);
	imap_put(s, x->kind == IMAP_SECTION_BINARY_SIZE ? STR(" 0") : STR(" NIL"));
}

/* For all that is put of the message at once; the last moment for a NO. Content comes in pieces, for which there is room. */
static bool room_take(struct fetch *f, const struct store_email *e)
{
	size_t header = 0;

	for (const struct imap_section *x = f->what->sections; x; x = x->next)
		if (x->listed && e->listing.n > 0)
			header = MAX(header, e->listing.n);
		else if (x->kind == IMAP_SECTION_FIELDS || x->kind == IMAP_SECTION_FIELDS_NOT)
			header = MAX(header, (size_t)MIN(x->part.n ? e->size : e->header_n, (uint64_t)LIMIT_HEADER_BLOCK));
		else if (x->kind == IMAP_SECTION_BINARY || x->kind == IMAP_SECTION_BINARY_SIZE)
			header = MAX(header, (size_t)IMAP_CONTENT_PIECE);
	if (f->what->items & (IMAP_FETCH_PREVIEW | IMAP_FETCH_PREVIEW_LAZY))
		header = MAX(header, (size_t)MIN(e->size, (uint64_t)LIMIT_IMAP_PREVIEW));
	return imap_out_room(f->s, e->envelope.n + e->body.n + e->structure.n + header + 4 * KIB) &&
	       imap_work_take(f->s, f->batch_octets + 2 * header);
}

static bool message_put(struct fetch *f, uint32_t place, const struct store_email *e, int64_t saved_ms)
{
	struct imap_session *s = f->s;
	struct store_row    *row = &s->box.view.rows[place];
	bool                 first = true;

	if ((f->need_email || f->listed) && e->id == 0) {
		f->gone = true;
		return true;
	}
	if (!imap_binary_known(f->what->sections, e)) {
		f->unknown = true; /* RFC 3516 §4.3: the request fails; others of the messages are shown */
		return true;
	}
	f->full = !room_take(f, e);
	if (f->full)
		return false;
	imap_inside(s, true);
	imap_put_fetch_head(s, place, row);
	row_items_put(f, row, &first);
	save_date_put(f, saved_ms, &first);
	ids_put(f, row, &first);
	fact_items_put(f, e, &first);
	preview_put(f, e, &first);
	for (const struct imap_section *x = f->what->sections; x; x = x->next) {
		item_put(s, &first, STR(" "));
		switch (imap_put_section(s, x, e)) {
		case IMAP_CONTENT_OK: break;
		case IMAP_CONTENT_CUT: return false;
		case IMAP_CONTENT_GONE: /* the rest of the message may still be had */
			f->gone = true;
			nothing_put(s, x);
		}
		if (!imap_spill(s))
			return false;
	}
	imap_put(s, STR(")\r\n"));
	imap_inside(s, false);
	if ((f->what->items & IMAP_FETCH_FLAGS) || f->seen)
		row->flags |= IMAP_ROW_TOLD;
	return imap_spill(s);
}

static enum status save_dates(struct fetch *f, struct batch *b)
{
	struct store_account *a;
	uint32_t              uids[BATCH];
	enum status           st = imap_box_account(f->s, &a);

	for (size_t i = 0; i < b->count; i++)
		uids[i] = f->s->box.view.rows[b->place[i]].uid;
	return st == ST_OK ? store_save_dates(a, f->s->box.id, uids, b->count, b->saved_ms) : st;
}

static enum status threads_find(struct fetch *f, struct batch *b)
{
	struct store_account *a;
	enum status           st;

	if (!(f->what->items & IMAP_FETCH_THREADID))
		return ST_OK;
	st = imap_box_account(f->s, &a);
	return st == ST_OK ? store_threads(a, b->email, b->count, b->threads) : st;
}

/* Listings of the batch; of messages that have none their header, and their facts if those are not there for all. */
static enum status listings_read(struct fetch *f, struct store_account *a, struct batch *b)
{
	struct str         *listings = ARENA_ARRAY(f->arena, struct str, b->count);
	struct store_email *others;
	uint64_t           *ids;
	size_t              n = 0;
	enum status         st = store_listings(a, b->email, b->count, f->listed, f->arena, listings);

	for (size_t i = 0; i < b->count && st == ST_OK; i++) {
		if (!f->need_email)
			b->facts[i] = (struct store_email){ .id = b->email[i] };
		b->facts[i].listing = listings[i];
		n += listings[i].n == 0;
	}
	if (st != ST_OK || n == 0)
		return st;
	others = ARENA_ARRAY(f->arena, struct store_email, n);
	ids = ARENA_ARRAY(f->arena, uint64_t, n);
	n = 0;
	for (size_t i = 0; i < b->count; i++) {
		if (listings[i].n == 0) {
			ids[n] = b->email[i];
			others[n++] = b->facts[i];
		}
	}
	if (!f->need_email)
		st = store_facts(a, ids, n, f->facts, f->arena, others);
	if (st == ST_OK)
		st = store_headers(a, others, n, f->arena);
	n = 0;
	for (size_t i = 0; i < b->count && st == ST_OK; i++)
		if (listings[i].n == 0)
			b->facts[i] = others[n++];
	return st;
}

static enum status emails_read(struct fetch *f, struct store_account *a, struct batch *b)
{
	enum status st = ST_OK;

	if (f->need_email)
		st = store_facts(a, b->email, b->count, f->facts, f->arena, b->facts);
	for (size_t i = 0; i < b->count && st == ST_OK && f->need_email && imap_utf8(f->s); i++)
		imap_utf8_facts(f->s, f->facts, &b->facts[i], f->arena);
	if (st == ST_OK && f->headers)
		st = store_headers(a, b->facts, b->count, f->arena);
	if (st == ST_OK && f->listed)
		st = listings_read(f, a, b);
	return st;
}

/* Facts of most messages are small; those of others are counted when they are there. */
static enum status batch_read(struct fetch *f, struct batch *b)
{
	bool                  much = (f->facts & FACTS_LARGE) || f->headers || f->listed;
	size_t                large = 0;
	struct store_account *a;
	enum status           st;

	f->batch_octets = much ? (size_t)MIN(b->octets, (uint64_t)(b->count * FACTS_OCTETS)) : 0;
	f->full = !imap_work_take(f->s, f->batch_octets);
	if (f->full)
		return ST_CLOSED;
	st = imap_box_account(f->s, &a);
	if (st == ST_OK)
		st = emails_read(f, a, b);
	if (st != ST_OK)
		return st;
	for (size_t i = 0; i < b->count; i++) {
		const struct store_email *e = &b->facts[i];

		large += e->envelope.n + e->body.n + e->structure.n + e->header.n + e->listing.n;
	}
	f->batch_octets = MAX(f->batch_octets, large);
	f->full = !imap_work_take(f->s, f->batch_octets);
	return f->full ? ST_CLOSED : ST_OK;
}

static enum status batch_put(struct fetch *f, struct batch *b)
{
	enum status st = ST_OK;

	if (b->count == 0)
		return ST_OK;
	if (f->need_email || f->listed)
		st = batch_read(f, b);
	if (st != ST_OK)
		return st;
	if (f->what->items & IMAP_FETCH_SAVEDATE) {
		st = save_dates(f, b);
		if (st != ST_OK)
			return st;
	}
	st = threads_find(f, b);
	if (st != ST_OK)
		return st;
	for (size_t i = 0; i < b->count; i++) {
		f->thread = b->threads[i];
		if (!message_put(f, b->place[i], &b->facts[i], b->saved_ms[i]))
			return ST_CLOSED;
	}
	arena_reset(f->arena);
	b->count = 0;
	b->octets = 0;
	return ST_OK;
}

/* Ascending; where the limit of a command has cut them, down from the highest (RFC 9738 §3.1). */
static enum status messages_put(struct fetch *f, const struct imap_set *places)
{
	struct batch *b = ARENA_NEW(f->s->arena, struct batch);
	enum status   st = ST_OK;
	bool          down = f->s->limited > 0 && !f->s->noticing;

	for (size_t i = 0; i < places->count && st == ST_OK; i++) {
		struct imap_range r = places->ranges[down ? places->count - 1 - i : i];

		for (uint32_t k = 0; k <= r.last - r.first && st == ST_OK; k++) {
			uint32_t p = down ? r.last - k : r.first + k;

			b->place[b->count] = p;
			b->email[b->count++] = f->s->box.view.rows[p].email;
			b->octets += f->s->box.view.rows[p].size;
			if (b->count == BATCH || b->octets > BATCH_OCTETS)
				st = batch_put(f, b);
		}
	}
	return st == ST_OK ? batch_put(f, b) : st;
}

static void facts_find(struct fetch *f)
{
	f->facts = (f->what->items & IMAP_FETCH_ENVELOPE ? STORE_FACT_ENVELOPE : 0) |
		   (f->what->items & IMAP_FETCH_BODY ? STORE_FACT_BODY : 0) |
		   (f->what->items & IMAP_FETCH_BODYSTRUCTURE ? STORE_FACT_STRUCTURE : 0);
	f->need_email = f->facts != 0 || (f->what->items & (IMAP_FETCH_PREVIEW | IMAP_FETCH_PREVIEW_LAZY));
	for (struct imap_section *x = f->what->sections; x; x = x->next) {
		x->listed = x->kind == IMAP_SECTION_FIELDS && x->part.n == 0 ? store_listing_names(x->fields, x->field_count) : 0;
		f->facts |= imap_section_facts(x);
		f->listed |= x->listed;
		f->need_email = f->need_email || !x->listed;
		f->headers = f->headers || (x->part.n == 0 && !x->listed &&
					    (x->kind == IMAP_SECTION_FIELDS || x->kind == IMAP_SECTION_FIELDS_NOT || x->kind == IMAP_SECTION_HEADER));
	}
	f->listed = f->headers ? 0 : f->listed; /* the whole header is there then */
	f->need_email = f->need_email || f->headers;
}

/* CHANGEDSINCE: only what changed is left in *places. A message that is gone will be told as such. */
static void places_narrow(struct imap_session *s, uint64_t since, bool known, struct imap_set *places)
{
	struct imap_set out = { .ranges = ARENA_ARRAY(s->arena, struct imap_range, imap_set_size(places)) };

	for (size_t i = 0; i < places->count; i++) {
		for (uint32_t p = places->ranges[i].first; p <= places->ranges[i].last; p++) {
			const struct store_row *row = &s->box.view.rows[p];
			struct imap_range      *last = out.count ? &out.ranges[out.count - 1] : NULL;

			if ((row->flags & STORE_EXPUNGED) || (known && row->modseq <= since))
				continue;
			if (last && last->last + 1 == p)
				last->last = p;
			else
				out.ranges[out.count++] = (struct imap_range){ p, p };
		}
	}
	*places = out;
}

static enum status changed_since(struct imap_session *s, const struct imap_fetch_modifiers *mod, const struct imap_set *set,
				 struct imap_set *places)
{
	struct imap_set wanted, gone;
	bool            known;
	enum status     st = imap_since_known(s, mod->since, &known);

	if (st != ST_OK)
		return st;
	places_narrow(s, mod->since, known, places);
	if (!mod->vanished)
		return ST_OK;
	wanted = imap_set_resolve(set, s->box.uidnext - 1, s->arena);
	st = imap_gone_since(s, mod->since, &wanted, 0, &gone);
	if (st == ST_OK)
		imap_put_vanished(s, true, &gone);
	return st;
}

enum imap_next imap_cmd_fetch(struct imap_session *s, struct imap_command *c)
{
	struct imap_fetch_modifiers mod = { 0 };
	struct imap_fetch what;
	struct fetch      f = { .s = s, .what = &what, .uid = c->uid, .ids = imap_id_suffix(s, imap_box_owner(s)) };
	struct imap_set   set, places;
	enum status       st = ST_OK;

	if (!imap_lex_set(&c->x, &set) || !imap_lex_sp(&c->x) || !imap_lex_fetch(&c->x, &what) ||
	    (imap_lex_sp(&c->x) && !imap_lex_fetch_modifiers(&c->x, &mod)) || !imap_lex_end(&c->x) || (mod.partial.from && !c->uid))
		return imap_bad(s, "Syntax: FETCH set (item ...)");
	if (mod.vanished && (!c->uid || !mod.changed_since || !(s->enabled & IMAP_ENABLED_QRESYNC))) /* RFC 7162 §3.2.6 */
		return imap_bad(s, "VANISHED goes with UID FETCH and CHANGEDSINCE, once QRESYNC is enabled");
	if (mod.changed_since)
		what.items |= IMAP_FETCH_MODSEQ;
	if (what.items & IMAP_FETCH_MODSEQ)
		imap_enable(s, IMAP_ENABLED_CONDSTORE);
	if (!imap_limit_count(s, mod.partial.from ? (uint64_t)mod.partial.to - mod.partial.from + 1 : 0, false) ||
	    !imap_places(s, c, &set, &places))
		return IMAP_NEXT_REPLY;
	if (mod.partial.from) /* and of those what has changed (RFC 9394 §3.4) */
		places = imap_places_partial(&places, &mod.partial, s->arena);
	if (mod.changed_since)
		st = changed_since(s, &mod, &set, &places);
	if (st != ST_OK)
		return imap_failed(s, st);
	imap_limit_cut(s, &places);
	if (sets_seen(&what) && !s->box.read_only && !s->noticing)
		st = seen_set(s, &places, &f.seen);
	if (st != ST_OK && st != ST_FULL && st != ST_SUSPECT) /* mail can be read even where nothing can be written */
		return imap_failed(s, st);
	facts_find(&f);
	f.arena = arena_new(s->arena);
	st = messages_put(&f, &places);
	arena_free(&f.arena);
	if (f.full)
		return imap_full(s);
	if (st == ST_CLOSED) {
		s->end = s->end ? s->end : "write failed";
		s->broken = true;
		return IMAP_NEXT_CLOSE;
	}
	if (st != ST_OK)
		return imap_failed(s, st);
	if (f.unknown)
		return imap_no(s, "[UNKNOWN-CTE] A part has an encoding that is not known");
	if (f.gone)
		return imap_no(s, "[EXPUNGEISSUED] Some of the messages are gone");
	return imap_ok(s, "That is all");
}
