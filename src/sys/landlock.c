/* sys/landlock.c - see landlock.h. Constants of the kernel's user API that Debian 12's headers lack stand here by value. */
#include "sys/landlock.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ABI_KNOWN 6u

enum { /* access to files */
	EXECUTE = 1u << 0,
	REFER   = 1u << 13, /* ABI 2 */
	TRUNCATE = 1u << 14, /* ABI 3 */
	IOCTL_DEV = 1u << 15, /* ABI 5 */
	ABI_1   = (1u << 13) - 1,
};
#define NET_ALL   3u /* bind, connect: ABI 4 */
#define SCOPE_ALL 3u /* abstract sockets, signals: ABI 6 */

struct ruleset {
	uint64_t files, net, scoped;
};
struct path_rule {
	uint64_t access;
	int32_t  parent;
} __attribute__((packed));

#define RULE_PATH      1
#define VERSION_FLAG   1u

unsigned landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION_FLAG);

	return abi > 0 ? (unsigned)abi : 0;
}

static uint64_t files_of(unsigned abi)
{
	return ABI_1 | (abi >= 2 ? REFER : 0) | (abi >= 3 ? TRUNCATE : 0) | (abi >= 5 ? IOCTL_DEV : 0);
}

/* An older kernel wants the shorter struct. */
static size_t ruleset_size(unsigned abi)
{
	return abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
}

bool landlock_enter(const int *roots, size_t root_count, bool files, bool net, unsigned max_abi)
{
	unsigned       abi = MIN(landlock_abi(), max_abi ? MIN(max_abi, ABI_KNOWN) : ABI_KNOWN);
	struct ruleset rules = { .files = files ? files_of(abi) : 0, .net = abi >= 4 && !net ? NET_ALL : 0, .scoped = abi >= 6 ? SCOPE_ALL : 0 };
	long           fd;
	bool           ok = true;

	if (abi == 0)
		return false;
	if (!rules.files && !rules.net && !rules.scoped)
		return true; /* this kernel's has nothing else to give */
	fd = syscall(SYS_landlock_create_ruleset, &rules, ruleset_size(abi), 0);
	if (fd < 0)
		return false;
	for (size_t i = 0; i < root_count && ok; i++) {
		struct path_rule rule = { .access = files_of(abi) & ~(uint64_t)(EXECUTE | IOCTL_DEV), .parent = roots[i] };
		ok = syscall(SYS_landlock_add_rule, fd, RULE_PATH, &rule, 0) == 0;
	}
	ok = ok && syscall(SYS_landlock_restrict_self, fd, 0) == 0;
	close((int)fd);
	return ok;
}
