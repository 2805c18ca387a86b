/* wire/imap/imap_modifier.c - grammar and contract are in imap_modifier.h. */
#include "wire/imap/imap_modifier.h"

/* A set of numbers that the client knows: "*" would be none. */
static bool known_set(struct imap_lex *x, struct imap_set *ret)
{
	if (!imap_lex_set(x, ret) || ret->saved)
		return false;
	for (size_t i = 0; i < ret->count; i++)
		if (ret->ranges[i].first == IMAP_STAR || ret->ranges[i].last == IMAP_STAR)
			return false;
	return true;
}

/* Ascending, so that the n-th number belongs to the n-th UID; as many of each. */
static bool is_ascending(const struct imap_set *set, uint64_t *ret_size)
{
	uint64_t size = 0;
	uint32_t last = 0;

	for (size_t i = 0; i < set->count; i++) {
		if (set->ranges[i].first <= last || set->ranges[i].last < set->ranges[i].first)
			return false;
		last = set->ranges[i].last;
		size += (uint64_t)last - set->ranges[i].first + 1;
	}
	*ret_size = size;
	return true;
}

static bool match_take(struct imap_lex *x, struct imap_resync *r)
{
	uint64_t numbers, uids;

	r->match_given = true;
	return imap_lex_char(x, '(') && known_set(x, &r->match_numbers) && imap_lex_sp(x) && known_set(x, &r->match_uids) &&
	       imap_lex_char(x, ')') && is_ascending(&r->match_numbers, &numbers) && is_ascending(&r->match_uids, &uids) &&
	       numbers == uids;
}

static bool resync_take(struct imap_lex *x, struct imap_resync *r)
{
	if (!imap_lex_sp(x) || !imap_lex_char(x, '(') || !imap_lex_number(x, &r->uidvalidity) || r->uidvalidity == 0 ||
	    !imap_lex_sp(x) || !imap_lex_number64(x, &r->modseq))
		return false;
	if (imap_lex_char(x, ')'))
		return true;
	if (!imap_lex_sp(x))
		return false;
	if (imap_lex_peek(x) != '(') {
		r->known_given = true;
		if (!known_set(x, &r->known))
			return false;
		if (imap_lex_char(x, ')'))
			return true;
		if (!imap_lex_sp(x))
			return false;
	}
	return match_take(x, r) && imap_lex_char(x, ')');
}

bool imap_lex_select_params(struct imap_lex *x, struct imap_select_params *ret)
{
	struct imap_select_params p = { 0 };

	if (!imap_lex_char(x, '('))
		return false;
	do {
		if (!p.condstore && imap_lex_word(x, STR("CONDSTORE")))
			p.condstore = true;
		else if (!p.qresync && imap_lex_word(x, STR("QRESYNC")))
			p.qresync = true;
		else
			return false;
		if (p.qresync && p.resync.uidvalidity == 0 && !resync_take(x, &p.resync))
			return false;
	} while (imap_lex_sp(x));
	if (!imap_lex_char(x, ')'))
		return false;
	*ret = p;
	return true;
}

bool imap_lex_fetch_modifiers(struct imap_lex *x, struct imap_fetch_modifiers *ret)
{
	struct imap_fetch_modifiers m = { 0 };

	if (!imap_lex_char(x, '('))
		return false;
	do {
		if (!m.changed_since && imap_lex_word(x, STR("CHANGEDSINCE"))) {
			m.changed_since = true;
			if (!imap_lex_sp(x) || !imap_lex_number64(x, &m.since))
				return false;
		} else if (!m.vanished && imap_lex_word(x, STR("VANISHED"))) {
			m.vanished = true;
		} else if (m.partial.from == 0 && imap_lex_word(x, STR("PARTIAL"))) {
			if (!imap_lex_sp(x) || !imap_lex_partial(x, &m.partial))
				return false;
		} else {
			return false;
		}
	} while (imap_lex_sp(x));
	if (!imap_lex_char(x, ')'))
		return false;
	*ret = m;
	return true;
}

bool imap_lex_store_modifiers(struct imap_lex *x, uint64_t *ret_since)
{
	return imap_lex_char(x, '(') && imap_lex_word(x, STR("UNCHANGEDSINCE")) && imap_lex_sp(x) &&
	       imap_lex_number64(x, ret_since) && imap_lex_char(x, ')');
}
