/* directory/directory_rows.c - see directory_rows.h. */
#include "directory/directory_rows.h"

#include "base/log.h"

static void on_rcpt(void *ctx, struct ipc_request *r)
{
	const struct auth_rcpt_request *q = r->body;
	struct auth_rcpt_reply          reply = { 0 };
	enum status                     st = directory_rcpt(ctx, q, r->arena, &reply);

	if (st == ST_OK)
		guard_rcpt(directory_guard(ctx), r->arena, q, &reply);
	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_guard(void *ctx, struct ipc_request *r)
{
	guard_answer(directory_guard(ctx), r);
}

static void on_resolve(void *ctx, struct ipc_request *r)
{
	struct auth_resolve_reply reply = { 0 };
	enum status               st = directory_resolve(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_sender(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_sender(ctx, r->body), NULL);
}

static void on_rewrite(void *ctx, struct ipc_request *r)
{
	struct auth_rewrite_reply reply = { 0 };
	enum status               st = directory_rewrite(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_probed(void *ctx, struct ipc_request *r)
{
	const struct auth_probed_request *q = r->body;
	const struct auth_rcpt_request    rcpt = { .address = q->address, .peer = q->peer, .session = q->session, .account = q->account };
	struct auth_rcpt_reply            reply = { 0 };
	enum status                       st = directory_probed(ctx, q, &reply);

	/* One who is there was counted when it was asked for. */
	if (st == ST_OK && reply.kind == AUTH_RCPT_UNKNOWN)
		guard_rcpt(directory_guard(ctx), r->arena, &rcpt, &reply);
	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_full(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_full(ctx, r->body), NULL);
}

static void on_token(void *ctx, struct ipc_request *r)
{
	const struct auth_token_request *q = r->body;
	struct auth_token_reply          reply = { 0 };
	enum status                      st = directory_token(ctx, q->token, &reply.account);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static struct session_side side_of(const struct ipc_request *r)
{
	return (struct session_side){ r->asker, r->instance, r->life };
}

static void on_quota(void *ctx, struct ipc_request *r)
{
	struct auth_quota_reply reply = { 0 };
	enum status             st = directory_quota(ctx, r->body, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_used(void *ctx, struct ipc_request *r)
{
	const struct auth_used_request *q = r->body;
	const struct session_side       side = side_of(r);
	/* Processes that talk to strangers are not believed about accounts that nobody has signed in to through them. */
	enum status st = r->asker == ROLE_IMAP ? directory_speaks(ctx, q->token, &side, q->account) : ST_OK;

	ipc_reply(r, st == ST_OK ? directory_used(ctx, q) : st, NULL);
}

static void on_domain_quota(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_domain_quota(ctx, r->body), NULL);
}

static void on_subject(void *ctx, struct ipc_request *r)
{
	const struct session_side side = side_of(r);
	struct auth_subject_reply reply = { 0 };
	enum status               st = directory_subject(ctx, &side, r->body, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_subjects(void *ctx, struct ipc_request *r)
{
	const struct session_side  side = side_of(r);
	struct auth_subjects_reply reply = { 0 };
	enum status                st = directory_subjects(ctx, &side, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_shared(void *ctx, struct ipc_request *r)
{
	const struct session_side side = side_of(r);
	struct auth_shared_reply reply = { 0 };
	enum status              st = directory_shared(ctx, &side, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_share(void *ctx, struct ipc_request *r)
{
	const struct session_side side = side_of(r);

	ipc_reply(r, directory_share(ctx, &side, r->body), NULL);
}

static void on_group_add(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_group_add(ctx, r->body), NULL);
}

static void on_group_remove(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_group_remove(ctx, r->body), NULL);
}

static void on_group_list(void *ctx, struct ipc_request *r)
{
	struct auth_group_list_reply reply = { 0 };
	enum status                  st = directory_group_list(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_hop(void *ctx, struct ipc_request *r)
{
	struct auth_hop_reply reply = { 0 };
	enum status           st = directory_hop(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_hop_secret(void *ctx, struct ipc_request *r)
{
	const struct auth_hop_secret_request *q = r->body;
	struct auth_login                     reply = { 0 };
	enum status                           st = directory_hop_secret(ctx, q->login, arena_new_secret(r->arena), &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_route_add(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_route_add(ctx, r->body), NULL);
}

static void on_route_set(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_route_set(ctx, r->body), NULL);
}

static void on_route_remove(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_route_remove(ctx, r->body), NULL);
}

static void on_route_list(void *ctx, struct ipc_request *r)
{
	struct auth_route_list_reply reply = { 0 };
	enum status                  st = directory_route_list(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_route(void *ctx, struct ipc_request *r)
{
	struct auth_route_reply reply = { 0 };
	enum status             st = directory_route(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void login_done(void *arg, enum status st, const struct auth_login_reply *reply)
{
	ipc_reply(arg, st, reply);
}

static void on_login(void *ctx, struct ipc_request *r)
{
	struct auth_login_request *q = ARENA_NEW(r->arena, struct auth_login_request);

	*q = *(const struct auth_login_request *)r->body;
	q->side = side_of(r);
	directory_login_start(ctx, q, login_done, r);
}

static void on_scram_salt(void *ctx, struct ipc_request *r)
{
	struct auth_scram_salt_reply reply = { 0 };
	enum status                  st = directory_scram_salt(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_scram_proof(void *ctx, struct ipc_request *r)
{
	struct auth_scram_proof_request q = *(const struct auth_scram_proof_request *)r->body;
	struct auth_scram_proof_reply   reply = { 0 };
	enum status                     st;

	q.side = side_of(r);
	st = directory_scram_proof(ctx, &q, r->arena, &reply);
	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_bearer(void *ctx, struct ipc_request *r)
{
	struct auth_bearer_request q = *(const struct auth_bearer_request *)r->body;
	struct auth_login_reply    reply = { 0 };
	enum status                st;

	q.side = side_of(r);
	st = directory_bearer(ctx, &q, r->arena, &reply);
	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_external(void *ctx, struct ipc_request *r)
{
	struct auth_external_request q = *(const struct auth_external_request *)r->body;
	struct auth_login_reply      reply = { 0 };
	enum status                  st;

	q.side = side_of(r);
	st = directory_external(ctx, &q, r->arena, &reply);
	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_certificate(void *ctx, struct ipc_request *r)
{
	const struct auth_certificate_request *q = r->body;

	ipc_reply(r, directory_certificate(ctx, q->fingerprint), NULL);
}

static void on_credential_add(void *ctx, struct ipc_request *r)
{
	struct auth_credential_add_reply reply = { 0 };
	enum status                      st = directory_credential_add(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_credential_list(void *ctx, struct ipc_request *r)
{
	struct auth_credential_list_reply reply = { 0 };
	enum status                       st = directory_credential_list(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_credential_remove(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_credential_remove(ctx, r->body), NULL);
}

/* With keys that sign at once: until they are published, receivers take the mail as unsigned. Without them it is a domain all the same. */
static void on_domain_add(void *ctx, struct ipc_request *r)
{
	const struct auth_domain_request *q = r->body;
	enum status                       st = directory_domain_add(ctx, q), keys;

	if (st == ST_OK && q->kind == AUTH_DOMAIN_LOCAL) {
		keys = directory_keys_make(ctx, q->name, true);
		if (keys != ST_OK)
			log_error("no DKIM keys could be made; 'domain key add' does it", LOG_STR("domain", q->name), LOG_ST("status", keys));
	}
	ipc_reply(r, st, NULL);
}

static void sign_done(void *arg, enum status st, const struct auth_sign_reply *reply)
{
	ipc_reply(arg, st, reply);
}

static void on_sign(void *ctx, struct ipc_request *r)
{
	directory_sign_start(ctx, r->body, r->arena, sign_done, r);
}

static void on_key_add(void *ctx, struct ipc_request *r)
{
	struct auth_key reply = { 0 };
	enum status     st = directory_key_add(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_key_list(void *ctx, struct ipc_request *r)
{
	struct auth_key_list_reply reply = { 0 };
	enum status                st = directory_key_list(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_key_change(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_key_change(ctx, r->body), NULL);
}

static void on_domain_remove(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_domain_remove(ctx, r->body), NULL);
}

static void on_domain_list(void *ctx, struct ipc_request *r)
{
	struct auth_domain_list_reply reply = { 0 };
	enum status                   st = directory_domain_list(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_account_add(void *ctx, struct ipc_request *r)
{
	struct auth_account_add_reply reply = { 0 };
	enum status                   st = directory_account_add(ctx, r->body, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_account_list(void *ctx, struct ipc_request *r)
{
	struct auth_account_list_reply reply = { 0 };
	enum status                    st = directory_account_list(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_account_change(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_account_change(ctx, r->body), NULL);
}

static void on_account_remove(void *ctx, struct ipc_request *r)
{
	struct auth_account_remove_reply reply = { 0 };
	enum status                      st = directory_account_remove(ctx, r->body, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_expire(void *ctx, struct ipc_request *r)
{
	uint64_t                *ids;
	struct auth_expire_reply reply = { 0 };
	enum status              st = directory_expire(ctx, r->arena, &ids, &reply.account_count);

	if (st != ST_OK) {
		ipc_reply(r, st, NULL);
		return;
	}
	reply.accounts = ARENA_ARRAY(r->arena, struct auth_expired, reply.account_count);
	for (size_t i = 0; i < reply.account_count; i++)
		reply.accounts[i].account = ids[i];
	ipc_reply(r, ST_OK, &reply);
}

static void on_purged(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_purged(ctx, r->body), NULL);
}

static void on_alias_add(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_alias_add(ctx, r->body), NULL);
}

static void on_alias_remove(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_alias_remove(ctx, r->body), NULL);
}

static void on_alias_list(void *ctx, struct ipc_request *r)
{
	struct auth_alias_list_reply reply = { 0 };
	enum status                  st = directory_alias_list(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_alias_change(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_alias_change(ctx, r->body), NULL);
}

static void on_alias_policy(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_alias_policy(ctx, r->body), NULL);
}

static void on_delegate_add(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_delegate_add(ctx, r->body), NULL);
}

static void on_delegate_remove(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_delegate_remove(ctx, r->body), NULL);
}

static void on_delegate_list(void *ctx, struct ipc_request *r)
{
	struct auth_delegate_list_reply reply = { 0 };
	enum status                     st = directory_delegate_list(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

static void on_rewrite_add(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_rewrite_add(ctx, r->body), NULL);
}

static void on_rewrite_remove(void *ctx, struct ipc_request *r)
{
	ipc_reply(r, directory_rewrite_remove(ctx, r->body), NULL);
}

static void on_rewrite_list(void *ctx, struct ipc_request *r)
{
	struct auth_rewrite_list_reply reply = { 0 };
	enum status                    st = directory_rewrite_list(ctx, r->body, r->arena, &reply);

	ipc_reply(r, st, st == ST_OK ? &reply : NULL);
}

const struct ipc_row directory_rows[] = {
	{ IPC_AUTH_RCPT, on_rcpt, 0 },
	{ IPC_AUTH_RESOLVE, on_resolve, 0 },
	{ IPC_AUTH_LOGIN, on_login, 0 },
	{ IPC_AUTH_SENDER, on_sender, 0 },
	{ IPC_AUTH_DOMAIN_ADD, on_domain_add, DIRECTORY_KEYS_POOL },
	{ IPC_AUTH_DOMAIN_REMOVE, on_domain_remove, DIRECTORY_POOL },
	{ IPC_AUTH_DOMAIN_LIST, on_domain_list, DIRECTORY_POOL },
	{ IPC_AUTH_ACCOUNT_ADD, on_account_add, DIRECTORY_POOL },
	{ IPC_AUTH_ACCOUNT_LIST, on_account_list, DIRECTORY_POOL },
	{ IPC_AUTH_ACCOUNT_CHANGE, on_account_change, DIRECTORY_POOL },
	{ IPC_AUTH_ACCOUNT_REMOVE, on_account_remove, DIRECTORY_POOL },
	{ IPC_AUTH_ALIAS_ADD, on_alias_add, DIRECTORY_POOL },
	{ IPC_AUTH_ALIAS_REMOVE, on_alias_remove, DIRECTORY_POOL },
	{ IPC_AUTH_ALIAS_LIST, on_alias_list, DIRECTORY_POOL },
	{ IPC_AUTH_EXPIRE, on_expire, DIRECTORY_POOL },
	{ IPC_AUTH_PURGED, on_purged, DIRECTORY_POOL },
	{ IPC_AUTH_REWRITE, on_rewrite, 0 },
	{ IPC_AUTH_PROBED, on_probed, 0 },
	{ IPC_AUTH_FULL, on_full, 0 },
	{ IPC_AUTH_QUOTA, on_quota, 0 },
	{ IPC_AUTH_TOKEN, on_token, 0 },
	{ IPC_AUTH_ROUTE, on_route, DIRECTORY_POOL },
	{ IPC_AUTH_ALIAS_POLICY, on_alias_policy, DIRECTORY_POOL },
	{ IPC_AUTH_DELEGATE_ADD, on_delegate_add, DIRECTORY_POOL },
	{ IPC_AUTH_DELEGATE_REMOVE, on_delegate_remove, DIRECTORY_POOL },
	{ IPC_AUTH_DELEGATE_LIST, on_delegate_list, DIRECTORY_POOL },
	{ IPC_AUTH_REWRITE_ADD, on_rewrite_add, DIRECTORY_POOL },
	{ IPC_AUTH_REWRITE_REMOVE, on_rewrite_remove, DIRECTORY_POOL },
	{ IPC_AUTH_REWRITE_LIST, on_rewrite_list, DIRECTORY_POOL },
	{ IPC_GUARD_CONNECT, on_guard, 0 },
	{ IPC_GUARD_NOTE, on_guard, 0 },
	{ IPC_GUARD_LIST, on_guard, DIRECTORY_POOL },
	{ IPC_GUARD_WHY, on_guard, DIRECTORY_POOL },
	{ IPC_GUARD_LIFT, on_guard, DIRECTORY_POOL },
	{ IPC_GUARD_ADD, on_guard, DIRECTORY_POOL },
	{ IPC_AUTH_SCRAM_SALT, on_scram_salt, 0 },
	{ IPC_AUTH_SCRAM_PROOF, on_scram_proof, 0 },
	{ IPC_AUTH_BEARER, on_bearer, 0 },
	{ IPC_AUTH_EXTERNAL, on_external, 0 },
	{ IPC_AUTH_CERTIFICATE, on_certificate, 0 },
	{ IPC_AUTH_CREDENTIAL_ADD, on_credential_add, DIRECTORY_POOL },
	{ IPC_AUTH_CREDENTIAL_LIST, on_credential_list, DIRECTORY_POOL },
	{ IPC_AUTH_CREDENTIAL_REMOVE, on_credential_remove, DIRECTORY_POOL },
	{ IPC_AUTH_ALIAS_CHANGE, on_alias_change, DIRECTORY_POOL },
	{ IPC_AUTH_SIGN, on_sign, 0 },
	{ IPC_AUTH_KEY_ADD, on_key_add, DIRECTORY_KEYS_POOL },
	{ IPC_AUTH_KEY_LIST, on_key_list, DIRECTORY_POOL },
	{ IPC_AUTH_KEY_CHANGE, on_key_change, DIRECTORY_POOL },
	{ IPC_AUTH_HOP, on_hop, 0 },
	{ IPC_AUTH_HOP_SECRET, on_hop_secret, DIRECTORY_POOL },
	{ IPC_AUTH_ROUTE_ADD, on_route_add, DIRECTORY_POOL },
	{ IPC_AUTH_ROUTE_SET, on_route_set, DIRECTORY_POOL },
	{ IPC_AUTH_ROUTE_REMOVE, on_route_remove, DIRECTORY_POOL },
	{ IPC_AUTH_ROUTE_LIST, on_route_list, DIRECTORY_POOL },
	{ IPC_AUTH_DOMAIN_QUOTA, on_domain_quota, DIRECTORY_POOL },
	{ IPC_AUTH_USED, on_used, DIRECTORY_POOL },
	{ IPC_AUTH_USED_SET, on_used, DIRECTORY_POOL },
	{ IPC_AUTH_SUBJECT, on_subject, DIRECTORY_POOL },
	{ IPC_AUTH_SUBJECTS, on_subjects, DIRECTORY_POOL },
	{ IPC_AUTH_SHARED, on_shared, DIRECTORY_POOL },
	{ IPC_AUTH_SHARE, on_share, DIRECTORY_POOL },
	{ IPC_AUTH_GROUP_ADD, on_group_add, DIRECTORY_POOL },
	{ IPC_AUTH_GROUP_REMOVE, on_group_remove, DIRECTORY_POOL },
	{ IPC_AUTH_GROUP_LIST, on_group_list, DIRECTORY_POOL },
};
const size_t directory_row_count = LEN(directory_rows);
