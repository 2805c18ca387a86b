/* tests/unit/unit_directory.h - a directory in a temporary folder, with cheap hashes and a clock that stands still. */
#ifndef UNIT_DIRECTORY_H
#define UNIT_DIRECTORY_H

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "db/db.h"
#include "directory/directory.h"

static _Atomic int64_t unit_now_ms = 1000000;

static inline int64_t unit_clock(void)
{
	return atomic_load(&unit_now_ms);
}

static char unit_folder[64] = "/tmp/postrider-test.XXXXXX";
static int  unit_folder_fd = -1;
static char unit_path[64];

static inline int unit_directory_setup(void **state)
{
	(void)state;
	if (mkdtemp(unit_folder) == NULL)
		return -1;
	unit_folder_fd = open(unit_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	db_init();
	return db_root("auth", unit_folder_fd) == ST_OK ? 0 : -1;
}

static inline int unit_directory_teardown(void **state)
{
	char command[128];

	(void)state;
	close(unit_folder_fd);
	snprintf(command, sizeof(command), "rm -rf '%s'", unit_folder);
	return system(command);
}

static inline struct directory *unit_directory_open(void)
{
	struct directory_options o = {
		.path = unit_path,
		.create = true,
		.hash_ops = 1,
		.hash_memory_octets = 8192,
		.mono_ms = unit_clock,
		.wall_ms = unit_clock,
	};
	struct directory *d = NULL;

	assert_int_equal(directory_open(&o, &d), ST_OK);
	return d;
}

/* An empty one of its own for this test. */
static inline struct directory *unit_directory_new(void)
{
	static unsigned count;

	snprintf(unit_path, sizeof(unit_path), "auth/%u.db", ++count);
	return unit_directory_open();
}

static inline void unit_domain(struct directory *d, const char *name)
{
	assert_int_equal(directory_domain_add(d, &(struct auth_domain_request){ str_of(name) }), ST_OK);
}

static inline enum status unit_account_try(struct directory *d, const char *address, const char *password)
{
	struct auth_name              name = { str_of(address) };
	struct auth_account_add_reply r;

	return directory_account_add(d, &(struct auth_account_add_request){ &name, 1, str_of(password), 0 }, &r);
}

static inline uint64_t unit_account(struct directory *d, const char *address)
{
	struct auth_name              name = { str_of(address) };
	struct auth_account_add_reply r = { 0 };

	assert_int_equal(directory_account_add(d, &(struct auth_account_add_request){ &name, 1, STR("secret"), 0 }, &r), ST_OK);
	assert_int_equal(r.added, 1);
	return r.first_account;
}

/* Targets separated by spaces. */
static inline enum status unit_alias(struct directory *d, const char *from, const char *targets)
{
	struct auth_name names[32];
	struct str       rest = str_of(targets);
	size_t           count = 0;

	while (rest.n > 0)
		str_cut(rest, ' ', &names[count++].address, &rest);
	return directory_alias_add(d, &(struct auth_alias){ str_of(from), names, count });
}

static inline enum status unit_change(struct directory *d, const char *address, enum auth_change what, const char *value)
{
	return directory_account_change(d, &(struct auth_account_change_request){ .address = str_of(address),
										  .what = what,
										  .password = str_of(value),
										  .new_address = str_of(value) });
}

static inline enum status unit_remove(struct directory *d, const char *address, bool purge)
{
	struct auth_account_remove_reply r;

	return directory_account_remove(d, &(struct auth_account_remove_request){ str_of(address), purge }, &r);
}

#endif
