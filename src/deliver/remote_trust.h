/* deliver/remote_trust.h - MTA-STS cache and TLS results of the role remote, with auth behind them. */
#ifndef DELIVER_REMOTE_TRUST_H
#define DELIVER_REMOTE_TRUST_H

#include "deliver/remote_sts.h"
#include "deliver/remote_tlsrpt.h"
#include "ipc/ipc.h"

/* For remote_sts_open and remote_tlsrpt_open. */
struct remote_sts_options    remote_sts_ipc(struct ipc *ipc);
struct remote_tlsrpt_options remote_tlsrpt_ipc(struct ipc *ipc);

#endif
