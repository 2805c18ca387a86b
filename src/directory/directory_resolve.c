/* directory/directory_resolve.c - what sessions and queue ask of an address. The order of resolving is in directory.h. */
#include "directory/directory_walk.h"
#include "directory/probe_known.h"
#include "directory/srs.h"

#define FULL_MS       ((int64_t)10 * 60 * 1000)
#define SRS_DAYS_MORE 7u /* what was let in may wait in the queue meanwhile */

enum status directory_resolve(struct directory *d, const struct auth_resolve_request *q, struct arena *a,
			      struct auth_resolve_reply *ret)
{
	struct dir_walk w;
	enum status     st;

	pthread_rwlock_rdlock(&d->lock);
	dir_walk_init(&w, d, a, q->from);
	w.srs_days += SRS_DAYS_MORE;
	st = dir_walk_recipient(&w, q->address);
	pthread_rwlock_unlock(&d->lock);
	dir_walk_done(&w);
	if (st == ST_OK && w.count == 0)
		st = ST_NOT_FOUND;
	if (st == ST_OK)
		*ret = (struct auth_resolve_reply){ w.targets, w.count };
	return st;
}

/* Of an alias or account of ours, which is what nearly every recipient is. */
static enum status rcpt_own(struct dir_walk *w, struct str address, struct auth_rcpt_reply *ret)
{
	enum status st = dir_walk_recipient(w, address);

	if (st == ST_LIMIT) {
		ret->kind = AUTH_RCPT_CLOSED; /* a mistake that somebody will repair: not "unknown" */
		return ST_OK;
	}
	if (st == ST_OK)
		ret->kind = w->count == 0 ? AUTH_RCPT_UNKNOWN :
			    w->refused    ? AUTH_RCPT_REFUSED :
			    w->open       ? AUTH_RCPT_LOCAL :
			    w->full       ? AUTH_RCPT_FULL :
					    AUTH_RCPT_CLOSED;
	return st;
}

static void probe_reply(enum probe_answer answer, struct auth_rcpt_reply *ret)
{
	switch (answer) {
	case PROBE_ASK: ret->kind = AUTH_RCPT_PROBE; break;
	case PROBE_EXISTS: ret->kind = AUTH_RCPT_RELAY; break;
	case PROBE_UNKNOWN: ret->kind = AUTH_RCPT_UNKNOWN; break;
	case PROBE_LATER:
		ret->kind = AUTH_RCPT_LATER;
		ret->code = 450;
		ret->enhanced = STR("4.1.1");
		ret->text = STR("Recipient could not be verified at its own host, try again later");
		break;
	}
}

static void rcpt_relay(struct directory *d, struct str address, const struct dir_domain *dom, struct arena *a,
		       struct auth_rcpt_reply *ret)
{
	ret->kind = AUTH_RCPT_RELAY;
	if (dom->verify == AUTH_VERIFY_PROBE)
		probe_reply(probe_known_find(d->probes, address, dir_mono_ms(d)), ret);
	if (ret->kind == AUTH_RCPT_PROBE)
		ret->relay = arena_dup(a, dom->relay);
}

/* May somebody who is not signed in send to it: is it ours, and by which way? *ret_domain is NULL if it is foreign. */
enum status directory_rcpt(struct directory *d, const struct auth_rcpt_request *q, struct arena *a, struct auth_rcpt_reply *ret)
{
	const struct dir_writer writer = { .account = q->account,
					   .from = q->from,
					   .trusted = q->exempt || guard_trusts(d->options.guard, q->peer) };
	struct auth_rcpt_reply  r = { 0 };
	struct arena           *own = arena_new(NULL);
	struct address_canon    canon;
	struct dir_domain      *dom;
	struct dir_walk         w = { 0 };
	enum status             st = ST_OK;

	pthread_rwlock_rdlock(&d->lock);
	if (dir_canon(d, q->address, &canon, &dom) != ADDRESS_OK) {
		st = ST_INVALID;
	} else if (dom == NULL) {
		r.kind = AUTH_RCPT_FOREIGN;
	} else if (dom->kind == AUTH_DOMAIN_RELAY) {
		rcpt_relay(d, address_text(&canon), dom, a, &r);
	} else {
		dir_walk_init(&w, d, own, q->from);
		w.writer = &writer;
		st = rcpt_own(&w, q->address, &r);
	}
	pthread_rwlock_unlock(&d->lock);
	dir_walk_done(&w);
	arena_free(&own);
	if (st == ST_OK)
		*ret = r;
	return st;
}

enum status directory_probed(struct directory *d, const struct auth_probed_request *q, struct auth_rcpt_reply *ret)
{
	struct auth_rcpt_reply r = { 0 };
	struct address_canon   canon;
	struct dir_domain     *dom;
	enum status            st = ST_OK;

	pthread_rwlock_rdlock(&d->lock);
	if (dir_canon(d, q->address, &canon, &dom) != ADDRESS_OK)
		st = ST_INVALID;
	else if (dom == NULL || dom->kind != AUTH_DOMAIN_RELAY || dom->verify != AUTH_VERIFY_PROBE)
		st = ST_NOT_FOUND;
	else
		probe_reply(probe_known_put(d->probes, address_text(&canon), q->result, dir_mono_ms(d)), &r);
	pthread_rwlock_unlock(&d->lock);
	if (st == ST_OK)
		*ret = r;
	return st;
}

/* Does the walk lead to the account, or to one that lends it its addresses? */
static bool may_use(const struct dir_walk *w, const struct auth_sender_request *q)
{
	enum auth_right right;

	for (size_t i = 0; i < w->count; i++) {
		uint64_t owner = w->targets[i].account;

		if (owner == q->account)
			return true;
		if (owner != 0 && dir_delegate_find(w->d, owner, q->account, &right) && (right == AUTH_RIGHT_SEND_AS || q->behalf))
			return true;
	}
	return false;
}

enum status directory_sender(struct directory *d, const struct auth_sender_request *q)
{
	struct arena       *a = arena_new(NULL);
	struct dir_account *acc;
	struct dir_walk     w;
	bool                ok;

	pthread_rwlock_rdlock(&d->lock);
	dir_walk_init(&w, d, a, q->address);
	acc = map_find_u64(&d->ids, q->account);
	ok = dir_account_in_use(acc) && !acc->disabled && dir_walk_address(&w, q->address) == ST_OK && may_use(&w, q);
	pthread_rwlock_unlock(&d->lock);
	dir_walk_done(&w);
	arena_free(&a);
	return ok ? ST_OK : ST_DENIED;
}

enum status directory_full(struct directory *d, const struct auth_full_request *q)
{
	struct dir_account *acc;

	pthread_rwlock_rdlock(&d->lock);
	acc = map_find_u64(&d->ids, q->account);
	if (acc != NULL)
		atomic_store(&acc->full_until_ms, q->full ? dir_mono_ms(d) + FULL_MS : 0);
	pthread_rwlock_unlock(&d->lock);
	return acc != NULL ? ST_OK : ST_NOT_FOUND;
}
