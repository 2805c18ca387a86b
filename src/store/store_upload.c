/* store/store_upload.c - content on its way in: hashed while it comes, in memory while small, else in content/tmp-*.
 *
 * A file is synced before the row that names it is written; its name content/<hash> and the directory too (store_append.c). What a
 * crash leaves is an orphan that store_sweep removes. While an upload lives its file is locked, and the sweep removes only what it can
 * lock itself: no clock decides.
 */
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"
#include "sys/disk.h"
#include "sys/random.h"

#define COPY_OCTETS (64 * KIB)

struct store_upload {
	struct store *store;
	uint64_t      account, size;
	struct buf    memory;
	int           fd; /* -1: in memory */
	char          temp[STORE_PATH_MAX];
	EVP_MD_CTX   *sha;
};

enum status store_upload_new(struct store *s, uint64_t account, struct store_upload **ret)
{
	struct store_upload *u = calloc(1, sizeof(*u));

	CHECK(u);
	u->store = s;
	u->account = account;
	u->fd = -1;
	u->sha = EVP_MD_CTX_new();
	CHECK(u->sha && EVP_DigestInit_ex(u->sha, EVP_sha256(), NULL) == 1);
	buf_init(&u->memory, LIMIT_INLINE);
	*ret = u;
	return ST_OK;
}

/* ST_BUSY: a sweep came between making the file and locking it, and has removed it or is about to. */
static enum status temp_make(struct store_upload *u)
{
	char        name[64];
	enum status st;

	snprintf(name, sizeof(name), "content/" STORE_TEMP "%016" PRIx64, random_u64());
	store_path(u->account, name, u->temp);
	st = disk_open(u->store->fd, u->temp, DISK_NEW, &u->fd);
	if (st == ST_OK)
		st = disk_lock(u->fd, 0);
	return st == ST_OK && !disk_exists(u->store->fd, u->temp) ? ST_BUSY : st;
}

/* It has outgrown memory. */
static enum status spill(struct store_upload *u)
{
	enum status st;

	while ((st = temp_make(u)) == ST_BUSY)
		fd_close(&u->fd);
	if (st == ST_OK)
		st = disk_write_at(u->fd, u->temp, 0, buf_str(&u->memory));
	buf_done(&u->memory);
	return st;
}

enum status store_upload_write(struct store_upload *u, struct str octets)
{
	enum status st = ST_OK;

	if (octets.n > LIMIT_MESSAGE_MAX - u->size)
		return ST_LIMIT;
	if (u->fd < 0 && u->size + octets.n > LIMIT_INLINE)
		st = spill(u);
	if (st == ST_OK && u->fd >= 0)
		st = disk_write_at(u->fd, u->temp, u->size, octets);
	else if (st == ST_OK)
		CHECK(buf_add(&u->memory, octets));
	if (st != ST_OK)
		return st;
	u->size += octets.n;
	CHECK(EVP_DigestUpdate(u->sha, octets.p, octets.n) == 1);
	return ST_OK;
}

uint64_t store_upload_size(const struct store_upload *u) { return u->size; }

enum status store_upload_map(struct store_upload *u, struct str *ret)
{
	if (u->fd >= 0)
		return disk_map(u->fd, (size_t)u->size, ret);
	*ret = buf_str(&u->memory);
	return ST_OK;
}

void store_upload_unmap(struct store_upload *u, struct str map)
{
	if (u->fd >= 0)
		disk_unmap(map);
}

void store_upload_free(struct store_upload **upload)
{
	struct store_upload *u = *upload;

	*upload = NULL;
	if (!u)
		return;
	if (u->fd >= 0) {
		fd_close(&u->fd);
		/* Not there if a row has taken it under its final name. */
		if (disk_remove(u->store->fd, u->temp) != ST_OK)
			u->temp[0] = '\0';
	}
	buf_done(&u->memory);
	EVP_MD_CTX_free(u->sha);
	free(u);
}

static void hash_now(struct store_upload *u, uint8_t hash[STORE_HASH])
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();

	CHECK(copy && EVP_MD_CTX_copy_ex(copy, u->sha) == 1 && EVP_DigestFinal_ex(copy, hash, NULL) == 1);
	EVP_MD_CTX_free(copy);
}

enum status store_bytes_upload(struct store_upload *u, struct store_bytes *ret)
{
	struct store_bytes b = { .content = buf_str(&u->memory) };
	enum status        st = u->size > 0 ? ST_OK : ST_INVALID;

	if (st == ST_OK && u->fd >= 0) {
		snprintf(b.temp, sizeof(b.temp), "%s", u->temp);
		st = disk_sync(u->fd, u->temp);
		if (st == ST_OK)
			st = disk_map(u->fd, (size_t)u->size, &b.content);
		b.mapped = st == ST_OK;
	}
	if (st != ST_OK)
		return st;
	hash_now(u, b.hash);
	*ret = b;
	return ST_OK;
}

enum status store_bytes_memory(struct str content, struct store_bytes *ret)
{
	CHECK(content.n <= LIMIT_INLINE);
	if (content.n == 0)
		return ST_INVALID;
	*ret = (struct store_bytes){ .content = content };
	store_hash(content, ret->hash);
	return ST_OK;
}

void store_hash(struct str s, uint8_t ret[STORE_HASH])
{
	CHECK(EVP_Digest(s.p ? s.p : "", s.n, ret, NULL, EVP_sha256(), NULL) == 1);
}

void store_bytes_done(struct store_bytes *b)
{
	if (b->mapped)
		disk_unmap(b->content);
	*b = (struct store_bytes){ 0 };
}

void store_content_path(uint64_t account, struct str hash, char ret[STORE_PATH_MAX])
{
	char   name[16 + 2 * STORE_HASH + 1];
	size_t at = (size_t)snprintf(name, sizeof(name), "content/");

	CHECK(hash.n == STORE_HASH);
	for (size_t i = 0; i < hash.n; i++, at += 2)
		snprintf(name + at, sizeof(name) - at, "%02x", (unsigned char)hash.p[i]);
	store_path(account, name, ret);
}

/* ---- deliveries ---- */

static enum status copy_file(struct store_upload *u, const struct store_delivery *d, EVP_MD_CTX *sha)
{
	char       *chunk = malloc(COPY_OCTETS);
	enum status st = ST_OK;

	CHECK(chunk);
	for (uint64_t at = 0; st == ST_OK && at < d->size;) {
		size_t n = 0;

		st = disk_read_at(d->file, chunk, (size_t)MIN(d->size - at, (uint64_t)COPY_OCTETS), at, &n);
		if (st == ST_OK && n == 0)
			st = ST_INVALID; /* shorter than was said */
		if (st == ST_OK)
			st = store_upload_write(u, str_n(chunk, n));
		CHECK(EVP_DigestUpdate(sha, chunk, n) == 1);
		at += n;
	}
	free(chunk);
	return st;
}

static enum status copy_all(struct store_upload *u, const struct store_delivery *d)
{
	uint8_t     hash[STORE_HASH];
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	enum status st = store_upload_write(u, d->prefix);

	CHECK(sha && EVP_DigestInit_ex(sha, EVP_sha256(), NULL) == 1);
	if (st == ST_OK && d->file >= 0) {
		st = copy_file(u, d, sha);
	} else if (st == ST_OK) {
		st = d->content.n == d->size ? store_upload_write(u, d->content) : ST_INVALID;
		CHECK(EVP_DigestUpdate(sha, d->content.p, d->content.n) == 1);
	}
	CHECK(EVP_DigestFinal_ex(sha, hash, NULL) == 1);
	EVP_MD_CTX_free(sha);
	if (st == ST_OK && d->hash.n > 0 && !str_eq(d->hash, str_n(hash, sizeof(hash))))
		st = ST_INVALID;
	return st;
}

enum status store_upload_delivery(struct store *s, uint64_t account, const struct store_delivery *d, struct store_upload **ret)
{
	struct store_upload *u;
	enum status          st = store_upload_new(s, account, &u);

	if (st == ST_OK)
		st = copy_all(u, d);
	if (st != ST_OK) {
		store_upload_free(&u);
		return st;
	}
	*ret = u;
	return ST_OK;
}
