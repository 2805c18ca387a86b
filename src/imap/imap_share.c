/* imap/imap_share.c - mailboxes of others: "Other Users/<address>/<mailbox>" (RFC 2342), and what the session may do there (RFC 4314).
 *
 * auth says whose mailboxes are worth a look, and which groups we are in; the entries that stand with the mailbox say the rest. Whoever may
 * neither look a mailbox up nor do what he asked for is told that there is none.
 *
 * What auth said holds for the command at hand, so that a LIST of thousands of names is one question; not for one that goes on for longer than
 * RIGHTS_KNOWN_MS, nor behind a change that the command has told auth itself.
 */
#include <stdlib.h>

#include "imap/imap_cmd_notify.h"
#include "imap/imap_upload.h"
#include "sys/clock.h"
#include "wire/imap/imap_name.h"

#define RIGHTS_KNOWN_MS 5000 /* a selected mailbox's rights hold for so long, and within a command what auth said */

static const struct str prefix = STR(IMAP_OTHERS);

bool imap_is_foreign(struct str name)
{
	return str_starts(name, prefix) || str_eq(name, str_first(prefix, prefix.n - 1));
}

/* "Other Users/ann@example.org/Projects" */
static bool split(struct str name, struct str *ret_owner, struct str *ret_inside)
{
	return str_skip(&name, prefix) && str_cut(name, IMAP_DELIMITER, ret_owner, ret_inside) && ret_owner->n > 0 && ret_inside->n > 0;
}

struct str imap_name_inside(struct str name)
{
	struct str owner, inside;

	return split(name, &owner, &inside) ? inside : name;
}

/* ---- asking ---- */

struct imap_shared {
	struct arena            *arena; /* of all this */
	int64_t                  ms;    /* monotonic: as of then */
	struct auth_shared_reply reply;
};

void imap_shared_forget(struct imap_session *s)
{
	struct arena *arena = s->shared ? s->shared->arena : NULL;

	arena_free(&arena);
	s->shared = NULL;
}

static enum status ask(struct imap_session *s, struct arena *arena, struct auth_shared_reply *ret)
{
	const struct auth_shared_request q = { .token = imap_token(s) };
	enum status                      st;

	if (!s->env->ask->shared)
		return ST_OK;
	st = s->env->ask->shared(s->env->ask_ctx, &q, arena, ret);
	/* The sign-in is too old for auth, or auth began anew. Who has seen mailboxes of others must not be told that they are gone: his program
	 * might forget what it has of them. All others go on as if nobody shared anything, until they sign in again. */
	if (st == ST_DENIED)
		return s->saw_shared ? ST_TEMP : ST_OK;
	s->saw_shared |= st == ST_OK && ret->owner_count > 0;
	return st;
}

/* *ret is good until the next call. */
static enum status shared(struct imap_session *s, struct auth_shared_reply *ret)
{
	struct arena       *arena;
	struct imap_shared *now;
	enum status         st;

	*ret = (struct auth_shared_reply){ 0 };
	if (!s->shared || clock_mono_ms() - s->shared->ms >= RIGHTS_KNOWN_MS) {
		imap_shared_forget(s);
		arena = arena_new(NULL);
		now = ARENA_NEW(arena, struct imap_shared);
		*now = (struct imap_shared){ .arena = arena, .ms = clock_mono_ms() };
		st = ask(s, arena, &now->reply);
		if (st != ST_OK) {
			arena_free(&arena);
			return st;
		}
		s->shared = now;
	}
	*ret = s->shared->reply;
	return ST_OK;
}

static const struct auth_owner *owner_find(const struct auth_shared_reply *r, struct str address)
{
	for (size_t i = 0; i < r->owner_count; i++)
		if (str_ieq(r->owners[i].address, address))
			return &r->owners[i];
	return NULL;
}

static const struct auth_owner *owner_of(const struct auth_shared_reply *r, uint64_t account)
{
	for (size_t i = 0; i < r->owner_count; i++)
		if (r->owners[i].account == account)
			return &r->owners[i];
	return NULL;
}

/* ---- opening ---- */

static bool needed(const struct imap_session *s, const struct imap_guest *g)
{
	return g->owner != 0 && ((s->state == IMAP_SELECTED && g->owner == s->box.owner) || g->owner == imap_upload_owner(s));
}

static void guest_leave(struct imap_session *s, struct imap_guest *g)
{
	store_close(&g->account);
	store_leave(s->env->store, &g->entry);
	*g = (struct imap_guest){ 0 };
}

/* Its place, or a free one: the longest unused is given up for it. What is in use at one time is two, so it is never one of those. */
static struct imap_guest *guest_place(struct imap_session *s, uint64_t owner)
{
	struct imap_guest *oldest = NULL;

	if (!s->guests) {
		s->guests = calloc(IMAP_GUESTS, sizeof(*s->guests));
		CHECK(s->guests);
	}
	for (size_t i = 0; i < IMAP_GUESTS; i++)
		if (s->guests[i].owner == owner)
			return &s->guests[i];
	for (size_t i = 0; i < IMAP_GUESTS; i++) {
		struct imap_guest *g = &s->guests[i];

		if (!needed(s, g) && (!oldest || g->used < oldest->used))
			oldest = g;
	}
	CHECK(oldest);
	guest_leave(s, oldest);
	return oldest;
}

enum status imap_other(struct imap_session *s, uint64_t owner, struct str token, struct store_account **ret)
{
	struct imap_guest *g = guest_place(s, owner);
	enum status        st = ST_OK;

	if (g->owner == 0) {
		g->owner = owner;
		g->entry = store_enter(s->env->store, owner, token);
	}
	g->used = ++s->guest_uses;
	if (!g->account)
		st = store_open(s->env->store, owner, &g->account);
	if (st == ST_OK) {
		s->last_account = owner;
		*ret = g->account;
	}
	return st;
}

void imap_others_back(struct imap_session *s, bool all)
{
	bool any = false;

	for (size_t i = 0; s->guests && i < IMAP_GUESTS; i++) {
		store_close(&s->guests[i].account);
		if (s->guests[i].owner != 0 && (all || !needed(s, &s->guests[i])))
			guest_leave(s, &s->guests[i]);
		any |= s->guests[i].owner != 0;
	}
	if (!any) {
		free(s->guests);
		s->guests = NULL;
	}
}

void imap_box_watch(struct imap_session *s, bool idle)
{
	bool want = s->state == IMAP_SELECTED && s->box.owner != 0 && (idle || imap_notice_on(s));

	if (s->box_watch.at && (!want || s->box_watch.account != s->box.owner))
		imap_notify_remove(s->env->notify, &s->box_watch);
	if (want && !s->box_watch.at)
		imap_notify_add(s->env->notify, &s->box_watch, s->box.owner, s->conn);
}

void imap_guest_counted(struct imap_session *s, struct store_account *a)
{
	struct imap_guest      *g = guest_place(s, store_account_id(a));
	struct auth_quota_reply q = { 0 };
	struct store_info       info;

	if (!s->env->ask->quota || !s->env->ask->used || s->env->ask->quota(s->env->ask_ctx, g->owner, &q) != ST_OK)
		return;
	if (q.quota_shared && store_info(a, &info) == ST_OK)
		s->env->ask->used(s->env->ask_ctx, &(struct auth_used_request){ g->owner, info.size, info.messages, store_entry_token(g->entry) });
}

static unsigned flags_of(unsigned rights)
{
	return (rights & IMAP_RIGHT_SEEN ? STORE_SEEN : 0u) | (rights & IMAP_RIGHT_DELETE ? STORE_DELETED : 0u) |
	       (rights & IMAP_RIGHT_WRITE ? STORE_ANSWERED | STORE_FLAGGED | STORE_DRAFT : 0u);
}

static void reader_set(struct imap_session *s, struct store_account *a, unsigned rights)
{
	store_reader_set(a, s->account_id, flags_of(rights), (rights & IMAP_RIGHT_WRITE) != 0);
}

/* What the owner's limits leave holds for what others put there. */
static void quota_set(struct imap_session *s, uint64_t owner, struct store_account *a)
{
	struct auth_quota_reply q = { 0 };

	if (!s->env->ask->quota || s->env->ask->quota(s->env->ask_ctx, owner, &q) != ST_OK)
		return;
	store_quota_set(a, &(struct store_quota){ q.quota_octets, q.quota_messages, q.quota_shared }, STR(""));
}

static enum status rights_of(struct imap_session *s, struct store_account *a, uint64_t mailbox, const struct auth_shared_reply *r, struct arena *scratch,
			     unsigned *ret)
{
	uint64_t *groups = ARENA_ARRAY(scratch, uint64_t, r->group_count);

	for (size_t i = 0; i < r->group_count; i++)
		groups[i] = r->groups[i].group;
	return store_acl_rights(a, mailbox, s->account_id, groups, r->group_count, ret);
}

/* ---- a name ---- */

static enum status denied(struct imap_session *s)
{
	s->no_right = true;
	return ST_DENIED;
}

static enum status admitted(struct imap_session *s, unsigned rights, unsigned need)
{
	if ((rights & need) == need && rights != 0)
		return ST_OK;
	return rights & IMAP_RIGHT_LOOKUP ? denied(s) : ST_NOT_FOUND;
}

/* What is there, whether it may be told or not. */
struct found {
	struct store_account *a;
	struct store_mailbox  m;
	struct str            address; /* its owner's, as he writes it */
	uint64_t              owner;
	unsigned              rights;
};

static enum status find(struct imap_session *s, struct str name, struct found *ret)
{
	struct auth_shared_reply r;
	const struct auth_owner *o;
	struct str               address, inside;
	enum status              st;

	if (!split(name, &address, &inside))
		return ST_NOT_FOUND;
	st = shared(s, &r);
	if (st != ST_OK)
		return st;
	o = owner_find(&r, address);
	if (!o)
		return ST_NOT_FOUND;
	*ret = (struct found){ .owner = o->account, .address = o->address };
	st = imap_other(s, o->account, o->token, &ret->a);
	if (st == ST_OK)
		st = store_mailbox_find(ret->a, inside, s->arena, &ret->m);
	return st == ST_OK ? rights_of(s, ret->a, ret->m.id, &r, s->arena, &ret->rights) : st;
}

enum status imap_foreign_find(struct imap_session *s, struct str name, unsigned need, struct store_account **ret, struct store_mailbox *ret_box)
{
	struct found         f;
	struct store_mailbox m;
	enum status          st = find(s, name, &f);

	if (st == ST_OK)
		st = admitted(s, f.rights, need);
	if (st != ST_OK)
		return st;
	reader_set(s, f.a, f.rights);
	if (need & IMAP_RIGHT_INSERT)
		quota_set(s, f.owner, f.a);
	m = f.m;
	st = store_reader_unseen(f.a, &m);
	if (st != ST_OK)
		return st;
	m.name = arena_printf(s->arena, "%s%.*s/%.*s", IMAP_OTHERS, STR_FMT(f.address), STR_FMT(m.name));
	m.recent = 0;
	m.special = STORE_SPECIAL_NONE; /* its owner's */
	m.subscribed = false;
	s->found_rights = f.rights;
	*ret = f.a;
	*ret_box = m;
	return ST_OK;
}

enum status imap_foreign_parent(struct imap_session *s, struct str name, struct store_account **ret)
{
	struct found f;
	struct str   parent = imap_name_parent(name);
	enum status  st = ST_NOT_FOUND;

	/* The nearest that there is (RFC 4314 §4), one that is hidden too: nobody gets in below it by the rights of another. */
	for (; imap_is_foreign(parent) && st == ST_NOT_FOUND; parent = imap_name_parent(parent))
		st = find(s, parent, &f);
	if (st == ST_NOT_FOUND || (st == ST_OK && !(f.rights & IMAP_RIGHT_CREATE)))
		return denied(s);
	if (st != ST_OK)
		return st;
	reader_set(s, f.a, f.rights);
	s->found_rights = f.rights;
	*ret = f.a;
	return ST_OK;
}

/* ---- the selected mailbox ---- */

bool imap_box_may(const struct imap_session *s, unsigned rights)
{
	return s->box.owner == 0 || (s->box.rights & rights) == rights;
}

bool imap_box_need(struct imap_session *s, unsigned rights, const char *why_not)
{
	struct store_account *a;
	enum status           st = imap_box_account(s, &a);

	if (st != ST_OK)
		imap_failed(s, st);
	else if (!imap_box_may(s, rights))
		imap_no(s, "[NOPERM] %s", why_not);
	else
		return true;
	return false;
}

/* Rights that were taken away end soon, also where the mailbox stays selected. */
static enum status rights_again(struct imap_session *s, struct store_account *a)
{
	struct auth_shared_reply r;
	int64_t                  now = clock_mono_ms();
	unsigned                 rights = 0;
	enum status              st;

	if (now - s->box.rights_ms < RIGHTS_KNOWN_MS)
		return s->box.rights & IMAP_RIGHT_READ ? ST_OK : ST_NOT_FOUND;
	imap_shared_forget(s); /* the one time is not to be added to the other */
	st = shared(s, &r);
	if (st == ST_OK && owner_of(&r, s->box.owner))
		st = rights_of(s, a, s->box.id, &r, s->arena, &rights);
	if (st != ST_OK)
		return st == ST_DENIED ? ST_DENIED : ST_TEMP;
	s->box.rights = rights;
	s->box.rights_ms = now;
	return rights & IMAP_RIGHT_READ ? ST_OK : ST_NOT_FOUND;
}

enum status imap_foreign_box(struct imap_session *s, struct store_account **ret)
{
	struct store_account *a;
	enum status           st = imap_other(s, s->box.owner, STR_NONE, &a);

	if (st == ST_OK)
		st = rights_again(s, a);
	if (st != ST_OK)
		return st;
	reader_set(s, a, s->box.rights);
	*ret = a;
	return ST_OK;
}

/* ---- listing ---- */

struct boxes {
	struct imap_shared_box *list;
	size_t                  count, cap;
};

static void box_add(struct boxes *b, struct arena *arena, struct imap_shared_box box)
{
	if (b->count == b->cap) {
		size_t                  cap = MAX(b->cap * 2, (size_t)32);
		struct imap_shared_box *more = ARENA_ARRAY(arena, struct imap_shared_box, cap);

		for (size_t i = 0; i < b->count; i++)
			more[i] = b->list[i];
		b->list = more;
		b->cap = cap;
	}
	b->list[b->count++] = box;
}

static enum status list_owner(struct imap_session *s, const struct auth_shared_reply *r, const struct auth_owner *o, struct boxes *b)
{
	struct arena *scratch CLEANUP(arena_free) = arena_new(NULL);
	struct store_account *a;
	struct store_mailbox *all;
	size_t                n = 0, most = MIN(b->count + LIMIT_SHARED_BOXES, LIMIT_MAILBOXES);
	enum status           st = imap_other(s, o->account, o->token, &a);

	if (st == ST_OK)
		st = store_mailbox_list(a, scratch, &all, &n);
	if (st == ST_OK)
		st = store_settle(a);
	for (size_t i = 0; i < n && st == ST_OK && b->count < most; i++) {
		struct imap_shared_box box = { .id = all[i].id, .owner = o->account, .box = all[i] };

		st = rights_of(s, a, all[i].id, r, scratch, &box.rights);
		if (st != ST_OK || !(box.rights & IMAP_RIGHT_LOOKUP))
			continue;
		box.name = arena_printf(s->arena, "%s%.*s/%.*s", IMAP_OTHERS, STR_FMT(o->address), STR_FMT(all[i].name));
		box.box.name = box.name;
		box.box.special = STORE_SPECIAL_NONE;
		box.box.subscribed = false;
		box_add(b, s->arena, box);
	}
	/* An account that cannot be read is not worth a failed LIST; but one that can be read in a moment is not gone. */
	return st == ST_TEMP || st == ST_LIMIT ? st : ST_OK;
}

enum status imap_shared_boxes(struct imap_session *s, struct imap_shared_box **ret, size_t *ret_count)
{
	struct auth_shared_reply r;
	struct boxes             b = { 0 };
	enum status              st = shared(s, &r);

	for (size_t i = 0; i < r.owner_count && st == ST_OK; i++)
		st = list_owner(s, &r, &r.owners[i], &b);
	*ret = b.list;
	*ret_count = b.count;
	return st;
}
