/* imap/imap_cmd_notify.c - NOTIFY (RFC 5465): news of any mailbox, between commands too.
 *
 *   off --SET--> on --NONE--> quiet --SET--> on            too much to tell: NOTIFICATIONOVERFLOW, and quiet
 *
 * A session that is on has a watch on its account (imap_notify.h); woken, or at the end of a command, it looks what happened since
 * `modseq` (store_events.h). So it remembers the client's wishes and one number, whatever the mailboxes are.
 *
 * The selected mailbox is told of by imap_sync as ever; NOTIFY says whether, and whether expunges may be told outside of commands.
 * A mailbox has the events of all groups that it meets, up to one that says NONE (§6). What this session alone did since the last time is
 * not told to it (§5).
 */
#include "imap/imap_cmd_metadata.h"
#include "imap/imap_cmd_notify.h"
#include "imap/imap_tree.h"
#include "store/store_events.h"
#include "wire/imap/imap_name.h"
#include "wire/imap/imap_notice.h"
#include "wire/imap/imap_print.h"

struct imap_noted {
	struct arena      *arena; /* this struct too */
	uint64_t           modseq;
	struct imap_notice want;  /* names are as we keep them */
	size_t             held;  /* of net_memory_take */
	uint64_t           own_from, own_to; /* mod-sequences of changes of this session that follow each other; 0: none */
};

void imap_notice_own(struct imap_session *s, uint64_t modseq)
{
	struct imap_noted *n = s->noted;

	if (!n || modseq <= n->own_to)
		return;
	if (modseq > n->own_to + 1)
		n->own_from = modseq;
	n->own_to = modseq;
}

/* Was all that happened behind `since`, up to `modseq`, done by this session. */
static bool only_own(const struct imap_noted *n, uint64_t since, uint64_t modseq)
{
	return n && n->own_from > 0 && n->own_from <= since + 1 && modseq <= n->own_to;
}

void imap_notice_done(struct imap_session *s)
{
	struct arena *arena = s->noted ? s->noted->arena : NULL;

	if (!arena)
		return;
	net_memory_give(net_of(s->conn), s->noted->held);
	s->noted = NULL;
	arena_free(&arena);
}

bool imap_notice_on(const struct imap_session *s)
{
	return s->noted && s->noted->want.count > 0;
}

/* ---- the selected mailbox ---- */

static const struct imap_notice_group *selected_group(const struct imap_session *s)
{
	for (size_t i = 0; s->noted && i < s->noted->want.count; i++)
		if (s->noted->want.groups[i].filter <= IMAP_NOTICE_DELAYED)
			return &s->noted->want.groups[i];
	return NULL;
}

bool imap_notice_silent(const struct imap_session *s)
{
	const struct imap_notice_group *g = selected_group(s);

	return s->noted && (!g || !(g->events & IMAP_NOTICE_MESSAGES));
}

bool imap_notice_flags(const struct imap_session *s)
{
	const struct imap_notice_group *g = selected_group(s);

	return !s->noted || (g && (g->events & IMAP_NOTICE_FLAGS));
}

void imap_notice_fetch(struct imap_session *s, struct str uids, struct str items)
{
	struct imap_reply   reply = s->reply;
	struct imap_command c = { .uid = true };
	struct arena       *kept = s->arena;

	s->arena = arena_new(NULL);
	c.x = (struct imap_lex){ .in = arena_printf(s->arena, "%.*s %.*s", STR_FMT(uids), STR_FMT(items)), .arena = s->arena };
	s->noticing = true;
	/* A message that is gone, or for which there is no room, is as if it had not been asked for. */
	(void)imap_cmd_fetch(s, &c);
	s->noticing = false;
	arena_free(&s->arena);
	s->arena = kept;
	s->reply = reply;
}

/* What MessageNew wants of messages from `first` on that were told just now (§5.2). */
static void fetch_tell(struct imap_session *s, uint32_t first)
{
	const struct imap_notice_group *g = selected_group(s);

	if (g && g->fetch.n > 0 && s->state == IMAP_SELECTED && s->box.uidnext > first && !s->broken)
		imap_notice_fetch(s, arena_printf(s->arena, "%u:%u", first, s->box.uidnext - 1), g->fetch);
}

enum status imap_notice_sync(struct imap_session *s, bool expunge)
{
	uint32_t    uidnext = s->box.uidnext;
	uint64_t    modseq = s->box.modseq;
	enum status st = imap_sync(s, expunge);

	if (st == ST_OK)
		st = imap_contexts_tell(s); /* before FETCH, §5.2 */
	if (st == ST_OK && !only_own(s->noted, modseq, s->box.modseq))
		fetch_tell(s, uidnext);
	return st;
}

/* ---- other mailboxes ---- */

static bool name_meets(const struct imap_notice_group *g, struct str name)
{
	for (size_t i = 0; i < g->name_count; i++)
		if (str_eq(name, g->names[i]) || (g->filter == IMAP_NOTICE_SUBTREE && imap_name_below(name, g->names[i])))
			return true;
	return false;
}

static bool group_meets(const struct imap_notice_group *g, struct str name, bool subscribed)
{
	switch (g->filter) {
	case IMAP_NOTICE_SELECTED:
	case IMAP_NOTICE_DELAYED: return false;
	case IMAP_NOTICE_INBOXES: return imap_name_is_inbox(name);
	case IMAP_NOTICE_PERSONAL: return true;
	case IMAP_NOTICE_SUBSCRIBED: return subscribed;
	case IMAP_NOTICE_SUBTREE:
	case IMAP_NOTICE_MAILBOXES: return name_meets(g, name);
	}
	return false;
}

static unsigned events_of(const struct imap_session *s, struct str name, bool subscribed)
{
	unsigned events = 0;

	for (size_t i = 0; i < s->noted->want.count; i++) {
		const struct imap_notice_group *g = &s->noted->want.groups[i];

		if (!group_meets(g, name, subscribed))
			continue;
		if (g->events == 0)
			break;
		events |= g->events;
	}
	return events;
}

static bool server_wanted(const struct imap_session *s)
{
	for (size_t i = 0; i < s->noted->want.count; i++)
		if (s->noted->want.groups[i].events & IMAP_NOTICE_SERVER)
			return true;
	return false;
}

/* §5.2, §5.3: so that the client need not ask for anything. */
static void status_tell(struct imap_session *s, const struct store_mailbox *m)
{
	const unsigned always = IMAP_STATUS_MESSAGES | IMAP_STATUS_UIDNEXT | IMAP_STATUS_UIDVALIDITY | IMAP_STATUS_UNSEEN;

	imap_inside(s, true);
	imap_put_status(s, m, always | (s->enabled & IMAP_ENABLED_CONDSTORE ? IMAP_STATUS_HIGHESTMODSEQ : 0u));
	imap_inside(s, false);
}

static const struct imap_node *node_of(const struct imap_tree *t, struct str name)
{
	for (size_t i = 0; i < t->count; i++)
		if (str_eq(t->nodes[i].name, name))
			return &t->nodes[i];
	return NULL;
}

/* As LIST has them (§5.4, §5.5). */
static struct str attributes_of(const struct imap_tree *t, struct str name, struct arena *arena)
{
	const struct imap_node *n = node_of(t, name);

	return n ? imap_node_attributes(n, "\\NonExistent", n->subscribed, arena) : STR("\\NonExistent");
}

static void metadata_tell(struct imap_session *s, struct str name, struct str entries)
{
	imap_inside(s, true);
	imap_put_metadata_head(s, name);
	while (entries.n > 0) { /* an entry's name may hold all that is special in a response, but no space */
		struct str entry;

		str_cut(entries, ' ', &entry, &entries);
		imap_put(s, STR(" "));
		imap_print_astring(&s->out, entry);
	}
	imap_put(s, STR("\r\n"));
	imap_inside(s, false);
}

static bool is_subscribed(const struct imap_tree *t, struct str name)
{
	const struct imap_node *n = node_of(t, name);

	return n && n->subscribed;
}

static void name_tell(struct imap_session *s, const struct imap_tree *t, const struct store_event *e, struct arena *arena)
{
	unsigned   wanted = events_of(s, e->name, e->kind == STORE_EVENT_SUBSCRIPTION || is_subscribed(t, e->name));
	struct str parent = imap_name_parent(e->name);

	if (e->old.n > 0)
		wanted |= events_of(s, e->old, is_subscribed(t, e->old));
	if (wanted & (e->kind == STORE_EVENT_SUBSCRIPTION ? IMAP_NOTICE_SUBSCRIPTION : IMAP_NOTICE_NAME))
		imap_put_list(s, attributes_of(t, e->name, arena), e->name, e->old);
	/* The parent of what came or went has another face too. */
	if (e->kind == STORE_EVENT_MAILBOX && e->op != STORE_EVENT_UPDATED && parent.n > 0 &&
	    (events_of(s, parent, is_subscribed(t, parent)) & IMAP_NOTICE_NAME))
		imap_put_list(s, attributes_of(t, parent, arena), parent, STR_NONE);
}

static void entries_tell(struct imap_session *s, struct store_account *a, const struct store_event *e, struct arena *arena)
{
	struct store_mailbox m;

	if (e->mailbox == 0 && server_wanted(s))
		metadata_tell(s, STR(""), e->name);
	else if (e->mailbox > 0 && store_mailbox_get(a, e->mailbox, arena, &m) == ST_OK &&
		 (events_of(s, m.name, m.subscribed) & IMAP_NOTICE_METADATA))
		metadata_tell(s, m.name, e->name);
}

static unsigned wanted_of(unsigned ops)
{
	return (ops & STORE_EVENT_CREATED ? IMAP_NOTICE_NEW : 0u) | (ops & STORE_EVENT_REMOVED ? IMAP_NOTICE_EXPUNGE : 0u) |
	       (ops & STORE_EVENT_UPDATED ? IMAP_NOTICE_FLAGS : 0u);
}

/* Stops where the client has gone. The account stays open: what is told here is bounded by STORE_EVENTS_MAX lines. */
static void events_tell(struct imap_session *s, struct store_account *a, const struct store_events *e, struct arena *arena)
{
	struct store_mailbox m;
	struct imap_tree     t = { 0 };
	bool                 others = false;

	for (size_t i = 0; i < e->count; i++) /* a subscription to another's */
		others = others || imap_is_foreign(e->list[i].name);
	if (e->count > 0 && imap_tree_load(s, true, others, &t) != ST_OK)
		t.count = 0; /* what cannot be read is told as gone: the client asks */
	for (size_t i = 0; i < e->count && !s->broken; i++)
		if (e->list[i].kind == STORE_EVENT_METADATA)
			entries_tell(s, a, &e->list[i], arena);
		else
			name_tell(s, &t, &e->list[i], arena);
	for (size_t i = 0; i < e->touched_count && !s->broken; i++) {
		if (imap_is_selected(s, s->account_id, e->touched[i].mailbox))
			continue;
		if (store_mailbox_get(a, e->touched[i].mailbox, arena, &m) == ST_OK &&
		    (events_of(s, m.name, m.subscribed) & wanted_of(e->touched[i].ops)))
			status_tell(s, &m);
	}
}

static void overflow(struct imap_session *s)
{
	s->noted->want.count = 0;
	imap_notify_remove(s->env->notify, &s->watch);
	if (s->mode != IMAP_MODE_IDLE)
		imap_box_watch(s, false);
	imap_put(s, STR("* OK [NOTIFICATIONOVERFLOW] Too much has changed, ask for it\r\n")); /* RFC 5465 §5.8 */
}

void imap_notice_tell(struct imap_session *s)
{
	struct arena *arena CLEANUP(arena_free) = NULL;
	struct store_account *a;
	struct store_info     info;
	struct store_events   e;

	/* What cannot be read now is told the next time. */
	if (!imap_notice_on(s) || s->broken || imap_account(s, &a) != ST_OK || store_info(a, &info) != ST_OK ||
	    info.modseq == s->noted->modseq)
		return;
	if (only_own(s->noted, s->noted->modseq, info.modseq)) {
		s->noted->modseq = info.modseq;
		return;
	}
	arena = arena_new(NULL);
	if (store_events(a, s->noted->modseq, arena, &e) != ST_OK || store_settle(a) != ST_OK)
		return;
	s->noted->modseq = e.modseq;
	if (e.everything)
		overflow(s);
	else
		events_tell(s, a, &e, arena);
}

void imap_notice_wake(struct imap_session *s)
{
	const struct imap_notice_group *g = selected_group(s);
	struct arena                   *kept = s->arena;
	bool                            loaded = s->box.loaded;

	/* In the middle of a command its end will tell. */
	if (s->mode != IMAP_MODE_COMMAND || s->text.n > 0 || !imap_notice_on(s))
		return;
	s->arena = arena_new(NULL);
	s->reply = (struct imap_reply){ 0 };
	if (s->state == IMAP_SELECTED && imap_notice_sync(s, g && g->filter == IMAP_NOTICE_SELECTED) != ST_OK) {
		imap_put(s, STR("* BYE [UNAVAILABLE] The mailbox cannot be read any more, connect again\r\n"));
		s->end = "mailbox lost";
		s->broken = true;
	}
	imap_notice_tell(s);
	if (!loaded)
		imap_view_drop(s);
	imap_flush(s);
	arena_free(&s->arena);
	s->arena = kept;
}

/* ---- the command ---- */

/* Names as we keep them; what is no name meets nothing. */
static void names_parse(struct imap_session *s, struct imap_notice_group *g, struct arena *arena)
{
	size_t n = 0;

	for (size_t i = 0; i < g->name_count; i++)
		n += imap_name_parse(g->names[i], imap_utf8(s), arena, &g->names[n]) == IMAP_NAME_OK;
	g->name_count = n;
}

/* §3.1: how things are at the moment from which changes are told. */
static enum status statuses_tell(struct imap_session *s)
{
	struct store_account *a;
	struct store_mailbox *boxes;
	struct arena         *kept = s->arena;
	size_t                count;
	enum status           st = imap_account(s, &a);

	if (st == ST_OK)
		st = store_mailbox_list(a, s->arena, &boxes, &count);
	if (st == ST_OK && !imap_work_take(s, arena_size(kept)))
		st = ST_LIMIT;
	s->arena = arena_new(NULL); /* what is made for a line goes with it */
	for (size_t i = 0; st == ST_OK && i < count && imap_spill(s); i++) {
		if ((events_of(s, boxes[i].name, boxes[i].subscribed) & IMAP_NOTICE_MESSAGES) &&
		    !imap_is_selected(s, s->account_id, boxes[i].id))
			status_tell(s, &boxes[i]);
		arena_reset(s->arena);
	}
	arena_free(&s->arena);
	s->arena = kept;
	return st;
}

static enum imap_next begin(struct imap_session *s, struct imap_noted *n)
{
	struct store_account *a;
	struct store_info     info;
	enum status           st = imap_account(s, &a);

	/* The watch first, then the clock: what happens in between is told twice at worst. */
	if (!s->watch.at)
		imap_notify_add(s->env->notify, &s->watch, s->account_id, s->conn);
	imap_box_watch(s, false);
	if (st == ST_OK)
		st = store_info(a, &info);
	if (st == ST_OK)
		st = store_settle(a);
	if (st == ST_OK) {
		n->modseq = info.modseq;
		st = n->want.status ? statuses_tell(s) : ST_OK;
	}
	if (st == ST_OK || s->broken)
		return imap_ok(s, "You will be told");
	n->want.count = 0;
	return imap_failed(s, st);
}

enum imap_next imap_cmd_notify(struct imap_session *s, struct imap_command *c)
{
	struct arena      *arena = arena_new(NULL);
	struct imap_noted *n = ARENA_NEW(arena, struct imap_noted);
	size_t             held = 20 * c->x.in.n + 16 * KIB; /* what is made of a text, at most; names as below */

	n->arena = arena;
	c->x.in = arena_dup(arena, c->x.in);
	c->x.arena = arena;
	if (!imap_lex_notice(&c->x, &n->want) || n->want.unknown) {
		bool unknown = n->want.unknown;

		arena_free(&arena);
		return unknown ? imap_no(s, "[BADEVENT (" IMAP_NOTICE_EVENTS ")] There is no such event")
			       : imap_bad(s, "Syntax: NOTIFY NONE, or NOTIFY SET [STATUS] (filter (event ...)) ...");
	}
	for (size_t i = 0; i < n->want.count; i++) {
		held += n->want.groups[i].names ? IMAP_NOTICE_NAMES * sizeof(struct str) : 0;
		names_parse(s, &n->want.groups[i], arena);
	}
	if (!net_memory_take(net_of(s->conn), held)) {
		arena_free(&arena);
		return imap_full(s);
	}
	n->held = held;
	imap_notice_done(s);
	s->noted = n;
	if (n->want.set)
		return begin(s, n);
	imap_notify_remove(s->env->notify, &s->watch);
	imap_box_watch(s, false);
	return imap_ok(s, "Nothing is told any more");
}
