/* sys/thread.h - the calling thread's place among the others of this machine. */
#ifndef SYS_THREAD_H
#define SYS_THREAD_H

/* Give way: while others have work, this thread gets about a tenth of what they get. It cannot be taken back. */
void thread_give_way(void);

#endif
