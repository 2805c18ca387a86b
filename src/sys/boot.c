/* sys/boot.c - /proc/sys/kernel/random/boot_id, read once. */
#include "sys/boot.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "sys/random.h"

static struct {
	pthread_mutex_t lock;
	struct boot_id  id;
} boot = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct boot_id read_id(void)
{
	char           text[64];
	int            fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t        n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	struct boot_id id = { 0 };

	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0, digits = 0; i < n && digits < 32; i++) {
		char     c = text[i];
		uint64_t digit = c >= '0' && c <= '9' ? (uint64_t)(c - '0') : (uint64_t)(c - 'a' + 10);

		if (digit > 15)
			continue;
		id.hi = id.hi << 4 | id.lo >> 60;
		id.lo = id.lo << 4 | digit;
		digits++;
	}
	/* Unknown: as if the machine had just booted. That costs each account a sync, never data. */
	if (id.hi == 0 && id.lo == 0)
		id = (struct boot_id){ random_u64() | 1, random_u64() };
	return id;
}

struct boot_id boot_id(void)
{
	struct boot_id id;

	pthread_mutex_lock(&boot.lock);
	if (boot.id.hi == 0 && boot.id.lo == 0)
		boot.id = read_id();
	id = boot.id;
	pthread_mutex_unlock(&boot.lock);
	return id;
}

void boot_id_set(struct boot_id id)
{
	pthread_mutex_lock(&boot.lock);
	boot.id = id;
	pthread_mutex_unlock(&boot.lock);
}
