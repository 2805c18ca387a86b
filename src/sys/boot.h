/* sys/boot.h - which boot of the machine this is. What was written but not synced may be gone when it differs. */
#ifndef SYS_BOOT_H
#define SYS_BOOT_H

#include <stdint.h>

struct boot_id {
	uint64_t hi, lo; /* never both 0 */
};

/* The kernel's, read at the first call: make that before a sandbox that hides /proc. Without it, one per process. */
struct boot_id boot_id(void);
/* For tests of what happens after a crash. */
void boot_id_set(struct boot_id id);

#endif
