/* role/control_answer.h - the reply to one frame on control.sock or submit.sock. */
#ifndef ROLE_CONTROL_ANSWER_H
#define ROLE_CONTROL_ANSWER_H

#include "ipc/ipc_frame.h"

/* `reply` is of the reply shape of the request's message; NULL unless st is ST_OK. ST_OK, or what ipc_frame_send says. */
MUST_CHECK enum status control_answer(int fd, const struct ipc_frame *request, enum status st, const void *reply);

#endif
