/* deliver/local_used.h - what an account holds, told to auth where the total of a domain counts it: behind what local itself takes out of
 * accounts or puts back. (Of deliveries queue tells.)
 */
#ifndef DELIVER_LOCAL_USED_H
#define DELIVER_LOCAL_USED_H

#include "ipc/ipc.h"
#include "store/store.h"

/* Waits for auth, so never on a thread that serves deliveries. When auth does not answer, the next word of this account makes it good. */
void local_used_tell(struct ipc *ipc, struct store *s, uint64_t account);

#endif
