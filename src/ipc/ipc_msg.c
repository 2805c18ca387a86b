/* ipc/ipc_msg.c - the shapes and the table of all messages; see ipc_msg.h. */
#include "ipc/ipc_msg.h"

#include "base/limits.h"
#include "ipc/msg_auth.h"
#include "ipc/msg_control.h"
#include "ipc/msg_dns.h"
#include "ipc/msg_guard.h"
#include "ipc/msg_keeper.h"
#include "ipc/msg_local.h"
#include "ipc/msg_pipe.h"
#include "ipc/msg_queue.h"
#include "ipc/msg_remote.h"
#include "ipc/msg_trace.h"
#include "ipc/msg_trust.h"

#define LIMIT_REASON ((size_t)2000) /* why something waits or failed, a peer's answer */
#define LIMIT_CODE   ((size_t)16)   /* enhanced status */
#define LIMIT_WORD   ((size_t)32)   /* a reason in one word */
#define LIMIT_SITE_NAME ((size_t)800) /* a destination: QUEUE_SITE_NAME_MAX */
#define LIMIT_RELAY  LIMIT_NEXTHOPS_TEXT

/* struct hop, a member called so. */
#define HOP(type) \
	IPC_ENUM(type, hop.tls, HOP_TLS_LAST), IPC_STR(type, hop.source4, LIMIT_IP_TEXT), IPC_STR(type, hop.source6, LIMIT_IP_TEXT), \
		IPC_STR(type, hop.helo, LIMIT_DOMAIN), IPC_U64(type, hop.login), IPC_U32(type, hop.connections), IPC_U32(type, hop.rate), \
		IPC_U32(type, hop.rate_s)

/* ---- auth ---- */

static const struct ipc_field auth_rcpt_request[] = {
	IPC_STR(struct auth_rcpt_request, address, LIMIT_ADDRESS),
	IPC_STR(struct auth_rcpt_request, from, LIMIT_ADDRESS),
	IPC_STR(struct auth_rcpt_request, peer, LIMIT_IP_TEXT),
	IPC_STR(struct auth_rcpt_request, helo, LIMIT_DOMAIN),
	IPC_STR(struct auth_rcpt_request, session, LIMIT_SESSION_ID),
	IPC_U64(struct auth_rcpt_request, account),
	IPC_U64(struct auth_rcpt_request, size),
	IPC_BOOL(struct auth_rcpt_request, first),
	IPC_BOOL(struct auth_rcpt_request, exempt),
};
static const struct ipc_field auth_rcpt_reply[] = {
	IPC_ENUM(struct auth_rcpt_reply, kind, AUTH_RCPT_LAST),
	IPC_STR(struct auth_rcpt_reply, relay, LIMIT_RELAY),
	IPC_U32(struct auth_rcpt_reply, code),
	IPC_STR(struct auth_rcpt_reply, enhanced, LIMIT_CODE),
	IPC_STR(struct auth_rcpt_reply, text, LIMIT_REPLY_TEXT),
	IPC_U32(struct auth_rcpt_reply, delay_ms),
	IPC_STR(struct auth_rcpt_reply, reason, LIMIT_WORD),
};
static const struct ipc_field auth_target[] = {
	IPC_U64(struct auth_target, account),
	IPC_STR(struct auth_target, address, LIMIT_ADDRESS),
	IPC_STR(struct auth_target, relay, LIMIT_RELAY),
	HOP(struct auth_target),
	IPC_BOOL(struct auth_target, forward),
	IPC_STR(struct auth_target, from, LIMIT_ADDRESS),
	IPC_U64(struct auth_target, quota_octets),
	IPC_U64(struct auth_target, quota_messages),
	IPC_BOOL(struct auth_target, quota_shared),
};
static const struct ipc_shape auth_target_shape = IPC_SHAPE(auth_target, auth_target);
static const struct ipc_field auth_resolve_request[] = {
	IPC_STR(struct auth_resolve_request, address, LIMIT_ADDRESS),
	IPC_STR(struct auth_resolve_request, from, LIMIT_ADDRESS),
};
static const struct ipc_field auth_resolve_reply[] = {
	IPC_LIST(struct auth_resolve_reply, targets, target_count, LIMIT_ALIAS_TARGETS, &auth_target_shape),
};
static const struct ipc_field auth_login_request[] = {
	IPC_ENUM(struct auth_login_request, protocol, AUTH_PROTOCOL_LAST),
	IPC_STR(struct auth_login_request, user, LIMIT_USER),
	IPC_SECRET(struct auth_login_request, password, LIMIT_PASSWORD),
	IPC_STR(struct auth_login_request, peer, LIMIT_IP_TEXT),
	IPC_BOOL(struct auth_login_request, tls),
};
static const struct ipc_field auth_login_reply[] = {
	IPC_U64(struct auth_login_reply, account),
	IPC_STR(struct auth_login_reply, address, LIMIT_ADDRESS),
	IPC_SECRET(struct auth_login_reply, token, LIMIT_TOKEN),
};
static const struct ipc_field auth_token_request[] = {
	IPC_SECRET(struct auth_token_request, token, LIMIT_TOKEN),
};
static const struct ipc_field auth_token_reply[] = {
	IPC_U64(struct auth_token_reply, account),
};
static const struct ipc_field auth_scram_salt_request[] = {
	IPC_ENUM(struct auth_scram_salt_request, hash, AUTH_SCRAM_LAST),
	IPC_STR(struct auth_scram_salt_request, user, LIMIT_USER),
};
static const struct ipc_field auth_scram_salt_reply[] = {
	IPC_STR(struct auth_scram_salt_reply, salt, 64),
	IPC_U32(struct auth_scram_salt_reply, iterations),
	IPC_STR(struct auth_scram_salt_reply, nonce, LIMIT_SASL_NONCE),
};
static const struct ipc_field auth_scram_proof_request[] = {
	IPC_ENUM(struct auth_scram_proof_request, protocol, AUTH_PROTOCOL_LAST),
	IPC_ENUM(struct auth_scram_proof_request, hash, AUTH_SCRAM_LAST),
	IPC_STR(struct auth_scram_proof_request, client_first, LIMIT_SASL_MESSAGE),
	IPC_STR(struct auth_scram_proof_request, nonce, LIMIT_SASL_NONCE),
	IPC_STR(struct auth_scram_proof_request, client_final, LIMIT_SASL_MESSAGE),
	IPC_SECRET(struct auth_scram_proof_request, proof, 64),
	IPC_STR(struct auth_scram_proof_request, peer, LIMIT_IP_TEXT),
	IPC_BOOL(struct auth_scram_proof_request, tls),
};
static const struct ipc_field auth_scram_proof_reply[] = {
	IPC_U64(struct auth_scram_proof_reply, login.account),
	IPC_STR(struct auth_scram_proof_reply, login.address, LIMIT_ADDRESS),
	IPC_SECRET(struct auth_scram_proof_reply, login.token, LIMIT_TOKEN),
	IPC_STR(struct auth_scram_proof_reply, signature, 64),
};
static const struct ipc_field auth_bearer_request[] = {
	IPC_ENUM(struct auth_bearer_request, protocol, AUTH_PROTOCOL_LAST),
	IPC_STR(struct auth_bearer_request, user, LIMIT_USER),
	IPC_SECRET(struct auth_bearer_request, token, LIMIT_BEARER),
	IPC_STR(struct auth_bearer_request, peer, LIMIT_IP_TEXT),
	IPC_BOOL(struct auth_bearer_request, tls),
};
static const struct ipc_field auth_external_request[] = {
	IPC_ENUM(struct auth_external_request, protocol, AUTH_PROTOCOL_LAST),
	IPC_STR(struct auth_external_request, user, LIMIT_USER),
	IPC_STR(struct auth_external_request, fingerprint, AUTH_CREDENTIAL_HASH),
	IPC_STR(struct auth_external_request, peer, LIMIT_IP_TEXT),
};
static const struct ipc_field auth_certificate_request[] = {
	IPC_STR(struct auth_certificate_request, fingerprint, AUTH_CREDENTIAL_HASH),
};
static const struct ipc_field auth_credential_add_request[] = {
	IPC_STR(struct auth_credential_add_request, address, LIMIT_ADDRESS),
	IPC_ENUM(struct auth_credential_add_request, kind, AUTH_CREDENTIAL_LAST),
	IPC_STR(struct auth_credential_add_request, hash, AUTH_CREDENTIAL_HASH),
	IPC_U32(struct auth_credential_add_request, days),
};
static const struct ipc_field auth_credential_add_reply[] = {
	IPC_SECRET(struct auth_credential_add_reply, token, LIMIT_BEARER),
	IPC_STR(struct auth_credential_add_reply, hash, AUTH_CREDENTIAL_HASH),
	IPC_I64(struct auth_credential_add_reply, expires_ms),
};
static const struct ipc_field auth_credential[] = {
	IPC_STR(struct auth_credential, hash, AUTH_CREDENTIAL_HASH),
	IPC_I64(struct auth_credential, created_ms),
	IPC_I64(struct auth_credential, expires_ms),
};
static const struct ipc_shape auth_credential_shape = IPC_SHAPE(auth_credential, auth_credential);
static const struct ipc_field auth_credential_list_request[] = {
	IPC_STR(struct auth_credential_list_request, address, LIMIT_ADDRESS),
	IPC_ENUM(struct auth_credential_list_request, kind, AUTH_CREDENTIAL_LAST),
};
static const struct ipc_field auth_credential_list_reply[] = {
	IPC_LIST(struct auth_credential_list_reply, rows, row_count, LIMIT_CREDENTIALS, &auth_credential_shape),
};
static const struct ipc_field auth_credential_remove_request[] = {
	IPC_STR(struct auth_credential_remove_request, address, LIMIT_ADDRESS),
	IPC_ENUM(struct auth_credential_remove_request, kind, AUTH_CREDENTIAL_LAST),
	IPC_STR(struct auth_credential_remove_request, hash, AUTH_CREDENTIAL_HASH),
};
static const struct ipc_field auth_sender_request[] = {
	IPC_U64(struct auth_sender_request, account),
	IPC_STR(struct auth_sender_request, address, LIMIT_ADDRESS),
	IPC_BOOL(struct auth_sender_request, behalf),
};
static const struct ipc_field auth_domain_request[] = {
	IPC_STR(struct auth_domain_request, name, LIMIT_DOMAIN),
	IPC_ENUM(struct auth_domain_request, kind, AUTH_DOMAIN_LAST),
	IPC_STR(struct auth_domain_request, relay, LIMIT_RELAY),
	IPC_ENUM(struct auth_domain_request, verify, AUTH_VERIFY_LAST),
};
static const struct ipc_field auth_list_request[] = {
	IPC_STR(struct auth_list_request, after, LIMIT_ADDRESS),
	IPC_STR(struct auth_list_request, domain, LIMIT_DOMAIN),
};
static const struct ipc_field auth_domain[] = {
	IPC_STR(struct auth_domain, name, LIMIT_DOMAIN),
	IPC_U64(struct auth_domain, accounts),
	IPC_U64(struct auth_domain, aliases),
	IPC_I64(struct auth_domain, created_ms),
	IPC_ENUM(struct auth_domain, kind, AUTH_DOMAIN_LAST),
	IPC_STR(struct auth_domain, relay, LIMIT_RELAY),
	IPC_ENUM(struct auth_domain, verify, AUTH_VERIFY_LAST),
	IPC_U64(struct auth_domain, account_octets),
	IPC_U64(struct auth_domain, account_messages),
	IPC_U64(struct auth_domain, total_octets),
	IPC_U64(struct auth_domain, total_messages),
	IPC_U64(struct auth_domain, used_octets),
	IPC_U64(struct auth_domain, used_messages),
};
static const struct ipc_field auth_domain_quota_request[] = {
	IPC_STR(struct auth_domain_quota_request, name, LIMIT_DOMAIN),
	IPC_U32(struct auth_domain_quota_request, given),
	IPC_U64(struct auth_domain_quota_request, account_octets),
	IPC_U64(struct auth_domain_quota_request, account_messages),
	IPC_U64(struct auth_domain_quota_request, total_octets),
	IPC_U64(struct auth_domain_quota_request, total_messages),
};
static const struct ipc_shape auth_domain_shape = IPC_SHAPE(auth_domain, auth_domain);
static const struct ipc_field auth_domain_list_reply[] = {
	IPC_LIST(struct auth_domain_list_reply, domains, domain_count, LIMIT_LIST_PAGE, &auth_domain_shape),
	IPC_BOOL(struct auth_domain_list_reply, more),
};
static const struct ipc_field auth_name[] = {
	IPC_STR(struct auth_name, address, LIMIT_ADDRESS),
};
static const struct ipc_shape auth_name_shape = IPC_SHAPE(auth_name, auth_name);
static const struct ipc_field auth_account_add_request[] = {
	IPC_LIST(struct auth_account_add_request, names, name_count, LIMIT_ACCOUNT_BATCH, &auth_name_shape),
	IPC_SECRET(struct auth_account_add_request, password, LIMIT_PASSWORD),
	IPC_U64(struct auth_account_add_request, quota_octets),
	IPC_U64(struct auth_account_add_request, quota_messages),
};
static const struct ipc_field auth_account_add_reply[] = {
	IPC_U64(struct auth_account_add_reply, first_account),
	IPC_U64(struct auth_account_add_reply, added),
};
static const struct ipc_field auth_account[] = {
	IPC_U64(struct auth_account, account),
	IPC_STR(struct auth_account, address, LIMIT_ADDRESS),
	IPC_BOOL(struct auth_account, disabled),
	IPC_BOOL(struct auth_account, removed),
	IPC_U64(struct auth_account, quota_octets),
	IPC_I64(struct auth_account, created_ms),
	IPC_U64(struct auth_account, quota_messages),
	IPC_BOOL(struct auth_account, own_octets),
	IPC_BOOL(struct auth_account, own_messages),
};
static const struct ipc_shape auth_account_shape = IPC_SHAPE(auth_account, auth_account);
static const struct ipc_field auth_account_list_reply[] = {
	IPC_LIST(struct auth_account_list_reply, accounts, account_count, LIMIT_LIST_PAGE, &auth_account_shape),
	IPC_BOOL(struct auth_account_list_reply, more),
};
static const struct ipc_field auth_account_change_request[] = {
	IPC_STR(struct auth_account_change_request, address, LIMIT_ADDRESS),
	IPC_ENUM(struct auth_account_change_request, what, AUTH_CHANGE_LAST),
	IPC_SECRET(struct auth_account_change_request, password, LIMIT_PASSWORD),
	IPC_STR(struct auth_account_change_request, new_address, LIMIT_ADDRESS),
	IPC_U64(struct auth_account_change_request, quota_octets),
	IPC_U64(struct auth_account_change_request, quota_messages),
};
static const struct ipc_field auth_account_remove_request[] = {
	IPC_STR(struct auth_account_remove_request, address, LIMIT_ADDRESS),
	IPC_BOOL(struct auth_account_remove_request, purge),
};
static const struct ipc_field auth_account_remove_reply[] = {
	IPC_U64(struct auth_account_remove_reply, account),
};
static const struct ipc_field auth_policy[] = {
	IPC_ENUM(struct auth_policy, rule, AUTH_RULE_LAST),
	IPC_STR(struct auth_policy, address, LIMIT_ADDRESS),
};
static const struct ipc_shape auth_policy_shape = IPC_SHAPE(auth_policy, auth_policy);
static const struct ipc_field auth_alias[] = {
	IPC_STR(struct auth_alias, from, LIMIT_ADDRESS),
	IPC_LIST(struct auth_alias, to, to_count, LIMIT_ALIAS_TARGETS, &auth_name_shape),
	IPC_LIST(struct auth_alias, rules, rule_count, LIMIT_ALIAS_RULES, &auth_policy_shape),
};
static const struct ipc_field auth_alias_policy_request[] = {
	IPC_STR(struct auth_alias_policy_request, from, LIMIT_ADDRESS),
	IPC_LIST(struct auth_alias_policy_request, rules, rule_count, LIMIT_ALIAS_RULES, &auth_policy_shape),
};
static const struct ipc_shape auth_alias_shape = IPC_SHAPE(auth_alias, auth_alias);
static const struct ipc_field auth_alias_remove_request[] = {
	IPC_STR(struct auth_alias_remove_request, from, LIMIT_ADDRESS),
};
static const struct ipc_field auth_alias_list_reply[] = {
	IPC_LIST(struct auth_alias_list_reply, aliases, alias_count, LIMIT_LIST_PAGE, &auth_alias_shape),
	IPC_BOOL(struct auth_alias_list_reply, more),
};

static const struct ipc_field auth_expired[] = {
	IPC_U64(struct auth_expired, account),
};
static const struct ipc_shape auth_expired_shape = IPC_SHAPE(auth_expired, auth_expired);
static const struct ipc_field auth_expire_reply[] = {
	IPC_LIST(struct auth_expire_reply, accounts, account_count, LIMIT_LIST_PAGE, &auth_expired_shape),
};
static const struct ipc_field auth_purged_request[] = {
	IPC_LIST(struct auth_purged_request, accounts, account_count, LIMIT_LIST_PAGE, &auth_expired_shape),
};

static const struct ipc_field auth_rewrite_address[] = {
	IPC_STR(struct auth_rewrite_address, address, LIMIT_ADDRESS),
	IPC_BOOL(struct auth_rewrite_address, recipient),
};
static const struct ipc_shape auth_rewrite_address_shape = IPC_SHAPE(auth_rewrite_address, auth_rewrite_address);
static const struct ipc_field auth_rewrite_request[] = {
	IPC_LIST(struct auth_rewrite_request, addresses, address_count, LIMIT_LIST_PAGE, &auth_rewrite_address_shape),
};
static const struct ipc_field auth_rewritten[] = {
	IPC_STR(struct auth_rewritten, address, LIMIT_ADDRESS),
};
static const struct ipc_shape auth_rewritten_shape = IPC_SHAPE(auth_rewritten, auth_rewritten);
static const struct ipc_field auth_rewrite_reply[] = {
	IPC_LIST(struct auth_rewrite_reply, addresses, address_count, LIMIT_LIST_PAGE, &auth_rewritten_shape),
	IPC_BOOL(struct auth_rewrite_reply, none),
};
static const struct ipc_field auth_probed_request[] = {
	IPC_STR(struct auth_probed_request, address, LIMIT_ADDRESS),
	IPC_ENUM(struct auth_probed_request, result, AUTH_PROBE_LAST),
	IPC_STR(struct auth_probed_request, peer, LIMIT_IP_TEXT),
	IPC_STR(struct auth_probed_request, session, LIMIT_SESSION_ID),
	IPC_U64(struct auth_probed_request, account),
};
static const struct ipc_field auth_full_request[] = {
	IPC_U64(struct auth_full_request, account),
	IPC_BOOL(struct auth_full_request, full),
};
static const struct ipc_field auth_quota_request[] = {
	IPC_U64(struct auth_quota_request, account),
};
static const struct ipc_field auth_quota_reply[] = {
	IPC_U64(struct auth_quota_reply, quota_octets),
	IPC_U64(struct auth_quota_reply, quota_messages),
	IPC_BOOL(struct auth_quota_reply, quota_shared),
};
static const struct ipc_field auth_used_request[] = {
	IPC_U64(struct auth_used_request, account),
	IPC_U64(struct auth_used_request, octets),
	IPC_U64(struct auth_used_request, messages),
	IPC_SECRET(struct auth_used_request, token, LIMIT_TOKEN),
};
static const struct ipc_field auth_delegate[] = {
	IPC_STR(struct auth_delegate, owner, LIMIT_ADDRESS),
	IPC_STR(struct auth_delegate, user, LIMIT_ADDRESS),
	IPC_ENUM(struct auth_delegate, right, AUTH_RIGHT_LAST),
};
static const struct ipc_shape auth_delegate_shape = IPC_SHAPE(auth_delegate, auth_delegate);
static const struct ipc_field auth_delegate_list_request[] = {
	IPC_STR(struct auth_delegate_list_request, owner, LIMIT_ADDRESS),
};
static const struct ipc_field auth_delegate_list_reply[] = {
	IPC_LIST(struct auth_delegate_list_reply, delegates, delegate_count, LIMIT_DELEGATES, &auth_delegate_shape),
};
static const struct ipc_field auth_rewrite_rule[] = {
	IPC_STR(struct auth_rewrite_rule, from, LIMIT_ADDRESS),
	IPC_STR(struct auth_rewrite_rule, to, LIMIT_ADDRESS),
	IPC_U32(struct auth_rewrite_rule, scope),
};
static const struct ipc_shape auth_rewrite_rule_shape = IPC_SHAPE(auth_rewrite_rule, auth_rewrite_rule);
static const struct ipc_field auth_rewrite_list_request[] = {
	IPC_STR(struct auth_rewrite_list_request, after, LIMIT_ADDRESS),
	IPC_U32(struct auth_rewrite_list_request, after_scope),
};
static const struct ipc_field auth_rewrite_list_reply[] = {
	IPC_LIST(struct auth_rewrite_list_reply, rules, rule_count, LIMIT_LIST_PAGE, &auth_rewrite_rule_shape),
	IPC_BOOL(struct auth_rewrite_list_reply, more),
};
static const struct ipc_field auth_subject_request[] = {
	IPC_SECRET(struct auth_subject_request, token, LIMIT_TOKEN),
	IPC_ENUM(struct auth_subject_request, kind, AUTH_SUBJECT_LAST),
	IPC_STR(struct auth_subject_request, name, LIMIT_ADDRESS),
};
static const struct ipc_field auth_subject_reply[] = {
	IPC_U64(struct auth_subject_reply, subject),
};
static const struct ipc_field auth_subject_id[] = {
	IPC_ENUM(struct auth_subject_id, kind, AUTH_SUBJECT_LAST),
	IPC_U64(struct auth_subject_id, subject),
};
static const struct ipc_shape auth_subject_id_shape = IPC_SHAPE(auth_subject_id, auth_subject_id);
static const struct ipc_field auth_subjects_request[] = {
	IPC_SECRET(struct auth_subjects_request, token, LIMIT_TOKEN),
	IPC_LIST(struct auth_subjects_request, ids, id_count, LIMIT_ACL_ENTRIES, &auth_subject_id_shape),
};
static const struct ipc_field auth_subjects_reply[] = {
	IPC_LIST(struct auth_subjects_reply, names, name_count, LIMIT_ACL_ENTRIES, &auth_name_shape),
};
static const struct ipc_field auth_owner[] = {
	IPC_U64(struct auth_owner, account),
	IPC_STR(struct auth_owner, address, LIMIT_ADDRESS),
	IPC_SECRET(struct auth_owner, token, LIMIT_TOKEN),
};
static const struct ipc_shape auth_owner_shape = IPC_SHAPE(auth_owner, auth_owner);
static const struct ipc_field auth_group_id[] = {
	IPC_U64(struct auth_group_id, group),
};
static const struct ipc_shape auth_group_id_shape = IPC_SHAPE(auth_group_id, auth_group_id);
static const struct ipc_field auth_shared_request[] = {
	IPC_SECRET(struct auth_shared_request, token, LIMIT_TOKEN),
};
static const struct ipc_field auth_shared_reply[] = {
	IPC_LIST(struct auth_shared_reply, owners, owner_count, LIMIT_SHARES, &auth_owner_shape),
	IPC_LIST(struct auth_shared_reply, groups, group_count, LIMIT_GROUPS, &auth_group_id_shape),
};
static const struct ipc_field auth_share_request[] = {
	IPC_SECRET(struct auth_share_request, token, LIMIT_TOKEN),
	IPC_U64(struct auth_share_request, owner),
	IPC_ENUM(struct auth_share_request, kind, AUTH_SUBJECT_LAST),
	IPC_U64(struct auth_share_request, subject),
	IPC_BOOL(struct auth_share_request, on),
	IPC_BOOL(struct auth_share_request, admin),
};
static const struct ipc_field auth_group_request[] = {
	IPC_STR(struct auth_group_request, name, LIMIT_ADDRESS),
	IPC_STR(struct auth_group_request, member, LIMIT_ADDRESS),
};
static const struct ipc_field auth_group_list_reply[] = {
	IPC_LIST(struct auth_group_list_reply, names, name_count, LIMIT_GROUP_MEMBERS, &auth_name_shape),
};
static const struct ipc_field auth_sign_request[] = {
	IPC_STR(struct auth_sign_request, domain, LIMIT_DOMAIN),
	IPC_STR(struct auth_sign_request, names, LIMIT_DKIM_NAMES),
	IPC_STR(struct auth_sign_request, header, LIMIT_DKIM_HEADER),
	IPC_STR(struct auth_sign_request, body_hash, DKIM_HASH),
	IPC_I64(struct auth_sign_request, time_s),
};
static const struct ipc_field auth_sign_reply[] = {
	IPC_STR(struct auth_sign_reply, fields, LIMIT_PREFIX),
};
static const struct ipc_field auth_key[] = {
	IPC_STR(struct auth_key, selector, LIMIT_DKIM_SELECTOR),
	IPC_ENUM(struct auth_key, algorithm, DKIM_ALGORITHM_LAST),
	IPC_ENUM(struct auth_key, state, AUTH_KEY_STATE_LAST),
	IPC_U32(struct auth_key, bits),
	IPC_I64(struct auth_key, created_ms),
	IPC_STR(struct auth_key, record, LIMIT_DKIM_RECORD),
};
static const struct ipc_shape auth_key_shape = IPC_SHAPE(auth_key, auth_key);
static const struct ipc_field auth_key_add_request[] = {
	IPC_STR(struct auth_key_add_request, domain, LIMIT_DOMAIN),
	IPC_STR(struct auth_key_add_request, selector, LIMIT_DKIM_SELECTOR),
	IPC_ENUM(struct auth_key_add_request, algorithm, DKIM_ALGORITHM_LAST),
	IPC_U32(struct auth_key_add_request, bits),
	IPC_SECRET(struct auth_key_add_request, secret, LIMIT_DKIM_SECRET),
	IPC_BOOL(struct auth_key_add_request, activate),
};
static const struct ipc_field auth_key_list_request[] = {
	IPC_STR(struct auth_key_list_request, domain, LIMIT_DOMAIN),
};
static const struct ipc_field auth_key_list_reply[] = {
	IPC_STR(struct auth_key_list_reply, domain, LIMIT_DOMAIN),
	IPC_LIST(struct auth_key_list_reply, keys, key_count, LIMIT_DKIM_KEYS, &auth_key_shape),
};
static const struct ipc_field auth_key_change_request[] = {
	IPC_STR(struct auth_key_change_request, domain, LIMIT_DOMAIN),
	IPC_STR(struct auth_key_change_request, selector, LIMIT_DKIM_SELECTOR),
	IPC_ENUM(struct auth_key_change_request, what, AUTH_KEY_CHANGE_LAST),
};
static const struct ipc_field auth_route_request[] = {
	IPC_STR(struct auth_route_request, address, LIMIT_ADDRESS),
	IPC_STR(struct auth_route_request, from, LIMIT_ADDRESS),
	IPC_BOOL(struct auth_route_request, anyone),
};
static const struct ipc_field auth_route_step[] = {
	IPC_STR(struct auth_route_step, what, 32),
	IPC_STR(struct auth_route_step, text, LIMIT_ROUTE_TEXT),
};
static const struct ipc_shape auth_route_step_shape = IPC_SHAPE(auth_route_step, auth_route_step);
static const struct ipc_field auth_route_reply[] = {
	IPC_ENUM(struct auth_route_reply, kind, AUTH_RCPT_LAST),
	IPC_BOOL(struct auth_route_reply, refused),
	IPC_STR(struct auth_route_reply, text, LIMIT_ROUTE_TEXT),
	IPC_LIST(struct auth_route_reply, steps, step_count, LIMIT_ROUTE_STEPS, &auth_route_step_shape),
	IPC_LIST(struct auth_route_reply, targets, target_count, LIMIT_ALIAS_TARGETS, &auth_target_shape),
};

static const struct ipc_field auth_route_rule[] = {
	IPC_STR(struct auth_route_rule, to, LIMIT_ADDRESS),
	IPC_STR(struct auth_route_rule, from, LIMIT_ADDRESS),
	IPC_U32(struct auth_route_rule, given),
	IPC_STR(struct auth_route_rule, via, LIMIT_RELAY),
	HOP(struct auth_route_rule),
	IPC_STR(struct auth_route_rule, user, LIMIT_USER),
};
static const struct ipc_shape auth_route_rule_shape = IPC_SHAPE(auth_route_rule, auth_route_rule);
#define RULE(T, m, kind_macro, ...) kind_macro(struct T, rule.m, ##__VA_ARGS__)
static const struct ipc_field auth_route_change_request[] = {
	RULE(auth_route_change_request, to, IPC_STR, LIMIT_ADDRESS),
	RULE(auth_route_change_request, from, IPC_STR, LIMIT_ADDRESS),
	RULE(auth_route_change_request, given, IPC_U32),
	RULE(auth_route_change_request, via, IPC_STR, LIMIT_RELAY),
	RULE(auth_route_change_request, hop.tls, IPC_ENUM, HOP_TLS_LAST),
	RULE(auth_route_change_request, hop.source4, IPC_STR, LIMIT_IP_TEXT),
	RULE(auth_route_change_request, hop.source6, IPC_STR, LIMIT_IP_TEXT),
	RULE(auth_route_change_request, hop.helo, IPC_STR, LIMIT_DOMAIN),
	RULE(auth_route_change_request, hop.connections, IPC_U32),
	RULE(auth_route_change_request, hop.rate, IPC_U32),
	RULE(auth_route_change_request, hop.rate_s, IPC_U32),
	IPC_U32(struct auth_route_change_request, unset),
	IPC_ENUM(struct auth_route_change_request, login.kind, AUTH_LOGIN_LAST),
	IPC_STR(struct auth_route_change_request, login.user, LIMIT_USER),
	IPC_SECRET(struct auth_route_change_request, login.secret, LIMIT_BEARER),
	IPC_STR(struct auth_route_change_request, login.endpoint, LIMIT_URL),
	IPC_STR(struct auth_route_change_request, login.client, LIMIT_LOGIN_CLIENT),
	IPC_SECRET(struct auth_route_change_request, login.client_secret, LIMIT_LOGIN_CLIENT),
	IPC_STR(struct auth_route_change_request, login.scope, LIMIT_URL),
};
static const struct ipc_field auth_route_list_request[] = {
	IPC_STR(struct auth_route_list_request, after_to, LIMIT_ADDRESS),
	IPC_STR(struct auth_route_list_request, after_from, LIMIT_ADDRESS),
};
static const struct ipc_field auth_route_list_reply[] = {
	IPC_LIST(struct auth_route_list_reply, rules, rule_count, LIMIT_LIST_PAGE, &auth_route_rule_shape),
	IPC_BOOL(struct auth_route_list_reply, more),
};
static const struct ipc_field auth_hop_request[] = {
	IPC_STR(struct auth_hop_request, address, LIMIT_ADDRESS),
	IPC_STR(struct auth_hop_request, from, LIMIT_ADDRESS),
};
static const struct ipc_field auth_hop_reply[] = {
	IPC_STR(struct auth_hop_reply, relay, LIMIT_RELAY),
	HOP(struct auth_hop_reply),
};
static const struct ipc_field auth_hop_secret_request[] = {
	IPC_U64(struct auth_hop_secret_request, login),
};
static const struct ipc_field auth_login[] = {
	IPC_ENUM(struct auth_login, kind, AUTH_LOGIN_LAST),
	IPC_STR(struct auth_login, user, LIMIT_USER),
	IPC_SECRET(struct auth_login, secret, LIMIT_BEARER),
	IPC_STR(struct auth_login, endpoint, LIMIT_URL),
	IPC_STR(struct auth_login, client, LIMIT_LOGIN_CLIENT),
	IPC_SECRET(struct auth_login, client_secret, LIMIT_LOGIN_CLIENT),
	IPC_STR(struct auth_login, scope, LIMIT_URL),
};

/* ---- queue ---- */

static const struct ipc_field queue_rcpt[] = {
	IPC_STR(struct queue_rcpt, address, LIMIT_ADDRESS),
	IPC_U32(struct queue_rcpt, notify),
	IPC_STR(struct queue_rcpt, orcpt, LIMIT_ORCPT),
};
static const struct ipc_shape queue_rcpt_shape = IPC_SHAPE(queue_rcpt, queue_rcpt);
static const struct ipc_field queue_submit_request[] = {
	IPC_STR(struct queue_submit_request, txid, QUEUE_TXID),
	IPC_STR(struct queue_submit_request, from, LIMIT_ADDRESS),
	IPC_LIST(struct queue_submit_request, rcpts, rcpt_count, LIMIT_RCPTS, &queue_rcpt_shape),
	IPC_U32(struct queue_submit_request, flags),
	IPC_STR(struct queue_submit_request, session, LIMIT_SESSION_ID),
	IPC_STR(struct queue_submit_request, peer, LIMIT_IP_TEXT),
	IPC_U64(struct queue_submit_request, account),
	IPC_SECRET(struct queue_submit_request, token, LIMIT_TOKEN),
	IPC_I64(struct queue_submit_request, received_ms),
	IPC_U64(struct queue_submit_request, size),
	IPC_STR(struct queue_submit_request, content, LIMIT_INLINE),
	IPC_FD(struct queue_submit_request, spool),
	IPC_STR(struct queue_submit_request, envid, LIMIT_ENVID),
	IPC_I64(struct queue_submit_request, hold_until_ms),
	IPC_I64(struct queue_submit_request, deliver_by_ms),
	IPC_I64(struct queue_submit_request, priority),
};
static const struct ipc_field queue_submit_reply[] = {
	IPC_ENUM(struct queue_submit_reply, result, QUEUE_SUBMIT_LAST),
	IPC_U64(struct queue_submit_reply, id),
};
static const struct ipc_field queue_known_request[] = {
	IPC_STR(struct queue_known_request, txid, QUEUE_TXID),
};
static const struct ipc_field queue_known_reply[] = {
	IPC_BOOL(struct queue_known_reply, known),
	IPC_U64(struct queue_known_reply, id),
};
static const struct ipc_field queue_spool_reply[] = {
	IPC_FD(struct queue_spool_reply, spool),
};
static const struct ipc_field queue_entry[] = {
	IPC_U64(struct queue_entry, id),
	IPC_ENUM(struct queue_entry, state, QUEUE_STATE_LAST),
	IPC_STR(struct queue_entry, from, LIMIT_ADDRESS),
	IPC_U64(struct queue_entry, size),
	IPC_U64(struct queue_entry, rcpts_left),
	IPC_I64(struct queue_entry, received_ms),
	IPC_I64(struct queue_entry, next_ms),
	IPC_STR(struct queue_entry, reason, LIMIT_REASON),
};
static const struct ipc_shape queue_entry_shape = IPC_SHAPE(queue_entry, queue_entry);
static const struct ipc_field queue_list_request[] = {
	IPC_U64(struct queue_list_request, after),
	IPC_STR(struct queue_list_request, to, LIMIT_ADDRESS),
	IPC_STR(struct queue_list_request, from, LIMIT_ADDRESS),
	IPC_STR(struct queue_list_request, reason, LIMIT_REASON),
	IPC_STR(struct queue_list_request, site, LIMIT_SITE_NAME),
	IPC_I64(struct queue_list_request, before_ms),
};
static const struct ipc_field queue_list_reply[] = {
	IPC_LIST(struct queue_list_reply, entries, entry_count, LIMIT_LIST_PAGE, &queue_entry_shape),
	IPC_BOOL(struct queue_list_reply, more),
};
static const struct ipc_field queue_show_rcpt[] = {
	IPC_STR(struct queue_show_rcpt, address, LIMIT_ADDRESS),
	IPC_STR(struct queue_show_rcpt, target, LIMIT_ADDRESS),
	IPC_ENUM(struct queue_show_rcpt, state, QUEUE_RCPT_STATE_LAST),
	IPC_U32(struct queue_show_rcpt, attempts),
	IPC_I64(struct queue_show_rcpt, last_ms),
	IPC_I64(struct queue_show_rcpt, next_ms),
	IPC_STR(struct queue_show_rcpt, answer, LIMIT_REASON),
	IPC_STR(struct queue_show_rcpt, orcpt, LIMIT_ORCPT),
	IPC_U32(struct queue_show_rcpt, notify),
	IPC_STR(struct queue_show_rcpt, site, LIMIT_SITE_NAME),
	IPC_STR(struct queue_show_rcpt, why, LIMIT_REPLY_TEXT),
	IPC_BOOL(struct queue_show_rcpt, site_known),
	IPC_ENUM(struct queue_show_rcpt, site_state, QUEUE_SITE_KIND_LAST),
	IPC_U32(struct queue_show_rcpt, site_now),
	IPC_U32(struct queue_show_rcpt, site_limit),
	IPC_U32(struct queue_show_rcpt, site_waiting),
	IPC_I64(struct queue_show_rcpt, site_since_ms),
	IPC_I64(struct queue_show_rcpt, site_until_ms),
	IPC_I64(struct queue_show_rcpt, site_next_ms),
};
static const struct ipc_shape queue_show_rcpt_shape = IPC_SHAPE(queue_show_rcpt, queue_show_rcpt);
/* The entry inside: its fields stand here again, at their offsets in the outer struct. */
#define ENTRY(T, m, kind_macro, ...) kind_macro(struct T, entry.m, ##__VA_ARGS__)
static const struct ipc_field queue_show_reply[] = {
	ENTRY(queue_show_reply, id, IPC_U64),
	ENTRY(queue_show_reply, state, IPC_ENUM, QUEUE_STATE_LAST),
	ENTRY(queue_show_reply, from, IPC_STR, LIMIT_ADDRESS),
	ENTRY(queue_show_reply, size, IPC_U64),
	ENTRY(queue_show_reply, rcpts_left, IPC_U64),
	ENTRY(queue_show_reply, received_ms, IPC_I64),
	ENTRY(queue_show_reply, next_ms, IPC_I64),
	ENTRY(queue_show_reply, reason, IPC_STR, LIMIT_REASON),
	IPC_LIST(struct queue_show_reply, rcpts, rcpt_count, LIMIT_RCPTS, &queue_show_rcpt_shape),
	IPC_STR(struct queue_show_reply, session, LIMIT_SESSION_ID),
	IPC_STR(struct queue_show_reply, peer, LIMIT_IP_TEXT),
	IPC_STR(struct queue_show_reply, envid, LIMIT_ENVID),
	IPC_U32(struct queue_show_reply, flags),
	IPC_I64(struct queue_show_reply, priority),
	IPC_I64(struct queue_show_reply, begins_ms),
	IPC_I64(struct queue_show_reply, deliver_by_ms),
	IPC_BOOL(struct queue_show_reply, more),
	IPC_I64(struct queue_show_reply, expires_ms),
	IPC_U32(struct queue_show_reply, attempts),
	IPC_U32(struct queue_show_reply, stalls),
	IPC_U32(struct queue_show_reply, crashes),
};
static const struct ipc_field queue_shape_request[] = {
	IPC_U64(struct queue_shape_request, after),
};
#define AGE(n) IPC_U64(struct queue_shape_row, ages##n)
static const struct ipc_field queue_shape_row[] = {
	IPC_STR(struct queue_shape_row, site, LIMIT_SITE_NAME), AGE(0), AGE(1), AGE(2), AGE(3), AGE(4), AGE(5), AGE(6), AGE(7), AGE(8), AGE(9),
};
#undef AGE
static const struct ipc_shape queue_shape_row_shape = IPC_SHAPE(queue_shape_row, queue_shape_row);
static const struct ipc_field queue_shape_reply[] = {
	IPC_LIST(struct queue_shape_reply, rows, row_count, LIMIT_LIST_PAGE, &queue_shape_row_shape),
	IPC_U64(struct queue_shape_reply, after),
	IPC_BOOL(struct queue_shape_reply, more),
};
static const struct ipc_field queue_id_request[] = {
	IPC_U64(struct queue_id_request, id),
	IPC_STR(struct queue_id_request, to, LIMIT_ADDRESS),
	IPC_STR(struct queue_id_request, from, LIMIT_ADDRESS),
};
static const struct ipc_field queue_count_reply[] = {
	IPC_U64(struct queue_count_reply, count),
};
static const struct ipc_field queue_edit_address[] = {
	IPC_STR(struct queue_edit_address, text, LIMIT_ADDRESS),
};
static const struct ipc_shape queue_edit_address_shape = IPC_SHAPE(queue_edit_address, queue_edit_address);
static const struct ipc_field queue_edit_request[] = {
	IPC_U64(struct queue_edit_request, id),
	IPC_STR(struct queue_edit_request, to, LIMIT_ADDRESS),
	IPC_STR(struct queue_edit_request, from, LIMIT_ADDRESS),
	IPC_LIST(struct queue_edit_request, remove, remove_count, LIMIT_QUEUE_EDITS, &queue_edit_address_shape),
	IPC_LIST(struct queue_edit_request, add, add_count, LIMIT_QUEUE_EDITS, &queue_edit_address_shape),
	IPC_BOOL(struct queue_edit_request, sender_given),
	IPC_STR(struct queue_edit_request, sender, LIMIT_ADDRESS),
};
static const struct ipc_field queue_edit_busy[] = {
	IPC_U64(struct queue_edit_busy, id),
};
static const struct ipc_shape queue_edit_busy_shape = IPC_SHAPE(queue_edit_busy, queue_edit_busy);
static const struct ipc_field queue_edit_reply[] = {
	IPC_U64(struct queue_edit_reply, count),
	IPC_U64(struct queue_edit_reply, busy),
	IPC_U64(struct queue_edit_reply, reports),
	IPC_U64(struct queue_edit_reply, recipients),
	IPC_LIST(struct queue_edit_reply, busy_ids, busy_id_count, LIMIT_QUEUE_BUSY, &queue_edit_busy_shape),
	IPC_ENUM(struct queue_edit_reply, wrong, QUEUE_EDIT_WRONG_LAST),
};
static const struct ipc_field queue_sites_request[] = {
	IPC_STR(struct queue_sites_request, after, LIMIT_SITE_NAME),
	IPC_STR(struct queue_sites_request, name, LIMIT_SITE_NAME),
	IPC_BOOL(struct queue_sites_request, retry),
};
static const struct ipc_field queue_site_row[] = {
	IPC_STR(struct queue_site_row, name, LIMIT_SITE_NAME),
	IPC_STR(struct queue_site_row, last_answer, LIMIT_REASON),
	IPC_ENUM(struct queue_site_row, state, QUEUE_SITE_KIND_LAST),
	IPC_U32(struct queue_site_row, now),
	IPC_U32(struct queue_site_row, limit),
	IPC_U32(struct queue_site_row, ceiling),
	IPC_U32(struct queue_site_row, waiting),
	IPC_U32(struct queue_site_row, rate),
	IPC_U32(struct queue_site_row, rate_s),
	IPC_U64(struct queue_site_row, delivered),
	IPC_U64(struct queue_site_row, deferred),
	IPC_U64(struct queue_site_row, refused),
	IPC_I64(struct queue_site_row, since_ms),
	IPC_I64(struct queue_site_row, until_ms),
	IPC_I64(struct queue_site_row, last_ms),
	IPC_I64(struct queue_site_row, next_ms),
};
static const struct ipc_shape queue_site_row_shape = IPC_SHAPE(queue_site_row, queue_site_row);
static const struct ipc_field queue_sites_reply[] = {
	IPC_LIST(struct queue_sites_reply, sites, site_count, LIMIT_LIST_PAGE, &queue_site_row_shape),
	IPC_BOOL(struct queue_sites_reply, more),
	IPC_U64(struct queue_sites_reply, due),
};
static const struct ipc_field queue_stats_reply[] = {
	IPC_U64(struct queue_stats_reply, messages),  IPC_U64(struct queue_stats_reply, held),
	IPC_U64(struct queue_stats_reply, in_flight), IPC_U64(struct queue_stats_reply, submitted),
	IPC_U64(struct queue_stats_reply, delivered), IPC_U64(struct queue_stats_reply, bounced),
	IPC_BOOL(struct queue_stats_reply, full),     IPC_BOOL(struct queue_stats_reply, suspect),
};
static const struct ipc_field queue_flush_request[] = {
	IPC_STR(struct queue_flush_request, domain, LIMIT_DOMAIN),
};
static const struct ipc_field queue_purge_request[] = {
	IPC_U64(struct queue_purge_request, account),
};

/* ---- local, remote ---- */

static const struct ipc_field local_deliver_request[] = {
	IPC_U64(struct local_deliver_request, delivery),
	IPC_U64(struct local_deliver_request, floor),
	IPC_U64(struct local_deliver_request, message),
	IPC_U64(struct local_deliver_request, account),
	IPC_STR(struct local_deliver_request, address, LIMIT_ADDRESS),
	IPC_STR(struct local_deliver_request, mailbox, LIMIT_MAILBOX_NAME),
	IPC_STR(struct local_deliver_request, from, LIMIT_ADDRESS),
	IPC_STR(struct local_deliver_request, rcpt, LIMIT_ADDRESS),
	IPC_I64(struct local_deliver_request, received_ms),
	IPC_U64(struct local_deliver_request, size),
	IPC_STR(struct local_deliver_request, hash, LOCAL_HASH),
	IPC_STR(struct local_deliver_request, content, LIMIT_INLINE),
	IPC_FD(struct local_deliver_request, file),
	IPC_BOOL(struct local_deliver_request, alone),
	IPC_U64(struct local_deliver_request, quota_octets),
	IPC_U64(struct local_deliver_request, quota_messages),
	IPC_BOOL(struct local_deliver_request, quota_shared),
};
static const struct ipc_field local_deliver_reply[] = {
	IPC_ENUM(struct local_deliver_reply, result, LOCAL_RESULT_LAST),
	IPC_STR(struct local_deliver_reply, code, LIMIT_CODE),
	IPC_STR(struct local_deliver_reply, reason, LIMIT_REASON),
	IPC_U64(struct local_deliver_reply, usage_octets),
	IPC_U64(struct local_deliver_reply, usage_messages),
};
static const struct ipc_field local_usage_request[] = {
	IPC_U64(struct local_usage_request, account),
};
static const struct ipc_field local_usage_reply[] = {
	IPC_U64(struct local_usage_reply, octets),
	IPC_U64(struct local_usage_reply, messages),
};
static const struct ipc_field local_purge_request[] = {
	IPC_U64(struct local_purge_request, account),
};
static const struct ipc_field local_undelete_request[] = {
	IPC_U64(struct local_undelete_request, account),
	IPC_STR(struct local_undelete_request, mailbox, LIMIT_MAILBOX_NAME),
	IPC_STR(struct local_undelete_request, into, LIMIT_MAILBOX_NAME),
	IPC_I64(struct local_undelete_request, since_ms),
	IPC_I64(struct local_undelete_request, until_ms),
	IPC_BOOL(struct local_undelete_request, list),
};
static const struct ipc_field local_undeleted[] = {
	IPC_STR(struct local_undeleted, mailbox, LIMIT_MAILBOX_NAME),
	IPC_U32(struct local_undeleted, uid),
	IPC_U32(struct local_undeleted, new_uid),
	IPC_I64(struct local_undeleted, gone_ms),
	IPC_U64(struct local_undeleted, size),
	IPC_STR(struct local_undeleted, from, LIMIT_UNDELETED_TEXT),
	IPC_STR(struct local_undeleted, subject, LIMIT_UNDELETED_TEXT),
};
static const struct ipc_shape local_undeleted_shape = IPC_SHAPE(local_undeleted, local_undeleted);
static const struct ipc_field local_undelete_reply[] = {
	IPC_LIST(struct local_undelete_reply, rows, row_count, LIMIT_LIST_PAGE, &local_undeleted_shape),
	IPC_U64(struct local_undelete_reply, count),
	IPC_U64(struct local_undelete_reply, size),
	IPC_U64(struct local_undelete_reply, nameless),
};
static const struct ipc_field local_fsck_request[] = {
	IPC_U64(struct local_fsck_request, account),
	IPC_BOOL(struct local_fsck_request, repair),
	IPC_BOOL(struct local_fsck_request, salvage),
};
static const struct ipc_field local_finding[] = {
	IPC_U32(struct local_finding, kind),
	IPC_STR(struct local_finding, invariant, LIMIT_INVARIANT),
	IPC_STR(struct local_finding, text, LIMIT_FINDING),
};
static const struct ipc_shape local_finding_shape = IPC_SHAPE(local_finding, local_finding);
static const struct ipc_field local_fsck_reply[] = {
	IPC_LIST(struct local_fsck_reply, findings, finding_count, LIMIT_LIST_PAGE, &local_finding_shape),
	IPC_BOOL(struct local_fsck_reply, more),
	IPC_BOOL(struct local_fsck_reply, empty),
	IPC_U64(struct local_fsck_reply, broken),
	IPC_U64(struct local_fsck_reply, fixed),
	IPC_U64(struct local_fsck_reply, moved),
	IPC_U64(struct local_fsck_reply, lost),
	IPC_U64(struct local_fsck_reply, left),
	IPC_BOOL(struct local_fsck_reply, salvaged),
	IPC_U64(struct local_fsck_reply, kept),
	IPC_U64(struct local_fsck_reply, aside),
};
static const struct ipc_field remote_rcpt[] = {
	IPC_U32(struct remote_rcpt, index),
	IPC_STR(struct remote_rcpt, address, LIMIT_ADDRESS),
	IPC_U32(struct remote_rcpt, notify),
	IPC_STR(struct remote_rcpt, orcpt, LIMIT_ORCPT),
};
static const struct ipc_shape remote_rcpt_shape = IPC_SHAPE(remote_rcpt, remote_rcpt);
static const struct ipc_field remote_deliver_request[] = {
	IPC_U64(struct remote_deliver_request, message),
	IPC_STR(struct remote_deliver_request, domain, LIMIT_DOMAIN),
	IPC_STR(struct remote_deliver_request, relay, LIMIT_RELAY),
	HOP(struct remote_deliver_request),
	IPC_STR(struct remote_deliver_request, from, LIMIT_ADDRESS),
	IPC_LIST(struct remote_deliver_request, rcpts, rcpt_count, LIMIT_RCPTS, &remote_rcpt_shape),
	IPC_U32(struct remote_deliver_request, flags),
	IPC_U64(struct remote_deliver_request, size),
	IPC_STR(struct remote_deliver_request, content, LIMIT_INLINE),
	IPC_FD(struct remote_deliver_request, file),
	IPC_STR(struct remote_deliver_request, prefix, LIMIT_PREFIX),
	IPC_STR(struct remote_deliver_request, envid, LIMIT_ENVID),
	IPC_I64(struct remote_deliver_request, priority),
	IPC_BOOL(struct remote_deliver_request, by),
	IPC_I64(struct remote_deliver_request, by_s),
};
static const struct ipc_field remote_rcpt_result[] = {
	IPC_U32(struct remote_rcpt_result, index),
	IPC_ENUM(struct remote_rcpt_result, result, REMOTE_RESULT_LAST),
	IPC_STR(struct remote_rcpt_result, code, LIMIT_CODE),
	IPC_STR(struct remote_rcpt_result, answer, LIMIT_REASON),
	IPC_STR(struct remote_rcpt_result, host, LIMIT_DOMAIN + LIMIT_IP_TEXT + 16),
	IPC_STR(struct remote_rcpt_result, tls, 100),
	IPC_U32(struct remote_rcpt_result, passed),
};
static const struct ipc_shape remote_rcpt_result_shape = IPC_SHAPE(remote_rcpt_result, remote_rcpt_result);
static const struct ipc_field remote_deliver_reply[] = {
	IPC_LIST(struct remote_deliver_reply, results, result_count, LIMIT_RCPTS, &remote_rcpt_result_shape),
	IPC_ENUM(struct remote_deliver_reply, site, REMOTE_SITE_LAST),
	IPC_STR(struct remote_deliver_reply, tried, LIMIT_REMOTE_TRIED),
};

static const struct ipc_field pipe_rcpt[] = {
	IPC_U32(struct pipe_rcpt, index),
	IPC_STR(struct pipe_rcpt, address, LIMIT_ADDRESS),
	IPC_STR(struct pipe_rcpt, original, LIMIT_ORCPT),
};
static const struct ipc_shape pipe_rcpt_shape = IPC_SHAPE(pipe_rcpt, pipe_rcpt);
static const struct ipc_field pipe_deliver_request[] = {
	IPC_STR(struct pipe_deliver_request, id, LIMIT_SESSION_ID),
	IPC_STR(struct pipe_deliver_request, name, LIMIT_PIPE_NAME),
	IPC_STR(struct pipe_deliver_request, nexthop, LIMIT_DOMAIN),
	IPC_STR(struct pipe_deliver_request, from, LIMIT_ADDRESS),
	IPC_LIST(struct pipe_deliver_request, rcpts, rcpt_count, LIMIT_PIPE_RCPTS, &pipe_rcpt_shape),
	IPC_STR(struct pipe_deliver_request, peer, LIMIT_IP_TEXT),
	IPC_U64(struct pipe_deliver_request, size),
	IPC_STR(struct pipe_deliver_request, content, LIMIT_INLINE),
	IPC_FD(struct pipe_deliver_request, file),
};

static const struct ipc_field remote_probe_request[] = {
	IPC_STR(struct remote_probe_request, address, LIMIT_ADDRESS),
};
static const struct ipc_field remote_probe_reply[] = {
	IPC_ENUM(struct remote_probe_reply, result, REMOTE_PROBE_LAST),
	IPC_STR(struct remote_probe_reply, answer, LIMIT_REASON),
};
static const struct ipc_field remote_connect_request[] = {
	IPC_ENUM(struct remote_connect_request, purpose, REMOTE_CONNECT_LAST),
	IPC_U32(struct remote_connect_request, index),
	IPC_U64(struct remote_connect_request, check),
};
static const struct ipc_field remote_connect_reply[] = {
	IPC_FD(struct remote_connect_reply, fd),
};

/* ---- dns, control ---- */

static const struct ipc_field dns_lookup_request[] = {
	IPC_STR(struct dns_lookup_request, name, LIMIT_DOMAIN + 1),
	IPC_ENUM(struct dns_lookup_request, type, DNS_TYPE_LAST),
};
static const struct ipc_field dns_record[] = {
	IPC_U32(struct dns_record, preference),
	IPC_STR(struct dns_record, data, LIMIT_DNS_DATA),
};
static const struct ipc_shape dns_record_shape = IPC_SHAPE(dns_record, dns_record);
static const struct ipc_field dns_lookup_reply[] = {
	IPC_ENUM(struct dns_lookup_reply, rcode, DNS_RCODE_LAST),
	IPC_ENUM(struct dns_lookup_reply, security, DNS_SECURITY_LAST),
	IPC_U32(struct dns_lookup_reply, ttl_s),
	IPC_LIST(struct dns_lookup_reply, records, record_count, LIMIT_DNS_RECORDS, &dns_record_shape),
	IPC_STR(struct dns_lookup_reply, canonical, LIMIT_DOMAIN),
};
static const struct ipc_field control_process[] = {
	IPC_STR(struct control_process, role, 32),
	IPC_U32(struct control_process, instance),
	IPC_U32(struct control_process, pid),
	IPC_U32(struct control_process, restarts),
	IPC_BOOL(struct control_process, ready),
	IPC_I64(struct control_process, started_ms),
};
static const struct ipc_shape control_process_shape = IPC_SHAPE(control_process, control_process);
static const struct ipc_field control_status_reply[] = {
	IPC_STR(struct control_status_reply, version, 64),
	IPC_STR(struct control_status_reply, hostname, LIMIT_DOMAIN),
	IPC_I64(struct control_status_reply, started_ms),
	IPC_LIST(struct control_status_reply, processes, process_count, ROLE_COUNT * ROLE_INSTANCES_MAX,
		 &control_process_shape),
};
static const struct ipc_field control_sample[] = {
	IPC_U32(struct control_sample, role),
	IPC_U32(struct control_sample, instance),
	IPC_U32(struct control_sample, metric),
	IPC_U64(struct control_sample, value),
};
static const struct ipc_shape control_sample_shape = IPC_SHAPE(control_sample, control_sample);
static const struct ipc_field control_metrics_reply[] = {
	IPC_LIST(struct control_metrics_reply, samples, sample_count, CONTROL_SAMPLES_MAX, &control_sample_shape),
};

/* ---- trace ---- */

static const struct ipc_field trace_event[] = {
	IPC_I64(struct trace_event, at_ms),
	IPC_ENUM(struct trace_event, what, TRACE_LAST),
	IPC_U64(struct trace_event, message),
	IPC_STR(struct trace_event, session, LIMIT_SESSION_ID),
	IPC_STR(struct trace_event, peer, LIMIT_IP_TEXT),
	IPC_STR(struct trace_event, from, LIMIT_ADDRESS),
	IPC_STR(struct trace_event, to, LIMIT_ADDRESS),
	IPC_U32(struct trace_event, code),
	IPC_U64(struct trace_event, octets),
	IPC_STR(struct trace_event, text, LIMIT_TRACE_TEXT),
};
static const struct ipc_shape trace_event_shape = IPC_SHAPE(trace_event, trace_event);
static const struct ipc_field trace_key[] = {
	IPC_ENUM(struct trace_key, kind, TRACE_KEY_LAST),
	IPC_U64(struct trace_key, message),
	IPC_STR(struct trace_key, text, LIMIT_ADDRESS),
};
static const struct ipc_shape trace_key_shape = IPC_SHAPE(trace_key, trace_key);
static const struct ipc_field trace_find_request[] = {
	IPC_LIST(struct trace_find_request, keys, key_count, LIMIT_TRACE_KEYS, &trace_key_shape),
	IPC_I64(struct trace_find_request, since_ms),
	IPC_U64(struct trace_find_request, segment),
	IPC_U64(struct trace_find_request, offset),
};
static const struct ipc_field trace_find_reply[] = {
	IPC_LIST(struct trace_find_reply, events, event_count, LIMIT_LIST_PAGE, &trace_event_shape),
	IPC_BOOL(struct trace_find_reply, more),
	IPC_U64(struct trace_find_reply, segment),
	IPC_U64(struct trace_find_reply, offset),
};
static const struct ipc_field control_submit_open_reply[] = {
	IPC_STR(struct control_submit_open_reply, hostname, LIMIT_DOMAIN),
	IPC_STR(struct control_submit_open_reply, domain, LIMIT_DOMAIN),
	IPC_U64(struct control_submit_open_reply, message_octets),
};
static const struct ipc_field control_submit_begin_request[] = {
	IPC_STR(struct control_submit_begin_request, from, LIMIT_ADDRESS),
	IPC_STR(struct control_submit_begin_request, login, LIMIT_LOCAL_PART),
	IPC_LIST(struct control_submit_begin_request, rcpts, rcpt_count, LIMIT_RCPTS, &queue_rcpt_shape),
	IPC_STR(struct control_submit_begin_request, envid, LIMIT_ENVID),
	IPC_BOOL(struct control_submit_begin_request, ret_hdrs),
	IPC_BOOL(struct control_submit_begin_request, ret_full),
};
static const struct ipc_field control_submit_refused[] = {
	IPC_U32(struct control_submit_refused, index),
	IPC_STR(struct control_submit_refused, text, LIMIT_REPLY_TEXT),
};
static const struct ipc_shape control_submit_refused_shape = IPC_SHAPE(control_submit_refused, control_submit_refused);
static const struct ipc_field control_submit_begin_reply[] = {
	IPC_U32(struct control_submit_begin_reply, code),
	IPC_STR(struct control_submit_begin_reply, text, LIMIT_REPLY_TEXT),
	IPC_LIST(struct control_submit_begin_reply, refused, refused_count, LIMIT_RCPTS, &control_submit_refused_shape),
};
static const struct ipc_field control_submit_data_request[] = {
	IPC_STR(struct control_submit_data_request, octets, CONTROL_SUBMIT_CHUNK),
};
static const struct ipc_field control_submit_end_reply[] = {
	IPC_U32(struct control_submit_end_reply, code),
	IPC_STR(struct control_submit_end_reply, text, LIMIT_REPLY_TEXT),
	IPC_U64(struct control_submit_end_reply, id),
};

/* ---- guard ---- */

static const struct ipc_field guard_connect_request[] = {
	IPC_STR(struct guard_connect_request, peer, LIMIT_IP_TEXT),
	IPC_STR(struct guard_connect_request, session, LIMIT_SESSION_ID),
	IPC_ENUM(struct guard_connect_request, listener, GUARD_LISTENER_LAST),
	IPC_BOOL(struct guard_connect_request, exempt),
};
static const struct ipc_field guard_connect_reply[] = {
	IPC_ENUM(struct guard_connect_reply, verdict, GUARD_VERDICT_LAST),
	IPC_U32(struct guard_connect_reply, pause_ms),
	IPC_U32(struct guard_connect_reply, code),
	IPC_STR(struct guard_connect_reply, enhanced, LIMIT_CODE),
	IPC_STR(struct guard_connect_reply, text, LIMIT_REPLY_TEXT),
	IPC_STR(struct guard_connect_reply, reason, LIMIT_WORD),
};
static const struct ipc_field guard_note_request[] = {
	IPC_STR(struct guard_note_request, peer, LIMIT_IP_TEXT),
	IPC_U64(struct guard_note_request, account),
	IPC_U64(struct guard_note_request, octets),
	IPC_U32(struct guard_note_request, messages),
	IPC_U32(struct guard_note_request, refused),
	IPC_U32(struct guard_note_request, errors),
	IPC_BOOL(struct guard_note_request, early),
	IPC_BOOL(struct guard_note_request, exempt),
};
static const struct ipc_field guard_list_request[] = {
	IPC_U64(struct guard_list_request, after),
};
static const struct ipc_field guard_ban_row[] = {
	IPC_U64(struct guard_ban_row, place),
	IPC_STR(struct guard_ban_row, where, LIMIT_IP_TEXT),
	IPC_STR(struct guard_ban_row, reason, LIMIT_GUARD_REASON),
	IPC_I64(struct guard_ban_row, since_ms),
	IPC_I64(struct guard_ban_row, until_ms),
	IPC_U32(struct guard_ban_row, count),
	IPC_BOOL(struct guard_ban_row, manual),
};
static const struct ipc_shape guard_ban_row_shape = IPC_SHAPE(guard_ban_row, guard_ban_row);
static const struct ipc_field guard_alarm_row[] = {
	IPC_U64(struct guard_alarm_row, account),
	IPC_STR(struct guard_alarm_row, from, LIMIT_ADDRESS),
	IPC_STR(struct guard_alarm_row, reason, LIMIT_WORD),
	IPC_I64(struct guard_alarm_row, when_ms),
};
static const struct ipc_shape guard_alarm_row_shape = IPC_SHAPE(guard_alarm_row, guard_alarm_row);
static const struct ipc_field guard_list_reply[] = {
	IPC_LIST(struct guard_list_reply, bans, ban_count, LIMIT_LIST_PAGE, &guard_ban_row_shape),
	IPC_BOOL(struct guard_list_reply, more),
	IPC_LIST(struct guard_list_reply, alarms, alarm_count, LIMIT_LIST_PAGE, &guard_alarm_row_shape),
};
static const struct ipc_field guard_why_request[] = {
	IPC_STR(struct guard_why_request, address, LIMIT_IP_TEXT),
};
static const struct ipc_field guard_fact[] = {
	IPC_STR(struct guard_fact, name, LIMIT_WORD),
	IPC_STR(struct guard_fact, value, LIMIT_GUARD_FACT),
};
static const struct ipc_shape guard_fact_shape = IPC_SHAPE(guard_fact, guard_fact);
static const struct ipc_field guard_why_reply[] = {
	IPC_LIST(struct guard_why_reply, facts, fact_count, LIMIT_GUARD_FACTS, &guard_fact_shape),
};
static const struct ipc_field guard_lift_request[] = {
	IPC_STR(struct guard_lift_request, where, LIMIT_IP_TEXT),
};
static const struct ipc_field guard_lift_reply[] = {
	IPC_U64(struct guard_lift_reply, count),
};
static const struct ipc_field guard_add_request[] = {
	IPC_STR(struct guard_add_request, where, LIMIT_IP_TEXT),
	IPC_STR(struct guard_add_request, reason, LIMIT_GUARD_REASON),
	IPC_U64(struct guard_add_request, seconds),
};
static const struct ipc_field guard_add_reply[] = {
	IPC_STR(struct guard_add_reply, exempt, LIMIT_WORD),
	IPC_I64(struct guard_add_reply, until_ms),
};

/* ---- trust ---- */

static const struct ipc_field auth_sts_get_request[] = {
	IPC_STR(struct auth_sts_get_request, domain, LIMIT_DOMAIN),
};
static const struct ipc_field auth_sts[] = {
	IPC_STR(struct auth_sts, domain, LIMIT_DOMAIN),
	IPC_STR(struct auth_sts, id, LIMIT_STS_ID),
	IPC_STR(struct auth_sts, policy, LIMIT_STS_POLICY),
	IPC_I64(struct auth_sts, fetched_ms),
};
#define TLSRPT_FAILURE(T, at)                                                                                          \
	IPC_ENUM(T, at result, TLSRPT_RESULT_LAST), IPC_U64(T, at count), IPC_STR(T, at sending_ip, LIMIT_IP_TEXT),    \
	IPC_STR(T, at mx_host, LIMIT_DOMAIN), IPC_STR(T, at mx_helo, LIMIT_DOMAIN),                                    \
	IPC_STR(T, at receiving_ip, LIMIT_IP_TEXT), IPC_STR(T, at reason, LIMIT_TLSRPT_REASON)
static const struct ipc_field tlsrpt_row[] = {
	IPC_U32(struct tlsrpt_row, day),
	IPC_STR(struct tlsrpt_row, domain, LIMIT_DOMAIN),
	IPC_ENUM(struct tlsrpt_row, policy, TLSRPT_POLICY_LAST),
	IPC_STR(struct tlsrpt_row, policy_text, LIMIT_TLSRPT_POLICY),
	TLSRPT_FAILURE(struct tlsrpt_row, f.),
};
static const struct ipc_shape tlsrpt_row_shape = IPC_SHAPE(tlsrpt_row, tlsrpt_row);
static const struct ipc_field auth_tlsrpt_note_request[] = {
	IPC_LIST(struct auth_tlsrpt_note_request, rows, row_count, LIMIT_TLSRPT_ROWS, &tlsrpt_row_shape),
};
static const struct ipc_field auth_tlsrpt_list_request[] = {
	IPC_U32(struct auth_tlsrpt_list_request, day),
	IPC_STR(struct auth_tlsrpt_list_request, after, LIMIT_DOMAIN),
};
static const struct ipc_field tlsrpt_domain[] = {
	IPC_STR(struct tlsrpt_domain, domain, LIMIT_DOMAIN),
	IPC_U64(struct tlsrpt_domain, successes),
	IPC_U64(struct tlsrpt_domain, failures),
};
static const struct ipc_shape tlsrpt_domain_shape = IPC_SHAPE(tlsrpt_domain, tlsrpt_domain);
static const struct ipc_field auth_tlsrpt_list_reply[] = {
	IPC_LIST(struct auth_tlsrpt_list_reply, domains, domain_count, LIMIT_LIST_PAGE, &tlsrpt_domain_shape),
	IPC_BOOL(struct auth_tlsrpt_list_reply, more),
};
static const struct ipc_field auth_tlsrpt_show_request[] = {
	IPC_U32(struct auth_tlsrpt_show_request, day),
	IPC_STR(struct auth_tlsrpt_show_request, domain, LIMIT_DOMAIN),
};
static const struct ipc_field tlsrpt_failure[] = { TLSRPT_FAILURE(struct tlsrpt_failure, ) };
static const struct ipc_shape tlsrpt_failure_shape = IPC_SHAPE(tlsrpt_failure, tlsrpt_failure);
static const struct ipc_field tlsrpt_report[] = {
	IPC_ENUM(struct tlsrpt_report, policy, TLSRPT_POLICY_LAST),
	IPC_STR(struct tlsrpt_report, policy_text, LIMIT_TLSRPT_POLICY),
	IPC_U64(struct tlsrpt_report, successes),
	IPC_U64(struct tlsrpt_report, failures_total),
	IPC_LIST(struct tlsrpt_report, failures, failure_count, LIMIT_TLSRPT_FAILURES + TLSRPT_RESULT_LAST, &tlsrpt_failure_shape),
};
static const struct ipc_shape tlsrpt_report_shape = IPC_SHAPE(tlsrpt_report, tlsrpt_report);
static const struct ipc_field auth_tlsrpt_show_reply[] = {
	IPC_LIST(struct auth_tlsrpt_show_reply, policies, policy_count, LIMIT_TLSRPT_POLICIES + TLSRPT_POLICY_LAST + 1, &tlsrpt_report_shape),
};

/* ---- the table ---- */

/* ---- keeper ---- */

#define LIMIT_KEPT_NAME ((size_t)100) /* the longest is content/ and a hash */

static const struct ipc_field keeper_open_request[] = {
	IPC_SECRET(struct keeper_open_request, token, LIMIT_TOKEN),
	IPC_STR(struct keeper_open_request, name, LIMIT_KEPT_NAME),
	IPC_ENUM(struct keeper_open_request, mode, KEEPER_OPEN_LAST),
};
static const struct ipc_field keeper_open_reply[] = { IPC_FD(struct keeper_open_reply, fd) };
static const struct ipc_field keeper_look_request[] = {
	IPC_SECRET(struct keeper_look_request, token, LIMIT_TOKEN),
	IPC_STR(struct keeper_look_request, name, LIMIT_KEPT_NAME),
};
static const struct ipc_field keeper_look_reply[] = {
	IPC_U64(struct keeper_look_reply, device),
	IPC_U64(struct keeper_look_reply, inode),
	IPC_U64(struct keeper_look_reply, size),
	IPC_BOOL(struct keeper_look_reply, directory),
};
static const struct ipc_field keeper_set_request[] = { IPC_SECRET(struct keeper_set_request, token, LIMIT_TOKEN) };
static const struct ipc_field keeper_set_reply[] = {
	IPC_FD(struct keeper_set_reply, db),
	IPC_FD(struct keeper_set_reply, wal),
	IPC_FD(struct keeper_set_reply, shm),
	IPC_BOOL(struct keeper_set_reply, suspect),
	IPC_BOOL(struct keeper_set_reply, journal),
};
static const struct ipc_field keeper_change_request[] = {
	IPC_SECRET(struct keeper_change_request, token, LIMIT_TOKEN),
	IPC_STR(struct keeper_change_request, name, LIMIT_KEPT_NAME),
	IPC_STR(struct keeper_change_request, to, LIMIT_KEPT_NAME),
	IPC_ENUM(struct keeper_change_request, what, KEEPER_CHANGE_LAST),
};
static const struct ipc_field keeper_list_request[] = {
	IPC_SECRET(struct keeper_list_request, token, LIMIT_TOKEN),
	IPC_STR(struct keeper_list_request, after, LIMIT_KEPT_NAME),
};
static const struct ipc_field keeper_list_entry[] = {
	IPC_STR(struct keeper_list_entry, name, LIMIT_KEPT_NAME),
	IPC_I64(struct keeper_list_entry, mtime_ms),
};
static const struct ipc_shape keeper_list_entry_shape = IPC_SHAPE(keeper_list_entry, keeper_list_entry);
static const struct ipc_field keeper_list_reply[] = {
	IPC_LIST(struct keeper_list_reply, entries, entry_count, KEEPER_LIST_MAX, &keeper_list_entry_shape),
};
static const struct ipc_field keeper_space_reply[] = {
	IPC_U64(struct keeper_space_reply, left),
	IPC_U64(struct keeper_space_reply, total),
};

#define SHAPE(name)              { #name, sizeof(struct name), name, LEN(name) }
#define EMPTY                    IPC_EMPTY
/* ASK and BULK name the roles that may ask; an administrator's request comes from control alone. */
#define BY(role)                 (1u << ROLE_##role)
#define ASK(id, text, role, by, ms, req, rep)                                                                          \
	[id] = { text, role, IPC_LANE_CONTROL, ms, by, false, req, rep }
#define ADMIN(id, text, role, ms, req, rep)                                                                            \
	[id] = { text, role, IPC_LANE_CONTROL, ms, BY(CONTROL), true, req, rep }
#define BULK(id, text, role, by, ms, req, rep)                                                                         \
	[id] = { text, role, IPC_LANE_BULK, ms, by, false, req, rep }

#define SECONDS 1000u
#define MINUTES (60u * SECONDS)

const struct ipc_msg ipc_msgs[IPC_MSG_COUNT] = {
	[IPC_NONE] = { .name = "none", .server = ROLE_COUNT, .request = EMPTY, .reply = EMPTY },

	ASK(IPC_AUTH_RCPT, "auth_rcpt", ROLE_AUTH, BY(SMTP) | BY(CONTROL), 10 * SECONDS, SHAPE(auth_rcpt_request), SHAPE(auth_rcpt_reply)),
	ASK(IPC_AUTH_RESOLVE, "auth_resolve", ROLE_AUTH, BY(QUEUE) | BY(REMOTE), 10 * SECONDS, SHAPE(auth_resolve_request), SHAPE(auth_resolve_reply)),
	ASK(IPC_AUTH_LOGIN, "auth_login", ROLE_AUTH, BY(SMTP) | BY(IMAP), 30 * SECONDS, SHAPE(auth_login_request), SHAPE(auth_login_reply)),
	ASK(IPC_AUTH_SENDER, "auth_sender", ROLE_AUTH, BY(SMTP), 10 * SECONDS, SHAPE(auth_sender_request), EMPTY),

	ADMIN(IPC_AUTH_DOMAIN_ADD, "auth_domain_add", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_domain_request), EMPTY),
	ADMIN(IPC_AUTH_DOMAIN_REMOVE, "auth_domain_remove", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_domain_request), EMPTY),
	ADMIN(IPC_AUTH_DOMAIN_LIST, "auth_domain_list", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_list_request),
	      SHAPE(auth_domain_list_reply)),
	ADMIN(IPC_AUTH_ACCOUNT_ADD, "auth_account_add", ROLE_AUTH, 60 * SECONDS, SHAPE(auth_account_add_request),
	      SHAPE(auth_account_add_reply)),
	ADMIN(IPC_AUTH_ACCOUNT_LIST, "auth_account_list", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_list_request),
	      SHAPE(auth_account_list_reply)),
	ADMIN(IPC_AUTH_ACCOUNT_CHANGE, "auth_account_change", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_account_change_request), EMPTY),
	ADMIN(IPC_AUTH_ACCOUNT_REMOVE, "auth_account_remove", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_account_remove_request),
	      SHAPE(auth_account_remove_reply)),
	ADMIN(IPC_AUTH_ALIAS_ADD, "auth_alias_add", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_alias), EMPTY),
	ADMIN(IPC_AUTH_ALIAS_REMOVE, "auth_alias_remove", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_alias_remove_request), EMPTY),
	ADMIN(IPC_AUTH_ALIAS_LIST, "auth_alias_list", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_list_request),
	      SHAPE(auth_alias_list_reply)),

	BULK(IPC_QUEUE_SUBMIT, "queue_submit", ROLE_QUEUE, BY(SMTP) | BY(CONTROL), 60 * SECONDS, SHAPE(queue_submit_request), SHAPE(queue_submit_reply)),
	ASK(IPC_QUEUE_KNOWN, "queue_known", ROLE_QUEUE, BY(SMTP) | BY(CONTROL), 60 * SECONDS, SHAPE(queue_known_request), SHAPE(queue_known_reply)),
	ASK(IPC_QUEUE_SPOOL, "queue_spool", ROLE_QUEUE, BY(SMTP) | BY(CONTROL), 10 * SECONDS, EMPTY, SHAPE(queue_spool_reply)),
	ADMIN(IPC_QUEUE_LIST, "queue_list", ROLE_QUEUE, 30 * SECONDS, SHAPE(queue_list_request), SHAPE(queue_list_reply)),
	ADMIN(IPC_QUEUE_SHOW, "queue_show", ROLE_QUEUE, 30 * SECONDS, SHAPE(queue_id_request), SHAPE(queue_show_reply)),
	ADMIN(IPC_QUEUE_RETRY, "queue_retry", ROLE_QUEUE, 60 * SECONDS, SHAPE(queue_id_request), SHAPE(queue_count_reply)),
	ADMIN(IPC_QUEUE_REMOVE, "queue_remove", ROLE_QUEUE, 60 * SECONDS, SHAPE(queue_id_request), SHAPE(queue_edit_reply)),
	ADMIN(IPC_QUEUE_STATS, "queue_stats", ROLE_QUEUE, 30 * SECONDS, EMPTY, SHAPE(queue_stats_reply)),
	ADMIN(IPC_QUEUE_PURGE_ACCOUNT, "queue_purge_account", ROLE_QUEUE, 2 * MINUTES, SHAPE(queue_purge_request), EMPTY),

	BULK(IPC_LOCAL_DELIVER, "local_deliver", ROLE_LOCAL, BY(QUEUE), 5 * MINUTES, SHAPE(local_deliver_request), SHAPE(local_deliver_reply)),
	ASK(IPC_LOCAL_PURGE, "local_purge", ROLE_LOCAL, BY(QUEUE), 60 * SECONDS, SHAPE(local_purge_request), EMPTY),
	BULK(IPC_REMOTE_DELIVER, "remote_deliver", ROLE_REMOTE, BY(QUEUE), 60 * MINUTES, SHAPE(remote_deliver_request),
	     SHAPE(remote_deliver_reply)),
	ASK(IPC_DNS_LOOKUP, "dns_lookup", ROLE_DNS, BY(REMOTE) | BY(AUTH), 60 * SECONDS, SHAPE(dns_lookup_request), SHAPE(dns_lookup_reply)),
	/* On control.sock only: no process asks control. */
	[IPC_CONTROL_STATUS] = { "control_status", ROLE_CONTROL, IPC_LANE_CONTROL, 10 * SECONDS, 0, true, EMPTY, SHAPE(control_status_reply) },
	ASK(IPC_AUTH_EXPIRE, "auth_expire", ROLE_AUTH, BY(CONTROL), 60 * SECONDS, EMPTY, SHAPE(auth_expire_reply)),
	ASK(IPC_AUTH_PURGED, "auth_purged", ROLE_AUTH, BY(CONTROL), 60 * SECONDS, SHAPE(auth_purged_request), EMPTY),
	ASK(IPC_QUEUE_TRACE, "queue_trace", ROLE_QUEUE, BY(SMTP), 30 * SECONDS, SHAPE(trace_event), EMPTY),
	ADMIN(IPC_QUEUE_TRACE_FIND, "queue_trace_find", ROLE_QUEUE, 60 * SECONDS, SHAPE(trace_find_request), SHAPE(trace_find_reply)),
	[IPC_CONTROL_METRICS] = { "control_metrics", ROLE_CONTROL, IPC_LANE_CONTROL, 10 * SECONDS, 0, true, EMPTY, SHAPE(control_metrics_reply) },
	ASK(IPC_QUEUE_FLUSH, "queue_flush", ROLE_QUEUE, BY(SMTP), 60 * SECONDS, SHAPE(queue_flush_request), SHAPE(queue_count_reply)),
	ADMIN(IPC_QUEUE_HOLD, "queue_hold", ROLE_QUEUE, 60 * SECONDS, SHAPE(queue_id_request), SHAPE(queue_count_reply)),
	ADMIN(IPC_QUEUE_RELEASE, "queue_release", ROLE_QUEUE, 60 * SECONDS, SHAPE(queue_id_request), SHAPE(queue_count_reply)),

	ASK(IPC_GUARD_CONNECT, "guard_connect", ROLE_AUTH, BY(SMTP) | BY(IMAP), 10 * SECONDS, SHAPE(guard_connect_request),
	    SHAPE(guard_connect_reply)),
	ASK(IPC_GUARD_NOTE, "guard_note", ROLE_AUTH, BY(SMTP), 10 * SECONDS, SHAPE(guard_note_request), EMPTY),
	ADMIN(IPC_GUARD_LIST, "guard_list", ROLE_AUTH, 30 * SECONDS, SHAPE(guard_list_request), SHAPE(guard_list_reply)),
	ADMIN(IPC_GUARD_WHY, "guard_why", ROLE_AUTH, 30 * SECONDS, SHAPE(guard_why_request), SHAPE(guard_why_reply)),
	ADMIN(IPC_GUARD_LIFT, "guard_lift", ROLE_AUTH, 30 * SECONDS, SHAPE(guard_lift_request), SHAPE(guard_lift_reply)),
	ADMIN(IPC_GUARD_ADD, "guard_add", ROLE_AUTH, 30 * SECONDS, SHAPE(guard_add_request), SHAPE(guard_add_reply)),

	ASK(IPC_AUTH_SCRAM_SALT, "auth_scram_salt", ROLE_AUTH, BY(SMTP) | BY(IMAP), 30 * SECONDS, SHAPE(auth_scram_salt_request),
	    SHAPE(auth_scram_salt_reply)),
	ASK(IPC_AUTH_SCRAM_PROOF, "auth_scram_proof", ROLE_AUTH, BY(SMTP) | BY(IMAP), 30 * SECONDS, SHAPE(auth_scram_proof_request),
	    SHAPE(auth_scram_proof_reply)),
	ASK(IPC_AUTH_BEARER, "auth_bearer", ROLE_AUTH, BY(SMTP) | BY(IMAP), 30 * SECONDS, SHAPE(auth_bearer_request), SHAPE(auth_login_reply)),
	ASK(IPC_AUTH_EXTERNAL, "auth_external", ROLE_AUTH, BY(SMTP) | BY(IMAP), 30 * SECONDS, SHAPE(auth_external_request),
	    SHAPE(auth_login_reply)),
	ASK(IPC_AUTH_CERTIFICATE, "auth_certificate", ROLE_AUTH, BY(SMTP) | BY(IMAP), 10 * SECONDS, SHAPE(auth_certificate_request), EMPTY),
	ADMIN(IPC_AUTH_CREDENTIAL_ADD, "auth_credential_add", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_credential_add_request),
	      SHAPE(auth_credential_add_reply)),
	ADMIN(IPC_AUTH_CREDENTIAL_LIST, "auth_credential_list", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_credential_list_request),
	      SHAPE(auth_credential_list_reply)),
	ADMIN(IPC_AUTH_CREDENTIAL_REMOVE, "auth_credential_remove", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_credential_remove_request), EMPTY),
	ASK(IPC_AUTH_REWRITE, "auth_rewrite", ROLE_AUTH, BY(SMTP), 10 * SECONDS, SHAPE(auth_rewrite_request), SHAPE(auth_rewrite_reply)),
	ASK(IPC_AUTH_PROBED, "auth_probed", ROLE_AUTH, BY(SMTP), 10 * SECONDS, SHAPE(auth_probed_request), SHAPE(auth_rcpt_reply)),
	ASK(IPC_AUTH_FULL, "auth_full", ROLE_AUTH, BY(QUEUE), 10 * SECONDS, SHAPE(auth_full_request), EMPTY),
	ASK(IPC_AUTH_TOKEN, "auth_token", ROLE_AUTH, BY(QUEUE), 10 * SECONDS, SHAPE(auth_token_request), SHAPE(auth_token_reply)),
	ASK(IPC_AUTH_QUOTA, "auth_quota", ROLE_AUTH, BY(QUEUE) | BY(LOCAL) | BY(IMAP), 10 * SECONDS, SHAPE(auth_quota_request), SHAPE(auth_quota_reply)),
	ADMIN(IPC_AUTH_ROUTE, "auth_route", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_route_request), SHAPE(auth_route_reply)),
	ADMIN(IPC_AUTH_ALIAS_POLICY, "auth_alias_policy", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_alias_policy_request), EMPTY),
	ADMIN(IPC_AUTH_DELEGATE_ADD, "auth_delegate_add", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_delegate), EMPTY),
	ADMIN(IPC_AUTH_DELEGATE_REMOVE, "auth_delegate_remove", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_delegate), EMPTY),
	ADMIN(IPC_AUTH_DELEGATE_LIST, "auth_delegate_list", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_delegate_list_request),
	      SHAPE(auth_delegate_list_reply)),
	ADMIN(IPC_AUTH_REWRITE_ADD, "auth_rewrite_add", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_rewrite_rule), EMPTY),
	ADMIN(IPC_AUTH_REWRITE_REMOVE, "auth_rewrite_remove", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_rewrite_rule), EMPTY),
	ADMIN(IPC_AUTH_REWRITE_LIST, "auth_rewrite_list", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_rewrite_list_request),
	      SHAPE(auth_rewrite_list_reply)),
	/* Longer than a probe may take: remote answers by itself. */
	ASK(IPC_REMOTE_PROBE, "remote_probe", ROLE_REMOTE, BY(SMTP), 12 * SECONDS, SHAPE(remote_probe_request), SHAPE(remote_probe_reply)),
	/* On submit.sock only (role/control_submit.c). */
#define LOCAL(id, text, ms, req, rep) [id] = { text, ROLE_CONTROL, IPC_LANE_CONTROL, ms, 0, false, req, rep }
	LOCAL(IPC_CONTROL_SUBMIT_OPEN, "control_submit_open", 30 * SECONDS, EMPTY, SHAPE(control_submit_open_reply)),
	LOCAL(IPC_CONTROL_SUBMIT_BEGIN, "control_submit_begin", 60 * SECONDS, SHAPE(control_submit_begin_request), SHAPE(control_submit_begin_reply)),
	LOCAL(IPC_CONTROL_SUBMIT_DATA, "control_submit_data", 60 * SECONDS, SHAPE(control_submit_data_request), SHAPE(control_submit_end_reply)),
	LOCAL(IPC_CONTROL_SUBMIT_END, "control_submit_end", 2 * MINUTES, EMPTY, SHAPE(control_submit_end_reply)),
#undef LOCAL
	ASK(IPC_REMOTE_CONNECT, "remote_connect", ROLE_REMOTE, BY(SMTP), 60 * SECONDS, SHAPE(remote_connect_request),
	    SHAPE(remote_connect_reply)),
	ADMIN(IPC_AUTH_ALIAS_CHANGE, "auth_alias_change", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_alias), EMPTY),
	ASK(IPC_AUTH_SIGN, "auth_sign", ROLE_AUTH, BY(QUEUE), 30 * SECONDS, SHAPE(auth_sign_request), SHAPE(auth_sign_reply)),
	/* A key may have to be made: seconds, for a long one. */
	ADMIN(IPC_AUTH_KEY_ADD, "auth_key_add", ROLE_AUTH, 2 * MINUTES, SHAPE(auth_key_add_request), SHAPE(auth_key)),
	ADMIN(IPC_AUTH_KEY_LIST, "auth_key_list", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_key_list_request), SHAPE(auth_key_list_reply)),
	/* The same as IPC_DNS_LOOKUP. */
	ADMIN(IPC_DNS_SHOW, "dns_show", ROLE_DNS, 60 * SECONDS, SHAPE(dns_lookup_request), SHAPE(dns_lookup_reply)),
	ADMIN(IPC_AUTH_KEY_CHANGE, "auth_key_change", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_key_change_request), EMPTY),
	ADMIN(IPC_QUEUE_REDIRECT, "queue_redirect", ROLE_QUEUE, 60 * SECONDS, SHAPE(queue_edit_request), SHAPE(queue_edit_reply)),
	ADMIN(IPC_QUEUE_EDIT, "queue_edit", ROLE_QUEUE, 60 * SECONDS, SHAPE(queue_edit_request), SHAPE(queue_edit_reply)),
	ADMIN(IPC_QUEUE_BOUNCE, "queue_bounce", ROLE_QUEUE, 60 * SECONDS, SHAPE(queue_id_request), SHAPE(queue_edit_reply)),
	ADMIN(IPC_QUEUE_SHAPE, "queue_shape", ROLE_QUEUE, 30 * SECONDS, SHAPE(queue_shape_request), SHAPE(queue_shape_reply)),
	ADMIN(IPC_QUEUE_SITES, "queue_sites", ROLE_QUEUE, 60 * SECONDS, SHAPE(queue_sites_request), SHAPE(queue_sites_reply)),
	/* Longer than a message may wait for its pipe and its program may run, together (deliver/pipe.c). */
	BULK(IPC_PIPE_DELIVER, "pipe_deliver", ROLE_PIPE, BY(QUEUE), 80 * MINUTES, SHAPE(pipe_deliver_request), SHAPE(remote_deliver_reply)),
	ASK(IPC_AUTH_STS_GET, "auth_sts_get", ROLE_AUTH, BY(REMOTE), 10 * SECONDS, SHAPE(auth_sts_get_request), SHAPE(auth_sts)),
	ASK(IPC_AUTH_STS_PUT, "auth_sts_put", ROLE_AUTH, BY(REMOTE), 10 * SECONDS, SHAPE(auth_sts), EMPTY),
	ASK(IPC_AUTH_TLSRPT_NOTE, "auth_tlsrpt_note", ROLE_AUTH, BY(REMOTE), 30 * SECONDS, SHAPE(auth_tlsrpt_note_request), EMPTY),
	ADMIN(IPC_AUTH_TLSRPT_LIST, "auth_tlsrpt_list", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_tlsrpt_list_request),
	      SHAPE(auth_tlsrpt_list_reply)),
	ADMIN(IPC_AUTH_TLSRPT_SHOW, "auth_tlsrpt_show", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_tlsrpt_show_request),
	      SHAPE(auth_tlsrpt_show_reply)),
	ASK(IPC_AUTH_HOP, "auth_hop", ROLE_AUTH, BY(QUEUE), 10 * SECONDS, SHAPE(auth_hop_request), SHAPE(auth_hop_reply)),
	ASK(IPC_AUTH_HOP_SECRET, "auth_hop_secret", ROLE_AUTH, BY(REMOTE), 10 * SECONDS, SHAPE(auth_hop_secret_request), SHAPE(auth_login)),
	ADMIN(IPC_AUTH_ROUTE_ADD, "auth_route_add", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_route_change_request), EMPTY),
	ADMIN(IPC_AUTH_ROUTE_SET, "auth_route_set", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_route_change_request), EMPTY),
	ADMIN(IPC_AUTH_ROUTE_REMOVE, "auth_route_remove", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_route_change_request), EMPTY),
	ADMIN(IPC_AUTH_ROUTE_LIST, "auth_route_list", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_route_list_request), SHAPE(auth_route_list_reply)),
	/* A disk that is slow takes its time, but nobody waits for a sync longer than for one of his own. */
	ASK(IPC_KEEPER_OPEN, "keeper_open", ROLE_KEEPER, BY(IMAP), 30 * SECONDS, SHAPE(keeper_open_request), SHAPE(keeper_open_reply)),
	ASK(IPC_KEEPER_LOOK, "keeper_look", ROLE_KEEPER, BY(IMAP), 30 * SECONDS, SHAPE(keeper_look_request), SHAPE(keeper_look_reply)),
	ASK(IPC_KEEPER_SET, "keeper_set", ROLE_KEEPER, BY(IMAP), 30 * SECONDS, SHAPE(keeper_set_request), SHAPE(keeper_set_reply)),
	ASK(IPC_KEEPER_CHANGE, "keeper_change", ROLE_KEEPER, BY(IMAP), 60 * SECONDS, SHAPE(keeper_change_request), EMPTY),
	ASK(IPC_KEEPER_LIST, "keeper_list", ROLE_KEEPER, BY(IMAP), 60 * SECONDS, SHAPE(keeper_list_request), SHAPE(keeper_list_reply)),
	ASK(IPC_KEEPER_SPACE, "keeper_space", ROLE_KEEPER, BY(IMAP), 10 * SECONDS, EMPTY, SHAPE(keeper_space_reply)),
	ADMIN(IPC_LOCAL_UNDELETE, "local_undelete", ROLE_LOCAL, 10 * MINUTES, SHAPE(local_undelete_request), SHAPE(local_undelete_reply)),
	/* Every content of the account is read. */
	ADMIN(IPC_LOCAL_FSCK, "local_fsck", ROLE_LOCAL, 60 * MINUTES, SHAPE(local_fsck_request), SHAPE(local_fsck_reply)),
	ADMIN(IPC_AUTH_DOMAIN_QUOTA, "auth_domain_quota", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_domain_quota_request), EMPTY),
	ASK(IPC_AUTH_USED, "auth_used", ROLE_AUTH, BY(QUEUE) | BY(LOCAL) | BY(IMAP), 10 * SECONDS, SHAPE(auth_used_request), EMPTY),
	ADMIN(IPC_AUTH_USED_SET, "auth_used_set", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_used_request), EMPTY),
	ASK(IPC_AUTH_SUBJECT, "auth_subject", ROLE_AUTH, BY(IMAP), 10 * SECONDS, SHAPE(auth_subject_request), SHAPE(auth_subject_reply)),
	ASK(IPC_AUTH_SUBJECTS, "auth_subjects", ROLE_AUTH, BY(IMAP), 10 * SECONDS, SHAPE(auth_subjects_request), SHAPE(auth_subjects_reply)),
	ASK(IPC_AUTH_SHARED, "auth_shared", ROLE_AUTH, BY(IMAP), 10 * SECONDS, SHAPE(auth_shared_request), SHAPE(auth_shared_reply)),
	ASK(IPC_AUTH_SHARE, "auth_share", ROLE_AUTH, BY(IMAP), 30 * SECONDS, SHAPE(auth_share_request), EMPTY),
	ADMIN(IPC_AUTH_GROUP_ADD, "auth_group_add", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_group_request), EMPTY),
	ADMIN(IPC_AUTH_GROUP_REMOVE, "auth_group_remove", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_group_request), EMPTY),
	ADMIN(IPC_AUTH_GROUP_LIST, "auth_group_list", ROLE_AUTH, 30 * SECONDS, SHAPE(auth_group_request), SHAPE(auth_group_list_reply)),
	ADMIN(IPC_QUEUE_USAGE, "queue_usage", ROLE_QUEUE, 60 * SECONDS, SHAPE(local_usage_request), SHAPE(local_usage_reply)),
	ASK(IPC_LOCAL_USAGE, "local_usage", ROLE_LOCAL, BY(QUEUE), 30 * SECONDS, SHAPE(local_usage_request), SHAPE(local_usage_reply)),
};
