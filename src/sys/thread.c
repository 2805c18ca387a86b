/* sys/thread.c - see thread.h. On Linux a thread is a process to setpriority(2). */
#include "sys/thread.h"

#include <sys/resource.h>

#define NICE 10

void thread_give_way(void)
{
	(void)setpriority(PRIO_PROCESS, 0, NICE); /* only a wish: all goes on without it */
}
