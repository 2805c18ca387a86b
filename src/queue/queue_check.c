/* queue/queue_check.c - the numbered invariants of docs/formats/queue.md, as questions to the tables. */
#include "base/arena.h"
#include "queue/queue_in.h"
#include "sys/disk.h"
#include "wire/text/queue_id.h"

struct check {
	struct queue   *q;
	queue_found_fn *found;
	void           *arg;
	struct arena   *arena;
	uint64_t        breaks;
	enum status     st;
};

static void note(struct check *c, const char *invariant, struct str text)
{
	c->breaks++;
	c->found(c->arg, invariant, text);
}

/* Each statement gives one row per break: a number that tells which. */
static const struct {
	const char *invariant, *sql, *text;
} rules[] = {
	{ "Q1", "SELECT id FROM message WHERE id >= (SELECT value FROM meta WHERE name = 'next_id')", "id was not reserved" },
	{ "Q1", "SELECT base FROM message WHERE base >= (SELECT value FROM meta WHERE name = 'next_id')", "delivery id was not reserved" },
	{ "Q2", "SELECT id FROM message m WHERE NOT EXISTS(SELECT 1 FROM rcpt r WHERE r.message = m.id AND r.state = 0)", "nobody is left to be delivered to" },
	{ "Q2", "SELECT DISTINCT message FROM rcpt WHERE message NOT IN (SELECT id FROM message)", "recipients without a message" },
	{ "Q3", "SELECT id FROM message m WHERE file = 0 AND NOT EXISTS(SELECT 1 FROM content c WHERE c.message = m.id AND length(c.data) = m.size)", "content is missing or of another size" },
	{ "Q3", "SELECT id FROM message WHERE file <> 0 AND id IN (SELECT message FROM content)", "content is in a row and in a file" },
	{ "Q3", "SELECT message FROM content WHERE message NOT IN (SELECT id FROM message)", "content without a message" },
	{ "Q3", "SELECT max(id) FROM message WHERE file <> 0 GROUP BY file HAVING count(*) > 1", "two messages share a file" },
	{ "Q4", "SELECT max(id) FROM message WHERE base <> 0 GROUP BY base HAVING count(*) > 1", "two messages share a delivery id" },
	{ "Q5", "SELECT id FROM message WHERE pinned = 1 AND base = 0", "pinned without a delivery id" },
	{ "Q5", "SELECT id FROM message WHERE base <> 0 AND pinned = 0 AND (state = 2 OR due IS NOT NULL)", "waits with a delivery id that is not pinned" },
	{ "Q6", "SELECT id FROM message WHERE state NOT IN (0, 2) OR (state = 2 AND due IS NOT NULL)", "state and due time do not fit" },
	{ "Q10", "SELECT message FROM rcpt WHERE notify & 1 AND notify <> 1 OR notify NOT BETWEEN 0 AND 15", "NOTIFY is none" },
	{ "Q10", "SELECT message FROM rcpt WHERE state = 1 AND notify & 2 AND account <> 0", "a local delivery was written without its report" },
	{ "Q10", "SELECT r.message FROM rcpt r JOIN message m ON m.id = r.message WHERE r.state = 1 AND r.notify & 2 AND (m.sender = '' OR m.flags & 8)", "a report is owed to nobody" },
	{ "Q11", "SELECT id FROM message WHERE priority NOT BETWEEN -9 AND 9", "priority out of range" },
	{ "Q12", "SELECT id FROM message WHERE lane NOT BETWEEN 0 AND 255", "lane out of range" },
	{ "Q8", "SELECT message FROM rcpt WHERE fixed = 1 AND state <> 2 AND account = 0 AND target = ''", "a target by itself without a target" },
};

static void run_rule(struct check *c, size_t i)
{
	struct db_stmt *s = db_sql(c->q->db, rules[i].sql);
	enum status     st;

	while ((st = db_step(s)) == ST_OK)
		note(c, rules[i].invariant, arena_printf(c->arena, "%s: %s", queue_id_text(db_u64(s, 0)).p, rules[i].text));
	db_done(s);
	if (st != ST_NOT_FOUND)
		c->st = st;
}

/* Q3: every file that a row names is there and of its size. */
static void check_files(struct check *c)
{
	static const char sql[] = "SELECT id, file, size FROM message WHERE file <> 0";
	struct db_stmt   *s = db_sql(c->q->db, sql);
	enum status       st;

	while ((st = db_step(s)) == ST_OK) {
		int      fd CLEANUP(fd_close) = -1;
		uint64_t size = 0;

		if (queue_file_open(c->q, db_u64(s, 1), &fd) != ST_OK || disk_size(fd, &size) != ST_OK || size != db_u64(s, 2))
			note(c, "Q3", arena_printf(c->arena, "%s: its file is missing or of another size", queue_id_text(db_u64(s, 0)).p));
	}
	db_done(s);
	if (st != ST_NOT_FOUND)
		c->st = st;
}

enum status queue_check(struct queue *q, queue_found_fn *found, void *arg, uint64_t *ret_breaks)
{
	struct check c = { .q = q, .found = found, .arg = arg };

	CHECK(!q->threaded);
	c.arena = arena_new(NULL);
	for (size_t i = 0; i < LEN(rules) && c.st == ST_OK; i++)
		run_rule(&c, i);
	if (c.st == ST_OK)
		check_files(&c);
	arena_free(&c.arena);
	if (c.st == ST_OK)
		*ret_breaks = c.breaks;
	return c.st;
}
