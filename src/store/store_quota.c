/* store/store_quota.c - what an account may hold, and telling its owner when there is little left.
 *
 * Usage stands in the account row, so that a look costs nothing and is never wrong. A warning is a message in INBOX, made in the transaction
 * that remembers its percent: there is one for each time a percent is passed, whatever dies when. It is forgotten when usage has fallen
 * WARN_BACK percents below, so that one who lives at the edge is not told with every message.
 */
#include "base/log.h"
#include "store/store_internal.h"
#include "sys/clock.h"
#include "sys/random.h"
#include "wire/mime/mime_build.h"

#define WARN_BACK   5u
#define WARNING_MAX ((size_t)8 * KIB)

/* ---- room ---- */

bool store_quota_room(const struct store_quota *q, const struct account_state *t, uint64_t count, uint64_t octets)
{
	uint64_t most;

	if (q->messages > 0 && (count > q->messages || t->messages > q->messages - count))
		return false;
	if (__builtin_add_overflow(q->octets, q->strict ? 0 : q->octets / 100 * STORE_QUOTA_GRACE, &most))
		most = UINT64_MAX;
	return q->octets == 0 || (t->size < q->octets && octets <= most && t->size <= most - octets);
}

void store_quota_set(struct store_account *a, const struct store_quota *quota, struct str address)
{
	a->quota = *quota;
	a->owner = address;
}

enum status store_quota_fits(struct store_account *a, uint64_t count, uint64_t octets)
{
	struct account_state t = { 0 };
	enum status          st = store_state_read(a, &t);

	if (st == ST_NOT_FOUND) /* nothing was ever written there */
		st = ST_OK;
	return st != ST_OK ? st : store_quota_room(&a->quota, &t, count, octets) ? ST_OK : ST_QUOTA;
}

/* ---- warnings ---- */

static unsigned percent(uint64_t used, uint64_t most)
{
	return most == 0 ? 0 : (unsigned)MIN(used / MAX(most / 100, (uint64_t)1), (uint64_t)1000);
}

static unsigned used_percent(const struct store_quota *q, const struct account_state *t)
{
	/* A quota of less than 100 messages: by the exact share. */
	unsigned messages = q->messages > 0 && q->messages < 100 ? (unsigned)MIN(t->messages * 100 / q->messages, (uint64_t)1000) :
								  percent(t->messages, q->messages);

	return MAX(percent(t->size, q->octets), messages);
}

/* The highest percent of the options that `used` has reached. */
static unsigned level(const struct store *s, unsigned used)
{
	unsigned l = 0;

	for (size_t i = 0; i < STORE_WARN_MAX && s->options.warn[i] > 0; i++)
		if (used >= s->options.warn[i])
			l = s->options.warn[i];
	return l;
}

static enum status warned_read(struct store_account *a, unsigned *ret)
{
	struct db_stmt *s = db_sql(a->db, "SELECT warned FROM warning WHERE account = ?1");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	st = db_step(s);
	*ret = st == ST_OK ? (unsigned)db_u64(s, 0) : 0;
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status warned_write(struct store_account *a, unsigned warned)
{
	struct db_stmt *s = db_sql(a->db, "INSERT OR REPLACE INTO warning VALUES (?1, ?2)");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, warned);
	return db_run(s);
}

/* What is to be remembered now; equal to `warned`: nothing is to be done. */
static unsigned next_level(const struct store *s, unsigned used, unsigned warned)
{
	unsigned now = level(s, used);

	return now >= warned ? now : MIN(level(s, used + WARN_BACK), warned);
}

static void text_write(const struct store *s, const struct store_quota *q, const struct account_state *t, unsigned used, struct str address,
		       struct buf *out)
{
	char             text[200];
	struct buf       b = { .p = text, .cap = sizeof(text), .max = sizeof(text) };
	struct text_date now = { clock_wall_ms(), 0 };
	const char      *host = s->options.hostname ? s->options.hostname : "localhost";

	buf_addf(&b, "MAILER-DAEMON@%.150s", host);
	mime_build_mailbox(STR("From"), STR("Mail system"), buf_str(&b), false, out);
	mime_build_mailbox(STR("To"), STR(""), address, true, out);
	buf_clear(&b);
	buf_addf(&b, "Your mailbox is %u%% full", used);
	mime_build_text(STR("Subject"), buf_str(&b), false, out);
	mime_build_date(STR("Date"), now, out);
	buf_clear(&b);
	buf_addf(&b, "<%016llx%016llx@%.150s>", (unsigned long long)random_u64(), (unsigned long long)random_u64(), host);
	mime_build_field(STR("Message-ID"), buf_str(&b), out);
	buf_add(out, STR("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"));
	buf_addf(out, "Your mailbox is %u%% full.\r\n\r\n", used);
	if (q->octets > 0)
		buf_addf(out, "Storage:  %llu of %llu KiB\r\n", (unsigned long long)t->size / 1024, (unsigned long long)q->octets / 1024);
	if (q->messages > 0)
		buf_addf(out, "Messages: %llu of %llu\r\n", (unsigned long long)t->messages, (unsigned long long)q->messages);
	buf_add(out, STR("\r\nWhen it is full, no more mail is taken for it. Delete what you no longer need,\r\nand empty the trash.\r\n"));
}

static enum status message_put(struct store_account *a, const struct store_quota *q, unsigned used, struct str address, struct arena *arena)
{
	struct store_bytes     bytes = { 0 };
	struct store_facts_row facts;
	struct store_mailbox   inbox;
	struct store_row       row = { .internal_ms = clock_wall_ms() };
	struct buf             text;
	uint64_t               id;
	enum status            st = store_mailbox_row_find(a, STR("INBOX"), &id);

	buf_init(&text, WARNING_MAX);
	text_write(a->store, q, &a->state, used, address, &text);
	if (st == ST_OK)
		st = text.over ? ST_LIMIT : store_mailbox_row(a, id, &inbox);
	if (st == ST_OK)
		st = store_bytes_memory(buf_str(&text), &bytes);
	if (st == ST_OK) {
		store_email_facts(bytes.content, arena, &facts);
		row.size = bytes.content.n;
		st = store_email_insert(a, &bytes, &facts, 1, &row.email);
	}
	if (st == ST_OK)
		st = store_message_insert(a, &inbox, &row, row.internal_ms);
	if (st == ST_OK)
		st = store_mailbox_row_write(a, &inbox);
	if (st == ST_OK)
		st = store_txn_change(a, CHANGE_MESSAGE, id, CHANGE_CREATED, &row.uid, 1);
	store_bytes_done(&bytes);
	buf_done(&text);
	return st;
}

static enum status look_inside(struct store_account *a, const struct store_quota *q, struct str address, struct arena *arena)
{
	unsigned    used = used_percent(q, &a->state), warned, next;
	enum status st = warned_read(a, &warned);

	if (st != ST_OK)
		return st;
	next = next_level(a->store, used, warned);
	if (next == warned)
		return ST_OK;
	st = warned_write(a, next);
	return st == ST_OK && next > warned ? message_put(a, q, used, address, arena) : st;
}

void store_quota_look(struct store_account *a, const struct store_quota *q, struct str address, bool durable)
{
	struct arena *arena CLEANUP(arena_free) = NULL;
	struct account_state t;
	unsigned             warned = 0;
	enum status          st;

	if (address.n == 0 || a->store->options.warn[0] == 0 || (q->octets == 0 && q->messages == 0))
		return;
	st = store_state_read(a, &t);
	if (st == ST_OK)
		st = warned_read(a, &warned);
	/* Nothing to do, as nearly always; looked at again under the lock. */
	if (st == ST_OK && next_level(a->store, used_percent(q, &t), warned) == warned)
		return;
	arena = arena_new(NULL);
	if (st == ST_OK)
		st = store_txn_begin(a, true);
	if (st == ST_OK)
		st = store_txn_end(a, look_inside(a, q, address, arena), durable);
	if (st != ST_OK)
		log_debug("owner not warned of his quota yet", LOG_U64("account", a->id), LOG_ST("status", st));
}
