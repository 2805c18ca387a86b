/* sys/ready.c - over epoll(7); see poll.h.
 *
 * The notification is an eventfd armed edge-triggered: each write is an edge, wakes one waiter, and needs no read. Its counter
 * would be full only after 2^64 - 2 writes.
 */
#include "sys/ready.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct sys_ready {
	int epoll_fd, event_fd;
};

struct sys_ready *sys_ready_new(void)
{
	struct sys_ready   *p = malloc(sizeof(*p));
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };

	if (!p)
		return NULL;
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	p->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ev.data.ptr = p;
	if (p->epoll_fd < 0 || p->event_fd < 0 || epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->event_fd, &ev) < 0)
		sys_ready_free(&p);
	return p;
}

void sys_ready_free(struct sys_ready **pp)
{
	struct sys_ready *p = *pp;

	*pp = NULL;
	if (!p)
		return;
	if (p->event_fd >= 0)
		close(p->event_fd);
	if (p->epoll_fd >= 0)
		close(p->epoll_fd);
	free(p);
}

bool sys_ready_arm(struct sys_ready *p, int fd, bool first, unsigned mask, void *item)
{
	struct epoll_event ev = { .events = EPOLLONESHOT, .data.ptr = item };

	if (mask & SYS_READY_IN)
		ev.events |= EPOLLIN;
	if (mask & SYS_READY_OUT)
		ev.events |= EPOLLOUT;
	return epoll_ctl(p->epoll_fd, first ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev) == 0;
}

void sys_ready_remove(struct sys_ready *p, int fd)
{
	epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

enum sys_ready_got sys_ready_wait(struct sys_ready *p, int timeout_ms, void **ret_item)
{
	struct epoll_event ev;
	int                n = epoll_wait(p->epoll_fd, &ev, 1, timeout_ms);

	if (n <= 0) {
		CHECK(n == 0 || errno == EINTR);
		return SYS_READY_TIMEOUT;
	}
	if (ev.data.ptr == p)
		return SYS_READY_NOTIFIED;
	*ret_item = ev.data.ptr;
	return SYS_READY_EVENT;
}

void sys_ready_notify(struct sys_ready *p)
{
	uint64_t one = 1;
	ssize_t  n = write(p->event_fd, &one, sizeof(one));

	CHECK(n == (ssize_t)sizeof(one));
}
