/* sys/pread.c - see pread.h. */
#include "sys/pread.h"

#include <errno.h>
#include <unistd.h>

enum status fd_pread(int fd, uint64_t offset, void *p, size_t n, size_t *ret_n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = pread(fd, (char *)p + done, n - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ST_IO;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*ret_n = done;
	return ST_OK;
}
