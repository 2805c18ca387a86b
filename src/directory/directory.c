/* directory/directory.c - open, load, close; see directory.h. */
#include "directory/directory.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "directory/directory_int.h"
#include "directory/directory_sign.h"
#include "directory/lane.h"
#include "directory/probe_known.h"
#include "directory/throttle.h"
#include "directory/verified.h"
#include "sys/clock.h"
#include "sys/random.h"

#define RETENTION_MS ((int64_t)30 * 24 * 3600 * 1000)

/* AUTOINCREMENT: an id is never given to a second account, whose mail would then meet the first one's. */
static const char *const steps[] = {
	"CREATE TABLE domain ("
	" name TEXT PRIMARY KEY NOT NULL,"
	" created_ms INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"CREATE TABLE account ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" address TEXT NOT NULL UNIQUE,"
	" domain TEXT NOT NULL,"
	" hash TEXT NOT NULL,"
	" quota_octets INTEGER NOT NULL,"
	" disabled INTEGER NOT NULL,"
	" removed_ms INTEGER NOT NULL,"
	" created_ms INTEGER NOT NULL"
	");"
	"CREATE INDEX account_domain ON account (domain, address);"
	"CREATE TABLE alias ("
	" name TEXT NOT NULL,"
	" position INTEGER NOT NULL,"
	" domain TEXT NOT NULL,"
	" target TEXT NOT NULL,"
	" PRIMARY KEY (name, position)"
	") WITHOUT ROWID;"
	"CREATE INDEX alias_target ON alias (target);",
	/* Accounts that are forgotten, and whose mail is to be purged; `last`: for the last time. */
	"CREATE TABLE gone ("
	" id INTEGER PRIMARY KEY NOT NULL,"
	" due_ms INTEGER NOT NULL,"
	" last INTEGER NOT NULL"
	");",
	/* Ways to sign in beside the password's hash; and secrets of this directory. */
	"CREATE TABLE scram ("
	" account INTEGER PRIMARY KEY NOT NULL,"
	" iterations INTEGER NOT NULL,"
	" sha1 BLOB NOT NULL," /* salt, StoredKey, ServerKey */
	" sha256 BLOB NOT NULL"
	");"
	"CREATE TABLE credential ("
	" kind INTEGER NOT NULL," /* enum auth_credential_kind */
	" hash BLOB NOT NULL,"    /* SHA-256 */
	" account INTEGER NOT NULL,"
	" scope TEXT NOT NULL,"
	" created_ms INTEGER NOT NULL,"
	" expires_ms INTEGER NOT NULL," /* 0: never */
	" PRIMARY KEY (kind, hash)"
	") WITHOUT ROWID;"
	"CREATE INDEX credential_account ON credential (account);"
	"CREATE TABLE secret ("
	" name TEXT PRIMARY KEY NOT NULL,"
	" value BLOB NOT NULL"
	") WITHOUT ROWID;",
	/* Relay domains; who may write to an alias; what accounts lend; rewriting. */
	"ALTER TABLE domain ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE domain ADD COLUMN relay TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE domain ADD COLUMN verify INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE policy ("
	" name TEXT NOT NULL,"
	" position INTEGER NOT NULL,"
	" rule INTEGER NOT NULL,"
	" address TEXT NOT NULL,"
	" PRIMARY KEY (name, position)"
	") WITHOUT ROWID;"
	"CREATE TABLE delegate ("
	" owner INTEGER NOT NULL,"
	" user INTEGER NOT NULL,"
	" grants INTEGER NOT NULL,"
	" PRIMARY KEY (owner, user)"
	") WITHOUT ROWID;"
	"CREATE TABLE rewrite ("
	" source TEXT NOT NULL,"
	" scope INTEGER NOT NULL,"
	" target TEXT NOT NULL,"
	" PRIMARY KEY (source, scope)"
	") WITHOUT ROWID;",
	/* DKIM keys. keyed: whether the domain ever had some. */
	"ALTER TABLE domain ADD COLUMN keyed INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE dkim ("
	" domain TEXT NOT NULL,"
	" selector TEXT NOT NULL,"
	" algorithm INTEGER NOT NULL," /* enum dkim_algorithm */
	" state INTEGER NOT NULL,"     /* enum auth_key_state */
	" created_ms INTEGER NOT NULL,"
	" secret BLOB NOT NULL," /* PKCS#8 */
	" PRIMARY KEY (domain, selector)"
	") WITHOUT ROWID;",
	/* Rules of routes, and credentials for other hosts. AUTOINCREMENT: an id never means other credentials. */
	"CREATE TABLE route ("
	" recipient TEXT NOT NULL," /* a pattern; '': all */
	" sender TEXT NOT NULL,"
	" given INTEGER NOT NULL," /* enum auth_route_given */
	" via TEXT NOT NULL,"
	" tls INTEGER NOT NULL," /* enum hop_tls */
	" source4 TEXT NOT NULL,"
	" source6 TEXT NOT NULL,"
	" helo TEXT NOT NULL,"
	" login INTEGER NOT NULL," /* 0: none */
	" connections INTEGER NOT NULL,"
	" rate INTEGER NOT NULL,"
	" rate_s INTEGER NOT NULL,"
	" PRIMARY KEY (recipient, sender)"
	") WITHOUT ROWID;"
	"CREATE TABLE login ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" kind INTEGER NOT NULL," /* enum auth_login_kind */
	" user TEXT NOT NULL,"
	" secret BLOB NOT NULL,"
	" endpoint TEXT NOT NULL,"
	" client TEXT NOT NULL,"
	" client_secret BLOB NOT NULL,"
	" scope TEXT NOT NULL"
	");",
	/* Quotas: of messages, of domains; and what the accounts of a domain with a total hold. */
	"ALTER TABLE account ADD COLUMN quota_messages INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE domain ADD COLUMN account_octets INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE domain ADD COLUMN account_messages INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE domain ADD COLUMN total_octets INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE domain ADD COLUMN total_messages INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE used ("
	" account INTEGER PRIMARY KEY NOT NULL,"
	" octets INTEGER NOT NULL,"
	" messages INTEGER NOT NULL"
	");",
	/* Groups of accounts, and who shares mailboxes with whom. AUTOINCREMENT: a number never means another group. */
	"CREATE TABLE team ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" name TEXT NOT NULL UNIQUE"
	");"
	"CREATE TABLE member ("
	" team INTEGER NOT NULL,"
	" account INTEGER NOT NULL,"
	" PRIMARY KEY (team, account)"
	") WITHOUT ROWID;"
	"CREATE INDEX member_account ON member (account);"
	"CREATE TABLE share ("
	" owner INTEGER NOT NULL,"
	" kind INTEGER NOT NULL," /* enum auth_subject */
	" subject INTEGER NOT NULL,"
	" admin INTEGER NOT NULL,"
	" PRIMARY KEY (owner, kind, subject)"
	") WITHOUT ROWID;"
	"CREATE INDEX share_subject ON share (kind, subject);",
};
static const struct db_schema schema = { steps, LEN(steps) };

int64_t dir_mono_ms(const struct directory *d)
{
	return d->options.mono_ms();
}

int64_t dir_wall_ms(const struct directory *d)
{
	return d->options.wall_ms();
}

enum status dir_commit(struct directory *d, enum status st)
{
	if (st != ST_OK) {
		db_rollback(d->db);
		return st;
	}
	st = db_commit(d->db);
	return st == ST_OK ? db_sync(d->db) : st;
}

struct guard *directory_guard(const struct directory *d)
{
	return d->options.guard;
}

/* The row's end is the loop's end; anything else is a failure. */
static enum status rows_end(struct db_stmt *s, enum status st)
{
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status load_domains(struct directory *d)
{
	struct db_stmt *s = db_sql(d->db, "SELECT name, created_ms, kind, relay, verify, keyed, account_octets, account_messages,"
					  " total_octets, total_messages FROM domain");
	enum status     st;

	while ((st = db_step(s)) == ST_OK) {
		struct dir_domain row = {
			.name = db_str(s, 0),
			.created_ms = db_i64(s, 1),
			.kind = (enum auth_domain_kind)db_u64(s, 2),
			.relay = db_str(s, 3),
			.verify = (enum auth_verify)db_u64(s, 4),
			.keyed = db_u64(s, 5) != 0,
			.quota = { db_u64(s, 6), db_u64(s, 7), db_u64(s, 8), db_u64(s, 9) },
		};

		if (row.kind > AUTH_DOMAIN_LAST || row.verify > AUTH_VERIFY_LAST) {
			st = ST_CORRUPT;
			break;
		}
		dir_domain_put(d, &row);
	}
	return rows_end(s, st);
}

static enum status load_accounts(struct directory *d)
{
	struct db_stmt *s = db_sql(
		d->db, "SELECT id, address, domain, hash, quota_octets, disabled, removed_ms, created_ms, quota_messages FROM account");
	enum status st;

	while ((st = db_step(s)) == ST_OK) {
		struct dir_account row = {
			.id = db_u64(s, 0),
			.address = db_str(s, 1),
			.domain = map_find(&d->domains, db_str(s, 2)),
			.hash = db_str(s, 3),
			.quota_octets = db_u64(s, 4),
			.disabled = db_u64(s, 5) != 0,
			.removed_ms = db_i64(s, 6),
			.created_ms = db_i64(s, 7),
			.quota_messages = db_u64(s, 8),
		};

		if (row.domain == NULL || row.address.n == 0) {
			st = ST_CORRUPT;
			break;
		}
		dir_account_put(d, &row);
	}
	return rows_end(s, st);
}

/* The rows of one alias follow each other. */
static enum status load_aliases(struct directory *d)
{
	struct arena   *a = arena_new(NULL);
	struct str     *to = ARENA_ARRAY(a, struct str, LIMIT_ALIAS_TARGETS), name = STR_NONE;
	struct db_stmt *s = db_sql(d->db, "SELECT name, domain, target FROM alias ORDER BY name, position");
	struct arena   *texts = arena_new(a);
	size_t          count = 0;
	enum status     st;

	do {
		st = db_step(s);
		if (count > 0 && (st != ST_OK || !str_eq(db_str(s, 0), name))) {
			struct dir_domain *dom =
				map_find(&d->domains, str_from(name, (size_t)str_rfind(name, '@') + 1));

			if (dom == NULL) {
				st = ST_CORRUPT;
				break;
			}
			dir_alias_put(d, dir_alias_new(name, to, count, dom));
			arena_reset(texts);
			count = 0;
		}
		if (st == ST_OK && count == LIMIT_ALIAS_TARGETS)
			st = ST_CORRUPT;
		if (st == ST_OK && count == 0)
			name = arena_dup(texts, db_str(s, 0));
		if (st == ST_OK)
			to[count++] = arena_dup(texts, db_str(s, 2));
	} while (st == ST_OK);
	arena_free(&a);
	return rows_end(s, st);
}

static enum status load(struct directory *d)
{
	enum status st = load_domains(d);

	if (st == ST_OK)
		st = load_accounts(d);
	if (st == ST_OK)
		st = dir_used_load(d);
	if (st == ST_OK)
		st = load_aliases(d);
	if (st == ST_OK)
		st = dir_scram_load(d);
	if (st == ST_OK)
		st = dir_credential_load(d);
	if (st == ST_OK)
		st = dir_scram_secret(d);
	if (st == ST_OK)
		st = dir_load_more(d);
	if (st == ST_OK)
		st = dir_keys_load(d);
	return st;
}

void directory_set_subaddress(struct directory *d, struct str separators)
{
	pthread_rwlock_wrlock(&d->lock);
	CHECK(str_to_c(separators, d->separators, sizeof(d->separators)));
	pthread_rwlock_unlock(&d->lock);
}

static void options_set(struct directory *d, const struct directory_options *options)
{
	struct directory_options *o = &d->options;

	*o = *options;
	if (o->path == NULL)
		o->path = "auth/directory.db";
	if (o->hash_threads == 0)
		o->hash_threads = 2;
	if (o->retention_ms == 0)
		o->retention_ms = RETENTION_MS;
	if (o->mono_ms == NULL)
		o->mono_ms = clock_mono_ms;
	if (o->wall_ms == NULL)
		o->wall_ms = clock_wall_ms;
	directory_set_subaddress(d, o->subaddress != NULL ? str_of(o->subaddress) : STR("+"));
	d->cost = (struct password_cost){ o->hash_ops, o->hash_memory_octets };
	d->scram_iterations = o->scram_iterations > 0 ? o->scram_iterations : SCRAM_ITERATIONS;
}

/* A change waits for the questions that are being answered, not for those that come after it. */
static void lock_init(struct directory *d)
{
	pthread_rwlockattr_t attr;

	CHECK(pthread_rwlockattr_init(&attr) == 0 &&
	      pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) == 0 &&
	      pthread_rwlock_init(&d->lock, &attr) == 0);
	pthread_rwlockattr_destroy(&attr);
}

enum status directory_open(const struct directory_options *options, struct directory **ret)
{
	struct directory *d = calloc(1, sizeof(*d));
	enum status       st;

	CHECK(d != NULL && pthread_mutex_init(&d->admin, NULL) == 0);
	lock_init(d);
	options_set(d, options);
	dir_mem_init(d);
	d->probes = probe_known_new(LIMIT_PROBES_KNOWN);
	random_octets(d->token_key, sizeof(d->token_key));
	/* Tokens may outlive us: none of them may meet its generation again by chance. */
	d->generation = random_u64() >> 1;
	if (d->options.session_key.n == SESSION_KEY)
		memcpy(d->session_key, d->options.session_key.p, SESSION_KEY);
	else
		random_octets(d->session_key, SESSION_KEY);
	st = password_init();
	if (st == ST_OK)
		st = password_hash(&d->cost, STR("nobody"), &d->nobody);
	if (st == ST_OK)
		st = db_open(d->options.path, &(struct db_options){ .schema = &schema, .create = d->options.create },
			     &d->db);
	if (st == ST_OK)
		st = load(d);
	if (st != ST_OK) {
		log_error("directory not opened", LOG_C("path", d->options.path), LOG_ST("status", st));
		directory_close(&d);
		return st;
	}
	d->throttle = throttle_new();
	d->verified = verified_new();
	d->lane = lane_new(MIN(d->options.hash_threads, LIMIT_HASH_THREADS), LIMIT_HASH_QUEUE, LIMIT_HASH_RESERVE,
			   LIMIT_HASH_SHARE);
	d->signers = lane_new(LIMIT_DKIM_THREADS, LIMIT_DKIM_BACKLOG, 0, 0);
	*ret = d;
	return ST_OK;
}

void directory_close(struct directory **dp)
{
	struct directory *d = *dp;

	if (d == NULL)
		return;
	atomic_store(&d->closing, true);
	lane_free(&d->lane);
	lane_free(&d->signers);
	if (d->throttle != NULL)
		throttle_free(&d->throttle);
	if (d->verified != NULL)
		verified_free(&d->verified);
	if (d->db != NULL)
		db_close(&d->db);
	probe_known_free(&d->probes);
	dir_mem_done(d);
	pthread_rwlock_destroy(&d->lock);
	pthread_mutex_destroy(&d->admin);
	explicit_bzero(d->token_key, sizeof(d->token_key));
	explicit_bzero(d->session_key, sizeof(d->session_key));
	explicit_bzero(d->scram_secret, sizeof(d->scram_secret));
	explicit_bzero(d->srs_key, sizeof(d->srs_key));
	free(d);
	*dp = NULL;
}
