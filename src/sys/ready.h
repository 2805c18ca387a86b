/* sys/ready.h - wait for descriptors: one waiter gets one event, and only once.
 *
 * Every descriptor is armed for one event (EPOLLONESHOT) and must be armed again. Many threads may wait; one of them gets each
 * event, the one that came last first. Errors and hang-ups are events too, whatever was asked for. Thread-safe.
 */
#ifndef SYS_READY_H
#define SYS_READY_H

#include "base/base.h"

struct sys_ready;

enum sys_ready_mask {
	SYS_READY_NONE = 0, /* errors and hang-up only */
	SYS_READY_IN   = 1,
	SYS_READY_OUT  = 2,
};

enum sys_ready_got {
	SYS_READY_EVENT,    /* *ret_item was armed, and is not now */
	SYS_READY_NOTIFIED, /* sys_ready_notify was called (several calls may give one) */
	SYS_READY_TIMEOUT,
};

struct sys_ready *sys_ready_new(void); /* NULL: no descriptors left (errno) */
void             sys_ready_free(struct sys_ready **p);

/* Arm a descriptor, with what the event shall give back; `first`: it is not in the set yet. False: the system refused (errno). */
MUST_CHECK bool sys_ready_arm(struct sys_ready *p, int fd, bool first, unsigned mask, void *item);
/* Take it out. An event that a waiter has got already stays got. */
void sys_ready_remove(struct sys_ready *p, int fd);

/* timeout_ms < 0: forever. *ret_item only for SYS_READY_EVENT. */
enum sys_ready_got sys_ready_wait(struct sys_ready *p, int timeout_ms, void **ret_item);
/* Wake a thread that waits, or the next one that will. */
void sys_ready_notify(struct sys_ready *p);

#endif
