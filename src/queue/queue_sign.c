/* queue/queue_sign.c - signatures of what leaves: read, hashed, signed by auth.
 *
 * Everything that leaves passes here, at the time it leaves: what a milter or rewriting has changed is signed as it is then. What goes
 * through the content filter is signed before: a filter that changes what is signed breaks that (docs/concepts/dkim.md). Ours are
 * messages of accounts and local programs (QUEUE_FLAG_SUBMIT: smtp proves it by the sign-in, queue_submit.c) and our own reports; what is relayed
 * or forwarded for strangers is not signed: we know nothing of it.
 *
 * What is hashed is what remote sends: the content through wire/smtp/smtp_fold.h, so a line that has to be folded is signed folded. The
 * content may be a file of any size, so a few threads of their own read it. auth gets the header's part, prints the fields and signs.
 *
 * What no destination has a place for is not signed (queue_remote_worth): mail for a dead one comes by many times.
 *
 *   signed        m->prefix goes out before the content, the same to all targets of the round
 *   no key        it goes unsigned
 *   no answer     m->unsigned_yet: nothing foreign is attempted in this round; soon again, as when no process could be asked
 */
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/log.h"
#include "queue/queue_in.h"
#include "sys/disk.h"
#include "wire/dkim/dkim_canon.h"
#include "wire/dkim/dkim_select.h"
#include "wire/mime/mime_address.h"
#include "wire/mime/mime_header.h"
#include "wire/smtp/smtp_fold.h"
#include "wire/text/queue_id.h"

#define READ_STEP (32 * KIB)
#define FOLD_STEP (2 * READ_STEP + 4000)

struct queue_signer {
	pthread_mutex_t   lock;
	pthread_cond_t    cond;
	pthread_t         threads[LIMIT_DKIM_THREADS];
	struct queue_job *first, **last; /* LIMIT_DKIM_FLIGHT at most */
	bool              stop;
};

/* ---- reading and hashing ---- */

struct reading {
	struct arena    *arena;
	struct buf       header; /* with its last CRLF, without the empty line */
	bool             body;
	struct dkim_body canon;
	EVP_MD_CTX      *md;
	uint8_t          hash[DKIM_HASH];
};

static void hash_add(void *ctx, struct str octets)
{
	CHECK(EVP_DigestUpdate(ctx, octets.p, octets.n) == 1);
}

/* How many octets of header and chunk together belong to the header, with the empty line; 0: its end is not in sight. */
static size_t header_end(const struct buf *header, size_t before)
{
	size_t    from = before > 3 ? before - 3 : 0;
	ptrdiff_t at;

	if (str_starts(buf_str(header), STR("\r\n")))
		return 2;
	at = str_search(str_from(buf_str(header), from), STR("\r\n\r\n"));
	return at < 0 ? 0 : from + (size_t)at + 4;
}

/* False: a header that is too long to be looked at. */
static bool reading_add(struct reading *r, struct str chunk)
{
	size_t before = r->header.n, end;

	if (r->body) {
		dkim_body_add(&r->canon, chunk);
		return true;
	}
	buf_add(&r->header, chunk);
	if (r->header.over)
		return false;
	end = header_end(&r->header, before);
	if (end == 0)
		return true;
	r->body = true;
	dkim_body_add(&r->canon, str_from(buf_str(&r->header), end));
	r->header.n = end - 2;
	return true;
}

/* The content piece by piece; ST_LIMIT: as reading_add. */
static enum status content_read(struct queue_msg *m, struct reading *r)
{
	int               file CLEANUP(fd_close) = -1;
	struct smtp_fold *fold = ARENA_NEW(r->arena, struct smtp_fold);
	char             *step = arena_alloc(r->arena, READ_STEP);
	struct buf        out = { .p = arena_alloc(r->arena, FOLD_STEP), .cap = FOLD_STEP, .max = FOLD_STEP };
	enum status       st = m->file ? queue_file_open(m->q, m->file, &file) : ST_OK;
	size_t            n = 0;

	for (uint64_t at = 0; at < m->size && st == ST_OK; at += n) {
		n = (size_t)MIN(m->size - at, (uint64_t)READ_STEP);
		if (m->file)
			st = disk_read_at(file, step, n, at, &n);
		if (st == ST_OK && n == 0)
			st = ST_CORRUPT;
		if (st != ST_OK)
			break;
		CHECK(smtp_fold_add(fold, &out, str_n(m->file ? step : m->content + at, n)));
		if (at + n >= m->size)
			CHECK(smtp_fold_end(fold, &out));
		st = reading_add(r, buf_str(&out)) ? ST_OK : ST_LIMIT;
		buf_clear(&out);
	}
	return st;
}

static void reading_init(struct reading *r)
{
	*r = (struct reading){ .arena = arena_new(NULL), .md = EVP_MD_CTX_new() };
	CHECK(r->md && EVP_DigestInit_ex(r->md, EVP_sha256(), NULL) == 1);
	buf_init(&r->header, LIMIT_HEADER_BLOCK);
	dkim_body_init(&r->canon, DKIM_RELAXED, hash_add, r->md);
}

static void reading_done(struct reading *r)
{
	buf_done(&r->header);
	EVP_MD_CTX_free(r->md);
	arena_free(&r->arena);
}

/* ---- asking ---- */

/* The domain of whom the reader sees as the author; "" if there is none. Several authors are of one domain, as the door saw to. */
static struct str author_domain(const struct reading *r)
{
	struct mime_header    h;
	struct mime_addresses list;

	mime_header_scan(buf_str(&r->header), &h);
	if (h.count[MIME_HEADER_FROM] != 1)
		return STR_NONE;
	mime_addresses_parse(h.value[MIME_HEADER_FROM], r->arena, &list);
	for (size_t i = 0; i < list.count; i++)
		if (list.items[i].kind == MIME_ADDRESS_MAILBOX)
			return list.items[i].domain.n <= LIMIT_DOMAIN ? list.items[i].domain : STR_NONE;
	return STR_NONE;
}

static void sign_done(void *arg, enum status st, const void *answer)
{
	struct queue_job             *job = arg;
	struct queue_msg             *m = job->msg;
	const struct auth_sign_reply *reply = answer;

	/* The only step of its phase: nobody else uses the arena. */
	if (st == ST_OK)
		m->prefix = arena_dup(m->arena, reply->fields);
	m->unsigned_yet = st != ST_OK && st != ST_NOT_FOUND && st != ST_INVALID && st != ST_LIMIT; /* LIMIT: fields that are too long */
	log_debug("signature", LOG_C("message", queue_id_text(m->id).p), LOG_ST("status", st));
	queue_job_end(job);
}

/* Ask for it. False: there is nothing to ask for, it goes unsigned. */
static bool ask(struct queue_job *job, struct reading *r)
{
	struct auth_sign_request q = { .domain = author_domain(r),
				       .body_hash = str_n(r->hash, sizeof(r->hash)),
				       .time_s = job->msg->q->o.wall_ms() / 1000 };
	struct buf               names, input;
	bool                     ok;

	buf_init(&names, LIMIT_DKIM_NAMES);
	buf_init(&input, LIMIT_DKIM_HEADER);
	dkim_select(buf_str(&r->header), DKIM_RELAXED, r->arena, &names, &input);
	q.names = buf_str(&names);
	q.header = buf_str(&input);
	ok = q.domain.n > 0 && !names.over && !input.over;
	if (names.over || input.over)
		log_info("message is not signed: its header is too long", LOG_C("message", queue_id_text(job->msg->id).p));
	if (ok)
		ipc_start(job->msg->q->ipc, ROLE_AUTH, IPC_ANY, IPC_AUTH_SIGN, &q, sign_done, job);
	buf_done(&names);
	buf_done(&input);
	return ok;
}

static void sign_now(struct queue_job *job)
{
	struct queue_msg *m = job->msg;
	struct reading    r;
	enum status       st;
	bool              asked = false;

	reading_init(&r);
	st = content_read(m, &r);
	if (st == ST_OK) {
		dkim_body_end(&r.canon);
		CHECK(EVP_DigestFinal_ex(r.md, r.hash, NULL) == 1);
		asked = ask(job, &r); /* the job may be gone now */
	} else {
		m->unsigned_yet = st != ST_LIMIT;
		if (m->unsigned_yet)
			log_error("message waits: it cannot be read to be signed", LOG_C("message", queue_id_text(m->id).p), LOG_ST("status", st));
		else
			log_info("message is not signed: its header is too long", LOG_C("message", queue_id_text(m->id).p));
	}
	reading_done(&r);
	if (!asked)
		queue_job_end(job);
}

/* ---- threads ---- */

static void *signer_main(void *arg)
{
	struct queue_signer *s = arg;
	struct queue_job    *job;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->first && !s->stop)
			pthread_cond_wait(&s->cond, &s->lock);
		if (s->stop)
			break; /* what waits goes on after the next start */
		job = s->first;
		s->first = job->next;
		if (!s->first)
			s->last = &s->first;
		pthread_mutex_unlock(&s->lock);
		sign_now(job);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

void queue_signer_start(struct queue *q)
{
	struct queue_signer *s = calloc(1, sizeof(*s));

	CHECK(s);
	s->last = &s->first;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->cond, NULL);
	for (size_t i = 0; i < LEN(s->threads); i++)
		CHECK(pthread_create(&s->threads[i], NULL, signer_main, s) == 0);
	q->signer = s;
}

void queue_signer_stop(struct queue *q)
{
	struct queue_signer *s = q->signer;

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->cond);
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < LEN(s->threads); i++)
		pthread_join(s->threads[i], NULL);
}

void queue_signer_free(struct queue *q)
{
	struct queue_signer *s = q->signer;

	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->cond);
	free(s);
	q->signer = NULL;
}

static void sign_start(struct queue_job *job)
{
	struct queue_signer *s = job->msg->q->signer;

	if (!s) { /* turns in the calling thread */
		sign_now(job);
		return;
	}
	job->next = NULL;
	pthread_mutex_lock(&s->lock);
	*s->last = job;
	s->last = &job->next;
	pthread_cond_signal(&s->cond);
	pthread_mutex_unlock(&s->lock);
}

/* ---- the phase ---- */

bool queue_sign_wanted(const struct queue_msg *m)
{
	/* The content filter too: what it brings back comes from anybody, as far as can be known then. */
	return m->remote && (m->flags & (QUEUE_FLAG_SUBMIT | QUEUE_FLAG_BOUNCE)) && !atomic_load(&m->removed);
}

void queue_sign_push(struct queue_msg *m)
{
	queue_flight_add(&m->q->f_sign, queue_job_new(m, sign_start));
}
