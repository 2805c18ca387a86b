/* imap/imap_utf8.c - facts for clients that take UTF-8 (RFC 9755 §3, §6, RFC 9051 §7.5.2).
 *
 * The store has them with 8-bit header octets encoded and message/global opaque, for everybody else. They are made anew from the content
 * of the few messages that have such octets or parts; of one over LIMIT_INLINE only the ENVELOPE.
 */
#include "imap/imap_content.h"
#include "wire/mime/mime.h"

static struct str printed(struct arena *arena, struct buf *b)
{
	struct str s = arena_dup(arena, buf_str(b));

	buf_done(b);
	return s;
}

static void facts_make(struct str message, bool whole, unsigned facts, struct store_email *e, struct arena *arena)
{
	struct arena *work CLEANUP(arena_free) = arena_new(NULL);
	struct mime        m;
	struct buf         b;

	mime_parse(message, work, &m);
	if (facts & STORE_FACT_ENVELOPE) {
		buf_init(&b, LIMIT_ENVELOPE);
		mime_print_envelope(message, m.root, true, &b);
		e->envelope = printed(arena, &b);
	}
	if (whole && (facts & STORE_FACT_BODY)) {
		buf_init(&b, LIMIT_BODYSTRUCTURE);
		mime_print_structure(message, m.root, false, true, &b);
		e->body = printed(arena, &b);
	}
	if (whole && (facts & STORE_FACT_STRUCTURE)) {
		buf_init(&b, LIMIT_BODYSTRUCTURE);
		mime_print_structure(message, m.root, true, true, &b);
		e->structure = printed(arena, &b);
	}
}

static bool differs(const struct store_email *e)
{
	return (e->mime_flags & MIME_FLAG_8BIT_HEADER) || str_search(e->structure, STR("\"GLOBAL\"")) >= 0 || str_search(e->body, STR("\"GLOBAL\"")) >= 0;
}

void imap_utf8_facts(struct imap_session *s, unsigned facts, struct store_email *e, struct arena *arena)
{
	bool                  whole = (facts & (STORE_FACT_BODY | STORE_FACT_STRUCTURE)) && e->size <= LIMIT_INLINE;
	size_t                n = (size_t)(whole ? e->size : MIN(e->header_n, (uint64_t)LIMIT_HEADER_BLOCK));
	struct store_account *a;
	struct buf            content;

	if (e->id == 0 || !differs(e) || !(facts & (STORE_FACT_ENVELOPE | STORE_FACT_BODY | STORE_FACT_STRUCTURE)) || imap_box_account(s, &a) != ST_OK)
		return;
	buf_init(&content, LIMIT_HEADER_BLOCK);
	if (store_read(a, e->id, 0, n, &content) == ST_OK && content.n == n)
		facts_make(buf_str(&content), whole, facts, e, arena);
	buf_done(&content);
}
