/* sasl/sasl_ask_ipc.c - what an exchange asks, over the process's channels; every question has a deadline (ipc/ipc_msg.c). */
#include "ipc/ipc.h"
#include "sasl/sasl_exchange.h"

static enum status ask_login(void *ctx, const struct auth_login_request *q, struct arena *a, struct auth_login_reply *ret)
{
	return ipc_call(ctx, ROLE_AUTH, IPC_ANY, IPC_AUTH_LOGIN, q, a, ret);
}

static enum status ask_scram_salt(void *ctx, const struct auth_scram_salt_request *q, struct arena *a,
				  struct auth_scram_salt_reply *ret)
{
	return ipc_call(ctx, ROLE_AUTH, IPC_ANY, IPC_AUTH_SCRAM_SALT, q, a, ret);
}

static enum status ask_scram_proof(void *ctx, const struct auth_scram_proof_request *q, struct arena *a,
				   struct auth_scram_proof_reply *ret)
{
	return ipc_call(ctx, ROLE_AUTH, IPC_ANY, IPC_AUTH_SCRAM_PROOF, q, a, ret);
}

static enum status ask_bearer(void *ctx, const struct auth_bearer_request *q, struct arena *a, struct auth_login_reply *ret)
{
	return ipc_call(ctx, ROLE_AUTH, IPC_ANY, IPC_AUTH_BEARER, q, a, ret);
}

static enum status ask_external(void *ctx, const struct auth_external_request *q, struct arena *a,
				struct auth_login_reply *ret)
{
	return ipc_call(ctx, ROLE_AUTH, IPC_ANY, IPC_AUTH_EXTERNAL, q, a, ret);
}

static enum status ask_certificate(void *ctx, const struct auth_certificate_request *q, struct arena *a)
{
	return ipc_call(ctx, ROLE_AUTH, IPC_ANY, IPC_AUTH_CERTIFICATE, q, a, NULL);
}

const struct sasl_ask sasl_ask_ipc = {
	.login = ask_login,
	.scram_salt = ask_scram_salt,
	.scram_proof = ask_scram_proof,
	.bearer = ask_bearer,
	.external = ask_external,
	.certificate = ask_certificate,
};
