/* tests/unit/unit_data.h - messages that other projects published, when they are there. */
#ifndef UNIT_DATA_H
#define UNIT_DATA_H

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "unit.h"

/* The folder of the data; false, with a word, if it is missing. */
static inline bool unit_data_dir(const char *name, char *ret, size_t cap)
{
	const char *root = getenv("POSTRIDER_TEST_DATA");
	const char *up[] = { "../shared/data", "../../shared/data" };
	struct stat st;

	for (size_t i = 0; i < 2; i++) {
		if (root)
			snprintf(ret, cap, "%s/%s", root, name);
		else
			snprintf(ret, cap, "%s/%s/%s", UNIT_PROJECT_ROOT, up[i], name);
		if (stat(ret, &st) == 0 && S_ISDIR(st.st_mode))
			return true;
	}
	print_message("no test data \"%s\" (POSTRIDER_TEST_DATA): skipped\n", name);
	return false;
}

/* The whole file; free with unit_exact_free. Empty if it cannot be read. */
static inline struct str unit_data_file(const char *path)
{
	struct str s = { NULL, 0 };
	FILE      *f = fopen(path, "rb");
	struct stat st;
	char       *p;

	if (!f)
		return s;
	assert_int_equal(fstat(fileno(f), &st), 0);
	p = malloc(st.st_size ? (size_t)st.st_size : 1);
	assert_int_equal(fread(p, 1, (size_t)st.st_size, f), (size_t)st.st_size);
	fclose(f);
	return (struct str){ p, (size_t)st.st_size };
}

/* With every bare LF made CRLF. */
static inline struct str unit_crlf(struct str s)
{
	char  *p = malloc(s.n * 2 + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'))
			p[n++] = '\r';
		p[n++] = s.p[i];
	}
	return (struct str){ p, n };
}

/* Call fn for each file below `dir` whose name ends in `suffix`; returns how many. */
static inline size_t unit_data_each(const char *dir, const char *suffix, void (*fn)(const char *path))
{
	DIR           *d = opendir(dir);
	struct dirent *e;
	size_t         count = 0;
	char           path[1024];

	assert_non_null(d);
	while ((e = readdir(d))) {
		struct stat st;

		if (e->d_name[0] == '.')
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= (int)sizeof(path) || stat(path, &st) != 0)
			continue;
		if (S_ISDIR(st.st_mode)) {
			count += unit_data_each(path, suffix, fn);
		} else if (str_iends(str_of(e->d_name), str_of(suffix))) {
			fn(path);
			count++;
		}
	}
	closedir(d);
	return count;
}

#endif
