/* tests/crash/check_data.c - the numbered invariants of docs/formats over the data of a stopped server.
 *
 * usage: check_data queue DIR | accounts DIR. One line per break; exit code 0: none, 1: some, 2: could not be checked.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "db/db.h"
#include "queue/queue.h"
#include "store/store.h"

static void found(void *arg, const char *invariant, struct str text)
{
	printf("%s %s %.*s\n", (const char *)arg, invariant, STR_FMT(text));
}

static int failed(const char *what, enum status st)
{
	fprintf(stderr, "check_data: %s: %s\n", what, status_name(st));
	return 2;
}

static int check_queue(int dir)
{
	char          name[] = "queue";
	uint64_t      breaks = 0;
	struct queue *q = NULL;
	enum status   st = db_root("queue", dir);

	if (st == ST_OK)
		st = queue_open(&(struct queue_options){ .dir = dir, .root = "queue", .watermark_octets = 1 }, &q);
	if (st == ST_OK)
		st = queue_check(q, found, name, &breaks);
	queue_close(&q);
	return st != ST_OK ? failed(name, st) : breaks > 0;
}

static int check_account(struct store *store, const char *id)
{
	char                  name[300];
	uint64_t              breaks = 0;
	struct store_account *a = NULL;
	enum status           st = store_open(store, strtoull(id, NULL, 10), &a);

	snprintf(name, sizeof(name), "account %s", id);
	if (st == ST_OK)
		st = store_check(a, found, name, &breaks);
	store_close(&a);
	return st != ST_OK ? failed(name, st) : breaks > 0;
}

/* Every <shard>/<id> below. */
static int check_accounts(int dir)
{
	struct store  *store;
	struct dirent *shard, *id;
	DIR           *top = fdopendir(dup(dir));
	int            worst = 0;
	enum status    st = store_new(dir, &(struct store_options){ .watermark_octets = 1 }, &store);

	if (!top || st != ST_OK)
		return failed("accounts", st);
	while ((shard = readdir(top)) != NULL) {
		int  fd = shard->d_name[0] == '.' ? -1 : openat(dir, shard->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *in = fd < 0 ? NULL : fdopendir(fd);

		while (in && (id = readdir(in)) != NULL) {
			int code = id->d_name[0] == '.' ? 0 : check_account(store, id->d_name);

			worst = MAX(worst, code);
		}
		if (in)
			closedir(in);
	}
	closedir(top);
	store_free(&store);
	return worst;
}

int main(int argc, char **argv)
{
	bool queue = argc == 3 && strcmp(argv[1], "queue") == 0;
	int  dir = argc == 3 ? open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (dir < 0 || (!queue && strcmp(argv[1], "accounts") != 0)) {
		fprintf(stderr, "usage: check_data queue|accounts DIR\n");
		return 2;
	}
	log_setup(2, "check", LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT);
	db_init();
	return queue ? check_queue(dir) : check_accounts(dir);
}
