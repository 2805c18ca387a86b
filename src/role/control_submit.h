/* role/control_submit.h - submit.sock: every local user may hand over messages, by the kernel's word for who he is.
 *
 * The frames are those of control.sock (ipc/ipc_frame.h), the messages IPC_CONTROL_SUBMIT_* and no others; one thread per connection.
 * Whom a message says it is from is not checked: as with Postfix, any local user may name any sender (-f), and From likewise; Received
 * and the log tell the user id.
 */
#ifndef ROLE_CONTROL_SUBMIT_H
#define ROLE_CONTROL_SUBMIT_H

#include <sys/types.h>

#include "role/role.h"

struct control_submits; /* all connections */
struct control_submit;  /* one */

struct control_submits *control_submits_new(struct role *r);
void control_submits_reload(struct control_submits *all, const struct config *c); /* which lives on */

/* A connection was accepted: NULL if there are too many; else the descriptor is taken over. */
struct control_submit *control_submit_new(struct control_submits *all, int fd, uid_t uid, pid_t pid);
void control_submit_free(struct control_submit **s);
/* Until it ends; frees it. */
void control_submit_serve(struct control_submit *s);

#endif
