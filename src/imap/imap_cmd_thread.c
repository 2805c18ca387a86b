/* imap/imap_cmd_thread.c - THREAD, UID THREAD (RFC 5256 §3; REFS: draft-ietf-morg-inthread). */
#include "imap/imap_found.h"
#include "sys/random.h"
#include "wire/imap/imap_thread.h"
#include "wire/text/text_fold.h"
#include "wire/text/text_subject.h"

#define COUNTED 1024u      /* messages between two looks at the memory that they take */
#define PIECE   (32 * KIB) /* octets put at once */

/* What threading wants of a message; texts are copied. */
static void message_make(struct imap_match *m, uint32_t place, bool uid, struct buf *folded, struct arena *a,
			 struct imap_thread_message *ret)
{
	const struct store_row   *row = &m->box->view.rows[place];
	const struct store_email *e = imap_match_facts(m, place);
	struct str                base = text_subject_base(e->subject, &ret->reply);

	buf_clear(folded);
	text_fold(base, folded);
	ret->number = uid ? row->uid : place + 1;
	ret->date_ms = e->id == 0 || e->date_ms == INT64_MIN ? row->internal_ms : e->date_ms;
	ret->subject = arena_dup(a, buf_str(folded));
	ret->message_id = arena_dup(a, e->message_id);
	ret->references = arena_dup(a, e->references);
	ret->in_reply_to = arena_dup(a, e->in_reply_to);
}

static bool messages_make(struct imap_match *m, const struct imap_found *f, bool uid, struct arena *a, struct imap_thread_message *list)
{
	struct buf folded;

	buf_init(&folded, 64 * KIB);
	m->ahead_count = 0; /* those of other columns */
	for (size_t i = 0; i < f->count && imap_match_goes_on(m, f->places[i]); i++) {
		message_make(m, f->places[i], uid, &folded, a, &list[i]);
		if (i % COUNTED == COUNTED - 1)
			m->full = !imap_work_take(m->s, m->held + arena_size(a));
	}
	buf_done(&folded);
	m->held += arena_size(a);
	return imap_match_answer(m);
}

static void threads_put(struct imap_session *s, struct imap_threads *t, size_t count)
{
	struct buf b;
	bool       more = true;

	buf_init(&b, PIECE + 100 + count); /* all parentheses may close at once */
	imap_inside(s, true);
	imap_put(s, STR("* THREAD"));
	for (bool first = true; more && !s->broken; first = false) {
		buf_clear(&b);
		if (first)
			buf_add_char(&b, ' ');
		more = imap_thread_print(t, PIECE, &b);
		if (b.n > 1 || !first)
			imap_put(s, buf_str(&b));
		(void)imap_spill(s);
	}
	imap_put(s, STR("\r\n"));
	imap_inside(s, false);
	buf_done(&b);
}

static void run(struct imap_match *m, enum imap_thread_kind kind, const struct imap_query *q)
{
	struct imap_session        *s = m->s;
	struct imap_found           f = { 0 };
	struct arena               *a = arena_new(s->arena);
	struct imap_thread_message *list;
	size_t                      nodes;
	uint64_t                    key;

	m->columns |= STORE_SORT_SUBJECT | STORE_SORT_MESSAGE_ID | STORE_SORT_IN_REPLY_TO | STORE_SORT_REFERENCES;
	if (imap_found_search(m, q, &f)) {
		list = ARENA_ARRAY(a, struct imap_thread_message, f.count);
		/* As many ids of messages that are not here as there is memory for, up to a point. */
		if (messages_make(m, &f, q->uid, a, list)) {
			nodes = 8 * f.count + 1024;
			m->full = !imap_work_take(s, m->held + nodes * IMAP_THREAD_NODE);
			if (m->full) {
				nodes = 2 * f.count + 64;
				m->full = !imap_work_take(s, m->held + nodes * IMAP_THREAD_NODE);
			}
			random_octets(&key, sizeof(key));
			if (imap_match_answer(m)) {
				imap_account_back(s);
				threads_put(s, imap_thread_make(kind, list, f.count, nodes, key, a), f.count);
				imap_ok(s, "That is all");
			}
		}
	}
	arena_free(&a);
	imap_found_done(&f);
}

enum imap_next imap_cmd_thread(struct imap_session *s, struct imap_command *c)
{
	const char           *syntax = "THREAD algorithm charset search-key ...";
	struct imap_query     q = { .uid = c->uid };
	struct imap_match     m;
	enum imap_thread_kind kind;
	enum imap_search_err  err;
	enum status           st;

	if (!imap_lex_thread(&c->x, &kind) || !imap_lex_sp(&c->x))
		return imap_bad(s, "Syntax: %s", syntax);
	err = imap_lex_charset(&c->x, &q.search);
	if (err == IMAP_SEARCH_OK)
		err = imap_lex_keys(&c->x, &q.search);
	if (err != IMAP_SEARCH_OK)
		return imap_search_refused(s, err, syntax);
	if (!imap_charset_legal(s, &q.search, true))
		return IMAP_NEXT_REPLY;
	st = imap_view(s);
	if (st != ST_OK)
		return imap_failed(s, st);
	if (!imap_search_legal(s, &q.search) || !imap_limit_count(s, s->box.exists, false)) /* RFC 9738 §3.3 */
		return IMAP_NEXT_REPLY;
	imap_match_init(&m, s);
	imap_match_prepare(&m, q.search.root);
	run(&m, kind, &q);
	imap_match_done(&m);
	return IMAP_NEXT_REPLY;
}
