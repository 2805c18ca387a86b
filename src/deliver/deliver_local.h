/* deliver/deliver_local.h - putting messages into accounts: the logic of the local role.
 *
 *   request -> a round -> its account's line -> a worker: one transaction, not synced -> settled with others -> bus -> reply
 *
 * Deliveries that come in quick succession are gathered for up to 200 ms, so that one transaction takes several. Each account has a line
 * of its own, worked on by one thread at a time, in order of arrival; a few threads share the lines. The message gets Return-Path (RFC 5321 §4.4) and Delivered-To before its first field; the store writes them and the content in
 * one go, so nothing is copied for it.
 *
 * Settling: one thread makes all that was committed durable together. While more deliveries are on their way it waits up to
 * 75 ms for them; when nothing else is, it settles at once, so a single message is there in milliseconds. Nothing is answered before: the queue drops its entry on our word (msg_local.h). DEFERRED is only said of what certainly is not in the
 * account and never will be by this request.
 */
#ifndef DELIVER_DELIVER_LOCAL_H
#define DELIVER_DELIVER_LOCAL_H

#include "ipc/ipc.h"
#include "store/store.h"

#define DELIVER_USAGE_POOL 1u /* ipc_pool, one thread */

struct deliver_local;

/* Starts its threads. `ipc` is for the bus, `store` stays the caller's. */
struct deliver_local *deliver_local_new(struct store *store, struct ipc *ipc);
/* Finish and answer what came so far; what comes later is deferred. */
void deliver_local_stop(struct deliver_local *d);
/* After stop. */
void deliver_local_free(struct deliver_local **d);

/* For ipc_serve with the struct deliver_local as ctx. The handlers never wait and never answer from the channel's thread. */
extern const struct ipc_row deliver_local_rows[];
extern const size_t         deliver_local_row_count;

#endif
