/* imap/imap_cmd_append.c - APPEND (RFC 9051 §6.3.12), of one message or several (MULTIAPPEND, RFC 3502), with UIDPLUS (RFC 4315),
 * LITERAL+ (RFC 7888), BINARY (RFC 3516), CATENATE (RFC 4469), UTF8 (RFC 6855); and what REPLACE (RFC 8508) shares with it.
 *
 *   text ending in a literal's head --imap_append_literal--> refused: NO before any octet where the client waits for "+"
 *     content octets --imap_append_sink--> the store (memory, then a file) --imap_append_data--> more text ...
 *     end of the command --imap_append_end--> stored --> OK
 *
 * TOOBIG, OVERQUOTA and TRYCREATE are told before the message is sent. No handle is held while it comes.
 *
 * NUL: an ordinary literal may hold none (RFC 9051 §9). In a literal8 they are taken, and the parts that hold them are stored in base64
 * (wire/mime/mime_encode.h), so that no stored message has one and everybody can be shown all of it.
 */
#include <stdlib.h>

#include "imap/imap_upload.h"
#include "sys/clock.h"
#include "wire/imap/imap_name.h"
#include "wire/mime/mime_encode.h"

void imap_append_done(struct imap_session *s)
{
	if (!s->upload)
		return;
	for (struct imap_message *m = s->upload->first; m; m = m->next) {
		net_memory_give(net_of(s->conn), m->held);
		store_upload_free(&m->upload);
	}
	s->upload = NULL;
}

struct imap_upload *imap_upload_new(struct imap_session *s)
{
	CHECK(!s->upload);
	s->upload = ARENA_NEW(s->arena, struct imap_upload);
	return s->upload;
}

static enum imap_next syntax(struct imap_session *s)
{
	return s->upload->replace ? imap_bad(s, "Syntax: REPLACE message mailbox [(flag ...)] [\"date\"] {octets}")
				  : imap_bad(s, "Syntax: APPEND mailbox [(flag ...)] [\"date\"] {octets}");
}

/* ---- what the text says ---- */

static enum imap_next mailbox_find(struct imap_session *s)
{
	struct imap_upload   *u = s->upload;
	struct store_account *a;
	struct store_mailbox  m;
	enum imap_name_err    err;
	enum status           st;

	u->given = arena_dup(s->arena, u->reader.mailbox);
	err = imap_name_parse(u->given, imap_utf8(s), s->arena, &u->name);
	if (err != IMAP_NAME_OK)
		return imap_bad_name(s, err == IMAP_NAME_LONG);
	if (store_full(s->env->store))
		return imap_failed(s, ST_FULL);
	st = imap_mailbox_find(s, u->name, IMAP_RIGHT_INSERT, &a, &m);
	if (st == ST_NOT_FOUND)
		return imap_no(s, "[TRYCREATE] No such mailbox");
	if (st != ST_OK)
		return imap_failed(s, st);
	u->mailbox = m.id;
	return IMAP_NEXT_WAIT;
}

static struct imap_flags flags_dup(struct arena *a, const struct imap_flags *f)
{
	struct imap_flags copy = *f;

	copy.keywords = ARENA_ARRAY(a, struct str, f->keyword_count);
	for (size_t i = 0; i < f->keyword_count; i++)
		copy.keywords[i] = arena_dup(a, f->keywords[i]);
	return copy;
}

static enum imap_next message_begin(struct imap_session *s)
{
	struct imap_upload  *u = s->upload;
	struct imap_message *m;
	enum status          st;

	if (u->replace && u->count == 1)
		return imap_bad(s, "One message takes the place of one");
	if (++u->count > LIMIT_IMAP_APPENDS)
		return imap_no(s, "[LIMIT] At most %zu messages at once", LIMIT_IMAP_APPENDS);
	if (!imap_limit_count(s, u->count, true))
		return IMAP_NEXT_REPLY;
	m = ARENA_NEW(s->arena, struct imap_message);
	m->flags = flags_dup(s->arena, &u->reader.flags);
	m->dated = u->reader.dated;
	m->internal_ms = u->reader.internal_ms;
	m->zone = u->reader.zone;
	if (u->last)
		u->last->next = m;
	else
		u->first = m;
	u->last = m;
	u->parts = 0;
	st = store_upload_new(s->env->store, s->account_id, &m->upload);
	return st == ST_OK ? IMAP_NEXT_WAIT : imap_failed(s, st);
}

enum imap_next imap_upload_part(struct imap_session *s)
{
	if (++s->upload->parts > LIMIT_IMAP_PARTS)
		return imap_no(s, "[LIMIT] At most %zu pieces in a message", LIMIT_IMAP_PARTS);
	return IMAP_NEXT_WAIT;
}

enum imap_next imap_upload_more(struct imap_session *s, uint64_t n)
{
	struct imap_upload  *u = s->upload;
	struct imap_message *m = u->last;
	size_t               held;

	if (n > s->set->message_octets - m->size)
		return imap_no(s, "[TOOBIG] Messages of up to %llu octets are taken", (unsigned long long)s->set->message_octets);
	if (n > LIMIT_IMAP_APPEND - u->octets)
		return imap_no(s, "[LIMIT] All messages together are too large");
	held = (size_t)MIN(m->size + n, (uint64_t)LIMIT_INLINE);
	if (held > m->held) {
		if (!net_memory_take(net_of(s->conn), held - m->held))
			return imap_full(s);
		m->held = held;
	}
	m->size += n;
	u->octets += n;
	return IMAP_NEXT_WAIT;
}

static enum imap_next octets_begin(struct imap_session *s, const struct imap_literal *l)
{
	struct imap_upload *u = s->upload;
	enum imap_next      next;

	if (u->reader.utf8 && !imap_utf8(s))
		return imap_bad(s, "Enable UTF8=ACCEPT first");
	if (l->n == 0 && !u->reader.catenate)
		return imap_no(s, "[CANNOT] The message is empty");
	u->binary = u->reader.binary;
	next = imap_upload_part(s);
	return next == IMAP_NEXT_WAIT ? imap_upload_more(s, l->n) : next;
}

/* ---- NULs ---- */

static bool encoded_write(void *ctx, struct str octets)
{
	struct imap_upload *u = ctx;

	u->failed = store_upload_write(u->last->upload, octets);
	return u->failed == ST_OK;
}

/* The same message without NULs takes its place. */
static enum imap_next nuls_encode(struct imap_session *s)
{
	struct imap_upload    *u = s->upload;
	struct arena *arena    CLEANUP(arena_free) = arena_new(NULL);
	struct store_upload   *raw = u->last->upload;
	const struct mime_sink sink = { encoded_write, u };
	struct str             map;
	bool                   ok;
	enum status            st = store_upload_new(s->env->store, s->account_id, &u->last->upload);

	if (st == ST_OK)
		st = store_upload_map(raw, &map);
	if (st != ST_OK) {
		store_upload_free(&raw);
		return imap_failed(s, st);
	}
	ok = mime_encode_nul(map, arena, &sink);
	store_upload_unmap(raw, map);
	store_upload_free(&raw);
	if (u->failed != ST_OK)
		return imap_failed(s, u->failed);
	if (!ok)
		return imap_no(s, "[UNKNOWN-CTE] A NUL is where it cannot be encoded");
	if (store_upload_size(u->last->upload) > s->set->message_octets)
		return imap_no(s, "[TOOBIG] Encoded without NULs the message is too large");
	return IMAP_NEXT_WAIT;
}

static enum imap_next message_end(struct imap_session *s)
{
	struct imap_message *m = s->upload->last;

	if (store_upload_size(m->upload) == 0)
		return imap_no(s, "[CANNOT] The message is empty");
	return m->nul ? nuls_encode(s) : IMAP_NEXT_WAIT;
}

/* ---- storing ---- */

static struct store_new_message new_message(const struct imap_message *m, int64_t now_ms)
{
	return (struct store_new_message){
		.upload = m->upload,
		.flags = m->flags.mask,
		.keywords = m->flags.keywords,
		.keyword_count = m->flags.keyword_count,
		.internal_ms = m->dated ? m->internal_ms : now_ms,
		.internal_zone = (int16_t)(m->dated ? m->zone : 0),
	};
}

void imap_upload_stored(struct imap_session *s, const struct store_added *added)
{
	const struct imap_upload *u = s->upload;

	imap_changed(s, added->modseq);
	if (imap_respelled(s, u->given, u->name)) /* RFC 9051 §6.3.12 */
		imap_put_list(s, STR(""), u->name, u->given);
}

static enum imap_next appended(struct imap_session *s, const struct store_added *added, size_t count)
{
	imap_upload_stored(s, &added[0]);
	if (count == 1)
		return imap_ok(s, "[APPENDUID %u %u] Appended", added[0].uidvalidity, added[0].uid);
	/* RFC 4315 §3: a set; the uids of one transaction follow each other. */
	return imap_ok(s, "[APPENDUID %u %u:%u] Appended", added[0].uidvalidity, added[0].uid, added[count - 1].uid);
}

static enum imap_next store_it(struct imap_session *s)
{
	struct imap_upload       *u = s->upload;
	struct store_new_message *list = ARENA_ARRAY(s->arena, struct store_new_message, u->count);
	struct store_added       *added = ARENA_ARRAY(s->arena, struct store_added, u->count);
	int64_t                   now_ms = clock_wall_ms();
	size_t                    n = 0;
	struct store_account     *a;
	struct store_mailbox      box;
	enum status               st;

	for (const struct imap_message *m = u->first; m; m = m->next)
		list[n++] = new_message(m, now_ms);
	if (u->replace)
		return imap_replace_store(s, u, &list[0]);
	st = imap_mailbox_find(s, u->name, IMAP_RIGHT_INSERT, &a, &box);
	if (st == ST_OK && box.id != u->mailbox)
		st = ST_NOT_FOUND;
	if (st == ST_OK)
		st = store_append(a, u->mailbox, list, n, added);
	if (st == ST_NOT_FOUND) /* deleted meanwhile */
		return imap_no(s, "[TRYCREATE] No such mailbox");
	return st == ST_OK ? appended(s, added, n) : imap_failed(s, st);
}

/* ---- reading on ---- */

/* All that the text says. WAIT: octets are wanted, of *ret_use; else the command is answered. `l`: the literal at its end, or NULL. */
static enum imap_next read_on(struct imap_session *s, struct imap_lex *x, const struct imap_literal *l, enum imap_literal_use *ret_use)
{
	struct imap_upload *u = s->upload;
	enum imap_next      next = IMAP_NEXT_WAIT;

	while (next == IMAP_NEXT_WAIT) {
		switch (imap_append_next(&u->reader, x)) {
		case IMAP_APPEND_BAD: return syntax(s);
		case IMAP_APPEND_MORE: *ret_use = IMAP_LITERAL_TEXT; return l ? IMAP_NEXT_WAIT : syntax(s);
		case IMAP_APPEND_OCTETS:
			*ret_use = IMAP_LITERAL_CONTENT;
			return l ? octets_begin(s, l) : syntax(s);
		case IMAP_APPEND_MAILBOX: next = mailbox_find(s); break;
		case IMAP_APPEND_MESSAGE: next = message_begin(s); break;
		case IMAP_APPEND_URL: next = imap_catenate_url(s, u->reader.url); break;
		case IMAP_APPEND_WHOLE: next = message_end(s); break;
		case IMAP_APPEND_END: return store_it(s);
		}
	}
	return next;
}

/* A command without any literal that has content: only URLs, or malformed. */
static enum imap_next whole_command(struct imap_session *s, struct imap_command *c)
{
	enum imap_literal_use use;
	enum imap_next        next = read_on(s, &c->x, NULL, &use);

	imap_append_done(s);
	return next;
}

enum imap_next imap_cmd_append(struct imap_session *s, struct imap_command *c)
{
	imap_upload_new(s);
	return whole_command(s, c);
}

enum imap_next imap_cmd_replace(struct imap_session *s, struct imap_command *c)
{
	enum imap_next next = imap_replace_begin(s, c, imap_upload_new(s));

	if (next == IMAP_NEXT_WAIT)
		return whole_command(s, c);
	imap_append_done(s);
	return next;
}

/* ---- literals ---- */

/* The command in s->text is one of ours: it has begun, before all of it is there for the dispatcher. */
static bool begin(struct imap_session *s, enum imap_next *ret)
{
	const struct imap_row *row;
	struct imap_command    c;

	*ret = IMAP_NEXT_WAIT;
	if (s->state == IMAP_NOT_AUTH || !imap_command_parse(buf_str(&s->text), s->arena, &c) || !c.args)
		return false;
	row = imap_row_find(c.name);
	if (!row || (row->handler != imap_cmd_replace && (row->handler != imap_cmd_append || c.uid)))
		return false;
	s->tag = arena_dup(s->arena, c.tag);
	s->commands++;
	imap_upload_new(s);
	if (!imap_command_legal(s, row, &c))
		*ret = IMAP_NEXT_REPLY;
	else if (row->handler == imap_cmd_replace)
		*ret = imap_replace_begin(s, &c, s->upload);
	s->upload->at = s->text.n - c.x.in.n;
	return true;
}

static struct imap_lex text_from(struct imap_session *s)
{
	return (struct imap_lex){ .in = str_from(buf_str(&s->text), s->upload->at), .arena = s->arena };
}

enum imap_literal_use imap_append_literal(struct imap_session *s, const struct imap_literal *l)
{
	enum imap_literal_use use = IMAP_LITERAL_TEXT;
	enum imap_next        next = IMAP_NEXT_WAIT;
	struct imap_lex       x;

	if (!s->upload && !begin(s, &next))
		return IMAP_LITERAL_TEXT;
	if (next == IMAP_NEXT_WAIT) {
		x = text_from(s);
		next = read_on(s, &x, l, &use);
		s->upload->at = s->text.n - x.in.n;
	}
	imap_account_back(s);
	if (next != IMAP_NEXT_WAIT) {
		imap_append_done(s);
		return IMAP_LITERAL_REFUSED;
	}
	if (use == IMAP_LITERAL_TEXT)
		return use;
	s->upload->args += s->text.n;
	if (s->upload->args > LIMIT_IMAP_ARGS) {
		imap_no(s, "[LIMIT] The command is too long");
		imap_append_done(s);
		return IMAP_LITERAL_REFUSED;
	}
	buf_clear(&s->text);
	s->upload->at = 0;
	return use;
}

enum status imap_upload_write(struct imap_upload *u, struct str octets)
{
	u->last->nul = u->last->nul || str_find(octets, '\0') >= 0;
	/* RFC 9051 §9: literal = *CHAR8, which has no NUL. */
	u->nul = u->last->nul && !u->binary;
	if (u->nul)
		return ST_INVALID;
	u->failed = store_upload_write(u->last->upload, octets);
	return u->failed;
}

static bool sink_write(void *ctx, struct str octets)
{
	return imap_upload_write(ctx, octets) == ST_OK;
}

struct net_sink imap_append_sink(struct imap_session *s)
{
	return (struct net_sink){ sink_write, s->upload };
}

bool imap_append_data(struct imap_session *s, bool refused)
{
	enum status failed = s->upload->failed;
	bool        nul = s->upload->nul;

	if (!refused)
		return true;
	imap_append_done(s);
	if (nul)
		imap_no(s, "[CANNOT] A message may hold no NUL");
	else
		imap_failed(s, failed == ST_OK ? ST_TEMP : failed);
	return false;
}

enum imap_next imap_append_end(struct imap_session *s)
{
	enum imap_literal_use use;
	struct imap_lex       x = text_from(s);
	enum imap_next        next;

	s->reply = (struct imap_reply){ 0 };
	next = read_on(s, &x, NULL, &use);
	imap_append_done(s);
	imap_finish(s, true);
	return next;
}
