/* ipc/ipc_msg.h - the table of all messages between processes.
 *
 * A row: who answers, who may ask, on which lane, after how long it counts as lost, and the shapes of
 * request and reply. The structs stand beside their meaning in msg_<role>.h.
 */
#ifndef IPC_IPC_MSG_H
#define IPC_IPC_MSG_H

#include "ipc/ipc_codec.h"
#include "ipc/ipc_graph.h"

enum ipc_msg_id { /* part of the channel protocol: append only */
	IPC_NONE,
	/* auth: what sessions and queue ask */
	IPC_AUTH_RCPT,
	IPC_AUTH_RESOLVE,
	IPC_AUTH_LOGIN,
	IPC_AUTH_SENDER,
	/* auth: what administrators ask */
	IPC_AUTH_DOMAIN_ADD,
	IPC_AUTH_DOMAIN_REMOVE,
	IPC_AUTH_DOMAIN_LIST,
	IPC_AUTH_ACCOUNT_ADD,
	IPC_AUTH_ACCOUNT_LIST,
	IPC_AUTH_ACCOUNT_CHANGE,
	IPC_AUTH_ACCOUNT_REMOVE,
	IPC_AUTH_ALIAS_ADD,
	IPC_AUTH_ALIAS_REMOVE,
	IPC_AUTH_ALIAS_LIST,
	/* queue */
	IPC_QUEUE_SUBMIT,
	IPC_QUEUE_KNOWN,
	IPC_QUEUE_SPOOL,
	IPC_QUEUE_LIST,
	IPC_QUEUE_SHOW,
	IPC_QUEUE_RETRY,
	IPC_QUEUE_REMOVE,
	IPC_QUEUE_STATS,
	IPC_QUEUE_PURGE_ACCOUNT,
	/* local */
	IPC_LOCAL_DELIVER,
	IPC_LOCAL_PURGE,
	/* remote */
	IPC_REMOTE_DELIVER,
	/* dns */
	IPC_DNS_LOOKUP,
	/* control */
	IPC_CONTROL_STATUS,
	/* auth: what control asks by itself */
	IPC_AUTH_EXPIRE,
	IPC_AUTH_PURGED,
	/* control */
	IPC_CONTROL_METRICS,
	/* queue: ETRN */
	IPC_QUEUE_FLUSH,
	/* queue: the trace */
	IPC_QUEUE_TRACE,
	IPC_QUEUE_TRACE_FIND,
	/* queue: what administrators ask */
	IPC_QUEUE_HOLD,
	IPC_QUEUE_RELEASE,
	/* auth: limits and bans */
	IPC_GUARD_CONNECT,
	IPC_GUARD_NOTE,
	IPC_GUARD_LIST,
	IPC_GUARD_WHY,
	IPC_GUARD_LIFT,
	IPC_GUARD_ADD,
	/* auth: the other ways to sign in, and what administrators ask about them */
	IPC_AUTH_SCRAM_SALT,
	IPC_AUTH_SCRAM_PROOF,
	IPC_AUTH_BEARER,
	IPC_AUTH_EXTERNAL,
	IPC_AUTH_CERTIFICATE,
	IPC_AUTH_CREDENTIAL_ADD,
	IPC_AUTH_CREDENTIAL_LIST,
	IPC_AUTH_CREDENTIAL_REMOVE,
	/* who a recipient is, and why */
	IPC_AUTH_REWRITE,
	IPC_AUTH_PROBED,
	IPC_AUTH_FULL,
	IPC_AUTH_QUOTA,
	IPC_AUTH_ROUTE,
	IPC_AUTH_ALIAS_POLICY,
	IPC_AUTH_DELEGATE_ADD,
	IPC_AUTH_DELEGATE_REMOVE,
	IPC_AUTH_DELEGATE_LIST,
	IPC_AUTH_REWRITE_ADD,
	IPC_AUTH_REWRITE_REMOVE,
	IPC_AUTH_REWRITE_LIST,
	IPC_REMOTE_PROBE,
	/* control, on submit.sock */
	IPC_CONTROL_SUBMIT_OPEN,
	IPC_CONTROL_SUBMIT_BEGIN,
	IPC_CONTROL_SUBMIT_DATA,
	IPC_CONTROL_SUBMIT_END,
	/* remote: a connection to a filter, for those who may make none */
	IPC_REMOTE_CONNECT,
	/* auth: what administrators ask */
	IPC_AUTH_ALIAS_CHANGE,
	IPC_AUTH_TOKEN,
	/* DKIM: what queue asks auth, what administrators ask */
	IPC_AUTH_SIGN,
	IPC_AUTH_KEY_ADD,
	IPC_AUTH_KEY_LIST,
	IPC_AUTH_KEY_CHANGE,
	/* dns: what administrators ask */
	IPC_DNS_SHOW,
	/* pipe */
	IPC_PIPE_DELIVER,
	/* queue: what administrators ask */
	IPC_QUEUE_REDIRECT,
	IPC_QUEUE_EDIT,
	IPC_QUEUE_BOUNCE,
	IPC_QUEUE_SHAPE,
	IPC_QUEUE_SITES,
	/* auth: what remote learns of other domains */
	IPC_AUTH_STS_GET,
	IPC_AUTH_STS_PUT,
	IPC_AUTH_TLSRPT_NOTE,
	/* auth: what administrators ask */
	IPC_AUTH_TLSRPT_LIST,
	IPC_AUTH_TLSRPT_SHOW,
	/* auth: ways out */
	IPC_AUTH_HOP,
	IPC_AUTH_HOP_SECRET,
	IPC_AUTH_ROUTE_ADD,
	IPC_AUTH_ROUTE_SET,
	IPC_AUTH_ROUTE_REMOVE,
	IPC_AUTH_ROUTE_LIST,
	/* keeper */
	IPC_KEEPER_OPEN,
	IPC_KEEPER_LOOK,
	IPC_KEEPER_SET,
	IPC_KEEPER_CHANGE,
	IPC_KEEPER_LIST,
	IPC_KEEPER_SPACE,
	/* local: what administrators ask */
	IPC_LOCAL_UNDELETE,
	IPC_LOCAL_FSCK,
	/* quotas */
	IPC_AUTH_DOMAIN_QUOTA,
	IPC_AUTH_USED,
	IPC_AUTH_USED_SET,
	IPC_QUEUE_USAGE,
	IPC_LOCAL_USAGE,
	/* sharing */
	IPC_AUTH_SUBJECT,
	IPC_AUTH_SUBJECTS,
	IPC_AUTH_SHARED,
	IPC_AUTH_SHARE,
	IPC_AUTH_GROUP_ADD,
	IPC_AUTH_GROUP_REMOVE,
	IPC_AUTH_GROUP_LIST,
	IPC_MSG_COUNT,
};

struct ipc_msg {
	const char      *name;
	enum role_id     server;
	enum ipc_lane    lane;
	unsigned         deadline_ms;
	unsigned         askers; /* mask of 1u << enum role_id; all others are refused */
	bool             admin;  /* may come from control.sock */
	struct ipc_shape request, reply;
};

extern const struct ipc_msg ipc_msgs[IPC_MSG_COUNT];

#endif
