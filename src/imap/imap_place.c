/* imap/imap_place.c - from a mailbox name, or the selected mailbox, to the account that has it. Handlers know no other way. */
#include "imap/imap_session.h"

enum status imap_mailbox_find(struct imap_session *s, struct str name, unsigned need, struct store_account **ret, struct store_mailbox *ret_box)
{
	enum status st;

	if (imap_is_foreign(name))
		return imap_foreign_find(s, name, need, ret, ret_box);
	s->found_rights = IMAP_RIGHT_ALL; /* in the session's own account it may do all there is */
	st = imap_account(s, ret);
	return st == ST_OK ? store_mailbox_find(*ret, name, s->arena, ret_box) : st;
}

enum status imap_box_account(struct imap_session *s, struct store_account **ret)
{
	CHECK(s->state == IMAP_SELECTED);
	return s->box.owner ? imap_foreign_box(s, ret) : imap_account(s, ret);
}

const char *imap_id_suffix(struct imap_session *s, uint64_t owner)
{
	return owner == s->account_id ? "" : arena_printf(s->arena, "-%llu", (unsigned long long)owner).p;
}

bool imap_is_selected(const struct imap_session *s, uint64_t owner, uint64_t mailbox)
{
	return s->state == IMAP_SELECTED && s->box.id == mailbox && imap_box_owner(s) == owner;
}

uint64_t imap_box_owner(const struct imap_session *s)
{
	return s->state == IMAP_SELECTED && s->box.owner ? s->box.owner : s->account_id;
}
