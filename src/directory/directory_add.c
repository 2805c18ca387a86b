/* directory/directory_add.c - add accounts: thousands at once in one transaction and with one hash; see directory.h. */
#include "base/log.h"
#include "directory/directory_walk.h"

struct fresh {
	struct str         address;
	struct dir_domain *domain;
	uint64_t           id;
};

struct batch {
	struct directory                      *d;
	const struct auth_account_add_request *q;
	struct arena                          *a;
	struct fresh                          *rows;
	size_t                                 count;
	struct password_hash                   hash;
	struct scram_keys                      scram; /* made once too */
	int64_t                                now_ms;
};

/* Log why a name cannot be given away; false: it can. */
static bool is_taken(struct directory *d, struct str address)
{
	struct dir_account *acc = map_find(&d->accounts, address);

	if (acc != NULL && acc->removed_ms != 0)
		log_info("account not added: one of this name was removed; enable it again, or remove it with --purge",
			 LOG_STR("address", address));
	if (acc == NULL && map_find(&d->aliases, address) != NULL)
		log_info("account not added: there is an alias of this name", LOG_STR("address", address));
	return acc != NULL || map_find(&d->aliases, address) != NULL;
}

/* Which of the names are new: all are looked at before anything is written. */
static enum status choose(struct batch *b)
{
	struct map  seen;
	enum status st = ST_OK;

	map_init(&seen);
	b->rows = ARENA_ARRAY(b->a, struct fresh, b->q->name_count);
	for (size_t i = 0; i < b->q->name_count && st == ST_OK; i++) {
		struct fresh        *row = &b->rows[b->count];
		struct address_canon canon;

		if (dir_canon(b->d, b->q->names[i].address, &canon, &row->domain) != ADDRESS_OK)
			st = ST_INVALID;
		else if (row->domain == NULL)
			st = ST_NOT_FOUND;
		else if (row->domain->kind != AUTH_DOMAIN_LOCAL)
			st = ST_DENIED;
		else if (!is_taken(b->d, address_text(&canon)) && map_put(&seen, address_text(&canon), b) == NULL) {
			row->address = arena_dup(b->a, address_text(&canon));
			b->count++;
		}
	}
	map_done(&seen);
	if (st == ST_OK && b->count == 0 && b->q->name_count == 1)
		st = ST_EXISTS;
	return st;
}

static enum status insert(struct batch *b)
{
	enum status st = db_begin_write(b->d->db);

	if (st != ST_OK)
		return st;
	for (size_t i = 0; i < b->count && st == ST_OK; i++) {
		struct db_stmt *s = db_sql(
			b->d->db, "INSERT INTO account (address, domain, hash, quota_octets, disabled, removed_ms,"
				  " created_ms, quota_messages) VALUES (?1, ?2, ?3, ?4, 0, 0, ?5, ?6)");

		db_bind_str(s, 1, b->rows[i].address);
		db_bind_str(s, 2, b->rows[i].domain->name);
		db_bind_str(s, 3, str_n(b->hash.p, b->hash.n));
		db_bind_u64(s, 4, b->q->quota_octets);
		db_bind_i64(s, 5, b->now_ms);
		db_bind_u64(s, 6, b->q->quota_messages);
		st = db_run(s);
		b->rows[i].id = db_last_id(b->d->db);
		if (st == ST_OK && b->scram.iterations > 0)
			st = dir_scram_write(b->d, b->rows[i].id, &b->scram);
	}
	return dir_commit(b->d, st);
}

static void remember(struct batch *b)
{
	pthread_rwlock_wrlock(&b->d->lock);
	for (size_t i = 0; i < b->count; i++) {
		struct dir_account row = {
			.id = b->rows[i].id,
			.address = b->rows[i].address,
			.domain = b->rows[i].domain,
			.hash = str_n(b->hash.p, b->hash.n),
			.scram = b->scram,
			.quota_octets = b->q->quota_octets,
			.quota_messages = b->q->quota_messages,
			.created_ms = b->now_ms,
		};

		dir_account_put(b->d, &row);
	}
	pthread_rwlock_unlock(&b->d->lock);
}

enum status directory_account_add(struct directory *d, const struct auth_account_add_request *q,
				  struct auth_account_add_reply *ret)
{
	struct batch b = { .d = d, .q = q, .now_ms = dir_wall_ms(d) };
	enum status  st;

	if (q->name_count == 0 || q->name_count > LIMIT_ACCOUNT_BATCH || q->quota_octets > INT64_MAX ||
	    q->quota_messages > INT64_MAX)
		return ST_INVALID;
	st = dir_password_hash(d, q->password, &b.hash, &b.scram);
	if (st != ST_OK)
		return st;
	b.a = arena_new(NULL);
	pthread_mutex_lock(&d->admin);
	st = choose(&b);
	if (st == ST_OK && b.count > 0)
		st = insert(&b);
	if (st == ST_OK)
		remember(&b);
	pthread_mutex_unlock(&d->admin);
	if (st == ST_OK)
		*ret = (struct auth_account_add_reply){ .first_account = b.count > 0 ? b.rows[0].id : 0,
							.added = b.count };
	arena_free(&b.a);
	return st;
}
