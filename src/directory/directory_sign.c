/* directory/directory_sign.c - signatures for queue: which keys, then the work in a lane of its own; see directory.h.
 *
 * Who may have what signed: queue alone may ask (ipc_msgs). It says that a message is ours; that the domain is, and the key, is
 * decided here. What is signed is always a DKIM-Signature field that is printed here.
 */
#include "base/log.h"
#include "directory/directory_int.h"
#include "directory/directory_sign.h"
#include "directory/lane.h"
#include "wire/dkim/dkim_canon.h"
#include "wire/dkim/dkim_field.h"

#define SIGNERS_MAX ((size_t)DKIM_ALGORITHM_LAST + 1)

struct job {
	struct lane_job                 lane;
	struct directory               *d;
	const struct auth_sign_request *q;
	directory_sign_fn              *done;
	void                           *arg;
	struct arena                   *arena;
	struct str                      domain;
	struct {
		struct str       selector;
		struct dkim_key *key;
	} by[SIGNERS_MAX];
	size_t count;
};

/* ---- which keys ---- */

static bool keys_take(struct job *j, const struct dir_domain *dom)
{
	for (const struct dir_key *k = dom->keys; k != NULL && j->count < SIGNERS_MAX; k = k->next) {
		if (k->state != AUTH_KEY_ACTIVE)
			continue;
		j->by[j->count].selector = arena_dup(j->arena, str_of(k->selector));
		j->by[j->count++].key = dkim_key_ref(k->key);
	}
	if (j->count > 0)
		j->domain = arena_dup(j->arena, dom->name);
	return j->count > 0;
}

/* Of the domain itself, or of the nearest one above it that is ours: aligned for DMARC in relaxed mode (RFC 7489 §3.1.1). */
static bool keys_find(struct job *j)
{
	struct address_canon name;
	struct str           at, label;
	bool                 found = false;

	if (address_domain(j->q->domain, &name) != ADDRESS_OK)
		return false;
	pthread_rwlock_rdlock(&j->d->lock);
	for (at = address_text(&name); at.n > 0 && !found; str_cut(at, '.', &label, &at)) {
		const struct dir_domain *dom = map_find(&j->d->domains, at);

		found = dom != NULL && keys_take(j, dom);
	}
	pthread_rwlock_unlock(&j->d->lock);
	return found;
}

/* ---- the signature ---- */

/* RFC 6376 §3.7: the fields that were chosen, then the signature's own with an empty b= and without its CRLF. */
static enum status sign_one(const struct job *j, size_t i, struct buf *out)
{
	char              octets[LIMIT_DKIM_RSA_MAX / 8];
	struct buf        signature = { .p = octets, .cap = sizeof(octets), .max = sizeof(octets) }, own, input;
	struct dkim_field f = {
		.algorithm = dkim_key_algorithm(j->by[i].key),
		.header = DKIM_RELAXED,
		.body = DKIM_RELAXED,
		.domain = j->domain,
		.selector = j->by[i].selector,
		.names = j->q->names,
		.body_hash = j->q->body_hash,
		.time_s = j->q->time_s,
	};
	enum status st;

	buf_init(&own, LIMIT_PREFIX);
	buf_init(&input, LIMIT_DKIM_HEADER + LIMIT_PREFIX);
	dkim_field_print(&f, &own);
	buf_add(&input, j->q->header);
	dkim_header_field(DKIM_RELAXED, buf_str(&own), &input);
	st = own.over || input.over ? ST_LIMIT : dkim_key_sign(j->by[i].key, str_chomp(buf_str(&input)), &signature);
	f.signature = buf_str(&signature);
	if (st == ST_OK)
		dkim_field_print(&f, out);
	buf_done(&input);
	buf_done(&own);
	return st;
}

static void job_run(struct lane_job *lane)
{
	struct job            *j = CONTAINER_OF(lane, struct job, lane);
	struct auth_sign_reply reply = { 0 };
	struct buf             out;
	enum status            st = ST_OK;

	buf_init(&out, LIMIT_PREFIX);
	for (size_t i = 0; i < j->count; i++) {
		if (st == ST_OK)
			st = sign_one(j, i, &out);
		dkim_key_free(&j->by[i].key);
	}
	if (out.over)
		st = ST_LIMIT;
	if (st != ST_OK)
		log_error("a message could not be signed", LOG_STR("domain", j->domain), LOG_ST("status", st));
	reply.fields = buf_str(&out);
	j->done(j->arg, st, st == ST_OK ? &reply : NULL);
	buf_done(&out);
}

void directory_sign_start(struct directory *d, const struct auth_sign_request *q, struct arena *a, directory_sign_fn *done, void *arg)
{
	struct job *j = ARENA_NEW(a, struct job);

	*j = (struct job){ .lane = { .run = job_run, .source = LANE_NO_SOURCE }, .d = d, .q = q, .done = done, .arg = arg, .arena = a };
	if (q->body_hash.n != DKIM_HASH || q->time_s < 0) {
		done(arg, ST_INVALID, NULL);
	} else if (!keys_find(j)) {
		done(arg, ST_NOT_FOUND, NULL);
	} else if (lane_submit(d->signers, &j->lane) != ST_OK) {
		for (size_t i = 0; i < j->count; i++)
			dkim_key_free(&j->by[i].key);
		done(arg, ST_BUSY, NULL);
	}
}

/* ---- domains from before ---- */

static void complete_run(struct lane_job *lane)
{
	dir_keys_complete(CONTAINER_OF(lane, struct directory, completing));
}

void directory_keys_complete(struct directory *d)
{
	d->completing = (struct lane_job){ .run = complete_run, .source = LANE_NO_SOURCE };
	CHECK(lane_submit(d->signers, &d->completing) == ST_OK); /* once, before anybody else */
}
