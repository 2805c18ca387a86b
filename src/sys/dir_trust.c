/* sys/dir_trust.c - see dir.h.
 *
 * Who can write a directory can put anything in the place of what it holds: a link to a file elsewhere, which we then write; a directory
 * of his own. So each part of the path counts, also those behind symbolic links, and the links themselves.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/dir.h"
#include "sys/fd.h"

#define LINKS_MAX 10u /* followed, one behind the other */

static bool owner_ok(const struct stat *s)
{
	return s->st_uid == 0 || s->st_uid == geteuid();
}

/* Root does not trust a group either; others often have one of their own. A sticky directory (/tmp) guards what it holds. */
static bool mode_ok(const struct stat *s, bool last)
{
	mode_t others = s->st_mode & (geteuid() == 0 ? S_IWGRP | S_IWOTH : S_IWOTH);

	return others == 0 || (!last && (s->st_mode & S_ISVTX));
}

/* `directory`/`name`, or `name` if that is absolute. */
static bool join(const char *directory, const char *name, char *ret)
{
	int n = name[0] == '/' ? snprintf(ret, DIR_PATH_MAX, "%s", name) : snprintf(ret, DIR_PATH_MAX, "%s/%s", directory, name);

	return n > 0 && n < (int)DIR_PATH_MAX;
}

static enum status check(const char *path, bool last, unsigned links, char *ret_part);

static enum status check_link(const char *link, bool last, unsigned links, char *ret_part)
{
	char    directory[DIR_PATH_MAX], target[DIR_PATH_MAX], whole[DIR_PATH_MAX];
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	snprintf(directory, sizeof(directory), "%.*s", (int)(strrchr(link, '/') - link), link);
	target[MAX(n, 0)] = '\0';
	if (n > 0 && links > 0 && join(directory, target, whole))
		return check(whole, last, links - 1, ret_part);
	snprintf(ret_part, DIR_PATH_MAX, "%s", link);
	return ST_DENIED;
}

static enum status check_part(const char *part, bool last, unsigned links, char *ret_part)
{
	struct stat s;

	if (lstat(part, &s) < 0)
		return fd_status(errno);
	if (owner_ok(&s) && S_ISLNK(s.st_mode))
		return check_link(part, last, links, ret_part);
	if (owner_ok(&s) && mode_ok(&s, last))
		return ST_OK;
	snprintf(ret_part, DIR_PATH_MAX, "%s", part);
	return ST_DENIED;
}

/* Each prefix of an absolute path; is it the last part of what was asked about? */
static enum status check(const char *path, bool last, unsigned links, char *ret_part)
{
	char        part[DIR_PATH_MAX];
	enum status st = check_part("/", last && path[strspn(path, "/")] == '\0', links, ret_part);

	for (size_t i = 1; path[i - 1] && st == ST_OK; i++) {
		if ((path[i] && path[i] != '/') || path[i - 1] == '/')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)i, path);
		st = check_part(part, last && path[i + strspn(path + i, "/")] == '\0', links, ret_part);
	}
	return st;
}

enum status dir_trust(const char *path, char ret_part[DIR_PATH_MAX])
{
	char        here[DIR_PATH_MAX], whole[DIR_PATH_MAX];
	enum status st;

	ret_part[0] = '\0';
	if (!getcwd(here, sizeof(here)) || !join(here, path, whole))
		return ST_LIMIT;
	st = check(whole, true, LINKS_MAX, ret_part);
	return st == ST_NOT_FOUND ? ST_OK : st; /* what is not there will be ours */
}
