/* imap/imap_limit.c - MESSAGELIMIT and SAVELIMIT (RFC 9738): how many messages one command may take.
 *
 * FETCH, STORE, MOVE, UID EXPUNGE and SEARCH go down from the highest UID, and stop at the limit: the answer says how far they came, and
 * the client goes on from there. COPY and APPEND are all or nothing, and refused. EXPUNGE, CLOSE and STATUS know no limit (§3.1).
 */
#include "imap/imap_found.h"

static uint32_t save_limit(const struct imap_settings *set)
{
	return set->message_limit ? set->message_limit : set->save_limit;
}

void imap_limit_announce(struct imap_session *s)
{
	if (s->set->message_limit)
		imap_putf(s, " MESSAGELIMIT=%u", s->set->message_limit);
	else if (s->set->save_limit)
		imap_putf(s, " SAVELIMIT=%u", s->set->save_limit);
}

/* Of the places the one with `limit` - 1 above it; false: there are no more than `limit`. */
static bool lowest_of(const struct imap_set *places, uint64_t limit, uint32_t *ret)
{
	uint64_t left = limit;

	if (imap_set_size(places) <= limit)
		return false;
	for (size_t i = places->count; i-- > 0;) {
		const struct imap_range *r = &places->ranges[i];
		uint64_t                 n = (uint64_t)r->last - r->first + 1;

		if (n >= left) {
			*ret = r->last - (uint32_t)(left - 1);
			return true;
		}
		left -= n;
	}
	return false;
}

static void cut(struct imap_session *s, struct imap_set *places, uint32_t lowest)
{
	size_t i = 0;

	while (places->ranges[i].last < lowest)
		i++;
	places->ranges += i;
	places->count -= i;
	places->ranges[0].first = MAX(places->ranges[0].first, lowest);
	s->limited = s->box.view.rows[lowest].uid;
}

void imap_limit_cut(struct imap_session *s, struct imap_set *places)
{
	uint32_t lowest;

	if (s->set->message_limit && !s->noticing && lowest_of(places, s->set->message_limit, &lowest))
		cut(s, places, lowest);
}

void imap_limit_cut_deleted(struct imap_session *s, struct imap_set *places)
{
	uint32_t limit = s->set->message_limit, count = 0, lowest = 0;

	for (size_t i = places->count; limit > 0 && i-- > 0;) {
		for (uint32_t p = places->ranges[i].last + 1; p-- > places->ranges[i].first;) {
			if (!(s->box.view.rows[p].flags & STORE_DELETED))
				continue;
			if (count == limit) {
				cut(s, places, lowest);
				return;
			}
			lowest = p;
			count++;
		}
	}
}

bool imap_limit_copy(struct imap_session *s, const struct imap_set *places)
{
	uint32_t limit = save_limit(s->set), lowest;

	if (limit == 0 || !lowest_of(places, limit, &lowest))
		return true;
	imap_no(s, "[MESSAGELIMIT %u %u] At most %u messages at once", limit, s->box.view.rows[lowest].uid, limit);
	return false;
}

bool imap_limit_count(struct imap_session *s, uint64_t count, bool saves)
{
	uint32_t limit = saves ? save_limit(s->set) : s->set->message_limit;

	if (limit == 0 || count <= limit)
		return true;
	imap_no(s, "[MESSAGELIMIT %u] At most %u messages at once", limit, limit);
	return false;
}

/* Is it one of the messages that are searched: named by all sets that stand beside the other keys. */
static bool is_searched(const struct imap_match *m, const struct imap_key *root, uint32_t place)
{
	uint32_t uid = m->box->view.rows[place].uid;

	for (const struct imap_key *k = root->child; k; k = k->next)
		if ((k->kind == IMAP_KEY_SEQ && !imap_set_has(&k->set, place + 1)) || (k->kind == IMAP_KEY_UID && !imap_set_has(&k->set, uid)) ||
		    (k->kind == IMAP_KEY_UIDAFTER && uid <= k->number) || (k->kind == IMAP_KEY_UIDBEFORE && uid >= k->number))
			return false;
	return true;
}

void imap_limit_search(struct imap_match *m, const struct imap_key *root)
{
	struct imap_session *s = m->s;
	uint32_t             left = s->set->message_limit, lowest = 0;

	if (left == 0 || m->box->exists <= left)
		return;
	for (uint32_t i = m->box->exists; i-- > 0;) {
		if (!is_searched(m, root, i))
			continue;
		if (left == 0) {
			m->from = lowest;
			s->limited = m->box->view.rows[lowest].uid;
			return;
		}
		lowest = i;
		left--;
	}
}

void imap_limit_tell(struct imap_session *s)
{
	struct str code;

	if (s->limited == 0)
		return;
	code = arena_printf(s->arena, "[MESSAGELIMIT %u %u] ", s->set->message_limit, s->limited);
	s->limited = 0;
	/* An answer has one code, and others come first (RFC 9738 §3.1). */
	if (s->reply.kind == IMAP_REPLY_OK && !s->reply.highest && !str_starts(s->reply.text, STR("[")))
		s->reply.text = arena_printf(s->arena, "%.*s%.*s, down to there", STR_FMT(code), STR_FMT(s->reply.text));
	else
		imap_putf(s, "* NO %.*sThe rest was left\r\n", STR_FMT(code));
}
