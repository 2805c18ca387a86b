/* tests/unit/fake_ask.c - see fake_ask.h. */
#include "fake_ask.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "directory/scram.h"
#include "wire/sasl/sasl_scram.h"

void fake_ask_init(struct fake_ask *f)
{
	*f = (struct fake_ask){ .now_ms = 1795248000000, .next_id = 1 }; /* Sat, 21 Nov 2026 08:00:00 */
	buf_init(&f->from, LIMIT_ADDRESS);
	buf_init(&f->recipients, (LIMIT_ADDRESS + 1) * (LIMIT_RCPTS + 1));
	buf_init(&f->content, LIMIT_MESSAGE_MAX);
	buf_init(&f->user, LIMIT_USER);
	buf_init(&f->flushed, LIMIT_DOMAIN);
	buf_init(&f->envelope, (LIMIT_ORCPT + 10) * LIMIT_RCPTS);
	buf_init(&f->envid, LIMIT_ENVID);
}

void fake_ask_done(struct fake_ask *f)
{
	buf_done(&f->from);
	buf_done(&f->recipients);
	buf_done(&f->content);
	buf_done(&f->user);
	buf_done(&f->flushed);
	buf_done(&f->envelope);
	buf_done(&f->envid);
}

static enum status rcpt(void *ctx, const struct auth_rcpt_request *request, struct arena *a, struct auth_rcpt_reply *ret)
{
	struct fake_ask *f = ctx;
	struct str       address = request->address;

	(void)a;
	*ret = (struct auth_rcpt_reply){ 0 };

	f->rcpts++;
	f->exempt = request->exempt;
	if (str_ieq(address, STR("refused@demo.test"))) {
		*ret = f->words;
		return ST_OK;
	}
	if (str_ieq(address, STR("slow@demo.test"))) {
		ret->delay_ms = 1000;
		return ST_OK;
	}
	if (str_ieq(address, STR("stuck@demo.test"))) {
		ret->delay_ms = 3600 * 1000;
		return ST_OK;
	}
	if (str_iends(address, STR("@relay.test"))) {
		ret->kind = AUTH_RCPT_RELAY;
		return ST_OK;
	}
	if (str_ieq(address, STR("down@demo.test")))
		return ST_TEMP;
	if (str_ieq(address, STR("alice@demo.test")) || str_ieq(address, STR("bob@demo.test")) ||
	    str_ieq(address, STR("postmaster@demo.test")) || str_starts(address, STR("user")))
		ret->kind = AUTH_RCPT_LOCAL;
	else if (str_ieq(address, STR("closed@demo.test")))
		ret->kind = AUTH_RCPT_CLOSED;
	else if (str_ieq(address, STR("full@demo.test")))
		ret->kind = AUTH_RCPT_FULL;
	else if (str_ieq(address, STR("list@demo.test")))
		ret->kind = AUTH_RCPT_REFUSED;
	else if (str_iends(address, STR("@relay.example")))
		*ret = (struct auth_rcpt_reply){ .kind = AUTH_RCPT_PROBE, .relay = STR("mx.relay.example:25") };
	else
		ret->kind = str_iends(address, STR("@demo.test")) ? AUTH_RCPT_UNKNOWN : AUTH_RCPT_FOREIGN;
	return ST_OK;
}

static enum status login(void *ctx, const struct auth_login_request *request, struct arena *a, struct auth_login_reply *ret)
{
	struct fake_ask *f = ctx;
	bool             alice = str_ieq(request->user, STR("alice@demo.test"));

	f->logins++;
	buf_clear(&f->user);
	buf_add(&f->user, request->user);
	if (str_eq(request->user, STR("busy@demo.test")))
		return ST_BUSY;
	if (str_eq(request->user, STR("limit@demo.test")))
		return ST_LIMIT;
	if ((!alice && !str_ieq(request->user, STR("bob@demo.test"))) || !str_eq(request->password, STR("password")))
		return ST_DENIED;
	*ret = (struct auth_login_reply){ alice ? 1 : 2, arena_dup(a, request->user), STR("token") };
	return ST_OK;
}

static enum status sender(void *ctx, uint64_t account, struct str address)
{
	struct fake_ask *f = ctx;

	f->senders++;
	if (str_eq(address, STR("down@demo.test")))
		return ST_TEMP;
	return str_ieq(address, account == 1 ? STR("alice@demo.test") : STR("bob@demo.test")) ? ST_OK : ST_DENIED;
}

/* On behalf: alice may use the boss's address in From. */
static enum status behalf(void *ctx, uint64_t account, struct str address)
{
	if (account == 1 && str_ieq(address, STR("boss@demo.test")))
		return ST_OK;
	return sender(ctx, account, address);
}

/* What fake_ask.h says of `rewrites`. */
static enum status rewrite(void *ctx, const struct auth_rewrite_request *request, struct arena *a, struct auth_rewrite_reply *ret)
{
	struct fake_ask *f = ctx;
	struct str       local, domain;

	*ret = (struct auth_rewrite_reply){ ARENA_ARRAY(a, struct auth_rewritten, request->address_count), request->address_count, !f->rewrites };
	if (f->rewrite_status != ST_OK)
		return f->rewrite_status;
	for (size_t i = 0; i < request->address_count && f->rewrites; i++) {
		const struct auth_rewrite_address *one = &request->addresses[i];

		if (!str_rcut(one->address, '@', &local, &domain))
			continue;
		if (!one->recipient && str_ieq(domain, STR("demo.test")))
			ret->addresses[i].address = arena_printf(a, "%.*s@brand.example", STR_FMT(local));
		if (one->recipient && str_ieq(domain, STR("away.example")))
			ret->addresses[i].address = arena_printf(a, "%.*s@a-much-longer-name-of-a-domain.example", STR_FMT(local));
	}
	return ST_OK;
}

static enum status probe(void *ctx, const struct remote_probe_request *request, struct arena *a, struct remote_probe_reply *ret)
{
	struct fake_ask *f = ctx;

	(void)a;
	CHECK(str_iends(request->address, STR("@relay.example")) && request->domain.n == 0 && request->relay.n == 0); /* that is auth's word */
	f->probes++;
	*ret = (struct remote_probe_reply){ str_starts(request->address, STR("there")) ? REMOTE_PROBE_EXISTS : REMOTE_PROBE_UNKNOWN, STR("") };
	return f->probe_status;
}

static enum status probed(void *ctx, const struct auth_probed_request *request, struct arena *a, struct auth_rcpt_reply *ret)
{
	(void)ctx, (void)a;
	*ret = (struct auth_rcpt_reply){ 0 };
	if (request->result == AUTH_PROBE_EXISTS)
		ret->kind = AUTH_RCPT_RELAY;
	else if (request->result == AUTH_PROBE_UNKNOWN)
		ret->kind = AUTH_RCPT_UNKNOWN;
	else
		*ret = (struct auth_rcpt_reply){ .kind = AUTH_RCPT_LATER, .code = 450, .enhanced = STR("4.1.1"), .text = STR("Not verified") };
	return ST_OK;
}

static void content_take(struct fake_ask *f, const struct queue_submit_request *r)
{
	buf_clear(&f->content);
	if (r->spool < 0) {
		CHECK(r->content.n == r->size && r->size <= LIMIT_INLINE);
		buf_add(&f->content, r->content);
	} else {
		char *p = buf_room(&f->content, r->size + 1);

		CHECK(r->content.n == 0);
		CHECK(pread(r->spool, p, r->size + 1, 0) == (ssize_t)r->size); /* no octet more */
		buf_commit(&f->content, r->size);
	}
}

static enum status submit_take(void *ctx, const struct queue_submit_request *r, struct queue_submit_reply *ret)
{
	struct fake_ask *f = ctx;
	enum status      st = f->submit_status[MIN(f->submits, FAKE_STEPS - 1)];

	CHECK(r->txid.n == QUEUE_TXID && r->rcpt_count > 0);
	CHECK(f->submits == 0 || st != ST_OK || !f->has_message || memcmp(f->txid, r->txid.p, QUEUE_TXID) != 0);
	f->submits++;
	memcpy(f->txid, r->txid.p, QUEUE_TXID);
	if (st != ST_OK)
		return st;
	*ret = (struct queue_submit_reply){ .result = f->submit_result };
	if (f->submit_result != QUEUE_SUBMIT_QUEUED)
		return ST_OK;
	ret->id = f->next_id++;
	f->has_message = true;
	f->flags = r->flags;
	f->account = r->account;
	buf_clear(&f->from);
	buf_add(&f->from, r->from);
	buf_clear(&f->recipients);
	buf_clear(&f->envelope);
	buf_clear(&f->envid);
	buf_add(&f->envid, r->envid);
	f->hold_until_ms = r->hold_until_ms;
	f->deliver_by_ms = r->deliver_by_ms;
	f->priority = r->priority;
	for (size_t i = 0; i < r->rcpt_count; i++) {
		buf_addf(&f->envelope, "%u %.*s\n", r->rcpts[i].notify, STR_FMT(r->rcpts[i].orcpt));
		buf_add(&f->recipients, r->rcpts[i].address);
		buf_add_char(&f->recipients, ' ');
	}
	content_take(f, r);
	return ST_OK;
}

static void submit(void *ctx, const struct queue_submit_request *r, smtp_submit_fn *done, void *arg)
{
	struct fake_ask          *f = ctx;
	struct queue_submit_reply reply;
	enum status               st = submit_take(ctx, r, &reply);

	if (!f->hold) {
		done(arg, st, st == ST_OK ? &reply : NULL);
		return;
	}
	CHECK(f->held_count < FAKE_HELD);
	f->held[f->held_count].done = done;
	f->held[f->held_count].arg = arg;
	f->held_count++;
}

void fake_ask_answer(struct fake_ask *f)
{
	f->hold = false;
	for (unsigned i = 0; i < f->held_count; i++)
		f->held[i].done(f->held[i].arg, ST_OK, &(struct queue_submit_reply){ QUEUE_SUBMIT_QUEUED, 1000 + i });
	f->held_count = 0;
}

static enum status known(void *ctx, struct str txid, struct queue_known_reply *ret)
{
	struct fake_ask *f = ctx;
	enum status      st = f->known_status[MIN(f->knowns, FAKE_STEPS - 1)];

	f->knowns++;
	CHECK(txid.n == QUEUE_TXID && memcmp(txid.p, f->txid, QUEUE_TXID) == 0);
	if (st == ST_OK)
		*ret = (struct queue_known_reply){ f->known, f->known ? 77 : 0 };
	return st;
}

static enum status spool(void *ctx, int *ret_fd)
{
	struct fake_ask *f = ctx;

	f->spools++;
	if (f->spool_status != ST_OK)
		return f->spool_status;
	*ret_fd = memfd_create("spool", MFD_CLOEXEC);
	CHECK(*ret_fd >= 0);
	return ST_OK;
}

static enum status connect_filter(void *ctx, const struct remote_connect_request *request, int *ret_fd)
{
	struct fake_ask *f = ctx;

	(void)request;
	f->connects++;
	if (f->filter_fd <= 0)
		return ST_TEMP;
	*ret_fd = f->filter_fd;
	f->filter_fd = 0;
	return ST_OK;
}

static enum status flush(void *ctx, struct str domain, uint64_t *ret_count)
{
	struct fake_ask *f = ctx;

	buf_clear(&f->flushed);
	buf_add(&f->flushed, domain);
	*ret_count = f->flush_count;
	return f->flush_status;
}

static void trace(void *ctx, const struct trace_event *e)
{
	struct fake_ask *f = ctx;

	if (f->trace_count < FAKE_TRACE)
		f->trace[f->trace_count++] = e->what;
}

static int64_t now_ms(void *ctx)
{
	return ((struct fake_ask *)ctx)->now_ms;
}

static void random_fill(void *ctx, void *p, size_t n)
{
	struct fake_ask *f = ctx;

	memset(p, 0, n); /* the same in every run, another for each message */
	memcpy(p, &f->next_id, MIN(n, sizeof(f->next_id)));
}

static void pause_ms(void *ctx, unsigned ms)
{
	struct fake_ask *f = ctx;

	f->now_ms += ms;
	f->paused_ms += ms;
}

static enum status scram_salt(void *ctx, const struct auth_scram_salt_request *q, struct arena *a,
			      struct auth_scram_salt_reply *ret)
{
	(void)ctx, (void)a;
	if (str_eq(q->user, STR("busy@demo.test")))
		return ST_BUSY;
	*ret = (struct auth_scram_salt_reply){ STR(FAKE_SALT), FAKE_ITERATIONS, STR(FAKE_NONCE) };
	return ST_OK;
}

static enum status scram_proof(void *ctx, const struct auth_scram_proof_request *q, struct arena *a,
			       struct auth_scram_proof_reply *ret)
{
	struct fake_ask *f = ctx;
	uint8_t          signature[SCRAM_OCTETS];
	struct scram_key key;
	struct str       user, nonce;
	struct buf       message;
	bool             right;

	f->logins++;
	CHECK(sasl_scram_bare_parse(q->client_first, &user, &nonce) && str_eq(q->nonce, STR(FAKE_NONCE)));
	if (str_eq(user, STR("limit@demo.test")))
		return ST_LIMIT;
	buf_init(&message, 3 * LIMIT_SASL_MESSAGE);
	buf_add(&message, q->client_first);
	buf_add_char(&message, ',');
	sasl_scram_server_first(nonce, q->nonce, STR(FAKE_SALT), FAKE_ITERATIONS, &message);
	buf_add_char(&message, ',');
	buf_add(&message, q->client_final);
	scram_key_make(q->hash, STR("password"), STR(FAKE_SALT), FAKE_ITERATIONS, &key);
	right = scram_check(q->hash, &key, buf_str(&message), q->proof, signature) && str_eq(user, STR("alice@demo.test"));
	buf_done(&message);
	if (!right)
		return ST_DENIED;
	ret->login = (struct auth_login_reply){ 1, STR("alice@demo.test"), STR("token") };
	ret->signature = arena_dup(a, str_n(signature, scram_octets(q->hash)));
	return ST_OK;
}

static enum status bearer(void *ctx, const struct auth_bearer_request *q, struct arena *a, struct auth_login_reply *ret)
{
	struct fake_ask *f = ctx;

	(void)a;
	f->logins++;
	if (!str_eq(q->token, STR("good.token")) || (q->user.n > 0 && !str_eq(q->user, STR("alice@demo.test"))))
		return str_eq(q->token, STR("limit")) ? ST_LIMIT : ST_DENIED;
	*ret = (struct auth_login_reply){ 1, STR("alice@demo.test"), STR("token") };
	return ST_OK;
}

static enum status certificate(void *ctx, const struct auth_certificate_request *q, struct arena *a)
{
	(void)ctx, (void)a;
	return str_eq(q->fingerprint, STR(FAKE_FINGERPRINT)) ? ST_OK : ST_NOT_FOUND;
}

static enum status external(void *ctx, const struct auth_external_request *q, struct arena *a, struct auth_login_reply *ret)
{
	struct fake_ask *f = ctx;

	(void)a;
	f->logins++;
	if (!str_eq(q->fingerprint, STR(FAKE_FINGERPRINT)) || (q->user.n > 0 && !str_eq(q->user, STR("alice@demo.test"))))
		return ST_DENIED;
	*ret = (struct auth_login_reply){ 1, STR("alice@demo.test"), STR("token") };
	return ST_OK;
}

const struct sasl_ask fake_sasl = {
	.login = login,
	.scram_salt = scram_salt,
	.scram_proof = scram_proof,
	.bearer = bearer,
	.external = external,
	.certificate = certificate,
};

const struct smtp_ask fake_ask = {
	.rcpt = rcpt,
	.sasl = &fake_sasl,
	.sender = sender,
	.behalf = behalf,
	.rewrite = rewrite,
	.probe = probe,
	.probed = probed,
	.submit = submit,
	.known = known,
	.spool = spool,
	.filter = connect_filter,
	.flush = flush,
	.trace = trace,
	.now_ms = now_ms,
	.random = random_fill,
	.pause = pause_ms,
};

void fake_env_init(struct smtp_env *env, struct smtp_settings *settings, enum smtp_kind kind, struct fake_ask *f)
{
	smtp_settings_init(settings);
	settings->strict_header = false; /* most tests send less than a whole header */
	settings->hostname = STR("mx.demo.test");
	settings->postmaster = STR("postmaster@mx.demo.test"); /* no domain of ours, but the one above it is */
	env->kind = kind;
	env->settings = settings;
	env->ask = &fake_ask;
	env->ask_ctx = f;
	env->filtering = NULL;
}
