/* tests/unit/mime_check.h - what must hold of any message whatever: used by unit tests and fuzz targets alike.
 *
 * CHECK() aborts, so the same code serves both.
 */
#ifndef MIME_CHECK_H
#define MIME_CHECK_H

#include "base/limits.h"
#include "wire/mime/mime.h"
#include "wire/mime/mime_address.h"

/* ---- the printed forms, read back by the grammar of RFC 9051 §9 ---- */

static inline void check_char(struct str *s, char c)
{
	CHECK(str_skip_char(s, c));
}

static inline void check_string(struct str *s, bool utf8)
{
	size_t start;

	check_char(s, '"');
	start = s->n;
	while (s->n > 0 && s->p[0] != '"') {
		if (s->p[0] == '\\') {
			*s = str_from(*s, 1);
			CHECK(s->n > 0 && (s->p[0] == '"' || s->p[0] == '\\'));
		}
		CHECK(s->p[0] != '\r' && s->p[0] != '\n' && s->p[0] != '\0');
		CHECK(utf8 || (unsigned char)s->p[0] < 128);
		*s = str_from(*s, 1);
	}
	(void)start;
	check_char(s, '"');
}

static inline void check_nstring(struct str *s, bool utf8)
{
	if (!str_skip(s, STR("NIL")))
		check_string(s, utf8);
}

static inline void check_number(struct str *s)
{
	uint64_t v;

	CHECK(str_take_u64(s, &v));
}

static inline void check_params(struct str *s, bool utf8)
{
	if (str_skip(s, STR("NIL")))
		return;
	check_char(s, '(');
	do {
		check_string(s, utf8);
		check_char(s, ' ');
		check_string(s, utf8);
	} while (str_skip_char(s, ' '));
	check_char(s, ')');
}

static inline void check_addresses(struct str *s, bool utf8)
{
	if (str_skip(s, STR("NIL")))
		return;
	check_char(s, '(');
	do {
		check_char(s, '(');
		for (int i = 0; i < 4; i++) {
			check_nstring(s, utf8);
			if (i < 3)
				check_char(s, ' ');
		}
		check_char(s, ')');
	} while (s->n > 0 && s->p[0] == '(');
	check_char(s, ')');
}

static inline void check_envelope(struct str *s, bool utf8)
{
	check_char(s, '(');
	for (int i = 0; i < 10; i++) {
		if (i > 0)
			check_char(s, ' ');
		if (i < 2 || i > 7)
			check_nstring(s, utf8);
		else
			check_addresses(s, utf8);
	}
	check_char(s, ')');
}

static inline void check_extension(struct str *s, bool utf8)
{
	check_char(s, ' ');
	if (!str_skip(s, STR("NIL"))) {
		check_char(s, '(');
		check_string(s, utf8);
		check_char(s, ' ');
		check_params(s, utf8);
		check_char(s, ')');
	}
	check_char(s, ' ');
	if (!str_skip(s, STR("NIL"))) {
		check_char(s, '(');
		do
			check_string(s, utf8);
		while (str_skip_char(s, ' '));
		check_char(s, ')');
	}
	check_char(s, ' ');
	check_nstring(s, utf8);
}

static inline void check_body(struct str *s, bool extensible, bool utf8)
{
	check_char(s, '(');
	if (s->n > 0 && s->p[0] == '(') {
		while (s->n > 0 && s->p[0] == '(')
			check_body(s, extensible, utf8);
		check_char(s, ' ');
		check_string(s, utf8);
		if (s->n > 0 && s->p[0] == ' ') {
			CHECK(extensible);
			check_char(s, ' ');
			check_params(s, utf8);
			check_extension(s, utf8);
		}
	} else {
		bool text = str_istarts(*s, STR("\"TEXT\" ")), message;

		message = str_istarts(*s, STR("\"MESSAGE\" \"RFC822\"")) || (utf8 && str_istarts(*s, STR("\"MESSAGE\" \"GLOBAL\"")));
		check_string(s, utf8);
		check_char(s, ' ');
		check_string(s, utf8);
		check_char(s, ' ');
		check_params(s, utf8);
		check_char(s, ' ');
		check_nstring(s, utf8);
		check_char(s, ' ');
		check_nstring(s, utf8);
		check_char(s, ' ');
		check_string(s, utf8);
		check_char(s, ' ');
		check_number(s);
		if (message) {
			check_char(s, ' ');
			check_envelope(s, utf8);
			check_char(s, ' ');
			check_body(s, extensible, utf8);
		}
		if (text || message) {
			check_char(s, ' ');
			check_number(s);
		}
		if (s->n > 0 && s->p[0] == ' ') {
			CHECK(extensible);
			check_char(s, ' ');
			check_nstring(s, utf8);
			check_extension(s, utf8);
		}
	}
	check_char(s, ')');
}

/* ---- the tree ---- */

static inline size_t check_part(struct str message, const struct mime_part *p, unsigned depth)
{
	size_t count = 1, lf = 0, at = p->body_at;

	CHECK(depth <= LIMIT_MIME_DEPTH + 1);
	CHECK(p->header_at <= message.n && p->header_n <= message.n - p->header_at);
	CHECK(p->body_at == p->header_at + p->header_n);
	CHECK(p->body_n <= message.n - p->body_at);
	CHECK(p->type.n > 0 && p->subtype.n > 0 && p->encoding.n > 0);
	CHECK(!(p->multipart && p->message));
	CHECK(p->message ? p->child && !p->child->next : p->multipart || !p->child);
	for (size_t i = 0; i < p->body_n; i++)
		lf += message.p[p->body_at + i] == '\n';
	CHECK(lf == p->lines);
	for (size_t i = 0; i < p->param_count; i++)
		CHECK(p->params[i].name.n > 0 && str_is_utf8(p->params[i].value));
	for (const struct mime_part *c = p->child; c; c = c->next) {
		CHECK(c->parent == p);
		CHECK(c->header_at >= at);
		at = c->body_at + c->body_n;
		CHECK(at <= p->body_at + p->body_n);
		count += check_part(message, c, depth + 1);
	}
	return count;
}

static inline void check_printed(struct str message, const struct mime *m, struct buf *out)
{
	for (int i = 0; i < 6; i++) {
		bool       utf8 = i & 1;
		struct str s;

		buf_clear(out);
		if (i < 2) {
			mime_print_envelope(message, m->root, utf8, out);
			s = buf_str(out);
			check_envelope(&s, utf8);
		} else {
			mime_print_structure(message, m->root, i >= 4, utf8, out);
			s = buf_str(out);
			check_body(&s, i >= 4, utf8);
		}
		CHECK(s.n == 0 && !out->over && str_is_utf8(buf_str(out)));
	}
}

/* Parse, look at everything, return the flags. */
static inline unsigned check_message(struct str message)
{
	struct arena       *a = arena_new(NULL);
	struct mime         m;
	struct mime_summary sum;
	struct buf          out;
	unsigned            flags;

	mime_parse(message, a, &m);
	CHECK(m.root && m.root->header_at == 0 && m.root->body_at + m.root->body_n == message.n);
	CHECK(check_part(message, m.root, 0) == m.part_count);
	buf_init(&out, LIMIT_BODYSTRUCTURE);
	check_printed(message, &m, &out);
	mime_summary(message, &m, a, &sum);
	CHECK(str_is_utf8(sum.subject));
	CHECK(mime_section(&m, STR("")) == m.root);
	buf_done(&out);
	buf_init(&out, message.n + 64);
	mime_decode_body(str_sub(message, m.root->body_at, m.root->body_n), m.root->encoding, &out);
	CHECK(!out.over);
	buf_done(&out);
	flags = m.flags;
	arena_free(&a);
	return flags;
}

#endif
