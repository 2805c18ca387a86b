/* store/store_transfer.c - copy and move between accounts: read here, commit and sync there, then expunge here.
 *
 *   rows and keywords of `from` --> one transaction of `to`, synced --> (move) expunge in `from`, synced
 *
 * A crash before the first sync leaves the messages where they were, one behind it leaves them in both until it is settled (store_moving.c). Only
 * one writer's lock is held at a time, so two that move in opposite directions cannot wait for each other.
 */
#include <string.h>

#include "store/store_internal.h"
#include "sys/clock.h"
#include "sys/fault.h"

#define PIECE ((size_t)1 * MIB)

struct transfer {
	struct store_account *from, *to;
	struct store_row     *rows;
	size_t                count;
	struct str           *names; /* keywords of `from` by number */
	size_t                name_count;
	struct store_mailbox  box; /* in `to` */
	struct arena         *arena; /* of one message */
	uint64_t              op;    /* of a move */
};

/* One message's content; small ones in `text`, large ones in an upload of `to`. */
static enum status content_take(struct transfer *t, const struct store_row *row, struct buf *text, struct store_upload **up,
				struct store_bytes *ret)
{
	enum status st = ST_OK;

	if (row->size <= LIMIT_INLINE) {
		st = store_read(t->from, row->email, 0, (size_t)row->size, text);
		if (st == ST_OK && text->n != row->size)
			st = ST_CORRUPT;
		return st == ST_OK ? store_bytes_memory(buf_str(text), ret) : st;
	}
	st = store_upload_new(t->to->store, t->to->id, up);
	for (uint64_t at = 0; at < row->size && st == ST_OK; at += PIECE) {
		buf_clear(text);
		st = store_read(t->from, row->email, at, PIECE, text);
		if (st == ST_OK)
			st = text->n > 0 ? store_upload_write(*up, buf_str(text)) : ST_CORRUPT;
	}
	return st == ST_OK ? store_bytes_upload(*up, ret) : st;
}

static enum status keywords_of(struct transfer *t, const struct store_row *row, struct store_keywords *ret)
{
	struct str names[LIMIT_KEYWORDS];
	size_t     n = 0;

	for (size_t i = 0; i < t->name_count && i < LIMIT_KEYWORDS; i++)
		if (row->keywords.bits[i / 64] >> (i % 64) & 1)
			names[n++] = t->names[i];
	if (t->to->reader != 0 && !t->to->reader_keywords)
		n = 0;
	return store_keyword_bits(t->to, names, n, true, ret, NULL);
}

static enum status message_put(struct transfer *t, const struct store_row *row, const struct store_bytes *bytes, uint32_t *ret_uid)
{
	struct store_facts_row facts;
	struct store_account  *to = t->to;
	unsigned               flags = row->flags & (to->reader == 0 ? (unsigned)STORE_FLAGS : to->reader_flags);
	struct store_row       new = { .size = row->size, .internal_ms = row->internal_ms, .internal_zone = row->internal_zone };
	enum status            st = keywords_of(t, row, &new.keywords);

	new.flags = (uint16_t)(to->reader == 0 ? flags : flags & ~(unsigned)STORE_SEEN);
	store_email_facts(bytes->content, t->arena, &facts);
	if (st == ST_OK)
		st = store_email_insert(to, bytes, &facts, 1, &new.email);
	if (st == ST_OK)
		st = store_message_insert(to, &t->box, &new, clock_wall_ms());
	if (st == ST_OK && to->reader != 0 && (flags & STORE_SEEN))
		st = store_seen_change(to, t->box.id, &new.uid, 1, true);
	*ret_uid = new.uid;
	return st;
}

static enum status one(struct transfer *t, const struct store_row *row, uint32_t *ret_uid)
{
	struct store_upload *up = NULL;
	struct store_bytes   bytes = { 0 };
	struct buf           text;
	enum status          st;

	buf_init(&text, MAX((size_t)LIMIT_INLINE, PIECE) + 1);
	arena_reset(t->arena);
	st = content_take(t, row, &text, &up, &bytes);
	if (st == ST_OK)
		st = message_put(t, row, &bytes, ret_uid);
	store_bytes_done(&bytes);
	store_upload_free(&up);
	buf_done(&text);
	return st;
}

static uint64_t octets_of(const struct transfer *t)
{
	uint64_t octets = 0;

	for (size_t i = 0; i < t->count; i++)
		octets += t->rows[i].size;
	return octets;
}

static enum status all(struct transfer *t, uint64_t target, struct store_copied *ret)
{
	enum status st = store_mailbox_row(t->to, target, &t->box);

	if (st == ST_OK && !store_quota_room(&t->to->quota, &t->to->state, t->count, octets_of(t)))
		st = ST_QUOTA;
	for (size_t i = 0; i < t->count && st == ST_OK; i++) {
		st = one(t, &t->rows[i], &ret->to[i]);
		ret->from[i] = t->rows[i].uid;
	}
	ret->uidvalidity = t->box.uidvalidity;
	ret->count = t->count;
	ret->modseq = t->to->state.modseq;
	if (st == ST_OK)
		st = store_mailbox_row_write(t->to, &t->box);
	if (st == ST_OK)
		st = store_txn_change(t->to, CHANGE_MESSAGE, target, CHANGE_CREATED, ret->to, t->count);
	return st == ST_OK ? store_release(t->to) : st;
}

static enum status expunge(struct transfer *t, uint64_t mailbox, struct arena *arena, const struct store_copied *copied, uint64_t *ret_gone)
{
	struct store_range   *ranges = ARENA_ARRAY(arena, struct store_range, copied->count);
	struct store_expunged gone = { 0 };
	enum status           st;

	for (size_t i = 0; i < copied->count; i++)
		ranges[i] = (struct store_range){ copied->from[i], copied->from[i] };
	st = store_moving_end(t->from, mailbox, (struct store_set){ ranges, copied->count }, t->op, arena, &gone);
	*ret_gone = st == ST_OK && gone.count > 0 ? gone.modseq : 0;
	if (st == ST_OK)
		store_moved_forget(t->to, t->op);
	return st;
}

/* One transaction of `to`: the copies, and of a move that they came. */
static enum status copy(struct transfer *t, uint64_t target, bool move, struct store_copied *ret)
{
	enum status st = store_txn_begin(t->to, false);

	if (st != ST_OK)
		return st;
	t->arena = arena_new(NULL);
	st = all(t, target, ret);
	if (st == ST_OK && move)
		st = store_moving_arrived(t->to, t->op, target, ret);
	st = store_txn_end(t->to, st, true);
	arena_free(&t->arena);
	return st;
}

/* What is refused before the commit. Of any other trouble only settling can tell whether the copies are there. */
static bool uncommitted(enum status st)
{
	return st == ST_QUOTA || st == ST_LIMIT || st == ST_NOT_FOUND || st == ST_INVALID;
}

enum status store_transfer(struct store_account *from, uint64_t mailbox, struct store_set set, struct store_account *to, uint64_t target,
			   bool move, struct arena *arena, struct store_copied *ret, uint64_t *ret_gone)
{
	struct transfer     t = { .from = from, .to = to };
	struct store_copied got = { 0 };
	enum status         st;

	CHECK(from->id != to->id);
	*ret_gone = 0;
	st = store_rows(from, mailbox, set, LIMIT_TRANSFER + 1, arena, &t.rows, &t.count);
	if (st == ST_OK && (t.count > LIMIT_TRANSFER || (t.count > 1 && octets_of(&t) > LIMIT_TRANSFER_OCTETS)))
		st = ST_LIMIT;
	if (st == ST_OK)
		st = store_keyword_list(from, arena, &t.names, &t.name_count);
	if (st != ST_OK || t.count == 0)
		return st;
	got.from = ARENA_ARRAY(arena, uint32_t, t.count);
	got.to = ARENA_ARRAY(arena, uint32_t, t.count);
	if (move)
		st = store_moving_begin(from, to->id, mailbox, &t.op);
	if (st != ST_OK)
		return st;
	st = copy(&t, target, move, &got);
	if (st != ST_OK && move && uncommitted(st))
		store_moving_forget(from, t.op);
	if (st != ST_OK)
		return st;
	*ret = got;
	store_quota_look(to, &to->quota, to->owner, true);
	if (move && fault_at("store.transfer", "copied") != 0)
		__builtin_trap(); /* between the two */
	return move ? expunge(&t, mailbox, arena, &got, ret_gone) : ST_OK;
}

enum status store_replace_between(struct store_account *to, uint64_t target, const struct store_new_message *message, struct store_account *from,
				  uint64_t mailbox, uint32_t uid, struct arena *arena, struct store_added *ret, bool *ret_gone, uint64_t *ret_modseq)
{
	const struct store_range range = { uid, uid };
	const struct store_set   set = { &range, 1 };
	struct store_expunged    gone = { 0 };
	struct store_row        *rows;
	uint64_t                 op;
	size_t                   n = 0;
	enum status              st;

	CHECK(from->id != to->id);
	*ret_gone = false;
	*ret_modseq = 0;
	st = store_rows(from, mailbox, set, 1, arena, &rows, &n);
	*ret_gone = st == ST_OK && n == 0;
	if (*ret_gone)
		return ST_NOT_FOUND;
	if (st == ST_OK)
		st = store_moving_begin(from, to->id, mailbox, &op);
	if (st != ST_OK)
		return st;
	st = store_append_moved(to, target, message, op, uid, ret);
	if (st != ST_OK && uncommitted(st))
		store_moving_forget(from, op);
	if (st != ST_OK)
		return st;
	st = store_moving_end(from, mailbox, set, op, arena, &gone);
	*ret_modseq = st == ST_OK && gone.count > 0 ? gone.modseq : 0;
	if (st == ST_OK)
		store_moved_forget(to, op);
	return st;
}
