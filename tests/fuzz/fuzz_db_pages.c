/* tests/fuzz/fuzz_db_pages.c - a database and its log of any octets: the walker ends, gives only rows that lie in what it read, and each page once.
 *
 * The first octet: pages of the database; the rest is the database, then the log. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "db/db_pages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	struct str file, log;
};

static enum status on_read(void *ctx, bool log, void *p, size_t n, uint64_t offset, size_t *ret_n)
{
	const struct input *in = ctx;
	struct str          from = log ? in->log : in->file;

	*ret_n = 0;
	if (offset >= from.n)
		return ST_OK;
	*ret_n = MIN(n, from.n - (size_t)offset);
	memcpy(p, from.p + offset, *ret_n);
	return ST_OK;
}

static enum status on_row(void *arg, const struct db_row *r)
{
	uint64_t *sum = arg;

	CHECK(r->count > 0 && r->count <= DB_COLUMNS);
	for (size_t i = 0; i < r->count; i++) {
		CHECK(r->values[i].octets.n <= LIMIT_DB_ROW);
		for (size_t k = 0; k < r->values[i].octets.n; k++)
			*sum += (uint8_t)r->values[i].octets.p[k];
		*sum += (uint64_t)r->values[i].number;
	}
	return *sum % 7 == 0 ? ST_INVALID : ST_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t                 n = size == 0 ? 0 : MIN((size_t)(data[0] % 16) * DB_PAGE, size - 1);
	char                  *file = malloc(n + 1), *log = malloc(size + 1);
	struct input           in = { str_n(file, n), str_n(log, size == 0 ? 0 : size - 1 - n) };
	struct db_pages_source source = { .read = on_read, .ctx = &in, .size = in.file.n, .log_size = in.log.n, .frames = UINT64_MAX };
	struct db_pages_sum    sum = { 0 };
	struct db_pages       *p;
	uint64_t               octets = 0;

	CHECK(file && log);
	if (size > 0) {
		memcpy(file, data + 1, n);
		memcpy(log, data + 1 + n, in.log.n);
	}
	if (db_pages_new(&source, &p) == ST_OK) {
		for (uint32_t root = 1; root < 6; root++)
			CHECK(db_pages_tree(p, root, root % 2, on_row, &octets, &sum) == ST_OK);
		CHECK(db_pages_strays(p, on_row, &octets, &sum) == ST_OK && db_pages_behind(p, on_row, &octets, &sum) == ST_OK);
		db_pages_free(&p);
	}
	free(file);
	free(log);
	return 0;
}
