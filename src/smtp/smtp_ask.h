/* smtp/smtp_ask.h - the questions of a session, asked over the channels of this process. */
#ifndef SMTP_SMTP_ASK_H
#define SMTP_SMTP_ASK_H

#include "ipc/ipc.h"
#include "smtp/smtp.h"

/* For smtp_env.ask, with smtp_env.ask_ctx = the process's `struct ipc *`. */
extern const struct smtp_ask smtp_ask_ipc;

#endif
