/* store/store_listing.c - rows of `listing`: written with their email, read in one walk where emails lie dense.
 *
 * A listing is: how many names of the list below were kept when it was written, how many fields there are, for each field three octets (its name's place
 * in the list, and its length, lowest octet first), then the fields.
 */
#include "store/store_listing.h"

#include <string.h>

#include "store/store_internal.h"
#include "wire/mime/mime.h"

#define ENTRY 3u

/* What clients ask for in lists of messages; Received and signatures are not among them, and long. The places are stored: names are added at the
 * end and never taken away. One that a message does not have costs nothing. */
static const struct str kept[] = {
	/* nearly all of them */
	STR("Date"), STR("From"), STR("Sender"), STR("Reply-To"), STR("To"), STR("Cc"), STR("Bcc"), STR("Subject"), STR("Message-ID"),
	STR("In-Reply-To"), STR("References"), STR("Content-Type"),
	/* Apple Mail */
	STR("Content-Transfer-Encoding"), STR("MIME-Version"), STR("List-Id"),
	/* mutt and NeoMutt, K-9 */
	STR("List-Post"), STR("List-Unsubscribe"),
	/* Thunderbird */
	STR("X-Priority"), STR("Priority"), STR("Importance"),
	/* Roundcube and SnappyMail */
	STR("Disposition-Notification-To"), STR("Return-Receipt-To"),
	/* Thunderbird, for news too; columns that its users add */
	STR("Newsgroups"), STR("User-Agent"), STR("X-Mailer"),
	/* mutt and NeoMutt */
	STR("X-Label"), STR("Mail-Followup-To"), STR("Content-Description"), STR("Lines"), STR("List-Subscribe"), STR("X-Original-To"),
	/* Roundcube */
	STR("Mail-Reply-To"),
	/* Evolution */
	STR("Return-Path"), STR("Content-Class"), STR("X-Calendar-Attachment"), STR("X-Mailing-List"), STR("X-Loop"), STR("Mailing-List"),
	STR("Originator"), STR("X-List"), STR("X-BeenThere"),
	/* SnappyMail */
	STR("X-MSMail-Priority"), STR("Sensitivity"),
	/* Apple Mail: its notes */
	STR("X-Uniform-Type-Identifier"), STR("X-Universally-Unique-Identifier"),
	/* K-9 */
	STR("X-K9mail-Identity"), STR("Chat-Version"),
};
_Static_assert(LEN(kept) < 64, "a bit for each name");

/* LEN(kept): it is none of them. */
static size_t name_find(struct str name)
{
	size_t i = 0;

	while (i < LEN(kept) && !str_ieq(kept[i], name))
		i++;
	return i;
}

uint64_t store_listing_names(const struct str *names, size_t count)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < count; i++) {
		size_t at = name_find(names[i]);

		if (at == LEN(kept))
			return 0;
		bits |= (uint64_t)1 << at;
	}
	return bits;
}

/* ---- written ---- */

struct str store_listing_make(struct str header, struct arena *arena)
{
	struct mime_field f;
	struct str        wholes[STORE_LISTING_FIELDS];
	uint8_t           head[2 + ENTRY * STORE_LISTING_FIELDS] = { LEN(kept) };
	size_t            n = 0, octets = 0, at;
	char             *p;

	if (header.n > LIMIT_HEADER_BLOCK) /* not all of it is looked at by who reads the content */
		return STR_NONE;
	while (mime_field_next(&header, &f)) {
		at = name_find(f.name);
		if (at == LEN(kept))
			continue;
		/* Where the message ends inside of a field, who shows it puts a line end behind it. */
		if (n == LEN(wholes) || f.whole.n > STORE_LISTING_MAX - octets || f.whole.p[f.whole.n - 1] != '\n')
			return STR_NONE;
		head[2 + ENTRY * n] = (uint8_t)at;
		head[3 + ENTRY * n] = (uint8_t)(f.whole.n & 0xff);
		head[4 + ENTRY * n] = (uint8_t)(f.whole.n >> 8);
		octets += f.whole.n;
		wholes[n++] = f.whole;
	}
	at = 2 + ENTRY * n;
	if (at + octets > STORE_LISTING_MAX)
		return STR_NONE;
	head[1] = (uint8_t)n;
	p = arena_alloc(arena, at + octets);
	memcpy(p, head, at);
	for (size_t i = 0; i < n; at += wholes[i++].n)
		memcpy(p + at, wholes[i].p, wholes[i].n);
	return str_n(p, at);
}

enum status store_listing_drop(struct store_account *a, uint64_t email)
{
	struct db_stmt *s = db_sql(a->db, "DELETE FROM listing WHERE id = ?2 AND account = ?1");

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, email);
	return db_run(s);
}

enum status store_listing_write(struct store_account *a, uint64_t email, struct str listing)
{
	struct db_stmt *s;

	if (listing.n == 0)
		return store_listing_drop(a, email);
	s = db_sql(a->db, "INSERT OR REPLACE INTO listing VALUES (?2, ?1, ?3)");
	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, email);
	db_bind_blob(s, 3, listing);
	return db_run(s);
}

enum status store_listing_untrue(struct store_account *a, struct db_stmt **s, uint64_t *ret_id)
{
	enum status st;

	if (!*s) {
		*s = db_sql(a->db, "SELECT l.id, l.fields, e.header_n, c.data FROM listing l JOIN email e ON e.id = l.id JOIN content c ON c.id = e.content"
				   " WHERE l.account = ?1 AND c.data IS NOT NULL");
		db_bind_u64(*s, 1, a->id);
	}
	while ((st = db_step(*s)) == ST_OK) {
		struct arena *arena CLEANUP(arena_free) = arena_new(NULL);
		struct str          listing = db_str(*s, 1);
		uint64_t            header_n = MIN(db_u64(*s, 2), (uint64_t)SIZE_MAX);

		if (listing.n > 0 && (uint8_t)listing.p[0] != LEN(kept))
			continue;
		if (!str_eq(listing, store_listing_make(str_first(db_str(*s, 3), (size_t)header_n), arena))) {
			*ret_id = db_u64(*s, 0);
			return ST_OK;
		}
	}
	return st;
}

/* ---- read ---- */

bool store_listing_pick(struct str listing, uint64_t names, struct store_listed *ret)
{
	size_t fields, at;

	if (listing.n < 2)
		return false;
	fields = (uint8_t)listing.p[1];
	at = 2 + ENTRY * fields;
	if (fields > STORE_LISTING_FIELDS || at > listing.n || (uint8_t)listing.p[0] > 63 || names >> (uint8_t)listing.p[0])
		return false;
	ret->count = ret->octets = 0;
	for (size_t i = 0; i < fields; i++) {
		const char *entry = &listing.p[2 + ENTRY * i];
		size_t      n = (uint8_t)entry[1] | (size_t)(uint8_t)entry[2] << 8;

		if (n > listing.n - at || (uint8_t)entry[0] > 63)
			return false;
		if (names >> entry[0] & 1) {
			struct str *last = ret->count > 0 ? &ret->runs[ret->count - 1] : NULL;

			if (last && last->p + last->n == listing.p + at)
				last->n += n;
			else
				ret->runs[ret->count++] = str_sub(listing, at, n);
			ret->octets += n;
		}
		at += n;
	}
	return at == listing.n;
}

static struct str row_take(struct str listing, uint64_t names, struct arena *arena)
{
	struct store_listed l;

	return store_listing_pick(listing, names, &l) ? arena_dup(arena, listing) : STR_NONE;
}

static enum status dense(struct store_account *a, const uint64_t *emails, size_t count, uint64_t names, struct arena *arena, struct str *ret)
{
	struct db_stmt *s = db_sql(a->db, "SELECT id, fields FROM listing WHERE id BETWEEN ?2 AND ?3 AND account = ?1 ORDER BY id");
	size_t          at = 0;
	enum status     st = ST_OK;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, emails[0]);
	db_bind_u64(s, 3, emails[count - 1]);
	while (at < count && (st = db_step(s)) == ST_OK) {
		uint64_t id = db_u64(s, 0);

		while (at < count && emails[at] < id)
			at++;
		if (at < count && emails[at] == id)
			ret[at++] = row_take(db_str(s, 1), names, arena);
	}
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status one(struct store_account *a, uint64_t email, uint64_t names, struct arena *arena, struct str *ret)
{
	struct db_stmt *s = db_sql(a->db, "SELECT fields FROM listing WHERE id = ?2 AND account = ?1");
	enum status     st;

	db_bind_u64(s, 1, a->id);
	db_bind_u64(s, 2, email);
	st = db_step(s);
	if (st == ST_OK)
		*ret = row_take(db_str(s, 0), names, arena);
	db_done(s);
	return st == ST_NOT_FOUND ? ST_OK : st;
}

/* A page of listings that is damaged hides no mail: of what is not found the content is read. */
enum status store_listings(struct store_account *a, const uint64_t *emails, size_t count, uint64_t names, struct arena *arena, struct str *ret)
{
	enum status st = db_begin_read(a->db);

	for (size_t i = 0; i < count; i++)
		ret[i] = STR_NONE;
	if (st == ST_OK && store_sort_dense(emails, count)) {
		st = dense(a, emails, count, names, arena, ret);
	} else {
		for (size_t i = 0; i < count && st == ST_OK; i++)
			st = one(a, emails[i], names, arena, &ret[i]);
	}
	db_rollback(a->db);
	return st == ST_CORRUPT ? ST_OK : st;
}
