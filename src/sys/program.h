/* sys/program.h - run another program: octets in, octets out, an end; bounded in time, memory, processes and output.
 *
 * The program gets descriptors 0, 1 and 2 and no other, an environment that the caller makes, default signals, "/" as its directory, a process
 * group of its own that it cannot leave (setsid and setpgid are refused), no core file, no new privileges, and no internet sockets unless
 * `network`. It is killed with the thread that runs it. When it has ended, or its time is over, everything that is left of its group is killed:
 * nothing that it started outlives it.
 *
 * Thread-safe.
 */
#ifndef SYS_PROGRAM_H
#define SYS_PROGRAM_H

#include "base/arena.h"
#include "base/status.h"

#define PROGRAM_FILES 256u /* descriptors that it may have open */

struct program {
	const char *const *argv, *const *envp; /* NULL-ended; argv[0] is an absolute path */
	uint64_t           memory_octets; /* address space of each process; 0: no limit */
	uint64_t           file_octets;   /* largest file that it may write; 0: no limit */
	uint32_t           processes;     /* of its user, all together, while it runs; 0: no limit */
	bool               network;
	int64_t            time_ms;
	size_t             output_max;    /* of its standard output and error, kept; the rest is read and forgotten */
	int                cancel;        /* descriptor that becomes readable when it is to be ended; -1: none */
	/* The next octets of its standard input, good until the next call; none: that is all. Not ST_OK: it is killed. */
	enum status (*input)(void *arg, struct str *ret);
	void               *arg;
};

enum program_how {
	PROGRAM_EXITED,    /* number: exit code */
	PROGRAM_SIGNALLED, /* number: signal */
	PROGRAM_LATE,      /* killed: its time was over */
	PROGRAM_CANCELLED, /* killed, as `cancel` said */
	PROGRAM_NO_INPUT,  /* killed: there is no telling what it would have made of half a message */
	PROGRAM_NOT_RUN,   /* number: errno */
};
struct program_end {
	enum program_how how;
	int              number;
	struct str       output; /* in the arena */
};

/* Before the sandbox is entered, once: makes the filters that programs get. False: not to be had. */
MUST_CHECK bool program_prepare(void);
/* Processes that our user has now, as /proc shows them. */
uint32_t program_tasks(void);
void program_run(const struct program *p, struct arena *a, struct program_end *ret);

#endif
