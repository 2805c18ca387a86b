/* role/master_data.c - the data directory, who owns what in it; see master.h.
 *
 * The directory itself belongs to whoever starts the server and may be entered by all; each role's folder below only by its user.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "role/master.h"
#include "sys/dir.h"
#include "sys/fd.h"
#include "sys/spawn.h"

#define FORMAT 1u /* of the layout of folders; each database has its own version beside */

static enum status format_check(int fd, struct arena *a, const char **ret_why)
{
	struct str  text;
	uint32_t    version = 0;
	enum status st = file_read(a, fd, MASTER_FORMAT, 100, &text);

	if (st == ST_NOT_FOUND)
		return file_replace(fd, MASTER_FORMAT, 0644, STR("1\n"));
	if (st == ST_OK && (!str_to_u32(str_trim_ws(text), &version) || version == 0)) {
		*ret_why = "its file 'format' is damaged";
		return ST_CORRUPT;
	}
	if (st == ST_OK && version > FORMAT) {
		*ret_why = "it was written by a newer version of Postrider: nothing was changed; run that version";
		return ST_VERSION;
	}
	return st;
}

enum status master_data_open(const struct config *c, bool create, struct arena *a, int *ret_fd, const char **ret_why)
{
	const char *path = arena_cstr(a, c->data), *why = NULL;
	char        part[DIR_PATH_MAX];
	enum status st;
	int         fd;

	if (!create && access(path, F_OK) < 0) {
		*ret_why = arena_printf(a, "data directory %s: there is none\n", path).p;
		return ST_NOT_FOUND;
	}
	st = dir_trust(path, part);
	if (st == ST_DENIED) {
		*ret_why = arena_printf(a, "data directory %s: another user could put something else in the place of %s, as its owner or mode allows; "
					   "choose another directory, or run as that user", path, part).p;
		return st;
	}
	if (st == ST_OK)
		st = dir_open(AT_FDCWD, path, 0711, true, &fd);
	if (st == ST_OK) {
		st = format_check(fd, a, &why);
		if (st == ST_OK) {
			*ret_fd = fd;
			return ST_OK;
		}
		close(fd);
	}
	*ret_why = arena_printf(a, "data directory %s: %s", path, why ? why : status_name(st)).p;
	return st;
}

enum status master_user(const struct config *c, const char *user, bool *ret_change, uid_t *ret_uid, gid_t *ret_gid)
{
	char name[64];

	*ret_change = geteuid() == 0;
	*ret_uid = geteuid();
	*ret_gid = getegid();
	if (!*ret_change)
		return ST_OK;
	snprintf(name, sizeof(name), "%.*s%s", STR_FMT(c->users), user);
	return spawn_user(name, ret_uid, ret_gid);
}

enum status master_root_open(const struct config *c, int data_fd, const char *root, const char *user, int *ret_fd)
{
	bool        change;
	uid_t       uid;
	gid_t       gid;
	int         fd;
	enum status st = master_user(c, user, &change, &uid, &gid);

	if (st == ST_OK)
		st = dir_open(data_fd, root, 0700, false, &fd);
	if (st != ST_OK)
		return st;
	if (change)
		st = dir_own(fd, uid, gid, 0700);
	if (st != ST_OK)
		fd_close(&fd);
	else
		*ret_fd = fd;
	return st;
}
